"""Answers to the exercises of `bayesian_neural_networks_wine`; test_exercises.py holds them.

RIGHT are right in other clothes; WRONG pass a case or look right, each with a part of what it is
told.
"""

import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
import tensorflow as tf

from course_utils import metrics
from course_utils.exercises.bayesian_neural_networks_wine import q4


def halves(N, m, reduction):
    if reduction == "mean":
        return 1 / N
    if reduction == "sum":
        return m / N


def only_the_mean(N, m, reduction):
    if reduction == "mean":
        return 1 / N


def simulated_narrowing(rho, n=10_000):
    x = np.random.default_rng(0).multivariate_normal([0, 0], [[1, rho], [rho, 1]], size=n)
    precision = x.T @ x
    return 1 / np.sqrt(precision[0, 0]) / np.sqrt(np.linalg.inv(precision)[0, 0])


def rmse_in_loops(draws, y):
    total = 0
    for n in range(len(y)):
        guess = sum(draw[n] for draw in draws) / len(draws)
        total += (guess - y[n]) ** 2
    return math.sqrt(total / len(y))


def rmse_in_place(draws, y):
    draws -= y
    mean = draws.mean(axis=0)
    mean **= 2
    return mean.mean() ** 0.5


def interval_in_loops(mu, sigma):
    ends = []
    for m, s in zip(mu.T, sigma.T, strict=True):
        sd = (m.var() + (s * s).mean()) ** 0.5
        ends.append((m.mean() - 2 * sd, m.mean() + 2 * sd))
    return zip(*ends, strict=True)


def simulated_interval(mu, sigma, rng=None):
    rng = rng or np.random.default_rng(0)
    return np.quantile(rng.normal(mu, sigma), [0.025, 0.975], axis=0)


def thousand_draws(mu, sigma):
    rng = np.random.default_rng(1)
    k = rng.integers(len(mu), size=1_000)
    y = np.sort(rng.normal(mu[k], sigma[k]), axis=0)
    return y[25], y[975]


def too_low(mu, sigma):
    lower, upper = q4.answer(mu, sigma)
    return lower - 100, upper


def information_by_hand(p):
    mean = p.mean(axis=0)
    return -np.sum(mean * np.log(mean), axis=-1) + np.mean(np.sum(p * np.log(p), axis=-1), axis=0)


def information_as_divergence(p):
    return (p * np.log(p / p.mean(axis=0, keepdims=True))).sum(axis=-1).mean(axis=0)


def vote_in_loops(p):
    N = len(p[0])
    return [max(range(len(p[0][n])), key=lambda c, n=n: sum(m[n][c] for m in p)) for n in range(N)]


