# %% [markdown]
# # Optimisers: the way down
#
# **Which way down the loss is the fastest, and how would you know?**
#
# Training a network means walking downhill in the dark: at each place you feel the slope under your
# feet, and no more. Everybody uses the same four or five rules for the next step. You will write
# each in a few lines of NumPy, watch them walk, and hold them against what theory says exactly. Some
# sentences that are often repeated about them will not survive.
#
# ![Level lines of a narrow valley, twice, with the paths of four methods. On the left, where the valley
# runs along an axis; on the right it is turned, and two of the paths are others.](figures/optimizers.png)
#
# | | |
# | --- | --- |
# | **Slides** | *Machine learning for astrophysics: deep learning*, gradient descent and the optimisation algorithms |
# | **You will be able to** | write gradient descent, momentum, RMSProp, Adam and a particle swarm; say which learning rate diverges before you try it; translate between the slides and Keras; leave a saddle; compare optimisers fairly |
# | **You need** | the lesson *neural_networks*; derivatives, eigenvalues of a symmetric matrix |
# | **Time** | 120 minutes, and 35 more for what is marked *further* |

# %% tags=["nbval-ignore-output"]
import course_utils

SEED = course_utils.setup(seed=1)

# %%
from itertools import combinations

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn.datasets import make_moons
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import scale
from tqdm.auto import tqdm

from course_utils import claims, data, explorers, plotting
from course_utils.exercises import optimizers as exercises
from course_utils.lessons import optimizers as lesson

claim = claims.Claims()
keras.config.set_floatx("float64")
pd.options.display.width = 100
rng = np.random.default_rng(SEED)

# %% [markdown]
# The budget of this run: repetitions of the swarm, and of the real network at the end.

# %%
RUNS, SEEDS, EPOCHS = 500, 10, 5

# %% [markdown]
# ## 1. Gradient descent: how long should a step be?
#
# A loss $J(w)$ says how bad the weights $w$ are. Its gradient $dJ/dw$, on the slides and in code `dw`,
# points uphill. So step against it, with a *learning rate* $\alpha$:
#
# $$w := w - \alpha\,\frac{dJ(w)}{dw}$$
#
# In code a rule gets the gradient and returns the step, and its memory, `V` and `S`, which the cleverer rules
# below need, as they need the number `t` of the step. Gradient descent ignores all three.


# %%
def gradient_descent(dw, V, S, t, alpha):
    return alpha * dw, V, S


# %% [markdown]
# `lesson.path` walks: it calls the rule, subtracts the step, and keeps every place on the way. Our first
# loss has one weight and two valleys, the left one deeper.
#
# **Predict.** We start at the right end. Where do a small, a moderate and a large $\alpha$ end?


# %%
def well(w):
    return w**4 / 4 - 0.75 * w**2 + 0.3 * w


def well_slope(w):
    return w**3 - 1.5 * w + 0.3


line = np.linspace(-2.1, 2.1, 400)
fig, axes = plt.subplots(1, 4, figsize=(14, 3.6), sharey=True)
for ax, alpha in zip(axes, (0.02, 0.2, 0.5, 0.7)):
    w = lesson.path(gradient_descent, well_slope, np.array([1.9]), alpha, steps=25)[:, 0]
    ax.plot(line, well(line), color="0.6")
    ax.plot(w, well(w), "o-", color="C0", lw=1.2, ms=6, label="steps")
    ax.plot(w[-1], well(w[-1]), "X", color="C3", ms=14, mec="white", ls="", label="after 25 steps")
    ax.set(title=f"α = {alpha}", xlabel="weight $w$")
axes[0].set_ylabel("loss $J(w)$")
axes[0].legend(loc="upper left")
plotting.show("Paths to a cross: too slow, into the near valley, over the ridge, never at rest.")

# %% [markdown]
# Too small, and it crawls. Moderate, and it finds the *local* minimum nearby. Larger, and the first step
# leaps over the ridge, into the better valley: luck. Larger still, and it never comes to rest.
#
# Can we say beforehand where a start will end? With $\alpha$ below $1/L$, where $L$ is the largest
# curvature $J''$ on the way, a step never leaps over a place where the slope is zero. So exactly those
# starts reach the left valley that lie left of the ridge.

# %%
ridge = np.sort(np.roots([1, 0, -1.5, 0.3]).real)[1]  # between two places of slope zero
L = 3 * 2**2 - 1.5  # the largest J'' between -2 and 2
starts = rng.uniform(-2, 2, 2_000)
astray = {}
for factor in (0.95, 5):
    ends = lesson.path(gradient_descent, well_slope, starts, factor / L, steps=3_000)[-1]
    astray[factor] = (ends < 0) != (starts < ridge)
claims.check("With α = 0.95 / L every start ends in its own valley", astray[0.95].sum(), 0)
claim("With α = 5 / L some starts end in the other valley, share",
      **claims.mean_and_error(astray[5], "starts"), above=0.02, digits=3)  # fmt: skip

# %% [markdown]
# *Learned: gradient descent finds the valley it starts in; a large step may carry it into another.*
#
# ### Exercise 1: the slide that goes the wrong way
#
# A slide trains a network by following the [log-likelihood](../docs/glossary.md#likelihood), written with a minus sign:
# $\omega_J \to \omega_J - \eta\,\frac{\partial}{\partial \omega_J} \sum_i \log p(y_i|x_i, \omega)$.
# ($\omega$ are the weights, numbered by $J$; $\eta$ is our $\alpha$; $\log p$ is large where the network gives the
# data a high probability.) Which way does that go? Write the step as it should be: `w` holds the weights,
# `grad_log_p` the derivatives of $\sum_i \log p$ at `w` (same shape), `eta` the rate. Return the new `w`.


# %%
def step(w, grad_log_p, eta): ...


exercises.q1.check(step)
# exercises.q1.hint()  # and .solution()

# %% [markdown]
# ## 2. An exact yardstick: the bowl
#
# Near a minimum nearly every smooth loss looks like a bowl, $J(w) = \frac12 w^\top H\,w$, with a matrix $H$ of
# second derivatives, the *Hessian*. Its eigenvalues $\lambda_i$ are the curvatures along its
# eigenvectors. Write $\mu$ for the smallest, $L$ for the largest and $\kappa = L/\mu$, the *condition
# number*: how narrow the valley is. Along each direction a step multiplies $w$ by $1 - \alpha\lambda_i$. So
#
# * it converges if, and only if, $|1 - \alpha\lambda_i| < 1$ for all $i$, that is for $\alpha < 2/L$;
# * the best $\alpha$ treats the flattest and the steepest direction alike: $\alpha = 2/(L+\mu)$, and the
#   distance shrinks by $\frac{\kappa-1}{\kappa+1}$ per step. In a narrow valley that is nearly 1.
#
# **Momentum** is the remedy. Average the gradients over the past, so that what swings from side to side
# cancels and what agrees adds up:
#
# $$V_{dw} = \beta\,V_{dw} + (1-\beta)\,dw, \qquad w := w - \alpha\,V_{dw}$$


# %%
def momentum(dw, V, S, t, alpha, beta=0.9):
    V = beta * V + (1 - beta) * dw
    return alpha * V, V, S


# %% [markdown]
# Its theory (Polyak's *heavy ball*, 1964) promises $\frac{\sqrt\kappa-1}{\sqrt\kappa+1}$ per step in the
# long run: as if the valley were only $\sqrt\kappa$ narrow. The best values are
# $\beta = \big(\frac{\sqrt\kappa-1}{\sqrt\kappa+1}\big)^2$ and a rate of $4/(\sqrt L+\sqrt\mu)^2$. But
# Polyak's ball has no factor $1-\beta$. On the slides there is one, so their $\alpha$ must be larger:
# $\alpha = \frac{1}{1-\beta}\,\frac{4}{(\sqrt L+\sqrt\mu)^2}$.
#
# **Predict.** For $\kappa = 100$: how many times fewer steps does momentum take?


# %%
def bowl(kappa, D=20):
    """A Hessian with curvatures from 1 to kappa, along directions turned at random."""
    turn = np.linalg.qr(rng.normal(size=(D, D)))[0]
    return turn * np.linspace(1, kappa, D) @ turn.T


def contest(kappa):
    """For L = kappa and mu = 1: each method's best rate, its factor by theory, and enough steps."""
    root = np.sqrt(kappa)
    yield "gradient descent", {"alpha": 2 / (kappa + 1)}, (kappa - 1) / (kappa + 1), 20 * kappa
    beta = ((root - 1) / (root + 1)) ** 2
    settings = {"alpha": 4 / (root + 1) ** 2 / (1 - beta), "beta": beta}
    yield "momentum", settings, (root - 1) / (root + 1), int(80 * root)


