"""The lesson's small networks: weights in one vector, cut into layers as Keras has them."""

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from course_utils.lessons import resnet_small as small
from course_utils.lessons.resnet import network

rng = np.random.default_rng(0)


@pytest.mark.parametrize("depth", [8, 14, 20])
def test_parts_are_those_of_the_full_network(depth):
    keras.utils.set_random_seed(0)
    full = network(depth, shape=(8, 8, 1)).trainable_variables
    ours = small.shapes(depth)
    assert len(ours) == len(full)
    for own, theirs in zip(ours, full, strict=True):  # 16, 32 and 64 filters there
        doubled = [2 * size if size in small.FILTERS else size for size in own]
        assert doubled == [*theirs.shape]
    with pytest.raises(ValueError, match="6 n"):
        small.shapes(9)


def test_cutting_and_joining_are_inverse_and_every_number_is_in_its_place():
    w = np.arange(len(small.first_weights(14, rng)), dtype="float32")
    np.testing.assert_array_equal(small.join(small.parts(w, 14)), w)
    first, blocks, last = small.cut(w, 14)
    assert [len(first), len(last), len(blocks)] == [3, 2, 6]
    assert {len(block) for block in blocks} == {6}
    flat = [*first, *(part for block in blocks for part in block), *last]
    np.testing.assert_array_equal(small.join(flat), w)
    assert [tuple(part.shape) for part in flat] == small.shapes(14)
    assert [kernel.shape for kernel in small.kernels(w, 14)] == small.shapes(14)[:-2:3]


def test_first_weights_have_the_variances_of_he_and_betas_are_zero():
    parts = small.parts(small.first_weights(56, rng), 56)
    for part in parts[3:-2]:
        if part.ndim == 4:
            np.testing.assert_allclose(np.var(part) * 9 * part.shape[2] / 2, 1, atol=0.25)
    assert all((part.numpy() == 1).all() for part in parts[1:-2:3])
    assert all((part.numpy() == 0).all() for part in [*parts[2:-2:3], parts[-1]])
    np.testing.assert_allclose(np.var(parts[-2]) * 32, 1, atol=0.3)
    again = small.first_weights(8, np.random.default_rng(3))
    np.testing.assert_array_equal(again, small.first_weights(8, np.random.default_rng(3)))


def test_silent_start_makes_every_branch_zero_and_keeps_the_rest():
    w = small.first_weights(14, rng)
    silent = small.silent_start(w, 14)
    for before, after in zip(small.cut(w, 14)[1], small.cut(silent, 14)[1], strict=True):
        assert not after[4].numpy().any() and before[4].numpy().all()
        for k in (0, 1, 2, 3, 5):
            np.testing.assert_array_equal(before[k], after[k])
    np.testing.assert_array_equal(small.parts(w, 14)[-2], small.parts(silent, 14)[-2])


def test_identity_start_without_noise_hands_on_what_it_gets():
    w = small.identity_start(small.first_weights(14, rng), 14, 0.0)
    x = tf.constant(rng.uniform(size=(2, 8, 8, 8)), tf.float32)
    same, down = small.cut(w, 14)[1][0], small.cut(w, 14)[1][2]
    for k in (0, 3):
        np.testing.assert_allclose(tf.nn.conv2d(x, same[k], 1, "SAME"), x, atol=1e-6)
    halved = tf.nn.conv2d(x, down[0], 2, "SAME")
    np.testing.assert_allclose(halved, tf.tile(x[:, 1::2, 1::2], (1, 1, 1, 2)), atol=1e-6)
    np.testing.assert_array_equal(
        small.parts(w, 14)[0], small.identity_start(w, 14, 0.5)[: 9 * 8].reshape(3, 3, 1, 8)
    )


def test_batch_normalisation_is_that_of_the_formula():
    z = rng.normal(3, 2, size=(9, 4, 4, 2)).astype("float32")
    gamma, beta = np.float32([2, 3]), np.float32([0, 1])
    mean, var = z.mean(axis=(0, 1, 2)), z.var(axis=(0, 1, 2))
    by_hand = gamma * (z - mean) / np.sqrt(var + 1e-3) + beta
    np.testing.assert_allclose(small.batch_norm(z, gamma, beta), by_hand, atol=1e-3)


