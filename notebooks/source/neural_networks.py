# %% [markdown]
# # Neural networks: one unit, then many
#
# **What is inside a neural network, and is there anything in it that you could not write yourself?**
#
# A unit weighs its inputs, adds them up and bends the sum. One such unit is a method that you know: linear or
# logistic regression. A network is many units in layers, and it is trained with the chain rule, applied from
# the last layer to the first. You will write all of it in a few lines of NumPy, hold every line against an
# exact answer, and end with a network that reads digits as well as the one that Keras makes in four lines.
#
# ![Four maps of two interlocked half moons: one unit divides them by a straight line, eight bent units by a
# curve close to the best possible one, which is dashed.](figures/neural_networks.png)
#
# | | |
# | --- | --- |
# | **Slides** | *Machine learning for astrophysics: deep learning*, from the first computation graph to the Keras model |
# | **You will be able to** | read a network as a graph, as formulas and as code; count its parameters; choose an activation; write forward and back propagation and prove them right; say what softmax is, and what it is not |
# | **You need** | matrix products, the chain rule, NumPy |
# | **Time** | 120 minutes, and 5 more for what is marked *further* |

# %% tags=["nbval-ignore-output"]
import course_utils

SEED = course_utils.setup(seed=1)

# %%
import time
from functools import partial
from itertools import pairwise

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers
from scipy import special
from sklearn.datasets import make_circles, make_moons
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from tqdm.auto import tqdm

from course_utils import claims, data, explorers, metrics, plotting, training
from course_utils.exercises import neural_networks as exercises
from course_utils.lessons import neural_networks as lesson

claim = claims.Claims()
rng = np.random.default_rng(SEED)

# %% [markdown]
# The budget of this run.

# %%
EPOCHS, BATCH = 16, 32  # of the networks that read digits
NETWORKS = 5  # of each kind: one alone might be luck

# %% [markdown]
# ## 1. One unit
#
# The slides draw the smallest network as a *computation graph*. Three features $x_1, x_2, x_3$ go in. The circle
# does two things:
#
# $$z = w^T x + b, \qquad a = g(z).$$
#
# It weighs the features with its *weights* $w$, adds its *bias* $b$, and applies a function $g$, the *activation
# function*. With one unit, the *activation* $a$ is already the prediction $\hat y$.

# %%
fig, axes = plt.subplots(1, 2, figsize=(12, 4))
lesson.draw_network(axes[0], [3, 1])
lesson.draw_network(axes[1], [3, 2, 1])
axes[0].set_title("one unit")
axes[1].set_title("two layers")
plotting.show(
    "Two graphs: three inputs joined to one unit; three inputs, two hidden units, one output."
)

# %% [markdown]
# Now choose $g$. With the *sigmoid* $\sigma(z) = 1 / (1 + e^{-z})$, the unit is **logistic regression**. With the
# identity, $g(z) = z$, it is **linear regression**. That is more than a likeness, as we will check.
#
# Our data: cells from 569 breast tumours, seen under a microscope. Three features: mean radius, texture and
# concave points of the cells' nuclei. The question: is the tumour malignant ($y = 1$) or benign ($y = 0$)? The slides
# write examples as columns, so $X$ has one row per feature and one column per tumour.

# %%
cells = data.load_breast_cancer()
columns = [
    cells.feature_names.index(f"mean {name}") for name in ("radius", "texture", "concave points")
]
X = cells.x[:, columns].T.astype(float)
X = (X - X.mean(axis=1, keepdims=True)) / X.std(axis=1, keepdims=True)
y = (cells.y == 0).astype(float)  # class 0 of this table is malignant
n, m = X.shape
print(f"X: {n} features of {m} tumours, {y.sum():.0f} of them malignant")

# %% [markdown]
# The unit learns by *gradient descent*: start somewhere and take small steps downhill, $w := w - \alpha\, dw$. Here $dw$
# stands for $dJ/dw$, as on the slides, and the *learning rate* $\alpha$ sets the size of the steps. The cost $J$ is the mean
# of the logistic loss over the $m$ examples, with $a$ for the slides' $f_{w,b}(x)$:
#
# $$\mathcal L(a, y) = -y \log a - (1 - y) \log(1 - a).$$
#
# It is minus the log of the probability given to what is true: near 0 if sure and right, huge if sure and wrong.
#
# ### Exercise 1: the gradient of one unit
#
# Derive $dJ/dw$ by the chain rule: $J$ depends on $a$, $a$ on $z$, $z$ on $w$. Use $\sigma'(z) = a (1 - a)$. Then write
# `gradient(w, b, X, y)` for `w` of shape (n,), `b` a number, `X` of shape (n, m) and `y` of shape (m,). Return $dJ/dw$ alone,
# of shape (n,).


# %%
def gradient(w, b, X, y): ...


exercises.q1.check(gradient)
# exercises.q1.hint()  # and .solution()

# %% [markdown]
# The factor $a (1 - a)$ of the sigmoid cancels that of the loss. What is left is the error, $dz = (a - y) / m$ for each
# example. For the identity and half the squared error it is the same. So one piece of code trains both units;
# only $g$ differs. We add a small penalty $\tfrac{\lambda}{2} \|w\|^2$ to the cost, because scikit-learn has it too.
#
# The linear unit gets another task: the radius of the largest cells, which is a number.
#
# **Predict.** How far will our unit's weights be from those of scikit-learn's `LogisticRegression`?


# %%
def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def identity(z):
    return z


def train_unit(g, X, y, penalty=0.0, alpha=0.3, steps=5_000):
    """One unit with activation g, by gradient descent from zero."""
    w, b = np.zeros(len(X)), 0.0
    for _ in range(steps):
        dz = (g(w @ X + b) - y) / len(y)
        w, b = w - alpha * (X @ dz + penalty * w), b - alpha * dz.sum()
    return w, b


# %%
w, b = train_unit(sigmoid, X, y, penalty=1 / m)
reference = LogisticRegression(C=1.0, tol=1e-10, max_iter=1_000).fit(X.T, y)  # C = 1 / (m penalty)
theirs = [*reference.coef_[0], reference.intercept_[0]]
claims.check("The sigmoid unit is scikit-learn's logistic regression", [*w, b], theirs, within=1e-6)

