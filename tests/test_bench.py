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
    """Writes the only lesson; of the data sets none can be had."""
    monkeypatch.setattr(execution, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(execution.download, "is_available", lambda name: False)

    def write(*cells):
        path = tmp_path / "lesson.ipynb"
        path.write_text(nbformat.writes(new_notebook(cells=list(cells))), encoding="utf-8")
        return path

    return write


def test_a_lesson_is_timed_and_stays_as_it_was(write):
    path = write(
        new_code_cell("where = 'here'", outputs=[new_output("stream", text="of the past")]),
        new_markdown_cell("Text"),
        new_code_cell("many = b'x' * 300_000_000\ndel many"),
        new_code_cell("import time\ntime.sleep(0.5)"),
        new_code_cell("1 / 0", metadata=AWAY),
    )
    before = path.read_bytes()
    measured = bench.measure("lesson", ("where", "not_there"))
    assert path.read_bytes() == before
    assert list(measured.cells)[1:] == ["cell 2, many = b'x' * 300_000_000", "cell 3, import time"]
    assert measured.cells["cell 3, import time"] >= 0.5
    assert measured.seconds > sum(measured.cells.values()), "the kernel's start counts"
    assert 0.3 < measured.peak_gb < 0.7, "the high-water mark of the kernel, not of this process"
    assert measured.variables == {"where": "here"}
    assert (measured.missing, measured.failed) == (["away"], "")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("1 / 0", "cell 0, 1 / 0: ZeroDivisionError"),
        ("renamed = 1", "its peer, which needs given"),
        ("given = 1", "its peer: ModuleNotFoundError"),
    ],
)
def test_what_fails_is_said(write, capsys, monkeypatch, code, why):
    monkeypatch.setattr(bench, "PEERS", {"lesson": (0.1, ("given",))})
    write(new_code_cell(code))
    assert bench.main(["lesson"]) == 1
    assert f"lesson failed in {why}" in capsys.readouterr().out


def test_what_is_over_budget_is_said():
    assert not bench.Measured(60, {"cell 1, A": 20}, 1.5).over_budget()
    whole, cell, memory = bench.Measured(61, {"A": 21, "B": 20}, 1.6).over_budget()
    assert whole.startswith("61") and "in A" in cell and memory.startswith("1.6")


@pytest.mark.parametrize(
    ("difference", "verdict"), [(-0.5, "better"), (0.5, "worse"), (0.2, "even")]
)
def test_figures_are_compared_in_pairs(difference, verdict):
    theirs = np.array([1.0, 5.0, 9.0])
    ours = theirs + difference + [-0.2, 0.0, 0.2]
    row = bench.comparison(0.1, {"nll": ours}, {"nll": theirs}).loc["nll"]
    assert row["difference"] == pytest.approx(difference)
    assert row["standard error"] == pytest.approx(0.2 / 3**0.5)
    assert row["verdict"] == verdict


@pytest.mark.parametrize(("seconds", "verdict"), [(2, "kept"), (2.01, "missed")])
def test_training_that_takes_longer_than_its_share_is_said(seconds, verdict):
    row = bench.comparison(0.2, {"a_seconds": seconds}, {"a_seconds": 10}).loc["a_seconds"]
    assert row["verdict"].endswith(verdict)
