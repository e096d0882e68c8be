"""Blocks in a row against the same network in Keras's own layers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from course_utils.lessons import resnet
from course_utils.lessons.resnet import Blocks

rng = np.random.default_rng(0)
N, FILTERS, MOMENTUM = 3, 4, 0.8
X = rng.normal(1, 2, (5, 6, 7, FILTERS)).astype("float32")
TARGET = rng.normal(size=X.shape).astype("float32")


def plain(x, h):
    return tf.nn.relu(h)


def residual(x, h):
    return tf.nn.relu(x + h)


class Reference(keras.Model):
    """The same blocks in Keras's layers, with the same weights."""

    def __init__(self, row: Blocks):
        super().__init__()
        self.join, self.pairs = row.join, []
        for _ in range(row.n):
            for _ in range(2):
                convolution = layers.Conv2D(row.filters, 3, padding="same", use_bias=False)
                norm = layers.BatchNormalization(momentum=row.momentum) if row.normalise else None
                self.pairs.append([convolution, norm])
        self(X)
        for (convolution, norm), kernel, *others in zip(
            self.pairs, *per_convolution(row), strict=True
        ):
            convolution.set_weights([kernel])
            if norm:
                norm.set_weights(others)

    def outputs(self, x, training=False):
        found = []
        for first, second in zip(self.pairs[::2], self.pairs[1::2], strict=True):
            h = tf.nn.relu(answer(*first, x, training))
            x = self.join(x, answer(*second, h, training))
            found.append(x)
        return found

    def call(self, x, training=False):
        return self.outputs(x, training)[-1]

    def stacked(self, kind: int, name: str) -> np.ndarray:
        """A weight of all convolutions (kind 0) or normalisations (1), stacked as in Blocks."""
        found = np.stack([getattr(pair[kind], name).numpy() for pair in self.pairs])
        return found.reshape(-1, 2, *found.shape[1:])


def answer(convolution, norm, x, training):
    x = convolution(x)
    return norm(x, training=training) if norm else x


def per_convolution(row: Blocks) -> list[np.ndarray]:
    return [np.concatenate(w.numpy()) for w in row.weights]


def assert_same_weights(row: Blocks, reference: Reference) -> None:
    names = {"kernel": (0, "kernel")}
    if row.normalise:
        names |= {"gamma": (1, "gamma"), "beta": (1, "beta")}
        names |= {"mean": (1, "moving_mean"), "variance": (1, "moving_variance")}
    for name, place in names.items():
        assert_same(getattr(row, name).numpy(), reference.stacked(*place), name)


def assert_same(found, expected, name=""):
    scale = np.abs(expected).max()
    assert scale > 0
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * max(1, scale), err_msg=name)


def made(join=residual, normalise=True, n=N) -> Blocks:
    """Blocks whose weights are all different."""
    row = Blocks(n, FILTERS, join, normalise, MOMENTUM)
    for weight in row.weights[1:]:
        weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    return row


@pytest.mark.parametrize("join", [plain, residual])
@pytest.mark.parametrize("normalise", [True, False])
def test_blocks_are_what_keras_layers_with_the_same_weights_are(join, normalise):
    row = made(join, normalise)
    reference = Reference(row)
    for training in (False, True, True):  # the second time the moving averages have moved already
        results = []
        for network in (row, reference):
            x = tf.constant(X)
            with tf.GradientTape() as tape:
                tape.watch(x)
                outputs = network.outputs(x, training=training)
                loss = tf.reduce_mean((outputs[-1] - TARGET) ** 2)
            results.append((outputs, tape.gradient(loss, [x, *network.trainable_variables])))
        (outputs, (along_x, *gradients)), (expected, (expected_x, *others)) = results
        assert len(outputs) == N
        for k in range(N):
            assert_same(outputs[k], expected[k], f"output of block {k}")
        assert_same(along_x, expected_x, "gradient along x")
        # Keras has kernel, gamma, beta of one convolution after the other.
        kinds = 3 if normalise else 1
        for kind in range(kinds):
            theirs = np.stack(others[kind::kinds])
            assert_same(gradients[kind], theirs.reshape(gradients[kind].shape), f"kind {kind}")
        assert_same_weights(row, reference)


def test_trained_in_a_model_they_stay_what_keras_layers_are():
    row = made()
    reference = Reference(row)
    before = row.kernel.numpy()
    for network, eager in ((keras.Sequential([row]), False), (reference, True)):  # spares a trace
        network.compile(keras.optimizers.SGD(0.05, momentum=0.9), "mse", run_eagerly=eager)
        network.fit(X, TARGET, batch_size=2, epochs=2, shuffle=False, verbose=0)
    assert np.abs(row.kernel.numpy() - before).max() > 1e-3
    assert_same_weights(row, reference)


