"""Exercises of the lesson `optimizers`."""

from copy import deepcopy

import numpy as np

from course_utils.exercises import Exercise, Wrong, close, filled, numbers

# Inertia, cognitive and social pull of the swarm: Clerc and Kennedy (2002).
OMEGA, C, S = 0.7298, 1.49618, 1.49618


def _recognise(given, cases, mistakes):
    """Raise the sentence of the first known mistake that answers all cases as they were."""
    for mistake, sentence in mistakes.values():
        if all(close(g, mistake(*case)) for g, case in zip(given, cases, strict=True)):
            raise Wrong(sentence)


def _first_off(answer, right, cases, mistakes):
    """Return the first case with an unknown mistake, what came and what is right; or None."""
    expected = [right(*case) for case in cases]
    given = [
        numbers(answer(*deepcopy(case)), shape=np.shape(e))
        for case, e in zip(cases, expected, strict=True)
    ]
    off = [row for row in zip(cases, given, expected, strict=True) if not close(*row[1:])]
    if off:
        _recognise(given, cases, mistakes)
        return off[0]
    return None


# --- 1: the ascent with a minus sign ------------------------------------------------------------


def _ascent(w, grad_log_p, eta):
    return w + eta * grad_log_p


def _climb(step):
    """Return log p, up to a constant, of three normal numbers before and after twenty steps."""
    y, w = np.array([1.0, 2.0, 4.0]), 0.0
    log_p = [-((y - w) ** 2).sum() / 2]
    for _ in range(20):
        w = step(w, (y - w).sum(), 0.05)
    return *log_p, -((y - w) ** 2).sum() / 2


_STEPS = {
    "as printed": (
        lambda w, g, eta: w - eta * g,
        "That is the slide's sign, and it walks away from the data: for the mean of three numbers, "
        "twenty such steps take log p from {:.1f} to {:.1f}. The gradient points uphill; log p "
        "should grow.".format(*_climb(lambda w, g, eta: w - eta * g)),
    ),
    "step alone": (
        lambda w, g, eta: eta * g,
        "That is the step alone. Return the new w: the old w and the step.",
    ),
    "sign of w": (
        lambda w, g, eta: eta * g - w,
        "The gradient has the right sign now, but w has lost its own: with a gradient of 0 nothing "
        "should move, and here w turns into −w.",
    ),
    "all turned around": (
        lambda w, g, eta: -w - eta * g,
        "You turned both signs around. Only the gradient's sign is wrong on the slide: w stays w.",
    ),
    "eta forgotten": (
        lambda w, g, eta: w + g,
        "The direction is right, but eta does nothing: the step is eta times the gradient.",
    ),
    "divided by eta": (
        lambda w, g, eta: w + g / eta,
        "You divide by eta: a smaller learning rate would make larger steps.",
    ),
    "unit length": (
        lambda w, g, eta: w + eta * g / np.linalg.norm(g),
        "You divide by the length of the gradient, so every step is equally long. The slide's step "
        "gets shorter towards the top, and that is how it comes to rest there.",
    ),
    "sign only": (
        lambda w, g, eta: w + eta * np.sign(g),
        "You keep only the sign of the gradient. Its size belongs to the step.",
    ),
    "in percent of w": (
        lambda w, g, eta: w * (1 + eta * g),
        "You multiply w by the step. It is added: a weight that is 0 has to move as well.",
    ),
}


def _judge_ascent(answer):
    rng = np.random.default_rng(1)
    cases = [
        (*rng.normal(size=(2, 4)), 0.1),
        (*rng.normal(size=(2, 2, 3)), 0.7),
        (0.5, 2.0, 0.01),
        (3, -2, 4),
    ]
    off = _first_off(answer, _ascent, cases, _STEPS)
    if off:
        (w, g, eta), given, expected = off
        raise Wrong(
            f"From w = {np.ravel(w)[0]:.4g} with the gradient {np.ravel(g)[0]:.4g} and eta = {eta} "
            f"you go to {np.ravel(given)[0]:.4g}; {np.ravel(expected)[0]:.4g} is right."
        )
    before, after = _climb(_ascent)
    return (
        f"It climbs: for the mean of three numbers, twenty steps take log p from {before:.1f} to "
        f"{after:.1f}. With the slide's minus the sum has to be that of −log p, the loss: descent "
        "on the loss and ascent on log p are the same walk."
    )


q1 = Exercise(
    judge=_judge_ascent,
    hints=[
        "The derivative points to where $\\log p$ *grows*. Do we want more of it or less?",
        "Gradient descent on a loss $J$ is $w := w - \\alpha\\,dw$. Here $J = -\\sum_i \\log p$.",
    ],
    explanation="The likelihood is to be made as large as possible, so the step goes *with* its "
    "gradient.\n\n"
    "```python\ndef step(w, grad_log_p, eta):\n    return w + eta * grad_log_p\n```\n\n"
    "With $J = -\\sum_i \\log p$ this is the usual $w := w - \\alpha\\,dJ/dw$: the minus belongs "
    "either to the logarithm or to the step.",
    answer=_ascent,
    misconceptions={
        **{name: mistake for name, (mistake, _) in _STEPS.items()},
        "something else": lambda w, g, eta: w + 2 * eta * g,
    },
)


# --- 2: which alpha diverges --------------------------------------------------------------------

