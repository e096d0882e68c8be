"""Exercises of the lesson `training_deep_networks`."""

import numpy as np

from course_utils.exercises import Exercise, Wrong, as_code, compare

# --- 1: the prior behind L2 ---------------------------------------------------------------------


def _penalty(tau, N):
    return 1 / (N * tau**2)


q1 = Exercise(
    answer=_penalty,
    cases=[(0.5, 10), (0.1, 20), (2.0, 3), (0.02, 1_000), (3, 1)],
    praise="The penalised optimum is the most probable w under this prior: one point. That the "
    "weights *are* normally distributed, it does not say. (Keras's `L2(c)` adds c Σ w²: give it "
    "λ/2.)",
    mistakes={
        "N forgotten": (
            lambda tau, N: 1 / tau**2,
            "That goes with the *sum* of the losses. J has their mean: what was done to the sum "
            "has to be done to the prior, too. It is stated once, not once for every example.",
        ),
        "half": (
            lambda tau, N: 1 / (2 * N * tau**2),
            "That goes with a penalty λ Σ w² (Keras's convention). Here it is λ/2 Σ w²: what "
            "becomes of the two halves?",
        ),
        "double": (
            lambda tau, N: 2 / (N * tau**2),
            "The penalty has its ½, but the normal density has one in its exponent as well.",
        ),
        "Laplace": (
            lambda tau, N: 1 / (N * tau),
            "That goes with λ Σ |w|: L1, whose prior is Laplace's density with the scale τ. How "
            "does τ stand in the exponent of the normal density?",
        ),
        "upside down": (
            lambda tau, N: tau**2 / N,
            "A *narrow* prior (small τ) pulls hard, so λ has to grow as τ shrinks.",
        ),
        "both upside down": (
            lambda tau, N: N * tau**2,
            "More examples and a wider prior both make the penalty *smaller*.",
        ),
    },
    otherwise="Write −log posterior as a sum over examples and weights, divide it by N, and "
    "compare.",
    hints=[
        "$-\\log p(w \\mid \\text{data}) = N \\cdot \\text{mean loss} - \\sum \\log p(w)$ and a "
        "constant. What is $-\\log$ of the normal density with standard deviation $\\tau$?",
        "Divide by $N$. What stands in front of $\\frac{1}{2} \\sum w^2$ is $\\lambda$.",
    ],
    explanation="$-\\log p(w \\mid \\text{data}) = N \\cdot \\text{mean loss} + "
    "\\frac{1}{2\\tau^2} \\sum w^2$ and a constant. Divided by $N$, with $\\frac{\\lambda}{2} = "
    "\\frac{1}{2 N \\tau^2}$, this is $J$.",
)


# --- 2: the step that ends at zero --------------------------------------------------------------


def _shrink(w, alpha, lam):
    return np.sign(w) * np.maximum(np.abs(w) - alpha * lam, 0)


q2 = Exercise(
    answer=_shrink,
    cases=[
        (np.array([1.5, -1.2, 0.3, -0.2, 0.0, 0.45, -0.41]), 0.5, 0.8),
        (np.array([[3.0, -0.1, 0.7], [-2.0, 0.05, -0.9]]), 0.2, 3.0),
        (np.array([-3.0]), 2, 1),
        (np.array([0.2, -0.7]), 0.1, 0.0),
    ],
    praise="This is what sets weights to *exactly* zero. An optimiser that only follows the "
    "gradient, Adam too, leaves them near zero, on one side or the other.",
    mistakes={
        "crosses zero": (
            lambda w, alpha, lam: w - alpha * lam * np.sign(w),
            "That is a step along the gradient of λ|w|. A small weight jumps across zero, and back "
            "in the next step: it never stays there. Stop it *at* zero.",
        ),
        "hard": (
            lambda w, alpha, lam: np.where(np.abs(w) > alpha * lam, w, 0),
            "That is the hard threshold: small weights become 0, but the large ones stay as they "
            "are. L1 pulls at every weight: they lose alpha · lam, too.",
        ),
        "alpha forgotten": (
            lambda w, alpha, lam: _shrink(w, 1, lam),
            "The form is right, the threshold is not: a step of the rate alpha shrinks by "
            "alpha · lam.",
        ),
        "lam forgotten": (
            lambda w, alpha, lam: _shrink(w, alpha, 1),
            "The form is right, but lam does nothing: the threshold is alpha · lam.",
        ),
        "ridge": (
            lambda w, alpha, lam: w / (1 + alpha * lam),
            "That divides every weight by the same number: L2's step. It never arrives at zero.",
        ),
        "decay": (
            lambda w, alpha, lam: w * (1 - alpha * lam),
            "That takes the same *share* of every weight: weight decay, L2's gradient step. L1 "
            "takes the same *amount*.",
        ),
        "negative killed": (
            lambda w, alpha, lam: np.maximum(w - alpha * lam, 0),
            "All negative weights became 0. Shrink the *size* of a weight and keep its sign.",
        ),
        "negative grow": (
            lambda w, alpha, lam: np.where(np.abs(w) > alpha * lam, w - alpha * lam, 0),
            "Negative weights move away from zero: for them, alpha · lam has to be added.",
        ),
        "sign lost": (
            lambda w, alpha, lam: np.maximum(np.abs(w) - alpha * lam, 0),
            "The size is right, but all signs are gone: a negative weight stays negative.",
        ),
    },
    otherwise="Every weight comes nearer to zero by alpha · lam and stops there.",
    hints=[
        "By how much does the size $|w|$ shrink in one step of the rate $\\alpha$? What if that is "
        "more than $|w|$?",
        "Size and sign apart: `np.maximum(..., 0)` for the size, then times `np.sign(w)`.",
    ],
    explanation="Take $\\alpha\\lambda$ off the size, but not more than there is, and put the sign "
    "back. The result is the $v$ that makes $\\frac{1}{2\\alpha}(v - w)^2 + \\lambda|v|$ smallest.",
)


