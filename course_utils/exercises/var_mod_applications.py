"""Exercises of the lesson `var_mod_applications`."""

import numpy as np
from scipy.special import logsumexp

from course_utils.exercises import Exercise

# --- 1: what becomes of a distance --------------------------------------------------------------


def _distance_after(distance, alpha):
    return abs(1 - alpha) * distance


q1 = Exercise(
    answer=_distance_after,
    cases=[(2.0, 0.25), (5.0, 1.0), (3.0, 0.0), (4.0, 1.5), (0.7, 3.0), (0.0, 0.6), (8.0, 0.75)],
    praise="Every distance shrinks by the same factor, whatever the target is. Beyond 1 it grows "
    "again, mirrored.",
    mistakes={
        "the sign": (
            lambda distance, alpha: (1 - alpha) * distance,
            "Beyond `alpha = 1` your distance is negative. How far apart are two codes that have "
            "changed sides?",
        ),
        "what is lost": (
            lambda distance, alpha: alpha * distance,
            "That is what the distance *loses* (up to 1). Try `alpha = 0`, which changes nothing.",
        ),
        "cut off": (
            lambda distance, alpha: max(1 - alpha, 0) * distance,
            "Up to 1 that is right. Beyond 1 the codes go on past the average, and part again.",
        ),
        "unchanged": (
            lambda distance, alpha: distance,
            "That is what moving all codes by *one* step would do. Here each code moves towards "
            "the same point, by a step of its own.",
        ),
        "squared": (
            lambda distance, alpha: (1 - alpha) ** 2 * distance,
            "That would be the factor of the *squared* distance.",
        ),
        "divided": (
            lambda distance, alpha: distance / (1 + alpha),
            "Write the new code of each picture by step 5, and subtract: what cancels?",
        ),
    },
    otherwise="Write step 5 for two pictures, and subtract. The target is the same for both.",
    hints=[
        "$z = (1 - \\alpha)\\,z_1 + \\alpha\\,z_{t,avg}$. Write the same for the other picture.",
        "The difference is $(1 - \\alpha)$ times the old one. A distance is its length.",
    ],
    explanation="$z - z' = (1-\\alpha)(z_1 - z_1')$, since the target's part cancels; the length "
    "of this is $|1-\\alpha|$ times the old one.",
)

# --- 2: equal effect ----------------------------------------------------------------------------


def _strength_for(alphas, shares, goal):
    reached = np.flatnonzero(shares >= goal)
    if len(reached) == 0:
        return np.nan
    k = reached[0]
    part = (goal - shares[k - 1]) / (shares[k] - shares[k - 1])
    return alphas[k - 1] + part * (alphas[k] - alphas[k - 1])


_up = np.array([0.1, 0.3, 0.6, 0.9, 1.0])
_falls = np.array([0.0, 0.5, 0.9, 0.7, 0.6])
_steps = np.array([0.2, 0.4, 0.6, 0.8, 1.0])


def _interpolated(alphas, shares, goal):
    return np.interp(goal, shares, alphas)


def _never_known(alphas, shares, goal):
    """Interpolation up to the largest share, without asking whether the goal is reached."""
    top = shares.argmax() + 1
    return np.interp(goal, shares[:top], alphas[:top])


def _on_grid(alphas, shares, goal):
    reached = np.flatnonzero(shares >= goal)
    return alphas[reached[0]] if len(reached) else np.nan


def _closest(alphas, shares, goal):
    return alphas[np.abs(shares - goal).argmin()]


def _last(alphas, shares, goal):
    """The largest strength at which the line has the goal."""
    if shares.max() < goal:
        return np.nan
    k = np.flatnonzero((shares[:-1] < goal) != (shares[1:] < goal))[-1]
    part = (goal - shares[k]) / (shares[k + 1] - shares[k])
    return alphas[k] + part * (alphas[k + 1] - alphas[k])


q2 = Exercise(
    answer=_strength_for,
    cases=[
        (_steps, _up, 0.75),
        (_steps, _falls, 0.8),
        (_steps, _falls, 0.65),
        (_steps, 0.9 * _falls, 0.85),
        (np.array([0.5, 1.0, 3.0]), np.array([0.2, 0.4, 0.8]), 0.7),
        (_steps, _up, 0.6),
        (np.array([1.0, 2.0, 4.0]), np.array([0.1, 0.9, 0.2]), 0.9),
        (_steps, np.array([0.3, 0.2, 0.4, 0.1, 0.8]), 0.35),
    ],
    praise="Now two ways can be compared at equal effect, and one that never gets there says so.",
    mistakes={
        "interp": (
            _interpolated,
            "`np.interp` wants shares that only rise, and gives an end where the goal is out of "
            "reach. Here a share may fall again.",
        ),
        "never": (
            _never_known,
            "Where the goal is never reached, return `np.nan`. (`np.interp` gives the end.)",
        ),
        "on the grid": (
            _on_grid,
            "You take the first strength of the list that is enough. On the line the goal is "
            "reached between two of them.",
        ),
        "closest": (
            _closest,
            "You take the strength with the closest share. Asked is where the *line* reaches the "
            "goal.",
        ),
        "last": (
            _last,
            "The line may cross the goal more than once. The smallest strength is asked for.",
        ),
    },
    otherwise="Find the first share that reaches the goal; between it and the one before, the line "
    "is straight.",
    hints=[
        "`np.flatnonzero(shares >= goal)` gives the places where it is reached. It may be empty.",
        "With k the first of these: the goal lies `(goal - shares[k-1]) / (shares[k] - "
        "shares[k-1])` of the way from `alphas[k-1]` to `alphas[k]`.",
    ],
    explanation="The first crossing lies between the first share that reaches the goal and the one "
    "before it.",
)

