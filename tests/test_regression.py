"""Posteriors of linear models and their rivals, against matrices inverted one by one and loops."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import chi2, multivariate_normal, norm

from course_utils import metrics, regression

SIGMAS, PRIORS = [0.3, 0.8], [0.5, 2.0, 9.0]


def made(rows: int = 30, features: tuple[int, ...] = (4, 25)) -> tuple[list, np.ndarray]:
    """Features of two kinds, fewer and more than the twelve rows that are learned from."""
    rng = np.random.default_rng(0)
    candidates = [rng.normal(size=(rows, h)) for h in features]
    return candidates, candidates[0] @ [0.5, -0.3, 0.2, 0] + 0.4 * rng.normal(size=rows)


SEEN = np.random.default_rng(1).permutation(30)[:12]


def by_hand(phi: np.ndarray, y: np.ndarray, sigma: float, prior: float) -> tuple[np.ndarray, ...]:
    """Mean, covariance, precision of the exact posterior, variances of independent weights."""
    precision = phi.T @ phi / sigma**2 + np.eye(phi.shape[1]) * phi.shape[1] / prior**2
    covariance = np.linalg.inv(precision)
    return covariance @ phi.T @ y / sigma**2, covariance, precision, 1 / np.diag(precision)


def test_all_settings_at_once_are_each_setting_on_its_own():
    candidates, y = made()
    hidden = np.where(np.isin(np.arange(30), SEEN), y, np.nan)  # other targets must not be used
    found = regression.posteriors(candidates, hidden, SEEN, SIGMAS, PRIORS)
    settings = list(product(candidates, SIGMAS, PRIORS))
    for s, (phi, sigma, prior) in enumerate(settings):
        a, b = phi[SEEN], y[SEEN]
        mean, covariance, precision, shares = by_hand(a, b, sigma, prior)
        noise = prior**2 / phi.shape[1] * a @ a.T + sigma**2 * np.eye(12)
        evidence = multivariate_normal.logpdf(b, cov=noise)
        # what independent weights lose is their KL to the exact posterior
        loss = (np.trace(precision * shares) - len(shares)) / 2
        loss += (np.linalg.slogdet(covariance)[1] - np.log(shares).sum()) / 2
        np.testing.assert_allclose(
            [found.sigma[s, 0], found.evidence[s], found.elbo[s]],
            [sigma, evidence, evidence - loss],
        )
        np.testing.assert_allclose(found.mean[s], phi @ mean)
        np.testing.assert_allclose(found.exact[s], np.diag(phi @ covariance @ phi.T))
        np.testing.assert_allclose(found.independent[s], phi**2 @ shares)
    assert len(settings) == len(found.evidence) == 12


def test_no_variance_is_negative_where_the_data_say_all():
    phi = np.ones((8, 1))
    found = regression.posteriors([phi], np.ones(8), np.arange(8), [1e-9], [1e3])
    assert (found.exact >= 0).all() and np.isfinite(found.evidence).all()


def test_rows_are_left_out_by_the_quarter_for_densities_and_singly_for_the_noise():
    candidates, y = made()
    found = regression.left_out(candidates, y, SEEN, SIGMAS, PRIORS)
    for s, (phi, sigma, prior) in enumerate(product(candidates, SIGMAS, PRIORS)):
        totals, errors = np.zeros(2), []
        for part in range(4):
            rows, others = (SEEN[(np.arange(12) % 4 == part) == out] for out in (False, True))
            mean, covariance, _, shares = by_hand(phi[rows], y[rows], sigma, prior)
            for kind, matrix in enumerate((covariance, np.diag(shares))):
                spread = np.sqrt(np.diag(phi[others] @ matrix @ phi[others].T) + sigma**2)
                totals[kind] += norm.logpdf(y[others], phi[others] @ mean, spread).sum()
        for row in SEEN:
            rows = np.setdiff1d(SEEN, row)
            errors.append(y[row] - phi[row] @ by_hand(phi[rows], y[rows], sigma, prior)[0])
        expected = [*totals, np.mean(np.square(errors)) ** 0.5]
        np.testing.assert_allclose([values[s] for values in found], expected)


# Scores


def test_a_mixture_with_equal_weights_is_that_of_the_metrics():
    rng = np.random.default_rng(3)
    y, mean, sd = rng.normal(size=6), rng.normal(size=(2, 6)), rng.uniform(0.3, 2, (2, 6))
    repeated = mean[[0, 1, 1, 1]], sd[[0, 1, 1, 1]]
    expected = metrics.gaussian_nll(y, *repeated), metrics.mixture_cdf(y, *repeated)
    np.testing.assert_allclose(regression.mixture(y, [0.25, 0.75], mean, sd), expected)


def test_a_value_that_no_part_expects_has_a_finite_score():
    nll, below = regression.mixture([1e3], [1], [[0.0]], [[1.0]])[:, 0]
    assert 600 < nll < 1000 and below == 1


@pytest.mark.parametrize("n", [3, 10, 100_000])
def test_one_answer_averages_normals_over_what_their_sigma_may_be(n):
    y, mean, sigma = np.array([-1.0, 0.2, 4.0]), np.array([0.5, 0.2, 1.0]), 0.7
    squares = chi2.ppf((np.arange(20_000) + 0.5) / 20_000, n - 1)[:, None]  # of the residuals
    sigmas = sigma * np.sqrt(n / squares)
    means = np.broadcast_to(mean, (20_000, 3))
    expected = metrics.gaussian_nll(y, means, sigmas), metrics.mixture_cdf(y, means, sigmas)
    found = regression.one_answer(y, mean, sigma, n)
    np.testing.assert_allclose(found, expected, rtol=2e-3)
    if n > 1_000:
        np.testing.assert_allclose(found[0], -norm.logpdf(y, mean, sigma), rtol=1e-3)


def test_answers_of_several_settings_are_mixed_by_their_weights():
    y, mean, sigma = np.array([0.3, -1.0]), np.array([[0.0, 1.0], [0.5, -2.0]]), [0.7, 1.2]
    found = regression.one_answer(y, mean, sigma, 9, [0.25, 0.75])
    (nll, below), (nll2, below2) = (regression.one_answer(y, mean[i], sigma[i], 9) for i in (0, 1))
    density = 0.25 * np.exp(-nll) + 0.75 * np.exp(-nll2)
    np.testing.assert_allclose(found, [-np.log(density), 0.25 * below + 0.75 * below2])


# Rivals


def left_out_errors(phi: np.ndarray, y: np.ndarray, penalty: float) -> list[float]:
    """Error at each row of a ridge regression on all others; the intercept has no penalty."""
    errors = []
    for i in range(len(y)):
        a, b = np.delete(phi, i, axis=0), np.delete(y, i)
        inverse = np.linalg.inv((a - a.mean(0)).T @ (a - a.mean(0)) + penalty * np.eye(a.shape[1]))
        w = inverse @ (a - a.mean(0)).T @ (b - b.mean())
        errors.append(y[i] - b.mean() - (phi[i] - a.mean(0)) @ w)
    return errors


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_ridge_is_chosen_by_leaving_out_one_row_at_a_time(order):
    candidates, y = made()
    candidates = [candidates[i] for i in order]
    tried = list(product(candidates, np.logspace(-3, 3, 25)))
    losses = [np.mean(np.square(left_out_errors(p[SEEN], y[SEEN], alpha))) for p, alpha in tried]
    phi, penalty = tried[np.argmin(losses)]
    hidden = np.where(np.isin(np.arange(30), SEEN), y, np.nan)
    mean, sigma = regression.ridge(candidates, hidden, SEEN)
    assert sigma == pytest.approx(min(losses) ** 0.5)

    centred, middle = phi - phi[SEEN].mean(axis=0), y[SEEN].mean()
    gram = centred[SEEN].T @ centred[SEEN] + penalty * np.eye(phi.shape[1])
    w = np.linalg.solve(gram, centred[SEEN].T @ (y[SEEN] - middle))
    np.testing.assert_allclose(mean, middle + centred @ w)


def test_the_noise_of_trees_is_their_error_at_rows_that_they_did_not_see():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(1_000, 3))
    y, seen = x[:, 0] + rng.normal(size=1_000), np.arange(300)
    mean, sigma = regression.trees(x, np.where(np.arange(1_000) < 300, y, np.nan), seen)
    errors = np.square(mean - y)
    assert sigma == pytest.approx(errors[300:].mean() ** 0.5, rel=0.06)
    assert errors[:300].mean() ** 0.5 < 0.6 * sigma  # at the rows that they saw