largest = cells.x[:, cells.feature_names.index("worst radius")].astype(float)
w_linear, b_linear = train_unit(identity, X, largest)
design = np.vstack([X, np.ones(m)]).T
closed_form = np.linalg.lstsq(design, largest, rcond=None)[0]
claims.check("The linear unit is the least-squares fit",
             [*w_linear, b_linear], closed_form, within=1e-6)  # fmt: skip
names = ["radius", "texture", "concave points", "b"]
pd.DataFrame({"sigmoid unit": [*w, b], "logistic regression": theirs,
              "linear unit": [*w_linear, b_linear], "least squares": closed_form}, names).round(3)  # fmt: skip

# %% [markdown]
# They are the same numbers. Both costs have a single valley, and gradient descent reached its bottom. The sigmoid unit's
# $a$ is a probability: it answers "malignant" where $a > 0.5$, that is where $w^T x + b > 0$. In the space of the features,
# this border is *flat*.
#
# *Learned: a unit is a regression that you know. Its activation says which.*
#
# ## 2. Many units
#
# In the right-hand graph each feature enters **all** units of the middle layer, and all their activations enter the output unit:
# the layers are *fully connected* (Keras says `Dense`). The slides call this a *two-layer* network, because the *input
# layer* only holds the features. The layers between input and output are *hidden*; their units, too. (A unit used to be called
# *neuron*.) A network with many hidden layers is *deep*. Layer $l$ keeps the weights of its $n_l$ units in the rows of a
# matrix $W^{[l]}$, their biases in a column $b^{[l]}$. With $a^{[0]} = x$,
#
# $$z^{[l]} = W^{[l]} a^{[l-1]} + b^{[l]}, \qquad a^{[l]} = g(z^{[l]}).$$
#
# ### Exercise 2: count the parameters
#
# Write `count(sizes)`: how many weights and biases has a network of layers of these sizes, inputs first? The slide's
# network has `sizes = (3, 2, 1)`. There may be many hidden layers, or none.


# %%
def count(sizes): ...


exercises.q2.check(count)
# exercises.q2.hint()  # and .solution()

# %% [markdown]
# By hand, for the slide's network: two hidden units with three weights and a bias each, 8; an output unit with two
# weights and a bias, 3; together 11. By formula: $\sum_l n_l (n_{l-1} + 1)$.


# %%
def parameters(sizes):
    return sum(n_out * (n_in + 1) for n_in, n_out in pairwise(sizes))


def keras_network(sizes, activations, dtype="float64"):
    """The same network in Keras: one Dense layer for each of ours."""
    dense = [layers.Dense(n_out, activation=name, dtype=dtype)
             for n_out, name in zip(sizes[1:], activations)]  # fmt: skip
    return keras.Sequential([keras.Input((sizes[0],), dtype=dtype), *dense])


for sizes in ((3, 2, 1), (784, 128, 10)):
    counted = keras_network(sizes, ["relu"] * (len(sizes) - 1)).count_params()
    print(f"{sizes}: {parameters(sizes):,} by formula, {counted:,} by Keras")
    claims.check(f"The formula counts {sizes} as Keras does", parameters(sizes), counted)

# %% [markdown]
# Computing $\hat y$ from $x$ layer by layer is *forward propagation* (the slides say *forthpropagation*). With the examples
# as the columns of $A^{[0]} = X$, one matrix product serves them all. Python counts from 0, so `W[0]` is the slides'
# $W^{[1]}$, while `A[0]` is $A^{[0]}$.


# %%
def forward(X, W, b, g):
    """Z and A of all layers; W, b and g hold one entry per layer. A[0] is the input."""
    Z, A = [], [X]
    for W_l, b_l, g_l in zip(W, b, g):
        Z.append(W_l @ A[-1] + b_l)
        A.append(g_l(Z[-1]))
    return Z, A


def random_network(sizes, rng):
    """Gaussian weights of standard deviation sqrt(1 / inputs), biases of standard deviation 1."""
    W = [rng.normal(size=(n_out, n_in)) / n_in**0.5 for n_in, n_out in pairwise(sizes)]
    return W, [rng.normal(size=(n_out, 1)) for n_out in sizes[1:]]


def give(model, W, b):
    """Hand our weights to a Keras model, which wants examples as rows: hence W transposed."""
    model.set_weights([part for W_l, b_l in zip(W, b) for part in (W_l.T, b_l[:, 0])])
    return model


# %%
ours, theirs = [], []
for sizes in ((3, 2, 1), (3, 5, 4, 1), (3, 8, 8, 8, 8, 1)):
    W, b = random_network(sizes, rng)
    hidden = len(sizes) - 2
    Z, A = forward(X, W, b, [np.tanh] * hidden + [sigmoid])
    twin = give(keras_network(sizes, ["tanh"] * hidden + ["sigmoid"]), W, b)
    ours.append(A[-1])
    theirs.append(twin(X.T).numpy().T)
claims.check("Forward propagation gives what Keras gives", ours, theirs, within=1e-6)

# %% [markdown]
# *Learned: a layer is a matrix product and a bend. Examples are columns here, rows in Keras.*
#
# ## 3. The bend
#
# Four activation functions from the slides, each with its slope $g'$. We will need the slope in section 5.
#
# **Predict.** Which of them has the largest slope? What happens to each slope far from zero?


# %%
def relu(z):
    return np.maximum(0, z)


def leaky_relu(z):
    return np.maximum(0.1 * z, z)


ACTIVATIONS = {  # g and its slope
    "identity": (identity, np.ones_like),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (relu, lambda z: (z > 0).astype(z.dtype)),
    "leaky_relu": (leaky_relu, lambda z: np.where(z > 0, 1, 0.1).astype(z.dtype)),
}
z = np.linspace(-6, 6, 601)
fig, axes = plt.subplots(1, 2, sharex=True)
for name in ("sigmoid", "tanh", "relu", "leaky_relu"):
    g, slope = ACTIVATIONS[name]
    for ax, values in zip(axes, (g(z), slope(z))):
        ax.plot(z, values, label=name.replace("_", " "), ls="--" if name == "leaky_relu" else "-")
