# %% [markdown]
# # Variational autoencoders
#
# **How probable is a picture, and where do new ones come from?**
#
# An autoencoder squeezes a picture into a few numbers, its *code*, and unfolds it again. But draw a
# code at random, and what comes out is rarely a picture. The variational autoencoder mends this by
# one change: a picture is given not a code but a *distribution* of codes. From that change follows
# a model that draws new pictures and that can say how probable a given one is. You will derive its
# loss, train it in seconds, and hold its promise against the exact answer.
#
# ![Left: codes of held-out digits in two dimensions, coloured by digit, around zero. Right: a
# grid of codes decoded into digits that change smoothly into each other.](figures/var_mod.png)
#
# | | |
# | --- | --- |
# | **Slides** | Lecture 4, *Variational Autoencoder*; *Bayesian Neural Networks and VAE*, from *From AE to Variational Autoencoders*; *Neural Computation Revision, Part 2*, *Variational AutoEncoders*; *Machine Learning for Astrophysics*, the last slides |
# | **You will be able to** | derive the loss of a variational autoencoder; say why its noise needs the reparametrisation trick; measure how far its bound lies below the truth; spot six common mistakes |
# | **You need** | the lesson *autoencoders*; the normal distribution and Bayes' rule |
# | **Time** | 110 minutes, and 20 more for what is marked *further* |

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
import tensorflow_probability as tfp
from keras import ops
from matplotlib.patches import Ellipse
from scipy.integrate import quad
from scipy.linalg import subspace_angles
from scipy.special import entr, expit, logsumexp
from scipy.stats import norm, sem
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from tqdm.auto import tqdm

from course_utils import claims, data, explorers, metrics, plotting, training
from course_utils.exercises import var_mod as exercises

claim = claims.Claims()
rng = np.random.default_rng(SEED)

# %% [markdown]
# The budget of this run. It grows when there is a GPU; change it as you like.

# %%
EPOCHS = {2: 12, 10: 50}  # of training, for each number of latent dimensions
SWEEP = 8  # epochs of each network in section 6
DRAWS = course_utils.budget(cpu=50, gpu=500)  # of z for each picture's ELBO

# %% [markdown]
# ## 1. The question
#
# Our pictures are 5,000 handwritten digits of 28 × 28 pixels, 4,000 to learn from and 1,000 held
# out. Each pixel is made black or white (*binarised*), so that a picture $X$ is a row of 784 zeros
# and ones. There are $2^{784}$ such rows, and hardly any looks like a digit. We want a model that
# gives a probability $p(X)$ to each.

# %%
mnist = data.load_mnist5k()
pictures = (mnist.x.reshape(-1, 784) / 255 > 0.5).astype("float32")
vae_rows = train_test_split(np.arange(5_000), test_size=1_000, stratify=mnist.y, random_state=SEED)
(x_train, x_test), (y_train, y_test) = [[a[r] for r in vae_rows] for a in (pictures, mnist.y)]
pixel_mean = x_train.mean(axis=0).clip(1e-3, 1 - 1e-3)
alone = metrics.bernoulli_nll(x_test, np.log(pixel_mean / (1 - pixel_mean))[None]).mean()
print(f"-log p(X) of a held-out picture, if every pixel is a fair coin: {784 * np.log(2):.0f} nats")
print(f"if every pixel is a coin of its own, with the share of ink it has: {alone:.0f} nats")

# %% [markdown]
# These are the numbers to beat. (A *nat* is a factor of $e$ in probability: one nat less, and the
# picture is $e$ times more probable.) Pixels that know nothing of each other make a poor model. A
# code $z$ that they share is what joins them.
#
# ## 2. The model and its loss
#
# **Decoder.** Each picture has a hidden code $z$ of $d$ numbers, drawn from a standard normal
# distribution, the *prior* $p(z) = \mathcal N(0, I)$. A network turns the code into 784
# probabilities of ink: $p(X|z)$. The probability of the picture adds up all the codes that could
# have made it,
#
# $$p(X) = \int p(X|z)\,p(z)\,dz .$$
#
# For most codes $p(X|z)$ is practically zero. We need to know which codes are worth looking at.
#
# **Encoder.** That is what the second network is for. It looks at $X$ and answers with a mean $z_\mu$
# and a standard deviation $z_\sigma$ for each of the $d$ numbers: $q(z|X) = \mathcal N(z_\mu,
# z_\sigma^2).$ It is a guess at the exact [posterior](../docs/glossary.md#posterior) $p(z|X) = p(X|z)p(z)/p(X)$.
#
# **Loss.** The distance of two distributions is the Kullback-Leibler divergence, $KL(q\,\|\,p) =
# \mathbb E_q\log (q/p) \ge 0$, zero only if they agree. Start from $\log p(X)$, which does not
# depend on $z$, and average over $q$:
#
# $$\log p(X) = \mathbb E_q \log\frac{p(X|z)\,p(z)}{p(z|X)}
# = \mathbb E_q\log p(X|z) + \mathbb E_q\log\frac{p(z)}{q(z|X)} + \mathbb E_q\log\frac{q(z|X)}{p(z|X)} .$$
#
# The last term is a KL divergence, the one before it is minus one:
#
# $$\log p(X) = \underbrace{\mathbb E_q\log p(X|z) - KL(q(z|X)\,\|\,p(z))}_{\text{ELBO}} +
# \underbrace{KL(q(z|X)\,\|\,p(z|X))}_{\text{gap}} .$$
#
# The gap is never negative, so the first part is a lower bound: the *evidence lower bound*, ELBO.
# It is the [free energy](../docs/glossary.md#free-energy) of the earlier lectures, which was maximised. A loss is minimised, so the
# sign is reversed:
#
# $$\text{loss} = -\text{ELBO} = \underbrace{-\mathbb E_q\log p(X|z)}_{\text{reconstruction loss}} +
# KL(q(z|X)\,\|\,p(z)) .$$
#
# Both terms are short. **Reconstruction**: the decoder gives each pixel a *logit* $l$, any real
# number, and the probability of ink is its sigmoid, $1/(1+e^{-l})$. So $-\log p$ is $\log(1+e^{-l})$
# for ink ($x=1$) and $\log(1+e^{l})$, the *softplus* of $l$, for paper; both are $\text{softplus}(l) - x\,l$.
#
# **KL**: with $\mathbb E_q z_j^2 = z_{\mu,j}^2 + z_{\sigma,j}^2$ the average of $\log q - \log p$ is
#
# $$KL(q(z|X)\,\|\,p(z)) = \sum_{j=1}^d \left[\tfrac12\left(z_{\mu,j}^2 + z_{\sigma,j}^2 - 1\right)
# - \log z_{\sigma,j}\right] .$$


# %%
def reconstruction_loss(x, logits):
    """-log p(X|z) in nats, summed over the pixels, which are independent given z."""
    return ops.sum(ops.softplus(logits) - x * logits, axis=-1)


