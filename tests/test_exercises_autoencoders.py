"""Answers to the exercises of `autoencoders`; test_exercises.py holds them.

RIGHT are right in other clothes; WRONG pass a case or look right, each with a part of what it is
told.
"""

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import mannwhitneyu
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from course_utils.exercises.autoencoders import q1, q2, q5, q6


def lost_in_loops(eigenvalues, d):
    rest = list(eigenvalues)
    for _ in range(d):
        rest.remove(max(rest))
    return sum(rest) / sum(eigenvalues)


def lost_in_place(eigenvalues, d):
    eigenvalues[::-1].sort()
    eigenvalues = eigenvalues / eigenvalues.sum()
    eigenvalues[:d] = 0
    return eigenvalues.sum()


def lost_by_cumsum(eigenvalues, d):
    kept = np.concatenate([[0], np.cumsum(sorted(eigenvalues, reverse=True))])
    return 1 - kept[d] / kept[-1]


def by_svd(E, D, A):
    U, s, Vt = np.linalg.svd(A)
    return E @ A, Vt.T @ np.diag(1 / s) @ U.T @ D


def disguised_in_place(E, D, A):
    E[:] = E @ A
    D[:] = np.linalg.solve(A, D)
    return [E, D]


def with_tensorflow(E, D, A):
    A = tf.constant(A, tf.float32)
    return tf.constant(E, tf.float32) @ A, tf.linalg.inv(A) @ tf.constant(D, tf.float32)


def reported_in_a_loop(validation_errors, test_errors):
    lowest, reported = float("inf"), None
    for validation, test in zip(validation_errors, test_errors, strict=True):
        if validation < lowest:
            lowest, reported = validation, test
    return reported


def pair_in_place(x, mask):
    noisy = x.copy()
    noisy[mask == 0] = 0
    return noisy, x


def spoils_the_target(x, mask):
    noisy = x
    noisy *= mask
    return noisy, x


def score_in_loops(noise, sigma):
    scores = []
    for first, second in noise:
        scores.append((-first / sigma, -second / sigma))
    return scores


def score_in_place(noise, sigma):
    noise *= -1
    noise /= sigma
    return noise


def auroc_in_loops(known_errors, unseen_errors):
    won = 0
    for unseen in unseen_errors:
        for known in known_errors:
            if unseen > known:
                won += 1
            elif unseen == known:
                won += 0.5
    return won / (len(known_errors) * len(unseen_errors))


def by_scikit_learn(known_errors, unseen_errors):
    is_unseen = [0] * len(known_errors) + [1] * len(unseen_errors)
    return roc_auc_score(is_unseen, np.concatenate([known_errors, unseen_errors]))


def by_sorting(known_errors, unseen_errors):
    known = np.sort(known_errors)
    sides = [np.searchsorted(known, unseen_errors, side).mean() for side in ("left", "right")]
    return sum(sides) / 2 / len(known)


def by_the_curve(known_errors, unseen_errors):
    limits = np.r_[np.inf, np.unique(np.concatenate([known_errors, unseen_errors]))[::-1]]
    called = [(errors >= limits[:, None]).mean(axis=1) for errors in (known_errors, unseen_errors)]
    return np.trapezoid(called[1], called[0])


def simulated_auroc(known_errors, unseen_errors, seed=0):
    rng = np.random.default_rng(seed)
    known, unseen = (rng.choice(errors, 10_000) for errors in (known_errors, unseen_errors))
    return np.mean(unseen > known) + np.mean(unseen == known) / 2


