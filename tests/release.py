"""Before a release: fresh clones are installed for real. `make test-release`, 3 GB in /var/tmp."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import install
import latest

LOCK = (install.ROOT / "requirements.lock").read_text()


@pytest.fixture
def clone():
    """A clone of the last commit; deleted afterwards, since it will hold gigabytes."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:  # /tmp may lie in memory
        subprocess.run(["git", "clone", "--quiet", install.ROOT, f"{folder}/clone"], check=True)
        yield Path(folder, "clone")


@pytest.mark.parametrize("way", ["make lab LAB_ARGS=--version", "binder/postBuild"])
def test_a_fresh_clone_installs_the_lock(clone, way):
    """As a student does, and as Binder does, into an environment with nothing but pip."""
    env, bin = dict(os.environ), clone / ".venv/bin"
    if way == "binder/postBuild":
        subprocess.run([sys.executable, "-I", "-m", "venv", bin.parent], check=True)
        env["PATH"] = f"{bin}:{env['PATH']}"
    subprocess.run(way.split(), cwd=clone, env=env, check=True, stdin=subprocess.DEVNULL)
    for words in (["-c", f"import {install.MODULES}"], ["-m", "pip", "check"]):
        subprocess.run([bin / "python", "-I", *words], check=True)
    installed = latest.versions(bin / "python")
    assert {"tensorflow", "jupyterlab"} <= installed.keys() and "jupytext" not in installed
    installed.pop("setuptools", None)  # some Pythons put it into every environment
    assert {f"{name}=={version}" for name, version in installed.items()} <= {*LOCK.split()}
    assert (clone / "my_lessons/index.ipynb").is_file()
    assert not subprocess.check_output(["git", "status", "--porcelain"], cwd=clone)


def test_repo2docker_takes_what_is_meant_for_it(clone):
    """A dry run: no container engine is needed, nor asked."""
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", clone]
    env = os.environ | {"DOCKER_HOST": "tcp://127.0.0.1:9"}
    log = subprocess.check_output(command, env=env, text=True, stderr=subprocess.STDOUT)
    steps = [
        "binder/environment.yml",
        " src/ ${REPO_DIR}/",
        "RUN ./binder/postBuild",
        "binder/start",
    ]
    places = [log.rfind(step) for step in steps]
    assert -1 not in places and places == sorted(places)
