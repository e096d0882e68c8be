"""Exercises of the lesson `neural_networks`: examples are columns, as on the slides."""

from itertools import combinations, pairwise

import numpy as np
from scipy.special import expit

from course_utils.exercises import Exercise, Wrong, as_code, compare
from course_utils.exercises._neural_networks_further import arrays, q6, q7, tanh_slope

__all__ = ["q1", "q2", "q3", "q4", "q5", "q6", "q7"]


# --- 1: the gradient of one unit ----------------------------------------------------------------


def _gradient(w, b, X, y):
    a = 1 / (1 + np.exp(-(w @ X + b)))
    return X @ (a - y) / len(y)


def _slope(error):
    """Return the function that weighs the inputs with an error, made of z and y."""
    return lambda w, b, X, y: X @ error(w @ X + b, y) / len(y)


def _unit(seed, n, m, b):
    w, X = arrays(seed, n, (n, m))
    return w, b, X, np.arange(m) % 2.0


_UNITS = [_unit(1, *size) for size in ((2, 4, 0.5), (4, 1, 0), (1, 6, 0.8), (3, 3, -2.0))]
_GRADIENTS = {
    "squared error": (
        _slope(lambda z, y: (expit(z) - y) * expit(z) * (1 - expit(z))),
        "There is a factor a(1 − a) too much. The slope of the sigmoid does come in, but the "
        "log loss brings the same below the line. With the squared error it would stay.",
    ),
    "climbs": (lambda *given: -_gradient(*given), "The sign: a step against that *climbs*."),
    "sum": (
        lambda w, b, X, y: X @ (expit(w @ X + b) - y),
        "That is the sum over the examples. J is their mean.",
    ),
    "divided by n": (
        lambda w, b, X, y: X @ (expit(w @ X + b) - y) / len(X),
        "You divide by the number of features. The mean is over the examples.",
    ),
    "no bias": (lambda w, b, X, y: _gradient(w, 0, X, y), "The bias b is missing in z."),
    "rounded": (
        _slope(lambda z, y: (z > 0) - y),
        "You round a to 0 or 1 first. That is the old perceptron's rule. The log loss compares "
        "y with the probability itself, so examples on the right side still count.",
    ),
    "wrong axis": (
        lambda w, b, X, y: (X * (expit(w @ X + b) - y)).mean(axis=0),
        "You average over the features. Examples are columns: average over them, and keep one "
        "number for every weight.",
    ),
    "for z": (
        lambda w, b, X, y: expit(w @ X + b) - y,
        "That is the slope in z, one number for every *example*. The chain rule has one more "
        "factor: z depends on w.",
    ),
    "penalty": (
        lambda w, b, X, y: _gradient(w, b, X, y) + w / len(y),
        "A term in w is too much: J is the mean of the losses and nothing else.",
    ),
}


def _judge_gradient(answer):
    found = answer(*_UNITS[0])
    if isinstance(found, tuple) and found and np.ndim(found[0]) > 0:
        raise Wrong("You return several things. Here $dJ/dw$ is asked for alone, without $dJ/db$.")
    otherwise = "Follow the chain for one example, from the loss to a, to z, to w. J is the mean "
    compare(answer, _gradient, _UNITS, otherwise + "over the columns.", _GRADIENTS)


q1 = Exercise(
    answer=_gradient,
    judge=_judge_gradient,
    praise="Error times input, averaged: linear regression has just the same formula. The "
    "sigmoid's slope a(1 − a) cancels, so a unit that is sure *and* wrong still learns.",
    mistakes=_GRADIENTS,
    hints=[
        "The chain rule, for one example: $\\frac{\\partial\\mathcal L}{\\partial z} = "
        "\\frac{\\partial\\mathcal L}{\\partial a}\\,\\frac{\\partial a}{\\partial z}$ with "
        "$\\frac{\\partial a}{\\partial z} = a(1-a)$. Much of it cancels.",
        "What is left is $a - y$. Each example adds $(a - y)\\,x$; take the mean over the columns.",
    ],
    explanation="$\\frac{\\partial\\mathcal L}{\\partial a} = \\frac{a - y}{a(1-a)}$ and "
    "$\\frac{\\partial a}{\\partial z} = a(1-a)$, so $\\frac{\\partial\\mathcal L}{\\partial z} = "
    "a - y$.",
)


