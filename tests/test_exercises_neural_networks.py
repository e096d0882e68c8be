"""Exercises of `neural_networks`: nothing but right answers pass, and the answers hold when tried.

What every exercise has to keep is in test_exercises.py.
"""

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf

from course_utils.exercises import neural_networks as nn
from course_utils.exercises.neural_networks import q1, q2, q3, q4, q5, q6, q7
from exercise_answers import code_is_correct, refused

EXERCISES = {f"q{n}": exercise for n, exercise in enumerate((q1, q2, q3, q4, q5, q6, q7), start=1)}
SENTENCES = {
    "q1": {**nn._GRADIENTS_SAID, "wrong axis": "one number for every *example*"},
    "q2": nn._COUNTERS_SAID,
    "q3": nn._COLLAPSERS_SAID,
    "q4": {**nn._OVERFLOWS_SAID, **nn._SOFTMAXES_SAID},
    "q5": nn._BACKS_SAID,
    "q6": {**nn._STEPS_SAID, "in place": "writes into the W1 that it was given"},
    "q7": {f"{name}: {n}": sentence for (name, n), sentence in nn._MISCOUNTED.items()},
}


@pytest.mark.parametrize("name", EXERCISES)
def test_the_code_of_the_solution_is_correct(name):
    code_is_correct(EXERCISES[name])


@pytest.mark.parametrize("name", EXERCISES)
def test_each_mistake_is_answered_by_its_own_sentence(name):
    known = EXERCISES[name].misconceptions
    assert set(known) - set(SENTENCES[name]) <= {"something else", "no such number"}
    for mistake, sentence in SENTENCES[name].items():
        refused(EXERCISES[name], known[mistake], sentence)


@pytest.mark.parametrize("name", ["q1", "q2", "q3", "q4", "q5", "q6"])
def test_an_unknown_mistake_is_told_a_number_that_is_off(name):
    sentence = "your count is off by" if name == "q2" else "is right"
    refused(EXERCISES[name], EXERCISES[name].misconceptions["something else"], sentence)


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


def count_by_keras(sizes):
    first, *others = sizes
    model = keras.Sequential([keras.Input((first,)), *map(keras.layers.Dense, others)])
    return np.float32(model.count_params())


def collapse_from_behind(W, b):
    W_all, b_all = np.eye(len(W[-1])), 0
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


def softmax_in_place(Z):
    Z -= Z.max(axis=0, keepdims=True)
    np.exp(Z, out=Z)
    Z /= Z.sum(axis=0)
    return Z


def back_in_place(dZ, W, Z_prev):
    A_prev = np.tanh(Z_prev, out=Z_prev)
    return (dZ.T @ W).T * (1 - A_prev**2)


def back_by_keras(dZ, W, Z_prev):
    Z_prev = tf.constant(Z_prev, "float32")
    with tf.GradientTape() as tape:
        tape.watch(Z_prev)
        total = tf.reduce_sum(dZ.astype("float32") * (W.astype("float32") @ tf.tanh(Z_prev)))
    return tape.gradient(total, Z_prev)


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


RIGHT = {
    "q1 single precision": (q1, gradient_in_single_precision),
    "q1 loops": (q1, gradient_in_loops),
    "q2 Keras": (q2, count_by_keras),
    "q2 NumPy": (q2, lambda sizes: np.sum((np.array(sizes[:-1]) + 1) * np.array(sizes[1:]))),
    "q3 from behind": (q3, collapse_from_behind),
    "q3 by trying": (q3, collapse_by_trying),
    "q4 in place": (q4, softmax_in_place),
    "q4 single precision": (q4, lambda Z: tf.nn.softmax(Z.astype("float32"), axis=0)),
    "q4 SciPy, a list": (q4, lambda Z: scipy.special.softmax(Z, axis=0).tolist()),
    "q5 in place": (q5, back_in_place),
    "q5 tape, single precision": (q5, back_by_keras),
    "q5 cosh": (q5, lambda dZ, W, Z_prev: (W.T @ dZ / np.cosh(Z_prev) ** 2).tolist()),
    "q6 tape": (q6, step_by_tape),
    "q6 on copies": (q6, step_on_copies),
    "q7 other numbers": (q7, {name: np.float32(n) for name, n in reversed(q7.answer.items())}),
}


