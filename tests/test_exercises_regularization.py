"""Answers to the exercises of `regularization`; test_exercises.py holds them.

RIGHT are right in other clothes; WRONG pass a case or look right, each with a part of what it is
told.
"""

import math

import numpy as np
import pytest
import tensorflow as tf
from scipy import optimize, stats

from course_utils.exercises.regularization import q4, q5, q6


def by_curvature(sigma, tau, N):
    """Of -log p(w), its second difference, in units of that of -log p(y|w), N times."""
    step = np.array([-0.1, 0, 0.1])
    left, here, right = stats.norm(0, tau).logpdf(step * tau)
    prior = (2 * here - left - right) / (0.1 * tau) ** 2
    left, here, right = stats.norm(0, sigma).logpdf(step * sigma)
    return prior / (N * (2 * here - left - right) / (0.1 * sigma) ** 2)


def in_place(w, alpha, lam):
    small = abs(w) <= alpha * lam
    w -= alpha * lam * np.sign(w)
    w[small] = 0
    return w


def in_loops(w, alpha, lam):
    if np.ndim(w):
        return [in_loops(part, alpha, lam) for part in w]
    return math.copysign(max(abs(w) - alpha * lam, 0), w)


def by_minimising(w, alpha, lam):
    def nearest(one):
        cost = lambda v: (v - one) ** 2 / (2 * alpha) + lam * abs(v)  # noqa: E731
        bounds = min(one, 0), max(one, 0)
        found = optimize.minimize_scalar(cost, bounds=bounds, method="bounded") if one else None
        return 0 if found is None or abs(found.x) < 1e-3 else found.x

    return np.vectorize(nearest, otypes=[float])(w)


def with_hats(w, alpha, lam):
    g = lam * w
    V, S = 0.1 * g / (1 - 0.9), 0.001 * g**2 / (1 - 0.999)
    return w - alpha * V / math.sqrt(S), w * (1 - alpha * lam)


def with_epsilon(w, alpha, lam):
    g = np.float32(lam * w)
    return w - alpha * g / (np.sqrt(g**2) + 1e-7), w - alpha * lam * w


def unit_by_unit(a, u, rate):
    out = np.zeros_like(a)
    for i in range(len(a)):
        for k in range(len(a[i])):
            if u[i, k] >= rate:
                out[i, k] = a[i, k] / (1 - rate)
    return out


def dropped_in_place(a, u, rate):
    a[u < rate] = 0
    a /= 1 - rate
    return a


def in_columns(loss):
    half = len(loss[0]) // 2
    means = [(sum(row[:half]) / half, sum(row[half:]) / half) for row in loss.tolist()]
    return (min(means)[1] + min((b, a) for a, b in means)[1]) / 2


def all_at_once(loss):
    halves = loss.reshape(len(loss), 2, -1).mean(axis=2)
    return halves[halves.argmin(axis=0), [1, 0]].mean()


