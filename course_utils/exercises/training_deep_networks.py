"""Exercises of the lesson `training_deep_networks`."""

import numpy as np

from course_utils.exercises import Exercise, as_code

# --- 1: an initialisation that explodes ---------------------------------------------------------


def _weight_sd(n_in, n_out, slope):
    return np.sqrt(2 / ((1 + slope**2) * n_in))


q1 = Exercise(
    answer=_weight_sd,
    cases=[(8, 3, 0.1), (4, 16, 0.0), (6, 6, 1.0), (5, 9, 0.5), (3, 2, 0.25)],
    tolerance=0.03,  # four standard errors of a simulation with 20 000 z
    praise="Slope 0 gives the slide's √(2/n) for ReLU, slope 1 its √(1/n). One formula for both, "
    "and for all that lies between.",
    mistakes={
        "as written": (
            lambda n_in, n_out, slope: np.sqrt(2 / n_in),
            "That is right for ReLU. A leaky ReLU lets the negative half through as well, weakly: "
            "with this start the mean square grows by 1 + slope² in every layer.",
        ),
        "identity": (
            lambda n_in, n_out, slope: np.sqrt(1 / n_in),
            "That is the slide's √(1/n): right for the identity. The leaky ReLU weakens the "
            "negative half, and here nothing makes up for it.",
        ),
        "half forgotten": (
            lambda n_in, n_out, slope: np.sqrt(1 / ((1 + slope**2) * n_in)),
            "A factor is missing: the mean square behind the activation is the *mean* of 1 and "
            "slope², not their sum, since half of the z are negative.",
        ),
        "variance": (
            lambda n_in, n_out, slope: 2 / ((1 + slope**2) * n_in),
            "That is the variance of the weights. The standard deviation is its root.",
        ),
        "n_out": (
            lambda n_in, n_out, slope: np.sqrt(2 / ((1 + slope**2) * n_out)),
            "That keeps the gradient on its way back. On the way forward, z is a sum over the "
            "*inputs* of the layer.",
        ),
        "both": (
            lambda n_in, n_out, slope: np.sqrt(2 / (n_in + n_out)),
            "That is the slide's √(2/(n_in + n_out)), a compromise between forward and backward "
            "for the identity. Asked is the forward pass, behind a leaky ReLU.",
        ),
        "slope not squared": (
            lambda n_in, n_out, slope: np.sqrt(2 / ((1 + slope) * n_in)),
            "The slope has to be squared: it is the mean *square* that is to be kept.",
        ),
        "sum squared": (
            lambda n_in, n_out, slope: np.sqrt(2 / n_in) / (1 + slope),
            "A z is positive or negative, not both: the squares 1 and slope² are added, not 1 and "
            "the slope before they are squared.",
        ),
        "gain": (
            lambda n_in, n_out, slope: np.sqrt(2 / (1 + slope**2)),
            "That is the standard deviation times the root of n. It depends on the number of "
            "inputs, too: z is a sum over them.",
        ),
    },
    otherwise="The mean square of z is n_in · sd² times the mean square of what comes in. (If you "
    "simulate: take 20,000 z or more, fewer are too noisy.)",
    hints=[
        "Half of the $z$ before are positive and pass as they are, half come out times the slope. "
        "What is the mean square behind the activation, if that of $z$ is 1?",
        "$\\overline{z^2}$ of the next layer is $n_{in}\\,sd^2\\,\\overline{a^2}$. Set it to 1.",
    ],
    explanation="Behind the activation the mean square is $\\frac{1 + slope^2}{2}$ of what it was, "
    "and the next layer multiplies it by $n_{in}\\,sd^2$. The product has to be 1.",
)


# --- 2: how far a gradient reaches --------------------------------------------------------------


def _reach(sd, n, mean_square_slope, factor):
    growth = n * sd**2 * mean_square_slope  # of the mean square, per layer
    return np.log(factor) / (-np.log(growth) / 2)


_ROUNDED = "Right, but rounded. Leave it as it is, so that it can be compared."
_LOGARITHMS = (
    "Two kinds of logarithm: one is to base 10, the other natural (NumPy's `np.log`). Take one "
    "kind for both."
)

