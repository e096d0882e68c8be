"""Exercises of the lesson `neural_networks`: examples are columns, as on the slides."""

from contextlib import contextmanager
from itertools import combinations, pairwise

import numpy as np

from course_utils.exercises._before import Exercise, Wrong, as_code, compare, filled, numbers


@contextmanager
def _explained(sentence):
    """Say what does not fit where a student's arrays (or sizes) do not fit together."""
    try:
        yield
    except (ValueError, IndexError) as error:
        raise Wrong(f"{sentence} Python says: `{str(error)[:150]}`") from None


def _part(function, place, names):
    """Return the function that gives only one of the two results."""

    def part(*case):
        given = function(*case)
        if isinstance(given, tuple | list) and len(given) == 2:
            return given[place]
        if given is None or given is ...:
            return given
        raise Wrong(f"Return two things, in this order: {names[0]} and {names[1]}.")

    return part


def _compare_both(answer, right, names, cases, otherwise, mistakes=None, sentences=None):
    """Hold a function of two results against the right one, one result after the other."""
    for place, name in enumerate(names):
        made = {key: _part(mistake, place, names) for key, mistake in (mistakes or {}).items()}
        parts = [_part(function, place, names) for function in (answer, right)]
        try:
            compare(*parts, cases, otherwise, made, sentences)
        except Wrong as wrong:
            raise Wrong(f"`{name}`: {wrong}") from None


# --- 1: the gradient of one unit ----------------------------------------------------------------


def _sigmoid(z):
    return 1 / (1 + np.exp(-z))


def _slope(error, mean=lambda products: products.mean(axis=1)):
    """Return the gradient that weighs the inputs with an error, made of z and y."""
    return lambda w, b, X, y: mean(X * error(w @ X + b, y))


def _error(z, y):
    return _sigmoid(z) - y


_gradient = _slope(_error)
_PER_EXAMPLE = _slope(_error, lambda products: products.mean(axis=0))
_GRADIENTS = {
    "squared error": _slope(lambda z, y: _error(z, y) * _sigmoid(z) * (1 - _sigmoid(z))),
    "climbs": _slope(lambda z, y: -_error(z, y)),
    "sum": _slope(_error, lambda products: products.sum(axis=1)),
    "divided by n": _slope(_error, lambda products: products.sum(axis=1) / len(products)),
    "no bias": lambda w, b, X, y: _gradient(w, 0, X, y),
    "rounded": _slope(lambda z, y: (z > 0) - y),
    "something else": _slope(lambda z, y: 2 * _error(z, y)),
}
_GRADIENTS_SAID = {
    "squared error": "There is a factor a(1 − a) too much. The slope of the sigmoid does come in, "
    "but the log loss brings the same below the line. With the squared error it would stay.",
    "climbs": "You have y − a where a − y belongs: a step against that would *climb*.",
    "sum": "That is the sum over the examples. J is their mean: divide by m.",
    "divided by n": "You divide by the number of features. The mean is over the examples, "
    "the *columns* of X.",
    "no bias": "b is missing: the unit computes z = w·x + b.",
    "rounded": "You round a to 0 or 1 first. That is the old perceptron's rule. The log loss "
    "compares y with the probability itself, so examples on the right side still count.",
}


def _judge_gradient(answer):
    rng = np.random.default_rng(1)
    cases = [
        (rng.normal(size=n), b, rng.normal(size=(n, m)), rng.integers(0, 2, m).astype(float))
        for n, m, b in ((3, 5, 1.5), (2, 7, -2.0), (4, 40, 0.8))
    ]
    w, b, X, y = cases[0]
    if numbers(answer(w.copy(), b, X.copy(), y.copy())).shape == y.shape:
        raise Wrong(
            "You have one number for every *example*. Examples are columns: average over them "
            "(axis 1), and keep one number for every weight."
        )
    compare(
        answer,
        _gradient,
        cases,
        "For the weight {0:.3g} you get {given:.4g}; {expected:.4g} is right: the mean over the "
        "examples of (a − y) x.",
        _GRADIENTS,
        _GRADIENTS_SAID,
    )
    return (
        "Error times input, averaged: linear regression has just the same formula. The sigmoid's "
        "slope a(1 − a) cancels, so a unit that is sure *and* wrong still learns."
    )


