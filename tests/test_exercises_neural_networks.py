"""Answers to the exercises of `neural_networks`, held by test_exercises.py, and what they say.

RIGHT are right in other clothes; WRONG pass a case or look right, each with a part of what it is
told. Below that, what the exercises say is tried out.
"""

from itertools import pairwise

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf

from course_utils.exercises import _neural_networks_further as further
from course_utils.exercises.neural_networks import q1, q2, q3, q4, q5, q6, q7

# --- other ways to be right ---------------------------------------------------------------------


def gradient_in_single_precision(w, b, X, y):
    w, X, y = (part.astype("float32") for part in (w, X, y))
    return tf.linalg.matvec(X, tf.sigmoid(w @ X + b) - y) / len(y)


def gradient_in_loops(w, b, X, y):
    total = [0.0] * len(w)
    for x_i, y_i in zip(X.T, y, strict=True):
        a = 0.5 * (1 + np.tanh((w @ x_i + b) / 2))
        total = [t + (a - y_i) * x / len(y) for t, x in zip(total, x_i, strict=True)]
    return total


def log_loss(w, b, X, y):
    z = w @ X + b
    return np.mean(np.logaddexp(0, z) - y * z)


def gradient_by_nudging(w, b, X, y):
    return slope(lambda w: log_loss(w, b, X, y), w)


def gradient_by_tape(w, b, X, y):
    w = tf.Variable(w)
    with tf.GradientTape() as tape:
        a = tf.sigmoid(tf.linalg.matvec(X, w, transpose_a=True) + b)
        J = -tf.reduce_mean(y * tf.math.log(a) + (1 - y) * tf.math.log(1 - a))
    return tape.gradient(J, w)


def count_by_keras(sizes):
    first, *others = sizes
    model = keras.Sequential([keras.Input((first,)), *map(keras.layers.Dense, others)])
    return np.float32(model.count_params())


def count_in_a_loop(sizes):
    total = 0
    for i in range(1, len(sizes)):
        total += sizes[i - 1] * sizes[i]
        total += sizes[i]
    return total


def collapse_from_behind(W, b):
    W, b, W_all, b_all = W[:], b[:], np.eye(len(W[-1])), 0
    while W:
        b_all = b_all + W_all @ b.pop()
        W_all = W_all @ W.pop()
    return [W_all.tolist(), b_all.astype("float32")]


def collapse_by_trying(W, b):
    def network(x):
        for W_l, b_l in zip(W, b, strict=True):
            x = W_l @ x + b_l
        return x

    b_all = network(np.zeros((W[0].shape[1], 1)))
    return network(np.eye(W[0].shape[1])) - b_all, b_all


def collapse_by_recursion(W, b):
    if len(W) == 1:
        return W[0], b[0]
    return collapse_by_recursion([W[1] @ W[0], *W[2:]], [W[1] @ b[0] + b[1], *b[2:]])


def softmax_in_place(Z):
    Z -= Z.max(axis=0, keepdims=True)
    np.exp(Z, out=Z)
    Z /= Z.sum(axis=0)
    return Z


def softmax_by_columns(Z):
    columns = []
    for z in Z.T:
        e = np.exp(z - max(z))
        columns.append(e / sum(e))
    return np.stack(columns, axis=1)


def back_in_place(dZ, W, Z_prev):
    A_prev = np.tanh(Z_prev, out=Z_prev)
    return (dZ.T @ W).T * (1 - A_prev**2)


def back_by_keras(dZ, W, Z_prev):
    Z_prev = tf.constant(Z_prev, "float32")
    with tf.GradientTape() as tape:
        tape.watch(Z_prev)
        total = tf.reduce_sum(dZ.astype("float32") * (W.astype("float32") @ tf.tanh(Z_prev)))
    return tape.gradient(total, Z_prev)


def back_in_loops(dZ, W, Z_prev):
    result = np.zeros(Z_prev.shape)
    for j, k in np.ndindex(Z_prev.shape):
        for i in range(len(W)):
            result[j, k] += W[i, j] * dZ[i, k] * (1 - np.tanh(Z_prev[j, k]) ** 2)
    return result


