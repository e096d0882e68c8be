"""Exercises of the lesson `autoencoders`."""

import numpy as np

from course_utils.exercises import Exercise

# --- 1: the share of the variance that PCA loses ------------------------------------------------


def _share_lost(eigenvalues, d):
    return np.sort(eigenvalues)[: len(eigenvalues) - d].sum() / eigenvalues.sum()


q1 = Exercise(
    answer=_share_lost,
    cases=[
        (np.array([0.7, 4.0, 0.1, 2.5, 1.2]), 2),
        (np.array([0.2, 3.0, 0.5]), 0),
        (np.array([1, 6, 2]), 3),
        (np.array([2.0, 2.0, 2.0, 2.0]), 1),
        (np.random.default_rng(1).gamma(0.5, size=12), 5),
    ],
    praise="Known before a single picture is compressed.",
    mistakes={
        "kept": (
            lambda e, d: np.sort(e)[len(e) - d :].sum() / e.sum(),
            "That is the share that is *kept* ('explained variance'). What is lost?",
        ),
        "no share": (
            lambda e, d: np.sort(e)[: len(e) - d].sum(),
            "That is the loss itself. As a share it is divided by the whole variance.",
        ),
        "unsorted": (
            lambda e, d: e[d:].sum() / e.sum(),
            "You left out the last ones in the list. PCA leaves out the *smallest*: routines "
            "differ in their order (`numpy.linalg.eigh` gives the smallest first), so sort.",
        ),
        "reversed": (
            lambda e, d: e[::-1][d:].sum() / e.sum(),
            "That is right only if the smallest comes first in the list. Here they come in any "
            "order, so sort.",
        ),
        "largest left out": (
            lambda e, d: np.sort(e)[d:].sum() / e.sum(),
            "You left out the *largest* ones: that is the worst choice, not PCA's.",
        ),
        "squared": (
            lambda e, d: np.square(np.sort(e)[: len(e) - d]).sum() / np.square(e).sum(),
            "You squared them. Singular values of the data must be squared; eigenvalues of the "
            "covariance are variances already.",
        ),
        "not for d = 0": (
            lambda e, d: np.sort(e)[:-d].sum() / e.sum(),
            "Right except for d = 0, where nothing is kept: `[:-0]` is an empty slice.",
        ),
    },
    otherwise="Which of the eigenvalues does PCA leave out, and how large are they beside all of "
    "them?",
    hints=[
        "The whole variance is the sum of all eigenvalues. Which of them does PCA leave out?",
        "`np.sort(eigenvalues)[::-1]` puts the largest first; those after the first `d` are lost.",
    ],
    explanation="The loss is the sum of the eigenvalues left out, the smallest ones.",
)


# --- 2: the same network in disguise ------------------------------------------------------------


def _layers(n, d):
    """Return an encoder, a decoder and a matrix that changes the hidden units."""
    rng = np.random.default_rng(2)
    return rng.normal(size=(n, d)), rng.normal(size=(d, n)), rng.normal(size=(d, d)) + np.eye(d)


def _disguised(E, D, A):
    return E @ A, np.linalg.inv(A) @ D


q2 = Exercise(
    answer=_disguised,
    cases=[
        (
            np.array([[1.0, 0.0], [2.0, 1.0], [0.0, -1.0]]),
            np.array([[1.0, 0.5, 0.0], [0.0, 2.0, 1.0]]),
            np.array([[2.0, 1.0], [0.0, 1.0]]),
        ),
        _layers(7, 3),
        (np.array([[3.0], [1.0]]), np.array([[1.0, -2.0]]), np.array([[4.0]])),
        (np.eye(2), np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([[0.0, -1.0], [1.0, 0.0]])),
    ],
    praise="E A A⁻¹ D = E D: as many equally good networks as there are invertible matrices.",
    mistakes={
        "decoder unchanged": (
            lambda E, D, A: (E @ A, D),
            "The hidden units have changed; with the old decoder the pictures change too.",
        ),
        "A twice": (
            lambda E, D, A: (E @ A, A @ D),
            "Then the pictures are x @ E A A D. What undoes A?",
        ),
        "transpose": (
            lambda E, D, A: (E @ A, A.T @ D),
            "The transpose undoes A only if A is a rotation. This A is any invertible matrix.",
        ),
        "nothing changed": (
            lambda E, D, A: (E, D),
            "The pictures are the same, but so are the hidden units: they should be h A.",
        ),
        "the wrong way round": (
            lambda E, D, A: (E @ np.linalg.inv(A), A @ D),
            "The pictures are the same, but the hidden units are not h A.",
        ),
        "entry by entry": (
            lambda E, D, A: (E @ A, (1 / A) @ D),
            "One over each entry of A is not its inverse: multiply the two matrices to see it.",
        ),
    },
    otherwise="With h = x @ E, write down what the new hidden units are to be, and what the "
    "decoder has to make of them. A stands on the right of h.",
    hints=[
        "The hidden units are now x @ E @ A. Which matrix turns them into x @ E again?",
        "The inverse of A stands between A and D.",
    ],
    explanation="$x E A A^{-1} D = x E D$. All these networks have the same loss, so no hidden "
    "unit has a meaning of its own, and nothing makes them orthogonal; only the space that they "
    "span is determined.",
)