axes[0].set(xlabel="$z$", ylabel="$g(z)$", ylim=(-1.2, 3))
axes[1].set(xlabel="$z$", ylabel="slope $g'(z)$")
axes[0].legend()
plotting.show(
    "Four activation functions and their slopes. Sigmoid and tanh flatten out; both ReLUs keep slope 1."
)

# %% [markdown]
# The sigmoid's slope is a quarter at most; those of tanh and the ReLUs reach 1. Sigmoid and tanh *saturate*: far from zero they
# are flat, and a *hidden* unit there hardly learns, whatever its error. (At the output the loss cancels the slope, as in section
# 1.) They are one and the same curve, shifted and stretched: $\tanh z = 2\sigma(2z) - 1$. ReLU keeps its slope, but only for
# $z > 0$; below, its slope is exactly 0, and a unit that is negative for all examples is *dead*. Leaky ReLU keeps a tenth
# there. (A tenth is the slide's choice. Keras has two others: one in its layer, another in its function.)

# %%
h = 1e-6
away = z[np.abs(z) > 0.01]  # the ReLUs have no slope at 0 itself
nudged = [(g(away + h) - g(away - h)) / (2 * h) for g, _ in ACTIVATIONS.values()]
exact = [slope(away) for _, slope in ACTIVATIONS.values()]
claims.check("The slopes are those of central differences", exact, nudged, within=1e-6)
claims.check("tanh is a stretched sigmoid", np.tanh(z), 2 * sigmoid(2 * z) - 1, within=1e-6)
slopes = {name: slope(np.array([-2, 0.1, 2, 6])) for name, (_, slope) in ACTIVATIONS.items()}
claims.check("The sigmoid's largest slope is a quarter",
             ACTIVATIONS["sigmoid"][1](z).max(), 0.25, within=1e-4)  # fmt: skip
claims.check("Keras's layer LeakyReLU has the slope 0.3 below zero",
             layers.LeakyReLU().negative_slope, 0.3, within=0.01)  # fmt: skip
by_function = -float(keras.activations.leaky_relu(np.float32(-1)))
claims.check("Keras's function leaky_relu has the slope 0.2 there", by_function, 0.2, within=0.01)
pd.DataFrame(slopes, ["z = −2", "z = 0.1", "z = 2", "z = 6"]).round(4)

# %% [markdown]
# Why bend at all? (The slides say *non-linearity*.) Take the bend away, $g(z) = z$, and stack as many layers as you like.
#
# ### Exercise 3: depth without a bend
#
# Two linear layers compute $W^{[2]} (W^{[1]} x + b^{[1]}) + b^{[2]}$. Write `collapse(W, b)`: for lists of any length, the
# one matrix and the one column of biases, of shape (n, 1), that do the same. Return both.


# %%
def collapse(W, b): ...


exercises.q3.check(collapse)
# exercises.q3.hint()  # and .solution()


# %%
def product(W, b):
    """The one layer that equals a deep linear network."""
    W_all, b_all = W[0], b[0]
    for W_l, b_l in zip(W[1:], b[1:]):
        W_all, b_all = W_l @ W_all, W_l @ b_all + b_l
    return W_all, b_all


W, b = random_network([3] + 10 * [20] + [1], rng)
deep = forward(X, W, b, [identity] * len(W))[1][-1]
W_all, b_all = product(W, b)
claims.check("A deep linear network is one matrix and one column of biases",
             deep, W_all @ X + b_all, within=1e-6)  # fmt: skip
print(f"{parameters([3] + 10 * [20] + [1]):,} parameters do the work of {W_all.size + b_all.size}.")

# %% [markdown]
# *Learned: without a bend, depth is one matrix. The bend is what makes a network more than a regression.*
#
# ## 4. Many classes
#
# A galaxy is elliptical, lenticular, spiral or irregular. For $C$ classes the last layer has $C$ units. Their
# scores $z_1 \dots z_C$ become probabilities by *softmax*, which makes them positive and lets them add up to 1:
#
# $$a_i = \frac{e^{z_i}}{\sum_{j=1}^C e^{z_j}}.$$
#
# ### Exercise 4: a softmax that overflows
#
# `np.exp(Z) / np.exp(Z).sum(axis=0)` is the formula, and it fails: a network whose inputs
# were not scaled can have scores of 1,000, and $e^{1000}$ is too large for a computer. Repair it. (Which number may you subtract
# from all scores of an example without changing its probabilities?) `Z` has shape (C, m), one column per example.


# %%
def overflow_safe(Z):
    return ...  # was: np.exp(Z) / np.exp(Z).sum(axis=0)


exercises.q4.check(overflow_safe)
# exercises.q4.hint()  # and .solution()


# %%
def softmax(Z):
    """Probabilities of the classes (rows) for each example (column)."""
    E = np.exp(Z - Z.max(axis=0))  # the largest exponent is 0: nothing overflows
    return E / E.sum(axis=0)


def hardmax(Z):
    return (Z.max(axis=0) == Z).astype(float)


scores = np.array([[2.0], [1.0], [3.0], [-1.0]])
panels = {"$T$ = 0.5": softmax(scores / 0.5), "softmax ($T$ = 1)": softmax(scores),
          "$T$ = 5": softmax(scores / 5), "hardmax": hardmax(scores)}  # fmt: skip
fig, axes = plt.subplots(1, 4, figsize=(12, 3.4), sharey=True)
for ax, (title, probabilities) in zip(axes, panels.items()):
    ax.bar(["ell.\n2", "lent.\n1", "spir.\n3", "irr.\n−1"], probabilities[:, 0])
    ax.set(title=title, ylim=(0, 1.05))
axes[0].set_ylabel("probability")
plotting.show(
    "Bars for four galaxy types: a low temperature is nearly certain, a high one nearly even."
)

# %% [markdown]
# *Hardmax* gives everything to the largest score, as the slides say. Between the two stands a *temperature* $T$: divide
# the scores by it first. The figure has the same four scores (below the names) at three temperatures: cold is certain, hot
# is undecided. Three exact checks:

