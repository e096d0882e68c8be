"""The contest of the lesson `regularization`: many networks side by side, each with a remedy.

All networks have one hidden layer of ReLUs, and all weights of a layer are one array of shape
(sets, settings, n_in, n_out). On two cores two hundred of them take far less time than one after
another. Axis 0 counts training sets, axis 1 settings.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from tqdm.auto import tqdm

from course_utils import validation
from course_utils.training import _BAR, _ran_away

_BETA_M, _BETA_R, _TINY = 0.9, 0.999, 1e-7  # Adam's, as in Keras
_EPSILON, _MOMENTUM = 1e-3, 0.9  # of batch normalisation
# What a setting may state: learning rate, penalties, share of units dropped in training, hidden
# units, share of the training set, and whether pictures are moved by up to a pixel.
_USUAL = {"alpha": 0.002, "l2": 0, "decay": 0, "l1": 0, "drop": 0, "units": 0, "part": 1, "move": 0}


class Looks(NamedTuple):
    """What a method's networks answered on their way.

    Attributes
    ----------
    nll : array, shape (sets, choices, pictures)
        Minus log-likelihood of each judging picture; a choice is a pair of a look and a setting.
    wrong : array, shape (sets, choices, pictures)
        1 where the most probable class is not the right one, else 0.
    units : array, shape (sets, choices)
        Effective number of hidden units: (sum c)² / sum c², where c is a unit's mean square
        contribution to the scores. All units if they contribute alike, 1 if one does it all.
    size : array, shape (sets, choices)
        Root mean square of all weights, as a multiple of that at the start.
    """

    nll: np.ndarray
    wrong: np.ndarray
    units: np.ndarray
    size: np.ndarray


def moved(pictures: np.ndarray) -> np.ndarray:
    """Move square pictures by up to one pixel: (n, side²) becomes (9, n, side²), itself as no. 4."""
    side = int(round(pictures.shape[1] ** 0.5))
    wide = np.pad(pictures.reshape(-1, side, side), ((0, 0), (1, 1), (1, 1)))
    windows = [wide[:, i : i + side, j : j + side] for i in range(3) for j in range(3)]
    return np.stack(windows).reshape(9, *pictures.shape)


def contest(
    x: np.ndarray,
    y: np.ndarray,
    sets: np.ndarray,
    judge: np.ndarray,
    batches: np.ndarray,
    methods: Mapping[str, Sequence[Mapping[str, float]]],
    *,
    units: int,
    every: int,
    normalise: bool = False,
    seed: int = 0,
) -> dict[str, Looks]:
    """Train a network for each training set and each setting of each method, and judge it.

    Parameters
    ----------
    x : array, shape (n, pixels)
        Pictures, square ones.
    y : array, shape (n,)
        Digits.
    sets : array of int, shape (sets, N)
        Rows of x that each training set holds.
    judge : array of int, shape (pictures,)
        Rows that judge.
    batches : array of int, shape (steps, sets, batch size)
        Places within its training set that each step learns from.
    methods : mapping of str to a sequence of settings
        Each setting names what is not as usual: `alpha` (0.002), `l2`, `decay` (decoupled), `l1`
        (proximal), `drop` (dropout's rate), `units`, `part` (of the training set), `move` (1:
        pictures are moved by up to one pixel, anew at each step).
    units : int
        Hidden units where a setting does not say otherwise.
    every : int
        Steps between two looks at the judging pictures.
    normalise : bool
        Batch normalisation before the hidden activation.
    seed : int
        Of first weights, dropout and moves. The settings of a training set share the start.

    Returns
    -------
    dict of str to Looks
    """
    every_setting = [_USUAL | dict(given) for given in sum(map(list, methods.values()), [])]
    value = {
        name: np.array([given[name] for given in every_setting], "float32")[None, :, None, None]
        for name in _USUAL
    }
    nets = _Networks(len(sets), x.shape[1], units, value, normalise, seed)
    positions = tf.constant(moved(x).reshape(-1, x.shape[1]), tf.float32)
    rng, labels = np.random.default_rng(seed), tf.constant(y, tf.int32)
    judged = tf.constant(x[judge], tf.float32), tf.constant(y[judge], tf.int32)
    found = []
    with tqdm(total=len(batches), desc="training", **_BAR) as bar:
        for t, places in enumerate(batches, 1):
            places = (places[:, None] * value["part"][..., 0]).astype(int)  # (sets, settings, B)
            rows = sets[np.arange(len(sets))[:, None, None], places]
            moves = np.where(value["move"][..., 0], rng.integers(9, size=rows.shape), 4)
            inputs = tf.gather(positions, moves * len(x) + rows)
            loss = nets.step(inputs, tf.gather(labels, rows), tf.constant(t, tf.float32))
            if t % every == 0:
                found.append([part.numpy() for part in nets.look(*judged)])
            bar.update()
    if not np.isfinite(loss.numpy()):
        raise _ran_away("training", len(batches), len(batches))
    return _by_method(methods, [np.stack(part, axis=1) for part in zip(*found, strict=True)])


def _by_method(methods: Mapping, found: list[np.ndarray]) -> dict[str, Looks]:
    """Cut arrays (sets, looks, settings, ...) into those of each method, (sets, choices, ...)."""
    ends = np.cumsum([len(settings) for settings in methods.values()])
    cut = [np.split(part, ends[:-1], axis=2) for part in found]
    return {
        name: Looks(*(part.reshape(len(part), -1, *part.shape[3:]) for part in parts))
        for name, *parts in zip(methods, *cut, strict=True)
    }


class _Networks:
    def __init__(self, sets, pixels, units, value, normalise, seed) -> None:
        rng, settings = np.random.default_rng(seed), value["alpha"].shape[1]
        own = np.where(value["units"] > 0, value["units"], units)
        self.own = tf.constant(np.arange(units) < own, tf.float32)  # (1, settings, 1, units)
        first = rng.normal(size=(sets, 1, pixels, units)) * (2 / pixels) ** 0.5
        second = rng.normal(size=(sets, 1, units, 10)) * (2 / own) ** 0.5
        ones, line = np.ones((sets, settings, 1, 1)), np.zeros((sets, settings, 1, units))
        start = [first * ones, line, second * ones, np.zeros((sets, settings, 1, 10))]
        start += [line + 1] * normalise  # batch normalisation's scale
        self.w = [tf.Variable(part, dtype=tf.float32) for part in start]
        self.V, self.S = ([tf.Variable(tf.zeros_like(part)) for part in self.w] for _ in "VS")
        self.moving = [tf.Variable(line, dtype=tf.float32), tf.Variable(line + 1, dtype=tf.float32)]
        self.value = {name: tf.constant(part) for name, part in value.items()}
        self.at_start = self.squares()
        self.seed, self.normalise = seed, normalise

    def answers(self, x, keep, training):
        """Hidden activations and scores of the classes."""
        z = x @ self.w[0]
        if self.normalise:
            mean, var = self.moving
            if training:
                mean, var = tf.nn.moments(z, axes=[2], keepdims=True)
                for moving, now in zip(self.moving, (mean, var), strict=True):
                    moving.assign(_MOMENTUM * moving + (1 - _MOMENTUM) * now)
            z = self.w[4] * (z - mean) / tf.sqrt(var + _EPSILON)
        a = tf.nn.relu(z + self.w[1]) * keep
        return a, a @ self.w[2] + self.w[3]

    @tf.function
    def step(self, x, y, t):
        drop = self.value["drop"]
        shape, seed = (*x.shape[:3], self.own.shape[3]), (self.seed, tf.cast(t, tf.int32))
        on = tf.random.stateless_uniform(shape, seed) >= drop
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self.w)
            keep = self.own * tf.cast(on, tf.float32) / (1 - drop)
            each = tf.nn.sparse_softmax_cross_entropy_with_logits(y, self.answers(x, keep, True)[1])
            loss = tf.reduce_sum(tf.reduce_mean(each, axis=-1))  # no network sees another
        dw = tape.gradient(loss, self.w)
        now = [[part.value() for part in parts] for parts in (self.w, self.V, self.S)]
        for parts, new in zip((self.w, self.V, self.S), _update(*now, dw, t, self.value)):
            for part, one in zip(parts, new, strict=True):
                part.assign(one)
        return loss

    def squares(self):
        """Sum of all squared weights of each network: (sets, settings)."""
        first = tf.reduce_sum(self.w[0] ** 2 * self.own, axis=(2, 3))
        return first + tf.reduce_sum(self.w[2] ** 2, axis=(2, 3))

    @tf.function
    def look(self, x, y):
        a, scores = self.answers(x[None, None], self.own, False)
        y = tf.broadcast_to(y, tf.shape(scores)[:3])
        nll = tf.nn.sparse_softmax_cross_entropy_with_logits(y, scores)
        wrong = tf.cast(tf.argmax(scores, axis=-1, output_type=tf.int32) != y, tf.float32)
        part = tf.reduce_mean(a**2, axis=2) * tf.reduce_sum(self.w[2] ** 2, axis=3)
        effective = tf.reduce_sum(part, axis=-1) ** 2 / tf.reduce_sum(part**2, axis=-1)
        return nll, wrong, effective, tf.sqrt(self.squares() / self.at_start)


@tf.function(jit_compile=True)
def _update(w, V, S, dw, t, value):
    """One step of Adam with the remedies that act on weights; V and S are its running means."""
    new = []
    for i, (w_, V_, S_, dw_) in enumerate(zip(w, V, S, dw, strict=True)):
        is_weight = float(i in (0, 2))  # biases and scales go free
        dw_ += is_weight * value["l2"] * w_
        V_, S_ = _BETA_M * V_ + (1 - _BETA_M) * dw_, _BETA_R * S_ + (1 - _BETA_R) * dw_**2
        rate = value["alpha"] / (tf.sqrt(S_ / (1 - _BETA_R**t)) + _TINY)
        moved_ = w_ - rate * V_ / (1 - _BETA_M**t) - is_weight * value["alpha"] * value["decay"] * w_
        by = is_weight * rate * value["l1"]
        new.append((tf.sign(moved_) * tf.maximum(tf.abs(moved_) - by, 0), V_, S_))
    return [list(part) for part in zip(*new, strict=True)]