RIGHT = {
    "q1": {
        "one branch each": halves,
        "dictionary": lambda N, m, reduction: {"mean": 1 / N, "sum": m / N}[reduction],
        "fraction": lambda N, m, reduction: Fraction(1 if reduction == "mean" else m, N),
        "where": lambda N, m, reduction: np.where(reduction == "mean", 1, m) / N,
    },
    "q2": {
        "math": lambda rho: math.sqrt(1 - rho * rho),
        "typed digits": lambda rho: round((1 - rho**2) ** 0.5, 2),
        "angle": lambda rho: math.sin(math.acos(rho)),
        "inverted": lambda rho: np.linalg.inv([[1, rho], [rho, 1]])[0, 0] ** -0.5,
        "simulated": simulated_narrowing,
    },
    "q3": {
        "loops": rmse_in_loops,
        "in place": rmse_in_place,
        "metrics": lambda draws, y: metrics.rmse(y, draws),
        "scikit-learn": lambda d, y: sklearn.metrics.root_mean_squared_error(y, d.mean(axis=0)),
        "norm": lambda draws, y: np.linalg.norm(np.mean(draws, 0) - y) / len(y) ** 0.5,
        "TensorFlow": lambda d, y: tf.sqrt(tf.reduce_mean((tf.reduce_mean(d, axis=0) - y) ** 2)),
    },
    "q4": {
        "the mixture's own": lambda mu, sigma: metrics.mixture_interval(mu, sigma, 0.95),
        "loops, two for 1.96": interval_in_loops,
        "simulated": simulated_interval,
        "thousand draws": thousand_draws,
        "normal": lambda mu, s: scipy.stats.norm.interval(
            0.95, mu.mean(axis=0), np.sqrt(mu.var(axis=0) + np.mean(s**2, axis=0))
        ),
    },
    "q5": {
        "by hand": information_by_hand,
        "divergence": information_as_divergence,
        "metrics": lambda p: metrics.entropy_split(p).epistemic,
        "list": lambda p: [float(information_by_hand(p[:, [n]])[0]) for n in range(p.shape[1])],
    },
    "q6": {
        "loops": vote_in_loops,
        "sum": lambda p: np.argmax(np.sum(p, axis=0), axis=1),
        "as floats": lambda p: 1.0 * p.mean(axis=0).argmax(axis=-1),
        "TensorFlow": lambda p: tf.argmax(tf.reduce_mean(p, axis=0), axis=-1),
    },
    "q7": {
        "mean": lambda log_likelihoods, kl, N: N * np.mean(log_likelihoods) - kl,
        "Python": lambda logs, kl, N: sum(logs) / len(logs) * N - kl,
        "per example, times N": lambda logs, kl, N: N * (logs.mean() - kl / N),
    },
}
WRONG = {
    "q1": {
        "only the mean": (only_the_mean, "returns nothing (None) for N = 4000, m = 50 and"),
        "as typed": (lambda N, m, reduction: 1 / 4_000, "For N = 4000, m = 50 and reduction ="),
        "batches": (lambda N, m, reduction: N / m, "you give 80, which is too large."),
        "no reduction": (lambda N, m: 1 / N, "has to take three arguments: N, m, reduction"),
        "upside down": (lambda N, m, reduction: N if reduction == "mean" else N / m, "too large"),
    },
    "q2": {
        "not below 0": (lambda rho: np.sqrt(1 - max(rho, 0) ** 2), "For rho = -0.8, you give 1"),
        "negative too": (lambda rho: np.sqrt(1 - rho), "For rho = 0.6, you give 0.632456"),
        "root of the line": (lambda rho: np.sqrt(1 - abs(rho)), "too small"),
        "array": (lambda rho: np.sqrt(1 - np.array([rho, -rho]) ** 2), "two numbers came instead"),
        "domain": (lambda rho: math.acosh(rho), "stopped with `ValueError: math domain error`"),
    },
    "q3": {
        "over the examples": (lambda draws, y: (draws.mean(axis=1) - y).std(), "stopped with"),
        "per wine": (lambda draws, y: np.abs(draws.mean(axis=0) - y), "two numbers came instead"),
        "spread": (lambda draws, y: (draws.mean(axis=0) - y).std(), "which is too small"),
        "a draw in the middle": (lambda d, y: metrics.rmse(y, d[len(d) // 2][None]), "you give"),
        "absolute": (lambda draws, y: np.abs(draws.mean(axis=0) - y).mean(), "too small"),
    },
    "q4": {
        "lower end 100 too low": (too_low, "Of the prediction 0.0% lie below"),
        "90 %": (lambda mu, s: metrics.mixture_interval(mu, s, 0.9), "5.0% lie below"),
        "one of its draws": (
            lambda mu, s: (mu[1] - 1.96 * s[1], mu[1] + 1.96 * s[1]),
            "above it",
        ),
        "quantiles of mu": (lambda mu, s: np.quantile(mu, [0.025, 0.975], axis=0), "lie below"),
        "outermost": (lambda mu, s: ((mu - 2 * s).min(0), (mu + 2 * s).max(0)), "0.0% lie below"),
        "square of the mean": (
            lambda mu, s: scipy.stats.norm.interval(
                0.95, mu.mean(0), np.sqrt(mu.var(0) + s.mean(0) ** 2)
            ),
            "above it",
        ),
        "as columns": (lambda mu, s: np.transpose(q4.answer(mu, s)), "of three rows and two"),
        "lower end only": (lambda mu, s: q4.answer(mu, s)[0], "three numbers came instead of"),
    },
    "q5": {
        "other axis": (
            lambda p: (
                scipy.stats.entropy(p.mean(-1), axis=0) - scipy.stats.entropy(p, axis=0).mean(-1)
            ),
            "one of your numbers is",
        ),
        "of the first network": (
            lambda p: scipy.stats.entropy(p.mean(0), axis=-1) - scipy.stats.entropy(p[0], axis=-1),
            "one of your numbers is",
        ),
        "mean": (lambda p: information_by_hand(p).mean(), "one number came instead of five"),
        "variance": (lambda p: p.var(axis=0).sum(axis=-1), "one of your numbers is"),
    },
    "q6": {
        "from one on": (lambda p: p.mean(axis=0).argmax(axis=-1) + 1, "which is not right"),
        "probabilities": (lambda p: p.mean(axis=0), "an array of 20 rows and three columns came"),
        "members": (lambda p: p.mean(axis=-1).argmax(axis=0), "not right"),
        "least likely": (lambda p: p.mean(axis=0).argmin(axis=-1), "not right"),
        "product": (lambda p: p.prod(axis=0).argmax(axis=-1), "not right"),
    },
    "q7": {
        "five examples": (
            lambda logs, kl, N: N / 5 * logs.sum() - kl,
            "For log_likelihoods = [-0.7]",
        ),
        "hundred": (lambda logs, kl, N: 100 * logs.mean() - kl, "N = 40"),
        "one by one": (lambda logs, kl, N: N * logs - kl, "five numbers came instead of one"),
        "positive": (lambda logs, kl, N: -N * np.abs(logs).mean() - kl, "too small"),
    },
}


def test_a_simulated_interval_is_accepted_whatever_the_seed():
    """A single draw from each network, as one would write it first: 59 of 60 seeds at least."""
    rngs = map(np.random.default_rng, range(60))
    passed = [
        q4.verdict(lambda mu, sigma, rng=rng: simulated_interval(mu, sigma, rng))[0] for rng in rngs
    ]
    assert sum(passed) >= 59


@pytest.mark.parametrize("rho", [0.0, 0.6, -0.8, 0.95])
def test_the_narrowing_is_that_of_the_inverse(rho):
    precision = np.array([[1, rho], [rho, 1]])
    share = 1 / np.sqrt(precision[0, 0]) / np.sqrt(np.linalg.inv(precision)[0, 0])
    assert share == pytest.approx(np.sqrt(1 - rho**2))