# %%
Z = rng.normal(scale=3, size=(4, 1_000))
claims.check("Softmax gives what SciPy's gives, for scores beyond 1,000 too",
             softmax(100 * Z), special.softmax(100 * Z, axis=0), within=1e-6)  # fmt: skip
claims.check("Near T = 0 softmax is hardmax, in the mean over the scores",
             np.abs(softmax(Z / 1e-4) - hardmax(Z)).mean(), 0, within=1e-3)  # fmt: skip
claims.check("For two classes softmax is the sigmoid of the difference of the scores",
             softmax(Z[:2])[0], sigmoid(Z[0] - Z[1]), within=1e-6)  # fmt: skip

# %% [markdown]
# The cost is that of section 1: $J = -\tfrac1m \sum \log a_y$, the mean of minus the log of the probability given to the right
# class $y$. Its names are *cross-entropy* and *log loss*.
#
# Before softmax, one built many classes from two. *One-vs-rest* (or one-vs-all): $C$ units, each asked "this class or not?".
# *One-vs-one*: $C (C - 1) / 2$ units, one for each pair, and they vote. The slides present softmax as "a way out of
# training" so many models. Is it better, or faster? We ask scikit-learn for all three, on pictures of digits, with
# no hidden layer. Given ten classes, its `LogisticRegression` is a softmax layer; wrapped in the other two it sees two classes at a
# time and is the sigmoid unit of section 1. *Validation* pictures choose the penalty for each on the same grid, by the log loss,
# or by the accuracy where there are only votes. *Test* pictures are looked at once, at the end.
#
# **Predict.** Ten digits make 45 pairs. Which method is the most accurate? Which takes the longest?

# %%
digits = data.load_mnist5k()
pixels = (digits.x.reshape(-1, 784) / 255).astype("float32")
learn, test = train_test_split(
    np.arange(5_000), test_size=1_000, stratify=digits.y, random_state=SEED
)
fit_on, validate = train_test_split(
    learn, test_size=1_000, stratify=digits.y[learn], random_state=SEED
)
assert not {*learn} & {*test} and not {*fit_on} & {*validate}
METHODS = {
    "softmax": lambda unit: unit,
    "one-vs-rest": OneVsRestClassifier,
    "one-vs-one": OneVsOneClassifier,
}
GRID = (0.03, 0.1, 0.3, 1, 3, 10)  # of C, the inverse of the penalty


def fitted(wrap, C, rows):
    return wrap(LogisticRegression(C=C, max_iter=200)).fit(pixels[rows], digits.y[rows])


def log_likelihood(model, rows):
    """Log of the probability of the right digit, for each picture."""
    return np.log(model.predict_proba(pixels[rows])[np.arange(len(rows)), digits.y[rows]])


def quality(model, rows):
    if hasattr(model, "predict_proba"):
        return log_likelihood(model, rows).mean()
    return model.score(pixels[rows], digits.y[rows])


seconds, models, chosen = {}, {}, {}
for name, wrap in METHODS.items():
    tries = tqdm(GRID, desc=name, leave=False)
    scores = [quality(fitted(wrap, C, fit_on), validate) for C in tries]
    chosen[name] = GRID[np.argmax(scores)]
    began = time.process_time()
    models[name] = fitted(wrap, chosen[name], learn)
    seconds[name] = time.process_time() - began

# %%
right = {name: model.predict(pixels[test]) == digits.y[test] for name, model in models.items()}
rows = {"models": {"softmax": 1, "one-vs-rest": 10, "one-vs-one": 45},
        "accuracy": {name: hits.mean() for name, hits in right.items()}}  # fmt: skip
losses, rows["calibration error"] = {}, {}
for name in ("softmax", "one-vs-rest"):  # votes are no probabilities
    p = models[name].predict_proba(pixels[test])
    losses[name] = -log_likelihood(models[name], test)
    rows["calibration error"][name] = metrics.expected_calibration_error(p.max(axis=1), right[name])
rows["log loss"] = {name: loss.mean() for name, loss in losses.items()}
gain = right["one-vs-one"].astype(float) - right["softmax"]
claim("One-vs-one is more accurate than softmax, share of the test pictures",
      **claims.mean_and_error(gain, "test pictures"),
      above=0.0, digits=3, headline=True)  # fmt: skip
loss = losses["one-vs-rest"] - losses["softmax"]
claim("One-vs-rest has a higher log loss than softmax on test pictures",
      **claims.mean_and_error(loss, "test pictures"),
      above=0.02, below=0.2, headline=True)  # fmt: skip
pd.DataFrame(rows).loc[list(METHODS)].round(2)

# %% tags=["nbval-ignore-output"]
timing = claims.Claims()
timing("Training the models of all pairs takes this many times as long as one softmax",
       seconds["one-vs-one"] / seconds["softmax"], below=4.5)  # fmt: skip
pd.Series(seconds).round(2).to_frame("seconds to train, at the chosen penalty")

