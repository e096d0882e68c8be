"""Build the notebooks: each lesson's source, with the outputs of its code, as stored.

A lesson is executed, in a fresh kernel, if its code changed, its figures were drawn by other
drawing code than today's, or it is asked for. Where only its text changed, the text is put into the
stored notebook. The outputs of a stored notebook are those of one run: they stay, pictures
included, when the same code is executed again and tests/notebook_comparer.py finds no difference.
"""

import argparse
import ast
import base64
import hashlib
import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

import course_map
import execution
from execution import WIDGET_VIEW, missing_data

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
COVER_TAG = "cover"
FIGURE = re.compile(r'<img alt="([^"]*)" src="data:image/png;base64,([^"]*)">')
IGNORED_TAG = "nbval-ignore-output"
TAGS_OF_COMPARISON = ("rtol=", "atol=", "nbval-", COVER_TAG)  # they change nothing in a run
ONLY_TEXT = "its text changed"
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE_INFO = {"name": "python", "pygments_lexer": "ipython3"}


def lessons() -> list[str]:
    """Names of all lessons that have a source."""
    return sorted(path.stem for path in (NOTEBOOKS / "source").glob("*.py"))


def source_path(lesson: str) -> Path:
    return NOTEBOOKS / "source" / f"{lesson}.py"


def notebook_path(lesson: str) -> Path:
    return NOTEBOOKS / f"{lesson}.ipynb"


def cover_path(lesson: str) -> Path:
    return NOTEBOOKS / "figures" / f"{lesson}.png"


def read_source(lesson: str) -> NotebookNode:
    """Turn a lesson's source into the notebook that it stands for, without outputs.

    Nothing in it depends on the machine or the moment: cells are named by their position, and of
    Jupytext's metadata nothing is left that could pair the notebook with its source.
    """
    notebook = jupytext.read(source_path(lesson), fmt="py:percent")
    for position, cell in enumerate(notebook.cells):
        cell.id = f"cell-{position:03d}"
        cell.metadata = {k: v for k, v in cell.metadata.items() if not k.startswith("lines_to_")}
    notebook.metadata = {
        "course": {"drawing": drawing_code(lesson)},
        "kernelspec": KERNELSPEC,
        "language_info": LANGUAGE_INFO,
    }
    return notebook


