"""Exercises of the lesson `resnet`."""

from itertools import pairwise
from math import comb

import numpy as np

from course_utils.exercises import Exercise, as_code

# --- 1: the shortcut ----------------------------------------------------------------------------


def _shortcut(x, filters):
    missing = filters - x.shape[-1]
    return np.pad(x[:, 1::2, 1::2], [(0, 0), (0, 0), (0, 0), (0, missing)])


def _widened(x, filters):
    return np.pad(x, [(0, 0), (0, 0), (0, 0), (0, filters - x.shape[-1])])


def _means(x):
    x = (x[:, ::2] + x[:, 1::2]) / 2
    return (x[:, :, ::2] + x[:, :, 1::2]) / 2


_rng = np.random.default_rng(1)

q1 = Exercise(
    answer=_shortcut,
    cases=[
        (np.arange(1.0, 9).reshape(1, 2, 2, 2), 2),
        (_rng.normal(size=(2, 4, 8, 3)), 7),
        (_rng.normal(size=(3, 2, 2, 4)), 8),
        (_rng.normal(size=(1, 6, 4, 5)), 5),
    ],
    praise="The shapes fit, the pixels are those of the branch, and nothing has to be learned for "
    "it: with option A a residual network has just as many parameters as the plain one beside it.",
    mistakes={
        "even pixels": (
            lambda x, filters: _widened(x[:, ::2, ::2], filters),
            "You take the rows and columns 0, 2, 4: one pixel off. With padding *same*, a "
            "convolution with stride 2 on an even side is centred elsewhere.",
        ),
        "rows only": (
            lambda x, filters: _widened(x[:, 1::2, ::2], filters),
            "The rows are right. The columns are still one pixel off.",
        ),
        "columns only": (
            lambda x, filters: _widened(x[:, ::2, 1::2], filters),
            "The columns are right. The rows are still one pixel off.",
        ),
        "image kept": (
            _widened,
            "The channels are right, but the picture is as large as before: it has to be halved, "
            "as in the branch.",
        ),
        "every second image": (
            lambda x, filters: _widened(x[1::2, 1::2], filters),
            "The first axis counts the pictures of the batch: keep all of them, and halve the axes "
            "1 and 2.",
        ),
        "channels kept": (
            lambda x, filters: x[:, 1::2, 1::2],
            "The picture is halved, but it still has its old channels: fill up to `filters` with "
            "zeros, so that the branch can be added.",
        ),
        "mean": (
            lambda x, filters: _widened(_means(x), filters),
            "You take the mean of every four pixels. Option A keeps one of the four as it is.",
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
            lambda x, filters: np.concatenate([x[:, 1::2, 1::2]] * 3, axis=-1)[..., :filters],
            "The new channels hold copies of the old ones. In option A they are 0: there the "
            "block's output is the branch alone.",
        ),
    },
    otherwise="First x at the rows and columns on which the branch is centred, then the channels "
    "of zeros.",
    hints=[
        "A slice with a step, `start:stop:step`, skips rows and columns. Which axes are they, and "
        "where does the first centre lie?",
        "`np.pad` takes a pair (before, after) for every axis. How many channels are missing?",
    ],
    explanation="Slice the axes 1 and 2 with step 2, from 1 on, then pad the last one behind.",
)


# --- 2: the way back through a block ------------------------------------------------------------


def _back(dy, y, J):
    g = dy * (y > 0)
    return g + J.T @ g


def _ways():
    """Return slopes dy, outputs y with zeros among them, and the slopes J of a branch."""
    rng = np.random.default_rng(2)
    small = (np.array([2.0, 3]), np.array([5.0, 0]), np.array([[0.5, 1], [2, 4]]))
    drawn = [(rng.normal(size=n), rng.normal(size=n), rng.normal(size=(n, n))) for n in (3, 5)]
    return [small, *((dy, np.maximum(y, 0), J) for dy, y, J in drawn)]


