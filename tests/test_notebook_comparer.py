"""The comparer rejects what is wrong: its rules one by one, then with nbval on a small notebook."""

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from decimal import InvalidOperation
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from notebook_comparer import Tolerance, differences, line_difference

ROOT = Path(__file__).resolve().parents[1]
TAGGED = Tolerance.from_tags(["rtol=0.05", "atol=0.02", "needs-download"])
CHECK = "✓ σ = 0.01: the drift is the theory's (checked: equal within 1e-06)"
CLAIM = "✓ Of d = 2, (all) A: the loss falls by: 0.31 ± 0.02 nats (claimed: above 0.10)"
OVER = CLAIM.replace("nats", "nats over 20 starts")


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
        (CLAIM, CLAIM.replace("0.31 ± 0.02", "17.20 ± 3.00"), Tolerance()),
        (OVER, OVER.replace("0.31 ± 0.02", "0.33 ± 0.03"), Tolerance()),
        ("✓ It holds: 7 (claimed: 1 to 9)", "✓ It holds: 3 (claimed: 1 to 9)", Tolerance()),
        (CHECK, CHECK, Tolerance()),
        ("✓ Far: -10.0 (claimed: below 0)", "✓ Far: -inf (claimed: below 0)", Tolerance()),
    ],
)
def test_equal(stored, new, tolerance):
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
        (CLAIM, CLAIM.replace("falls", "rises"), TAGGED, "the claim's sentence differs"),
        (CLAIM, CLAIM.replace("d = 2", "d = 3"), TAGGED, "the claim's sentence differs"),
        (CLAIM, CLAIM.replace("nats", "bits"), TAGGED, "the claim's unit differs"),
        (OVER, OVER.replace("20 starts", "20 folds"), TAGGED, "the claim's unit differs"),
        (CLAIM, CLAIM.replace("0.10", "0.11"), TAGGED, "the claim's bounds differ"),
        (CLAIM, CLAIM.replace(" ± 0.02", ""), TAGGED, "the claim's standard error"),
        (CLAIM, CLAIM.replace("0.31", "lost"), TAGGED, "the words differ"),
        (CLAIM, CLAIM.replace("✓", "✗"), TAGGED, "the words differ"),
        (CHECK, CHECK.replace("1e-06", "2e-06"), TAGGED, "the words differ"),
        (CHECK, CHECK.replace("0.01", "0.02"), TAGGED, "the words differ"),
        (CLAIM[2:], CLAIM[2:].replace("0.31", "0.41"), Tolerance(), "0.31 became 0.41"),
    ],
)
def test_different(stored, new, tolerance, message):
    assert message in line_difference(stored, new, tolerance)


def test_a_tolerance_that_is_no_number_is_an_error():
    with pytest.raises(InvalidOperation):
        Tolerance.from_tags(["rtol=5%"])


def figure(text, pixels):
    image = f'<img alt="{text}" src="data:image/png;base64,{pixels}">'
    return [new_output("display_data", data={"text/html": image, "text/plain": text})]


def test_of_a_figure_its_text_is_compared_and_its_pixels_are_not():
    stored = figure("A rising line.", "abc")
    assert not differences(stored, figure("A rising line.", "xyz"), Tolerance())
    for other in (figure("A falling line.", "abc"), []):
        assert differences(stored, other, Tolerance())
        assert differences(other, stored, Tolerance())


def said(text):
    return [new_output("stream", name="stdout", text=text)]


