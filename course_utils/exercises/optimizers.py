"""Exercises of the lesson `optimizers`."""

import numpy as np

from course_utils.exercises import Exercise, Wrong, as_code, close, compare, filled, numbers

# Inertia, cognitive and social pull of the swarm: Clerc and Kennedy (2002).
OMEGA, C, S = 0.7298, 1.49618, 1.49618


# --- 1: the ascent with a minus sign ------------------------------------------------------------


def _ascent(w, grad_log_p, eta):
    return w + eta * grad_log_p


_ASCENTS = {
    "as printed": lambda w, g, eta: w - eta * g,
    "step alone": lambda w, g, eta: eta * g,
    "eta forgotten": lambda w, g, eta: w + g,
    "unit length": lambda w, g, eta: w + eta * g / np.linalg.norm(g),
    "something else": lambda w, g, eta: w + 2 * eta * g,
}
_ASCENTS_SAID = {
    "as printed": "That is the slide's sign, and it walks away from the data: the gradient "
    "points uphill, and log p should grow.",
    "step alone": "That is the step alone. Return the new w: the old w and the step.",
    "eta forgotten": "The direction is right, but eta does nothing: the step is eta times the "
    "gradient.",
    "unit length": "You divide by the length of the gradient, so every step is equally long. The "
    "slide's step gets shorter towards the top, and that is how it comes to rest there.",
}


def _judge_ascent(answer):
    w, g = np.random.default_rng(1).normal(size=(2, 2, 3))
    compare(
        answer,
        _ascent,
        [(w, g, 0.7), (0.5, 2.0, 0.1), (3, -2, 4)],
        "From w = {:.4g} with the gradient {:.4g} and eta = {} you go to {given:.4g}; "
        "{expected:.4g} is right.",
        _ASCENTS,
        _ASCENTS_SAID,
    )
    return (
        "It climbs. With the slide's minus the sum has to be that of −log p, the loss: descent on "
        "the loss and ascent on log p are the same walk."
    )


q1 = Exercise(
    judge=_judge_ascent,
    hints=[
        "The derivative points to where $\\log p$ *grows*. Do we want more of it or less?",
        "Gradient descent on a loss $J$ is $w := w - \\alpha\\,dw$. Here $J = -\\sum_i \\log p$.",
    ],
    explanation="The likelihood is to grow, so the step goes *with* its gradient.\n\n"
    "```python\ndef step(w, grad_log_p, eta):\n    return w + eta * grad_log_p\n```\n\n"
    "With $J = -\\sum_i \\log p$ this is the usual $w := w - \\alpha\\,dJ/dw$: the minus belongs "
    "either to the logarithm or to the step.",
    answer=_ascent,
    misconceptions=_ASCENTS,
)


# --- 2: which alpha diverges --------------------------------------------------------------------

_RATES = {  # the learning rate and its limit, for L = 4 and in the terms of the method
    "gradient descent, alpha=0.45": (0.45, 2 / 4),
    "gradient descent, alpha=0.55": (0.55, 2 / 4),
    "momentum, alpha=9, beta=0.9": (9, 2 * 1.9 / 0.1 / 4),
    "momentum, alpha=1.6, beta=0.5": (1.6, 2 * 1.5 / 0.5 / 4),
    "Keras SGD(0.9, momentum=0.9)": (0.9, 2 * 1.9 / 4),
    "Keras SGD(1.0, momentum=0.9)": (1.0, 2 * 1.9 / 4),
}
_WORDS = {"c": "converges", "d": "diverges"}
_PREDICTION = {name: _WORDS["cd"[rate > limit]] for name, (rate, limit) in _RATES.items()}
_PATTERNS = {  # what is wrong with six words of these initials
    "dcdcdc": "Each of the six is the wrong way round: *beyond* the limit a descent diverges.",
    "dddddd": "They do not all diverge. Beyond α = 1/L gradient descent swings from side to side, "
    "and still converges up to 2/L.",
    "cddddd": "2/L is the limit of gradient descent. Momentum averages over gradients of changing "
    "sign, which cancel, so it bears a larger α.",
    "cdcccc": "Momentum bears more than gradient descent, but not everything: beyond some α each "
    "swing is larger than the last.",
    "cdcdcc": "The slides' two are right. But Keras leaves out the 1 − β: its learning rate is the "
    "slides' α(1 − β), and its limit is smaller by the same factor.",
    "cdddcd": "Keras's two are right. In the slides' momentum each gradient is multiplied by 1 − β "
    "first: there α may be larger by 1/(1 − β), ten times at β = 0.9.",
}


