"""Exercises of the lesson `bayesian_neural_networks_wine`."""

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import entropy, mode

from course_utils import metrics
from course_utils.exercises import Exercise, Wrong, compare, numbers


# --- 1: the weight of the KL term ---------------------------------------------------------------
def _kl_weight(N, M, reduction):
    return 1 / N if reduction == "mean" else M / N


_ONE = (
    "A factor of 1 belongs to the sum over *all* N examples. A mini-batch has only M of them: how "
    "large is its sum, on average, beside the whole?"
)

q1 = Exercise(
    answer=_kl_weight,
    cases=[
        (N, M, r)
        for N, M in ((4_000, 50), (100, 100), (6_000, 1), (50, 20))
        for r in ("mean", "sum")
    ],
    praise="The mean over a mini-batch estimates 1/N of the fit, so the KL gets 1/N too; the sum "
    "estimates M/N of it. Keras takes the mean, so our layer's `kl_weight` will be 1/N.",
    mistakes={
        "one": (lambda N, M, reduction: 1, _ONE),
        "one for the sum": (lambda N, M, reduction: 1 / N if reduction == "mean" else 1, _ONE),
        "batch size": (
            lambda N, M, reduction: 1 / M,
            "You divide by the batch size. Then smaller batches of the same data would have a "
            "stronger prior: does the posterior know how you cut them?",
        ),
        "number of batches for both": (
            lambda N, M, reduction: M / N,
            "One over the number of batches is right for the *sum* over the mini-batch, but for "
            "the mean the fit is M times smaller.",
        ),
        "1/N for both": (
            lambda N, M, reduction: 1 / N,
            "The mean is right. The sum over M examples is M times the mean: so is its KL.",
        ),
        "exchanged": (
            lambda N, M, reduction: M / N if reduction == "mean" else 1 / N,
            "They are exchanged: which is larger, the sum over the mini-batch or its mean?",
        ),
    },
    otherwise="Write the loss over all examples, multiply it so that the fit becomes what you "
    "average, and see what happens to the KL.",
    hints=[
        "The whole loss is $-\\sum_{i=1}^N \\log p(y_i|x_i,w) + KL$. What is the expected value of "
        "a sum over $M$ examples drawn at random from the $N$?",
        "It is $M/N$ of the whole sum. A loss may be multiplied by any constant, but then *all* of "
        "it: multiply the line above by $M/N$, or by $1/N$.",
    ],
    explanation="Multiply the whole loss by $M/N$: the fit becomes the expected sum over a "
    "mini-batch, and the KL gets $M/N$. Multiply by $1/N$: the fit becomes the mean, and the KL "
    "gets $1/N$.",
)


# --- 2: many weights, one direction -------------------------------------------------------------
def _variances_of_f(H, N):
    return 1 / (1 + N), 1, 1 / (1 + N / H)


