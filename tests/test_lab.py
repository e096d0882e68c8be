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

import filelock
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import desk
import lab
from test_repository import broken_links

TODAY = date.today().isoformat()


def write(path: Path, *texts: str) -> None:
    """Write an executed lesson; what is code begins with "x"."""
    out = new_output("stream", text="2")
    cells = [
        new_code_cell(text, outputs=[out], execution_count=1)
        if text.startswith("x")
        else new_markdown_cell(text)
        for text in texts
    ]
    nbformat.write(new_notebook(cells=cells), path)


def sources(path: Path) -> list[str]:
    return [cell.source for cell in nbformat.read(path, as_version=4).cells]


def contents(folder: Path) -> dict[str, bytes]:
    found = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    return {name: path.read_bytes() for name, path in found.items()}


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A small course that a student has; its path is not an easy one."""
    folder = tmp_path / "Kurs für alle"
    for name in ("notebooks/figures", "docs", "data", "home"):
        (folder / name).mkdir(parents=True)
    write(folder / "notebooks/index.ipynb", "[flows](flows.ipynb)")
    write(folder / "notebooks/flows.ipynb", "![moons](figures/flows.png)", "x = 1", "x + 1")
    (folder / "notebooks/figures/flows.png").write_text("figure")
    write(folder / "notebooks/.~flows.ipynb", "x = 'of an editor'")
    (folder / "data/here.csv").write_text("installed")
    (folder / "data/missing.csv.lock").touch()
    monkeypatch.setattr(desk, "ROOT", folder)
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
    """Start the lab; return what would be executed."""
    started = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lab.os, "execve", lambda *call: started.append(call))
    monkeypatch.setattr(sys, "argv", ["lab.py", "--no-browser"])

    def call():
        lab.main()
        return started.pop()

    return call


def change(course: Path, text: str = "x = 7") -> None:
    """Change the lesson as an update of the course does."""
    write(course / "notebooks/flows.ipynb", "![moons](figures/flows.png)", text, "x + 1")


def work(copy: Path, text: str = "x = my_answer") -> bytes:
    notebook = nbformat.read(copy, as_version=4)
    notebook.cells[1].source = text
    nbformat.write(notebook, copy)
    return copy.read_bytes()


def test_the_lab_opens_copies_without_results(course, start, capsys):
    before = contents(course)
    _, command, environment = start()
    assert f"--ServerApp.root_dir={course}" in command and command[-1] == "--no-browser"
    assert "--LabApp.default_url=/lab/tree/my_lessons/index.ipynb" in command
    assert "COURSE_DATA" not in environment
    assert f"are in {course / 'my_lessons'}.\n" in capsys.readouterr().out
    after = contents(course)
    made = after.keys() - before.keys()
    assert made == {"my_lessons/.lock", "my_lessons/index.ipynb", "my_lessons/flows.ipynb"}
    assert before == {name: after[name] for name in before}
    text, code, _ = nbformat.read(course / "my_lessons/flows.ipynb", as_version=4).cells
    assert (code.source, code.outputs, code.execution_count) == ("x = 1", [], None)
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
        code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        for word in re.findall(r"""["']([\w./-]+)["']""", code):
            is_read = (tmp_path / "notebooks" / word).is_file()
            assert not is_read or (copy.parent / word).is_file(), f"{copy.name} reads {word}"


def run_it(copy: Path) -> bytes:
    """Do what JupyterLab does when all cells are run, the last one with Shift+Enter."""
    notebook = nbformat.read(copy, as_version=4)
    notebook.cells[1] |= {"execution_count": 4, "outputs": [new_output("stream", text="2")]}
    notebook.cells[1].metadata["collapsed"] = False
    notebook.cells.append(new_code_cell(""))
    notebook.metadata["language_info"] = {"name": "python", "version": "3.12.1"}
    nbformat.write(notebook, copy)
    return copy.read_bytes()


def test_a_run_is_kept_until_the_lesson_changes(course, flows, capsys):
    ran = run_it(flows)
    desk.lay_out()
    assert flows.read_bytes() == ran
    capsys.readouterr()
    change(course)
    desk.lay_out()
    assert sources(flows)[1] == "x = 7" and b'"outputs": []' in flows.read_bytes()
    assert "flows.ipynb: the lesson has changed. You had not" in capsys.readouterr().out
    assert sorted(p.name for p in flows.parent.glob("*.ipynb")) == ["flows.ipynb", "index.ipynb"]


def edited(notebook) -> None:
    notebook.cells[0].source += "my note"


def turned_into_text(notebook) -> None:
    notebook.cells[2] = new_markdown_cell(notebook.cells[2].source)


@pytest.mark.parametrize(
    "work",
    [
        edited,
        turned_into_text,
        lambda notebook: notebook.cells.append(new_code_cell("x")),
        lambda notebook: notebook.cells.pop(),
        lambda notebook: notebook.cells.reverse(),
        lambda notebook: notebook.metadata.clear(),
        lambda notebook: notebook.metadata.update(course="mine"),
        lambda notebook: notebook.clear(),
    ],
)
def test_work_is_kept_and_the_new_lesson_put_beside_it(course, flows, capsys, work):
    notebook = nbformat.read(flows, as_version=4)
    work(notebook)
    flows.write_text(json.dumps(notebook))
    mine = flows.read_bytes()
    change(course)
    for _ in range(2):
        desk.lay_out()
        assert flows.read_bytes() == mine
    beside = flows.with_name(f"flows (new {TODAY}).ipynb")
    assert sources(beside)[1] == "x = 7"
    assert capsys.readouterr().out.count(f"the new one is '{beside.name}'") == 1
    assert len([*flows.parent.glob("flows*")]) == 2


def test_half_a_file_is_kept_as_well(course, flows):
    flows.write_bytes(flows.read_bytes()[:200])
    desk.lay_out()
    assert flows.stat().st_size == 200
    assert flows.with_name(f"flows (new {TODAY}).ipynb").exists()


def test_of_new_lessons_one_is_kept_and_those_with_work(course, flows):
    work(flows)
    for name in ("flows (new 2026-01-02).ipynb", f"flows (new {TODAY}).ipynb"):
        change(course, f"x = {name!r}")
        desk.put(desk.hand_out(course / "notebooks/flows.ipynb"), flows.with_name(name))
    change(course)
    desk.lay_out()
    (beside,) = flows.parent.glob("flows (new*")
    assert beside.name == f"flows (new {TODAY}).ipynb" and sources(beside)[1] == "x = 7"
    mine = work(beside)
    change(course, "x = 8")
    desk.lay_out()
    assert beside.read_bytes() == mine
    assert sources(flows.with_name(f"flows (new {TODAY}, 2).ipynb"))[1] == "x = 8"


def test_what_is_deleted_comes_again_and_what_is_a_student_s_own_stays(course, flows):
    own = ["flows-Copy1.ipynb", "flows (new idea).ipynb", "figures/flows.png", "flows.ipynb.bak"]
    for name in own:
        (flows.parent / name).parent.mkdir(exist_ok=True)
        shutil.copy(flows, flows.parent / name)
    mine = contents(flows.parent)
    flows.unlink()
    change(course)
    desk.lay_out()
    assert sources(flows)[1] == "x = 7"
    work(flows)
    change(course, "x = 8")
    desk.lay_out()
    after = contents(flows.parent)
    assert {name: after[name] for name in own} == {name: mine[name] for name in own}


def test_a_lesson_that_a_merge_left_unreadable_stops_no_other(course, capsys):
    (course / "notebooks/flows.ipynb").write_text("<<<<<<< HEAD")
    desk.lay_out()
    assert "flows.ipynb cannot be read" in capsys.readouterr().out
    assert [p.name for p in (course / "my_lessons").glob("*.ipynb")] == ["index.ipynb"]


def test_a_full_disk_leaves_what_was_there(course, flows, monkeypatch):
    def half(notebook, path):
        path.write_text("{")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    change(course)
    before = contents(course)
    monkeypatch.setattr(desk.nbformat, "write", half)
    with pytest.raises(SystemExit, match=r"my_lessons: .*No space left on device\. Make room"):
        desk.lay_out()
    assert contents(course) == before


def test_two_terminals_take_turns(course, monkeypatch):
    def put(notebook, target):
        with pytest.raises(filelock.Timeout):
            filelock.FileLock(target.with_name(".lock")).acquire(timeout=0)

    monkeypatch.setattr(desk, "put", put)
    desk.lay_out()


def test_a_disk_without_locks_serves_as_well(course, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

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
        _, command, environment = start()
    assert f"are in {home / 'my_lessons'}, since you may not write" in capsys.readouterr().out
    assert f"--ServerApp.root_dir={home}" in command and Path.cwd() == home
    assert contents(course) == before
    assert (home / "docs").resolve() == course / "docs"
    assert {p.name for p in (home / "data").iterdir()} == {"here.csv"}
    assert (home / "data/here.csv").read_text() == "my own"
    (Path(environment["COURSE_DATA"]) / "missing.csv").write_text("a download")
    assert contents(course) == before


def test_a_home_that_cannot_be_written_is_answered_with_a_sentence(course, tmp_path, monkeypatch):
    monkeypatch.setattr(desk.os, "access", lambda path, mode: False)
    (tmp_path / "home").write_text("a file")
    with pytest.raises(SystemExit, match="name another home: HOME="):
        desk.lay_out()


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
    for env, found in (
        (os.environ, "Theirs"),
        (lab.environment(desk.ROOT), "Python 3 (ipykernel)"),
    ):
        listed = json.loads(subprocess.check_output(command, env=env))["kernelspecs"]
        assert listed["python3"]["spec"]["display_name"] == found
