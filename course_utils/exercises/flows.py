"""Exercises of the lesson `flows`."""

import numpy as np
from scipy.special import logit
from scipy.stats import norm

from course_utils.exercises import Exercise, Wrong, as_code, numbers
from course_utils.exercises._given import several

# --- 1: a density that does not integrate to one ------------------------------------------------


def _density(x):
    return norm.pdf(np.log(x / (1 - x))) / (x * (1 - x))


def _times(factor):
    """Return the function that multiplies p_z(f(x)) by a factor, made of x."""
    return lambda x: norm.pdf(logit(x)) * factor(x)


_RESCALED = (
    "You multiply p_z(f(x)) by the same number everywhere. That can mend the integral but not the "
    "shape: f stretches more in some places than in others."
)

q1 = Exercise(
    answer=_density,
    cases=[
        (np.array([0.2, 0.5, 0.9]),),
        ((np.arange(2_000) + 0.5) / 2_000,),
        (np.array([0.5]),),
        (np.array([0.99, 0.01]),),  # where it is small
    ],
    praise="Now it integrates to one. The factor is |df/dx|: where f stretches, the same "
    "probability has less room in x, and the density of x is higher.",
    mistakes={
        "no factor": (
            _times(lambda x: 1.0),
            "That is p_z(f(x)) alone, which does not integrate to one. By how much does f stretch "
            "a little piece of x?",
        ),
        "upside down": (
            _times(lambda x: x * (1 - x)),
            "The factor is upside down: that is the slope of the *inverse*, dx/dz.",
        ),
        "times the logarithm": (
            _times(lambda x: -np.log(x * (1 - x))),
            "You multiply by the *logarithm* of |df/dx|. That belongs to the log-density, and is "
            "added there.",
        ),
        "plus the logarithm": (
            lambda x: norm.pdf(logit(x)) - np.log(x * (1 - x)),
            "You add log|df/dx| to the density. It is added to the *log*-density only.",
        ),
        "log-density": (
            lambda x: norm.logpdf(logit(x)) - np.log(x * (1 - x)),
            "That is log p_x(x), and rightly so: take exp of it.",
        ),
        "added": (
            lambda x: norm.pdf(logit(x)) + 1 / (x * (1 - x)),
            "You add |df/dx|, which grows without bound towards 0 and 1: not even the integral is "
            "finite.",
        ),
        "chain rule": (
            _times(lambda x: (1 - x) / x),
            "Your factor is the derivative of the logarithm alone. What is inside the logarithm "
            "depends on x as well: the chain rule.",
        ),
        "section 1": (
            _times(lambda x: 1 / x),
            "Your factor is the slope of log x, the f of section 1. This f is another one.",
        ),
        "sign": (
            _times(lambda x: 1 / x - 1 / (1 - x)),
            "Your factor takes the slope of log(1 − x) with the wrong sign.",
        ),
        "the integral divided out": (_times(lambda x: 1 / 0.20662), _RESCALED),
        "the mean divided out": (
            lambda x: norm.pdf(logit(x)) / norm.pdf(logit(x)).mean(),
            _RESCALED,
        ),
    },
    otherwise="How steep is f there, and what does that do to the density? Does yours sum up to "
    "one on a fine grid?",
    hints=[
        "$p_x(x) = p_z(f(x))\\,|df/dx|$. Which of its two factors is missing?",
        "$\\log\\frac{x}{1-x} = \\log x - \\log(1-x)$. Its derivative is "
        "$\\frac1x + \\frac1{1-x}$.",
    ],
    explanation="$\\frac{df}{dx} = \\frac1x + \\frac1{1-x} = \\frac1{x(1-x)}$. Without the factor "
    "every single value looks harmless, and nothing crashes. Only the integral tells.",
)


# --- 2: volume preserving? ----------------------------------------------------------------------

_VOLUME = {
    "Shift([0.5, 0.25])": True,
    "Scale([1, 0.5])": False,
    "Scale([2, 0.5])": True,
    "Permute([1, 0])": True,
    "additive coupling": True,
    "affine coupling": False,
}

