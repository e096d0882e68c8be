"""What lesson `optimizers` uses: surfaces with ways down, Keras's walks, networks side by side."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from course_utils import data
from course_utils.plotting import checked_box

# What figures show that answer a *predict*: told to those who cannot see them, not in the source.
TEXTS = {
    "ways": "Four paths to a cross: still creeping, in the near valley, over the ridge into the "
    "other valley, and thrown farther out at each step.",
    "distances": "Distance to the minimum on a logarithmic scale: three nearly straight lines, "
    "that of momentum the steepest, that of gradient descent by far the flattest.",
    "valleys": "A narrow valley along an axis, and the same turned by 45 degrees, each with forty "
    "steps of four rules. Gradient descent and momentum walk the same path, turned; RMSProp and "
    "Adam another one.",
    "network": "Left: test loss against the learning rate, five curves with valleys at different "
    "rates, that of gradient descent narrower than the others. Right: test loss over the epochs, "
    "each rule at its best rate; the five curves come close to one another.",
    "edge": "The largest curvature over the steps. For three rates it rises and then stays at the "
    "dashed line 2 / alpha; for the smallest rate it is still rising far below.",
}

# Slate, so that the coloured paths stand out, and lightest at the bottom, where they end.
COLOURS = {  # of the rules, in all figures
    "gradient descent": "C0",
    "momentum": "C1",
    "RMSProp": "C2",
    "Adam": "C3",
    "Nesterov": "C4",
}
_SURFACE = sns.blend_palette(["white", "#c8d4dd", "#71869a"], as_cmap=True)
_LEVELS = 20
_POINTS = 301  # along each side of the box; an odd number, to meet its middle


def draw_ways(values: Callable[[np.ndarray], np.ndarray], ways: Mapping[str, np.ndarray]) -> None:
    """Draw walks of a single weight on the curve of its loss, a panel for each, by title."""
    _, axes = plt.subplots(1, len(ways), figsize=(14, 3.6))
    for ax, (title, w) in zip(axes, ways.items(), strict=True):
        edge = max(2.1, np.abs(w).max() + 0.2)
        line = np.linspace(-edge, edge, 200)
        ax.plot(line, values(line), color="0.6")
        ax.plot(w, values(w), "o-", color="C0", linewidth=1.2, markersize=6)
        ax.plot(w[-1], values(w[-1]), "X", color="C3", markersize=14, markeredgecolor="white")
        ax.set(title=title, xlabel="weight $w$")
    axes[0].set_ylabel("loss $J(w)$")


def draw_distances(lines: Mapping[str, tuple[np.ndarray, float]]) -> None:
    """Draw how far each rule is from the minimum, and theory's factor per step, dashed."""
    _, ax = plt.subplots(figsize=(9, 4.2))
    for name, (far, factor) in lines.items():
        ax.semilogy(far, color=COLOURS[name], label=name)
        ax.semilogy(far[0] * factor ** np.arange(len(far)), "--", color="0.4", linewidth=1.5)
    ax.set(xlabel="step", ylabel="distance to the minimum", xlim=(0, 700), ylim=(1e-8, None))
    ax.legend(title="κ = 100; dashed: theory")


def draw_rates(
    grid: np.ndarray, curves: Mapping[str, tuple[np.ndarray, np.ndarray]], title: str
) -> None:
    """Draw of each rule the loss at each rate, and at its best rate after each epoch."""
    figure, axes = plt.subplots(1, 2, figsize=(14, 4.8))
    for name, (by_rate, by_epoch) in curves.items():
        wide = 5 if name == "momentum" else None  # Nesterov lies upon it
        axes[0].plot(grid, by_rate, "o-", color=COLOURS[name], label=name, linewidth=wide)
        if name == "momentum":
            axes[0].plot(grid / 10, by_rate, "--", color=COLOURS[name], label=f"{name}, Keras's α")
        axes[1].plot(1 + np.arange(len(by_epoch)), by_epoch, "o-", color=COLOURS[name])
    axes[0].set(xscale="log", xlim=(1e-3, 18), ylim=(0.2, 2.5), title=title)
    axes[0].set(xlabel="learning rate α", ylabel="test loss in nats")
    axes[1].set(
        xlabel="epochs of training", ylim=(0.2, 0.8), title="at each epoch, the best α for it"
    )
    figure.legend(loc="outside lower center", ncols=6)


def draw_edge(steps: np.ndarray, curvature: np.ndarray, alphas: np.ndarray) -> None:
    """Draw the largest curvature (T, rates, networks) over the steps, and each limit, dashed."""
    _, ax = plt.subplots(figsize=(9, 4.4))
    for k, alpha in enumerate(alphas):
        ax.plot(steps, curvature[:, k], color=f"C{k}", linewidth=1.2)
        ax.plot([], [], color=f"C{k}", label=f"α = {alpha}")
        ax.axhline(2 / alpha, color=f"C{k}", linestyle="--", linewidth=1.5)
    ax.set(xlabel="step", ylabel="largest curvature", ylim=(0, 14))
    ax.legend(title="dashed: 2 / α", loc="upper left", ncols=4)


