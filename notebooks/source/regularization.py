# %% [markdown]
# # Regularisation: what keeps a network from learning by heart
#
# **What keeps a network from learning by heart?**
#
# A large network can learn three hundred pictures by heart. What is wrong with that, and what helps?
# The slides offer remedies: keep the weights small, set some to zero, switch units off at random, stop
# early. You will see what each of them believes about the world, on curves where the best possible
# answer is known exactly. Then you let them compete on digits, all tuned by the same rule, and the
# cheapest rivals as well.
#
# ![Thirty points, and three curves A, B and C through them, from a calm one to one that visits nearly
# every point.](figures/regularization.png)
#
# | | |
# | --- | --- |
# | **Slides** | *Machine Learning for Astrophysics*, *As we saw in the first day, it is important to keep a balance*, *Another efficient technique is the dropout regularization*, and one sentence of *Batch normalization makes the hyperparameters search easier* |
# | **You will be able to** | turn a prior into a penalty and back; say why early stopping is one, too; write a step that ends at exactly zero; tell L2 from weight decay; use dropout, and say what it costs a linear model; compare remedies fairly |
# | **You need** | the lesson [`neural_networks`](neural_networks.ipynb); the normal distribution, Bayes' rule, eigenvectors |
# | **Time** | 90 minutes, and 20 more for what is marked *further* |

# %% tags=["nbval-ignore-output"]
import course_utils

SEED = course_utils.setup(seed=1)

# %%
import keras
import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.stats import kurtosis, norm
from sklearn.linear_model import lasso_path

from course_utils import claims, data, explorers, plotting, training, validation
from course_utils.exercises import regularization as exercises
from course_utils.lessons import regularization as lesson

claim = claims.Claims()
rng = np.random.default_rng(SEED)

# %% [markdown]
# The budget of this run.

# %%
WORLDS = 200  # curves, each with thirty points
SETS, PICTURES = 10, 300  # training sets, and the pictures in each
HIDDEN, TRAIN_STEPS, EVERY = 256, 360, 30  # the network, and how often we look at it

# %% [markdown]
# ## 1. Thirty points and forty waves
#
# We begin with a world that we made ourselves, so that we know the truth. A curve is a sum of $J = 40$
# waves, $f(x) = \sum_j w_j \phi_j(x)$ with $\phi_j(x) = \sqrt2 \cos(\pi j x)/j$ for $0 \le x \le 1$.
# Nature draws each weight $w_j$ from a normal distribution with standard deviation $\tau = 1$. (Quick
# waves are low, because of the $1/j$.) We see $N = 30$ points of the curve, each with noise of standard
# deviation $\sigma = 0.3$. Forty weights and thirty points: our model can pass through every point.

# %%
J, N, TAU, SIGMA = 40, 30, 1.0, 0.3
j = np.arange(1, J + 1)


def waves(x):
    return 2**0.5 * np.cos(np.pi * x[:, None] * j) / j  # (points, J)


def world(rng):
    """The true weights of a curve, and thirty noisy points of it."""
    w, x = rng.normal(scale=TAU, size=J), rng.uniform(size=N)
    return w, x, waves(x) @ w + SIGMA * rng.normal(size=N)


w_true, x, y = world(rng)
line = np.linspace(0, 1, 400)

# %% tags=["cover"]
lesson.draw_three(line, waves, x, y, [1.0, SIGMA**2 / N, 1e-5])
plotting.show("Thirty points and three curves through them, from calm to one through every point.")

# %% [markdown]
# We train with gradient descent on $\frac1{2N} \sum_i (y_i - f(x_i))^2$. With $\Phi$ for the waves at
# the thirty points, one row a point, the gradient is $Aw - b$, where $A = \Phi^\top\Phi/N$ and $b =
# \Phi^\top y/N$. We start at $w = 0$ and note the weights after 1, 2, 4, … steps. The learning rate is
# $\alpha = 1/L$, where $L$ is the largest [curvature](../docs/glossary.md#curvature) of this error, the
# largest eigenvalue of $A$.
#
# How good is a curve? It meets new points with new noise. So its mean squared error on them is
# $\sigma^2$, which nobody can avoid, plus the *excess*: the squared distance between curve and truth,
# averaged over $x$. The waves are orthogonal, so that this is $\sum_j (w_j - w_j^\text{true})^2 / j^2$.
#
# **Predict.** Draw two curves against the number of steps: the error on the thirty points, and the
# error on new points. Where does each end? Where is $\sigma^2$?

# %%
STEPS = 2 ** np.arange(18)


def moments(x, y):
    P = waves(x)
    return P.T @ P / N, P.T @ y / N


def descend(A, b):
    """The weights after each of these numbers of steps from zero: (len(STEPS), J)."""
    w, kept, alpha = np.zeros(J), [], 1 / np.linalg.eigvalsh(A)[-1]
    for t in range(1, STEPS[-1] + 1):
        w = w - alpha * (A @ w - b)
        if t in STEPS:
            kept.append(w)
    return np.array(kept)


def excess(w, truth):
    return ((w - truth) ** 2 / j**2).sum(axis=-1)


path = descend(*moments(x, y))
on_points = ((path @ waves(x).T - y) ** 2).mean(axis=1)
on_new = SIGMA**2 + excess(path, w_true)
lesson.draw_descent(line, waves, x, y, w_true, path, STEPS, on_points, on_new, SIGMA)
plotting.show(lesson.TEXTS["descent"])

# %%
text = "After the last step the error on the thirty points, as a multiple of that of the true curve"
claim(text, on_points[-1] / ((y - waves(x) @ w_true) ** 2).mean(), below=0.5)

