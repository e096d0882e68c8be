"""Figures, rivals and the exact mixture of the lesson `autoencoders`."""

from collections.abc import Callable, Mapping, Sequence

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy.ndimage import median_filter
from scipy.signal import wiener
from scipy.spatial.distance import cdist
from scipy.special import softmax
from scipy.stats import multivariate_normal, rankdata
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.mixture import GaussianMixture

from course_utils import claims, plotting

# Weights, means and covariances of the three normals of section 8.
HEAPS = (
    np.array([0.5, 0.3, 0.2]),
    np.array([[-2, -1], [2, -1.5], [0.5, 2.5]]),
    np.array([[[0.5, 0.3], [0.3, 0.4]], [[0.2, 0], [0, 0.6]], [[0.8, -0.3], [-0.3, 0.3]]]),
)
_WIDTHS = (0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6)  # of the normals of a smoothed memory
_SIDES = (3, 5, 7)  # of a filter's window

_Score = Callable[[np.ndarray, float], np.ndarray]  # points (N, 2) and sigma -> (N, 2)

# Alternative texts of figures.
TEXTS = {
    "pca": "Ten test digits and what PCA paints from 2 and 16 numbers: grey blurs at 2, "
    "readable digits with halos at 16.",
    "units": "Six pictures painted by the hidden units, positive red and negative blue, beside the "
    "six eigenvectors: the same kind of strokes and loops, in another mixture.",
    "painted": "Ten test digits, and what PCA and the autoencoder paint from two numbers: PCA's "
    "are grey and blurred, the autoencoder's are darker, though not always the right digit.",
    "cleaned": "Ten digits, their masked version, and what five methods make of it: the median "
    "filter erases the strokes, the Wiener filter adds a grey haze, the memory paints smooth "
    "digits that are not always the right ones, the linear map and the autoencoder restore them.",
    "drawn": "Fourteen pictures in each row. Repainted test pictures are digits. Those from a "
    "normal distribution of codes are partly digits, partly strokes that are no digit. Those from "
    "the mixture mostly are digits.",
    "repainted": "Ten digits, each with the median error of its kind, repainted by the network "
    "that has never seen its kind: some come back as blurs, some as another digit.",
    "curve": "Share of the variance that is lost, against the number of numbers kept. On test "
    "pictures the autoencoder lies below PCA's falling curve, clearly so at 16. On training "
    "pictures it is lower still. A dashed line, the nearest training picture, lies below both at 2 "
    "and above both at 16.",
    "maps": "Two maps of the same thousand test digits, coloured by digit. With PCA most digits "
    "overlap. With the autoencoder most have a region of their own, with some overlap of 4, 7 and "
    "9 and of 3, 5 and 8.",
    "codes": "The two-dimensional codes of the test digits with 300 draws from a normal: many "
    "crosses fall into the gaps between the arms, where no digit lies.",
    "fields": "Arrows on a plane with three heaps of points. The exact arrows point to the nearest "
    "heap, those of the network nearly the same. Those of one normal all point to the middle.",
    "samples": "Clouds of points over three ellipses. With falling noise the points fill the three "
    "ellipses roughly by their weights. At small noise alone nearly all are in the lightest one. "
    "The points from the memory, with noise down to 0.01, are training points.",
    "auroc": "AUROC for each unseen digit and four detectors. The nearest picture is mostly "
    "highest, PCA below the autoencoder, ink at about one half on average. For the digit 1 all "
    "are at or below the dashed line of chance, ink close to zero.",
}


