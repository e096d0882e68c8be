"""tools/mutants.py on a small project: what is planted, caught and kept; and the list itself."""

import contextlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

import mutants
import notebooks

MODULE = """\
def add(a, b):
    return a + b


def twice(a):
    return 2 * a
"""
TESTS = """\
import os
from module import add


def test_add():
    assert add(1, 2) == 3
    assert "COURSE_SEED" not in os.environ
"""
LIST = """\
[drawn]
"module.py" = ["tests/test_module.py"]

[[fault]]
file = "module.py"
old = "a + b"
new = "a - b"
why = "a sign"
tests = ["tests/test_module.py"]

[[fault]]
file = "module.py"
old = "2 * a"
new = "3 * a"
why = "a factor"
tests = ["tests/test_module.py::test_add"]
"""
LESSON_FAULT = """
[[fault]]
file = "notebooks/source/lesson.py"
old = "1 +"
new = "1 -"
why = "a sign of the lesson"
"""
BUILDER = """\
import sys
from pathlib import Path

if "1 -" in Path(f"notebooks/source/{sys.argv[1]}.py").read_text():
    print("lesson: cell 3 failed\\n    1 - 1", file=sys.stderr)
    sys.exit("  ClaimFailed: it is not 2")
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A checkout of one module, its tests, a lesson that is built, and a file that git ignores."""
    project = tmp_path / "project"
    files = {
        "module.py": MODULE,
        "tests/test_module.py": TESTS,
        "tests/mutants.toml": LIST,
        "tools/notebooks.py": BUILDER,
        "notebooks/source/lesson.py": "# %%\n1 + 1\n",
        ".gitignore": "ignored\nbuild/\n",
        "ignored": "",
    }
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text, encoding="utf-8")
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    monkeypatch.setattr(mutants, "ROOT", project)
    monkeypatch.setattr(mutants, "LIST", project / "tests" / "mutants.toml")
    monkeypatch.setattr(mutants, "STORE", project / "build" / "mutants")
    monkeypatch.setenv("COURSE_SEED", "7")
    return project


def add_to_list(project, text):
    path = project / "tests" / "mutants.toml"
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


@pytest.fixture
def tried(monkeypatch):
    """Faults that were tried, where nothing is run: those with a sign are caught."""
    tried = []

    def attempt(fault, folder):
        tried.append(fault.why)
        return {"fault": str(fault), "caught": "sign" in fault.why, "by": "somebody"}

    monkeypatch.setattr(mutants, "attempt", attempt)
    monkeypatch.setattr(mutants, "check_sound", lambda faults, folder: None)
    return tried


def test_a_fault_that_no_test_notices_is_listed(project, capsys):
    add_to_list(project, LESSON_FAULT)
    assert mutants.main([]) == 1
    printed, errors = capsys.readouterr()
    assert (
        "2 of 3 faults caught, 1 survived, 0 harmless\nsurvived: module.py: a factor\n" in printed
    )
    found = {
        fault["fault"]: fault
        for fault in (json.loads(path.read_text()) for path in mutants.STORE.iterdir())
    }
    assert {name: fault["caught"] for name, fault in found.items()} == {
        "module.py: a sign": True,
        "module.py: a factor": False,
        "notebooks/source/lesson.py: a sign of the lesson": True,
    }
    assert found["module.py: a sign"]["by"].startswith("FAILED tests/test_module.py::test_add")
    lesson = found["notebooks/source/lesson.py: a sign of the lesson"]
    assert lesson["by"] == "ClaimFailed: it is not 2"
    assert "3/3" in errors, "progress is seen"
    assert (project / "module.py").read_text() == MODULE
    assert not list(project.rglob("__pycache__"))


def test_the_copy_holds_what_git_would_and_nothing_else(project, tmp_path):
    (project / "removed.py").write_text("")
    subprocess.run(["git", "add", "removed.py"], cwd=project, check=True)
    (project / "removed.py").unlink()
    mutants.copy_checkout(tmp_path / "copy")
    files = [path for path in (tmp_path / "copy").rglob("*") if path.is_file()]
    assert {str(path.relative_to(tmp_path / "copy")) for path in files} == {
        ".gitignore",
        "module.py",
        "notebooks/source/lesson.py",
        "tests/mutants.toml",
        "tests/test_module.py",
        "tools/notebooks.py",
    }


