"""Answers to the exercises of `bayesian_neural_networks_wine`; test_exercises.py holds them.

RIGHT are right in other clothes; WRONG pass a case or look right, each with a part of what it is
told.
"""

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import scipy.stats
import sklearn.metrics
import tensorflow as tf
from sklearn.model_selection import KFold, LeaveOneOut

from course_utils import metrics
from course_utils.exercises.bayesian_neural_networks_wine import q2, q9
from course_utils.lessons.bayesian_neural_networks_wine import called


def halves(N, M, reduction):
    if reduction == "mean":
        return 1 / N
    if reduction == "sum":
        return M / N


def only_the_mean(N, M, reduction):
    if reduction == "mean":
        return 1 / N


def seen_and_unseen(H):
    u, v = np.full(H, H**-0.5), np.zeros(H)
    v[:2] = 0.5**0.5, -(0.5**0.5)
    return u, v


def from_matrices(H, N):
    u, v = seen_and_unseen(H)
    precision = N * np.outer(u, u) + np.eye(H)
    covariance = np.linalg.inv(precision)
    return u @ covariance @ u, v @ covariance @ v, u**2 @ (1 / np.diag(precision))


def simulated_weights(H, N, rng=None):
    rng, (u, v) = rng or np.random.default_rng(0), seen_and_unseen(H)
    precision = N * np.outer(u, u) + np.eye(H)
    w = rng.multivariate_normal(np.zeros(H), np.linalg.inv(precision), size=10_000)
    even = rng.normal(scale=np.diag(precision) ** -0.5, size=(10_000, H))
    return np.var(w @ u), np.var(w @ v), np.var(even @ v)


def rounded_variances(H, N):
    return tuple(float(f"{variance:.2g}") for variance in q2.answer(H, N))


def rmse_in_loops(draws, y):
    total = 0
    for n in range(len(y)):
        guess = sum(draw[n] for draw in draws) / len(draws)
        total += (guess - y[n]) ** 2
    return math.sqrt(total / len(y))


def rmse_in_place(draws, y):
    draws -= y
    mean = draws.mean(axis=0)
    mean **= 2
    return mean.mean() ** 0.5


def sigma_by_masks(fit, x, y):
    total = 0
    for i in range(len(x)):
        others = np.arange(len(x)) != i
        total += (fit(x[others], y[others])(x[i : i + 1])[0] - y[i]) ** 2
    return (total / len(x)) ** 0.5


def sigma_by_folds(fit, x, y, split=None):
    misses = np.zeros(len(y))
    for train, test in (split or LeaveOneOut()).split(x):
        misses[test] = y[test] - fit(x[train], y[train])(x[test])
    return np.sqrt((misses**2).mean())


def sigma_by_metrics(fit, x, y):
    guesses = [fit(np.delete(x, [i], 0), np.delete(y, [i]))(x)[i] for i in range(len(y))]
    return sklearn.metrics.root_mean_squared_error(y, guesses)


def sigma_of_lists(fit, x, y):
    x, y, squares = x.tolist(), y.tolist(), []
    for _ in range(len(y)):
        row, truth = x.pop(0), y.pop(0)
        (guess,) = fit(x, y)([row])
        squares.append((guess - truth) ** 2)
        x.append(row), y.append(truth)
    return math.sqrt(sum(squares) / len(squares))


def sigma_in_place(fit, x, y):
    errors = y.astype(float)
    for i in range(len(y)):
        errors[i] -= fit(np.delete(x, i, 0), np.delete(y, i))(x[[i]])[0]
    errors *= errors
    return errors.mean() ** 0.5


def errors_left_out(fit, x, y):
    return [(fit(np.delete(x, i, 0), np.delete(y, i))(x[[i]]) - y[i])[0] for i in range(len(y))]


def first_wine_only(fit, x, y):
    for i in range(len(y)):
        predict = fit(np.delete(x, i, axis=0), np.delete(y, i))
        return np.sqrt((predict(x[[i]]) - y[i]) ** 2)


def one_row_is_no_table(fit, x, y):
    return np.mean([fit(np.delete(x, i, 0), np.delete(y, i))(x[i]) for i in range(len(y))])


def all_of_equal_colour_left_out(fit, x, y):
    errors = []
    for row, truth in zip(x, y, strict=True):
        others = (x != row).any(axis=1)
        errors.append(fit(x[others], y[others])(row[None]) - truth)
    return np.linalg.norm(errors) / len(errors) ** 0.5


def errors_at_the_others(fit, x, y):
    squares = []
    for i in range(len(y)):
        x_, y_ = np.delete(x, i, 0), np.delete(y, i)
        squares.append(np.mean((fit(x_, y_)(x_) - y_) ** 2))
    return np.sqrt(np.mean(squares))


