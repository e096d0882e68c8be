# %% [markdown]
# # ResNet: why depth failed, and what skip connections do
#
# **A deeper network contains the shallower one. So why is it worse, even on its own training data?**
#
# Give a good network more layers. The new ones could do nothing at all, so the deeper network can be at least
# as good. It was a surprise that it is not: beyond some twenty layers, more made networks worse. In 2015 one
# line of code changed that, `x + F(x)`, and networks of hundreds of layers became common. You will watch depth
# fail, mend it with that line, and test three explanations that are often given.
#
# ![Two loss landscapes as surfaces: without skip connections crumpled, with them a smooth
# valley.](figures/resnet.png)
#
# | | |
# | --- | --- |
# | **Slides** | *Machine learning for astrophysics: deep learning*, skip connections and residual blocks, to the loss landscapes |
# | **You will be able to** | write a residual block and choose its shortcut; count its parameters; tell degradation from overfitting and from vanishing gradients; draw a loss landscape that may be compared with another |
# | **You need** | convolutions, from wherever you know them; batch normalisation (lesson *training_deep_networks*); gradient descent (*optimizers*) |
# | **Time** | 95 minutes, and 5 more for what is marked *further* |

# %% tags=["nbval-ignore-output"]
import course_utils

SEED = course_utils.setup(seed=1)

# %%
from itertools import pairwise

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers, ops
from sklearn.model_selection import train_test_split
from tqdm.auto import tqdm

from course_utils import claims, data, explorers, plotting, training
from course_utils.exercises import resnet as exercises
from course_utils.lessons import resnet as lesson

claim = claims.Claims()
rng = np.random.default_rng(SEED)

# %% [markdown]
# The budget of this run. The pictures are digits of 8 × 8 pixels, so that 56 layers train within a lecture.

# %%
EPOCHS, BATCH, RATE = 6, 64, 0.03
GRID = 11  # points along each side of a loss landscape
digits = data.load_digits()
x, y = digits.x[..., None] / 16, digits.y
x_train, x_test, y_train, y_test = train_test_split(
    x, y, train_size=1_408, stratify=y, random_state=SEED
)

# %% [markdown]
# ## 1. One line of code
#
# A *block* is two [convolutions](../docs/glossary.md#convolution) of 3 × 3 pixels, each followed by batch normalisation, with a ReLU between them.
# (*Batch normalisation* subtracts from each [channel](../docs/glossary.md#channel) its mean over the batch and divides by its standard deviation,
# then multiplies by a learned γ and adds a learned β. Moving averages of mean and variance are kept, for use
# after training.) Call all this $F$. A *plain* network passes on $\mathrm{relu}(F(x))$. A *residual* one adds the
# input first:
#
# $$\mathrm{relu}\big(x + F(x)\big)$$
#
# The block now learns only what is to be *changed* about $x$, the residual. To leave $x$ alone, it need only
# learn $F = 0$. The way around $F$ is the *skip connection* or *shortcut*. We write $h$ for $F(x)$.
#
# ### Exercise 1: the wrong side of the addition
#
# Somebody ended the residual block with `x + relu(h)`. What can such a block never do to `x`? Repair it:
# write `join(x, h)` as in the original block, for two NumPy arrays of one shape.


# %%
def join(x, h): ...  # was: x + np.maximum(h, 0)


exercises.q1.check(join)
# exercises.q1.hint()  # and .solution()


# %%
def conv(filters, stride=1):
    """3 x 3 pixels, no bias: the normalisation that follows would take it away again."""
    return layers.Conv2D(filters, 3, stride, "same", use_bias=False, kernel_initializer="he_normal")


def norm():
    return layers.BatchNormalization(momentum=0.9)  # 0.99 would need more steps than we take


def branch(filters, stride=1, norm=norm):
    """F: convolution, normalisation, ReLU, convolution, normalisation."""
    return keras.Sequential([conv(filters, stride), norm(), layers.ReLU(), conv(filters), norm()])


def plain(x, h):
    return ops.relu(h)


def residual(x, h):
    return ops.relu(x + h)


# %% [markdown]
# A *stage* is a row of blocks of one shape. Where a new one begins, $F$ halves the picture ([`stride=2`](../docs/glossary.md#stride)) and doubles
# the channels. Then $x$ and $F(x)$ have different shapes. He et al. try two shortcuts. *Option A* takes
# every second pixel and fills the new channels with zeros: no parameters. *Option B* is a *projection*, a 1 × 1
# convolution: it has some.
#
# ### Exercise 2: a shortcut whose shapes do not fit
#
# Write option A in NumPy: of `x`, of shape `(N, H, W, C)`, keep every second row and column (0, 2, 4, ...), and
# behind the old channels put channels of zeros until there are `filters` of them. `H` and `W` are even.