def _judge_prediction(answer):
    given = [str(value).strip().lower() for value in filled(answer, _RATES)]
    if not set(given) <= set(_WORDS.values()):
        raise Wrong('Answer each of the six with "converges" or "diverges".')
    pattern = "".join(word[0] for word in given)
    if pattern in _PATTERNS:
        raise Wrong(_PATTERNS[pattern])
    wrong = [name for name, word in zip(_RATES, given, strict=True) if word != _PREDICTION[name]]
    if wrong:
        raise Wrong(
            f"Wrong: {len(wrong)} of the six, the first of them *{wrong[0]}*. Its limit is "
            f"{_RATES[wrong[0]][1]:.3g}, set by the steepest direction: L = 4."
        )
    return (
        "The limits are 2/L for gradient descent, 2(1 + β)/((1 − β)L) for the slides' momentum, "
        "and 2(1 + β)/L for Keras's. Before you copy a learning rate, ask whose it is."
    )


def _as_words(pattern):
    return {name: _WORDS[letter] for name, letter in zip(_RATES, pattern, strict=True)}


q2 = Exercise(
    judge=_judge_prediction,
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
    answer=_PREDICTION,
    misconceptions={
        **{pattern: _as_words(pattern) for pattern in _PATTERNS},
        "something else": _as_words("cccccc"),
        "not a word of the two": {**_PREDICTION, "momentum, alpha=9, beta=0.9": 0.9},
    },
)


# --- 3: beta off a trajectory -------------------------------------------------------------------


def _coefficients(w):
    """Return the two numbers of w(t + 1) = (1 + beta - pull) w(t) - beta w(t - 1)."""
    return np.linalg.lstsq(np.stack([w[1:-1], w[:-2]], axis=1), w[2:], rcond=None)[0]


def _find_beta(w):
    return -_coefficients(w)[1]


def _positions(beta, pull, start, steps):
    """Return the slides' momentum along one direction, pull = alpha (1 - beta) lambda."""
    w, V = [start], 0.0
    for _ in range(steps):
        V = beta * V + w[-1]
        w.append(w[-1] - pull * V)
    return np.array(w)


_SWINGING = [(0.9, 0.3, 1.0, 60), (0.7, 0.2, -200.0, 40), (0.5, 0.9, 0.02, 25), (0.8, 2.9, 3.0, 50)]
_CREEPING = [(0.6, 0.01, 1.0, 40), (0.3, 0.15, -5.0, 30)]
_READINGS = {
    "per step": lambda w: _find_beta(w) ** 0.5,
    "one minus": lambda w: 1 - _find_beta(w),
    "memory": lambda w: 1 / (1 - _find_beta(w)),
    "sign": lambda w: -_find_beta(w),
    "coefficient of w(t)": lambda w: _coefficients(w)[0],
    "only where it swings": lambda w: _find_beta(w) if w.min() * w.max() < 0 else w[2] / w[1],
    "something else": lambda w: 0.9,
}
_READINGS_SAID = {
    "per step": "That is by how much the swings shrink per step: √β, since two steps together "
    "shrink them by β. Square it (where w creeps, that does not work: there the recursion does).",
    "one minus": "That is 1 − β, the weight of the *newest* gradient in V. β is that of the old V.",
    "memory": "That is 1/(1 − β), over how many gradients V averages. β itself lies between 0 "
    "and 1.",
    "sign": "The sign: in w(t+1) = (…) w(t) − β w(t−1) the coefficient of the older position is "
    "−β.",
    "coefficient of w(t)": "That is the coefficient of w(t), which is 1 + β − α(1 − β)λ. β is in "
    "the other one, that of w(t−1).",
}


