# %% [markdown]
# # Convolutions: a small window that looks everywhere
#
# **What is gained by looking through a small window?**
#
# A dense layer looks at all pixels at once. A *convolution* looks at a few neighbours through a small
# window, and uses the same window everywhere. That is a bet on the world: neighbours belong together,
# and a thing is the same thing wherever it stands. In this lesson you write the layer and its gradients,
# see what moves with a picture and what does not, and measure when the bet pays, beside rivals that are
# told the same in another way.
#
# ![Three signals of forty pixels each; beside them the same signals with their pixels
# shuffled.](figures/convolutions.png)
#
# | | |
# | --- | --- |
# | **Slides** | *Neural Computation Revision, Part 2*, convolutional networks |
# | **You will be able to** | compute a convolution, its size, its parameters and its gradients; say which pixels a layer reads; tell what a shift does to it; say what windows, shared weights and pooling are each worth |
# | **You need** | the lesson [`neural_networks`](neural_networks.ipynb) |
# | **Time** | 90 minutes, and 25 more for what is marked *further* |

# %% tags=["nbval-ignore-output"]
import course_utils

SEED = course_utils.setup(seed=1)

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers, ops
from numpy.lib.stride_tricks import sliding_window_view
from scipy import signal
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import SVC

from course_utils import claims, data, explorers, plotting, training
from course_utils.exercises import convolutions as exercises
from course_utils.lessons import convolutions as lesson

claim = claims.Claims()
rng = np.random.default_rng(SEED)

# %% [markdown]
# The budget of this run. The seeds of the stored table, 11 to 15, measure everything. Any other run
# leaves out what takes minutes.

# %%
STEPS = 600  # of each training
EVERYTHING = 11 <= SEED <= 15

# %% [markdown]
# ## 1. A window over a picture
#
# Lay a small table of weights $w$, the [kernel](../docs/glossary.md#kernel), on a picture $x$. Multiply
# each weight by the pixel below it, and add up. Then move the window on by one pixel, and do it again:
#
# $$z_{ij} = \sum_{a,b} x_{i+a,\,j+b}\; w_{ab} .$$
#
# That is all. It is a [unit](../docs/glossary.md#unit) that sees nine pixels, used at every place.


# %%
def correlate(x, w):
    """What the window w answers at each place where it lies wholly on the picture x."""
    rows, columns = w.shape
    z = np.zeros((len(x) - rows + 1, x.shape[1] - columns + 1))
    for i, j in np.ndindex(z.shape):
        z[i, j] = (x[i : i + rows, j : j + columns] * w).sum()
    return z


digits = data.load_mnist5k()
pictures = digits.x.astype("float64") / 255
picture = pictures[digits.y == 5][SEED % 500]
claims.check("correlate gives what SciPy calls a correlation",
             correlate(picture, np.arange(9.0).reshape(3, 3)),
             signal.correlate2d(picture, np.arange(9.0).reshape(3, 3), "valid"), 1e-12)  # fmt: skip

# %% [markdown]
# **Predict.** The first kernel is −1, 0, 1 in each of its three rows. The picture is 0 on paper and 1 in
# ink. Where is the answer positive, where negative, where zero? What does a kernel do whose nine weights
# are all 1/9?

# %%
left_right = np.array([[-1.0, 0, 1]] * 3)
KERNELS = {"−1, 0, 1 in each row": left_right, "the same, turned": left_right.T,
           "1/9 everywhere": np.full((3, 3), 1 / 9)}  # fmt: skip
answers = {name: correlate(picture, w) for name, w in KERNELS.items()}
lesson.draw_edges(plt.subplots(1, 4, figsize=(13, 3.6))[1], picture, answers)
plotting.show(lesson.TEXTS["edges"])

# %% [markdown]
# The first kernel is a difference between right and left. It is positive (red) where ink begins from the
# left, negative (blue) where it ends, and zero inside a stroke and on paper: it finds vertical edges. The
# second finds horizontal ones. The third takes means, and blurs.
#
# Mathematicians call this sum a *correlation*. Their *convolution* runs through the kernel backwards,
#
# $$(x * w)_{ij} = \sum_{a,b} x_{i-a,\,j-b}\; w_{ab},$$
#
# and for a good reason: then the order does not matter, $x * w = w * x$, and two convolutions are one, $(x
# * w) * v = x * (w * v)$. A network *learns* its weights, and would learn the turned ones just as well. So
# the layers called convolution, in Keras and elsewhere, compute the correlation.
#
# ### Exercise 1: flip or not?
#
# Somebody handed `correlate` in as a convolution. Write the true one, for all places where the window lies
# wholly on the picture (SciPy's `"valid"`). `x` and `w` are two-dimensional arrays; `correlate` may be used.


# %%
def convolve(x, w): ...


exercises.q1.check(convolve)
# exercises.q1.hint()  # and .solution()

# %%
x, w, v = rng.normal(size=(9, 8)), rng.normal(size=(3, 2)), rng.normal(size=(2, 2))
for name, f in (("convolution", signal.convolve2d), ("correlation", signal.correlate2d)):
    same = np.allclose(f(x, w), f(w, x))
    print(f"{name}: the order {'does not matter' if same else 'matters'}")
twice = signal.convolve2d(signal.convolve2d(x, w), v)
claims.check("Two convolutions in a row are one", signal.convolve2d(x, signal.convolve2d(w, v)),
             twice, 1e-12)  # fmt: skip

# %% [markdown]
# *Learned: a convolutional layer is one small unit, used at every place. It does not flip its kernel, and
# need not.*
#
# ## 2. Stride, padding, dilation, pooling: sizes and parameters
#
# A picture has [channels](../docs/glossary.md#channel), such as red, green and blue, and a layer has
# several kernels, its *filters*. Each filter has a weight for each pixel of its window *and each channel*,
# and makes one channel of the output, a [feature map](../docs/glossary.md#feature-map). Three settings
# change where the window looks, and pooling is a layer of its own:
#
# * **[stride](../docs/glossary.md#stride)** $s$: it moves on by $s$ pixels;
# * **[padding](../docs/glossary.md#padding)** $p$: the picture first gets $p$ zeros on each side;
# * **[dilation](../docs/glossary.md#dilation)** $d$: its pixels lie $d$ apart, so that $k$ of them reach
#   over $d\,(k - 1) + 1$ pixels;
# * **[pooling](../docs/glossary.md#pooling)** takes the maximum or the mean over a window, in each channel
#   for itself. It has no weights.


