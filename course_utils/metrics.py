"""Scores of predictive distributions, as plain functions of NumPy arrays.

Throughout, axis 0 of a prediction counts K weight samples and axis 1 counts N examples. All
entropies and log-likelihoods are in nats.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, logsumexp, xlogy
from scipy.stats import norm


class Split(NamedTuple):
    """A total uncertainty and the two parts that it is the sum of, each of shape (N,)."""

    total: np.ndarray
    epistemic: np.ndarray
    aleatoric: np.ndarray


def _samples_by_examples(name: str, values: ArrayLike, ndim: int = 2) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    if values.ndim != ndim:
        axes = "(K, N)" if ndim == 2 else "(K, N, C)"
        raise ValueError(
            f"{name} has shape {values.shape}, but {axes} is expected: K weight samples first. "
            f"For a single network give {name}[None]."
        )
    return values


def _normals(mu: ArrayLike, sigma: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    mu = _samples_by_examples("mu", mu)
    return mu, np.broadcast_to(np.asarray(sigma, dtype=float), mu.shape)


def _per_example(y: ArrayLike, mu: np.ndarray) -> np.ndarray:
    """Refuse a y that would be broadcast: of shape (N, 1) it would give wrong scores silently."""
    y = np.asarray(y, dtype=float)
    if y.shape != mu.shape[1:]:
        raise ValueError(
            f"y has shape {y.shape}, but {mu.shape[1:]} is expected: one value per example."
        )
    return y


def _check(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"The level is {level}, but it must lie between 0 and 1.")


def mixture_nll(log_prob: ArrayLike) -> np.ndarray:
    """Negative log-likelihood of the mixture over weight samples.

    ``-log(1/K sum_k p(y|x, w_k))``, by the log-sum-exp trick. Averaging the K log-likelihoods
    instead would score the samples one by one and not their mixture.

    Parameters
    ----------
    log_prob : array, shape (K, N)
        ``log p(y_n|x_n, w_k)``.

    Returns
    -------
    array, shape (N,)
        In nats; its mean is the usual held-out score.
    """
    log_prob = _samples_by_examples("log_prob", log_prob)
    return np.log(len(log_prob)) - logsumexp(log_prob, axis=0)


def gaussian_nll(y: ArrayLike, mu: ArrayLike, sigma: ArrayLike) -> np.ndarray:
    """Negative log-likelihood of y under an equal mixture of K normal distributions.

    Parameters
    ----------
    y : array, shape (N,)
        Observed values.
    mu, sigma : array, shape (K, N)
        Mean and standard deviation, in the units of y; sigma may be any shape that broadcasts.

    Returns
    -------
    array, shape (N,)
        In nats.
    """
    mu, sigma = _normals(mu, sigma)
    return mixture_nll(norm.logpdf(_per_example(y, mu), mu, sigma))


def rmse(y: ArrayLike, mu: ArrayLike) -> float:
    """Root mean squared error of the predictive mean, in the units of y.

    Parameters
    ----------
    y : array, shape (N,)
        Observed values.
    mu : array, shape (K, N)
        Mean that each weight sample predicts; they are averaged first.
    """
    mu = _samples_by_examples("mu", mu)
    return float(np.sqrt(np.mean((_per_example(y, mu) - mu.mean(axis=0)) ** 2)))


def mixture_cdf(y: ArrayLike, mu: ArrayLike, sigma: ArrayLike) -> np.ndarray:
    """Probability that the mixture of K normal distributions gives to values below y.

    Parameters
    ----------
    y : array, shape (N,)
        Where to evaluate.
    mu, sigma : array, shape (K, N)
        Mean and standard deviation, in the units of y.

    Returns
    -------
    array, shape (N,)
        In [0, 1]; uniform on it when the predictions are right (the probability integral
        transform, Dawid 1984).
    """
    mu, sigma = _normals(mu, sigma)
    return norm.cdf(_per_example(y, mu), mu, sigma).mean(axis=0)


def covered(y: ArrayLike, mu: ArrayLike, sigma: ArrayLike, level: float) -> np.ndarray:
    """Whether each y lies in the central interval of the mixture of K normal distributions.

    Parameters
    ----------
    y : array, shape (N,)
        Observed values.
    mu, sigma : array, shape (K, N)
        Mean and standard deviation, in the units of y.
    level : float
        Probability inside the interval, between 0 and 1; the rest is halved between its tails.

    Returns
    -------
    array of bool, shape (N,)
        Its mean is the coverage.
    """
    _check(level)
    return np.abs(mixture_cdf(y, mu, sigma) - 0.5) <= level / 2


def mixture_interval(
    mu: ArrayLike, sigma: ArrayLike, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the central interval of the mixture of K normal distributions, by bisection.

    Parameters
    ----------
    mu, sigma : array, shape (K, N)
        Mean and standard deviation.
    level : float
        Probability inside the interval, between 0 and 1.

    Returns
    -------
    lower, upper : array, shape (N,)
        In the units of mu, exact to 1e-9 of the widest component's reach.
    """
    _check(level)
    mu, sigma = _normals(mu, sigma)
    ends = []
    for quantile in ((1 - level) / 2, (1 + level) / 2):
        each = norm.ppf(quantile, mu, sigma)
        low, high = each.min(axis=0), each.max(axis=0)  # the mixture's lies between them
        for _ in range(40):
            middle = (low + high) / 2
            below = mixture_cdf(middle, mu, sigma) < quantile
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        ends.append((low + high) / 2)
    return ends[0], ends[1]


