"""Executing a notebook: the kernel of this environment, and the client that all tools use.

It needs only what a student has installed, so that it runs on Binder as well.
"""

from pathlib import Path

import nbformat
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, NbvalKernelspecManager

from course_utils import download

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
CELL_TIMEOUT = 300  # seconds; the tests allow as much (pyproject.toml)
DOWNLOAD_TAG = "needs-download"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


class CurrentEnvironmentKernel(AsyncKernelManager):
    """Starts the Python that runs this file, as the tests do, whatever kernels are installed."""

    def _kernel_spec_manager_default(self) -> NbvalKernelspecManager:
        return NbvalKernelspecManager()


def client(notebook: nbformat.NotebookNode, folder: Path = NOTEBOOKS) -> NotebookClient:
    """What executes the cells of a notebook, in a fresh kernel that starts in `folder`."""
    return NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name=CURRENT_ENV_KERNEL_NAME,
        kernel_manager_class=CurrentEnvironmentKernel,
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )


def run_cell(client: NotebookClient, index: int) -> None:
    """Execute one cell of the client's notebook.

    Raises
    ------
    RuntimeError
        If it raises an error, runs out of time or kills its kernel; says so in one line.
    """
    try:
        client.execute_cell(client.nb.cells[index], index)
    except CellExecutionError as error:
        raise RuntimeError(f"{error.ename}: {error.evalue}") from None
    except (CellTimeoutError, DeadKernelError) as error:
        raise RuntimeError(str(error).splitlines()[0]) from None


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
    return [name for name in sorted(names) if not download.is_available(name)]
