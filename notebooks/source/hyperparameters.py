# %% [markdown]
# # Hyperparameters: the best of many
#
# **The best of 1,300 scores says .07: what is it really?**
#
# A learning rate, a width, a penalty: what training does not learn, you have to choose. The usual way is
# to try many settings and keep the one with the best score on validation data. Hardly anybody asks what the
# best score is worth. Here you try *every* setting of a small space, 1,300 networks in all. Then we know the
# truth, and any search can be judged by it.
#
# ![A histogram of the scores of 1,300 networks, with an arrow at the smallest and the question what it
# is really.](figures/hyperparameters.png)
#
# | | |
# | --- | --- |
# | **Slides** | *Machine Learning for Astrophysics: Deep Learning*, *Hyperparameter Optimization* |
# | **You will be able to** | say how large the flattery of a best score can be; find a leak; nest cross-validation; search by random draws, by a Gaussian process, by TPE, by hand and by halving, and judge a search |
# | **You need** | dropout, L2 and early stopping (lesson *regularization*); learning rates and Adam (lesson *optimizers*) |
# | **Time** | 85 minutes, and 40 more for what is marked *further* |

# %% tags=["nbval-ignore-output"]
import course_utils

SEED = course_utils.setup(seed=3)

# %%
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
import optuna
import pandas as pd
from keras import layers, regularizers
from scipy.stats import hypergeom, multivariate_normal, norm, spearmanr
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from tqdm.auto import tqdm

# %%
from course_utils import claims, data, explorers, metrics, plotting, search, training
from course_utils.exercises import hyperparameters as exercises
from course_utils.lessons import hyperparameters as lesson

claim = claims.Claims()
optuna.logging.set_verbosity(optuna.logging.ERROR)
rng = np.random.default_rng(SEED)

# %% [markdown]
# The budget of this run.

# %%
DRAWS = 1000  # of validation rows
COINS = 400  # data sets with labels from a coin
REPLAYS = 40  # of each search

# %% [markdown]
# ## 1. A space that we know completely
#
# The data are 1,797 digits of 8 × 8 pixels. A network with one hidden layer learns from 300 of them, in 32
# epochs of Adam. Four settings are to be chosen: the learning rate (13 values from 0.0001 to 1), the
# number of hidden units (4, 8, 16, 32 or 64), the strength of an
# [L2 penalty](../docs/glossary.md#l2-penalty) (0 to 0.1) and the share of
# [dropout](../docs/glossary.md#dropout) (0 to 0.6). They are called *hyperparameters*, because the
# network's own parameters, its weights, are learned and these are not.


# %%
def network(rate, width, l2, dropout):
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(width, "relu", kernel_regularizer=regularizers.L2(l2)),
            layers.Dropout(dropout),
            layers.Dense(10, kernel_regularizer=regularizers.L2(l2)),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss)
    return model


digits = data.load_digits()
x, y = digits.x.reshape(-1, 64) / 16, digits.y
order = rng.permutation(len(x))
train, others = order[:300], order[300:]  # 300 to learn from, 1,497 to judge by

# %% [markdown]
# There are $13 \cdot 5 \cdot 5 \cdot 4 = 1300$ settings. The package trains all networks side by side (a test
# holds it to Keras), and keeps the loss of each at each of the 1,497 rows that nobody learned from. One network
# of Keras shows that the table is what it seems to be.

# %%
losses, wrong = lesson.every_network(x[train], y[train], x[others], y[others], rng)
loss = losses[-1]  # (1300, 1497), in nats, after 32 epochs

# %%
place = lesson.numbers([6, 3, 1, 1])  # rate 0.01, 32 units, L2 0.0001, dropout 0.2
model = network(0.01, 32, 0.0001, 0.2)
training.fit(model, x[train], y[train], epochs=32, batch_size=30)
logits = model.predict(x[others], verbose=0)
by_keras = metrics.categorical_nll(y[others], logits[None]).mean()
text = "With another start Keras reaches the log loss of the table, in nats"
claims.check(text, by_keras, loss[place].mean(), within=0.1)

# %% [markdown]
# **Predict.** Which of these makes the fewest errors on new digits: the best of 1,300 networks, logistic
# regression, or the *nearest neighbour*, which names each digit after the most similar of the 300?
#
# All learn from the same 300 rows. The first 300 of the others choose settings: the network's by its log
# loss, as in most of what follows; by errors the penalty of
# [logistic regression](../docs/glossary.md#logistic-regression), and `gamma` of a support vector machine, which
# is here for comparison only. The last 1,197 judge.

# %%
choose, judge = slice(0, 300), slice(300, None)


def tuned(models):
    """Errors on the judging rows of the model that makes the fewest on the choosing rows."""
    errors = [m.fit(x[train], y[train]).predict(x[others]) != y[others] for m in models]
    return min(errors, key=lambda e: e[choose].mean())[judge]


chosen = loss[:, choose].mean(axis=1).argmin()
errors = {
    "network, best of 1,300": wrong[chosen, judge],
    "logistic regression": tuned(
        [LogisticRegression(C=c, max_iter=300) for c in (1, 3, 10, 30, 100)]
    ),
    "nearest neighbour": tuned([KNeighborsClassifier(1)]),
    "support vector machine": tuned([SVC(C=10, gamma=g) for g in (0.03, 0.1, 0.2, 0.4)]),
}

# %% tags=["atol=0.02"]
print("\n".join(f"{name}: errors {share.mean():.3f}" for name, share in errors.items()))
print(f"the network with the fewest errors in hindsight: {wrong[:, judge].mean(axis=1).min():.3f}")

# %% tags=["atol=0.01"]
behind = 1.0 * errors["network, best of 1,300"] - errors["nearest neighbour"]
gap = claims.mean_and_error(behind, "digits")
print(f"network less nearest neighbour: {gap['value']:.3f} ± {gap['se']:.3f}")

# %% [markdown]
# So 1,300 trainings lost to a method without any, and so does the best of them in hindsight: no tuning of
# *this* network helps. (On five other training sets the chosen network loses, too: section 9.) The rest of
# this lesson asks what tuning can do, and how one is fooled by it.
#
# *Learned: before you tune, try what needs no tuning.*
#
# ## 2. What the winner says, and what it is
#
# Suppose that only 30 digits can be spared for validation. Each network gets a *score*, its mean
# [log loss](../docs/glossary.md#cross-entropy) on these rows (less is better), and the smallest wins.

# %% tags=["cover"]
lesson.draw_scores(plt.subplots(figsize=(9, 3.8))[1], loss[:, :30].mean(axis=1))
plotting.show("The scores of all 1,300 networks by 30 rows, and an arrow at the smallest.")

