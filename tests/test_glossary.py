"""Every term of the glossary is explained where a student meets it first, or linked there."""

import re
from pathlib import Path

import course_map
import notebooks

ROOT = Path(__file__).resolve().parents[1]
LESSONS = {lesson["name"]: lesson for lesson in course_map.read_map()["lesson"]}
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")

ENTRY = re.compile(r"^### (.+)\n\n(?:\*Also: (.+?)\.\*\s)?([^#]+?)\n\(→ ([^#]+)\)$", re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(\.\./docs/glossary\.md#([\w-]+)\)")
NO_PROSE = re.compile(
    r"^### Further reading.*?(?=^## |\Z)|```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|^[#|].*?$"
    r"|(?<=\])\((?!\.\./docs/glossary)[^)]*\)",
    re.MULTILINE | re.DOTALL,
)


def entries(text: str) -> dict[str, tuple[list[str], str, list[str]]]:
    """Each term's names, its explanation, and the lessons that teach it."""
    return {
        term: ([term, *re.split(r",\s", also)], body, re.findall(r"(?<![./\w])[a-z_]+", lessons))
        for term, also, body, lessons in ENTRY.findall(text)
    }


def prose(lesson: str) -> str:
    """What a student reads in a lesson: no code, formulas, headings, tables or citations."""
    cells = [cell for cell in notebooks.read_source(lesson).cells if cell.cell_type == "markdown"]
    return "\n\n".join(NO_PROSE.sub(" ", cell.source) for cell in cells)


def before(lesson: str) -> list[str]:
    """The lessons that one stands on, as far as they are written."""
    above = [name for parent in LESSONS[lesson]["after"] for name in [parent, *before(parent)]]
    return [name for name in above if LESSONS[name]["state"] == "ready"]


def used(names: list[str], text: str) -> bool:
    """Whether a text holds one of the names, or its plural; a capital may begin a sentence."""
    words = [re.sub(r"\\?[- ]", r"[-\\s]+", re.escape(name)) for name in names if name]
    words = [f"[{word[0]}{word[0].upper()}]{word[1:]}" for word in words]
    return re.search(rf"(?<![\w-])(?:{'|'.join(words)})(?:e?s)?(?![\w-])", text) is not None


def unexplained(lesson: str, earlier: list[str], texts: dict[str, str], terms: dict) -> list[str]:
    """Terms that a lesson uses and that neither it, up to there, nor an earlier one explains."""
    linked = {link for name in earlier for link in LINK.findall(texts[name])}
    found = []
    for term, (names, _, taught) in terms.items():
        anchor = term.replace(" ", "-")
        text = LINK.sub(lambda link, here=anchor: "\0" if link[1] == here else "", texts[lesson])
        explained = anchor in linked or {lesson, *earlier} & {*taught}
        if not explained and used(names, text.partition("\0")[0]):
            found.append(term)
    return found


def test_entries_are_in_order_and_short_and_their_lessons_on_the_map():
    terms = entries(GLOSSARY)
    assert list(terms) == sorted(re.findall(r"^### (.+)", GLOSSARY, re.MULTILINE))
    for term, (_, body, taught) in terms.items():
        assert re.fullmatch(r"[a-z\d -]+", term), "GitHub and JupyterLab must find its anchor"
        assert len(re.findall(r"[.!?](?=\s|$)", body)) in (2, 3), term
        assert taught and {*taught} <= {*LESSONS}, term


def test_every_term_is_explained_or_linked():
    texts = {name: prose(name) for name in LESSONS if LESSONS[name]["state"] == "ready"}
    terms = entries(GLOSSARY)
    found = {name: unexplained(name, before(name), texts, terms) for name in texts}
    assert {name: missing for name, missing in found.items() if missing} == {}


def test_an_unexplained_term_is_found():
    terms = entries("### kl divergence\n\n*Also: KL.* A. B.\n(→ old)\n\n### nats\n\nA.\n(→ old)\n")
    assert terms["kl divergence"] == (["kl divergence", "KL"], "A. B.", ["old"])
    for text, expected in [
        ("Two nats; kl-divergences", ["kl divergence", "nats"]),
        ("Donats, KLX, then [nats](../docs/glossary.md#nats), nats.", []),
        ("Nats, later [nats](../docs/glossary.md#nats).", ["nats"]),
    ]:
        assert unexplained("new", [], {"new": text}, terms) == expected
        assert unexplained("new", ["old"], {"new": text, "old": ""}, terms) == []