def _judge_beta(answer):
    compare(
        answer,
        _find_beta,
        [(_positions(*run),) for run in _SWINGING],
        "For a trajectory made with β = {expected:g} you find {given:.4g}. Nothing is random here, "
        "so it can be exact: replace V by the last step, and every three positions in a row obey "
        "the same equation.",
        _READINGS,
        _READINGS_SAID,
    )
    compare(
        answer,
        _find_beta,
        [(_positions(*run),) for run in _CREEPING],
        "Right where w swings around 0. But where it creeps towards 0 from one side, with β = "
        "{expected:g}, you find {given:.4g}: there are no swings to measure, and still w(t+1) "
        "depends on w(t) and w(t−1) in the same way.",
    )
    return (
        "Three positions in a row are enough: momentum is a recursion of second order. Where w "
        "swings, each step shrinks the swings by √β, whatever α and λ are."
    )


q3 = Exercise(
    judge=_judge_beta,
    hints=[
        "One step earlier $w_t - w_{t-1} = -\\alpha V$. So $V$ can be replaced by positions.",
        "$w_{t+1} = (1 + \\beta - \\alpha(1-\\beta)\\lambda)\\,w_t - \\beta\\,w_{t-1}$: two "
        "unknown coefficients, and an equation for every $t$.",
        "`np.linalg.lstsq(np.stack([w[1:-1], w[:-2]], axis=1), w[2:])` solves for both.",
    ],
    explanation="The last step was $w_t - w_{t-1} = -\\alpha V$, so $w_{t+1} = (1 + \\beta - "
    "\\alpha(1-\\beta)\\lambda)\\,w_t - \\beta\\,w_{t-1}$. Least squares gives both "
    "coefficients.\n\n"
    "```python\ndef find_beta(w):\n"
    "    before = np.stack([w[1:-1], w[:-2]], axis=1)\n"
    "    return -np.linalg.lstsq(before, w[2:], rcond=None)[0][1]\n```",
    answer=_find_beta,
    misconceptions=_READINGS,
)


# --- 4: Adam without bias correction ------------------------------------------------------------


def _rule(direction):
    """Return the rule that goes alpha times a direction made of the new V and S."""

    def rule(dw, V, S, t, alpha, beta_M=0.9, beta_R=0.999, eta=1e-8):
        V = beta_M * V + (1 - beta_M) * dw
        S = beta_R * S + (1 - beta_R) * dw**2
        return alpha * direction(V, S, 1 - beta_M**t, 1 - beta_R**t, eta), V, S

    return rule


_adam = _rule(lambda V, S, m, r, eta: V / m / (np.sqrt(S / r) + eta))


def _keeps_the_corrected(dw, V, S, t, alpha, beta_M=0.9, beta_R=0.999, eta=1e-8):
    V = (beta_M * V + (1 - beta_M) * dw) / (1 - beta_M**t)
    S = (beta_R * S + (1 - beta_R) * dw**2) / (1 - beta_R**t)
    return alpha * V / (np.sqrt(S) + eta), V, S


def _never_fades(dw, V, S, t, alpha, beta_M=0.9, beta_R=0.999, eta=1e-8):
    V, S = beta_M * V + (1 - beta_M) * dw, beta_R * S + (1 - beta_R) * dw**2
    return alpha * V / (1 - beta_M) / (np.sqrt(S / (1 - beta_R)) + eta), V, S


