"""Exercises of the lesson `flows`."""

import numpy as np
from scipy.special import logit
from scipy.stats import norm

from course_utils.exercises._before import Exercise, Wrong, as_code, close, compare, filled, numbers

# --- 1: a density that does not integrate to one ------------------------------------------------


def _judge_density(answer):
    n = 2_000
    x = (np.arange(n) + 0.5) / n
    p_z, factor = norm.pdf(logit(x)), 1 / (x * (1 - x))
    given = numbers(answer(x.copy()), shape=(n,))
    found = f"Your density integrates to {given.mean():.3f} over (0, 1)."
    if close(given, p_z * factor):
        return (
            f"{found} The factor is |df/dx|: where f stretches, the same probability has less "
            "room in x, and the density of x is higher."
        )
    if close(given, p_z):
        raise Wrong(f"{found} That is p_z(f(x)) alone: |df/dx| is missing.")
    if close(given, p_z / factor):
        raise Wrong(
            f"{found} The factor is upside down: x(1 − x) is the derivative of the *inverse*, "
            "dx/dz. The density of x needs dz/dx = df/dx."
        )
    if close(given, p_z * np.log(factor)):
        raise Wrong(
            f"{found} You multiply by the *logarithm* of |df/dx|. Densities are multiplied by "
            "|df/dx|; its logarithm is added to the log-density."
        )
    if close(given, p_z + np.log(factor)):
        raise Wrong(
            f"{found} You add log|df/dx| to the density. It is added to the *log*-density; to a "
            "density it is a factor: p_z(f(x)) |df/dx|."
        )
    if close(given, norm.logpdf(logit(x)) + np.log(factor)):
        raise Wrong(f"{found} That is log p_x(x), and rightly so: take exp of it.")
    if close(given, p_z + factor):
        raise Wrong(
            "You add |df/dx|, which grows without bound towards 0 and 1: not even the integral is "
            "finite. |df/dx| is a factor."
        )
    if close(given, p_z * (1 - x) / x):
        raise Wrong(
            f"{found} Your factor is (1 − x)/x, the derivative of the logarithm alone. What is "
            "inside the logarithm depends on x as well: the chain rule."
        )
    if np.ptp(given / p_z) < 1e-3 * abs(given / p_z).max():
        raise Wrong(
            f"{found} You multiply p_z(f(x)) by the same number everywhere. That can mend the "
            "integral but not the shape: f stretches more in some places than in others."
        )
    worst = np.abs(given - p_z * factor).argmax()
    raise Wrong(
        f"{found} At x = {x[worst]:.4g} it is {given[worst]:.4g}, and "
        f"{(p_z * factor)[worst]:.4g} is right. Multiply p_z(f(x)) by |df/dx| and by nothing else."
    )


def _density(x):
    return norm.pdf(np.log(x / (1 - x))) / (x * (1 - x))


q1 = Exercise(
    judge=_judge_density,
    hints=[
        "$p_x(x) = p_z(f(x))\\,|df/dx|$. Which of its two factors is missing?",
        "$\\log\\frac{x}{1-x} = \\log x - \\log(1-x)$. Its derivative is "
        "$\\frac1x + \\frac1{1-x}$.",
    ],
    explanation="$\\frac{df}{dx} = \\frac1x + \\frac1{1-x} = \\frac1{x(1-x)}$.\n\n"
    "```python\ndef density(x):\n"
    "    return norm.pdf(np.log(x / (1 - x))) / (x * (1 - x))\n```\n\n"
    "Without the factor every single value looks harmless, and nothing crashes. Only the integral "
    "tells.",
    answer=_density,
    misconceptions={
        "no factor": lambda x: norm.pdf(logit(x)),
        "upside down": lambda x: norm.pdf(logit(x)) * x * (1 - x),
        "times the logarithm": lambda x: norm.pdf(logit(x)) * -np.log(x * (1 - x)),
        "plus the logarithm": lambda x: norm.pdf(logit(x)) - np.log(x * (1 - x)),
        "log-density": lambda x: norm.logpdf(logit(x)) - np.log(x * (1 - x)),
        "added": lambda x: norm.pdf(logit(x)) + 1 / (x * (1 - x)),
        "chain rule": lambda x: norm.pdf(logit(x)) * (1 - x) / x,
        "rescaled": lambda x: norm.pdf(logit(x)) / norm.pdf(logit(x)).mean(),
        "something else": lambda x: np.ones_like(x),
    },
)