q1 = Exercise(
    judge=_judge_gradient,
    hints=[
        "The chain rule, for one example: $\\frac{\\partial\\mathcal L}{\\partial z} = "
        "\\frac{\\partial\\mathcal L}{\\partial a}\\,\\frac{\\partial a}{\\partial z}$ with "
        "$\\frac{\\partial a}{\\partial z} = a(1-a)$. Much of it cancels.",
        "What is left is $a - y$. Each example adds $(a - y)\\,x$; take the mean over the columns.",
    ],
    explanation="$\\frac{\\partial\\mathcal L}{\\partial a} = \\frac{a - y}{a(1-a)}$ and "
    "$\\frac{\\partial a}{\\partial z} = a(1-a)$, so $\\frac{\\partial\\mathcal L}{\\partial z} = "
    "a - y$.\n\n"
    "```python\ndef gradient(w, b, X, y):\n"
    "    a = 1 / (1 + np.exp(-(w @ X + b)))\n"
    "    return X @ (a - y) / len(y)\n```",
    answer=_gradient,
    misconceptions={**_GRADIENTS, "wrong axis": _PER_EXAMPLE},
)


# --- 2: count the parameters --------------------------------------------------------------------


def _counter(layer, further=lambda sizes: 0):
    return lambda sizes: sum(layer(a, b) for a, b in pairwise(sizes)) + further(sizes)


_count = _counter(lambda a, b: (a + 1) * b)
_COUNTERS = {
    "no biases": _counter(lambda a, b: a * b),
    "biases of the input": _counter(lambda a, b: (a + 1) * b, lambda sizes: sizes[0]),
    "units": _counter(lambda a, b: b, lambda sizes: sizes[0]),
    "all pairs": lambda sizes: sum(a * b for a, b in combinations(sizes, 2)) + sum(sizes[1:]),
    "one hidden layer": lambda sizes: _count((*sizes[:2], sizes[-1])),
    "one bias per layer": _counter(lambda a, b: a * b + 1),
    "something else": _counter(lambda a, b: (a + 1) * (b + 1)),
}
_COUNTERS_SAID = {
    "no biases": "The biases are missing: one for every unit.",
    "biases of the input": "The input layer has no biases: it computes nothing, it is x.",
    "units": "Those are the units. A parameter sits on every *line* between them, and every unit "
    "that computes something has a bias.",
    "all pairs": "You join every layer with all later ones. Here each one takes its input from the "
    "layer just before it only.",
    "one hidden layer": "You count one hidden layer only. There can be more: go through all "
    "neighbours in `sizes`.",
    "one bias per layer": "You count one bias per layer. Every unit has its own.",
}


def _excess(count):
    """Return by how much a count is off: of so many a thousandth would pass as right."""
    return lambda sizes: numbers(count(sizes), ()) - _count(sizes)


def _judge_count(answer):
    said = "For the sizes {} your count is off by {given:+.6g}. From a to b units: a b + b."
    with _explained("The network can have any number of layers: go through neighbours in `sizes`."):
        cases = [((3, 2, 1),), ((784, 128, 10),), ((4, 5, 3, 6, 2),), ((2, 8, 8, 8, 1),)]
        excesses = {name: _excess(count) for name, count in _COUNTERS.items()}
        compare(_excess(answer), _excess(_count), cases, said, excesses, _COUNTERS_SAID)
        compare(_excess(answer), _excess(_count), [((3, 1),), ((5, 4),)], said)
    return (
        "The slide's network has 8 + 3. Twice as many units in two neighbouring layers are four "
        "times as many weights between them: that is where large networks have their size from."
    )


q2 = Exercise(
    judge=_judge_count,
    hints=[
        "In a layer of $b$ units with $a$ inputs every unit has $a$ weights and a bias.",
        "`zip(sizes, sizes[1:])` gives the neighbours.",
    ],
    explanation="Every layer of $b$ units with $a$ inputs has $(a + 1)\\,b$ parameters.\n\n"
    "```python\ndef count(sizes):\n"
    "    return sum((a + 1) * b for a, b in zip(sizes, sizes[1:]))\n```",
    answer=_count,
    misconceptions=_COUNTERS,
)


# --- 3: a deep linear network is one layer ------------------------------------------------------


def _collapser(product=np.matmul, carry=lambda W, b_all, b: W @ b_all + b):
    def collapse(W, b):
        W_all, b_all = W[0], b[0]
        for W_l, b_l in zip(W[1:], b[1:], strict=True):
            W_all, b_all = product(W_l, W_all), carry(W_l, b_all, b_l)
        return W_all, b_all

    return collapse


