"""Exercises of the lesson `bayesian_neural_networks_wine`."""

import numpy as np
from scipy.stats import entropy

from course_utils import metrics
from course_utils.exercises import Exercise, Wrong, close, numbers

# --- 1: the weight of the KL term ---------------------------------------------------------------


def _judge_kl_weight(answer):
    N, m = 4_000, 50
    mean, total = (float(numbers(answer(N, m, r), shape=())) for r in ("mean", "sum"))
    if close(mean, 1 / N, 1e-9) and close(total, m / N, 1e-9):
        return (
            "The mean over a mini-batch estimates 1/N of the data term, so the KL gets 1/N too; "
            "the sum estimates m/N of it. For the mean the number of batches appears nowhere."
        )
    if mean == 1 or total == 1:
        raise Wrong(
            "A factor of 1 belongs to the sum over *all* N examples. A mini-batch has only m of "
            "them: how large is its sum, on average, beside the whole?"
        )
    if close(mean, 1 / m, 1e-9):
        raise Wrong(
            "You divided by the batch size. Then the same data cut into smaller batches would get "
            "a stronger prior: does the posterior know how you cut them?"
        )
    if close(mean, m / N, 1e-9):
        raise Wrong(
            "One over the number of batches is right for the *sum* over the mini-batch, but for "
            "the mean the data term is m times smaller."
        )
    if close(mean, 1 / N, 1e-9):
        raise Wrong("The mean is right. The sum over m examples is m times the mean: so is its KL.")
    raise Wrong(
        f"For N = {N} and m = {m} you give {mean:.6g} (mean) and {total:.6g} (sum). Write the loss "
        "over all examples, divide it so that the data term becomes what you average, and see what "
        "happens to the KL."
    )


def _kl_weight(N, m, reduction):
    return 1 / N if reduction == "mean" else m / N


q1 = Exercise(
    judge=_judge_kl_weight,
    hints=[
        "The whole loss is $-\\sum_{i=1}^N \\log p(y_i|x_i,w) + KL$. What is the expected value of "
        "a sum over $m$ examples drawn at random from the $N$?",
        "It is $m/N$ of the whole sum. A loss may be multiplied by any constant, but then *all* of "
        "it: multiply the line above by $m/N$, or by $1/N$.",
    ],
    explanation="Multiply the whole loss by $m/N$: the data term becomes the expected sum over a "
    "mini-batch, and the KL gets $m/N$. Multiply by $1/N$: the data term becomes the mean, and "
    "the KL gets $1/N$.\n\n"
    "```python\ndef kl_weight(N, m, reduction):\n"
    '    return 1 / N if reduction == "mean" else m / N\n```',
    answer=_kl_weight,
    misconceptions={
        "one": lambda N, m, reduction: 1,
        "batch size": lambda N, m, reduction: 1 / m,
        "number of batches for both": lambda N, m, reduction: m / N,
        "1/N for both": lambda N, m, reduction: 1 / N,
    },
)


# --- 2: how narrow mean field is ----------------------------------------------------------------


def _judge_narrowing(answer):
    rhos = (0.0, 0.6, -0.8)
    given = np.array([float(numbers(answer(rho), shape=())) for rho in rhos])
    exact = np.sqrt(1 - np.square(rhos))
    if close(given, exact):
        return (
            "At a correlation of 0.9 mean field reports 44 % of the true uncertainty. With "
            "thirteen weights the same happens through all correlations together."
        )
    if close(given, 1):
        raise Wrong(
            "That says mean field is exact. It is only where the inputs are uncorrelated: compare "
            "1/Λᵢᵢ with (Λ⁻¹)ᵢᵢ for a 2 × 2 matrix."
        )
    if close(given, exact**2):
        raise Wrong(
            "That is the share of the exact *variance*. The standard deviation is its root."
        )
    if close(given, 1 / exact):
        raise Wrong(
            "Upside down: 1/Λᵢᵢ is the variance with the *other weight held fixed*, which can only "
            "be smaller than the marginal one."
        )
    if close(given, 1 - np.abs(rhos)):
        raise Wrong(
            "It falls with the correlation, but not in a straight line: invert the 2 × 2 matrix "
            "[[1, ρ], [ρ, 1]]."
        )
    raise Wrong(
        f"For ρ = 0.6 you give {given[1]:.4g}. With a wide prior Λ is proportional to "
        "[[1, ρ], [ρ, 1]]; compare 1/√Λᵢᵢ with √(Λ⁻¹)ᵢᵢ."
    )


