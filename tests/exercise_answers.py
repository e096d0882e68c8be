"""Answers for tests of exercises, made from a right one: in other clothes, and with usual faults.

Each is made anew when it is asked for, since some count their calls.
"""

from copy import deepcopy

import numpy as np
import tensorflow as tf


def refused(exercise, answer, *sentences):
    """The answer is judged, found wrong, and told these sentences."""
    passed, message = exercise.verdict(answer)
    assert passed is False, message
    assert "could not be evaluated" not in message
    for sentence in sentences:
        assert sentence in message, message


def each(change):
    """Change every part of a result: it is one, or a tuple of several."""
    return lambda result: (
        tuple(map(change, result)) if isinstance(result, tuple) else change(result)
    )


def parts(result):
    return list(result) if isinstance(result, tuple) else list(np.atleast_1d(result))


def rounded(part):
    """To four digits, as a notebook would print it; whole numbers stay."""
    if np.asarray(part).dtype.kind in "biu":
        return part
    return np.vectorize(lambda number: float(f"{number:.4g}"))(part)


def stacked(result):
    alike = isinstance(result, tuple) and len({np.shape(part) for part in result}) == 1
    return np.stack(result) if alike else result


def nothing(result):
    return None


def fails(result):
    raise ValueError("no")


RESULTS = {
    "lists": each(lambda part: np.asarray(part).tolist()),
    "tensors": each(tf.constant),
    "single precision": each(np.float32),
    "four digits": each(rounded),
    "complex numbers": each(lambda part: part + 0j),
    "a list of parts": parts,
    "a generator of parts": lambda result: iter(parts(result)),
    "one array": stacked,
}
FAULTS = {
    "a return that is missing": (nothing, "returns nothing (None)"),
    "no number": (each(lambda part: part * np.nan), "not finite"),
    "a text": (str, "text came"),
    "another shape": (each(lambda part: np.stack([part] * 3)), "came instead of"),
    "an error": (fails, "stopped with `ValueError: no` in the line `raise ValueError"),
    "another number": (each(lambda part: part + 1 + np.abs(part)), ""),
}


def with_result(answer, change, calls_before=0):
    """Return the answer that changes its result, from some call on."""
    calls = []

    def changing(*args, **kwargs):
        calls.append(args)
        result = answer(*args, **kwargs)
        return change(result) if len(calls) > calls_before else result

    return changing


def spoiling(answer):
    """Return the answer that works in place: its arguments are spoiled afterwards."""

    def in_place(*args, **kwargs):
        result = deepcopy(answer(*args, **kwargs))
        for array in args:
            if isinstance(array, np.ndarray):
                array[...] = 7
        return result

    return in_place


def constant(answer):
    """Return the answer that gives for ever what it gave first."""
    first = []

    def same(*args, **kwargs):
        first.append(answer(*args, **kwargs))
        return first[0]

    return same


# --- values -------------------------------------------------------------------------------------


def spelled(value):
    """Write a value in another way."""
    if isinstance(value, bool):
        return f"{value}.".lower()
    return f" {value.upper().replace(' ', '-')}." if isinstance(value, str) else [float(value)]


def other(value, values):
    """Return a wrong value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return next(word for word in values if word != value)
    return value + 1 + abs(value)


def without_one(answer):
    """Return wrong values: each time, one of them is another."""
    names = answer if isinstance(answer, dict) else range(len(answer))
    values = list(answer.values() if isinstance(answer, dict) else answer)
    for place, name in enumerate(names):
        changed = [*values[:place], other(values[place], values), *values[place + 1 :]]
        yield name, dict(zip(names, changed, strict=True)) if isinstance(answer, dict) else changed


# --- both ---------------------------------------------------------------------------------------


def clothed(answer):
    """Return right answers that look different, by name."""
    if callable(answer):
        results = {name: with_result(answer, change) for name, change in RESULTS.items()}
        return {
            "works in place": spoiling(answer),
            "takes names": lambda **named: answer(**named),
            **results,
        }
    if isinstance(answer, dict):
        return {
            "another order": dict(reversed(answer.items())),
            "NumPy": {name: np.asarray(value)[()] for name, value in answer.items()},
            "other spelling": {name: spelled(value) for name, value in answer.items()},
        }
    values = list(answer) if isinstance(answer, tuple) else [answer]
    return {"a list": values, "a generator": iter(values), "a tensor": tf.constant(values)}


def faulty(answer):
    """Return wrong answers and what they are told, by name."""
    if callable(answer):
        late = {
            f"{name}, later": (with_result(answer, change, 1), sentence)
            for name, (change, sentence) in FAULTS.items()
        }
        return {
            **{name: (with_result(answer, *fault[:1]), fault[1]) for name, fault in FAULTS.items()},
            **late,
            "constant": (constant(answer), ""),
            "no arguments": (lambda: 0.0, "has to take"),
            "no function": (1.0, "one number came instead of a function"),
        }
    if not isinstance(answer, dict | tuple):
        return {"another": (other(answer, [answer]), ""), "an object": (object(), "")}
    made = {f"another {name}": (values, "") for name, values in without_one(answer)}
    if isinstance(answer, dict):
        made["one missing"] = dict(list(answer.items())[1:]), "is missing"
    else:
        made["one missing"] = answer[1:], "came instead of"
    return made