class Mask(keras.layers.Layer):
    """Set each pixel to 0 with probability ½, in training only."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = keras.random.SeedGenerator(seed)

    def call(self, x, training=False):
        """Return pictures x of any shape as they are, and in training masked."""
        if not training:
            return x
        kept = keras.random.uniform(keras.ops.shape(x), seed=self.seed) < 0.5
        return x * keras.ops.cast(kept, x.dtype)


def factor(a: ArrayLike, b: ArrayLike, over: str = "test pictures") -> dict[str, float | str]:
    """Ratio of two mean errors and its standard error, as the keywords that a claim takes.

    Parameters
    ----------
    a, b : array, shape (N,)
        Errors of the same N test pictures, or of N independent pairs.
    over : str
        What they are, for the claim.

    Returns
    -------
    dict
        As from `claims.mean_and_error`.
    """
    ratio = np.mean(a) / np.mean(b)
    return claims.mean_and_error(ratio + (a - ratio * b) / np.mean(b), over)


def auroc_parts(scores: ArrayLike, unseen: ArrayLike) -> np.ndarray:
    """Split the AUROC of N pictures over them.

    Parameters
    ----------
    scores : array, shape (N,)
        Larger ones are more unusual.
    unseen : array of bool, shape (N,)
        Which pictures are of the unseen kind; at least one is, and at least one is not.

    Returns
    -------
    array, shape (N,)
        Their mean is the AUROC, and the standard error of that mean is the AUROC's.
    """
    ours, others = scores[unseen][:, None], scores[~unseen]
    won = (ours > others) + 0.5 * (ours == others)
    parts = np.full(len(scores), won.mean())
    parts[unseen] += (won.mean(axis=1) - won.mean()) / unseen.mean()
    parts[~unseen] += (won.mean(axis=0) - won.mean()) / (1 - unseen.mean())
    return parts


def nearest_picture(x: ArrayLike, x_train: ArrayLike, x_val: ArrayLike) -> np.ndarray:
    """Answer each picture with the training picture nearest to it, pulled towards their mean.

    Parameters
    ----------
    x, x_train, x_val : array, shape (..., 784)
        Pictures to answer, to answer with, and to choose the factor of the pull by least squares.

    Returns
    -------
    array, shape (N, 784)
    """
    mean = np.mean(x_train, axis=0)
    copies, copies_val = (
        x_train[euclidean_distances(given, x_train).argmin(axis=1)] - mean for given in (x, x_val)
    )
    factor = (copies_val * (x_val - mean)).sum() / np.square(copies_val).sum()
    return mean + factor * copies


def filtered(name: str, x: ArrayLike, noisy_val: ArrayLike, x_val: ArrayLike) -> np.ndarray:
    """Clean pictures by a filter whose window and brightening validation pictures choose.

    Parameters
    ----------
    name : str
        "median" or "Wiener".
    x, noisy_val : array, shape (..., 784)
        Noisy pictures to clean, and those to choose by.
    x_val : array, shape (..., 784)
        The clean ones of the latter.

    Returns
    -------
    array, shape (N, 784)
    """
    tried = []
    for side in _SIDES:
        output = _filter(name, noisy_val, side)
        factor = (output * x_val).sum() / np.square(output).sum()  # least squares
        tried.append((np.square(x_val - factor * output).sum(), side, factor))
    _, side, factor = min(tried)
    return factor * _filter(name, x, side)


def _filter(name: str, x: ArrayLike, side: int) -> np.ndarray:
    pictures = np.reshape(x, (-1, 28, 28))
    if name == "median":
        return median_filter(pictures, (1, side, side)).reshape(len(x), -1)
    with np.errstate(divide="ignore", invalid="ignore"):  # on plain paper the variance is 0
        return np.stack([wiener(picture, side).ravel() for picture in pictures])


def draw_points(rng: np.random.Generator, n: int) -> np.ndarray:
    """Draw n points (n, 2) from the three normals."""
    weights, means, covariances = HEAPS
    k = rng.choice(len(weights), n, p=weights)
    steps = np.linalg.cholesky(covariances)[k] @ rng.normal(size=(n, 2, 1))
    return means[k] + steps[:, :, 0]


def judged(
    rng: np.random.Generator, sigmas: Sequence[float], n: int = 2000
) -> dict[str, tuple[np.ndarray, float]]:
    """Points at which scores are judged, and their noise: n new ones each, and a ring far away."""
    found = {f"σ = {s}": (draw_points(rng, n) + s * rng.normal(size=(n, 2)), s) for s in sigmas}
    angle = 2 * np.pi * np.arange(500) / 500
    return found | {"far away": (10 * np.column_stack([np.cos(angle), np.sin(angle)]), 0.3)}


def mixture_score(
    x: ArrayLike, sigma: float, weights: ArrayLike, means: ArrayLike, covariances: ArrayLike
) -> np.ndarray:
    """Slope of the log-density of a mixture of K normals whose draws got noise.

    Parameters
    ----------
    x : array, shape (N, 2)
        Where.
    sigma : float
        Standard deviation of the noise, which adds its square to each variance.
    weights, means, covariances : array, shape (K,), (K, 2) and (K, 2, 2)
        Of the normals without noise.

    Returns
    -------
    array, shape (N, 2)
    """
    precisions = np.linalg.inv(covariances + sigma**2 * np.eye(2))
    away = means - np.asarray(x)[:, None]
    scores = np.einsum("kij,nkj->nki", precisions, away)  # of each normal
    log_p = np.log(weights) + np.log(np.linalg.det(precisions)) / 2
    log_p = log_p - (away * scores).sum(axis=2) / 2
    return np.einsum("nk,nki->ni", softmax(log_p, axis=1), scores)


def mean_given(x_noisy: ArrayLike, sigma: float) -> np.ndarray:
    """Mean of the clean points given the noisy ones (N, 2), summed over a fine grid: (N, 2)."""
    grid = np.stack(np.meshgrid(*2 * [np.linspace(-8, 8, 401)]), axis=-1).reshape(-1, 2)
    density = sum(w * multivariate_normal(m, c).pdf(grid) for w, m, c in zip(*HEAPS, strict=True))
    joint = density * np.exp(-cdist(x_noisy, grid, "sqeuclidean") / 2 / sigma**2)
    return joint @ grid / joint.sum(axis=1, keepdims=True)


def rivals(points: np.ndarray, points_val: np.ndarray, seed: int) -> dict[str, _Score]:
    """Scores that cost no training: functions of points (N, 2) and sigma.

    Parameters
    ----------
    points, points_val : array, shape (..., 2)
        To learn from, and to choose the memory's width, for each sigma anew, and the number of
        normals.
    seed : int
        Of the noise on the validation points, and of the starts of the fits.

    Returns
    -------
    dict of str to callable
        "one normal", "memory", "smoothed memory", "fitted mixture".
    """
    moments = np.ones(1), points.mean(axis=0)[None], np.cov(points.T)[None]
    noise = np.random.default_rng(seed).normal(size=points_val.shape)
    fits = [GaussianMixture(k, random_state=seed).fit(points) for k in range(1, 7)]
    best = max(fits, key=lambda fit: fit.score(points_val))
    fitted = best.weights_, best.means_, best.covariances_

    def memory(x: np.ndarray, sigma: float, width: float = 0) -> np.ndarray:
        variance = sigma**2 + width**2  # the same for all: quicker than `mixture_score`
        weights = softmax(-cdist(x, points, "sqeuclidean") / 2 / variance, axis=1)
        return (weights @ points - x) / variance

    def smoothed(x: np.ndarray, sigma: float) -> np.ndarray:
        noisy = points_val + sigma * noise
        cleaned = [noisy + sigma**2 * memory(noisy, sigma, width) for width in _WIDTHS]
        losses = [np.square(points_val - given).sum() for given in cleaned]
        return memory(x, sigma, _WIDTHS[int(np.argmin(losses))])

    return {
        "one normal": lambda x, sigma: mixture_score(x, sigma, *moments),
        "memory": memory,
        "smoothed memory": smoothed,
        "fitted mixture": lambda x, sigma: mixture_score(x, sigma, *fitted),
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


def draw_curve(pca: ArrayLike, table: pd.DataFrame, nearest: float) -> None:
    """Draw the share lost: PCA's for d = 1, 2, ..., the table's networks, one for an index."""
    _, ax = plt.subplots(figsize=(9, 4.2))
    ax.plot(np.arange(1, len(pca) + 1), pca, color="0.35", label="PCA, test")
    for column, face in (("autoencoder", "C1"), ("autoencoder, training", "white")):
        label = column if "," in column else f"{column}, test"
        ax.plot(table.index, table[column], "oC1", ms=9, mew=2, mfc=face, label=label)
    ax.axhline(nearest, color="C2", linestyle="--", label="nearest training picture, test")
    ax.set(xscale="log", xlabel="numbers kept, d", ylabel="share of variance lost", ylim=(0, 1))
    ax.set_xticks([1, *table.index, len(pca)], [1, *table.index, len(pca)])
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


def draw_fields(points: ArrayLike, scores: Mapping[str, _Score], sigma: float) -> None:
    """Draw scores at a noise sigma as arrows over points (N, 2)."""
    _, axes = plt.subplots(1, len(scores), figsize=(14, 4.6), sharex=True, sharey=True)
    places = np.stack(np.meshgrid(*2 * [np.linspace(-5, 5, 17)]), axis=-1).reshape(-1, 2)
    for ax, (name, score) in zip(axes, scores.items(), strict=True):
        arrows = score(places, sigma)
        arrows = arrows / np.sqrt(1 + np.square(arrows).sum(axis=1, keepdims=True))  # length < 1
        ax.plot(*np.transpose(points), ".", color="C0", alpha=0.3, markersize=4)
        ax.quiver(*places.T, *arrows.T, scale=22, width=0.005)
        ax.set(title=name, xticks=[], yticks=[], aspect="equal")


def draw_samples(samples: Mapping[str, ArrayLike], names: Sequence[str]) -> None:
    """Draw the named clouds (N, 2) over the ellipses of two sd of the three normals."""
    _, axes = plt.subplots(1, len(names), figsize=(14, 5.2), sharex=True, sharey=True)
    circle = 2 * np.exp(1j * np.linspace(0, 2 * np.pi, 100))
    for ax, name in zip(axes, names, strict=True):
        ax.plot(*np.transpose(samples[name]), ".", color="C0", alpha=0.5, markersize=4)
        for mean, covariance in zip(*HEAPS[1:], strict=True):
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
