# %% [markdown]
# # Training deep networks: what goes wrong, and what mends it
#
# **What keeps a deep network trainable?**
#
# With many layers a network may learn nothing at all. Before it learns, a picture must arrive at the last
# layer, and a gradient at the first one. In this lesson you calculate how both grow or die on their way,
# and write the best-known remedy, batch normalisation. The slides make three promises for it. You test
# each of them at three budgets, in steps and in seconds, beside remedies that cost less.
#
# ![A handwritten digit, a row of fifty bars, and a question mark behind the last of
# them.](figures/training_deep_networks.png)
#
# | | |
# | --- | --- |
# | **Slides** | *Machine Learning for Astrophysics: Deep Learning*, vanishing and exploding gradients, weight initialisation, batch normalisation; *Neural Computation Revision, Part 2*, pretraining |
# | **You will be able to** | choose the size of the first weights; say how a signal and its gradient grow or die with depth; write batch normalisation, and say what it does and does not do; compare methods at equal rate, equal steps and equal time |
# | **You need** | the lesson [`neural_networks`](neural_networks.ipynb); variances and logarithms |
# | **Time** | 90 minutes, and 20 more for what is marked *further* |

# %% tags=["nbval-ignore-output"]
import course_utils

SEED = course_utils.setup(seed=1)

# %%
import time
from itertools import pairwise

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import tensorflow as tf
from scipy.special import digamma, expit, roots_hermitenorm
from scipy.stats import binom

from course_utils import claims, data, explorers, plotting
from course_utils import training as keras_training
from course_utils.exercises import training_deep_networks as exercises
from course_utils.lessons import training_deep_networks as lesson

claim = claims.Claims()
rng = np.random.default_rng(SEED)

# %% [markdown]
# The budget of this run, larger with a GPU; change it as you like.

# %%
WIDTH, DEPTH, NETWORKS = 100, 50, 100  # sections 1 and 2: units, layers, random networks
STARTS = course_utils.budget(cpu=6, gpu=16)  # sections 5 and 7: first weights and data splits

# %% [markdown]
# ## 1. The first weights: a signal through fifty layers
#
# A picture enters a network of fifty layers. Its weights are random numbers with the standard deviation
# $\sigma$, and there are no biases yet. What arrives at the end?

# %% tags=["cover"]
digits = data.load_mnist5k()
pictures = digits.x.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196) / 255  # 14 x 14
lesson.draw_cover(plt.subplots(1, 2, figsize=(10, 2.6), width_ratios=[1, 3.6])[1], pictures[0])
plotting.show("A handwritten digit, fifty bars for fifty layers, and a question mark at the end.")

# %% [markdown]
# Let $q_l$ be the *mean square* of the activations in layer $l$; then $\sqrt{q_l}$ is the size of the
# signal there. For a layer with $n$ inputs and $n_l$ units the slide *weight initialization* offers
#
# $$\sigma = \sqrt{1/n}, \qquad \sigma = \sqrt{2/n} \text{ ("works better with ReLU")}, \qquad
# \sigma = \sqrt{2/(n + n_l)}.$$
#
# (The slide calls the first one "Xavier" and the third "Bengio & co.". Both names belong to one paper, by
# Xavier Glorot and Yoshua Bengio, 2010, and its formula is the third. The first one is older, LeCun 1998,
# and the second is He's, 2015. Where all layers are equally wide, the third *is* the first.)
#
# **Why these?** $z = \sum_j w_j a_j$ is a sum of $n$ independent terms with mean 0. Variances add, so the
# mean square of $z$ is $n \sigma^2 q$. ReLU sets the negative half of the $z$ to zero, which leaves half
# of the mean square. So a ReLU layer multiplies $q$ by $n\sigma^2/2$ on average. For $\sigma =
# \sqrt{2/n}$ that is 1.
#
# ### Exercise 1: an initialisation that explodes
#
# Somebody starts a network of *leaky* ReLUs with the slide's $\sqrt{2/n}$. Below zero, $z$ is multiplied
# by `slope` there and not by 0, so the signal grows in every layer. Which standard deviation keeps the
# mean square of $z$ from layer to layer? A layer has `n_in` inputs, which come out of such leaky ReLUs,
# and `n_out` units.


# %%
def weight_sd(n_in, n_out, slope): ...  # was: np.sqrt(2 / n_in)


exercises.q1.check(weight_sd)
# exercises.q1.hint()  # and .solution()

# %% [markdown]
# **Predict.** Take 100 random ReLU networks with $\sigma = \sqrt{2/n}$. The mean square is kept *on
# average*. Is it kept in the typical network, too?

# %%
unit = pictures / np.sqrt((pictures**2).mean(axis=1, keepdims=True))  # q = 1 in every picture


def relu(z):
    return np.maximum(z, 0)


def signal(sd, g=relu, width=WIDTH):
    """q in layers 1 to 50 of random networks, each with a picture of its own: (50, networks)."""
    a, q = unit[rng.integers(5_000, size=NETWORKS)][:, :, None], []
    for n in [196] + [width] * (DEPTH - 1):
        W = sd(n) * rng.normal(size=(NETWORKS, width, n))
        a = g(W @ a)
        q.append((a**2).mean(axis=(1, 2)))
    return np.array(q)


SIGMAS = {"√(2/n)": lambda n: (2 / n) ** 0.5, "√(1/n)": lambda n: (1 / n) ** 0.5,
          "0.01": lambda n: 0.01, "1": lambda n: 1.0}  # fmt: skip
q = {name: signal(sd) for name, sd in SIGMAS.items()}
lesson.draw_signal(plt.subplots(1, 3, figsize=(14, 4.2))[1], q)
plotting.show(lesson.TEXTS["signal"])

# %% [markdown]
# It is not. Most networks lose some of the signal, a few gain a lot, and only the mean over very many is
# kept. This can be calculated exactly. Given one layer, the next $z$ are $n$ independent normal numbers
# of variance $n\sigma^2 q_l$. Each survives ReLU with the chance ½, so a random number $K$ of them is
# left, $K \sim \text{Binomial}(n, ½)$. $q_{l+1}$ is the sum of their squares divided by $n$. The two $n$
# cancel: $q_{l+1} = \sigma^2 q_l\, \chi^2_K$, where $\chi^2_K$ is a sum of $K$ squared standard normal
# numbers. Its logarithm has the mean $\psi(K/2) + \log 2$, where $\psi$ is the [digamma
# function](../docs/glossary.md#digamma-function). Hence the *drift*, the mean change of $\log q$ in a
# layer:
#
# $$\mathbb E \log \frac{q_{l+1}}{q_l} = \log \sigma^2 + \mathbb E_K\big[\psi(K/2)\big] + \log 2 .$$


