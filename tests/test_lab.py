"""The start of JupyterLab: whose notebooks it opens, and in which environment."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import lab

FILES = {
    "notebooks/flows.ipynb": "lesson",
    "notebooks/figures/flows.png": "figure",
    "notebooks/tables/resnet.json": "table",
    "notebooks/source/flows.py": "source",
    "docs/lecturers.md": "page",
    "data/README.md": "datasheet",
    "data/registry.toml": '[here]\nfile = "here.csv"\n[missing]\nfile = "missing.csv"\n',
    "data/here.csv": "table of somebody else",
}


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Start the lab in an installation that cannot be changed; return what would be executed."""
    for name, text in FILES.items():
        path = tmp_path / "course" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o444)
    started = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("COURSE_DATA", raising=False)
    monkeypatch.setattr(lab, "ROOT", tmp_path / "course")
    monkeypatch.setattr(lab.os, "access", lambda path, mode: False)
    monkeypatch.setattr(lab.os, "execve", lambda *call: started.append(call))
    monkeypatch.setattr(sys, "argv", ["lab.py", "--no-browser"])

    def call():
        lab.main()
        return started.pop()

    return call


def test_in_a_shared_installation_everybody_works_at_home(start, tmp_path, capsys):
    _, command, environment = start()
    desk = tmp_path / "home" / "bayesian-deep-learning"
    assert f"Your work is kept in {desk} " in capsys.readouterr().out
    copied = {name for name in FILES if not name.endswith((".py", ".toml"))}
    assert {str(p.relative_to(desk)) for p in desk.glob("**/*") if p.is_file()} == copied
    assert all((desk / name).read_text() == FILES[name] for name in copied)
    assert (desk / "notebooks/flows.ipynb").stat().st_mode & 0o200  # though the first is not
    assert f"--ServerApp.root_dir={desk}" in command and command[-1] == "--no-browser"
    assert Path.cwd() == desk
    (Path(environment["COURSE_DATA"]) / "missing.csv").write_text("a download")
    assert not (tmp_path / "course/data/missing.csv").exists()


def test_what_is_there_is_never_overwritten(start, tmp_path):
    start()
    desk = tmp_path / "home" / "bayesian-deep-learning"
    (desk / "notebooks/flows.ipynb").write_text("my work")
    (desk / "notebooks/figures/flows.png").unlink()
    start()
    assert (desk / "notebooks/flows.ipynb").read_text() == "my work"
    assert (desk / "notebooks/figures/flows.png").read_text() == "figure"


def test_a_home_that_cannot_be_written_is_answered_with_a_sentence(start, tmp_path):
    (tmp_path / "home").write_text("a file")
    with pytest.raises(SystemExit, match="your own copies cannot be kept in"):
        start()


def test_in_a_clone_of_one_s_own_nothing_is_copied(start, tmp_path, monkeypatch):
    monkeypatch.setattr(lab.os, "access", lambda path, mode: True)
    _, command, environment = start()
    assert f"--ServerApp.root_dir={tmp_path / 'course'}" in command
    assert "COURSE_DATA" not in environment
    assert not (tmp_path / "home").exists()


def test_the_environment_is_the_course_s_but_for_the_network(monkeypatch):
    for name in (*lab.DROPPED, "HTTPS_PROXY", "COURSE_DATA", "KERAS_BACKEND"):
        monkeypatch.setenv(name, "theirs")
    environment = lab.environment(Path("desk"))
    assert not environment.keys() & set(lab.DROPPED)
    assert environment["HTTPS_PROXY"] == environment["COURSE_DATA"] == "theirs"
    assert environment["KERAS_BACKEND"] == "tensorflow"
    assert environment["PYTHONNOUSERSITE"] == "1"


def test_a_kernel_of_the_same_name_in_the_home_is_not_taken(tmp_path, monkeypatch):
    spec = {"argv": ["/bin/false"], "display_name": "Theirs", "language": "python"}
    for place in ("data", "path"):
        folder = tmp_path / place / "kernels" / "python3"
        folder.mkdir(parents=True)
        (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))  # stands for that of the home
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "path"))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")  # as where .venv belongs to another user
    command = [sys.executable, "-m", "jupyter", "kernelspec", "list", "--json"]
    for env, found in ((os.environ, "Theirs"), (lab.environment(lab.ROOT), "Python 3 (ipykernel)")):
        listed = json.loads(subprocess.check_output(command, env=env))["kernelspecs"]
        assert listed["python3"]["spec"]["display_name"] == found