# --- 3: dropout, the scaling forgotten ----------------------------------------------------------


def _dropout(a, u, rate):
    return a * (u >= rate) / (1 - rate)


_KEPT_THE_RATE = "It is the other way round: you *keep* the share `rate` of the units."
_FROM_ABOVE = (
    "You switch off the units with the largest u. That would be dropout as well, but here a unit "
    "is off where u < rate: keep the mask of the cell."
)

q3 = Exercise(
    answer=_dropout,
    cases=[
        (
            np.array([[1.2, 0.7, 2.0], [0.5, 1.6, 0.9]]),
            np.array([[0.8, 0.1, 0.6], [0.2, 0.9, 0.4]]),
            0.3,
        ),
        (
            np.random.default_rng(3).normal(size=(9, 5)),
            np.random.default_rng(4).random((9, 5)),
            0.55,
        ),
        (np.array([[0.0, 1.5]]), np.array([[0.9, 0.45]]), 0.5),
        (np.array([[1.0, -2.0]]), np.array([[0.3, 0.7]]), 0.0),  # nothing is switched off
    ],
    praise="The mean over the draws of u is a itself, so that in prediction nothing has to be done "
    "at all: all units on, no factor.",
    mistakes={
        "no scaling": (
            lambda a, u, rate: a * (u >= rate),
            "That is still as it was written: nothing makes up for what is switched off. The next "
            "layer gets less in training than in prediction.",
        ),
        "scaled down": (
            lambda a, u, rate: a * (u >= rate) * (1 - rate),
            "You make what is left smaller still. It has to stand for all.",
        ),
        "divided by rate": (
            lambda a, u, rate: a * (u >= rate) / rate,
            "You divide by the share that is switched *off*. Which share is left, to stand for "
            "all?",
        ),
        "share": (
            lambda a, u, rate: a * (u >= rate) / np.mean(u >= rate),
            "You divide by the share of units that happened to be kept. Divide by the *expected* "
            "share: then what a unit passes on does not depend on the luck of the others.",
        ),
        "one mask": (
            lambda a, u, rate: _dropout(a, u[:, :1], rate),
            "The same units are off for all examples: you use one column of u. Every example has "
            "numbers of its own.",
        ),
        "whole examples": (
            lambda a, u, rate: _dropout(a, u[:1], rate),
            "You use one row of u, so an example is kept or lost as a whole. Every unit has "
            "numbers of its own.",
        ),
        "other way round": (lambda a, u, rate: a * (u < rate) / rate, _KEPT_THE_RATE),
        "other way round, divided": (
            lambda a, u, rate: a * (u < rate) / (1 - rate),
            _KEPT_THE_RATE,
        ),
        "other way round, unscaled": (lambda a, u, rate: a * (u < rate), _KEPT_THE_RATE),
        "from above": (lambda a, u, rate: a * (u < 1 - rate) / (1 - rate), _FROM_ABOVE),
        "from above, unscaled": (lambda a, u, rate: a * (u < 1 - rate), _FROM_ABOVE),
    },
    otherwise="Draw nothing, the random numbers are u. What is left has to stand, on average over "
    "u, for all.",
    hints=[
        "A unit of value $a$ passes on 0 with probability `rate`, else $c\\,a$. For which $c$ is "
        "the mean $a$?",
        "`u >= rate` is an array of True and False, which count as 1 and 0.",
    ],
    explanation="Kept with probability $1 - \\text{rate}$ and divided by it: the mean is $a$.",
)


# --- 4: dropout left on -------------------------------------------------------------------------


class _Network:
    """A network with half of its hidden units dropped in training, which counts its draws."""

    def __init__(self, inputs=3, classes=4):
        self.rng, self.drawn = np.random.default_rng(8), 0
        draw = np.random.default_rng(9)
        self.W = [draw.normal(size=size) for size in ((8, inputs), (classes, 8))]

    def __deepcopy__(self, memo):
        return self  # so that it counts the draws of the student's function

    def __call__(self, X, training):
        a = np.maximum(self.W[0] @ np.asarray(X), 0)
        if training:
            self.drawn += a[0].size  # examples
            a = _dropout(a, self.rng.random(a.shape), 0.5)
        e = np.exp(self.W[1] @ a)
        return e / e.sum(0)


