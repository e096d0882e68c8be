# %% [markdown]
# # ResNet: why depth failed, and what skip connections do
#
# **A deeper network contains the shallower one. So why is it worse, even on its own training data?**
#
# Give a good network more layers. They could pass on what they get, and then the deeper network
# would be just as good. In 2015 it came as a surprise that it often is worse. One line of code mended
# it. You will write that line, watch it work, and test what is said about the reason.
#
# ![A handwritten digit, fifty-six layers with a way around every two of them, and a question
# mark.](figures/resnet.png)
#
# | | |
# | --- | --- |
# | **Slides** | *Machine Learning for Astrophysics: Deep Learning*, skip connections and residual blocks, to the loss landscapes |
# | **You will be able to** | write a residual block, its shortcut and its gradient; count its parameters; tell degradation from overfitting and from vanishing gradients; draw a loss landscape, and say what it does not show |
# | **You need** | the lessons [`convolutions`](convolutions.ipynb), [`training_deep_networks`](training_deep_networks.ipynb) and [`optimizers`](optimizers.ipynb) |
# | **Time** | 90 minutes, and 30 more for what is marked *further* |

# %% tags=["nbval-ignore-output"]
import course_utils

SEED = course_utils.setup(seed=1)

# %%
from functools import cache
from itertools import pairwise

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers
from sklearn.model_selection import train_test_split
from tqdm.auto import tqdm

from course_utils import claims, data, explorers, plotting, training
from course_utils.exercises import resnet as exercises
from course_utils.lessons import resnet as lesson
from course_utils.lessons import resnet_small as small

claim = claims.Claims()
rng = np.random.default_rng(SEED)

# %% [markdown]
# The budget of this run. Seeds 11 to 15 do more: they make the stored table of section 6.

# %%
STEPS, BATCH, EPOCH = 110, 64, 22  # steps in all, pictures in a step, steps in a pass
IS_STORED = SEED in range(11, 16)

# %% [markdown]
# ## 1. One line of code
#
# Our pictures are digits of 8 × 8 pixels. So 56 layers train within a lecture.

# %% tags=["cover"]
digits = data.load_digits()
x, y = (digits.x[..., None] / 16).astype("float32"), digits.y.astype("int32")
x_train, x_test, y_train, y_test = train_test_split(
    x, y, train_size=EPOCH * BATCH, stratify=y, random_state=SEED
)
small.draw_cover(plt.subplots(1, 2, figsize=(11, 2.6), width_ratios=[1, 4.5])[1], x[0, :, :, 0])
plotting.show("A digit, fifty-six layers with a way around every two of them, and a question mark.")

# %% [markdown]
# A *block* is two convolutions of 3 × 3 pixels. Each is followed by batch normalisation, with a γ and
# a β for each [channel](../docs/glossary.md#channel), and there is a ReLU between them. (We normalise
# by the batch at hand, also when testing.) Call all this $F$. A *[plain
# network](../docs/glossary.md#plain-network)* passes on $\mathrm{relu}(F(x))$. A *residual* one first
# adds what came in:
#
# $$y = \mathrm{relu}\big(x + F(x)\big)$$
#
# So the block learns only what is to be *changed* about $x$, the residual. To leave $x$ alone it need
# only learn $F = 0$ ($x$ comes out of a ReLU and is not negative). A plain block has to learn the
# identity. The way around $F$ is the *skip connection* or *shortcut*.


# %%
def conv(x, K, stride=1):
    return tf.nn.conv2d(x, K, stride, "SAME")


@small.translated  # once for all blocks of a shape, which saves time
def F(x, block, norm=small.batch_norm):
    K1, gamma1, beta1, K2, gamma2, beta2 = block
    # A kernel that doubles the channels opens a stage.
    stride = 1 if K1.shape[2] == K1.shape[3] else 2
    h = tf.nn.relu(norm(conv(x, K1, stride), gamma1, beta1))
    return norm(conv(h, K2), gamma2, beta2)


# %% [markdown]
# A *stage* is a row of blocks of one shape. Where a new stage begins, the first convolution of $F$
# halves the picture ([stride](../docs/glossary.md#stride) 2) and doubles the channels. Then $x$ and
# $F(x)$ have different shapes, and cannot be added. *Option A* of He et al. (2015) takes every second
# pixel and fills the new channels with zeros. *Option B* is a *projection*, a 1 × 1 convolution with
# stride 2. They found B slightly better. We take A, which has no parameters.
#
# Which pixels? Those on which the convolution of $F$ is centred. `convolutions` showed which they
# are, with stride 2 and padding "same" on an even side. A shortcut that takes others, as option B
# does in Keras, is one pixel off its branch.
#
# ### Exercise 1: the shortcut
#
# Write option A in NumPy. Of `x`, of shape (N, H, W, C), keep the rows and columns on which the
# branch is centred, and behind the old channels put channels of zeros until there are `filters` of
# them. H and W are even.


# %%
def shortcut(x, filters): ...


exercises.q1.check(shortcut)
# exercises.q1.hint()  # and .solution()

# %% [markdown]
# PyTorch pads on both sides, and its centres are 0, 2, 4, … So a shortcut that is copied from there
# into Keras is one pixel off.


# %%
def option_a(x):
    """For twice as many channels."""
    return tf.pad(x[:, 1::2, 1::2], [[0, 0], [0, 0], [0, 0], [0, x.shape[-1]]])


spots = np.eye(64, dtype="float32").reshape(64, 8, 8, 1)  # one bright pixel in each picture
middle = np.zeros((3, 3, 1, 1), "float32")
middle[1, 1] = 1  # this kernel passes on the pixel on which it is centred
claims.check("The shortcut takes the pixels on which the branch is centred",
             option_a(spots)[..., :1], conv(spots, middle, 2), within=0)  # fmt: skip

# %% [markdown]
# Now the whole network: a first convolution, three stages of $n$ blocks with 8, 16 and 32 filters,
# the mean over all pixels, and a dense layer with softmax. That makes $6n + 2$ layers with weights.
# All weights lie in *one vector* `w`, and `small.cut` cuts it into the
# [kernels](../docs/glossary.md#kernel), γ, β of each layer.


# %%
def outputs(w, x, depth, residual, norm=small.batch_norm, without=None):
    """What comes out of the first convolution and of each block, and the scores."""
    (K, gamma, beta), blocks, (W, b) = small.cut(w, depth)
    x = tf.nn.relu(norm(conv(x, K), gamma, beta))
    every = [x]
    for number, block in enumerate(blocks):
        if number == without:
            continue
        h = F(x, block, norm)
        if residual:
            x = x if h.shape == x.shape else option_a(x)
            x = tf.nn.relu(x + h)
        else:
            x = tf.nn.relu(h)
        every.append(x)
    return every, tf.reduce_mean(x, axis=(1, 2)) @ W + b


