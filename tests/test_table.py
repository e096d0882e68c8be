"""tools/table.py on small lessons: what is stored of each seed, what is kept, and what fails."""

import json
import os
import subprocess
from pathlib import Path

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
def folder(tmp_path, monkeypatch):
    """Stands for notebooks/; its lesson fails with seed 2."""
    folder = tmp_path / "notebooks"
    (folder / "source").mkdir(parents=True)
    (folder / "source" / "lesson.py").write_text(LESSON, encoding="utf-8")
    monkeypatch.setattr(notebooks, "NOTEBOOKS", folder)
    monkeypatch.setenv("COURSE_SEED", "7")
    return folder


@pytest.fixture
def ran(monkeypatch):
    """Seeds that were run, where running takes no kernel; seed 2 fails."""
    ran = []

    def run(lesson, seed):
        ran.append(seed)
        if seed == 2:
            raise RuntimeError("cell 3 failed")
        return {"run": len(ran)}

    monkeypatch.setattr(table, "run", run)
    return ran


def stored(folder):
    return json.loads((folder / "tables" / "lesson.json").read_text(encoding="utf-8"))


def test_each_seed_leaves_its_record_and_a_failing_one_a_message(folder, capsys):
    assert table.main(["lesson", "--seeds", "3", "2", "1"]) == 1
    assert stored(folder) == {
        "command": 'make table LESSON=lesson SEEDS="1 3" FRESH=1',
        "seeds": [1, 3],
        "records": [
            {"loss": [0.12, 0.12], "of": "α", "share": -1.0},
            {"loss": [0.38, 0.38], "of": "α", "share": 1.0},
        ],
    }
    text = (folder / "tables" / "lesson.json").read_text(encoding="utf-8")
    assert "α" in text
    assert text.endswith("}\n")
    assert [path.name for path in (folder / "tables").iterdir()] == ["lesson.json"]
    assert sorted(path.name for path in folder.iterdir()) == ["source", "tables"]
    errors = capsys.readouterr().err
    assert "lesson failed with seed 2: cell 2 failed" in errors
    assert "ZeroDivisionError" in errors
    assert "lesson: 100%" in errors, "progress is seen"
    assert os.environ["COURSE_SEED"] == "7"


def test_five_seeds_are_run_and_the_failing_one_again(folder, ran, capsys):
    assert table.main(["lesson"]) == 1
    assert ran == [1, 2, 3, 4, 5]
    assert table.main(["lesson"]) == 1
    assert ran == [1, 2, 3, 4, 5, 2]
    kept = "lesson: kept as stored (--fresh runs them anew): seeds [1, 3, 4, 5]\n"
    assert capsys.readouterr().out == kept
    assert stored(folder)["seeds"] == [1, 3, 4, 5]


def test_more_seeds_are_added_to_those_that_are_there(folder, ran):
    assert table.main(["lesson", "--seeds", "10", "9", "9"]) == 0
    assert table.main(["lesson", "--seeds", "1", "9"]) == 0
    assert ran == [9, 10, 1]
    assert stored(folder) == {
        "command": 'make table LESSON=lesson SEEDS="1 9 10" FRESH=1',
        "seeds": [1, 9, 10],
        "records": [{"run": 3}, {"run": 1}, {"run": 2}],
    }


def test_a_fresh_table_keeps_nothing(folder, ran, capsys):
    table.main(["lesson", "--seeds", "1", "3"])
    assert table.main(["lesson", "--seeds", "3", "--fresh"]) == 0
    assert stored(folder)["seeds"] == [3]
    assert stored(folder)["records"] == [{"run": 3}]
    assert "kept" not in capsys.readouterr().out


def test_an_interrupted_command_has_stored_what_was_done(folder, ran, monkeypatch):
    run = table.run

    def interrupted(lesson, seed):
        if seed == 4:
            raise KeyboardInterrupt
        return run(lesson, seed)

    monkeypatch.setattr(table, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        table.main(["lesson"])
    assert stored(folder)["seeds"] == [1, 3]
    monkeypatch.setattr(table, "run", run)
    table.main(["lesson", "--seeds", "1", "3", "4", "5"])
    assert ran == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("text", "found"), [("# %% [markdown]\n# Text\n", "None"), ("# %%\nrecord = [1]\n", "[1]")]
)
def test_a_lesson_without_a_record_is_told_once(folder, capsys, text, found):
    (folder / "source" / "lesson.py").write_text(text)
    assert table.main(["lesson"]) == 1
    errors = capsys.readouterr().err
    assert errors.count(f"lesson: `record` is {found}, but a dict was") == 1
    assert not (folder / "tables").exists()


def test_a_record_that_json_cannot_hold_is_a_failure(folder, capsys):
    (folder / "source" / "lesson.py").write_text("# %%\nrecord = {'loss': float('nan')}\n")
    assert table.main(["lesson", "--seeds", "1"]) == 1
    assert "Out of range float values are not JSON compliant" in capsys.readouterr().err
    assert not (folder / "tables").exists()


def test_an_unknown_lesson_is_refused(folder, capsys):
    with pytest.raises(SystemExit):
        table.main(["lessen"])
    assert "'lessen' (choose from" in capsys.readouterr().err


def test_make_passes_seeds_and_fresh_on():
    command = ["make", "-n", "table", "PYTHON=python3", "LESSON=resnet", "SEEDS=6 7", "FRESH=1"]
    printed = subprocess.run(
        command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True
    ).stdout
    assert "tools/table.py resnet --seeds 6 7 --fresh\n" in printed
