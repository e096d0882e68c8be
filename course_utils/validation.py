"""Fair comparisons of small models: splits, scaling and tuning for many copies at once.

Axis 0 counts F folds throughout. Nothing here looks at a row that judges.
"""

from collections.abc import Callable, Sequence

import keras
import numpy as np

from course_utils import training


def small_folds(n: int, parts: int, repeats: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Cross-validation with the roles reversed: one part trains, all the others judge.

    Parameters
    ----------
    n : int
        Number of rows.
    parts : int
        Into how many equal parts they are cut; each trains once. Up to parts - 1 rows left over
        only judge.
    repeats : int
        How often this is done, each time in a new random order.
    seed : int
        Of the orders.

    Returns
    -------
    train : array of int, shape (F, n // parts)
        Training rows of each of the F = repeats * parts folds.
    judge : array of bool, shape (F, n)
        Which rows judge.

    Raises
    ------
    ValueError
        If a part would be empty or would be everything.
    """
    if not 2 <= parts <= n:
        raise ValueError(f"{n} rows cannot be cut into {parts} parts: choose 2 to {n}.")
    rng = np.random.default_rng(seed)
    orders = rng.permuted(np.tile(np.arange(n), (repeats, 1)), axis=1)
    train = orders[:, : n // parts * parts].reshape(repeats * parts, n // parts)
    judge = np.ones((len(train), n), dtype=bool)
    np.put_along_axis(judge, train, False, axis=1)
    return train, judge


def standardise(values: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Put all rows into units of each fold's training rows.

    Parameters
    ----------
    values : array, shape (n, d)
        Measurements.
    train : array of int, shape (F, N)
        Training rows of each fold.

    Returns
    -------
    scaled : array of float32, shape (F, n, d)
        Mean 0 and standard deviation 1 over each fold's training rows.
    mean, sd : array, shape (F, 1, d)
        What was subtracted, and what was divided by.

    Raises
    ------
    ValueError
        If a column does not vary among the training rows of a fold.
    """
    mean = values[train].mean(axis=1, keepdims=True)
    sd = values[train].std(axis=1, keepdims=True)
    if not (sd > 0).all():
        columns = sorted(set(np.argwhere(~(sd > 0))[:, 2].tolist()))
        raise ValueError(f"Columns {columns} do not vary in the training rows: leave them out.")
    return ((values - mean) / sd).astype("float32"), mean, sd


def take_rows(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Rows of each fold: values of shape (F, n, d) at rows of shape (F, N) give (F, N, d)."""
    return np.take_along_axis(values, rows[..., None], axis=1)


def tune(
    models: keras.Model | Sequence[keras.Model],
    x: np.ndarray,
    y: np.ndarray,
    epochs: int,
    score: Callable[[np.ndarray, np.ndarray], np.ndarray],
    prior_sigmas: np.ndarray,
    parts: int = 4,
    k: int = 30,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose each fold's prior scale by cross-validation within its training rows.

    Parameters
    ----------
    models : keras.Model or sequence of F keras.Model
        Built and compiled, with untrained weights ``prior_sigma`` and ``n``; one start for all
        folds, or one for each.
    x, y : array, shape (F, N, ...)
        Training rows of each fold, in random order.
    epochs : int
        Steps of training.
    score : callable
        Takes y of shape (N, ...) and outputs of shape (k, N, ...), returns the loss of each row,
        shape (N,).
    prior_sigmas : array, shape (P,)
        The grid.
    parts : int
        Every parts-th row is left out in turn.
    k : int
        Weight samples per prediction.

    Returns
    -------
    best : array, shape (F,)
        The scale with the lowest held-out loss, fold by fold.
    loss : array, shape (F,)
        That loss, averaged over rows.
    """
    inside = np.arange(x.shape[1]) % parts != np.arange(parts)[:, None]
    shape = len(x), len(prior_sigmas), parts
    fold, prior, part = np.indices(shape).reshape(3, -1)
    values = {"prior_sigma": prior_sigmas[prior], "n": inside[part].sum(axis=1)}
    if not isinstance(models, keras.Model):
        models = [models[f] for f in fold]
    networks = training.fit_many(models, x[fold], y[fold], epochs, inside[part], values, "tuning")
    outputs = networks.draws(x[fold], k)
    losses = [
        score(y[f], output)[~inside[p]].sum()
        for f, p, output in zip(fold, part, outputs, strict=True)
    ]
    table = np.reshape(losses, shape).sum(axis=2) / x.shape[1]
    return prior_sigmas[table.argmin(axis=1)], table.min(axis=1)