_CURVATURES = (0.5, 4.0)
_DESCENTS = {  # alpha and beta of the slides' momentum
    "gradient descent, alpha=0.45": (0.45, 0.0),
    "gradient descent, alpha=0.55": (0.55, 0.0),
    "momentum, alpha=9, beta=0.9": (9.0, 0.9),
    "momentum, alpha=1.6, beta=0.5": (1.6, 0.5),
    "Keras SGD(0.9, momentum=0.9)": (0.9 / (1 - 0.9), 0.9),
    "Keras SGD(1.0, momentum=0.9)": (1.0 / (1 - 0.9), 0.9),
}


def _growth(alpha, beta):
    """Return by how much the error grows per step, in the end and along the worst direction."""
    return max(
        np.abs(
            np.linalg.eigvals([[beta, (1 - beta) * k], [-alpha * beta, 1 - alpha * (1 - beta) * k]])
        ).max()
        for k in _CURVATURES
    )


_PREDICTION = {
    name: "diverges" if _growth(*settings) > 1 else "converges"
    for name, settings in _DESCENTS.items()
}
_PATTERNS = {  # c: converges, d: diverges, in the order of the cases
    "inverted": (
        "dcdcdc",
        "Each of the six is the wrong way round: *beyond* the limit a descent diverges.",
    ),
    "all converge": (
        "cccccc",
        "They do not all converge. Did you take the flat direction, 0.5? The steepest one sets the "
        "limit: L is the *largest* of the two, 4.",
    ),
    "1/L": (
        "dddddd",
        "They do not all diverge. Up to α = 1/L gradient descent does not even cross the valley; "
        "beyond it, it swings from side to side, and still converges up to 2/L.",
    ),
    "2/L for all": (
        "cddddd",
        "2/L is the limit of gradient descent. Momentum averages over gradients of changing sign, "
        "which cancel, so it bears a larger α: the error follows w(t+1) = (1 + β − α(1 − β)λ) w(t) "
        "− β w(t−1).",
    ),
    "momentum never diverges": (
        "cdcccc",
        "Momentum bears more than gradient descent, but not everything: what it averages over are "
        "steps of a swing, and beyond some α each swing is larger than the last.",
    ),
    "the slides' limit for Keras": (
        "cdcdcc",
        "The slides' two are right. But Keras leaves out the 1 − β: its learning rate is the "
        "slides' α(1 − β), and its limit is smaller by the same factor.",
    ),
    "Keras's limit for the slides": (
        "cdddcd",
        "Keras's two are right. In the slides' momentum each gradient is multiplied by 1 − β "
        "first: there α may be larger by 1/(1 − β), ten times at β = 0.9.",
    ),
    "conventions exchanged": (
        "cdddcc",
        "The slides' momentum and Keras's are exchanged: it is the slides' that multiplies each "
        "gradient by 1 − β, and therefore bears the larger α.",
    ),
    "beta does not matter": (
        "cddccd",
        "A large α with β = 0.9 and a smaller one with β = 0.5: you went by α alone. The limit "
        "2(1 + β)/((1 − β)L) grows with β, since a longer average cancels more.",
    ),
}


def _judge_prediction(answer):
    given = []
    for value in filled(answer, _DESCENTS):
        word = value.strip().lower() if isinstance(value, str) else ""
        if word not in ("converges", "diverges"):
            raise Wrong('Answer each of the six with "converges" or "diverges".')
        given.append(word)
    wrong = [name for name, word in zip(_DESCENTS, given, strict=True) if word != _PREDICTION[name]]
    if not wrong:
        return (
            "The limits are 2/L for gradient descent, 2(1 + β)/((1 − β)L) for the slides' "
            "momentum, and 2(1 + β)/L for Keras's. One α, three conventions: before you copy a "
            "learning rate, ask whose it is."
        )
    for pattern, sentence in _PATTERNS.values():
        if [word[0] for word in given] == list(pattern):
            raise Wrong(sentence)
    several = (
        f"{len(wrong)} of the six are wrong, the first of them *{wrong[0]}*"
        if len(wrong) > 1
        else f"Only *{wrong[0]}* is wrong"
    )
    growth = _growth(*_DESCENTS[wrong[0]])
    raise Wrong(
        f"{several}: in the end its error is multiplied by {growth:.2f} in every step. Follow the "
        "direction with λ = 4."
    )


def _as_words(pattern):
    return {
        name: {"c": "converges", "d": "diverges"}[letter]
        for name, letter in zip(_DESCENTS, pattern, strict=True)
    }


q2 = Exercise(
    judge=_judge_prediction,
    hints=[
        "The steepest direction decides: $L = 4$. For gradient descent the limit is $2/L$.",
        "Put $V$ into the momentum rule: $w_{t+1} = (1 + \\beta - \\alpha(1-\\beta)L)\\,w_t - "
        "\\beta\\,w_{t-1}$. It still converges while the bracket is above $-(1 + \\beta)$.",
        "Keras's learning rate is the slides' $\\alpha(1-\\beta)$.",
    ],
    explanation="Gradient descent: $\\alpha < 2/L = 0.5$. The slides' momentum: $1 + \\beta - "
    "\\alpha(1-\\beta)L > -(1+\\beta)$, so $\\alpha < \\frac{2(1+\\beta)}{(1-\\beta)L}$: 9.5 at "
    "$\\beta = 0.9$, but 1.5 at $\\beta = 0.5$. Keras's learning rate is $\\alpha(1-\\beta)$, so "
    "its limit is $2(1+\\beta)/L = 0.95$.\n\n"
    "```python\nprediction = {\n"
    + "".join(f'    "{name}": "{word}",\n' for name, word in _PREDICTION.items())
    + "}\n```",
    answer=_PREDICTION,
    misconceptions={
        **{name: _as_words(pattern) for name, (pattern, _) in _PATTERNS.items()},
        "one wrong": _as_words("ddcdcd"),
        "two wrong": _as_words("dccdcd"),
        "not a word of the two": {**_PREDICTION, "momentum, alpha=9, beta=0.9": 0.9},
        "a name missing": {"gradient descent, alpha=0.45": "converges"},
    },
)