_REPAIRS = {
    "none": _rule(lambda V, S, m, r, eta: V / (np.sqrt(S) + eta)),
    "V only": _rule(lambda V, S, m, r, eta: V / m / (np.sqrt(S) + eta)),
    "S only": _rule(lambda V, S, m, r, eta: V / (np.sqrt(S / r) + eta)),
    "betas swapped": _rule(lambda V, S, m, r, eta: V / r / (np.sqrt(S / m) + eta)),
    "multiplied": _rule(lambda V, S, m, r, eta: V * m / (np.sqrt(S * r) + eta)),
    "no exponent": _never_fades,
    "outside the root": _rule(lambda V, S, m, r, eta: V / m / (np.sqrt(S) / r + eta)),
    "hard-coded": lambda dw, V, S, t, alpha, **_: _adam(dw, V, S, t, alpha),
    "corrected ones kept": _keeps_the_corrected,
    "t from 0": lambda dw, V, S, t, alpha, **s: _adam(dw, V, S, t - 1, alpha, **s),
    "no eta": _rule(lambda V, S, m, r, eta: V / m / np.sqrt(S / r)),
    "step alone": lambda *given, **s: _adam(*given, **s)[0],
    "eta under the root": _rule(lambda V, S, m, r, eta: V / m / np.sqrt(S / r + eta)),
}
_REPAIRS_SAID = {
    "none": "Nothing is corrected yet: the first step is still 3.16 α. Both V and S start too "
    "small, and S, under the root, by more than V.",
    "V only": "Only V is corrected. S is still too small, and we divide by its root: the first "
    "step is 31.6 α now, worse than before.",
    "S only": "Only S is corrected: the first step is 0.1 α now. V starts at 0 as well.",
    "betas swapped": "The two betas are swapped in the correction: V was averaged with beta_M, S "
    "with beta_R.",
    "multiplied": "You multiply by 1 − β^t. V and S are too small by just that factor: divide by "
    "it.",
    "no exponent": "Right for the first step, but the correction has to fade: after t steps the "
    "factor is 1 − β^t, and yours stays 1 − β for ever.",
    "outside the root": "You divide the *root* of S by 1 − β_R^t. S itself is too small by that "
    "factor: correct it before the root.",
    "hard-coded": "Right for 0.9 and 0.999, but not for other betas: use beta_M and beta_R, not "
    "numbers.",
    "corrected ones kept": "The first step is right, the later ones are not: you return the "
    "*corrected* V and S, and the next step corrects them again. Give the corrected ones names "
    "of their own.",
}


def _steps(rule, alpha, beta_M, beta_R, gradients):
    """Return the steps that a rule takes, in units of alpha, one row for each gradient."""
    V = S = 0.0
    steps = []
    for t, dw in enumerate(gradients, start=1):
        given = rule(dw, V, S, t, alpha, beta_M=beta_M, beta_R=beta_R)
        if not isinstance(given, tuple | list) or len(given) != 3:
            numbers(given)
            raise Wrong("A rule returns three things: the step, V and S.")
        try:
            step, V, S = map(numbers, given)
        except Wrong as wrong:
            advice = (
                "Is it the correction? 1 − β^t has a power in it, `beta ** t`, and t counts from 1."
                if np.all(dw)
                else "The gradient is exactly 0 there: 0/0, as in the slide's formula, which has "
                "no η. Add eta to the root, behind it and not under it."
            )
            raise Wrong(f"In step {t}: {wrong} {advice}") from None
        steps.append(step / alpha)
    return np.array(steps)


def _judge_adam(answer):
    rng = np.random.default_rng(4)
    compare(
        lambda *run: _steps(answer, *run),
        lambda *run: _steps(_adam, *run),
        [
            (0.5, 0.9, 0.999, rng.normal(size=(12, 3))),
            (0.01, 0.8, 0.95, rng.normal(size=8).tolist()),
            (2, 0.5, 0.9, [3, -2, 3, 1, 5]),
            (0.1, 0.9, 0.999, 2e-4 * rng.uniform(1, 2, size=6)),  # so small that eta's place counts
            (1.0, 0.9, 0.999, [0.0, 1.0]),
        ],
        "With beta_M = {1} and beta_R = {2} a step is {given:.4g} α, and {expected:.4g} α is "
        "right: V/(1 − β_M^t), divided by the root of S/(1 − β_R^t) plus η, with η outside the "
        "root.",
        {name: lambda *run, rule=rule: _steps(rule, *run) for name, rule in _REPAIRS.items()},
        _REPAIRS_SAID,
    )
    return (
        "From the first step on V_corr and S_corr are fair averages, and the first step is ±α. "
        "Without the correction the steps are too *large* at first, since S, which we divide by, "
        "is the slower of the two to forget its 0."
    )