# %%
def shortcut(x, filters): ...


exercises.q2.check(shortcut)
# exercises.q2.hint()  # and .solution()


# %%
def option_a(x):
    x = x[:, ::2, ::2]
    return ops.pad(x, ((0, 0), (0, 0), (0, 0), (0, x.shape[-1])))


def option_b(filters):
    return layers.Conv2D(filters, 1, strides=2, use_bias=False)


wide = ops.ones((1, 8, 8, 16))
h = branch(32, stride=2)(wide)
print("x", wide.shape, " F(x)", h.shape, " option A", option_a(wide).shape)
projection = option_b(32)
print("option B", projection(wide).shape, "with", projection.count_params(), "parameters")

# %% [markdown]
# **Does nothing, exactly?** A year later the authors moved normalisation and ReLU *before* the convolutions
# (*pre-activation*), so that nothing stands on the way of $x$ any more. If the last γ and β are zero, such a
# block is the identity, whatever its other weights are. The original block is not quite.
#
# **Predict.** What does the original block do to $x$, if $F(x) = 0$?


# %%
def pre_activation(x, last):
    h = conv(16)(ops.relu(norm()(x)))
    return x + conv(16)(ops.relu(last(h)))


any_x = rng.normal(size=(32, 8, 8, 16)).astype("float32")
silent = layers.BatchNormalization(gamma_initializer="zeros", beta_initializer="zeros")
claims.check(
    "A pre-activation block whose last γ and β are 0 leaves x as it is",
    pre_activation(any_x, silent), any_x, within=1e-7)  # fmt: skip
after = residual(any_x, 0.0)
print(f"original block, F(x) = 0: share of numbers changed {np.mean(after != any_x):.2f}")

# %% [markdown]
# The original one ends in a ReLU, which cuts what is negative. But what enters a block has just come out of a ReLU:
# so with $F(x) = 0$ it passes unchanged, and inside the network that block, too, is the identity.
#
# *Learned: with a shortcut, doing nothing is easy: F = 0. A plain block would have to learn the identity.*
#
# ## 2. The network, and its parameters
#
# The networks of He et al. for small pictures have $6n + 2$ layers: a first convolution, three stages of $n$
# blocks with two convolutions each, and a dense layer. The second and the third stage begin by halving the picture
# and doubling the [filters](../docs/glossary.md#kernel). Ours have 8, 16 and 32 filters.
#
# TensorFlow takes long to write down 56 layers, one by one. Blocks of one shape are alike, so
# `lesson.Blocks` keeps the weights of $n$ of them in one array and has the block written down once. It is told
# how to join $x$ and $F(x)$: `plain` or `residual`.


# %%
class Network(keras.Model):
    def __init__(self, depth, join, normalise=True):
        super().__init__()
        n, self.join, filters = lesson.blocks(depth), join, (8, 16, 32)
        norms = norm if normalise else layers.Identity
        self.stem = keras.Sequential([conv(8), norms(), layers.ReLU()])
        self.downs = [branch(f, stride=2, norm=norms) for f in filters[1:]]
        self.stages = [
            lesson.Blocks(n - (k > 0), f, join, normalise) for k, f in enumerate(filters)
        ]
        self.head = layers.Dense(10)
        self(x_train[:1])

    def outputs(self, x, training=False):
        """What comes out of the first convolution and of each block."""
        out = [self.stem(x, training=training)]
        for down, stage in zip([None, *self.downs], self.stages):
            if down:
                out.append(self.join(option_a(out[-1]), down(out[-1], training=training)))
            out += stage.outputs(out[-1], training=training)
        return out

    def logits(self, features):
        return self.head(ops.mean(features, axis=(1, 2)))  # the mean over all pixels

    def call(self, x, training=False):
        return self.logits(self.outputs(x, training)[-1])


# %% [markdown]
# ### Exercise 3: count the parameters
#
# Our network: a 3 × 3 convolution; three stages of `n = (depth - 2) / 6` blocks, each of two 3 × 3
# convolutions; the mean over all pixels; a dense layer with bias. A convolution has no bias, and batch
# normalisation, with its γ and β, follows it. Shortcuts have no weights. How many *trainable* parameters?
# `filters` are those of the three stages, such as `(8, 16, 32)`; the first convolution has `filters[0]`.


# %%
def count(depth, filters, channels, classes): ...


exercises.q3.check(count)
# exercises.q3.hint()  # and .solution()

# %% [markdown]
# **Predict.** 56 layers are 2.8 times 20. Are there more or fewer than 2.8 times as many parameters?


# %%
def count(depth, filters=(8, 16, 32), channels=1, classes=10):
    """Kernels, a gamma and a beta for each filter, and the dense layer."""
    sizes = [channels, filters[0]] + [f for f in filters for _ in range(2 * lesson.blocks(depth))]
    convolutions = sum(9 * a * b + 2 * b for a, b in pairwise(sizes))
    return convolutions + filters[-1] * classes + classes


