"""Exercises of the lesson `transfer_learning`."""

import numpy as np

from course_utils.exercises import Exercise, as_code

# --- 1: the missing baseline --------------------------------------------------------------------


def _nearest_over_shifts(x, y, asked):
    moved = [np.roll(asked, k) for k in range(len(asked))]
    apart = [min(((row - m) ** 2).sum() for m in moved) for row in x]
    return y[np.argmin(apart)]


def _cases():
    """Signals of which another one is nearest without shifts, or with those of one side."""
    rng, cases = np.random.default_rng(5), []
    for rows, length, shift in ((4, 8, 3), (5, 10, 8), (3, 7, 5), (6, 9, 1), (2, 6, 0), (4, 8, 4)):
        x = rng.normal(size=(rows, length))
        hit = rng.integers(rows)
        x[(hit + 1) % rows] *= 3  # has the largest products with everything
        asked = np.roll(x[hit], shift) + rng.normal(0, 0.2, length)
        cases.append((x, rng.permutation(rows) + 3, asked))
    a, noise, few = rng.normal(size=(3, 40))
    single, many = 3.0 * (np.arange(40) == 7), 0.5 * np.sign(few)
    for x, asked in (
        (
            np.stack([np.roll(a, -23), 0.3 * noise, 0.3 * few]),
            a,
        ),  # more shifts than a short signal has
        (np.stack([np.roll(a, 3) + 0.1 * noise, a]), a + 0.01 * few),  # shift 0
        (np.stack([a, a + 2 + 0.2 * noise]), np.roll(a, 2) + 2),  # apart by a constant
        (np.stack([a + single, a + many]), a),  # 9 and 10: one large difference, many small ones
        (np.stack([a + 1.2 * single, a + 0.9 * many]), a),  # 13 and 8
        (np.stack([3 * a, a + 0.3 * noise]), np.roll(a, 30)),  # the same form, another size
    ):
        cases.append((x, np.arange(len(x)) + 4, asked))
    return cases


def _with(measure, shifts=None):
    """The answer with another measure of distance, over some shifts only."""

    def nearest(x, y, asked):
        n = len(asked)
        moved = [np.roll(asked, k) for k in (range(n) if shifts is None else shifts(n))]
        return y[np.argmin([measure([row - m for m in moved], row, moved) for row in x])]

    return nearest


def _least(apart, row, moved):
    return min((d**2).sum() for d in apart)


