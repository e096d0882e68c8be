"""tools/table.py on a small lesson: what is stored, kept and refused; and the stored tables."""

import json

import pytest

import notebooks
import table

LESSON = """\
# %% [markdown]
# # A lesson

# %%
import os
import numpy as np

seed = int(os.environ["COURSE_SEED"])
# %%
print("words of the lesson")
record = {"loss": np.round(np.full(2, seed / 8), 2), "of": "α", "share": 1 / (seed - 2)}
# %%
open("tables/lesson.json that is being made")
"""


@pytest.fixture
def source(tmp_path, monkeypatch):
    """The source of the only lesson, which fails with seed 2."""
    source = tmp_path / "source" / "lesson.py"
    source.parent.mkdir()
    source.write_text(LESSON, encoding="utf-8")
    monkeypatch.setattr(notebooks, "NOTEBOOKS", tmp_path)
    return source


def test_records_are_stored_and_kept_until_the_code_changes(source, monkeypatch):
    with pytest.raises(SystemExit, match="lesson failed with seed 2: cell 2 failed"):
        table.main(["lesson", "--seeds", "3", "2", "1"])
    path = source.parents[1] / "tables" / "lesson.json"
    stored = json.loads(path.read_text(encoding="utf-8"))
    assert stored["seeds"] == [1]
    assert stored["records"] == [{"loss": [0.12, 0.12], "of": "α", "share": -1.0}]

    ran = []
    monkeypatch.setattr(table, "run", lambda notebook, seed: ran.append(seed) or {"new": seed})
    source.write_text(LESSON.replace("words of the lesson", "other words of it"))
    table.main(["lesson", "--seeds", "4", "1"])
    assert ran == [4]
    source.write_text(LESSON.replace("np.full(2", "np.full(3"))
    table.main(["lesson", "--seeds", "4"])
    assert ran == [4, 4]
    assert json.loads(path.read_text())["records"] == [{"new": 4}], "of the old code nothing stays"


def test_a_lesson_without_a_record_is_refused(source, capsys):
    source.write_text("# %% [markdown]\n# record = {}\n")
    with pytest.raises(SystemExit):
        table.main(["lesson"])
    assert "lesson has no line that begins with `record = {`." in capsys.readouterr().err


def test_stored_tables_are_small_and_from_the_code_of_their_lessons():
    for path in (notebooks.NOTEBOOKS / "tables").glob("*.json"):
        made_from = json.loads(path.read_text(encoding="utf-8")).get("code")
        code = table.code_hash(table.experiment(path.stem))
        assert made_from == code, f"the experiment has changed: `make table LESSON={path.stem}`"
        assert path.stat().st_size <= 4e6, path
