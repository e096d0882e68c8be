"""What lesson `flows` uses: masks of couplings, knots of splines, and checks by other means.

A flow maps data x to latent z, ``z, log_det = forward(x)`` with log_det = log|det dz/dx|, and back,
``x = inverse(z)``. TensorFlow Probability names the directions the other way round: its ``inverse``
is the forward of this course.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import seaborn as sns
import tensorflow as tf
from keras import ops
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from course_utils.plotting import checked_box

# From white, or the figure would seem to end where the box does.
_DENSITY = sns.blend_palette(["white", "#7fb8dd", "#0173b2", "#00294d"], as_cmap=True)

_SMALLEST = 1e-3  # width and height of a spline's bin, as a share of the whole, and its slope


class Checked(NamedTuple):
    """The largest absolute errors of a flow over all points."""

    inverse_error: float
    log_det_error: float


def masks(dimensions: int, layers: int) -> np.ndarray:
    """Say which coordinates each of several coupling layers leaves alone.

    The even and the odd coordinates take turns: what one layer leaves alone the next one changes.

    Parameters
    ----------
    dimensions : int
        Of a point, D.
    layers : int
        Number of coupling layers, L.

    Returns
    -------
    array of float32, shape (L, D)
        1 where a layer leaves the coordinate alone, 0 where it changes it.

    Raises
    ------
    ValueError
        If there are fewer than two dimensions or no layers.
    """
    if dimensions < 2:
        raise ValueError(
            f"dimensions={dimensions}, but a coupling needs at least 2: one coordinate to leave "
            "alone and one to change. In one dimension use a monotone function instead."
        )
    if layers < 1:
        raise ValueError(f"layers={layers} must be at least 1.")
    changed = np.add.outer(range(layers), range(dimensions)) % 2
    return (1 - changed).astype("float32")


def check(
    forward: Callable[[tf.Tensor], tuple[Any, Any]],
    inverse: Callable[[tf.Tensor], Any],
    x: ArrayLike,
    tolerance: float = 1e-4,
) -> Checked:
    """Hold a flow's inverse and log-determinant against the points and automatic differentiation.

    Every row of z must depend on its own row of x alone. Then one backward pass gives the
    Jacobians of all points: each point is repeated D times, and of its i-th copy the gradient of
    z_i is taken.

    Parameters
    ----------
    forward : callable
        Takes x, a tensor of shape (N, D), and returns z, shape (N, D), and log|det dz/dx|, shape
        (N,), or one number where it is the same for all points. A Keras layer, a function of
        TensorFlow or ``keras.ops``, or a bijector ``b`` of TensorFlow Probability as
        ``lambda x: (b.inverse(x), b.inverse_log_det_jacobian(x, event_ndims=1))``.
    inverse : callable
        Takes z and returns x; for the bijector ``b.forward``.
    x : array, shape (N, D)
        Points to check, float32 or float64.
    tolerance : float
        Largest absolute error that is allowed, of a coordinate or in nats.

    Returns
    -------
    Checked
        The largest error of ``inverse(z)`` against x, and of log_det against the
        log-determinant, by NumPy, of the Jacobian.

    Raises
    ------
    ValueError
        If the inverse or the log-determinant is off by more than the tolerance; if z or log_det
        are not finite or have a wrong shape; if the Jacobian's determinant is 0, or forward has no
        gradient; if x is empty, not finite or has another shape. The first such point is named.
    """
    x = np.asarray(x)
    x = x if np.issubdtype(x.dtype, np.floating) else x.astype("float32")
    if x.ndim != 2 or not x.size:
        raise ValueError(
            f"x has shape {x.shape}, but (N, D) with at least one point is expected: use x[None] "
            "for a single point, x[:, None] for points in one dimension."
        )
    _refuse(~np.isfinite(x).all(axis=1), x, "x is not finite", "leave such points out")

    z, log_det = _answer(forward, x)
    with np.errstate(invalid="ignore"):
        exact = np.linalg.slogdet(_jacobians(forward, x).astype(float))[1]
    flat = "the determinant of the Jacobian of forward is 0 or not finite"
    _refuse(~np.isfinite(exact), x, flat, "no smooth bijection squeezes its points together so")

    # From a new tensor: of its own z a bijector of TensorFlow Probability remembers the x.
    back = _array("inverse(z)", inverse(tf.constant(z)), x.shape, "z goes back to x alone")
    error = abs(back - x.astype(float)).max(axis=1)
    missed = f"inverse(forward(x)) misses x by up to {error.max():.2g}, more than {tolerance:g}"
    undo = "inverse must undo the steps of forward, the last one first"
    _refuse(~(error <= tolerance), x, missed, undo)  # so written, NaN is refused as well

    gap = abs(log_det - exact)
    if (abs(log_det + exact) <= tolerance).all():
        reason = "its sign is wrong, as if it were that of the inverse direction, z to x"
    else:
        reason = "it is not log|det dz/dx| of the Jacobian by automatic differentiation"
    off = f"log_det is off by up to {gap.max():.2g} nats, more than {tolerance:g}"
    _refuse(gap > tolerance, x, off, reason)
    return Checked(float(error.max()), float(gap.max()))


def _answer(forward: Callable, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return z and log_det at the points x, or say what is wrong with them."""
    answer = forward(tf.constant(x))
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise ValueError("forward must return two things, z and log_det: return z, log_det.")
    z = _array("z", answer[0], x.shape, "a bijection keeps the shape of x")
    log_det = answer[1]
    if np.ndim(log_det) == 0:  # a bijector of TensorFlow Probability whose volume is a constant
        log_det = np.full(len(x), log_det)
    per_point = "one number for each point, summed over its coordinates"
    log_det = _array("log_det", log_det, x.shape[:1], per_point)
    support = "does this point lie outside the support of the bijection?"
    _refuse(~np.isfinite(z).all(axis=1), x, "z is not finite", support)
    _refuse(~np.isfinite(log_det), x, "log_det is not finite", support)
    return z, log_det


