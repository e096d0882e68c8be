"""tools/notebooks.py on small lessons: what is stored, when, and what a failing lesson does."""

import json

import nbformat
import pytest

import notebooks

LESSON = """\
# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
# ---

# %% [markdown] tags=["goal"]
# # A lesson

# %%
import os, sys
from pathlib import Path


def where():
    return Path.cwd().name


# %% tags=["rtol=0.05"]
print(where(), "π")
print("half way", file=sys.stderr, flush=True)
print(os.environ.get("COURSE_SEED"))
where()
# %% tags=["raises-exception"]
def deep():
    raise ValueError("3 rows")
deep()
# %%
import ipywidgets
from IPython.display import display

print("before")
display({"image/png": "abcd", "text/plain": "figure"}, raw=True)
display(ipywidgets.IntSlider())
print("after")
# %% tags=["needs-download", "data=here"]
print("here")
# %% tags=["needs-download", "data=away"]
print("away")
# %% tags=["needs-download", "data=here"]
print("later in the section")
"""
STORED = "# %%\nprint('stored')\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Stands for notebooks/; of the data sets only `here` can be had."""
    folder = tmp_path_factory.mktemp("course") / "notebooks"
    (folder / "source").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(notebooks, "NOTEBOOKS", folder)
        patch.setattr(notebooks, "CELL_TIMEOUT", 3)
        patch.setattr(notebooks.data, "is_available", lambda name: name == "here")
        patch.setenv("COURSE_SEED", "7")
        yield folder


@pytest.fixture(scope="module")
def lesson(folder):
    (folder / "source" / "lesson.py").write_text(LESSON, encoding="utf-8")
    assert notebooks.main([]) == 0
    return nbformat.read(folder / "lesson.ipynb", as_version=4)


@pytest.fixture
def stored(folder):
    """A lesson with a stored notebook; its source may be changed."""
    source, path = folder / "source" / "stored.py", folder / "stored.ipynb"
    source.write_text(STORED)
    notebook = notebooks.read_source("stored")
    path.write_text(nbformat.writes(notebook))
    yield source, path
    source.unlink()
    path.unlink()


def test_metadata_is_the_same_on_every_machine(lesson):
    assert set(lesson.metadata) == {"course", "kernelspec", "language_info"}
    assert lesson.metadata.kernelspec.name == "python3"
    assert "version" not in lesson.metadata.language_info
    assert [cell.id for cell in lesson.cells] == [f"cell-{i:03d}" for i in range(8)]
    assert all(set(cell.metadata) <= {"tags"} for cell in lesson.cells)
    assert lesson.cells[0].metadata.tags == ["goal"]
    assert lesson.cells[2].metadata.tags == ["rtol=0.05"]


def test_file_is_written_for_reading_and_diffing(folder, lesson):
    text = (folder / "lesson.ipynb").read_text(encoding="utf-8")
    assert "π" in text
    assert text.endswith("}\n")
    assert text.startswith('{\n "cells"')
    assert "jupytext" not in text
    assert json.loads(text)["nbformat"] == 4
    assert [path.name for path in folder.iterdir() if path.is_file()] == ["lesson.ipynb"]


def test_cells_are_executed_in_order_in_the_notebooks_folder_with_the_lessons_own_seed(lesson):
    counts = [cell.execution_count for cell in lesson.cells if cell.cell_type == "code"]
    assert counts == [1, 2, 3, 4, 5, None, None]
    printed, shown = lesson.cells[2].outputs
    assert printed.text == "notebooks π\nNone\n"
    assert shown.data["text/plain"] == "'notebooks'"


def test_stderr_widgets_and_tracebacks_are_not_stored(lesson):
    assert [output.output_type for output in lesson.cells[2].outputs] == [
        "stream",
        "execute_result",
    ]
    (error,) = lesson.cells[3].outputs
    assert (error.ename, error.traceback) == ("ValueError", ["ValueError: 3 rows"])
    kinds = [output.output_type for output in lesson.cells[4].outputs]
    assert kinds == ["stream", "display_data", "stream"]
    assert lesson.cells[4].outputs[1].data["image/png"].strip() == "abcd"


def test_download_cells_without_their_data_are_stored_unexecuted(lesson):
    assert lesson.cells[5].outputs[0].text == "here\n"
    assert lesson.cells[6].outputs == lesson.cells[7].outputs == []


def test_what_is_built_agrees_and_is_not_built_again(folder, lesson, monkeypatch):
    assert notebooks.agrees("lesson")
    monkeypatch.setattr(notebooks, "build", lambda name: pytest.fail("built again"))
    assert notebooks.main([]) == 0


def test_building_again_gives_the_same_file(folder, lesson):
    before = (folder / "lesson.ipynb").read_bytes()
    assert notebooks.main(["lesson"]) == 0
    assert (folder / "lesson.ipynb").read_bytes() == before


def test_a_changed_source_does_not_agree(stored):
    source, path = stored
    assert notebooks.agrees("stored")
    source.write_text(STORED.replace("stored", "changed"))
    assert not notebooks.agrees("stored")
    path.write_text(path.read_text().replace("stored", "changed"))
    assert not notebooks.agrees("stored"), "edited by hand on both sides, outputs are of the past"


def test_a_changed_tag_does_not_agree(stored):
    source, _ = stored
    source.write_text(STORED.replace("# %%", '# %% tags=["rtol=1"]'))
    assert not notebooks.agrees("stored")


def test_an_edited_notebook_does_not_agree(stored):
    _, path = stored
    path.write_text(path.read_text().replace("print('stored')", "print('edited')"))
    assert not notebooks.agrees("stored")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import os; os._exit(1)", "Kernel died"),
        ("import time; time.sleep(60)", "timed out while it was being executed, after 3 seconds"),
    ],
)
def test_a_failing_lesson_leaves_its_stored_notebook(folder, lesson, stored, code, message, capsys):
    source, path = stored
    source.write_text(f"{STORED}\n# %%\n{code}\n")
    before = path.read_bytes()
    assert notebooks.main([]) == 1
    report = capsys.readouterr().err
    assert "stored: cell 1 failed, its notebook stays as it was" in report
    assert code in report
    assert message in report
    assert path.read_bytes() == before


def test_an_unknown_lesson_is_named_with_those_there_are(folder, lesson, capsys):
    with pytest.raises(SystemExit):
        notebooks.main(["flowers"])
    assert "'flowers' (choose from" in capsys.readouterr().err
