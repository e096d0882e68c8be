"""Exercises of the lesson `regularization`."""

import numpy as np

from course_utils.exercises import Exercise, Wrong, as_code, compare, numbers

# --- 1: the prior behind L2 ---------------------------------------------------------------------


def _penalty(sigma, tau, N):
    return sigma**2 / (N * tau**2)


q1 = Exercise(
    answer=_penalty,
    cases=[(0.3, 0.5, 10), (1.0, 0.1, 20), (0.5, 2.0, 3), (2.0, 3.0, 1), (0.1, 0.02, 1_000)],
    praise="Much noise makes the penalty heavy, a wide prior and many points make it light.",
    mistakes={
        "N forgotten": (
            lambda sigma, tau, N: sigma**2 / tau**2,
            "That goes with the *sum* of the squared errors. E has their mean: what was done to "
            "the sum has to be done to the prior, too. It is stated once, not once for each point.",
        ),
        "noise forgotten": (
            lambda sigma, tau, N: 1 / (N * tau**2),
            "The noise is missing: the sum of squares has 1/(2σ²) before it, and E has not.",
        ),
        "half": (
            lambda sigma, tau, N: sigma**2 / (2 * N * tau**2),
            "That goes with a penalty λ Σ w² (Keras's convention). Here it is λ/2 Σ w².",
        ),
        "double": (
            lambda sigma, tau, N: 2 * sigma**2 / (N * tau**2),
            "The penalty has its ½, but the normal density has one in its exponent as well.",
        ),
        "not squared": (
            lambda sigma, tau, N: sigma / (N * tau),
            "Both σ and τ stand in the exponents as squares.",
        ),
        "upside down": (
            lambda sigma, tau, N: tau**2 / (N * sigma**2),
            "A *narrow* prior (small τ) pulls hard, so λ has to grow as τ shrinks. And the "
            "noisier the points, the more the prior counts.",
        ),
        "N upside down": (
            lambda sigma, tau, N: N * sigma**2 / tau**2,
            "More points make the prior count *less*.",
        ),
    },
    otherwise="Multiply −log p(w|data) by the number that turns its first term into that of E.",
    hints=[
        "What stands before $\\sum_i (y_i - f(x_i))^2$ in step 4, and what in $E$? By which factor "
        "do they differ?",
        "Multiply all of step 4 by $\\sigma^2/N$. A minimum does not move by that. What stands "
        "before $\\frac12 \\sum_j w_j^2$ now is $\\lambda$.",
    ],
    explanation="Step 4, multiplied by $\\sigma^2/N$, is $\\frac{1}{2N} \\sum_i (y_i - f(x_i))^2 + "
    "\\frac{\\sigma^2}{2 N \\tau^2} \\sum_j w_j^2$ and a constant. This is $E$ with $\\lambda = "
    "\\sigma^2 / (N \\tau^2)$.",
)


# --- 2: the step that ends at zero --------------------------------------------------------------


def _shrink(w, alpha, lam):
    return np.sign(w) * np.maximum(np.abs(w) - alpha * lam, 0)


def _judge_shrink(answer):
    compare(answer, _shrink, q2.cases, q2.otherwise, q2.mistakes)
    for case in q2.cases:
        if np.any(numbers(answer(*case), case[0].shape)[_shrink(*case) == 0]):
            raise Wrong(
                "Very nearly. But a weight that should be zero is only close to it: exactly 0 "
                "is asked for."
            )


