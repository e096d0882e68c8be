# %% [markdown]
# # Variational autoencoders
#
# **How probable is a picture, and where do new ones come from?**
#
# An autoencoder squeezes a picture into a few numbers, its *code*, and unfolds it again. The
# variational autoencoder changes one thing: a picture gets a *distribution* of codes in place of one
# code. From this follows a model that draws new pictures, and that can say how probable a given one is.
# You will derive its loss, train it in seconds, and hold what it promises against exact answers and
# cheap rivals.
#
# ![Three rows of black and white pictures: written digits, grey noise in the shape of a blot, and
# grainy digits.](figures/var_mod.png)
#
# | | |
# | --- | --- |
# | **Slides** | Lecture 4, *Variational Autoencoder*; *Bayesian Neural Networks and VAE*, from *From AE to Variational Autoencoders*; *Neural Computation Revision, Part 2*, *Variational AutoEncoders*; *Machine Learning for Astrophysics*, the last slides |
# | **You will be able to** | derive the loss of a variational autoencoder; say why its noise needs the reparametrisation trick; measure how far its bound lies below the truth, and why; judge what it draws; spot six common mistakes |
# | **You need** | the lesson [`autoencoders`](autoencoders.ipynb); the normal distribution and Bayes' rule |
# | **Time** | 90 minutes, and 35 more for what is marked *further* |

# %% tags=["nbval-ignore-output"]
import course_utils

SEED = course_utils.setup(seed=1)

# %%
import time

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import tensorflow as tf
import tensorflow_probability as tfp
from keras import ops
from scipy.integrate import quad
from scipy.special import entr, expit, logit, logsumexp, softmax
from scipy.stats import sem
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from tqdm.auto import tqdm

from course_utils import claims, data, explorers, metrics, plotting, training
from course_utils.exercises import var_mod as exercises
from course_utils.lessons import var_mod as lesson

claim = claims.Claims()
rng = np.random.default_rng(SEED)
IMAGES = "held-out pictures"  # what most standard errors are over

# %% [markdown]
# The budget of this run. It grows when there is a GPU; change it as you like.

# %%
EPOCHS = {2: 12, 10: 50}  # of training, for each number of latent dimensions
SWEEP = 25  # epochs of the networks with β = 1 and 4 in section 6
DRAWS = course_utils.budget(cpu=50, gpu=500)  # of z for each picture's ELBO

# %% [markdown]
# ## 1. How probable is a picture?
#
# Our pictures are 5,000 handwritten digits of 28 × 28 pixels, 4,000 to learn from and 1,000 held out.
# Each pixel is made black or white (*binarised*), so that a picture $X$ is a row of 784 zeros and ones.
# There are $2^{784}$ such rows, and hardly any looks like a digit. We want a model that gives a
# probability $p(X)$ to each.
#
# Two simple models come first. The *table* has 784 coins: each pixel is tossed by itself, with the
# share of ink that it has in the training pictures. The *mixture* has 400 such tables. It chooses one
# of them at random and tosses its pixels. (`lesson.mixture_of_tables` fits them to the training
# pictures.)

# %%
mnist = data.load_mnist5k()
pictures = (mnist.x.reshape(-1, 784) / 255 > 0.5).astype("float32")
vae_rows = train_test_split(np.arange(5_000), test_size=1_000, stratify=mnist.y, random_state=SEED)
(x_train, x_test), (y_train, y_test) = [[a[r] for r in vae_rows] for a in (pictures, mnist.y)]
ink = x_train.mean(axis=0).clip(1e-3, 1 - 1e-3)  # the share of ink of each pixel
table_nll = metrics.bernoulli_nll(x_test, logit(ink)[None])[:, 0]
TABLES = 400
table_weight, table_logits = lesson.mixture_of_tables(x_train, TABLES, rng)
mixture_nll = lesson.mixture_nll(x_test, table_weight, table_logits)

# %% tags=["cover"]
chosen = table_logits[rng.choice(TABLES, 14, p=np.exp(table_weight))]
tossed = [rng.random((14, 784)) < p for p in (ink, expit(chosen))]
rows = dict(zip(("held out", "the table", "the mixture"), (x_test[:14], *tossed)))
lesson.draw_rows(rows, columns=14)
plotting.show(
    "Three rows of fourteen pictures: held-out digits; noise in the shape of a blot, tossed from "
    "one table; and grainy digits, tossed from a mixture of four hundred tables."
)

# %% tags=["atol=0.5"]
print(f"-log p(X) of a held-out picture, if every pixel is a fair coin: {784 * np.log(2):.0f} nats")
print(f"table: {table_nll.mean():.1f} nats; {TABLES} tables: {mixture_nll.mean():.1f} nats")

# %% [markdown]
# These are the numbers to beat. (One [nat](../docs/glossary.md#nats) less, and the picture is $e$ times
# more probable.) The mixture shows the way: one hidden choice that all pixels share is worth many nats.
# A *code* $z$ of a few numbers may be a richer choice than one table out of 400.
#
# **One rule.** What can be set in these models, in the VAEs of sections 3 and 8 and in the regressions of
# section 8 was chosen by the loss of 500 of the 4,000 *training* pictures, with the other 3,500 to learn
# from. The 1,000 held-out pictures only judge. (For the mixture, 200 tables were worse, and 600 no
# better.)
#
# ## 2. The model and its loss
#
# **Decoder.** Each picture has a hidden code $z$ of $d$ numbers, drawn from a standard normal
# distribution, the *prior* $p(z) = \mathcal N(0, I)$. A network turns the code into 784 probabilities
# of ink: $p(X|z)$. The probability of the picture adds up all the codes that could have made it,
#
# $$p(X) = \int p(X|z)\,p(z)\,dz .$$
#
# For most codes $p(X|z)$ is practically zero. We need to know which codes are worth looking at.
#
# **Encoder.** That is what the second network is for. It looks at $X$ and answers with a mean $z_\mu$
# and a standard deviation $z_\sigma$ for each of the $d$ numbers: $q(z|X) = \mathcal N(z_\mu,
# z_\sigma^2).$ It is a guess at the exact [posterior](../docs/glossary.md#posterior) $p(z|X) =
# p(X|z)\,p(z)/p(X)$.
#
# **Loss.** How far is a distribution $q$ from $p$? The *Kullback-Leibler divergence* says it in nats:
# $KL(q\,\|\,p) = \mathbb E_q\log (q/p)$. It is never negative, and zero only if the two agree.
# ($\mathbb E_q$ is the average over draws from $q$.) Now start from what we want:
#
# $$\begin{aligned}
# \log p(X) &= \mathbb E_q \log p(X) && \text{it does not depend on } z\\
# &= \mathbb E_q \log \frac{p(X|z)\,p(z)}{p(z|X)} && \text{Bayes' rule, solved for } p(X)\\
# &= \mathbb E_q \log \left[p(X|z)\cdot\frac{p(z)}{q(z|X)}\cdot\frac{q(z|X)}{p(z|X)}\right]
# && \text{times } q/q = 1\\
# &= \mathbb E_q\log p(X|z) + \mathbb E_q\log\frac{p(z)}{q(z|X)} + \mathbb E_q\log\frac{q(z|X)}{p(z|X)}
# && \text{the logarithm makes sums}\\
# &= \underbrace{\mathbb E_q\log p(X|z) - KL(q(z|X)\,\|\,p(z))}_{\text{ELBO}} +
# \underbrace{KL(q(z|X)\,\|\,p(z|X))}_{\text{gap}} && \text{the definition of the KL, twice}
# \end{aligned}$$
#
# The gap is never negative, so the first part is a lower bound of $\log p(X)$: the *evidence lower
# bound*, ELBO. (Other lectures call it the [free energy](../docs/glossary.md#free-energy).) We maximise
# it, and a loss is minimised, so the sign is reversed:
#
# $$\text{loss} = -\text{ELBO} = \underbrace{-\mathbb E_q\log p(X|z)}_{\text{reconstruction loss}} +
# KL(q(z|X)\,\|\,p(z)) .$$
#
# Both terms are short. **Reconstruction**: the decoder gives each pixel a *logit* $l$, and the
# probability of ink is its sigmoid, $1/(1+e^{-l})$. So $-\log p$ is $\log(1+e^{-l})$ for ink ($x=1$)
# and $\log(1+e^{l})$, the *softplus* of $l$, for paper; both are $\text{softplus}(l) - x\,l$.
#
# **KL**: for one dimension, with $z = z_\mu + z_\sigma\epsilon$ and $\epsilon\sim\mathcal N(0, 1)$,
#
# $$\begin{aligned}
# KL &= \mathbb E\left[\log q(z) - \log p(z)\right] && \text{its definition}\\
# &= \mathbb E\left[-\tfrac12\epsilon^2 - \log z_\sigma + \tfrac12 z^2\right]
# && \text{two normal densities; } \log\sqrt{2\pi} \text{ cancels}\\
# &= \tfrac12\left(z_\mu^2 + z_\sigma^2 - 1\right) - \log z_\sigma
# && \mathbb E\,\epsilon^2 = 1,\ \mathbb E\,z^2 = z_\mu^2 + z_\sigma^2,
# \end{aligned}$$
#
# and the dimensions add up.


