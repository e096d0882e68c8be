"""Flows: the masks, the check against maps of known Jacobian, the grid against integrals."""

import keras
import matplotlib
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from scipy.stats import multivariate_normal

from course_utils.lessons import flows as lesson

tfb = tfp.bijectors
X = np.random.default_rng(0).normal(size=(7, 2))


# Masks


def test_what_one_layer_leaves_alone_the_next_one_changes():
    made = lesson.masks(5, 3)
    np.testing.assert_array_equal(made, [[1, 0, 1, 0, 1], [0, 1, 0, 1, 0], [1, 0, 1, 0, 1]])
    assert made.dtype == np.float32


@pytest.mark.parametrize(("dimensions", "layers"), [(2, 1), (2, 8), (13, 4), (64, 2)])
def test_every_layer_leaves_some_coordinates_alone_and_changes_some(dimensions, layers):
    made = lesson.masks(dimensions, layers)
    assert made.shape == (layers, dimensions)
    assert ((made == 0) | (made == 1)).all()
    assert (made.min(axis=1) == 0).all() and (made.max(axis=1) == 1).all()
    assert (made[1:] + made[:-1] == 1).all()


@pytest.mark.parametrize(
    ("dimensions", "layers", "words"),
    [
        (1, 4, "dimensions=1, but .* one coordinate to leave alone and one to change"),
        (0, 4, "dimensions=0, but a coupling needs at least 2"),
        (2, 0, "layers=0 must be at least 1"),
    ],
)
def test_masks_says_what_is_wrong(dimensions, layers, words):
    with pytest.raises(ValueError, match=words):
        lesson.masks(dimensions, layers)


# The check: right flows


class Coupling(keras.layers.Layer):
    """An affine coupling, as the lesson writes it."""

    def __init__(self, mask):
        super().__init__()
        self.mask = mask
        self.net = keras.layers.Dense(2 * len(mask), activation="tanh")

    def scale_and_shift(self, x):
        scale, shift = keras.ops.split(self.net(self.mask * x), 2, axis=-1)
        return (1 - self.mask) * scale, (1 - self.mask) * shift

    def call(self, x):
        scale, shift = self.scale_and_shift(x)
        return x * keras.ops.exp(scale) + shift, keras.ops.sum(scale, axis=-1)

    def inverse(self, z):
        scale, shift = self.scale_and_shift(z)
        return (z - shift) * keras.ops.exp(-scale)


def real_nvp(dimensions: int, layers: int):
    keras.utils.set_random_seed(0)
    couplings = [Coupling(mask) for mask in lesson.masks(dimensions, layers)]

    def forward(x):
        total = 0.0
        for coupling in couplings:
            x, log_det = coupling(x)
            total = total + log_det
        return x, total

    def inverse(z):
        for coupling in reversed(couplings):
            z = coupling.inverse(z)
        return z

    return forward, inverse


def turned(x):
    """Two coordinates, each read by the other: the Jacobian differs from point to point."""
    a, b = x[:, 0], x[:, 1]
    b = b + a**3
    a = a * tf.exp(tf.sin(b))
    return tf.stack([b, a], axis=1), tf.sin(b)  # that a and b change places costs nothing


def turned_back(z):
    b, a = z[:, 0], z[:, 1]
    a = a * tf.exp(-tf.sin(b))
    return tf.stack([a, b - a**3], axis=1)


def wrapped(bijector):
    return (
        lambda x: (bijector.inverse(x), bijector.inverse_log_det_jacobian(x, event_ndims=1)),
        bijector.forward,
    )


