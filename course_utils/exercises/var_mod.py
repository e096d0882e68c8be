"""Exercises of the lesson `var_mod`."""

import numpy as np
from scipy.special import gamma, logsumexp

from course_utils.exercises import Exercise

# --- 1: the KL term alone -----------------------------------------------------------------------

_ONE_TERM = (
    "One of two terms is missing in the derivative: z_sigma enters the KL in a square and in a "
    "logarithm."
)

q1 = Exercise(
    answer=(0, 1, 1.5),
    praise="Every picture gets the prior, N(0, 1), and the code says nothing: with a heavy KL, "
    "section 6 comes close to that. With the sign wrong the KL would be least at z_sigma → 0, and "
    "the loss would reward an encoder without any noise.",
    mistakes={
        "sign of the logarithm": (
            (None, None, 2.5),
            "That is the derivative with the wrong sign before the logarithm: it is zero nowhere. "
            "The logarithm is subtracted.",
        ),
        "logarithm forgotten": ((None, None, 2), _ONE_TERM),
        "square forgotten": ((None, None, -0.5), _ONE_TERM),
        "by the variance": (
            (None, None, 0.375),
            "That is the derivative by the *variance*, z_sigma². The question asks for the one by "
            "z_sigma.",
        ),
        "at the minimum": (
            (None, None, 0),
            "A derivative of 0 belongs to the best z_sigma. What is it at z_sigma = 2?",
        ),
        "no noise": (
            (None, 0, None),
            "As z_sigma goes to 0, −log z_sigma and the KL grow without bound: a sharp q is as far "
            "from the prior as can be. Where is the derivative by z_sigma zero?",
        ),
    },
    otherwise="For one dimension the KL is (z_mu² + z_sigma² − 1)/2 − log z_sigma: where are its "
    "two derivatives zero, and what is the one by z_sigma at 2?",
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
)


# --- 2: mean, variance, noise -------------------------------------------------------------------


def _sample(z_mu, z_variance, epsilon):
    return z_mu + z_variance**0.5 * epsilon


_LOG_VARIANCE = (
    "An exponential belongs to an encoder that gives a *logarithm*. Here it gives the variance "
    "itself."
)

q2 = Exercise(
    answer=_sample,
    cases=[
        (np.array([0.5, -1.0, 2.0]), np.array([0.04, 4.0, 9.0]), np.array([1.0, -2.0, 0.5])),
        (np.array([0.3]), np.array([0.25]), np.array([-1.0])),
        (np.array([1.0, -2.0]), np.array([1e-4, 1.0]), np.array([1.5, -0.5])),
        (np.zeros(5), np.full(5, 2.0), np.array([-1.0, -0.5, 0.0, 0.5, 3.0])),
    ],
    praise="Noise is scaled by the *standard deviation*. Encoders often give log σ or log σ² "
    "instead, which may be any real number: then the factor is exp(log σ), or exp(log σ² / 2).",
    mistakes={
        "the slide's": (
            lambda z_mu, z_variance, epsilon: z_mu + z_variance * epsilon,
            "That is the slide's rule. The noise ε has variance 1; multiplied by v it has variance "
            "v², while the KL believes v.",
        ),
        "log variance": (
            lambda z_mu, z_variance, epsilon: z_mu + np.exp(z_variance / 2) * epsilon,
            _LOG_VARIANCE,
        ),
        "log standard deviation": (
            lambda z_mu, z_variance, epsilon: z_mu + np.exp(z_variance) * epsilon,
            _LOG_VARIANCE,
        ),
        "no noise": (
            lambda z_mu, z_variance, epsilon: z_mu,
            "There is no noise in it: that is a plain autoencoder.",
        ),
        "no mean": (
            lambda z_mu, z_variance, epsilon: z_variance**0.5 * epsilon,
            "The noise is right. But where is the mean?",
        ),
        "sign lost": (
            lambda z_mu, z_variance, epsilon: z_mu + (z_variance * epsilon**2) ** 0.5,
            "The noise should be added with its own sign, whatever that is.",
        ),
    },
    otherwise="What must a number of variance 1 be multiplied by to have variance v?",
    hints=[
        "$\\epsilon$ has variance 1. What is the variance of $c\\,\\epsilon$?",
        "It is $c^2$. So $c$ is the root of the variance that you want.",
    ],
    explanation="$\\mathrm{Var}(c\\,\\epsilon) = c^2$, so the factor is the standard deviation, "
    "the root of the variance. With the variance as factor, $z$ would have variance $v^2$: the "
    "decoder would see other noise than the KL pays for, and the loss would bound nothing.",
)


# --- 3: the importance-weighted bound -----------------------------------------------------------


def _importance_weighted_bound(log_w):
    return logsumexp(log_w, axis=0) - np.log(len(log_w))


