"""Exercises of the lesson `resnet`."""

from itertools import pairwise, permutations

import numpy as np

from course_utils.exercises import Exercise, as_code

# --- 1: the wrong side of the addition ----------------------------------------------------------


def _join(x, h):
    return np.maximum(x + h, 0)


def _relu(x):
    return np.maximum(x, 0)


def _pictures():
    """Return x and h of one shape: small whole numbers, some that are not, and x above 0."""
    x, h = np.random.default_rng(2).normal(size=(2, 2, 4, 4, 3))
    return [
        (np.array([3, 0, 2]), np.array([-1, -1, 4])),
        (x, h),
        (np.abs(x), h),
        (x[0, 0], -h[0, 0]),
    ]


q1 = Exercise(
    answer=_join,
    cases=_pictures(),
    praise="Now the branch can take away as well as add. And where h = 0, x passes unchanged: it "
    "comes out of a ReLU itself and is not negative.",
    mistakes={
        "as written": (
            lambda x, h: x + _relu(h),
            "That is still as it was written: relu(h) is never negative, so a block can only add "
            "to x, and what passes grows from block to block.",
        ),
        "twice": (
            lambda x, h: _relu(x + _relu(h)),
            "There is a ReLU after the addition now, but the one on h still stands: such a branch "
            "can add to x, and never take anything away.",
        ),
        "none": (
            lambda x, h: x + h,
            "The sum is right, but the ReLU is lost: the original block has one. (The later, "
            "pre-activated block has its ReLUs inside the branch.)",
        ),
        "on the shortcut": (
            lambda x, h: _relu(x) + h,
            "That ReLU is on the shortcut, which should carry x as it is.",
        ),
        "on the shortcut too": (
            lambda x, h: _relu(_relu(x) + h),
            "The ReLU behind the sum is right. But the one on the shortcut is too much: the "
            "shortcut carries x as it is.",
        ),
        "plain": (
            lambda x, h: _relu(h),
            "That is the plain network: the shortcut is gone, and x with it.",
        ),
    },
    otherwise="What comes first, the addition or the activation?",
    hints=[
        "Which signs can `relu(h)` have? Is `x + relu(h)` ever below `x`?",
        "Add first. Then comes the activation.",
    ],
    explanation="The original block is $\\mathrm{relu}(x + F(x))$: first the sum, then the "
    "activation. With $x + \\mathrm{relu}(h)$ a block can never lower anything in $x$.",
)


# --- 2: a shortcut whose shapes do not fit ------------------------------------------------------


def _shortcut(x, filters):
    missing = filters - x.shape[-1]
    return np.pad(x[:, ::2, ::2], [(0, 0), (0, 0), (0, 0), (0, missing)])


def _widened(x, filters):
    return np.pad(x, [(0, 0), (0, 0), (0, 0), (0, filters - x.shape[-1])])


def _means(x):
    x = (x[:, ::2] + x[:, 1::2]) / 2
    return (x[:, :, ::2] + x[:, :, 1::2]) / 2


_rng = np.random.default_rng(1)