q2 = Exercise(
    answer=_back,
    cases=_ways(),
    praise="The first part has met nothing but the ReLU at the end. However small J is, it comes "
    "through wherever y > 0: on that way nothing multiplies it, and only the ReLU can cut it.",
    mistakes={
        "plain": (
            lambda dy, y, J: J.T @ (dy * (y > 0)),
            "That is the plain block. What has come back past the branch, on the shortcut, is "
            "missing.",
        ),
        "no relu": (
            lambda dy, y, J: dy + J.T @ dy,
            "Both ways are there. But behind the sum there is a ReLU: where y is 0, nothing comes "
            "back, on neither way.",
        ),
        "relu on the branch": (
            lambda dy, y, J: dy + J.T @ (dy * (y > 0)),
            "The ReLU stands behind the *sum*. So its zeros cut the way of the shortcut as well.",
        ),
        "relu on the shortcut": (
            lambda dy, y, J: dy * (y > 0) + J.T @ dy,
            "The ReLU stands behind the *sum*. So its zeros cut the way of the branch as well.",
        ),
        "not transposed": (
            lambda dy, y, J: dy * (y > 0) + J @ (dy * (y > 0)),
            "Nearly: on the way back the matrix is transposed. `J[i, j]` says how $h_i$ depends on "
            "$x_j$, and $x_j$ collects from all i.",
        ),
        "after the sum": (
            lambda dy, y, J: (dy + J.T @ dy) * (y > 0),
            "The ReLU comes last on the way forth, so it comes first on the way back: cut dy, then "
            "split it in two.",
        ),
    },
    otherwise="Go back in the opposite order: first the ReLU, then the sum, which sends what it "
    "gets to both of its parts.",
    hints=[
        "Behind the sum is a ReLU. Where y is 0 its slope is 0, elsewhere 1. Call what is left g.",
        "$s = x + F(x)$: what is $\\partial s_i/\\partial x_j$? One part is 1 for $i = j$.",
    ],
    explanation="Through the ReLU: $g = dy$ where $y > 0$, else 0. The sum hands $g$ to the "
    "shortcut as it is, and to the branch, where it becomes $J^T g$. Both arrive at $x$.",
)


# --- 3: what the edge takes away ----------------------------------------------------------------


def _kept(side):
    return ((3 * side - 2) / (3 * side)) ** 2


q3 = Exercise(
    answer=_kept,
    cases=[(2,), (4,), (8,), (1,), (28,)],
    tolerance=0.02,
    praise="With 2 × 2 pixels less than half is kept in each layer; with 28 × 28 pixels nearly all "
    "is.",
    mistakes={
        "one direction": (
            lambda side: (3 * side - 2) / (3 * side),
            "That is one direction only, or the factor of the size: rows and columns both have "
            "edges, and asked for is the mean square.",
        ),
        "twice": (
            lambda side: 2 * _kept(side),
            "That is the convolution alone: the ReLU behind it halves the mean square.",
        ),
        "half": (
            lambda side: _kept(side) / 2,
            "The ReLU does halve the mean square, and the variance $2/(9C)$ has a 2 to make up for "
            "it: halve nothing more.",
        ),
        "one edge": (
            lambda side: ((3 * side - 1) / (3 * side)) ** 2,
            "You count one edge in each direction. There are two: left and right, top and bottom.",
        ),
        "inner pixels": (
            lambda side: (max(side - 2, 0) / side) ** 2,
            "You count the pixels with no zero among their neighbours. But a pixel at the edge "
            "does not lose everything: count its neighbours that are inside.",
        ),
        "always 2": (
            lambda side: 4 / 9,
            "That holds for 2 × 2 pixels only.",
        ),
        "lost": (
            lambda side: 1 - _kept(side),
            "That is what is lost. Asked for is what is kept.",
        ),
    },
    otherwise="Each pixel of the output adds up nine neighbours, of which some are zeros. Take the "
    "share of the nine that are inside, averaged over all pixels.",
    hints=[
        "Take one direction first: of the three neighbours, how many are inside, for a pixel at an "
        "edge and for any other?",
        "In one direction, $3\\,\\text{side} - 2$ of $3\\,\\text{side}$ neighbours are inside. A "
        "neighbour is inside if its row and its column both are.",
    ],
    explanation="In each direction the first and the last pixel lack one of three neighbours, so "
    "$3\\,\\text{side} - 2$ of $3\\,\\text{side}$ are inside. Rows and columns are independent: "
    "multiply the two shares.",
)