# %%
def reconstruction_loss(x, logits):
    """-log p(X|z) in nats, summed over the pixels, which are independent given z."""
    return ops.sum(ops.softplus(logits) - x * logits, axis=-1)


def kl_to_prior(z_mu, z_sigma):
    """KL(q(z|X) || p(z)) in nats, summed over the dimensions of z."""
    each = (ops.square(z_mu) + ops.square(z_sigma) - 1) / 2 - ops.log(z_sigma)
    return ops.sum(each, axis=-1)


z_mu, z_sigma = rng.normal(size=(100, 10)), rng.lognormal(sigma=0.7, size=(100, 10))
Normal = tfp.distributions.Normal
q, p = Normal(z_mu, z_sigma), Normal(np.float64(0), np.float64(1))
theirs = tfp.distributions.kl_divergence(q, p).numpy().sum(axis=-1)
ours = ops.convert_to_numpy(kl_to_prior(z_mu, z_sigma))
claims.check("The closed form is TensorFlow Probability's KL", ours / theirs, 1, within=1e-5)

# %% [markdown]
# ### Exercise 1: a slide and a sign
#
# "The loss function is usually a Kullback-Leibler loss", says a slide of *Machine Learning for
# Astrophysics*. Suppose the loss were the KL term *alone*. Which $z_\mu$ and $z_\sigma$ would the
# encoder give to every picture? (One number each, since all dimensions are alike.) And in one
# dimension, what is the derivative of the KL by $z_\sigma$ at $z_\mu = 0$, $z_\sigma = 2$?

# %%
z_mu_best, z_sigma_best, derivative_at_2 = ..., ..., ...

exercises.q1.check((z_mu_best, z_sigma_best, derivative_at_2))
# exercises.q1.hint()  # and .solution()

# %% [markdown]
# *Learned: $\log p(X)$ is the ELBO plus a gap, and nothing was approximated. The loss is reconstruction
# plus KL.*
#
# ## 3. A first network
#
# ### Exercise 2: repair a slide
#
# "We take two outputs from the encoder: a mean encoding μ and a variance σ … the noise multiplied [by
# the] encoding variance", say the last slides of *Machine Learning for Astrophysics*. Suppose the
# encoder's second output is the *variance* of $q(z|X)$. Write the draw of $z$ so that it has that
# variance. (For one picture, so that each of the three arguments is an array of $d$ numbers.)


# %%
def sample(z_mu, z_variance, epsilon): ...


exercises.q2.check(sample)
# exercises.q2.hint()  # and .solution()

# %% [markdown]
# Now the whole model: two networks with two hidden layers each, one line for the draw, one for the KL.
# Keras adds what goes through `add_loss` to the reconstruction loss. The encoder's second output is
# $\log z_\sigma$, which may be any number. In training it sees only nine pixels in ten
# ([dropout](../docs/glossary.md#dropout)).
# `beta` is 1 until section 6.


# %%
def through(layers, x):
    for layer in layers:
        x = layer(x)
    return x


class VAE(keras.Model):
    """Encoder, noise, decoder; what comes out are the logits of the pixels."""

    def __init__(self, d, units=256, pixels=784):
        super().__init__()
        Dense, drop = keras.layers.Dense, keras.layers.Dropout(0.1)
        self.encoder = [drop, Dense(units, "relu"), Dense(units, "relu"), Dense(2 * d)]
        self.decoder = [Dense(units, "relu"), Dense(units, "relu"), Dense(pixels)]
        self.beta = self.add_weight((), "ones", trainable=False, name="beta")
        self.noise = keras.random.SeedGenerator()

    def encode(self, x):
        z_mu, log_z_sigma = ops.split(through(self.encoder, x), 2, axis=-1)
        return z_mu, ops.exp(log_z_sigma)

    def decode(self, z):
        return through(self.decoder, z)

    def call(self, x, training=False):  # Keras passes training on to the dropout
        z_mu, z_sigma = self.encode(x)
        epsilon = keras.random.normal(ops.shape(z_mu), seed=self.noise)
        z = z_mu + z_sigma * epsilon
        self.add_loss(self.beta * ops.mean(kl_to_prior(z_mu, z_sigma)))
        return self.decode(z)


# %%
def train(model, epochs, rate, x=x_train, loss=reconstruction_loss, batch=100):
    """Adam, with a rate that grows for a quarter of the steps, then falls."""
    model(x[:2])  # builds the weights
    growing = epochs * len(x) // (4 * batch)  # steps
    rates = keras.optimizers.schedules.CosineDecay(
        rate / 20, 3 * growing, warmup_target=rate, warmup_steps=growing
    )
    model.compile(keras.optimizers.Adam(rates), loss=loss)
    training.fit(model, x, x, epochs, batch)
    return model


start = time.perf_counter()
vae = train(VAE(2), EPOCHS[2], rate=0.02)
vae_seconds = time.perf_counter() - start  # read by `make bench`, as are vae_rows and vae_nelbo

# %% [markdown]
# Did it learn? The two terms of the ELBO together are the average over draws of $\log w = \log p(X|z) +
# \log p(z) - \log q(z|X)$. So we can compute it a second time, without the closed form of the KL.
#
# **Predict.** Will $-$ELBO beat the table? And the mixture of 400 tables?


# %%
@tf.function
def log_w(model, x, z_mu, z_sigma, epsilon):
    """log p(X|z) + log p(z) - log q(z|X) at z = z_mu + z_sigma * epsilon."""
    z = z_mu + z_sigma * epsilon
    log_prior = -ops.sum(ops.square(z), axis=-1) / 2  # both without log(2 pi) d / 2
    log_q = -ops.sum(ops.square(epsilon) / 2 + ops.log(z_sigma), axis=-1)
    return log_prior - reconstruction_loss(x, model.decode(z)) - log_q