q2 = Exercise(
    answer=_shortcut,
    cases=[
        (np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]]), 2),
        (_rng.normal(size=(2, 4, 8, 3)), 7),
        (_rng.normal(size=(3, 2, 2, 4)), 8),
        (_rng.normal(size=(1, 6, 4, 5)), 5),
    ],
    praise="The shapes fit, and nothing has to be learned for it: with option A a residual "
    "network has just as many parameters as the plain one beside it.",
    mistakes={
        "image kept": (
            _widened,
            "The channels are right, but the image is as large as before: take every second row "
            "and every second column.",
        ),
        "every second image": (
            lambda x, filters: _widened(x[::2, ::2], filters),
            "The first axis counts the images of the batch: keep all of them, and halve the axes "
            "1 and 2.",
        ),
        "channels kept": (
            lambda x, filters: x[:, ::2, ::2],
            "The image is halved, but it still has its old channels: fill up to `filters` with "
            "zeros, so that the branch can be added.",
        ),
        "odd pixels": (
            lambda x, filters: _widened(x[:, 1::2, 1::2], filters),
            "You begin with row and column 1. Networks are built that way too, but here they are "
            "0, 2, 4 and so on.",
        ),
        "mean": (
            lambda x, filters: _widened(_means(x), filters),
            "You take the mean of every four pixels. Option A keeps one of the four as it is, "
            "that of even row and column.",
        ),
        "zeros before": (
            lambda x, filters: np.roll(_shortcut(x, filters), -x.shape[-1], -1),
            "The zeros are in front, so the old channels have moved: put them behind.",
        ),
        "zeros around": (
            lambda x, filters: np.roll(_shortcut(x, filters), (filters - x.shape[-1]) // 2, -1),
            "The zeros are on both sides, so the old channels have moved. Networks are built that "
            "way too, but here all zeros are behind.",
        ),
        "copies": (
            lambda x, filters: np.concatenate([x[:, ::2, ::2]] * 3, axis=-1)[..., :filters],
            "The new channels hold copies of the old ones. In option A they are 0: there the "
            "block's output is the branch alone.",
        ),
    },
    otherwise="First x at the rows and columns 0, 2, 4, ..., then the channels of zeros.",
    hints=[
        "A slice with a step, `start:stop:step`, skips rows and columns. Which axes are they?",
        "`np.pad` takes a pair (before, after) for every axis. How many channels are missing?",
    ],
    explanation="Slice the axes 1 and 2 with step 2, then pad the last one behind.",
)


# --- 3: count the parameters --------------------------------------------------------------------


def _count(depth, filters, channels, classes):
    n = (depth - 2) // 6
    sizes = [channels, filters[0]] + [f for f in filters for _ in range(2 * n)]
    total = sum(9 * a * b + 2 * b for a, b in pairwise(sizes))
    return total + (filters[-1] + 1) * classes


def _counter(kernel=9, per_filter=2, per_block=2, bias=1, further=lambda f, c: 0):
    def count(depth, filters, channels, classes):
        n = (depth - 2) // 6
        sizes = [channels, filters[0], *np.repeat(filters, per_block * n).tolist()]
        layers = sum(kernel * a * b + per_filter * b for a, b in pairwise(sizes))
        return layers + (filters[-1] + bias) * classes + further(filters, channels)

    return count


q3 = Exercise(
    answer=_count,
    cases=[
        (20, (8, 16, 32), 1, 10),
        (56, (16, 32, 64), 3, 10),
        (8, (3, 5, 9), 2, 4),
        (14, (4, 4, 6), 1, 7),
    ],
    praise="Most of it is in the last stage, since a convolution grows with the square of the "
    "filters. The plain network has as many: shortcuts cost nothing.",
    mistakes={
        "no normalisation": (
            _counter(per_filter=0),
            "The batch normalisations are missing: a γ and a β for every filter.",
        ),
        "moving averages": (
            _counter(per_filter=4),
            "You count four numbers per filter. The moving mean and variance are stored, too, but "
            "not trained: γ and β are.",
        ),
        "biases": (
            _counter(per_filter=3),
            "The convolutions here have no bias: normalisation would subtract it at once, and its "
            "β does the same job.",
        ),
        "head's bias": (
            _counter(bias=0),
            "The dense layer has a bias: one more number per class.",
        ),
        "no stem": (
            _counter(further=lambda f, c: -f[0] * (9 * c + 2)),
            "The very first convolution is missing, with its normalisation.",
        ),
        "one per block": (
            _counter(per_block=1),
            "Every block has *two* convolutions: 6 n of them and two more layers make the depth.",
        ),
        "no pixels": (
            _counter(kernel=1),
            "A 3 × 3 convolution has nine weights for every pair of an old and a new channel.",
        ),
        "old channels": (
            _counter(further=lambda f, c: sum(9 * b * (b - a) for a, b in pairwise(f))),
            "Nearly: where a stage begins, its first convolution still sees the channels of the "
            "stage before.",
        ),
        "projections": (
            _counter(further=lambda f, c: sum((a + 2) * b for a, b in pairwise(f))),
            "That has a 1 × 1 convolution and a normalisation in two of the shortcuts, the paper's "
            "option B. Ours are filled up with zeros.",
        ),
    },
    otherwise="From a to b channels a convolution has 9 a b weights, and its normalisation 2 b.",
    hints=[
        "A 3 × 3 convolution from $a$ to $b$ channels has $9ab$ weights, its normalisation $2b$.",
        "Write down the channels from layer to layer: `channels`, then `filters[0]` for $1 + 2n$ "
        "convolutions, then `filters[1]` for $2n$ and `filters[2]` for $2n$.",
    ],
    explanation="List the channels from layer to layer; every two neighbours $a, b$ are a "
    "convolution with $9ab$ weights and a normalisation with $2b$. Then comes the dense layer.",
)


