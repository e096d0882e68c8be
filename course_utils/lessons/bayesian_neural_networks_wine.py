"""Rivals, scores and pictures of lesson `bayesian_neural_networks_wine`."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import ops
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy.special import softmax
from scipy.stats import norm
from sklearn.covariance import LedoitWolf
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import BayesianRidge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from course_utils import metrics, regression, training, validation

# What the figures show, in words: here, so that nobody reads it before the prediction.
TEXTS = {
    "bands": "Three bands with the same mean curve. One answer: only noise, one width. Independent "
    "weights: the functions spread as much at the twenty wines as elsewhere. Exact posterior: they "
    "run together at the wines and spread between and beyond them.",
    "spreads": "Spread of f against colour, thirty thin lines for each method. Independent "
    "weights: level and high. Exact: low at the two groups of wines, as high as the others between "
    "and beyond them.",
    "contest": "How far each method's NLL is behind the exact network, a dot for each of 13 "
    "measurements and a diamond for their mean: trees are level, lines, one answer and independent "
    "weights are behind, those by their own ELBO far behind.",
    "parts": "Epistemic and aleatoric variance against the number of training wines, a thin line "
    "for each order of the wines: the epistemic part falls towards zero, the aleatoric part stays.",
}


class DensePoint(keras.layers.Layer):
    """A dense layer with one value per weight, and the penalty that a normal prior is.

    It stands beside the lesson's `DenseVariational` and takes the same settings, so that
    `validation.tune` can tune both: ``kl_weight`` is the factor before ``w² / (2 alpha²)``, summed
    over the weights, with alpha = ``prior_sigma`` over the root of the number of inputs and 1.
    """

    def __init__(
        self,
        units: int,
        activation: str | None = None,
        prior_sigma: float = 1.0,
        kl_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.units, self.activation = units, keras.activations.get(activation)
        self.start = prior_sigma, kl_weight

    def build(self, shape) -> None:
        """Make the weights, and the two settings as weights that are not trained."""
        d = shape[-1] + 1
        prior_sigma, kl_weight = map(keras.initializers.Constant, self.start)
        self.w = self.add_weight((d, self.units), "glorot_normal", name="w")
        self.prior_sigma = self.add_weight((), prior_sigma, trainable=False, name="prior_sigma")
        self.kl_weight = self.add_weight((), kl_weight, trainable=False, name="kl_weight")

    def call(self, x):
        """Return activation(x w), with the penalty as a loss."""
        x = ops.concatenate([x, ops.ones_like(x[..., :1])], axis=-1)
        alpha = self.prior_sigma / self.w.shape[0] ** 0.5
        self.add_loss(self.kl_weight * ops.sum(ops.square(self.w / alpha)) / 2)
        return self.activation(x @ self.w)


class Network(keras.Model):
    """Layers one after the other, for inputs with any number of leading axes."""

    def __init__(self, *stack: keras.layers.Layer) -> None:
        super().__init__()
        self.stack = list(stack)

    def build(self, shape) -> None:
        """Build the layers by one call with zeros, for which Keras would trace a graph."""
        self.call(ops.zeros([n or 1 for n in shape]))

    def call(self, x):
        """Return what the last layer gives."""
        for layer in self.stack:
            x = layer(x)
        return x


class Noise(keras.layers.Layer):
    """Put log sigma, one number for all rows, beside the predicted mean; sigma is its start."""

    def __init__(self, sigma: float = 1.0, trainable: bool = True) -> None:
        super().__init__(trainable=trainable)
        self.start = keras.initializers.Constant(np.log(sigma))

    def build(self, shape) -> None:
        """Make the one weight."""
        self.log_sigma = self.add_weight((), self.start, name="log_sigma")

    def call(self, mean):
        """Turn means (..., 1) into pairs of mean and log sigma (..., 2)."""
        return ops.concatenate([mean, self.log_sigma * ops.ones_like(mean)], axis=-1)


def scores(
    output: ArrayLike, y: ArrayLike, judge: ArrayLike, levels: Sequence[float] = (0.5, 0.8, 0.95)
) -> np.ndarray:
    """Judge regression networks at the rows that they have not seen.

    Parameters
    ----------
    output : array, shape (F, K, n, 2)
        Mean and log sigma that each of K draws of each of F networks predicts.
    y : array, shape (F, n, 1)
        True values in the units of each network.
    judge : array of bool, shape (F, n)
        Which rows judge.
    levels : sequence of float
        Of the intervals.

    Returns
    -------
    array, shape (1 + levels, F, n)
        NLL in nats, and whether each interval holds the value; NaN where a row does not judge.
    """
    found = np.full((1 + len(levels), *np.shape(judge)), np.nan)
    for fold, (out, truth, rows) in enumerate(zip(output, y, judge, strict=True)):
        truth, mu, sigma = truth[rows, 0], out[:, rows, 0], np.exp(out[:, rows, 1])
        held = [metrics.covered(truth, mu, sigma, level) for level in levels]
        found[:, fold, rows] = [metrics.gaussian_nll(truth, mu, sigma), *held]
    return found


def elbo(
    networks: training.Networks, x: np.ndarray, y: np.ndarray, prior_sigma: float, k: int
) -> np.ndarray:
    """ELBO of networks of two variational layers and a noise: fit less price, in nats.

    Parameters
    ----------
    networks : training.Networks
        F of them, whose first four weights are m and rho of one layer after the other.
    x, y : array, shape (F, N, d) and (F, N, 1)
        What each learned from.
    prior_sigma : float
        Prior scale of all layers.
    k : int
        Weight draws that the fit is averaged over.

    Returns
    -------
    array, shape (F,)
    """
    output = networks.draws(x, k)
    logs = norm.logpdf(y[:, None, :, 0], output[..., 0], np.exp(output[..., 1]))
    price = 0
    for m, rho in zip(networks.weights[0:4:2], networks.weights[1:4:2], strict=True):
        s, alpha = np.logaddexp(0, rho), prior_sigma / m.shape[1] ** 0.5
        kl = (s**2 + m**2) / alpha**2 - 1 - 2 * np.log(s / alpha)
        price = price + kl.sum(axis=(1, 2)) / 2
    return logs.mean(axis=1).sum(axis=1) - price


def quality_rivals(x: np.ndarray, y: np.ndarray) -> dict[str, Callable]:
    """Fit what a network on thousands of wines has to beat.

    Each rival's noise comes from rows that it did not learn from: those left out of a tree's
    sample for the forest, a sixth of the rows, which also ends the boosting, for boosted trees.

    Parameters
    ----------
    x : array, shape (N, d)
        Measurements of training rows in random order.
    y : array, shape (N,)
        Targets.

    Returns
    -------
    dict
        For each name a function from measurements (n, d) to mean and standard deviation, (1, n).
    """
    line = make_pipeline(StandardScaler(), BayesianRidge()).fit(x, y)
    trees = RandomForestRegressor(150, max_features=0.4, oob_score=True, random_state=0).fit(x, y)
    cut = len(x) * 5 // 6
    boosted = HistGradientBoostingRegressor(learning_rate=0.05, max_iter=300, max_leaf_nodes=15)
    with threadpool_limits(1, "openmp"):  # its threads wait for one another on a busy machine
        boosted.fit(x[:cut], y[:cut])
        errors = [np.mean((p - y[cut:]) ** 2) for p in boosted.staged_predict(x[cut:])]
        boosted.set_params(max_iter=int(np.argmin(errors)) + 1).fit(x, y)

    def constant(model, variance):
        return lambda x: (model.predict(x)[None], np.full((1, 1), variance**0.5))

    return {
        "mean": lambda x: (np.full((1, len(x)), y.mean()), np.full((1, 1), y.std())),
        "line, exact": lambda x: tuple(a[None] for a in line.predict(x, return_std=True)),
        "forest": constant(trees, np.mean((trees.oob_prediction_ - y) ** 2)),
        "boosted trees": constant(boosted, min(errors)),
    }


def mahalanobis(x: ArrayLike, seen: ArrayLike, label: ArrayLike) -> np.ndarray:
    """Squared distance of all rows to the nearest class mean, in units of the spread within it.

    Parameters
    ----------
    x : array, shape (n, d)
        Measurements.
    seen : array of int, shape (N,)
        The rows whose classes are known.
    label : array of int, shape (n,)
        Classes; only those of the seen rows are used.

    Returns
    -------
    array, shape (n,)
        With the covariance shrunk by Ledoit and Wolf's rule.
    """
    known, label = x[seen], np.asarray(label)[seen]
    means = np.stack([known[label == c].mean(axis=0) for c in np.unique(label)])
    within = known - means[np.searchsorted(np.unique(label), label)]
    precision = LedoitWolf(assume_centered=True).fit(within).precision_
    apart = x[:, None] - means
    return np.einsum("ncd,de,nce->nc", apart, precision, apart).min(axis=1)


def _methods(
    x: np.ndarray, phis: Sequence[np.ndarray], y: np.ndarray, seen: np.ndarray, *grid: np.ndarray
) -> dict[str, np.ndarray]:
    """Score every method of the contest at all rows, from one training set."""
    line, found, n = [np.hstack([x, np.ones((len(x), 1))])], {}, len(seen)
    for model, candidates in (("line", line), ("network", phis)):
        one = regression.ridge(candidates, y, seen)
        found[f"{model}, one answer"] = regression.one_answer(y, *one, n)
        fits = regression.posteriors(candidates, y, seen, *grid)
        exact, own, sigma = regression.left_out(candidates, y, seen, *grid)
        evidence, best = softmax(fits.evidence), fits.evidence.argmax()
        ways = {
            "exact": (evidence, fits.exact),
            "exact, one setting": (np.eye(len(evidence))[best], fits.exact),
            "exact, by own CV": (softmax(exact), fits.exact),
            "independent": (evidence, fits.independent),
            "independent, by ELBO": (softmax(fits.elbo), fits.independent),
            "independent, by own CV": (softmax(own), fits.independent),
        }
        for name, (weights, variance) in ways.items():
            sd = np.sqrt(variance + fits.sigma**2)
            found[f"{model}, {name}"] = regression.mixture(y, weights, fits.mean, sd)
        single = regression.one_answer(y, fits.mean[best], sigma[best], n)
        found[f"{model}, one answer, one setting"] = single
        averages = {"all settings": evidence, "by own CV": softmax(-n * np.log(sigma))}
        for name, weights in averages.items():
            averaged = regression.one_answer(y, fits.mean, sigma, n, weights)
            found[f"{model}, one answer, {name}"] = averaged
    return found | {"trees": regression.one_answer(y, *regression.trees(x, y, seen), n)}


def contest(
    measurements: np.ndarray,
    sets: np.ndarray,
    judge: np.ndarray,
    features: Callable[[np.ndarray, int], Sequence[np.ndarray]],
    sigmas: np.ndarray,
    priors: np.ndarray,
    seed: int,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Predict each measurement from the others by every method, from every training set.

    Methods are a line and a network of given features: with one answer (ridge, its noise from
    left-out rows), and with exact or independent weights, averaged over all settings by their
    evidence, by their own left-out densities or, if independent, by their own ELBO. In between lie
    the exact posterior of the one setting with the largest evidence, and one answer, each with the
    noise of its left-out rows: for that setting, and averaged over all by evidence or by the
    density of left-out rows. And an ensemble of trees.

    Parameters
    ----------
    measurements : array, shape (n, d)
        Each column is a target in turn.
    sets : array of int, shape (F, N)
        Training rows.
    judge : array of bool, shape (F, n)
        Which rows judge.
    features : callable
        Turns scaled inputs (n, d - 1) and a seed into candidates of features.
    sigmas, priors : array
        The grid of `regression.posteriors`.
    seed : int
        Of the first training set's features; the others count on.

    Returns
    -------
    nll, held : dict of array, shape (d, F, n)
        For each method NLL in nats, in units of each column's standard deviation, and whether the
        central 50 % interval holds the value; NaN where a row does not judge.
    """
    results = []
    for target in tqdm(range(measurements.shape[1]), "contest", leave=False, delay=1):
        others, aim = np.delete(measurements, target, axis=1), measurements[:, target]
        for number, seen in enumerate(sets):
            x, y = ((a - a[seen].mean(axis=0)) / a[seen].std(axis=0) for a in (others, aim))
            found = _methods(x, features(x, seed + number), y, seen, sigmas, priors)
            unit = np.log(aim[seen].std() / aim.std())
            results.append([(nll + unit, abs(below - 0.5) < 0.25) for nll, below in found.values()])
    results = np.reshape(results, (-1, len(sets), len(found), 2, len(measurements)))
    nll, held = np.where(judge[:, None, None], results, np.nan).transpose(3, 2, 0, 1, 4)
    return dict(zip(found, nll, strict=True)), dict(zip(found, held, strict=True))


