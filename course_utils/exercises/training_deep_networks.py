"""Exercises of the lesson `training_deep_networks`."""

import numpy as np

from course_utils.exercises._before import Exercise, Wrong, as_code, close, compare, filled, numbers

# In the dictionaries of mistakes: a function that makes one, and the sentence that names it.


def _functions(mistakes):
    return {name: function for name, (function, _) in mistakes.items()}


def _sentences(mistakes):
    return {name: sentence for name, (_, sentence) in mistakes.items() if sentence}


def _exercise(right, cases, otherwise, mistakes, correct, hints, explanation):
    """Make an exercise whose answer is a function, tried on the cases."""

    def judge(answer):
        compare(answer, right, cases, otherwise, _functions(mistakes), _sentences(mistakes))
        return correct

    return Exercise(judge, hints, explanation, right, _functions(mistakes))


# --- 1: the prior behind L2 ---------------------------------------------------------------------

_PENALTIES = {
    "N forgotten": (
        lambda tau, N: 1 / tau**2,
        "That goes with the *sum* of the losses. J has their mean, so the prior is divided by N, "
        "too: it is stated once, not once for every example.",
    ),
    "half": (
        lambda tau, N: 1 / (2 * N * tau**2),
        "Half of what is asked. That goes with a penalty λ Σ w² (Keras's convention); here it is "
        "λ/2 Σ w², and the two halves cancel.",
    ),
    "double": (
        lambda tau, N: 2 / (N * tau**2),
        "Twice of what is asked: the normal density has a ½ in its exponent as well.",
    ),
    "Laplace": (
        lambda tau, N: 1 / (N * tau),
        "τ has to be squared. 1/(N τ) goes with λ Σ |w|: that is L1, whose prior is Laplace's "
        "density with the scale τ.",
    ),
    "upside down": (
        lambda tau, N: tau**2 / N,
        "τ² is upside down: a *narrow* prior (small τ) pulls hard, so λ has to grow as τ shrinks.",
    ),
    "both upside down": (
        lambda tau, N: N * tau**2,
        "That is 1/λ. More examples and a wider prior both make the penalty *smaller*.",
    ),
    "something else": (lambda tau, N: 3 / (N * tau**2), None),
}

q1 = _exercise(
    lambda tau, N: 1 / (N * tau**2),
    [(0.5, 10), (0.1, 20), (2.0, 3), (0.02, 1_000)],
    "For tau = {} and N = {} you give λ = {given:.4g}; {expected:.4g} is right. Write −log "
    "posterior as a sum over examples and weights, divide it by N, and compare.",
    _PENALTIES,
    "The penalised optimum is the most probable w under this prior: one point. That the weights "
    "*are* normally distributed, it does not say. (Keras's `L2(c)` adds c Σ w²: give it λ/2.)",
    [
        "$-\\log p(w \\mid \\text{data}) = N \\cdot \\text{mean loss} - \\sum \\log p(w)$ and a "
        "constant. What is $-\\log$ of the normal density with standard deviation $\\tau$?",
        "Divide by $N$. What stands in front of $\\frac{1}{2} \\sum w^2$ is $\\lambda$.",
    ],
    "$-\\log p(w \\mid \\text{data}) = N \\cdot \\text{mean loss} + \\frac{1}{2\\tau^2} \\sum w^2$ "
    "and a constant. Divided by $N$, with $\\frac{\\lambda}{2} = \\frac{1}{2 N \\tau^2}$, this is "
    "$J$.\n\n```python\ndef penalty(tau, N):\n    return 1 / (N * tau**2)\n```",
)


# --- 2: the step that ends at zero --------------------------------------------------------------


def _soft(w, t):
    return np.sign(w) * np.maximum(np.abs(w) - t, 0)