q4 = Exercise(
    judge=_judge_adam,
    hints=[
        "Let every gradient be 1. What are $V$ and $S$ after the first step? What should they be?",
        "After $t$ steps $V$ is $1 - \\beta_M^t$ and $S$ is $1 - \\beta_R^t$ of what it should be.",
        "`V_corr = V / (1 - beta_M**t)`, likewise for S. Return V and S as they are.",
    ],
    explanation="$V$ starts at 0: of a constant gradient it has collected $1 - \\beta_M^t$ after "
    "$t$ steps. Divide by that, and $S$ by $1 - \\beta_R^t$.\n\n"
    "```python\n"
    "def repaired(dw, V, S, t, alpha, beta_M=0.9, beta_R=0.999, eta=1e-8):\n"
    "    V = beta_M * V + (1 - beta_M) * dw\n"
    "    S = beta_R * S + (1 - beta_R) * dw**2\n"
    "    V_corr, S_corr = V / (1 - beta_M**t), S / (1 - beta_R**t)\n"
    "    return alpha * V_corr / (np.sqrt(S_corr) + eta), V, S\n```\n\n"
    "Uncorrected, the first step is $(1-\\beta_M)/\\sqrt{1-\\beta_R} = 3.16$ times $\\alpha$.",
    answer=_adam,
    misconceptions=_REPAIRS,
)


# --- 5: the misprinted schedule -----------------------------------------------------------------


def _rate(epoch, alpha_0, decay_rate):
    return alpha_0 / (1 + decay_rate * epoch)


_SCHEDULES = {
    "as printed": lambda epoch, alpha_0, rate: alpha_0 / (1 + rate + epoch),
    "no one": lambda epoch, alpha_0, rate: alpha_0 / (rate * epoch),
    "alpha_0 missing": lambda epoch, alpha_0, rate: 1 / (1 + rate * epoch),
    "compound": lambda epoch, alpha_0, rate: alpha_0 * (1.0 + rate) ** (-epoch),
    "one ahead": lambda epoch, alpha_0, rate: alpha_0 / (1 + rate * (epoch + 1)),
    "something else": lambda epoch, alpha_0, rate: alpha_0 / (1 + 2 * rate * epoch),
}
_SCHEDULES_SAID = {
    "as printed": "That is the slide's sum. In epoch 0 it is below alpha_0 already, and a decay "
    "rate of 0 does not switch the decay off: the decay rate has to act on the epoch.",
    "no one": "The product is right, but the 1 is lost: in epoch 0 you divide by 0.",
    "alpha_0 missing": "The factor is right. It multiplies alpha_0, which is missing.",
    "compound": "You divide by 1 + decay rate once more in every epoch. That is an exponential "
    "decay, like the slides' 0.95^epoch; this one is slower, one over the epoch.",
    "one ahead": "One epoch ahead: epoch counts from 0, and there the rate is alpha_0.",
}


def _judge_rate(answer):
    otherwise = (
        "For alpha_0 = {1} and a decay rate of {2} you give {given:.4g} in epoch {0}; "
        "{expected:.4g} is right. In epoch 0 the rate is alpha_0, and with a decay rate of 0 it "
        "stays there."
    )
    cases = [(np.arange(1, 9), 0.5, 0.3), (np.array([1.0, 10.0, 60.0]), 2.0, 0.05), (3, 4, 2)]
    compare(answer, _rate, cases, otherwise, _SCHEDULES, _SCHEDULES_SAID)
    compare(answer, _rate, [(0, 0.5, 0.3), (np.arange(4), 3.0, 1), (5, 2.0, 0)], otherwise)
    return (
        "With the product, the decay rate says how fast: after 1/(decay rate) epochs the learning "
        "rate is halved. With the misprinted sum, it falls to a half within about one epoch, "
        "however small a decay rate you choose."
    )


q5 = Exercise(
    judge=_judge_rate,
    hints=[
        "What should the learning rate be in epoch 0? And with a decay rate of 0?",
        "One of the two plus signs should be a product.",
    ],
    explanation="$\\alpha = \\frac{1}{1 + \\text{decay rate}\\cdot\\text{epoch num}}\\,\\alpha_0$: "
    "the decay rate multiplies the epoch.\n\n"
    "```python\ndef rate(epoch, alpha_0, decay_rate):\n"
    "    return alpha_0 / (1 + decay_rate * epoch)\n```\n\n"
    "The misprint is easily missed: it falls as well, and for a decay rate of 1 it is the right "
    "schedule, one epoch ahead.",
    answer=_rate,
    misconceptions=_SCHEDULES,
)


