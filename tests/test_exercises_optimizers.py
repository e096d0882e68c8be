"""Exercises of `optimizers`: nothing but right answers pass, and the answers hold when tried out.

What every exercise has to keep is in test_exercises.py.
"""

import re

import keras
import numpy as np
import pytest

from course_utils.exercises import optimizers
from course_utils.exercises.optimizers import q1, q2, q3, q4, q5, q6, q7
from exercise_answers import code_is_correct, refused

EXERCISES = {f"q{n}": exercise for n, exercise in enumerate((q1, q2, q3, q4, q5, q6, q7), start=1)}
SENTENCES = {
    "q1": optimizers._ASCENTS_SAID,
    "q2": optimizers._PATTERNS,
    "q3": optimizers._READINGS_SAID,
    "q4": optimizers._REPAIRS_SAID,
    "q5": optimizers._SCHEDULES_SAID,
    "q6": optimizers._SWARMS_SAID,
    "q7": {f"{row}: {factor}": said for (row, factor), said in optimizers._GROWTHS.items()},
}


@pytest.mark.parametrize("name", EXERCISES)
def test_the_code_of_the_solution_is_correct(name):
    code_is_correct(EXERCISES[name], omega=0.7298, c=1.49618, s=1.49618)


@pytest.mark.parametrize("name", EXERCISES)
def test_each_mistake_is_answered_by_its_own_sentence(name):
    for mistake, sentence in SENTENCES[name].items():
        refused(EXERCISES[name], EXERCISES[name].misconceptions[mistake], sentence)


# --- other ways to be right ---------------------------------------------------------------------


def in_place(w, grad_log_p, eta):
    w += eta * grad_log_p
    return w


def three_positions(w):
    return np.array((w[2] - w[1] ** 2 / w[0]) / (w[1] - w[0]))


def rescaled_alpha(dw, V, S, t, alpha, beta_M=0.9, beta_R=0.999, eta=1e-8):
    V = beta_M * V + (1 - beta_M) * dw
    S = beta_R * S + (1 - beta_R) * dw**2
    alpha = alpha * np.sqrt(1 - beta_R**t) / (1 - beta_M**t)
    return [alpha * V / (np.sqrt(S) + eta), V, S]


def as_a_list(epoch, alpha_0, decay_rate):
    epoch = np.asarray(epoch) * float(decay_rate)
    epoch += 1
    return (alpha_0 / epoch).tolist()


def in_other_order(v, x, own_best, best, r_own, r_best):
    return np.add(0.7298 * v, 1.49618 * (r_own * own_best + r_best * best - (r_own + r_best) * x))


