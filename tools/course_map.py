"""The map of the course: lessons.toml, the minutes of each lesson, and the pages that show them.

``make notebooks`` calls `update`; the tests hold every page to what `update` would write.
"""

import math
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORDS, LINES, EXERCISE = 180, 8, 7  # words and lines of code a minute, minutes an exercise
LABELS = re.compile(r"!\[[^\]]*\]\([^)]*\)|\]\([^)]*\)|<[^>]*>|`{3}.*?`{3}", re.DOTALL)
ROW = re.compile(r"^(\| (\d+)\. [^|]+ \|) *\d* *\|", re.MULTILINE)
MAP = re.compile(r"(<!-- the map -->\n).*?((?:# )?<!-- end of the map -->)", re.DOTALL)
IMPORTS = re.compile(r"^from \S+ import \([^)]*\)", re.MULTILINE)  # over several lines
NO_CODE = re.compile(r"$|#|import |from |SEED = ")
TIME = re.compile(r"^# \| \*\*Time\*\* \|.*\|$", re.MULTILINE)


@dataclass
class Section:
    """A section of a lesson: its heading, its reading in minutes, and its exercises."""

    title: str
    reading: float = 0.0
    exercises: set[str] = field(default_factory=set)

    @property
    def number(self) -> int | None:
        """Its number, where it has one."""
        number = re.match(r"\d+", self.title)
        return int(number[0]) if number else None

    @property
    def is_further(self) -> bool:
        """Whether it can wait: what is marked so does not belong to the core."""
        return "Further:" in self.title

    @property
    def minutes(self) -> float:
        """Minutes of an honest reader, with all exercises."""
        return self.reading + EXERCISE * len(self.exercises)


def read_map() -> dict:
    """Return lessons.toml: `lesson`, a list in their order, `decks` and `slides`."""
    return tomllib.loads((ROOT / "lessons.toml").read_text(encoding="utf-8"))


def sections(notebook) -> list[Section]:
    """Cut a lesson at its `##` headings and count what each part takes.

    A word holds a letter or a digit; addresses and what pictures say do not count. A line of code
    is one that is neither blank nor comment, nor part of the setup or an import.
    """
    found = [Section("")]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts = re.split(r"^## (.*)$", cell.source, flags=re.MULTILINE)
            for position, text in enumerate(parts):
                if position % 2:
                    found.append(Section(text))
                words = re.findall(r"\S*\w\S*", LABELS.sub(" ", text))
                found[-1].reading += len(words) / WORDS
        elif cell.cell_type == "code":
            code = IMPORTS.sub("", cell.source)
            lines = [line.strip() for line in code.splitlines()]
            found[-1].reading += sum(not NO_CODE.match(line) for line in lines) / LINES
            found[-1].exercises |= set(re.findall(r"exercises\.(q\d+)\.check", cell.source))
    return found


def minutes(parts: list[Section]) -> tuple[int, int]:
    """Minutes of a lesson's core and of what is marked *further*, rounded up to five."""
    core = sum(part.minutes for part in parts if not part.is_further)
    further = sum(part.minutes for part in parts if part.is_further)
    return 5 * math.ceil(core / 5), 5 * math.ceil(further / 5)


def time(core: int, further: int) -> str:
    """Say how long a lesson takes."""
    more = f", and {further} more for what is marked *further*" if further else ""
    return f"{core} minutes{more}"


def table(course: dict, taken: dict[str, tuple[int, int]], folder: str) -> str:
    """Return the map as a Markdown table; a lesson that is planned has no link and no time."""
    lessons = course["lesson"]
    rows = ["| | lesson | the question it answers | after | slides | minutes |", "|" + " --- |" * 6]
    number = {lesson["name"]: i for i, lesson in enumerate(lessons, start=1)}
    for name, lesson in zip(number, lessons, strict=True):
        link, length = f"`{name}`", "planned"
        if lesson["state"] == "ready":
            core, further = taken[name]
            link = f"[{name}]({folder}{name}.ipynb)"
            length = f"{core} + {further}" if further else f"{core}"
        after = ", ".join(str(number[other]) for other in lesson["after"]) or "–"
        cells = [str(number[name]), link, lesson["question"], after, ", ".join(lesson["decks"])]
        rows.append(f"| {' | '.join([*cells, length])} |")
    decks = "; ".join(f"**{short}** {title}" for short, title in course["decks"].items())
    return "\n".join([*rows, "", f"Slides: {decks}."])


def plan(text: str, lesson: dict, parts: list[Section]) -> str:
    """Write a lesson's minutes into its plan for lecturers: rows bear the sections' numbers."""
    taken = {part.number: math.ceil(part.minutes) for part in parts}
    heading = re.search(rf"^### {lesson['name']}:.*\n", text, re.MULTILINE)
    if not heading:
        return text  # the tests ask for it
    end = re.compile("^##", re.MULTILINE).search(text, heading.end())
    body = text[heading.end() : end and end.start()]
    rows = ROW.sub(lambda row: f"{row[1]} {taken.get(int(row[2]), 'no such section')} |", body)
    title = f"### {lesson['name']}: {time(*minutes(parts))}\n"
    return text[: heading.start()] + title + rows + (text[end.start() :] if end else "")


def pages() -> dict[Path, str]:
    """Return the text of every page that shows the map or a lesson's minutes, as it should be."""
    import notebooks

    course = read_map()
    ready = [lesson for lesson in course["lesson"] if lesson["state"] == "ready"]
    parts = {lesson["name"]: sections(notebooks.read_source(lesson["name"])) for lesson in ready}
    taken = {name: minutes(found) for name, found in parts.items()}
    readme, index = ROOT / "README.md", ROOT / "notebooks" / "source" / "index.py"
    lecturers = ROOT / "docs" / "lecturers.md"
    text = {path: path.read_text(encoding="utf-8") for path in (readme, index, lecturers)}
    text[readme] = MAP.sub(rf"\g<1>\n{table(course, taken, 'notebooks/')}\n\n\g<2>", text[readme])
    lines = ["", *table(course, taken, "").splitlines(), ""]
    commented = "".join(f"# {line}".rstrip() + "\n" for line in lines)
    text[index] = MAP.sub(rf"\g<1>{commented}\g<2>", text[index])
    for lesson in ready:
        path = ROOT / "notebooks" / "source" / f"{lesson['name']}.py"
        row = f"# | **Time** | {time(*taken[lesson['name']])} |"
        text[path] = TIME.sub(row, path.read_text(encoding="utf-8"))
        text[lecturers] = plan(text[lecturers], lesson, parts[lesson["name"]])
    return text


def update() -> None:
    """Write the map and the minutes where they have changed."""
    for path, text in pages().items():
        if path.read_text(encoding="utf-8") != text:
            print(f"{path.relative_to(ROOT)}: its map or its minutes changed")
            path.write_text(text, encoding="utf-8")