@pytest.mark.parametrize(
    ("forward", "inverse", "x", "exact"),
    [
        (turned, turned_back, X, 1e-12),
        (turned, turned_back, X.astype("float32"), 1e-5),
        (turned, turned_back, [[1, 2], [3, 1]], 1e-3),  # whole numbers: taken as float32
        (tf.function(turned), turned_back, X, 1e-12),
        (lambda x: (x + 1, tf.zeros(len(x), "float64")), lambda z: z - 1, X[:, :1], 1e-12),
        (lambda x: (x + 1, 0.0), lambda z: z - 1, X, 1e-12),  # one number for all points
        (*real_nvp(2, 8), X.astype("float32"), 1e-5),
        (*real_nvp(64, 4), np.random.default_rng(1).normal(size=(20, 64)), 1e-4),
        (*wrapped(tfb.Chain([tfb.Shift(1.0), tfb.Scale([-2.0, 3.0])])), np.float32(X), 1e-5),
        (*wrapped(tfb.Chain([tfb.Permute([1, 0]), tfb.Exp()])), np.exp(np.float32(X)), 1e-5),
    ],
)
def test_a_flow_that_is_right_passes(forward, inverse, x, exact):
    found = lesson.check(forward, inverse, x, tolerance=max(exact, 1e-4))
    assert 0 <= found.inverse_error <= exact and 0 <= found.log_det_error <= exact


def test_a_layer_of_keras_passes_as_it_is():
    coupling = Coupling(lesson.masks(3, 1)[0])
    found = lesson.check(coupling, coupling.inverse, np.random.default_rng(0).normal(size=(9, 3)))
    assert max(found) < 1e-5


def test_a_loop_inside_a_graph_passes():
    @tf.function
    def forward(x):
        z, log_det = x, tf.zeros(tf.shape(x)[0], x.dtype)
        for _ in tf.range(3):
            z, more = turned(z)
            log_det += more
        return z, log_det

    def inverse(z):
        for _ in range(3):
            z = turned_back(z)
        return z

    assert max(lesson.check(forward, inverse, X / 4)) < 1e-9


def test_the_jacobians_are_those_of_a_matrix_and_take_one_more_pass_forward():
    matrix, shapes = np.random.default_rng(2).normal(size=(64, 64)), []
    log_det = np.linalg.slogdet(matrix)[1]

    def forward(x):
        shapes.append(x.shape)
        return x @ matrix.T, tf.fill(len(x), tf.constant(log_det))

    x = np.random.default_rng(3).normal(size=(20, 64))
    found = lesson.check(forward, lambda z: z @ np.linalg.inv(matrix).T, x)
    assert max(found) < 1e-9
    assert shapes == [(20, 64), (20 * 64, 64)]


@pytest.mark.parametrize("sign", [1, -1])
def test_the_errors_are_the_largest_over_all_points_and_coordinates(sign):
    wrong = np.zeros_like(X)
    wrong[4, 1], wrong[2, 0] = sign * 5e-5, sign * 2e-5
    found = lesson.check(
        lambda x: (turned(x)[0], turned(x)[1] + sign * (3e-5 if len(x) > 7 else wrong[:, 1] / 2)),
        lambda z: turned_back(z) + wrong,
        X,
    )
    np.testing.assert_allclose(found, [5e-5, 2.5e-5], rtol=1e-6)
    assert isinstance(found.inverse_error, float) and isinstance(found.log_det_error, float)


# The check: wrong flows


class Forgetful(tfb.Bijector):
    """A bijector whose inverse forgets the factor 2; of its own tensors it remembers the x."""

    def __init__(self):
        super().__init__(forward_min_event_ndims=0, validate_args=False, name="forgetful")

    def _forward(self, x):
        return x

    def _inverse(self, y):
        return y / 2

    def _inverse_log_det_jacobian(self, y):
        return tf.fill(tf.shape(y), -tf.math.log(tf.constant(2.0)))


def nan_at_five(x):
    return tf.where(tf.range(len(x))[:, None] == 5, np.nan, x)


def halved(x):
    """A right flow: z = x / 2."""
    return x / 2, tf.fill(len(x), tf.constant(-2 * np.log(2)))


def doubled(z):
    return 2 * z


