"""What the networks of the first lesson are held against: exact answers, and rivals that learn."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from course_utils.lessons import neural_networks_yardsticks as yardsticks


def test_the_best_classifier_of_the_moons_is_as_sure_as_it_is_right():
    """Its probabilities are the truth: among points given p, a share p is of class 1."""
    points, side = yardsticks.moons(40_000, 0)
    p = yardsticks.moons_probability(points)
    for low in np.arange(0, 1, 0.2):
        chosen = (p >= low) & (p < low + 0.2)
        error = (p[chosen] * (1 - p[chosen])).mean() ** 0.5 / chosen.sum() ** 0.5
        assert abs(side[chosen].mean() - p[chosen].mean()) < 4 * error
    loss = -np.log(np.where(side == 1, p, 1 - p))
    entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p))
    assert abs(loss.mean() - entropy.mean()) < 4 * loss.std() / 200


def test_the_moons_change_places_when_the_plane_is_turned_around():
    points = np.random.default_rng(0).normal(size=(50, 2))
    turned = np.array([1, 0.5]) - points
    p, q = map(yardsticks.moons_probability, (points, turned))
    np.testing.assert_allclose(p, 1 - q, atol=1e-9)


def test_central_differences_are_the_slopes_and_leave_the_arrays_as_they_were():
    W, b = np.arange(6.0).reshape(2, 3), np.ones((2, 1))
    slopes = yardsticks.central_differences(lambda: (W**2).sum() + 3 * b.sum(), [W, b])
    np.testing.assert_allclose(slopes[0], 2 * np.arange(6.0).reshape(2, 3), atol=1e-7)
    np.testing.assert_allclose(slopes[1], [[3], [3]], atol=1e-7)
    assert W.tolist() == [[0, 1, 2], [3, 4, 5]] and b.tolist() == [[1], [1]]
    assert yardsticks.flat([W, b]).tolist() == [0, 1, 2, 3, 4, 5, 1, 1]


def test_untrained_units_do_not_look_at_the_labels_and_follow_their_seed():
    x = np.random.default_rng(0).normal(size=(400, 5))
    layer = yardsticks.RandomUnits(300, scale=2, seed=1)
    h = layer.fit(x, np.arange(400)).transform(x)
    assert h.shape == (400, 300) and np.abs(h).max() <= 1
    np.testing.assert_array_equal(h, yardsticks.RandomUnits(300, scale=2, seed=1).fit_transform(x))
    assert not np.allclose(h, yardsticks.RandomUnits(300, scale=2, seed=2).fit_transform(x))
    sums = np.arctanh(yardsticks.RandomUnits(300, scale=0.1).fit_transform(x))
    assert sums.std() == pytest.approx(0.1 * 2**0.5, rel=0.15)  # weights and biases, equally


def test_rivals_of_the_moons_come_near_the_best_classifier():
    x, y = yardsticks.moons(500, 3)
    fresh, side = yardsticks.moons(3_000, 4)
    best = ((yardsticks.moons_probability(fresh) > 0.5) == side).mean()
    rivals = yardsticks.moons_rivals(x, y, seed=0)
    right = {name: ((rival(fresh) > 0.5) == side).mean() for name, rival in rivals.items()}
    assert {*right} == {
        *("nearest neighbours", "polynomial", "8 untrained units", "100 untrained units")
    }
    for name in ("nearest neighbours", "polynomial", "100 untrained units"):
        assert right[name] > best - 0.02


def test_rivals_of_the_curve_follow_it():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (2, 100, 1))
    y = np.sin(np.pi * x) + 0.1 * rng.normal(size=x.shape)
    at = np.linspace(-0.9, 0.9, 50)[:, None]
    for name, curves in yardsticks.curve_rivals(x, y, at).items():
        assert curves.shape == (2, 50), name
        assert np.mean((curves - np.sin(np.pi * at[:, 0])) ** 2) < 0.02, name


def test_rivals_of_the_digits_learn():
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    x = rng.random((200, 6)) + y[:, None]
    for name, (make, grid) in yardsticks.digit_rivals(0).items():
        for setting in grid:
            assert make(setting).fit(x, y).score(x, y) > 0.9, name


def test_the_exam_chooses_by_validation_and_judges_by_the_test():
    x = np.linspace(-1, 1, 90)[:, None]
    y = (x[:, 0] > 0).astype(int)
    y[:40] = 1 - y[:40]  # learned from: all wrong
    sets, test = [np.r_[0:60]], np.r_[60:90]
    exam = yardsticks.Exam(x, y, sets, test, learn=40)
    np.testing.assert_array_equal(exam.learn(0)[0], x[:40])
    np.testing.assert_array_equal(exam.learn(0)[1], y[:40])
    right, learned = (LogisticRegression().fit(x, sign * x[:, 0] > 0) for sign in (1, -1))
    assert learned.score(*exam.learn(0)) > right.score(*exam.learn(0))
    for by in ("accuracy", "log loss"):
        assert exam.best([[learned, right]], by) == [right]
        assert exam.best([[right, learned]], by) == [right]
    assert exam.reads([right, right]).shape == (2, 30) and exam.reads([right]).all()


def test_an_error_over_both_grows_with_either():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4, 1)) + rng.normal(size=(1, 500))
    claim = yardsticks.over_both(values, "pictures")
    assert claim["over"] == "500 pictures and 4 training sets"
    assert claim["value"] == pytest.approx(values.mean())
    sets = values.mean(axis=1).std(ddof=1) / 2
    pictures = values.mean(axis=0).std(ddof=1) / 500**0.5
    assert claim["se"] == pytest.approx(np.hypot(sets, pictures))


def test_borders_are_drawn_over_the_points():
    points, side = yardsticks.moons(60, 0)
    ax = plt.figure().add_subplot()
    yardsticks.draw_borders(ax, [lambda p: 1 / (1 + np.exp(-p[:, 0]))] * 3, points, side)
    drawn = [c for c in ax.collections if hasattr(c, "levels")]
    assert len(drawn) == 4 and len(ax.collections) == 6
    plt.close()


def test_playgrounds_hold_two_classes_each():
    points, side = yardsticks.moons(300, 0)
    sets = yardsticks.playgrounds(points, side, 0)
    assert list(sets) == ["moons", "rings", "corners", "spiral"]
    for x, y in sets.values():
        assert x.shape == (len(y), 2) and {*y} == {0, 1}