# --- 3: beta off a trajectory -------------------------------------------------------------------


def _find_beta(w):
    before = np.stack([w[1:-1], w[:-2]], axis=1)
    return -np.linalg.lstsq(before, w[2:], rcond=None)[0][1]


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
    "per step": (
        lambda beta, pull: beta**0.5,
        "That is by how much the swings shrink per step: √β, since two steps together shrink them "
        "by β. Square it (where w creeps, that does not work: there the recursion does).",
    ),
    "per period": (
        lambda beta, pull: beta ** (np.pi / np.arccos((1 + beta - pull) / 2 / beta**0.5)),
        "That is by how much the swings shrink in a whole period. It depends on how long the "
        "period is, so on λ and α too.",
    ),
    "one minus": (
        lambda beta, pull: 1 - beta,
        "That is 1 − β, the weight of the *newest* gradient in V. β is that of the old V.",
    ),
    "memory": (
        lambda beta, pull: 1 / (1 - beta),
        "That is 1/(1 − β), over how many gradients V averages. β itself lies between 0 and 1.",
    ),
    "sign": (
        lambda beta, pull: -beta,
        "The sign: in w(t+1) = (…) w(t) − β w(t−1) the coefficient of the older position is −β.",
    ),
    "squared": (
        lambda beta, pull: beta**2,
        "That is β². Two steps together shrink the swings by β, not one.",
    ),
    "coefficient of w(t)": (
        lambda beta, pull: 1 + beta - pull,
        "That is the coefficient of w(t), which is 1 + β − α(1 − β)λ. β is in the other one, that "
        "of w(t−1).",
    ),
    "first ratio": (
        lambda beta, pull: 1 - pull,
        "That is w(1)/w(0). V was 0 before the first step, so β has had no say in it except "
        "through α(1 − β)λ: use later positions.",
    ),
    "pull": (
        lambda beta, pull: pull,
        "That is α(1 − β)λ, the pull of the gradient. How much of the *last step* is kept?",
    ),
}


def _judge_beta(answer):
    def read(runs):
        values = [numbers(answer(_positions(*run)), shape=()) for run in runs]
        return np.array(values), *np.array(runs)[:, :2].T

    given, beta, pull = read(_SWINGING)
    if not close(given, beta):
        for reading, sentence in _READINGS.values():
            if close(given, reading(beta, pull), 0.01):
                raise Wrong(sentence)
        if np.abs(given - beta).max() < 0.05:
            raise Wrong(
                f"Nearly: for β = {beta[0]:g} you find {given[0]:.4f}. Nothing is random here, so "
                "it can be exact: every three positions in a row obey the same equation."
            )
        worst = np.abs(given - beta).argmax()
        raise Wrong(
            f"For a trajectory made with β = {beta[worst]:g} you find {given[worst]:.4g}. Write "
            "w(t+1) with the help of w(t) and w(t−1) alone: V can be replaced by the last step."
        )
    given, beta, _ = read(_CREEPING)
    if not close(given, beta):
        worst = np.abs(given - beta).argmax()
        raise Wrong(
            "Right where w swings around 0. But where it creeps towards 0 from one side, with "
            f"β = {beta[worst]:g}, you find {given[worst]:.4g}: there are no swings to measure, "
            "and still w(t+1) depends on w(t) and w(t−1) in the same way."
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
    explanation="The last step was $w_t - w_{t-1} = -\\alpha V$, so $w_{t+1} = w_t - "
    "\\alpha(\\beta V + (1-\\beta)\\lambda w_t) = (1 + \\beta - \\alpha(1-\\beta)\\lambda)\\,w_t - "
    "\\beta\\,w_{t-1}$. Both coefficients follow by least squares.\n\n"
    "```python\ndef find_beta(w):\n"
    "    before = np.stack([w[1:-1], w[:-2]], axis=1)\n"
    "    coefficients = np.linalg.lstsq(before, w[2:], rcond=None)[0]\n"
    "    return -coefficients[1]\n```",
    answer=_find_beta,
    misconceptions={
        "per step": lambda w: _find_beta(w) ** 0.5,
        "per period": lambda w: (
            _find_beta(w) ** (np.pi / abs(np.angle(np.roots([1, -_ratio(w), _find_beta(w)])[0])))
        ),
        "one minus": lambda w: 1 - _find_beta(w),
        "memory": lambda w: 1 / (1 - _find_beta(w)),
        "sign": lambda w: -_find_beta(w),
        "squared": lambda w: _find_beta(w) ** 2,
        "coefficient of w(t)": lambda w: _ratio(w),
        "first ratio": lambda w: w[1] / w[0],
        "pull": lambda w: 1 - w[1] / w[0],
        "nearly": lambda w: round(_find_beta(w) + 0.01, 2),
        "only where it swings": lambda w: _find_beta(w) if w.min() * w.max() < 0 else w[2] / w[1],
        "something else": lambda w: 0.9,
    },
)


def _ratio(w):
    return (w[2] + _find_beta(w) * w[0]) / w[1]


