"""Answers to the exercises of `training_deep_networks`; test_exercises.py holds them.

RIGHT are right in other clothes; WRONG pass a case or look right, each with a part of what it is
told.
"""

import math
from itertools import product

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import optimize, stats

from course_utils.exercises import training_deep_networks as lesson
from course_utils.exercises.training_deep_networks import q1, q2, q3, q4, q5, q6, q7

# --- right --------------------------------------------------------------------------------------


def by_curvature(tau, N):
    """Of -log p: its second difference."""
    left, here, right = stats.norm(0, tau).logpdf(np.array([-0.1, 0, 0.1]) * tau)
    return (2 * here - left - right) / (0.1 * tau) ** 2 / N


def in_place(w, alpha, lam):
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


def in_loops(w, alpha, lam):
    if np.ndim(w):
        return [in_loops(part, alpha, lam) for part in w]
    return math.copysign(max(abs(w) - alpha * lam, 0), w)


def unit_by_unit(a, u, rate):
    out = np.zeros_like(a)
    for i in range(len(a)):
        for j in range(len(a[i])):
            if u[i, j] >= rate:
                out[i, j] = a[i, j] / (1 - rate)
    return out


def dropped_in_place(a, u, rate):
    a[u < rate] = 0
    a /= 1 - rate
    return a


def one_by_one(network, X):
    return np.stack([network(x, training=False) for x in X.T], axis=1)


def tries_both(network, X):
    network(X, training=True)
    return tf.constant(network(X, False))


def simulated_sd(n_in, n_out, slope, rng=None):
    """From the mean square behind the activation, for z of variance 1."""
    z = (rng or np.random.default_rng(0)).normal(size=20_000)
    a = np.where(z > 0, z, slope * z)
    return 1 / np.sqrt(n_in * np.mean(a**2))


def found_by_search(sd, n, m, factor):
    return optimize.brentq(lambda L: math.sqrt(n * sd * sd * m) ** L * factor - 1, -1, 99)


RIGHT = {
    "q1": {
        "step by step": lambda tau, N: np.float32(2 * (1 / (2 * tau * tau)) / N),
        "Python": lambda tau, N: tau**-2 / N,
        "by curvature": by_curvature,
        "tensor": lambda tau, N: tf.math.reciprocal(tf.constant(N * tau**2, tf.float64)),
    },
    "q2": {
        "clipped": lambda w, alpha, lam: w - np.clip(w, -alpha * lam, alpha * lam),
        "in place": in_place,
        "by masks": by_masks,
        "in loops": in_loops,
        "where": lambda w, alpha, lam: np.where(
            w > alpha * lam, w - alpha * lam, np.where(w < -alpha * lam, w + alpha * lam, 0)
        ),
        "two halves": lambda w, alpha, lam: (
            np.maximum(w - alpha * lam, 0) + np.minimum(w + alpha * lam, 0)
        ),
        "a factor": lambda w, alpha, lam: (
            w * np.maximum(1 - alpha * lam / np.maximum(np.abs(w), 1e-12), 0)
        ),
        "TensorFlow": lambda w, alpha, lam: (
            tf.sign(w) * tf.nn.relu(tf.abs(w) - np.float64(alpha * lam))
        ),
    },
    "q3": {
        "where": lambda a, u, rate: np.where(u < rate, 0, a / (1 - rate)),
        "in place": dropped_in_place,
        "unit by unit": unit_by_unit,
        "in 32 bits": lambda a, u, rate: (a * (u > rate) / (1 - rate)).astype("float32"),
        "TensorFlow": lambda a, u, rate: tf.where(u >= rate, a / (1 - rate), 0.0),
    },
    "q4": {
        "example by example": one_by_one,
        "tries both": tries_both,
        "mean of the same": lambda net, X: np.mean([net(X, False)] * 3, axis=0),
        "by place": lambda network, X: network(X, False),
        "as a tensor": lambda network, X: network(tf.constant(X), training=0),
    },
    "q5": {
        "gain first": lambda i, _, s: (2 / (1 + s**2)) ** 0.5 / i**0.5,
        "mean square": lambda i, o, s: math.sqrt(1 / (i * (0.5 + s * s / 2))),
        "TensorFlow": lambda i, o, s: tf.sqrt(2.0 / ((1 + s**2) * i)),
        "simulated": simulated_sd,
    },
    "q6": {
        "powers": lambda sd, n, m, f: np.log10(1 / f) / np.log10(np.sqrt(n * m) * sd),
        "math": lambda sd, n, m, f: math.log(f) / -math.log(sd * math.sqrt(n * m)),
        "to another base": lambda sd, n, m, f: math.log(1 / f**2, n * sd**2 * m),
        "searched": found_by_search,
    },
    "q7": {
        "words": dict(a="false", b="False", c="false.", d="true", e="FALSE", f="True"),
        "numbers": {letter: int(true) for letter, true in q7.answer.items()},
        "another order": {k: np.bool_(v) for k, v in reversed(q7.answer.items())},
        "tensors": {letter: tf.constant(true) for letter, true in q7.answer.items()},
    },
}


# --- wrong --------------------------------------------------------------------------------------


