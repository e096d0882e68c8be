"""tools/browser.py: its pieces, and two small lessons in a real browser."""

import http.server
import json
import os
import sys
import threading

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import browser
import notebooks

AWAY = {"tags": ["needs-download", "data=away"]}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Stands for notebooks/; no data set can be had."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setattr(notebooks, "NOTEBOOKS", folder)
    monkeypatch.setattr(notebooks.data, "is_available", lambda name: False)
    monkeypatch.setattr(browser, "SCREENSHOTS", tmp_path / "screenshots")
    return folder


def write(folder, lesson, *cells):
    spec = {"kernelspec": notebooks.KERNELSPEC}
    notebook = new_notebook(cells=list(cells), metadata=spec)
    (folder / f"{lesson}.ipynb").write_text(nbformat.writes(notebook), encoding="utf-8")


@pytest.mark.parametrize(
    ("is_here", "found", "words"),
    [
        (False, "/usr/bin/chromium", "Playwright is missing. Install it with: "),
        (True, None, "No Chromium was found. Install it, on Debian with: sudo apt install"),
        (True, "/usr/bin/chromium", None),
    ],
)
def test_what_is_missing_is_said_in_one_line(folder, monkeypatch, capsys, is_here, found, words):
    write(folder, "lesson")
    monkeypatch.setattr(browser.importlib.util, "find_spec", lambda name: is_here or None)
    monkeypatch.setattr(browser.shutil, "which", lambda name: found)
    monkeypatch.setattr(browser, "check_all", lambda lessons: {})
    assert browser.main([]) == (words is not None)
    said = capsys.readouterr().err
    assert said.startswith(words) if words else not said
    assert said.count("\n") == (words is not None)


def test_the_first_browser_that_is_there_is_taken(monkeypatch):
    there = {"google-chrome": "/opt/chrome", "chromium-browser": "/snap/chromium"}
    monkeypatch.setattr(browser.shutil, "which", there.get)
    assert browser.find_browser() == "/snap/chromium"


def test_an_unknown_lesson_is_refused(folder, capsys):
    write(folder, "flows")
    with pytest.raises(SystemExit):
        browser.main(["flowers"])
    assert "'flowers' (choose from" in capsys.readouterr().err


def test_in_the_copy_no_cell_has_run_and_the_course_stays_as_it_was(folder, tmp_path):
    output = new_output("stream", text="of the past")
    write(folder, "lesson", new_code_cell("1", execution_count=3, outputs=[output]))
    before = (folder / "lesson.ipynb").read_bytes()
    browser.copy_course(tmp_path / "course")
    copy = json.loads((tmp_path / "course/notebooks/lesson.ipynb").read_text())
    assert copy["cells"][0]["execution_count"] is None
    assert copy["cells"][0]["outputs"][0]["text"] == ["of the past"]
    assert (folder / "lesson.ipynb").read_bytes() == before
    lab = browser.ROOT / "tools" / "lab.py"
    assert (tmp_path / "course/tools/lab.py").read_bytes() == lab.read_bytes()


def test_a_server_that_does_not_start_is_reported(tmp_path):
    command = [sys.executable, "-c", "import sys; sys.exit('no room')"]
    with (
        pytest.raises(RuntimeError, match="did not start:\nno room"),
        browser.serve(tmp_path, command, dict(os.environ)),
    ):
        pass


@pytest.mark.parametrize(("status", "locked"), [(403, True), (404, False), (200, False)])
def test_a_server_is_locked_if_it_refuses_who_has_no_token(status, locked):
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.HTTPServer(("localhost", 0), Answer) as server:
        threading.Thread(target=server.handle_request).start()
        assert browser.is_locked(f"http://localhost:{server.server_port}/") == locked


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the rate $\\alpha$", True),
        ("so\n$$\nx = 1\n$$", True),
        ("it costs 5 $", False),
        ("write `$x$`, or\n```\n$$ y $$\n```", False),
    ],
)
def test_formulas_are_found(text, expected):
    assert browser.has_formula(text) == expected


def test_exercises_explorers_and_bars_are_found():
    source = "exercises.q1.check(step)\n# exercises.q2.check(step)\nwine.q12.check((a, b))"
    assert browser.exercises(source) == ["exercises.q1", "wine.q12"]
    assert browser.has_explorer("x = 1\nwidgets.swarm(J, box)")
    assert not browser.has_explorer("from course_utils import widgets\n# widgets.swarm(J)")
    assert browser.has_bar("for seed in tqdm(range(3)): ...")
    assert browser.has_bar("training.fit_many(model, x, y)")
    assert not browser.has_bar("from tqdm.auto import tqdm")


