"""tools/seeds.py on two small lessons: what is stored and kept; and what the course stores."""

import json
import re
import warnings

import pytest

import notebooks
import seeds
from course_utils import download

LESSON = """\
# %%
import os
import numpy as np
from course_utils import claims

seed = int(os.environ["COURSE_SEED"])
claim = claims.Claims()
# %%
claim("safe", 10 + seed % 2, above=0)
claim("fails with odd seeds", seed % 2, below=0.5)
for name in "ab":
    claim("twice", 5, below=5 + seed)
claim("nearer to its |upper| bound", 5 + seed % 2, above=0, below=7)
claim("not firm enough for a headline", 5 + seed % 2, below=7, headline=True)
claims.check("adds up", seed - seed, 0)
claims.check("is even", seed % 2, 0, within=0.5)
claims.check("is not 1001", seed == 1001, False)
record = {"loss": np.round(np.full(2, seed / 8), 2), "of": "α"}
# %%
record = "a cell that may show the table"
# %% tags=["needs-download", "data=nowhere"]
1 / 0
"""
ROWS = """\
| | kind | text | held | mean | sd | claimed | margin |
| --- | --- | --- | --- | --- | --- | --- | --- |
|  | claim | safe | 4 of 4 | 10.5 | 0.58 | above 0 | 18.2 |
| **!** | claim | fails with odd seeds | 2 of 4 | 0.5 | 0.58 | below 0.5 | 0.0 |
|  | claim | twice | 4 of 4 | 5 | 0 | below 1008 | 100.0 |
|  | claim | twice | 4 of 4 | 5 | 0 | below 1008 | 100.0 |
|  | claim | nearer to its \\|upper\\| bound | 4 of 4 | 5.5 | 0.58 | above 0, below 7 | 2.6 |
| **!** | headline | not firm enough for a headline | 4 of 4 | 5.5 | 0.58 | below 7 | 2.6 |
| **!** | check | is even | 2 of 4 | 0.5 | 0.58 | below 0.5 | 0.0 |
|  | check | is not 1001 | 3 of 4 | 0.25 | 0.5 | below 0 | -0.5 |
"""


@pytest.fixture
def source(tmp_path, monkeypatch):
    """Sources of a lesson, of one that fails, and of the course map, which makes no claims."""
    source = tmp_path / "source"
    source.mkdir()
    for name, text in {"lesson": LESSON, "fails": "# %%\n1 / 0\n", "index": "# %%\n"}.items():
        (source / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(notebooks, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(download, "is_available", lambda name: False)
    monkeypatch.setattr(seeds, "KEPT", tmp_path / "build")
    monkeypatch.setattr(seeds, "MARGINS", tmp_path / "seeds.md")
    monkeypatch.setattr(seeds, "SEEDS", 2)
    monkeypatch.setattr(seeds, "TABLE_SEEDS", [1, 3])
    return source


def test_margins_fresh_seeds_decide_and_runs_are_kept(source, monkeypatch, capsys):
    seeds.MARGINS.write_text("# Old\n\n## fails\n\nit stays\n\n## gone\n\nit goes\n")
    assert seeds.main([]) == 1
    said, margins = capsys.readouterr().out, seeds.MARGINS.read_text(encoding="utf-8")
    assert margins.endswith(ROWS)
    assert "\n## fails\n\nit stays\n\n## lesson\n\nSeeds 1001 to 1004, code " in margins
    assert ", without nowhere; 3 checks.\n" in margins
    assert "4 to mend\n  fails failed: cell 0 failed" in said
    assert "lesson: fails with odd seeds\n" in said
    assert seeds.stale() == ["fails"]

    monkeypatch.setattr(notebooks, "execute", None)
    seeds.main(["lesson"])
    assert "3 to mend" in capsys.readouterr().out, "the runs were kept"
    (source / "lesson.py").write_text(LESSON.replace("with odd seeds", "whenever a seed is odd"))
    assert seeds.stale() == ["fails"], "a claim may be worded anew"
    (source / "lesson.py").write_text(LESSON.replace("above=0)", "above=1)"))
    assert seeds.stale() == ["fails", "lesson"]
    with pytest.raises(TypeError, match="not callable"):
        seeds.main(["lesson"])


def test_records_are_stored_with_a_hash_of_their_code(source, capsys):
    assert seeds.main(["lesson", "--table"]) == 0
    table = json.loads((source.parent / "tables" / "lesson.json").read_text(encoding="utf-8"))
    assert table["seeds"] == [1, 3]
    assert table["records"] == [{"loss": [loss] * 2, "of": "α"} for loss in (0.12, 0.38)]
    assert table["code"] == seeds.code_hash(seeds.experiment("lesson"))
    assert seeds.main(["fails", "--table"]) == 1
    assert "it has no line that begins with `record = {`" in capsys.readouterr().out


def test_no_lesson_compares_itself_with_its_own_record():
    for name in seeds.lessons():
        own = re.search(r"setup\(seed=(\d+)\)", notebooks.read_source(name).cells[1].source)
        assert own and int(own[1]) not in seeds.TABLE_SEEDS, name


def test_every_lesson_was_run_with_eight_seeds_and_no_claim_is_marked():
    margins = seeds.margins()
    assert [*margins] == seeds.lessons(), "run `make test-seeds LESSON=...` for those not yet there"
    for lesson, text in margins.items():
        first, last = map(int, re.search(r"eeds (\d+) to (\d+)", text).groups())
        assert last - first in (7, 15), lesson
        assert "**!**" not in text, f"a claim of {lesson} needs a better experiment"
    if names := seeds.stale():
        warnings.warn(f"tests/seeds.md is older than the code of {', '.join(names)}", stacklevel=1)


def test_stored_tables_are_small_and_from_the_code_of_their_lessons():
    for path in (notebooks.NOTEBOOKS / "tables").glob("*.json"):
        made_from = json.loads(path.read_text(encoding="utf-8")).get("code")
        code = seeds.code_hash(seeds.experiment(path.stem))
        assert made_from == code, f"the experiment has changed: `make table LESSON={path.stem}`"
        assert path.stat().st_size <= 4e6, path
