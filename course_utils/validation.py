"""Fair comparisons of small models: splits, scaling and tuning for many copies at once.

Axis 0 counts F folds throughout. Nothing here looks at a row that judges.
"""

from collections.abc import Callable, Sequence

import keras
import numpy as np
from numpy.typing import ArrayLike

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
    grid: dict[str, ArrayLike],
    parts: int = 4,
    k: int = 30,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Choose each fold's settings by cross-validation within its training rows.

    Parameters
    ----------
    models : keras.Model or sequence of F keras.Model
        Built and compiled, with untrained weights of the names in grid and ``kl_weight``; the last
        is set to 1 over the number of rows that train. One start for all folds, or one for each.
    x, y : array, shape (F, N, ...)
        Training rows of each fold, in random order.
    epochs : int
        Steps of training.
    score : callable
        Takes y of shape (N, ...) and outputs of shape (k, N, ...), returns the loss of each row,
        shape (N,).
    grid : dict of str to array, shape (P,)
        Values of each setting at each of P points.
    parts : int
        Every parts-th row is left out in turn.
    k : int
        Weight samples per prediction.

    Returns
    -------
    best : dict of str to array, shape (F,)
        The settings with the lowest held-out loss, fold by fold, and the ``kl_weight`` for all N
        rows: what `training.fit_many` takes as its values.
    loss : array, shape (F,)
        That loss, averaged over rows.
    """
    inside = np.arange(x.shape[1]) % parts != np.arange(parts)[:, None]
    grid = {name: np.asarray(values) for name, values in grid.items()}
    shape = len(x), len(next(iter(grid.values()))), parts
    fold, point, part = np.indices(shape).reshape(3, -1)
    values = {name: settings[point] for name, settings in grid.items()}
    values["kl_weight"] = 1 / inside[part].sum(axis=1)
    if not isinstance(models, keras.Model):
        models = [models[f] for f in fold]
    networks = training.fit_many(models, x[fold], y[fold], epochs, inside[part], values, "tuning")
    outputs = networks.draws(x[fold], k)
    losses = [
        score(y[f], output)[~inside[p]].sum()
        for f, p, output in zip(fold, part, outputs, strict=True)
    ]
    table = np.reshape(losses, shape).sum(axis=2) / x.shape[1]
    best = {name: settings[table.argmin(axis=1)] for name, settings in grid.items()}
    return best | {"kl_weight": np.full(len(x), 1 / x.shape[1])}, table.min(axis=1)


def two_way(values: ArrayLike) -> dict[str, float | str]:
    """Mean of differences between two methods, with an error over rows and over training sets.

    Both may vary: other wines could judge, and other wines could have been learnt from. The two
    variances are added; as each contains a little of the other, the error is on the safe side.

    Parameters
    ----------
    values : array, shape (F, n)
        Difference for each of F training sets at each of n rows; NaN where a row does not judge.

    Returns
    -------
    dict
        The keywords that a claim takes.
    """
    values = np.asarray(values, float)
    values = values[:, ~np.isnan(values).all(axis=0)]  # rows that never judge
    by_row, by_set = np.nanmean(values, axis=0), np.nanmean(values, axis=1)
    error = np.hypot(*(a.std(ddof=1) / len(a) ** 0.5 for a in (by_row, by_set)))
    over = f"{len(by_row)} wines and {len(by_set)} training sets"
    return {"value": np.nanmean(by_set), "se": error, "over": over}


def placements(score: ArrayLike, known: ArrayLike, new: ArrayLike) -> np.ndarray:
    """How each row stands among those of the other kind, by a score that should be high for new.

    Parameters
    ----------
    score : array, shape (n,)
        Any measure of doubt.
    known, new : array of bool, shape (n,)
        Which rows are of either kind.

    Returns
    -------
    array, shape (2, n)
        Share of known rows below each new one, and of new rows above each known one; ties count
        half, and what does not apply is NaN. The mean of either is the AUROC (DeLong 1988).
    """
    score, placed = np.asarray(score), np.full((2, len(known)), np.nan)
    higher = np.sign(score[new][:, None] - score[known]) / 2 + 0.5
    placed[0, new], placed[1, known] = higher.mean(axis=1), higher.mean(axis=0)
    return placed


def auroc(placed: ArrayLike) -> dict[str, float | str]:
    """Mean AUROC, or mean difference of two, with an error over wines and over training sets.

    Parameters
    ----------
    placed : array, shape (F, 2, n)
        What `placements` gives for each training set, or the differences of two such arrays.

    Returns
    -------
    dict
        The keywords that a claim takes.
    """
    new, known = two_way(placed[:, 0]), two_way(placed[:, 1])
    over = f"{placed.shape[2]} wines and {len(placed)} training sets"
    return {"value": new["value"], "se": float(np.hypot(new["se"], known["se"])), "over": over}