RULES = {"gradient descent": gradient_descent, "momentum": momentum}
rows, distance = [], {}
for kappa in (3, 10, 30, 100):
    H, start = bowl(kappa), rng.normal(size=20)
    for name, settings, factor, steps in contest(kappa):
        path = lesson.path(RULES[name], lambda w, H=H: w @ H, start, steps=steps, **settings)
        distance[name] = np.linalg.norm(path, axis=1)
        far = np.log(distance[name])
        decay = (far[-1] - far[steps // 2]) / (steps - steps // 2)  # of the logarithm, per step
        rows.append((kappa, name, np.exp(decay), factor, decay / np.log(factor)))
columns = ["κ", "method", "factor per step", "theory", "ratio of logarithms"]
rates = pd.DataFrame(rows, columns=columns).set_index(["κ", "method"])
rates.round(3)

# %%
fig, ax = plt.subplots(figsize=(9, 4.2))
for i, (name, _, factor, _) in enumerate(contest(100)):
    ax.semilogy(distance[name], color=f"C{i}", label=name)
    theory = distance[name][0] * factor ** np.arange(len(distance[name]))
    ax.semilogy(theory, "--", color="0.4", lw=1.5, label="theory's slope" if i else None)
ax.set(xlabel="step", ylabel="distance to the minimum", xlim=(0, 700), ylim=(1e-12, None))
ax.legend(title="κ = 100")
plotting.show("Distance on a logarithmic scale: two straight lines, momentum far steeper.")

# %%
ratio = rates["ratio of logarithms"].unstack()
for name, within in (("gradient descent", 0.02), ("momentum", 0.05)):
    text = f"{name.capitalize()} shrinks the distance as fast as theory says (ratio of logarithms)"
    claims.check(text, ratio[name], 1, within=within)
needed = {name: (far > 1e-6 * far[0]).sum() for name, far in distance.items()}
saving = needed["gradient descent"] / needed["momentum"]
claim("κ = 100: momentum needs fewer steps to a millionth of the distance, by the factor", saving,
      above=6, below=9, headline=True)  # fmt: skip

# %% [markdown]
# The slopes promise $\sqrt\kappa$ times fewer; until a millionth is left it is somewhat less. (Momentum's line is a little
# flatter than theory's: at the best β the distance goes like $t\cdot\text{factor}^t$. The $t$ matters less and less.)
#
# Now the cliff: we go one percent below and above the largest rate: $2/L$ for gradient descent, for the slides'
# momentum $\frac{2}{L}\cdot\frac{1+\beta}{1-\beta}$.

# %%
H, start = bowl(100), rng.normal(size=20)
for name, limit in (("gradient descent", 2 / 100), ("momentum", 2 / 100 * 1.9 / 0.1)):
    for share, way, sign, least in ((0.99, "shrinks", -1, 2), (1.01, "grows", 1, 1)):
        end = lesson.path(RULES[name], lambda w: w @ H, start, share * limit, steps=600)[-1]
        grown = np.log10(np.linalg.norm(end) / np.linalg.norm(start))
        text = f"At {share} of its largest α the distance of {name} {way}, by powers of ten"
        claim(text, sign * grown, above=least, digits=1)

# %% [markdown]
# "Typical values for α range between 0.01 and 1", say the slides. But the limit belongs to the loss: multiply $J$
# by ten, and every allowed $\alpha$ is ten times smaller.
#
# *Learned: the steepest direction limits the step, the flattest one would need a longer one. Momentum turns κ into √κ.*
#
# ### Exercise 2: which α diverges?
#
# Six descents on $J = \frac12\left(0.5\,w_1^2 + 4\,w_2^2\right)$, with full gradients and $w_1, w_2$ not 0 at the
# start. Predict `"converges"` or `"diverges"` before you run anything. *Momentum* is the slides':
# $V = \beta V + (1 - \beta)\,dw$, then $w := w - \alpha V$. Keras's `SGD(learning_rate, momentum)` has no $1 - \beta$ in it.

# %%
prediction = {
    "gradient descent, alpha=0.45": ...,
    "gradient descent, alpha=0.55": ...,
    "momentum, alpha=9, beta=0.9": ...,
    "momentum, alpha=1.6, beta=0.5": ...,
    "Keras SGD(0.9, momentum=0.9)": ...,
    "Keras SGD(1.0, momentum=0.9)": ...,
}

exercises.q2.check(prediction)
# exercises.q2.hint()  # and .solution()

# %% [markdown]
# ### Exercise 3: read β off a trajectory
#
# Somebody ran the slides' momentum on a quadratic and kept only the positions along one eigen-direction: `w`, of
# shape `(T,)`, the start first. $V$ was 0 at the start; $\lambda$, $\alpha$ and $\beta$ are lost. Write a function
# that finds $\beta$. It has to be exact (to 0.001), and it has to work whether `w` swings or creeps.


# %%
def find_beta(w): ...


exercises.q3.check(find_beta)
# exercises.q3.hint()  # and .solution()

# %% [markdown]
# ## 3. A rate for each weight: RMSProp and Adam
#
# If the steep direction asks for short steps and the flat one for long ones, why not give each weight a
# rate of its own? **RMSProp** averages the *squared* gradients, and divides by the root:
#
# $$S_{dw} = \beta\,S_{dw} + (1-\beta)\,dw^2, \qquad w := w - \alpha\,dw\,\frac{1}{\sqrt{S_{dw}}}$$
#
# ### Exercise 4: Adam without its correction
#
# **Adam** does both: $w := w - \alpha\,V_{dw}/\sqrt{S_{dw}}$. But so it takes a first step that is more than three
# times too *large*, since $V$ and $S$ start at 0 and need a while to forget it. Of a constant gradient, which
# share have they collected after $t$ steps? Repair the line in the comment. It has to work for any
# $\beta_M$ and $\beta_R$, and where a gradient is exactly 0; $t$ counts from 1.


# %%
def repaired(dw, V, S, t, alpha, beta_M=0.9, beta_R=0.999, eta=1e-8):
    V = beta_M * V + (1 - beta_M) * dw
    S = beta_R * S + (1 - beta_R) * dw**2
    step = ...  # was: alpha * V / (np.sqrt(S) + eta)
    return step, V, S


exercises.q4.check(repaired)
# exercises.q4.hint()  # and .solution()

# %% [markdown]
# The authors of Adam divide by just that share:
#
# $$V_{dw}^{corr} = \frac{V_{dw}}{1-\beta_M^t}, \qquad S_{dw}^{corr} = \frac{S_{dw}}{1-\beta_R^t}, \qquad
# w := w - \alpha\,V_{dw}^{corr}\,\frac{1}{\sqrt{S_{dw}^{corr}}}$$
#
# "To avoid dividing per zero, a small η (e.g. $10^{-8}$) is added to the code", say the slides. They do
# not say where. Most add it behind the root: $\sqrt{S}+\eta$.


# %%
def rmsprop(dw, V, S, t, alpha, beta=0.9, eta=1e-8):
    S = beta * S + (1 - beta) * dw**2
    return alpha * dw / (np.sqrt(S) + eta), V, S


def adam(dw, V, S, t, alpha, beta_M=0.9, beta_R=0.999, eta=1e-8):
    V = beta_M * V + (1 - beta_M) * dw
    S = beta_R * S + (1 - beta_R) * dw**2
    V_corr, S_corr = V / (1 - beta_M**t), S / (1 - beta_R**t)
    return alpha * V_corr / (np.sqrt(S_corr) + eta), V, S


# %% [markdown]
# **Predict.** All four side by side: a narrow valley, $\kappa = 10$, first along an axis, then turned by 45°, start
# and all. Which methods notice that it was turned?

# %% tags=["cover"]
RULES |= {"RMSProp": rmsprop, "Adam": adam}
RATES = {"gradient descent": 0.17, "momentum": 0.5, "RMSProp": 0.15, "Adam": 0.25}
STRAIGHT, TURNED = np.eye(2), np.array([[1, -1], [1, 1]]) / np.sqrt(2)
BOX = (-2.9, 2.1, -2.5, 2.5)
fig, axes = plt.subplots(1, 2, figsize=(13, 6.2), sharey=True)
walked = []
for ax, turn in zip(axes, (STRAIGHT, TURNED)):
    H, start = turn * [1, 10] @ turn.T, turn @ [-2.3, 1.3]
    paths = {name: lesson.path(rule, lambda w, H=H: w @ H, start, RATES[name], steps=40)
             for name, rule in RULES.items()}  # fmt: skip
    lesson.draw_surface(ax, lambda w, H=H: ((w @ H) * w).sum(axis=-1) / 2, BOX, paths)
    ax.plot(0, 0, "P", color="black", ms=12, mec="white", ls="", zorder=3, label="minimum")
    ax.set_title("turned by 45°" if turn is TURNED else "along an axis")
    ax.legend(loc="lower right", frameon=True, framealpha=0.9)
    walked.append({name: path @ turn for name, path in paths.items()})  # turned back
plotting.show(
    "A narrow valley along an axis, and the same turned by 45 degrees, each with forty steps of four "
    "methods. Gradient descent and momentum walk the same path, turned; RMSProp and Adam another one."
)

# %%
straight, turned = walked
for name in ("gradient descent", "momentum"):
    text = f"In the turned valley {name} walks the same path, turned"
    claims.check(text, turned[name], straight[name], within=1e-9)
for name in ("RMSProp", "Adam"):
    claim(f"In the valley turned by 45° {name} walks another path, largest distance",
          abs(turned[name] - straight[name]).max(), above=0.2, headline=name == "Adam")  # fmt: skip

# %% [markdown]
# Gradient descent and momentum do not notice: their path turns with the valley. RMSProp and Adam do. They
# scale each *weight*, and in a turned valley no single weight is the steep one.
#
# **Try it.** Choose a method and move α and β. From which α on does $J$ grow? (The mark below its slider
# is $2/L$.) What does a large β do to momentum?

# %% tags=["nbval-ignore-output"]
explorers.descend(H, start, BOX)

# %% [markdown]
# **The yardstick.** Keras has all four. We walk side by side from the same state and look at the largest
# difference on the way, relative to the largest step: first with our rules as they are, then with
# Keras's conventions, of which three differ:
#
# 1. `SGD(momentum=β)` has no factor $1-\beta$, as Polyak: its learning rate is our $\alpha\,(1-\beta)$.
# 2. `RMSprop` adds its ε (our η) *inside* the root: $\sqrt{S+\eta}$.
# 3. `Adam` adds it before the correction of $S$: seen from ours it is $\eta/\sqrt{1-\beta_R^t}$.


# %%
def keras_rmsprop(dw, V, S, t, alpha, beta, eta):
    _, V, S = rmsprop(dw, V, S, t, alpha, beta)
    return alpha * dw / np.sqrt(S + eta), V, S


def keras_adam(dw, V, S, t, alpha, beta_M, beta_R, eta):
    return adam(dw, V, S, t, alpha, beta_M, beta_R, eta / np.sqrt(1 - beta_R**t))


def difference(rule, optimizer, steps=30, alpha=0.01, **settings):
    """The largest difference between our path and Keras's, relative to our largest step."""
    w = keras.Variable(start)
    optimizer.build([w])
    path = lesson.path(rule, lambda w: w @ H, start, alpha, steps, **settings)
    keras_path = [start]
    for _ in range(steps):
        optimizer.apply([keras.ops.convert_to_tensor(w.numpy() @ H)], [w])
        keras_path.append(w.numpy())
    return abs(path - keras_path).max() / abs(np.diff(path, axis=0)).max()


# %%
H, start = bowl(10, D=6), 1e-3 * rng.normal(size=6)  # near the minimum, where gradients are small
BETA, BETA_R, ETA = 0.875, 1 - 2**-10, 1e-7  # such betas are exact in binary: see below
sgd, rms, adam_ = keras.optimizers.SGD, keras.optimizers.RMSprop, keras.optimizers.Adam
KERAS = {  # ours as it is, and with Keras's convention
    "gradient descent": [difference(gradient_descent, sgd(0.01))] * 2,
    "momentum": [difference(momentum, sgd(0.01 * factor, momentum=BETA), beta=BETA)
                 for factor in (1, 1 - BETA)],
    "RMSProp": [difference(rule, rms(0.01, rho=BETA, epsilon=ETA), beta=BETA, eta=ETA)
                for rule in (rmsprop, keras_rmsprop)],
    "Adam": [difference(rule, adam_(0.01, BETA, BETA_R, ETA), beta_M=BETA, beta_R=BETA_R, eta=ETA)
             for rule in (adam, keras_adam)],
}  # fmt: skip
agreement = pd.DataFrame(KERAS, ["as on the slides", "with Keras's convention"]).T
claims.check("With Keras's conventions our four methods walk Keras's paths",
             agreement["with Keras's convention"], 0, within=1e-6)  # fmt: skip
agreement.round(4)

# %% [markdown]
# Copied without translation, momentum is off by many steps, and the others are off, too. (Why such odd betas, and
# what η does to Adam's first step: section 12.)
#
# **"You can even try a high value for α without risking overshooting"**, say the slides of RMSProp. We try: a
# bowl of three very different curvatures, full gradients, a fixed α.
#
# **Predict.** Does it diverge? Does it arrive?

# %%
curvatures = np.array([1.0, 10.0, 100.0])
hover = []
for alpha in (0.01, 0.1, 1.0):
    path = lesson.path(rmsprop, lambda w: curvatures * w, rng.normal(size=3), alpha, steps=3_000)
    hover.append(abs(path[-1]) / alpha)
claims.check("RMSProp with β = 0.9 and a fixed α stays α / 2 away from the minimum",
             hover, 0.5, within=1e-3)  # fmt: skip
pd.DataFrame(hover, ["α = 0.01", "α = 0.1", "α = 1"], ["λ = 1", "λ = 10", "λ = 100"]).round(3)

# %% [markdown]
# Neither. It jumps to and fro over the minimum, half an α away on each side, in every direction and for every
# α. Once $|dw|$ stays the same, $S = dw^2$, and each step is exactly $\alpha\,\mathrm{sign}(dw)$. So the slides
# are half right: it does not run away, but it overshoots in *every* step. To arrive, α must shrink.
#
# *Learned: a rate for each weight forgives a bad α, and is tied to the axes. Implementations differ in conventions.*
#
# ## 4. Mini-batches: a surface that changes under your feet
#
# The loss is an average over $N$ examples. *Batch* gradient descent uses all of them in each step,
# *stochastic* gradient descent a single one, *mini-batch* gradient descent $B$ of them: cheaper, noisier.
# Each batch has a [loss surface](../docs/glossary.md#loss-landscape) of its own, and the mean of all of these is the one we want.

# %%
x_line = rng.uniform(-1, 1, size=200)
y_line = 0.5 + 1.5 * x_line + rng.normal(scale=0.5, size=200)
design = np.stack([np.ones(200), x_line], axis=1)


def line_loss(w):
    """Half the mean square of the residuals of a straight line, for weights (..., 2)."""
    return ((w @ design.T - y_line) ** 2).mean(axis=-1) / 2


def line_gradient(w, B):
    i = rng.choice(200, size=B, replace=False)
    return (design[i] @ w - y_line[i]) @ design[i] / B


names, start = {1: "stochastic", 20: "mini-batch of 20", 200: "batch"}, np.array([-1.6, -0.8])
paths = {name: lesson.path(gradient_descent, lambda w, B=B: line_gradient(w, B), start, 0.2, 60)
         for B, name in names.items()}  # fmt: skip

wave = np.linspace(0.5, 6, 500)  # a model of one weight: y = sin(w x), the truth is w = 2
x_wave = rng.uniform(-3, 3, size=200)
y_wave = np.sin(2 * x_wave) + 0.3 * rng.normal(size=200)
wave_loss = (y_wave[:, None] - np.sin(np.outer(x_wave, wave))) ** 2  # (200, 500)

fig, axes = plt.subplots(1, 2, figsize=(13, 5), width_ratios=[1, 1.3])
lesson.draw_surface(axes[0], line_loss, (-2, 3, -1.5, 3), paths)
axes[0].legend(title="three ways down", loc="lower right", frameon=True, framealpha=0.9)
for colour in ("C3", "C4", "C5", "C9"):  # other ones than on the left
    part = rng.choice(200, size=5, replace=False)
    axes[1].plot(wave, wave_loss[part].mean(axis=0), color=colour, lw=1.8)
axes[1].plot(wave, wave_loss.mean(axis=0), color="black", lw=4, label="all 200 examples")
axes[1].set(title="the loss of four mini-batches of 5", xlabel="weight $w$", ylabel="loss")
axes[1].legend()
plotting.show(
    "Left: paths of batches (smooth), mini-batches and single examples (wild). Right: the losses of four "
    "small batches swing around the thick line of the loss of all examples."
)

# %% [markdown]
# The slides' footnote says that a local minimum of one mini-batch need not be one of the next. The black line
# has a shallow valley far to the right; few batches share it (section 9 counts). And the stochastic path on the
# left never comes to rest.
#
# How much noise is it? If an example may be drawn twice (*with replacement*), the gradient of a batch has variance
# $\sigma^2/B$, where $\sigma^2$ is the variance of the single examples' gradients, summed over the weights. Without
# replacement, as in an epoch, it is $\frac{\sigma^2}{B}\cdot\frac{N-B}{N-1}$: 0 for the whole batch. Section 9 checks it.
#
# *Learned: four times the batch quarters the variance and so halves the noise (without replacement a bit more).*
#
# ## 5. Let the learning rate decay
#
# With noise a constant α cannot arrive, either: the gradient's noise keeps shaking $w$. So start large, and
# let α shrink. The slides list four schedules, with an initial rate $\alpha_0$:
#
# $$\alpha = \frac{1}{1 + \text{decay rate} + \text{epoch}}\,\alpha_0 \qquad
# \alpha = 0.95^{\text{epoch}}\,\alpha_0 \qquad
# \alpha = \frac{k}{\sqrt{\text{epoch}}}\,\alpha_0 \qquad \alpha = \frac{k}{\sqrt{t}}\,\alpha_0$$
#
# In the last one $t$ counts the mini-batches; the last two must count from 1. $k$ is a constant, here 1.
#
# ### Exercise 5: the misprinted schedule
#
# Try the first one: with a decay rate of 0 the rate falls all the same, and from 0.01 to 0.1 it hardly
# changes. One sign is misprinted. Write the schedule as it was meant: `epoch` counts from 0, where the
# rate is still `alpha_0`, and may be a number or an array.


# %%
def rate(epoch, alpha_0, decay_rate): ...


exercises.q5.check(rate)
# exercises.q5.hint()  # and .solution()

# %% [markdown]
# Now we let them run on a bowl whose gradient is noisy, $dw_i = \lambda_i w_i + s_i\,\epsilon$ with a standard normal
# $\epsilon$. Here all is exact: the mean of $w_i$ shrinks by $1-\alpha\lambda_i$ a step, its variance follows
# $v := (1-\alpha\lambda_i)^2 v + \alpha^2 s_i^2$, and so $\mathbb E\,J = \frac12\sum\lambda_i(\text{mean}^2 + v)$ at
# every step. (In the misprint's place stands a product, as you found.)
#
# **Predict.** Which schedule ends lowest? Which gets stuck on the way?

# %%
lam, s, start = np.array([0.05, 1.0]), np.array([0.05, 1.0]) ** 0.5, np.full(2, 10.0)
alpha_0, t = 0.5, np.arange(1, 60 * 20 + 1)  # 60 epochs of 20 mini-batches
epoch = (t - 1) // 20
SCHEDULES = {
    "constant": np.full(len(t), alpha_0),
    "1 / (1 + 0.3 · epoch)": alpha_0 / (1 + 0.3 * epoch),
    "as printed: 1 / (1 + 0.3 + epoch)": alpha_0 / (1 + 0.3 + epoch),
    "0.95 ^ epoch": alpha_0 * 0.95**epoch,
    "1 / √epoch": alpha_0 / np.sqrt(epoch + 1),
    "1 / √t": alpha_0 / np.sqrt(t),
}


def expected_loss(rates):
    """E J before the first step and after each one, exactly."""
    mean, variance, losses = start, np.zeros(2), []
    for alpha in (*rates, 0.0):
        losses.append((lam * (mean**2 + variance)).sum() / 2)
        mean = (1 - alpha * lam) * mean
        variance = (1 - alpha * lam) ** 2 * variance + (alpha * s) ** 2
    return np.array(losses)


def noisy_gradient(w):
    return lam * w + s * rng.normal(size=w.shape)


# %%
exact = {name: expected_loss(rates) for name, rates in SCHEDULES.items()}
copies, LOOKS = np.tile(start, (500, 1)), [100, 400, 1_200]
fig, axes = plt.subplots(1, 2, figsize=(14, 5.2))
simulated = []
for i, (name, rates) in enumerate(SCHEDULES.items()):
    path = lesson.path(gradient_descent, noisy_gradient, copies, rates, len(t))
    runs = (lam * path**2).sum(axis=-1) / 2  # (1201, 500)
    simulated.append(runs[LOOKS])
    axes[0].semilogy(t / 20, rates, color=f"C{i}")
    axes[1].semilogy(exact[name], color=f"C{i}", label=name)
    axes[1].plot(LOOKS, runs[LOOKS].mean(axis=1), "o", color=f"C{i}", markeredgecolor="white")
axes[0].set(xlabel="epoch", ylabel="learning rate α")
axes[1].set(xlabel="step", ylabel="expected loss; dots: simulated", ylim=(0.004, 60))
fig.legend(loc="outside lower center", ncols=4)
plotting.show(
    "Left: six schedules of the learning rate. Right: the expected loss of each over the steps with dots "
    "of the simulation on the lines. The constant rate levels off high, two schedules end lowest."
)

# %%
theory = np.array([losses[LOOKS] for losses in exact.values()])
claims.check("The simulated losses are the exact ones", np.mean(simulated, axis=-1), theory,
             within=4.5, se=np.std(simulated, axis=-1) / len(copies) ** 0.5)  # fmt: skip
by_hand = np.array([1, 1 / 1.9, 1 / 4.3, 0.95**3, 1 / 2, 1 / 61**0.5]) / 2  # in epoch 3, t = 61
found = np.array([rates[60] for rates in SCHEDULES.values()])
claims.check("In epoch 3 each α is what one gets by hand", found, by_hand, within=1e-9)
tuned = {name: min(expected_loss(factor * rates)[-1] for factor in np.logspace(-1, 0.5, 31))
         for name, rates in SCHEDULES.items()}  # fmt: skip
claim("Each with its best initial rate, a constant α ends higher than 0.95 ^ epoch, by the factor",
      tuned["constant"] / tuned["0.95 ^ epoch"], above=2, digits=1, headline=True)  # fmt: skip
table = {name: (rates.sum(), exact[name][-1], tuned[name]) for name, rates in SCHEDULES.items()}
columns = ["sum of all α", "final loss", "with the best initial rate"]
pd.DataFrame(table, columns).T.round(dict.fromkeys(columns, 4) | {columns[0]: 1})

# %% [markdown]
# The constant rate is fast, and ends in its own noise. At this $\alpha_0$ the two schedules with the smallest sum of
# α have not arrived yet. But is that comparison fair? The last column gives each schedule the initial rate that
# suits it: now all that decay beat the constant rate, the printed one too. For
# $\frac{1}{1+r+e} = \frac{1}{1+r}\cdot\frac{1}{1+e/(1+r)}$ is the repaired one in disguise, with another initial rate
# and another decay rate. What the misprint spoils is the knob: it hardly answers.
#
# *Learned: α must shrink, but its sum must be large enough to arrive.*
#
# ## 6. Particle swarm: downhill without a slope
#
# A swarm needs no gradient. Each *particle* remembers the best place that it has seen, and knows the best place
# that any of them has seen. The slides name two pulls: (1) the *cognitive* one, towards its own best $p$, and
# (2) the *collective* or social one, towards the best of all, $g$.
#
# ### Exercise 6: the swarm that does not swarm
#
# Twenty particles search, and each ends in a valley of its own. Their velocity was written as
# `omega * v + c * r_own * (own_best - x) + s * r_best * (own_best - x)`. Repair it: `x` and `v` are
# where a particle is and how it moves, `own_best` is the best place that it has seen itself, `best`
# the best that any of them has seen; `r_own` and `r_best` are random numbers between 0 and 1. All six are
# arrays of shape `(D,)`.

# %%
omega, c, s = exercises.omega, exercises.c, exercises.s  # inertia, cognitive and social pull


def velocity(v, x, own_best, best, r_own, r_best): ...


exercises.q6.check(velocity)
# exercises.q6.hint()  # and .solution()

# %% [markdown]
# The standard form (Clerc and Kennedy 2002) is
#
# $$v := 0.73\,v + 1.5\,r_1\,(p - x) + 1.5\,r_2\,(g - x), \qquad x := x + v,$$
#
# with random numbers $r_1, r_2$ in $[0, 1]$, new ones for each particle and each coordinate.


# %%
PULL = 1.49618


def swarm(J, x, rounds, cognitive=PULL, social=PULL, omega=0.7298):
    """Places (..., P, D) of P particles in each round, the best place of all, and the loss there."""
    v, own, own_loss = 0.0, x, J(x)
    for _ in range(rounds):
        first = own_loss.argmin(axis=-1)[..., None]
        best = np.take_along_axis(own, first[..., None], axis=-2)
        yield x, best[..., 0, :], np.take_along_axis(own_loss, first, axis=-1)[..., 0]
        r_own, r_best = rng.random((2, *x.shape))
        v = omega * v + cognitive * r_own * (own - x) + social * r_best * (best - x)
        x = x + v
        loss = J(x)
        own = np.where((loss < own_loss)[..., None], x, own)
        own_loss = np.minimum(loss, own_loss)


# %% [markdown]
# *Rastrigin's* surface is a wide bowl full of holes, one at each corner of a lattice; we move its lowest hole to
# a random place. 20 particles have 50 rounds, that is 1,000 evaluations. Press play.
#
# **Predict.** Does the swarm find the lowest of about a hundred holes?


# %%
def rastrigin(w, lowest):
    return (10 + (w - lowest) ** 2 - 10 * np.cos(2 * np.pi * (w - lowest))).sum(axis=-1)


EDGE = 5.12
hole = rng.uniform(-3, 3, size=2)
begin = rng.uniform(-EDGE, EDGE, size=(20, 2))
places, best, lowest = (np.array(a) for a in zip(*swarm(lambda w: rastrigin(w, hole), begin, 50)))
square = (-EDGE, EDGE, -EDGE, EDGE)
print(f"lowest loss found: {lowest[-1]:.3f}")
explorers.swarm(lambda w: rastrigin(w, hole), square, places, best)

# %%
fig, axes = plt.subplots(1, 3, figsize=(14, 5.9), sharey=True)
for ax, i in zip(axes, (0, 9, 49)):
    lesson.draw_surface(ax, lambda w: rastrigin(w, hole), square)
    ax.plot(*places[i].T, "o", color="C1", ms=11, mec="white", label="a particle")
    ax.plot(*best[i], "X", color="black", ms=15, mec="white", ls="", label="the best place so far")
    ax.plot(*hole, "o", color="none", ms=30, mec="C3", mew=4, ls="", label="the lowest hole")
    ax.set(title=f"round {i + 1}", xlim=square[:2], ylim=square[2:], xticks=range(-4, 5, 2))
    ax.label_outer()
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
plotting.show(
    "Three pictures of a surface full of holes: twenty dots, spread over it at first, are drawn together, "
    "most of them in the end around one hole; a cross marks the best place found, a ring the lowest hole."
)

# %% [markdown]
# The ring marks the lowest hole. In other holes $J$ is about 1 or more. One run is an anecdote; we count how many
# of many runs end in the lowest hole, and let others compete with **equal evaluations**: a swarm without one of
# the pulls (the other one doubled), and gradient descent from many random starts: 9 steps and a look at the
# end, a gradient counted, generously, as one evaluation.
#
# For the restarts there is a yardstick: the starts that roll into the lowest hole fill a square of side 1
# in a box of side 10.24, so $n$ starts find it with probability $1-(1-10.24^{-2})^n$.


# %%
def swarm_successes(J, edge, near, shape, rounds, cognitive=1, social=1):
    """Which of several swarms, shape (runs, P, D), come nearer than `near` to the lowest J, 0."""
    x = rng.uniform(-edge, edge, size=shape)
    *_, (_, _, loss) = swarm(J, x, rounds, PULL * cognitive, PULL * social)
    return 1.0 * (loss < near)


def restart_successes(J, slope, alpha, edge, near, shape, steps=10):
    x = rng.uniform(-edge, edge, size=shape)
    ends = lesson.path(gradient_descent, slope, x, alpha, steps - 1)[-1]
    return 1.0 * (J(ends).min(axis=-1) < near)


def rastrigin_slope(w, lowest):
    return 2 * (w - lowest) + 20 * np.pi * np.sin(2 * np.pi * (w - lowest))


holes, alpha = rng.uniform(-3, 3, size=(RUNS, 1, 2)), 1 / (2 + 40 * np.pi**2)  # 1 / L
J, slope = (lambda w: rastrigin(w, holes)), (lambda w: rastrigin_slope(w, holes))
found = {
    "swarm": swarm_successes(J, EDGE, 0.5, (RUNS, 20, 2), 50),
    "without social pull": swarm_successes(J, EDGE, 0.5, (RUNS, 20, 2), 50, 2, 0),
    "without cognitive pull": swarm_successes(J, EDGE, 0.5, (RUNS, 20, 2), 50, 0, 2),
    "restarted gradient descent": restart_successes(J, slope, alpha, EDGE, 0.5, (RUNS, 100, 2)),
}
for name, success in found.items():
    low, high = binomtest(int(success.sum()), RUNS).proportion_ci(method="wilson")
    print(f"{name:26}  {success.mean():.2f}  (95 %: {low:.2f} to {high:.2f})")

# %%
by_formula = 1 - (1 - (2 * EDGE) ** -2) ** 100
error = (by_formula * (1 - by_formula) / RUNS) ** 0.5
claims.check("Restarts find the lowest hole as often as the formula says",
             found["restarted gradient descent"].mean(), by_formula, within=4, se=error)  # fmt: skip
for pull, bound in (("social", 0.6), ("cognitive", 0.15)):
    lost = claims.mean_and_error(found["swarm"] - found[f"without {pull} pull"], "runs")
    claim(f"Without its {pull} pull, the other doubled, the swarm succeeds less often, by the share",
          **lost, above=bound)  # fmt: skip

# %% [markdown]
# Both pulls count, the social one most: without it there are twenty searchers, and no swarm. Is a swarm better
# than restarts? That depends on the surface and on how well either is set up: section 11 compares them fairly,
# and trains networks without a gradient.
#
# *Learned: a swarm shares what it finds. It needs no slope, and many evaluations.*
#
# ## 7. Saddles, not minima
#
# "The thing you should be worried the most is not getting stuck in local minimum, which almost never happen, but
# on saddle points", say the slides. At a saddle the slope is zero, too, but some directions lead down. (Why they
# are so common in many dimensions: section 10.)
#
# How long does it take to leave one? Take an *elongated* saddle, $J = \frac12(L\,w_1^2 - \lambda\,w_2^2)$, with
# $\lambda$ much smaller than $L = 1$. We start at $w_2 = \delta$, close to the ridge, and are free at $w_2 = r$.
# Gradient descent multiplies $w_2$ by $1 + \alpha\lambda$ in each step, so it takes
# $\log(r/\delta) / \log(1+\alpha\lambda)$ of them. Momentum multiplies, in the long run, by the larger root of
# $z^2 - (1+\beta+\alpha(1-\beta)\lambda)\,z + \beta = 0$ (put $w_t = z^t$ into the rule). Its α is ten times larger, so
# that $\alpha(1-\beta)$ is gradient descent's. And RMSProp and Adam?
#
# **Predict.** A ten times flatter saddle: how many times longer does each method take? And a turned one?

# %% tags=["rtol=0.02"]
DELTA, REACH = 1e-3, 1.0
RATES = {"gradient descent": 1.0, "momentum": 10.0, "RMSProp": 0.01, "Adam": 0.01}


def leave(name, flatness, turn):
    """The path out of the saddle, turned back."""
    H, start = turn * [1, -flatness] @ turn.T, turn @ [0.5, DELTA]
    steps = 6_000 if name in ("RMSProp", "Adam") else int(8 / flatness)  # enough
    return lesson.path(RULES[name], lambda w: w @ H, start, RATES[name], steps) @ turn


def expected_steps(name, flatness):
    growth = 1 + RATES[name] * flatness
    if name == "momentum":
        b = 1.9 + 10 * (1 - 0.9) * flatness
        growth = (b + np.sqrt(b**2 - 4 * 0.9)) / 2
    return np.log(REACH / DELTA) / np.log(growth)


FLATNESS = 0.1, 0.01, 0.001
steps = {(name, way): [int((abs(leave(name, flatness, turn)[:, 1]) >= REACH).argmax())
                       for flatness in FLATNESS]
         for name in RULES for way, turn in (("along an axis", STRAIGHT), ("turned", TURNED))}  # fmt: skip
for name in ("gradient descent", "momentum"):
    steps[name, "theory"] = [expected_steps(name, flatness) for flatness in FLATNESS]
saddle = pd.DataFrame(steps, [f"λ = {flatness}" for flatness in FLATNESS]).T.loc[list(RULES)]
saddle.round(1)

# %%
fig, axes = plt.subplots(1, 2, figsize=(13, 4.4), sharey=True)
for ax, (way, turn) in zip(axes, (("along an axis", STRAIGHT), ("turned", TURNED))):
    for i, name in enumerate(RULES):
        w_2 = abs(leave(name, 0.01, turn)[: steps[name, way][1] + 1, 1])
        ax.loglog(np.arange(len(w_2)), w_2, color=f"C{i}", label=name)
    ax.axhline(REACH, color="0.4", ls="--", lw=1.5, label="free")
    ax.set(title=f"saddle {way}, λ = 0.01", xlabel="step", xlim=(1, 3_000))
axes[0].set_ylabel("distance from the ridge")
axes[1].legend()
plotting.show(
    "Distance from the ridge over the steps. Along an axis RMSProp and Adam leave first, on straight lines; "
    "in the turned saddle they creep along for long, while the other two do what they did."
)

# %%
straight, turned = (saddle.xs(way, level=1) for way in ("along an axis", "turned"))
ratio = straight.loc[["gradient descent", "momentum"]] / saddle.xs("theory", level=1)
claims.check("Gradient descent leaves every saddle in as many steps as theory says (ratio)",
             ratio.loc["gradient descent"], 1, within=0.05)  # fmt: skip
claims.check("Momentum leaves the flattest saddle in as many steps as theory says (ratio)",
             ratio.loc["momentum", "λ = 0.001"], 1, within=0.05)  # fmt: skip
for name in ("RMSProp", "Adam"):
    ratio = straight.loc[name] / straight.loc[name, "λ = 0.1"]
    claims.check(f"{name} takes as many steps for flat saddles (ratio)", ratio, 1, within=0.05)
for name in ("gradient descent", "momentum"):
    text = f"{name.capitalize()} leaves turned saddles in as many steps as straight ones (ratio)"
    claims.check(text, turned.loc[name] / straight.loc[name], 1, within=0.001)
longer = (turned / straight).loc["Adam", "λ = 0.001"]
claim("A flat saddle (λ = 0.001) holds Adam longer if it is turned by 45°, by the factor", longer,
      above=10, digits=1, headline=True)  # fmt: skip

# %% [markdown]
# Along an axis RMSProp and Adam need somewhat less than $r/\alpha$ steps, however flat the saddle is: their step
# hardly depends on the size of the slope. "And that's why Adam is so effective", say the slides. But turn the
# saddle, and the advantage is gone: now they, too, need the more steps the flatter it is, while gradient descent
# and momentum need exactly as many as before. Each weight feels the steep direction, and the small push
# outwards is divided by it. Who is first then depends on the rates.
#
# *Learned: leaving a saddle costs the logarithm of the distance, divided by the curvature λ; the short way of RMSProp and
# Adam exists along axes only.*
#
# ## 8. A real network: which one is best?
#
# Digits at last: a network 784-32-10 on 3,500 pictures, in batches of 100, for a few epochs. The question is easy
# to ask and easy to cheat at. A comparison is *fair* if every method is tuned as carefully as the others: the
# same grid of learning rates, judged on validation pictures, reported on test pictures that nobody looked at.
# And one run is luck: we take ten starts and validation sets, the same for all methods. (The ± below are over these
# ten; the test pictures stay the same.)
#
# Everything fits into a single array: each row of `w` holds the weights of a network, one for each method and
# each α. So the rules above train 32 networks at once, as they are.
#
# **Predict.** Which method wins? By how much, compared with all at the same α?

# %%
GRID = np.sqrt(10) ** np.arange(-6, 2)  # 0.001 to 3.2
SHAPES = (784, 32), (1, 32), (32, 10), (1, 10)  # of W1, b1, W2, b2
digits = data.load_mnist5k()
pixels, y = (digits.x.reshape(-1, 784) / 255).astype("float32"), digits.y
learn, test = train_test_split(np.arange(5_000), test_size=1_000, stratify=y, random_state=SEED)


def log_softmax(w, x, shapes):
    """Hidden units, log-probabilities and W2 of all networks, whose weights are the rows of w."""
    cuts = np.cumsum([n * m for n, m in shapes])[:-1]
    W1, b1, W2, b2 = (part.reshape(-1, *shape)
                      for part, shape in zip(np.split(w, cuts, axis=1), shapes))  # fmt: skip
    h = np.maximum(x @ W1 + b1, 0)
    scores = h @ W2 + b2
    scores = scores - scores.max(axis=-1, keepdims=True)
    return h, scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True)), W2