def step_by_tape(W1, W2, x, y, alpha):
    weights = [tf.Variable(W1), tf.Variable(W2)]
    with tf.GradientTape() as tape:
        cost = tf.reduce_sum((weights[1] @ tf.tanh(weights[0] @ x) - y) ** 2) / 2 / x.shape[1]
    slopes = tape.gradient(cost, weights)
    return [w - alpha * slope for w, slope in zip(weights, slopes, strict=True)]


def step_on_copies(W1, W2, x, y, alpha):
    W1, W2 = (part.astype("float32").copy() for part in (W1, W2))
    a1 = np.tanh(W1 @ x)
    dz2 = (W2 @ a1 - y) / len(x.T)
    W1 -= alpha * ((W2.T @ dz2) * (1 - a1**2)) @ x.T
    W2 -= alpha * dz2 @ a1.T
    return W1.tolist(), W2


def step_by_nudging(W1, W2, X, Y, alpha):
    def cost(W1, W2):
        return ((W2 @ np.tanh(W1 @ X) - Y) ** 2).sum() / (2 * X.shape[1])

    dW1, dW2 = slope(lambda W: cost(W, W2), W1), slope(lambda W: cost(W1, W), W2)
    return W1 - alpha * dW1, W2 - alpha * dW2


def step_into_memory(W1, W2, X, Y, alpha):
    new_W1, new_W2 = W1.copy(), W2.copy()
    A1 = np.tanh(W1 @ X)
    dZ2 = (W2 @ A1 - Y) / len(Y.T)
    new_W2 -= alpha * np.einsum("im,jm->ij", dZ2, A1)
    new_W1 -= alpha * np.einsum("im,ij,jm,km->jk", dZ2, W2, 1 - A1 * A1, X)
    return new_W1, new_W2


STARTS = {  # W1 and W2; the biases start at 0
    "all weights 0": lambda rng: (np.zeros((4, 3)), np.zeros((1, 4))),
    "two units alike, the others random": lambda rng: (
        rng.normal(size=(3, 3))[[0, 0, 1, 2]],
        rng.normal(size=(1, 3))[:, [0, 0, 1, 2]],
    ),
    "W1 all equal, W2 random": lambda rng: (np.full((4, 3), 0.5), rng.normal(size=(1, 4))),
    "W1 random, W2 all equal": lambda rng: (rng.normal(size=(4, 3)), np.full((1, 4), 0.5)),
}


def descended(W1, W2, X, y, steps=100, alpha=0.5):
    """Return the weights of the hidden units, in and out, one row for each unit."""
    b1, b2 = np.zeros((4, 1)), np.zeros((1, 1))
    for _ in range(steps):
        A1 = np.tanh(W1 @ X + b1)
        dZ2 = (scipy.special.expit(W2 @ A1 + b2) - y) / X.shape[1]
        dZ1 = (W2.T @ dZ2) * (1 - A1**2)
        W2, b2 = W2 - alpha * dZ2 @ A1.T, b2 - alpha * dZ2.sum(axis=1, keepdims=True)
        W1, b1 = W1 - alpha * dZ1 @ X.T, b1 - alpha * dZ1.sum(axis=1, keepdims=True)
    return np.hstack([W1, b1, W2.T]), b2


