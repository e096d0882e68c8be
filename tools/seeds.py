"""Run the lessons with seeds that nobody tuned, and tell how far each claim is from failing.

A lesson's source is executed in a fresh kernel, under one ``COURSE_SEED`` after the other. A claim
that does not hold is noted, and the lesson goes on. What the claims of a run measured is kept in
``build/seeds``, by seed, the lesson's code, the package and the lock: an interrupted command goes
on where it was, and what was changed is run anew. The table of a lesson is put into
``tests/seeds.md``; those of the other lessons there stay. The exit status is 1 if a claim is marked
there or a lesson failed.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from nbformat import NotebookNode
from tqdm import tqdm

import notebooks
import table

FIRST_SEED = 1001
ENOUGH = 2  # standard deviations
ROOT = Path(__file__).resolve().parents[1]
STORE = ROOT / "build" / "seeds"
TABLE = ROOT / "tests" / "seeds.md"
HEAD = f"""\
# Claims under seeds that nobody tuned

Made by `make test-seeds`. Margin: distance of the mean over the seeds to the nearer bound, in
standard deviations over the seeds, at most 100; timings, which depend on the machine, have none.
**!** marks a claim that did not hold with every seed or whose margin is below {ENOUGH}.
"""


def lessons() -> list[str]:
    """Names of the lessons that make claims: all but the course map."""
    return [lesson for lesson in notebooks.lessons() if lesson != "index"]


def left_out(notebook: NotebookNode) -> list[str]:
    """Data sets that cannot be had, without which the lesson makes fewer claims."""
    cells = notebook.cells
    ends = range(1, len(cells) + 1)
    return sorted({name for end in ends for name in notebooks.missing_data(cells[:end])})


def store_path(lesson: str, notebook: NotebookNode, seed: int) -> Path:
    """Where the claims of a run are kept; other code, package or data sets, another file."""
    code = notebooks.code_hash(notebook)
    decides = notebooks.short_hash([code, notebooks.package_hash(), left_out(notebook)])
    return STORE / f"{lesson}-{decides}-{seed}.json"


def run(notebook: NotebookNode, seed: int) -> list[dict]:
    """Execute a lesson with this seed and return what each of its claims measured, in order."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "claims")
        variables = {"COURSE_SEED": str(seed), "COURSE_CLAIMS": str(path)}
        notebook = table.with_variables(notebook, **variables)
        notebooks.execute(notebook)
        if not path.exists():
            raise RuntimeError("it makes no claim")
        made = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    timed = [c for c in notebook.cells if notebooks.IGNORED_TAG in c.metadata.get("tags", [])]
    printed = "".join(out.get("text", "") for cell in timed for out in cell.get("outputs", []))
    return [claim | {"timed": f" {claim['text']}: " in printed} for claim in made]


def summary(runs: dict[int, list[dict]]) -> pd.DataFrame:
    """Put together what the seeds gave for each claim, a line each, as it stands in the table."""
    made = pd.concat(pd.DataFrame(runs[seed]).assign(seed=seed) for seed in runs)
    made[["value", "above", "below"]] = made[["value", "above", "below"]].astype(float)
    made["over"], made["under"] = made["value"] - made["above"], made["below"] - made["value"]
    made["again"] = made.groupby(["seed", "text"]).cumcount()  # the same text is another claim
    claims = made.groupby(["text", "again"], sort=False)
    mean, sd = claims.mean(numeric_only=True), claims.std(numeric_only=True)
    timed, held = claims["timed"].first(), claims["holds"].sum()
    margin = (mean / sd)[["over", "under"]].min(axis=1).clip(upper=100).mask(timed)
    columns = {
        "": np.where((held < len(runs)) | (margin < ENOUGH), "**!**", ""),
        "claim": held.index.get_level_values("text").str.replace("|", "\\|"),
        "held": held.map(f"{{}} of {len(runs)}".format),
        "mean": mean["value"].map("{:.4g}".format),
        "sd": sd["value"].map("{:.2g}".format),
        "above": mean["above"].map("{:.4g}".format),
        "below": mean["below"].map("{:.4g}".format),
        "margin": margin.map("{:.1f}".format),
    }
    return pd.DataFrame(columns).replace("nan", "")


def section(lesson: str, notebook: NotebookNode, lines: pd.DataFrame, seeds: range) -> str:
    """Write the table of a lesson, with the command that makes it."""
    without = f", without {', '.join(gone)}" if (gone := left_out(notebook)) else ""
    first = f" FIRST={seeds[0]}" if seeds[0] != FIRST_SEED else ""
    rows = [lines.columns, ["---"] * len(lines.columns), *lines.itertuples(index=False)]
    return (
        f"## {lesson}\n\n`make test-seeds LESSON={lesson} N={len(seeds)}{first}`: "
        f"seeds {seeds[0]} to {seeds[-1]}, code {table.code_hash(notebook)}{without}.\n\n"
    ) + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def sections() -> dict[str, str]:
    """Return the stored tables of the lessons that there are."""
    _, *parts = TABLE.read_text(encoding="utf-8").split("\n## ") if TABLE.exists() else [""]
    there = {part.split("\n", 1)[0]: f"## {part.rstrip()}\n" for part in parts}
    return {name: there[name] for name in lessons() if name in there}


def stale() -> list[str]:
    """Name the lessons without a table, or whose code, sentences aside, is another one by now."""
    there, read = sections(), notebooks.read_source
    return [n for n in lessons() if f"code {table.code_hash(read(n))}" not in there.get(n, "")]


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing and print the tables; the exit status is 1 if a claim is marked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lesson", nargs="?", choices=lessons(), metavar="LESSON")
    parser.add_argument("--first", type=int, default=FIRST_SEED, metavar="SEED", help="from it on")
    parser.add_argument("--seeds", type=int, default=8, metavar="N", help="how many, in a row")
    parser.add_argument("--fresh", action="store_true", help="keep no earlier run")
    asked = parser.parse_args(arguments)
    if asked.seeds < 2:
        parser.error(f"{asked.seeds} seeds have no standard deviation: ask for 2 or more")
    seeds, to_mend = range(asked.first, asked.first + asked.seeds), []
    for lesson in [asked.lesson] if asked.lesson else lessons():
        notebook, runs = notebooks.read_source(lesson), {}
        for seed in tqdm(seeds, desc=lesson, unit="run"):
            path = store_path(lesson, notebook, seed)
            try:
                if asked.fresh or not path.exists():
                    table.store(path, run(notebook, seed))
                runs[seed] = json.loads(path.read_text(encoding="utf-8"))
            except RuntimeError as error:
                to_mend.append(f"{lesson} failed with seed {seed}: {error}")
        if len(runs) < len(seeds):
            continue
        lines = summary(runs)
        new = section(lesson, notebook, lines, seeds)
        print(new)
        tables = sorted((sections() | {lesson: new}).values())
        TABLE.write_text("\n".join([HEAD, *tables]), encoding="utf-8", newline="\n")
        to_mend += [f"{lesson}: {claim}" for claim in lines["claim"][lines[""] != ""]]
    print(f"{len(to_mend)} to mend" + ":" * bool(to_mend), *to_mend, sep="\n  ")
    print("Measured with other code, or not at all:", ", ".join(stale()) or "none")
    return int(bool(to_mend))


if __name__ == "__main__":
    sys.exit(main())