# %% [markdown]
# (*Calibration error*: of the pictures answered with 90 % certainty, 90 % should be right; this is the mean distance from
# that. Votes are no probabilities, hence NaN.) A surprise: 45 models are the most accurate, and cost nothing like 45 times as
# much. Each of them is a small question on a fifth of the pictures, and together they have more parameters than one layer of
# ten units, so they can draw more borders. Softmax is not the most accurate layer. What it has: its ten answers are one distribution, so its probabilities are better than those
# of one-vs-rest. And one cost can train it together with hidden layers below. That is the way out.
#
# *Learned: softmax makes scores into probabilities that sum to 1, and gives a network with many outputs one cost.*
#
# ## 5. Back propagation
#
# To train, we need the slope of the cost in every weight. *Back propagation* is the chain rule, from the last layer to the
# first. $dZ$ has the shape of $Z$: for each number in $Z$, the slope of $J$ in it. In the last layer much cancels, as in
# section 1. For softmax, $\partial a_k / \partial z_i = a_k (\delta_{ki} - a_i)$ with $\delta_{ki} = 1$ for $k = i$, else 0. So one
# example gives $\sum_k (-y_k / a_k)\, a_k (\delta_{ki} - a_i) = a_i - y_i$, because the $y_k$ add up to 1. Again the error:
#
# $$dZ^{[L]} = \tfrac1m (A^{[L]} - Y).$$
#
# $Y$ has a row for each class, and in each column a 1 for the right one (*one-hot*). Now the weights: $W_{ij}$ acts on
# $Z_{ik} = \sum_j W_{ij} A_{jk} + b_i$ of every example $k$, so its slope is $\sum_k dZ_{ik} A_{jk}$. As matrices,
#
# $$dW^{[l]} = dZ^{[l]} A^{[l-1]T}, \qquad db^{[l]} = \sum_\text{examples} dZ^{[l]}.$$
#
# ### Exercise 5: a transpose is missing
#
# Somebody wrote `dZ_prev = (W @ dZ) * slope`. It ran without an error, because both layers had the same number of units.
# Write it right, for a tanh layer: `back(dZ, W, Z_prev)`, with `dZ` (n, m), `W` (n, n_prev), `Z_prev` (n_prev, m). The
# $1/m$ is in `dZ` already. (Activation $j$ of the layer before enters all units $i$, with the weights $W_{ij}$. What do they send
# back to it?)


# %%
def back(dZ, W, Z_prev): ...


exercises.q5.check(back)
# exercises.q5.hint()  # and .solution()

# %% [markdown]
# Layer by layer, with a star for the product element by element:
#
# $$dZ^{[l-1]} = \big(W^{[l]T} dZ^{[l]}\big) * g'(Z^{[l-1]}).$$
#
# Read it aloud: what a unit has to answer for is what the units after it have to answer for, through the weights that lead
# there, times its own slope. A saturated unit, $g' \approx 0$, answers for nothing and learns nothing.
#
# ### Exercise 6: updates on the way back
#
# Back propagation is "passing through the hidden layers backwards, updating each time the weights",
# say the slides. Taken at their word, $W^{[2]}$ is changed *before* $dZ$ has travelled through it. For the network
# $A^{[1]} = \tanh(W^{[1]} X)$, $A^{[2]} = W^{[2]} A^{[1]}$, with $J = \tfrac{1}{2m} \sum (A^{[2]} - Y)^2$ and without biases,
# write one true step of gradient descent: `step(W1, W2, X, Y, alpha)` returns the new `W1` and `W2`, and leaves the old
# arrays as they are.


# %%
def step(W1, W2, X, Y, alpha): ...


exercises.q6.check(step)
# exercises.q6.hint()  # and .solution()


# %%
def backward(dZ, Z, A, W, slopes):
    """dW and db of all layers, from dZ of the last one; slopes: g' of the hidden layers."""
    dW, db = [], []
    for k in reversed(range(len(W))):  # A[k] is the input of the layer with weights W[k]
        dW.insert(0, dZ @ A[k].T)
        db.insert(0, dZ.sum(axis=1, keepdims=True))
        if k > 0:
            dZ = (W[k].T @ dZ) * slopes[k - 1](Z[k - 1])
    return dW, db


def cost(A, Y):
    """Mean cross-entropy: what softmax's probability of the right class lacks."""
    return -(Y * np.log(A)).sum() / Y.shape[1]


# %% [markdown]
# **Two yardsticks.** TensorFlow's `GradientTape` differentiates any program ([automatic differentiation](../docs/glossary.md#automatic-differentiation)). And a *central difference* needs nothing but the
# cost: nudge one weight up and down by $h$, and see how $J$ changes. We take a network 5-4-4-3 with softmax, each
# activation in turn.
#
# **Predict.** How many passes through the network do central differences need, for $P$ parameters?

# %%
KERAS = {name: name for name in ACTIVATIONS} | {
    "identity": "linear",
    "leaky_relu": partial(keras.activations.leaky_relu, negative_slope=0.1),
}
inputs, labels = rng.normal(size=(5, 30)), rng.integers(3, size=30)
Y = np.eye(3)[:, labels]


def flat(parts):
    """All numbers of a list of arrays in one row."""
    return np.concatenate([part.ravel() for part in parts])


def by_tape(W, b, name):
    model = give(keras_network((5, 4, 4, 3), [KERAS[name]] * 2 + ["softmax"]), W, b)
    with tf.GradientTape() as tape:
        J = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, model(inputs.T)))
    gradients = tape.gradient(J, model.trainable_variables)
    return [g.numpy().T for g in gradients[::2]] + [g.numpy()[:, None] for g in gradients[1::2]]


def by_nudging(W, b, g, h=1e-7):
    """The gradient by central differences, one parameter after the other."""
    slopes = [np.zeros_like(part) for part in W + b]
    for part, slope in zip(W + b, slopes):
        for place in np.ndindex(part.shape):
            middle = part[place]
            for sign in (1, -1):
                part[place] = middle + sign * h
                slope[place] += sign * cost(forward(inputs, W, b, g)[1][-1], Y) / (2 * h)
            part[place] = middle
    return slopes


# %%
gradients = []  # for each activation: by back propagation, by the tape, by nudging
for name, (g, slope) in ACTIVATIONS.items():
    W, b = random_network((5, 4, 4, 3), rng)
    Z, A = forward(inputs, W, b, [g, g, softmax])
    dW, db = backward((A[-1] - Y) / 30, Z, A, W, [slope, slope])
    three = dW + db, by_tape(W, b, name), by_nudging(W, b, [g, g, softmax])
    gradients.append([flat(parts) / np.abs(flat(dW + db)).max() for parts in three])
ours, tape, nudged = np.swapaxes(gradients, 0, 1)  # as shares of the largest slope
claims.check("Back propagation gives what GradientTape gives, for every activation",
             ours, tape, within=1e-6)  # fmt: skip
claims.check("Back propagation gives what central differences give, for every activation",
             ours, nudged, within=1e-5)  # fmt: skip

