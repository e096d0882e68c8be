"""Stacks of networks against Keras, one network at a time."""

import logging
import re
from itertools import pairwise

import keras
import numpy as np
import pytest
import tensorflow as tf

from course_utils import training
from course_utils.lessons import training_deep_networks as lesson

N, FEATURES, CLASSES, DEPTH, UNITS, STEPS = 60, 5, 3, 2, 4, 8  # sizes differ: no transpose fits
GUESS = np.log(CLASSES)
GAINS = {"relu": 2, "sigmoid": 1, "tanh": 1}

rng = np.random.default_rng(0)
Y = rng.integers(CLASSES, size=N)
X = rng.normal(size=(N, FEATURES)) + 0.7 * Y[:, None] + 0.5
BATCHES = rng.integers(N, size=(STEPS, 6))
HELD_OUT = rng.permutation(N)[:7]


def train(rates=(0.1,), **settings):
    settings = {"depth": DEPTH, "units": UNITS, "seed": 3} | settings
    return lesson.train(X, Y, BATCHES, HELD_OUT, rates=rates, **settings)


def keras_model(normalise, activation):
    """A network without any weights of its own yet."""
    model = keras.Sequential([keras.Input((FEATURES,))])
    for _ in range(DEPTH):
        model.add(keras.layers.Dense(UNITS, use_bias=not normalise))
        if normalise:
            model.add(keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-3))
        model.add(keras.layers.Activation(activation))
    model.add(keras.layers.Dense(CLASSES))
    return model


def in_keras(rate, twins=2, factor=1.0, normalise=False, activation="relu", seed=3):
    """Losses of each twin in Keras, which starts from the same numbers: (twins, steps), (twins,).

    The largest are left as they are. All weights are drawn here once more, layer by layer.
    """
    draw = np.random.default_rng(seed)
    sizes = [FEATURES, *[UNITS] * DEPTH, CLASSES]
    W = [draw.normal(size=(twins, n_out, n_in)) for n_in, n_out in pairwise(sizes)]
    history, end = [], []
    for twin in range(twins):
        model = keras_model(normalise, activation)
        dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
        for layer, gain, w in zip(dense, [GAINS[activation]] * DEPTH + [1], W, strict=True):
            layer.kernel.assign(factor * np.sqrt(gain / w.shape[2]) * w[twin].T)
        cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(rate), cross_entropy, run_eagerly=True)
        for rows in BATCHES:
            history.append(model.train_on_batch(X[rows], Y[rows]))
            model.reset_metrics()
        end.append(model.test_on_batch(X[HELD_OUT], Y[HELD_OUT]))
    return np.reshape(history, (twins, STEPS)), np.array(end)


def assert_close(found, expected):
    for part, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(part, wanted, rtol=0, atol=2e-5)


# The same as Keras


@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("activation", GAINS)
def test_a_stack_of_one_is_the_network_of_keras(normalise, activation):
    settings = {"normalise": normalise, "activation": activation, "twins": 1}
    history, end = train([0.1], factors=[0.8], **settings)
    assert history.shape == (STEPS, 1, 1) and end.shape == (1, 1)
    expected = [part.ravel().clip(max=GUESS) for part in in_keras(0.1, factor=0.8, **settings)]
    assert np.ptp(expected[0]) > 0.1  # something happens
    assert_close((history.ravel(), end.ravel()), expected)


@pytest.mark.parametrize("normalise", [False, True])
def test_every_network_of_a_stack_learns_as_if_alone(normalise):
    rates, factors = [0.03, 0.1, 0.3], [0.5, 1.2]
    history, end = train(rates, factors=factors, normalise=normalise)
    assert history.shape == (STEPS, 2, 3) and end.shape == (2, 3)
    for i, j in ((0, 0), (1, 1), (0, 2)):
        alone = train([rates[j]], factors=[factors[i]], normalise=normalise)
        assert_close((history[:, i, j], end[i, j]), (alone[0][:, 0, 0], alone[1][0, 0]))
    assert np.ptp(end, axis=0).min() > 1e-3 and np.ptp(end, axis=1).min() > 1e-3  # none is another


def test_a_network_that_runs_away_leaves_the_others_alone():
    both, alone = train([0.1, 1e30]), train([0.1])
    assert_close((both[0][..., :1], both[1][..., :1]), alone)


# Twins, and what is worse than guessing


@pytest.mark.parametrize("normalise", [False, True])
def test_the_losses_are_means_over_twins_each_at_worst_a_guess(normalise):
    history, end = train([0.1], factors=[1.5], normalise=normalise, twins=3)
    each, each_end = in_keras(0.1, twins=3, factor=1.5, normalise=normalise)
    worse = each > GUESS
    assert (worse.any(axis=0) & ~worse.all(axis=0)).any()  # it matters that the mean comes last
    expected = [part.clip(max=GUESS).mean(axis=0) for part in (each, each_end)]
    assert_close((history[:, 0, 0], end[0, 0]), expected)


def test_a_network_that_runs_away_counts_as_a_guess():
    history, end = train([1e3, 1e30, 0.1], activation="relu")
    assert np.isfinite(history).all() and (history <= GUESS).all()
    np.testing.assert_array_equal(history[-1, :, :2], GUESS)
    np.testing.assert_array_equal(end[:, :2], GUESS)


