"""Recurring figures, readable from the last row of a lecture hall."""

import io
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib import patheffects
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from course_utils import metrics

_NAMES_APART = 0.07  # of the range of the codes: two names nearer than this overlap

# From white, or the figure would seem to end where the box does.
_DENSITY = sns.blend_palette(["white", "#7fb8dd", "#0173b2", "#00294d"], as_cmap=True)

# Slate, so that the coloured paths stand out, and lightest at the bottom, where they end.
_SURFACE = sns.blend_palette(["white", "#c8d4dd", "#71869a"], as_cmap=True)
_LEVELS = 20
_POINTS = 301  # along each side of the box; an odd number, to meet its middle

# White where a classifier is undecided, paler than the points on either side.
_DECISION = sns.blend_palette(["#8cc0e0", "white", "#f2c583"], as_cmap=True)
_PIXELS = 200  # along each side of the box

_COLUMN = 8  # circles one above the other, and columns, that can be read from afar


def set_style() -> None:
    """Set the course's plot style: large type and a colour-blind-safe palette (seaborn's).

    Nothing stays of what a matplotlibrc or an earlier cell has set, and in a notebook figures
    appear under their cell, whatever ``MPLBACKEND`` says.
    """
    from IPython import get_ipython

    shell = get_ipython()
    if hasattr(shell, "kernel"):
        shell.run_line_magic("matplotlib", "inline")
    plt.rcdefaults()
    sns.set_theme(
        context="notebook",
        style="ticks",
        palette="colorblind",
        font_scale=1.15,
        rc={
            "figure.figsize": (10, 4.2),
            "figure.dpi": 80,
            "figure.constrained_layout.use": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "lines.linewidth": 2.2,
            "legend.frameon": False,
        },
    )


def show(alt: str) -> None:
    """Show the current figure in the notebook, and a text for those who cannot see it.

    Parameters
    ----------
    alt : str
        What the figure shows, in a sentence. It is stored as the picture's alternative text and
        as the output's plain text.
    """
    from IPython.display import display

    figure = plt.gcf()
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    plt.close(figure)
    display(
        {"image/png": picture.getvalue(), "text/plain": alt},
        metadata={"image/png": {"alt": alt}},
        raw=True,
    )


def predictive_band(
    ax: Axes,
    x: ArrayLike,
    mu: ArrayLike,
    sigma: ArrayLike,
    level: float = 0.95,
    color: str = "C0",
    label: str | None = None,
) -> None:
    """Draw a predictive mean with its central interval over one input.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    x : array, shape (N,)
        The input, in the order in which it is to be joined.
    mu, sigma : array, shape (K, N)
        Mean and standard deviation of the normal prediction of each of K weight samples.
    level : float
        Probability inside the interval.
    color, label : str
        Of the line; the band has the same colour.
    """
    lower, upper = metrics.mixture_interval(mu, sigma, level)
    ax.fill_between(x, lower, upper, color=color, alpha=0.2, linewidth=0)
    ax.plot(x, np.mean(mu, axis=0), color=color, label=label)


def reliability_diagram(
    ax: Axes,
    confidence: ArrayLike,
    correct: ArrayLike,
    bins: int = 8,
    color: str = "C0",
    label: str | None = None,
    seed: int = 0,
) -> None:
    """Draw how often a classifier is right against how sure it is, with the band of chance.

    The grey bars are where 95 % of the points would lie if the classifier were perfectly
    calibrated: outcomes are redrawn from its own confidences, 1,000 times (consistency
    resampling, Bröcker and Smith 2007).

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    confidence : array, shape (N,)
        Probability given to the predicted class, in [0, 1].
    correct : array of bool, shape (N,)
        Whether the predicted class was the right one.
    bins : int
        Number of bins, each holding the same number of examples.
    color, label : str
        Of the points.
    seed : int
        Of the resampling.
    """
    confidence, correct = np.asarray(confidence, float), np.asarray(correct, float)
    rows_of_bins = metrics.equal_bins(confidence, correct, bins)
    redrawn = np.random.default_rng(seed).random((1_000, len(confidence))) < confidence
    for i, rows in enumerate(rows_of_bins):
        centre = confidence[rows].mean()
        low, high = np.quantile(redrawn[:, rows].mean(axis=1), [0.025, 0.975])
        ax.plot([centre, centre], [low, high], color="0.82", linewidth=9, zorder=1)
        ax.plot(centre, correct[rows].mean(), "o", color=color, label=None if i else label)
    ax.axline((0, 0), slope=1, color="0.4", linewidth=1, zorder=0)
    ax.set(xlabel="confidence", ylabel="share that is right", ylim=(-0.03, 1.03))


