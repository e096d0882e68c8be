# %% [markdown]
# # Neural networks: one unit, then many
#
# **What is inside a neural network, and is there anything in it that you could not write yourself?**
#
# A unit weighs its inputs, adds them up and bends the sum. A network is many units in layers, trained
# with the chain rule from the last layer to the first. You will write all of it in a few lines of
# NumPy, hold every line against an exact answer, and then build the same network in Keras. And at each
# step we ask what is easily forgotten: would a simpler method have done as well?
#
# ![Graphs of circles and arrows: one unit, two layers, three layers.](figures/neural_networks.png)
#
# | | |
# | --- | --- |
# | **Slides** | *Machine learning for astrophysics: deep learning*, from the first computation graph to the Keras model and the playgrounds |
# | **You will be able to** | read a network as a graph, as formulas and as code; count its parameters; write forward and back propagation and prove them right; say what softmax is, and what it is not; build, train and judge a network in Keras |
# | **You need** | matrix products, the chain rule, NumPy |
# | **Time** | 90 minutes, and 40 more for what is marked *further* |

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
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.preprocessing import StandardScaler
from tqdm.auto import tqdm

from course_utils import claims, data, explorers, plotting
from course_utils.exercises import neural_networks as exercises
from course_utils.lessons import neural_networks as lesson
from course_utils.lessons import neural_networks_yardsticks as yardsticks

claim = claims.Claims()
rng = np.random.default_rng(SEED)

# %% [markdown]
# The budget of this run.

# %%
STARTS = 10  # of each network on the two moons: one start alone may be luck
SETS = 4  # training sets of pictures: one alone may be luck, too
EPOCHS = 20  # passes through the pictures that a network may use

# %% [markdown]
# A line with a ✓ was checked by its cell, which stops if the line does not hold; behind "claimed" stand
# the bounds. What is marked `headline` comes again in the summary.

# %% [markdown]
# ## 1. One unit
#
# The slides draw the smallest network as a *computation graph*. Three *features* $x_1, x_2, x_3$ go in.
# The circle, a *unit*, does two things:
#
# $$z = w^T x + b, \qquad a = g(z).$$
#
# It weighs the features with its *weights* $w$, adds its *bias* $b$, and applies a function $g$, the
# *activation function*. With one unit, the *activation* $a$ is already the prediction $\hat y$. (Older
# books say *neuron* for unit.)

# %% tags=["cover"]
fig, axes = plt.subplots(1, 3, figsize=(15, 4.2))
graphs = {"one unit": [3, 1], "two layers": [3, 2, 1], "three layers": [4, 6, 6, 3]}
for ax, (title, sizes) in zip(axes, graphs.items()):
    lesson.draw_network(ax, sizes)
    ax.set_title(title)
plotting.show("Graphs of circles and arrows: one unit, two layers, three layers.")

# %% [markdown]
# Take the *sigmoid* $g(z) = \sigma(z) = 1 / (1 + e^{-z})$. It turns any number into one between 0 and
# 1, so $a$ can be a probability, and the unit is **logistic regression**. With the identity,
# $g(z) = z$, it is **linear regression**. We will check it.
#
# Our data: breast tumours, seen under a microscope. Three features: radius, texture and concave points
# of the nuclei of their cells, each [standardised](../docs/glossary.md#standardisation). Is the
# tumour malignant ($y = 1$) or benign ($y = 0$)? The slides write examples as columns, so $X$ has a row
# for each feature and a column for each tumour.

# %%
X, y, largest = yardsticks.tumours()  # largest: radius of the largest nuclei, for the linear unit
n, m = X.shape
print(f"X: {n} features of {m} tumours, {y.sum():.0f} of them malignant")

# %% [markdown]
# How good are weights $w$ and a bias $b$? The *loss* of an example is minus the logarithm of the
# probability that the unit gave to what is true:
#
# $$\mathcal L(a, y) = -y \log a - (1 - y) \log(1 - a).$$
#
# (One of the two terms is always 0.) With the natural logarithm its unit is the *nat*. Whoever says ½
# pays $\log 2 \approx 0.69$ nats, whoever gave the truth a tenth pays 2.3, and certainty costs 0 if
# right and infinitely much if wrong. This loss is called *log loss* or *cross-entropy*. The *cost* $J$
# is its mean over the $m$ examples.
#
# The unit learns by *gradient descent*: start somewhere and take small steps downhill,
#
# $$w := w - \alpha\, dw, \qquad b := b - \alpha\, db.$$
#
# Here $dw$ stands for the *gradient* $dJ/dw$, as on the slides. It points uphill, hence the minus. The
# *learning rate* $\alpha$ sets the size of the steps.
#
# ### Exercise 1: the gradient of one unit
#
# Derive $dJ/dw$ by the chain rule: $J$ depends on $a$, $a$ on $z$, $z$ on $w$. Use
# $\sigma'(z) = a (1 - a)$. Then write `gradient(w, b, X, y)` for `w` of shape (n,), `b` a number, `X`
# of shape (n, m) and `y` of shape (m,). Return $dJ/dw$ alone, of shape (n,).


# %%
def gradient(w, b, X, y): ...


exercises.q1.check(gradient)
# exercises.q1.hint()  # and .solution()

# %% [markdown]
# The factor $a (1 - a)$ of the sigmoid cancels that of the loss. What is left is the error:
# $dz = (a - y) / m$ for each example. For the identity and half the squared error, $\frac12 (a - y)^2$,
# it is the same. So one piece of code trains both units; only $g$ differs. (We add a small penalty
# $\frac{\lambda}{2} \|w\|^2$ to the cost, because scikit-learn does.)
#
# **Predict.** How often would you be right if you said "benign" each time? How often will the unit be?


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

w_linear, b_linear = train_unit(identity, X, largest)
exact = np.linalg.lstsq(np.vstack([X, np.ones(m)]).T, largest, rcond=None)[0]
claims.check("The linear unit is the least-squares fit", [*w_linear, b_linear], exact, within=1e-6)

held_out = cross_val_score(reference, X.T, y, cv=10).mean()
print(f'"Benign" each time is right for {np.mean(y == 0):.1%} of these tumours,')
print(f"the unit for {np.mean((w @ X + b > 0) == y):.1%} (held out: {held_out:.1%}).")

