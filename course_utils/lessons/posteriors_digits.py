"""The network and the digits of `posteriors`, section 5: one task after the other."""

from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike
from sklearn.linear_model import LogisticRegression

from course_utils import data
from course_utils.lessons.posteriors import Descent


class Classifier:
    """S networks side by side, one hidden layer of ReLUs, all weights of each in one row.

    Parameters
    ----------
    inputs, hidden, classes : int
        Their sizes.
    """

    def __init__(self, inputs: int, hidden: int, classes: int) -> None:
        self._shapes = (inputs, hidden), (1, hidden), (hidden, classes), (1, classes)
        self._sizes = [a * b for a, b in self._shapes]
        self.size = sum(self._sizes)

    def _layers(self, w: ArrayLike) -> list[tf.Tensor]:
        parts = tf.split(w, self._sizes, axis=-1)
        return [
            tf.reshape(part, (-1, *shape)) for part, shape in zip(parts, self._shapes, strict=True)
        ]

    def start(self, rng: np.random.Generator, copies: int) -> np.ndarray:
        """Draw first weights (copies, P): normal, variance 2 / inputs and 1 / hidden; biases 0."""
        scales = np.sqrt([2 / self._shapes[0][0], 0, 1 / self._shapes[0][1], 0])
        return rng.normal(size=(copies, self.size)) * np.repeat(scales, self._sizes)

    def prior(self) -> np.ndarray:
        """Standard deviation (P,) of each weight before any data: as at the start; biases 1."""
        scales = np.sqrt([2 / self._shapes[0][0], 1, 1 / self._shapes[0][1], 1])
        return np.repeat(scales, self._sizes).astype("float32")

    def log_likelihood(
        self, w: ArrayLike, seed: ArrayLike, x: ArrayLike, y: ArrayLike, mask: ArrayLike
    ) -> tf.Tensor:
        """Estimate log p(y|w) of each network, (S,): of a hundred pictures, times N / 100.

        Parameters
        ----------
        w : array, shape (S, P)
            Weights.
        seed : array of two int
            Of the choice of pictures, the same rows for all networks.
        x, y : array, shape (S, N, inputs) and int (S, N)
            Pictures and their classes.
        mask : array, shape (classes,)
            Added to the logits: a large negative number excludes a class.
        """
        n = tf.shape(x)[1]
        rows = tf.random.stateless_uniform((100,), seed, maxval=n, dtype=tf.int32)
        logits = self.logits(w, tf.gather(x, rows, axis=1)) + mask
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.gather(y, rows, axis=1), logits)
        return -tf.reduce_sum(loss, axis=-1) * tf.cast(n, tf.float32) / 100

    def logits(self, w: ArrayLike, x: ArrayLike) -> tf.Tensor:
        """Answer of weights (S, P) to pictures (S, N, inputs): (S, N, classes)."""
        W, b, V, c = self._layers(w)
        return tf.nn.relu(x @ W + b) @ V + c

    def fisher(self, w: ArrayLike, x: ArrayLike, y: ArrayLike, mask: ArrayLike) -> np.ndarray:
        """Diagonal of the sum over pictures of J^T L J, L the Hessian of -log p by the logits.

        Parameters
        ----------
        w : array, shape (S, P)
            Weights.
        x, y : array, shape (S, N, inputs) and int (S, N)
            Pictures and their classes; the classes do not matter.
        mask : array, shape (classes,)
            Added to the logits.

        Returns
        -------
        array of float32, shape (S, P)
            The mean of the squared slopes of log p by each weight, labels drawn from the network's
            own p, times N.
        """
        W, b, V, c = self._layers(w)
        hidden = tf.nn.relu(x @ W + b)
        p = tf.nn.softmax(hidden @ V + c + mask)
        total = 0.0
        for k in range(p.shape[-1]):
            error = p - tf.one_hot(k, p.shape[-1])
            back = tf.matmul(error, V, transpose_b=True) * tf.cast(hidden > 0, tf.float32)
            share = p[..., k, None]
            parts = (
                tf.matmul(x**2, share * back**2, transpose_a=True),
                tf.reduce_sum(share * back**2, axis=1),
                tf.matmul(hidden**2, share * error**2, transpose_a=True),
                tf.reduce_sum(share * error**2, axis=1),
            )
            total += tf.concat([tf.reshape(part, (len(W), -1)) for part in parts], axis=-1)
        return total.numpy()


def update_normal(
    mean: np.ndarray, precision: np.ndarray, Phi: np.ndarray, y: np.ndarray, sigma: float
) -> tuple[np.ndarray, np.ndarray]:
    """Update the posterior of a linear model's weights with new data.

    Parameters
    ----------
    mean, precision : array, shape (H,) and (H, H)
        Of the normal that holds before.
    Phi, y : array, shape (N, H) and (N,)
        Features and targets.
    sigma : float
        Standard deviation of the noise, in units of y.

    Returns
    -------
    mean, precision : array, shape (H,) and (H, H)
    """
    new = precision + Phi.T @ Phi / sigma**2
    return np.linalg.solve(new, precision @ mean + Phi.T @ y / sigma**2), new


