"""Exercises of `optimizers`: nothing but right answers pass, and the answers hold when tried out.

What every exercise has to keep is in test_exercises.py.
"""

import re

import keras
import numpy as np
import pytest

from course_utils.exercises import optimizers
from course_utils.exercises.optimizers import q1, q2, q3, q4, q5, q6, q7

EXERCISES = {f"q{n}": exercise for n, exercise in enumerate((q1, q2, q3, q4, q5, q6, q7), start=1)}
TABLES = {
    "q1": optimizers._STEPS,
    "q2": optimizers._PATTERNS,
    "q3": optimizers._READINGS,
    "q4": optimizers._REPAIRS,
    "q5": optimizers._SCHEDULES,
    "q6": optimizers._SWARMS,
    "q7": optimizers._GROWTHS,
}


def run(code):
    """Return the last name that a cell defines, run where the lesson's names are known."""
    names = {"np": np, "omega": 0.7298, "c": 1.49618, "s": 1.49618}
    known = set(names)
    exec(code, names)
    return [value for name, value in names.items() if name not in known and name[0] != "_"][-1]


def refused(exercise, answer, *sentences):
    passed, message = exercise.verdict(answer)
    assert passed is False, message
    assert "could not be evaluated" not in message
    for sentence in sentences:
        assert sentence in message, message


@pytest.mark.parametrize("name", EXERCISES)
def test_the_code_of_the_solution_is_correct(name):
    (code,) = re.findall(r"```python\n(.*?)```", EXERCISES[name].explanation, re.DOTALL)
    passed, message = EXERCISES[name].verdict(run(code))
    assert passed is True, message


@pytest.mark.parametrize(
    ("name", "mistake"), [(name, mistake) for name, table in TABLES.items() for mistake in table]
)
def test_each_mistake_is_answered_by_its_own_sentence(name, mistake):
    refused(EXERCISES[name], EXERCISES[name].misconceptions[mistake], TABLES[name][mistake][1])


# --- other ways to be right ---------------------------------------------------------------------


def in_place(w, grad_log_p, eta):
    w += eta * grad_log_p
    return w


def down_the_loss(w, grad_log_p, eta):
    return w - eta * -grad_log_p


def three_positions(w):
    return (w[2] - w[1] ** 2 / w[0]) / (w[1] - w[0])


def four_positions(w):
    return -np.linalg.solve([[w[1], w[0]], [w[2], w[1]]], [w[2], w[3]])[1]


def rescaled_alpha(dw, V, S, t, alpha, beta_M=0.9, beta_R=0.999, eta=1e-8):
    V = beta_M * V + (1 - beta_M) * dw
    S = beta_R * S + (1 - beta_R) * dw**2
    alpha = alpha * np.sqrt(1 - beta_R**t) / (1 - beta_M**t)
    return alpha * V / (np.sqrt(S) + eta), V, S


def as_a_list(dw, V, S, t, alpha, **settings):
    return list(q4.answer(dw, V, S, t, alpha, **settings))


def schedule_in_place(epoch, alpha_0, decay_rate):
    epoch = np.asarray(epoch) * float(decay_rate)
    epoch += 1
    return (alpha_0 / epoch).tolist()


def swarm_in_place(v, x, own_best, best, r_own, r_best):
    return np.add(0.7298 * v, 1.49618 * (r_own * own_best + r_best * best - (r_own + r_best) * x))


RIGHT = {
    "q1 in place": (q1, in_place),
    "q1 down the loss": (q1, down_the_loss),
    "q2 other letters": (q2, {name: f" {word.upper()}" for name, word in q2.answer.items()}),
    "q2 other order": (q2, dict(reversed(q2.answer.items()))),
    "q3 three positions": (q3, three_positions),
    "q3 four positions": (q3, four_positions),
    "q3 an array": (q3, lambda w: np.array(three_positions(w))),
    "q4 rescaled alpha": (q4, rescaled_alpha),
    "q4 a list": (q4, as_a_list),
    "q5 in place, as a list": (q5, schedule_in_place),
    "q6 sorted otherwise": (q6, swarm_in_place),
    "q7 floats": (q7, {name: float(value) for name, value in q7.answer.items()}),
    "q7 arrays": (q7, {name: np.array(value) for name, value in q7.answer.items()}),
    "q7 counted": (
        q7,
        dict(zip(q7.answer, (b / a for a, b in optimizers._counted()), strict=True)),
    ),
}


@pytest.mark.parametrize(("exercise", "answer"), RIGHT.values(), ids=RIGHT)
def test_other_right_answers_pass(exercise, answer):
    passed, message = exercise.verdict(answer)
    assert passed is True, message