# --- 6: the swarm that does not swarm -----------------------------------------------------------


def _velocity(v, x, own_best, best, r_own, r_best):
    return OMEGA * v + C * r_own * (own_best - x) + S * r_best * (best - x)


_SWARMS = {
    "as printed": lambda v, x, p, g, r, q: OMEGA * v + (C * r + S * q) * (p - x),
    "best twice": lambda v, x, p, g, r, q: OMEGA * v + (C * r + S * q) * (g - x),
    "one random number": lambda v, x, p, g, r, q: OMEGA * v + C * r * (p - x) + S * r * (g - x),
    "pushed away": lambda v, x, p, g, r, q: OMEGA * v + C * r * (x - p) + S * q * (x - g),
    "undamped": lambda v, x, p, g, r, q: v + C * r * (p - x) + S * q * (g - x),
    "the place": lambda v, x, p, g, r, q: x + _velocity(v, x, p, g, r, q),
    "something else": lambda v, x, p, g, r, q: 2 * _velocity(v, x, p, g, r, q),
}
_SWARMS_SAID = {
    "as printed": "Both pulls still go to the particle's own best place: nobody learns from the "
    "others, and twenty particles are twenty lonely searches.",
    "best twice": "Now both pulls lead to the best place of all. The cognitive one, with r_own, "
    "leads to own_best.",
    "one random number": "r_own stands before both pulls. Each has a random number of its own, "
    "or their mixture would always be the same.",
    "pushed away": "Both signs: x − best points away from the best place. The way to "
    "it is best − x.",
    "undamped": "The pulls are right, but omega is lost: with the whole old velocity the swarm "
    "flies apart.",
    "the place": "That is the new place. The velocity is asked for; x := x + v comes after it.",
}


def _judge_velocity(answer):
    rng = np.random.default_rng(6)
    compare(
        answer,
        _velocity,
        [
            (*rng.normal(size=(4, 5, 2)), *rng.uniform(size=(2, 5, 2))),
            (1.5, -0.5, 2.0, 0.25, 0.3, 0.8),
            (*rng.integers(-9, 9, size=(4, 3)), *rng.uniform(size=(2, 3))),
        ],
        "With v = {:.3g}, x = {:.3g}, own_best = {:.3g}, best = {:.3g}, r_own = {:.3g}, r_best = "
        "{:.3g} you give {given:.4g}; {expected:.4g} is right. Three terms: the old velocity, the "
        "way to own_best, the way to best.",
        _SWARMS,
        _SWARMS_SAID,
    )
    return (
        "Cognitive and social: each particle weighs what it has seen itself against what the swarm "
        "has found, anew in every round. Without the social term, as here, almost no run finds the "
        "lowest valley."
    )


q6 = Exercise(
    judge=_judge_velocity,
    hints=[
        "Which of the six arguments is not used at all?",
        "Each pull is a constant times a random number times the way from `x` to a place.",
    ],
    explanation="$v := \\omega v + c\\,r_1 (p - x) + s\\,r_2 (g - x)$, with $p$ the particle's own "
    "best place and $g$ the best of all. `best` was never used.\n\n"
    "```python\ndef velocity(v, x, own_best, best, r_own, r_best):\n"
    "    return omega * v + c * r_own * (own_best - x) + s * r_best * (best - x)\n```\n\n"
    "Nothing crashes, and every particle does get lower. It just never hears of the others.",
    answer=_velocity,
    misconceptions=_SWARMS,
)


# --- 7: the time to leave a saddle --------------------------------------------------------------


def _count(rmsprop, delta=1e-3, curvature=0.01, slower=1):
    """Return how many steps it takes from w2 = delta to |w2| = 1."""
    alpha = (0.01 if rmsprop else 1) / slower
    steps, w, S = 0, delta, 0.0
    while abs(w) < 1:
        dw = -curvature * w
        S = 0.9 * S + 0.1 * dw**2
        w -= alpha * (dw / (S**0.5 + 1e-8) if rmsprop else dw)
        steps += 1
    return steps


