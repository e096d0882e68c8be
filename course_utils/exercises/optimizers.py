"""Exercises of the lesson `optimizers`."""

import numpy as np

from course_utils.exercises import Exercise, as_code

# --- 1: the ascent with a minus sign ------------------------------------------------------------


def _step(w, grad_log_p, alpha):
    return w + alpha * grad_log_p


q1 = Exercise(
    answer=_step,
    cases=[
        (np.array([0.5, -2.0]), np.array([3.0, 1.0]), 0.1),
        (np.array([[1.0, -0.4, 2.0], [0.3, 0.0, -1.5]]), np.array([[2.0, -3, 1], [4, -1, 5]]), 0.7),
        (np.array([3]), np.array([-2]), 4),
        (np.zeros(4), np.array([-1.0, 0.0, 2.0, 0.5]), 1.5),
    ],
    praise="It climbs. With the slide's minus the sum has to be that of −log p, the loss: descent "
    "on the loss and ascent on log p are the same walk.",
    mistakes={
        "as printed": (
            lambda w, g, alpha: w - alpha * g,
            "That is the slide's sign, and it walks away from the data: the gradient points "
            "uphill, and log p should grow.",
        ),
        "step alone": (
            lambda w, g, alpha: alpha * g,
            "That is the step alone. Return the new w: the old w and the step.",
        ),
        "step alone, downhill": (
            lambda w, g, alpha: -alpha * g,
            "That is a step alone, and it goes the slide's way. Return the new w, and ask where "
            "the gradient points.",
        ),
        "alpha forgotten": (
            lambda w, g, alpha: w + g,
            "The direction is right, but alpha does nothing: it says how long the step is.",
        ),
        "unit length": (
            lambda w, g, alpha: w + alpha * g / np.linalg.norm(g),
            "You divide by the length of the gradient, so every step is equally long. The slide's "
            "step gets shorter towards the top, and that is how it comes to rest there.",
        ),
    },
    otherwise="Which way does log p grow, and how far does alpha let you go there?",
    hints=[
        "The derivative points to where $\\log p$ *grows*. Do we want more of it or less?",
        "Gradient descent on a loss $J$ is $w := w - \\alpha\\,dw$. Here $J = -\\sum_i \\log p$.",
    ],
    explanation="The likelihood is to grow, so the step goes *with* its gradient. With $J = "
    "-\\sum_i \\log p$ this is the usual $w := w - \\alpha\\,dJ/dw$: the minus belongs either to "
    "the logarithm or to the step.",
)


# --- 2: which alpha diverges --------------------------------------------------------------------

_PREDICTION = {
    "gradient descent, alpha=0.45": "converges",
    "gradient descent, alpha=0.55": "diverges",
    "momentum, alpha=9, beta=0.9": "converges",
    "momentum, alpha=1.6, beta=0.5": "diverges",
    "Keras SGD(0.9, momentum=0.9)": "converges",
    "Keras SGD(1.0, momentum=0.9)": "diverges",
}


def _words(initials):
    """Return six predictions by their first letters."""
    words = {"c": "converges", "d": "diverges"}
    return {name: words[letter] for name, letter in zip(_PREDICTION, initials, strict=True)}


