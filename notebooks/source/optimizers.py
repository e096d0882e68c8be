# %% [markdown]
# # Optimisers: the way down
#
# **Which way down the loss is the fastest, and how would you know?**
#
# Training a network means walking downhill in the dark. At each place you feel the slope under your
# feet, and no more. There is a handful of rules for the next step. You will write each of them in two
# or three lines, watch them walk, and hold them against what theory says exactly. Then you let them
# compete on a real network. Some sentences that are often repeated about them will not survive.
#
# ![A surface with two valleys seen from above. A dot marks a start, two crosses mark the valleys,
# and question marks stand between them.](figures/optimizers.png)
#
# | | |
# | --- | --- |
# | **Slides** | *Machine Learning for Astrophysics: Deep Learning*, gradient descent and the optimisation algorithms; *Bayesian Neural Networks and VAE*, *Optimization NN* |
# | **You will be able to** | say which learning rate diverges before you try it; derive what momentum gains; write RMSProp, Adam and AdamW and translate between the slides and Keras; say what a turned valley, a saddle and noise do to each; compare optimisers fairly |
# | **You need** | the lesson *neural_networks*; derivatives, eigenvalues of a symmetric matrix |
# | **Time** | 90 minutes, and 45 more for what is marked *further* |

# %% tags=["nbval-ignore-output"]
import course_utils

SEED = course_utils.setup(seed=1)

# %%
import functools
import itertools

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.signal import argrelmin
from sklearn.model_selection import KFold, train_test_split
from tqdm.auto import tqdm

from course_utils import claims, explorers, plotting
from course_utils.exercises import optimizers as exercises
from course_utils.lessons import optimizers as lesson

claim = claims.Claims()
rng = np.random.default_rng(SEED)

# %% [markdown]
# The budget of this run: epochs of the real network, and runs of the swarm.

# %%
EPOCHS, RUNS = 8, 800

# %% [markdown]
# ## 1. Gradient descent: how long should a step be?
#
# A loss $J(w)$ says how bad the weights $w$ are. Its gradient $dJ/dw$, in code `dw`, points uphill.
# So we step against it, with a *learning rate* $\alpha$:
#
# $$w := w - \alpha\,\frac{dJ(w)}{dw}$$
#
# In code a *rule* gets the gradient and returns the step. The cleverer rules below need a memory as
# well, `V` and `S`, and the number `t` of the step. Gradient descent ignores all three. `walk`
# applies a rule again and again.


# %%
def gradient_descent(dw, V, S, t, alpha):
    return alpha * dw, V, S


def walk(rule, slope, w, alpha, steps, **settings):
    """All places on the way down, the start first; slope gives the gradient at w."""
    places, V, S = [w], 0.0, 0.0
    for t in range(1, steps + 1):
        step, V, S = rule(slope(w), V, S, t, alpha, **settings)
        w = w - step
        places.append(w)
    return np.array(places)


# %% [markdown]
# Which way would you go from the dot, and how far in one step?


# %% tags=["cover"]
lesson.draw_question(plt.subplots(figsize=(8, 4.6))[1])
plotting.show("A surface with two valleys, a start, and question marks on the ways down.")

# %% [markdown]
# Let us begin with a single weight. This loss has two valleys, and the left one is deeper.
#
# **Predict.** We start at the right end, $w = 1.9$. Where will gradient descent be after 25 steps
# with $\alpha = 0.005$, with $0.2$, with $0.5$? And with $0.9$?


# %%
def well(w):
    return w**4 / 4 - 0.75 * w**2 + 0.3 * w


def well_slope(w):
    return w**3 - 1.5 * w + 0.3


ways = {}
for alpha, steps in ((0.005, 25), (0.2, 25), (0.5, 25), (0.9, 3)):
    ways[f"α = {alpha}: {steps} steps"] = walk(gradient_descent, well_slope, 1.9, alpha, steps)
lesson.draw_ways(well, ways)
plotting.show(lesson.TEXTS["ways"])

# %%
left, ridge, right = np.sort(np.roots([1, 0, -1.5, 0.3]).real)  # where the slope is zero
ends = [way[-1] for way in ways.values()]
claims.check("α = 0.2 ends at the bottom of the near valley", ends[1], right, within=1e-3)
claims.check("α = 0.5 ends at the bottom of the far one", ends[2], left, within=0.01)
thrown = abs(list(ways.values())[3])
claims.check("α = 0.9 is farther out after each step", np.argsort(thrown), range(4))

# %% [markdown]
# Too small, and it creeps. Moderate, and it finds the *local* minimum nearby. Larger, and its first
# step leaps over the ridge into the better valley, by luck. Larger still, and every step throws it
# farther out, to the other side: it *diverges*. After a few more steps the numbers overflow.
#
# *Learned: gradient descent finds a valley near its start if its steps are short, and diverges if
# they are too long.*
#
# ### Exercise 1: the slide that goes the wrong way
#
# The slide *Optimization NN* trains a network by following the
# [log-likelihood](../docs/glossary.md#likelihood) with a minus sign, in our letters $w := w -
# \alpha\,\frac{\partial}{\partial w} \sum_i \log p(y_i|x_i, w)$. Here $\log p$ is large where the
# network gives the data a high probability. Which way does that go? Write the step as it should be.
# `w` holds the weights, `grad_log_p` the derivatives of the sum at `w` (same shape), `alpha` is the
# rate. Return the new `w`.


# %%
def step(w, grad_log_p, alpha): ...


exercises.q1.check(step)
# exercises.q1.hint()  # and .solution()

# %% [markdown]
# ## 2. The bowl: which rate diverges?
#
# Can we say beforehand which rate is too large? Around a minimum a smooth loss is to first
# approximation a bowl, $J(w) = \frac12 w^\top H\,w$ with the minimum at 0. The matrix $H$ of second
# derivatives is called the *Hessian*. Its eigenvalues $\lambda$, all positive, are the *curvatures*
# along its eigenvectors. Write $\mu$ for the smallest, $L$ for the largest and $\kappa = L/\mu$,
# the *condition number*. It says how narrow the valley is.
#
# Look along one eigenvector. There the gradient is $\lambda w$, so one step gives $w -
# \alpha\lambda w = (1 - \alpha\lambda)\,w$: each step multiplies $w$ by $1-\alpha\lambda$.
#
# * The walk converges if $|1 - \alpha\lambda| < 1$ for every $\lambda$, that is for $\alpha < 2/L$.
#   The *steepest* direction sets the limit.
# * In the long run the distance shrinks like the slowest direction, by $\max_\lambda |1 -
#   \alpha\lambda|$ per step. The best rate treats the flattest and the steepest direction alike:
#   $1 - \alpha\mu = \alpha L - 1$ gives $\alpha = \frac{2}{L+\mu}$ and the factor
#   $\frac{\kappa-1}{\kappa+1}$. In a narrow valley that is nearly 1.
#
# **Predict.** Take 20 directions with curvatures from 1 to 10, so $2/L = 0.2$. At which of the
# rates $0.1$, $0.18$, $0.198$ and $0.202$ does gradient descent come closest in 400 steps?


# %%
def bowl(kappa, D=20):
    """A Hessian with curvatures from 1 to kappa, along directions turned at random."""
    turn = np.linalg.qr(rng.normal(size=(D, D)))[0]
    return turn * np.linspace(1, kappa, D) @ turn.T


def distances(rule, H, steps, **settings):
    """How far from the minimum a walk is after each step, from a random start."""
    path = walk(rule, lambda w: w @ H, rng.normal(size=len(H)), steps=steps, **settings)
    return np.linalg.norm(path, axis=1)


def factor_per_step(far):
    """By what the distance shrinks per step, over the second half of a walk."""
    half = len(far) // 2
    return (far[-1] / far[half]) ** (1 / (len(far) - 1 - half))


H, rows = bowl(10), {}
for alpha in (0.1, 0.18, 2 / 11, 0.198, 0.202):
    far = distances(gradient_descent, H, 400, alpha=alpha)
    theory = abs(1 - alpha * np.linspace(1, 10, 20)).max()
    rows[f"{alpha:.3f}"] = far[-1] / far[0], factor_per_step(far), theory
table = pd.DataFrame(rows, ["distance left, as a share", "factor per step", "theory"]).T
ratio = np.log(table["factor per step"]) / np.log(table["theory"])
claims.check("Each rate shrinks or grows as theory says (ratio of logs)", ratio, 1, within=0.01)
table.map("{:.3g}".format)