LUCK = np.random.default_rng(11)


def right_for(is_so, right, otherwise):
    return lambda *given: (right if is_so(*given) else otherwise)(*given)


def often(network, X):
    return np.mean([network(X, training=True) for _ in range(2_000)], axis=0)


def luck(a, u, rate):
    return q3.answer(a, LUCK.random(a.shape), rate)


WRONG = {
    "q1": {
        "root": (lambda tau, N: 1 / (np.sqrt(N) * tau), "For tau = 0.5 and N = 10, you give 0.63"),
        "narrow only": (
            right_for(lambda tau, N: tau < 1, q1.answer, lambda tau, N: 1 / N),
            "For tau = 2 and N = 3, you give 0.333333, which is too large",
        ),
        "of ten": (lambda tau, N: 1 / (10 * tau**2), "For tau = 0.1 and N = 20"),
        "N squared": (lambda tau, N: (1 / (N * tau)) ** 2, "which is too small"),
        "minus": (lambda tau, N: -1 / (N * tau**2), "you give -0.4, which is too small"),
        "the density": (lambda tau, N: np.exp(-1 / (2 * tau**2)) / N, "which is too small"),
    },
    "q2": {
        "sign exchanged": (lambda *given: -q2.answer(*given), "For w = 1.5, alpha = 0.5 and lam"),
        "a list of one": (lambda *given: [q2.answer(*given)], "an array of one row and seven"),
        "flat": (lambda *given: np.ravel(q2.answer(*given)), "six numbers came instead of an"),
        "twice": (lambda w, alpha, lam: q2.answer(w, 2 * alpha, lam), "too small. Every weight"),
        "half": (lambda w, alpha, lam: q2.answer(w, alpha / 2, lam), "one of your numbers is"),
        "one weight": (
            lambda w, alpha, lam: max(abs(w) - alpha * lam, 0),
            "stopped with `ValueError: The truth value of an array",
        ),
        "not the smallest": (
            lambda w, alpha, lam: np.where(np.abs(w) < 0.1, w, q2.answer(w, alpha, lam)),
            "For w = 0.05, alpha = 0.2 and lam = 3",
        ),
        "vectors only": (
            lambda w, alpha, lam: [max(abs(v) - alpha * lam, 0) * np.sign(v) for v in w],
            "stopped with `ValueError",
        ),
        "0 stays": (lambda w, alpha, lam: w - alpha * lam * (w / np.abs(w)), "not finite"),
    },
    "q3": {
        "luck of its own": (luck, "Draw nothing, the random numbers are u"),
        "by the share of an example": (
            lambda a, u, rate: a * (u >= rate) / np.mean(u >= rate, axis=0),
            "one of your numbers is",
        ),
        "by the share of a unit": (
            lambda a, u, rate: a * (u >= rate) / np.mean(u >= rate, axis=1, keepdims=True),
            "one of your numbers is",
        ),
        "twice": (lambda a, u, rate: 2 * a * (u >= rate), "which is too large"),
        "a fixed rate": (lambda a, u, rate: q3.answer(a, u, 0.3), "rate = 0.55"),
        "nothing at rate 0": (
            right_for(lambda a, u, rate: rate > 0, q3.answer, lambda a, u, rate: 0 * a),
            "and rate = 0,",
        ),
        "positive ones": (
            lambda a, u, rate: np.maximum(a, 0) * (u >= rate) / (1 - rate),
            "which is too large",
        ),
        "units lost": (lambda a, u, rate: a[u >= rate] / (1 - rate), "four numbers came instead"),
        "other way round, from above": (
            lambda a, u, rate: a * (u >= 1 - rate) / rate,
            "one of your numbers is",
        ),
        "scaled by its root": (
            lambda a, u, rate: a * (u >= rate) / np.sqrt(1 - rate),
            "which is too small",
        ),
    },
    "q4": {
        "as written": (lambda net, X: net(X, training=True), "Dropout is still on"),
        "Monte Carlo": (often, "*Monte Carlo dropout*"),
        "twice": (lambda net, X: (net(X, True) + net(X, True)) / 2, "*Monte Carlo dropout*"),
        "example by example": (
            lambda network, X: np.stack([network(x, training=True) for x in X.T], axis=1),
            "Dropout is still on",
        ),
        "halved": (lambda net, X: net(X, True) / 2, "Dropout is still on"),
        "no mode": (lambda network, X: network(X), "missing 1 required positional argument"),
        "never called": (lambda network, X: np.full((4, 2), 0.25), "Return what the network"),
        "squared": (lambda network, X: network(X, training=False) ** 2, "and nothing else"),
        "doubled": (lambda network, X: 2 * network(X, training=False), "which is too large"),
        "Keras's predict": (lambda network, X: network.predict(X), "has no attribute 'predict'"),
        "the network": (lambda network, X: network, "a function came instead of an array"),
    },
    "q5": {
        "both directions": (
            lambda i, o, s: np.sqrt(4 / ((1 + s**2) * (i + o))),
            "For n_in = 8, n_out = 3 and slope = 0.1, you give",
        ),
        "small slopes only": (lambda i, o, s: np.sqrt((2 - 2 * s**2) / i), "slope = 1,"),
        "a constant": (lambda i, o, s: 1.0, "which is too large"),
        "upside down": (lambda i, o, s: np.sqrt((1 + s**2) * i / 2), "which is too large"),
        "no root of n": (lambda i, o, s: np.sqrt(2 / (1 + s**2)) / i, "which is too small"),
        "mean slope": (lambda i, o, s: 2 / (1 + s) / np.sqrt(i), "slope = 0.1, you give 0.64"),
    },
    "q6": {
        "one more": (lambda *given: q6.answer(*given) + 1, "which is too large. Each layer"),
        "one less": (lambda *given: q6.answer(*given) - 1, "which is too small"),
        "the gain": (lambda sd, n, m, f: n * sd**2 * m, "too small"),
        "division": (lambda sd, n, m, f: f / (n * sd**2 * m), "too large"),
        "a thousand": (lambda sd, n, m, f: q6.answer(sd, n, m, 1_000), "and factor = 100,"),
        "of a sigmoid": (lambda sd, n, m, f: q6.answer(sd, n, 1 / 16, f), "slope = 0.3 and"),
        "no root": (lambda sd, n, m, f: -np.log(f) / np.log(sd * n * m), "you give"),
        "domain": (lambda sd, n, m, f: math.log(-f), "stopped with `ValueError"),
    },
    "q7": {
        "a letter missing": ({"a": False}, "fill in the dictionary of the cell"),
        "all slides": (q7.answer | dict(a=True, c=True, e=True), "Three of the six are right."),
        "one more": (q7.answer | {"b": True}, "Five of the six are right. Take them word by word"),
        "one less": (q7.answer | {"f": False}, "Five of the six are right. Take them word by word"),
        "no truth": (q7.answer | {"e": "perhaps"}, "E: answer with one of these"),
        "a list": (list(q7.answer.values()), "fill in the dictionary of the cell"),
    },
}


