"""Networks in NumPy: against Keras and its automatic differentiation, in float64."""

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

from course_utils import plotting
from course_utils.lessons import neural_networks as lesson

pytestmark = pytest.mark.filterwarnings("error")  # nothing overflows

NAMES = ["identity", "sigmoid", "tanh", "relu", "leaky_relu"]
KERAS = {name: getattr(keras.activations, name, None) for name in [*NAMES, "softmax"]}
KERAS["identity"] = keras.activations.linear
KERAS["leaky_relu"] = lambda z: tf.where(z > 0, z, 0.1 * z)  # TensorFlow's 0.1 is a float32

SIZES = [3, 5, 2, 6, 4]  # inputs, units: all different, so that a wrong transpose does not fit
M = 7


def network(depth, seed=0):
    """Input, weights and biases of a network; the biases are not zero."""
    rng = np.random.default_rng(seed)
    W, b = lesson.start(SIZES[: depth + 1], lambda n_in, n_out: 1, rng)
    return rng.normal(size=(SIZES[0], M)), W, [rng.normal(size=bias.shape) for bias in b]


def in_keras(X, W, b, names, cost):
    """Z, A and the gradients of cost(A[-1]) from Keras's layers, where examples are rows."""
    A, Z, kernels, biases = [tf.constant(X.T)], [], [], []
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(A[0])
        for w, bias, name in zip(W, b, names, strict=True):
            layer = keras.layers.Dense(len(w), dtype="float64")
            layer.build(A[-1].shape)
            layer.set_weights([w.T, bias[:, 0]])
            Z.append(layer(A[-1]))
            A.append(KERAS[name](Z[-1]))
            kernels.append(layer.kernel.value)
            biases.append(layer.bias.value)
        J = cost(A[-1])
    dZ, dW, db, dA = (tape.gradient(J, arrays) for arrays in (Z[-1:], kernels, biases, A[:-1]))
    db = [gradient[None] for gradient in db]
    return [[a.numpy().T for a in arrays] for arrays in (Z, A, dZ, dW, db, dA)]


def assert_lists_equal(found, expected):
    assert [a.shape for a in found] == [a.shape for a in expected]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)
        assert one.dtype == np.float64


# The whole network


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("name", NAMES)
def test_a_network_and_its_gradients_equal_kerass(name, depth):
    X, W, b = network(depth)
    names = [name] * depth
    weights = np.random.default_rng(1).normal(size=(SIZES[depth], M))  # of any cost J(A)
    expected = in_keras(X, W, b, names, lambda A: tf.reduce_sum(weights.T * A))
    Z, A = lesson.forward(X, W, b, names)
    dZ = weights * lesson.activation(name).slope(Z[-1])
    gradients = lesson.backward(dZ, Z, A, W, names)
    for found, other in zip((Z, A, [dZ], *gradients), expected, strict=True):
        assert_lists_equal(found, other)


def one_of_many(Y, A):
    return keras.losses.CategoricalCrossentropy(dtype="float64")(Y.T, A)


def yes_or_no(Y, A):
    return -tf.reduce_sum(Y.T * tf.math.log(A) + (1 - Y.T) * tf.math.log(1 - A)) / M


@pytest.mark.parametrize(("last", "cost"), [("softmax", one_of_many), ("sigmoid", yes_or_no)])
@pytest.mark.parametrize("hidden", [[], ["leaky_relu"], ["tanh", "relu", "sigmoid"]])
def test_cross_entropy_begins_its_way_back_with_prediction_minus_truth(hidden, last, cost):
    names = [*hidden, last]
    X, W, b = network(len(names))
    classes = SIZES[len(names)]
    Y = lesson.one_hot(np.arange(M) % classes, classes)
    expected = in_keras(X, W, b, names, lambda A: cost(Y, A))
    Z, A = lesson.forward(X, W, b, names)
    dZ = (A[-1] - Y) / M
    gradients = lesson.backward(dZ, Z, A, W, names)
    for found, other in zip((Z, A, [dZ], *gradients), expected, strict=True):
        assert_lists_equal(found, other)
    assert len(gradients.dA) == len(names)


