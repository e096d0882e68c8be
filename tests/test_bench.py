"""tools/bench.py on small lessons."""

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import bench
import execution

AWAY = {"tags": ["needs-download", "data=away"]}


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a lesson; of the data sets none can be had."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setattr(execution, "NOTEBOOKS", folder)
    monkeypatch.setattr(execution.data, "is_available", lambda name: False)

    def write(lesson, *cells):
        path = folder / f"{lesson}.ipynb"
        path.write_text(nbformat.writes(new_notebook(cells=list(cells))), encoding="utf-8")
        return path

    return write


def test_a_lesson_is_timed_and_stays_as_it_was(write):
    path = write(
        "lesson",
        new_code_cell("where = 'here'", outputs=[new_output("stream", text="of the past")]),
        new_markdown_cell("Text\n\n## Much memory\n\nfor a moment"),
        new_code_cell("many = b'x' * 300_000_000\ndel many"),
        new_code_cell("import time, pathlib\ntime.sleep(0.5)"),
        new_code_cell("assert pathlib.Path.cwd().name == 'notebooks'"),
        new_code_cell("1 / 0", metadata=AWAY),
    )
    before = path.read_bytes()
    measured = bench.measure("lesson", ("where", "not_there"))
    assert path.read_bytes() == before
    headings = [f"cell {index}, Much memory" for index in (2, 3, 4)]
    assert list(measured.cells) == ["cell 0, where = 'here'", *headings]
    assert measured.cells["cell 3, Much memory"] >= 0.5
    assert measured.seconds > sum(measured.cells.values()), "the kernel's start counts"
    assert 0.3 < measured.peak_gb < 0.7, "the high-water mark of the kernel, not of this process"
    assert measured.variables == {"where": "here"}
    assert measured.notes("lesson") == ["lesson: without its data set away"]


def test_the_table_says_what_is_over_budget():
    slow = bench.Measured(61, {"cell 1, A": 21, "cell 2, B": 30, "cell 3, C": 20}, 1.6)
    quick = bench.Measured(60, {"cell 1, A": 2.25, "cell 4, D": 20}, 1.5)
    assert bench.table({"slow": slow, "quick": quick}) == [
        "lesson  seconds  slowest cell     peak memory  budget",
        "slow    61       30 s: cell 2, B  1.60 GB      over 60 s, a cell over 20 s, over 1.5 GB",
        "quick   60       20 s: cell 4, D  1.50 GB      kept",
        "together: 121 s of the 700 s that all 17 lessons may take",
        "slow: 21 s in cell 1, A",
        "slow: 30 s in cell 2, B",
    ]


@pytest.mark.parametrize(
    ("difference", "verdict"), [(-0.5, "better"), (0.5, "worse"), (0.1, "even"), (-0.1, "even")]
)
def test_figures_are_compared_in_pairs(difference, verdict):
    theirs = np.array([1.0, 5.0, 9.0])
    ours = theirs + difference + [-0.2, 0.0, 0.2]  # standard error 0.115 of the difference
    (row,) = bench.comparison("flows", {"nll": ours}, {"nll": theirs})[2:]
    assert row.endswith(f"{difference:.3f} ± 0.115  {verdict}")


@pytest.mark.parametrize(("lesson", "most"), [("var_mod", 0.1), ("flows", 0.2)])
def test_training_that_takes_longer_than_its_share_is_said(lesson, most):
    for seconds, verdict in ((10 * most, "kept"), (10 * most + 0.01, "missed")):
        (row,) = bench.comparison(lesson, {"a_seconds": seconds}, {"a_seconds": 10})[2:]
        assert row.endswith(f"{seconds / 10:.3f} of the peer's  at most {most}: {verdict}")