def _predict(network, X):
    return network(X, training=False)


def _judge_predict(answer):
    draw = np.random.default_rng(10)
    sizes = [(3, 4, 2), (5, 2, 6), (2, 3, 1)]  # inputs, classes, examples
    cases = [(_Network(i, c), draw.normal(size=(i, n))) for i, c, n in sizes]
    try:
        compare(answer, _predict, cases, q4.otherwise, q4.mistakes)
    except Wrong:
        network, X = _Network(), draw.normal(size=(3, 6))
        answer(network, X)
        if network.drawn > X.shape[1]:
            raise Wrong(
                "You average over several random networks. That is *Monte Carlo dropout*, and the "
                "lesson `bayesian_neural_networks_wine` is about such averages. It comes close, "
                "but it is another thing, and still random: asked is the one network with all "
                "units on."
            ) from None
        if network.drawn:
            raise Wrong(
                "Dropout is still on: units are switched off at random, so the same X gets another "
                "answer at every call."
            ) from None
        raise


q4 = Exercise(
    answer=_predict,
    judge=_judge_predict,
    praise="All units are on, and the answer is the same each time. The scaling was done in "
    "training, so no factor is left to apply.",
    mistakes={
        "scaled once more": (
            lambda network, X: 0.5 * network(X, training=False),
            "The mode is right, but your probabilities add up to one half. What dropout takes away "
            "was made up for in training: apply no factor.",
        ),
        "classes": (
            lambda network, X: np.argmax(network(X, training=False), axis=0),
            "One number for each example? Return the probabilities of all classes.",
        ),
        "rows": (
            lambda network, X: network(X, training=False).T,
            "The examples are columns: leave them as the network gives them.",
        ),
    },
    otherwise="Return what the network itself gives for X, and nothing else.",
    hints=[
        "Call the cell's `predict` twice. Should a prediction depend on luck?",
        "Which value of `training` leaves all units on?",
    ],
    explanation="In prediction all units are on.",
)


# --- 5: an initialisation that explodes ---------------------------------------------------------


def _weight_sd(n_in, n_out, slope):
    return np.sqrt(2 / ((1 + slope**2) * n_in))


q5 = Exercise(
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
            "That is the *gain*, and rightly so. The standard deviation depends on the number of "
            "inputs, too: z is a sum over them.",
        ),
    },
    otherwise="The mean square of z is n_in · sd² times the mean square of what comes in.",
    hints=[
        "Half of the $z$ before are positive and pass as they are, half come out times the slope. "
        "What is the mean square behind the activation, if that of $z$ is 1?",
        "$\\overline{z^2}$ of the next layer is $n_{in}\\,sd^2\\,\\overline{a^2}$. Set it to 1.",
    ],
    explanation="Behind the activation the mean square is $\\frac{1 + slope^2}{2}$ of what it was, "
    "and the next layer multiplies it by $n_{in}\\,sd^2$. The product has to be 1.",
)


# --- 6: how far a gradient reaches --------------------------------------------------------------


def _reach(sd, n, mean_square_slope, factor):
    gain = n * sd**2 * mean_square_slope
    return np.log(factor) / (-np.log(gain) / 2)


_ROUNDED = "Right, but rounded. Leave it as it is, so that it can be compared."
_LOGARITHMS = (
    "Two kinds of logarithm: one is to base 10, the other natural (NumPy's `np.log`). Take one "
    "kind for both."
)

q6 = Exercise(
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
            "A minus is missing: the logarithm of a gain below 1 is negative, and the number of "
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


# --- 7: the slides' sentences -------------------------------------------------------------------

_VERDICTS = {"a": False, "b": False, "c": False, "d": True, "e": False, "f": True}
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

q7 = Exercise(
    answer=_VERDICTS,
    praise="A penalty makes one optimum the most probable w under a prior; it is no law for the "
    "weights. And dropout is no L2: for a linear unit it resembles it, weighted by the data.",
    mistakes={
        "all true": (
            dict.fromkeys(_VERDICTS, True),
            "Not everything that stands on a slide is so: a single word can make a sentence false.",
        ),
        "all false": (
            dict.fromkeys(_VERDICTS, False),
            "You believe none of them. Some can be worked out in two lines: try those that make a "
            "calculation.",
        ),
    },
    otherwise="Take them word by word, and hold each one against its section: what was calculated, "
    "what was measured?",
    hints=[
        "L2 is a prior, and what is found is one point. What does one point say about a "
        "distribution? And for (b): how did N enter exercise 1?",
        "For (c) and (d): write the mean over the masks of $(y - \\sum w x m)^2$, where $m$ is 0 "
        "or $1/(1 - \\text{rate})$. Which factor does each $w^2$ get?",
    ],
    explanation="Two of the six hold.\n\n"
    + as_code("verdicts", _VERDICTS)
    + "\n\n"
    + "\n".join(f"- ({letter}) {sentence}" for letter, sentence in _WHY.items()),
)
