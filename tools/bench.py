"""Time every lesson in a fresh kernel, beside its budget and beside its published peer.

python tools/bench.py           every stored notebook except the course map
python tools/bench.py flows     this lesson

The notebooks stay as they are. A lesson in `PEERS` hands some of its variables to the script
``tools/peers/<lesson>.py``, as JSON. That answers in the same way with figures of the same names:
an array holds scores in pairs, one for each split or each held-out example, where lower is better,
and what ends in ``_seconds`` is the whole training time. A lesson may take a share of its
peer's, named in `PEERS`: if it then scores better, it reached the peer's final score in that share.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import numpy as np
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat.v4 import new_code_cell
from tqdm import tqdm

import notebooks
from course_utils.claims import mean_and_error

LESSON_SECONDS, CELL_SECONDS, PEAK_GB = 120, 30, 1.5
PEER_FOLDER = Path(__file__).parent / "peers"
# For each lesson the share of its peer's training time that it may take, and its variables.
PEERS = {
    "bayesian_neural_networks_wine": (
        0.1,
        ("quality_splits", "quality_nll", "quality_rmse", "quality_seconds"),
    ),
    "flows": (0.2, ("moons_train", "moons_test", "flow_nll", "flow_seconds")),
    "var_mod": (0.1, ("vae_rows", "vae_nelbo", "vae_seconds")),
}
# The kernel itself knows best. On Linux its ru_maxrss may be that of the process that started it.
PEAK_BYTES = """\
import re, resource, sys
from pathlib import Path

status = Path("/proc/self/status")
found = status.exists() and re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text())
if found:
    peak_bytes = int(found[1]) * 1024