q2 = Exercise(
    answer=_shrink,
    judge=_judge_shrink,
    cases=[
        (np.array([1.5, -1.2, 0.3, -0.2, 0.0, 0.45, -0.41]), 0.5, 0.8),
        (np.array([[3.0, -0.1, 0.7], [-2.0, 0.05, -0.9]]), 0.2, 3.0),
        (np.array([-3.0]), 2, 1),
        (np.array([0.2, -0.7, 0.0]), 0.1, 0.0),  # a factor 1 - 0/|w| fails at 0
    ],
    praise="A weight that would cross zero ends at zero, and the others all lose the same.",
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


# --- 3: a pixel that is always black ------------------------------------------------------------


def _first_step(w, alpha, lam):
    return w - alpha * np.sign(w), w - alpha * lam * w


q3 = Exercise(
    answer=_first_step,
    cases=[
        (0.1, 0.002, 0.01),
        (-0.5, 0.01, 3.0),
        (2.0, 0.1, 0.5),
        (-0.03, 0.001, 20.0),
        (1.0, 0.05, 1.0),
        (1.0, 0.1, 5.0),  # far from 1/(1 + αλ) and exp(-αλ)
        (0.012, 0.01, 2.0),  # nearly all of w goes
        (0.005, 0.01, 2.0),  # Adam's step crosses zero
    ],
    praise="With L2 through Adam the weight moves by α, whatever λ. Decoupled, it loses the share "
    "αλ of itself.",
    mistakes={
        "swapped": (
            lambda w, alpha, lam: _first_step(w, alpha, lam)[::-1],
            "Both are there, in the other order: first L2 through Adam, then decoupled decay.",
        ),
        "alike": (
            lambda w, alpha, lam: (w - alpha * lam * w,) * 2,
            "That is right for plain gradient descent, where the two are the same. Adam divides "
            "its gradient by √S. What is S after the first step, if the gradient is λw?",
        ),
        "alike, by alpha": (
            lambda w, alpha, lam: (w - alpha * np.sign(w),) * 2,
            "The first is right. But decoupled decay does not pass through V and S: it subtracts "
            "αλw as it is.",
        ),
        "stops at zero": (
            lambda w, alpha, lam: (_shrink(w, alpha, 1), w - alpha * lam * w),
            "The second is right. But the first is no proximal step: Adam's step has the size α "
            "and may cross zero. Nothing stops it there.",
        ),
        "sign forgotten": (
            lambda w, alpha, lam: (w - alpha, w - alpha * lam * w),
            "A negative weight has a negative gradient λw: it moves towards zero as well.",
        ),
        "S not squared": (
            lambda w, alpha, lam: (
                w - alpha * lam * w / np.sqrt(abs(lam * w)),
                w - alpha * lam * w,
            ),
            "S is the mean of g², not of g: what is its root after one step?",
        ),
        "hats forgotten": (
            lambda w, alpha, lam: (
                w - alpha * 0.1 * np.sign(w) / np.sqrt(0.001),
                w - alpha * lam * w,
            ),
            "That is the step without the hats. With them V is g itself after one step, and S is "
            "g².",
        ),
        "the change": (
            lambda w, alpha, lam: (alpha * np.sign(w), alpha * lam * w),
            "That is what is subtracted. Return what becomes of w.",
        ),
        "implicit": (
            lambda w, alpha, lam: (w - alpha * np.sign(w), w / (1 + alpha * lam)),
            "The first is right. The second is right only for a small αλ: AdamW subtracts αλw, of "
            "the w before the step.",
        ),
        "exponential": (
            lambda w, alpha, lam: (w - alpha * np.sign(w), w * np.exp(-alpha * lam)),
            "The first is right. The second is what very many very small steps do: one step "
            "subtracts αλw.",
        ),
        "L1": (
            lambda w, alpha, lam: (w - alpha * lam * np.sign(w), w - alpha * lam * w),
            "The second is right. In the first, λ is in g and in √S: does it stay?",
        ),
        "decay only": (
            lambda w, alpha, lam: (w - alpha * np.sign(w), w - lam * w),
            "The first is right. Decoupled decay subtracts αλw: the rate belongs to it.",
        ),
    },
    otherwise="Put g = λw into V and S, then write down Adam's step. Decoupled decay has g = 0.",
    hints=[
        "After one step, with the hats, $V = g$ and $S = g^2$. So what is $V/\\sqrt S$?",
        "$g/\\sqrt{g^2}$ is 1 or −1: the sign of $g = \\lambda w$, which is that of $w$.",
    ],
    explanation="Through Adam, $g = \\lambda w$, and $\\hat V / \\sqrt{\\hat S} = g/|g|$, the sign "
    "of $w$. Decoupled, $g = 0$, Adam's step is 0, and $\\alpha\\lambda w$ is subtracted.",
)


# --- 4: dropout, the scaling forgotten ----------------------------------------------------------


def _dropout(a, u, rate):
    return a * (u >= rate) / (1 - rate)


_KEPT_THE_RATE = "It is the other way round: you *keep* the share `rate` of the units."
_FROM_ABOVE = (
    "You switch off the units with the largest u. That would be dropout as well, but here a unit "
    "is off where u < rate: keep the mask of the cell."
)

q4 = Exercise(
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
        (np.array([[0.0, 1.5, 2.5]]), np.array([[0.9, 0.45, 0.5]]), 0.5),  # 0.5 is not below 0.5
        (np.array([[1.0, -2.0]]), np.array([[0.3, 0.7]]), 0.0),  # nothing is switched off
    ],
    praise="The mean over the draws of u is a itself, so that in prediction nothing has to be done "
    "at all: all units on, no factor.",
    mistakes={
        "on the edge": (
            lambda a, u, rate: a * (u > rate) / (1 - rate),
            "Very nearly. But a unit is off where u < rate, so where u equals rate it is on.",
        ),
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
            lambda a, u, rate: _dropout(a, u[:1], rate),
            "The same units are off for all examples: you use one row of u. Every example has "
            "numbers of its own.",
        ),
        "whole examples": (
            lambda a, u, rate: _dropout(a, u[:, :1], rate),
            "You use one column of u, so an example is kept or lost as a whole. Every unit has "
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


# --- 5: an honest judge -------------------------------------------------------------------------


def _honest(loss):
    first, second = np.split(loss, 2, axis=1)
    found = []
    for choose, judge in ((first, second), (second, first)):
        found.append(judge[choose.mean(axis=1).argmin()].mean())
    return np.mean(found)


def _least(loss):
    return loss.mean(axis=1).min()


def _halves(loss):
    return np.split(loss, 2, axis=1)


q5 = Exercise(
    answer=_honest,
    cases=[
        (np.array([[1.0, 2.0, 4.0, 9.0], [3.0, 2.0, 1.0, 4.0], [2.0, 2.0, 2.0, 2.5]]),),
        (np.random.default_rng(1).normal(size=(6, 8)).round(2) ** 2,),
        (np.random.default_rng(2).exponential(size=(12, 20)).round(2),),
        (np.array([[0.5, 1.5]]),),
    ],
    praise="The least of all row means lets the pictures judge what they have chosen: the best of "
    "many looks good by luck. Here no picture judges its own choice.",
    mistakes={
        "least of all": (
            _least,
            "That is the least of all row means: the pictures judge what they chose. The best of "
            "many choices looks better than it is.",
        ),
        "own half": (
            lambda loss: np.mean([half.mean(axis=1).min() for half in _halves(loss)]),
            "Each half judges its own choice. Let it judge the choice of the *other* half.",
        ),
        "one way": (
            lambda loss: _halves(loss)[1][_halves(loss)[0].mean(axis=1).argmin()].mean(),
            "The first half has chosen and the second has judged. Now the other way round, and the "
            "mean of both.",
        ),
        "the other way": (
            lambda loss: _halves(loss)[0][_halves(loss)[1].mean(axis=1).argmin()].mean(),
            "The second half has chosen and the first has judged. Now the other way round, too, "
            "and the mean of both.",
        ),
        "each picture": (
            lambda loss: loss.min(axis=0).mean(),
            "You choose for each picture by itself. One choice has to serve all of a half.",
        ),
        "largest": (
            lambda loss: np.mean(
                [b[a.mean(axis=1).argmax()].mean() for a, b in (_halves(loss), _halves(loss)[::-1])]
            ),
            "You choose the *largest* loss.",
        ),
        "sum": (
            lambda loss: 2 * _honest(loss),
            "The sum of the two came. Their mean is asked for.",
        ),
    },
    otherwise="Choose with one half of the columns, judge with the other, swap, and take the mean "
    "of the two.",
    hints=[
        "`first, second = np.split(loss, 2, axis=1)`. Which row has the least mean in `first`?",
        "`row = first.mean(axis=1).argmin()`, and `second[row].mean()` judges it. Then swap.",
    ],
    explanation="Each half chooses, the other half judges. So the mean is that of pictures which "
    "had no part in the choice.",
)


# --- 6: the slides' sentences -------------------------------------------------------------------

_VERDICTS = {"a": False, "b": False, "c": False, "d": True, "e": False, "f": False}
_WHY = {
    "a": "A penalty forces no distribution on the weights. The optimum is the most probable w *if* "
    "one believed in a normal prior, and its weights may be spread in any way.",
    "b": "λ = σ²/(N τ²): with twice as many points the same λ stands for a narrower prior.",
    "c": "L2 charges all weights alike, whatever comes in. What dropout does to a weight depends "
    "on the data that pass through it.",
    "d": "The formula of section 8: the factors of all w² in the penalty are then the same, "
    "p/(1 − p) times the mean square.",
    "e": "Dropout switches *units* off: they are zero in the forward pass too, so the others must "
    "do without them. To skip a share of the updates is, on average, gradient descent with a "
    "smaller step, and restrains nothing.",
    "f": "Through Adam the penalty is divided by √S, weight by weight; the decay of AdamW is not.",
}

q6 = Exercise(
    answer=_VERDICTS,
    praise="A penalty makes one optimum the most probable w under a prior; it is no law for the "
    "weights.",
    mistakes={
        "all true": (
            dict.fromkeys(_VERDICTS, True),
            "Not everything that stands on a slide is so: a single word can make a sentence false.",
        ),
        "all false": (
            dict.fromkeys(_VERDICTS, False),
            "You believe none of them. One can be worked out in a line: try those that make a "
            "calculation.",
        ),
    },
    otherwise="Take them word by word, and hold each one against its section: what was calculated, "
    "what was measured?",
    hints=[
        "L2 is a prior, and what is found is one point. What does one point say about a "
        "distribution? And for (b): how did N enter exercise 1?",
        "For (c) and (d), look at the formula of section 8. Which factor does each w² get? For "
        "(f), at section 4.",
    ],
    explanation="One of the six holds.\n\n"
    + as_code("verdicts", _VERDICTS)
    + "\n\n"
    + "\n".join(f"- ({letter}) {sentence}" for letter, sentence in _WHY.items()),
)