q2 = Exercise(
    answer=_reach,
    cases=[
        (0.1, 64, 1 / 16, 1_000),
        (0.04, 500, 0.3, 100),
        (0.3, 10, 0.6, 50),
        (0.1, 90, 0.9, 10),
        (0.5, 1, 0.5, 1),
    ],
    praise="The slope of a sigmoid is at most 1/4: with weights of 1/√n a gradient falls by a "
    "thousand within five layers. That is the vanishing gradient, and it takes no bad luck.",
    mistakes={
        "squared": (
            lambda sd, n, m, factor: _reach(sd, n, m, factor) / 2,
            "That is the number of layers for the mean *square* of the gradient. Its size, the "
            "root of that, shrinks more slowly.",
        ),
        "root of the slope": (
            lambda sd, n, m, factor: _reach(sd, n, np.sqrt(m), factor),
            "You take the root of the slope's mean square, but sd² is squared: both belong in as "
            "they are, then comes one root for all.",
        ),
        "slope squared twice": (
            lambda sd, n, m, factor: _reach(sd, n, m**2, factor),
            "The slope is squared already: `mean_square_slope` is the mean of g'(z)².",
        ),
        "slope forgotten": (
            lambda sd, n, m, factor: _reach(sd, n, 1, factor),
            "The slope of the activation is missing: backpropagation multiplies by g'(z) in each "
            "layer.",
        ),
        "n forgotten": (
            lambda sd, n, m, factor: _reach(sd, 1, m, factor),
            "The n is missing: each part of the gradient is a sum over the n units above it.",
        ),
        "sd not squared": (
            lambda sd, n, m, factor: _reach(np.sqrt(sd), n, m, factor),
            "It is the mean *square* of a weight that multiplies the mean square of the gradient.",
        ),
        "sign": (
            lambda sd, n, m, factor: -_reach(sd, n, m, factor),
            "A minus is missing: the logarithm of a factor below 1 is negative, and the number of "
            "layers is not.",
        ),
        "mixed logarithms": (
            lambda sd, n, m, factor: _reach(sd, n, m, factor) / np.log(10),
            _LOGARITHMS,
        ),
        "mixed the other way": (
            lambda sd, n, m, factor: _reach(sd, n, m, factor) * np.log(10),
            _LOGARITHMS,
        ),
        "rounded up": (
            lambda sd, n, m, factor: np.ceil(_reach(sd, n, m, factor)),
            _ROUNDED,
        ),
        "rounded": (lambda sd, n, m, factor: np.round(_reach(sd, n, m, factor)), _ROUNDED),
        "one decimal": (lambda sd, n, m, factor: np.round(_reach(sd, n, m, factor), 1), _ROUNDED),
        "rounded down": (
            lambda sd, n, m, factor: np.floor(_reach(sd, n, m, factor)),
            _ROUNDED,
        ),
    },
    otherwise="Each layer multiplies the mean square of the gradient by the same number, and its "
    "size by the root of that. How many of them make 1/factor?",
    hints=[
        "Per layer the mean square of the gradient is multiplied by $g = n\\,sd^2 \\cdot$ "
        "`mean_square_slope`. And its root?",
        "Solve $g^{L/2} = 1/\\text{factor}$ for $L$, with logarithms.",
    ],
    explanation="With $g = n\\,sd^2 \\cdot$ `mean_square_slope`, the size after $L$ layers is "
    "$g^{L/2}$ of what it was.",
)


# --- 3: batch normalisation ---------------------------------------------------------------------


def _z_hat(Z, gamma, beta, epsilon):
    mean = Z.mean(axis=1, keepdims=True)
    var = Z.var(axis=1, keepdims=True)
    return gamma * (Z - mean) / np.sqrt(var + epsilon) + beta


def _layer(units, examples, epsilon):
    rng = np.random.default_rng(10 * units + examples)
    Z = rng.normal(rng.normal(size=(units, 1)), 2, size=(units, examples))
    return Z, rng.normal(1, 0.5, size=(units, 1)), rng.normal(size=(units, 1)), epsilon


