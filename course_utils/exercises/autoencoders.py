"""Exercises of the lesson `autoencoders`."""

import numpy as np

from course_utils.exercises._before import Exercise, Wrong, close, numbers

# --- 1: the share of the variance that PCA loses ------------------------------------------------


def _judge_share_lost(answer):
    eigenvalues, d = np.array([0.7, 4.0, 0.1, 2.5, 1.2]), 2
    given = float(numbers(answer(eigenvalues.copy(), d), shape=()))
    ordered = np.sort(eigenvalues)[::-1]
    total, kept = ordered.sum(), ordered[:d].sum()
    if close(given, 1 - kept / total):
        if close(float(numbers(answer(eigenvalues.copy(), len(eigenvalues)), shape=())), 0):
            return "Known before a single picture is compressed."
        raise Wrong("Right for d = 2, but with all directions kept nothing is lost.")
    if close(given, kept / total):
        raise Wrong("That is the share that is *kept* ('explained variance'). What is lost?")
    if close(given, total - kept):
        raise Wrong("That is the loss itself. As a share it is divided by the whole variance.")
    if close(given, eigenvalues[d:].sum() / total):
        raise Wrong(
            "You left out the last ones in the list. PCA leaves out the *smallest*: routines "
            "differ in their order (`numpy.linalg.eigh` gives the smallest first), so sort."
        )
    if close(given, ordered[::-1][d:].sum() / total):
        raise Wrong("You left out the *largest* ones: that is the worst choice, not PCA's.")
    if close(given, np.square(ordered[d:]).sum() / np.square(ordered).sum()):
        raise Wrong(
            "You squared them. Singular values of the data must be squared; eigenvalues of the "
            "covariance are variances already."
        )
    raise Wrong(
        f"You give {given:.4g}. Add the smallest n - d eigenvalues, divide by the sum of all."
    )


def _share_lost(eigenvalues, d):
    return 1 - np.sort(eigenvalues)[::-1][:d].sum() / eigenvalues.sum()


q1 = Exercise(
    judge=_judge_share_lost,
    hints=[
        "The whole variance is the sum of all eigenvalues. Which of them does PCA leave out?",
        "`np.sort(eigenvalues)[::-1]` puts the largest first; those after the first `d` are lost.",
    ],
    explanation="The loss is the sum of the eigenvalues left out, the smallest ones.\n\n"
    "```python\ndef share_lost(eigenvalues, d):\n"
    "    return 1 - np.sort(eigenvalues)[::-1][:d].sum() / eigenvalues.sum()\n```",
    answer=_share_lost,
    misconceptions={
        "kept": lambda e, d: np.sort(e)[::-1][:d].sum() / e.sum(),
        "no share": lambda e, d: np.sort(e)[::-1][d:].sum(),
        "unsorted": lambda e, d: e[d:].sum() / e.sum(),
        "largest left out": lambda e, d: np.sort(e)[d:].sum() / e.sum(),
        "squared": lambda e, d: np.square(np.sort(e)[::-1][d:]).sum() / np.square(e).sum(),
    },
)


# --- 2: the same network in disguise ------------------------------------------------------------


def _judge_disguised(answer):
    rng = np.random.default_rng(2)
    E, D, A = rng.normal(size=(7, 3)), rng.normal(size=(3, 7)), rng.normal(size=(3, 3))
    given = answer(E.copy(), D.copy(), A.copy())
    if given is None or given is Ellipsis:
        numbers(given)
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise Wrong("Return two matrices, the new encoder and the new decoder.")
    new_E, new_D = numbers(given[0], E.shape), numbers(given[1], D.shape)
    if close(new_E, E) and close(new_D, D):
        raise Wrong("The pictures are the same, but so are the hidden units: they should be h A.")
    if not close(new_E, E @ A):
        if close(new_E @ new_D, E @ D):
            raise Wrong("The pictures are the same, but the hidden units are not h A: x @ E @ A.")
        raise Wrong("The new hidden units should be h A = x @ E @ A, so the encoder is E @ A.")
    if close(new_D, np.linalg.inv(A) @ D):
        return "E A A⁻¹ D = E D: as many equally good networks as there are invertible matrices."
    if close(new_D, D):
        raise Wrong("The hidden units have changed; with the old decoder the pictures change too.")
    if close(new_D, A @ D):
        raise Wrong("Then the pictures are x @ E A A D. What undoes A?")
    if close(new_D, A.T @ D):
        raise Wrong(
            "The transpose undoes A only if A is a rotation. This A is any invertible matrix."
        )
    raise Wrong(
        "The encoder is right. The decoder must undo A *before* it paints: E A (?) D = E D."
    )


def _disguised(E, D, A):
    return E @ A, np.linalg.inv(A) @ D