# --- 2: count the parameters --------------------------------------------------------------------


def _count(sizes):
    return sum((a + 1) * b for a, b in pairwise(sizes))


_ONE_HIDDEN = (
    "You count one hidden layer only. There can be more of them, or none: go through all "
    "neighbours in `sizes`."
)

q2 = Exercise(
    answer=_count,
    cases=[((3, 2, 1),), ((64, 32, 10),), ((3, 1),), ((4, 5, 3, 6, 2),), ((2, 8, 8, 8, 1),)],
    praise="The slide's network has 8 + 3. Twice as many units in two neighbouring layers are four "
    "times as many weights between them: that is where large networks have their size from.",
    mistakes={
        "no biases": (lambda s: sum(a * b for a, b in pairwise(s)), "The biases are missing."),
        "biases of the input": (
            lambda sizes: _count(sizes) + sizes[0],
            "The input layer has no biases: it computes nothing, it is x.",
        ),
        "units": (
            sum,
            "Those are the units. A parameter sits on every *line* between them, and every unit "
            "that computes something has a bias.",
        ),
        "all pairs": (
            lambda sizes: sum(a * b for a, b in combinations(sizes, 2)) + sum(sizes[1:]),
            "You join every layer with all later ones. Here each one takes its input from the "
            "layer just before it only.",
        ),
        "one hidden layer": (lambda sizes: _count((*sizes[:2], sizes[-1])), _ONE_HIDDEN),
        "first two layers": (lambda sizes: _count((sizes[0], sizes[1], sizes[2])), _ONE_HIDDEN),
        "bias of the sender": (
            lambda sizes: sum(a * (b + 1) for a, b in pairwise(sizes)),
            "You give a bias to each unit that *sends*. It belongs to the unit that receives.",
        ),
        "one bias in all": (
            lambda sizes: sum(a * b for a, b in pairwise(sizes)) + 1,
            "You count one bias in all. Every unit has its own.",
        ),
        "one bias per layer": (
            lambda sizes: sum(a * b + 1 for a, b in pairwise(sizes)),
            "You count one bias per layer. Every unit has its own.",
        ),
    },
    otherwise="Draw a small network, and count its lines and the biases of its units.",
    hints=[
        "In a layer of $b$ units with $a$ inputs every unit has $a$ weights and a bias.",
        "`pairwise(sizes)` gives the neighbours.",
    ],
    explanation="Every layer of $b$ units with $a$ inputs has $(a + 1)\\,b$ parameters.",
)


# --- 3: a softmax that overflows ----------------------------------------------------------------


def _overflow_safe(Z):
    e = np.exp(Z - Z.max(axis=0))
    return e / e.sum(axis=0)


def _shares(e):
    return e / e.sum(axis=0)


_STILL_LARGE = (
    "You subtract one number from each column, which changes no ratio. But what is left in a "
    "column of 2000 and −1000 is still too large for `np.exp`: which number leaves nothing large?"
)

_NOT_THE_LARGEST = (
    "You subtract the {} number of each column, which changes no ratio. But in a column of 0, 2000 "
    "and 1000 something is left that is too large for `np.exp`: which number leaves nothing large?"
)

