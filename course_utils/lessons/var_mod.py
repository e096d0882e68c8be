"""Rivals and figures of the lesson `var_mod`."""

from collections.abc import Callable, Sequence

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import ops
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse
from numpy.typing import ArrayLike
from scipy.special import logit, logsumexp

from course_utils import metrics, plotting

# Alternative texts of figures that answer a prediction.
TEXTS = {
    "map": "Left: codes of 1,000 held-out digits in two dimensions, coloured by digit: some digits "
    "have regions of their own, others share the centre. Right, on the same axes: codes decoded, "
    "each at its own place, digits that change smoothly from one kind to the next.",
    "posteriors": "Two held-out digits, each with its exact posterior over the two latent "
    "dimensions in blue and the encoder's q as orange ellipses. At the median gap the two overlap "
    "but do not agree; at the largest gap q misses the posterior altogether.",
    "shares": "The KL of each of fifty dimensions, in order of size, on a logarithmic scale. With "
    "beta 0 all are large. With beta 1 and five passes they fall gently through the line at 0.1 "
    "nats; with 25 passes, and with beta 4, a few stand far above the line and the rest "
    "drop below it.",
    "terms": "Upper row: nine held-out digits reconstructed by the four networks, sharp at beta 0 "
    "and blurred at beta 4, more so after five passes. Lower row: pictures drawn from the prior: "
    "smudges at beta 0, digits or parts of digits at beta 1, soft digits at 4, and blurs after "
    "five passes.",
    "drawn": "Five rows of pictures that five samplers draw. From the prior of the variational "
    "autoencoder, and from a plain one with a normal distribution, some are digits and some are "
    "blots or scribbles; with a mixture of normals most are digits; the tables are smooth digits.",
}


class LinearVAE(keras.Model):
    """Probabilistic PCA as a variational autoencoder: one linear layer each way.

    One z_sigma serves all pictures, one sigma all pixels. Called with pictures (N, pixels) it
    returns their negative ELBO (N,) in nats, so that its loss is what it returns.

    Parameters
    ----------
    d : int
        Latent dimensions.
    pixels : int
    drawn : bool
        Whether the noise of z is drawn, once for each picture, or averaged over in closed form.
    """

    def __init__(self, d: int, pixels: int, drawn: bool) -> None:
        super().__init__()
        self.encoder, self.decoder = keras.layers.Dense(d), keras.layers.Dense(pixels)
        self.log_z_sigma = self.add_weight((d,), "zeros", name="log_z_sigma")
        self.log_sigma = self.add_weight((), "zeros", name="log_sigma")
        self.drawn, self.noise = drawn, keras.random.SeedGenerator()

    def call(self, x):
        """Return the negative ELBO of each picture."""
        z_mu, z_sigma = self.encoder(x), ops.exp(self.log_z_sigma)
        if self.drawn:
            epsilon = keras.random.normal(ops.shape(z_mu), seed=self.noise)
            squares = ops.sum(ops.square(x - self.decoder(z_mu + z_sigma * epsilon)), axis=-1)
        else:
            squares = ops.sum(ops.square(x - self.decoder(z_mu)), axis=-1)
            squares += ops.sum(ops.square(z_sigma[:, None] * self.decoder.kernel))  # (d, pixels)
        constant = x.shape[-1] * (self.log_sigma + 0.5 * float(np.log(2 * np.pi)))
        kl = (ops.square(z_mu) + ops.square(z_sigma) - 1) / 2 - self.log_z_sigma
        return squares / (2 * ops.exp(2 * self.log_sigma)) + constant + ops.sum(kl, axis=-1)