@pytest.mark.parametrize(("exercise", "answer"), RIGHT.values(), ids=RIGHT)
def test_other_right_answers_pass(exercise, answer):
    passed, message = exercise.verdict(answer)
    assert passed is True, message


# --- nearly right -------------------------------------------------------------------------------


def updates_in_place_on_the_way(W1, W2, x, y, alpha):
    a1 = np.tanh(W1 @ x)
    dz2 = (W2 @ a1 - y) / x.shape[1]
    W2 -= alpha * dz2 @ a1.T
    W1 -= alpha * ((W2.T @ dz2) * (1 - a1**2)) @ x.T
    return W1, W2


def writes_into_W2(W1, W2, *given):
    new_W1, W2[...] = q6.answer(W1, W2, *given)
    return new_W1, W2


def writes_into_x(W1, W2, x, *given):
    new = q6.answer(W1, W2, x, *given)
    x -= x.mean()
    return new


def three_sizes(sizes):
    n0, n1, n2 = sizes
    return (n0 + 1) * n1 + (n1 + 1) * n2


WRONG = {
    "q1 one number": (q1, lambda *given: q1.answer(*given).mean(), "The shape is ()"),
    "q1 as a column": (q1, lambda *given: q1.answer(*given)[:, None], "The shape is (3, 1)"),
    "q1 NaN": (q1, lambda *given: np.nan * q1.answer(*given), "not finite"),
    "q2 three sizes": (q2, three_sizes, "any number of layers", "unpack"),
    "q2 no third size": (
        q2,
        lambda s: q2.answer(s) if s[2] else 0,
        "any number of layers",
        "out of range",
    ),
    "q2 one too many": (q2, lambda sizes: q2.answer(sizes) + 1, "(3, 2, 1)", "off by +1."),
    "q2 one of a hundred thousand": (
        q2,
        lambda sizes: q2.answer(sizes) + (sizes[0] > 99),
        "(784, 128, 10)",
        "off by +1.",
    ),
    "q2 not a single layer": (
        q2,
        lambda sizes: q2.answer(sizes) * (len(sizes) > 2),
        "(3, 1)",
        "off by -4.",
    ),
    "q2 text": (q2, lambda sizes: str(q2.answer(sizes)), "Numbers are expected"),
    "q3 a product only": (q3, lambda W, b: W[1] @ W[0], "Return two things", "W_all and b_all"),
    "q3 swapped": (q3, lambda W, b: q3.answer(W, b)[::-1], "`W_all`: The shape is (3, 1)"),
    "q3 flat bias": (
        q3,
        lambda W, b: (q3.answer(W, b)[0], q3.answer(W, b)[1][:, 0]),
        "`b_all`: The shape is (3,), but (3, 1) is expected",
    ),
    "q3 two layers": (q3, lambda W, b: q3.answer(W[:2], b[:2]), "`W_all`: For a network"),
    "q3 square ones only": (
        q3,
        lambda W, b: [part * (W[0].shape == W[1].shape) for part in q3.answer(W, b)],
        "`W_all`: For a network of the sizes (4, 2, 5, 3) you get 0 where",
    ),
    "q3 wrong order, not square": (
        q3,
        lambda W, b: q3.answer(W, b) if W[0].shape == W[1].shape else (W[0] @ W[1] @ W[2], 0),
        "The shapes do not fit: every layer",
        "matmul",
    ),
    "q4 rows and columns": (q4, lambda Z: q4.answer(Z).T, "The shape is (4, 3)"),
    "q4 the minimum": (
        q4,
        lambda Z: np.exp(Z - Z.min(axis=0)) / np.exp(Z - Z.min(axis=0)).sum(axis=0),
        nn._OVERFLOWS_SAID["naive"],
    ),
    "q4 mean of the column": (
        q4,
        lambda Z: np.exp(Z - Z.mean(axis=0)) / np.exp(Z - Z.mean(axis=0)).sum(axis=0),
        nn._OVERFLOWS_SAID["naive"],
    ),
    "q4 nan to 0": (
        q4,
        lambda Z: np.nan_to_num(q4.misconceptions["naive"](Z)),
        "For Z = 2000 you get 0; 0.7311 is right",
    ),
    "q4 infinity": (
        q4,
        lambda Z: np.where(np.abs(Z) < 900, q4.answer(Z), np.inf),
        nn._OVERFLOWS_SAID["naive"],
    ),
    "q4 clipped at 30": (
        q4,
        lambda Z: q4.answer(np.clip(Z, -30, 30)),
        nn._SOFTMAXES_SAID["clipped"],
    ),
    "q5 no shape fits": (q5, lambda dZ, W, Z: dZ @ W, "The shapes do not fit", "matmul"),
    "q5 fits where it is square": (
        q5,
        lambda *given: (
            q5.misconceptions["no transpose"](*given)
            if given[0].shape[0] != given[2].shape[0]
            else q5.answer(*given)
        ),
        "The shapes do not fit",
    ),
    "q5 square only": (
        q5,
        lambda dZ, W, Z: q5.answer(dZ, W, Z) * (len(W) == W.shape[1]),
        "You get 0 where",
    ),
    "q6 in place, on the way": (q6, updates_in_place_on_the_way, nn._STEPS_SAID["on the way"]),
    "q6 only W2 climbs": (
        q6,
        lambda *given: (q6.answer(*given)[0], q6.misconceptions["climbs"](*given)[1]),
        "`W2`: " + nn._STEPS_SAID["climbs"],
    ),
    "q6 swapped": (q6, lambda *given: q6.answer(*given)[::-1], "`W1`: "),
    "q6 the step alone": (q6, lambda W1, W2, *given: (0 * W1, 0 * W2), "`W1`: With alpha = 0.5"),
    "q6 three things": (q6, lambda *given: (*q6.answer(*given), 0.1), "Return two things"),
    "q6 no transposes": (
        q6,
        lambda W1, W2, x, y, alpha: (
            q6.answer(W1, W2, x, y, alpha) if len(x) == len(y) else (W1, W2 @ x)
        ),
        "The shapes do not fit. A gradient",
    ),
    "q6 changes W2 only": (q6, writes_into_W2, "writes into the W2 that it was given"),
    "q6 changes x": (q6, writes_into_x, "writes into the X that it was given"),
    "q7 an entry missing": (q7, {"all weights 0": 1}, "Fill in", "'all weights 0.5' is missing"),
    "q7 text": (q7, {**q7.answer, "all weights 0": "one"}, "Numbers are expected"),
    "q7 several": (q7, {**q7.answer, "all weights 0": [1, 1]}, "shape"),
    "q7 not whole": (q7, {**q7.answer, "all weights 0.5": 1.5}, "A whole number from 1 to 4"),
    "q7 three": (q7, {**q7.answer, "weights random, biases 0": 3}, "Not so from"),
}