def loss_of(w, x, y, shapes):
    return -log_softmax(w, x, shapes)[1][:, np.arange(len(y)), y].mean(axis=1)


def network_gradient(w, x, y, shapes):
    """Back propagation: the gradient of each network's mean loss."""
    h, log_p, W2 = log_softmax(w, x, shapes)
    d_scores = (np.exp(log_p) - np.eye(shapes[-1][1], dtype=w.dtype)[y]) / len(y)
    d_h = (d_scores @ W2.swapaxes(1, 2)) * (h > 0)
    parts = (x.T @ d_h, d_h.sum(axis=1), h.swapaxes(1, 2) @ d_scores, d_scores.sum(axis=1))
    return np.concatenate([part.reshape(len(w), -1) for part in parts], axis=1)


def random_weights(shapes, draw):
    parts = [draw.normal(scale=(2 / n) ** 0.5 * (n > 1), size=n * m) for n, m in shapes]
    return np.concatenate(parts)  # biases, of n = 1, start at 0


def one_seed(seed):
    """Validation and test loss after each epoch, for each method and rate: (EPOCHS, 2, 4, 8)."""
    draw = np.random.default_rng([SEED, seed])
    split = {"stratify": y[learn], "random_state": int(draw.integers(2**32))}
    train, valid = train_test_split(learn, test_size=500, **split)
    w = np.tile(random_weights(SHAPES, draw).astype("float32"), (len(RULES) * len(GRID), 1))
    rates, memory, losses = GRID.astype("float32")[:, None], [(0, 0)] * len(RULES), []
    order = np.concatenate([draw.permutation(train) for _ in range(EPOCHS)])
    for t, i in enumerate(order.reshape(-1, 100), start=1):
        gradients = np.split(network_gradient(w, pixels[i], y[i], SHAPES), len(RULES))
        for k, (rule, dw) in enumerate(zip(RULES.values(), gradients)):
            step, *memory[k] = rule(dw, *memory[k], t, rates)
            w[k * len(GRID) : (k + 1) * len(GRID)] -= step
        if t * 100 % len(train) == 0:
            scores = [loss_of(w, pixels[i], y[i], SHAPES) for i in (valid, test)]
            losses.append(np.reshape(scores, (2, len(RULES), -1)))
    return losses


