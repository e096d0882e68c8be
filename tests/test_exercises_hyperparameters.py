"""Answers to the exercises of `hyperparameters`; test_exercises.py holds them.

RIGHT are right in other clothes; WRONG pass a case or look right, each with a part of what it is
told.
"""

import itertools
import math

import numpy as np
import pytest
from scipy.special import comb
from sklearn.model_selection import PredefinedSplit

from course_utils.exercises import hyperparameters as module
from course_utils.exercises.hyperparameters import q1, q2, q3, q4, q5, q6


def all_ways(losses, K):
    ways = list(itertools.combinations(losses, K))
    return sum(min(way) for way in ways) / len(ways)


def simulated(losses, K, rng=None):
    rng = rng or np.random.default_rng(0)
    return rng.permuted(np.tile(losses, (20_000, 1)), axis=1)[:, :K].min(axis=1).mean()


def by_binomials(losses, K):
    ranked, N = sorted(losses), len(losses)
    return sum(ranked[i] * comb(N - 1 - i, K - 1) for i in range(N)) / comb(N, K)


def one_by_one(losses, K):
    ranked, N, total, left = sorted(losses), len(losses), 0.0, 1.0
    for i, loss in enumerate(ranked):
        p = min(1.0, K / (N - i)) * left
        total, left = total + p * loss, left - p
    return total


def optimism_in_loops(errors, m):
    K, n = errors.shape
    total = 0
    for k in range(K):
        for i in range(n):
            rest = errors[k, i] - errors[:, i].mean() - errors[k].mean() + errors.mean()
            total += rest**2
    return m * math.sqrt(total / (K - 1) / (n - 1) / n)


def optimism_by_pairs(errors, m):
    K, n = errors.shape
    pairs = [np.var(errors[a] - errors[b], ddof=1) / 2 for a in range(K) for b in range(a)]
    return m * np.sqrt(np.mean(pairs) / n)


def optimism_by_covariance(errors, m):
    K, n = errors.shape
    C = np.cov(errors)
    common = (C.sum() - np.trace(C)) / (K * (K - 1))
    return m * np.sqrt(max(np.trace(C) / K - common, 0) / n)


def optimism_in_place(errors, m):
    K, n = errors.shape
    errors -= errors.mean(axis=0)
    errors -= errors.mean(axis=1, keepdims=True)
    return np.linalg.norm(errors) / np.sqrt((K - 1) * (n - 1) * n) * m


def nested_by_scikit_learn(masks, x, y, folds):
    right = np.zeros(len(y), bool)
    for train, test in PredefinedSplit(folds).split():
        inner = np.arange(len(train)) % 5
        shares = module.cross_validate(masks, x[train], y[train], inner)
        mask = masks[np.argmax(shares)][None]
        right[test] = module.predict(mask, x[train], y[train], x[test])[0] == y[test]
    return right.mean()


def nested_in_loops(masks, x, y, folds):
    count = 0
    for fold in range(5):
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        best, best_share = 0, -1
        for s in range(len(masks)):
            right = []
            for inner in range(5):
                a, b = train[np.arange(len(train)) % 5 != inner], train[inner::5]
                right.extend(module.predict(masks[[s]], x[a], y[a], x[b])[0] == y[b])
            if np.mean(right) > best_share + 1e-12:
                best, best_share = s, np.mean(right)
        count += sum(module.predict(masks[[best]], x[train], y[train], x[test])[0] == y[test])
    return count / len(y)


def outer_folds_inside(masks, x, y, folds):
    right = []
    for fold in range(5):
        a, b = folds != fold, folds == fold
        best = module.cross_validate(masks, x[a], y[a], folds[a]).argmax()
        right = [*right, *(module.predict(masks[[best]], x[a], y[a], x[b])[0] == y[b])]
    return np.mean(right)


def last_best(masks, x, y, folds):
    return q3.answer(masks[::-1], x, y, folds)


def counted(share, chance):
    n, missed = 0, 1.0
    while missed > 1 - chance:
        n, missed = n + 1, missed * (1 - share)
    return n


