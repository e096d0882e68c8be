# %% [markdown]
# # Training deep networks: what goes wrong, and what mends it
#
# **What keeps a deep network trainable?**
#
# With many layers a network may learn nothing at all. Before it learns, a picture must arrive at the last
# layer, and a gradient at the first one. In this lesson you calculate how both grow or die on their way,
# and write the best-known remedy, batch normalisation. The slides make three promises for it. You test
# them beside remedies that cost less.
#
# ![A handwritten digit, a row of fifty bars, and a question mark behind the last of
# them.](figures/training_deep_networks.png)
#
# | | |
# | --- | --- |
# | **Slides** | *Machine Learning for Astrophysics: Deep Learning*, vanishing and exploding gradients, weight initialisation, batch normalisation; *Neural Computation Revision, Part 2*, pretraining |
# | **You will be able to** | choose the size of the first weights; say how a signal and its gradient grow or die with depth; write batch normalisation, and say what it does and does not do; compare methods at equal rate, equal steps and equal time |
# | **You need** | the lesson [`neural_networks`](neural_networks.ipynb); variances and logarithms |
# | **Time** | 85 minutes, and 30 more for what is marked *further* |

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
STARTS = course_utils.budget(cpu=5, gpu=16)  # sections 5, 7 and 8: first weights and data splits

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
# (The slide calls the first one "Xavier" and the third "Bengio & co.". Both names belong to Xavier Glorot
# and Yoshua Bengio, 2010, and their formula is the third. The first is LeCun's, 1998, the second He's,
# 2015. Where all layers are equally wide, the third *is* the first.)
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
# kept. The reason: each layer multiplies $q$ by a *random* factor with the mean 1. Say it is ½ or 1½. One
# of each leaves ¾, so the product sinks, though the mean factor is 1. In other words, the mean of the
# logarithm is below the logarithm of the mean ([Jensen's
# inequality](../docs/glossary.md#jensen-inequality)), and over fifty layers the logarithms add up. We call
# the mean change of $\log q$ in a layer the *drift*. (Section 9 calculates it.)

# %%
drift = {name: claims.mean_and_error(np.log(found[-1] / found[0]) / (DEPTH - 1), "networks")
         for name, found in q.items()}  # fmt: skip
claim("In the typical network with σ = √(2/n) the logarithm of q changes in each layer by",
      **drift["√(2/n)"], below=0, digits=3)  # fmt: skip
for name, low, high in (("0.01", -60, -50), ("1", 40, 45)):
    powers = claims.mean_and_error(np.log10(q[name][-1]) / 2, "networks")
    claim(f"σ = {name} changes the size of the signal in 50 layers by",
          **powers, above=low, below=high, unit="powers of ten")  # fmt: skip

# %% [markdown]
# A few hundredths in each layer are harmless. With the other three numbers a deep ReLU network loses its
# signal, or overflows. *Learned: the right size of the first weights follows from the number of inputs
# and the activation. It keeps the mean, not every draw.*
#
# ## 2. The way back: vanishing and exploding gradients
#
# Back propagation sends a signal the other way. In the lesson `neural_networks` we had $dZ^{[l-1]} =
# \big(W^{[l]T} dZ^{[l]}\big) * g'(Z^{[l-1]})$. Call the bracket $dA^{[l-1]}$: it is the slope of the cost in
# the activations. So, with the same argument as above (as if $W$ and the slopes $g'$ were independent), a
# layer of $n$ units multiplies the mean square of the gradient by
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
# A^{[l-1]T}$, a product of what comes back and what went forth.
#
# **Predict.** With gain 1, how many powers of ten does $dA$ lose between layer 50 and layer 2, if all units
# are sigmoids? (The slope of a sigmoid is at most ¼.) If they are ReLUs? And for ReLUs: in which layer is
# $dW$ smallest?

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

# %% [markdown]
# Sigmoids *vanish*, and beyond the bound: 48 factors of at most ¼ leave on average at most $4^{-48}$.
# tanh hardly vanishes; from too large a start it *explodes*. ReLU is a surprise. Its $dA$ falls by seven
# powers of ten, yet $dW$ is equally large in every layer: what the gradient has lost on its way back, the
# signal has not yet lost on its way forth. (Multiply $W$ of any one layer of ReLUs by $c$, and the output
# is multiplied by $c$, whichever layer it was. So the cost depends on $c$ in the same way for all layers.
# Its slope at $c = 1$ is, by the chain rule, the sum of $W * dW$: the same in all, as checked.) At gain 1 all
# layers get equally *little*, and the gain $\sqrt 2$ mends that at once. For sigmoids the last layer is
# thirty powers of ten ahead of the first one, and no learning rate can serve both.
#
# **Try it.** Move the gain until both signal and gradient survive. For which activation is there no such
# gain on the slider?

