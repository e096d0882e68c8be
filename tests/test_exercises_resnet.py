"""Exercises of `resnet`: nothing but right answers pass, and the answers hold when tried out.

What every exercise has to keep is in test_exercises.py.
"""

from itertools import permutations

import keras
import numpy as np
import pytest
import tensorflow as tf

from course_utils.exercises import resnet
from course_utils.exercises.resnet import q1, q2, q3, q4, q5
from course_utils.resnet import network
from exercise_answers import code_is_correct, refused

EXERCISES = {f"q{n}": exercise for n, exercise in enumerate((q1, q2, q3, q4, q5), start=1)}
SENTENCES = {
    "q2": {**resnet._MISFITS_SAID, **resnet._SHORTCUTS_SAID},
    "q1": resnet._JOINS_SAID,
    "q3": resnet._COUNTERS_SAID,
    "q4": {name: sentence for name, (_, sentence) in resnet._MISREAD.items()},
    "q5": resnet._NORMALISED_SAID,
}


@pytest.mark.parametrize("name", EXERCISES)
def test_the_code_of_the_solution_is_correct(name):
    code_is_correct(EXERCISES[name])


@pytest.mark.parametrize("name", EXERCISES)
def test_each_mistake_is_answered_by_its_own_sentence(name):
    for mistake, sentence in SENTENCES[name].items():
        refused(EXERCISES[name], EXERCISES[name].misconceptions[mistake], sentence)


# --- other ways to be right ---------------------------------------------------------------------


def by_tensorflow(x, filters):
    return tf.pad(x[:, ::2, ::2], ((0, 0), (0, 0), (0, 0), (0, filters - x.shape[-1])))