def test_float32_stays_float32():
    X, W, b = network(3)
    X, *rest = (a.astype(np.float32) for a in (X, *W, *b))
    W, b = rest[:3], rest[3:]
    for name in NAMES:
        Z, A = lesson.forward(X, W, b, [name] * 2 + ["softmax"])
        gradients = lesson.backward(A[-1], Z, A, W, [name] * 2 + ["softmax"])
        arrays = [*Z, *A, *gradients.dW, *gradients.db, *gradients.dA]
        assert {a.dtype for a in arrays} == {np.dtype(np.float32)}


def test_nothing_that_was_given_is_changed():
    X, W, b = network(2)
    copies = [a.copy() for a in (X, *W, *b)]
    Z, A = lesson.forward(X, W, b, ["identity"] * 2)
    copies += [a.copy() for a in (*Z, *A)]
    assert A[1] is not Z[0] and not np.shares_memory(A[1], Z[0])  # or work in place changes both
    lesson.backward(A[-1], Z, A, W, ["identity"] * 2)
    assert_lists_equal([X, *W, *b, *Z, *A], copies)


def test_whole_numbers_and_lists_do():
    Z, A = lesson.forward([[1], [2]], [[[1, -1]]], [[[3]]], ["relu"])
    assert (Z[0].tolist(), A[1].tolist()) == ([[2.0]], [[2.0]])
    gradients = lesson.backward([[1]], Z, A, [[[1, -1]]], ["relu"])
    assert gradients.dW[0].tolist() == [[1.0, 2.0]]


# The parts


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_activations_and_slopes_equal_kerass_from_end_to_end(name, kind):
    z = np.array([-1e4, -800, -80, -3, -0.2, 0, 0.2, 3, 80, 800, 1e4], kind)
    with tf.GradientTape() as tape:
        tape.watch(at := tf.constant(z))
        a = KERAS[name](at)
    g, slope = lesson.activation(name)
    tolerance = 4 * np.finfo(kind).eps
    np.testing.assert_allclose(g(z), a, rtol=tolerance)
    np.testing.assert_allclose(slope(z), tape.gradient(a, at), rtol=tolerance, atol=tolerance)
    assert g(z).dtype == slope(z).dtype == kind
    assert g(-2.0) == pytest.approx(float(KERAS[name](tf.constant(-2.0, tf.float64))))  # a number


def test_far_from_zero_a_sigmoid_is_small_but_not_nothing():
    z = np.array([-700.0, -40, 40, 700])
    g, slope = lesson.activation("sigmoid")
    np.testing.assert_allclose(g(z), special.expit(z), rtol=1e-14)
    np.testing.assert_allclose(slope(z), stats.logistic.pdf(z), rtol=1e-14)


def test_at_their_kink_both_relus_have_the_slope_of_the_left_side():
    assert lesson.activation("relu").slope(0.0) == 0
    assert lesson.activation("leaky_relu").slope(0.0) == 0.1


