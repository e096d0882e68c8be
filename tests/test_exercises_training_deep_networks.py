"""Answers to the exercises of `training_deep_networks`; test_exercises.py holds them.

RIGHT are right in other clothes; WRONG pass a case or look right, each with a part of what it is
told.
"""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import optimize

from course_utils.exercises.training_deep_networks import q1, q2, q3, q4, q5

# --- right --------------------------------------------------------------------------------------


def simulated_sd(n_in, n_out, slope, rng=None, z=20_000):
    """From the mean square behind the activation, for so many z of variance 1."""
    z = (rng or np.random.default_rng(0)).normal(size=z)
    a = np.where(z > 0, z, slope * z)
    return 1 / np.sqrt(n_in * np.mean(a**2))


def found_by_search(sd, n, m, factor):
    return optimize.brentq(lambda L: math.sqrt(n * sd * sd * m) ** L * factor - 1, -1, 99)


def unit_by_unit(Z, gamma, beta, epsilon):
    out = []
    for row, scale, place in zip(Z, gamma, beta, strict=True):
        mean = sum(row) / len(row)
        var = sum((z - mean) ** 2 for z in row) / len(row)
        out.append([scale[0] * (z - mean) / math.sqrt(var + epsilon) + place[0] for z in row])
    return out


def in_place(Z, gamma, beta, epsilon):
    Z -= Z.mean(axis=1)[:, None]
    Z /= np.sqrt((Z**2).mean(axis=1)[:, None] + epsilon)
    Z *= gamma
    Z += beta
    return Z


def by_keras(Z, gamma, beta, epsilon):
    layer = keras.layers.BatchNormalization(epsilon=epsilon, dtype="float64")
    layer.build((None, len(Z)))
    layer.gamma.assign(gamma[:, 0])
    layer.beta.assign(beta[:, 0])
    return tf.transpose(layer(Z.T, training=True))


def by_moments(Z, gamma, beta, epsilon):
    mean, var = tf.nn.moments(tf.constant(Z), axes=[1], keepdims=True)
    return tf.nn.batch_normalization(Z, mean, var, beta, gamma, epsilon)


RIGHT = {
    "q1": {
        "root of the mean square first": lambda i, _, s: (2 / (1 + s**2)) ** 0.5 / i**0.5,
        "mean square": lambda i, o, s: math.sqrt(1 / (i * (0.5 + s * s / 2))),
        "TensorFlow": lambda i, o, s: tf.sqrt(2.0 / ((1 + s**2) * i)),
        "simulated": simulated_sd,
    },
    "q2": {
        "powers": lambda sd, n, m, f: np.log10(1 / f) / np.log10(np.sqrt(n * m) * sd),
        "math": lambda sd, n, m, f: math.log(f) / -math.log(sd * math.sqrt(n * m)),
        "to another base": lambda sd, n, m, f: math.log(1 / f**2, n * sd**2 * m),
        "searched": found_by_search,
    },
    "q3": {
        "unit by unit": unit_by_unit,
        "in place": in_place,
        "Keras": by_keras,
        "moments": by_moments,
        "transposed": lambda Z, gamma, beta, epsilon: (
            (gamma.T * (Z.T - Z.T.mean(0)) / (Z.T.var(0) + epsilon) ** 0.5 + beta.T).T
        ),
        "mean of the squares": lambda Z, gamma, beta, epsilon: (
            gamma
            * (Z - Z.mean(1, keepdims=True))
            / np.sqrt((Z**2).mean(1, keepdims=True) - Z.mean(1, keepdims=True) ** 2 + epsilon)
            + beta
        ),
    },
    "q4": {
        "product": lambda alpha, c: alpha * c * c,
        "step by step": lambda alpha, c: alpha * c / (1 / c),
        "tensor": lambda alpha, c: tf.constant(alpha) * tf.square(float(c)),
        "logarithms": lambda alpha, c: math.exp(math.log(alpha) + 2 * math.log(c)),
    },
    "q5": {
        "words": dict(a="true", b="False", c="True.", d="false", e="FALSE", f="True"),
        "numbers": {letter: int(true) for letter, true in q5.answer.items()},
        "another order": {k: np.bool_(v) for k, v in reversed(q5.answer.items())},
        "tensors": {letter: tf.constant(true) for letter, true in q5.answer.items()},
    },
}


# --- wrong --------------------------------------------------------------------------------------


