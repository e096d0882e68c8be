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
from scipy.optimize import minimize
from scipy.special import log_softmax
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression, lasso_path
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from tqdm.auto import tqdm

from course_utils.training import _BAR, _ran_away

_BETA_M, _BETA_R, _TINY = 0.9, 0.999, 1e-7  # Adam's, as in Keras
_EPSILON, _MOMENTUM = 1e-3, 0.9  # of batch normalisation
# What a setting may state: learning rate, penalties, share of units dropped in training, hidden
# units, and whether pictures are moved by up to a pixel.
_USUAL = {"alpha": 0.003, "l2": 0, "decay": 0, "l1": 0, "drop": 0, "units": 0, "move": 0}


class Looks(NamedTuple):
    """What a method's networks answered on their way, and where they ended.

    Attributes
    ----------
    nll : array, shape (sets, choices, pictures)
        Minus log-likelihood of each judging picture; a choice is a pair of a look and a setting,
        looks first.
    wrong : array of bool, shape (sets, choices, pictures)
        Whether the most probable class is not the right one.
    end : list of arrays, shape (sets, settings, ...)
        W1, b1, W2, b2 after the last step (and the scale of batch normalisation); examples are
        rows. Empty for what is no network.
    """

    nll: np.ndarray
    wrong: np.ndarray
    end: list[np.ndarray]


def moved(pictures: np.ndarray) -> np.ndarray:
    """Square pictures moved by up to one pixel, (9, n, side²) for (n, side²); no. 4 is unmoved."""
    side = round(pictures.shape[1] ** 0.5)
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
        Each setting names what is not as usual: `alpha` (0.003), `l2` (through Adam), `decay`
        (decoupled), `l1` (a proximal step of alpha * l1, decoupled as well), `drop` (dropout's
        rate), `units`, `move` (1: pictures are moved by up to one pixel, anew at each step).
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
    every_setting = [_USUAL | dict(given) for settings in methods.values() for given in settings]
    value = {
        name: np.array([given[name] for given in every_setting], "float32")[None, :, None, None]
        for name in _USUAL
    }
    nets = _Networks(len(sets), x.shape[1], units, value, normalise, seed)
    positions = tf.constant(moved(x.astype("float32")).reshape(-1, x.shape[1]))
    rng, labels = np.random.default_rng(seed), tf.constant(y, tf.int32)
    judged = tf.constant(x[judge], tf.float32), tf.constant(y[judge], tf.int32)
    found = []
    with tqdm(total=len(batches), desc="training", **_BAR) as bar:
        for t, places in enumerate(batches, 1):
            rows = np.take_along_axis(sets, places, axis=1)[:, None]  # (sets, 1, batch size)
            rows = np.repeat(rows, len(every_setting), axis=1)
            moves = np.where(value["move"][..., 0], rng.integers(9, size=rows.shape), 4)
            inputs = tf.gather(positions, moves * len(x) + rows)
            loss = nets.step(inputs, tf.gather(labels, rows), tf.constant(t, tf.float32))
            if t % every == 0:
                found.append(nets.judged_by(*judged))
            bar.update()
    if not np.isfinite(loss.numpy()):
        raise _ran_away("training", len(batches), len(batches))
    scores = [np.stack(part, axis=1) for part in zip(*found, strict=True)]
    return _by_method(methods, scores, [part.numpy() for part in nets.w])


def _by_method(methods: Mapping, scores: list, end: list) -> dict[str, Looks]:
    """Cut scores (sets, looks, settings, pictures) and weights into those of each method."""
    stops, looks = np.cumsum([len(settings) for settings in methods.values()])[:-1], {}
    cut = zip(*(np.split(part, stops, axis=2) for part in scores), strict=True)
    weights = zip(*(np.split(part, stops, axis=1) for part in end), strict=True)
    for name, parts, own in zip(methods, cut, weights, strict=True):
        flat = [part.reshape(len(part), -1, part.shape[-1]) for part in parts]
        looks[name] = Looks(*flat, list(own))
    return looks