# %%
def relu_drift(sd, n=WIDTH):
    """Mean of log(q_next / q) of a square ReLU layer of n units, exact."""
    K = np.arange(1, n + 1)  # K = 0 has a chance of 2^-n
    return np.log(sd**2) + binom.pmf(K, n, 0.5) @ digamma(K / 2) + np.log(2)


drift = {name: claims.mean_and_error(np.log(found[-1] / found[0]) / (DEPTH - 1), "networks")
         for name, found in q.items()}  # fmt: skip
for name, measured in drift.items():
    claims.check(f"σ = {name}: the drift is that of the exact theory", measured["value"],
                 relu_drift(SIGMAS[name](WIDTH)), within=4, se=measured["se"])  # fmt: skip
claim("σ = √(2/n) keeps the mean square, but in the typical network its logarithm changes in each "
      "layer by", **drift["√(2/n)"], below=0, digits=3)  # fmt: skip
for name, low, high in (("0.01", -60, -50), ("1", 40, 45)):
    powers = claims.mean_and_error(np.log10(q[name][-1]) / 2, "networks")
    claim(f"σ = {name} changes the size of the signal in 50 layers by",
          **powers, above=low, below=high, unit="powers of ten")  # fmt: skip

# %% [markdown]
# A few hundredths in each layer are harmless. With the other three numbers a deep ReLU network loses its
# signal, or overflows. *Learned: the right size of the first weights follows from the number of inputs and the
# activation. It keeps the mean, not every draw.*
#
# ## 2. The way back: vanishing and exploding gradients
#
# Back propagation sends a signal the other way. In the lesson `neural_networks` we had $dZ^{[l]} =
# dA^{[l]} * g'(z^{[l]})$ and $dA^{[l-1]} = W^{[l]\top} dZ^{[l]}$. So, with the same argument as above (as
# if $W$ and the slopes $g'$ were independent), a layer of $n$ units multiplies the mean square of the
# gradient by
#
# $$n\, \sigma^2\, \mathbb E\big[g'(z)^2\big].$$
#
# For ReLU, $g'$ is 0 or 1 with equal chance, and this is $n\sigma^2/2$, the same factor as forwards. We
# call $\sigma \sqrt n$ the *gain* of the first weights. The slide's first two formulas are the gains 1
# and $\sqrt 2$.
#
# ### Exercise 2: how far does a gradient reach?
#
# All layers have `n` units and weights of standard deviation `sd`; `mean_square_slope` is the mean of
# $g'(z)^2$. After how many layers has the *size* of the gradient, the root of its mean square, fallen by
# `factor`, say a thousand? Do not round.


# %%
def reach(sd, n, mean_square_slope, factor): ...


exercises.q2.check(reach)
# exercises.q2.hint()  # and .solution()

# %% [markdown]
# Training does not use $dA$ itself. It uses the gradient of the weights, $dW^{[l]} = dZ^{[l]}
# a^{[l-1]\top}$, a product of what comes back and what went forth.
#
# **Predict.** With gain 1, how many powers of ten does $dA$ lose in fifty layers of sigmoids? (The slope
# of a sigmoid is at most ¼.) Of tanh? Of ReLU? And for ReLU: in which layer is $dW$ smallest?

# %%
ACTIVATIONS = {
    "sigmoid": (expit, lambda z: expit(z) * (1 - expit(z))),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "ReLU": (relu, lambda z: (z > 0).astype(float)),
}


def there_and_back(name, gain):
    """Sizes of dA and dW, and the sum of W * dW, in each layer of one random network: (3, 50)."""
    g, slope = ACTIVATIONS[name]
    a, layers, found = unit[rng.integers(5_000)][:, None], [], []
    for n in [196] + [WIDTH] * (DEPTH - 1):
        W = gain / n**0.5 * rng.normal(size=(WIDTH, n))
        layers.append((W, a, W @ a))
        a = g(W @ a)
    dA = rng.normal(size=a.shape)  # of a random sum of the last activations
    for W, a_before, z in reversed(layers):
        dZ = dA * slope(z)
        dW = dZ @ a_before.T
        found.insert(0, [(dA**2).mean() ** 0.5, (dW**2).mean() ** 0.5, (W * dW).sum()])
        dA = W.T @ dZ
    return np.transpose(found)


ways = {key: np.array([there_and_back(*key) for _ in range(50)])
        for key in (("sigmoid", 1), ("tanh", 1), ("tanh", 2), ("ReLU", 1))}  # fmt: skip
lesson.draw_ways(plt.subplots(1, 3, figsize=(15, 4.4))[1], ways)
plotting.show(lesson.TEXTS["ways"])

# %%
lost = {key: np.log10(sizes[:, :2, -1] / sizes[:, :2, 1]) for key, sizes in ways.items()}
for (name, gain), low, high, headline in (
    (("sigmoid", 1), 48 * np.log10(4), 32, True), (("tanh", 1), 0.3, 1.5, False),
    (("tanh", 2), -4, -2, False), (("ReLU", 1), 6.5, 8.2, False),
):  # fmt: skip
    powers = claims.mean_and_error(lost[name, gain][:, 0], "networks")
    claim(f"48 layers of {name} back, at gain {gain}, the gradient of the activations loses",
          **powers, above=low, below=high, unit="powers of ten", headline=headline)  # fmt: skip
level = claims.mean_and_error(lost["ReLU", 1][:, 1], "networks")
claim("ReLU at gain 1: between layer 2 and layer 50 the gradient of the weights loses",
      **level, above=-0.3, below=0.3, unit="powers of ten")  # fmt: skip
sums = ways["ReLU", 1][:, 2]
claims.check("ReLU: W * dW has one and the same sum in all layers", sums / sums[:, :1], 1, 1e-6)
per_layer = claims.mean_and_error(2 * np.log(10) * lost["ReLU", 1][:, 0] / (DEPTH - 2))
claims.check("ReLU: the drift of the gradient is that of the signal", -per_layer["value"],
             relu_drift(WIDTH**-0.5), within=4, se=per_layer["se"])  # fmt: skip

