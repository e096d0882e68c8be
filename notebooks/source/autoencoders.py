# %% [markdown]
# # Autoencoders
#
# **What is worth keeping of a picture?**
#
# A handwritten digit is 784 numbers, and most of them say nothing. An *autoencoder* squeezes each picture
# through a few numbers, its *code*, and learns to paint it again from these alone. You build one, starting
# from the linear case, where the best answer is known exactly. At the end you find that a network which
# removes noise knows more than it was asked for.
#
# ![A handwritten digit, an arrow to a box with two numbers, and an arrow to a question
# mark.](figures/autoencoders.png)
#
# | | |
# | --- | --- |
# | **Slides** | *Bayesian Neural Networks and VAE*, from *PCA* to *Denoising with AE*; *Neural Computation, part 2*, *AutoEncoders*; *Machine Learning for Astrophysics*, the closing slides on autoencoders |
# | **You will be able to** | compute what PCA loses before you run it; build autoencoders, plain and denoising, and compare them fairly with PCA, filters and a list of pictures; turn a denoiser into the slope of a log-density, and draw new data with it |
# | **You need** | dense networks and how to train them (lesson [`neural_networks`](neural_networks.ipynb)); eigenvectors; variance and covariance |
# | **Time** | 90 minutes, and 25 more for what is marked *further* |

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
from scipy.spatial.distance import cdist
from scipy.special import softmax
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from course_utils import claims, data, explorers, plotting, training
from course_utils.exercises import autoencoders as exercises
from course_utils.lessons import autoencoders as lesson

claim = claims.Claims()
rng = np.random.default_rng(SEED)

# %% [markdown]
# The budget of this run, larger with a GPU.

# %%
EPOCHS = course_utils.budget(cpu=30, gpu=60)  # passes over the training pictures in section 4
EPOCHS_MASKED = course_utils.budget(cpu=30, gpu=100)  # of the denoiser of section 6
EPOCHS_ANOMALY = course_utils.budget(cpu=10, gpu=20)  # of each of ten networks in section 9
STARTS = 5  # of every clustering

# %% [markdown]
# ## 1. A picture is a point
#
# Our pictures are 5,000 digits from MNIST. A picture $X_i$ is a point in a space of $n = 784$
# dimensions, its pixels from 0 (paper) to 1 (ink). 3,500 *training pictures* teach; where a method has
# something to choose, 500 *validation pictures* choose it; 1,000 *test pictures* judge. (Only the sizes and
# training of our networks were chosen beforehand, on other splits of the same pictures.)

# %% tags=["cover"]
mnist = data.load_mnist5k()
X = (mnist.x / 255).reshape(len(mnist.x), -1)  # (5000, 784)
x_rest, x_test, y_rest, y_test = train_test_split(
    X, mnist.y, test_size=1_000, stratify=mnist.y, random_state=SEED
)
x_train, x_val, y_train, y_val = train_test_split(
    x_rest, y_rest, test_size=500, stratify=y_rest, random_state=SEED
)
shown = [np.flatnonzero(y_test == digit)[0] for digit in range(10)]  # one of each digit
lesson.draw_cover(plt.subplots(1, 3, figsize=(9, 2.6))[1], x_test[shown[7]])
plotting.show("A handwritten 7, an arrow to a box with two numbers, an arrow to a question mark.")

# %% [markdown]
# The lecture's loss is $\mathscr L = \frac1N\sum_{i=1}^N [X_i - X_i']^2$, where $X_i'$ is what comes
# back: squared differences summed over the pixels of a picture, averaged over the pictures. (Keras'
# `"mse"` also divides by the 784 pixels: always say which one you print.)
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
# ### Exercise 1: how much is left?
#
# Write the *share* of the variance that PCA loses with $d$ components, from the eigenvalues alone. They
# come in any order.


# %%
def share_lost(eigenvalues, d): ...


exercises.q1.check(share_lost)
# exercises.q1.hint()  # and .solution()

# %% [markdown]
# What is lost is the part along the directions left out. They are orthogonal, so their squares add up
# (Pythagoras), and the mean square along $v_j$ is $\lambda_j$. Kept and lost add up to the whole variance, so
# the directions that keep most lose least:
#
# $$\mathscr L = \frac1N\sum_{i=1}^N \|X_i - X_i'\|^2 = \sum_{j=d+1}^{n}\lambda_j .$$

# %%
mean = x_train.mean(axis=0)
covariance = np.cov(x_train, rowvar=False, bias=True)
eigenvalues, directions = np.linalg.eigh(covariance)
eigenvalues, directions = eigenvalues[::-1], directions[:, ::-1]  # largest first


def error(x, x_hat):
    """Squared error of each picture, summed over its pixels."""
    return np.square(x - x_hat).sum(axis=1)


def pca(x, d):
    V = directions[:, :d]
    return mean + (x - mean) @ V @ V.T


SIZES = (2, 16)
columns = {
    "eigenvalues left out": [eigenvalues[d:].sum() for d in SIZES],
    "loss": [error(x_train, pca(x_train, d)).mean() for d in SIZES],
    "loss on test pictures": [error(x_test, pca(x_test, d)).mean() for d in SIZES],
}
table = pd.DataFrame(columns, pd.Index(SIZES, name="d")).astype(float)
table.round(2)

# %%
ratios = table["loss"] / table["eigenvalues left out"]
claims.check("PCA's loss is the sum of the eigenvalues left out", ratios, 1, within=1e-3)
lesson.draw_rows(
    {"original": x_test[shown], **{f"PCA, d = {d}": pca(x_test[shown], d) for d in SIZES}}
)
plotting.show(lesson.TEXTS["pca"])