q2 = Exercise(
    answer=_variances_of_f,
    cases=[(200, 20), (2, 20), (5, 3), (50, 178)],
    tolerance=0.05,  # 3.5 standard errors of the variance of 10 000 draws of the weights
    praise="Two hundred weights share what twenty wines say. Each alone stays nearly as wide as "
    "its prior, and so does *f*. With two weights *f* becomes too narrow at $v$.",
    mistakes={
        "precisions": (
            lambda H, N: (1 + N, 1, 1 + N / H),
            "More wines would mean more doubt: Λ is the *inverse* of the covariance.",
        ),
        "exchanged": (
            lambda H, N: (1, 1 / (1 + N), 1 / (1 + N / H)),
            "The two exact ones are exchanged. At which of the two places was something measured?",
        ),
        "exact diagonal": (
            lambda H, N: (1 / (1 + N), 1, 1 - N / (H * (1 + N))),
            "The third uses the exact variance of each weight. The best independent ones have "
            "$1/\\Lambda_{hh}$.",
        ),
        "prior forgotten": (
            lambda H, N: (1 / (1 + N), 1, H / N),
            "The exact ones are right. In the third, the prior is missing in $\\Lambda_{hh}$.",
        ),
        "as if alone": (
            lambda H, N: (1 / (1 + N), 1, 1 / (1 + N)),
            "The exact ones are right. In the third, $u_h^2 = 1/H$ is missing in $\\Lambda_{hh}$.",
        ),
        "one weight": (
            lambda H, N: (1 / (1 + N), 1, 1 / (H + N)),
            "The exact ones are right. The third is one term of a sum over H weights.",
        ),
        "standard deviations": (
            lambda H, N: tuple(np.sqrt(_variances_of_f(H, N))),
            "These are standard deviations. Variances are asked for.",
        ),
    },
    otherwise="What is the covariance of the weights, exact and independent? How does it enter the "
    "variance of $\\phi^\\top w$? A simulation needs ten thousand draws.",
    hints=[
        "The variance of $f$ is $\\phi^\\top C \\phi$, with the covariance $C$ of $w$: "
        "$\\Lambda^{-1}$, or $1/\\Lambda_{hh}$ on the diagonal and 0 elsewhere.",
        "$\\Lambda u = (N + 1)\\,u$ and $\\Lambda v = v$: what does $\\Lambda^{-1}$ do to them? "
        "And $\\Lambda_{hh} = N/H + 1$ for every $h$.",
    ],
    explanation="$\\Lambda u = (N+1)u$ and $\\Lambda v = v$, so that $u^\\top\\Lambda^{-1}u = "
    "\\frac1{N+1}$ and $v^\\top\\Lambda^{-1}v = 1$. Independent weights have the variance "
    "$1/(1 + N/H)$ each, which any $\\phi$ of length 1 hands on to $f$.",
)


# --- 3: the RMSE of a prediction ----------------------------------------------------------------
_ONE_DRAW = "This is the published mistake itself: one draw, scored as if it were the prediction."
_SCORES = "You score each draw with its own noise. Average the draws before you compare with y."


def _rmse_of_prediction(draws, y):
    return np.sqrt(np.mean((draws.mean(axis=0) - y) ** 2))


q3 = Exercise(
    answer=_rmse_of_prediction,
    cases=[
        (np.array([[1.0, 2.0], [2.0, 2.0], [6.0, 5.0]]), np.array([3.0, 1.0])),
        (np.random.default_rng(3).normal(0.1, 1, (40, 30)), np.zeros(30)),
        (np.array([[4.0], [0.0], [0.5]]), np.array([3.0])),
        (np.array([[4.0, 1.0, -2.0]]), np.array([3.0, 3.0, 3.0])),
    ],
    praise="The mean over the draws first, then the error. It is the model's best single guess.",
    mistakes={
        "one draw": (lambda draws, y: np.sqrt(np.mean((draws[0] - y) ** 2)), _ONE_DRAW),
        "all draws": (lambda draws, y: np.sqrt(np.mean((draws - y) ** 2)), _SCORES),
        "mean of the scores": (
            lambda draws, y: np.sqrt(np.mean((draws - y) ** 2, axis=1)).mean(),
            _SCORES,
        ),
        "no root": (
            lambda draws, y: np.mean((draws.mean(axis=0) - y) ** 2),
            "That is the mean squared error: take its root.",
        ),
        "median": (
            lambda draws, y: np.sqrt(np.mean((np.median(draws, axis=0) - y) ** 2)),
            "The median is the best guess under the absolute error. Here errors are squared.",
        ),
    },
    otherwise="One number is predicted for each wine, from all draws of it together; the error is "
    "taken after that.",
    hints=[
        "Which single number would you tell a buyer of the wine?",
        "The mean over the first axis of `draws`, shape `(N,)`. Compare that with `y`.",
    ],
    explanation="The mean of the predictive distribution is its best guess under squared error.",
)