def test_softmax_of_columns_does_not_overflow_however_different_they_are():
    Z = np.random.default_rng(0).normal(size=(4, 3)) * 100
    A = lesson.softmax(Z + np.array([0, 1e4, -1e4]))
    np.testing.assert_allclose(A, special.softmax(Z, axis=0), rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(A.sum(axis=0), 1)


@pytest.mark.parametrize("y", [[2, 0, 1, 2], np.array([2.0, 0, 1, 2], np.float32)])
def test_one_hot_equals_kerass(y):
    found = lesson.one_hot(y, 4)
    np.testing.assert_array_equal(found, keras.utils.to_categorical(y, 4).T)
    assert found.dtype == np.float64


def test_the_first_weights_have_the_spread_that_was_asked_for():
    def sd(n_in, n_out):
        return np.sqrt(2 / (n_in + 3 * n_out))

    W, b = lesson.start([400, 100, 300], sd, np.random.default_rng(0))
    assert [w.shape for w in W] == [(100, 400), (300, 100)]
    for w, n_in, n_out in zip(W, [400, 100], [100, 300], strict=True):
        assert w.std() == pytest.approx(sd(n_in, n_out), rel=0.02)
        assert abs(w.mean()) < 4 * w.std() / np.sqrt(w.size)
        assert stats.kstest(w.ravel() / sd(n_in, n_out), "norm").pvalue > 1e-3
    assert [bias.tolist() for bias in b] == [[[0.0]] * 100, [[0.0]] * 300]
    again, _ = lesson.start([400, 100, 300], sd, np.random.default_rng(0))
    assert_lists_equal(again, W)


def test_the_weights_of_a_start_may_all_be_zero():
    W, _ = lesson.start(np.array([3, 2]), lambda n_in, n_out: 0, np.random.default_rng(0))
    assert not W[0].any()


# What is refused


X, W, B = network(2)
RELU = ["relu", "relu"]
GAP = np.where(np.arange(M) == 4, np.nan, X)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"X": X.T}, r"Layer 1 takes 3 inputs \(W of shape \(5, 3\)\), but X has shape \(7, 3\): "
         r"\(3, m\) is expected, as examples are columns\. Transpose"),
        ({"X": X[:, 0]}, r"X has shape \(3,\), but a matrix is expected: use reshape"),
        ({"X": X[:, :0]}, r"X has shape \(3, 0\)"),
        ({"X": GAP}, r"X holds nan at \[0, 4\]: the data may have a gap"),
        ({"W": [W[0], W[1].T]}, r"Layer 2 takes 2 inputs \(W of shape \(5, 2\)\), but layer 1 "
         r"gives 5 \(W of shape \(5, 3\)\)"),
        ({"W": [W[0], W[1] * np.inf]}, r"W of layer 2 holds -?inf at \[0, 0\]: .* run away"),
        ({"W": [W[0][0], W[1]]}, r"W of layer 1 has shape \(3,\), but a matrix"),
        ({"b": [B[0], B[1][:, 0]]}, r"b of layer 2 has shape \(2,\), but a matrix"),
        ({"b": [B[0].T, B[1]]}, r"b of layer 1 has shape \(1, 5\), but \(5, 1\) is expected, as W "
         r"has shape \(5, 3\): one bias for each unit"),
        ({"b": [B[0], B[1] * np.nan]}, r"b of layer 2 holds nan at \[0, 0\]"),
        ({"b": B[:1]}, "b has 1 and W has 2 entries, but both need one for each layer"),
        ({"activations": ["relu"]}, "activations has 1 and W has 2 entries"),
        ({"activations": "re"}, "activations='re' must be a list, one name for each layer"),
        ({"activations": ["relu", "elu"]}, "no activation 'elu': choose identity, .* softmax for"),
        ({"activations": ["softmax", "relu"]}, "softmax in layer 1 of 2: only the last may"),
        ({"W": [], "b": [], "activations": []}, "activations has 0 .* at least one layer"),
    ],
)  # fmt: skip
def test_forward_says_what_is_wrong(change, words):
    with pytest.raises(ValueError, match=words):
        lesson.forward(**{"X": X, "W": W, "b": B, "activations": RELU} | change)


Z, A = lesson.forward(X, W, B, RELU)
DZ = np.ones((2, M))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dZ": DZ[:1]}, r"dZ has shape \(1, 7\), but \(2, 7\) is expected: 2 units by the shapes"),
        ({"dZ": DZ[:, :1]}, r"Z of layer 1 has shape \(5, 7\), but \(5, 1\) is expected: .* and 1 "
         "examples by the shape of dZ"),
        ({"dZ": DZ[0]}, r"dZ has shape \(7,\), but a matrix"),
        ({"dZ": DZ * np.nan}, r"dZ holds nan at \[0, 0\]"),
        ({"Z": Z[:1]}, "Z has 1 and W has 2 entries"),
        ({"Z": [Z[0].T, Z[1]]}, r"Z of layer 1 has shape \(7, 5\), but \(5, 7\)"),
        ({"Z": [Z[0], Z[1][:1]]}, r"Z of layer 2 has shape \(1, 7\), but \(2, 7\)"),
        ({"A": A[1:]}, "A holds 2 arrays, but 3 are expected for 2 layers: the input X comes"),
        ({"A": [X.T, *A[1:]]}, r"A\[0\] has shape \(7, 3\), but \(3, 7\) is expected: 3 units"),
        ({"A": [X, A[1][:1], A[2]]}, r"A\[1\] has shape \(1, 7\), but \(5, 7\)"),
        ({"W": W[::-1]}, r"Layer 2 takes 3 inputs .*, but layer 1 gives 2"),
        ({"activations": ["elu", "relu"]}, "no activation 'elu'"),
        ({"activations": ["softmax", "relu"]}, "softmax in layer 1 of 2"),
    ],
)  # fmt: skip
def test_backward_says_what_is_wrong(change, words):
    with pytest.raises(ValueError, match=words):
        lesson.backward(**{"dZ": DZ, "Z": Z, "A": A, "W": W, "activations": RELU} | change)


