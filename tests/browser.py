"""Every lesson in a real browser, as a student sees it; run by ``make test-browser``.

JupyterLab starts as ``make lab`` starts it, at the desk of a copied course: nothing in the checkout
changes. Each lesson is opened by its link on the course map and run with *Run > Run All Cells*; in
the student's copy, added cells answer its exercises. Pictures of what was seen are left in
``screenshots/<lesson>/``. With LESSON="flows resnet" these lessons are run.
"""

import itertools
import os
import re
import shutil
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from functools import partial
from pathlib import Path

import nbformat
import pytest
import requests
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from playwright.sync_api import Error, Locator, Page, expect

from notebooks import KERNELSPEC, NOTEBOOKS, missing_data

pytestmark = pytest.mark.browser
ROOT = NOTEBOOKS.parent
START_SECONDS, LESSON_SECONDS, CHANGE_SECONDS = 90, 900, 30
BAR_SECONDS = 5  # a cell that takes longer should show how far it is
ANSWER = """\
{0}.check({0}.answer)
for _ in {0}.hints:
    {0}.hint()
{0}.solution()"""

IS_OPEN = """name => window.jupyterapp?.shell.currentWidget?.title.label == name
  && jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status == "idle" """
NOW = """() => {
  const {content, sessionContext} = jupyterapp.shell.currentWidget;
  const cells = content.widgets;
  const running = cells.findIndex(({model}) => model.executionState == "running");
  const bars = running < 0 ? [] : [...cells[running].node.querySelectorAll(".progress-bar")];
  if (running >= 0) content.scrollToItem(running, "center");
  return {
    running,
    bar: bars.some(bar => bar.checkVisibility()),
    over: running < 0 && sessionContext.session?.kernel?.status == "idle"
      && cells.some(({model}) => model.executionCount),
    dialog: document.querySelector(".jp-Dialog")?.innerText,
  };
}"""
# What shows TeX or a fence of code as it was typed.
RAW = """xpath=//*[contains(@class, "jp-RenderedMarkdown")]
  /descendant-or-self::*[not(ancestor-or-self::code)]
  /text()[contains(., "$") or contains(., "```")]/.."""
# The pixels of an explorer; null while there are none.
PICTURE = """output => {
  const drawn = [...output.querySelectorAll("canvas, img")].map(one =>
    one.tagName == "CANVAS" ? one.toDataURL() : one.naturalWidth && one.src);
  return drawn.length && drawn.every(Boolean) ? drawn.join() : null;
}"""
SLIDER, CHOICE, MAP = "input[type=range]", "input[type=radio]", "[role=application]"
# What buttons choose between may be the same at the end of a slider.
MIDDLE = """sliders => sliders.forEach(slider => {
  slider.value = +slider.min + 0.6 * (slider.max - slider.min);
  slider.dispatchEvent(new Event("input", {bubbles: true}));
})"""
LABEL = "it => it.ariaLabel || (it.closest('label') ?? it).innerText.trim()"


def chosen() -> list[str]:
    """The lessons that LESSON names, or all."""
    lessons = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb") if path.stem != "index")
    asked = os.environ.get("LESSON", "").split()
    if unknown := set(asked) - set(lessons):
        pytest.exit(f"No lesson {', '.join(unknown)}: choose from {', '.join(lessons)}", 2)
    return asked or lessons


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, subprocess.Popen]]:
    """JupyterLab in a copy of the course: its address and its process."""
    own = ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")
    log = folder / "lab.log"
    with log.open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            [sys.executable, folder / "tools/lab.py", "--no-browser", "--expose-app-in-browser"],
            env=os.environ | {name: str(folder / name.lower()) for name in own},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline, address = time.monotonic() + START_SECONDS, None
        while address is None:
            time.sleep(0.2)
            text = log.read_text(encoding="utf-8")
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.exit(f"JupyterLab did not start:\n{text[-2000:]}", 1)
            if found := re.search(r"http://localhost:\d+/lab\S+\?token=\w+", text):
                with suppress(requests.ConnectionError):  # it is said before it is so
                    requests.get(found[0], timeout=START_SECONDS)
                    address = found[0]
        yield address, process
    finally:
        process.terminate()
        process.wait(60)


