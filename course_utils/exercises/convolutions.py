"""Exercises of the lesson `convolutions`."""

import numpy as np

from course_utils.exercises import Exercise, as_code

_rng = np.random.default_rng(0)


def _numbers(*shape):
    return _rng.integers(-9, 10, size=shape) / 2


# --- 1: flip or not -----------------------------------------------------------------------------


def _convolve(x, w):
    flipped = w[::-1, ::-1]
    rows, columns = w.shape
    z = np.zeros((len(x) - rows + 1, x.shape[1] - columns + 1))
    for i, j in np.ndindex(z.shape):
        z[i, j] = (x[i : i + rows, j : j + columns] * flipped).sum()
    return z


def _wrapped(x, w):
    rows, columns = w.shape
    z = np.zeros((len(x) - rows + 1, x.shape[1] - columns + 1))
    for i, j in np.ndindex(z.shape):
        z[i, j] = sum(x[i - a, j - b] * w[a, b] for a, b in np.ndindex(w.shape))
    return z


_PAIRS = [
    (_numbers(6, 5), _numbers(3, 3)),
    (_numbers(4, 6), _numbers(2, 3)),
    (_numbers(3, 3), _numbers(3, 3)),
    (_numbers(5, 4), _numbers(1, 1)),
    (_numbers(3, 5), _numbers(1, 4)),
]

q1 = Exercise(
    answer=_convolve,
    cases=_PAIRS,
    praise="Turn the kernel by half a turn, and go on as before. For a kernel that looks the same "
    "after half a turn, such as a blur, both are equal.",
    mistakes={
        "correlation": (
            lambda x, w: _convolve(x, w[::-1, ::-1]),
            "That is the correlation: nothing is flipped. In the formula, the indices of the "
            "picture *fall* where those of the kernel grow.",
        ),
        "rows only": (
            lambda x, w: _convolve(x, w[:, ::-1]),
            "You flip the rows only. Both indices run backwards: the columns have to be flipped, "
            "too.",
        ),
        "columns only": (
            lambda x, w: _convolve(x, w[::-1]),
            "You flip in one direction only. Both indices run backwards.",
        ),
        "transposed": (
            lambda x, w: _convolve(x, w.T[::-1, ::-1]),
            "You transpose the kernel. A flip is something else: the first row becomes the last, "
            "and within each row the first number becomes the last.",
        ),
        "wrapped": (
            _wrapped,
            "For i = 0 the formula asks for x[−1], and NumPy gives the *last* row. The first place "
            "where the window lies on the picture is i = len(w) − 1.",
        ),
        "picture flipped": (
            lambda x, w: _convolve(x, w)[::-1, ::-1],
            "The numbers are right and their order is not: you flip the picture, so that the "
            "result is flipped as well. Flip the kernel.",
        ),
    },
    otherwise="At each place, multiply the part of the picture by the flipped kernel and add up.",
    hints=[
        "What does `correlate` answer for a picture that is 0 but for a single 1? And what should "
        "a convolution answer?",
        "Only the kernel has to be turned: `w[::-1, ::-1]`.",
    ],
    explanation="With $a' = k - 1 - a$ the sum over $x_{i-a}\\,w_a$ becomes a sum over "
    "$x_{i-k+1+a'}\\,w_{k-1-a'}$: a correlation with the kernel read backwards, both ways.",
)


# --- 2: how large is the output -----------------------------------------------------------------


def _places(n, k, stride, padding, dilation):
    reach = dilation * (k - 1) + 1
    return (n + 2 * padding - reach) // stride + 1