def loss(w, x, y, depth, residual, norm=small.batch_norm):
    _, scores = outputs(w, x, depth, residual, norm)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, scores))


# %% [markdown]
# ### Exercise 2: the way back through a block
#
# Number all pixels and channels of a block from 0 on, so that $x$, $h = F(x)$ and $y =
# \mathrm{relu}(x + h)$ are vectors. `J[i, j]` is the slope of $h_i$ in $x_j$. Given `dy`, the slope
# of the loss in $y$, write the slope of the loss in $x$. A plain block gives `J.T @ (dy * (y > 0))`.


# %%
def back(dy, y, J): ...


exercises.q2.check(back)
# exercises.q2.hint()  # and .solution()

# %% [markdown]
# TensorFlow takes the same way:

# %%
w = tf.constant(small.first_weights(8, rng))
block = small.cut(w, 8)[1][0]
inside, dy = tf.nn.relu(rng.normal(size=(2, 4, 8, 8, 8)).astype("float32"))
with tf.GradientTape(persistent=True) as tape:
    tape.watch(inside)
    h = F(inside, block)
    out = tf.nn.relu(inside + h)
g = dy * tf.cast(out > 0, tf.float32)  # through the ReLU
claims.check("The slope in x is the sum of two, along the shortcut and through the branch",
             tape.gradient(out, inside, dy), g + tape.gradient(h, inside, g),
             within=1e-4)  # fmt: skip

# %% [markdown]
# Nothing multiplies the first part. It is only cut where the ReLU was zero.
#
# Option A has no weights, so a plain and a residual network of one depth can start from the *same*
# vector.
#
# *Learned: with a shortcut, doing nothing is easy, and the gradient has a way around each block.*
#
# ## 2. Does depth help?
#
# **Predict.** Guessing costs $\ln 10 = 2.3$ nats. How high will the *training* loss of the plain
# network of 56 layers be after five passes? And will the residual one of 56 layers end near that of
# 8, or near the plain one?
#
# We train by gradient descent with momentum, as He et al. did, for five passes. Each kind and depth
# has its own learning rate, chosen on other seeds than this one (section 6). The training loss is the
# mean over the batches of a pass.

# %%
JOINS = "plain", "residual"
RATES = {("plain", 8): 0.03, ("plain", 20): 0.03, ("plain", 56): 0.03,
         ("residual", 8): 0.1, ("residual", 20): 0.03, ("residual", 56): 0.01}  # fmt: skip


@cache
def slope(kind, depth, norm=small.batch_norm):
    @tf.function(autograph=False)  # translated once
    def value_and_gradient(w, x, y):
        with tf.GradientTape() as tape:
            tape.watch(w)
            value = loss(w, x, y, depth, kind == "residual", norm)
        return value, tape.gradient(value, w)

    return value_and_gradient


def train(kind, depth, rate, steps=STEPS, start=None, norm=small.batch_norm, rule=small.momentum):
    """The trained weights, and the loss in each pass (none, or above 9.99, counts as 9.99)."""
    draw = np.random.default_rng(SEED)  # the same batches for all
    w = tf.constant(first[depth] if start is None else start)
    memory, values = [], []
    rows = small.batches(len(x_train), BATCH, steps, draw)
    for now in tqdm(rows, desc=f"{kind} {depth}", leave=False, delay=1):
        value, dw = slope(kind, depth, norm)(w, x_train[now], y_train[now])
        way, memory = rule(dw, *memory)  # of a step; and what the rule remembers
        w = w - rate * way
        values.append(value)
    return w, np.fmin(values, 9.99).reshape(-1, EPOCH).mean(axis=1)


# %%
first = {depth: small.first_weights(depth, rng) for depth in (8, 20, 56)}
trained, curves = {}, {}
for kind, depth in RATES:
    if depth < 56:
        trained[kind, depth], curves[kind, depth] = train(kind, depth, RATES[kind, depth])

# %%
for kind in JOINS:
    trained[kind, 56], curves[kind, 56] = train(kind, 56, RATES[kind, 56])

# %%
small.draw_curves(plt.subplots(1, 2, figsize=(13, 4.4), sharey=True)[1], curves)
plotting.show(small.TEXTS["curves"])


# %% tags=["atol=0.3"]
def right(kind, depth, x=x_test, y=y_test, without=None):
    """Share of the pictures named rightly."""
    _, scores = outputs(trained[kind, depth], x, depth, kind == "residual", without=without)
    return float(np.mean(scores.numpy().argmax(axis=1) == y))


final = {net: curve[-1] for net, curve in curves.items()}
test = {net: right(*net) for net in trained}
table = pd.DataFrame({"training loss": final, "test: right": test})
table.rename_axis(["", "layers"]).round(2)

# %%
claim("With 56 layers the training loss, plain over residual, is larger by",
      np.log10(final["plain", 56] / final["residual", 56]), above=0.7, unit="powers of ten",
      digits=1)  # fmt: skip
claim("From 20 to 56 layers the training loss of the plain network rises by",
      final["plain", 56] - final["plain", 20], above=0.5, unit="nats", digits=1)  # fmt: skip
claim("From 20 to 56 layers the training loss of the residual network rises by no more than",
      final["residual", 56] - final["residual", 20], below=0.1, unit="nats")  # fmt: skip

# %% [markdown]
# Plain: the deeper, the worse. Residual: 56 layers cost little, though 8 are enough here as well.
# This is not [overfitting](../docs/glossary.md#overfitting), since the deep plain network is bad on
# the pictures that it is *trained* on. It is *degradation*, and one addition without a parameter
# removes nearly all of it.
#
# **Would something cheaper have done?** Yes: on test digits a plain network of 8 layers, or less
# still (section 6). In He et al. depth does pay, on a million photographs.
#
# **Would patience have done?** He et al. trained for 64,000 steps. Their plain networks of 56 layers
# did learn, only worse than those of 20, and they conjecture that deep plain networks may "have
# exponentially low convergence rates". Section 6 tries four times as many steps.
#
# *Learned: more layers can make training worse; a shortcut around each block mends it.*
#
# ## 3. Is it vanishing gradients?
#
# The slides say: very deep networks "have been really hard to train because of vanishing/exploding
# gradients", and skip connections "almost single-handedly solved the problem". He et al. doubted
# that. So we look, at the first weights, with and without normalisation. Training uses the gradient of
# the *weights*, so we take its norm in each layer.
#
# **Predict.** Four networks of 56 layers: plain or residual, with normalisation or without. In which
# of them is the gradient in the first layers smaller than in the last ones, in which larger?