q2 = Exercise(
    judge=_judge_narrowing,
    hints=[
        "With a wide prior $\\Lambda = X^\\top X/\\sigma_y^2$. For two standardised inputs that is "
        "proportional to $\\begin{pmatrix}1&\\rho\\\\\\rho&1\\end{pmatrix}$.",
        "Its inverse has $1/(1-\\rho^2)$ on the diagonal.",
    ],
    explanation="$1/\\sqrt{\\Lambda_{ii}} \\propto 1$ and $\\sqrt{(\\Lambda^{-1})_{ii}} \\propto "
    "1/\\sqrt{1-\\rho^2}$, so the share is $\\sqrt{1-\\rho^2}$.\n\n"
    "```python\ndef narrowing(rho):\n    return np.sqrt(1 - rho**2)\n```",
    answer=lambda rho: np.sqrt(1 - rho**2),
    misconceptions={
        "exact": lambda rho: 1.0,
        "variance": lambda rho: 1 - rho**2,
        "upside down": lambda rho: 1 / np.sqrt(1 - rho**2),
        "straight line": lambda rho: 1 - abs(rho),
    },
)


# --- 3: the RMSE of a prediction ----------------------------------------------------------------


def _predictive_draws():
    rng = np.random.default_rng(3)
    centre = rng.normal(size=300)
    return centre + 0.8 * rng.normal(size=(400, 300)), centre + 0.7 * rng.normal(size=300)


def _judge_rmse(answer):
    draws, y = _predictive_draws()
    given = float(numbers(answer(draws.copy(), y.copy()), shape=()))
    error = draws - y
    if close(given, metrics.rmse(y, draws)):
        return "The mean over the draws first, then the error. It is the model's best single guess."
    if close(given, np.mean(error.mean(axis=0) ** 2)):
        raise Wrong("That is the mean squared error: take its root.")
    if any(close(given, np.sqrt(np.mean(error[k] ** 2)), 1e-6) for k in range(len(draws))):
        raise Wrong(
            "This is the published mistake itself: one draw, scored as if it were the prediction. "
            "Run it twice with other draws and the score changes."
        )
    if close(given, np.sqrt(np.mean(error**2))) or close(
        given, np.sqrt(np.mean(error**2, axis=1)).mean()
    ):
        raise Wrong(
            "You scored every draw and then averaged the scores: the noise of the draws is still "
            "in it. Average the draws before you compare with y."
        )
    raise Wrong(
        f"You give {given:.4g}. The prediction for each wine is the mean of its column of draws; "
        "the error is taken after that."
    )


def _rmse(draws, y):
    return np.sqrt(np.mean((draws.mean(axis=0) - y) ** 2))


q3 = Exercise(
    judge=_judge_rmse,
    hints=[
        "Which single number would you tell a buyer of the wine?",
        "The mean over the first axis of `draws`, shape `(N,)`. Compare that with `y`.",
    ],
    explanation="The mean of the predictive distribution is its best guess under squared error.\n\n"
    "```python\ndef rmse_of_prediction(draws, y):\n"
    "    return np.sqrt(np.mean((draws.mean(axis=0) - y) ** 2))\n```",
    answer=_rmse,
    misconceptions={
        "one draw": lambda draws, y: np.sqrt(np.mean((draws[0] - y) ** 2)),
        "all draws": lambda draws, y: np.sqrt(np.mean((draws - y) ** 2)),
        "no root": lambda draws, y: np.mean((draws.mean(axis=0) - y) ** 2),
    },
)


# --- 4: the interval of a prediction ------------------------------------------------------------


def _networks():
    rng = np.random.default_rng(4)
    mu = rng.normal(size=40) + 0.9 * rng.normal(size=(500, 40))
    return mu, np.full(mu.shape, 0.6)


def _judge_interval(answer):
    mu, sigma = _networks()
    given = answer(mu.copy(), sigma.copy())
    given = numbers(given, shape=(2, mu.shape[1])) if given is not None else numbers(None)
    inside = metrics.mixture_cdf(given[1], mu, sigma) - metrics.mixture_cdf(given[0], mu, sigma)
    width = (given[1] - given[0]).mean() / 2 / 1.96
    if (given[1] < given[0]).any():
        raise Wrong("Some upper ends lie below the lower ones: return (lower, upper).")
    if np.abs(inside - 0.95).max() < 0.02:
        return (
            "It holds 95 % of the mixture: the noise that each network expects and the "
            "disagreement between them."
        )
    if close(width, sigma.mean(), 0.02):
        raise Wrong(
            f"It holds {inside.mean():.0%} and not 95 %. Its width is the noise alone (aleatoric), "
            "as from one draw of weights: that the networks disagree is forgotten."
        )
    if close(width, mu.std(axis=0).mean(), 0.05):
        raise Wrong(
            f"It holds {inside.mean():.0%} and not 95 %. Its width is the disagreement of the "
            "networks alone (epistemic): each of them also expects noise."
        )
    if close(width, (sigma + mu.std(axis=0)).mean(), 0.05):
        raise Wrong(
            "Standard deviations do not add: their squares do, by the law of total variance."
        )
    raise Wrong(
        f"It holds {inside.mean():.0%} of the prediction and not 95 %. The variance of the mixture "
        "is the variance of mu over the networks plus the mean of sigma²."
    )


