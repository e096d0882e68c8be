"""What a student gave: read in its usual forms, called with care, and said in words."""

import dis
import inspect
import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, ValuesView
from contextlib import suppress
from copy import deepcopy
from functools import partial
from itertools import islice
from typing import Any

import numpy as np


class Wrong(Exception):
    """Raised by a judge: what is wrong with an answer, in the lesson's own terms."""


class Stopped(Wrong):
    """The student's function raised an error."""


class NotAttempted(Exception):
    """The answer is still the stub's."""


# --- what came, in words ------------------------------------------------------------------------

_NUMBERS = ["none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def number(n: int) -> str:
    return _NUMBERS[n] if n < len(_NUMBERS) else str(n)


def count(n: int, thing: str) -> str:
    return f"{number(n) if n else 'no'} {thing}{'' if n == 1 else 's'}"


def of_shape(shape: tuple[int, ...]) -> str:
    if len(shape) == 2:
        return f"an array of {count(shape[0], 'row')} and {count(shape[1], 'column')}"
    if len(shape) > 2:
        return f"an array of {' × '.join(map(str, shape))} numbers"
    return "a list of one number" if shape == (1,) else count(*shape or (1,), "number")


def in_words(value: Any) -> str:
    array = as_array(value)
    holds_arrays = isinstance(value, list | tuple) and any(
        isinstance(part, np.ndarray) and part.ndim > 1 for part in value
    )
    if array is not None and not holds_arrays:
        return "complex numbers" if array.dtype.kind == "c" else of_shape(array.shape)
    if isinstance(value, list | tuple):
        thing = "array" if holds_arrays else "thing"
        return f"a {type(value).__name__} of {count(len(value), thing)}"
    if isinstance(value, str):
        return "a text"
    return "a function" if callable(value) else f"a value of the type `{type(value).__name__}`"


def arguments(named: Mapping[str, Any]) -> str:
    """Return "N = 4000, m = 50 and reduction = 'mean'"; what is long is said in words."""
    parts = []
    for name, value in named.items():
        shown = f"{value:.4g}" if isinstance(value, float) else repr(value)
        if isinstance(value, np.ndarray) and value.size < 9:
            digits = {"float_kind": "{:.4g}".format}
            shown = np.array2string(value, separator=", ", formatter=digits).replace("\n", "")
        elif len(shown) > 50 or not isinstance(value, int | float | str | list | tuple):
            shown = ""
        parts.append(f"{name} = {shown}" if shown else f"{name} ({in_words(value)})")
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]])) or "these arguments"


# --- what a student gave ------------------------------------------------------------------------


def holds(value: Any, thing: Any) -> bool:
    """Whether a value is this thing, or has it in a list, a tuple or a dictionary."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return any(holds(part, thing) for part in value)
    return value is thing


def as_array(value: Any) -> np.ndarray | None:
    """Turn what came into an array of floats (or complex numbers), if that can be done."""
    try:
        if isinstance(value, Iterator | ValuesView):
            value = list(islice(value, 10**6))
        array = np.asarray(value)
        if array.dtype.kind == "c":
            return array.real.copy() if np.allclose(array.imag, 0) else array
        return array.astype(float) if array.dtype.kind in "biufO" else None  # no texts, no dates
    except Exception:  # lists of different lengths, or something that refuses
        return None


def numeric(value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return an array; it has this shape if that holds one number, and may have another if not."""
    array = as_array(value)
    if array is None or array.dtype.kind == "c":
        raise Wrong(f"{in_words(value)} came instead of {of_shape(shape)}.")
    return array.reshape(shape) if array.size == np.prod(shape) == 1 else array