def test_errors_and_cells_that_did_not_run_are_named(folder):
    cells = [
        new_markdown_cell("# Title"),
        new_code_cell("1"),
        new_code_cell("2"),
        new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]}),
        new_code_cell("load()", metadata=AWAY),
        new_code_cell("load()", metadata=AWAY),
        new_code_cell("use()", metadata=AWAY),
    ]

    def state(count, *errors):
        return {"count": count, "errors": [list(error) for error in errors]}

    done = [state(None), state(1), state(2), state(3, ("ZeroDivisionError", "by zero"))]
    away = [state(4, ("DataError", "no network")), state(None), state(None)]
    assert browser.problems(cells, done + away) == []
    done[1] = state(None)
    done[2] = state(2, ("ValueError", "bad"))
    away[0] = state(4, ("NameError", "load"))
    assert browser.problems(cells, done + away) == [
        "cell 1, Title: did not run",
        "cell 2, Title: ValueError: bad",
        "cell 4, Title: NameError: load",
    ]


def test_every_lesson_has_a_line_and_every_failure_another():
    flows, wine = browser.Checks(61.4, 20), browser.Checks(9, 2)
    wine("not said", True)
    wine("the slider 'x' changes nothing", False)
    flows.notes.append("cell 3: 8 s without a progress bar")
    assert browser.table({"flows": flows, "wine": wine}) == [
        "lesson  seconds  passed  failed",
        "flows   61       20      0",
        "wine    9        3       1",
        "Failed:",
        "wine: the slider 'x' changes nothing",
        "flows: cell 3: 8 s without a progress bar",
    ]


FIGURE = """\
import matplotlib.pyplot as plt

plt.plot([1, 2])
plt.show()
"""
BAR = """\
import time
from tqdm.auto import tqdm

for _ in tqdm(range(30), leave=False):
    time.sleep(0.1)
"""
EXPLORE = """\
def draw(power):
    plt.plot([0, 1, 2**power])
    plt.show()

widgets.explore(draw, power=[1, 2, 3])
"""
INERT = """\
from IPython.display import HTML
class widgets:
    picture = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"
    page = f'<img src="data:image/svg+xml,{picture}"><input type="range" min="0" max="1">'
    show = HTML

widgets.show(widgets.page)
"""
SILENT = """\
class exercises:
    class q1:
        hints, answer = ("look",), 1
        check = hint = solution = print

exercises.q1.check(...)
"""


@pytest.mark.skipif(bool(browser.missing()), reason=str(browser.missing()))
def test_lessons_in_a_browser(folder, monkeypatch, capfd):
    monkeypatch.setattr(browser, "CHANGE_SECONDS", 5)
    links = "Start with [good](good.ipynb).\n\n* [good](good.ipynb)\n* [bad](bad.ipynb)"
    write(folder, "index", new_markdown_cell(links))
    write(
        folder,
        "good",
        new_markdown_cell("# Good\n\n$$\\int x\\,dx$$ and $y$"),
        new_code_cell("from course_utils import plotting, widgets"),
        new_code_cell("from course_utils.exercises import optimizers as exercises"),
        new_code_cell(FIGURE),
        new_code_cell(BAR),
        new_code_cell("widgets.descend([[1, 0], [0, 4]], [-1, 1], (-2, 2, -2, 2))"),
        new_code_cell(EXPLORE),
        new_code_cell("exercises.q1.check(...)\n# exercises.q1.hint()  # and .solution()"),
        new_code_cell("class DataError(RuntimeError): ...\nraise DataError", metadata=AWAY),
        new_code_cell("1 / 0", metadata=AWAY),
    )
    write(
        folder,
        "bad",
        new_markdown_cell(
            "# Bad\n\n$\\undefined{x}$, ![nothing](nowhere.png), ![far](https://example.invalid/x.png)"
        ),
        new_code_cell(INERT),
        new_code_cell(SILENT),
        new_code_cell("for _ in tqdm(range(3)): ..."),
        new_code_cell("2"),
    )
    stored = {path: path.read_bytes() for path in folder.iterdir()}
    assert browser.main([]) == 1
    _, good, *failed = capfd.readouterr().out.partition("lesson ")[2].splitlines()[1:]
    assert good.split()[0] == "good" and good.split()[-1] == "0"
    assert {path: path.read_bytes() for path in folder.iterdir()} == stored
    failed = "\n".join(failed)
    for words in (
        "bad: cell 3, Bad: NameError: name 'tqdm' is not defined; cell 4, Bad: did not run",
        "bad: no progress bar was seen during the run",
        "bad: cell 0, Bad: the picture is not drawn: nothing",
        "bad: cell 0, Bad: a formula is not drawn: \\undefined",
        "bad: exercises.q1 does not say that it waits for an answer",
        "bad: cell 1, Bad: the slider 'INPUT' changes nothing with the key End",
        "bad: exercises.q1.solution does not answer",
        "bad: asked for something elsewhere: ['https://example.invalid/x.png']",
    ):
        assert words in failed
    pictures = {path.name for path in (browser.SCREENSHOTS / "good").iterdir()}
    assert {"page-01.png", "explorer-005.png", "exercises.q1.png"} <= pictures