q2 = Exercise(
    answer=_PREDICTION,
    praise="The limits are 2/L for gradient descent, 2(1 + β)/((1 − β)L) for the slides' momentum, "
    "and 2(1 + β)/L for Keras's. Before you copy a learning rate, ask whose it is.",
    mistakes={
        "the wrong way round": (
            _words("dcdcdc"),
            "Each of the six is the wrong way round: *beyond* the limit a descent diverges.",
        ),
        "1/L for all": (
            _words("dddddd"),
            "They do not all diverge. Beyond α = 1/L gradient descent swings from side to side, "
            "and still converges up to 2/L.",
        ),
        "2/L for all": (
            _words("cddddd"),
            "2/L is the limit of gradient descent. Momentum averages over gradients of changing "
            "sign, which cancel, so it bears a larger α.",
        ),
        "momentum bears everything": (
            _words("cdcccc"),
            "Momentum bears more than gradient descent, but not everything: beyond some α each "
            "swing is larger than the last.",
        ),
        "the slides' limit for Keras": (
            _words("cdcdcc"),
            "Keras leaves out the 1 − β: its learning rate is the slides' α(1 − β), and its limit "
            "is smaller by the same factor.",
        ),
        "Keras's limit for the slides": (
            _words("cdddcd"),
            "In the slides' momentum each gradient is multiplied by 1 − β first: there α may be "
            "larger by 1/(1 − β), ten times at β = 0.9.",
        ),
    },
    otherwise="Which of the two curvatures decides? And which of the learning rates is multiplied "
    "by 1 − β before it moves anything?",
    hints=[
        "The steepest direction decides: $L = 4$. For gradient descent the limit is $2/L$.",
        "Put $V$ into the momentum rule: $w_{t+1} = (1 + \\beta - \\alpha(1-\\beta)L)\\,w_t - "
        "\\beta\\,w_{t-1}$. It still converges while the bracket is above $-(1 + \\beta)$.",
        "Keras's learning rate is the slides' $\\alpha(1-\\beta)$.",
    ],
    explanation="Gradient descent: $\\alpha < 2/L = 0.5$. The slides' momentum: $\\alpha < "
    "\\frac{2(1+\\beta)}{(1-\\beta)L}$, 9.5 at $\\beta = 0.9$, but 1.5 at $\\beta = 0.5$. Keras's "
    "learning rate is $\\alpha(1-\\beta)$, so its limit is $2(1+\\beta)/L = 0.95$.\n\n"
    + as_code("prediction", _PREDICTION),
)


# --- 3: Adam without bias correction ------------------------------------------------------------


def _repaired(dw, V, S, t, alpha, beta_M=0.9, beta_R=0.999, eta=1e-8):
    V = beta_M * V + (1 - beta_M) * dw
    S = beta_R * S + (1 - beta_R) * dw**2
    V_corr, S_corr = V / (1 - beta_M**t), S / (1 - beta_R**t)
    step = alpha * V_corr / (np.sqrt(S_corr) + eta)
    return step, V, S


def _rule(direction):
    """Return the rule that goes alpha times a direction; m and r are what V and S collected."""

    def rule(dw, V, S, t, alpha, beta_M=0.9, beta_R=0.999, eta=1e-8):
        _, V, S = _repaired(dw, V, S, t, alpha, beta_M, beta_R)
        return alpha * direction(V, S, 1 - beta_M**t, 1 - beta_R**t, eta), V, S

    return rule


def _hard_coded(dw, V, S, t, alpha, beta_M=0.9, beta_R=0.999, eta=1e-8):
    _, V, S = _repaired(dw, V, S, t, alpha, beta_M, beta_R)
    return alpha * V / (1 - 0.9**t) / (np.sqrt(S / (1 - 0.999**t)) + eta), V, S


def _keeps_the_corrected(dw, V, S, t, alpha, beta_M=0.9, beta_R=0.999, eta=1e-8):
    step, V, S = _repaired(dw, V, S, t, alpha, beta_M, beta_R)
    return step, V / (1 - beta_M**t), S / (1 - beta_R**t)


_REPAIRS = {
    "none": (
        _rule(lambda V, S, m, r, eta: V / (np.sqrt(S) + eta)),
        "Nothing is corrected yet: with the usual betas the first step is still 3.16 α. Both V "
        "and S start too small, and S, under the root, by more than V.",
    ),
    "V only": (
        _rule(lambda V, S, m, r, eta: V / m / (np.sqrt(S) + eta)),
        "Only V is corrected. S is still too small, and we divide by its root: with the usual "
        "betas the first step is 31.6 α now, worse than before.",
    ),
    "S only": (
        _rule(lambda V, S, m, r, eta: V / (np.sqrt(S / r) + eta)),
        "Only S is corrected: with the usual betas the first step is 0.1 α now. V starts at 0 too.",
    ),
    "betas swapped": (
        _rule(lambda V, S, m, r, eta: V / r / (np.sqrt(S / m) + eta)),
        "The two betas are swapped in the correction: V was averaged with beta_M, S with beta_R.",
    ),
    "multiplied": (
        _rule(lambda V, S, m, r, eta: V * m / (np.sqrt(S * r) + eta)),
        "You multiply V and S by the share that they have collected. They are too small already.",
    ),
    "no exponent": (
        lambda dw, V, S, t, *more: _repaired(dw, V, S, 1, *more),
        "Right for the first step, but the correction has to fade with t: yours stays as it is.",
    ),
    "outside the root": (
        _rule(lambda V, S, m, r, eta: V / m / (np.sqrt(S) / r + eta)),
        "You correct the *root* of S. It is S itself that is too small by that factor: correct it "
        "before the root.",
    ),
    "hard-coded": (
        _hard_coded,
        "Right for 0.9 and 0.999, but not for other betas: use beta_M and beta_R, not numbers.",
    ),
    "corrected ones kept": (
        _keeps_the_corrected,
        "The step is right, but you return the *corrected* V and S, and the next step corrects "
        "them again. Give the corrected ones names of their own.",
    ),
    "t from 0": (
        lambda dw, V, S, t, *more: _repaired(dw, V, S, t - 1, *more),
        "You use t − 1, as if t counted from 0. So in the first step you divide by 0.",
    ),
    "t one ahead": (
        lambda dw, V, S, t, *more: _repaired(dw, V, S, t + 1, *more),
        "You use t + 1, but t counts from 1 already.",
    ),
    "no eta": (
        _rule(lambda V, S, m, r, eta: V / m / np.sqrt(S / r)),
        "The correction is right, but eta is gone: where the gradient is exactly 0 you divide 0 "
        "by 0.",
    ),
    "eta under the root": (
        _rule(lambda V, S, m, r, eta: V / m / np.sqrt(S / r + eta)),
        "The correction is right, but eta slipped under the root. There it counts as √eta, which "
        "is ten thousand times as much: small gradients feel that.",
    ),
}