@pytest.mark.parametrize(
    ("exercise", "answer", "sentences"),
    [(exercise, answer, sentences) for exercise, answer, *sentences in WRONG.values()],
    ids=WRONG,
)
def test_nearly_right_answers_do_not_pass(exercise, answer, sentences):
    refused(exercise, answer, *sentences)


@pytest.mark.parametrize("name", ["q3", "q6"])
@pytest.mark.parametrize("stub", [(None, None), (..., ...), [..., 1.0]])
def test_two_results_that_are_still_stubs_are_not_attempted(name, stub):
    passed, _ = EXERCISES[name].verdict(lambda *_: stub)
    assert passed is None


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
    made = q1.misconceptions["squared error"](w, b, X, y)
    np.testing.assert_allclose(made, slope(squared, w), rtol=1e-6)


@pytest.mark.parametrize("sizes", [(3, 2, 1), (3, 1), (4, 5, 3, 6, 2)])
def test_the_count_is_that_of_keras(sizes):
    assert q2.answer(sizes) == count_by_keras(sizes)


def test_the_slide_counts_eleven():
    assert q2.answer((3, 2)) == 8 and q2.answer((2, 1)) == 3 and q2.answer((3, 2, 1)) == 11


def test_the_one_layer_does_what_the_deep_network_does(rng):
    W, b = nn._linear((4, 2, 5, 3))
    x = out = rng.normal(size=(4, 6))
    for W_l, b_l in zip(W, b, strict=True):
        out = W_l @ out + b_l
    W_all, b_all = q3.answer(W, b)
    np.testing.assert_allclose(W_all @ x + b_all, out)


