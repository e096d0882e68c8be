"""tools/seeds.py on small lessons: what is kept of each run, margins, marks, and the table."""

import math
import os
import re

import nbformat
import pytest

import notebooks
import seeds

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
claim("exact", 3, above=2, below=4)
# %%
for name in "ab":
    claim("twice", 5 + seed % 3, below=100)
claim = claims.Claims()
claim("of a later summary, |x|", 1e-9 * seed**20 % 1e-6, below=1e-4)
# %% tags=["nbval-ignore-output"]
claims.Claims()("a ratio of times", 3 * (seed % 2), above=-0.5)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Stands for notebooks/, with one lesson and the course map, which has no claims."""
    folder = tmp_path / "notebooks"
    (folder / "source").mkdir(parents=True)
    for name, text in {"lesson": LESSON, "index": "# %%\n1 / 0\n"}.items():
        (folder / "source" / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(notebooks, "NOTEBOOKS", folder)
    monkeypatch.setattr(notebooks.data, "is_available", lambda name: False)
    monkeypatch.setattr(seeds, "STORE", tmp_path / "build" / "seeds")
    monkeypatch.setattr(seeds, "TABLE", tmp_path / "seeds.md")
    monkeypatch.setenv("COURSE_SEED", "7")
    monkeypatch.delenv("COURSE_CLAIMS", raising=False)
    return folder


def made(value, text="it is", holds=True, above=None, below=None, timed=False):
    return {
        "text": text,
        "value": value,
        "above": above,
        "below": below,
        "holds": holds,
        "timed": timed,
    }


@pytest.fixture
def ran(monkeypatch):
    """Runs that were made, where a run takes no kernel; its value is the seed's last digit."""
    ran = []

    def run(lesson, seed):
        ran.append((lesson, seed))
        return [made(seed % 10, above=-50)]

    monkeypatch.setattr(seeds, "run", run)
    return ran


def one(values, above=None, below=None, timed=False):
    """One claim with these values, all of which are as their bounds say."""
    claim = seeds.Claim("it is", timed)
    for value in values:
        holds = (above is None or value > above) and (below is None or value < below)
        claim.add(made(value, holds=holds, above=above, below=below))
    return claim


def test_a_failing_claim_is_noted_and_the_lesson_goes_on(folder, capsys):
    assert seeds.main(["lesson", "--seeds", "2"]) == 1
    table = (folder.parent / "seeds.md").read_text(encoding="utf-8")
    rows = [line for line in table.splitlines() if line.startswith("|")]
    head = ["| | claim | held | mean | sd | claimed | margin |", "| --- " * 7 + "|"]
    assert rows == [
        *head,
        "|  | safe | 2 of 2 | 10.5 | 0.71 | above 0 | 14.8 |",
        "| **!** | fails with odd seeds | 1 of 2 | 0.5 | 0.71 | below 0.5 | 0.0 |",
        "|  | exact | 2 of 2 | 3 | 0 | above 2, below 4 | exact |",
        "|  | twice | 2 of 2 | 6 | 1.4 | below 100 | far below |",
        "|  | twice | 2 of 2 | 6 | 1.4 | below 100 | far below |",
        rows[7],
        *head,
        "|  | a ratio of times | 2 of 2 | 1.5 | 2.1 | above -0.5 | 0.9 |",
    ]
    assert rows[7].startswith("|  | of a later summary, \\|x\\| | 2 of 2 |")
    assert rows[7].endswith("| below 0.0001 | far below |")
    assert "`make test-seeds LESSON=lesson N=2`: seeds 1001 to 1002, code " in table
    printed, errors = capsys.readouterr()
    assert "| safe |" in printed
    assert printed.endswith("1 to mend:\n  lesson: fails with odd seeds\n")
    assert "2/2" in errors, "progress is seen"
    assert os.environ["COURSE_SEED"] == "7"


def test_runs_are_kept_until_the_lesson_is_edited(folder, ran):
    assert seeds.main(["--seeds", "2"]) == 0
    assert ran == [("lesson", 1001), ("lesson", 1002)]
    assert seeds.main(["--seeds", "3"]) == 0
    assert ran[2:] == [("lesson", 1003)]
    assert seeds.main(["--seeds", "2", "--fresh"]) == 0
    assert ran[3:] == [("lesson", 1001), ("lesson", 1002)]
    (folder / "source" / "lesson.py").write_text("# %%\nclaim\n")
    assert seeds.main(["--seeds", "2"]) == 0
    assert ran[5:] == [("lesson", 1001), ("lesson", 1002)]