def test_what_was_tried_is_kept_until_its_file_or_its_tests_change(project, tried):
    assert mutants.main([]) == 1
    assert mutants.main([]) == 1
    assert tried == ["a sign", "a factor"]
    (project / "tests" / "test_module.py").write_text(TESTS + "# more\n")
    mutants.main([])
    assert tried[2:] == ["a sign", "a factor"]
    (project / "module.py").write_text(MODULE + "# more\n")
    mutants.main([])
    assert tried[4:] == ["a sign", "a factor"]
    mutants.main(["--fresh"])
    assert tried[6:] == ["a sign", "a factor"]


def test_an_interrupted_command_goes_on_where_it_was(project, tried, monkeypatch):
    attempt = mutants.attempt

    def interrupted(fault, folder):
        if fault.why == "a factor":
            raise KeyboardInterrupt
        return attempt(fault, folder)

    monkeypatch.setattr(mutants, "attempt", interrupted)
    with pytest.raises(KeyboardInterrupt):
        mutants.main([])
    monkeypatch.setattr(mutants, "attempt", attempt)
    assert mutants.main([]) == 1
    assert tried == ["a sign", "a factor"]


def test_a_sample_is_drawn_by_the_seed(project, tried):
    for letter in "cdefgh":
        fault = LIST.split("\n\n")[1].replace("a sign", f"sign {letter}")
        add_to_list(project, f"\n{fault}\n")
    samples = []
    for seed in ("1", "1", "2"):
        mutants.main(["--sample", "3", "--seed", seed, "--fresh"])
        samples.append([tried.pop() for _ in range(3)])
    assert not tried
    assert samples[0] == samples[1] != samples[2]
    mutants.main(["--sample", "99", "--fresh"])
    assert len(tried) == 8, "of fewer faults all are taken"


def test_faults_of_some_files_can_be_asked_for(project, tried):
    add_to_list(project, LESSON_FAULT)
    assert mutants.main(["--only", "notebooks/"]) == 0
    assert tried == ["a sign of the lesson"]


def test_a_harmless_fault_may_survive_but_must_not_be_caught(project, tried, capsys):
    text = (project / "tests" / "mutants.toml").read_text()
    harmless = text.replace('why = "a factor"', 'why = "a factor"\nharmless = "nobody calls it"')
    (project / "tests" / "mutants.toml").write_text(harmless)
    assert mutants.main([]) == 0
    assert capsys.readouterr().out.endswith("1 of 2 faults caught, 0 survived, 1 harmless\n")
    wrong = harmless.replace('why = "a sign"', 'why = "a sign"\nharmless = "who knows"')
    (project / "tests" / "mutants.toml").write_text(wrong)
    assert mutants.main([]) == 1
    assert "called harmless, but caught: module.py: a sign\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('old = "a + b"', 'old = "a * b"', "is found 0 times"),
        ('old = "a + b"', 'old = "a"', "is found 5 times"),
        ('new = "a - b"', 'new = "a + b"', "the new text is the old one: 'a + b'"),
        ('file = "module.py"', 'file = "modul.py"', "modul.py: the old text has to be there once"),
        ("tests/test_module.py::", "tests/test_modul.py::", "['tests/test_modul.py::test_add']"),
        ('tests = ["tests/test_module.py"]', "", "module.py: a sign: tests are needed"),
    ],
)
def test_a_list_that_does_not_fit_any_more_is_an_error(
    project, tried, capsys, before, after, words
):
    text = (project / "tests" / "mutants.toml").read_text()
    assert before in text
    (project / "tests" / "mutants.toml").write_text(text.replace(before, after, 1))
    assert mutants.main([]) == 1
    assert words in capsys.readouterr().err
    assert not tried


def test_tests_that_fail_anyway_prove_nothing(project, capsys):
    (project / "tests" / "test_module.py").write_text("def test_add():\n    assert 0, 'oh'\n")
    assert mutants.main([]) == 1
    assert (
        "the tests fail without any fault: FAILED tests/test_module.py" in capsys.readouterr().err
    )


def test_a_lesson_that_stops_without_a_fault_tells_nothing(project, capsys):
    add_to_list(project, LESSON_FAULT)
    (project / "notebooks/source/lesson.py").write_text("# %%\n1 + 1\n1 - 1\n")
    assert mutants.main([]) == 1
    said = "lesson stops without any fault: ClaimFailed: it is not 2"
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--sample", "0"], "--sample 0 plants nothing: ask for 1 or more"),
        (["--drawn", "-1"], "--drawn -1 plants nothing"),
        (["--drawn", "2", "--sample", "2"], "ask for one of them"),
        (["--drawn", "2", "--only", "flowers"], "no fault is in a file whose path holds 'flowers'"),
        (["--only", "flowers"], "no fault is in a file whose path holds 'flowers'"),
    ],
)
def test_what_would_plant_nothing_is_refused(project, capsys, words, sentence):
    with pytest.raises(SystemExit) as stopped:
        mutants.main(words)
    assert stopped.value.code == 2
    assert sentence in capsys.readouterr().err