COUNTED = (after / before for before, after in optimizers._COUNTED)
RIGHT = {
    "q1": (q1, in_place),
    "q2": (q2, {name: f" {word.upper()}" for name, word in reversed(q2.answer.items())}),
    "q3": (q3, three_positions),
    "q4": (q4, rescaled_alpha),
    "q5": (q5, as_a_list),
    "q6": (q6, in_other_order),
    "q7 counted": (q7, dict(zip(q7.answer, COUNTED, strict=True))),
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


def is_no_integer(first, *_):
    return np.asarray(first).dtype.kind != "i"


def not_at_zero(epoch, alpha_0, decay_rate):
    return np.where(np.asarray(epoch) == 0, 1.0, q5.answer(epoch, alpha_0, decay_rate))


def first_right(dw, V, S, t, alpha, **settings):
    return q4.answer(dw, V, S, t, alpha, **settings)[0], V, S


def not_a_number_after_four(dw, V, S, t, alpha, **settings):
    return np.nan * dw if t > 4 else q4.answer(dw, V, S, t, alpha, **settings)[0], V, S


WRONG = {
    "q1 arrays only": (q1, right_for(is_array, q1.answer, lambda w, g, eta: w), "From w = 0.5"),
    "q1 no integers": (q1, right_for(is_no_integer, q1.answer, lambda w, *_: w), "-5 is right"),
    "q1 one number": (q1, lambda w, g, eta: np.sum(w + eta * g), "shape"),
    "q2 numbers": (q2, dict.fromkeys(q2.answer, 1.2), "Answer each of the six"),
    "q2 a name missing": (q2, {"gradient descent, alpha=0.45": "converges"}, "Fill in"),
    "q2 one wrong": (
        q2,
        {**q2.answer, "Keras SGD(0.9, momentum=0.9)": "diverges"},
        "limit is 0.95",
    ),
    "q3 from the peaks": (q3, lambda w: peaks(w) ** 2, "it can be exact"),
    "q3 the swings with a ruler": (q3, peaks, "Square it"),
    "q3 two numbers": (q3, lambda w: w[:2], "shape"),
    "q4 arrays only": (
        q4,
        right_for(is_array, q4.answer, lambda dw, V, S, t, alpha, **_: (dw, V, S)),
        "With beta_M = 0.8",
    ),
    "q4 nothing remembered": (q4, first_right, "With beta_M = 0.9"),
    "q4 late NaN": (q4, not_a_number_after_four, "In step 5"),
    "q5 not at 0": (q5, not_at_zero, "in epoch 0; 0.5 is right"),
    "q5 not without decay": (
        q5,
        lambda n, alpha, rate: q5.answer(n, alpha, rate or 1),
        "2 is right",
    ),
    "q6 arrays only": (q6, right_for(is_array, q6.answer, lambda v, *_: v), "r_own = 0.3"),
    "q6 no integers": (q6, right_for(is_no_integer, q6.answer, lambda v, *_: 1.0 * v), "is right"),
    "q7 too coarse": (q7, {**q7.answer, "RMSProp, lambda / 10": 1.2}, "takes 72 steps before"),
    "q7 too few": (q7, {**q7.answer, "RMSProp, alpha / 10": 8.9}, "'RMSProp, alpha / 10' you give"),
    "q7 text": (q7, {**q7.answer, "RMSProp, lambda / 10": "same"}, "Numbers are expected"),
    "q7 a name missing": (q7, {"gradient descent, delta / 1000": 2}, "Fill in"),
}


@pytest.mark.parametrize(("exercise", "answer", "sentence"), WRONG.values(), ids=WRONG)
def test_nearly_right_answers_do_not_pass(exercise, answer, sentence):
    refused(exercise, answer, sentence)


def test_the_first_wrong_number_is_shown_with_its_arguments():
    def last_wrong(w, g, eta):
        w = w + eta * g
        if is_array(w):
            w.flat[-1] = 7
        return w

    w, g = np.random.default_rng(1).normal(size=(2, 2, 3))[:, -1, -1]
    refused(q1, last_wrong, f"From w = {w:.4g} with the gradient {g:.4g}", "you go to 7;")


@pytest.mark.parametrize("name", ["q1", "q6"])
def test_an_answer_may_spoil_its_arguments(name):
    def spoiling(answer):
        def spoils(*given):
            found = answer(*[np.copy(part) for part in given])
            for part in filter(is_array, given):
                part[...] = 7
            return found

        return spoils

    exercise, sentence = EXERCISES[name], SENTENCES[name]["as printed"]
    assert exercise.verdict(spoiling(exercise.answer))[0] is True
    refused(exercise, spoiling(exercise.misconceptions["as printed"]), sentence)


def test_a_rule_with_one_line_left_open_is_not_attempted_yet():
    assert q4.verdict(lambda dw, V, S, *_, **__: (..., V + dw, S + dw))[0] is None
    assert q4.verdict(lambda dw, *_, **__: (dw, ..., ...))[0] is None


# --- what the exercises say, tried out ----------------------------------------------------------


def keras_sgd(name, scale=1.0):
    """Return how far from 0 Keras's descent of that name ends, its rate times a scale."""
    numbers = [float(number) for number in re.findall(r"\d+\.?\d*", name)]
    rate, beta = (*numbers, 0.0)[:2]
    rate *= 1 - beta if name.startswith("momentum") else 1
    optimizer = keras.optimizers.SGD(scale * rate, momentum=beta)
    w = keras.Variable([1.0, 1.0], dtype="float64")
    for _ in range(200):
        optimizer.apply([keras.ops.multiply([0.5, 4.0], w)], [w])
    return np.abs(keras.ops.convert_to_numpy(w)).max()


@pytest.mark.parametrize("name", q2.answer)
def test_the_predictions_come_true_in_keras(name):
    """The slides' momentum is Keras's with alpha (1 - beta)."""
    size = keras_sgd(name)
    assert size < 1e-3 if q2.answer[name] == "converges" else size > 1e3
    rate, limit = optimizers._RATES[name]
    assert f"{rate:g}" in name.replace("1.0", "1")
    assert keras_sgd(name, 0.97 * limit / rate) < 0.1 < 10 < keras_sgd(name, 1.03 * limit / rate)


def slides(beta):
    return 2 * (1 + beta) / (1 - beta) / 4


@pytest.mark.parametrize(
    ("pattern", "descent", "momentum", "sgd"),  # the limits that somebody believes in
    [
        ("cdcdcd", 0.5, slides, lambda beta: slides(beta) * (1 - beta)),
        ("dddddd", 0.25, lambda beta: 0.25, lambda beta: 0.25),
        ("cddddd", 0.5, lambda beta: 0.5, lambda beta: 0.5),
        ("cdcccc", 0.5, lambda beta: np.inf, lambda beta: np.inf),
        ("cdcdcc", 0.5, slides, slides),
        ("cdddcd", 0.5, lambda beta: slides(beta) * (1 - beta), lambda beta: 0.95),
    ],
)
def test_a_mistaken_limit_gives_the_pattern_that_has_a_sentence(pattern, descent, momentum, sgd):
    limits = [descent, descent, momentum(0.9), momentum(0.5), sgd(0.9), sgd(0.9)]
    rates = [0.45, 0.55, 9, 1.6, 0.9, 1.0]
    assert "".join("cd"[r > limit] for r, limit in zip(rates, limits, strict=True)) == pattern
    assert pattern in optimizers._PATTERNS or pattern == "cdcdcd"


def test_swings_shrink_by_the_root_of_beta():
    for beta, *others in optimizers._SWINGING[:3]:
        w = optimizers._positions(beta, *others)
        assert peaks(w) == pytest.approx(beta**0.5, abs=0.01)
        assert q3.answer(w) == pytest.approx(beta)
    for run in optimizers._CREEPING:
        assert len(set(np.sign(optimizers._positions(*run)))) == 1


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


@pytest.mark.parametrize(("mistake", "size"), [("none", 3.16), ("V only", 31.6), ("S only", 0.1)])
def test_the_first_steps_are_as_large_as_the_sentences_say(mistake, size):
    assert f"{size} α" in SENTENCES["q4"][mistake]
    assert q4.misconceptions[mistake](5.0, 0.0, 0.0, 1, 1.0)[0] == pytest.approx(size, rel=2e-3)


def test_the_misprinted_schedule_is_halved_within_an_epoch_whatever_the_rate():
    misprint = q5.misconceptions["as printed"]
    for decay_rate in (0.01, 0.1):
        assert misprint(1, 1.0, decay_rate) / misprint(0, 1.0, decay_rate) < 0.53
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


def test_the_counted_steps_follow_theory():
    settings = [(1e-3, 0.01, 1.0), (1e-6, 0.01, 1.0), (1e-3, 0.001, 1.0), (1e-3, 0.01, 0.1)]
    counted = optimizers._COUNTED
    steps = [counted[0][0], *(after for _, after in counted[:3])]
    theory = [np.log(1 / delta) / np.log1p(alpha * curved) for delta, curved, alpha in settings]
    np.testing.assert_array_equal(steps, np.ceil(theory))
    assert [before for before, _ in counted] == [steps[0]] * 3 + [counted[3][0]] * 3
    for (_, after), alpha in zip(counted[3:], (0.01, 0.01, 0.001), strict=True):
        assert 0.6 < after * alpha < 1