_collapse = _collapser()
_COLLAPSERS = {
    "wrong order": _collapser(lambda after, before: before @ after),
    "elementwise": _collapser(np.multiply),
    "added up": _collapser(carry=lambda W, b_all, b: b_all + b),
    "lost": _collapser(carry=lambda W, b_all, b: 0 * b),
    "only the last": _collapser(carry=lambda W, b_all, b: b),
    "something else": _collapser(carry=lambda W, b_all, b: W @ b_all - b),
}
_COLLAPSERS_SAID = {
    "wrong order": "The product is the wrong way round. The first layer acts on x first, so it "
    "stands next to x: on the right.",
    "elementwise": "`*` multiplies number by number. Layer after layer is the matrix product, `@`.",
    "added up": "The biases are added up as they are. But each passes through all *later* layers, "
    "and is multiplied by their W.",
    "lost": "The biases are lost. Even where x = 0 the deep network gives something: what?",
    "only the last": "That is the last bias only. The earlier ones arrive as well, multiplied by "
    "the later W.",
}


def _linear(sizes):
    rng = np.random.default_rng(len(sizes))
    W = [rng.normal(size=(after, before)) for before, after in pairwise(sizes)]
    return W, [rng.normal(size=(len(W_l), 1)) for W_l in W]


def _judge_collapse(answer):
    def on_sizes(collapse):
        return lambda sizes: collapse(*_linear(sizes))

    said = (
        "For a network of the sizes {} you get {given:.4g} where {expected:.4g} is right. Put "
        "the first layer's output into the second layer, and multiply out."
    )
    pair = on_sizes(answer), on_sizes(_collapse), ("W_all", "b_all")
    made = {name: on_sizes(mistake) for name, mistake in _COLLAPSERS.items()}
    with _explained("The shapes do not fit: every layer takes the output of the one before."):
        _compare_both(*pair, [((3, 3, 3, 3),), ((2, 2, 2),)], said, made, _COLLAPSERS_SAID)
        _compare_both(*pair, [((4, 2, 5, 3),), ((5, 1, 2),)], said)
    return (
        "One layer does it all: without a non-linear activation depth adds nothing to what a "
        "network can compute."
    )


q3 = Exercise(
    judge=_judge_collapse,
    hints=[
        "Two layers: $W^{[2]}(W^{[1]}x + b^{[1]}) + b^{[2]}$. Multiply out.",
        "Go on from layer to layer: what does the next $W$ do to the `W_all` and `b_all` so far?",
    ],
    explanation="$W^{[2]}(W^{[1]}x + b^{[1]}) + b^{[2]} = (W^{[2]}W^{[1]})\\,x + "
    "(W^{[2]}b^{[1]} + b^{[2]})$, and so on, layer by layer.\n\n"
    "```python\ndef collapse(W, b):\n"
    "    W_all, b_all = W[0], b[0]\n"
    "    for W_l, b_l in zip(W[1:], b[1:]):\n"
    "        W_all, b_all = W_l @ W_all, W_l @ b_all + b_l\n"
    "    return W_all, b_all\n```",
    answer=_collapse,
    misconceptions=_COLLAPSERS,
)


# --- 4: a softmax that overflows ----------------------------------------------------------------


def _normalised(e):
    return e / e.sum(axis=0)


def _softmax(Z):
    return _normalised(np.exp(Z - Z.max(axis=0)))


# A large, an ordinary and a small column, and what it means if just this one is not finite.
_EXTREME = np.array([[2000, 1, -1001], [1999, -1, -1000], [-1000, 0.5, -1002]], dtype=float)
_OVERFLOWS = {
    "naive": lambda Z: _normalised(np.exp(Z)),
    "whole maximum": lambda Z: _normalised(np.exp(Z - Z.max())),
    "only above": lambda Z: _normalised(np.exp(Z - np.maximum(Z.max(axis=0), 0))),
}
_OVERFLOWS_SAID = {
    "naive": "For Z = 2000 you get no finite number: its exponential is more than a float can hold "
    "(the end is near $e^{709}$) and becomes inf, and inf/inf is nan. Subtracting one number from "
    "a whole column changes no ratio: which number helps? (The mean may be too small.)",
    "whole maximum": "2000 survives, the ordinary column beside it does not: with the maximum of "
    "the *whole* array subtracted, its exponentials are all 0, and 0/0 is nan. Every column needs "
    "its own maximum.",
    "only above": "2000 survives, −1000 does not: in a column of −1001, −1000 and −1002 every "
    "exponential is 0, and 0/0 is nan. Subtract the maximum where it is negative, too.",
}
_SOFTMAXES = {
    "wrong axis": lambda Z: _softmax(Z.T).T,
    "hardmax": lambda Z: 1.0 * (Z.max(axis=0) == Z),
    "clipped": lambda Z: _normalised(np.exp(np.clip(Z, -700, 700))),
    "something else": lambda Z: _softmax(2 * Z),
}
_SOFTMAXES_SAID = {
    "wrong axis": "Your *rows* add up to one. Examples are columns: the classes of one example "
    "stand below each other, so sum over axis 0.",
    "hardmax": "That is hardmax: only 0 and 1. The softmax also says how sure it is.",
    "clipped": "Finite, but the odds are wrong: clipped, 2000 and 1999 become equal, yet one is "
    "$e$ times as likely as the other. Subtract instead of clipping.",
}


