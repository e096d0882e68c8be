"""Exercises that answer: ``q1.check(answer)``, ``q1.hint()``, ``q1.solution()``.

Each lesson has a module of its own here, which makes its exercises from `Exercise`. Every call of a
student's function gets copies of its own, and whatever it returns or raises becomes a sentence.
"""

import inspect
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from course_utils.exercises._given import (
    Function,
    NotAttempted,
    Stopped,
    Wrong,
    arguments,
    filled,
    finite,
    holds,
    number,
    numbers,
    numeric,
    several,
    truth,
    word,
)

__all__ = ["Exercise", "Wrong", "as_code", "compare", "count_right", "numbers", "truth", "word"]

TOLERANCE = 5e-3  # three digits are enough, except of whole numbers
Mistakes = Mapping[str, tuple[Any, str]]  # by name: an answer that makes it, and what to say to it


def _near(given: Any, expected: Any, tolerance: float | None, like: Any) -> np.ndarray:
    """Whether numbers agree, each to so much of itself; whole ones exactly if nothing is stated."""
    if tolerance is None:
        tolerance = 0 if np.asarray(like).dtype.kind in "biu" else TOLERANCE
    largest = np.abs(expected).max(initial=0)
    size = largest if 1e-9 < largest < 1 else 1  # a 0 among small numbers is held more closely
    return np.isclose(given, expected, rtol=0, atol=tolerance * size or 0.01) | np.isclose(
        given, expected, rtol=tolerance, atol=0, equal_nan=True
    )


def _result(function: Function, case: tuple, like: Sequence[np.ndarray]) -> list | Stopped:
    """Return what a function gives, part by part, for a result like this; or how it stopped."""
    try:
        value = function(*case)
    except Stopped as stopped:
        return stopped
    thing = "array" if any(part.shape for part in like) else "number"
    parts = [value] if len(like) == 1 else several(value, len(like), thing)
    return [numeric(part, e.shape) for part, e in zip(parts, like, strict=True)]


def _off(given: Any, other: Any, like: Sequence[np.ndarray], tolerance: float | None) -> Any:
    """Return in which part, and where in it, two results differ; None if they agree."""
    if isinstance(given, Stopped) or isinstance(other, Stopped):
        return None if type(given) is type(other) else (0, None)
    for n, (g, o, e) in enumerate(zip(given, other, like, strict=True)):
        if g.shape != o.shape:
            return n, None
        off = np.flatnonzero(~_near(g, o, tolerance, e))
        if len(off):
            return n, off[0]
    return None


def compare(
    answer: Callable[..., Any],
    right: Callable[..., Any],
    cases: Sequence[tuple],
    otherwise: str = "",
    mistakes: Mistakes | None = None,
    tolerance: float | None = None,
) -> None:
    """Hold a student's function against the right one, or raise `Wrong`.

    The first known mistake that agrees with the answer in all cases is named: in numbers, in
    shapes, and in where it stops. If there is none, the sentence says what came in the first case
    that is wrong, but not what is right. For the parameters see `Exercise`.
    """
    answer, right = (f if isinstance(f, Function) else Function(f, right) for f in (answer, right))
    values = [right(*case) for case in cases]
    like = [[np.asarray(v) for v in (x if isinstance(x, tuple) else (x,))] for x in values]
    given = [_result(answer, *pair) for pair in zip(cases, like, strict=True)]
    off = [_off(g, e, e, tolerance) for g, e in zip(given, like, strict=True)]
    if not any(off):
        return
    for function, sentence in (mistakes or {}).values():
        mistake = Function(function, right.function)
        made = [_result(mistake, *pair) for pair in zip(cases, like, strict=True)]
        if not any(_off(*results, tolerance) for results in zip(given, made, like, strict=True)):
            raise Wrong(sentence)
    n, (part, place) = next((n, found) for n, found in enumerate(off) if found)
    if isinstance(given[n], Stopped):
        raise given[n]
    g, e = given[n][part], like[n][part]
    here = cases[n]
    shapes = [None if isinstance(a, list | tuple) else np.shape(a) for a in here]
    if e.shape and place is not None and {*shapes} <= {(), e.shape}:
        # Of each argument the number that belongs to this one of the result.
        here = [np.ravel(a)[place].item() if np.shape(a) else a for a in here]
    where = f"for {arguments(right.named(here, {}))}"
    where += f", in result {part + 1} of {len(like[n])}" if len(like[n]) > 1 else ""
    try:
        g = finite(g, e.shape).flat[place]
    except Wrong as wrong:
        raise Wrong(f"{where}, {wrong}") from None
    you = "one of your numbers is" if e.size > 1 else "you give"
    way = "too large" if g > e.flat[place] else "too small"
    if e.size > 1 and e.dtype.kind in "biu":  # they may be names of classes
        way = "not right"
    raise Wrong(f"{where}, {you} {g:.6g}, which is {way}. {otherwise}")


def _entries(values: Any) -> dict[Any, Any]:
    if isinstance(values, Mapping):
        return dict(values)
    return dict(enumerate(values if isinstance(values, tuple) else (values,)))