def _array(name: str, values: Any, shape: tuple[int, ...], hint: str) -> np.ndarray:
    found = getattr(values, "shape", None)  # of a tuple there is none
    if found is None or tuple(found) != shape:
        raise ValueError(f"{name} has shape {found}, but {shape} is expected: {hint}.")
    return np.asarray(values)


def _refuse(wrong: np.ndarray, x: np.ndarray, fault: str, hint: str) -> None:
    """Raise an error that names the first point at which something is wrong, if there is one."""
    if wrong.any():
        i = int(wrong.argmax())
        point = np.array2string(x[i], precision=4, threshold=8, separator=", ")
        raise ValueError(f"{fault}, first at x[{i}] = {point}: {hint}.")


def _jacobians(forward: Callable, x: np.ndarray) -> np.ndarray:
    """Jacobian dz/dx at each point, shape (N, D, D): of z along axis 1, of x along axis 2."""
    n, dimensions = x.shape
    copies = tf.constant(np.repeat(x, dimensions, axis=0))
    with tf.GradientTape() as tape:
        tape.watch(copies)
        z = tf.convert_to_tensor(forward(copies)[0])
    seeds = tf.tile(tf.eye(dimensions, dtype=z.dtype), (n, 1))
    gradient = tape.gradient(z, copies, output_gradients=seeds)
    if gradient is None:
        raise ValueError(
            "z has no gradient with respect to x: compute it with TensorFlow or keras.ops, not "
            "with NumPy, and from the x that is passed in."
        )
    return gradient.numpy().reshape(n, dimensions, dimensions)


def grid(box: tuple[float, float, float, float], cells: int) -> tuple[np.ndarray, float]:
    """Lay a grid over a box, to integrate a density: ``(density * area).sum()``.

    Parameters
    ----------
    box : (left, right, bottom, top)
        As matplotlib's ``extent``.
    cells : int
        Along each side.

    Returns
    -------
    points : array, shape (cells * cells, 2)
        The midpoints of the cells, row by row from the bottom left.
    area : float
        Of one cell.

    Raises
    ------
    ValueError
        If the box is none or there are no cells.
    """
    left, right, bottom, top = checked_box(box)
    if cells < 1:
        raise ValueError(f"cells={cells} must be at least 1.")
    share = (np.arange(cells) + 0.5) / cells
    x, y = np.meshgrid(left + (right - left) * share, bottom + (top - bottom) * share)
    points = np.stack([x, y], axis=-1).reshape(-1, 2)
    return points, (right - left) * (top - bottom) / cells**2