q3 = Exercise(
    answer=_overflow_safe,
    cases=[
        (np.array([[0.5, -1.0, 2.0], [0.0, 1.5, 2.0]]),),
        (np.array([[2000.0, 1.0], [1999.0, -1.0], [-1000.0, 0.5]]),),
        (np.array([[-1001.0, 3.0], [-1000.0, 2.5], [-1002.0, -1.0]]),),
        (arrays(4, (4, 4))[0],),
        (arrays(5, (5, 1))[0],),
        (np.array([[0.0], [2000.0], [1000.0]]),),
        (np.array([[20000.0], [19999.0]]),),  # too large for long doubles as well
    ],
    praise="Only differences within a column count, so its largest number may as well be 0. Then "
    "no exponential exceeds 1, and no sum is smaller than 1: nothing can overflow or be 0/0.",
    mistakes={
        "naive": (
            lambda Z: _shares(np.exp(Z)),
            "That is the formula as it was. The exponential of 2000 is more than a float can hold "
            "(the end is near $e^{709}$) and becomes inf, and inf/inf is nan. Subtracting one "
            "number from a whole column changes no ratio: which number helps?",
        ),
        "the mean": (lambda Z: _shares(np.exp(Z - Z.mean(axis=0))), _STILL_LARGE),
        "the smallest": (lambda Z: _shares(np.exp(Z - Z.min(axis=0))), _STILL_LARGE),
        "the first": (lambda Z: _shares(np.exp(Z - Z[0])), _NOT_THE_LARGEST.format("first")),
        "the median": (
            lambda Z: _shares(np.exp(Z - np.median(Z, axis=0))),
            _NOT_THE_LARGEST.format("middle"),
        ),
        "divided": (
            lambda Z: _shares(np.exp(Z / Z.max(axis=0))),
            "You divide by the largest number, and that changes the ratios: 2 and 1 are no longer "
            "a factor of $e$ apart. Subtract instead.",
        ),
        "whole maximum": (
            lambda Z: _shares(np.exp(Z - Z.max())),
            "2000 survives, the ordinary column beside it does not: with the maximum of the "
            "*whole* array subtracted, its exponentials are all 0, and 0/0 is nan.",
        ),
        "only above": (
            lambda Z: _shares(np.exp(Z - np.maximum(Z.max(axis=0), 0))),
            "2000 survives, −1000 does not: in a column of −1001, −1000 and −1002 every "
            "exponential is 0, and 0/0 is nan.",
        ),
        "wrong axis": (
            lambda Z: _overflow_safe(Z.T).T,
            "Your *rows* add up to one. Examples are columns: the classes of one example stand "
            "below each other.",
        ),
        "hardmax": (
            lambda Z: 1.0 * (Z.max(axis=0) == Z),
            "That is hardmax: only 0 and 1. The softmax also says how sure it is.",
        ),
        "clipped": (
            lambda Z: _overflow_safe(np.clip(Z, -700, 700)),
            "Finite, but the odds are wrong: clipped, 2000 and 1999 become equal, yet one is $e$ "
            "times as likely as the other. Subtract instead of clipping.",
        ),
    },
    otherwise="The ratios within a column have to be those of the exponentials, and every column "
    "adds up to one.",
    hints=[
        "$e^{z_i}/\\sum_j e^{z_j}$ stays the same if a number is subtracted from all $z$ of a "
        "column. Try `np.exp(1000)` and `np.exp(-1000)` to see why you would do that.",
        "Subtract the column's largest number: `Z.max(axis=0)`. The sum is over axis 0 as well.",
    ],
    explanation="Subtract the largest number of every column: the ratios stay, and every exponent "
    "is 0 or below.",
)


# --- 4: backpropagation without the transpose ---------------------------------------------------


def _back(dZ, W, Z_prev):
    return (W.T @ dZ) * (1 - np.tanh(Z_prev) ** 2)


