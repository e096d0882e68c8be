"""Exercises of the lesson `resnet`."""

from itertools import pairwise

import numpy as np

from course_utils.exercises._before import Exercise, Wrong, as_code, compare, filled, numbers

# --- 1: the wrong side of the addition ----------------------------------------------------------


def _relu(x):
    return np.maximum(x, 0)


def _join(x, h):
    return _relu(x + h)


_JOINS = {
    "as written": lambda x, h: x + _relu(h),
    "twice": lambda x, h: _relu(x + _relu(h)),
    "none": lambda x, h: x + h,
    "on the shortcut": lambda x, h: _relu(x) + h,
    "on the shortcut too": lambda x, h: _relu(_relu(x) + h),
    "plain": lambda x, h: _relu(h),
    "something else": lambda x, h: _relu(x + 2 * h),
}
_JOINS_SAID = {
    "as written": "That is still as it was written: relu(h) is never negative, so a block can "
    "only add to x, and what passes grows from block to block.",
    "twice": "There is a ReLU after the addition now, but the one on h still stands: such a "
    "branch can add to x, and never take anything away.",
    "none": "The sum is right, but the ReLU is lost. The original block has one, after the "
    "addition. (The later, pre-activated block has its ReLUs inside the branch.)",
    "on the shortcut": "That ReLU is on the shortcut. It belongs behind the sum.",
    "on the shortcut too": "The ReLU behind the sum is right. But the one on the shortcut is too "
    "much: the shortcut carries x as it is.",
    "plain": "That is the plain network: the shortcut is gone, and x with it.",
}


def _judge_join(answer):
    x, h = np.random.default_rng(2).normal(size=(2, 2, 4, 4, 3))
    compare(
        answer,
        _join,
        [(x, h), (np.abs(x), h), (np.array([3, 0, 2]), np.array([-1, -1, 4]))],
        "For x = {:.4g} and h = {:.4g} you get {given:.4g}; {expected:.4g} is right.",
        _JOINS,
        _JOINS_SAID,
    )
    return (
        "Now the branch can take away as well as add. And where h = 0, x passes unchanged: it "
        "comes out of a ReLU itself and is not negative."
    )


q1 = Exercise(
    judge=_judge_join,
    hints=[
        "Which signs can `relu(h)` have? Is `x + relu(h)` ever below `x`?",
        "Add first. Then comes the activation.",
    ],
    explanation="The original block is $\\mathrm{relu}(x + F(x))$: first the sum, then the "
    "activation.\n\n"
    "```python\ndef join(x, h):\n    return np.maximum(x + h, 0)\n```\n\n"
    "With $x + \\mathrm{relu}(h)$ a block can never lower anything in $x$.",
    answer=_join,
    misconceptions=_JOINS,
)


# --- 2: a shortcut whose shapes do not fit ------------------------------------------------------


def _widened(x, filters):
    return np.pad(x, [(0, 0), (0, 0), (0, 0), (0, filters - x.shape[-1])])


def _shortcut(x, filters):
    return _widened(x[:, ::2, ::2], filters)


def _means(x):
    x = (x[:, ::2] + x[:, 1::2]) / 2
    return (x[:, :, ::2] + x[:, :, 1::2]) / 2


_MISFITS = {  # of another shape than asked for
    "image kept": _widened,
    "every second image": lambda x, filters: _widened(x[::2, ::2], filters),
    "channels kept": lambda x, filters: x[:, ::2, ::2],
}
_MISFITS_SAID = {
    "image kept": "The channels are right, but the image is as large as before: take every second "
    "row and every second column.",
    "every second image": "The first axis counts the images of the batch: keep all of them, and "
    "halve the axes 1 and 2.",
    "channels kept": "The image is halved, but it still has its old channels: fill up to `filters` "
    "with zeros, so that the branch can be added.",
}
_SHORTCUTS = {
    "odd pixels": lambda x, filters: _widened(x[:, 1::2, 1::2], filters),
    "mean": lambda x, filters: _widened(_means(x), filters),
    "zeros before": lambda x, filters: np.roll(_shortcut(x, filters), -x.shape[-1], -1),
    "zeros around": lambda x, filters: np.roll(
        _shortcut(x, filters), (filters - x.shape[-1]) // 2, -1
    ),
    "copies": lambda x, filters: np.concatenate([x[:, ::2, ::2]] * 3, axis=-1)[..., :filters],
}
_SHORTCUTS_SAID = {
    "odd pixels": "You begin with row and column 1. Networks are built that way too, but here "
    "they are 0, 2, 4 and so on.",
    "mean": "You take the mean of every four pixels. Option A keeps one of the four as it is, "
    "that of even row and column.",
    "zeros before": "The zeros are in front, so the old channels have moved: put them behind.",
    "zeros around": "The zeros are on both sides, so the old channels have moved. Networks are "
    "built that way too, but here all zeros are behind.",
    "copies": "The new channels hold copies of the old ones. In option A they are 0: there the "
    "block's output is the branch alone.",
}