# %% [markdown]
# *Learned: no choice of $d$ straight directions can lose less than PCA, and the eigenvalues tell the
# loss in advance. On new pictures the loss is close to that.*
#
# ## 3. The same by a network
#
# The slide's network has one hidden layer of $d$ units without an activation function: $h = W_1 x + b_1$,
# $x' = W_2 h + b_2$. Its loss is the squared error. The slide says: it spans the same space as PCA, its
# units are *not* orthogonal, and this is no efficient way to PCA. We test all three, with $d = 6$, on
# pictures less their mean.
#
# Two subspaces are compared by their *principal angles*: the smallest angle between a direction in the one
# and one in the other, then the next among the directions orthogonal to these, and so on. All are zero if
# and only if the subspaces are the same.

# %%
d = 6
centred = x_train - mean
linear = keras.Sequential([keras.Input((784,)), keras.layers.Dense(d), keras.layers.Dense(784)])
linear.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 200)), loss="mse")
start = time.perf_counter()
training.fit(linear, centred, centred, epochs=200)  # each step on all training pictures
seconds = time.perf_counter() - start
W_2 = linear.layers[-1].kernel.numpy()  # (6, 784): the picture that each hidden unit paints
angles = np.degrees(subspace_angles(directions[:, :d], W_2.T))
x_hat = ops.convert_to_numpy(linear(centred)) + mean
lengths = np.linalg.norm(W_2, axis=1)
cosines = W_2 @ W_2.T / np.outer(lengths, lengths)

# %%
text = "The angles between a linear autoencoder's space and PCA's are 0, in degrees"
claims.check(text, angles, 0, within=2)
ratio = error(x_train, x_hat).mean() / eigenvalues[d:].sum()
claims.check("A linear autoencoder loses what PCA loses", ratio, 1, within=1e-3)
largest = np.abs(cosines - np.eye(d)).max()
text = "The units of a linear autoencoder are not orthogonal, largest |cosine| of two"
claim(text, largest, above=0.03)
lesson.draw_units({"hidden units": W_2, "eigenvectors": directions[:, :d].T})
plotting.show(lesson.TEXTS["units"])

# %% [markdown]
# (Red is positive, blue negative.) The same space, described by other vectors. Nothing in the loss
# asks for a right angle, nor for an order. And the price? (This line differs from run to run.)

# %% tags=["nbval-ignore-output"]
start = time.perf_counter()
PCA(d, random_state=0).fit(x_train)
slower = seconds / (time.perf_counter() - start)
claims.Claims()("Training takes longer than PCA, by the factor", slower, above=2, digits=0)

# %% [markdown]
# *Learned: a linear autoencoder is PCA without right angles, reached the slow way.*
#
# ### Exercise 2: the same network in disguise
#
# Take any invertible matrix $A$ (d × d) and change the hidden units to $h A$ (rows are examples).
# Which decoder gives the same pictures as before? In code a layer is `x @ W`, so the encoder `E` is
# (n, d) and the decoder `D` is (d, n). Return the new encoder and the new decoder.


# %%
def disguised(E, D, A): ...


exercises.q2.check(disguised)
# exercises.q2.hint()  # and .solution()

# %% [markdown]
# ## 4. Bend it
#
# Put layers with an activation function between pixels and code: the *encoder* $f_\phi: \mathbb R^n \to
# \mathbb R^d$ and the *decoder* $g_\theta: \mathbb R^d \to \mathbb R^n$ are now free to follow curved
# surfaces, $z = f_\phi(X)$ and $X' = g_\theta(z)$.  (The code is $h$
# in one deck and $z$ in another, its size $d$ or $v$.) The last layer is a sigmoid, because ink lies
# between 0 and 1.


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
# **Predict.** At $d = 2$ and at $d = 16$, what share of the flat surface's loss on test pictures will the
# curved one have? And a rival that learns nothing: it keeps *one* number, the place of the most similar
# training picture in the list of all 3,500, and paints that picture. Will it lose to two numbers of an
# autoencoder?
#
# **A fair comparison.** The sigmoid knows that ink lies between 0 and 1, so we cut off what the others paint
# beyond. A copy is a bold guess: it is pulled towards the mean picture, as far as the validation pictures say.

# %%
networks = {2: train(*autoencoder(2), x_train, EPOCHS)}

# %%
networks[16] = train(*autoencoder(16), x_train, EPOCHS)
codes = {d: run(encoder, x_test) for d, (encoder, _) in networks.items()}
painted = {d: run(decoder, codes[d]) for d, (_, decoder) in networks.items()}


def lost(x_hat, x=x_test):
    """Error of each picture, cut off at 0 and 1, as a share of answering with the mean picture."""
    return error(x, np.clip(x_hat, 0, 1)) / error(x, mean).mean()


by_copy = lost(lesson.nearest_picture(x_test, x_train, x_val))
by_pca = {d: lost(pca(x_test, d)) for d in SIZES}
by_network = {d: lost(x_hat) for d, x_hat in painted.items()}

# %% tags=["atol=0.03"]
on_training = {d: lost(run(g, run(f, x_train)), x_train) for d, (f, g) in networks.items()}
columns = {"PCA": by_pca, "autoencoder": by_network, "autoencoder, training": on_training}
table = pd.DataFrame(columns).map(np.mean).rename_axis("d")
table["autoencoder / PCA"] = table["autoencoder"] / table["PCA"]
print(f"nearest training picture, one number: {by_copy.mean():.2f}")
table.round(2)

# %%
text = "With two numbers kept, the autoencoder's test error is less than PCA's, by the factor"
claim(text, **lesson.factor(by_network[2], by_pca[2]), below=0.85, headline=True)
text = "The nearest training picture loses less than an autoencoder with two numbers, by the factor"
claim(text, **lesson.factor(by_copy, by_network[2]), below=0.85, headline=True)
found = lesson.factor(by_network[16], by_copy)
claim("Sixteen numbers lose less than the nearest picture, by the factor", **found, below=0.95)
found = lesson.factor(on_training[16][:1000], by_network[16], "pictures of each kind")
claim("The autoencoder's training error is below its test error at 16, factor", **found, below=0.9)
curve = [lost(pca(x_test, d)).mean() for d in range(1, 65)]
lesson.draw_curve(curve, table, by_copy.mean())
plotting.show(lesson.TEXTS["curve"])

