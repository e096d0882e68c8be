"""What lesson `neural_networks` uses: what it writes by hand, with its input checked, and figures.

All follows the slides: examples are columns, ``Z = W A_prev + b``, ``A = g(Z)``. The lists ``W``,
``b`` and ``Z`` hold layers 1 to L, so ``W[0]`` is the slides' W^[1]. ``A`` holds one array more,
the input: ``A[0] = X``. Every function raises a ValueError that says what is wrong, and where.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise, product
from numbers import Integral
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

_COLUMN = 8  # circles one above the other, and columns, that can be read from afar


class Activation(NamedTuple):
    """An activation function ``g`` and its derivative ``slope``, both functions of z.

    They take arrays of any shape, keep float32 and float64, and do not overflow. At 0, where ReLU
    and leaky ReLU have a kink, the slope is that of the left side, as in TensorFlow.
    """

    g: Callable[[ArrayLike], np.ndarray]
    slope: Callable[[ArrayLike], np.ndarray]


class Gradients(NamedTuple):
    """What `backward` returns: one array a layer, the first layer first."""

    dW: list[np.ndarray]
    db: list[np.ndarray]
    dA: list[np.ndarray]


_ACTIVATIONS = {
    "identity": Activation(np.positive, np.ones_like),
    "sigmoid": Activation(
        lambda z: np.exp(np.minimum(z, 0)) / (1 + np.exp(-np.abs(z))),  # 1 / (1 + e^-z)
        lambda z: np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z))) ** 2,  # g (1 - g)
    ),
    "tanh": Activation(np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": Activation(lambda z: np.maximum(z, 0), lambda z: np.heaviside(z, 0)),
    "leaky_relu": Activation(
        lambda z: np.maximum(np.multiply(0.1, z), z),
        lambda z: np.maximum(0.1, np.heaviside(z, 0)),
    ),
}


def activation(name: str) -> Activation:
    """Return an activation function and its derivative.

    Parameters
    ----------
    name : str
        identity, sigmoid, tanh, relu or leaky_relu (slope 0.1 below 0, as on the slide).

    Raises
    ------
    ValueError
        If there is none of this name.
    """
    if name not in list(_ACTIVATIONS):
        raise ValueError(
            f"There is no activation {name!r}: choose {', '.join(_ACTIVATIONS)}, or softmax for "
            "the last layer of a network."
        )
    return _ACTIVATIONS[name]


def softmax(Z: ArrayLike) -> np.ndarray:
    """Return ``exp(z)`` over its sum in each column: probabilities, however large the scores.

    Parameters
    ----------
    Z : array, shape (C, m)
        Scores of C classes for each of m examples.

    Returns
    -------
    array, shape (C, m)
    """
    Z = _matrix(Z, "Z")
    powers = np.exp(Z - Z.max(axis=0))  # the shift cancels, and no power is above 1
    return powers / powers.sum(axis=0)


def one_hot(y: ArrayLike, classes: int) -> np.ndarray:
    """Return a column for each label, 1 in the row of its class and 0 elsewhere.

    Parameters
    ----------
    y : array, shape (m,)
        Whole numbers from 0 to classes - 1.
    classes : int
        Number C of classes.

    Returns
    -------
    array of float, shape (C, m)

    Raises
    ------
    ValueError
        If y has another shape, or a label is no such number; its place is named.
    """
    y = np.asarray(y)
    if y.ndim != 1:
        raise ValueError(
            f"y has shape {y.shape}, but (m,) is expected, one label for each example: flatten a "
            "single row or column, take argmax of labels that are one-hot already."
        )
    Y = np.array([y == c for c in range(classes)]).reshape(classes, len(y))
    wrong = ~Y.any(axis=0)
    if wrong.any():
        first = int(wrong.argmax())
        raise ValueError(
            f"y[{first}] is {y[first]}, but a label is a whole number from 0 to {classes - 1}, as "
            f"there are {classes} classes."
        )
    return Y.astype(float)


def start(
    sizes: Sequence[int], sd: Callable[[int, int], float], rng: np.random.Generator
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Draw the weights with which a training begins; the biases are zero.

    Parameters
    ----------
    sizes : sequence of int
        Number of inputs, then of the units in each layer: [3, 2, 1] is the slides' two-layer
        network.
    sd : callable
        ``sd(n_in, n_out)``, the standard deviation of the Gaussian weights of a layer with n_in
        inputs and n_out units, such as ``lambda n_in, n_out: np.sqrt(2 / n_in)``.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    W : list of arrays, shape (n_l, n_{l-1})
    b : list of arrays, shape (n_l, 1)

    Raises
    ------
    ValueError
        If the sizes are not at least two positive whole numbers, or sd is no function, or what it
        returns is no standard deviation.
    """
    if len(sizes) < 2 or not all(isinstance(n, Integral) and n > 0 for n in sizes):
        raise ValueError(
            f"sizes={sizes} must be two or more whole numbers above 0: of inputs, then of the "
            "units in each layer."
        )
    if not callable(sd):
        raise ValueError(f"sd={sd} must be a function: lambda n_in, n_out: np.sqrt(1 / n_in).")
    W, b = [], []
    for n_in, n_out in pairwise(sizes):
        deviation = sd(n_in, n_out)
        if not (np.isscalar(deviation) and 0 <= deviation < np.inf):
            raise ValueError(
                f"sd({n_in}, {n_out}) is {deviation}, but a standard deviation is a finite number "
                "and not negative."
            )
        W.append(rng.normal(0, deviation, size=(n_out, n_in)))
        b.append(np.zeros((n_out, 1)))
    return W, b


