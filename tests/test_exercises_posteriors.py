"""Answers to the exercises of `posteriors`; test_exercises.py holds them.

RIGHT are right in other clothes; WRONG pass a case or look right, each with a part of what it is
told.
"""

import math

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from course_utils.exercises.posteriors import q1, q2, q3, q4, q5


def sd_in_loops(J, C):
    found = []
    for row in J:
        variance = 0
        for i in range(len(row)):
            for j in range(len(row)):
                variance += row[i] * row[j] * C[i][j]
        found.append(math.sqrt(variance))
    return found


def sd_simulated(J, C, rng=None):
    rng = rng or np.random.default_rng(0)
    w = rng.multivariate_normal(np.zeros(len(C)), C, size=20_000)
    return (w @ J.T).std(axis=0)


def sd_by_root(J, C):
    return np.linalg.norm(J @ np.linalg.cholesky(C), axis=1)


def dropout_in_loops(a, v, p):
    found = []
    for row in a:
        total = sum((one * weight) ** 2 for one, weight in zip(row, v, strict=True))
        found.append((p * total / (1 - p)) ** 0.5)
    return found


def dropout_simulated(a, v, p, rng=None):
    rng = rng or np.random.default_rng(0)
    masks = (rng.random((200_000, len(v))) > p) / (1 - p)
    return ((masks * v) @ a.T).std(axis=0)


def update_by_information(mean, precision, Phi, y, sigma):
    linear = precision @ mean
    for row, target in zip(Phi, y, strict=True):
        precision = precision + np.outer(row, row) / sigma**2
        linear = linear + row * target / sigma**2
    return np.linalg.inv(precision) @ linear, precision


def update_in_place(mean, precision, Phi, y, sigma):
    linear = precision @ mean + Phi.T @ y / sigma**2
    precision += Phi.T @ Phi / sigma**2
    return np.linalg.solve(precision, linear), precision


def update_by_gain(mean, precision, Phi, y, sigma):
    C = np.linalg.inv(precision)
    gain = C @ Phi.T @ np.linalg.inv(Phi @ C @ Phi.T + sigma**2 * np.eye(len(y)))
    return mean + gain @ (y - Phi @ mean), precision + Phi.T @ Phi / sigma**2


def kurtosis_in_loops(f):
    mean = sum(f) / len(f)
    second = sum((x - mean) ** 2 for x in f) / len(f)
    return sum((x - mean) ** 4 for x in f) / len(f) / second**2 - 3