# %%
def no_norm(z, gamma, beta):
    return gamma * z + beta


def look(w, kind, norm):
    """Of each kernel K behind the first: the norm of its gradient dK, and the sum of K * dK."""
    _, dw = slope(kind, 56, norm)(w, x_train[:BATCH], y_train[:BATCH])
    pairs = list(zip(small.kernels(w, 56), small.kernels(dw, 56)))[1:]
    return np.transpose([(np.linalg.norm(dK), np.sum(K * dK)) for K, dK in pairs])


STARTS = 5
starts = [tf.constant(small.first_weights(56, rng)) for _ in range(STARTS)]
seen = {}
for how, norm in (("without normalisation", no_norm), ("with normalisation", small.batch_norm)):
    for kind in JOINS:
        bar = tqdm(starts, desc=f"{kind} {how}", leave=False, delay=1)
        seen[kind, how] = [look(w, kind, norm) for w in bar]
norms = {net: [one[0] for one in found] for net, found in seen.items()}
small.draw_gradients(plt.subplots(1, 2, figsize=(13, 4.4), sharey=True)[1], norms)
plotting.show(small.TEXTS["gradients"])

# %% tags=["atol=0.1"]
grows = {net: np.log10([one[0] / one[-1] for one in found]) for net, found in norms.items()}
bare, normed = [("plain", how) for how in ("without normalisation", "with normalisation")]
level = claims.mean_and_error(grows[bare])
print(f"plain without normalisation: {level['value']:.1f} ± {level['se']:.1f} powers of ten")
sums = np.array([one[1] for one in seen[bare]])
claims.check("There, K * dK has one and the same sum in all layers",
             sums / sums[:, -1:], 1, within=0.02)  # fmt: skip
claim("With normalisation the plain network's gradient grows from last layer to first by",
      **claims.mean_and_error(grows[normed], "starts"), above=1, unit="powers of ten", digits=1,
      headline=True)  # fmt: skip
claim("The residual network's gradient grows less, by",
      **claims.mean_and_error(grows[normed] - grows["residual", normed[1]], "starts"), above=0.7,
      unit="powers of ten", digits=1)  # fmt: skip

# %% [markdown]
# At the first weights, with normalisation, nothing vanishes. On the way back through the plain network
# the gradient *grows*. With shortcuts it grows far less. With infinitely many units normalisation
# itself makes it grow, by $\sqrt{\pi/(\pi-1)}$ in each layer (Yang et al. 2019; section 10 of
# `training_deep_networks`): over 54 layers by the number printed below exercise 3. Our layers of 8 to
# 32 filters grow less.
#
# Without normalisation both are nearly level, at very different heights. In the plain network you know
# this from `training_deep_networks` (section 2 there): the sum of $K\,dK$ is the same in all
# layers, so all get equally *little*. How little depends on what is left of the signal. For the
# residual network that argument fails, since a shortcut is not multiplied by $K$. There all get a
# *lot*.
#
# ### Exercise 3: what the edge takes away
#
# First weights of variance $2/(9C)$ for $C$ channels, and the ReLU behind the convolution, together
# keep the mean square of a signal on average, if all nine neighbours of a pixel are there. Beyond
# the edge are zeros. Take a picture of `side` × `side` pixels, in which all pixels have the same
# mean square, and a convolution with stride 1 and its ReLU. By which factor, exactly, do they
# multiply the mean square, averaged over all pixels? (How many of the $9\,\text{side}^2$ neighbours
# are inside?)


# %%
def kept(side): ...


exercises.q3.check(kept)
# exercises.q3.hint()  # and .solution()

# %% [markdown]
# **Predict.** After the first convolution come 54 more: 18 on 8 × 8 pixels, 18 on 4 × 4, 18 on 2 × 2.
# (The first one of a new stage has stride 2, and then the zeros are on one side only.) How many powers
# of ten does the size of the signal lose on its way to the end?
#
# The factors of exercise 3, multiplied, are an *upper* estimate of what the edges take: behind the
# first layer the rim is darker already, and loses less.


# %%
shares = [small.share_inside(8)] * 18  # the answer to exercise 3, with stride 2 as well
for side in (4, 2):
    shares += [small.share_inside(side, stride=2)] + [small.share_inside(side)] * 17
edges = np.log10(shares).sum() / 2  # of the size, not of the mean square
print(f"the factors of exercise 3, multiplied: {edges:.2f} powers of ten")


# %%
def mirrored(x, K, stride=1):
    """The same, with the picture's own pixels beyond the edge in place of zeros."""
    side = [1, 1] if stride == 1 else [0, 1]
    x = tf.pad(x, [[0, 0], side, side, [0, 0]], "SYMMETRIC")
    return tf.nn.conv2d(x, K, stride, "VALID")


def fall(w, conv):
    """Powers of ten by which the signal grows from the first convolution to the last."""
    (K, _, _), blocks, _ = small.cut(w, 56)
    a = tf.nn.relu(conv(x_train[:BATCH], K))
    start = tf.reduce_mean(a**2)
    for K1, _, _, K2, _, _ in blocks:
        a = tf.nn.relu(conv(a, K1, 1 if K1.shape[2] == K1.shape[3] else 2))
        a = tf.nn.relu(conv(a, K2))
    return np.log10(tf.reduce_mean(a**2) / start) / 2


more_starts = [*starts, *(tf.constant(small.first_weights(56, rng)) for _ in range(STARTS))]
falls = {name: np.array([fall(w, how) for w in more_starts])
         for name, how in (("zeros", conv), ("mirrored", mirrored))}  # fmt: skip
print(f"infinitely many units, normalised: {27 * np.log10(np.pi / (np.pi - 1)):.1f} powers of ten")

# %%
claim("Without normalisation the signal changes over 54 plain layers, in size by",
      **claims.mean_and_error(falls["zeros"], "starts"), below=-4, unit="powers of ten", digits=1,
      headline=True)  # fmt: skip
claim("The factors of exercise 3, multiplied, miss this by",
      **claims.mean_and_error(falls["zeros"] - edges, "starts"), above=-2, below=1,
      unit="powers of ten", digits=1)  # fmt: skip