# --- 2: volume preserving? ----------------------------------------------------------------------

_PLANE = {
    "Shift([0.5, 0.25])": lambda x1, x2: (x1 + 0.5, x2 + 0.25),
    "Scale([1, 0.5])": lambda x1, x2: (x1, 0.5 * x2),
    "Scale([2, 0.5])": lambda x1, x2: (2 * x1, 0.5 * x2),
    "Permute([1, 0])": lambda x1, x2: (x2, x1),
    "additive coupling": lambda x1, x2: (x1, x2 + np.sin(3 * x1)),
    "affine coupling": lambda x1, x2: (x1, x2 * np.exp(np.sin(x1)) + np.cos(x1)),
}
_NOT_SO = {
    "Shift([0.5, 0.25])": "Shift moves every square and leaves it as it is.",
    "Scale([1, 0.5])": "Scale([1, 0.5]) can be undone, but it halves the height of every square "
    "and leaves the width.",
    "Scale([2, 0.5])": "Scale([2, 0.5]) makes a square twice as wide *and* half as high.",
    "Permute([1, 0])": "Permute mirrors the plane. Its determinant is −1, and what counts is the "
    "absolute value.",
    "additive coupling": "The additive coupling bends a square, but each thin column of it is only "
    "moved up or down: its Jacobian is triangular with ones on the diagonal.",
    "affine coupling": "The affine coupling multiplies heights by exp(s(x1)), here more and there "
    "less. It keeps areas only where s = 0.",
}


def _area_factors(bijection, h=1e-5):
    """Return |det df/dx| at some points of the plane, by central differences."""
    x1, x2 = np.random.default_rng(3).normal(size=(2, 20))
    (a, c), (b, d) = (
        (np.array(bijection(x1 + dx1, x2 + dx2)) - np.array(bijection(x1 - dx1, x2 - dx2))) / 2 / h
        for dx1, dx2 in ((h, 0), (0, h))
    )
    return np.abs(a * d - b * c)


def _judge_volume(answer):
    given = filled(answer, _PLANE)
    if not all(value in (True, False) for value in given):
        raise Wrong("Answer each of the six with True or False.")
    right = [close(_area_factors(bijection), 1, 1e-6) for bijection in _PLANE.values()]
    wrong = [name for name, a, b in zip(_PLANE, given, right, strict=True) if a != b]
    if not wrong:
        return (
            "Being invertible is one thing, keeping volumes another: the log-determinant is there "
            "because most flows do *not* keep them. The bridge between modes has another reason: "
            "f is continuous both ways, and cannot tear the one piece that the normal is."
        )
    if all(given):
        raise Wrong(
            "Not every bijection keeps volumes: invertible means that nothing is lost, not that "
            "nothing is stretched. If all did, the log-determinant would always be 0."
        )
    if not any(given):
        raise Wrong(
            "Some of them do keep every area. Follow a small square: is it moved, mirrored, "
            "sheared, or does it grow or shrink?"
        )
    if len(wrong) == len(_PLANE):
        raise Wrong("Each of the six is the wrong way round: True means that areas stay as large.")
    name = wrong[0]
    factors = _area_factors(_PLANE[name])
    low, high = factors.min(), factors.max()
    several = f"{len(wrong)} of the six are wrong, the first of them {name}. "
    raise Wrong(
        f"{several if len(wrong) > 1 else ''}{_NOT_SO[name]} Areas are multiplied by {low:.2f}"
        + ("." if close(low, high) else f" in one place and by {high:.2f} in another.")
    )


_VOLUME = dict(zip(_PLANE, (True, False, True, True, True, False), strict=True))

q2 = Exercise(
    judge=_judge_volume,
    hints=[
        "Volume preserving means $|\\det df/dx| = 1$ at every point. Follow a little square.",
        "Mind the *absolute* value. For the couplings the Jacobian is triangular: what stands on "
        "its diagonal?",
    ],
    explanation="$|\\det df/dx|$ is 1 for the shift, $1\\cdot\\tfrac12$ for Scale([1, 0.5]), "
    "$2\\cdot\\tfrac12 = 1$ for Scale([2, 0.5]), $|-1| = 1$ for the permutation, $1\\cdot1$ for "
    "the additive coupling, and $e^{s(x_1)}$ for the affine one.\n\n"
    + as_code("volume_preserving", _VOLUME)
    + "\n\nFlows leave a bridge between modes although they may stretch as they like: a continuous "
    "bijection with a continuous inverse maps one connected piece to one connected piece.",
    answer=_VOLUME,
    misconceptions={
        "every bijection": dict.fromkeys(_PLANE, True),
        "none": dict.fromkeys(_PLANE, False),
        "turned around": {name: not value for name, value in _VOLUME.items()},
        **{f"{name} wrong": {**_VOLUME, name: not value} for name, value in _VOLUME.items()},
        "not True or False": {**_VOLUME, "Permute([1, 0])": -1},
    },
)


