"""The plumbing of the lesson on transfer learning."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier

from course_utils.lessons import transfer_learning as lesson


@pytest.mark.parametrize(("n", "features"), [(12, 30), (40, 7), (10, 10)])
def test_ridge_is_scikit_learns(n, features):
    rng = np.random.default_rng(0)
    y = np.concatenate([np.arange(4), rng.integers(4, size=196)])
    h = rng.normal(size=(200, features)) + rng.normal(size=(4, features))[y] + 3
    rows = np.arange(n)
    found = lesson.ridge(h, y, rows, penalties=[0.01, 1, 100])
    standard = (h - h[rows].mean(axis=0)) / h[rows].std()
    for penalty, answers in found.items():
        theirs = RidgeClassifier(penalty).fit(standard[rows], y[rows]).predict(standard)
        np.testing.assert_array_equal(answers, theirs)
    assert len({tuple(answers) for answers in found.values()}) > 1


def test_ridge_says_when_there_is_nothing_to_learn_from():
    with pytest.raises(ValueError, match="all the same number"):
        lesson.ridge(np.ones((6, 3)), np.arange(6) % 2, np.arange(4), [1])


def test_shapes_return_to_where_they_began():
    found = lesson.shapes(np.random.default_rng(0), kinds=7)
    assert found.shape == (7, lesson.POINTS)
    np.testing.assert_allclose(found[:, [0, -1]], 0, atol=1e-12)
    np.testing.assert_allclose(found.std(axis=1), 1 / 6)
    assert np.abs(np.corrcoef(found) - np.eye(7)).max() < 0.99


def test_the_best_setting_is_chosen_and_the_first_of_equals():
    answers = {1: np.array([0, 0]), 2: np.array([1, 1]), 3: np.array([1, 0])}
    assert lesson.chosen(answers, lambda each: each.sum())[0] == 2
    assert lesson.chosen(answers, lambda each: each[0])[0] == 2
    assert lesson.chosen(answers, lambda each: -each[1])[0] == 1


def test_moves_shift_each_signal_on_its_own_and_only_in_training():
    moves, x = lesson.Moves(seed=0), np.random.default_rng(0).normal(size=(30, 8, 1))
    np.testing.assert_array_equal(moves(x), np.float32(x))
    moved = moves(x, training=True).numpy()
    every = np.float32([np.roll(x, k, axis=1) for k in range(8)])
    shifts = (moved == every).all(axis=(2, 3))
    assert (shifts.sum(axis=0) == 1).all()
    assert len(set(shifts.argmax(axis=0))) > 3


def test_figures_draw_each_method_in_its_colour():
    labels, names = [1, 5], list(lesson.COLOURS)
    ax = plt.subplots()[1]
    lesson.draw_race(ax, labels, {name: {1: 0.3, 5: 0.6} for name in names})
    assert [line.get_color() for line in ax.lines] == list(lesson.COLOURS.values())
    lesson.draw_race(ax, labels, {f"{names[0]} + S": {1: 0.3, 5: 0.6}})
    assert ax.lines[-1].get_color() == lesson.COLOURS[names[0]]
    assert ax.lines[-1].get_linestyle() == "--"
    axes = plt.subplots(1, 2, layout="constrained")[1]
    lesson.draw_stored(axes, labels, {name: np.full((3, 2), 0.5) for name in names})
    assert len(axes[0].lines) == len(axes[1].lines) == len(names)
    plt.close("all")


def test_sources_are_drawn_under_the_name_of_what_was_kept():
    ax = plt.subplots()[1]
    lesson.draw_sources(ax, [5, 10], {name: [0.5, 0.6] for name in "abcdef"}, "24 means")
    assert len(ax.lines) == 6
    assert ax.get_title() == "24 means"
    plt.close("all")