def copy_course(folder: Path) -> None:
    for name in ("notebooks", "tools"):
        shutil.copytree(ROOT / name, folder / name)


def open_lesson(page: Page, address: str, lesson: str) -> Locator:
    """Open a lesson by its link on the course map, and wait for its kernel; return its panel."""
    page.set_default_timeout(1000 * START_SECONDS)
    page.goto(address.replace("?", "?reset&"))
    page.get_by_role("link", name=lesson, exact=True).first.click()
    page.wait_for_function(IS_OPEN, arg=f"{lesson}.ipynb")
    return page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")


@pytest.fixture(scope="session")
def lab(browser, tmp_path_factory):
    """JupyterLab at a desk, once there is a browser: the course's folder, address, process."""
    folder = tmp_path_factory.mktemp("course")
    copy_course(folder)
    with serving(folder) as (address, process):
        yield folder, address, process


def test_only_who_has_the_token_comes_in(lab):
    _, address, _ = lab
    answer = requests.get(address.partition("lab")[0] + "api/contents", timeout=10)
    assert answer.status_code == 403


@pytest.mark.browser_context_args(viewport={"width": 1400, "height": 1800})
@pytest.mark.parametrize("lesson", chosen())
def test_lesson(page: Page, lab, lesson: str):
    folder, address, process = lab
    copy, pictures = folder / "my_lessons" / f"{lesson}.ipynb", ROOT / "screenshots" / lesson
    shutil.rmtree(pictures, ignore_errors=True)
    cells = answer_exercises(copy)
    here, elsewhere = (address.partition("lab")[0], "data:", "blob:", "attachment:"), set()
    page.on("request", lambda it: it.url.startswith(here) or elsewhere.add(it.url))
    try:
        panel = open_lesson(page, address, lesson)
        page.evaluate("jupyterapp.shell.collapseLeft()")
        faults = run_all(page, cells, process)
        page.evaluate("jupyterapp.commands.execute('docmanager:save')")
        cells = nbformat.read(copy, as_version=4).cells
        take_pages(panel, pictures)
        faults += [*ran_badly(panel, cells), *undrawn(panel, cells)]
        for index, cell in enumerate(cells):
            if cell.cell_type == "code" and re.search(r"(?m)^ *explorers\.\w+\(", cell.source):
                output = panel.locator(".jp-Cell").nth(index).locator(".jp-OutputArea").first
                faults += [f"{name(cells, index)}: {fault}" for fault in unmoved(output)]
                output.screenshot(path=pictures / f"explorer-{index:03d}.png")
        faults += [f"asked for something elsewhere: {url}" for url in elsewhere]
    finally:
        with suppress(Error):  # JupyterLab may not be there any more
            page.evaluate("jupyterapp.serviceManager.sessions.shutdownAll()")
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)


def test_the_desk(page: Page, tmp_path: Path):
    """First start and a run, update, second start and work, update, third start."""
    course = tmp_path / "Kurs für alle"
    copy_course(course)
    copy, out = course / "my_lessons/flows.ipynb", new_output("stream", text="stored")

    def update(text: str) -> None:
        cells = [new_markdown_cell("![moons](figures/flows.png)")]
        cells.append(new_code_cell(f"print({text!r} + 2 * 'x')", outputs=[out], execution_count=1))
        lesson = new_notebook(cells=cells, metadata={"kernelspec": KERNELSPEC})
        nbformat.write(lesson, course / "notebooks/flows.ipynb")

    def look(text: str, then: str) -> None:
        """Open the copy, which holds `text` and its picture; go to its code, press keys, save."""
        with serving(course) as (address, _):
            panel = open_lesson(page, address, "flows")
            assert panel.get_by_text(f"print('{text}' +").count() == 1
            assert [*undrawn(panel, nbformat.read(copy, as_version=4).cells)] == []
            panel.locator(".jp-CodeCell .cm-content").first.click()
            for key in then.split():
                page.keyboard.press(key)
            expect(panel.get_by_text(f"{text}xx")).to_have_count(1)
            page.evaluate("jupyterapp.commands.execute('docmanager:save')")
            page.wait_for_function("!jupyterapp.shell.currentWidget.context.model.dirty")

    update("first")
    look("first", then="Shift+Enter")
    assert len(nbformat.read(copy, as_version=4).cells) == 3  # JupyterLab adds an empty one
    update("second")
    look("second", then="Control+End Enter # Shift+Enter")
    mine = copy.read_bytes()
    assert b"#" in mine and b"secondxx" in mine
    update("third")
    look("second", then="Shift+Enter")
    beside = copy.with_name(f"flows (new {date.today()}).ipynb")
    assert "third" in beside.read_text() and "stored" not in beside.read_text()