q2 = Exercise(
    judge=_judge_disguised,
    hints=[
        "The hidden units are now x @ E @ A. Which matrix turns them into x @ E again?",
        "The inverse of A stands between A and D.",
    ],
    explanation="$x E A A^{-1} D = x E D$. All these networks have the same loss, so no hidden "
    "unit has a meaning of its own, and nothing makes them orthogonal; only the space that they "
    "span is determined.\n\n"
    "```python\ndef disguised(E, D, A):\n    return E @ A, np.linalg.inv(A) @ D\n```",
    answer=_disguised,
    misconceptions={
        "decoder unchanged": lambda E, D, A: (E @ A, D),
        "A twice": lambda E, D, A: (E @ A, A @ D),
        "transpose": lambda E, D, A: (E @ A, A.T @ D),
        "nothing changed": lambda E, D, A: (E, D),
        "the wrong way round": lambda E, D, A: (E @ np.linalg.inv(A), A @ D),
    },
)


# --- 3: the test set used for a choice ----------------------------------------------------------


def _judge_reported(answer):
    validation = np.array([0.52, 0.41, 0.33, 0.36, 0.44])
    test = np.array([0.50, 0.43, 0.37, 0.34, 0.45])
    given = float(numbers(answer(validation.copy(), test.copy()), shape=()))
    if close(given, test[validation.argmin()]):
        return (
            "The validation images choose, the test images judge, once. This number is usually a "
            "little worse than the smallest one, and it is the one that new pictures will confirm."
        )
    if close(given, test.min()):
        raise Wrong(
            "This is the published mistake: the smallest of several test errors is small partly by "
            "luck, and the luck will not come again."
        )
    if close(given, validation.min()):
        raise Wrong(
            "The validation images made the choice: their error at the chosen size is as "
            "optimistic as the test error was in the published lesson. Who has not been asked yet?"
        )
    if close(given, validation[test.argmin()]):
        raise Wrong("The roles are exchanged: here the test images make the choice.")
    if close(given, test.mean()):
        raise Wrong(
            "That is the mean over all sizes. One size has to be chosen, and then reported."
        )
    if given == 2:
        raise Wrong("That is the index of the chosen size. Report its error.")
    raise Wrong(f"You give {given:.4g}. Choose the size on one set, report its error on the other.")


def _reported(validation_errors, test_errors):
    return test_errors[np.argmin(validation_errors)]


q3 = Exercise(
    judge=_judge_reported,
    hints=[
        "Which set may make the choice, and which must know nothing of it?",
        "`np.argmin(validation_errors)` is the chosen size.",
    ],
    explanation="```python\ndef reported_error(validation_errors, test_errors):\n"
    "    return test_errors[np.argmin(validation_errors)]\n```",
    answer=_reported,
    misconceptions={
        "best on the test set": lambda v, t: t.min(),
        "best on the validation set": lambda v, t: v.min(),
        "roles exchanged": lambda v, t: v[np.argmin(t)],
        "mean": lambda v, t: t.mean(),
        "index": lambda v, t: np.argmin(v),
    },
)


# --- 4: a sigmoid applied twice -----------------------------------------------------------------


def _judge_greys(answer):
    given = numbers(answer, shape=(2,))
    ink = 1 / (1 + np.exp(-1.0))
    if close(given, [0.5, ink], 6e-3):
        return "All grey levels are squeezed into a quarter of the scale, and paper is middle grey."
    if close(given, [ink, 0.5], 6e-3):
        raise Wrong("The two are right but exchanged: first the paper, then the ink.")
    if close(given, [0, 1]):
        raise Wrong(
            "That would be so if the second sigmoid changed nothing. What is the sigmoid of 0?"
        )
    if close(given, [0.5, 1]):
        raise Wrong("The paper is right. The sigmoid reaches 1 only at infinity: put 1 into it.")
    if close(given, [0, ink], 6e-3):
        raise Wrong("The ink is right. Paper is 0, and the sigmoid of 0 is not 0.")
    if close(given, [0, 0.5]):
        raise Wrong("The sigmoid of 0 is one half; that is the paper. What becomes of the ink?")
    raise Wrong("Put 0 and 1 into 1 / (1 + exp(-x)).")


q4 = Exercise(
    judge=_judge_greys,
    hints=[
        "The sigmoid is $1/(1 + e^{-x})$. Its input is now a grey level from 0 to 1.",
        "At 0 it is one half. At 1 it is $1/(1 + 1/e)$.",
    ],
    explanation="$\\sigma(0) = 0.5$ and $\\sigma(1) = 1/(1+1/e) \\approx 0.731$.\n\n"
    "```python\ngreys = 0.5, 1 / (1 + np.exp(-1))\n```\n\n"
    "Either the decoder ends in a sigmoid, or whoever uses it applies one: say which.",
    answer=(0.5, 0.731),
    misconceptions={
        "nothing happens": (0, 1),
        "exchanged": (0.731, 0.5),
        "ink stays 1": (0.5, 1),
        "paper stays 0": (0, 0.731),
        "paper 0, ink one half": (0, 0.5),
    },
)


# --- 5: what a denoiser is trained on -----------------------------------------------------------