# --- 4: a fair sigma ----------------------------------------------------------------------------
def _rows(x):
    """Return x with the constant 1 in front of each row."""
    if np.ndim(x) != 2:
        raise ValueError(f"x of some wines has the shape (n, d), but {np.shape(x)} came")
    return np.insert(x, 0, 1, axis=1)


def _line(x, y):
    w = np.linalg.lstsq(_rows(x), y, rcond=None)[0]
    return lambda x: _rows(x) @ w


def _nearest(x, y):
    return lambda new: np.asarray(y)[cdist(_rows(new), _rows(x)).argmin(axis=1)]


def _errors(fit, x, y):
    others = ~np.eye(len(y), dtype=bool)
    return np.concatenate([fit(x[o], y[o])(x[~o]) - y[~o] for o in others])


def _fair_sigma(fit, x, y):
    errors = []
    for i in range(len(y)):
        predict = fit(np.delete(x, i, axis=0), np.delete(y, i))
        errors.append(predict(x[[i]]) - y[i])
    return np.sqrt(np.mean(np.square(errors)))


_WINES = np.random.default_rng(4).normal(size=(12, 4))

q4 = Exercise(
    answer=_fair_sigma,
    cases=[
        (_line, np.array([[0.0], [1.0], [1.0], [4.0]]), np.array([1.0, 0.0, 2.0, 4.0])),
        (_nearest, _WINES[:, :3], _WINES[:, 3]),
        (_line, _WINES[:, 2:], _WINES[:, 0]),
        (_nearest, np.array([[3], [1]]), np.array([5, 2])),
    ],
    praise="Each error is one at a wine that the fit had not seen. At the wines that it learned "
    "from the nearest neighbour makes none: its σ would be 0.",
    mistakes={
        "all wines": (
            lambda fit, x, y: np.sqrt(np.mean((fit(x, y)(x) - y) ** 2)),
            "You measure errors at wines that `fit` has learned from, where the nearest neighbour "
            "never errs. Ask each time about the one wine that was left out.",
        ),
        "absolute": (
            lambda *given: np.abs(_errors(*given)).mean(),
            "That is the mean of the absolute errors. The root mean square is asked for.",
        ),
        "no root": (
            lambda *given: np.mean(_errors(*given) ** 2),
            "That is the mean of the squares, a variance. σ is its root.",
        ),
        "standard deviation": (
            lambda *given: _errors(*given).std(),
            "A standard deviation takes the mean error off. But that is an error as well.",
        ),
        "N - 1": (
            lambda fit, x, y: np.linalg.norm(_errors(fit, x, y)) / np.sqrt(len(y) - 1),
            "You divide by N − 1. There are N errors, and no mean was taken off them.",
        ),
    },
    otherwise="Here `fit` is a line or the nearest neighbour. It learns anew for each wine, from "
    "all the others.",
    hints=[
        "`np.delete(x, i, axis=0)` holds all rows but row `i`; `np.delete(y, i)` goes with it.",
        "`fit` of these returns a function. Call it with `x[[i]]`, of shape `(1, d)`, and collect "
        "the errors in a list. Square, mean and root come last.",
    ],
    explanation="One fit for each wine: it learns from the others, and is asked about this one.",
)


# --- 5: called at 90 % --------------------------------------------------------------------------
def _called(known, new):
    threshold = np.quantile(known, 0.9, method="inverted_cdf")
    return np.mean(new <= threshold)


_DOUBTS = np.random.default_rng(5).gamma(4, size=69) / 10
_NOT_CALLED = "That is the share that is *not* called: a wine is called if its doubt is small."

