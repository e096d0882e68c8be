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
between('few = {name: five[name][:, columns].mean() for name in SETS}','# %% [markdown]\n# What are somebody','''pd.DataFrame({end or "alone": [five[name + end][:, columns].mean() for name in SETS]
              for end in ("", " + S")}, index=SETS).round(2).rename_axis("1 to 10 labels")  # fmt: skip

''')
between('''    text = f"{labels} labels: {a} is ahead of {b} by"
''','columns = [','''    claim(f"{labels} labels: {a} is ahead of {b} by", **gap(a, b, *labels), **bounds, digits=3,
          headline=len(labels) == 1 or a[-1] == "S")  # fmt: skip
''')
# words
rep(''' You have a handful of labelled signals. Somebody else has thousands, of other kinds, and a network that was
# trained on them. The slides say: take that network, freeze its first layers, and train the last ones on your
# own signals. In this lesson you do so, and count what it brings: against a network that starts from nothing,
# against methods that cost almost nothing, and against a network that nobody has ever trained. At the end you
# know what it was that travelled from their signals to yours.
''',''' You have a handful of labelled signals. Somebody else has thousands, of other kinds, and a network that was
# trained on them. The slides say: take that network, freeze its first layers, and train the last ones on your
# own signals. You do so, and count what it brings: against a start from nothing, against methods that cost
# almost nothing, and against a network that nobody has trained.
''')
rep('''# *Fine-tuning* begins with''','''# *Fine-tuning* begins with''')
between('# The green line is section 2:','# ## 4. The race','''# The green line is section 2: their weights unmoved, with the best head. On the far left fine-tuning is below it,
# since at such a small rate not even the new head is learned. At middle rates it is above, and the old kinds have
# suffered. *Learned: the gain of fine-tuning hangs on the rate, and at the rate that is good for you the network
# has lost much of what it knew. Keep a copy of their weights.*
#
''')
between('# With few labels their weights are worth a lot. With 200 labels for each kind','# ## 5. Weights','''# With few labels their weights are worth a lot. With 200 the start hardly matters any more, and a head on 24 means
# stays behind. (With a single label the draw decides a lot; section 8 averages over five.)
# *Learned: somebody else's weights are a start, and they are worth most where you have least.*
#
''')
between('# So is there nothing to learn from the old kinds?','# Let $h$ be the features','''# Is there more to learn from the old kinds? Take two signals of **one** kind. They differ, since one is stretched,
# moved, tilted, noisy. Such differences are of no use for telling kinds apart, and the old kinds show with
# thousands of examples what they look like. It does not matter that they are other kinds: they are disturbed in
# the same way.
#
''')
rep('''# Is it really the scatter *within old kinds* that does it? Three controls, over many draws of labels, which cost
# little here: no whitening; whitening by *all* scatter of the old signals, for which nobody needs their labels;
# and whitening by all scatter of your own pool, for which nobody needs old signals. Beside them the
# yardstick: the scatter within *your* kinds, which only somebody knows who has all your labels.
''','''# Is it really the scatter *within old kinds* that does it? Three controls, over many draws of labels: no whitening;
# whitening by *all* scatter of the old signals, without their labels; and by all scatter of your own pool,
# without old signals. Beside them the yardstick: the scatter within *your* kinds, which only somebody knows who
# has all your labels.
''')
rep('''labels: their kinds are not yours, so you lose less when those differences go, too. And the
# yardstick says what perfect knowledge would be worth. ''','''labels: their kinds are not yours, so you lose less when those differences go, too. ''')
rep('''# We let Keras answer, with a model that is smaller and has two dense layers of 328 and 45 weights.
''','''# We let Keras answer, with two dense layers of 328 and 45 weights.
''')
rep('''# What `compile` and the first `fit` have prepared goes on as it was, and nothing warns you. *Learned''','''# Nothing warns you. *Learned''')
between('# What are somebody\'s weights worth?','# The sources of section 7, as','''# What are somebody's weights worth? It depends on what you do with them. As a start they are worth a lot where
# labels are few, and little where there are many; to train the final layers only brings a good part of this. With
# a head on 24 means they are worth a lot, too. But keep 144 numbers, and most of that is there without their
# training. Weights and scatter add up: with both, their network is ahead of either alone. And random windows with
# the scatter, for which nothing was trained, are ahead of them all.
#
''')
between('# One source, one draw of labels and one test set can be lucky.','# %%\nstored','''# One source, one draw of labels and one test set can be lucky. `make table LESSON=transfer_learning` ran this
# lesson with five other seeds: other signals, another network, other labels, another test. Here are means and
# ranges of the five.

''')
open(p,'w').write(s)
