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
from nbformat.v4 import new_code_cell
from tqdm import tqdm

import execution
from course_utils.claims import mean_and_error

LESSON_SECONDS, CELL_SECONDS, PEAK_GB = 60, 20, 1.5
COURSE_SECONDS, COURSE_LESSONS = 700, 17
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
# Runs after a lesson. On Linux ru_maxrss may be that of the process that started the kernel.
FETCH = """
import json, resource, sys
from pathlib import Path
if sys.platform == "darwin":
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e9
else:
    status = Path("/proc/self/status").read_text()
    peak_gb = int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e9
fetched = {{name: globals()[name] for name in {names} if name in globals()}}
print(json.dumps(fetched, default=lambda array: array.tolist()))"""


@dataclass
class Measured:
    """What one run of a lesson took, and what went wrong."""

    seconds: float = 0.0
    cells: dict[str, float] = field(default_factory=dict)
    peak_gb: float = 0.0
    missing: list[str] = field(default_factory=list)
    variables: dict = field(default_factory=dict)
    failed: str = ""

    def row(self) -> tuple[str, str, str]:
        """Its seconds, its slowest cell and its memory, for a table."""
        name, seconds = max(self.cells.items(), key=lambda cell: cell[1], default=("none", 0))
        return f"{self.seconds:.0f}", f"{seconds:.0f} s: {name}", f"{self.peak_gb:.2f} GB"

    def notes(self, lesson: str) -> list[str]:
        """What was left out of it, and what failed."""
        without = f"{lesson}: without its data set {', '.join(self.missing)}"
        failed = f"{lesson} failed in {self.failed}"
        return [*([without] if self.missing else []), *([failed] if self.failed else [])]

    def over_budget(self) -> list[str]:
        """Which budgets it misses."""
        over = {
            f"over {LESSON_SECONDS} s": self.seconds > LESSON_SECONDS,
            f"a cell over {CELL_SECONDS} s": max(self.cells.values(), default=0) > CELL_SECONDS,
            f"over {PEAK_GB} GB": self.peak_gb > PEAK_GB,
        }
        return [verdict for verdict, is_so in over.items() if is_so]


def lessons() -> list[str]:
    """Names of all lessons that are built."""
    return sorted(path.stem for path in execution.NOTEBOOKS.glob("*.ipynb") if path.stem != "index")


def names_of(cells: list) -> list[str]:
    """How each cell is called in the table: by its number and the heading that it stands under."""
    names, heading = [], None
    for index, cell in enumerate(cells):
        if cell.cell_type == "markdown":
            heading = (re.findall(r"^#+ +(.+)", cell.source, re.MULTILINE) or [heading])[-1]
        title = heading or next(iter(cell.source.splitlines()), "")
        names.append(f"cell {index}, {title}")
    return names