q2 = Exercise(
    answer=_places,
    cases=[
        (28, 3, 1, 0, 1),
        (28, 5, 2, 2, 1),
        (7, 3, 2, 1, 1),
        (12, 3, 1, 0, 2),
        (10, 4, 3, 1, 3),
        (5, 5, 1, 0, 1),
        (8, 1, 2, 0, 4),
        (40, 5, 7, 3, 2),
    ],
    praise="Rounded down, since a window that would stick out at the end is left out. With stride "
    "1, an odd window and p = (reach − 1)/2 the size stays as it is.",
    mistakes={
        "no plus one": (
            lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) // s,
            "One place is missing: the window that stands at the very beginning counts as well.",
        ),
        "one side": (
            lambda n, k, s, p, d: (n + p - d * (k - 1) - 1) // s + 1,
            "You pad on one side only. The zeros stand on both.",
        ),
        "dilation forgotten": (
            lambda n, k, s, p, d: (n + 2 * p - k) // s + 1,
            "The dilation is missing: k pixels that lie d apart reach over d (k − 1) + 1.",
        ),
        "dilation times k": (
            lambda n, k, s, p, d: (n + 2 * p - d * k) // s + 1,
            "Between k pixels there are only k − 1 gaps: they reach over d (k − 1) + 1, not d k.",
        ),
        "reach too short": (
            lambda n, k, s, p, d: (n + 2 * p - d * (k - 1)) // s + 1,
            "The reach is too short by one: k pixels with gaps reach over d (k − 1) + 1.",
        ),
        "rounded up": (
            lambda n, k, s, p, d: -(-(n + 2 * p - d * (k - 1) - 1) // s) + 1,
            "You round up. The last window would stick out of the picture: round down.",
        ),
        "stride forgotten": (
            lambda n, k, s, p, d: n + 2 * p - d * (k - 1),
            "The stride is missing: the window moves on by so many pixels.",
        ),
        "not rounded": (
            lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) / s + 1,
            "A number of places is whole: round down.",
        ),
    },
    otherwise="Where may the window begin? At 0, at stride, at 2 · stride, as long as it ends in "
    "time.",
    hints=[
        "Over how many pixels does the window reach, gaps included? How far can the first go?",
        "Its first pixel can stand at 0 to n + 2p − reach. Every stride-th of these is taken.",
    ],
    explanation="The window reaches over $d(k-1)+1$ pixels. Its first can stand at $0, s, 2s, "
    "\\dots$ up to $n + 2p - \\text{reach}$.",
)


# --- 3: count the parameters --------------------------------------------------------------------


def _parameters(side, k, channels, filters):
    window = (k**2 * channels + 1) * filters
    dense = (side**2 * channels + 1) * side**2 * filters
    return window, side**2 * window, dense


q3 = Exercise(
    answer=_parameters,
    cases=[(28, 3, 16, 32), (8, 1, 3, 5), (5, 5, 1, 1), (1, 1, 4, 2), (40, 3, 2, 7)],
    praise="From 28 × 28 pixels and 16 channels to 32: 4,640 parameters, 3.6 million, 315 million. "
    "From the dense layer to windows of their own, a factor of 87: that is the window. From there "
    "to 4,640, a factor of 784: that is sharing.",
    mistakes={
        "channels forgotten": (
            lambda n, k, c, f: ((k**2 + 1) * f, n**2 * (k**2 + 1) * f, _parameters(n, k, c, f)[2]),
            "The window looks at *all* channels below it: each filter has k² · channels weights.",
        ),
        "no biases": (
            lambda n, k, c, f: (k**2 * c * f, n**2 * k**2 * c * f, n**4 * c * f),
            "The biases are missing.",
        ),
        "a bias per channel": (
            lambda n, k, c, f: (
                k**2 * c * f + c,
                n**2 * (k**2 * c * f + c),
                (n**2 * c + 1) * n**2 * f,
            ),
            "A bias belongs to a *filter*, an output, and not to a channel of the input.",
        ),
        "shared biases": (
            lambda n, k, c, f: (
                (k**2 * c + 1) * f,
                n**2 * k**2 * c * f + f,
                (n**2 * c + 1) * n**2 * f,
            ),
            "The windows of their own have biases of their own, too, at each place.",
        ),
        "k not squared": (
            lambda n, k, c, f: (
                (k * c + 1) * f,
                n**2 * (k * c + 1) * f,
                _parameters(n, k, c, f)[2],
            ),
            "A window of k × k has k² pixels.",
        ),
        "few outputs": (
            lambda n, k, c, f: (*_parameters(n, k, c, f)[:2], (n**2 * c + 1) * f),
            "The first two are right. The dense layer makes *all* side² · filters outputs.",
        ),
        "one bias in the dense layer": (
            lambda n, k, c, f: (*_parameters(n, k, c, f)[:2], n**4 * c * f + f),
            "The first two are right. In the dense layer every output has a bias of its own.",
        ),
        "one bias": (
            lambda n, k, c, f: (
                k**2 * c * f + f,
                n**2 * (k**2 * c + 1) * f,
                n**2 * c * n**2 * f + f,
            ),
            "The first two are right. In the dense layer every output has a bias of its own.",
        ),
    },
    otherwise="Each output unit has one weight for each input that it sees, and a bias. What is "
    "shared is counted once.",
    hints=[
        "How many inputs does one unit see: in a window over all channels, and in a dense layer?",
        "A filter has k² · channels weights and one bias. Without sharing, count that for each of "
        "the side² places.",
    ],
    explanation="A filter sees $k^2 c$ inputs, so it has $k^2 c + 1$ parameters. Shared: times the "
    "filters. Not shared: times the places as well. The dense unit sees $n^2 c$ inputs, and there "
    "are $n^2 f$ of it.",
)


