"""The comparer rejects what is wrong: its rules one by one, then with nbval on small notebooks."""

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from decimal import InvalidOperation
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from notebook_comparer import Tolerance, differences, line_difference

ROOT = Path(__file__).resolve().parents[1]
TAGGED = Tolerance.from_tags(["rtol=0.05", "atol=0.02", "needs-download"])


@pytest.mark.parametrize(
    ("stored", "new", "tolerance"),
    [
        ("178 wines", "178 wines", Tolerance()),
        ("NLL 1.234 nats", "NLL 1.235 nats", Tolerance()),  # one unit of the last digit
        ("NLL 1234.567", "NLL 1235.5", Tolerance()),  # a thousandth
        ("31 % of 4,898", "32 % of 4,898", Tolerance()),
        ("31% called", "30% called", Tolerance()),
        ("step 1.20e-05", "step 1.21e-05", Tolerance()),
        ("-0.00", "0.00", Tolerance()),
        ("\u22120.31", "-0.31", Tolerance()),  # a typographer's minus
        ("slope +0.31", "slope 0.31", Tolerance()),
        ("a   9.99 | b", "a  10.00 | b", Tolerance()),  # columns move
        ("[ 0.10 -0.20]", "[-0.01 -0.20]", Tolerance.from_tags(["atol=0.2"])),
        ("loss nan, inf", "loss nan, inf", Tolerance()),
        ("loss 1.00 of 200", "loss 1.05 of 209", TAGGED),
        ("0.01", "0.03", TAGGED),
    ],
)
def test_equal_within_tolerance(stored, new, tolerance):
    assert line_difference(stored, new, tolerance) is None


@pytest.mark.parametrize(
    ("stored", "new", "tolerance", "message"),
    [
        ("178 wines", "179 wines", Tolerance(), "178 became 179: off by 1, allowed 0"),
        ("4,898 wines", "4,899 wines", Tolerance(), "allowed 0"),
        ("NLL 1.234", "NLL 1.236", Tolerance(), "1.234 became 1.236: off by 0.002, allowed 0.001"),
        ("NLL 1.234", "NLL -1.234", Tolerance(), "1.234 became -1.234"),
        ("a-1 0.5", "a-2 0.5", Tolerance(), "1 became 2"),
        ("31 %", "33 %", Tolerance(), "31 became 33"),
        ("31 %", "31", Tolerance(), "words"),
        ("step 1.20e-05", "step 1.20e-04", Tolerance(), "1.20e-05 became 1.20e-04"),
        ("loss 0.5", "loss nan", Tolerance(), "words"),
        ("loss inf", "loss -inf", Tolerance(), "words"),
        ("NLL 1.2", "RMSE 1.2", Tolerance(), "words"),
        ("NLL 1.2", "NLL 1.2 1.3", Tolerance(), "words"),
        ("Keras 3.15.1", "Keras 3.15.2", Tolerance(), "words"),
        ("layer_1", "layer_2", TAGGED, "words"),
        ("loss 1.00", "loss 1.06", TAGGED, "off by 0.06, allowed 0.05"),
        ("loss 200", "loss 211", TAGGED, "off by 11, allowed 10"),
    ],
)
def test_different(stored, new, tolerance, message):
    assert message in line_difference(stored, new, tolerance)


def test_a_tolerance_that_is_no_number_is_an_error():
    with pytest.raises(InvalidOperation):
        Tolerance.from_tags(["rtol=5%"])


def test_a_missing_figure_is_seen_although_pixels_are_not_compared():
    figure = new_output("display_data", data={"image/png": "abc", "text/plain": "<Figure>"})
    other = new_output("display_data", data={"image/png": "xyz", "text/plain": "<Figure>"})
    assert not differences([figure], [other], Tolerance())
    assert differences([figure], [], Tolerance())
    assert differences([], [figure], Tolerance())


def stdout(text):
    return new_output("stream", name="stdout", text=text)


def result(**data):
    return new_output("execute_result", data=data)


SHOW_HTML = """
from IPython.display import HTML, SVG, display
display(HTML("<p>0.7</p>"))
display(SVG("<svg xmlns='http://www.w3.org/2000/svg' width='7'/>"))
"""
HTML_TEXT = "<IPython.core.display.HTML object>"
SVG_TEXT = "<IPython.core.display.SVG object>"
SHOW_WIDGET = "import ipywidgets\nprint('moved')\nipywidgets.IntSlider(value=3)"
OUTPUTS_OF_HTML = [
    new_output("display_data", data={"text/html": "<p>0.1</p>", "text/plain": HTML_TEXT}),
    new_output("display_data", data={"image/svg+xml": "<svg/>", "text/plain": SVG_TEXT}),
]
ERROR = new_output("error", ename="ValueError", evalue="3 rows", traceback=[])
PRINT_LINES = "print('a 0.1'); print('b 0.2')"

