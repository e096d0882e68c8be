"""Binder and conda install the same lock: repo2docker's dry run, and postBuild for real."""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
FILES = ("pyproject.toml", "requirements.lock", "environment.yml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def course():
    """A copy of what an installation needs; deleted afterwards, since it will hold gigabytes."""
    scratch = Path(tempfile.mkdtemp(prefix="course-", dir="/var/tmp"))  # /tmp may lie in memory
    folder = scratch / "course"
    for name in ("binder", "course_utils"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (*FILES, "LICENSE-TEXT"):
        shutil.copy(ROOT / name, folder)
    yield folder
    shutil.rmtree(scratch)


def environment(**extra: str) -> dict[str, str]:
    """Return this process's environment without what would steer another Python."""
    return {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | extra


def dependencies(name: str) -> list:
    return yaml.safe_load((ROOT / name).read_text())["dependencies"]


@pytest.mark.parametrize("name", ["environment.yml", "binder/environment.yml"])
def test_python_of_the_environment(name):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    python, pip = dependencies(name)[:2]
    version = python.removeprefix("python=")
    assert version in SpecifierSet(project["requires-python"])
    assert python == dependencies("binder/environment.yml")[0], "one Python for conda and Binder"
    assert pip == "pip"


def test_conda_installs_the_lock(course):
    """pip reads the section as conda hands it over: from a file beside environment.yml."""
    (section,) = [entry for entry in dependencies("environment.yml") if isinstance(entry, dict)]
    assert section == {"pip": ["-c requirements.lock", "-e ."]}
    (course / "conda.requirements.txt").write_text("\n".join(section["pip"]))
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps"]
    command += ["--no-build-isolation", "--no-index", "-r", "conda.requirements.txt"]
    result = subprocess.run(
        command, cwd=course, env=environment(), capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stderr
    assert "Would install bayesian-deep-learning-course" in result.stdout


def test_dry_run_of_repo2docker(course):
    """No container engine is needed, nor asked: the address given here is nobody's."""
    result = subprocess.run(
        [sys.executable, "-m", "repo2docker", "--no-build", "--debug", str(course)],
        cwd=course.parent,
        env=environment(DOCKER_HOST="tcp://127.0.0.1:9"),
        capture_output=True,
        text=True,
        timeout=120,
    )
    log = result.stdout + result.stderr
    assert result.returncode == 0, log
    python = dependencies("binder/environment.yml")[0].removeprefix("python=")
    assert f"Building conda environment for python={python}\n" in log
    steps = [
        'env update -p ${NB_PYTHON_PREFIX} --file "binder/environment.yml"',
        "src/ ${REPO_DIR}/\n",
        "RUN ./binder/postBuild\n",
        'ENV R2D_ENTRYPOINT="${REPO_DIR}/binder/start"\n',
    ]
    places = [log.find(step) for step in steps]
    assert -1 not in places, log
    assert places == sorted(places)


def test_start_caps_threads_and_becomes_its_command():
    code = "import os, sys; print(os.getppid(), sys.argv[1]); print(dict(os.environ)); sys.exit(5)"
    result = subprocess.run(
        [ROOT / "binder/start", sys.executable, "-c", code, "two words"],
        env=environment(OMP_NUM_THREADS="64"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    first, variables = result.stdout.splitlines()
    assert result.returncode == 5
    assert first == f"{os.getpid()} two words"
    for name in ("OMP", "OPENBLAS", "MKL", "TF_INTRAOP", "TF_INTEROP"):
        library, _, kind = name.partition("_")
        variable = f"{library}_NUM_{kind}_THREADS" if kind else f"{name}_NUM_THREADS"
        assert f"'{variable}': '1'" in variables


@pytest.mark.parametrize("name", ["postBuild", "start"])
def test_scripts_stop_at_the_first_error(name):
    path = ROOT / "binder" / name
    lines = path.read_text().splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert "set -euo pipefail" in lines
    assert os.access(path, os.X_OK)


def test_post_build_installs_the_lock(course):
    """In a clean environment, for real: about 90 s, and skipped without a package index."""
    subprocess.run([sys.executable, "-m", "venv", "venv"], cwd=course, check=True)
    python = course / "venv/bin/python"
    probe = [python, "-m", "pip", "download", "--no-deps", "--retries", "1", "--timeout", "10"]
    if subprocess.run([*probe, "setuptools"], cwd=course, capture_output=True).returncode != 0:
        pytest.skip("the package index cannot be reached")
    result = subprocess.run(
        [course / "binder/postBuild"],
        cwd=course,
        env=environment(PATH=f"{python.parent}:{os.environ['PATH']}", PIP_NO_CACHE_DIR=""),
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]

    def ask(*words: str) -> str:
        command = [str(python), *words]
        return subprocess.run(
            command, cwd=course, env=environment(), check=True, capture_output=True, text=True
        ).stdout

    pins = {}
    for line in (course / "requirements.lock").read_text().splitlines():
        if "==" in line:
            requirement = Requirement(line)
            pins.setdefault(requirement.name, []).append(str(requirement.specifier))
    frozen = ask("-m", "pip", "freeze", "--exclude-editable").splitlines()
    installed = dict(line.split("==") for line in frozen)
    assert {"tensorflow", "jupyterlab", "ipywidgets"} <= installed.keys()
    for name, version in installed.items():
        assert f"=={version}" in pins[canonicalize_name(name)], name
    assert "jupytext" not in installed, "students get no contributors' tools"
    ask("-m", "pip", "check")
    assert ask("-m", "jupyterlab", "--version").strip() == installed["jupyterlab"]
    where = ask("-c", "import course_utils; print(course_utils.__file__)")
    assert Path(where.strip()).is_relative_to(course)