_FACTORS = {  # in the limit of small alpha and lambda
    "gradient descent, delta / 1000": 2,
    "gradient descent, lambda / 10": 10,
    "gradient descent, alpha / 10": 10,
    "RMSProp, delta / 1000": 1,
    "RMSProp, lambda / 10": 1,
    "RMSProp, alpha / 10": 10,
}
_COUNTED = [
    (_count(rmsprop), _count(rmsprop, **changed))
    for rmsprop in (False, True)
    for changed in ({"delta": 1e-6}, {"curvature": 0.001}, {"slower": 10})
]
_GROWTHS = {  # what is wrong with one of the factors
    ("gradient descent, delta / 1000", 1000): "Gradient descent does not need 1000 times as long "
    "from 1000 times nearer. Near the ridge w₂ is multiplied by 1 + αλ in every step, so the "
    "distance grows exponentially: the steps go with a logarithm.",
    ("gradient descent, delta / 1000", 1): "For gradient descent δ does matter: nearer to the "
    "ridge the gradient is smaller, and so is every step.",
    ("gradient descent, lambda / 10", 1): "For gradient descent λ does matter. L is the curvature "
    "*across*: it limits α, but the way out goes along w₂, and there a step is αλw₂.",
    ("gradient descent, alpha / 10", 0.1): "Smaller steps take longer, not shorter: the factor is "
    "that of the *number* of steps.",
    ("RMSProp, lambda / 10", 10): "RMSProp is not like gradient descent. It divides each gradient "
    "by its usual size, so a tiny gradient makes as large a step as a big one.",
    ("RMSProp, alpha / 10", 1): "RMSProp takes the size of the gradient out of the step, but not "
    "α: α *is* the size of its steps, and the way has length 1.",
}


def _judge_factors(answer):
    values = [float(numbers(value, shape=())) for value in filled(answer, _FACTORS)]
    given = dict(zip(_FACTORS, values, strict=True))
    for (name, value), sentence in _GROWTHS.items():
        if close(given[name], value, 0.05):
            raise Wrong(sentence)
    for (name, value), (before, after) in zip(given.items(), _COUNTED, strict=True):
        low, high = sorted([_FACTORS[name], after / before])
        if not 0.9 * low < value < 1.1 * high:
            raise Wrong(
                f"For '{name}' you give {value:g}. Counted, it takes {before} steps before the "
                f"change and {after} after it. How long is one step, near the ridge?"
            )
    return (
        "Counted: "
        + ", ".join(f"{before} → {after}" for before, after in _COUNTED)
        + ". Gradient descent needs log(1/δ)/log(1 + αλ) steps, RMSProp a little less than 1/α, "
        "whatever the saddle. But only where the way out lies along an axis, as here."
    )


q7 = Exercise(
    judge=_judge_factors,
    hints=[
        "Along $w_2$ gradient descent multiplies: $w_2 := (1 + \\alpha\\lambda)\\,w_2$. How often "
        "until $\\delta$ has become 1?",
        "RMSProp: $dw/\\sqrt S$ is about ±1, however small $dw$ is. So how long is a step?",
    ],
    explanation="Gradient descent needs $\\log(1/\\delta)/\\log(1 + \\alpha\\lambda) \\approx "
    "\\log(1/\\delta)/(\\alpha\\lambda)$ steps: twice as many for $\\delta = 10^{-6}$, ten times "
    "as many for a tenth of $\\lambda$ or of $\\alpha$. RMSProp's steps are about $\\alpha$ long, "
    "whatever the gradient: about $1/\\alpha$ of them (the first are longer, so that a tenth of "
    "$\\alpha$ costs even a little more than ten times as many).\n\n"
    + as_code("factors", _FACTORS),
    answer=_FACTORS,
    misconceptions={
        **{f"{name}: {value}": {**_FACTORS, name: value} for name, value in _GROWTHS},
        "something else": {**_FACTORS, "gradient descent, lambda / 10": 100},
    },
)