# %%
i, w, ways = learn[:100], random_weights(SHAPES, rng)[None], rng.normal(size=(10, 25_450))
up, down = (loss_of(w + h * ways, pixels[i], y[i], SHAPES) for h in (1e-9, -1e-9))
along = ways @ network_gradient(w, pixels[i], y[i], SHAPES)[0]
size = np.linalg.norm(along)
claims.check("In ten random directions back propagation gives the slope of a small step",
             along / size, (up - down) / 2e-9 / size, within=1e-5)  # fmt: skip
with np.errstate(over="ignore", invalid="ignore"):  # of rates that are too large
    losses = np.array([one_seed(seed) for seed in tqdm(range(SEEDS), leave=False)])
losses = np.nan_to_num(losses, nan=9.0).clip(max=9.0)  # (SEEDS, EPOCHS, 2, 4, 8)
on_valid, on_test = losses[:, :, 0], losses[:, :, 1]

# %%
chosen = on_valid.argmin(axis=-1)[..., None]  # for each seed, epoch and method the best rate
tuned = np.take_along_axis(on_test, chosen, axis=-1)[..., 0]  # (SEEDS, EPOCHS, 4)
fig, axes = plt.subplots(1, 2, figsize=(14, 4.6))
epochs = np.arange(1, EPOCHS + 1)
for k, name in enumerate(RULES):
    for ax, x, curve in ((axes[0], GRID, on_test[:, -1, k]), (axes[1], epochs, tuned[..., k])):
        ax.plot(x, curve.mean(axis=0), "o-", color=f"C{k}", label=name)
        ax.fill_between(x, *np.quantile(curve, [0.1, 0.9], axis=0), color=f"C{k}", alpha=0.2)