# %% [markdown]
# They are the same numbers. Both costs have a single valley, and gradient descent reached its bottom.
# The unit answers "malignant" where $a > 0.5$, that is where $w^T x + b > 0$: in the space of the
# features, this border is *flat*. The share of right answers is the *accuracy*. (Held out: the unit
# learned from nine tenths of the tumours and judged the others,
# [ten times](../docs/glossary.md#cross-validation).)
#
# *Learned: a unit is a regression that you know. Its activation says which.*
#
# ## 2. Many units
#
# In the middle graph each feature enters **all** units of the middle layer, and all their activations
# enter the output unit: the layers are *fully connected* (Keras says `Dense`). The slides call this a
# *two-layer* network, because the *input layer* only holds the features. Layers between input and
# output are *hidden*; a network with many of them is *deep*. Layer $l$ keeps the weights of its $n_l$
# units in the rows of a matrix $W^{[l]}$, their biases in a column $b^{[l]}$. With $a^{[0]} = x$,
#
# $$z^{[l]} = W^{[l]} a^{[l-1]} + b^{[l]}, \qquad a^{[l]} = g(z^{[l]}).$$
#
# ### Exercise 2: count the parameters
#
# Write `count(sizes)`: how many weights and biases has a network of layers of these sizes, inputs
# first? The slide's network has `sizes = (3, 2, 1)`. There may be many hidden layers, or none.


# %%
def count(sizes): ...


exercises.q2.check(count)
# exercises.q2.hint()  # and .solution()

# %% [markdown]
# On the slide: two hidden units with three weights and a bias each, 8 parameters; an output unit with
# two weights and a bias, 3; together 11. In general $\sum_l n_l (n_{l-1} + 1)$. Keras counts, too. Here
# is the same network as a Keras model: a list of layers.


# %%
def parameters(sizes):
    return sum(n_out * (n_in + 1) for n_in, n_out in pairwise(sizes))


def keras_network(sizes, activations):
    """The same network in Keras, in double precision: one Dense layer for each of ours."""
    model = keras.Sequential([keras.Input((sizes[0],), dtype="float64")])
    for units, activation in zip(sizes[1:], activations):
        model.add(layers.Dense(units, activation, dtype="float64"))
    return model


counted = keras_network((3, 2, 1), ["relu", "sigmoid"]).count_params()
claims.check("The formula counts the slide's network as Keras does", parameters((3, 2, 1)), counted)

# %% [markdown]
# Computing $\hat y$ from $x$ layer by layer is *forward propagation* (the slides say
# *forthpropagation*). With the examples as the columns of $A^{[0]} = X$, one matrix product serves them
# all. Python counts from 0, so `W[0]` is the slides' $W^{[1]}$, while `A[0]` is $A^{[0]}$.


# %%
def forward(X, W, b, g):
    """Z and A of all layers; W, b and g hold one entry per layer. A[0] is the input."""
    Z, A = [], [X]
    for W_l, b_l, g_l in zip(W, b, g):
        Z.append(W_l @ A[-1] + b_l)
        A.append(g_l(Z[-1]))
    return Z, A


def random_network(sizes, rng):
    """Normal weights of standard deviation sqrt(1 / inputs), biases of standard deviation 1."""
    W = [rng.normal(size=(n_out, n_in)) / n_in**0.5 for n_in, n_out in pairwise(sizes)]
    return W, [rng.normal(size=(n_out, 1)) for n_out in sizes[1:]]


def give(model, W, b):
    """Hand our weights to a Keras model, which wants examples as rows: hence W transposed."""
    model.set_weights([part for W_l, b_l in zip(W, b) for part in (W_l.T, b_l[:, 0])])
    return model


W, b = random_network((3, 5, 4, 1), rng)
ours = forward(X, W, b, [np.tanh, np.tanh, sigmoid])[1][-1]
twin = give(keras_network((3, 5, 4, 1), ["tanh", "tanh", "sigmoid"]), W, b)
claims.check("Forward propagation gives what Keras gives", ours, twin(X.T).numpy().T, within=1e-6)

# %% [markdown]
# *Learned: a layer is a matrix product and a bend. Examples are columns here, rows in Keras.*
#
# ## 3. The bend
#
# Four activation functions from the slides. *ReLU* is a ramp, $\max(0, z)$; the *leaky* one keeps a
# tenth of the slope below zero.


# %%
def relu(z):
    return np.maximum(0, z)


def leaky_relu(z):
    return np.maximum(0.1 * z, z)


z = np.linspace(-6, 6, 601)
bends = {"sigmoid": sigmoid, "tanh": np.tanh, "ReLU": relu, "leaky ReLU": leaky_relu}
for name, g in bends.items():
    plt.plot(z, g(z), label=name, ls="--" if name == "leaky ReLU" else "-")
plt.gca().set(xlabel="$z$", ylabel="$g(z)$", ylim=(-1.2, 3))
plt.legend()
plotting.show("Four functions: the sigmoid rises from 0 to 1, tanh from -1 to 1; ReLUs are ramps.")

# %% [markdown]
# Training needs their slopes $g'$, as you saw in exercise 1.
#
# **Predict.** Sketch the four slopes. Which is the largest? What happens to each far from zero?

# %%
ACTIVATIONS = {  # g and its slope
    "linear": (identity, np.ones_like),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (relu, lambda z: np.where(z > 0, 1.0, 0.0)),
    "leaky_relu": (leaky_relu, lambda z: np.where(z > 0, 1.0, 0.1)),
}
for name, (_, slope) in [*ACTIVATIONS.items()][1:]:
    plt.plot(z, slope(z), label=name, ls="--" if name == "leaky_relu" else "-")
plt.gca().set(xlabel="$z$", ylabel="slope $g'(z)$")
plt.legend()
plotting.show(yardsticks.TEXTS["slopes"])

# %% [markdown]
# Sigmoid and tanh *saturate*: far from zero they are flat, and a hidden unit there hardly learns. ReLU
# keeps its slope, but only for $z > 0$; a unit that is negative for all examples is *dead*. The leaky
# one always learns a little.
#
# Why bend at all? Take the bend away, $g(z) = z$, and stack two layers:
#
# $$W^{[2]} \big(W^{[1]} x + b^{[1]}\big) + b^{[2]} = \big(W^{[2]} W^{[1]}\big)\, x + \big(W^{[2]} b^{[1]} + b^{[2]}\big).$$
#
# That is one layer again, with the product of the matrices for its weights; and so on for any number of
# layers.

# %%
(W1, W2), (b1, b2) = W, b = random_network((3, 20, 1), rng)
two = forward(X, W, b, [identity, identity])[1][-1]
claims.check("Two linear layers are one layer", two, W2 @ W1 @ X + (W2 @ b1 + b2), within=1e-6)
print(f"{parameters((3, 20, 1))} parameters do the work of {parameters((3, 1))}.")