q3 = Exercise(
    answer=_repaired,
    cases=[
        (np.array([3.0, -0.5]), np.zeros(2), np.zeros(2), 1, 0.1),
        (*np.array([[2.0, -1, 0.5], [0.3, 0.2, -0.4], [0.5, 2.0, 0.1]]), 5, 0.01, 0.8, 0.95),
        (np.array([3, -2, 1]), 0, 0, 1, 2, 0.5, 0.9),
        (np.array([0.0, 1.0]), 0.0, 0.0, 1, 1.0),
        (np.array([2e-4, -4e-4]), np.zeros(2), np.zeros(2), 1, 0.1),  # eta's place counts
        (np.array([1.5]), np.array([0.7]), np.array([0.9]), 40, 0.2, 0.95, 0.99),
    ],
    praise="From the first step on V_corr and S_corr are fair averages, and the first step is ±α. "
    "Without the correction the steps are too *large* at first, since S, which we divide by, is "
    "the slower of the two to forget its 0.",
    mistakes=_REPAIRS,
    otherwise="Follow V and S of a constant gradient by hand for two steps: which share of it have "
    "they collected? Then only the step changes; V and S are returned as the first two lines make "
    "them.",
    hints=[
        "Let every gradient be 1. What are $V$ and $S$ after the first step? What should they be?",
        "After $t$ steps $V$ is $1 - \\beta_M^t$ and $S$ is $1 - \\beta_R^t$ of what it should be.",
        "`V_corr = V / (1 - beta_M**t)`, likewise for S. Return V and S as they are.",
    ],
    explanation="$V$ starts at 0: of a constant gradient it has collected $1 - \\beta_M^t$ after "
    "$t$ steps. Divide by that, and $S$ by $1 - \\beta_R^t$. Uncorrected, the first step is "
    "$(1-\\beta_M)/\\sqrt{1-\\beta_R} = 3.16$ times $\\alpha$.",
)


# --- 4: the misprinted schedule -----------------------------------------------------------------


def _rate(epoch, alpha_0, decay_rate):
    return alpha_0 / (1 + decay_rate * epoch)


