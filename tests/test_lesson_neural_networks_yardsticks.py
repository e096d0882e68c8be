"""What the networks of the first lesson are held against: exact answers, and rivals that learn."""

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
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
        *("nearest neighbours", "polynomial"),
        *("8 untrained units", "16 untrained units", "100 untrained units"),
    }
    for name in ("nearest neighbours", "polynomial", "100 untrained units"):
        assert right[name] > best - 0.02


def curves(rng):
    """Two data sets of 100 noisy points on a sine, and where to predict it."""
    x = rng.uniform(-1, 1, (2, 100, 1))
    y = np.sin(np.pi * x) + 0.1 * rng.normal(size=x.shape)
    return x, y, np.tile(np.linspace(-0.9, 0.9, 50)[:, None], (2, 1, 1))


def test_rivals_of_the_curve_follow_it():
    x, y, at = curves(np.random.default_rng(0))
    fits = yardsticks.by_validation(yardsticks.curve_rivals, x, y, 75, at)
    apart = {
        name: np.mean((curve - np.sin(np.pi * at[..., 0])) ** 2) for name, curve in fits.items()
    }
    assert all(curve.shape == (2, 50) for curve in fits.values())
    assert 0.1 < apart.pop("line") < 0.3
    assert max(apart.values()) < 0.02
    assert apart["waves"] < min(apart["nearest neighbours"], apart["100 untrained units"])


def test_waves_are_those_of_a_beat_that_repeats_itself():
    x = np.array([[0.5], [1.0]])
    expected = [[1, 0, 0, -1], [0, 0, -1, 1]]
    np.testing.assert_allclose(yardsticks.waves(2).fit_transform(x), expected, atol=1e-12)
    again = yardsticks.waves(5).transform(x + 2)
    np.testing.assert_allclose(yardsticks.waves(5).transform(x), again, atol=1e-12)


def test_validation_chooses_one_setting_for_all_data_sets_and_is_not_learned_from():
    x = np.zeros((2, 6, 1))
    y = np.array([[0, 0, 0, 9, 9, 9], [4, 4, 4, 5, 5, 5.0]])[..., None]

    def methods(k):
        always = [DummyRegressor(strategy="constant", constant=c) for c in (0, 7, 100)]
        return {"always": always, "mean": [DummyRegressor()], "seed": [always[k]]}

    fits = yardsticks.by_validation(methods, x, y, 3, np.zeros((2, 2, 1)))
    assert fits["always"].tolist() == [[7, 7], [7, 7]]
    assert fits["mean"].tolist() == [[0, 0], [4, 4]]
    assert fits["seed"].tolist() == [[0, 0], [7, 7]]


def test_networks_by_steps_learn_from_the_first_rows_and_are_judged_by_the_others():
    def build():
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.Adam(0.1), keras.losses.MeanSquaredError(reduction=None))
        return model

    x = np.random.default_rng(0).uniform(-1, 1, (3, 40, 1)).astype("float32")
    y = 2 * x + np.array([0, 1, 2], "float32")[:, None, None]
    y[:, 30:] += 1
    outputs, wrong = yardsticks.by_steps(build, x, y, 30, x[:, :5], (1, 500))
    assert outputs.shape == (2, 3, 5)
    np.testing.assert_allclose(outputs[1], y[:, :5, 0], atol=0.01)
    assert wrong[1] == pytest.approx(1, abs=0.01) and wrong[0] > 1.5


def test_rivals_of_the_wines_learn():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 200, 4))
    y = x[..., :1] + x[..., 1:2]
    fits = yardsticks.by_validation(yardsticks.wine_rivals, x, y, 150, x)
    apart = {name: np.mean((fit - y[..., 0]) ** 2) for name, fit in fits.items()}
    assert apart["mean"] > 1.5 and apart["line"] < 0.01
    assert max(apart["nearest neighbours"], apart["300 untrained units"]) < 1


def test_rivals_of_the_digits_learn():
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    x = rng.random((200, 6)) + y[:, None]
    for name, models in yardsticks.digit_rivals(0).items():
        for model in models:
            assert model.fit(x, y).score(x, y) > 0.9, name


def test_untrained_units_are_drawn_anew_for_each_seed():
    drawn = [yardsticks.digit_rivals(seed)["128 untrained units"][0][0].seed for seed in (0, 1)]
    drawn += [yardsticks.curve_rivals(seed)["100 untrained units"][0][0].seed for seed in (0, 1)]
    assert drawn == [0, 1, 0, 1]


def test_tumours_are_three_standardised_rows():
    X, malignant, largest = yardsticks.tumours()
    assert X.shape == (3, 569) and malignant.sum() == 212
    np.testing.assert_allclose([X.mean(axis=1), X.std(axis=1)], [[0] * 3, [1] * 3], atol=1e-9)
    for row in (*X, largest):
        assert row[malignant == 1].mean() > row[malignant == 0].mean()
    assert np.corrcoef(X[0], largest)[0, 1] > 0.9


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


def test_the_exam_tunes_each_method_in_each_training_set():
    rng = np.random.default_rng(0)
    x, seeds = rng.normal(size=(90, 1)), []
    y, sets = (x[:, 0] > 0) * 1, [np.r_[0:30], np.r_[30:60]]
    exam = yardsticks.Exam(x, y, sets, np.r_[60:90], learn=20)

    def methods(k):
        seeds.append(k)
        settings = [DummyClassifier(strategy="prior"), LogisticRegression()]
        return {"one": settings, "untrained": settings[::-1]}

    best = exam.tuned(methods)
    assert seeds == [0, 1] and {*best} == {"one", "untrained"}
    assert all(isinstance(m, LogisticRegression) for models in best.values() for m in models)
    firsts = [models[0].coef_[0, 0] for models in best.values()]
    expected = LogisticRegression().fit(*exam.learn(0)).coef_[0, 0]
    np.testing.assert_allclose(firsts, expected)


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