rows = []
for depth in (8, 20, 56):
    found = [sum(int(np.prod(w.shape)) for w in Network(depth, join).trainable_variables)
             for join in (plain, residual)]  # fmt: skip
    rows.append((f"digits, {depth}", count(depth), *found))
for depth, paper in ((20, 0.27), (32, 0.46), (56, 0.85)):
    found = sum(int(np.prod(w.shape)) for w in lesson.network(depth).trainable_variables)
    rows.append((f"CIFAR-10, {depth}", count(depth, (16, 32, 64), 3), np.nan, found))
    claims.check(f"ResNet-{depth} for CIFAR-10 has as many million parameters as the paper says",
                 found / 1e6, paper, within=0.006)  # fmt: skip
columns = ["layers", "formula", "plain", "residual"]
table = pd.DataFrame(rows, columns=columns).set_index("layers")
claims.check("The formula counts the parameters of all networks",
             table.sub(table["formula"], axis=0).stack().dropna(), 0)  # fmt: skip
table.map("{:,.0f}".format).replace("nan", "–")

# %% [markdown]
# More: the block that opens a stage has fewer parameters than those after it, and only these are added. The shortcut
# is free. So plain and residual networks of one depth are compared at equal size and nearly equal work.
#
# ## 3. Depth fails
#
# All networks of one depth are trained side by side, on the same batches: their losses are added, but they share no
# weight, so that each goes its own way. The optimiser is that of He et al., gradient descent with momentum;
# unlike theirs, the learning rate α falls along half a cosine, and the training is short: about a hundred steps.
#
# **Predict.** After equal training: which of 8, 20, 56 layers has the lowest *training* loss, plain and residual?


# %%
class SideBySide(keras.Model):
    def __init__(self, networks):
        super().__init__()
        self.networks = networks
        self.built = True

    def call(self, x, training=False):
        return ops.stack([net(x, training=training) for net in self.networks], axis=1)


def cross_entropies(y, logits):
    """Of K networks, (N, K), from labels (N,) and logits (N, K, 10)."""
    return ops.sparse_categorical_crossentropy(
        ops.repeat(y[:, None], logits.shape[1], axis=1), logits, from_logits=True
    )


def train(networks, description, rates=None):
    """Train each network by itself, and return its training loss in each epoch."""
    scale = np.array(rates or [RATE] * len(networks), "float32") / RATE  # as good as another rate
    steps = len(x_train) // BATCH  # in an epoch
    rate = keras.optimizers.schedules.CosineDecay(RATE, EPOCHS * steps)
    model = SideBySide(list(networks.values()))
    own = [keras.metrics.MeanMetricWrapper(lambda y, z, k=k: cross_entropies(y, z)[:, k], name=name)
           for k, name in enumerate(networks)]  # fmt: skip
    model.compile(keras.optimizers.SGD(rate, momentum=0.9), metrics=own,
                  loss=lambda y, z: ops.sum(scale * cross_entropies(y, z), axis=1))  # fmt: skip
    history = training.fit(model, x_train, y_train, EPOCHS, BATCH, description, every=steps)
    return {name: history[name] for name in networks}


def cross_entropy(network, x, y, training=False):
    return ops.mean(cross_entropies(y, network(x, training=training)[:, None]))


JOINS = {"plain": plain, "residual": residual}
nets, curves = {}, {}
for depth in (8, 20):
    keras.utils.set_random_seed(SEED)
    pair = {f"{name} {depth}": Network(depth, join) for name, join in JOINS.items()}
    curves |= train(pair, f"{depth} layers")
    nets |= pair

# %%
keras.utils.set_random_seed(SEED)
pair = {f"{name} 56": Network(56, join) for name, join in JOINS.items()}
at_start = {name: net.get_weights() for name, net in pair.items()}
curves |= train(pair, "56 layers")
nets |= pair

# %%
epochs = np.arange(1, EPOCHS + 1)
fig, ax = plt.subplots(figsize=(9, 4.4))
for i, (letter, name) in enumerate(exercises.CURVES.items()):
    ax.semilogy(epochs, curves[name], "o-", color=f"C{i}", label=letter)
ax.set(xlabel="epoch", ylabel="training loss in nats", xticks=epochs)
ax.legend(title="network")
plotting.show("Training losses of four networks, A to D; C hardly falls, B and D end lowest.")

# %% [markdown]
# ### Exercise 4: which curve is which?
#
# The figure shows the *training* loss of four networks, trained alike on the same digits: 20 or 56 layers,
# plain or residual. Which curve is which? The names are "plain 20", "plain 56", "residual 20" and
# "residual 56". Two of the curves end alike: look at how they start.