axes[0].set(xscale="log", ylim=(0.2, 2.5), xlabel="learning rate α", ylabel="test loss in nats",
            title=f"after {EPOCHS} epochs")  # fmt: skip
axes[1].set(xlabel="epoch", ylim=(0.2, 0.8), title="each with its best α", xticks=epochs)
axes[1].legend()
plotting.show(
    "Left: test loss against the learning rate, four curves with valleys at different rates. Right: test "
    "loss over the epochs, each method at its best rate; the four curves come close to one another."
)

# %%
at_001 = on_test[:, -1, :, 2]  # all at α = 0.01
table = {"all at α = 0.01": at_001.mean(axis=0), "tuned, 2 epochs": tuned[:, 1].mean(axis=0),
         f"tuned, {EPOCHS} epochs": tuned[:, -1].mean(axis=0)}  # fmt: skip
untuned = claims.mean_and_error(at_001[:, 0] - at_001[:, 3], "starts")
claim("All at α = 0.01, Adam's test loss is below gradient descent's, by", **untuned, above=0.7,
      unit="nats")  # fmt: skip
early = claims.mean_and_error(tuned[:, 1, 0] - tuned[:, 1, 3], "starts")
claim("Each tuned, Adam's test loss after 2 epochs is below gradient descent's, by", **early,
      above=0.02, unit="nats", digits=3, headline=True)  # fmt: skip