def kl_to_prior(z_mu, z_sigma):
    """KL(q(z|X) || p(z)) in nats, summed over the dimensions of z."""
    each = (ops.square(z_mu) + ops.square(z_sigma) - 1) / 2 - ops.log(z_sigma)
    return ops.sum(each, axis=-1)


# %% [markdown]
# A formula is trusted when something else agrees with it: TensorFlow Probability's divergence, and
# the plain average of $\log q - \log p$ over many draws.

# %%
Normal = tfp.distributions.Normal
z_mu, z_sigma = rng.normal(size=(100, 10)), rng.lognormal(sigma=0.7, size=(100, 10))
ours = ops.convert_to_numpy(kl_to_prior(z_mu, z_sigma))
q, p = Normal(z_mu, z_sigma), Normal(np.float64(0), np.float64(1))
theirs = tfp.distributions.kl_divergence(q, p).numpy().sum(axis=-1)
claims.check("The closed form is TensorFlow Probability's KL", ours / theirs, 1, within=1e-5)
z = rng.normal(z_mu, z_sigma, (2_000, 100, 10))
log_ratio = (q.log_prob(z) - p.log_prob(z)).numpy().sum(axis=-1)  # (2000, 100)
error = log_ratio.std(axis=0) / len(z) ** 0.5
average = log_ratio.mean(axis=0)
claims.check("The average over draws is the closed form", average, ours, within=5, se=error)

# %% [markdown]
# ### Exercise 1: a slide and a sign
#
# "The loss function is usually a Kullback-Leibler loss", says a slide. Suppose the loss were the KL
# term *alone*. Which $z_\mu$ and $z_\sigma$ would the encoder give to every picture? (One number
# each, since all dimensions are alike.) And in one dimension, what is the derivative of the KL by
# $z_\sigma$ at $z_\mu = 0$, $z_\sigma = 2$? (Notebooks have been published
# with the sign of the logarithm wrong. The solution tells where that leads.)

# %%
z_mu_best, z_sigma_best, derivative_at_2 = ..., ..., ...

exercises.q1.check((z_mu_best, z_sigma_best, derivative_at_2))
# exercises.q1.hint()  # and .solution()

# %% [markdown]
# ## 3. Noise in the way of the gradient
#
# The reconstruction loss is an average over $z \sim q(z|X)$, and we must know how it changes when
# the encoder moves $q$. But a drawn number has no derivative: "$z$ was 0.3" says nothing about what
# $z$ would have been. There are two ways out. Write $f(z) = \log p(X|z)$.
#
# * **The score-function estimator** moves the derivative onto $q$, which is smooth:
#   $\nabla\,\mathbb E_q f = \mathbb E_q\left[f(z)\,\nabla\log q(z)\right]$. It works for any $f$,
#   since it never looks inside. It only learns that a draw was good, and not in which direction
#   better ones lie.
# * **The reparametrisation trick** moves the noise out of the way: $z = z_\mu + z_\sigma\,\epsilon$
#   with $\epsilon \sim \mathcal N(0, 1)$. The encoder's outputs are now ordinary inputs of an
#   ordinary function, and for a differentiable $f$ it is $\nabla\,\mathbb E_q f = \mathbb E_\epsilon\left[\nabla f(z_\mu +
#   z_\sigma\epsilon)\right]$.
#
# To compare them we need a case with an exact gradient. Take small pictures (8 × 8 grey levels) and
# a linear decoder, $p(X|z) = \mathcal N(Wz + b, \sigma^2 I)$, with $W$ from PCA. Then
# $\nabla_{z_\mu}\mathbb E_q f = W^\top(X - b - Wz_\mu)/\sigma^2$. We look at $q = \mathcal N(0, I)$: an
# encoder that has learnt nothing yet.
#
# A fair comparison helps the weaker one: subtracting a constant from $f$ (a *baseline*) leaves the
# score-function estimator [unbiased](../docs/glossary.md#unbiased). We give it the best constant, estimated from the same draws.
#
# **Predict.** Both are right on average. How many times more draws will the score-function
# estimator need for the same accuracy, with one latent dimension and with 16?

# %%
digits = data.load_digits()
small = (digits.x.reshape(-1, 64) / 16).astype("float32")


def gradients(x, d, draws=5_000):
    """Estimates of the gradient by z_mu at q = N(0, 1), (3, draws, d), and the exact one, (d,)."""
    pca = PCA(d).fit(small)
    W, b, variance = (
        pca.components_.T * pca.explained_variance_**0.5,
        pca.mean_,
        pca.noise_variance_,
    )
    epsilon = rng.standard_normal((draws, d))
    z = 0 + 1 * epsilon
    residual = x - b - z @ W.T
    f = -(residual**2).sum(axis=1, keepdims=True) / (2 * variance)
    score = epsilon  # the gradient of log q by z_mu, where z_sigma is 1
    baseline = (f * score**2).sum(axis=0) / (score**2).sum(axis=0)
    estimates = np.stack([residual @ W / variance, f * score, (f - baseline) * score])
    return estimates, W.T @ (x - b) / variance


# %%
LATENT = (1, 2, 4, 8, 16)
KINDS = ("reparametrised", "score function", "score function, best baseline")
scatter, misses = np.zeros((20, len(LATENT), 3)), []
for i, x in enumerate(small[rng.choice(len(small), 20, replace=False)]):
    for j, d in enumerate(LATENT):
        estimates, exact = gradients(x, d)
        scatter[i, j] = estimates.var(axis=1).sum(axis=-1)
        error = estimates.std(axis=1) / estimates.shape[1] ** 0.5
        misses.append((estimates.mean(axis=1) - exact, error))
ratio = scatter[..., 1:] / scatter[..., :1]
factors = np.exp(np.log(ratio).mean(axis=0))
pd.DataFrame(factors.round(1), pd.Index(LATENT, name="latent dimensions"), KINDS[1:])

# %%
fig, ax = plt.subplots()
for name, values, marker in zip(KINDS, np.exp(np.log(scatter).mean(axis=0)).T, "os^"):
    ax.loglog(LATENT, values, marker=marker, label=name, markersize=9)
ax.set(xlabel="latent dimensions", ylabel="variance of one draw's gradient", xticks=LATENT)
ax.set_xticklabels(LATENT)
ax.minorticks_off()
ax.legend()
plotting.show(
    "Variance of gradient estimates against the number of latent dimensions, logarithmic axes. The "
    "reparametrised estimator lies lowest, the score function with the best baseline above it, and "
    "without baseline far above both; the distances grow with the number of dimensions."
)

# %%
bias, error = np.concatenate(misses, axis=2)
claims.check("The estimators give the exact gradient on average", bias, 0, within=5.5, se=error)


def typical(ratios):
    """The geometric mean over pictures and its standard error, as the keywords of a claim."""
    mean = np.exp(np.log(ratios).mean())
    return {"value": mean, "se": mean * sem(np.log(ratios)), "over": f"{len(ratios)} pictures"}