def judged(looks: Looks, choices: slice = slice(None)) -> list[np.ndarray]:
    """Judge a method by pictures that had no part in its choices: the exercise's rule.

    For each training set either half of the pictures chooses, and the other half judges.

    Parameters
    ----------
    looks : Looks
        What the method answered.
    choices : slice
        Those that it has.

    Returns
    -------
    list of three arrays, each of shape (sets, pictures)
        Log loss and mistakes if the log loss chooses, and mistakes if they choose themselves.
    """
    nll, wrong = looks.nll[:, choices], looks.wrong[:, choices]
    found = []
    for score, loss in ((nll, nll), (wrong, nll), (wrong, wrong)):
        halves, choosers = (np.split(part, 2, axis=2) for part in (score, loss))
        best = [half.mean(axis=2).argmin(axis=1) for half in choosers[::-1]]
        pairs = zip(halves, best, strict=True)
        chosen = [half[np.arange(len(half)), k] for half, k in pairs]
        found.append(np.concatenate(chosen, axis=1).astype("float32"))
    return found


class _Networks:
    def __init__(self, sets, pixels, units, value, normalise, seed) -> None:
        rng, settings = np.random.default_rng(seed), value["alpha"].shape[1]
        own = np.where(value["units"] > 0, value["units"], units)
        self.own = tf.constant(np.arange(units) < own, tf.float32)  # (1, settings, 1, units)
        first = rng.normal(size=(sets, 1, pixels, units)).astype("float32") * (2 / pixels) ** 0.5
        second = rng.normal(size=(sets, 1, units, 10)) * (2 / own) ** 0.5
        ones = np.ones((sets, settings, 1, 1), "float32")
        line = np.zeros((sets, settings, 1, units), "float32")
        start = [first * ones, line, second * ones, np.zeros((sets, settings, 1, 10))]
        start += [line + 1] * normalise  # batch normalisation's scale
        self.w = [tf.Variable(part, dtype=tf.float32) for part in start]
        self.V, self.S = ([tf.Variable(tf.zeros_like(part)) for part in self.w] for _ in "VS")
        self.moving = [tf.Variable(line, dtype=tf.float32), tf.Variable(line + 1, dtype=tf.float32)]
        self.value = {name: tf.constant(part) for name, part in value.items()}
        self.seed, self.normalise = seed, normalise

    def answers(self, x, keep, training):
        """Scores of the classes, (sets, settings, pictures, 10)."""
        z = x @ self.w[0]
        if self.normalise:
            mean, var = self.moving
            if training:
                mean, var = tf.nn.moments(z, axes=[2], keepdims=True)
                for moving, now in zip(self.moving, (mean, var), strict=True):
                    moving.assign(_MOMENTUM * moving + (1 - _MOMENTUM) * now)
            z = self.w[4] * (z - mean) / tf.sqrt(var + _EPSILON)
        return (tf.nn.relu(z + self.w[1]) * keep) @ self.w[2] + self.w[3]

    @tf.function
    def step(self, x, y, t):
        drop = self.value["drop"]
        shape, seed = (*x.shape[:3], self.own.shape[3]), (self.seed, tf.cast(t, tf.int32))
        on = tf.random.stateless_uniform(shape, seed) >= drop
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self.w)
            keep = self.own * tf.cast(on, tf.float32) / (1 - drop)
            each = tf.nn.sparse_softmax_cross_entropy_with_logits(y, self.answers(x, keep, True))
            loss = tf.reduce_sum(tf.reduce_mean(each, axis=-1))  # no network sees another
        self.update(tape.gradient(loss, self.w), t)
        return loss

    @tf.function(jit_compile=True)
    def update(self, dw, t):
        """One step of Adam, with the remedies that act on weights."""
        value = self.value
        for i, (w, V, S, g) in enumerate(zip(self.w, self.V, self.S, dw, strict=True)):
            is_weight = float(i in (0, 2))  # biases and scales go free
            g += is_weight * value["l2"] * w
            V.assign(_BETA_M * V + (1 - _BETA_M) * g)
            S.assign(_BETA_R * S + (1 - _BETA_R) * g**2)
            rate = value["alpha"] / (tf.sqrt(S / (1 - _BETA_R**t)) + _TINY)
            decay = is_weight * value["alpha"] * value["decay"] * w
            moved_ = w - rate * V / (1 - _BETA_M**t) - decay
            by = is_weight * value["alpha"] * value["l1"]
            w.assign(tf.sign(moved_) * tf.maximum(tf.abs(moved_) - by, 0))

    def judged_by(self, x, y) -> list[np.ndarray]:
        """Log losses and mistakes, (sets, settings, pictures), 200 pictures at a time."""
        parts = [self.look(x[i : i + 200], y[i : i + 200]) for i in range(0, len(x), 200)]
        return [np.concatenate(part, axis=2) for part in zip(*parts, strict=True)]

    @tf.function
    def look(self, x, y):
        scores = self.answers(x[None, None], self.own, False)
        y = tf.broadcast_to(y, tf.shape(scores)[:3])
        nll = tf.nn.sparse_softmax_cross_entropy_with_logits(y, scores)
        wrong = tf.argmax(scores, axis=-1, output_type=tf.int32) != y
        return nll, wrong