q2 = Exercise(
    answer=_VOLUME,
    praise="Being invertible is one thing, keeping volumes another: the log-determinant is there "
    "because most flows do *not* keep them.",
    mistakes={
        "every bijection": (
            dict.fromkeys(_VOLUME, True),
            "Not every bijection keeps volumes: invertible means that nothing is lost, not that "
            "nothing is stretched. If all did, the log-determinant would always be 0.",
        ),
        "none": (
            dict.fromkeys(_VOLUME, False),
            "Some of them do keep every area. Follow a small square: is it moved, mirrored, "
            "sheared, or does it grow or shrink?",
        ),
        "turned around": (
            {name: not keeps for name, keeps in _VOLUME.items()},
            "Each of the six is the wrong way round: True means that areas stay as large.",
        ),
        "lengths": (
            {
                **dict.fromkeys(_VOLUME, False),
                "Shift([0.5, 0.25])": True,
                "Permute([1, 0])": True,
            },
            "You call True what keeps every *length*. A square may become long and thin, or "
            "slanting, and be as large as before.",
        ),
    },
    otherwise="Follow a little square, wherever it lies: how wide, how high and how slanting does "
    "it become, and how large is it then?",
    hints=[
        "Volume preserving means $|\\det df/dx| = 1$ at every point. Follow a little square.",
        "Mind the *absolute* value. For the couplings the Jacobian is triangular: what stands on "
        "its diagonal?",
    ],
    explanation="$|\\det df/dx|$ is 1 for the shift, $1\\cdot\\tfrac12$ for Scale([1, 0.5]), "
    "$2\\cdot\\tfrac12 = 1$ for Scale([2, 0.5]), $|-1| = 1$ for the permutation, $1\\cdot1$ for "
    "the additive coupling, and $e^{s(x_1)}$ for the affine one.\n\n"
    + as_code("volume_preserving", _VOLUME),
)


# --- 3: the check that somebody commented out ---------------------------------------------------


def _not_a_bijection(x):
    return x + 1.5 * np.sin(x)


_PAIRS = {
    "equal": (
        (1.0, 1.05),
        "a and b are equal, or almost: of course f gives them nearly the same. Look for two inputs "
        "more than 0.1 apart.",
    ),
    "slope zero": (
        (2.300524, 3.982661),
        "At your points the *slope* of f is 0: there the curve turns around. Near such a point "
        "values come twice: take one input left and one right of it.",
    ),
    "same sine": ((0.5, np.pi - 0.5), "Your points have the same sine, but f adds x to it."),
    "opposite": ((1.0, -1.0), "f(−x) is −f(x), not f(x): the two have opposite signs."),
    "too few digits": (
        (3.14, 4.65),
        "Nearly! f(a) and f(b) may differ by 0.001: give more digits.",
    ),
}


def _judge_pair(answer):
    a, b = (numbers(value, ()).item() for value in several(answer, 2, "number"))
    apart = _not_a_bijection(a) - _not_a_bijection(b)
    found = f"The difference f(a) − f(b) is {apart:.4g}."
    if abs(a - b) > 0.1 and abs(apart) <= 1e-3:
        return (
            f"{found} From such a value no inverse can tell where it came from: the check was "
            "right to fail, and the density computed without it adds up to more than one."
        )
    made = {
        "equal": abs(a - b) <= 0.1,
        "slope zero": np.allclose(1 + 1.5 * np.cos([a, b]), 0, atol=0.02),
        "same sine": np.isclose(np.sin(a), np.sin(b), atol=1e-3),
        "opposite": np.isclose(a, -b),
        "too few digits": abs(apart) < 0.05,
    }
    for mistake, is_made in made.items():
        if is_made:
            raise Wrong(f"{found} {_PAIRS[mistake][1]}")
    raise Wrong(f"{found} Two inputs with the *same* value are asked for.")


q3 = Exercise(
    answer=(np.pi, 4.637278),
    judge=_judge_pair,
    mistakes=_PAIRS,
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
)


