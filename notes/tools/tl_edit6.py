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
between('for text, given, bounds in (\n    ("With 1 label a fine','''# The sources of section 7''','''# Which is how far ahead of which, averaged over these numbers of labels?
for a, b, labels, bounds in (
    ("fine-tuned", "from scratch", [1], {"above": 0.05}),
    ("fine-tuned", "from scratch", [200], {"below": 0.04}),
    ("final layers", "from scratch", FEW, {"above": 0.03}),
    ("their network", "head only", [200], {"above": 0.03}),
    ("their network", "untrained twin", FEW, {"above": 0.03}),
    ("their network", "random windows", FEW, {"below": 0.03}),
    ("random windows + S", "random windows", FEW, {"above": 0.02}),
    ("their network + S", "their network", FEW, {"above": 0.03}),
    ("their network + S", "untrained twin + S", FEW, {"above": 0.05}),
    ("their network + S", "fine-tuned", FEW, {"above": 0}),
):  # fmt: skip
    text = f"{labels} labels: {a} is ahead of {b} by"
    if "below" in bounds:
        text += " no more than"
    claim(text, **gap(a, b, *labels), **bounds, digits=3, headline=True)

# %% [markdown]
# So somebody's weights are worth a lot where labels are few, and little where there are many. The slides' recipe,
# with the final layers trained, gets most of it.
#
''')
rep('OVER = "sources, each with labels and tests of its own"\n','OVER = "sources, each with labels and tests of its own"\nFEW = [1, 5, 10]\n')
open(p,'w').write(s)