# --- 4: Adam without bias correction ------------------------------------------------------------


def _rule(direction):
    """Return the rule that goes alpha times a direction made of the new V and S."""

    def rule(dw, V, S, t, alpha, beta_M=0.9, beta_R=0.999, eta=1e-8):
        V = beta_M * V + (1 - beta_M) * dw
        S = beta_R * S + (1 - beta_R) * dw**2
        return alpha * direction(V, S, t, beta_M, beta_R, eta), V, S

    return rule


_adam = _rule(lambda V, S, t, M, R, eta: V / (1 - M**t) / (np.sqrt(S / (1 - R**t)) + eta))


def _keeps_the_corrected(dw, V, S, t, alpha, beta_M=0.9, beta_R=0.999, eta=1e-8):
    V = (beta_M * V + (1 - beta_M) * dw) / (1 - beta_M**t)
    S = (beta_R * S + (1 - beta_R) * dw**2) / (1 - beta_R**t)
    return alpha * V / (np.sqrt(S) + eta), V, S


_REPAIRS = {
    "none": (
        _rule(lambda V, S, t, M, R, eta: V / (np.sqrt(S) + eta)),
        f"Nothing is corrected yet: the first step is still {0.1 / 0.001**0.5:.2f} α. Both V and S "
        "start too small, and S, under the root, by more than V.",
    ),
    "V only": (
        _rule(lambda V, S, t, M, R, eta: V / (1 - M**t) / (np.sqrt(S) + eta)),
        "Only V is corrected. S is still too small, and we divide by its root: the first step is "
        f"{1 / 0.001**0.5:.1f} α now, worse than before.",
    ),
    "S only": (
        _rule(lambda V, S, t, M, R, eta: V / (np.sqrt(S / (1 - R**t)) + eta)),
        f"Only S is corrected: the first step is {0.1:g} α now. V starts at 0 as well.",
    ),
    "betas swapped": (
        _rule(lambda V, S, t, M, R, eta: V / (1 - R**t) / (np.sqrt(S / (1 - M**t)) + eta)),
        "The two betas are swapped in the correction: V was averaged with beta_M, S with beta_R.",
    ),
    "multiplied": (
        _rule(lambda V, S, t, M, R, eta: V * (1 - M**t) / (np.sqrt(S * (1 - R**t)) + eta)),
        "You multiply by 1 − β^t. V and S are too small by just that factor: divide by it.",
    ),
    "no exponent": (
        _rule(lambda V, S, t, M, R, eta: V / (1 - M) / (np.sqrt(S / (1 - R)) + eta)),
        "Right for the first step, but the correction has to fade: after t steps the factor is "
        "1 − β^t, and yours stays 1 − β for ever.",
    ),
    "one ahead": (
        _rule(
            lambda V, S, t, M, R, eta: (
                V / (1 - M ** (t + 1)) / (np.sqrt(S / (1 - R ** (t + 1))) + eta)
            )
        ),
        "Your exponent is t + 1. Here t counts from 1, so it is the exponent as it is.",
    ),
    "one behind, for S": (
        _rule(
            lambda V, S, t, M, R, eta: (
                V / (1 - M**t) / (np.sqrt(S / (1 - R ** max(t - 1, 1))) + eta)
            )
        ),
        "The exponent for S lags one step behind: both use t.",
    ),
    "outside the root": (
        _rule(lambda V, S, t, M, R, eta: V / (1 - M**t) / (np.sqrt(S) / (1 - R**t) + eta)),
        "You divide the *root* of S by 1 − β_R^t. S itself is too small by that factor: correct it "
        "before the root.",
    ),
    "no root": (
        _rule(lambda V, S, t, M, R, eta: V / (1 - M**t) / (S / (1 - R**t) + eta)),
        "The corrections are right, but the root is lost: a step is V_corr/(√S_corr + η).",
    ),
    "downhill twice": (
        _rule(lambda V, S, t, M, R, eta: -V / (1 - M**t) / (np.sqrt(S / (1 - R**t)) + eta)),
        "The correction is right, but the sign is not: the caller does w := w − step.",
    ),
    "alpha forgotten": (
        lambda dw, V, S, t, alpha, **s: _adam(dw, V, S, t, 1, **s),
        "The correction is right, but alpha is lost: it multiplies the step.",
    ),
    "hard-coded": (
        lambda dw, V, S, t, alpha, **_: _adam(dw, V, S, t, alpha),
        "Right for 0.9 and 0.999, but not for other betas: use beta_M and beta_R, not numbers.",
    ),
    "corrected ones kept": (
        _keeps_the_corrected,
        "The first step is right, the later ones are not: you return the *corrected* V and S, and "
        "the next step corrects them again. Give the corrected ones names of their own.",
    ),
    "eta under the root": (
        _rule(lambda V, S, t, M, R, eta: V / (1 - M**t) / np.sqrt(S / (1 - R**t) + eta)),
        "The correction is right. But η has moved under the root, where it acts as √η, which is "
        "much more: small gradients make smaller steps now. Leave it outside.",
    ),
}


def _gradients():
    """Return the settings and gradients of four runs: arrays, numbers, integers, tiny ones."""
    rng = np.random.default_rng(4)
    tiny = 5e-4 * rng.uniform(1, 2, (6, 2)) * rng.choice([-1, 1], (6, 2))
    return [
        (0.5, {}, list(rng.normal(size=(12, 3)))),
        (0.01, {"beta_M": 0.8, "beta_R": 0.95}, rng.normal(size=8).tolist()),
        (2, {"beta_M": 0.5, "beta_R": 0.9}, [3, -2, 3, 1, 5]),
        (0.1, {}, list(tiny)),
    ]