# %% [markdown]
# *Learned: without a bend, depth is one matrix. The bend is what makes a network more than a
# regression.*
#
# ## 4. Many classes
#
# A galaxy is elliptical, lenticular, spiral or irregular. For $C$ classes the last layer has $C$ units.
# Their scores $z_1 \dots z_C$, the *logits*, become probabilities by *softmax*, which makes them
# positive and lets them add up to 1:
#
# $$a_i = \frac{e^{z_i}}{\sum_{j=1}^C e^{z_j}}.$$
#
# ### Exercise 3: a softmax that overflows
#
# `np.exp(Z) / np.exp(Z).sum(axis=0)` is the formula, and it fails: a network whose inputs were not
# scaled can have scores of 1,000, and $e^{1000}$ is too large for a computer. Repair it. (Which number
# may you subtract from all scores of an example without changing its probabilities?) `Z` has shape (C,
# m), one column for each example.


# %%
def overflow_safe(Z):
    return ...  # was: np.exp(Z) / np.exp(Z).sum(axis=0)


exercises.q3.check(overflow_safe)
# exercises.q3.hint()  # and .solution()

# %%
softmax = partial(special.softmax, axis=0)  # SciPy's: it overflows as little as yours
Z = rng.normal(scale=3, size=(4, 1_000))
claims.check("For two classes softmax is the sigmoid of the difference of the scores",
             softmax(Z[:2])[0], sigmoid(Z[0] - Z[1]), within=1e-6)  # fmt: skip
galaxy = pd.DataFrame({"z": [2.0, 1, 3, -1]}, ["elliptical", "lenticular", "spiral", "irregular"])
hardmax = galaxy == galaxy.max()
galaxy.assign(softmax=softmax(galaxy).round(2), hardmax=1 * hardmax)

# %% [markdown]
# *Hardmax*, on the slides, gives everything to the largest score; softmax also says how sure it is. The
# cost is that of section 1: the mean of minus the log of the probability given to the right class,
# $-\frac1m \sum \log a_y$.
#
# The slides present softmax as "a way out of training" many models. The older ways build many classes
# from two. *One-vs-rest* (or one-vs-all) has $C$ sigmoid units, each asked "this class or not?"; their
# answers are divided by their sum. *One-vs-one* has a unit for each of the $C (C - 1) / 2$ pairs, and
# they vote. Is softmax better, or faster? We ask scikit-learn for all three, on pictures of handwritten
# digits of 28 × 28 pixels.
#
# How do we judge? By pictures that nothing was fitted to. We set 1,000 *test* pictures aside, which
# choose nothing. The others make four training sets that share no picture. In each, 800 are to learn
# from; the other 200 are for *validation*: they choose a model's settings, here the penalty. They
# choose by the log loss, or by the accuracy where a method has no honest probabilities, such as votes.
# (`exam` keeps the pictures apart: `learn` hands over those of a training set, `best` chooses by
# validation, `reads` looks at the test.)

# %%
digits = data.load_mnist5k()
pixels, labels = (digits.x.reshape(-1, 784) / 255).astype("float32"), digits.y
shuffled = rng.permutation(5_000)
test, sets = shuffled[:1_000], np.array_split(shuffled[1_000:], SETS)
exam = yardsticks.Exam(pixels, labels, sets, test, learn=800)

# %% [markdown]
# (Behind ± stands a [standard error](../docs/glossary.md#standard-error): how far the number would move
# with other pictures and other training sets.)
#
# **Predict.** Ten digits make 45 pairs. Which method is the most accurate? Which takes the longest, and
# is it 45 times as long?

# %%
WAYS = {"softmax": lambda unit: unit, "one-vs-rest": OneVsRestClassifier,
        "one-vs-one": OneVsOneClassifier}  # fmt: skip
PENALTIES = (0.1, 0.3, 1, 3)  # scikit-learn's C, here the inverse of the penalty, not of classes
fitted, seconds = {}, {}
for name, way in WAYS.items():
    began = time.process_time()
    units = [way(LogisticRegression(C=C, max_iter=200)) for C in PENALTIES]
    fitted[name] = [[clone(unit).fit(*exam.learn(k)) for unit in units]
                    for k in tqdm(range(SETS), name, leave=False)]  # fmt: skip
    seconds[name] = time.process_time() - began

# %% tags=["atol=0.02"]
right, table, loss, best = {}, {}, {}, {}
for name in WAYS:
    votes = name == "one-vs-one"
    best[name] = exam.best(fitted[name], "accuracy" if votes else "log loss")
    right[name] = exam.reads(best[name])
    table[name] = {"accuracy": right[name].mean()}
    if not votes:
        p = np.array([model.predict_proba(pixels[test]) for model in best[name]])
        loss[name] = -np.log(p[:, np.arange(1_000), labels[test]])
        table[name]["log loss"] = loss[name].mean()
pd.DataFrame(table).T.round(3)

# %%
over = yardsticks.over_both(1.0 * right["one-vs-one"] - right["softmax"], "pictures")
claim("Digits: one-vs-one reads more than softmax, share", **over, above=0, digits=3, headline=True)
over = yardsticks.over_both(loss["one-vs-rest"] - loss["softmax"], "pictures")
text = "Digits: one-vs-rest has a higher log loss than softmax, nats"
claim(text, **over, above=0.02, headline=True)

# %% tags=["nbval-ignore-output"]
timing = claims.Claims()
ratio = seconds["one-vs-one"] / seconds["softmax"]
timing("Training all pairs takes this many times as long as softmax", ratio, below=10)
pd.Series(seconds).round(1).to_frame("CPU seconds, all penalties and training sets")

# %% [markdown]
# A surprise: the 45 models read the most digits, and they take nothing like 45 times as long. Each is
# one unit and looks at a fifth of the pictures: a pass through them costs 45 / 5 = 9 units, where
# softmax has ten. (Look again: 45 units, a step for each, and votes that are added up. That is a hidden
# layer, trained pair by pair.) What softmax has are its probabilities: they are better than those of
# one-vs-rest.
#
# *Learned: softmax makes scores into probabilities that sum to 1. It need not be the most accurate.*
#
# ## 5. Back propagation
#
# To train, we need the slope of the cost in every weight. *Back propagation* is the chain rule, from
# the last layer to the first. $dZ$ has the shape of $Z$: for each number in $Z$, the slope of $J$ in
# it. In the last layer much cancels, as in section 1. For softmax,
# the quotient rule gives $\partial a_k / \partial z_i = a_k (\delta_{ki} - a_i)$ with
# $\delta_{ki} = 1$ for $k = i$, else 0.
# Write $y_k = 1$ for the right class and 0 for the others (*one-hot*). The loss is
# $-\sum_k y_k \log a_k$, so its slope in $z_i$ is
# $\sum_k (-y_k / a_k)\, a_k (\delta_{ki} - a_i) = a_i - y_i$, because the $y_k$ add up to 1. Again the
# error. For the mean over $m$ examples,
#
# $$dZ^{[L]} = \tfrac1m (A^{[L]} - Y).$$
#
# Now the weights: $W_{ij}$ acts on $Z_{ik} = \sum_j W_{ij} A_{jk} + b_i$ of every example $k$, so its
# slope is $\sum_k dZ_{ik} A_{jk}$, and that of $b_i$ is $\sum_k dZ_{ik}$. As matrices,
#
# $$dW^{[l]} = dZ^{[l]} A^{[l-1]T}, \qquad db^{[l]} = \sum_\text{examples} dZ^{[l]}.$$
#
# ### Exercise 4: a transpose is missing
#
# One step is left: from $dZ$ of a layer to that of the layer before. Somebody wrote
# `dZ_prev = (W @ dZ) * slope`. It ran without an error, because both layers had the same number of
# units. Write it right, for a tanh layer: `back(dZ, W, Z_prev)`, with `dZ` (n, m), `W` (n, n_prev),
# `Z_prev` (n_prev, m). The $1/m$ is in `dZ` already. (Activation $j$ of the layer before enters all
# units $i$, with the weights $W_{ij}$. What do they send back to it?)