claim(
    "In 16 latent dimensions the score function needs more draws than the trick, by the factor",
    **typical(ratio[:, -1, 0]),
    above=50,
    digits=0,
)
claim(
    "In 16 latent dimensions the score function, even with its best baseline, needs more draws than "
    "the reparametrisation trick, by the factor",
    **typical(ratio[:, -1, 1]),
    above=5,
    digits=1,
    headline=True,
)
claim(
    "From 1 to 16 latent dimensions that factor, with the best baseline, is multiplied by",
    **typical(ratio[:, -1, 1] / ratio[:, 0, 1]),
    above=3,
    digits=1,
)

# %% [markdown]
# The factor is the number of draws that would make up for it. *Here, at the start of training, one
# gradient that looks inside the decoder is worth many that only see its score, and the more latent
# dimensions, the more.*
#
# ## 4. The model in Keras
#
# Two networks with two hidden layers each, one line for the trick, one for the KL. Keras adds what
# goes through `add_loss` to the reconstruction loss; `beta` is 1 until section 6.
#
# Two details help. While it is trained, the encoder is shown only nine pixels in ten (*dropout*), or
# with so few pictures it would learn their codes by heart. And the learning rate starts small, then
# falls: after large first steps a dimension of $z$ may stay unused for good (section 6). Rates and
# sizes were chosen by looking at held-out pictures of other splits.


# %%
class VAE(keras.Model):
    """Encoder, noise, decoder; its output are the logits of the pixels."""

    def __init__(self, d, beta=1.0, units=256, pixels=784):
        super().__init__()
        Dense, drop = keras.layers.Dense, keras.layers.Dropout(0.1)
        self.encoder = [drop, Dense(units, "relu"), Dense(units, "relu"), Dense(2 * d)]
        self.decoder = [Dense(units, "relu"), Dense(units, "relu"), Dense(pixels)]
        self.beta, self.noise = beta, keras.random.SeedGenerator()

    def encode(self, x):
        for layer in self.encoder:
            x = layer(x)
        z_mu, log_z_sigma = ops.split(x, 2, axis=-1)
        return z_mu, ops.exp(log_z_sigma)

    def decode(self, z):
        for layer in self.decoder:
            z = layer(z)
        return z

    def call(self, x, training=False):  # Keras passes training on to the dropout
        z_mu, z_sigma = self.encode(x)
        epsilon = keras.random.normal(ops.shape(z_mu), seed=self.noise)
        z = z_mu + z_sigma * epsilon
        self.add_loss(self.beta * ops.mean(kl_to_prior(z_mu, z_sigma)))
        return self.decode(z)


def train(model, x, epochs, rate=0.003, loss=reconstruction_loss, batch_size=100):
    model(x[:2])  # builds the weights
    steps = epochs * -(-len(x) // batch_size)
    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 20, steps - steps // 4, warmup_target=rate, warmup_steps=steps // 4
    )
    model.compile(keras.optimizers.Adam(schedule), loss=loss)
    training.fit(model, x, x, epochs, batch_size)
    return model


# %%
start = time.perf_counter()
vae = train(VAE(2), x_train, EPOCHS[2], rate=0.011)
vae_seconds = time.perf_counter() - start  # read by `make bench`, as are vae_rows and vae_nelbo

# %% [markdown]
# Did it learn? The ELBO of a held-out picture is the average over draws of
# $\log w = \log p(X|z) + \log p(z) - \log q(z|X)$. This is a second way to compute it, without the
# closed form of the KL. Keep an eye on $w$: the next section needs it.