_UNBIASED = (
    "Your variance divides by one less than the number of examples. The layer divides by their "
    "number."
)


def _unbiased(Z, gamma, beta, epsilon):
    centred = Z - Z.mean(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):  # 0 / 0 for one example
        var = (centred**2).sum(axis=1, keepdims=True) / np.float64(Z.shape[1] - 1)
    return gamma * centred / np.sqrt(var + epsilon) + beta


q3 = Exercise(
    answer=_z_hat,
    cases=[
        _layer(3, 6, 0.001),
        _layer(4, 4, 0.5),
        _layer(2, 5, 0.0001),
        (np.array([[2.0, 2.0, 2.0], [1.0, 2.0, 6.0]]), np.ones((2, 1)), np.zeros((2, 1)), 0.1),
        (np.array([[4.0], [-1.0]]), np.full((2, 1), 3.0), np.array([[0.5], [-2.0]]), 0.01),
    ],
    praise="Whatever came in, each unit now has the mean β and nearly the standard deviation γ "
    "over the batch. One example alone is its own mean, so it always gives β.",
    mistakes={
        "layer normalisation": (
            lambda Z, gamma, beta, epsilon: _z_hat(Z.T, 1, 0, epsilon).T * gamma + beta,
            "You take mean and variance over the *units* of each example. That is called layer "
            "normalisation. Here every unit has its own mean, over the examples of the batch.",
        ),
        "the whole array": (
            lambda Z, gamma, beta, epsilon: (
                gamma * (Z - Z.mean()) / np.sqrt(Z.var() + epsilon) + beta
            ),
            "You take one mean and one variance of all numbers in Z. Every unit has its own.",
        ),
        "epsilon outside": (
            lambda Z, gamma, beta, epsilon: (
                gamma
                * (Z - Z.mean(axis=1, keepdims=True))
                / (Z.std(axis=1, keepdims=True) + epsilon)
                + beta
            ),
            "In the formula ε is added to the variance, under the root, not to the standard "
            "deviation.",
        ),
        "epsilon forgotten": (
            lambda Z, gamma, beta, epsilon: _z_hat(Z, gamma, beta, 0.0),
            "Where a unit gives the same z for all examples, you divide 0 by 0. What is ε for?",
        ),
        "no root": (
            lambda Z, gamma, beta, epsilon: (
                gamma
                * (Z - Z.mean(axis=1, keepdims=True))
                / (Z.var(axis=1, keepdims=True) + epsilon)
                + beta
            ),
            "You divide by the variance. The root is missing.",
        ),
        "n - 1": (_unbiased, _UNBIASED),
        "n - 1, but not of one": (
            lambda *given: (_unbiased if given[0].shape[1] > 1 else _z_hat)(*given),
            _UNBIASED,
        ),
        "epsilon fixed": (
            lambda Z, gamma, beta, epsilon: _z_hat(Z, gamma, beta, 1e-3),
            "Your ε is always 0.001. Take the one that is handed over.",
        ),
        "beta forgotten": (
            lambda Z, gamma, beta, epsilon: _z_hat(Z, gamma, 0, epsilon),
            "The scale is right, but β is missing: the place that the network may choose.",
        ),
        "gamma forgotten": (
            lambda Z, gamma, beta, epsilon: _z_hat(Z, 1, beta, epsilon),
            "The shift β is there, but the scale γ is missing.",
        ),
        "only the z-score": (
            lambda Z, gamma, beta, epsilon: _z_hat(Z, 1, 0, epsilon),
            "That is z_norm. The network may still scale it by γ and shift it by β.",
        ),
        "shifted first": (
            lambda Z, gamma, beta, epsilon: gamma * (_z_hat(Z, 1, 0, epsilon) + beta),
            "You add β before γ multiplies. First the scale, then the place.",
        ),
    },
    otherwise="Take the formula from the inside out: mean, variance, root, then γ and β.",
    hints=[
        "The examples of one unit stand in one row: `Z.mean(axis=1)`.",
        "`keepdims=True` leaves the mean as a column, so that it can be subtracted from Z.",
    ],
    explanation="Mean and variance are taken along the rows, one of each for every unit.",
)