RIGHT = {
    "q1": {
        "all ways": all_ways,
        "simulated": simulated,
        "binomials": by_binomials,
        "rank by rank": one_by_one,
        "list": lambda losses, K: all_ways(list(losses), int(K)),
        "array of one": lambda losses, K: np.array(by_binomials(losses, K)),
    },
    "q2": {
        "loops": optimism_in_loops,
        "pairs": optimism_by_pairs,
        "covariance": optimism_by_covariance,
        "in place": optimism_in_place,
        "outer means": lambda e, m: (
            m
            * np.sqrt(
                np.sum((e - e.mean(0) - e.mean(1)[:, None] + e.mean()) ** 2)
                / ((e.shape[0] - 1) * (e.shape[1] - 1) * e.shape[1])
            )
        ),
    },
    "q3": {
        "scikit-learn": nested_by_scikit_learn,
        "loops": nested_in_loops,
        "float": lambda *given: float(q3.answer(*given)),
    },
    "q4": {
        "NumPy": {name: np.bool_(value) for name, value in q4.answer.items()},
        "ones and zeros": {name: int(value) for name, value in q4.answer.items()},
        "texts": {name: str(value) for name, value in q4.answer.items()},
    },
    "q6": {
        "counted": counted,
        "NumPy": lambda share, chance: int(np.ceil(np.log(1 - chance) / np.log(1 - share))),
        "other base": lambda s, c: math.ceil(math.log2(1 - c) / math.log2(1 - s)),
        "log1p": lambda s, c: np.ceil(np.log1p(-c) / np.log1p(-s)),
        "next": lambda s, c: next(n for n in range(1, 10_000) if 1 - (1 - s) ** n >= c),
    },
    "q5": {
        "list": lambda running, machine, alive: [
            m == machine and p not in alive for m, p in running
        ],
        "ones and zeros": lambda running, machine, alive: [
            int(m == machine and p not in alive) for m, p in running
        ],
        "pairs": lambda running, machine, alive: [
            pair[0] == machine and pair not in {(machine, p) for p in alive} for pair in running
        ],
        "map": lambda running, machine, alive: list(
            map(lambda pair: pair[0] == machine and not {pair[1]} & alive, running)
        ),
    },
}
WRONG = {
    "q1": {
        "largest of the first": (lambda losses, K: max(losses[:K]), "too"),
        "K-th smallest": (lambda losses, K: np.sort(losses)[K - 1], "too"),
        "mean": (lambda losses, K: np.mean(losses), "too large"),
        "mean of the K best": (lambda losses, K: np.sort(losses)[:K].mean(), "too"),
        "off by one": (
            lambda losses, K: by_binomials(losses, max(K - 1, 1)),
            "too large",
        ),
        "published": (module._with_replacement, "with* replacement"),
    },
    "q2": {
        "no correction by K": (
            lambda e, m: q2.answer(e, m) * ((len(e) - 1) / len(e)) ** 0.5,
            "K − 1 of them are free",
        ),
        "one mean only": (
            lambda e, m: m * np.sqrt(((e - e.mean(0)) ** 2).sum() / (len(e) - 1)) / e.shape[1],
            "you give",
        ),
        "means of the networks left on": (
            lambda e, m: (
                m
                * np.linalg.norm(e - e.mean(0))
                / np.sqrt((len(e) - 1) * (e.size / len(e) - 1))
                / e.shape[1] ** 0.5
            ),
            "own mean is still in it",
        ),
        "binomial": (lambda e, m: m * np.sqrt(e.mean() * (1 - e.mean()) / e.shape[1]), "large"),
        "spread": (lambda e, m: m * e.mean(axis=1).std(ddof=1), "spread of the scores"),
        "difference": (lambda e, m: e.mean() - e.mean(axis=1).min(), "you give"),
        "rows for networks": (lambda e, m: q2.answer(e.T, m), "you give"),
    },
    "q3": {
        "best of all": (lambda *given: module.cross_validate(*given).max(), "chosen by the rows"),
        "mean of all": (lambda *given: module.cross_validate(*given).mean(), "you give"),
        "half": (lambda masks, x, y, folds: 0.5, "you give"),
        "worst": (
            lambda *given: module._choose_inside(
                *given,
                lambda m, x, y, out: (
                    -module.cross_validate(m, x[~out], y[~out], np.arange(sum(~out)) % 5)
                ),
            ),
            "you give",
        ),
        "outer folds inside": (outer_folds_inside, "five of their own"),
        "last best": (last_best, "you give"),
        "per fold": (
            lambda masks, x, y, folds: [q3.answer(masks, x, y, folds)] * 5,
            "came instead of one",
        ),
    },
    "q4": {
        "all": (dict.fromkeys(q4.answer, True), "Not every step"),
        "scaling leaks": (
            q4.answer | {"scale each column to mean 0 and variance 1": True},
            "which label does it use",
        ),
        "seeds do not": (
            q4.answer | {"report the best of ten random seeds": False},
            "ten results",
        ),
        "none": (dict.fromkeys(q4.answer, False), "two of the six are right"),
        "turned": ({name: not value for name, value in q4.answer.items()}, "none of the six"),
    },
    "q6": {
        "one over share": (lambda share, chance: math.ceil(1 / share), "too"),
        "always 59": (lambda share, chance: 59, "too"),
        "one more": (lambda s, c: q6.answer(s, c) + 1, "too large"),
        "whole and one": (lambda s, c: int(math.log(1 - c) / math.log(1 - s)) + 1, "whole already"),
        "rounded": (lambda s, c: round(math.log(1 - c) / math.log(1 - s)), "too small"),
        "linear": (lambda s, c: math.ceil((1 - c) / s), "too"),
    },
    "q5": {
        "positions": (
            lambda running, machine, alive: [
                i for i, (m, p) in enumerate(running) if m == machine and p not in alive
            ],
            "instead of",
        ),
        "none": (lambda running, machine, alive: [False] * len(running), "not right"),
        "all": (lambda running, machine, alive: [True] * len(running), "not right"),
        "first only": (
            lambda *given: np.cumsum(q5.answer(*given)) * q5.answer(*given) == 1,
            "not right",
        ),
        "alive anywhere": (
            lambda running, machine, alive: [p not in alive for _, p in running],
            "another machine",
        ),
    },
}


