"""The lessons whose exercises are still of the former kind: goes when the last is converted."""

import importlib
import pkgutil

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from course_utils import exercises
from course_utils.exercises._before import Exercise, Wrong, numbers


def judge_number(answer) -> str:
    value = numbers(answer, ())
    if np.isclose(value, 0.75):
        raise Wrong("The cube of y was integrated: the mean of y needs one factor y only.")
    if not np.isclose(value, 2.0):
        raise Wrong(f"It is not {value:.3g}.")
    return "The mean is two."


def judge_function(answer) -> str:
    x = np.array([0.0, 1.0, 2.0])
    value = numbers(answer(x), (3,))
    if np.allclose(value, 2 * x):
        raise Wrong("That is the derivative.")
    if not np.allclose(value, x**2):
        raise Wrong("It is no parabola.")
    return "A parabola."


NUMBER = Exercise(
    judge_number, ["Integrate.", "By parts.", "It is even."], "It is 2.", 2.0, {"cube": 0.75}
)
FUNCTION = Exercise(
    judge_function, ["Square."], "`x**2`", lambda x: x**2, {"derivative": lambda x: 2 * x}
)
CASES = {"a number": NUMBER, "a function": FUNCTION}
for module in pkgutil.iter_modules(exercises.__path__):
    lesson = importlib.import_module(f"{exercises.__name__}.{module.name}")
    CASES |= {
        f"{module.name}.{name}": exercise
        for name, exercise in vars(lesson).items()
        if isinstance(exercise, Exercise)
    }
every = pytest.mark.parametrize("exercise", CASES.values(), ids=CASES)


class Hostile:
    """Nothing can be done with it."""

    def refuse(self, *_, **__):
        raise RuntimeError("no")

    __eq__ = __array__ = __repr__ = __str__ = __len__ = __iter__ = __getitem__ = __bool__ = refuse
    __float__ = __format__ = __hash__ = __call__ = __add__ = __sub__ = __lt__ = refuse


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("no")


def throws(*_):
    raise KeyError("w")


def throws_unspeakable(*_):
    raise Unspeakable


NASTY = {
    "NaN": np.nan,
    "infinity": -np.inf,
    "empty text": "",
    "text": "text",
    "number as text": "2.0",
    "bytes": b"2",
    "empty list": [],
    "list of stubs": [None, ...],
    "dictionary": {},
    "object": object(),
    "class": dict,
    "module": np,
    "complex": 2 + 1j,
    "complex array": np.array(2 + 1j),
    "date": np.datetime64("1970-01-03", "D"),
    "wrong shape": np.ones((2, 3, 4)),
    "huge array": np.zeros((1000, 2000)),
    "huge number": 10**5000,
    "ragged lists": [[1.0, 2.0], [3.0]],
    "nested lists": [[[[]]]],
    "data frame": pd.DataFrame({"a": [1.0, np.nan], "b": ["x", "y"]}),
    "empty data frame": pd.DataFrame(),
    "tensor": tf.fill((3, 2), -7.5),
    "text tensor": tf.constant("text"),
    "variable": tf.Variable(np.full(5, np.nan)),
    "generator": (i for i in range(3)),
    "hostile": Hostile(),
    "list of hostiles": [Hostile()],
    "no argument": lambda: -7.5,
    "one argument": lambda a: -7.5,
    "two arguments": lambda a, b: -7.5,
    "three arguments": lambda a, b, c: -7.5,
    "returns None": lambda *_: None,
    "returns text": lambda *_: "text",
    "returns NaN": lambda *_: np.nan,
    "returns what it got": lambda *got: got,
    "returns the complex": lambda *got: np.asarray(got[0]) ** 2 + 1j if got else 1j,
    "returns hostile": lambda *_: Hostile(),
    "throws": throws,
    "throws what cannot be printed": throws_unspeakable,
}
STUBS = [None, ...]
UNSOLVED = [lambda *_, **__: None, lambda *_, **__: ...]  # a function whose body is still `...`
GENERIC = "could not be evaluated"


@every
def test_the_solution_is_correct(exercise, capsys):
    passed, message = exercise.verdict(exercise.answer)
    assert passed is True, message
    assert message.startswith("✅ **Correct.** ")
    assert exercise.check(exercise.answer) is None
    assert capsys.readouterr().out == message + "\n"