# %%
def log_weights(model, x, k):
    """log p(X|z) + log p(z) - log q(z|X) for k draws of z for each picture, (k, N)."""
    few_at_a_time, parts = np.array_split(x, -(-len(x) * k // 2_000)), []  # keeps the memory small
    for part in tqdm(few_at_a_time, leave=False, delay=1):
        z_mu, z_sigma = model.encode(part)
        epsilon = keras.random.normal((k, *z_mu.shape))
        z = z_mu + z_sigma * epsilon
        log_prior = -ops.sum(ops.square(z), axis=-1) / 2  # both without log(2 pi) d / 2
        log_q = -ops.sum(ops.square(epsilon) / 2 + ops.log(z_sigma), axis=-1)
        log_joint = log_prior - reconstruction_loss(part, model.decode(z))
        parts.append(ops.convert_to_numpy(log_joint - log_q))
    return np.concatenate(parts, axis=1)


vae_nelbo = -log_weights(vae, x_test, DRAWS).mean(axis=0)  # (1000,)
claim(
    "With two latent dimensions the −ELBO of a held-out picture is",
    **claims.mean_and_error(vae_nelbo, "held-out pictures"),
    below=164,
    unit="nats",
    digits=1,
)

# %% [markdown]
# ("±" is the standard error of the mean over the held-out pictures.) Far better than separate
# pixels. Two more questions: does the loss that Keras trains agree, and is $q$ sharper than the
# prior?

# %%
loss = ops.mean(reconstruction_loss(x_test, vae(x_test))) + sum(vae.losses)  # one draw of z each
claims.check("The loss that is trained is the mean of −log w", loss, vae_nelbo.mean(), within=0.7)
median = np.median(vae.encode(x_test)[1])
claim("For held-out pictures the median z_sigma is", median, above=0.02, below=0.4)

# %% [markdown]
# Now look at what it knows. Left, where the encoder puts the held-out pictures; right, what the
# decoder makes of a grid of codes.


# %% tags=["cover"]
def decode_pictures(z, model=vae):
    logits = ops.convert_to_numpy(model.decode(np.asarray(z, "float32")))
    return expit(logits).reshape(-1, 28, 28)


codes = ops.convert_to_numpy(vae.encode(x_test)[0])
axis = norm.ppf(np.linspace(0.02, 0.98, 15))  # closer together where codes are many
grid = np.stack(np.meshgrid(axis, axis[::-1]), axis=-1).reshape(-1, 2)
fig, axes = plt.subplots(1, 2, figsize=(14.4, 7))
plotting.latent_map(axes[0], codes, y_test)
axes[0].set(title="where held-out pictures go", aspect="equal")
plotting.image_grid(axes[1], decode_pictures(grid), columns=15)
axes[1].set(title="what codes from −2 to 2 decode to")
plotting.show(
    "Left: codes of 1,000 held-out digits in two dimensions, coloured by digit, around zero: some digits "
    "have regions of their own, others share the centre. Right: a 15 by 15 grid of codes decoded, "
    "digits that change smoothly from one kind to the next."
)

# %% [markdown]
# Nobody told the model about digits: the colours were added afterwards. There are few holes, since
# every picture claims a small cloud of codes and the KL pulls all clouds towards the prior. Two
# dimensions are too few for ten digits, so some share a place.
#
# **Explore.** Point at the map: the picture that this code stands for appears beside it. Walk from
# one digit to another. Where does it tear?

# %% tags=["nbval-ignore-output"]
explorers.latent_pad(decode_pictures, codes, y_test)

# %% [markdown]
# ### Exercise 2: repair a slide
#
# "We take two outputs from the encoder: a mean encoding μ and a variance σ … the noise multiplied
# [by the] encoding variance", says a slide. Suppose the encoder's second output is the *variance* of
# $q(z|X)$. Write the draw of $z$ so that it has that variance. (For one picture, so that each of the
# three arguments is an array of $d$ numbers.)


# %%
def sample(z_mu, z_variance, epsilon): ...


exercises.q2.check(sample)
# exercises.q2.hint()  # and .solution()

# %% [markdown]
# ## 5. How good is the bound?
#
# The ELBO is only a *lower* bound of $\log p(X)$. How much is lost? With two latent dimensions we
# can know: the integral over $z$ is a sum over a fine grid.
#
# $$p(X) \approx \sum_g p(X|z_g)\,p(z_g)\,\Delta^2$$
#
# The decoder has to be asked only once for each grid point, whatever the number of pictures.


# %%
def log_joint(model, x, z):
    """log p(X|z) + log p(z) of every picture with every code, (N, M)."""
    log_prior = -np.square(z).sum(axis=1) / 2 - np.log(2 * np.pi)
    logits = ops.convert_to_numpy(model.decode(np.asarray(z, "float32")))
    return log_prior - metrics.bernoulli_nll(x, logits)


def exact_log_likelihood(model, x, points=201, limit=5.0):
    """log p(X) of each picture, (N,): the sum over a grid of codes, one row after the other."""
    axis, step = np.linspace(-limit, limit, points, retstep=True)
    rows = [np.stack([np.full(points, z_2), axis], axis=1) for z_2 in axis]
    parts = [logsumexp(log_joint(model, x, z), axis=1) for z in tqdm(rows, leave=False)]
    return logsumexp(parts, axis=0) + 2 * np.log(step)


exact = exact_log_likelihood(vae, x_test)
coarse = exact_log_likelihood(vae, x_test, points=101)
claims.check("A coarser grid gives the same mean", coarse.mean(), exact.mean(), within=0.05)
gap = exact + vae_nelbo
claim(
    "With two latent dimensions the ELBO lies below log p(X) by",
    **claims.mean_and_error(gap, "held-out pictures"),
    above=1,
    unit="nats",
    headline=True,
)

# %% [markdown]
# The grid is fine enough, and the gap is now a number. Where does it come from? By the derivation
# in section 2 it is $KL(q(z|X)\,\|\,p(z|X))$: how badly the encoder's guess fits the exact posterior.
# Here are both, for the picture with the median gap and for the one with the largest. (Blue is the
# root of the density, which shows its flanks; the ellipses are one and two standard deviations of $q$.)

# %%
chosen = np.argsort(gap)[[len(gap) // 2, -1]]
z_mu, z_sigma = (ops.convert_to_numpy(v) for v in vae.encode(x_test[chosen]))
axis = np.linspace(-4, 4, 161)
plane = np.stack(np.meshgrid(axis, axis), axis=-1)  # (161, 161, 2)
log_posterior = np.concatenate([log_joint(vae, x_test[chosen], z) for z in plane], axis=1)
posterior = np.exp(log_posterior - exact[chosen, None])
fig, axes = plt.subplots(1, 4, figsize=(13, 4.2), width_ratios=[1, 2, 1, 2])
for i, name in enumerate(("median", "largest")):
    plotting.image_grid(axes[2 * i], x_test[chosen[[i]]].reshape(1, 28, 28), columns=1)
    axes[2 * i].set_title(f"{name} gap")
    ax = axes[2 * i + 1]
    ax.pcolormesh(
        axis, axis, posterior[i].reshape(161, 161) ** 0.5, cmap="Blues", shading="gouraud"
    )
    for scale in (1, 2):
        width, height = 2 * scale * z_sigma[i]
        ax.add_patch(Ellipse(z_mu[i], width, height, fill=False, edgecolor="C1", linewidth=2))
    ends = np.stack([plane.reshape(-1, 2)[posterior[i].argmax()], z_mu[i]])
    window = ends.mean(axis=0) + (np.ptp(ends, axis=0).max() / 2 + 0.6) * np.array([[-1], [1]])
    ax.set(xlim=window[:, 0], ylim=window[:, 1], aspect="equal")
    ax.set(title=f"{gap[chosen[i]]:.1f} nats", xlabel="$z_1$", ylabel="$z_2$")
plotting.show(
    "Two held-out digits, each with its exact posterior over the two latent dimensions in blue and "
    "the encoder's q as orange ellipses. At the median gap the two overlap but do not agree; at the "
    "largest gap q misses the posterior altogether."
)

# %% [markdown]
# Usually $q$ is a little off: the posterior is no normal distribution with independent dimensions, and
# one network answers for all pictures (*[amortisation](../docs/glossary.md#amortisation)*). On an unusual one it may miss altogether.
#
# **A tighter bound.** Draw $k$ codes and average the weights *before* taking the logarithm:
#
# $$\mathcal L_k = \mathbb E\,\log \frac1k\sum_{i=1}^k w_i,\qquad
# w_i = \frac{p(X|z_i)\,p(z_i)}{q(z_i|X)},\qquad
# \mathcal L_1 = \text{ELBO} \le \mathcal L_{10} \le \dots \le \log p(X).$$
#
# On average each $w_i$ is $p(X)$, wherever $q$ proposes its codes (*importance weighting*): a code
# that $q$ proposes too rarely gets a larger weight. The [logarithm of an average](../docs/glossary.md#jensen-inequality) is too small on
# average, and the less so the more draws there are. Each $k$ is given draws of its own: with the same
# draws in larger groups the rise would be certain.
#
# **Predict.** Will a thousand draws close the gap?

# %% tags=["atol=1.5"]
GROUPS = {1: 200, 10: 20, 100: 5, 1_000: 1}  # k, and how many groups of k draws
some = slice(0, 400)  # pictures
bounds = {}
for k, groups in GROUPS.items():
    log_w = log_weights(vae, x_test[some], k * groups).reshape(groups, k, -1)
    bounds[k] = tfp.math.reduce_logmeanexp(log_w, axis=1).numpy().mean(axis=0)  # (400,)
missing = {k: exact[some] - bound for k, bound in bounds.items()}
table = {k: (m.mean(), np.median(m)) for k, m in missing.items()}
pd.DataFrame(table, ["mean nats below log p(X)", "median"]).T.rename_axis("k").round(2)

# %%
for fewer, more in pairwise(GROUPS):
    claim(
        f"With k = {more} draws in place of {fewer} the bound rises by",
        **claims.mean_and_error(bounds[more] - bounds[fewer], "held-out pictures"),
        above=0,
        unit="nats",
        headline=fewer == 1,
    )
claim(
    "With k = 1000 draws the bound of the median picture misses log p(X) by",
    np.median(missing[1_000]),
    above=-0.1,
    below=0.5,
    unit="nats",
)
claim(
    "With k = 1000 draws the mean bound still misses log p(X) by",
    **claims.mean_and_error(missing[1_000], "held-out pictures"),
    above=0,
    unit="nats",
)

# %% [markdown]
# For half of the pictures a thousand draws close nearly all of the gap: two unlike ways to compute
# $\log p(X)$ agree. The mean still misses something: where $q$ looks in the wrong place it takes far
# more draws. *The ELBO compares models honestly only as far as their gaps are alike.*
#
# ### Exercise 3: repair the bound
#
# The library call above hides one line of arithmetic with three traps. Write $\log\frac1k\sum_i w_i$ for
# each picture, from `log_w` of shape `(k, N)`, with NumPy or SciPy.


# %%
def importance_weighted_bound(log_w): ...


exercises.q3.check(importance_weighted_bound)
# exercises.q3.hint()  # and .solution()

# %% [markdown]
# ## 6. What each term does
#
# The two terms pull in opposite directions. Reconstruction wants codes that tell pictures apart;
# the KL wants all codes to look alike. The factor $\beta$ before the KL shifts the balance. (From
# $\beta = 1$ upwards the loss still bounds $-\log p(X)$, ever more loosely; below 1 it bounds nothing.)
# We train with 20 latent dimensions, and with $\beta$ from 0 (KL switched off) to 16. Last, the
# reconstruction is switched off instead. These trainings are short: look at what differs between
# them, not at how good they are.
#
# **How much does a dimension say?** Its share of the KL, averaged over pictures, is an upper bound of what
# $z_j$ tells of the picture (their [mutual information](../docs/glossary.md#mutual-information)). We call a dimension *collapsed* if that share
# is below 0.1 nats: $q(z_j|X)$ is then close to the prior for nearly every picture. (This is *posterior
# collapse*. Another criterion: the variance of $z_\mu$ over the pictures is below 0.01.)
#
# **Predict.** Which $\beta$ reconstructs best? Which has the most collapsed dimensions?


# %%
def judge(model, x):
    """Held-out reconstruction loss, KL, share of dimensions collapsed, and the sd of z."""
    z_mu, z_sigma = model.encode(x)
    z = z_mu + z_sigma * keras.random.normal((2, *z_mu.shape))
    reconstruction = ops.mean(reconstruction_loss(x, model.decode(z)))
    kl = ops.mean(kl_to_prior(z_mu[..., None], z_sigma[..., None]), axis=0)  # (d,)
    kl = ops.convert_to_numpy(kl)
    return float(reconstruction), kl.sum(), (kl < 0.1).mean(), float(ops.std(z))


SETTINGS = {f"β = {beta}": (beta, reconstruction_loss) for beta in (0, 1, 4, 16)}
SETTINGS["KL alone"] = (1, lambda x, logits: 0 * reconstruction_loss(x, logits))
swept = {
    name: train(VAE(20, beta), x_train, SWEEP, loss=loss) for name, (beta, loss) in SETTINGS.items()
}

# %% tags=["atol=0.1", "rtol=0.02"]
COLUMNS = ("reconstruction", "KL", "share collapsed", "sd of z")
terms = pd.DataFrame({name: judge(m, x_test) for name, m in swept.items()}, COLUMNS).T
terms.insert(2, "−ELBO", terms["reconstruction"] + terms["KL"])
terms.round(2)

# %%
fig, axes = plt.subplots(2, 4, figsize=(11, 5.6))
shown = x_test[rng.choice(1_000, 9, replace=False)]
for column, name in zip(axes.T, list(swept)[:4]):
    model = swept[name]
    z_mu, z_sigma = model.encode(shown)
    copies = decode_pictures(z_mu + z_sigma * rng.standard_normal((9, 20)), model)
    drawn = decode_pictures(rng.standard_normal((9, 20)), model)
    for ax, some_pictures in zip(column, (copies, drawn)):
        plotting.image_grid(ax, some_pictures, columns=3)
    column[0].set_title(name)
axes[0, 0].set_ylabel("reconstructed")
axes[1, 0].set_ylabel("drawn from p(z)")
plotting.show(
    "Upper row: nine held-out digits reconstructed with four values of beta, sharp at beta 0 and "
    "blurred to one average picture at 16. Lower row: pictures drawn from the prior: scribbles at "
    "beta 0, digits near beta 1, the average picture at 16."
)

# %%
collapsed = terms["share collapsed"]
claim("With β = 0 the share of collapsed dimensions is", collapsed["β = 0"], below=0.05)
claim(
    "From one β to the next the share of collapsed dimensions never falls: the smallest step is",
    collapsed[:4].diff().min(),
    above=-0.01,
)
claim(
    "From β = 1 to β = 4 the share of collapsed dimensions grows by",
    collapsed["β = 4"] - collapsed["β = 1"],
    above=0.2,
    headline=True,
)
claim("With β = 16 the share of collapsed dimensions is", collapsed["β = 16"], above=0.85)
claim(
    "Of all β tried, β = 1 gives the lowest −ELBO; the next best is higher by",
    terms["−ELBO"].drop("β = 1").min() - terms["−ELBO"]["β = 1"],
    above=5,
    unit="nats",
    headline=True,
)
claims.check("With the KL alone no KL is left", terms["KL"]["KL alone"], 0, within=0.05)

# %% [markdown]
# With the **KL switched off** the model is an autoencoder: it copies well, and its codes spread far
# from the prior, so that drawing from $p(z)$ hits nothing. With the **reconstruction switched off**
# all pictures get the same code, the prior: the answer to exercise 1. In between, each dimension
# must save more nats of reconstruction than it costs in KL. At $\beta = 16$ hardly any does, and
# $-$ELBO is that of separate pixels again (section 1).
#
# At $\beta = 1$ part of the collapse is that choice, and part is training that gave up too early: a
# dimension that says nothing yet costs nothing, and gets hardly any gradient. (That is why training
# starts gently, and why some begin with a small $\beta$ and let it grow.)
#
# ### Exercise 4: the KL counted twice
#
# In more than one published model a layer calls `add_loss` with the KL, and the loss handed to
# `compile` adds it again. The training reports the loss $L$; the KL, measured apart, is $K$. What is the true
# $-$ELBO of the trained model, and which $\beta$ was it trained with?


# %%
def repair(L, K):
    """Return (negative ELBO, beta)."""
    ...


exercises.q4.check(repair)
# exercises.q4.hint()  # and .solution()

# %% [markdown]
# ## 7. A case with the exact answer
#
# When encoder and decoder are *linear* and the pixels normally distributed, everything is known.
# The model is then **probabilistic PCA**: $p(X|z) = \mathcal N(Wz + b, \sigma^2 I)$. Its best
# $W$ spans the first $d$ principal components, its best $\sigma^2$ is the mean of the eigenvalues
# left out, and its log-likelihood is, with the eigenvalues $\lambda_j$ of the covariance and $D$ pixels,
#
# $$\log p(X) = -\tfrac12\Big(D\log 2\pi + \sum_{j\le d}\log\lambda_j + (D-d)\log\sigma^2 +
# D\Big)\quad\text{on average over the data.}$$
#
# The exact posterior is normal as well, with the same covariance for every picture, so $q$ can match
# it and the gap can vanish. And the average over $\epsilon$ has a closed form, so no noise is left:
# $\mathbb E_q\|X - b - Wz\|^2 = \|X - b - Wz_\mu\|^2 + \sum_j z_{\sigma,j}^2\|w_j\|^2$.


# %%
class LinearVAE(keras.Model):
    """One linear layer each way, one z_sigma for all pictures, one sigma for all pixels."""

    def __init__(self, d, pixels):
        super().__init__()
        self.encoder, self.decoder = keras.layers.Dense(d), keras.layers.Dense(pixels)
        self.log_z_sigma = self.add_weight((d,), "zeros", name="log_z_sigma")
        self.log_sigma = self.add_weight((), "zeros", name="log_sigma")
        self.pixels = pixels

    def call(self, x):
        z_mu, z_sigma = self.encoder(x), ops.exp(self.log_z_sigma)
        squares = ops.sum(ops.square(x - self.decoder(z_mu)), axis=-1)
        squares += ops.sum(ops.square(z_sigma[:, None] * self.decoder.kernel))  # (d, pixels)
        constant = self.pixels * (self.log_sigma + 0.5 * float(np.log(2 * np.pi)))
        return squares / (2 * ops.exp(2 * self.log_sigma)) + constant + kl_to_prior(z_mu, z_sigma)


linear = LinearVAE(10, 64)
linear(small[:2])
rate = keras.optimizers.schedules.CosineDecay(0.03, 4_000)
linear.compile(keras.optimizers.Adam(rate), loss=lambda x, negative_elbo: negative_elbo)
training.fit(linear, small, small, epochs=4_000)
linear_elbo = -float(ops.mean(linear(small)))

# %%
eigenvalues = np.linalg.eigvalsh(np.cov(small.T.astype(float), bias=True))[::-1]
variance = eigenvalues[10:].mean()
ppca = -0.5 * (
    64 * np.log(2 * np.pi * np.e) + np.log(eigenvalues[:10]).sum() + 54 * np.log(variance)
)
components = PCA(10).fit(small).components_
W = linear.decoder.kernel.numpy()
angles = np.degrees(subspace_angles(W.T, components.T))
units = W / np.linalg.norm(W, axis=1, keepdims=True)
cosines = units @ units.T
print(f"log p(X), probabilistic PCA {ppca:.2f}, ELBO of the linear VAE {linear_elbo:.2f}")
claims.check("The ELBO reaches the exact log-likelihood", linear_elbo, ppca, within=0.03)
claims.check("The two subspaces are the same: no angle, in degrees", angles, 0, within=2)
learnt = np.exp(2 * float(linear.log_sigma))
claims.check("The learnt noise variance is the exact one", learnt / variance, 1, within=0.03)
claim(
    "The columns of W stand nearly at right angles: the largest cosine of two is",
    np.abs(cosines - np.eye(10)).max(),
    below=0.25,
)

# %% [markdown]
# At the optimum the ELBO *is* the log-likelihood. So neither the bound nor the trick is at fault
# when a VAE falls short: what remains is a posterior of another shape than $q$, one encoder for all
# pictures, and training.
#
# One thing is new beside PCA. The linear autoencoder of the last lesson found the right subspace
# but no axes. Here the columns of $W$ stand nearly at right angles: $q$ has no correlations, so the
# gap can only vanish if the exact posterior has none either.
#
# ## 8. Ten dimensions
#
# Two dimensions are good for looking. Ten hold more of the picture.

# %% tags=["atol=1"]
vae_10 = train(VAE(10), x_train, EPOCHS[10])
nelbo_10 = -log_weights(vae_10, x_test, DRAWS).mean(axis=0)
seen_10 = -log_weights(vae_10, x_train[:1_000], DRAWS).mean(axis=0)
print(f"-ELBO of pictures it has seen: {seen_10.mean():.1f} nats")
claim(
    "With ten latent dimensions the −ELBO of a held-out picture is",
    **claims.mean_and_error(nelbo_10, "held-out pictures"),
    below=109,
    unit="nats",
    digits=1,
    headline=True,
)

# %% [markdown]
# **Traversals.** Encode one picture, then change one number of its code at a time, from −3 to 3.

# %%
z_mu, z_sigma = (ops.convert_to_numpy(v) for v in vae_10.encode(x_test))
steps = np.linspace(-3, 3, 13)
code = z_mu[np.flatnonzero(y_test == 4)[0]]
walks = np.tile(code, (10, len(steps), 1))
for d in range(10):
    walks[d, :, d] = steps
fig, ax = plt.subplots(figsize=(9, 7))
plotting.image_grid(ax, decode_pictures(walks.reshape(-1, 10), vae_10), columns=len(steps))
ax.set(ylabel="dimension", yticks=np.arange(10) * 28 + 14, yticklabels=range(1, 11))
ax.set(xlabel="value of this dimension", xticks=[14, 182, 350], xticklabels=[-3, 0, 3])
plotting.show(
    "Ten rows of thirteen decoded digits. In each row one latent dimension of the same held-out four "
    "goes from -3 to 3: slant, width, loops and finally the kind of digit change."
)

# %% [markdown]
# Some dimensions change one thing we have a word for, such as slant or width. Others turn the four
# into another digit, or far out into a blot: no picture lives there.
#
# **New pictures.** Draw $z$ from the prior and decode. Does the model only repeat what it has
# seen? Under each new picture stands the training picture that is nearest to it.

# %%
drawn = decode_pictures(rng.standard_normal((200, 10)), vae_10)
ink = (drawn.reshape(200, 784) > 0.5).astype("float32")


def nearest(x):
    """Share of pixels that differ from the nearest training picture, and which one that is."""
    differ = (x @ (1 - x_train).T + (1 - x) @ x_train.T) / 784
    return differ.min(axis=1), differ.argmin(axis=1)


distance, neighbour = nearest(ink)
fig, ax = plt.subplots(figsize=(12, 2.6))
both = np.concatenate([drawn[:14], x_train[neighbour[:14]].reshape(-1, 28, 28)])
plotting.image_grid(ax, both, columns=14)
ax.set_yticks([14, 42], ["drawn", "nearest\ntraining picture"])
plotting.show(
    "Upper row: fourteen pictures drawn from the model with ten latent dimensions, most of them "
    "readable digits, some in between. Lower row: the training picture nearest to each; none is "
    "the same."
)
held_out = nearest(x_test)[0].mean()
claim(
    "Drawn pictures are no copies: their distance from training pictures, over held-out ones', is",
    distance.mean() / held_out,
    above=0.6,
    below=1.6,
)

# %% [markdown]
# It does not repeat them: new pictures are about as far from the training pictures as held-out ones.
#
# **Between two pictures.** A straight path, $z = (1-t)\,z_1 + t\,z_2$, passes nearer to zero than its
# ends, where draws from the prior are rare, the more so the more dimensions there are. A *spherical* path
# between ends of equal length keeps that length,
#
# $$z = \frac{\sin((1-t)\,\omega)}{\sin\omega} z_1 + \frac{\sin(t\,\omega)}{\sin\omega} z_2,\qquad
# \cos\omega = \frac{z_1\cdot z_2}{\|z_1\|\,\|z_2\|} .$$
#
# **Predict.** Are the pictures in the middle better on one of the two?


# %% tags=["atol=0.02"]
def straight(z_1, z_2, t):
    return (1 - t) * z_1 + t * z_2


def spherical(z_1, z_2, t):
    lengths = np.linalg.norm(z_1, axis=-1) * np.linalg.norm(z_2, axis=-1)
    omega = np.arccos(np.sum(z_1 * z_2, axis=-1) / lengths)[..., None]
    return (np.sin((1 - t) * omega) * z_1 + np.sin(t * omega) * z_2) / np.sin(omega)


ends = z_mu[:500], z_mu[500:]
middles = {path.__name__: path(*ends, 0.5) for path in (straight, spherical)}
length = {name: np.linalg.norm(z, axis=1).mean() for name, z in {"ends": z_mu, **middles}.items()}
print("mean length of the codes:", ", ".join(f"{name} {v:.1f}" for name, v in length.items()))
claim(
    "Half-way on a straight path the code is shorter than at the ends, by the factor",
    length["straight"] / length["ends"],
    above=0.6,
    below=0.85,
)
for d in (2, 10, 100):
    a, b, draws = rng.standard_normal((3, 10_000, d))
    half_way = np.linalg.norm(straight(a, b, 0.5), axis=1).mean()
    shorter = (np.linalg.norm(draws, axis=1) < half_way).mean()
    print(f"d = {d}: share of draws from the prior that are as short as half-way: {shorter:.2f}")

# %% [markdown]
# To judge the pictures we let a stranger read them: a logistic regression, trained on the training
# pictures and their labels. How sure is it of what it reads half-way? It knows only black and white
# pixels, and would be less sure of anything pale, so we make the pixels black and white first.

# %% tags=["atol=0.02"]
reader = LogisticRegression(C=0.02, max_iter=200).fit(x_train, y_train)
sure = {}
for name, z in {"ends": z_mu, **middles}.items():
    black = (decode_pictures(z, vae_10) > 0.5).reshape(-1, 784)
    sure[name] = reader.predict_proba(black).max(axis=1)
print(f"reads {reader.score(x_test, y_test):.2f} of the held-out pictures right")
print("mean confidence:", ", ".join(f"{name} {s.mean():.2f}" for name, s in sure.items()))
difference = claims.mean_and_error(sure["spherical"] - sure["straight"])
print(f"spherical over straight, in pairs: {difference['value']:+.2f} ± {difference['se']:.2f}")

# %%
paths = [
    path(ends[0][0], ends[1][0], t) for path in (straight, spherical) for t in np.linspace(0, 1, 11)
]
fig, ax = plt.subplots(figsize=(12, 2.6))
plotting.image_grid(ax, decode_pictures(paths, vae_10), columns=11)
ax.set_yticks([14, 42], ["straight", "spherical"])
plotting.show(
    "Two rows of eleven decoded pictures on the way from one held-out digit to another: above along a "
    "straight path, below along a spherical one. Both change smoothly and look nearly alike."
)

# %% [markdown]
# Half-way between two pictures there is often no digit, and the reader is less sure than at the
# ends. The two paths hardly differ: in ten dimensions the half-way point is still a code that the
# decoder has met. Look at the shares above: in a hundred dimensions it would not be.
#
# ### Exercise 5: half-way
#
# $z_1$ and $z_2$ are independent draws from the prior in $d$ dimensions. What is the root of the
# mean squared length of the point half-way between them?


# %%
def half_way_length(d): ...


exercises.q5.check(half_way_length)
# exercises.q5.hint()  # and .solution()

# %% [markdown]
# ## 9. Further: which likelihood?
#
# We made the pixels black or white, so that each is a coin: a *Bernoulli* likelihood. Grey pixels
# need another one, and here much published code goes astray, in two ways.
#
# **Squared error.** If grey levels are normal around the decoder's output $m$,
#
# $$-\log p(X|z) = \frac{1}{2\sigma^2}\sum_{j=1}^D (x_j - m_j)^2 + D\log\big(\sigma\sqrt{2\pi}\big).$$
#
# Who writes *squared error + KL* has set $\sigma^2 = \tfrac12$ without saying so. With the *mean*
# over pixels it is $\sigma^2 = D/2$, and with 1000 × the mean, as often seen, $D/2000$. None of
# these asks the data. But $\sigma$ can be learnt, as one more weight.
#
# **Predict.** The small pictures have $D = 64$ pixels with grey levels from 0 to 1. What becomes of a
# model that takes $\sigma^2 = \tfrac12$ for granted?


# %%
class GaussianVAE(VAE):
    """Pixels are normal around the decoder's output, with one sigma for all."""

    def __init__(self, d, sigma, learn):
        super().__init__(d, units=128, pixels=64)
        start = keras.initializers.Constant(np.log(sigma))
        self.log_sigma = self.add_weight((), start, trainable=learn, name="log_sigma")

    def call(self, x, training=False):
        mean = super().call(x, training)
        return ops.concatenate([mean, self.log_sigma * ops.ones_like(mean[:, :1])], axis=-1)


def gaussian_loss(x, output):
    mean, log_sigma = output[:, :-1], output[:, -1]
    squares = ops.sum(ops.square(x - mean), axis=-1)
    return squares / (2 * ops.exp(2 * log_sigma)) + 64 * (
        log_sigma + 0.5 * float(np.log(2 * np.pi))
    )


small_train, small_test = train_test_split(
    small, test_size=397, stratify=digits.y, random_state=SEED
)
FIXED = {"mean squared error": 32**0.5, "squared error": 0.5**0.5, "1000 × mean": 0.032**0.5}
gaussian = {name: GaussianVAE(8, sigma, learn=False) for name, sigma in FIXED.items()}
gaussian["learnt"] = GaussianVAE(8, small_train.std(), learn=True)
for model in gaussian.values():
    train(model, small_train, epochs=80, loss=gaussian_loss)

# %% tags=["atol=0.15", "rtol=0.03"]
table = {}
for name, model in gaussian.items():
    kl = kl_to_prior(*[v[..., None] for v in model.encode(small_test)])  # (397, 8)
    kl = ops.convert_to_numpy(kl).mean(axis=0)
    copies = [ops.convert_to_numpy(model(small_test)) for _ in range(20)]
    error = np.mean([(c[:, :-1] - small_test) ** 2 for c in copies]) ** 0.5
    loss = np.mean([ops.convert_to_numpy(gaussian_loss(small_test, c)) for c in copies])
    table[name] = np.exp(copies[0][0, -1]), error, (kl < 0.1).mean(), loss + kl.sum()
COLUMNS = ("σ assumed", "error (RMS)", "share collapsed", "−ELBO")
table = pd.DataFrame(table, COLUMNS).T
average = np.square(small_test - small_train.mean(axis=0)).mean() ** 0.5
print(f"error (RMS) of the average picture: {average:.2f}")
print(f"eigenvalues above 1/2: {(eigenvalues > 0.5).sum()} of 64")
table.round(2)

# %%
collapsed = table["share collapsed"]
claim(
    "With squared error the share of collapsed dimensions is",
    collapsed["squared error"],
    above=0.55,
)
claim("With σ learnt the share of collapsed dimensions is", collapsed["learnt"], below=0.45)
claim(
    "Squared error in place of a learnt σ raises the −ELBO by",
    table["−ELBO"]["squared error"] - table["−ELBO"]["learnt"],
    above=40,
    unit="nats",
    headline=True,
)
learnt = table.loc["learnt"]
claim(
    "The learnt σ is the size of the held-out error: their ratio is",
    learnt["σ assumed"] / learnt["error (RMS)"],
    above=0.75,
    below=1.3,
)

# %% [markdown]
# Whoever assumes more noise than there is finds little worth coding. In the linear model of section 7
# a component is worth its price only if its eigenvalue exceeds $\sigma^2$; the second line shows how
# few do. With squared error nearly all dimensions collapse, and the error is nearly that of the
# average picture. The factor 1000 happens to come nearer the learnt $\sigma$ for 64 pixels; for 784 it
# would not. (A density can exceed 1: that is why $-$ELBO may be negative here.)
#
# ### Exercise 6: 1000 × MSE
#
# A published notebook minimises `weight * mean_squared_error + KL` for pictures of `D` pixels and calls it
# a negative ELBO. Which $\sigma$ does it assume?


# %%
def assumed_sigma(weight, D): ...


exercises.q6.check(assumed_sigma)
# exercises.q6.hint()  # and .solution()

# %% [markdown]
# **Cross-entropy on grey pixels.** The other habit keeps the Bernoulli loss,
# $-x\log p - (1-x)\log(1-p)$, with grey $x$. But if $e^{-\text{loss}} = p^x (1-p)^{1-x}$ is a
# density of $x$, it must integrate to 1 over $x$ from 0 to 1. Does it?

# %%
p_ink = np.linspace(0.01, 0.99, 99)  # 0.5 in the middle
mass = [quad(lambda x, p=p: p**x * (1 - p) ** (1 - x), 0, 1)[0] for p in p_ink]
grey = mnist.x[vae_rows[1]].reshape(-1, 784) / 255
perfect = (entr(grey) + entr(1 - grey)).sum(axis=1)  # the decoder gives back every grey level
print(f"loss of a perfect copy: {perfect.mean():.0f} nats")
claims.check("The largest total probability of one pixel is one half", max(mass), 0.5, within=0.001)

# %% [markdown]
# At most one half for each pixel; for 784 of them at most $2^{-784}$. So this loss is no likelihood,
# and the sum no ELBO. Even a perfect copy is charged that many nats: the floor depends on the
# picture's greys, not on the model. (It still gives pretty pictures. For grey
# levels there is the *continuous Bernoulli* distribution, which divides by the missing mass.)
#
# ## Summary
#
# These are the sentences of the lesson with the numbers that were computed above; its other claims
# are folded below them. "±" is the standard error over other pictures for the same trained networks:
# what another start of the training would change is not in it.

# %%
claim

# %% [markdown]
# **What holds**: the ELBO is a bound, and in the linear case it is reached. **What it costs**: a gap
# that nobody sees without a yardstick, and which weighted draws close for most pictures, not all.
# **What to remember**: the loss is reconstruction *plus* KL; the likelihood is a choice, and a bad
# one silently collapses the code. The next lesson, *var_mod_applications*, puts
# the latent space to use; *flows* builds models whose likelihood needs no bound.
#
# ### Further reading
#
# * D. P. Kingma, M. Welling: *Auto-Encoding Variational Bayes*, ICLR 2014, and D. J. Rezende, S.
#   Mohamed, D. Wierstra: *Stochastic Backpropagation and Approximate Inference in Deep Generative
#   Models*, ICML 2014. Sections 2 to 4.
# * R. J. Williams: *Simple Statistical Gradient-Following Algorithms for Connectionist
#   Reinforcement Learning*, Machine Learning 8, 1992. The score-function estimator.
# * Y. Burda, R. Grosse, R. Salakhutdinov: *Importance Weighted Autoencoders*, ICLR 2016. Section 5,
#   and the criterion of collapse by the variance of $z_\mu$.
# * C. Cremer, X. Li, D. Duvenaud: *Inference Suboptimality in Variational Autoencoders*, ICML 2018.
#   Where the gap comes from.
# * I. Higgins et al.: *beta-VAE: Learning Basic Visual Concepts with a Constrained Variational
#   Framework*, ICLR 2017.
# * M. E. Tipping, C. M. Bishop: *Probabilistic Principal Component Analysis*, Journal of the Royal
#   Statistical Society B 61, 1999, and J. Lucas, G. Tucker, R. Grosse, M. Norouzi: *Don't Blame
#   the ELBO! A Linear VAE Perspective on Posterior Collapse*, NeurIPS 2019. Section 7.
# * G. Loaiza-Ganem, J. P. Cunningham: *The Continuous Bernoulli: Fixing a Pervasive Error in
#   Variational Autoencoders*, NeurIPS 2019. Section 9.

# %% [markdown]
# ## Further: all of MNIST
#
# The network with ten latent dimensions on the 60,000 training pictures of the full data set, a
# download of 11 MB. This page is stored without the outputs of this section: run it to see them.
# With fifteen times the pictures the network has less to learn by heart.
#
# **Predict.** In section 8 the network was better on pictures it had seen. By how much will that
# distance shrink?

# %% tags=["needs-download", "data=mnist"]
full = data.load_mnist()
full_x = (full.x.reshape(-1, 784) / 255 > 0.5).astype("float32")
full_train, full_test = full_x[: data.MNIST_TRAIN], full_x[data.MNIST_TRAIN :]
FULL_EPOCHS = course_utils.budget(cpu=5, gpu=100)
full_vae = train(VAE(10), full_train, FULL_EPOCHS)

# %% tags=["needs-download", "data=mnist"]
claim = claims.Claims()
scores = {}
for name, model, seen, unseen in (
    ("4,000 pictures", vae_10, x_train[:1_000], x_test),
    ("60,000 pictures", full_vae, full_train[:1_000], full_test[:1_000]),
):
    scores[name] = [-log_weights(model, x, DRAWS).mean(axis=0) for x in (seen, unseen)]
    table = {
        where: claims.mean_and_error(s) for where, s in zip(("seen", "held out"), scores[name])
    }
    print(name, {where: f"{m['value']:.1f} ± {m['se']:.1f}" for where, m in table.items()})
gain = scores["4,000 pictures"][1].mean() - scores["60,000 pictures"][1].mean()
claim("With 60,000 training pictures the held-out −ELBO is lower by", gain, above=3, unit="nats")

# %% [markdown]
# Published figures for MNIST use other binarisations (each pixel drawn at random with its grey
# level as probability, once or anew in each epoch), other networks and hundreds of epochs. They
# cannot be compared with these.