def test_the_last_output_is_the_answer_and_whole_numbers_are_taken_too():
    row, images = made(), X.round()
    for training in (False, True):
        last = row.outputs(images.astype(int), training)[-1]
        np.testing.assert_array_equal(row(images, training=training), last)


def test_frozen_blocks_keep_their_averages_and_use_them():
    row = made()
    moved = made()
    expected, weights = row(X).numpy(), row.get_weights()
    row.trainable = False
    np.testing.assert_array_equal(row(X, training=True), expected)
    for weight, before in zip(row.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(weight, before)
    assert not row.trainable_variables
    average = moved.mean.numpy()
    moved(X)
    np.testing.assert_array_equal(moved.mean, average)  # nor do they move without training
    moved(X, training=True)
    assert np.abs(moved.mean.numpy() - average).min() > 0


def test_the_start_is_he_normal_and_follows_the_seed():
    row = Blocks(4, 16, residual)
    kernel = row.kernel.numpy()
    assert kernel.shape == (4, 2, 3, 3, 16, 16)
    assert kernel.std() == pytest.approx(np.sqrt(2 / (9 * 16)), rel=0.03)
    assert len(np.unique(kernel)) > 0.99 * kernel.size  # not one block repeated
    for weight, start in zip(row.weights[1:], (1, 0, 0, 1), strict=True):
        assert weight.shape == (4, 2, 16)
        np.testing.assert_array_equal(weight, np.full((4, 2, 16), start))
    assert [w.name for w in row.trainable_variables] == ["kernel", "gamma", "beta"]
    assert [w.name for w in Blocks(4, 16, residual, normalise=False).weights] == ["kernel"]

    same = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        same.append(Blocks(1, 2, plain).kernel.numpy())
    np.testing.assert_array_equal(*same)
    assert not np.array_equal(same[0], Blocks(1, 2, plain).kernel.numpy())


def test_no_blocks_answer_with_their_input():
    row = Blocks(0, FILTERS, plain)
    np.testing.assert_array_equal(row(X, training=True), X)
    assert row.outputs(X) == row.weights == []


def test_a_shape_is_traced_once_for_all_blocks_and_layers_without_a_warning(monkeypatch):
    warned = []
    monkeypatch.setattr(tf.get_logger(), "warning", lambda *message, **_: warned.append(message))
    before, row = resnet._branch.experimental_get_tracing_count(), Blocks(1, 2, plain)
    for count in range(1, 7):
        row(np.ones((count, 4, 4, 2)))
    Blocks(4, 2, residual)(np.ones((count, 4, 4, 2)))
    assert resnet._branch.experimental_get_tracing_count() == before + 6
    assert not warned


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"n": -1}, "n=-1 must be a whole number from 0 on"),
        ({"n": 2.0}, r"n=2\.0 must be a whole number"),
        ({"filters": 0}, "filters=0 must be a whole number from 1 on"),
        ({"filters": (8, 16)}, r"filters=\(8, 16\) must be a whole number"),
        ({"join": True}, r"join=True cannot be called: give a function of x and h"),
        ({"momentum": 1}, r"momentum=1 must be at least 0 and below 1"),
        ({"momentum": -0.1}, r"momentum=-0\.1 must be"),
    ],
)
def test_blocks_say_what_is_wrong_with_their_settings(changed, words):
    with pytest.raises(ValueError, match=words):
        Blocks(**{"n": 1, "filters": FILTERS, "join": plain} | changed)


@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("shape", [(5, 6, 7, 1), (6, 7, FILTERS)])
def test_images_that_do_not_fit_are_named(n, shape):
    words = rf"take images of shape \(N, H, W, {FILTERS}\), but x has shape \({shape[0]}, "
    for call in (Blocks(n, FILTERS, plain), Blocks(n, FILTERS, plain).outputs):
        with pytest.raises(ValueError, match=words):
            call(np.ones(shape))


@pytest.mark.parametrize(
    ("join", "given"),
    [
        (lambda x, h: h[:, ::2], r"\(5, 3, 7, 4\)"),
        (lambda x, h: tf.concat([x, h], -1), r"\(5, 6, 7, 8\)"),
        (lambda x, h: None, "None"),
    ],
)
def test_a_join_that_returns_something_else_is_named(join, given):
    words = rf"join\(x, h\) must keep the shape of x, \(5, 6, 7, 4\), not give {given}"
    with pytest.raises(ValueError, match=words):
        Blocks(2, FILTERS, join)(X)
