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
rep('''    ("random windows + S", "fine-tuned", FEW, {"above": 0}),
''','''    ("random windows + S", "their network + S", FEW, {"above": 0}),
    ("fine-tuned", "random windows + S", FEW, {"below": 0.03}),
''')
between('# What are somebody\'s weights worth?','# The sources of section 7, as','''# What are somebody's weights worth? It depends on what you do with them. As a start they are worth a lot where
# labels are few, and little where there are many; to train the final layers only brings a good part of this. With
# a head on 24 means they are worth a lot, too. But keep 144 numbers, and most of that is there without their
# training. With the scatter, their weights are surely ahead of their twin: the two go well together. And random
# windows with the scatter, for which nothing was trained, keep up with a fine-tuned network.
#
''')
rep('''for name in ("scrambled", "other shapes"):''','''for name in ("scrambled", "other shapes"):''')
between('claim("5 to 50 labels: a source of many other shapes','slow, fast','')
between('# What the scrambled source and the other shapes lose','# ### What stays','''# Another rate and ten signals of each kind surely cost something. What the scrambled source and the other shapes lose
# differs a lot from source to source, so it is printed without a verdict: low-level features from scrambled
# pixels are no clear handicap here, and kinds that look otherwise are none either.
#
''')
open(p,'w').write(s)
