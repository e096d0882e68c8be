"""The mixture's score, the rivals and the filters of the lesson `autoencoders`."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import scipy.ndimage
from scipy.stats import multivariate_normal
from sklearn.metrics import roc_auc_score

from course_utils.lessons import autoencoders as lesson

rng = np.random.default_rng(0)
POINTS, POINTS_VAL = lesson.draw_points(rng, 60), lesson.draw_points(rng, 50)


def log_density(x, sigma, weights, means, covariances):
    normals = zip(weights, means, covariances, strict=True)
    noise = sigma**2 * np.eye(2)
    return np.log(sum(w * multivariate_normal(m, c + noise).pdf(x) for w, m, c in normals))


@pytest.mark.parametrize("sigma", [0.1, 0.5, 2.0])
def test_the_score_is_the_slope_of_the_log_density(sigma):
    x, step = rng.normal(scale=3, size=(7, 2)), 1e-5
    slopes = [
        (log_density(x + e, sigma, *lesson.HEAPS) - log_density(x - e, sigma, *lesson.HEAPS))
        / (2 * step)
        for e in step * np.eye(2)
    ]
    found = lesson.mixture_score(x, sigma, *lesson.HEAPS)
    np.testing.assert_allclose(found, np.transpose(slopes), rtol=1e-5, atol=1e-5)


def test_tweedie_holds_on_the_grid():
    x_noisy = lesson.draw_points(rng, 4) + 0.6 * rng.normal(size=(4, 2))
    step = 0.6**2 * lesson.mixture_score(x_noisy, 0.6, *lesson.HEAPS)
    np.testing.assert_allclose(lesson.mean_given(x_noisy, 0.6), x_noisy + step, atol=1e-9)


def test_points_come_from_the_three_normals():
    points = lesson.draw_points(np.random.default_rng(1), 40_000)
    weights, means, covariances = lesson.HEAPS
    np.testing.assert_allclose(points.mean(axis=0), weights @ means, atol=0.05)
    inside = np.einsum("k,kij->ij", weights, covariances)
    between = (weights * (means - weights @ means).T) @ (means - weights @ means)
    np.testing.assert_allclose(np.cov(points.T), inside + between, atol=0.1)


def test_the_rivals_are_what_they_are_called():
    rivals = lesson.rivals(POINTS, POINTS_VAL, seed=0)
    x, sigma = rng.normal(size=(5, 2)), 0.4
    covariance = np.cov(POINTS.T) + sigma**2 * np.eye(2)
    expected = np.linalg.solve(covariance, (POINTS.mean(axis=0) - x).T).T
    np.testing.assert_allclose(rivals["one normal"](x, sigma), expected)
    distance = np.square(x[:, None] - POINTS).sum(axis=2)
    weights = np.exp(-distance / 2 / sigma**2)
    mean = weights @ POINTS / weights.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(rivals["memory"](x, sigma), (mean - x) / sigma**2)
    near = POINTS + 1e-4
    np.testing.assert_allclose(near + 1e-6 * rivals["memory"](near, 1e-3), POINTS, atol=1e-6)
    assert np.isfinite(rivals["fitted mixture"](x, sigma)).all()


def test_the_smoothed_memory_takes_the_width_that_cleans_validation_points_best():
    rivals = lesson.rivals(POINTS, POINTS_VAL, seed=3)
    noisy = POINTS_VAL + 0.3 * np.random.default_rng(3).normal(size=POINTS_VAL.shape)
    losses = {
        width: np.square(POINTS_VAL - noisy - 0.09 * rivals["memory"](noisy, 0.3, width)).sum()
        for width in lesson._WIDTHS
    }
    best = min(losses, key=losses.get)
    assert 0 < best < max(losses)
    x = rng.normal(size=(3, 2))
    np.testing.assert_allclose(rivals["smoothed memory"](x, 0.3), rivals["memory"](x, 0.3, best))


def test_judged_points_have_their_noise_and_a_ring_is_far_away():
    judged = lesson.judged(np.random.default_rng(2), (0.2, 3.0), n=5_000)
    assert [*judged] == ["σ = 0.2", "σ = 3.0", "far away"]
    spread = {name: np.trace(np.cov(x.T)) for name, (x, _) in judged.items()}
    assert spread["σ = 3.0"] - spread["σ = 0.2"] == pytest.approx(2 * (9 - 0.04), rel=0.1)
    np.testing.assert_allclose(np.linalg.norm(judged["far away"][0], axis=1), 10)


def test_a_factor_is_the_ratio_of_means_and_its_error_that_of_many_repeats():
    def drawn():
        b = rng.gamma(4, size=400)
        return b * rng.uniform(0.3, 0.9, size=400), b

    a, b = drawn()
    found = lesson.factor(a, b)
    assert found["value"] == pytest.approx(a.mean() / b.mean())
    assert found["over"] == "400 test pictures"
    repeats = [lesson.factor(*drawn())["value"] for _ in range(500)]
    assert found["se"] == pytest.approx(np.std(repeats), rel=0.2)


def test_the_parts_of_an_auroc_have_its_mean_and_its_error():
    def drawn():
        unseen = rng.permutation(300) < 60
        return np.round(rng.normal(size=300) + unseen, 1), unseen  # rounded: there are ties

    scores, unseen = drawn()
    parts = lesson.auroc_parts(scores, unseen)
    assert parts.mean() == pytest.approx(roc_auc_score(unseen, scores))
    repeats = [lesson.auroc_parts(*drawn()).mean() for _ in range(500)]
    assert parts.std() / 300**0.5 == pytest.approx(np.std(repeats), rel=0.2)


def test_the_nearest_picture_is_a_copy_pulled_towards_the_mean():
    x_train, x_val = rng.random((30, 784)), rng.random((9, 784))
    found = lesson.nearest_picture(x_train[:4], x_train, x_val)
    mean = x_train.mean(axis=0)
    factors = (found - mean) / (x_train[:4] - mean)
    np.testing.assert_allclose(factors, factors[0, 0])
    copies = np.array([x_train[np.square(x_train - x).sum(axis=1).argmin()] for x in x_val])
    slope = ((copies - mean) * (x_val - mean)).sum() / np.square(copies - mean).sum()
    assert factors[0, 0] == pytest.approx(slope)


@pytest.mark.parametrize("name", ["median", "Wiener"])
def test_filters_choose_window_and_brightness_on_validation_pictures(name):
    clean = scipy.ndimage.uniform_filter(rng.random((6, 28, 28)), (0, 9, 9)).reshape(6, -1)
    noisy = clean / 2 + 0.01 * rng.normal(size=clean.shape)
    found = lesson.filtered(name, noisy, noisy, clean)
    others = [lesson._filter(name, noisy, side) for side in lesson._SIDES]
    best = min(np.square(x * (x * clean).sum() / np.square(x).sum() - clean).sum() for x in others)
    assert np.square(found - clean).sum() == pytest.approx(best)


def test_the_mask_works_in_training_only():
    mask, x = lesson.Mask(seed=1), np.ones((200, 50), "float32")
    np.testing.assert_array_equal(mask(x), x)
    masked = np.asarray(mask(x, training=True))
    assert {*masked.ravel()} == {0, 1}
    assert masked.mean() == pytest.approx(0.5, abs=0.02)
    assert (np.asarray(mask(x, training=True)) != masked).any()


def test_figures_are_drawn():
    pictures = rng.random((10, 784))
    lesson.draw_cover(plt.subplots(1, 3)[1], pictures[0])
    lesson.draw_units({"a": rng.normal(size=(6, 784)), "b": rng.normal(size=(6, 784))})
    lesson.draw_fields(POINTS, {"a": lambda x, s: -x, "b": lambda x, s: x}, 0.3)
    lesson.draw_samples({"a": POINTS, "b": POINTS, "c": POINTS}, ("a", "c"))
    lesson.draw_auroc({name: rng.random(10) for name in ("PCA", "ink")})
    assert len(lesson.draw_rows({"a": pictures, "b": 2 * pictures}).axes) == 1
    assert all(len(text) > 40 for text in lesson.TEXTS.values())
    plt.close("all")