def read_stored(lesson: str) -> NotebookNode | None:
    """The stored notebook; None where there is none, or one that a conflict left unreadable."""
    try:
        return nbformat.v4.reads(notebook_path(lesson).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells of a notebook that are executed."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def code(notebook: NotebookNode) -> list[tuple[str, list[str]]]:
    """What a run depends on in a lesson: its code cells, and the tags that do not only compare."""
    cells = [(cell.source, cell.metadata.get("tags", [])) for cell in code_cells(notebook)]
    return [
        (text, [t for t in tags if not t.startswith(TAGS_OF_COMPARISON)]) for text, tags in cells
    ]


def meaning(node: object) -> list | str:
    """A syntax tree as lists, the same on every Python, without docstrings and sentences.

    A sentence is a string of four words or more that holds no code of a browser.
    """
    if isinstance(node, list):
        return [meaning(one) for one in node]
    if isinstance(node, str) and node.count(" ") > 2 and not {*"<{;"} & {*node}:
        return ""
    if not isinstance(node, ast.AST):
        return repr(node)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return ""  # a docstring
    fields = [[k, meaning(v)] for k, v in ast.iter_fields(node) if v not in (None, [])]
    return [type(node).__name__, *fields]


def code_hash(*sources: str) -> str:
    """Hash of what code does: comments, line breaks and sentences do not count."""
    trees = [meaning(ast.parse(source)) for source in sources]
    return hashlib.sha256(repr(trees).encode()).hexdigest()[:16]


def without(code: str, suffix: str, explorers: set[str]) -> str:
    """What the explorers share, without the functions and styles of some of them."""
    if suffix == ".css":
        some = "|".join(sorted(explorers))
        return re.sub(rf"^\.explorer\.({some})\b[^}}]*}}\n", "", code, flags=re.M)
    tree = ast.parse(code)
    tree.body = [node for node in tree.body if getattr(node, "name", "") not in explorers]
    return ast.unparse(tree)


def drawing_code(lesson: str) -> str:
    """Hash of what draws for a lesson: Python by what it does, scripts and styles byte for byte."""
    text = source_path(lesson).read_text(encoding="utf-8")
    called = {*re.findall(r"\bexplorers\.(\w+)\(", text)}
    names = ["plotting.py", f"lessons/{lesson}.py"]
    if called:
        names += [f"explorers/{name}" for name in ("__init__.py", "common.js", "style.css")]
        names += [f"explorers/{name}.js" for name in sorted(called)]
    others = {path.stem for path in (ROOT / "course_utils/explorers").glob("*.js")} - called
    drawing = hashlib.sha256()
    for path in (ROOT / "course_utils" / name for name in names):
        code = path.read_text(encoding="utf-8") if path.exists() else ""
        if path.name in ("__init__.py", "style.css"):
            code = without(code, path.suffix, others)
        drawing.update((code_hash(code) if path.suffix == ".py" else code).encode())
    return drawing.hexdigest()[:16]


def package_hash() -> str:
    """Hash of what, besides its own code, decides what a lesson gives: the package and the lock."""
    paths = [*sorted((ROOT / "course_utils").rglob("*.py")), ROOT / "requirements.lock"]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()


def splice(notebook: NotebookNode, stored: NotebookNode) -> None:
    """Put the stored outputs of the same code into a notebook that was read from its source."""
    for cell, before in zip(code_cells(notebook), code_cells(stored), strict=True):
        cell.outputs, cell.execution_count = before.outputs, before.execution_count


def to_do(lesson: str) -> str:
    """Why a stored notebook is not what its lesson makes today; empty if it is."""
    notebook, stored = read_source(lesson), read_stored(lesson)
    if stored is None:
        return "it has no notebook that can be read"
    if code(notebook) != code(stored):
        return "its code changed"
    if notebook.metadata.course != stored.metadata.get("course"):
        return "its figures are older than the drawing code"
    splice(notebook, stored)
    return ONLY_TEXT if notebook != stored else ""


def clean(outputs: list) -> list:
    """Outputs as they are stored: what a reader sees and another machine can repeat.

    Left out are stderr (log lines), widgets (progress bars) and the inner lines of tracebacks (they
    hold paths of this machine).
    """
    for output in outputs:
        if output.output_type == "error":
            output.traceback = [f"{output.ename}: {output.evalue}"]
    seen = [output for output in outputs if output.get("name") != "stderr"]
    return [output for output in seen if WIDGET_VIEW not in output.get("data", {})]


def execute(notebook: NotebookNode, **variables: str) -> None:
    """Run the cells in a fresh kernel that has these variables, and store their outputs in them.

    Cells whose data set cannot be had stay as they are, without outputs.
    """
    client = execution.client(notebook, NOTEBOOKS)
    client.coalesce_streams = True  # prints that follow each other become one
    as_ever = {"COURSE_SEED": "", "COURSE_CLAIMS": ""}  # its own seed, and claims that stop it
    env = os.environ | as_ever | variables
    with client.setup_kernel(env=env, stderr=subprocess.DEVNULL):
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type != "code":
                continue
            if missing := missing_data(notebook.cells[: index + 1]):
                print(f"  cell {index} left out: no data set {', '.join(missing)}")
                continue
            try:
                execution.run_cell(client, index)
            except RuntimeError as error:
                raise RuntimeError(f"cell {index} failed: {error}\n{cell.source}") from None
            cell.outputs = clean(cell.outputs)


def gave_the_same(notebook: NotebookNode, stored: NotebookNode) -> bool:
    """Whether the code of a stored notebook, executed again, gave what is stored."""
    sys.path.append(str(ROOT / "tests"))
    from notebook_comparer import Tolerance, differences

    for cell, before in zip(code_cells(notebook), code_cells(stored), strict=True):
        tags = cell.metadata.get("tags", [])
        is_judged = cell.execution_count is not None and IGNORED_TAG not in tags
        if is_judged and differences(before.outputs, cell.outputs, Tolerance.from_tags(tags)):
            return False
    return True


def figures(cell: NotebookNode) -> list[tuple[str, bytes]]:
    """Text and picture (PNG) of each figure that a cell shows by ``plotting.show``."""
    pages = [output.get("data", {}).get("text/html", "") for output in cell.get("outputs", [])]
    found = filter(None, map(FIGURE.fullmatch, pages))
    return [(html.unescape(one[1]), base64.b64decode(one[2])) for one in found]


def cover(notebook: NotebookNode) -> bytes | None:
    """The picture of the cell tagged ``cover``: at the lesson's head and in the README."""
    tagged = [cell for cell in notebook.cells if COVER_TAG in cell.metadata.get("tags", [])]
    return next((picture for cell in tagged for _, picture in figures(cell)), None)


def bring_up_to_date(lesson: str, why: str, is_asked: bool) -> None:
    """Execute a lesson if need be, and store it; a RuntimeError says which cell failed, and how."""
    notebook, stored = read_source(lesson), read_stored(lesson)
    is_of_this_code = why in ("", ONLY_TEXT)
    if is_asked or not is_of_this_code:
        execute(notebook)
    if is_of_this_code and (not is_asked or gave_the_same(notebook, stored)):
        print("  its outputs, pictures included, stay as they were stored")
        splice(notebook, stored)
    nbformat.write(notebook, notebook_path(lesson))
    if picture := cover(notebook):
        cover_path(lesson).parent.mkdir(exist_ok=True)
        cover_path(lesson).write_bytes(picture)


def main(arguments: list[str] | None = None) -> int:
    """Build what is asked for; the exit status is 1 if a lesson failed."""
    parser = argparse.ArgumentParser(description="Bring the notebooks up to date.")
    parser.add_argument("lesson", nargs="?", choices=lessons(), metavar="LESSON")
    asked = parser.parse_args(arguments).lesson
    course_map.update()
    failed = False
    for lesson in [asked] if asked else lessons():
        why = to_do(lesson)
        if why or asked:
            print(f"{lesson}: {why or 'it is asked for'}", flush=True)
            try:
                bring_up_to_date(lesson, why, bool(asked))
            except RuntimeError as error:
                failed = True
                print(f"{lesson}: its notebook stays as it was, {error}", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
