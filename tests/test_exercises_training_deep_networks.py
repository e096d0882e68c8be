"""Exercises of `training_deep_networks`: nothing but right answers pass, and what they say holds.

What every exercise has to keep is in test_exercises.py.
"""

import re
from itertools import product

import keras
import numpy as np
import pytest
import tensorflow as tf

from course_utils.exercises import training_deep_networks as lesson
from course_utils.exercises.training_deep_networks import q1, q2, q3, q4, q5, q6, q7
from exercise_answers import code_is_correct, refused

EXERCISES = {f"q{n}": one for n, one in enumerate((q1, q2, q3, q4, q5, q6, q7), start=1)}
SENTENCES = {
    "q1": lesson._sentences(lesson._PENALTIES),
    "q2": lesson._sentences(lesson._SHRUNK),
    "q3": {
        **lesson._sentences(lesson._DROPPED),
        "other way round": "you *keep* the share `rate`",
        "luck of its own": "the random numbers are u",
    },
    "q4": {
        "as written": "the same X gets another answer at every call",
        "Monte Carlo": "*Monte Carlo dropout*",
        "scaled once more": "your probabilities add up to 0.5.",
        "classes": "One number for each example?",
        "no mode": "which mode you mean",
        "never called": "never called the network",
        "something else": "as it is",
    },
    "q7": lesson._WHY,
    "q5": lesson._sentences(lesson._STARTS),
    "q6": lesson._sentences(lesson._REACHES),
}


@pytest.mark.parametrize("name", EXERCISES)
def test_the_code_of_the_solution_is_correct(name):
    code_is_correct(EXERCISES[name])


@pytest.mark.parametrize("name", EXERCISES)
def test_each_mistake_is_answered_by_its_own_sentence(name):
    for mistake, sentence in SENTENCES[name].items():
        refused(EXERCISES[name], EXERCISES[name].misconceptions[mistake], sentence)


# --- other ways to be right ---------------------------------------------------------------------


def in_place(w, alpha, lam):
    w = np.array(w, dtype=float)
    small = abs(w) <= alpha * lam
    w -= alpha * lam * np.sign(w)
    w[small] = 0
    return w


def by_masks(w, alpha, lam):
    t, out = alpha * lam, w.copy()
    out[abs(w) <= t] = 0
    out[w > t] -= t
    out[w < -t] += t
    return out


def one_by_one(network, X):
    return np.stack([network(x, training=False) for x in X.T], axis=1)


def tries_both(network, X):
    network(X, training=True)
    return tf.constant(network(X, False))


def by_powers(sd, n, m, factor):
    return np.log10(1 / factor) / np.log10(np.sqrt(n * m) * sd)


RIGHT = {
    "q1 step by step": (q1, lambda tau, N: np.float32(2 * (1 / (2 * tau * tau)) / N)),
    "q2 clipped": (q2, lambda w, alpha, lam: w - np.clip(w, -alpha * lam, alpha * lam)),
    "q2 in place": (q2, in_place),
    "q2 by masks": (q2, by_masks),
    "q2 TensorFlow": (
        q2,
        lambda w, alpha, lam: tf.sign(w) * tf.nn.relu(tf.abs(w) - np.float64(alpha * lam)),
    ),
    "q3 kept from below": (q3, lambda a, u, rate: np.where(u < 1 - rate, a / (1 - rate), 0)),
    "q3 in 32 bits": (q3, lambda a, u, rate: (a * (u > rate) / (1 - rate)).astype("float32")),
    "q4 example by example": (q4, one_by_one),
    "q4 tries both": (q4, tries_both),
    "q4 mean of the same": (q4, lambda net, X: np.mean([net(X, False)] * 3, axis=0)),
    "q7 NumPy's": (q7, {k: np.bool_(v) for k, v in reversed(q7.answer.items())}),
    "q5 gain first": (q5, lambda i, _, s: (2 / (1 + s**2)) ** 0.5 / i**0.5),
    "q6 by powers": (q6, by_powers),
}


@pytest.mark.parametrize(("exercise", "answer"), RIGHT.values(), ids=RIGHT)
def test_other_right_answers_pass(exercise, answer):
    passed, message = exercise.verdict(answer)
    assert passed is True, message


# --- nearly right -------------------------------------------------------------------------------


def right_for(is_so, right, otherwise):
    return lambda *given: (right if is_so(*given) else otherwise)(*given)


def often(network, X):
    return np.mean([network(X, training=True) for _ in range(20_000)], axis=0)