# --- 4: a wrong sign ----------------------------------------------------------------------------


def _log_det(s, mask):
    return -(s * (1 - mask)).sum(axis=1)


_LARGE = np.random.default_rng(2).normal(size=(5, 4))
_OF_A_POINT = (
    "Every point, every row of s, has a log-determinant of its own: add up over its coordinates, "
    "and over nothing else."
)

q4 = Exercise(
    answer=_log_det,
    cases=[
        (np.array([[0.5, -1.0, 2.0], [0.3, 0.7, -0.2]]), np.array([1.0, 0.0, 0.0])),
        (_LARGE, np.array([0.0, 1.0, 0.0, 1.0])),
        (_LARGE[:1], np.array([1.0, 0.0, 0.0, 1.0])),
        (_LARGE[:4], np.array([0.0, 0.0, 0.0, 1.0])),  # as many points as coordinates
        (_LARGE[:3, :2], np.array([1.0, 1.0])),  # nothing is changed
    ],
    praise="f undoes the sampling, so it divides by exp(s), and the logarithm is −s. With the plus "
    "sign f could squeeze all data into z = 0 and be paid for it.",
    mistakes={
        "plus": (
            lambda s, mask: (s * (1 - mask)).sum(axis=1),
            "That is log|det dx/dz|, the stretch in *sampling*. Scoring goes from x to z.",
        ),
        "no mask": (
            lambda s, mask: -s.sum(axis=1),
            "The mask is forgotten. A kept coordinate is not stretched: it adds log 1 = 0, "
            "whatever the network says for it.",
        ),
        "no mask, plus": (
            lambda s, mask: s.sum(axis=1),
            "The mask is forgotten, and the sign is that of sampling.",
        ),
        "mask inverted": (
            lambda s, mask: -(s * mask).sum(axis=1),
            "The mask is inverted: 1 means kept, and the *others* are stretched.",
        ),
        "mean": (
            lambda s, mask: -(s * (1 - mask)).mean(axis=1),
            "That is a mean. A determinant is the *product* of the stretches, so its logarithm is "
            "their sum, not divided by anything.",
        ),
        "determinant": (
            lambda s, mask: np.exp(_log_det(s, mask)),
            "That is a determinant. Its logarithm is asked for: no exp is needed, and for many "
            "coordinates exp would overflow.",
        ),
        "one number": (lambda s, mask: -(s * (1 - mask)).sum(), _OF_A_POINT),
        "over the points": (lambda s, mask: -(s * (1 - mask)).sum(axis=0), _OF_A_POINT),
        "not added up": (lambda s, mask: -(s * (1 - mask)), _OF_A_POINT),
    },
    otherwise="The Jacobian is triangular: which numbers stand on its diagonal, and what do their "
    "logarithms add up to?",
    hints=[
        "Solve $x = z\\,e^{s} + t$ for $z$. By what is a changed coordinate multiplied?",
        "The Jacobian $df/dx$ is triangular, with 1 (kept) or $e^{-s}$ (changed) on the diagonal. "
        "`1 - mask` picks the changed ones.",
    ],
    explanation="$z = (x - t)\\,e^{-s}$ on the changed coordinates. The Jacobian is triangular, "
    "so $\\log\\det$ is the sum of the logarithms on its diagonal: 0 for kept coordinates, $-s$ "
    "for changed ones.",
)


# --- 5: the permutation that was left out -------------------------------------------------------

_STANDS_STILL = "it leaves the flow as it came. Each coordinate needs a 0 somewhere."
_IN_ORDER = "a coordinate that knows of it must be among the kept ones: follow the four in order."
_MASKS = {
    "the same": ([[1, 1, 0]] * 4, "The mask is the same four times: what it keeps leaves the flow"),
    "one never changed": ([[1, 1, 0], [1, 0, 1]] * 2, _STANDS_STILL),
    "all kept": ([[1, 1, 1]] * 4, "keeps all three coordinates: it changes nothing."),
    "all changed": (
        [[0, 0, 0]] * 4,
        "keeps no coordinate: then nothing is left for its network to look at.",
    ),
    "swapped, but too late": ([[0, 0, 1]] * 3 + [[1, 1, 0]], _IN_ORDER),
    "no mask": ([[1, 2, 0]] * 4, "A mask holds only 0 (changed) and 1 (kept)."),
}