# %% [markdown]
# The last column of the table is the share of your bet. But 3,500 pictures are few for the network: at
# $d = 16$ its error on the training pictures (open dot) is far lower.
#
# What the code has and the place in a list has not is order: similar pictures get similar codes. We look
# at $d = 2$. The [labels](../docs/glossary.md#label) below are colours for our eyes; neither method has seen them.

# %%
flat = (x_test - mean) @ directions[:, :2]
two = {"two numbers kept by PCA": flat, "two numbers kept by an autoencoder": codes[2]}
lesson.draw_maps(two, y_test)
plotting.show(lesson.TEXTS["maps"])

# %% [markdown]
# We name each test picture by the 15 nearest training codes.

# %% tags=["atol=0.06"]
right_by_pca, right_by_network = (
    KNeighborsClassifier(15).fit(learn, y_train).predict(judge) == y_test
    for learn, judge in (
        ((x_train - mean) @ directions[:, :2], flat),
        (run(networks[2][0], x_train), codes[2]),
    )
)
print(f"named rightly: PCA {right_by_pca.mean():.2f}, autoencoder {right_by_network.mean():.2f}")
lead = claims.mean_and_error(right_by_network.astype(float) - right_by_pca, "test pictures")
text = "More digits are named rightly from the autoencoder's two numbers than from PCA's, share"
claim(text, **lead, above=0.1, headline=True)

# %% [markdown]
# And back from the code to pictures. Compare the 4 and the 9 at $d = 2$ and at $d = 16$.


# %%
def draw(d):
    rows = {"original": x_test, f"PCA, {d}": pca(x_test, d), f"autoencoder, {d}": painted[d]}
    return lesson.draw_rows({name: x[shown] for name, x in rows.items()})


draw(2)
plotting.show(lesson.TEXTS["painted"])

# %% tags=["nbval-ignore-output"]
explorers.gallery(draw, d=SIZES)

# %% [markdown]
# Where PCA is unsure at $d = 2$, it paints a grey mixture; the autoencoder paints a definite shape,
# sometimes another digit.
#
# *Learned: curved surfaces keep more in the same number of numbers, if there are pictures enough to learn
# them.*
#
# ### Exercise 3: repair a common mistake
#
# Somebody trains models of several sizes, passes the *test* pictures as validation data, keeps the size that
# does best there, and reports that error. Given the errors of all sizes on validation and on test pictures,
# return the one number to report.


# %%
def reported_error(validation_errors, test_errors): ...


exercises.q3.check(reported_error)
# exercises.q3.hint()  # and .solution()

# %% [markdown]
# ## 5. Sorting without labels
#
# The slides name clustering as a use of autoencoders. We let *[k-means](../docs/glossary.md#k-means)* look
# for ten clusters in the training pictures, assign each test picture to the nearest centre, and compare with
# the true digits. The *adjusted Rand index* (ARI) counts pairs of pictures on which clusters and digits
# agree, minus what chance would give: 0 is chance, 1 is perfect.
#
# **A fair comparison.** Four descriptions: the 784 pixels, PCA's 16 numbers, the autoencoder's 16, and 16
# along random directions. k-means goes by lengths, and the lengths in a code mean nothing (exercise 2
# allowed any $A$). A *[mixture of ten normals](../docs/glossary.md#mixture-of-normals)* does not mind:
# each of its clusters has a covariance matrix of its own. 3,500 pictures can determine it in 16
# dimensions, not in 784. "±" is over starts of the clustering, without the luck of the one training.
#
# **Predict.** PCA throws away 768 of 784 numbers. Will its clusters be worse than those in pixels?

# %% tags=["atol=0.08"]
V, R = directions[:, :16], rng.normal(size=(784, 16))
described = {
    "pixels": (x_train, x_test),
    "PCA": tuple((x - mean) @ V for x in (x_train, x_test)),
    "autoencoder": tuple(run(networks[16][0], x).astype(float) for x in (x_train, x_test)),
    "random": tuple((x - mean) @ R for x in (x_train, x_test)),
}


def agreement(method, name):
    """ARI of the test pictures' clusters with their digits, for each start."""
    learn, judge = described[name]
    scores = []
    for start in range(STARTS):
        if method == "k-means":
            model = KMeans(10, n_init=1, random_state=start)
        else:
            floor = 1e-3 * learn.var()  # of each cluster's variances
            model = GaussianMixture(10, tol=0.01, reg_covar=floor, random_state=start)
        scores.append(adjusted_rand_score(y_test, model.fit(learn).predict(judge)))
    return np.array(scores)


ways = [("k-means", name) for name in ("pixels", "PCA", "autoencoder")]
ways += [("mixture", name) for name in ("PCA", "autoencoder", "random")]
ari = {way: agreement(*way) for way in ways}
table = {way: claims.mean_and_error(a) for way, a in ari.items()}
pd.DataFrame(table).T.set_axis(["ARI", "±"], axis=1).round(2)

# %% tags=["atol=0.05"]
change = claims.mean_and_error(ari["k-means", "PCA"] - ari["k-means", "pixels"], "starts")
text = "k-means in PCA's code sorts digits as well as in pixels, difference in ARI"
claim(text, **change, above=-0.08, below=0.08)
gain = claims.mean_and_error(ari["mixture", "PCA"] - ari["k-means", "pixels"], "starts")
text = "A mixture in PCA's code sorts digits better than k-means in pixels, ARI higher by"
claim(text, **gain, above=0.03, headline=True)
lag = claims.mean_and_error(ari["mixture", "PCA"] - ari["mixture", "random"], "starts")
claim("A mixture in random directions sorts worse than in PCA's, ARI lower by", **lag, above=0.03)
change = claims.mean_and_error(ari["mixture", "autoencoder"] - ari["mixture", "PCA"])
print(f"mixture, autoencoder over PCA: {change['value']:+.2f} ± {change['se']:.2f}")

