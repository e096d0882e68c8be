"""Layers, rivals and figures of the lesson `convolutions`."""

from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import pandas as pd
from keras import ops
from matplotlib.axes import Axes
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.ensemble import ExtraTreesClassifier

# Alternative texts of figures that answer a prediction.
TEXTS = {
    "edges": "A written digit, and what three kernels make of it. One answers at left and right "
    "edges of strokes, with opposite signs, the second at upper and lower edges, the third blurs.",
    "shuffled": "Shares named rightly. The windows are far ahead in order and far lower once the "
    "pixels are shuffled; the dense network is level.",
    "amounts": "Shares named rightly as bars, for 250 and for 4,000 training signals. "
    "At 250 random windows are first, at 4,000 trained windows that are told are level with them.",
    "filters": "The sixteen windows of the first layer, before training in grey and after it in "
    "blue, and beside them a template of a shape.",
}


class RandomShift(keras.layers.Layer):
    """Moves each signal around by a random number of places in training, and in use not at all."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.random = keras.random.SeedGenerator(seed)

    def call(self, x, training=False):
        """Return x (N, L, C), moved if this is training."""
        if not training:
            return x
        length = x.shape[1]
        start = keras.random.randint((ops.shape(x)[0], 1), 0, length, seed=self.random)
        return ops.take_along_axis(x, ((ops.arange(length) + start) % length)[..., None], axis=1)


class OwnWindows(keras.layers.Layer):
    """As ``Conv1D(filters, width, stride, "same")``, but with weights of its own at each place.

    Its kernel has the shape (places, width * channels, filters), its bias (places, filters).
    """

    def __init__(self, filters: int, width: int, stride: int = 1, activation: str = "relu") -> None:
        super().__init__()
        self.filters, self.width, self.stride = filters, width, stride
        self.activation = keras.activations.get(activation)

    def build(self, shape) -> None:
        """Make the weights for signals of this shape (N, L, C)."""
        _, length, channels = shape
        self.places = -(-length // self.stride)
        self.reach = (self.places - 1) * self.stride + 1
        self.zeros = max(self.reach - 1 + self.width - length, 0)
        fan = self.width * channels, self.width * self.filters
        first = keras.initializers.RandomUniform(-((6 / sum(fan)) ** 0.5), (6 / sum(fan)) ** 0.5)
        self.kernel = self.add_weight((self.places, fan[0], self.filters), first)
        self.bias = self.add_weight((self.places, self.filters), "zeros")

    def call(self, x):
        """Return what the windows answer to x (N, L, C): (N, places, filters)."""
        x = ops.transpose(x, (1, 0, 2))  # places first: a product of matrices for each
        before = self.zeros // 2
        x = ops.pad(x, ((before, self.zeros - before), (0, 0), (0, 0)))
        seen = [x[i : i + self.reach : self.stride] for i in range(self.width)]
        z = ops.matmul(ops.concatenate(seen, axis=-1), self.kernel) + self.bias[:, None]
        return self.activation(ops.transpose(z, (1, 0, 2)))


def best_inside(score: Callable[[float], float], ladder: Sequence[float], start: float) -> float:
    """Return the best setting that was tried, once its neighbours on the ladder are worse or equal.

    Parameters
    ----------
    score : callable
        Says how good a setting is. It is called once for each that is tried.
    ladder : sequence of float
        Settings, in order.
    start : float
        The first to be tried with its neighbours: one of the ladder.

    Returns
    -------
    float
        An end of the ladder only if that is the best of all that were tried.
    """
    tried: dict[int, float] = {}
    best, steps = ladder.index(start), range(len(ladder))
    while new := [k for k in (best - 1, best, best + 1) if k in steps and k not in tried]:
        tried |= {k: score(ladder[k]) for k in new}
        best = max(tried, key=tried.get)
    return ladder[best]


def moved_copies(
    x: np.ndarray, y: np.ndarray, copies: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return signals (copies * N, L), each moved around by a random number of places, and labels.

    Parameters
    ----------
    x : array, shape (N, L)
    y : array, shape (N,)
    copies : int
        How often each signal comes.
    rng : np.random.Generator
    """
    rows = np.tile(np.arange(len(x)), copies)
    places = np.arange(x.shape[1]) + rng.integers(x.shape[1], size=(len(rows), 1))
    return x[rows[:, None], places % x.shape[1]], y[rows]