PAGE = "import IPython.display as d; d.display(d.HTML('<p>0.7</p>'))"
PAGE_STORED = [
    new_output(
        "display_data",
        data={"text/html": "<p>0.1</p>", "text/plain": "<IPython.core.display.HTML object>"},
    )
]
ERROR = [new_output("error", ename="ValueError", evalue="3 rows", traceback=[])]
RESULT = [new_output("execute_result", data={"text/plain": "0.5"})]
TWO_LINES = "print('a 0.1'); print('b 0.2')"
# A cell's source, its stored outputs, its tags; "" where it must pass, else what the report says.
CELLS = [
    ("print('loss 0.5')", said("loss 0.5\n"), [], ""),
    ("print('loss 0.7')", said("loss 0.5\n"), [], "0.5 became 0.7: off by 0.2"),
    ("print('loss 0.7')", said("loss 0.5\n"), ["atol=0.25"], ""),
    ("print('loss 0.9')", said("loss 0.5\n"), ["atol=0.25"], "allowed 0.25"),
    ("0.7", RESULT, [], "text/plain, line 1: 0.5 became"),
    (TWO_LINES, said("a 0.1\nb 0.2\nc 0.3\n"), [], "3 lines stored, 2 new"),
    (TWO_LINES, said("a 0.1\n"), [], "1 lines stored, 2 new"),
    (TWO_LINES, said("a 0.1\nz 0.2\n"), [], "line 2: the words differ"),
    ("None", said("a\n"), [], "outputs stored: ['stdout']"),
    ("print('a')", [], [], "outputs new:    ['stdout']"),
    ("1 / 0", [], [], "ZeroDivisionError"),
    ("raise ValueError('3 rows')", ERROR, ["raises-exception"], ""),
    ("raise ValueError('4 rows')", ERROR, ["raises-exception"], "3 became 4"),
    ("None", ERROR, ["raises-exception"], "outputs stored: ['error']"),
    ("import sys; print('x', file=sys.stderr)", [], [], ""),
    (PAGE, PAGE_STORED, [], ""),
    ("import ipywidgets; print('moved'); ipywidgets.IntSlider()", said("moved\n"), [], ""),
    ("print(0.7)", said("0.5\n"), ["nbval-ignore-output"], ""),
    ("print('a')", said("a\n"), ["needs-download", "data=here"], ""),
    ("print('a')", None, ["needs-download", "data=here"], ""),  # never built
    ("crash()", None, ["needs-download", "data=away"], "neither on disk nor reachable: away"),
    ("crash()", None, ["needs-download", "data=here"], "neither on disk nor reachable: away"),
    ("import time; time.sleep(60)", [], [], "Timeout of 3 seconds exceeded"),
]
WITH_SEED = [
    ("print('loss 0.7')", said("loss 0.5\n"), [], ""),
    ("assert 0.7 < 0.5", [], [], "AssertionError"),
    ("import os; os._exit(1)", [], [], "The kernel died in this cell"),
]
COMMAND = [sys.executable, "-m", "pytest", "-n0", "--nbval-cell-timeout=3"]


@pytest.mark.parametrize(("cells", "seed"), [(CELLS, {}), (WITH_SEED, {"COURSE_SEED": "7"})])
def test_nbval(tmp_path, cells, seed):
    for part in ("pyproject.toml", "conftest.py", "tests/notebook_comparer.py"):
        (tmp_path / part).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / part, tmp_path / part)
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    with (tmp_path / "conftest.py").open("a") as conftest:
        conftest.write("\nfrom course_utils import download\n")
        conftest.write("download.is_available = lambda name: name == 'here'\n")
    notebook = new_notebook()
    for source, outputs, tags, _ in cells:
        stored = {} if outputs is None else {"outputs": outputs, "execution_count": 1}
        notebook.cells.append(new_code_cell(source, metadata={"tags": tags}, **stored))
    nbformat.write(notebook, tmp_path / "lesson.ipynb")
    done = subprocess.run(
        [*COMMAND, "--junitxml=report.xml", "lesson.ipynb"],
        cwd=tmp_path,
        env={key: value for key, value in os.environ.items() if key != "COURSE_SEED"} | seed,
        capture_output=True,
        text=True,
        check=False,
    )
    reports = [
        "".join(f"{child.get('message')} {child.text}" for child in case)
        for case in ElementTree.parse(tmp_path / "report.xml").iter("testcase")
    ]
    assert len(reports) == len(cells), done.stdout
    for (source, _, _, expected), report in zip(cells, reports, strict=True):
        assert expected in report if expected else not report, f"{source}: {report}"