# %% [markdown]
# At first both errors fall: the curve finds what is true of all points. Then the thirty points are
# fitted better than the *true* curve fits them. From here on the model learns noise, by heart, and gets
# worse for everybody else. The slow, high waves come first and the quick, low ones last. So the
# cheapest remedy needs no mathematics: **stop early**, at the step where new points are met best. In
# practice these are examples that we keep aside, the *validation data*.
#
# *Learned: a model that fits its data better than the truth does has learned noise.*
#
# ## 2. A prior in disguise
#
# The slides keep weights small with a *penalty*: to the cost they add $\frac\lambda2 \sum_j w_j^2$,
# called $L_2$. Why should small weights be better? Because we believed it before we saw any data. The
# belief is called a [prior](../docs/glossary.md#prior), and it turns into the penalty in four steps.
#
# 1. We believe that a weight is near 0, give or take $\tau$: $p(w_j) = \mathcal N(0, \tau^2)$.
# 2. A point scatters around the curve: $p(y_i|w) = \mathcal N(f(x_i), \sigma^2)$. This is the
#    [likelihood](../docs/glossary.md#likelihood).
# 3. [Bayes' rule](../docs/glossary.md#bayesian-inference) joins them: $p(w|\text{data})$ is
#    proportional to $\prod_i p(y_i|w) \prod_j p(w_j)$. This is the
#    [posterior](../docs/glossary.md#posterior), what we believe after the data.
# 4. Its top, the most probable weights, is the *maximum a posteriori* (MAP) estimate. A product is
#    largest where minus its logarithm is smallest. Minus the logarithm of a normal density is a square,
#    plus a constant:
#
# $$-\log p(w|\text{data}) = \frac1{2\sigma^2} \sum_i (y_i - f(x_i))^2 + \frac1{2\tau^2} \sum_j w_j^2 +
# \text{const}.$$
#
# ### Exercise 1: which λ is it?
#
# For which $\lambda$ is the MAP estimate the minimum of $J = \frac1{2N}\sum_i (y_i - f(x_i))^2 +
# \frac\lambda2 \sum_j w_j^2$?


# %%
def penalty(sigma, tau, N): ...


exercises.q1.check(penalty)
# exercises.q1.hint()  # and .solution()

# %% [markdown]
# The minimum is known in closed form. Where the gradient $Aw - b + \lambda w$ is zero, $w = (A +
# \lambda I)^{-1} b$. To check it, we write down steps 1 to 4 with SciPy's normal density and let its
# optimiser climb.

# %%
LAMBDA = SIGMA**2 / (N * TAU**2)  # the answer to exercise 1
A, b = moments(x, y)
w_map = np.linalg.solve(A + LAMBDA * np.eye(J), b)


def minus_log_posterior(w):
    return -(norm.logpdf(y, waves(x) @ w, SIGMA).sum() + norm.logpdf(w, 0, TAU).sum())


found = minimize(minus_log_posterior, np.zeros(J)).x
claims.check("L2: the minimum with the penalty is the MAP estimate", w_map, found, within=1e-3)

# %% [markdown]
# What does the penalty do, and what does early stopping do? Turn the weights into the directions in
# which $A$ does not mix them (its eigenvectors). Along one of them, of curvature $s$, the gradient is
# $sw - b$ (with $w$ and $b$ measured along it too), and without a penalty the bottom is at $b/s$.
#
# * $L_2$: $sw - b + \lambda w = 0$, so $w = \frac{s}{s + \lambda} \cdot \frac bs$.
# * Gradient descent: each step shortens the distance to the bottom by the factor $1 - \alpha s$. After
#   $t$ steps from zero, $w = \big(1 - (1 - \alpha s)^t\big) \cdot \frac bs$.
#
# Both keep a *share* of the bottom: nearly all of it in steep directions, about which the data say
# much, and next to nothing in flat ones.
#
# **Predict.** 200 worlds, each with its own curve. For every $\lambda$ and every number of steps we
# measure the mean excess. Which $\lambda$ wins? How much worse is the best number of steps?

# %%
LAMBDAS = LAMBDA * 2.0 ** np.arange(-6, 12)


def shares(s):
    """Share of the bottom kept after each number of steps, and by each λ: (2, 18, J)."""
    return np.array([1 - (1 - s / s[-1]) ** STEPS[:, None], s / (s + LAMBDAS[:, None])])


def stopped_and_shrunk(x, y):
    """Weights after each number of steps, and for each λ: (2, 18, J)."""
    A, b = moments(x, y)
    s, U = np.linalg.eigh(A)
    s = np.maximum(s, 1e-12)  # ten directions are quite flat: thirty points do not see them
    return (shares(s) * (b @ U) / s) @ U.T


stopped, shrunk = stopped_and_shrunk(x, y)
claims.check("The formula gives the steps of section 1", stopped, path, within=1e-6)
worlds = [world(rng) for _ in range(WORLDS)]
ways = np.array([excess(stopped_and_shrunk(x, y), w) for w, x, y in worlds])  # (worlds, 2, 18)

# %% [markdown]
# **The yardstick.** Whatever we do with the points, nothing has a smaller mean excess than the mean of
# the posterior, if the prior is true. (The mean minimises the expected squared distance.) Here the
# posterior is normal, its mean is its top, and its [covariance](../docs/glossary.md#covariance-matrix)
# $C = (\Phi^\top\Phi/\sigma^2 + I/\tau^2)^{-1}$ tells how far the truth is from it: on average, the
# least possible excess is $\sum_j C_{jj}/j^2$.

# %%
least = [np.linalg.inv(N / SIGMA**2 * moments(x, y)[0] + np.eye(J) / TAU**2) for _, x, y in worlds]
least = np.array([(np.diag(C) / j**2).sum() for C in least])
lesson.draw_ways(STEPS, LAMBDAS, ways.mean(axis=0), least.mean(), LAMBDA)
plotting.show(lesson.TEXTS["ways"])

