"""Run the lessons with seeds that nobody tuned: which claims and checks hold, and how firmly.

A lesson's source is executed in a fresh kernel, under one ``COURSE_SEED`` after the other. What
does not hold is noted, and the lesson goes on. The runs are kept in ``build/runs``: an interrupted
command goes on where it was, and what was changed is run anew. The margins of a lesson's claims
take the place of its old ones in ``tests/seeds.md``.

With ``--table`` a lesson is executed up to the cell that sets ``record = {...}``: what JSON can
hold, rounded by the lesson. The records of five other seeds are stored in
``notebooks/tables/<lesson>.json``, for the lesson to show, with a hash of the code up to that cell.
"""

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from joblib import Memory
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

import notebooks

SEEDS, TABLE_SEEDS = 8, range(11, 16)  # a lesson's own seed is none of the table's
# Margins that are enough, in standard deviations. A headline is what a student takes home; a claim
# that is folded only has to hold with nearly every seed.
ENOUGH = {"headline": 3, "claim": 2, "check": -math.inf}
ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "build" / "runs"
MARGINS = ROOT / "tests" / "seeds.md"
HEAD = f"""\
# Claims under seeds that nobody tuned

Made by `make test-seeds`. Margin: distance of the mean over the seeds to the nearer bound, in
standard deviations over the seeds, at most 100. A headline needs {ENOUGH["headline"]}, any other
claim {ENOUGH["claim"]}. A check has no margin and stands here only if it failed. What failed with
one seed of eight may not fail with any of eight fresh ones. **!** marks what is to be mended.
"""
COLUMNS = "| | kind | text | held | mean | sd | claimed | margin |\n" + 8 * "| --- " + "|\n"
HAND_OVER = """\
import json, os
with open(os.environ["COURSE_CLAIMS"], "w", encoding="utf-8") as file:
    json.dump(record, file, allow_nan=False, default=lambda array: array.tolist())"""


def lessons() -> list[str]:
    """Names of the lessons that make claims: all but the course map."""
    return [lesson for lesson in notebooks.lessons() if lesson != "index"]


def left_out(notebook: NotebookNode) -> list[str]:
    """Data sets that cannot be had, without which the lesson makes fewer claims."""
    starts = [notebook.cells[:end] for end in range(1, len(notebook.cells) + 1)]
    return sorted({name for start in starts for name in notebooks.missing_data(start)})


def code_hash(notebook: NotebookNode) -> str:
    """Hash of what the code of a lesson does, however its claims are worded."""
    return notebooks.code_hash(*(source for source, _ in notebooks.code(notebook)))