# --- 3: the test set used for a choice ----------------------------------------------------------


def _reported(validation_errors, test_errors):
    return test_errors[np.argmin(validation_errors)]


q3 = Exercise(
    answer=_reported,
    cases=[
        (np.array([0.52, 0.41, 0.33, 0.36, 0.44]), np.array([0.50, 0.43, 0.37, 0.34, 0.45])),
        (np.array([0.2, 0.5, 0.3]), np.array([0.4, 0.6, 0.1])),
        (np.array([30, 20, 21, 12]), np.array([35, 17, 16, 19])),
        (np.array([0.9]), np.array([0.7])),
    ],
    praise="The validation pictures choose, the test pictures judge, once. This number is usually "
    "a little worse than the smallest one, and it is the one that new pictures will confirm.",
    mistakes={
        "best on the test set": (
            lambda validation, test: test.min(),
            "This is the common mistake: the smallest of several test errors is small partly by "
            "luck, and the luck will not come again.",
        ),
        "best on the validation set": (
            lambda validation, test: validation.min(),
            "The validation pictures made the choice: their error at the chosen size is as "
            "optimistic as a test error that made the choice. Who has not been asked yet?",
        ),
        "roles exchanged": (
            lambda validation, test: validation[np.argmin(test)],
            "The roles are exchanged: here the test pictures make the choice.",
        ),
        "mean": (
            lambda validation, test: test.mean(),
            "That is the mean over all sizes. One size has to be chosen, and then reported.",
        ),
        "index": (
            lambda validation, test: np.argmin(validation),
            "That is the index of the chosen size. Report its error.",
        ),
        "the largest": (
            lambda validation, test: test[np.argmax(validation)],
            "You choose the size with the largest error.",
        ),
    },
    otherwise="Which set makes the choice, and on which is what was chosen judged?",
    hints=[
        "Which set may make the choice, and which must know nothing of it?",
        "`np.argmin(validation_errors)` is the chosen size.",
    ],
    explanation="Choose on the validation pictures; of the test errors report the one at the "
    "chosen size, and look at no other.",
)


# --- 4: what a denoiser is trained on -----------------------------------------------------------


def _training_pair(x, mask):
    return x * mask, x


q4 = Exercise(
    answer=_training_pair,
    cases=[
        (np.array([[0.2, 1.0, 0.6], [0.0, 0.4, 0.9]]), np.array([[1.0, 0, 1], [0, 1, 0]])),
        (
            np.random.default_rng(5).uniform(0.1, 1, size=(4, 6)),
            np.tile([1.0, 0.0, 1.0], (4, 2)),
        ),
        (np.array([[0.5, 0.8]]), np.zeros((1, 2))),
        (np.array([[0.3], [0.7]]), np.ones((2, 1))),
    ],
    praise="Noisy in, clean out: the loss of the slide compares X' with X, not with X̃.",
    mistakes={
        "noisy target": (
            lambda x, mask: (x * mask, x * mask),
            "This is the bug: the network is rewarded for giving the holes back. What should come "
            "out in their place?",
        ),
        "no noise": (
            lambda x, mask: (x, x),
            "That is an ordinary autoencoder: it never meets a hole in training.",
        ),
        "exchanged": (
            lambda x, mask: (x, x * mask),
            "Exchanged: this network learns to make noise.",
        ),
        "what is missing": (
            lambda x, mask: (x * mask, x - x * mask),
            "This target is only what the mask took away. It could be used, but then the network's "
            "answer has to be added to the noisy picture; the slide's loss asks for the picture.",
        ),
        "the mask itself": (
            lambda x, mask: (x * mask, mask),
            "This network learns to find the holes, not what stood there.",
        ),
    },
    otherwise="What does the network get to see, and with what is its answer compared?",
    hints=[
        "In the slide's loss, which of $X$ and $\\tilde X$ is compared with $X'$?",
        "The network sees $\\tilde X$ = `x * mask`. Its answer is held against $X$.",
    ],
    explanation="With the noisy picture as target, giving back the input is a perfect answer. The "
    "target is the clean picture.",
)


