"""Lay out the student's desk, `my_lessons/`: copies of all lessons, without outputs.

`make lab` calls it; `python tools/desk.py` makes or updates the copies and opens nothing.

A copy remembers in its metadata what was handed out. It counts as worked on when its cells are
not those any more; running it and empty cells do not count, and where this cannot be told, it was
worked on. While a lesson stays the same, its copy is never touched. When the lesson changes, a copy
that nobody worked on is replaced, and beside any other the new lesson is put, under a new name.

In a computer room one installation serves everybody. Who may not write there has the desk at home.
"""

import base64
import hashlib
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path

import nbformat
from filelock import FileLock
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
HOME_FOLDER = "bayesian-deep-learning"
COPIES = "my_lessons"
LINKED = ("notebooks", "docs")  # for reading, beside data
PATIENCE = 60  # seconds to wait for another terminal, which needs one or two


def digest(notebook: NotebookNode) -> str:
    """Return a hash of what a student can work on: the text of all cells that are not empty."""
    cells = [(cell.cell_type, cell.source) for cell in notebook.cells if cell.source.strip()]
    return hashlib.sha256(repr(cells).encode()).hexdigest()


def attach_pictures(cell: NotebookNode, folder: Path) -> None:
    """Take the pictures of a text into the notebook: JupyterLab shows no file outside its root."""
    for name in re.findall(r"\]\((figures/[^)]+\.png)\)", cell.source):
        picture = folder / name
        cell.setdefault("attachments", {})[picture.name] = {
            "image/png": base64.b64encode(picture.read_bytes()).decode()
        }
        cell.source = cell.source.replace(f"]({name})", f"](attachment:{picture.name})")


def hand_out(lesson: Path) -> NotebookNode:
    """Return a lesson as a student gets it."""
    notebook = nbformat.read(lesson, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        else:
            attach_pictures(cell, lesson.parent)
    notebook.metadata["course"] = {"handed_out": digest(notebook)}
    return notebook


def versions(copy: Path) -> tuple[str, str]:
    """Return the digests of what was handed out as this copy and of what it is now."""
    try:
        notebook = nbformat.read(copy, as_version=4)
        return notebook.metadata.get("course", {}).get("handed_out", ""), digest(notebook)
    except Exception:  # whatever half a file, or something else, makes of this
        return "", "unreadable"


def is_untouched(copy: Path) -> bool:
    """Whether nobody has worked on a copy."""
    handed_out, now = versions(copy)
    return handed_out == now


def put(notebook: NotebookNode, target: Path) -> None:
    """Write a notebook, which appears under its name only when it is complete."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        nbformat.write(notebook, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def bring(fresh: NotebookNode, copy: Path) -> str:
    """Bring a copy up to date with its lesson; return what happened, nothing if nothing did."""
    today = fresh.metadata.course.handed_out
    if not copy.exists():
        put(fresh, copy)
        return f"{copy.name}: here is your copy."
    if today in versions(copy):
        return ""
    if is_untouched(copy):
        put(fresh, copy)
        return f"{copy.name}: the lesson has changed. You had not changed your copy: it is new now."
    beside = list(copy.parent.glob(f"{copy.stem} (new [0-9]*).ipynb"))
    if any(today in versions(one) for one in beside):
        return ""
    for one in filter(is_untouched, beside):
        one.unlink()
    stem, number = f"{copy.stem} (new {date.today()}", 1
    new = copy.with_name(f"{stem}).ipynb")
    while os.path.lexists(new):
        number += 1
        new = copy.with_name(f"{stem}, {number}).ipynb")
    put(fresh, new)
    return f"{copy.name}: the lesson has changed. Your work stays; the new one is {new.name!r}."


def furnish(desk: Path) -> None:
    """Link to a desk at home what its lessons link to and read; what is no link stays as it is."""
    (desk / "data").mkdir(exist_ok=True)  # a folder of one's own: downloads land there
    data = [path for path in (ROOT / "data").iterdir() if path.suffix != ".lock"]
    for source in [*(ROOT / name for name in LINKED), *data]:
        target = desk / source.relative_to(ROOT)
        if target.is_symlink() and target.readlink() != source:
            target.unlink()
        if not os.path.lexists(target):
            target.symlink_to(source)


@contextmanager
def alone(copies: Path) -> Iterator[None]:
    """Wait for other terminals; on a disk without locks, or for one that hangs, not for ever."""
    lock = FileLock(copies / ".lock", timeout=PATIENCE)
    with suppress(OSError, NotImplementedError):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def update(copies: Path) -> None:
    """Bring all copies up to date; say for each what happened, if anything did."""
    for lesson in sorted((ROOT / "notebooks").glob("[!.]*.ipynb")):
        try:
            fresh = hand_out(lesson)
        except Exception as error:  # as in `versions`
            print(f"{lesson} cannot be read, so your copy stays as it is: {error}", flush=True)
            continue
        if said := bring(fresh, copies / lesson.name):
            print(said, flush=True)


def lay_out() -> Path:
    """Make or update the desk, say what happened, and return the folder in which it stands."""
    shared = ROOT / COPIES
    may_write = os.access(shared if shared.exists() else ROOT, os.W_OK)
    desk = ROOT if may_write else Path.home() / HOME_FOLDER
    copies = desk / COPIES
    try:
        copies.mkdir(parents=True, exist_ok=True)
        with alone(copies):
            if not may_write:
                furnish(desk)
            update(copies)
    except OSError as error:
        sys.exit(
            f"Your copies of the lessons cannot be kept in {copies}: {error}. Make room there, or "
            "see to it that you may write there. Where the course is not yours, you may also "
            "name another home: HOME=/path/to/it make lab"
        )
    why = "" if may_write else f", since you may not write to {shared}"
    print(f"Your copies of the lessons are in {copies}{why}.", flush=True)
    return desk


if __name__ == "__main__":
    lay_out()
