"""The two commands: which Python they choose, what they install, and how they say what is wrong."""

import ast
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
UNREACHABLE = {
    "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_RETRIES": "1",
    "PIP_NO_CACHE_DIR": "1",
}
RETRY = (
    "WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError': /simple/x/"
)


def environment(**extra: str) -> dict[str, str]:
    """Return this process's environment without the settings that would reach pip or make."""
    ours = ("PIP_", "UV_", "MAKE", "COURSE_", "PYTHON")
    return {k: v for k, v in os.environ.items() if not k.startswith(ours) and k != "MFLAGS"} | extra


def run(*command: str | Path, cwd: Path, **extra: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment(**extra),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        # Whoever runs the tests in the background hands down an ignored Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def script(path: Path, *lines: str) -> Path:
    """Write an executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


def patched(patch: str, *words: str) -> list[str]:
    """Return the command that runs a Python file, as this Python does, after a line of code."""
    code = f"import os, runpy, sys; {patch}; sys.argv = sys.argv[1:]; "
    return [sys.executable, "-c", code + "runpy.run_path(sys.argv[0], run_name='__main__')", *words]


def old_python(path: Path) -> None:
    """Write a command that is this Python and calls itself 3.9, for a file or for `-c code`."""
    old = "sys.version_info = (3, 9, 0, 'final', 0)"
    script(
        path,
        f'[ "$1" = -c ] && exec "{sys.executable}" -c "import sys; {old}; exec(sys.argv[1])" "$2"',
        'exec {} "$@"'.format(" ".join(f'"{word}"' for word in patched(old))),
    )


def one_line(result: subprocess.CompletedProcess) -> str:
    """Return the one line on stderr of a command that failed without a traceback."""
    lines = result.stderr.strip().splitlines()
    assert result.returncode != 0
    assert len(lines) == 1, result.stderr
    return lines[0]


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A copy of what an installation needs, in a folder whose name has a space."""
    folder = tmp_path / "my course"
    for name in ("tools", "course_utils", ".ci"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "README.md"):
        shutil.copy(ROOT / name, folder)
    for path in ROOT.glob("LICENSE*"):
        shutil.copy(path, folder)
    return folder


class FakeVenv:
    """A .venv whose Python notes its calls, and whose pip prints and returns what it is told."""

    def __init__(self, course: Path, version: str = "{}.{}".format(*sys.version_info)):
        self.course, self.log = course, course / "calls.txt"
        self.stamp = course / ".venv" / "installed.txt"
        self.answer()
        self.says(version)

    def says(self, version: str) -> None:
        script(
            self.course / ".venv/bin/python",
            'echo "$@" >> calls.txt',
            f'[ "$1" = -c ] && echo {version} && exit',
            "exec ./pip",
        )

    def answer(self, *output: str, code: int = 0, then: str = ":") -> None:
        (self.course / "output.txt").write_text("\n".join([*output, ""]))
        script(self.course / "pip", "cat output.txt", then, f"exit {code}")

    def calls(self) -> list[str]:
        """Return the calls of pip since the last time that somebody asked."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [line for line in lines if line.startswith("-m pip")]

    def install(self, kind: str = "lab") -> subprocess.CompletedProcess:
        return run(sys.executable, "tools/install.py", kind, cwd=self.course)


@pytest.fixture
def venv(course: Path) -> FakeVenv:
    return FakeVenv(course)


# --- which Python -------------------------------------------------------------------------------


def test_every_place_names_the_pythons_of_pyproject():
    supported = SpecifierSet(PROJECT["requires-python"])
    minors = [minor for minor in range(6, 30) if f"3.{minor}" in supported]
    source = (ROOT / "tools/install.py").read_text()
    assert f"OLDEST, NEWEST = (3, {minors[0]}), (3, {minors[-1]})" in source
    makefile = (ROOT / "Makefile").read_text()
    assert f"(3, {minors[0]}) <= sys.version_info < (3, {minors[-1] + 1})" in makefile
    names = " or ".join(f"{', '.join(f'3.{m}' for m in minors)}".rsplit(", ", 1))
    assert f"the course needs Python {names}" in source
    assert f"install Python {names}" in makefile
    assert " ".join(f"python3.{m}" for m in reversed(minors)) in makefile
    assert f"--python-version 3.{minors[0]}" in makefile


@pytest.mark.parametrize("minor, word", [(6, "old"), (10, "old"), (14, "new")])
def test_unsupported_python(course, minor, word):
    command = patched(f"sys.version_info = (3, {minor}, 0, 'final', 0)", "tools/install.py")
    line = one_line(run(*command, cwd=course))
    assert f"Python 3.{minor} is too {word}" in line
    assert "3.11, 3.12 or 3.13" in line
    assert not (course / ".venv").exists()


def test_an_old_python_can_read_the_installer():
    """Annotations are evaluated there, so there are none; Python 3.6 lacks no other word."""
    tree = ast.parse((ROOT / "tools/install.py").read_text(), feature_version=(3, 7))
    for node in ast.walk(tree):
        assert not isinstance(node, ast.AnnAssign)
        assert not (isinstance(node, ast.ImportFrom) and node.module == "__future__")
        if isinstance(node, ast.FunctionDef):
            assert node.returns is None
            assert all(argument.annotation is None for argument in node.args.args)


def test_make_says_that_python_is_missing(course, tmp_path):
    (tmp_path / "bin").mkdir()
    make = shutil.which("make")
    result = run(make, "lab", cwd=course, PATH=str(tmp_path / "bin"))
    assert "Python is missing: install Python 3.11, 3.12 or 3.13" in one_line(result)


def test_make_skips_a_python_that_is_too_old(course, tmp_path):
    old_python(tmp_path / "bin/python3")
    script(tmp_path / "bin/python3.12", f'exec "{sys.executable}" "$@"')
    result = run(shutil.which("make"), "-n", "lab", cwd=course, PATH=str(tmp_path / "bin"))
    assert result.stdout.splitlines()[0] == "python3.12 tools/install.py lab"


def test_make_with_an_old_python_alone(course, tmp_path):
    old_python(tmp_path / "bin/python3")
    result = run(shutil.which("make"), "lab", cwd=course, PATH=str(tmp_path / "bin"))
    assert result.returncode != 0
    assert result.stderr.startswith("Python 3.9 is too old")


# --- making .venv -------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_missing_venv_module_names_the_package(course, module):
    command = patched(f"sys.modules['{module}'] = None", "tools/install.py")
    package = "python{}.{}-venv".format(*sys.version_info)
    assert f"sudo apt install {package}" in one_line(run(*command, cwd=course))


def test_no_network(course):
    """For real: an interrupted .venv is made anew, and pip finds nobody at the index's address."""
    (course / ".venv").mkdir()
    (course / ".venv/installed.txt").write_text("unfinished")
    (course / ".venv/leftover").touch()
    result = run(sys.executable, "tools/install.py", cwd=course, **UNREACHABLE)
    line = one_line(result)
    assert "index could not be reached" in line
    assert "when online" in line
    assert not (course / ".venv/leftover").exists()
    assert (course / ".venv/pip.log").stat().st_size > 0


def test_an_unwritable_place(course):
    (course / ".venv").write_text("not a folder")
    assert "Could not make" in one_line(run(sys.executable, "tools/install.py", cwd=course))


@pytest.mark.parametrize(
    "state", ["whole", "unfinished", "python gone", "without pip", "old python"]
)
def test_only_a_broken_venv_is_made_anew(venv, state, monkeypatch):
    spec = importlib.util.spec_from_file_location("install_copy", venv.course / "tools/install.py")
    install = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(install)
    made = []
    monkeypatch.setattr(install, "make_venv", lambda: made.append(FakeVenv(venv.course)))
    monkeypatch.setattr(sys, "argv", ["install.py"])
    monkeypatch.chdir(venv.course)
    python = venv.course / ".venv/bin/python"
    if state == "unfinished":
        venv.stamp.write_text("unfinished")
    elif state == "python gone":
        python.unlink()
        python.symlink_to("/nowhere/python3")
    elif state == "without pip":
        run(sys.executable, "-m", "venv", "--clear", "--without-pip", ".venv", cwd=venv.course)
    elif state == "old python":
        venv.says("3.10")
    install.main()
    assert len(made) == (state != "whole")
    assert venv.stamp.read_text().endswith(" lab")


def test_another_python_than_that_of_the_venv_is_told(course):
    other = "3.12" if sys.version_info[:2] != (3, 12) else "3.13"
    result = FakeVenv(course, version=other).install()
    assert result.returncode == 0
    assert f".venv has Python {other}: `make clean` first" in result.stdout


# --- pip ----------------------------------------------------------------------------------------


def test_pip_is_given_the_lock_and_called_once(venv):
    assert venv.install().returncode == 0
    (call,) = venv.calls()
    assert call.endswith("-c requirements.lock -e .")
    start = time.perf_counter()
    assert venv.install().stdout == ""
    assert time.perf_counter() - start < 1
    assert venv.calls() == []


def test_contributors_tools(venv):
    venv.install("lab")
    venv.calls()
    venv.install("test")
    (call,) = venv.calls()
    assert call.endswith("-e .[dev]")
    venv.install("lab")
    assert venv.calls() == [], "an installation for tests serves students too"


@pytest.mark.parametrize("name", ["pyproject.toml", "requirements.lock"])
def test_a_changed_file_installs_again(venv, name):
    venv.install()
    venv.calls()
    with (venv.course / name).open("a") as file:
        file.write("# changed\n")
    venv.install()
    assert len(venv.calls()) == 1
    venv.install()
    assert venv.calls() == []


def test_a_moved_folder_installs_again(venv, tmp_path):
    venv.install()
    shutil.move(venv.course, tmp_path / "elsewhere")
    moved = tmp_path / "elsewhere"
    (moved / "calls.txt").unlink()
    run(sys.executable, "tools/install.py", cwd=moved)
    assert "-m pip" in (moved / "calls.txt").read_text()


@pytest.mark.parametrize(
    "output",
    [
        [RETRY, "ERROR: No matching distribution found for setuptools>=77"],
        ["  x.ReadTimeoutError: HTTPSConnectionPool(host='y', port=443): Read timed out."],
        [RETRY.replace("NewConnectionError", "NameResolutionError"), "ERROR: no x"],
    ],
)
def test_pip_without_a_network(venv, output):
    venv.answer("Collecting x", *output, code=1)
    assert "index could not be reached" in one_line(venv.install())


@pytest.mark.parametrize(
    "output",
    [
        ["ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"],
        [RETRY, *["Collecting x"] * 30, "ERROR: No matching distribution found for tensorflow"],
        [RETRY.replace("NewConnectionError", "SSLError(CERTIFICATE_VERIFY_FAILED)"), "ERROR: no x"],
    ],
)
def test_other_failures_of_pip_show_the_end_of_its_output(venv, output):
    venv.answer("first line", *["Collecting y"] * 30, *output, code=1)
    result = venv.install()
    lines = result.stderr.splitlines()
    assert result.returncode == 1
    assert lines[-2] == output[-1]
    assert lines[-1].startswith("pip could not install the course")
    assert "pip.log" in lines[-1]
    assert "first line" not in lines
    assert "Traceback" not in result.stderr


def test_a_failure_while_packages_are_written_is_remembered(venv):
    venv.install()
    before = venv.stamp.read_text()
    (venv.course / "requirements.lock").write_text("# new\n")
    venv.answer("Collecting x", RETRY, code=1)
    venv.install()
    assert venv.stamp.read_text() == before, "nothing was written yet: the old packages still work"
    venv.answer("Installing collected packages: x", code=1)
    venv.install()
    assert venv.stamp.read_text() == "unfinished"


def test_control_c(venv):
    venv.answer(then="kill -INT $PPID; sleep 1", code=1)
    assert "Interrupted" in one_line(venv.install())


# --- JupyterLab ---------------------------------------------------------------------------------


@pytest.mark.parametrize("user", [0, 1000])
def test_lab(course, tmp_path, user):
    fake = tmp_path / "fake/jupyterlab"
    fake.mkdir(parents=True)
    (fake / "__init__.py").touch()
    (fake / "__main__.py").write_text(
        "import json, os, sys; print(json.dumps([os.getppid(), os.getcwd(), sys.argv[1:]]))"
    )
    patch = f"os.geteuid = lambda: {user}"
    command = patched(patch, "tools/lab.py", "--no-browser", "--port=8899")
    result = run(*command, cwd=course, PYTHONPATH=str(fake.parent))
    *said, answer = result.stdout.splitlines()
    parent, folder, arguments = json.loads(answer)
    assert parent == os.getpid(), "nothing stands between make and JupyterLab: signals reach it"
    assert Path(folder) == course
    assert f"--ServerApp.root_dir={course}" in arguments
    assert "--LabApp.default_url=/lab/tree/notebooks/index.ipynb" in arguments
    assert arguments[-2:] == ["--no-browser", "--port=8899"]
    assert ("--allow-root" in arguments) == (user == 0)
    assert len(said) == (user == 0)
    assert not any("token" in word or "ip=" in word for word in arguments)


# --- make and .ci/run ---------------------------------------------------------------------------


def make(*words: str) -> str:
    result = run("make", *words, cwd=ROOT, PYTHON="python3")
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_help_is_the_default_and_lists_every_target():
    listed = [line.split()[1] for line in make().splitlines()]
    assert listed == [
        *("help", "lab", "test", "test-browser", "test-binder", "test-seeds", "test-mutants"),
        *("test-latest", "notebooks", "lint", "lock", "bench", "table", "clean"),
    ]


def test_variables_reach_their_commands():
    assert make("-n", "test-binder", "LESSON=flows").endswith("tools/binder.py flows\n")
    assert make("-n", "test-latest", "TEST_ARGS=-x").endswith("tools/latest.py -x\n")
    seeds = make("-n", "test-seeds", "N=3", "FIRST=2001", "LESSON=flows").split("seeds.py")[-1]
    assert seeds.replace("\\\n", " ").split() == ["flows", "--seeds", "3", "--first", "2001"]
    lab = make("-n", "lab", "LAB_ARGS=--no-browser --port=8899").splitlines()
    assert lab[-1].endswith("tools/lab.py --no-browser --port=8899")
    test = make("-n", "test", "SEED=7", "TEST_ARGS=-x tests/test_data.py").splitlines()
    assert test[-1].strip() == "COURSE_SEED=7 .venv/bin/python -m pytest -x tests/test_data.py"
    assert "COURSE_SEED" not in make("-n", "test")
    assert make("-n", "notebooks", "LESSON=flows").endswith("tools/notebooks.py flows\n")
    assert make("-n", "bench", "LESSON=flows").endswith("tools/bench.py flows\n")
    assert "--upgrade" in make("-n", "lock", "UPGRADE=1")
    assert "--upgrade" not in make("-n", "lock")


def test_clean_keeps_downloads(course):
    (course / ".venv").mkdir()
    (course / "data").mkdir()
    (course / "data/wine.csv").touch()
    (course / "course_utils/__pycache__").mkdir()
    assert run("make", "clean", cwd=course).returncode == 0
    assert not (course / ".venv").exists()
    assert not list(course.rglob("__pycache__"))
    assert (course / "data/wine.csv").exists()


@pytest.mark.parametrize("shared", [True, False])
def test_ci_runs_the_tests_from_anywhere_and_stops_at_a_failure(course, tmp_path, shared):
    script(tmp_path / "bin/make", 'echo "$PWD|$*|$CI|${COURSE_DATA-none}"', "exit 3")
    if shared:
        (tmp_path / "shared/data").mkdir(parents=True)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    result = run(course / ".ci/run", cwd=Path("/"), PATH=path)
    folder, words, ci, data = result.stdout.strip().split("|")
    assert result.returncode == 3
    assert (Path(folder), words, ci) == (course, "test", "true")
    assert (Path(data).is_dir() and Path(data).is_absolute()) if shared else data == "none"


def test_ci_goes_on_with_browser_seed_and_faults_that_the_commit_draws(course, tmp_path):
    (course / "notebooks").mkdir()
    for name in ("flows", "index", "optimizers"):
        (course / f"notebooks/{name}.ipynb").touch()
    script(tmp_path / "bin/make", 'echo "make $*"')
    script(tmp_path / "bin/git", "echo 00000b")
    result = run(course / ".ci/run", cwd=Path("/"), PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        "make test",
        "make test-browser",
        "make test SEED=11 TEST_ARGS=notebooks/optimizers.ipynb",
        "make test-mutants N=6 SEED=11",
    ]


# --- the lock -----------------------------------------------------------------------------------


def test_the_lock_pins_every_dependency_within_its_range():
    pins: dict[str, list[str]] = {}
    text = (ROOT / "requirements.lock").read_text()
    for line in text.splitlines():
        if "==" in line and not line.lstrip().startswith("#"):
            name, version = line.split(";")[0].strip().split("==")
            pins.setdefault(name, []).append(version)
    extras = PROJECT["optional-dependencies"].values()
    for requirement in map(Requirement, chain(PROJECT["dependencies"], *extras)):
        assert pins.get(requirement.name), f"make lock: {requirement.name} is not in the lock"
        for version in pins[requirement.name]:
            assert version in requirement.specifier, f"make lock: {requirement} and {version}"
    assert "make lock" in text.splitlines()[1]
    assert "://" not in text, "an index address or a file of one machine"