_SHRUNK = {
    "crosses zero": (
        lambda w, alpha, lam: w - alpha * lam * np.sign(w),
        "That is a step along the gradient of λ|w|. A small weight jumps across zero, and back in "
        "the next step: it never stays there. Stop it *at* zero.",
    ),
    "hard": (
        lambda w, alpha, lam: np.where(np.abs(w) > alpha * lam, w, 0),
        "That is the hard threshold: small weights become 0, but the large ones stay as they are. "
        "L1 pulls at every weight: they lose alpha · lam, too.",
    ),
    "alpha forgotten": (
        lambda w, alpha, lam: _soft(w, lam),
        "The form is right, the threshold is not: a step of the rate alpha shrinks by alpha · lam.",
    ),
    "lam forgotten": (
        lambda w, alpha, lam: _soft(w, alpha),
        "The form is right, but lam does nothing: the threshold is alpha · lam.",
    ),
    "ridge": (
        lambda w, alpha, lam: w / (1 + alpha * lam),
        "That divides every weight by the same number: L2's step. It never arrives at zero.",
    ),
    "decay": (
        lambda w, alpha, lam: w * (1 - alpha * lam),
        "That takes the same *share* of every weight: weight decay, L2's gradient step. L1 takes "
        "the same *amount*.",
    ),
    "negative killed": (
        lambda w, alpha, lam: np.maximum(w - alpha * lam, 0),
        "All negative weights became 0. Shrink the *size* of a weight and keep its sign.",
    ),
    "negative grow": (
        lambda w, alpha, lam: np.where(np.abs(w) > alpha * lam, w - alpha * lam, 0),
        "Negative weights move away from zero: for them, alpha · lam has to be added.",
    ),
    "something else": (lambda w, alpha, lam: _soft(w, 2 * alpha * lam), None),
}

q2 = _exercise(
    lambda w, alpha, lam: _soft(w, alpha * lam),
    [
        (np.array([1.5, -1.2, 0.3, -0.2, 0.0, 0.45, -0.41]), 0.5, 0.8),
        (np.array([[3.0, -0.1, 0.7], [-2.0, 0.05, -0.9]]), 0.2, 3.0),
        (np.array([-3.0]), 2, 1),
    ],
    "For w = {:.4g}, alpha = {} and lam = {} you return {given:.4g}; {expected:.4g} is right. "
    "Every weight comes nearer to zero by alpha · lam and stops there.",
    _SHRUNK,
    "This is what sets weights to *exactly* zero. An optimiser that only follows the gradient, "
    "Adam too, leaves them near zero, on one side or the other.",
    [
        "By how much does the size $|w|$ shrink in one step of the rate $\\alpha$? What if that is "
        "more than $|w|$?",
        "Size and sign apart: `np.maximum(..., 0)` for the size, then times `np.sign(w)`.",
    ],
    "Take $\\alpha\\lambda$ off the size, but not more than there is, and put the sign back.\n\n"
    "```python\ndef shrink(w, alpha, lam):\n"
    "    return np.sign(w) * np.maximum(np.abs(w) - alpha * lam, 0)\n```\n\n"
    "The result is the $v$ that makes $\\frac{1}{2\\alpha}(v - w)^2 + \\lambda|v|$ smallest.",
)


# --- 3: dropout, the scaling forgotten ----------------------------------------------------------


def _dropout(a, u, rate):
    return a * (u >= rate) / (1 - rate)


_DROPPED = {
    "no scaling": (
        lambda a, u, rate: a * (u >= rate),
        "That is still as it was written: nothing makes up for what is switched off. The next "
        "layer gets less in training than in prediction.",
    ),
    "scaled down": (
        lambda a, u, rate: a * (u >= rate) * (1 - rate),
        "You multiply by 1 − rate, and make it smaller still. What is left has to stand for all: "
        "divide.",
    ),
    "divided by rate": (
        lambda a, u, rate: a * (u >= rate) / rate,
        "You divide by the share that is switched *off*. It is the share kept, 1 − rate.",
    ),
    "share": (
        lambda a, u, rate: a * (u >= rate) / np.mean(u >= rate),
        "You divide by the share of units that happened to be kept. Divide by the *expected* "
        "share, 1 − rate: then what a unit passes on does not depend on the luck of the others.",
    ),
    "one mask": (
        lambda a, u, rate: _dropout(a, u[:, :1], rate),
        "The same units are off for all examples: you use one column of u. Every example has "
        "numbers of its own.",
    ),
    "whole examples": (
        lambda a, u, rate: _dropout(a, u[:1], rate),
        "You use one row of u, so an example is kept or lost as a whole. Every unit has numbers "
        "of its own.",
    ),
    "something else": (lambda a, u, rate: 2 * _dropout(a, u, rate), None),
}
_LUCK = np.random.default_rng(11)


