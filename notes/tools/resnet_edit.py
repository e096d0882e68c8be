from pathlib import Path
p=Path('notebooks/source/resnet.py'); s=p.read_text()
def r(a,b):
    global s
    assert s.count(a)==1,(s.count(a),a)
    s=s.replace(a,b)
r("# (We normalise by the batch at hand, in use as well.)","# (We normalise by the batch at hand, also when testing.)")
r("""# are, with stride 2 and padding "same" on an even side. A shortcut that takes others is one pixel off
# its branch.
""","""# are, with stride 2 and padding "same" on an even side. A shortcut that takes others, as option B does
# in Keras, is one pixel off its branch.
""")
r("""# Plain: the deeper, the worse, and 56 layers have hardly learned (a little more in the stored runs of
# section 6). Residual: 56 layers cost
# little, though 8 are enough here as well. This is not
# [overfitting](../docs/glossary.md#overfitting), since the deep plain network is bad on the pictures
# that it is *trained* on. It is *degradation*, and one addition without a parameter all but
# removes it.
""","""# Plain: the deeper, the worse, and in this run 56 layers have hardly learned. (All five stored runs of
# section 6 end clearly lower, and still far above 20 layers.) Residual: 56 layers cost little, though 8
# are enough here as well. This is not [overfitting](../docs/glossary.md#overfitting), since the deep
# plain network is bad on the pictures that it is *trained* on. It is *degradation*, and one addition
# without a parameter removes nearly all of it.
""")
r("""# Without normalisation you meet a surprise that you know from `training_deep_networks`: the gradient
# of the weights is level over the layers (by the sum of $K\\,dK$, section 2 there). In the plain
# network all get equally *little*. How little depends on what is left of the signal.
""","""# Without normalisation both are level, at very different heights. In the plain network that is a
# surprise that you know from `training_deep_networks` (section 2 there): the sum of $K\\,dK$ is the same
# in all layers, so all get equally *little*. How little depends on what is left of the signal. For the
# residual one that argument fails, since a shortcut is not multiplied by $K$. There all get a *lot*.
""")
r("networks of 56 layers, and of 20. Which are smooth? Which are low?","networks of 56 layers, and of 20. Which are smooth?")
r("""# are still lost""","""# are still lost""") if 0 else None
r("""# And mind what is compared. The plain network has hardly learned, and its picture shows where it got
# stuck.""","""# And mind what is compared. This run's plain network has hardly learned, and its picture shows where it
# got stuck. (Over the stored seeds, which learned more, the difference is smaller: section 7.)""")
r("""# * three rates for every network;
# * the plain network of 56 layers for four times as many steps;
""","""# * three rates for every network;
# * the plain network of 56 layers for four times as many steps, at two rates;
""")
a=s.index("# **Patience** helps the plain"); b=s.index("# layers are enough, nothing needs mending.*")
s=s[:a]+"""# **Patience** helps the plain network a little, and does not cure it at this budget. (64,000 steps
# are another matter.) **The identity start** removes more than half of the difference in nats, though
# much less in powers of ten, for nothing. So a part of the trouble is how a plain network *begins*. We
# tried one strength of it. With finer starts, plain networks of 10,000 layers have been trained (Xiao
# et al. 2018). **Normalisation** is not needed to beat the plain network, if the branches are silent at
# the start. With it, the residual network is far better still. On test digits **8 plain layers** are as
# good as our other networks, and so is naming each digit after the **nearest** training digit. A rate
# for each layer is not in the table, nor Adam. So the reason why the plain network fails remains open.
#
# *Learned: the shortcut mends depth. Four times the steps do not, and our good start does so in part.
# Where 8 """+s[b+2:]
r("""# So the explosion is a fact of the start: within a few steps it is gone, or nearly, while the kernels
# at the front have grown. It does not show why the plain network fails. (Balduzzi""","""# So the explosion is a fact of the start: within a few steps it is gone, or nearly, while the kernels
# at the front have grown. What comes after these few steps, whether the front then learns too slowly,
# was not looked at here. So this does not show why the plain network fails. (Balduzzi""")
r("""# training. (In nats the plain one is the flatter, then as well.) That this is *why* residual networks
# train, no cell shows.
""","""# training. (In nats the plain one is the flatter, then as well.) That this is *why* residual networks
# train, no cell shows. The control is missing: the plain network of 20 layers, which does learn, would
# have to be smoother before training than that of 56.
""")
r("""# The shallow ones. With 56 layers a rate that is too high costs the residual network dearly, too.
# Do the runs of this page agree with the stored ones? And are our rates the right ones?
""","""# All but one. (The table of section 6 has the numbers.) The networks of 8 and 20 layers lose little.
# The plain one of 56 layers is equally bad at all its rates. The residual one of 56 layers does *not*
# forgive the largest: there it ends more than ten times as high as at its best. (At that rate the
# others lose little. But with 8 layers we tried larger rates than with 20 and 56.)
#
# Do the runs of this page agree with the stored ones? And are our rates the right ones?
""")
r("""# (The plain network of 56 layers varies most from run to run, by rounding alone.)
#
""","""# The agreement is one of all six networks together, in powers of ten, and cannot see that one of them
# does not agree: the plain network of 56 layers. Compare its loss in section 2 with its row in section
# 6. On this page it ends above all five stored runs, by far more than these differ among themselves. We
# do not know why.
#
""")
r("""#   NeurIPS 2018. Section 5.
""","""#   NeurIPS 2018. Section 5.
# * L. Xiao, Y. Bahri, J. Sohl-Dickstein, S. S. Schoenholz, J. Pennington: *Dynamical Isometry and a Mean
#   Field Theory of CNNs: How to Train 10,000-Layer Vanilla Convolutional Neural Networks*, ICML 2018.
#   Section 6.
""")
p.write_text(s)
q=Path('course_utils/exercises/resnet.py'); t=q.read_text()
a='''    praise="The first part has met nothing but the ReLU at the end. However small J is, it comes "
    "through: a gradient cannot vanish on that way.",'''
assert a in t
t=t.replace(a,'''    praise="The first part has met nothing but the ReLU at the end. However small J is, it comes "
    "through wherever y > 0: on that way nothing multiplies it, and only the ReLU can cut it.",''')
q.write_text(t)