# %% [markdown]
# **Predict.** What is the true loss of this winner, on the other 1,467 rows? And if we had tried only
# 256 of the 1,300 settings: would the winner's score be better or worse? And the winner?
#
# The expected winner of $K$ random trials can be computed without drawing. Sort the $N$ scores. The
# winner has rank $i$ or worse if none of the $i - 1$ better ones was drawn, and for $K$ draws without
# replacement that probability is known (it is called *hypergeometric*).
#
# ### Exercise 1: the expected best of K
#
# You have run $N$ random trials. Estimate the smallest loss that $K \le N$ trials would have found, on
# average over all ways to draw $K$ of the $N$. (The curve as published in 2019, by Dodge et al., drew
# *with* replacement: too pessimistic. Tang et al. corrected it in 2020. A simulation needs some thirty
# thousand draws.)


# %%
def expected_best(losses, K): ...


exercises.q1.check(expected_best)
# exercises.q1.hint()  # and .solution()

# %% [markdown]
# With the weights of all ranks in one array we get two curves: what the winner's score says, and its loss
# on all other rows, on average over draws of the validation rows. (Standard errors over draws hold for these
# 1,300 networks; section 9 shows five other training sets.)

# %%
TRIALS = np.array([8, 16, 32, 64, 128, 256, 512, 1300])


def rank_weights(K, N=1300):
    """Probabilities (N,) that the winner of K trials has rank 1, ..., N among all N."""
    none = hypergeom.pmf(0, N, np.arange(N + 1), K)  # of the i best was none drawn
    return none[:-1] - none[1:]


def winners(table, rows, truth=None):
    """What the expected winner says and is, (DRAWS, len(TRIALS)) each; it is chosen by table."""
    rng, says, is_ = np.random.default_rng(SEED), [], []
    truth = table if truth is None else truth
    weights, total = np.array([rank_weights(K) for K in TRIALS]), truth.sum(axis=1)
    for _ in range(DRAWS):
        places = rng.permutation(table.shape[1])[:rows]
        seen = table[:, places].sum(axis=1)
        ranking = np.lexsort((rng.random(len(seen)), seen))  # ties in random order
        says.append(weights @ seen[ranking] / rows)
        rest = total - truth[:, places].sum(axis=1)
        is_.append(weights @ rest[ranking] / (table.shape[1] - rows))
    return np.array(says), np.array(is_)


found = {rows: winners(loss, rows) for rows in (30, 100, 300)}

# %%
lesson.draw_winners(plt.subplots(figsize=(11, 4.4))[1], TRIALS, found)
plotting.show(lesson.TEXTS["hero"])

# %%
says, is_ = found[30]
claim("By 30 rows, the best of 1,300 says this share of its true loss",
      says[:, -1].mean() / is_[:, -1].mean(), below=0.5, headline=True)  # fmt: skip
text = "By 30 rows, trying all settings and not 256 makes the winner worse by"
worse = claims.mean_and_error(is_[:, -1] - is_[:, 5], "draws of the rows")
claim(text, **worse, above=0, unit="nats", digits=3, headline=True)
says, is_ = found[300]
better = is_[:, 4] - is_[:, -1]  # from 128 to all
too_much = claims.mean_and_error(says[:, 4] - says[:, -1] - better, "draws of the rows")
text = "By 300 rows, the step from 128 to all settings brings less than the score says, by"
claim(text, **too_much, above=0, unit="nats", digits=4)

# %% tags=["atol=0.03"]
ranking = loss[:, :30].mean(axis=1).argsort()
print(f"The winner of the arrow is {loss[ranking[0], 30:].mean():.2f}.")
print(f"By 300 rows, from 128 to all settings, the true loss falls by {better.mean():.3f}.")

# %% [markdown]
# The score falls for ever. It has to: the minimum of a larger set is no larger. The truth does not. This is the
# *winner's curse*, known from auctions: who wins has probably overrated the thing. With 300 rows another
# thousand trials help little, and less than they say. With 30 rows they do harm. Why? Score by *errors*
# instead:

# %%
says, is_ = winners(1.0 * wrong, 30)
claim("By 30 rows and errors, the best of 1,300 says this share of its true errors",
      says[:, -1].mean() / is_[:, -1].mean(), below=0.5)  # fmt: skip
even = claims.mean_and_error(is_[:, -1] - is_[:, 5], "draws of the rows")
text = "By errors, trying all settings and not 256 makes the winner worse by"
claim(text, **even, above=-0.01, below=0.01, digits=4)
_, is_ = winners(loss, 30, 1.0 * wrong)
even = claims.mean_and_error(is_[:, -1] - is_[:, 5], "draws of the rows")
text = "By log loss, trying all makes the winner's share of errors larger by"
claim(text, **even, above=-0.01, below=0.01, digits=4)

# %% [markdown]
# The score lies again, but the winner gets hardly worse. And the winner by log loss is hardly wrong more
# often, it is too sure: its mistakes cost much, and they were not among the 30 rows.
#
# *Learned: the best of many scores is not a measurement. Choose by validation rows, measure by others.*
#
# ## 3. How much too good?
#
# How large is this *optimism*, what the winner is less what it says? Let network $k$ have the true error
# $t_k$ and the score $v_k = t_k + e_k$. The noise $e_k$ has a standard deviation $\sigma$; and two
# networks' noises are correlated, with correlation $\rho$, because they are asked for the *same* rows.
# So we split the noise in two independent parts,
#
# $$e_k = \underbrace{\sqrt{\rho}\,\sigma\,u}_{\text{the same for all}} +
# \underbrace{\sqrt{1-\rho}\,\sigma\,u_k}_{\text{its own}},\qquad
# \mathrm{Var}\,e_k = \sigma^2,\quad \mathrm{Cov}(e_k, e_l) = \rho\sigma^2 .$$
#
# The first part is no help to anybody: hard rows are hard for all. Only the second part can make a winner.
# If all $K$ networks are equally good, the winner is the one with the smallest $u_k$, and
#
# $$\text{optimism} = \sigma\sqrt{1-\rho}\;m_K,\qquad m_K = \mathbb E \max(u_1, \dots, u_K)$$
#
# for standard normal $u_k$, since $-u_k$ is as normal as $u_k$. The factor $m_K$ grows with $K$, but slowly.
# $\sigma$ shrinks with the root of the number of rows, because a score is a mean over them.
#
# **Predict.** Is $\rho$ among good networks nearer to 0, ½ or 1? If the networks are *not* equally
# good, does the winner flatter more than the formula says, or less?
#
# ### Exercise 2: optimism from the table of errors
#
# You have the errors of $K$ networks at the same $n$ rows: an array `errors` (K, n) of zeros and ones. Estimate
# $\sigma\sqrt{1-\rho}\,m_K$, with `m` for $m_K$. *No $\rho$ is needed*: in row $i$, take off the mean over the
# networks. What remains varies as the own part does, if you divide the sum of its squares by
# $(K-1)(n-1)$ after taking off each network's mean, too. (For a mean over $n$ rows, divide by $n$.)