lead = tuned[..., 1] - tuned[..., 3]  # Adam's over momentum, for the same starts: (SEEDS, EPOCHS)
claim(f"Each tuned, momentum's test loss after {EPOCHS} epochs is close to Adam's, above it by",
      **claims.mean_and_error(lead[:, -1], "starts"), above=-0.04, below=0.04, unit="nats",
      digits=3)  # fmt: skip
lost = claims.mean_and_error(lead[:, 0] - lead[:, -1], "starts")
claim(f"From epoch 1 to {EPOCHS} Adam's lead over momentum, each tuned, shrinks by", **lost,
      above=0.03, unit="nats", digits=3)  # fmt: skip
mean = on_test[:, -1].mean(axis=0)
wide = (mean < mean.min(axis=-1, keepdims=True) + 0.2).sum(axis=-1)  # rates within 0.2 of the best
claim("The other methods forgive more learning rates of the grid than gradient descent, by at least",
      wide[1:].min() - wide[0], above=0.5, unit="rates", digits=1, headline=True)  # fmt: skip
pd.DataFrame(table, RULES).round(2)

# %% [markdown]
# At α = 0.01 Adam and RMSProp seem to win by far. That is the grid, not the method: the other two need a rate tens
# of times larger. Tuned, Adam is ahead early on; by the last epoch momentum has all but caught up. Momentum, RMSProp
# and Adam are about equally forgiving of a poor α, gradient descent less. (Bands hold eight of ten runs. On the right
# α is chosen anew for each run and epoch, by its validation pictures. One small network: others may differ.)
#
# *Learned: an optimiser is a rule and its learning rate. Who tunes only one side compares nothing.*
#
# ## 9. Further: the noise of a mini-batch
#
# First the variance of section 4. We check it on logistic regression for 569 tumours and 30 measurements, by
# drawing many batches; then exactly, on the first six examples, by taking all subsets.

