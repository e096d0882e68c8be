"""Regression on given features: the posteriors of a whole grid, rivals, and their scores."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm, t
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import LogisticRegressionCV, RidgeCV

_PENALTIES = np.logspace(-3, 3, 25)  # grid of the ridge regressions


class Posteriors(NamedTuple):
    """One linear model for each setting: S triples of features, noise and prior, M rows."""

    evidence: np.ndarray
    """Log evidence, shape (S,)."""
    elbo: np.ndarray
    """The largest ELBO that independent normal weights reach, shape (S,)."""
    sigma: np.ndarray
    """Standard deviation of the noise, shape (S, 1)."""
    mean: np.ndarray
    """Predicted mean, of exact and of independent weights, shape (S, M)."""
    exact: np.ndarray
    """Variance of f under the exact posterior, shape (S, M)."""
    independent: np.ndarray
    """Variance of f under independent weights, shape (S, M)."""


def _posteriors(
    phi: np.ndarray, y: np.ndarray, new: np.ndarray, sigmas: ArrayLike, priors: ArrayLike
) -> Posteriors:
    """All pairs of noise and prior at once: phi phi^T is decomposed a single time."""
    phi, y, new = (np.asarray(a, float) for a in (phi, y, new))
    pairs = np.stack(np.meshgrid(sigmas, priors, indexing="ij"), axis=-1).reshape(-1, 2)
    s2, a2 = np.square(pairs[:, :1]), np.square(pairs[:, 1:]) / phi.shape[1]
    values, vectors = np.linalg.eigh(phi @ phi.T)
    values = np.maximum(values, 0)  # rounding can take a zero below zero
    variance = a2 * values + s2  # of y along each eigenvector
    along, across = vectors.T @ y, new @ phi.T @ vectors
    evidence = -0.5 * (along**2 / variance + np.log(2 * np.pi * variance)).sum(axis=1)
    mean = (a2 * along / variance) @ across.T
    exact = a2 * (new**2).sum(axis=1) - (a2**2 / variance) @ (across**2).T
    shares = 1 / ((phi**2).sum(axis=0) / s2 + 1 / a2)  # variances of independent weights (S, H)
    weights = (a2 * along / variance) @ (phi.T @ vectors).T
    residual = ((y - weights @ phi.T) ** 2 + shares @ (phi**2).T).sum(axis=1)
    fit = -0.5 * residual / s2[:, 0] - 0.5 * len(y) * np.log(2 * np.pi * s2[:, 0])
    kl = 0.5 * ((shares + weights**2) / a2 - 1 - np.log(shares / a2)).sum(axis=1)
    independent = shares @ (new**2).T
    return Posteriors(evidence, fit - kl, pairs[:, :1], mean, np.maximum(exact, 0), independent)


def posteriors(
    candidates: Sequence[ArrayLike],
    y: ArrayLike,
    seen: ArrayLike,
    sigmas: ArrayLike,
    priors: ArrayLike,
) -> Posteriors:
    """Compute a linear model's posteriors for all settings at once, and predict all rows.

    After Bishop 2006, *Pattern Recognition and Machine Learning*, section 3.5. Independent weights
    have the variances that the diagonal of the precision matrix allows.

    Parameters
    ----------
    candidates : sequence of arrays, shape (M, H)
        Features of all rows, of one or several kinds.
    y : array, shape (M,)
        Targets of all rows; only those of the seen ones are used.
    seen : array of int, shape (N,)
        The rows to learn from.
    sigmas : array
        Standard deviations of the noise to try.
    priors : array
        Prior scales to try; the prior of a weight has this over the root of H as its standard
        deviation.

    Returns
    -------
    Posteriors
        The settings in the order candidates, noise, prior.
    """
    y = np.asarray(y)
    found = [_posteriors(phi[seen], y[seen], phi, sigmas, priors) for phi in candidates]
    return Posteriors(*map(np.concatenate, zip(*found, strict=True)))


def left_out(
    candidates: Sequence[ArrayLike],
    y: ArrayLike,
    seen: ArrayLike,
    sigmas: ArrayLike,
    priors: ArrayLike,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Judge all settings on the seen rows themselves, by leaving them out.

    The parameters are those of `posteriors`, the seen rows in random order.

    Returns
    -------
    exact, independent : array, shape (S,)
        Log density of the left-out rows in a four-fold cross-validation, a sum over the seen rows,
        in nats.
    sigma : array, shape (S,)
        Root mean square error of the mean at each row when that row alone is left out: its
        residual over 1 less its leverage.
    """
    found, part = [], np.arange(len(seen)) % 4
    for phi in (np.asarray(phi, float) for phi in candidates):
        densities = 0
        for p in range(4):
            rows, others = seen[part != p], seen[part == p]
            fits = _posteriors(phi[rows], y[rows], phi[others], sigmas, priors)
            spreads = (np.sqrt(v + fits.sigma**2) for v in (fits.exact, fits.independent))
            scores = [norm.logpdf(y[others], fits.mean, sd).sum(axis=1) for sd in spreads]
            densities = densities + np.array(scores)
        values, vectors = np.linalg.eigh(phi[seen] @ phi[seen].T)
        a2, s2 = np.square(priors) / phi.shape[1], np.square(sigmas)[:, None, None]
        kept = a2[:, None] * values / (a2[:, None] * values + s2)  # (sigmas, priors, N)
        misses = (1 - kept) * (vectors.T @ y[seen]) @ vectors.T
        errors = misses / (1 - kept @ (vectors**2).T)
        found.append([*densities, np.sqrt(np.mean(errors**2, axis=-1)).ravel()])
    exact, independent, sigma = map(np.concatenate, zip(*found, strict=True))
    return exact, independent, sigma


