"""Answers to the exercises of `resnet`, and what they say, tried out; test_exercises.py holds them.

RIGHT are right in other clothes; WRONG pass a case or look right, each with a part of what it is
told.
"""

from itertools import permutations

import keras
import numpy as np
import pytest
import tensorflow as tf

from course_utils.exercises.resnet import q1, q2, q3, q4, q5
from course_utils.lessons.resnet import network


def in_place(x, h):
    x += h
    x[x < 0] = 0
    return x


def by_tensorflow(x, filters):
    return tf.pad(x[:, ::2, ::2], ((0, 0), (0, 0), (0, 0), (0, filters - x.shape[-1])))


def into_zeros(x, filters):
    out = np.zeros((len(x), x.shape[1] // 2, x.shape[2] // 2, filters), "float32")
    out[..., : x.shape[-1]] = x[:, ::2, ::2]
    x[...] = 7
    return out


def by_concatenating(x, filters):
    small = x[:, ::2, ::2, :]
    return np.concatenate([small, np.zeros((*small.shape[:3], filters - x.shape[3]))], axis=3)


def stage_by_stage(depth, filters, channels, classes):
    n, total, before = (depth - 2) / 6, 9 * channels * filters[0] + 2 * filters[0], filters[0]
    for f in filters:
        total += 9 * before * f + (2 * n - 1) * 9 * f**2 + 2 * n * 2 * f
        before = f
    return np.float64(total + before * classes + classes)


def block_by_block(depth, filters, channels, classes):
    a, total = channels, 0
    for b in [filters[0]] + [f for f in filters for _ in range((depth - 2) // 3)]:
        total += a * b * 3 * 3 + b + b
        a = b
    return [total + a * classes + classes]


def in_closed_form(depth, filters, channels, classes):
    f, n = np.asarray(filters), (depth - 2) // 6
    convolutions = 9 * channels * f[0] + 9 * ((2 * n - 1) * f**2).sum()
    convolutions += 9 * (f[0] ** 2 + f[0] * f[1] + f[1] * f[2])
    return convolutions + 2 * f[0] + 2 * 2 * n * f.sum() + (f[2] + 1) * classes


def by_keras(x, mean, variance, gamma, beta, epsilon):
    return keras.ops.batch_normalization(x, mean, variance, -1, beta, gamma, epsilon)


def filter_by_filter(x, mean, variance, gamma, beta, epsilon):
    for i in range(len(mean)):
        x[..., i] = gamma[i] * (x[..., i] - mean[i]) / (variance[i] + epsilon) ** 0.5 + beta[i]
    return x


def as_a_line(x, mean, variance, gamma, beta, epsilon):
    slope = gamma / np.sqrt(variance + epsilon)
    return slope * x + (beta - slope * mean)


RIGHT = {
    "q1": {
        "in place": in_place,
        "Keras": lambda x, h: keras.ops.relu(x + h),
        "where": lambda x, h: np.where(x + h > 0, x + h, 0),
        "clip": lambda x, h: np.clip(np.add(h, x), 0, None),
    },
    "q2": {
        "TensorFlow": by_tensorflow,
        "into zeros": into_zeros,
        "concatenated": by_concatenating,
    },
    "q3": {
        "stage by stage": stage_by_stage,
        "block by block": block_by_block,
        "closed form": in_closed_form,
    },
    "q4": {
        "capitals": {k: f" {v.upper()}" for k, v in reversed(q4.answer.items())},
        "hyphens": {k: v.replace(" ", "-") for k, v in q4.answer.items()},
        "no spaces, full stops": {
            k: v.title().replace(" ", "") + "." for k, v in q4.answer.items()
        },
    },
    "q5": {"Keras": by_keras, "filter by filter": filter_by_filter, "a line": as_a_line},
}


def right_for(is_so, right, otherwise):
    return lambda *given: (right if is_so(*given) else otherwise)(*given)


def one_more(*network):
    return q3.answer(*network) + 1


def sixteen(x, mean, variance, gamma, beta, epsilon):
    return q5.answer(x, mean, variance, np.abs(gamma), beta, epsilon)


WRONG = {
    "q1": {
        "no integers": (
            right_for(lambda x, h: x.dtype.kind == "f", q1.answer, lambda x, h: x),
            "is not right",
        ),
        "where x > 0": (lambda x, h: np.where(x > 0, q1.answer(x, h), 0), "one of your numbers"),
        "one number": (lambda x, h: np.maximum(x + h, 0).sum(), "one number came instead of"),
        "the branch twice": (lambda x, h: np.maximum(x + 2 * h, 0), "is not right"),
    },
    "q2": {
        "always doubled": (lambda x, f: q2.answer(x, 2 * x.shape[-1]), "came instead of"),
        "no channel to add": (
            right_for(lambda x, f: f > x.shape[-1], q2.answer, lambda x, f: 0 * x[:, ::2, ::2]),
            "one of your numbers is 0",
        ),
        "never below 0": (lambda x, f: np.maximum(q2.answer(x, f), 0), "one of your numbers is 0"),
        "edge": (
            lambda x, f: np.pad(x[:, ::2, ::2], [(0, 0)] * 3 + [(0, f - x.shape[-1])], mode="edge"),
            "one of your numbers",
        ),
        "doubled": (lambda x, f: 2 * q2.answer(x, f), "too large"),
    },
    "q3": {
        "one too many": (one_more, "for depth = 20"),
        "one of half a million": (
            right_for(lambda depth, *_: depth < 56, q3.answer, one_more),
            "for depth = 56, filters = (16, 32, 64), channels = 3 and classes = 10",
        ),
        "doubling filters": (
            lambda depth, f, *others: q3.answer(depth, (f[0], 2 * f[0], 4 * f[0]), *others),
            "for depth = 8, filters = (3, 5, 9)",
        ),
        "ten classes": (lambda *given: q3.answer(*given[:3], 10), "classes = 4"),
        "text": (lambda *network: str(q3.answer(*network)), "a text came instead of one number"),
    },
    "q4": {
        "one name twice": ({**q4.answer, "A": "plain 56"}, "three of the four are right"),
        "other words": (dict.fromkeys(q4.answer, "plain"), "answer with one of these"),
        "a letter missing": ({"A": "plain 20"}, "'B' is missing"),
        "nothing in common": (
            {"A": "plain 20", "B": "plain 56", "C": "residual 56", "D": "residual 20"},
            "two of the four are right. Each of the four networks has one curve",
        ),
    },
    "q5": {
        "images only": (
            right_for(lambda x, *_: x.ndim == 4, q5.answer, lambda x, *_: x),
            "one of your numbers",
        ),
        "several images only": (
            right_for(lambda x, *_: len(x) > 1, q5.answer, lambda x, *_: x),
            "one of your numbers",
        ),
        "size of gamma": (sixteen, "one of your numbers"),
        "minus beta": (
            lambda x, m, v, g, b, e: q5.answer(x, m, v, g, -b, e),
            "one of your numbers",
        ),
    },
}


# --- the curves ---------------------------------------------------------------------------------


def test_one_order_of_the_curves_is_right_and_each_other_is_told_what_it_mistakes():
    said = {}
    for names in permutations(q4.answer.values()):
        passed, message = q4.verdict(dict(zip(q4.answer, names, strict=True)))
        assert passed is (names == tuple(q4.answer.values()))
        said.setdefault(message.split("right. ")[-1], []).append(names)
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
    written, repaired = q1.mistakes["as written"][0], q1.answer
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
    moving = q3.mistakes["moving averages"][0](20, (16, 32, 64), 3, 10)
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
    own = q5.mistakes["batch"][0](x, mean, variance, gamma, beta, layer.epsilon)
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