# %% [markdown]
# Sigmoids *vanish*, and beyond the bound: 48 factors of at most ¼ leave on average at most $4^{-48}$.
# tanh hardly vanishes; from too large a start it *explodes*. ReLU is a surprise. Its $dA$ falls by seven powers of
# ten, yet $dW$ is equally large in every layer, and so no layer is behind the others: what the gradient
# has lost on its way back, the signal has not yet lost on its way forth. (ReLU passes every factor on.
# Stretch $W$ of any one layer, and the output is stretched alike. So the sum of $W * dW$ is the same in
# all layers, which the check shows.) At gain 1 all layers get equally *little*, and the gain $\sqrt 2$
# mends that at once. For sigmoids the last layer is thirty powers of ten ahead of the first one, and no
# learning rate can serve both.
#
# **Try it.** Move the gain until both signal and gradient survive. For which activation is there no such
# gain on the slider?

# %% tags=["nbval-ignore-output"]
explorers.signal()

# %% [markdown]
# For the sigmoid. tanh does well a little above 1, the identity at 1, ReLU at $\sqrt 2$.
#
# *Learned: each layer multiplies the gradient by a factor. Fifty factors a little below 1 leave next to
# nothing, fifty a little above 1 far too much. What training feels is the gradient of the weights.*
#
# ## 3. Batch normalisation, written out
#
# Good first weights help at the start. *Batch normalisation* keeps every layer in shape during training
# as well. For each unit it takes the [z-score](../docs/glossary.md#standardisation) over the examples of
# a batch: it subtracts the mean of $z$ and divides by its standard deviation. Then the network may choose
# another scale $\gamma$ and place $\beta$, one pair for every unit, which start at 1 and 0:
#
# $$z_\text{norm} = \frac{z - \text{mean}(z)}{\sqrt{\text{var}(z) + \varepsilon}}, \qquad
# \hat z = \gamma\, z_\text{norm} + \beta .$$
#
# The small $\varepsilon$ guards against division by zero.
#
# ### Exercise 3: write it
#
# `Z` holds the $z$ of a layer, with units as rows and examples as columns as on the slides; `gamma` and
# `beta` have the shape (units, 1). Return $\hat z$.


# %%
def z_hat(Z, gamma, beta, epsilon): ...


exercises.q3.check(z_hat)
# exercises.q3.hint()  # and .solution()

# %% [markdown]
# In use there may be no batch, only one picture. So during training *moving averages* of mean and
# variance are kept, and used afterwards. Our yardstick is Keras, in both modes.

# %%
EPSILON, MOMENTUM = 1e-3, 0.9


def batch_norm(Z, gamma, beta, moving, training, epsilon=EPSILON):
    """Z hat (units, examples), and the moving mean and variance."""
    mean, var = moving
    if training:
        mean = tf.reduce_mean(Z, axis=-1, keepdims=True)
        var = tf.reduce_mean((Z - mean) ** 2, axis=-1, keepdims=True)
        moving = [MOMENTUM * old + (1 - MOMENTUM) * new for old, new in zip(moving, (mean, var))]
    return gamma * (Z - mean) / tf.sqrt(var + epsilon) + beta, moving


layer = keras.layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, dtype="float64")
layer.build((None, 5))
gamma, beta = rng.normal(size=(2, 5, 1))
layer.gamma.assign(gamma[:, 0])
layer.beta.assign(beta[:, 0])
moving, ours, theirs = [np.zeros((5, 1)), np.ones((5, 1))], [], []
for _ in range(7):
    Z = rng.normal(rng.normal(size=(5, 1)), [[0.1], [1], [3], [10], [30]], size=(5, 32))
    trained, moving = batch_norm(Z, gamma, beta, moving, training=True)
    used, _ = batch_norm(Z, gamma, beta, moving, training=False)
    ours.append([trained, used])
    theirs.append([layer(Z.T, training=mode).numpy().T for mode in (True, False)])
claims.check("Batch normalisation is Keras's, in training and in use", ours, theirs, within=1e-6)
shifted, _ = batch_norm(Z + 7, gamma, beta, moving, training=True)
claims.check("A bias of 7 before it changes nothing behind it", shifted, trained, within=1e-6)

# %% [markdown]
# The last line has a practical side: a layer before batch normalisation needs no bias of its own, since
# the mean takes it away again. $\beta$ does its work.
#
# ## 4. Equal rate: who is ahead?
#
# The slide *Batch normalization makes the hyperparameters search easier* promises *faster training*, a
# *higher learning rate*, and *less sensitivity to the starting weights*. We test the promises on the
# digits, with ten hidden layers of 50 ReLUs. This is all there is to such a network: its loss, and a step
# of plain gradient descent. (All weights have one axis more in front, so that several networks learn side
# by side.)


# %%
def loss(w, X, y, normalised, epsilon=EPSILON):
    """Cross-entropy of each network (S,) for its examples X (S, 196, m) and labels y (S, m)."""
    *hidden, (W_last, _, b_last) = w
    A = X
    for W, gamma, beta in hidden:
        Z = W @ A
        Z = batch_norm(Z, gamma, beta, [0, 1], True, epsilon)[0] if normalised else Z + beta
        A = tf.nn.relu(Z)
    scores = tf.transpose(W_last @ A + b_last, (0, 2, 1))
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, scores), axis=1)


@tf.function
def gradient(w, X, y, normalised, epsilon=EPSILON):
    """The losses, and their slopes in all weights."""
    with tf.GradientTape() as tape:
        tape.watch(w)
        each = loss(w, X, y, normalised, epsilon)
        total = tf.reduce_sum(each)  # no network sees another
    return each, tape.gradient(total, w, unconnected_gradients="zero")


# %%
def step(w, slopes, alpha):
    return tf.nest.map_structure(lambda part, slope: part - alpha * slope, w, slopes)


def begin():
    """First weights (σ = √(2/n)), gamma and beta of each layer, for all starts."""
    weights = lesson.first_weights([196] + [50] * 10 + [10], [1.0] * STARTS, SEED)
    return [[tf.constant(part, tf.float32) for part in (W, 0 * W[..., :1] + 1, 0 * W[..., :1])]
            for W in weights]  # fmt: skip