claim("With the picture's own pixels beyond the edge, less of it is lost, by",
      **claims.mean_and_error(falls["mirrored"] - falls["zeros"], "starts"), above=2,
      unit="powers of ten", digits=1)  # fmt: skip
signals = [outputs(w, x_train[:BATCH], 56, True, no_norm)[0] for w in starts]
up = [np.log10(tf.reduce_mean(out[-1] ** 2) / tf.reduce_mean(out[0] ** 2)) / 2 for out in signals]
claim("Through 27 residual blocks without normalisation, it grows by",
      **claims.mean_and_error(up, "starts"), above=1, unit="powers of ten", digits=1)  # fmt: skip

# %% [markdown]
# So a signal does vanish here, in the plain network without normalisation, mostly because of zeros at
# the edge of tiny pictures. (They do not take all of it, though the factors come so close: see section
# 7.) With shortcuts and without normalisation the signal grows from block to block.
#
# *Learned: look before you repeat an explanation. At the first weights, with batch normalisation, no
# gradient vanishes; in the plain network it grows on its way back.*
#
# ## 4. What is one block worth?
#
# Take a trained network and leave one block out, without training again: what comes in goes straight to
# the next block. (We leave out only blocks that keep the shape.)
#
# **Predict.** How many training digits will be named rightly, if one of the blocks is left out: in
# the plain network of 20 layers, and in the residual ones of 20 and 56?


# %%
def damage(kind, depth):
    n = lesson.blocks(depth)
    bar = tqdm(range(3 * n), desc=f"{kind} {depth}", leave=False, delay=1)
    return [right(kind, depth, *some, without=k) for k in bar if k not in (n, 2 * n)]


some = x_train[:256], y_train[:256]
nets = [("plain", 20), ("residual", 20), ("residual", 56)]
left = {f"{kind} {depth}": np.array(damage(kind, depth)) for kind, depth in nets}
whole = {f"{kind} {depth}": right(kind, depth, *some) for kind, depth in nets}
small.draw_deleted(plt.subplots(figsize=(11, 4.2))[1], left, whole)
plotting.show(small.TEXTS["deleted"])

# %%
claim("Without one of its blocks the plain network of 20 layers names rightly, on average",
      left["plain 20"].mean(), below=0.6)  # fmt: skip
claim("Without one of its blocks the residual network of 56 layers names rightly, on average",
      left["residual 56"].mean(), above=0.8, headline=True)  # fmt: skip

# %% [markdown]
# Take out a block of this plain network, and it breaks. (Section 6 asks whether every plain network
# does.) A residual one loses little on average, though an early block can count for more. Veit et al.
# (2016) suggest why. Write out two blocks, as if each $F$ were linear and had no ReLU behind it:
#
# $$x_2 = x_1 + F_2(x_1) = x + F_1(x) + F_2(x) + F_2(F_1(x)).$$
#
# There are four *paths*, since each block is either passed through or passed by. With $n$ blocks
# there are $2^n$, and leaving a block out cuts half of them.
#
# ### Exercise 4: how long are the paths?
#
# Which share, exactly, of all paths through a network of `n` blocks passes through at most
# `longest` of the branches?


# %%
def share_of_paths(n, longest): ...


exercises.q4.check(share_of_paths)
# exercises.q4.hint()  # and .solution()

# %% [markdown]
# With 27 blocks hardly any path passes through more than 20 branches. So, as far as
# the picture of linear blocks goes, a very deep residual network is a sum of many shallower ones.
#
# *Learned: a residual network has ways around each block, a plain network has none.*
#
# ## 5. The loss landscape
#
# "ResNet work because they smooth the parameter space", say the slides, with the pictures of Li et
# al. (2018). How does one draw a surface over 200,000 weights? Take the trained weights $w$ and two
# random directions $d, e$, and draw the loss at $w + a\,d + b\,e$.
#
# There is a trap. With normalisation a kernel may be ten times larger, and the network computes the
# same. A step of fixed length is then a small change for one network and a large one for another. So
# the directions are *[filter-normalised](../docs/glossary.md#filter-normalisation)*: each filter of
# $d$ gets the length of the same filter of $w$. γ, β and the bias stay as they are.


# %%
def direction(w, depth, draw):
    """A random direction, each filter as long as the network's own."""
    d = []
    for part in small.parts(w, depth):
        noise, axes = draw.normal(size=part.shape), tuple(range(part.ndim - 1))
        own, its = (np.sqrt(np.sum(np.square(v), axis=axes)) for v in (part, noise))
        d.append(noise * own / its if axes else 0 * noise)
    return small.join(d)


def landscape(loss, w, d, e, places, others):
    """The loss at w + a d + b e: a from left to right, b from row to row."""
    return np.array([[loss(w + a * d + b * e) for a in places] for b in others], float)


# %% [markdown]
# **The yardsticks.** Of a quadratic loss we know the landscape. And a network with ten times larger
# kernels must have the same landscape as before.

# %%
steps = np.linspace(-1, 1, 13)
d, e = np.eye(2)
claims.check("The landscape of a quadratic is the quadratic",
             landscape(lambda w: w[0]**2 + 3 * w[1]**2, np.array([1, 2]), d, e, steps, steps),
             (1 + steps) ** 2 + 3 * (2 + steps[:, None]) ** 2, within=1e-9)  # fmt: skip


@cache
def batch_loss(kind, depth):
    """The loss of a network as a function of its weights alone, on 64 training digits."""
    some = tf.constant(x_train[:BATCH]), tf.constant(y_train[:BATCH])
    height = tf.function(lambda w: loss(w, *some, depth, kind == "residual"), autograph=False)
    return lambda w: height(tf.cast(w, tf.float32))


found, here = [], trained["residual", 8]
for factor in (1, 10):
    scaled = [part * (factor if part.ndim == 4 else 1) for part in small.parts(here, 8)]
    w, draw = small.join(scaled), np.random.default_rng(SEED)
    d, e = direction(w, 8, draw), direction(w, 8, draw)
    found.append(landscape(batch_loss("residual", 8), w, d, e, steps[::6], steps[::6]))
claims.check("A network with ten times larger kernels has the same landscape",
             found[1], found[0], within=0.05)  # fmt: skip

# %% [markdown]
# **Predict.** Draw the loss along one direction through the trained weights, for plain and residual
# networks of 56 layers, and of 20. Which are smooth?

# %%
surfaces, lines, FINE = {}, {}, np.linspace(-1, 1, 17)