# --- nearly right -------------------------------------------------------------------------------


def peaks(w):
    """Read the shrinking of the swings off their peaks, as one would with a ruler."""
    size = np.abs(w)
    at = np.flatnonzero((size[1:-1] > size[:-2]) & (size[1:-1] >= size[2:])) + 1
    if len(at) < 2:
        return 0.5
    return np.exp(np.polyfit(at, np.log(size[at]), 1)[0])


def right_for(is_so, right, otherwise):
    return lambda *given, **settings: (right if is_so(*given) else otherwise)(*given, **settings)


def is_array(first, *_):
    return np.ndim(first) > 0


def is_integer(first, *_):
    return np.asarray(first).dtype.kind == "i"


def is_no_integer(first, *_):
    return not is_integer(first)


WRONG = {
    "q1 arrays only": (q1, right_for(is_array, q1.answer, lambda w, g, eta: w), "is right"),
    "q1 no integers": (q1, right_for(is_no_integer, q1.answer, lambda w, g, eta: w), "is right"),
    "q1 integers only": (q1, right_for(is_integer, q1.answer, lambda w, g, eta: w), "is right"),
    "q1 one number": (q1, lambda w, g, eta: np.sum(w + eta * g), "shape"),
    "q2 numbers": (q2, dict.fromkeys(q2.answer, 1.2), "Answer each of the six"),
    "q2 no dictionary": (q2, ["converges"] * 6, "Fill in the dictionary"),
    "q3 a constant": (q3, lambda w: 0.9, "you find 0.9"),
    "q3 from the peaks": (q3, lambda w: peaks(w) ** 2, "Nearly"),
    "q3 never creeping": (
        q3,
        right_for(lambda w: w.min() < 0 < w.max(), q3.answer, np.mean),
        "Right where w swings",
    ),
    "q3 two numbers": (q3, lambda w: w[:2], "shape"),
    "q4 two things": (q4, lambda *given, **s: q4.answer(*given, **s)[:2], "three things"),
    "q4 arrays only": (
        q4,
        right_for(is_array, q4.answer, lambda dw, V, S, t, alpha, **s: (dw, V, S)),
        "Step 1 of a run with {'beta_M': 0.8",
    ),
    "q4 no zeros": (
        q4,
        optimizers._rule(lambda V, S, t, M, R, eta: V / (1 - M**t) / np.sqrt(S / (1 - R**t))),
        "exactly 0",
    ),
    "q4 a state that grows": (
        q4,
        lambda dw, V, S, t, alpha, **s: (q4.answer(dw, V, S, t, alpha, **s)[0], V, S),
        "Step 2",
    ),
    "q4 late NaN": (
        q4,
        right_for(
            lambda dw, V, S, t, alpha: t < 5,
            q4.answer,
            lambda dw, V, S, *_, **s: (np.nan * dw, V, S),
        ),
        "In step 5",
    ),
    "q5 not at 0": (
        q5,
        lambda epoch, alpha_0, rate: np.where(
            np.asarray(epoch) == 0, 1.0, q5.answer(epoch, alpha_0, rate)
        ),
        "in epoch 0; 0.5 is right",
    ),
    "q5 not without decay": (
        q5,
        lambda epoch, alpha_0, rate: q5.answer(epoch, alpha_0, rate or 1),
        "in epoch 5; 2 is right",
    ),
    "q5 no integers": (q5, lambda epoch, alpha_0, rate: q5.answer(epoch, int(alpha_0), rate), ""),
    "q6 arrays only": (
        q6,
        right_for(is_array, q6.answer, lambda v, *_: v),
        "r_own = 0.3",
    ),
    "q6 first particle only": (q6, lambda *given: q6.answer(*given)[:1], "shape"),
    "q6 no integers": (q6, right_for(is_no_integer, q6.answer, lambda v, *_: 1.0 * v), "is right"),
    "q7 half as much": (q7, {n: v / 2 for n, v in q7.answer.items()}, ""),
    "q7 too coarse": (q7, {**q7.answer, "RMSProp, lambda / 10": 1.2}, "takes 72 steps before"),
    "q7 text": (q7, {**q7.answer, "RMSProp, lambda / 10": "same"}, "Numbers are expected"),
    "q7 not finite": (q7, {**q7.answer, "RMSProp, lambda / 10": np.inf}, "not finite"),
    "q7 negative": (q7, {n: -v for n, v in q7.answer.items()}, ""),
}


