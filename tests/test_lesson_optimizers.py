"""Ways down a surface, against closed forms of the quadratic."""

import keras
import matplotlib
import numpy as np
import pytest
import tensorflow as tf

from course_utils import data
from course_utils.lessons import optimizers as lesson

BOX = (-1.0, 3.0, 0.0, 1.0)

pytestmark = pytest.mark.filterwarnings("error")  # numbers that run away must not warn


def gradient_descent(dw, V, S, t, alpha):
    return alpha * dw, V, S


def momentum(dw, V, S, t, alpha, beta=0.9):
    V = beta * V + (1 - beta) * dw
    return alpha * V, V, S


def adam(dw, V, S, t, alpha, beta_M=0.9, beta_R=0.999, eta=1e-8):
    V = beta_M * V + (1 - beta_M) * dw
    S = beta_R * S + (1 - beta_R) * dw**2
    return alpha * V / (1 - beta_M**t) / (np.sqrt(S / (1 - beta_R**t)) + eta), V, S


H = np.array([[3.0, 1.0], [1.0, 2.0]])
STARTS = np.random.default_rng(0).normal(size=(5, 2))


def slope(w):
    return w @ H


# Surfaces with ways down


def bowl(w):
    return 2 * (w[..., 0] - 1) ** 2 + w[..., 1] ** 2


def slanted(w):
    return w[..., 0] - 10 * w[..., 1]


@pytest.fixture
def drawn(ax):
    """Draw a surface on the axes and return its filled and its thin contours."""

    def draw(*given):
        lesson.draw_surface(ax, *given)
        ax.figure.canvas.draw()
        return [c for c in ax.collections if isinstance(c, matplotlib.contour.ContourSet)]

    return draw


@pytest.mark.parametrize("values", [bowl, slanted, lambda w: bowl(w) - 100])
def test_contours_run_where_the_surface_has_their_height(drawn, values):
    filled, thin = drawn(values, BOX)
    found = [(level, path) for level, path in zip(thin.levels, thin.get_paths(), strict=True)]
    found = [(level, path.vertices) for level, path in found if len(path.vertices) > 1]
    assert len(found) > 8
    for level, places in found:
        np.testing.assert_allclose(values(places), level, atol=0.01)
    for low, high, band in zip(filled.levels, filled.levels[1:], filled.get_paths(), strict=False):
        heights = values(band.vertices)
        assert low - 0.01 < heights.min() and heights.max() < high + 0.01
    assert all(style == (0, None) for style in thin.get_linestyles())  # below 0 as above


def test_the_rings_of_a_bowl_are_evenly_spaced_from_light_to_dark(drawn):
    filled, thin = drawn(bowl, BOX)
    assert (filled.levels[0], filled.levels[-1]) == pytest.approx((0, 9))
    np.testing.assert_allclose(np.diff(np.sqrt(filled.levels)), 3 / 20)
    np.testing.assert_allclose(thin.levels, filled.levels[::2])
    greys = filled.get_facecolor()[:, :3] @ [0.3, 0.59, 0.11]
    assert greys[0] == pytest.approx(1) and (np.diff(greys) < 0).all()
    assert greys[-1] > 0.4  # so that a path in any colour stands out from it


def test_the_box_is_the_figure_at_one_scale(ax):
    away = {"far": [[0, 0.5], [50, 70], [-1e100, 1e100]]}
    lesson.draw_surface(ax, bowl, BOX, away)
    assert (ax.get_xlim(), ax.get_ylim()) == (BOX[:2], BOX[2:])
    assert ax.get_aspect() == 1
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$w_1$", "$w_2$")
    ax.figure.canvas.draw()


def test_a_surface_without_paths_has_no_legend(ax):
    lesson.draw_surface(ax, bowl, BOX)
    assert not ax.lines and ax.get_legend() is None


def ways(lengths):
    """One path of each length, all from one start inside the box."""
    rng = np.random.default_rng(0)
    steps = [rng.normal(size=(length - 1, 2)) for length in lengths]
    return {f"way {len(s)}": np.concatenate([[[0.0, 0.5]], s]) for s in steps}