# %% [markdown]
# One per cent below $2/L$ it still converges, slowly; one per cent above it diverges. "Typical
# values for α range between 0.01 and 1", say the slides. But multiply $J$ by ten, and every allowed
# $\alpha$ is ten times smaller.
#
# *Learned: the steepest direction limits the step, and the flattest one would need a longer one.*
#
# ## 3. Momentum
#
# *Momentum* steps along a running average of the gradients. What swings from side to side cancels,
# and what agrees adds up. In the form of the slides:
#
# $$V_{dw} = \beta\,V_{dw} + (1-\beta)\,dw, \qquad w := w - \alpha\,V_{dw}$$


# %%
def momentum(dw, V, S, t, alpha, beta=0.9):
    V = beta * V + (1 - beta) * dw
    return alpha * V, V, S


# %% [markdown]
# How much does it gain? Look along one eigenvector again, where the gradient at $w_t$ is $\lambda
# w_t$, and write $a = \alpha(1-\beta)$. Call $V_t$ the average *after* it has seen that gradient.
#
# $$\begin{aligned}
# w_{t+1} &= w_t - \alpha V_t && \text{the rule}\\
# &= w_t - \alpha\beta V_{t-1} - a\lambda w_t && \text{the average, written out}\\
# &= w_t + \beta\,(w_t - w_{t-1}) - a\lambda w_t && \text{the step before was } w_t - w_{t-1} = -\alpha V_{t-1}\\
# &= (1 + \beta - a\lambda)\,w_t - \beta\,w_{t-1} && \text{sorted.}
# \end{aligned}$$
#
# So each place follows from the two before it. What kind of walk obeys this? Try $w_t = z^t$ and
# divide by $z^{t-1}$:
#
# $$z^2 - (1 + \beta - a\lambda)\,z + \beta = 0 .$$
#
# The walk is $c_1 z_1^t + c_2 z_2^t$ with the two roots of this equation, and the start decides
# $c_1$ and $c_2$. The product of the roots is $\beta$, the last term.
#
# 1. **Swinging.** If the square root in the solution is of a negative number, that is if
#    $(1+\beta-a\lambda)^2 < 4\beta$, the roots are a complex pair and equally long. So $|z_1| =
#    |z_2| = \sqrt\beta$: the walk swings and shrinks by $\sqrt\beta$ per step, *whatever the
#    curvature is*. Taking roots, this is so for $(1-\sqrt\beta)^2 < a\lambda < (1+\sqrt\beta)^2$.
# 2. **The limit.** The walk diverges when a root passes $-1$. Put in $z = -1$: $2 + 2\beta -
#    a\lambda = 0$. (It never passes $1$: put in $z = 1$, and $a\lambda = 0$.) So it converges for
#    $a < \frac{2(1+\beta)}{L}$.
# 3. **The best setting.** Where the roots are real their product is still $\beta$, so the larger one
#    exceeds $\sqrt\beta$. Therefore let *all* curvatures from $\mu$ to $L$ swing, with as small a
#    $\beta$ as possible: $(1-\sqrt\beta)^2 = a\mu$ and $(1+\sqrt\beta)^2 = aL$. The quotient of the roots
#    gives $\frac{1+\sqrt\beta}{1-\sqrt\beta} = \sqrt\kappa$, their sum gives $2 = \sqrt a\,(\sqrt
#    L + \sqrt\mu)$. Hence $\sqrt\beta = \frac{\sqrt\kappa-1}{\sqrt\kappa+1}$ and $a =
#    \frac{4}{(\sqrt L+\sqrt\mu)^2}$.
#
# Compare the factors per step: $\frac{\kappa-1}{\kappa+1}$ for gradient descent,
# $\frac{\sqrt\kappa-1}{\sqrt\kappa+1}$ for momentum. On a bowl, the valley seems only $\sqrt\kappa$
# narrow.
#
# **Two conventions.** Polyak's *heavy ball* of 1964 has no factor $1-\beta$, and Keras's
# `SGD(learning_rate, momentum)` follows him. Its learning rate is our $a = \alpha\,(1-\beta)$.
#
# ### Exercise 2: which α diverges?
#
# Six descents on $J = \frac12\left(0.5\,w_1^2 + 4\,w_2^2\right)$, with full gradients and neither
# $w_1$ nor $w_2$ zero at the start. Say `"converges"` or `"diverges"` before you run anything.
# *Momentum* is the slides'.

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
# **Nesterov** (1983) first goes where momentum would carry it anyway, and feels the slope *there*:
#
# $$y_t = w_t + \beta\,(w_t - w_{t-1}), \qquad w_{t+1} = y_t - a\,\nabla J(y_t).$$
#
# A program has only one gradient per step, so it keeps $y$ in place of $w$. With $w_{t+1} - w_t =
# -\alpha V_t$ the place $y$ moves by $-\alpha\beta V_t - a\,\nabla J(y_t)$. The usual setting is
# $a = 1/L$ and $\beta = \frac{\sqrt\kappa-1}{\sqrt\kappa+1}$, with the factor $1 - 1/\sqrt\kappa$
# (given without its derivation).


# %%
def nesterov(dw, V, S, t, alpha, beta=0.9):
    V = beta * V + (1 - beta) * dw
    return alpha * (beta * V + (1 - beta) * dw), V, S


# %% [markdown]
# **Predict.** For $\kappa = 100$: how many times fewer steps than gradient descent does momentum
# take until a millionth of the distance is left? And Nesterov?


# %%
RULES = {"gradient descent": gradient_descent, "momentum": momentum, "Nesterov": nesterov}


def contest(kappa):
    """Each method's usual setting for curvatures from 1 to kappa, and its factor by theory."""
    root = kappa**0.5
    b = (root - 1) / (root + 1)
    alpha, factor = 2 / (kappa + 1), (kappa - 1) / (kappa + 1)
    yield "gradient descent", gradient_descent, {"alpha": alpha}, factor
    yield "momentum", momentum, {"alpha": 4 / (root + 1) ** 2 / (1 - b**2), "beta": b**2}, b
    yield "Nesterov", nesterov, {"alpha": 1 / kappa / (1 - b), "beta": b}, 1 - 1 / root


ratios = []
for kappa in (3, 10, 30, 100):
    H, needed, lines = bowl(kappa), {}, {}
    for name, rule, settings, theory in contest(kappa):
        steps = int(-24 / np.log(theory))
        walks = [distances(rule, H, steps, **settings) for _ in range(10)]  # from ten starts
        ratios.append(np.log(factor_per_step(walks[0])) / np.log(theory))
        needed[name] = np.mean([(far > 1e-6 * far[0]).sum() for far in walks])
        lines[name] = walks[0], theory
lesson.draw_distances(lines)
plotting.show(lesson.TEXTS["distances"])

# %%
claims.check("All shrink the distance as theory says (ratio of logs)", ratios, 1, within=0.1)
claim("κ = 100: tuned momentum needs fewer steps than tuned gradient descent, by the factor",
      needed["gradient descent"] / needed["momentum"], above=6, below=9, headline=True)  # fmt: skip
claim("κ = 100: Nesterov needs more steps than momentum, by the factor",
      needed["Nesterov"] / needed["momentum"], above=1.1)  # fmt: skip

# %% [markdown]
# Theory's slope promises $\sqrt\kappa = 10$ times fewer in the long run; until a millionth is left it is
# somewhat less. (The figure shows one start, the numbers are means of ten.) On a bowl Nesterov in its
# usual setting is slower. Section 9 shows what it is good for.
#
# *Learned: κ decides β, and with the right β momentum turns κ into √κ. Before you copy a learning
# rate, ask in whose convention it is.*

# %% [markdown]
# ## 4. A rate for each weight: RMSProp, Adam, AdamW
#
# If steep directions ask for short steps and flat ones for long ones, why not give each weight a
# rate of its own? **RMSProp** averages the *squared* gradients and divides by the root:
#
# $$S_{dw} = \beta\,S_{dw} + (1-\beta)\,dw^2, \qquad w := w - \alpha\,\frac{dw}{\sqrt{S_{dw}}}$$
#
# ### Exercise 3: Adam without its correction
#
# **Adam** does both: $w := w - \alpha\,V_{dw}/\sqrt{S_{dw}}$. But written like this its first step
# is more than three times too *large*: $V$ and $S$ start at 0 and need a while to forget it. Of a
# constant gradient, which share have they collected after $t$ steps? Repair the line in the
# comment. It has to work for any $\beta_M$ and $\beta_R$, and where a gradient is exactly 0; $t$
# counts from 1.