def _interval(mu, sigma):
    sd = np.sqrt(mu.var(axis=0) + (sigma**2).mean(axis=0))
    return mu.mean(axis=0) - 1.96 * sd, mu.mean(axis=0) + 1.96 * sd


q4 = Exercise(
    judge=_judge_interval,
    hints=[
        "What is the variance of a mixture of normals? The law of total variance has two terms.",
        "The mean of `sigma**2` over the networks, plus the variance of `mu` over the networks.",
    ],
    explanation="Mix over the weights first. With the normal approximation of the mixture:\n\n"
    "```python\ndef interval(mu, sigma):\n"
    "    sd = np.sqrt(mu.var(axis=0) + (sigma**2).mean(axis=0))\n"
    "    return mu.mean(axis=0) - 1.96 * sd, mu.mean(axis=0) + 1.96 * sd\n```\n\n"
    "`metrics.mixture_interval(mu, sigma, 0.95)` gives the mixture's own quantiles.",
    answer=_interval,
    misconceptions={
        "one weight draw": lambda mu, sigma: (mu[0] - 1.96 * sigma[0], mu[0] + 1.96 * sigma[0]),
        "spread of the weights only": lambda mu, sigma: (
            mu.mean(axis=0) - 1.96 * mu.std(axis=0),
            mu.mean(axis=0) + 1.96 * mu.std(axis=0),
        ),
        "standard deviations added": lambda mu, sigma: (
            mu.mean(axis=0) - 1.96 * (mu.std(axis=0) + sigma.mean(axis=0)),
            mu.mean(axis=0) + 1.96 * (mu.std(axis=0) + sigma.mean(axis=0)),
        ),
    },
)


# --- 5: mutual information ----------------------------------------------------------------------


def _class_probabilities():
    return np.random.default_rng(5).dirichlet([0.6, 0.9, 0.5], size=(50, 20))


def _judge_information(answer):
    p = _class_probabilities()
    given = numbers(answer(p.copy()), shape=(p.shape[1],))
    total, aleatoric = entropy(p.mean(axis=0), axis=-1), entropy(p, axis=-1).mean(axis=0)
    if close(given, total - aleatoric):
        return "It is zero where all networks agree, however unsure they are."
    if close(given, (total - aleatoric) / np.log(2)):
        raise Wrong("Right, but in bits: use the natural logarithm for nats.")
    if close(given, total):
        raise Wrong(
            "That is the total, the entropy of the mean. It is also large where all networks agree "
            "on fifty-fifty, and that is no doubt about the weights."
        )
    if close(given, aleatoric):
        raise Wrong(
            "That is the mean of the entropies: what each network finds uncertain, the aleatoric "
            "part."
        )
    if close(given, aleatoric - total):
        raise Wrong("The sign is reversed: the entropy of a mean is never below the mean entropy.")
    raise Wrong(
        "The values do not agree. Average p over the networks (axis 0) and take the entropy over "
        "the classes (axis -1); subtract the mean over the networks of each one's entropy."
    )


def _information(p):
    return entropy(p.mean(axis=0), axis=-1) - entropy(p, axis=-1).mean(axis=0)


q5 = Exercise(
    judge=_judge_information,
    hints=[
        "`scipy.stats.entropy(p, axis=-1)` is the entropy over the last axis, in nats.",
        "Two orders of the same two operations: mean then entropy, and entropy then mean.",
    ],
    explanation="```python\nfrom scipy.stats import entropy\n\n\ndef mutual_information(p):\n"
    "    return entropy(p.mean(axis=0), axis=-1) - entropy(p, axis=-1).mean(axis=0)\n```",
    answer=_information,
    misconceptions={
        "total": lambda p: entropy(p.mean(axis=0), axis=-1),
        "aleatoric": lambda p: entropy(p, axis=-1).mean(axis=0),
        "sign": lambda p: -_information(p),
        "bits": lambda p: _information(p) / np.log(2),
    },
)


# --- 6: the vote --------------------------------------------------------------------------------


def _votes():
    p = np.random.default_rng(6).dirichlet([0.7, 0.7, 0.7], size=(5, 60))
    classes = p.argmax(axis=-1)
    majority = np.stack([(classes == c).sum(axis=0) for c in range(3)]).argmax(axis=0)
    return p, classes, majority