def _steps(rule, alpha, settings, gradients):
    """Return the steps that a rule takes, in units of alpha, one row for each gradient."""
    V = S = 0.0
    steps = []
    for t, dw in enumerate(gradients, start=1):
        with np.errstate(all="ignore"):
            given = rule(deepcopy(dw), V, S, t, alpha, **settings)
        if not isinstance(given, tuple | list) or len(given) != 3:
            numbers(given)
            raise Wrong("A rule returns three things: the step, V and S.")
        try:
            step = numbers(given[0], shape=np.shape(dw))
        except Wrong as wrong:
            exponent = (
                "If it is a division by 0: 1 − β^t is above 0 from t = 1 on. Is your exponent t?"
                if t == 1
                else "If t has something to do with it: β^t is a power, β ** t, and always below 1."
            )
            raise Wrong(f"In step {t}: {wrong} {exponent}") from None
        V, S = numbers(given[1]), numbers(given[2])
        steps.append(step / alpha)
    return np.array(steps)


def _judge_adam(answer):
    runs = _gradients()
    given, expected = ([_steps(rule, *run) for run in runs] for rule in (answer, _adam))
    if not all(map(close, given, expected)):
        _recognise(
            given,
            runs,
            {
                name: (lambda *run, rule=rule: _steps(rule, *run), sentence)
                for name, (rule, sentence) in _REPAIRS.items()
            },
        )
        run = next(n for n in range(len(runs)) if not close(given[n], expected[n]))
        t = next(n for n in range(len(given[run])) if not close(given[run][n], expected[run][n]))
        raise Wrong(
            f"Step {t + 1} of a run with {runs[run][1] or 'the usual betas'} is "
            f"{np.ravel(given[run][t])[0]:.4g} α, and {np.ravel(expected[run][t])[0]:.4g} α is "
            "right: V/(1 − β_M^t), divided by the root of S/(1 − β_R^t), plus η."
        )
    with np.errstate(all="ignore"):
        flat = answer(np.array([0.0, 1.0]), 0.0, 0.0, 1, 0.5)[0]
    if not close(flat, [0, 0.5]):
        raise Wrong(
            "The correction is right. But where a gradient is exactly 0 your step is "
            f"{np.ravel(flat)[0]:.4g}: 0/0, as in the slide's formula, which has no η. Add eta to "
            "the root, behind it and not under it. (Pixels that are white in every image have such "
            "weights.)"
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
    misconceptions={
        **{name: rule for name, (rule, _) in _REPAIRS.items()},
        "t from 0": lambda dw, V, S, t, alpha, **s: _adam(dw, V, S, t - 1, alpha, **s),
        "product for power": _rule(
            lambda V, S, t, M, R, eta: V / (1 - M * t) / (np.sqrt(S / (1 - R * t)) + eta)
        ),
        "no eta": _rule(lambda V, S, t, M, R, eta: V / (1 - M**t) / np.sqrt(S / (1 - R**t))),
        "step alone": lambda *given, **s: _adam(*given, **s)[0],
        "something else": lambda dw, V, S, t, alpha, **s: _adam(dw, V, S, t, alpha / 2, **s),
    },
)


# --- 5: the misprinted schedule -----------------------------------------------------------------


def _rate(epoch, alpha_0, decay_rate):
    return alpha_0 / (1 + decay_rate * epoch)


_SCHEDULES = {
    "as printed": (
        lambda epoch, alpha_0, rate: alpha_0 / (1 + rate + epoch),
        "That is the slide's sum. In epoch 0 it is below alpha_0 already, and a decay rate of 0 "
        "does not switch the decay off: the decay rate has to act on the epoch.",
    ),
    "no one": (
        lambda epoch, alpha_0, rate: alpha_0 / (rate * epoch),
        "The product is right, but the 1 is lost: in epoch 0 you divide by 0.",
    ),
    "alpha_0 missing": (
        lambda epoch, alpha_0, rate: 1 / (1 + rate * epoch),
        "The factor is right. It multiplies alpha_0, which is missing.",
    ),
    "whole sum times epoch": (
        lambda epoch, alpha_0, rate: alpha_0 / ((1 + rate) * epoch),
        "You multiply the whole sum by the epoch: in epoch 0 you divide by 0. Only the decay rate "
        "is multiplied by the epoch.",
    ),
    "compound": (
        lambda epoch, alpha_0, rate: alpha_0 * (1 + rate) ** -epoch,
        "You divide by 1 + decay rate once more in every epoch. That is the exponential decay of "
        "the next slide; this one is slower, one over the epoch.",
    ),
    "exp": (
        lambda epoch, alpha_0, rate: alpha_0 * np.exp(-rate * epoch),
        "That is an exponential decay. It starts equally fast, but goes to 0 much sooner. Only one "
        "sign of the slide has to be changed.",
    ),
    "power": (
        lambda epoch, alpha_0, rate: alpha_0 * rate**epoch,
        "That is the slide's other schedule, 0.95^epoch, with the decay rate for 0.95. Keep the "
        "fraction, and change one sign.",
    ),
    "epoch over rate": (
        lambda epoch, alpha_0, rate: alpha_0 / (1 + epoch / rate),
        "You divide by the decay rate: a larger one would make the decay slower.",
    ),
    "rate over epoch": (
        lambda epoch, alpha_0, rate: alpha_0 / (1 + rate / epoch),
        "You divide by the epoch: this rate *grows* with time.",
    ),
    "line": (
        lambda epoch, alpha_0, rate: alpha_0 * (1 - rate * epoch),
        "That is a straight line: sooner or later the learning rate is below 0, and we climb.",
    ),
    "grows": (
        lambda epoch, alpha_0, rate: alpha_0 * (1 + rate * epoch),
        "The product is right, but you multiply by the sum: divide, or the rate grows.",
    ),
    "no brackets": (
        lambda epoch, alpha_0, rate: 1 / 1 + rate * epoch * alpha_0,
        "Brackets! `1 / 1 + decay_rate * epoch * alpha_0` divides by the 1 alone.",
    ),
    "alpha_0 below": (
        lambda epoch, alpha_0, rate: 1 / (1 + rate * epoch * alpha_0),
        "alpha_0 has slipped below the line of the fraction.",
    ),
    "one ahead": (
        lambda epoch, alpha_0, rate: alpha_0 / (1 + rate * (epoch + 1)),
        "One epoch ahead: epoch counts from 0, and there the rate is alpha_0.",
    ),
    "one behind": (
        lambda epoch, alpha_0, rate: alpha_0 / (1 + rate * (epoch - 1)),
        "One epoch behind: epoch counts from 0, and there, not in epoch 1, the rate is alpha_0.",
    ),
    "root": (
        lambda epoch, alpha_0, rate: alpha_0 / (1 + rate * epoch) ** 0.5,
        "Why a root? That is in two other schedules of the slide. Here only a sign is wrong.",
    ),
}