def mixture_of_tables(
    x: np.ndarray,
    components: int,
    rng: np.random.Generator,
    smoothing: float = 1.0,
    steps: int = 15,
) -> tuple[np.ndarray, np.ndarray]:
    """Fit a mixture of Bernoulli tables to binary pictures, by expectation maximisation.

    Parameters
    ----------
    x : array, shape (N, D)
        Pictures, 0 or 1.
    components : int
        How many tables; each starts from a picture of its own.
    rng : np.random.Generator
    smoothing : float
        Each table sees so many pictures more than it has, all equal to the mean picture.
    steps : int
        Of expectation and maximisation.

    Returns
    -------
    log_weight : array, shape (components,)
        Logarithm of how often a table is chosen.
    logits : array, shape (components, D)
        The logit of ink in each of its pixels.

    Raises
    ------
    ValueError
        If there are more tables than pictures.
    """
    if not 1 <= components <= len(x):
        raise ValueError(f"components={components} must be between 1 and {len(x)}, the pictures.")
    x = np.asarray(x, "float32")
    mean = x.mean(axis=0).clip(1e-3, 1 - 1e-3)
    logits = logit((x[rng.choice(len(x), components, replace=False)] + mean) / 2)
    log_weight = np.full(components, -np.log(components), "float32")
    for _ in range(steps):
        log_joint = log_weight + x @ logits.T - np.logaddexp(0, logits).sum(axis=1)
        share = np.exp(log_joint - logsumexp(log_joint, axis=1, keepdims=True))  # (N, components)
        count = share.sum(axis=0)
        ink = (share.T @ x + smoothing * mean) / (count + smoothing)[:, None]
        logits = logit(ink.clip(1e-4, 1 - 1e-4))
        log_weight = np.log((count + 1e-3) / (count + 1e-3).sum())
    return log_weight, logits


