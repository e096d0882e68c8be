"""The student's desk: what is copied, replaced and kept, and the JupyterLab that starts there."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from base64 import b64decode
from datetime import date
from pathlib import Path
from unittest.mock import Mock

import filelock
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import desk
import lab
from test_repository import broken_links

NEW = "flows (new 2026-01-31).ipynb"
OUTPUT = new_output("stream", text="2")


def change(course: Path, code: str) -> None:
    """Store an executed lesson with this code, as an update of the course does."""
    text = new_markdown_cell("![moons](figures/flows.png)")
    executed = new_code_cell(code, outputs=[OUTPUT], execution_count=1)
    nbformat.write(new_notebook(cells=[text, executed]), course / "notebooks/flows.ipynb")


def code(path: Path) -> str:
    return nbformat.read(path, as_version=4).cells[1].source


def contents(folder: Path) -> dict[str, bytes]:
    found = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    return {name: path.read_bytes() for name, path in found.items()}


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A small course that a student has; its path is not an easy one."""
    folder = tmp_path / "Kurs für alle"
    for name in ("notebooks/figures", "docs", "data"):
        (folder / name).mkdir(parents=True)
    change(folder, "x = 1")
    nbformat.write(new_notebook(), folder / "notebooks/index.ipynb")
    (folder / "notebooks/.~flows.ipynb").write_text("of an editor")
    (folder / "notebooks/figures/flows.png").write_text("figure")
    (folder / "data/here.csv").write_text("installed")
    (folder / "data/missing.csv.lock").touch()
    monkeypatch.setattr(desk, "ROOT", folder)
    monkeypatch.setattr(desk, "date", Mock(today=lambda: date(2026, 1, 31)))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("COURSE_DATA", raising=False)
    return folder


