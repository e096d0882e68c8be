"""Many deep networks trained side by side: one for each pair of a start and a learning rate.

All weights of a layer are one array, of shape (networks, n_out, n_in), and as on the slides,
examples are columns. On two cores a hundred networks take far less time than one after another.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from numbers import Integral

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike
from tqdm.auto import tqdm

from course_utils.training import _BAR, _ran_away

_EPSILON, _MOMENTUM = 1e-3, 0.9  # of batch normalisation
_ACTIVATIONS = {"relu": (tf.nn.relu, 2), "sigmoid": (tf.sigmoid, 1), "tanh": (tf.tanh, 1)}  # gains

_Layer = dict[str, tf.Variable]  # W, beta, gamma, and the moving mean and variance


def train(
    x: ArrayLike,
    y: ArrayLike,
    batches: ArrayLike,
    held_out: ArrayLike,
    *,
    rates: Sequence[float],
    factors: Sequence[float] = (1.0,),
    depth: int = 10,
    units: int = 50,
    normalise: bool = False,
    activation: str = "relu",
    twins: int = 2,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Train fully connected classifiers with every pair of a factor and a rate.

    The first weights are Gaussian with standard deviation ``factor * sqrt(gain / n_in)``; the gain
    is 2 in hidden layers of ReLUs (He et al. 2015) and 1 elsewhere. Biases start at 0. Every step
    is one of plain gradient descent on the mean cross-entropy of a batch, in float32. With the
    same seed, all pairs have the same random starts but for the factor, with and without
    normalisation.

    Parameters
    ----------
    x : array, shape (N, features)
        One example in each row.
    y : array, shape (N,)
        Labels: whole numbers from 0 to C - 1. The largest one tells the number C of classes.
    batches : array of int, shape (steps, batch size)
        Rows of x that each step learns from.
    held_out : array of int, shape (M,)
        Rows of x for the loss at the end.
    rates : sequence of float, length R
        Learning rates.
    factors : sequence of float, length F
        Factors on all first weights.
    depth, units : int
        Number of hidden layers, and of units in each.
    normalise : bool
        Batch normalisation before each hidden activation, with learned gamma and beta. It takes
        the moments of the batch in training, and moving averages (momentum 0.9) at the end;
        epsilon is 1e-3.
    activation : str
        Of the hidden layers: relu, sigmoid or tanh.
    twins : int
        Random starts of each pair, of which the losses are the mean.
    seed : int
        Of the random starts.

    Returns
    -------
    history : array, shape (steps, F, R)
        Cross-entropy of each batch before its step, in nats. Before the mean over the twins,
        losses above log(C), or no longer finite, count as log(C): no better than guessing.
    end : array, shape (F, R)
        The same of the held-out examples, after the last step.

    Raises
    ------
    ValueError
        If shapes do not fit, a row or label does not exist, a number is not finite, rates, factors
        or sizes are not positive, or the activation is unknown; if at some step, which is named,
        no network has a finite loss any more.
    """
    x, y, classes = _checked_data(x, y)
    batches = _checked_rows(batches, "batches", ("steps", "batch size"), len(x))
    held_out = _checked_rows(held_out, "held_out", ("M",), len(x))
    rates, factors = _checked_positive(rates, "rates"), _checked_positive(factors, "factors")
    _check_sizes(depth=depth, units=units, twins=twins)
    g, gain = _activation(activation)

    factor, rate = (part.ravel() for part in np.meshgrid(factors, rates, indexing="ij"))
    net = _start([x.shape[1], *[units] * depth, classes], gain, factor, twins, seed)
    rate = tf.constant(np.repeat(rate, twins)[:, None, None], tf.float32)
    x, y = tf.constant(x, tf.float32), tf.constant(y, tf.int32)
    trained = [layer[key] for layer in net for key in ("W", "beta")]
    trained += [layer["gamma"] for layer in net[:-1]] if normalise else []

    def losses(rows, training):
        return _losses(net, tf.gather(x, rows), tf.gather(y, rows), g, normalise, training)

    step = _step(losses, trained, rate, batches[0])
    history = []
    with tqdm(batches, desc="training", **_BAR) as bar:
        for rows in bar:
            history.append(step(tf.constant(rows)).numpy())
            if not np.isfinite(history[-1]).any():  # one that learns can be compared with the rest
                raise _ran_away("training", len(history), len(batches), " of every network")
    end = losses(tf.constant(held_out), training=False).numpy()
    # fmin takes the number where the other one is NaN.
    found = [np.fmin(part, np.log(classes)) for part in (np.array(history), end)]
    shape = (len(factors), len(rates), twins)
    return tuple(part.reshape(*part.shape[:-1], *shape).mean(axis=-1) for part in found)


