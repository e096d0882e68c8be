p='/tmp/wt/transfer/course_utils/exercises/transfer_learning.py'
s=open(p).read()
def rep(a,b,n=1):
    global s
    assert s.count(a)==n,(s.count(a),a)
    s=s.replace(a,b)
rep('''        cases.append((x, rng.permutation(rows) + 3, asked))
    return cases
''','''        cases.append((x, rng.permutation(rows) + 3, asked))
    a, noise, few = rng.normal(size=(3, 40))
    single, many = 3.0 * (np.arange(40) == 7), 0.5 * np.sign(few)
    for x, asked in (
        (np.stack([np.roll(a, -23), noise, few]), a),  # more shifts than a short signal has
        (np.stack([np.roll(a, 3) + 0.1 * noise, a]), a + 0.01 * few),  # shift 0
        (np.stack([a, a + 2 + 0.2 * noise]), np.roll(a, 2) + 2),  # apart by a constant
        (np.stack([a + single, a + many]), a),  # 9 and 10: one large difference, many small ones
        (np.stack([a + 1.2 * single, a + 0.9 * many]), a),  # 13 and 8
        (np.stack([3 * a, a + 0.3 * noise]), np.roll(a, 30)),  # the same form, another size
    ):
        cases.append((x, np.arange(len(x)) + 4, asked))
    return cases
''')
rep('''        "mean over shifts": (''','''        "without shift 0": (
            _with(_least, lambda n: range(1, n)),
            "The signal as it stands is missing: `k = 0` is one of the shifts.",
        ),
        "absolute differences": (
            _with(lambda apart, row, moved: min(np.abs(d).sum() for d in apart)),
            "You add up the absolute differences. Square them.",
        ),
        "largest difference": (
            _with(lambda apart, row, moved: min(np.abs(d).max() for d in apart)),
            "That is the largest difference. All pixels count: add up the squares.",
        ),
        "cosine": (
            _with(lambda apart, row, moved: -max(row @ m for m in moved) / np.linalg.norm(row)),
            "You divide by the size of the row. Then a row of the same form and another size is as "
            "near as can be; with squared differences it is not.",
        ),
        "mean over shifts": (''')
rep('otherwise="Ask for each: what was trainable when `compile` was last called?"','otherwise="Ask for each: what was trainable at the first `fit` after the last `compile`?"')
rep('''        _unequal((6,), (2,), 2, 3),
''','''        _unequal((6,), (2,), 2, 3),
        _unequal((4, 3), (-3, 1), 3, 4),
''')
rep('"Which condition does each of the first three bullets name in bold letters?",','"Ask each of the four: is the input mine? Is there a lot of it? Do its neighbours in time "\n        "stand side by side, as mine do?",')
open(p,'w').write(s)
