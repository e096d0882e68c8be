"""Answers to the exercises of `var_mod_applications`; test_exercises.py holds them.

RIGHT are right in other clothes; WRONG pass a case or look right, each with a part of what it is
told.
"""

import itertools
import math

import numpy as np
import pytest

from course_utils.exercises.var_mod_applications import q1, q2, q3, q4, q5

# --- right --------------------------------------------------------------------------------------


def by_loop(alphas, shares, goal):
    points = list(zip(list(alphas), list(shares), strict=True))
    for (a, low), (b, high) in itertools.pairwise(points):
        if low < goal <= high:
            return a + (b - a) * (goal - low) / (high - low)
    return float("nan")


def on_a_fine_grid(alphas, shares, goal):
    fine = np.linspace(alphas[0], alphas[-1], 100_001)
    reached = np.interp(fine, alphas, shares) >= goal - 1e-4
    return fine[reached.argmax()] if reached.any() else np.nan


def by_simulation(z_mu, z_sigma):
    rng = np.random.default_rng(0)
    z = z_mu + z_sigma * rng.standard_normal((8_000, *z_mu.shape))
    z = z.reshape(-1, z_mu.shape[1])
    return z.mean(axis=0), np.atleast_2d(np.cov(z.T))


def with_n_minus_one(z_mu, z_sigma):
    covariance = np.atleast_2d(np.cov(z_mu, rowvar=False))
    return list(z_mu.mean(0)), covariance + np.diag(np.mean(np.square(z_sigma), 0))


def in_place(z_mu, z_sigma):
    mean = z_mu.mean(axis=0)
    z_mu -= mean
    z_sigma **= 2
    return mean, np.einsum("ni,nj->ij", z_mu, z_mu) / len(z_mu) + np.diag(z_sigma.mean(axis=0))


def smallest_out(nll):
    low = nll.min(axis=1, keepdims=True)
    return low[:, 0] - np.log(np.exp(low - nll).mean(axis=1))


def one_after_the_other(nll):
    out = []
    for row in nll.tolist():
        low = min(row)
        out.append(low - math.log(sum(math.exp(low - v) for v in row) / len(row)))
    return out


def by_logaddexp(nll):
    return np.log(nll.shape[1]) - np.logaddexp.reduce(-nll, axis=1)


def all_terms(log_p_x_given_z, log_p_z, log_q_z, d, delta):
    sent = -log_p_x_given_z / np.log(2) - log_p_z / np.log(2) - d * np.log2(delta)
    return sent - (-log_q_z / np.log(2) - d * np.log2(delta))


RIGHT = {
    "q1": {
        "two codes": lambda d, a: abs(((1 - a) * d + a * 7.0) - (a * 7.0)),
        "root": lambda d, a: ((d - a * d) ** 2) ** 0.5,
        "norm": lambda d, a: np.linalg.norm(np.array([d, 0]) * (1 - a)),
        "max": lambda d, a: max(1 - a, a - 1) * d,
    },
    "q2": {"loop": by_loop, "fine grid": on_a_fine_grid, "exact": q2.answer},
    "q3": {"simulation": by_simulation, "N - 1": with_n_minus_one, "in place": in_place},
    "q4": {
        "smallest out": smallest_out,
        "plain Python": one_after_the_other,
        "logaddexp": by_logaddexp,
    },
    "q5": {
        "all terms": all_terms,
        "log2": lambda x, p, q, d, delta: (q - p - x) * np.log2(np.e),
        "1.4427": lambda x, p, q, d, delta: 1.4427 * (q - p - x),
    },
}

# --- wrong --------------------------------------------------------------------------------------

WRONG = {
    "q1": {
        "only shrinks": (lambda d, a: d - min(a, 1) * d, "part again"),
        "signed": (lambda d, a: d - a * d, "negative"),
        "half": (lambda d, a: d / 2, "Write step 5"),
        "zero at the end": (lambda d, a: 0.0 if a == 1 else d, "Write step 5"),
    },
    "q2": {
        "interp": (lambda a, s, g: np.interp(g, s, a), "only rise"),
        "infinity": (
            lambda a, s, g: q2.answer(a, s, g) if max(s) >= g else np.inf,
            "infinity",
        ),
        "first of the list": (
            lambda a, s, g: next((v for v, w in zip(a, s, strict=True) if w >= g), np.nan),
            "between two",
        ),
        "by the closest": (lambda a, s, g: a[np.argmin(abs(s - g))], "closest"),
        "sorted": (
            lambda a, s, g: np.interp(g, np.sort(s), a) if max(s) >= g else np.nan,
            "which is too",
        ),
    },
    "q3": {
        "centres": (lambda m, s: (m.mean(0), np.atleast_2d(np.cov(m.T))), "centres"),
        "sigma": (
            lambda m, s: (m.mean(0), np.atleast_2d(np.cov(m.T)) + np.diag(s.mean(0))),
            "standard deviation",
        ),
        "the first cloud": (
            lambda m, s: (m.mean(0), np.atleast_2d(np.cov(m.T)) + np.diag(s[0] ** 2)),
            "Two things",
        ),
        "variances": (
            lambda m, s: (m.mean(0), np.diag(m.var(0) + (s**2).mean(0))),
            "Two things",
        ),
    },
    "q4": {
        "mean": (lambda nll: nll.mean(1), "average the logarithms"),
        "naive": (lambda nll: -np.log(np.mean(np.exp(-nll), axis=1)), "exact arithmetic"),
        "ten": (
            lambda nll: np.log(10) - np.logaddexp.reduce(-nll, axis=1),
            "number of classes",
        ),
        "best and label": (lambda nll: nll.min(1) + np.log(nll.shape[1]), "sum_y"),
        "total": (lambda nll: q4.answer(nll).sum(), "one number came"),
    },
    "q5": {
        "sent": (lambda x, p, q, d, delta: -(x + p) / np.log(2) - d * np.log2(delta), "Take off"),
        "nats": (lambda x, p, q, d, delta: -x - p + q, "nats"),
        "one step": (
            lambda x, p, q, d, delta: (q - p - x) / np.log(2) - np.log2(delta),
            "Three terms",
        ),
        "codes only": (lambda x, p, q, d, delta: (q - p) / np.log(2), "Three terms"),
    },
}

MADE = {
    "centres only": (q3, lambda m, s: (m.mean(0), np.atleast_2d(np.cov(m.T)))),
    "underflow": (q4, lambda nll: -np.log(np.sum(np.exp(-nll) / nll.shape[1], axis=1))),
    "nothing back": (q5, lambda x, p, q, d, w: -x / np.log(2) - np.log2(np.exp(p) * w**d)),
}


@pytest.mark.parametrize(("name", "made"), MADE.items(), ids=MADE)
def test_mistakes_written_another_way_are_recognised(name, made):
    exercise, answer = made
    passed, message = exercise.verdict(answer)
    assert passed is False
    assert exercise.mistakes[name][1] in message


# --- what the exercises say, tried out ----------------------------------------------------------


def test_six_steps_shrink_distances_as_the_exercise_says():
    rng = np.random.default_rng(0)
    z_1, other, average = rng.normal(size=(3, 10))
    for alpha in (0.25, 1, 2):
        after = np.linalg.norm(
            (z_1 + alpha * (average - z_1)) - (other + alpha * (average - other))
        )
        before = np.linalg.norm(z_1 - other)
        np.testing.assert_allclose(after, q1.answer(before, alpha), atol=1e-12)