def entropy_split(probabilities: ArrayLike) -> Split:
    """Predictive entropy and its parts for a classifier.

    ``H[E_w p] = I[y; w] + E_w H[p]``: the mutual information of label and weights (epistemic)
    plus the mean entropy of the weight samples (aleatoric); Depeweg et al. 2018.

    Parameters
    ----------
    probabilities : array, shape (K, N, C)
        Class probabilities of each weight sample, summing to 1 over C.

    Returns
    -------
    Split
        Entropies in nats, between 0 and log C.
    """
    p = _samples_by_examples("probabilities", probabilities, ndim=3)
    if not np.allclose(p.sum(axis=-1), 1, atol=1e-3):
        raise ValueError(
            "The probabilities do not sum to 1 over the last axis: apply softmax to logits first."
        )
    total = -xlogy(p.mean(axis=0), p.mean(axis=0)).sum(axis=-1)
    aleatoric = -xlogy(p, p).sum(axis=-1).mean(axis=0)
    return Split(total=total, epistemic=total - aleatoric, aleatoric=aleatoric)


def equal_bins(confidence: np.ndarray, correct: np.ndarray, bins: int) -> list[np.ndarray]:
    """Sort examples by confidence into bins of equally many.

    Parameters
    ----------
    confidence, correct : array, shape (N,)
        As in `expected_calibration_error`.
    bins : int
        Number of bins; with fewer examples, each has a bin of its own.

    Returns
    -------
    list of arrays of int
        Row numbers of each bin.

    Raises
    ------
    ValueError
        If there is not one confidence per answer.
    """
    if confidence.shape != correct.shape or confidence.ndim != 1 or not len(correct):
        raise ValueError(
            f"confidence has shape {confidence.shape} and correct {correct.shape}: "
            "both need the same shape (N,), with N at least 1."
        )
    return np.array_split(np.argsort(confidence, kind="stable"), min(bins, len(confidence)))


def expected_calibration_error(confidence: ArrayLike, correct: ArrayLike, bins: int = 8) -> float:
    """Mean distance of confidence and accuracy over bins of equally many examples.

    Guo et al. 2017, with bins of equal mass. Even a perfectly calibrated model has an error
    above zero on finitely many examples.

    Parameters
    ----------
    confidence : array, shape (N,)
        Probability given to the predicted class.
    correct : array of bool, shape (N,)
        Whether the predicted class was the right one.
    bins : int
        Number of bins.

    Returns
    -------
    float
        Between 0 and 1.
    """
    confidence, correct = np.asarray(confidence, float), np.asarray(correct, float)
    gaps = [
        len(rows) * abs(confidence[rows].mean() - correct[rows].mean())
        for rows in equal_bins(confidence, correct, bins)
    ]
    return float(sum(gaps) / len(confidence))