# %%
def layer(x, w, stride=1, padding=0, dilation=1):
    """Windows w (k, k, channels, filters) over pictures x (N, H, W, channels)."""
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    reach = dilation * (len(w) - 1) + 1
    seen = sliding_window_view(x, (reach, reach), axis=(1, 2))  # (N, i, j, channels, a, b)
    seen = seen[:, ::stride, ::stride, :, ::dilation, ::dilation]
    # einsum multiplies along equal letters, and adds over those that are missing after the arrow
    return np.einsum("nijcab,abcf->nijf", seen, w)


x, w = rng.normal(size=(2, 12, 12, 3)), rng.normal(size=(3, 3, 3, 4))
for stride, dilation in ((1, 1), (2, 1), (3, 1), (1, 2)):
    theirs = ops.conv(x, w, stride, "valid", dilation_rate=dilation)
    claims.check(f"Stride {stride}, dilation {dilation}: the layer is Keras's",
                 layer(x, w, stride, 0, dilation), theirs, 1e-12)  # fmt: skip
halves = x.reshape(2, 6, 2, 6, 2, 3)  # blocks of 2 x 2 pixels
for name, pooled, theirs in (
    ("Maximum", halves.max(axis=(2, 4)), layers.MaxPooling2D(2)),
    ("Mean", halves.mean(axis=(2, 4)), layers.AveragePooling2D(2)),
):
    claims.check(f"{name} pooling is Keras's", pooled, theirs(x), 1e-6)  # fmt: skip

# %% [markdown]
# ### Exercise 2: how large is the output?
#
# A side of the picture has `n` pixels and the window `k`. Stride, padding (on *both* sides) and dilation are
# as above. How many places does the window have along this side? It must lie wholly on the padded picture.


# %%
def places(n, k, stride, padding, dilation): ...


exercises.q2.check(places)
# exercises.q2.hint()  # and .solution()

# %% [markdown]
# **Try it.** Choose a kernel and move the window. Which kernel leaves the picture as it is? Then change stride,
# padding and dilation, and predict the size.

# %% tags=["nbval-ignore-output"]
explorers.convolve(picture)

# %% [markdown]
# Keras does not ask for $p$. Its `"valid"` means no padding. Its `"same"` promises $\lceil n / s \rceil$
# places, and adds as few zeros as that takes: $\max\big((\lceil n/s \rceil - 1)\,s + k - n,\; 0\big)$ in all,
# half of them in front. If their number is odd, the one left over goes to the right, or below.
#
# **Predict.** A side has 8 pixels, the window 3, the stride is 2: over which pixels does its middle stand?
# And where does a 1 × 1 window of stride 2 stand, which is often put beside it as a
# [shortcut](../docs/glossary.md#skip-connection)?