# %% [markdown]
# k-means finds nothing more in PCA's code than in the pixels (PCA keeps the large distances). The large
# step comes with the mixture in PCA's code. What the autoencoder's code adds to it stands in the last line,
# beside its error. (Another training may change it.)
#
# *Learned: a good short code makes better clustering possible. Before the network gets the credit, let PCA
# try the same.*
#
# ## 6. Cleaning pictures
#
# A *denoising autoencoder* gets a corrupted picture $\tilde X$ and shall paint the clean one $X$. Our noise
# is the slide's *mask*: each pixel is set to 0 with probability ½.
#
# ### Exercise 4: find the bug
#
# "My denoising autoencoder reaches a low loss and gives back the noise." The line that prepares one step
# is `noisy = x * mask` and the one that trains is `fit(noisy, noisy)`. Write the pair that training
# should get from clean pictures `x` and a `mask` of zeros and ones of the same shape.


# %%
def training_pair(x, mask):
    """The input of the network and its target."""
    ...


exercises.q4.check(training_pair)
# exercises.q4.hint()  # and .solution()

# %% [markdown]
# Our mask is a layer that works in training only, so every step meets new noise. The code may be larger:
# $d = 64$.

# %%
denoiser = train(*autoencoder(64, (256,), front=[lesson.Mask(SEED)]), x_train, EPOCHS_MASKED)

# %% [markdown]
# **The opponents.** What they may choose, they choose on the validation pictures.
#
# * A *median filter* replaces a pixel by the median of its neighbourhood, a *[Wiener
#   filter](../docs/glossary.md#wiener-filter)* by a mixture of itself and the neighbourhood's mean. Both may
#   choose the size of their window, and a factor that brightens the result.
# * The *memory* learns nothing. It answers with the mean of all training pictures $X_i$, weighted by how
#   well each one fits: $\exp(-\|\tilde X - q X_i\|^2 / 2h^2)$, where $q = ½$ is the probability to keep a
#   pixel. It may choose $h$.
# * The *best straight answer* is the linear map with the least expected loss, by [least
#   squares](../docs/glossary.md#least-squares): covariance of clean and noisy, times the inverse of that of
#   the noisy. The mask is independent of the picture, so its mean $q$ is a factor, and the first is
#   $\mathrm{Cov}(X, \tilde X) = q\Sigma$. Two pixels have independent masks: the second is $q^2\Sigma$, and
#   on the diagonal each pixel's mean square times the variance of its mask, $q(1-q)$, comes on top:
#
# $$X' = \bar X + q\Sigma\, C^{-1} (\tilde X - q\bar X),\qquad
# C = q^2\Sigma + q(1-q)\,\mathrm{diag}\Big(\tfrac1N\sum_i X_i^2\Big).$$
#
# Least squares leaves the variance of $X$ less the variance of the answer. So we know the loss in advance:
# $\mathrm{tr}(\Sigma - q^2\,\Sigma\, C^{-1}\Sigma)$.
#
# **Predict.** Rank the five, and "do nothing" as the sixth.

# %%
q = 0.5
noisy_val, noisy_test = (x * (rng.random(x.shape) < q) for x in (x_val, x_test))
C = q**2 * covariance + q * (1 - q) * np.diag(np.square(x_train).mean(axis=0))
C += 1e-3 * np.eye(784)  # some pixels never have ink
straight = np.linalg.solve(C, q * covariance)


def memory(x, h):
    return softmax(-euclidean_distances(x, q * x_train, squared=True) / 2 / h**2, axis=1) @ x_train


h = min((0.5, 0.6, 0.7, 0.8, 1.0), key=lambda h: error(x_val, memory(noisy_val, h)).mean())

# %%
cleaned = {
    "do nothing": noisy_test,
    "median filter": lesson.filtered("median", noisy_test, noisy_val, x_val),
    "Wiener filter": lesson.filtered("Wiener", noisy_test, noisy_val, x_val),
    "memory": memory(noisy_test, h),
    "best linear map": mean + (noisy_test - q * mean) @ straight,
    "autoencoder": run(denoiser[1], run(denoiser[0], noisy_test)),
}
losses = {name: lost(x_hat) for name, x_hat in cleaned.items()}
pd.DataFrame(losses).mean().round(2).rename("error, share of variance").to_frame()

# %%
masked = x_train * (rng.random(x_train.shape) < q)
measured = error(x_train, mean + (masked - q * mean) @ straight).mean()
expected = np.trace(covariance) - q * np.sum(covariance * straight)
expected -= 1e-3 * np.square(straight).sum()  # C got this noise; the pictures did not
text = "The best linear map loses what the formula expects"
claims.check(text, measured / expected, 1, within=0.02)
found = lesson.factor(losses["autoencoder"], losses["memory"])
claim("The denoising autoencoder's error is less than the memory's, factor", **found, below=0.85)
text = "A denoising autoencoder's error is close to the best linear map's, ratio of the two"
found = lesson.factor(losses["autoencoder"], losses["best linear map"])
claim(text, **found, above=0.7, below=1.05, headline=True)
found = lesson.factor(losses["median filter"], losses["do nothing"])
text = "A median filter is worse for masked pictures than doing nothing, error higher by the factor"
claim(text, **found, above=1.1, headline=True)
lesson.draw_rows({"original": x_test[shown], **{name: x[shown] for name, x in cleaned.items()}})
plotting.show(lesson.TEXTS["cleaned"])

