"""The wheel, without the repository and without a network: it has all that a lesson needs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import notebooks
from mutants import copy_checkout

EMBEDDED = {"data": "embedded/data", "notebooks/tables": "embedded/notebooks/tables"}
BEFORE = """\
import socket

def refuse(*_):
    raise OSError("there is no network here")

socket.socket.connect = socket.getaddrinfo = refuse
"""
AFTER = """
import os
import sys
from pathlib import Path

import pytest

from course_utils import data, download, explorers

assert len(data.load_wine_quality("white").x) == 4_898
assert len(data.load_german_credit().x) == 1_000
assert len(data.stored_table("resnet")) == 5
explorers.signal()
home = os.environ["HOME"] = os.environ["XDG_CACHE_HOME"] = os.getcwd()
with pytest.raises(download.DataError, match=f"no network.* into {home}.* by hand"):
    data.load_mnist()
ours = {name: module for name, module in sys.modules.items() if "course_utils" in name}
elsewhere = [n for n, m in ours.items() if not m.__file__.startswith(os.environ["PYTHONPATH"])]
assert not elsewhere, elsewhere
print(len(ours), "modules of the wheel")
"""


def run(*words: str | Path, folder: Path, **variables: str) -> str:
    """Run this Python in a folder, away from the repository; return what it says."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("COURSE_", "PIP_", "PYTHON"))}
    env |= {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"} | variables
    command = [sys.executable, *words]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the repository, for what a build leaves behind."""
    folder = tmp_path_factory.mktemp("copy")
    copy_checkout(folder)
    return folder


@pytest.fixture(scope="module")
def installed(copy, tmp_path_factory):
    """A folder with what the wheel holds."""
    wheels, target = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("installed")
    build = ("wheel", ".", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels)
    run("-m", "pip", *build, folder=copy)
    (wheel,) = wheels.iterdir()
    install = ("install", "--no-deps", "--no-index", "--no-compile", "--target", target, wheel)
    run("-m", "pip", *install, folder=wheels)
    return target


def files(folder: Path) -> set[str]:
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix() for path in found if path.suffix != ".pyc"}


def test_it_holds_the_package_the_data_and_the_tables(copy, installed):
    expected = files(copy / "course_utils")
    for outside, inside in EMBEDDED.items():
        expected |= {f"{inside}/{name}" for name in files(copy / outside)}
    assert files(installed / "course_utils") == expected


def test_a_lesson_runs_with_it_alone(installed, tmp_path):
    """In an empty folder: the first two sections, then what other lessons read."""
    cells = notebooks.read_source("neural_networks").cells
    end = next(i for i, cell in enumerate(cells) if re.search(r"(?m)^## 3\.", cell.source))
    code = [cell.source for cell in cells[:end] if cell.cell_type == "code"]
    script, empty = tmp_path / "lesson.py", tmp_path / "empty"
    script.write_text("\n".join([BEFORE, *code, AFTER]), encoding="utf-8")
    empty.mkdir()
    said = run(script, folder=empty, PYTHONPATH=str(installed), MPLBACKEND="agg")
    assert "modules of the wheel" in said