def _judge_shortcut(answer):
    rng = np.random.default_rng(1)
    x, filters = rng.normal(size=(2, 4, 8, 3)), 7
    shape = numbers(answer(x.copy(), filters)).shape
    for name, sentence in _MISFITS_SAID.items():
        if shape == _MISFITS[name](x, filters).shape:
            raise Wrong(sentence)
    compare(
        answer,
        _shortcut,
        [(x, filters), (rng.normal(size=(3, 2, 2, 4)), 8), (rng.normal(size=(1, 6, 4, 5)), 5)],
        "There is a {given:.4g} where {expected:.4g} is right: first x at the rows and columns "
        "0, 2, 4, ..., then the channels of zeros.",
        _SHORTCUTS,
        _SHORTCUTS_SAID,
    )
    return (
        "The shapes fit, and nothing has to be learned for it: with option A a residual network "
        "has just as many parameters as the plain one beside it."
    )


q2 = Exercise(
    judge=_judge_shortcut,
    hints=[
        "A slice with a step, `start:stop:step`, skips rows and columns. Which axes are they?",
        "`np.pad` takes a pair (before, after) for every axis. How many channels are missing?",
    ],
    explanation="Slice the axes 1 and 2 with step 2, then pad the last one behind.\n\n"
    "```python\ndef shortcut(x, filters):\n"
    "    missing = filters - x.shape[-1]\n"
    "    return np.pad(x[:, ::2, ::2], [(0, 0), (0, 0), (0, 0), (0, missing)])\n```",
    answer=_shortcut,
    misconceptions={
        **_MISFITS,
        **_SHORTCUTS,
        "something else": lambda x, filters: 2 * _shortcut(x, filters),
    },
)


# --- 3: count the parameters --------------------------------------------------------------------


def _counter(kernel=9, per_filter=2, per_block=2, bias=1, further=lambda f, c: 0):
    def count(depth, filters, channels, classes):
        n = (depth - 2) // 6
        sizes = [channels, filters[0], *np.repeat(filters, per_block * n)]
        layers = sum(kernel * a * b + per_filter * b for a, b in pairwise(sizes))
        return layers + (filters[-1] + bias) * classes + further(filters, channels)

    return count


_count = _counter()
_COUNTERS = {
    "no normalisation": _counter(per_filter=0),
    "moving averages": _counter(per_filter=4),
    "biases": _counter(per_filter=3),
    "head's bias": _counter(bias=0),
    "no stem": _counter(further=lambda f, c: -f[0] * (9 * c + 2)),
    "one per block": _counter(per_block=1),
    "no pixels": _counter(kernel=1),
    "old channels": _counter(further=lambda f, c: sum(9 * b * (b - a) for a, b in pairwise(f))),
    "projections": _counter(further=lambda f, c: sum((a + 2) * b for a, b in pairwise(f))),
    "something else": _counter(per_block=3),
}
_COUNTERS_SAID = {
    "no normalisation": "The batch normalisations are missing: a γ and a β for every filter.",
    "moving averages": "You count four numbers per filter. The moving mean and variance are "
    "stored, too, but not trained: γ and β are.",
    "biases": "The convolutions here have no bias: normalisation would subtract it at once, and "
    "its β does the same job.",
    "head's bias": "The dense layer has a bias: one more number per class.",
    "no stem": "The very first convolution is missing, with its normalisation.",
    "one per block": "Every block has *two* convolutions: 6 n of them and two more layers make "
    "the depth.",
    "no pixels": "A 3 × 3 convolution has nine weights for every pair of an old and a new channel.",
    "old channels": "Nearly: where a stage begins, its first convolution still sees the channels "
    "of the stage before.",
    "projections": "That has a 1 × 1 convolution and a normalisation in two of the shortcuts, the "
    "paper's option B. Ours are filled up with zeros.",
}


def _excess(count):
    """Return by how much a count is off: of so many a thousandth would pass as right."""
    return lambda *network: numbers(count(*network), ()) - _count(*network)