# --- 3: the check that somebody commented out ---------------------------------------------------


def _not_a_bijection(x):
    return x + 1.5 * np.sin(x)


def _judge_pair(answer):
    a, b = numbers(answer, shape=(2,))
    f_a, f_b = _not_a_bijection(a), _not_a_bijection(b)
    found = f"f(a) = {f_a:.4f} and f(b) = {f_b:.4f}."
    if abs(a - b) <= 0.1:
        raise Wrong(
            f"a and b are {'equal' if a == b else 'almost equal'}: of course f gives them (nearly) "
            "the same. Look for two inputs more than 0.1 apart."
        )
    if abs(f_a - f_b) <= 1e-3:
        return (
            f"{found} From this value no inverse can tell where it came from: the check was right "
            "to fail, and the density computed without it adds up to more than one."
        )
    if close(1 + 1.5 * np.cos([a, b]), 0, 0.02):
        raise Wrong(
            f"{found} At your points the *slope* of f is 0: there the curve turns around. Values "
            "come twice on either side of such a point: take one input left and one right of it."
        )
    if close(np.sin(a), np.sin(b)):
        raise Wrong(f"{found} Your points have the same sine, but f adds x to it.")
    if close(a, -b):
        raise Wrong(f"{found} f(−x) is −f(x), not f(x): the two have opposite signs.")
    if abs(f_a - f_b) < 0.05:
        raise Wrong(f"{found} Nearly! They may differ by 0.001: give more digits.")
    raise Wrong(f"{found} Two inputs with the *same* value are asked for.")


q3 = Exercise(
    judge=_judge_pair,
    hints=[
        "Plot f from 0 to 6. Where does it run downhill?",
        "f(π) = π. Where else does f reach π? Look for a zero of f(x) − π, for example with "
        "`scipy.optimize.brentq`.",
    ],
    explanation="The slope $1 + 1.5\\cos x$ is negative around $\\pi$, so every value near $\\pi$ "
    "is reached three times: going up, down, and up again.\n\n"
    "```python\nfrom scipy.optimize import brentq\n\n"
    "a, b = np.pi, brentq(lambda x: x + 1.5 * np.sin(x) - np.pi, 4, 6)\n```\n\n"
    "With a factor below 1 in place of 1.5 the slope is always positive, and f is a bijection. "
    "Whoever meets a failing check has found something: look at it before you switch it off.",
    answer=(np.pi, 4.637278),
    misconceptions={
        "equal": (1.0, 1.0),
        "too close": (2.3, 2.301),
        "slope zero": (2.300524, 3.982661),
        "same sine": (0.0, np.pi),
        "opposite": (1.0, -1.0),
        "too few digits": (3.14, 4.65),
        "something else": (1.0, 2.0),
    },
)


# --- 4: a wrong sign ----------------------------------------------------------------------------


def _log_det(s, mask):
    return -(s * (1 - mask)).sum(axis=1)


_LOG_DETS = {
    "plus": lambda s, mask: (s * (1 - mask)).sum(axis=1),
    "no mask": lambda s, mask: -s.sum(axis=1),
    "mask inverted": lambda s, mask: -(s * mask).sum(axis=1),
    "mean": lambda s, mask: -(s * (1 - mask)).mean(axis=1),
    "determinant": lambda s, mask: np.exp(_log_det(s, mask)),
    "batch axis": lambda s, mask: -(s * (1 - mask)).sum(axis=0),
    "all added": lambda s, mask: -(s * (1 - mask)).sum(),
    "one mask only": lambda s, mask: -s[:, 1:].sum(axis=1),
    "something else": lambda s, mask: -np.abs(s).sum(axis=1),
}
_LOG_DETS_SAID = {
    "plus": "That is log|det dx/dz|, the stretch in *sampling*. Scoring goes from x to z and "
    "divides by exp(s).",
    "no mask": "The mask is forgotten. A kept coordinate is not stretched: it adds log 1 = 0, "
    "whatever the network says for it.",
    "mask inverted": "The mask is inverted: 1 means kept, and the *others* are stretched.",
    "mean": "That is a mean. A determinant is the *product* of the stretches, so its logarithm is "
    "their sum, not divided by anything.",
    "determinant": "That is a determinant. Its logarithm is asked for: no exp is needed, and for "
    "many coordinates exp would overflow.",
}


