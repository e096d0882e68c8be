"""Answers to the exercises of `var_mod`; test_exercises.py holds them.

RIGHT are right in other clothes; WRONG pass a case or look right, each with a part of what it is
told.
"""

import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

from course_utils.exercises.var_mod import q1, q2, q3, q5, q6


def kl(sigma):
    return (sigma**2 - 1) / 2 - np.log(sigma)


def least_and_derivative():
    """Look for them in numbers, as one who does not like to derive."""
    sigma = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        value = (sigma**2 - 1) / 2 - tf.math.log(sigma)
    return 0.0, scipy.optimize.minimize_scalar(kl, bounds=(0.1, 3)).x, tape.gradient(value, sigma)


def sample_in_loops(z_mu, z_variance, epsilon):
    return [m + math.sqrt(v) * e for m, v, e in zip(z_mu, z_variance, epsilon, strict=True)]


def sample_in_place(z_mu, z_variance, epsilon):
    epsilon *= np.sqrt(z_variance)
    z_mu += epsilon
    return z_mu


def bound_in_loops(log_w):
    bounds = []
    for n in range(len(log_w[0])):
        logs = [row[n] for row in log_w]
        weights = [math.exp(log - max(logs)) for log in logs]
        bounds.append(max(logs) + math.log(sum(weights) / len(weights)))
    return bounds


def bound_in_place(log_w):
    largest = log_w.max(axis=0)
    log_w -= largest
    return np.log(np.exp(log_w).mean(axis=0)) + largest


def bound_one_by_one(log_w):
    total = -np.inf
    for row in log_w:
        total = np.logaddexp(total, row)
    return total - math.log(len(log_w))


def fifty_draws(log_w):
    return scipy.special.logsumexp(log_w, axis=0) - np.log(50)


def shifted_by_the_mean(log_w):
    return log_w.mean() + np.log(np.exp(log_w - log_w.mean()).mean(axis=0))


def repair_in_steps(L, K):
    reconstruction = L - 2 * K
    return [reconstruction + K, 1 + 1]


def simulated_length(d, rng=None, pairs=10_000, mean=lambda length: np.sqrt(np.mean(length**2))):
    rng = rng or np.random.default_rng(0)
    z_1, z_2 = rng.standard_normal((2, pairs, d))
    return mean(np.linalg.norm((z_1 + z_2) / 2, axis=1))


def solved_sigma(weight, D):
    return scipy.optimize.brentq(lambda sigma: weight / D - 1 / (2 * sigma**2), 1e-3, 1e3)


