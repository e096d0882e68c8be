"""Yardsticks, rivals and figures of the lesson `var_mod_applications`."""

import io
import zlib
from collections.abc import Callable, Sequence

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import ops
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from PIL import Image
from scipy.ndimage import label
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from course_utils import data, plotting, training

SIDE = 28  # pixels of a picture's side
_EDGE = 4  # a context looks at most so many pixels up, left and right
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]
WAYS = {"six steps": "C0", "difference": "C2", "pixels": "C3"}

# Alternative texts of figures that answer a prediction.
TEXTS = {
    "cover": "Five rows of pictures; in each a handwritten digit turns step by step into another.",
    "steps": "Ten held-out digits on their way to the digit 3, by the slide's six steps: at a "
    "quarter hardly changed, at a half between two digits, at three quarters ten threes that "
    "differ a little, at one the same 3 ten times.",
    "race": "Share recognised as the new digit against the slant that is kept, a curve over alpha "
    "for each way. The six steps give up slant early; the difference of averages keeps it and "
    "turns back below nine in ten; the same difference on pixels keeps it as well.",
    "equal": "The same ten digits altered in three ways at equal effect. In the codes most become "
    "whole strokes, in the pixels ghosts of two digits over each other, with loose pieces.",
    "demand": "Digits 0 to 9 on demand from five models: whole digits from two latent dimensions; "
    "from ten, some right and some wrong; from ten with the digit's own normal, nearly all right "
    "and varied; scribbles in the grain of handwriting from the table of contexts; ten stencils.",
    "map": "Two maps of applicants or patients by two latent numbers, coloured by class. Benign "
    "and malignant tumours lie on two sides; good and bad applicants lie in one another.",
    "halves": "The upper halves of ten digits, the true lower halves, and four ways to fill them: "
    "a grey blot for all, whole strokes from the VAE, and two blurred ones from the rivals.",
}


# --- what is left of a picture ------------------------------------------------------------------


def slant(pictures: np.ndarray) -> np.ndarray:
    """Angle by which the ink of each picture leans to the right, in degrees.

    The tangent is the slope of a straight line fitted to the ink: columns against rows.

    Parameters
    ----------
    pictures : array, shape (N, 784)
        0 or 1.

    Returns
    -------
    array, shape (N,)
        0 for a picture without ink.
    """
    ink = np.asarray(pictures, dtype=float).reshape(-1, SIDE, SIDE)
    total = ink.sum(axis=(1, 2)) + 1e-9
    across = COLUMNS - ((ink * COLUMNS).sum(axis=(1, 2)) / total)[:, None, None]
    down = ROWS - ((ink * ROWS).sum(axis=(1, 2)) / total)[:, None, None]
    slope = -(ink * across * down).sum(axis=(1, 2)) / ((ink * down**2).sum(axis=(1, 2)) + 1e-9)
    return np.degrees(np.arctan(slope))


