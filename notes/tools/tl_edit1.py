p='/tmp/wt/transfer/notebooks/source/transfer_learning.py'
s=open(p).read()
def rep(a,b,n=1):
    global s
    assert s.count(a)==n,(s.count(a),a)
    s=s.replace(a,b)
def between(a,b,new):
    global s
    i=s.index(a); j=s.index(b,i); assert s.count(a)==1,a
    s=s[:i]+new+s[j:]
rep('STEPS = {1: 200, 5: 200, 10: 300, 50: 300, 200: 500}','STEPS = {1: 200, 5: 200, 10: 200, 50: 300, 200: 400}')
rep('''# To be told one thing, *a shift does not matter*, is worth more than any fit to the pixels. Remember this
# rival. It knows nothing of anybody's network.
''','''# With ten labels, to be told one thing, *a shift does not matter*, is worth more than a linear fit to the pixels.
# Remember this rival. It knows nothing of anybody's network.
''')
between('''def window_layer(stride):''','''# %% [markdown]
# It knows its own kinds. What does it see in yours?''','''def network(frozen=0):
    """A compiled network, with its first layers of windows frozen if asked for."""
    windows = [keras.layers.Conv1D(24, 5, strides=stride, padding="same", activation="relu")
               for stride in (2, 2, 1)]  # fmt: skip
    for layer in windows[:frozen]:
        layer.trainable = False
    made = keras.Sequential([
        keras.Input((40, 1)),
        Moves(),
        *windows,
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.Dense(5),
    ])  # fmt: skip
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    made.compile(keras.optimizers.Adam(), loss)
    return made


model = network()
scratch = model.get_weights()  # random first weights: nobody's


# %% [markdown]
# The weights are a list of eight arrays: windows and constants of three layers, and those of the head.
# `training.fit` takes the steps, as in the earlier lessons.


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


known = len(x_old) - 1_000  # the last 1,000 old signals are for their test
THEIRS = {"rate": 0.01, "steps": 900}  # for this source, and for all others
source = learn(scratch, x_old[:known], y_old[:known], **THEIRS)
on_old = (answers(source, x_old[known:]) == y_old[known:]).mean()
claim("The network names new signals of the old kinds rightly in a share of", on_old, above=0.9)

''')
rep('''    """Pooled features (signals, 24) behind the first, second or third layer of windows."""
    training.restore(model, weights)
''','''    """Pooled features (signals, 24) behind the first, second or third layer of windows."""
    model.set_weights(weights)
''')
rep('''training.restore(model, source)
deep = middle(x[:1, :, None])[2].numpy()[0]
axes = plt.subplots(1, 3, figsize=(14, 3.6))[1]
lesson.draw_layers(axes, model.layers[1].kernel.numpy()[:, 0], x[0], deep)
''','''model.set_weights(source)
deep = middle(x[:1, :, None])[2].numpy()[0]
axes = plt.subplots(1, 4, figsize=(15, 3.4))[1]
lesson.draw_layers(axes, scratch[0][:, 0], source[0][:, 0], x[0], deep)
''')
rep('''# The windows of the first layer look for bumps, slopes and zigzags, which any signal has. In the third layer
# many units answer at one or two places, and some do not answer to this signal at all.
''','''# Their windows look for bumps, slopes and zigzags, which any signal has. But look at the random ones that they
# began with: those have bumps and slopes as well. In the third layer many units answer at one or two places, and
# some do not answer to this signal at all.
''')
rep('''so a softmax''','''so a softmax''',0) if False else None
rep('''# on had been''','',0) if False else None
rep('''# Their network was trained on signals that had been *standardised*: in volts, minus the mean
# `their_mean`, divided by the standard deviation `their_sd` of **their** signals. Your instrument writes
# millivolts.''','''# Their signals were measured in volts. Before the training they were *standardised*: they took away the mean
# `their_mean` of **their** signals and divided by the standard deviation `their_sd`. Your instrument writes
# millivolts.''')
between('''h = features(source, x)
race["frozen"]''','''# ## 3. Trained on''','''for name, weights in (("head only", source), ("untrained, head only", scratch)):
    h = features(weights, x)
    race[name] = {n: tested(logistic(h, rows)) for n, rows in labelled.items()}
pd.DataFrame(race).round(2).rename_axis("labels")

# %% [markdown]
# With few labels, a head on their frozen network is ahead of the pixels and of the neighbour. The last column is
# its **untrained twin**: the same network with the random weights it began with, frozen, with a head that is
# tuned in the same way. What lies between the twins is what their training is worth. (This is one draw of
# labels. Section 8 has five sources, with a draw each.)
#
# **Where to cut, and what to keep?** We could cut their network earlier, behind its first or second layer. And
# we have kept 24 means only. We could keep more of the same frozen layers: the mean **and the maximum** over
# all places, for the windows of all three layers. These are 144 numbers, and we fit the kinds to them by least
# squares. **Predict:** which serves your kinds best, with 1 label and with 200?


# %%
def all_layers(weights, x):
    """Mean and maximum over all places, of the windows of all three layers: (signals, 144)."""
    model.set_weights(weights)
    layers = [a.numpy() for a in middle(x[:, :, None])]
    return np.concatenate([a for h in layers for a in (h.mean(axis=1), h.max(axis=1))], axis=1)


cut = {"layer 3": list(race["head only"].values())}
for layer in (2, 1):
    h = features(source, x, layer)
    cut[f"layer {layer}"] = [tested(logistic(h, rows)) for rows in labelled.values()]
theirs = all_layers(source, x)
race["their network"] = {n: tested(least_squares(theirs, rows)) for n, rows in labelled.items()}
cut["all, with maxima"] = list(race["their network"].values())
pd.DataFrame(cut, index=LABELS).round(2).rename_axis("labels")

# %% [markdown]
# With one label the deepest 24 features serve better than those of the first layer, although they were made for
# other kinds: they leave most of the unimportant out. With 200 labels the 144 numbers are far ahead, from the
# same frozen weights. So what you keep of a frozen network is a setting like any other. (In deeper networks the
# last layers are more special still, and where to cut matters more: Yosinski et al. 2014.)
#
''')
between('''# *Fine-tuning* begins with their weights''','''# %% [markdown]
# So is there''' if False else '''# ## 6. What is worth carrying over?''','''# *Fine-tuning* begins with their weights and a new head, which is random, and then trains **all** weights on your
# labels. How large may the steps be? Steps that are too large destroy what the weights knew: *[catastrophic
# forgetting](../docs/glossary.md#continual-learning)* (McCloskey & Cohen 1989). We can see it: after fine-tuning
# we put their old head back and ask for the old kinds again.
#
# **Predict.** Ten labels for each kind, 200 steps, rates from 0.0001 to 0.1. Draw two curves: the accuracy on
# the new kinds, and on the old kinds with the old head. Where is the best rate for you, and what is left of
# the old kinds there?

# %%
RATES = [1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1]
new_head = source[:6] + scratch[6:]
tuned = {rate: learn(new_head, x[labelled[10]], y[labelled[10]], rate, 200) for rate in RATES}
by_rate = {rate: answers(weights, x) for rate, weights in tuned.items()}
on_new = [accuracy(found, test) for found in by_rate.values()]
still = [(answers(weights[:6] + source[6:], x_old[known:]) == y_old[known:]).mean()
         for weights in tuned.values()]  # fmt: skip
lesson.draw_rates(plt.subplots()[1], RATES, on_new, still, race["head only"][10])
plotting.show(lesson.TEXTS["rates"])

# %%
claim("At the best rate fine-tuning is ahead of the head only by",
      tested(by_rate) - race["head only"][10], above=0.03)  # fmt: skip
claim("At the largest rate the old kinds are named rightly in a share of", still[-1], below=0.5)

# %% [markdown]
# The green line is section 2: their weights unmoved, with the best head. On the far left fine-tuning is below it,
# since at such a small rate not even the new head is learned in 200 steps. At middle rates it is above. The old kinds
# have suffered by then. *Learned: the gain of fine-tuning hangs on the rate, and at the rate that is
# good for you the network has lost much of what it knew. Keep a copy of their weights.*
#
# ## 4. The race against a start from nothing
#
# No comparison is fair without the same network **from scratch**: random first weights, the same signals, also
# told about moves, as many steps. And between "head only" and "all weights" lies the first half of the slide's
# recipe: freeze layers 1 and 2, and train the **final layers**, layer 3 and the head. All take the rate 0.01
# here. The five seeds of section 8 give each of them, at each number of labels, the best of four rates.
#
# **Predict.** Draw accuracy against labels, for 1, 5, 10, 50 and 200 labels of each kind: fine-tuned, final
# layers, head only, from scratch. Do the curves cross?

# %%
recipe = network(frozen=2)
STARTS = {
    "fine-tuned": (new_head, model),
    "final layers": (new_head, recipe),
    "from scratch": (scratch, model),
}
rate_of = {}
for name, (start, trained) in STARTS.items():
    race[name] = {}
    for n, rows in labelled.items():
        each = {rate: answers(learn(start, x[rows], y[rows], rate, STEPS[n], trained), x)
                for rate in (RATES[1:5] if EVERYTHING else [0.01])}  # fmt: skip
        race[name][n] = tested(each)
        rate_of[f"{name} {n}"], _ = lesson.chosen(each, lambda a: accuracy(a, validation))
claims.check("Training the final layers leaves layers 1 and 2 as they were",
             all((a == b).all() for a, b in zip(recipe.get_weights()[:4], source[:4], strict=True)),
             True)  # fmt: skip
shown = ["fine-tuned", "final layers", "head only", "from scratch"]
lesson.draw_race(plt.subplots()[1], LABELS, {name: race[name] for name in shown})
plotting.show(lesson.TEXTS["race"])

# %% [markdown]
# With few labels their weights are worth a lot. With 200 labels for each kind the start hardly matters any
# more, and a network of which only a head on 24 means is trained stays behind. (With a single label the draw
# decides a lot, and one rate does not suit every draw. Section 8 averages over five.)
# *Learned: somebody else's weights are a start, and they are worth most where you have least.*
#
# ## 5. Weights that nobody trained
#
# Two rivals are still missing. The first is the untrained twin of section 2, now with the same 144 numbers, means
# and maxima. The second is not a network at all. `convolutions` met *random windows*: windows full of random
# numbers, ReLU, and for each window its mean and its maximum over all places. We take 300 of them, nine places
# wide. (Unlike there, they see the signals as they are.) The kinds are fitted to the 600 numbers by least
# squares.


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
# **Predict.** Three sets of features, one readout: their network, its untrained twin, random windows. In
# which order do they come? How far is the best of them from the fine-tuned network?

# %%
untrained = all_layers(scratch, x)
r = random_windows(x)
for name, h in (("untrained twin", untrained), ("random windows", r)):
    race[name] = {n: tested(least_squares(h, rows)) for n, rows in labelled.items()}
shown = ["fine-tuned", "their network", "untrained twin", "random windows"]
lesson.draw_race(plt.subplots()[1], LABELS, {name: race[name] for name in shown})
plotting.show(lesson.TEXTS["windows"])

# %% [markdown]
# In one and the same network their weights are clearly better than random ones. But nothing obliges you to take
# just this network. Random windows cost nothing, so you can have many, and wide ones: 300 of them come close to
# what thousands of old labels and hundreds of steps have achieved. Section 4 alone would be a success story.
#
# *Learned: before you praise somebody's weights, try the same network without them, and many weights that are
# nobody's.*
#
''')
rep('''# In a direction where $S$ is large, a difference''','''# In a direction where the scatter is large, a difference''')
rep('''# **Predict.** Random windows, whitened by the scatter of the old kinds: how far above or below the fine-tuned
# network, with 1 label, with 10, with 200?
''','''# Every set of features has a scatter of its own, and the old signals give it to us: for random windows, for the
# untrained twin, and for their network.
#
# **Predict.** Which of the three gains by it with 1, 5 and 10 labels? And is a matrix worth more than their
# weights?
''')
between('''r_old = random_windows(x_old)
by_old''','''# Is it really the scatter''','''r_old = random_windows(x_old)
by_old = whitened(r, within(r_old, y_old))
theirs_by_old = whitened(theirs, within(all_layers(source, x_old), y_old))
untrained_by_old = whitened(untrained, within(all_layers(scratch, x_old), y_old))
SETS = {"untrained twin": untrained_by_old, "their network": theirs_by_old, "random windows": by_old}
for name, spaces in SETS.items():
    race[f"{name} + S"] = {n: best_of(spaces, rows) for n, rows in labelled.items()}
shown = [*SETS, *(f"{name} + S" for name in SETS), "fine-tuned"]
pd.DataFrame({name: race[name] for name in shown}).round(2).rename_axis("labels")

# %%
lesson.draw_race(plt.subplots()[1], LABELS, {name: race[name] for name in shown[1:]})
plotting.show(lesson.TEXTS["scatter"])

# %% [markdown]
# Where labels are few, the scatter of the old kinds lifts random windows and their network alike, and with both,
# their weights **and** their scatter, you are further than with either. Nothing was trained on your labels but
# a linear fit.
#
''')
rep('''# which is''','',0) if False else None
open(p,'w').write(s)