def draw_question(ax: Axes) -> None:
    """Draw a surface with two valleys, a start, and question marks on the ways down."""

    def two_valleys(w: np.ndarray) -> np.ndarray:
        x, y = w[..., 0], w[..., 1]
        return x**4 / 4 - 0.75 * x**2 + 0.3 * x + 2 * (y - 0.3 * x) ** 2

    draw_surface(ax, two_valleys, (-2, 2.2, -1.3, 1.2))
    ax.plot(1.75, -0.85, "o", color="black", markersize=16, markeredgecolor="white")
    ax.plot(
        [-1.31, 1.11], [-0.39, 0.33], "P", color="black", markersize=14, markeredgecolor="white"
    )
    for place in ((1.35, -0.35), (0.2, -0.75), (-0.1, 0.35)):
        ax.text(*place, "?", fontsize=34, color="C3", ha="center", va="center")


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
        By name; the start stands first and lies in the box. Each step is a
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


# --- the yardstick, and tuning by a fine grid ---------------------------------------------------

_FINE = 10 ** np.arange(-4, 1.51, 0.125)  # learning rates
_MOST = 600  # steps


def keras_walk(
    optimizer: Any, slope: Callable[[np.ndarray], np.ndarray], w: np.ndarray, steps: int
) -> np.ndarray:
    """Return all places on the way down of a Keras optimiser, the start first, (steps + 1, ...)."""
    import keras

    variable = keras.Variable(w, dtype="float64")
    places = [variable.numpy()]
    for _ in range(steps):
        gradient = keras.ops.convert_to_tensor(slope(places[-1]), "float64")
        optimizer.apply([gradient], [variable])
        places.append(variable.numpy())
    return np.array(places)


def fewest_steps(
    rule: Callable[..., tuple[Any, Any, Any]],
    kappa: float,
    D: int,
    seed: int,
    betas: Sequence[float] = (),
) -> list[tuple[int, float]]:
    """Count the steps of a rule down a valley, straight and turned, each with its best settings.

    Parameters
    ----------
    rule : callable
        ``step, V, S = rule(dw, V, S, t, alpha)``, or ``(..., alpha, beta)`` if there are betas.
    kappa : float
        Condition number: the curvatures are spread evenly in their logarithm.
    D : int
        Dimensions.
    seed : int
        Of the start and of the turn, which is random.
    betas : sequence of float
        Each is tried with each rate of a fine grid.

    Returns
    -------
    list of (int, float)
        Along the axes and turned: steps after which J stays below a thousandth of what it was,
        and the beta that needs so few (NaN without betas).
    """
    rng = np.random.default_rng(seed)
    curvatures, start = np.geomspace(1, kappa, D), rng.normal(size=D)
    tried = np.array([*itertools.product(_FINE, betas or [np.nan])])
    settings = np.split(tried, 2, axis=1) if betas else [tried[:, :1]]
    found = []
    for turn in (np.eye(D), np.linalg.qr(rng.normal(size=(D, D)))[0]):
        hessian = turn * curvatures @ turn.T
        w, V, S = np.tile(turn @ start, (len(tried), 1)), 0.0, 0.0
        goal, last = 1e-3 * (curvatures * start**2).sum(), np.zeros(len(tried), dtype=int)
        with np.errstate(over="ignore", invalid="ignore"):  # of rates that are too large
            for t in range(1, _MOST + 1):
                step, V, S = rule(w @ hessian, V, S, t, *settings)
                w = w - step
                last = np.where(((w @ hessian) * w).sum(axis=1) < goal, last, t)
        found.append((int(last.min()) + 1, tried[last.argmin(), 1]))
    return found


# --- the real network: 196-32-10, many side by side ---------------------------------------------

_SHAPES = ((196, 32), (1, 32), (32, 10), (1, 10))  # of W1, b1, W2, b2
_CUTS = np.cumsum([n * m for n, m in _SHAPES])


def small_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return the pictures of MNIST-5k at half the size, (5000, 196) from 0 to 1, and the digits."""
    digits = data.load_mnist5k()
    pixels = digits.x.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)) / 255
    return pixels.reshape(-1, 196).astype("float32"), digits.y


def first_weights(rng: np.random.Generator) -> np.ndarray:
    """Draw the weights of one network: normal, of variance 2 / inputs; biases are 0."""
    parts = [rng.normal(scale=(2 / n) ** 0.5 * (n > 1), size=n * m) for n, m in _SHAPES]
    return np.concatenate(parts).astype("float32")


def _forward(w: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return hidden units, log-probabilities and W2 of the networks in w, one in each row."""
    parts = np.split(w, _CUTS[:-1], axis=1)
    W1, b1, W2, b2 = (part.reshape(-1, *s) for part, s in zip(parts, _SHAPES, strict=True))
    h = np.maximum(x @ W1 + b1, 0)
    scores = h @ W2 + b2
    scores = scores - scores.max(axis=-1, keepdims=True)
    return h, scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True)), W2


