"""Open every lesson in a real browser, as a student does, and check what is to be seen there.

python tools/browser.py           every stored notebook except the course map
python tools/browser.py flows     this lesson

JupyterLab starts as ``make lab`` starts it, with its token, on a free port and on a copy of the
notebooks: nothing in the checkout changes. Playwright drives the Chromium that is installed. Each
lesson is opened by its link on the course map and run with *Run > Run All Cells*. Then every cell
must have run without an error, figures and formulas must be drawn, each slider and each button of
an explorer must change its picture, each exercise must answer, and the progress bars, seen during
the run, must be gone. Cells whose data set cannot be had may answer with a `DataError`.

Pictures of what was seen are left in ``screenshots/<lesson>/``.
"""

import argparse
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from tqdm import tqdm

import bench
import notebooks

ROOT = Path(__file__).resolve().parents[1]
SCREENSHOTS = ROOT / "screenshots"
BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
WIDTH, HEIGHT = 1400, 1800  # pixels of the window
START_SECONDS, LESSON_SECONDS, CHANGE_SECONDS = 90, 900, 30
BAR_SECONDS = 5  # a cell that takes longer is named if it does not show how far it is

# What JupyterLab knows of the notebook in front, cell by cell.
STATE = """() => {
  const panel = jupyterapp.shell.currentWidget;
  const outputs = model => Array.from({length: model.outputs?.length ?? 0},
    (_, i) => model.outputs.get(i));
  return {
    kernel: panel.sessionContext?.session?.kernel?.status,
    cells: panel.content.widgets.map(({model}) => ({
      count: model.executionCount ?? null,
      running: model.executionState == "running",
      figures: outputs(model).filter(output => "image/png" in (output.data ?? {})).length,
      errors: outputs(model).filter(output => output.type == "error")
        .map(output => output.toJSON()).map(({ename, evalue}) => [ename, evalue]),
    })),
  };
}"""
FOLLOW = "index => jupyterapp.shell.currentWidget.content.scrollToItem(index, 'center')"
# The cells that show a progress bar.
BARS = """() => jupyterapp.shell.currentWidget.content.widgets.flatMap(({node}, index) =>
  [...node.querySelectorAll(".progress-bar")].some(bar => bar.checkVisibility()) ? [index] : [])"""
# For each cell, as far as it is attached: its pictures, its formulas, and what went wrong there.
SEEN = r"""() => jupyterapp.shell.currentWidget.content.widgets.map(({node}) => {
  const images = [...node.querySelectorAll("img")];
  const texts = [...node.querySelectorAll(".jp-RenderedMarkdown")].map(part => {
    const copy = part.cloneNode(true);
    for (const inner of copy.querySelectorAll("code, pre, mjx-container")) inner.remove();
    return copy.textContent;
  });
  return {
    images: images.filter(image => image.naturalWidth > 0).length,
    broken: images.filter(image => !image.naturalWidth).map(image => image.alt || "an image"),
    formulas: node.querySelectorAll("mjx-container").length,
    raw: texts.flatMap(text => text.match(/\$\$?[^$]*\$?|\\[([][^]*?\\[)\]]/g) ?? []),
    wrong: [...node.querySelectorAll("mjx-merror, mjx-container [style*='red']")].map(bad =>
      bad.closest("mjx-container").textContent),
    texts,
  };
})"""
# The pixels of an explorer; null while there are none.
PICTURE = """output => {
  const pictures = [...output.querySelectorAll("canvas, img")].map(picture =>
    picture.tagName == "CANVAS" ? picture.toDataURL() : picture.naturalWidth && picture.src);
  return pictures.length && pictures.every(Boolean) ? pictures.join() : null;
}"""
PAUSE = """output => [...output.querySelectorAll("button")]
  .find(button => button.textContent == "Pause")?.click()"""
SET = """(slider, value) => {
  slider.value = value;
  slider.dispatchEvent(new Event("input", {bubbles: true}));
}"""
SHUT_DOWN = "jupyterapp.serviceManager.sessions.shutdownAll()"
PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"
# Scroll to a page of the notebook, and say whether its last cell ends there.
SCROLL = """(area, page) => {
  area.scrollTop = page * area.clientHeight;
  const last = jupyterapp.shell.currentWidget.content.widgets.at(-1).node;
  return last.isConnected
    && last.getBoundingClientRect().bottom <= area.getBoundingClientRect().bottom;
}"""
LABEL = """control => (control.ariaLabel || control.closest("label")?.innerText
  || control.closest(".widget-inline-hbox")?.querySelector("label")?.innerText
  || control.innerText || control.tagName).trim()"""