def _reaches(masks):
    """Return (3, 3) booleans: whether output coordinate i can depend on input j."""
    depends = np.eye(3, dtype=bool)
    for mask in masks:
        kept = depends[mask == 1].any(axis=0)
        depends = np.where(mask[:, None] == 1, depends, depends | kept)
    return depends


def _judge_masks(answer):
    masks = numbers(answer, (4, 3))
    if not np.isin(masks, (0, 1)).all():
        raise Wrong(_MASKS["no mask"][1])
    for value, mistake in ((1, "all kept"), (0, "all changed")):
        bad = np.flatnonzero((masks == value).all(axis=1))
        if len(bad):
            raise Wrong(f"Coupling {bad[0] + 1} {_MASKS[mistake][1]} Keep one or two of the three.")
    if (masks == masks[0]).all():
        raise Wrong(f"{_MASKS['the same'][1]} as it came, however many couplings there are.")
    never = np.flatnonzero(masks.min(axis=0) == 1)
    if len(never):
        raise Wrong(
            f"The masks differ, but coordinate {never[0] + 1} is kept by all four: {_STANDS_STILL}"
        )
    reaches = _reaches(masks)
    if not reaches.all():
        to, source = np.argwhere(~reaches)[0] + 1
        raise Wrong(
            f"Each coordinate is changed somewhere, but output {to} never hears of input {source}. "
            f"When coordinate {to} is changed, {_IN_ORDER}"
        )


q5 = Exercise(
    answer=tuple(np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 1, 0]])),
    judge=_judge_masks,
    praise="Every output can depend on every input: nothing is left out, and nothing stands still.",
    mistakes=_MASKS,
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
_COUPLINGS = ("coupling scores", "coupling samples")
_FIRST = (
    "63 is nearly right where coordinate follows coordinate, but the first one counts too: it "
    "looks at no other, yet its shift and scale come from the network."
)
_TWO_HALVES = (
    "A coupling has two halves, but only one of them goes through the network. The other is only "
    "stretched and shifted."
)
_EXCHANGED = {"MAF scores": 64, "MAF samples": 1, "IAF scores": 1, "IAF samples": 64}

q6 = Exercise(
    answer=_PASSES,
    praise="Choose by what you do often: MAF to score, IAF to sample (as in variational "
    "inference), couplings for both, since their network looks only at what it keeps.",
    mistakes={
        "all one": (
            dict.fromkeys(_PASSES, 1),
            "Not everything takes one pass. The network of coordinate i looks at the coordinates "
            "before it: in one direction these are given, in the other they must be made first.",
        ),
        "all D": (
            dict.fromkeys(_PASSES, 64),
            "Not everything has to wait: where all inputs are given, one pass does it.",
        ),
        "exchanged": (
            _EXCHANGED,
            "MAF and IAF are exchanged. MAF's network looks at the *data* x, IAF's at the *noise* "
            "z: which of them does scoring have at hand, and which sampling?",
        ),
        "MAF without the first": ({"MAF samples": 63}, _FIRST),
        "IAF without the first": ({"IAF scores": 63}, _FIRST),
        "coupling inverted in turn": (
            {"coupling samples": 64},
            "The coupling need not wait for one coordinate after the other: what does its network "
            "look at, and where do x and z agree?",
        ),
        **{f"{name}, both halves": ({name: 2}, _TWO_HALVES) for name in _COUPLINGS},
        **{
            f"{name}, half of D": (
                {name: 32},
                "The 32 coordinates that a coupling changes do not look at each other.",
            )
            for name in _COUPLINGS
        },
    },
    otherwise="Ask for each of the six: what does that network look at, and is all of it there at "
    "the start?",
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
)