def test_each_path_has_its_own_colour_and_name_and_a_white_rim(ax):
    paths = ways([60, 61, 1])
    lesson.draw_surface(ax, bowl, BOX, paths)
    *lines, start = ax.lines
    for i, points in enumerate(paths.values()):
        rim, line = lines[2 * i : 2 * i + 2]
        for drawn_line in (rim, line):
            np.testing.assert_array_equal(drawn_line.get_xydata(), points)
            assert drawn_line.get_marker() == ("None" if len(points) > 60 else "o")
        assert (rim.get_color(), line.get_color()) == ("white", f"C{i}")
        assert rim.get_linewidth() > line.get_linewidth() + 1
        assert rim.get_markersize() > line.get_markersize() + 1
        assert rim.get_zorder() <= line.get_zorder() < start.get_zorder()
    np.testing.assert_array_equal(start.get_xydata(), [[0, 0.5]])  # once, large
    assert start.get_markersize() > 2 * line.get_markersize()
    legend = ax.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == list(paths)
    assert [handle.get_color() for handle in legend.legend_handles] == ["C0", "C1", "C2"]
    assert legend.get_frame_on()  # or the contours would run through the names


def test_each_start_has_its_dot(ax):
    corner = BOX[1], BOX[3]  # the edge belongs to the box
    lesson.draw_surface(ax, bowl, BOX, {"a": [[0, 0.5]], "b": [corner, (9, 9)], "c": [[0, 0.5]]})
    np.testing.assert_array_equal(ax.lines[-1].get_xydata(), [[0, 0.5], corner])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("values", "box", "paths", "words"),
    [
        (lambda w: np.log(w[..., 0] + w[..., 1]), BOX, None, r"is nan at w = \[-1, 0\]: choose a"),
        (lambda w: 1 / w[..., 1], BOX, None, r"values\(w\) is inf at w = \[-1, 0\]"),
        (lambda w: -np.exp(900 * w[..., 0]), BOX, None, r"is -inf at w = \[0\.\d+, 0\]"),
        (
            lambda w: w[0] ** 2 + w[1] ** 2,
            BOX,
            None,
            r"shape \(301, 2\) for w of .* w\[\.\.\., 0\]",
        ),
        (lambda w: 0.0, BOX, None, r"values\(w\) has shape \(\) for w of shape \(301, 301, 2\)"),
        (lambda w: w, BOX, None, r"values\(w\) has shape \(301, 301, 2\) for"),
        (lambda w: 3 + 0 * w[..., 0], BOX, None, r"is 3 everywhere in box=\(-1\.0, .* no contours"),
        (bowl, (1, 1, 0, 1), None, r"box=\(1, 1, 0, 1\) is no box"),
        (bowl, BOX, np.zeros((5, 2)), r"paths must be a dict of arrays, shape \(T, 2\), by name"),
        (bowl, BOX, {"up": np.zeros((5, 3, 2))}, r"path 'up' has shape \(5, 3, 2\), but \(T, 2\)"),
        (bowl, BOX, {"up": np.zeros((5, 3))}, r"path 'up' has shape \(5, 3\), but"),
        (bowl, BOX, {"up": [0, 0]}, r"path 'up' has shape \(2,\), but"),
        (bowl, BOX, {"up": np.zeros((0, 2))}, r"path 'up' has shape \(0, 2\), but"),
        (bowl, BOX, {"up": [[0, 0], [0, np.nan]]}, "path 'up' holds values that are not finite"),
        (bowl, BOX, {"a": [[0, 0]], "b": [[4, 0]]}, r"path 'b' starts at \[4, 0\], outside box=\("),
        (bowl, BOX, {"a": [[-1.1, 0]]}, r"path 'a' starts at \[-1\.1, 0\], outside"),
        (bowl, BOX, {"a": [[0, -0.1]]}, r"path 'a' starts at \[0, -0\.1\], outside"),
        (bowl, BOX, {"a": [[0, 1.5]]}, r"path 'a' starts at \[0, 1\.5\], outside .* larger box"),
    ],
)
def test_surface_says_what_is_wrong(ax, values, box, paths, words):
    with pytest.raises(ValueError, match=words):
        lesson.draw_surface(ax, values, box, paths)
    assert not ax.collections and not ax.lines