def _judge_rate(answer):
    cases = [
        (np.arange(1, 9), 0.5, 0.3),
        (np.array([1.0, 10.0, 60.0]), 2.0, 0.05),
        (7, 0.1, 0.9),
        (3, 4, 2),
    ]
    off = _first_off(answer, _rate, cases, _SCHEDULES)
    if off is None:
        off = _first_off(answer, _rate, [(0, 0.5, 0.3), (np.arange(4), 3.0, 1), (5, 2.0, 0)], {})
    if off:
        (epoch, alpha_0, decay_rate), given, expected = off
        n = np.abs(np.ravel(given - expected)).argmax()
        raise Wrong(
            f"For alpha_0 = {alpha_0} and a decay rate of {decay_rate} you give "
            f"{np.ravel(given)[n]:.4g} in epoch {np.ravel(epoch)[n]:g}; "
            f"{np.ravel(expected)[n]:.4g} is right. In epoch 0 the rate is alpha_0, "
            "and with a decay rate of 0 it stays there."
        )
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
    misconceptions={
        **{name: schedule for name, (schedule, _) in _SCHEDULES.items()},
        "zero by hand": lambda epoch, alpha_0, rate: np.where(
            np.equal(epoch, 0), 0.0, _rate(epoch, alpha_0, rate)
        ),
        "something else": lambda epoch, alpha_0, rate: alpha_0 / (1 + 2 * rate * epoch),
    },
)


# --- 6: the swarm that does not swarm -----------------------------------------------------------


def _velocity(v, x, own_best, best, r_own, r_best):
    return OMEGA * v + C * r_own * (own_best - x) + S * r_best * (best - x)


_SWARMS = {
    "as printed": (
        lambda v, x, p, g, r, q: OMEGA * v + (C * r + S * q) * (p - x),
        "Both pulls still go to the particle's own best place: nobody learns from the others, and "
        "twenty particles are twenty lonely searches.",
    ),
    "no social pull": (
        lambda v, x, p, g, r, q: OMEGA * v + C * r * (p - x),
        "The social pull is gone altogether. It should lead to `best`, the best place of all.",
    ),
    "no cognitive pull": (
        lambda v, x, p, g, r, q: OMEGA * v + S * q * (g - x),
        "Now there is only the social pull: all run to the one best place, and what a particle has "
        "found itself counts for nothing.",
    ),
    "best twice": (
        lambda v, x, p, g, r, q: OMEGA * v + (C * r + S * q) * (g - x),
        "Now both pulls lead to the best place of all. The cognitive one, with r_own, leads to "
        "own_best.",
    ),
    "random numbers exchanged": (
        lambda v, x, p, g, r, q: OMEGA * v + C * q * (p - x) + S * r * (g - x),
        "r_own and r_best are exchanged. (Since both are drawn in the same way this swarm would "
        "search just as well. But r_own belongs to own_best.)",
    ),
    "r_own for both": (
        lambda v, x, p, g, r, q: OMEGA * v + C * r * (p - x) + S * r * (g - x),
        "r_own stands before both pulls. Each has a random number of its own, or their mixture "
        "would always be the same.",
    ),
    "r_best for both": (
        lambda v, x, p, g, r, q: OMEGA * v + C * q * (p - x) + S * q * (g - x),
        "r_best stands before both pulls. Each has a random number of its own, or their mixture "
        "would always be the same.",
    ),
    "not random": (
        lambda v, x, p, g, r, q: OMEGA * v + C * (p - x) + S * (g - x),
        "The random numbers are gone. Without them the particles do not search *around* the good "
        "places.",
    ),
    "pushed away": (
        lambda v, x, p, g, r, q: OMEGA * v + C * r * (x - p) + S * q * (x - g),
        "Both signs: x − best points away from the best place. The way to it is best − x.",
    ),
    "pushed away from best": (
        lambda v, x, p, g, r, q: OMEGA * v + C * r * (p - x) + S * q * (x - g),
        "The sign of the social pull: it points *away* from the best place of all.",
    ),
    "pushed away from own_best": (
        lambda v, x, p, g, r, q: OMEGA * v + C * r * (x - p) + S * q * (g - x),
        "The sign of the cognitive pull: it points *away* from the particle's own best place.",
    ),
    "from own_best to best": (
        lambda v, x, p, g, r, q: OMEGA * v + C * r * (p - x) + S * q * (g - p),
        "The social pull starts at own_best. The particle is at x: pull from there.",
    ),
    "places for ways": (
        lambda v, x, p, g, r, q: OMEGA * v + C * r * p + S * q * g,
        "You add places to a velocity. A pull is the *way* from x to the place: subtract x.",
    ),
    "no inertia": (
        lambda v, x, p, g, r, q: C * r * (p - x) + S * q * (g - x),
        "The pulls are right, but the old velocity is lost: omega * v.",
    ),
    "undamped": (
        lambda v, x, p, g, r, q: v + C * r * (p - x) + S * q * (g - x),
        "The pulls are right, but omega is lost: with the whole old velocity the swarm flies "
        "apart.",
    ),
    "everything damped": (
        lambda v, x, p, g, r, q: OMEGA * (v + C * r * (p - x) + S * q * (g - x)),
        "omega multiplies the old velocity only, not the pulls.",
    ),
    "no constants": (
        lambda v, x, p, g, r, q: OMEGA * v + r * (p - x) + q * (g - x),
        "The pulls go the right way, but c and s are missing.",
    ),
    "the place": (
        lambda v, x, p, g, r, q: x + _velocity(v, x, p, g, r, q),
        "That is the new place. The velocity is asked for; x := x + v comes after it.",
    ),
}