def walk(kind, depth):
    """The landscape in two directions, and the loss along five others."""
    w, height = trained[kind, depth], batch_loss(kind, depth)
    draw = np.random.default_rng(SEED)  # the same directions, but for the filters' lengths
    d, e, *more = (direction(w, depth, draw) for _ in range(7))
    rows = tqdm(steps, desc=f"{kind} {depth}", leave=False, delay=1)
    surfaces[kind, depth] = landscape(height, w, d, e, steps, rows)
    found = [landscape(height, w, d, 0 * d, FINE, [0])[0] for d in more]
    lines[kind, depth] = np.array(found)


for kind in JOINS:
    walk(kind, 20)

# %%
for kind in JOINS:
    walk(kind, 56)

# %%
small.draw_landscapes(plt.figure(figsize=(14, 8.4)), steps, surfaces)
plotting.show(small.TEXTS["landscapes"])

# %% [markdown]
# How rough is a line? "Smooth" needs a number. Walk along it and add up all changes of height. A
# valley changes by its two flanks, a crumpled line by more. Our *roughness* is the ratio: 1 for a
# valley, more where there are several, or a hill. It is *relative*: ripples of a hundredth of a nat
# count for much where the flanks are no higher.


# %% tags=["atol=1"]
def roughness(line):
    """Of each line (..., points)."""
    flanks = line[..., 0] + line[..., -1] - 2 * line.min(axis=-1)
    return np.abs(np.diff(line)).sum(axis=-1) / flanks


claims.check("The roughness of a valley is 1", roughness(np.square(steps)), 1, within=1e-9)
rough = {net: roughness(line) for net, line in lines.items()}
OVER = "directions of one network"
rougher = {d: claims.mean_and_error(rough["plain", d] - rough["residual", d], OVER)
           for d in (20, 56)}  # fmt: skip
print(f"56 layers: plain is rougher by {rougher[56]['value']:.1f} ± {rougher[56]['se']:.1f}")
claim("With 20 layers the roughness (changes over flanks) of plain exceeds residual by",
      **rougher[20], above=-0.3, below=0.3)  # fmt: skip

# %% [markdown]
# With 56 layers the residual network lies in a valley. The plain one lies on a plateau. On the common
# axis it looks flat, and yet it is the rougher of the two, since its flanks are so low. (The printed
# error is over five directions of one network; section 7 holds it for five seeds.) In nats it changes
# less than the residual one (section 7).
#
# And mind what is compared. The plain network of 56 layers has learned little, and its picture shows
# where it got stuck. With 20 layers *both* have learned, and both lie in a valley. A fair comparison
# needs networks in the same state: section 7 looks at all four before training. And seven directions
# of 200,000 show little.
#
# *Learned: ask what "smooth" measures, and compare networks in the same state. A landscape shows where
# a network is. It does not say why it got there.*
#
# ## 6. Five seeds, and would something cheaper have done?
#
# The stored table has five more seeds, 11 to 15: other starts, other batches, other digits to learn
# from. Each tried several rates for every network (section 8 prints who is best at an edge of
# its rates). There are four rivals that take too long here:
#
# * *for long*: the plain network of 56 layers for four times as many steps;
# * *Adam*: the same network for as many steps as before, each weight with its own length of step;
# * an *identity start*: the kernels shrink to a tenth, and the middle of each gets a 1 from a channel to
#   the same channel. So each convolution nearly passes on what it gets, and normalisation and ReLU act on that;
# * a residual network *without normalisation*, in which the last γ of each block starts at zero. So
#   $F = 0$ at the start (after SkipInit, De and Smith 2020).

# %%
tried = {f"{kind} {depth}, {RATES[kind, depth]}": curve for (kind, depth), curve in curves.items()}


def also(name, *run, rates=(0.01, 0.03, 0.1), **how):
    for rate in rates if IS_STORED else ():
        if f"{name}, {rate}" not in tried:
            tried[f"{name}, {rate}"] = train(*run, rate, **how)[1]


for kind in JOINS:
    also(f"{kind} 8", kind, 8, rates=(0.01, 0.03, 0.1, 0.3))
    also(f"{kind} 20", kind, 20)

# %%
also("plain 56", "plain", 56, rates=(0.003, 0.01, 0.03, 0.1))

# %%
also("residual 56", "residual", 56, rates=(0.003, 0.01, 0.03, 0.1))

# %%
also("plain 56 for long", "plain", 56, rates=(0.01,), steps=4 * STEPS)

# %%
also("plain 56 for long", "plain", 56, rates=(0.03,), steps=4 * STEPS)

# %%
also("plain 56 for long", "plain", 56, rates=(0.003,), steps=4 * STEPS)

# %%
also("plain 56 by Adam", "plain", 56, rates=(0.01, 0.03, 0.1), rule=small.adam)

# %%
also("identity start", "plain", 56, start=small.identity_start(first[56], 56, 0.1),
     rates=(0.01, 0.03, 0.1, 0.3))  # fmt: skip

# %%
also("not normalised", "residual", 56, start=small.silent_start(first[56], 56), norm=no_norm,
     rates=(0.03, 0.1, 0.3))  # fmt: skip

# %%
record = {
    "tried": {name: np.round(curve, 4).tolist() for name, curve in tried.items()},
    "test": {f"{kind} {depth}": round(share, 4) for (kind, depth), share in test.items()},
    "rough": {f"{kind} {depth}": round(float(r.mean()), 4) for (kind, depth), r in rough.items()},
    "left": {name: round(float(share.mean()), 4) for name, share in left.items()},
}

# %% [markdown]
# **Predict.** Which of the four come nearest to the residual network of 56 layers? And does a residual
# network need batch normalisation?

# %%
stored = data.stored_table("resnet")
losses = small.last_losses(stored)  # a row for each seed, a column for each (network, rate)
small.spread(losses)

# %% [markdown]
# (Median and range of the five seeds.) Below, each seed takes the rate that is best for the mean of
# the *other* four.

# %%
SEEDS = "stored seeds"
best = {name: small.tuned(losses[name]) for name in losses.columns.unique(0)}
degraded = np.log10(best["plain 56"] / best["residual 56"])
claim("With 56 layers, each at its best rate, the training loss, plain over residual, is larger by",
      **claims.mean_and_error(degraded, SEEDS), above=1, unit="powers of ten", digits=2,
      headline=True)  # fmt: skip
for text, name in (("After four times as many steps", "plain 56 for long"),
                   ("Trained by Adam", "plain 56 by Adam"),
                   ("With the identity start", "identity start")):  # fmt: skip
    above = np.log10(best[name] / best["residual 56"])
    claim(f"{text}, the training loss of plain 56 is still above that of residual 56, by",
          **claims.mean_and_error(above, SEEDS), above=0.3, unit="powers of ten",
          headline=name == "plain 56 for long")  # fmt: skip
