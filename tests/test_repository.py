"""The repository keeps its own promises: notebooks, sources and links agree, code is short.

Every check is a function that returns what is wrong, so that the last tests can show that each of
them does find something wrong.
"""

import ast
import re
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import course_map
import notebooks
from course_utils import download
from execution import DOWNLOAD_TAG

ROOT = Path(__file__).resolve().parents[1]
MAX_FUNCTION_LINES = 25  # in a notebook, docstring aside
MAX_COLUMNS, MAX_CELL_LINES = 100, 30
PACKAGE_FILE_LINES, PACKAGE_FUNCTION_LINES = 500, 45
MAX_BYTES = 3_000_000

CODE_BLOCK = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)|<(?:a|img)\b[^>]*?\b(?:href|src)=\"([^\"]+)\"")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)
ANCHOR = re.compile(r"<\w+\b[^>]*?\b(?:id|name)=\"([^\"]+)\"")
MACHINE_PATH = re.compile(r"/home/|/root/|/Users/|/tmp/|\b[A-Z]:\\")
SECRET = re.compile(r"token=\w|\b(?:ghp|gho|github_pat|hf|sk)_\w{16,}|\bAKIA[0-9A-Z]{16}")
LEFTOVER = re.compile(r"\bWARNING:|\b0x[0-9a-f]{8,}")
REMOTE_SCRIPT = re.compile(r"<script\b[^>]*\bsrc\s*=|\brequire\.config|\bimport\s*\(?['\"]https?:")


def markdown(path: Path) -> str:
    """All text of a Markdown file or of a notebook's Markdown cells."""
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def anchors(path: Path) -> set[str]:
    """Anchors of a page: JupyterLab keeps a heading's case and signs, GitHub does not."""
    text = markdown(path)
    headings = HEADING.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    if path.suffix == ".ipynb":
        found = {heading.replace(" ", "-") for heading in headings}
    else:
        plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
        found = {heading.replace(" ", "-") for heading in plain}
    return found | set(ANCHOR.findall(text))


def links(path: Path) -> list[str]:
    """Targets of all links and pictures of a page."""
    text = CODE_BLOCK.sub("", markdown(path))
    return [unquote(first or second) for first, second in LINK.findall(text)]


def broken_links(path: Path) -> list[str]:
    """Links to a local file or heading that does not exist."""
    broken = []
    for link in links(path):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        has_anchors = target.suffix in (".md", ".ipynb")
        if not target.exists() or (anchor and has_anchors and anchor not in anchors(target)):
            broken.append(link)
    return broken


def output_texts(notebook: nbformat.NotebookNode) -> list[str]:
    """Every text in the outputs, pictures aside."""
    texts = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            texts += [output.get("text", ""), *output.get("traceback", [])]
            values = output.get("data", {}).items()
            texts += [
                str(value) for kind, value in values if not re.match("image/(png|jpeg)", kind)
            ]
    return texts


def stored_faults(notebook: nbformat.NotebookNode) -> list[str]:
    """What should not be in a stored notebook."""
    faults = []
    if notebook.metadata.get("kernelspec") != notebooks.KERNELSPEC:
        faults.append("the kernel is not stored as python3")
    if "widgets" in notebook.metadata:
        faults.append("widget state is stored")
    texts = output_texts(notebook)
    for pattern, what in [
        (MACHINE_PATH, "a path of somebody's machine"),
        (SECRET, "something like a secret"),
        (LEFTOVER, "a warning, or an address in memory"),
        (REMOTE_SCRIPT, "a script from elsewhere"),
    ]:
        faults += [f"{what}: {text[:200]}" for text in texts if pattern.search(text)]
    return faults