def test_a_simulated_start_is_accepted_whatever_the_seed():
    rngs = map(np.random.default_rng, range(60))
    passed = [q5.verdict(lambda *given, rng=rng: simulated_sd(*given, rng))[0] for rng in rngs]
    assert sum(passed) >= 59


MADE = {  # known mistakes as a student would write them
    "N forgotten": (q1, lambda tau, N: tau**-2),
    "half": (q1, lambda tau, N: 0.5 / N / tau**2),
    "Laplace": (q1, lambda tau, N: 1 / tau / N),
    "upside down": (q1, lambda tau, N: tau * tau / N),
    "crosses zero": (
        q2,
        lambda w, alpha, lam: np.where(w > 0, w - alpha * lam, np.where(w < 0, w + alpha * lam, 0)),
    ),
    "alpha forgotten": (q2, lambda w, alpha, lam: w - np.clip(w, -lam, lam)),
    "hard": (q2, lambda w, alpha, lam: w * (np.abs(w) > alpha * lam)),
    "ridge": (q2, lambda w, alpha, lam: w / alpha / (1 / alpha + lam)),
    "negative killed": (q2, lambda w, alpha, lam: tf.nn.relu(w - alpha * lam)),
    "scaled down": (q3, lambda a, u, rate: np.where(u < rate, 0, a - rate * a)),
    "share": (q3, lambda a, u, rate: np.where(u < rate, 0, a) / (u >= rate).mean()),
    "from above": (q3, lambda a, u, rate: np.where(u < 1 - rate, a / (1 - rate), 0)),
    "classes": (q4, lambda network, X: tf.argmax(network(X, False))),
    "as written": (q5, lambda i, o, s: (2 / i) ** 0.5),
    "variance": (q5, lambda i, o, s: 1 / i / ((1 + s * s) / 2)),
    "n_out": (q5, lambda i, o, s: (2 / o / (1 + s * s)) ** 0.5),
    "both": (q5, lambda i, o, s: 2**0.5 / (i + o) ** 0.5),
    "squared": (q6, lambda sd, n, m, f: np.log(1 / f) / np.log(n * sd * sd * m)),
    "mixed logarithms": (
        q6,
        lambda sd, n, m, f: np.log10(f) / np.log(1 / (n * sd**2 * m) ** 0.5),
    ),
    "n forgotten": (q6, lambda sd, n, m, f: -np.log(f) / np.log(sd * m**0.5)),
    "sd not squared": (q6, lambda sd, n, m, f: -2 * np.log(f) / np.log(n * sd * m)),
    "rounded up": (q6, lambda *given: math.ceil(q6.answer(*given))),
}


@pytest.mark.parametrize(("name", "made"), MADE.items(), ids=MADE)
def test_mistakes_written_another_way_are_recognised(name, made):
    exercise, answer = made
    passed, message = exercise.verdict(answer)
    assert passed is False
    assert exercise.mistakes[name][1] in message


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
        crossing = q2.mistakes["crosses zero"][0](crossing - alpha * (crossing - c), alpha, lam)
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
    lost = q3.mistakes["no scaling"][0](a, u, 0.4).mean(1)
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
    written = q5.mistakes["as written"][0]
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
