"""Sentences of a lesson that a cell computes, checks and keeps for the summary."""

import html
import json
import os
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike


def mean_and_error(values: ArrayLike) -> dict[str, float]:
    """Mean of independent values and its standard error, as the keywords that a claim takes.

    For a comparison hand over the paired differences.

    Parameters
    ----------
    values : array, shape (N,)
        One for each fold, start or example; at least two.

    Returns
    -------
    dict of float
        ``value`` and ``se``: ``claim("A beats B by", **mean_and_error(b - a), above=0)``.
    """
    values = np.asarray(values, dtype=float)
    return {"value": values.mean(), "se": values.std(ddof=1) / len(values) ** 0.5}


class ClaimFailed(AssertionError):
    """A sentence of the lesson does not hold in this run."""


@dataclass(frozen=True)
class _Claim:
    text: str
    value: float
    se: float | None
    above: float | None
    below: float | None
    unit: str
    digits: int

    def number(self, value: float) -> str:
        return f"{value:.{self.digits}f}"

    @property
    def measured(self) -> str:
        error = "" if self.se is None else f" ± {self.number(self.se)}"
        return f"{self.number(self.value)}{error} {self.unit}".rstrip()

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
    def holds(self) -> bool:
        return (self.above is None or self.value > self.above) and (
            self.below is None or self.value < self.below
        )

    def write(self, path: str) -> None:
        """Append value, standard error, bounds and verdict to a file, as a line of JSON."""
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(self) | {"holds": bool(self.holds)}, default=float) + "\n")


class Claims:
    """The claims of one lesson: call it for each, show it at the end for the summary.

    Where the environment variable ``COURSE_CLAIMS`` names a file, every claim is also written there
    as one line of JSON, and one that does not hold is printed with a cross and lets the notebook go
    on. ``make test-seeds`` measures in this way how far the claims are from failing.

    Examples
    --------
    >>> claim = Claims()
    >>> claim("Half of the intervals hold the truth", 0.52, above=0.43, below=0.57)
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
        unit: str = "",
        digits: int = 2,
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
            Standard error of the value over the repeats that the lesson names.
        unit : str
            Unit of value, bounds and standard error.
        digits : int
            Digits shown behind the decimal point.

        Raises
        ------
        ClaimFailed
            If the claim does not hold.
        ValueError
            If neither bound is given.
        """
        if above is None and below is None:
            raise ValueError("A claim needs a bound: give above=..., below=... or both.")
        claim = _Claim(text, float(np.asarray(value).item()), se, above, below, unit, digits)
        if path := os.environ.get("COURSE_CLAIMS"):
            claim.write(path)
            if not claim.holds:
                print(f"✗ {claim.line}")
                return
        if not claim.holds:
            raise ClaimFailed(
                f"{claim.line}. The value {claim.value!r} lies outside. If you changed the "
                "experiment, this may be a finding; if you did not, please report it with your "
                "setup line."
            )
        self._claims[text] = claim
        print(f"✓ {claim.line}")

    def __repr__(self) -> str:
        return "\n".join(f"✓ {claim.line}" for claim in self._claims.values())

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left'>{html.escape(c.text)}</td>"
            f"<td>{html.escape(c.measured)}</td><td>{html.escape(c.claimed)}</td></tr>"
            for c in self._claims.values()
        )
        head = "<tr><th style='text-align:left'>claim</th><th>measured</th><th>claimed</th></tr>"
        return f"<table>{head}{rows}</table>"