# The yardstick, and tuning by a fine grid


@pytest.mark.filterwarnings("default")
def test_a_keras_optimiser_walks_from_place_to_place():
    start = np.array([1.0, -2.0])
    path = lesson.keras_walk(keras.optimizers.SGD(0.1), slope, start, 5)
    expected = [start @ np.linalg.matrix_power(np.eye(2) - 0.1 * H, t) for t in range(6)]
    np.testing.assert_allclose(path, expected, atol=1e-12)
    assert path.dtype == np.float64
    np.testing.assert_array_equal(start, [1, -2])


def test_fewest_steps_of_gradient_descent_are_those_of_the_closed_form():
    rng = np.random.default_rng(3)
    curvatures, start = np.geomspace(1, 10, 4), rng.normal(size=4)
    fewest = 999
    for alpha in 10 ** np.arange(-4, 1.51, 0.125):
        t = np.arange(601)[:, None]
        with np.errstate(over="ignore"):
            left = (curvatures * (start * (1 - alpha * curvatures) ** t) ** 2).sum(axis=1)
        above = np.flatnonzero(~(left < 1e-3 * left[0]))
        fewest = min(fewest, above[-1] + 1)
    found = lesson.fewest_steps(gradient_descent, 10, 4, 3)
    assert [steps for steps, _ in found] == [fewest, fewest]


def test_of_the_betas_the_one_is_taken_that_needs_the_fewest_steps():
    betas = [0.0, 0.3, 0.6]
    alone = [lesson.fewest_steps(momentum, 30, 4, 3, [beta])[0] for beta in betas]
    together = lesson.fewest_steps(momentum, 30, 4, 3, betas)[0]
    assert together == min(alone)
    assert alone[0] == (lesson.fewest_steps(gradient_descent, 30, 4, 3)[0][0], 0)
    assert len({steps for steps, _ in alone}) == 3


def test_a_rule_that_only_passes_the_minimum_has_not_arrived():
    found = lesson.fewest_steps(lambda dw, V, S, t, alpha: (dw, V, S), 1, 3, 0)
    assert [steps for steps, _ in found] == [1, 1]
    start = np.random.default_rng(0).normal(size=3)

    def to_and_fro(dw, V, S, t, alpha):
        return (dw if t % 2 or t > 8 else dw - start), V, S

    assert lesson.fewest_steps(to_and_fro, 1, 3, 0)[0][0] == 9


# Networks, many side by side


@pytest.fixture(scope="module")
def digits():
    return lesson.small_digits()


def test_small_digits_are_means_of_four_pixels(digits):
    pixels, y = digits
    assert pixels.shape == (5000, 196) and pixels.dtype == np.float32
    whole = data.load_mnist5k()
    assert pixels[17, 14 * 5 + 6] == pytest.approx(whole.x[17, 10:12, 12:14].mean() / 255)
    assert pixels.min() == 0 and pixels.max() <= 1
    np.testing.assert_array_equal(y, whole.y)


def as_keras(w):
    model = keras.Sequential([keras.layers.Dense(32, "relu"), keras.layers.Dense(10, "softmax")])
    model.build((None, 196))
    W1, b1, W2, b2 = np.split(w, np.cumsum([196 * 32, 32, 320]))
    model.set_weights([W1.reshape(196, 32), b1, W2.reshape(32, 10), b2])
    return model


