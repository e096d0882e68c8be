"""tools/notebooks.py on small lessons: what is executed and stored when, and what stays."""

import ast
import base64
import subprocess
import sys

import pytest
from nbformat.v4 import new_output

import execution
import notebooks

REAL = """\
# %% [markdown] tags=["goal"]
# # A lesson
# %%
import os, sys, ipywidgets
from pathlib import Path
from IPython.display import display

print(Path.cwd().name, "π")
print("half way", file=sys.stderr, flush=True)
print(os.environ.get("COURSE_SEED"))
display({"image/png": "abcd", "text/plain": "figure"}, raw=True)
display(ipywidgets.IntSlider())
# %% tags=["raises-exception"]
def deep():
    raise ValueError("3 rows")
deep()
# %% tags=["needs-download", "data=here"]
print("here")
# %% tags=["needs-download", "data=away"]
print("away")
# %% tags=["needs-download", "data=here"]
print("later in the section")
"""
MADE = """\
# %% [markdown]
# A sentence.
# %%
print(number)
# %% tags=["cover"]
draw(number)
# %%
print(number, "again")
# %% tags=["needs-download", "data=here"]
print(number, "here")
# %% tags=["needs-download", "nbval-ignore-output"]
print(number, "there")
"""


@pytest.fixture
def source(tmp_path, monkeypatch):
    """Stands for a lesson in notebooks/source/; of the data sets only `here` can be had."""
    monkeypatch.setattr(notebooks, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr(execution, "CELL_TIMEOUT", 2)
    monkeypatch.setattr(execution.data, "is_available", lambda name: name == "here")
    monkeypatch.setenv("COURSE_SEED", "7")
    notebooks.source_path("lesson").parent.mkdir(parents=True)
    return notebooks.source_path("lesson")


@pytest.fixture
def build(source, monkeypatch):
    """Build MADE as if its cells gave this number; return what each of them shows as stored."""

    def build(number, *arguments, drawn_by="today", without=None):
        def execute(notebook):
            for count, cell in enumerate(notebooks.code_cells(notebook), start=1):
                if without is None or without not in cell.source:
                    printed = new_output("stream", text=number)
                    drawn = new_output("display_data", {"image/png": number})
                    cell.outputs = [drawn if "draw" in cell.source else printed]
                    cell.execution_count = count

        monkeypatch.setattr(notebooks, "execute", execute)
        monkeypatch.setattr(notebooks, "drawing_code", lambda: {"plotting.py": drawn_by})
        assert notebooks.main([*arguments]) == 0
        cells = notebooks.code_cells(notebooks.read_stored("lesson"))
        return [o.get("text") or o.data["image/png"] for cell in cells for o in cell.outputs]

    source.write_text(MADE)
    assert build("1.000") == ["1.000"] * 5
    return build


def test_a_lesson_is_executed_and_stored_for_reading_and_diffing(source, capsys):
    source.write_text(REAL, encoding="utf-8")
    assert notebooks.main([]) == 0
    assert "cell 4 left out: no data set away" in capsys.readouterr().out
    text = notebooks.notebook_path("lesson").read_text(encoding="utf-8")
    assert (text[:9], text[-2:], "π" in text) == ('{\n "cells', "}\n", True)
    stored = notebooks.read_stored("lesson")
    assert set(stored.metadata) == {"course", "kernelspec", "language_info"}
    assert [cell.id for cell in stored.cells] == [f"cell-{i:03d}" for i in range(6)]
    assert [cell.metadata for cell in stored.cells[:2]] == [{"tags": ["goal"]}, {}]
    cells = notebooks.code_cells(stored)
    assert [cell.execution_count for cell in cells] == [1, 2, 3, None, None]
    (printed, figure), (error,), (here,), *left_out = (cell.outputs for cell in cells)
    assert printed.text == "notebooks π\nNone\n", "in its folder, with the lesson's own seed"
    assert figure.data["text/plain"] == "figure"
    assert error.traceback == ["ValueError: 3 rows"]
    assert (here.text, left_out) == ("here\n", [[], []])
    assert notebooks.to_do("lesson") == ""


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import os; os._exit(1)", "Kernel died"),
        ("import time; time.sleep(60)", "timed out while it was being executed, after 2 seconds"),
    ],
)
def test_a_failing_lesson_leaves_its_stored_notebook(source, code, message, capsys):
    source.write_text(f"# %%\nprint(1)\n# %%\n{code}\n")
    notebooks.notebook_path("lesson").write_text("what was there")
    assert notebooks.main([]) == 1
    report = capsys.readouterr().err
    assert f"lesson: cell 1 failed, its notebook stays as it was:\n    {code}" in report
    assert message in report
    assert notebooks.notebook_path("lesson").read_text() == "what was there"