# --- 4: which curve is which --------------------------------------------------------------------

CURVES = {"A": "plain 20", "B": "residual 56", "C": "plain 56", "D": "residual 20"}


def _orders(*wanted):
    """Return the orders in which A and C (and then B and D) are these two networks."""
    return [
        dict(zip(CURVES, order, strict=True))
        for order in permutations(CURVES.values())
        if {order[0], order[2]} == {*wanted}
    ]


def _curves(a, b, c, d):
    return {"A": a, "B": b, "C": c, "D": d}


_OF_PAIRS = {  # which networks are given the two curves that end highest, and what to say
    ("residual 20", "residual 56"): "You give the residual networks the two curves that end "
    "highest. Shortcuts do not hold training back in favour of the test error: they make training "
    "itself easier.",
    ("plain 56", "residual 56"): "You give both deep networks the curves that end highest. That "
    "holds for the plain one; shortcuts are there to remove just that.",
    ("plain 20", "residual 20"): "You give both deep networks the curves that end lowest. More "
    "layers do not train better by themselves: without shortcuts, 56 layers train worst of all.",
}

q4 = Exercise(
    answer=CURVES,
    praise="Since this is the loss in *training*, it is no overfitting: the deep plain network "
    "fails to learn what a shallow one learns. With shortcuts the deep one starts later, that is "
    "all.",
    mistakes={
        "deeper is better": (
            _curves("plain 56", "residual 56", "plain 20", "residual 20"),
            "The residual ones are right. But of the plain ones the *deeper* one ends higher: it "
            "could do all that the other can, but training does not find it. That is degradation.",
        ),
        "start": (
            _curves("plain 20", "residual 20", "plain 56", "residual 56"),
            "The plain ones are right. The residual ones end alike, so look at the first epochs: "
            "the deeper one has the slower start.",
        ),
        "both pairs": (
            _curves("plain 56", "residual 20", "plain 20", "residual 56"),
            "Plain and residual are told apart, but both pairs are the wrong way round: whatever "
            "more layers *could* do, they are harder to train.",
        ),
        **{
            f"{' and '.join(pair)} on top, {n}": (order, sentence)
            for pair, sentence in _OF_PAIRS.items()
            for n, order in enumerate(_orders(*pair), start=1)
        },
    },
    otherwise="Each of the four networks has one curve. A and C end higher than B and D: begin "
    "with what these two have in common. It is not the depth.",
    hints=[
        "Which two networks profit from shortcuts? Theirs are the two curves that end lowest.",
        "Without shortcuts, what happens to the training loss as layers are added?",
        "Those with shortcuts end alike, but the deeper one starts higher.",
    ],
    explanation="Without shortcuts the deeper network trains *worse* (C above A). With them both "
    "end low (B and D); the deeper one starts higher and falls later (B).\n\n"
    + as_code("prediction", CURVES),
)


