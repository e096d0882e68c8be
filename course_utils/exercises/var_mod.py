"""Exercises of the lesson `var_mod`."""

import numpy as np
from scipy.special import logsumexp

from course_utils.exercises._before import Exercise, Wrong, close, numbers

# --- 1: the KL term alone -----------------------------------------------------------------------


def _judge_kl_alone(answer):
    mu, sigma, derivative = numbers(answer, shape=(3,))
    if close(mu, 0) and close(sigma, 1) and close(derivative, 1.5):
        return (
            "Every picture gets the prior, N(0, 1), and the code says nothing: section 6 trains "
            "exactly that. With the sign wrong the KL would be least at z_sigma → 0, and the loss "
            "would reward an encoder without any noise."
        )
    if close(derivative, 2.5):
        raise Wrong(
            "The derivative is that of the wrong sign, z_sigma + 1/z_sigma, which is zero nowhere. "
            "The logarithm is subtracted: −log z_sigma."
        )
    if close(sigma, 0):
        raise Wrong(
            "z_sigma → 0 makes −log z_sigma, and the KL, infinite: a sharp q is as far from the "
            "prior as can be. Where is the derivative by z_sigma zero?"
        )
    if close(derivative, 2) or close(derivative, -0.5):
        raise Wrong(
            "One of two terms is missing in the derivative: z_sigma enters as z_sigma²/2 and as "
            "−log z_sigma."
        )
    raise Wrong(
        f"You give z_mu = {mu:.4g}, z_sigma = {sigma:.4g}, derivative {derivative:.4g}. For one "
        "dimension the KL is (z_mu² + z_sigma² − 1)/2 − log z_sigma: where are its two derivatives "
        "zero, and what is the one by z_sigma at 2?"
    )


q1 = Exercise(
    judge=_judge_kl_alone,
    hints=[
        "A KL divergence is never negative. When is it zero?",
        "The derivative by $z_\\sigma$ is $z_\\sigma - 1/z_\\sigma$. Where is it zero, and what is "
        "it at 2?",
    ],
    explanation="$KL = \\tfrac12(z_\\mu^2 + z_\\sigma^2 - 1) - \\log z_\\sigma$ is least, and "
    "zero, at $z_\\mu = 0$, $z_\\sigma = 1$: $q$ is the prior for every picture, and the code "
    "carries nothing. So the loss of a VAE cannot be a KL divergence alone: it is *reconstruction "
    "plus KL*.\n\nThe derivative is $z_\\sigma - 1/z_\\sigma = 1.5$ at 2. With a plus before the "
    "logarithm it would be $z_\\sigma + 1/z_\\sigma$, never zero: training would drive "
    "$z_\\sigma$ to 0, and the reported bound with it.\n\n"
    "```python\nz_mu_best, z_sigma_best, derivative_at_2 = 0, 1, 1.5\n```",
    answer=(0, 1, 1.5),
    misconceptions={
        "sign of the logarithm": (0, 1, 2.5),
        "no noise": (0, 0, 1.5),
        "logarithm forgotten": (0, 1, 2),
        "something else": (1, 1, 1.5),
    },
)


# --- 2: mean, variance, noise -------------------------------------------------------------------


def _judge_sample(answer):
    mu, variance, epsilon = np.array([0.5, -1.0, 2.0]), np.array([0.04, 4.0, 1.0]), np.ones(3)
    given = numbers(answer(mu, variance, epsilon), shape=(3,))
    spread = given - mu
    if close(spread, np.sqrt(variance)):
        below = numbers(answer(mu, variance, -epsilon), shape=(3,))
        if close(below - mu, -np.sqrt(variance)):
            return (
                "Noise is scaled by the *standard deviation*. Encoders often give log σ or log σ² "
                "instead, which may be any real number: then the factor is exp(log σ), or "
                "exp(log σ² / 2)."
            )
        raise Wrong("The noise should be added with its own sign, whatever that is.")
    if close(spread, variance):
        raise Wrong(
            "That is the slide's rule. The noise ε has variance 1; multiplied by v it has "
            "variance v², while the KL believes v. The two agree only at v = 1."
        )
    if close(spread, np.exp(variance / 2)):
        raise Wrong(
            "exp(v/2) is right if the encoder gives the *logarithm* of the variance. Here it gives "
            "the variance itself."
        )
    if close(spread, 0):
        raise Wrong("There is no noise in it: that is a plain autoencoder.")
    if close(given, np.sqrt(variance)):
        raise Wrong("The noise is right. But where is the mean?")
    raise Wrong(
        f"For z_mu = 0.5, variance 0.04 and epsilon = 1 you give {given[0]:.4g}. What must a "
        "number of variance 1 be multiplied by to have variance v?"
    )