def test_softmax_survives_what_the_others_do_not():
    np.testing.assert_allclose(
        q4.answer(nn._EXTREME), scipy.special.softmax(nn._EXTREME, axis=0), atol=1e-12
    )
    broken = {"naive": [0, 2], "whole maximum": [1, 2], "only above": [2]}
    for name, columns in broken.items():
        with np.errstate(all="ignore"):
            finite = np.isfinite(q4.misconceptions[name](nn._EXTREME)).all(axis=0)
        assert np.flatnonzero(~finite).tolist() == columns
    assert np.isfinite(np.exp(709.0)) and np.log(np.finfo(float).max) < 710


def test_going_back_is_the_gradient(rng):
    dZ, W, Z_prev = (rng.normal(size=shape) for shape in ((2, 5), (2, 4), (4, 5)))
    numeric = slope(lambda Z: np.sum(dZ * (W @ np.tanh(Z))), Z_prev)
    np.testing.assert_allclose(q5.answer(dZ, W, Z_prev), numeric, rtol=1e-6, atol=1e-8)


def weights_and_data(rng):
    return [rng.normal(size=shape) for shape in ((4, 3), (2, 4), (3, 8), (2, 8))]


def test_the_step_goes_against_the_gradient(rng):
    W1, W2, x, y = weights_and_data(rng)

    def cost(W1, W2):
        return np.sum((W2 @ np.tanh(W1 @ x) - y) ** 2) / 2 / x.shape[1]

    new_W1, new_W2 = q6.answer(W1, W2, x, y, 0.1)
    np.testing.assert_allclose((W1 - new_W1) / 0.1, slope(lambda w: cost(w, W2), W1), rtol=1e-5)
    np.testing.assert_allclose((W2 - new_W2) / 0.1, slope(lambda w: cost(W1, w), W2), rtol=1e-5)


def test_updated_on_the_way_the_first_layer_is_off_by_alpha_squared(rng):
    given = weights_and_data(rng)

    def off(alpha):
        pairs = zip(
            q6.misconceptions["on the way"](*given, alpha), q6.answer(*given, alpha), strict=True
        )
        return [np.abs(literal - right).max() for literal, right in pairs]

    (first, last), (half, _) = off(0.1), off(0.05)
    assert last == 0 and first > 1e-4
    assert first / half == pytest.approx(4)


STARTS = {  # W1 and W2; the biases start at 0
    "all weights 0": lambda rng: (np.zeros((4, 3)), np.zeros((1, 4))),
    "all weights 0.5": lambda rng: (np.full((4, 3), 0.5), np.full((1, 4), 0.5)),
    "weights random, biases 0": lambda rng: (rng.normal(size=(4, 3)), rng.normal(size=(1, 4))),
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


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("start", STARTS)
def test_so_many_units_differ_after_a_hundred_steps(start, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(3, 50))
    y = (X[0] * X[1] + 0.5 * X[2] > 0.6).astype(float)
    W1, W2 = STARTS[start](rng)
    units, b2 = descended(W1, W2, X, y)
    apart = np.abs(units[:, None] - units).max(axis=2)
    assert len(np.unique(units.round(8), axis=0)) == q7.answer[start]
    assert apart[np.triu_indices(4, 1)].min() > 0.05 or apart.max() < 1e-12
    assert np.abs(b2).max() > 1e-3
    assert (np.abs(units).max() == 0) == (start == "all weights 0")
    if start == "all weights 0.5":
        assert np.ptp(units[0, :3]) > 0.05  # the weights of one unit do move apart