def trained(start):
    """How many different hidden units a network has after a hundred steps."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3, 50))
    units, _ = descended(*STARTS[start](rng), X, (X[0] > X[1] * X[2]).astype(float))
    return len(np.unique(units.round(6), axis=0))


# --- nearly right -------------------------------------------------------------------------------


def rows(w, b, X, y):
    return (scipy.special.expit(X @ w + b) - y) @ X / len(y)


def with_the_bias(w, b, X, y):
    error = scipy.special.expit(w @ X + b) - y
    return X @ error / len(y), error.mean()


def three_sizes(sizes):
    n0, n1, n2 = sizes
    return (n0 + 1) * n1 + (n1 + 1) * n2


def two_layers(W, b):
    return W[1] @ W[0], W[1] @ b[0] + b[1]


def collapse_that_pops(W, b):
    result = W.pop(0), b.pop(0)
    while W:
        result = W[0] @ result[0], W.pop(0) @ result[1] + b.pop(0)
    return result


def collapse_that_writes(W, b):
    for W_l, before, b_l in zip(W[1:], b[:-1], b[1:], strict=True):
        b_l += W_l @ before
    return q6.answer(W, b)[0], b[-1]


def collapse_into_the_lists(W, b):
    W[0], b[0] = q6.answer(W, b)
    return W[0], b[0]


def product_of_square_ones(W, b):
    same = len({W_l.shape for W_l in W}) == 1
    return q6.answer(W, b) if same else q6.answer(W[:1] + W[2:], b[:1] + b[2:])


def flat_bias(W, b):
    W_all, b_all = q6.answer(W, b)
    return W_all, b_all[:, 0]


def naive(Z):
    return np.exp(Z) / np.exp(Z).sum(axis=0)


def shifted_where_large(Z):
    return q3.answer(Z) if Z.max() > 700 else naive(Z)


def softmax_of_two_classes(Z):
    e = np.exp(Z - Z.max(axis=0))
    return e / e.sum(axis=0, keepdims=True) if len(Z) == 2 else e / e.sum(axis=-1, keepdims=True)


def transposed_only_where_it_must(dZ, W, Z_prev):
    return (W if len(W) == W.shape[1] else W.T) @ dZ * (1 - np.tanh(Z_prev) ** 2)


def updates_in_place_on_the_way(W1, W2, x, y, alpha):
    a1 = np.tanh(W1 @ x)
    dz2 = (W2 @ a1 - y) / x.shape[1]
    W2 -= alpha * dz2 @ a1.T
    W1 -= alpha * ((W2.T @ dz2) * (1 - a1**2)) @ x.T
    return W1, W2


def only_W2_climbs(*given):
    return q7.answer(*given)[0], q7.mistakes["climbs"][0](*given)[1]


def writes_into_W2(W1, W2, *given):
    new_W1, W2[...] = q7.answer(W1, W2, *given)
    return new_W1, W2


def writes_into_X(W1, W2, X, *given):
    new = q7.answer(W1, W2, X, *given)
    X -= X.mean()
    return new


def rate_of_the_first_case(W1, W2, X, Y, alpha):
    return q7.answer(W1, W2, X, Y, 0.5)


def collapse_with_a_border(W, b):
    """Every layer as one matrix, with its biases as a column and a 1 in the corner."""
    product = np.eye(W[0].shape[1] + 1)
    for W_l, b_l in zip(W, b, strict=True):
        corner = np.eye(1, W_l.shape[1] + 1, W_l.shape[1])
        product = np.vstack([np.hstack([W_l, b_l]), corner]) @ product
    return product[:-1, :-1], product[:-1, -1:]


RIGHT = {
    "q1": {
        "single precision": gradient_in_single_precision,
        "a tuple": lambda *given: tuple(q1.answer(*given)),
        "loops": gradient_in_loops,
        "nudging": gradient_by_nudging,
        "tape": gradient_by_tape,
        "mean": lambda w, b, X, y: ((1 / (1 + np.exp(-w @ X - b)) - y) * X).mean(axis=1),
        "chain rule in full": lambda w, b, X, y: np.mean(
            [
                (-y_i / a + (1 - y_i) / (1 - a)) * a * (1 - a) * x
                for x, y_i, a in zip(X.T, y, scipy.special.expit(w @ X + b), strict=True)
            ],
            axis=0,
        ),
    },
    "q2": {
        "Keras": count_by_keras,
        "loop": count_in_a_loop,
        "NumPy": lambda sizes: np.sum((np.array(sizes[:-1]) + 1) * np.array(sizes[1:])),
        "two sums": lambda sizes: sum(a * b for a, b in pairwise(sizes)) + sum(sizes[1:]),
        "dot product": lambda sizes: float(np.dot(np.add(sizes[:-1], 1), sizes[1:])),
    },
    "q6": {
        "from behind": collapse_from_behind,
        "by trying": collapse_by_trying,
        "recursion": collapse_by_recursion,
        "bordered": collapse_with_a_border,
        "lists": lambda W, b: [part.tolist() for part in q6.answer(W, b)],
    },
    "q3": {
        "in place": softmax_in_place,
        "columns": softmax_by_columns,
        "single precision": lambda Z: tf.nn.softmax(Z.astype("float32"), axis=0),
        "SciPy, a list": lambda Z: scipy.special.softmax(Z, axis=0).tolist(),
        "logarithms": lambda Z: np.exp(Z - scipy.special.logsumexp(Z, axis=0)),
        "odds": lambda Z: 1 / np.exp(Z[None] - Z[:, None]).sum(axis=1),
    },
    "q4": {
        "in place": back_in_place,
        "tape, single precision": back_by_keras,
        "loops": back_in_loops,
        "cosh": lambda dZ, W, Z_prev: (W.T @ dZ / np.cosh(Z_prev) ** 2).tolist(),
        "einsum": lambda dZ, W, Z: np.einsum("ij,ik->jk", W, dZ) * (1 - np.tanh(Z) ** 2),
    },
    "q7": {
        "works in place": step_on_copies,  # on its own copies: the old arrays have to stay
        "tape": step_by_tape,
        "nudging": step_by_nudging,
        "new arrays": step_into_memory,
        "lists": lambda *given: [part.tolist() for part in q7.answer(*given)],
    },
    "q5": {
        "single precision": {name: np.float32(n) for name, n in reversed(q5.answer.items())},
        "floats": {name: float(n) for name, n in q5.answer.items()},
        "trained": {start: trained(start) for start in STARTS},
        "arrays": {name: np.array(n) for name, n in q5.answer.items()},
        "whole numbers of NumPy": {name: np.int64(n) for name, n in q5.answer.items()},
    },
}
WRONG = {
    "q1": {
        "one number": (lambda *given: q1.answer(*given).mean(), "one number came instead of two"),
        "as a column": (
            lambda *given: q1.answer(*given)[:, None],
            "an array of two rows and one column came instead of two numbers",
        ),
        "of each example": (
            lambda w, b, X, y: X * (scipy.special.expit(w @ X + b) - y),
            "an array of two rows and four columns came instead of two numbers",
        ),
        "examples as rows": (rows, "stopped with `ValueError: matmul"),
        "slope in b too": (with_the_bias, "asked for alone"),
        "a penalty": (
            lambda w, b, X, y: q1.answer(w, b, X, y) + w / len(y),
            "A term in w is too much",
        ),
        "twice": (lambda *given: 2 * q1.answer(*given), "Follow the chain"),
        "sigmoid without minus": (
            lambda w, b, X, y: X @ (1 / (1 + np.exp(w @ X + b)) - y) / len(y),
            "For w = ",
        ),
        "z for a": (lambda w, b, X, y: X @ (w @ X + b - y) / len(y), "Follow the chain"),
        "four examples": (
            lambda w, b, X, y: X @ (scipy.special.expit(w @ X + b) - y) / 4,
            "b = 0, X = [[",
        ),
    },
    "q2": {
        "bias of the sender": (
            lambda sizes: sum(a * (b + 1) for a, b in pairwise(sizes)),
            "It belongs to the unit that receives",
        ),
        "one bias in all": (
            lambda sizes: sum(a * b for a, b in pairwise(sizes)) + 1,
            "You count one bias in all",
        ),
        "three sizes": (
            three_sizes,
            "stopped with `ValueError: not enough values to unpack (expected 3, got 2)` in the "
            "line `n0, n1, n2 = sizes` for sizes = (3, 1).",
        ),
        "one too many": (lambda sizes: q2.answer(sizes) + 1, "you give 12, which is too large"),
        "one of thousands": (
            lambda sizes: q2.answer(sizes) + (sizes[0] > 9),
            "For sizes = (64, 32, 10), you give 2411",
        ),
        "not a single layer": (
            lambda sizes: q2.answer(sizes) * (len(sizes) > 2),
            "For sizes = (3, 1), you give 0, which is too small.",
        ),
        "no bias at the output": (
            lambda sizes: q2.answer(sizes) - sizes[-1],
            "For sizes = (3, 2, 1), you give 10, which is too small.",
        ),
        "as typed": (lambda sizes: 11, "For sizes = (64, 32, 10)"),
        "each layer": (
            lambda sizes: [(a + 1) * b for a, b in pairwise(sizes)],
            "two numbers came instead of one number",
        ),
    },
    "q6": {
        "a product only": (lambda W, b: W[-1] @ W[0], "came instead of"),
        "for two layers": (two_layers, q6.mistakes["two layers"][1]),
        "takes the lists apart": (collapse_that_pops, "takes entries out of the lists"),
        "writes into arrays": (collapse_that_writes, "writes into the lists"),
        "writes into lists": (collapse_into_the_lists, "writes into the lists"),
        "flat bias": (flat_bias, "two numbers came instead of an array of two rows and one column"),
        "exchanged": (lambda W, b: q6.answer(W, b)[::-1], "in result 1 of 2"),
        "from behind": (lambda W, b: q6.answer(W[::-1], b[::-1]), "stopped with `ValueError"),
        "a minus": (
            lambda W, b: (q6.answer(W, b)[0], -q6.answer(W, b)[1]),
            "Put the first layer's output into the second",
        ),
        "square ones only": (product_of_square_ones, "For sizes = (2, 3, 1), in result 1 of 2"),
        "not a single layer": (
            lambda W, b: q6.answer(W, b) if len(W) > 1 else (0 * W[0], b[0]),
            "in result 1 of 2, one of your numbers is 0",
        ),
    },
    "q3": {
        "rows and columns": (
            lambda Z: q3.answer(Z).T,
            "an array of three rows and two columns came instead of",
        ),
        "the smallest": (
            lambda Z: naive(Z - Z.min(axis=0)),
            "a column of 2000 and −1000 is still too large",
        ),
        "mean of all": (lambda Z: naive(Z - Z.mean()), "is still too large for `np.exp`"),
        "long doubles": (lambda Z: naive(Z.astype(np.longdouble)), "Not yet"),
        "nan to 0": (lambda Z: np.nan_to_num(naive(Z)), "For Z = 2000, one of your numbers is 0"),
        "infinity": (
            lambda Z: np.where(np.abs(Z) < 900, q3.answer(Z), np.inf),
            "there is a number that is not finite",
        ),
        "clipped at 30": (
            lambda Z: q3.answer(np.clip(Z, -30, 30)),
            q3.mistakes["clipped"][1],
        ),
        "where it is large": (shifted_where_large, "2000 survives, −1000 does not"),
        "all columns together": (
            lambda Z: np.exp(Z - Z.max()) / np.exp(Z - Z.max()).sum(),
            "every column adds up to one",
        ),
        "the first": (lambda Z: naive(Z - Z[0]), "You subtract the first number of each column"),
        "the median": (
            lambda Z: naive(Z - np.median(Z, axis=0)),
            "You subtract the middle number of each column",
        ),
        "the last": (lambda Z: naive(Z - Z[-1]), "is still too large for `np.exp`"),
        "divided": (lambda Z: naive(Z / Z.max(axis=0)), "that changes the ratios"),
        "two classes only": (softmax_of_two_classes, "For Z = "),
        "scores doubled": (lambda Z: q3.answer(2 * Z), "The ratios within a column"),
    },
    "q4": {
        "no shape fits": (lambda dZ, W, Z: dZ @ W, "stopped with `ValueError: matmul"),
        "square ones not": (
            transposed_only_where_it_must,
            "W (an array of three rows and three columns)",
        ),
        "one unit only": (lambda dZ, W, Z: W.T * dZ[:1] * (1 - np.tanh(Z) ** 2), "stopped with"),
        "twice": (lambda *given: 2 * q4.answer(*given), "First back through W"),
        "sigmoid": (
            lambda dZ, W, Z: (W.T @ dZ) * scipy.special.expit(Z) * (1 - scipy.special.expit(Z)),
            "First back through W",
        ),
        "one column": (
            lambda dZ, W, Z: q4.answer(dZ, W, Z).sum(axis=1, keepdims=True),
            "an array of three rows and one column came instead of",
        ),
        "matrix product": (
            lambda dZ, W, Z: (W.T @ dZ) @ (1 - np.tanh(Z) ** 2),
            "stopped with `ValueError: matmul",
        ),
    },
    "q7": {
        "in place, on the way": (updates_in_place_on_the_way, q7.mistakes["on the way"][1]),
        "only W2 climbs": (only_W2_climbs, "in result 2 of 2"),
        "exchanged": (
            lambda *given: q7.answer(*given)[::-1],
            "in result 1 of 2, an array of one row and three columns came instead of",
        ),
        "nothing moves": (lambda W1, W2, *given: (W1, W2), "Go back from A2 − Y"),
        "the changes": (
            lambda W1, W2, *given: [
                new - old for new, old in zip(q7.answer(W1, W2, *given), (W1, W2), strict=True)
            ],
            "Those are the changes of the weights",
        ),
        "the gradients": (
            lambda W1, W2, X, Y, alpha: [
                (old - new) / alpha
                for new, old in zip(q7.answer(W1, W2, X, Y, alpha), (W1, W2), strict=True)
            ],
            "Those are the gradients",
        ),
        "three things": (
            lambda *given: (*q7.answer(*given), 0.1),
            "a tuple of three arrays came instead of two arrays",
        ),
        "first case only": (rate_of_the_first_case, "alpha = 1, in result 1 of 2"),
        "mean over all numbers": (
            lambda W1, W2, X, Y, alpha: q7.answer(W1, W2, X, Y, alpha / len(Y)),
            "Go back from A2 − Y",
        ),
        "writes into W2": (writes_into_W2, "writes into the array W2 that it was given"),
        "writes into X": (writes_into_X, "writes into the array X that it was given"),
    },
    "q5": {
        "text": ({**q5.answer, "all weights 0": "one"}, "a text came instead of one number"),
        "several": ({**q5.answer, "all weights 0": [1, 1]}, "all weights 0: two numbers came"),
        "not whole": ({**q5.answer, "all weights 0": 1.5}, "Three of the four are right"),
        "three": ({**q5.answer, "W1 all equal, W2 random": 3}, "Ask for any two of the units"),
        "all alike, all different": (dict.fromkeys(q5.answer, 2), "None of the four is right"),
        "a list": (list(q5.answer.values()), "fill in the dictionary"),
    },
}


# --- what the exercises say, tried out ----------------------------------------------------------


def slope(cost, at, h=1e-6):
    """Return the gradient by central differences."""
    steps = h * np.eye(at.size).reshape(at.size, *at.shape)
    return np.reshape([(cost(at + d) - cost(at - d)) / (2 * h) for d in steps], at.shape)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def test_the_gradient_is_that_of_the_log_loss_and_the_factor_that_of_the_squared_error(rng):
    w, b, X, y = rng.normal(size=3), 0.7, rng.normal(size=(3, 9)), rng.integers(0, 2, 9)

    def log_loss(w):
        a = scipy.special.expit(w @ X + b)
        return -np.mean(y * np.log(a) + (1 - y) * np.log(1 - a))

    def squared(w):
        return np.mean((scipy.special.expit(w @ X + b) - y) ** 2) / 2

    np.testing.assert_allclose(q1.answer(w, b, X, y), slope(log_loss, w), rtol=1e-6)
    made = q1.mistakes["squared error"][0](w, b, X, y)
    np.testing.assert_allclose(made, slope(squared, w), rtol=1e-6)


@pytest.mark.parametrize("sizes", [(3, 2, 1), (3, 1), (4, 5, 3, 6, 2)])
def test_the_count_is_that_of_keras(sizes):
    assert q2.answer(sizes) == count_by_keras(sizes)


def test_the_slide_counts_eleven():
    assert q2.answer((3, 2)) == 8 and q2.answer((2, 1)) == 3 and q2.answer((3, 2, 1)) == 11


def test_the_one_layer_does_what_the_deep_network_does(rng):
    W, b = further._on_sizes(lambda *network: network)((4, 2, 5, 3))
    x = out = rng.normal(size=(4, 6))
    for W_l, b_l in zip(W, b, strict=True):
        out = W_l @ out + b_l
    W_all, b_all = q6.answer(W, b)
    np.testing.assert_allclose(W_all @ x + b_all, out)


def test_softmax_survives_what_the_others_do_not():
    extreme = np.hstack([q3.cases[1][0], q3.cases[2][0][:, :1]])
    np.testing.assert_allclose(
        q3.answer(extreme), scipy.special.softmax(extreme, axis=0), atol=1e-12
    )
    broken = {"naive": [0, 2], "whole maximum": [1, 2], "only above": [2]}
    for name, columns in broken.items():
        with np.errstate(all="ignore"):
            finite = np.isfinite(q3.mistakes[name][0](extreme)).all(axis=0)
        assert np.flatnonzero(~finite).tolist() == columns
    assert np.isfinite(np.exp(709.0)) and np.log(np.finfo(float).max) < 710


def test_going_back_is_the_gradient(rng):
    dZ, W, Z_prev = (rng.normal(size=shape) for shape in ((2, 5), (2, 4), (4, 5)))
    numeric = slope(lambda Z: np.sum(dZ * (W @ np.tanh(Z))), Z_prev)
    np.testing.assert_allclose(q4.answer(dZ, W, Z_prev), numeric, rtol=1e-6, atol=1e-8)


def weights_and_data(rng):
    return [rng.normal(size=shape) for shape in ((4, 3), (2, 4), (3, 8), (2, 8))]


def test_the_step_goes_against_the_gradient(rng):
    W1, W2, x, y = weights_and_data(rng)

    def cost(W1, W2):
        return np.sum((W2 @ np.tanh(W1 @ x) - y) ** 2) / 2 / x.shape[1]

    new_W1, new_W2 = q7.answer(W1, W2, x, y, 0.1)
    np.testing.assert_allclose((W1 - new_W1) / 0.1, slope(lambda w: cost(w, W2), W1), rtol=1e-5)
    np.testing.assert_allclose((W2 - new_W2) / 0.1, slope(lambda w: cost(W1, w), W2), rtol=1e-5)


def test_updated_on_the_way_the_first_layer_is_off_by_alpha_squared(rng):
    given = weights_and_data(rng)

    def off(alpha):
        pairs = zip(
            q7.mistakes["on the way"][0](*given, alpha), q7.answer(*given, alpha), strict=True
        )
        return [np.abs(literal - right).max() for literal, right in pairs]

    (first, last), (half, _) = off(0.1), off(0.05)
    assert last == 0 and first > 1e-4
    assert first / half == pytest.approx(4)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("start", STARTS)
def test_so_many_units_differ_after_a_hundred_steps(start, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(3, 50))
    y = (X[0] * X[1] + 0.5 * X[2] > 0.6).astype(float)
    W1, W2 = STARTS[start](rng)
    units, b2 = descended(W1, W2, X, y)
    apart = np.abs(units[:, None] - units).max(axis=2)[np.triu_indices(4, 1)]
    assert len(np.unique(units.round(8), axis=0)) == q5.answer[start]
    assert ((apart > 0.02) | (apart < 1e-12)).all()
    assert np.abs(b2).max() > 1e-3
    assert (np.abs(units).max() == 0) == (start == "all weights 0")