# %% [markdown]
# Central differences need two forward passes *per parameter*. Back propagation needs one pass forward and one back for all of them
# together: that is why networks with millions of weights can be trained at all.
#
# *Learned: back propagation is the chain rule, written once per layer. Gradients first; the update comes when all are known.*
#
# ## 6. What hidden units are for
#
# Two half moons, interlocked, with noise. We know how they were made, so we know the best possible classifier too: it
# compares the two [densities](../docs/glossary.md#density). (Each is a half circle, blurred by a [Gaussian](../docs/glossary.md#normal-distribution).) No network can do better on average.

# %%
NOISE = 0.25
points, side = make_moons(500, noise=NOISE, random_state=SEED)
fresh, fresh_side = make_moons(20_000, noise=NOISE, random_state=SEED + 1)


def best_probability(points):
    """P(class 1) from the true densities: half circles, blurred by a Gaussian."""
    t = np.linspace(0, np.pi, 200)
    curves = np.array([[np.cos(t), np.sin(t)], [1 - np.cos(t), 0.5 - np.sin(t)]])
    squares = ((points[:, None, :, None] - curves) ** 2).sum(axis=2)  # (points, class, t)
    log_density = special.logsumexp(-squares / (2 * NOISE**2), axis=2)
    return sigmoid(log_density[:, 1] - log_density[:, 0])


def log_loss(p, y):
    """For each example."""
    return -np.log(np.where(y == 1, p, 1 - p))


def train(W, b, name, X, y, alpha=0.5, steps=4_000):
    """Gradient descent on all examples at once, with a sigmoid unit at the end: W, b, classifier."""
    (g, slope), hidden = ACTIVATIONS[name], len(W) - 1
    for _ in range(steps):
        Z, A = forward(X, W, b, [g] * hidden + [sigmoid])
        dW, db = backward((A[-1] - y) / len(y), Z, A, W, [slope] * hidden)
        W = [W_l - alpha * dW_l for W_l, dW_l in zip(W, dW)]
        b = [b_l - alpha * db_l for b_l, db_l in zip(b, db)]
    return W, b, lambda points: forward(points.T, W, b, [g] * hidden + [sigmoid])[1][-1][0]


# %% [markdown]
# **Predict.** Four networks: one unit; two layers of eight *linear* units before it; two bent (tanh) units; eight bent
# units. Draw the border that each will find. (In the figure, blue discs are class 0 and orange triangles class 1. Solid is the
# network's border, where it gives both classes a half; dashed is the best possible.)

# %% tags=["cover"]
NETS = {
    "one unit": ((2, 1), "identity"),
    "8 + 8 linear units": ((2, 8, 8, 1), "identity"),
    "2 tanh units": ((2, 2, 1), "tanh"),
    "8 tanh units": ((2, 8, 1), "tanh"),
}
nets = {title: train(*random_network(sizes, rng), name, points.T, side)[-1]
        for title, (sizes, name) in NETS.items()}  # fmt: skip
box = (-1.9, 2.9, -1.6, 2.1)
fig, axes = plt.subplots(1, 4, figsize=(15, 4), sharey=True)
across, up = np.meshgrid(np.linspace(*box[:2], 80), np.linspace(*box[2:], 80))
best = best_probability(np.stack([across.ravel(), up.ravel()], axis=1)).reshape(80, 80)
for ax, (title, net) in zip(axes, nets.items()):
    lesson.draw_decision(ax, net, points, side, box)
    for width, style in ((5, {"colors": "white"}), (2.5, {"colors": "black", "linestyles": "--"})):
        ax.contour(across, up, best, levels=[0.5], linewidths=width, zorder=5, **style)
    ax.set_title(title)
plotting.show(
    "Maps of two half moons: linear units give a straight border, eight tanh units a curved one."
)

# %%
losses = {title: log_loss(net(fresh), fresh_side) for title, net in nets.items()}
losses["best possible"] = log_loss(best_probability(fresh), fresh_side)
in_training = {title: log_loss(net(points), side).mean() for title, net in nets.items()}
claims.check("Layers of linear units have the cost of one unit in training",
             in_training["8 + 8 linear units"], in_training["one unit"], within=0.001)  # fmt: skip
over = {title: claims.mean_and_error(loss - losses["best possible"], "fresh points")
        for title, loss in losses.items()}  # fmt: skip
claim("One unit exceeds the best possible log loss on fresh points",
      **over["one unit"], above=0.1, digits=3, headline=True)  # fmt: skip
claim("Eight tanh units hardly exceed the best possible log loss on fresh points",
      **over["8 tanh units"], below=0.045, digits=3, headline=True)  # fmt: skip
p = best_probability(fresh).clip(1e-12, 1 - 1e-12)
expected = -(p * np.log(p) + (1 - p) * np.log(1 - p)).mean()
claims.check("The best possible classifier has the log loss that it expects itself",
             losses["best possible"].mean(), expected, within=0.012)  # fmt: skip
pd.DataFrame(losses).mean().to_frame("log loss, fresh points").round(2)

# %% [markdown]
# Sixteen linear units are one unit with more work. Two bent units can bend the border. From some starts they do; from others they get
# stuck near a straight one. (Try other [seeds](../docs/glossary.md#seed).) Eight come so close to the best possible classifier that hardly anything is
# left to gain.
#
# **Where to start.** In section 1 the weights started at zero. Why not here?
#
# ### Exercise 7: how many different hidden units?
#
# A network of 3 inputs, 4 tanh units and a sigmoid unit takes a hundred steps of gradient descent. All biases start at 0.
# How many *different* hidden units does it have then, judged by their weights in and out? Give a number from 1 (all four are
# alike) to 4 (no two are alike) for each start of the weights.

# %%
different = {
    "all weights 0": ...,
    "all weights 0.5": ...,
    "weights random, biases 0": ...,
    "W1 random, W2 all equal": ...,
}
exercises.q7.check(different)
# exercises.q7.hint()  # and .solution()

# %%
units, cost_of = {}, {}
for name, first in {"random": rng.normal(size=(8, 2)), "all equal": np.full((8, 2), 0.5)}.items():
    start = [first, np.full((1, 8), 0.5)], [np.zeros((8, 1)), np.zeros((1, 1))]
    (units[name], _), _, net = train(*start, "tanh", points.T, side)
    cost_of[name] = log_loss(net(points), side).mean()
