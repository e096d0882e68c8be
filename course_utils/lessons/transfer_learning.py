"""Signals of other shapes, and the figures of the lesson on transfer learning."""

from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import seaborn as sns
import tensorflow as tf
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator
from numpy.typing import ArrayLike

POINTS = 12  # of a shape, as MNIST-1D has them

# The same colour means the same method in every figure.
_PALETTE = sns.color_palette("colorblind")
COLOURS = {
    "fine-tuned": _PALETTE[0],
    "final layers": _PALETTE[9],
    "from scratch": _PALETTE[1],
    "head only": _PALETTE[2],
    "random windows": _PALETTE[4],
    "their network": _PALETTE[3],
    "untrained twin": _PALETTE[7],
}


def _line(name: str) -> dict:
    """How a method is drawn: dashed if the scatter S helps it."""
    return {
        "color": COLOURS[name.removesuffix(" + S")],
        "ls": "--" if name.endswith(" + S") else "-",
        "marker": "o",
        "label": name,
    }


# Alternative texts of figures that answer a prediction.
TEXTS = {
    "cover": "Five signals of kinds that have many labels, and below them five of kinds that have "
    "few. All are wavy lines.",
    "filters": "Twelve windows of the first layer before and after training: bumps, slopes and "
    "zigzags in both. A signal with a deep dip. The answers of the third layer to it: some units "
    "nearly everywhere, some at one place or two, some at none.",
    "rates": "Accuracy against the learning rate. On the new kinds it begins below the head only, "
    "is above it at middle rates, and falls at the largest. On the old kinds it falls from nearly "
    "1 to a third.",
    "race": "Accuracy against labels for each kind. With 1 and 5 labels a fine-tuned network and "
    "one with trained final layers are far above the one from scratch, which with 50 and 200 is "
    "between them. The head only ends far below all.",
    "windows": "Random windows run close to the fine-tuned network, and above the untrained twin.",
    "scatter": "The three sets of features without the scatter S, and dashed with it. With 1, 5 "
    "and 10 labels random windows with S are highest.",
    "sources": "Accuracy against labels for six sources. With 24 means the untrained network is "
    "lowest, and with 10 and 50 labels the source of section 2 is highest. With 144 numbers the "
    "untrained network is highest.",
    "stored": "Means over five sources, and two ranges. On the left accuracy against labels for "
    "seven methods, on the right how far each is above the fine-tuned network.",
}


class Moves(keras.layers.Layer):
    """Shift each signal around its end by a random number of pixels; only during training.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = keras.random.SeedGenerator(seed)

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return signals of shape (batch, pixels, 1), shifted in training and else as they are."""
        if not training:
            return x
        pixels = x.shape[1]
        k = keras.random.randint((tf.shape(x)[0], 1), 0, pixels, seed=self.seed)
        return tf.gather(x, (tf.range(pixels) + k) % pixels, axis=1, batch_dims=1)


def shapes(rng: np.random.Generator, kinds: int = 5) -> np.ndarray:
    """Draw smooth random shapes that are no digits, for `course_utils.data.load_mnist1d`.

    Each is a random walk that is bent to return to where it began, scaled as the package scales
    its own shapes: standard deviation 1/6 along the shape, and 0 at both ends.

    Parameters
    ----------
    rng : numpy.random.Generator
    kinds : int
        How many.

    Returns
    -------
    array, shape (kinds, 12)
    """
    walk = np.cumsum(rng.normal(size=(kinds, POINTS)), axis=1)
    walk -= walk[:, :1]
    walk -= np.linspace(0, 1, POINTS) * walk[:, -1:]
    return walk / walk.std(axis=1, keepdims=True) / 6


def draw_cover(axes: np.ndarray, x: ArrayLike, y: ArrayLike) -> None:
    """Draw one signal of each of ten kinds into axes of shape (2, 5)."""
    x, y = np.asarray(x), np.asarray(y)
    for kind, ax in enumerate(axes.ravel()):
        ax.plot(x[np.argmax(y == kind)], color="C0" if kind < 5 else "C1")
        ax.set(xticks=[], yticks=[], ylim=(-4, 4), title=f"kind {kind}")
    axes[0, 0].set_ylabel("many labels")
    axes[1, 0].set_ylabel("few labels")


