"""Time every lesson in a fresh kernel, beside its budget and beside its published peer.

The notebooks stay as they are. A lesson in `PEERS` hands some of its variables to `figures` in
``tools/peers/<lesson>.py``, which returns figures of the same names: an array holds scores in
pairs, one for each split or each held-out example, where lower is better, and what ends in
``_seconds`` is the whole training time. A lesson may take a share of its peer's, named in `PEERS`:
if it then scores better, it reached the peer's final score in that share.
"""

import argparse
import importlib
import json
import multiprocessing
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

import nbformat
import numpy as np
import pandas as pd
from nbformat.v4 import new_code_cell
from tqdm import tqdm

import execution
from course_utils.claims import mean_and_error

LESSON_SECONDS, CELL_SECONDS, PEAK_GB = 60, 20, 1.5
COURSE_SECONDS, COURSE_LESSONS = 700, 17
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

    def over_budget(self) -> list[str]:
        """Every budget that it misses, and by what."""
        found = [
            (self.seconds, "s", LESSON_SECONDS),
            *((took, f"s in {cell}", CELL_SECONDS) for cell, took in self.cells.items()),
            (self.peak_gb, "GB", PEAK_GB),
        ]
        return [f"{took:.2f} {what}, over {most}" for took, what, most in found if took > most]


def lessons() -> list[str]:
    """Names of all lessons that are built."""
    return sorted(path.stem for path in execution.NOTEBOOKS.glob("*.ipynb") if path.stem != "index")


def measure(lesson: str, names: tuple[str, ...] = ()) -> Measured:
    """Execute a lesson from kernel start to last cell; fetch those of its variables that exist."""
    path = execution.NOTEBOOKS / f"{lesson}.ipynb"
    client = execution.client(nbformat.read(path, as_version=4), path.parent)
    cells, last = list(client.nb.cells), new_code_cell(FETCH.format(names=("peak_gb", *names)))
    client.nb.cells.append(last)
    measured, where, start = Measured(), "the start of the kernel", time.perf_counter()
    try:
        with client.setup_kernel(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            for index, cell in enumerate(tqdm(cells, desc=lesson, leave=False)):
                if cell.cell_type != "code":
                    continue
                if missing := execution.missing_data(cells[: index + 1]):
                    measured.missing = missing
                    continue
                first_line = cell.source.partition("\n")[0]
                where = f"cell {index}, {first_line}"
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


def table(all_measured: dict[str, Measured]) -> str:
    """A row for each lesson; below them what was left out and what failed."""
    frame, notes = pd.DataFrame(columns=["seconds", "peak GB", "of a cell", "slowest cell"]), []
    for lesson, measured in all_measured.items():
        slowest, took = max(measured.cells.items(), key=lambda item: item[1], default=("none", 0))
        frame.loc[lesson] = [measured.seconds, measured.peak_gb, took, slowest]
        if measured.missing:
            notes.append(f"{lesson}: without its data set {', '.join(measured.missing)}")
        if measured.failed:
            notes.append(f"{lesson} failed in {measured.failed}")
    return "\n".join([frame.to_string(float_format="%.2f"), *notes])


def peer_figures(lesson: str, ours: dict) -> dict:
    """What a lesson's peer answers; in a process of its own, for some peers need legacy Keras."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    return importlib.import_module(f"peers.{lesson}").figures(ours)


def comparison(most: float, ours: dict, theirs: dict) -> pd.DataFrame:
    """A lesson's figures beside its peer's, in pairs; it may take the share `most` of its time."""
    columns = ["pairs", "lesson", "its peer", "difference", "standard error", "verdict"]
    frame = pd.DataFrame(columns=columns)
    for name, their in theirs.items():
        our, their = np.array(ours[name]), np.array(their)
        if name.endswith("_seconds"):
            mean, error, share = our - their, np.nan, our / their
            verdict = f"{share:.3f} of its peer's, at most {most}: "
            verdict += "kept" if share <= most else "missed"
        else:
            mean, error = mean_and_error(our - their).values()
            verdict = "even" if abs(mean) <= 2 * error else "better" if mean < 0 else "worse"
        frame.loc[name] = [our.size, our.mean(), their.mean(), mean, error, verdict]
    return frame


def beside_peer(lesson: str, measured: Measured) -> str:
    """A lesson's figures beside its peer's, where both gave some; what failed is noted."""
    most, wanted = PEERS.get(lesson, (None, ()))
    lacking = [variable for variable in wanted if variable not in measured.variables]
    if lacking and not (measured.failed or measured.missing):
        measured.failed = f"its peer, which needs {', '.join(lacking)}"
    if lacking or not wanted:
        return ""
    try:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            theirs = pool.submit(peer_figures, lesson, measured.variables).result()
    except Exception as error:
        measured.failed = f"its peer: {error!r}"
        return ""
    frame = comparison(most, measured.variables, theirs).to_string(na_rep="", float_format="%.3f")
    return f"{lesson} beside its published peer\n{frame}"


def main(arguments: list[str] | None = None) -> int:
    """Measure what is asked for; the exit status is 1 if a lesson or its peer failed."""
    parser = argparse.ArgumentParser(description="Time the lessons and print a table.")
    parser.add_argument("lesson", nargs="?", choices=lessons(), metavar="LESSON")
    lesson = parser.parse_args(arguments).lesson
    all_measured, beside = {}, []
    for name in [lesson] if lesson else lessons():
        all_measured[name] = measure(name, PEERS.get(name, (None, ()))[1])
        beside.append(beside_peer(name, all_measured[name]))
    over = [f"{name}: {it}" for name in all_measured for it in all_measured[name].over_budget()]
    seconds = sum(measured.seconds for measured in all_measured.values())
    budget = f"of the {COURSE_SECONDS} s that all {COURSE_LESSONS} lessons may take"
    print(
        table(all_measured),
        f"together: {seconds:.0f} s {budget}",
        *over,
        *filter(None, beside),
        sep="\n",
    )
    return int(any(measured.failed for measured in all_measured.values()))


if __name__ == "__main__":
    sys.exit(main())