# --- 5: from the noise that is named to the score ------------------------------------------------


def _score_from_noise(noise, sigma):
    return -noise / sigma


q5 = Exercise(
    answer=_score_from_noise,
    cases=[
        (np.array([[1.0, -0.5], [0.2, 2.0], [0.0, -1.5]]), 0.5),
        (np.array([[0.3, 0.9]]), 2.0),
        (np.random.default_rng(8).normal(size=(4, 2)), 1.0),
        (np.array([[-1.0, 4.0], [2.0, 0.25]]), 0.1),
    ],
    praise="Against the noise, and the less noise there is, the steeper.",
    mistakes={
        "the sign": (
            lambda noise, sigma: noise / sigma,
            "The size is right. But this points away from the clean points: the noise was *added*.",
        ),
        "sigma squared": (
            lambda noise, sigma: -noise / sigma**2,
            "Nearly. You divide by σ², but the answer is ε alone, and the noise that was added is "
            "σε.",
        ),
        "sign and sigma squared": (
            lambda noise, sigma: noise / sigma**2,
            "Two things: the noise was *added*, so which way leads back? And what was added is σε.",
        ),
        "the step": (
            lambda noise, sigma: -sigma * noise,
            "That is the step from the noisy point to its clean mean. What does Tweedie's formula "
            "divide it by?",
        ),
        "no sigma": (
            lambda noise, sigma: -noise,
            "The direction is right. How long is it? Try a noise of half the size.",
        ),
    },
    otherwise="Put x = x̃ − σε into the mean that stands in Tweedie's formula.",
    hints=[
        "The clean point is $x = \\tilde x - \\sigma\\varepsilon$. Take the mean of both sides, "
        "given $\\tilde x$.",
        "So $\\mathbb E[x|\\tilde x] - \\tilde x = -\\sigma\\hat\\varepsilon$. Divide as the "
        "formula says.",
    ],
    explanation="$\\mathbb E[x|\\tilde x] = \\tilde x - \\sigma\\hat\\varepsilon$, so the score is "
    "$-\\sigma\\hat\\varepsilon/\\sigma^2 = -\\hat\\varepsilon/\\sigma$.",
)


# --- 6: the AUROC from its meaning --------------------------------------------------------------


def _auroc_of(known_errors, unseen_errors):
    unseen = unseen_errors[:, None]
    return np.mean((unseen > known_errors) + 0.5 * (unseen == known_errors))


q6 = Exercise(
    answer=_auroc_of,
    cases=[
        (np.array([3.0, 5.0, 2.0, 8.0, 1.0]), np.array([2.0, 5.0, 4.0, 3.0])),
        (np.array([2.0, 5.0, 4.0, 3.0]), np.array([3.0, 5.0, 2.0, 8.0, 6.0])),
        (np.full(3, 1.5), np.full(2, 1.5)),
        (np.array([4]), np.array([7, 9])),
        (np.array([6.0, 2.0]), np.array([1.0])),
    ],
    tolerance=0.05,  # three standard errors of a simulation with 10 000 pairs
    praise="Where it is below one half, the detector calls the unseen ones usual, and we say so.",
    mistakes={
        "turned around": (
            lambda known, unseen: max(_auroc_of(known, unseen), _auroc_of(unseen, known)),
            "This looks at the answer and turns the detector around where that helps. In use, "
            "nobody tells you that the next anomaly will be a simple one.",
        ),
        "wrong way round": (
            lambda known, unseen: _auroc_of(unseen, known),
            "The wrong way round: a *larger* error should mean unusual.",
        ),
        "no ties": (
            lambda known, unseen: np.mean(unseen[:, None] > known),
            "Ties are missing: they count one half. Else all-equal errors would score 0.",
        ),
        "ties count one": (
            lambda known, unseen: np.mean(unseen[:, None] >= known),
            "Ties count one half, not one. Else all-equal errors would score 1.",
        ),
        "means": (
            lambda known, unseen: float(unseen.mean() > known.mean()),
            "That compares the two means. Compare each unseen picture with each known one.",
        ),
        "not divided": (
            lambda known, unseen: _auroc_of(known, unseen) * len(known) * len(unseen),
            "You count the pairs. A probability is their share of all pairs.",
        ),
    },
    otherwise="Over all pairs of an unseen and a known picture: how often is the unseen one's "
    "error larger?",
    hints=[
        "`unseen_errors[:, None] > known_errors` compares all pairs at once.",
        "The mean of that, plus one half of the mean of the ties.",
    ],
    explanation="The same as `roc_auc_score`, and as the Mann-Whitney statistic over the number of "
    "pairs.",
)