claim("With the identity start the training loss of plain 56 is lower, by",
      **claims.mean_and_error(np.log10(best["plain 56"] / best["identity start"]), SEEDS),
      above=0.3, unit="powers of ten")  # fmt: skip
claims.check("Seeds in which residual 56 without normalisation ends below plain 56 with it",
             np.sum(best["not normalised"] < best["plain 56"]), 5)  # fmt: skip
for other in ("residual 56", "identity start"):
    more = claims.mean_and_error(np.log10(best["not normalised"] / best[other]), SEEDS)
    print(f"not normalised over {other}: {more['value']:.2f} ± {more['se']:.2f} powers of ten")

# %%
from sklearn.neighbors import KNeighborsClassifier

rightly = pd.DataFrame([seed["test"] for seed in stored])
claim("On test digits of the stored seeds, the share named rightly by 56 residual layers exceeds "
      "that of 8 plain ones by",
      **claims.mean_and_error(rightly["residual 56"] - rightly["plain 8"], SEEDS), below=0,
      digits=3, headline=True)  # fmt: skip
nearest = KNeighborsClassifier(1).fit(x_train.reshape(len(x_train), -1), y_train)
nearest = nearest.score(x_test.reshape(len(x_test), -1), y_test)
claim("On this run's test digits, the best of our networks exceeds the nearest training digit by",
      max(test.values()) - nearest, below=0.03, digits=3)  # fmt: skip

# %% [markdown]
# With **patience** (at a constant rate), or with **Adam** (best at the lowest of its rates), the plain
# network still ends more than twice as high as the residual one. **The identity start** more than halves
# its loss, for nothing. So a part of the trouble is how a plain network *begins*. We tried one strength of it.
# With finer starts, plain networks of 10,000 layers have been trained (Xiao et al. 2018). **Without
# normalisation**, and with branches that are silent at the start, the residual network ends below the
# plain one in every stored seed. But it comes no nearer than the identity start, and ends far above its twin with normalisation:
# here it needs it. On test digits **8 plain layers** are ahead of 56 residual ones. Naming each digit after
# the **nearest** training digit falls at most three in a hundred behind the best of our networks, and
# here it is ahead. Why the plain network fails remains open here.
#
# Back to section 4. **Predict.** Without one block, the plain network of 20 layers broke. Will it
# break as well if it began with the identity start?

# %%
begin = small.identity_start(first[20], 20, 0.1)
trained["identity start", 20], _ = train("plain", 20, 0.03, start=begin)
claim("Without one of its blocks, plain 20 from the identity start names rightly, on average",
      np.mean(damage("identity start", 20)), above=0.8)  # fmt: skip

# %% [markdown]
# It does not. So a way around each block is not needed for this. A start near the identity is enough.
#
# *Learned: with batch normalisation, the shortcut mends depth. Four times the steps do not, and our
# identity start does in part. Where 8 layers are enough, nothing needs mending.*
#
# ### Exercise 5: word for word
#
# True or false? Quotation marks: from the slides.
#
# - (a) The paper is "He et al., 2015, Deep Residual Networks for Image Recognition".
# - (b) "The problem has been recently solved (2014 …) with skip connections and residual blocks": the
#   residual block is of 2014.
# - (c) Before training, the gradient of the weights of a deep plain network with batch normalisation
#   grows on its way back.
# - (d) A plain and a residual network of equal depth can start from the same vector of weights.
# - (e) Without two of its blocks, a residual network keeps a quarter of its paths.
# - (f) The landscapes of 56 layers prove that residual networks train well *because* theirs is
#   smooth.

# %%
verdicts = {"a": ..., "b": ..., "c": ..., "d": ..., "e": ..., "f": ...}
exercises.q5.check(verdicts)
# exercises.q5.hint()  # and .solution()

# %% [markdown]
# ## Summary
#
# The sentences of this lesson with their numbers; the other claims are folded below them.

# %% tags=["atol=0.8"]
claim

# %% [markdown]
# **What to remember.** Depth can fail in training, and with batch normalisation one addition mends it.
# The failure is not overfitting, and with batch normalisation it does not begin with vanishing gradients.
# Do you need the depth? Ask that first.
#
# ## 7. Further: section 3, followed up
#
# **The rim.** In front of each layer the picture has another map of mean squares. With zeros beyond
# the edge, the mean square behind a pixel is the mean over its nine neighbours (variance $2/(9C)$,
# and half of it after the ReLU). No chance is left in this: it is the average over all first weights.
#
# **Predict.** Carried along through 54 layers: do the edges take more or less than the factors of
# exercise 3, multiplied?


# %% tags=["atol=0.1"]
def darker(q, stride=1):
    """The map of mean squares (side, side) behind a convolution and its ReLU."""
    nine = np.full((3, 3, 1, 1), 1 / 9)
    return conv(q[None, ..., None], nine, stride).numpy()[0, ..., 0]


q = np.ones((8, 8))
claims.check("The first layer's factor is that of exercise 3",
             darker(q).mean(), small.share_inside(8), within=1e-9)  # fmt: skip
for number in range(54):
    q = darker(q, 2 if number in (18, 36) else 1)
carried = np.log10(q.mean()) / 2
print(f"The rim carried along: {carried:.2f} powers of ten; multiplied: {edges:.2f}")
left_over = claims.mean_and_error(falls["zeros"] - carried)
print(f"not explained by the edges: {left_over['value']:.1f} ± {left_over['se']:.1f}")

# %% [markdown]
# Less. What is left has the sign of the drift of *most* networks (section 1 of
# `training_deep_networks`).
#
# **The explosion.** `training_deep_networks` (section 7) gives a reason why it might not last. Behind
# a normalisation a huge gradient makes a kernel long, and a long kernel has a small gradient.
#
# **Predict.** After five steps at the rate of section 2: by how many powers of ten is the gradient
# of layer 2 still larger than that of layer 55?


# %% tags=["atol=1"]
def sizes(vector):
    """Of layer 2 over layer 55, log10 of the norm of what belongs to the kernel."""
    kernels = small.kernels(vector, 56)
    return np.log10(np.linalg.norm(kernels[1]) / np.linalg.norm(kernels[-1]))