@pytest.mark.parametrize(("exercise", "answer", "sentence"), WRONG.values(), ids=WRONG)
def test_nearly_right_answers_do_not_pass(exercise, answer, sentence):
    refused(exercise, answer, sentence)


def test_the_shrinking_of_the_swings_measured_with_a_ruler_is_recognised():
    refused(q3, peaks, "Square it")


@pytest.mark.parametrize("name", ["q1", "q5", "q6"])
def test_an_answer_may_spoil_its_arguments(name):
    def spoiling(answer):
        def spoils(*given):
            found = answer(*[np.copy(part) for part in given])
            for part in given:
                if is_array(part):
                    part[...] = 7
            return found

        return spoils

    exercise, sentence = EXERCISES[name], TABLES[name]["as printed"][1]
    assert exercise.verdict(spoiling(exercise.answer))[0] is True
    refused(exercise, spoiling(exercise.misconceptions["as printed"]), sentence)


LIMITS = {  # what somebody takes for the largest alpha: of gradient descent, the slides', Keras's
    "1/L": (lambda b: 1 / 4,) * 3,
    "2/L for all": (lambda b: 2 / 4,) * 3,
    "all converge": (
        lambda b: 2 / 0.5,
        lambda b: 2 * (1 + b) / (1 - b) / 0.5,
        lambda b: 2 * (1 + b) / 0.5,
    ),
    "momentum never diverges": (lambda b: 2 / 4, lambda b: np.inf, lambda b: np.inf),
    "the slides' limit for Keras": (
        lambda b: 2 / 4,
        lambda b: 2 * (1 + b) / (1 - b) / 4,
        lambda b: 2 * (1 + b) / (1 - b) / 4,
    ),
    "Keras's limit for the slides": (
        lambda b: 2 / 4,
        lambda b: 2 * (1 + b) / 4,
        lambda b: 2 * (1 + b) / 4,
    ),
    "conventions exchanged": (
        lambda b: 2 / 4,
        lambda b: 2 * (1 + b) / 4,
        lambda b: 2 * (1 + b) / (1 - b) / 4,
    ),
}
CASES = [(0, 0.45, 0), (0, 0.55, 0), (1, 9, 0.9), (1, 1.6, 0.5), (2, 0.9, 0.9), (2, 1.0, 0.9)]


@pytest.mark.parametrize("mistake", LIMITS)
def test_a_mistaken_limit_gets_the_sentence_about_it(mistake):
    words = [
        "converges" if alpha < LIMITS[mistake][kind](beta) else "diverges"
        for kind, alpha, beta in CASES
    ]
    answer = dict(zip(q2.answer, words, strict=True))
    refused(q2, answer, optimizers._PATTERNS[mistake][1])


@pytest.mark.parametrize(
    ("row", "factor", "sentence"),
    [
        ("gradient descent, delta / 1000", 1000, "the steps go with a logarithm"),
        ("gradient descent, delta / 1000", 6.9, "not multiplied by it"),
        ("gradient descent, delta / 1000", 3, "powers of ten"),
        ("gradient descent, delta / 1000", 1, "δ does matter"),
        ("gradient descent, lambda / 10", 1, "λ does matter"),
        ("gradient descent, lambda / 10", 3.16, "A root"),
        ("gradient descent, lambda / 10", 0.1, "holds us longer"),
        ("gradient descent, alpha / 10", 0.1, "Smaller steps take longer"),
        ("RMSProp, delta / 1000", 2, "begins at δ or at δ/1000"),
        ("RMSProp, lambda / 10", 10, "RMSProp divides by √S"),
        ("RMSProp, alpha / 10", 1, "is* the size of its steps"),
    ],
)
def test_a_mistaken_factor_gets_the_sentence_about_it(row, factor, sentence):
    refused(q7, {**q7.answer, row: factor}, sentence)


def test_the_stub_of_the_repair_is_not_attempted_yet():
    """A rule of which only the marked line is left open."""
    assert q4.verdict(lambda dw, V, S, *_, **__: (..., V + dw, S + dw))[0] is None
    assert q4.verdict(lambda dw, *_, **__: (dw, ..., ...))[0] is None


# --- what the exercises say, tried out ----------------------------------------------------------


@pytest.mark.parametrize("name", q2.answer)
def test_the_predictions_come_true_in_keras(name):
    """The slides' momentum is Keras's with alpha (1 - beta)."""
    alpha, beta = optimizers._DESCENTS[name]
    optimizer = keras.optimizers.SGD(alpha * (1 - beta), momentum=beta)
    w = keras.Variable([1.0, 1.0], dtype="float64")
    for _ in range(200):
        optimizer.apply([keras.ops.multiply([0.5, 4.0], w)], [w])
    size = np.abs(keras.ops.convert_to_numpy(w)).max()
    assert size < 1e-3 if q2.answer[name] == "converges" else size > 1e3