# --- 4: how long are the paths? -----------------------------------------------------------------


def _share_of_paths(n, longest):
    return sum(comb(n, k) for k in range(longest + 1)) / 2**n


q4 = Exercise(
    answer=_share_of_paths,
    cases=[(2, 1), (2, 0), (3, 3), (10, 3), (27, 13), (27, 17)],
    tolerance=0.02,
    praise="A path is a row of coin tosses, one for each block: so most paths are about half as "
    "long as the network is deep.",
    mistakes={
        "exactly": (
            lambda n, longest: comb(n, longest) / 2**n,
            "That is the share of the paths through *exactly* so many branches. Those through "
            "fewer count as well.",
        ),
        "fewer": (
            lambda n, longest: sum(comb(n, k) for k in range(longest)) / 2**n,
            "You leave out the paths through exactly `longest` branches: `range` ends before its "
            "end.",
        ),
        "number": (
            lambda n, longest: sum(comb(n, k) for k in range(longest + 1)),
            "That is the number of such paths. Divide by the number of all.",
        ),
        "equal lengths": (
            lambda n, longest: (longest + 1) / (n + 1),
            "That takes all lengths as equally frequent. How many ways are there to choose k of n "
            "branches?",
        ),
        "longer": (
            lambda n, longest: 1 - _share_of_paths(n, longest),
            "That is the share of the longer ones.",
        ),
        "without the empty one": (
            lambda n, longest: sum(comb(n, k) for k in range(1, longest + 1)) / (2**n - 1),
            "You leave out the path that passes all branches by. It is one, too.",
        ),
    },
    otherwise="At each block a path has two ways. In how many ways can it pass through k of n "
    "branches?",
    hints=[
        "There are $2^n$ paths. How many of them pass through exactly k branches?",
        "$\\binom{n}{k}$: `math.comb(n, k)`. Add up for k from 0 to `longest`.",
    ],
    explanation="A path through exactly k branches chooses k of n blocks: $\\binom nk$ of $2^n$. "
    "The share is that of a binomial distribution with chance ½.",
)


# --- 5: word for word ---------------------------------------------------------------------------

_VERDICTS = {"a": False, "b": False, "c": True, "d": True, "e": True, "f": False}
_WHY = {
    "a": "False: it is *Deep Residual Learning for Image Recognition*.",
    "b": "False: the paper is of December 2015, arXiv:1512.03385, as the deck says elsewhere. "
    "Connections that skip layers are older, and highway networks, with gates on theirs, came a "
    "few months earlier.",
    "c": "True: the figure of section 3 shows it.",
    "d": "True: both have the same weights if the shortcuts are of option A.",
    "e": "True: each block cuts half of those that are left.",
    "f": "False: with 56 layers the plain network had learned little, so that its picture shows a "
    "place where it got stuck. And that two things go together proves no *because*.",
}

q5 = Exercise(
    answer=_VERDICTS,
    praise="A year, a title and a reason: each can be looked up or measured.",
    mistakes={
        "all true": (
            dict.fromkeys(_VERDICTS, True),
            "You believe all of them. Hold each against what was measured, and two of them against "
            "the list under *Further reading*.",
        ),
        "all false": (
            dict.fromkeys(_VERDICTS, False),
            "You believe none of them. Some were measured in this lesson, and one can be counted.",
        ),
    },
    otherwise="Take them word by word: two are in the list under *Further reading*, the others in "
    "sections 1, 3, 4 and 5.",
    hints=[
        "For (a) and (b) read the first entry under *Further reading*, letter by letter. The first "
        "four digits of a number on arXiv are year and month.",
        "For (c) look at the figure of section 3 again, for (e) count as in exercise 4.",
    ],
    explanation="Three of the six hold.\n\n"
    + as_code("verdicts", _VERDICTS)
    + "\n\n"
    + "\n".join(f"- ({letter}) {sentence}" for letter, sentence in _WHY.items()),
)