# %%
cells = data.load_breast_cancer()
x, y = scale(cells.x.astype(float)), cells.y
N, DRAWS = len(y), 3_000
w = rng.normal(scale=0.1, size=30)
each = (1 / (1 + np.exp(-x @ w)) - y)[:, None] * x  # the gradient of each example, (N, 30)
sigma2 = each.var(axis=0).sum()


def batch_variance(sigma2, B, N, replacement):
    return sigma2 / B * (1 if replacement == "with" else (N - B) / (N - 1))


rows = []
for B in (1, 8, 64, 256):
    order = rng.random((DRAWS, N))
    chosen = {
        "with": rng.multinomial(B, np.full(N, 1 / N), size=DRAWS),
        "without": order <= np.partition(order, B - 1, axis=1)[:, [B - 1]],  # the B smallest
    }
    for how, counts in chosen.items():
        square = ((counts @ each / B - each.mean(axis=0)) ** 2).sum(axis=1)
        theory = batch_variance(sigma2, B, N, how)
        rows.append((B, how, square.mean(), theory, square.std() / DRAWS**0.5))
columns = ["B", "replacement", "variance", "theory", "standard error"]
noise = pd.DataFrame(rows, columns=columns).set_index(["B", "replacement"])
claims.check("The variance of a mini-batch's gradient is the formula's", noise["variance"],
             noise["theory"], within=4, se=noise["standard error"])  # fmt: skip
noise.iloc[:, :2].round(3)

# %%
six = each[:6]
for B in (2, 4):
    means = [six[list(part)].mean(axis=0) for part in combinations(range(6), B)]
    ratio = np.var(means, axis=0).sum() / batch_variance(six.var(axis=0).sum(), B, 6, "without")
    text = f"Over all batches of {B} out of 6 the variance is exactly the formula's"
    claims.check(text, ratio, 1, within=1e-9)

# %% [markdown]
# And the footnote, that a local minimum of one mini-batch need not be one of the next? We count how often a batch of
# section 4 keeps a wrong valley of all data where it is, within 0.05.


# %%
def valleys(loss):
    """Where a curve over `wave` has its local minima."""
    inner = loss[1:-1]
    return wave[1:-1][(inner < loss[:-2]) & (inner < loss[2:])]


wrong_valleys = [v for v in valleys(wave_loss.mean(axis=0)) if v > 3]
for B in (5, 20, 100):
    parts = [rng.choice(200, size=B, replace=False) for _ in range(500)]
    found = [valleys(wave_loss[part].mean(axis=0)) for part in parts]
    kept = np.mean([abs(f - v).min(initial=9) < 0.05 for f in found for v in wrong_valleys])
    print(f"B = {B:3}: share of batches that keep a wrong valley in its place: {kept:.2f}")

# %% [markdown]
# *Learned: batches have valleys of their own, the more so the smaller they are.*
#
# ## 10. Further: more about saddles
#
# ### Exercise 7: how long does a saddle hold us?
#
# $J = \frac12\left(L w_1^2 - \lambda w_2^2\right)$ with $L = 1$, $\lambda = 0.01$. We start at $w_2 =
# \delta = 0.001$ and count the steps until $|w_2| \ge 1$: gradient descent with $\alpha = 1$, RMSProp
# with $\alpha = 0.01$. Now one of the three is changed: $\delta$ is divided by 1000 (we start nearer
# to the ridge), or $\lambda$ by 10 (a flatter saddle), or $\alpha$ by 10. By which factor does the
# number of steps change, roughly? (1 if it stays, 0.5 if it halves.)

# %%
factors = {
    "gradient descent, delta / 1000": ...,
    "gradient descent, lambda / 10": ...,
    "gradient descent, alpha / 10": ...,
    "RMSProp, delta / 1000": ...,
    "RMSProp, lambda / 10": ...,
    "RMSProp, alpha / 10": ...,
}

exercises.q7.check(factors)
# exercises.q7.hint()  # and .solution()

# %% [markdown]
# **Why are saddles so common?** We draw random surfaces in $D$ dimensions, sums of many waves, look for their
# *[critical points](../docs/glossary.md#critical-point)* with [Newton's method](../docs/glossary.md#newton-method), and count how many eigenvalues of the Hessian are negative there.
#
# There is a yardstick: for such surfaces the histogram of the eigenvalues at a critical point of height $J$ is, for
# large $D$, a half circle of radius $2\sqrt D$ that is shifted by $-J$. So high points have many negative ones,
# low points few. (Newton's method meets some points more often than others; the half circle holds for each.)
#
# **Predict.** In one dimension half of the critical points are minima. In two? In twenty?


# %%
def critical_points(D, waves=200, starts=300):
    """Height J, and share of negative eigenvalues, at the critical points of a random surface."""
    k, phase = rng.normal(size=(waves, D)), rng.uniform(0, 2 * np.pi, waves)
    w, size = rng.uniform(-20, 20, size=(starts, D)), np.sqrt(2 / waves)
    for _ in range(60):
        angle = w @ k.T + phase
        slope = -size * np.sin(angle) @ k
        hessian = -size * (np.cos(angle)[:, None, :] * k.T) @ k
        step = np.linalg.solve(hessian, slope[..., None])[..., 0]
        w = w - step / np.maximum(1, 2 * np.linalg.norm(step, axis=1, keepdims=True))  # at most 1/2
    found = np.linalg.norm(slope, axis=1) < 1e-8
    _, first = np.unique(w[found].round(4), axis=0, return_index=True)  # each point once
    J = size * np.cos(angle).sum(axis=1)
    return J[found][first], (np.linalg.eigvalsh(hessian) < 0).mean(axis=1)[found][first]


def half_circle(J, D):
    """The share of a half circle of radius 2 sqrt(D), shifted by -J, that lies below 0."""
    u = np.clip(J / (2 * np.sqrt(D)), -1, 1)
    return 0.5 + (u * np.sqrt(1 - u**2) + np.arcsin(u)) / np.pi


critical = {D: critical_points(D) for D in (1, 2, 5, 20)}
fig, axes = plt.subplots(1, 2, figsize=(13, 4.4))
minima = {D: (share == 0).mean() for D, (_, share) in critical.items()}
axes[0].bar([str(D) for D in minima], minima.values(), color="C0")
axes[0].set(xlabel="dimensions D", ylabel="share of minima among critical points")
height, share = critical[20]
line = np.linspace(height.min(), height.max(), 100)
axes[1].plot(height, share, "o", ms=6, alpha=0.5, color="C0", label="a critical point")
axes[1].plot(line, half_circle(line, 20), color="C1", lw=3, label="half circle")
axes[1].set(xlabel="height $J$", ylabel="share of negative eigenvalues", title="D = 20")
axes[1].legend()
plotting.show(
    "Left: the share of minima among critical points, one half in one dimension, falls to nothing in "
    "twenty. Right: in twenty dimensions the share of negative eigenvalues rises with the height, "
    "along the curve of the half circle."
)

# %%
expected, found = half_circle(height, 20) - 0.5, share - 0.5
claim("In two dimensions about a quarter of the critical points are minima, share", minima[2],
      above=0.12, below=0.4)  # fmt: skip
claim("In twenty dimensions hardly any critical point is a minimum, share", minima[20],
      below=0.02, digits=3, headline=True)  # fmt: skip
claims.check("For D = 20 the shares of negative eigenvalues rise as the half circle's",
             (expected * found).sum() / (expected**2).sum(), 1, within=0.1)  # fmt: skip

# %% [markdown]
# About a quarter in two dimensions, and none that we found in twenty. On such surfaces the slides are right: a
# minimum must be one in *every* direction. The lower the point, the fewer directions lead down. (Whether real
# losses are like random surfaces is another question.)
#
# *Learned: in many dimensions what stops the slope is a saddle, except far down.*
#
# ## 11. Further: when does a swarm pay?
#
# A fair comparison tunes both sides. The swarm may have 10, 20 or 40 particles, the restarts 3, 5 or 10 evaluations
# a start and two rates, always at equal evaluations; the best of each counts. (The swarm keeps its
# constants.) Three surfaces: Rastrigin's in two and in four dimensions, and *Schwefel's*, whose lowest hole lies in a corner, far from the second lowest: no bowl leads there.
#
# **Predict.** Where does the swarm win?