# %%
stop, own = ways[: WORLDS // 2, 0].mean(axis=0).argmin(), 6  # chosen on half; λ of exercise 1
check = claims.mean_and_error(ways[:, 1, own] - least, "worlds")
text = "With the true prior the MAP estimate has the least possible excess"
claims.check(text, check["value"], 0, within=4, se=check["se"])
others = np.delete(ways[:, 1], own, axis=1).mean(axis=0)
text = "No other λ beats that of exercise 1: least excess of the others, as a multiple of its own"
claim(text, others.min() / ways[:, 1, own].mean(), above=0.98)
rest = ways[WORLDS // 2 :]
behind = (rest[:, 0, stop] - rest[:, 1, own]) / rest[:, 1, own].mean()
text = "Early stopping has a mean excess above that of the true prior by only the share"
claim(text, **claims.mean_and_error(behind, "worlds"), below=0.12, headline=True)
last = claims.mean_and_error(rest[:, 0, -1] / rest[:, 0, stop].mean(), "worlds")
text = "Trained to the last step instead, its excess is multiplied by"
claim(text, **last, above=5, digits=0)

# %% [markdown]
# So early stopping is a prior in disguise as well, and nearly as good a one as the truth. That makes it
# the [baseline](../docs/glossary.md#baseline) of this lesson: it costs some validation data and no
# computing, and **each remedy must beat it**.
#
# **Try it.** Choose a remedy and its strength, and watch the curve and its forty weights. ($L_1$ is the
# next section's.)


# %% tags=["nbval-ignore-output"]
def view(remedy, strength):
    return lesson.draw_remedy(remedy, strength, line, waves, w_true, x, y, STEPS, LAMBDAS)


explorers.gallery(view, remedy=lesson.REMEDIES, strength=lesson.STRENGTHS)

# %% [markdown]
# *Learned: a penalty is a prior, and the minimum is the top of the posterior. Early stopping keeps the
# same directions.*
#
# (One point, and not the whole posterior. A slide says that $L_2$ "forces the weights to be normally
# distributed". It does not: normal is what we believed of them. Section 8 looks at real ones.)
#
# ## 3. A prior with a tip
#
# The other penalty of the slides is $L_1$, $\lambda \sum_j |w_j|$. Its prior is the *Laplace* density,
# proportional to $e^{-|w|/\text{scale}}$. It has a sharp tip at zero, and so the cost has a kink there,
# where the gradient jumps from $-\lambda$ to $+\lambda$. The *proximal step* deals with the two parts
# of the cost one after the other. It first follows the gradient of the fit alone, with the rate
# $\alpha$. Then it moves each weight towards zero by $\alpha\lambda$, and lets it stop there.
#
# ### Exercise 2: a step that ends at zero
#
# Write the second half. Every weight of the array `w`, whatever its shape, comes nearer to zero by
# `alpha * lam`, and those that would cross zero stop there. No loop.


# %%
def shrink(w, alpha, lam): ...


exercises.q2.check(shrink)
# exercises.q2.hint()  # and .solution()

# %% [markdown]
# We repeat the step 20,000 times on the thirty points of section 1, and beside it plain gradient
# descent on the whole $L_1$ cost. A library's solver (scikit-learn's `lasso_path`) tells where the
# minimum is.
#
# **Predict.** How many of the forty weights end at *exactly* zero, with each of the three: $L_2$, $L_1$
# by the proximal step, $L_1$ by the plain gradient?

# %%
lam = 0.01
A, b = moments(x, y)
alpha = 1 / np.linalg.eigvalsh(A)[-1]
proximal, plain = np.zeros(J), np.zeros(J)
for _ in range(20_000):
    w = proximal - alpha * (A @ proximal - b)
    proximal = np.sign(w) * np.maximum(np.abs(w) - alpha * lam, 0)
    plain = plain - alpha * (A @ plain - b + lam * np.sign(plain))
library = lasso_path(waves(x), y, alphas=[lam], tol=1e-9, max_iter=100_000)[1][:, 0]
claims.check("The proximal step finds the library's minimum", proximal, library, within=1e-4)
ends = {"L2": w_map, "L1, proximal": proximal, "L1, plain gradient": plain}
lesson.draw_weights(ends)
plotting.show(lesson.TEXTS["weights"])

# %%
counts = {name: int((w == 0).sum()) for name, w in ends.items()}
claims.check("L2 and the plain gradient set no weight to exactly zero",
             [counts["L2"], counts["L1, plain gradient"]], 0)  # fmt: skip
text = "Weights that L1's proximal step sets to exactly zero"
claim(text, counts["L1, proximal"], above=15, unit="of 40", digits=0)
edge = np.abs(b).max()  # the largest pull at zero
left = [(lasso_path(waves(x), y, alphas=[c * edge])[1] != 0).any() for c in (0.9, 1.01)]
claims.check("Below the largest pull L1 leaves some weights, above it none", left, [True, False])

# %% [markdown]
# At zero the kink holds a weight as long as the fit pulls at it with a slope below $\lambda$. The plain
# gradient dances around zero, near and never there. So "$L_1$ forces some weights to be exactly zero"
# is true of the minimum, and needs an optimiser that can stop there.
#
# Is a curve with zeros a better curve? That depends on the world. We make a second kind, in which only
# four of the first fifteen waves count.
#
# **Predict.** Early stopping, $L_2$ and $L_1$ in both kinds of worlds, each at its best strength. Who
# wins where?


# %%
def few_waves(rng):
    w, x = np.zeros(J), rng.uniform(size=N)
    w[rng.choice(15, 4, replace=False)] = rng.normal(scale=1.6, size=4)
    return w, x, waves(x) @ w + SIGMA * rng.normal(size=N)


def three_ways(w, x, y):
    """Excess of early stopping, L2 and L1, each at all strengths: (3, 18)."""
    sparse = lasso_path(waves(x), y, alphas=LAMBDAS[::-1], max_iter=3_000)[1]
    return [*excess(stopped_and_shrunk(x, y), w), excess(sparse.T[::-1], w)]


kinds = {"all waves count": worlds, "four waves count": [few_waves(rng) for _ in range(WORLDS)]}
chosen = {}
for kind, made in kinds.items():
    ways = np.array([three_ways(*one) for one in made])  # (worlds, 3, 18)
    best = ways[: WORLDS // 2].mean(axis=0).argmin(axis=1)  # strengths by one half ...
    chosen[kind] = ways[WORLDS // 2 :, np.arange(3), best]  # ... and the excess of the other
pd.DataFrame({kind: v.mean(axis=0) for kind, v in chosen.items()},
             ["early stopping", "L2", "L1"]).round(3)  # fmt: skip

# %%
for kind, sign in (("four waves count", 1), ("all waves count", -1)):
    stopped, shrunk, sparse = chosen[kind].T
    ahead = claims.mean_and_error(sign * (shrunk - sparse), "worlds")
    winner, loser = ("L1", "L2")[::sign]
    text = f"Where {kind}, {winner} has less excess than {loser}, by"
    claim(text, **ahead, above=0, digits=3, headline=True)

# %% [markdown]
# Laplace's prior believes in many weights near zero and a few large ones. It wins where that is so and
# loses where it is not.
#
# *Learned: there is no best penalty, only a belief that fits or does not. And $L_1$ has exact zeros, if
# the optimiser can stop.*
#
# ## 4. A penalty meets Adam
#
# Most networks are trained with *Adam*. It keeps two running means of each weight's gradient $g$: $V$
# of $g$ itself and $S$ of $g^2$. (Hats mean: divided by what the weights of such a mean add up to so
# far, so that after one step $\hat V = g$ and $\hat S = g^2$.) Then
#
# $$w \leftarrow w - \alpha\, \frac{\hat V}{\sqrt{\hat S} + \varepsilon},\qquad \varepsilon = 10^{-7} .$$
#
# Where does the penalty go? There are two habits. **$L_2$ through Adam** adds it to the loss: $g$
# becomes $g + \lambda w$, and passes through $V$ and $S$. **Decoupled weight decay** (the optimiser
# *AdamW*) leaves $g$ alone and subtracts $\alpha\lambda w$ at the end. For plain gradient descent the
# two are the same. (Do you see why?)
#
# ### Exercise 3: a pixel that is always black
#
# The first layer has a weight $w$ at a pixel that is black (0) in every picture. So the data never pull
# at it, and $g = 0$ before any penalty. Return what becomes of `w` in the first step of training: with
# $L_2$ through Adam, and with decoupled decay. (Leave out $\varepsilon$.)


# %%
def first_step(w, alpha, lam):
    # with L2 through Adam, with decoupled decay
    ...


exercises.q3.check(first_step)
# exercises.q3.hint()  # and .solution()

# %% [markdown]
# **Predict.** Now sixty steps, at three strengths that differ by factors of ten. Draw the weight's way
# for each of the six.


# %%
def adam(g, V, S, t, alpha):
    """What is subtracted from w, and the running means."""
    V, S = 0.9 * V + 0.1 * g, 0.999 * S + 0.001 * g**2
    return alpha * (V / (1 - 0.9**t)) / (np.sqrt(S / (1 - 0.999**t)) + 1e-7), V, S


def black_pixel(w, lam, decoupled, alpha=0.002, steps=60):
    V = S = 0.0
    way = [w]
    for t in range(1, steps + 1):
        step, V, S = adam(0.0 if decoupled else lam * w, V, S, t, alpha)
        w = w - step - (alpha * lam * w if decoupled else 0.0)
        way.append(w)
    return np.array(way)


strengths = {"L2 through Adam": [0.001, 0.01, 0.1], "decoupled decay": [0.1, 1, 10]}
shrinking = {name: [black_pixel(0.1, lam, name == "decoupled decay") for lam in lams]
             for name, lams in strengths.items()}  # fmt: skip
lesson.draw_black(strengths, shrinking)
plotting.show(lesson.TEXTS["black"])

# %%
coupled, decoupled = (np.array(way) for way in shrinking.values())
first = (coupled[:, 0] - coupled[:, 1]) / 0.002
claims.check("L2 through Adam: the first step is α, whatever λ", first, 1, within=2e-3)
apart = np.abs(coupled - coupled[-1]).max()
claims.check("L2 through Adam: the whole way is the same, whatever λ", apart, 0, within=1e-3)
exact = 0.1 * (1 - 0.002 * np.array([[0.1], [1], [10]])) ** np.arange(61)
claims.check("Decoupled decay: the way is 0.1 (1 − αλ)^t", decoupled, exact, within=1e-9)

# %% [markdown]
# Why? $V$ is proportional to $\lambda$ and so is $\sqrt S$: in the ratio $\lambda$ cancels. (The first
# step is $\alpha$. Later ones are a little shorter, since $S$ remembers the larger gradients before.)
# Where the data do not pull, $L_2$ through Adam shrinks with full force at any strength. Where they
# pull hard, $\sqrt S$ is large and divides the penalty away. That is no prior that anybody chose.
# Decoupled decay treats all weights alike.
#
# *Learned: with Adam, "L2" and "weight decay" are two things. Only the second is a strength that you
# can set.*
#
# ## 5. Dropout
#
# "For each training step, do not update ALL the weights in the layers, but turn a random fraction (e.g.
# 20%) off", says the slide *Another efficient technique is the dropout regularization*. To be precise:
# in each step each hidden *unit* is switched off with probability $p$, the rate. Its activation becomes
# 0, and it takes no part in this step, forwards or backwards. To answer, all units are on. Then the
# next layer would receive more than it was used to. *Inverted dropout* mends that in training.
#
# ### Exercise 4: the scaling forgotten
#
# `a` holds the activations of a layer, one row an example, and `u` as many random numbers, uniform from
# 0 to 1 (1 excluded). A unit with `u < rate` is switched off. Somebody wrote that, and no more. Scale
# what is left, so that on average over `u` every unit passes on `a`.


# %%
def dropout(a, u, rate): ...  # was: a * (u >= rate)


exercises.q4.check(dropout)
# exercises.q4.hint()  # and .solution()

# %% [markdown]
# The slide goes on: "This works by forcing the Neural Network to spread the weights over the hidden
# units, shrinking the weights exactly as $L_2$ would do." Take the last words first, where they can be
# checked exactly: for our linear model, with dropout on the waves. Average the cost over all
# [masks](../docs/glossary.md#mask). A masked and scaled input has the mean $\phi_j$ and the variance
# $\frac{p}{1-p}\phi_j^2$. The masks are independent, so in the squared error the variances add, each
# times $w_j^2$. The average cost is
#
# $$\frac1{2N} \sum_i \Big(y_i - \sum_j w_j \phi_j(x_i)\Big)^2 + \frac12\, \frac{p}{1-p} \sum_j w_j^2\, \overline{\phi_j^2},$$
#
# with the mean $\overline{\phi_j^2}$ over the thirty points. **Predict.** Is there a $\lambda$ with
# which $L_2$ gives the same weights?

# %%
p, P = 0.3, waves(x)


def with_masks(masks=2_000):
    """The minimum of the cost averaged over random masks."""
    on = rng.random((masks, N, J)) >= p
    dropped = (P * on / (1 - p)).reshape(-1, J)
    return np.linalg.solve(dropped.T @ dropped, dropped.T @ np.tile(y, masks))


exact = np.linalg.solve(A + p / (1 - p) * np.diag((P**2).mean(axis=0)), b)
size, found = np.linalg.norm(exact), np.array([with_masks() for _ in range(8)])
claims.check("Dropout on a linear model: the minimum over masks is the formula's",
             found.mean(axis=0) / size, exact / size, within=0.01)  # fmt: skip
others = [np.linalg.solve(A + lam * np.eye(J), b) for lam in np.logspace(-5, 1, 200)]
off = min(np.linalg.norm(w - exact) for w in others) / size
text = (
    "No L2 gives the weights of dropout: at the best λ they are off, as a share of their size, by"
)
claim(text, off, above=0.15)

# %% [markdown]
# For a linear model dropout *is* a penalty on squares, but one that looks at the data: an input that is
# large on average pays more. It is $L_2$ only if all inputs have the same mean square. Whether a
# network spreads its weights, we measure at the end of the next section.
#
# *Learned: scale in training, leave all units on to answer. Dropout is a penalty of its own.*
#
# ## 6. The contest
#
# Now a network: 196 pixels, 256 ReLU units, 10 digits, with 300 pictures to learn from. It could easily
# learn them by heart.
#
# * **Ten training sets** that share no picture, and 2,000 other pictures that judge.
# * **Every method is early stopping with something added.** We look every 30 steps, and a method may
#   stop at any look.
# * **Every method has three settings**: remedies three strengths, and plain training, so that it has as
#   many, three learning rates.
# * **Nobody judges what it chose.** For each training set, half of the judges choose setting and look,
#   the other half judges, and then they swap.
#
# ### Exercise 5: an honest judge
#
# `loss` holds the loss of one method, a row for each choice (setting and look) and a column for each
# picture; the number of pictures is even. Choose a row by the mean over the first half of the columns,
# and take its mean over the second half. Then the other way round. Return the mean of the two. Why not
# simply the least of all row means?


# %%
def honest(loss): ...


exercises.q5.check(honest)
# exercises.q5.hint()  # and .solution()

# %% [markdown]
# One remedy more is put to the test. [**Batch normalisation**](../docs/glossary.md#batch-normalisation)
# gives each hidden unit, over the pictures of a batch, mean 0 and standard deviation 1, and then lets
# it learn another mean and scale; to answer, it uses running means. The lesson
# [`training_deep_networks`](training_deep_networks.ipynb) is about it. The slides say that it acts "in
# a sense like a regularization scheme", for the batch changes each picture's numbers a little at
# random.
#
# `lesson.contest` trains all these networks side by side, in batches of 50. For each it gives the loss
# of every judge at every look. The loss is minus the logarithm of the probability of the right digit,
# in [nats](../docs/glossary.md#nats).
#
# **Predict.** Rank the five remedies by what they gain over early stopping alone.

# %%
digits = data.load_mnist5k()
pixels = (digits.x / 255).reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196)
order = rng.permutation(5_000)
sets = order[: SETS * PICTURES].reshape(SETS, PICTURES)  # ten training sets that share nothing
judges = order[SETS * PICTURES :]  # 2,000 pictures that nobody trains on

METHODS = {
    "early stopping": [{"alpha": alpha} for alpha in (0.001, 0.002, 0.003)],
    "L2 through Adam": [{"l2": lam} for lam in (0.0003, 0.001, 0.003)],
    "decoupled decay": [{"decay": lam} for lam in (0.3, 1, 3)],
    "L1, proximal": [{"l1": lam} for lam in (0.00001, 0.00003, 0.0001)],
    "dropout": [{"drop": p} for p in (0.5, 0.7, 0.8)],
}
batches = np.array([[rng.permutation(PICTURES)[:50] for _ in sets] for _ in range(TRAIN_STEPS)])


def compete(methods, **settings):
    return lesson.contest(pixels, digits.y, sets, judges, batches, methods,
                          units=HIDDEN, every=EVERY, seed=SEED, **settings)  # fmt: skip


looks = compete(METHODS)

# %%
looks |= compete({"batch normalisation": METHODS["early stopping"]}, normalise=True)


def choose(loss):
    """The choice that each half of the judges makes for each training set: (2, SETS)."""
    first, second = np.split(loss, 2, axis=2)
    return np.array([half.mean(axis=2).argmin(axis=1) for half in (first, second)])


def judged(score, chosen):
    """Score (SETS, judges), each half of the judges at the choice of the other."""
    halves = zip(np.split(score, 2, axis=2), chosen[::-1])
    return np.concatenate([half[np.arange(SETS), best] for half, best in halves], axis=1)


def results(method):
    """Loss of every judge, and whether it is wrong: tuned by the loss, and tuned by errors."""
    by_loss, by_errors = choose(method.nll), choose(method.wrong)
    return [judged(method.nll, by_loss), judged(method.wrong, by_loss),
            judged(method.wrong, by_errors)]  # fmt: skip


# %%
def gain(name, column=0):
    """What a method gains over early stopping, with an error over judges and training sets."""
    difference = scores["early stopping"][column] - scores[name][column]
    over = f"{SETS} training sets and {len(judges):,} pictures"
    return validation.two_way(difference) | {"over": over}


scores = {name: results(method) for name, method in looks.items()}
by_exercise = exercises.q5.answer(looks["dropout"].nll[0])
claims.check("Judged as in exercise 5", scores["dropout"][0][0].mean(), by_exercise, within=1e-4)
lesson.draw_gains({name: gain(name) for name in [*scores][1:]})
plotting.show(lesson.TEXTS["remedies"])

# %% tags=["atol=0.03"]
columns = ["log loss", "share wrong", "share wrong, tuned by it"]


def table(names):
    means = {name: [part.mean() for part in scores[name]] for name in names}
    return pd.DataFrame(means, columns).T.round(3)


table(scores)

# %%
plain = looks["early stopping"]
at_end = plain.nll.reshape(SETS, -1, 3, len(judges))[:, -1, 2]  # the remedies' learning rate
cost = validation.two_way(at_end - scores["early stopping"][0]) | {"over": gain("dropout")["over"]}
claim("Early stopping gains over training to the end, in log loss",
      **cost, above=0.02, unit="nats", digits=3, headline=True)  # fmt: skip
claim("Dropout gains over early stopping, in log loss",
      **gain("dropout"), above=0, unit="nats", digits=3, headline=True)  # fmt: skip
for column, how in ((1, "the log loss"), (2, "errors")):
    text = f"Dropout gains over early stopping, in accuracy, both tuned by {how}"
    claim(text, **gain("dropout", column), above=0, digits=4)
second = validation.two_way(scores["decoupled decay"][0] - scores["dropout"][0])
claim("Dropout gains more than decoupled decay, which comes second, by",
      **second | {"over": gain("dropout")["over"]}, above=0, digits=3)  # fmt: skip
for name in ("L2 through Adam", "L1, proximal", "batch normalisation"):
    claim(f"What is gained with {name} is small", **gain(name), above=-0.04, below=0.02, digits=3)

# %% [markdown]
# Stopping early is most of what there is to gain. Dropout adds something on top that lies well outside
# the errors, in log loss and in accuracy. Decoupled decay comes second. What $L_2$ and $L_1$ add is
# next to nothing, if not less. (Plain training was tuned at three learning rates and the remedies at
# one, so a few thousandths below zero count for nothing.) That batch normalisation acts "like a
# regularization scheme" is not confirmed here.
#
# **Does dropout spread the weights?** Let $c$ be the mean square of what a hidden unit contributes to
# the ten outputs. The *effective number* of units is $(\sum c)^2 / \sum c^2$: it is 256 if all
# contribute alike, and 1 if one does all the work. We compare dropout with $p = ½$ and plain training,
# from the same start, with the same learning rate, after the last step.

# %%
plain, half = ("early stopping", 2), ("dropout", 0)
rivals = {"decoupled decay, λ = 1": ("decoupled decay", 1), "dropout, p = 0.8": ("dropout", 2)}
shapes = {}
for text, (name, k) in ({"plain": plain, "dropout, p = 0.5": half} | rivals).items():
    weights = [part[:, k] for part in looks[name].end]
    shapes[text] = np.array(lesson.spread(weights, pixels[judges]))  # (2, SETS)
ratios = {text: shape / shapes["plain"] for text, shape in shapes.items()}
for text, ratio in ratios.items():
    units, size = ratio.mean(axis=1)
    print(f"effective units × {units:.2f}, size of weights × {size:.2f}: {text}")

# %%
units, size = (claims.mean_and_error(r, "training sets") for r in ratios["dropout, p = 0.5"])
claim("Dropout leaves the work on as many units: their effective number changes by the factor",
      **units, above=0.85, below=1.2)  # fmt: skip
claim("Dropout does not shrink the weights: their size changes by the factor",
      **size, above=0.95, below=1.1, headline=True)  # fmt: skip
_, size = (claims.mean_and_error(r, "training sets") for r in ratios["decoupled decay, λ = 1"])
claim("Decoupled decay does, to", **size, below=0.9)

# %% [markdown]
# With $p = ½$ neither changes: dropout spreads no work over more units, and shrinks nothing. At $p =
# 0.8$ the work is, if anything, on fewer units. What shrinks weights, and leaves the work to few units,
# is decay. So the slide's reason for dropout is not the reason, at least here. (Srivastava et al. think
# of it as training many networks at once, which share their weights.)
#
# *Learned: stop early first. Of the slides' remedies dropout adds most to it, and not by shrinking.*
#
# ## 7. What would something cheaper have done?
#
# Before we praise dropout, we ask the cheap rivals. What if we had simply
#
# * taken a **smaller network**, with 32, 64 or 128 units, which cannot learn so much by heart?
# * taken something that is **no network**: logistic regression with its tuned penalty, the nearest
#   neighbours among the 300 pictures, or a support vector machine (SVM), which draws smooth borders
#   with the widest margin?
# * had only **half of the pictures**? That tells what pictures are worth.
# * **moved** each picture by up to one pixel, another way in each step? A moved 3 is still a 3. That
#   costs one line, and no picture.
#
# The rule is that of section 6. (Half of the pictures and moved pictures have one setting and choose
# only when to stop.)
#
# **Predict.** Which of them gain more than dropout? How many times as much?

# %%
RIVALS = {
    "smaller networks": [{"units": units} for units in (32, 64, 128)],
    "half of the pictures": [{"part": 0.5}],
    "pictures moved": [{"move": 1}],
}
looks |= compete(RIVALS) | lesson.rivals(pixels, digits.y, sets, judges)
scores |= {name: results(looks[name]) for name in [*looks][-6:]}
shown = ["dropout", *[*looks][-6:]]
lesson.draw_gains({name: gain(name) for name in shown if name != "SVM"})
plotting.show(lesson.TEXTS["rivals"])

# %% tags=["atol=0.03"]
table(shown)

# %%
lost = gain("half of the pictures")
lost["value"] *= -1
claim("What is gained with a smaller network", **gain("smaller networks"), below=0,
      unit="nats", digits=3)  # fmt: skip
claim("With half of the pictures one loses", **lost, above=0.08, unit="nats",
      headline=True)  # fmt: skip
claim("Pictures moved by up to a pixel gain over early stopping", **gain("pictures moved"),
      above=0.05, unit="nats", headline=True)  # fmt: skip
for name in ("logistic regression", "nearest neighbours"):
    claim(f"What is gained with {name}", **gain(name), below=0, unit="nats")
fewer = validation.two_way(scores["dropout"][2] - scores["SVM"][2]) | {"over": gain("SVM")["over"]}
text = "A support vector machine is wrong less often than the network with dropout, by"
claim(text, **fewer, above=-0.005, digits=3)

# %% [markdown]
# The second half of the pictures is worth several times what dropout is worth. So is *knowing*
# something about pictures: to move them by a pixel makes new ones out of old ones (*data
# augmentation*). A smaller network is no remedy at all, it is worse: size is not what makes a network
# that stops early learn by heart. And without any network, the support vector machine is right at least
# as often as dropout's. (Its scores are no probabilities. We put them through a softmax, and its log
# loss counts for nothing.)
#
# *Learned: the best remedy is more data, and next to it what you know about the data.*
#
# ## Summary
#
# These are the sentences of the lesson with their numbers; the other claims are folded below them. "±"
# is the standard error over what the line names.

# %%
claim

# %% [markdown]
# **What to do with it.** Keep pictures aside and stop early, whatever else you do. Ask what you know
# about the data: what may be changed in an input without changing the answer? Then add dropout. With
# Adam choose decoupled decay (AdamW) rather than $L_2$. And say how each rival was tuned.
#
# ## 8. Further: two mistakes with dropout, and the look of real weights
#
# Two mistakes are common. *Dropout left on* when the network answers: every call gives another answer.
# *The scaling forgotten* (exercise 4): then, with $p = ½$, the next layer receives twice as much as in
# training, once all units are on.
#
# **Predict.** Which of the two would you notice in the accuracy?

# %%
W1, b1, W2, b2 = (part[:, 0] for part in looks["dropout"].end)  # p = ½, ten networks
hidden = np.maximum(pixels[judges] @ W1 + b1, 0)
right = digits.y[judges]


def log_loss_and_errors(a):
    """Of each network, with these hidden activations: (2, SETS)."""
    scores = a @ W2 + b2
    nll = np.log(np.exp(scores - scores.max(-1, keepdims=True)).sum(-1)) + scores.max(-1)
    nll = nll - scores[:, np.arange(len(right)), right]
    return np.array([nll.mean(axis=1), (scores.argmax(-1) != right).mean(axis=1)])


as_it_should = log_loss_and_errors(hidden)
left_on = log_loss_and_errors(hidden * 2 * (rng.random(hidden.shape) < 0.5)) - as_it_should
forgotten = log_loss_and_errors(2 * hidden) - as_it_should
for name, (loss, errors) in (("left on", left_on), ("scaling forgotten", forgotten)):
    claim(f"Dropout {name}: the log loss rises by", **claims.mean_and_error(loss, "training sets"),
          above=0.02)  # fmt: skip
    print(f"and the share wrong by {errors.mean():.3f}")
noticed = claims.mean_and_error(left_on[1] - forgotten[1], "training sets")
text = "In the errors, dropout left on shows more than the scaling forgotten, by"
claim(text, **noticed, above=0, digits=3)

# %% [markdown]
# The forgotten scaling is the sly one: it hardly changes which class wins, only how surely. So look at
# the log loss, too.
#
# Now the slide that says: "$L_2$ regularization **forces** the weights to be normally distributed with
# mean zero". We look at the first weights of ten networks trained with $L_2$ ($\lambda = 0.001$), at
# pixels that are lit in some picture. *Excess kurtosis* says how heavy the tails of a distribution are:
# it is 0 for a normal one.

# %%
W = looks["L2 through Adam"].end[0][:, 1]  # (SETS, pixels, units)
lit = [(pixels[rows] > 0).any(axis=0) for rows in sets]
tails = [kurtosis(w[seen].ravel()) for w, seen in zip(W, lit)]
claim("L2 trains weights with heavier tails than normal ones: excess kurtosis",
      **claims.mean_and_error(tails, "training sets"), above=1)  # fmt: skip
prior = 1 / np.sqrt(PICTURES * 0.001)  # a log loss has no σ: λ = 1 / (N τ²)
wider = [prior / w[seen].std() for w, seen in zip(W, lit)]
claim("The prior behind λ is wider than the weights trained under it, by the factor",
      **claims.mean_and_error(wider, "training sets"), above=4, digits=1)  # fmt: skip

# %% [markdown]
# Many are near zero and a few are large. And they are far smaller than typical draws from the prior: a
# MAP estimate is one point, not a sample. (And Adam is only on its way to it, section 4.) The Bayesian
# lessons, from [`bayesian_neural_networks_wine`](bayesian_neural_networks_wine.ipynb) on, ask for the
# whole posterior.
#
# ### Exercise 6: the slides' sentences
#
# True or false, word for word? Quotation marks: from the slides.
#
# - (a) "$L_2$ regularization forces the weights to be normally distributed with mean zero".
# - (b) Twice as many points with the same $\lambda$: the same prior.
# - (c) Dropout works by "shrinking the weights exactly as $L_2$ would do".
# - (d) For a linear model whose inputs all have the same mean square, dropout on the inputs is, on
#   average over the masks, $L_2$.
# - (e) "Do not update ALL the weights in the layers, but turn a random fraction (e.g. 20%) off, and
#   update all the others." So to leave all units on, and skip a random fraction of the updates, is the
#   same.
# - (f) With Adam, adding $\frac\lambda2 \sum w^2$ to the loss or setting `weight_decay=λ` trains the
#   same network.

# %%
verdicts = {"a": ..., "b": ..., "c": ..., "d": ..., "e": ..., "f": ...}
exercises.q6.check(verdicts)
# exercises.q6.hint()  # and .solution()

# %% [markdown]
# ## 9. Further: the same in Keras
#
# In Keras the remedies of this lesson are one line each: `keras.regularizers.L2(c)` adds $c \sum w^2$
# to the loss (so $c$ is $\lambda/2$), `keras.optimizers.AdamW(alpha, weight_decay=lam)` decays,
# `keras.layers.Dropout(rate)` drops and scales, and the callback
# `keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True)` stops. Is section 4 true of a
# whole network in Keras? We train on 300 digits, of whose $14 \times 14$ pixels some are black in all
# of them, for twenty steps.

# %%
start = rng.normal(scale=(2 / 196) ** 0.5, size=(196, HIDDEN))


def after_twenty_steps(optimizer, penalty=None):
    """Size of the first weights at pixels that are always black."""
    model = keras.Sequential([
        keras.Input((196,)),
        keras.layers.Dense(HIDDEN, activation="relu", kernel_regularizer=penalty),
        keras.layers.Dense(10, activation="softmax"),
    ])  # fmt: skip
    model.layers[0].kernel.assign(start)
    model.compile(optimizer, loss="sparse_categorical_crossentropy")
    training.fit(model, pixels[sets[0]], digits.y[sets[0]][:, None], epochs=20)
    return np.abs(model.layers[0].kernel.numpy())[black].mean()


# %%
black = (pixels[sets[0]] == 0).all(axis=0)
rows = {"at the start": np.abs(start)[black].mean()}
for lam in (0.001, 0.01):  # Keras's L2(c) adds c times the sum of squares: c is λ/2
    adam_and_l2 = keras.optimizers.Adam(0.002), keras.regularizers.L2(lam / 2)
    rows[f"L2 through Adam, λ = {lam}"] = after_twenty_steps(*adam_and_l2)
for lam in (1, 10):
    adamw = keras.optimizers.AdamW(0.002, weight_decay=lam)
    rows[f"AdamW, λ = {lam}"] = after_twenty_steps(adamw)
for name, size in rows.items():
    print(f"{size:.4f} {name}")
_, weak, strong, *decayed = rows.values()
text = "Keras, L2 through Adam: ten times the λ leaves black weights as large, as a ratio"
claims.check(text, strong / weak, 1, within=0.03)
factors = np.array(decayed) / rows["at the start"]
claims.check("AdamW: they shrink by (1 − αλ)^t", factors, [0.998**20, 0.98**20], within=1e-3)

# %% [markdown]
# ### Further reading
#
# * L. Prechelt: *Early Stopping – But When?*, in: Neural Networks: Tricks of the Trade, Springer 1998.
#   A. Ali, J. Z. Kolter, R. J. Tibshirani: *A Continuous-Time View of Early Stopping for Least Squares
#   Regression*, AISTATS 2019. Sections 1 and 2.
# * R. Tibshirani: *Regression Shrinkage and Selection via the Lasso*, Journal of the Royal Statistical
#   Society B 58, 1996. N. Parikh, S. Boyd: *Proximal Algorithms*, Foundations and Trends in
#   Optimization 1, 2014. Section 3.
# * I. Loshchilov, F. Hutter: *Decoupled Weight Decay Regularization*, ICLR 2019. Section 4.
# * N. Srivastava et al.: *Dropout*, JMLR 15, 2014. S. Wager, S. Wang, P. Liang: *Dropout Training as
#   Adaptive Regularization*, NeurIPS 2013. Section 5.
# * S. Ioffe, C. Szegedy: *Batch Normalization*, ICML 2015. Section 6.
# * C. Shorten, T. M. Khoshgoftaar: *A Survey on Image Data Augmentation for Deep Learning*, Journal of
#   Big Data 6, 2019. Section 7.