claims.check("Equal hidden units stay equal", np.ptp(units["all equal"], axis=0), 0, within=1e-6)
claim("An equal start leaves the cost in training higher than a random one",
      cost_of["all equal"] - cost_of["random"], above=0.08, headline=True)  # fmt: skip

# %% [markdown]
# Equal units get equal gradients, so they stay equal for ever: eight units do the work of one. Random weights break the
# tie. *How large* they should be is a question for the lesson `training_deep_networks`.
#
# **Try it.** A network that learns before your eyes. One hidden unit on the moons: which border can it draw? The spiral with
# ReLU: compare one layer of eight units with three. What does depth bring with the identity?

# %% tags=["nbval-ignore-output"]
turn = rng.uniform(0, 3 * np.pi, size=200)
arm = np.arange(200) % 2
spiral = (
    np.stack([np.cos(turn + arm * np.pi), np.sin(turn + arm * np.pi)], axis=1) * turn[:, None] / 9.5
)
blobs = rng.normal(size=(200, 2))
explorers.playground(
    {
        "moons": (points[:200], side[:200]),
        "rings": make_circles(200, noise=0.1, factor=0.4, random_state=SEED),
        "corners": (blobs, (blobs.prod(axis=1) > 0).astype(int)),
        "spiral": (spiral + rng.normal(scale=0.02, size=(200, 2)), arm),
    }
)

# %% [markdown]
# One unit draws a straight border, bent or not; so do linear layers of any depth. One wide layer can do much, on
# the spiral too.
#
# *Learned: each hidden unit adds one soft step across a straight line, and together they make a curve. They need a bend, and
# different starts.*
#
# ## 7. The slide's Keras model, and ours beside it
#
# The slides end with a network in Keras that reads digits: 784 pixels, 128 ReLU units, *dropout* of 20 %, 10 softmax units,
# trained with *Adam*. Two of these words are new. **Dropout** switches off each hidden unit with probability 0.2, anew for each
# example and step, so that no unit can rely on another. The others are multiplied by $1/0.8$, so that the sum stays the same on
# average. It acts in training only; to answer, all units are on. To us it is an activation function that rolls dice. **Adam** is
# a cleverer step than $w := w - \alpha\,dw$; here it is in three lines, and the lesson `optimizers` explains it. Steps are taken on
# *mini-batches* of a few examples; a pass over all examples is an *epoch*.


# %%
def slide_model(dropout=0.2, optimizer="adam", dtype="float32"):
    model = keras.Sequential(
        [
            keras.Input((28, 28), dtype=dtype),
            layers.Flatten(dtype=dtype),
            layers.Dense(128, activation="relu", dtype=dtype),
            layers.Dropout(dropout, dtype=dtype),
            layers.Dense(10, activation="softmax", dtype=dtype),
        ]
    )
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(dtype=dtype))
    return model


def gradient_descent(dw, V, S, t, alpha=0.1):
    return alpha * dw, V, S


def adam(dw, V, S, t, alpha=0.001):
    """How far to go; V and S are running means of dw and of its square, t counts the steps."""
    V, S = 0.9 * V + 0.1 * dw, 0.999 * S + 0.001 * dw**2
    return alpha * (1 - 0.999**t) ** 0.5 / (1 - 0.9**t) * V / (np.sqrt(S) + 1e-7), V, S


def dice(shape, rate):
    """Dropout's factors: 0 for a share of the units, and so much for the others that the mean is 1."""
    return (rng.random(shape) >= rate) / (1 - rate)


def dropped(alive):
    """ReLU and its slope, with some units switched off."""
    return lambda z: relu(z) * alive, lambda z: (z > 0) * alive


# %%
def our_model(start, X, y, batches, rate, rule):
    """The same network in NumPy: starts from Keras's get_weights(), batches are lists of columns."""
    parts = [start[0].T, start[2].T, start[1][:, None], start[3][:, None]]  # W, then b
    means, Y = [(0.0, 0.0)] * 4, np.eye(10, dtype=X.dtype)[:, y]
    for t, batch in enumerate(batches, start=1):
        g, slope = dropped(dice((128, len(batch)), rate).astype(X.dtype))
        W, b = parts[:2], parts[2:]
        Z, A = forward(X[:, batch], W, b, [g, softmax])
        dW, db = backward((A[-1] - Y[:, batch]) / len(batch), Z, A, W, [slope])
        moves = [rule(d, V, S, t) for d, (V, S) in zip(dW + db, means)]
        means = [(V, S) for _, V, S in moves]
        parts = [part - move for part, (move, _, _) in zip(parts, moves)]
    return parts[:2], parts[2:]


def mini_batches(rows, epochs, rng):
    for _ in range(epochs):
        yield from rng.permutation(rows).reshape(-1, BATCH)


# %% [markdown]
# First the exact checks. Do the dice leave the mean as it is? Does back propagation pass a unit that is off? Then: without dropout
# nothing is left to chance but start and batches. So give both networks the same, in [double precision](../docs/glossary.md#single-precision).
#
# **Predict.** How far apart are their weights after 20 steps?

# %%
thrown = dice((128, 10_000), 0.2)
claims.check("Dropout's factors are 1 on average", thrown.mean(), 1, within=0.01)
claims.check("The asked-for share of the units is off", (thrown == 0).mean(), 0.2, within=0.01)
(W, b), masks = random_network((5, 4, 4, 3), rng), [dropped(dice((4, 30), 0.2)) for _ in range(2)]
g, slopes = [g for g, _ in masks] + [softmax], [slope for _, slope in masks]
Z, A = forward(inputs, W, b, g)
dW, db = backward((A[-1] - Y) / 30, Z, A, W, slopes)
claims.check("Back propagation with dropout gives what central differences give",
             flat(dW + db), flat(by_nudging(W, b, g)), within=1e-5)  # fmt: skip

