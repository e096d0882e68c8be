"""The last two exercises of the lesson `neural_networks`, and what all of them share."""

from functools import reduce
from itertools import pairwise

import numpy as np

from course_utils.exercises import Exercise, Wrong, compare


def arrays(seed, *shapes):
    """Return arrays of normal numbers, short enough to be read when they are shown."""
    rng = np.random.default_rng(seed)
    return tuple(rng.normal(size=shape).round(1) + 0 for shape in shapes)  # no -0


def tanh_slope(z):
    """Return the derivative of tanh at z."""
    return 1 - np.tanh(z) ** 2


# --- 6: a deep linear network is one layer ------------------------------------------------------


def _collapse(W, b):
    W_all, b_all = W[0], b[0]
    for W_l, b_l in zip(W[1:], b[1:], strict=True):
        W_all, b_all = W_l @ W_all, W_l @ b_all + b_l
    return W_all, b_all


_COLLAPSES = {
    "wrong order": (
        lambda W, b: (reduce(np.matmul, W), _collapse(W, b)[1]),
        "The product is the wrong way round. The first layer acts on x first.",
    ),
    "elementwise": (
        lambda W, b: (reduce(np.multiply, W), _collapse(W, b)[1]),
        "`*` multiplies number by number. Layer after layer is the matrix product, `@`.",
    ),
    "added up": (
        lambda W, b: (_collapse(W, b)[0], sum(b)),
        "The biases are added up as they are. But each passes through all *later* layers.",
    ),
    "lost": (
        lambda W, b: (_collapse(W, b)[0], 0 * b[-1]),
        "The biases are lost. Even where x = 0 the deep network gives something: what?",
    ),
    "only the last": (
        lambda W, b: (_collapse(W, b)[0], b[-1]),
        "That is the last bias only. The earlier ones arrive as well, through the later layers.",
    ),
    "two layers": (
        lambda W, b: _collapse([W[0], W[1]], [b[0], b[1]]),
        "That is right for two layers. There can be more of them, or only one.",
    ),
}
_DEPTHS = [(2, 3, 1), (5, 1, 2), (4, 2, 5, 3), (3, 4), (2, 3, 2, 4, 1), (3, 3, 3, 3)]


def _on_sizes(collapse):
    """Return what it makes of a network of these layers, whose sizes say more than its numbers."""

    def collapsed(sizes):
        W = arrays(3, *((after, before) for before, after in pairwise(sizes)))
        return collapse(list(W), list(arrays(4, *((len(W_l), 1) for W_l in W))))

    return collapsed


class _WatchedList(list):
    """A list that knows the copy that was made of it."""

    def __deepcopy__(self, memo):
        self.handed = [np.array(part) for part in self]
        return self.handed


def _judge_collapse(answer):
    mistakes = {name: (_on_sizes(made), said) for name, (made, said) in _COLLAPSES.items()}
    otherwise = "Put the first layer's output into the second layer, and multiply out."
    cases = [(sizes,) for sizes in _DEPTHS]
    compare(_on_sizes(answer), _on_sizes(_collapse), cases, otherwise, mistakes)
    lists = [_WatchedList(arrays(3, (2, 2), (2, 2))), _WatchedList(arrays(4, (2, 1), (2, 1)))]
    answer(*lists)
    if any(len(watched.handed) != len(watched) for watched in lists):
        raise Wrong(
            "The numbers are right, but your function takes entries out of the lists that it was "
            "given, as `pop` does: the network is gone afterwards. Go through them instead."
        )
    if not all(np.array_equal(watched.handed, watched) for watched in lists):
        raise Wrong(
            "The numbers are right, but your function writes into the lists that it was given, or "
            "into their arrays, as `+=` does: the network is another one afterwards."
        )


q6 = Exercise(
    answer=_collapse,
    judge=_judge_collapse,
    praise="One layer does it all: without a non-linear activation depth adds nothing to what a "
    "network can compute.",
    mistakes=_COLLAPSES,
    hints=[
        "Two layers: $W^{[2]}(W^{[1]}x + b^{[1]}) + b^{[2]}$. Multiply out.",
        "Go on from layer to layer: what does the next $W$ do to the matrix and the biases so far?",
    ],
    explanation="$W^{[2]}(W^{[1]}x + b^{[1]}) + b^{[2]} = (W^{[2]}W^{[1]})\\,x + "
    "(W^{[2]}b^{[1]} + b^{[2]})$, and so on, layer by layer.",
)


# --- 7: updates on the way back -----------------------------------------------------------------


def _step(W1, W2, X, Y, alpha):
    A1 = np.tanh(W1 @ X)
    dZ2 = (W2 @ A1 - Y) / X.shape[1]
    dZ1 = (W2.T @ dZ2) * (1 - A1**2)
    return W1 - alpha * dZ1 @ X.T, W2 - alpha * dZ2 @ A1.T


