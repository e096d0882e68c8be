"""Answers to the exercises of `flows`; test_exercises.py holds them.

RIGHT are right in other clothes; WRONG pass a case or look right, each with a part of what it is
told.
"""

import math
from statistics import NormalDist

import numpy as np
import pytest
import scipy.special
import tensorflow as tf
import tensorflow_probability as tfp
from keras import ops
from scipy.integrate import quad
from scipy.optimize import brentq, fsolve
from scipy.stats import norm

from course_utils.exercises.flows import q1, q2, q5

# --- 1 ------------------------------------------------------------------------------------------


def density_in_loops(x):
    values = []
    for one in x:
        z = math.log(one) - math.log(1 - one)
        values.append(NormalDist().pdf(z) * (1 / one + 1 / (1 - one)))
    return values


def density_in_place(x):
    p = norm.pdf(scipy.special.logit(x))
    p /= x
    x -= 1
    p /= -x
    return p


def density_by_differences(x, h=1e-6):
    slope = (scipy.special.logit(x + h) - scipy.special.logit(x - h)) / (2 * h)
    return norm.pdf(scipy.special.logit(x)) * slope


def density_by_tape(x):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        z = tf.math.log(x / (1 - x))
    return tfp.distributions.Normal(np.float64(0), 1).prob(z) * tf.abs(tape.gradient(z, x))


def density_by_gradient(x):
    z = np.log(x / (1 - x))
    return norm.pdf(z) * np.gradient(z, x)


# --- 2 ------------------------------------------------------------------------------------------

PLANE = {
    "Shift([0.5, 0.25])": lambda x1, x2: (x1 + 0.5, x2 + 0.25),
    "Scale([1, 0.5])": lambda x1, x2: (x1, 0.5 * x2),
    "Scale([2, 0.5])": lambda x1, x2: (2 * x1, 0.5 * x2),
    "Permute([1, 0])": lambda x1, x2: (x2, x1),
    "additive coupling": lambda x1, x2: (x1, x2 + np.sin(3 * x1)),
    "affine coupling": lambda x1, x2: (x1, x2 * np.exp(np.sin(x1)) + np.cos(x1)),
}


def area_factors(bijection, h=1e-5):
    """|det df/dx| at some points of the plane, by central differences."""
    x1, x2 = np.random.default_rng(3).normal(size=(2, 20))
    (a, c), (b, d) = (
        (np.array(bijection(x1 + dx1, x2 + dx2)) - np.array(bijection(x1 - dx1, x2 - dx2))) / 2 / h
        for dx1, dx2 in ((h, 0), (0, h))
    )
    return np.abs(a * d - b * c)


def keeping(*kept):
    """An answer that says True of the bijections at these places."""
    return {name: place in kept for place, name in enumerate(PLANE)}


# --- 3 and 4 ------------------------------------------------------------------------------------


def fold(x):
    return x + 1.5 * np.sin(x)


def log_det_in_loops(s, mask):
    sums = []
    for row in s:
        total = 0.0
        for number, kept in zip(row, mask, strict=True):
            if not kept:
                total -= number
        sums.append(total)
    return sums


def log_det_in_place(s, mask):
    s *= mask - 1
    return s.sum(axis=1)


def log_det_of_jacobians(s, mask):
    jacobians = [np.diag(np.where(mask == 1, 1, np.exp(-row))) for row in s]
    return np.linalg.slogdet(np.stack(jacobians))[1]


# --- all ----------------------------------------------------------------------------------------

D = 64


def passes(*numbers):
    kinds = ("MAF", "IAF", "coupling")
    names = [f"{kind} {task}" for kind in kinds for task in ("scores", "samples")]
    return dict(zip(names, numbers, strict=True))


