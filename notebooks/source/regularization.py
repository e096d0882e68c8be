# %% [markdown]
# # Regularisation: what keeps a network from learning by heart
#
# **What keeps a network from learning by heart?**
#
# A large network can learn three hundred pictures by heart. What is wrong with that, and what helps?
# The slides offer remedies: keep the weights small, set some to zero, switch units off at random, stop
# early. You will see what they believe about the world, on curves where the best possible answer is
# known exactly. Then they compete on digits, all tuned by the same rule, with the cheapest rivals.
#
# ![Thirty points, and three curves A, B and C through them, from a calm one to a wild
# one.](figures/regularization.png)
#
# | | |
# | --- | --- |
# | **Slides** | *Machine Learning for Astrophysics*, *As we saw in the first day, it is important to keep a balance*, *Another efficient technique is the dropout regularization*, and one sentence of *Batch normalization makes the hyperparameters search easier* |
# | **You will be able to** | turn a prior into a penalty and back; say why early stopping is one, too; write a step that ends at exactly zero; tell L2 from weight decay; use dropout, and tell what it does from what is said of it; compare remedies fairly |
# | **You need** | the lesson [`neural_networks`](neural_networks.ipynb); the normal distribution, Bayes' rule, eigenvectors |
# | **Time** | 90 minutes, and 25 more for what is marked *further* |

# %% tags=["nbval-ignore-output"]
import course_utils

SEED = course_utils.setup(seed=1)

# %%
import keras
import numpy as np
import pandas as pd
from scipy.stats import kurtosis
from sklearn.linear_model import lasso_path

from course_utils import claims, data, explorers, plotting, training, validation
from course_utils.exercises import regularization as exercises
from course_utils.lessons import regularization as lesson

claim = claims.Claims()
rng = np.random.default_rng(SEED)

# %% [markdown]
# The budget of this run.

# %%
WORLDS = 1_000  # curves, each with thirty points
SETS, PICTURES = 10, 300  # training sets, and the pictures in each
HIDDEN, TRAIN_STEPS, LOOKS = 128, 360, 12  # the network, and how often we look at it

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
plotting.show("Thirty points and three curves through them, from calm to wild.")

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
    return P.T @ P / len(x), P.T @ y / len(x)


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
# At first both errors fall. In the end the thirty points are fitted far better than the *true* curve
# fits them. The model has learned noise, by heart, and is far worse for everybody else. So the cheapest
# remedy needs no mathematics: **stop early**, where new points are met best. But when is that? The error
# on the thirty points falls all the way.
#
# *Learned: a model that fits its data far better than the truth does has learned noise.*
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
# For which $\lambda$ is the MAP estimate the minimum of $E = \frac1{2N}\sum_i (y_i - f(x_i))^2 +
# \frac\lambda2 \sum_j w_j^2$?


# %%
def penalty(sigma, tau, N): ...


exercises.q1.check(penalty)
# exercises.q1.hint()  # and .solution()

# %% [markdown]
# The minimum is known in closed form. Where the gradient $Aw - b + \lambda w$ is zero, $w = (A +
# \lambda I)^{-1} b$. To check it, an optimiser of SciPy climbs the posterior of steps 1 to 4.

# %%
LAMBDA = SIGMA**2 / (N * TAU**2)  # the answer to exercise 1
A, b = moments(x, y)
w_map = np.linalg.solve(A + LAMBDA * np.eye(J), b)
found = lesson.most_probable(waves(x), y, SIGMA, TAU)
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
# much, and little in flat ones: there about $\alpha t s$ and $s/\lambda$, so that $t$ steps act like
# $\lambda = 1/(\alpha t)$.
#
# **Predict.** A thousand worlds, each with its own curve. For every $\lambda$ and every number of steps we
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
# **The yardstick.** If the prior is true, nothing has a smaller mean excess than the mean of the
# posterior: it minimises the expected squared distance. Here the posterior is normal, and its mean is its
# top. Its [covariance](../docs/glossary.md#covariance-matrix) is the inverse of the second derivatives of
# $-\log p(w|\text{data})$, $C = (\Phi^\top\Phi/\sigma^2 + I/\tau^2)^{-1}$, and tells how far the truth is
# from the mean: on average, the least possible excess is $\sum_j C_{jj}/j^2$.