def _stepper(carry=lambda W2, new: W2.T, bent=tanh_slope, turn=np.transpose, size=lambda Y: 1):
    """Return a `step` that goes back in another way, or is of another size."""

    def step(W1, W2, X, Y, alpha):
        Z1 = W1 @ X
        A1 = np.tanh(Z1)
        dZ2 = size(Y) * (W2 @ A1 - Y) / Y.shape[1]
        new = W2 - alpha * dZ2 @ turn(A1)
        dZ1 = (carry(W2, new) @ dZ2) * bent(Z1)
        return W1 - alpha * dZ1 @ turn(X), new

    return step


def _changes(W1, W2, X, Y, alpha, scale):
    """Return by how much a step changes the weights, on some scale."""
    new_W1, new_W2 = _step(W1, W2, X, Y, alpha)
    return scale * (new_W1 - W1), scale * (new_W2 - W2)


def _in_place(W1, W2, X, Y, alpha):
    W1[...], W2[...] = _step(W1, W2, X, Y, alpha)
    return W1, W2


_WRITES = (
    "The numbers are right, but your function writes into the array {} that it was given, as `-=` "
    "does: whoever tries another alpha next starts from somewhere else. Make a new array instead."
)
_STEPS = {
    "gradients": (
        lambda W1, W2, X, Y, alpha: _changes(W1, W2, X, Y, alpha, -1 / alpha),
        "Those are the gradients. A step takes alpha of them away from the old weights.",
    ),
    "changes": (
        lambda W1, W2, X, Y, alpha: _changes(W1, W2, X, Y, alpha, 1),
        "Those are the changes of the weights. Return the new weights.",
    ),
    "on the way": (
        _stepper(lambda W2, new: new.T),
        "That is the sentence taken literally: W2 is new before its *old* values have carried the "
        "gradient back to W1.",
    ),
    "climbs": (
        _stepper(size=lambda Y: -1),
        "It climbs: the step goes *against* the gradient, and the gradient begins with A2 − Y.",
    ),
    "m forgotten": (_stepper(size=lambda Y: Y.shape[1]), "The m is missing: J is a mean."),
    "no half": (
        _stepper(size=lambda Y: 2),
        "A factor of 2 is too much: the square brings it, and the ½ in J takes it away.",
    ),
    "no derivative": (_stepper(bent=lambda Z: 1), "On the way to W1 a derivative is missing."),
    "W2 not transposed": (
        _stepper(lambda W2, new: W2),
        "On the way back W2 has to be transposed. Without it this runs only where both layers are "
        "equally wide.",
    ),
    "examples not transposed": (
        _stepper(turn=lambda A: A),
        "A gradient sums over the examples. Without a transpose this product does not, and it "
        "runs only by chance.",
    ),
    "in place": (_in_place, _WRITES.format("W1")),
}


class _Watched(np.ndarray):
    """An array that knows the copy that was made of it."""

    def __deepcopy__(self, memo):
        self.handed = np.array(self)
        return self.handed


def _network(n0, n1, n2, m, alpha):
    return (*arrays(6, (n1, n0), (n2, n1), (n0, m), (n2, m)), alpha)


_SIZES = [(2, 3, 1, 4, 0.5), (3, 4, 2, 6, 1), (2, 5, 1, 1, 2.0), (3, 3, 3, 3, 0.5), (2, 2, 2, 2, 1)]


def _judge_step(answer):
    cases = [_network(*size) for size in _SIZES]
    otherwise = "Go back from A2 − Y to both gradients, at the old weights, and update then."
    compare(answer, _step, cases, otherwise, _STEPS)
    *arrays, alpha = cases[0]
    watched = [array.view(_Watched) for array in arrays]
    answer(*watched, alpha)
    for name, array in zip(("W1", "W2", "X", "Y"), watched, strict=True):
        if not np.array_equal(array, array.handed):
            raise Wrong(_WRITES.format(name))


q7 = Exercise(
    answer=_step,
    judge=_judge_step,
    praise="All gradients belong to one point, the old weights. Updated on the way, the step to W1 "
    "is off by something in alpha²: small enough to go unnoticed, and still no gradient descent.",
    mistakes=_STEPS,
    hints=[
        "Forward first, then $dZ_2 = (A_2 - Y)/m$ and $dW_2 = dZ_2\\,A_1^T$. Do not touch $W_2$ "
        "yet.",
        "$dZ_1 = (W_2^T\\,dZ_2)\\,(1 - A_1^2)$ with the *old* $W_2$, and $dW_1 = dZ_1\\,X^T$. Now "
        "update both.",
    ],
    explanation="First all gradients, at the old weights; then all updates.",
)
