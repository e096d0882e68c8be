"""Exercises of the lesson `hyperparameters`."""

import math

import numpy as np
from scipy.stats import hypergeom

from course_utils.exercises import Exercise

_RNG = np.random.default_rng(21)


# --- 1: the expected best of K ------------------------------------------------------------------
def _expected_best(losses, K):
    N = len(losses)
    none = hypergeom.pmf(0, N, np.arange(N + 1), K)  # none of the i best was drawn
    return np.sort(losses) @ (none[:-1] - none[1:])


def _with_replacement(losses, K):
    none = (1 - np.arange(len(losses) + 1) / len(losses)) ** K
    return np.sort(losses) @ (none[:-1] - none[1:])


q1 = Exercise(
    answer=_expected_best,
    cases=[
        (np.array([0.5, 0.2, 0.9, 0.4]), 2),
        (np.array([0.5, 0.2, 0.9, 0.4]), 4),
        (_RNG.gamma(2, size=12), 5),
        (np.array([3.0, 1.0, 1.0, 7.0, 4.0]), 1),
        (np.array([2.0]), 1),
    ],
    tolerance=0.015,  # of a simulation with some thirty thousand draws
    praise="With all N trials drawn it is the smallest loss, with one it is the mean.",
    mistakes={
        "with replacement": (
            _with_replacement,
            "This is the formula as published in 2019: it draws *with* replacement, so that a "
            "trial may come twice. With K = N it does not give the smallest loss, and it should.",
        ),
        "smallest of all": (
            lambda losses, K: np.min(losses),
            "That is what all N trials have found. Only K of them are drawn.",
        ),
        "first K": (
            lambda losses, K: np.min(losses[:K]),
            "That is one way to draw K trials, the first ones. Average over all ways.",
        ),
        "quantile": (
            lambda losses, K: np.quantile(losses, 1 / (K + 1)),
            "A quantile is near it for many trials. Here it can be exact.",
        ),
        "largest": (
            lambda losses, K: -_expected_best(-np.asarray(losses), K),
            "You give the expected largest loss of K. The smallest one wins.",
        ),
    },
    otherwise="How probable is it that the winner has rank i among all N? None of the better ones "
    "may be drawn. A simulation needs some thirty thousand draws, without replacement.",
    hints=[
        "For small N, `itertools.combinations(losses, K)` lists all ways to draw K of N: average "
        "the minimum of each. That is a right answer.",
        "None of the $i$ best is drawn with probability $\\binom{N-i}{K}/\\binom{N}{K}$. The "
        "winner has rank $i$ with this for $i - 1$ less this for $i$.",
    ],
    explanation="The winner has rank $i$ if none of the $i - 1$ best is drawn, but one of the $i$ "
    "best is. The difference of the two probabilities is the weight of the $i$-th smallest loss.",
)


# --- 2: optimism from the table of errors -------------------------------------------------------
def _optimism(errors, m):
    K, n = errors.shape
    rest = errors - errors.mean(axis=0)
    rest = rest - rest.mean(axis=1, keepdims=True)
    return np.sqrt(np.sum(rest**2) / (K - 1) / (n - 1) / n) * m


def _table(K, n):
    hard = _RNG.random(n) < 0.3
    return np.where(_RNG.random((K, n)) < 0.2, 1 - hard, hard).astype(float)


def _means_left_on(errors, m):
    K, n = errors.shape
    return np.sqrt(np.sum((errors - errors.mean(axis=0)) ** 2) / (K - 1) / (n - 1) / n) * m


_UNEQUAL = (_RNG.random((24, 80)) < np.linspace(0.05, 0.8, 24)[:, None]).astype(float)