def slants(x: np.ndarray, y: np.ndarray, altered: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Slant of each picture before and after it was altered, each without its digit's mean.

    Parameters
    ----------
    x, altered : array, shape (N, 784)
    y, target : array of int, shape (N,)
        The digit before and after; what is shown of each is its mean slant.

    Returns
    -------
    array, shape (2, N)
        In degrees. How they correlate is what is kept of the slant.
    """
    found = np.stack([slant(x), slant(altered)])
    for values, digits in zip(found, (y, target), strict=True):
        for k in np.unique(digits):
            values[digits == k] -= values[digits == k].mean()
    return found


def lead(
    slants_a: np.ndarray, slants_b: np.ndarray, rng: np.random.Generator, draws: int = 300
) -> dict[str, float | str]:
    """How much more slant a keeps than b, as keywords of a claim.

    Parameters
    ----------
    slants_a, slants_b : array, shape (2, N)
        Of the same pictures, from `slants`.
    rng : np.random.Generator
    draws : int
        The standard error is over so many drawn sets of the pictures, with replacement.

    Returns
    -------
    dict
        ``value``, ``se``, ``over``.
    """

    def gap(rows):
        return np.subtract(*(np.corrcoef(s[:, rows])[0, 1] for s in (slants_a, slants_b)))

    n = slants_a.shape[1]
    each = [gap(rng.integers(n, size=n)) for _ in range(draws)]
    return {"value": gap(slice(None)), "se": np.std(each), "over": f"{n} held-out pictures"}


def pieces(pictures: np.ndarray) -> np.ndarray:
    """Count the connected pieces of ink of each picture (N, 784); corners that touch connect."""
    corners = np.ones((3, 3))
    return np.array([label(p, corners)[1] for p in pictures.reshape(-1, SIDE, SIDE) > 0])


def nearest(x: np.ndarray, known: np.ndarray, allowed: np.ndarray | None = None) -> np.ndarray:
    """Row of `known` that differs from each row of x in the fewest pixels.

    Parameters
    ----------
    x : array, shape (N, D)
    known : array, shape (M, D)
        Both of 0 and 1, or centred: what is smallest is the squared distance.
    allowed : array of bool, shape (N, M)
        Which rows of `known` each may take; by default all.

    Returns
    -------
    array of int, shape (N,)
    """
    apart = (known**2).sum(axis=1) - 2 * x @ known.T
    return np.where(True if allowed is None else allowed, apart, np.inf).argmin(axis=1)


def train(
    model: keras.Model,
    inputs: np.ndarray,
    x: np.ndarray,
    epochs: int,
    rate: float,
    loss: Callable,
) -> keras.Model:
    """Train a model with Adam, at a rate that grows for a quarter of the steps, then falls.

    Parameters
    ----------
    model : keras.Model
    inputs, x : array, shape (N, ...)
        What goes in, and what the loss compares with what comes out.
    epochs : int
        In batches of 100.
    rate : float
        The largest.
    loss : callable

    Returns
    -------
    keras.Model
        The same.
    """
    model(inputs[:2])  # builds the weights
    growing = max(1, epochs * len(x) // 400)  # steps
    rates = keras.optimizers.schedules.CosineDecay(
        rate / 20, 3 * growing, warmup_target=rate, warmup_steps=growing
    )
    model.compile(keras.optimizers.Adam(rates), loss=loss)
    training.fit(model, inputs, x, epochs, batch_size=100)
    return model


def judge(x: np.ndarray, y: np.ndarray, epochs: int) -> Callable[[np.ndarray], np.ndarray]:
    """Train a network that names the digit of a picture.

    Parameters
    ----------
    x : array, shape (N, 784)
    y : array of int, shape (N,)
    epochs : int

    Returns
    -------
    callable
        Takes pictures (M, 784) and returns digits (M,).
    """
    Dense, Dropout = keras.layers.Dense, keras.layers.Dropout
    model = keras.Sequential([
        keras.Input((x.shape[1],)),
        Dropout(0.3),
        Dense(256, "relu"),
        Dropout(0.3),
        Dense(128, "relu"),
        Dense(10),
    ])  # fmt: skip
    rates = keras.optimizers.schedules.CosineDecay(0.003, epochs * -(-len(x) // 100))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rates), loss)
    training.fit(model, x, y, epochs, batch_size=100)
    return lambda pictures: ops.convert_to_numpy(model(pictures)).argmax(axis=1)


# --- the table of contexts ----------------------------------------------------------------------


def places(n: int) -> list[tuple[int, int]]:
    """Return the n nearest of the pixels that come before a pixel, as steps (rows, columns)."""
    before = [(r, c) for r in range(-_EDGE, 1) for c in range(-_EDGE, _EDGE + 1)
              if r < 0 or c < 0]  # fmt: skip
    return sorted(before, key=lambda p: (p[0] ** 2 + p[1] ** 2, -p[0]))[:n]


def contexts(pictures: np.ndarray, n: int) -> np.ndarray:
    """Number the context of each pixel: its n nearest earlier pixels, read as a binary number.

    Parameters
    ----------
    pictures : array, shape (N, 784)
        0 or 1. Beyond the edge everything is paper.
    n : int
        At most 40.

    Returns
    -------
    array of int, shape (N, 784)
        From 0 to 2**n - 1.
    """
    ink = np.asarray(pictures).reshape(-1, SIDE, SIDE).astype(np.int32)
    around = np.pad(ink, ((0, 0), (_EDGE, 0), (_EDGE, _EDGE)))
    number = np.zeros(ink.shape, np.int32)
    for bit, (r, c) in enumerate(places(n)):
        top, left = _EDGE + r, _EDGE + c
        number |= around[:, top : top + SIDE, left : left + SIDE] << bit
    return number.reshape(len(ink), -1)


def draw_from_contexts(table: np.ndarray, n: int, count: int, rng: np.random.Generator):
    """Draw pictures from a table of contexts, pixel by pixel.

    Parameters
    ----------
    table : array, shape (2**n,)
        Probability of ink after each context.
    n : int
    count : int
        Pictures.
    rng : np.random.Generator

    Returns
    -------
    array, shape (count, 784)
    """
    around = np.zeros((count, SIDE + _EDGE, SIDE + 2 * _EDGE), int)
    for row in range(SIDE):
        for column in range(SIDE):
            number = np.zeros(count, int)
            for bit, (r, c) in enumerate(places(n)):
                number |= around[:, _EDGE + row + r, _EDGE + column + c] << bit
            around[:, _EDGE + row, _EDGE + column] = rng.random(count) < table[number]
    return around[:, _EDGE:, _EDGE:-_EDGE].reshape(count, -1).astype("float32")


def zipped_bits(pictures: np.ndarray) -> np.ndarray:
    """Bits of each picture (N, 784) as zlib packs it, one file of eight pixels a byte for each."""
    rows = np.packbits(pictures.astype("uint8"), axis=1)
    packed = []
    for row in rows:
        squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)  # raw: without a head
        packed.append(len(squeeze.compress(row.tobytes()) + squeeze.flush()))
    return 8 * np.array(packed)


def fax_bits(pictures: np.ndarray) -> float:
    """Bits for a picture (N, 784) when all are sent as one strip by fax (ITU-T T.6, group 4)."""
    strip = Image.fromarray((pictures.reshape(-1, SIDE) * 255).astype("uint8")).convert("1")
    file = io.BytesIO()
    strip.save(file, "TIFF", compression="group4")
    return 8 * len(file.getvalue()) / len(pictures)


# --- applicants ---------------------------------------------------------------------------------


def credit_columns() -> tuple[np.ndarray, np.ndarray, int, list[int]]:
    """Turn German Credit into columns for a network.

    Whole numbers of many values (duration, amount, age) are taken as logarithms; the seven numbers
    are standardised; each of the thirteen codes becomes a column of 0 and 1.

    Returns
    -------
    x : array, shape (1000, 61)
        Numbers first.
    y : array, shape (1000,)
        0 good, 1 bad.
    numbers : int
        How many of the columns are numbers.
    kinds : list of int
        How many columns each code has.
    """
    credit = data.load_german_credit()
    numbers, codes = [], []
    for column in credit.x.T:
        if column[0].startswith("A"):
            codes.append((column[:, None] == np.unique(column)).astype("float32"))
        else:
            value = column.astype(float)
            value = np.log(value) if len(np.unique(value)) > 10 else value
            numbers.append((value - value.mean()) / value.std())
    x = np.concatenate([np.stack(numbers, axis=1), *codes], axis=1).astype("float32")
    return x, credit.y, len(numbers), [code.shape[1] for code in codes]


def table_loss(numbers: int, kinds: Sequence[int]) -> Callable:
    """Return -log p(X|z) in nats for rows of numbers and codes, as a loss for Keras.

    Numbers are normal around the output with a standard deviation for each column, a code takes
    its columns by a softmax.

    Parameters
    ----------
    numbers : int
        Columns that are numbers, the first ones.
    kinds : sequence of int
        Columns of each code.

    Returns
    -------
    callable
        Takes x (N, D) and the decoder's output (N, D + numbers), whose last columns are the
        logarithms of the standard deviations; returns (N,).
    """

    def loss(x, output):
        width = numbers + sum(kinds)
        log_sigma = output[:, width:]
        miss = (x[:, :numbers] - output[:, :numbers]) / ops.exp(log_sigma)
        nats = ops.sum(ops.square(miss) / 2 + log_sigma + 0.5 * float(np.log(2 * np.pi)), axis=-1)
        at = numbers
        for kind in kinds:
            scores = output[:, at : at + kind]
            nats += ops.logsumexp(scores, axis=-1) - ops.sum(scores * x[:, at : at + kind], axis=-1)
            at += kind
        return nats

    return loss


class TableVAE(keras.Model):
    """A variational autoencoder of rows of a table, to be trained with `table_loss`.

    Parameters
    ----------
    d : int
        Latent dimensions.
    columns : int
        Width of a row.
    numbers : int
        How many of the columns are numbers.
    """

    def __init__(self, d: int, columns: int, numbers: int) -> None:
        super().__init__()
        Dense = keras.layers.Dense
        self.hide = keras.layers.Dropout(0.1)
        self.encoder = [Dense(64, "relu"), Dense(64, "relu"), Dense(2 * d)]
        self.decoder = [Dense(64, "relu"), Dense(64, "relu"), Dense(columns)]
        self.log_sigma = self.add_weight((numbers,), "zeros", name="log_sigma")
        self.beta = self.add_weight((), "ones", trainable=False, name="beta")
        self.noise = keras.random.SeedGenerator()

    def encode(self, x, training=False):
        """Return z_mu and z_sigma (N, d)."""
        h = self.hide(x, training=training)
        for layer in self.encoder:
            h = layer(h)
        z_mu, log_z_sigma = ops.split(h, 2, axis=-1)
        return z_mu, ops.exp(log_z_sigma)

    def call(self, x, training=False):
        """Return the decoder's output and log sigma, side by side."""
        z_mu, z_sigma = self.encode(x, training)
        z = z_mu + z_sigma * keras.random.normal(ops.shape(z_mu), seed=self.noise)
        kl = (ops.square(z_mu) + ops.square(z_sigma) - 1) / 2 - ops.log(z_sigma)
        self.add_loss(self.beta * ops.mean(ops.sum(kl, axis=-1)))
        for layer in self.decoder:
            z = layer(z)
        return ops.concatenate([z, self.log_sigma * ops.ones_like(z[:, :1])], axis=-1)


def logistic(h: np.ndarray, y: np.ndarray, train: np.ndarray, validation: np.ndarray) -> np.ndarray:
    """Risk of all rows by logistic regression on some, its penalty chosen on others.

    Parameters
    ----------
    h : array, shape (N, D)
        Inputs or codes.
    y : array of int, shape (N,)
        0 or 1.
    train, validation : array of int
        Rows. The best of six penalties has the smallest log loss on the validation rows.

    Returns
    -------
    array, shape (N,)
        Probability of a 1.
    """
    h = (h - h[train].mean(axis=0)) / h[train].std()
    risks = []
    for C in 10.0 ** np.arange(-3, 3):
        model = LogisticRegression(C=C, solver="newton-cholesky").fit(h[train], y[train])
        risks.append(model.predict_proba(h)[:, 1])
    return min(risks, key=lambda risk: log_loss(y[validation], risk[validation]))


# --- figures ------------------------------------------------------------------------------------


def draw_rows(rows: dict[str, np.ndarray], columns: int = 10, width: float = 10) -> plt.Figure:
    """Draw pictures (N, 784), ink from 0 to 1, as rows of one figure, each with its name."""
    pictures = np.concatenate([x[:columns] for x in rows.values()]).reshape(-1, SIDE, SIDE)
    figure, ax = plt.subplots(figsize=(1.1 * width, 0.8 * width / 10 * len(rows) + 0.1))
    plotting.image_grid(ax, pictures, columns)
    ax.set_yticks(SIDE * np.arange(len(rows)) + SIDE / 2, list(rows))
    return figure


def draw_race(ax: Axes, race: dict[str, np.ndarray], goal: float) -> None:
    """Draw the slant kept against the share recognised, a curve over alpha for each way.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    race : dict of str to array, shape (alphas, 2)
        Share and slant, by the names of `WAYS`.
    goal : float
        The share at which the ways are compared.
    """
    for name, curve in race.items():
        ax.plot(*curve.T, "o-", color=WAYS[name], label=name)
    ax.axvline(goal, color="0.6", linestyle=":")
    ax.set(xlabel="share recognised as the new digit", ylabel="slant kept (correlation)")
    ax.set(xlim=(0, 1.02), ylim=(-0.1, 1))
    ax.legend(loc="lower left")


def draw_maps(axes: ArrayLike, maps: dict[str, tuple], names: Sequence[Sequence[str]]) -> None:
    """Draw two-dimensional codes coloured by class.

    Parameters
    ----------
    axes : array of matplotlib.axes.Axes
        One for each map.
    maps : dict of str to (codes, classes)
        By title: arrays of shape (N, 2) and (N,), classes 0 and 1.
    names : sequence of (str, str)
        Of the classes 0 and 1 of each map.
    """
    for ax, (title, (z, y)), pair in zip(axes, maps.items(), names, strict=True):
        for kind, (name, colour, marker) in enumerate(zip(pair, ("C0", "C1"), "o^", strict=True)):
            ax.scatter(*z[y == kind].T, s=14, c=colour, marker=marker, label=name, alpha=0.7)
        ax.set(title=title, xlabel="$z_1$", ylabel="$z_2$")
        ax.legend(loc="best", markerscale=2)
