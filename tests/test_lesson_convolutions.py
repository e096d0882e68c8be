"""Layers and rivals of `convolutions` against Keras, and against loops."""

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.neighbors import KNeighborsClassifier

from course_utils.lessons import convolutions as lesson

rng = np.random.default_rng(0)
X = rng.normal(size=(30, 9)).astype("float32")
Y = rng.integers(3, size=30)


@pytest.mark.parametrize("length", [8, 9])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("width", [1, 4, 5])
def test_own_windows_that_are_all_alike_are_a_convolution(length, stride, width):
    x = rng.normal(size=(5, length, 2)).astype("float32")
    shared = keras.layers.Conv1D(3, width, stride, "same", activation="relu")
    own = lesson.OwnWindows(3, width, stride)
    shared.build(x.shape)
    own.build(x.shape)
    shared.bias.assign(rng.normal(size=3))
    kernel = shared.kernel.numpy().reshape(1, -1, 3)
    own.kernel.assign(np.repeat(kernel, own.places, axis=0))
    own.bias.assign(np.tile(shared.bias.numpy(), (own.places, 1)))
    assert_allclose(own(x), shared(x), atol=1e-5)


def test_own_windows_have_weights_of_their_own_at_each_place():
    own = lesson.OwnWindows(3, 5, 2, "linear")
    x = np.ones((1, 8, 2), "float32")
    before = own(x).numpy()
    assert own.count_params() == 4 * (5 * 2 + 1) * 3
    bias = np.zeros((4, 3), "float32")
    bias[2, 1] = 7
    own.bias.assign(bias)
    changed = np.argwhere(own(x).numpy() != before)
    assert_array_equal(changed, [[0, 2, 1]])


def test_their_first_weights_are_as_large_as_those_of_keras():
    own = lesson.OwnWindows(20, 5)
    own.build((None, 30, 20))
    limit = (6 / (5 * 20 + 5 * 20)) ** 0.5
    assert_allclose(np.abs(own.kernel.numpy()).max(), limit, rtol=0.01)
    assert_allclose(own.kernel.numpy().std(), limit / 3**0.5, rtol=0.02)


def test_random_shifts_move_signals_around_in_training_alone():
    layer = lesson.RandomShift(seed=1)
    assert_array_equal(layer(X[..., None]), X[..., None])
    moved = layer(X[..., None], training=True).numpy()[..., 0]
    places = []
    for signal, after in zip(X, moved, strict=True):
        (place,) = [k for k in range(9) if np.array_equal(np.roll(signal, k), after)]
        places.append(place)
    assert len(set(places)) > 4
    assert not np.array_equal(layer(X[..., None], training=True).numpy()[..., 0], moved)


def test_moved_copies():
    moved, labels = lesson.moved_copies(X, Y, 4, np.random.default_rng(1))
    assert moved.shape == (120, 9)
    assert_array_equal(labels, np.tile(Y, 4))
    for k, after in enumerate(moved):
        assert any(np.array_equal(np.roll(X[k % 30], move), after) for move in range(9))
    assert np.mean(moved[:30] == X) < 0.5


def test_moved_pictures():
    x = rng.random((6, 5, 4))
    moved, labels = lesson.moved_pictures(x, Y[:6], 1, 20, np.random.default_rng(1))
    assert moved.shape == (120, 5, 4)
    assert_array_equal(labels, np.tile(Y[:6], 20))
    seen = set()
    for k, after in enumerate(moved):
        wide = np.pad(x[k % 6], 1)
        (found,) = [
            (i, j)
            for i in range(3)
            for j in range(3)
            if np.array_equal(wide[i : i + 5, j : j + 4], after)
        ]
        seen.add(found)
    assert len(seen) == 9


def test_the_nearest_over_moves_are_the_nearest_of_all_moved_copies():
    asked = rng.normal(size=(12, 9)).astype("float32")
    found = lesson.nearest_over_moves(X, Y, asked, (1, 3))
    everywhere = np.concatenate([np.roll(X, k, axis=1) for k in range(9)])
    expected = KNeighborsClassifier(1).fit(everywhere, np.tile(Y, 9)).predict(asked)
    assert_array_equal(found[1], expected)
    distance = np.min([((asked[:, None] - np.roll(X, k, 1)) ** 2).sum(2) for k in range(9)], axis=0)
    votes = [np.bincount(Y[np.argsort(row)[:3]], minlength=3).argmax() for row in distance]
    assert_array_equal(found[3], votes)