q5 = Exercise(
    answer=_called,
    cases=[
        (np.array([3.0, 0.5, 8.0, 1.0, 2.0, 0.2, 1.5, 0.7]), np.array([7.0, 1.0, 9.0, 4.0])),
        (_DOUBTS[:44], 1.6 * _DOUBTS[44:]),
        (np.array([2, 7, 2, 3, 0, 3, 1, 3, 2, 3, 2]), np.array([3, 4, 0, 7, 9])),
        (np.array([6, 1, 9, 3, 2, 5, 4, 8, 7, 20]) / 10, np.array([0.85, 1.5, 1.0])),
        (np.array([0.3]), np.array([0.4, 0.5])),
    ],
    praise="To doubt everything gains nothing: new wines have to be doubted *more* than known.",
    mistakes={
        "interpolated": (
            lambda known, new: np.mean(new <= np.quantile(known, 0.9)),
            "Your quantile is interpolated: it lies between two wines, and of eight known ones it "
            "calls seven. At least 90 % are asked for: see the `method` of `np.quantile`.",
        ),
        "from the new": (
            lambda known, new: _called(new, new),
            "Your threshold comes from the new wines, so that 90 % of *them* are called.",
        ),
        "from all": (
            lambda known, new: _called(np.hstack([known, new]), new),
            "Your threshold calls 90 % of all wines. It has to come from the known ones alone.",
        ),
        "normal": (
            lambda known, new: np.mean(new <= known.mean() + 1.28 * known.std()),
            "That is right for a normal distribution. These are not normal: count the wines.",
        ),
        "not called": (lambda *both: 1 - _called(*both), _NOT_CALLED),
        "at or above": (
            lambda known, new: np.mean(new >= np.quantile(known, 0.9, method="higher")),
            _NOT_CALLED,
        ),
        "below": (
            lambda known, new: np.mean(new < np.quantile(known, 0.9, method="inverted_cdf")),
            "A wine whose doubt *is* the threshold is called, too.",
        ),
        "higher": (
            lambda known, new: np.mean(new <= np.quantile(known, 0.9, method="higher")),
            "Where 90 % of the known wines are a whole number, your threshold is one wine too far.",
        ),
    },
    otherwise="Sort the doubts of the known wines: how far must the threshold go until 90 % of "
    "them are called? Then look at the new ones.",
    hints=[
        "Which numbers can the smallest such threshold be? Only the doubts of the known wines. Try "
        "them in order.",
        "`np.mean(known <= threshold)` is the share of the known wines that is called.",
    ],
    explanation="The threshold is a quantile of the doubts of the known wines. With "
    '`method="inverted_cdf"` it is one of them, and the smallest that is enough.',
)


# --- 6: the objective on the slide ----------------------------------------------------------------
def _objective(log_likelihoods, kl, N):
    return N / len(log_likelihoods) * log_likelihoods.sum() - kl


_SHRINKS = "Without a KL the spreads $s$ shrink to 0: a point estimate."

q6 = Exercise(
    answer=_objective,
    cases=[
        (np.array([-1.2, -0.3, -2.5, -0.8, -0.2]), 3.0, 100),
        (np.array([-0.7]), 1.5, 40),
        (np.array([-1.0, -2.0, 0.5]), 20.0, 3),
        (np.array([0.4, -0.1]), 0.0, 7),
    ],
    praise="With N/m in front it estimates the sum over all examples; the KL is paid once.",
    mistakes={
        "the slide": (lambda logs, kl, N: logs.sum(), f"This is the slide as printed. {_SHRINKS}"),
        "no scale": (
            lambda logs, kl, N: logs.sum() - kl,
            "The KL is there now, but only m of the N examples stand against it.",
        ),
        "no KL": (
            lambda logs, kl, N: N * logs.mean(),
            f"The scale is right; the KL is missing. {_SHRINKS}",
        ),
        "wrong sign": (
            lambda logs, kl, N: N * logs.mean() + kl,
            "The sign of the KL: we *climb* the ELBO, and distance from the prior costs.",
        ),
        "KL scaled too": (
            lambda logs, kl, N: N / len(logs) * (logs.sum() - kl),
            "Only the fit is scaled: the KL belongs to all weights and is paid once.",
        ),
        "per example": (
            lambda logs, kl, N: logs.mean() - kl / N,
            "That is the ELBO per example. The ELBO itself is a sum over all N examples.",
        ),
    },
    otherwise="How large is the fit of all N examples, judged by these m? And what does the "
    "distance from the prior cost?",
    hints=[
        "The ELBO is $\\sum_{i=1}^N \\mathbb E_q \\log p(y_i|x_i,w) - KL(q\\,\\|\\,p)$.",
        "A mini-batch of $m$ holds $m/N$ of the sum on average: multiply its sum by $N/m$.",
    ],
    explanation="$\\frac{N}{m}\\sum_{j=1}^m \\log p(y^{i_j}|x^{i_j}, w) - KL(q(w|\\lambda)\\,\\|\\,"
    "p(w))$, with a draw $w$ from $q$.",
)


