"""What lesson `optimizers` uses: a rule applied again and again, and surfaces with ways down."""

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from course_utils.plotting import checked_box

# Slate, so that the coloured paths stand out, and lightest at the bottom, where they end.
_SURFACE = sns.blend_palette(["white", "#c8d4dd", "#71869a"], as_cmap=True)
_LEVELS = 20
_POINTS = 301  # along each side of the box; an odd number, to meet its middle


def path(
    rule: Callable[..., tuple[Any, Any, Any]],
    gradient: Callable[[np.ndarray], ArrayLike],
    start: ArrayLike,
    alpha: float | Sequence[float],
    steps: int,
    **settings: float,
) -> np.ndarray:
    """Walk down a surface: w := w - step, with steps by a rule such as momentum or Adam.

    Parameters
    ----------
    rule : callable
        ``step, V, S = rule(dw, V, S, t, alpha, **settings)``: from the gradient, the running
        averages of the gradient and of its square (both 0.0 before the first step), the number of
        the step (1, 2, ...) and its learning rate, the step and the new averages.
    gradient : callable
        Takes w and returns dJ/dw, an array of the same shape.
    start : array of any shape
        Where to begin: one point, shape (D,), or many that go down side by side, shape (N, D).
    alpha : float or sequence of floats, shape (steps,)
        Learning rate, above 0: one for all steps, or a schedule with one for each.
    steps : int
        How many.
    **settings
        Handed to the rule. Those whose names begin with ``beta`` lie in [0, 1).

    Returns
    -------
    array, shape (steps + 1, *start.shape)
        All places w on the way, the start first.

    Raises
    ------
    ValueError
        If a number is outside its range, the schedule has another length, or the start is not
        finite; if the gradient or the rule's answer has a wrong shape; if on the way the gradient
        or w is not finite any more. Step and point are named.
    """
    start = np.asarray(start, dtype=float)
    if not (start.size and np.isfinite(start).all()):
        raise ValueError(f"start={_short(start)} is no place: finite numbers are expected.")
    if not (isinstance(steps, Integral) and steps >= 1):
        raise ValueError(f"steps={steps} must be a whole number, at least 1.")
    for name, value in settings.items():
        if name.startswith("beta") and not (isinstance(value, Real) and 0 <= value < 1):
            raise ValueError(
                f"{name}={value} must lie in [0, 1): it is the share that a running average keeps "
                "of its past."
            )
    rates = _rates(alpha, steps)

    places = np.empty((steps + 1, *start.shape))
    places[0] = start
    V = S = 0.0
    with np.errstate(all="ignore"):  # numbers that run away are named below
        for t, rate in enumerate(rates, start=1):
            w = places[t - 1]
            dw = np.array(gradient(w.copy()), dtype=float)  # copies: both may work in place
            _same_shape("gradient(w)", dw, w, "derivative")
            _refuse(dw, "the gradient", t, w, rate, "the surface may not be defined there")
            answer = rule(dw, V, S, t, rate, **settings)
            if not isinstance(answer, tuple | list) or len(answer) != 3:
                raise ValueError(
                    "the rule must return three things, the step and both averages: "
                    "return step, V, S."
                )
            step, V, S = answer
            _same_shape("the rule's step", step, w, "step")
            places[t] = w - step
            _refuse(places[t], "w after the step", t, w, rate, "the rule may divide by zero")
    return places


def _rates(alpha: float | Sequence[float], steps: int) -> list[float]:
    """Return one learning rate for each step."""
    rates = np.asarray(alpha, dtype=float)
    if rates.shape not in {(), (steps,)}:
        raise ValueError(
            f"alpha has shape {rates.shape}, but one rate, or a schedule of shape ({steps},), is "
            "expected: one rate for each step."
        )
    wrong = ~((rates > 0) & (rates < np.inf))  # so written, NaN is refused as well
    if wrong.any():
        first = int(wrong.argmax())
        name = f"alpha[{first}], the rate of step {first + 1}," if rates.ndim else "alpha"
        raise ValueError(
            f"{name} is {rates.flat[first]:g}, but a learning rate is positive and finite: minus "
            "stands in the rule already, and a schedule that divides by t counts from 1."
        )
    return np.broadcast_to(rates, steps).tolist()


def _same_shape(name: str, values: ArrayLike, w: np.ndarray, what: str) -> None:
    if np.shape(values) != w.shape:
        raise ValueError(
            f"{name} has shape {np.shape(values)}, but w has shape {w.shape}: one {what} is "
            "expected for each number in w."
        )


