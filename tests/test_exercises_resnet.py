"""Answers to the exercises of `resnet`, and what they say, tried out; test_exercises.py holds them.

RIGHT are right in other clothes; WRONG pass a case or look right, each with a part of what it is
told.
"""

import math
from itertools import pairwise

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from course_utils.exercises.resnet import q1, q2, q3, q4, q5, q6
from course_utils.lessons.resnet import network

# --- right --------------------------------------------------------------------------------------


def by_tensorflow(x, filters):
    return tf.pad(x[:, 1::2, 1::2], ((0, 0), (0, 0), (0, 0), (0, filters - x.shape[-1])))


def into_zeros(x, filters):
    out = np.zeros((len(x), x.shape[1] // 2, x.shape[2] // 2, filters), "float32")
    out[..., : x.shape[-1]] = x[:, 1::2, 1::2]
    x[...] = 7
    return out


def by_concatenating(x, filters):
    small = x[:, 1::2, 1::2, :]
    return np.concatenate([small, np.zeros((*small.shape[:3], filters - x.shape[3]))], axis=3)


def by_a_convolution(x, filters):
    kernel = np.zeros((3, 3, x.shape[-1], filters))
    for c in range(x.shape[-1]):
        kernel[1, 1, c, c] = 1
    return tf.nn.conv2d(x, kernel, 2, "SAME")


def number_by_number(dy, y, J):
    out = []
    for j in range(len(dy)):
        slope = sum(((i == j) + J[i, j]) * dy[i] for i in range(len(dy)) if y[i] > 0)
        out.append(slope)
    return out


def in_place(dy, y, J):
    dy[y <= 0] = 0
    dy += dy @ J
    return dy


def by_the_whole_matrix(dy, y, J):
    return (np.eye(len(y)) + J).T @ np.where(y > 0, dy, 0)


def stage_by_stage(depth, filters, channels, classes, projection):
    n, total, before = (depth - 2) / 6, 9 * channels * filters[0] + 2 * filters[0], filters[0]
    for f in filters:
        total += 9 * before * f + (2 * n - 1) * 9 * f**2 + 2 * n * 2 * f
        if projection and f is not filters[0]:
            total += before * f + 2 * f
        before = f
    return np.float64(total + before * classes + classes)


def block_by_block(depth, filters, channels, classes, projection):
    a, total = channels, 0
    for b in [filters[0]] + [f for f in filters for _ in range((depth - 2) // 3)]:
        total += a * b * 3 * 3 + b + b
        a = b
    if projection:
        total += filters[1] * (filters[0] + 2) + filters[2] * (filters[1] + 2)
    return [total + a * classes + classes]


def in_closed_form(depth, filters, channels, classes, projection):
    f, n = np.asarray(filters), (depth - 2) // 6
    convolutions = 9 * channels * f[0] + 9 * ((2 * n - 1) * f**2).sum()
    convolutions += (9 + int(projection)) * (f[0] * f[1] + f[1] * f[2]) + 9 * f[0] ** 2
    total = convolutions + 2 * f[0] + 2 * 2 * n * f.sum() + (f[2] + 1) * classes
    return total + 2 * (f[1] + f[2]) * bool(projection)


def by_counting(side):
    padded = np.pad(np.ones((side, side)), 1)
    rows = range(side)
    return sum(padded[r : r + 3, c : c + 3].sum() for r in rows for c in rows) / (9 * side**2)


def simulated_paths(n, longest, rng=None, paths=400_000):
    through = (rng or np.random.default_rng(0)).binomial(n, 0.5, size=paths)
    return np.mean(through <= longest)


RIGHT = {
    "q1": {
        "TensorFlow": by_tensorflow,
        "into zeros": into_zeros,
        "concatenated": by_concatenating,
        "a convolution": by_a_convolution,
    },
    "q2": {
        "number by number": number_by_number,
        "in place": in_place,
        "the whole matrix": by_the_whole_matrix,
        "sign": lambda dy, y, J: np.sign(y) * dy + (np.sign(y) * dy) @ J,
        "TensorFlow": lambda dy, y, J: tf.linalg.matvec(
            J + np.eye(len(y)), tf.where(y > 0, dy, 0 * dy), transpose_a=True
        ),
    },
    "q6": {
        "stage by stage": stage_by_stage,
        "block by block": block_by_block,
        "closed form": in_closed_form,
    },
    "q3": {
        "counted": by_counting,
        "two digits": lambda side: round((1 - 2 / 3 / side) ** 2, 2),
        "squared": lambda side: (1 - 2 / 3 / side) ** 2,
        "kinds of pixels": lambda s: (
            1 / 9 if s == 1 else (9 * (s - 2) ** 2 + 4 * 6 * (s - 2) + 4 * 4) / (9 * s**2)
        ),
        "list": lambda side: [(3 * side - 2) ** 2 / 9 / side**2],
    },
    "q4": {
        "SciPy": lambda n, longest: stats.binom.cdf(longest, n, 0.5),
        "from the other end": lambda n, longest: (
            sum(math.comb(n, k) for k in range(n - longest, n + 1)) * 0.5**n
        ),
        "simulated": simulated_paths,
    },
    "q5": {
        "words": dict(a="false", b="False", c="True.", d="true", e="TRUE", f="False"),
        "numbers": {letter: int(true) for letter, true in q5.answer.items()},
        "another order": {k: np.bool_(v) for k, v in reversed(q5.answer.items())},
    },
}


# --- wrong --------------------------------------------------------------------------------------


def right_for(is_so, right, otherwise):
    return lambda *given: (right if is_so(*given) else otherwise)(*given)


def one_more(*network):
    return q6.answer(*network) + 1


WRONG = {
    "q1": {
        "always doubled": (lambda x, f: q1.answer(x, 2 * x.shape[-1]), "came instead of"),
        "no channel to add": (
            right_for(lambda x, f: f > x.shape[-1], q1.answer, lambda x, f: 0 * x[:, ::2, ::2]),
            "one of your numbers is 0",
        ),
        "never below 0": (lambda x, f: np.maximum(q1.answer(x, f), 0), "one of your numbers is 0"),
        "edge": (
            lambda x, f: np.pad(x[:, 1::2, 1::2], [(0, 0)] * 3 + [(0, f - x.shape[-1])], "edge"),
            "one of your numbers",
        ),
        "from the end": (
            lambda x, f: q1.answer(x[:, ::-1, ::-1], f)[:, ::-1, ::-1],
            "one pixel off",
        ),
        "doubled": (lambda x, f: 2 * q1.answer(x, f), "too large"),
    },
    "q2": {
        "dy itself": (lambda dy, y, J: dy, "one of your numbers"),
        "element by element": (lambda dy, y, J: dy * (y > 0) * (1 + np.diag(J)), "your numbers"),
        "shortcut only": (lambda dy, y, J: dy * (y > 0), "one of your numbers"),
        "times y": (lambda dy, y, J: dy * y + J.T @ (dy * y), "one of your numbers"),
        "a sum": (lambda dy, y, J: q2.answer(dy, y, J).sum(), "one number came instead of"),
        "minus": (lambda dy, y, J: dy * (y > 0) - J.T @ (dy * (y > 0)), "one of your numbers"),
    },
    "q6": {
        "one too many": (one_more, "for depth = 20"),
        "one of half a million": (
            right_for(lambda depth, *_: depth < 56, q6.answer, one_more),
            "for depth = 56, filters = (16, 32, 64), channels = 3",
        ),
        "doubling filters": (
            lambda depth, f, *others: q6.answer(depth, (f[0], 2 * f[0], 4 * f[0]), *others),
            "for depth = 8, filters = (3, 5, 9)",
        ),
        "ten classes": (lambda *given: q6.answer(*given[:3], 10, given[4]), "classes = 4"),
        "text": (lambda *network: str(q6.answer(*network)), "a text came instead of one number"),
    },
    "q3": {
        "two by two": (lambda side: (side / (side + 1)) ** 2, "which is too"),
        "everything": (lambda side: 1, "too large"),
        "area": (lambda side: side**2 / (side + 2) ** 2, "which is too"),
        "on a line": (lambda side: 1 - 2 / side**2, "you give"),
        "count": (lambda side: (3 * side - 2) ** 2, "too large"),
    },
    "q4": {
        "halves": (lambda n, longest: 0.5, "for n = 2"),
        "a power": (lambda n, longest: 2.0 ** (longest - n), "you give"),
        "permutations": (
            lambda n, longest: sum(math.perm(n, k) for k in range(longest + 1)) / 2**n,
            "too large",
        ),
        "few tosses": (lambda n, longest: simulated_paths(n, longest, paths=50), "you give"),
        "of all": (lambda n, longest: longest / n, "you give"),
    },
    "q5": {
        "a letter missing": ({"a": False}, "fill in the dictionary of the cell"),
        "one more": (q5.answer | {"a": True}, "Five of the six are right. Take them word by word"),
        "one less": (q5.answer | {"d": False}, "Five of the six are right. Take them word by word"),
        "no truth": (q5.answer | {"e": "perhaps"}, "E: answer with one of these"),
        "a list": (list(q5.answer.values()), "fill in the dictionary of the cell"),
    },
}


def test_simulated_paths_are_accepted_whatever_the_seed():
    rngs = map(np.random.default_rng, range(20))
    passed = [q4.verdict(lambda *given, rng=rng: simulated_paths(*given, rng))[0] for rng in rngs]
    assert sum(passed) >= 19


# --- what the exercises say, tried out ----------------------------------------------------------


def test_the_shortcut_takes_the_pixels_of_the_branch_and_needs_no_weights():
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 16)).astype("float32")
    np.testing.assert_allclose(q1.answer(x, 32), by_a_convolution(x, 32), atol=1e-6)
    assert np.abs(q1.mistakes["even pixels"][0](x, 32) - by_a_convolution(x, 32)).max() > 1
    assert network(8).count_params() == network(8, residual=False).count_params()


def test_the_way_back_is_that_of_the_tape():
    rng = np.random.default_rng(1)
    x, dy, A = rng.normal(size=6) ** 2, rng.normal(size=6), rng.normal(size=(6, 6))
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.nn.relu(x + tf.tanh(tf.linalg.matvec(A, x)))
    J = (1 - np.tanh(A @ x.numpy()) ** 2)[:, None] * A
    np.testing.assert_allclose(tape.gradient(y, x, dy), q2.answer(dy, y.numpy(), J), rtol=1e-9)


def trainable(depth, filters, channels, classes, projection):
    """Count in Keras: the plain network has the same parameters, but for projections."""
    layers = keras.layers

    def block(sizes):
        for a, b, size in sizes:
            yield from (keras.Input((8, 8, a)), layers.Conv2D(b, size, use_bias=False))
            yield layers.BatchNormalization()

    sizes = [channels, filters[0], *(f for f in filters for _ in range((depth - 2) // 3))]
    convolutions = [(a, b, 3) for a, b in pairwise(sizes)]
    if projection:
        convolutions += [(a, b, 1) for a, b in pairwise(filters)]
    models = [keras.Sequential(list(block([one]))) for one in convolutions]
    models.append(keras.Sequential([keras.Input((filters[-1],)), layers.Dense(classes)]))
    return sum(int(np.prod(w.shape)) for model in models for w in model.trainable_weights)


@pytest.mark.parametrize(
    "case",
    [(8, (8, 16, 32), 1, 10, False), (14, (4, 4, 6), 3, 7, True), (8, (3, 5, 9), 2, 4, True)],
)
def test_the_count_is_that_of_keras(case):
    assert q6.answer(*case) == trainable(*case)


def test_the_count_is_that_of_the_full_network():
    model = network(20)
    total = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert q6.answer(20, (16, 32, 64), 3, 10, False) == total
    moving = q6.mistakes["moving averages"][0](20, (16, 32, 64), 3, 10, False)
    assert moving == model.count_params()


def test_most_parameters_are_in_the_last_stage_and_projections_add_little():
    for depth in (8, 20, 56):
        without = q6.answer(depth, (8, 16, 0), 1, 0, False)
        assert without < 0.3 * q6.answer(depth, (8, 16, 32), 1, 10, False)
    ratio = q6.answer(56, (8, 16, 32), 1, 10, True) / q6.answer(56, (8, 16, 32), 1, 10, False)
    assert 1 < ratio < 1.01


def test_the_edge_takes_as_much_of_the_mean_square():
    rng = np.random.default_rng(2)
    for side in (2, 4, 8):
        x = rng.normal(size=(200, side, side, 16))
        kernel = rng.normal(size=(3, 3, 16, 64)) / (9 * 16) ** 0.5
        z = tf.nn.conv2d(x, kernel, 1, "SAME").numpy()
        np.testing.assert_allclose((z**2).mean(), q3.answer(side), rtol=0.06)


def test_most_paths_are_half_as_long_as_the_network():
    assert q4.answer(27, 17) - q4.answer(27, 9) > 0.85
    assert q4.answer(27, 20) > 0.99