# %%
def optimism(errors, m): ...


exercises.q2.check(optimism)
# exercises.q2.hint()  # and .solution()

# %% [markdown]
# The test: errors of the 256 best networks, and draws of 100 rows, from which the formula is computed. First we
# make the networks equally good, by taking off each one's true error; then we let them be as they are.

# %%
level = np.linspace(-8, 8, 4001)


def m(K):
    """Expected maximum of K standard normal numbers."""
    return np.trapezoid(level * K * norm.pdf(level) * norm.cdf(level) ** (K - 1), level)


def own_part(errors):
    """sigma sqrt(1 - rho) of a mean over the rows of errors (K, n)."""
    K, n = errors.shape
    rest = errors - errors.mean(axis=0) - errors.mean(axis=1, keepdims=True) + errors.mean()
    return np.sqrt((rest**2).sum() / (K - 1) / (n - 1) / n)


# %%
good = 1.0 * wrong[np.argsort(wrong.mean(axis=1))[:256]]  # (256, 1497)
sizes, n = (16, 64, 256), 100
to_rest = np.sqrt(n / (1497 - n) + 1)  # the truth is a mean over the other rows, and noisy too
sigma = good.std(axis=1).mean() / n**0.5 * to_rest
rows, own = [], []
for _ in range(DRAWS):
    seen = rng.permutation(1497)[:n]
    own.append(own_part(good[:, seen]) * to_rest)
    score = good[:, seen].mean(axis=1)
    truth = np.delete(good, seen, axis=1).mean(axis=1)
    for K in sizes:
        some = rng.permutation(256)[:K]
        flatters, winner = (truth - score)[some], score[some].argmin()
        rows.append((K, flatters.max(), flatters[winner]))
measured = (
    pd.DataFrame(rows, columns=["K", "as if equally good", "as they are"]).groupby("K").mean()
)
own = np.mean(own)
measured.insert(0, "formula with rho", [own * m(K) for K in sizes])
measured.insert(0, "formula without rho", [sigma * m(K) for K in sizes])

# %% tags=["atol=0.01"]
print("m_K:", {K: round(float(m(K)), 2) for K in sizes})
measured.round(3)

# %%
ratio = (measured["as if equally good"] / measured["formula with rho"]).mean()
claim("Optimism of equally good networks, measured over formula, mean of three K",
      ratio, above=0.9, below=1.1)  # fmt: skip
ratio = (measured["as they are"] / measured["formula with rho"]).max()
claim("As they are, they flatter less: measured over formula, largest", ratio, below=0.85)
ratio = (measured["formula without rho"] / measured["formula with rho"]).min()
claim("Without rho the formula is larger by a factor of", ratio, above=1.2)
rho = 1 - (own / sigma) ** 2
claim("Correlation of the noise of good networks, the share common to all", rho, above=0.4)

# %% [markdown]
# A large part of the noise is common to all, and costs nothing. What is left is predicted within some
# per cent. Networks that differ flatter less: part of the differences between their scores is real. So for
# errors the formula is roughly an upper estimate. And for the arrow of section 2, a *log loss* by 30 rows?

# %% tags=["atol=0.03"]
for K in (64, 256, 1300):
    estimate = own_part(loss[ranking[:K], :30]) * m(K)
    print(f"formula for the {K} that look best: optimism {estimate:.2f}")
print(f"truth: {loss[ranking[0], 30:].mean() - loss[ranking[0], :30].mean():.2f}")

# %% [markdown]
# Here the networks are far from equally good, and a bad one has more noise. The formula tells of what size
# the flattery may be, not what it is.
#
# *Learned: optimism grows with trials, slowly, and shrinks with rows; only the part of the noise that networks
# do not share can fool you.*
#
# ## 4. Labels from a coin
#
# There is a test for leaks. Replace all [labels](../docs/glossary.md#label) by tosses of a coin, and draw
# the folds of a [cross-validation](../docs/glossary.md#cross-validation) without a look at them. Then
# nothing can be learned, and whatever your whole procedure reports must be, on average, *exactly* 50 %:
# the label of a row that was left out is independent of all that was computed without it. (The test finds
# leaks through labels. It is blind to others, such as two rows of one patient.)
#
# Our candidates are simple. There are 60 rows with 20 columns of noise. A setting says which three columns
# a classifier may look at, and it names the class whose mean is nearer: beyond the point half-way between the
# means, in the direction from one to the other. With `masks` (64, 20) of zeros and ones, 64 settings predict
# at once.


# %%
def predict(masks, x, y, new):
    """Classes (S, M) of new rows (M, D), for each setting in masks (S, D)."""
    zero, one = x[y == 0].mean(axis=0), x[y == 1].mean(axis=0)
    return masks @ ((new - (zero + one) / 2) * (one - zero)).T > 0


def cross_validate(masks, x, y, folds):
    """Share right (S,) of each setting; folds (N,) numbers the fold of each row."""
    right = np.empty((len(masks), len(y)))
    for fold in np.unique(folds):
        out = folds == fold
        right[:, out] = predict(masks, x[~out], y[~out], x[out]) == y[out]
    return right.mean(axis=1)


# %% [markdown]
# **Predict.** The best of 64 settings by [cross-validation](../docs/glossary.md#cross-validation) on coin
# labels: what share of the 60 tosses does it get right, on average?
#
# The cure is on the slides as *nested k-folds*. The choice is part of the training, so it has to be
# repeated inside: leave a fold out, choose by cross-validation *among the others*, predict the fold with that
# choice, and go on to the next fold.
#
# ### Exercise 3: nested cross-validation
#
# Write it with the two functions above. The inner folds of $n$ rows are `np.arange(n) % 5`; of equally good
# settings take the first. Return the share of the rows that are right.


# %%
def nested(masks, x, y, folds): ...


exercises.q3.check(nested)
# exercises.q3.hint()  # and .solution()


# %%
def nested_share(masks, x, y, folds):
    right = []
    for fold in np.unique(folds):
        out = folds == fold
        inner = cross_validate(masks, x[~out], y[~out], np.arange(sum(~out)) % 5)
        best = masks[[inner.argmax()]]
        right.extend(predict(best, x[~out], y[~out], x[out])[0] == y[out])
    return np.mean(right)