def test_the_settings_are_those_of_the_names():
    for name, (alpha, beta) in optimizers._DESCENTS.items():
        given = [float(number) for number in re.findall(r"\d+\.?\d*", name)]
        if "Keras" in name:
            alpha *= 1 - beta
        np.testing.assert_allclose(given, [alpha, beta][: len(given)])


def test_the_limits_of_the_solution():
    """2 (1 + beta) / ((1 - beta) L): the error shrinks just below and grows just above."""
    for beta in (0.0, 0.5, 0.9):
        limit = 2 * (1 + beta) / ((1 - beta) * 4)
        assert optimizers._growth(0.999 * limit, beta) < 1 < optimizers._growth(1.001 * limit, beta)


def test_swings_shrink_by_the_root_of_beta():
    for run in optimizers._SWINGING[:3]:
        assert peaks(optimizers._positions(*run)) == pytest.approx(run[0] ** 0.5, abs=0.01)
    for run in optimizers._CREEPING:
        assert (np.abs(np.diff(np.sign(optimizers._positions(*run)))) == 0).all()


def test_the_repaired_rule_is_keras_adam():
    """To the tolerance of the exercise: where eta stands differs."""
    optimizer = keras.optimizers.Adam(0.01, 0.9, 0.999, epsilon=1e-8)
    w, mine, V, S = keras.Variable([1.0, -2.0], dtype="float64"), np.array([1.0, -2.0]), 0.0, 0.0
    gradients = np.random.default_rng(0).normal(size=(20, 2))
    for t, dw in enumerate(gradients, start=1):
        optimizer.apply([keras.ops.convert_to_tensor(dw)], [w])
        step, V, S = q4.answer(dw, V, S, t, 0.01)
        mine = mine - step
    np.testing.assert_allclose(keras.ops.convert_to_numpy(w), mine, atol=1e-5)


def test_the_misprinted_schedule_is_halved_within_an_epoch_whatever_the_rate():
    misprint = q5.misconceptions["as printed"]
    for decay_rate in (0.0, 0.01, 0.1):
        assert misprint(1, 1.0, decay_rate) / misprint(0, 1.0, decay_rate) < 0.53
        if decay_rate:
            assert q5.answer(1 / decay_rate, 1.0, decay_rate) == pytest.approx(0.5)
    assert misprint(3, 1.0, 1) == q5.answer(4, 1.0, 1)


def found(velocity, runs=100, particles=20, rounds=50):
    """Return the share of runs that find the lowest valley of a shifted Rastrigin function."""
    rng = np.random.default_rng(0)
    lowest = rng.uniform(-3, 3, (runs, 1, 2))
    x = rng.uniform(-5.12, 5.12, (runs, particles, 2))
    v, own_best, J = np.zeros_like(x), x, np.full((runs, particles), np.inf)
    for _ in range(rounds):
        now = (10 + (x - lowest) ** 2 - 10 * np.cos(2 * np.pi * (x - lowest))).sum(-1)
        own_best = np.where((now < J)[..., None], x, own_best)
        J = np.minimum(J, now)
        best = own_best[np.arange(runs), J.argmin(1)][:, None]
        v = velocity(v, x, own_best, best, *rng.random((2, *x.shape)))
        x = x + v
    return (J.min(1) < 0.5).mean()


def test_the_repaired_swarm_finds_and_the_printed_one_does_not():
    assert found(q6.answer) > 0.7
    assert found(q6.misconceptions["as printed"]) < 0.05
    assert found(q6.misconceptions["random numbers exchanged"]) > 0.7


def test_the_counted_steps_follow_theory():
    settings = [(1e-3, 0.01, 1.0), (1e-6, 0.01, 1.0), (1e-3, 0.001, 1.0), (1e-3, 0.01, 0.1)]
    counted = optimizers._counted()
    steps = [counted[0][0], *(after for _, after in counted[:3])]
    theory = [np.log(1 / delta) / np.log1p(alpha * curved) for delta, curved, alpha in settings]
    np.testing.assert_array_equal(steps, np.ceil(theory))
    assert [before for before, _ in counted] == [steps[0]] * 3 + [counted[3][0]] * 3
    for (_, after), alpha in zip(counted[3:], (0.01, 0.01, 0.001), strict=True):
        assert 0.6 < after * alpha < 1