def _judge_softmax(answer):
    rng = np.random.default_rng(4)
    said = "For Z = {:.4g} you get {given:.4g}; {expected:.4g} is right."
    cases = [(rng.normal(size=shape),) for shape in ((3, 4), (4, 4), (5, 1))]
    compare(answer, _softmax, cases, said, _SOFTMAXES, _SOFTMAXES_SAID)
    with np.errstate(all="ignore"):
        finite = np.isfinite(np.asarray(answer(_EXTREME.copy()), dtype=float)).all(axis=0)
    for column, sentence in zip(finite, _OVERFLOWS_SAID.values(), strict=True):
        if not column:
            raise Wrong(sentence)
    compare(answer, _softmax, [(_EXTREME,)], said, _SOFTMAXES, _SOFTMAXES_SAID)
    return (
        "Only differences within a column count, so its largest number may as well be 0. Then no "
        "exponential exceeds 1, and no sum is smaller than 1: nothing can overflow or be 0/0."
    )


q4 = Exercise(
    judge=_judge_softmax,
    hints=[
        "$e^{z_i}/\\sum_j e^{z_j}$ stays the same if a number is subtracted from all $z$ of a "
        "column. Try `np.exp(1000)` and `np.exp(-1000)` to see why you would do that.",
        "Subtract the column's largest number: `Z.max(axis=0)`. The sum is over axis 0 as well.",
    ],
    explanation="Subtract the largest number of every column: the ratios stay, and every exponent "
    "is 0 or below.\n\n"
    "```python\ndef softmax(Z):\n"
    "    e = np.exp(Z - Z.max(axis=0))\n"
    "    return e / e.sum(axis=0)\n```",
    answer=_softmax,
    misconceptions={**_OVERFLOWS, **_SOFTMAXES},
)


# --- 5: backpropagation without the transpose ---------------------------------------------------


def _bent(z):
    return 1 - np.tanh(z) ** 2


def _back(dZ, W, Z_prev):
    return (W.T @ dZ) * _bent(Z_prev)


_BACKS = {
    "no transpose": lambda dZ, W, Z: (W @ dZ) * _bent(Z),
    "no derivative": lambda dZ, W, Z: W.T @ dZ,
    "tanh twice": lambda dZ, W, Z: (W.T @ dZ) * _bent(np.tanh(Z)),
    "Z for A": lambda dZ, W, Z: (W.T @ dZ) * (1 - Z**2),
    "too early": lambda dZ, W, Z: W.T @ (dZ * _bent(Z)),
    "divided by m": lambda dZ, W, Z: _back(dZ, W, Z) / dZ.shape[1],
    "something else": lambda dZ, W, Z: 2 * _back(dZ, W, Z),
}
_BACKS_SAID = {
    "no transpose": "That runs only because both layers are equally wide. Forward, W[i, j] leads "
    "from unit j to unit i. Backward it has to lead from i to j: transpose W.",
    "no derivative": "That is the gradient with respect to the *activations* of the layer before. "
    "To get behind its tanh, multiply by the derivative of tanh.",
    "tanh twice": "You take tanh twice: the derivative is 1 − tanh(z)², at z itself, and 1 − a² "
    "where a is the activation.",
    "Z for A": "1 − a² is the derivative if a is the *activation*. Z_prev is what goes into tanh.",
    "too early": "You multiply by the derivative first and by W then. Going back, W comes first: "
    "the tanh of the layer before lies behind it.",
    "divided by m": "The m is too much: the mean is in dZ already, from the cost, and belongs into "
    "the gradient once.",
}