def subsets(columns):
    """64 settings, each with three of the columns."""
    return np.array([rng.permutation(columns) < 3 for _ in range(64)]) * 1.0


tosses = []
for _ in range(COINS):
    noise, coin = rng.normal(size=(60, 20)), rng.integers(0, 2, 60)
    given = subsets(20), noise, coin, rng.permutation(60) % 5
    tosses.append((cross_validate(*given).max(), nested_share(*given)))
best, inside = np.transpose(tosses)

# %%
claim("On coin labels the best of 64 settings says", **claims.mean_and_error(best, "data sets"),
      above=0.6, digits=3)  # fmt: skip
se = inside.std(ddof=1) / COINS**0.5
text = "Nested cross-validation on coin labels says 50 %"
claims.check(text, inside.mean(), 0.5, within=4, se=se)

# %% [markdown]
# The same on real labels: 60 tumours to work with, 509 others to know the truth, and the same two
# functions. (The draws of 60 share tumours, so the standard error is over draws of these 569.)

# %%
cancer = data.load_breast_cancer()
tumours = []
for _ in range(250):
    some = rng.permutation(len(cancer.x))
    scaled = (cancer.x - cancer.x[some[:60]].mean(axis=0)) / cancer.x[some[:60]].std(axis=0)
    here, labels, fresh = scaled[some[:60]], cancer.y[some[:60]], some[60:]
    masks, folds = subsets(30), rng.permutation(60) % 5
    share = cross_validate(masks, here, labels, folds)
    winner = predict(masks[[share.argmax()]], here, labels, scaled[fresh])[0]
    truth = np.mean(winner == cancer.y[fresh])
    tumours.append((share.max() - truth, nested_share(masks, here, labels, folds) - truth))
best, inside = np.transpose(tumours)
text = "On tumours the best of 64 settings says too much, by"
claim(text, **claims.mean_and_error(best, "draws"), above=0.02, digits=3, headline=True)
text = "Nested cross-validation says too much by"
claim(text, **claims.mean_and_error(inside, "draws"), above=-0.02, below=0.02, digits=3)

# %% [markdown]
# In scikit-learn a search is itself a model, so nesting is one line. `GridSearchCV`, on the slides, tries a
# grid; `RandomizedSearchCV` (the slides say `RandomSearchCV`) draws. By the last 60 tumours:

# %% tags=["atol=0.1"]
grid = GridSearchCV(SVC(), {"C": [0.1, 1, 10, 100], "gamma": [0.001, 0.01, 0.1]}).fit(here, labels)
inside = cross_val_score(grid, here, labels).mean()
print(f"best of 12: {grid.best_score_:.2f}, nested: {inside:.2f}")

# %% [markdown]
# ### Exercise 4: find the leaks
#
# Which of these can lift the mean result on coin labels above 50 %? The first five are done *before*
# cross-validation and on all rows. Write `True` for a leak.

# %%
leaks = {
    "scale each column to mean 0 and variance 1": ...,
    "keep the 20 columns that differ most between the two classes": ...,
    "keep the 20 columns with the largest variance": ...,
    "leave out the rows that a first fit gets wrong": ...,
    "copy every row, label included, and shuffle": ...,
    "report the best of ten random seeds": ...,
}
exercises.q4.check(leaks)
# exercises.q4.hint()  # and .solution()

# %% [markdown]
# The second is the most famous one. Ambroise and McLachlan found it in 2002 in published studies of genes:
# thousands of columns, a few dozen patients, and the columns chosen on all of them. We repeat it, with 2,000
# columns of noise, 50 rows and coin labels. (`make_pipeline` makes the selection part of the model.)

# %%
genes = []
keep, classify = SelectKBest(k=20), NearestCentroid()
for draw_number in range(20):
    noise, coin = rng.normal(size=(50, 2_000)), rng.integers(0, 2, 50)
    plain = KFold(5, shuffle=True, random_state=draw_number)  # does not look at labels
    selected = keep.fit_transform(noise, coin)
    outside = cross_val_score(classify, selected, coin, cv=plain).mean()
    pipeline = make_pipeline(keep, classify)
    genes.append((outside, cross_val_score(pipeline, noise, coin, cv=plain).mean()))
outside, inside = np.transpose(genes)
text = "Columns selected outside cross-validation: share of coin tosses 'predicted'"
claim(text, **claims.mean_and_error(outside, "data sets"), above=0.9, headline=True)
se = inside.std(ddof=1) / len(inside) ** 0.5
claims.check("Selected inside, it is 50 %", inside.mean(), 0.5, within=4, se=se)

# %% [markdown]
# *Learned: whatever looks at labels belongs inside the folds, and so does the choice of settings. A coin
# finds what was left outside.*
#
# ## 5. Which search finds more?
#
# Back to the digits. From now on 300 rows give the score, and the others the truth. Since all 1,300 networks
# are known, a search can be replayed in a moment. Here are the rivals.
#
# * **Random**: draw settings. Its expected curve is known from section 2.
# * **Grid**: 4 rates and two values of each other setting, at equal distances.
# * **Coarse to fine**, from the slides: half of the trials at random, the rest in a box around the three best.
# * **A sweep by hand**: start in the middle of the space, try all values of one setting, keep the best, take
#   the next setting, in random order. That is what people do without any tool.
# * **A Gaussian process**: after eight random draws, predict the score of all settings not yet tried, and how
#   sure that is; try the one that promises most.
# * **TPE** (tree-structured Parzen estimator): Optuna's default. After ten random draws it splits the
#   trials into a good and a bad group, and tries what is probable under the good and improbable under the
#   bad.
#
# The sweep needs a few lines. (`lesson.SHAPE` is (13, 5, 5, 4), and `lesson.numbers` turns a place in this grid
# into the number of the setting. Grid, coarse to fine and TPE stand in the package.)


# %%
def sweep(score, trials, rng, start=None):
    place = np.array(lesson.SHAPE) // 2 if start is None else start
    tried = []
    for d in [d for _ in range(6) for d in rng.permutation(4)]:
        line = np.tile(place, (lesson.SHAPE[d], 1))
        line[:, d] = np.arange(lesson.SHAPE[d])
        places = lesson.numbers(line)
        tried += [number for number in places if number not in tried]
        place = line[score[places].argmin()]
    return tried[:trials]


