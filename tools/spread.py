"""Measure how far a lesson's printed numbers scatter, to set its tolerances from.

python tools/spread.py flows

Executes the lesson as it is, with one thread, without oneDNN, and twice with initial weights
changed in their last digits, as another processor's rounding would. Prints, for each cell whose
numbers move, its tags and the largest difference, absolute and relative.
"""

import argparse
import os
import re

import nbformat

import notebooks

NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}
CONDITIONS = {  # environment, relative change of the initial weights
    "as it is": ({}, 0.0),
    "one thread": (ONE_THREAD, 0.0),
    "no oneDNN": ({"TF_ENABLE_ONEDNN_OPTS": "0"}, 0.0),
    "weights + 3e-7": ({}, 3e-7),
    "weights - 1e-6": ({}, -1e-6),
}
CHANGED_WEIGHTS = """
import keras
for _start in (keras.initializers.GlorotNormal, keras.initializers.GlorotUniform):
    _start.__call__ = (lambda draw: lambda self, *a, **k: draw(self, *a, **k) * (1 + {0}))(
        _start.__call__
    )
"""


def texts(lesson: str, environment: dict[str, str], change: float) -> list[str]:
    """Text that each cell of the lesson prints or shows."""
    notebook = notebooks.read_source(lesson)
    first = next(cell for cell in notebook.cells if "course_utils.setup" in cell.source)
    first.source += CHANGED_WEIGHTS.format(change) if change else ""
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        notebooks.execute(notebook)
    finally:
        os.environ.clear()
        os.environ.update(before)
    return ["\n".join(map(text_of, cell.get("outputs", []))) for cell in notebook.cells]


def text_of(output: nbformat.NotebookNode) -> str:
    """What a text reader sees of one output."""
    return output.get("text", "") or output.get("data", {}).get("text/plain", "")


def difference(one: str, other: str) -> tuple[float, float]:
    """Largest absolute and relative difference of numbers; infinite where the words differ."""
    if NUMBER.sub("#", one).split() != NUMBER.sub("#", other).split():
        return float("inf"), float("inf")
    pairs = [(float(a), float(b)) for a, b in zip(*map(NUMBER.findall, (one, other)), strict=True)]
    absolute = max((abs(a - b) for a, b in pairs), default=0.0)
    relative = max((abs(a - b) / abs(a) for a, b in pairs if a), default=0.0)
    return absolute, relative


def main(arguments: list[str] | None = None) -> None:
    """Run all conditions and print what moved."""
    parser = argparse.ArgumentParser(description="Measure how far a lesson's numbers scatter.")
    parser.add_argument("lesson", choices=notebooks.lessons(), metavar="LESSON")
    lesson = parser.parse_args(arguments).lesson
    runs = {name: texts(lesson, *condition) for name, condition in CONDITIONS.items()}
    usual = runs.pop("as it is")
    for index, cell in enumerate(notebooks.read_source(lesson).cells):
        moved = {name: difference(usual[index], run[index]) for name, run in runs.items()}
        if any(absolute for absolute, _ in moved.values()):
            print(f"cell {index}, tags {cell.metadata.get('tags', [])}")
            for name, (absolute, relative) in moved.items():
                print(f"    {name:16} {absolute:.3g} absolute, {relative:.2g} relative")


if __name__ == "__main__":
    main()