# --- 3: one normal for many clouds --------------------------------------------------------------


def _normal_of(z_mu, z_sigma):
    mean = z_mu.mean(axis=0)
    rest = z_mu - mean
    return mean, rest.T @ rest / len(z_mu) + np.diag((z_sigma**2).mean(axis=0))


def _clouds(n, d, seed):
    rng = np.random.default_rng(seed)
    z_mu = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)
    return z_mu, rng.uniform(0.4, 2, size=(n, d))


def _covariance_only(z_mu, z_sigma):
    return z_mu.mean(axis=0), np.cov(z_mu.T, bias=True).reshape(2 * z_mu.shape[1:])


def _with(spread):
    return lambda m, s: (m.mean(axis=0), _covariance_only(m, s)[1] + spread(s))


q3 = Exercise(
    answer=_normal_of,
    cases=[_clouds(400, 3, 0), _clouds(500, 2, 1), _clouds(300, 4, 2), _clouds(600, 1, 3)],
    tolerance=0.01,
    praise="The law of total variance: how much the clouds' centres scatter, plus how wide the "
    "clouds are on average.",
    mistakes={
        "centres only": (
            _covariance_only,
            "That is how the *centres* scatter. Each cloud has a width of its own, too.",
        ),
        "sigma": (
            _with(lambda s: np.diag(s.mean(axis=0))),
            "You add the mean of `z_sigma`, a standard deviation. Variances add up.",
        ),
        "mean, then square": (
            _with(lambda s: np.diag(s.mean(axis=0) ** 2)),
            "You square the mean of `z_sigma`. Take the mean of the squares.",
        ),
        "everywhere": (
            _with(lambda s: (s**2).mean(axis=0)),
            "You add the clouds' variances to every row. Within a cloud the dimensions are "
            "independent: their variances belong on the diagonal.",
        ),
        "one for all": (
            _with(lambda s: (s**2).mean() * np.eye(s.shape[1])),
            "Each dimension has a width of its own: do not average over the dimensions.",
        ),
        "width only": (
            lambda m, s: (m.mean(axis=0), np.diag((s**2).mean(axis=0))),
            "That is how wide a cloud is on average. The centres of the clouds differ, too.",
        ),
        "product": (
            _with(lambda s: s.T @ s / len(s)),
            "You multiply the widths of different dimensions. Within a cloud the dimensions are "
            "independent, so only the diagonal is left.",
        ),
    },
    otherwise="Two things make a code vary: which picture was picked, and where in its cloud it "
    "lies.",
    hints=[
        "$z = z_\\mu + z_\\sigma\\,\\epsilon$, and $\\epsilon$ is independent of the picture. So "
        "the two covariances add up.",
        "`np.cov(z_mu.T)` is the first. The second is diagonal: the mean of `z_sigma**2` over the "
        "pictures.",
    ],
    explanation="$\\mathrm{Cov}(z) = \\mathrm{Cov}(z_\\mu) + \\mathbb E\\,\\mathrm{diag}"
    "(z_\\sigma^2)$: the mixed terms vanish because $\\mathbb E\\,\\epsilon = 0$. (Dividing by "
    "$N - 1$ is as good.)",
)

# --- 4: what is a label worth? ------------------------------------------------------------------


def _nll_of_x(nll):
    return -logsumexp(-nll, axis=1) + np.log(nll.shape[1])


def _nlls(n, k, low, spread, seed):
    rng = np.random.default_rng(seed)
    return low + spread * rng.random(size=(n, k))


