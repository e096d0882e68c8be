# %% [markdown]
# # Transfer learning: what somebody else's network knows
#
# **When are somebody else's weights worth having?**
#
# You have a handful of labelled signals. Somebody else has thousands, of other kinds, and a network that was
# trained on them. The slides say: freeze its first layers, and train the last ones on your signals. You do so, and
# compare it with a start from nothing, with methods that cost almost nothing, and with an untrained network.
#
# ![Five signals of kinds with many labels, and five of kinds with few.](figures/transfer_learning.png)
#
# | | |
# | --- | --- |
# | **Slides** | *Machine Learning for Astrophysics: Deep Learning*, transfer learning |
# | **You will be able to** | freeze a network and fine-tune it; say which rivals a pretrained network has to beat, and try them; carry over from old kinds to new ones which differences do not matter; test the slides' three conditions |
# | **You need** | the lesson [`convolutions`](convolutions.ipynb); covariance matrices and their eigenvectors |
# | **Time** | 90 minutes, and 10 more for what is marked *further* |

# %% tags=["nbval-ignore-output"]
import course_utils

SEED = course_utils.setup(seed=1)

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import tensorflow as tf
from sklearn.linear_model import LogisticRegression

from course_utils import claims, data, plotting, training
from course_utils.exercises import transfer_learning as exercises
from course_utils.lessons import transfer_learning as lesson

claim = claims.Claims()
rng = np.random.default_rng(SEED)

# %% [markdown]
# The budget of this run; change it as you like.

# %%
LABELS = [1, 5, 10, 50, 200]  # for each kind
STEPS = {1: 200, 5: 200, 10: 200, 50: 300, 200: 400}  # of training, for so many labels
RATES = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1]  # of learning
EVERYTHING = 11 <= SEED <= 15  # the seeds of the stored table try many settings in section 4
DRAWS = 2 if EVERYTHING else course_utils.budget(cpu=10, gpu=40)  # of labels, in section 6

# %% [markdown]
# ## 1. Few labels, and what they bring without anybody's help
#
# The signals are those of the lesson `convolutions`: [MNIST-1D](../data/README.md), 40 pixels each. There are
# ten kinds; each has a shape that is stretched, moved, tilted and hidden in noise. We split them in two. Of
# the kinds 0 to 4, the *old* ones, somebody has many labelled signals. Of the kinds 5 to 9, the *new* ones,
# you have few.

# %% tags=["cover"]
signals = data.load_mnist1d(SEED, 6_000)
lesson.draw_cover(plt.subplots(2, 5, figsize=(11, 4))[1], signals.x, signals.y)
plotting.show(lesson.TEXTS["cover"])

# %% [markdown]
# The new kinds' signals fall into three parts: a *pool* from which labels are drawn, as many for each
# kind; 500 *validation* signals; and the rest for the *test*. One rule holds for every method but the three of
# section 4, where the stored table follows it: its **setting** is tried at several values (two settings in
# pairs). We take the value with the best [accuracy](../docs/glossary.md#accuracy) on the validation signals, and
# report the accuracy on the test signals.
# (Whoever has five labels does not have 500 more. We use them so that no method loses for a bad setting.)

# %%
is_old = signals.y < 5
x_old, y_old = signals.x[is_old], signals.y[is_old]
x, y = signals.x[~is_old], signals.y[~is_old] - 5  # named 0 to 4 from here on
pool = np.concatenate([np.flatnonzero(y == kind)[:240] for kind in range(5)])
validation, test = np.split(np.setdiff1d(np.arange(len(y)), pool), [500])


def draw(n):
    """Rows of the pool: n for each of the five kinds."""
    return np.concatenate([rng.choice(pool[y[pool] == k], n, replace=False) for k in range(5)])


def accuracy(answers, rows):
    return (answers[rows] == y[rows]).mean()


def tested(answers):
    """Test accuracy of the setting that is best in validation: {setting: answers to all x}."""
    _, best = lesson.chosen(answers, lambda each: accuracy(each, validation))
    return accuracy(best, test)


# %% [markdown]
# The cheapest rivals see the pixels and nothing else. One fits the five kinds by *least squares* with an
# [L2 penalty](../docs/glossary.md#l2-penalty), as in `convolutions`; its setting is the penalty. The other, the
# *nearest neighbour*, answers with the kind of the most similar labelled signal.
#
# ### Exercise 1: the missing baseline
#
# The two signals that are most similar may stand at different places. Write the nearest neighbour *over
# shifts*: `x` holds labelled signals in rows, `y` their kinds, and `asked` is one signal. For every circular
# shift of `asked` (`np.roll(asked, k)` for all `k`), and for every row of `x`, take the sum of the squared
# differences. Return the kind of the row where it is smallest.


# %%
def nearest_over_shifts(x, y, asked): ...


exercises.q1.check(nearest_over_shifts)
# exercises.q1.hint()  # and .solution()

# %% [markdown]
# **Predict.** With 10 labels for each of five kinds: how often is least squares on the pixels right? The nearest
# neighbour? The nearest neighbour over shifts? (Guessing is right in a fifth of the cases.)


# %%
def least_squares(h, rows):
    """Answers to all signals, for each penalty from 0.01 to 10,000, learned from some rows of h."""
    return lesson.ridge(h, y, rows, penalties=10.0 ** np.arange(-2, 5))