def _judge_dropout(answer):
    a, u = np.random.default_rng(3).uniform(0.5, 2, (9, 5)), np.random.default_rng(4).random((9, 5))
    first, again = (numbers(answer(a.copy(), u.copy(), 0.3), a.shape) for _ in range(2))
    if not close(first, again):
        raise Wrong("Called twice, you answer differently: draw nothing, the random numbers are u.")
    off = first == 0
    if np.array_equal(off, u >= 0.3) or np.array_equal(off, u < 0.7):
        raise Wrong("It is the other way round: you *keep* the share `rate` of the units.")
    from_above = np.array_equal(off, u >= 0.7)  # keeps u < 1 - rate, which is as good

    def turned(function):
        return (lambda a, u, rate: function(a, 1 - u, rate)) if from_above else function

    mistakes = {name: turned(function) for name, function in _functions(_DROPPED).items()}
    otherwise = (
        "For a = {:.4g}, u = {:.4g} and rate = {} you return {given:.4g}; {expected:.4g} is right."
    )
    cases = [(a, u, 0.3), (-a[:4], u[:4], 0.55)]
    compare(answer, turned(_dropout), cases, otherwise, mistakes, _sentences(_DROPPED))
    compare(answer, turned(_dropout), [(a, u, 0.0)], otherwise + " Rate 0 switches nothing off.")
    return (
        "The mean over the draws of u is a itself, so that in prediction nothing has to be done "
        "at all: all units on, no factor."
    )


q3 = Exercise(
    judge=_judge_dropout,
    hints=[
        "A unit of value $a$ passes on 0 with probability `rate`, else $c\\,a$. For which $c$ is "
        "the mean $a$?",
        "`u >= rate` is an array of True and False, which count as 1 and 0.",
    ],
    explanation="Kept with probability $1 - \\text{rate}$ and divided by it: the mean is $a$.\n\n"
    "```python\ndef dropout(a, u, rate):\n    return a * (u >= rate) / (1 - rate)\n```",
    answer=_dropout,
    misconceptions={
        **_functions(_DROPPED),
        "other way round": lambda a, u, rate: a * (u < rate) / rate,
        "luck of its own": lambda a, u, rate: _dropout(a, _LUCK.random(a.shape), rate),
    },
)


# --- 4: dropout left on -------------------------------------------------------------------------


class _Network:
    """A network with half of its hidden units dropped in training, which counts its draws."""

    def __init__(self):
        self.rng, self.calls, self.drawn = np.random.default_rng(8), 0, 0
        self.W = [np.random.default_rng(9).normal(size=size) for size in ((8, 3), (4, 8))]

    def __call__(self, X, training=None):
        if training is None:
            raise Wrong("Tell the network which mode you mean: `training=True` or `False`.")
        self.calls += 1
        a = np.maximum(self.W[0] @ np.asarray(X), 0)
        if training:
            self.drawn += np.size(X) // 3  # examples
            a = _dropout(a, self.rng.random(a.shape), 0.5)
        e = np.exp(self.W[1] @ a)
        return e / e.sum(0)


def _predict(network, X):
    return network(X, training=False)