def finite(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if array.shape != shape:
        raise Wrong(f"{of_shape(array.shape)} came instead of {of_shape(shape)}.")
    if not np.isfinite(array).all():
        raise Wrong("there is a number that is not finite (NaN or infinity).")
    return array


def numbers(value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Turn an answer into finite numbers of this shape, or raise `Wrong` with what is wrong.

    One number may come in a list, and several as a list, a tuple, a generator or a tensor.
    """
    return finite(numeric(value, shape), shape)


def several(value: Any, n: int, thing: str) -> list[Any]:
    """Take apart what came: a tuple, a list, an array or whatever else gives n parts."""
    try:
        parts = [] if isinstance(value, str | dict) else list(islice(value, n + 1))
    except Exception:  # one number, or something that refuses
        parts = []
    if len(parts) != n:
        raise Wrong(f"{in_words(value)} came instead of {count(n, thing)}.")
    return parts


def word(value: Any, choices: Iterable[str]) -> str:
    """Read one of some words, whatever its capital letters, spaces, hyphens and full stop."""

    def plain(text: str) -> str:
        return re.sub(r"[\W_]+", "", text.lower())

    known = {plain(choice): choice for choice in choices}
    if not isinstance(value, str) or plain(value) not in known:
        listed = ", ".join(f'"{choice}"' for choice in sorted(known.values()))
        raise Wrong(f"answer with one of these: {listed}.")
    return known[plain(value)]


def truth(value: Any) -> bool:
    """Read True or False: also as 1 or 0, as NumPy or TensorFlow have it, or as a word."""
    if isinstance(value, str):
        return word(value, ("True", "False")) == "True"
    with suppress(Wrong):
        if (number := numbers(value, ()).item()) in (0, 1):
            return bool(number)
    raise Wrong("answer with True or False.")


def filled(answer: Any, names: Iterable[str]) -> list[Any]:
    """Return the values of a dictionary that the student filled in, in the order of the names."""
    missing = [name for name in names if not isinstance(answer, Mapping) or name not in answer]
    if missing:
        raise Wrong(
            "fill in the dictionary of the cell and keep its names as they are: "
            f"'{missing[0]}' is missing."
        )
    return [answer[name] for name in names]


# --- a student's function -----------------------------------------------------------------------

_IDLE = {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE"}


def _does_nothing(function: Any) -> bool:
    """Whether a function that returned None is still the stub, with `...` for a body."""
    while isinstance(function, partial):
        function = function.func
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code is not None and {step.opname for step in dis.get_instructions(code)} <= _IDLE


class Function:
    """A function to be judged: each call gets copies, and whatever goes wrong is a sentence.

    `function` is what the student wrote, for a judge that has to hand over its own arrays.
    """

    def __init__(self, function: Any, like: Callable[..., Any]) -> None:
        if not callable(function):
            raise Wrong(f"{in_words(function)} came instead of a function: give its name alone.")
        parameters = inspect.signature(like).parameters.values()
        self.function = function
        self.names = [one.name for one in parameters if one.kind == one.POSITIONAL_OR_KEYWORD]

    def named(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments by the names that they have in the exercise."""
        return {**dict(zip(self.names, args, strict=False)), **kwargs}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        said = arguments(self.named(args, kwargs))
        args, kwargs = self._bound(deepcopy(args), deepcopy(kwargs))
        try:
            with np.errstate(all="ignore"):
                value = self.function(*args, **kwargs)
        except (Wrong, NotAttempted):  # in a judge's own function around the student's
            raise
        except (Exception, SystemExit) as error:
            raise Stopped(f"your function stopped with {self._told(error)} for {said}.") from None
        if holds(value, ...) or (value is None and _does_nothing(self.function)):
            raise NotAttempted
        if holds(value, None):
            raise Wrong(f"your function returns nothing (None) for {said}: is a `return` missing?")
        return value

    def _bound(self, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        """Return the arguments as the student's function takes them: by place, else by name."""
        named = self.named(args, kwargs)
        try:
            signature = inspect.signature(self.function)
        except Exception:  # not every built-in function has one
            return args, kwargs
        for way in (args, kwargs), ((), named):
            with suppress(TypeError):
                signature.bind(*way[0], **way[1])
                return way
        taken = f"{count(len(named), 'argument')}: {', '.join(named)}"
        raise Wrong(f"your function has to take {taken}. Keep the first line of the cell.")

    def _told(self, error: BaseException) -> str:
        """Return an error, and the line of the student's where it was raised."""
        said = "".join(traceback.format_exception_only(error)).strip()[:300]
        file = getattr(getattr(self.function, "__code__", None), "co_filename", None)
        steps = traceback.extract_tb(error.__traceback__)
        lines = [step.line for step in steps if step.filename == file and step.line]
        parts = [f"`{part.replace('`', chr(39))}`" for part in (said, *lines[-1:])]
        return " in the line ".join(parts)