def mixture_nll(x: np.ndarray, log_weight: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Return -log p of each picture (N,) under what `mixture_of_tables` returned, in nats."""
    return -logsumexp(log_weight - metrics.bernoulli_nll(x, logits), axis=1)


def spherical(z_1: np.ndarray, z_2: np.ndarray, t: float) -> np.ndarray:
    """Return the codes a share t of the way from z_1 to z_2 along an arc, as they are (N, d).

    With omega the angle between the two, that is ``(sin((1 - t) omega) z_1 + sin(t omega) z_2)``
    over ``sin(omega)``: the length stays where both are equally long.
    """
    lengths = np.linalg.norm(z_1, axis=-1) * np.linalg.norm(z_2, axis=-1)
    omega = np.arccos(np.sum(z_1 * z_2, axis=-1) / lengths)[..., None]
    return (np.sin((1 - t) * omega) * z_1 + np.sin(t * omega) * z_2) / np.sin(omega)


def draw_map(
    axes: ArrayLike,
    codes: ArrayLike,
    labels: ArrayLike,
    decode: Callable[[np.ndarray], np.ndarray],
    limit: float = 3.0,
    side: int = 15,
) -> None:
    """Draw the latent map, and beside it on the same axes what codes decode to.

    Parameters
    ----------
    axes : two matplotlib.axes.Axes
    codes : array, shape (N, 2)
    labels : array of int, shape (N,)
        The digit of each.
    decode : callable
        Takes codes (M, 2), returns their pictures (M, H, W), ink from 0 to 1.
    limit : float
        Both maps reach from -limit to limit.
    side : int
        Pictures in a row.
    """
    plotting.latent_map(axes[0], codes, labels)
    edge = np.linspace(-limit, limit, side + 1)
    middle = (edge[1:] + edge[:-1]) / 2
    grid = np.stack(np.meshgrid(middle, middle[::-1]), axis=-1).reshape(-1, 2)
    tiles = decode(grid)
    _, height, width = tiles.shape
    mosaic = tiles.reshape(side, side, height, width).swapaxes(1, 2)
    mosaic = mosaic.reshape(side * height, side * width)
    box = (-limit, limit, -limit, limit)
    axes[1].imshow(mosaic, cmap="gray_r", vmin=0, vmax=1, extent=box)
    for ax, title in zip(
        axes, ("where held-out pictures go", "what the codes decode to"), strict=True
    ):
        ax.set(title=title, xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
        ax.set(xlabel="$z_1$", ylabel="$z_2$", xticks=range(-3, 4), yticks=range(-3, 4))


def draw_posteriors(
    pictures: np.ndarray,
    log_posterior: np.ndarray,
    axis: np.ndarray,
    q: Sequence[np.ndarray],
    gaps: np.ndarray,
) -> None:
    """Draw two pictures, and beside each its exact posterior with the ellipses of q.

    Parameters
    ----------
    pictures : array, shape (2, 784)
        Those with the median and with the largest gap.
    log_posterior : array, shape (2, len(axis), len(axis))
        In nats; rows are z_2.
    axis : array
        Values of z_1, and of z_2.
    q : two arrays of shape (2, 2)
        Means and standard deviations of q.
    gaps : array, shape (2,)
        In nats.
    """
    _, axes = plt.subplots(1, 4, figsize=(13, 4.2), width_ratios=[1, 2, 1, 2])
    for i, kind in enumerate(("median gap", "largest gap")):
        plotting.image_grid(axes[2 * i], pictures[[i]].reshape(1, 28, 28), columns=1)
        axes[2 * i].set_title(kind)
        root = np.exp(log_posterior[i] / 2)
        _draw_posterior(axes[2 * i + 1], root, axis, q[0][i], q[1][i])
        axes[2 * i + 1].set_title(f"{gaps[i]:.1f} nats")


def _draw_posterior(
    ax: Axes, root: np.ndarray, axis: np.ndarray, z_mu: np.ndarray, z_sigma: np.ndarray
) -> None:
    """Draw the root of a density, and ellipses at one and two standard deviations of q."""
    ax.pcolormesh(axis, axis, root, cmap="Blues", shading="gouraud")
    for scale in (1, 2):
        width, height = 2 * scale * z_sigma
        ax.add_patch(Ellipse(z_mu, width, height, fill=False, edgecolor="C1", linewidth=2))
    row, column = np.unravel_index(root.argmax(), root.shape)
    ends = np.array([[axis[column], axis[row]], z_mu])
    half = np.ptp(ends, axis=0).max() / 2 + 0.6
    low, high = ends.mean(axis=0) - half, ends.mean(axis=0) + half
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    ax.set(xlabel="$z_1$", ylabel="$z_2$")


def draw_rows(rows: dict[str, np.ndarray], columns: int) -> None:
    """Draw pictures (N, 784), ink from 0 to 1, as rows of one figure, each with its name.

    Parameters
    ----------
    rows : dict of str to array, shape (N, 784)
        At least `columns` pictures for each name.
    columns : int
        Pictures in a row.
    """
    pictures = np.concatenate([x[:columns] for x in rows.values()]).reshape(-1, 28, 28)
    _, ax = plt.subplots(figsize=(12, 0.78 * len(rows) + 0.1))
    plotting.image_grid(ax, pictures, columns)
    ax.set_yticks(28 * np.arange(len(rows)) + 14, list(rows))


def draw_looks(looks: dict[str, dict[str, np.ndarray]]) -> None:
    """Draw nine pictures for each column and row of a table.

    Parameters
    ----------
    looks : dict of dict of array, shape (9, H, W)
        Ink from 0 to 1, by the names of column and row.
    """
    rows = list(next(iter(looks.values())))
    _, axes = plt.subplots(len(rows), len(looks), figsize=(2.75 * len(looks), 2.8 * len(rows)))
    for column, (name, pictures) in zip(axes.T, looks.items(), strict=True):
        for ax, row in zip(column, rows, strict=True):
            plotting.image_grid(ax, pictures[row], columns=3)
        column[0].set_title(name)
    for ax, row in zip(axes[:, 0], rows, strict=True):
        ax.set_ylabel(row)


def draw_shares(shares: dict[str, np.ndarray], line: float) -> None:
    """Draw the KL of each latent dimension, in nats, for each network.

    Parameters
    ----------
    shares : dict of str to array, shape (d,)
        Above 0, the largest first, by the network's name.
    line : float
        Dimensions above it count as used.
    """
    _, ax = plt.subplots(figsize=(8, 3.4))
    for name, kl in shares.items():
        ax.semilogy(np.arange(1, len(kl) + 1), kl, ".-", label=name)
    ax.axhline(line, color="gray", linestyle="--")
    ax.set(xlabel="latent dimension, the largest first", ylabel="KL in nats", ylim=(1e-4, None))
    ax.legend()