# %% tags=["nbval-ignore-output"]
explorers.signal()

# %% [markdown]
# For the sigmoid. tanh does well a little above 1, the identity at 1, ReLU at $\sqrt 2$.
#
# *Learned: each layer multiplies the gradient by a factor, and fifty factors multiply up. What training
# feels is the gradient of the weights.*
#
# ## 3. Batch normalisation, written out
#
# Good first weights help at the start. *Batch normalisation* acts in every step. For each unit it takes
# the [z-score](../docs/glossary.md#standardisation) over the examples of a batch: it subtracts the mean of
# $z$ and divides by its standard deviation. Then the network may choose another scale $\gamma$ and place
# $\beta$, one pair for every unit, which start at 1 and 0:
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
# The slide *Batch normalization makes the [hyperparameters](../docs/glossary.md#hyperparameter) search
# easier* promises *faster training*, a *higher learning rate*, and *less sensitivity to the starting
# weights*. We test the promises on the digits, with ten hidden layers of 50 ReLUs. This is all there is to
# such a network: its loss, and a step of plain gradient descent. (All arrays have one axis more in front,
# so that several networks learn side by side.)


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


# %% [markdown]
# `lesson.train` does the same for a hundred networks at once, one for each pair of a start and a learning
# rate. Every start has first weights of its own ($\sigma = \sqrt{2/n}$; the last layer $\sqrt{1/n}$), and
# its own choice of 4,000 pictures to learn from, in batches of 64; the other 1,000 are held out. As all
# of them come from the same 5,000 digits, "±" is over starts and splits of *these* digits. We look at the
# *training loss*: the [log loss](../docs/glossary.md#cross-entropy) of the batches, averaged over the
# last sixth of the steps, since single batches are noisy. We count at most $\log 10$, which is guessing.

# %%
x = (pictures - pictures.mean()) / pictures.std()