# %%
def back(dZ, W, Z_prev): ...


exercises.q4.check(back)
# exercises.q4.hint()  # and .solution()

# %% [markdown]
# With a star for the product element by element,
#
# $$dZ^{[l-1]} = \big(W^{[l]T} dZ^{[l]}\big) * g'(Z^{[l-1]}).$$
#
# Read it aloud: what a unit has to answer for is what the units after it have to answer for, through
# the weights that lead there, times its own slope. A saturated unit, $g' \approx 0$, answers for
# nothing and learns nothing.


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


# %% [markdown]
# **Two yardsticks.** TensorFlow's `GradientTape` watches a computation and differentiates it
# ([automatic differentiation](../docs/glossary.md#automatic-differentiation)). And *central
# differences* need nothing but the cost: nudge one parameter up and down by a little $h$, and see how
# $J$ changes. We take a network 5–4–4–3 with softmax, and each activation in turn.
#
# **Predict.** How many passes through the network do central differences need, for $P$ parameters?

# %%
inputs, classes = rng.normal(size=(5, 30)), rng.integers(3, size=30)
Y = np.eye(3)[:, classes]  # one-hot: a row for each class, a column for each example


def cost(W, b, g):
    return -(Y * np.log(forward(inputs, W, b, [g, g, softmax])[1][-1])).sum() / 30


def by_tape(W, b, name):
    model = give(keras_network((5, 4, 4, 3), [name, name, "softmax"]), W, b)
    with tf.GradientTape() as tape:
        J = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(classes, model(inputs.T)))
    gradients = tape.gradient(J, model.trainable_variables)
    return [g.numpy().T for g in gradients[::2]] + [g.numpy()[:, None] for g in gradients[1::2]]


for name in ("linear", "sigmoid", "tanh", "relu"):
    g, slope = ACTIVATIONS[name]
    W, b = random_network((5, 4, 4, 3), rng)
    Z, A = forward(inputs, W, b, [g, g, softmax])
    dW, db = backward((A[-1] - Y) / 30, Z, A, W, [slope, slope])
    ours, tape = yardsticks.flat(dW + db), yardsticks.flat(by_tape(W, b, name))
    claims.check(f"{name}: back propagation gives what the tape gives", ours, tape, within=1e-5)
    nudged = yardsticks.central_differences(partial(cost, W, b, g), W + b)
    claims.check(f"{name}: and what nudging gives", ours, yardsticks.flat(nudged), within=1e-5)

# %% [markdown]
# Central differences need two forward passes *per parameter*. Back propagation needs one pass forward
# and one back for all of them together: that is why networks with millions of weights can be trained at
# all.
#
# Training is now a loop: forward, backward, one step downhill, again. (All gradients come first; the
# step is taken when all are known.) An iteration may use all examples or, as we will need later, some
# of them.


# %%
def train(W, b, bends, X, Y, iterations, alpha):
    """Gradient descent; bends: (g, slope) of each layer; iterations: which examples each uses."""
    g, slopes = zip(*bends)
    for columns in iterations:
        Z, A = forward(X[:, columns], W, b, g)
        dW, db = backward((A[-1] - Y[:, columns]) / A[-1].shape[1], Z, A, W, slopes)
        W = [W_l - alpha * dW_l for W_l, dW_l in zip(W, dW)]
        b = [b_l - alpha * db_l for b_l, db_l in zip(b, db)]
    return W, b


# %% [markdown]
# *Learned: back propagation is the chain rule, written once per layer.*
#
# ## 6. What hidden units are for
#
# Two half moons, interlocked, with noise. We know how they were made, so we know the best possible
# classifier, too: it compares the two [densities](../docs/glossary.md#density). (Each is a half circle,
# blurred by a [normal distribution](../docs/glossary.md#normal-distribution).) No method can do better
# on average. The network has two inputs, a hidden layer of tanh units and a sigmoid unit; it learns
# from 500 points, and 5,000 *fresh* ones judge it.

# %%
ALL = slice(None)


def network(points, side, units, rng, steps):
    """A classifier with one hidden layer of tanh units, trained from a random start."""
    bends = [ACTIVATIONS["tanh"], ACTIVATIONS["sigmoid"]]
    start = random_network((2, units, 1), rng)
    W, b = train(*start, bends, points.T, side[None], [ALL] * steps, alpha=1.0)
    return lambda points: forward(points.T, W, b, [np.tanh, sigmoid])[1][-1][0]


fresh, fresh_side = yardsticks.moons(5_000, SEED + 1_000_000)


def log_loss(p):
    """On the fresh points, from the probabilities of class 1; none counts as quite 0 or 1."""
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return -np.log(np.where(fresh_side == 1, p, 1 - p)).mean()


lowest = log_loss(yardsticks.moons_probability(fresh))

# %% [markdown]
# **Predict.** One unit; three tanh units in a hidden layer; eight. Draw the border that each will find.
# Now we start each network ten times, from other random weights. Will it find the same border each time?
# Will more steps help? (In the figure, discs are class 0 and triangles class 1; the border is where a
# network gives both a half. Dashed is the best possible.)

# %%
points, side = yardsticks.moons(500, SEED)
one = LogisticRegression(C=1e6).fit(points, side)  # one unit, as we know from section 1
found = {"one unit": [lambda points: one.predict_proba(points)[:, 1]]}
for units, steps in ((3, 1_000), (3, 10_000), (8, 1_000)):
    starts = [np.random.default_rng((SEED, k)) for k in range(STARTS)]  # the same for any steps
    title = f"{units} tanh units, {steps:,} steps"
    starts = tqdm(starts, leave=False)
    found[title] = [network(points, side, units, start, steps) for start in starts]
fig, axes = plt.subplots(1, 4, figsize=(18, 4.4), sharey=True)
for ax, (title, classifiers) in zip(axes, found.items()):
    yardsticks.draw_borders(ax, classifiers, points, side)
    ax.set_title(title)