# %% [markdown]
# `lesson.train` does the same for a hundred networks at once, one for each pair of a start and a learning
# rate. Every start has first weights of its own, and 4,000 pictures of its own to learn from, in batches
# of 64; the other 1,000 are held out. As all of them come from the same 5,000 digits, "±" is over starts
# and splits of *these* digits. We look at the *training loss*: the [log
# loss](../docs/glossary.md#log-loss) of the batches, averaged over the last sixth of the steps, since
# single batches are noisy. We count at most $\log 10$, which is guessing.


# %%
x = (pictures - pictures.mean()) / pictures.std()


def split(starts, steps):
    """Mini-batches (steps, starts, 64) of 4,000 pictures of each start, and the held-out 1,000."""
    batches, held_out = [], []
    for _ in range(starts):
        order = rng.permutation(5_000)
        passes = [rng.permutation(order[1_000:])[: 62 * 64] for _ in range(steps // 62 + 1)]
        batches.append(np.concatenate(passes).reshape(-1, 64)[:steps])
        held_out.append(order[:1_000])
    return np.stack(batches, axis=1), np.stack(held_out)


def training_loss(run, steps):
    """Mean loss of the batches in the last sixth of so many steps, (rates, starts)."""
    return np.fmin(run.history, np.log(10))[steps - steps // 6 : steps].mean(axis=0)


# %% [markdown]
# **Predict.** The same rate for both, 120 steps. Who is ahead at $\alpha = 0.032$, and who at $\alpha =
# 0.1$?

# %%
batches, held_out = split(24, steps=120)
equal = {}
for name, kind in (("plain", None), ("batch norm", "batch")):
    equal[name] = lesson.train(x, digits.y, batches, held_out, rates=[0.032, 0.1], normalise=kind,
                               seed=SEED)  # fmt: skip
lesson.draw_equal(plt.subplots(1, 2, figsize=(12, 4), sharey=True)[1], (0.032, 0.1), equal)
plotting.show(lesson.TEXTS["equal"])

# %%
behind, ahead = training_loss(equal["batch norm"], 120) - training_loss(equal["plain"], 120)
OVER = "starts, each with a split of its own"
claim("At α = 0.032, batch normalisation is behind plain training after 120 steps, in loss by",
      **claims.mean_and_error(behind, OVER), above=0.15, headline=True)  # fmt: skip
claim("At α = 0.1, it is ahead after 120 steps, in loss by",
      **claims.mean_and_error(-ahead, OVER), above=0, headline=True)  # fmt: skip

# %% [markdown]
# Both signs are true. If you compare at one rate, you can prove either. *Learned: a comparison at one
# learning rate is a comparison of learning rates.*
#
# ## 5. Three budgets, in steps and in seconds
#
# So each method gets its best rate, from the same nine. To be fair, the rate of each start is chosen by
# the *other* starts. Beside batch normalisation stand two rivals that cost next to nothing. **Gradient
# clipping**: where the gradient of all weights together is longer than 1, it is shortened to 1, so that
# no step is longer than $\alpha$. (1 is a common choice, and was not tuned.) **Fewer layers**: two hidden
# ones in place of ten.

# %%
RATES = 10 ** (np.arange(-6, 3) / 3)  # from 0.01 to 4.6
BUDGETS, LOOKS = (120, 360, 720), range(120, 721, 120)  # steps
batches, held_out = split(STARTS, steps=720)
found, seconds = {}, {}


def experiment(name, **settings):
    began = time.perf_counter()
    found[name] = lesson.train(x, digits.y, batches, held_out, rates=RATES, looks=LOOKS, seed=SEED,
                               **settings)  # fmt: skip
    seconds[name] = time.perf_counter() - began


experiment("plain")

# %% [markdown]
# First the test that the fast code does what the plain code says.


# %%
def examples(rows):
    X = tf.constant(np.swapaxes(x[rows], 1, 2), tf.float32)
    return X, tf.constant(digits.y[rows], tf.int32)


w, by_hand = begin(), []
for rows in batches[:10]:
    each, slopes = gradient(w, *examples(rows), False)
    w = step(w, slopes, RATES[3])
    by_hand.append(each)
fast = found["plain"].history[:10, 3]
claims.check("Ten steps by the plain code and by the fast one", by_hand, fast, within=1e-3)

# %% [markdown]
# **Predict.** Each at its best rate: how far is batch normalisation ahead after 120 steps? How much of
# that lead is left after 720? And where are the two rivals?

# %%
experiment("batch norm", normalise="batch")

# %%
experiment("clipped", clip=1.0)
experiment("two layers", depth=2)
losses = {steps: {name: training_loss(run, steps) for name, run in found.items()}
          for steps in BUDGETS}  # fmt: skip
lesson.draw_rates(plt.subplots(1, 3, figsize=(16, 4.6), sharey=True)[1], RATES, losses)
plotting.show(lesson.TEXTS["rates"])


# %%
def by_the_others(losses):
    """The loss of each start (S,) in the setting that is best for the mean of all other starts."""
    others = losses.sum(axis=1, keepdims=True) - losses
    return losses[others.argmin(axis=0), np.arange(losses.shape[1])]


def tuned(name, steps):
    return by_the_others(training_loss(found[name], steps))


lead = {steps: tuned("plain", steps) - tuned("batch norm", steps) for steps in BUDGETS}
claim("Each at its best rate, batch normalisation is ahead after 120 steps, in training loss by",
      **claims.mean_and_error(lead[120], OVER), above=0, headline=True)  # fmt: skip
claim("Of this lead the following share is left after 720 steps",
      lead[720].mean() / lead[120].mean(), below=0.2, headline=True)  # fmt: skip
plain, normed = (training_loss(found[name], 120).mean(axis=1) for name in ("plain", "batch norm"))
claim("At the rate that is best for batch normalisation, plain training is worse than at its own "
      "best one, by", plain[normed.argmin()] - plain.min(), above=0.2)  # fmt: skip

# %% [markdown]
# Lines end where no network learns any more. *Faster training* is a head start: large at first, until
# plain training catches up. Below $\alpha = 0.05$ batch normalisation is behind, around 0.1 it is ahead
# at equal rate, and it is at its best at rates that are too high for plain training.
#
# **In seconds.** "Each iteration will be slower", says the slide. How much slower depends on the machine
# and the code. So here is the lead at equal *time*, for steps that cost as much as one, two or three
# plain ones. The line below says which column is that of this run.

# %% tags=["atol=0.15"]
equal_time = {
    f"one step costs {cost}": {
        f"{steps} plain steps": (tuned("plain", steps) - tuned("batch norm", steps // cost)).mean()
        for steps in BUDGETS
    }
    for cost in (1, 2, 3)
}
pd.DataFrame(equal_time).round(2)

# %% tags=["nbval-ignore-output"]
print(f"In this run a step has cost {seconds['batch norm'] / seconds['plain']:.1f} plain ones.")

# %% tags=["atol=0.03"]
for steps, bounds in ((120, {"above": 0}), (720, {"below": 0})):
    at_two = tuned("plain", steps) - tuned("batch norm", steps // 2)
    claim(f"If a step costs two plain ones, its lead in the time of {steps} of these is",
          **claims.mean_and_error(at_two, OVER), **bounds)  # fmt: skip
right = {name: -by_the_others(-run.right.reshape(-1, STARTS)) for name, run in found.items()}
claim("Of the held-out pictures, batch normalisation then names a larger share rightly, by",
      **claims.mean_and_error(right["batch norm"] - right["plain"], OVER), above=0,
      digits=3)  # fmt: skip
for steps in (120, 720):
    shallow = claims.mean_and_error(tuned("batch norm", steps) - tuned("two layers", steps), OVER)
    claim(f"After {steps} steps two plain layers are ahead of ten normalised ones, by",
          **shallow, above=0, headline=steps == 720)  # fmt: skip
claim("Two plain layers name a smaller share of them rightly by no more than",
      **claims.mean_and_error(right["batch norm"] - right["two layers"], OVER), below=0.02,
      digits=3)  # fmt: skip
print("held-out pictures named rightly:",
      ", ".join(f"{name} {share.mean():.3f}" for name, share in right.items()))  # fmt: skip

# %% [markdown]
# Three things to note. Multiplied out in seconds, the head start has turned into a delay by 720 steps. On
# *held-out* pictures a lead of a point or two remains, though every method may stop early (rate *and*
# number of steps are chosen by the other starts). One possible reason: mean and variance of a random batch
# are noise in every layer, and noise can keep a network from learning by heart (lesson *regularization*).
# And the cheapest rival wins: **two layers** learn faster than ten normalised ones, in cheaper steps, and
# name as many held-out pictures rightly. These digits do not need ten layers.
#
# *Learned: batch normalisation trains a deep network faster at first. If you have time, or need no
# depth, you gain little.*
#
# ## 6. Which rates, which starts?
#
# Batch normalisation "makes the hyperparameters search easier", says the slide. We measure the width of
# the target: over how many powers of ten of $\alpha$ does a network *train*, say to a training loss below
# 1.5?
#
# Read it off the figure of section 5 first: by how many powers of ten is the range wider, and how much of
# that does clipping give?


# %% tags=["atol=0.4"]
def width(name, steps):
    """Powers of ten of the rates that train, for each start (S,)."""
    return (training_loss(found[name], steps) < 1.5).sum(axis=0) / 3


ranges = {name: [width(name, steps).mean() for steps in BUDGETS] for name in found}
pd.DataFrame(ranges, index=[f"{steps} steps" for steps in BUDGETS]).T.round(1)

# %%
wider = {steps: width("batch norm", steps) - width("plain", steps) for steps in BUDGETS}
claim("After 120 steps the range of rates that train is wider with batch normalisation, by",
      **claims.mean_and_error(wider[120], OVER), above=0.3, unit="powers of ten")  # fmt: skip
claim("After 720 steps it is still wider, by",
      **claims.mean_and_error(wider[720], OVER), above=0.5, unit="powers of ten",
      headline=True)  # fmt: skip


def highest(name, steps=720):
    """Logarithm of the highest rate that trains, for each start (S,)."""
    trains = training_loss(found[name], steps) < 1.5
    return np.log10(np.where(trains, RATES[:, None], RATES[0])).max(axis=0)


claim("The highest rate that trains is higher with batch normalisation, by",
      **claims.mean_and_error(highest("batch norm") - highest("plain"), OVER), above=0.5,
      unit="powers of ten")  # fmt: skip
clipping = width("clipped", 720) - width("plain", 720)
claim("Clipping alone widens the range after 720 steps by",
      **claims.mean_and_error(clipping, OVER), above=0.2, unit="powers of ten")  # fmt: skip

# %% [markdown]
# So the promise of a *higher learning rate* is kept, and the search is easier at every budget: somebody
# who picks a rate blindly hits more often. Clipping, three lines of code, gives about half of it.
#
# **Starts.** Now all first weights are off by a factor, from ten times too small to ten times too large:
# 15 starts, four rates for each.
#
# **Predict.** From what share of the starts does plain training succeed? With clipping? With batch
# normalisation?

# %%
FACTORS, FEW = 10 ** np.linspace(-1, 1, 15), [0.032, 0.1, 0.32, 1]
batches_15, held_out_15 = split(15, steps=240)
off = {}
for name, settings in (("plain", {}), ("clipped", {"clip": 1.0}),
                       ("batch norm", {"normalise": "batch"})):  # fmt: skip
    run = lesson.train(x, digits.y, batches_15, held_out_15, rates=FEW, factors=FACTORS, seed=SEED,
                       **settings)  # fmt: skip
    off[name] = {steps: training_loss(run, steps).min(axis=0) for steps in (120, 240)}
lesson.draw_starts(plt.subplots(figsize=(9, 4.2))[1], FACTORS, {k: v[240] for k, v in off.items()})
plotting.show(lesson.TEXTS["starts"])

# %% tags=["atol=0.15"]
shares = {name: {f"{n} steps": (v < 1.5).mean() for n, v in each.items()}
          for name, each in off.items()}  # fmt: skip
more = shares["batch norm"]["240 steps"] - shares["plain"]["240 steps"]
claim("Of 15 starts of the wrong size, batch normalisation trains more in 240 steps than plain "
      "training, as a share", more, above=0.5, headline=True)  # fmt: skip
clipping = shares["clipped"]["240 steps"] - shares["plain"]["240 steps"]
claim("Clipping trains hardly more of them than plain training, as a share", clipping, below=0.3)
price = off["batch norm"][240][-3:].mean() - off["batch norm"][240][6:9].mean()
claim("Nearly ten times too large, the start still has a price, in loss", price, above=0.1)
pd.DataFrame(shares).T.round(2)

# %% [markdown]
# The third promise is the one that is kept best. Clipping hardly helps here. But the cheapest rival is
# section 1: a formula puts the factor at 1, and costs nothing at all.
#
# *Learned: batch normalisation widens the range of rates, and makes most starts trainable. Clipping gives
# part of the first, a formula all of the second.*
#
# ## 7. Why?
#
# **The effective rate.** Without $\varepsilon$, multiply all weights $W$ before a batch normalisation by
# $c$. Then $z$, its mean and its standard deviation are multiplied by $c$ as well, so $z_\text{norm}$,
# and the loss, stay as they are.
#
# ### Exercise 4: the same training
#
# A normalised layer starts from $W$ and learns with the rate `alpha`. Its twin starts from $cW$. Which
# rate does the twin need, so that after every step its weights are again $c$ times those of the first?
# (If $L(cW) = L(W)$ for all $W$, what is the gradient at $cW$?)


# %%
def same_training(alpha, c): ...


exercises.q4.check(same_training)
# exercises.q4.hint()  # and .solution()

# %% [markdown]
# We test it on a whole network: all hidden weights are four times as large. And as the loss does not
# change along $W$, the gradient has no part in that direction. So each step makes $W$ longer, as
# Pythagoras says.


# %%
def stretched(part, by):
    # All W but the last times a factor
    return [[W * by, *others] for W, *others in part[:-1]] + [part[-1]]


one, four, paths = begin(), stretched(begin(), 4.0), []
slopes = gradient(one, *examples(batches[0]), True, epsilon=0.0)[1]
along = [tf.reduce_sum(W * slope).numpy() for (W, *_), (slope, *_) in zip(one[:-1], slopes)]
claims.check("The gradient of each normalised layer has no part along W, largest",
             np.abs(along).max(), 0, within=1e-3)  # fmt: skip
for rows in batches[:20]:
    (loss_one, g_one), (loss_four, g_four) = (
        gradient(w, *examples(rows), True, epsilon=0.0) for w in (one, four)
    )
    one, four = step(one, g_one, 0.03), step(four, stretched(g_four, 16.0), 0.03)
    paths.append([loss_one, loss_four])
claims.check("Four times the weights, sixteen times their rate: the same losses",
             *np.swapaxes(paths, 0, 1), within=1e-3)  # fmt: skip

# %% [markdown]
# So what counts in a normalised layer is the *effective rate* $\alpha / \|w\|^2$. A start that is too
# large is not lost: it only learns slowly, and a larger $\alpha$ makes up for it. (The last layer is not
# normalised, which is the price that we saw.) And a step that is far too long makes $W$ longer, and so
# lowers the effective rate of the next ones.
#
# **A smoother loss?** Santurkar et al. (2018) give another reason: batch normalisation raises *gradient
# predictiveness*. After a step along the gradient, the new gradient is still much like the old one. We
# measure that on the way of ten-layer networks that train at $\alpha = 0.1$, every 20 steps up to 120:
# the change $\|\nabla L(w - \eta \nabla L) - \nabla L\|$ as a share of $\|\nabla L\|$, on one and the
# same batch, for steps of several $\eta$.
#
# **Predict.** For which $\eta$ is the change smaller with batch normalisation: for small ones, for large
# ones, or for both?

# %%
ETAS = 10 ** np.arange(-2, 0.1, 0.25)


def length(slopes):
    """Length of the gradient of each network (S,)."""
    return sum(tf.reduce_sum(part**2, axis=(1, 2)) for part in tf.nest.flatten(slopes)) ** 0.5


def change(normalised, alpha=0.1):
    """Relative change of the gradient after a step of each η, (η, S): median over the way."""
    w, seen = begin(), []
    for number, rows in enumerate(batches[:121]):
        X, y = examples(rows)
        _, g = gradient(w, X, y, normalised)
        if number and number % 20 == 0:
            after = [gradient(step(w, g, eta), X, y, normalised)[1] for eta in ETAS]
            seen.append([length(step(h, g, 1.0)) / length(g) for h in after])
        w = step(w, g, alpha)
    return np.median(seen, axis=0)


changes = {
    name: change(normalised) for name, normalised in (("plain", False), ("batch norm", True))
}
lesson.draw_changes(plt.subplots(figsize=(8, 4.2))[1], ETAS, changes)
plotting.show(lesson.TEXTS["steps"])

# %%
ratio = np.log10(changes["plain"] / changes["batch norm"])  # (η, S)
claim("After a step of η = 0.01 the gradient changes more with batch normalisation, by",
      **claims.mean_and_error(-ratio[0], OVER), above=0, unit="powers of ten")  # fmt: skip
claim("After a step of η = 1 the gradient changes less with batch normalisation, by",
      **claims.mean_and_error(ratio[-1], OVER), above=0.6, unit="powers of ten")  # fmt: skip

# %% [markdown]
# "Smoother" is half of the truth. Near by, the loss of this normalised network is the *rougher* one. Far
# off it is tame: even after the longest step the gradient has changed by little more than its own length,
# while without normalisation it explodes. That is what a high rate needs.
#
# *Learned: with batch normalisation the size of the weights only sets the effective rate
# $\alpha/\|w\|^2$, and a step that is too long does not end in disaster.*
#
# ### Exercise 5: word for word
#
# True or false? Quotation marks: from the slides.
#
# - (a) "Each iteration will be slower because of the extra normalization calculation".
# - (b) At every learning rate batch normalisation is ahead of plain training after equally many steps.
# - (c) Ten copies of one picture as a batch, in training mode: whatever the picture, batch normalisation
#   answers $\beta$.
# - (d) $\sqrt{2/n}$ keeps the size of the signal in the typical network of ReLUs.
# - (e) In a ReLU network with too small first weights, the gradient of the weights is smallest in the
#   first layer.
# - (f) A normalised layer with weights ten times as large, at the same $\alpha$, learns as if $\alpha$
#   were a hundredth.

# %%
verdicts = {"a": ..., "b": ..., "c": ..., "d": ..., "e": ..., "f": ...}
exercises.q5.check(verdicts)
# exercises.q5.hint()  # and .solution()

# %% [markdown]
# ## Summary
#
# These are the sentences of the lesson with their numbers; the other claims are folded below them. "±" is
# the standard error over what the line names.

# %%
claim

# %% [markdown]
# **What to do with it.** Take the right size for the first weights; it is free. Ask whether you need the
# depth. Clip, if steps run away. Use batch normalisation where you need the depth, with the rate tuned
# for it. And compare at more than one rate and more than one budget.
#
# ## 8. Further: infinitely many units, and layers of unequal width
#
# For sigmoid and tanh there is no exact drift. But with infinitely many units, sums over them become
# means over a normal variable ([mean field](../docs/glossary.md#mean-field)): if layer $l$ has the mean
# square $q_l$, then each $z$ of the next one is normal with the variance $n\sigma^2 q_l = \text{gain}^2
# q_l$, and
#
# $$q_{l+1} = \mathbb E\, g(z)^2, \qquad \text{factor on the way back} = \text{gain}^2\; \mathbb E\, g'(z)^2 .$$
#
# So we can walk through the layers with one number, $q$, and multiply the factors.

# %%
NODES, WEIGHTS = roots_hermitenorm(100)  # for means over a standard normal variable


def normal_mean(f, variance):
    return WEIGHTS @ f(np.sqrt(variance) * NODES) / WEIGHTS.sum()


def mean_field(name, gain):
    """q of layers 1 to 50, and the factor on the way back through each of them."""
    (g, slope), q, found = ACTIVATIONS[name], 1.0, []
    for _ in range(DEPTH):
        variance = gain**2 * q
        q = normal_mean(lambda z: g(z) ** 2, variance)
        found.append((q, gain**2 * normal_mean(lambda z: slope(z) ** 2, variance)))
    return np.transpose(found)


# %% tags=["atol=0.1"]
for name, gain in (("sigmoid", 1), ("tanh", 1), ("tanh", 2)):
    theory = -np.log10(mean_field(name, gain)[1][2:]).sum() / 2
    measured = lost[name, gain][:, 0].mean()
    claims.check(f"{name}, gain {gain}: the powers of ten lost on the way back are mean field's",
                 measured, theory, within=0.5)  # fmt: skip
q_wide = mean_field("tanh", 1)[0]
gap = {}
for width_ in (25, 100):
    found_q = signal(lambda n: n**-0.5, np.tanh, width_)
    drift_q = np.log(found_q[-1] / found_q[0]) / (DEPTH - 1)
    gap[width_] = np.log(q_wide[-1] / q_wide[0]) / (DEPTH - 1) - drift_q
    claim(f"tanh with {width_} units: log q falls faster than mean field says, in each layer by",
          **claims.mean_and_error(gap[width_], "networks"), above=0, digits=3)  # fmt: skip
print(f"Four times as many units: the gap falls to {gap[100].mean() / gap[25].mean():.2f} of it.")

# %% [markdown]
# The theory of infinitely many units predicts the way back of real ones. What it misses is the drift of
# section 1, which fades with the number of units.
#
# **Unequal widths.** Forwards, $\sqrt{1/n}$ keeps the mean square of a linear layer with $n$ inputs.
# Backwards, the gradient would need $\sqrt{1/n_l}$ for its $n_l$ units. $\sqrt{2 / (n + n_l)}$ stands
# between. What is kept of the mean square after fifty layers of 100 and 200 units in turn?

# %%
widths = [100] + [200, 100] * 25
for name, sd in (("√(1/n)", lambda n, n_l: (1 / n) ** 0.5),
                 ("√(2/(n + n_l))", lambda n, n_l: (2 / (n + n_l)) ** 0.5)):  # fmt: skip
    forth = np.prod([n * sd(n, n_l) ** 2 for n, n_l in pairwise(widths)])
    back = np.prod([n_l * sd(n, n_l) ** 2 for n, n_l in pairwise(widths)])
    print(f"σ = {name}: kept forwards {forth:.3f}, backwards {back:.3f}")

# %% [markdown]
# The compromise loses a ninth in every two layers, forwards *and* backwards. The first formula loses
# nothing over two layers: what it does wrong backwards in one layer, it makes good in the next.
#
# ## 9. Further: sigmoids, and a normalisation without a batch
#
# **Predict.** Ten layers of sigmoids vanished in section 2. Does batch normalisation make them trainable?
# And *layer normalisation*, which takes the z-score over the units of each single example, so that nobody
# needs a batch?

# %% tags=["atol=0.5"]
FEW = RATES[1::2]
last = {f"ReLU, {name}": training_loss(found[name], 240)[1::2] for name in ("plain", "batch norm")}
for name, settings in {
    "ReLU, layer norm": {"normalise": "layer"},
    "sigmoid, plain": {"activation": "sigmoid"},
    "sigmoid, batch norm": {"activation": "sigmoid", "normalise": "batch"},
}.items():
    run = lesson.train(x, digits.y, batches[:240, :4], held_out[:4], rates=FEW, seed=SEED,
                       **settings)  # fmt: skip
    last[name] = training_loss(run, 240)
pd.DataFrame({name: loss.mean(axis=1) for name, loss in last.items()},
             index=[f"α = {rate:.2g}" for rate in FEW]).T.round(2)  # fmt: skip

# %%
claim("Ten layers of sigmoids do not train in 240 steps: their best loss",
      last["sigmoid, plain"].mean(axis=1).min(), above=2.2)  # fmt: skip
claim("With batch normalisation they do: their best loss",
      last["sigmoid, batch norm"].mean(axis=1).min(), below=1.5)  # fmt: skip
sizes = np.array([(g[0].numpy() ** 2).mean(axis=(1, 2))
                  for g in gradient(begin(), *examples(batches[0]), True)[1]])  # fmt: skip
growth = claims.mean_and_error((sizes[1] / sizes[9]) ** (1 / 8), "starts")
claim("ReLU with batch normalisation: the mean square of the first gradient grows on its way back, "
      "per layer by the factor", **growth, above=1.2, below=1.7)  # fmt: skip
print(f"In size, over fifty layers: {(np.pi / (np.pi - 1)) ** (50 / 2):,.0f}")

# %% [markdown]
# Batch normalisation revives the sigmoids. Layer normalisation, at home in other architectures, does
# little here. And there is a price: at the start batch normalisation makes gradients *grow* on their way
# back, by $\pi / (\pi - 1) = 1.47$ in mean square per ReLU layer for infinitely many units (Yang et al.
# 2019). Over ten layers that is bearable. Over fifty it makes the number that is
# printed last, and so, they say, batch normalisation alone does not train very deep networks. What does is in the lesson
# [`resnet`](resnet.ipynb).
#
# ## 10. Further: few labels, and what an autoencoder can do for them
#
# The oldest way to start a deep network is *pretraining*. Often pictures are plenty and
# [labels](../docs/glossary.md#label) are few. An *[autoencoder](../docs/glossary.md#autoencoder)* needs
# no labels: it must give back the picture that it was given, through a hidden layer. Ours is *denoising*:
# it sees only half of the pixels and must restore the rest. Its first layer, the *encoder*, can be the
# start of a classifier.
#
# The rivals at equal labels: a network **from scratch**; one whose encoder is **trained on**; one whose
# encoder stays **frozen**; and, the cheapest, **no hidden layer** at all on the pixels. For each, rate
# and number of steps are chosen by the other draws of labels.
#
# **Predict.** How much does pretraining bring at 50 and at 500 labels? Where is the network without a
# hidden layer?

# %%
asked, unlabelled = np.split(rng.permutation(5_000), [2_000])  # test pictures, and the others
seen = pictures.astype("float32")
autoencoder = keras.Sequential([
    keras.layers.Dropout(0.5),  # half of the pixels
    keras.layers.Dense(128, activation="relu"),
    keras.layers.Dense(196, activation="sigmoid"),
])  # fmt: skip
per_picture = lambda a, b: 196 * keras.losses.binary_crossentropy(a, b)  # noqa: E731
autoencoder.compile(keras.optimizers.SGD(0.01), per_picture)
keras_training.fit(autoencoder, seen[unlabelled], seen[unlabelled], epochs=60, batch_size=50)
W, b = (part.numpy().T for part in autoencoder.layers[1].weights)
code = np.maximum(seen @ W.T + b, 0)
METHODS = {"no hidden layer": (seen, {"depth": 0}), "from scratch": (seen, {"depth": 1}),
           "encoder, trained on": (seen, {"depth": 1, "first": (W, b[:, None])}),
           "encoder, frozen": (code / code.std(), {"depth": 0})}  # fmt: skip


# %% tags=["atol=0.03"]
def few_labels(n, draws=16, steps=200):
    """Share of test pictures named rightly by each method, for each draw of n labels."""
    each = [unlabelled[digits.y[unlabelled] == c] for c in range(10)]
    rows = [np.concatenate([rng.choice(own, n // 10, replace=False) for own in each])
            for _ in range(draws)]  # fmt: skip
    batches = np.array([[rng.choice(own, min(n, 50), replace=False) for own in rows]
                        for _ in range(steps)])  # fmt: skip
    right = {}
    for name, (x, settings) in METHODS.items():
        run = lesson.train(x, digits.y, batches, [asked] * draws, rates=[0.03, 0.1, 0.3, 1],
                           units=128, looks=[20, 50, 100, 200], seed=SEED, **settings)  # fmt: skip
        right[name] = -by_the_others(-run.right.reshape(-1, draws))
    return right


named = {n: few_labels(n) for n in (50, 500)}
pd.DataFrame({f"{n} labels": {name: share.mean() for name, share in right.items()}
              for n, right in named.items()}).round(3)  # fmt: skip

# %%
DRAWN = "draws of labels, one encoder, one test set"
for n, rival in ((50, "from scratch"), (50, "no hidden layer")):
    more = claims.mean_and_error(named[n]["encoder, trained on"] - named[n][rival], DRAWN)
    claim(f"With {n} labels a trained encoder names more pictures rightly than {rival}, by",
          **more, above=0, digits=3)  # fmt: skip
frozen = named[500]["encoder, frozen"] - named[500]["encoder, trained on"]
claim("With 500 labels a frozen encoder is behind one that is trained on, by",
      **claims.mean_and_error(-frozen, DRAWN), above=0.01, digits=3)  # fmt: skip

# %% [markdown]
# Pretraining gains a point or two where labels are few, and a network without any hidden layer comes
# close. With hundreds of labels the gain is hardly there, and a *frozen* encoder holds the network back.
# The slides' advice on [transfer learning](../docs/glossary.md#transfer-learning), "freeze the weights of
# the first layers", is advice for few labels.
#
# ### Further reading
#
# * X. Glorot, Y. Bengio: *Understanding the Difficulty of Training Deep Feedforward Neural Networks*,
#   AISTATS 2010. K. He, X. Zhang, S. Ren, J. Sun: *Delving Deep into Rectifiers*, ICCV 2015. Y. LeCun, L.
#   Bottou, G. Orr, K.-R. Müller: *Efficient BackProp*, in *Neural Networks: Tricks of the Trade*,
#   Springer 1998. Section 1.
# * B. Hanin, M. Nica: *Products of Many Large Random Matrices and Gradients in Deep Neural Networks*,
#   Communications in Mathematical Physics 376, 2020. Why the typical network is not the mean.
# * S. Ioffe, C. Szegedy: *Batch Normalization: Accelerating Deep Network Training by Reducing Internal
#   Covariate Shift*, ICML 2015. Section 3.
# * S. Santurkar, D. Tsipras, A. Ilyas, A. Mądry: *How Does Batch Normalization Help Optimization?*,
#   NeurIPS 2018. T. van Laarhoven: *L2 Regularization versus Batch and Weight Normalization*,
#   arXiv:1706.05350, 2017, on the effective rate. G. Yang, J. Pennington, V. Rao, J. Sohl-Dickstein, S.
#   S. Schoenholz: *A Mean Field Theory of Batch Normalization*, ICLR 2019. Sections 7 and 9.
# * R. Pascanu, T. Mikolov, Y. Bengio: *On the Difficulty of Training Recurrent Neural Networks*,
#   ICML 2013. Clipping.
# * J. L. Ba, J. R. Kiros, G. E. Hinton: *Layer Normalization*, arXiv:1607.06450, 2016. P. Vincent, H.
#   Larochelle, I. Lajoie, Y. Bengio, P.-A. Manzagol: *Stacked Denoising Autoencoders*, JMLR 11, 2010.
#   Sections 9 and 10.