def _activation(name: str) -> tuple[Callable, int]:
    """Return an activation function and the gain of the layer before it."""
    if name not in list(_ACTIVATIONS):
        raise ValueError(f"There is no activation {name!r} here: choose {', '.join(_ACTIVATIONS)}.")
    return _ACTIVATIONS[name]


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        if not isinstance(size, Integral) or size < 1:
            raise ValueError(f"{name}={size} must be a whole number, at least 1.")


def _step(losses: Callable, trained: list[tf.Variable], rate: tf.Tensor, rows: np.ndarray):
    """Trace a step of gradient descent, which takes the rows of a batch and returns its losses."""

    def step(rows):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(trained)
            each = losses(rows, training=True)
            total = tf.reduce_sum(each)  # no network sees another
        for variable, slope in zip(trained, tape.gradient(total, trained), strict=True):
            variable.assign_sub(rate * slope)
        return each

    # Concrete, so that TensorFlow does not warn about the traces of other calls.
    return tf.function(step).get_concrete_function(tf.constant(rows))


def _start(
    sizes: Sequence[int], gain: float, factor: np.ndarray, twins: int, seed: int
) -> list[_Layer]:
    """Draw a layer's weights for each twin, and repeat them with each factor."""
    rng, layers = np.random.default_rng(seed), []
    gains = [gain] * (len(sizes) - 2) + [1]
    for (n_in, n_out), its_gain in zip(pairwise(sizes), gains, strict=True):
        W = rng.normal(size=(twins, n_out, n_in)) * np.sqrt(its_gain / n_in)
        W = (factor[:, None, None, None] * W).reshape(-1, n_out, n_in)
        ones, zeros = np.ones((len(W), n_out, 1)), np.zeros((len(W), n_out, 1))
        values = {"W": W, "beta": zeros, "gamma": ones, "mean": zeros, "var": ones}
        layers.append({key: tf.Variable(value, dtype=tf.float32) for key, value in values.items()})
    return layers


def _normalised(layer: _Layer, Z: tf.Tensor, training: bool) -> tf.Tensor:
    mean, var = layer["mean"], layer["var"]
    if training:
        mean, var = tf.nn.moments(Z, axes=[2], keepdims=True)
        for moving, now in ((layer["mean"], mean), (layer["var"], var)):
            moving.assign(_MOMENTUM * moving + (1 - _MOMENTUM) * now)
    return layer["gamma"] * (Z - mean) / tf.sqrt(var + _EPSILON)


def _losses(net: list[_Layer], x, y, g, normalise: bool, training: bool) -> tf.Tensor:
    """Mean cross-entropy of each network on the examples x."""
    A = tf.transpose(x)
    for layer in net[:-1]:
        Z = layer["W"] @ A
        A = g((_normalised(layer, Z, training) if normalise else Z) + layer["beta"])
    scores = tf.transpose(net[-1]["W"] @ A + net[-1]["beta"], (0, 2, 1))
    y = tf.repeat(y[None], len(scores), axis=0)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, scores), axis=1)


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
