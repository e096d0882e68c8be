"""Exercises that answer: ``q1.check(answer)``, ``q1.hint()``, ``q1.solution()``.

Each lesson has a module of its own here, which makes its exercises from `Exercise`.
"""

import traceback
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Exercise", "Wrong", "as_code", "close", "compare", "filled", "numbers"]


class Wrong(Exception):
    """Raised by a judge: what is wrong with an answer, in the lesson's own terms."""


class _NotAttempted(Exception):
    """The answer is still the stub's."""


class _Message:
    """A text that notebooks render as Markdown and everything else prints."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        return self.text


def _say(text: str) -> None:
    from IPython.display import display

    display(_Message(text))


def _is_stub(value: Any) -> bool:
    if isinstance(value, dict):
        value = tuple(value.values())
    several = isinstance(value, tuple) and any(map(_is_stub, value))
    return several or value is None or value is Ellipsis


def numbers(value: Any, shape: tuple[int, ...] | None = None) -> Any:
    """Turn an answer into finite numbers, or say what is wrong with it.

    Parameters
    ----------
    value : anything
        What the student gave, or what the student's function returned.
    shape : tuple of int
        The expected shape, where there is one.

    Returns
    -------
    array of float

    Raises
    ------
    Wrong
        If the value is not numeric, not finite or of another shape.
    """
    if _is_stub(value):
        raise _NotAttempted
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "biufO":  # text and complex numbers would be cast silently
            raise TypeError
        array = array.astype(float)
    except (TypeError, ValueError):
        raise Wrong(f"Numbers are expected here, but a {type(value).__name__} came.") from None
    if shape is not None and array.shape != shape:
        raise Wrong(f"The shape is {array.shape}, but {shape} is expected.")
    if not np.isfinite(array).all():
        raise Wrong("There are values that are not finite (NaN or infinity).")
    return array


def close(value: Any, expected: Any, tolerance: float = 1e-3) -> bool:
    """Whether an answer agrees with what is expected, to so much of it or of one."""
    return np.allclose(value, expected, rtol=tolerance, atol=tolerance)


def compare(
    answer: Callable[..., Any],
    right: Callable[..., Any],
    cases: Sequence[tuple],
    otherwise: str,
    mistakes: Mapping[str, Callable[..., Any]] | None = None,
    sentences: Mapping[str, str] | None = None,
) -> None:
    """Hold a student's function against the right one, and name the mistake if it is a known one.

    Parameters
    ----------
    answer, right : callable
        The student's function and the right one.
    cases : sequence of tuple
        The arguments to try. Each call gets copies of its own.
    otherwise : str
        What to say of an unknown mistake: a format string, filled in for the first number that is
        off with `given`, `expected` and the arguments by position (those of the result's shape at
        that place, the others whole).
    mistakes : mapping of str to callable
        Functions that make known mistakes, by the name of the mistake.
    sentences : mapping of str to str
        What to say of some of these mistakes, the first first. One is recognised if it agrees with
        the answer to a hundredth in all cases: a student may have measured it.

    Raises
    ------
    Wrong
        If the answer is not numeric, not finite, of another shape, or not right.
    """
    with np.errstate(all="ignore"):
        expected = [np.asarray(right(*deepcopy(case))) for case in cases]
        given = [
            numbers(answer(*deepcopy(case)), shape=e.shape)
            for case, e in zip(cases, expected, strict=True)
        ]
        off = [not close(*pair) for pair in zip(given, expected, strict=True)]
        if not any(off):
            return
        for name, sentence in (sentences or {}).items():
            made = [mistakes[name](*deepcopy(case)) for case in cases]
            if all(close(*pair, 0.01) for pair in zip(given, made, strict=True)):
                raise Wrong(sentence)
    first = off.index(True)
    g, e = given[first], expected[first]
    n = np.flatnonzero(~np.isclose(g, e, rtol=1e-3, atol=1e-3))[0]
    shown = [np.ravel(part)[n] if np.shape(part) == e.shape else part for part in cases[first]]
    raise Wrong(otherwise.format(*shown, given=g.flat[n], expected=e.flat[n]))


@dataclass(frozen=True)
class Exercise:
    """One exercise: a judge, hints in order, and a worked solution.

    Parameters
    ----------
    judge : callable
        Takes the answer. Returns, for a right one, the sentence that follows "Correct."; raises
        `Wrong` with an explanation otherwise. Whatever else it raises is turned into a sentence.
    hints : sequence of str
        Given one by one by `hint`, in Markdown.
    explanation : str
        The worked solution in Markdown, shown by `solution`.
    answer : anything
        A right answer, as a student would pass it: the tests hold the judge against it.
    misconceptions : dict
        Name of a known mistake and an answer that makes it: each has a message of its own.
    """

    judge: Callable[[Any], str]
    hints: Sequence[str]
    explanation: str
    answer: Any
    misconceptions: dict[str, Any]
    _given: list[int] = field(default_factory=lambda: [0], repr=False)

    def verdict(self, answer: Any) -> tuple[bool | None, str]:
        """Judge an answer: (True, False or None for not attempted, and the message)."""
        try:
            if _is_stub(answer):
                raise _NotAttempted
            return True, f"✅ **Correct.** {self.judge(answer)}"
        except _NotAttempted:
            return None, "✏️ **Not attempted yet.** Replace the `...` and run the cell again."
        except Wrong as wrong:
            return False, f"❌ **Not yet.** {wrong}"
        except (Exception, SystemExit) as error:
            said = "".join(traceback.format_exception_only(error)).strip()
            return False, f"❌ **Not yet.** Your answer could not be evaluated: `{said[:300]}`"

    def check(self, answer: Any) -> None:
        """Say whether the answer is right, and if not, what is wrong with it. Never raises."""
        _say(self.verdict(answer)[1])

    def hint(self) -> None:
        """Show the next hint; after the last one, start over."""
        number = self._given[0] % len(self.hints)
        self._given[0] += 1
        _say(f"💡 **Hint {number + 1} of {len(self.hints)}.** {self.hints[number]}")

    def solution(self) -> None:
        """Show the worked solution."""
        gap = "\n\n" if self.explanation.startswith("```") else " "  # a fence needs its own line
        _say(f"🔑 **Solution.**{gap}{self.explanation}")


def filled(answer, names):
    """Return the values of a dictionary that the student filled in, in the order of the names."""
    missing = [name for name in names if not isinstance(answer, dict) or name not in answer]
    if missing:
        raise Wrong(
            "Fill in the dictionary of the cell and keep its names as they are: "
            f"'{missing[0]}' is missing."
        )
    return [answer[name] for name in names]


def as_code(name: str, values: dict[str, Any]) -> str:
    """Return the code of a dictionary in Markdown, one line for each entry."""
    lines = "".join(f'    "{key}": {value!r},\n' for key, value in values.items())
    return f"```python\n{name} = {{\n{lines}}}\n```".replace("'", '"')