# %% [markdown]
# The median filter is worse than doing nothing: most pixels around a broken stroke are paper, and the
# median says so. A filter knows its window; the other three know what digits look like. The linear map
# blurs, the network decides, and in error this network, with these steps, gains little.
#
# *Learned: a denoiser is as good as its knowledge of clean pictures. Before you praise a network, ask
# the best straight answer.*
#
# ## 7. New digits from the code?
#
# To draw 16 numbers, and let the decoder paint *new* digits, we need to know where codes lie: their
# [density](../docs/glossary.md#density) $p(z)$. The loss never asked for one. We try a normal with the
# mean and covariance of the training codes, and a mixture of normals, whose number (5 to 40) the codes of the
# validation pictures choose.
#
# **Predict.** Will the decoder paint digits at points drawn from the normal?
#
# The yardstick is distance: a perfect sampler is as close to the nearest training code as the codes of
# the test pictures are. We take the distance that 5 % of these exceed, and count the draws beyond. (Codes
# are [whitened](../docs/glossary.md#whitening) first, so that no $A$ can change the distances.)

# %% tags=["atol=0.15"]
encoder, decoder = networks[16]
z_train, z_val, z_test = (run(encoder, x).astype(float) for x in (x_train, x_val, x_test))


def fitted(k):
    return GaussianMixture(k, random_state=SEED, reg_covar=1e-3).fit(z_train)


mixture = max((fitted(k) for k in (5, 10, 20, 40)), key=lambda model: model.score(z_val))
drawn = {"normal": fitted(1).sample(1000)[0], "mixture": mixture.sample(1000)[0]}
drawn = {name: rng.permutation(z) for name, z in drawn.items()}
white = PCA(whiten=True).fit(z_train)
print(f"the mixture has {mixture.n_components} normals")
nearest = NearestNeighbors(n_neighbors=1).fit(white.transform(z_train))
distance = {
    name: nearest.kneighbors(white.transform(z))[0][:, 0]
    for name, z in {"test pictures": z_test, **drawn}.items()
}
limit = np.quantile(distance["test pictures"], 0.95)

# %%
for name, bound in (("normal", {"above": 0.3}), ("mixture", {"below": 0.25})):
    text = f"Codes drawn from the {name} lie far from all codes, share"
    claim(text, **claims.mean_and_error(distance[name] > limit, "draws"), **bound)
rows = {name: z[:14].astype("float32") for name, z in {"test pictures": z_test, **drawn}.items()}
lesson.draw_rows({name: run(decoder, z) for name, z in rows.items()})
plotting.show(lesson.TEXTS["drawn"])
z = run(networks[2][0], x_train)
lesson.draw_codes(codes[2], y_test, rng.multivariate_normal(z.mean(axis=0), np.cov(z.T), 300))
plotting.show(lesson.TEXTS["codes"])

# %% [markdown]
# Some draws from the normal look like digits, others like none. In two dimensions one sees why: the codes lie
# on arms, and the normal fills the gaps.  A density fitted afterwards, such as our mixture, helps a lot.
# (The yardstick would not notice a sampler that copies training pictures.) The lesson
# [`var_mod`](var_mod.ipynb) begins with that density.
#
# *Learned: a plain autoencoder learns where pictures are, and nothing of how likely they are.*
#
# ## 8. The denoiser as a score
#
# And a *denoising* autoencoder? We take points on a plane, where all is known exactly: draws from a
# mixture of three normals with the weights ½, 0.3 and 0.2. The noise is normal,
# $\tilde x = x + \sigma\varepsilon$. A network sees $\tilde x$, and learns by squared error to give $x$
# back.
#
# **Predict.** Where does a perfect denoiser move $\tilde x$: to the nearest training point? And does it know
# that one heap has more points than another?
#
# **What it learns.** The perfect answer, least in squared error, is the mean
# $D(\tilde x) = \mathbb E[x\,|\,\tilde x]$, over all clean points that may have become $\tilde x$. Let
# $p_\sigma(\tilde x) = \int p(x)\, \mathcal N(\tilde x; x, \sigma^2 I)\, dx$ be the density of noisy points.
# Then
#
# $$\nabla p_\sigma(\tilde x) = \int p(x)\, \mathcal N(\tilde x; x, \sigma^2 I)\, \frac{x - \tilde
# x}{\sigma^2}\, dx, \qquad \nabla \log p_\sigma(\tilde x) = \frac{\mathbb E[x\,|\,\tilde x] - \tilde
# x}{\sigma^2} .$$
#
# The first is the slope of the exponent, $-\|\tilde x - x\|^2/2\sigma^2$. The second divides by
# $p_\sigma(\tilde x)$: by [Bayes' rule](../docs/glossary.md#bayesian-inference),
# $p(x)\, \mathcal N(\tilde x; x, \sigma^2 I) / p_\sigma(\tilde x)$ is $p(x|\tilde x)$. The slope of a
# log-density is called its *[score](../docs/glossary.md#score-of-a-density)*, and the result *Tweedie's
# formula*: removing noise is a step uphill in log-density, for *any* $p$.
#
# ### Exercise 5: from noise to score
#
# Our network names the noise instead: trained by squared error, it answers with $\hat\varepsilon = \mathbb
# E[\varepsilon\,|\,\tilde x]$. What is the score? `noise` is (N, 2), and `sigma` one number.


# %%
def score_from_noise(noise, sigma): ...


exercises.q5.check(score_from_noise)
# exercises.q5.hint()  # and .solution()

# %% [markdown]
# **The yardstick.** Noise adds $\sigma^2 I$ to the covariance $\Sigma_k$ of each normal. So $p_\sigma$ is
# again a mixture, with the score $\sum_k r_k\, (\Sigma_k + \sigma^2 I)^{-1} (\mu_k - \tilde x)$, where $r_k$
# is the probability that $\tilde x$ came from the $k$-th normal: there the weights of the heaps enter.

