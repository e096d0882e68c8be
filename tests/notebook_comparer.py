"""How a notebook's new outputs are held against the stored ones.

nbval executes the cells and compares strings; this plugin replaces the comparison and leaves the
rest to nbval. The rules:

* Printed text and the text of results (plain, Markdown, LaTeX) are compared line by line. Words
  must be equal, the number of lines and of outputs too; spaces only separate. Of HTML, figures
  among it, only the presence counts, of a figure its plain text as well; stderr and widgets do not
  count at all.
* A number printed with a decimal point, an exponent or a percent sign is a measurement. It may
  differ by one unit of its last printed digit (rounding), or by `RTOL` of the stored value,
  whichever is larger. So print no more digits than another processor repeats.
* A number printed as a plain integer is a count and must be equal.
* A line that begins with ✓ must be equal to the letter. Only what a claim measured there, and its
  standard error, may be any number: the claim itself stops where it does not hold.
* The tags ``rtol=0.05`` and ``atol=0.02`` set a cell's own tolerance, for all its numbers, counts
  included.
* `nan`, `inf`, version numbers and digits inside a word are words.
* A cell tagged ``needs-download`` whose data set cannot be had is skipped, with the reason.
* With COURSE_SEED set the cells are executed and nothing is compared.

nbval's own tags stay valid. A cell that shows an explorer takes ``nbval-ignore-output``: what an
output widget catches cannot be told from what the cell prints.
"""

import difflib
import functools
import os
import re
import time
from decimal import Decimal
from queue import Empty
from typing import NamedTuple

import pytest
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell

from execution import WIDGET_VIEW, missing_data

RTOL = Decimal("1e-3")
MEASURED = r"[-+]?(?:nan|inf|[0-9.]+)"
CLAIM = re.compile(
    rf"✓ (?P<sentence>.*): {MEASURED}(?P<error> ± {MEASURED})?(?P<unit> [^()]*)? "
    r"\(claimed: (?P<bounds>[^()]*)\)"
)
COMPARED = ("text/plain", "text/markdown", "text/latex")
NUMBER = re.compile(
    r"(?<![\w.])"  # not inside a word or a version number
    r"(?P<value>[-+\u2212]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)"
    r"(?!\.?[0-9])(?P<percent>\s?%)?"
)


class Number(NamedTuple):
    """A number as it was printed."""

    text: str
    value: Decimal
    is_count: bool

    @property
    def unit(self) -> Decimal:
        """One unit of the last printed digit."""
        return Decimal(1).scaleb(self.value.as_tuple().exponent)


class Tolerance(NamedTuple):
    """How far a number may be from the stored one."""

    rtol: Decimal = RTOL
    atol: Decimal = Decimal(0)
    is_tagged: bool = False

    @classmethod
    def from_tags(cls, tags: list[str]) -> "Tolerance":
        """Read a cell's tags, such as ``rtol=0.05``."""
        given = dict(tag.split("=", 1) for tag in tags if tag.startswith(("rtol=", "atol=")))
        return cls(**{key: Decimal(text) for key, text in given.items()}, is_tagged=bool(given))

    def allowed(self, stored: Number, new: Number) -> Decimal:
        """Largest distance between the two that still passes."""
        both_counts = stored.is_count and new.is_count
        if both_counts and not self.is_tagged:
            return Decimal(0)
        unit = Decimal(0) if both_counts else max(stored.unit, new.unit)
        return max(unit, self.atol, self.rtol * abs(stored.value))


def tokens(line: str) -> list[str | Number]:
    """Split a line into its words and its numbers."""
    found, position = [], 0
    for match in NUMBER.finditer(line):
        found += line[position : match.start()].split()
        text = match["value"].replace("\u2212", "-").replace(",", "")
        is_count = text.lstrip("+-").isdigit() and not match["percent"]
        found.append(Number(match["value"], Decimal(text), is_count))
        position = match.end("value")
    return found + line[position:].split()