@pytest.mark.parametrize(
    ("y", "words"),
    [
        ([0, 1, 3], r"y\[2\] is 3, but a label is a whole number from 0 to 2, as there are 3"),
        ([0, -1, 3], r"y\[1\] is -1, but"),
        ([0, np.nan], r"y\[1\] is nan, but"),
        ([0.5], r"y\[0\] is 0\.5, but"),
        (["galaxy"], r"y\[0\] is galaxy, but"),
        (np.zeros((4, 1)), r"y has shape \(4, 1\), but \(m,\) is expected, one label .* argmax"),
        (2, r"y has shape \(\), but"),
    ],
)
def test_one_hot_says_what_is_wrong(y, words):
    with pytest.raises(ValueError, match=words):
        lesson.one_hot(y, 3)


@pytest.mark.parametrize("Z", [[1.0, 2], np.zeros((0, 3)), [[1.0, np.inf]]])
def test_softmax_takes_finite_columns(Z):
    with pytest.raises(ValueError, match=r"Z has shape .* a matrix is expected|Z holds inf at"):
        lesson.softmax(Z)


@pytest.mark.parametrize("name", ["softmax", "ReLU", None, ["relu"]])
def test_an_unknown_activation_is_told_the_others(name):
    with pytest.raises(ValueError, match="choose identity, sigmoid, tanh, relu, leaky_relu, or so"):
        lesson.activation(name)


@pytest.mark.parametrize(
    ("sizes", "sd", "words"),
    [
        ([3], lambda n_in, n_out: 1, r"sizes=\[3\] must be two or more whole numbers"),
        ([3, 0], lambda n_in, n_out: 1, r"sizes=\[3, 0\] must be"),
        ([3, 2.0], lambda n_in, n_out: 1, r"sizes=\[3, 2\.0\] must be"),
        ([3, 2], 0.1, r"sd=0\.1 must be a function: lambda n_in, n_out: np\.sqrt\(1 / n_in\)"),
        ([3, 2], lambda n_in, n_out: n_out - n_in, r"sd\(3, 2\) is -1, but a standard deviation"),
        ([3, 2], lambda n_in, n_out: np.nan, r"sd\(3, 2\) is nan, but"),
        ([3, 2], lambda n_in, n_out: np.ones(2), r"sd\(3, 2\) is \[1\. 1\.\], but"),
    ],
)
def test_start_says_what_is_wrong(sizes, sd, words):
    with pytest.raises(ValueError, match=words):
        lesson.start(sizes, sd, np.random.default_rng(0))


def arrows(ax):
    """Ends of all arrows of a graph, (start, end)."""
    drawn = [text for text in ax.texts if getattr(text, "arrow_patch", None)]
    return sorted((*arrow.xyann, *arrow.xy) for arrow in drawn)


def letters(ax):
    """What is written, by its place."""
    written = [text for text in ax.texts if text.get_text()]
    return {text.get_position(): text.get_text() for text in written}


def circles(ax):
    """The circles of each layer of a graph, from top to bottom."""
    return [[tuple(place) for place in line.get_xydata()] for line in ax.lines]


def test_the_slides_network_is_drawn_with_their_names(ax):
    lesson.draw_network(ax, [3, 2, 1])
    hidden, output = circles(ax)
    named = letters(ax)
    assert [named[place] for place in hidden] == ["$a^{[1]}_{1}$", "$a^{[1]}_{2}$"]
    assert [named[place] for place in output] == ["$a^{[2]}$"]
    rest = [text for place, text in named.items() if place not in {*hidden, *output}]
    assert {"$x_{1}$", "$x_{2}$", "$x_{3}$", r"$\hat{y}$"} < set(rest)
    assert {"input\nlayer", "layer 1\n(hidden)", "layer 2\n(output)"} < set(rest)
    assert len(rest) == 7
    assert not ax.axison