OFF = np.where(np.arange(7) >= 3, 0.01, 0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("forward", "inverse", "words"),
    [
        (
            halved,
            lambda z: doubled(z) + OFF[:, None],
            r"misses x by up to 0\.01, more than 0\.0001, first at x\[3\] = \[.*\]: .* last one",
        ),
        (halved, lambda z: z, r"inverse\(forward\(x\)\) misses x"),
        (halved, lambda z: nan_at_five(doubled(z)), r"misses x by up to nan, .* x\[5\]"),
        (lambda x: (turned(x)[0], -turned(x)[1]), turned_back, r"its sign is wrong, .* z to x\."),
        (
            lambda x: (x / 2, halved(x)[1] + (OFF if len(x) == 7 else 0)),
            doubled,
            r"log_det is off by up to 0\.01 nats.* x\[3\] = .*: it is not log\|det dz/dx\|",
        ),
        (
            lambda x: (x / 2, halved(x)[1] / 2),  # only one of the two coordinates counted
            doubled,
            r"log_det is off by up to 0\.69 nats.* x\[0\]",
        ),
        (
            lambda x: (nan_at_five(x), x[:, 0]),
            doubled,
            r"z is not finite, first at x\[5\] = .*outside the support",
        ),
        (
            lambda x: (x, nan_at_five(x)[:, 0]),
            doubled,
            r"log_det is not finite, first at x\[5\] = .*outside the support",
        ),
        (lambda x: (x[:, :1], x[:, 0]), doubled, r"z has shape \(7, 1\), but \(7, 2\)"),
        (lambda x: (x, x), doubled, r"log_det has shape \(7, 2\), but \(7,\) .* summed over"),
        (lambda x: (x, x[:1, 0]), doubled, r"log_det has shape \(1,\), but \(7,\)"),
        (lambda x: (x / 2, tf.reduce_sum(halved(x)[1])), doubled, "log_det is off by"),
        (lambda x: x, doubled, r"forward must return two things, z and log_det"),
        (lambda x: (x, x[:, 0], x), doubled, r"forward must return two things"),
        (halved, halved, r"inverse\(z\) has shape None, but \(7, 2\) .* x alone"),
        (halved, lambda z: z[:, 0], r"inverse\(z\) has shape \(7,\), but \(7, 2\)"),
        (
            lambda x: (tf.stack([x[:, 0], x[:, 0]], 1), x[:, 0]),
            doubled,
            r"determinant of the Jacobian of forward is 0 or not finite, first at x\[0\]",
        ),
        (lambda x: (tf.nn.relu(x), x[:, 0]), doubled, "determinant of the Jacobian"),
        (lambda x: (tf.sqrt(x - x) + x, x[:, 0]), doubled, "determinant .* not finite"),
        (lambda x: (np.exp(x), np.sum(x, axis=1)), np.log, "z has no gradient .* keras.ops"),
    ],
)
def test_check_says_what_is_wrong_with_a_flow(forward, inverse, words):
    with pytest.raises(ValueError, match=words):
        lesson.check(forward, inverse, X)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (X[0], r"x has shape \(2,\), but \(N, D\) .* x\[None\] for a single point"),
        (X[:0], r"x has shape \(0, 2\), but \(N, D\) with at least one point"),
        (X[..., None], r"x has shape \(7, 2, 1\), but"),
        (np.where(np.arange(7)[:, None] == 2, np.inf, X), r"x is not finite, first at x\[2\]"),
    ],
)
def test_check_says_what_is_wrong_with_the_points(x, words):
    with pytest.raises(ValueError, match=words):
        lesson.check(halved, doubled, x)


def test_what_a_bijector_remembers_does_not_hide_a_wrong_inverse():
    bijector = Forgetful()
    z = bijector.inverse(tf.constant(np.float32(X)))
    np.testing.assert_array_equal(bijector.forward(z), np.float32(X))  # remembered: seems right
    with pytest.raises(ValueError, match="misses x"):
        lesson.check(*wrapped(bijector), np.float32(X))


def test_a_point_outside_the_support_of_a_bijector_is_named():
    x = np.float32([[1, 2], [3, -4], [5, -6]])
    with pytest.raises(ValueError, match=r"z is not finite, first at x\[1\] = \[ 3\., -4\.\]"):
        lesson.check(*wrapped(tfb.Exp()), x)