# %%
def repaired(dw, V, S, t, alpha, beta_M=0.9, beta_R=0.999, eta=1e-8):
    V = beta_M * V + (1 - beta_M) * dw
    S = beta_R * S + (1 - beta_R) * dw**2
    step = ...  # was: alpha * V / (np.sqrt(S) + eta)
    return step, V, S


exercises.q3.check(repaired)
# exercises.q3.hint()  # and .solution()

# %% [markdown]
# The authors of Adam divide by just that share:
#
# $$V_{dw}^{corr} = \frac{V_{dw}}{1-\beta_M^t}, \qquad S_{dw}^{corr} = \frac{S_{dw}}{1-\beta_R^t}, \qquad
# w := w - \alpha\,\frac{V_{dw}^{corr}}{\sqrt{S_{dw}^{corr}} + \eta}$$
#
# The small $\eta$, "to avoid dividing per zero", stands behind the root in this lesson, for both
# rules. (Keras's `RMSprop` adds it under the root.)


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
# **AdamW.** A common wish is to keep weights small, with a penalty $\frac\gamma2\|w\|^2$ on the
# loss. Its gradient is $\gamma w$. Handed to Adam together with `dw`, it is divided by $\sqrt S$
# like everything else. *Decoupled* decay goes around Adam: $w := (1 - \alpha\gamma)\,w -
# \text{Adam's step}$. That is AdamW (Loshchilov and Hutter 2019).
#
# **Predict.** A pixel is black in every picture, so the data say nothing about its weight: `dw`
# is 0. It starts at 1. How far does the penalty pull it in 50 steps of $\alpha = 0.01$, for
# $\gamma = 0.0001$, $0.01$ and $1$?

# %%
left = {}
for gamma in (1e-4, 1e-2, 1.0):
    penalised = walk(adam, lambda w, gamma=gamma: gamma * w, 1.0, alpha=0.01, steps=50)[-1]
    adamw = keras.optimizers.AdamW(0.01, weight_decay=gamma)
    decoupled = lesson.keras_walk(adamw, np.zeros_like, np.ones(1), 50)[-1, 0]
    claims.check(f"Keras's AdamW (γ = {gamma:g})", decoupled, (1 - 0.01 * gamma) ** 50, within=1e-5)
    left[f"γ = {gamma:g}"] = penalised, decoupled
left = pd.DataFrame(left, ["penalty through Adam", "AdamW"])
claim("Through Adam a ten thousand times larger penalty changes what is left by",
      np.ptp(left.loc["penalty through Adam"]), below=0.01, digits=4)  # fmt: skip
left.round(3)

# %% [markdown]
# For such a weight the strength of the penalty hardly counts: the pull is divided by its own size,
# and every step is about $\alpha$. For a weight with gradients of its own the pull is divided by
# *their* size. Decoupled, it does what $\gamma$ says, for every weight.
#
# **The yardstick** for all rules is Keras. We walk side by side in a bowl.

# %%
H, start, library = bowl(10, D=6), rng.normal(size=6), keras.optimizers
KERAS = {
    gradient_descent: library.SGD(0.01),
    momentum: library.SGD(0.01 * (1 - 0.9), momentum=0.9),  # a = α (1 - β)
    nesterov: library.SGD(0.01 * (1 - 0.9), momentum=0.9, nesterov=True),
    rmsprop: library.RMSprop(0.01, rho=0.9, epsilon=1e-16),  # under the root
    adam: library.Adam(0.01, beta_1=0.9, beta_2=0.999, epsilon=1e-8),
}
apart = [abs(walk(rule, lambda w: w @ H, start, 0.01, 30)
             - lesson.keras_walk(optimizer, lambda w: w @ H, start, 30)).max()
         for rule, optimizer in KERAS.items()]  # fmt: skip
claims.check("Our five rules walk Keras's paths", apart, 0, within=1e-4)

# %% [markdown]
# ### A valley, straight and turned
#
# **Predict.** A narrow valley, $\kappa = 10$, first along an axis, then turned by 45°, start and
# all. Which of the rules notice that it was turned? (Gradient descent and momentum have the
# settings of section 3, the others rates that suit the picture.)

# %%
RULES |= {"RMSProp": rmsprop, "Adam": adam}
SETTINGS = {"gradient descent": {"alpha": 0.18}, "momentum": {"alpha": 0.32, "beta": 0.27},
            "RMSProp": {"alpha": 0.15}, "Adam": {"alpha": 0.25}}  # fmt: skip
STRAIGHT, TURNED = np.eye(2), np.array([[1, -1], [1, 1]]) / np.sqrt(2)
BOX = (-2.9, 2.1, -2.5, 2.5)
fig, axes = plt.subplots(1, 2, figsize=(13, 6.2), sharey=True)
walked = []
for ax, turn in zip(axes, (STRAIGHT, TURNED)):
    H, start = turn * [1, 10] @ turn.T, turn @ [-2.3, 1.3]
    paths = {name: walk(RULES[name], lambda w, H=H: w @ H, start, steps=40, **settings)
             for name, settings in SETTINGS.items()}  # fmt: skip
    lesson.draw_surface(ax, lambda w, H=H: ((w @ H) * w).sum(axis=-1) / 2, BOX, paths)
    ax.plot(0, 0, "P", color="black", ms=12, mec="white", ls="", zorder=3)
    ax.set_title("turned by 45°" if turn is TURNED else "along an axis")
    walked.append(np.array([*paths.values()]) @ turn)  # turned back
plotting.show(lesson.TEXTS["valleys"])

# %%
claims.check("Gradient descent and momentum walk the same paths, turned",
             walked[0][:2], walked[1][:2], within=1e-9)  # fmt: skip

# %% [markdown]
# The paths of gradient descent and momentum turn with the valley. RMSProp and Adam scale each
# *weight*, and in a turned valley no single weight is the steep one.
#
# **Try it.** Choose a method and move α and β. From which α on does $J$ grow? (The mark below its
# slider is $2/L$.) What does a large β do to momentum?

# %% tags=["nbval-ignore-output"]
explorers.descend(H, start, BOX)

# %% [markdown]
# What does the turn cost, and which β suits a valley? Section 3 says that κ decides: in the long run
# momentum wants $\beta = 0.67$ for $\kappa = 100$ and $0.88$ for $1000$. Now each rule gets its best α
# and β (for Adam $\beta_M$; none above 0.95) from a grid, for each valley anew. In 20 dimensions, from
# ten starts and with as many turns, we count the steps until $J$ stays below a thousandth of its first
# value (to the end of 600 steps).
#
# **Predict.** Which rule is the fastest in the straight valley, and which in the turned one?