plotting.show(yardsticks.TEXTS["moons"])

# %%
excess = {title: [log_loss(net(fresh)) - lowest for net in nets] for title, nets in found.items()}
claim("Moons: one unit exceeds the best possible log loss, nats", *excess["one unit"], above=0.1)
_, early, late, eight = map(np.array, excess.values())
text = "Moons: after 1,000 steps the worst of ten starts of three units loses to the best, nats"
claim(text, np.ptp(early), above=0.05, headline=True)
near = [np.mean(values < late.min() + 0.03) for values in (early, late)]  # within 0.03 of the best
text = "Moons: after 1,000 steps of eight units the worst start loses less, nats"
claim(text, np.ptp(eight), below=0.03, digits=3)
print(f"three units near the best: {near[0]:.0%} of the starts, later {near[1]:.0%}")

# %% [markdown]
# One unit draws a straight line. Three units can follow the curve, but after 1,000 steps some starts are
# still far off. Ten times the steps bring more of them there, here all; with other data some never come.
# Eight units follow it from each start, and soon. So never judge a network by one start and one number of
# steps.
#
# **Would something cheaper do?** Three rivals. *Nearest neighbours* asks the closest points.
# *Polynomial* gives one unit the products of the inputs, such as $x_1^2 x_2$, as new features. And
# *untrained* is our network with a hidden layer that nobody trains: its weights stay as they were
# drawn, and only the last unit learns. Their settings are chosen by
# [cross-validation](../docs/glossary.md#cross-validation), by the log loss. All learn from ten data
# sets. The network is not tuned and takes one start of 1,000 steps for each; the untrained units are
# drawn anew for each. (`sem` is the standard error of the mean.)
#
# **Predict.** Which rival comes nearest to the trained network? Does the untrained one need more units?

# %% tags=["rtol=0.2", "atol=0.01"]
over = []  # log loss over the best possible: a row for each data set
for k in tqdm(range(STARTS), "data sets", leave=False):
    x, c = yardsticks.moons(500, 1_000 * SEED + k)
    nets = {"8 trained units": network(x, c, 8, rng, steps=1_000)}
    nets |= yardsticks.moons_rivals(x, c, seed=k)
    over.append({name: log_loss(net(fresh)) - lowest for name, net in nets.items()})
over = pd.DataFrame(over)
over.agg(["mean", "sem"]).T.round(3)

# %%
trained = over["8 trained units"]
claim("Moons: eight trained units exceed the best possible log loss by little, nats",
      **claims.mean_and_error(trained, "data sets"), below=0.03, digits=3)  # fmt: skip
apart = claims.mean_and_error(over["8 untrained units"] - trained, "data sets")
text = "Moons: eight units that nobody trained have a higher log loss than eight trained ones, nats"
claim(text, **apart, above=0, digits=3, headline=True)
apart = claims.mean_and_error(over["16 untrained units"] - trained, "data sets")
text = "Moons: sixteen untrained units are about as good, difference in log loss"
claim(text, **apart, above=-0.015, below=0.015, digits=3)
better = claims.mean_and_error(trained - over["100 untrained units"], "data sets")
text = "Moons: and so are a hundred, how much lower their log loss is"
claim(text, **better, above=-0.01, below=0.01, digits=3)

# %% [markdown]
# The trained network is close to the best possible, and so is the polynomial. What training buys is
# *fewer* units: eight that nobody trained are not enough, twice as many are, and a hundred do no better.
#
# **Where to start.** In section 1 the weights started at zero. Here, from zero, nothing but the last bias
# would move; and equal units would get equal gradients and stay equal for ever: eight would do the work
# of one (exercise 5). Random weights break the tie. *How large* they should be is a question for the
# lesson `training_deep_networks`.
#
# **Try it.** A network that learns before your eyes. One hidden unit on the moons: which border can it
# draw? The spiral with ReLU: one layer of eight units, one of 24, or three of eight? What does depth
# bring when the activation is the identity?

# %% tags=["nbval-ignore-output"]
explorers.playground(yardsticks.playgrounds(points, side, SEED))

# %% [markdown]
# (One unit draws a straight line, whatever its bend. On the spiral three layers of eight mostly come
# further than one of eight; but they have five times the parameters, and one layer of 24, with three
# times, mostly gets there as well. With the identity no depth bends the border. The playground trains
# with [Adam](../docs/glossary.md#adam), which section 7 names.)
#
# *Learned: hidden units bend the border. They need different starts, and more than one try.*
#
# ## 7. The slide's Keras model, step by step
#
# The slides end with a network in Keras that reads digits. **Step 1: stack the layers.** `Flatten` lays
# the 28 × 28 pixels in a row; then come 128 ReLU units and 10 softmax units.
# [Dropout](../docs/glossary.md#dropout) switches off each hidden unit with probability 0.2, at each step of
# training and for each picture anew; what for, the lesson `regularization` will say.


# %%
def slide_model():
    return keras.Sequential([
        keras.Input((28, 28)),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dropout(0.2),
        layers.Dense(10, activation="softmax"),
    ])  # fmt: skip


counted = slide_model().count_params()
claims.check("Its parameters are those of 784–128–10", counted, parameters((784, 128, 10)))

# %% [markdown]
# **Step 2: say how to learn.** `compile` names three things. The *optimiser* takes the steps;
# *Adam* takes cleverer ones than $w := w - \alpha\,dw$, which the lesson
# `optimizers` explains. The *loss* is the cross-entropy; "sparse" means that labels are given as 0 to 9
# and not one-hot. *Metrics* are only reported.
#
# **Step 3: learn.** `fit` does not take all pictures at every step. It shuffles them, takes a
# *mini-batch* of 32, makes a step, and goes on to the next 32. A pass over all pictures is an *epoch*.
# After each epoch it also judges the validation pictures, if they are given.
#
# **Predict.** How many steps are 20 epochs of 800 pictures? What will the log loss do with the epochs,
# on the pictures that are learned from and on those that are not?

# %%
pictures = pixels.reshape(-1, 28, 28)
networks, histories = [], []
for rows in tqdm(sets, "networks", leave=False):
    model = slide_model()
    model.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    a, b = rows[:800], rows[800:]
    keep = keras.callbacks.EarlyStopping("val_loss", patience=EPOCHS, restore_best_weights=True)
    fit = model.fit(pictures[a], labels[a], batch_size=32, epochs=EPOCHS, verbose=0,
                    validation_data=(pictures[b], labels[b]), callbacks=[keep])  # fmt: skip
    networks.append(model)
    histories.append(fit.history)

learned, validated = (np.array([h[key] for h in histories]) for key in ("loss", "val_loss"))
for losses, label in ((learned, "learned from"), (validated, "validation")):
    plt.plot(range(1, EPOCHS + 1), losses.mean(axis=0), label=label)