def _judge_pair(answer):
    rng = np.random.default_rng(5)
    x = rng.uniform(0.1, 1, size=(4, 6))
    mask = np.tile([1.0, 0.0, 1.0], (4, 2))
    given = answer(x.copy(), mask.copy())
    if given is None or given is Ellipsis:
        numbers(given)
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise Wrong("Return two arrays, the network's input and its target.")
    seen, target = (numbers(array, x.shape) for array in given)
    noisy = x * mask
    if close(seen, noisy) and close(target, x):
        return "Noisy in, clean out: the loss of the slide compares X' with X, not with X̃."
    if close(seen, noisy) and close(target, noisy):
        raise Wrong(
            "This is the bug: the network is rewarded for giving the holes back. What should come "
            "out in their place?"
        )
    if close(seen, x) and close(target, x):
        raise Wrong("That is an ordinary autoencoder: it never meets a hole in training.")
    if close(seen, x) and close(target, noisy):
        raise Wrong("Exchanged: this network learns to make noise.")
    if close(seen, noisy) and close(target, x - noisy):
        raise Wrong(
            "This target is only what the mask took away. It could be used, but then the network's "
            "answer has to be added to the noisy picture; the slide's loss asks for the picture."
        )
    raise Wrong("The input is the picture times the mask, and the target is the picture.")


def _training_pair(x, mask):
    return x * mask, x


q5 = Exercise(
    judge=_judge_pair,
    hints=[
        "In the slide's loss, which of $X$ and $\\tilde X$ is compared with $X'$?",
        "The network sees $\\tilde X$ = `x * mask`. Its answer is held against $X$.",
    ],
    explanation="With the noisy picture as target, giving back the input is a perfect answer. The "
    "target is the clean picture.\n\n"
    "```python\ndef training_pair(x, mask):\n    return x * mask, x\n```",
    answer=_training_pair,
    misconceptions={
        "noisy target": lambda x, mask: (x * mask, x * mask),
        "no noise": lambda x, mask: (x, x),
        "exchanged": lambda x, mask: (x, x * mask),
        "what is missing": lambda x, mask: (x * mask, x - x * mask),
    },
)


# --- 6: the AUROC from its meaning --------------------------------------------------------------


def _pairs(known, unseen):
    known, unseen = np.asarray(known), np.asarray(unseen)[:, None]
    return (unseen > known).mean(), (unseen == known).mean()


def _judge_auroc(answer):
    known, simple = np.array([3.0, 5.0, 4.0, 8.0, 6.0]), np.array([2.0, 4.0, 1.0, 3.0])
    given = float(numbers(answer(known.copy(), simple.copy()), shape=()))
    swapped = float(numbers(answer(simple.copy(), known.copy()), shape=()))
    above, ties = _pairs(known, simple)
    exact = above + ties / 2
    if close(given, exact):
        if close(swapped, 1 - exact):
            return "Below one half: this detector calls the unseen ones usual, and we say so."
        raise Wrong("Right here, but wrong when the two groups change places.")
    if close([given, swapped], 1 - exact):
        raise Wrong(
            "This looks at the answer and turns the detector around where that helps. In use, "
            "nobody tells you that the next anomaly will be a simple one."
        )
    if close(given, 1 - exact):
        raise Wrong("The wrong way round: a *larger* error should mean unusual.")
    if close(given, above):
        raise Wrong("Ties are missing: they count one half. Else all-equal errors would score 0.")
    if close(given, above + ties):
        raise Wrong("Ties count one half, not one. Else all-equal errors would score 1.")
    if close(given, simple.mean() > known.mean()):
        raise Wrong("That compares the two means. Compare each unseen picture with each known one.")
    raise Wrong(
        f"You give {given:.4g}. Over all pairs of an unseen and a known picture: how often is the "
        "unseen one's error larger?"
    )


def _auroc(known_errors, unseen_errors):
    unseen = unseen_errors[:, None]
    return np.mean((unseen > known_errors) + 0.5 * (unseen == known_errors))


q6 = Exercise(
    judge=_judge_auroc,
    hints=[
        "`unseen_errors[:, None] > known_errors` compares all pairs at once.",
        "The mean of that, plus one half of the mean of the ties.",
    ],
    explanation="```python\ndef auroc_of(known_errors, unseen_errors):\n"
    "    unseen = unseen_errors[:, None]\n"
    "    return np.mean((unseen > known_errors) + 0.5 * (unseen == known_errors))\n```\n\n"
    "The same as `roc_auc_score`, and as the Mann-Whitney statistic over the number of pairs.",
    answer=_auroc,
    misconceptions={
        "turned around": lambda k, u: max(_auroc(k, u), 1 - _auroc(k, u)),
        "wrong way round": lambda k, u: 1 - _auroc(k, u),
        "no ties": lambda k, u: _pairs(k, u)[0],
        "ties count one": lambda k, u: sum(_pairs(k, u)),
        "means": lambda k, u: float(u.mean() > k.mean()),
    },
)