def mixture(y: ArrayLike, weights: ArrayLike, mean: ArrayLike, sd: ArrayLike) -> np.ndarray:
    """Score a weighted mixture of normal distributions.

    Parameters
    ----------
    y : array, shape (M,)
        True values.
    weights : array, shape (S,)
        Of the parts of the mixture; their sum is 1.
    mean, sd : array, shape (S, M)
        Of each part.

    Returns
    -------
    array, shape (2, M)
        Negative log density of each value, in nats, and the probability of what lies below it.
    """
    kept = np.asarray(weights) > 1e-6
    weights, mean, sd = (np.asarray(a)[kept] for a in (weights, mean, sd))
    density = weights @ norm.pdf(y, mean, sd)
    return np.stack([-np.log(density + 1e-300), weights @ norm.cdf(y, mean, sd)])


def one_answer(
    y: ArrayLike, mean: ArrayLike, sigma: ArrayLike, n: int, weights: ArrayLike = (1.0,)
) -> np.ndarray:
    """Score answers whose noise was estimated from n residuals, by Student's t distribution.

    A normal distribution with an estimated standard deviation promises too much when n is small.

    Parameters
    ----------
    y : array, shape (M,)
        True values.
    mean : array, shape (M,) or (S, M)
        One answer, or one for each of S settings.
    sigma : float, or array of shape (S,)
        Root mean square of the residuals.
    n : int
        Their number.
    weights : array, shape (S,)
        Of the settings; their sum is 1.

    Returns
    -------
    array, shape (2, M)
        As from `mixture`.
    """
    parts = n - 1, np.atleast_2d(mean), np.reshape(sigma, (-1, 1)) * (n / (n - 1)) ** 0.5
    density, below = np.asarray(weights) @ t.pdf(y, *parts), np.asarray(weights) @ t.cdf(y, *parts)
    return np.stack([-np.log(density + 1e-300), below])


def ridge(
    candidates: Sequence[ArrayLike], y: ArrayLike, seen: ArrayLike
) -> tuple[np.ndarray, float]:
    """Fit a linear model with an L2 penalty, chosen by leaving out one row at a time.

    Parameters
    ----------
    candidates : sequence of arrays, shape (n, H)
        Features of all rows; the best of them are used.
    y : array, shape (n,)
        Targets of all rows; only those of the seen ones are used.
    seen : array of int, shape (N,)
        The rows to learn from.

    Returns
    -------
    mean : array, shape (n,)
        Predictions.
    sigma : float
        Root mean square of the residuals of the left-out rows.
    """
    fits = [(RidgeCV(_PENALTIES).fit(phi[seen], y[seen]), phi) for phi in candidates]
    best, phi = max(fits, key=lambda fit: fit[0].best_score_)
    return best.predict(phi), (-best.best_score_) ** 0.5


def trees(
    x: ArrayLike, y: ArrayLike, seen: ArrayLike, number: int = 100
) -> tuple[np.ndarray, float]:
    """Fit extremely randomised trees; sigma comes from trees that did not see a row.

    Every branch chooses among all inputs, as their authors advise for regression (Geurts, Ernst and
    Wehenkel 2006). Parameters and result are those of `ridge`, for one array of measurements.
    """
    model = ExtraTreesRegressor(number, bootstrap=True, oob_score=True, random_state=0)
    model.fit(x[seen], y[seen])
    return model.predict(x), float(np.sqrt(np.mean((model.oob_prediction_ - y[seen]) ** 2)))


def logistic(x: np.ndarray, y: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Class probabilities (n, C) of all rows x (n, d), penalty chosen by cross-validation."""
    model = LogisticRegressionCV(
        Cs=8, cv=4, scoring="neg_log_loss", l1_ratios=(0,), use_legacy_attributes=False
    )
    return model.fit(x[seen], y[seen]).predict_proba(x)
