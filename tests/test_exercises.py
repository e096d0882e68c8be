"""Exercises: what is right passes in all its clothes, and whatever else is given gets a sentence.

Every exercise of every lesson is found and held to this, beside a few made here. The answers to a
lesson's exercises are listed in its test_exercises_<lesson>.py: `RIGHT` by exercise and name, and
`WRONG` likewise, each with a part of what it is told; `KNOWN` are names that the notebook gives to
the code of a solution. exercise_answers.py makes further answers.
"""

import functools
import importlib
import inspect
import pkgutil
import re

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import course_map
from course_utils import exercises
from course_utils.exercises import Exercise, Wrong, compare, count_right, numbers, truth, word
from exercise_answers import clothed, faulty, refused, without_one

LESSONS = {name for _, name, _ in pkgutil.iter_modules(exercises.__path__) if name[0] != "_"}


def _parabola(x, shift=0):
    return x**2 + shift


def _both(a, b):
    return a @ b, a.sum()


HINTS = ["Think.", "Look.", "Try."]
FUNCTION = Exercise(
    answer=_parabola,
    cases=[(np.array([1.0, 2.0, -3.0]), 1), (0.0, 0), (2.0, -1.0)],
    praise="A parabola.",
    mistakes={
        "derivative": (lambda x, shift: 2 * x, "That is the derivative."),
        "no shift": (lambda x, shift: x**2, "The shift is missing."),
        "stops": (lambda x, shift: x.dot(x), "That is one number for all."),
    },
    otherwise="Square it.",
    hints=HINTS,
    explanation="Square and shift.",
)
PAIR = Exercise(
    answer=_both,
    cases=[
        (np.array([[1, 2], [3, 4]]), np.ones(2)),
        (np.full((2, 3), 0.5), np.array([1.0, -1, 2])),
        (np.zeros((1, 1)), np.ones(1)),
    ],
    mistakes={"exchanged": (lambda a, b: (a.sum(), a @ b), "They are exchanged.")},
    otherwise="Multiply, and add up.",
    hints=HINTS,
    explanation="Both.",
)
NUMBERS = Exercise(
    answer=(5**0.5, -1.0, 64),
    mistakes={"the sign": ((None, 1, None), "The sign."), "63": ((None, None, 63), "One more.")},
    otherwise="Count again.",
    hints=HINTS,
    explanation="√5, −1 and 64.",
)
TRUTHS = Exercise(
    answer={"a": True, "b": False, "c": True},
    mistakes={"all": ({"a": True, "b": True, "c": True}, "Not all.")},
    otherwise="Think again.",
    hints=HINTS,
    explanation="Two of them.",
)
WORDS = Exercise(
    answer={"A": "plain 20", "B": "plain 56"},
    mistakes={"exchanged": ({"A": "plain 56", "B": "plain 20"}, "They are exchanged.")},
    hints=HINTS,
    explanation="So.",
)
CASES = {"function": FUNCTION, "pair": PAIR, "numbers": NUMBERS, "truths": TRUTHS, "words": WORDS}
LISTED = {name: {"RIGHT": {}, "WRONG": {}, "KNOWN": {}} for name in CASES}
for lesson in sorted(LESSONS):
    tables = vars(importlib.import_module(f"test_exercises_{lesson}"))
    for name, value in vars(importlib.import_module(f"course_utils.exercises.{lesson}")).items():
        if isinstance(value, Exercise):
            CASES[f"{lesson}.{name}"] = value
            LISTED[f"{lesson}.{name}"] = {
                "RIGHT": tables.get("RIGHT", {}).get(name, {}),
                "WRONG": tables.get("WRONG", {}).get(name, {}),
                "KNOWN": tables.get("KNOWN", {}),
            }
every = pytest.mark.parametrize(("name", "exercise"), CASES.items(), ids=CASES)


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
    "built-in": len,
    "returns None": lambda *_: None,
    "returns text": lambda *_: "text",
    "returns NaN": lambda *_: np.nan,
    "returns what it got": lambda *got: got,
    "returns the complex": lambda *got: np.asarray(got[0]) ** 2 + 1j if got else 1j,
    "returns hostile": lambda *_: Hostile(),
    "throws": throws,
    "throws what cannot be printed": throws_unspeakable,
}


def unsolved(*_):
    """Return something."""
    ...


STUBS = [None, ...]
UNSOLVED = [unsolved, functools.partial(unsolved), lambda *_: None, lambda *_: (..., 1.0)]