# --- 4: back to the pixels ----------------------------------------------------------------------


def _back(G, w):
    rows, columns = w.shape
    dx = np.zeros((len(G) + rows - 1, G.shape[1] + columns - 1))
    for i, j in np.ndindex(G.shape):
        dx[i : i + rows, j : j + columns] += G[i, j] * w
    return dx


def _overwritten(G, w):
    rows, columns = w.shape
    dx = np.zeros((len(G) + rows - 1, G.shape[1] + columns - 1))
    for i, j in np.ndindex(G.shape):
        dx[i : i + rows, j : j + columns] = G[i, j] * w
    return dx


q4 = Exercise(
    answer=_back,
    cases=[(x, w) for x, w in _PAIRS] + [(_numbers(1, 1), _numbers(2, 3))],
    praise="Each place gives its slope back to the pixels that it saw, each with its weight. "
    "Written as a sum over windows, this is a true convolution: the flip is back.",
    mistakes={
        "as written": (
            lambda G, w: _back(G, w[::-1, ::-1]),
            "That is what was handed in: the flip is missing. The pixel at the window's *left* "
            "edge is seen by it, and by windows further *left*, of which it is the right edge.",
        ),
        "one direction": (
            lambda G, w: _back(G, w[::-1]),
            "You flip in one direction only.",
        ),
        "the other direction": (
            lambda G, w: _back(G, w[:, ::-1]),
            "You flip in one direction only.",
        ),
        "overwritten": (
            _overwritten,
            "Each place overwrites what the places before it have given. A pixel is seen from "
            "several places: add up, with `+=`.",
        ),
        "slopes flipped": (
            lambda G, w: _back(G[::-1, ::-1], w),
            "You flip G. Its places stay where they are; it is the kernel that has to be flipped "
            "if you correlate.",
        ),
        "valid": (
            lambda G, w: _back(G, w)[len(w) - 1 : len(G), np.shape(w)[1] - 1 : np.shape(G)[1]],
            "You have the inner pixels only. At the border of the picture fewer windows meet, but "
            "some do: put zeros around G first.",
        ),
    },
    otherwise="Each place (i, j) adds G[i, j] times the kernel to the pixels that it saw. The "
    "result has the shape of the picture: len(G) + len(w) − 1 rows, and so on.",
    hints=[
        "Which places (i, j) of the window see the pixel (u, v), and with which weight?",
        "Start with zeros of the shape of the picture, and for each place add `G[i, j] * w` where "
        "the window stood. Or pad G with len(w) − 1 zeros above and below and w.shape[1] − 1 left "
        "and right, and correlate with the flipped kernel.",
    ],
    explanation="Place $(i, j)$ sees the pixel $(u, v)$ through the weight $w_{u-i, v-j}$, so "
    "$G_{ij}\\,w$ is added to the part of $dx$ that the window covers. That is "
    "`scipy.signal.convolve2d(G, w)`.",
)


