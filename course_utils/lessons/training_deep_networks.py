"""Many deep networks trained side by side: one for each pair of a learning rate and a start.

All weights of a layer are one array, of shape (starts, rates, n_out, n_in), and as on the slides,
examples are columns. On two cores a hundred networks take far less time than one after another.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from numbers import Integral
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter
from numpy.typing import ArrayLike
from tqdm.auto import tqdm

from course_utils.training import _BAR, _ran_away

_EPSILON, _MOMENTUM = 1e-3, 0.9  # of batch normalisation
_ACTIVATIONS = {"relu": (tf.nn.relu, 2), "sigmoid": (tf.sigmoid, 1), "tanh": (tf.tanh, 1)}
_AXES = {"batch": -1, "layer": -2}  # examples, units

_Layer = dict[str, tf.Variable]  # W, beta, gamma, and the moving mean and variance

# Alternative texts of figures that answer a prediction.
TEXTS = {
    "signal": "Size of the signal by layer: scattered at √(2/n), dying at √(1/n), extreme for 0.01 "
    "and 1. A histogram over networks after 50 layers, most of it left of what went in.",
    "ways": "Gradients by layer. With sigmoids both fall by thirty powers of ten on the way back. "
    "With tanh and gain 1 they hardly fall, with gain 2 they grow. With ReLU and gain 1 the one by "
    "activations falls, the one by weights is level.",
    "equal": "Training loss by step. At the rate 0.032 batch normalisation is above plain all the "
    "way, at 0.1 below it.",
    "rates": "Training loss against the learning rate after 120, 360 and 720 steps. Batch "
    "normalisation is above plain at small rates, below it at large ones, and goes on where plain "
    "has ended. Its lowest point is far below that of plain after 120 steps, and as low after 720. "
    "One hidden layer is lowest.",
    "starts": "Loss against the factor on the first weights. Plain and clipped networks learn near "
    "the factor 1 only, normalised ones everywhere, best at or below 1, one layer nearly "
    "everywhere.",
    "steps": "How far the gradient has changed after a step, against the rate of the step. At "
    "the same rate batch normalisation is above plain for short steps and far below for long ones; "
    "at its own rate it is below everywhere.",
}


class Run(NamedTuple):
    """What `train` returns, for R rates and S starts.

    ``history`` (steps, R, S): cross-entropy of each batch before its step, in nats. ``loss`` and
    ``right`` (looks, R, S): cross-entropy of the held-out examples, where more than log(C), or no
    number, counts as log(C), no better than guessing; and the share named rightly.
    """

    history: np.ndarray
    loss: np.ndarray
    right: np.ndarray


def first_weights(
    sizes: Sequence[int], factors: Sequence[float], seed: int, gain: float = 2
) -> list[np.ndarray]:
    """Draw normal first weights for several networks.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of inputs, of the units in each layer, and of classes.
    factors : sequence of float, length S
        Of each network, on all its weights.
    seed : int
    gain : float
        Mean square of ``sqrt(n_in) * W`` in all layers but the last, where it is 1. He et al.
        (2015) take 2 for ReLUs.

    Returns
    -------
    list of arrays, shape (S, n_out, n_in)
    """
    rng, factor = np.random.default_rng(seed), np.reshape(factors, (-1, 1, 1))
    shapes = [(len(factor), n_out, n_in) for n_in, n_out in pairwise(sizes)]
    gains = [gain] * (len(shapes) - 1) + [1]
    return [
        factor * np.sqrt(its / shape[2]) * rng.normal(size=shape)
        for its, shape in zip(gains, shapes, strict=True)
    ]


def begin(starts: int, seed: int) -> list[list[tf.Tensor]]:
    """Return W, gamma and beta of each layer as `train` starts: ten hidden layers of 50 ReLUs."""
    return [
        [tf.constant(part, tf.float32) for part in (W, 0 * W[..., :1] + 1, 0 * W[..., :1])]
        for W in first_weights([196, *[50] * 10, 10], [1.0] * starts, seed)
    ]


def split(n: int, starts: int, steps: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Hold out a fifth of n examples for each start, and draw mini-batches of 64 of the others.

    Returns
    -------
    batches : array, shape (steps, starts, 64)
        A pass visits every example at most once.
    held_out : array, shape (starts, n // 5)
    """
    batches, held_out = [], []
    for _ in range(starts):
        own, others = np.split(rng.permutation(n), [n // 5])
        full = len(others) // 64 * 64  # of a pass
        passes = [rng.permutation(others)[:full] for _ in range(steps * 64 // full + 1)]
        batches.append(np.concatenate(passes).reshape(-1, 64)[:steps])
        held_out.append(own)
    return np.stack(batches, axis=1), np.stack(held_out)


def train(
    x: ArrayLike,
    y: ArrayLike,
    batches: ArrayLike,
    held_out: ArrayLike,
    *,
    rates: Sequence[float],
    factors: Sequence[float] | None = None,
    depth: int = 10,
    units: int = 50,
    normalise: str | None = None,
    clip: float | None = None,
    activation: str = "relu",
    first: tuple[np.ndarray, np.ndarray] | None = None,
    looks: Sequence[int] = (),
    seed: int = 0,
) -> Run:
    """Train fully connected classifiers from every start with every rate.

    Each start has first weights, batches and held-out examples of its own. The first weights are
    those of `first_weights`, biases start at 0. Every step is one of plain gradient descent on the
    mean cross-entropy of a batch, in float32. Whatever else is asked for, the same seed gives the
    same starts.

    Parameters
    ----------
    x : array, shape (N, features)
        One example in each row.
    y : array, shape (N,)
        Labels: whole numbers from 0 to C - 1. The largest one tells the number C of classes.
    batches : array of int, shape (steps, S, batch size)
        Rows of x that each step of each start learns from.
    held_out : array of int, shape (S, M)
        Rows of x on which each start is judged.
    rates : sequence of float, length R
        Learning rates.
    factors : sequence of float, length S
        Of each start, on all its first weights. By default 1.
    depth, units : int
        Number of hidden layers, which may be 0, and of units in each.
    normalise : "batch", "layer" or None
        Normalisation before each hidden activation, with learned gamma and beta: over the examples
        of a batch, and at a look by moving averages (momentum 0.9); or over the units of a layer.
        Epsilon is 1e-3.
    clip : float, optional
        The length to which the gradient of a network is shortened where it is longer.
    activation : str
        Of the hidden layers: relu, sigmoid or tanh.
    first : W (units, features) and b (units, 1), optional
        Weights and biases with which the first layer begins in place of random ones.
    looks : sequence of int
        Steps after which the held-out examples are scored; without any, after the last one.
    seed : int
        Of the random starts.

    Returns
    -------
    Run

    Raises
    ------
    ValueError
        If shapes do not fit, a row, look or label does not exist, a number is not finite, rates,
        factors, clip or sizes are not positive, or a name is unknown; if at some step, which is
        named, no network has a finite loss any more.
    """
    x, y, classes = _checked_data(x, y)
    batches = _checked_rows(batches, "batches", ("steps", "S", "batch size"), len(x))
    held_out = _checked_rows(held_out, "held_out", ("S", "M"), len(x))
    starts, looks = batches.shape[1], [*looks] or [len(batches)]
    rates = _checked_positive(rates, "rates")
    factors = _checked_positive(np.ones(starts) if factors is None else factors, "factors")
    _checked_positive([clip or 1], "clip")
    _check_sizes(depth=(depth, 0), units=(units, 1))
    _check_starts(starts, held_out, factors, looks, len(batches))
    g, gain = _chosen(activation, _ACTIVATIONS, "activation")
    axis = None if normalise is None else _chosen(normalise, _AXES, "normalisation")
    W = first_weights([x.shape[1], *[units] * depth, classes], factors, seed, gain)
    net = _network(W, len(rates), first)
    x, y = tf.constant(x, tf.float32), tf.constant(y, tf.int32)

    def scores(rows, training):
        return _scores(net, tf.gather(x, rows), g, axis, training), tf.gather(y, rows)

    trained = [layer[key] for layer in net for key in ("W", "beta")]
    trained += [layer["gamma"] for layer in net[:-1]] if normalise else []
    rate = tf.constant(rates[:, None, None], tf.float32)
    step = _step(scores, trained, rate, clip, batches[0])
    look = tf.function(lambda rows: _judged(*scores(rows, training=False)))
    look = look.get_concrete_function(tf.constant(held_out))
    history, seen = _walk(step, look, batches, tf.constant(held_out), looks)
    loss, right = (np.array(part).swapaxes(1, 2) for part in zip(*seen, strict=True))
    # fmin takes the number where the other one is NaN.
    return Run(np.swapaxes(history, 1, 2), np.fmin(loss, np.log(classes)), right)


def _walk(step: Callable, look: Callable, batches: np.ndarray, held_out, looks: Sequence[int]):
    """Take all steps; return the losses of the batches, and what was seen at the looks."""
    history, seen = [], []
    with tqdm(batches, desc="training", **_BAR) as bar:
        for number, rows in enumerate(bar, start=1):
            history.append(step(tf.constant(rows)).numpy())
            if not np.isfinite(history[-1]).any():  # one that learns can be compared with the rest
                raise _ran_away("training", number, len(batches), " of every network")
            if number in looks:
                seen.append([part.numpy() for part in look(held_out)])
    return history, seen


def _network(
    W: list[np.ndarray], rates: int, first: tuple[np.ndarray, np.ndarray] | None
) -> list[_Layer]:
    """Give every rate a copy of each start's weights, (S, R, n_out, n_in)."""
    net = []
    for w in W:
        zeros = np.zeros((len(w), rates, w.shape[1], 1))
        values = {"W": np.repeat(w[:, None], rates, axis=1), "beta": zeros, "gamma": zeros + 1}
        if first and not net:
            values["W"] = np.broadcast_to(first[0], values["W"].shape)
            values["beta"] = np.broadcast_to(first[1], zeros.shape)
        values |= {"mean": zeros, "var": zeros + 1}
        net.append({key: tf.Variable(value, dtype=tf.float32) for key, value in values.items()})
    return net


def _step(scores: Callable, trained: list[tf.Variable], rate: tf.Tensor, clip, rows: np.ndarray):
    """Trace a step of gradient descent, which takes the rows of a batch and returns its losses."""

    def step(rows):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(trained)
            each, _ = _judged(*scores(rows, training=True))
            total = tf.reduce_sum(each)  # no network sees another
        slopes = tape.gradient(total, trained)
        if clip:
            squares = [tf.reduce_sum(slope**2, axis=(-2, -1), keepdims=True) for slope in slopes]
            shorter = tf.minimum(1.0, clip / tf.sqrt(tf.add_n(squares)))
            slopes = [shorter * slope for slope in slopes]
        for variable, slope in zip(trained, slopes, strict=True):
            variable.assign_sub(rate * slope)
        return each

    # Concrete, so that TensorFlow does not warn about the traces of other calls.
    return tf.function(step, jit_compile=True).get_concrete_function(tf.constant(rows))


def _normalised(layer: _Layer, Z: tf.Tensor, axis: int, training: bool) -> tf.Tensor:
    mean, var = layer["mean"], layer["var"]
    if training or axis != _AXES["batch"]:
        mean = tf.reduce_mean(Z, axis, keepdims=True)
        var = tf.reduce_mean((Z - mean) ** 2, axis, keepdims=True)
    if training and axis == _AXES["batch"]:
        for moving, now in ((layer["mean"], mean), (layer["var"], var)):
            moving.assign(_MOMENTUM * moving + (1 - _MOMENTUM) * now)
    return (Z - mean) * (layer["gamma"] / tf.sqrt(var + _EPSILON))  # small arrays first


def _scores(net: list[_Layer], x, g: Callable, axis: int | None, training: bool) -> tf.Tensor:
    """Scores (S, R, examples, classes) of each network for its examples x (S, examples, n)."""
    A = tf.transpose(x, (0, 2, 1))[:, None]
    for layer in net[:-1]:
        Z = layer["W"] @ A
        A = g((Z if axis is None else _normalised(layer, Z, axis, training)) + layer["beta"])
    return tf.transpose(net[-1]["W"] @ A + net[-1]["beta"], (0, 1, 3, 2))


def _judged(scores: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean cross-entropy and share of right answers of each network, (S, R)."""
    y = tf.broadcast_to(y[:, None], tf.shape(scores)[:3])
    right = tf.argmax(scores, axis=-1, output_type=tf.int32) == y
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(y, scores)
    return tf.reduce_mean(loss, axis=-1), tf.reduce_mean(tf.cast(right, tf.float32), axis=-1)


def _chosen(name: str, among: dict, what: str):
    if name not in list(among):
        raise ValueError(f"There is no {what} {name!r} here: choose {', '.join(among)}.")
    return among[name]


def _check_sizes(**sizes: tuple[int, int]) -> None:
    for name, (size, least) in sizes.items():
        if not isinstance(size, Integral) or size < least:
            raise ValueError(f"{name}={size} must be a whole number, at least {least}.")


def _check_starts(starts: int, held_out, factors, looks: Sequence[int], steps: int) -> None:
    if len(held_out) != starts or len(factors) != starts:
        raise ValueError(
            f"batches are for {starts} starts, held_out for {len(held_out)}, factors for "
            f"{len(factors)}: all three need the same number."
        )
    if not all(isinstance(look, Integral) and 1 <= look <= steps for look in looks):
        raise ValueError(f"looks={[*looks]} must be numbers of steps from 1 to {steps}.")


def _checked_data(x: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray, int]:
    x, y = np.asarray(x, float), np.asarray(y)
    if x.ndim != 2 or not x.size:
        raise ValueError(
            f"x has shape {x.shape}, but (N, features) is expected, one example in each row: "
            "flatten pictures first, x.reshape(len(x), -1)."
        )
    if not np.isfinite(x).all():
        row, column = np.argwhere(~np.isfinite(x))[0]
        raise ValueError(
            f"x[{row}, {column}] is {x[row, column]}: only finite numbers can be learned from."
        )
    if y.shape != x.shape[:1]:
        raise ValueError(
            f"y has shape {y.shape}, but ({len(x)},) is expected, one label for each row of x."
        )
    if y.dtype.kind not in "iuf":
        raise ValueError(f"y holds {y.dtype}, but labels are whole numbers from 0.")
    wrong = ~((y >= 0) & (y < np.inf) & (y == np.floor(y)))
    if wrong.any():
        first = int(wrong.argmax())
        raise ValueError(f"y[{first}] is {y[first]}, but labels are whole numbers from 0.")
    classes = int(y.max()) + 1
    if classes < 2:
        raise ValueError("All labels are 0, but there must be at least two classes.")
    return x, y.astype("int32"), classes


def _checked_rows(rows: ArrayLike, name: str, axes: tuple[str, ...], n: int) -> np.ndarray:
    rows = np.asarray(rows)
    if rows.ndim != len(axes) or not rows.size:
        expected = str(axes).replace("'", "")
        raise ValueError(f"{name} has shape {rows.shape}, but {expected} is expected, none empty.")
    if rows.dtype.kind not in "iu":
        raise ValueError(
            f"{name} holds {rows.dtype}, but row numbers are expected: of a mask, take "
            "np.flatnonzero(mask)."
        )
    wrong = (rows < 0) | (rows >= n)
    if wrong.any():
        raise ValueError(f"{name} holds row {rows[wrong][0]}, but x has rows 0 to {n - 1}.")
    return rows.astype("int32")


def _checked_positive(values: Sequence[float], name: str) -> np.ndarray:
    values = np.asarray(values, float)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"{name} must be a list of numbers, also if there is one: {name}=[0.1].")
    wrong = ~((values > 0) & (values < np.inf))
    if wrong.any():
        raise ValueError(f"{name} holds {values[wrong][0]}, but each must be finite and above 0.")
    return values


# Figures

_COLORS = {"plain": "C0", "batch norm": "C1", "clipped": "C2", "one layer": "C3"}
_GUESS = np.log(10)


def draw_equal(axes: Sequence[Axes], rates: Sequence[float], runs: dict[str, Run]) -> None:
    """Draw the mean training loss by step, smoothed over 20, a panel for each rate."""
    for r, (ax, rate) in enumerate(zip(axes, rates, strict=True)):
        for name, run in runs.items():
            mean = np.fmin(run.history[:, r], _GUESS).mean(axis=1)
            smooth = np.convolve(mean, np.ones(20) / 20, "valid")
            steps = 20 + np.arange(len(smooth))
            ax.plot(steps, smooth, color=_COLORS[name], label=name)
        ax.set(title=f"α = {rate:g}", xlabel="step", ylim=(0, 2.45))
    axes[0].set_ylabel("training loss (nats)")
    axes[0].legend()


def draw_rates(axes: Sequence[Axes], rates: np.ndarray, losses: dict[int, dict]) -> None:
    """Draw the mean loss by rate, a panel for each budget; a line ends where nothing is learned.

    Parameters
    ----------
    axes : sequence of matplotlib.axes.Axes
        One for each budget.
    rates : array, shape (R,)
    losses : dict of dict of array, shape (R, S)
        By number of steps, then by name.
    """
    for ax, (steps, by_name) in zip(axes, losses.items(), strict=True):
        for name, loss in by_name.items():
            mean = loss.mean(axis=1)
            shown = np.where(mean < 0.97 * _GUESS, mean, np.nan)
            style = "--" if name == "one layer" else "-"
            ax.loglog(rates, shown, style, marker="o", color=_COLORS[name], label=name)
        ax.axhline(_GUESS, color="0.6", lw=1)
        ax.set(title=f"{steps} steps", xlabel=r"learning rate $\alpha$")
        ax.set_xlim(rates[0] / 1.4, rates[-1] * 1.4)
    axes[0].set_ylabel("training loss (nats)")
    axes[0].text(rates[0], 1.05 * _GUESS, "guessing", fontsize=12)
    axes[0].legend(fontsize=13, loc="lower left")


def draw_starts(ax: Axes, factors: np.ndarray, losses: dict[str, np.ndarray]) -> None:
    """Draw the loss at the best rate (S,) of each start by the factor on its first weights."""
    # One mark can stand in another.
    looks = (("o", 15, "none"), ("s", 7, "full"), ("X", 9, "full"), ("^", 9, "full"))
    for (name, loss), (marker, ms, fill) in zip(losses.items(), looks, strict=False):
        style = {"ms": ms, "fillstyle": fill, "mew": 2, "color": _COLORS[name]}
        ax.semilogx(factors, loss, marker, label=name, **style)
    ax.axhline(_GUESS, color="0.6", lw=1)
    ax.set(xlabel="factor on the first weights", ylabel="loss at the best rate", ylim=(0, 2.45))
    ax.set_xticks([0.1, 0.2, 0.5, 1, 2, 5, 10], ["0.1", "0.2", "0.5", "1", "2", "5", "10"])
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.legend(fontsize=13)


def draw_ways(axes: Sequence[Axes], ways: dict[tuple[str, float], np.ndarray]) -> None:
    """Draw the sizes of both gradients (networks, 2, layers), by activation and gain."""
    for ax, name in zip(axes, dict.fromkeys(name for name, _ in ways), strict=True):
        for (_, gain), sizes in ((key, value) for key, value in ways.items() if key[0] == name):
            for k, gradient in enumerate(("dA", "dW")):
                line = np.median(sizes[:, k], axis=0)
                label = f"size of {gradient}, gain {gain:g}"
                style = "-" if gain == 1 else "--"
                ax.semilogy(1 + np.arange(len(line)), line, style, color=f"C{k}", label=label)
        ax.set(title=name, xlabel="layer")
        ax.legend(fontsize=12)


def draw_cover(axes: Sequence[Axes], picture: np.ndarray) -> None:
    """Draw a picture (196,), fifty layers, and the question what arrives."""
    axes[0].imshow(picture.reshape(14, 14), cmap="gray_r")
    axes[1].vlines(range(50), 0, 1, color="C0", lw=5)
    axes[1].text(55, 0.5, "?", fontsize=60, color="C3", ha="center", va="center")
    axes[1].set(xlim=(-2, 59), ylim=(-0.05, 1.05))
    for ax in axes:
        ax.set_axis_off()


def draw_signal(axes: Sequence[Axes], q: dict[str, np.ndarray]) -> None:
    """Draw the size of the signal by layer, in two panels of two starts, and at the first's end."""
    names = [*q]
    for ax, shown in zip(axes, (names[:2], names[2:]), strict=False):
        for i, name in enumerate(shown):
            layers = 1 + np.arange(len(q[name]))
            ax.semilogy(layers, np.sqrt(q[name][:, :15]), color=f"C{i}", lw=0.7)
            ax.semilogy([], [], color=f"C{i}", label=f"$\\sigma$ = {name}")
        ax.set(xlabel="layer", ylabel=r"size of the signal $\sqrt{q}$")
        ax.legend()
    axes[2].hist(np.log10(q[names[0]][-1]) / 2, bins=20, color="C0")
    axes[2].axvline(0, color="black", ls="--", label="kept")
    axes[2].set(xlabel=r"$\log_{10}\sqrt{q}$ at the end", ylabel="networks")
    axes[2].set_title(f"σ = {names[0]}")
    axes[2].legend()


def draw_changes(ax: Axes, etas: np.ndarray, changes: dict[str, np.ndarray]) -> None:
    """Draw how far gradients change (steps, S), each start and their median."""
    looks = (("C0", "o-"), ("C1", "s--"), ("C1", "o-"))
    for (name, values), (color, style) in zip(changes.items(), looks, strict=True):
        ax.loglog(etas, values, style[1:], color=color, lw=0.7, alpha=0.6)
        ax.loglog(etas, np.median(values, axis=1), style, color=color, label=name)
    ax.set(xlabel=r"rate of the step $\eta$", ylabel="change of the gradient")
    ax.legend(fontsize=13)
