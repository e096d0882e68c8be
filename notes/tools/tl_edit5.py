p='/tmp/wt/transfer/notebooks/source/transfer_learning.py'
s=open(p).read()
def rep(a,b,n=1):
    global s
    assert s.count(a)==n,(s.count(a),a)
    s=s.replace(a,b)
def between(a,b,new):
    global s
    assert s.count(a)==1,(s.count(a),a)
    i=s.index(a); j=s.index(b,i)
    s=s[:i]+new+s[j:]
between('def features(weights, x, layer=3):','model.set_weights(source)\ndeep','''def features(weights, x):
    """Pooled features behind the third layer of windows: (signals, 24)."""
    model.set_weights(weights)
    return middle(x[:, :, None])[2].numpy().mean(axis=1)


''')
between('# **Where to cut, and what to keep?**','# ## 3. Trained on','''# **What to keep?** So far we have kept 24 means. We could keep more of the same frozen layers: the mean **and the
# maximum** over all places, for the windows of all three layers. These are 144 numbers, and we fit the kinds to
# them by least squares. **Predict:** which serves your kinds better, with 1 label and with 200?


# %%
def all_layers(weights, x):
    """Mean and maximum over all places, of the windows of all three layers: (signals, 144)."""
    model.set_weights(weights)
    layers = [a.numpy() for a in middle(x[:, :, None])]
    return np.concatenate([a for h in layers for a in (h.mean(axis=1), h.max(axis=1))], axis=1)


theirs = all_layers(source, x)
race["their network"] = {n: tested(least_squares(theirs, rows)) for n, rows in labelled.items()}
pd.DataFrame({k: race[k] for k in ("head only", "their network")}).round(2).rename_axis("labels")

# %% [markdown]
# With 200 labels the 144 numbers are far ahead, from the same frozen weights. So what you keep of a frozen network
# is a setting like any other, and so is the layer behind which you cut it (Yosinski et al. 2014).
#
''')
rep('''    "cut": {name: [round(float(v), 4) for v in values] for name, values in cut.items()},
''','')
rep('''shown = [*SETS, *(f"{name} + S" for name in SETS), "fine-tuned"]
pd.DataFrame({name: race[name] for name in shown}).round(2).rename_axis("labels")

# %%
lesson.draw_race(plt.subplots()[1], LABELS, {name: race[name] for name in shown[1:]})
''','''shown = [*SETS, *(f"{name} + S" for name in SETS)]
lesson.draw_race(plt.subplots()[1], LABELS, {name: race[name] for name in shown})
''')
rep('''DRAWS = course_utils.budget(cpu=12, gpu=40)  # of labels, in section 6
EVERYTHING = 11 <= SEED <= 15  # the seeds of the stored table, for which all rates are tried
''','''EVERYTHING = 11 <= SEED <= 15  # the seeds of the stored table, for which more rates are tried
DRAWS = 2 if EVERYTHING else course_utils.budget(cpu=12, gpu=40)  # of labels, in section 6
''')
open(p,'w').write(s)
p='/tmp/wt/transfer/course_utils/lessons/transfer_learning.py'
s=open(p).read()
between('COLOURS = {','# Alternative','''COLOURS = {
    "fine-tuned": _PALETTE[0],
    "final layers": _PALETTE[9],
    "from scratch": _PALETTE[1],
    "head only": _PALETTE[2],
    "random windows": _PALETTE[4],
    "their network": _PALETTE[3],
    "untrained twin": _PALETTE[7],
}


def _line(name: str) -> dict:
    """How a method is drawn: dashed if the scatter S helps it."""
    return {
        "color": COLOURS[name.removesuffix(" + S")],
        "ls": "--" if name.endswith(" + S") else "-",
        "marker": "o",
        "label": name,
    }


''')
rep('''        ax.plot(labels, [by_labels[n] for n in labels], "o-", color=COLOURS[name], label=name)
''','''        ax.plot(labels, [by_labels[n] for n in labels], **_line(name))
''')
rep('''            if name == "fine-tuned" and ax is axes[1]:
                ax.axhline(0, color=COLOURS[name])
                continue
            ax.plot(labels, shown.mean(axis=0), "o-", color=COLOURS[name], label=name)
            low, high = shown.min(axis=0), shown.max(axis=0)
            ax.fill_between(labels, low, high, color=COLOURS[name], alpha=0.15, lw=0)
''','''            line = _line(name)
            if name == "fine-tuned" and ax is axes[1]:
                ax.axhline(0, color=line["color"])
                continue
            ax.plot(labels, shown.mean(axis=0), **line)
            low, high = shown.min(axis=0), shown.max(axis=0)
            ax.fill_between(labels, low, high, color=line["color"], alpha=0.12, lw=0)
''')
open(p,'w').write(s)