def _judge_predict(answer):
    network, X = _Network(), np.random.default_rng(10).normal(size=(3, 6))
    expected = _predict(_Network(), X)
    given = numbers(answer(network, X.copy()))
    if given.shape == X.shape[1:]:
        raise Wrong("One number for each example? Return the probabilities of all classes.")
    given = numbers(given, expected.shape)
    if close(given, expected):
        return (
            "All units are on, and the answer is the same each time. The scaling was done in "
            "training, so no factor is left to apply."
        )
    if network.drawn > X.shape[1]:
        raise Wrong(
            "You average over several random networks. That is *Monte Carlo dropout*, and the "
            "lesson `bayesian_neural_networks_wine` is about such averages. It comes close, but it "
            "is another thing, and still random: asked is the one network with all units on."
        )
    if network.drawn:
        raise Wrong(
            "Dropout is still on: with `training=True` units are switched off at random, so the "
            "same X gets another answer at every call."
        )
    if not network.calls:
        raise Wrong("You never called the network: return what it gives for X.")
    factor = given.sum() / expected.sum()
    if close(given, factor * expected):
        raise Wrong(
            f"The mode is right, but your probabilities add up to {factor:.3g}. What dropout takes "
            "away was made up for in training: apply no factor."
        )
    raise Wrong("The mode is right. Return what the network gives, as it is.")


q4 = Exercise(
    judge=_judge_predict,
    hints=[
        "Call the cell's `predict` twice. Should a prediction depend on luck?",
        "Which value of `training` leaves all units on?",
    ],
    explanation="In prediction all units are on.\n\n"
    "```python\ndef predict(network, X):\n    return network(X, training=False)\n```",
    answer=_predict,
    misconceptions={
        "as written": lambda network, X: network(X, training=True),
        "Monte Carlo": lambda network, X: np.mean([network(X, True) for _ in range(200)], axis=0),
        "scaled once more": lambda network, X: 0.5 * network(X, training=False),
        "classes": lambda network, X: np.argmax(network(X, training=False), axis=0),
        "no mode": lambda network, X: network(X),
        "never called": lambda network, X: np.full((4, 6), 0.25),
        "something else": lambda network, X: network(X, training=False) ** 2,
    },
)


# --- 5: an initialisation that explodes ---------------------------------------------------------

_STARTS = {
    "as written": (
        lambda n_in, n_out, slope: np.sqrt(2 / n_in),
        "That is right for ReLU. A leaky ReLU lets the negative half through as well, weakly: with "
        "this start the mean square grows by 1 + slope² in every layer.",
    ),
    "identity": (
        lambda n_in, n_out, slope: np.sqrt(1 / n_in),
        "That is the slide's √(1/n): right for the identity. The leaky ReLU weakens the negative "
        "half, and here nothing makes up for it.",
    ),
    "half forgotten": (
        lambda n_in, n_out, slope: np.sqrt(1 / ((1 + slope**2) * n_in)),
        "A factor is missing: the mean square behind the activation is the *mean* of 1 and "
        "slope², (1 + slope²)/2, since half of the z are negative.",
    ),
    "variance": (
        lambda n_in, n_out, slope: 2 / ((1 + slope**2) * n_in),
        "That is the variance of the weights. The standard deviation is its root.",
    ),
    "n_out": (
        lambda n_in, n_out, slope: np.sqrt(2 / ((1 + slope**2) * n_out)),
        "z is a sum over the *inputs* of the layer: n_in counts. (n_out would keep the gradient on "
        "its way back.)",
    ),
    "both": (
        lambda n_in, n_out, slope: np.sqrt(2 / (n_in + n_out)),
        "That is the slide's √(2/(n_in + n_out)), a compromise between forward and backward for "
        "the identity. Asked is the forward pass, behind a leaky ReLU.",
    ),
    "slope not squared": (
        lambda n_in, n_out, slope: np.sqrt(2 / ((1 + slope) * n_in)),
        "The slope has to be squared: it is the mean *square* that is to be kept.",
    ),
    "sum squared": (
        lambda n_in, n_out, slope: np.sqrt(2 / n_in) / (1 + slope),
        "A z is positive or negative, not both: the squares 1 and slope² are added, not 1 and the "
        "slope before they are squared.",
    ),
    "gain": (
        lambda n_in, n_out, slope: np.sqrt(2 / (1 + slope**2)),
        "That is the *gain*, and rightly so. The standard deviation is the gain divided by √n_in.",
    ),
    "something else": (lambda n_in, n_out, slope: 1.0, None),
}