def log_weights(model, x, k):
    """log w for k draws of z for each picture, (k, N), ten at a time."""
    z_mu, z_sigma = model.encode(x)
    shape = 10, *z_mu.shape
    draws = (keras.random.normal(shape) for _ in tqdm(range(k // 10), leave=False, delay=1))
    return np.concatenate([log_w(model, x, z_mu, z_sigma, epsilon) for epsilon in draws])


vae_nelbo = -log_weights(vae, x_test, DRAWS).mean(axis=0)  # (1000,)
claim("With two latent dimensions the −ELBO of a held-out picture is",
      **claims.mean_and_error(vae_nelbo, IMAGES), below=164, unit="nats", digits=1)  # fmt: skip
loss = ops.mean(reconstruction_loss(x_test, vae(x_test))) + sum(vae.losses)  # one draw of z each
claims.check("The loss that is trained is the mean of −log w", loss, vae_nelbo.mean(), within=0.7)

# %% [markdown]
# ("±" is the standard error over the held-out pictures, for this one trained network; another one may
# differ by more.) It is far ahead
# of the table, and behind the mixture. Is that the model's fault, or only the bound's? Section 5 will
# tell.
#
# First look at what it knows. Left, where the encoder puts the held-out pictures (coloured afterwards:
# nobody told the model about digits); right, on the same axes, what the decoder makes of a code.
#
# **Predict.** Which digits will share a place?


# %%
def decode_pictures(z, model=vae):
    return expit(ops.convert_to_numpy(model.decode(np.asarray(z, "float32")))).reshape(-1, 28, 28)


codes = ops.convert_to_numpy(vae.encode(x_test)[0])
lesson.draw_map(plt.subplots(1, 2, figsize=(14.4, 7))[1], codes, y_test, decode_pictures)
plotting.show(lesson.TEXTS["map"])

# %% [markdown]
# A coloured region on the left shows its digit in the same place on the right. Where colours mix, the
# decoder paints something in between, and no clean example of some digits. Every picture claims a small
# cloud of codes, and the KL pulls all clouds towards the prior.
#
# **Explore.** Point at the map, and the picture of this code appears.

# %% tags=["nbval-ignore-output"]
explorers.latent_pad(decode_pictures, codes, y_test)

# %% [markdown]
# *Learned: one line of noise and one line of KL turn an autoencoder into a model of $p(X)$, which can
# be held against any other.*

# %% [markdown]
# ## 4. A gradient through noise
#
# The reconstruction loss is an average over $z \sim q(z|X)$, and training must know how it changes when
# the encoder moves $q$. But a drawn number has no derivative: "$z$ was 0.3" says nothing about what $z$
# would have been. There are two ways out. Write $f(z) = \log p(X|z)$.
#
# * The [score-function estimator](../docs/glossary.md#score-function-estimator) moves the derivative onto
#   $q$, which is smooth: $\nabla\,\mathbb E_q f = \int f\,\nabla q = \mathbb E_q\left[f(z)\,\nabla\log
#   q(z)\right]$, since $\nabla q = q\,\nabla\log q$. It works for any $f$. It only learns that a draw
#   was good, and not in which direction better ones lie.
# * The *reparametrisation trick* moves the noise out of the way: $z = z_\mu + z_\sigma\,\epsilon$ with
#   $\epsilon \sim \mathcal N(0, 1)$. The encoder's outputs are now ordinary inputs of an ordinary function,
#   and $\nabla\,\mathbb E_q f = \mathbb E_\epsilon\left[\nabla f(z_\mu + z_\sigma\epsilon)\right]$ for
#   an $f$ with a derivative. Our model does this.
#
# Both are right on average. Section 12 counts how many more draws the first one needs for the
# same accuracy.
#
# *Learned: noise that comes in from outside lets the gradient through.*

# %% [markdown]
# ## 5. How good is the bound?
#
# The ELBO is only a *lower* bound of $\log p(X)$. How much is lost? With two latent dimensions we can
# know: the integral over $z$ is a sum over a fine grid of codes $z_g$, $\Delta$ apart,
#
# $$p(X) \approx \sum_g p(X|z_g)\,p(z_g)\,\Delta^2 .$$


# %%
def log_joint(model, x, z):
    """log p(X|z) + log p(z) of every picture with every code, (N, M)."""
    log_prior = -np.square(z).sum(axis=1) / 2 - np.log(2 * np.pi)
    logits = ops.convert_to_numpy(model.decode(np.asarray(z, "float32")))
    return log_prior - metrics.bernoulli_nll(x, logits)


def exact_log_likelihood(model, x, points=81, limit=4.5):
    """log p(X) of each picture, (N,): the sum over a grid of codes, one row after the other."""
    axis, step = np.linspace(-limit, limit, points, retstep=True)
    rows = [np.stack([np.full(points, z_1), axis], axis=1) for z_1 in axis]
    parts = [logsumexp(log_joint(model, x, z), axis=1) for z in tqdm(rows, leave=False)]
    return logsumexp(parts, axis=0) + 2 * np.log(step)


exact = exact_log_likelihood(vae, x_test)
coarser = exact_log_likelihood(vae, x_test[:100], points=61)
claims.check("A coarser grid gives the same", coarser.mean(), exact[:100].mean(), within=0.05)
gap = exact + vae_nelbo
print(f"gap of the median picture: {np.median(gap):.1f} nats")
claim("With two latent dimensions the ELBO lies below log p(X), on average by",
      **claims.mean_and_error(gap, IMAGES), above=1, unit="nats", headline=True)  # fmt: skip
claim("With its exact log p(X), too, this network is behind the mixture of 400 tables, by",
      **claims.mean_and_error(-exact - mixture_nll, IMAGES), above=5, unit="nats", digits=1,
      headline=True)  # fmt: skip

# %% [markdown]
# So the bound is loose by a few nats (less for most pictures, far more for some), and that is not what
# costs the network its place: two dimensions are too few. Where does the gap come from? By section 2 it
# is $KL(q(z|X)\,\|\,p(z|X))$: how badly the encoder's guess fits the exact posterior. There are two
# suspects.
#
# * *[Amortisation](../docs/glossary.md#amortisation)*: one network answers for all pictures, and its
#   $z_\mu$, $z_\sigma$ need not be the best for this one.
# * *Family*: the posterior may be no normal distribution with independent dimensions, and then not even the
#   best $z_\mu$, $z_\sigma$ fit it.
#
# **Predict.** Which share of the gap does each of them have?
#
# Here is the picture with the median gap and the one with the largest. (Blue: the root of the exact
# posterior, which shows its flanks. Ellipses: one and two standard deviations of $q$.)

# %%
chosen = np.argsort(gap)[[len(gap) // 2, -1]]
axis = np.linspace(-4, 4, 121)
plane = np.stack(np.meshgrid(axis, axis), axis=-1)  # (121, 121, 2)
posterior = [log_joint(vae, x_test[chosen], z) - exact[chosen, None] for z in plane]
q_of = [ops.convert_to_numpy(v) for v in vae.encode(x_test[chosen])]
lesson.draw_posteriors(x_test[chosen], np.stack(posterior, axis=1), axis, q_of, gap[chosen])
plotting.show(lesson.TEXTS["posteriors"])

# %% [markdown]
# Two pictures are no measurement. So each of 100 pictures gets a search of its own: the decoder stays
# as it is, and Adam looks for the $z_\mu$ and $\log z_\sigma$ with the largest ELBO of this one
# picture. What is gained was lost by amortisation; what is still missing is the family's. (A search
# begins at the best code of a coarse grid.) And we look whether the encoder does better on the pictures
# that it was trained on.


# %%
def search(x, z_mu, steps=200, draws=4):
    """The largest ELBO of each picture that Adam finds for a q of its own, (N,)."""
    q = [tf.Variable(v) for v in (z_mu, np.full_like(z_mu, np.log(0.1)))]
    adam = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, steps))
    adam.build(q)

    @tf.function
    def step():
        epsilon = keras.random.normal((draws, *z_mu.shape))
        with tf.GradientTape() as tape:
            weights = log_w(vae, x, q[0], ops.exp(q[1]), epsilon)
            loss = -ops.sum(ops.mean(weights, axis=0))
        adam.apply(tape.gradient(loss, q), q)
        return ops.mean(weights, axis=0)

    elbos = [step() for _ in tqdm(range(steps), leave=False, delay=1)]
    return np.mean(elbos[-50:], axis=0)  # the rate is practically 0 there


# %% tags=["atol=0.1"]
few = slice(0, 100)
coarse = np.stack(np.meshgrid(axis[::2], axis[::2]), axis=-1).reshape(-1, 2)
begin = coarse[log_joint(vae, x_test[few], coarse).argmax(axis=1)].astype("float32")
seen = x_train[:500]
seen_gap = exact_log_likelihood(vae, seen) - log_weights(vae, seen, DRAWS).mean(axis=0)
missing = {
    f"the encoder's q, 100 {IMAGES}": gap[few],
    "best q of each of them": exact[few] - search(x_test[few], begin),
    "the encoder's q, 500 training pictures": seen_gap,
}
table = {name: (np.mean(m), np.median(m), np.max(m)) for name, m in missing.items()}
pd.DataFrame(table, ["mean", "median", "max"]).T.rename_axis("nats below log p(X)").round(2)

# %%
encoder, best, _ = missing.values()
gain = encoder - best
share = gain.mean() / encoder.mean()
error = (gain - share * encoder).std(ddof=1) / len(gain) ** 0.5 / encoder.mean()  # of a ratio
claim("Amortisation's share of the gap is", share, se=error, over=f"100 {IMAGES}", above=0.8,
      headline=True)  # fmt: skip
claim("The median gap of training pictures, over that of held-out pictures, is",
      np.median(seen_gap) / np.median(gap), below=1)  # fmt: skip

# %% [markdown]
# The normal family with independent dimensions is nearly good enough. What costs the nats is one
# network for all pictures (Cremer et al. 2018), more so if it has not seen them. On an unusual one it
# may miss altogether: the mean is far above the median.
#
# **A tighter bound.** Draw $k$ codes and average the weights $w_i = p(X|z_i)\,p(z_i)/q(z_i|X)$ *before*
# taking the logarithm:
#
# $$\mathcal L_k = \mathbb E\,\log \frac1k\sum_{i=1}^k w_i,\qquad
# \mathcal L_1 = \text{ELBO} \le \mathcal L_{10} \le \dots \le \log p(X).$$
#
# Why? On average each $w_i$ is $p(X)$: $\mathbb E_q w = \int q\, \frac{p(X|z)\,p(z)}{q}\,dz = p(X)$. A
# code that $q$ proposes too rarely gets a larger weight (*[importance
# weighting](../docs/glossary.md#importance-weighting)*). The [logarithm of an
# average](../docs/glossary.md#jensen-inequality) is too small on average, and the less so the more
# draws there are.
#
# ### Exercise 3: repair the bound
#
# "I compute `np.log(np.mean(np.exp(log_w)))` and get minus infinity." Write $\log\frac1k\sum_i w_i$ for
# each picture, from `log_w` of shape `(k, N)`, with NumPy or SciPy. There is more than one trap in
# that line.
#


# %%
def importance_weighted_bound(log_w): ...


exercises.q3.check(importance_weighted_bound)
# exercises.q3.hint()  # and .solution()

# %% [markdown]
# **Predict.** Will a thousand draws close the gap?

# %% tags=["atol=1.5"]
draws = log_weights(vae, x_test[:50], 1_000)
missing = {}
for k in (1, 10, 100, 1_000):
    groups = draws.reshape(-1, k, 50)
    bounds = [exercises.q3.answer(group) for group in groups]
    missing[k] = exact[:50] - np.mean(bounds, axis=0)
table = {k: (m.mean(), np.median(m), m.max()) for k, m in missing.items()}
pd.DataFrame(table, ["mean nats below log p(X)", "median", "max"]).T.rename_axis("k").round(2)

# %%
claim("With k = 1000 draws the bound of the median picture misses log p(X) by",
      np.median(missing[1_000]), above=-0.1, below=0.5, unit="nats")  # fmt: skip

# %% [markdown]
# For most pictures a thousand draws close nearly all of the gap: two unlike ways to compute $\log p(X)$
# agree. Where $q$ looks in the wrong place it would take far more.
#
# **Then why not train with $\mathcal L_{64}$?** A tighter bound can be a worse teacher (Rainforth et
# al. 2018), if one takes its gradient as it comes. $\log p(X)$ does not depend on $q$ at all: the nearer
# a bound comes to it, the less is left for the encoder to learn from, while the draws still scatter
# (section 12).
#
# *Learned: the gap of a bound can be measured. Here, in two dimensions, nearly all of it is the price of
# one encoder for all pictures. The ELBO compares models honestly only as far as their gaps are alike.*

# %% [markdown]
# ## 6. What each term does
#
# The two terms pull in opposite directions. Reconstruction wants codes that tell pictures apart; the KL
# wants all codes to look alike. The factor $\beta$ before the KL shifts the balance. (Below 1 the loss
# bounds nothing; above 1 it is a looser bound.)
#
# We offer a smaller network fifty latent dimensions, and train it from the same first weights with
# $\beta = 0$ (KL switched off; ten passes over the pictures show enough), 1 and 4 (25 passes each). And
# with $\beta = 1$ once more, for five passes only.
#
# **How many dimensions are used?** The KL is a sum over dimensions, and the share of $z_j$, averaged
# over pictures, is an upper bound of what $z_j$ tells of the picture (their [mutual
# information](../docs/glossary.md#mutual-information)). We call a dimension *used* if that share is at
# least 0.1 nats, and *collapsed* if not: then $q(z_j|X)$ is close to the prior for nearly every picture
# (*posterior collapse*). Where to draw that line is a choice, so we look at all fifty shares, too.
#
# **Predict.** For $\beta = 0$, 1 and 4: how many of the fifty dimensions are used? Which $\beta$
# reconstructs best? And are there more used ones after five passes than after 25, or fewer?

# %%
wide, trained = VAE(50, units=64), {}
wide(x_train[:2])
first_weights = wide.get_weights()
RUNS = {"β = 0": (0, 10), "β = 1, 5 passes": (1, 5), "β = 1": (1, SWEEP), "β = 4": (4, SWEEP)}
for name, (beta, epochs) in RUNS.items():
    wide.set_weights(first_weights)
    wide.beta.assign(beta)
    trained[name] = train(wide, epochs, 0.01).get_weights()

# %% tags=["atol=0.1", "rtol=0.05"]
terms, shares, looks = {}, {}, {}
for name, weights in trained.items():
    wide.set_weights(weights)
    z_mu, z_sigma = wide.encode(x_test)
    z = z_mu + z_sigma * keras.random.normal(z_mu.shape)
    reconstruction = float(ops.mean(reconstruction_loss(x_test, wide.decode(z))))
    kl = ops.convert_to_numpy(ops.mean(kl_to_prior(z_mu[..., None], z_sigma[..., None]), axis=0))
    shares[name] = np.sort(kl)[::-1]  # of the fifty dimensions, the largest first
    used = (kl >= 0.1).sum()
    terms[name] = reconstruction, kl.sum(), reconstruction + kl.sum(), used, float(ops.std(z))
    drawn = decode_pictures(rng.standard_normal((9, 50)), wide)
    looks[name] = {"reconstructed": decode_pictures(z[:9], wide), "drawn from p(z)": drawn}
COLUMNS = ("reconstruction", "KL", "−ELBO", "used", "sd of z")
terms = pd.DataFrame(terms, COLUMNS).T
terms.round(2)

# %%
lesson.draw_shares(shares, line=0.1)
plotting.show(lesson.TEXTS["shares"])
lesson.draw_looks(looks)
plotting.show(lesson.TEXTS["terms"])

# %%
used, nelbo = terms["used"], terms["−ELBO"]
claim("Of fifty dimensions, β = 1 uses after 25 passes", used["β = 1"],
      above=2, below=20, digits=0, headline=True)  # fmt: skip
claim("After 5 passes it uses more than that, by", used["β = 1, 5 passes"] - used["β = 1"],
      above=0, digits=0)  # fmt: skip
between = {name: ((kl >= 0.03) & (kl < 0.3)).sum() for name, kl in shares.items()}
claim("Lines at 0.03 and 0.3 nats, with β = 1 and 25 passes, give counts that differ by",
      between["β = 1"], below=15, digits=0)  # fmt: skip
claim("... and after 5 passes, counts that differ by more than that, by",
      between["β = 1, 5 passes"] - between["β = 1"], above=10, digits=0)  # fmt: skip
claim("β = 4 uses fewer than β = 1, by", used["β = 1"] - used["β = 4"], above=0, digits=0)
claim("The −ELBO of β = 4 is higher than that of β = 1 by", nelbo["β = 4"] - nelbo["β = 1"],
      above=10, unit="nats", digits=1)  # fmt: skip

# %% [markdown]
# With the **KL switched off** the model is an autoencoder: it copies well, and its codes spread far
# from the prior, so that a draw from $p(z)$ seldom hits. With $\beta = 1$ each dimension must save more
# nats of reconstruction than it costs in KL. Early in training many say a little. Later the dimensions
# part: a few say much, the others next to nothing, and it matters far less where the line is drawn.
# With $\beta = 4$ even fewer pay.
#
# So a count of used dimensions means little before they have parted. And collapse has two causes that
# no count tells apart: a dimension is not worth its price, or training gave it up too early. What says
# nothing yet gets hardly any gradient. (Hence *warm-up*: a $\beta$ that starts small and grows to 1,
# Bowman et al. 2016. Section 8's ten dimensions, in a larger network, reach a far lower $-$ELBO.)
#
# ### Exercise 4: the KL counted twice
#
# In more than one published model a layer calls `add_loss` with the KL, and the loss handed to
# `compile` adds it again. The training reports the loss $L$; the KL, measured apart, is $K$. What is
# the true $-$ELBO of the trained model, and which $\beta$ was it trained with?


# %%
def repair(L, K): ...  # returns the negative ELBO, and beta


exercises.q4.check(repair)
# exercises.q4.hint()  # and .solution()

# %% [markdown]
# *Learned: each dimension of the code is paid for in nats, and those that do not pay say next to
# nothing. Dimensions that are offered are not dimensions that are used.*
#
# ## 7. A case with the exact answer
#
# When a VAE falls short, is it the bound, the noise, or the network? When encoder and decoder are
# *linear* and the pixels normally distributed, everything is known. The model is then *probabilistic
# PCA*: $p(X|z) = \mathcal N(Wz + b, \sigma^2 I)$. Its best $W$ spans the first $d$ principal
# components, its best $\sigma^2$ is the mean of the eigenvalues left out (Tipping and Bishop 1999), and
# its log-likelihood is, with the eigenvalues $\lambda_j$ of the covariance and $D$ pixels,
#
# $$\log p(X) = -\tfrac12\Big(D\log 2\pi + \sum_{j\le d}\log\lambda_j + (D-d)\log\sigma^2 + D\Big)
# \quad\text{on average over the data.}$$
#
# The exact posterior is normal as well, with the same covariance for every picture. So $q$ can match
# it, and the gap can vanish. We train the linear VAE twice, on small digits of 8 × 8 grey levels. Once
# the average over $\epsilon$ is taken in closed form, $\mathbb E_q\|X - b - Wz\|^2 = \|X - b -
# Wz_\mu\|^2 + \sum_j z_{\sigma,j}^2\|w_j\|^2$ ($\mathbb E\,\epsilon = 0$ removes the mixed terms), so
# that there is no noise. And once $\epsilon$ is *drawn*, one for each picture and step, as in every
# real VAE. (See `lesson.LinearVAE`.)
#
# **Predict.** How many nats will the drawn noise cost in the end: 0.01, 0.1, or 1?

# %%
digits = data.load_digits()
small = (digits.x.reshape(-1, 64) / 16).astype("float32")  # 8 x 8 grey levels
linear = [lesson.LinearVAE(10, 64, drawn) for drawn in (True, False)]
for model in linear:
    train(model, 2_000, 0.03, small, loss=lambda x, negative_elbo: negative_elbo, batch=len(small))

# %%
ppca = PCA(10).fit(small).score(small)  # its mean log p(X), by the formula above
with_noise, model = linear
with_noise.drawn = False  # both are judged in closed form
elbos = [-float(ops.mean(trained_model(small))) for trained_model in linear]
print(f"log p(X) of probabilistic PCA: {ppca:.2f} nats")
claims.check("Trained in closed form, the ELBO is the exact log p(X)", elbos[1], ppca, within=0.03)
claim("Trained with drawn noise, the ELBO misses log p(X) by", ppca - elbos[0],
      above=-0.01, below=0.2, unit="nats", headline=True)  # fmt: skip
W = model.decoder.kernel.numpy()
units = W / np.linalg.norm(W, axis=1, keepdims=True)
cosine = np.abs(units @ units.T - np.eye(10)).max()
claim("The largest cosine between two columns of W is", cosine, below=0.25)

# %% [markdown]
# Where $q$ can match the posterior, the bound costs nothing, and drawn noise costs hundredths of a nat.
# So when a VAE falls short, look at what is different there: the shape of the posterior and one encoder
# for all (the two parts of the gap), the model itself with its few dimensions (section 5), or the
# training. (A density can exceed 1: that is why its logarithm is positive here.) (And the columns of
# $W$ stand nearly at right angles: $q$ has no correlations, so the gap can only vanish if the exact
# posterior has none either.)
#
# *Learned: where everything is linear and normal, the variational autoencoder is probabilistic PCA,
# exactly.*

# %% [markdown]
# ## 8. Ten dimensions, and new pictures
#
# Two dimensions are good for looking. Ten hold more of the picture.
#
# **Predict.** Who is ahead now, the VAE or the mixture, and by how many nats?

# %% tags=["atol=1"]
vae_10 = train(VAE(10), EPOCHS[10], rate=0.005)
weights_10 = log_weights(vae_10, x_test, DRAWS)
nelbo_10 = -weights_10.mean(axis=0)
claim("With ten latent dimensions the −ELBO of a held-out picture is",
      **claims.mean_and_error(nelbo_10, IMAGES), below=109, unit="nats", digits=1)  # fmt: skip
claim("In nats for each held-out picture, ten latent dimensions beat the mixture of tables by",
      **claims.mean_and_error(mixture_nll - nelbo_10, IMAGES), above=15, digits=1)  # fmt: skip

# %% [markdown]
# A bound beats an exact value, so the true lead can only be larger. But there is a rival that needs no
# code. Any distribution is a product, $p(X) = \prod_j p(x_j\,|\,x_1, \dots, x_{j-1})$. Let each factor
# be a logistic regression of one pixel on those before it, row by row. That is a single layer, whose
# matrix is zero wherever a pixel would see itself or a later one. Its $p(X)$ is exact, and its loss is
# our `reconstruction_loss`.
#
# **Predict.** Is it behind the VAE, too?

# %% tags=["atol=1"]
earlier = np.triu(np.ones((784, 784), "float32"), 1)  # [i, j] is 1 if pixel i is before pixel j
in_turn = keras.layers.Dense(
    784, kernel_initializer="zeros", kernel_regularizer=keras.regularizers.L2(0.001),
    kernel_constraint=lambda kernel: kernel * earlier)  # fmt: skip
train(keras.Sequential([in_turn]), 10, rate=0.4, batch=200)
seen_by_none = np.tril(in_turn.get_weights()[0])
claims.check("No pixel sees itself or a later one", seen_by_none, 0, within=1e-9)
in_turn_nll = ops.convert_to_numpy(reconstruction_loss(x_test, in_turn(x_test)))
tighter = exercises.q3.answer(weights_10)  # with k = DRAWS, nearer to log p(X) than the ELBO
print(f"-log p(X): pixels in turn {in_turn_nll.mean():.1f}, VAE at most {-tighter.mean():.1f} nats")
claim("Logistic regressions of the pixels in turn beat the VAE's tighter bound by",
      **claims.mean_and_error(-tighter - in_turn_nll, IMAGES), above=4, unit="nats", digits=1,
      headline=True)  # fmt: skip

# %% [markdown]
# (On the 500 pictures that choose, twice as many passes were a little better still. The VAE's exact
# $\log p(X)$ lies above the bound, we do not know by how much.) So the best likelihood is no reason to
# train a VAE. What it has, and the regressions lack, is the *code*: ten numbers that stand for the
# picture. And it draws all pixels at once, where they must be drawn one after the other, 784 times. (The
# next lesson, `var_mod_applications`, has another model that goes pixel by pixel.)
#
# Now new pictures: draw $z$ from the prior and decode. The last lesson did this with a plain
# autoencoder, whose codes left holes where no picture was. Are there fewer holes here? The yardstick is
# the same: *what share of the ten training pictures nearest to the drawn one agree on its digit?* The
# rivals (untuned) have the same layers and ten numbers, too, except the last:
#
# * a plain autoencoder, no noise and no KL, with a *normal* distribution fitted to its training codes;
# * the same with a *mixture of 20 normals* fitted to its codes;
# * the VAE, with such a mixture fitted to its codes in place of the prior;
# * without any network, the 400 tables of section 1 themselves.
#
# **Predict.** Rank the five. Which is the best, and is it the VAE with its prior?


# %%
class Autoencoder(VAE):
    """The same layers without noise and KL."""

    def call(self, x, training=False):
        return self.decode(self.encode(x)[0])


plain = train(Autoencoder(10), 15, rate=0.003)
neighbours = KNeighborsClassifier(10).fit(x_train, y_train)


def agree(x):  # the share of the ten nearest that have the commonest digit among them
    return neighbours.predict_proba(x).max(axis=1)


def distance(x):  # black or white pixels in which the nearest training picture differs
    x = x.astype("float32")
    return (x @ (1 - x_train).T + (1 - x) @ x_train.T).min(axis=1)


def fitted(codes, normals):  # a thousand draws from a mixture of normals
    mixture = GaussianMixture(normals, random_state=SEED, reg_covar=1e-3)
    mixture.fit(np.float64(codes))
    return rng.permutation(mixture.sample(1_000)[0])


# %% tags=["atol=0.02"]
plain_codes = ops.convert_to_numpy(plain.encode(x_train)[0])
z_mu, z_sigma = (ops.convert_to_numpy(v) for v in vae_10.encode(x_train))
clouds = z_mu + z_sigma * rng.standard_normal(z_mu.shape)  # one draw from each picture's q
drawn = {
    "VAE, prior": decode_pictures(rng.standard_normal((1_000, 10)), vae_10),
    "VAE, mixture": decode_pictures(fitted(clouds, 20), vae_10),
    "autoencoder, normal": decode_pictures(fitted(plain_codes, 1), plain),
    "autoencoder, mixture": decode_pictures(fitted(plain_codes, 20), plain),
    "tables": expit(table_logits[rng.choice(TABLES, 1_000, p=np.exp(table_weight))]),
}
drawn = {name: x.reshape(-1, 784) for name, x in drawn.items()}
agreement = {name: agree(x) for name, x in {IMAGES: x_test, **drawn}.items()}
far = {name: distance(x > 0.5).mean() for name, x in {IMAGES: x_test, **drawn}.items()}
table = {name: (share.mean(), far[name]) for name, share in agreement.items()}
pd.DataFrame(table, ["neighbours agree", "pixels from the nearest"]).T.round(2)

# %%
lesson.draw_rows(drawn, columns=14)
plotting.show(lesson.TEXTS["drawn"])

# %%
for first, second, bound in (
    ("VAE, mixture", "VAE, prior", {"above": 0.04, "headline": True}),
    ("VAE, prior", "autoencoder, normal", {"below": 0.06}),
    ("tables", "VAE, prior", {"above": 0.05}),
):
    lead = claims.mean_and_error(agreement[first] - agreement[second], "draws")
    claim(f"Neighbours agree more: {first} over {second}, by", **lead, **bound, digits=3)
for name, bounds in (("VAE, prior", {"above": 0.6, "below": 1.6}), ("tables", {"below": 0.75})):
    ratio = far[name] / far[IMAGES]
    claim(f"Pixels from the nearest training picture: {name} over held-out, ratio", ratio, **bounds)

# %% [markdown]
# By this yardstick the VAE's prior has holes, too: where the codes of all pictures together do not fill
# it evenly, the decoder may never have been trained. A density that is fitted to the codes *afterwards*
# does better, with a VAE or without one (and a little nearer to the training pictures, which may be a
# part of its lead). What the prior
# does give is $\log p(X)$, or a bound of it, which no plain autoencoder has. And the yardstick can be
# fooled: the tables are far ahead of the prior, too. Each is the average of a few training pictures,
# and lies much nearer to one of them than new handwriting does.
#
# *Learned: a better likelihood is not a better draw. Ask of every yardstick which cheap rival would win
# it.*

# %% [markdown]
# ## 9. What came after
#
# The slide *VAE results* shows faces of 2020 that no camera took. The model is **NVAE** (Vahdat and
# Kautz): the same loss, with some thirty layers of latent codes and with convolutions. **VQ-VAE** (van
# den Oord et al. 2017) takes its codes from a finite list, and a second model learns how they are
# distributed. **Latent diffusion** (Rombach et al. 2022), which *Stable Diffusion* is built on, learns
# the distribution of an autoencoder's codes by removing noise step by step. And diffusion can itself be
# read as a variational autoencoder whose encoder is fixed and only adds noise (Ho et al. 2020). So
# "*Stable Diffusion* and *DALL-E* work on … *variational autoencoders*", as the slide says, is true of
# a part of them.
#
# ## 10. Further: half-way between two codes
#
# A straight path between two codes passes nearer to zero than its ends, where draws from the prior are
# rare, the more so the more dimensions there are. A *spherical* path goes along an arc and keeps the
# length of its ends (`lesson.spherical`).
#
# ### Exercise 5: half-way
#
# $z_1$ and $z_2$ are independent draws from the prior in $d$ dimensions. What is the root of the mean
# squared length of the point half-way between them on the straight path?


# %%
def half_way_length(d): ...


exercises.q5.check(half_way_length)
# exercises.q5.hint()  # and .solution()

# %% [markdown]
# **Predict.** Are the pictures in the middle better on the spherical path? (By the yardstick of section 8,
# for its network with ten dimensions.)

# %% tags=["atol=0.02"]
draws = rng.standard_normal((2, 1_000, 10))
middles = draws.mean(axis=0), lesson.spherical(*draws, 0.5)
straight, round_ = (agree(decode_pictures(z, vae_10).reshape(-1, 784)) for z in middles)
print(f"neighbours agree: straight {straight.mean():.2f}, spherical {round_.mean():.2f}")
claim("10 dimensions: neighbours agree more in the spherical middle than the straight, by",
      **claims.mean_and_error(round_ - straight, "pairs"), above=0, below=0.05,
      digits=3)  # fmt: skip

# %% [markdown]
# By this yardstick the arc is a little better, by a few pictures in a hundred at most. (± is over pairs
# of codes, for one network.)
#
# ## 11. Further: which likelihood?
#
# Grey pixels need another likelihood, and here much published code goes astray, in two ways.
#
# **Squared error.** If grey levels are normal around the decoder's output $m$,
#
# $$-\log p(X|z) = \frac{1}{2\sigma^2}\sum_{j=1}^D (x_j - m_j)^2 + D\log\big(\sigma\sqrt{2\pi}\big).$$
#
# *Squared error + KL* means $\sigma^2 = \tfrac12$, whether it is said or not; with 1000 × the *mean*
# over pixels, as often seen, it is $D/2000$. Neither asks the data. But $\sigma$ can be learnt, as one
# more weight.
#
# ### Exercise 6: 1000 × MSE
#
# A published notebook minimises `weight * mean_squared_error + KL` for pictures of `D` pixels and calls
# it a negative ELBO. Which $\sigma$ does it assume?


# %%
def assumed_sigma(weight, D): ...


exercises.q6.check(assumed_sigma)
# exercises.q6.hint()  # and .solution()

# %% [markdown]
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
    constant = log_sigma + 0.5 * float(np.log(2 * np.pi))
    return squares / (2 * ops.exp(2 * log_sigma)) + 64 * constant


small_train, small_test = train_test_split(
    small, test_size=397, stratify=digits.y, random_state=SEED
)
FIXED = {"squared error": 0.5**0.5, "1000 × mean": 0.032**0.5}
gaussian = {name: GaussianVAE(8, sigma, learn=False) for name, sigma in FIXED.items()}
gaussian["learnt"] = GaussianVAE(8, small_train.std(), learn=True)
for model in gaussian.values():
    train(model, 40, 0.003, small_train, gaussian_loss)

# %% tags=["atol=0.15", "rtol=0.05"]
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
table.round(2)

# %%
learnt = table.loc["learnt"]
claim("With squared error the share of collapsed dimensions is",
      table["share collapsed"]["squared error"], above=0.55)  # fmt: skip
claim("Squared error in place of a learnt σ raises the −ELBO by",
      table["−ELBO"]["squared error"] - learnt["−ELBO"], above=40, unit="nats")  # fmt: skip
ratios = np.linalg.eigvalsh(np.cov(small_train.T)) / 0.5
ratios = ratios[ratios > 1]
print(f"eigenvalues above 1/2: {len(ratios)}; what they would save together: "
      f"{0.5 * (ratios - 1 - np.log(ratios)).sum():.2f} nats")  # fmt: skip

# %% [markdown]
# With more noise assumed than there is, little is worth coding. In the linear model of section 7 a
# component with the eigenvalue $\lambda > \sigma^2$ saves $\tfrac12(\lambda/\sigma^2 - 1 -
# \log(\lambda/\sigma^2))$ nats, others nothing. The last line shows how little that is here: the
# network collapses, and its error is that of the average picture. The factor 1000 happens to come
# near the learnt $\sigma$ for 64 pixels, and does as well; for 784 it would not. (A density can exceed 1: that is why
# $-$ELBO may be negative.)
#
# **Cross-entropy on grey pixels.** The other habit keeps the Bernoulli loss, $-x\log p -
# (1-x)\log(1-p)$, with grey $x$. But if $e^{-\text{loss}} = p^x (1-p)^{1-x}$ is a density of $x$, it
# must integrate to 1 over $x$ from 0 to 1. Does it?

# %%
p_ink = np.linspace(0.01, 0.99, 99)  # 0.5 in the middle
mass = [quad(lambda x, p=p: p**x * (1 - p) ** (1 - x), 0, 1)[0] for p in p_ink]
grey = mnist.x[vae_rows[1]].reshape(-1, 784) / 255
perfect = (entr(grey) + entr(1 - grey)).sum(axis=1)  # the decoder gives back every grey level
print(f"loss of a perfect copy: {perfect.mean():.0f} nats")
claims.check("The largest total probability of one pixel is one half", max(mass), 0.5, within=0.001)

# %% [markdown]
# At most one half for each pixel; for 784 of them at most $2^{-784}$. So this loss is no likelihood,
# and the sum no ELBO. Even a perfect copy is charged that many nats. (It still gives pretty pictures.
# For grey levels there is the *continuous Bernoulli* distribution, which divides by the missing mass.)
#
# ## 12. Further: two gradients, measured
#
# **How much is the trick worth?** Section 4 had two ways to a gradient through noise. To compare them
# we take a case with an exact gradient: the small pictures and a linear decoder, $p(X|z) = \mathcal
# N(Wz + b, \sigma^2 I)$, with $W$ from PCA. There $\nabla_{z_\mu}\mathbb E_q f = W^\top(X - b -
# Wz_\mu)/\sigma^2$. We look at $q = \mathcal N(0, I)$: an encoder that has learnt nothing yet. And we
# help the weaker one. Subtracting a constant from $f$ (a *baseline*) leaves the score-function
# estimator [unbiased](../docs/glossary.md#unbiased), so it gets the best constant, estimated from other
# draws.
#
# **Predict.** Both are right on average. How many times more draws will the score-function estimator
# need for the same accuracy, with one latent dimension and with 16?


# %%
def gradients(x, d, draws=4_000):
    """Draws of both estimators of the gradient by z_mu, (2, draws, d), and the exact one, (d,)."""
    pca = PCA(d).fit(small)
    W, b = pca.components_.T * pca.explained_variance_**0.5, pca.mean_
    epsilon = rng.standard_normal((2, draws, d))  # two sets of draws
    z = 0 + 1 * epsilon
    residual = (x - b - z @ W.T) / pca.noise_variance_
    f = -0.5 * pca.noise_variance_ * (residual**2).sum(axis=-1, keepdims=True)
    score = epsilon  # the gradient of log q by z_mu, where z_sigma is 1
    baseline = (f * score**2)[1].sum(axis=0) / (score**2)[1].sum(axis=0)  # of the second set
    estimates = np.stack([residual[0] @ W, (f[0] - baseline) * score[0]])
    return estimates, W.T @ (x - b) / pca.noise_variance_


LATENT, factors, misses = (1, 4, 16), [], []
for x in small[rng.choice(len(small), 20, replace=False)]:
    for d in LATENT:
        estimates, truth = gradients(x, d)
        scatter = estimates.var(axis=1)
        misses.append((estimates.mean(axis=1) - truth) / np.sqrt(scatter / estimates.shape[1]))
        factors.append(scatter[1].sum() / scatter[0].sum())
factors = np.log(np.reshape(factors, (20, -1)))
misses = np.concatenate(misses, axis=1)
claims.check("Both estimators give the exact gradient on average", misses, 0, within=5.5)
for d, mean in zip(LATENT, np.exp(factors.mean(axis=0))):
    print(f"{d} latent dimensions: the score function needs {mean:.0f} times as many draws")

# %%
mean = np.exp(factors[:, -1].mean())
claim("In 16 latent dimensions the score function needs more draws than the trick, by the factor",
      mean, se=mean * sem(factors[:, -1]), over="20 pictures", above=5, digits=1)  # fmt: skip

# %% [markdown]
# **What does a tighter bound do to the encoder's gradient?** That of $\mathcal L_k$ is a weighted
# average,
#
# $$\begin{aligned}
# \nabla \log \frac1k\sum_i w_i &= \sum_i \frac{\nabla w_i}{\sum_j w_j} && \text{the chain rule}\\
# &= \sum_i \tilde w_i\,\nabla\log w_i, \quad \tilde w_i = \frac{w_i}{\sum_j w_j}
# && \nabla w_i = w_i\,\nabla\log w_i .
# \end{aligned}$$
#
# How well can the encoder hear that it is wrong? Suppose that the exact posterior of one code is
# normal, as in section 7, with the standard deviation $s$, and that $q$ has the right width and lies
# half of it too high. In units of $s$ the draw lies at $\tfrac12 + \epsilon$ above the posterior's
# mean, so
#
# $$\begin{aligned}
# \log w &= \log p(X) + \log p(z|X) - \log q(z|X) && \text{Bayes' rule}\\
# &= \log p(X) - \tfrac12\left(\tfrac12 + \epsilon\right)^2 + \tfrac12\epsilon^2
# && \text{two normal densities of one width}\\
# &= \text{constant} - \tfrac12\epsilon,
# \end{aligned}$$
#
# and its slope by $z_\mu$ is that of $-\tfrac12(\tfrac12 + \epsilon)^2$, which is $-(\tfrac12 +
# \epsilon)$. The *signal-to-noise ratio* of a gradient is the size of its mean over its standard
# deviation. With one draw it is one half, exactly.
#
# **Predict.** What is it with $k = 64$ draws: 4, one half, or less?


# %%
def encoder_gradient(k, too_high=0.5, repeats=40_000):
    """The gradient of L_k by z_mu, in units of 1/s, for each repeat."""
    epsilon = rng.standard_normal((repeats, k))
    share = softmax(-too_high * epsilon, axis=1)  # w over the sum of w
    return (share * -(too_high + epsilon)).sum(axis=1)


signal_to_noise = {}
for k in (1, 4, 16, 64):
    gradient = encoder_gradient(k)
    signal_to_noise[k] = -gradient.mean() / gradient.std()
    print(f"k = {k}: mean {gradient.mean():.3f}, standard deviation {gradient.std():.2f}, "
          f"signal-to-noise ratio {signal_to_noise[k]:.2f}")  # fmt: skip
claims.check("With one draw it is a half", signal_to_noise[1], 0.5, within=0.03)

# %%
claim("Signal-to-noise ratio of the encoder's gradient with 64 draws, over that with one",
      signal_to_noise[64] / signal_to_noise[1], se=40_000**-0.5 / signal_to_noise[1],
      over="40000 repeats", below=0.3)  # fmt: skip

# %% [markdown]
# With 64 times as many decodings the encoder hears *less*. The noise falls like $1/\sqrt k$, but the
# gradient itself nearly like $1/k$, since a tight bound hardly depends on $q$. For the *decoder* it is
# the other way round (Rainforth et al. 2018): one may train it with the tighter bound, and the encoder,
# with this plain gradient, better not. Another estimator of the encoder's gradient mends that (Tucker et
# al. 2019).

# %% [markdown]
# ## Summary
#
# These are the sentences of the lesson with the numbers that were computed above; its other claims are
# folded below them.

# %%
claim

# %% [markdown]
# **What to remember**: the loss is reconstruction *plus* KL. Its bound can be held against any rival's
# likelihood, and plain rivals are serious: four hundred tables beat two dimensions, pixels in turn beat
# ten. What a VAE has is a code. In two dimensions, its gap is mostly the price of one encoder for all. The next lesson, `var_mod_applications`, puts the latent space to use;
# [`flows`](flows.ipynb) builds models whose likelihood needs no bound.
#
# ### Further reading
#
# * D. P. Kingma, M. Welling: *Auto-Encoding Variational Bayes*, ICLR 2014, and D. J. Rezende, S. Mohamed,
#   D. Wierstra: *Stochastic Backpropagation and Approximate Inference in Deep Generative Models*, ICML
#   2014. Sections 2 to 4.
# * C. Cremer, X. Li, D. Duvenaud: *Inference Suboptimality in Variational Autoencoders*, ICML 2018. The
#   two parts of the gap.
# * Y. Burda, R. Grosse, R. Salakhutdinov: *Importance Weighted Autoencoders*, ICLR 2016. Section 5.
# * T. Rainforth et al.: *Tighter Variational
#   Bounds Are Not Necessarily Better*, ICML 2018, and G. Tucker, D. Lawson, S. Gu, C. J. Maddison: *Doubly
#   Reparameterized Gradient Estimators for Monte Carlo Objectives*, ICLR 2019. Section 12.
# * M. E. Tipping, C. M. Bishop: *Probabilistic Principal Component Analysis*, Journal of the Royal
#   Statistical Society B 61, 1999, and J. Lucas, G. Tucker, R. Grosse, M. Norouzi: *Don't Blame the ELBO! A
#   Linear VAE Perspective on Posterior Collapse*, NeurIPS 2019. Sections 6 and 7.
# * S. R. Bowman et al.: *Generating Sentences from a Continuous Space*, CoNLL 2016. Warm-up.
# * P. Ghosh, M. S. M. Sajjadi, A. Vergari, M. Black, B. Schölkopf: *From Variational to Deterministic
#   Autoencoders*, ICLR 2020. A density fitted to the codes afterwards.
# * A. van den Oord, O. Vinyals, K. Kavukcuoglu: *Neural Discrete Representation Learning*, NeurIPS 2017; A.
#   Vahdat, J. Kautz: *NVAE: A Deep Hierarchical Variational Autoencoder*, NeurIPS 2020; J. Ho, A. Jain, P.
#   Abbeel: *Denoising Diffusion Probabilistic Models*, NeurIPS 2020; R. Rombach, A. Blattmann, D. Lorenz,
#   P. Esser, B. Ommer: *High-Resolution Image Synthesis with Latent Diffusion Models*, CVPR 2022.
# * G. Loaiza-Ganem, J. P. Cunningham: *The Continuous Bernoulli: Fixing a Pervasive Error in Variational
#   Autoencoders*, NeurIPS 2019. Section 11.

# %% [markdown]
# ## Further: all of MNIST
#
# The network with ten latent dimensions on the 60,000 training pictures of the full data set, a
# download of 11 MB. This page is stored without its outputs: run it to see them.
#
# **Predict.** By how much is each network better on pictures it has seen?

# %% tags=["needs-download", "data=mnist"]
full = data.load_mnist()
full_x = (full.x.reshape(-1, 784) / 255 > 0.5).astype("float32")
full_train, full_test = full_x[: data.MNIST_TRAIN], full_x[data.MNIST_TRAIN :]
FULL_EPOCHS = course_utils.budget(cpu=5, gpu=100)
full_vae = train(VAE(10), FULL_EPOCHS, 0.003, full_train)

# %% tags=["needs-download", "data=mnist"]
claim = claims.Claims()
scores = {}
for name, model, *both in (
    ("4,000 pictures", vae_10, x_train[:1_000], x_test),
    ("60,000 pictures", full_vae, full_train[:1_000], full_test[:1_000]),
):
    scores[name] = [-log_weights(model, x, DRAWS).mean() for x in both]
    print(f"{name}: seen {scores[name][0]:.1f}, held out {scores[name][1]:.1f} nats")
gain = scores["4,000 pictures"][1] - scores["60,000 pictures"][1]
claim("With 60,000 training pictures the held-out −ELBO is lower by", gain, above=3, unit="nats")

# %% [markdown]
# Published figures for MNIST use other binarisations (each pixel drawn with its grey level as
# probability), other networks and hundreds of epochs. They cannot be compared with these.