WRONG = {
    "q1": {
        "both directions": (
            lambda i, o, s: np.sqrt(4 / ((1 + s**2) * (i + o))),
            "For n_in = 8, n_out = 3 and slope = 0.1, you give",
        ),
        "small slopes only": (lambda i, o, s: np.sqrt((2 - 2 * s**2) / i), "slope = 1,"),
        "a constant": (lambda i, o, s: 1.0, "which is too large"),
        "a hundred z": (
            lambda i, o, s: simulated_sd(i, o, s, z=100),
            "fewer are too noisy",
        ),
        "upside down": (lambda i, o, s: np.sqrt((1 + s**2) * i / 2), "which is too large"),
        "no root of n": (lambda i, o, s: np.sqrt(2 / (1 + s**2)) / i, "which is too small"),
        "mean slope": (lambda i, o, s: 2 / (1 + s) / np.sqrt(i), "slope = 0.1, you give 0.64"),
    },
    "q2": {
        "one more": (lambda *given: q2.answer(*given) + 1, "which is too large. Each layer"),
        "one less": (lambda *given: q2.answer(*given) - 1, "which is too small"),
        "one decimal": (lambda *given: round(float(q2.answer(*given)), 1), "but rounded"),
        "the factor": (lambda sd, n, m, f: n * sd**2 * m, "too small"),
        "division": (lambda sd, n, m, f: f / (n * sd**2 * m), "too large"),
        "a thousand": (lambda sd, n, m, f: q2.answer(sd, n, m, 1_000), "and factor = 100,"),
        "of a sigmoid": (lambda sd, n, m, f: q2.answer(sd, n, 1 / 16, f), "slope = 0.3 and"),
        "no root": (lambda sd, n, m, f: -np.log(f) / np.log(sd * n * m), "you give"),
        "domain": (lambda sd, n, m, f: math.log(-f), "stopped with `ValueError"),
    },
    "q3": {
        "no columns": (
            lambda Z, gamma, beta, epsilon: (
                gamma * (Z - Z.mean(axis=1)) / np.sqrt(Z.var(axis=1) + epsilon) + beta
            ),
            "stopped with `ValueError",
        ),
        "epsilon fixed": (
            lambda Z, gamma, beta, epsilon: q3.answer(Z, gamma, beta, 0.001),
            "always 0.001",
        ),
        "another epsilon fixed": (
            lambda Z, gamma, beta, epsilon: q3.answer(Z, gamma, beta, 0.02),
            "one of your numbers is",
        ),
        "beta forgotten": (lambda Z, g, b, e: q3.answer(Z, g, 0, e), "β is missing"),
        "gamma forgotten": (lambda Z, g, b, e: q3.answer(Z, 1, b, e), "the scale γ is missing"),
        "n - 1": (
            lambda Z, g, b, e: (
                g * (Z - Z.mean(1)[:, None]) / np.sqrt(Z.var(1, ddof=1)[:, None] + e) + b
            ),
            "one less than the number of examples",
        ),
        "beta taken away": (lambda Z, g, b, e: q3.answer(Z, g, -b, e), "one of your numbers is"),
        "mean not taken away": (
            lambda Z, g, b, e: g * Z / np.sqrt(Z.var(axis=1, keepdims=True) + e) + b,
            "one of your numbers is",
        ),
        "transposed": (lambda *given: q3.answer(*given).T, "an array of"),
        "one unit": (lambda *given: q3.answer(*given)[0], "instead of an array"),
    },
    "q4": {
        "three times": (lambda alpha, c: 9 * alpha, "For alpha = 0.5 and c = 0.5"),
        "double": (lambda alpha, c: 2 * alpha * c, "you give"),
        "of large c": (lambda alpha, c: alpha * max(c, 1) ** 2, "c = 0.5"),
        "a power of alpha": (lambda alpha, c: (alpha * c) ** 2, "too small"),
        "minus": (lambda alpha, c: -alpha * c**2, "too small"),
        "the gradient": (lambda alpha, c: 1 / c, "you give"),
    },
    "q5": {
        "a letter missing": ({"a": False}, "fill in the dictionary of the cell"),
        "all slides": (q5.answer | dict(b=True, d=True), "Four of the six are right."),
        "one more": (q5.answer | {"e": True}, "Five of the six are right. Take them word by word"),
        "one less": (q5.answer | {"f": False}, "Five of the six are right. Take them word by word"),
        "no truth": (q5.answer | {"e": "perhaps"}, "E: answer with one of these"),
        "a list": (list(q5.answer.values()), "fill in the dictionary of the cell"),
    },
}


