"""Sentences of a lesson that a cell computes and checks, and the few that its summary shows."""

import html
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike

from course_utils import runtime

FIRM = 2  # standard errors between the stored value and its bound
_WHAT_NOW = (
    "If you changed the experiment, this may be a finding; if you did not, please report it with "
    "your setup line."
)


def mean_and_error(values: ArrayLike, over: str = "") -> dict[str, float | str]:
    """Mean of independent values and its standard error, as the keywords that a claim takes.

    For a comparison hand over the paired differences.

    Parameters
    ----------
    values : array, shape (N,)
        One for each start, training set or test row; at least two.
    over : str
        What they are, such as "starts": "over 20 starts" then stands in the claim.

    Returns
    -------
    dict
        ``value``, ``se`` and, where it is given, ``over``, as in
        ``claim("A beats B by", **mean_and_error(b - a, "starts"), above=0)``.
    """
    values = np.asarray(values, dtype=float)
    error = values.std(ddof=1) / len(values) ** 0.5
    named = {"over": f"{len(values)} {over}"} if over else {}
    return {"value": values.mean(), "se": error} | named


class ClaimFailed(AssertionError):
    """A claim or a check of the lesson does not hold in this run."""


def _settle(line: str, fault: str, note: dict) -> bool:
    """Print a line if there is no fault, else stop; where faults are collected, note and go on."""
    if path := os.environ.get("COURSE_CLAIMS"):
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(note | {"holds": not fault}) + "\n")
    elif fault:
        raise ClaimFailed(f"{line}. {fault} {_WHAT_NOW}")
    print(f"{'✗' if fault else '✓'} {line}")
    return not fault


def check(
    text: str,
    value: ArrayLike,
    expected: ArrayLike,
    within: float = 0,
    *,
    se: ArrayLike | None = None,
) -> None:
    """Print one line if a value is what it has to be, and stop the notebook if it is not.

    For agreement with a closed form, a count or another implementation. It does not stand in the
    summary.

    Parameters
    ----------
    text : str
        The sentence, without the number.
    value : number or array of any shape
        What was computed. NaN and infinity agree with nothing.
    expected : number or array of the same shape
        What it has to be.
    within : float
        The largest difference allowed, anywhere in the array: in units of value, or in standard
        errors where these are given. 0 demands equality.
    se : number or array of the same shape
        Standard error of a value that was averaged over draws.

    Raises
    ------
    ClaimFailed
        If they are farther apart anywhere.
    ValueError
        If there is nothing to compare, or the shapes differ.

    Examples
    --------
    >>> check("The density integrates to 1", 0.9998, 1, within=0.001)
    ✓ The density integrates to 1 (checked: equal within 0.001)
    """
    value, expected = np.asarray(value, dtype=float), np.asarray(expected, dtype=float)
    if not value.size or expected.shape not in ((), value.shape):
        raise ValueError(
            f"{text!r} compares an array of shape {value.shape} with one of {expected.shape}: give "
            "check two arrays of the same shape that are not empty, or an array and one number."
        )
    unit = "" if se is None else " standard errors"
    apart = float(np.max(np.abs(value - expected) / (1 if se is None else np.asarray(se))))
    allowed = f"equal within {within:g}{unit}" if within else "equal"
    fault = "" if apart <= within else f"The difference is {apart:.3g}{unit}."
    note = {"kind": "check", "text": text, "value": apart, "above": None, "below": float(within)}
    _settle(f"{text} (checked: {allowed})", fault, note)


@dataclass(frozen=True)
class _Claim:
    kind: str
    text: str
    value: float
    above: float | None
    below: float | None
    se: float | None
    over: str
    unit: str
    digits: int

    def number(self, value: float) -> str:
        return f"{value:.{self.digits}f}"

    @property
    def measured(self) -> str:
        error = "" if self.se is None else f" ± {self.number(self.se)}"
        over = self.over and f" over {self.over}"
        return f"{self.number(self.value)}{error} {self.unit}".rstrip() + over

    @property
    def claimed(self) -> str:
        if self.above is None:
            return f"below {self.number(self.below)}"
        if self.below is None:
            return f"above {self.number(self.above)}"
        return f"{self.number(self.above)} to {self.number(self.below)}"

    @property
    def line(self) -> str:
        return f"{self.text}: {self.measured} (claimed: {self.claimed})"

    @property
    def room(self) -> float:
        """Distance of the value to the nearer bound, below 0 outside; NaN if one of them is."""
        sides = ((1, self.above), (-1, self.below))
        return float(np.min([way * (self.value - x) for way, x in sides if x is not None]))

    def fault(self, is_stored: bool) -> str:
        """Say what is wrong with the value, and by how much; nothing if it holds."""
        if not self.room > 0:
            return f"The value {self.value!r} lies outside, by {-self.room:.3g}."
        if is_stored and self.se is not None and not self.room >= FIRM * self.se:
            return (
                f"The value {self.value!r} lies inside, but only {self.room / self.se:.2f} "
                f"standard errors from its bound. With the lesson's own seed it needs {FIRM}: "
                "average over more repeats, or print the number without a claim."
            )
        return ""