# %%
ramp = np.arange(8.0).reshape(1, 8, 1)  # each pixel holds its own number
middle = {}
for k, n in ((3, 8), (1, 8), (3, 7)):
    taps = np.zeros((k, 1, 1))
    taps[k // 2] = 1  # this window answers with the pixel below its middle
    middle[k, n] = np.ravel(ops.conv(ramp[:, :n], taps, 2, "same"))
    print(f"{n} pixels, a window of {k}, stride 2: {middle[k, n].astype(int)}")
claims.check("On 8 pixels the middles of three are one pixel beside those of one",
             middle[3, 8] - middle[1, 8], 1)  # fmt: skip

# %% [markdown]
# On an even side `"same"` with stride 2 is lopsided for a window of three. (On seven pixels it is not.) Two
# paths through a network, one through a window of three and one through a window of one, then look at
# *different pixels*, and are added. The lesson [`resnet`](resnet.ipynb) meets such a pair.
#
# ### Exercise 3: count the parameters
#
# A layer makes `filters` channels out of `channels`, on a square picture of `side` × `side` pixels, with
# windows of `k` × `k`, stride 1, padding `"same"`, and biases. Return three numbers of parameters: of the
# convolution; of windows of the same size that have *weights and biases of their own at each place*; of a
# dense layer from all inputs to all outputs.


# %%
def parameters(side, k, channels, filters): ...


exercises.q3.check(parameters)
# exercises.q3.hint()  # and .solution()

# %%
square = keras.Input((28, 28, 16))
for name, made in (("windows of 3 × 3", layers.Conv2D(32, 3, padding="same")),
                   ("windows of 1 × 1", layers.Conv2D(32, 1))):  # fmt: skip
    made(square)
    print(f"{name}: {made.count_params():,} parameters")
print(f"dense: {(28 * 28 * 16 + 1) * 28 * 28 * 32:,}")
mixing = rng.normal(size=(1, 1, 3, 4))
claims.check("A 1 × 1 convolution is one dense layer, used at each pixel", layer(x, mixing),
             x @ mixing[0, 0], 1e-12)  # fmt: skip

# %% [markdown]
# The number of parameters of a convolution does not depend on the size of the picture. A 1 × 1 window looks
# at no neighbour at all. It mixes channels.
#
# *Learned: size is (n + 2p − reach) / s + 1, rounded down; parameters are (k² × channels + 1) × filters.*
#
# ## 3. Gradients: two more convolutions
#
# Training needs the slope of the loss in the weights, and in the input for the layer before. Let $G_{ij} =
# \partial \mathcal L / \partial z_{ij}$ be what comes back. Since $z_{ij} = \sum x_{i+a,j+b}\,w_{ab}$, the
# slope of $z_{ij}$ in $w_{ab}$ is $x_{i+a,j+b}$, and by the chain rule over all places
#
# $$\frac{\partial \mathcal L}{\partial w_{ab}} = \sum_{i,j} G_{ij}\, x_{i+a,\,j+b} :$$
#
# lay $G$ on the picture as if it were the window. One weight serves at all places, so its slope is a *sum*
# over all of them. For the input, pixel $x_{uv}$ meets the weight $w_{u-i,\,v-j}$ at place $(i, j)$, so
#
# $$\frac{\partial \mathcal L}{\partial x_{uv}} = \sum_{i,j} G_{ij}\, w_{u-i,\,v-j} .$$
#
# ### Exercise 4: back to the pixels
#
# Somebody computed this second slope as `correlate(np.pad(G, ...), w)`, with as many zeros around `G` as give
# the shape of the picture. The shape is right and the numbers are not. Write it, for two-dimensional arrays
# `G` and `w`, stride 1 and no padding in the layer.


# %%
def back(G, w): ...


exercises.q4.check(back)
# exercises.q4.hint()  # and .solution()


# %%
def slopes(x, w, G):
    """Slopes of sum(G * correlate(x, w)) in w and in x."""
    dx = np.zeros_like(x)
    for i, j in np.ndindex(G.shape):
        dx[i : i + len(w), j : j + w.shape[1]] += G[i, j] * w  # each place gives to what it saw
    return correlate(x, G), dx


x, w = tf.constant(rng.normal(size=(9, 8))), tf.constant(rng.normal(size=(3, 2)))
G = rng.normal(size=(7, 7))
with tf.GradientTape() as tape:
    tape.watch([w, x])
    z = tf.nn.conv2d(x[None, :, :, None], w[:, :, None, None], 1, "VALID")[0, :, :, 0]
    loss = tf.reduce_sum(G * z)
for ours, theirs, name in zip(slopes(x.numpy(), w.numpy(), G), tape.gradient(loss, [w, x]), "wx"):
    claims.check(f"d{name} is TensorFlow's", ours, theirs, 1e-12)
dx = slopes(x.numpy(), w.numpy(), G)[1]
claims.check("dx is the true convolution of G with w, flip included", dx,
             signal.convolve2d(G, w), 1e-12)  # fmt: skip
claims.check("⟨Ax, G⟩ = ⟨x, AᵀG⟩", (z.numpy() * G).sum(), (x.numpy() * dx).sum(), 1e-12)

# %% [markdown]
# Here is the flip that the layer left out: *backwards, a convolutional layer is a true convolution*. There is
# a short reason. The layer is linear, $z = Ax$ with a large matrix $A$ full of zeros, and the way back is
# $A^\mathsf T G$. Write $\langle a, b \rangle$ for the sum of the products of all numbers of $a$ with those of
# $b$. The last check is what defines a transpose.
#
# A layer that computes $A^\mathsf T$ *forwards* is called a
# [transposed convolution](../docs/glossary.md#transposed-convolution): section 11.
#
# *Learned: shared weights collect their slopes from all places. The way back is the transposed layer.*
#
# ## 4. What moves with the picture?
#
# Call $S$ the shift by one pixel. A layer $f$ is [equivariant](../docs/glossary.md#equivariance) if $f(Sx) =
# S f(x)$: move the picture, and the feature map moves along. For a convolution the proof is one line, since
# all places do the same: at place $i$, $f(Sx)$ sees what $f(x)$ sees at $i - 1$.
#
# **Predict.** For which of these is $f(Sx) = S f(x)$ exactly true: stride 1 on a picture that is closed to a
# ring; stride 1 with zeros around the picture; stride 2 on the ring (and $S$ by two pixels, which is one
# place); stride 2 and a shift by one pixel?


# %%
def answer(x, w, stride=1, mode="wrap"):
    """ReLU of 3 x 3 windows w over pictures x (N, H, W), closed to a ring or with zeros around."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)), mode=mode)
    return np.maximum(layer(padded[..., None], w, stride), 0)


def disagreement(x, shift, stride, mode):
    """How far f(Sx) is from S f(x), as a share of its size, for the best shift of the map."""
    w = rng.normal(size=(3, 3, 1, 8))
    moved, still = answer(np.roll(x, shift, 1), w, stride, mode), answer(x, w, stride, mode)
    nearest = {shift // stride, -(-shift // stride)}
    apart = [((moved - np.roll(still, k, 1)) ** 2).mean() for k in nearest]
    return np.sqrt(min(apart) / (moved**2).mean())


noise, some = rng.normal(size=(50, 28, 28)), pictures[rng.integers(5_000, size=50)]
rows = {
    (name, stride, shift): [
        [disagreement(x, shift, stride, mode) for _ in range(10)] for x in (noise, some)
    ]
    for name, stride, shift, mode in (
        ("ring", 1, 1, "wrap"),
        ("zeros", 1, 1, "constant"),
        ("ring", 2, 2, "wrap"),
        ("ring", 2, 1, "wrap"),
    )
}
index = pd.MultiIndex.from_tuples(rows, names=["border", "stride", "shift"])  # fmt: skip
pd.DataFrame(np.mean([*rows.values()], axis=2), index, ["noise", "digits"]).round(2)

# %%
for stride in (1, 2):
    claims.check(f"On a ring with stride {stride}, a shift by {stride} moves the map exactly",
                 rows["ring", stride, stride], 0, 1e-12)  # fmt: skip
broken = claims.mean_and_error(rows["ring", 2, 1][1], "random layers")
claim("Digits moved by one pixel at stride 2: the map is off by this share of its size",
      **broken, above=0.25, headline=True)  # fmt: skip

# %% [markdown]
# On the ring, stride 1 is exact, and so is a shift by a whole stride. Zeros around the picture disturb its
# border, which on digits is almost only paper. With stride 2 a shift by one pixel shows the window *other
# pixels*, and neither of the two shifts of the small map that come near makes up for it. On noise the maps are,
# on average, no more alike than two maps that are unrelated. (Zhang 2019 finds the same trouble with pooling.)
#
# Equivariant is not *invariant*. A network that names a digit should give the same answer wherever it stands,
# $f(Sx) = f(x)$. **Global mean pooling**, the mean of each map over all places, turns equivariance into
# invariance: the mean of a map does not change when the map moves. So "CNNs are invariant to shifts" is
# true of rings with stride 1 and global pooling, and only roughly true of the networks that people use.

# %%
w = rng.normal(size=(3, 3, 1, 8))
moved = np.roll(some, 1, axis=1)
pool = {stride: [answer(x, w, stride).mean(axis=(1, 2)) for x in (some, moved)]
        for stride in (1, 2)}  # fmt: skip
claims.check("Stride 1, ring, global mean: the same answer after a shift", *pool[1], 1e-12)
apart = np.abs(pool[2][1] - pool[2][0]).mean() / pool[2][0].mean()
claim("Stride 2, ring, global mean: a shift changes the answer by this share", apart,
      above=0.002, digits=3)  # fmt: skip

# %% [markdown]
# *Learned: stride 1 moves with the picture, apart from the border. Stride 2 does not. Invariance must be
# made, by pooling or by training.*
#
# ## 5. Does the bet pay? Shuffle the pixels
#
# Now the bet itself. The signals of *MNIST-1D* (Greydanus and Kobak 2024) are made by a program: ten shapes,
# each stretched, tilted and put at a random place in a signal of 40 pixels, with noise. 4,000 are for training,
# 1,000 *validation signals* are for choosing settings, and 1,000 judge. Beside them we keep a copy of all signals
# in which the pixels stand in another order, the same for all.

# %% tags=["cover"]
signals = data.load_mnist1d(SEED, rows=6_000)
x, y = signals.x, signals.y
learn, choose, judge = slice(0, 4_000), slice(4_000, 5_000), slice(5_000, 6_000)
shuffled = rng.permutation(40)
three = x[[np.argmax(y == c) for c in (0, 4, 7)]]
lesson.draw_signals(plt.subplots(1, 2, figsize=(10, 3.6))[1], three, shuffled)
plotting.show(
    "Three signals of forty pixels each; beside them the same with their pixels shuffled."
)

# %% [markdown]
# We compare two networks. One has three layers of windows that are five pixels wide, and takes the mean over
# all places at the end. The other is dense, with two hidden layers of 100 units. Each is trained with
# [Adam](../docs/glossary.md#adam), at a rate that falls to 0 along half a cosine. The validation signals
# choose the rate: three neighbouring rates of a ladder are tried, and then further ones, until the best lies
# between two that are no better. (That takes minutes, and is done for the stored table of section 6. Here each
# network gets a rate that did well there.) Steps, layers and widths are fixed beforehand.


# %%
def windows(first=(), end=layers.GlobalAveragePooling1D):
    return keras.Sequential([
        keras.Input((40, 1)), *first,
        layers.Conv1D(16, 5, 1, "same", activation="relu"),
        layers.Conv1D(16, 5, 2, "same", activation="relu"),
        layers.Conv1D(16, 5, 1, "same", activation="relu"),
        end(),
        layers.Dense(10),
    ])  # fmt: skip


def dense(first=(), units=(100, 100)):
    hidden = [layers.Dense(n, "relu") for n in units]
    return keras.Sequential([keras.Input((40, 1)), *first, layers.Flatten(), *hidden,
                             layers.Dense(10)])  # fmt: skip


def train(build, x, y, rate, steps=STEPS):
    keras.utils.set_random_seed(SEED)
    model, batch = build(), min(100, len(x) // 5)
    cosine = keras.optimizers.schedules.CosineDecay(rate, steps)
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(cosine), cross_entropy)
    training.fit(model, x[..., None], y, steps * batch // len(x), batch, every=100)
    return model


def recognise(model, x):
    """The shape that the network names for each signal."""
    return np.argmax(model(x[..., None]), axis=1)


# %% [markdown]
# ### Exercise 5: four outcomes
#
# Both networks learn from signals in order, and once more from scratch from shuffled signals. They are
# judged on signals in the same order as those that they learned from. Which of the four names most signals
# rightly (`"best"`), which fewest (`"worst"`), and which lie between (`"middle"`, twice)?

# %%
four = {
    "windows, in order": ...,
    "windows, shuffled": ...,
    "dense, in order": ...,
    "dense, shuffled": ...,
}
exercises.q5.check(four)
# exercises.q5.hint()  # and .solution()

# %%
LADDER = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1)  # rates to choose from
settings, trained = [], {}  # what the validation signals chose, in turn; the first networks


def chosen(named):
    """Which judging signals the setting names rightly that is best on the validation signals."""
    right = {setting: found == y[4_000:] for setting, found in named.items()}
    best = max(right, key=lambda setting: right[setting][:1_000].mean())
    settings.append(best)
    return 1.0 * right[best][1_000:]


def networks(build, n, rate, order=slice(None), steps=STEPS):
    """Which judging signals the network names rightly that learned from n signals."""
    seen = x[:, order]
    named = {}

    def score(rate):
        model = train(build, seen[:n], y[:n], rate, steps)
        trained.setdefault((build.__name__, n), model)
        named[rate] = recognise(model, seen[4_000:])
        return (named[rate][:1_000] == y[choose]).mean()

    lesson.best_inside(score, LADDER if EVERYTHING else [rate], rate)
    return chosen(named)


# %%
right = {}
for order, pixels in (("in order", slice(None)), ("shuffled", shuffled)):
    right["windows", order] = networks(windows, 4_000, 0.03, pixels)
    right["dense", order] = networks(dense, 4_000, 0.01, pixels)
linear = {C: LogisticRegression(C=C).fit(x[learn], y[learn]).predict(x[4_000:])
          for C in (0.001, 0.01, 0.1, 1)}  # fmt: skip
print(f"logistic regression, in order: {chosen(linear).mean():.2f}")
print(f"parameters: windows {windows().count_params():,}, dense {dense().count_params():,}")

# %% tags=["nbval-ignore-output"]
lesson.draw_shuffled(plt.subplots(figsize=(7, 4))[1], {k: v.mean() for k, v in right.items()})
plotting.show(lesson.TEXTS["shuffled"])


# %%
def gap(one, other):
    """By how much one is ahead of the other, over the judging signals."""
    return claims.mean_and_error(right[one] - right[other], "test signals, one training")


claim("Windows lose this share when the pixels are shuffled", above=0.2, headline=True,
      **gap(("windows", "in order"), ("windows", "shuffled")))  # fmt: skip
claim("In order, windows are ahead of the dense network by", above=0.15, headline=True,
      **gap(("windows", "in order"), ("dense", "in order")))  # fmt: skip
claim("The dense network loses this share when the pixels are shuffled", above=-0.08, below=0.08,
      **gap(("dense", "in order"), ("dense", "shuffled")))  # fmt: skip

# %% [markdown]
# A dense layer has no idea which pixels are neighbours. To shuffle them is to rename its inputs, and it
# does not notice. (Logistic regression, far behind both, has no idea of neighbours either.) The windows
# notice. (Section 6 asks what the mean over places has to do with it.) *Learned: a window is a belief about
# the data. It pays as much as the belief is true.*
#
# ## 6. What is the gain made of?
#
# Was that fair? Shapes stand at many places, and nobody *told* the dense network. Telling it is called [data
# augmentation](../docs/glossary.md#data-augmentation): in each step, the training signals are moved around
# the ring by random numbers of pixels. (The program moves a shape before it tilts the signal. We move the
# finished signal, which leaves a step where its ends meet.) So we take the gain apart:
#
# * **own windows**: three layers of windows, each place with weights of its own. All places go to the last
#   layer (*flatten*), as they do in the dense network. Beside them, **wide dense** has as many units in each
#   of three layers, and no windows;
# * **windows, flatten**: the same, and now the windows share their weights;
# * **windows**: the same, and now the last layer gets the mean over all places, as in section 5.
#
# These have 600 steps. **Told**, each has 2,400. All rates are chosen by the rule of section 5. The rivals:
#
# * a **forest, told**: a [random forest](../docs/glossary.md#random-forest) of the kind that also draws its
#   thresholds at random. It learns from moved copies, 40 of each signal (5 of each of 4,000). To name a
#   signal, its trees vote on ten moves of it;
# * **nearest, moved**: the nearest training signals, at the best of all 40 moves;
# * **random windows**: 300 windows of width nine that nobody trains. Take mean and maximum of each map, and
#   fit these 600 numbers to the classes by least squares with an
#   [L2 penalty](../docs/glossary.md#l2-penalty) (*ridge*), which is a closed formula. They are also tried with
#   means alone, and as only **16 random windows**, beside **16 windows, one layer** that are trained.
#
# **Predict.** Who is first with 250 training signals, who with 4,000? At 4,000, which is worth most: the
# window, sharing, or the mean over places?


# %%
def random_windows(x, filters=300, width=9):
    """Mean and maximum over all places of each map of random windows: (N, 2 * filters)."""
    w, b = rng.normal(size=(width, filters)), rng.normal(size=filters)
    w -= w.mean(axis=0)
    w /= np.sqrt((w**2).sum(axis=0))
    seen = lesson.windows_of(x, width).reshape(-1, width)
    maps = (seen @ w.astype("float32")).reshape(len(x), -1, filters)
    maps += b.astype("float32")
    np.maximum(maps, 0, out=maps)  # in place: the maps are large
    return np.concatenate([maps.mean(axis=1), maps.max(axis=1)], axis=1).astype("float64")


def least_squares(features, n):
    features = (features - features[:n].mean(axis=0)) / (features[:n].std(axis=0) + 1e-6)
    return chosen({penalty: RidgeClassifier(penalty).fit(features[:n], y[:n]).predict(
        features[4_000:]) for penalty in (0.001, 0.01, 0.1, 1, 10, 100, 1_000)})  # fmt: skip


# %%
tried = (20, 40) if EVERYTHING else (20,)  # pixels that a tree may ask at each fork
early, asked = (x[:250], y[:250]), x[4_000:]
forest = chosen(lesson.forest_over_moves(*early, asked, tried, copies=40, rng=rng))
near = chosen(lesson.nearest_over_moves(*early, asked, (1, 5, 15, 40, 100, 200)))
share = {("forest, told", 250): forest, ("nearest, moved", 250): near}
features, few = random_windows(x), random_windows(x, filters=16)
share |= {("random windows", n): least_squares(features, n) for n in (250, 4_000)}
share["random, means alone", 250] = least_squares(features[:, :300], 250)
share["16 random windows", 4_000] = least_squares(few, 4_000)
share |= {(kind, 4_000): right[kind, "in order"] for kind in ("windows", "dense")}
share["windows", 250] = networks(windows, 250, 0.03)

# %% [markdown]
# What takes minutes is done only for the stored table, by `make table LESSON=convolutions`, with five other
# sets of signals, other first weights and other random windows. Run these cells without reading them.


# %%
def own_windows(first=()):
    """The same three layers, each place with weights of its own; all places go to the last one."""
    own = [lesson.OwnWindows(16, 5, stride) for stride in (1, 2, 1)]
    return keras.Sequential([keras.Input((40, 1)), *first, *own, layers.Flatten(),
                             layers.Dense(10)])  # fmt: skip


def flatten(first=()):
    return windows(first, layers.Flatten)


def one_layer():
    seen = keras.Input((40, 1))
    maps = layers.Conv1D(16, 9, padding="same", activation="relu")(seen)
    both = [layers.GlobalAveragePooling1D()(maps), layers.GlobalMaxPooling1D()(maps)]
    return keras.Model(seen, layers.Dense(10)(layers.Concatenate()(both)))


def wide_dense(first=()):
    return dense(first, units=(640, 320, 320))


def told(build):
    return lambda: build([lesson.RandomShift(SEED)])


if EVERYTHING:
    share["windows, flatten", 4_000] = networks(flatten, 4_000, 0.03)
    share["own windows", 4_000] = networks(own_windows, 4_000, 0.01)
    right["windows, flatten", "shuffled"] = networks(flatten, 4_000, 0.03, shuffled)

# %%
if EVERYTHING:
    share["16 windows, one layer", 4_000] = networks(one_layer, 4_000, 0.03)
    forest = lesson.forest_over_moves(x[learn], y[learn], asked, tried, copies=5,
                                      rng=np.random.default_rng(SEED))  # fmt: skip
    share["forest, told", 4_000] = chosen(forest)

# %%
if EVERYTHING:
    share["dense, told", 4_000] = networks(told(dense), 4_000, 0.01, steps=2_400)

# %%
if EVERYTHING:
    share["wide dense, told", 4_000] = networks(told(wide_dense), 4_000, 0.001, steps=2_400)

# %%
if EVERYTHING:
    share["own windows, told", 4_000] = networks(told(own_windows), 4_000, 0.01, steps=2_400)

# %%
if EVERYTHING:
    share["windows, flatten, told", 4_000] = networks(told(flatten), 4_000, 0.03, steps=2_400)

# %%
if EVERYTHING:
    share["windows, told", 4_000] = networks(told(windows), 4_000, 0.03, steps=2_400)

# %%
if EVERYTHING:
    share["windows, told", 250] = networks(told(windows), 250, 0.03, steps=2_400)

# %%
record = {
    "share": {f"{method} {n}": round(found.mean(), 4) for (method, n), found in share.items()},
    "shuffled": {method: round(found.mean(), 4) for (method, order), found in right.items()
                 if order == "shuffled"},
    "settings": settings,
}  # fmt: skip

# %% [markdown]
# Below are the means over the five stored data sets (blue: trained networks; orange: random windows;
# grey: other rivals), with standard errors, and in the table beside them what this run has measured. A single
# run differs by more than the standard error, which is that of a mean of five. (And each network has one fixed
# rate here. With 250 signals a start may fail at it, where the validation signals would choose another.)

# %%
stored = data.stored_table("convolutions")
five = pd.DataFrame([seed["share"] for seed in stored])
lesson.draw_amounts(plt.subplots(1, 2, figsize=(13, 4.4))[1], five)
plotting.show(lesson.TEXTS["amounts"])

# %% tags=["nbval-ignore-output"]
live = pd.Series(record["share"])
both = pd.DataFrame({"mean of five": five.mean(), "standard error": five.sem(), "this run": live})
both.round(3).map("{:.3f}".format).replace("nan", "–")


# %%
def ahead(text, one, other, headline=False, **bounds):
    more = claims.mean_and_error(five[one] - five[other], "data sets")
    claim(text, **more, **bounds, digits=3, headline=headline)


ahead("Window, units and layers: told, own windows are ahead of the dense network by",
      "own windows, told 4000", "dense, told 4000", True, above=0.15)  # fmt: skip
wide = claims.mean_and_error(five["own windows, told 4000"] - five["wide dense, told 4000"])
print(f"of as many units in as many layers: by {wide['value']:.2f} ± {wide['se']:.2f}")
ahead("4,000 signals: windows that are told are ahead of a forest that is told by",
      "windows, told 4000", "forest, told 4000", True, above=0.05)  # fmt: skip
ahead("Sharing: windows that share are ahead of windows of their own by",
      "windows, flatten 4000", "own windows 4000", True, above=0.03)  # fmt: skip
ahead("The mean over places is level with flatten, difference",
      "windows 4000", "windows, flatten 4000", above=-0.03, below=0.04)  # fmt: skip
ahead("Told and trained as long, windows that share are ahead of windows of their own by",
      "windows, flatten, told 4000", "own windows, told 4000", above=0.01)  # fmt: skip

# %%
ahead("250 signals: windows that are told are ahead of a forest that is told by",
      "windows, told 250", "forest, told 250", above=0.03)  # fmt: skip
ahead("250 signals: random windows are ahead of trained windows that are told by",
      "random windows 250", "windows, told 250", True, above=0.05)  # fmt: skip
ahead("250 signals: random windows with maxima are ahead of means alone by",
      "random windows 250", "random, means alone 250", above=0.02)  # fmt: skip
ahead("4,000 signals: trained windows that are told are level with 300 random ones, difference",
      "windows, told 4000", "random windows 4000", True, above=-0.02, below=0.02)  # fmt: skip
ahead("4,000 signals: sixteen random windows are behind one trained layer of sixteen by",
      "16 windows, one layer 4000", "16 random windows 4000", above=0.03)  # fmt: skip
shuffled_five = pd.DataFrame([seed["shuffled"] for seed in stored])
for text, one, other in (
    ("Shuffled, windows with a mean over places are behind the dense network by",
     "dense", "windows"),
    ("Shuffled, they are behind windows with flatten by", "windows, flatten", "windows"),
):  # fmt: skip
    more = claims.mean_and_error(shuffled_five[one] - shuffled_five[other], "data sets")
    claim(text, **more, above=0.02)

# %% [markdown]
# So the parts differ in worth.
#
# * The *window* is the belief in neighbours, and it is worth most. Telling the dense network of moves in this
#   way does not make up for it. As many units and layers make up for a good part, and in as many steps not for
#   all. (For what is left we had set the bound .15. Two standard errors do not clear it: no verdict.)
# * *Sharing* is the belief that a shape is the same shape everywhere. Windows with weights of their own can
#   learn it instead, from moved signals. Told, and trained four times as long, they name more signals rightly
#   (see the table). They stay behind windows that share and are told for as long.
# * The *mean over places* is level with *flatten*: with 4,000 signals, the last layer does as well without it.
#   But where pixels are shuffled, the mean makes the loss worse: it forgets where a pixel stood.
# * *Learning the weights* is the surprise. With 250 signals, 300 random windows and a closed formula are
#   ahead of trained windows that are told. Part of that lead is due to the maxima. With 4,000, trained
#   windows that are told are level. But it takes many random ones: sixteen are behind a layer of sixteen that
#   is trained.
#
# Random windows leave no rate and no steps to choose. (Dempster et al. 2020 made them a standard for time
# series.) These signals are simple, and the result need not carry over to photographs. Also, all settings were
# chosen by 1,000 validation signals, which somebody with 250 does not have. Measure it. *Learned: a window saves
# examples, and with few examples its weights need not be learned at all.*
#
# ## Summary
#
# These are the sentences of the lesson with their numbers; the other claims are folded below them. "±" is
# the standard error over what the line names.

# %%
claim

# %% [markdown]
# **What to do with it.** Ask first whether neighbours mean something in your data, and whether a thing is the
# same thing elsewhere. If both are true, use windows. With few examples, try random windows and least squares
# first. And where an answer must not depend on the place, do not trust the architecture.
# Move the input, and look.
#
# Convolutions are at home where this bet pays: photographs, sound, spectra, time series, text as rows of
# letters, medical scans in three dimensions.
#
# ## 7. Further: what does a window look for?
#
# Suppose that we knew the shape $t$ that is sought, and that the noise in all pixels were independent, of
# variance 1. A window $w$ answers the shape alone with $w^\mathsf T t$, and the noise with a standard
# deviation of $\|w\|$. By the inequality of Cauchy and Schwarz
#
# $$\frac{w^\mathsf T t}{\|w\|} \le \|t\|, \quad \text{with equality if } w \text{ is a multiple of } t .$$
#
# So the best linear detector of a known shape is *the shape itself*, a [matched
# filter](../docs/glossary.md#matched-filter). (The noise of our signals is not independent, so this is a
# thought about windows, and no measurement.)
#
# **Predict.** The first windows of our network are five pixels wide, and a shape is about eight. What will
# they look like? How much will be left of what was drawn at random before training?

# %%
shape = np.array([5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5])  # a "2" of MNIST-1D
shape = (shape - shape.mean()) / shape.std()
first = trained["windows", 4_000].layers[0].get_weights()[0][:, 0]
keras.utils.set_random_seed(SEED)
start = windows().layers[0].get_weights()[0][:, 0]  # as it was drawn
axes = plt.subplots(1, 2, figsize=(13, 3), width_ratios=[3, 1])[1]
lesson.draw_filters(axes, start, first, shape)
plotting.show(lesson.TEXTS["filters"])

# %%
many = rng.normal(size=(10_000, 12))
ratio = many @ shape / np.sqrt((many**2).sum(axis=1))
claims.check("The signal-to-noise ratio of a matched filter is ‖t‖",
             shape @ shape / np.linalg.norm(shape), np.linalg.norm(shape), 1e-12)  # fmt: skip
for n in (300, 10_000):
    claim(f"The best of {n:,} random windows reaches this share of the matched filter's ratio",
          ratio[:n].max() / np.linalg.norm(shape), above=0.5, below=0.98)  # fmt: skip
cosine = (first * start).sum(axis=0) / np.linalg.norm(first, axis=0) / np.linalg.norm(start, axis=0)
claim("Cosine of a trained window with its own start, mean", cosine.mean(), above=0.2)

# %% [markdown]
# No single window is a shape: it is too short. And training leaves much of what was drawn at random. What is
# random need not be bad: the best of 300 random windows gets more than half of what the matched filter gets,
# and the best of 10,000 still more. That makes it plausible that random windows do well if there are many.
# *Learned: a window that looks like what it seeks answers it best.*
#
# ## 8. Further: the pixels of `"same"`
#
# ### Exercise 6: which pixels does `"same"` read?
#
# Section 2 looked at one stride and two windows. Now for all of them. Number the pixels of a side from 0. For
# each place of the window, over which pixel is its *middle*? `k` is odd, and dilation is 1. Return the pixels
# in order.


# %%
def middles(n, k, stride): ...


exercises.q6.check(middles)
# exercises.q6.hint()  # and .solution()

# %% [markdown]
# ## 9. Further: preparing the data
#
# The slides name three ways to prepare data: *min–max* maps the range of the grey levels to 0 to 1, the
# [z-score](../docs/glossary.md#standardisation) to mean 0 and standard deviation 1, and *tanh* squeezes
# z-scores into −1 to 1. All pixels together have *one* range, mean and deviation here. With one for each
# pixel, the same bump would look different at each place, and a shared window could not undo it.
#
# **Predict.** Suppose that our signals came as grey levels around 128. What happens if nothing is prepared? Is
# there a difference between the three ways?

# %% tags=["atol=0.1"]
tf.get_logger().setLevel("ERROR")  # it warns of many networks, and many are meant
grey = 128 + 40 * x
z_scores = (grey - grey[learn].mean()) / grey[learn].std()
PREPARED = {
    "as they came": grey,
    "min–max": (grey - grey[learn].min()) / np.ptp(grey[learn]),
    "z-score": z_scores,
    "tanh": np.tanh(z_scores),
}
prepared = {}
for how, seen in PREPARED.items():
    model = train(windows, seen[learn], y[learn], 0.01, 200)
    prepared[how] = (recognise(model, seen[judge]) == y[judge]).mean()
pd.Series(prepared).round(2)

# %%
for how in ("min–max", "tanh"):
    claim(f"In these few steps, z-scores are ahead of {how} by",
          prepared["z-score"] - prepared[how], above=0.05)  # fmt: skip
undone = PREPARED["min–max"] * np.ptp(grey[learn]) + grey[learn].min()
claims.check("Min–max is undone by a product and a sum", undone / 128, grey / 128, within=1e-4)

# %% [markdown]
# Did you expect the grey levels to fail as they came? They learn, too, at this rate and in these few steps.
# Min–max and tanh fall behind the z-scores. Min–max and the z-score are a product and a sum, which the first
# layer could learn just as well (all but at the border, where zeros come in). So they do not change which
# functions the network can learn. They change how fast it trains, and with another rate or more steps the order may change.
# One rule holds for all of them: take constants such as mean and range from the training signals alone.
#
# ## 10. Further: digits that are moved
#
# Handwritten digits stand in the middle of their pictures already. What do windows gain there, and what
# happens to each network if the test digits are moved by some pixels?
#
# **Predict.** A support vector machine, a convolutional network whose maps go into a dense layer
# (*flatten*), one with global maximum pooling, and both networks told of moves: which of them survive a move
# by three of 14 pixels?

# %%
order = rng.permutation(5_000)
small = pictures.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).astype("float32")[order]
names = digits.y[order]


def maps(end):
    return lambda: keras.Sequential([
        keras.Input((14, 14, 1)),
        layers.Conv2D(8, 3, 1, "same", activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(16, 3, 1, "same", activation="relu"),
        end(),
        layers.Dense(10),
    ])  # fmt: skip


def down(k):
    """The last 1,000 pictures, k pixels lower."""
    return np.pad(small[4_000:], ((0, 0), (k, 0), (0, 0)))[:, :14]


# %% tags=["atol=0.1"]
known = small[:3_000], names[:3_000]
svm = SVC(C=10, gamma=0.02).fit(known[0].reshape(3_000, -1), known[1])
answers = {"support vector machine": lambda x: svm.predict(x.reshape(len(x), -1))}
more = lesson.moved_pictures(*known, 3, 4, rng)
for kind, end, seen in (
    ("flatten", layers.Flatten, known),
    ("pooling", layers.GlobalMaxPooling2D, known),
    ("flatten, told", layers.Flatten, more),
    ("pooling, told", layers.GlobalMaxPooling2D, more),
):
    net = train(maps(end), *seen, 0.01, 240)
    answers[kind] = lambda x, net=net: recognise(net, x)
survives = pd.DataFrame({kind: [(answer(down(k)) == names[4_000:]).mean() for k in range(4)]
                         for kind, answer in answers.items()}).T  # fmt: skip
survives.add_prefix("moved by ").round(2)

# %%
claim("Moved by two pixels of 14, pooling keeps more than flatten, by",
      survives.loc["pooling", 2] - survives.loc["flatten", 2], above=0.1)  # fmt: skip
claim("Moved by three, pooling that was told keeps more than pooling that was not, by",
      survives.loc["pooling, told", 3] - survives.loc["pooling", 3], above=0.05)  # fmt: skip
claim("Moved by three, flatten that was told is behind pooling that was told by no more than",
      survives.loc["pooling, told", 3] - survives.loc["flatten, told", 3], below=0.08)  # fmt: skip
claim("Moved by one pixel, flatten is ahead of the support vector machine by",
      survives.loc["flatten", 1] - survives.loc["support vector machine", 1],
      above=0.03)  # fmt: skip
claim("Unmoved, windows are ahead of a support vector machine by no more than",
      survives[0].max() - survives.loc["support vector machine", 0], below=0.04)  # fmt: skip

# %% [markdown]
# Where nothing moves, a support vector machine on bare pixels is about as good as these small networks.
# (Neither was tuned, and with more digits, larger networks are ahead: LeCun et al. 1998.) Windows whose
# maps are flattened help for a pixel or two, and at three they are lost as well. Pooling helps, and being
# told helps more. In these 240 steps both cost a little where nothing moves. Once told, *flatten* hardly needs
# the pooling.
#
# ## 11. Further: larger pictures, and a chessboard
#
# A **transposed convolution** computes $A^\mathsf T G$ forwards. It turns small pictures into large ones:
# with stride 2, each number is spread over a window, and the windows stand two pixels apart. A
# [decoder](../docs/glossary.md#encoder) uses it in place of *up-sampling*, which repeats each pixel. (The
# name "deconvolution" is wrong: it undoes nothing.)

# %%
G, w = rng.normal(size=(1, 4, 4, 1)), rng.normal(size=(3, 3, 1, 1))
spread = layers.Conv2DTranspose(1, 3, strides=2, use_bias=False, dtype="float64")
spread.build(G.shape)
spread.kernel.assign(w)
ours = np.zeros((9, 9))
for i, j in np.ndindex(4, 4):
    ours[2 * i : 2 * i + 3, 2 * j : 2 * j + 3] += G[0, i, j, 0] * w[:, :, 0, 0]
claims.check("A transposed convolution spreads windows, as Keras does",
             ours, spread(G)[0, :, :, 0], 1e-12)  # fmt: skip
claims.check("Up-sampling repeats pixels", G.repeat(2, axis=1).repeat(2, axis=2),
             layers.UpSampling2D(2)(G), 1e-6)  # fmt: skip

# %% [markdown]
# Decoders with transposed convolutions tend to paint chessboards (Odena et al. 2016). The reason is
# counting: with stride 2, how many windows of size $k$ meet in a pixel?

# %%
for k in (2, 3, 4):
    tiling = layers.Conv2DTranspose(1, k, strides=2, padding="same", use_bias=False,
                                    kernel_initializer="ones")  # fmt: skip
    print(f"windows of {k}:", *np.unique(tiling(np.ones((1, 8, 8, 1)))[0, 3:-3, 3:-3]).astype(int))

# %% [markdown]
# With three, one, two or four windows meet, in turn: a chessboard. With two or four, as many everywhere. So
# choose a kernel that the stride divides, or up-sample first and convolve then.
#
# ### Further reading
#
# * Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: *Gradient-Based Learning Applied to Document Recognition*,
#   Proceedings of the IEEE 86, 1998. The first large success of shared windows.
# * V. Dumoulin, F. Visin: *A Guide to Convolution Arithmetic for Deep Learning*, arXiv:1603.07285, 2016.
#   Sections 2 and 3, with pictures.
# * S. Greydanus, D. Kobak: *Scaling Down Deep Learning with MNIST-1D*, ICML 2024. The signals, and the idea to
#   shuffle them.
# * R. Zhang: *Making Convolutional Networks Shift-Invariant Again*, ICML 2019. A. Azulay, Y. Weiss: *Why Do
#   Deep Convolutional Networks Generalize So Poorly to Small Image Transformations?*, JMLR 20, 2019.
#   Section 4.
# * A. Dempster, F. Petitjean, G. I. Webb: *ROCKET: Exceptionally Fast and Accurate Time Series
#   Classification Using Random Convolutional Kernels*, Data Mining and Knowledge Discovery 34, 2020.
#   Section 6.
# * A. Odena, V. Dumoulin, C. Olah: *Deconvolution and Checkerboard Artifacts*, Distill, 2016. Section 11.