q2 = Exercise(
    judge=_judge_sample,
    hints=[
        "$\\epsilon$ has variance 1. What is the variance of $c\\,\\epsilon$?",
        "It is $c^2$. So $c$ is the root of the variance that you want.",
    ],
    explanation="$\\mathrm{Var}(c\\,\\epsilon) = c^2$, so the factor is the standard deviation, "
    "the root of the variance. With the variance as factor, $z$ would have variance $v^2$: the "
    "decoder would see other noise than the KL pays for, and the loss would bound nothing.\n\n"
    "```python\ndef sample(z_mu, z_variance, epsilon):\n"
    "    return z_mu + z_variance**0.5 * epsilon\n```",
    answer=lambda z_mu, z_variance, epsilon: z_mu + z_variance**0.5 * epsilon,
    misconceptions={
        "the slide's": lambda z_mu, z_variance, epsilon: z_mu + z_variance * epsilon,
        "log variance": lambda z_mu, z_variance, epsilon: z_mu + np.exp(z_variance / 2) * epsilon,
        "no noise": lambda z_mu, z_variance, epsilon: z_mu,
        "no mean": lambda z_mu, z_variance, epsilon: z_variance**0.5 * epsilon,
        "sign lost": lambda z_mu, z_variance, epsilon: z_mu + (z_variance * epsilon**2) ** 0.5,
        "something else": lambda z_mu, z_variance, epsilon: z_mu + 3 * epsilon,
    },
)


# --- 3: the importance-weighted bound -----------------------------------------------------------


def _judge_bound(answer):
    rng = np.random.default_rng(0)
    log_w = rng.normal(-100, 2, (50, 4))
    given = numbers(answer(log_w))
    k = len(log_w)
    if given.shape == (k,):
        raise Wrong(
            f"You give {k} numbers, one per draw. The average runs over the draws (axis 0): one "
            "number per picture is expected."
        )
    given = numbers(given, shape=(4,))
    expected = logsumexp(log_w, axis=0) - np.log(k)
    if close(given, log_w.mean(axis=0), 1e-6):
        raise Wrong(
            "That is the average of the logarithms: the ELBO. Average first, then take the "
            "logarithm."
        )
    if close(given, expected + np.log(k), 1e-6):
        raise Wrong("That is the logarithm of the *sum*: too large by log k. It is no lower bound.")
    if not close(given, expected, 1e-6):
        raise Wrong(
            f"For the first picture you give {given[0]:.4f}, but {expected[0]:.4f} is expected: "
            "the logarithm of the mean of exp(log_w) over the draws."
        )
    far = log_w - 2_000
    with np.errstate(all="ignore"):
        shifted = np.asarray(answer(far), dtype=float)
    if shifted.shape != (4,) or not close(shifted, expected - 2_000, 1e-6):
        raise Wrong(
            "Right for these weights. But a larger picture may have log w = −2100 (and in single "
            "precision −104 is enough): exp of that is 0, and your bound −∞. Subtract the "
            "largest log_w before exp and add it again, or call scipy.special.logsumexp."
        )
    return (
        "And it survives weights far too small for floating point, as those of large pictures are."
    )


