"""What lesson `bayesian_neural_networks_wine` draws."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from course_utils import metrics


def predictive_band(
    ax: Axes,
    x: ArrayLike,
    mu: ArrayLike,
    sigma: ArrayLike,
    level: float = 0.95,
    color: str = "C0",
    label: str | None = None,
) -> None:
    """Draw a predictive mean with its central interval over one input.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    x : array, shape (N,)
        The input, in the order in which it is to be joined.
    mu, sigma : array, shape (K, N)
        Mean and standard deviation of the normal prediction of each of K weight samples.
    level : float
        Probability inside the interval.
    color, label : str
        Of the line; the band has the same colour.
    """
    lower, upper = metrics.mixture_interval(mu, sigma, level)
    ax.fill_between(x, lower, upper, color=color, alpha=0.2, linewidth=0)
    ax.plot(x, np.mean(mu, axis=0), color=color, label=label)


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
