"""Exercises of the lesson `bayesian_neural_networks_wine`."""

import numpy as np
from scipy.stats import entropy

from course_utils import metrics
from course_utils.exercises import Exercise, Wrong, compare, numbers

# --- 1: the weight of the KL term ---------------------------------------------------------------


def _kl_weight(N, m, reduction):
    return 1 / N if reduction == "mean" else m / N


_ONE = (
    "A factor of 1 belongs to the sum over *all* N examples. A mini-batch has only m of them: how "
    "large is its sum, on average, beside the whole?"
)

q1 = Exercise(
    answer=_kl_weight,
    cases=[
        (N, m, reduction)
        for N, m in ((4_000, 50), (90, 30), (100, 100), (60_000, 1))
        for reduction in ("mean", "sum")
    ],
    praise="The mean over a mini-batch estimates 1/N of the data term, so the KL gets 1/N too; "
    "the sum estimates m/N of it. For the mean the number of batches appears nowhere.",
    mistakes={
        "one": (lambda N, m, reduction: 1, _ONE),
        "one for the sum": (lambda N, m, reduction: 1 / N if reduction == "mean" else 1, _ONE),
        "batch size": (
            lambda N, m, reduction: 1 / m,
            "You divide by the batch size. Then the same data cut into smaller batches would get a "
            "stronger prior: does the posterior know how you cut them?",
        ),
        "number of batches for both": (
            lambda N, m, reduction: m / N,
            "One over the number of batches is right for the *sum* over the mini-batch, but for "
            "the mean the data term is m times smaller.",
        ),
        "1/N for both": (
            lambda N, m, reduction: 1 / N,
            "The mean is right. The sum over m examples is m times the mean: so is its KL.",
        ),
        "exchanged": (
            lambda N, m, reduction: m / N if reduction == "mean" else 1 / N,
            "The two are exchanged: which is the larger one, the sum over the mini-batch or its "
            "mean?",
        ),
    },
    otherwise="Write the loss over all examples, multiply it so that the data term becomes what "
    "you average, and see what happens to the KL.",
    hints=[
        "The whole loss is $-\\sum_{i=1}^N \\log p(y_i|x_i,w) + KL$. What is the expected value of "
        "a sum over $m$ examples drawn at random from the $N$?",
        "It is $m/N$ of the whole sum. A loss may be multiplied by any constant, but then *all* of "
        "it: multiply the line above by $m/N$, or by $1/N$.",
    ],
    explanation="Multiply the whole loss by $m/N$: the data term becomes the expected sum over a "
    "mini-batch, and the KL gets $m/N$. Multiply by $1/N$: the data term becomes the mean, and "
    "the KL gets $1/N$.",
)


# --- 2: how narrow mean field is ----------------------------------------------------------------


def _narrowing(rho):
    return np.sqrt(1 - rho**2)


q2 = Exercise(
    answer=_narrowing,
    cases=[(0.6,), (-0.8,), (0.0,), (0.3,), (0.95,)],
    tolerance=0.03,  # three standard errors of a simulation with 10 000 wines
    praise="At a correlation of 0.9 mean field reports 44 % of the true uncertainty. With "
    "thirteen weights the same happens through all correlations together.",
    mistakes={
        "exact": (
            lambda rho: 1.0,
            "That says mean field is exact. It is only where the inputs are uncorrelated: compare "
            "1/Λᵢᵢ with (Λ⁻¹)ᵢᵢ for a 2 × 2 matrix.",
        ),
        "variance": (
            lambda rho: 1 - rho**2,
            "That is the share of the exact *variance*. The standard deviation is its root.",
        ),
        "upside down": (
            lambda rho: 1 / np.sqrt(1 - rho**2),
            "Upside down: 1/Λᵢᵢ is the variance with the *other weight held fixed*, which can only "
            "be smaller than the marginal one.",
        ),
        "straight line": (
            lambda rho: 1 - abs(rho),
            "It falls with the correlation, but not in a straight line: invert the 2 × 2 matrix "
            "[[1, ρ], [ρ, 1]].",
        ),
    },
    otherwise="With a wide prior Λ is proportional to [[1, ρ], [ρ, 1]]; compare 1/√Λᵢᵢ with "
    "√(Λ⁻¹)ᵢᵢ.",
    hints=[
        "With a wide prior $\\Lambda = X^\\top X/\\sigma_y^2$. For two standardised inputs that is "
        "proportional to $\\begin{pmatrix}1&\\rho\\\\\\rho&1\\end{pmatrix}$.",
        "Its inverse has $1/(1-\\rho^2)$ on the diagonal.",
    ],
    explanation="$1/\\sqrt{\\Lambda_{ii}} \\propto 1$ and $\\sqrt{(\\Lambda^{-1})_{ii}} \\propto "
    "1/\\sqrt{1-\\rho^2}$, so the share is $\\sqrt{1-\\rho^2}$.",
)


# --- 3: the RMSE of a prediction ----------------------------------------------------------------


def _draws(K, N):
    rng = np.random.default_rng(3)
    centre = rng.normal(size=N)
    return centre + 0.8 * rng.normal(size=(K, N)), centre + 0.7 * rng.normal(size=N)


_ONE_DRAW = (
    "This is the published mistake itself: one draw, scored as if it were the prediction. Run it "
    "twice with other draws and the score changes."
)
_SCORES = (
    "You score every draw and then average the scores: the noise of the draws is still in it. "
    "Average the draws before you compare with y."
)


def _rmse_of_prediction(draws, y):
    return np.sqrt(np.mean((draws.mean(axis=0) - y) ** 2))