q3 = Exercise(
    judge=_judge_bound,
    hints=[
        "$\\log\\frac1k\\sum_i w_i = \\log\\sum_i \\exp(\\log w_i) - \\log k$, over axis 0.",
        "`scipy.special.logsumexp(log_w, axis=0)` does the first part without underflow.",
    ],
    explanation="Average the weights, not their logarithms, and keep the exponentials in range:\n\n"
    "```python\ndef importance_weighted_bound(log_w):\n"
    "    return logsumexp(log_w, axis=0) - np.log(len(log_w))\n```\n\n"
    "The mean of `log_w` is the ELBO; without $-\\log k$ the result is too large and bounds "
    "nothing; `np.log(np.exp(log_w).mean(axis=0))` is $-\\infty$ once all `log_w` lie below −745 "
    "(below −103 in single precision).",
    answer=lambda log_w: logsumexp(log_w, axis=0) - np.log(len(log_w)),
    misconceptions={
        "the ELBO": lambda log_w: log_w.mean(axis=0),
        "sum for mean": lambda log_w: logsumexp(log_w, axis=0),
        "underflow": lambda log_w: np.log(np.exp(log_w).mean(axis=0)),
        "wrong axis": lambda log_w: logsumexp(log_w, axis=1) - np.log(log_w.shape[1]),
        "something else": lambda log_w: log_w.max(axis=0),
    },
)


# --- 4: the KL counted twice --------------------------------------------------------------------


def _judge_repair(answer):
    L, K = 130.0, 12.0
    nelbo, beta = numbers(answer(L, K), shape=(2,))
    if close(nelbo, L - K) and close(beta, 2):
        return (
            "The number can be repaired afterwards, the model cannot: it was trained with β = 2 "
            "and has probably collapsed more dimensions than it had to."
        )
    if close(nelbo, L - 2 * K):
        raise Wrong(
            "Without any KL only the reconstruction is left. The negative ELBO contains it once."
        )
    if close(nelbo, L):
        raise Wrong(
            f"You give the reported loss back (β = {beta:.4g}). It is R + 2K, and the negative "
            "ELBO is R + K."
        )
    if close(nelbo, L + K):
        raise Wrong("The reported loss has one KL too *many*: take it away.")
    if close(nelbo, L - K):
        raise Wrong(
            f"The negative ELBO is right, but β = {beta:.4g} is not: how often was the KL in the "
            "loss whose gradient was followed?"
        )
    raise Wrong(
        f"For L = {L:g} and K = {K:g} you give {nelbo:.4g}. Write L as reconstruction plus what "
        "the two places add."
    )


q4 = Exercise(
    judge=_judge_repair,
    hints=["Write $L = R + K + K$, with $R$ the reconstruction loss."],
    explanation="$L = R + 2K$, so $-\\text{ELBO} = R + K = L - K$. The gradient was that of "
    "$R + 2K$: the model was trained with $\\beta = 2$.\n\n"
    "```python\ndef repair(L, K):\n    return L - K, 2\n```",
    answer=lambda L, K: (L - K, 2),
    misconceptions={
        "no KL left": lambda L, K: (L - 2 * K, 2),
        "nothing to repair": lambda L, K: (L, 2),
        "wrong way": lambda L, K: (L + K, 2),
        "beta one": lambda L, K: (L - K, 1),
        "something else": lambda L, K: (L / 2, 2),
    },
)


# --- 5: the length of a code half-way -----------------------------------------------------------


def _judge_length(answer):
    dimensions = np.array([2, 10, 100])
    given = np.array([float(numbers(answer(int(d)), shape=())) for d in dimensions])
    expected = np.sqrt(dimensions / 2)
    if close(given, expected, 1e-6):
        return (
            "The half-way point is shorter than a draw from the prior by √2, whatever d. But "
            "draws scatter about √d by only 0.7 or so, whatever d: the larger d, the further "
            "outside the half-way point lies."
        )
    if close(given, np.sqrt(dimensions), 1e-6):
        raise Wrong("That is the length of an end point. The average of two is shorter.")
    if close(given, dimensions / 2, 1e-6):
        raise Wrong("That is the mean *squared* length: take the root.")
    if close(given, np.sqrt(dimensions) / 2, 1e-6):
        raise Wrong(
            "Half the length would be right if the other end were zero. Variances add: the "
            "average of two independent numbers of variance 1 has variance ½."
        )
    if close(given, 0):
        raise Wrong("Zero is the *mean* of the half-way point. Its length is never zero.")
    raise Wrong(
        f"For d = 10 you give {given[1]:.4g}. What is the variance of (a + b)/2 for independent a "
        "and b of variance 1? Add it up over d numbers."
    )