class Tasks(NamedTuple):
    """Two cultivars to learn and a third that is new, T times."""

    train: np.ndarray
    """Rows to learn from, 24 of each known cultivar, shape (T, 48)."""
    known: np.ndarray
    """Other wines of the known cultivars, bool, shape (T, n)."""
    new: np.ndarray
    """Wines of the unseen cultivar, bool, shape (T, n)."""
    label: np.ndarray
    """0 and 1 for the known cultivars, shape (T, n); of no meaning where new."""


def unseen_tasks(cultivar: ArrayLike, repeats: int, seed: int) -> Tasks:
    """Draw tasks in which each of three cultivars is the unseen one, `repeats` times.

    ``cultivar`` holds 0, 1 or 2 for each wine, shape (n,); ``seed`` is of the drawing.
    """
    cultivar, rng, tasks = np.asarray(cultivar), np.random.default_rng(seed), []
    for unseen in np.repeat(range(3), repeats):
        known = [np.flatnonzero(cultivar == c) for c in range(3) if c != unseen]
        train = rng.permutation(np.concatenate([rng.permutation(rows)[:24] for rows in known]))
        left = cultivar != unseen
        left[train] = False
        tasks.append((train, left, cultivar == unseen, (cultivar > (unseen == 0)).astype(int)))
    return Tasks(*map(np.stack, zip(*tasks, strict=True)))