class Digits:
    """Pairs of digits, 0 and 1 first, to be learned one after the other from five sets of pictures.

    Parameters
    ----------
    setting : str
        "odd": is it odd? "pairs": which of the pair, with two outputs of their own for each pair.
        "classes": which of ten.
    rng : numpy.random.Generator
        Cuts the 5,000 pictures into five sets of 100 of each digit, and draws first weights.

    Attributes
    ----------
    network : Classifier
        196 inputs (14 x 14 pixels), 100 hidden units.
    first : array of float32, shape (5, P)
        First weights of five networks, one for each set.
    """

    SETS = 5

    def __init__(self, setting: str, rng: np.random.Generator) -> None:
        mnist = data.load_mnist5k()
        self._x = (mnist.x / 255).reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196)
        self._x = self._x.astype("float32")
        self._y = (mnist.y % 2 if setting == "odd" else mnist.y).astype("int32")
        digits = [rng.permutation(np.flatnonzero(mnist.y == d)) for d in range(10)]
        self._rows = np.stack([rows.reshape(self.SETS, -1) for rows in digits], axis=1)
        self._setting = setting
        self.network = Classifier(196, 100, 2 if setting == "odd" else 10)
        self.first = self.network.start(rng, self.SETS).astype("float32")

    def _mask(self, pair: int) -> np.ndarray:
        digits = np.arange(10) // 2
        return np.where((self._setting == "pairs") & (digits != pair), -1e9, 0).astype("float32")

    def _part(self, rows: np.ndarray, pair: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        mask = self._mask(pair)[: 2 if self._setting == "odd" else 10]
        rows = rows.reshape(self.SETS, -1)
        return self._x[rows], self._y[rows], mask

    def tasks(self, stored: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield the five tasks: pictures (5, N, 196), classes (5, N) and a mask of the outputs.

        Parameters
        ----------
        stored : int
            So many pictures of each earlier digit are mixed in; 0 with a head for each pair, where
            a task excludes the outputs of the others.

        Raises
        ------
        ValueError
            If pictures are to be stored with a head for each pair.
        """
        if stored and self._setting == "pairs":
            raise ValueError("With a head for each pair no pictures can be stored: give stored=0.")
        for pair in range(5):
            new = self._rows[:, 2 * pair : 2 * pair + 2].reshape(self.SETS, -1)
            old = self._rows[:, : 2 * pair, :stored].reshape(self.SETS, -1)
            yield self._part(np.concatenate([new, old], axis=1), pair)

    def all_at_once(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return all pictures of each set as one task, where no output is excluded."""
        x, y, mask = self._part(self._rows, 0)
        return x, y, 0 * mask

    def accuracy(self, answer: Callable[[int, np.ndarray], np.ndarray]) -> np.ndarray:
        """Share of right answers on pictures of the other sets, by set and task: (5, 5).

        Parameters
        ----------
        answer : callable
            Takes a set and pictures (n, 196), returns scores (n, classes).
        """
        shares = np.empty((self.SETS, 5))
        for s, pair in np.ndindex(*shares.shape):
            rows = np.delete(self._rows[:, 2 * pair : 2 * pair + 2], s, axis=0).ravel()
            x, y = self._x[rows], self._y[rows]
            scores = answer(s, x) + self._mask(pair)[: 2 if self._setting == "odd" else 10]
            shares[s, pair] = np.mean(scores.argmax(axis=-1) == y)
        return shares

    def right(self, w: np.ndarray) -> np.ndarray:
        """Accuracy (5, 5) of networks with weights (5, P)."""
        return self.accuracy(lambda s, x: self.network.logits(w[[s]], x[None]).numpy()[0])

    def linear(self, hidden: Callable[[np.ndarray], np.ndarray], w: ArrayLike) -> np.ndarray:
        """Accuracy (5, 5) of the signs of hidden(x) @ w, weights w (5, H), for odd or even."""
        return self.accuracy(lambda s, x: np.outer(hidden(x) @ w[s], [0, 1]))

    def learn_variational(self, strength: float, steps: int) -> np.ndarray:
        """Learn the tasks with independent normal weights, whose last posterior is the next prior.

        Parameters
        ----------
        strength : float
            Factor of the KL from the posterior before, or first from the prior: 1 by Bayes' rule.
        steps : int
            Of each task.

        Returns
        -------
        array, shape (5, 5)
            Accuracy of the means.
        """
        old = [0 * self.first, np.log(self.network.prior(), dtype="float32") + 0 * self.first]
        q = [self.first, np.full_like(self.first, -3)]
        for t, task in enumerate(self.tasks()):
            before = np.float32(strength), *old
            q = old = self._variational(q, (steps,), *before, *task, seed=t)[steps]
        return self.right(q[0])

    @cached_property
    def _variational(self) -> Descent:
        def loss(weights, seed, strength, old_m, old_log_s, *task):
            m, log_s = weights
            w = m + tf.exp(log_s) * tf.random.stateless_normal(m.shape, seed + 1)
            ratio = (tf.exp(2 * log_s) + (m - old_m) ** 2) / tf.exp(2 * old_log_s)
            kl = tf.reduce_sum(old_log_s - log_s + (ratio - 1) / 2, axis=-1)
            return strength * kl - self.network.log_likelihood(w, seed, *task)

        return Descent(loss, rate=0.005)

    def together(self, steps: int = 500) -> np.ndarray:
        """Accuracy (5, 5) of networks that learn all pictures of each set at once."""
        loss = Descent(
            lambda w, seed, *task: -self.network.log_likelihood(w[0], seed, *task), 0.003
        )
        return self.right(loss([self.first], (steps,), *self.all_at_once())[steps][0])

    def logistic(self) -> np.ndarray:
        """Accuracy (5, 5) of logistic regression on all pictures of each set at once."""
        x, y, _ = self.all_at_once()
        models = [
            LogisticRegression(C=0.1, max_iter=1_000).fit(*pair) for pair in zip(x, y, strict=True)
        ]
        return self.accuracy(lambda s, x: models[s].predict_log_proba(x))

    def class_means(self) -> np.ndarray:
        """Accuracy (5, 5) of the nearest of ten average pictures, where classes are digits."""
        means = self._x[self._rows].mean(axis=2)  # (5, 10, 196)
        return self.accuracy(lambda s, x: -np.square(x[:, None] - means[s]).sum(axis=-1))