def measure(lesson: str, names: tuple[str, ...] = ()) -> Measured:
    """Execute a lesson from kernel start to last cell; fetch those of its variables that exist."""
    path = execution.NOTEBOOKS / f"{lesson}.ipynb"
    client = execution.client(nbformat.read(path, as_version=4), path.parent)
    cells, last = list(client.nb.cells), new_code_cell(FETCH.format(names=("peak_gb", *names)))
    client.nb.cells.append(last)
    measured, where, start = Measured(), "the start of the kernel", time.perf_counter()
    try:
        with client.setup_kernel(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            for index, where in enumerate(tqdm(names_of(cells), desc=lesson, leave=False)):
                if cells[index].cell_type != "code":
                    continue
                if missing := execution.missing_data(cells[: index + 1]):
                    measured.missing = sorted({*measured.missing, *missing})
                    continue
                cell_start = time.perf_counter()
                execution.run_cell(client, index)
                measured.cells[where] = time.perf_counter() - cell_start
                measured.seconds = time.perf_counter() - start
            where = "what follows its last cell"
            execution.run_cell(client, len(cells))
        measured.variables = json.loads("".join(output.text for output in last.outputs))
        measured.peak_gb = measured.variables.pop("peak_gb")
    except RuntimeError as error:
        measured.failed = f"{where}: {error}"
    return measured


def table(all_measured: dict[str, Measured]) -> list[str]:
    """One line a lesson; below them their sum, every cell that is too slow, and what went wrong."""
    rows = [("lesson", "seconds", "slowest cell", "peak memory", "budget")]
    notes = []
    for lesson, measured in all_measured.items():
        verdict = "failed" if measured.failed else ", ".join(measured.over_budget()) or "kept"
        rows.append((lesson, *measured.row(), verdict))
        slow = {name: took for name, took in measured.cells.items() if took > CELL_SECONDS}
        notes += [f"{lesson}: {took:.0f} s in {name}" for name, took in slow.items()]
        notes += measured.notes(lesson)
    seconds = sum(measured.seconds for measured in all_measured.values())
    budget = f"of the {COURSE_SECONDS} s that all {COURSE_LESSONS} lessons may take"
    return [*columns(rows), f"together: {seconds:.0f} s {budget}", *notes]


def columns(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows of a table, as lines."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def beside_peer(lesson: str, ours: dict) -> list[str]:
    """Run a lesson's peer in a process of its own, and lay its figures beside the lesson's.

    Raises
    ------
    RuntimeError
        If the peer fails.
    """
    done = subprocess.run(
        [sys.executable, PEER_FOLDER / f"{lesson}.py"],
        input=json.dumps(ours),
        stdout=subprocess.PIPE,  # its stderr shows a progress bar
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    if done.returncode:
        raise RuntimeError(f"its peer: exit status {done.returncode}")
    return comparison(lesson, ours, json.loads(done.stdout))


def comparison(lesson: str, ours: dict, theirs: dict) -> list[str]:
    """The lesson's figures beside its peer's, in pairs."""
    most, _ = PEERS[lesson]
    rows = [("", "lesson", "peer", "lesson - peer", "verdict")]
    for name, their in theirs.items():
        our, their = np.array(ours[name]), np.array(their)
        if name.endswith("_seconds"):
            difference = f"{our / their:.3f} of the peer's"
            verdict = f"at most {most}: {'kept' if our / their <= most else 'missed'}"
        else:
            mean, error = mean_and_error(our - their).values()
            difference = f"{mean:.3f} ± {error:.3f}"
            verdict = "even" if abs(mean) <= 2 * error else "better" if mean < 0 else "worse"
        rows.append((name, f"{our.mean():.3f}", f"{their.mean():.3f}", difference, verdict))
    pairs = max(np.size(value) for value in theirs.values())
    title = f"{lesson} beside its published peer: {pairs} pairs, mean ± standard error"
    return [title, *columns(rows)]


def main(arguments: list[str] | None = None) -> int:
    """Measure what is asked for; the exit status is 1 if a lesson or its peer failed."""
    parser = argparse.ArgumentParser(description="Time the lessons and print a table.")
    parser.add_argument("lesson", nargs="?", choices=lessons(), metavar="LESSON")
    lesson = parser.parse_args(arguments).lesson
    all_measured, beside = {}, []
    for name in [lesson] if lesson else lessons():
        _, names = PEERS.get(name, (None, ()))
        measured = all_measured[name] = measure(name, names)
        lacking = [name for name in names if name not in measured.variables]
        try:
            if names and not lacking:
                beside += beside_peer(name, measured.variables)
            elif lacking and not (measured.failed or measured.missing):
                raise RuntimeError(f"its peer, which needs {', '.join(lacking)}")
        except RuntimeError as error:
            measured.failed = str(error)
    print("\n".join([*table(all_measured), *beside]))
    return int(any(measured.failed for measured in all_measured.values()))


if __name__ == "__main__":
    sys.exit(main())