@dataclass
class Checks:
    """What was checked in a lesson, what failed, and what else was seen."""

    seconds: float = 0.0
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __call__(self, sentence: str, is_so: bool) -> None:
        """Count a check; its sentence says what is wrong where it fails."""
        if is_so:
            self.passed += 1
        else:
            self.failed.append(sentence)


def find_browser() -> str | None:
    """Where the first known browser is."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def missing() -> str | None:
    """Say in one line what has to be installed, None where all is there."""
    if importlib.util.find_spec("playwright") is None:
        return "Playwright is missing. Install it with: make test-browser"
    if find_browser() is None:
        return "No Chromium was found. Install it, on Debian with: sudo apt install chromium"
    return None


def copy_course(folder: Path) -> None:
    """Copy what `make lab` serves; in the copy no cell has run yet."""
    (folder / "tools").mkdir(parents=True)
    shutil.copy(ROOT / "tools" / "lab.py", folder / "tools")
    shutil.copytree(notebooks.NOTEBOOKS, folder / "notebooks")
    for path in (folder / "notebooks").glob("*.ipynb"):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell["execution_count"] = None
        path.write_text(json.dumps(notebook), encoding="utf-8")


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as found:
        found.bind(("localhost", 0))
        return found.getsockname()[1]


@contextmanager
def serve(
    folder: Path, command: list[str], variables: dict[str, str], **rights: Any
) -> Iterator[tuple[str, str, subprocess.Popen]]:
    """Run a Jupyter server; give its address, its token and its process.

    Parameters
    ----------
    folder : Path
        Keeps the server's settings and log: nobody's own, and none are left behind.
    command : list of str
        What starts the server.
    variables : dict of str
        Its environment.
    **rights
        Whom it belongs to, as `subprocess` takes it.

    Raises
    ------
    RuntimeError
        If it does not start; with the end of what it said.
    """
    names = ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")
    homes = {name: folder / name.lower() for name in names}
    log = folder / "lab.log"
    with log.open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            command,
            **rights,
            env=variables | {name: str(path) for name, path in homes.items()},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        answer = None
        while answer is None:
            if process.poll() is not None or time.monotonic() > deadline:
                end = "\n".join(log.read_text(encoding="utf-8").splitlines()[-10:])
                raise RuntimeError(f"JupyterLab did not start:\n{end}")
            time.sleep(0.2)
            answer = address(homes[names[0]].glob("jpserver-*.json"))
        yield *answer, process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def address(files: Iterator[Path]) -> tuple[str, str] | None:
    """Address and token of a server, from the file that it writes; None before it answers."""
    try:
        found = json.loads(next(files).read_text(encoding="utf-8"))
        urllib.request.urlopen(found["url"] + "api", timeout=5).close()
    except (StopIteration, ValueError, OSError):
        return None
    return found["url"], found["token"]


def is_locked(url: str) -> bool:
    """Whether the server refuses who comes without the token."""
    try:
        urllib.request.urlopen(url + "api/contents", timeout=10).close()
    except urllib.error.HTTPError as error:
        return error.code == 403
    return False


def has_formula(text: str) -> bool:
    """Whether a Markdown text holds a formula."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    return re.search(r"\$[^$]+\$", text) is not None


def exercises(source: str) -> list[str]:
    """The exercises that a cell checks, such as ``exercises.q1``."""
    return re.findall(r"^(\w+\.q\d+)\.check\(", source, re.MULTILINE)


def has_explorer(source: str) -> bool:
    """Whether a cell shows an explorer of `course_utils.widgets`."""
    return re.search(r"^ *widgets\.\w+\(", source, re.MULTILINE) is not None


def has_bar(source: str) -> bool:
    """Whether a cell may show how far its training is."""
    return re.search(r"training\.fit|\btqdm\(", source) is not None


