"""The plumbing of the lesson on what variational autoencoders are used for."""

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from keras import ops
from scipy.ndimage import affine_transform
from sklearn.linear_model import LogisticRegression

from course_utils import data
from course_utils.lessons import var_mod_applications as lesson


def bar(top, bottom, left, right):
    picture = np.zeros((28, 28))
    picture[top:bottom, left:right] = 1
    return picture


@pytest.mark.parametrize("degrees", [-30, 0, 20, 40])
def test_slant_is_the_angle_of_a_sheared_bar(degrees):
    tangent = np.tan(np.radians(degrees))
    matrix = np.array([[1, 0], [tangent, 1]])  # a row r looks at the columns tangent * r further
    upright = bar(6, 22, 12, 16)
    leaning = affine_transform(upright, matrix, offset=[0, -13.5 * tangent], order=1)
    found = lesson.slant(np.stack([leaning, np.zeros((28, 28))]).reshape(2, 784))
    np.testing.assert_allclose(found, [degrees, 0], atol=1)


def test_slants_take_each_digits_mean_away():
    rng = np.random.default_rng(0)
    x, altered = (rng.random((2, 60, 784)) > 0.8).astype(float)
    y, target = rng.integers(3, size=(2, 60)) + 4
    found = lesson.slants(x, y, altered, target)
    for values, digits, pictures in zip(found, (y, target), (x, altered), strict=True):
        for k in np.unique(digits):
            assert abs(values[digits == k].mean()) < 1e-9
            np.testing.assert_allclose(np.diff(values[digits == k]),
                                       np.diff(lesson.slant(pictures[digits == k])))  # fmt: skip


def test_lead_is_the_difference_of_correlations_with_their_scatter():
    rng = np.random.default_rng(1)
    before = rng.normal(size=2_000)
    close, loose = (np.stack([before, before + s * rng.normal(size=2_000)]) for s in (0.5, 1.5))
    found = lesson.lead(close, loose, rng)
    expected = 1 / np.sqrt(1.25) - 1 / np.sqrt(3.25)
    assert abs(found["value"] - expected) < 4 * found["se"]
    assert 0.005 < found["se"] < 0.03
    assert lesson.lead(close, close, rng)["se"] == 0


def test_pieces_touch_at_corners_too():
    two = bar(2, 5, 2, 5) + bar(10, 12, 10, 12)
    corner = bar(2, 5, 2, 5) + bar(5, 7, 5, 7)
    pictures = np.stack([two, corner, np.zeros((28, 28))]).reshape(3, 784)
    np.testing.assert_array_equal(lesson.pieces(pictures), [2, 1, 0])


def test_nearest_is_the_smallest_distance_among_those_allowed():
    rng = np.random.default_rng(0)
    x, known = rng.normal(size=(7, 12)), rng.normal(size=(9, 12))
    apart = ((x[:, None] - known) ** 2).sum(axis=2)
    np.testing.assert_array_equal(lesson.nearest(x, known), apart.argmin(axis=1))
    allowed = rng.random((7, 9)) > 0.5
    allowed[:, 0] = True
    apart[~allowed] = np.inf
    np.testing.assert_array_equal(lesson.nearest(x, known, allowed), apart.argmin(axis=1))


def test_a_context_looks_back_only_and_nearest_first():
    assert lesson.places(4) == [(0, -1), (-1, 0), (-1, -1), (-1, 1)]
    assert len(set(lesson.places(40))) == 40
    assert all(r < 0 or (r == 0 and c < 0) for r, c in lesson.places(40))


def test_contexts_are_binary_numbers_of_the_pixels_before():
    rng = np.random.default_rng(0)
    pictures = (rng.random((3, 784)) > 0.5).astype("float32")
    found = lesson.contexts(pictures, 12).reshape(3, 28, 28)
    for n, row, column in ((0, 0, 0), (1, 27, 27), (2, 13, 0), (0, 5, 20), (1, 1, 27)):
        number = 0
        for bit, (r, c) in enumerate(lesson.places(12)):
            at = row + r, column + c
            if at[0] >= 0 and 0 <= at[1] < 28:
                number += 2**bit * int(pictures[n].reshape(28, 28)[at])
        assert found[n, row, column] == number
    last = pictures.copy()
    last[:, -1] = 1 - last[:, -1]  # the last pixel is in nobody's context
    np.testing.assert_array_equal(lesson.contexts(last, 12), found.reshape(3, 784))


def test_what_is_drawn_from_contexts_has_their_probabilities():
    table = np.random.default_rng(0).uniform(0.1, 0.9, size=2**3)
    drawn = lesson.draw_from_contexts(table, 3, 400, np.random.default_rng(1))
    assert set(np.unique(drawn)) == {0, 1}
    number = lesson.contexts(drawn, 3)
    for k, p in enumerate(table):
        seen = drawn[number == k]
        assert abs(seen.mean() - p) < 5 * np.sqrt(p * (1 - p) / len(seen))


