"""lessons.toml and what it says elsewhere: names, order, minutes, plans, the decks' slides."""

import functools
import re
import warnings

import pytest

import course_map
import notebooks
from course_map import ROOT

COURSE = course_map.read_map()
LESSONS = {lesson["name"]: lesson for lesson in COURSE["lesson"]}
READY = [name for name, lesson in LESSONS.items() if lesson["state"] == "ready"]
CORE = 90  # minutes
LECTURERS = (ROOT / "docs" / "lecturers.md").read_text(encoding="utf-8")
PAGES = course_map.pages()
CHOICE = re.compile(r"In (\d+) minutes: sections ([^.;]*?)(?:, with exercises? ([^.;]*))?[.;]")


@functools.cache
def sections(name: str) -> list[course_map.Section]:
    return course_map.sections(notebooks.read_source(name))


def numbers(text: str) -> set[int]:
    """Read "1, 3 to 5 and 8"."""
    found = set()
    for first, last in re.findall(r"(\d+)(?: to (\d+))?", text or ""):
        found |= set(range(int(first), int(last or first) + 1))
    return found


def test_the_map_knows_every_source_and_each_lesson_stands_on_earlier_ones():
    assert set(READY) == {*notebooks.lessons()} - {"index"}
    names = list(LESSONS)
    for name, lesson in LESSONS.items():
        assert lesson["state"] in ("ready", "planned"), name
        assert set(lesson["after"]) <= {*names[: names.index(name)]}, name
        assert set(lesson["decks"]) <= {*COURSE["decks"]}, name


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_map_and_minutes_are_those_of_the_lessons(path):
    assert path.read_text(encoding="utf-8") == PAGES[path], "run: make notebooks"


@pytest.mark.parametrize("name", READY)
def test_a_lesson_begins_as_the_map_says_and_its_core_can_be_finished(name):
    notebook = notebooks.read_source(name)
    head = notebook.cells[0].source
    assert head.startswith(f"# {LESSONS[name]['title']}\n")
    assert f"**{LESSONS[name]['question']}**" in " ".join(head.split())
    assert "| **Time** |" in head
    core, _ = course_map.minutes(sections(name))
    assert name in COURSE["not_yet_rewritten"] or core <= CORE


@pytest.mark.parametrize("name", READY)
def test_what_lecturers_are_told_to_choose_fits(name):
    plan = re.search(rf"^### {name}: .*?(?=^##|\Z)", LECTURERS, re.MULTILINE | re.DOTALL)
    assert plan, f"docs/lecturers.md needs a heading '### {name}: ?' and a plan"
    rows = re.findall(r"^\| \d+\. .*", plan[0], re.MULTILINE)
    assert rows and all(course_map.ROW.match(row) for row in rows), "minutes have no column"
    parts = {part.number: part for part in sections(name)}
    choices = {int(length): rest for length, *rest in CHOICE.findall(plan[0])}
    assert {*choices} == {45, 90}
    for length, (chosen, exercises) in choices.items():
        taken = [parts[number] for number in numbers(chosen)]
        asked = {f"q{number}" for number in numbers(exercises)}
        assert asked <= set().union(*(part.exercises for part in taken)), (name, length)
        reading = sum(part.reading for part in taken)
        assert reading + course_map.EXERCISE * len(asked) <= length + 0.5, (name, length)


def test_every_slide_leads_to_a_section_that_is_there():
    uncovered = []
    for deck, slides in COURSE["slides"].items():
        assert deck in COURSE["decks"]
        for slide, goal in slides.items():
            name, _, section = goal.partition("#")
            if name in READY:
                titles = [part.title for part in sections(name)]
                assert not section or section in titles, (slide, goal)
            elif goal:
                assert name == "?" or name in LESSONS, (slide, goal)
                uncovered.append(f"{deck}: {slide} ({name})")
    if uncovered:
        warnings.warn("Slides that no lesson covers yet:\n" + "\n".join(uncovered), stacklevel=1)