def test_outside_a_clone_it_says_what_git_says(project, capsys):
    shutil.rmtree(project / ".git")
    assert mutants.main([]) == 1
    assert "git cannot list the course's files: fatal: not a git" in capsys.readouterr().err


def test_a_changed_package_is_tried_anew(project, tried):
    mutants.main([])
    mutants.main([])
    assert len(tried) == 2
    (project / "course_utils").mkdir()
    (project / "course_utils" / "claims.py").write_text("pass")
    mutants.main([])
    assert len(tried) == 4


def test_tests_that_cannot_be_run_are_an_error(project, monkeypatch, capsys):
    monkeypatch.setattr(mutants, "check_sound", lambda faults, folder: None)
    (project / "tests" / "test_module.py").write_text("")
    assert mutants.main([]) == 1
    assert "module.py: a sign: its tests could not be run, exit status 5" in capsys.readouterr().err


def test_a_fault_that_hangs_is_caught(project, monkeypatch, capsys):
    sleep = (
        "import time\n\n\ndef test_add():\n    import module\n    time.sleep(module.add(30, -30))\n"
    )
    (project / "tests" / "test_module.py").write_text(sleep)
    monkeypatch.setattr(mutants, "check_sound", lambda faults, folder: None)
    monkeypatch.setattr(mutants, "TIME_LIMIT", 4)
    mutants.main(["--sample", "1", "--seed", "1"])
    assert "caught  module.py: a sign\n    ran out of time: 4 s" in capsys.readouterr().out


def test_cosmic_ray_draws_faults_by_the_seed_and_leaves_out_the_harmless(project):
    pytest.importorskip("cosmic_ray")
    faults = mutants.drawn(4, 1)
    assert faults == mutants.drawn(4, 1) != mutants.drawn(4, 2)
    for fault in faults:
        before, after = (fault.old.splitlines(), fault.planted().splitlines())
        changed = [i for i, pair in enumerate(zip(before, after, strict=True)) if len({*pair}) > 1]
        assert len(changed) == 1
        assert fault.why.startswith(f"line {changed[0] + 1}, ")
        assert fault.tests == ("tests/test_module.py",)
    line, became = faults[0].why.split(", ", 1)[1].split("  ->  ")
    add_to_list(
        project,
        f"\n[[harmless]]\nfile = 'module.py'\nold = '{line}'\nnew = '{became}'\nwhy = 'it is'\n",
    )
    assert faults[0] not in mutants.drawn(4, 1)
    assert len(mutants.drawn(99, 1)) < 99, "at each place one fault"
    assert mutants.drawn(4, 1, "module") == mutants.drawn(4, 1)
    assert mutants.drawn(4, 1, "flowers") == []


def test_the_list_fits_the_course():
    faults = mutants.listed()
    package = [fault for fault in faults if not fault.lesson]
    assert len(package) >= 25
    assert len({fault.file for fault in package}) >= 12
    lessons = [fault.lesson for fault in faults if fault.lesson]
    few = {name for name in notebooks.lessons() if lessons.count(name) < 2}
    assert few == {"index"}, "every lesson has at least two faults in tests/mutants.toml"
    assert len({(fault.file, fault.old, fault.new) for fault in faults}) == len(faults)


def test_the_copy_of_the_course_is_what_is_tested(tmp_path):
    for name, text in {
        "course_utils/__init__.py": "",
        "tools/where.py": "import course_utils\nprint(course_utils.__file__)\n",
    }.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    status, said = mutants.run(["tools/where.py"], tmp_path, seconds=60)
    assert status == 0
    assert Path(said.strip()).is_relative_to(tmp_path)


@pytest.mark.parametrize("status", [0, 1, 5])
def test_a_fault_is_taken_out_again_whatever_came_of_it(project, monkeypatch, status):
    (fault, _), seen = mutants.listed(), []

    def pytest_of(tests, folder):
        seen.append((folder / "module.py").read_text())
        return status, "somebody"

    monkeypatch.setattr(mutants, "pytest", pytest_of)
    folder = project.parent / "copy"
    mutants.copy_checkout(folder)
    with pytest.raises(RuntimeError) if status == 5 else contextlib.nullcontext():
        assert mutants.attempt(fault, folder)["caught"] == (status == 1)
    assert seen == [MODULE.replace("a + b", "a - b")]
    assert (folder / "module.py").read_text() == MODULE