def _judge_log_det(answer):
    s = np.random.default_rng(2).normal(size=(5, 4))
    mask, other = np.array([1.0, 0.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0, 1.0])
    given = numbers(answer(s.copy(), mask.copy()))
    if given.shape == ():
        raise Wrong(
            f"One number came, {given:.4g}. Every point, every row of s, has its own "
            "log-determinant: add up over its coordinates only."
        )
    if given.shape == (4,):
        raise Wrong(
            "You added up over the points (axis 0). A log-determinant belongs to one point: add up "
            "over its coordinates (axis 1)."
        )
    compare(
        answer,
        _log_det,
        [(s, mask)],
        "For one point you give {given:.4g}, and {expected:.4g} is right. The Jacobian is "
        "triangular: which numbers stand on its diagonal, and what do their logarithms add up to?",
        _LOG_DETS,
        _LOG_DETS_SAID,
    )
    compare(
        answer,
        _log_det,
        [(s, other)],
        "Right for one mask, but not for another: use the mask that is given.",
    )
    return (
        "f undoes the sampling, so it divides by exp(s), and the logarithm is −s. With the plus "
        "sign f could squeeze all data into z = 0 and be paid for it."
    )


q4 = Exercise(
    judge=_judge_log_det,
    hints=[
        "Solve $x = z\\,e^{s} + t$ for $z$. By what is a changed coordinate multiplied?",
        "The Jacobian $df/dx$ is triangular, with 1 (kept) or $e^{-s}$ (changed) on the diagonal. "
        "`1 - mask` picks the changed ones.",
    ],
    explanation="$z = (x - t)\\,e^{-s}$ on the changed coordinates. The Jacobian is triangular, "
    "so $\\log\\det$ is the sum of the logarithms on its diagonal: 0 for kept coordinates, $-s$ "
    "for changed ones.\n\n"
    "```python\ndef log_det(s, mask):\n    return -(s * (1 - mask)).sum(axis=1)\n```",
    answer=_log_det,
    misconceptions=_LOG_DETS,
)


# --- 5: the permutation that was left out -------------------------------------------------------


def _reaches(masks):
    """Return (3, 3) booleans: whether output coordinate i can depend on input j."""
    depends = np.eye(3, dtype=bool)
    for mask in masks:
        kept = depends[mask == 1].any(axis=0)
        depends = np.where(mask[:, None] == 1, depends, depends | kept)
    return depends


def _judge_masks(answer):
    masks = numbers(answer, shape=(4, 3))
    if not np.isin(masks, (0, 1)).all():
        raise Wrong("A mask holds only 0 (changed) and 1 (kept).")
    for value, sentence in (
        (1, "keeps all three coordinates: it changes nothing."),
        (0, "keeps no coordinate: then nothing is left for its network to look at."),
    ):
        bad = np.flatnonzero((masks == value).all(axis=1))
        if len(bad):
            raise Wrong(f"Coupling {bad[0] + 1} {sentence} Keep one or two of the three.")
    if (masks == masks[0]).all():
        raise Wrong(
            "The mask is the same four times: what it keeps leaves the flow as it came, however "
            "many couplings there are."
        )
    never = np.flatnonzero(masks.min(axis=0) == 1)
    if len(never):
        raise Wrong(
            f"The masks differ, but coordinate {never[0] + 1} is kept by all four: it leaves the "
            "flow as it came. Each coordinate needs a 0 somewhere."
        )
    reaches = _reaches(masks)
    if not reaches.all():
        to, source = np.argwhere(~reaches)[0] + 1
        raise Wrong(
            f"Each coordinate is changed somewhere, but output {to} never hears of input {source}. "
            f"When coordinate {to} is changed, a coordinate that knows of input {source} must be "
            "among the kept ones: follow the four steps in their order."
        )
    return "Every output can depend on every input: nothing is left out, and nothing stands still."