class Claims:
    """The claims of one lesson: call it for each, show it at the end for the summary.

    A claim is a sentence that could be false. Five to eight of a lesson are its headlines: the
    summary shows them and folds the others; it shows all where none is one.

    Where the environment variable ``COURSE_CLAIMS`` names a file, every claim and every check is
    also written there as one line of JSON, and one that does not hold is printed with a cross and
    lets the notebook go on. ``make test-seeds`` measures in this way how far the claims are from
    failing.

    Examples
    --------
    >>> claim = Claims()
    >>> claim("Half of the intervals hold the truth", 0.52, above=0.43, below=0.57, headline=True)
    ✓ Half of the intervals hold the truth: 0.52 (claimed: 0.43 to 0.57)
    """

    def __init__(self) -> None:
        self._claims: dict[str, _Claim] = {}

    def __call__(
        self,
        text: str,
        value: float,
        *,
        above: float | None = None,
        below: float | None = None,
        se: float | None = None,
        over: str = "",
        unit: str = "",
        digits: int = 2,
        headline: bool = False,
    ) -> None:
        """Print the claim with its number, and stop the notebook if it does not hold.

        Parameters
        ----------
        text : str
            The sentence.
        value : float
            What was measured; NaN never holds.
        above, below : float
            The claim is that value lies strictly above the one and below the other; at least one.
        se : float
            Standard error of the value. With the lesson's own seed, as in the stored run, the value
            then lies two of them inside its bounds; with another seed it has to lie inside.
        over : str
            What the standard error is over, such as "20 starts".
        unit : str
            Unit of value, bounds and standard error.
        digits : int
            Digits shown behind the decimal point.
        headline : bool
            Whether this is one of the sentences that the summary shows.

        Raises
        ------
        ClaimFailed
            If the claim does not hold.
        ValueError
            If neither bound is given.
        """
        if above is None and below is None:
            raise ValueError("A claim needs a bound: give above=..., below=... or both.")
        kind = "headline" if headline else "claim"
        value, above, below, se = (
            None if x is None else float(np.asarray(x).item()) for x in (value, above, below, se)
        )
        claim = _Claim(kind, text, value, above, below, se, over, unit, digits)
        if _settle(claim.line, claim.fault(runtime.seed_is_own), asdict(claim)):
            self._claims[text] = claim

    def _parts(self) -> tuple[list[_Claim], list[_Claim], str]:
        """Split into the claims shown and those folded; with what is said of the latter."""
        every = [*self._claims.values()]
        shown = [claim for claim in every if claim.kind == "headline"] or every
        folded = [claim for claim in every if claim not in shown]
        more = f"{len(folded)} more claim{'s hold' if len(folded) > 1 else ' holds'}"
        return shown, folded, more

    def __repr__(self) -> str:
        shown, folded, more = self._parts()
        return "\n".join([f"✓ {claim.line}" for claim in shown] + [f"and {more}"] * bool(folded))

    def _repr_html_(self) -> str:
        shown, folded, more = self._parts()
        rest = f"<details><summary>{more}</summary>{_items(folded)}</details>" if folded else ""
        return _items(shown) + rest


def _items(claims: Iterable[_Claim]) -> str:
    """Turn claims into a list of HTML, a sentence each."""
    rows = "".join(
        f"<li>{html.escape(claim.text)}: <strong>{html.escape(claim.measured)}</strong>, "
        f"claimed {html.escape(claim.claimed)}</li>"
        for claim in claims
    )
    return f"<ul>{rows}</ul>"