def loss(w: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the mean cross-entropy, in nats, of networks whose weights are w (..., 6634)."""
    log_p = _forward(w.reshape(-1, w.shape[-1]), x)[1]
    return -log_p[:, np.arange(len(y)), y].mean(axis=1).reshape(w.shape[:-1])


def gradient(w: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the gradient of `loss` by back propagation, of the shape of w."""
    h, log_p, W2 = _forward(w.reshape(-1, w.shape[-1]), x)
    d_scores = (np.exp(log_p) - np.eye(10, dtype=w.dtype)[y]) / len(y)
    d_h = (d_scores @ W2.swapaxes(1, 2)) * (h > 0)
    parts = (x.T @ d_h, d_h.sum(axis=1), h.swapaxes(1, 2) @ d_scores, d_scores.sum(axis=1))
    return np.concatenate([part.reshape(len(h), -1) for part in parts], axis=1).reshape(w.shape)


# --- a network that learns a curve, many side by side -------------------------------------------

_CURVE_X = np.linspace(-1, 1, 32)[:, None]
_CURVE_Y = np.cos(4 * np.arccos(_CURVE_X[:, 0]))  # a polynomial of degree 4


def curve_weights(rng: np.random.Generator, networks: int) -> np.ndarray:
    """Draw first weights of networks 1-20-1, a row each: W1, b1, W2 and the last bias."""
    return rng.normal(size=(networks, 61)) * np.repeat(
        [0.5, 0.25, 0.7 / 20**0.5, 0], [20, 20, 20, 1]
    )


def curve_gradient(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradient of half the mean squared error, (networks, 61), and that error."""
    W1, b1, W2, b2 = w[:, None, :20], w[:, None, 20:40], w[:, None, 40:60], w[:, None, 60]
    h = np.tanh(_CURVE_X * W1 + b1)  # (networks, 32, 20)
    off = (h * W2).sum(axis=-1) + b2 - _CURVE_Y
    d = off[..., None] / len(_CURVE_X)
    dz = d * W2 * (1 - h**2)
    parts = (_CURVE_X * dz).sum(axis=1), dz.sum(axis=1), (d * h).sum(axis=1), d.sum(axis=1)
    return np.concatenate(parts, axis=1), (off**2).mean(axis=1) / 2


# --- surfaces with many holes -------------------------------------------------------------------


def rastrigin(w: np.ndarray, lowest: np.ndarray) -> np.ndarray:
    """Return the height (...) at w (..., D) of a bowl full of holes; at the lowest one it is 0."""
    off = w - lowest
    return (10 + off**2 - 10 * np.cos(2 * np.pi * off)).sum(axis=-1)


def rastrigin_slope(w: np.ndarray, lowest: np.ndarray) -> np.ndarray:
    """Return the gradient of `rastrigin`; its largest curvature is 2 + 40 π²."""
    off = w - lowest
    return 2 * off + 20 * np.pi * np.sin(2 * np.pi * off)


# --- random surfaces ----------------------------------------------------------------------------


def critical_points(
    D: int, rng: np.random.Generator, waves: int = 200, starts: int = 300
) -> tuple[np.ndarray, np.ndarray]:
    """Find places of slope zero of a random surface, a sum of waves, with Newton's method.

    Returns
    -------
    height : array, shape (points,)
    share : array, shape (points,)
        Of the eigenvalues of the Hessian that are negative.
    """
    k, phase = rng.normal(size=(waves, D)), rng.uniform(0, 2 * np.pi, waves)
    w, size = rng.uniform(-20, 20, size=(starts, D)), np.sqrt(2 / waves)
    for _ in range(60):
        angle = w @ k.T + phase
        slope = -size * np.sin(angle) @ k
        hessian = -size * (np.cos(angle)[:, None, :] * k.T) @ k
        step = np.linalg.solve(hessian, slope[..., None])[..., 0]
        w = w - step / np.maximum(1, 2 * np.linalg.norm(step, axis=1, keepdims=True))  # at most 1/2
    found = np.linalg.norm(slope, axis=1) < 1e-8
    _, first = np.unique(w[found].round(4), axis=0, return_index=True)  # each point once
    height = size * np.cos(angle).sum(axis=1)
    return height[found][first], (np.linalg.eigvalsh(hessian) < 0).mean(axis=1)[found][first]


def half_circle(height: ArrayLike, D: int) -> np.ndarray:
    """Return the share of a half circle of radius 2 sqrt(D), shifted by -height, below 0."""
    u = np.clip(np.asarray(height) / (2 * np.sqrt(D)), -1, 1)
    return 0.5 + (u * np.sqrt(1 - u**2) + np.arcsin(u)) / np.pi