# %%
def schwefel(w):
    wall = (np.maximum(abs(w) - 500, 0) ** 2).sum(axis=-1)
    return (418.98289 - w * np.sin(np.sqrt(abs(w)))).sum(axis=-1) + wall


def schwefel_slope(w):
    root = np.sqrt(abs(w))
    wall = 2 * np.maximum(abs(w) - 500, 0) * np.sign(w)
    return wall - np.sin(root) - root * np.cos(root) / 2


def best_of_each(J, slope, alpha, edge, near, D, evaluations):
    """The runs in which the best swarm succeeds, and the best restarts."""
    swarms = [swarm_successes(J, edge, near, (RUNS, P, D), evaluations // P) for P in (10, 20, 40)]
    restarts = [restart_successes(J, slope, a * alpha, edge, near, (RUNS, evaluations // n, D), n)
                for n in (3, 5, 10) for a in (1, 1.3)]  # fmt: skip
    return max(swarms, key=np.mean), max(restarts, key=np.mean)


# %%
successes = {}
for D, evaluations in ((2, 1_000), (4, 4_000)):
    lowest = rng.uniform(-3, 3, size=(RUNS, 1, D))
    surface = lambda w, at=lowest: rastrigin(w, at), lambda w, at=lowest: rastrigin_slope(w, at)
    alpha = 1 / (2 + 40 * np.pi**2)  # 1 / L
    successes[f"Rastrigin, D = {D}"] = best_of_each(*surface, alpha, EDGE, 0.5, D, evaluations)
successes["Schwefel, D = 2"] = best_of_each(schwefel, schwefel_slope, 5.0, 500, 50, 2, 1_000)
(_, (swarm_4, restarts_4), (swarm_s, restarts_s)) = successes.values()
claim("In a bowl full of holes in four dimensions a swarm beats restarts, in share of successes by",
      **claims.mean_and_error(swarm_4 - restarts_4, "runs"), above=0.15, headline=True)  # fmt: skip
claim("Without a bowl around the holes restarts beat a swarm, in share of successes by",
      **claims.mean_and_error(restarts_s - swarm_s, "runs"), above=0.1)  # fmt: skip
share = {name: np.mean(pair, axis=1) for name, pair in successes.items()}
pd.DataFrame(share, ["best swarm", "best restarts"]).T.round(2)

# %% [markdown]
# Where the holes lie in a wide bowl, the swarm feels the bowl and restarts do not. In two dimensions they draw, in
# four the swarm wins. On Schwefel's surface there is no bowl, and restarts win.
#
# Can a swarm train a network? Each particle is one, and all 40 are evaluated in one go, 250 times. First two
# moons with 42 weights, then digits of 8 × 8 pixels with 1,210. Beside it stands the best of ten gradient
# descents, at equal evaluations if a gradient counts as three (back propagation costs about as much as two
# evaluations more).
#
# **Predict.** Which of the two networks can the swarm train?


# %%
def swarm_and_descent(x, y, shapes):
    """Held-out accuracy of a network trained by a swarm, and of one trained by its gradient."""
    train, test = train_test_split(np.arange(len(y)), train_size=500, stratify=y, random_state=SEED)
    begin = rng.normal(scale=0.3, size=(40, sum(n * m for n, m in shapes)))

    def J(w):
        return loss_of(w, x[train], y[train], shapes)

    def slope(w):
        return network_gradient(w, x[train], y[train], shapes)

    *_, (_, best, _) = swarm(J, begin, rounds=250)
    ends = lesson.path(gradient_descent, slope, begin[:10], alpha=0.5, steps=333)[-1]
    winners = best[None], ends[[J(ends).argmin()]]
    return [(log_softmax(w, x[test], shapes)[1].argmax(axis=-1) == y[test]).mean() for w in winners]


x, labels = make_moons(2_000, noise=0.15, random_state=SEED)
moons = swarm_and_descent(scale(x), labels, ((2, 8), (1, 8), (8, 2), (1, 2)))
small = data.load_digits()
x = small.x.reshape(-1, 64).astype(float) / 16
small_digits = swarm_and_descent(x, small.y, ((64, 16), (1, 16), (16, 10), (1, 10)))
claim("A swarm trains a network of 42 weights, accuracy", moons[0], above=0.94)
gain = small_digits[1] - small_digits[0]
claim("With 1,210 weights the gradient's accuracy is above the swarm's, by", gain, above=0.1)
table = {"moons, 42 weights": moons, "digits, 1,210 weights": small_digits}
pd.DataFrame(table, ["swarm", "gradient descent"]).round(2)

# %% [markdown]
# With few weights it works. With more the gradient wins by far: an evaluation returns one number, a gradient as
# many as there are weights.
#
# *Learned: where there is a gradient, use it.*
#
# ## 12. Further: Adam in Keras, to the last digit
#
# Why such odd betas? Where Keras corrects the start, by $1-\beta^t$, β passes through single precision. $0.999$ is
# not exact there, and $1-\beta$ is off in its fifth digit. (In the averages it is exact.) Our rule can do the same:


# %%
def single_adam(dw, V, S, t, alpha, beta_M, beta_R, eta):
    _, V, S = adam(dw, V, S, t, alpha, beta_M, beta_R)
    short_V, short_S = 1 - float(np.float32(beta_M)) ** t, 1 - float(np.float32(beta_R)) ** t
    return alpha * V / short_V / (np.sqrt(S / short_S) + eta / np.sqrt(short_S)), V, S


H, start = bowl(10, D=6), 1e-3 * rng.normal(size=6)
error = {rule: difference(rule, adam_(0.01, 0.9, 0.999, ETA), beta_M=0.9, beta_R=0.999, eta=ETA)
         for rule in (keras_adam, single_adam)}  # fmt: skip
claim("Adam corrected in double precision leaves Keras's path, by", error[keras_adam],
      above=1e-6, unit="steps", digits=7)  # fmt: skip
claims.check("Corrected in single precision Adam walks Keras's path", error[single_adam], 0,
             within=1e-9)  # fmt: skip

# %% [markdown]
# **Is the first step of Adam α in every direction?** So it is often said: after one step $V^{corr} = dw$ and
# $S^{corr} = dw^2$, so the step is $\alpha\,\mathrm{sign}(dw)$. But η is there, too.

# %%
dw = np.logspace(0, -8, 5)
w = keras.Variable(np.zeros(5))
adam_(learning_rate=1.0, epsilon=1e-7).apply([keras.ops.convert_to_tensor(dw)], [w])
formula = dw / (dw + 1e-7 / np.sqrt(1 - 0.999))
first = pd.DataFrame({"Keras, in units of α": -w.numpy(), "|dw| / (|dw| + 31.6 η)": formula})
claims.check("Adam's first step is the formula's", -w.numpy(), formula, within=1e-4)
first.set_index(pd.Index([f"1e-{i}" for i in range(0, 10, 2)], name="gradient")).round(3)

# %% [markdown]
# It holds only for gradients far above $\eta/\sqrt{1-\beta_R}$, which is 31.6 η (with η behind the root, as on the
# slides, far above η). And η is not decoration: a pixel that is 0 in all images has gradient 0, and without η Adam
# divides 0 by 0.
#
# *Learned: "a small η" is a small rate for small gradients.*
#
# ## Summary
#
# These are the sentences of the lesson with their numbers, and with a standard error (±) where one could be
# estimated; the other claims are folded below them.

# %%
claim

# %% [markdown]
# **What holds**: the curvature decides which α is allowed, the condition number how long it takes, and momentum
# takes its root. **What it costs**: one or two running averages. **What to remember**: RMSProp and Adam see
# axes; noise needs a decaying α; tune every method on the same grid, or do not compare.
#
# ### Further reading
#
# * B. Polyak: *Some methods of speeding up the convergence of iteration methods*, USSR Computational
#   Mathematics and Mathematical Physics 4 (1964). The heavy ball.
# * D. Kingma, J. Ba: *Adam: A Method for Stochastic Optimization*, ICLR 2015. Section 2 for both places of η.
# * S. Reddi, S. Kale, S. Kumar: *On the Convergence of Adam and Beyond*, ICLR 2018. Where Adam fails.
# * M. Clerc, J. Kennedy: *The particle swarm*, IEEE Transactions on Evolutionary Computation 6 (2002).
# * Y. Dauphin et al.: *Identifying and attacking the saddle point problem*, NeurIPS 2014.
# * A. Bray, D. Dean: *Statistics of Critical Points of Gaussian Fields on Large-Dimensional Spaces*, Physical
#   Review Letters 98 (2007). The half circle.
# * D. Choi et al.: *On Empirical Comparisons of Optimizers for Deep Learning*, arXiv 1910.05446. Tuned fairly.