# %% [markdown]
# The Gaussian process says that the scores at any places are jointly normal, and that near places have
# similar ones: the [covariance](../docs/glossary.md#covariance-matrix) of two at the distance $d$ is
# $\exp(-d^2/2\ell^2)$. Let $s$ be the scores at the places tried (log loss, logarithm taken, mean 0 and
# variance 1), $C$ the matrix of their covariances, with a little noise on its diagonal, and $k$ the
# vector of their covariances with the score at a new place. If numbers are jointly normal, then given
# some of them, another one is normal again. Here its mean and variance are
#
# $$\mu = k^\top C^{-1} s,\qquad \tau^2 = 1 - k^\top C^{-1} k .$$
#
# The length $\ell$ is the one of five that makes the density of $s$ itself the largest.


# %%
def covariance(squares, length):
    return np.exp(-squares / 2 / length**2)


def belief(s, among, to):
    """mu, tau (M,) at new places; squared distances among (n, n) those of s, to (n, M) the new."""
    noise, normal = 0.01 * np.eye(len(s)), multivariate_normal
    lengths = (0.15, 0.25, 0.4, 0.7, 1.2)
    length = max(lengths, key=lambda one: normal.logpdf(s, cov=covariance(among, one) + noise))
    k = covariance(to, length)
    weights = np.linalg.solve(covariance(among, length) + noise, k)  # C^-1 k
    return weights.T @ s, np.sqrt(np.maximum(1 - (k * weights).sum(axis=0), 1e-9))


# %% [markdown]
# What does a trial at a new place promise? The *expected improvement* over the best score so far,
# $\mathbb E\max(s_{\min} - v, 0)$ for $v \sim \mathcal N(\mu, \tau^2)$. This integral is
# $\tau\,(q\,\Phi(q) + \varphi(q))$ with $q = (s_{\min} - \mu)/\tau$, where $\varphi$ is the standard
# normal density and $\Phi$ its integral. It is large where $\mu$ is small, and where little is known. In
# the picture only the rate is free:


# %%
def promise(mu, tau, best):
    q = (best - mu) / tau
    return tau * (q * norm.cdf(q) + norm.pdf(q))


improvements = np.maximum(0.5 - rng.normal(0.7, 0.3, 100_000), 0)
text = "The formula of the promise agrees with draws"
error = improvements.std() / len(improvements) ** 0.5
claims.check(text, promise(0.7, 0.3, 0.5), improvements.mean(), within=4, se=error)

# %%
lesson.draw_promise(plt.subplots(2, 1, figsize=(9, 4.6), sharex=True)[1], loss, belief, promise)
plotting.show("Scores tried, what is believed of the others with a band, and the promise below.")

# %%
unit = lesson.PLACES / (np.array(lesson.SHAPE) - 1)  # every setting from 0 to 1
squares = ((unit[:, None] - unit) ** 2).sum(axis=-1)  # (1300, 1300)


def gaussian_process(score, trials, rng):
    tried = list(rng.permutation(len(score))[:8])
    while len(tried) < trials:
        s = np.log(score[tried])
        s = (s - s.mean()) / s.std()
        gain = promise(*belief(s, squares[np.ix_(tried, tried)], squares[tried]), s.min())
        gain[tried] = -1
        tried.append(int(gain.argmax()))
    return tried


# %% [markdown]
# **Predict.** After 32 trials, rank the six by the true loss of the winner. How long does the sweep by hand
# keep up?


# %%
def replays(repeats=REPLAYS):
    """Draw 300 rows; yield generator, score (6, 1300) after EPOCHS, true loss above the best."""
    total, n = loss.sum(axis=1), loss.shape[1]
    for number in tqdm(range(repeats), desc="replaying", leave=False, delay=1):
        draws = np.random.default_rng([SEED, number])
        score = losses[:, :, draws.permutation(n)[:300]].mean(axis=2)
        truth = (total - 300 * score[-1]) / (n - 300)
        yield draws, score, truth - truth.min()


def replay(find, trials=32):
    """True loss of the winner above the best one, after each trial: (REPLAYS, trials)."""
    curves = []
    for draws, score, truth in replays():
        tried = np.array(find(score[-1], trials, draws))
        winners = [tried[:t][score[-1, tried[:t]].argmin()] for t in range(1, trials + 1)]
        curves.append(truth[winners])
    return np.array(curves)


# %%
weights = np.array([rank_weights(K) for K in range(1, 33)])  # random search needs no replay
curves = {
    "random": np.array([weights @ truth[score[-1].argsort()] for _, score, truth in replays()]),
    "grid": replay(lambda score, trials, rng: lesson.grid((4, 2, 2, 2), rng)),
    "coarse to fine": replay(lesson.coarse_to_fine),
    "sweep": replay(sweep),
    "Gaussian process": replay(gaussian_process),
    "TPE": replay(lesson.tpe),
}
lesson.draw_searches(plt.subplots(figsize=(10, 4.4))[1], {k: c.mean(0) for k, c in curves.items()})
plotting.show(lesson.TEXTS["searches"])

# %%
middle = np.abs(lesson.PLACES[:, 0] - 6) <= 3  # seven of the thirteen rates
weights = np.array([rank_weights(K, middle.sum()) for K in range(1, 33)])
narrow = [weights @ truth[middle][score[-1, middle].argsort()] for _, score, truth in replays()]
curves["random, middle rates"] = np.array(narrow)
at = {f"after {t}": {name: c[:, t - 1].mean() for name, c in curves.items()} for t in (8, 16, 32)}
lost = {name: curve[:, -1] for name, curve in curves.items()}

# %% tags=["atol=0.1"]
pd.DataFrame(at).round(3)

# %%
for name in ("TPE", "Gaussian process", "sweep"):
    ahead = claims.mean_and_error(lost["random"] - lost[name], "draws of the rows")
    claim(f"After 32 trials {name} is truly better than random search, by", **ahead, above=0,
          unit="nats", digits=3, headline=name == "TPE")  # fmt: skip
behind = claims.mean_and_error(lost["sweep"] - lost["TPE"], "draws of the rows")
text = "The sweep from the middle is at most this much worse than TPE"
claim(text, **behind, below=0.015, unit="nats", digits=3, headline=True)
even = claims.mean_and_error(lost["grid"] - lost["random"], "draws of the rows")
claim("Grid and random search are nearly even here", **even, above=-0.03, below=0.03, digits=3)

# %% [markdown]
# Clever searches are much better than random draws. The sweep leads at first, and at the end it is level
# with TPE (on five other training sets it is a little ahead, and so is the Gaussian process: section 9).
# It knows something that they do not: whoever drew this space understood the problem, so its *middle* is
# a good place. Tell random search, too, and let it draw from the seven middle rates only (last row). And
# take it from the sweep, by a start anywhere:


# %%
def lost_sweep(score, trials, rng):
    return sweep(score, trials, rng, start=lesson.PLACES[rng.integers(1300)])


anywhere = replay(lost_sweep, 64)
is_lost = claims.mean_and_error(anywhere[:, 15] > 0.2, "draws and starts")
claim("Share of sweeps from anywhere that are lost (> 0.2) after 16 trials", **is_lost, above=0.1)
claim("Share of them that are lost after 64 trials", (anywhere[:, -1] > 0.2).mean(), below=0.1)
behind = claims.mean_and_error(anywhere[:, 15] - curves["random"][:, 15], "draws and starts")
claim("After 16 trials they are behind random search, by", **behind, above=0, unit="nats")

# %% [markdown]
# So most of the sweep's lead is what it was told. From anywhere some are lost in the first round, so that
# on average it is behind random search; the second round finds nearly all of them.
#
# *Learned: start from what you know and change one thing at a time, or let a model of the scores choose.
# Random search is the yardstick, and grids are for few settings.*
#
# ## 6. Stop the losers early
#
# All searches so far trained every network to its end. *Successive halving* does not (Jamieson and Talwalkar
# 2016). Train 64 networks for one epoch, keep the better half; train these to epoch 2, keep half; and so on.
# The last two are trained to epoch 32, and the better one wins.
#
# **Predict.** What does that cost, in full trainings of 32 epochs? And is it as good as a random search
# at the same price, at twice, at four times the price?