RIGHT = {
    "q1": {
        "loops": lost_in_loops,
        "in place": lost_in_place,
        "what is kept, cumulative": lost_by_cumsum,
        "largest first": lambda e, d: np.sort(e)[::-1][d:].sum() / np.sum(e),
        "one minus": lambda eigenvalues, d: (
            1 - sum(sorted(eigenvalues)[::-1][:d]) / sum(eigenvalues)
        ),
        "TensorFlow": lambda e, d: 1 - tf.reduce_sum(tf.math.top_k(e, d)[0]) / tf.reduce_sum(e),
        "three digits shown": lambda e, d: float(f"{q1.answer(e, d):.3g}"),
    },
    "q2": {
        "solve": lambda E, D, A: (E @ A, np.linalg.solve(A, D)),
        "pseudoinverse": lambda E, D, A: (np.dot(E, A), np.linalg.pinv(A) @ D),
        "power": lambda E, D, A: (E @ A, np.linalg.matrix_power(A, -1) @ D),
        "singular values": by_svd,
        "in place": disguised_in_place,
        "TensorFlow": with_tensorflow,
        "least squares": lambda E, D, A: (E @ A, np.linalg.lstsq(E @ A, E @ D)[0]),
    },
    "q3": {
        "loop": reported_in_a_loop,
        "smallest pair": lambda validation, test: min(zip(validation, test, strict=True))[1],
        "where": lambda validation, test: test[validation == validation.min()],
        "list": lambda v, t: list(t)[list(v).index(min(v))],
        "sorted": lambda v, t: t[np.argsort(v)][0],
        "TensorFlow": lambda v, t: tf.gather(t, tf.argmin(v)),
    },
    "q4": {
        "in place": pair_in_place,
        "where": lambda x, mask: (np.where(mask, x, 0), x),
        "stack": lambda x, mask: np.stack([np.multiply(x, mask), x]),
        "TensorFlow": lambda x, mask: (tf.constant(x) * tf.cast(mask, "float64"), tf.constant(x)),
        "subtracted": lambda x, mask: [x - x * (1 - mask), x + 0],
    },
    "q5": {
        "loops": score_in_loops,
        "in place": score_in_place,
        "Tweedie, from any noisy point": lambda noise, sigma: (
            ((7 - sigma * noise) - 7) / np.square(sigma)
        ),
        "lists": lambda noise, sigma: [[-e / sigma for e in row] for row in noise],
        "TensorFlow": lambda noise, sigma: tf.constant(noise, tf.float32) / -sigma,
        "divide": lambda noise, sigma: np.divide(np.negative(noise), sigma),
        "three digits shown": lambda noise, sigma: [
            [float(f"{-e / sigma:.3g}") for e in row] for row in noise
        ],
    },
    "q6": {
        "loops": auroc_in_loops,
        "scikit-learn": by_scikit_learn,
        "Mann-Whitney": lambda k, u: mannwhitneyu(u, k).statistic / len(u) / len(k),
        "searchsorted": by_sorting,
        "area under the curve": by_the_curve,
        "sign": lambda k, u: (1 + np.sign(np.subtract.outer(u, k)).mean()) / 2,
        "simulated": simulated_auroc,
        "two digits": lambda known, unseen: round(float(q6.answer(known, unseen)), 2),
    },
}
WRONG = {
    "q1": {
        "for d = 2 only": (lambda e, d: np.sort(e)[:-2].sum() / e.sum(), "and d = 0, you give"),
        "loss over n": (lambda e, d: np.sort(e)[::-1][d:].sum() / len(e), "you give 0.4, which is"),
        "share of the number": (lambda e, d: 1 - d / len(e), "you give 0.6, which is too large"),
        "first ones kept": (lambda e, d: e[:d].sum() / e.sum(), "which is too large"),
        "over what is kept": (
            lambda e, d: np.sort(e)[::-1][d:].sum() / np.sort(e)[::-1][:d].sum(),
            "you give 0.307692, which is too large",
        ),
        "roots": (
            lambda e, d: np.sqrt(np.sort(e)[::-1][d:]).sum() / np.sqrt(e).sum(),
            "which is too large",
        ),
        "one less": (lambda e, d: np.sort(e)[::-1][d + 1 :].sum() / e.sum(), "which is too small"),
        "all of them": (
            lambda e, d: np.sort(e)[::-1] / e.sum(),
            "five numbers came instead of one",
        ),
    },
    "q2": {
        "decoder, from the right": (lambda E, D, A: (E @ A, D @ np.linalg.inv(A)), "stopped with"),
        "A on the left": (lambda E, D, A: (A @ E, np.linalg.inv(A) @ D), "stopped with"),
        "by the diagonal": (
            lambda E, D, A: (E @ A, D / np.diag(A)[:, None]),
            "in result 2 of 2, one of your numbers is 0.25, which is too large",
        ),
        "for d = 1 only": (lambda E, D, A: (E * A[0, 0], D / A[0, 0]), "in result 1 of 2"),
        "transposed inverse": (lambda E, D, A: (E @ A, np.linalg.inv(A).T @ D), "in result 2 of 2"),
        "decoder first": (lambda E, D, A: (np.linalg.inv(A) @ D, E @ A), "came instead of"),
        "decoder only": (
            lambda E, D, A: np.linalg.inv(A) @ D,
            "columns came instead of two arrays",
        ),
        "the product": (lambda E, D, A: E @ A @ np.linalg.inv(A) @ D, "instead of two arrays"),
    },
    "q3": {
        "third": (lambda validation, test: test[2], "you give 0.1, which is too small"),
        "first": (lambda validation, test: test[0], "which is too large"),
        "the worse of the two": (
            lambda v, t: max(v[np.argmin(v)], t[np.argmin(v)]),
            "for validation_errors = [0.9] and test_errors = [0.7], you give 0.9",
        ),
        "mean of both": (
            lambda v, t: (v + t)[np.argmin(v)] / 2,
            "you give 0.35, which is too small",
        ),
        "best sum": (lambda v, t: t[np.argmin(v + t)], "you give"),
        "gap": (lambda v, t: (t - v)[np.argmin(v)], "you give 0.04"),
        "all": (lambda v, t: t, "five numbers came instead of one number"),
        "both": (lambda v, t: (v.min(), t[v.argmin()]), "two numbers came instead of one number"),
    },
    "q4": {
        "in place": (spoils_the_target, "giving the holes back"),
        "brightened": (lambda x, mask: (x * mask * 2, x), "in result 1 of 2"),
        "other half": (lambda x, mask: (x * (1 - mask), x), "in result 1 of 2"),
        "added": (lambda x, mask: (x + mask, x), "in result 1 of 2"),
        "over its largest": (
            lambda x, mask: (x * mask / mask.max(), x),
            "and mask = 0, in result 1 of 2, there is a number that is not finite",
        ),
        "scaled by its mean": (
            lambda x, mask: (x * mask / max(mask.mean(), 0.01), x),
            "in result 1 of 2",
        ),
        "ink alone": (lambda x, mask: (x[mask == 1], x), "three numbers came instead of"),
        "noisy only": (lambda x, mask: x * mask, "came instead of"),
        "three": (lambda x, mask: (x, mask, x), "instead of two arrays"),
    },
    "q5": {
        "for sigma = 0.5 only": (lambda noise, sigma: -2 * noise, "and sigma = 2, one of your"),
        "half": (lambda noise, sigma: -noise / 2 / sigma, "too"),
        "times sigma squared": (lambda noise, sigma: -noise * sigma**2, "too"),
        "root": (lambda noise, sigma: -noise / np.sqrt(sigma), "too"),
        "the size alone": (lambda noise, sigma: np.abs(noise) / sigma, "too"),
        "one length a point": (
            lambda noise, sigma: -np.linalg.norm(noise, axis=1) / sigma,
            "came instead of",
        ),
        "mean of all": (lambda noise, sigma: -noise.mean() / sigma, "instead of"),
        "log": (lambda noise, sigma: -noise - np.log(sigma), "too"),
    },
    "q6": {
        "neighbours": (
            lambda k, u: np.mean([a > b for a, b in zip(u, k, strict=False)]),
            "you give 0.25, which is too small",
        ),
        "mean difference": (lambda k, u: np.mean(u[:, None] - k), "you give"),
        "above the median": (lambda k, u: np.mean(u > np.median(k)), "which is too small"),
        "above all": (lambda k, u: np.mean(u > k.max()), "you give 0, which is too small"),
        "one of both sizes": (lambda k, u: np.mean(u > k), "stopped with"),
        "ties of values": (
            lambda k, u: np.mean(u[:, None] > k) + np.isin(u, k).mean() / 2,
            "too large",
        ),
        "one half only if all are equal": (
            lambda k, u: np.mean(u[:, None] > k) if np.ptp(np.r_[u, k]) else 0.5,
            "too small",
        ),
        "always one half": (lambda k, u: 0.5, "which is too large"),
    },
}