def checked_images(images: ArrayLike, name: str = "images") -> np.ndarray:
    """Return images as an array of numbers, or say why they cannot be drawn.

    Parameters
    ----------
    images : array, shape (N, H, W)
        Amount of ink in each pixel, 0 (paper) to 1.
    name : str
        What the error calls them.

    Returns
    -------
    array of float, shape (N, H, W)

    Raises
    ------
    ValueError
        If they have another shape, are none, or hold anything outside [0, 1].
    """
    images = np.asarray(images, dtype=float)
    if images.ndim != 3 or not images.size:
        raise ValueError(
            f"{name} has shape {images.shape}, but (N, H, W) with at least one image is expected: "
            "use reshape, or images[None] for a single one."
        )
    if not (images.min() >= 0 and images.max() <= 1):  # so written, NaN is refused as well
        raise ValueError(
            f"{name} holds values from {images.min():.4g} to {images.max():.4g}, but ink from 0 to "
            "1 is expected: divide grey levels by the largest one, apply the sigmoid to logits."
        )
    return images


def image_grid(ax: Axes, images: ArrayLike, columns: int) -> None:
    """Draw images as one mosaic, row by row, dark ink on white paper.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    images : array, shape (N, H, W)
        Amount of ink in each pixel, 0 (paper) to 1.
    columns : int
        Images in a row. Places that the last row does not fill stay empty.

    Raises
    ------
    ValueError
        If there is no column, or the images are none, have another shape or hold anything outside
        [0, 1].
    """
    images = checked_images(images)
    if columns < 1:
        raise ValueError(f"columns={columns} must be at least 1.")
    n, height, width = images.shape
    rows = -(-n // columns)
    tiles = np.zeros((rows * columns, height, width))
    tiles[:n] = images
    mosaic = tiles.reshape(rows, columns, height, width).swapaxes(1, 2)
    ax.imshow(mosaic.reshape(rows * height, columns * width), cmap="gray_r", vmin=0, vmax=1)
    for tile, count, line in ((width, columns, ax.axvline), (height, rows, ax.axhline)):
        for i in range(1, count):
            line(i * tile - 0.5, color="0.8", linewidth=1)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def latent_map(ax: Axes, codes: ArrayLike, labels: ArrayLike) -> None:
    """Draw two-dimensional codes of digits, one colour a digit, each named near its median.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    codes : array, shape (N, 2)
        Where the encoder puts each image.
    labels : array of int, shape (N,)
        The digit that each image shows, 0 to 9.

    Raises
    ------
    ValueError
        If the codes do not have two dimensions or are not finite, or the labels are no digits or
        not one for each code.
    """
    codes, labels = np.asarray(codes, dtype=float), np.asarray(labels)
    if codes.ndim != 2 or codes.shape[1] != 2 or not len(codes):
        raise ValueError(
            f"codes has shape {codes.shape}, but (N, 2) is expected: the figure shows two "
            "dimensions. Train with a latent size of 2, or choose two of the d: codes[:, [0, 1]]."
        )
    if not np.isfinite(codes).all():
        raise ValueError("codes holds values that are not finite (NaN or infinity).")
    if labels.shape != codes.shape[:1] or not np.isin(labels, range(10)).all():
        raise ValueError(
            f"labels has shape {labels.shape}, for {len(codes)} codes: one digit from 0 to 9 is "
            "expected for each code."
        )
    order = np.random.default_rng(0).permutation(len(codes))  # or the last digit hides the others
    colors = np.array([f"C{digit}" for digit in range(10)])[labels.astype(int)]
    ax.scatter(*codes[order].T, s=12, alpha=0.7, color=colors[order], linewidths=0)
    outline = [
        patheffects.Stroke(linewidth=6, foreground="white"),
        patheffects.Stroke(linewidth=2.5, foreground="black"),
        patheffects.Normal(),
    ]
    digits = np.unique(labels).astype(int)
    medians = np.array([np.median(codes[labels == digit], axis=0) for digit in digits])
    size = np.maximum(np.ptp(codes, axis=0), np.finfo(float).tiny)
    for digit, median, place in zip(digits, medians, _apart(medians / size) * size, strict=True):
        ax.annotate(
            str(digit),
            median,
            place,
            ha="center",
            va="center",
            color=f"C{digit}",
            fontsize=24,
            fontweight="bold",
            path_effects=outline,
        )
    ax.set(xlabel="$z_1$", ylabel="$z_2$")


def _apart(places: np.ndarray) -> np.ndarray:
    """Push points (N, 2) away from each other, as little as needed, until names fit there."""
    turn = 2 * np.pi * np.arange(len(places)) / len(places)
    places = places + 1e-6 * np.stack([np.cos(turn), np.sin(turn)], axis=1)  # no two on one spot
    for _ in range(200):
        gap = places[:, None] - places
        distance = np.linalg.norm(gap, axis=-1) + np.eye(len(places))
        push = np.clip(_NAMES_APART - distance, 0, None) / 2 / distance
        places = places + (push[..., None] * gap).sum(axis=1)
    return places


def checked_box(box: ArrayLike) -> tuple[float, float, float, float]:
    """Return the sides of a box as numbers, or say why they are none.

    Parameters
    ----------
    box : (left, right, bottom, top)
        As matplotlib's ``extent``.

    Returns
    -------
    left, right, bottom, top : float

    Raises
    ------
    ValueError
        If they are not four finite numbers, left < right and bottom < top.
    """
    sides = np.asarray(box, dtype=float)
    if (
        sides.shape != (4,)
        or not np.isfinite(sides).all()
        or not (sides[0] < sides[1] and sides[2] < sides[3])
    ):
        raise ValueError(
            f"box={box} is no box: (left, right, bottom, top) with left < right and bottom < top "
            "is expected."
        )
    return tuple(sides.tolist())


def density(ax: Axes, values: ArrayLike, box: ArrayLike, highest: float | None = None) -> None:
    """Draw a density in two dimensions as an image: white where there is none, dark where much.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    values : array, shape (cells * cells,) or (cells, cells)
        The density at the points of `flows.grid`, in their order.
    box : (left, right, bottom, top)
        As given to `flows.grid`.
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
            "expected: one density for each point of flows.grid."
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


def bent_grid(ax: Axes, points: ArrayLike) -> None:
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


def surface(
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
        By name, as of `descent.path`; the start stands first and lies in the box. Each step is a
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


def network(ax: Axes, sizes: Sequence[int], names: Sequence[str] | None = None) -> None:
    """Draw a fully connected network as the slides do: a circle is a unit, an arrow a weight.

    Call it when the figure has its final size: circles and letters are made to fit.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    sizes : sequence of int
        Number of inputs, then of the units in each layer: [3, 2, 1] is the slides' two-layer
        network. At most 8 numbers, and none above 8.
    names : sequence of str
        What the inputs are, written in the place of x_1, x_2, ...

    Raises
    ------
    ValueError
        If the sizes are not 2 to 8 whole numbers from 1 to 8, or there is not one name for each
        input.
    """
    if not 2 <= len(sizes) <= _COLUMN or not all(
        isinstance(n, Integral) and 1 <= n <= _COLUMN for n in sizes
    ):
        raise ValueError(
            f"sizes={list(sizes)} cannot be drawn so that the last row reads it: 2 to {_COLUMN} "
            f"whole numbers from 1 to {_COLUMN} are expected, the inputs first. Draw a smaller "
            "network that stands for it."
        )
    if names is not None and (isinstance(names, str) or len(names) != sizes[0]):
        raise ValueError(f"names={names!r} must be a list, one name for each of {sizes[0]} inputs.")

    ax.set_axis_off()
    ax.figure.draw_without_rendering()  # the layout decides how large the axes are
    width, height = ax.get_position().size * ax.figure.get_size_inches() * 72  # points
    type_size, last = plt.rcParams["font.size"], len(sizes) - 1
    caption = 2.8 * type_size  # two lines below the columns
    margin = 0 if names is None else 0.7 * type_size * max(map(len, names))
    row = min((height - caption) / (max(sizes) - 0.1), 100)
    column = min((width - margin) / (last + 1.2), 220)
    unit = min(0.8 * row, 0.5 * column, 76)  # diameter of a circle
    right, left = column * last + 1.9 * unit, -margin - 0.4 * unit
    ax.set(  # in points, and the graph in the middle
        xlim=(left + right) / 2 + width / 2 * np.array([-1, 1]),
        ylim=(height * np.array([-1, 1]) - caption) / 2,
    )

    letters = {"fontsize": 0.43 * unit, "ha": "center", "va": "center"}
    line = {"arrowstyle": "-|>,head_width=0.22,head_length=0.5", "mutation_scale": 0.25 * unit}
    line |= {"color": "0.45", "linewidth": 0.03 * unit}
    line |= {"shrinkA": 0.35 * unit, "shrinkB": 0.52 * unit}  # off the letters, up to the circles
    before = []
    for k, n in enumerate(sizes):
        units = [(column * k, row * ((n - 1) / 2 - i)) for i in range(n)]
        index = [f"_{{{i}}}" if n > 1 else "" for i in range(1, n + 1)]
        for start, end in itertools.product(before, units):
            ax.annotate("", end, start, arrowprops=line, zorder=1)
        if k:
            edge, fill = ("C1", "#fbe6c6") if k == last else ("C0", "#d5e8f5")
            ax.plot(*zip(*units, strict=True), "o", ms=unit, mfc=fill, mec=edge, mew=0.045 * unit)
            for place, i in zip(units, index, strict=True):
                ax.text(*place, f"$a^{{[{k}]}}{i}$", **letters)
        elif names is None:
            for place, i in zip(units, index, strict=True):
                ax.text(*place, f"$x{i}$", **letters)
        else:
            for (x, y), name in zip(units, names, strict=True):
                ax.text(x + 0.25 * unit, y, name, fontsize="large", ha="right", va="center")
        what = {0: "input\nlayer", last: f"layer {k}\n(output)"}.get(k, f"layer {k}\n(hidden)")
        x, y = column * k if k else -margin / 2, -row * max(sizes) / 2
        below = {"fontsize": min(type_size, column / 5), "color": "0.35"}
        ax.text(x, y, what, ha="center", va="top", **below)
        before = units
    for (x, y), i in zip(units, index, strict=True):
        ax.annotate("", (x + 1.75 * unit, y), (x, y), arrowprops=line, zorder=1)
        ax.text(x + 1.5 * unit, y, rf"$\hat{{y}}{i}$", **letters)


def decision(
    ax: Axes,
    probability: Callable[[np.ndarray], ArrayLike],
    x: ArrayLike,
    y: ArrayLike,
    box: ArrayLike | None = None,
) -> None:
    """Draw what a classifier of two classes says about the plane, and the data on top of it.

    Blue is class 0, orange class 1, white undecided; on the black line the probability is 0.5. The
    points have labels for ``ax.legend()``.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    probability : callable
        Takes points, shape (N, 2), and returns the probability of class 1, shape (N,).
    x : array, shape (m, 2)
        The data, one example in each row.
    y : array, shape (m,)
        Its classes, 0 or 1.
    box : (left, right, bottom, top)
        Part of the plane to draw, as matplotlib's ``extent``; without it the data and a margin.

    Raises
    ------
    ValueError
        If the data has another shape or is not finite, a class is neither 0 nor 1, the box is
        none, or a probability is missing or outside [0, 1]; its place is named.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y)
    if x.ndim != 2 or x.shape[1] != 2 or not len(x):
        raise ValueError(
            f"x has shape {x.shape}, but (m, 2) is expected, one example in each row: transpose "
            "examples that are columns, choose two of more features."
        )
    if not np.isfinite(x).all():
        raise ValueError("x holds values that are not finite (NaN or infinity).")
    if y.shape != x.shape[:1] or not np.isin(y, [0, 1]).all():
        raise ValueError(
            f"y has shape {y.shape}, for {len(x)} examples: one class, 0 or 1, is expected for "
            "each example."
        )
    if box is None:
        (left, bottom), (right, top) = x.min(axis=0), x.max(axis=0)
        margin = 0.1 * max(right - left, top - bottom) or 1.0
        box = (left - margin, right + margin, bottom - margin, top + margin)
    left, right, bottom, top = box = checked_box(box)
    middles = (np.arange(_PIXELS) + 0.5) / _PIXELS
    columns, rows = left + (right - left) * middles, bottom + (top - bottom) * middles
    points = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    values = np.asarray(probability(points), dtype=float)
    if values.shape != points.shape[:1]:
        raise ValueError(
            f"probability(points) has shape {values.shape}, but {points.shape[:1]} is expected for "
            f"points of shape {points.shape}: one number for each row; of a single row or column "
            "take [0] or [:, 0]."
        )
    wrong = ~((values >= 0) & (values <= 1))  # so written, NaN is refused as well
    if wrong.any():
        point = points[wrong][0]
        raise ValueError(
            f"probability(points) is {values[wrong][0]:.4g} at [{point[0]:.4g}, {point[1]:.4g}], "
            "but a probability lies in [0, 1]: of scores z take the sigmoid."
        )
    values = values.reshape(_PIXELS, _PIXELS)
    ax.imshow(values, extent=box, origin="lower", aspect="auto", cmap=_DECISION, vmin=0, vmax=1)
    if values.min() < 0.5 < values.max():
        ax.contour(columns, rows, values, [0.5], colors="black")
    for c, marker in enumerate("o^"):
        ax.scatter(
            *x[y == c].T,
            s=45,
            marker=marker,
            color=f"C{c}",
            edgecolors="black",
            linewidths=0.7,
            label=f"class {c}",
        )
    ax.set(xlabel="$x_1$", ylabel="$x_2$", xlim=box[:2], ylim=box[2:])