q1 = Exercise(
    answer=_nearest_over_shifts,
    cases=_cases(),
    praise="A rival that nobody trains. It is told that shifts do not matter, and nothing else.",
    mistakes={
        "no shifts": (
            _with(_least, lambda n: [0]),
            "That is the nearest neighbour without shifts. Try every `np.roll(asked, k)`.",
        ),
        "the row": (
            lambda x, y, asked: np.argmin(
                [min(((row - np.roll(asked, k)) ** 2).sum() for k in range(len(row))) for row in x]
            ),
            "That is the number of the row. Asked is its kind, `y` of that row.",
        ),
        "the shift": (
            lambda x, y, asked: np.argmin(
                [((x - np.roll(asked, k)) ** 2).sum(axis=1).min() for k in range(len(asked))]
            ),
            "That is the best shift. Asked is the kind of the row where the difference is least.",
        ),
        "some shifts": (
            _with(_least, lambda n: range(n // 2)),
            "Some shifts are missing: a signal of n pixels has n circular shifts.",
        ),
        "without shift 0": (
            _with(_least, lambda n: range(1, n)),
            "The signal as it stands is missing: `k = 0` is one of the shifts.",
        ),
        "absolute differences": (
            _with(lambda apart, row, moved: min(np.abs(d).sum() for d in apart)),
            "You add up the absolute differences. Square them.",
        ),
        "largest difference": (
            _with(lambda apart, row, moved: min(np.abs(d).max() for d in apart)),
            "That is the largest difference. All pixels count: add up the squares.",
        ),
        "cosine": (
            _with(lambda apart, row, moved: -max(row @ m for m in moved) / np.linalg.norm(row)),
            "You divide by the size of the row. Then a row of the same form and another size is as "
            "near as can be; with squared differences it is not.",
        ),
        "mean over shifts": (
            _with(lambda apart, row, moved: np.mean([(d**2).sum() for d in apart])),
            "You add up over the shifts. The *best* shift decides: take the smallest.",
        ),
        "correlation": (
            _with(lambda apart, row, moved: -max(row @ m for m in moved)),
            "That is the largest product. A large row has large products with everything; take "
            "the smallest sum of squared differences.",
        ),
        "sum before the square": (
            _with(lambda apart, row, moved: min(d.sum() ** 2 for d in apart)),
            "You add up before you square. A shift does not change the sum of a signal.",
        ),
    },
    otherwise="Two loops do it: over the rows of `x`, and over all shifts of `asked`.",
    hints=[
        "`((x - np.roll(asked, k))**2).sum(axis=1)` is what one shift gives, for all rows at once.",
        "Stack these for all `k`, take the smallest over `k`, then the row with the smallest of "
        "these (`argmin`), and then its kind.",
    ],
    explanation="For each row the best shift counts, and of all rows the nearest.",
)

# --- 2: whose constants? ------------------------------------------------------------------------


def _prepare(x_mv, their_mean, their_sd):
    return (x_mv / 1000 - their_mean) / their_sd


_x = np.array([[120.0, -250.0, 900.0, 40.0], [3000.0, -1200.0, 10.0, 0.0]])
q2 = Exercise(
    answer=_prepare,
    cases=[(_x, 0.2, 1.5), (3 * _x + 70, -0.4, 0.03), (_x[:1], 0.0, 1.0), (_x[0], 1.0, 0.5)],
    tolerance=1e-3,
    praise="Their constants belong to their weights. Five signals of yours could not even tell "
    "your own constants well.",
    mistakes={
        "own constants": (
            lambda x, m, s: (x - x.mean()) / x.std(),
            "These are the constants of *your* signals. Their weights were made for signals in "
            "units of `their_sd`.",
        ),
        "each signal": (
            lambda x, m, s: (x - x.mean(axis=-1, keepdims=True)) / x.std(axis=-1, keepdims=True),
            "You standardise each signal by itself. Then all have the same size, and their network "
            "has never seen such signals.",
        ),
        "millivolts": (
            lambda x, m, s: (x - m) / s,
            "Your signals are in millivolts, their constants in volts.",
        ),
        "converted last": (
            lambda x, m, s: (x - m) / s / 1000,
            "You subtract volts from millivolts. Convert first.",
        ),
        "the wrong way": (
            lambda x, m, s: (x * 1000 - m) / s,
            "A millivolt is a thousandth of a volt, not a thousand volts.",
        ),
        "variance": (
            lambda x, m, s: (x / 1000 - m) / s**2,
            "Divide by the standard deviation, not by the variance.",
        ),
        "divided first": (
            lambda x, m, s: x / 1000 / s - m,
            "Subtract the mean first, then divide the difference.",
        ),
        "only converted": (
            lambda x, m, s: x / 1000,
            "In volts, yes. But their network never saw volts: it saw standardised signals.",
        ),
    },
    otherwise="Two steps: into their units, and then what they did to every signal of theirs.",
    hints=[
        "What did they do to a signal before the network saw it? Do the same to yours.",
        "First divide by 1000.",
    ],
    explanation="Whatever stood before their weights is a part of their network, with its "
    "constants. (In Keras it can be a layer, `Normalization`, and then it travels with the "
    "weights.)",
)

# --- 3: freezing, and when ----------------------------------------------------------------------

_changed = {"a": 125, "b": 6077, "c": 269}

q3 = Exercise(
    answer=_changed,
    praise="`trainable` is read when training is prepared, and `compile` has it prepared anew.",
    mistakes={
        "b": (
            {"a": 125, "b": 125},
            "In b the first `fit` has prepared training for all weights; nobody compiled since.",
        ),
        "c opened for all": (
            {"a": 125, "c": 6077},
            "In c only one layer is opened again. Which weights are trained then?",
        ),
        "c not compiled": (
            {"a": 125, "b": 6077, "c": 125},
            "In c the model is compiled once more after the layer was opened.",
        ),
        "c without the head": (
            {"a": 125, "c": 144},
            "In c the head is still trained as well.",
        ),
        "layer 0": (
            {"a": 125, "c": 3029},
            "`model.layers[0]` shifts the signals and has no weights to train. `model.layers[1]` "
            "is the first layer of windows.",
        ),
    },
    otherwise="Ask for each: what was trainable at the first `fit` after the last `compile`?",
    hints=[
        "`fit` builds its step when it is first called after `compile`, from what is trainable "
        "then. Later calls use that step again.",
        "In c the last line trains the first layer of windows and the head.",
    ],
    explanation="a: only the head, 125. b: all 6077, since the step was built before the layers "
    "were frozen. c: $144 + 125 = 269$.\n\n" + as_code("changed", _changed),
)

# --- 4: the scatter within ----------------------------------------------------------------------


def _scatter_within(h, y):
    rest = np.concatenate([h[y == kind] - h[y == kind].mean(axis=0) for kind in np.unique(y)])
    return rest.T @ rest / len(h)


def _unequal(sizes, names, d, seed):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(names, sizes))
    return rng.normal(size=(len(y), d)) + 2.0 * rng.normal(size=(20, d))[y], y


q4 = Exercise(
    answer=_scatter_within,
    cases=[
        _unequal((3, 6, 4), (0, 1, 2), 3, 0),
        _unequal((7, 2), (4, 9), 2, 1),
        _unequal((5, 5, 1), (3, 0, 7), 4, 2),
        _unequal((6,), (2,), 2, 3),
        _unequal((4, 3), (-3, 1), 3, 4),
    ],
    praise="What is left after each kind's own mean is taken away. Nothing in it says which kinds "
    "they were.",
    mistakes={
        "all scatter": (
            lambda h, y: np.cov(h.T, bias=True),
            "That is the scatter of all signals around *one* mean. It also holds the differences "
            "between kinds, which you want to keep.",
        ),
        "all scatter, N - 1": (
            lambda h, y: np.cov(h.T),
            "That is the scatter of all signals around *one* mean. Take each kind's own mean away.",
        ),
        "not centred": (
            lambda h, y: h.T @ h / len(h),
            "No mean was taken away. Each signal is held against the mean of its own kind.",
        ),
        "a sum": (
            lambda h, y: len(h) * _scatter_within(h, y),
            "That is the sum. Divide by the number of signals.",
        ),
        "N - K": (
            lambda h, y: len(h) * _scatter_within(h, y) / max(len(h) - len(np.unique(y)), 1),
            "You divide by N minus the number of kinds, which has its reasons. The formula says N.",
        ),
        "N - 1": (
            lambda h, y: len(h) * _scatter_within(h, y) / (len(h) - 1),
            "You divide by N − 1. The formula says N.",
        ),
        "each kind alike": (
            lambda h, y: np.mean(
                [np.cov(h[y == kind].T, bias=True) for kind in np.unique(y)], axis=0
            ),
            "You average over the kinds. The sum is over *signals*: a kind with more of them "
            "counts more.",
        ),
        "between": (
            lambda h, y: np.cov(h.T, bias=True) - _scatter_within(h, y),
            "That is the scatter *between* the kinds.",
        ),
        "diagonal": (
            lambda h, y: np.diag(np.diag(_scatter_within(h, y))),
            "Only the diagonal is filled. The other elements belong to S, too.",
        ),
    },
    otherwise="From each row take the mean of the rows of its kind; the rest is R. Then RᵀR / N.",
    hints=[
        "Go through `np.unique(y)`, and from the rows of each kind take away their mean.",
        "With the rest in rows, `rest.T @ rest` is the sum of all outer products.",
    ],
    explanation="The sum of outer products of the rows of R is $R^T R$.",
)

# --- 5: which of four sources? ------------------------------------------------------------------

_close = {"half rate": False, "ten of each kind": False, "scrambled": False, "other shapes": True}

q5 = Exercise(
    answer=_close,
    praise="That is what the conditions promise: nothing in them says that their kinds must look "
    "like yours. What they are worth is measured in the next cell, and over five sources in "
    "section 8.",
    mistakes={
        "digits only": (
            {"half rate": True, "other shapes": False},
            "The conditions do not ask for the same kinds, nor for digits. They ask for the same "
            "input, which at half rate it is not.",
        ),
        "shapes that differ": (
            dict.fromkeys(_close, False),
            "One of them breaks no condition: the conditions speak of input, amount and low-level "
            "features, and not of shapes.",
        ),
    },
    otherwise="Take the conditions one by one: same input, more data, useful low-level features.",
    hints=[
        "Ask each of the four: is the input mine? Is there a lot of it? Do its neighbours in time "
        "stand side by side, as mine do?",
        "Slopes and bumps are low-level features. Does a random line have them?",
    ],
    explanation="Half rate is another input, ten of each kind is little data, and a scrambled "
    "signal has other low-level features. Random shapes from your instrument break none of the "
    "three.\n\n" + as_code("close", _close),
)
