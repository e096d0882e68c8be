"""Answers to the exercises of `transfer_learning`; test_exercises.py holds them.

RIGHT are right in other clothes; WRONG pass a case or look right, each with a part of what it is
told.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from course_utils.exercises.transfer_learning import q1, q2, q3, q4, q5

# --- right --------------------------------------------------------------------------------------


def by_correlation(x, y, asked):
    product = np.fft.irfft(np.fft.rfft(x).conj() * np.fft.rfft(asked), len(asked), axis=1)
    return y[np.argmin((x**2).sum(axis=1) - 2 * product.max(axis=1))]


def in_plain_python(x, y, asked):
    best, n = None, len(asked)
    for row, kind in zip(x.tolist(), y.tolist(), strict=True):
        for k in range(n):
            apart = sum((row[i] - float(asked[(i - k) % n])) ** 2 for i in range(n))
            if best is None or apart < best[0]:
                best = apart, kind
    return best[1]


def rows_moved(x, y, asked):
    moved = np.stack([np.roll(x, k, axis=1) for k in range(x.shape[1])])
    return int(y[((moved - asked) ** 2).sum(axis=2).min(axis=0).argmin()])


def in_place(h, y):
    for kind in set(y.tolist()):
        h[y == kind] -= h[y == kind].mean(axis=0)
    return np.einsum("ni,nj->ij", h, h) / len(h)


def by_analysis(h, y):
    """Scikit-learn weighs each kind's covariance by its share."""
    if len(np.unique(y)) == 1:
        return np.cov(h.T, bias=True)
    return LinearDiscriminantAnalysis(solver="lsqr", store_covariance=True).fit(h, y).covariance_


def weighted(h, y):
    kinds, counts = np.unique(y, return_counts=True)
    each = [np.cov(h[y == kind].T, bias=True) for kind in kinds]
    return sum(n * own for n, own in zip(counts, each, strict=True)) / counts.sum()


RIGHT = {
    "q1": {
        "Fourier": by_correlation,
        "plain Python": in_plain_python,
        "rows moved": rows_moved,
        "largest distance turned": lambda x, y, asked: y[
            np.argmax([max(-np.linalg.norm(r - np.roll(asked, -k)) for k in range(99)) for r in x])
        ],
    },
    "q2": {
        "steps": lambda x, m, s: (1e-3 * x - m) * (1 / s),
        "their constants converted": lambda x, m, s: (x - 1000 * m) / (1000 * s),
        "tensor": lambda x, m, s: (tf.constant(x) / 1000 - m) / s,
        "Keras": lambda x, m, s: keras.layers.Normalization(mean=m, variance=s**2)(x / 1000),
    },
    "q3": {
        "floats": {"a": 125.0, "b": 6077.0, "c": 269.0},
        "sums": {"c": 144 + 125, "a": 24 * 5 + 5, "b": 144 + 2 * 2904 + 125},
        "NumPy": {letter: np.int64(n) for letter, n in q3.answer.items()},
    },
    "q4": {
        "in place": in_place,
        "linear discriminant": by_analysis,
        "weighted": weighted,
        "outer products": lambda h, y: (
            sum(
                np.outer(d := row - h[y == kind].mean(axis=0), d)
                for row, kind in zip(h, y, strict=True)
            )
            / len(h)
        ),
    },
    "q5": {
        "words": {name: str(true).lower() for name, true in q5.answer.items()},
        "numbers": {name: int(true) for name, true in q5.answer.items()},
        "another order": {k: np.bool_(v) for k, v in reversed(q5.answer.items())},
    },
}


# --- wrong --------------------------------------------------------------------------------------


