# %% [markdown]
# # Autoencoders
#
# **What is worth keeping of a picture?**
#
# A handwritten digit is 784 numbers. Most of them say nothing: paper is white, strokes hang
# together, and a 7 is a 7. An *autoencoder* squeezes each picture through a few numbers, its *code*,
# and learns to paint it again from these alone. In this lesson you build one, starting from the
# linear case where the best answer is known exactly, and use it to look at the data, to sort them
# without [labels](../docs/glossary.md#label), to clean them, and to notice what does not belong. You will also see where it fails.
#
# ![Two maps of the same thousand digits. Left, the two numbers that PCA keeps: most digits overlap.
# Right, the two numbers that an autoencoder keeps: most digits have a region of their
# own.](figures/autoencoders.png)
#
# | | |
# | --- | --- |
# | **Slides** | *Bayesian Neural Networks and VAE*, from *PCA* to *Denoising with AE*; *Neural Computation, part 2*, *AutoEncoders*; *Machine Learning for Astrophysics*, the closing slides on autoencoders |
# | **You will be able to** | compute what PCA loses before you run it; build linear, non-linear and denoising autoencoders; compare them fairly with PCA and with filters; say when a large reconstruction error means "unusual", and when it only means "a lot of ink"; explain why a plain autoencoder is no generator |
# | **You need** | dense networks and how to train them (lessons *neural_networks*, *training_deep_networks*); eigenvectors; variance and covariance |
# | **Time** | 110 minutes, and 5 more for what is marked *further* |

# %% tags=["nbval-ignore-output"]
import course_utils

SEED = course_utils.setup(seed=1)

# %%
import time

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from keras import ops
from scipy.linalg import subspace_angles
from scipy.ndimage import median_filter
from scipy.signal import wiener
from scipy.stats import rankdata
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from course_utils import claims, data, explorers, plotting, training
from course_utils.exercises import autoencoders as exercises

claim = claims.Claims()

# %% [markdown]
# The budget of this run: passes over the training images. It grows when there is a GPU; change it as
# you like.

# %%
EPOCHS = course_utils.budget(cpu=30, gpu=60)  # of the autoencoders of section 4
EPOCHS_MASKED = course_utils.budget(cpu=25, gpu=100)  # of the denoiser of section 6
EPOCHS_ANOMALY = course_utils.budget(cpu=10, gpu=20)  # of each of ten networks in section 7
STARTS = 5  # of every clustering

# %% [markdown]
# ## 1. A picture is a point
#
# Our pictures are 5,000 digits from MNIST. A picture $X_i$ is a point in a space of $n = 784$
# dimensions, its pixels from 0 (paper) to 1 (ink). We learn from 4,000 and keep 1,000 to judge, the
# *test images*. Section 7 names the two places where they take part in a choice. (The network's size and
# training were chosen beforehand, on another split of the same pictures.)

# %%
mnist = data.load_mnist5k()
X = (mnist.x / 255).reshape(len(mnist.x), -1)  # (5000, 784)
x_train, x_test, y_train, y_test = train_test_split(
    X, mnist.y, test_size=1_000, stratify=mnist.y, random_state=SEED
)
rng = np.random.default_rng(SEED)
shown = [np.flatnonzero(y_test == digit)[0] for digit in range(10)]  # one test image of each digit


def error(x, x_hat):
    """Squared error of each picture, summed over its pixels."""
    return np.square(x - x_hat).sum(axis=1)


def draw_rows(rows):
    """Pictures (k, 784) in named rows, one below the other."""
    pictures = np.clip(np.concatenate(list(rows.values())), 0, 1).reshape(-1, 28, 28)
    columns = len(pictures) // len(rows)
    fig, ax = plt.subplots(figsize=(10, 1.02 * len(rows) * 10 / columns))
    plotting.image_grid(ax, pictures, columns)
    ax.set_yticks(np.arange(len(rows)) * 28 + 13.5, list(rows), fontsize=13)
    ax.tick_params(length=0)
    return fig


def show_rows(rows, alt):
    draw_rows(rows)
    plotting.show(alt)


# %% [markdown]
# The lecture's loss is $\mathscr L = \frac1N\sum_{i=1}^N [X_i - X_i']^2$, where $X_i'$ is what comes
# back: squared differences summed over the pixels of a picture, averaged over the pictures. (Keras'
# `"mse"` also divides by the 784 pixels. Same minimum, other number: always say which one you print.)
#
# ## 2. PCA: the best straight answer
#
# If we may keep only $d < n$ numbers of each picture, which? *Principal component analysis* (PCA)
# keeps the coordinates along the $d$ orthogonal directions of greatest variance: the first $d$
# eigenvectors $v_1, \dots, v_d$ of the covariance matrix $\Sigma = \frac1N\sum_i (X_i - \bar X)(X_i -
# \bar X)^\top$. The code and what comes back are
#
# $$z = V^\top (X - \bar X),\qquad X' = \bar X + V z,\qquad V = (v_1, \dots, v_d).$$
#
# **Predict.** The variance along $v_j$ is the eigenvalue $\lambda_j$. What is the loss of PCA, before
# any picture is compressed?
#
# What is lost is the part along the directions left out. They are orthogonal, so by Pythagoras
#
# $$\mathscr L = \frac1N\sum_{i=1}^N \|X_i - X_i'\|^2 = \sum_{j=d+1}^{n}\lambda_j .$$

# %%
mean = x_train.mean(axis=0)
eigenvalues, directions = np.linalg.eigh(np.cov(x_train, rowvar=False, bias=True))
eigenvalues, directions = eigenvalues[::-1], directions[:, ::-1]  # largest first


def pca(x, d):
    V = directions[:, :d]
    return mean + (x - mean) @ V @ V.T


