"""Splits, scaling and tuning: nothing may leak from the rows that judge; errors of differences."""

import keras
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from course_utils import validation


def test_each_row_trains_once_per_repeat_and_judges_otherwise():
    train, judge = validation.small_folds(22, parts=4, repeats=3, seed=0)
    assert train.shape == (12, 5) and judge.shape == (12, 22)
    for repeat in np.split(train, 3):
        assert len(np.unique(repeat)) == 20  # the two rows left over never train
    for rows, mask in zip(train, judge, strict=True):
        assert sorted([*rows, *np.flatnonzero(mask)]) == list(range(22))
    assert not np.array_equal(*np.split(train, 3)[:2])
    assert np.array_equal(train, validation.small_folds(22, parts=4, repeats=3, seed=0)[0])


@pytest.mark.parametrize("parts", [1, 23])
def test_parts_that_make_no_sense_are_refused(parts):
    with pytest.raises(ValueError, match=f"22 rows cannot be cut into {parts} parts"):
        validation.small_folds(22, parts=parts, repeats=1, seed=0)


def test_each_fold_is_scaled_by_its_own_training_rows_alone():
    rng = np.random.default_rng(1)
    values = rng.normal(3, 2, (30, 4))
    train, _ = validation.small_folds(30, parts=3, repeats=1, seed=2)
    scaled, mean, sd = validation.standardise(values, train)
    for fold, rows in enumerate(train):
        reference = StandardScaler().fit(values[rows])
        np.testing.assert_allclose(scaled[fold], reference.transform(values), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(
            [mean[fold, 0], sd[fold, 0]], [reference.mean_, reference.scale_]
        )
    np.testing.assert_array_equal(
        validation.take_rows(scaled, train),
        [s[rows] for s, rows in zip(scaled, train, strict=True)],
    )


def test_a_column_that_does_not_vary_is_named():
    values = np.ones((10, 3))
    values[:, 0] = np.arange(10)
    with pytest.raises(ValueError, match=r"Columns \[1, 2\] do not vary"):
        validation.standardise(values, np.array([[0, 1, 2], [3, 4, 5]]))


class Ridge(keras.Model):
    """Linear regression with the penalty that `tune` is to choose."""

    def build(self, shape):
        self.w = self.add_weight((shape[-1], 1), "zeros", name="w")
        self.prior_sigma = self.add_weight((), "ones", trainable=False, name="prior_sigma")
        self.kl_weight = self.add_weight((), "ones", trainable=False, name="kl_weight")

    def call(self, x):
        penalty = keras.ops.sum(keras.ops.square(self.w)) / keras.ops.square(self.prior_sigma)
        self.add_loss(penalty * self.kl_weight)
        return x @ self.w


def test_tuning_finds_the_scale_that_cross_validation_by_hand_finds():
    rng = np.random.default_rng(3)
    grid = np.array([0.1, 0.5, 3.0])
    x = rng.normal(size=(2, 24, 8)).astype("float32")
    w = np.array([0.05, 2.0])[:, None, None] * rng.normal(size=(2, 8, 1))
    y = (x @ w + 0.5 * rng.normal(size=(2, 24, 1))).astype("float32")
    model = Ridge()
    model(x[0])
    model.compile(keras.optimizers.Adam(0.05), loss=lambda y, z: (y[..., 0] - z[..., 0]) ** 2)

    def score(y, z):
        return (y[:, 0] - z.mean(axis=0)[:, 0]) ** 2

    best, loss = validation.tune(model, x, y, 400, score, {"prior_sigma": grid}, k=1)

    by_hand = np.zeros((2, len(grid)))
    for fold in range(2):
        for g, scale in enumerate(grid):
            for part in range(4):  # every fourth row is left out in turn
                out = np.arange(24) % 4 == part
                a, b = x[fold, ~out].astype(float), y[fold, ~out].astype(float)
                solution = np.linalg.solve(a.T @ a + np.eye(8) / scale**2, a.T @ b)
                by_hand[fold, g] += np.sum((y[fold, out] - x[fold, out] @ solution) ** 2)
    np.testing.assert_array_equal(best["prior_sigma"], grid[by_hand.argmin(axis=1)])
    np.testing.assert_array_equal(best["kl_weight"], 1 / 24)
    assert len(set(best["prior_sigma"])) == 2  # the two folds are made to want different scales
    np.testing.assert_allclose(loss, by_hand.min(axis=1) / 24, rtol=2e-3)


# Differences and their errors


def test_the_error_of_a_difference_counts_rows_and_training_sets():
    rng, found = np.random.default_rng(4), []
    for _ in range(2_000):  # 8 training sets, 20 rows, variances 0.16, 1 and 4
        values = 0.4 * rng.normal(size=(8, 1)) + rng.normal(size=20) + 2 * rng.normal(size=(8, 20))
        result = validation.two_way(values + 3)
        found.append((result["value"], result["se"]))
    value, error = np.transpose(found)
    true = 0.16 / 8 + 1 / 20 + 4 / 160
    assert value.var() == pytest.approx(true, rel=0.1) and abs(value.mean() - 3) < 0.03
    assert np.mean(error**2) == pytest.approx(true + 4 / 160, rel=0.03)  # on the safe side
    assert result["over"] == "20 wines and 8 training sets"


@pytest.mark.filterwarnings("error")
def test_rows_that_do_not_judge_are_left_out_of_difference_and_error():
    values = np.array([[1.0, np.nan, 4.0, np.nan], [3.0, 5.0, 10.0, np.nan]])
    result = validation.two_way(values)
    assert result["value"] == pytest.approx((2.5 + 6) / 2)
    rows, sets = np.var([2, 5, 7], ddof=1) / 3, np.var([2.5, 6], ddof=1) / 2
    assert result["se"] == pytest.approx((rows + sets) ** 0.5)
    assert result["over"] == "3 wines and 2 training sets"


def test_placements_average_to_the_auroc_and_give_its_error():
    rng = np.random.default_rng(5)
    new, placed, areas = np.arange(60) % 3 == 0, [], []
    known = ~new & (np.arange(60) < 50)  # ten rows are neither
    for _ in range(2):
        score = rng.integers(0, 6, 60) + new  # with ties
        placed.append(validation.placements(score, known, new))
        areas.append(roc_auc_score(new[known | new], score[known | new]))
    np.testing.assert_allclose(np.nanmean(placed, axis=2), np.transpose([areas, areas]))
    counted = ~np.isnan(placed)
    assert (counted[:, 0] == new).all() and (counted[:, 1] == known).all()

    assert validation.auroc(np.stack(placed))["value"] == pytest.approx(np.mean(areas))
    alike = validation.auroc(np.stack([placed[0]] * 2))  # DeLong's error, as all sets agree
    parts = [placed[0][0, new], placed[0][1, known]]
    delong = sum(part.var(ddof=1) / len(part) for part in parts) ** 0.5
    assert alike["se"] == pytest.approx(delong)
    assert alike["over"] == "60 wines and 2 training sets"
