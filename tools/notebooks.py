"""Build the notebooks: each lesson's source, with the outputs of its code, as stored.

python tools/notebooks.py           every lesson whose notebook is not what its source makes
python tools/notebooks.py flows     executes this lesson, whether it changed or not

A lesson is executed, in a fresh kernel, if its code changed or its pictures were drawn by other
drawing code than today's. Where only its text changed, the text is put into the stored notebook.

A cell whose code is the same keeps its stored outputs if tests/notebook_comparer.py finds no
difference. What that cannot judge, pictures and outputs that are not compared, stays only if no
code cell and no drawing code changed and all else was found equal; then the file stays as it is,
and removing it first has everything drawn anew.

A lesson that raises an error is reported and leaves its stored notebook as it was.
"""

import argparse
import ast
import base64
import difflib
import functools
import hashlib
import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

# jsonschema's grammar of web addresses, which no notebook needs: a second to load, of two in all.
sys.modules["rfc3987_syntax"] = None

import jupytext  # noqa: E402
import nbformat  # noqa: E402

import execution  # noqa: E402
from execution import WIDGET_VIEW, missing_data  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
DRAWING_CODE = ("course_utils/plotting.py", "course_utils/widgets.py")
COVER_TAG = "cover"
IGNORED_TAG = "nbval-ignore-output"
TAGS_OF_COMPARISON = ("rtol=", "atol=", "nbval-", COVER_TAG)  # they change nothing in a run
ONLY_TEXT = "its text changed"
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE_INFO = {  # without the version, which would change the file from Python to Python
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}


def lessons() -> list[str]:
    """Names of all lessons that have a source."""
    return sorted(path.stem for path in (NOTEBOOKS / "source").glob("*.py"))


def source_path(lesson: str) -> Path:
    """Where the text of a lesson is."""
    return NOTEBOOKS / "source" / f"{lesson}.py"


def notebook_path(lesson: str) -> Path:
    """Where the executed notebook of a lesson is."""
    return NOTEBOOKS / f"{lesson}.ipynb"


def cover_path(lesson: str) -> Path:
    """Where a lesson's cover is."""
    return NOTEBOOKS / "figures" / f"{lesson}.png"


def read_source(lesson: str) -> nbformat.NotebookNode:
    """Turn a lesson's source into the notebook that it stands for, without outputs.

    Nothing in it depends on the machine or the moment: cells are named by their position, and of
    Jupytext's metadata nothing is left that could pair the notebook with its source.
    """
    notebook = jupytext.reads(source_path(lesson).read_text(encoding="utf-8"), fmt="py:percent")
    for position, cell in enumerate(notebook.cells):
        cell.id = f"cell-{position:03d}"
        cell.metadata = {k: v for k, v in cell.metadata.items() if not k.startswith("lines_to_")}
    made_by = {"code": code_hash(notebook)}
    notebook.metadata = {
        "course": made_by,
        "kernelspec": KERNELSPEC,
        "language_info": LANGUAGE_INFO,
    }
    return notebook