_WEIGHTS = np.random.default_rng(3).normal(-100, 2, (50, 4))
_OUT_OF_RANGE = (
    "The formula is right, but it leaves the range of floating point: a larger picture may have "
    "log w = −2100 (and in single precision −104 is enough), a density log w = 900, and exp of "
    "that is 0 or infinite. Bring the log_w into range first."
)
_OTHER_AXIS = "The average runs over the draws (axis 0): one number per picture is expected."

q3 = Exercise(
    answer=_importance_weighted_bound,
    cases=[
        (np.array([[-1.0, 0.5], [-3.0, 0.0], [-0.5, -4.0]]),),
        (_WEIGHTS,),
        (_WEIGHTS - np.array([0.0, 2_000.0, 400.0, -1_000.0]),),
        (np.array([[-2.0, -7.0, 1.0]]),),
        (np.array([[-1.0], [-1.5], [-4.0], [0.0]]),),
    ],
    praise="And it survives weights far too small for floating point, as those of large pictures "
    "are.",
    mistakes={
        "the ELBO": (
            lambda log_w: log_w.mean(axis=0),
            "That is the average of the logarithms: the ELBO. The average comes first, then the "
            "logarithm.",
        ),
        "sum for mean": (
            lambda log_w: logsumexp(log_w, axis=0),
            "That is the logarithm of the *sum*, too large by the same number for every picture. "
            "It is no lower bound.",
        ),
        "underflow": (lambda log_w: np.log(np.exp(log_w).mean(axis=0)), _OUT_OF_RANGE),
        "sum, and underflow": (
            lambda log_w: np.log(np.exp(log_w).sum(axis=0)),
            "That is the logarithm of the *sum*: it is no lower bound. And exp of a log_w of −2100 "
            "is 0.",
        ),
        "one maximum for all": (
            lambda log_w: log_w.max() + np.log(np.exp(log_w - log_w.max()).mean(axis=0)),
            "You subtract one number from the log_w of all pictures. Beside a probable picture, "
            "the weights of an improbable one still become 0: take one number per picture.",
        ),
        "wrong axis": (
            lambda log_w: logsumexp(log_w, axis=1) - np.log(log_w.shape[1]),
            _OTHER_AXIS,
        ),
        "all together": (lambda log_w: logsumexp(log_w) - np.log(log_w.size), _OTHER_AXIS),
        "the best draw": (
            lambda log_w: log_w.max(axis=0),
            "That is the largest log w alone. The other draws count as well.",
        ),
        "no logarithm": (
            lambda log_w: np.exp(log_w).mean(axis=0),
            "That is the average weight: its logarithm is asked for.",
        ),
    },
    otherwise="For each picture, over its k draws: what is averaged, and when is the logarithm "
    "taken?",
    hints=[
        "$\\log\\frac1k\\sum_i w_i = \\log\\sum_i \\exp(\\log w_i) - \\log k$, over axis 0.",
        "`scipy.special.logsumexp(log_w, axis=0)` does the first part without underflow.",
    ],
    explanation="Average the weights, not their logarithms, and keep the exponentials in range: "
    "`logsumexp` subtracts the largest `log_w` of each picture before exp and adds it again.\n\n"
    "The mean of `log_w` is the ELBO; without $-\\log k$ the result is too large and bounds "
    "nothing; `np.log(np.exp(log_w).mean(axis=0))` is $-\\infty$ once all `log_w` lie below −745 "
    "(below −103 in single precision).",
)


# --- 4: the KL counted twice --------------------------------------------------------------------


def _repair(L, K):
    return L - K, 2


_UNCHANGED = (
    "You give the reported loss back. What do the two places add to the reconstruction, and how "
    "much of that belongs to the negative ELBO?"
)
_NO_KL = "Without any KL only the reconstruction is left. The negative ELBO contains it once."
_TOO_MANY = "Has the reported loss too few KL terms, or too many?"

q4 = Exercise(
    answer=_repair,
    cases=[(130.0, 12.0), (95.5, 30.25), (104.0, 0.0), (-20.0, 15.0)],
    praise="The number can be repaired afterwards, the model cannot: it was trained with β = 2 and "
    "has probably collapsed more dimensions than it had to.",
    mistakes={
        "no KL left": (lambda L, K: (L - 2 * K, 2), _NO_KL),
        "no KL left, beta 1": (lambda L, K: (L - 2 * K, 1), _NO_KL),
        "nothing to repair": (lambda L, K: (L, 1), _UNCHANGED),
        "number not repaired": (lambda L, K: (L, 2), _UNCHANGED),
        "wrong way": (lambda L, K: (L + K, 2), _TOO_MANY),
        "wrong way, beta 1": (lambda L, K: (L + K, 1), _TOO_MANY),
        "beta one": (
            lambda L, K: (L - K, 1),
            "The negative ELBO is right, β is not: how often was the KL in the loss whose gradient "
            "was followed?",
        ),
        "beta one half": (
            lambda L, K: (L - K, 0.5),
            "The negative ELBO is right, β is not: below 1 the KL would count less than in the "
            "negative ELBO. Did it?",
        ),
        "exchanged": (lambda L, K: (2, L - K), "Return the negative ELBO first, then β."),
    },
    otherwise="Write L as reconstruction plus what the two places add.",
    hints=["Write $L = R + K + K$, with $R$ the reconstruction loss."],
    explanation="$L = R + 2K$, so $-\\text{ELBO} = R + K = L - K$. The gradient was that of "
    "$R + 2K$: the model was trained with $\\beta = 2$.",
)