q2 = Exercise(
    answer=_optimism,
    cases=[
        (_table(16, 100), 1.766),
        (_table(64, 60), 2.36),
        (np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), 0.564),
        (np.array([[1.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0]]), 0.564),
        (_UNEQUAL, 1.948),
    ],
    tolerance=0.02,
    praise="Two networks that err on the same rows cannot fool you: nothing is left of them.",
    mistakes={
        "rho forgotten": (
            lambda errors, m: errors.std(axis=1, ddof=1).mean() / errors.shape[1] ** 0.5 * m,
            "This is $\\sigma m_K$: what is common to all networks is still in it. Take off the "
            "mean over the networks, row by row.",
        ),
        "one row": (
            lambda errors, m: _optimism(errors, m) * errors.shape[1] ** 0.5,
            "This is the own part of *one* row. The score is a mean over n rows.",
        ),
        "n for its root": (
            lambda errors, m: _optimism(errors, m) / errors.shape[1] ** 0.5,
            "You divide by n. The *variance* of a mean is divided by n; take the root after that.",
        ),
        "variance": (
            lambda errors, m: _optimism(errors, 1) ** 2 * m,
            "That is a variance times m. A standard deviation is needed.",
        ),
        "m forgotten": (lambda errors, m: _optimism(errors, 1), "Where is $m_K$?"),
        "means of the networks left on": (
            _means_left_on,
            "Each network's own mean is still in it: that some networks are better is no noise.",
        ),
        "K for K - 1": (
            lambda errors, m: _optimism(errors, m) * (1 - 1 / len(errors)) ** 0.5,
            "You divide by K. The mean over the networks was taken off, so K − 1 of them are free.",
        ),
        "spread of the scores": (
            lambda errors, m: errors.mean(axis=1).std(ddof=1) * m,
            "This is the spread of the scores of the networks. A part of it is real: some "
            "networks are better. The noise has to come from the rows.",
        ),
    },
    otherwise="Take off the mean of each row of the data over the networks, and the mean of each "
    "network. Square, sum, divide by (K − 1)(n − 1) and by n, take the root; m comes last.",
    hints=[
        "`errors.mean(axis=0)` has one number for each row of the data; `errors - "
        "errors.mean(axis=0)` is what it leaves of each network.",
        "`rest - rest.mean(axis=1, keepdims=True)` takes off the mean of each network as well.",
    ],
    explanation="What is left after both means is the part of the noise that a network does not "
    "share. $(K-1)(n-1)$ numbers of it are free, and a mean over $n$ rows has an $n$-th of the "
    "variance.",
)


# --- 3: nested cross-validation -----------------------------------------------------------------
def predict(masks, x, y, new):
    """Do what the lesson's function of this name does."""
    zero, one = x[y == 0].mean(axis=0), x[y == 1].mean(axis=0)
    return masks @ ((new - (zero + one) / 2) * (one - zero)).T > 0


def cross_validate(masks, x, y, folds):
    """Do what the lesson's function of this name does."""
    right = np.empty((len(masks), len(y)))
    for fold in np.unique(folds):
        out = folds == fold
        right[:, out] = predict(masks, x[~out], y[~out], x[out]) == y[out]
    return right.mean(axis=1)


def _choose_inside(masks, x, y, folds, inner):
    right = []
    for fold in np.unique(folds):
        out = folds == fold
        best = inner(masks, x, y, out).argmax()
        right.extend(predict(masks[[best]], x[~out], y[~out], x[out])[0] == y[out])
    return np.mean(right)


def _nested(masks, x, y, folds):
    right = []
    for fold in np.unique(folds):
        out = folds == fold
        inner = cross_validate(masks, x[~out], y[~out], np.arange((~out).sum()) % 5)
        best = masks[[inner.argmax()]]
        right.extend(predict(best, x[~out], y[~out], x[out])[0] == y[out])
    return np.mean(right)


def _data(n, columns, settings, shift=0.0):
    masks = np.array([_RNG.permutation(columns) < 2 for _ in range(settings)]) * 1.0
    y = _RNG.permutation(np.arange(n) % 2)
    x = _RNG.normal(size=(n, columns)) + shift * y[:, None] * (np.arange(columns) < 2)
    return masks, x, y, _RNG.permutation(n) % 5