q5 = _exercise(
    lambda n_in, n_out, slope: np.sqrt(2 / ((1 + slope**2) * n_in)),
    [(8, 3, 0.1), (4, 16, 0.0), (6, 6, 1.0), (5, 9, 0.5), (3, 2, 0.25)],
    "For n_in = {}, n_out = {} and slope = {} you give {given:.4g}; {expected:.4g} is right. The "
    "mean square of z is n_in · sd² times the mean square of what comes in.",
    _STARTS,
    "Slope 0 gives the slide's √(2/n) for ReLU, slope 1 its √(1/n). One formula for both, "
    "and for all that lies between.",
    [
        "Half of the $z$ before are positive and pass as they are, half come out times the slope. "
        "What is the mean square behind the activation, if that of $z$ is 1?",
        "$\\overline{z^2}$ of the next layer is $n_{in}\\,sd^2\\,\\overline{a^2}$. Set it to 1.",
    ],
    "Behind the activation the mean square is $\\frac{1 + slope^2}{2}$ of what it was, and the "
    "next layer multiplies it by $n_{in}\\,sd^2$. The product has to be 1.\n\n"
    "```python\ndef weight_sd(n_in, n_out, slope):\n"
    "    return np.sqrt(2 / ((1 + slope**2) * n_in))\n```",
)


# --- 6: how far a gradient reaches --------------------------------------------------------------


def _reach(gain, factor):
    return 2 * np.log(factor) / -np.log(gain)


_REACHES = {
    "squared": (
        lambda sd, n, m, factor: _reach(n * sd**2 * m, factor) / 2,
        "Half of what is right. n · sd² · mean_square_slope is the factor of the mean *square*; "
        "its root, the size of the gradient, shrinks by only the root of that.",
    ),
    "root of the slope": (
        lambda sd, n, m, factor: _reach(n * sd**2 * np.sqrt(m), factor),
        "You take the root of the slope's mean square, but sd² is squared: both belong in as they "
        "are, then comes one root for all.",
    ),
    "slope squared twice": (
        lambda sd, n, m, factor: _reach(n * sd**2 * m**2, factor),
        "The slope is squared already: `mean_square_slope` is the mean of g'(z)².",
    ),
    "slope forgotten": (
        lambda sd, n, m, factor: _reach(n * sd**2, factor),
        "The slope of the activation is missing: backpropagation multiplies by g'(z) in each "
        "layer.",
    ),
    "n forgotten": (
        lambda sd, n, m, factor: _reach(sd**2 * m, factor),
        "n is missing: each part of the gradient is a sum over the n units above it.",
    ),
    "sd not squared": (
        lambda sd, n, m, factor: _reach(n * sd * m, factor),
        "It is sd², the mean square of a weight, that multiplies the mean square of the gradient.",
    ),
    "sign": (
        lambda sd, n, m, factor: -_reach(n * sd**2 * m, factor),
        "A minus is missing: the logarithm of a gain below 1 is negative, and the number of layers "
        "is not.",
    ),
    "mixed logarithms": (
        lambda sd, n, m, factor: _reach(n * sd**2 * m, factor) / np.log(10),
        "Two kinds of logarithm: that of the factor is to base 10, that of the gain natural "
        "(NumPy's `np.log`). Take the same for both.",
    ),
    "mixed the other way": (
        lambda sd, n, m, factor: _reach(n * sd**2 * m, factor) * np.log(10),
        "Two kinds of logarithm: that of the factor is natural (NumPy's `np.log`), that of the "
        "gain to base 10. Take the same for both.",
    ),
    "rounded": (
        lambda sd, n, m, factor: np.ceil(_reach(n * sd**2 * m, factor)),
        "Right, and rounded up. Leave it as it is, so that it can be compared.",
    ),
    "something else": (lambda sd, n, m, factor: factor, None),
}