def calibration_error_by_chance(
    confidence: ArrayLike, quantile: float = 0.95, bins: int = 8, repeats: int = 200, seed: int = 0
) -> float:
    """Expected calibration error that a perfectly calibrated model may have by chance.

    Outcomes are redrawn from the stated confidences and scored by `expected_calibration_error`
    (consistency resampling, Bröcker and Smith 2007).

    Parameters
    ----------
    confidence : array, shape (N,)
        Probability given to the predicted class.
    quantile : float
        Which quantile of the redrawn errors.
    bins, repeats, seed : int
        Number of bins, of redrawn data sets, and the seed of the redrawing.

    Returns
    -------
    float
        Between 0 and 1.
    """
    confidence = np.asarray(confidence, float)
    redrawn = np.random.default_rng(seed).random((repeats, len(confidence))) < confidence
    errors = [expected_calibration_error(confidence, correct, bins) for correct in redrawn]
    return float(np.quantile(errors, quantile))


def categorical_nll(y: ArrayLike, logits: ArrayLike) -> np.ndarray:
    """Negative log-likelihood of classes under an equal mixture of K classifiers.

    Parameters
    ----------
    y : array of int, shape (N,)
        Observed classes.
    logits : array, shape (K, N, C)
        Unnormalised log-probabilities of each weight sample.

    Returns
    -------
    array, shape (N,)
        In nats.
    """
    log_p = log_softmax(_samples_by_examples("logits", logits, ndim=3), axis=-1)
    return mixture_nll(np.take_along_axis(log_p, np.asarray(y)[None, :, None], axis=-1)[..., 0])


def fit_temperature(y: ArrayLike, logits: ArrayLike) -> float:
    """Temperature T for which the softmax of logits / T has the lowest held-out NLL.

    Temperature scaling (Guo et al. 2017); give it examples that were not trained on.

    Parameters
    ----------
    y : array of int, shape (N,)
        Observed classes.
    logits : array, shape (N, C)
        Unnormalised log-probabilities of one network.

    Returns
    -------
    float
        Between 0.1 and 20; above 1 makes predictions less confident.
    """
    logits = np.asarray(logits, float)
    found = minimize_scalar(
        lambda log_t: categorical_nll(y, logits[None] / np.exp(log_t)).mean(),
        bounds=(np.log(0.1), np.log(20)),
        method="bounded",
    )
    return float(np.exp(found.x))


def bernoulli_nll(x: ArrayLike, logits: ArrayLike) -> np.ndarray:
    """Negative log-likelihood of every binary image under every output of a decoder.

    ``-log p(x|z) = sum_d softplus(l_d) - x_d l_d`` for independent pixels with
    ``p(x_d = 1) = sigmoid(l_d)``: one matrix product for all pairs.

    Parameters
    ----------
    x : array, shape (N, D)
        Binary images, 0 or 1 in each of D pixels.
    logits : array, shape (M, D)
        What M codes are decoded to, before the sigmoid.

    Returns
    -------
    array, shape (N, M)
        In nats, summed over the pixels.

    Raises
    ------
    ValueError
        If x is not binary, the logits are not finite, or the two do not share D.
    """
    x, logits = np.asarray(x, dtype=float), np.asarray(logits, dtype=float)
    if x.ndim != 2 or logits.ndim != 2 or x.shape[1] != logits.shape[1]:
        raise ValueError(
            f"x has shape {x.shape} and logits {logits.shape}, but (N, D) and (M, D) are expected: "
            "flatten the images with reshape(len(x), -1)."
        )
    if not ((x >= 0) & (x <= 1)).all():
        raise ValueError(
            f"x holds values from {x.min():.4g} to {x.max():.4g}, but only 0 and 1 are expected: "
            "divide by the largest grey level, then binarise, e.g. x > 0.5."
        )
    if not ((x == 0) | (x == 1)).all():
        raise ValueError(
            "x holds grey values between 0 and 1, which have no Bernoulli likelihood: binarise "
            "first, e.g. x > 0.5."
        )
    if not np.isfinite(logits).all():
        raise ValueError("logits holds values that are not finite (NaN or infinity).")
    return np.logaddexp(0, logits).sum(axis=1) - x @ logits.T