# %%
least = [np.linalg.inv(N / SIGMA**2 * moments(x, y)[0] + np.eye(J) / TAU**2) for _, x, y in worlds]
least = np.array([(np.diag(C) / j**2).sum() for C in least])
lesson.draw_ways(STEPS, LAMBDAS, ways.mean(axis=0), least.mean(), LAMBDA)
plotting.show(lesson.TEXTS["ways"])

# %%
own = 6  # the place of the λ of exercise 1
best = ways[:, 1, own]
check = claims.mean_and_error(best - least, "worlds")
text = "With the true prior the MAP estimate has the least possible excess"
claims.check(text, check["value"], 0, within=4, se=check["se"])
others = np.delete(ways[:, 1], own, axis=1).mean(axis=0)
text = "No other λ beats that of exercise 1: least excess of the others, as a multiple of its own"
claim(text, others.min() / best.mean(), above=0.98)
steepest = np.array([np.linalg.eigvalsh(moments(x, y)[0])[-1] for _, x, y in worlds])  # 1/α
nearest = np.log2(steepest / LAMBDA).round().astype(int)  # of our numbers of steps to 1/(αλ)
told = ways[np.arange(WORLDS), 0, nearest]
claim("Where the belief chose the steps of early stopping, excess above that of the true prior, as "
      "a share", **claims.mean_and_error((told - best) / best.mean(), "worlds"), below=0.1,
      headline=True)  # fmt: skip

# %% [markdown]
# So early stopping acts like a prior, too. Both were told how strong they have to be, by a belief that is
# right. Without it, the thirty points have to choose. *Cross-validation* leaves out three of them
# at a time, trains on the others, and adds up the errors on those left out. Or, quicker: ten points are
# kept aside once. The strength that was best there then trains on all thirty.
#
# **Predict.** What does that cost, as a share of the excess? Does early stopping pay, or $L_2$, or both?


# %%
def chosen_by(parts, w, x, y):
    """Excess of both ways, (2,), if these parts of the points choose the strength."""
    errors = np.zeros((2, len(STEPS)))
    for part in parts:
        rest = np.setdiff1d(np.arange(N), part)
        curves = stopped_and_shrunk(x[rest], y[rest]) @ waves(x[part]).T
        errors += ((curves - y[part]) ** 2).sum(axis=2)
    return excess(stopped_and_shrunk(x, y)[[0, 1], errors.argmin(axis=1)], w)


choosers = {"cross-validation": np.split(np.arange(N), 10), "ten points": [np.arange(10)]}
for chooser, parts in choosers.items():
    cost = np.array([chosen_by(parts, *one) for one in worlds]) - best[:, None]
    for way, behind in zip(("steps of early stopping", "λ"), cost.T / best.mean()):
        claim(f"Where {chooser} chose the {way}, excess above that of the true prior, as a share",
              **claims.mean_and_error(behind, "worlds"), above=0.08, below=1.5,
              headline=way[0] == "s" and chooser[0] == "c")  # fmt: skip

# %% [markdown]
# A belief costs nothing, if it is right. Without it, either way pays, and early stopping more. But one training
# tries all numbers of steps. So it is the [baseline](../docs/glossary.md#baseline) of this lesson: **each
# remedy must beat it**. (That the point lies below the dashed line, if it does, is luck of these worlds.)
#
# **Try it.** Choose a remedy and its strength, and watch the curve and its forty weights. ($L_1$ is the
# next section's.)


# %% tags=["nbval-ignore-output"]
def view(remedy, strength):
    return lesson.draw_remedy(remedy, strength, line, waves, w_true, x, y, STEPS, LAMBDAS)


explorers.gallery(view, remedy=lesson.REMEDIES, strength=lesson.STRENGTHS)

# %% [markdown]
# *Learned: a penalty is a prior, and the minimum is the top of the posterior. Early stopping keeps nearly
# the same directions. Either has to be told how much.*
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

# %% [markdown]
# At zero the kink holds a weight as long as the fit pulls at it with a slope below $\lambda$. The plain
# gradient dances around zero, near and never there. So what the slide says, that $L_1$ "actually forces
# some of those to be exactly zero", is true of the minimum, and needs an optimiser that can stop there.
#
# Is a curve with zeros a better curve? That depends on the world. We make two more kinds. In one, the
# weights come from Laplace's own density, with $\tau = 1$ as before. In the other, only four of the
# first fifteen waves count.
#
# **Predict.** $L_2$ or $L_1$: who wins in which of the three, each at its best strength?


