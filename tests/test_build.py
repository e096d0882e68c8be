"""tools/notebooks.py on a small lesson: what is executed and stored when, and what stays."""

import base64
import subprocess
import sys

import pytest

import notebooks
from course_utils import download

LESSON = """\
# %% [markdown] tags=["goal"]
# A sentence.
# %%
import os, sys, ipywidgets
from pathlib import Path
from IPython.display import display

number = Path("number").read_text()
print(number, flush=True)
print("half way", file=sys.stderr, flush=True)
print(Path.cwd().name, "π", os.environ["COURSE_SEED"])
display(ipywidgets.IntSlider())
# %% tags=["raises-exception"]
def deep():
    raise ValueError("3 rows")
deep()
# %% tags=["cover"]
png = "data:image/png;base64," + number.replace(".", "")
display({"text/html": f'<img alt="Digits." src="{png}">', "text/plain": "Digits."}, raw=True)
# %% tags=["nbval-ignore-output"]
print("more than one:", float(number) > 1)
# %% tags=["needs-download", "data=here"]
print("from a download")
"""


@pytest.fixture
def source(tmp_path, monkeypatch):
    """Stands for a lesson in notebooks/source/, with its data set."""
    monkeypatch.setattr(notebooks, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr(download, "is_available", lambda name: name == "here")
    monkeypatch.setattr(notebooks, "drawing_code", lambda _: "today")
    monkeypatch.setattr(notebooks.course_map, "update", lambda: None)
    monkeypatch.setenv("COURSE_SEED", "7")
    source = tmp_path / "notebooks" / "source" / "lesson.py"
    source.parent.mkdir(parents=True)
    source.write_text(LESSON, encoding="utf-8")
    return source


def build(number, *arguments):
    """Build a lesson that is to find this number, and return the text of its notebook."""
    (notebooks.NOTEBOOKS / "number").write_text(number)
    assert notebooks.main([*arguments]) == 0
    assert notebooks.to_do("lesson") == ""
    return notebooks.notebook_path("lesson").read_text(encoding="utf-8")


def test_a_lesson_is_stored_for_reading_and_diffing(source):
    text = build("1.000")
    assert (text[:9], text[-2:], "π" in text) == ('{\n "cells', "}\n", True)
    stored = notebooks.read_stored("lesson")
    assert set(stored.metadata) == {"course", "kernelspec", "language_info"}
    assert [cell.id for cell in stored.cells] == [f"cell-{i:03d}" for i in range(6)]
    assert [cell.metadata for cell in stored.cells[:2]] == [{"tags": ["goal"]}, {}]
    (printed,), (error,), *_ = (cell.outputs for cell in notebooks.code_cells(stored))
    assert printed.text == "1.000\nnotebooks π \n", "in its folder, with the lesson's own seed"
    assert error.traceback == ["ValueError: 3 rows"]
    assert notebooks.cover_path("lesson").read_bytes() == base64.b64decode("1000")


def test_a_failing_lesson_leaves_its_stored_notebook(source, capsys):
    source.write_text("# %%\nprint(1)\n# %%\n1 / 0\n")
    notebooks.notebook_path("lesson").write_text("<<<<<<< HEAD")
    assert notebooks.main([]) == 1
    assert "cell 1 failed: ZeroDivisionError: division by zero" in capsys.readouterr().err
    assert notebooks.notebook_path("lesson").read_text() == "<<<<<<< HEAD"


def test_text_and_tolerances_are_spliced_without_execution(source, monkeypatch):
    stored = build("1.000")
    monkeypatch.setattr(notebooks, "execute", None)
    source.write_text(LESSON.replace("A sentence.", "Another one."))
    assert build("2.000") == stored.replace("A sentence.", "Another one.")
    source.write_text(LESSON.replace('tags=["cover"', 'tags=["cover", "rtol=0.1"'))
    assert "rtol=0.1" in build("2.000")


def test_changed_code_and_other_drawing_code_are_reasons_to_execute(source, monkeypatch, capsys):
    build("1.000")
    source.write_text(LESSON.replace("3 rows", "4 rows"))
    assert "1.001" in build("1.001", "lesson")
    monkeypatch.setattr(notebooks, "drawing_code", lambda _: "tomorrow")
    assert "1.002" in build("1.002")
    said = capsys.readouterr().out
    assert "lesson: its code changed" in said
    assert "lesson: its figures are older than the drawing code" in said


def test_executing_an_unchanged_lesson_changes_no_byte(source, monkeypatch, capsys):
    stored = build("1.000")
    monkeypatch.setattr(download, "is_available", lambda name: False)
    assert build("1.001", "lesson") == stored, "what had its data then stays"
    text = build("2.000", "lesson")
    assert "1.000" not in text, "all outputs are of one run"
    assert "from a download\\n" not in text
    assert "cell 5 left out: no data set here" in capsys.readouterr().out


def test_sentences_are_no_code():
    code = 'def f(x):\n    "Do."\n    y = 0\n    raise ValueError("x is not good")\n'
    mended = code.replace("Do.", "Do it.").replace("y = 0", "y = (\n0)  # zero")
    assert notebooks.code_hash(code) == notebooks.code_hash(mended.replace("x is", "this x is"))
    others = ("0", "False", "None", "-0", "'<p> is the text'", "'<b> is the text'")
    assert len({notebooks.code_hash(code.replace("y = 0", f"y = {one}")) for one in others}) == 6


def test_text_waits_for_no_import_that_only_code_needs():
    loaded = "{'matplotlib', 'pytest', 'tensorflow'} & {*sys.modules}"
    command = [sys.executable, "-c", f"import notebooks, sys; assert not {loaded}, {loaded}"]
    subprocess.run(command, cwd=notebooks.ROOT / "tools", check=True)