# --- 7: mutual information ----------------------------------------------------------------------
def _mutual_information(p):
    return entropy(p.mean(axis=0), axis=-1) - entropy(p, axis=-1).mean(axis=0)


q7 = Exercise(
    answer=_mutual_information,
    cases=[
        (np.random.default_rng(5).dirichlet([0.6, 0.9, 0.5], size=(8, 5)),),
        (np.array([[[0.9, 0.1]], [[0.2, 0.8]]]),),
        (np.full((4, 2, 2), 0.5),),
        (np.array([[[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]]]),),
    ],
    praise="It is zero where all networks agree, however unsure they are.",
    mistakes={
        "total": (
            lambda p: entropy(p.mean(axis=0), axis=-1),
            "That is the total. It is also large where all networks agree on fifty-fifty.",
        ),
        "aleatoric": (
            lambda p: entropy(p, axis=-1).mean(axis=0),
            "That is the mean of the entropies: what each network finds uncertain (aleatoric).",
        ),
        "sign": (
            lambda p: -_mutual_information(p),
            "The sign is reversed: the entropy of a mean is never below the mean entropy.",
        ),
        "bits": (
            lambda p: _mutual_information(p) / np.log(2),
            "Right, but in bits: use the natural logarithm for nats.",
        ),
    },
    otherwise="Two orders of the same two operations are subtracted. Over which axis goes which?",
    hints=[
        "`scipy.stats.entropy(p, axis=-1)` is the entropy over the last axis, in nats.",
        "Two orders of the same two operations: mean then entropy, and entropy then mean.",
    ],
    explanation="`entropy` is that of `scipy.stats`.",
)


# --- 8: the vote --------------------------------------------------------------------------------
_MEAN_INDEX = (
    "This is the published mistake: two members for class 0 and two for class 2 make it class 1, "
    "which nobody voted for."
)


def _vote(p):
    return p.mean(axis=0).argmax(axis=-1)


q8 = Exercise(
    answer=_vote,
    cases=[
        (np.random.default_rng(6).dirichlet([0.7, 0.7, 0.7], size=(5, 20)),),
        (np.array([[[0.8, 0.1, 0.1]], [[0.1, 0.2, 0.7]]]),),
        (np.array([[[0.6, 0.4]], [[0.6, 0.4]], [[0.1, 0.9]]]),),
        (np.random.default_rng(7).dirichlet([1, 1, 1, 1], size=(1, 3)),),
    ],
    praise="Average the probabilities, then choose. The order of the classes no longer matters.",
    mistakes={
        "mean of the indices": (lambda p: np.rint(p.argmax(axis=-1).mean(axis=0)), _MEAN_INDEX),
        "mean of the indices, not rounded": (lambda p: p.argmax(axis=-1).mean(axis=0), _MEAN_INDEX),
        "majority": (
            lambda p: mode(p.argmax(axis=-1), axis=0).mode,
            "A majority vote is better than the published mistake, but it forgets how sure each "
            "member is. The predictive distribution is the mean of the *probabilities*.",
        ),
        "one member": (lambda p: p[0].argmax(axis=-1), "That is the first member alone."),
    },
    otherwise="Axis 0 counts the members, the last axis the classes, from 0 on.",
    hints=[
        "Is the mean of class 0 and class 2 a class? What of three cultivars in another order?",
        "Average over the members first, then take the `argmax` over the classes.",
    ],
    explanation="Class indices are names, not quantities.",
)


