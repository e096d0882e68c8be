from pathlib import Path
p=Path('notebooks/source/resnet.py'); s=p.read_text()
def r(a,b):
    global s
    assert s.count(a)==1,(s.count(a),a)
    s=s.replace(a,b)
a=s.index("# got stuck. (Over the stored"); b=s.index("# *Learned: ask what \"smooth\"")
print(s[a:b])
s=s[:a]+"""# got stuck. (Over the stored seeds, which learned more, the difference is smaller: section 7.) With 20
# layers *both* have learned, and both lie in a valley. A fair comparison needs networks in the same
# state: section 7 looks at both before training. And seven directions of 200,000 are a keyhole.
#
"""+s[b:]
r("""# All but one. (The table of section 6 has the numbers.) The networks of 8 and 20 layers lose little.
# The plain one of 56 layers is equally bad at all its rates. The residual one of 56 layers does *not*
# forgive the largest: there it ends more than ten times as high as at its best. (At that rate the
# others lose little. But with 8 layers we tried larger rates than with 20 and 56.)
""","""# All but one. (The table of section 6 has the numbers.) The networks of 8 and 20 layers lose little,
# in nats. The plain one of 56 layers is about equally bad at all its rates. The residual one of 56
# layers does *not* forgive the largest: there it ends many times as high as at its best. (Mind that
# with 8 layers larger rates were tried than with 20 and 56.)
""")
r("""The control is missing: the plain network of 20 layers, which does learn, would
# have to be smoother before training than that of 56.
""","""The control is missing here: the plain network of 20 layers does learn.
# How rough is its landscape before training?
""")
r("By which factor do they multiply the mean\n","By which factor, exactly, do they multiply the mean\n")
r("# Which share of all paths through","# Which share, exactly, of all paths through")
r("# take all of it. Section 7 carries the darker rim along.) With\n# shortcuts and","# take all of it. That the factors still come close is luck in part: they overstate the edges and leave\n# out the drift. See section 7.) With shortcuts and")
p.write_text(s)
q=Path('docs/lecturers.md'); t=q.read_text()
a="The four paths on the board; exercise 4 as homework."
assert t.count(a)==1
q.write_text(t.replace(a,"The four paths on the board, then exercise 4."))