def count_right(
    answer: Any,
    right: Any,
    otherwise: str = "",
    mistakes: Mistakes | None = None,
    tolerance: float | None = None,
) -> None:
    """Hold numbers, words or truth values against the right ones, or raise `Wrong`.

    The first known mistake whose values all came is named. If there is none, the sentence says how
    many are right, but not which. For the parameters see `Exercise`.
    """
    entries = _entries(right)
    words = [value for value in entries.values() if isinstance(value, str)]

    def read(name: Any, value: Any) -> Any:
        try:
            if isinstance(entries[name], str):
                return word(value, words)
            return truth(value) if isinstance(entries[name], bool) else numbers(value, ()).item()
        except Wrong as wrong:
            raise Wrong(f"{name}: {wrong}" if isinstance(name, str) else str(wrong)) from None

    def same(name: Any, value: Any) -> bool:
        if isinstance(value, str | bool):
            return given[name] == value
        return bool(_near(given[name], value, tolerance, entries[name]))

    values = [answer]
    if isinstance(right, Mapping):
        values = filled(answer, entries)
    elif isinstance(right, tuple):
        values = several(answer, len(entries), "word" if words else "number")
    given = {name: read(name, value) for name, value in zip(entries, values, strict=True)}
    n = sum(same(*entry) for entry in entries.items())
    if n == len(entries):
        return
    for made, sentence in (mistakes or {}).values():
        if all(same(*entry) for entry in _entries(made).items() if entry[1] is not None):
            raise Wrong(sentence)
    found = f"{number(n)} of the {number(len(entries))} {'is' if n < 2 else 'are'} right."
    if len(entries) == 1:
        (only,) = given.values()
        found = f"you give {only:.6g}." if isinstance(only, float) else f"you give {only}."
    raise Wrong(f"{found} {otherwise}")


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """One exercise: a right answer, what is said to others, hints in order, a worked solution.

    What is asked for is what the right answer is: a function (see `compare`), or numbers, words or
    truth values (see `count_right`). For anything else give a judge.

    Parameters
    ----------
    answer : a function, a value, a tuple of values or a dictionary of values
        A right answer, as a student would pass it. A function is written as a student would write
        it, with the stub's name behind a `_`, and returns a number, an array or a tuple of several.
        Words are chosen among the right ones.
    praise : str
        The sentence that follows "Correct.".
    hints : sequence of str
        Given one by one by `hint`, in Markdown.
    explanation : str
        The worked solution in Markdown, shown by `solution`; the code of a function follows it.
    mistakes : mapping of str to (answer, str)
        Known mistakes by name: an answer that makes it, and what to say to it. What a dictionary of
        values leaves out, and None in a tuple of values, may be anything.
    otherwise : str
        The advice where no known mistake was made, which does not give the answer away.
    cases : sequence of tuple
        The arguments to try a function on, edge cases among them. Each call gets copies.
    tolerance : float
        How near is near enough, as a share of a number. If not stated, whole numbers have to be
        exact, and others right to three digits.
    judge : callable
        Judges the answer in another way: raises `Wrong`, or returns a sentence in place of the
        praise, or None. A function comes so that each call gets copies.
    """

    answer: Any
    praise: str = ""
    hints: Sequence[str]
    explanation: str
    mistakes: Mistakes = field(default_factory=dict)
    otherwise: str = ""
    cases: Sequence[tuple] = ()
    tolerance: float | None = None
    judge: Callable[[Any], str | None] | None = None
    _given: list[int] = field(default_factory=lambda: [0], repr=False)

    def verdict(self, answer: Any) -> tuple[bool | None, str]:
        """Judge an answer: (True, False or None for not attempted, and the message)."""
        try:
            return True, f"✅ **Correct.** {self._judged(answer)}"
        except NotAttempted:
            return None, "✏️ **Not attempted yet.** Replace the `...` and run the cell again."
        except Wrong as wrong:
            said = str(wrong).strip()
        except (Exception, SystemExit) as error:
            raised = "".join(traceback.format_exception_only(error)).strip()
            said = f"Your answer could not be evaluated: `{raised[:300]}`"
        return False, f"❌ **Not yet.** {said[:1].upper()}{said[1:]}"

    def _judged(self, answer: Any) -> str:
        if holds(answer, ...) or holds(answer, None):
            raise NotAttempted
        known = self.otherwise, self.mistakes, self.tolerance
        if callable(self.answer):
            answer = Function(answer, self.answer)
        if self.judge:
            return self.judge(answer) or self.praise
        if callable(self.answer):
            compare(answer, self.answer, self.cases, *known)
        else:
            count_right(answer, self.answer, *known)
        return self.praise

    def check(self, answer: Any) -> None:
        """Say whether the answer is right, and if not, what is wrong with it. Never raises."""
        _say(self.verdict(answer)[1])

    def hint(self) -> None:
        """Show the next hint; after the last one, start over."""
        n = self._given[0] % len(self.hints)
        self._given[0] += 1
        _say(f"💡 **Hint {n + 1} of {len(self.hints)}.** {self.hints[n]}")

    def solution(self) -> None:
        """Show the worked solution, and the code of a right function below it."""
        said = f"🔑 **Solution.** {self.explanation}"
        if callable(self.answer):
            code = inspect.getsource(self.answer).replace("def _", "def ", 1)
            said += f"\n\n```python\n{code}```"
        _say(said)


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


def as_code(name: str, values: dict[str, Any]) -> str:
    """Return the code of a dictionary in Markdown, one line for each entry."""
    lines = "".join(f'    "{key}": {value!r},\n' for key, value in values.items())
    return f"```python\n{name} = {{\n{lines}}}\n```".replace("'", '"')