@pytest.fixture
def flows(course):
    """The copy of a lesson, handed out."""
    desk.lay_out()
    return course / "my_lessons/flows.ipynb"


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Start the lab; return the command and the environment that would be executed."""
    started = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lab.os, "execve", lambda *call: started.append(call))
    monkeypatch.setattr(sys, "argv", ["lab.py", "--no-browser"])
    return lambda: lab.main() or started.pop()[1:]


def test_the_lab_opens_copies_without_results(course, start, capsys):
    before = contents(course)
    command, environment = start()
    assert f"--ServerApp.root_dir={course}" in command and command[-1] == "--no-browser"
    assert "--LabApp.default_url=/lab/tree/my_lessons/index.ipynb" in command
    assert "COURSE_DATA" not in environment
    assert f"are in {course / 'my_lessons'}.\n" in capsys.readouterr().out
    after = contents(course)
    made = after.keys() - before.keys()
    assert made == {"my_lessons/.lock", "my_lessons/index.ipynb", "my_lessons/flows.ipynb"}
    assert before == {name: after[name] for name in before}
    text, executed = nbformat.read(course / "my_lessons/flows.ipynb", as_version=4).cells
    assert (executed.source, executed.outputs, executed.execution_count) == ("x = 1", [], None)
    assert text.source == "![moons](attachment:flows.png)"
    assert b64decode(text.attachments["flows.png"]["image/png"]) == b"figure"


def test_what_a_lesson_links_to_or_reads_is_found_from_its_copy(tmp_path, monkeypatch):
    for name in ("notebooks", "docs", "data"):
        (tmp_path / name).symlink_to(desk.ROOT / name)
    monkeypatch.setattr(desk, "ROOT", tmp_path)
    desk.lay_out()
    for copy in (tmp_path / "my_lessons").glob("*.ipynb"):
        assert broken_links(copy) == [], copy
        cells = nbformat.read(copy, as_version=4).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        for word in re.findall(r"""["']([\w./-]+)["']""", text):
            is_read = (tmp_path / "notebooks" / word).is_file()
            assert not is_read or (copy.parent / word).is_file(), f"{copy.name} reads {word}"


def test_a_run_is_kept_until_the_lesson_changes(course, flows, capsys):
    notebook = nbformat.read(flows, as_version=4)
    notebook.cells[1] |= {"execution_count": 4, "outputs": [OUTPUT]}
    notebook.cells.append(new_code_cell(""))  # as Shift+Enter does in the last one
    notebook.metadata["language_info"] = {"name": "python", "version": "3.12.1"}
    nbformat.write(notebook, flows)
    ran = flows.read_bytes()
    desk.lay_out()
    assert flows.read_bytes() == ran
    capsys.readouterr()
    change(course, "x = 7")
    desk.lay_out()
    assert code(flows) == "x = 7" and b'"outputs": []' in flows.read_bytes()
    assert "flows.ipynb: the lesson has changed. You had not" in capsys.readouterr().out
    assert sorted(p.name for p in flows.parent.glob("*.ipynb")) == ["flows.ipynb", "index.ipynb"]


@pytest.mark.parametrize(
    "work",
    [
        lambda copy: copy.replace("![moons]", "my note"),
        lambda copy: copy.replace('"cell_type": "code"', '"cell_type": "raw"'),
        lambda copy: copy.replace("handed_out", "forgotten"),
        lambda copy: copy[:200],
        lambda copy: "{}",
    ],
)
def test_work_is_kept_and_the_new_lesson_put_beside_it(course, flows, capsys, work):
    mine = work(flows.read_text())
    flows.write_text(mine)
    change(course, "x = 7")
    for _ in range(2):
        desk.lay_out()
        assert flows.read_text() == mine
    assert code(flows.with_name(NEW)) == "x = 7"
    assert capsys.readouterr().out.count(f"the new one is '{NEW}'") == 1
    assert len([*flows.parent.glob("flows*")]) == 2


def work(copy: Path) -> None:
    copy.write_text(copy.read_text().replace("x = ", "x = my_answer + "))


def test_of_new_lessons_one_is_kept_and_all_that_is_a_student_s_own(course, flows):
    old = flows.with_name("flows (new 2026-01-02).ipynb")
    own = ["flows-Copy1.ipynb", "flows (new idea).ipynb", "flows.png", "flows.ipynb.bak"]
    for name in [old.name, *own]:
        shutil.copy(flows, flows.parent / name)
    work(flows)
    change(course, "x = 7")
    desk.lay_out()
    beside = flows.with_name(NEW)
    assert not old.exists() and code(beside) == "x = 7"
    work(beside)
    mine = contents(flows.parent)
    assert mine.keys() > {*own, NEW}
    change(course, "x = 8")
    desk.lay_out()
    second = NEW.replace(")", ", 2)")
    assert code(flows.with_name(second)) == "x = 8"
    after = contents(flows.parent)
    assert after == mine | {second: after[second]}
    flows.unlink()
    desk.lay_out()
    assert code(flows) == "x = 8", "what is deleted comes again"


def test_a_lesson_that_a_merge_left_unreadable_stops_no_other(course, capsys):
    (course / "notebooks/flows.ipynb").write_text("<<<<<<< HEAD")
    desk.lay_out()
    assert "flows.ipynb cannot be read" in capsys.readouterr().out
    assert [p.name for p in (course / "my_lessons").glob("*.ipynb")] == ["index.ipynb"]


def test_a_full_disk_or_a_home_that_is_none_leaves_what_was_there(course, flows, monkeypatch):
    def half(notebook, path):
        path.write_text("{")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    change(course, "x = 7")
    before = contents(course)
    monkeypatch.setattr(desk.nbformat, "write", half)
    with pytest.raises(SystemExit, match=r"my_lessons: .*No space left on device\. Make room"):
        desk.lay_out()
    assert contents(course) == before
    monkeypatch.setattr(desk.os, "access", lambda path, mode: False)
    monkeypatch.setenv("HOME", str(course / "data/here.csv"))
    with pytest.raises(SystemExit, match="name another home: HOME="):
        desk.lay_out()


def test_two_terminals_take_turns_where_the_disk_has_locks(course, monkeypatch):
    def put(notebook, target):
        with pytest.raises(filelock.Timeout):
            filelock.FileLock(target.with_name(".lock")).acquire(timeout=0)

    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    with monkeypatch.context() as patch:
        patch.setattr(desk, "put", put)
        desk.lay_out()
    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    desk.lay_out()
    assert (course / "my_lessons/flows.ipynb").exists()


@pytest.mark.parametrize("closed", ["", "my_lessons"])
def test_who_may_not_write_works_at_home(course, start, tmp_path, capsys, monkeypatch, closed):
    (course / closed).mkdir(exist_ok=True)
    monkeypatch.setattr(desk.os, "access", lambda path, mode: path != course / closed)
    before = contents(course)
    home = tmp_path / "home/bayesian-deep-learning"
    (home / "data").mkdir(parents=True)
    (home / "docs").symlink_to(tmp_path / "where the course was")
    (home / "data/here.csv").write_text("my own")
    for _ in range(2):
        command, environment = start()
    assert f"are in {home / 'my_lessons'}, since you may not write" in capsys.readouterr().out
    assert f"--ServerApp.root_dir={home}" in command and Path.cwd() == home
    assert (home / "docs").resolve() == course / "docs"
    assert contents(home / "data") == {"here.csv": b"my own"}
    (Path(environment["COURSE_DATA"]) / "missing.csv").write_text("a download")
    assert contents(course) == before


def test_of_the_user_s_environment_only_the_way_to_the_network_counts(tmp_path, monkeypatch):
    for name in (*lab.DROPPED, "HTTPS_PROXY", "COURSE_DATA", "KERAS_BACKEND"):
        monkeypatch.setenv(name, "theirs")
    spec = {"argv": ["/bin/false"], "display_name": "Theirs", "language": "python"}
    folder = tmp_path / "kernels" / "python3"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps(spec))
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_PATH"):  # the first one stands for the home
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")  # as where .venv belongs to another user
    environment = lab.environment(Path("desk"))
    assert not environment.keys() & set(lab.DROPPED)
    assert environment["HTTPS_PROXY"] == environment["COURSE_DATA"] == "theirs"
    assert environment["KERAS_BACKEND"] == "tensorflow"
    assert environment["PYTHONNOUSERSITE"] == "1"
    command = [sys.executable, "-m", "jupyter", "kernelspec", "list", "--json"]
    listed = json.loads(subprocess.check_output(command, env=environment))["kernelspecs"]
    assert listed["python3"]["spec"]["display_name"] == "Python 3 (ipykernel)"
