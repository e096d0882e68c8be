"""tools/mutants.py on a small project: what is caught, kept and refused; and the list itself."""

import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

import mutants
import notebooks

LIST = """\
drawn = {"sums.py" = ["test_sums.py"]}
harmless = []
fault = [
    {file = "sums.py", old = "a + b", new = "a - b", why = "sign", tests = ["test_sums.py"]},
    {file = "sums.py", old = "2 *", new = "3 *", why = "factor", tests = ["test_sums.py::test"]},
    {file = "sums.py", old = "2 *", new = "4 *", why = "wrong", tests = ["test_wrong.py"]},
    {file = "sums.py", old = "a * b", new = "a - b", why = "gone", tests = ["test_sums.py"]},
    {file = "lesson.py", old = "1 +", new = "1 -", why = "sign"},
]
"""
FILES = {
    "sums.py": "def add(a, b):\n    return a + b\n\n\ndef twice(a):\n    return 2 * a\n",
    "test_sums.py": "import os, sums\ndef test():\n    open(os.environ['LOG'], 'a').write('.')\n"
    "    assert os.environ['PYTHONPATH'].startswith(os.getcwd())\n"
    "    assert sums.add(1, 2) == 3\n",
    "test_wrong.py": "def test():\n    assert 0, 'oh'\n",
    "lesson.py": "assert 1 + 1 == 2\n",
    "tests/mutants.toml": LIST,
    "tools/notebooks.py": "read_source, package_hash = '{}.py'.format, bool\n"
    "def execute(path): exec(open(path).read())\n",
    "pyproject.toml": "[tool.pytest.ini_options]\npythonpath = ['tools']\n",
}
WHY = {
    "factor": "survived",
    "wrong": "something is wrong without any fault, too",
    "gone": "the old text has to be there exactly once",
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A checkout of one module, its tests, a lesson, and a list of faults."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    shutil.copy(mutants.__file__, tmp_path / "tools")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    return tmp_path


def run(project):
    """What the command says."""
    words = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "tools/mutants.py"]
    env = os.environ | {"LOG": str(project / "log"), "CI": "true"}
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # for speed
    return subprocess.run(words, cwd=project, env=env, capture_output=True, text=True).stdout


def test_what_is_caught_is_kept_and_what_survives_is_listed(project):
    said = run(project)
    assert "[sums.py: sign] PASSED" in said and "[lesson.py: sign] PASSED" in said
    for name, why in WHY.items():
        assert f"[sums.py: {name}] - AssertionError: {why}" in said
    assert (project / "sums.py").read_text() == FILES["sums.py"]
    (project / "log").unlink()
    assert "2 passed" in run(project)
    assert (project / "log").read_text() == "..", "only the survivor was tried again"


def test_faults_that_cosmic_ray_makes_are_drawn_by_the_seed(project, monkeypatch):
    def drawn(seed):
        for name, value in {"DRAWN": "2", "ONLY": "sums", "SEED": seed}.items():
            monkeypatch.setenv(name, value)
        chosen = []
        test = SimpleNamespace(parametrize=lambda _, faults, ids: chosen.extend(faults))
        mutants.pytest_generate_tests(test)
        return [fault["why"] for fault in chosen]

    (first, _) = drawn("1")
    assert first in drawn("1") != drawn("2")
    before, after = first.split(", ", 1)[1].split("  ->  ")
    assert before in FILES["sums.py"]
    entry = f"harmless = [{{file = 'sums.py', old = '{before}', new = '{after}'}}]"
    (project / "tests/mutants.toml").write_text(LIST.replace("harmless = []", entry))
    assert first not in drawn("1")


def test_the_list_fits_the_course():
    faults = mutants.read_list()["fault"]
    for fault in faults:
        assert (mutants.ROOT / fault["file"]).read_text("utf-8").count(fault["old"]) == 1, fault
        names = [test.split("::")[0] for test in fault.get("tests", ())]
        # A fault in a lesson has no tests of its own: the lesson is what must fail.
        assert all(name.startswith("tests/") for name in names), fault
        assert all((mutants.ROOT / name).exists() for name in names), fault
    files = [fault["file"] for fault in faults]
    few = {n for n in notebooks.lessons() if files.count(f"notebooks/source/{n}.py") < 2}
    assert few == {"index"}, "every lesson has at least two faults in tests/mutants.toml"