def first_steps(w, steps=6):
    """In each step `sizes` of the gradient and of the weights."""
    velocity, seen = 0, []
    for now in small.batches(len(x_train), BATCH, steps, np.random.default_rng(SEED)):
        _, dw = slope("plain", 56, small.batch_norm)(w, x_train[now], y_train[now])
        seen.append([sizes(dw), sizes(w)])
        velocity = 0.9 * velocity + dw
        w = w - RATES["plain", 56] * velocity
    return seen


early = np.array([first_steps(w) for w in tqdm(starts[:3], leave=False, delay=1)])
columns = ["gradient", "kernel"]
table = pd.DataFrame(early.mean(axis=0), 1 + np.arange(6), columns)
table.rename_axis("step: layer 2 over 55, log10").round(1)

# %% tags=["atol=1"]
_, dw = slope("plain", 56, small.batch_norm)(trained["plain", 56], x_train[:BATCH], y_train[:BATCH])
print(f"after training: gradient {sizes(dw):.1f}, kernel {sizes(trained['plain', 56]):.1f}")
claim("In five steps the plain network's gradient of layer 2 over that of layer 55 falls by",
      **claims.mean_and_error(early[:, 0, 0] - early[:, -1, 0], "starts"), above=1,
      unit="powers of ten", digits=1)  # fmt: skip
claim("Meanwhile its kernel of layer 2 over that of layer 55 grows by",
      **claims.mean_and_error(early[:, -1, 1] - early[:, 0, 1], "starts"), above=0.5,
      unit="powers of ten", digits=1)  # fmt: skip

# %% [markdown]
# So the explosion belongs to the start: within a few steps it is gone, or nearly, while the
# kernels at the front have grown. Two numbers stand for the end of the training, on this page's one
# network; what lies between was not looked at. None of it shows why the plain network fails.
# (Balduzzi et al. 2017 look for the reason in how the gradients of neighbouring pictures differ.)
#
# **The landscape before training.** Now all four networks are in the same state: not trained at all,
# and from the same vector for each depth.
#
# **Predict.** Whose lines are rougher, relative to their flanks, plain or residual? And is the plain
# network of 20 layers, which does learn, as smooth as the residual ones?

# %%
untrained = {}
for kind, depth in (("plain", 20), ("residual", 20), ("plain", 56), ("residual", 56)):
    height, draw = batch_loss(kind, depth), np.random.default_rng(SEED)
    w, none = first[depth], 0 * first[depth]
    ways = [direction(w, depth, draw) for _ in range(3)]
    bar = tqdm(ways, desc=f"{kind} {depth}", leave=False, delay=1)
    found = np.array([landscape(height, w, d, none, FINE, [0])[0] for d in bar])
    untrained[kind, depth] = roughness(found)
    shown = claims.mean_and_error(untrained[kind, depth])
    print(f"{kind} {depth}: roughness {shown['value']:.2f} ± {shown['se']:.2f}, all ups and downs "
          f"{np.abs(np.diff(found)).sum(axis=1).mean():.1f} nats")  # fmt: skip

# %%
more = untrained["plain", 56] - untrained["residual", 56]
claim("Before training, the roughness of the plain network of 56 layers is larger by",
      **claims.mean_and_error(more, OVER), above=0.3)  # fmt: skip
rough_stored = pd.DataFrame([seed["rough"] for seed in stored])
for depth, bounds in ((56, {"above": 0.3}), (20, {"above": -0.2, "below": 0.2})):
    more = rough_stored[f"plain {depth}"] - rough_stored[f"residual {depth}"]
    claim(f"After training, of {depth} layers, the plain network is rougher than the residual one, "
          "relative to its flanks, by", **claims.mean_and_error(more, SEEDS), **bounds)  # fmt: skip
changes = {net: np.abs(np.diff(line)).sum(axis=1).mean() for net, line in lines.items()}
claim("After training all ups and downs of residual 56, in nats, exceed those of plain 56 by",
      changes["residual", 56] - changes["plain", 56], above=1, digits=1, unit="nats")  # fmt: skip

# %% [markdown]
# So the slides have a point here: relative to its flanks, the landscape of 56 layers is smoother with
# shortcuts, before any training. But look at the printed roughness of the plain network of 20 layers:
# it is rougher than the residual ones, and learns all the same. No cell shows that smoothness is *why*
# residual networks train.
#
# ## 8. Further: every rate, and what it costs
#
# **Try it.** Choose a network of 56 layers: the training loss of all five stored seeds, a line for
# each, at every rate that was tried. Which networks forgive a wrong rate?


# %% tags=["nbval-ignore-output"]
explorers.gallery(
    lambda network: small.draw_rates(stored, network),
    network=[name for name in best if not name.endswith((" 8", " 20"))],
)

# %% [markdown]
# Look at the largest rate of the residual network of 56 layers: how far apart do the five seeds end? For
# 8 and 20 layers see the table of section 6.
#
# Are the rates of section 2 the right ones? And do the runs of this page agree with the stored ones?

# %% tags=["atol=0.3"]
means = losses.mean()
chosen = {name: means[name].idxmin() for name in best}
lost = [losses[f"{kind} {depth}", rate].mean() - means[f"{kind} {depth}"].min()
        for (kind, depth), rate in RATES.items()]  # fmt: skip
claim("Of our six networks none would gain more by another of its rates, in nats, than",
      max(lost), below=0.15)  # fmt: skip
for name, rate in chosen.items():
    if rate in (min(means[name].index), max(means[name].index)):
        second = means[name].nsmallest(2).iloc[1] - means[name].min()
        print(
            f"{name} is best at an edge of its rates, {rate}, {second:.2f} nats before the second"
        )
for (kind, depth), rate in RATES.items():
    column = losses[f"{kind} {depth}", rate]
    print(f"{kind} {depth}: here {final[kind, depth]:.2f}, stored {column.min():.2f} to "
          f"{column.max():.2f} nats")  # fmt: skip
left_stored = pd.DataFrame([seed["left"] for seed in stored])
claim("Without one block, of 20 layers, the residual network names a larger share rightly by",
      **claims.mean_and_error(left_stored["residual 20"] - left_stored["plain 20"], SEEDS),
      above=0.4)  # fmt: skip

# %% [markdown]
# A network that is best at an edge of its rates might gain by going on. The lines with "here" and "stored"
# have no verdict: even if all six seeds are alike, this page's one lies outside the range of the five stored
# ones in a third of all cases.
#
# ### Exercise 6: count the parameters
#
# A 3 × 3 convolution to `filters[0]` channels; three stages of `n = (depth - 2) / 6` blocks, each of
# two 3 × 3 convolutions; the mean over all pixels; a dense layer with bias. No convolution has a
# bias, and each is followed by a γ and a β for every filter. `filters` are those of the stages, such
# as `(8, 16, 32)`. If `projection` is true, the two shortcuts at which a new stage begins are of
# option B: 1 × 1 convolutions, followed by a γ and a β, too. How many parameters are there?


