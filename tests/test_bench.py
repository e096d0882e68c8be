"""tools/bench.py on small lessons."""

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import bench
import execution

PEER = """\
import json, sys

given = json.load(sys.stdin)
print(f"{len(given)} variables", file=sys.stderr)
rows = [len(train) for train, test in given["splits"]]
json.dump({"nll": [1.0 * n for n in rows], "train_seconds": 60.0}, sys.stdout)
"""
VARIABLES = """\
import numpy as np
splits = [(np.arange(n), np.arange(9)) for n in (2, 3, 4)]
nll, train_seconds = np.array([1.5, 2.4, 3.6]), 3.0
"""
AWAY = {"tags": ["needs-download", "data=away"]}


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a lesson; of the data sets none can be had, and `compared` and `other` have a peer."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setattr(execution, "NOTEBOOKS", folder)
    monkeypatch.setattr(execution.data, "is_available", lambda name: False)
    monkeypatch.setattr(bench, "PEER_FOLDER", tmp_path)
    peer = 0.1, ("splits", "nll", "train_seconds")
    monkeypatch.setattr(bench, "PEERS", {"compared": peer, "other": peer})
    (tmp_path / "compared.py").write_text(PEER)
    (tmp_path / "other.py").write_text("1 / 0")

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


def test_every_lesson_has_a_line_and_what_fails_is_said(write, capfd):
    write("index", new_code_cell("1 / 0"))
    write("broken", new_markdown_cell("# Division"), new_code_cell("1 / 0"))
    write("compared", new_code_cell(VARIABLES))
    write("dead", new_code_cell("import os\nos._exit(1)"))
    write("other", new_code_cell(VARIABLES))
    assert bench.main([]) == 1
    printed, errors = capfd.readouterr()
    assert "3 variables" in errors, "a peer's progress is seen"
    head, broken, compared, dead, other, together, *rest = map(str.split, printed.splitlines())
    assert " ".join(head) == "lesson seconds slowest cell peak memory budget"
    verdicts = [(line[0], line[-1]) for line in (broken, compared, dead, other)]
    names = "broken", "compared", "dead", "other"
    assert verdicts == [(name, "kept" if name == "compared" else "failed") for name in names]
    assert " ".join(together).endswith(" of the 700 s that all 17 lessons may take")
    assert [" ".join(line) for line in rest] == [
        "broken failed in cell 1, Division: ZeroDivisionError: division by zero",
        "dead failed in cell 0, import os: Kernel died",
        "other failed in its peer: exit status 1",
        "compared beside its published peer: 3 pairs, mean ± standard error",
        "lesson peer lesson - peer verdict",
        "nll 2.500 3.000 -0.500 ± 0.058 better",
        "train_seconds 3.000 60.000 0.050 of the peer's at most 0.1: kept",
    ]


def test_a_peer_that_lacks_variables_fails_unless_they_wait_for_data(write, capsys):
    write("compared", new_code_cell("splits = []"))
    assert bench.main(["compared"]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "compared failed in its peer, which needs nll, train_seconds"
    write("compared", new_code_cell(VARIABLES, metadata=AWAY))
    assert bench.main(["compared"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "compared: without its data set away"
    write("compared", new_code_cell(VARIABLES), new_code_cell("more = 1", metadata=AWAY))
    assert bench.main(["compared"]) == 0
    assert "compared beside its published peer" in capsys.readouterr().out


def test_an_unknown_lesson_is_refused(write, capsys):
    write("flows")
    with pytest.raises(SystemExit):
        bench.main(["flowers"])
    assert "'flowers' (choose from" in capsys.readouterr().err


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