plt.gca().set(xlabel="epoch", ylabel="log loss in nats", xticks=range(2, EPOCHS + 1, 2))
plt.legend()
plotting.show(yardsticks.TEXTS["epochs"])

# %%
gap = validated - learned
grown = claims.mean_and_error(gap[:, -1] - gap[:, 9], "training sets")
text = "Digits: from epoch 10 to 20 the gap between the curves grows by, nats"
claim(text, **grown, above=0, digits=3)

# %% [markdown]
# An epoch has 800 / 32 = 25 steps, so these were 500. The first curve falls on and on, the second soon
# hardly falls: what the network still learns lowers the loss of its 800 pictures only
# ([overfitting](../docs/glossary.md#overfitting)). (In the first epochs it is the other way round. The
# loss on what is learned from is measured *during* the epoch, with dropout on.) We keep the weights of
# the epoch with the lowest validation loss. The *callback* `EarlyStopping` does that.
#
# **Step 4: judge**, once, on the test pictures. `evaluate` gives the loss and the metrics.

# %% tags=["atol=0.05"]
loss_of_first, accuracy_of_first = networks[0].evaluate(pictures[test], labels[test], verbose=0)
print(f"The first network: log loss {loss_of_first:.2f} nats, accuracy {accuracy_of_first:.2f}")

# %% [markdown]
# **Is a network worth its trouble?** The rivals see the same training sets, and the same validation
# pictures choose their settings; for the network they chose the epoch alone. *Untrained* is again a
# hidden layer as it was drawn, of 128 or 1,000 ReLU units. An *SVM* (support vector machine) is a
# classical method that compares a picture with those it has learned from.
#
# **Predict.** Put them in order: softmax alone, one-vs-one, nearest neighbours, SVM, the network, the
# two untrained layers.

# %% tags=["atol=0.02"]
for name, models in exam.tuned(yardsticks.digit_rivals).items():
    right[name] = exam.reads(models)
answers = [network.predict(pictures[test], verbose=0).argmax(axis=1) for network in networks]
right["the slide's network"] = np.array(answers) == labels[test]
table = {name: hits.mean() for name, hits in right.items()}
pd.Series(table).sort_values().round(3).to_frame("accuracy on test pictures")

# %%
net = 1.0 * right["the slide's network"]
over = yardsticks.over_both(net - right["softmax"], "pictures")
text = "Digits: the slide's network reads more than softmax alone"
claim(text, **over, above=0, digits=3, headline=True)
over = yardsticks.over_both(right["one-vs-one"] - net, "pictures")
text = "Digits: one-vs-one reads about as many as the slide's network"
claim(text, **over, above=-0.025, below=0.025, digits=3)
over = yardsticks.over_both(right["SVM"] - net, "pictures")
text = "Digits: an SVM reads more than the slide's network"
claim(text, **over, above=0, digits=3, headline=True)

# %% [markdown]
# The hidden layer adds to softmax. But with so few pictures the SVM reads more, and one-vs-one about as
# many, though its 45 units are trained pair by pair. What helps a network on pictures are layers made for
# them, [convolutions](../docs/glossary.md#convolution).
#
# *Learned: the slide's model is forward and back propagation on mini-batches. Learn, validate, test:
# three sets, three jobs.*
#
# ## 8. A number instead of a class: 0, 1 or 2 hidden layers
#
# The slides' other playground trains a *regressor*, a network that predicts a number, with no, one or
# two hidden layers. Two things change: the output unit has no bend, and the loss is the *mean squared
# error*. Let us predict the brightness $y$ of a pulsating star from the phase $x$ of its beat. We make
# the data, so we know the truth: $y = f(x) + \text{noise}$. An error $y - \hat y$ then is
# $f(x) - \hat y$ plus noise that nobody can predict. So the yardstick is $f$, and we compare
# $(f - \hat y)^2$, the *excess* over the noise.
#
# Each of 20 data sets has 75 points to learn from and 25 for validation, which choose the learning rate
# and the number of steps: the same rule for each depth, one choice for all sets. Without a hidden layer
# the network is the least-squares line of section 1.
#
# **Predict.** How does the curve of a network with a layer of eight tanh units look? With two such
# layers? Which is closest to $f$, and what do more and more steps do to it?


# %%
def f(x):
    return np.sin(np.pi * x) + 0.5 * np.sin(2 * np.pi * x)


def regressor(hidden, inputs=1, units=8, rate=0.02):
    model = keras.Sequential([keras.Input((inputs,))])
    for _ in range(hidden):
        model.add(layers.Dense(units, activation="tanh"))
    model.add(layers.Dense(1))  # no activation: the identity
    model.compile(keras.optimizers.Adam(rate), keras.losses.MeanSquaredError(reduction=None))
    return model  # reduction=None: a loss for each point, as by_steps wants it


RATES, STEPS = (0.02, 0.1), (100, 250, 500, 1_000, 2_000)
x = rng.uniform(-1, 1, size=(20, 100, 1)).astype("float32")
y = (f(x) + rng.normal(scale=0.3, size=x.shape)).astype("float32")  # a column, as the output is
phase = np.tile(np.linspace(-1, 1, 200, dtype="float32")[:, None], (20, 1, 1))

# %% [markdown]
# (`by_steps` trains the networks of all data sets side by side. Mind the shapes: predictions come as a
# column (100, 1). If $y$ were a row (100,), NumPy would quietly make `y - prediction` a square of
# 100 × 100 differences.)

# %%
truth = f(phase[..., 0])
fits, path = {}, {}
for hidden, name in ((1, "one hidden layer"), (2, "two hidden layers")):
    runs = [yardsticks.by_steps(partial(regressor, hidden, rate=rate), x, y, 75, phase, STEPS)
            for rate in RATES]  # fmt: skip
    outputs, wrong = (np.array(part) for part in zip(*runs))  # first axes: rates, steps
    fits[name] = outputs[np.unravel_index(wrong.argmin(), wrong.shape)]
    path[name] = ((outputs - truth) ** 2).mean(axis=3)  # excess: rates, steps, data sets

fig, (left, middle) = plt.subplots(1, 2, figsize=(13, 4.2))
left.plot(phase[0], truth[0], "k--", label="$f$")
left.plot(x[0], y[0], "o", color="0.7", zorder=0)
for color, (name, curves) in enumerate(fits.items()):
    left.plot(phase[0], curves[0], f"C{color}", label=name)
    for rate, line, excess in zip(RATES, ("o-", "s--"), path[name].mean(axis=2)):
        middle.loglog(STEPS, excess, line, color=f"C{color}", label=f"{name}, rate {rate}")
left.set(xlabel="phase $x$", ylabel="brightness $y$", title="the first data set")
middle.set(xlabel="steps", ylabel="excess", title="mean of 20 data sets")
left.legend()
middle.legend()
plotting.show(yardsticks.TEXTS["curves"])

