"""Answers to the exercises of `convolutions`; test_exercises.py holds them.

RIGHT are right in other clothes; WRONG pass a case or look right, each with a part of what it is
told.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage, signal

from course_utils.exercises.convolutions import q1, q3, q4, q5, q6

# --- right --------------------------------------------------------------------------------------


def by_fourier(x, w):
    size = [a + b - 1 for a, b in zip(x.shape, w.shape, strict=True)]
    full = np.fft.irfft2(np.fft.rfft2(x, size) * np.fft.rfft2(w, size), size)
    return full[len(w) - 1 : len(x), w.shape[1] - 1 : x.shape[1]]


def by_the_formula(x, w):
    rows, columns = w.shape
    return [
        [
            sum(x[i - a, j - b] * w[a, b] for a in range(rows) for b in range(columns))
            for j in range(columns - 1, x.shape[1])
        ]
        for i in range(rows - 1, len(x))
    ]


def counted(n, k, stride, padding, dilation):
    ends = (first + dilation * (k - 1) for first in range(0, n + 2 * padding, stride))
    return sum(end < n + 2 * padding for end in ends)


def places_by_keras(n, k, stride, padding, dilation):
    """Keras takes no stride beside a dilation, so every stride-th place is taken."""
    x = tf.zeros((1, n + 2 * padding, 1))
    z = keras.ops.conv(x, tf.zeros((k, 1, 1)), 1, "valid", dilation_rate=dilation)
    return len(z[0, ::stride])


def middles_by_keras(n, k, stride):
    taps = np.zeros((k, 1, 1))
    taps[k // 2] = 1
    ramp = np.arange(n, dtype=float).reshape(1, n, 1)
    return np.ravel(keras.ops.conv(ramp, taps, stride, "same"))


def middles_one_by_one(n, k, stride):
    zeros = 0
    while (n + zeros - k) // stride + 1 < -(-n // stride) or n + zeros < k:
        zeros += 1
    return [i * stride - zeros // 2 + (k - 1) // 2 for i in range((n + stride - 1) // stride)]


def parameters_by_sum(side, k, channels, filters):
    window = sum(k * k * channels + 1 for _ in range(filters))
    return [window, window * side**2, side**4 * channels * filters + side * side * filters]


def back_by_the_tape(G, w):
    x = tf.Variable(np.zeros((len(G) + len(w) - 1, G.shape[1] + w.shape[1] - 1)))
    with tf.GradientTape() as tape:
        z = tf.nn.conv2d(x[None, :, :, None], tf.constant(w)[:, :, None, None], 1, "VALID")
        loss = tf.reduce_sum(z[0, :, :, 0] * G)
    return tape.gradient(loss, x)


def back_by_padding(G, w):
    rows, columns = w.shape
    wide = np.pad(G, ((rows - 1, rows - 1), (columns - 1, columns - 1)))
    return signal.correlate2d(wide, w[::-1, ::-1], "valid")


RIGHT = {
    "q1": {
        "SciPy": lambda x, w: signal.convolve2d(x, w, "valid"),
        "Fourier": by_fourier,
        "the formula": by_the_formula,
        "correlation, flipped": lambda x, w: signal.correlate2d(x, np.flip(w), "valid"),
        "half a turn": lambda x, w: signal.correlate2d(x, np.rot90(w, 2), "valid"),
    },
    "q2": {
        "counted": counted,
        "Keras": places_by_keras,
        "rounded": lambda n, k, s, p, d: np.floor((n + 2 * p - d * (k - 1) - 1) / s + 1),
        "integer": lambda n, k, s, p, d: int((n + 2 * p - d * k + d - 1) / s) + 1,
    },
    "q6": {
        "Keras": middles_by_keras,
        "one by one": middles_one_by_one,
        "a list": lambda *given: [int(middle) for middle in q6.answer(*given)],
    },
    "q3": {
        "by sum": parameters_by_sum,
        "tuple of floats": lambda *given: tuple(map(float, q3.answer(*given))),
        "an array": lambda *given: np.array(q3.answer(*given)),
    },
    "q4": {
        "the tape": back_by_the_tape,
        "padding": back_by_padding,
        "SciPy": lambda G, w: signal.convolve2d(G, w),
        "order": lambda G, w: signal.convolve2d(w, G, "full"),
    },
    "q5": {
        "capitals": {name: value.upper() for name, value in q5.answer.items()},
        "full stops": {name: f"{value}." for name, value in q5.answer.items()},
        "another order": dict(reversed(q5.answer.items())),
    },
}


# --- wrong --------------------------------------------------------------------------------------

WRONG = {
    "q1": {
        "same size": (lambda x, w: ndimage.convolve(x, w), "came instead of"),
        "full": (lambda x, w: signal.convolve2d(x, w), "came instead of"),
        "correlation": (lambda x, w: signal.correlate2d(x, w, "valid"), "nothing is flipped"),
        "wrapped round": (
            lambda x, w: [
                [
                    sum(x[i - a, j - b] * w[a, b] for a, b in np.ndindex(w.shape))
                    for j in range(x.shape[1] - w.shape[1] + 1)
                ]
                for i in range(len(x) - len(w) + 1)
            ],
            "the *last* row",
        ),
        "a quarter turn": (lambda x, w: q1.answer(x, np.rot90(w)), ""),
        "mean": (lambda x, w: q1.answer(x, w) / w.size, "one of your numbers is"),
    },
    "q2": {
        "right for stride 1": (lambda n, k, s, p, d: n + 2 * p - d * (k - 1), "stride is missing"),
        "same": (lambda n, k, s, p, d: -(-n // s), "you give"),
        "no dilation": (lambda n, k, s, p, d: (n + 2 * p - k) // s + 1, "dilation is missing"),
        "reach too short": (lambda n, k, s, p, d: (n + 2 * p - d * (k - 1)) // s + 1, "too short"),
        "reach": (lambda n, k, s, p, d: d * (k - 1) + 1, "you give"),
    },
    "q6": {
        "odd sides only": (lambda n, k, s: np.arange(0, n, s), "You begin at pixel 0"),
        "even sides only": (lambda n, k, s: np.arange(n)[1::s], ""),
        "beginnings": (lambda n, k, s: q6.answer(n, k, s) - k // 2, "window *begins*"),
        "mathematical counting": (lambda n, k, s: q6.answer(n, k, s) + 1, "not right"),
    },
    "q3": {
        "the first": (lambda *given: q3.answer(*given)[0], "came"),
        "no biases": (
            lambda n, k, c, f: (k * k * c * f, n * n * k * k * c * f, n**4 * c * f),
            "biases are missing",
        ),
        "a dense layer to one pixel": (
            lambda n, k, c, f: (*q3.answer(n, k, c, f)[:2], (n * n * c + 1) * f),
            "makes *all*",
        ),
        "one dense bias": (
            lambda n, k, c, f: (*q3.answer(n, k, c, f)[:2], n**4 * c * f + f),
            "every output has a bias",
        ),
        "grey": (lambda n, k, c, f: q3.answer(n, k, 1, f), "you give 320, which is too small"),
    },
    "q4": {
        "as written": (lambda G, w: back_by_padding(G, w[::-1, ::-1]), "the flip is missing"),
        "valid": (lambda G, w: signal.convolve2d(G, w, "same"), "came instead of"),
        "one direction": (lambda G, w: q4.answer(G, w[::-1]), "in one direction only"),
        "slopes flipped": (lambda G, w: q4.answer(np.flip(G), w), "You flip G"),
        "swapped": (lambda G, w: q4.answer(G, w) * 2, "one of your numbers is"),
    },
    "q5": {
        "dense hurt": (
            {
                "windows, in order": "best",
                "windows, shuffled": "middle",
                "dense, in order": "middle",
                "dense, shuffled": "worst",
            },
            "What does a dense layer know",
        ),
        "windows level": (
            {
                "windows, in order": "middle",
                "windows, shuffled": "middle",
                "dense, in order": "best",
                "dense, shuffled": "worst",
            },
            "pixels side by side",
        ),
        "all the best": (dict.fromkeys(q5.answer, "best"), "One of the four is right"),
        "a word of one's own": (q5.answer | {"dense, in order": "good"}, "answer with one of"),
    },
}


# --- what the exercises say, tried out ----------------------------------------------------------


@pytest.mark.parametrize(("x", "w"), q1.cases)
def test_the_answers_are_those_of_scipy(x, w):
    np.testing.assert_allclose(q1.answer(x, w), signal.convolve2d(x, w, "valid"), atol=1e-12)
    np.testing.assert_allclose(q4.answer(x, w), signal.convolve2d(x, w), atol=1e-12)


def test_the_middles_are_those_of_keras_everywhere():
    for n in range(3, 12):
        for k in (1, 3, 5):
            for stride in (1, 2, 3):
                if n >= k:
                    expected = middles_by_keras(n, k, stride)
                    np.testing.assert_array_equal(q6.answer(n, k, stride), expected)


def test_the_parameters_of_the_praise():
    assert q3.answer(28, 3, 16, 32) == (4_640, 3_637_760, 314_728_960)
    layer = keras.layers.Conv2D(32, 3)
    layer.build((None, 28, 28, 16))
    assert layer.count_params() == 4_640
    assert "4,640 parameters, 3.6 million, 315 million" in q3.praise