DROPPED = lesson._functions(lesson._DROPPED)
WRONG = {
    "q1 root": (
        q1,
        lambda tau, N: 1 / (np.sqrt(N) * tau),
        "For tau = 0.5 and N = 10",
        "0.4 is right",
    ),
    "q1 narrow only": (
        q1,
        right_for(lambda tau, N: tau < 1, q1.answer, lambda tau, N: 1 / N),
        "For tau = 2.0 and N = 3",
    ),
    "q2 sign lost": (
        q2,
        lambda *given: np.abs(q2.answer(*given)),
        "For w = -1.2, alpha = 0.5 and lam = 0.8 you return 0.8; -0.8 is right",
    ),
    "q2 by a mask": (q2, lambda w, alpha, lam: w * (np.abs(w) > alpha * lam), "hard"),
    "q2 a list of one": (q2, lambda *given: [q2.answer(*given)], "shape"),
    "q3 by the column's share": (
        q3,
        lambda a, u, rate: a * (u >= rate) / np.mean(u >= rate, axis=0),
        "For a = ",
        "is right",
    ),
    "q3 kept from below, no scaling": (
        q3,
        lambda a, u, rate: a * (u < 1 - rate),
        lesson._DROPPED["no scaling"][1],
    ),
    "q3 kept from below, one mask": (
        q3,
        lambda a, u, rate: a * (u[:, :1] < 1 - rate) / (1 - rate),
        "is right",
    ),
    "q3 other way round, unscaled": (q3, lambda a, u, rate: a * (u < rate), "*keep* the share"),
    "q3 other way round, from above": (
        q3,
        lambda a, u, rate: a * (u >= 1 - rate) / rate,
        "*keep* the share",
    ),
    "q3 nothing at rate 0": (
        q3,
        right_for(lambda a, u, rate: rate > 0, q3.answer, lambda a, u, rate: 0 * a),
        "Rate 0 switches nothing off",
    ),
    "q3 a fixed rate": (q3, lambda a, u, rate: q3.answer(a, u, 0.3), "rate = 0.55"),
    "q3 units lost": (q3, lambda a, u, rate: a[u >= rate] / (1 - rate), "shape"),
    "q4 twice": (q4, lambda net, X: (net(X, True) + net(X, True)) / 2, "*Monte Carlo dropout*"),
    "q4 often": (q4, often, "*Monte Carlo dropout*"),
    "q4 example by example": (
        q4,
        lambda network, X: np.stack([network(x, training=True) for x in X.T], axis=1),
        "Dropout is still on",
    ),
    "q4 halved": (q4, lambda net, X: net(X, True) / 2, "Dropout is still on"),
    "q4 rows": (q4, lambda net, X: net(X, False).T, "The shape is (6, 4)"),
    "q7 a letter missing": (q7, {"a": False}, "Fill in", "'b' is missing"),
    "q7 numbers": (q7, {**q7.answer, "e": 0}, "(e) with True or False"),
    "q5 both directions": (
        q5,
        lambda i, o, s: np.sqrt(4 / ((1 + s**2) * (i + o))),
        "For n_in = 8, n_out = 3 and slope = 0.1",
    ),
    "q5 small slopes only": (q5, lambda i, o, s: np.sqrt((2 - 2 * s**2) / i), "slope = 1.0"),
    "q6 one more": (q6, lambda *given: q6.answer(*given) + 1, "For sd = 0.1, n = 100"),
    "q6 whole": (q6, lambda *given: round(q6.answer(*given)), "layers; "),
}


@pytest.mark.parametrize(
    ("exercise", "answer", "sentences"),
    [(exercise, answer, sentences) for exercise, answer, *sentences in WRONG.values()],
    ids=WRONG,
)
def test_nearly_right_answers_do_not_pass(exercise, answer, sentences):
    refused(exercise, answer, *sentences)


TOLD = {  # mistakes as a student would write them, without the functions of the lesson's module
    "N forgotten": (q1, lambda tau, N: tau**-2, lesson._PENALTIES),
    "half": (q1, lambda tau, N: 0.5 / N / tau**2, lesson._PENALTIES),
    "Laplace": (q1, lambda tau, N: 1 / tau / N, lesson._PENALTIES),
    "upside down": (q1, lambda tau, N: tau * tau / N, lesson._PENALTIES),
    "crosses zero": (
        q2,
        lambda w, alpha, lam: np.where(w > 0, w - alpha * lam, np.where(w < 0, w + alpha * lam, 0)),
        lesson._SHRUNK,
    ),
    "alpha forgotten": (q2, lambda w, alpha, lam: w - np.clip(w, -lam, lam), lesson._SHRUNK),
    "ridge": (q2, lambda w, alpha, lam: w / alpha / (1 / alpha + lam), lesson._SHRUNK),
    "negative killed": (q2, lambda w, alpha, lam: tf.nn.relu(w - alpha * lam), lesson._SHRUNK),
    "scaled down": (q3, lambda a, u, rate: np.where(u < rate, 0, a - rate * a), lesson._DROPPED),
    "share": (
        q3,
        lambda a, u, rate: np.where(u < rate, 0, a) / (u >= rate).mean(),
        lesson._DROPPED,
    ),
    "as written": (q5, lambda i, o, s: (2 / i) ** 0.5, lesson._STARTS),
    "variance": (q5, lambda i, o, s: 1 / i / ((1 + s * s) / 2), lesson._STARTS),
    "n_out": (q5, lambda i, o, s: (2 / o / (1 + s * s)) ** 0.5, lesson._STARTS),
    "both": (q5, lambda i, o, s: 2**0.5 / (i + o) ** 0.5, lesson._STARTS),
    "squared": (q6, lambda sd, n, m, f: np.log(1 / f) / np.log(n * sd * sd * m), lesson._REACHES),
    "mixed logarithms": (
        q6,
        lambda sd, n, m, f: np.log10(f) / np.log(1 / (n * sd**2 * m) ** 0.5),
        lesson._REACHES,
    ),
    "n forgotten": (q6, lambda sd, n, m, f: -np.log(f) / np.log(sd * m**0.5), lesson._REACHES),
    "sd not squared": (
        q6,
        lambda sd, n, m, f: -2 * np.log(f) / np.log(n * sd * m),
        lesson._REACHES,
    ),
}


