"""Exercises of the lesson `posteriors`."""

import numpy as np

from course_utils.exercises import Exercise, as_code

# --- 1: R-hat of what ---------------------------------------------------------------------------

_CLOSE = {
    "w1": False,
    "w2": False,
    "w1 * w2": True,
    "abs(w1)": True,
    "w1 + w2": False,
    "f(x) at x = 1": True,
}

q1 = Exercise(
    answer=_CLOSE,
    praise="Whatever is the same on both hills agrees: the product, the size, and with them every "
    "prediction. A test of the weights would have rejected draws that predict perfectly.",
    mistakes={
        "all true": (
            dict.fromkeys(_CLOSE, True),
            "Chains on different hills never meet: is the mean of w1 the same in all of them?",
        ),
        "all false": (
            dict.fromkeys(_CLOSE, False),
            "Some quantities do not notice on which hill a chain is. What is f on both?",
        ),
        "only the prediction": (
            {name: name.startswith("f") for name in _CLOSE},
            "The prediction agrees. It is not the only one: compute the others at (1.2, 1) and at "
            "(-1.2, -1).",
        ),
    },
    otherwise="Compute each quantity at (1.2, 1) and at (-1.2, -1). Do two chains that stay there "
    "have the same mean of it?",
    hints=[
        "The hills are mirror images: to each w on the right belongs -w on the left.",
        "$\\hat R$ is far above 1 if the quantity changes when both signs do. Try all six.",
    ],
    explanation="With the signs of both weights, w1, w2 and their sum change; the product, the "
    "absolute value and the output do not.\n\n" + as_code("close_to_one", _CLOSE),
)


# --- 2: dropout's band --------------------------------------------------------------------------


def _dropout_sd(a, v, p):
    return np.sqrt(p / (1 - p) * np.sum((a * v) ** 2, axis=1))


def _units(M, H, p):
    rng = np.random.default_rng(H)
    return np.tanh(2 * rng.normal(size=(M, H))), rng.normal(size=H), p


q2 = Exercise(
    answer=_dropout_sd,
    cases=[
        (np.array([[1.0, -1.0], [0.5, 0.2], [0.0, 0.0]]), np.array([2.0, 1.0]), 0.2),
        _units(6, 16, 0.1),
        _units(4, 4, 0.5),
        _units(3, 5, 0.9),
        (np.array([[0.7], [-1.0]]), np.array([-3.0]), 0.1),
    ],
    tolerance=0.05,  # four standard errors of a simulation with 10 000 patterns
    praise="Only the squares of the hidden units depend on x. For tanh they are at most 1, and "
    "near 1 wherever the unit does not bend.",
    mistakes={
        "variance": (
            lambda a, v, p: p / (1 - p) * np.sum((a * v) ** 2, axis=1),
            "That is the variance. Its root is asked for.",
        ),
        "not rescaled": (
            lambda a, v, p: np.sqrt(p * (1 - p) * np.sum((a * v) ** 2, axis=1)),
            "A unit that is 0 or 1 has the variance p(1 - p). Here those that stay are 1/(1 - p).",
        ),
        "upside down": (
            lambda a, v, p: np.sqrt((1 - p) / p * np.sum((a * v) ** 2, axis=1)),
            "Then the band would be widest where hardly any unit is dropped. Which value has "
            "which probability?",
        ),
        "mean of the square": (
            lambda a, v, p: np.sqrt(1 / (1 - p) * np.sum((a * v) ** 2, axis=1)),
            "1/(1 - p) is the mean of the *square* of the mask. Its mean has to be subtracted.",
        ),
        "all units together": (
            lambda a, v, p: np.sqrt(p / (1 - p)) * np.abs(a @ v),
            "You drop all units together: each is dropped by itself.",
        ),
        "standard deviations added": (
            lambda a, v, p: np.sqrt(p / (1 - p)) * np.abs(a * v).sum(axis=1),
            "You add standard deviations. For independent terms it is the variances that add.",
        ),
    },
    otherwise="First the variance of one mask, then that of a sum of independent terms.",
    hints=[
        "A mask is 0 with probability $p$ and $1/(1-p)$ with probability $1-p$. Its mean is 1. "
        "What is the mean of its square?",
        "The variance of one mask is $1/(1-p) - 1 = p/(1-p)$. The terms are independent: add "
        "$(v_h a_h)^2$ times that, and take the root.",
    ],
    explanation="The variance of one mask is $p/(1-p)$, and the masks are independent. So the "
    "variance of $f$ is $\\frac{p}{1-p}\\sum_h v_h^2 a_h(x)^2$.",
)