q4 = Exercise(
    answer=_back,
    cases=[
        arrays(5, (n, m), (n, n_prev), (n_prev, m))
        for n, n_prev, m in ((1, 3, 2), (2, 4, 5), (5, 1, 3), (4, 3, 1), (3, 3, 4), (2, 2, 2))
    ],
    praise="With layers of different width the missing transpose would have stopped with an error. "
    "So test on shapes that all differ, and hold a gradient against finite differences.",
    mistakes={
        "no transpose": (
            lambda dZ, W, Z_prev: (W @ dZ) * tanh_slope(Z_prev),
            "That runs only where both layers are equally wide. Forward, W[i, j] leads from unit j "
            "to unit i. Which way does it lead backward?",
        ),
        "no derivative": (
            lambda dZ, W, Z_prev: W.T @ dZ,
            "That is the gradient with respect to the *activations* of the layer before. To get "
            "behind its tanh, multiply by the derivative of tanh.",
        ),
        "tanh twice": (
            lambda dZ, W, Z_prev: (W.T @ dZ) * tanh_slope(np.tanh(Z_prev)),
            "You take tanh twice: the derivative is 1 − tanh(z)², at z itself, and 1 − a² where a "
            "is the activation.",
        ),
        "Z for A": (
            lambda dZ, W, Z_prev: (W.T @ dZ) * (1 - Z_prev**2),
            "1 − a² is the derivative if a is the *activation*. Z_prev is what goes into tanh.",
        ),
        "too early": (
            lambda dZ, W, Z_prev: W.T @ (dZ * tanh_slope(Z_prev)),
            "You multiply by the derivative first and by W then. Going back, W comes first: the "
            "tanh of the layer before lies behind it.",
        ),
        "divided by m": (
            lambda dZ, W, Z_prev: _back(dZ, W, Z_prev) / dZ.shape[1],
            "The m is too much: the mean is in dZ already, from the cost.",
        ),
    },
    otherwise="First back through W, then through tanh, for every number of Z_prev by itself.",
    hints=[
        "Write the shapes beside the letters: dZ is (n, m), W is (n, n_prev), and the result has "
        "the shape of Z_prev, (n_prev, m).",
        "$Z = W A_{prev} + b$ and $A_{prev} = \\tanh(Z_{prev})$: the chain rule has two factors.",
    ],
    explanation="Back through $W$, then through tanh, whose derivative is $1 - \\tanh^2$.",
)


# --- 5: how many different hidden units ---------------------------------------------------------

_DIFFERENT = {
    "all weights 0": 1,
    "two units alike, the others random": 3,
    "W1 all equal, W2 random": 4,
    "W1 random, W2 all equal": 4,
}

q5 = Exercise(
    answer=_DIFFERENT,
    praise="Units that start the same in all their weights stay the same: together they can do no "
    "more than one. So weights start at random, to break the symmetry; biases may start at 0.",
    mistakes={
        "0 apart": (
            {"all weights 0": 4},
            "From 0 nothing leads away: $A_1 = \\tanh(0) = 0$, so $dW_2 = 0$; and $W_2 = 0$ lets "
            "no gradient through to $W_1$. Only $b_2$ moves.",
        ),
        "0 none": (
            {"all weights 0": 0},
            "From 0 the hidden layer learns nothing, true. But its four units are there, and all "
            "the same: how many *different* ones is that?",
        ),
        "two apart": (
            {"two units alike, the others random": 4},
            "Two units start alike in all their weights, in and out. They give equal activations "
            "and get equal gradients: what can tell them apart after a step?",
        ),
        "equal W1": (
            {"W1 all equal, W2 random": 1},
            "An equal $W_1$ does give equal activations at first. But $W_2$ sends another error "
            "back to each unit, and so their gradients differ.",
        ),
        "equal W2": (
            {"W1 random, W2 all equal": 1},
            "An equal $W_2$ does send the same error back to all units. But $W_1$ makes them "
            "different already, and so are their activations, and with these the gradients of "
            "$W_2$.",
        ),
    },
    otherwise="Ask for any two of the units: do they start with the same weights, in and out? And "
    "do they then get the same gradients?",
    hints=[
        "The gradient for a hidden unit depends on its inputs, its activation and its weight in "
        "$W_2$. If two units agree in all of that, what tells them apart after the step?",
        "At 0: which activations come out of tanh(0), and what does $W_2 = 0$ send back?",
    ],
    explanation="Equal units get equal gradients, for ever. It is enough that they differ in "
    "*some* weight at the start.\n\n" + as_code("different", _DIFFERENT),
)