# --- 9: the interval of a prediction --------------------------------------------------------------
def _interval(mu, sigma):
    sd = np.sqrt(mu.var(axis=0) + (sigma**2).mean(axis=0))
    return mu.mean(axis=0) - 1.96 * sd, mu.mean(axis=0) + 1.96 * sd


def _around(sd, centre=lambda mu: mu.mean(axis=0)):
    """Return the function that gives the interval with a standard deviation of mu and sigma."""
    return lambda mu, sigma: tuple(centre(mu) + z * sd(mu, sigma) for z in (-1.96, 1.96))


def _networks():
    """Return mu and sigma: noise of two sizes, hardly any noise, and nothing but noise."""
    rng = np.random.default_rng(4)
    mu = np.array([-2.0, 0.5, 3.0]) + rng.normal(size=(2_000, 3))
    mixed, little = rng.choice([0.3, 1.9], mu.shape), rng.uniform(0.05, 0.15, mu.shape)
    return [(mu, mixed), (0.5 * mu, little), (np.full((2_000, 1), 4.0), np.full((2_000, 1), 0.7))]


_NOISE = "Its width is the noise alone (aleatoric): that the networks disagree is forgotten."
_INTERVALS = {
    "one weight draw": (_around(lambda mu, sigma: sigma[0], lambda mu: mu[0]), _NOISE),
    "noise only": (_around(lambda mu, sigma: np.sqrt((sigma**2).mean(axis=0))), _NOISE),
    "spread of the weights only": (
        _around(lambda mu, sigma: mu.std(axis=0)),
        "Its width is the disagreement alone (epistemic): each network expects noise as well.",
    ),
    "standard deviations added": (
        _around(lambda mu, sigma: mu.std(axis=0) + sigma.mean(axis=0)),
        "Standard deviations do not add: their squares do, by the law of total variance.",
    ),
    "upper end first": (
        lambda mu, sigma: _interval(mu, sigma)[::-1],
        "Your upper ends come first: return (lower, upper).",
    ),
}


def _judge_interval(answer):
    worst = np.array([0.025, 0.025])  # the shares below and above
    for mu, sigma in _networks():
        lower, upper = numbers(answer(mu, sigma), shape=(2, mu.shape[1]))
        below, up_to = (metrics.mixture_cdf(end, mu, sigma) for end in (lower, upper))
        shares = np.transpose([below, 1 - up_to])
        worst = max(worst, *shares, key=lambda share: np.abs(share - 0.025).max())
    # A simulation with 1000 draws has a standard error of 0.005, the normal approximation is off
    # by up to 0.008.
    if np.abs(worst - 0.025).max() < 0.018:
        return
    found = f"Of the prediction {worst[0]:.1%} lie below your interval and {worst[1]:.1%} above it."
    compare(answer, _interval, _networks(), found, _INTERVALS, tolerance=0.03)
    raise Wrong(found)


q9 = Exercise(
    answer=_interval,
    judge=_judge_interval,
    praise="It holds 95 % of the mixture: the noise of each network and their disagreement.",
    mistakes=_INTERVALS,
    hints=[
        "What is the variance of a mixture of normals? The law of total variance has two terms.",
        "The mean of `sigma**2` over the networks, plus the variance of `mu` over the networks.",
    ],
    explanation="Mix over the weights first. Below is the normal approximation of the mixture; "
    "`metrics.mixture_interval(mu, sigma, 0.95)` gives the mixture's own quantiles.",
)