@every
def test_the_stub_is_not_attempted_yet(exercise):
    answer = exercise.answer
    several = answer if isinstance(answer, tuple) else ()
    parts = [(*several[:n], *[...] * (len(several) - n)) for n in range(len(several))]
    if isinstance(answer, dict):
        parts = [{**answer, name: ...} for name in answer] + [dict.fromkeys(answer, ...)]
    for stub in STUBS + parts + (UNSOLVED if callable(answer) else []):
        passed, message = exercise.verdict(stub)
        assert passed is None, message
        assert "Not attempted yet" in message


@every
def test_each_misconception_has_an_answer_of_its_own(exercise):
    messages = {}
    for name, answer in exercise.misconceptions.items():
        passed, messages[name] = exercise.verdict(answer)
        assert passed is False, name
        assert messages[name].startswith("❌ ") and GENERIC not in messages[name], name
    assert messages, "no misconception is listed"
    others = {exercise.verdict(nasty)[1] for nasty in NASTY.values()}
    assert len(set(messages.values()) - others) == len(messages), messages


@every
def test_no_answer_raises_and_no_nasty_one_is_correct(exercise, capsys):
    for name, nasty in NASTY.items():
        exercise.check(nasty)
        assert capsys.readouterr().out.startswith(("❌ ", "✏️ ")), name
    for stub in STUBS:
        exercise.check(stub)
        assert capsys.readouterr().out.startswith("✏️ ")


@every
def test_hints_come_in_turn_and_start_over(exercise, capsys):
    count = len(exercise.hints)
    assert count > 0 and not isinstance(exercise.hints, str)
    said = []
    for _ in range(2 * count):
        exercise.hint()
        said.append(capsys.readouterr().out)
    shift = next(i for i, text in enumerate(said) if f"Hint 1 of {count}." in text)
    turn = [f"💡 **Hint {i + 1} of {count}.** {hint}\n" for i, hint in enumerate(exercise.hints)]
    assert said == (turn * 3)[count - shift :][: 2 * count]


@every
def test_the_solution_is_shown(exercise, capsys):
    exercise.solution()
    solution = capsys.readouterr().out
    assert solution.startswith("🔑 **Solution.**")
    assert solution.endswith(f"{exercise.explanation}\n")
    fences = [line for line in solution.splitlines() if "```" in line]
    assert all(line.startswith("```") for line in fences), "code is shown as it is typed"


def test_notebooks_render_messages_as_markdown(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    NUMBER.check(2.0)
    assert shown[0]._repr_markdown_() == "✅ **Correct.** The mean is two."


def test_an_answer_that_throws_is_told_what_it_threw():
    passed, message = FUNCTION.verdict(throws)
    assert passed is False
    assert message.endswith("Your answer could not be evaluated: `KeyError: 'w'`")
    assert "`TypeError: " in FUNCTION.verdict(lambda: 1)[1]
    assert len(FUNCTION.verdict(lambda x: np.ones(10**6)[str(x) * 1000])[1]) < 500


@pytest.mark.parametrize("given", [2, True, np.float32(2), [[1, 2], [3, 4]], tf.ones(3), (1, 2.5)])
def test_numbers_are_turned_into_an_array_of_floats(given):
    array = numbers(given)
    assert array.dtype == float
    np.testing.assert_array_equal(array, np.array(given, dtype=float))


@pytest.mark.parametrize(
    ("given", "shape", "sentence"),
    [
        ("text", None, "Numbers are expected here, but a str came."),
        ("2.0", None, "Numbers are expected here, but a str came."),
        ([[1], [1, 2]], None, "Numbers are expected here, but a list came."),
        (np.array([2 + 1j]), None, "Numbers are expected here, but a ndarray came."),
        (dict, None, "Numbers are expected here, but a type came."),
        ([1.0, 2.0], (3,), r"The shape is \(2,\), but \(3,\) is expected."),
        ([1.0, np.nan], (2,), "not finite"),
        (np.inf, (), "not finite"),
    ],
)
def test_what_are_no_numbers_is_said(given, shape, sentence):
    with pytest.raises(Wrong, match=sentence):
        numbers(given, shape)
