"""Run a lesson with several seeds and store what it records of each, for the lesson to show.

python tools/table.py resnet                  seeds 1 to 5
python tools/table.py resnet --seeds 6 7      these two
python tools/table.py resnet --fresh          measures anew what is there already

The lesson's source is executed, under one ``COURSE_SEED`` after the other, up to the cell that sets
the variable ``record``: a dict that JSON can hold, rounded by the lesson. The records are
added to ``notebooks/tables/<lesson>.json`` as soon as a seed is done. A seed that is there already
is kept, so that an interrupted command goes on where it was; after a change of the experiment all
are measured anew. A seed that fails is reported, and the others are kept.
"""

import argparse
import json
import re
import sys
from pathlib import Path

from nbformat.v4 import new_code_cell
from tqdm import tqdm

import notebooks

SEEDS = (1, 2, 3, 4, 5)
RECORD = re.compile(r"^record = ", re.MULTILINE)
SET_SEED = 'import os\nos.environ["COURSE_SEED"] = "{}"\n'
HAND_OVER = """\
import json
record = globals().get("record")
print(json.dumps(record, allow_nan=False, default=lambda array: array.tolist()))"""


def table_path(lesson: str) -> Path:
    """Where the stored table of a lesson is."""
    return notebooks.NOTEBOOKS / "tables" / f"{lesson}.json"


def read(lesson: str) -> dict[int, dict]:
    """What is stored of each seed; nothing where there is no table yet."""
    if not table_path(lesson).exists():
        return {}
    table = json.loads(table_path(lesson).read_text(encoding="utf-8"))
    return dict(zip(table["seeds"], table["records"], strict=True))


def write(lesson: str, records: dict[int, dict]) -> None:
    """Store the table, all of it or nothing, with the command that makes it."""
    seeds = sorted(records)
    table = {
        "command": f'make table LESSON={lesson} SEEDS="{" ".join(map(str, seeds))}" FRESH=1',
        "seeds": seeds,
        "records": [records[seed] for seed in seeds],
    }
    path = table_path(lesson)
    path.parent.mkdir(exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    text = json.dumps(table, indent=1, ensure_ascii=False)
    unfinished.write_text(text + "\n", encoding="utf-8", newline="\n")
    unfinished.replace(path)


def run(lesson: str, seed: int) -> dict:
    """Execute a lesson with this seed and return its record.

    Raises
    ------
    RuntimeError
        If a cell fails; says which.
    ValueError
        If the lesson leaves no record.
    """
    notebook = notebooks.read_source(lesson)
    last = new_code_cell(HAND_OVER)
    sets_it = (cell.cell_type == "code" and RECORD.search(cell.source) for cell in notebook.cells)
    end = next((i for i, found in enumerate(sets_it, start=1) if found), len(notebook.cells))
    notebook.cells[end:] = [last]  # what follows may read the table that is being made
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    first.source = SET_SEED.format(seed) + first.source
    notebooks.execute(notebook)
    record = json.loads("".join(output.text for output in last.outputs))
    if not isinstance(record, dict):
        raise ValueError(
            f"`record` is {record}, but a dict was expected: "
            "let the lesson collect what its table shows in a variable of this name."
        )
    return record


def main(arguments: list[str] | None = None) -> int:
    """Run the seeds that are asked for; the exit status is 1 if one of them failed."""
    parser = argparse.ArgumentParser(description="Store a lesson's results of several seeds.")
    parser.add_argument("lesson", choices=notebooks.lessons(), metavar="LESSON")
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS, metavar="SEED")
    parser.add_argument("--fresh", action="store_true", help="keep nothing of the stored table")
    asked = parser.parse_args(arguments)
    lesson, failed = asked.lesson, False
    records = {} if asked.fresh else read(lesson)
    if kept := records.keys() & set(asked.seeds):
        print(f"{lesson}: kept as stored (--fresh runs them anew): seeds {sorted(kept)}")
    for seed in tqdm(sorted(set(asked.seeds) - kept), desc=lesson, unit="seed"):
        try:
            records[seed] = run(lesson, seed)
        except RuntimeError as error:
            failed = True
            tqdm.write(f"{lesson} failed with seed {seed}: {error}", file=sys.stderr)
        except ValueError as error:  # every other seed would end as this one
            tqdm.write(f"{lesson}: {error}", file=sys.stderr)
            return 1
        else:
            write(lesson, records)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