def execution_faults(notebook: nbformat.NotebookNode) -> list[str]:
    """Cells without a result, out of order or with an error; download cells may be unexecuted."""
    faults, count = [], 0
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        tags = cell.metadata.get("tags", [])
        if cell.execution_count is None and DOWNLOAD_TAG in tags and not cell.outputs:
            continue
        count += 1
        if cell.execution_count != count:
            faults.append(f"cell {index} has count {cell.execution_count}, expected {count}")
        is_error = any(output.output_type == "error" for output in cell.outputs)
        if is_error and "raises-exception" not in tags:
            faults.append(f"cell {index} ended in an error")
    return faults


def tag_faults(notebook: nbformat.NotebookNode) -> list[str]:
    """Download cells that name no or an unknown data set, and their tags on other cells."""
    faults, named = [], False
    for index, cell in enumerate(notebook.cells):
        tags = cell.metadata.get("tags", [])
        names = [tag.removeprefix("data=") for tag in tags if tag.startswith("data=")]
        named = named or bool(names)
        if DOWNLOAD_TAG in tags and not named:
            faults.append(f"cell {index} needs a download and names no data set")
        if names and DOWNLOAD_TAG not in tags:
            faults.append(f"cell {index} names a data set and is not tagged needs-download")
        unknown = [name for name in names if name not in download.registry()]
        faults += [f"cell {index}: no data set {name} in data/registry.toml" for name in unknown]
    return faults


def length_of(function: ast.FunctionDef) -> int:
    """Lines of a function without its docstring."""
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is not None:
        docstring = function.body[0]
        lines -= docstring.end_lineno - docstring.lineno + 1
    return lines


def source_faults(notebook: nbformat.NotebookNode) -> list[str]:
    """What cannot be read in a lecture: long functions, crowded lines, star imports."""
    faults = []
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        code = re.sub(r"^(\s*)[%!].*", r"\1pass", cell.source, flags=re.MULTILINE)
        lines = code.splitlines()
        tree = ast.parse(code)
        bodies = [getattr(node, "body", None) for node in ast.walk(tree)]
        pairs = [pair for body in bodies if isinstance(body, list) for pair in pairwise(body)]
        crowded = [lines[b.lineno - 1] for a, b in pairs if a.end_lineno == b.lineno]
        faults += [f"cell {index}: two statements: {line}" for line in crowded]
        for node in ast.walk(tree):
            is_function = isinstance(node, ast.FunctionDef)
            if is_function and length_of(node) > MAX_FUNCTION_LINES:
                faults.append(f"cell {index}: {node.name} has {length_of(node)} lines")
            if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
                faults.append(f"cell {index}: star import from {node.module}")
    return faults


PAGES = [
    path
    for folder in (ROOT, ROOT / "data", ROOT / "docs", ROOT / "notebooks")
    for path in sorted([*folder.glob("*.md"), *folder.glob("*.ipynb")])
]


def test_every_notebook_has_a_source():
    stored = {path.stem for path in notebooks.NOTEBOOKS.glob("*.ipynb")}
    assert stored == set(notebooks.lessons())


@pytest.mark.parametrize("lesson", notebooks.lessons())
def test_notebook_is_what_its_source_and_the_drawing_code_make(lesson):
    assert notebooks.to_do(lesson) == "", "run: make notebooks"


@pytest.mark.parametrize("lesson", notebooks.lessons())
def test_notebook_was_executed_in_order_without_an_error(lesson):
    assert execution_faults(notebooks.read_stored(lesson)) == []


@pytest.mark.parametrize("lesson", notebooks.lessons())
def test_notebook_holds_nothing_of_a_machine(lesson):
    assert stored_faults(notebooks.read_stored(lesson)) == []
    assert notebooks.notebook_path(lesson).stat().st_size < MAX_BYTES


@pytest.mark.parametrize("lesson", notebooks.lessons())
def test_download_cells_name_their_data(lesson):
    assert tag_faults(notebooks.read_stored(lesson)) == []


@pytest.mark.parametrize("lesson", notebooks.lessons())
def test_code_of_a_lesson_can_be_read_from_the_last_row(lesson):
    notebook = notebooks.read_source(lesson)
    assert source_faults(notebook) == []
    if lesson not in course_map.read_map()["not_yet_rewritten"]:
        for cell in notebooks.code_cells(notebook):
            lines = cell.source.splitlines()
            assert len(lines) <= MAX_CELL_LINES, cell.source
            assert [line for line in lines if len(line) > MAX_COLUMNS] == []