def test_where_all_networks_run_away_the_step_is_named():
    message = "training: the loss of every network is no longer finite at step 2 of 8; a smaller"
    with pytest.raises(ValueError, match=message):
        train([1e30, 1e38], twins=1)
    with pytest.raises(ValueError, match="at step 1 of 8; nothing was learned yet"):
        train([0.1], factors=[1e30], depth=2)


def test_the_seed_decides_and_nothing_else():
    first = train(seed=5)
    tf.random.set_seed(99)
    for again, part in zip(train(seed=5), first, strict=True):
        np.testing.assert_array_equal(again, part)
    assert abs(train(seed=6)[1] - first[1]).max() > 1e-3


def test_lists_and_all_kinds_of_whole_numbers_are_welcome():
    as_lists = lesson.train(
        X.tolist(), Y.astype(float).tolist(), BATCHES.tolist(), HELD_OUT.astype("uint8"),
        rates=np.array([1]), depth=DEPTH, units=UNITS, seed=3,
    )  # fmt: skip
    assert_close(as_lists, train([1.0]))


# What is seen of it


@pytest.mark.parametrize("delay", [0, 60])
def test_only_a_slow_training_shows_a_bar_which_vanishes(monkeypatch, capsys, delay):
    monkeypatch.setitem(training._BAR, "delay", delay)
    train()
    out, err = capsys.readouterr()
    assert out == ""
    if delay:
        assert err == ""
    else:
        assert "training" in err and "% |" in err and "\n" not in err
        *_, blank, end = err.split("\r")
        assert blank.isspace() and end == ""


def test_many_calls_do_not_make_tensorflow_complain(monkeypatch):
    said = []
    handler = logging.Handler(logging.WARNING)
    monkeypatch.setattr(handler, "emit", lambda record: said.append(record.getMessage()))
    logger = tf.get_logger()
    logger.addHandler(handler)
    try:
        for call in range(7):
            train(depth=1, normalise=call % 2 == 1)
    finally:
        logger.removeHandler(handler)
    assert said == []


# Bad input


def changed(array, place, value):
    array = np.array(array, dtype=float)
    array[place] = value
    return array


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"x": X[:, 0]}, "x has shape (60,), but (N, features) is expected"),
        ({"x": X[None]}, "flatten pictures first"),
        ({"x": X[:, :0]}, "x has shape (60, 0)"),
        ({"x": changed(X, np.s_[4:, 2], np.nan)}, "x[4, 2] is nan"),
        ({"x": changed(X, (0, 1), -np.inf)}, "x[0, 1] is -inf"),
        ({"y": Y[:-1]}, "y has shape (59,), but (60,) is expected"),
        ({"y": np.eye(3)[Y]}, "y has shape (60, 3), but (60,) is expected"),
        ({"y": changed(Y, 7, -1)}, "y[7] is -1.0, but labels are whole numbers from 0"),
        ({"y": changed(Y, 7, 0.5)}, "y[7] is 0.5"),
        ({"y": changed(Y, 7, np.nan)}, "y[7] is nan"),
        ({"y": changed(Y, 7, np.inf)}, "y[7] is inf"),
        ({"y": np.array(["3"] * N)}, "y holds <U1"),
        ({"y": 0 * Y}, "there must be at least two classes"),
        ({"batches": HELD_OUT}, "batches has shape (7,), but (steps, batch size) is expected"),
        ({"batches": BATCHES[:0]}, "batches has shape (0, 6)"),
        ({"batches": changed(BATCHES, (3, 1), 2)}, "batches holds float64, but row numbers"),
        ({"batches": changed(BATCHES, (3, 1), 60).astype(int)}, "row 60, but x has rows 0 to 59"),
        ({"batches": changed(BATCHES, (3, 1), -1).astype(int)}, "batches holds row -1"),
        ({"held_out": BATCHES}, "held_out has shape (8, 6), but (M,) is expected"),
        ({"held_out": HELD_OUT[:0]}, "held_out has shape (0,)"),
        ({"held_out": Y > 0}, "np.flatnonzero(mask)"),
        ({"held_out": [3, 61]}, "held_out holds row 61"),
        ({"rates": 0.1}, "rates must be a list of numbers, also if there is one: rates=[0.1]"),
        ({"rates": []}, "rates must be a list of numbers"),
        ({"rates": [0.1, 0.0]}, "rates holds 0.0, but each must be finite and above 0"),
        ({"rates": [np.nan]}, "rates holds nan"),
        ({"factors": [1, -2]}, "factors holds -2.0"),
        ({"factors": [np.inf]}, "factors holds inf"),
        ({"factors": 1.0}, "factors must be a list of numbers"),
        ({"depth": 0}, "depth=0 must be a whole number, at least 1"),
        ({"units": 2.5}, "units=2.5"),
        ({"twins": 0}, "twins=0"),
        ({"activation": "gelu"}, "no activation 'gelu' here: choose relu, sigmoid, tanh."),
        ({"activation": ["relu"]}, "choose relu, sigmoid, tanh."),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("error")
def test_bad_input_is_refused_in_a_clear_sentence(bad, message):
    arguments = {"x": X, "y": Y, "batches": BATCHES, "held_out": HELD_OUT, "rates": [0.1]} | bad
    with pytest.raises(ValueError, match=re.escape(message)):
        lesson.train(**arguments)