WRONG = {
    "q1": {
        "a few shifts": (
            lambda x, y, asked: y[
                np.argmin([min(((r - np.roll(asked, k)) ** 2).sum() for k in range(4)) for r in x])
            ],
            "you give",
        ),
        "ten shifts": (
            lambda x, y, asked: y[
                np.argmin([min(((r - np.roll(asked, k)) ** 2).sum() for k in range(10)) for r in x])
            ],
            "you give",
        ),
        "centred": (
            lambda x, y, asked: q1.answer(
                x - x.mean(axis=1, keepdims=True), y, asked - asked.mean()
            ),
            "you give",
        ),
        "the farthest": (
            lambda x, y, asked: y[
                np.argmax(
                    [
                        min(((r - np.roll(asked, k)) ** 2).sum() for k in range(len(asked)))
                        for r in x
                    ]
                )
            ],
            "you give",
        ),
        "always the first": (lambda x, y, asked: y[0], "you give"),
        "most frequent": (lambda x, y, asked: y.max(), "you give"),
    },
    "q2": {
        "no spread": (lambda x, m, s: x / 1000 - m, "one of your numbers is"),
        "mean added": (lambda x, m, s: (x / 1000 + m) / s, "one of your numbers is"),
        "multiplied": (lambda x, m, s: (x / 1000 - m) * s, "one of your numbers is"),
        "between 0 and 1": (
            lambda x, m, s: (x - x.min()) / (x.max() - x.min()),
            "one of your numbers is",
        ),
    },
    "q3": {
        "all frozen": ({"a": 125, "b": 125, "c": 269}, "In b the first `fit`"),
        "compile forgotten": ({"a": 6077, "b": 6077, "c": 6077}, "One of the three is right"),
        "frozen ones": ({"a": 5952, "b": 0, "c": 5808}, "None of the three"),
        "a letter missing": ({"a": 125, "b": 6077}, "fill in the dictionary"),
    },
    "q4": {
        "of the first kind": (
            lambda h, y: np.cov(h[y == max(y, key=y.tolist().count)].T, bias=True),
            "one of your numbers is",
        ),
        "means of kinds": (
            lambda h, y: np.cov(np.stack([h[y == k].mean(0) for k in np.unique(y)]).T, bias=True),
            "one of your numbers is",
        ),
        "kinds from 0 on": (
            lambda h, y: (
                (
                    rest := h
                    - np.stack([(y == k) @ h / max(1, (y == k).sum()) for k in range(y.max() + 1)])[
                        y
                    ]
                ).T
                @ rest
                / len(h)
            ),
            "Not yet",
        ),
        "signals by signals": (
            lambda h, y: (h - h.mean(0)) @ (h - h.mean(0)).T / len(h),
            "came instead of",
        ),
        "a correlation": (lambda h, y: np.corrcoef(h.T), "one of your numbers is"),
    },
    "q5": {
        "all": (dict.fromkeys(q5.answer, True), "One of the four is right."),
        "none": (dict.fromkeys(q5.answer, False), "One of them breaks no condition"),
        "and half rate": (q5.answer | {"half rate": True}, "Three of the four are right."),
        "digits": (
            dict.fromkeys(q5.answer, True) | {"other shapes": False},
            "do not ask for the same kinds",
        ),
        "a list": (list(q5.answer.values()), "fill in the dictionary"),
    },
}


MADE = {  # known mistakes as a student would write them
    "no shifts": (q1, lambda x, y, a: y[((x - a) ** 2).sum(axis=1).argmin()]),
    "own constants": (q2, lambda x, m, s: (x / x.std()) - x.mean() / x.std()),
    "millivolts": (q2, lambda x, m, s: x / s - m / s),
    "all scatter": (q4, lambda h, y: (h - h.mean(0)).T @ (h - h.mean(0)) / len(h)),
    "not centred": (q4, lambda h, y: np.einsum("ni,nj->ij", h, h) / len(h)),
}


@pytest.mark.parametrize(("name", "made"), MADE.items(), ids=MADE)
def test_mistakes_written_another_way_are_recognised(name, made):
    exercise, answer = made
    passed, message = exercise.verdict(answer)
    assert passed is False
    assert exercise.mistakes[name][1] in message


# --- what the exercises say, tried out ----------------------------------------------------------


def network():
    windows = [keras.layers.Conv1D(24, 5, padding="same") for _ in range(3)]
    head = [keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(5)]
    return keras.Sequential([keras.Input((40, 1)), keras.layers.Identity(), *windows, *head])


def changed_by(model, x, y):
    before = [w.numpy() for w in model.weights]
    model.fit(x, y, verbose=0)
    after = [w.numpy() for w in model.weights]
    return sum((a != b).sum() for a, b in zip(before, after, strict=True))


def test_keras_changes_as_many_weights_as_the_exercise_says():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32, 40, 1)), 10 * rng.normal(size=(32, 5))
    found = {}

    def freeze(model):
        for layer in model.layers[:-1]:
            layer.trainable = False

    model = network()
    freeze(model)
    model.compile("adam", "mse")
    found["a"] = changed_by(model, x, y)
    model.layers[1].trainable = True
    model.compile("adam", "mse")
    found["c"] = changed_by(model, x, y)
    model = network()
    model.compile("adam", "mse")
    model.fit(x, y, verbose=0)
    freeze(model)
    found["b"] = changed_by(model, x, y)
    assert found == q3.answer


def test_whitening_with_the_scatter_makes_it_the_identity():
    h, y = q4.cases[0]
    eigenvalues, V = np.linalg.eigh(q4.answer(h, y))
    white = h @ V / np.sqrt(eigenvalues)
    np.testing.assert_allclose(q4.answer(white, y), np.eye(3), atol=1e-10)