def problems(cells: list, states: list[dict]) -> list[str]:
    """Say which code cells did not run, or ended in an error that nobody asked for.

    Parameters
    ----------
    cells : list of nbformat cells
        The notebook, as it is stored.
    states : list of dict
        For each cell the number of its execution, ``count``, and its ``errors``, (name, message).
    """
    found = []
    for index, (name, cell) in enumerate(zip(bench.names_of(cells), cells, strict=True)):
        if cell.cell_type != "code":
            continue
        errors = states[index]["errors"]
        if notebooks.missing_data(cells[: index + 1]):
            errors = [error for error in errors if error[0] != "DataError"]
        elif states[index]["count"] is None:
            found.append(f"{name}: did not run")
        if "raises-exception" not in cell.metadata.get("tags", []):
            found += [f"{name}: {kind}: {message}" for kind, message in errors]
    return found


def open_lesson(page, url: str, token: str, lesson: str) -> None:
    """Open the course map at the printed address, and the lesson by its first link there."""
    page.goto(f"{url}lab/tree/notebooks/index.ipynb?reset&token={token}")
    page.get_by_role("link", name=lesson, exact=True).first.click()
    page.wait_for_function(
        """name => window.jupyterapp?.shell.currentWidget?.title.label == name
          && jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status == "idle" """,
        arg=f"{lesson}.ipynb",
    )
    page.evaluate("jupyterapp.shell.collapseLeft()")