def test_without_its_data_set_a_run_is_another_one(folder, ran, monkeypatch):
    tags = '# %% tags=["needs-download", "data=mnist"]\n'
    (folder / "source" / "lesson.py").write_text(f"# %%\n1\n{tags}1\n# %% [markdown]\n# End\n")
    seeds.main(["--seeds", "2"])
    table = (folder.parent / "seeds.md").read_text(encoding="utf-8")
    assert ", without mnist." in table
    monkeypatch.setattr(notebooks.data, "is_available", lambda name: True)
    seeds.main(["--seeds", "2"])
    assert len(ran) == 4
    assert "without" not in (folder.parent / "seeds.md").read_text(encoding="utf-8")


def test_an_interrupted_command_goes_on_where_it_was(folder, ran, monkeypatch):
    run = seeds.run

    def interrupted(lesson, seed):
        if seed == 1002:
            raise KeyboardInterrupt
        return run(lesson, seed)

    monkeypatch.setattr(seeds, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        seeds.main(["--seeds", "3"])
    monkeypatch.setattr(seeds, "run", run)
    assert seeds.main(["--seeds", "3"]) == 0
    assert [seed for _, seed in ran] == [1001, 1002, 1003]


def test_a_lesson_that_fails_otherwise_is_reported_and_the_others_go_on(folder, capsys):
    source = folder / "source"
    (source / "broken.py").write_text(
        "# %%\n1 / (1001 - int(__import__('os').environ['COURSE_SEED']))\n"
    )
    (source / "lesson.py").write_text("# %%\n1\n")
    assert seeds.main(["--seeds", "2"]) == 1
    printed, errors = capsys.readouterr()
    assert "broken failed with seed 1001: cell 0 failed" in errors
    assert "ZeroDivisionError" in errors
    last = "1 to mend:\n  broken: failed, or edited while it ran, with seeds [1001]\n"
    assert printed.endswith(last)
    table = (folder.parent / "seeds.md").read_text(encoding="utf-8")
    assert "## lesson\n" in table
    assert "## broken" not in table


def test_a_lesson_that_is_edited_while_it_runs_is_not_taken_for_the_new_one(
    folder, ran, monkeypatch, capsys
):
    run = seeds.run

    def edited(lesson, seed):
        (folder / "source" / "lesson.py").write_text(f"# %%\n{seed}\n")
        return run(lesson, seed)

    monkeypatch.setattr(seeds, "run", edited)
    assert seeds.main(["--seeds", "2"]) == 1
    assert "edited while it ran, with seeds [1001, 1002]" in capsys.readouterr().out


def test_the_tables_of_other_lessons_stay_in_order(folder, ran):
    for name in ("other", "gone"):
        (folder / "source" / f"{name}.py").write_text("# %%\n1\n")
    seeds.main(["--seeds", "2"])
    (folder / "source" / "gone.py").unlink()
    before = seeds.TABLE.read_text(encoding="utf-8").split("\n## ")
    seeds.main(["lesson", "--seeds", "3"])
    after = seeds.TABLE.read_text(encoding="utf-8").split("\n## ")
    assert [part.splitlines()[0] for part in before[1:]] == ["gone", "lesson", "other"]
    assert [part.splitlines()[0] for part in after[1:]] == ["lesson", "other"]
    assert after[0] == before[0]
    assert after[2] == before[3]
    assert "LESSON=lesson N=3" in after[1]


@pytest.mark.parametrize(
    ("values", "bounds", "margin"),
    [
        ([4, 5, 6], {"above": 2}, 3),
        ([4, 5, 6], {"below": 6.5}, 1.5),
        ([4, 5, 6], {"above": 2, "below": 6.5}, 1.5),  # the nearer one
        ([4, 5, 6], {"above": 4.5, "below": 60}, 0.5),
        ([4, 5, 6], {"above": 6}, -1),
        ([5, 5], {"above": 4}, math.inf),
        ([5, 5], {"above": 6}, -math.inf),
        ([math.inf, math.inf], {"above": 4}, math.inf),
        ([1e-7, 3e-7], {"below": 3e-6}, math.inf),
        ([1e-7, 3e-7], {"below": 2.9e-6}, 2.7 / 0.2**0.5 / 0.1**0.5),
        ([-30, 1], {"below": 100}, 114.5 / 21.92),  # large on the other side
        ([0.01, 0.02], {"above": -1, "below": 1}, 0.985 / 0.0070711),
        ([math.nan, 1], {"above": 4}, math.nan),
        ([4], {"above": 2}, math.inf),
    ],
)
def test_the_margin_is_the_distance_to_the_nearer_bound(values, bounds, margin):
    assert one(values, **bounds).margin == pytest.approx(margin, rel=1e-3, nan_ok=True)


def test_the_margin_follows_bounds_that_differ_from_seed_to_seed():
    claim = seeds.Claim("closer than chance", False)
    for value, below in ((1, 4), (3, 5), (2, 6)):
        claim.add(made(value, below=below))
    assert claim.margin == pytest.approx(3)
    assert claim.row(3).endswith("| below 4; below 5; below 6 | 3.0 |")


@pytest.mark.parametrize(
    ("values", "timed", "marked"),
    [
        ([2, 3, 4], False, False),  # a margin of 2
        ([2, 2.9, 4], False, True),
        ([2, 2.9, 4], True, False),  # a timing
        ([2, 0.9, 4], True, True),  # that did not hold
        ([30, 31, 0.9], False, True),
        ([2, 3], False, True),  # not made with every seed
        ([math.nan, 2, 3], False, True),
    ],
)
def test_what_failed_once_or_is_within_two_standard_deviations_is_marked(values, timed, marked):
    claim = one(values, above=1, timed=timed)
    assert claim.is_marked(3) == marked
    assert claim.row(3).startswith("| **!** |") == marked


@pytest.mark.parametrize(
    ("values", "margin"),
    [
        ([100, 101, 102], "100.0"),
        ([103, 104, 105], "over 100"),
        ([3, 3, 3], "exact"),
        ([1, 1, 1], "exact"),  # and marked, as it does not hold
        ([-2, -1, 0], "-2.0"),
        ([math.nan, 2, 2], "nan"),
    ],
)
def test_a_margin_is_shown_with_one_digit_where_that_tells_something(values, margin):
    assert one(values, above=1).row(3).endswith(f"| {margin} |")


def test_a_single_seed_is_refused(folder, capsys):
    with pytest.raises(SystemExit):
        seeds.main(["--seeds", "1"])
    assert "1 seeds have no standard deviation: ask for 2 or more" in capsys.readouterr().err


def test_an_unknown_lesson_is_refused(folder, capsys):
    with pytest.raises(SystemExit):
        seeds.main(["index"])
    assert "'index' (choose from" in capsys.readouterr().err


# ---- tests/seeds.md itself

LESSONS = [name for name in notebooks.lessons() if name != "index"]
NEEDED = 8  # seeds


def stored_claims(lesson):
    """The sentences that the stored notebook prints, in order."""
    notebook = nbformat.read(notebooks.NOTEBOOKS / f"{lesson}.ipynb", as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    text = "".join(output.get("text", "") for output in outputs)
    return re.findall(r"^✓ (.+): .+ \(claimed: ", text, flags=re.MULTILINE)


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_claim_of_a_lesson_holds_with_eight_seeds_and_is_far_from_failing(lesson):
    """A claim that is new, or worded anew, has to be measured: `make test-seeds LESSON=...`."""
    _, *parts = seeds.TABLE.read_text(encoding="utf-8").split("\n## ")
    part = {part.split("\n", 1)[0]: part for part in parts}.get(lesson)
    assert part, "not measured yet"
    assert "**!**" not in part
    rows = re.findall(r"^\|  \| (.+) \| (\d+) of (\d+) \| ", part, flags=re.MULTILINE)
    assert sorted(text.replace("\\|", "|") for text, *_ in rows) == sorted(stored_claims(lesson))
    assert all(held == of and int(of) >= NEEDED for _, held, of in rows)