def _refuse(values: np.ndarray, what: str, t: int, w: np.ndarray, rate: float, reason: str) -> None:
    """Raise an error that names the first point w at which values are not finite, if there is one.

    A point is what stands along the last axis; of a long list of numbers it is one of them.
    """
    wrong = ~np.isfinite(values)
    if wrong.any():
        place = np.argwhere(wrong)[0].tolist()
        if w.ndim != 1 or w.size <= 8:
            place = place[:-1]
        raise ValueError(
            f"{what} is {np.extract(wrong, values)[0]} at step {t}, from w{place or ''} = "
            f"{_short(w[tuple(place)])}: {reason}, or alpha={rate:g} is so large that w ran away; "
            "try a smaller one."
        )


def _short(point: np.ndarray) -> str:
    return np.array2string(np.asarray(point), precision=4, threshold=8, separator=", ")


def draw_surface(
    ax: Axes,
    values: Callable[[np.ndarray], ArrayLike],
    box: ArrayLike,
    paths: Mapping[str, ArrayLike] | None = None,
) -> None:
    """Draw a surface over two weights as contours, light where it is low, and ways down on it.

    The levels are evenly spaced in the square root of the height above the lowest one, so that
    the rings of a bowl are evenly spaced. Both axes have the same scale: steepest descent crosses
    the contours at right angles.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    values : callable
        Takes w, shape (..., 2), and returns the surface J(w), shape (...).
    box : (left, right, bottom, top)
        Part of the plane to draw, as matplotlib's ``extent``.
    paths : dict of arrays, shape (T, 2)
        By name, as of `path`; the start stands first and lies in the box. Each step is a
        dot if there are at most 60 places.

    Raises
    ------
    ValueError
        If the surface is not finite somewhere in the box, is flat, or does not return one number
        for each point; if a path has another shape, is not finite or starts outside the box; if
        the box is none.
    """
    left, right, bottom, top = box = checked_box(box)
    w = np.stack(
        np.meshgrid(np.linspace(left, right, _POINTS), np.linspace(bottom, top, _POINTS)), axis=-1
    )
    with np.errstate(all="ignore"):  # what is not finite is named below
        heights = np.asarray(values(w), dtype=float)
    if heights.shape != w.shape[:2]:
        raise ValueError(
            f"values(w) has shape {heights.shape} for w of shape {w.shape}, but one number for "
            "each point is expected: write it with w[..., 0] and w[..., 1]."
        )
    wrong = ~np.isfinite(heights)
    if wrong.any():
        point = w[wrong][0]
        raise ValueError(
            f"values(w) is {heights[wrong][0]} at w = [{point[0]:.4g}, {point[1]:.4g}]: choose a "
            "box inside which the surface is finite."
        )
    levels = heights.min() + np.ptp(heights) * np.linspace(0, 1, _LEVELS + 1) ** 2
    if not (np.diff(levels) > 0).all():
        raise ValueError(
            f"values(w) is {heights.min():.4g} everywhere in box={box}: it has no contours."
        )
    paths = _checked_paths({} if paths is None else paths, box)

    ax.contourf(*w.T, heights.T, levels, colors=_SURFACE(np.linspace(0, 1, _LEVELS)))
    ax.contour(*w.T, heights.T, levels[::2], colors="0.4", linewidths=0.7, linestyles="solid")
    for i, (name, points) in enumerate(paths.items()):
        dots = "o" if len(points) <= 60 else None
        ax.plot(*points.T, color="white", linewidth=4.5, marker=dots, markersize=7)
        ax.plot(*points.T, color=f"C{i}", marker=dots, markersize=5, label=name)
    if paths:
        starts = np.unique([points[0] for points in paths.values()], axis=0)
        ax.plot(*starts.T, "o", color="black", markersize=12, markeredgecolor="white", zorder=3)
        ax.legend(frameon=True, framealpha=0.9)
    ax.set(xlabel="$w_1$", ylabel="$w_2$", xlim=box[:2], ylim=box[2:], aspect="equal")


def _checked_paths(
    paths: Mapping[str, ArrayLike], box: tuple[float, float, float, float]
) -> dict[str, np.ndarray]:
    """Return the paths as arrays, or say which one cannot be drawn in the box, and why."""
    if not isinstance(paths, Mapping):
        raise ValueError("paths must be a dict of arrays, shape (T, 2), by name.")
    left, right, bottom, top = box
    checked = {name: np.asarray(points, dtype=float) for name, points in paths.items()}
    for name, points in checked.items():
        if points.ndim != 2 or points.shape[1] != 2 or not len(points):
            raise ValueError(
                f"path {name!r} has shape {points.shape}, but (T, 2) is expected: of many that "
                "went side by side choose one, path[:, 0]."
            )
        if not np.isfinite(points).all():
            raise ValueError(f"path {name!r} holds values that are not finite (NaN or infinity).")
        x, y = points[0]
        if not (left <= x <= right and bottom <= y <= top):
            raise ValueError(
                f"path {name!r} starts at [{x:.4g}, {y:.4g}], outside box={box}: choose a larger "
                "box or another start."
            )
    return checked