@pytest.mark.parametrize(
    "scores, start, expected, asked",
    [
        ([1, 2, 5, 4, 3, 0], 2, 2, [1, 2, 3]),
        ([1, 2, 3, 4, 6, 5], 2, 4, [1, 2, 3, 4, 5]),
        ([9, 8, 3, 2, 1, 0], 2, 0, [1, 2, 3, 0]),
        ([0, 1, 2, 3, 4, 5], 4, 5, [3, 4, 5]),
        ([7, 0, 2, 1, 0, 0], 2, 2, [1, 2, 3]),
    ],
)
def test_the_best_setting_has_neighbours_that_were_tried(scores, start, expected, asked):
    ladder, seen = [10.0**k for k in range(6)], []

    def score(setting):
        seen.append(ladder.index(setting))
        return scores[seen[-1]]

    assert lesson.best_inside(score, ladder, ladder[start]) == ladder[expected]
    assert seen == asked
    assert lesson.best_inside(lambda setting: 0, [0.3], 0.3) == 0.3


def test_a_forest_of_moved_copies_knows_signals_wherever_they_stand():
    shapes = np.array([[3, 0, 0, 0, 0, 0, 0, 0], [3, 0, 3, 0, 0, 0, 0, 0]], "float32")
    known, names = shapes[[0, 1, 0, 1]], np.array([0, 2, 0, 2])
    moved = np.concatenate([np.roll(shapes, k, axis=1) for k in range(8)])
    moves = np.random.default_rng(1)
    found = lesson.forest_over_moves(known, names, moved, (1, 8), copies=40, rng=moves)
    assert [*found] == [1, 8]
    for answer in found.values():
        assert_array_equal(answer, np.tile([0, 2], 8))


def test_windows_of_signals():
    seen = lesson.windows_of(X, 5)
    assert seen.shape == (30, 9, 5)
    assert_array_equal(seen[:, :, 2], X)
    assert_array_equal(seen[:, 0, :2], np.zeros((30, 2)))
    assert_array_equal(seen[:, 4], X[:, 2:7])


def test_figures_show_what_they_are_given():
    ax = plt.subplots()[1]
    shares = {("windows", "in order"): 0.9, ("dense", "in order"): 0.6,
              ("windows", "shuffled"): 0.5, ("dense", "shuffled"): 0.61}  # fmt: skip
    lesson.draw_shuffled(ax, shares)
    assert [bar.get_height() for bar in ax.patches] == [0.9, 0.6, 0.5, 0.61]
    methods = ["windows 250", "random windows 250", "forest, told 4000"]
    table = pd.DataFrame([[0.6, 0.9, 0.7], [0.8, 0.7, 0.7]], columns=methods)
    axes = plt.subplots(1, 2)[1]
    lesson.draw_amounts(axes, table)
    labels = [label.get_text() for label in axes[0].get_yticklabels()]
    assert labels == ["windows", "random windows"]
    assert_allclose([bar.get_width() for bar in axes[0].patches], [0.7, 0.8])
    assert_allclose([bar.get_width() for bar in axes[1].patches], [0.7])
    axes = plt.subplots(1, 2)[1]
    lesson.draw_signals(axes, X[:3], np.arange(9)[::-1])
    assert_array_equal(axes[0].lines[1].get_ydata()[::-1], axes[1].lines[1].get_ydata())
    axes = plt.subplots(1, 2)[1]
    lesson.draw_filters(axes, X[5:10, :6], X[:5, :6], X[6])
    drawn = [tuple(line.get_ydata()) for line in axes[0].lines[:12]]
    pairs = zip(X[:5, :6].T, X[5:10, :6].T, strict=True)
    expected = {(tuple(window), tuple(start)) for window, start in pairs}
    assert {*zip(drawn[::2], drawn[1::2], strict=True)} == expected
    axes = plt.subplots(1, 2)[1]
    lesson.draw_edges(axes, np.abs(X), {"edges": X})
    assert axes[1].images[0].get_clim() == (-np.abs(X).max(), np.abs(X).max())
    plt.close("all")