# %%
prediction = {
    "A": ...,
    "B": ...,
    "C": ...,
    "D": ...,
}

exercises.q4.check(prediction)
# exercises.q4.hint()  # and .solution()

# %%
fig, axes = plt.subplots(1, 2, figsize=(13, 4.4), sharey=True)
for ax, kind in zip(axes, JOINS):
    for i, depth in enumerate((8, 20, 56)):
        ax.semilogy(epochs, curves[f"{kind} {depth}"], "o-", color=f"C{i}", label=f"{depth} layers")
    ax.set(title=kind, xlabel="epoch", xticks=epochs)
axes[0].set_ylabel("training loss in nats")
axes[1].legend()
plotting.show(
    "Training losses. Plain networks: the deeper, the higher, and 56 layers hardly fall. Residual ones "
    "all fall, those of 20 and 56 layers lowest."
)

# %% tags=["atol=0.3"]
final = {name: float(cross_entropy(net, x_train, y_train)) for name, net in nets.items()}
accuracy = {
    name: (net(x_test).numpy().argmax(axis=1) == y_test).mean() for name, net in nets.items()
}
pd.DataFrame({"training loss": final, "test accuracy": accuracy}).round(2)

# %% tags=["atol=0.4"]
ratio = final["plain 56"] / final["residual 56"]
claim("With 56 layers the plain network's training loss is larger than the residual one's",
      np.log10(ratio), above=1, unit="powers of ten", digits=1, headline=True)  # fmt: skip
gap = {kind: final[f"{kind} 56"] - final[f"{kind} 20"] for kind in JOINS}
claim("From 20 to 56 layers (a rise of at least 0.01 nats) the plain network loses more",
      np.log10(gap["plain"] / max(gap["residual"], 0.01)), above=0.7, unit="powers of ten",
      digits=1)  # fmt: skip
claim("From 20 to 56 layers the training loss of the plain network rises by",
      gap["plain"], above=0.5, unit="nats", digits=1, headline=True)  # fmt: skip

# %% [markdown]
# Plain: 8 layers are best, 56 worst by far. Residual: 20 are best, 56 close behind. This is not [overfitting](../docs/glossary.md#overfitting): the deep
# plain network is bad on the pictures it is *trained* on. It is *degradation*, here in an extreme form. (He et al.
# took 64,000 steps; their plain networks of 56 layers did learn, only worse than those of 20.) One addition, without
# a parameter, all but removes it.
#
# Is the comparison fair? The learning rate might suit the residual network better. So the plain one may try two
# others. (A loss that is multiplied by a number has the same effect as a rate that is.)

# %%
retried = {}
for rate in (0.01, 0.1):
    keras.utils.set_random_seed(SEED)  # the same start
    retried[f"plain 56, α = {rate}"] = Network(56, plain)
curves |= train(retried, "other rates", rates=[0.01, 0.1])

# %% tags=["atol=0.6"]
final |= {name: float(cross_entropy(net, x_train, y_train)) for name, net in retried.items()}
best = min(loss for name, loss in final.items() if name.startswith("plain 56"))
claim("With the best of three rates, too, the plain network's training loss is larger",
      np.log10(best / final["residual 56"]), above=0.5, unit="powers of ten",
      digits=1)  # fmt: skip
print(*(f"{name}: {loss:.2f}" for name, loss in final.items() if "56" in name), sep="\n")

# %% [markdown]
# One seed is an anecdote, too: section 7 shows five.
#
# *Learned: more layers can make training worse; a shortcut around each block mends it.*
#
# ## 4. Is it vanishing gradients?
#
# Many slides, ours too, say that deep networks were hard to train because of *vanishing or exploding gradients*, and
# that skip connections solved the problem. He et al. doubted it: with batch normalisation, they wrote, gradients
# keep healthy norms. We look. After each block we take the gradient of the loss with respect to what comes out,
# and its norm: how strongly does the loss feel this block? We compare the first block with the last, before
# training and after.
#
# **Predict.** In the plain network of 56 layers, before training: is the gradient at the first block smaller than at
# the last, equal, or larger?


# %%
def gradient_norms(network):
    """Norms of the loss's gradient with respect to the output of the first convolution and each block."""
    before = network.get_weights()  # training mode moves the averages
    with tf.GradientTape() as tape:
        out = network.outputs(ops.convert_to_tensor(x_train[:256]), training=True)
        loss = ops.mean(cross_entropies(y_train[:256], network.logits(out[-1])[:, None]))
    norms = np.array([np.linalg.norm(g) for g in tape.gradient(loss, out)])
    network.set_weights(before)
    return norms


norms = {}
for name, net in pair.items():
    norms[name, "after training"] = gradient_norms(net)
    after = net.get_weights()
    net.set_weights(at_start[name])
    norms[name, "before training"] = gradient_norms(net)
    net.set_weights(after)

