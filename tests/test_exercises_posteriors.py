"""Answers to the exercises of `posteriors`; test_exercises.py holds them.

RIGHT are right in other clothes; WRONG pass a case or look right, each with a part of what it is
told.
"""

import numpy as np
import scipy.stats
import tensorflow as tf

from course_utils.exercises.posteriors import q1, q2, q3


def dropout_in_loops(a, v, p):
    found = []
    for row in a:
        total = sum((one * weight) ** 2 for one, weight in zip(row, v, strict=True))
        found.append((p * total / (1 - p)) ** 0.5)
    return found


def dropout_simulated(a, v, p, rng=None):
    rng = rng or np.random.default_rng(0)
    masks = (rng.random((10_000, len(v))) > p) / (1 - p)
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
        "NumPy": {name: np.bool_(value) for name, value in q1.answer.items()},
        "ones and zeros": {name: int(value) for name, value in q1.answer.items()},
        "texts": {name: str(value) for name, value in q1.answer.items()},
    },
    "q2": {
        "loops": dropout_in_loops,
        "simulated": dropout_simulated,
        "norm": lambda a, v, p: np.linalg.norm(a * v, axis=1) * np.sqrt(p / (1 - p)),
        "squares": lambda a, v, p: np.sqrt(a**2 @ v**2 * (1 / (1 - p) - 1)),
        "in place": lambda a, v, p: np.sqrt(
            np.square(np.multiply(a, v, out=a)).sum(1) / (1 / p - 1)
        ),
        "TensorFlow": lambda a, v, p: tf.sqrt(p / (1 - p) * tf.reduce_sum((a * v) ** 2, axis=-1)),
    },
    "q3": {
        "one by one": update_by_information,
        "in place": update_in_place,
        "gain": update_by_gain,
        "inverse": lambda mean, precision, Phi, y, sigma: (
            np.linalg.inv(precision + Phi.T @ Phi / sigma**2)
            @ (precision @ mean + Phi.T @ y / sigma**2),
            precision + Phi.T @ Phi / sigma**2,
        ),
        "list": lambda *given: list(q3.answer(*given)),
    },
    "q4": {
        "loops": kurtosis_in_loops,
        "SciPy": scipy.stats.kurtosis,
        "standardised": lambda f: np.mean(((f - np.mean(f)) / np.std(f)) ** 4) - 3,
        "moments": lambda f: scipy.stats.moment(f, 4) / scipy.stats.moment(f, 2) ** 2 - 3,
        "corrected": lambda f: scipy.stats.kurtosis(f, bias=False),
        "z-scores": lambda f: (scipy.stats.zscore(f) ** 4).mean() - 3,
    },
}
WRONG = {
    "q1": {
        "size forgotten": ({**q1.answer, "abs(w1)": False}, "five of the six are right"),
        "sum": ({**q1.answer, "w1 + w2": True}, "five of the six are right"),
        "turned": (
            {name: not value for name, value in q1.answer.items()},
            "none of the six is right",
        ),
    },
    "q2": {
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
    "q3": {
        "mean only": (lambda *given: q3.answer(*given)[0], "came instead of two arrays"),
        "exchanged": (lambda *given: q3.answer(*given)[::-1], "came instead of"),
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
                q3.answer(mean, precision, Phi, y, sigma)[0],
                np.linalg.inv(np.linalg.inv(precision) + Phi.T @ Phi / sigma**2),
            ),
            "result 2 of 2",
        ),
        "wrong side": (
            lambda mean, precision, Phi, y, sigma: (
                q3.answer(mean, precision, Phi, y, sigma)[0],
                precision + Phi @ Phi.T / sigma**2,
            ),
            "",
        ),
    },
    "q4": {
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


def test_a_simulation_is_accepted_whatever_the_seed():
    rngs = map(np.random.default_rng, range(20))
    passed = [q2.verdict(lambda *given, rng=rng: dropout_simulated(*given, rng))[0] for rng in rngs]
    assert sum(passed) >= 19