def test_a_simulated_auroc_is_accepted_whatever_the_seed():
    passed = [q6.verdict(lambda k, u, s=s: simulated_auroc(k, u, s))[0] for s in range(60)]
    assert sum(passed) >= 59


# --- what the exercises say, tried out ----------------------------------------------------------


@pytest.mark.parametrize("d", [1, 3])
def test_the_share_lost_is_that_of_pca(d):
    x = np.random.default_rng(0).normal(size=(50, 5)) * [3, 1, 2, 0.5, 1]
    reference = PCA(d).fit(x)
    x_hat = reference.inverse_transform(reference.transform(x))
    lost = np.square(x - x_hat).sum() / np.square(x - x.mean(axis=0)).sum()
    assert q1.answer(np.linalg.eigvalsh(np.cov(x.T)), d) == pytest.approx(lost)


def test_a_disguised_network_paints_the_same():
    for E, D, A in q2.cases:
        np.testing.assert_allclose(np.matmul(*q2.answer(E, D, A)), E @ D, atol=1e-12)
    E, D, A = q2.cases[1]
    for mistake in ("decoder unchanged", "A twice", "transpose"):
        assert not np.allclose(np.matmul(*q2.mistakes[mistake][0](E, D, A)), E @ D)


def test_the_score_is_that_of_a_normal():
    x_noisy, sigma, sd = np.array([[0.4, -2.0], [1.5, 0.0]]), 0.7, 1.3  # clean points: N(0, sd²)
    clean = x_noisy * sd**2 / (sd**2 + sigma**2)
    found = q5.answer((x_noisy - clean) / sigma, sigma)
    np.testing.assert_allclose(found, -x_noisy / (sd**2 + sigma**2))


def test_all_equal_errors_are_chance():
    known, unseen = np.ones(3), np.ones(4)
    assert q6.answer(known, unseen) == 0.5
    assert q6.mistakes["no ties"][0](known, unseen) == 0
    assert q6.mistakes["ties count one"][0](known, unseen) == 1
