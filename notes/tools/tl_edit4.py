p='/tmp/wt/transfer/course_utils/exercises/transfer_learning.py'
s=open(p).read()
a='(np.stack([np.roll(a, -23), noise, few]), a),'
assert a in s
s=s.replace(a,'(np.stack([np.roll(a, -23), 0.3 * noise, 0.3 * few]), a),')
open(p,'w').write(s)
p='/tmp/wt/transfer/tests/test_exercises_transfer_learning.py'
s=open(p).read()
a='''        "the farthest": ('''
assert s.count(a)==1
s=s.replace(a,'''        "ten shifts": (
            lambda x, y, asked: y[
                np.argmin([min(((r - np.roll(asked, k)) ** 2).sum() for k in range(10)) for r in x])
            ],
            "you give",
        ),
        "centred": (
            lambda x, y, asked: q1.answer(
                x - x.mean(axis=1, keepdims=True), y, asked - asked.mean()
            ),
            "you give",
        ),
        "the farthest": (''')
a='''        "signals by signals": ('''
assert s.count(a)==1
s=s.replace(a,'''        "kinds from 0 on": (
            lambda h, y: (
                (rest := h - np.stack([h[y == k].mean(0) for k in range(y.max() + 1)])[y]).T
                @ rest
                / len(h)
            ),
            "Not yet",
        ),
        "signals by signals": (''')
open(p,'w').write(s)