RIGHT = {
    "q1": {
        "step by step": lambda sigma, tau, N: np.float32((1 / (2 * tau**2)) * 2 * sigma**2 / N),
        "Python": lambda sigma, tau, N: (sigma / tau) ** 2 / N,
        "by curvature": by_curvature,
        "tensor": lambda sigma, tau, N: tf.constant(sigma**2) / (N * tau**2),
    },
    "q2": {
        "clipped": lambda w, alpha, lam: w - np.clip(w, -alpha * lam, alpha * lam),
        "in place": in_place,
        "in loops": in_loops,
        "minimised": by_minimising,
        "a factor": lambda w, alpha, lam: (
            w * np.maximum(1 - alpha * lam / np.maximum(np.abs(w), 1e-12), 0)
        ),
        "TensorFlow": lambda w, alpha, lam: (
            tf.sign(w) * tf.nn.relu(tf.abs(w) - np.float64(alpha * lam))
        ),
    },
    "q3": {
        "with hats": with_hats,
        "with epsilon": with_epsilon,
        "list": lambda w, alpha, lam: [w - math.copysign(alpha, w), w * (1 - alpha * lam)],
        "array": lambda w, alpha, lam: np.array([w - alpha * w / abs(w), w - alpha * lam * w]),
        "if": lambda w, alpha, lam: (w - alpha if w > 0 else w + alpha, (1 - lam * alpha) * w),
    },
    "q4": {
        "where": lambda a, u, rate: np.where(u < rate, 0, a / (1 - rate)),
        "in place": dropped_in_place,
        "unit by unit": unit_by_unit,
        "in 32 bits": lambda a, u, rate: (a * (u >= rate) / (1 - rate)).astype("float32"),
        "TensorFlow": lambda a, u, rate: tf.where(u >= rate, a / (1 - rate), 0.0),
    },
    "q5": {
        "in columns": in_columns,
        "all at once": all_at_once,
        "rounded": lambda loss: np.float32(q5.answer(loss)).round(3),
        "sums": lambda loss: all_at_once(loss * 2) / 2,
    },
    "q6": {
        "NumPy": {name: np.bool_(value) for name, value in q6.answer.items()},
        "ones and zeros": {name: int(value) for name, value in q6.answer.items()},
        "texts": {name: str(value) for name, value in q6.answer.items()},
    },
}
WRONG = {
    "q1": {
        "variance": (lambda sigma, tau, N: sigma / (N * tau**2), "you give"),
        "root": (lambda sigma, tau, N: sigma / (tau * N**0.5), "too large"),
        "tau not squared": (lambda sigma, tau, N: sigma**2 / (N * tau), "you give"),
        "N squared": (lambda sigma, tau, N: (sigma / (N * tau)) ** 2, "too small"),
        "N less one": (lambda sigma, tau, N: sigma**2 / (max(N - 1, 1) * tau**2), "too large"),
        "of the likelihood": (lambda sigma, tau, N: sigma**2 / N + 0 * tau, "you give"),
    },
    "q2": {
        "rounded": (lambda w, alpha, lam: w.round(1), "one of your numbers is"),
        "negative killed": (lambda w, alpha, lam: np.maximum(w - alpha * lam, 0), "negative"),
        "one number": (lambda w, alpha, lam: np.sum(w), "one number came"),
        "squared": (
            lambda w, alpha, lam: np.sign(w) * np.maximum(np.abs(w) - alpha * lam**2, 0),
            "one of your numbers is",
        ),
        "half": (
            lambda w, alpha, lam: np.sign(w) * np.maximum(np.abs(w) - alpha * lam / 2, 0),
            "too",
        ),
        "a factor that divides by zero": (
            lambda w, alpha, lam: w * np.maximum(1 - alpha * lam / np.abs(w), 0),
            "",
        ),
        "strictly": (lambda w, alpha, lam: w * (np.abs(w) > alpha * lam), "hard threshold"),
        "nearly zero": (
            lambda w, alpha, lam: np.where(
                np.abs(w) > alpha * lam, w - alpha * lam * np.sign(w), 1e-4 * w
            ),
            "exactly 0",
        ),
        "smooth": (
            lambda w, alpha, lam: w * np.maximum(1 - alpha * lam / np.maximum(abs(w), 1e-9), 1e-6),
            "exactly 0",
        ),
    },
    "q3": {
        "only one": (lambda w, alpha, lam: w - alpha * np.sign(w), "came instead of two"),
        "by alpha and lam": (
            lambda w, alpha, lam: (w - alpha * lam * np.sign(w), w - alpha * lam * w),
            "does it stay",
        ),
        "the change": (
            lambda w, alpha, lam: (alpha * np.sign(w), alpha * lam * w),
            "what is subtracted",
        ),
        "implicit": (
            lambda w, alpha, lam: (w - alpha * np.sign(w), w / (1 + alpha * lam)),
            "small αλ",
        ),
        "exponential": (
            lambda w, alpha, lam: (w - math.copysign(alpha, w), w * math.exp(-alpha * lam)),
            "very small steps",
        ),
        "nearly alpha": (
            lambda w, alpha, lam: (w - 0.98 * alpha * np.sign(w), w - alpha * lam * w),
            "result 1 of 2",
        ),
        "grows": (lambda w, alpha, lam: (w + alpha * np.sign(w), w + alpha * lam * w), "1 of 2"),
        "twice": (
            lambda w, alpha, lam: (w - alpha * np.sign(w), w - 2 * alpha * lam * w),
            "result 2 of 2",
        ),
        "a proximal step": (
            lambda w, alpha, lam: (np.sign(w) * max(abs(w) - alpha, 0), w - alpha * lam * w),
            "may cross zero",
        ),
        "stops at zero": (
            lambda w, alpha, lam: (w - alpha * np.sign(w), np.sign(w) * (abs(w) - alpha * lam)),
            "result 2 of 2",
        ),
    },
    "q4": {
        "noise added": (lambda a, u, rate: a + u - rate, "one of your numbers is"),
        "root": (lambda a, u, rate: a * (u >= rate) / np.sqrt(1 - rate), "one of your numbers is"),
        "mean kept": (lambda a, u, rate: a * (u >= rate) + rate * a.mean(), "one of your numbers"),
        "on the edge": (lambda a, u, rate: a * (u > rate) / (1 - rate), "equals rate"),
        "all": (lambda a, u, rate: a / (1 - rate), "one of your numbers is"),
        "transposed": (
            lambda a, u, rate: (a * (u >= rate) / (1 - rate)).T,
            "three rows and two columns",
        ),
    },
    "q5": {
        "median": (
            lambda loss: np.median(np.stack([loss[loss.mean(1).argmin()]])),
            "you give",
        ),
        "last row": (lambda loss: loss[-1].mean(), "you give"),
        "chosen by all": (lambda loss: loss[loss.mean(axis=1).argmin()].mean(), "row means"),
        "mean of all": (lambda loss: loss.mean(), "you give"),
        "even and odd": (
            lambda loss: all_at_once(loss[:, np.r_[0 : loss.shape[1] : 2, 1 : loss.shape[1] : 2]]),
            "you give",
        ),
        "two numbers": (lambda loss: (loss.mean(), loss.mean()), "instead of one number"),
    },
    "q6": {
        "one wrong": ({**q6.answer, "d": False}, "none of them"),
        "forced": ({**q6.answer, "a": True}, "five of the six are right"),
        "decay": ({**q6.answer, "f": True}, "five of the six are right"),
        "turned": ({name: not value for name, value in q6.answer.items()}, "none of the six"),
        "all": (dict.fromkeys("abcdef", True), "not everything"),
    },
}


def test_the_honest_judge_is_on_average_right_where_all_choices_are_equal_and_the_best_is_not():
    draws = np.random.default_rng(1).normal(1, 1, size=(400, 20, 40))
    honest = [q5.answer(loss) for loss in draws]
    assert np.mean(honest) == pytest.approx(1, abs=4 * np.std(honest) / 20)
    assert np.mean([loss.mean(axis=1).min() for loss in draws]) < 0.8


def test_the_scaled_units_keep_their_mean():
    u, a = np.random.default_rng(2).random((20_000, 3)), np.array([[0.5, 2.0, 1.0]])
    kept = q4.answer(np.repeat(a, 20_000, axis=0), u, 0.3).mean(axis=0)
    assert kept == pytest.approx(a[0], rel=0.03)