def test_a_simulation_is_accepted_whatever_the_seed():
    rngs = map(np.random.default_rng, range(20))
    passed = [q1.verdict(lambda *given, rng=rng: simulated(*given, rng))[0] for rng in rngs]
    assert sum(passed) >= 19


@pytest.mark.parametrize(("name", "is_leak"), q4.answer.items())
def test_a_leak_lifts_coin_labels_above_one_half_and_nothing_else_does(name, is_leak):
    """Do what exercise 4 asks about, with the nearest neighbour and five folds."""
    rights = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(40, 60)) * np.linspace(0.5, 2, 60), rng.integers(0, 2, 40)
        if "scale" in name:
            x = (x - x.mean(axis=0)) / x.std(axis=0)
        elif "differ" in name:
            x = x[:, np.argsort(-np.abs(x[y == 0].mean(0) - x[y == 1].mean(0)) / x.std(0))[:20]]
        elif "largest variance" in name:
            x = x[:, np.argsort(-x.var(axis=0))[:20]]
        elif "gets wrong" in name:
            fits = module.predict(np.ones((1, 60)), x, y, x)[0] == y
            x, y = x[fits], y[fits]
        elif "copy" in name:
            order = rng.permutation(np.tile(np.arange(40), 2))
            x, y = x[order], y[order]
        tries = range(10) if "seeds" in name else range(1)
        folds = [rng.permutation(len(y)) % 5 for _ in tries]
        rights.append(max(nearest_right(x, y, fold) for fold in folds))
    error = np.std(rights, ddof=1) / len(rights) ** 0.5
    assert (np.mean(rights) - 0.5 > 4 * error) == is_leak
    assert np.mean(rights) > 0.5 - 4 * error


def nearest_right(x, y, folds):
    """Share right of the nearest neighbour in another fold."""
    distance = ((x[:, None] - x) ** 2).sum(axis=2)
    distance[folds[:, None] == folds] = np.inf
    return np.mean(y[distance.argmin(axis=1)] == y)