SIZES = (2, 8, 16, 32)
rows = []
for d in SIZES:
    reference = PCA(d, svd_solver="covariance_eigh").fit(x_train)
    x_hat = reference.inverse_transform(reference.transform(x_train))
    losses = [error(x_train, x_hat).mean(), error(x_train, pca(x_train, d)).mean()]
    rows.append([*losses, eigenvalues[d:].sum(), error(x_test, pca(x_test, d)).mean()])
columns = ["scikit-learn", "ours", "eigenvalues left out", "on test images"]
table = pd.DataFrame(rows, pd.Index(SIZES, name="d"), columns).astype(float)
table.round(2)

# %%
ratios = table["ours"] / table["eigenvalues left out"]
claims.check("PCA's loss is the sum of the eigenvalues left out", ratios, 1, within=1e-3)
ratios = table["ours"] / table["scikit-learn"]
claims.check("Our PCA loses what scikit-learn's loses", ratios, 1, within=1e-3)

# %%
show_rows(
    {"original": x_test[shown], **{f"PCA, d = {d}": pca(x_test[shown], d) for d in (2, 8, 32)}},
    "Ten test digits and what PCA paints from 2, 8 and 32 numbers: grey blurs at 2, readable digits "
    "with halos at 32.",
)

# %% [markdown]
# *Learned: no choice of $d$ straight directions can lose less than PCA, and the eigenvalues tell the
# loss in advance. On pictures that it has not seen the loss is close to that.*
#
# ### Exercise 1: how much is left?
#
# Write the *share* of the variance that is lost with $d$ components, from the eigenvalues alone. They
# come in any order.


# %%
def share_lost(eigenvalues, d): ...


exercises.q1.check(share_lost)
# exercises.q1.hint()  # and .solution()

# %% [markdown]
# ## 3. The same by a network
#
# The slide's network has one hidden layer of $d$ units without an activation function:
# $h = W_1 x + b_1$, $x' = W_2 h + b_2$. Its loss is the squared error. The slide makes three statements:
# the hidden layer spans the same space as PCA, its units are *not* orthogonal, and this is no
# efficient way to PCA. We test all three.
#
# We take $d = 6$, because the sixth and seventh eigenvalues are well apart: where two are equal, PCA
# itself does not know which direction to keep. And we subtract the mean picture before, as PCA does:
# the biases could learn it, but then the descent takes far longer.
#
# Two subspaces are compared by their *principal angles*: the smallest angle between any direction in
# the one and any in the other, then the next among the directions orthogonal to these, and so on. All
# are zero if and only if the subspaces are the same.

# %%
d = 6
centred = x_train - mean
linear = keras.Sequential([keras.Input((784,)), keras.layers.Dense(d), keras.layers.Dense(784)])
rate = keras.optimizers.schedules.CosineDecay(0.01, 500)
linear.compile(keras.optimizers.Adam(rate), loss="mse")
start = time.perf_counter()
training.fit(linear, centred, centred, epochs=500)  # each step on all training images
seconds = time.perf_counter() - start

W_2 = linear.layers[-1].kernel.numpy()  # (6, 784): the picture that each hidden unit paints
angles = np.degrees(subspace_angles(directions[:, :d], W_2.T))
x_hat = ops.convert_to_numpy(linear(centred)) + mean
ratio = error(x_train, x_hat).mean() / eigenvalues[d:].sum()
lengths = np.linalg.norm(W_2, axis=1)
cosines = W_2 @ W_2.T / np.outer(lengths, lengths)

# %%
text = "The angles between a linear autoencoder's space and PCA's are 0, in degrees"
claims.check(text, angles, 0, within=2)
claims.check("A linear autoencoder loses what PCA loses", ratio, 1, within=1e-3)
largest = np.abs(cosines - np.eye(d)).max()
text = "The units of a linear autoencoder are not orthogonal, largest |cosine| of two"
claim(text, largest, above=0.03)

