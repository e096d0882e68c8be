"""pyproject.toml, the lock, the Makefile, conda's and Binder's files say the same."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from itertools import chain

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import install

ROOT = install.ROOT
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()


def test_every_place_names_the_pythons_of_pyproject():
    supported = SpecifierSet(PROJECT["requires-python"])
    minors = [minor for minor in range(30) if f"3.{minor}" in supported]
    assert [(3, minors[0]), (3, minors[-1])] == [install.OLDEST, install.NEWEST]
    makefile = (ROOT / "Makefile").read_text()
    assert f"(3, {minors[0]}) <= sys.version_info < (3, {minors[-1] + 1})" in makefile
    assert " ".join(f"python3.{minor}" for minor in reversed(minors)) in makefile
    assert f"--python-version 3.{minors[0]}" in makefile


def make(folder, *words, **extra):
    command = [shutil.which("make"), "-f", str(ROOT / "Makefile"), *words]
    env = {
        k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS", "PYTHON"))
    } | extra
    result = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    return result.stdout + result.stderr


def test_make_takes_a_python_that_fits(tmp_path):
    assert "Python is missing: install Python 3.11, " in make(tmp_path, "lab", PATH=str(tmp_path))
    for name, code in [("python3", 1), ("python3.12", 0)]:
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {code}\n")
        (tmp_path / name).chmod(0o755)
    said = make(tmp_path, "-n", "lab", PATH=str(tmp_path))
    assert said.startswith("python3.12 tools/install.py lab\n")


def test_make_lists_its_commands_and_clean_keeps_downloads(tmp_path):
    phony = re.search(r"\.PHONY:((?:.*\\\n)*.*)", (ROOT / "Makefile").read_text())[1]
    listed = {line.split()[1] for line in make(tmp_path).splitlines()}
    assert listed == {*phony.replace("\\", "").split()}
    for name in (".venv", "data/wine.csv"):
        (tmp_path / name).mkdir(parents=True)
    make(tmp_path, "clean")
    assert not (tmp_path / ".venv").exists() and (tmp_path / "data/wine.csv").exists()


def test_the_lock_pins_every_dependency_within_its_range():
    pins = re.findall("^([^ =]+)==([^ ;\n]+)", LOCK, re.MULTILINE)
    extras = PROJECT["optional-dependencies"].values()
    for requirement in map(Requirement, chain(PROJECT["dependencies"], *extras)):
        versions = [version for name, version in pins if name == requirement.name]
        assert versions, f"make lock: {requirement.name} is not in the lock"
        assert all(version in requirement.specifier for version in versions), "make lock"
    assert "://" not in LOCK, "an index address or a file of one machine"


def test_lines_end_in_lf_and_data_stay_as_they_are():
    names = ["binder/start", "notebooks/x.ipynb", "notebooks/figures/x.png", "data/x.csv"]
    said = subprocess.check_output(["git", "check-attr", "text", *names], cwd=ROOT, text=True)
    assert [line.split()[-1] for line in said.splitlines()] == ["auto", "auto", "unset", "unset"]


def test_conda_and_binder_have_one_python_and_the_lock():
    texts = [(ROOT / name).read_text() for name in ("environment.yml", "binder/environment.yml")]
    (minor,) = {re.search(r"- python=3\.(\d+)\n  - pip\b", text)[1] for text in texts}
    assert install.OLDEST <= (3, int(minor)) <= install.NEWEST
    assert texts[0].endswith("  - pip:\n      - -c requirements.lock\n      - -e .\n")


def test_start_caps_threads_and_becomes_its_command():
    code = "import os, sys; print(os.getppid(), *map(os.environ.get, sys.argv[1:])); sys.exit(5)"
    names = [f"{library}_NUM_THREADS" for library in ("OMP", "OPENBLAS", "MKL")]
    names += ["TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"]
    command = [ROOT / "binder/start", sys.executable, "-c", code, *names]
    env = os.environ | {"OMP_NUM_THREADS": "64"}
    result = subprocess.run(command, env=env, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (5, f"{os.getpid()} 1 1 1 1 1\n")