@pytest.mark.parametrize(("name", "told"), TOLD.items(), ids=TOLD)
def test_mistakes_written_another_way_are_recognised(name, told):
    exercise, answer, mistakes = told
    refused(exercise, answer, mistakes[name][1])


def test_of_all_verdicts_one_passes_and_each_other_is_told_its_first_mistake_alone():
    assert [letter for letter, true in q7.answer.items() if true] == ["d", "f"]
    for given in product([True, False], repeat=6):
        wrong = [c for c, value in zip(q7.answer, given, strict=True) if value != q7.answer[c]]
        passed, message = q7.verdict(dict(zip(q7.answer, given, strict=True)))
        assert passed is (not wrong)
        if wrong:
            assert f"about ({wrong[0]}). {lesson._WHY[wrong[0]]}" in message
            assert re.findall(r"\((\w)\)", message) == wrong[:1]


# --- what the exercises say, tried out ----------------------------------------------------------


def test_the_penalty_is_the_normal_prior():
    """Linear regression with noise of 1: the MAP estimate in closed form is where J is flat."""
    rng = np.random.default_rng(0)
    N, tau = 30, 0.4
    X, y = rng.normal(size=(N, 3)), rng.normal(size=N)
    w = np.linalg.solve(X.T @ X + np.eye(3) / tau**2, X.T @ y)
    gradient = X.T @ (X @ w - y) / N + q1.answer(tau, N) * w
    np.testing.assert_allclose(gradient, 0, atol=1e-12)


def test_keras_adds_twice_as_much():
    w = np.array([1.0, -2.0], "float32")
    np.testing.assert_allclose(keras.regularizers.L2(0.3)(w), 0.3 * (w**2).sum(), rtol=1e-6)


def test_the_shrunk_weight_is_the_best_on_a_grid():
    v = np.linspace(-3, 3, 60_001)
    for w in (-2.0, -0.3, 0.0, 0.25, 1.7):
        best = v[np.argmin((v - w) ** 2 / (2 * 0.5) + 0.8 * np.abs(v))]
        np.testing.assert_allclose(q2.answer(w, 0.5, 0.8), best, atol=2e-4)


def test_only_the_shrinking_step_arrives_at_zero_and_where_the_sentence_says():
    """The loss is (w - c)^2 / 2: it pulls at w = 0 with |c|, here less or more than 0.5."""
    c, alpha, lam = np.array([0.3, -0.4, 1.2, -2.0]), 0.1, 0.5
    shrunk = crossing = np.ones(4)
    for _ in range(500):
        shrunk = q2.answer(shrunk - alpha * (shrunk - c), alpha, lam)
        crossing = q2.misconceptions["crosses zero"](crossing - alpha * (crossing - c), alpha, lam)
    np.testing.assert_array_equal(shrunk == 0, np.abs(c) < lam)
    assert (crossing != 0).all()


def test_adam_alone_leaves_no_weight_at_zero():
    w = keras.Variable(np.ones(4), dtype="float32")
    adam = keras.optimizers.Adam(0.01)
    for _ in range(500):
        with tf.GradientTape() as tape:
            J = tf.reduce_sum((w - [0.3, -0.4, 1.2, -2.0]) ** 2 / 2 + 0.5 * tf.abs(w))
        adam.apply(tape.gradient(J, [w.value]), [w])
    assert (np.abs(w.numpy()[:2]) < 0.05).all() and (w.numpy() != 0).all()