# %% tags=["rtol=0.1"]
BETAS = [0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
few, best = {}, {}  # steps and β, each of shape (starts, 2): straight and turned
for kappa, (name, rule) in tqdm([*itertools.product((100, 1_000), RULES.items())], leave=False):
    betas = BETAS if rule is not gradient_descent else ()
    runs = [lesson.fewest_steps(rule, kappa, 20, 100 * SEED + i, betas) for i in range(10)]
    few[f"κ = {kappa}", name], best[f"κ = {kappa}", name] = np.moveaxis(runs, -1, 0)
pd.DataFrame({key: [*few[key].mean(axis=0), *best[key].mean(axis=0)] for key in few},
             ["straight", "turned", "β, straight", "β, turned"]).T.round(2)  # fmt: skip

# %%
straight, turned = np.moveaxis([few["κ = 1000", name] for name in RULES], -1, 0)  # (rules, starts)
factor = claims.mean_and_error(turned[4] / straight[4], "starts")
text = "In a narrow valley (κ = 1000) a turn costs tuned Adam more steps, by the factor"
claim(text, **factor, above=1.5, digits=1, headline=True)
claim("Straight, tuned Adam needs the steps of tuned momentum times", below=1.3,
      **claims.mean_and_error(straight[4] / straight[1], "starts"))  # fmt: skip
claim("Turned, tuned Adam needs the steps of tuned momentum times", above=1.3,
      **claims.mean_and_error(turned[4] / turned[1], "starts"))  # fmt: skip
rise = best["κ = 1000", "momentum"][:, 0] - best["κ = 100", "momentum"][:, 0]
claim("From κ = 100 to κ = 1000 the best β of momentum rises by", above=0.05,
      **claims.mean_and_error(rise, "starts"))  # fmt: skip

# %% [markdown]
# Along the axes Adam keeps up with momentum in the narrower valley, or is ahead. Turned, it takes
# about three times as long, RMSProp even longer, and momentum is ahead. Momentum's best β rises with
# κ, as section 3 says. It stays below theory's value, which is best in the long run; we stop early.
#
# *Learned: the turn of a valley means nothing to momentum, whose β belongs to κ. A rate for each
# weight helps as far as the valley lies along the axes.*
#
# ## 5. Saddles
#
# Do not worry about local minima but about saddle points, say the slides, and "that's why Adam is so
# effective". At a *saddle* the slope is zero as well, but some directions lead down. (Section 12
# shows why they are so common.)
#
# How long does it take to leave one? Take an elongated saddle, $J = \frac12(w_1^2 -
# \lambda\,w_2^2)$, with a small $\lambda$, and full gradients. We start at $w_1 = 0.5$ and $w_2 =
# 0.001$, next to the ridge, and are free at $w_2 = 1$. Gradient descent multiplies $w_2$ by $1 +
# \alpha\lambda$ in each step, so it takes $\log 1000 / \log(1+\alpha\lambda)$ of them. Momentum gets
# the same $a$, that is $\alpha(1-\beta)$.
#
# **Predict.** If the saddle is ten times flatter, how many times longer does each rule take? And if
# it is turned by 45°?

# %% tags=["rtol=0.02"]
FLATNESS = 0.1, 0.01, 0.001
RATES = {"gradient descent": 1.0, "momentum": 10.0, "RMSProp": 0.01, "Adam": 0.01}


def steps_to_leave(rule, alpha, flatness, turn, w1=0.5, noise=0.0, most=8_000, **betas):
    """How many, averaged over walks that differ in the noise of their gradients."""
    H, walks = turn * [1, -flatness] @ turn.T, 20 if noise else 1
    starts = np.tile(turn @ [w1, 0.001], (walks, 1))
    slope = lambda w: w @ H + noise * rng.normal(size=w.shape)  # noqa: E731
    path = walk(rule, slope, starts, alpha, most, **betas)
    return (abs(path @ turn)[..., 1] >= 1).argmax(axis=0).mean()


saddle, turns = {}, {"along an axis": STRAIGHT, "turned": TURNED}
with np.errstate(over="ignore", invalid="ignore"):  # once free, it falls without end
    for name, alpha in RATES.items():
        for way, turn in turns.items():
            steps = [steps_to_leave(RULES[name], alpha, flatness, turn) for flatness in FLATNESS]
            saddle[name, way] = steps
saddle = pd.DataFrame(saddle, [f"λ = {flatness}" for flatness in FLATNESS]).T
saddle.round(0)

# %%
straight, turned = (saddle.xs(way, level=1) for way in turns)
theory = np.log(1_000) / np.log(1 + np.array(FLATNESS))  # α = 1
claims.check("Gradient descent obeys theory (ratio)",
             straight.loc["gradient descent"] / theory, 1, within=0.02)  # fmt: skip
claims.check("A turn means nothing to gradient descent and momentum (ratio)",
             (turned / straight).iloc[:2], 1, within=0.01)  # fmt: skip
flat, steep = (straight.loc[["RMSProp", "Adam"], f"λ = {x}"] for x in (0.001, 0.1))
claims.check("Along an axis RMSProp and Adam leave flat saddles as fast", flat / steep, 1, 0.05)
claim("A flat saddle (λ = 0.001) holds Adam longer if it is turned by 45°, by the factor",
      (turned / straight).loc["Adam", "λ = 0.001"], above=10, digits=0, headline=True)  # fmt: skip

# %% [markdown]
# Along an axis RMSProp and Adam need somewhat less than $1/\alpha$ steps, however flat the saddle
# is: their step hardly depends on the size of the slope. Turned, that is gone. We change one thing
# at a time.

# %% tags=["rtol=0.3"]
changes = {"as above": {}, "β_R = 0.9": {"beta_R": 0.9}, "from the ridge, w1 = 0": {"w1": 0},
           "noise of 0.01 on the gradient": {"noise": 0.01}}  # fmt: skip
with np.errstate(over="ignore", invalid="ignore"):
    held = {name: [steps_to_leave(adam, 0.01, 0.001, turn, **change) for turn in turns.values()]
            for name, change in changes.items()}  # fmt: skip
held = pd.DataFrame(held, turns).T
claim("With β_R = 0.9 the turned saddle holds Adam less long, by the factor",
      held["turned"].iloc[0] / held["turned"].iloc[1], above=5, digits=0)  # fmt: skip
held.round(0)

# %% [markdown]
# In the turned saddle each weight feels the steep direction. $S$ remembers it long after $w_1$ has
# come to rest, and the small push outwards is divided by it. With a short memory, or nothing to
# remember, Adam leaves sooner. With noise, $S$ remembers the noise, and the short way is lost even
# along an axis. (RMSProp has a short memory and stays all the same: its $w_1$ never comes to rest, as
# section 9 shows.) Momentum gathers small pushes that agree: of the four as we set them it is the
# fastest in the flat turned saddle.
#
# *Learned: leaving a saddle takes longer the flatter it is. RMSProp and Adam have a short way, which
# is lost where $S$ remembers something larger than the slope that leads out.*
#
# ## 6. Noise, decay and warm-up
#
# The loss is an average over $N$ examples. A *mini-batch* of $B$ of them gives a gradient that is
# right on average and noisy. Let $\sigma^2$ be the variance of the single examples' gradients, summed
# over the weights. An average of $B$ independent draws has the variance $\sigma^2/B$, so four times
# the batch halves the noise. (Section 11 counts it exactly.)
#
# What does noise do to a constant rate? Take one direction of a bowl, with noise on its gradient,
# $dw = \lambda w + s\,\epsilon$ with a standard normal $\epsilon$. Then gradient descent multiplies
# the variance $v$ of $w$ by $(1-\alpha\lambda)^2$ and adds $\alpha^2 s^2$ in each step. It settles
# where both balance, $v = (1-\alpha\lambda)^2 v + \alpha^2 s^2$, that is at
#
# $$v = \frac{\alpha\,s^2}{\lambda\,(2-\alpha\lambda)} .$$
#
# So $w$ never comes to rest, and the smaller $\alpha$ is, the less it moves about. The slides start
# large and let $\alpha$ shrink. They list four *schedules*, with an initial rate $\alpha_0$:
#
# $$\alpha = \frac{1}{1 + \text{decay rate} + \text{epoch}}\,\alpha_0 \qquad
# \alpha = 0.95^{\text{epoch}}\,\alpha_0 \qquad
# \alpha = \frac{k}{\sqrt{\text{epoch}}}\,\alpha_0 \qquad \alpha = \frac{k}{\sqrt{t}}\,\alpha_0$$
#
# In the last one $t$ counts the mini-batches; the last two count from 1.
#
# ### Exercise 4: the misprinted schedule
#
# Try the first one: with a decay rate of 0 the rate falls all the same, and from 0.01 to 0.1 it
# hardly changes. One sign is misprinted. Write the schedule as it was meant. `epoch` counts from 0,
# where the rate is still `alpha_0`, and may be a number or an array.


# %%
def rate(epoch, alpha_0, decay_rate): ...


exercises.q4.check(rate)
# exercises.q4.hint()  # and .solution()

# %% [markdown]
# Now 300 walks go down such a bowl, in two directions. Two more schedules take part: a straight line
# down to 0, and the same with a **warm-up**, in which $\alpha$ first rises over a tenth of the steps.
# One rival keeps $\alpha$ constant, and takes the *mean of the places* of the second half as its
# result (Polyak and Juditsky 1992).
#
# **Predict.** Each gets the initial rate that suits it best. Which ends lowest? Does Adam profit
# from decay as well?

# %%
lam, sd, far = np.array([0.05, 1.0]), np.array([0.05, 1.0]) ** 0.5, np.full(2, 10.0)
t = np.arange(1_200)  # 60 epochs of 20 mini-batches
epoch, line = t // 20, 1 - t / 1_200
SCHEDULES = {
    "constant": np.ones(1_200),
    "1 / (1 + 0.3 · epoch)": 1 / (1 + 0.3 * epoch),
    "0.95 ^ epoch": 0.95**epoch,
    "0.9 ^ epoch": 0.9**epoch,
    "1 / √t": 1 / np.sqrt(t + 1),
    "straight line": line,
    "warm-up, straight line": line * np.minimum(1, (t + 1) / 120),
}
INITIAL = 10 ** np.arange(-2, 0.76, 0.125)


def with_noise(rule, schedule):
    """For each initial rate the mean loss of 300 walks: at the last place, at the mean place."""
    w, V, S, mean = np.tile(far, (len(INITIAL), 300, 1)), 0.0, 0.0, 0.0
    for t, factor in enumerate(schedule, start=1):
        dw = lam * w + sd * rng.normal(size=w.shape)
        step, V, S = rule(dw, V, S, t, factor * INITIAL[:, None, None])
        w = w - step
        mean = mean + (t > 600) * w / 600
    return [(lam * place**2).sum(axis=-1).mean(axis=1) / 2 for place in (w, mean)]


# %% tags=["rtol=0.2"]
ends = pd.DataFrame(columns=["gradient descent", "Adam"], dtype=float)
pairs = list(itertools.product(ends, SCHEDULES.items()))
with np.errstate(over="ignore", invalid="ignore"):  # of rates that diverge
    for column, (name, schedule) in tqdm(pairs, leave=False):
        last, averaged = with_noise(RULES[column], schedule)
        ends.loc[name, column] = np.nanmin(last)
        if name == "constant":
            ends.loc["constant, places averaged", column] = np.nanmin(averaged)
    constant, _ = with_noise(gradient_descent, SCHEDULES["constant"])
alpha = INITIAL[8:17, None]  # 0.1 to 1: the start is forgotten, and none diverges
settled = (alpha * sd**2 / (2 - alpha * lam)).sum(axis=1) / 2  # λ v / 2, summed
claims.check("With a constant α descents settle where the formula says (ratio)",
             np.median(constant[8:17] / settled), 1, within=0.1)  # fmt: skip
ends.round(4)

# %%
for name, loss in ends.items():
    text = f"{name.capitalize()} in noise: a constant α ends above 0.95 ^ epoch, by the factor"
    factor = loss["constant"] / loss["0.95 ^ epoch"]
    claim(text, factor, above=1.4, digits=1, headline=name == "Adam")
    best = loss[["0.95 ^ epoch", "0.9 ^ epoch"]].min()
    claim(f"{name.capitalize()}: the averaged places end at this share of the better exponential",
          loss["constant, places averaged"] / best, below=1.8)  # fmt: skip

# %% [markdown]
# The last place of a constant rate ends in its own noise. All schedules beat it, for both rules, and
# so does the average over places, without any schedule. (The slides' 0.95 is not tuned: 0.9 suits 60
# epochs better, and is about as good as the average.) (That Adam's last place is the better one
# holds for this bowl, which lies along the axes.) A warm-up brings nothing here: it is made for
# losses that are steeper at the start than later, and a bowl is not.
#
# *Learned: with noise the last place of a constant α does not come to rest. Shrink α, average the
# places, or enlarge the batch.*
#
# ## 7. A real network: which one is best?
#
# Digits at last: 5,000 pictures of 14 × 14 pixels, and a network 196-32-10, in batches of 100. We are
# *fair* if every method is tuned as carefully as the others. All get the same grid of 18 learning
# rates, wide enough for the best rate of each. The rate is chosen on validation pictures and judged
# on test pictures that took part in no choice. We do all of it five times, with new weights and
# another fifth of the pictures as test set.
#
# `w` holds many networks side by side, one for each method and each rate, and the rules above work
# on all of them as they are. `lesson.gradient` is the back propagation of *neural_networks*. Decay
# is a straight line to 0, and a warm-up takes a tenth of the training.
#
# **Predict.** All at $\alpha = 0.01$: by how much does Adam beat gradient descent? And each with
# its best rate, after two epochs and after eight, on training pictures and on new ones? Who else
# could be as fast as Adam?

# %%
METHODS = {name: (rule, lambda share: 1.0) for name, rule in RULES.items()}
for name in ("gradient descent", "Nesterov", "Adam"):  # share: how much of the training is over
    METHODS[f"{name}, decay"] = RULES[name], lambda share: 1 - share
for name in ("gradient descent", "Adam"):
    METHODS[f"{name}, warm-up, decay"] = RULES[name], lambda share: min(1, 10 * share) * (1 - share)
GRID = 10 ** np.arange(-3, 1.3, 0.25, dtype="float32")[:, None]  # 0.001 to 17.8


def train(rows, draw):
    """The networks after each epoch: arrays of shape (methods, rates, weights)."""
    w = np.tile(lesson.first_weights(draw), (len(METHODS), len(GRID), 1))
    V, S = np.zeros_like(w), np.zeros_like(w)
    batches = np.concatenate([draw.permutation(rows) for _ in range(EPOCHS)]).reshape(-1, 100)
    for t, batch in enumerate(batches, start=1):
        dw = lesson.gradient(w, pixels[batch], y[batch])
        for k, (rule, schedule) in enumerate(METHODS.values()):
            alpha = schedule(t / len(batches)) * GRID
            step, V[k], S[k] = rule(dw[k], V[k], S[k], t, alpha)
            w[k] -= step
        if t * 100 % len(rows) == 0:
            yield w


# %%
pixels, y = lesson.small_digits()
splits = KFold(5, shuffle=True, random_state=SEED).split(pixels)
losses = []  # will be (splits, epochs, sets, methods, rates)
with np.errstate(over="ignore", invalid="ignore"):  # of rates that are too large
    for split, (others, test) in enumerate(tqdm(splits, total=5, leave=False)):
        rows, valid = train_test_split(others, test_size=500, random_state=split)
        after = train(rows, np.random.default_rng([SEED, split]))
        sets = rows[:1_000], valid, test
        losses.append([[lesson.loss(w, pixels[i], y[i]) for i in sets] for w in after])
losses = np.nan_to_num(losses, nan=9.0).clip(max=9.0)
on_train, on_valid, on_test = np.moveaxis(losses, 2, 0)
chosen = on_valid.argmin(axis=-1, keepdims=True)  # by split, length of training and method
tuned = np.take_along_axis(on_test, chosen, axis=-1)[..., 0]  # (splits, epochs, methods)

# %%
at_end = on_test[:, -1].mean(axis=0)  # (methods, rates)
curves = dict(zip(RULES, zip(at_end, tuned.mean(axis=0).T)))
lesson.draw_rates(GRID[:, 0], curves, f"after {EPOCHS} epochs")
plotting.show(lesson.TEXTS["network"])

# %% tags=["atol=0.05"]
table = pd.DataFrame(index=METHODS)
table["all at α = 0.01"] = at_end[:, 4]
table["tuned, 2 epochs"] = tuned[:, 1].mean(axis=0)
table.iloc[5:, 1] = np.nan  # these schedules are made for the whole training
table[f"tuned, {EPOCHS} epochs"] = tuned[:, -1].mean(axis=0)
table["lowest training loss"] = on_train[:, -1].mean(axis=0).min(axis=-1)
table.round(2)

# %% tags=["atol=0.05"]
same = on_test[:, -1, :, 4]  # α = 0.01, which is α = 0.1 on the slides if it is Keras's
border = np.isin(at_end.argmin(axis=-1), (0, len(GRID) - 1))
claims.check("No method has its best rate at a border of the grid", border, 0)
claim("All at α = 0.01, Adam's test loss is below gradient descent's, by", unit="nats", above=0.7,
      **claims.mean_and_error(same[:, 0] - same[:, 4], "splits"), headline=True)  # fmt: skip
results = {f"training loss after {EPOCHS} epochs": on_train[:, -1].min(axis=-1),
           "test loss after 2 epochs": tuned[:, 1],
           f"test loss after {EPOCHS} epochs": tuned[:, -1]}  # fmt: skip
training, early, late = results
for rival, result, bounds in (
    ("gradient descent", training, {"above": 0.03}),
    ("gradient descent", early, {"above": 0}),
    ("gradient descent", late, {"above": -0.06, "below": 0.06}),
    ("Nesterov", training, {"above": -0.05, "below": 0.05}),
    ("Nesterov", early, {"above": -0.05, "below": 0.05}),
    ("Nesterov, decay", late, {"above": -0.05, "below": 0.05}),
    ("gradient descent, decay", late, {"above": 0}),
):
    behind = list(METHODS).index(rival)
    ahead = list(METHODS).index("Adam, decay" if "decay" in rival else "Adam")
    lead = claims.mean_and_error(results[result][:, behind] - results[result][:, ahead], "splits")
    claim(f"Each at its best rate, {result}: Adam's lead over {rival}", unit="nats", digits=3,
          **lead, **bounds, headline=rival == "gradient descent")  # fmt: skip
wide = (at_end < at_end.min(axis=-1, keepdims=True) + 0.2).sum(axis=-1)  # within 0.2 of the best
claim("The other rules forgive more rates of the grid than gradient descent, on average by",
      wide[1:5].mean() - wide[0], above=0.5, digits=1)  # fmt: skip
claim("With decay, a warm-up lets Adam bear more rates of the grid, by",
      wide[-1] - wide[7], above=0.5, digits=0)  # fmt: skip

# %% [markdown]
# At α = 0.01 Adam and RMSProp seem to win by far. That is mostly the rate, and for momentum the slides'
# $1-\beta$. Tuned, Adam and Nesterov are ahead early on, alike, and on the training pictures they stay
# ahead. In test loss gradient descent with a good constant rate has caught up after eight epochs, to
# within what five splits can tell. With decay the two lead by a few hundredths again. (All this is of
# eight epochs. Try `EPOCHS = 16`: which rules overfit first?) What stays is comfort: the others forgive
# more rates, and a warm-up widens the range that Adam bears.
#
# Choi et al. (2019) found in large networks that who wins depends on the *search space* of each.
# With all settings tuned, Adam never lost there, and plain gradient descent stayed behind. (The ±
# are over five splits, whose training pictures overlap. This is one small network. In language
# models, where many words are rare, tuned gradient descent loses clearly: Kunstner et al. 2024.)
#
# *Learned: an optimiser is a rule, its learning rate and a length of training. To tune only one side
# is to compare nothing.*
#
# ## Summary
#
# These are the sentences of the lesson with their numbers, and with a standard error (±) where one
# could be estimated. The other claims are folded below them.

# %%
claim

# %% [markdown]
# **What holds**: the curvature decides which α is allowed, the condition number how long it takes,
# and on a bowl momentum takes its root. **What it costs**: one or two running averages. **What to
# remember**: RMSProp and Adam see axes; in noise shrink α, average the places or enlarge the batch;
# tune every method on the same grid, or do not compare.

# %% [markdown]
# ## 8. Further: the edge of stability
#
# A network's loss is no bowl: its curvature changes along the way. Does the limit $2/\alpha$ on the
# curvature still say anything? We train a small network, 1-20-1 with tanh units, on 32 points of a
# curve, with the full gradient and a constant $\alpha$. Five starts and four rates go side by side.
#
# **Predict.** Gradient descent goes downhill. Does it look for flatter places as well, so that
# $\lambda_{max}$ falls? What happens when it reaches $2/\alpha$?


# %%
def largest_curvature(w):
    """Of one network: the Hessian's columns are differences of gradients."""
    shifts = 1e-5 * np.eye(len(w))
    hessian = (lesson.curve_gradient(w + shifts)[0] - lesson.curve_gradient(w - shifts)[0]) / 2e-5
    return np.linalg.eigvalsh(hessian)[-1]


ALPHAS = np.array([0.05, 0.2, 0.3, 0.4])
w, alpha = np.tile(lesson.curve_weights(rng, 5), (4, 1)), np.repeat(ALPHAS, 5)[:, None]
sharpness, losses = [], []
for t in tqdm(range(6_001), leave=False):
    slope, loss = lesson.curve_gradient(w)  # of each of the twenty networks
    losses.append(loss)
    if t % 200 == 0:
        sharpness.append([largest_curvature(network) for network in w])
    w = w - alpha * slope
sharpness = np.reshape(sharpness, (-1, 4, 5))
rises = (np.diff(losses[3_000:], axis=0) > 0).mean(axis=0).reshape(4, 5)

# %%
lesson.draw_edge(200 * np.arange(len(sharpness)), sharpness, ALPHAS)
plotting.show(lesson.TEXTS["edge"])
at_edge = sharpness[-5:].mean(axis=0) * ALPHAS[:, None] / 2  # (4, 5)
for k in (1, 2, 3):
    claim(f"At α = {ALPHAS[k]} the largest curvature ends near 2 / α, ratio", above=0.9,
          below=1.1, **claims.mean_and_error(at_edge[k], "starts"))  # fmt: skip
claims.check("Every network starts below every limit", sharpness[0].max() < 2 / ALPHAS, True)
claim("At α = 0.4 the loss rises in a share of the later steps", above=0.02,
      **claims.mean_and_error(rises[3], "starts"))  # fmt: skip
fallen = np.reshape(losses[-1] / losses[0], (4, 5))
claim("At α = 0.4 the loss falls in all, to the share", below=0.2,
      **claims.mean_and_error(fallen[3], "starts"))  # fmt: skip

# %% [markdown]
# The curvature *rises* until it meets the limit, and stays there. The loss goes up in many single
# steps, and down in the long run. So a larger α leads to flatter places: it cannot stay in steep
# ones. Cohen et al. (2021) found this *edge of stability* in many kinds of networks. With the
# smallest rate, where the limit is 40, ours does not get there within these steps. The theory of
# the bowl is right about the limit, and wrong about who obeys whom.
#
# *Learned: it is not only the curvature that limits the rate; the rate limits the curvature.*
#
# ## 9. Further: one weight that defeats momentum, and one that defeats Adam
#
# ### Exercise 5: read β off a trajectory
#
# Somebody ran the slides' momentum on a quadratic and kept only the positions along one
# eigenvector: `w`, of shape `(T,)`, the start first. $V$ was 0 at the start; $\lambda$, $\alpha$
# and $\beta$ are lost. Write a function that finds $\beta$. It has to be exact (to 0.001), and to
# work whether `w` swings or creeps.


# %%
def find_beta(w): ...


exercises.q5.check(find_beta)
# exercises.q5.hint()  # and .solution()

# %% [markdown]
# **Momentum.** The best setting of section 3 belongs to bowls. Here is a loss with a single valley
# and curvatures between 1 and 25 everywhere (Lessard, Recht and Packard 2016), and this is its
# slope:


# %%
def kinked(w):
    return np.where(w < 1, 25 * w, np.where(w < 2, w + 24, 25 * w - 24))


starts = np.append(3.3, np.linspace(-10, 10, 1_000))
walks = {name: walk(rule, kinked, starts, steps=300, **settings)
         for name, rule, settings, _ in contest(25)}  # fmt: skip
ends = {name: places[-6:, 0] for name, places in walks.items()}
first, again = np.split(ends["momentum"], 2)
claims.check("Momentum goes round in a circle of three", again, first, within=1e-6)
claims.check("Nesterov arrives from all starts", walks["Nesterov"][-1], 0, within=1e-6)
arrived = (abs(walks["momentum"][-1, 1:]) < 1e-6).mean()
claim("Momentum arrives from most others, not from all: share", arrived, above=0.6, below=0.99)
pd.DataFrame(ends, [f"step {t}" for t in range(295, 301)]).T.round(2)

# %% [markdown]
# With the setting that is best on every bowl of such curvatures momentum never arrives from 3.3, and from
# some other starts. Nesterov's method is proved to arrive on *every* loss of this kind from *every*
# start: that is what one pays the slower rate for.
#
# **Adam**, say the slides, "works well literally everywhere and for every application". Take a loss
# that is linear in a single weight, which is kept between −1 and 1. Of $P$ examples in a row one
# has the slope $1.2\,P$, all others $-1$. The mean slope is positive, so the best place is −1.
#
# **Predict.** Where does Adam go? Remember that it divides by the root of $S$.


# %%
def best_end(rule, P, alpha, **betas):
    """Mean place over the second half of 20 rounds, for the best of several rates."""
    w, V, S, places = 0 * alpha, 0.0, 0.0, []
    for t in range(1, 20 * P + 1):
        dw = 1.2 * P if t % P == 1 else -1.0
        step, V, S = rule(dw, V, S, t, alpha, **betas)
        w = np.clip(w - step, -1, 1)
        places.append(w)
    return np.mean(places[10 * P :], axis=0).min()


FACTORS = np.sqrt(10) ** np.arange(-6, 1)  # 0.001 to 1
ends = {f"Adam, β_R = {beta_R}": [best_end(adam, P, FACTORS, beta_R=beta_R) for P in (100, 1_000)]
        for beta_R in (0.9, 0.99, 0.999)}  # fmt: skip
ends["gradient descent"] = [best_end(gradient_descent, P, FACTORS / P) for P in (100, 1_000)]
ends = pd.DataFrame(ends, ["P = 100", "P = 1000"]).T
claim("P = 1000: with the best of seven rates Adam (β_R = 0.99) ends at",
      ends["P = 1000"]["Adam, β_R = 0.99"], above=0)  # fmt: skip
claim("P = 1000: gradient descent ends at", ends["P = 1000"]["gradient descent"], below=-0.7)
ends.round(2)

# %% [markdown]
# To the wrong side, unless $S$ remembers about as long as a round lasts, or longer. The one large slope
# enters $V$ and $S$ together: it is divided by its own root. Right after it a step is at most about
# $\alpha\,(1-\beta_M)/\sqrt{1-\beta_R}$, however large $P$ is, and $V$ forgets it in some ten steps. The
# others come $P - 1$ times. Then $S$ forgets it, and the many small slopes count in full. A longer memory
# helps until the rounds are longer still: for $P = 1000$ even $\beta_R = 0.999$ does not reach −1. (Reddi
# et al. 2018, who also repair it. With a $\beta_R$ that is large enough *for the problem* Adam does
# converge: Zhang et al. 2022.)
#
# **RMSProp.** One more sentence of the slides: with it "you can even try a high value for α without
# risking overshooting". We try, with full gradients and three curvatures.

# %%
curvatures = np.array([1.0, 10.0, 100.0])
hover = [abs(walk(rmsprop, lambda w: curvatures * w, rng.normal(size=3), alpha, 3_000)[-1]) / alpha
         for alpha in (0.01, 0.1, 1.0)]  # fmt: skip
claims.check("With β = 0.9, RMSProp stays α / 2 away from the minimum", hover, 0.5, within=1e-3)

# %% [markdown]
# It does not run away, but once there it overshoots in *every* step: it jumps to and fro over the minimum,
# half an α away on each side, in every direction. Once $|dw|$ stays the same, $S = dw^2$, and each
# step is $\alpha\,\mathrm{sign}(dw)$.
#
# *Learned: no rule works everywhere. Ask which losses its promise is about.*
#
# ## 10. Further: particle swarm, downhill without a slope
#
# A swarm needs no gradient. Each *particle* remembers the best place $p$ that it has seen, and
# knows the best place $g$ that any of them has seen. The slides name two pulls: (1) the *cognitive*
# one, towards $p$, and (2) the *collective* or social one, towards $g$.
#
# ### Exercise 6: the swarm that does not swarm
#
# Twenty particles search, and each ends in a valley of its own. Their velocity was written as
# `omega * v + c * r_own * (own_best - x) + s * r_best * (own_best - x)`. Repair it. `x` and `v` are
# where a particle is and how it moves, `own_best` and `best` the places $p$ and $g$; `r_own` and
# `r_best` are random numbers between 0 and 1. All six are arrays of shape `(D,)`.

# %%
omega, c, s = exercises.omega, exercises.c, exercises.s  # inertia, cognitive and social pull


def velocity(v, x, own_best, best, r_own, r_best): ...


exercises.q6.check(velocity)
# exercises.q6.hint()  # and .solution()

# %% [markdown]
# The standard form (Clerc and Kennedy 2002) is $v := 0.73\,v + 1.5\,r_1\,(p - x) + 1.5\,r_2\,(g -
# x)$ and $x := x + v$, with new random numbers $r_1, r_2$ in $[0, 1]$ for each particle and
# coordinate. In the code the targets of the two pulls can be chosen.


# %%
PULL = 1.49618


def swarm(J, x, rounds, targets=("own", "best"), omega=0.7298):
    """Places (..., P, D) in each round, the best place of all so far, and the loss there."""
    v, own, own_loss = 0.0, x, J(x)
    for _ in range(rounds):
        first = own_loss.argmin(axis=-1)[..., None]
        best = np.take_along_axis(own, first[..., None], axis=-2)
        yield x, best[..., 0, :], np.take_along_axis(own_loss, first, axis=-1)[..., 0]
        aims = {"own": own, "best": best}
        pulls = [PULL * rng.random(x.shape) * (aims[target] - x) for target in targets]
        v = omega * v + sum(pulls)
        x = x + v
        loss = J(x)
        own = np.where((loss < own_loss)[..., None], x, own)
        own_loss = np.minimum(loss, own_loss)


# %% [markdown]
# *Rastrigin's* surface is a wide bowl full of holes, one at each corner of a lattice; its lowest
# hole lies at a random place. 20 particles have 50 rounds, that is 1,000 evaluations. Press play.
#
# **Predict.** Does the swarm find the lowest of about a hundred holes?


# %%
EDGE = 5.12
hole = rng.uniform(-3, 3, size=2)
begin = rng.uniform(-EDGE, EDGE, size=(20, 2))
places, best, lowest = (
    np.array(a) for a in zip(*swarm(lambda w: lesson.rastrigin(w, hole), begin, 50))
)
print(f"lowest loss found: {lowest[-1]:.3f} (in other holes it is about 1 or more)")
explorers.swarm(lambda w: lesson.rastrigin(w, hole), (-EDGE, EDGE, -EDGE, EDGE), places, best)

# %% [markdown]
# One run is an anecdote. We count in how many of many runs the lowest hole is found. **What does
# each pull add?** To leave one out is not enough: a particle with one pull moves less, and if the
# other is doubled, the mean of the pull stays and its variance doubles. So both pulls stay, each
# with its own random number, and both lead to the *same* target. Every version gets the number of
# particles that suits it, 10, 20 or 40, at equal evaluations. The rivals are places drawn at random;
# gradient descent from many starts (2, 3, 5 or 10 evaluations a start, three rates; a gradient
# counts, generously, as one evaluation); and *basin hopping* (Wales and Doye 1997): short descents,
# each from a random place beside the best one so far.


# %%
def found_by_swarm(holes, evaluations, *targets):
    """In which runs the lowest hole is found, with the best number of particles."""
    J, found = functools.partial(lesson.rastrigin, lowest=holes), []
    for P in (10, 20, 40):
        x = rng.uniform(-EDGE, EDGE, size=(RUNS, P, holes.shape[-1]))
        *_, (_, _, loss) = swarm(J, x, evaluations // P, targets)
        found.append(1.0 * (loss < 0.5))
    return max(found, key=np.mean)


def found_by_descents(holes, evaluations, lengths, factors):
    """The same for many starts of gradient descent, with the best length and rate."""
    slope, found = functools.partial(lesson.rastrigin_slope, lowest=holes), []
    for n, factor in itertools.product(lengths, factors):
        w = rng.uniform(-EDGE, EDGE, size=(RUNS, evaluations // n, holes.shape[-1]))
        w = walk(gradient_descent, slope, w, factor / (2 + 40 * np.pi**2), steps=n - 1)[-1]
        found.append(1.0 * (lesson.rastrigin(w, holes).min(axis=-1) < 0.5))
    return max(found, key=np.mean)


def found_by_hopping(holes, evaluations, of_a_slope=1):
    """The same for short descents, each from beside the best place so far."""
    best, low = rng.uniform(-EDGE, EDGE, size=(RUNS, 1, holes.shape[-1])), np.inf
    for _ in range(evaluations // (1 + 4 * of_a_slope)):
        w = best + 0.6 * rng.normal(size=best.shape)
        slope = functools.partial(lesson.rastrigin_slope, lowest=holes)
        w = walk(gradient_descent, slope, w, 1 / (2 + 40 * np.pi**2), steps=4)[-1]
        loss = lesson.rastrigin(w, holes)[..., None]
        best, low = np.where(loss < low, w, best), np.minimum(low, loss)
    return 1.0 * (low[:, 0, 0] < 0.5)


# %% tags=["atol=0.03"]
searches = {}
for D, n in ((2, 1_000), (4, 4_000)):
    holes = rng.uniform(-3, 3, size=(RUNS, 1, D))
    searches[f"D = {D}, {n:,} evaluations"] = {
        "swarm": found_by_swarm(holes, n, "own", "best"),
        "both pulls to the own best": found_by_swarm(holes, n, "own", "own"),
        "both pulls to the best of all": found_by_swarm(holes, n, "best", "best"),
        "places drawn at random": found_by_descents(holes, n, [1], [1]),
        "gradient descent, many starts": found_by_descents(holes, n, [2, 3, 5, 10], [1, 1.3, 1.6]),
        "hopping": found_by_hopping(holes, n),
        "hopping, a slope costs D + 1": found_by_hopping(holes, n, D + 1),
    }
flat, deep = searches.values()
for pull, without, bound in (("cognitive", "best of all", 0.05), ("social", "own best", 0.5)):
    added = flat["swarm"] - flat[f"both pulls to the {without}"]
    claim(f"The {pull} pull adds, at equal variance, to the share of runs that succeed",
          above=bound, **claims.mean_and_error(added, "runs"))  # fmt: skip
for rival, bound in (("gradient descent, many starts", {"above": 0.1}),
                     ("hopping, a slope costs D + 1", {"below": -0.3})):  # fmt: skip
    above = claims.mean_and_error(deep["swarm"] - deep[rival], "runs")
    claim(f"In four dimensions the swarm is above this rival, {rival}, by", **above, **bound)
pd.DataFrame(searches).map(np.mean).round(2)

# %% [markdown]
# Both pulls count, the social one most: without it there are many lone searchers and no swarm. In
# two dimensions many short descents do as well, in four the swarm beats them. Hopping beats both,
# even if each slope is measured by $D + 1$ evaluations of $J$.
#
# *Learned: a swarm shares what it finds. Where there is a good slope, follow that.*
#
# ## 11. Further: the noise of a mini-batch, counted exactly
#
# Section 6 took $B$ independent draws, so that an example might come twice. In an epoch none does:
# $B$ of $N$ examples are drawn *without replacement*. Then two gradients in a batch are slightly
# opposed, and the variance is $\frac{\sigma^2}{B}\cdot\frac{N-B}{N-1}$: 0 for the whole batch. We
# check both without any chance, by taking *all* batches out of six examples.

# %%
x = rng.uniform(-1, 1, 6)
inputs = np.stack([np.ones(6), x], axis=1)  # (6, 2), for two weights
error = inputs @ [0, 0] - (0.5 + 1.5 * x + rng.normal(scale=0.5, size=6))  # at w = (0, 0)
each = error[:, None] * inputs  # the gradient of half the squared error of each example
for B in (1, 3, 6):
    independent = each.var(axis=0).sum() / B
    for text, batches, expected in (
        ("with replacement", itertools.product(range(6), repeat=B), independent),
        ("without", itertools.combinations(range(6), B), independent * (6 - B) / 5),
    ):
        means = each[np.array([*batches])].mean(axis=1)
        found = means.var(axis=0).sum()
        claims.check(f"All {len(means):6,} batches of {B} {text}", found, expected, within=1e-9)

# %% [markdown]
# A footnote of the slides says that a local minimum of one mini-batch need not be one of the next.
# A model of one weight shows it, $y = \sin(wx)$, where the truth is $w = 2$. **Predict**, for batches
# of 5, 20 and 100 out of 200: which share of them has a valley within 0.05 of the lowest one of all
# examples?

# %% tags=["atol=0.1"]
wave = np.linspace(0.5, 6, 500)
x = rng.uniform(-3, 3, size=200)
y_wave = np.sin(2 * x) + 0.3 * rng.normal(size=200)
wave_loss = (y_wave[:, None] - np.sin(np.outer(x, wave))) ** 2  # (200, 500)
lowest, near = wave[wave_loss.mean(axis=0).argmin()], {}
for B in (5, 20, 100):
    parts = [rng.choice(200, size=B, replace=False) for _ in range(500)]
    valleys = [wave[argrelmin(wave_loss[part].mean(axis=0))] for part in parts]
    near[B] = np.mean([abs(v - lowest).min(initial=9) < 0.05 for v in valleys])
claim("Of the batches of 5 this share has the valley of all", near[5], below=0.6)
claim("Of the batches of 100 this share has it", near[100], above=0.7)
print({B: round(float(share), 2) for B, share in near.items()})

# %% [markdown]
# *Learned: the noise of batches is known exactly. What is a valley for one small batch is often none
# for the next.*
#
# ## 12. Further: why saddles are common
#
# We draw random surfaces in $D$ dimensions, sums of many waves, look for their *[critical
# points](../docs/glossary.md#critical-point)* with [Newton's
# method](../docs/glossary.md#newton-method), and count how many eigenvalues of the Hessian are
# negative there. For large $D$ there is a yardstick (Bray and Dean 2007): at a critical point of
# height $J$ the eigenvalues fill a half circle of radius $2\sqrt D$, shifted by $-J$. So high
# points have many negative ones, low points few.
#
# **Predict.** In one dimension half of the critical points are minima. In two? In twenty?


# %% tags=["atol=0.05"]
critical = {D: lesson.critical_points(D, rng) for D in (1, 2, 5, 20)}
minima = {D: (share == 0).mean() for D, (_, share) in critical.items()}
height, share = critical[20]
expected, found = lesson.half_circle(height, 20) - 0.5, share - 0.5
print("share of minima:", {D: float(round(m, 2)) for D, m in minima.items()})
claim("In two dimensions about a quarter of the critical points are minima, share", minima[2],
      above=0.12, below=0.4)  # fmt: skip
claim("In twenty dimensions hardly any is, share", minima[20], below=0.02, digits=3)
claims.check("For D = 20 the shares of negative eigenvalues rise as the half circle's",
             (expected * found).sum() / (expected**2).sum(), 1, within=0.1)  # fmt: skip

# %% [markdown]
# On such surfaces the slides are right: a minimum must be one in *every* direction. The lower the
# point, the fewer directions lead down. (Whether real losses are like random surfaces is another
# question.)
#
# *Learned: in many dimensions what stops the slope is a saddle, except far down.*
#
# ### Further reading
#
# * B. T. Polyak: *Some methods of speeding up the convergence of iteration methods*, USSR
#   Computational Mathematics and Mathematical Physics 4, 1964. The heavy ball.
# * Y. Nesterov: *A method for solving the convex programming problem with convergence rate
#   O(1/k²)*, Soviet Mathematics Doklady 27, 1983.
# * G. Goh: *Why Momentum Really Works*, Distill, 2017. The derivation of section 3, with sliders.
# * L. Lessard, B. Recht, A. Packard: *Analysis and Design of Optimization Algorithms via Integral
#   Quadratic Constraints*, SIAM Journal on Optimization 26, 2016.
# * D. P. Kingma, J. Ba: *Adam: A Method for Stochastic Optimization*, ICLR 2015.
# * I. Loshchilov, F. Hutter: *Decoupled Weight Decay Regularization*, ICLR 2019. AdamW.
# * S. J. Reddi, S. Kale, S. Kumar: *On the Convergence of Adam and Beyond*, ICLR 2018. Y. Zhang et
#   al.: *Adam Can Converge Without Any Modification on Update Rules*, NeurIPS 2022.
# * B. T. Polyak, A. B. Juditsky: *Acceleration of Stochastic Approximation by Averaging*, SIAM
#   Journal on Control and Optimization 30, 1992.
# * D. Choi et al.: *On Empirical Comparisons of Optimizers for Deep Learning*, arXiv 1910.05446,
#   2019.
# * J. M. Cohen et al.: *Gradient Descent on Neural Networks Typically Occurs at the Edge of
#   Stability*, ICLR 2021.
# * F. Kunstner et al.: *Heavy-Tailed Class Imbalance and Why Adam Outperforms Gradient Descent on
#   Language Models*, NeurIPS 2024.
# * D. J. Wales, J. P. K. Doye: *Global Optimization by Basin-Hopping and the Lowest Energy Structures
#   of Lennard-Jones Clusters Containing up to 110 Atoms*, Journal of Physical Chemistry A 101, 1997.
# * M. Clerc, J. Kennedy: *The particle swarm*, IEEE Transactions on Evolutionary Computation 6,
#   2002.
# * A. J. Bray, D. S. Dean: *Statistics of Critical Points of Gaussian Fields on Large-Dimensional
#   Spaces*, Physical Review Letters 98, 2007. The half circle.