# %% [markdown]
# The rivals are tuned by the same validation points. One takes $\sin k\pi x$ and $\cos k\pi x$ as
# features: a beat repeats itself. (It has an easy task, and wins: we made $f$ of two such waves.)

# %% tags=["rtol=0.2", "atol=0.005"]
fits |= yardsticks.by_validation(yardsticks.curve_rivals, x, y, 75, phase)
excess = pd.DataFrame({name: ((a - truth) ** 2).mean(axis=1) for name, a in fits.items()})
excess.agg(["mean", "sem"]).T.round(4)

# %%
deeper = path["two hidden layers"] - path["one hidden layer"]
slow, quick = (claims.mean_and_error(-way, "data sets") for way in deeper[:, 0])
text = "Curve: after 100 steps a second layer lowers the excess at the rate 0.02, by"
claim(text, **slow, above=0)
text = "Curve: at the rate 0.1 it hardly does after 100, by"
claim(text, **quick, above=-0.02, below=0.02, digits=3)
quickly = (partial(regressor, hidden, rate=0.1) for hidden in (1, 2))
one, two = (yardsticks.by_steps(build, x, y, 75, phase, [30])[0][0] for build in quickly)
early = claims.mean_and_error(((one - truth) ** 2 - (two - truth) ** 2).mean(axis=1), "data sets")
claim("Curve: but after 30 steps it does there, too, by", **early, above=0)
text = "Curve: after 2,000 steps a second layer raises the excess, mean of both rates, by"
later = claims.mean_and_error(deeper[:, -1].mean(axis=0), "data sets")
claim(text, **later, above=0, digits=3, headline=True)
apart = {name: claims.mean_and_error(values - excess["one hidden layer"], "data sets")
         for name, values in excess.items()}  # fmt: skip
text = "Curve: with rate and steps chosen it does not help, difference in excess"
claim(text, **apart["two hidden layers"], above=-0.004, digits=4)
text = "Curve: the excess of a line over that of one hidden layer"
claim(text, **apart["line"], above=0.3, digits=3)

# %% [markdown]
# The first hidden layer makes the line a curve; nearly all of the excess goes. The second learns sooner
# at both rates, but at the higher one a single layer has caught up after 100 steps: a head start is not a
# better fit. It overfits sooner as well, and at its best it is no better. What is depth
# good for? This course will ask each time.
#
# *Learned: for a number, take the bend from the output and square the error. More layers are not better
# by themselves.*
#
# ## Summary
#
# These are the sentences of this lesson, with the numbers that were computed above.

# %% tags=["rtol=0.3", "atol=0.05"]
claim

# %% [markdown]
# **What holds**: a unit is a regression; layers are matrix products with a bend between; back
# propagation is the chain rule. **What it costs**: one pass forward and one back per step. **What to
# remember**: no bend, no depth; equal starts, equal units; no verdict from one start and
# one number of steps, and none without the cheapest rival.
#
# ## 9. Further: three exercises, and details of sections 3 to 7
#
# ### Exercise 5: how many different hidden units?
#
# A network of 3 inputs, 4 tanh units and a sigmoid unit takes a hundred steps of gradient descent. All
# biases start at 0. How many *different* hidden units does it have then, judged by their weights in and
# out? Give a number from 1 (all four are alike) to 4 (no two are alike) for each start of the weights.

# %%
different = {
    "all weights 0": ...,
    "two units alike, the others random": ...,
    "W1 all equal, W2 random": ...,
    "W1 random, W2 all equal": ...,
}
exercises.q5.check(different)
# exercises.q5.hint()  # and .solution()

# %% [markdown]
# Eight hidden units on the moons, all weights ½ and all biases 0, after 500 steps:

# %%
start = [np.full((8, 2), 0.5), np.full((1, 8), 0.5)], [np.zeros((8, 1)), np.zeros((1, 1))]
bends = [ACTIVATIONS["tanh"], ACTIVATIONS["sigmoid"]]
(first, _), _ = train(*start, bends, points.T, side[None], [ALL] * 500, alpha=1.0)
claims.check("Eight equal hidden units stay equal", np.ptp(first, axis=0), 0, within=1e-6)

# %% [markdown]
# ### Exercise 6: depth without a bend
#
# Write `collapse(W, b)`: for lists of weights and biases of linear layers, of any length, the one
# matrix and the one column of biases, of shape (n, 1), that do the same. Return both, and leave the
# lists as they are.


# %%
def collapse(W, b): ...


exercises.q6.check(collapse)
# exercises.q6.hint()  # and .solution()

# %% [markdown]
# Ten layers of 20 units, for example:

# %%
W, b = random_network([3] + 10 * [20] + [1], rng)
deep = forward(X, W, b, [identity] * len(W))[1][-1]
W_all, b_all = W[0], b[0]
for W_l, b_l in zip(W[1:], b[1:]):
    W_all, b_all = W_l @ W_all, W_l @ b_all + b_l
claims.check("A stack of linear layers is one layer", deep, W_all @ X + b_all, within=1e-6)
print(f"{parameters([3] + 10 * [20] + [1]):,} parameters do the work of {W_all.size + b_all.size}.")

# %% [markdown]
# ### Exercise 7: updates on the way back
#
# Back propagation is "passing through the hidden layers backwards, updating each time the weights",
# says the slide *Training a Neural Network*. Taken at its word, $W^{[2]}$ is changed *before* $dZ$ has
# travelled through it. For the network $A^{[1]} = \tanh(W^{[1]} X)$, $A^{[2]} = W^{[2]} A^{[1]}$, with
# $J = \tfrac{1}{2m} \sum (A^{[2]} - Y)^2$ and without biases, write one true step of gradient descent:
# `step(W1, W2, X, Y, alpha)` returns the new `W1` and `W2`, and leaves the old arrays as they are.


# %%
def step(W1, W2, X, Y, alpha): ...


exercises.q7.check(step)
# exercises.q7.hint()  # and .solution()

# %% [markdown]
# Sigmoid and tanh are one curve, shifted and stretched: $\tanh z = 2\sigma(2z) - 1$. The tenth of leaky
# ReLU is the slide's choice; Keras has two others, one in its layer and another in its function. A
# *temperature* $T$ by which the scores are divided leads from softmax ($T = 1$) to hardmax ($T \to 0$).

# %%
claims.check("tanh is a stretched sigmoid", np.tanh(z), 2 * sigmoid(2 * z) - 1, within=1e-6)
claims.check("Keras's layer LeakyReLU has the slope 0.3 below zero",
             layers.LeakyReLU().negative_slope, 0.3, within=0.01)  # fmt: skip