def _judge_count(answer):
    compare(
        _excess(answer),
        _excess(_count),
        [(20, (8, 16, 32), 1, 10), (56, (16, 32, 64), 3, 10), (8, (3, 5, 9), 2, 4)],
        "For depth {}, filters {}, input channels {} and classes {} your count is off by "
        "{given:+.6g}. From a to b channels: 9 a b weights, and 2 b for the normalisation.",
        {name: _excess(count) for name, count in _COUNTERS.items()},
        _COUNTERS_SAID,
    )
    return (
        "Most of it is in the last stage, since a convolution grows with the square of the "
        "filters. The plain network has as many: shortcuts cost nothing."
    )


q3 = Exercise(
    judge=_judge_count,
    hints=[
        "A 3 × 3 convolution from $a$ to $b$ channels has $9ab$ weights, its normalisation $2b$.",
        "Write down the channels from layer to layer: `channels`, then `filters[0]` for $1 + 2n$ "
        "convolutions, then `filters[1]` for $2n$ and `filters[2]` for $2n$.",
    ],
    explanation="List the channels from layer to layer; every two neighbours $a, b$ are a "
    "convolution with $9ab$ weights and a normalisation with $2b$. Then comes the dense layer.\n\n"
    "```python\ndef count(depth, filters, channels, classes):\n"
    "    n = (depth - 2) // 6\n"
    "    sizes = [channels, filters[0]] + [f for f in filters for _ in range(2 * n)]\n"
    "    total = sum(9 * a * b + 2 * b for a, b in zip(sizes, sizes[1:]))\n"
    "    return total + (filters[-1] + 1) * classes\n```",
    answer=_count,
    misconceptions=_COUNTERS,
)


# --- 4: which curve is which --------------------------------------------------------------------

CURVES = {"A": "plain 20", "B": "residual 56", "C": "plain 56", "D": "residual 20"}


def _curves(short):
    """Return the answer that is written shortly, in the order of the letters: p20, r56, ..."""
    words = short.replace("p", "plain ").replace("r", "residual ").split(", ")
    return dict(zip(CURVES, words, strict=True))


_MISREAD = {  # an answer, and what is wrong with it
    "deeper is better": (
        "p56, r56, p20, r20",
        "The residual ones are right. But of the plain ones the *deeper* one ends higher: it could "
        "do all that the other can, but training does not find it. That is degradation.",
    ),
    "start": (
        "p20, r20, p56, r56",
        "The plain ones are right. The residual ones end alike, so look at the first epochs: the "
        "deeper one has the slower start.",
    ),
    "both pairs": (
        "p56, r20, p20, r56",
        "Plain and residual are told apart, but both pairs are the wrong way round: whatever more "
        "layers *could* do, they are harder to train.",
    ),
    "test error only": (
        "r20, p56, r56, p20",
        "You give the residual networks the two curves that end highest. Shortcuts do not hold "
        "training back in favour of the test error: they make training itself easier.",
    ),
    "depth harms": (
        "r56, p20, p56, r20",
        "You give both deep networks the curves that end highest. That holds for the plain one; "
        "shortcuts are there to remove just that.",
    ),
    "depth helps": (
        "p20, r56, r20, p56",
        "You give both deep networks the curves that end lowest. More layers do not train better "
        "by themselves: without shortcuts, 56 layers train worst of all.",
    ),
}


def _judge_curves(answer):
    given = [" ".join(str(name).lower().split()) for name in filled(answer, CURVES)]
    if sorted(given) != sorted(CURVES.values()):
        raise Wrong(
            'Give each of the four names once: "plain 20", "plain 56", "residual 20" and '
            '"residual 56".'
        )
    for short, sentence in _MISREAD.values():
        names = list(_curves(short).values())  # where A and C are another pair, B and D are open
        if given == names or {*given[::2]} == {*names[::2]} != {"plain 20", "plain 56"}:
            raise Wrong(sentence)
    if given != list(CURVES.values()):
        raise Wrong(
            "A and C end higher than B and D. Begin with what these two have in common: it is not "
            "the depth."
        )
    return (
        "Since this is the loss in *training*, it is no overfitting: the deep plain network fails "
        "to learn what a shallow one learns. With shortcuts the deep one starts later, that is all."
    )