# %%
def halving(score, tried):
    """Winner and price in full trainings; score (6, 1300) after each of the EPOCHS."""
    price, before = 0, 0
    for epoch, now in zip(lesson.EPOCHS, score):
        price += len(tried) * (epoch - before) / 32
        tried, before = tried[np.argsort(now[tried])][: len(tried) // 2 or 1], epoch
    return tried[0], price


def short(score, tried):
    """A cheap rival, the best of some that we tried: one look, after one epoch; five go on."""
    kept = tried[np.argsort(score[0, tried])[:5]]
    return kept[score[-1, kept].argmin()], (64 + 5 * 31) / 32


ends = {name: [] for name in ("halving", "short", "random, 7", "random, 14", "random, 28")}
for draws, score, truth in replays(3 * REPLAYS):
    tried = draws.permutation(1300)[:64]
    ends["halving"].append(truth[halving(score, tried)[0]])
    ends["short"].append(truth[short(score, tried)[0]])
    for K in (7, 14, 28):
        ends[f"random, {K}"].append(rank_weights(K) @ truth[score[-1].argsort()])

# %% tags=["atol=0.05"]
print(f"price: halving {halving(score, tried)[1]:g} trainings, short {short(score, tried)[1]:.1f}")
similar = spearmanr(score[0], score[-1]).statistic
print(f"rank correlation of the scores after the first and the last epoch: {similar:.2f}")
pd.DataFrame(ends).mean().round(3)

# %%
ends = {name: np.array(values) for name, values in ends.items()}
ahead = claims.mean_and_error(ends["random, 14"] - ends["halving"], "draws of rows and settings")
text = "Halving is better than random search at twice its price, by"
claim(text, **ahead, above=0.02, unit="nats", digits=3, headline=True)
lead = {name: (ends["random, 7"] - ends[name]).mean() for name in ("halving", "short")}
text = "Of halving's lead over random search at its price, one look has this share"
claim(text, lead["short"] / lead["halving"], above=0.8)

# %% [markdown]
# Most settings are bad, and most bad ones show it after the first epoch. That is the secret, and nearly all of
# it is to look early at all: once is almost enough. (The losses above are above the best one by the same
# rows. The best of 1,300 flatters itself, so all are a little too large, and alike.)
#
# *Learned: give many settings a little time, and few settings much.*
#
# ## Summary
#
# These are the sentences of the lesson with their numbers; the other claims are folded below them. "±" is
# the standard error over what the line names.

# %%
claim

# %% [markdown]
# **What to do with it.** First the model that needs no tuning. Then a sweep from a good guess, a Gaussian
# process, or TPE, with as many trials as you can pay *and* your validation rows can judge; and halving if
# trials are expensive. Choose by one set of rows, report by
# another, and nest the choice where rows are rare. And toss a coin once.
#
# ## 7. Further: choosing without validation rows
#
# A [Bayesian](../docs/glossary.md#bayesian-inference) model can judge its settings by the very rows that it
# learned from. The [evidence](../docs/glossary.md#evidence) $p(y)$ is the density of the data before any
# weight was fitted, so a setting that could explain *everything* gets little of it for what happened. For a
# linear model $y = Xw +
# \text{noise}$ with $w \sim \mathcal N(0, I/\alpha)$ and noise of standard deviation $\sigma$, $y$ is normal
# with covariance $XX^\top/\alpha + \sigma^2 I$. With the eigenvectors $U$ of $XX^\top$ and its eigenvalues
# $\lambda$ this is a sum over single numbers. So is every prediction: along each eigenvector $v$ of
# $X^\top X$ the weights have the posterior precision $\alpha + \lambda/\sigma^2$, so at a new $x$ the
# variance is $\sigma^2 + \sum (x^\top v)^2 / \text{precision}$.
#
# The alcohol of 178 wines is to be predicted from twelve other measurements and all their products, 90
# columns in all, by 40 wines. **Predict.** Which chooses $\alpha$ and $\sigma$ best: the evidence of 40
# wines, five-fold cross-validation, a validation set of ten of them, or nobody, with $\alpha = 100$ and
# $\sigma = 0.63$ for all draws?

# %%
ALPHAS, SIGMAS = np.meshgrid(np.logspace(-3, 4, 29), np.logspace(-0.8, 0.3, 12), indexing="ij")


def evidence_loss(X, y):
    """Minus log evidence of every pair of alpha and sigma."""
    values, U = np.linalg.eigh(X @ X.T)
    variance = np.maximum(values, 0)[:, None, None] / ALPHAS + SIGMAS**2
    return -norm.logpdf((U.T @ y)[:, None, None], scale=np.sqrt(variance)).sum(axis=0)


def new_loss(X, y, new_X, new_y):
    """Mean log loss at new rows of every pair."""
    values, V = np.linalg.eigh(X.T @ X)
    precision = ALPHAS + np.maximum(values, 0)[:, None, None] / SIGMAS**2
    weights = (V.T @ X.T @ y)[:, None, None] / SIGMAS**2 / precision
    mean = np.tensordot(new_X @ V, weights, axes=1)
    variance = SIGMAS**2 + np.tensordot((new_X @ V) ** 2, 1 / precision, axes=1)
    return -norm.logpdf(new_y[:, None, None], mean, np.sqrt(variance)).mean(axis=0)


def five_fold(X, y):
    folds = [np.arange(len(y)) % 5 == k for k in range(5)]
    return sum(new_loss(X[~out], y[~out], X[out], y[out]) for out in folds)


# %%
wine = data.load_wine().x
alcohol, rest = wine[:, 0], wine[:, 1:]
rules = {
    "evidence": evidence_loss,
    "five folds": five_fold,
    "ten wines left out": lambda X, y: new_loss(X[10:], y[10:], X[:10], y[:10]),
    "nobody": lambda X, y: np.log(ALPHAS / 100) ** 2 + np.log(SIGMAS / 0.63) ** 2,
}

# %%
chosen, seconds = [], dict.fromkeys(rules, 0.0)
for _ in range(60):
    some = rng.permutation(len(wine))
    z = (rest - rest[some[:40]].mean(axis=0)) / rest[some[:40]].std(axis=0)
    pairs = np.triu_indices(12)
    X = np.hstack([z, z[:, pairs[0]] * z[:, pairs[1]]])
    X = np.clip((X - X[some[:40]].mean(axis=0)) / X[some[:40]].std(axis=0), -6, 6)
    t = (alcohol - alcohol[some[:40]].mean()) / alcohol[some[:40]].std()
    here, fresh = some[:40], some[40:]
    truth, row = new_loss(X[here], t[here], X[fresh], t[fresh]), {}
    for name, rule in rules.items():
        start = time.process_time()
        row[name] = truth.flat[rule(X[here], t[here]).argmin()] - truth.min()
        seconds[name] += time.process_time() - start
    chosen.append(row)
chosen = pd.DataFrame(chosen)

# %% tags=["nbval-ignore-output"]
pd.DataFrame({"loss above the best pair": chosen.mean().round(3),
              "time, evidence = 1": {k: round(v / seconds["evidence"], 1)
                                     for k, v in seconds.items()}})  # fmt: skip

# %%
behind = claims.mean_and_error(chosen["evidence"] - chosen["five folds"], "draws of 40 wines")
text = "The evidence chooses as well as five folds: it is worse by"
claim(text, **behind, above=-0.1, below=0.1, unit="nats")
ahead = claims.mean_and_error(chosen["ten wines left out"] - chosen["evidence"], "draws")
claim("It chooses better than ten wines, by", **ahead, above=0, unit="nats")

# %% [markdown]
# The evidence needs no fold and one fit. It is exact here, for networks only approximate, and it is right
# only as far as the model is. The fixed pair is as good here: we knew these wines, and it suits most of
# their measurements. Nothing in a new table says that it fits. Try flavanoids, `wine[:, 6]`, in place of
# alcohol.
#
# ## 8. Further: many workers
#
# A search on many machines needs one thing: a place where all trials are kept, so that every worker knows
# what the others found. Optuna has it. `python -m course_utils.search` is one worker:
#
#     python -m course_utils.search --storage digits.journal --study rates --trials 40
#
# Start as many as you like, wherever they see the storage; each one goes on until the study has at least
# so many finished trials (with several workers a few more, as the others finish what they have begun).
# The storage is a file, a journal to which every worker adds lines. With the address of a database
# (`postgresql+psycopg://user@host/name`) in its place nothing else changes.
#
# Workers die: a machine restarts, a queue has a time limit. A finished trial is in the journal and safe. An
# unfinished one stays there as *running*, for ever, unless somebody notices. So every trial notes the machine
# and the process of its worker (and when it started, as numbers of processes come again).
#
# ### Exercise 5: whose trial may be repeated?
#
# `running` is a list of pairs (machine, process), one for each running trial. You are on `machine`, and
# `alive` is the set of its processes that still run. Return for each trial whether it may be repeated: true
# where the worker is surely dead, false where it may be alive.


# %%
def may_be_repeated(running, machine, alive): ...


exercises.q5.check(may_be_repeated)
# exercises.q5.hint()  # and .solution()

# %% [markdown]
# Two workers start, and one is killed by its process id in the middle of a trial. Then a third one goes on.

# %%
folder = tempfile.TemporaryDirectory()
journal = str(Path(folder.name, "digits.journal"))


def worker(trials):
    command = [sys.executable, "-m", "course_utils.search", "--storage", journal]
    command += ["--study", "digits", "--trials", str(trials)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def trials_now():
    storage = search.open_storage(journal)
    return optuna.load_study(study_name="digits", storage=storage).trials


first, second = worker(6), worker(6)
first.stdout.readline()  # it has finished a trial, and is busy with the next one
first.kill()
first.communicate()
second.communicate()
before = {t.number: t.value for t in trials_now() if t.value is not None}

# %%
third = worker(9)
third.communicate()
after = {t.number: t.value for t in trials_now() if t.value is not None}
folder.cleanup()
claims.check("All workers' trials that were finished before are there after it",
             [after[number] for number in before], list(before.values()), within=0)  # fmt: skip

# %% [markdown]
# Four things can go wrong that nobody expects, and the command sees to them: a worker killed while it writes
# leaves half a line behind, after which no other line could be read; one killed while it holds the journal's
# lock leaves the lock; workers that start together want to make the same tables; and workers with the same
# random seed all try the same settings.
#
# ## 9. Further: useless settings, Hyperband, five training sets
#
# ### Exercise 6: how many trials?
#
# Random search has no idea of the space, and yet one can promise something. How many trials does it need, at
# least, so that with probability `chance` one of them is among the best `share` of all settings? (The space
# is large: take draws as independent.)


# %%
def trials_needed(share, chance): ...


exercises.q6.check(trials_needed)
# exercises.q6.hint()  # and .solution()

# %% [markdown]
# **Useless settings.** Bergstra and Bengio (2012) made random search popular by a simple point. Add
# settings that change nothing. A grid has to spend its levels on them; random search does not notice:
# each trial still draws the useful settings at random, so its curve is nearly the same (the same useful
# ones may come twice). We give 64 trials, and four useless settings.


# %%
def useless_grid(score, trials, rng):
    """Two rates, and two values of five of the seven other settings; of those not useless."""
    return lesson.grid([2, *rng.permutation([2] * 5 + [1] * 2)[:3]], rng)


with_useless = {
    "grid": (lambda s, t, rng: lesson.grid(rng.permutation([4, 4, 2, 2]), rng), useless_grid),
    "TPE": (lesson.tpe, lambda *given: lesson.tpe(*given, useless=4)),
}
rows = {name: [replay(find, 64)[:, -1] for find in pair] for name, pair in with_useless.items()}

# %% tags=["atol=0.15"]
pd.DataFrame({k: [c.mean() for c in v] for k, v in rows.items()}, ["without", "with four"]).round(3)

# %%
text = "Four useless settings make the grid's winner worse by"
costs = claims.mean_and_error(rows["grid"][1] - rows["grid"][0], "draws and grids")
claim(text, **costs, above=0.03, unit="nats")
costs = claims.mean_and_error(rows["TPE"][1] - rows["TPE"][0], "draws")
claim("They make TPE's worse by", **costs, below=0.03, unit="nats", digits=3)

# %% [markdown]
# *Hyperband* (Li et al. 2018) does not trust one epoch to tell good from bad. It runs halving several times,
# from many networks with a short start to few that are trained in full. Where bad settings show at
# once, that is caution for nothing:


# %%
def hyperband(score, draws):
    ends, price = [], 0
    for late in range(6):  # the first look comes after 1, 2, 4, ... epochs
        tried = draws.permutation(1300)[: int(np.ceil(6 / (6 - late) * 2 ** (5 - late)))]
        price += len(tried) * lesson.EPOCHS[late] / 32
        for look in range(late, 6):
            kept = tried[np.argsort(score[look, tried])][: len(tried) // 2 or 1]
            if look < 5:
                price += len(kept) * (lesson.EPOCHS[look + 1] - lesson.EPOCHS[look]) / 32
            tried = kept
        ends.append(tried[0])
    return min(ends, key=lambda number: score[-1, number]), price


twice = []
for draws, score, truth in replays():
    (winner, price), wide = hyperband(score, draws), draws.permutation(1300)[:128]
    twice.append((truth[winner], truth[halving(score, wide)[0]], price))
band, plain_halving, price = np.mean(twice, axis=0)

# %% tags=["atol=0.03"]
print(f"Hyperband {band:.3f} for {price:.0f} trainings, halving of 128 {plain_halving:.3f} for 14")

# %% [markdown]
# Everything so far had one training set. The record of this run, and five stored ones by `make table
# LESSON=hyperparameters`, each with other rows to learn from, other starts and other draws, and none of them
# this one:

# %%
record = {
    "nearest neighbour ahead": gap["value"],
    "says / is, 30 rows": found[30][0][:, -1].mean() / found[30][1][:, -1].mean(),
    "256 to all, 30 rows": worse["value"],
    "128 to all, 300 rows": -better.mean(),
    "optimism / formula": (measured["as if equally good"] / measured["formula with rho"]).mean(),
    **{f"{name}, after 32": values.mean() for name, values in lost.items()},
    "halving": ends["halving"].mean(),
    "one look": ends["short"].mean(),
    "random at its price": ends["random, 7"].mean(),
}
record = {name: round(float(value), 4) for name, value in record.items()}

# %%
stored = pd.DataFrame(data.stored_table("hyperparameters"))
stored.agg(["mean", "std", "min", "max"]).T.round(3)

# %%
live = pd.Series(record)
off = ((live - stored.mean()) / stored.std()).abs().mean()
claim("This run agrees with the five stored ones, mean distance in their spreads", off, below=3)
ahead = claims.mean_and_error(stored["nearest neighbour ahead"], "training sets")
claim("Over five training sets the nearest neighbour is ahead of the best of 1,300 networks, by",
      **ahead, above=0, digits=3)  # fmt: skip
text = "On each of five training sets over-search costs by 30 rows, at least"
claim(text, stored["256 to all, 30 rows"].min(), above=0, unit="nats", digits=3)
for name in ("sweep", "Gaussian process"):
    ahead = stored["TPE, after 32"] - stored[f"{name}, after 32"]
    claim(f"Over five training sets, {name} is ahead of TPE after 32 trials, by",
          **claims.mean_and_error(ahead, "training sets"), above=0, digits=4)  # fmt: skip
ahead = stored["random, after 32"] - stored["TPE, after 32"]
claim("On each of them TPE is better than random search, by at least", ahead.min(), above=0,
      digits=3)  # fmt: skip
behind = claims.mean_and_error(stored["one look"] - stored["halving"], "training sets")
claim("Over five training sets one look is behind halving, by", **behind, above=0, digits=4)

# %% [markdown]
# **Try it.** Choose what is scored and by how many rows. When does the second curve turn up?


# %% tags=["nbval-ignore-output"]
DRAWS = 100  # are enough for a look


def view(score, rows):
    table = loss if score == "log loss" else 1.0 * wrong
    return lesson.draw_curves(rows, score, TRIALS, winners(table, rows))


explorers.gallery(view, score=["log loss", "share of errors"], rows=[10, 30, 100, 300, 700])

# %% [markdown]
# ### Further reading
#
# * J. Bergstra, Y. Bengio: *Random Search for Hyper-Parameter Optimization*, JMLR 13, 2012; J. Bergstra, R.
#   Bardenet, Y. Bengio, B. Kégl: *Algorithms for Hyper-Parameter Optimization*, NeurIPS 2011 (TPE). Section
#   5.
# * C. E. Rasmussen, C. K. I. Williams: *Gaussian Processes for Machine Learning*, MIT Press 2006; J. Snoek, H.
#   Larochelle, R. P. Adams: *Practical Bayesian Optimization of Machine Learning Algorithms*, NeurIPS 2012.
# * C. Ambroise, G. J. McLachlan: *Selection Bias in Gene Extraction on the Basis of Microarray
#   Gene-Expression Data*, PNAS 99, 2002; S. Varma, R. Simon: *Bias in Error Estimation When Using
#   Cross-Validation for Model Selection*, BMC Bioinformatics 7, 2006; G. C. Cawley, N. L. C. Talbot: *On
#   Over-fitting in Model Selection*, JMLR 11, 2010. Sections 2 and 4.
# * J. Dodge, S. Gururangan, D. Card, R. Schwartz, N. A. Smith: *Show Your Work*, EMNLP 2019; R. Tang et al.:
#   *Showing Your Work Doesn't Always Work*, ACL 2020. Exercise 1.
# * K. Jamieson, A. Talwalkar: *Non-stochastic Best Arm Identification and Hyperparameter Optimization*,
#   AISTATS 2016; L. Li, K. Jamieson, G. DeSalvo, A. Rostamizadeh, A. Talwalkar: *Hyperband*, JMLR 18, 2018.
#   Sections 6 and 9.
# * D. J. C. MacKay: *Bayesian Interpolation*, Neural Computation 4, 1992. Section 7.
# * T. Akiba, S. Sano, T. Yanase, T. Ohta, M. Koyama: *Optuna*, KDD 2019. Section 8.
