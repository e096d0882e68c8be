"""Stacks of networks against Keras, one network at a time."""

import logging
import re

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
import tensorflow as tf

from course_utils import training
from course_utils.lessons import training_deep_networks as lesson

N, FEATURES, CLASSES, DEPTH, UNITS, STEPS, S = 60, 5, 3, 2, 4, 8, 3  # sizes differ
GUESS = np.log(CLASSES)
GAINS = {"relu": 2, "sigmoid": 1, "tanh": 1}
SIZES = [FEATURES, *[UNITS] * DEPTH, CLASSES]

rng = np.random.default_rng(0)
Y = rng.integers(CLASSES, size=N)
X = rng.normal(size=(N, FEATURES)) + 0.7 * Y[:, None] + 0.5
BATCHES = rng.integers(N, size=(STEPS, S, 6))
HELD_OUT = np.stack([rng.permutation(N)[:7] for _ in range(S)])


def train(rates=(0.1,), starts=slice(None), **settings):
    settings = {"depth": DEPTH, "units": UNITS, "seed": 3} | settings
    return lesson.train(X, Y, BATCHES[:, starts], HELD_OUT[starts], rates=rates, **settings)


def keras_model(normalise, activation, depth=DEPTH):
    """A network without any weights of its own yet."""
    norms = {
        "batch": lambda: keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-3),
        "layer": lambda: keras.layers.LayerNormalization(epsilon=1e-3),
    }
    model = keras.Sequential([keras.Input((FEATURES,))])
    for _ in range(depth):
        model.add(keras.layers.Dense(UNITS, use_bias=not normalise))
        if normalise:
            model.add(norms[normalise]())
        model.add(keras.layers.Activation(activation))
    model.add(keras.layers.Dense(CLASSES))
    return model


def in_keras(rate, start, W, normalise=None, activation="relu", clip=None):
    """Losses on the way (steps,), and the loss and accuracy at the end, from these weights."""
    model = keras_model(normalise, activation, len(W) - 1)
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    for layer, w in zip(dense, W, strict=True):
        layer.kernel.assign(w[start].T)
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    sgd = keras.optimizers.SGD(rate, global_clipnorm=clip)
    model.compile(sgd, cross_entropy, metrics=["accuracy"], run_eagerly=True)
    history = []
    for rows in BATCHES[:, start]:
        history.append(model.train_on_batch(X[rows], Y[rows])[0])
        model.reset_metrics()
    held_out = HELD_OUT[start]
    return np.array(history), *model.test_on_batch(X[held_out], Y[held_out])


def assert_close(found, expected):
    for part, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(part, wanted, rtol=0, atol=2e-5)


# The same as Keras


@pytest.mark.parametrize(
    ("normalise", "activation", "clip"),
    [
        (None, "relu", None),
        (None, "sigmoid", None),
        (None, "tanh", None),
        ("batch", "relu", None),
        ("batch", "sigmoid", None),
        ("layer", "relu", None),
        (None, "relu", 0.4),
        ("batch", "tanh", 0.4),
    ],
)
def test_each_network_of_a_stack_is_the_network_of_keras(normalise, activation, clip):
    factors, rates = [0.8, 1.0, 1.3], [0.1, 0.3]
    settings = {"normalise": normalise, "activation": activation, "clip": clip}
    run = train(rates, factors=factors, **settings)
    assert run.history.shape == (STEPS, 2, S) and run.loss.shape == run.right.shape == (1, 2, S)
    W = lesson.first_weights(SIZES, factors, 3, GAINS[activation])
    for r, s in ((0, 0), (1, 1), (0, 2)):
        history, loss, right = in_keras(rates[r], s, W, **settings)
        assert np.ptp(history) > 0.05  # something happens
        found = run.history[:, r, s], run.loss[0, r, s], run.right[0, r, s]
        assert_close(found, (history, min(loss, GUESS), right))


def test_without_hidden_layers_it_is_a_linear_classifier():
    run = train(depth=0)
    W = lesson.first_weights([FEATURES, CLASSES], [1] * S, 3)
    assert_close((run.history[:, 0, 1],), in_keras(0.1, 1, W)[:1])


def test_a_first_layer_can_be_given():
    W = lesson.first_weights(SIZES, [1] * S, 3)
    own, b = np.random.default_rng(4).normal(size=(UNITS, FEATURES)), np.zeros((UNITS, 1))
    given = train(first=(own, b), depth=2).history[:, 0]
    W[0] = np.stack([own] * S)
    assert_close((given[:, 2],), in_keras(0.1, 2, W)[:1])
    shifted = train(first=(own, b + 1)).history[0, 0]
    assert abs(shifted - given[0]).min() > 1e-3


def test_the_first_weights_have_the_stated_size():
    W = lesson.first_weights([300, 200, 100], [1, 0.5], seed=0)
    assert [w.shape for w in W] == [(2, 200, 300), (2, 100, 200)]
    for w, variance in zip(W, (2 / 300, 1 / 200), strict=True):
        np.testing.assert_allclose(w.var(axis=(1, 2)) / variance, [1, 0.25], rtol=0.03)


def test_it_begins_as_the_stack_does():
    W = lesson.first_weights([196, *[50] * 10, 10], [1, 1], 3)
    layers = lesson.begin(2, 3)
    assert len(layers) == 11
    for w, (own, gamma, beta) in zip(W, layers, strict=True):
        np.testing.assert_allclose(own, w, rtol=1e-6)
        np.testing.assert_array_equal(gamma, np.ones((2, w.shape[1], 1)))
        np.testing.assert_array_equal(beta, 0 * gamma)