RIGHT = {
    "q1": {
        "loops": density_in_loops,
        "in place": density_in_place,
        "differences": density_by_differences,
        "automatic differentiation": density_by_tape,
        "TFP's": lambda x: tfp.distributions.LogitNormal(np.float64(0), 1).prob(x),
        "through the logarithm": lambda x: np.exp(
            norm.logpdf(scipy.special.logit(x)) - np.log(x) - np.log1p(-x)
        ),
    },
    "q2": {
        "measured": {name: np.allclose(area_factors(f), 1) for name, f in PLANE.items()},
        "zeros and ones": dict(zip(PLANE, (1, 0, 1, 1, 1, 0), strict=True)),
        "words": dict(zip(PLANE, ("true", "false", *["True"] * 3, "False."), strict=True)),
    },
    "q3": {
        "root": (np.pi, brentq(lambda x: fold(x) - np.pi, 4, 6)),
        "the larger first": [brentq(lambda x: fold(x) - np.pi, 4, 6), np.pi],
        "typed digits": (3.1416, 4.637),
        "another value": (2.0, brentq(lambda x: fold(x) - fold(2), 2.4, 3.9)),
        "mirrored at pi": np.pi + np.array([-1.4957, 1.4957]),
        "negative": (-np.pi, -4.6373),
        "a solver's": (np.pi, fsolve(lambda x: fold(x) - np.pi, 5)),
        "single precision": tf.constant([3.1416, 4.6373]),
    },
    "q4": {
        "loops": log_det_in_loops,
        "in place": log_det_in_place,
        "where": lambda s, mask: np.where(mask == 1, 0, -s).sum(axis=-1),
        "chosen": lambda s, mask: -s[:, mask == 0].sum(axis=1),
        "product": lambda s, mask: s @ (mask - 1),
        "log of a product": lambda s, mask: np.log(np.prod(np.exp(-s * (1 - mask)), axis=1)),
        "Jacobians": log_det_of_jacobians,
        "Keras": lambda s, mask: -ops.sum((1 - mask) * s, axis=1),
        "TensorFlow": lambda s, mask: tf.reduce_sum(s * (mask - 1), axis=1),
    },
    "q5": {
        "lists": [[1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 0, 1]],
        "two are enough": ([1, 1, 0], [0, 0, 1], [1, 1, 0], [0, 0, 1]),
        "permuted": np.array([np.roll([1, 1, 0], k) for k in range(4)]),
        "true and false": np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1], [0, 0, 1]]) == 1,
        "another first": ([0, 1, 1], [1, 0, 1], [1, 1, 0], [0, 1, 1]),
        "one kept each": ([1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]),
    },
    "q6": {
        "by name": passes(1, D, D, 1, 1, 1),
        "floats": passes(1.0, 64.0, 64.0, 1.0, 1.0, 1.0),
        "NumPy": passes(*np.array([1, 64, 64, 1, 1, 1])),
        "of one point": passes(*([n] for n in (1, 64, 64, 1, 1, 1))),
    },
}
WRONG = {
    "q1": {
        "right at a half": (lambda x: 4 * norm.pdf(scipy.special.logit(x)), "too small"),
        "right at three": (
            lambda x: np.interp(x, [0.2, 0.5, 0.9], q1.answer(np.array([0.2, 0.5, 0.9]))),
            "too large",
        ),
        "by its neighbours": (density_by_gradient, "for x = 0.2, one of your"),
        "log-normal": (lambda x: norm.pdf(np.log(x)) / x, "how steep is f there"),
        "logarithm of the factor": (
            lambda x: norm.pdf(scipy.special.logit(x)) + 1 / x + 1 / (1 - x) - 1,
            "too large",
        ),
        "half of the factor": (
            lambda x: norm.pdf(scipy.special.logit(x)) / (1 - x),
            "for x = 0.2, one of your numbers is",
        ),
        "the integral": (lambda x: quad(q1.answer, 0.001, 0.999)[0], "one number came instead"),
        "one number only": (
            lambda x: NormalDist().pdf(math.log(x / (1 - x))) / (x * (1 - x)),
            "your function stopped with `TypeError",
        ),
        "text of the stub": (lambda: 0, "has to take one argument: x"),
    },
    "q2": {
        "the sign counts": (keeping(0, 2, 4), "five of the six are right"),
        "couplings both": (keeping(0, 2, 3, 4, 5), "five of the six are right"),
        "a single factor": (keeping(0, 3, 4), "five of the six are right"),
        "couplings none": (keeping(0, 2, 3), "five of the six are right"),
        "scales only": (keeping(1, 2), "two of the six are right"),
        "determinants": (
            dict(zip(PLANE, (1, 0.5, 1, -1, 1, 0.7), strict=True)),
            "answer with True or False",
        ),
    },
    "q3": {
        "any two": ((1.0, 2.0), "is -1.102. Two inputs"),
        "two digits": ((3.14, 4.64), "Nearly!"),
        "exchanged with the values": ((fold(1.0), 1.0), "Two inputs"),
        "twice the same": ((np.pi, np.pi), "equal, or almost"),
        "one period": ((1.0, 1.0 + 2 * np.pi), "the same sine"),
        "too near": ((2.2958, 2.3053), "more than 0.1 apart"),
        "three": ((np.pi, 4.637278, 1.645907), "three numbers came instead of two"),
        "pairs": (([np.pi, 1.0], [4.637278, 2.0]), "two numbers came instead of one number"),
        "a function": (fold, "a function came instead of two numbers"),
    },
    "q4": {
        "right for the first mask": (lambda s, mask: -s[:, 1:].sum(axis=1), "mask = [0, 1, 0, 1]"),
        "right where one is kept": (
            lambda s, mask: -s.sum(axis=1) + s[:, np.argmax(mask)],
            "mask = [0, 1, 0, 1], one of your numbers",
        ),
        "sizes": (lambda s, mask: -np.abs(s * (1 - mask)).sum(axis=1), "which is too small"),
        "kept, plus": (lambda s, mask: (s * mask).sum(axis=1), "one of your numbers is"),
        "divided": (lambda s, mask: 1 / np.exp((s * (1 - mask)).sum(axis=1)) - 1, "diagonal"),
        "mean over the changed": (
            lambda s, mask: -(s * (1 - mask)).sum(axis=1) / max((1 - mask).sum(), 1),
            "one of your numbers is",
        ),
        "a column": (
            lambda s, mask: -(s * (1 - mask)).sum(axis=1, keepdims=True),
            "an array of two rows and one column came instead of two numbers",
        ),
        "no return": (lambda s, mask: print(end=""), "returns nothing (None)"),
    },
    "q5": {
        "right backwards only": (
            ([0, 0, 1], [0, 0, 1], [1, 1, 0], [1, 1, 0]),
            "output 1 never hears of input 2",
        ),
        "two take turns": (([1, 1, 0], [0, 1, 1]) * 2, "coordinate 2 is kept by all four"),
        "in two halves": (([1, 0, 0], [1, 0, 0], [0, 1, 1], [0, 1, 1]), "output 2 never hears of"),
        "another four times": (([0, 1, 1],) * 4, "the same four times"),
        "shares": (([0.5, 0.5, 0],) * 4, "holds only 0 (changed) and 1 (kept)"),
        "one keeps all": (([1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 1, 1]), "coupling 4 keeps all"),
        "three": (([1, 1, 0], [1, 0, 1], [0, 1, 1]), "three rows and three columns came instead"),
        "names": (("xy", "xz", "yz", "xy"), "a tuple of four things came instead of"),
        "one": ([1, 1, 0], "three numbers came instead of an array of four rows"),
    },
    "q6": {
        "IAF cheap": (passes(1, 64, 1, 1, 1, 1), "five of the six are right"),
        "MAF cheap": (passes(1, 1, 64, 1, 1, 1), "five of the six are right"),
        "both cheap to score": (passes(1, 64, 1, 64, 1, 1), "four of the six are right"),
        "half": (passes(1, 32, 32, 1, 1, 1), "four of the six are right"),
        "one more": (passes(1, 65, 65, 1, 1, 1), "four of the six are right"),
        "63 where it is one": (passes(63, 64, 64, 1, 1, 1), "five of the six are right"),
        "both at a time": (passes(1, (1, 64), 64, 1, 1, 1), "MAF samples: two numbers came"),
    },
}


def test_the_density_integrates_to_one_and_the_former_one_does_not():
    assert quad(q1.answer, 1e-9, 1 - 1e-9)[0] == pytest.approx(1, abs=1e-6)
    forgotten = quad(q1.mistakes["no factor"][0], 1e-9, 1 - 1e-9)[0]
    divided = q1.mistakes["the integral divided out"][0]
    assert divided(0.3) == pytest.approx(q1.mistakes["no factor"][0](0.3) / forgotten, rel=1e-4)


@pytest.mark.parametrize("name", PLANE)
def test_areas_are_kept_where_the_answer_says_so(name):
    assert np.allclose(area_factors(PLANE[name]), 1, atol=1e-6) == q2.answer[name]


def test_the_masks_of_the_solution_work_both_ways():
    assert q5.verdict(q5.answer[::-1])[0]