def test_files_are_small_where_there_is_little_in_them():
    rng = np.random.default_rng(0)
    empty, noise = np.zeros((20, 784)), (rng.random((20, 784)) > 0.5).astype(float)
    assert lesson.zipped_bits(empty).max() < 100
    assert lesson.zipped_bits(noise).min() > 784
    assert lesson.fax_bits(empty) < 100 < 784 < lesson.fax_bits(noise)
    np.testing.assert_array_equal(lesson.zipped_bits(noise) % 8, 0)


def test_credit_columns_are_numbers_then_codes():
    x, y, numbers, kinds = lesson.credit_columns()
    assert x.shape == (1000, numbers + sum(kinds))
    assert (numbers, len(kinds), y.sum()) == (7, 13, 300)
    np.testing.assert_allclose(x[:, :numbers].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(x[:, :numbers].std(axis=0), 1, atol=1e-5)
    at = numbers
    for kind in kinds:
        np.testing.assert_array_equal(x[:, at : at + kind].sum(axis=1), 1)
        at += kind
    credit = data.load_german_credit()
    duration = np.log(credit.x[:, credit.feature_names.index("duration")].astype(float))
    correlations = [abs(np.corrcoef(duration, column)[0, 1]) for column in x[:, :numbers].T]
    assert max(correlations) == pytest.approx(1)


def test_the_tables_loss_is_a_normal_and_a_softmax():
    rng = np.random.default_rng(0)
    numbers, kinds = 2, [3, 2]
    x = np.concatenate([rng.normal(size=(5, 2)), np.eye(3)[[0, 1, 2, 0, 1]],
                        np.eye(2)[[0, 1, 1, 0, 0]]], axis=1)  # fmt: skip
    output = rng.normal(size=(5, 9))
    found = ops.convert_to_numpy(lesson.table_loss(numbers, kinds)(x, output))
    sigma = np.exp(output[:, 7:])
    expected = ((x[:, :2] - output[:, :2]) ** 2 / (2 * sigma**2) + np.log(sigma)
                + np.log(2 * np.pi) / 2).sum(axis=1)  # fmt: skip
    for first, last in ((2, 5), (5, 7)):
        p = np.exp(output[:, first:last])
        p /= p.sum(axis=1, keepdims=True)
        expected -= np.log((p * x[:, first:last]).sum(axis=1))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_table_vae_finds_the_one_direction_there_is():
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(300, 1))
    x = (hidden @ np.ones((1, 5)) + 0.3 * rng.normal(size=(300, 5))).astype("float32")
    model = lesson.train(lesson.TableVAE(1, 5, 5), x, x, 60, 0.01, lesson.table_loss(5, []))
    z_mu, z_sigma = (ops.convert_to_numpy(v) for v in model.encode(x))
    assert abs(np.corrcoef(z_mu[:, 0], hidden[:, 0])[0, 1]) > 0.9
    assert (z_sigma > 0).all() and z_sigma.mean() < 0.6
    assert model(x).shape == (300, 10)


def test_a_judge_learns():
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    y = rng.integers(10, size=400)
    x = (rng.random((10, 784)) > 0.8)[y].astype("float32")
    judge = lesson.judge(x, y, epochs=10)
    assert (judge(x) == y).mean() > 0.95


def test_logistic_regression_takes_the_penalty_that_is_best_in_validation():
    rng = np.random.default_rng(0)
    h = 5 + 3 * rng.normal(size=(300, 4))
    y = (rng.random(300) < 1 / (1 + np.exp(-(h[:, 0] - 5)))).astype(int)
    train, validation = np.arange(60), np.arange(60, 160)
    risk = lesson.logistic(h, y, train, validation)
    standard = (h - h[train].mean(axis=0)) / h[train].std()
    tried = [LogisticRegression(C=C, solver="newton-cholesky").fit(standard[train], y[train])
             .predict_proba(standard)[:, 1] for C in 10.0 ** np.arange(-3, 3)]  # fmt: skip
    losses = [-np.log(np.where(y == 1, p, 1 - p))[validation].mean() for p in tried]
    np.testing.assert_allclose(risk, tried[int(np.argmin(losses))])
    assert len(set(np.round(losses, 6))) > 3


def test_figures_draw_what_they_are_given():
    rng = np.random.default_rng(0)
    figure = lesson.draw_rows({"a": rng.random((4, 784)), "b": rng.random((4, 784))}, 4)
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["a", "b"]
    race, ax = {name: rng.random((5, 2)) for name in lesson.WAYS}, plt.subplots()[1]
    lesson.draw_race(ax, race, 0.8)
    for line, curve in zip(ax.lines, race.values(), strict=False):
        np.testing.assert_array_equal(line.get_xydata(), curve)
    axes, y = plt.subplots(1, 2)[1], np.array([0, 1, 1])
    lesson.draw_maps(axes, {"m": (np.eye(3, 2), y), "n": (np.eye(3, 2), y)}, [("no", "yes")] * 2)
    assert [len(c.get_offsets()) for c in axes[0].collections] == [1, 2]
    assert [t.get_text() for t in axes[1].get_legend().get_texts()] == ["no", "yes"]
    plt.close("all")
