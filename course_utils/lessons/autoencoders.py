"""Figures of the lesson `autoencoders`."""

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from course_utils import plotting

# Alternative texts of figures that answer a prediction.
TEXTS = {
    "curve": "Share of the variance that is lost, against the number of numbers kept. On test "
    "pictures the autoencoder lies below PCA's falling curve, clearly so at 8 and 16. On training "
    "pictures it is lower still, and more so the more numbers it keeps. A dashed line, the nearest "
    "training picture, lies below both at 2 and above the autoencoder from 8 on.",
    "maps": "Two maps of the same thousand test digits, coloured by digit. With PCA most digits "
    "overlap. With the autoencoder most have a region of their own, with some overlap of 4, 7 and "
    "9 and of 3, 5 and 8.",
    "codes": "The two-dimensional codes of the test digits with 300 draws from a normal: many "
    "crosses fall into the gaps between the arms, where no digit lies.",
    "fields": "Arrows on a plane with three heaps of points. The exact arrows point to the nearest "
    "heap, those of the network nearly the same. Those of one normal all point to the middle.",
    "samples": "Clouds of points over three ellipses. With falling noise the points fill the three "
    "ellipses by their weights. At small noise alone too few are in the heaviest one. The points "
    "from the memory are training points.",
    "auroc": "AUROC for each unseen digit and four detectors. The nearest picture is mostly "
    "highest, PCA below the autoencoder, ink at about one half on average. For the digit 1 all "
    "are at or below the dashed line of chance, ink close to zero.",
}


def draw_cover(axes: Sequence[Axes], picture: ArrayLike) -> None:
    """Draw a picture (784,), two numbers that are kept of it, and a question mark."""
    for ax in axes:
        ax.set_axis_off()
    axes[0].imshow(np.reshape(picture, (28, 28)), cmap="gray_r")
    axes[1].set(xlim=(0, 1), ylim=(0, 1))
    box = {"boxstyle": "round", "facecolor": "white", "edgecolor": "C1", "linewidth": 3}
    axes[1].text(0.5, 0.5, "−1.3\n0.7", fontsize=22, ha="center", va="center", bbox=box)
    for x in (0.02, 0.76):
        arrow = {"arrowstyle": "->", "color": "0.3", "linewidth": 3}
        axes[1].annotate("", (x + 0.24, 0.5), (x, 0.5), arrowprops=arrow)
    axes[2].text(0.5, 0.5, "?", fontsize=70, ha="center", va="center")


def draw_rows(rows: Mapping[str, ArrayLike]) -> Figure:
    """Draw pictures (k, 784), cut off at 0 and 1, in named rows one below the other."""
    pictures = np.clip(np.concatenate(list(rows.values())), 0, 1).reshape(-1, 28, 28)
    columns = len(pictures) // len(rows)
    fig, ax = plt.subplots(figsize=(10, 1.02 * len(rows) * 10 / columns))
    plotting.image_grid(ax, pictures, columns)
    ax.set_yticks(np.arange(len(rows)) * 28 + 13.5, list(rows), fontsize=13)
    ax.tick_params(length=0)
    return fig


def draw_units(units: Mapping[str, ArrayLike]) -> None:
    """Draw six pictures (6, 784) of each name: positive red, negative blue."""
    _, axes = plt.subplots(1, len(units), figsize=(11, 3.2))
    for ax, (title, pictures) in zip(axes, units.items(), strict=True):
        pictures = pictures / np.abs(pictures).max(axis=1, keepdims=True)
        mosaic = pictures.reshape(2, 3, 28, 28).swapaxes(1, 2).reshape(56, 84)
        ax.imshow(mosaic, cmap="RdBu_r", vmin=-1, vmax=1)
        ax.set(title=title, xticks=[], yticks=[])
        ax.spines[:].set_visible(False)


def draw_curve(pca: ArrayLike, network: Mapping[str, Mapping[int, float]], nearest: float) -> None:
    """Draw the share lost against d: PCA's for d = 1, 2, ..., the network's, one for an index."""
    _, ax = plt.subplots(figsize=(9, 4.2))
    ax.plot(np.arange(1, len(pca) + 1), pca, color="0.35", label="PCA, test")
    for (name, shares), face in zip(network.items(), ("C1", "white"), strict=True):
        label = f"autoencoder, {name}"
        ax.plot([*shares], [*shares.values()], "oC1", ms=9, mew=2, mfc=face, label=label)
    ax.axhline(nearest, color="C2", linestyle="--", label="nearest training picture, test")
    sizes = [*next(iter(network.values()))]
    ax.set(xscale="log", xlabel="numbers kept, d", ylabel="share of variance lost", ylim=(0, 1))
    ax.set_xticks([1, *sizes, len(pca)], [1, *sizes, len(pca)])
    ax.minorticks_off()
    ax.legend(fontsize=13)