def test_a_simulated_start_is_accepted_whatever_the_seed():
    rngs = map(np.random.default_rng, range(60))
    passed = [q1.verdict(lambda *given, rng=rng: simulated_sd(*given, rng))[0] for rng in rngs]
    assert sum(passed) >= 59


MADE = {  # known mistakes as a student would write them
    "as written": (q1, lambda i, o, s: (2 / i) ** 0.5),
    "variance": (q1, lambda i, o, s: 1 / i / ((1 + s * s) / 2)),
    "n_out": (q1, lambda i, o, s: (2 / o / (1 + s * s)) ** 0.5),
    "both": (q1, lambda i, o, s: 2**0.5 / (i + o) ** 0.5),
    "squared": (q2, lambda sd, n, m, f: np.log(1 / f) / np.log(n * sd * sd * m)),
    "mixed logarithms": (
        q2,
        lambda sd, n, m, f: np.log10(f) / np.log(1 / (n * sd**2 * m) ** 0.5),
    ),
    "n forgotten": (q2, lambda sd, n, m, f: -np.log(f) / np.log(sd * m**0.5)),
    "sd not squared": (q2, lambda sd, n, m, f: -2 * np.log(f) / np.log(n * sd * m)),
    "rounded up": (q2, lambda *given: math.ceil(q2.answer(*given))),
    "layer normalisation": (
        q3,
        lambda Z, g, b, e: g * (Z - Z.mean(0)) / np.sqrt(Z.var(0) + e) + b,
    ),
    "only the z-score": (
        q3,
        lambda Z, g, b, e: (Z - Z.mean(1)[:, None]) / np.sqrt(Z.var(1)[:, None] + e),
    ),
    "epsilon outside": (
        q3,
        lambda Z, g, b, e: b + g * (Z - Z.mean(1)[:, None]) / (Z.std(1)[:, None] + e),
    ),
    "epsilon forgotten": (
        q3,
        lambda Z, g, b, e: g * (Z - Z.mean(1)[:, None]) / Z.std(1)[:, None] + b,
    ),
    "once": (q4, lambda alpha, c: c * alpha),
    "upside down": (q4, lambda alpha, c: alpha * c**-2),
}


@pytest.mark.parametrize(("name", "made"), MADE.items(), ids=MADE)
def test_mistakes_written_another_way_are_recognised(name, made):
    exercise, answer = made
    passed, message = exercise.verdict(answer)
    assert passed is False
    assert exercise.mistakes[name][1] in message


# --- what the exercises say, tried out ----------------------------------------------------------


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
        np.testing.assert_allclose(growth(q1.answer, slope), 1, rtol=0.03)
    written = q1.mistakes["as written"][0]
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
    np.testing.assert_allclose(q2.answer(sd, n, mean_square, factor), depth, rtol=0.03)


def test_a_sigmoid_loses_a_factor_of_a_thousand_within_five_layers():
    z = np.linspace(-9, 9, 1_001)
    slope = tf.sigmoid(z) * (1 - tf.sigmoid(z))
    assert np.max(slope) == 0.25
    for n in (10, 1_000):
        assert 4.9 < q2.answer(n**-0.5, n, 0.25**2, 1_000) < 5


def test_copies_of_one_picture_leave_batch_normalisation_its_beta():
    layer = keras.layers.BatchNormalization(beta_initializer="random_normal")
    z = np.repeat(np.random.default_rng(1).normal(size=(1, 4)), 10, axis=0)
    out = layer(z, training=True).numpy()
    np.testing.assert_allclose(out, np.repeat(layer.beta.numpy()[None], 10, axis=0), atol=1e-5)


def test_the_twin_stays_ahead_by_the_factor():
    """A loss that depends on the direction of w alone, as behind a normalisation."""
    target = np.array([1.0, -2.0, 0.5])

    def slope(w):
        with tf.GradientTape() as tape:
            w = tf.constant(w)
            tape.watch(w)
            L = -tf.tensordot(w, target, 1) / tf.norm(w)
        return tape.gradient(L, w).numpy()

    w = np.array([0.3, 0.4, -1.0])
    twin, alpha, c = 2.5 * w, 0.2, 2.5
    for _ in range(20):
        w = w - alpha * slope(w)
        twin = twin - q4.answer(alpha, c) * slope(twin)
    np.testing.assert_allclose(twin, c * w, rtol=1e-10)
    assert np.linalg.norm(w - [0.3, 0.4, -1.0]) > 0.5