# --- 4: the effective rate ----------------------------------------------------------------------


def _same_training(alpha, c):
    return alpha * c**2


q4 = Exercise(
    answer=_same_training,
    cases=[(0.1, 3), (0.5, 0.5), (0.03, 10.0), (2.0, 1.0), (0.2, 0.1)],
    praise="One factor c makes up for the smaller gradient, the other one for the larger weights. "
    "What counts is α divided by the square of the weights' length.",
    mistakes={
        "same rate": (
            lambda alpha, c: alpha,
            "The loss is the same at cW, but its slope is not: along cW everything is stretched.",
        ),
        "once": (
            lambda alpha, c: alpha * c,
            "That makes up for the gradient, which is 1/c of what it was. But the step has to be c "
            "times as long as that of the first, since the weights are.",
        ),
        "once, upside down": (
            lambda alpha, c: alpha / c,
            "With larger weights the gradient is *smaller*. Is a smaller rate what the twin needs?",
        ),
        "upside down": (
            lambda alpha, c: alpha / c**2,
            "That is the rate at which the twin seems to learn if it keeps alpha. Which one does "
            "it need to keep up?",
        ),
        "root": (
            lambda alpha, c: alpha * c**0.5,
            "No root comes in. Write down the twin's step, with its gradient, and set it equal to "
            "c times the step of the first.",
        ),
        "cube": (
            lambda alpha, c: alpha * c**3,
            "One c too many. The gradient brings one, the step another.",
        ),
    },
    otherwise="The twin's step is its rate times the gradient at cW. It has to be c times the "
    "first one's step.",
    hints=[
        "Differentiate $L(cW) = L(W)$ with respect to $W$: what stands in front of the gradient at "
        "$cW$?",
        "It is $c\\,\\nabla L(cW) = \\nabla L(W)$. Now solve $\\alpha'\\,\\nabla L(cW) = "
        "c\\,\\alpha\\,\\nabla L(W)$ for $\\alpha'$.",
    ],
    explanation="The gradient at $cW$ is $\\frac1c \\nabla L(W)$, and the step has to be "
    "$c\\,\\alpha\\,\\nabla L(W)$, so the rate is $c^2 \\alpha$.",
)


# --- 5: the slides' sentences -------------------------------------------------------------------

_VERDICTS = {"a": True, "b": False, "c": True, "d": False, "e": False, "f": True}
_WHY = {
    "a": "Mean, variance and scaling cost time in every layer, there and back. The lesson measured "
    "how much.",
    "b": "At small rates it is behind: section 4 claims both signs.",
    "c": "The mean over the batch is the picture's own z, and the variance is 0: z_norm is 0 for "
    "every unit, and γ · 0 + β is left.",
    "d": "It keeps the mean over networks. The logarithm drifts downwards, so the typical network "
    "loses.",
    "e": "The gradient of the activations is. That of the weights is equally large in all layers, "
    "on average.",
    "f": "The gradient is a tenth, and weights ten times as large need a step ten times as long "
    "for the same effect: α/‖w‖².",
}

q5 = Exercise(
    answer=_VERDICTS,
    praise="A sentence about training needs its rate, its budget and its kind of average.",
    mistakes={
        "all true": (
            dict.fromkeys(_VERDICTS, True),
            "You believe all of them. A single word can make a sentence false: look for *every*, "
            "*typical*, *of the weights*.",
        ),
        "all false": (
            dict.fromkeys(_VERDICTS, False),
            "You believe none of them. Some can be worked out in a line.",
        ),
    },
    otherwise="Take them word by word, and hold each against its section: what was calculated, "
    "what was measured?",
    hints=[
        "For (c) do exercise 3 with ten equal columns. For (f) read exercise 4 backwards.",
        "(d) is about means and logarithms, (e) about dA and dW.",
    ],
    explanation="Three of the six hold.\n\n"
    + as_code("verdicts", _VERDICTS)
    + "\n\n"
    + "\n".join(f"- ({letter}) {sentence}" for letter, sentence in _WHY.items()),
)