def read_stored(lesson: str) -> nbformat.NotebookNode | None:
    """The stored notebook; None where there is none, or one that a conflict left unreadable."""
    try:
        return nbformat.v4.reads(notebook_path(lesson).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None


def package_hash(root: Path = ROOT) -> str:
    """Hash of what, besides its own code, decides what a lesson gives: the package and the lock."""
    paths = [*sorted((root / "course_utils").rglob("*.py")), root / "requirements.lock"]
    texts = [path.read_bytes() for path in paths if path.exists()]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """The cells of a notebook that are executed."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def short_hash(value: list) -> str:
    """Hash of what JSON can hold."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def code_hash(notebook: nbformat.NotebookNode) -> str:
    """Hash of a lesson's code cells, and of their tags but for those that only compare."""
    code = []
    for cell in code_cells(notebook):
        tags = cell.metadata.get("tags", [])
        code.append([cell.source, [tag for tag in tags if not tag.startswith(TAGS_OF_COMPARISON)]])
    return short_hash(code)


def meaning(node: object) -> list | str:
    """A syntax tree as lists, without its docstrings: the same on every Python."""
    if isinstance(node, list):
        return [one for one in map(meaning, node) if one]
    if not isinstance(node, ast.AST):
        return repr(node)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return ""  # a docstring
    fields = [[k, meaning(v)] for k, v in ast.iter_fields(node) if v not in (None, [])]
    return [type(node).__name__, *fields]


@functools.cache
def drawing_code() -> dict[str, str]:
    """Hash of each module that draws; its comments, docstrings and line breaks do not count."""
    trees = {name: ast.parse((ROOT / name).read_bytes()) for name in DRAWING_CODE}
    return {name: short_hash(meaning(tree)) for name, tree in trees.items()}


def has_picture(cell: nbformat.NotebookNode) -> bool:
    """Whether a cell shows something of which the comparer sees the presence alone."""
    kinds = [kind for output in cell.get("outputs", []) for kind in output.get("data", {})]
    return any(kind.startswith("image/") or kind == "text/html" for kind in kinds)


def splice(notebook: nbformat.NotebookNode, stored: nbformat.NotebookNode) -> None:
    """Put the stored outputs of the same code into a notebook that was read from its source."""
    for cell, before in zip(code_cells(notebook), code_cells(stored), strict=True):
        cell.outputs, cell.execution_count = before.outputs, before.execution_count
    notebook.metadata.course = stored.metadata.course


def to_do(lesson: str) -> str:
    """Why a stored notebook is not what its lesson makes today; empty if it is."""
    notebook, stored = read_source(lesson), read_stored(lesson)
    if stored is None:
        return "it has no notebook that can be read"
    made_by, code = stored.metadata.get("course", {}), notebook.metadata.course.code
    if made_by.get("code") != code or code_hash(stored) != code:
        return "its code changed"
    drawn_by = made_by.get("drawing", {})
    older = [name for name, today in drawing_code().items() if drawn_by.get(name) != today]
    if older and any(map(has_picture, stored.cells)):
        return f"its figures are older than {' and '.join(older)}"
    splice(notebook, stored)
    return ONLY_TEXT if notebook != stored else ""


def clean(outputs: list) -> list:
    """Outputs as they are stored: what a reader sees and another machine can repeat.

    Left out are stderr (progress bars, log lines), widgets (dead without a kernel: a static figure
    stands beside each) and the inner lines of tracebacks (they hold paths of this machine). Prints
    that follow each other become one.
    """
    kept = []
    for output in outputs:
        if output.output_type == "stream":
            if output.name == "stderr":
                continue
            if kept and kept[-1].output_type == "stream":
                kept[-1].text += output.text
                continue
        elif output.output_type == "error":
            output.traceback = [f"{output.ename}: {output.evalue}"]
        elif WIDGET_VIEW in output.data:
            continue
        kept.append(output)
    return kept


def execute(notebook: nbformat.NotebookNode) -> None:
    """Run the cells in a fresh kernel and put their outputs into the notebook.

    Cells whose data set cannot be had stay as they are, without outputs.
    """
    client = execution.client(notebook, NOTEBOOKS)
    not_ours = ("COURSE_SEED", "COURSE_CLAIMS")  # the lesson's own seed, and claims that stop it
    variables = {key: value for key, value in os.environ.items() if key not in not_ours}
    with client.setup_kernel(env=variables, stderr=subprocess.DEVNULL):
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type != "code":
                continue
            if missing := missing_data(notebook.cells[: index + 1]):
                print(f"  cell {index} left out: no data set {', '.join(missing)}")
                continue
            try:
                execution.run_cell(client, index)
            except RuntimeError as error:
                source = textwrap.indent(cell.source, "    ")
                message = f"cell {index} failed, its notebook stays as it was:\n{source}\n  {error}"
                raise RuntimeError(message) from None
            cell.outputs = clean(cell.outputs)


def keep_outputs(notebook: nbformat.NotebookNode, stored: nbformat.NotebookNode) -> None:
    """Put back the stored outputs that may stay, by the rule at the top of this file."""
    sys.path.append(str(ROOT / "tests"))
    from notebook_comparer import Tolerance, differences

    def is_accepted(cell: nbformat.NotebookNode, before: nbformat.NotebookNode) -> bool:
        if cell.execution_count is None:  # its data set cannot be had
            return True
        tags = cell.metadata.get("tags", [])
        same = not differences(before.outputs, cell.outputs, Tolerance.from_tags(tags))
        return before.execution_count is not None and (same or IGNORED_TAG in tags)

    new, old = code_cells(notebook), code_cells(stored)
    sources = [cell.source for cell in old], [cell.source for cell in new]
    blocks = difflib.SequenceMatcher(None, *sources, autojunk=False).get_matching_blocks()
    pairs = [(new[j + k], old[i + k]) for i, j, size in blocks for k in range(size)]
    accepted = [pair for pair in pairs if is_accepted(*pair)]
    if notebook.metadata.course == stored.metadata.course and len(accepted) == len(new) == len(old):
        print("  nothing new: outputs and pictures stay as they were stored")
        splice(notebook, stored)
        return
    for cell, before in accepted:
        is_ignored = IGNORED_TAG in cell.metadata.get("tags", [])
        if not (cell.execution_count is None or is_ignored or has_picture(cell)):
            cell.outputs = before.outputs


def cover(notebook: nbformat.NotebookNode) -> bytes | None:
    """The picture of the cell tagged ``cover``: at the lesson's head and in the README."""
    for cell in notebook.cells:
        if COVER_TAG in cell.metadata.get("tags", []):
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    return base64.b64decode(output.data["image/png"])
    return None


def store(lesson: str, notebook: nbformat.NotebookNode) -> None:
    """Write a notebook with its cover, all of it or nothing."""
    path = notebook_path(lesson)
    unfinished = path.with_suffix(".unfinished")
    text = nbformat.writes(notebook, indent=1, ensure_ascii=False)
    unfinished.write_text(text.rstrip("\n") + "\n", encoding="utf-8", newline="\n")
    unfinished.replace(path)
    if picture := cover(notebook):
        cover_path(lesson).parent.mkdir(exist_ok=True)
        cover_path(lesson).write_bytes(picture)


def build(lesson: str) -> None:
    """Execute a lesson and store it; a RuntimeError says which cell failed, and how."""
    notebook, stored, drawn_by = read_source(lesson), read_stored(lesson), drawing_code()
    execute(notebook)
    if any(map(has_picture, notebook.cells)):
        notebook.metadata.course.drawing = drawn_by
    if stored is not None:
        keep_outputs(notebook, stored)
    store(lesson, notebook)


def main(arguments: list[str] | None = None) -> int:
    """Build what is asked for; the exit status is 1 if a lesson failed."""
    parser = argparse.ArgumentParser(description="Bring the notebooks up to date.")
    parser.add_argument("lesson", nargs="?", choices=lessons(), metavar="LESSON")
    asked = parser.parse_args(arguments).lesson
    failed = False
    for lesson in [asked] if asked else lessons():
        why = "asked for" if asked else to_do(lesson)
        if why == ONLY_TEXT:
            notebook = read_source(lesson)
            splice(notebook, read_stored(lesson))
            store(lesson, notebook)
            print(f"{lesson}: {why}, its outputs stay")
        elif why:
            print(f"{lesson}: {why}, executing it ...", flush=True)
            start = time.perf_counter()
            try:
                build(lesson)
                print(f"{lesson}: stored after {time.perf_counter() - start:.0f} s")
            except RuntimeError as error:
                failed = True
                print(f"{lesson}: {error}", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