q3 = Exercise(
    answer=_nested,
    cases=[_data(40, 6, 12), _data(60, 8, 20, 0.8), _data(30, 5, 3, 1.5), _data(50, 10, 30)],
    praise="The choice is repeated in each fold, without the rows that judge it.",
    mistakes={
        "best of all": (
            lambda *given: cross_validate(*given).max(),
            "This is the best of plain cross-validation: it is chosen by the rows that judge it.",
        ),
        "chosen by the fold": (
            lambda masks, x, y, folds: _choose_inside(
                masks,
                x,
                y,
                folds,
                lambda m, x, y, out: (predict(m, x[~out], y[~out], x[out]) == y[out]).mean(1),
            ),
            "In each fold you choose by the rows that were left out, the very ones that judge.",
        ),
        "outer folds inside": (
            lambda masks, x, y, folds: _choose_inside(
                masks,
                x,
                y,
                folds,
                lambda m, x, y, out: cross_validate(m, x[~out], y[~out], folds[~out]),
            ),
            "Your inner folds are the four outer ones that are left. That is sound, but asked for "
            "are five of their own, `np.arange(n) % 5`.",
        ),
        "no inner folds": (
            lambda masks, x, y, folds: _choose_inside(
                masks,
                x,
                y,
                folds,
                lambda m, x, y, out: (predict(m, x[~out], y[~out], x[~out]) == y[~out]).mean(1),
            ),
            "You choose by the rows that the classifier has learned from. Cross-validate them.",
        ),
        "all inside": (
            lambda masks, x, y, folds: np.mean(
                [
                    cross_validate(
                        masks, x[folds != f], y[folds != f], np.arange((folds != f).sum()) % 5
                    ).max()
                    for f in np.unique(folds)
                ]
            ),
            "You average the best inner results. They were chosen; predict the fold left out.",
        ),
    },
    otherwise="For each fold: cross-validate all settings on the other rows, with the inner folds "
    "`np.arange(n) % 5` of these n rows, predict the fold with the best one, and count.",
    hints=[
        "`out = folds == fold` are the rows that judge. `cross_validate(masks, x[~out], y[~out], "
        "np.arange(sum(~out)) % 5)` never sees them.",
        "`best = masks[[result.argmax()]]` keeps the axis of the settings. "
        "`predict(best, x[~out], y[~out], x[out])[0] == y[out]` are this fold's rows; collect "
        "them from all folds and take their mean.",
    ],
    explanation="The choice is a part of the training: it never sees the fold that judges it.",
)


# --- 4: find the leaks --------------------------------------------------------------------------
_LEAKS = {
    "scale each column to mean 0 and variance 1": False,
    "keep the 20 columns that differ most between the two classes": True,
    "keep the 20 columns with the largest variance": False,
    "leave out the rows that a first fit gets wrong": True,
    "copy every row, label included, and shuffle": True,
    "report the best of ten random seeds": True,
}

q4 = Exercise(
    answer=_LEAKS,
    praise="Four of them use labels of rows that judge later. Scaling and variances do not look "
    "at labels: on a coin they leak nothing, though with real labels they too belong inside.",
    mistakes={
        "scaling": (
            _LEAKS | {"scale each column to mean 0 and variance 1": True},
            "Five are right. Scaling by all rows is bad style, but which label does it use?",
        ),
        "all scaling": (
            dict.fromkeys(_LEAKS, True),
            "Not every step on all rows is a leak. On coin labels only one that uses *labels* is.",
        ),
        "seeds": (
            _LEAKS | {"report the best of ten random seeds": False},
            "Five are right. Ten seeds give ten results of the same tosses, and you report the "
            "best: that is a choice by the rows that judge.",
        ),
    },
    otherwise="Ask of each step: does it use, in any way, the label of a row that will judge?",
    hints=[
        "Nothing but labels can tell anything about labels that come from a coin.",
        "After copying, a row can be in the training part and its twin in the judging part.",
    ],
    explanation="Scaling and variances use no label. The other four do: the columns and the rows "
    "are chosen by labels, a copy brings a row's label into the training part, and the best of ten "
    "results is chosen by the labels that judge.\n\n" + "`leaks` is `True` for all but the columns "
    "scaled and those kept for their variance.",
)