# %%
def count(depth, filters, channels, classes, projection): ...


exercises.q6.check(count)
# exercises.q6.hint()  # and .solution()

# %% [markdown]
# **Predict.** 56 layers are 2.8 times 20. Are there more or fewer than 2.8 times as many parameters?
# And by how many per cent do projections add to 56 layers?


# %%
def parameters(depth, filters=(8, 16, 32), channels=1, classes=10, projection=False):
    sizes = [channels, filters[0]] + [f for f in filters for _ in range(2 * lesson.blocks(depth))]
    total = sum(9 * a * b + 2 * b for a, b in pairwise(sizes)) + (filters[-1] + 1) * classes
    return total + projection * sum((a + 2) * b for a, b in pairwise(filters))


for depth in (8, 20, 56):
    claims.check(f"The formula counts the numbers in w, {depth} layers",
                 len(small.first_weights(depth, rng)), parameters(depth))  # fmt: skip
for depth, paper in ((20, 0.27), (32, 0.46), (56, 0.85)):
    claims.check(f"With 16, 32, 64 filters, {depth} layers have as many million as the paper says",
                 parameters(depth, (16, 32, 64), 3) / 1e6, paper, within=0.006)  # fmt: skip
more = parameters(56, projection=True) / parameters(56) - 1
print(f"56 over 20 layers: {parameters(56) / parameters(20):.2f} times; projections add {more:.1%}")

# %% [markdown]
# More: the block that opens a stage has fewer parameters than those after it,
# and only blocks of the larger kind are added. Option A adds nothing.
#
# ## 9. Further: dense connections
#
# Why add, and not keep everything? In a *[dense block](../docs/glossary.md#dense-block)* (Huang et
# al. 2017, on the slides beside the ResNets) each layer gets what *all* layers before it have made,
# side by side as channels, and adds a few channels of its own. The price: the channels grow with the
# depth. Beside it stands a plain twin of equal depth, with about as many parameters.
#
# **Predict.** At 10 layers, does the dense one train better than its twin?


# %%
def ten_layers(dense):
    x = inputs = keras.Input((8, 8, 1))
    for block in range(3):
        for _ in range(3):
            h = layers.Conv2D(8 if dense else 17, 3, padding="same", use_bias=False)(x)
            h = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(h))
            x = layers.Concatenate()([x, h]) if dense else h
        x = layers.AveragePooling2D(2)(x) if block < 2 else x
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


ends = {}
for name, dense in (("dense", True), ("plain twin", False)):
    keras.utils.set_random_seed(SEED)
    model = ten_layers(dense)
    cost = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), cost)
    history = training.fit(model, x_train, y_train, 3, BATCH, name, every=EPOCH)
    ends[name] = history["loss"][-1]
    print(f"{name}: {model.count_params():,} parameters")

# %% tags=["atol=0.2"]
print(f"training loss of the plain twin: {ends['plain twin']:.2f} nats")
claim("The training loss of the dense network of 10 layers", ends["dense"], below=0.3, unit="nats")

# %% [markdown]
# *Learned: a dense block keeps what it has made, and pays in channels. On one seed and at one rate
# both train at 10 layers, and such a run is too little to rank them.*
#
# ### Further reading
#
# * K. He, X. Zhang, S. Ren, J. Sun: *Deep Residual Learning for Image Recognition*, arXiv:1512.03385
#   (2015).
# * R. K. Srivastava, K. Greff, J. Schmidhuber: *Highway Networks*, arXiv:1505.00387 (2015).
# * K. He, X. Zhang, S. Ren, J. Sun: *Identity Mappings in Deep Residual Networks*, ECCV 2016:
#   normalisation and ReLU before the convolutions (*pre-activation*).
# * A. Veit, M. Wilber, S. Belongie: *Residual Networks Behave Like Ensembles of Relatively Shallow
#   Networks*, NeurIPS 2016. Section 4.
# * D. Balduzzi et al.: *The Shattered Gradients Problem: If ResNets Are the Answer, Then What Is the
#   Question?*, ICML 2017.
# * H. Li, Z. Xu, G. Taylor, C. Studer, T. Goldstein: *Visualizing the Loss Landscape of Neural Nets*,
#   NeurIPS 2018. Section 5.
# * L. Xiao et al.: *Dynamical Isometry and a Mean Field Theory of CNNs: How to Train 10,000-Layer
#   Vanilla Convolutional Neural Networks*, ICML 2018. Section 6.
# * G. Yang et al.: *A Mean Field Theory of Batch Normalization*, ICLR 2019. Section 3.
# * S. De, S. L. Smith: *Batch Normalization Biases Residual Blocks Towards the Identity Function in
#   Deep Networks*, NeurIPS 2020. H. Zhang, Y. N. Dauphin, T. Ma: *Fixup Initialization: Residual
#   Learning Without Normalization*, ICLR 2019. Section 6.
# * G. Huang, Z. Liu, L. van der Maaten, K. Q. Weinberger: *Densely Connected Convolutional Networks*,
#   CVPR 2017.
#
# ## Further: ResNet-20 on CIFAR-10, in full
#
# Photographs of 32 × 32 pixels in ten classes, with the recipe of the paper: option-A shortcuts,
# pictures that are shifted and mirrored at random, a rate that falls twice, 64,000 steps. He et al.
# (Table 6) report an error of 8.75 % with 20 layers, 6.97 % with 56. This was *not* measured here: on
# two processor cores a step takes about a second, and the run most of a day. A stopped run goes on
# where it was. Several GPUs of one machine share each batch with `devices=2`. As a command, on a
# server:
#
# ```
# python -m course_utils.lessons.resnet --depth 20 --folder runs/resnet20
# ```
#
# The cell below needs the data set and is stored without output. Without a GPU it takes only a few
# steps.

# %% tags=["needs-download", "data=cifar10", "nbval-ignore-output"]
cifar = data.load_cifar10()
run = lesson.train(
    (cifar.x[: data.CIFAR10_TRAIN], cifar.y[: data.CIFAR10_TRAIN]),
    (cifar.x[data.CIFAR10_TRAIN :], cifar.y[data.CIFAR10_TRAIN :]),
    folder="runs/resnet20",
    depth=20,
    steps=course_utils.budget(cpu=20, gpu=64_000),
)
print(run)