def test_the_package_is_made_of_short_files_and_functions():
    paths = sorted((ROOT / "course_utils").rglob("*.*"))
    for path in [path for path in paths if path.suffix in {".py", ".js", ".css"}]:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= PACKAGE_FILE_LINES, path
        for node in ast.walk(ast.parse(text)) if path.suffix == ".py" else []:
            if isinstance(node, ast.FunctionDef):
                assert length_of(node) <= PACKAGE_FUNCTION_LINES, f"{path}: {node.name}"


@pytest.mark.parametrize("lesson", notebooks.lessons())
def test_the_cover_is_the_picture_of_its_cell(lesson):
    picture = notebooks.cover(notebooks.read_stored(lesson))
    stored = notebooks.cover_path(lesson)
    assert stored.exists() == (picture is not None)
    assert picture is None or stored.read_bytes() == picture


@pytest.mark.parametrize("lesson", notebooks.lessons())
def test_every_picture_has_a_text(lesson):
    for cell in notebooks.read_stored(lesson).cells:
        texts = [text for text, _ in notebooks.figures(cell)]
        if cell.cell_type == "markdown":
            texts = re.findall(r"!\[([^\]]*)\]\(", cell.source)
        bare = [out for out in cell.get("outputs", []) if "image/png" in out.get("data", {})]
        assert not bare, f"Show it by plotting.show, or build anew: {cell.source}"
        assert all(len(text) > 40 for text in texts), cell.source


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    assert broken_links(page) == []


def faulty_notebook():
    """Break every rule once."""
    text = new_output(
        "stream", name="stdout", text="/home/ada/course\ntoken=1f2e\n<f at 0x7fee1f17>"
    )
    script = {"text/html": "<script src='https://example.org/a.js'></script>"}
    error = new_output("error", ename="E", evalue="e", traceback=["E: e"])
    return new_notebook(
        metadata={"widgets": {}},
        cells=[
            new_code_cell("print(1)", outputs=[text, new_output("display_data", data=script)]),
            new_code_cell("f(1)", execution_count=1, outputs=[error]),
            new_code_cell("from numpy import *; import os", execution_count=3),
            new_code_cell("def f():\n" + 25 * "    pass\n", metadata={"tags": ["needs-download"]}),
            new_code_cell("%magic", metadata={"tags": ["data=no_such_data"]}),
        ],
    )


def test_faults_of_a_notebook_are_found():
    notebook = faulty_notebook()
    assert len(stored_faults(notebook)) == 6
    assert execution_faults(notebook) == [
        "cell 0 has count None, expected 1",
        "cell 1 has count 1, expected 2",
        "cell 1 ended in an error",
        "cell 4 has count None, expected 4",
    ]
    assert source_faults(notebook) == [
        "cell 2: two statements: from numpy import *; import os",
        "cell 2: star import from numpy",
        "cell 3: f has 26 lines",
    ]
    assert len(tag_faults(notebook)) == 3


def test_faults_of_a_page_are_found(tmp_path):
    page = tmp_path / "page.md"
    other = tmp_path / "flows.ipynb"
    nbformat.write(new_notebook(cells=[new_markdown_cell("# Two Moons\n`[code](none.md)`")]), other)
    page.write_text(
        "# The map\n"
        "[top](#the-map) [moons](flows.ipynb#Two-Moons) [web](https://example.org/none.md)\n"
        "[a](none.md) ![b](none.png) [c](#no-heading) [d](flows.ipynb#two-moons)\n"
        '<img src="gone.png">\n'
    )
    broken = ["none.md", "none.png", "#no-heading", "flows.ipynb#two-moons", "gone.png"]
    assert broken_links(page) == broken
    assert broken_links(other) == []
