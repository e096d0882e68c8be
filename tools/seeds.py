"""Run the lessons with seeds that nobody tuned, and tell how far each claim is from failing.

python tools/seeds.py                  every lesson, seeds 1001 to 1008
python tools/seeds.py flows            this lesson
python tools/seeds.py --seeds 4        seeds 1001 to 1004
python tools/seeds.py --first 2001     seeds 2001 to 2008, after a repair that was tuned on others
python tools/seeds.py flows --fresh    runs anew what was run already

A lesson's source is executed in a fresh kernel, under one ``COURSE_SEED`` after the other. A claim
that does not hold is noted, and the lesson goes on. What the claims of a run measured is kept in
``build/seeds``, by seed, the lesson's code, the package and the lock: an interrupted command goes
on where it was, and what was changed, other than the text, is run anew.

A claim's margin is the distance of its mean over the seeds to the nearer bound, in standard
deviations over the seeds. Marked are claims that did not hold with every seed or have a margin
below 2. Claims in cells that the tests do not compare are timings: listed apart, and marked only
where they did not hold. The exit status is 1 if a claim is marked or a lesson failed. The table of
each lesson is put into ``tests/seeds.md``; those of the other lessons there stay.
"""

import argparse
import hashlib
import json
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import numpy as np
from tqdm import tqdm

import notebooks
from table import SET_SEED

FIRST_SEED = 1001
ENOUGH = 2  # standard deviations
FAR = 0.1  # errors up to this share of their bound need no standard deviation
ROOT = Path(__file__).resolve().parents[1]
STORE = ROOT / "build" / "seeds"
TABLE = ROOT / "tests" / "seeds.md"
NOTE_CLAIMS = 'import os\nos.environ["COURSE_CLAIMS"] = {!r}\n'
IGNORED_TAG = "nbval-ignore-output"
HEAD = """\
# Claims under seeds that nobody tuned

Made by `make test-seeds`. Margin: distance of the mean over the seeds to the nearer bound, in
standard deviations over the seeds. *exact*: the same with every seed. *far below*: never more than
a tenth of its bound. **!** marks a claim that did not hold with every seed or whose margin is below
2; of timings, which depend on the machine, only one that did not hold.
"""


@dataclass
class Claim:
    """One claim of a lesson, with one number for each seed in which it was made."""

    text: str
    timed: bool
    values: list[float] = field(default_factory=list)
    distances: list[tuple[float, float]] = field(default_factory=list)  # to both bounds
    claimed: list[str] = field(default_factory=list)
    held: int = 0

    def add(self, made: dict) -> None:
        """Take in what one seed gave."""
        value, above, below = (made[key] for key in ("value", "above", "below"))
        self.values.append(value)
        to_above = np.inf if above is None else value - above
        to_below = np.inf if below is None else below - value
        self.distances.append((to_above, to_below))
        bounds = [f"above {above:.4g}"] if above is not None else []
        bounds += [f"below {below:.4g}"] if below is not None else []
        self.claimed.append(", ".join(bounds))
        self.held += made["holds"]

    @property
    def margin(self) -> float:
        """In standard deviations over the seeds; infinite where nothing varies or all is far."""
        distances = np.array(self.distances, dtype=float)
        nearer = distances[:, distances.mean(axis=0).argmin()]
        if np.isnan(nearer).any():
            return float("nan")
        if self.is_far or (nearer == nearer[0]).all():  # so written, infinity is equal to itself
            return float("inf") if (nearer > 0).all() else float("-inf")
        return float(nearer.mean() / nearer.std(ddof=1))

    @property
    def is_far(self) -> bool:
        """Whether this is an error, or the like, that stays far below its only bound."""
        values, (to_above, to_below) = np.abs(self.values), np.transpose(self.distances)
        return bool(np.isinf(to_above).all() and (values <= FAR * (self.values + to_below)).all())

    def is_marked(self, seeds: int) -> bool:
        """Whether it failed once, or might soon."""
        return self.held < seeds or not (self.timed or self.margin >= ENOUGH)

    def row(self, seeds: int) -> str:
        """Make its line in the table."""
        if np.isinf(self.margin):
            margin = "far below" if self.is_far and np.ptp(self.values) else "exact"
        else:
            margin = "over 100" if self.margin > 100 else f"{self.margin:.1f}"
        cells = (
            "**!**" if self.is_marked(seeds) else "",
            self.text.replace("|", "\\|"),
            f"{self.held} of {seeds}",
            f"{np.mean(self.values):.4g}",
            f"{np.std(self.values, ddof=1):.2g}" if len(self.values) > 1 else "",
            "; ".join(dict.fromkeys(self.claimed)),
            margin,
        )
        return f"| {' | '.join(cells)} |"


def left_out(notebook: nbformat.NotebookNode) -> list[str]:
    """Data sets that cannot be had, without which the lesson makes fewer claims."""
    tagged = [
        end
        for end, cell in enumerate(notebook.cells, start=1)
        if notebooks.DOWNLOAD_TAG in cell.metadata.get("tags", [])
    ]
    return notebooks.missing_data(notebook.cells[: tagged[-1]]) if tagged else []


