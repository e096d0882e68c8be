"""Recurring figures, readable from the last row of a lecture hall."""

import base64
import html
import io

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib import patheffects
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

_NAMES_APART = 0.07  # of the range of the codes: two names nearer than this overlap


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

    Notes
    -----
    The picture is an ``<img>`` in HTML, because JupyterLab and nbconvert show one of the type
    ``image/png`` without any text.
    """
    from IPython.display import display

    figure = plt.gcf()
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    plt.close(figure)
    png = base64.b64encode(picture.getvalue()).decode()
    image = f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{png}">'
    display({"text/html": image, "text/plain": alt}, raw=True)


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