def rivals(x: np.ndarray, y: np.ndarray, sets: np.ndarray, judge: np.ndarray) -> dict[str, Looks]:
    """Judge what is no network at all, at several settings: for the shapes see `Looks`.

    Logistic regression with five strengths of L2; nearest neighbours, 1, 3 or 5 of them weighted by
    distance, whose shares are mixed with a little of the uniform distribution; support vector
    machines with a Gaussian kernel, whose scores count as logits.
    """

    def ask(model, rows):
        return model.fit(x[rows], y[rows])

    def linear(rows):
        for C in (0.1, 0.3, 1, 3, 10):
            yield ask(LogisticRegression(C=C, max_iter=300), rows).predict_log_proba(x[judge])

    def neighbours(rows):
        for k in (1, 3, 5):
            shares = ask(KNeighborsClassifier(k, weights="distance"), rows).predict_proba(x[judge])
            for part in (0.1, 0.3):
                yield np.log((1 - part) * shares + part / 10)

    def machine(rows):
        for C, gamma in ((3, 0.02), (3, 0.04), (10, 0.02), (10, 0.04)):
            yield log_softmax(ask(SVC(C=C, gamma=gamma), rows).decision_function(x[judge]), axis=1)

    found, label = {}, y[judge]
    kinds = {"logistic regression": linear, "nearest neighbours": neighbours, "SVM": machine}
    for name, kind in kinds.items():
        answers = np.array([list(kind(rows)) for rows in tqdm(sets, desc=name, **_BAR)])
        nll = -answers[..., np.arange(len(label)), label]
        found[name] = Looks(nll, answers.argmax(axis=-1) != label, [])
    return found


def contributions(end: Sequence[np.ndarray], x: np.ndarray) -> np.ndarray:
    """Mean square of what each hidden unit adds to the scores, (sets, units): see `mistakes`."""
    W1, b1, W2, _ = end
    return (np.maximum(x @ W1 + b1, 0) ** 2).mean(axis=1) * (W2**2).sum(axis=2)


def mistakes(
    end: Sequence[np.ndarray], x: np.ndarray, y: np.ndarray, without: int = 0
) -> np.ndarray:
    """Share of pictures that networks take for another digit, also without their strongest units.

    Parameters
    ----------
    end : W1, b1, W2, b2, each of shape (sets, ...)
        Weights of a network for each training set; examples are rows.
    x, y : arrays, shapes (n, pixels) and (n,), or (sets, n, pixels) and (sets, n)
        Pictures and digits.
    without : int
        Hidden units cut out: those with the largest mean square contribution to the scores.

    Returns
    -------
    array, shape (sets,)
    """
    W1, b1, W2, b2 = end
    a = np.maximum(x @ W1 + b1, 0)  # (sets, n, hidden units)
    rank = np.argsort(np.argsort(-contributions(end, x), axis=1), axis=1)
    scores = (a * (rank >= without)[:, None]) @ W2 + b2
    return (scores.argmax(axis=-1) != y).mean(axis=1)