q4 = Exercise(
    answer=_rate,
    cases=[
        (np.array([0.0, 1.0, 2.0, 5.0]), 0.5, 0.3),
        (np.array([1.0, 10.0, 60.0]), 2.0, 0.05),
        (3, 4, 2),
        (np.array([0.0, 7.0]), 0.2, 0.0),
        (2.0, 0.1, 0.5),
    ],
    praise="With the product, the decay rate says how fast: after 1/(decay rate) epochs the "
    "learning rate is halved. With the misprinted sum, it falls to a half within about one epoch, "
    "however small a decay rate you choose.",
    mistakes={
        "as printed": (
            lambda epoch, alpha_0, rate: alpha_0 / (1 + rate + epoch),
            "That is the slide's sum. In epoch 0 it is below alpha_0 already, and a decay rate of "
            "0 does not switch the decay off: the decay rate has to act on the epoch.",
        ),
        "the other sign": (
            lambda epoch, alpha_0, rate: alpha_0 / (1 * rate + epoch),
            "You changed the first plus. How large is the rate in epoch 0 now, if the decay rate "
            "is 0?",
        ),
        "no one": (
            lambda epoch, alpha_0, rate: alpha_0 / (rate * epoch),
            "The product is right, but the 1 is lost: in epoch 0 you divide by 0.",
        ),
        "alpha_0 missing": (
            lambda epoch, alpha_0, rate: 1 / (1 + rate * epoch),
            "The factor is right. It multiplies alpha_0, which is missing.",
        ),
        "no brackets": (
            lambda epoch, alpha_0, rate: alpha_0 / 1 + rate * epoch,
            "A pair of brackets is missing: Python divides by 1 first, and so the rate grows.",
        ),
        "no brackets, alpha_0 behind": (
            lambda epoch, alpha_0, rate: 1 / 1 + rate * epoch * alpha_0,
            "A pair of brackets is missing: Python divides 1 by 1 first, and then adds the rest.",
        ),
        "compound": (
            lambda epoch, alpha_0, rate: alpha_0 * (1.0 + rate) ** (-epoch),
            "You divide by 1 + decay rate once more in every epoch. That is an exponential decay, "
            "like the slides' 0.95^epoch; this one is slower, one over the epoch.",
        ),
        "one ahead": (
            lambda epoch, alpha_0, rate: alpha_0 / (1 + rate * (epoch + 1)),
            "One epoch ahead: epoch counts from 0, and there the rate is alpha_0.",
        ),
    },
    otherwise="Only one sign of the slide's changes. Then the rate is alpha_0 in epoch 0, and with "
    "a decay rate of 0 it stays there.",
    hints=[
        "What should the learning rate be in epoch 0? And with a decay rate of 0?",
        "One of the two plus signs should be a product.",
    ],
    explanation="$\\alpha = \\frac{1}{1 + \\text{decay rate}\\cdot\\text{epoch}}\\,\\alpha_0$: the "
    "decay rate multiplies the epoch. The misprint is easily missed: it falls as well, and for a "
    "decay rate of 1 it is the right schedule, one epoch ahead.",
)


# --- 5: beta off a trajectory -------------------------------------------------------------------


def _positions(beta, pull, start, steps):
    """Return the slides' momentum along one direction, pull = alpha (1 - beta) lambda."""
    w, V = [start], 0.0
    for _ in range(steps):
        V = beta * V + w[-1]
        w.append(w[-1] - pull * V)
    return np.array(w)


_SWINGING = [
    (0.5, 0.9, 1.0, 7),
    (0.937, 0.3, 0.02, 60),
    (0.7, 0.2, -200.0, 40),
    (0.8, 2.9, 3.0, 50),
]
_CREEPING = [(0.6, 0.01, 1.0, 40), (0.3, 0.15, -5.0, 30)]


def _find_beta(w):
    before = np.stack([w[1:-1], w[:-2]], axis=1)
    return -np.linalg.lstsq(before, w[2:], rcond=None)[0][1]


q5 = Exercise(
    answer=_find_beta,
    cases=[(_positions(*run),) for run in _SWINGING + _CREEPING],
    tolerance=0.001,
    praise="Any four positions in a row are enough: momentum is a recursion of second order, with "
    "two unknown numbers. Where w swings, each step shrinks the swings by √β, whatever α and λ "
    "are.",
    mistakes={
        "per step": (
            lambda w: _find_beta(w) ** 0.5,
            "That is √β, by how much the swings shrink in *one* step. How much do two steps "
            "together shrink them?",
        ),
        "one minus": (
            lambda w: 1 - _find_beta(w),
            "That is 1 − β, the weight of the *newest* gradient in V. β is that of the old V.",
        ),
        "sign": (
            lambda w: -_find_beta(w),
            "The sign: the coefficient of the older position is −β.",
        ),
        "coefficient of w(t)": (
            lambda w: np.linalg.lstsq(np.stack([w[1:-1], w[:-2]], axis=1), w[2:])[0][0],
            "That is the coefficient of w(t), which is 1 + β − α(1 − β)λ. β is in the other one, "
            "that of w(t−1).",
        ),
    },
    otherwise="Nothing is random here, so it can be exact: replace V by the last step, and every "
    "three positions in a row obey the same equation, whether w swings or creeps.",
    hints=[
        "One step earlier $w_t - w_{t-1} = -\\alpha V$. So $V$ can be replaced by positions.",
        "$w_{t+1} = (1 + \\beta - \\alpha(1-\\beta)\\lambda)\\,w_t - \\beta\\,w_{t-1}$: two "
        "unknown coefficients, and an equation for every $t$.",
        "`np.linalg.lstsq(np.stack([w[1:-1], w[:-2]], axis=1), w[2:])` solves for both.",
    ],
    explanation="The last step was $w_t - w_{t-1} = -\\alpha V$, so $w_{t+1} = (1 + \\beta - "
    "\\alpha(1-\\beta)\\lambda)\\,w_t - \\beta\\,w_{t-1}$. Least squares gives both coefficients.",
)