else:
    unit = 1 if sys.platform == "darwin" else 1024
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
"""


@dataclass
class Measured:
    """What one run of a lesson took."""

    seconds: float = 0.0
    cells: dict[str, float] = field(default_factory=dict)
    peak_gb: float = 0.0
    missing: set[str] = field(default_factory=set)
    variables: dict = field(default_factory=dict)


def lessons() -> list[str]:
    """Names of all lessons that are built."""
    return sorted(path.stem for path in notebooks.NOTEBOOKS.glob("*.ipynb") if path.stem != "index")


def names_of(cells: list) -> list[str]:
    """How each cell is called in the table: by its number and the heading that it stands under."""
    names, heading = [], None
    for index, cell in enumerate(cells):
        if cell.cell_type == "markdown":
            heading = (re.findall(r"^#+ +(.+)", cell.source, re.MULTILINE) or [heading])[-1]
        title = heading or next(iter(cell.source.splitlines()), "")
        names.append(f"cell {index}, {title}")
    return names


def evaluate(client: NotebookClient, names: tuple[str, ...], code: str = "") -> dict:
    """Values of variables in the kernel, after running some code there."""
    pairs = ", ".join(f'"{name}": {name}' for name in names)
    answer = f"import json\nprint(json.dumps({{{pairs}}}, default=lambda array: array.tolist()))"
    cell = new_code_cell(code + answer)
    client.nb.cells.append(cell)
    client.execute_cell(cell, len(client.nb.cells) - 1)
    return json.loads("".join(output.text for output in cell.outputs))


def measure(lesson: str) -> Measured:
    """Execute a lesson from kernel start to last cell.

    Raises
    ------
    RuntimeError
        If a cell fails, or if the lesson lacks a variable that its peer needs.
    """
    notebook = nbformat.read(notebooks.notebook_path(lesson), as_version=4)
    client = NotebookClient(
        notebook,
        timeout=notebooks.CELL_TIMEOUT,
        kernel_name=notebooks.CURRENT_ENV_KERNEL_NAME,
        kernel_manager_class=notebooks.CurrentEnvironmentKernel,
        record_timing=False,
        resources={"metadata": {"path": str(notebooks.NOTEBOOKS)}},
    )
    measured, where = Measured(), "the start of the kernel"
    start = time.perf_counter()
    try:
        with client.setup_kernel(stderr=subprocess.DEVNULL):
            names = tqdm(names_of(notebook.cells), desc=lesson, leave=False)
            for index, where in enumerate(names):
                if notebook.cells[index].cell_type != "code":
                    continue
                if missing := notebooks.missing_data(notebook.cells[: index + 1]):
                    measured.missing.update(missing)
                    continue
                cell_start = time.perf_counter()
                client.execute_cell(notebook.cells[index], index)
                measured.cells[where] = time.perf_counter() - cell_start
            measured.seconds = time.perf_counter() - start
            where = "its last cell's variables"
            measured.peak_gb = evaluate(client, ("peak_bytes",), PEAK_BYTES)["peak_bytes"] / 1e9
            _, handed = PEERS.get(lesson, (None, ()))
            ready = f"ready = all(name in globals() for name in {handed})\n"
            if not measured.missing or evaluate(client, ("ready",), ready)["ready"]:
                measured.variables = evaluate(client, handed)
    except CellExecutionError as error:
        raise RuntimeError(f"{where}: {error.ename}: {error.evalue}") from None
    except (CellTimeoutError, DeadKernelError) as error:
        raise RuntimeError(f"{where}: {str(error).splitlines()[0]}") from None
    return measured


def table(all_measured: dict[str, Measured]) -> list[str]:
    """One line a lesson, and below them every cell that is too slow."""
    rows = [("lesson", "seconds", "slowest cell", "peak memory", "budget")]
    slow = []
    for lesson, measured in all_measured.items():
        name, seconds = max(measured.cells.items(), key=lambda cell: cell[1], default=("none", 0))
        over = {
            f"over {LESSON_SECONDS} s": measured.seconds > LESSON_SECONDS,
            f"a cell over {CELL_SECONDS} s": seconds > CELL_SECONDS,
            f"over {PEAK_GB} GB": measured.peak_gb > PEAK_GB,
        }
        rows.append(
            (
                lesson,
                f"{measured.seconds:.1f}",
                f"{seconds:.1f} s: {name}",
                f"{measured.peak_gb:.2f} GB",
                ", ".join(verdict for verdict, is_so in over.items() if is_so) or "kept",
            )
        )
        slow += [
            f"{lesson}: {seconds:.1f} s in {name}"
            for name, seconds in measured.cells.items()
            if seconds > CELL_SECONDS
        ]
    return [*columns(rows), *slow]


def columns(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows of a table, as lines."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def run_peer(lesson: str, variables: dict) -> dict:
    """Figures of a lesson's peer, in a process of its own.

    Raises
    ------
    RuntimeError
        If the peer fails.
    """
    done = subprocess.run(
        [sys.executable, PEER_FOLDER / f"{lesson}.py"],
        input=json.dumps(variables),
        stdout=subprocess.PIPE,  # its stderr shows a progress bar
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    if done.returncode:
        raise RuntimeError(f"its peer: exit status {done.returncode}")
    return json.loads(done.stdout)


def comparison(lesson: str, ours: dict, theirs: dict) -> list[str]:
    """The lesson's figures beside its peer's, in pairs."""
    most, _ = PEERS[lesson]
    pairs = max(np.size(value) for value in theirs.values())
    rows = [("", "lesson", "peer", "lesson - peer", "verdict")]
    for name, their in theirs.items():
        our, their = np.array(ours[name]), np.array(their)
        if name.endswith("_seconds"):
            share = our / their
            verdict = "kept" if share <= most else "missed"
            cells = (f"{our:.2f}", f"{their:.2f}", f"{share:.3f} of the peer's")
            rows.append((name, *cells, f"at most {most}: {verdict}"))
            continue
        mean, error = mean_and_error(our - their).values()
        verdict = "even" if abs(mean) <= 2 * error else "better" if mean < 0 else "worse"
        both = [mean_and_error(scores) for scores in (our, their, our - their)]
        cells = [f"{m['value']:.3f} ± {m['se']:.3f}" for m in both]
        rows.append((name, *cells, verdict))
    title = f"{lesson} beside its published peer: {pairs} pairs, mean ± standard error"
    return [title, *columns(rows)]


def main(arguments: list[str] | None = None) -> int:
    """Measure what is asked for; the exit status is 1 if a lesson or its peer failed."""
    parser = argparse.ArgumentParser(description="Time the lessons and print a table.")
    parser.add_argument("lesson", nargs="?", choices=lessons(), metavar="LESSON")
    lesson = parser.parse_args(arguments).lesson
    all_measured, notes, failed = {}, [], False
    for name in [lesson] if lesson else lessons():
        try:
            measured = all_measured[name] = measure(name)
            if measured.missing:
                gone = ", ".join(sorted(measured.missing))
                peer = " and its peer" if name in PEERS and not measured.variables else ""
                notes.append(f"{name}: no data set {gone}, its sections{peer} were left out")
            if measured.variables:
                theirs = run_peer(name, measured.variables)
                notes += comparison(name, measured.variables, theirs)
        except RuntimeError as error:
            failed = True
            print(f"{name} failed in {error}", file=sys.stderr)
    print("\n".join([*table(all_measured), *notes]))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