def run_all(page, lesson: str) -> tuple[dict[int, float], set[int]]:
    """Run all cells and wait for the end; return seconds of each cell and who showed a bar."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    seconds, with_bar, quiet = {}, set(), 0
    now = deadline = time.monotonic()
    deadline += LESSON_SECONDS
    with tqdm(desc=lesson, leave=False, bar_format="{desc}: cell {n} ({elapsed})") as bar:
        while quiet < 4:
            page.wait_for_timeout(250)
            state = page.evaluate(STATE)
            running = [i for i, cell in enumerate(state["cells"]) if cell["running"]]
            is_over = state["kernel"] == "idle" and not running
            has_begun = any(cell["count"] for cell in state["cells"])
            quiet = quiet + 1 if is_over and has_begun else 0
            before, now = now, time.monotonic()
            if running:
                bar.update(running[0] - bar.n)
                seconds[running[0]] = seconds.get(running[0], 0) + now - before
                page.evaluate(FOLLOW, running[0])
                with_bar.update(page.evaluate(BARS))
            if now > deadline:
                raise RuntimeError(f"Run All did not end within {LESSON_SECONDS} s")
    return seconds, with_bar


def take_pages(page, folder: Path) -> None:
    """Take pictures of the notebook from top to bottom."""
    area = page.locator(f"{PANEL} .jp-WindowedPanel-outer")
    page.mouse.move(0, 0)
    number, is_last = 0, False
    while not is_last:
        number += 1
        is_last = area.evaluate(SCROLL, number - 1)
        page.wait_for_timeout(400)
        area.screenshot(path=folder / f"page-{number:02d}.png")


def look(page, cells: list, states: list[dict], checks: Checks) -> None:
    """Check that figures and formulas are drawn, and that exercises wait for an answer."""
    names = bench.names_of(cells)
    for name, cell, state, seen in zip(names, cells, states, page.evaluate(SEEN), strict=True):
        for alt in seen["broken"]:
            checks(f"{name}: the picture is not drawn: {alt}", False)
        if state["figures"]:
            checks(f"{name}: a figure is not drawn", seen["images"] >= state["figures"])
        if has_formula(cell.source) and cell.cell_type == "markdown":
            checks(f"{name}: the formulas are not drawn", seen["formulas"] > 0)
        for text in seen["raw"] + seen["wrong"]:
            checks(f"{name}: a formula is not drawn: {text}", False)
        for exercise in exercises(cell.source):
            waits = any("Not attempted yet" in text for text in seen["texts"])
            checks(f"{exercise} does not say that it waits for an answer", waits)


def settled(page, output) -> str:
    """The picture of an explorer when nothing moves."""
    output.evaluate(PAUSE)
    last = [None, None]
    for _ in range(4 * CHANGE_SECONDS):
        now = output.evaluate(PICTURE)
        if now is not None and last == [now, now]:
            return now
        last = [last[1], now]
        page.wait_for_timeout(250)
    raise RuntimeError("a picture of an explorer never comes to rest")


def changes(page, output, act) -> bool:
    """Whether an explorer shows another picture after an action."""
    before = settled(page, output)
    act()
    for _ in range(10 * CHANGE_SECONDS):
        if output.evaluate(PICTURE) not in (None, before):
            return True
        page.wait_for_timeout(100)
    return False


def try_explorer(page, output, title: str, checks: Checks) -> None:
    """Move every slider by its keys, press every button, lead the pointer over a map."""
    sliders, buttons = output.locator("input[type=range]").all(), output.locator("button").all()
    handles = output.locator(".noUi-handle").all()
    maps = output.locator("[role=application]").all()
    checks(f"{title}: there is nothing to move", bool(sliders + buttons + handles + maps))

    def enable(control) -> None:
        for button in buttons:
            if not control.is_enabled():
                button.click()

    def middle(slider) -> None:
        low, high = (float(slider.get_attribute(name)) for name in ("min", "max"))
        slider.evaluate(SET, low + 0.6 * (high - low))

    for slider in sliders + handles:
        label = slider.evaluate(LABEL)
        if slider in sliders:
            enable(slider)
            middle(slider)
        for key in ("Home", "End"):
            moved = changes(page, output, lambda slider=slider, key=key: slider.press(key))
            checks(f"{title}: the slider {label!r} changes nothing with the key {key}", moved)
        if slider in sliders:
            middle(slider)  # where methods differ, which may not be so at an end
    for button in sorted(buttons, key=lambda one: one.get_attribute("aria-pressed") == "true"):
        label = button.evaluate(LABEL)
        moved = changes(page, output, button.click)
        checks(f"{title}: the button {label!r} changes nothing", moved)
    for area in maps:
        label = area.evaluate(LABEL)
        for key in ("ArrowRight", "ArrowUp"):

            def press(area=area, key=key) -> None:
                for _ in range(3):
                    area.press(key)

            checks(f"{title}: {label!r} ignores the key {key}", changes(page, output, press))
        size = area.bounding_box()
        place = {"x": 0.35 * size["width"], "y": 0.35 * size["height"]}
        moved = changes(page, output, lambda area=area, place=place: area.hover(position=place))
        checks(f"{title}: {label!r} ignores the pointer", moved)


def cell_at(page, index: int):
    """The cell of the notebook in front, in view."""
    page.evaluate(FOLLOW, index)
    page.wait_for_timeout(200)
    return page.locator(f'{PANEL} [data-windowed-list-index="{index}"]')


def try_exercise(page, exercise: str, index: int, checks: Checks, picture: Path) -> None:
    """Let an exercise answer in a new cell: to a right answer, with its hints and its solution."""
    code = (
        f"{exercise}.check({exercise}.answer)\n"
        f"for _ in {exercise}.hints:\n    {exercise}.hint()\n"
        f"{exercise}.solution()"
    )
    cell_at(page, index).locator(".jp-InputPrompt").click()
    for key in ("Escape", "b", "Enter"):
        page.keyboard.press(key)
    page.keyboard.insert_text(code)
    page.keyboard.press("Shift+Enter")
    page.wait_for_function(
        """index => {
          const {model} = jupyterapp.shell.currentWidget.content.widgets[index];
          return model.executionCount && model.executionState == "idle";
        }""",
        arg=index + 1,
    )
    cell = cell_at(page, index + 1)
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)
    seen = page.evaluate(SEEN)[index + 1]
    cell.screenshot(path=picture)
    starts = {"✅": "check", "💡": "hint", "🔑": "solution"}
    for sign, method in starts.items():
        answers = any(text.strip().startswith(sign) for text in seen["texts"])
        checks(f"{exercise}.{method} does not answer", answers)
    for text in seen["raw"] + seen["wrong"]:
        checks(f"{exercise}: a formula is not drawn: {text}", False)


def check_lesson(page, server: tuple[str, str], lesson: str, checks: Checks) -> None:
    """Go through a lesson as a student does."""
    folder = SCREENSHOTS / lesson
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    url, token = server
    cells = nbformat.read(notebooks.notebook_path(lesson), as_version=4).cells
    names = bench.names_of(cells)
    elsewhere = []

    def watch(request) -> None:
        if request.url.startswith("http") and not request.url.startswith(url):
            elsewhere.append(request.url)

    page.on("request", watch)
    try:
        open_lesson(page, url, token, lesson)
        seconds, with_bar = run_all(page, lesson)
        states = page.evaluate(STATE)["cells"]
        failures = problems(cells, states)
        checks("; ".join(failures), not failures)
        if any(has_bar(cell.source) for cell in cells if cell.cell_type == "code"):
            checks("no progress bar was seen during the run", bool(with_bar))
        checks.notes += [
            f"{names[index]}: {length:.0f} s without a progress bar"
            for index, length in sorted(seconds.items())
            if length > BAR_SECONDS and index not in with_bar
        ]
        take_pages(page, folder)
        left = [names[index] for index in page.evaluate(BARS) if not states[index]["errors"]]
        checks(f"a progress bar is left: {'; '.join(left)}", not left)
        look(page, cells, states, checks)
        for index, cell in enumerate(cells):
            if cell.cell_type == "code" and has_explorer(cell.source):
                output = cell_at(page, index).locator(".jp-OutputArea").first
                try_explorer(page, output, names[index], checks)
                output.screenshot(path=folder / f"explorer-{index:03d}.png")
        for index, cell in reversed(list(enumerate(cells))):
            for exercise in exercises(cell.source) if cell.cell_type == "code" else ():
                picture = folder / f"{exercise}.png"
                try_exercise(page, exercise, index, checks, picture)
        checks(f"asked for something elsewhere: {sorted(set(elsewhere))}", not elsewhere)
    except Exception:
        page.screenshot(path=folder / "stopped.png")
        raise
    finally:
        page.remove_listener("request", watch)


def table(results: dict[str, Checks]) -> list[str]:
    """One line a lesson, and below them what failed and what else was seen."""
    rows = [("lesson", "seconds", "passed", "failed")]
    for lesson, checks in results.items():
        counts = map(str, (checks.passed, len(checks.failed)))
        rows.append((lesson, f"{checks.seconds:.0f}", *counts))
    failed = [f"{lesson}: {text}" for lesson, checks in results.items() for text in checks.failed]
    notes = [f"{lesson}: {text}" for lesson, checks in results.items() for text in checks.notes]
    return [*bench.columns(rows), *([("Failed:"), *failed] if failed else []), *notes]


def check_all(lessons: list[str]) -> dict[str, Checks]:
    """Check lessons one after the other, each in a browser window of its own."""
    from playwright.sync_api import Error, sync_playwright

    results = {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        copy_course(Path(folder))
        command = [sys.executable, f"{folder}/tools/lab.py", "--no-browser"]
        command += [f"--port={free_port()}", "--expose-app-in-browser"]
        with serve(Path(folder), command, dict(os.environ)) as (*server, _):
            arguments = ["--no-sandbox"]
            try:
                browser = playwright.chromium.launch(executable_path=find_browser(), args=arguments)
            except Error as error:
                raise RuntimeError(f"{find_browser()} does not start: {error}") from error
            for lesson in lessons:
                checks, start = Checks(), time.monotonic()
                results[lesson] = checks
                page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
                page.set_default_timeout(1000 * START_SECONDS)
                try:
                    checks("JupyterLab lets in who has no token", is_locked(server[0]))
                    check_lesson(page, server, lesson, checks)
                except (Error, RuntimeError, OSError) as error:
                    checks(f"stopped: {error}", False)
                finally:
                    with suppress(Error):  # JupyterLab may not have come up
                        page.evaluate(SHUT_DOWN)  # or all kernels stay until the end
                    page.close()
                checks.seconds = time.monotonic() - start
                print(f"{lesson}: {checks.passed} passed, {len(checks.failed)} failed", flush=True)
            browser.close()
    return results


def main(arguments: list[str] | None = None) -> int:
    """Check what is asked for; the exit status is 1 if a check failed."""
    parser = argparse.ArgumentParser(description="Go through the lessons in a browser.")
    parser.add_argument("lesson", nargs="?", choices=bench.lessons(), metavar="LESSON")
    lesson = parser.parse_args(arguments).lesson
    if sentence := missing():
        print(sentence, file=sys.stderr)
        return 1
    try:
        results = check_all([lesson] if lesson else bench.lessons())
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(table(results)))
    print(f"What was seen: {SCREENSHOTS}")
    return int(any(checks.failed for checks in results.values()))


if __name__ == "__main__":
    sys.exit(main())