q4 = Exercise(
    answer=_nll_of_x,
    cases=[
        (_nlls(4, 10, 90, 15, 0),),
        (_nlls(3, 2, 0.5, 2, 1),),
        (np.full((2, 5), 100.0),),
        (_nlls(3, 10, 1500, 500, 2),),
        (np.array([[100.0, 500, 500], [2000.0, 800, 801]]),),
    ],
    praise="The sum rule, on the log scale. A label that is not told costs at most the logarithm "
    "of the number of digits.",
    mistakes={
        "the average": (
            lambda nll: nll.mean(axis=1),
            "You average the logarithms. The *probabilities* have to be averaged.",
        ),
        "the best": (
            lambda nll: nll.min(axis=1),
            "You take the best digit, as if somebody had told it. All digits could have made the "
            "picture, each in one case of K.",
        ),
        "the sum": (
            lambda nll: -logsumexp(-nll, axis=1),
            "You add up $p(X|y)$. Each has to be multiplied by $p(y) = 1/K$.",
        ),
        "the other way": (
            lambda nll: -logsumexp(-nll, axis=1) - np.log(nll.shape[1]),
            "$\\log(1/K)$ has the other sign.",
        ),
        "underflow": (
            lambda nll: -np.log(np.exp(-nll).mean(axis=1)),
            "Right in exact arithmetic. But $e^{-2000}$ is 0 in the computer: take the smallest "
            "value out first, or use `scipy.special.logsumexp`.",
        ),
        "a sign": (
            lambda nll: logsumexp(nll, axis=1) - np.log(nll.shape[1]),
            "You average $1/p$. Put the minus inside: $p = e^{-nll}$.",
        ),
        "over the pictures": (
            lambda nll: -logsumexp(-nll, axis=0) + np.log(nll.shape[0]),
            "You add up over the pictures. Each row is a picture; add up over its digits.",
        ),
        "log 10": (
            lambda nll: -logsumexp(-nll, axis=1) + np.log(10),
            "That is right for ten digits. The number of classes is `nll.shape[1]`.",
        ),
    },
    otherwise="$p(X) = \\sum_y p(y)\\,p(X|y)$ with $p(y) = 1/K$, and then the logarithm.",
    hints=[
        "$p(X) = \\frac1K\\sum_y e^{-nll_y}$.",
        "`scipy.special.logsumexp(-nll, axis=1)` is the logarithm of the sum.",
    ],
    explanation="$-\\log p(X) = -\\log\\sum_y e^{-nll_y} + \\log K$.",
)

# --- 5: bits back -------------------------------------------------------------------------------


def _bits(log_p_x_given_z, log_p_z, log_q_z, d, delta):
    return (log_q_z - log_p_z - log_p_x_given_z) / np.log(2)


q5 = Exercise(
    answer=_bits,
    cases=[
        (-80.0, -14.0, 9.0, 10, 0.01),
        (-120.0, -2.0, 3.0, 2, 0.1),
        (-95.0, -20.0, -4.0, 12, 0.5),
        (-60.0, -9.0, 5.0, 4, 0.001),
        (0.0, -1.0, -1.0, 1, 0.25),
    ],
    praise="The steps cancel: they may be as fine as you like. What is left is $-$ELBO in bits, "
    "for one draw of $z$.",
    mistakes={
        "nothing back": (
            lambda x, p, q, d, delta: -(x + p + d * np.log(delta)) / np.log(2),
            "That is what you send. Take off the bits that come back.",
        ),
        "nats": (
            lambda x, p, q, d, delta: q - p - x,
            "These are nats. A bit is $\\log 2$ nats.",
        ),
        "multiplied": (
            lambda x, p, q, d, delta: (q - p - x) * np.log(2),
            "There are *more* bits than nats: a bit is $\\log 2 = 0.69$ nats. Divide.",
        ),
        "added": (
            lambda x, p, q, d, delta: -(q + p + x) / np.log(2) - 2 * d * np.log2(delta),
            "You add the bits that come back. They are taken off.",
        ),
        "only what is sent of X": (
            lambda x, p, q, d, delta: -x / np.log(2),
            "That is $X$ alone, given $z$. The code has to be sent, too.",
        ),
        "steps left": (
            lambda x, p, q, d, delta: (q - p - x - d * np.log(delta)) / np.log(2),
            "The width of the steps is in what you send *and* in what comes back.",
        ),
        "no code back": (
            lambda x, p, q, d, delta: -(x + p) / np.log(2),
            "Take off the bits that come back, $-\\log_2[q\\,\\delta^d]$.",
        ),
        "sign": (
            lambda x, p, q, d, delta: (x + p - q) / np.log(2),
            "A code length is positive: $-\\log_2 p$.",
        ),
    },
    otherwise="Three terms: $X$ given $z$, then $z$, minus what comes back; all in bits.",
    hints=[
        "Sent: $-\\log_2 p(X|z) - \\log_2[p(z)\\,\\delta^d]$. "
        "Back: $-\\log_2[q(z|X)\\,\\delta^d]$.",
        "$\\delta^d$ cancels. A natural logarithm divided by `np.log(2)` is one to the base 2.",
    ],
    explanation="$-\\log_2 p(X|z) - \\log_2[p(z)\\delta^d] + \\log_2[q(z|X)\\delta^d]$; the steps "
    "cancel.",
)