def _judge_vote(answer):
    p, classes, majority = _votes()
    given = numbers(answer(p.copy()), shape=(p.shape[1],))
    if np.array_equal(given, p.mean(axis=0).argmax(axis=-1)):
        return "Average the probabilities, then choose. The order of the classes no longer matters."
    if np.array_equal(given, np.rint(classes.mean(axis=0))):
        raise Wrong(
            "This is the published mistake: two members for class 0 and two for class 2 make it "
            "class 1, which nobody voted for."
        )
    if np.array_equal(given, majority):
        raise Wrong(
            "A majority vote is better than the published mistake, but it forgets how sure each "
            "member is. The predictive distribution is the mean of the *probabilities*."
        )
    if np.array_equal(given, classes[0]):
        raise Wrong("That is the first member alone.")
    raise Wrong("Some classes differ. Axis 0 counts the members, the last axis the classes.")


q6 = Exercise(
    judge=_judge_vote,
    hints=[
        "Is the mean of class 0 and class 2 a class? What of three cultivars in another order?",
        "Average over the members first, then take the `argmax` over the classes.",
    ],
    explanation="Class indices are names, not quantities.\n\n"
    "```python\ndef vote(p):\n    return p.mean(axis=0).argmax(axis=-1)\n```",
    answer=lambda p: p.mean(axis=0).argmax(axis=-1),
    misconceptions={
        "mean of the indices": lambda p: np.rint(p.argmax(axis=-1).mean(axis=0)),
        "majority": lambda p: _votes()[2],
        "one member": lambda p: p[0].argmax(axis=-1),
    },
)


# --- 7: the objective on the slide --------------------------------------------------------------


def _judge_objective(answer):
    logs, kl, N = np.array([-1.2, -0.3, -2.5, -0.8, -0.2]), 3.0, 100
    given = float(numbers(answer(logs.copy(), kl, N), shape=()))
    total, m = logs.sum(), len(logs)
    if close(given, N / m * total - kl):
        return "With N/m in front it estimates the sum over all examples; the KL is paid once."
    if close(given, total):
        raise Wrong(
            "This is the slide as printed: without a KL the σ shrink to 0, a point estimate."
        )
    if close(given, total - kl):
        raise Wrong(
            "The KL is there now, but m examples stand against the prior of a whole data set: the "
            "sum must be scaled up to N examples."
        )
    if close(given, N / m * total):
        raise Wrong("The scale is right; the KL is missing. Without it the σ shrink to 0.")
    if close(given, N / m * total + kl):
        raise Wrong("The sign of the KL: we *climb* the ELBO, and distance from the prior costs.")
    if close(given, total / m - kl / N):
        raise Wrong(
            "Proportional to it, and fine as a loss of Keras; but the ELBO itself is a sum over "
            "all N examples. Multiply by N."
        )
    if close(given, N / m * (total - kl)):
        raise Wrong("Only the data term is scaled: the KL belongs to all weights and is paid once.")
    if close(given, kl - N / m * total):
        raise Wrong("This is the negative ELBO, to be descended. The slide climbs.")
    raise Wrong(f"You give {given:.4g}. ELBO = sum over all N of E log p, minus KL.")


q7 = Exercise(
    judge=_judge_objective,
    hints=[
        "The ELBO is $\\sum_{i=1}^N \\mathbb E_q \\log p(y_i|x_i,w) - KL(q\\,\\|\\,p)$.",
        "A mini-batch of $m$ holds $m/N$ of the sum on average: multiply its sum by $N/m$.",
    ],
    explanation="$\\frac{N}{m}\\sum_{j=1}^m \\log p(y^{i_j}|x^{i_j}, w) - KL(q(w|\\lambda)\\,\\|\\,"
    "p(w))$, with $w = \\mu + \\sigma\\epsilon$.\n\n"
    "```python\ndef objective(log_likelihoods, kl, N):\n"
    "    return N / len(log_likelihoods) * log_likelihoods.sum() - kl\n```",
    answer=lambda log_likelihoods, kl, N: N / len(log_likelihoods) * log_likelihoods.sum() - kl,
    misconceptions={
        "the slide": lambda logs, kl, N: logs.sum(),
        "no scale": lambda logs, kl, N: logs.sum() - kl,
        "no KL": lambda logs, kl, N: N / len(logs) * logs.sum(),
        "wrong sign": lambda logs, kl, N: N / len(logs) * logs.sum() + kl,
        "KL scaled too": lambda logs, kl, N: N / len(logs) * (logs.sum() - kl),
        "per example": lambda logs, kl, N: logs.mean() - kl / N,
        "negative": lambda logs, kl, N: kl - N / len(logs) * logs.sum(),
    },
)