# --- 6: the swarm that does not swarm -----------------------------------------------------------

# Inertia, cognitive and social pull as Clerc and Kennedy (2002) have them, named as in the lesson.
omega, c, s = 0.7298, 1.49618, 1.49618


def _velocity(v, x, own_best, best, r_own, r_best):
    return omega * v + c * r_own * (own_best - x) + s * r_best * (best - x)


q6 = Exercise(
    answer=_velocity,
    cases=[
        tuple(map(np.array, ([0.5, -1], [2.0, 0], [1.0, 3], [-1.0, 1.5], [0.2, 0.9], [0.7, 0.4]))),
        tuple(np.array([[2.0, -1, 0], [1, 5, -3], [4, 4, 2], [0, -6, 1], [1, 0, 1], [0, 1, 1]])),
        tuple(map(np.array, ([-0.3], [1.2], [1.2], [1.2], [0.6], [0.1]))),
        (*np.random.default_rng(6).normal(size=(4, 5)), *np.random.default_rng(7).random((2, 5))),
    ],
    praise="Cognitive and social: each particle weighs what it has seen itself against what the "
    "swarm has found, anew in every round. Without the social term, as here, almost no run finds "
    "the lowest valley.",
    mistakes={
        "as printed": (
            lambda v, x, p, g, r, q: omega * v + (c * r + s * q) * (p - x),
            "Both pulls still go to the particle's own best place: nobody learns from the others, "
            "and twenty particles are twenty lonely searches.",
        ),
        "best twice": (
            lambda v, x, p, g, r, q: omega * v + (c * r + s * q) * (g - x),
            "Now both pulls lead to the best place of all, and no particle remembers what it has "
            "seen itself.",
        ),
        "one random number": (
            lambda v, x, p, g, r, q: omega * v + c * r * (p - x) + s * r * (g - x),
            "The same random number, r_own, stands before both pulls. Each needs its own, or their "
            "mixture would always be the same.",
        ),
        "exchanged": (
            lambda v, x, p, g, r, q: omega * v + c * q * (p - x) + s * r * (g - x),
            "Here r_own stands before the way to best, and r_best before the way to own_best: by "
            "their names it should be the other way round.",
        ),
        "rounded": (
            lambda v, x, p, g, r, q: 0.73 * v + 1.5 * (r * (p - x) + q * (g - x)),
            "The form is right, with rounded numbers. Use omega, c and s as they are given.",
        ),
        "pushed away": (
            lambda v, x, p, g, r, q: omega * v + c * r * (x - p) + s * q * (x - g),
            "Both pulls push: x − best points away from the best place.",
        ),
        "undamped": (
            lambda v, x, p, g, r, q: v + c * r * (p - x) + s * q * (g - x),
            "The pulls are right, but omega is lost: with the whole old velocity the swarm flies "
            "apart.",
        ),
        "the place": (
            lambda v, x, p, g, r, q: x + _velocity(v, x, p, g, r, q),
            "That is the new place. The velocity is asked for; x := x + v comes after it.",
        ),
    },
    otherwise="Three terms: the old velocity, the way to own_best, the way to best.",
    hints=[
        "Which of the six arguments is not used at all?",
        "Each pull is a constant times a random number times the way from `x` to a place.",
    ],
    explanation="$v := \\omega v + c\\,r_1 (p - x) + s\\,r_2 (g - x)$, with $p$ the particle's own "
    "best place and $g$ the best of all. `best` was never used. Nothing crashes, and every "
    "particle does get lower. It just never hears of the others.",
)