def name(cells: list, index: int) -> str:
    return f"cell {index} ({next(iter(cells[index].source.splitlines()), 'empty')[:60]})"


def exercises(cell) -> list[str]:
    """The exercises that a cell checks, such as ``exercises.q1``."""
    found = re.findall(r"^(\w+\.q\d+)\.check\(", cell.source, re.MULTILINE)
    return found if cell.cell_type == "code" else []


def answer_exercises(copy: Path) -> list:
    """Add cells to a lesson's copy that answer its exercises; return all its cells."""
    notebook = nbformat.read(copy, as_version=4)
    cells, answers = notebook.cells, []
    for cell in cells:
        answers += [new_code_cell(ANSWER.format(exercise)) for exercise in exercises(cell)]
    # A cell without its data ends the run: the answers come before it.
    away = (index for index in range(len(cells)) if missing_data(cells[: index + 1]))
    place = next(away, len(cells))
    cells[place:place] = answers
    nbformat.write(notebook, copy)
    return cells


def run_all(page: Page, cells: list, process: subprocess.Popen) -> list[str]:
    """Run all cells and wait for the end; say if no progress bar was seen."""
    for item in ("Run", "Run All Cells"):
        page.get_by_role("menuitem", name=item, exact=True).click()
    seconds, with_bar, where, quiet = Counter(), set(), "before the first cell", 0
    now = time.monotonic()
    deadline = now + LESSON_SECONDS
    while quiet < 4:
        page.wait_for_timeout(250)
        state, before, now = page.evaluate(NOW), now, time.monotonic()
        if (running := state["running"]) >= 0:
            where = name(cells, running)
            seconds[where] += now - before
            with_bar |= {where} if state["bar"] else set()
        quiet = quiet + 1 if state["over"] else 0
        if process.poll() is not None:
            pytest.fail(f"{where}: JupyterLab ended", pytrace=False)
        if state["dialog"]:  # that the kernel died, for example
            pytest.fail(f"{where}: JupyterLab says: {state['dialog']}", pytrace=False)
        if now > deadline:
            pytest.fail(f"{where}: not at the end after {LESSON_SECONDS} s", pytrace=False)
    slow = [cell for cell in seconds if seconds[cell] > BAR_SECONDS and "import" not in cell]
    for cell in slow:
        if cell not in with_bar:
            warnings.warn(f"{cell}: {seconds[cell]:.0f} s without a progress bar", stacklevel=1)
    return ["no progress bar was seen"] if slow and not with_bar else []


def take_pages(panel: Locator, pictures: Path) -> None:
    """Take pictures of the notebook from top to bottom."""
    panel.page.mouse.move(0, 0)
    area = panel.locator(".jp-WindowedPanel-outer")
    for number in itertools.count(1):
        area.evaluate("(area, page) => { area.scrollTop = page * area.clientHeight }", number - 1)
        panel.page.wait_for_timeout(400)
        area.screenshot(path=pictures / f"page-{number:02d}.png")
        last = panel.locator(".jp-Cell").last.bounding_box()
        if last["y"] + last["height"] <= panel.page.viewport_size["height"]:
            break


