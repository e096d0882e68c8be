"""tools/binder.py on small lessons: one CPU, a limit of memory and time, no rights elsewhere."""

import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import binder
import mutants

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="only Linux can keep a process on one CPU"
)

IS_ON_ONE_CPU = """\
import os
assert len(os.sched_getaffinity(0)) == 1
assert os.environ["TF_NUM_INTRAOP_THREADS"] == "1"
assert os.path.basename(os.getcwd()) == "notebooks"
"""
NEEDS_DATA = new_code_cell(
    "raise SystemExit", metadata={"tags": ["needs-download", "data=german_credit"]}
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of this Python, and a folder to put lessons into."""
    home = tmp_path_factory.mktemp("home")
    (home / "course" / "notebooks").mkdir(parents=True)
    shutil.copytree(binder.ROOT / "binder", home / "course" / "binder")
    lab = home / "jupyter-lab"
    lab.write_text(f'#!/bin/sh\nexec {sys.executable} -m jupyterlab --allow-root "$@"')
    lab.chmod(0o755)
    variables = os.environ | {"PATH": f"{home}{os.pathsep}{os.environ['PATH']}"}
    allowed = os.sched_getaffinity(0)
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(binder, "rights", dict)  # others may not reach this Python
            running = stack.enter_context(binder.serve(home, variables))
        assert os.sched_getaffinity(0) == allowed, "the tool itself keeps its CPUs"
        yield running, home / "course" / "notebooks"


def measure(server, *cells):
    running, notebooks = server
    head = new_markdown_cell("# A heading")
    nbformat.write(new_notebook(cells=[head, *cells]), notebooks / "lesson.ipynb")
    return binder.measure(running, "lesson")


def test_a_lesson_runs_on_one_cpu_and_in_one_kernel(server):
    measured = measure(server, new_code_cell(IS_ON_ONE_CPU), new_code_cell("os.getpid()"))
    assert measured.failed == ""
    assert list(measured.cells) == ["cell 1, A heading", "cell 2, A heading"]
    assert measured.seconds > 0
    assert 0.05 < measured.peak_gb < 0.5, "server and kernel"


def test_a_cell_that_fails_is_named_and_ends_the_lesson(server):
    measured = measure(server, new_code_cell("1"), new_code_cell("1 / 0"), new_code_cell("2"))
    assert measured.failed == "cell 2, A heading: ZeroDivisionError: division by zero"
    assert list(measured.cells) == ["cell 1, A heading"]


def test_too_much_memory_stops_the_kernel_and_the_next_lesson_runs(server, monkeypatch):
    monkeypatch.setattr(binder, "MEMORY_GB", 0.6)
    measured = measure(server, new_code_cell("full = b'1' * 600_000_000\nwhile True: pass"))
    assert measured.failed == "cell 1, A heading: server and kernel took more than 0.6 GB"
    assert measured.peak_gb > 0.6
    assert measure(server, new_code_cell("1")).failed == ""


def test_memory_of_what_a_kernel_starts_counts(server, monkeypatch):
    monkeypatch.setattr(binder, "MEMORY_GB", 0.6)
    code = "import subprocess, sys\n" + (
        "subprocess.run([sys.executable, '-c', 'full = b\"1\" * 600_000_000; input()'])"
    )
    assert "more than 0.6 GB" in measure(server, new_code_cell(code)).failed


def test_a_lesson_that_takes_too_long_is_stopped(server, monkeypatch):
    monkeypatch.setattr(binder, "LESSON_SECONDS", 4)
    measured = measure(server, new_code_cell("while True: pass"))
    assert measured.failed == "cell 1, A heading: the lesson takes longer than 4 s"


def test_cells_without_their_data_are_left_out_and_said(server, monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    monkeypatch.setattr(binder.notebooks.data, "is_available", lambda name: False)
    measured = measure(server, NEEDS_DATA)
    assert measured.failed == "" and measured.left_out == {"german_credit"}
    assert binder.table({"lesson": measured})[-1] == "lesson: no data set german_credit"


def test_a_cell_whose_data_nobody_may_read_is_left_out_as_well(server, monkeypatch):
    monkeypatch.setattr(binder.notebooks.data, "is_available", lambda name: True)
    code = "class DataError(Exception): pass\nraise DataError('not there')"
    tags = {"tags": ["needs-download", "data=german_credit"]}
    measured = measure(server, new_code_cell(code, metadata=tags), new_code_cell("1"))
    assert measured.failed == "" and measured.left_out == {"german_credit"}
    assert measure(server, new_code_cell(code)).failed == "cell 1, A heading: DataError: not there"


def test_a_kernel_that_dies_is_said_at_once(server):
    measured = measure(server, new_code_cell("import os, signal\nos.kill(os.getpid(), 9)"))
    assert measured.failed == "cell 1, A heading: the kernel died"
    assert measure(server, new_code_cell("1")).failed == ""


# ---- the installation


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A small course under git, whose postBuild says who runs it, and where."""
    folder = tmp_path / "checkout"
    (folder / "binder").mkdir(parents=True)
    for name in ("environment.yml", "start"):
        shutil.copy(binder.ROOT / "binder" / name, folder / "binder")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    monkeypatch.setattr(mutants, "ROOT", folder)

    def post_build(text: str) -> None:
        (folder / "binder" / "postBuild").write_text(f"#!/bin/sh\n{text}")
        (folder / "binder" / "postBuild").chmod(0o755)

    return post_build


@pytest.fixture
def home(tmp_path_factory):
    """A folder that nobody can reach from the root on."""
    path = Path(binder.tempfile.mkdtemp())
    yield path
    shutil.rmtree(path)


def test_post_build_runs_in_a_clean_environment_without_rights_elsewhere(checkout, home):
    checkout("id -u > ~/who; pwd >> ~/who; (command -v python; command -v pip) >> ~/who")
    variables = binder.install(home)
    who, where, python, pip = (home / "who").read_text().split()
    assert int(who) == binder.rights().get("user", os.geteuid()) != 0
    assert where == str(home / "course")
    assert [python, pip] == [str(home / "venv/bin/python"), str(home / "venv/bin/pip")]
    assert variables["HOME"] == str(home)
    assert not set(variables) & {"PYTHONPATH", "VIRTUAL_ENV", "COURSE_SEED"} - set(os.environ)


def test_an_installation_that_fails_is_told_with_its_last_words(checkout, home):
    checkout("echo no such package; exit 1")
    with pytest.raises(RuntimeError, match="postBuild failed:\nno such package"):
        binder.install(home)


def test_without_a_python_for_all_users_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(binder, "FOLDERS", ())
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(RuntimeError, match="apt install python3-venv"):
        binder.find_python()


def test_an_unknown_lesson_is_refused(capsys):
    with pytest.raises(SystemExit):
        binder.main(["flowers"])
    assert "'flowers' (choose from" in capsys.readouterr().err


def test_what_misses_a_limit_ends_the_command_with_1(monkeypatch, capsys):
    results = {
        "good": binder.Measured({"cell 1": 2.0}),
        "bad": binder.Measured(failed="cell 2: no"),
    }
    monkeypatch.setattr(binder.bench, "lessons", lambda: list(results))
    monkeypatch.setattr(binder, "install", lambda home: {})
    monkeypatch.setattr(binder, "serve", lambda *_: binder.suppress())
    monkeypatch.setattr(binder, "measure", lambda _, lesson: results[lesson])
    assert binder.main([]) == 1
    shown = capsys.readouterr().out
    assert "kept" in shown and "missed" in shown and "bad: cell 2: no" in shown
    assert binder.main(["good"]) == 0


def test_a_server_that_is_gone_ends_the_command_with_1(monkeypatch, capsys):
    """What was measured before is told; the lessons that were not are no success."""

    def measure(_, lesson):
        if lesson == "second":
            raise binder.requests.ConnectionError("nobody answers")
        return binder.Measured({"cell 1": 2.0})

    monkeypatch.setattr(binder.bench, "lessons", lambda: ["first", "second"])
    monkeypatch.setattr(binder, "install", lambda home: {})
    monkeypatch.setattr(binder, "serve", lambda *_: binder.suppress())
    monkeypatch.setattr(binder, "measure", measure)
    assert binder.main([]) == 1
    shown = capsys.readouterr()
    assert "first" in shown.out and "kept" in shown.out
    assert shown.err.endswith("nobody answers\n")