def over_shifts(rows, shifts=range(40)):
    """Answers of the nearest neighbour over shifts, for all signals at once."""
    nearest = np.inf
    for k in shifts:
        moved = np.roll(x[rows], k, axis=1)  # to shift these is as good as to shift the asked
        apart = (moved**2).sum(axis=1) - 2 * x @ moved.T  # and x**2, the same for all rows
        nearest = np.minimum(nearest, apart)
    return y[rows][nearest.argmin(axis=1)]


labelled = {n: draw(n) for n in LABELS}
race = {"pixels": {}, "neighbour over shifts": {}}
for n, rows in labelled.items():
    race["pixels"][n] = tested(least_squares(x, rows))
    race["neighbour over shifts"][n] = accuracy(over_shifts(rows), test)
plain = accuracy(over_shifts(labelled[10], shifts=[0]), test)
print(f"10 labels: pixels {race['pixels'][10]:.2f}, neighbour {plain:.2f}, "
      f"over shifts {race['neighbour over shifts'][10]:.2f}")  # fmt: skip
claim("10 labels: the neighbour over shifts is ahead of least squares on the pixels by",
      race["neighbour over shifts"][10] - race["pixels"][10], above=0.1)  # fmt: skip

# %% [markdown]
# The last one was told one thing, *a shift does not matter*, and needs nobody's network.
#
# ## 2. Somebody else's network
#
# Now we play the somebody. Their network has three layers of windows, as in `convolutions`: each layer moves
# 24 windows of five places over what comes in, and ReLU follows. The first two layers move in steps of two
# places (stride 2). Then *global mean pooling* takes each window's mean over all places, which leaves 24
# numbers for a signal. We call them its *features* $h$. The last layer, the *head*, is softmax on $h$: five
# scores for five kinds. A network that we train is *told about moves*: in every training step the layer
# `Moves` shifts each signal by a random number of pixels. (A head on frozen features is not told: it sees each
# signal as it stands.)


# %%
def network(frozen=0):
    """A compiled network, with its first layers of windows frozen if asked for."""
    windows = [keras.layers.Conv1D(24, 5, strides=stride, padding="same", activation="relu")
               for stride in (2, 2, 1)]  # fmt: skip
    for layer in windows[:frozen]:
        layer.trainable = False
    made = keras.Sequential([keras.Input((40, 1)), lesson.Moves(SEED), *windows,
                             keras.layers.GlobalAveragePooling1D(),
                             keras.layers.Dense(5)])  # fmt: skip
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    made.compile(keras.optimizers.Adam(), loss)
    return made


model = network()
scratch = model.get_weights()  # random first weights: nobody's


# %% [markdown]
# The weights are a list of eight arrays: windows and constants of three layers, and those of the head.