# --- 5: the length of a code half-way -----------------------------------------------------------


def _half_way_length(d):
    return (d / 2) ** 0.5


q5 = Exercise(
    answer=_half_way_length,
    cases=[(10,), (1,), (3,), (2,), (100,)],
    tolerance=0.05,  # three standard errors of a simulation with 2 000 pairs, in one dimension
    praise="The half-way point is shorter than a draw from the prior by √2, whatever d. But "
    "draws scatter about √d by only 0.7 or so, whatever d: the larger d, the further outside the "
    "half-way point lies.",
    mistakes={
        "that of an end": (
            lambda d: d**0.5,
            "That is the length of an end point. The average of two is shorter.",
        ),
        "squared": (lambda d: d / 2, "That is the mean *squared* length: take the root."),
        "half": (
            lambda d: d**0.5 / 2,
            "Half the length would be right if the other end were zero. How large is the variance "
            "of an average of two independent numbers?",
        ),
        "sum": (
            lambda d: (2 * d) ** 0.5,
            "That is the length of the *sum* of the two. The point half-way is their average.",
        ),
        "mean length": (
            lambda d: gamma((d + 1) / 2) / gamma(d / 2),
            "That is the *mean* length. The question asks for the root of the mean squared length, "
            "which is a little larger.",
        ),
        "zero": (
            lambda d: 0.0,
            "Zero is the *mean* of the half-way point. Its length is never zero.",
        ),
    },
    otherwise="What is the variance of (a + b)/2 for independent a and b of variance 1? Add it up "
    "over d numbers.",
    hints=[
        "Each number of the half-way point is $(a + b)/2$ with independent $a, b \\sim "
        "\\mathcal N(0, 1)$. Its variance?",
        "The squared length is the sum of $d$ squares, each ½ on average.",
    ],
    explanation="Each number has variance $\\tfrac14(1 + 1) = \\tfrac12$, so the mean squared "
    "length is $d/2$ and its root $\\sqrt{d/2}$, against $\\sqrt d$ for a draw from the prior.",
)


# --- 6: what a weighted mean squared error assumes ----------------------------------------------


def _assumed_sigma(weight, D):
    return (D / (2 * weight)) ** 0.5


q6 = Exercise(
    answer=_assumed_sigma,
    cases=[(1_000, 784), (784, 784), (1, 64), (0.5, 1), (50, 100)],
    praise="1000 × MSE on 784 pixels assumes σ = 0.63: it takes nearly all of the ink for noise. "
    "On another picture size the same code assumes another σ.",
    mistakes={
        "variance": (
            lambda weight, D: D / (2 * weight),
            "That is σ². The standard deviation is its root.",
        ),
        "sum of squares": (
            lambda weight, D: (1 / (2 * weight)) ** 0.5,
            "That holds for the *sum* of squares. The mean squared error is that sum divided by "
            "the D pixels.",
        ),
        "D on the wrong side": (
            lambda weight, D: (1 / (2 * weight * D)) ** 0.5,
            "The number of pixels stands on the wrong side: with the mean over more pixels each "
            "one counts less.",
        ),
        "weight forgotten": (
            lambda weight, D: (D / 2) ** 0.5,
            "That holds for a weight of 1. The more the error weighs, the less noise is assumed.",
        ),
        "factor two": (
            lambda weight, D: (D / weight) ** 0.5,
            "Nearly: in the normal distribution the square is divided by 2σ², not by σ².",
        ),
        "upside down": (
            lambda weight, D: (2 * weight / D) ** 0.5,
            "Upside down: a larger weight on the error means *less* noise.",
        ),
    },
    otherwise="Write the weighted mean squared error as a number times the sum of squares. Which "
    "number stands there in the normal log-likelihood?",
    hints=[
        "The normal log-likelihood has $\\sum_j (x_j - m_j)^2 / (2\\sigma^2)$.",
        "The weighted mean squared error is $\\frac{w}{D}\\sum_j (x_j - m_j)^2$. Compare factors.",
    ],
    explanation="$\\frac wD = \\frac1{2\\sigma^2}$, so $\\sigma = \\sqrt{D/(2w)}$. The loss *plus "
    "KL* is then a negative ELBO of that model, up to the constant $D\\log(\\sigma\\sqrt{2\\pi})$, "
    "which is missing: losses with different weights cannot be compared.",
)