def test_each_start_holds_out_a_fifth_and_learns_from_the_others():
    batches, held_out = lesson.split(500, 3, 17, np.random.default_rng(2))
    assert batches.shape == (17, 3, 64) and held_out.shape == (3, 100)
    assert lesson.split(500, 1, 12, np.random.default_rng(2))[0].shape == (12, 1, 64)
    for own, held in zip(batches.swapaxes(0, 1), held_out, strict=True):
        assert not np.intersect1d(own, held).size
        assert len(np.unique(own)) > 390  # of 400: three passes
        for k in (0, 6):  # a pass has six batches
            assert len(np.unique(own[k : k + 6])) == 6 * 64
    assert len({tuple(held) for held in held_out}) == 3


def test_a_network_that_runs_away_leaves_the_others_alone():
    both, alone = train([0.1, 1e30]), train([0.1])
    for part, wanted in zip(both, alone, strict=True):
        np.testing.assert_allclose(part[:, :1], wanted, rtol=0, atol=2e-5)


def test_looks_are_what_a_shorter_training_ends_with():
    run = train(looks=[3, 5, STEPS])
    for look, end in zip((3, 5), run.loss, strict=False):
        batches = BATCHES[:look]
        short = lesson.train(X, Y, batches, HELD_OUT, rates=[0.1], depth=2, units=UNITS, seed=3)
        assert_close((end,), short.loss)
    assert_close((run.loss[2],), train().loss)


# What is worse than guessing


def test_a_network_that_runs_away_counts_as_a_guess():
    run = train([1e3, 1e30, 0.1])
    assert np.isfinite(run.loss).all() and (run.loss <= np.float32(GUESS) + 1e-6).all()
    np.testing.assert_allclose(run.loss[0, 1], GUESS, rtol=1e-6)
    assert run.loss[0, 2].min() < 0.95 * GUESS


def test_where_all_networks_run_away_the_step_is_named():
    message = "training: the loss of every network is no longer finite at step 2 of 8; a smaller"
    with pytest.raises(ValueError, match=message):
        train([1e30, 1e38], starts=[0])
    with pytest.raises(ValueError, match="at step 1 of 8; nothing was learned yet"):
        train([0.1], factors=[1e30] * S, depth=2)


def test_the_seed_decides_and_nothing_else():
    first = train(seed=5)
    tf.random.set_seed(99)
    for again, part in zip(train(seed=5), first, strict=True):
        np.testing.assert_array_equal(again, part)
    assert abs(train(seed=6).loss - first.loss).max() > 1e-3


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
            train(depth=1, normalise=("batch", None)[call % 2])
    finally:
        logger.removeHandler(handler)
    assert said == []


def test_a_line_ends_where_no_network_learns():
    first, second = np.array([[0.5, 0.7], [2.3, 2.3]]), np.array([[0.4, 0.4], [1.0, 2.0]])
    fig, axes = plt.subplots(1, 2)
    losses = {10: {"plain": first}, 20: {"plain": second}}  # (rates, starts)
    lesson.draw_rates(axes, np.array([0.1, 1.0]), losses)
    drawn = [ax.lines[0].get_ydata() for ax in axes]
    plt.close(fig)
    np.testing.assert_allclose(drawn, [[0.6, np.nan], [0.4, 1.5]])


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
        ({"batches": HELD_OUT}, "batches has shape (3, 7), but (steps, S, batch size) is expected"),
        ({"batches": BATCHES[:0]}, "batches has shape (0, 3, 6)"),
        ({"batches": changed(BATCHES, (3, 1, 2), 2)}, "batches holds float64, but row numbers"),
        ({"batches": changed(BATCHES, (3, 1, 2), 60).astype(int)}, "row 60, but x has rows 0 to"),
        ({"batches": changed(BATCHES, (3, 1, 2), -1).astype(int)}, "batches holds row -1"),
        ({"held_out": BATCHES}, "held_out has shape (8, 3, 6), but (S, M) is expected"),
        ({"held_out": HELD_OUT[:0]}, "held_out has shape (0, 7)"),
        ({"held_out": HELD_OUT[1:]}, "batches are for 3 starts, held_out for 2, factors for 3"),
        ({"held_out": HELD_OUT > 0}, "np.flatnonzero(mask)"),
        ({"held_out": [[3, 61]] * 3}, "held_out holds row 61"),
        ({"rates": 0.1}, "rates must be a list of numbers, also if there is one: rates=[0.1]"),
        ({"rates": []}, "rates must be a list of numbers"),
        ({"rates": [0.1, 0.0]}, "rates holds 0.0, but each must be finite and above 0"),
        ({"rates": [np.nan]}, "rates holds nan"),
        ({"factors": [1, -2, 1]}, "factors holds -2.0"),
        ({"factors": [1, 2]}, "held_out for 3, factors for 2"),
        ({"clip": -1.0}, "clip holds -1.0, but each must be finite and above 0"),
        ({"looks": [0]}, "looks=[0] must be numbers of steps from 1 to 8"),
        ({"looks": [9]}, "looks=[9]"),
        ({"normalise": "group"}, "There is no normalisation 'group' here: choose batch, layer."),
        ({"factors": [np.inf]}, "factors holds inf"),
        ({"factors": 1.0}, "factors must be a list of numbers"),
        ({"depth": -1}, "depth=-1 must be a whole number, at least 0"),
        ({"units": 2.5}, "units=2.5"),
        ({"activation": "gelu"}, "no activation 'gelu' here: choose relu, sigmoid, tanh."),
        ({"activation": ["relu"]}, "choose relu, sigmoid, tanh."),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("error")
def test_bad_input_is_refused_in_a_clear_sentence(bad, message):
    arguments = {"x": X, "y": Y, "batches": BATCHES, "held_out": HELD_OUT, "rates": [0.1]} | bad
    with pytest.raises(ValueError, match=re.escape(message)):
        lesson.train(**arguments)