@pytest.mark.parametrize(
    ("rule", "optimizer"),
    [
        (small.adam, keras.optimizers.Adam(0.1)),
        (small.momentum, keras.optimizers.SGD(0.1, momentum=0.9)),
    ],
)
def test_steps_go_where_keras_goes(rule, optimizer):
    ours = tf.constant([1.0, -2, 0.5])
    theirs, memory = keras.Variable(ours), []
    for _ in range(4):
        dw = tf.constant(rng.normal(size=3), tf.float32)
        optimizer.apply([dw], [theirs])
        way, memory = rule(dw, *memory)
        ours = ours - 0.1 * way
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize(("side", "stride"), [(8, 1), (2, 1), (4, 2), (1, 1)])
def test_the_share_inside_is_that_of_a_convolution_of_ones(side, stride):
    seen = tf.nn.conv2d(
        tf.ones((1, side * stride, side * stride, 1)), tf.ones((3, 3, 1, 1)), stride, "SAME"
    )
    assert float(tf.reduce_mean(seen)) / 9 == pytest.approx(small.share_inside(side, stride))


def test_batches_visit_every_row_once_in_a_pass():
    rows = small.batches(20, 4, 12, np.random.default_rng(1))
    assert rows.shape == (12, 4)
    for some in (rows[:5], rows[5:10]):
        assert sorted(some.ravel()) == list(range(20))
    assert small.batches(10, 4, 3, np.random.default_rng(1)).shape == (3, 4)


def test_the_table_has_a_row_for_each_network_and_a_column_for_each_rate():
    seeds = [{"a, 0.1": [9, 1.0], "a, 0.3": [9, k], "b, 0.1": [k, 2 * k]} for k in (0.5, 1.5, 4.0)]
    losses = small.last_losses([{"tried": tried} for tried in seeds])
    assert losses["b", 0.1].tolist() == [1, 3, 8]
    table = small.spread(losses)
    assert table.loc["a"].tolist() == ["1.00 (1.00 to 1.00)", "1.50 (0.50 to 4.00)"]
    assert table.loc["b"].tolist() == ["3.00 (1.00 to 8.00)", ""]


def test_the_rate_of_a_seed_is_chosen_on_the_others():
    losses = pd.DataFrame({0.1: [1.0, 1, 1], 0.3: [0.0, 0.2, 5]})
    # Without the last seed 0.3 is better, with it 0.1: each time for the other two.
    np.testing.assert_array_equal(small.tuned(losses), [1, 1, 5])


def test_figures_are_drawn():
    curves = {(kind, d): rng.uniform(0.1, 2, 6) for kind in ("plain", "residual") for d in (8, 20)}
    small.draw_curves(plt.subplots(1, 2)[1], curves)
    norms = {(k, how): rng.uniform(1, 2, (3, 5)) for how in "ab" for k in ("plain", "residual")}
    small.draw_gradients(plt.subplots(1, 2)[1], norms)
    small.draw_deleted(plt.subplots()[1], {"plain 20": rng.uniform(size=7)}, {"plain 20": 0.9})
    surfaces = {key: rng.uniform(0.1, 3, (5, 5)) for key in curves}
    figure = plt.figure()
    small.draw_landscapes(figure, np.linspace(-1, 1, 5), surfaces)
    assert len(figure.axes) == 7  # four maps, two panels and the bar of colours
    tried = {"a, 0.01": [2.0, 1], "a, 0.1": [2.0, 0.1], "a b, 0.3": [1.0, 1]}
    by_rate = small.draw_rates([{"tried": tried}] * 3, "a")
    assert [line.get_text() for line in by_rate.axes[0].get_legend().get_texts()] == [
        "α = 0.01",
        "α = 0.1",
    ]
    small.draw_cover(plt.subplots(1, 2)[1], rng.uniform(size=(8, 8)))
    plt.close("all")
