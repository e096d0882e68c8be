"""Run a lesson with several seeds and store what it records of each, for the lesson to show.

The lesson's source is executed, under one ``COURSE_SEED`` after the other, up to the cell that sets
``record = {...}``: what JSON can hold, rounded by the lesson. Each seed is stored as soon as it is
done, in ``notebooks/tables/<lesson>.json``, with a hash of the code up to that cell. Seeds that are
there from the same code are kept, so that an interrupted command goes on where it was.
"""

import argparse
import ast
import copy
import json
import sys
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from tqdm import tqdm

import notebooks

HAND_OVER = """\
import json
print(json.dumps(record, allow_nan=False, default=lambda array: array.tolist()))"""


def store(path: Path, value: dict | list) -> None:
    """Write this as JSON, all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    text = json.dumps(value, indent=1, ensure_ascii=False)
    unfinished.write_text(text + "\n", encoding="utf-8", newline="\n")
    unfinished.replace(path)


class Unworded(ast.NodeTransformer):
    """Code without its sentences, so that a claim or a title may be worded anew.

    A sentence is a string of three words or more; shorter ones may be names that decide something.
    """

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant("") if str(node.value).count(" ") > 1 else node


def code_hash(notebook: NotebookNode) -> str:
    """Hash of what the code of a lesson does, whatever its sentences say."""
    trees = [Unworded().visit(ast.parse(cell.source)) for cell in notebooks.code_cells(notebook)]
    return notebooks.short_hash(notebooks.meaning(trees))


def with_variables(notebook: NotebookNode, **variables: str) -> NotebookNode:
    """Copy a lesson, and let its first code cell set these environment variables."""
    notebook = copy.deepcopy(notebook)
    first = notebooks.code_cells(notebook)[0]
    first.source = f"import os\nos.environ.update({variables})\n{first.source}"
    return notebook


def experiment(lesson: str) -> NotebookNode | None:
    """Return the lesson up to the cell that sets its record; what follows may show the table."""
    notebook = notebooks.read_source(lesson)
    for end, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "code" and "\nrecord = {" in f"\n{cell.source}":
            del notebook.cells[end:]
            return notebook
    return None


def run(notebook: NotebookNode, seed: int) -> dict:
    """Execute an experiment with this seed and return its record."""
    notebook = with_variables(notebook, COURSE_SEED=str(seed))
    notebook.cells.append(new_code_cell(HAND_OVER))
    notebooks.execute(notebook)
    return json.loads(notebook.cells[-1].outputs[0].text)


def main(arguments: list[str] | None = None) -> None:
    """Run the seeds that are asked for, up to the first that fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lesson", choices=notebooks.lessons(), metavar="LESSON")
    parser.add_argument("--seeds", nargs="+", type=int, default=range(1, 6), metavar="SEED")
    parser.add_argument("--fresh", action="store_true", help="keep nothing of the stored table")
    asked = parser.parse_args(arguments)
    if not (notebook := experiment(asked.lesson)):
        parser.error(
            f"{asked.lesson} has no line that begins with `record = {{`. Let the lesson collect "
            "what its table shows in a dict of this name."
        )
    path, code = notebooks.NOTEBOOKS / "tables" / f"{asked.lesson}.json", code_hash(notebook)
    table = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    records = {}
    if table.get("code") == code and not asked.fresh:
        records = dict(zip(table["seeds"], table["records"], strict=True))
        print(f"Kept as stored (FRESH=1 runs them anew): seeds {table['seeds']}")
    for seed in tqdm(sorted(set(asked.seeds) - records.keys()), desc=asked.lesson, unit="seed"):
        try:
            records[seed] = run(notebook, seed)
        except RuntimeError as error:
            sys.exit(f"{asked.lesson} failed with seed {seed}: {error}")
        records = dict(sorted(records.items()))
        table = {"command": f"make table LESSON={asked.lesson}", "code": code, "seeds": [*records]}
        store(path, table | {"records": [*records.values()]})


if __name__ == "__main__":
    main()