def ran_badly(panel: Locator, cells: list) -> Iterator[str]:
    """Cells that did not run or raised what nobody asked for, exercises that do not answer."""
    for index, cell in enumerate(cells):
        if cell.cell_type != "code":
            continue
        found = [f"{out.ename}: {out.evalue}" for out in cell.outputs if out.output_type == "error"]
        bars = panel.locator(".jp-Cell").nth(index).locator(".progress:visible")
        if not found and bars.count():
            found = ["a progress bar is left"]
        if missing_data(cells[: index + 1]):
            found = [error for error in found if not error.startswith("DataError")]
        elif cell.execution_count is None:
            found = ["did not run"]
        if "raises-exception" not in cell.metadata.get("tags", []):
            yield from (f"{name(cells, index)}: {error}" for error in found)
        said = "".join(out.get("data", {}).get("text/markdown", "") for out in cell.outputs)
        for exercise in exercises(cell):
            is_answer = cell.source == ANSWER.format(exercise)
            for sign in ("✅", "💡", "🔑") if is_answer else ("Not attempted yet",):
                if sign not in said:
                    yield f"{exercise} does not say {sign}"


def undrawn(panel: Locator, cells: list) -> Iterator[str]:
    """Pictures and formulas that are not to be seen, and pictures without a text."""
    broken = "all => all.filter(one => !one.naturalWidth).map(one => one.alt || one.src)"
    yield from (f"not drawn: {it[:80]}" for it in panel.locator("img").evaluate_all(broken))
    yield from unnamed(panel, cells)
    for cell in panel.locator(".jp-MarkdownCell:not(.jp-mod-rendered)").all():
        yield f"not drawn: {cell.inner_text()}"
    wrong = panel.locator("mjx-container:has(mjx-merror, [style*=red])")
    for text in panel.locator(RAW).or_(wrong).all_text_contents():
        yield f"not drawn: {text}"


def unnamed(panel: Locator, cells: list) -> Iterator[str]:
    """Pictures that have no text for a screen reader, or for a figure another than the lesson's."""
    nameless = panel.get_by_role("img", name=re.compile("^(Image)?$"))  # JupyterLab's own text
    yield from ("a picture has no text" for _ in panel.locator("img").and_(nameless).all())
    for index, cell in enumerate(cells):
        for data in (output.get("data", {}) for output in cell.get("outputs", [])):
            if data.get("text/html", "").startswith("<img "):
                text = data["text/plain"]
                if len(text) <= 40 or not panel.get_by_role("img", name=text, exact=True).count():
                    yield f"{name(cells, index)}: no picture has this text, or it is short: {text}"


def unmoved(output: Locator) -> Iterator[str]:
    """Move every slider of an explorer, press every button; say which do not change its picture."""
    page = output.page

    def wait_until(is_so: Callable[[], bool]) -> bool:
        for _ in range(10 * CHANGE_SECONDS):
            if is_so():
                return True
            page.wait_for_timeout(100)
        return False

    def rests() -> bool:
        before = output.evaluate(PICTURE)
        page.wait_for_timeout(500)
        return before is not None and before == output.evaluate(PICTURE)

    if not output.locator(f"{SLIDER}, {CHOICE}, button, {MAP}").count():
        yield "there is nothing to move"
    for control, action, act in actions(output):
        for choice in output.locator(CHOICE).all():  # some sliders wait for one
            if not control.is_enabled():
                choice.check()
        output.locator("input[type=range]").evaluate_all(MIDDLE)
        for pause in output.get_by_role("button", name="Pause", exact=True).all():
            pause.click()
        if not wait_until(rests):
            yield "its picture never comes to rest"
        before = output.evaluate(PICTURE)
        act()
        if not wait_until(lambda before=before: output.evaluate(PICTURE) not in (None, before)):
            yield f"{control.evaluate(LABEL)!r} changes nothing: {action}"


def actions(output: Locator) -> Iterator[tuple[Locator, str, Callable]]:
    """What a student can do in an explorer: to what, how, and what does it."""
    for slider in output.locator(SLIDER).all():
        for key in ("Home", "End"):
            yield slider, key, partial(slider.press, key)
    choices = output.locator(CHOICE).all()
    for choice in sorted(choices, key=Locator.is_checked):  # what is chosen, after the others
        yield choice, "click", choice.check
    for button in output.locator("button").all():
        yield button, "click", button.click
    for area in output.locator(MAP).all():
        yield area, "pointer", partial(area.hover, position={"x": 160, "y": 160})