# --- 3: the update ------------------------------------------------------------------------------


def _update(mean, precision, Phi, y, sigma):
    new = precision + Phi.T @ Phi / sigma**2
    return np.linalg.solve(new, precision @ mean + Phi.T @ y / sigma**2), new


def _day(N, H, sigma):
    rng = np.random.default_rng(10 * N + H)
    root = rng.normal(size=(H, H))
    phi = rng.normal(size=(N, H))
    return rng.normal(size=H), root @ root.T + np.eye(H), phi, rng.normal(size=N), sigma


q3 = Exercise(
    answer=_update,
    cases=[
        (
            np.array([1.0, -1.0]),
            np.array([[2.0, 0.5], [0.5, 1.0]]),
            np.array([[1.0, 2.0]]),
            np.array([3.0]),
            0.5,
        ),
        _day(7, 3, 0.4),
        _day(3, 3, 2.0),
        (np.zeros(2), np.eye(2), np.array([[1.0, 0], [1, 1], [0, 2]]), np.array([1.0, 0, 2]), 0.3),
    ],
    praise="Precisions add, and so do precisions times means. Feed it one example at a time or "
    "all at once: the end is the same.",
    mistakes={
        "yesterday's mean forgotten": (
            lambda mean, precision, Phi, y, sigma: (
                np.linalg.solve(precision + Phi.T @ Phi / sigma**2, Phi.T @ y / sigma**2),
                precision + Phi.T @ Phi / sigma**2,
            ),
            "The precision is right. The mean is that of a prior around zero: yesterday's normal "
            "has a linear term in w, too.",
        ),
        "old precision not in the mean": (
            lambda mean, precision, Phi, y, sigma: (
                np.linalg.solve(precision + Phi.T @ Phi / sigma**2, mean + Phi.T @ y / sigma**2),
                precision + Phi.T @ Phi / sigma**2,
            ),
            "The precision is right. In the exponent yesterday's mean does not stand alone: expand "
            "(w - m)ᵀΛ(w - m) and look for what is linear in w.",
        ),
        "noise forgotten": (
            lambda mean, precision, Phi, y, sigma: (
                np.linalg.solve(precision + Phi.T @ Phi, precision @ mean + Phi.T @ y),
                precision + Phi.T @ Phi,
            ),
            "The noise is missing: very noisy targets should change hardly anything.",
        ),
        "sigma not squared": (
            lambda mean, precision, Phi, y, sigma: (
                np.linalg.solve(
                    precision + Phi.T @ Phi / sigma, precision @ mean + Phi.T @ y / sigma
                ),
                precision + Phi.T @ Phi / sigma,
            ),
            "What stands below the squared error in a normal's exponent: its standard deviation?",
        ),
        "covariance returned": (
            lambda mean, precision, Phi, y, sigma: (
                _update(mean, precision, Phi, y, sigma)[0],
                np.linalg.inv(_update(mean, precision, Phi, y, sigma)[1]),
            ),
            "The mean is right. The second result is the covariance: the precision is asked for.",
        ),
        "yesterday's precision returned": (
            lambda mean, precision, Phi, y, sigma: (
                _update(mean, precision, Phi, y, sigma)[0],
                precision,
            ),
            "The mean is right, but you return yesterday's precision: today has taught something.",
        ),
        "today's precision times yesterday's mean": (
            lambda mean, precision, Phi, y, sigma: (
                mean + np.linalg.solve(precision + Phi.T @ Phi / sigma**2, Phi.T @ y / sigma**2),
                precision + Phi.T @ Phi / sigma**2,
            ),
            "The precision is right. Yesterday's mean goes with *yesterday's* precision: did you "
            "change it before it was used?",
        ),
        "the step forgotten": (
            lambda mean, precision, Phi, y, sigma: (
                np.linalg.solve(precision, precision @ mean + Phi.T @ y / sigma**2),
                precision + Phi.T @ Phi / sigma**2,
            ),
            "The precision is right. The mean has to be solved for with *today's* precision.",
        ),
    },
    otherwise="Write both exponents, add them, and compare with -½ (w - m)ᵀ Λ (w - m).",
    hints=[
        "The exponents add: $-\\frac12 (w-m)^\\top\\Lambda(w-m) - \\frac{1}{2\\sigma^2}"
        "\\|y - \\Phi w\\|^2$. What stands before the quadratic term in $w$?",
        "The quadratic term gives $\\Lambda + \\Phi^\\top\\Phi/\\sigma^2$, the linear one "
        "$\\Lambda m + \\Phi^\\top y/\\sigma^2$. The new mean solves new precision × mean = linear "
        "term.",
    ],
    explanation="A normal with precision $\\Lambda$ and mean $m$ has the exponent "
    "$-\\frac12 w^\\top\\Lambda w + w^\\top\\Lambda m$. The data add "
    "$\\Phi^\\top\\Phi/\\sigma^2$ to the first and $\\Phi^\\top y/\\sigma^2$ to the second.",
)