@pytest.mark.filterwarnings("default")
def test_loss_and_gradient_are_those_of_keras_for_each_network(digits):
    rng = np.random.default_rng(0)
    rows = rng.choice(5000, 60, replace=False)
    x, y = digits[0][rows], digits[1][rows]
    w = np.stack([lesson.first_weights(rng) for _ in range(6)]).reshape(2, 3, -1)
    loss, gradient = lesson.loss(w, x, y), lesson.gradient(w, x, y)
    assert loss.shape == (2, 3) and gradient.shape == w.shape and gradient.dtype == np.float32
    for place in np.ndindex(2, 3):
        model = as_keras(w[place])
        with tf.GradientTape() as tape:
            theirs = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, model(x)))
        slopes = tape.gradient(theirs, model.trainable_variables)
        assert loss[place] == pytest.approx(float(theirs), rel=1e-5)
        flat = np.concatenate([np.ravel(s.numpy()) for s in slopes])
        np.testing.assert_allclose(gradient[place], flat, atol=1e-6)


def test_units_that_are_off_pass_no_gradient_on(digits):
    w = np.zeros((1, lesson.first_weights(np.random.default_rng(0)).size), dtype="float32")
    w[0, -330:] = 1  # b1 = 0: every hidden unit is exactly 0
    gradient = lesson.gradient(w, digits[0][:50], digits[1][:50])
    np.testing.assert_array_equal(gradient[0, : 196 * 32 + 32], 0)


def test_first_weights_have_the_variance_two_over_inputs():
    w = lesson.first_weights(np.random.default_rng(0))
    assert w.dtype == np.float32
    assert w[: 196 * 32].var() == pytest.approx(2 / 196, rel=0.05)
    np.testing.assert_array_equal(w[196 * 32 : 197 * 32], 0)
    np.testing.assert_array_equal(w[-10:], 0)


def test_the_curve_s_gradient_is_that_of_its_error():
    rng = np.random.default_rng(1)
    w = lesson.curve_weights(rng, 3)
    slope, _ = lesson.curve_gradient(w)
    way = rng.normal(size=w.shape)
    up, down = (lesson.curve_gradient(w + h * way)[1] for h in (1e-6, -1e-6))
    np.testing.assert_allclose((slope * way).sum(axis=1), (up - down) / 2e-6, rtol=1e-6)


# Surfaces


def test_rastrigin_s_slope_is_that_of_its_surface_and_the_lowest_hole_is_at_0():
    rng = np.random.default_rng(0)
    w, lowest, way = rng.normal(size=(3, 5, 2))
    up, down = (lesson.rastrigin(w + h * way, lowest) for h in (1e-6, -1e-6))
    slope = (lesson.rastrigin_slope(w, lowest) * way).sum(axis=1)
    np.testing.assert_allclose(slope, (up - down) / 2e-6, rtol=1e-6)
    assert (lesson.rastrigin(lowest, lowest) == 0).all()
    at = lesson.rastrigin_slope(np.array([1e-6]), 0.0) / 1e-6
    assert at == pytest.approx(2 + 40 * np.pi**2, rel=1e-6)


def test_in_one_dimension_half_of_the_critical_points_are_minima():
    height, share = lesson.critical_points(1, np.random.default_rng(0))
    assert set(share) == {0, 1}
    assert share.mean() == pytest.approx(0.5, abs=0.1)
    assert height[share == 0].mean() < 0 < height[share == 1].mean()
    assert len(np.unique(height)) == len(height)


def test_the_half_circle_is_the_share_of_its_area_below_zero():
    x = np.linspace(-1, 1, 200_001)
    area = np.sqrt(1 - x**2)
    for height in (-3.0, 0.0, 2.5):
        below = area[2 * np.sqrt(7) * x - height < 0].sum() / area.sum()
        assert lesson.half_circle(height, 7) == pytest.approx(below, abs=1e-4)
    np.testing.assert_array_equal(lesson.half_circle([-99, 99], 7), [0, 1])


def test_the_question_is_drawn_without_a_path(ax):
    lesson.draw_question(ax)
    assert [text.get_text() for text in ax.texts] == ["?"] * 3
    assert not ax.get_legend()
