"""Build the notebooks: execute each lesson's source in a fresh kernel, store it with its outputs.

python tools/notebooks.py           every lesson whose source and notebook do not agree
python tools/notebooks.py flows     this lesson, whether it changed or not

A lesson that raises an error is reported and leaves its stored notebook as it was.
"""

import argparse
import base64
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import jupytext
import nbformat
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, NbvalKernelspecManager

from course_utils import data

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
CELL_TIMEOUT = 300  # seconds; the tests allow as much (pyproject.toml)
DOWNLOAD_TAG = "needs-download"
COVER_TAG = "cover"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE_INFO = {  # without the version, which would change the file from Python to Python
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}


class CurrentEnvironmentKernel(AsyncKernelManager):
    """Starts the Python that runs this file, as the tests do, whatever kernels are installed."""

    def _kernel_spec_manager_default(self):
        return NbvalKernelspecManager()


def lessons() -> list[str]:
    """Names of all lessons that have a source."""
    return sorted(path.stem for path in (NOTEBOOKS / "source").glob("*.py"))


def source_path(lesson: str) -> Path:
    """Where the text of a lesson is."""
    return NOTEBOOKS / "source" / f"{lesson}.py"


def notebook_path(lesson: str) -> Path:
    """Where the executed notebook of a lesson is."""
    return NOTEBOOKS / f"{lesson}.ipynb"


def read_source(lesson: str) -> nbformat.NotebookNode:
    """Turn a lesson's source into the notebook that it stands for, without outputs.

    Nothing in it depends on the machine or the moment: cells are named by their position, and of
    Jupytext's metadata nothing is left that could pair the notebook with its source. The hash of
    the source tells which text the outputs were made from.
    """
    text = source_path(lesson).read_text(encoding="utf-8")
    cells = []
    for position, cell in enumerate(jupytext.reads(text, fmt="py:percent").cells):
        new_cell = new_code_cell if cell.cell_type == "code" else new_markdown_cell
        metadata = {k: v for k, v in cell.metadata.items() if not k.startswith("lines_to_")}
        cells.append(new_cell(cell.source, id=f"cell-{position:03d}", metadata=metadata))
    metadata = {
        "course": {"source_sha256": hashlib.sha256(text.encode()).hexdigest()},
        "kernelspec": KERNELSPEC,
        "language_info": LANGUAGE_INFO,
    }
    return nbformat.from_dict(new_notebook(cells=cells, metadata=metadata))


def package_hash(root: Path = NOTEBOOKS.parent) -> str:
    """Hash of what, besides its own code, decides what a lesson gives: the package and the lock."""
    paths = [*sorted((root / "course_utils").rglob("*.py")), root / "requirements.lock"]
    texts = [path.read_bytes() for path in paths if path.exists()]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()


def agrees(lesson: str) -> bool:
    """Whether the stored notebook is, outputs aside, what its source makes."""
    if not notebook_path(lesson).exists():
        return False
    stored = nbformat.read(notebook_path(lesson), as_version=4)
    for cell in stored.cells:
        if cell.cell_type == "code":
            cell.execution_count, cell.outputs = None, []
    return stored == read_source(lesson)


def missing_data(cells: list) -> list[str]:
    """Data sets that the last of `cells` needs and that cannot be had.

    A cell tagged ``needs-download`` needs the data sets that its own ``data=...`` tags name and
    those of all such cells before it: a section without its data is left out as a whole.
    """
    tags = [cell.metadata.get("tags", []) for cell in cells]
    if DOWNLOAD_TAG not in tags[-1]:
        return []
    marked = [tag for some in tags if DOWNLOAD_TAG in some for tag in some]
    names = {tag.removeprefix("data=") for tag in marked if tag.startswith("data=")}
    return [name for name in sorted(names) if not data.is_available(name)]


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
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name=CURRENT_ENV_KERNEL_NAME,
        kernel_manager_class=CurrentEnvironmentKernel,
        record_timing=False,
        resources={"metadata": {"path": str(NOTEBOOKS)}},
    )
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
                client.execute_cell(cell, index)
            except CellExecutionError as error:
                raise RuntimeError(_report(index, cell, f"{error.ename}: {error.evalue}")) from None
            except (CellTimeoutError, DeadKernelError) as error:
                raise RuntimeError(_report(index, cell, str(error).splitlines()[0])) from None
            cell.outputs = clean(cell.outputs)


def _report(index: int, cell: nbformat.NotebookNode, error: str) -> str:
    source = "\n".join(f"    {line}" for line in cell.source.splitlines())
    return f"cell {index} failed, its notebook stays as it was:\n{source}\n  {error}"


def cover(notebook: nbformat.NotebookNode) -> bytes | None:
    """The picture of the cell tagged ``cover``: at the lesson's head and in the README."""
    for cell in notebook.cells:
        if COVER_TAG in cell.metadata.get("tags", []):
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    return base64.b64decode(output.data["image/png"])
    return None


def cover_path(lesson: str) -> Path:
    """Where a lesson's cover is."""
    return NOTEBOOKS / "figures" / f"{lesson}.png"


def build(lesson: str) -> None:
    """Execute a lesson and store it with its cover, all of it or nothing.

    Raises
    ------
    RuntimeError
        If a cell raises an error, runs out of time or kills its kernel; says which.
    """
    notebook = read_source(lesson)
    execute(notebook)
    path = notebook_path(lesson)
    unfinished = path.with_suffix(".unfinished")
    text = nbformat.writes(notebook, indent=1, ensure_ascii=False)
    unfinished.write_text(text.rstrip("\n") + "\n", encoding="utf-8", newline="\n")
    unfinished.replace(path)
    if picture := cover(notebook):
        cover_path(lesson).parent.mkdir(exist_ok=True)
        cover_path(lesson).write_bytes(picture)


def main(arguments: list[str] | None = None) -> int:
    """Build what is asked for; the exit status is 1 if a lesson failed."""
    parser = argparse.ArgumentParser(description="Execute the lessons and store their notebooks.")
    parser.add_argument("lesson", nargs="?", choices=lessons(), metavar="LESSON")
    lesson = parser.parse_args(arguments).lesson
    failed = False
    for name in [lesson] if lesson else [name for name in lessons() if not agrees(name)]:
        start = time.perf_counter()
        try:
            build(name)
            print(f"{name}: stored after {time.perf_counter() - start:.0f} s")
        except RuntimeError as error:
            failed = True
            print(f"{name}: {error}", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