q5 = Exercise(
    judge=_judge_masks,
    hints=[
        "A coordinate that no mask changes comes out as it went in.",
        "After [1, 1, 0] coordinate 3 knows of all three inputs. Which masks let 1 and 2 learn of "
        "all three?",
        "Change one coordinate at a time and keep the two others.",
    ],
    explanation="Change each in turn, with the others to look at:\n\n"
    "```python\nmasks = [1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 1, 0]\n```\n\n"
    "Two couplings would do: after [1, 1, 0] coordinate 3 knows of all inputs, and [0, 0, 1] hands "
    "that on. But sampling runs through them backwards, and there it fails: 1 and 2 look at "
    "coordinate 3 before it knows anything. The four masks above work both ways.\n\n"
    "A permutation between couplings does the same for a mask that never changes.",
    answer=([1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 1, 0]),
    misconceptions={
        "the same": [[1, 1, 0]] * 4,
        "one never changed": [[1, 1, 0], [1, 0, 1]] * 2,
        "all ones": [[1, 1, 1]] * 4,
        "all zeros": [[0, 0, 0]] * 4,
        "swapped, but too late": [[0, 0, 1]] * 3 + [[1, 1, 0]],
        "no mask": [[1, 2, 0]] * 4,
    },
)


# --- 6: one pass or D ---------------------------------------------------------------------------

_PASSES = {
    "MAF scores": 1,
    "MAF samples": 64,
    "IAF scores": 64,
    "IAF samples": 1,
    "coupling scores": 1,
    "coupling samples": 1,
}


def _judge_passes(answer):
    given = [float(numbers(value, shape=())) for value in filled(answer, _PASSES)]
    wrong = [n for n, value in zip(_PASSES, given, strict=True) if value != _PASSES[n]]
    if not wrong:
        return (
            "Choose by what you do often: MAF to score, IAF to sample (as in variational "
            "inference), couplings for both, since their network looks only at what it keeps."
        )
    if set(given) == {1}:
        raise Wrong(
            "Not everything takes one pass. The network of coordinate i looks at the coordinates "
            "before it: in one direction these are given, in the other they must be made first."
        )
    if set(given) == {64}:
        raise Wrong("Not everything has to wait: where all inputs are given, one pass does it.")
    if 63 in given:
        raise Wrong(
            "63 is nearly right, but the first coordinate counts too: it looks at no other, yet "
            "its shift and scale come from the network. One pass for each of the 64."
        )
    if given[:4] == [64, 1, 1, 64]:
        raise Wrong(
            "MAF and IAF are exchanged. MAF's network looks at the *data* x, which scoring has at "
            "hand; IAF's looks at the *noise* z, which sampling has at hand."
        )
    if wrong == ["coupling samples"] and given[5] == 64:
        raise Wrong(
            "The coupling needs no waiting to be inverted: what its network looks at is kept as it "
            "is, so x and z agree there and all shifts and scales are known at once."
        )
    if given[5] == 2 or given[4] == 2:
        raise Wrong(
            "A coupling has two halves, but only one goes through the network: the kept half, "
            "once. The other is only stretched and shifted."
        )
    raise Wrong(
        f"For '{wrong[0]}' you give {given[list(_PASSES).index(wrong[0])]:g}. What does that "
        "network look at, and is all of it there at the start?"
    )


q6 = Exercise(
    judge=_judge_passes,
    hints=[
        "MAF: shift and scale of coordinate $i$ come from $x_1, \\dots, x_{i-1}$. IAF: from "
        "$z_1, \\dots, z_{i-1}$. In scoring x is given, in sampling z.",
        "What is given whole takes one pass. What must be made coordinate by coordinate takes one "
        "pass for each.",
    ],
    explanation="MAF's network looks at x: scoring has x whole (1 pass), sampling makes it one "
    "coordinate a pass (64). IAF's network looks at z: the same with the roles exchanged. A "
    "coupling's network looks at the kept coordinates, the same in x and z: 1 in both "
    "directions.\n\n" + as_code("passes", _PASSES),
    answer=_PASSES,
    misconceptions={
        "exchanged": {**_PASSES, **dict(zip(list(_PASSES)[:4], (64, 1, 1, 64), strict=True))},
        "coupling inverse": {**_PASSES, "coupling samples": 64},
        "63": {**_PASSES, "MAF samples": 63, "IAF scores": 63},
        "all one": dict.fromkeys(_PASSES, 1),
        "all D": dict.fromkeys(_PASSES, 64),
        "two halves": {**_PASSES, "coupling scores": 2, "coupling samples": 2},
        "something else": {**_PASSES, "IAF scores": 1},
        "a name missing": {"MAF scores": 1},
    },
)
