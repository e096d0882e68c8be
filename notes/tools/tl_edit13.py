p='/tmp/wt/transfer/notebooks/source/transfer_learning.py'
s=open(p).read()
def rep(a,b,n=1):
    global s
    assert s.count(a)==n,(s.count(a),a)
    s=s.replace(a,b)
rep('''    ("fine-tuned", "random windows + S", FEW, {"below": 0.03}),
''','''    ("random windows + S", "fine-tuned", FEW, {"above": 0}),
''')
rep('''headline=len(labels) == 1 or a[-1] == "S")''','''headline=len(labels) == 1 or "their network" in (a, b))''')
rep('''# training. With the scatter, their weights are surely ahead of their twin: the two go well together. And random
# windows with the scatter, for which nothing was trained, keep up with a fine-tuned network.
''','''# training. Weights and scatter add up: with the scatter, their network gains, and is ahead of its twin. And random
# windows with the scatter, for which nothing was trained, are ahead of all, of the fine-tuned network by a
# little. (With one label it mostly took the smallest of its four rates; a smaller one may serve it better.)
''')
open(p,'w').write(s)