q3 = Exercise(
    answer=_rmse_of_prediction,
    cases=[
        (np.array([[1.0, 2.0], [2.0, 2.0], [6.0, 5.0]]), np.array([3.0, 1.0])),
        _draws(40, 30),
        (np.array([[4.0], [0.0], [0.5]]), np.array([3.0])),
        (np.array([[4.0, 1.0, -2.0]]), np.array([3.0, 3.0, 3.0])),
    ],
    praise="The mean over the draws first, then the error. It is the model's best single guess.",
    mistakes={
        "one draw": (lambda draws, y: np.sqrt(np.mean((draws[0] - y) ** 2)), _ONE_DRAW),
        "the last draw": (lambda draws, y: np.sqrt(np.mean((draws[-1] - y) ** 2)), _ONE_DRAW),
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
            "The median of the draws is the best guess under the absolute error. Which one is it "
            "under the squared error?",
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


# --- 4: the interval of a prediction ------------------------------------------------------------


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


_NOISE = (
    "Its width is the noise alone (aleatoric), as from one draw of weights: that the networks "
    "disagree is forgotten."
)
_INTERVALS = {
    "one weight draw": (_around(lambda mu, sigma: sigma[0], lambda mu: mu[0]), _NOISE),
    "noise only": (_around(lambda mu, sigma: np.sqrt((sigma**2).mean(axis=0))), _NOISE),
    "mean of the ends": (_around(lambda mu, sigma: sigma.mean(axis=0)), _NOISE),
    "spread of the weights only": (
        _around(lambda mu, sigma: mu.std(axis=0)),
        "Its width is the disagreement of the networks alone (epistemic): each of them expects "
        "noise as well.",
    ),
    "standard deviations added": (
        _around(lambda mu, sigma: mu.std(axis=0) + sigma.mean(axis=0)),
        "Standard deviations do not add: their squares do, by the law of total variance.",
    ),
    "sigma not squared": (
        _around(lambda mu, sigma: np.sqrt(mu.var(axis=0) + sigma.mean(axis=0))),
        "You add a variance and a standard deviation: square sigma before you take its mean.",
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


q4 = Exercise(
    answer=_interval,
    judge=_judge_interval,
    praise="It holds 95 % of the mixture: the noise that each network expects and the "
    "disagreement between them.",
    mistakes=_INTERVALS,
    hints=[
        "What is the variance of a mixture of normals? The law of total variance has two terms.",
        "The mean of `sigma**2` over the networks, plus the variance of `mu` over the networks.",
    ],
    explanation="Mix over the weights first. Below is the normal approximation of the mixture; "
    "`metrics.mixture_interval(mu, sigma, 0.95)` gives the mixture's own quantiles.",
)


# --- 5: mutual information ----------------------------------------------------------------------


def _mutual_information(p):
    return entropy(p.mean(axis=0), axis=-1) - entropy(p, axis=-1).mean(axis=0)


q5 = Exercise(
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
            "That is the total, the entropy of the mean. It is also large where all networks agree "
            "on fifty-fifty, and that is no doubt about the weights.",
        ),
        "aleatoric": (
            lambda p: entropy(p, axis=-1).mean(axis=0),
            "That is the mean of the entropies: what each network finds uncertain, the aleatoric "
            "part.",
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


# --- 6: the vote --------------------------------------------------------------------------------


def _majority(p):
    votes = p.argmax(axis=-1)
    return np.stack([(votes == c).sum(axis=0) for c in range(p.shape[-1])]).argmax(axis=0)


_MEAN_INDEX = (
    "This is the published mistake: two members for class 0 and two for class 2 make it class 1, "
    "which nobody voted for."
)


def _vote(p):
    return p.mean(axis=0).argmax(axis=-1)


q6 = Exercise(
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
            _majority,
            "A majority vote is better than the published mistake, but it forgets how sure each "
            "member is. The predictive distribution is the mean of the *probabilities*.",
        ),
        "the surest member": (
            lambda p: p.max(axis=0).argmax(axis=-1),
            "The member that is surest decides alone here. The predictive distribution asks all.",
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


# --- 7: the objective on the slide --------------------------------------------------------------


def _objective(log_likelihoods, kl, N):
    return N / len(log_likelihoods) * log_likelihoods.sum() - kl


_SHRINKS = "Without a KL the σ shrink to 0, a point estimate."

q7 = Exercise(
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
            "The KL is there now, but m examples stand against the prior of a whole data set: the "
            "sum must be scaled up to N examples.",
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
            "Only the data term is scaled: the KL belongs to all weights and is paid once.",
        ),
        "per example": (
            lambda logs, kl, N: logs.mean() - kl / N,
            "Proportional to it, and fine as a loss of Keras; but the ELBO itself is a sum over "
            "all N examples. Multiply by N.",
        ),
        "negative": (
            lambda logs, kl, N: kl - N * logs.mean(),
            "This is the negative ELBO, to be descended. The slide climbs.",
        ),
        "mean": (
            lambda logs, kl, N: logs.mean() - kl,
            "That is the *mean* over the mini-batch beside the whole KL: the data term is too "
            "small by far.",
        ),
    },
    otherwise="How large is the data term of all N examples, judged by these m? And what does the "
    "distance from the prior cost?",
    hints=[
        "The ELBO is $\\sum_{i=1}^N \\mathbb E_q \\log p(y_i|x_i,w) - KL(q\\,\\|\\,p)$.",
        "A mini-batch of $m$ holds $m/N$ of the sum on average: multiply its sum by $N/m$.",
    ],
    explanation="$\\frac{N}{m}\\sum_{j=1}^m \\log p(y^{i_j}|x^{i_j}, w) - KL(q(w|\\lambda)\\,\\|\\,"
    "p(w))$, with $w = \\mu + \\sigma\\epsilon$.",
)