# %%
TRUTH = lesson.HEAPS  # weights, means and covariances of three normals
points, points_val = lesson.draw_points(rng, 500), lesson.draw_points(rng, 500)
x_noisy = points[:5] + 0.5 * rng.normal(size=(5, 2))
ours = x_noisy + 0.5**2 * lesson.mixture_score(x_noisy, 0.5, *TRUTH)
on_a_grid = lesson.mean_given(x_noisy, 0.5)  # E[x|x~], summed over a fine grid of x
claims.check("Tweedie's formula gives the mean over a fine grid", ours, on_a_grid, within=1e-9)

# %% [markdown]
# The network gets each of 500 training points 200 times, with noise of all sizes between 0.2 and 4, and is
# told the size.


# %%
def seen(x, sigma):
    sigma = np.broadcast_to(sigma, (len(x), 1))
    return np.hstack([x / np.sqrt(4 + sigma**2), np.log(sigma)]).astype("float32")


def trained(points):
    """The score by a network that was trained to name the noise."""
    x = np.repeat(points, 100_000 // len(points), axis=0)
    sigma = np.exp(rng.uniform(np.log(0.2), np.log(4), size=(len(x), 1)))
    noise = rng.normal(size=x.shape)
    Dense = keras.layers.Dense
    network = keras.Sequential([keras.Input((3,)), Dense(64, "relu"), Dense(64, "relu"), Dense(2)])
    rate = keras.optimizers.schedules.CosineDecay(0.01, 3 * len(x) // 500)
    network.compile(keras.optimizers.Adam(rate), loss="mse")
    training.fit(network, seen(x + sigma * noise, sigma), noise.astype("float32"), 3, 500)
    return lambda x, sigma: -run(network, seen(x, sigma)).astype(float) / sigma


network, network_50 = trained(points), trained(points[:50])

# %% [markdown]
# **The rivals** cost no training; each is itself the score of a mixture. *One normal*, fitted to the points,
# is the linear denoiser. The *memory* of section 6 has a normal at each training point. Without a width it
# is exactly the answer that makes the *training* loss least. With one, which the validation points choose,
# it is the *smoothed memory*. And the *fitted mixture* is told the family of the truth.
#
# **Predict.** At little noise, which is nearer to the exact score: the network, or the
# answer with the least training loss?


# %% tags=["rtol=0.3", "atol=0.03"]
def exact(x, sigma):
    return lesson.mixture_score(x, sigma, *TRUTH)


rivals = lesson.rivals(points, points_val, SEED)


def missed(score, x, sigma):
    """Squared error of a score at each point, as a share of the exact score's mean square."""
    wanted = exact(x, sigma)
    return error(wanted, score(x, sigma)) / error(wanted, 0).mean()


judged = lesson.judged(rng, (0.2, 0.3, 1.0))  # new noisy points, and a ring of points far away
scores = {"network": network, "network of 50 points": network_50, **rivals}
miss = {name: {k: missed(f, *where) for k, where in judged.items()} for name, f in scores.items()}
pd.DataFrame(miss).map(np.mean).T.round(2)

# %%
near = {name: claims.mean_and_error(found["σ = 0.3"], "points") for name, found in miss.items()}
text = "Where data lie, the denoiser's score misses the exact one at σ = 0.3, share of its square"
claim(text, **near["network"], below=0.12, headline=True)
claim("One normal misses it, share", **near["one normal"], above=0.6)
for name, bound in (("memory", 0.05), ("smoothed memory", 0), ("network of 50 points", 0.1)):
    change = miss[name]["σ = 0.3"] - miss["network"]["σ = 0.3"]
    text = f"The {name} gives a worse score than the network, share missed higher by"
    claim(text, **claims.mean_and_error(change, "points"), above=bound)
claim("A fitted mixture misses it, share", **near["fitted mixture"], below=0.05)
fields = {"exact": exact, "network": network, "one normal": rivals["one normal"]}
lesson.draw_fields(points, fields, sigma=0.3)
plotting.show(lesson.TEXTS["fields"])

# %% [markdown]
# The network has learned the slope of a density that it was never shown, at least where data lie. With
# these points, at little noise, it even leaves the smoothed memory behind; only who is told the family is
# better. Far away from all data it is wrong, and the memories far more so. After only 50 points it is
# wrong at little noise too. And the least training loss is *not* the best answer: at little noise it
# leads to the nearest training point.
#
# **From the score to new points.** Take small steps uphill, and add noise $\zeta$:
#
# $$x \leftarrow x + \tfrac a2\, \nabla\log p_\sigma(x) + \sqrt a\, \zeta, \qquad \zeta \sim \mathcal N(0, I).$$
#
# We take on trust that after many small steps such *[Langevin](../docs/glossary.md#langevin-dynamics)*
# walkers are spread as $p_\sigma$ says. But hardly any walker crosses the empty land between two heaps.
# So we let the noise $\sigma$ *fall*: at $\sigma = 4$ the heaps are one.
#
# **Predict.** 1,000 walkers start in the lightest heap. The heaviest should get ½ of them. How many does
# it get with falling noise? And with as many steps at $\sigma = 0.2$ alone?


# %%
def follow(score, levels, steps=15):
    x = TRUTH[1][2] + 0.3 * rng.normal(size=(1000, 2))  # around the mean of the lightest heap
    for sigma in levels:
        a = 0.5 * sigma**2
        for _ in range(steps):
            x = x + a / 2 * score(x, sigma) + a**0.5 * rng.normal(size=x.shape)
    return x + sigma**2 * score(x, sigma)  # remove the noise that is left


falling, small = np.geomspace(4, 0.2, 16), np.full(16, 0.2)
further = np.geomspace(4, 0.01, 8)  # below the noise that the network was trained on
walkers = {
    "network, falling": follow(network, falling),
    "memory, falling": follow(rivals["memory"], falling),
    "exact, falling": follow(exact, falling),
    "network, σ = 0.2": follow(network, small),
    "exact, σ = 0.2": follow(exact, small),
    "memory, to 0.01": follow(rivals["memory"], further),
    "exact, to 0.01": follow(exact, further),
    "the truth": lesson.draw_points(rng, 1000),
}
in_heap = {name: cdist(x, TRUTH[1]).argmin(axis=1) for name, x in walkers.items()}
apart = {name: cdist(x, points).min(axis=1) for name, x in walkers.items()}
shares = [[np.mean(heap == k) for k in range(3)] for heap in in_heap.values()]
table = pd.DataFrame(shares, [*walkers], ["heap of ½", "heap of 0.3", "heap of 0.2"])
table["to a training point"] = {name: np.median(found) for name, found in apart.items()}
table.round(2)

# %%
arrived = {name: (heap == 0).astype(float) for name, heap in in_heap.items()}  # in the heap of ½
gain = arrived["network, falling"] - arrived["network, σ = 0.2"]
text = "Falling noise brings walkers to the heap of ½, share higher than at σ = 0.2 alone by"
claim(text, **claims.mean_and_error(gain, "walkers"), above=0.25, headline=True)
for name, bounds in (("falling", {"above": 0.4, "below": 0.6}), ("σ = 0.2", {"below": 0.1})):
    got = claims.mean_and_error(arrived[f"exact, {name}"], "walkers")
    claim(f"Along the exact score the heap of ½ gets the share, {name}", **got, **bounds)
for name, bound in (("memory", {"below": 0.2}), ("exact", {"above": 0.7})):
    ratio = np.median(apart[f"{name}, to 0.01"]) / np.median(apart["the truth"])
    text = f"Noise falling to 0.01, {name}: distance to a training point over that of new points"
    claim(text, ratio, **bound)
lesson.draw_samples(walkers, ("network, falling", "network, σ = 0.2", "memory, to 0.01"))
plotting.show(lesson.TEXTS["samples"])

# %% [markdown]
# With falling noise the exact score sends close to ½ of the walkers to the heaviest heap, the network
# roughly. At small noise alone hardly any walker leaves its heap, even with the exact score. Down to 0.2
# the memory's walkers look much like the network's. Its heaps have no width: when its noise falls on to
# 0.01, it copies training points, and the exact score does not. (Our network cannot be asked: it was
# never trained there.)
#
# *Diffusion models* are this, with pictures: one large network names the noise at every size, and walkers
# start as pure noise.
#
# *Learned: a denoiser knows the slope of the log-density, and new data come from following it while the
# noise falls.*
#
# ## Summary
#
# "±" is the standard error over what the line names. Every number also carries the luck of one split of the
# data and of one training of each network.

# %%
claim

# %% [markdown]
# ## 9. Further: what does not belong
#
# The idea of *anomaly detection* with autoencoders: train on what is usual, and call a picture unusual
# if it comes back badly. Each digit in turn is the one that the network never sees in training. Then it gets
# all test pictures, and we ask whether the unseen digit has larger errors. The *AUROC* is the probability
# that a random unseen picture has a larger error than a random known one: 0.5 is chance.
#
# ### Exercise 6: which way round?
#
# Write the AUROC from its meaning, ties counting one half. Do not repair a value below 0.5: whoever turns
# the detector around after looking at the answer has used the answer.


# %%
def auroc_of(known_errors, unseen_errors): ...


exercises.q6.check(auroc_of)
# exercises.q6.hint()  # and .solution()

# %% [markdown]
# **A fair comparison.** The autoencoder keeps $d = 16$, chosen beforehand. PCA chooses its $d$ on the
# validation pictures, by the mean AUROC over the ten unseen digits. Two detectors learn nothing: the
# distance to the *nearest training picture*, and the amount of *ink*.
#
# **Predict.** Which detector will be the best? Which digit will be the easiest to notice, and which the
# hardest?

# %%
judge = np.concatenate([x_val, x_test])
is_test = np.arange(len(judge)) >= len(x_val)
judge_y = np.concatenate([y_val, y_test])


def known(digit):
    return x_train[y_train != digit]


model = compiled(*autoencoder(16, (64,)), steps=32 * EPOCHS_ANOMALY)
start = training.snapshot(model)
errors_of_ten, typical = [], []  # and of each unseen digit the test picture with the median error
for digit in range(10):
    training.restore(model, start)  # the same start for all ten: faster than compiling anew
    usual = known(digit)
    training.fit(model, usual, usual, EPOCHS_ANOMALY, 100, f"without {digit}")
    x_hat = run(model, judge)
    errors_of_ten.append(error(judge, x_hat))
    unseen = np.flatnonzero(is_test & (judge_y == digit))
    middle = unseen[errors_of_ten[-1][unseen].argsort()[len(unseen) // 2]]
    typical.append((judge[middle], x_hat[middle]))
scores = {"autoencoder": np.array(errors_of_ten)}

# %% [markdown]
# A score is a table (10 unseen digits, pictures to judge). PCA's loss for many $d$ comes from one
# fit: the error around the mean, less the squares along the directions that are kept.

# %%
PCA_SIZES = np.array([1, 2, 4, 8, 12, 16, 24, 32, 48, 64])


def pca_errors(digit):
    """Squared errors for each d: (d, pictures)."""
    fit = PCA(64, svd_solver="covariance_eigh").fit(known(digit))
    kept = np.square(fit.transform(judge)).cumsum(axis=1)[:, PCA_SIZES - 1]
    return (error(judge, fit.mean_)[:, None] - kept).T


def detect(scores, part):
    """AUROC for each digit as the unseen one, split over pictures: their mean is the AUROC."""
    return np.array([lesson.auroc_parts(scores[k][part], judge_y[part] == k) for k in range(10)])


by_size = np.stack([pca_errors(digit) for digit in range(10)], axis=1)  # (d, 10, pictures)
best = np.argmax([detect(scores, ~is_test).mean() for scores in by_size])
scores["PCA"] = by_size[best]
apart = euclidean_distances(judge, x_train, squared=True)
scores["nearest picture"] = np.array([apart[:, y_train != k].min(axis=1) for k in range(10)])
scores["ink"] = np.array([np.square(judge).sum(axis=1)] * 10)
print(f"PCA keeps d = {PCA_SIZES[best]}")

# %% tags=["atol=0.03"]
auroc = {name: detect(its, is_test) for name, its in scores.items()}
by_digit = {name: parts.mean(axis=1) for name, parts in auroc.items()}
table = pd.DataFrame(by_digit, pd.Index(range(10), name="unseen digit")).T
table.assign(mean=table.mean(axis=1)).round(2)


# %%
def over_pictures(parts):
    return claims.mean_and_error(parts, "test pictures")


average = {name: parts.mean(axis=0) for name, parts in auroc.items()}  # over the ten digits
lead = over_pictures(average["autoencoder"] - average["PCA"])
claim("The autoencoder notices unseen digits better than PCA, AUROC higher by", **lead, above=0.02)
lead = over_pictures(average["nearest picture"] - average["autoencoder"])
text = "The nearest picture notices them better still, mean AUROC higher by"
claim(text, **lead, above=0.01)
lag = np.delete(auroc["autoencoder"], 1, axis=0).mean(axis=0) - auroc["autoencoder"][1]
text = "The autoencoder overlooks the unseen 1, AUROC below the mean of the other nine digits by"
claim(text, **over_pictures(lag), above=0.2)
for name in ("autoencoder", "PCA"):
    claim(f"AUROC of the unseen 1, {name}", **over_pictures(auroc[name][1]), below=0.5)
lesson.draw_auroc(by_digit)
plotting.show(lesson.TEXTS["auroc"])

# %% [markdown]
# The list of training pictures, which learns nothing, beats this small network. And why does the network
# overlook the 1? Look at the ink. A 1 has little, and where there is little ink, there is little to lose.
# The error measures two things at once: how unusual a picture is, and how much there is to get wrong. So
# we divide it by the picture's own variance around its mean grey level. (We do so because of what we saw
# on the test pictures. It explains the failure; as a detector it would have to be judged on fresh ones.)

# %% tags=["atol=0.03"]
variance = 784 * judge.var(axis=1)
names = ("autoencoder", "PCA", "nearest picture")
relative = {name: detect(scores[name] / variance, is_test) for name in names}
by_digit = {name: parts.mean(axis=1) for name, parts in relative.items()}
table = pd.DataFrame(by_digit, pd.Index(range(10), name="unseen digit")).T
table.assign(mean=table.mean(axis=1)).round(2)

# %%
rescued = relative["autoencoder"][1] - auroc["autoencoder"][1]
text = "The error as a share of the picture's variance notices the unseen 1 better, AUROC higher by"
claim(text, **over_pictures(rescued), above=0.1)
gain = over_pictures(relative["nearest picture"].mean(axis=0) - average["nearest picture"])
claim("The nearest picture gains by the same division, mean AUROC higher by", **gain, above=0.01)
never_seen, repainted = np.array(typical).swapaxes(0, 1)
lesson.draw_rows({"never seen": never_seen, "repainted": repainted})
plotting.show(lesson.TEXTS["repainted"])

# %% [markdown]
# The 1 is rescued. The nearest picture, still the best, gains on average. Compare the rows of the autoencoder
# and of PCA with those above: what they win at the 1 they lose at some other digits.
#
# *Learned: a large error means "I cannot repaint this", not "I have never seen this". Ask the nearest
# training picture first.*

# %% [markdown]
# ## 10. Further: all of MNIST
#
# Seventeen times as many pictures (and more steps), the same network: 60,000 to learn from
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
    "PCA, 3,500 pictures": pca(many_test, 16),
    "PCA, 60,000 pictures": reference.inverse_transform(reference.transform(many_test)),
    "autoencoder, 3,500 pictures": run(networks[16][1], run(networks[16][0], many_test)),
    "autoencoder, 60,000 pictures": run(decoder, run(encoder, many_test)),
}
loss = {name: error(many_test, np.clip(x_hat, 0, 1)).mean() for name, x_hat in loss.items()}
total = error(many_test, reference.mean_).mean()
for name, value in loss.items():
    print(f"{name}: {value / total:.2f} of the variance lost")
claim = claims.Claims()
ratio = loss["autoencoder, 60,000 pictures"] / loss["autoencoder, 3,500 pictures"]
text = "With 60,000 pictures in place of 3,500 the autoencoder's test error falls, to this share"
claim(text, ratio, below=1)

# %% [markdown]
# Compare the two methods. What a flat surface can learn it has learnt from a few thousand pictures; a
# curved one goes on learning.

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
# * P. Ghosh, M. S. M. Sajjadi, A. Vergari, M. Black, B. Schölkopf: *From Variational to Deterministic
#   Autoencoders*, ICLR 2020. A density fitted afterwards, as in section 7.
# * K. Miyasawa: *An empirical Bayes estimator of the mean of a normal population*, Bulletin of the
#   International Statistical Institute 38, 1961; B. Efron: *Tweedie's formula and selection bias*, Journal of
#   the American Statistical Association 106, 2011. The formula of section 8.
# * P. Vincent: *A Connection Between Score Matching and Denoising Autoencoders*, Neural Computation 23, 2011;
#   G. Alain, Y. Bengio: *What Regularized Auto-Encoders Learn from the Data-Generating Distribution*, Journal
#   of Machine Learning Research 15, 2014. A denoiser learns the score.
# * Y. Song, S. Ermon: *Generative Modeling by Estimating Gradients of the Data Distribution*, NeurIPS 2019.
#   Walkers while the noise falls, with pictures.
# * J. Serrà, D. Álvarez, V. Gómez, O. Slizovskaia, J. F. Núñez, J. Luque: *Input Complexity and
#   Out-of-distribution Detection with Likelihood-based Generative Models*, ICLR 2020. The 1 of section 9,
#   in larger models.