# what a cell does, its source, its stored outputs, its tags; None where it must pass, else what the
# report must say
CELLS = [
    ("right", "print('loss 0.5')", [stdout("loss 0.5\n")], [], None),
    ("wrong number", "print('loss 0.7')", [stdout("loss 0.5\n")], [], "0.5 became 0.7: off by 0.2"),
    ("within tolerance", "print('loss 0.5001')", [stdout("loss 0.5000\n")], [], None),
    ("within its tag", "print('loss 0.7')", [stdout("loss 0.5\n")], ["atol=0.25"], None),
    ("beyond its tag", "print('loss 0.9')", [stdout("loss 0.5\n")], ["atol=0.25"], "allowed 0.25"),
    (
        "wrong result",
        "0.7",
        [result(**{"text/plain": "0.5"})],
        [],
        "text/plain, line 1: 0.5 became",
    ),
    ("missing line", PRINT_LINES, [stdout("a 0.1\nb 0.2\nc 0.3\n")], [], "3 lines stored, 2 new"),
    ("extra line", PRINT_LINES, [stdout("a 0.1\n")], [], "1 lines stored, 2 new"),
    ("changed word", PRINT_LINES, [stdout("a 0.1\nz 0.2\n")], [], "line 2: the words differ"),
    ("missing output", "None", [stdout("a\n")], [], "outputs stored: ['stdout']"),
    ("extra output", "print('a')", [], [], "outputs new:    ['stdout']"),
    ("unforeseen error", "1 / 0", [], [], "ZeroDivisionError"),
    ("right error", "raise ValueError('3 rows')", [ERROR], ["raises-exception"], None),
    ("wrong error", "raise ValueError('4 rows')", [ERROR], ["raises-exception"], "3 became 4"),
    ("no error", "None", [ERROR], ["raises-exception"], "outputs stored: ['error']"),
    ("stderr", "import sys; print('x', file=sys.stderr)", [], [], None),
    ("HTML and SVG", SHOW_HTML, OUTPUTS_OF_HTML, [], None),
    ("widget", SHOW_WIDGET, [stdout("moved\n")], [], None),
    ("ignored", "print(0.7)", [stdout("0.5\n")], ["nbval-ignore-output"], None),
]
DOWNLOAD_CELLS = [
    ("here", "print('a')", [stdout("a\n")], ["needs-download", "data=here"], None),
    ("here, never built", "print('a')", None, ["needs-download", "data=here"], None),
    ("away", "crash()", None, ["needs-download", "data=away"], "skipped"),
    ("later in the section", "crash()", None, ["needs-download", "data=here"], "skipped"),
    ("main path", "print('a')", [stdout("a\n")], [], None),
]
KERNEL_DIES = [("dies", "import os; os._exit(1)", [], [], "The kernel died in this cell")]
TIME_RUNS_OUT = [("sleeps", "import time; time.sleep(60)", [], [], "Timeout of 3 seconds exceeded")]
SEED_CELLS = [
    ("wrong number", "print('loss 0.7')", [stdout("loss 0.5\n")], [], None),
    ("failed claim", "assert 0.7 < 0.5", [], [], "AssertionError"),
]


def write_notebook(path, cells):
    notebook = new_notebook(cells=[new_markdown_cell("# A lesson")])
    for _, source, outputs, tags, _ in cells:
        count = None if outputs is None else 1
        metadata = {"tags": tags}
        notebook.cells.append(
            new_code_cell(source, outputs=outputs or [], execution_count=count, metadata=metadata)
        )
    nbformat.write(notebook, path)


def run_tests(folder, notebooks, **environment):
    """Lay out a small course, run its tests, return the report of every cell and what was printed.

    A report is "" for a cell that passed, and starts with "skipped" for one that was skipped.
    """
    for part in ("pyproject.toml", "conftest.py", "tests/notebook_comparer.py"):
        (folder / part).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / part, folder / part)
    shutil.copytree(ROOT / "tools", folder / "tools")
    with (folder / "conftest.py").open("a") as conftest:
        conftest.write("\nfrom course_utils import data\n")
        conftest.write("data.is_available = lambda name: name == 'here'\n")
    (folder / "notebooks").mkdir()
    for name, cells in notebooks.items():
        write_notebook(folder / "notebooks" / f"{name}.ipynb", cells)
    command = [sys.executable, "-m", "pytest", "--color=no", "--nbval-cell-timeout=3"]
    names = [f"notebooks/{name}.ipynb" for name in notebooks]
    finished = subprocess.run(
        [*command, "--junitxml=report.xml", *names],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if key != "COURSE_SEED"} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert finished.returncode in (0, 1), finished.stdout + finished.stderr
    cases = ElementTree.parse(folder / "report.xml").iter("testcase")
    reports = [
        "".join(f"{child.tag} {child.get('message')} {child.text}" for child in case)
        for case in cases
    ]
    expected = [cell for cells in notebooks.values() for cell in cells]
    assert len(reports) == len(expected), finished.stdout
    titles = [f"{name}: {cell[0]}" for name, cells in notebooks.items() for cell in cells]
    return dict(zip(titles, reports, strict=True)), finished.stdout


NOTEBOOKS = {
    "plain": CELLS,
    "download": DOWNLOAD_CELLS,
    "dies": KERNEL_DIES,
    "sleeps": TIME_RUNS_OUT,
}


@pytest.fixture(scope="module")
def nbval(tmp_path_factory):
    return run_tests(tmp_path_factory.mktemp("course"), NOTEBOOKS)


@pytest.fixture(scope="module")
def nbval_with_seed(tmp_path_factory):
    return run_tests(tmp_path_factory.mktemp("course"), {"seed": SEED_CELLS}, COURSE_SEED="7")


def check(report, expected):
    if expected is None:
        assert report == ""
    else:
        assert expected in report


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        pytest.param(name, cell, id=f"{name}, {cell[0]}")
        for name, cells in NOTEBOOKS.items()
        for cell in cells
    ],
)
def test_nbval(nbval, name, cell):
    check(nbval[0][f"{name}: {cell[0]}"], cell[4])


def test_skips_are_visible_and_name_the_data_set(nbval):
    assert "data set neither on disk nor reachable: away" in nbval[1]


@pytest.mark.parametrize("cell", SEED_CELLS, ids=[cell[0] for cell in SEED_CELLS])
def test_nbval_with_another_seed(nbval_with_seed, cell):
    check(nbval_with_seed[0][f"seed: {cell[0]}"], cell[4])