def test_the_tolerance_is_the_one_that_was_asked_for():
    def inverse(z):
        return doubled(z) + OFF[:, None]

    assert lesson.check(halved, inverse, X, tolerance=0.02).inverse_error == pytest.approx(0.01)
    with pytest.raises(ValueError, match=r"more than 0\.005, first"):
        lesson.check(halved, inverse, X, tolerance=0.005)


def test_a_long_point_is_named_in_short():
    x = np.random.default_rng(0).normal(size=(3, 64))
    with pytest.raises(ValueError) as error:
        lesson.check(halved, lambda z: z, x)
    assert "..." in str(error.value) and len(str(error.value)) < 250


# The grid


def test_the_points_are_midpoints_row_by_row_from_the_bottom_left():
    points, area = lesson.grid((0, 4, 10, 11), 2)
    np.testing.assert_allclose(points, [[1, 10.25], [3, 10.25], [1, 10.75], [3, 10.75]])
    assert area == 1.0


@pytest.mark.parametrize("cells", [60, 101])
def test_a_density_sums_to_one_over_the_grid(cells):
    normal = multivariate_normal([1, -2], [[1, 0.7], [0.7, 2]])
    points, area = lesson.grid((-6, 8, -13, 9), cells)
    assert (normal.pdf(points) * area).sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("box", "cells", "words"),
    [
        ((1, 1, 0, 1), 5, r"box=\(1, 1, 0, 1\) is no box: .* left < right and bottom < top"),
        ((0, 1, 2, 1), 5, "is no box"),
        ((0, np.inf, 0, 1), 5, "is no box"),
        ((0, 1, np.nan, 1), 5, "is no box"),
        ((0, 1), 5, "is no box"),
        ((0, 1, 0, 1), 0, "cells=0 must be at least 1"),
    ],
)
def test_grid_says_what_is_wrong(box, cells, words):
    with pytest.raises(ValueError, match=words):
        lesson.grid(box, cells)


# Knots of splines


def test_zeros_give_the_identity():
    x, z, slope = lesson.spline_knots(np.zeros((4, 2, 11)), 3.0)
    np.testing.assert_allclose(x[0, 0], np.linspace(-3, 3, 5), atol=1e-12)
    np.testing.assert_allclose(z, x)
    np.testing.assert_allclose(slope, np.ones((4, 2, 5)))


def test_knots_rise_from_end_to_end_whatever_the_numbers():
    numbers = np.random.default_rng(0).normal(scale=50, size=(200, 3, 23))
    *knots, slope = lesson.spline_knots(numbers, 4.0)
    for k in np.array(knots):
        np.testing.assert_allclose(k[..., [0, -1]], np.broadcast_to([-4, 4], (200, 3, 2)))
        assert (np.diff(k) > 0.0079).all()  # a thousandth of 8
    assert (np.array(slope) >= 1e-3).all()
    assert (np.array(slope)[..., [0, -1]] == 1).all()


@pytest.mark.parametrize("entries", [1, 2, 10, 12])
def test_knots_need_the_right_number_of_numbers(entries):
    with pytest.raises(ValueError, match=rf"numbers has {entries} entries .* 3 K - 1 are expected"):
        lesson.spline_knots(np.zeros((5, entries)), 3.0)


def test_the_ends_of_the_bin_are_taken():
    edges = np.broadcast_to([0.0, 1.0, 3.0, 4.0], (7, 4))
    value = np.array([0.0, 0.5, 1.0, 2.9, 3.0, 3.5, 4.0])
    left, right, low, high = lesson.take_bin(tf.constant(value), edges, (edges, 10 * edges))
    np.testing.assert_array_equal(left, [0, 0, 1, 1, 3, 3, 3])
    np.testing.assert_array_equal(right, [1, 1, 3, 3, 4, 4, 4])
    np.testing.assert_array_equal(low, 10 * np.array(left))
    np.testing.assert_array_equal(high, 10 * np.array(right))