q5 = Exercise(
    judge=_judge_length,
    hints=[
        "Each number of the half-way point is $(a + b)/2$ with independent $a, b \\sim "
        "\\mathcal N(0, 1)$. Its variance?",
        "The squared length is the sum of $d$ squares, each ½ on average.",
    ],
    explanation="Each number has variance $\\tfrac14(1 + 1) = \\tfrac12$, so the mean squared "
    "length is $d/2$ and its root $\\sqrt{d/2}$, against $\\sqrt d$ for a draw from the prior.\n\n"
    "```python\ndef half_way_length(d):\n    return (d / 2) ** 0.5\n```",
    answer=lambda d: (d / 2) ** 0.5,
    misconceptions={
        "that of an end": lambda d: d**0.5,
        "squared": lambda d: d / 2,
        "half": lambda d: d**0.5 / 2,
        "zero": lambda d: 0.0,
        "something else": lambda d: float(d),
    },
)


# --- 6: what a weighted mean squared error assumes ----------------------------------------------


def _judge_sigma(answer):
    cases = [(1_000, 784), (784, 784), (1, 64), (50, 100)]
    given = np.array([float(numbers(answer(*case), shape=())) for case in cases])
    weight, D = np.array(cases, float).T
    expected = np.sqrt(D / (2 * weight))
    if close(given, expected, 1e-6):
        return (
            "1000 × MSE on 784 pixels assumes σ = 0.63: it takes nearly all of the ink for "
            "noise. On another picture size the same code assumes another σ."
        )
    if close(given, expected**2, 1e-6):
        raise Wrong("That is σ². The standard deviation is its root.")
    if close(given, np.sqrt(1 / (2 * weight)), 1e-6):
        raise Wrong(
            "That holds for the *sum* of squares. The mean squared error is that sum divided by "
            "the D pixels."
        )
    if close(given, np.sqrt(D / weight), 1e-6):
        raise Wrong("Nearly: in the normal distribution the square is divided by 2σ², not by σ².")
    if close(given, np.sqrt(2 * weight / D), 1e-6):
        raise Wrong("Upside down: a larger weight on the error means *less* noise.")
    raise Wrong(
        f"For 1000 × MSE on 784 pixels you give {given[0]:.4g}. Set weight/D × (sum of squares) "
        "equal to (sum of squares)/(2σ²)."
    )


q6 = Exercise(
    judge=_judge_sigma,
    hints=[
        "The normal log-likelihood has $\\sum_j (x_j - m_j)^2 / (2\\sigma^2)$.",
        "The weighted mean squared error is $\\frac{w}{D}\\sum_j (x_j - m_j)^2$. Compare factors.",
    ],
    explanation="$\\frac wD = \\frac1{2\\sigma^2}$, so $\\sigma = \\sqrt{D/(2w)}$. The loss *plus "
    "KL* is then a negative ELBO of that model, up to the constant $D\\log(\\sigma\\sqrt{2\\pi})$, "
    "which is missing: losses with different weights cannot be compared.\n\n"
    "```python\ndef assumed_sigma(weight, D):\n    return (D / (2 * weight)) ** 0.5\n```",
    answer=lambda weight, D: (D / (2 * weight)) ** 0.5,
    misconceptions={
        "variance": lambda weight, D: D / (2 * weight),
        "sum of squares": lambda weight, D: (1 / (2 * weight)) ** 0.5,
        "factor two": lambda weight, D: (D / weight) ** 0.5,
        "upside down": lambda weight, D: (2 * weight / D) ** 0.5,
        "something else": lambda weight, D: 1.0,
    },
)