# --- 5: frozen, but still in training mode ------------------------------------------------------


def _normalise(x, mean, variance, gamma, beta, epsilon):
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta


def _by_own(x, axes, gamma, beta, epsilon):
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return _normalise(x, mean, variance, gamma, beta, epsilon)


def _layers():
    """Return a small layer and larger ones, among them a filter that hardly varies."""
    rng = np.random.default_rng(5)
    variance = np.array([1e-3, 0.02, 0.7, 3.0])
    small = [
        np.array(pair) for pair in ([[3.0, 1.0]], [1.0, 2.0], [4.0, 0.3], [2.0, -1.0], [0.5, 3])
    ]
    shapes = ((3, 2, 2, 4), 1e-3), ((5, 4), 1e-2), ((1, 3, 2, 4), 1e-3)
    return [(*small, 0.01)] + [
        (rng.normal(1, 2, shape), rng.normal(size=4), variance, *rng.normal(0, 2, (2, 4)), epsilon)
        for shape, epsilon in shapes
    ]


q5 = Exercise(
    answer=_normalise,
    cases=_layers(),
    praise="Now an image gets the same answer in any company. In Keras: call the frozen part with "
    "`training=False`. To train only the head's weights is not enough.",
    mistakes={
        "batch": (
            lambda x, m, v, g, b, e: _by_own(x, tuple(range(x.ndim - 1)), g, b, e),
            "That is training mode: mean and variance of the batch itself. An image's answer then "
            "depends on the images beside it. Use the stored `mean` and `variance`.",
        ),
        "over the filters": (
            lambda x, m, v, g, b, e: _by_own(x, -1, g, b, e),
            "That normalises over the filters of each pixel, as *layer* normalisation does. Use "
            "the stored `mean` and `variance`.",
        ),
        "no root": (
            lambda x, m, v, g, b, e: g * (x - m) / (v + e) + b,
            "You divide by the variance. It is in squared units: divide by its root.",
        ),
        "epsilon outside": (
            lambda x, m, v, g, b, e: g * (x - m) / (np.sqrt(v) + e) + b,
            "Nearly: epsilon stands beside the variance, *under* the root. Where a filter hardly "
            "varies, that makes a difference.",
        ),
        "no epsilon": (
            lambda x, m, v, g, b, e: _normalise(x, m, v, g, b, 0),
            "The epsilon is missing: a filter that hardly varies would be blown up.",
        ),
        "epsilon fixed": (
            lambda x, m, v, g, b, e: _normalise(x, m, v, g, b, 1e-3),
            "Right for one epsilon only: use the `epsilon` that is given.",
        ),
        "no gamma and beta": (
            lambda x, m, v, g, b, e: _normalise(x, m, v, 1, 0, e),
            "Mean 0 and variance 1 are not the end: the layer then multiplies by the learned gamma "
            "and adds the learned beta.",
        ),
        "no beta": (
            lambda x, m, v, g, b, e: _normalise(x, m, v, g, 0, e),
            "The learned shift, beta, is missing.",
        ),
        "swapped": (
            lambda x, m, v, g, b, e: _normalise(x, m, v, b, g, e),
            "You swapped gamma and beta: gamma is the factor, beta is added.",
        ),
    },
    otherwise="Subtract the stored mean, divide by what the stored variance and epsilon tell, then "
    "use gamma and beta.",
    hints=[
        "An image's answer should not depend on the other images: take no mean of `x`.",
        "$\\gamma\\,(x - \\text{mean})/\\sqrt{\\text{variance} + \\epsilon} + \\beta$, with the "
        "stored mean and variance.",
    ],
    explanation="The stored statistics take the place of the batch's; all else stays. In Keras "
    "that is `training=False`. With `training=True` a layer would also change its stored mean and "
    "variance, although nobody trains it.",
)