def spline_knots(numbers: Any, bound: float) -> tuple[Any, Any, Any]:
    """Turn the numbers that a network gives into the knots of rising rational-quadratic splines.

    Parameters
    ----------
    numbers : tensor, shape (..., 3 K - 1)
        Any real numbers: for K widths and K heights, through a softmax, and for the slopes at the
        K - 1 inner knots, through a softplus. Zeros give the identity.
    bound : float
        The knots reach from -bound to bound in both directions; at both ends the slope is 1.

    Returns
    -------
    x, z, slope : tensors, shape (..., K + 1)
        Of the knots. No bin is narrower or lower than a thousandth of the whole, no slope is
        below 1e-3.

    Raises
    ------
    ValueError
        If the last axis does not hold 3 K - 1 numbers for some K of at least 2.

    References
    ----------
    C. Durkan, A. Bekasov, I. Murray, G. Papamakarios: Neural Spline Flows, NeurIPS 2019,
    section 3.1.
    """
    bins, rest = divmod(numbers.shape[-1] + 1, 3)
    if rest or bins < 2:
        raise ValueError(
            f"numbers has {numbers.shape[-1]} entries on its last axis, but 3 K - 1 are expected "
            "for K bins, at least 2: K widths, K heights and K - 1 slopes."
        )
    widths, heights, slopes = ops.split(numbers, [bins, 2 * bins], axis=-1)
    start = [(0, 0)] * (len(numbers.shape) - 1) + [(1, 0)]
    knots = [
        2 * bound * ops.cumsum(ops.pad(_SMALLEST + (1 - bins * _SMALLEST) * share, start), axis=-1)
        - bound
        for share in (ops.softmax(widths), ops.softmax(heights))
    ]
    slopes = _SMALLEST + ops.softplus(slopes + math.log(math.expm1(1 - _SMALLEST)))
    return *knots, ops.pad(slopes, [*start[:-1], (1, 1)], constant_values=1.0)


def take_bin(value: Any, edges: Any, tables: Sequence[Any]) -> list[Any]:
    """Look up, for each value, what stands at both ends of the bin that it lies in.

    The value is compared with all edges: 1 for those passed, 0 for the others. So the difference
    of neighbours is 1 at its bin alone, and a product picks the bin. TensorFlow traces that sooner
    than a search.

    Parameters
    ----------
    value : tensor, shape (...)
        Between the first edge and the last.
    edges : tensor, shape (..., K + 1)
        Rising.
    tables : sequence of tensors, shape (..., K + 1)
        What is known at the edges.

    Returns
    -------
    list of tensors, shape (...)
        For each table the entry at the left edge of the bin and that at its right edge.
    """
    passed = ops.cast(value[..., None] >= edges[..., 1:-1], value.dtype)
    ends = [(0, 0)] * (len(passed.shape) - 1)
    chosen = ops.pad(passed, [*ends, (1, 0)], constant_values=1.0) - ops.pad(
        passed, [*ends, (0, 1)]
    )
    columns = ops.stack([side for t in tables for side in (t[..., :-1], t[..., 1:])], axis=-1)
    return ops.unstack(ops.squeeze(chosen[..., None, :] @ columns, -2), axis=-1)


def draw_density(ax: Axes, values: ArrayLike, box: ArrayLike, highest: float | None = None) -> None:
    """Draw a density in two dimensions as an image: white where there is none, dark where much.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    values : array, shape (cells * cells,) or (cells, cells)
        The density at the points of `grid`, in their order.
    box : (left, right, bottom, top)
        As given to `grid`.
    highest : float
        Density of the darkest colour, to compare several figures; without it the largest value.

    Raises
    ------
    ValueError
        If the values do not fill a square, are negative or not finite, or the box is none.
    """
    values = np.asarray(values, dtype=float)
    cells = math.isqrt(values.size)
    if not cells or values.shape not in {(cells * cells,), (cells, cells)}:
        raise ValueError(
            f"values has shape {values.shape}, but (cells * cells,) or (cells, cells) is "
            "expected: one density for each point of grid."
        )
    if not (np.isfinite(values).all() and values.min() >= 0):
        raise ValueError(
            f"values holds numbers from {values.min():.4g} to {values.max():.4g}, but a density "
            "is finite and never negative: of log-densities take np.exp."
        )
    ax.imshow(
        values.reshape(cells, cells),
        extent=checked_box(box),
        origin="lower",
        cmap=_DENSITY,
        vmin=0,
        vmax=highest,
    )


def draw_bent_grid(ax: Axes, points: ArrayLike) -> None:
    """Draw a lattice that was carried through a map: its rows and columns as thin grey lines.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    points : array, shape (R, C, 2)
        Where the map puts the point in row r and column c.

    Raises
    ------
    ValueError
        If the points have another shape, fewer than two rows or columns, or are not finite.
    """
    points = np.asarray(points, dtype=float)
    if points.ndim != 3 or points.shape[2] != 2 or min(points.shape[:2]) < 2:
        raise ValueError(
            f"points has shape {points.shape}, but (R, C, 2) is expected, with at least two rows "
            "and two columns: use reshape on points that went through a flow as one list."
        )
    if not np.isfinite(points).all():
        raise ValueError("points holds values that are not finite (NaN or infinity).")
    for lines in (points.swapaxes(0, 1), points):
        ax.plot(lines[..., 0], lines[..., 1], color="0.7", linewidth=1)
    ax.set_aspect("equal")