fig, axes = plt.subplots(1, 2, figsize=(13, 4.4), sharey=True)
for ax, when in zip(axes, ("before training", "after training")):
    for i, name in enumerate(pair):
        ax.semilogy(norms[name, when], color=f"C{i}", label=name)
    ax.set(title=when, xlabel="block (0: the first convolution)")
axes[0].set_ylabel("norm of the gradient")
axes[0].legend()
plotting.show(
    "Norms of the gradient over the blocks, logarithmic. Before training that of the plain network "
    "rises steeply from the last block to the first; the residual one's changes far less."
)

# %%
growth = {
    name: np.log10(n[0] / n[-1]) for (name, when), n in norms.items() if when == "before training"
}
claim("Before training, the plain network's gradient grows from the last block to the first",
      growth["plain 56"], above=2, unit="powers of ten", digits=1)  # fmt: skip
claim("Before training, the gradient grows backwards more in the plain network, by",
      growth["plain 56"] - growth["residual 56"], above=1, unit="powers of ten", digits=1,
      headline=True)  # fmt: skip

# %% [markdown]
# They do not vanish. On their way back through the plain network they *grow*: before training the loss is more than a
# hundred times as sensitive to what the first blocks put out as to what the last ones do. With shortcuts a part of the
# gradient goes straight through each addition, and the norms change far less. After training the picture
# is another one: the plain network's gradients go up and down, no longer steadily from block to block.
#
# Why do they explode? The cause is known: normalisation itself, without shortcuts (Yang et al. 2019). So of the slides'
# "vanishing or exploding" the second stands, the first does not. He et al. looked at networks that did learn, after
# many steps, and found healthy gradients there. Whether the explosion at the start is *why* our plain network fails,
# we have not tested.
#
# *Learned: look before you repeat an explanation. Here gradients explode backwards, in the plain network.*
#
# ## 5. What batch normalisation does
#
# Vanishing gradients were real, before batch normalisation came, in the same year 2015. We leave it out, and watch
# signal and gradient in networks of 56 layers that are not trained yet.
#
# **Predict.** Without normalisation: what happens to the signal on its way through 27 plain blocks? And through 27
# residual ones?

# %%
keras.utils.set_random_seed(SEED)
bare = {
    f"{name}, no normalisation": Network(56, join, normalise=False) for name, join in JOINS.items()
}
fresh = {f"{name}, normalised": Network(56, join) for name, join in JOINS.items()}
fig, axes = plt.subplots(1, 2, figsize=(13, 4.4))
signal, slope = {}, {}
for i, (name, net) in enumerate((fresh | bare).items()):
    signal[name] = np.array([np.std(out) for out in net.outputs(x_train[:256], training=True)])
    slope[name] = gradient_norms(net)
    for ax, values in zip(axes, (signal[name], slope[name])):
        ax.semilogy(values, color=f"C{i % 2}", ls="-" if name in fresh else ":", label=name)
axes[0].set(xlabel="block (0: the first convolution)", ylabel="standard deviation of the signal")
axes[1].set(xlabel="block (0: the first convolution)", ylabel="norm of the gradient")
axes[0].legend()
plotting.show(
    "Signal and gradient over the blocks of four untrained networks. Without normalisation the plain one's "
    "signal dies away, the residual one's explodes. Normalised, both stay; the plain gradient grows backwards."
)

# %%
lost = "plain, no normalisation", "residual, no normalisation"
claim("Without normalisation the plain network's signal shrinks, from first to last block",
      np.log10(signal[lost[0]][-1] / signal[lost[0]][0]), below=-2, unit="powers of ten", digits=1,
      headline=True)  # fmt: skip
claim("Without normalisation the residual network's signal grows, from first to last block",
      np.log10(signal[lost[1]][-1] / signal[lost[1]][0]), above=1.5, unit="powers of ten",
      digits=1)  # fmt: skip
claim("Without normalisation the plain network's gradient shrinks, from last to first block",
      np.log10(slope[lost[0]][0] / slope[lost[0]][-1]), below=-2, unit="powers of ten",
      digits=1)  # fmt: skip
pixels = [8] * 19 + [4] * 18 + [2] * 18  # side of the picture after each convolution
kept = [((3 * side - 2) / (3 * side)) ** 2 for side in pixels]  # neighbours that are no edge
print(f"plain, no normalisation, expected from the edges: {np.log10(kept).sum() / 2:.1f}")
stays = [np.log10(signal[name][1:].max() / signal[name][1:].min()) for name in fresh]
claim("With normalisation largest and smallest signal of a network are apart by",
      max(stays), below=1.5, unit="powers of ten", digits=1, headline=True)  # fmt: skip