q6 = _exercise(
    lambda sd, n, m, factor: _reach(n * sd**2 * m, factor),
    [(0.1, 100, 1 / 16, 1_000), (0.04, 500, 0.3, 100), (0.3, 10, 0.6, 50), (0.1, 90, 0.9, 10)],
    "For sd = {}, n = {}, mean_square_slope = {} and factor = {} you give {given:.4g} layers; "
    "{expected:.4g} is right. After L layers the mean square is multiplied by (n · sd² · "
    "mean_square_slope) to the power L, the size by its root.",
    _REACHES,
    "The slope of a sigmoid is at most 1/4: with weights of 1/√n a gradient falls by a thousand "
    "within five layers. That is the vanishing gradient, and it takes no bad luck.",
    [
        "Per layer the mean square of the gradient is multiplied by $g = n\\,sd^2 \\cdot$ "
        "`mean_square_slope`. And its root?",
        "Solve $g^{L/2} = 1/\\text{factor}$ for $L$, with logarithms.",
    ],
    "With $g = n\\,sd^2 \\cdot$ `mean_square_slope`, the size after $L$ layers is $g^{L/2}$ of "
    "what it was.\n\n"
    "```python\ndef reach(sd, n, mean_square_slope, factor):\n"
    "    gain = n * sd**2 * mean_square_slope\n"
    "    return np.log(factor) / (-np.log(gain) / 2)\n```",
)


# --- 7: the slides' sentences -------------------------------------------------------------------

VERDICTS = {"a": False, "b": False, "c": False, "d": True, "e": False, "f": True}
_WHY = {
    "a": "A penalty forces no distribution on the weights. It pulls them to zero: the optimum is "
    "the most probable w *if* one believed in a normal prior, and its weights may be spread in any "
    "way.",
    "b": "λ = 1/(N τ²): in a mean over twice as many pictures the prior counts half, so the same λ "
    "stands for a narrower prior.",
    "c": "L2 charges all weights alike, whatever comes in. What dropout does to a weight depends "
    "on the data that pass through it.",
    "d": "Work out the mean: the squared error of the undropped unit, and the variance of the "
    "sum, which is Σ w² x² · rate / (1 − rate). On average over the examples x² is the second "
    "moment.",
    "e": "Dropout switches *units* off: they are zero in the forward pass too, so the others must "
    "do without them. To skip a share of the updates is, on average, gradient descent with a "
    "smaller step, and restrains nothing.",
    "f": "The mean over the batch is the picture's own z, and the variance is 0: z_norm is 0 for "
    "every unit, and γ · 0 + β is left.",
}


def _judge_verdicts(answer):
    for letter, given in zip(VERDICTS, filled(answer, VERDICTS), strict=True):
        if not isinstance(given, (bool, np.bool_)):
            raise Wrong(f"Answer ({letter}) with True or False.")
        if given != VERDICTS[letter]:
            raise Wrong(f"Think again about ({letter}). {_WHY[letter]}")
    return (
        "A penalty makes one optimum the most probable w under a prior; it is no law for the "
        "weights. And dropout is no L2: for a linear unit it resembles it, weighted by the data."
    )


q7 = Exercise(
    judge=_judge_verdicts,
    hints=[
        "L2 is a prior, and what is found is one point. What does one point say about a "
        "distribution? And for (b): how did N enter exercise 1?",
        "For (c) and (d): write the mean over the masks of $(y - \\sum w x m)^2$, where $m$ is 0 "
        "or $1/(1 - \\text{rate})$. Which factor does each $w^2$ get?",
    ],
    explanation=as_code("verdicts", VERDICTS)
    + "\n\n"
    + "\n".join(f"- ({letter}) {sentence}" for letter, sentence in _WHY.items()),
    answer=VERDICTS,
    misconceptions={
        **{letter: {**VERDICTS, letter: not right} for letter, right in VERDICTS.items()},
        "in words": {**VERDICTS, "b": "true"},
    },
)