def draw_layers(
    axes: Sequence[Axes], first: np.ndarray, last: np.ndarray, signal: np.ndarray, deep: np.ndarray
) -> None:
    """Draw windows (5, units) before and after training, a signal, and answers (places, units)."""
    for ax, filters, title in zip(axes, (first, last), ("at first", "trained"), strict=False):
        step = 1.3 * np.abs(filters).max()
        for n, window in enumerate(filters.T[:12]):
            ax.plot(np.arange(5) + 6 * (n % 4), window - 2 * step * (n // 4), color="C0")
        ax.set(xticks=[], yticks=[], title=f"12 windows of layer 1, {title}")
    axes[2].plot(signal, color="C1")
    axes[2].set(xlabel="pixel", title="a signal of a new kind")
    shown = deep / np.maximum(deep.max(axis=0), 1e-9)
    axes[3].imshow(shown.T, aspect="auto", cmap="cividis", interpolation="nearest")
    axes[3].set(xlabel="place", ylabel="unit", title="answers of layer 3 (largest: 1)")


def draw_rates(
    ax: Axes, rates: Sequence[float], new: ArrayLike, old: ArrayLike, unmoved: float
) -> None:
    """Draw accuracy against the rate, on new and old kinds, and that of unmoved weights."""
    ax.plot(rates, new, "o-", color=COLOURS["fine-tuned"], label="new kinds")
    ax.plot(rates, old, "s--", color="0.4", label="old kinds, with their old head")
    ax.axhline(unmoved, color=COLOURS["head only"], label="new kinds, head only")
    ax.axhline(0.2, color="0.7", lw=1)
    ax.annotate("guessing", (rates[0], 0.21), color="0.4")
    ax.set(xscale="log", ylim=(0, 1.02), xlabel="learning rate α", ylabel="accuracy (test)")
    ax.legend()


def _label_axis(ax: Axes, labels: Sequence[int]) -> None:
    ax.set(xscale="log", xlabel="labels for each kind", ylabel="accuracy (test)", ylim=(0.2, 1))
    ax.set_xticks(list(labels), [str(n) for n in labels])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.legend(fontsize="small")


def draw_race(ax: Axes, labels: Sequence[int], found: Mapping[str, Mapping[int, float]]) -> None:
    """Draw accuracy against labels, a line for each method: {method: {labels: accuracy}}."""
    for name, by_labels in found.items():
        ax.plot(labels, [by_labels[n] for n in labels], **_line(name))
    _label_axis(ax, labels)


def draw_stored(
    axes: Sequence[Axes], labels: Sequence[int], stored: Mapping[str, np.ndarray]
) -> None:
    """Draw means over sources, {method: (sources, labels)}, and each beside fine-tuned."""
    for name, values in stored.items():
        for ax, shown in zip(axes, (values, values - stored["fine-tuned"]), strict=True):
            line = _line(name)
            if name == "fine-tuned" and ax is axes[1]:
                ax.axhline(0, color=line["color"])
                continue
            ax.plot(labels, shown.mean(axis=0), **line)
            if name in ("from scratch", "random windows + S"):
                low, high = shown.min(axis=0), shown.max(axis=0)
                ax.fill_between(labels, low, high, color=line["color"], alpha=0.15, lw=0)
    for ax in axes:
        _label_axis(ax, labels)
        ax.get_legend().remove()
    axes[1].set(ylim=(-0.4, 0.3), ylabel="accuracy above fine-tuned")
    names, handles = zip(*((h.get_label(), h) for h in axes[0].lines), strict=True)
    axes[0].figure.legend(handles, names, loc="outside lower center", ncols=4)


def draw_sources(
    ax: Axes, labels: Sequence[int], found: Mapping[str, Sequence[float]], kept: str
) -> None:
    """Draw accuracy of a head on the frozen features of each source; `kept` names the features."""
    colours = [COLOURS["head only"], *(_PALETTE[n] for n in (3, 8, 9, 1)), "0.5"]
    for (name, values), mark, colour in zip(found.items(), "osD^vx", colours, strict=True):
        ax.plot(labels, values, mark + "-", color=colour, label=name)
    _label_axis(ax, labels)
    ax.set(ylim=(0.3, 0.95), title=kept)


def ridge(
    h: ArrayLike, y: ArrayLike, rows: ArrayLike, penalties: Sequence[float]
) -> dict[float, np.ndarray]:
    """Fit kinds to features by least squares with an L2 penalty, and name the kinds of all rows.

    As scikit-learn's ``RidgeClassifier``, for many penalties at the price of one: for each kind
    the targets are 1 and -1, and a constant is fitted without a penalty.

    Parameters
    ----------
    h : array, shape (N, features)
        Centred, and divided by one number, so that the labelled rows have mean 0 and standard
        deviation 1 over all features together.
    y : array of int, shape (N,)
        Kinds, whole numbers from 0. Only those of the labelled rows are used.
    rows : array of int, shape (n,)
        The labelled rows, with every kind among them.
    penalties : sequence of float
        Each positive.

    Returns
    -------
    dict of arrays, shape (N,)
        The kinds that each penalty leads to.

    Raises
    ------
    ValueError
        If the features of the labelled rows do not differ.
    """
    h, kinds = np.asarray(h, float), np.asarray(y)[rows]
    spread = h[rows].std()
    if not spread > 0:
        raise ValueError("The features of the labelled rows are all the same number.")
    h = (h - h[rows].mean(axis=0)) / spread
    targets = 2.0 * (kinds[:, None] == np.arange(kinds.max() + 1)) - 1
    constant = targets.mean(axis=0)
    A, Y = h[rows], targets - constant
    if len(A) < A.shape[1]:  # the solution is a mixture of the labelled rows
        h, A, Y = h @ A.T, A @ A.T, Y
    else:
        A, Y = A.T @ A, A.T @ Y
    eigenvalues, V = np.linalg.eigh(A)
    h, Y = h @ V, V.T @ Y
    return {
        penalty: (h @ (Y / (eigenvalues + penalty)[:, None]) + constant).argmax(axis=1)
        for penalty in penalties
    }


def chosen(
    answers: Mapping[float, np.ndarray], score: Callable[[np.ndarray], float]
) -> tuple[float, np.ndarray]:
    """Return the setting with the best score, the first of equals, and its answers."""
    best = max(answers, key=lambda setting: score(answers[setting]))
    return best, answers[best]