# --- every exercise -----------------------------------------------------------------------------


def test_every_lesson_has_exercises():
    ready = {one["name"] for one in course_map.read_map()["lesson"] if one["state"] == "ready"}
    assert ready == LESSONS


@every
def test_right_answers_and_wrong_ones_are_listed(name, exercise):
    if "." not in name:
        return
    for table in ("RIGHT", "WRONG"):
        assert len(LISTED[name][table]) >= 3, f"{table} holds too few answers to {name}"


@every
def test_the_solution_is_correct(name, exercise, capsys):
    passed, message = exercise.verdict(exercise.answer)
    assert passed is True, message
    assert message.startswith("✅ **Correct.** ")
    assert exercise.check(exercise.answer) is None
    assert capsys.readouterr().out == message + "\n"


@every
def test_right_answers_pass_in_other_clothes(name, exercise):
    for kind, answer in {**clothed(exercise.answer), **LISTED[name]["RIGHT"]}.items():
        passed, message = exercise.verdict(answer)
        assert passed is True, f"{kind}: {message}"


@every
def test_wrong_answers_do_not_pass_and_are_told_why(name, exercise):
    for kind, (answer, sentence) in {**faulty(exercise.answer), **LISTED[name]["WRONG"]}.items():
        passed, message = exercise.verdict(answer)
        assert passed is False, f"{kind}: {message}"
        assert sentence.lower() in message.lower(), f"{kind}: {message}"
        assert "could not be evaluated" not in message, f"{kind}: {message}"


@every
def test_each_mistake_is_told_its_own_sentence(name, exercise):
    assert exercise.mistakes, "no mistake is known"
    for mistake, (answer, sentence) in exercise.mistakes.items():
        if isinstance(answer, dict):
            answer = {**exercise.answer, **answer}
        if isinstance(answer, tuple):
            pairs = zip(answer, exercise.answer, strict=True)
            answer = tuple(right if made is None else made for made, right in pairs)
        passed, message = exercise.verdict(answer)
        assert passed is False, mistake
        assert sentence and message.startswith("❌ ") and sentence in message, mistake


@every
def test_a_function_is_tried_on_three_cases_at_least(name, exercise):
    tried = set()

    def counted(*args, **kwargs):
        tried.add(repr((args, kwargs)))
        return exercise.answer(*args, **kwargs)

    if callable(exercise.answer):
        assert exercise.verdict(counted)[0] is True
        assert len(tried) >= 3


@every
def test_no_wrong_try_is_told_the_answer(name, exercise):
    answers = [
        answer for answer, _ in {**faulty(exercise.answer), **LISTED[name]["WRONG"]}.values()
    ]
    said = " ".join(exercise.verdict(answer)[1] for answer in answers)
    if callable(exercise.answer):
        code = inspect.getsource(exercise.answer)
        assert re.search(r"return (.*)", code)[1] not in said
        return
    given = exercise.answer
    values = given.values() if isinstance(given, dict) else np.atleast_1d(np.array(given, object))
    for value in values:
        if isinstance(value, float) and value % 1:
            assert f"{value:.3g}" not in said
    if all(isinstance(value, bool) for value in values):
        known = [sentence for _, sentence in exercise.mistakes.values()]
        told = {exercise.verdict(answer)[1] for _, answer in without_one(given)}
        unknown = [said for said in told if not any(sentence in said for sentence in known)]
        assert len(unknown) == 1, "which one is wrong can be read off"


@every
def test_the_stub_is_not_attempted_yet(name, exercise):
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
def test_no_answer_raises_and_no_nasty_one_is_correct(name, exercise, capsys):
    for kind, nasty in NASTY.items():
        exercise.check(nasty)
        said = capsys.readouterr().out
        assert said.startswith(("❌ ", "✏️ ")), kind
        assert "could not be evaluated" not in said, kind
    for stub in STUBS:
        exercise.check(stub)
        assert capsys.readouterr().out.startswith("✏️ ")


@every
def test_hints_come_in_turn_and_start_over(name, exercise, capsys):
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
def test_the_solution_is_shown_with_its_code(name, exercise, capsys):
    exercise.solution()
    solution = capsys.readouterr().out
    assert solution.startswith(f"🔑 **Solution.** {exercise.explanation}")
    fences = [line for line in solution.splitlines() if "```" in line]
    assert all(line.startswith("```") for line in fences), "code is shown as it is typed"
    if callable(exercise.answer):
        code = re.search(r"```python\n(def ([a-z]\w*)\(.*)\n```", solution, re.DOTALL)
        known = vars(inspect.getmodule(exercise.answer)).items()
        names = {key: value for key, value in known if key[0] != "_"} | LISTED[name]["KNOWN"]
        exec(code[1], names)
        passed, message = exercise.verdict(names[code[2]])
        assert passed is True, message