@pytest.mark.parametrize("sizes", [[3, 1], [1, 1], [2, 4, 4, 1], [8, 3, 8], np.array([4, 5, 3])])
def test_one_arrow_for_each_weight_and_one_for_each_prediction(ax, sizes):
    lesson.draw_network(ax, sizes)
    columns = circles(ax)
    assert [len(column) for column in columns] == list(sizes[1:])
    inputs = [place for place, text in letters(ax).items() if text.startswith("$x")]
    weights = [
        (*start, *end)
        for before, after in zip([inputs, *columns], columns, strict=False)
        for start in before
        for end in after
    ]
    found = arrows(ax)
    assert [arrow for arrow in found if arrow[:2] not in columns[-1]] == sorted(weights)
    last = [arrow for arrow in found if arrow[:2] in columns[-1]]
    predictions = [(p, t) for p, t in letters(ax).items() if t.startswith(r"$\hat{y}")]
    assert len(last) == len(predictions) == sizes[-1]
    for (x0, y0, x1, y1), ((x, y), _) in zip(last, sorted(predictions), strict=True):
        assert y0 == y1 == y and x0 < x < x1  # by shrinkB, the arrow ends before the letter
    heights = [y for (_, y), text in predictions]
    assert heights == sorted(heights, reverse=True)


def test_units_are_numbered_from_the_top(ax):
    lesson.draw_network(ax, [2, 3, 2])
    named = letters(ax)
    for layer, column in enumerate(circles(ax), start=1):
        down = sorted(column, key=lambda place: -place[1])
        expected = [f"$a^{{[{layer}]}}_{{{i}}}$" for i in range(1, len(down) + 1)]
        assert [named[place] for place in down] == expected
    ends = {text: y for (_, y), text in named.items()}
    assert ends["$x_{1}$"] > ends["$x_{2}$"]
    assert ends[r"$\hat{y}_{1}$"] > ends[r"$\hat{y}_{2}$"]


@pytest.mark.parametrize(
    ("sizes", "panels"),
    [([3, 1], 1), ([3, 2, 1], 1), ([3, 2, 1], 2), ([2, 8, 8, 1], 2), ([8] * 8, 1)],
)
def test_nothing_of_a_graph_overlaps_or_leaves_the_figure(sizes, panels):
    with plt.rc_context():
        plotting.set_style()
        figure, axes = plt.subplots(1, panels, squeeze=False)
        names = ["galaxy size (kpc)", "redshift", "colour"] if sizes[0] == 3 else None
        lesson.draw_network(axes[0, 0], sizes, names)
        figure.draw_without_rendering()
    (ax, *_), (line, *_) = axes[0], axes[0, 0].lines
    radius = (line.get_markersize() + line.get_markeredgewidth()) / 2 / 72 * figure.dpi
    middles = ax.transData.transform(np.concatenate(circles(ax)))
    apart = np.linalg.norm(middles[:, None] - middles, axis=2) + 1e9 * np.eye(len(middles))
    assert apart.min() > 2 * radius
    named = [text for text in ax.texts if text.get_text()]
    boxes = [text.get_window_extent() for text in named]
    inside = ax.get_window_extent().padded(2)
    assert all(inside.fully_containsx(x) for box in boxes for x in (box.x0, box.x1))
    assert all(inside.fully_containsy(y) for box in boxes for y in (box.y0, box.y1))
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    for text, box in zip(named, boxes, strict=True):
        if text.get_text().startswith("$a"):
            assert radius < np.hypot(box.width, box.height) < 2 * radius  # fills its circle
    if sum(sizes) < 7 and panels == 1:
        assert named[0].get_fontsize() > 12 and line.get_markersize() > 60  # from the last row
    plt.close(figure)


def test_inputs_may_have_names(ax):
    lesson.draw_network(ax, [2, 1], ["size", "colour"])
    assert {"size", "colour"} < set(letters(ax).values())
    assert not any(text.startswith("$x") for text in letters(ax).values())


@pytest.mark.parametrize(
    ("sizes", "names", "words"),
    [
        (
            [3, 9, 1],
            None,
            r"sizes=\[3, 9, 1\] cannot be drawn so that the last row reads it: 2 to 8",
        ),
        ([2] * 9, None, "cannot be drawn .* Draw a smaller network that stands for it"),
        ([3], None, r"sizes=\[3\] cannot be drawn"),
        ([3, 0, 1], None, "whole numbers from 1 to 8"),
        ([3, 2.5, 1], None, "whole numbers from 1 to 8"),
        ([3, 1], ["size"], r"names=\['size'\] must be a list, one name for each of 3 inputs"),
        ([3, 1], "abc", "names='abc' must be a list"),
    ],
)
def test_network_says_what_is_wrong(ax, sizes, names, words):
    with pytest.raises(ValueError, match=words):
        lesson.draw_network(ax, sizes, names)
    assert not ax.lines and not ax.texts