def _judge_back(answer):
    rng = np.random.default_rng(5)

    def case(n, n_prev, m):
        return tuple(rng.normal(size=shape) for shape in ((n, m), (n, n_prev), (n_prev, m)))

    said = (
        "You get {given:.4g} where {expected:.4g} is right: first back through W, then through "
        "tanh, for every number of Z_prev by itself."
    )
    with _explained(
        "The shapes do not fit. dZ is (n, m), W is (n, n_prev): which product is (n_prev, m)?"
    ):
        compare(answer, _back, [case(4, 4, 5), case(3, 3, 3)], said, _BACKS, _BACKS_SAID)
        compare(answer, _back, [case(2, 4, 5), case(5, 1, 3), case(1, 3, 1)], said)
    return (
        "With layers of different width the missing transpose would have stopped with an error. "
        "So test on shapes that all differ, and hold a gradient against finite differences."
    )


q5 = Exercise(
    judge=_judge_back,
    hints=[
        "Write the shapes beside the letters: dZ is (n, m), W is (n, n_prev), and the result has "
        "the shape of Z_prev, (n_prev, m).",
        "$Z = W A_{prev} + b$ and $A_{prev} = \\tanh(Z_{prev})$: the chain rule has two factors.",
    ],
    explanation="Back through $W$, then through tanh, whose derivative is $1 - \\tanh^2$.\n\n"
    "```python\ndef back(dZ, W, Z_prev):\n"
    "    return (W.T @ dZ) * (1 - np.tanh(Z_prev) ** 2)\n```",
    answer=_back,
    misconceptions=_BACKS,
)


# --- 6: updates on the way back -----------------------------------------------------------------


def _stepper(carry=lambda W2, new: W2.T, bent=_bent, turn=np.transpose, size=1):
    def step(W1, W2, X, Y, alpha):
        Z1 = W1 @ X
        A1 = np.tanh(Z1)
        dZ2 = size * (W2 @ A1 - Y) / Y.shape[1]
        new = W2 - alpha * dZ2 @ turn(A1)
        dZ1 = (carry(W2, new) @ dZ2) * bent(Z1)
        return W1 - alpha * dZ1 @ turn(X), new

    return step


_step = _stepper()


def _in_place(W1, W2, X, Y, alpha):
    W1[...], W2[...] = _step(W1, W2, X, Y, alpha)
    return W1, W2


_STEPS = {
    "on the way": _stepper(lambda W2, new: new.T),
    "climbs": _stepper(size=-1),
    "m forgotten": lambda W1, W2, X, Y, alpha: _step(W1, W2, X, Y, alpha * Y.shape[1]),
    "no derivative": _stepper(bent=lambda Z: 1),
    "W2 not transposed": _stepper(lambda W2, new: W2),
    "examples not transposed": _stepper(turn=lambda A: A),
    "something else": _stepper(lambda W2, new: (W2.T + new.T) / 2),
}
_STEPS_SAID = {
    "on the way": "That is the sentence taken literally: W2 is new before its *old* values have "
    "carried the gradient back to W1. Compute both gradients first, then update.",
    "climbs": "It climbs: the step goes *against* the gradient, and the gradient begins with "
    "A2 − Y.",
    "m forgotten": "The m is missing: J is the mean over the examples.",
    "no derivative": "The derivative of tanh is missing on the way to W1: 1 − A1².",
    "W2 not transposed": "On the way back W2 has to be transposed. Without it this runs only where "
    "both layers are equally wide.",
    "examples not transposed": "The gradients are dZ2 @ A1.T and dZ1 @ X.T: the product sums over "
    "the examples. Without the transpose this runs only by chance.",
}


def _judge_step(answer):
    rng = np.random.default_rng(6)

    def case(n0, n1, n2, m, alpha=0.5):
        shapes = (n1, n0), (n2, n1), (n0, m), (n2, m)
        return (*(rng.normal(size=shape) for shape in shapes), alpha)

    said = (
        "With alpha = {4} you get {given:.4g} where {expected:.4g} is right. Go back from "
        "dZ2 = (A2 − Y) / m to both gradients, and update then."
    )
    pair = answer, _step, ("W1", "W2")
    with _explained(
        "The shapes do not fit. A gradient has the shape of its weights: which product has it?"
    ):
        square = [case(3, 3, 3, 3), case(4, 4, 4, 4)]
        _compare_both(*pair, square, said, _STEPS, _STEPS_SAID)
        _compare_both(*pair, [case(3, 4, 2, 6), case(2, 5, 1, 1, 2.0)], said)
    given = case(3, 4, 2, 6)
    kept = [part.copy() for part in given[:4]]
    answer(*given)
    for name, before, after in zip(("W1", "W2", "X", "Y"), kept, given, strict=False):
        if not np.array_equal(before, after):
            raise Wrong(
                f"The numbers are right, but your function writes into the {name} that it was "
                "given, as `-=` does: who tries another alpha next starts from somewhere else. "
                f"Make a new array: `{name} = {name} - ...`."
            )
    return (
        "All gradients belong to one point, the old weights. Updated on the way, the step to W1 is "
        "off by something in alpha²: small enough to go unnoticed, and still no gradient descent."
    )


