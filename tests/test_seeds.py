"""tools/seeds.py on two small lessons: the table, and what is kept; and tests/seeds.md itself."""

import re
import warnings

import pytest

import notebooks
import seeds
from course_utils import data

LESSON = """\
# %% [markdown]
# # A lesson

# %%
import os
from course_utils import claims

seed = int(os.environ["COURSE_SEED"])
claim = claims.Claims()
# %%
claim("safe", 10 + seed % 2, above=0)
claim("fails with odd seeds", seed % 2, below=0.5)
claim("|exact|", 3, above=2, below=4)
claim("nearer to its upper bound", 5 + seed % 2, above=0, below=7)
for name in "ab":
    claim("twice", 5, below=5 + seed)
# %% tags=["nbval-ignore-output"]
claim("a ratio of times", 3 * (seed % 2), above=-0.5)
# %% tags=["needs-download", "data=nowhere"]
1 / 0
"""
ROWS = """\
|  | claim | held | mean | sd | above | below | margin |
| --- | --- | --- | --- | --- | --- | --- | --- |
|  | safe | 2 of 2 | 10.5 | 0.71 | 0 |  | 14.8 |
| **!** | fails with odd seeds | 1 of 2 | 0.5 | 0.71 |  | 0.5 | 0.0 |
|  | \\|exact\\| | 2 of 2 | 3 | 0 | 2 | 4 | 100.0 |
|  | nearer to its upper bound | 2 of 2 | 5.5 | 0.71 | 0 | 7 | 2.1 |
|  | twice | 2 of 2 | 5 | 0 |  | 1006 | 100.0 |
|  | twice | 2 of 2 | 5 | 0 |  | 1006 | 100.0 |
|  | a ratio of times | 2 of 2 | 1.5 | 2.1 | -0.5 |  |  |
"""


@pytest.fixture
def source(tmp_path, monkeypatch):
    """Sources of a lesson, of one that fails, and of the course map, which makes no claims."""
    source = tmp_path / "source"
    source.mkdir()
    for name, text in {"lesson": LESSON, "fails": "# %%\n1 / 0\n", "index": "# %%\n"}.items():
        (source / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(notebooks, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(data, "is_available", lambda name: False)
    monkeypatch.setattr(seeds, "STORE", tmp_path / "build")
    monkeypatch.setattr(seeds, "TABLE", tmp_path / "seeds.md")
    return source


def test_the_table_tells_what_held_and_runs_are_kept(source, monkeypatch, capsys):
    seeds.TABLE.write_text("# Old\n\n## fails\n\nit stays\n\n## gone\n\nit goes\n")
    assert seeds.main(["--seeds", "2"]) == 1
    said, table = capsys.readouterr().out, seeds.TABLE.read_text(encoding="utf-8")
    assert table.endswith(ROWS)
    assert "## fails\n\nit stays\n\n## lesson\n" in table
    assert "LESSON=lesson N=2`: seeds 1001 to 1002" in table
    assert "without nowhere.\n" in table
    assert "fails failed with seed 1002: cell 0 failed" in said
    assert "3 to mend" in said and "lesson: fails with odd seeds\n" in said
    assert said.endswith("Measured with other code, or not at all: fails\n")

    ran = []
    made = {"text": "it is", "value": 1, "above": 0, "below": None, "holds": True, "timed": False}
    monkeypatch.setattr(seeds, "run", lambda notebook, seed: ran.append(seed) or [made])
    seeds.main(["lesson", "--seeds", "3"])
    assert ran == [1003]
    assert seeds.stale() == ["fails"]
    (source / "lesson.py").write_text(LESSON.replace("with odd seeds", "whenever a seed is odd"))
    assert seeds.stale() == ["fails"], "a claim may be worded anew"
    (source / "lesson.py").write_text(LESSON.replace("above=2", "above=1"))
    assert seeds.stale() == ["fails", "lesson"]
    seeds.main(["lesson", "--seeds", "2"])
    assert ran == [1003, 1001, 1002]


def test_a_single_seed_is_refused(capsys):
    with pytest.raises(SystemExit):
        seeds.main(["--seeds", "1"])
    assert "1 seeds have no standard deviation: ask for 2 or more" in capsys.readouterr().err


def test_every_lesson_was_run_with_eight_seeds_and_no_claim_is_marked():
    tables = seeds.sections()
    assert [*tables] == seeds.lessons(), "run `make test-seeds LESSON=...` for those not yet there"
    for lesson, text in tables.items():
        assert int(re.search(r" N=(\d+)", text)[1]) >= 8, lesson
        assert "**!**" not in text, lesson
    if names := seeds.stale():
        warnings.warn(f"tests/seeds.md is older than the code of {', '.join(names)}", stacklevel=1)