def forward(
    X: ArrayLike, W: Sequence[ArrayLike], b: Sequence[ArrayLike], activations: Sequence[str]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Carry examples through all layers: ``Z = W A_prev + b``, ``A = g(Z)``.

    Parameters
    ----------
    X : array, shape (n_0, m)
        One example in each column.
    W : list of L arrays, shape (n_l, n_{l-1})
    b : list of L arrays, shape (n_l, 1)
    activations : list of L str
        As for `activation`; the last one may be softmax.

    Returns
    -------
    Z : list of L arrays, shape (n_l, m)
    A : list of L + 1 arrays, shape (n_l, m)
        X first, the prediction last.

    Raises
    ------
    ValueError
        If lengths or shapes do not fit together, a name is unknown, or a number is not finite;
        the layer is named.
    """
    W = _checked_layers(W, activations)
    _same_length(b=b, W=W)
    Z, A = [], [_matrix(X, "X")]
    n_0 = W[0].shape[1]
    if len(A[0]) != n_0:
        raise ValueError(
            f"Layer 1 takes {n_0} inputs (W of shape {W[0].shape}), but X has shape {A[0].shape}: "
            f"({n_0}, m) is expected, as examples are columns. Transpose data that stands in rows."
        )
    for layer, (w, bias, name) in enumerate(zip(W, b, activations, strict=True), start=1):
        bias = _matrix(bias, f"b of layer {layer}")
        if bias.shape != (len(w), 1):
            raise ValueError(
                f"b of layer {layer} has shape {bias.shape}, but ({len(w)}, 1) is expected, as W "
                f"has shape {w.shape}: one bias for each unit."
            )
        Z.append(w @ A[-1] + bias)
        A.append(softmax(Z[-1]) if name == "softmax" else activation(name).g(Z[-1]))
    return Z, A


def backward(
    dZ: ArrayLike,
    Z: Sequence[np.ndarray],
    A: Sequence[np.ndarray],
    W: Sequence[ArrayLike],
    activations: Sequence[str],
) -> Gradients:
    """Carry the gradient of a cost J back through all layers, by the chain rule.

    From the dZ of a layer follow ``dW = dZ A_prev^T``, db = the sum of dZ over the examples,
    ``dA_prev = W^T dZ`` and, one layer further back, ``dZ_prev = dA_prev * g'(Z_prev)``.

    Parameters
    ----------
    dZ : array, shape (n_L, m)
        dJ/dZ of the last layer, in which the slope of its activation is contained: (A - Y) / m
        for the mean cross-entropy behind a softmax, and behind a sigmoid as well.
    Z, A : lists of arrays
        As `forward` returns them.
    W, activations
        As `forward` took them. The name of the last activation is not used.

    Returns
    -------
    Gradients
        ``dW`` and ``db``: lists of L arrays, of the shapes of W and b. ``dA``: list of L arrays;
        ``dA[l]`` is dJ/dA[l], so ``dA[0]`` belongs to the input X.

    Raises
    ------
    ValueError
        If lengths or shapes do not fit together, a name is unknown, or dZ or W is not finite;
        the layer is named.
    """
    W, dZ = _checked_layers(W, activations), _matrix(dZ, "dZ")
    _same_length(Z=Z, W=W)
    if len(A) != len(W) + 1:
        raise ValueError(
            f"A holds {len(A)} arrays, but {len(W) + 1} are expected for {len(W)} layers: the "
            "input X comes first."
        )
    sizes, m = [W[0].shape[1], *map(len, W)], dZ.shape[1]
    for name, values, n in [
        ("dZ", dZ, sizes[-1]),
        *((f"Z of layer {i}", z, n) for i, (z, n) in enumerate(zip(Z, sizes[1:], strict=True), 1)),
        *((f"A[{i}]", a, n) for i, (a, n) in enumerate(zip(A, sizes, strict=True))),
    ]:
        if np.shape(values) != (n, m):
            raise ValueError(
                f"{name} has shape {np.shape(values)}, but ({n}, {m}) is expected: {n} units by "
                f"the shapes of W, and {m} examples by the shape of dZ."
            )
    dW, db, dA = [], [], []
    for i in reversed(range(len(W))):
        dW.insert(0, dZ @ A[i].T)
        db.insert(0, dZ.sum(axis=1, keepdims=True))
        dA.insert(0, W[i].T @ dZ)
        if i:
            dZ = dA[0] * activation(activations[i - 1]).slope(Z[i - 1])
    return Gradients(dW, db, dA)


def _checked_layers(W: Sequence[ArrayLike], activations: Sequence[str]) -> list[np.ndarray]:
    """Return the weights as arrays, or say where they do not fit to each other or to the names."""
    if isinstance(activations, str):  # or it would be read letter by letter
        raise ValueError(f"activations={activations!r} must be a list, one name for each layer.")
    _same_length(activations=activations, W=W)
    W = [_matrix(w, f"W of layer {layer}") for layer, w in enumerate(W, start=1)]
    for layer, name in enumerate(activations, start=1):
        if name != "softmax":
            activation(name)
        elif layer < len(W):
            raise ValueError(f"softmax in layer {layer} of {len(W)}: only the last may have it.")
    for layer, (before, w) in enumerate(pairwise(W), start=2):
        if w.shape[1] != len(before):
            raise ValueError(
                f"Layer {layer} takes {w.shape[1]} inputs (W of shape {w.shape}), but layer "
                f"{layer - 1} gives {len(before)} (W of shape {before.shape})."
            )
    return W


def _same_length(**lists: Sequence) -> None:
    (name, values), (_, W) = lists.items()
    if not len(values) == len(W) > 0:
        raise ValueError(
            f"{name} has {len(values)} and W has {len(W)} entries, but both need one for each "
            "layer, and at least one layer."
        )


def _matrix(values: ArrayLike, name: str) -> np.ndarray:
    """Return a matrix of finite numbers, in float32 if it is so already, or say what it is not."""
    values = np.asarray(values)
    if values.dtype != np.float32:
        values = values.astype(float)
    if values.ndim != 2 or not values.size:
        raise ValueError(f"{name} has shape {values.shape}, but a matrix is expected: use reshape.")
    wrong = ~np.isfinite(values)
    if wrong.any():
        row, column = np.argwhere(wrong)[0].tolist()
        raise ValueError(
            f"{name} holds {values[row, column]} at [{row}, {column}]: the data may have a gap, or "
            "a training may have run away (try a smaller learning rate)."
        )
    return values


def draw_network(ax: Axes, sizes: Sequence[int], names: Sequence[str] | None = None) -> None:
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
    _check_sizes(sizes, names)
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
        for start, end in product(before, units):
            ax.annotate("", end, start, arrowprops=line, zorder=1)
        if k:
            edge, fill = ("C1", "#fbe6c6") if k == last else ("C0", "#d5e8f5")
            ax.plot(*zip(*units, strict=True), "o", ms=unit, mfc=fill, mec=edge, mew=0.045 * unit)
        if k or names is None:
            for place, i in zip(units, index, strict=True):
                ax.text(*place, f"$a^{{[{k}]}}{i}$" if k else f"$x{i}$", **letters)
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


def _check_sizes(sizes: Sequence[int], names: Sequence[str] | None) -> None:
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