by_function = -float(keras.activations.leaky_relu(np.float32(-1)))
claims.check("Keras's function leaky_relu has the slope 0.2 there", by_function, 0.2, within=0.01)
scores = rng.normal(scale=3, size=(4, 1_000))
hard = scores == scores.max(axis=0)
apart = np.abs(softmax(scores / 1e-4) - hard).mean()
claims.check("Near T = 0 softmax is hardmax, in the mean over the scores", apart, 0, within=1e-3)

# %% [markdown]
# **Honest probabilities?** Neither accuracy nor log loss shows whether a method is too sure or too
# modest. Probabilities are *calibrated* if, of all answers given with 80 % certainty, 80 % are right. So
# compare the mean certainty of the answers with the share that is right.
#
# **Predict.** Softmax, one-vs-rest: is either too sure?

# %% tags=["atol=0.02"]
certain = {}
for name in ("softmax", "one-vs-rest"):
    p = np.array([model.predict_proba(pixels[test]) for model in best[name]])
    certain[name] = p.max(axis=2) - right[name]
    print(f"{name}: certainty minus accuracy {certain[name].mean():.2f}")
over = yardsticks.over_both(certain["softmax"] - certain["one-vs-rest"], "pictures")
claim("Digits: one-vs-rest is more modest than softmax, by", **over, above=0, digits=3)

# %% [markdown]
# Both are right more often than they say. (Softmax owes this to its penalty: with a smaller one of nearly the
# same log loss it is not.)
#
# **Is it our network?** Take dropout away and step by plain gradient descent (Keras: "sgd", *stochastic
# gradient descent*, since the batches are drawn at random). Give Keras and our `train` the same start
# and the same batches.
#
# **Predict.** How far apart are their weights after 20 steps?

# %%
batches = rng.permutation(sets[0])[:640].reshape(20, 32)
W, b = random_network((784, 128, 10), rng)
twin = give(keras_network((784, 128, 10), ["relu", "softmax"]), W, b)
twin.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(dtype="float64"))
for batch in batches:
    twin.train_on_batch(pixels[batch].astype(float), labels[batch])
bends = [ACTIVATIONS["relu"], (softmax, None)]
after, _ = train(W, b, bends, pixels.T.astype(float), np.eye(10)[:, labels], batches, alpha=0.1)
moved = np.linalg.norm(after[0] - W[0])
apart = np.linalg.norm(after[0] - twin.get_weights()[0].T) / moved
claims.check("Our steps lead to Keras's weights, relative to the way", apart, 0, within=1e-6)

# %% [markdown]
# Where scikit-learn's softmax has its optimum on real pictures, our gradient must vanish.

# %%
some = sets[0][:800]
optimum = LogisticRegression(C=0.3, tol=1e-8, max_iter=10_000)
optimum.fit(pixels[some].astype(float), labels[some])
W, b = [optimum.coef_], [optimum.intercept_[:, None]]
Z, A = forward(pixels[some].T.astype(float), W, b, [softmax])
dW, db = backward((A[-1] - np.eye(10)[:, labels[some]]) / 800, Z, A, W, [])
claims.check("At scikit-learn's optimum the slopes of our cost vanish",
             dW[0] + W[0] / (0.3 * 800), 0, within=1e-4)  # fmt: skip

# %% [markdown]
# NumPy's own messages do not know your network: some mistakes raise an error that names neither layer
# nor weight, and some run. `course_utils.lessons.neural_networks` holds the functions of this lesson
# with their input checked. Here is what it says to four common slips.

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
# ## 10. Further: does the second layer pay on real wines?
#
# The slides' regressor predicts prices of houses. (Those data, on Boston, were withdrawn from
# scikit-learn for an ethical reason.) Here are white wines instead: eleven measurements, and the score
# that tasters gave. Rows that occur twice are kept once. Three training sets that share no wine have
# 700 to learn from and 200 for validation; the rest judges.
#
# **Predict.** Put these in order, by the squared error: the mean score, a line, nearest neighbours, 300
# units that nobody trained, and networks with one and two hidden layers of 16 tanh units.

# %% tags=["rtol=0.1"]
wines = data.load_wine_quality("white")
once = rng.permutation(np.unique(data.twin_groups(wines.x), return_index=True)[1])
judges, rows = once[2_700:], once[:2_700].reshape(3, 900)
scales = [StandardScaler().fit(wines.x[r[:700]]) for r in rows]
wx = np.array([s.transform(wines.x[r]) for s, r in zip(scales, rows)], "float32")
unseen = np.array([s.transform(wines.x[judges]) for s in scales], "float32")
wy = (wines.y[rows] - wines.y.mean())[..., None].astype("float32")
fits = yardsticks.by_validation(yardsticks.wine_rivals, wx, wy, 700, unseen)
for hidden, name in ((1, "one hidden layer"), (2, "two hidden layers")):
    build = partial(regressor, hidden, inputs=11, units=16)
    outputs, wrong = yardsticks.by_steps(build, wx, wy, 700, unseen, (15, 30, 60, 120, 250))
    fits[name] = outputs[wrong.argmin()]
squares = {name: (a + wines.y.mean() - wines.y[judges]) ** 2 for name, a in fits.items()}
pd.Series({name: a.mean() for name, a in squares.items()}).sort_values().round(3).to_frame("error")

# %%
net = squares["one hidden layer"]
over = yardsticks.over_both(net - squares["two hidden layers"], "wines")
claim("Wines: a second layer saves squared error", **over, below=0.05, digits=3)
over = yardsticks.over_both(net - squares["300 untrained units"], "wines")
text = "Wines: untrained units do not lose to one hidden layer, squared error that they save"
claim(text, **over, above=-0.02, digits=3)

# %% [markdown]
# No: on these wines a second layer does not pay, and neither does training the first: units that nobody
# trained do as well.
#
# ### Further reading
#
# * F. Rosenblatt: *The perceptron*, Psychological Review 65 (1958). A unit with a step for $g$.
# * D. Rumelhart, G. Hinton, R. Williams: *Learning representations by back-propagating errors*, Nature
#   323 (1986).
# * J. Bridle: *Training Stochastic Model Recognition Algorithms as Networks can Lead to Maximum Mutual
#   Information Estimation of Parameters*, NIPS 2 (1989). Introduces softmax.
# * A. Rahimi, B. Recht: *Weighted Sums of Random Kitchen Sinks: Replacing minimization with
#   randomization in learning*, NIPS 21 (2008). Hidden units that nobody trains.
# * J. Fürnkranz: *Round Robin Classification*, JMLR 2 (2002). Why pairs are quick and good.
# * C. Bishop: *Pattern Recognition and Machine Learning*, Springer 2006. Chapters 4 and 5 cover this
#   lesson.
# * The [TensorFlow Playground](https://playground.tensorflow.org/), which the slides recommend.