# --- 4: a number that is zero for normal draws --------------------------------------------------


def _excess_kurtosis(f):
    deviation = f - f.mean()
    return np.mean(deviation**4) / np.mean(deviation**2) ** 2 - 3


def _values(kind, scale, shift):
    rng = np.random.default_rng(5)
    return shift + scale * getattr(rng, kind)(size=4_000)


q4 = Exercise(
    answer=_excess_kurtosis,
    cases=[
        (np.repeat([0.0, 4.0], [3_000, 1_000]),),
        (_values("laplace", 0.2, -1.0),),
        (_values("uniform", 3.0, 10.0),),
    ],
    tolerance=0.02,  # with or without a correction for the number of draws
    praise="It does not notice the scale or the mean, and it is zero for a normal distribution "
    "alone among the usual ones.",
    mistakes={
        "three not subtracted": (
            lambda f: np.mean((f - f.mean()) ** 4) / np.var(f) ** 2,
            "For normal draws that is 3. Which number is wanted for them?",
        ),
        "not centred": (
            lambda f: np.mean(f**4) / np.mean(f**2) ** 2 - 3,
            "You take powers of the values themselves: subtract their mean first.",
        ),
        "not scaled": (
            lambda f: np.mean((f - f.mean()) ** 4) - 3,
            "Measured in other units, the number would change: divide by the right power of the "
            "spread.",
        ),
        "divided by the variance": (
            lambda f: np.mean((f - f.mean()) ** 4) / np.var(f) - 3,
            "A fourth power over a second one still has units.",
        ),
        "third moment": (
            lambda f: np.mean((f - f.mean()) ** 3) / np.var(f) ** 1.5,
            "That is the skewness. It is zero for every symmetric distribution, normal or not.",
        ),
    },
    otherwise="Subtract the mean, take the mean of the fourth powers, divide by the squared "
    "variance, and subtract what a normal distribution gives.",
    hints=[
        "Deviations from the mean, to the fourth power, averaged. Divide by the variance squared, "
        "so that units cancel.",
        "For a normal distribution the result is 3: subtract it.",
    ],
    explanation="The fourth moment about the mean over the squared variance, less the 3 of a "
    "normal distribution. For a sum of H independent terms it is 1/H times that of one term.",
)