# --- 5: four outcomes ---------------------------------------------------------------------------

_FOUR = {
    "windows, in order": "best",
    "windows, shuffled": "worst",
    "dense, in order": "middle",
    "dense, shuffled": "middle",
}

q5 = Exercise(
    answer=_FOUR,
    praise="The dense network does not know which pixels are neighbours, so that it cannot miss "
    "them. Now let the networks vote.",
    mistakes={
        "dense hurt": (
            {"dense, in order": "middle", "dense, shuffled": "worst"},
            "What does a dense layer know about the order of its inputs? Rename them, give each "
            "weight the new name of its input: what has changed?",
        ),
        "windows level": (
            {"windows, in order": "middle", "windows, shuffled": "middle"},
            "A window looks at pixels side by side. What does it see of a slope or a peak once the "
            "pixels are shuffled?",
        ),
    },
    otherwise="Ask for each network: does it know which pixels are neighbours?",
    hints=[
        "To shuffle the inputs of a dense layer is the same as to shuffle the columns of its "
        "weights, which are random at the start anyway.",
        "Windows look at neighbours. Once these have nothing to do with each other, they see "
        "little, and the mean over all places takes the rest.",
    ],
    explanation="Windows in order are best. Shuffling takes their neighbours away, and the "
    "mean over places also forgets where what stood: worst. The dense network is the same "
    "before and after, but for names:\n\n" + as_code("four", _FOUR),
)


# --- 6: which pixels does "same" read -----------------------------------------------------------


def _middles(n, k, stride):
    places = -(-n // stride)  # rounded up
    zeros = max((places - 1) * stride + k - n, 0)
    return np.arange(places) * stride - zeros // 2 + k // 2


def _symmetric(n, k, stride):
    return np.arange(-(-n // stride)) * stride


def _zeros_first(n, k, stride):
    places = -(-n // stride)
    zeros = max((places - 1) * stride + k - n, 0)
    return np.arange(places) * stride - (zeros + 1) // 2 + k // 2


q6 = Exercise(
    answer=_middles,
    cases=[
        (8, 3, 2),
        (7, 3, 2),
        (8, 1, 2),
        (8, 5, 2),
        (9, 3, 3),
        (28, 3, 1),
        (10, 5, 4),
        (6, 3, 5),
    ],
    praise="On an even side with stride 2 a window of three stands over the odd pixels. PyTorch's "
    "`padding=1` puts a zero on both sides, and its window stands over the even ones.",
    mistakes={
        "even pixels": (
            _symmetric,
            "You begin at pixel 0. That holds if the zeros are spread evenly. Here only as many "
            "are added as are needed, and of an odd number the smaller half stands in front.",
        ),
        "more zeros in front": (
            _zeros_first,
            "Of an odd number of zeros, the one left over goes *behind*, not in front.",
        ),
        "all zeros behind": (
            lambda n, k, s: np.arange(-(-n // s)) * s + k // 2,
            "You leave out the zeros in front. Half of all zeros go there, and the first pixel of "
            "the *picture* has the number 0.",
        ),
        "first pixels": (
            lambda n, k, s: _middles(n, k, s) - k // 2,
            "That is where each window *begins*. Its middle lies k // 2 further on.",
        ),
        "one place fewer": (
            lambda n, k, s: _middles(n, k, s)[: n // s],
            'The number of places is rounded *up*: that is the promise of `"same"`.',
        ),
    },
    otherwise="First the number of places, then the zeros in all, then those in front. The first "
    "window begins that many pixels before the picture.",
    hints=[
        "For 8 pixels, a window of 3 and stride 2 there are 4 places. They need 3 · 2 + 3 = 9 "
        "pixels. How many zeros, and how many of them in front?",
        "The window at place i begins at i · stride − zeros in front, and its middle is k // 2 "
        "further.",
    ],
    explanation='With $m = \\lceil n/s \\rceil$ places, `"same"` adds $\\max((m-1)s + k - n, 0)$ '
    "zeros, half of them (rounded down) in front. Place $i$ begins at $is$ minus these.",
)