def into_zeros(x, filters):
    out = np.zeros((len(x), x.shape[1] // 2, x.shape[2] // 2, filters), "float32")
    out[..., : x.shape[-1]] = x[:, ::2, ::2]
    x[...] = 7
    return out


def in_place(x, h):
    x += h
    x[x < 0] = 0
    return x


def stage_by_stage(depth, filters, channels, classes):
    n, total, before = (depth - 2) / 6, 9 * channels * filters[0] + 2 * filters[0], filters[0]
    for f in filters:
        total += 9 * before * f + (2 * n - 1) * 9 * f**2 + 2 * n * 2 * f
        before = f
    return np.float64(total + before * classes + classes)


def by_keras(x, mean, variance, gamma, beta, epsilon):
    return keras.ops.batch_normalization(x, mean, variance, -1, beta, gamma, epsilon)


RIGHT = {
    "q2 TensorFlow": (q2, by_tensorflow),
    "q2 into zeros": (q2, into_zeros),
    "q1 in place": (q1, in_place),
    "q1 Keras": (q1, lambda x, h: keras.ops.relu(x + h)),
    "q3 stage by stage": (q3, stage_by_stage),
    "q4 spelled otherwise": (q4, {k: f" {v.upper()}" for k, v in reversed(q4.answer.items())}),
    "q5 Keras": (q5, by_keras),
}


@pytest.mark.parametrize(("exercise", "answer"), RIGHT.values(), ids=RIGHT)
def test_other_right_answers_pass(exercise, answer):
    passed, message = exercise.verdict(answer)
    assert passed is True, message


# --- nearly right -------------------------------------------------------------------------------


def right_for(is_so, right, otherwise):
    return lambda *given: (right if is_so(*given) else otherwise)(*given)


def one_more(*network):
    return q3.answer(*network) + 1


WRONG = {
    "q2 always doubled": (q2, lambda x, filters: q2.answer(x, 2 * x.shape[-1]), "shape"),
    "q2 no channel to add": (
        q2,
        right_for(lambda x, f: f > x.shape[-1], q2.answer, lambda x, f: 0 * x[:, ::2, ::2]),
        "There is a 0 where",
    ),
    "q2 never below 0": (q2, lambda x, f: np.maximum(q2.answer(x, f), 0), "There is a 0 where"),
    "q2 edge": (
        q2,
        lambda x, f: np.pad(x[:, ::2, ::2], [(0, 0)] * 3 + [(0, f - x.shape[-1])], mode="edge"),
        "where 0 is right",
    ),
    "q1 no integers": (
        q1,
        right_for(lambda x, h: x.dtype.kind == "f", q1.answer, lambda x, h: x),
        "For x = 3 and h = -1 you get 3; 2 is right",
    ),
    "q1 only where x > 0": (
        q1,
        lambda x, h: np.where(x > 0, q1.answer(x, h), 0),
        "you get 0",
    ),
    "q1 one number": (q1, lambda x, h: np.maximum(x + h, 0).sum(), "shape"),
    "q3 one too many": (q3, one_more, "For depth 20", "off by +1."),
    "q3 one of half a million": (
        q3,
        right_for(lambda depth, *_: depth < 56, q3.answer, one_more),
        "For depth 56, filters (16, 32, 64), input channels 3 and classes 10",
    ),
    "q3 doubling filters": (
        q3,
        lambda depth, f, *others: q3.answer(depth, (f[0], 2 * f[0], 4 * f[0]), *others),
        "For depth 8, filters (3, 5, 9)",
    ),
    "q3 ten classes": (q3, lambda *given: q3.answer(*given[:3], 10), "classes 4"),
    "q3 a list": (q3, lambda *network: [q3.answer(*network)], "shape"),
    "q3 text": (q3, lambda *network: str(q3.answer(*network)), "Numbers are expected"),
    "q4 one name twice": (q4, {**q4.answer, "A": "plain 56"}, "each of the four names once"),
    "q4 other words": (q4, dict.fromkeys(q4.answer, "plain"), "each of the four names once"),
    "q4 a letter missing": (q4, {"A": "plain 20"}, "Fill in", "'B' is missing"),
    "q5 images only": (
        q5,
        right_for(lambda x, *_: x.ndim == 4, q5.answer, lambda x, *_: x),
        "is right",
    ),
    "q5 several images only": (
        q5,
        right_for(lambda x, *_: len(x) > 1, q5.answer, lambda x, *_: x),
        "is right",
    ),
    "q5 size of gamma": (
        q5,
        lambda x, m, v, g, b, e: q5.answer(x, m, v, np.abs(g), b, e),
        "is right",
    ),
}


@pytest.mark.parametrize(
    ("exercise", "answer", "sentences"),
    [(exercise, answer, sentences) for exercise, answer, *sentences in WRONG.values()],
    ids=WRONG,
)
def test_nearly_right_answers_do_not_pass(exercise, answer, sentences):
    refused(exercise, answer, *sentences)


def test_one_order_of_the_curves_is_right_and_each_other_is_told_what_it_mistakes():
    said = {}
    for names in permutations(q4.answer.values()):
        passed, message = q4.verdict(dict(zip(q4.answer, names, strict=True)))
        assert passed is (names == tuple(q4.answer.values()))
        said.setdefault(message, []).append(names)
    assert sorted(map(len, said.values())) == [1, 1, 1, 1, 4, 4, 4, 8]
    for message, orders in said.items():
        upper = {frozenset(order[::2]) for order in orders}
        assert len(upper) == (2 if "not the depth" in message else 1)


def test_the_hints_say_that_the_deeper_residual_network_starts_higher():
    assert any("the deeper one starts higher" in hint for hint in q4.hints)


# --- what the exercises say, tried out ----------------------------------------------------------


def test_the_shortcut_fits_the_branch_and_needs_no_weights():
    x = np.ones((2, 8, 8, 16), "float32")
    h = keras.layers.Conv2D(32, 3, strides=2, padding="same")(x)
    assert q2.answer(x, 32).shape == h.shape
    assert network(8).count_params() == network(8, residual=False).count_params()


def test_only_the_repaired_join_can_lower_what_passes():
    written, repaired = q1.misconceptions["as written"], q1.answer
    x = start = np.abs(np.random.default_rng(0).normal(size=(100,)))
    for h in np.random.default_rng(1).normal(size=(20, 100)):
        assert (written(x, h) >= x).all() and (repaired(x, h) < x).any()
        x = written(x, h)
    assert x.mean() > 3 * start.mean()
    np.testing.assert_array_equal(repaired(start, 0 * start), start)


def trainable(depth, filters, channels, classes):
    """Count in Keras, on the plain network: it has the same parameters."""
    layers = keras.layers
    model = keras.Sequential([keras.Input((8, 8, channels))])
    for f in (filters[0], *(f for f in filters for _ in range((depth - 2) // 3))):
        model.add(layers.Conv2D(f, 3, padding="same", use_bias=False))
        model.add(layers.BatchNormalization())
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(classes))
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.mark.parametrize("case", [(8, (8, 16, 32), 1, 10), (14, (4, 4, 6), 3, 7)])
def test_the_count_is_that_of_keras(case):
    assert q3.answer(*case) == trainable(*case)


def test_the_count_is_that_of_the_full_network():
    model = network(20)
    total = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert q3.answer(20, (16, 32, 64), 3, 10) == total
    moving = q3.misconceptions["moving averages"](20, (16, 32, 64), 3, 10)
    assert moving == model.count_params()


def test_most_parameters_are_in_the_last_stage():
    for depth in (8, 20, 56):
        without = q3.answer(depth, (8, 16, 0), 1, 0)
        assert without < 0.3 * q3.answer(depth, (8, 16, 32), 1, 10)


@pytest.fixture
def layer():
    """Return a normalisation whose stored statistics and weights are no longer the first ones."""
    made = keras.layers.BatchNormalization()
    made.build((None, 2, 2, 3))
    made.set_weights(np.random.default_rng(3).uniform(0.5, 2, size=(4, 3)))
    return made


def test_the_normalisation_is_that_of_keras_with_training_false(layer):
    x = np.random.default_rng(4).normal(size=(5, 2, 2, 3)).astype("float32")
    gamma, beta, mean, variance = layer.get_weights()
    right = q5.answer(x, mean, variance, gamma, beta, layer.epsilon)
    np.testing.assert_allclose(layer(x, training=False), right, atol=1e-5)
    own = q5.misconceptions["batch"](x, mean, variance, gamma, beta, layer.epsilon)
    np.testing.assert_allclose(layer(x, training=True), own, atol=1e-4)


def test_in_training_mode_neighbours_count_and_the_stored_statistics_move(layer):
    x = np.random.default_rng(5).normal(size=(5, 2, 2, 3)).astype("float32")
    stored = layer.get_weights()

    def alone(training):
        return np.abs(layer(x[:2], training=training) - layer(x, training=training)[:2]).max()

    assert alone(training=False) < 1e-6
    for before, after in zip(stored, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert alone(training=True) > 0.1
    assert np.abs(stored[2] - layer.get_weights()[2]).max() > 1e-3