# %%
units = [W_2, directions[:, :d].T]
fig, axes = plt.subplots(1, 2, figsize=(11, 3.2))
for ax, pictures, title in zip(axes, units, ("hidden units", "eigenvectors")):
    pictures = pictures / np.abs(pictures).max(axis=1, keepdims=True)
    mosaic = pictures.reshape(2, 3, 28, 28).swapaxes(1, 2).reshape(56, 84)
    ax.imshow(mosaic, cmap="RdBu_r", vmin=-1, vmax=1)
    ax.set(title=title, xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
plotting.show(
    "Six pictures painted by the hidden units, positive red and negative blue, beside the six "
    "eigenvectors: the same kind of strokes and loops, in another mixture."
)

# %% [markdown]
# (Red is positive, blue negative.) The same space, described by other vectors. Nothing in the loss
# asks for a right angle, nor for an order: PCA's first direction is the most important one, the
# network's units are all alike.
#
# Now the price. The time of one run says little on a busy computer, so we ask for the factor, and take
# the best of three runs of PCA. (This line differs from run to run, and is no part of the summary.)

# %% tags=["nbval-ignore-output"]
pca_seconds = []
for _ in range(3):
    start = time.perf_counter()
    PCA(d, random_state=0).fit(x_train)
    pca_seconds.append(time.perf_counter() - start)
slower = seconds / min(pca_seconds)
claims.Claims()("Training takes longer than PCA, by the factor", slower, above=2, digits=0)

# %% [markdown]
# *Learned: a linear autoencoder is PCA without right angles, reached the slow way. It is worth its
# time only because one can now bend it.*
#
# ### Exercise 2: the same network in disguise
#
# Take any invertible matrix $A$ (d × d) and change the hidden units to $h A$ (rows are examples).
# Which decoder gives the same pictures as before? In code a layer is `x @ W`, so the encoder `E` is
# (n, d) and the decoder `D` is (d, n). Return the new encoder and the new decoder. So many solutions
# are equally good that no single hidden unit means anything.


# %%
def disguised(E, D, A): ...


exercises.q2.check(disguised)
# exercises.q2.hint()  # and .solution()

# %% [markdown]
# ## 4. Bend it
#
# Put layers with an activation function between pixels and code: the *encoder* $f_\phi: \mathbb R^n \to
# \mathbb R^d$ and the *decoder* $g_\theta: \mathbb R^d \to \mathbb R^n$ are now free to follow curved
# surfaces, $z = f_\phi(X)$ and $X' = g_\theta(z)$. Both learn together, by the same loss. (The letters
# differ from deck to deck: the code is $h$ in one and $z$ in another, its size $d$ or $v$.) The last
# layer is a sigmoid, because ink lies between 0 and 1.
#
# The bends must stand *around* the code. One in the code layer alone gains nothing: whatever that layer
# does, a linear last layer paints on a flat of $d$ dimensions, and PCA's is the best there is (Bourlard
# and Kamp).


# %%
def autoencoder(d, hidden=(256, 128), front=()):
    """Encoder from 784 pixels to d numbers, and the decoder back."""
    Dense = keras.layers.Dense
    layers = [*front, *(Dense(units, "relu") for units in hidden), Dense(d)]
    encoder = keras.Sequential([keras.Input((784,)), *layers])
    layers = [*(Dense(units, "relu") for units in reversed(hidden)), Dense(784, "sigmoid")]
    decoder = keras.Sequential([keras.Input((d,)), *layers])
    return encoder, decoder


def compiled(encoder, decoder, steps):
    model = keras.Sequential([encoder, decoder])
    rate = keras.optimizers.schedules.CosineDecay(0.003, steps)
    model.compile(keras.optimizers.Adam(rate), loss="mse")
    return model


def train(encoder, decoder, x, epochs, batch_size=100):
    model = compiled(encoder, decoder, steps=epochs * -(-len(x) // batch_size))
    training.fit(model, x, x, epochs, batch_size)  # the input is also the target
    return encoder, decoder


def run(network, x):
    return ops.convert_to_numpy(network(x))


# %% [markdown]
# **Predict.** At the same $d$, by how much will the curved surface beat the flat one on test images?
# Where will the gain be larger, at $d = 2$ or at $d = 16$? Will it go on growing?
#
# **A fair comparison.** The sigmoid knows that ink lies between 0 and 1; PCA does not, and paints values
# beyond. We cut them off.

# %%
networks = {d: train(*autoencoder(d), x_train, EPOCHS) for d in SIZES[:2]}

# %%
networks |= {d: train(*autoencoder(d), x_train, EPOCHS) for d in SIZES[2:]}
codes = {d: run(encoder, x_test) for d, (encoder, _) in networks.items()}
painted = {d: run(decoder, codes[d]) for d, (_, decoder) in networks.items()}

# %% tags=["atol=0.02"]
total = error(x_test, mean).mean()  # the loss of always answering with the mean picture


def share(x_hat):
    """Error on the test images, as a share of their variance, of pictures cut off at 0 and 1."""
    return float(error(x_test, np.clip(x_hat, 0, 1)).mean() / total)


rows = {d: {"PCA": share(pca(x_test, d)), "autoencoder": share(painted[d])} for d in SIZES}
table = pd.DataFrame(rows).T.rename_axis("d")
table["ratio"] = table["autoencoder"] / table["PCA"]
table.round(2)

# %%
for d, bound in ((2, 0.85), (16, 0.7)):
    text = f"With {d} numbers kept, the autoencoder's test error is less than PCA's, by the factor"
    claim(text, table["ratio"][d], below=bound, headline=d == 2)

# %%
d_all = np.arange(1, 65)
curve = [share(pca(x_test, d)) for d in d_all]
fig, ax = plt.subplots(figsize=(8.5, 4))
ax.plot(d_all, curve, color="0.35", label="PCA")
ax.plot(SIZES, table["autoencoder"], "o", color="C1", markersize=9, label="autoencoder")
ax.set(xscale="log", xlabel="numbers kept, d", ylabel="test error (share of variance)", ylim=(0, 1))
ax.set_xticks([1, *SIZES, 64], [1, *SIZES, 64])
ax.minorticks_off()
ax.legend()
plotting.show(
    "Share of the variance of test images that is lost, against the number of numbers kept: the "
    "autoencoder lies below PCA's falling curve, most clearly at 8 and 16."
)

# %% [markdown]
# Read across the figure: follow a dot horizontally to the right until you meet PCA's curve, and you see
# how many straight directions one needs to match that many curved ones. At large $d$ the gain shrinks:
# straight directions become good enough, while 4,000 pictures become few for the network.
#
# At $d = 2$ one can look at the whole code. The labels below are colours for our eyes; neither
# method has seen them. The axes show ranks: where a picture stands in the order of all thousand, from 0
# to 100 %. (The lengths themselves come back in section 8.)

# %% tags=["cover"]
fig, axes = plt.subplots(1, 2, figsize=(12, 5.6))
flat = (x_test - mean) @ directions[:, :2]
for ax, z, name in zip(axes, (flat, codes[2]), ("PCA", "an autoencoder")):
    plotting.latent_map(ax, 100 * rankdata(z, axis=0) / len(z), y_test)
    ax.set(
        title=f"two numbers kept by {name}", xlabel="rank of $z_1$ (%)", ylabel="rank of $z_2$ (%)"
    )
plotting.show(
    "Two maps of the same thousand test digits, coloured by digit. Left, PCA: most digits overlap, only "
    "0 and 1 stand apart. Right, the autoencoder: most digits have a region of their own, with some "
    "overlap of 4, 7 and 9 and of 3, 5 and 8."
)

# %% [markdown]
# Does the eye deceive us? Let a stranger name each test image by the 15 nearest training codes.

# %% tags=["atol=0.06"]
flat_train, curved_train = (x_train - mean) @ directions[:, :2], run(networks[2][0], x_train)
by_pca, by_network = (
    KNeighborsClassifier(15).fit(train_code, y_train).predict(test_code) == y_test
    for train_code, test_code in ((flat_train, flat), (curved_train, codes[2]))
)
print(f"named rightly: PCA {by_pca.mean():.2f}, autoencoder {by_network.mean():.2f}")
lead = claims.mean_and_error(by_network.astype(float) - by_pca, "test images")
text = "More digits are named rightly from the autoencoder's two numbers than from PCA's, share"
claim(text, **lead, above=0.1, headline=True)

# %% [markdown]
# And back from the code to pictures. Move $d$ and see when the 4 and the 9 part.


# %%
def draw(d):
    return draw_rows(
        {
            "original": x_test[shown],
            f"PCA, d = {d}": pca(x_test[shown], d),
            f"autoencoder, d = {d}": painted[d][shown],
        }
    )


for d in (2, 16):
    draw(d)
    plotting.show(
        f"Ten test digits, and what PCA and the autoencoder paint from d = {d} numbers: PCA's are "
        "grey and blurred, the autoencoder's are darker, though not always the right digit."
    )

# %% tags=["nbval-ignore-output"]
explorers.gallery(draw, d=SIZES)

# %% [markdown]
# Look at $d = 2$: where PCA is unsure it paints a grey mixture. The autoencoder paints a darker, more
# definite shape, sometimes another digit. A picture that looks good need not be the right one.
#
# *Learned: curved surfaces keep more in the same number of numbers. The code groups the digits
# without ever having been told what a digit is.*
#
# ### Exercise 3: repair a published mistake
#
# A widely read lesson trains models of several sizes, passes the *test* images as validation data,
# keeps the size that does best there, and reports that error. Given the errors of several sizes, measured
# on validation images and on test images, return the one number that it should have reported.


# %%
def reported_error(validation_errors, test_errors): ...


exercises.q3.check(reported_error)
# exercises.q3.hint()  # and .solution()

# %% [markdown]
# ### Exercise 4: predict what a published mistake paints
#
# Our decoder ends in a sigmoid. So did a published one, and the code that painted its pictures then
# applied a sigmoid *again*. Paper has the value 0 and ink 1. Which two values has the picture after the
# second sigmoid? Give them as `(paper, ink)`.

# %%
greys = ...
exercises.q4.check(greys)
# exercises.q4.hint()  # and .solution()

# %%
show_rows(
    {"once": painted[16][shown], "twice": 1 / (1 + np.exp(-painted[16][shown]))},
    "Ten decoded digits. Above, as the decoder paints them, black on white. Below, with a second "
    "sigmoid: the same digits in dark grey on middle grey.",
)

# %% [markdown]
# No error message, no wrong shape: only grey pictures, which the eye forgives.
#
# ## 5. Sorting without labels
#
# The slides name clustering as a use of autoencoders: ten heaps of digits, made by nobody. We let
# *[k-means](../docs/glossary.md#k-means)* look for ten clusters in the training images, assign each test image to the nearest centre,
# and compare with the true digits. The *adjusted Rand index* (ARI) counts pairs of pictures on which
# clusters and digits agree, minus what chance would give: 0 is chance, 1 is perfect.
#
# **A fair comparison.** Three descriptions of the same pictures: the 784 pixels, PCA's 16
# numbers, and the autoencoder's 16. k-means goes by lengths, and the lengths in a code mean
# nothing (exercise 2 allowed any $A$). A *[mixture of ten normals](../docs/glossary.md#mixture-of-normals)* does not mind: each of its clusters
# has a covariance matrix of its own, so the best mixture is the same for any $A$ (only where the search
# for it starts is not). In 784 dimensions 4,000 pictures cannot determine such a matrix; in 16 they
# can. So the codes are clustered in both ways. Each clustering is repeated from several starts; "±" is the
# standard error over them. It does not contain the luck of the one training.
#
# **Predict.** PCA throws away 768 of 784 numbers. Will its clusters be worse than those in pixels?

# %% tags=["atol=0.08"]
V = directions[:, :16]
described = {
    "pixels": (x_train, x_test),
    "PCA": tuple((x - mean) @ V for x in (x_train, x_test)),
    "autoencoder": tuple(run(networks[16][0], x).astype(float) for x in (x_train, x_test)),
}


def agreement(method, name):
    """ARI of the test images' clusters with their digits, for each start."""
    learn, judge = described[name]
    scores = []
    for start in range(STARTS):
        if method == "k-means":
            model = KMeans(10, n_init=1, random_state=start)
        else:
            model = GaussianMixture(10, reg_covar=1e-3 * learn.var(), random_state=start)
        scores.append(adjusted_rand_score(y_test, model.fit(learn).predict(judge)))
    return np.array(scores)


ways = [("k-means", name) for name in described]
ways += [("mixture", name) for name in ("PCA", "autoencoder")]
ari = {way: agreement(*way) for way in ways}
pd.DataFrame({way: claims.mean_and_error(a) for way, a in ari.items()}).T.set_axis(
    ["ARI", "±"], axis=1
).round(2)

# %% tags=["atol=0.05"]
change = claims.mean_and_error(ari["k-means", "PCA"] - ari["k-means", "pixels"], "starts")
text = "k-means in PCA's code sorts digits as well as in pixels, difference in ARI"
claim(text, **change, above=-0.08, below=0.08)
for name, whose in (("PCA", "PCA's"), ("autoencoder", "the autoencoder's")):
    gain = claims.mean_and_error(ari["mixture", name] - ari["k-means", "pixels"], "starts")
    text = f"A mixture in {whose} code sorts digits better than k-means in pixels, ARI higher by"
    claim(text, **gain, above=0.03, headline=name == "PCA")
change = claims.mean_and_error(ari["mixture", "autoencoder"] - ari["mixture", "PCA"])
print(f"mixture, autoencoder over PCA: {change['value']:+.2f} ± {change['se']:.2f}")

# %% [markdown]
# Read the table twice. k-means finds nothing more in PCA's code than in the pixels (PCA keeps the
# large distances) and little more in the autoencoder's. The large step comes with the mixture, which
# only a short code allows, and PCA's code takes most of it. The autoencoder's lead over PCA is of the
# size of the luck of one training: with another seed it can vanish.
#
# *Learned: compression makes better clustering possible. And before the network gets the credit, let
# PCA try the same. A cluster is still not a digit: nobody told the network which differences matter to
# us.*
#
# ## 6. Cleaning pictures
#
# A *denoising autoencoder* gets a corrupted picture $\tilde X$ and shall paint the clean one:
#
# $$\mathscr L(\phi, \theta) = \frac1N\sum_{i=1}^N [X_i - X_i']^2,\qquad X_i' =
# g_\theta(f_\phi(\tilde X_i)).$$
#
# Our noise is the slide's *mask*: each pixel is set to 0 with probability ½. The mask is a layer, so
# that every step of the training meets new noise. Since copying does not help, the code may be
# larger: $d = 64$.


# %%
class Mask(keras.layers.Layer):
    """Set each pixel to 0 with probability ½, in training only."""

    def __init__(self):
        super().__init__()
        self.seed = keras.random.SeedGenerator(SEED)

    def call(self, x, training=False):
        if not training:
            return x
        return x * ops.cast(keras.random.uniform(ops.shape(x), seed=self.seed) < 0.5, x.dtype)


denoiser = train(*autoencoder(64, (256,), front=[Mask()]), x_train, EPOCHS_MASKED)

# %% [markdown]
# **The opponents**, all allowed to look at training images.
#
# * A *median filter* replaces a pixel by the median of its neighbourhood, a *[Wiener filter](../docs/glossary.md#wiener-filter)* by a mixture
#   of itself and the neighbourhood's mean, depending on the local variance. Both may choose the size of
#   their window and a factor by which the result is brightened (a mask takes away half the ink).
# * The *best straight answer*: of all linear maps from noisy to clean pictures the one with the least
#   expected loss. That is [least squares](../docs/glossary.md#least-squares): the covariance of clean and noisy divided by that of the noisy.
#   With $\Sigma$ as before, the probability $q$ to keep a pixel, and squares taken pixel by pixel,
#
# $$X' = \bar X + q\Sigma\, C^{-1} (\tilde X - q\bar X),\qquad
# C = q^2\Sigma + q(1-q)\,\mathrm{diag}\Big(\tfrac1N\sum_i X_i^2\Big).$$
#
# Its expected loss is known, too: $\mathrm{tr}(\Sigma - q^2\,\Sigma\, C^{-1}\Sigma)$.
#
# All are cut off at 0 and 1, which helps the linear map a little further.
#
# **Predict.** Rank the four, and "do nothing" as the fifth.

# %%
q = 0.5
noisy_train, noisy_test = (x * (rng.random(x.shape) < q) for x in (x_train[:1000], x_test))


def filtered(name, x, size):
    pictures = x.reshape(-1, 28, 28)
    if name == "median filter":
        return median_filter(pictures, (1, size, size)).reshape(len(x), -1)
    with np.errstate(divide="ignore", invalid="ignore"):  # on plain paper the variance is 0
        return np.stack([wiener(picture, size) for picture in pictures]).reshape(len(x), -1)


def tuned(name):
    """The filter with the window and the factor that are best on 1,000 training images."""
    best = (np.inf, 0, 0)
    for size in (3, 5, 7):
        output = filtered(name, noisy_train, size)
        factor = (output * x_train[:1000]).sum() / np.square(output).sum()  # least squares
        best = min(best, (error(x_train[:1000], factor * output).mean(), size, factor))
    print(f"{name}: window of {best[1]} pixels")
    return best[2] * filtered(name, noisy_test, best[1])


covariance = np.cov(x_train, rowvar=False, bias=True)
noisy_covariance = q**2 * covariance + q * (1 - q) * np.diag(np.square(x_train).mean(axis=0))
noisy_covariance += 1e-3 * np.eye(784)  # some pixels never have ink
straight = np.linalg.solve(noisy_covariance, q * covariance)
cleaned = {
    "do nothing": noisy_test,
    "median filter": tuned("median filter"),
    "Wiener filter": tuned("Wiener filter"),
    "best linear map": mean + (noisy_test - q * mean) @ straight,
    "autoencoder": run(denoiser[1], run(denoiser[0], noisy_test)),
}
errors = pd.Series({name: share(x_hat) for name, x_hat in cleaned.items()})
errors.round(2).rename("error, share of variance").to_frame()

# %%
masked = x_train * (rng.random(x_train.shape) < q)
measured = error(x_train, mean + (masked - q * mean) @ straight).mean()
expected = np.trace(covariance) - q * np.sum(covariance * straight)
expected -= 1e-3 * np.square(straight).sum()  # C got this noise; the pictures did not
text = "The best linear map loses what the formula expects"
claims.check(text, measured / expected, 1, within=0.02)
for name, low, high in (("median filter", 0.1, 0.4), ("Wiener filter", 0.2, 0.6)):
    text = f"The denoising autoencoder's error is less than the {name}'s, by the factor"
    claim(text, errors["autoencoder"] / errors[name], above=low, below=high)
text = "A denoising autoencoder's error is close to the best linear map's, ratio of the two"
ratio = errors["autoencoder"] / errors["best linear map"]
claim(text, ratio, above=0.7, below=1.05, headline=True)
ratio = errors["median filter"] / errors["do nothing"]
text = "A median filter is worse for masked pictures than doing nothing, error higher by the factor"
claim(text, ratio, above=1.1, headline=True)

# %%
show_rows(
    {"original": x_test[shown], **{name: x[shown] for name, x in cleaned.items()}},
    "Ten digits, their masked version, and what the median filter, the Wiener filter, the best linear "
    "map and the autoencoder make of it: the median filter erases the strokes, the Wiener filter "
    "adds a grey haze, the linear map and the autoencoder restore them.",
)

# %% [markdown]
# The median filter is worse than doing nothing: most pixels around a broken stroke are paper, and the
# median says so. A filter knows its window; the linear map and the network know what digits look
# like. And between these two there is hardly a difference in error: the linear map blurs, the network
# decides. Without that opponent we would have praised the network for what knowing the data alone brings.
#
# *Learned: a denoiser is as good as its knowledge of clean pictures. Before you praise a network, ask
# the best straight answer.*
#
# ### Exercise 5: find the bug
#
# "My denoising autoencoder reaches a low loss and gives back the noise." The line that prepares one step
# is `noisy = x * mask` and the one that trains is `fit(noisy, noisy)`. Write the pair that training
# should get from clean pictures `x` and a `mask` of zeros and ones of the same shape.


# %%
def training_pair(x, mask):
    """The input of the network and its target."""
    ...


exercises.q5.check(training_pair)
# exercises.q5.hint()  # and .solution()

# %% [markdown]
# ## 7. What does not belong
#
# The idea of *anomaly detection* with autoencoders: train on what is usual, and call a picture unusual
# if it comes back badly. We test it honestly. Each digit in turn is the one that the network
# never sees in training; then it gets all test images, and we ask whether the unseen digit has larger
# errors. The *AUROC* is the probability that a random unseen picture has a larger error than a random
# known one: 0.5 is chance.
#
# **A fair comparison.** The autoencoder keeps $d = 16$, fixed in advance. PCA is trained
# on the same pictures and may have the $d$ that turns out best on the *test* images (an advantage that
# we grant the yardstick alone). A third detector has learnt nothing: it calls a picture
# unusual if it has much ink.
#
# **Predict.** Which digit will be the easiest to notice, and which the hardest?

# %%
PCA_SIZES = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64)
pca_errors = np.zeros((10, len(PCA_SIZES), len(x_test)))
network_errors = np.zeros((10, len(x_test)))
typical = []  # of each unseen digit the picture with the median error, and what came back
model = compiled(*autoencoder(16, (256,)), steps=36 * EPOCHS_ANOMALY)
start = training.snapshot(model)
for digit in range(10):
    known = x_train[y_train != digit]
    training.restore(model, start)  # the same start for all ten: faster than compiling anew
    training.fit(model, known, known, EPOCHS_ANOMALY, 100, f"without {digit}")
    x_hat = run(model, x_test)
    network_errors[digit] = error(x_test, x_hat)
    unseen = np.flatnonzero(y_test == digit)
    middle = unseen[network_errors[digit, unseen].argsort()[len(unseen) // 2]]
    typical.append((x_test[middle], x_hat[middle]))
    reference = PCA(64, svd_solver="covariance_eigh").fit(known)
    kept = np.square(reference.transform(x_test)).cumsum(axis=1)[:, np.array(PCA_SIZES) - 1]
    pca_errors[digit] = (error(x_test, reference.mean_)[:, None] - kept).T

# %% tags=["atol=0.02"]
ink = np.square(x_test).sum(axis=1)


def detect(scores):
    """AUROC for each digit as the unseen one; scores (10, N), larger is more unusual."""
    return np.array([roc_auc_score(y_test == digit, s) for digit, s in enumerate(scores)])


by_size = [detect(pca_errors[:, i]) for i in range(len(PCA_SIZES))]
best = int(np.argmax([a.mean() for a in by_size]))
auroc = {"autoencoder": detect(network_errors), "PCA": by_size[best], "ink": detect([ink] * 10)}
print(f"PCA does best with d = {PCA_SIZES[best]}")
table = pd.DataFrame(auroc, pd.Index(range(10), name="unseen digit")).T
table.assign(mean=table.mean(axis=1)).round(2)

# %%
average = auroc["autoencoder"].mean()
claim("The autoencoder notices unseen digits, mean AUROC over the ten", average, above=0.6)
text = "The autoencoder notices unseen digits better than PCA with its best d, mean AUROC higher by"
claim(text, average - auroc["PCA"].mean(), above=0.02)
lag = np.delete(auroc["autoencoder"], 1).mean() - auroc["autoencoder"][1]
text = "The autoencoder overlooks the unseen 1, AUROC below the mean of the other nine digits by"
claim(text, lag, above=0.2, headline=True)
claim("The amount of ink alone calls the unseen 1 usual, AUROC", auroc["ink"][1], below=0.25)

# %%
fig, ax = plt.subplots(figsize=(9.5, 4.2))
styles = {"autoencoder": ("o", "C1"), "PCA": ("s", "0.35"), "ink": ("x", "C0")}
for i, (name, (marker, color)) in enumerate(styles.items()):
    label = "amount of ink alone" if name == "ink" else name
    place = np.arange(10) + 0.15 * (i - 1)  # side by side
    ax.plot(place, auroc[name], marker, color=color, markersize=9, mew=2.5, label=label)
ax.axhline(0.5, color="0.6", linewidth=1.5, linestyle="--", zorder=0, label="chance")
ax.set(xlabel="digit never seen in training", ylabel="AUROC", ylim=(0, 1), xticks=range(10))
ax.legend(ncols=2, loc="lower right", fontsize=13)
plotting.show(
    "AUROC for each unseen digit. The autoencoder lies above PCA nearly everywhere. For the digit 1 "
    "both fall to or below the dashed line of chance, and the amount of ink alone is close to zero."
)

# %% [markdown]
# Why does it fail for the 1? Look at the third detector. A 1 has little ink, and who has little ink
# can lose little: even a network that has never seen a 1 repaints it with a smaller error than a known,
# but elaborate, 2 or 8. The error of a picture measures two things at once: how unusual it is, and
# how much there is to get wrong.
#
# So measure the error as a share of what there is. We divide it by the picture's own variance around
# its mean grey level, for all digits and both methods alike. (PCA may choose its $d$ again. And note:
# we have looked at the test images and changed the score because of what we saw. What follows is an
# explanation of the failure; as a detector it would have to be judged on fresh pictures.)

# %% tags=["atol=0.02"]
variance = 784 * x_test.var(axis=1)
relative = {
    "autoencoder": detect(network_errors / variance),
    "PCA": max((detect(pca_errors[:, i] / variance) for i in range(len(PCA_SIZES))), key=np.mean),
}
table = pd.DataFrame(relative, pd.Index(range(10), name="unseen digit")).T
table.assign(mean=table.mean(axis=1)).round(2)

# %% tags=["atol=0.02"]
rescued = relative["autoencoder"][1] - auroc["autoencoder"][1]
text = "The error as a share of the picture's variance notices the unseen 1 better, AUROC higher by"
claim(text, rescued, above=0.1)
change = np.mean(relative["autoencoder"] - auroc["autoencoder"])
print(f"The mean AUROC over the ten digits changes by {change:+.2f}")

# %%
never_seen, repainted = np.array(typical).swapaxes(0, 1)
show_rows(
    {"never seen": never_seen, "repainted": repainted},
    "Ten digits, each with the median error of its kind, repainted by the network that has never seen "
    "its kind: some come back as blurs, some as another digit, such as a 9 in place of the 4.",
)

# %% [markdown]
# The 1 is rescued (for PCA even more) and digits with much ink lose; the line above the pictures says
# by how much the mean changes. Another score, other blind spots. The 9 stays hard for another reason: it is
# made of strokes that the network knows from 4, 7 and 8, and it repaints it recognisably.
#
# *Learned: a large error means "I cannot repaint this", not "I have never seen this". An
# autoencoder notices what it cannot build from known parts, and overlooks what is simple.*
#
# ### Exercise 6: which way round?
#
# Write the AUROC from its meaning: the probability that a random unseen picture has a larger error than a
# random known one, ties counting one half. Do not repair a value below 0.5: whoever turns the detector
# around after looking at the answer has used the answer.


# %%
def auroc_of(known_errors, unseen_errors): ...


exercises.q6.check(auroc_of)
# exercises.q6.hint()  # and .solution()

# %% [markdown]
# ## 8. Why it cannot dream
#
# The decoder paints a digit from 16 numbers. So draw 16 numbers and let it paint *new* digits? To draw we
# need to know where codes lie: their density $p(z)$. The loss never asked for one. We try the
# simplest guess, a normal distribution with the mean and covariance of the training codes.
#
# **Predict.** Will the decoder paint digits at points drawn like this?
#
# Three yardsticks. The *density*: the mean log-density that the normal gives to the test images' codes,
# beside that of a mixture of 20 normals fitted to the same training codes. The *distance*: a perfect
# sampler is as close to the nearest training code as the test images' codes are; we take the
# distance that 5 % of these exceed and count the draws beyond. (Codes are [whitened](../docs/glossary.md#whitening) first, so that
# no $A$ can change the answer.) The *look*: what share of the ten training images nearest to the
# painted picture agree on its digit?

# %% tags=["atol=0.15"]
encoder, decoder = networks[16]
z_train, z_test = run(encoder, x_train).astype(float), codes[16]
normal = GaussianMixture(1, random_state=SEED).fit(z_train)
mixture = GaussianMixture(20, random_state=SEED, reg_covar=1e-3).fit(z_train)
drawn = {"normal": normal.sample(1000)[0], "mixture of 20": mixture.sample(1000)[0]}
drawn = {name: rng.permutation(z).astype("float32") for name, z in drawn.items()}
white = PCA(whiten=True).fit(z_train)
nearest = NearestNeighbors(n_neighbors=1).fit(white.transform(z_train))
neighbours = KNeighborsClassifier(10).fit(x_train, y_train)


def distance(z):
    return nearest.kneighbors(white.transform(z))[0][:, 0]


limit = np.quantile(distance(z_test), 0.95)
far, look = {}, {}  # of a thousand codes each: far from the training codes? do neighbours agree?
for name, z in {"codes of test images": z_test, **drawn}.items():
    far[name] = distance(z) > limit
    look[name] = neighbours.predict_proba(run(decoder, z)).max(axis=1)
columns = {"far from all codes": far, "neighbours agree": look}
table = pd.DataFrame({name: pd.DataFrame(column).mean() for name, column in columns.items()})
table.round(2)

# %%
gap = claims.mean_and_error(mixture.score_samples(z_test) - normal.score_samples(z_test), "codes")
text = "A mixture describes the codes of test images better than a normal, log-density higher by"
claim(text, **gap, above=2, unit="nats")
for name, bound in (("normal", {"above": 0.3}), ("mixture of 20", {"below": 0.25})):
    text = f"Codes drawn from the {name} lie far from all codes, share"
    claim(text, **claims.mean_and_error(far[name], "draws"), **bound)
lag = claims.mean_and_error(look["codes of test images"] - look["normal"], "pictures")
text = (
    "Pictures painted from draws of a normal look less like one digit than repainted ones, "
    "share of neighbours that agree lower by"
)
claim(text, **lag, above=0.02, headline=True)

# %%
show_rows(
    {
        "test images": run(decoder, z_test[rng.choice(1000, 14, replace=False)]),
        "normal": run(decoder, drawn["normal"][:14]),
        "mixture": run(decoder, drawn["mixture of 20"][:14]),
    },
    "Fourteen pictures in each row. Repainted test images are digits. Those from a normal "
    "distribution of codes are often strokes that are no digit. Those from the mixture mostly are digits.",
)

# %%
fig, ax = plt.subplots(figsize=(8.5, 6.5))
plotting.latent_map(ax, codes[2], y_test)
z = run(networks[2][0], x_train)
invented = rng.multivariate_normal(z.mean(axis=0), np.cov(z.T), 300)
ax.plot(*invented.T, "k+", markersize=6, mew=1.2)
both = np.concatenate([codes[2], invented])
low, high = np.quantile(both, [0.01, 0.99], axis=0)  # those outside would shrink the rest
ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
ax.set_title("dots: codes of test images, crosses: drawn from a normal")
plotting.show(
    "The two-dimensional code of the test images with 300 draws from a normal distribution: many "
    "crosses fall into the gaps between the arms, where no digit lies."
)

# %% [markdown]
# The codes lie on arms with gaps between them, and the normal fills the gaps. (The outermost points
# are beyond the figure's edge.) In 16 dimensions there is far more room for gaps. The decoder has
# never been asked what lies there.
#
# One can fit the density afterwards, as our mixture does, and it helps a lot. But then nothing has
# made the code easy to describe, and we have no [likelihood](../docs/glossary.md#likelihood) of a *picture*. The next lesson, *var_mod*,
# turns it around: it first says that codes shall be normally distributed, makes each code a small
# cloud so that gaps get filled, and derives the loss from that. *Learned: an autoencoder learns where
# pictures are, and nothing of how likely they are.*
#
# ## Summary
#
# These are the sentences of the lesson with their numbers; the other claims are folded below them.
# "±" is the standard error over what the line names. Every number also carries the luck of one split
# of the pictures and of one training of each network.

# %%
claim

# %% [markdown]
# ### Further reading
#
# * H. Bourlard, Y. Kamp: *Auto-association by multilayer perceptrons and singular value decomposition*,
#   Biological Cybernetics 59, 1988; P. Baldi, K. Hornik: *Neural networks and principal component
#   analysis: learning from examples without local minima*, Neural Networks 2, 1989. Section 3.
# * G. E. Hinton, R. R. Salakhutdinov: *Reducing the Dimensionality of Data with Neural Networks*,
#   Science 313, 2006. The paper on the slides.
# * P. Vincent, H. Larochelle, I. Lajoie, Y. Bengio, P.-A. Manzagol: *Stacked Denoising Autoencoders*,
#   Journal of Machine Learning Research 11, 2010.
# * M. Chen, Z. Xu, K. Weinberger, F. Sha: *Marginalized Denoising Autoencoders for Domain Adaptation*,
#   ICML 2012. The best linear map of section 6.
# * L. Hubert, P. Arabie: *Comparing partitions*, Journal of Classification 2, 1985. The adjusted Rand index.
# * J. Serrà, D. Álvarez, V. Gómez, O. Slizovskaia, J. F. Núñez, J. Luque: *Input Complexity and
#   Out-of-distribution Detection with Likelihood-based Generative Models*, ICLR 2020. The 1 of section 7,
#   in larger models.
# * P. Ghosh, M. S. M. Sajjadi, A. Vergari, M. Black, B. Schölkopf: *From Variational to Deterministic
#   Autoencoders*, ICLR 2020. A density fitted afterwards, as in section 8.

# %% [markdown]
# ## Further: all of MNIST
#
# Fifteen times as many pictures (and half as many steps again), the same network: 60,000 to learn from
# and the 10,000 test images of the published split. The file (about 11 MB) is downloaded the first
# time. *The cells below are stored without output, because the data were not at hand when this page was
# built; run them.*
#
# **Predict.** PCA hardly changes with more pictures. Will the network?

# %% tags=["needs-download", "data=mnist"]
mnist = data.load_mnist()
pixels = mnist.x.reshape(len(mnist.x), -1)
pixels /= 255
many_train, many_test = pixels[: data.MNIST_TRAIN], pixels[data.MNIST_TRAIN :]
encoder, decoder = train(*autoencoder(16), many_train, epochs=6, batch_size=200)
reference = PCA(16, svd_solver="covariance_eigh").fit(many_train)

# %% tags=["needs-download", "data=mnist", "atol=0.02"]
loss = {
    "PCA, 4,000 pictures": pca(many_test, 16),
    "PCA, 60,000 pictures": reference.inverse_transform(reference.transform(many_test)),
    "autoencoder, 4,000 pictures": run(networks[16][1], run(networks[16][0], many_test)),
    "autoencoder, 60,000 pictures": run(decoder, run(encoder, many_test)),
}
loss = {name: error(many_test, np.clip(x_hat, 0, 1)).mean() for name, x_hat in loss.items()}
total = error(many_test, reference.mean_).mean()
for name, value in loss.items():
    print(f"{name}: {value / total:.2f} of the variance lost")
claim = claims.Claims()
ratio = loss["autoencoder, 60,000 pictures"] / loss["autoencoder, 4,000 pictures"]
text = "With 60,000 pictures in place of 4,000 the autoencoder's test error falls, to this share"
claim(text, ratio, below=1)

# %% [markdown]
# Compare the two methods. What a flat surface can learn it has learnt from a few thousand pictures; a
# curved one goes on learning.