# --- the frame ----------------------------------------------------------------------------------


def test_notebooks_render_messages_as_markdown(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    FUNCTION.check(_parabola)
    assert shown[0]._repr_markdown_() == "✅ **Correct.** A parabola."


def forgets(x, shift):
    x**2 + shift


def forgets_the_rest(x, shift):
    if np.ndim(x):
        return x**2 + shift


def divides(x, shift):
    x = x - x
    return 1 / int(shift - 1)


SAID = {
    "a known mistake": (FUNCTION, lambda x, shift: x + x, "That is the derivative."),
    "a mistake and more": (
        FUNCTION,
        lambda x, shift: 2 * x if np.ndim(x) else x**2 + shift,
        "For x = 2 and shift = 1, one of your numbers is 4, which is too small. Square it.",
    ),
    "stops where the mistake stops": (
        FUNCTION,
        lambda x, shift: (x * np.ones(len(x))) @ x,
        "That is one number for all.",
    ),
    "does not stop there": (
        FUNCTION,
        lambda x, shift: np.sum(x * x),
        "For x = [1, 2, -3] and shift = 1, one number came instead of three numbers.",
    ),
    "right at first": (
        FUNCTION,
        lambda x, shift: x**2 + abs(shift),
        "For x = 2 and shift = -1, you give 5, which is too large. Square it.",
    ),
    "no return": (
        FUNCTION,
        forgets,
        "Your function returns nothing (None) for x = [1, 2, -3] and shift = 1: is a `return` "
        "missing?",
    ),
    "no return in a branch": (
        FUNCTION,
        forgets_the_rest,
        "Your function returns nothing (None) for x = 0 and shift = 0: is a `return` missing?",
    ),
    "an error": (
        FUNCTION,
        divides,
        "Your function stopped with `ZeroDivisionError: division by zero` in the line "
        "`return 1 / int(shift - 1)` for x = [1, 2, -3] and shift = 1.",
    ),
    "an error without a text": (
        FUNCTION,
        lambda x, shift: next(iter([])),
        "Your function stopped with `StopIteration` in the line `lambda x, shift: "
        "next(iter([])),` for x = [1, 2, -3] and shift = 1.",
    ),
    "other arguments": (
        FUNCTION,
        lambda x, shift, more: x,
        "Your function has to take two arguments: x, shift. Keep the first line of the cell.",
    ),
    "its result": (FUNCTION, 4.0, "One number came instead of a function: give its name alone."),
    "NaN": (
        FUNCTION,
        lambda x, shift: np.sqrt(x) ** 4 + shift,
        "For x = -3 and shift = 1, there is a number that is not finite (NaN or infinity).",
    ),
    "complex numbers": (
        FUNCTION,
        lambda x, shift: x**2 + 1j,
        "Complex numbers came instead of three numbers.",
    ),
    "one result": (PAIR, lambda a, b: a.sum(), "One number came instead of two arrays."),
    "the second one": (
        PAIR,
        lambda a, b: (a @ b, a.mean()),
        "For a = [[1, 2], [3, 4]] and b = [1, 1], in result 2 of 2, you give 2.5, which is too "
        "small. Multiply, and add up.",
    ),
    "two of three numbers": (NUMBERS, (2.2, -1, 64), "Two of the three are right. Count again."),
    "none of three": (NUMBERS, (1, 2, 3), "None of the three is right. Count again."),
    "a mistake among numbers": (NUMBERS, (7, 1, 64), "The sign."),
    "a function for numbers": (NUMBERS, len, "A function came instead of three numbers."),
    "a text among them": (NUMBERS, (1, "a", 2), "A text came instead of one number."),
    "one truth": (TRUTHS, dict(a=False, b=True, c=True), "One of the three is right. Think again."),
    "all true": (TRUTHS, dict.fromkeys("abc", True), "Not all."),
    "no truth": (TRUTHS, dict(a=True, b="no", c=True), 'B: answer with one of these: "False", '),
    "another word": (WORDS, dict(A="plain", B="p"), 'A: answer with one of these: "plain 20", "pl'),
    "a word twice": (WORDS, dict.fromkeys("AB", "plain 20"), "One of the two is right."),
}


@pytest.mark.parametrize(("exercise", "answer", "sentence"), SAID.values(), ids=SAID)
def test_this_is_said(exercise, answer, sentence):
    passed, message = exercise.verdict(answer)
    assert passed is False
    assert message.startswith(f"❌ **Not yet.** {sentence}")


def test_an_answer_gets_copies_and_a_judge_may_hand_over_its_own():
    case = (np.arange(3.0), 0)

    def in_place(x, shift):
        x += 1
        return x

    def judge(answer):
        compare(answer, lambda x, shift: x + 1, [case] * 2)
        answer.function(*case)

    exercise = Exercise(answer=in_place, judge=judge, hints=HINTS, explanation="")
    assert exercise.verdict(in_place)[0] is True
    np.testing.assert_array_equal(case[0], [1, 2, 3])


@pytest.mark.parametrize(
    ("right", "near", "far"),
    [
        (5**0.5, 2.24, 2.25),
        (1 / 4_000, 1 / 4_010, 1 / 4_050),
        (1e6, 1.004e6, 1.006e6),
        (0.0, 0.004, 0.006),
        (np.array([0.0, 1e-4]), [4e-7, 1e-4], [6e-7, 1e-4]),
        (109_386, 109_386.001, 109_387),
        (np.array([1, 2]), [1.0, 2.0], [1.0, 2.02]),
    ],
)
def test_three_digits_are_near_enough_and_whole_numbers_are_exact(right, near, far):
    compare(lambda x: near, lambda x: right, [(1,)])
    with pytest.raises(Wrong):
        compare(lambda x: far, lambda x: right, [(1,)])


def test_a_stated_tolerance_is_that_of_both_kinds_of_exercise():
    compare(lambda x: 11.0, lambda x: 10, [(1,)], tolerance=0.1)
    count_right((0.9, 11), (1.0, 10), tolerance=0.1)
    with pytest.raises(Wrong):
        count_right((0.9, 11.1), (1.0, 10), tolerance=0.1)


@pytest.mark.parametrize(
    ("given", "shape"),
    [
        *[(2, ()), (True, ()), ([2.0], ()), (2 + 0j, ()), (4, (1, 1)), ({"a": 1}.values(), (1,))],
        *[([[1, 2], [3, 4]], (2, 2)), (tf.ones(3), (3,)), (range(3), (3,))],
        *[((n for n in (1, 2)), (2,)), (pd.Series([1, 2]), (2,)), (pd.DataFrame([[1, 2]]), (1, 2))],
    ],
)
def test_numbers_come_in_many_forms(given, shape):
    array = numbers(given, shape)
    assert array.dtype == float and array.shape == shape


@pytest.mark.parametrize(
    ("given", "shape", "sentence"),
    [
        ("2.0", (), "a text came instead of one number."),
        ([[1], [1, 2]], (2, 2), "a list of two things came instead of an array of two rows and"),
        (dict, (3, 1), "a function came instead of an array of three rows and one column."),
        (np.ones((1, 20)), (20,), "an array of one row and 20 columns came instead of 20 numbers."),
        (np.ones((2, 3, 4)), (), "an array of 2 × 3 × 4 numbers came instead of one number."),
        ([1.0, 2.0], (1,), "two numbers came instead of a list of one number."),
        ([1.0, np.nan], (2,), "not finite"),
    ],
)
def test_what_are_no_such_numbers_is_said_in_words(given, shape, sentence):
    with pytest.raises(Wrong, match=re.escape(sentence)):
        numbers(given, shape)


@pytest.mark.parametrize("given", ["plain 20", "Plain-20.", " PLAIN_20 ", "plain20"])
def test_words_are_read_however_they_are_spelled(given):
    assert word(given, ["plain 20", "plain 56"]) == "plain 20"


@pytest.mark.parametrize("given", [True, 1, 1.0, np.True_, tf.constant(True), "true", "True."])
def test_truth_is_read_in_its_forms(given):
    assert truth(given) is True


@pytest.mark.parametrize("given", [-1, 2, "yes", [], None, np.nan])
def test_what_is_no_truth_is_refused(given):
    with pytest.raises(Wrong, match="True"):
        truth(given)


def test_a_hostile_answer_in_a_list_is_refused_with_words():
    refused(FUNCTION, lambda *_: [Hostile()], "A list of one thing came instead of three numbers.")