# %% [markdown]
# Here are the vanishing gradients: in the plain network *without* normalisation. But mind why. This start of the weights
# (He et al.) keeps the signal's size, except at the edge of the picture, where neighbours are zeros. Of the 2 × 2
# pixels of the last stage each has five zeros among its nine neighbours, so that each layer keeps 4/9 of the mean
# square; the number printed above follows from that alone. On large pictures far less is lost. With shortcuts the
# signal grows from block to block, since each adds something. Normalisation holds the signal, shortcuts let the
# gradient through: here each does one half. (There are other ways: careful starts train very deep networks
# without normalisation.)
#
# ### Exercise 5: frozen, but still in training mode
#
# Somebody trains only a new head, but calls the network below it with `training=True`: each batch is still
# normalised by its own mean and variance, so an image's answer depends on its neighbours. Write what should
# happen instead: the normalisation of `x`, of shape `(..., filters)`, by the stored `mean` and `variance`.
# They, `gamma` and `beta` have one number per filter; `epsilon` is small and positive, and stands where
# Keras puts it: beside the variance.


# %%
def normalise(x, mean, variance, gamma, beta, epsilon): ...


exercises.q5.check(normalise)
# exercises.q5.hint()  # and .solution()

# %% [markdown]
# ## 6. The loss landscape
#
# "ResNets work because they smooth the parameter space", say the slides, with the pictures of Li et al. (2018). How does
# one draw a surface over 200,000 weights? Take the trained weights $w$ and two random directions $d_1, d_2$,
# and draw the loss at $w + a\,d_1 + b\,d_2$.
#
# There is a trap. With normalisation a kernel may be ten times larger and the network computes the same. A step of
# fixed length is then a small change for one network and a large one for another, and pictures of the two cannot be
# compared. So directions are *filter-normalised*: each filter of $d$ gets the norm of the same filter of $w$.
# What is no filter (γ, β and the bias) stays as it is. And batch normalisation uses the batch's own statistics
# everywhere, for both networks.


# %%
def direction(network, draw):
    """A random direction, each filter as long as the network's own."""
    parts = []
    for variable in network.trainable_variables:
        w = variable.numpy()
        if variable.name != "kernel":
            parts.append(np.zeros_like(w))
            continue
        axes = (-4, -3, -2) if w.ndim > 3 else -2  # of one filter; of a neuron in the dense layer
        d = draw.normal(size=w.shape)
        lengths = (np.sqrt((v**2).sum(axis=axes, keepdims=True)) for v in (w, d))
        parts.append(d * np.divide(*lengths))
    return parts


def landscape(network, draw, points=GRID):
    """Loss on a square grid around the trained weights: a from left to right, b from row to row."""
    trained, weights = network.get_weights(), network.trainable_variables
    centre = [v.numpy() for v in weights]
    first, second = direction(network, draw), direction(network, draw)

    @tf.function
    def loss():
        return cross_entropy(network, x_train[:256], y_train[:256], training=True)

    surface, places = np.empty((points, points)), np.linspace(-1, 1, points)
    for i, j in tqdm(list(np.ndindex(points, points)), desc=network.name, leave=False):
        for variable, w, d, e in zip(weights, centre, first, second):
            variable.assign(w + places[i] * d + places[j] * e)
        surface[j, i] = loss()
    network.set_weights(trained)
    return surface


# %% [markdown]
# **The yardstick.** Multiply all convolutions of a network by ten: it computes the same. With the same random numbers
# its landscape must be the same, too.

# %%
net = nets["residual 8"]
trained = net.get_weights()
small = []
for factor in (1, 10):
    for variable in net.trainable_variables:
        if variable.ndim > 3:
            variable.assign(factor * variable)
    small.append(landscape(net, np.random.default_rng(SEED), points=5))
    net.set_weights(trained)
claims.check("A network with ten times larger kernels has the same landscape",
             small[1], small[0], within=0.05)  # fmt: skip
here = float(cross_entropy(net, x_train[:256], y_train[:256], training=True))
net.set_weights(trained)
claims.check("The middle of the landscape is the loss itself", small[0][2, 2], here, within=1e-3)

# %% [markdown]
# How rough is a surface? "Smooth" needs a number. Walk along a line of the grid, up and down, and add up all changes
# of height. A curve that falls to one lowest point and rises again changes by exactly its two flanks. A crumpled one
# changes by more. Our *roughness* is the ratio, averaged over all lines. A bowl has 1. (It is relative to the line's
# own relief, and it tells one valley from many: a smooth hill would count as rough.)


# %%
def roughness(surface):
    ratios = []
    for line in (*surface, *surface.T):
        flanks = line[0] + line[-1] - 2 * line.min()
        ratios.append(abs(np.diff(line)).sum() / flanks)
    return np.mean(ratios)