images, X_all, y_all = pixels.reshape(-1, 28, 28), pixels.T, digits.y
batches = list(mini_batches(learn, 1, rng))[:20]
for optimizer, rule, bound in ((keras.optimizers.SGD(0.1), gradient_descent, 1e-6),
                               (keras.optimizers.Adam(), adam, 0.01)):  # fmt: skip
    model = slide_model(0.0, optimizer, "float64")
    start = model.get_weights()
    for batch in batches:
        model.train_on_batch(images[batch].astype(float), y_all[batch])
    W, b = our_model(start, X_all.astype(float), y_all, batches, 0.0, rule)
    after = model.get_weights()
    apart = np.linalg.norm(after[0] - W[0].T) / np.linalg.norm(after[0] - start[0])
    claims.check(f"The same steps of {rule.__name__} lead to Keras's weights, relative to the way",
                 apart, 0, within=bound)  # fmt: skip

# %% [markdown]
# (Keras rounds Adam's settings to single precision; so there we agree to fewer digits.)
#
# They are the same network. Now with dropout, each with its own dice, five times. Each pair starts from the same weights.

# %% tags=["atol=0.005"]
hits = {"Keras": [], "NumPy": []}  # for each network, which test pictures it reads
for k in range(NETWORKS):
    model = slide_model()
    start = model.get_weights()
    training.fit(model, images[learn], y_all[learn], EPOCHS, BATCH, f"Keras, network {k + 1}")
    hits["Keras"].append(model(images[test]).numpy().argmax(axis=1) == y_all[test])
    W, b = our_model(start, X_all, y_all, mini_batches(learn, EPOCHS, rng), 0.2, adam)
    answers = forward(X_all[:, test], W, b, [relu, softmax])[1][-1].argmax(axis=0)
    hits["NumPy"].append(answers == y_all[test])
table = pd.DataFrame({name: np.mean(of_all, axis=1) for name, of_all in hits.items()})
keras_reads, ours_reads = (np.mean(hits[name], axis=0) for name in hits)  # of each picture
claim("Keras's networks and ours differ little in accuracy, share of the test pictures",
      **claims.mean_and_error(keras_reads - ours_reads, "test pictures"),
      above=-0.012, below=0.012, digits=3, headline=True)  # fmt: skip
claim("A hidden layer reads more test pictures than softmax alone, share",
      **claims.mean_and_error((keras_reads + ours_reads) / 2 - right["softmax"], "test pictures"),
      above=0.015, digits=3, headline=True)  # fmt: skip
table.agg(["mean", "std"]).round(3)

# %% [markdown]
# Nothing here is magic: a page of NumPy does what Keras does. What Keras adds is worth having all the same: it differentiates
# whatever you build, on whatever machine. From here on we use it.
#
# *Learned: the slide's model is forward and back propagation, dice and a step rule, and you have written all four.*
#
# ## 8. Further: one more check, and what to do when shapes do not fit
#
# Where scikit-learn's softmax has its optimum on real pictures, our gradient must vanish.

# %%
C = chosen["softmax"]
optimum = LogisticRegression(C=C, tol=1e-8, max_iter=10_000).fit(
    pixels[fit_on].astype(float), digits.y[fit_on]
)
X_digits, Y_digits = pixels[fit_on].T.astype(float), np.eye(10)[:, digits.y[fit_on]]
W, b = [optimum.coef_], [optimum.intercept_[:, None]]
Z, A = forward(X_digits, W, b, [softmax])
dW, db = backward((A[-1] - Y_digits) / len(fit_on), Z, A, W, [])
penalised = dW[0] + W[0] / (C * len(fit_on))
claims.check("At scikit-learn's optimum the slopes of our cost vanish", penalised, 0, within=1e-4)

# %% [markdown]
# NumPy's own messages do not know your network: some mistakes raise an error that names neither layer nor weight, and some
# run. `course_utils.lessons.neural_networks` holds the functions of this lesson with their input checked. Here is what it says to
# the four most common slips.

# %%
W, b = lesson.start([3, 2, 1], lambda n_in, n_out: n_in**-0.5, rng)
hole = X.copy()
hole[1, 4] = np.nan
slips = {
    "examples as rows": lambda: lesson.forward(X.T, W, b, ["tanh", "sigmoid"]),
    "a hole in the data": lambda: lesson.forward(hole, W, b, ["tanh", "sigmoid"]),
    "an unknown activation": lambda: lesson.forward(X, W, b, ["rleu", "sigmoid"]),
    "a label out of range": lambda: lesson.one_hot([0, 3, 10], classes=10),
}
for name, slip in slips.items():
    try:
        slip()
    except ValueError as error:
        print(f"{name}: {error}\n")
ours = forward(X, W, b, [np.tanh, sigmoid])[1][-1]
theirs = lesson.forward(X, W, b, ["tanh", "sigmoid"])[1][-1]
claims.check("The functions with checked input give what ours give", ours, theirs, within=1e-6)

# %% [markdown]
# ## Summary
#
# These are the sentences of this lesson, with the numbers that were computed above, and their
# [standard error](../docs/glossary.md#standard-error) over test pictures or fresh points. What has to agree exactly was checked
# beside its code.

# %% tags=["atol=0.005"]
claim

# %% [markdown]
# **What holds**: a unit is a regression; layers are matrix products with a bend between; back propagation is the chain rule.
# **What it costs**: training needs one pass forward and one back per step. **What to remember**: no bend, no depth;
# no random start, no different units; gradients first, then the update.
#
# ### Further reading
#
# * F. Rosenblatt: *The perceptron*, Psychological Review 65 (1958). The slides' "perceptron": a unit with a step for $g$.
# * D. Rumelhart, G. Hinton, R. Williams: *Learning representations by back-propagating errors*, Nature 323 (1986).
# * J. Bridle: *Training Stochastic Model Recognition Algorithms as Networks can Lead to Maximum Mutual Information
#   Estimation of Parameters*, NIPS 2 (1989). Introduces softmax.
# * J. Fürnkranz: *Round Robin Classification*, JMLR 2 (2002). Why pairs are quick and good.
# * C. Bishop: *Pattern Recognition and Machine Learning*, Springer 2006. Chapters 4 and 5 cover this lesson.
# * The [TensorFlow Playground](https://playground.tensorflow.org/), which the slides recommend.