def run(notebook: NotebookNode, seed: int, made_from: list) -> list[dict]:
    """Execute a lesson with this seed; return what claims and checks measured, or its record."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "claims")
        notebooks.execute(notebook, COURSE_SEED=str(seed), COURSE_CLAIMS=str(path))
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def runs(lesson: str, notebook: NotebookNode, seeds: Iterable[int]) -> list[list[dict]]:
    """Return what each seed gives, or gave before from the same code, package, lock and data."""
    made_from = [notebooks.code(notebook), notebooks.package_hash(), left_out(notebook)]
    kept = Memory(KEPT, verbose=0).cache(run, ignore=["notebook"])
    found = []
    for seed in seeds:
        print(f"{lesson}, seed {seed} ...", flush=True)
        found.append(kept(notebook, seed, made_from))
    return found


def summary(made: list[list[dict]]) -> list[tuple[str, ...]]:
    """Put together what the seeds gave: a row for each claim, and for each check that failed."""
    rows, every = [], pd.concat(map(pd.DataFrame, made))
    every = every.astype({"value": float, "above": float, "below": float})
    for (_, kind, text), claim in every.groupby([every.index, "kind", "text"]):
        value, held = claim["value"], claim["holds"].sum()
        if kind == "check" and held == len(made):
            continue
        gaps = pd.concat([value - claim["above"], claim["below"] - value], axis=1)
        margin = (gaps.mean() / gaps.std()).clip(upper=100).min()
        bounds = claim[["above", "below"]].mean().dropna().items()
        has_failed = held < len(made) - (len(made) > SEEDS)
        mark = "**!**" if has_failed or margin < ENOUGH[kind] else ""
        claimed = ", ".join(f"{side} {bound:.4g}" for side, bound in bounds)
        figures = [f"{held} of {len(made)}", f"{value.mean():.4g}", f"{value.std():.2g}", claimed]
        rows.append((mark, kind, text.replace("|", "\\|"), *figures, f"{margin:.1f}"))
    return rows


def margins() -> dict[str, str]:
    """Return the stored margins of the lessons that there are."""
    _, *parts = MARGINS.read_text(encoding="utf-8").split("\n## ")
    stored = dict(part.split("\n\n", 1) for part in parts)
    return {name: stored[name] for name in lessons() if name in stored}


def stale() -> list[str]:
    """Name the lessons without margins, or whose code, sentences aside, is another one by now."""
    hashes = {name: code_hash(notebooks.read_source(name)) for name in lessons()}
    return [name for name, code in hashes.items() if f"code {code}" not in margins().get(name, "")]


def measure(lesson: str, first: int) -> list[str]:
    """Store the margins of a lesson's claims and return the texts that are marked."""
    notebook = notebooks.read_source(lesson)
    made = runs(lesson, notebook, range(first, first + SEEDS))
    failed = [sum(not one["holds"] for one in claim) for claim in zip(*made, strict=False)]
    if max(failed, default=0) == 1:
        made += runs(lesson, notebook, range(first + SEEDS, first + 2 * SEEDS))
    rows = summary(made)
    without = f", without {', '.join(gone)}" if (gone := left_out(notebook)) else ""
    new = f"Seeds {first} to {first + len(made) - 1}, code {code_hash(notebook)}{without}; "
    new += f"{sum(one['kind'] == 'check' for one in made[0])} checks.\n\n"
    new += COLUMNS + "".join(f"| {' | '.join(row)} |\n" for row in rows)
    print(new)
    every = sorted((margins() | {lesson: new}).items())
    text = HEAD + "".join(f"\n## {name}\n\n{lines}" for name, lines in every)
    MARGINS.write_text(text, encoding="utf-8", newline="\n")
    return [text for mark, _, text, *_ in rows if mark]


def experiment(lesson: str) -> NotebookNode:
    """Return the lesson up to the cell that sets its record; what follows may show the table."""
    notebook = notebooks.read_source(lesson)
    for end, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "code" and "\nrecord = {" in f"\n{cell.source}":
            notebook.cells[end:] = [new_code_cell(HAND_OVER)]
            return notebook
    raise RuntimeError(
        "it has no line that begins with `record = {`, a dict of what is to be shown"
    )


def store_table(lesson: str) -> None:
    """Store what a lesson records of each seed."""
    notebook = experiment(lesson)
    table = {
        "command": f"make table LESSON={lesson}",
        "code": code_hash(notebook),
        "seeds": [*TABLE_SEEDS],
        "records": [record for (record,) in runs(lesson, notebook, TABLE_SEEDS)],
    }
    path = notebooks.NOTEBOOKS / "tables" / f"{lesson}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing and store it; the exit status is 1 if something is to be mended."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lesson", nargs="?", choices=lessons(), metavar="LESSON")
    parser.add_argument("--first", type=int, default=1001, metavar="SEED", help="the first seed")
    parser.add_argument("--table", action="store_true", help="store the lesson's records")
    asked, to_mend = parser.parse_args(arguments), []
    if asked.table and not asked.lesson:
        parser.error("name the lesson whose table is to be stored: make table LESSON=resnet")
    for lesson in [asked.lesson] if asked.lesson else lessons():
        try:
            if asked.table:
                store_table(lesson)
            else:
                to_mend += [f"{lesson}: {claim}" for claim in measure(lesson, asked.first)]
        except RuntimeError as error:
            to_mend.append(f"{lesson} failed: {error}")
    print(f"{len(to_mend)} to mend", *to_mend, sep="\n  ")
    return int(bool(to_mend))


if __name__ == "__main__":
    sys.exit(main())