def _judge_velocity(answer):
    rng = np.random.default_rng(6)
    cases = [
        (*rng.normal(size=(4, 5, 2)), *rng.uniform(size=(2, 5, 2))),
        (*rng.normal(size=(4, 3)), *rng.uniform(size=(2, 3))),
        (1.5, -0.5, 2.0, 0.25, 0.3, 0.8),
        (*rng.integers(-9, 9, size=(4, 3, 2)), *rng.uniform(size=(2, 3, 2))),
    ]
    off = _first_off(answer, _velocity, cases, _SWARMS)
    if off:
        (v, x, p, g, r, q), given, expected = ([np.ravel(part)[0] for part in off[0]], *off[1:])
        raise Wrong(
            f"With v = {v:.3g}, x = {x:.3g}, own_best = {p:.3g}, best = {g:.3g}, r_own = {r:.3g}, "
            f"r_best = {q:.3g} you give {np.ravel(given)[0]:.4g}; {np.ravel(expected)[0]:.4g} is "
            "right. Three terms: the old velocity, the way to own_best, the way to best."
        )
    return (
        "Cognitive and social: each particle weighs what it has seen itself against what the swarm "
        "has found, anew in every round. Take the social term away, as here, and almost no run "
        "finds the lowest valley."
    )


q6 = Exercise(
    judge=_judge_velocity,
    hints=[
        "Which of the six arguments is not used at all?",
        "`omega`, `c` and `s` are OMEGA, C and S of this module: the old velocity is kept in part, "
        "and each pull is a constant times a random number times the way to a place.",
    ],
    explanation="$v := \\omega v + c\\,r_1 (p - x) + s\\,r_2 (g - x)$, with $p$ the particle's own "
    "best place and $g$ the best of all. `best` was never used.\n\n"
    "```python\ndef velocity(v, x, own_best, best, r_own, r_best):\n"
    "    return omega * v + c * r_own * (own_best - x) + s * r_best * (best - x)\n```\n\n"
    "Nothing crashes, and every particle does get lower. It just never hears of the others.",
    answer=_velocity,
    misconceptions={
        **{name: swarm for name, (swarm, _) in _SWARMS.items()},
        "something else": lambda v, x, p, g, r, q: 2 * _velocity(v, x, p, g, r, q),
    },
)


# --- 7: the time to leave a saddle --------------------------------------------------------------


def _gradient_descent_leaves(delta, curvature, alpha):
    steps, w = 0, delta
    while abs(w) < 1:
        w, steps = w + alpha * curvature * w, steps + 1
    return steps


def _rmsprop_leaves(delta, curvature, alpha):
    steps, w, S = 0, delta, 0.0
    while abs(w) < 1:
        dw = -curvature * w
        S = 0.9 * S + 0.1 * dw**2
        w, steps = w - alpha * dw / (S**0.5 + 1e-8), steps + 1
    return steps


_FACTORS = {  # in the limit of small alpha and lambda
    "gradient descent, delta / 1000": 2,
    "gradient descent, lambda / 10": 10,
    "gradient descent, alpha / 10": 10,
    "RMSProp, delta / 1000": 1,
    "RMSProp, lambda / 10": 1,
    "RMSProp, alpha / 10": 10,
}


def _counted():
    """Return the steps before and after each change, by running both methods."""
    changed = [(1e-6, 0.01, 1), (1e-3, 0.001, 1), (1e-3, 0.01, 0.1)]
    return [
        (leaves(1e-3, 0.01, alpha), leaves(delta, curvature, alpha * factor))
        for leaves, alpha in ((_gradient_descent_leaves, 1.0), (_rmsprop_leaves, 0.01))
        for delta, curvature, factor in changed
    ]