def most_probable(P: np.ndarray, y: np.ndarray, sigma: float, tau: float) -> np.ndarray:
    """Find the top of the posterior of a linear model's weights: P has a row for each point."""

    def minus_log_posterior(w):
        return -(norm.logpdf(y, P @ w, sigma).sum() + norm.logpdf(w, 0, tau).sum())

    return minimize(minus_log_posterior, np.zeros(P.shape[1])).x


TEXTS = {
    "descent": "Left, the true curve, and the model after 8 steps, too calm, after 256, near it, "
    "and after 131,072, near the points with wild swings. Right, the error on the thirty "
    "points falls far below the variance of the noise; that on new points falls, then rises.",
    "ways": "Mean excess against the number of steps and against λ: both curves have a valley that "
    "comes down to the dashed line of the least possible excess; the left end is high, the end of "
    "training higher still.",
    "weights": "Forty weights three times: L2 all different from zero, L1 by the proximal step a "
    "few large ones and many exact zeros, L1 by the plain gradient the same without exact zeros.",
    "black": "Left, three strengths of L2 through Adam: one and the same line, which falls to a "
    "tenth in sixty steps. Right, decoupled decay: flat at the weakest strength, steep at the "
    "strongest.",
    "remedies": "Gains over early stopping with two standard errors: dropout's is clearly above "
    "zero, decoupled decay's as well; L1's is a little smaller, L2's near zero.",
    "rivals": "Gains over early stopping: pictures moved by a pixel gain most, more still with "
    "dropout, and twice as many pictures gain much, too; smaller networks, logistic regression "
    "and nearest neighbours lose.",
}
REMEDIES = ("L2", "L1", "early stopping")
STRENGTHS = (1, 2, 3, 4, 5)


def _curves(ax: Axes, line: np.ndarray, curves: Mapping, x: np.ndarray, y: np.ndarray) -> None:
    for i, (name, values) in enumerate(curves.items()):
        black = {"color": "black", "lw": 1.2, "ls": "--"} if name == "truth" else {}
        ax.plot(line, values, **({"color": f"C{i}"} | black), label=name)
    ax.plot(x, y, "o", color="black", ms=5)
    margin = 0.6 * np.ptp(y)
    ax.set(xlabel="x", ylabel="f(x)", ylim=(y.min() - margin, y.max() + margin))
    ax.legend(fontsize=11)


def draw_three(line, waves, x, y, lams: Sequence[float]) -> None:
    """Draw the points, and curves A, B, C of the minimum with each λ."""
    P, curves = waves(x), {}
    for name, lam in zip("ABC", lams, strict=True):
        w = np.linalg.solve(P.T @ P / len(x) + lam * np.eye(P.shape[1]), P.T @ y / len(x))
        curves[name] = waves(line) @ w
    _, ax = plt.subplots(figsize=(9, 4))
    _curves(ax, line, curves, x, y)


def draw_descent(line, waves, x, y, truth, path, steps, on_points, on_new, sigma) -> None:
    """Draw the curve after a few, many and all steps, and both errors by step."""
    _, axes = plt.subplots(1, 2, figsize=(14, 4.4))
    curves = {"truth": waves(line) @ truth}
    curves |= {f"{steps[k]:,} steps": waves(line) @ path[k] for k in (3, 8, len(steps) - 1)}
    _curves(axes[0], line, curves, x, y)
    for values, name in ((on_points, "the thirty points"), (on_new, "new points")):
        axes[1].loglog(steps, values, "o-", label=name)
    axes[1].axhline(sigma**2, color="black", ls="--", lw=1.2, label="σ²: unavoidable")
    axes[1].set(xlabel="steps", ylabel="mean squared error")
    axes[1].legend()


