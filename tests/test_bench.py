"""tools/bench.py on small lessons."""

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import bench
import execution

VERDICTS = {"better": -0.5, "worse": 0.5, "even": 0.2}
AWAY = {"tags": ["needs-download", "data=away"]}


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Where the only lesson is; of the data sets none can be had."""
    monkeypatch.setattr(execution, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(execution.download, "is_available", lambda name: False)
    return tmp_path / "lesson.ipynb"


def test_a_lesson_is_timed_and_stays_as_it_was(path):
    cells = [
        new_code_cell("where = 'here'", outputs=[new_output("stream", text="of the past")]),
        new_markdown_cell("Text"),
        new_code_cell("many = b'x' * 300_000_000\ndel many"),
        new_code_cell("import time\ntime.sleep(0.5)"),
        new_code_cell("1 / 0", metadata=AWAY),
    ]
    nbformat.write(new_notebook(cells=cells), path)
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
def test_what_fails_is_said(path, capsys, monkeypatch, code, why):
    monkeypatch.setattr(bench, "PEERS", {"lesson": (0.1, ("given",))})
    nbformat.write(new_notebook(cells=[new_code_cell(code)]), path)
    assert bench.main(["lesson"]) == 1
    assert f"lesson failed in {why}" in capsys.readouterr().out


def test_what_is_over_budget_is_said():
    assert not bench.Measured(60, {"cell 1, A": 20}, 1.5).over_budget()
    whole, cell, memory = bench.Measured(61, {"A": 21, "B": 20}, 1.6).over_budget()
    assert whole.startswith("61") and "in A" in cell and memory.startswith("1.6")


def test_figures_are_compared_in_pairs_and_seconds_by_their_share():
    theirs = np.array([1.0, 5.0, 9.0])
    ours = {verdict: theirs + by + [-0.2, 0.0, 0.2] for verdict, by in VERDICTS.items()}
    ours |= {"kept_seconds": 2, "missed_seconds": 2.01}
    frame = bench.comparison(0.2, ours, {name: theirs if name in VERDICTS else 10 for name in ours})
    assert [*frame["verdict"][:3]] == [*VERDICTS]
    assert [*frame["difference"][:3]] == pytest.approx([*VERDICTS.values()])
    assert frame.loc["even", "standard error"] == pytest.approx(0.2 / 3**0.5)
    kept, missed = frame["verdict"][3:]
    assert kept.endswith("kept") and missed.endswith("missed")