def cross_entropy(y, logits):
    """Loss of a classifier: y of shape (N, 1) holds classes, logits has shape (N, C)."""
    return keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)


def class_score(y: ArrayLike, logits: ArrayLike) -> np.ndarray:
    """NLL of each row for `validation.tune`, from y (N, 1) and logits (K, N, C)."""
    return metrics.categorical_nll(np.asarray(y)[:, 0], logits)


def doubts(
    models: Sequence[keras.Model], x: np.ndarray, tasks: Tasks, priors: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Tune and train a classifier for each task, and say how much it doubts every row.

    Parameters
    ----------
    models : sequence of T keras.Model
        For `validation.tune`.
    x : array, shape (T, n, d)
        All rows in the units of each task.
    tasks : Tasks
        What to learn.
    priors : array
        Prior scales to choose from.
    k : int
        Weight draws.

    Returns
    -------
    entropy, spread : array, shape (T, n)
        Entropy of the class probabilities, averaged over draws, in nats; standard deviation over
        draws of the difference between the two logits.
    """
    rows = validation.take_rows(x, tasks.train)
    labels = validation.take_rows(tasks.label[..., None], tasks.train)
    values, _ = validation.tune(models, rows, labels, 300, class_score, {"prior_sigma": priors})
    logits = training.fit_many(models, rows, labels, 300, None, values).draws(x, k)
    entropy = [metrics.entropy_split(softmax(o, -1)).total for o in logits]
    return np.array(entropy), np.diff(logits, axis=-1)[..., 0].std(axis=1)


def line_scores(
    x: np.ndarray, y: np.ndarray, train: np.ndarray, judge: np.ndarray, *grid: np.ndarray
) -> np.ndarray:
    """Judge a line with its exact posterior, averaged over all settings of a grid, as `scores` do.

    x has shape (F, n, d), y (F, n, 1), train (F, N), judge (F, n); for the grid and the result see
    `regression.posteriors` and `scores`.
    """
    found = np.full((4, *judge.shape), np.nan)
    for fold, (inputs, aim, seen, rows) in enumerate(zip(x, y[..., 0], train, judge, strict=True)):
        phi = np.hstack([inputs, np.ones((len(inputs), 1))])
        fits = regression.posteriors([phi], aim, seen, *grid)
        sd = np.sqrt(fits.exact + fits.sigma**2)
        nll, below = regression.mixture(aim, softmax(fits.evidence), fits.mean, sd)
        held = [abs(below - 0.5) < level / 2 for level in (0.5, 0.8, 0.95)]
        found[:, fold, rows] = np.array([nll, *held])[:, rows]
    return found


def called(known: ArrayLike, new: ArrayLike, coverage: float = 0.9) -> float:
    """Share of new rows whose doubt is at most that of the given share of the known ones."""
    return float(np.mean(new <= np.quantile(known, coverage, method="inverted_cdf")))


def bands(x: ArrayLike, panels: dict[str, tuple], seen: tuple, others: tuple) -> Figure:
    """Draw predictive bands side by side, with draws of functions, the wines and what they hold.

    Parameters
    ----------
    x : array, shape (M,)
        Colour intensities.
    panels : dict
        For each title the mean, the standard deviation of the functions and that of the
        prediction, shape (M,) each, and draws of functions, shape (K, M).
    seen, others : tuple of two arrays
        Colour and alcohol of the wines that were learnt from, and of the others.
    """
    size = 4 * max(len(panels), 1.4), 4.2
    known = {*zip(*map(np.ravel, seen), strict=True)}
    new = np.array([pair for pair in zip(*map(np.ravel, others), strict=True) if pair not in known])
    figure, axes = plt.subplots(1, len(panels), figsize=size, sharey=True, squeeze=False)
    for ax, (title, (mean, function, total, draws)) in zip(axes[0], panels.items(), strict=True):
        for sd, alpha in ((total, 0.2), (function, 0.35)):
            width = norm.ppf(0.975) * sd
            ax.fill_between(x, mean - width, mean + width, color="C0", alpha=alpha, linewidth=0)
        ax.plot(x, np.transpose(draws), color="C1", linewidth=0.8)
        ax.plot(x, mean, color="C0")
        ax.plot(*others, ".", color="0.6", zorder=1.5)
        ax.plot(*seen, "o", color="black", markersize=5)
        middle, sd = (np.interp(new[:, 0], x, curve) for curve in (mean, total))
        held = np.mean(abs(new[:, 1] - middle) < norm.ppf(0.975) * sd)
        ax.text(0.97, 0.95, f"holds {held:.0%}", ha="right", va="top", transform=ax.transAxes)
        ax.set(title=title, xlabel="colour intensity", ylim=(9.5, 16.5))
    axes[0, 0].set_ylabel("alcohol (% vol)")
    return figure


def many_lines(ax: Axes, x: ArrayLike, lines: ArrayLike, color: str, label: str) -> None:
    """Draw each of F repeats thin and their mean thick; lines has the shape (F, M)."""
    ax.plot(x, np.transpose(lines), color=color, linewidth=0.5, alpha=0.5)
    ax.plot(x, np.mean(lines, axis=0), color=color, linewidth=3, label=label)


def dots(behind: dict[str, ArrayLike], xlabel: str) -> None:
    """Draw for each method a grey dot for each value, and a red diamond for their mean."""
    _, ax = plt.subplots(figsize=(9, 4.6))
    for place, values in enumerate(reversed(behind.values())):
        ax.plot(values, np.full(len(values), place), "o", color="0.6", markersize=5)
        ax.plot(np.mean(values), place, "D", color="C3", markersize=9)
    ax.axvline(0, color="black", linewidth=1)
    ax.set_yticks(range(len(behind)), reversed(behind))
    ax.set(xlabel=xlabel)


def reliability_diagram(
    ax: Axes,
    confidence: ArrayLike,
    correct: ArrayLike,
    bins: int = 8,
    color: str = "C0",
    label: str | None = None,
    seed: int = 0,
) -> None:
    """Draw how often a classifier is right against how sure it is, with the band of chance.

    The grey bars are where 95 % of the points would lie if the classifier were perfectly
    calibrated: outcomes are redrawn from its own confidences, 1,000 times (consistency
    resampling, Bröcker and Smith 2007).

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    confidence : array, shape (N,)
        Probability given to the predicted class, in [0, 1].
    correct : array of bool, shape (N,)
        Whether the predicted class was the right one.
    bins : int
        Number of bins, each holding the same number of examples.
    color, label : str
        Of the points.
    seed : int
        Of the resampling.
    """
    confidence, correct = np.asarray(confidence, float), np.asarray(correct, float)
    rows_of_bins = metrics.equal_bins(confidence, correct, bins)
    redrawn = np.random.default_rng(seed).random((1_000, len(confidence))) < confidence
    for i, rows in enumerate(rows_of_bins):
        centre = confidence[rows].mean()
        low, high = np.quantile(redrawn[:, rows].mean(axis=1), [0.025, 0.975])
        ax.plot([centre, centre], [low, high], color="0.82", linewidth=9, zorder=1)
        ax.plot(centre, correct[rows].mean(), "o", color=color, label=None if i else label)
    ax.axline((0, 0), slope=1, color="0.4", linewidth=1, zorder=0)
    ax.set(xlabel="confidence", ylabel="share that is right", ylim=(-0.03, 1.03))