def test_a_changed_sentence_is_all_that_changes(source, build):
    before = notebooks.notebook_path("lesson").read_text()
    source.write_text(MADE.replace("A sentence.", "Another one."))
    build("2.000")
    after = notebooks.notebook_path("lesson").read_text()
    assert after == before.replace("A sentence.", "Another one.")


@pytest.mark.parametrize(
    ("old", "new", "is_code"),
    [
        ("# %%\nprint", "# %% [markdown]\n# More.\n# %%\nprint", False),
        ("# %%\nprint", '# %% tags=["rtol=0.1"]\nprint', False),
        ("print(number)", "print(number)  # so", True),
        ("data=here", "data=away", True),
    ],
)
def test_only_code_is_executed(source, build, old, new, is_code):
    source.write_text(MADE.replace(old, new))
    assert build("2.000") == ["2.000" if is_code else "1.000"] * 5
    assert notebooks.to_do("lesson") == ""


def test_an_edited_or_broken_notebook_is_not_trusted(source, build):
    path = notebooks.notebook_path("lesson")
    edited = path.read_text().replace("draw(number)", "draw(0)")
    for text in (edited, "<<<<<<< HEAD"):
        path.write_text(text)
        assert build("2.000") == ["2.000"] * 5
    source.write_text(MADE.replace("draw(number)", "draw(0)"))
    path.write_text(edited)
    assert build("3.000") == ["3.000"] * 5, "edited on both sides, its outputs are of the past"


@pytest.mark.parametrize("without", [None, "here", "there"])
def test_executing_an_unchanged_lesson_changes_no_byte(build, without):
    before = notebooks.notebook_path("lesson").read_bytes()
    build("1.001", "lesson", without=without)
    assert notebooks.notebook_path("lesson").read_bytes() == before
    assert notebooks.cover_path("lesson").read_bytes() == base64.b64decode("1000")


def test_what_the_comparer_refuses_is_new_and_so_are_all_pictures(source, build):
    assert build("2.000", "lesson") == ["2.000"] * 5
    source.write_text(MADE.replace("print(number)\n", "print(number)  # so\n"))
    assert build("2.001") == ["2.001", "2.001", "2.000", "2.000", "2.001"], "two have the same code"
    source.write_text(MADE)
    assert build("2.002", without="here") == ["2.002", "2.002", "2.000"], "two have old results"
    assert build("2.001", "lesson", without="there") == ["2.002", "2.001", "2.000", "2.001"]
    assert build("2.002", "lesson") == ["2.002", "2.002", "2.000", "2.001", "2.002"]


def test_other_drawing_code_makes_pictures_stale(source, build, capsys):
    assert build("1.001", drawn_by="tomorrow") == ["1.000", "1.001", "1.000", "1.000", "1.001"]
    assert "lesson: its figures are older than plotting.py" in capsys.readouterr().out
    source.write_text("# %%\nprint(number)\n")
    assert build("1.000") == build("2.000", drawn_by="tomorrow"), "it has no picture"


def test_a_mended_docstring_is_no_other_code():
    def meaning(code):
        return notebooks.meaning(ast.parse(code))

    code = meaning("def f(x):\n    y = 0\n    return [x, y]")
    assert code == meaning('"""A."""\ndef f(x):\n    "B."\n    y = 0  # c\n    return [x,\n y]')
    for other in ("y = False", "y = None", "y = -0", "y = '0'", "y += 0"):
        assert code != meaning(f"def f(x):\n    {other}\n    return [x, y]")


def test_text_waits_for_no_import_that_only_code_needs():
    loaded = "{'matplotlib', 'pytest', 'tensorflow'} & {*sys.modules}"
    command = [sys.executable, "-c", f"import notebooks, sys; assert not {loaded}, {loaded}"]
    subprocess.run(command, cwd=notebooks.ROOT / "tools", check=True)


def test_an_unknown_lesson_is_named_with_those_there_are(build, capsys):
    with pytest.raises(SystemExit):
        notebooks.main(["flowers"])
    assert "'flowers' (choose from" in capsys.readouterr().err