# --- 5: whose trial may be repeated? ------------------------------------------------------------
def _may_be_repeated(running, machine, alive):
    return np.array([m == machine and process not in alive for m, process in running])


_RUNNING = [("ada", 17), ("ada", 18), ("bob", 17), ("bob", 30), ("ada", 40)]

q5 = Exercise(
    answer=_may_be_repeated,
    cases=[
        (_RUNNING, "ada", {18, 30}),
        (_RUNNING, "bob", {17, 18, 40}),
        ([("ada", 5), ("bob", 5)], "ada", {5}),
        ([("bob", 1), ("bob", 2), ("ada", 3)], "ada", {1}),
    ],
    praise="A trial that is left alone for nothing costs a little; one that two workers have at "
    "once costs as much, and confuses both.",
    mistakes={
        "every machine": (
            lambda running, machine, alive: np.array([p not in alive for _, p in running]),
            "On another machine a process of that number may well be alive. You cannot see it from "
            "here: leave its trial alone.",
        ),
        "other machines": (
            lambda running, machine, alive: np.array(
                [m != machine or p not in alive for m, p in running]
            ),
            "The trials of another machine are not yours: its workers may all be alive.",
        ),
        "this machine": (
            lambda running, machine, alive: np.array([m == machine for m, _ in running]),
            "Some workers of this machine are alive, and still at their trials.",
        ),
        "the living": (
            lambda running, machine, alive: np.array(
                [m == machine and p in alive for m, p in running]
            ),
            "These are the trials of the living. The dead ones' may be repeated.",
        ),
        "turned": (
            lambda *given: ~_may_be_repeated(*given),
            "True and False are exchanged: true is a trial that may be repeated.",
        ),
    },
    otherwise="Two things have to be true: the worker ran on this machine, and it is not alive.",
    hints=[
        "Go through the pairs: `for m, process in running`.",
        "`m == machine and process not in alive` is the answer for one trial.",
    ],
    explanation="A worker of another machine cannot be asked from here, so its trial stays.",
)


# --- 6: how many trials? ------------------------------------------------------------------------
def _trials_needed(share, chance):
    return math.ceil(math.log(1 - chance) / math.log(1 - share))


q6 = Exercise(
    answer=_trials_needed,
    cases=[
        (0.05, 0.95),
        (0.01, 0.95),
        (0.5, 0.9),
        (0.1, 0.5),
        (0.05, 0.05),
        (0.3, 0.99),
        (0.5, 0.75),
    ],
    praise="59 trials for the best 5 % with probability .95, however many settings there are. "
    "Whether the best 5 % are good enough is another question.",
    mistakes={
        "not rounded": (
            lambda share, chance: math.log(1 - chance) / math.log(1 - share),
            "The formula is right. A number of trials is whole, and the promise has to be kept.",
        ),
        "rounded down": (
            lambda share, chance: math.floor(math.log(1 - chance) / math.log(1 - share)),
            "One trial more: with the number rounded down the promise is not quite kept.",
        ),
        "one more": (
            lambda share, chance: math.floor(math.log(1 - chance) / math.log(1 - share)) + 1,
            "Nearly. Where the ratio is whole already, so many trials do: two of them hit the "
            "better half with probability .75.",
        ),
        "chance over share": (
            lambda share, chance: math.ceil(chance / share),
            "So many trials have `chance` good ones *on average*. But often several are good, and "
            "often none is.",
        ),
        "exchanged": (
            lambda share, chance: math.ceil(math.log(1 - share) / math.log(1 - chance)),
            "The two logarithms are exchanged.",
        ),
    },
    otherwise="How probable is it that *none* of n trials is among the best? It has to be at most "
    "1 − `chance`.",
    hints=[
        "One trial misses with probability 1 − share, and n independent ones all miss with "
        "$(1 - \\text{share})^n$.",
        "Solve $(1 - \\text{share})^n \\le 1 - \\text{chance}$ with logarithms (both are negative) "
        "and round up.",
    ],
    explanation="All n trials miss with probability $(1-\\text{share})^n$. The smallest n with "
    "which this is at most $1 - \\text{chance}$ is the ratio of the logarithms, rounded up.",
)