def test_dropout_keeps_the_mean_and_is_that_of_keras():
    a = np.array([[1.0], [-2.0], [0.5]])
    u = np.random.default_rng(1).random((3, 100_000))
    np.testing.assert_allclose(q3.answer(a, u, 0.4).mean(1), a[:, 0], atol=0.02)
    lost = DROPPED["no scaling"](a, u, 0.4).mean(1)
    np.testing.assert_allclose(lost, 0.6 * a[:, 0], atol=0.02)
    of_keras = np.unique(keras.layers.Dropout(0.4, seed=1)(np.ones((50, 50)), training=True))
    np.testing.assert_allclose(np.unique(q3.answer(np.ones(u.shape), u, 0.4)), of_keras, rtol=1e-6)


def test_the_network_of_the_exercise_is_random_in_training_only():
    network, X = lesson._Network(), np.random.default_rng(2).normal(size=(3, 5))
    np.testing.assert_array_equal(network(X, training=False), network(X, training=False))
    assert np.abs(network(X, training=True) - network(X, training=True)).max() > 0.05
    np.testing.assert_allclose(network(X, training=True).sum(0), 1)


def linear_unit():
    rng = np.random.default_rng(3)
    return rng.normal(size=(40, 3)) * [1, 2, 0.5], rng.normal(size=40), rng.normal(size=3), 0.2


def test_dropout_on_a_linear_unit_is_a_penalty_weighted_by_the_second_moments():
    x, y, w, rate = linear_unit()
    cost = 0
    for mask in product([0, 1], repeat=3):
        probability = np.prod([1 - rate if kept else rate for kept in mask])
        cost += probability * np.mean((y - (x * mask / (1 - rate)) @ w) ** 2)
    penalty = rate / (1 - rate) * (w**2 * (x**2).mean(0)).sum()
    np.testing.assert_allclose(cost, np.mean((y - x @ w) ** 2) + penalty, rtol=1e-12)


def test_skipped_updates_are_gradient_descent_with_a_smaller_step():
    x, y, w, rate = linear_unit()
    gradient, mean = 2 * x.T @ (x @ w - y) / len(y), 0
    for mask in product([0, 1], repeat=3):
        probability = np.prod([1 - rate if kept else rate for kept in mask])
        mean += probability * gradient * mask
    np.testing.assert_allclose(mean, (1 - rate) * gradient, rtol=1e-12)


def growth(start, slope, width=400, depth=40):
    """Return the factor of the mean square of z per layer, measured."""
    rng = np.random.default_rng(4)
    z = rng.normal(size=(width, 200))
    for _ in range(depth):
        a = np.where(z > 0, z, slope * z)
        z = rng.normal(0, start(width, width, slope), (width, width)) @ a
    return np.mean(z**2) ** (1 / depth)


def test_the_start_keeps_the_mean_square_and_the_one_as_written_explodes():
    for slope in (0.0, 0.5, 1.0):
        np.testing.assert_allclose(growth(q5.answer, slope), 1, rtol=0.03)
    written = q5.misconceptions["as written"]
    np.testing.assert_allclose(growth(written, 0.5), 1 + 0.5**2, rtol=0.03)


def test_the_gradient_has_fallen_by_the_factor_after_so_many_layers():
    rng = np.random.default_rng(5)
    n, sd, slope = 300, 0.05, 0.5  # the slope of a leaky ReLU is 1 or 0.5, by the sign of z
    mean_square = (1 + slope**2) / 2
    depth, gradient = 30, rng.normal(size=(n, 100))
    before = np.sqrt(np.mean(gradient**2))
    for _ in range(depth):
        W, slopes = rng.normal(0, sd, (n, n)), np.where(rng.random((n, 100)) < 0.5, 1, slope)
        gradient = W.T @ (slopes * gradient)
    factor = before / np.sqrt(np.mean(gradient**2))
    np.testing.assert_allclose(q6.answer(sd, n, mean_square, factor), depth, rtol=0.03)


def test_a_sigmoid_loses_a_factor_of_a_thousand_within_five_layers():
    z = np.linspace(-9, 9, 1_001)
    slope = tf.sigmoid(z) * (1 - tf.sigmoid(z))
    assert np.max(slope) == 0.25
    for n in (10, 1_000):
        assert 4.9 < q6.answer(n**-0.5, n, 0.25**2, 1_000) < 5


def test_copies_of_one_picture_leave_batch_normalisation_its_beta():
    layer = keras.layers.BatchNormalization(beta_initializer="random_normal")
    z = np.repeat(np.random.default_rng(1).normal(size=(1, 4)), 10, axis=0)
    out = layer(z, training=True).numpy()
    np.testing.assert_allclose(out, np.repeat(layer.beta.numpy()[None], 10, axis=0), atol=1e-5)


def test_twice_the_examples_and_the_same_penalty_stand_for_a_narrower_prior():
    assert q1.answer(0.3, 50) == pytest.approx(q1.answer(0.3 / np.sqrt(2), 100))