def code_hash(notebook: nbformat.NotebookNode) -> str:
    """Hash of the code and the tags of a lesson: its text measures nothing."""
    code = [
        (cell.source, cell.metadata.get("tags", []))
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()[:12]


def store_path(lesson: str, seed: int) -> Path:
    """Where the claims of a run are kept; other code, package or data sets, another file."""
    notebook = notebooks.read_source(lesson)
    key = " ".join([code_hash(notebook), notebooks.package_hash(), *left_out(notebook)])
    return STORE / f"{lesson}-{hashlib.sha256(key.encode()).hexdigest()[:12]}-{seed}.json"


def run(lesson: str, seed: int) -> list[dict]:
    """Execute a lesson with this seed and return what each of its claims measured, in order.

    Raises
    ------
    RuntimeError
        If a cell fails otherwise than by a claim; says which.
    """
    notebook = notebooks.read_source(lesson)
    made = []
    with tempfile.TemporaryDirectory() as folder:
        coded = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
        for i in coded:  # a file for each cell tells where a claim was made
            cell = notebook.cells[i]
            cell.source = NOTE_CLAIMS.format(str(Path(folder, str(i)))) + cell.source
        notebook.cells[coded[0]].source = SET_SEED.format(seed) + notebook.cells[coded[0]].source
        notebooks.execute(notebook)
        for i in coded:
            timed = IGNORED_TAG in notebook.cells[i].metadata.get("tags", [])
            if (path := Path(folder, str(i))).exists():
                lines = path.read_text(encoding="utf-8").splitlines()
                made += [json.loads(line) | {"timed": timed} for line in lines]
    return made


def collected(runs: list[list[dict]]) -> list[Claim]:
    """Put together what the seeds gave for each claim. A text that comes again is another claim."""
    claims = {}
    for made in runs:
        seen = []
        for one in made:
            seen.append(one["text"])
            key = one["text"], seen.count(one["text"])
            claims.setdefault(key, Claim(one["text"], one["timed"])).add(one)
    return list(claims.values())


def section(lesson: str, claims: list[Claim], seeds: list[int]) -> str:
    """Write the table of a lesson, with the command that makes it."""
    notebook = notebooks.read_source(lesson)
    without = f", without {', '.join(gone)}" if (gone := left_out(notebook)) else ""
    first = f" FIRST={seeds[0]}" if seeds[0] != FIRST_SEED else ""
    lines = [
        f"## {lesson}\n",
        f"`make test-seeds LESSON={lesson} N={len(seeds)}{first}`: seeds {seeds[0]} to "
        f"{seeds[-1]}, code {code_hash(notebook)}{without}.",
    ]
    for title, timed in (("", False), ("Timings, which depend on the machine:\n", True)):
        if rows := [claim.row(len(seeds)) for claim in claims if claim.timed == timed]:
            head = "| | claim | held | mean | sd | claimed | margin |"
            lines += ["", f"{title}\n{head}" if title else head, "| --- " * 7 + "|", *rows]
    return "\n".join(lines) + "\n"


def store_table(sections: dict[str, str]) -> None:
    """Put these lessons into the table, and keep those that are there and still have a source."""
    text = TABLE.read_text(encoding="utf-8") if TABLE.exists() else ""
    _, *parts = f"\n{text}".split("\n## ")
    there = {part.split("\n", 1)[0]: f"## {part.rstrip()}\n" for part in parts}
    all_sections = {name: there[name] for name in there if name in notebooks.lessons()} | sections
    text = "\n".join([HEAD, *(all_sections[name] for name in sorted(all_sections))])
    TABLE.write_text(text, encoding="utf-8", newline="\n")


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing and print the tables; the exit status is 1 if a claim is marked."""
    parser = argparse.ArgumentParser(description="Measure the margins of all claims over seeds.")
    known = [lesson for lesson in notebooks.lessons() if lesson != "index"]
    parser.add_argument("lesson", nargs="?", choices=known, metavar="LESSON")
    parser.add_argument("--first", type=int, default=FIRST_SEED, metavar="SEED", help="from it on")
    parser.add_argument("--seeds", type=int, default=8, metavar="N", help="how many, in a row")
    parser.add_argument("--fresh", action="store_true", help="keep no earlier run")
    asked = parser.parse_args(arguments)
    if asked.seeds < 2:
        parser.error(f"{asked.seeds} seeds have no standard deviation: ask for 2 or more")
    lessons = [asked.lesson] if asked.lesson else known
    seeds = [asked.first + i for i in range(asked.seeds)]

    STORE.mkdir(parents=True, exist_ok=True)
    all_runs = [(lesson, seed) for lesson in lessons for seed in seeds]
    if asked.fresh:
        for lesson, seed in all_runs:
            store_path(lesson, seed).unlink(missing_ok=True)
    to_do = [one for one in all_runs if not store_path(*one).exists()]
    for lesson, seed in tqdm(to_do, unit="run"):
        path = store_path(lesson, seed)  # before the run, during which somebody may edit the lesson
        try:
            made = run(lesson, seed)
        except RuntimeError as error:
            tqdm.write(f"{lesson} failed with seed {seed}: {error}", file=sys.stderr)
            continue
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(made), encoding="utf-8")
        unfinished.replace(path)

    sections, marked = {}, []
    for lesson in lessons:
        paths = {seed: store_path(lesson, seed) for seed in seeds}
        if missing := [seed for seed, path in paths.items() if not path.exists()]:
            marked.append(f"{lesson}: failed, or edited while it ran, with seeds {missing}")
            continue
        claims = collected([json.loads(path.read_text("utf-8")) for path in paths.values()])
        sections[lesson] = section(lesson, claims, seeds)
        marked += [f"{lesson}: {c.text}" for c in claims if c.is_marked(asked.seeds)]
    store_table(sections)
    print("\n".join(sections.values()))
    print(f"{len(marked)} to mend" + ":" * bool(marked), *marked, sep="\n  ")
    return int(bool(marked))


if __name__ == "__main__":
    sys.exit(main())