BOX = (-1.0, 3.0, 0.0, 1.0)


@pytest.mark.parametrize("shape", [(-1,), (3, 3)])
def test_a_density_stands_where_the_grid_has_its_points(ax, shape):
    points, _ = lesson.grid(BOX, 3)
    values = points[:, 0] + 1 + 10 * points[:, 1]  # grows to the right, and faster upwards
    lesson.draw_density(ax, values.reshape(shape), BOX)
    ax.figure.canvas.draw()
    (image,) = ax.images
    x, y = ax.transData.transform(points[2])
    event = matplotlib.backend_bases.MouseEvent("motion_notify_event", ax.figure.canvas, x, y)
    assert image.get_cursor_data(event) == pytest.approx(values[2])  # right, bottom
    assert (ax.get_xlim(), ax.get_ylim()) == (BOX[:2], BOX[2:])
    assert ax.get_aspect() == 1


def test_the_colours_of_a_density_run_from_white_to_dark_whatever_its_height(ax):
    lesson.draw_density(ax, [0.5, 1, 2, 4], BOX)
    (image,) = ax.images
    greys = image.to_rgba(np.linspace(0, 4, 50))[:, :3] @ [0.3, 0.59, 0.11]
    assert greys[0] == pytest.approx(1) and greys[-1] < 0.2
    assert (np.diff(greys) < 0).all()  # so that it is read without colours as well


def test_densities_are_compared_by_asking_for_the_same_height(ax):
    lesson.draw_density(ax, [0.5, 1, 2, 4], BOX, highest=8)
    lesson.draw_density(ax, [0.5, 1, 2, 4], BOX)
    assert [image.get_clim() for image in ax.images] == [(0, 8), (0, 4)]


@pytest.mark.parametrize(
    ("values", "box", "words"),
    [
        (np.ones(8), BOX, r"values has shape \(8,\), but \(cells \* cells,\) or"),
        (np.ones((2, 8)), BOX, r"values has shape \(2, 8\), but .* each point of grid"),
        (np.ones((4, 1)), BOX, r"values has shape \(4, 1\)"),
        (np.ones(0), BOX, r"values has shape \(0,\)"),
        (-np.arange(4.0), BOX, r"values holds numbers from -3 to -?0, but .* take np\.exp"),
        ([1, 2, np.nan, 3], BOX, "values holds numbers from nan to nan"),
        ([1, 2, np.inf, 3], BOX, "values holds numbers from 1 to inf"),
        (np.ones(4), (3, -1, 0, 1), r"box=\(3, -1, 0, 1\) is no box"),
    ],
)
def test_density_says_what_is_wrong(ax, values, box, words):
    with pytest.raises(ValueError, match=words):
        lesson.draw_density(ax, values, box)
    assert not ax.images


LATTICE = np.random.default_rng(0).normal(size=(3, 4, 2))


def test_rows_and_columns_of_a_lattice_are_lines(ax):
    lesson.draw_bent_grid(ax, LATTICE)
    drawn = [line.get_xydata() for line in ax.lines]
    assert len(drawn) == 3 + 4
    np.testing.assert_array_equal(drawn[:3], LATTICE)
    np.testing.assert_array_equal(drawn[3:], LATTICE.transpose(1, 0, 2))
    assert ax.get_aspect() == 1


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (LATTICE.reshape(12, 2), r"points has shape \(12, 2\), but \(R, C, 2\) .* use reshape"),
        (LATTICE[..., :1], r"points has shape \(3, 4, 1\)"),
        (LATTICE[:1], r"points has shape \(1, 4, 2\), .* at least two rows and two columns"),
        (LATTICE[:, :0], r"points has shape \(3, 0, 2\)"),
        (LATTICE * np.inf, "points holds values that are not finite"),
    ],
)
def test_bent_grid_says_what_is_wrong(ax, points, words):
    with pytest.raises(ValueError, match=words):
        lesson.draw_bent_grid(ax, points)
    assert not ax.lines