def draw_maps(codes: Mapping[str, ArrayLike], labels: ArrayLike) -> None:
    """Draw two-dimensional codes (N, 2) of each name by their ranks, from 0 to 100 %."""
    _, axes = plt.subplots(1, len(codes), figsize=(12, 5.6))
    for ax, (name, z) in zip(axes, codes.items(), strict=True):
        plotting.latent_map(ax, 100 * rankdata(z, axis=0) / len(z), labels)
        ax.set(title=name, xlabel="rank of $z_1$ (%)", ylabel="rank of $z_2$ (%)")


def draw_codes(codes: ArrayLike, labels: ArrayLike, invented: ArrayLike) -> None:
    """Draw codes (N, 2) of digits, and invented ones as crosses; the outermost are left out."""
    _, ax = plt.subplots(figsize=(8.5, 6))
    plotting.latent_map(ax, codes, labels)
    ax.plot(*np.transpose(invented), "k+", markersize=6, mew=1.2)
    low, high = np.quantile(np.concatenate([codes, invented]), [0.01, 0.99], axis=0)
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    ax.set_title("dots: codes of test pictures, crosses: drawn from a normal")


def draw_fields(
    points: ArrayLike, scores: Mapping[str, Callable[[np.ndarray], np.ndarray]]
) -> None:
    """Draw scores as arrows over points (N, 2); each is a function from points to arrows."""
    _, axes = plt.subplots(1, len(scores), figsize=(14, 4.6), sharex=True, sharey=True)
    places = np.stack(np.meshgrid(*2 * [np.linspace(-5, 5, 17)]), axis=-1).reshape(-1, 2)
    for ax, (name, score) in zip(axes, scores.items(), strict=True):
        arrows = score(places)
        arrows = arrows / np.sqrt(1 + np.square(arrows).sum(axis=1, keepdims=True))  # length < 1
        ax.plot(*np.transpose(points), ".", color="C0", alpha=0.3, markersize=4)
        ax.quiver(*places.T, *arrows.T, scale=22, width=0.005)
        ax.set(title=name, xticks=[], yticks=[], aspect="equal")


def draw_samples(
    samples: Mapping[str, ArrayLike], means: ArrayLike, covariances: ArrayLike
) -> None:
    """Draw clouds (N, 2) of each name over the ellipses of two sd of normals (K, 2), (K, 2, 2)."""
    _, axes = plt.subplots(1, len(samples), figsize=(14, 4), sharex=True, sharey=True)
    circle = 2 * np.exp(1j * np.linspace(0, 2 * np.pi, 100))
    for ax, (name, x) in zip(axes, samples.items(), strict=True):
        ax.plot(*np.transpose(x), ".", color="C0", alpha=0.5, markersize=4)
        for mean, covariance in zip(means, covariances, strict=True):
            ring = np.linalg.cholesky(covariance) @ [circle.real, circle.imag]
            ax.plot(*(mean[:, None] + ring), color="C1", linewidth=2)
        ax.set(xlim=(-5, 5), ylim=(-5, 5), xticks=[], yticks=[], aspect="equal")
        ax.set_title(name, fontsize=15)


def draw_auroc(auroc: Mapping[str, ArrayLike]) -> None:
    """Draw the AUROC (10,) of each detector for each unseen digit."""
    _, ax = plt.subplots(figsize=(10, 4.4))
    styles = {"autoencoder": "oC1", "PCA": "s", "nearest picture": "^C2", "ink": "xC0"}
    for i, (name, values) in enumerate(auroc.items()):
        color = {"color": "0.35"} if name == "PCA" else {}
        place = np.arange(10) + 0.15 * (i - 1.5)  # side by side
        ax.plot(place, values, styles[name], markersize=9, mew=2.5, label=name, **color)
    ax.axhline(0.5, color="0.6", linewidth=1.5, linestyle="--", zorder=0, label="chance")
    ax.set(xlabel="digit never seen in training", ylabel="AUROC", ylim=(0, 1), xticks=range(10))
    ax.legend(ncols=2, loc="lower right", fontsize=13)