# --- 6: count the parameters --------------------------------------------------------------------


def _count(depth, filters, channels, classes, projection):
    n = (depth - 2) // 6
    sizes = [channels, filters[0]] + [f for f in filters for _ in range(2 * n)]
    total = sum(9 * a * b + 2 * b for a, b in pairwise(sizes)) + (filters[-1] + 1) * classes
    return total + projection * sum((a + 2) * b for a, b in pairwise(filters))


def _counter(kernel=9, per_filter=2, per_block=2, bias=1, one=1, around=None, more=None):
    def count(depth, filters, channels, classes, projection):
        n = (depth - 2) // 6
        sizes = [channels, filters[0], *np.repeat(filters, per_block * n).tolist()]
        layers = sum(kernel * a * b + per_filter * b for a, b in pairwise(sizes))
        ways = [*pairwise(filters)] if around is None else around(n, filters)
        ways = projection * sum(one * a * b + per_filter * b for a, b in ways)
        more_still = more(filters, channels) if more else 0
        return layers + ways + (filters[-1] + bias) * classes + more_still

    return count


q6 = Exercise(
    answer=_count,
    cases=[
        (20, (8, 16, 32), 1, 10, False),
        (56, (16, 32, 64), 3, 10, True),
        (8, (3, 5, 9), 2, 4, True),
        (14, (4, 4, 6), 1, 7, False),
    ],
    praise="Most of it is in the last stage, since a convolution grows with the square of the "
    "filters. Option A adds nothing to it.",
    mistakes={
        "no normalisation": (
            _counter(per_filter=0),
            "The batch normalisations are missing: a γ and a β for every filter.",
        ),
        "moving averages": (
            _counter(per_filter=4),
            "You count four numbers per filter. A moving mean and variance would be stored, too, "
            "but not trained: γ and β are.",
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
            _counter(more=lambda f, c: -f[0] * (9 * c + 2)),
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
            _counter(more=lambda f, c: sum(9 * b * (b - a) for a, b in pairwise(f))),
            "Nearly: where a stage begins, its first convolution still sees the channels of the "
            "stage before.",
        ),
        "never projections": (
            lambda *given: _count(*given[:4], False),
            "You leave the projections out. If `projection` is true, there are two of them.",
        ),
        "always projections": (
            lambda *given: _count(*given[:4], True),
            "You always count projections. They are there only if `projection` is true.",
        ),
        "bare projections": (
            lambda *given: _count(*given) - given[4] * 2 * sum(given[1][1:]),
            "A projection is followed by a γ and a β for each of its filters, too.",
        ),
        "projections of 3 × 3": (
            _counter(one=9),
            "A projection is a convolution of 1 × 1: one weight for each pair of channels.",
        ),
        "option C": (
            _counter(
                around=lambda n, f: [(f[0], f[0]), *pairwise(f)] + (n - 1) * [(a, a) for a in f]
            ),
            "You put a projection around every block, the paper's option C. In option B only the "
            "two blocks at which a new stage begins have one.",
        ),
    },
    otherwise="From a to b channels a convolution has 9 a b weights, and its normalisation 2 b.",
    hints=[
        "A 3 × 3 convolution from $a$ to $b$ channels has $9ab$ weights, its normalisation $2b$.",
        "Write down the channels from layer to layer: `channels`, then `filters[0]` for $1 + 2n$ "
        "convolutions, then `filters[1]` for $2n$ and `filters[2]` for $2n$.",
        "The projections lead from `filters[0]` to `filters[1]` and from there to `filters[2]`.",
    ],
    explanation="List the channels from layer to layer; every two neighbours $a, b$ are a "
    "convolution with $9ab$ weights and a normalisation with $2b$. Then comes the dense layer. A "
    "projection has $ab + 2b$.",
)