def moved_pictures(
    x: np.ndarray, y: np.ndarray, most: int, copies: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures (copies * N, H, W), each moved by up to `most` pixels each way, and labels.

    Zeros come in at the border.

    Parameters
    ----------
    x : array, shape (N, H, W)
    y : array, shape (N,)
    most : int
        The largest move, up, down, left and right.
    copies : int
        How often each picture comes.
    rng : np.random.Generator
    """
    _, height, width = x.shape
    wide = np.pad(x, ((0, 0), (most, most), (most, most)))
    rows = np.tile(np.arange(len(x)), copies)
    up, left = rng.integers(2 * most + 1, size=(2, len(rows), 1))
    i, j = up + np.arange(height), left + np.arange(width)
    return wide[rows[:, None, None], i[:, :, None], j[:, None]], y[rows]


def nearest_over_moves(
    x: np.ndarray, y: np.ndarray, asked: np.ndarray, ks: Sequence[int]
) -> dict[int, np.ndarray]:
    """Name signals after the k nearest, in the smallest distance over all moves around.

    Parameters
    ----------
    x : array, shape (N, L)
        Signals to learn from.
    y : array of int, shape (N,)
        Their labels.
    asked : array, shape (M, L)
        Signals to be named.
    ks : sequence of int
        Numbers of neighbours to try.

    Returns
    -------
    dict of array, shape (M,)
        For each k the label that most of the neighbours have; of several the smallest.
    """
    alike = np.full((len(asked), len(x)), -np.inf, dtype="float32")
    for move in range(x.shape[1]):
        np.maximum(alike, asked @ np.roll(x, move, axis=1).T, out=alike)
    nearest = y[np.argsort((x**2).sum(axis=1) - 2 * alike, axis=1, kind="stable")[:, : max(ks)]]
    votes = np.eye(y.max() + 1)[nearest]
    return {k: votes[:, :k].sum(axis=1).argmax(axis=1) for k in ks}


def forest_over_moves(
    x: np.ndarray,
    y: np.ndarray,
    asked: np.ndarray,
    features: Sequence[int],
    copies: int,
    rng: np.random.Generator,
) -> dict[int, np.ndarray]:
    """Name signals by trees that learned from moved copies and vote on ten moves of each signal.

    Parameters
    ----------
    x : array, shape (N, L)
        Signals to learn from.
    y : array of int, shape (N,)
        Their labels.
    asked : array, shape (M, L)
        Signals to be named.
    features : sequence of int
        Numbers of places that a tree may ask at each fork, to try.
    copies : int
        How many moved copies of each signal the trees learn from.
    rng : np.random.Generator

    Returns
    -------
    dict of array, shape (M,)
        For each number of places the label with most votes.
    """
    moved = moved_copies(x, y, copies, rng)
    moves = np.linspace(0, x.shape[1], 10, endpoint=False).astype(int)
    found = {}
    for tried in features:
        seed = int(rng.integers(2**31))
        forest = ExtraTreesClassifier(60, max_features=tried, random_state=seed).fit(*moved)
        votes = sum(forest.predict_proba(np.roll(asked, move, axis=1)) for move in moves)
        found[tried] = forest.classes_[votes.argmax(axis=1)]
    return found


# Figures


def draw_edges(axes: Sequence[Axes], digit: np.ndarray, answers: Mapping[str, np.ndarray]) -> None:
    """Draw a digit, dark on white, and what kernels answer, blue below zero and red above."""
    axes[0].imshow(digit, cmap="gray_r")
    axes[0].set_title("the picture")
    for ax, (name, answer) in zip(axes[1:], answers.items(), strict=True):
        most = np.abs(answer).max()
        ax.imshow(answer, cmap="RdBu_r", vmin=-most, vmax=most)
        ax.set_title(name)
    for ax in axes:
        ax.set(xticks=[], yticks=[])


def draw_signals(axes: Sequence[Axes], x: np.ndarray, order: np.ndarray) -> None:
    """Draw three signals (3, 40), and the same with their pixels in another order."""
    for ax, places, name in ((axes[0], slice(None), "in order"), (axes[1], order, "shuffled")):
        for k, signal in enumerate(x):
            ax.plot(signal[places] - 4 * k, color=f"C{k}", marker="o", ms=3, lw=1.5)
        ax.set(title=name, xlabel="pixel", yticks=[])


def draw_shuffled(ax: Axes, shares: Mapping[tuple[str, str], float]) -> None:
    """Draw the share of signals named rightly for (network, order of the pixels)."""
    table = pd.Series(shares).unstack(sort=False)
    for k, order in enumerate(table.columns):
        places = np.arange(len(table)) + 0.38 * (k - 0.5)
        bars = ax.bar(places, table[order], 0.36, color=f"C{k}", label=order)
        ax.bar_label(bars, fmt="{:.2f}")
    ax.set_xticks(np.arange(len(table)), table.index)
    ax.set(ylabel="share named rightly", ylim=(0, 1.25))
    ax.legend(ncols=2, loc="upper right")


def draw_amounts(axes: Sequence[Axes], table: pd.DataFrame) -> None:
    """Draw the mean share named rightly of the methods, one panel for 250 signals, one for 4,000.

    A column is a method and its number of signals, such as ``"windows 250"``, and a row a data set.
    Random windows are orange, trained networks blue, the other rivals grey.
    """
    for ax, n in zip(axes, (250, 4_000), strict=True):
        seen = table.filter(regex=rf" {n}$")
        seen = seen[seen.mean().sort_values().index]
        names = seen.columns.str.removesuffix(f" {n}")
        kinds = {"random": "C1", "forest": "0.6", "nearest": "0.6"}
        colours = [next((c for k, c in kinds.items() if k in name), "C0") for name in names]
        bars = ax.barh(names, seen.mean(), xerr=seen.sem(), color=colours)
        ax.bar_label(bars, fmt="{:.2f}", padding=3)
        ax.set(title=f"{n:,} training signals", xlabel="share named rightly", xlim=(0, 1.12))


def draw_filters(
    axes: Sequence[Axes], start: np.ndarray, windows: np.ndarray, pattern: np.ndarray
) -> None:
    """Draw windows (width, filters) before and after training, sorted by slope, and a template."""
    order = np.argsort(np.arange(len(windows)) @ (windows - windows.mean(axis=0)))
    for place, k in enumerate(order):
        x = np.arange(len(windows)) + 6 * place
        axes[0].plot(x, windows[:, k], "o-", ms=3, color="C0")
        axes[0].plot(x, start[:, k], color="0.6")
    axes[0].axhline(0, color="0.7", lw=1)
    axes[0].set(
        title="windows of the first layer (grey: before training)", xticks=[], ylabel="weight"
    )
    axes[1].plot(pattern, "o-", color="C1")
    axes[1].set(title="a matched filter", xticks=[])


def windows_of(x: np.ndarray, width: int) -> np.ndarray:
    """Return all windows of signals (N, L), zeros beyond their ends: (N, L, width), copied."""
    padded = np.pad(x, ((0, 0), (width // 2, (width - 1) // 2)))
    return np.ascontiguousarray(sliding_window_view(padded, width, axis=1))