RIGHT = {
    "q1": {
        "floats": (0.0, 1.0, 3 / 2),
        "found in numbers": least_and_derivative(),
        "fraction": (0, 1, Fraction(3, 2)),
        "array": np.array([-0.0, 1, 2 - 1 / 2]),
        "lists of one number": ([0], [1], [1.5]),
    },
    "q2": {
        "loops": sample_in_loops,
        "in place": sample_in_place,
        "TensorFlow": lambda z_mu, z_variance, epsilon: z_mu + tf.sqrt(z_variance) * epsilon,
        "logarithm halved": lambda mu, v, epsilon: mu + np.exp(0.5 * np.log(v)) * epsilon,
        "matrix": lambda mu, v, epsilon: mu + np.linalg.cholesky(np.diag(v)) @ epsilon,
        "quantile": lambda mu, v, e: scipy.stats.norm(mu, v**0.5).ppf(scipy.stats.norm.cdf(e)),
    },
    "q3": {
        "loops": bound_in_loops,
        "in place": bound_in_place,
        "one by one": bound_one_by_one,
        "logaddexp": lambda log_w: np.logaddexp.reduce(log_w) - np.log(log_w.shape[0]),
        "weights of SciPy": lambda w: scipy.special.logsumexp(w, axis=0, b=1 / len(w)),
        "the library's": lambda log_w: tfp.math.reduce_logmeanexp(log_w, axis=0),
        "single precision": lambda log_w: bound_in_place(log_w.astype("float32")),
    },
    "q4": {
        "in steps": repair_in_steps,
        "array": lambda L, K: np.array([L - K, 2.0]),
        "values of a dictionary": lambda L, K: {"negative ELBO": L - K, "beta": 2}.values(),
        "of single numbers": lambda L, K: ([L - K], [2]),
    },
    "q5": {
        "math": lambda d: math.sqrt(d / 2),
        "half of the sum": lambda d: math.sqrt(2 * d) / 2,
        "over the root": lambda d: d / np.sqrt(2 * d),
        "variances added": lambda d: np.sqrt(sum(0.5**2 + 0.5**2 for _ in range(d))),
        "one digit": lambda d: round((d / 2) ** 0.5, 1),
        "simulated": simulated_length,
    },
    "q6": {
        "math": lambda weight, D: math.sqrt(D / weight / 2),
        "two roots": lambda weight, D: np.sqrt(D) / np.sqrt(2 * weight),
        "variance of the mean, weighted": lambda w, D: np.sqrt(0.5) * (w / D) ** -0.5,
        "solved": solved_sigma,
        "TensorFlow": lambda weight, D: tf.sqrt(D / (2.0 * weight)),
    },
}
WRONG = {
    "q1": {
        "downhill": ((0, 1, -1.5), "Two of the three are right."),
        "as in the question": ((0, 2, 1.5), "Two of the three are right."),
        "one everywhere": ((1, 1, 1), "One of the three is right."),
        "logarithm doubled": ((0, 1, 2 - 2 / 2), "Two of the three are right."),
        "a dimension each": ((np.zeros(2), np.ones(2), 1.5), "two numbers came instead of one"),
        "value of the KL": ((0, 1, kl(2)), "Two of the three are right."),
    },
    "q2": {
        "noise of its own": (
            lambda mu, v, epsilon: np.random.default_rng(0).normal(mu, v**0.5),
            "For z_mu = 0.5, z_variance = 0.04 and epsilon = 1, one of your numbers is",
        ),
        "noise added": (lambda mu, v, epsilon: mu + v**0.5 + epsilon, "too large"),
        "mean scaled too": (lambda mu, v, e: (mu + e) * v**0.5, "one of your numbers is"),
        "half": (lambda mu, v, epsilon: mu + v / 2 * epsilon, "one of your numbers is"),
        "square": (lambda mu, v, epsilon: mu + v**2 * epsilon, "one of your numbers is"),
        "one variance for all": (
            lambda mu, v, epsilon: mu + np.sqrt(v.mean()) * epsilon,
            "one of your numbers is",
        ),
        "added up": (lambda mu, v, e: mu @ e + np.sqrt(v) @ e, "one number came instead of three"),
        "one number each": (lambda mu, v, epsilon: mu + math.sqrt(v) * epsilon, "TypeError"),
    },
    "q3": {
        "fifty draws": (fifty_draws, "one of your numbers is"),
        "number of pictures": (
            lambda w: scipy.special.logsumexp(w, axis=0) - np.log(w.shape[1]),
            "which is too large",
        ),
        "divided by k": (lambda w: scipy.special.logsumexp(w, axis=0) / len(w), "one of your"),
        "one less": (
            lambda w: scipy.special.logsumexp(w, axis=0) - np.log(max(len(w) - 1, 1)),
            "which is too large",
        ),
        "first picture only": (lambda w: q3.answer(w)[0], "one number came instead of two numbers"),
        "shifted by the mean of all": (shifted_by_the_mean, "leaves the range"),
        "clipped": (
            lambda w: np.log(np.exp(w.clip(-700, 700)).mean(axis=0)),
            "for log_w (an array of 50 rows and four columns), one of your numbers is",
        ),
        "median": (lambda w: np.median(w, axis=0), "one of your numbers is"),
    },
    "q4": {
        "half of it": (lambda L, K: (L / 2, 2), "For L = 130 and K = 12, in result 1 of 2"),
        "half a KL": (lambda L, K: (L - K / 2, 2), "which is too large. Write L as"),
        "the numbers of a case": (lambda L, K: (118.0, 2), "For L = 95.5 and K = 30.25"),
        "ratio for beta": (lambda L, K: (L - K, L / K), "in result 2 of 2, you give 10.8"),
        "never negative": (lambda L, K: (max(L - K, 0), 2), "For L = -20 and K = 15"),
        "three": (lambda L, K: (L - K, 3), "in result 2 of 2, you give 3, which is too large"),
        "one result": (lambda L, K: L - K, "one number came instead of two numbers"),
    },
    "q5": {
        "whole numbers": (lambda d: (d // 2) ** 0.5, "For d = 1, you give 0, which is too small"),
        "of ten": (lambda d: 5**0.5, "For d = 1, you give"),
        "one less": (lambda d: ((d - 1) / 2) ** 0.5, "which is too small. What is the variance"),
        "quarter": (lambda d: (d / 4) ** 0.5 / 2, "For d = 10, you give"),
        "each number": (lambda d: np.full(d, 0.5**0.5), "ten numbers came instead of one number"),
        "angle": (lambda d: d**0.5 * math.cos(1), "which is too small"),
    },
    "q6": {
        "of 784 pixels": (lambda w, D: (784 / (2 * w)) ** 0.5, "For weight = 1 and D = 64"),
        "of a thousand": (lambda w, D: (D / 2_000) ** 0.5, "For weight = 784 and D = 784"),
        "whole numbers": (lambda w, D: (D // (2 * w)) ** 0.5, "you give 0, which is too small"),
        "no root of D": (lambda w, D: D / (2 * w) ** 0.5, "which is too large"),
        "precision": (lambda w, D: 2 * w / D, "which is too large"),
        "of the variance's root": (lambda w, D: (D / (2 * w)) ** 0.25, "which is too large"),
    },
}


# --- what the exercises say, tried out ----------------------------------------------------------


def test_a_simulated_length_is_accepted_whatever_the_seed():
    rngs = map(np.random.default_rng, range(60))
    passed = [q5.verdict(lambda d, rng=rng: simulated_length(d, rng))[0] for rng in rngs]
    assert sum(passed) >= 59


def test_the_mean_of_simulated_lengths_is_named():
    said = q5.verdict(lambda d: simulated_length(d, mean=np.mean))[1]
    assert q5.mistakes["mean length"][1] in said


def test_the_kl_is_least_at_the_prior_and_its_slope_is_that_of_differences():
    least, slope = scipy.optimize.minimize_scalar(kl, bounds=(0.1, 3)).x, kl(2.001) - kl(1.999)
    assert (0, pytest.approx(least, abs=1e-3), pytest.approx(slope / 0.002, abs=1e-4)) == q1.answer


def test_the_draw_has_the_variance():
    z = q2.answer(1.0, 0.3, np.random.default_rng(0).standard_normal(100_000))
    assert (z.mean(), z.var()) == (pytest.approx(1, abs=0.01), pytest.approx(0.3, rel=0.02))


def test_weighted_mean_squared_error_is_the_normal_loss_with_that_sigma():
    x = np.random.default_rng(0).normal(size=784)
    normal = -scipy.stats.norm(0, q6.answer(1_000, 784)).logpdf(x).sum()
    flat = -scipy.stats.norm(0, q6.answer(1_000, 784)).logpdf(np.zeros(784)).sum()
    assert normal - flat == pytest.approx(1_000 * np.mean(x**2))