def claim_difference(stored: re.Match, new: re.Match) -> str | None:
    """Say what is different in two lines of claims, None if nothing is but what was measured."""
    for part, says in (("sentence", "differs"), ("unit", "differs"), ("bounds", "differ")):
        if stored[part] != new[part]:
            return f"the claim's {part} {says}"
    if bool(stored["error"]) != bool(new["error"]):
        return "the claim's standard error is there only once"
    return None


def line_difference(stored: str, new: str, tolerance: Tolerance) -> str | None:
    """Say what is different in a line, None if nothing is."""
    claims = CLAIM.fullmatch(stored), CLAIM.fullmatch(new)
    if all(claims):
        return claim_difference(*claims)
    if stored.startswith("✓"):
        return None if stored == new else "the words differ"
    stored_tokens, new_tokens = tokens(stored), tokens(new)
    if len(stored_tokens) != len(new_tokens):
        return "the words differ"
    for old, now in zip(stored_tokens, new_tokens, strict=True):
        if not (isinstance(old, Number) and isinstance(now, Number)):
            if old != now:
                return "the words differ"
        elif (distance := abs(now.value - old.value)) > (allowed := tolerance.allowed(old, now)):
            return f"{old.text} became {now.text}: off by {distance:g}, allowed {allowed:g}"
    return None


def parts(outputs: list) -> list[tuple[str, str]]:
    """Kind and text of every output that counts, in order; no text where only the presence does."""
    found = []
    for output in outputs:
        if output["output_type"] == "stream":
            if output["name"] == "stdout":
                found.append(("stdout", output["text"]))
        elif output["output_type"] == "error":
            found.append(("error", f"{output['ename']}: {output['evalue']}"))
        elif WIDGET_VIEW not in output["data"]:
            data = output["data"]
            found += [(kind, data[kind] if kind in COMPARED else "") for kind in sorted(data)]
    return found


def differences(stored: list, new: list, tolerance: Tolerance) -> list[str]:
    """Say in which lines the new outputs differ from the stored ones; empty if in none."""
    stored, new = parts(stored), parts(new)
    kinds, new_kinds = [kind for kind, _ in stored], [kind for kind, _ in new]
    if kinds != new_kinds:
        return [f"outputs stored: {kinds}", f"outputs new:    {new_kinds}"]
    found = []
    for (kind, old_text), (_, new_text) in zip(stored, new, strict=True):
        old_lines, new_lines = old_text.splitlines(), new_text.splitlines()
        if len(old_lines) != len(new_lines):
            found.append(f"{kind}: {len(old_lines)} lines stored, {len(new_lines)} new")
            found += difflib.unified_diff(old_lines, new_lines, "stored", "new", lineterm="", n=1)
            continue
        for number, (old, now) in enumerate(zip(old_lines, new_lines, strict=True), start=1):
            if difference := line_difference(old, now, tolerance):
                found += [f"{kind}, line {number}: {difference}", f"  - {old}", f"  + {now}"]
    return found


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give every notebook cell the comparison of this file."""
    if not isinstance(item, IPyNbCell):
        return
    tolerance = Tolerance.from_tags(item.cell.metadata.get("tags", []))

    def compare_outputs(new: list, stored: list) -> bool:
        item.comparison_traceback = differences(stored, new, tolerance)
        return not item.comparison_traceback

    item.compare_outputs = compare_outputs
    if os.environ.get("COURSE_SEED"):
        item.options["check"] = False


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a cell whose data set cannot be had."""
    if isinstance(item, IPyNbCell):
        cells = item.parent.nb.cells
        if missing := missing_data(cells[: cells.index(item.cell) + 1]):
            pytest.skip(f"data set neither on disk nor reachable: {', '.join(missing)}")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Watch the kernel while a cell runs: nbval alone waits for a dead one until the timeout."""
    if isinstance(item, IPyNbCell):
        item.parent.kernel.await_reply = functools.partial(_await_reply, item)


def _await_reply(item: IPyNbCell, message: str, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            return RunningKernel.await_reply(item.parent.kernel, message, timeout=1)
        except Empty:
            if not item.parent.kernel.is_alive():
                item.raise_cell_error("The kernel died in this cell: out of memory?")
            if time.monotonic() > deadline:
                raise