def draw_ways(steps, lams, excess: np.ndarray, least: float, own: float) -> None:
    """Draw the mean excess of both ways against their strength."""
    _, axes = plt.subplots(1, 2, figsize=(13, 4.2), sharey=True)
    for ax, strengths, values, name in zip(
        axes, (steps, lams), excess, ("steps", "λ"), strict=True
    ):
        ax.loglog(strengths, values, "o-")
        ax.axhline(least, color="black", ls="--", lw=1.2, label="least possible")
        ax.set(xlabel=name)
    axes[1].axvline(own, color="C1", lw=1.2, label="λ of exercise 1")
    axes[0].set(ylabel="mean excess over the worlds", title="early stopping")
    axes[1].set_title("$L_2$")
    axes[1].legend()


def draw_remedy(remedy: str, strength: int, line, waves, truth, x, y, steps, lams):
    """Draw the curve and the weights of a remedy at one of its five strengths."""
    P = waves(x)
    A, b, lam = P.T @ P / len(x), P.T @ y / len(x), lams[3 * strength - 2]
    if remedy == "L2":
        w = np.linalg.solve(A + lam * np.eye(len(b)), b)
    elif remedy == "L1":
        w = lasso_path(P, y, alphas=[lam], max_iter=10_000)[1][:, 0]
    else:
        t = steps[20 - 3 * strength]
        s, U = np.linalg.eigh(A)
        s = np.maximum(s, 1e-12)
        w = U @ ((1 - (1 - s / s[-1]) ** t) / s * (U.T @ b))
    figure, axes = plt.subplots(1, 2, figsize=(13, 4))
    _curves(axes[0], line, {"truth": waves(line) @ truth, "model": waves(line) @ w}, x, y)
    number = f"{t:,} steps" if remedy == "early stopping" else f"λ = {lam:.2g}"
    axes[0].set_title(f"{remedy}, {number}")
    _stems(axes[1], w)
    axes[1].set(ylabel="weight", ylim=(-4, 4))
    return figure


def _stems(ax: Axes, w: np.ndarray) -> None:
    places = np.arange(1, len(w) + 1)
    ax.vlines(places, 0, w, color="C0", lw=3)
    ax.plot(places[w == 0], 0 * places[w == 0], "o", color="C1", ms=6, label="exactly zero")
    ax.axhline(0, color="black", lw=1)
    ax.set(xlabel="wave")
    ax.legend(loc="upper right", fontsize=11)


def draw_weights(ends: Mapping[str, np.ndarray]) -> None:
    """Draw the weights of each kind, with the exact zeros marked."""
    _, axes = plt.subplots(1, len(ends), figsize=(15, 3.8), sharey=True)
    for ax, (name, w) in zip(axes, ends.items(), strict=True):
        _stems(ax, w)
        ax.set_title(name)
    axes[0].set_ylabel("weight")


def draw_black(strengths: Mapping, ways: Mapping) -> None:
    """Draw how a weight without data shrinks, at three strengths of either habit."""
    _, axes = plt.subplots(1, 2, figsize=(13, 4), sharey=True)
    for ax, (name, lams) in zip(axes, strengths.items(), strict=True):
        for i, (lam, way) in enumerate(zip(lams, ways[name], strict=True)):
            ax.plot(way, color=f"C{i}", lw=7 - 2.4 * i, label=f"λ = {lam:g}")
        ax.set(title=name, xlabel="step")
        ax.legend()
    axes[0].set_ylabel("weight at a black pixel")


def draw_gains(gains: Mapping[str, Mapping]) -> None:
    """Draw gains over early stopping, with two standard errors."""
    _, ax = plt.subplots(figsize=(9, 0.55 * len(gains) + 1.4))
    values, errors = ([gain[key] for gain in gains.values()] for key in ("value", "se"))
    ax.errorbar(values, range(len(gains)), xerr=2 * np.array(errors), fmt="o", ms=9, capsize=5)
    ax.axvline(0, color="black", lw=1.2)
    ax.set_yticks(range(len(gains)), list(gains))
    ax.invert_yaxis()
    ax.set_xlabel("gain over early stopping alone, in nats (± 2 standard errors)")