steps = np.linspace(-1, 1, GRID)
bowl = 3 * steps[:, None] ** 2 + steps**2
claims.check("The roughness of a bowl is 1", roughness(bowl), 1, within=5e-4)

# %%
surfaces = {name: landscape(net, rng) for name, net in pair.items()}


def contours(ax, surface):
    """A map of a landscape. Each has colours of its own: the bar beside it tells their loss."""
    colours = ax.contourf(steps, steps, surface, 14, cmap="viridis")
    ax.contour(steps, steps, surface, colours.levels, colors="white", linewidths=0.8)
    ax.plot(0, 0, "X", color="C3", ms=14, mec="white", ls="", label="trained weights")
    ax.figure.colorbar(colours, ax=ax, label="loss in nats", shrink=0.9)
    ax.legend(loc="lower left", frameon=True, framealpha=0.9)
    ax.set(xlabel="a", ylabel="b", aspect="equal", xticks=(-1, 0, 1), yticks=(-1, 0, 1),
           title=f"roughness {roughness(surface):.1f}")  # fmt: skip


# %% [markdown]
# **Predict.** Which of the two rises higher at the edges?

# %% tags=["cover"]
fig = plt.figure(figsize=(12, 10))
top = max(surface.max() for surface in surfaces.values())
for k, (name, surface) in enumerate(surfaces.items()):
    ax = fig.add_subplot(2, 2, k + 1, projection="3d")
    ax.plot_surface(*np.meshgrid(steps, steps), surface, cmap="viridis", vmin=0, vmax=top,
                    rcount=GRID, ccount=GRID)  # fmt: skip
    ax.set(title=name, xlabel="a", ylabel="b", zlabel="loss in nats")
    ax.set(zlim=(0, top), xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    ax.xaxis.labelpad = ax.yaxis.labelpad = ax.zaxis.labelpad = 8
    ax.set_box_aspect(None, zoom=0.95)
    contours(fig.add_subplot(2, 2, k + 3), surface)
plotting.show(
    "Above the loss as a surface, below as a map with level lines, plain and residual. The plain one is "
    "crumpled, with little relief; the residual one a smooth deep bowl around the trained weights."
)

# %% tags=["atol=0.3"]
rough = {name: roughness(surface) for name, surface in surfaces.items()}
rougher = np.log10(rough["plain 56"] / rough["residual 56"])
claim("With 56 layers the plain landscape is rougher", rougher, above=0.04, unit="powers of ten")
claim("The roughness of the residual landscape, 56 layers", rough["residual 56"], below=1.1)

# %% [markdown]
# The residual one rises higher: it has more to lose. It lies at the bottom of a smooth bowl. The plain one is low in
# relief, near the loss of guessing, and crumpled. Mind what is compared: the plain network was never trained well, so
# its picture shows where it got stuck, not a minimum. And two directions of 200,000 are a keyhole: another pair gives
# another number. Networks of 20 layers are the fairer comparison, since both are trained: see section 7.
#
# Smoothness and gradients that do not explode go together. Which causes which, these pictures cannot tell.
#
# *Learned: with directions as long as the filters, the picture no longer depends on the lengths of the weights.*
#
# ## 7. Five seeds, and an explorer
#
# The record of this run, for the table below: curves and landscapes of all six networks.

# %%
for name, net in nets.items():
    if name not in surfaces:
        surfaces[name] = landscape(net, rng)
record = {
    "curves": {name: np.round(curve, 4).tolist() for name, curve in curves.items()},
    "final": {name: round(loss, 5) for name, loss in final.items()},
    "surfaces": {name: np.round(surface, 2).tolist() for name, surface in surfaces.items()},
    "roughness": {name: round(roughness(surface), 3) for name, surface in surfaces.items()},
}

# %% [markdown]
# Five seeds were stored by `make table LESSON=resnet`, which runs this lesson with
# each of them. Below are their median, lowest and highest values.

# %%
stored = data.stored_table("resnet")
spread = {what: pd.DataFrame([seed[what] for seed in stored]).agg(["median", "min", "max"]).T
          for what in ("final", "roughness")}  # fmt: skip
spread = pd.concat({"training loss": spread["final"], "roughness": spread["roughness"]}, axis=1)
spread.map("{:.2f}".format).replace("nan", "–")

# %%
ratios = [seed["final"]["plain 56"] / seed["final"]["residual 56"] for seed in stored]
claim("The lowest of five stored seeds: the training loss with 56 layers, plain over residual",
      min(ratios), above=30, digits=0)  # fmt: skip
rougher = [seed["roughness"]["plain 56"] - seed["roughness"]["residual 56"] for seed in stored]
claim("In each of five stored seeds the plain landscape is rougher, 56 layers, by at least",
      min(rougher), above=0.1, headline=True)  # fmt: skip
milder = [seed["roughness"]["plain 20"] - seed["roughness"]["residual 20"] for seed in stored]
claim("In each of five stored seeds the plain landscape is rougher, 20 layers, by at least",
      min(milder), above=0.005, digits=3)  # fmt: skip

# %% [markdown]
# **Try it.** Choose a depth and whether there are skips: the training curves of all stored seeds, and the landscape of
# the first. At which depth does the plain landscape break?


# %% tags=["nbval-ignore-output"]
def view(kind, depth):
    fig, axes = plt.subplots(1, 2, figsize=(12, 4.8))
    for seed in stored:
        axes[0].semilogy(epochs, seed["curves"][f"{kind} {depth}"], "o-", color="C0", alpha=0.6)
    axes[0].set(xlabel="epoch", ylabel="training loss in nats", ylim=(0.003, 4), xticks=epochs,
                title=f"all seeds: training, {kind} {depth}")  # fmt: skip
    surface = np.array(stored[0]["surfaces"][f"{kind} {depth}"])
    contours(axes[1], surface)
    axes[1].set_title(f"first seed: landscape, roughness {roughness(surface):.1f}")
    return fig


explorers.gallery(view, depth=(8, 20, 56), kind=("plain", "residual"))

# %% [markdown]
# *Learned: what one run shows, five confirm.*
#
# ## 8. Further: dense connections
#
# Why add, and not keep everything? In a *dense block* (Huang et al. 2017, on the slides beside the ResNets) each layer
# gets what *all* layers before it have made, side by side as channels, and contributes a few channels of its own.
# Nothing is ever overwritten. The price: the channels grow with the depth.


# %%
def dense_network(blocks=3, depth=4, growth=8):
    x = inputs = keras.Input((8, 8, 1))
    for block in range(blocks):
        for _ in range(depth):
            new = ops.relu(norm()(conv(growth)(x)))
            x = layers.Concatenate()([x, new])
        x = layers.AveragePooling2D(2)(x) if block < blocks - 1 else x
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


keras.utils.set_random_seed(SEED)
dense = {"dense 13": dense_network()}
curves |= train(dense, "dense connections")
surfaces |= {name: landscape(net, rng) for name, net in dense.items()}
loss = float(cross_entropy(dense["dense 13"], x_train, y_train))
claim("The training loss of the dense network", loss, below=0.3, unit="nats")
claim("The roughness of its landscape", roughness(surfaces["dense 13"]), below=1.1)

# %%
fig, ax = plt.subplots(figsize=(6.5, 4.8))
contours(ax, surfaces["dense 13"])
plotting.show("Map of the loss of a small network with dense connections: a smooth round bowl.")

# %% [markdown]
# *Learned: a dense block keeps what it has made, and pays in channels. At 13 layers it trains well, as
# other networks do.*
#
# ## Summary
#
# These are the sentences of this lesson, with the numbers of this run; the one on five seeds comes from
# the stored table of section 7. The other claims are folded below them.

# %% tags=["atol=0.8"]
claim

# %% [markdown]
# **What holds**: more layers can be worse in training; one addition mends it. **What it is not**: overfitting, or,
# with batch normalisation, vanishing gradients. **What to remember**: normalise, add, and keep the way of $x$ free.
#
# ### Further reading
#
# * K. He, X. Zhang, S. Ren, J. Sun: *Deep Residual Learning for Image Recognition*, arXiv:1512.03385 (2015).
# * K. He, X. Zhang, S. Ren, J. Sun: *Identity Mappings in Deep Residual Networks*, ECCV 2016. Pre-activation.
# * H. Li, Z. Xu, G. Taylor, C. Studer, T. Goldstein: *Visualizing the Loss Landscape of Neural Nets*, NeurIPS 2018.
# * G. Yang et al.: *A Mean Field Theory of Batch Normalization*, ICLR 2019. Why gradients explode at the start.
#
# ## Further: ResNet-20 on CIFAR-10, in full
#
# Photographs of 32 × 32 pixels in ten classes, with the recipe of the paper: option-A shortcuts, pictures that are
# shifted and mirrored at random, a rate that falls twice, 64,000 steps. The numbers of He et al. (Table 6): an error
# of 8.75 % with 20 layers, 6.97 % with 56. They were *not* measured here: on two processor cores a step takes
# about a second, so that the run takes most of a day. A stopped run goes on where it was.
# Several GPUs of one machine share each batch with `devices=2`; several machines are not served, since Keras 3
# cannot train across them. As a command, on a server:
#
# ```
# python -m course_utils.lessons.resnet --depth 20 --folder runs/resnet20
# ```
#
# (Its shortcuts take the pixels 1, 3, 5, ...: the paper's network, mirrored.) The cell below needs the data set and is
# stored without output. Without a GPU it takes only a few steps.

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