def halves_of_the_wines(fit, x, y):
    return sigma_by_folds(fit, x, y, KFold(2))


def never_called(fit, x, y):
    return np.sqrt(np.mean((fit(x, y) - y) ** 2))


def called_by_sorting(known, new):
    threshold = np.sort(known)[int(np.ceil(0.9 * len(known))) - 1]
    return (new <= threshold).mean()


def called_in_loops(known, new):
    for threshold in sorted(known):
        if sum(k <= threshold for k in known) >= 0.9 * len(known):
            return sum(n <= threshold for n in new) / len(new)


def called_in_place(known, new):
    known.sort()
    new.sort()
    threshold = known[-(len(known) // 10) - 1]  # a tenth may lie above it
    return np.searchsorted(new, threshold, side="right") / len(new)


def called_before_nine_of_ten(known, new):
    return np.mean(new <= sorted(known)[int(0.9 * len(known)) - 1])


def interval_in_loops(mu, sigma):
    ends = []
    for m, s in zip(mu.T, sigma.T, strict=True):
        sd = (m.var() + (s * s).mean()) ** 0.5
        ends.append((m.mean() - 2 * sd, m.mean() + 2 * sd))
    return zip(*ends, strict=True)


def simulated_interval(mu, sigma, rng=None):
    rng = rng or np.random.default_rng(0)
    return np.quantile(rng.normal(mu, sigma), [0.025, 0.975], axis=0)


def thousand_draws(mu, sigma):
    rng = np.random.default_rng(1)
    k = rng.integers(len(mu), size=1_000)
    y = np.sort(rng.normal(mu[k], sigma[k]), axis=0)
    return y[25], y[975]


def too_low(mu, sigma):
    lower, upper = q9.answer(mu, sigma)
    return lower - 100, upper


def information_by_hand(p):
    mean = p.mean(axis=0)
    return -np.sum(mean * np.log(mean), axis=-1) + np.mean(np.sum(p * np.log(p), axis=-1), axis=0)


def information_as_divergence(p):
    return (p * np.log(p / p.mean(axis=0, keepdims=True))).sum(axis=-1).mean(axis=0)


def vote_in_loops(p):
    N = len(p[0])
    return [max(range(len(p[0][n])), key=lambda c, n=n: sum(m[n][c] for m in p)) for n in range(N)]


RIGHT = {
    "q1": {
        "one branch each": halves,
        "dictionary": lambda N, M, reduction: {"mean": 1 / N, "sum": M / N}[reduction],
        "fraction": lambda N, M, reduction: Fraction(1 if reduction == "mean" else M, N),
        "where": lambda N, M, reduction: np.where(reduction == "mean", 1, M) / N,
    },
    "q2": {
        "matrices": from_matrices,
        "simulated": simulated_weights,
        "two digits": rounded_variances,
        "fractions": lambda H, N: [Fraction(1, 1 + N), Fraction(1), Fraction(H, H + N)],
        "TensorFlow": lambda H, N: tf.constant([1 / (1 + N), 1, H / (H + N)]),
        "an array": lambda H, N: np.array([1 / (N + 1.0), 1.0, 1 / (N / H + 1)]),
    },
    "q3": {
        "loops": rmse_in_loops,
        "in place": rmse_in_place,
        "metrics": lambda draws, y: metrics.rmse(y, draws),
        "scikit-learn": lambda d, y: sklearn.metrics.root_mean_squared_error(y, d.mean(axis=0)),
        "norm": lambda draws, y: np.linalg.norm(np.mean(draws, 0) - y) / len(y) ** 0.5,
        "TensorFlow": lambda d, y: tf.sqrt(tf.reduce_mean((tf.reduce_mean(d, axis=0) - y) ** 2)),
    },
    "q4": {
        "masks": sigma_by_masks,
        "scikit-learn": sigma_by_folds,
        "shuffled folds": lambda fit, x, y: sigma_by_folds(fit, x, y, KFold(len(x), shuffle=True)),
        "scikit-learn's metric": sigma_by_metrics,
        "rows of lists": sigma_of_lists,
        "in place": sigma_in_place,
        "comprehension": lambda *given: np.sqrt(np.mean(np.square(errors_left_out(*given)))),
        "norm": lambda *given: np.linalg.norm(errors_left_out(*given)) / len(given[-1]) ** 0.5,
    },
    "q5": {
        "sorted": called_by_sorting,
        "loops": called_in_loops,
        "in place": called_in_place,
        "higher, then lower": lambda k, n: np.mean(n <= np.sort(k)[-(-9 * len(k) // 10) - 1]),
        "percentile": lambda k, new: (
            sum(new <= np.percentile(k, 90, method="inverted_cdf")) / new.size
        ),
        "pandas": lambda k, n: pd.Series(n).le(np.sort(k)[-(-9 * len(k) // 10) - 1]).mean(),
        "lesson": called,
    },
    "q9": {
        "the mixture's own": lambda mu, sigma: metrics.mixture_interval(mu, sigma, 0.95),
        "loops, two for 1.96": interval_in_loops,
        "simulated": simulated_interval,
        "thousand draws": thousand_draws,
        "normal": lambda mu, s: scipy.stats.norm.interval(
            0.95, mu.mean(axis=0), np.sqrt(mu.var(axis=0) + np.mean(s**2, axis=0))
        ),
    },
    "q7": {
        "by hand": information_by_hand,
        "divergence": information_as_divergence,
        "metrics": lambda p: metrics.entropy_split(p).epistemic,
        "list": lambda p: [float(information_by_hand(p[:, [n]])[0]) for n in range(p.shape[1])],
    },
    "q8": {
        "loops": vote_in_loops,
        "sum": lambda p: np.argmax(np.sum(p, axis=0), axis=1),
        "as floats": lambda p: 1.0 * p.mean(axis=0).argmax(axis=-1),
        "TensorFlow": lambda p: tf.argmax(tf.reduce_mean(p, axis=0), axis=-1),
    },
    "q6": {
        "mean": lambda log_likelihoods, kl, N: N * np.mean(log_likelihoods) - kl,
        "Python": lambda logs, kl, N: sum(logs) / len(logs) * N - kl,
        "per example, times N": lambda logs, kl, N: N * (logs.mean() - kl / N),
    },
}
WRONG = {
    "q1": {
        "only the mean": (only_the_mean, "returns nothing (None) for N = 4000, m = 50 and"),
        "as typed": (lambda N, M, reduction: 1 / 4_000, "For N = 4000, M = 50 and reduction ="),
        "batches": (lambda N, M, reduction: N / M, "you give 80, which is too large."),
        "no reduction": (lambda N, M: 1 / N, "has to take three arguments: N, M, reduction"),
        "upside down": (lambda N, M, reduction: N if reduction == "mean" else N / M, "too large"),
    },
    "q2": {
        "200 weights": (
            lambda H, N: (1 / (1 + N), 1, 1 / (1 + N / 200)),
            "For H = 2 and N = 20, in",
        ),
        "20 wines": (
            lambda H, N: (1 / 21, 1, 1 / (1 + 20 / H)),
            "For H = 5 and N = 3, in result 1",
        ),
        "the prior": (
            lambda H, N: (1 / (1 + N), 1, 1),
            "in result 3 of 3, you give 1, which is too",
        ),
        "exact ones only": (lambda H, N: q2.answer(H, N)[:2], "two numbers came instead of"),
        "noise added": (lambda H, N: [v + 1 for v in q2.answer(H, N)], "which is too large"),
        "whole matrix": (
            lambda H, N: np.linalg.inv(N / H + np.eye(H)),
            "came instead of three numbers",
        ),
    },
    "q3": {
        "over the examples": (lambda draws, y: (draws.mean(axis=1) - y).std(), "stopped with"),
        "per wine": (lambda draws, y: np.abs(draws.mean(axis=0) - y), "two numbers came instead"),
        "spread": (lambda draws, y: (draws.mean(axis=0) - y).std(), "which is too small"),
        "a draw in the middle": (lambda d, y: metrics.rmse(y, d[len(d) // 2][None]), "you give"),
        "absolute": (lambda draws, y: np.abs(draws.mean(axis=0) - y).mean(), "too small"),
    },
    "q4": {
        "first wine only": (first_wine_only, "y = [1, 0, 2, 4], you give 1, which is too"),
        "a row alone": (one_row_is_no_table, "x of some wines has the shape (n, d), but (1,) came"),
        "the others": (errors_at_the_others, "learns anew for each wine"),
        "equal wines left out": (all_of_equal_colour_left_out, "you give"),
        "two folds": (halves_of_the_wines, "you give"),
        "not called": (never_called, "stopped with `TypeError: unsupported operand"),
        "each wine's": (errors_left_out, "four numbers came instead of one number"),
        "median": (lambda *given: np.median(np.abs(errors_left_out(*given))), "too small"),
        "N - 1, mean taken off": (
            lambda *given: np.std(errors_left_out(*given), ddof=1),
            "too large",
        ),
        "degrees of freedom": (
            lambda fit, x, y: np.sqrt(np.sum((fit(x, y)(x) - y) ** 2) / (len(y) - 2)),
            "which is too small",
        ),
    },
    "q5": {
        "nine tenths rounded down": (called_before_nine_of_ten, "too small"),
        "percentile": (lambda known, new: np.mean(new <= np.percentile(known, 90)), "interpolated"),
        "nearest": (
            lambda known, new: np.mean(new <= np.quantile(known, 0.9, method="nearest")),
            "For known = [3, 0.5, 8, 1, 2, 0.2, 1.5, 0.7] and new = [7, 1, 9, 4], you give 0.25,",
        ),
        "all known wines": (lambda known, new: np.mean(new <= known.max()), "for known (44 num"),
        "known wines": (lambda known, new: np.mean(known <= np.quantile(new, 0.9)), "you give"),
        "whether each": (lambda known, new: new <= known.max(), "four numbers came instead of one"),
        "higher": (
            lambda k, n: np.mean(n <= np.quantile(k, 0.9, method="higher")),
            "one wine too far",
        ),
        "the threshold": (lambda known, new: np.quantile(known, 0.9, method="higher"), "too large"),
        "per cent": (lambda known, new: 100 * called_by_sorting(known, new), "you give 75, which"),
        "most doubted": (lambda known, new: np.mean(new <= np.quantile(known, 0.1)), "too small"),
    },
    "q9": {
        "lower end 100 too low": (too_low, "Of the prediction 0.0% lie below"),
        "90 %": (lambda mu, s: metrics.mixture_interval(mu, s, 0.9), "5.0% lie below"),
        "one of its draws": (
            lambda mu, s: (mu[1] - 1.96 * s[1], mu[1] + 1.96 * s[1]),
            "above it",
        ),
        "quantiles of mu": (lambda mu, s: np.quantile(mu, [0.025, 0.975], axis=0), "lie below"),
        "outermost": (lambda mu, s: ((mu - 2 * s).min(0), (mu + 2 * s).max(0)), "0.0% lie below"),
        "square of the mean": (
            lambda mu, s: scipy.stats.norm.interval(
                0.95, mu.mean(0), np.sqrt(mu.var(0) + s.mean(0) ** 2)
            ),
            "above it",
        ),
        "as columns": (lambda mu, s: np.transpose(q9.answer(mu, s)), "of three rows and two"),
        "lower end only": (lambda mu, s: q9.answer(mu, s)[0], "three numbers came instead of"),
    },
    "q7": {
        "other axis": (
            lambda p: (
                scipy.stats.entropy(p.mean(-1), axis=0) - scipy.stats.entropy(p, axis=0).mean(-1)
            ),
            "one of your numbers is",
        ),
        "of the first network": (
            lambda p: scipy.stats.entropy(p.mean(0), axis=-1) - scipy.stats.entropy(p[0], axis=-1),
            "one of your numbers is",
        ),
        "mean": (lambda p: information_by_hand(p).mean(), "one number came instead of five"),
        "variance": (lambda p: p.var(axis=0).sum(axis=-1), "one of your numbers is"),
    },
    "q8": {
        "from one on": (lambda p: p.mean(axis=0).argmax(axis=-1) + 1, "which is not right"),
        "probabilities": (lambda p: p.mean(axis=0), "an array of 20 rows and three columns came"),
        "members": (lambda p: p.mean(axis=-1).argmax(axis=0), "not right"),
        "least likely": (lambda p: p.mean(axis=0).argmin(axis=-1), "not right"),
        "product": (lambda p: p.prod(axis=0).argmax(axis=-1), "not right"),
    },
    "q6": {
        "five examples": (
            lambda logs, kl, N: N / 5 * logs.sum() - kl,
            "For log_likelihoods = [-0.7]",
        ),
        "hundred": (lambda logs, kl, N: 100 * logs.mean() - kl, "N = 40"),
        "one by one": (lambda logs, kl, N: N * logs - kl, "five numbers came instead of one"),
        "positive": (lambda logs, kl, N: -N * np.abs(logs).mean() - kl, "too small"),
    },
}


def test_a_simulated_interval_is_accepted_whatever_the_seed():
    """A single draw from each network, as one would write it first: 59 of 60 seeds at least."""
    rngs = map(np.random.default_rng, range(60))
    passed = [
        q9.verdict(lambda mu, sigma, rng=rng: simulated_interval(mu, sigma, rng))[0] for rng in rngs
    ]
    assert sum(passed) >= 59


def test_simulated_weights_are_accepted_whatever_the_seed():
    """Ten thousand draws of each posterior: 59 of 60 seeds at least."""
    rngs = map(np.random.default_rng, range(60))
    passed = [q2.verdict(lambda H, N, rng=rng: simulated_weights(H, N, rng))[0] for rng in rngs]
    assert sum(passed) >= 59