q4 = Exercise(
    judge=_judge_curves,
    hints=[
        "Which two networks profit from shortcuts? Theirs are the two curves that end lowest.",
        "Without shortcuts, what happens to the training loss as layers are added?",
        "Those with shortcuts end alike, but the deeper one starts higher.",
    ],
    explanation="Without shortcuts the deeper network trains *worse* (C above A). With them both "
    "end low (B and D); the deeper one starts higher and falls later (B).\n\n"
    + as_code("prediction", CURVES),
    answer=CURVES,
    misconceptions={
        **{name: _curves(short) for name, (short, _) in _MISREAD.items()},
        "something else": _curves("p20, r20, r56, p56"),
        "no name": {**CURVES, "A": 0.1},
    },
)


# --- 5: frozen, but still in training mode ------------------------------------------------------


def _normalise(x, mean, variance, gamma, beta, epsilon):
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta


def _by_own(x, axes, gamma, beta, epsilon):
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return _normalise(x, mean, variance, gamma, beta, epsilon)


_NORMALISED = {
    "batch": lambda x, m, v, g, b, e: _by_own(x, tuple(range(x.ndim - 1)), g, b, e),
    "over the filters": lambda x, m, v, g, b, e: _by_own(x, -1, g, b, e),
    "no root": lambda x, m, v, g, b, e: g * (x - m) / (v + e) + b,
    "epsilon outside": lambda x, m, v, g, b, e: g * (x - m) / (np.sqrt(v) + e) + b,
    "no epsilon": lambda x, m, v, g, b, e: _normalise(x, m, v, g, b, 0),
    "epsilon fixed": lambda x, m, v, g, b, e: _normalise(x, m, v, g, b, 1e-3),
    "no gamma and beta": lambda x, m, v, g, b, e: _normalise(x, m, v, 1, 0, e),
    "no beta": lambda x, m, v, g, b, e: _normalise(x, m, v, g, 0, e),
    "swapped": lambda x, m, v, g, b, e: _normalise(x, m, v, b, g, e),
    "something else": lambda x, m, v, g, b, e: _normalise(x, m, v, g, -b, e),
}
_NORMALISED_SAID = {
    "batch": "That is training mode: mean and variance of the batch itself. An image's answer then "
    "depends on the images beside it. Use the stored `mean` and `variance`.",
    "over the filters": "That normalises over the filters of each pixel, as *layer* normalisation "
    "does. Use the stored `mean` and `variance`.",
    "no root": "You divide by the variance. It is in squared units: divide by its root.",
    "epsilon outside": "Nearly: epsilon stands beside the variance, *under* the root. Where a "
    "filter hardly varies, that makes a difference.",
    "no epsilon": "epsilon is missing: a filter that hardly varies would be blown up.",
    "epsilon fixed": "Right for one epsilon only: use the `epsilon` that is given.",
    "no gamma and beta": "Mean 0 and variance 1 are not the end: the layer then multiplies by the "
    "learned gamma and adds the learned beta.",
    "no beta": "beta, the learned shift, is missing.",
    "swapped": "gamma and beta are swapped: gamma is the factor, beta is added.",
}


def _judge_normalise(answer):
    rng = np.random.default_rng(5)
    variance = np.array([1e-3, 0.02, 0.7, 3.0])
    compare(
        answer,
        _normalise,
        [
            (rng.normal(1, 2, shape), rng.normal(size=4), variance, *rng.normal(0, 2, (2, 4)), e)
            for shape, e in (((3, 2, 2, 4), 1e-3), ((5, 4), 1e-2), ((1, 3, 2, 4), 1e-3))
        ],
        "From {0:.4g} you get {given:.4g}; {expected:.4g} is right. Subtract the stored mean, "
        "divide by the root of the stored variance and epsilon, multiply by gamma, add beta.",
        _NORMALISED,
        _NORMALISED_SAID,
    )
    return (
        "Now an image gets the same answer in any company. In Keras: call the frozen part with "
        "`training=False`. To train only the head's weights is not enough."
    )


q5 = Exercise(
    judge=_judge_normalise,
    hints=[
        "An image's answer should not depend on the other images: take no mean of `x`.",
        "$\\gamma\\,(x - \\text{mean})/\\sqrt{\\text{variance} + \\epsilon} + \\beta$, with the "
        "stored mean and variance.",
    ],
    explanation="The stored statistics take the place of the batch's; all else stays.\n\n"
    "```python\ndef normalise(x, mean, variance, gamma, beta, epsilon):\n"
    "    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta\n```\n\n"
    "In Keras that is `training=False`. With `training=True` a layer would also change its stored "
    "mean and variance, although nobody trains it.",
    answer=_normalise,
    misconceptions=_NORMALISED,
)