def training_loss(run, steps):
    """Mean loss of the batches in the last sixth of so many steps, (rates, starts)."""
    return np.fmin(run.history, np.log(10))[steps - steps // 6 : steps].mean(axis=0)


# %% [markdown]
# **Predict.** The same rate for both, 120 steps. Who is ahead at $\alpha = 0.032$, and who at $\alpha =
# 0.1$?

# %%
batches, held_out = lesson.split(len(x), 16, 120, rng)
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
# Both are true. Whoever compares at one rate can prove either. *Learned: a comparison at one learning
# rate is a comparison of learning rates.*
#
# ## 5. Three budgets, in steps and in seconds
#
# So each method gets its best rate, from the same twelve. To be fair, the rate of each start is chosen by
# the *other* starts. Beside batch normalisation stand two rivals that cost next to nothing. **Gradient
# clipping**: where the gradient of all weights together is longer than 3, it is shortened to 3, so that no
# step is longer than $3\alpha$. (Of 0.3, 1 and 3, this was the best after 720 steps on other splits.)
# **Fewer layers**: a single hidden one in place of ten.

# %%
RATES = 10 ** (np.arange(-9, 3) / 3)  # from 0.001 to 4.6
BUDGETS, LOOKS = (120, 360, 720), range(120, 721, 120)  # steps
batches, held_out = lesson.split(len(x), STARTS, 720, rng)
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


w, by_hand = lesson.begin(STARTS, SEED), []
for rows in batches[:5]:
    each, slopes = gradient(w, *examples(rows), False)
    w = step(w, slopes, RATES[6])
    by_hand.append(each)
claims.check("Five steps by the plain code and by the fast one", by_hand,
             found["plain"].history[:5, 6], within=1e-3)  # fmt: skip

# %% [markdown]
# **Predict.** Each at its best rate: how far is batch normalisation ahead after 120 steps? How much of
# that lead is left after 720? And where are the two rivals?

# %%
experiment("batch norm", normalise="batch")

# %%
experiment("clipped", clip=3.0)
experiment("one layer", depth=1)
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
claim("As a share of this, its lead after 720 steps is",
      **claims.mean_and_error(lead[720] / lead[120].mean(), OVER), below=0.2,
      headline=True)  # fmt: skip
plain, normed = (training_loss(found[name], 120).mean(axis=1) for name in ("plain", "batch norm"))
claim("At the rate that is best for batch normalisation, plain training is worse than at its own "
      "best one, by", plain[normed.argmin()] - plain.min(), above=0.2)  # fmt: skip

# %% [markdown]
# Lines end where no network learns any more. *Faster training* is a head start: large at first, until
# plain training catches up. And at *equal* rate? After 120 steps batch normalisation is ahead from about
# 0.1 on; after 720 only at higher rates, where plain training is past its best.
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

# %% tags=["atol=0.05"]
right = {name: -by_the_others(-run.right.reshape(-1, STARTS)) for name, run in found.items()}
best = {f"loss after {n}": {name: np.median(tuned(name, n)) for name in found} for n in BUDGETS}
best["held out: right"] = {name: np.median(share) for name, share in right.items()}
ahead = np.median(right["batch norm"] - right["plain"])  # a mean hangs on one start that fails
print(f"held out, batch norm less plain, median of the starts: {ahead:.3f}")
pd.DataFrame(best).rename_axis("medians of the starts").round(3)

# %%
late = tuned("plain", 720) - tuned("batch norm", 360)
claim("If a step costs two plain ones, its lead in the time of 720 of these is",
      **claims.mean_and_error(late, OVER), below=0)  # fmt: skip
for steps in (120, 720):
    shallow = claims.mean_and_error(tuned("batch norm", steps) - tuned("one layer", steps), OVER)
    claim(f"After {steps} steps one plain layer is ahead of ten normalised ones, by",
          **shallow, above=0, headline=steps == 720)  # fmt: skip
claim("One plain layer names a smaller share of the held-out pictures rightly by no more than",
      **claims.mean_and_error(right["batch norm"] - right["one layer"], OVER), below=0.02,
      digits=3)  # fmt: skip

# %% [markdown]
# In seconds, the head start has turned into a delay by 720 steps. On *held-out* pictures the median start
# keeps a lead, though every method may stop early (rate *and* number of steps, up to 720, are chosen by
# the other starts). Clipping has some of the head start. And the cheapest rival wins: **one layer**
# learns faster than ten normalised ones, in cheaper steps, and names as many held-out pictures rightly.
# These digits do not need ten layers.
#
# *Learned: batch normalisation trains a deep network faster at first. Given time, plain training has the
# same training loss, if not the same held-out share; and a network that need not be deep needs no
# remedy.*
#
# ## 6. Which rates, which starts?
#
# Batch normalisation "makes the hyperparameters search easier", says the slide. We measure the width of
# the target: over how many powers of ten of $\alpha$ does a network *train*, say to a training loss below
# 1.5? (Or below 0.5, the last column. The grid counts in thirds.) Read it off the figure of section 5
# first: by how many powers of ten is the range of batch normalisation wider, and by how many does it lie
# higher?


# %% tags=["atol=0.4"]
def width(name, steps, below=1.5):
    """Powers of ten of the rates that train, for each start (S,)."""
    return (training_loss(found[name], steps) < below).sum(axis=0) / 3


columns = [(120, 1.5), (360, 1.5), (720, 1.5), (720, 0.5)]
ranges = {name: [width(name, *pair).mean() for pair in columns] for name in found}
pd.DataFrame(ranges, index=[f"{n} steps: below {below}" for n, below in columns]).T.round(1)


# %%
def highest(name, steps=720):
    """Logarithm of the highest rate that trains, for each start (S,)."""
    trains = training_loss(found[name], steps) < 1.5
    return np.log10(np.where(trains, RATES[:, None], RATES[0])).max(axis=0)


higher = highest("batch norm") - highest("plain")
claim("The highest rate that trains in 720 steps is higher with batch normalisation, by",
      **claims.mean_and_error(higher, OVER), above=0.4, unit="powers of ten",
      headline=True)  # fmt: skip
for steps, below in ((120, 1.5), (720, 0.5)):
    wider = width("batch norm", steps, below) - width("plain", steps, below)
    claim(f"The range of rates that train to a loss below {below} in {steps} steps is wider, by",
          **claims.mean_and_error(wider, OVER), above=0.2, unit="powers of ten")  # fmt: skip
more = higher - (width("batch norm", 720) - width("plain", 720))
claim("After 720 steps it has moved up (below a loss of 1.5) more than it has widened, by",
      **claims.mean_and_error(more, OVER), above=0, unit="powers of ten")  # fmt: skip
for sentence, name, bounds in (
    ("The range below a loss of 0.5 of clipping alone is narrower by", "clipped", {"above": 0}),
    ("The range of one plain layer is narrower by no more than", "one layer", {"below": 0.3}),
):
    narrower = width("batch norm", 720, 0.5) - width(name, 720, 0.5)
    claim(sentence, **claims.mean_and_error(narrower, OVER), **bounds, unit="powers of ten")

# %% [markdown]
# The promise of a *higher learning rate* is kept. The range of rates moves up more than it widens, for at
# the low end plain training needs less. How much wider it is depends on budget and threshold. Clipping
# gives part of it; and one plain layer has as wide a range, for nothing. (A high rate is no merit in
# itself: a smaller threshold for clipping allows it, too.)
#
# **Starts.** Now all first weights are off by a factor, from ten times too small to ten times too large:
# 11 starts, the middle one right, with four rates from 0.01 to 10 for each.
#
# **Predict.** From what share of the starts does plain training succeed? With clipping? With batch
# normalisation? With one plain layer?

# %%
FACTORS, FEW = 10 ** np.linspace(-1, 1, 11), [0.01, 0.1, 1, 10]
batches_11, held_out_11 = lesson.split(len(x), 11, 240, rng)
off = {}
for name, settings in (("plain", {}), ("clipped", {"clip": 3.0}),
                       ("batch norm", {"normalise": "batch"}),
                       ("one layer", {"depth": 1})):  # fmt: skip
    run = lesson.train(x, digits.y, batches_11, held_out_11, rates=FEW, factors=FACTORS, seed=SEED,
                       **settings)  # fmt: skip
    off[name] = training_loss(run, 240).min(axis=0)
lesson.draw_starts(plt.subplots(figsize=(9, 4.2))[1], FACTORS, off)
plotting.show(lesson.TEXTS["starts"])

# %% tags=["atol=0.15"]
share = {name: (loss < 1.5).mean() for name, loss in off.items()}
claim("Of 11 starts, ten of the wrong size, batch normalisation trains more in 240 steps than "
      "plain training, as a share", share["batch norm"] - share["plain"], above=0.5,
      headline=True)  # fmt: skip
claim("Clipping trains hardly more of them than plain training, as a share",
      share["clipped"] - share["plain"], below=0.3)  # fmt: skip
claim("One plain layer trains from nearly as many, share less than with batch normalisation",
      share["batch norm"] - share["one layer"], below=0.35)  # fmt: skip
price = off["batch norm"][-2:].mean() - off["batch norm"][4:7].mean()
claim("Nearly ten times too large, the start still has a price, in loss", price, above=0.1)
pd.Series(share, name="share that trains").round(2)

# %% [markdown]
# The third promise is the one that is kept best. One plain layer trains from nearly as many starts, mostly to
# as low a loss. And for ten layers the cheapest rival is section 1: a formula puts the factor at 1, and costs
# nothing at all.
#
# *Learned: batch normalisation allows higher rates, and makes most starts trainable. A formula sets the
# start right for nothing.*
#
# ## 7. Why? The effective rate
#
# Without $\varepsilon$, multiply all weights $W$ before a batch normalisation by $c$. Then $z$, its mean and
# its standard deviation are multiplied by $c$ as well, so $z_\text{norm}$, and the loss, stay as they are.
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


one, paths = lesson.begin(STARTS, SEED), []
four = stretched(one, 4.0)
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
# large only learns slowly, and a larger rate for $W$ makes up for it. In section 6 it had a price, as one
# $\alpha$ served $\gamma$, $\beta$ and the last layer as well, and the last layer, which is not normalised, was
# stretched, too. And a step that is far too long makes $W$ longer, and so lowers the effective rate of the
# next ones.
#
# *Learned: with batch normalisation the size of the weights only sets the effective rate
# $\alpha/\|w\|^2$.*
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
# - (f) The weights of a normalised layer, ten times as large, at the same $\alpha$, learn as if $\alpha$
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
# ## 8. Further: is the loss smoother?
#
# Santurkar et al. (2018) give another reason: batch normalisation raises *gradient predictiveness*. After a
# step along the gradient, the new gradient is still much like the old one. We measure the change $\|\nabla
# L(w - \eta \nabla L) - \nabla L\|$ as a share of $\|\nabla L\|$, on the same batch, every 20 steps up to 120:
# in networks without normalisation at their best rate of section 5, in normalised ones at that *same* rate,
# and in normalised ones at *their* best.
#
# **Predict.** For which $\eta$ is the change smaller with batch normalisation: for small ones, for large
# ones, or for all? Does it depend on the rate of the training?

# %%
ETAS = 10 ** np.arange(-2, 0.1, 0.5)


def length(slopes):
    """Length of the gradient of each network (S,)."""
    return sum(tf.reduce_sum(part**2, axis=(1, 2)) for part in tf.nest.flatten(slopes)) ** 0.5


def change(normalised, alpha):
    """Relative change of the gradient after a step of each η, (η, S): median over the way."""
    w, seen = lesson.begin(STARTS, SEED), []
    for number, rows in enumerate(batches[:121]):
        X, y = examples(rows)
        _, g = gradient(w, X, y, normalised)
        if number and number % 20 == 0:
            after = [gradient(step(w, g, eta), X, y, normalised)[1] for eta in ETAS]
            seen.append([length(step(h, g, 1.0)) / length(g) for h in after])
        w = step(w, g, alpha)
    return np.median(seen, axis=0)


best = {name: RATES[loss.mean(axis=1).argmin()] for name, loss in losses[120].items()}
changes = {"plain": change(False, best["plain"]),
           "batch norm, same rate": change(True, best["plain"]),
           "batch norm, own rate": change(True, best["batch norm"])}  # fmt: skip
lesson.draw_changes(plt.subplots(figsize=(8, 4.2))[1], ETAS, changes)
plotting.show(lesson.TEXTS["steps"])

# %%
less = {name: np.log10(changes["plain"] / changed) for name, changed in changes.items()}
claim("At the same rate, with batch normalisation a step of η = 0.01 changes the gradient more, by",
      **claims.mean_and_error(-less["batch norm, same rate"][0], OVER), above=0,
      unit="powers of ten")  # fmt: skip
own = less["batch norm, own rate"]
for what, k, least in (("for the η where this is least,", own.mean(axis=1).argmin(), 0),
                       ("for η = 1,", -1, 0.6)):  # fmt: skip
    claim(f"Each at its best rate, with batch normalisation a step changes it less, {what} by",
          **claims.mean_and_error(own[k], OVER), above=least, unit="powers of ten")  # fmt: skip

# %% [markdown]
# At the same rate the loss of the normalised network is the *rougher* one near by. Each at its best rate,
# it is the smoother one, for all $\eta$. So this explanation, too, depends on the rate at which one looks.
# Far off the normalised gradient has changed as well, by more than its own length. But it is tame, where
# the other explodes.
#
# ## 9. Further: the drift, infinitely many units, and layers of unequal width
#
# **The drift of section 1** can be calculated exactly. Given one layer of ReLUs, the next $z$ are $n$
# independent normal numbers of variance $n\sigma^2 q_l$. Each is positive with the chance ½, so the number
# $K$ of those that survive is binomial, like that of the heads in $n$ throws of a coin. $q_{l+1}$ is the sum
# of their squares divided by $n$. The two $n$ cancel: $q_{l+1} = \sigma^2 q_l\, \chi^2_K$, where $\chi^2_K$ is
# a sum of $K$ squared standard normal numbers. Take from the textbooks that $\log \chi^2_K$ has the mean
# $\psi(K/2) + \log 2$, where $\psi$ is the [digamma function](../docs/glossary.md#digamma-function). Hence
#
# $$\text{drift} = \mathbb E \log \frac{q_{l+1}}{q_l}
# = \log \sigma^2 + \mathbb E_K\big[\psi(K/2)\big] + \log 2 .$$


# %%
def relu_drift(sd, n=WIDTH):
    """Mean of log(q_next / q) of a square ReLU layer of n units, exact."""
    K = np.arange(1, n + 1)  # K = 0 has a chance of 2^-n
    return np.log(sd**2) + binom.pmf(K, n, 0.5) @ digamma(K / 2) + np.log(2)


for name, measured in drift.items():
    claims.check(f"σ = {name}: the drift is that of the exact theory", measured["value"],
                 relu_drift(SIGMAS[name](WIDTH)), within=4, se=measured["se"])  # fmt: skip
per_layer = claims.mean_and_error(2 * np.log(10) * lost["ReLU", 1][:, 0] / (DEPTH - 2))
claims.check("ReLU: the drift of the gradient is that of the signal", -per_layer["value"],
             relu_drift(WIDTH**-0.5), within=4, se=per_layer["se"])  # fmt: skip

# %% [markdown]
# For sigmoid and tanh there is no such formula. But with infinitely many units, sums over them become
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
# ## 10. Further: sigmoids, and a normalisation without a batch
#
# **Predict.** Fifty layers of sigmoids vanished in section 2. Do ten of them train, from gain 1? Does
# batch normalisation make them trainable? And what does *layer normalisation* do for ReLUs? It takes the
# z-score over the units of each single example, so that nobody needs a batch.

# %% tags=["atol=0.5"]
FEW = RATES[4::2]
last = {f"ReLU, {name}": training_loss(found[name], 240)[4::2] for name in ("plain", "batch norm")}
for name, settings in {
    "ReLU, layer norm": {"normalise": "layer"},
    "sigmoid, plain": {"activation": "sigmoid"},
    "sigmoid, plain, W × 6": {"activation": "sigmoid", "factors": [6.0] * 4},
    "sigmoid, batch norm": {"activation": "sigmoid", "normalise": "batch"},
}.items():
    run = lesson.train(x, digits.y, batches[:240, :4], held_out[:4], rates=FEW, seed=SEED,
                       **settings)  # fmt: skip
    last[name] = training_loss(run, 240)
pd.DataFrame({name: loss.mean(axis=1) for name, loss in last.items()},
             index=[f"α = {rate:.2g}" for rate in FEW]).T.round(2)  # fmt: skip

# %%
for name, bounds in (("plain", {"above": 2.2}), ("plain, W × 6", {"below": 2}),
                     ("batch norm", {"below": 1.5})):  # fmt: skip
    claim(f"Ten layers of sigmoids, {name}: their best loss after 240 steps",
          last[f"sigmoid, {name}"].mean(axis=1).min(), **bounds)  # fmt: skip
_, first = gradient(lesson.begin(STARTS, SEED), *examples(batches[0]), True)
sizes = np.array([(dW.numpy() ** 2).mean(axis=(1, 2)) for dW, *_ in first])
growth = claims.mean_and_error((sizes[1] / sizes[9]) ** (1 / 8), "starts")
claim("ReLU with batch normalisation: the mean square of the first gradient grows on its way back, "
      "per layer by the factor", **growth, above=1.2, below=1.7)  # fmt: skip
print(f"In size, over fifty layers: {(np.pi / (np.pi - 1)) ** (50 / 2):,.0f}")

# %% [markdown]
# Batch normalisation revives the sigmoids. First weights six times as large revive them, too, but less:
# it is section 1 again, a start that suits the activation. Layer normalisation, at home in other
# architectures, does little for ReLUs. And there is a price: at the start batch
# normalisation makes gradients *grow* on their way back, by $\pi / (\pi - 1) = 1.47$ in mean square per
# ReLU layer for infinitely many units (Yang et al. 2019). Over ten layers that is bearable. Over fifty it
# makes the number that is printed last, and so, they say, batch normalisation alone does not train very
# deep networks. What does is in the lesson [`resnet`](resnet.ipynb).
#
# ## 11. Further: few labels, and what an autoencoder can do for them
#
# The oldest way to start a deep network is *pretraining*. Often pictures are plenty and
# [labels](../docs/glossary.md#label) are few. An *[autoencoder](../docs/glossary.md#autoencoder)* needs
# no labels: it must give back the picture that it was given, through a hidden layer. Ours is *denoising*:
# it sees only half of the pixels and must restore the rest. Its first layer, the *encoder*, can be the
# start of a classifier.
#
# The rivals at equal labels: a network **from scratch**; one whose encoder is **trained on**; one whose
# encoder stays **frozen**; and, the cheapest, **no hidden layer** at all on the pixels. For each, rate
# and number of steps are chosen by the other draws of labels. So is, for the frozen encoder, whether its
# output goes on as it is or as z-scores, which train faster. (At a rate of 3 networks with a hidden layer
# run away.)
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
z_scores = (code - code[unlabelled].mean(axis=0)) / np.maximum(code[unlabelled].std(axis=0), 0.05)
METHODS = {
    "no hidden layer": [(seen, {"depth": 0})],
    "from scratch": [(seen, {"depth": 1})],
    "encoder, trained on": [(seen, {"depth": 1, "first": (W, b[:, None])})],
    "encoder, frozen": [(code / code.std(), {"depth": 0}), (z_scores, {"depth": 0})],
}


# %% tags=["atol=0.03"]
def few_labels(n, looks, draws=12):
    """Share of test pictures named rightly by each method, for each draw of n labels."""
    each = [unlabelled[digits.y[unlabelled] == c] for c in range(10)]
    rows = [np.concatenate([rng.choice(own, n // 10, replace=False) for own in each])
            for _ in range(draws)]  # fmt: skip
    batches = np.array([[rng.choice(own, min(n, 50), replace=False) for own in rows]
                        for _ in range(looks[-1])])  # fmt: skip
    right = {}
    for name, variants in METHODS.items():
        runs = [lesson.train(x, digits.y, batches, [asked] * draws, rates=[0.1, 0.3, 1], units=128,
                             looks=looks, seed=SEED, **settings)
                for x, settings in variants]  # fmt: skip
        right[name] = -by_the_others(
            -np.concatenate([run.right.reshape(-1, draws) for run in runs])
        )
    return right


named = {50: few_labels(50, [20, 50, 100, 200]), 500: few_labels(500, [50, 100, 200, 400])}
pd.DataFrame({f"{n} labels": {name: share.mean() for name, share in right.items()}
              for n, right in named.items()}).round(3)  # fmt: skip

# %%
DRAWN = "draws of labels, one encoder, one test set"
for n, rival in ((50, "from scratch"), (50, "no hidden layer")):
    more = claims.mean_and_error(named[n]["encoder, trained on"] - named[n][rival], DRAWN)
    claim(f"With {n} labels a trained encoder names more pictures rightly than {rival}, by",
          **more, above=0, digits=3)  # fmt: skip
for sentence, n, name, rival, bounds in (
    ("With 50 labels a frozen encoder is behind one that is trained on by no more than", 50,
     "encoder, trained on", "encoder, frozen", {"below": 0.03}),
    ("With 500 labels a frozen encoder is behind one that is trained on, by", 500,
     "encoder, trained on", "encoder, frozen", {"above": 0}),
    ("With 500 labels a frozen encoder is ahead of no hidden layer by no more than", 500,
     "encoder, frozen", "no hidden layer", {"below": 0.02}),
    ("With 500 labels a trained encoder is ahead of scratch by no more than", 500,
     "encoder, trained on", "from scratch", {"below": 0.012}),
):  # fmt: skip
    more = claims.mean_and_error(named[n][name] - named[n][rival], DRAWN)
    claim(sentence, **more, **bounds, digits=3)

# %% [markdown]
# Pretraining gains a point or two where labels are few, and a network without any hidden layer comes
# close. With hundreds of labels the gain is hardly there. A *frozen* encoder is then a point or two
# behind one that is trained on, and hardly ahead of the bare pixels, if at all. So the slides' advice on
# [transfer learning](../docs/glossary.md#transfer-learning), "freeze the weights of the first layers",
# costs next to nothing with few labels, and a little with many.
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
#   S. Schoenholz: *A Mean Field Theory of Batch Normalization*, ICLR 2019. Sections 7, 8 and 10.
# * N. Bjorck, C. Gomes, B. Selman, K. Weinberger: *Understanding Batch Normalization*, NeurIPS 2018, on the
#   higher rates that it allows. A. Brock, S. De, S. Smith, K. Simonyan: *High-Performance Large-Scale Image
#   Recognition without Normalization*, ICML 2021. Sections 5 and 6.
# * R. Pascanu, T. Mikolov, Y. Bengio: *On the Difficulty of Training Recurrent Neural Networks*,
#   ICML 2013. Clipping.
# * J. L. Ba, J. R. Kiros, G. E. Hinton: *Layer Normalization*, arXiv:1607.06450, 2016. P. Vincent, H.
#   Larochelle, I. Lajoie, Y. Bengio, P.-A. Manzagol: *Stacked Denoising Autoencoders*, JMLR 11, 2010.
#   Sections 10 and 11.