RIGHT = {
    "q1": {
        "loops": sd_in_loops,
        "simulated": sd_simulated,
        "root": sd_by_root,
        "diagonal": lambda J, C: np.sqrt(np.diag(J @ C @ J.T)),
        "einsum": lambda J, C: np.einsum("mi,ij,mj->m", J, C, J) ** 0.5,
        "TensorFlow": lambda J, C: tf.sqrt(tf.reduce_sum((J @ C) * J, axis=1)),
        "comprehension": lambda J, C: [math.sqrt(row @ C @ row) for row in J],
    },
    "q2": {
        "NumPy": {name: np.bool_(value) for name, value in q2.answer.items()},
        "ones and zeros": {name: int(value) for name, value in q2.answer.items()},
        "texts": {name: str(value) for name, value in q2.answer.items()},
    },
    "q3": {
        "loops": dropout_in_loops,
        "simulated": dropout_simulated,
        "norm": lambda a, v, p: np.linalg.norm(a * v, axis=1) * np.sqrt(p / (1 - p)),
        "squares": lambda a, v, p: np.sqrt(a**2 @ v**2 * (1 / (1 - p) - 1)),
        "in place": lambda a, v, p: np.sqrt(
            np.square(np.multiply(a, v, out=a)).sum(1) / (1 / p - 1)
        ),
        "TensorFlow": lambda a, v, p: tf.sqrt(p / (1 - p) * tf.reduce_sum((a * v) ** 2, axis=-1)),
    },
    "q4": {
        "one by one": update_by_information,
        "in place": update_in_place,
        "gain": update_by_gain,
        "inverse": lambda mean, precision, Phi, y, sigma: (
            np.linalg.inv(precision + Phi.T @ Phi / sigma**2)
            @ (precision @ mean + Phi.T @ y / sigma**2),
            precision + Phi.T @ Phi / sigma**2,
        ),
        "list": lambda *given: list(q4.answer(*given)),
    },
    "q5": {
        "loops": kurtosis_in_loops,
        "SciPy": scipy.stats.kurtosis,
        "standardised": lambda f: np.mean(((f - np.mean(f)) / np.std(f)) ** 4) - 3,
        "moments": lambda f: scipy.stats.moment(f, 4) / scipy.stats.moment(f, 2) ** 2 - 3,
        "z-scores": lambda f: (scipy.stats.zscore(f) ** 4).mean() - 3,
    },
}
WRONG = {
    "q1": {
        "first input only": (lambda J, C: np.sqrt(J[:1] @ C @ J[0]), "came instead of three"),
        "other axis": (lambda J, C: np.sqrt(np.sum((J @ C * J) ** 1, axis=0)), "instead of"),
        "C forgotten": (lambda J, C: np.linalg.norm(J, axis=1), "one of your numbers is"),
        "trace": (lambda J, C: np.sqrt(np.trace(J @ C @ J.T)), "one number came"),
        "root of C": (lambda J, C: np.linalg.norm(J @ C, axis=1), "one of your numbers is"),
        "largest": (lambda J, C: np.sqrt(np.abs(J @ C @ J.T).max(axis=1)), "too large"),
        "squared": (lambda J, C: np.sum(J @ C @ C * J, axis=1) ** 0.5, "one of your numbers"),
    },
    "q2": {
        "size forgotten": ({**q2.answer, "abs(w1)": False}, "five of the six are right"),
        "sum": ({**q2.answer, "w1 + w2": True}, "five of the six are right"),
        "turned": (
            {name: not value for name, value in q2.answer.items()},
            "none of the six is right",
        ),
    },
    "q3": {
        "probability of staying": (
            lambda a, v, p: np.sqrt(p * np.sum((a * v) ** 2, axis=1)),
            "too small",
        ),
        "no square of v": (
            lambda a, v, p: np.sqrt(p / (1 - p) * np.sum(a**2 * np.abs(v), axis=1)),
            "one of your numbers is",
        ),
        "over the inputs": (
            lambda a, v, p: np.sqrt(p / (1 - p) * np.sum((a * v) ** 2, axis=0)),
            "instead of",
        ),
        "mean over the units": (
            lambda a, v, p: np.sqrt(p / (1 - p) * np.mean((a * v) ** 2, axis=1)),
            "too small",
        ),
        "saturated": (
            lambda a, v, p: np.sqrt(p / (1 - p) * np.sum(v**2)) * np.ones(len(a)),
            "one of your numbers is",
        ),
    },
    "q4": {
        "mean only": (lambda *given: q4.answer(*given)[0], "came instead of two arrays"),
        "exchanged": (lambda *given: q4.answer(*given)[::-1], "came instead of"),
        "average of means": (
            lambda mean, precision, Phi, y, sigma: (
                (mean + np.linalg.lstsq(Phi, y, rcond=None)[0]) / 2,
                precision + Phi.T @ Phi / sigma**2,
            ),
            "one of your numbers is",
        ),
        "times the noise": (
            lambda mean, precision, Phi, y, sigma: (
                np.linalg.solve(
                    precision + Phi.T @ Phi * sigma**2, precision @ mean + Phi.T @ y * sigma**2
                ),
                precision + Phi.T @ Phi * sigma**2,
            ),
            "one of your numbers is",
        ),
        "covariances added": (
            lambda mean, precision, Phi, y, sigma: (
                q4.answer(mean, precision, Phi, y, sigma)[0],
                np.linalg.inv(np.linalg.inv(precision) + Phi.T @ Phi / sigma**2),
            ),
            "result 2 of 2",
        ),
        "wrong side": (
            lambda mean, precision, Phi, y, sigma: (
                q4.answer(mean, precision, Phi, y, sigma)[0],
                precision + Phi @ Phi.T / sigma**2,
            ),
            "",
        ),
    },
    "q5": {
        "root": (lambda f: np.mean((f - f.mean()) ** 4) ** 0.5 / np.var(f) - 3, "too small"),
        "absolute": (lambda f: np.mean(np.abs(f - f.mean()) ** 3) / np.std(f) ** 3 - 3, "too"),
        "median": (
            lambda f: np.mean((f - np.median(f)) ** 4) / np.mean((f - np.median(f)) ** 2) ** 2 - 3,
            "you give",
        ),
        "minus one": (lambda f: scipy.stats.kurtosis(f) + 2, "too large"),
        "each": (lambda f: ((f - f.mean()) / f.std()) ** 4 - 3, "came instead of one"),
    },
}


@pytest.mark.parametrize(("exercise", "answer"), [(q1, sd_simulated), (q3, dropout_simulated)])
def test_a_simulation_is_accepted_whatever_the_seed(exercise, answer):
    rngs = map(np.random.default_rng, range(20))
    passed = [exercise.verdict(lambda *given, rng=rng: answer(*given, rng))[0] for rng in rngs]
    assert sum(passed) >= 19


def test_excess_kurtosis_with_a_correction_for_small_samples_is_accepted_but_in_the_first_case():
    corrected = scipy.stats.kurtosis(np.random.default_rng(5).laplace(size=4_000), bias=False)
    plain = q5.answer(np.random.default_rng(5).laplace(size=4_000))
    assert corrected == pytest.approx(plain, rel=0.02)