_GROWTHS = {  # answers to some of the rows, by their numbers, and what to say to them
    "1 / delta": (
        {0: 1000},
        "Gradient descent does not need 1000 times as long from 1000 times nearer. Near the ridge "
        "w₂ is multiplied by 1 + αλ in every step, so the distance grows exponentially: the steps "
        "go with a logarithm.",
    ),
    "logarithm of the change": (
        {0: np.log(1000)},
        "The steps go with log(1/δ), and that is *increased by* log 1000, not multiplied by it. "
        "What was it before?",
    ),
    "powers of ten": (
        {0: 3},
        "Three more powers of ten have to be climbed. But how many were there before? The factor "
        "is the ratio of the two.",
    ),
    "delta does not matter": (
        {0: 1},
        "For gradient descent δ does matter: nearer to the ridge the gradient is smaller, and so "
        "is every step.",
    ),
    "lambda does not matter": (
        {1: 1},
        "For gradient descent λ does matter. L is the curvature *across*: it limits α, but the way "
        "out goes along w₂, and there a step is αλw₂.",
    ),
    "root": (
        {1: 10**0.5},
        "A root is what momentum makes of κ in a bowl. Gradient descent needs log(1/δ)/log(1 + αλ) "
        "steps, and the logarithm of 1 + αλ is nearly αλ.",
    ),
    "RMSProp like gradient descent": (
        {3: 2, 4: 10},
        "Gradient descent is right, but RMSProp is not like it. It divides each gradient by its "
        "usual size, so a tiny gradient makes as large a step as a big one.",
    ),
    "RMSProp feels lambda": (
        {4: 10},
        "A flatter saddle makes all gradients along w₂ ten times smaller. RMSProp divides by √S, "
        "which is ten times smaller as well.",
    ),
    "RMSProp feels delta": (
        {3: 2},
        "RMSProp's steps are about α long, however small the gradient is: whether the way to 1 "
        "begins at δ or at δ/1000 is all the same.",
    ),
    "RMSProp does not feel alpha": (
        {5: 1},
        "RMSProp takes the size of the gradient out of the step, but not α: α *is* the size of its "
        "steps, and the way has length 1.",
    ),
    "alpha turned around": (
        {2: 0.1},
        "Smaller steps take longer, not shorter: the factor is that of the *number* of steps.",
    ),
    "lambda turned around": (
        {1: 0.1},
        "A flatter saddle holds us longer: the factor is that of the *number* of steps.",
    ),
}


def _judge_factors(answer):
    given = np.array([float(numbers(value, shape=())) for value in filled(answer, _FACTORS)])
    counted = np.array(_counted())
    rule, measured = np.array(list(_FACTORS.values())), counted[:, 1] / counted[:, 0]
    fits = (given > 0.9 * np.minimum(rule, measured)) & (given < 1.1 * np.maximum(rule, measured))
    if fits.all():
        return (
            "Counted: "
            + ", ".join(f"{before} → {after}" for before, after in counted)
            + ". Gradient descent needs log(1/δ)/log(1 + αλ) steps, RMSProp a little less than "
            "1/α, whatever the saddle. But only where the way out lies along an axis, as here."
        )
    if np.ptp(given) == 0:
        raise Wrong(
            f"You give {given[0]:g} six times. The two methods differ: the one's steps shrink with "
            "the gradient, the other's do not."
        )
    for signs, sentence in _GROWTHS.values():
        rows = list(signs)
        if not fits[rows].any() and close(given[rows], list(signs.values()), 0.05):
            raise Wrong(sentence)
    row = int(np.flatnonzero(~fits)[0])
    before, after = counted[row]
    raise Wrong(
        f"For '{list(_FACTORS)[row]}' you give {given[row]:g}. Counted, it takes {before} steps "
        f"before the change and {after} after it. How long is one step, near the ridge?"
    )


q7 = Exercise(
    judge=_judge_factors,
    hints=[
        "Along $w_2$ gradient descent multiplies: $w_2 := (1 + \\alpha\\lambda)\\,w_2$. How often "
        "until $\\delta$ has become 1?",
        "RMSProp: $dw/\\sqrt S$ is about ±1, however small $dw$ is. So how long is a step?",
        "A thousand times nearer: $\\log(1/\\delta)$ goes from $\\log 10^3$ to $\\log 10^6$.",
    ],
    explanation="Gradient descent needs $\\log(1/\\delta)/\\log(1 + \\alpha\\lambda) \\approx "
    "\\log(1/\\delta)/(\\alpha\\lambda)$ steps: twice as many for $\\delta = 10^{-6}$, ten times "
    "as many for a tenth of $\\lambda$ or of $\\alpha$. RMSProp's steps are about $\\alpha$ long, "
    "whatever the gradient: about $1/\\alpha$ steps (the first ones are longer, so that a tenth of "
    "$\\alpha$ costs even a little more than ten times as many).\n\n"
    "```python\nfactors = {\n"
    + "".join(f'    "{name}": {value},\n' for name, value in _FACTORS.items())
    + "}\n```",
    answer=_FACTORS,
    misconceptions={
        **{
            name: {key: signs.get(row, value) for row, (key, value) in enumerate(_FACTORS.items())}
            for name, (signs, _) in _GROWTHS.items()
        },
        "all alike": dict.fromkeys(_FACTORS, 10),
        "something else": {**_FACTORS, "gradient descent, lambda / 10": 100},
        "a name missing": {"gradient descent, delta / 1000": 2},
    },
)