# %%
def world_of(w):
    x = rng.uniform(size=N)
    return w, x, waves(x) @ w + SIGMA * rng.normal(size=N)


def few_waves():
    w = np.zeros(J)
    w[rng.choice(15, 4, replace=False)] = rng.normal(scale=1.6, size=4)
    return w


def two_ways(w, x, y):
    """Excess of L2 and of L1, each at 18 strengths: (2, 18)."""
    strengths = LAMBDA * 2.0 ** np.linspace(-1, 9, 18)
    sparse = lasso_path(waves(x), y, alphas=strengths, max_iter=10_000)[1]
    return excess(stopped_and_shrunk(x, y)[1], w), excess(sparse.T, w)


laplace = rng.laplace(scale=TAU / 2**0.5, size=(WORLDS, J))  # its standard deviation is τ
kinds = {"normal weights": worlds, "Laplace's weights": [world_of(w) for w in laplace],
         "four weights": [world_of(few_waves()) for _ in range(WORLDS)]}  # fmt: skip
for kind, made in kinds.items():
    ways = np.array([two_ways(*one) for one in made])  # (worlds, 2, 18)
    best = ways[: WORLDS // 2].mean(axis=0).argmin(axis=1)  # strengths by one half ...
    shrunk, sparse = ways[WORLDS // 2 :, [0, 1], best].T  # ... and the excess of the other
    sign, winner, loser = (1, "L1", "L2") if kind == "four weights" else (-1, "L2", "L1")
    print(f"Excess of L2: {shrunk.mean():.3f}, of L1: {sparse.mean():.3f}")
    claim(f"In worlds with {kind}, {winner} has less excess than {loser}, by",
          **claims.mean_and_error(sign * (shrunk - sparse), "worlds"), above=0, digits=3,
          headline=kind != "normal weights")  # fmt: skip

# %% [markdown]
# $L_1$ wins where most weights *are* zero. Where they come from Laplace's own density, it loses to $L_2$!
# The yardstick of section 2 was the *mean* of the posterior, and $L_1$ gives its top. With a normal prior
# the two are one point, with Laplace's they are not.
#
# *Learned: there is no best penalty. $L_1$ has exact zeros, if the optimiser can stop there, and wins where
# the truth has them.*
#
# ## 4. A penalty meets Adam
#
# Most networks are trained with *Adam*. It keeps two running means of each weight's gradient $g$: $V$
# of $g$ itself and $S$ of $g^2$. (The hats make up for their start at zero: after one step $\hat V = g$
# and $\hat S = g^2$.) Then
#
# $$w \leftarrow w - \alpha\, \frac{\hat V}{\sqrt{\hat S} + \varepsilon},\qquad \varepsilon = 10^{-7} .$$
#
# Where does the penalty go? There are two habits. **$L_2$ through Adam** adds it to the loss: $g$
# becomes $g + \lambda w$, and passes through $V$ and $S$. **Decoupled weight decay** (the optimiser
# *AdamW*) leaves $g$ alone and subtracts $\alpha\lambda w$ at the end. For plain gradient descent the
# two are the same.
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
def black_pixel(w, lam, decoupled, alpha=0.002, steps=60):
    V = S = 0.0
    way = [w]
    for t in range(1, steps + 1):
        g, decay = (0, alpha * lam * w) if decoupled else (lam * w, 0)
        V, S = 0.9 * V + 0.1 * g, 0.999 * S + 0.001 * g**2
        w = w - alpha * (V / (1 - 0.9**t)) / (np.sqrt(S / (1 - 0.999**t)) + 1e-7) - decay
        way.append(w)
    return np.array(way)


strengths = {"L2 through Adam": [0.001, 0.01, 0.1], "decoupled decay": [0.1, 1, 10]}
shrinking = {name: [black_pixel(0.1, lam, name == "decoupled decay") for lam in lams]
             for name, lams in strengths.items()}  # fmt: skip
lesson.draw_black(strengths, shrinking)
plotting.show(lesson.TEXTS["black"])

# %%
coupled, decoupled = (np.array(way) for way in shrinking.values())
apart = np.abs(coupled - coupled[-1]).max()
claims.check("L2 through Adam: the whole way is the same, whatever λ", apart, 0, within=1e-3)
exact = 0.1 * (1 - 0.002 * np.array([[0.1], [1], [10]])) ** np.arange(61)
claims.check("Decoupled decay: the way is 0.1 (1 − αλ)^t", decoupled, exact, within=1e-9)

# %% [markdown]
# Why? $V$ is proportional to $\lambda$ and so is $\sqrt S$: in the ratio $\lambda$ cancels. (Later steps
# are shorter than $\alpha$, since $S$ remembers the larger gradients before.) So where the data
# do not pull, $\lambda$ does not matter, and where they do, $\sqrt S$ divides the penalty as well.
# Decoupled decay treats all weights alike. So does the proximal step of $L_1$, past Adam.
#
# *Learned: with Adam, "L2" and "weight decay" are two things. λ means the same for all weights only if
# it is decoupled.*
#
# ## 5. Dropout
#
# "For each training step, do not update ALL the weights in the layers, but turn a random fraction (e.g.
# 20%) off", says the slide *Another efficient technique is the dropout regularization*. To be precise: in
# each step, and for each example anew, each hidden *unit* is switched off with probability $p$, the rate.
# Its activation becomes 0, and it takes no part in this step, forwards or backwards. To answer, all units
# are on. Then the next layer would receive more than it was used to. *Inverted dropout* mends that in
# training.
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
# *Learned: scale in training, and leave all units on to answer.*
#
# ## 6. The contest
#
# Now a network: 196 pixels, 128 ReLU units, 10 digits, with 300 pictures to learn from.
#
# * **Ten training sets** that share no picture, and 2,000 other pictures that judge.
# * **Every method is early stopping with something added.** We look at each network twelve times, and a
#   method may stop at any look.
# * **Every method has the same four learning rates**, and a remedy two strengths besides.
# * **Nobody judges what it chose.** For each training set, half of the judges choose rate, strength and
#   look, the other half judges, and then they swap. (A thousand pictures that choose, for three hundred
#   that train: nobody is so rich. But all methods are equally rich.)
#
# ### Exercise 5: an honest judge
#
# `loss` holds the loss of one method, a row for each choice (rate, strength and look) and a column for each
# picture; the number of pictures is even. Choose a row by the mean over the first half of the columns,
# and take its mean over the second half. Then the other way round. Return the mean of the two. Why not
# simply the least of all row means?


# %%
def honest(loss): ...


exercises.q5.check(honest)
# exercises.q5.hint()  # and .solution()

# %% [markdown]
# `lesson.contest` trains all these networks side by side, in batches of 50. For each it gives the loss
# of every judge at every look: minus the logarithm of the probability of the right digit, in
# [nats](../docs/glossary.md#nats).
#
# **Predict.** Rank the four remedies by what they gain over early stopping alone.

# %%
digits = data.load_mnist5k()
pixels = (digits.x / 255).reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196)
order = rng.permutation(5_000)
sets = order[: SETS * PICTURES].reshape(SETS, PICTURES)  # ten training sets that share nothing
judges = order[SETS * PICTURES :]  # 2,000 pictures that nobody trains on

RATES = (0.001, 0.003, 0.01, 0.03)
METHODS = {
    "early stopping": [{}],
    "L2 through Adam": [{"l2": lam} for lam in (0.0003, 0.001)],
    "decoupled decay": [{"decay": lam} for lam in (0.3, 1)],
    "L1, proximal": [{"l1": lam} for lam in (0.03, 0.1)],
    "dropout": [{"drop": p} for p in (0.5, 0.7)],
}


def compete(methods, steps=TRAIN_STEPS, sets=sets, y=digits.y, rates=RATES, **settings):
    """Train each method at each rate and judge it; of the choices, looks come before rates."""
    each = {name: [{"alpha": alpha} | one for alpha in rates for one in strengths]
            for name, strengths in methods.items()}  # fmt: skip
    draws, n = np.random.default_rng(SEED), sets.shape[1]
    batches = np.array([[draws.permutation(n)[:50] for _ in sets] for _ in range(steps)])
    return lesson.contest(pixels, y, sets, judges, batches, each,
                          units=HIDDEN, every=steps // LOOKS, seed=SEED, **settings)  # fmt: skip


looks = compete(METHODS)


# %%
def gain(name, column=0, over="early stopping"):
    """How much less loss than another method: the error is over judges and over training sets."""
    mine, other = scores[name][column], scores[over][column]
    other = other.reshape(len(mine), -1, len(judges)).mean(axis=1)  # a set of 600 holds two of 300
    text = f"{len(mine)} training sets and {len(judges):,} pictures"
    return validation.two_way(other - mine) | {"over": text}


scores = {name: lesson.judged(method) for name, method in looks.items()}
by_exercise = exercises.q5.answer(looks["dropout"].nll[0])
claims.check("Judged as in exercise 5", scores["dropout"][0][0].mean(), by_exercise, within=1e-4)
contest = [*scores]
lesson.draw_gains({name: gain(name) for name in contest[1:]})
plotting.show(lesson.TEXTS["remedies"])

# %% tags=["atol=0.03"]
columns = ["log loss", "share wrong", "share wrong, tuned by it"]  # else tuned by the log loss


def table(names):
    means = {name: [part.mean() for part in scores[name]] for name in names}
    return pd.DataFrame(means, columns).T.round(3)


lead = gain("dropout", 0, "decoupled decay")
print(f"dropout's lead over decoupled decay: {lead['value']:.3f} ± {lead['se']:.3f} in log loss")
table(contest)

# %%
claim("Dropout gains over early stopping, in log loss", **gain("dropout"), above=0, digits=3,
      headline=True)  # fmt: skip
claim("Where errors choose, dropout gains little, in the share wrong", **gain("dropout", 2),
      above=-0.01, below=0.015, digits=3)  # fmt: skip
claim("Decoupled decay gains over early stopping, in log loss", **gain("decoupled decay"),
      above=0, digits=3)  # fmt: skip
plain = looks["early stopping"]
kept = {"to the end": np.s_[-4:], "fast": np.s_[3::4], "fast, to the end": np.s_[-1:]}
scores |= {name: lesson.judged(plain, choices) for name, choices in kept.items()}
at_end = "Early stopping gains over training to the end,"
claim(f"{at_end} at the fastest rate, in log loss", **gain("fast", 0, "fast, to the end"),
      above=0.04)  # fmt: skip
claim(f"{at_end} at the fastest rate, in the share wrong",
      **gain("fast", 1, "fast, to the end"), below=0.01, digits=3)  # fmt: skip
claim(f"{at_end} with both rates tuned, in log loss", **gain("early stopping", 0, "to the end"),
      below=0.02, digits=3)  # fmt: skip

# %% [markdown]
# Dropout gains over early stopping in log loss. Decoupled decay gains, too: here about as much, with most
# other seeds less. For $L_1$ and $L_2$ we claim nothing: with some seeds their gains are within two
# standard errors. And in errors, if errors choose (last column), no remedy's gain can be told from chance.
#
# And early stopping itself, the cheapest remedy? At the fastest rate it is worth much. Once the rate is
# tuned, training to the end is as good: at a slow rate 360 steps *are* an early stop. And stopping mends
# no errors. A network that goes on learning by heart gets too sure of itself, and is not wrong more often.
#
# **What does dropout do to the network?** The slide of section 5 goes on: "This works by forcing the
# Neural Network to spread the weights over the hidden units, shrinking the weights exactly as $L_2$ would
# do." We take networks from the same start, at the rate 0.003, after the last step. What a hidden unit
# adds to the outputs, in mean square, is its work. Which share of it does the strongest quarter of the
# units do? And how many new mistakes are there without them?
#
# **Predict.** Which of the three spreads its work most? Which suffers least?

# %%
three = {"plain": ("early stopping", 1), "decoupled decay, λ = 1": ("decoupled decay", 3),
         "dropout, p = 0.5": ("dropout", 2)}  # fmt: skip
new, rows = (pixels[judges], digits.y[judges]), {}
for text, (name, k) in three.items():
    end = [part[:, k] for part in looks[name].end]
    work = np.sort(lesson.contributions(end, new[0]))  # (SETS, HIDDEN)
    share = work[:, -HIDDEN // 4 :].sum(axis=1) / work.sum(axis=1)
    whole, cut = (lesson.mistakes(end, *new, without=units) for units in (0, HIDDEN // 4))
    size = np.sqrt((end[0] ** 2).mean(axis=(1, 2)))
    rows[text] = np.array([share, cut - whole, size])  # (3, SETS)
names = ["work of the top quarter", "new mistakes without it", "size of W1"]
pd.DataFrame({text: row.mean(axis=1) for text, row in rows.items()}, names).round(3)

# %%
plainly, _, dropped = rows.values()
over = "training sets"
claim("The strongest quarter's share of the work: dropout's less that of plain networks",
      **claims.mean_and_error(dropped[0] - plainly[0], over), above=-0.05, below=0.05)  # fmt: skip
claim("Without their strongest units plain networks make more new mistakes than dropout's, by",
      **claims.mean_and_error(plainly[1] - dropped[1], over), above=0.02)  # fmt: skip
claim("Dropout hardly changes the size of the first weights, by the factor",
      **claims.mean_and_error(dropped[2] / plainly[2], over), above=0.9, below=1.1)  # fmt: skip

# %% [markdown]
# Neither half of the sentence holds here. The work is spread no more than without dropout, and the first
# weights are as large. What dropout gives is another thing: the network can do *without* its units, even
# the strongest. It had to all along. (Decay gives some of that, too.)
#
# **Who learns by heart?** Our labels are right, so whoever knows his own pictures may have understood
# them. Now we lie: in each training set a fifth of the labels become wrong ones, drawn at random. A
# network that repeats a lie has learned it by heart. The table shows who does so at the rate 0.003: after
# the last step, and one without a remedy after a quarter of the steps. Then early stopping, decay and
# dropout compete as before, with two of the rates and with decay up to $\lambda = 3$.
#
# **Predict.** What share of the lies does each repeat? Are those who repeat the fewest also right most often?

# %% tags=["atol=0.01"]
liars, lies = sets[:, ::5], digits.y.copy()
lies[liars] = (lies[liars] + np.random.default_rng(SEED).integers(1, 10, liars.shape)) % 10
tempted = {name: METHODS[name] for name in ("early stopping", "decoupled decay", "dropout")}
tempted["decoupled decay"] = [*METHODS["decoupled decay"], {"decay": 3}]
told = compete(tempted, y=lies, rates=RATES[:2])
told |= compete({"stopped": [{}]}, TRAIN_STEPS // 4, y=lies, rates=[0.003])
# Methods, and the place of a strength at the rate 0.003 among what each has tried.
ends = {"plain": ("early stopping", 1), "decoupled decay, λ = 1": ("decoupled decay", 4),
        "decoupled decay, λ = 3": ("decoupled decay", 5), "dropout, p = 0.5": ("dropout", 2),
        "dropout, p = 0.7": ("dropout", 3), "plain, stopped": ("stopped", 0)}  # fmt: skip
rows = {}
for text, (name, k) in ends.items():
    end = [part[:, k] for part in told[name].end]
    repeated = 1 - lesson.mistakes(end, pixels[liars], lies[liars])
    rows[text] = np.array([repeated, lesson.mistakes(end, *new)])  # (2, SETS)
names = ["lies repeated", "new pictures wrong"]
pd.DataFrame({text: row.mean(axis=1) for text, row in rows.items()}, names).T.round(3)

# %% tags=["atol=0.01"]
decayed, dropped = rows["decoupled decay, λ = 3"], rows["dropout, p = 0.7"]
claim("To the end, plain networks repeat a share of the lies",
      **claims.mean_and_error(rows["plain"][0], over), above=0.9)  # fmt: skip
claim("Dropout with p = 0.7 repeats more lies than decay with λ = 3, share more", above=0,
      **claims.mean_and_error(dropped[0] - decayed[0], over))  # fmt: skip
claim("It is wrong less often than decay with λ = 3, share less", above=0, digits=3,
      **claims.mean_and_error(decayed[1] - dropped[1], over))  # fmt: skip
scores |= {f"{name}, lies": lesson.judged(told[name]) for name in tempted}
scores["to the end, lies"] = lesson.judged(told["early stopping"], np.s_[-2:])
claim("Where labels lie, early stopping saves mistakes, share", above=0, digits=3,
      **gain("early stopping, lies", 1, "to the end, lies"))  # fmt: skip
claim("Where labels lie, dropout gains over early stopping, in log loss",
      **gain("dropout, lies", 0, "early stopping, lies"), above=0.04, digits=3,
      headline=True)  # fmt: skip
claim("Decoupled decay gains there", **gain("decoupled decay, lies", 0, "early stopping, lies"),
      below=0.02, digits=3)  # fmt: skip
table(["to the end, lies", *(f"{name}, lies" for name in tempted)])

# %% [markdown]
# Trained to the end without a remedy, networks repeat nearly every lie; the stronger the remedy or the
# earlier the stop, the fewer. But to repeat few lies is not yet to be right: dropout with $p = 0.7$ repeats
# more than decay with $\lambda = 3$, and is right more often. And now stopping mends errors, too. When
# everybody's steps are chosen, dropout gains over it in log loss, and decay hardly anything.
#
# *Learned: dropout gains over early stopping in log loss, also where labels lie; decay less. Dropout
# neither shrinks nor spreads. Stopping early mends confidence, and errors only where labels lie.*
#
# ## 7. What would something cheaper have done?
#
# Before we praise dropout, we ask the cheap rivals. What if we had simply
#
# * taken a **smaller network**, with 64 units?
# * taken something that is **no network**: logistic regression with its tuned penalty, the nearest
#   neighbours among the 300 pictures, or a support vector machine (SVM), which draws smooth borders
#   with the widest margin?
# * had **twice as many pictures**: five training sets of 600?
# * **moved** each picture by up to one pixel, another way in each step? A moved 3 is still a 3. That
#   costs no picture, but three times the steps. And dropout on top, with $p$ = 0.2?
#
# The rule is that of section 6.
#
# **Predict.** Which of them gain more than dropout? How many times as much?

# %%
looks |= compete({"smaller networks": [{"units": 64}]})
looks |= compete({"twice as many pictures": [{}]}, sets=sets.reshape(SETS // 2, -1))
looks |= lesson.rivals(pixels, digits.y, sets, judges)

# %%
moving = {"pictures moved": [{"move": 1}], "moved, and dropout": [{"move": 1, "drop": 0.2}]}
looks |= compete(moving, steps=3 * TRAIN_STEPS)
shown = ["dropout", *[*looks][len(METHODS) :]]
scores |= {name: lesson.judged(looks[name]) for name in shown}
lesson.draw_gains({name: gain(name) for name in shown if name != "SVM"})
plotting.show(lesson.TEXTS["rivals"])

# %% tags=["atol=0.03"]
table(shown)

# %%
claim("What is gained with a smaller network", **gain("smaller networks"), below=0.01,
      unit="nats", digits=3)  # fmt: skip
claim("With twice as many pictures one gains over early stopping",
      **gain("twice as many pictures"), above=0.03, unit="nats", headline=True)  # fmt: skip
claim("Pictures moved by up to a pixel gain over early stopping", **gain("pictures moved"),
      above=0.05, unit="nats", headline=True)  # fmt: skip
claim("Dropout gains over moved pictures, if added to them",
      **gain("moved, and dropout", 0, "pictures moved"),
      above=0, unit="nats", digits=3)  # fmt: skip
for name in ("logistic regression", "nearest neighbours"):
    claim(f"What is gained with {name}", **gain(name), below=0, unit="nats")
claim("What a support vector machine gains over the network with dropout, in the share wrong",
      **gain("SVM", 2, "dropout"), above=-0.005, digits=3)  # fmt: skip

# %% [markdown]
# Twice as many pictures are worth several times what dropout is worth. So is *knowing* something about
# pictures: to move them by a pixel makes new ones out of old ones (*data augmentation*). Dropout adds to
# it, given the steps. A smaller network is no remedy. And without any network, the support vector machine
# is right about as often as dropout's or more often. (Its scores are no probabilities, and so its log loss
# counts for nothing and is not in the figure.)
#
# *Learned: more data, or what you know about the data, are worth far more here than any remedy of the
# slides.*
#
# ## Summary
#
# These are the sentences of the lesson with their numbers; the other claims are folded below them. "±"
# is the standard error over what the line names.

# %%
claim

# %% [markdown]
# **What keeps a network from learning by heart?** An early stop: on the curve, and where labels lie.
# There dropout gains more beside it than decay does. Where labels are right, too long a training does
# little harm to the answers and much to their confidence, and dropout mends more of that than stopping
# alone.
#
# **What to do with it.** Get more data, or ask what you know about them: what may be changed in an input
# without changing the answer? Add dropout or decoupled decay. Tune the learning rate and the number of
# steps together. And say how each rival was tuned.
#
# ## 8. Further: dropout as a penalty, and two mistakes with it
#
# "Shrinking the weights exactly as $L_2$ would do": where the model is linear, that can be checked exactly.
# We take the waves again, with dropout on them. Average the cost over all
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
# large on average pays more. It is $L_2$ only if all inputs have the same mean square.
#
# Two mistakes are common. *Dropout left on* when the network answers: every call gives another answer.
# *The scaling forgotten* (exercise 4): then, with $p = ½$, the next layer receives twice as much as in
# training, once all units are on. (We imitate it: networks trained with the scaling get twice as much.)
#
# **Predict.** Which of the two would you notice in the accuracy?

# %%
W1, b1, W2, b2 = (part[:, 2] for part in looks["dropout"].end)  # p = ½, ten networks
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
# ## 9. Further: batch normalisation, and the look of real weights
#
# [**Batch normalisation**](../docs/glossary.md#batch-normalisation) gives each hidden unit, over the
# pictures of a batch, mean 0 and standard deviation 1, and then lets it learn another mean and scale; to
# answer, it uses running means. The lesson [`training_deep_networks`](training_deep_networks.ipynb) is
# about it. The slides say that it acts "in a sense like a regularization scheme", for the batch changes
# each picture's numbers a little at random. We send it into the contest.
#
# **Predict.** Does it gain over early stopping?

# %%
looks |= compete({"batch normalisation": [{}]}, normalise=True)
scores["batch normalisation"] = lesson.judged(looks["batch normalisation"])
claim("What is gained with batch normalisation, in log loss", **gain("batch normalisation"),
      below=0.02, digits=3)  # fmt: skip

# %% [markdown]
# That it acts like a remedy is not confirmed here.
#
# Now the slide that says: "$L_2$ regularization **forces** the weights to be normally distributed with
# mean zero". We look at the first weights of ten networks trained with $L_2$ ($\lambda = 0.001$), at
# pixels that are lit in some picture. *Excess kurtosis* says how heavy the tails of a distribution are:
# it is 0 for a normal one.

# %%
lit = [(pixels[rows] > 0).any(axis=0) for rows in sets]


def tails(name, k):
    """Excess kurtosis of the first weights at lit pixels, of each network."""
    return np.array([kurtosis(w[seen].ravel()) for w, seen in zip(looks[name].end[0][:, k], lit)])


heavy, plain = tails("L2 through Adam", 3), tails("early stopping", 1)
claim("L2 trains weights with heavier tails than normal ones: excess kurtosis",
      **claims.mean_and_error(heavy, "training sets"), above=1)  # fmt: skip
claim("Without L2 there is no such thing: excess kurtosis",
      **claims.mean_and_error(plain, "training sets"), below=0.5)  # fmt: skip

# %% [markdown]
# Many are near zero and a few are large. A penalty is what we believed of the weights before, and no law
# for them. And a MAP estimate is one point, not a sample of what we believe after the data. (And Adam is
# only on its way to it, section 4.) The Bayesian lessons, from
# [`bayesian_neural_networks_wine`](bayesian_neural_networks_wine.ipynb) on, ask for the whole posterior.
#
# ### Exercise 6: the slides' sentences
#
# True or false, word for word? Quotation marks: from the slides.
#
# - (a) "$L_2$ regularization forces the weights to be normally distributed with mean zero".
# - (b) Twice as many points with the same $\lambda$: the same prior.
# - (c) Dropout works by "shrinking the weights exactly as $L_2$ would do".
# - (d) For a linear model with squared error, whose inputs all have the same mean square, dropout on the
#   inputs is, on average over the masks, $L_2$.
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
# ## 10. Further: the same in Keras
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
#   Adaptive Regularization*, NeurIPS 2013. Sections 5 and 8.
# * S. Ioffe, C. Szegedy: *Batch Normalization*, ICML 2015. Section 9.
# * C. Shorten, T. M. Khoshgoftaar: *A Survey on Image Data Augmentation for Deep Learning*, Journal of
#   Big Data 6, 2019. Section 7.