q6 = Exercise(
    judge=_judge_step,
    hints=[
        "Forward first, then $dZ_2 = (A_2 - Y)/m$ and $dW_2 = dZ_2\\,A_1^T$. Do not touch $W_2$ "
        "yet.",
        "$dZ_1 = (W_2^T\\,dZ_2)\\,(1 - A_1^2)$ with the *old* $W_2$, and $dW_1 = dZ_1\\,X^T$. Now "
        "update both.",
    ],
    explanation="First all gradients, at the old weights; then all updates.\n\n"
    "```python\ndef step(W1, W2, X, Y, alpha):\n"
    "    A1 = np.tanh(W1 @ X)\n"
    "    dZ2 = (W2 @ A1 - Y) / X.shape[1]\n"
    "    dZ1 = (W2.T @ dZ2) * (1 - A1**2)\n"
    "    return W1 - alpha * dZ1 @ X.T, W2 - alpha * dZ2 @ A1.T\n```",
    answer=_step,
    misconceptions={**_STEPS, "in place": _in_place},
)


# --- 7: how many different hidden units ---------------------------------------------------------

UNITS = {
    "all weights 0": 1,
    "all weights 0.5": 1,
    "weights random, biases 0": 4,
    "W1 random, W2 all equal": 4,
}
_MISCOUNTED = {  # an entry, and what is wrong with it
    ("all weights 0", 4): "From 0 nothing leads away: $A_1 = \\tanh(0) = 0$, so $dW_2 = 0$; and "
    "$W_2 = 0$ lets no gradient through to $W_1$. Only $b_2$ moves.",
    ("all weights 0", 0): "From 0 the hidden layer learns nothing, true. But its four units are "
    "there, and all the same: how many *different* ones is that?",
    ("all weights 0.5", 4): "From 0.5 the weights do move. But units that are equal give equal "
    "activations and get equal gradients, so they stay equal, step after step.",
    ("all weights 0.5", 3): "From 0.5: the three inputs differ, and so may the three weights of a "
    "unit. But all four units see the same inputs and get the same gradients.",
    ("weights random, biases 0", 1): "With random weights the biases may well start equal: the "
    "units see the same inputs and answer differently, and that is enough.",
    ("W1 random, W2 all equal", 1): "An equal $W_2$ does send the same error back to all units. "
    "But $W_1$ makes them different already, and so are their activations, and with these the "
    "gradients of $W_2$.",
}


def _judge_units(answer):
    for (name, right), value in zip(UNITS.items(), filled(answer, UNITS), strict=True):
        given = numbers(value, ()).item()
        if (name, given) in _MISCOUNTED:
            raise Wrong(_MISCOUNTED[name, given])
        if given not in (1, 2, 3, 4):
            raise Wrong(f'A whole number from 1 to 4 is expected for "{name}": there are 4 units.')
        if given != right:
            raise Wrong(
                f'Not so from "{name}". Ask for any two of the units: do they start with the same '
                "weights, in and out? And do they then get the same gradients?"
            )
    return (
        "Units that start the same in all their weights stay the same: four of them can do no more "
        "than one. So weights start at random, to break the symmetry; biases may start at 0."
    )


q7 = Exercise(
    judge=_judge_units,
    hints=[
        "The gradient for a hidden unit depends on its inputs, its activation and its weight in "
        "$W_2$. If two units agree in all of that, what tells them apart after the step?",
        "At 0: which activations come out of tanh(0), and what does $W_2 = 0$ send back?",
    ],
    explanation="Equal units get equal gradients, for ever. It is enough that they differ in "
    "*some* weight at the start.\n\n" + as_code("units", UNITS),
    answer=UNITS,
    misconceptions={
        **{f"{name}: {n}": {**UNITS, name: n} for name, n in _MISCOUNTED},
        "something else": {**UNITS, "W1 random, W2 all equal": 2},
        "no such number": {**UNITS, "all weights 0.5": 12},
    },
)