# %%
def learn(weights, x, y, rate, steps, model=model):
    """Train from these weights on these signals, in batches of 50; return the new weights."""
    model.set_weights(weights)
    for memory in model.optimizer.variables:  # Adam forgets its last training
        memory.assign(tf.zeros_like(memory))
    model.optimizer.learning_rate = rate
    rows = np.resize(np.arange(len(y)), max(50, len(y)))  # a few signals are repeated
    training.fit(model, x[rows, :, None], y[rows], max(1, steps * 50 // len(rows)), batch_size=50)
    return model.get_weights()


def answers(weights, x):
    model.set_weights(weights)
    return model(x[:, :, None]).numpy().argmax(axis=1)


known = len(x_old) - 500  # the last 500 old signals are for their test
THEIRS = {"rate": 0.01, "steps": 700}  # for this source, and for all others
source = learn(scratch, x_old[:known], y_old[:known], **THEIRS)
on_old = (answers(source, x_old[known:]) == y_old[known:]).mean()
claim("The network names new signals of the old kinds rightly in a share of", on_old, above=0.9)

# %% [markdown]
# What does it see in yours?

# %%
middle = keras.Model(model.inputs[0], [layer.output for layer in model.layers[1:4]])


def features(weights, x):
    """Pooled features behind the third layer of windows: (signals, 24)."""
    model.set_weights(weights)
    return middle(x[:, :, None])[2].numpy().mean(axis=1)


model.set_weights(source)
deep = middle(x[:1, :, None])[2].numpy()[0]
axes = plt.subplots(1, 4, figsize=(15, 3.4))[1]
lesson.draw_layers(axes, scratch[0][:, 0], source[0][:, 0], x[0], deep)
plotting.show(lesson.TEXTS["filters"])

# %% [markdown]
# Their windows look for bumps, slopes and zigzags, which any signal has. So do the random ones that they began
# with. In the third layer some units answer nearly everywhere, some at one place or two, some nowhere.
#
# **The slides' recipe.** "Take the other model, freeze the weights of the first layers and train the weights
# of the final layers (or even just the output layer) on your training set." *Frozen* means: their weights stay
# as they are. If only the head is trained, then $h$ of a signal never changes, and a softmax layer on $h$ is
# logistic regression. So we calculate $h$ once and let logistic regression find its optimum. Its setting is
# $C$: the larger, the weaker its penalty.
#
# ### Exercise 2: whose constants?
#
# Their signals were measured in volts. Before the training they were *standardised*: they took away the mean
# `their_mean` of **their** signals and divided by the standard deviation `their_sd`. Your instrument writes
# millivolts. What goes into the network for your signals `x_mv`?


# %%
def prepare(x_mv, their_mean, their_sd): ...


exercises.q2.check(prepare)
# exercises.q2.hint()  # and .solution()

# %% [markdown]
# ### Exercise 3: freezing, and when
#
# In Keras, `layer.trainable = False` freezes a layer. Our model has
# $144 + 2904 + 2904 + 125 = 6077$ weights, the last 125 of them in the head. **How many does the last line train**
# in each of these?
#
# ```python
# # a
# for layer in model.layers[:-1]: layer.trainable = False
# model.compile(...); model.fit(...)
# # b
# model.compile(...); model.fit(...)
# for layer in model.layers[:-1]: layer.trainable = False
# model.fit(...)
# # c
# for layer in model.layers[:-1]: layer.trainable = False
# model.compile(...); model.fit(...)
# model.layers[1].trainable = True
# model.compile(...); model.fit(...)
# ```

# %%
changed = {"a": ..., "b": ..., "c": ...}
exercises.q3.check(changed)
# exercises.q3.hint()  # and .solution()

# %% [markdown]
# Keras answers, with two dense layers of 328 and 45 weights.


# %%
def last_fit_changes(frozen):
    """How many weights the second fit changes, if the first layer is frozen so early or late."""
    small = keras.Sequential([keras.Input((40,)), keras.layers.Dense(8), keras.layers.Dense(5)])
    small.layers[0].trainable = frozen != "before compile"
    small.compile("sgd", "mse")
    small.fit(x[:50], np.eye(5)[y[:50]], verbose=0)
    small.layers[0].trainable = False
    before = [w.numpy() for w in small.weights]
    small.fit(x[:50], np.eye(5)[y[:50]], verbose=0)
    after = [w.numpy() for w in small.weights]
    return sum((old != new).sum() for old, new in zip(before, after, strict=True))


for when, expected in (("before compile", 45), ("after the first fit", 373)):
    claims.check(f"Frozen {when}: {expected} weights change", last_fit_changes(when), expected)

# %% [markdown]
# *Learned: freeze first, then compile. And look at one frozen weight before and after.*
#
# **Predict.** With which number of labels does the frozen network beat the neighbour over shifts? All five
# numbers, some, or none?


# %% tags=["atol=0.1"]
def logistic(h, rows):
    """Answers to all signals, for each C, of a softmax layer on the features h."""
    h = (h - h[rows].mean(axis=0)) / h[rows].std()
    return {C: LogisticRegression(C=C, max_iter=2_000).fit(h[rows], y[rows]).predict(h)
            for C in (0.01, 0.1, 1, 10, 100, 1_000)}  # fmt: skip


for name, weights in (("head only", source), ("untrained, head only", scratch)):
    h = features(weights, x)
    race[name] = {n: tested(logistic(h, rows)) for n, rows in labelled.items()}
lead = {n: race["head only"][n] - race["untrained, head only"][n] for n in LABELS}
claim("Head only, mean over 1 to 200 labels: their weights are ahead of untrained ones by",
      np.mean(list(lead.values())), above=0.03)  # fmt: skip
pd.DataFrame(race).round(2).rename_axis("labels")

# %% [markdown]
# With few labels, a head on their frozen network is ahead of the pixels and of the neighbour. The last column is
# its **untrained twin**: the same network, frozen with the random weights that it began with, and a head that is
# tuned in the same way. The gap between the twins is what their training is worth here.
#
# **What to keep?** So far we have kept 24 means. We could keep more of the same frozen layers: the mean **and the
# maximum** over all places, for the windows of all three layers. We fit the kinds to these 144 numbers by least
# squares. **Predict:** which serves your kinds better, with 1 label and with 200?


# %% tags=["atol=0.1"]
def all_layers(weights, x):
    """Mean and maximum over all places, of the windows of all three layers: (signals, 144)."""
    model.set_weights(weights)
    layers = [a.numpy() for a in middle(x[:, :, None])]
    return np.concatenate([a for h in layers for a in (h.mean(axis=1), h.max(axis=1))], axis=1)


theirs = all_layers(source, x)
for name, h in (("24 by least squares", features(source, x)), ("their network", theirs)):
    race[name] = {n: tested(least_squares(h, rows)) for n, rows in labelled.items()}
shown = ["head only", "24 by least squares", "their network"]
pd.DataFrame({name: race[name] for name in shown}).round(2).rename_axis("labels")

# %% [markdown]
# With 200 labels the 144 numbers are far ahead, from the same frozen weights. This is not due to least squares:
# with it, 24 means stay behind, too. So what you keep of a frozen network is a setting like any other.
#
# ## 3. Trained on: the rate decides
#
# *Fine-tuning* begins with their weights and a new head, which is random, and then trains **all** weights on your
# labels. How large may the steps be? Training on new kinds can destroy what the weights knew of the old ones:
# *[catastrophic forgetting](../docs/glossary.md#continual-learning)* (McCloskey & Cohen 1989). To measure it, we
# put their old head back after fine-tuning, and ask for the old kinds again.
#
# **Predict.** Ten labels for each kind, 200 steps, rates from 0.0001 to 0.1. Draw two curves: the accuracy on
# the new kinds, and on the old kinds with the old head. Where is the best rate for you, and what is left of
# the old kinds there?

# %%
new_head = source[:6] + scratch[6:]
tuned = {rate: learn(new_head, x[labelled[10]], y[labelled[10]], rate, 200) for rate in RATES}
by_rate = {rate: answers(weights, x) for rate, weights in tuned.items()}
on_new = [accuracy(found, test) for found in by_rate.values()]
still = [(answers(weights[:6] + source[6:], x_old[known:]) == y_old[known:]).mean()
         for weights in tuned.values()]  # fmt: skip
lesson.draw_rates(plt.subplots()[1], RATES, on_new, still, race["head only"][10])
plotting.show(lesson.TEXTS["rates"])

# %%
claim("10 labels: fine-tuned at its best rate, their network is ahead of a new head only by",
      tested(by_rate) - race["head only"][10], above=0.03)  # fmt: skip
claim("Fine-tuned at the largest rate, their network names old kinds rightly in a share of",
      still[-1], below=0.5)  # fmt: skip

# %% [markdown]
# The green line is section 2: their weights unmoved, with the best head. On the far left fine-tuning is below it,
# since at such a small rate not even the new head is learned. *Learned: the gain of fine-tuning depends on the
# rate, and at the rate that is good for you the network has lost much of what it knew. Keep a copy of their
# weights.*
#
# ## 4. The race against a start from nothing
#
# No comparison is fair without the same network **from scratch**: random first weights, the same signals, also
# told about moves. And between "head only" and "all weights" lies the first half of the slide's recipe: freeze
# layers 1 and 2, and train the **final layers**, layer 3 and the head. To save time, each of the three has one
# rate here, and 200 to 400 steps. But their network has 700 steps behind it. So the five seeds of section 8 try
# five rates, each without and (but for the largest) with 700 steps more.
#
# **Predict.** Draw accuracy against labels, for 1, 5, 10, 50 and 200 labels of each kind: fine-tuned, final
# layers, head only, from scratch. Do the curves cross?

# %%
recipe = network(frozen=2)
STARTS = {"fine-tuned": (new_head, model, 0.01), "final layers": (new_head, recipe, 0.03),
          "from scratch": (scratch, model, 0.03)}  # fmt: skip


def trials(name, n):
    start, trained, usual = STARTS[name]
    mine, found = (x[labelled[n]], y[labelled[n]]), {}
    for rate in RATES[2:] if EVERYTHING else [usual]:
        weights = learn(start, *mine, rate, STEPS[n], trained)
        found[rate, STEPS[n]] = answers(weights, x)
        if EVERYTHING and rate < 0.1:  # at least as many steps as their network had
            weights = learn(weights, *mine, rate, THEIRS["steps"], trained)
            found[rate, STEPS[n] + THEIRS["steps"]] = answers(weights, x)
    return found


taken = {name: [] for name in STARTS}
for name in STARTS:
    race[name] = {}
    for n in LABELS:
        each = trials(name, n)
        race[name][n] = tested(each)
        taken[name].append(lesson.chosen(each, lambda a: accuracy(a, validation))[0])
claims.check("Training the final layers leaves layers 1 and 2 as they were",
             all((a == b).all() for a, b in zip(recipe.get_weights()[:4], source[:4], strict=True)),
             True)  # fmt: skip
shown = ["fine-tuned", "final layers", "head only", "from scratch"]
lesson.draw_race(plt.subplots()[1], LABELS, {name: race[name] for name in shown})
plotting.show(lesson.TEXTS["race"])

# %% [markdown]
# With 1 and 5 labels their weights are worth a lot. With 200 the start matters little any more. The curves cross:
# where there are many labels, what is frozen holds back. *Learned: somebody else's weights are a start, and
# they are worth most where you have least.*
#
# ## 5. Weights that nobody trained
#
# Two rivals are still missing. The first is the untrained twin of section 2, now with the same 144 numbers, means
# and maxima. The second is not a network at all. `convolutions` met *random windows*: windows full of random
# numbers, ReLU, and for each window its mean and its maximum over all places. We take 300 of them, nine places
# wide, and fit the kinds to the 600 numbers by least squares.


# %%
WINDOWS, WIDTH = 300, 9


def random_windows(x, seed=SEED):
    """Mean and maximum of each window over all places, with ReLU: (signals, 600)."""
    numbers = np.random.default_rng(seed)
    w = numbers.normal(size=(WIDTH, WINDOWS)).astype("float32") / WIDTH**0.5
    b = numbers.normal(size=WINDOWS).astype("float32")
    around = np.concatenate([x, x[:, : WIDTH - 1]], axis=1)  # what leaves at the end comes back
    places = np.lib.stride_tricks.sliding_window_view(around, WIDTH, axis=1)
    a = np.maximum(places @ w + b, 0)
    return np.concatenate([a.mean(axis=1), a.max(axis=1)], axis=1)


# %% [markdown]
# **Predict.** Three sets of features, all read out by least squares: their network, its untrained twin, random
# windows. In which order do they come? How far is the best of them from the fine-tuned network?

# %%
untrained = all_layers(scratch, x)
r = random_windows(x)
for name, h in (("untrained twin", untrained), ("random windows", r)):
    race[name] = {n: tested(least_squares(h, rows)) for n, rows in labelled.items()}
left = {n: race["their network"][n] - race["untrained twin"][n] for n in LABELS}
claim("Mean over 1 to 200 labels: 144 numbers instead of 24 cut the lead of their weights by",
      np.mean([lead[n] - left[n] for n in LABELS]), above=0.05)  # fmt: skip
shown = ["fine-tuned", "their network", "untrained twin", "random windows"]
lesson.draw_race(plt.subplots()[1], LABELS, {name: race[name] for name in shown})
plotting.show(lesson.TEXTS["windows"])

# %% [markdown]
# In section 2, with 24 means, their network was far ahead of its twin. With 144 numbers of all layers this lead has
# shrunk: here it is gone with few labels, and in the five sources of section 8 a few hundredths are left. Much of
# what their training had done was to put into 24 means what otherwise takes more numbers. Random windows cost
# nothing, so you can have many, and wide ones, and they come close to the fine-tuned network.
#
# *Learned: before you praise somebody's weights, try the same network without them, read out richly, and many
# weights that are nobody's.*
#
# ## 6. What is worth carrying over?
#
# Take two signals of **one** kind. They differ, since each is stretched, moved, tilted and noisy. Such differences
# are of no use for telling kinds apart, and thousands of old signals show what they look like: they are of other
# kinds, but they are disturbed in the same way.
#
# Let $h$ be the features of an old signal and $\bar h_k$ the mean over its kind $k$. The *scatter within the
# kinds* is the [covariance matrix](../docs/glossary.md#covariance-matrix)
#
# $$S = \frac1N \sum_{i=1}^{N} (h_i - \bar h_{k_i})(h_i - \bar h_{k_i})^T .$$
#
# In a direction where the scatter is large, a difference between two signals says little. So we divide by the
# standard deviation in every direction: we multiply $h$ by a matrix $W$ for which the scatter becomes the
# identity. The scatter of $Wh$ is $W S W^T$, since
# $W(h - \bar h)\big(W(h - \bar h)\big)^T = W (h - \bar h)(h - \bar h)^T W^T$, and $W$ can be taken out of the
# sum. With $S = V \Lambda V^T$ (eigenvectors in the columns of $V$, eigenvalues $\Lambda$),
# $W = \Lambda^{-1/2} V^T$ does it:
#
# $$W S W^T = \Lambda^{-1/2}\, V^T V\, \Lambda\, V^T V\, \Lambda^{-1/2} = I, \qquad \text{because } V^T V = I .$$
#
# This is called *whitening*. With the scatter within kinds it is the heart of linear discriminant analysis (1936).
# There it is the scatter of one's own kinds, here of theirs. Small eigenvalues are uncertain, so we add to each
# of them $\lambda$ times their mean.
#
# ### Exercise 4: the scatter within
#
# `h` holds features in rows, `y` the kinds (any whole numbers). Return $S$.


# %%
def scatter_within(h, y): ...


exercises.q4.check(scatter_within)
# exercises.q4.hint()  # and .solution()

# %% [markdown]
# Each set of features has a scatter of its own: random windows, the untrained twin, and their network.
#
# **Predict.** Which of the three gains by it with 1, 5 and 10 labels?

# %%
# fmt: off
LAMBDAS = [1e-6, 1e-4, 0.01, 0.1, 1, 10]
def within(h, y):
    means = np.stack([h[y == kind].mean(axis=0) for kind in range(5)])
    rest = (h - means[y]).astype(float)
    return rest.T @ rest / len(h)

def whitened(h, S):
    """The features h, whitened by the scatter S, for each lambda."""
    eigenvalues, V = np.linalg.eigh(S)
    h = h @ V
    return {lam: h / np.sqrt(eigenvalues + lam * eigenvalues.mean()) for lam in LAMBDAS}

def best_of(spaces, rows):
    """Test accuracy of least squares; lambda and penalty are chosen together."""
    return tested({(lam, penalty): found for lam, h in spaces.items()
                   for penalty, found in least_squares(h, rows).items()})

# fmt: on
r_old = random_windows(x_old)
by_old = whitened(r, within(r_old, y_old))
theirs_by_old = whitened(theirs, within(all_layers(source, x_old), y_old))
untrained_by_old = whitened(untrained, within(all_layers(scratch, x_old), y_old))
SETS = {"untrained twin": untrained_by_old, "their network": theirs_by_old,
        "random windows": by_old}  # fmt: skip
for name, spaces in SETS.items():
    race[f"{name} + S"] = {n: best_of(spaces, rows) for n, rows in labelled.items()}
shown = [*SETS, *(f"{name} + S" for name in SETS)]
lesson.draw_race(plt.subplots()[1], LABELS, {name: race[name] for name in shown})
plotting.show(lesson.TEXTS["scatter"])

# %% [markdown]
# With few labels, the scatter of the old kinds lifts all three, and the untrained twin least. It was made from
# the same old signals as the weights, without any training.
#
# Is it really the scatter *within old kinds* that does it? Three controls, over many draws of labels: no whitening;
# whitening by *all* scatter of the old signals, without their labels; and by all scatter of your own pool,
# without old signals. The yardstick is the scatter within *your* kinds, made with the labels of all your signals,
# even those of the test: nobody has it.
#
# **Predict.** Which of the three controls comes close?

# %% tags=["atol=0.1"]
controls = {
    "no whitening": None,
    "all scatter, new": np.cov(r[pool].T),
    "all scatter, old": np.cov(r_old.T),
    "within kinds, old": within(r_old, y_old),
    "within kinds, new": within(r, y),
}
few, gained = [draw(5) for _ in range(DRAWS)], {}
for name, S in controls.items():
    spaces = {0: r} if S is None else whitened(r, S)
    gained[name] = np.array([best_of(spaces, rows) for rows in few])
    print(f"{name:18} {gained[name].mean():.2f}")

# %%
OVER = "draws of 5 labels, one source, one test set"
for given, whose, least in (("all scatter, new", "your", 0.02), ("all scatter, old", "old", 0)):
    claim(f"5 labels: the scatter within old kinds is ahead of all scatter of {whose} signals by",
          **claims.mean_and_error(gained["within kinds, old"] - gained[given], OVER),
          above=least, digits=3)  # fmt: skip

# %% [markdown]
# The scatter of the old signals comes close without their labels, too. That of all your own brings nothing,
# although it has as many settings: your signals differ because they are disturbed *and* because they are of five
# kinds, and it evens out both. *Learned: what travels from old kinds to new ones is also knowledge of which
# differences do not matter.*
#
# ## 7. The slides' three conditions
#
# "Transfer learning makes sense when: the other guys' network and yours have the same input; there is a lot more
# available data for training their network than yours; low-level features from the other guys' model are
# actually helpful for learning your model." We try four other sources, and read out their frozen features in
# both ways, with 24 means and with 144 numbers. (A fine-tuned network could mend much by itself.) Each source has
# 2,500 signals (but the second) and 700 steps, like that of section 2.
#
# * **Half rate.** Your instrument records at half the rate: of 40 pixels you have every second, and write each
#   of them twice, so that their network accepts them.
# * **Ten of each kind.** Their network has seen ten signals of each old kind.
# * **Scrambled.** They recorded the pixels in a scrambled order, the same for all signals. (`Moves` shifts these,
#   too, which tells their network something false.)
# * **Other shapes.** Their signals come from your instrument, but their shapes are random lines, and no digits.
#
# ### Exercise 5: which of four sources?
#
# Hold each of the four against the slides' three conditions. Which of them, do the conditions promise, come close
# to the source of section 2? Say `True` where none of the three is broken, else `False`.

# %%
close = {"half rate": ..., "ten of each kind": ..., "scrambled": ..., "other shapes": ...}
exercises.q5.check(close)
# exercises.q5.hint()  # and .solution()

# %% [markdown]
# **Predict.** In which order do the five sources come? And where, among them, is a network that nobody trained,
# with 24 means and with 144 numbers?

# %%
scramble = rng.permutation(40)
ten = np.concatenate([np.flatnonzero(y_old == kind)[:10] for kind in range(5)])
random_shapes = data.load_mnist1d(SEED, 2_500, templates=lesson.shapes(rng))
sources = {
    "as in section 2": source,
    "half rate": source,
    "ten of each kind": learn(scratch, x_old[ten], y_old[ten], **THEIRS),
    "scrambled": learn(scratch, x_old[:known, scramble], y_old[:known], **THEIRS),
    "other shapes": learn(scratch, random_shapes.x, random_shapes.y, **THEIRS),
    "nobody": scratch,
}
by_source, by_source_144, some = {}, {}, [5, 10, 50]
for name, weights in sources.items():
    seen = np.repeat(x[:, ::2], 2, axis=1) if name == "half rate" else x
    means, numbers = features(weights, seen), all_layers(weights, seen)
    by_source[name] = [tested(logistic(means, labelled[n])) for n in some]
    by_source_144[name] = [tested(least_squares(numbers, labelled[n])) for n in some]
axes = plt.subplots(1, 2, figsize=(13, 4.5), sharey=True)[1]
lesson.draw_sources(axes[0], some, by_source, "24 means")
lesson.draw_sources(axes[1], some, by_source_144, "144 numbers")
plotting.show(lesson.TEXTS["sources"])

# %% [markdown]
# With 24 means all sources stay above the untrained network, even those that break a condition. But *other shapes*,
# which breaks none, is behind two that do with 10 and 50 labels. And with 144 numbers the untrained network is
# level with the best source or ahead. So a ranking of sources belongs to one way of reading them out. (At half
# rate your signals also hold less: section 9.)
#
# The record of this run, for the next section:


# %%
def rounded(results):
    return {name: [round(float(v), 4) for v in values] for name, values in results.items()}


record = {
    "race": rounded({name: race[name].values() for name in race}),
    "sources": rounded(by_source),
    "sources, 144": rounded(by_source_144),
    "taken": taken,
}

# %% [markdown]
# ## 8. Is it luck? Five sources
#
# `make table LESSON=transfer_learning` ran this lesson with five other seeds: other signals of the same kinds,
# another network, other labels, another test. Here are the means, and two of the ranges.

# %%
stored = data.stored_table("transfer_learning")
five = {name: np.array([seed["race"][name] for seed in stored]) for name in race}
shown = ["fine-tuned", "final layers", "from scratch", "head only", "random windows",
         "random windows + S", "their network + S"]  # fmt: skip
lesson.draw_stored(plt.subplots(1, 2, figsize=(14, 5))[1], LABELS, {k: five[k] for k in shown})
plotting.show(lesson.TEXTS["stored"])

# %%
OVER = "sources, each with labels and tests of its own"
FEW = [1, 5, 10]


def gap(a, b, *labels):
    """Accuracy of a above that of b, averaged over these numbers of labels, for each source."""
    columns = [LABELS.index(n) for n in labels]
    return claims.mean_and_error((five[a] - five[b])[:, columns].mean(axis=1), OVER)


for text, a, b, labels, bounds in (
    ("1 label: a network fine-tuned from their weights is ahead of one from scratch by",
     "fine-tuned", "from scratch", [1], {"above": 0.05}),
    ("200 labels: a network fine-tuned from their weights is ahead of one from scratch by",
     "fine-tuned", "from scratch", [200], {"below": 0.04}),
    ("1 label: their network, final layers trained, is ahead of one from scratch by",
     "final layers", "from scratch", [1], {"above": 0.03}),
    ("200 labels: 144 numbers of their frozen network are ahead of a head on 24 means by",
     "their network", "head only", [200], {"above": 0.03}),
    ("1 to 10 labels: the scatter of the old kinds lifts random windows by",
     "random windows + S", "random windows", FEW, {"above": 0.02}),
    ("1 to 10 labels: the scatter of the old kinds lifts their frozen network by",
     "their network + S", "their network", FEW, {"above": 0.03}),
):  # fmt: skip
    claim(text, **gap(a, b, *labels), **bounds, digits=3, headline=True)

# %% [markdown]
# By labels, with [standard errors](../docs/glossary.md#standard-error). These gaps have no verdict, since we chose
# them after we had seen such sources.

# %%
pairs = [("fine-tuned", "from scratch"), ("final layers", "from scratch"),
         ("their network", "untrained twin"), ("fine-tuned", "random windows"),
         ("their network + S", "untrained twin + S"),
         ("random windows + S", "fine-tuned")]  # fmt: skip
AS = "{value:.2f} ± {se:.2f}"
pd.DataFrame({n: {f"{a} above {b}": AS.format(**gap(a, b, n)) for a, b in pairs}
              for n in LABELS})  # fmt: skip

# %% [markdown]
# What are somebody's weights worth? As a start they are worth a lot with 1 to 10 labels, and little with 50 and 200.
# If you train only the final layers, the lead over scratch is gone with 50. With a head on 24 means they are worth
# a lot, too. But with 144 numbers they bring a few hundredths, and with 5 and 10 labels not even this is sure. The
# scatter lifts their network, which then is ahead of its twin with the same help. Random windows with the scatter,
# for which nothing was trained, are level with the fine-tuned network or ahead. (With 1 label, fine-tuning may
# suffer from its random head: fit the head first, Kumar 2022.)
#
# Were the rates and steps enough? Of the 25 choices (five seeds, five numbers of labels), this is how many fell on
# the edges:

# %%
chosen = {name: np.array([seed["taken"][name] for seed in stored]) for name in STARTS}
pd.DataFrame({name: {"smallest rate": (each[..., 0] == RATES[2]).sum(),
                     "largest rate": (each[..., 0] == RATES[-1]).sum(),
                     "700 steps more": (each[..., 1] > 700).sum()}
              for name, each in chosen.items()})  # fmt: skip

# %% [markdown]
# Few of the rates are at an edge, more with the final layers. But the longest training that was tried is
# taken often, and by the start from scratch nearly always. So the gaps to it are *upper bounds*: still longer
# training may narrow them. Now the sources of section 7, beside that of section 2 and beside nobody's:


# %%
def beside(readout, name, other):
    """Accuracy of one source above that of another, averaged over 5 to 50 labels."""
    a, b = (np.array([seed[readout][each] for seed in stored]) for each in (name, other))
    return claims.mean_and_error((a - b).mean(axis=1), OVER)


claim("5 to 50 labels: half rate, with half the pixels, costs a head on 24 means",
      **beside("sources", "as in section 2", "half rate"), above=0.03)  # fmt: skip
live = np.array([record["race"][name] for name in race])
means = [values.mean(axis=0) for values in five.values()]
claim("Mean distance in accuracy between this run and the five stored ones",
      np.abs(live - means).mean(), below=0.05)  # fmt: skip
pd.DataFrame({f"{kept}, above {other}": {name: AS.format(**beside(readout, name, other))
                                         for name in by_source}
              for kept, readout in (("24 means", "sources"), ("144 numbers", "sources, 144"))
              for other in ("as in section 2", "nobody")})  # fmt: skip

# %% [markdown]
# Half the rate costs something. So do ten signals of each kind with 144 numbers: there, both sources are below a
# network that nobody trained, and even that of section 2 is not surely above it. Scrambled sources lose with 24 means, and
# hardly with 144. *Other shapes* are as good as section 2's on average, but each of the five is better or worse by
# a lot. (Only half rate has a verdict: the other comparisons were chosen afterwards.)
#
# ### What stays

# %%
claim

# %% [markdown]
# **What to do with it.** For signals like these, first try what nobody has to train: random windows, or the untrained
# network, with many numbers of each, and whitened by the scatter within old kinds. Then fine-tune somebody's
# weights; tune the rate and the steps, and keep a copy of what they were. This need not carry over to photographs:
# there a pretrained network brings large gains with few labels (Kornblith 2019, Tian 2020).
#
# ## 9. Further: another input, or less in it?
#
# At half rate two things happen: their network gets another input than it knows, and your signals have lost half
# of their pixels. A network that was trained on old signals *at half rate* has only the second trouble.
#
# **Predict.** How much of what was lost does it bring back?

# %% tags=["atol=0.1"]
halved = np.repeat(x_old[:known, ::2], 2, axis=1)
same_input = learn(scratch, halved, y_old[:known], **THEIRS)
slow_x = np.repeat(x[:, ::2], 2, axis=1)
few = [draw(10) for _ in range(DRAWS // 2)]
each = {}
for name, weights, seen in (
    ("full rate, full rate", source, x),
    ("full rate, half rate", source, slow_x),
    ("half rate, half rate", same_input, slow_x),
):
    h = features(weights, seen)
    each[name] = np.array([tested(logistic(h, rows)) for rows in few])
    print(f"their signals, yours: {name}: {each[name].mean():.2f}")

# %% [markdown]
# Run it with other seeds: now one source is ahead, now the other, since two networks also differ by luck. So no
# price of another input can be seen here. What is lost is lost with the pixels.
#
# ## 10. Further: the textbook experiment, with its baseline
#
# Many courses show transfer learning on handwritten digits: a convolutional network learns the digits 0 to 4, its
# layers are frozen, and the digits 5 to 9 are then learned from few labels. We do it with a small network, and
# with three rivals: the pixels, the untrained twin, and as many *random dense* units, with ReLU and random weights
# for all pixels, but no windows and no pooling.
#
# **Predict.** 10 labels for each of the digits 5 to 9. How far ahead of the pixels are the frozen features? And
# the two that nobody trained?

# %%
digits = data.load_mnist5k()
pictures = digits.x.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))[..., None] / 255  # 14 x 14
low = digits.y < 5
cnn = keras.Sequential([
    keras.Input((14, 14, 1)),
    keras.layers.Conv2D(32, 3, activation="relu"),
    keras.layers.Conv2D(32, 3, activation="relu"),
    keras.layers.MaxPooling2D(2),
    keras.layers.Flatten(),
    keras.layers.Dense(5),
])  # fmt: skip
cnn.compile(keras.optimizers.Adam(0.003), model.loss)
body = keras.Model(cnn.inputs[0], cnn.layers[-2].output)
x, y = pictures[~low], digits.y[~low] - 5  # from here on x and y are pictures
flat = x.reshape(len(x), -1)
seen = {"pixels": flat, "untrained": body(x).numpy()}
seen["random dense"] = np.maximum(flat @ rng.normal(size=(196, 800)) / 14, 0)
training.fit(cnn, pictures[low], digits.y[low], epochs=3, batch_size=50)
seen["frozen"] = body(x).numpy()

# %% tags=["atol=0.1"]
pool = np.concatenate([np.flatnonzero(y == kind)[:200] for kind in range(5)])
validation, test = np.split(np.setdiff1d(np.arange(len(y)), pool), [500])
for n in (1, 10):
    few = [draw(n) for _ in range(DRAWS)]
    each = {name: np.array([tested(least_squares(h, rows)) for rows in few])
            for name, h in seen.items()}  # fmt: skip
    print(f"{n:2} labels:", *(f"{name} {values.mean():.2f}  " for name, values in each.items()))
for a, b in (("untrained", "pixels"), ("untrained", "random dense"), ("frozen", "untrained")):
    print(f"10 labels, {a} above {b}:", AS.format(**claims.mean_and_error(each[a] - each[b])))
OVER = "draws of labels, one source, one test set"
claim("MNIST, 10 labels: frozen features are ahead of the pixels by",
      **claims.mean_and_error(each["frozen"] - each["pixels"], OVER), above=0.02)  # fmt: skip

# %% [markdown]
# With ten labels, more of the gain over the pixels is there in a network that nobody has trained than comes by its
# training. Most of it comes from the architecture, windows and pooling: with random dense units little of it is there.
#
# ### Further reading
#
# * J. Yosinski, J. Clune, Y. Bengio, H. Lipson: *How Transferable Are Features in Deep Neural Networks?*,
#   NeurIPS 2014. How many of their layers to copy: which are general, and which are special.
# * M. McCloskey, N. J. Cohen: *Catastrophic Interference in Connectionist Networks*, Psychology of Learning and
#   Motivation 24, 1989. Section 3.
# * R. A. Fisher: *The Use of Multiple Measurements in Taxonomic Problems*, Annals of Eugenics 7, 1936. A. O.
#   Hatch, S. Kajarekar, A. Stolcke: *Within-Class Covariance Normalization for SVM-Based Speaker Recognition*,
#   Interspeech 2006. T. Mensink, J. Verbeek, F. Perronnin, G. Csurka: *Distance-Based Image Classification:
#   Generalizing to New Classes at Near-Zero Cost*, IEEE TPAMI 35, 2013. Section 6.
# * A. Rahimi, B. Recht: *Random Features for Large-Scale Kernel Machines*, NeurIPS 2007. A. Dempster, F.
#   Petitjean, G. I. Webb: *ROCKET: Exceptionally Fast and Accurate Time Series Classification Using Random
#   Convolutional Kernels*, Data Mining and Knowledge Discovery 34, 2020. Section 5.
# * S. Kornblith, J. Shlens, Q. V. Le: *Do Better ImageNet Models Transfer Better?*, CVPR 2019. M. Raghu, C.
#   Zhang, J. Kleinberg, S. Bengio: *Transfusion: Understanding Transfer Learning for Medical Imaging*, NeurIPS
#   2019. K. He, R. Girshick, P. Dollár: *Rethinking ImageNet Pre-training*, ICCV 2019. What is left of the gain
#   when the rival from scratch is tuned and trained for longer; and how much is left where labels are few.
# * Y. Tian, Y. Wang, D. Krishnan, J. B. Tenenbaum, P. Isola: *Rethinking Few-Shot Image Classification: A Good
#   Embedding Is All You Need?*, ECCV 2020. The other side: a frozen trained network, and a linear model on it.
# * A. Kumar, A. Raghunathan, R. Jones, T. Ma, P. Liang: *Fine-Tuning Can Distort Pretrained Features and
#   Underperform Out-of-Distribution*, ICLR 2022. Fit the head first, then train all: a better start than the
#   random head of section 3.
# * S. Greydanus, D. Kobak: *Scaling Down Deep Learning with MNIST-1D*, ICML 2024. The signals.
