"""What lesson `posteriors` needs besides its ideas: data, descents, distances, bands.

Many problems are solved side by side. An array of functions holds K of them, of R problems, at M
inputs: (K, R, M).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from scipy.stats import norm

from course_utils import data, validation

_CELLS = 4  # of a histogram, to one of the grid: values are rounded to a quarter of its step
_COLORS = "C2", "C1", "C4"
# Two hundred values that share the standard normal's probability equally, (200, 1, 1).
SPREAD = norm.ppf((np.arange(200) + 0.5) / 200)[:, None, None]


@dataclass
class Model:
    """R problems for the same network: one hidden layer, normal noise of known size.

    ``f(x) = outer (sum_h v_h bend(inner (W_h x + b_h)) + c)``; every weight has the prior N(0, 1).

    Parameters
    ----------
    x : array, shape (R, N, D)
        Inputs.
    y : array, shape (R, N)
        Targets.
    units : int
        Hidden units H; a network has (D + 2) H + 1 weights.
    inner, outer : float
        Scales of the two layers; an outer of shape (R, 1) is one for each problem.
    sigma : float
        Standard deviation of the noise.
    bend : callable
        The activation, of an array (..., R, N, H).
    counts : array, shape (R, N)
        Weight of each point: 0 leaves it out.
    """

    x: np.ndarray
    y: np.ndarray
    units: int
    inner: float
    outer: Any
    sigma: float
    bend: Callable[[tf.Tensor], tf.Tensor] = tf.tanh
    counts: Any = 1.0

    @property
    def shape(self) -> tuple[int, int]:
        """Problems, and weights of each network."""
        return len(self.x), (self.x.shape[-1] + 2) * self.units + 1

    def f(self, w: ArrayLike, x: np.ndarray, keep: Any = 1.0) -> tf.Tensor:
        """Output (..., R, M) of weights w (..., R, P) at x (R, M, D); keep multiplies the units."""
        inputs, units = x.shape[-1], self.units
        sizes = [inputs * units, units, units, 1]
        W, b, v, c = tf.split(tf.cast(w, tf.float32), sizes, axis=-1)
        W = tf.reshape(W, [*W.shape[:-1], inputs, units])
        hidden = self.bend(self.inner * (x @ W + b[..., None, :])) * keep
        return self.outer * ((hidden @ v[..., None])[..., 0] + c)

    def log_likelihood(self, w: ArrayLike, y: Any = None, keep: Any = 1.0) -> tf.Tensor:
        """Return log p(y|w) of each problem, (..., R), up to a constant; y replaces the targets."""
        error = ((self.y if y is None else y) - self.f(w, self.x, keep)) / self.sigma
        return -tf.reduce_sum(self.counts * error**2, axis=-1) / 2

    def log_joint(self, w: ArrayLike) -> tf.Tensor:
        """Return log p(y, w) of each problem, (..., R), up to a constant."""
        return self.log_likelihood(w) - tf.reduce_sum(w**2, axis=-1) / 2


def gap_problems(rng: np.random.Generator, drawn: int, numbers: Sequence[int]) -> Model:
    """Make problems with one input: half of 40 points in (-2, -0.8), half in (0.8, 2).

    Parameters
    ----------
    rng : numpy.random.Generator
    drawn : int
        Problems whose function is drawn from the prior of the network.
    numbers : sequence of int
        For each an even number of points up to 40, drawn from sin 2x + 0.3 x. These problems come
        first; all see the first points of the same 40.

    Returns
    -------
    Model
        16 tanh units, inner 4/√2, outer 2/√17, sigma 0.2.
    """
    first = len(numbers)
    sides = [rng.uniform(low, low + 1.2, (first + drawn, 20)) for low in (-2, 0.8)]
    x = np.concatenate(sides, axis=1)
    x[:first] = x[first - 1]
    model = Model(x[..., None].astype("float32"), x, 16, 4 / 2**0.5, 2 / 17**0.5, 0.2)
    y = model.f(rng.normal(size=model.shape), model.x).numpy()
    y[:first] = np.sin(2 * x[:first]) + 0.3 * x[:first]
    noise = model.sigma * rng.normal(size=y.shape)
    noise[:first] = noise[first - 1]
    model.y, model.counts = (y + noise).astype("float32"), np.ones(y.shape, "float32")
    model.counts[:first] = np.arange(40) % 20 < np.array(numbers)[:, None] / 2
    return model


def wine_problems(target: str, repeats: int, seed: int) -> tuple[Model, np.ndarray, np.ndarray]:
    """Learn one measurement of a wine from the twelve others, from 44 wines at a time.

    Parameters
    ----------
    target : str
        Its name.
    repeats : int
        How often the wines are cut into four training sets: R = 4 repeats.
    seed : int
        Of the cuts.

    Returns
    -------
    model : Model
        Four tanh units, inner 2/√13, outer 2/√5, sigma 0.6; all in units of the training wines.
    x, y : array, shape (R, 134, 12) and (R, 134)
        The wines that judge each training set.
    """
    wine = data.load_wine()
    column = wine.feature_names.index(target)
    train, judge = validation.small_folds(len(wine.x), parts=4, repeats=repeats, seed=seed)
    x, _, _ = validation.standardise(np.delete(wine.x, column, axis=1), train)
    y, _, _ = validation.standardise(wine.x[:, [column]], train)
    x_train, y_train = validation.take_rows(x, train), validation.take_rows(y, train)[..., 0]
    model = Model(x_train, y_train, 4, 2 / 13**0.5, 2 / 5**0.5, 0.6)
    size = len(train), -1
    return model, x[judge].reshape(*size, x.shape[-1]), y[judge].reshape(size)


def straight_line(model: Model, x: np.ndarray, alpha: float) -> np.ndarray:
    """Predict by a straight line with the noise of a model and an exact normal posterior.

    Parameters
    ----------
    model : Model
        Its data and sigma are used.
    x : array, shape (R, M, D)
        Where.
    alpha : float
        Each weight, and the bias, has the prior standard deviation alpha / √(D + 1).

    Returns
    -------
    array, shape (200, R, M)
        Values of the line, evenly spread in probability at each input.
    """
    seen, new = _with_constant(model.x), _with_constant(x)
    return _exact(model, *(alpha * part / new.shape[-1] ** 0.5 for part in (seen, new)))


def fixed_units(model: Model, x: np.ndarray, units: int, rng: np.random.Generator) -> np.ndarray:
    """Predict by tanh units that are drawn and stay, and the exact posterior of the last layer.

    Parameters
    ----------
    model : Model
        Its data, sigma and priors are used.
    x : array, shape (R, M, D)
        Where.
    units : int
        How many; with the model's prior each counts the less the more there are, so that the
        variance of f is that of the model.
    rng : numpy.random.Generator
        Draws each problem's units from the prior of the first layer.

    Returns
    -------
    array, shape (200, R, M)
        Values of f, evenly spread in probability at each input.
    """
    W = model.inner * rng.normal(size=(len(x), x.shape[-1] + 1, units))
    share = (model.units / units) ** 0.5
    parts = (np.tanh(_with_constant(part) @ W) * share for part in (model.x, x))
    return _exact(model, *(model.outer * _with_constant(part) for part in parts))


def _with_constant(x: np.ndarray) -> np.ndarray:
    return np.concatenate([x, np.ones_like(x[..., :1])], axis=-1).astype(float)


def _exact(model: Model, seen: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Predict at features (R, M, H) from (R, N, H) with weights of prior N(0, 1)."""
    turned = (seen * np.broadcast_to(model.counts, model.y.shape)[..., None]).swapaxes(1, 2)
    C = np.linalg.inv(turned @ seen / model.sigma**2 + np.eye(seen.shape[-1]))
    mean = new @ C @ turned @ model.y[..., None] / model.sigma**2
    return mean[..., 0] + SPREAD * np.sqrt(np.sum(new @ C * new, axis=-1))


class Descent:
    """Adam on a loss of several arrays, traced once and used for many starts and data.

    Parameters
    ----------
    loss : callable
        Takes a list of tensors, a seed (two whole numbers, others at each step) and the data;
        returns losses of any shape, which are added up: problems side by side that share no
        weight are each minimised for themselves.
    rate : float
        Learning rate.
    """

    def __init__(self, loss: Callable[..., tf.Tensor], rate: float) -> None:
        self._loss, self._rate, self._variables = loss, rate, []

        # Each kind of data is traced once: their number of rows may vary.
        self._run = tf.function(self._steps, reduce_retracing=True)

    def _steps(self, first, last, seed, data):
        for i in tf.range(first, last):
            weights = [v.value for v in self._variables]
            with tf.GradientTape() as tape:
                tape.watch(weights)
                total = tf.reduce_sum(self._loss(weights, tf.stack([seed, i]), *data))
            self._adam.apply(tape.gradient(total, weights), self._variables)

    def _reset(self, start: Sequence[np.ndarray]) -> None:
        if not self._variables:
            self._variables = [keras.Variable(a, dtype="float32") for a in start]
            self._adam = keras.optimizers.Adam(self._rate)
            self._adam.build(self._variables)
            self._fresh = [v.numpy() for v in self._adam.variables]
        for variable, value in zip(self._variables, start, strict=True):
            variable.assign(value)
        for variable, value in zip(self._adam.variables, self._fresh, strict=True):
            variable.assign(value)

    def __call__(
        self, start: Sequence[ArrayLike], steps: Sequence[int], *data: ArrayLike, seed: int = 0
    ) -> dict[int, list[np.ndarray]]:
        """Minimise from a start.

        Parameters
        ----------
        start : sequence of arrays
            What is minimised; of the same shapes in every call.
        steps : sequence of int
            In rising order: after so many steps the arrays are copied.
        *data : arrays
            Handed to the loss.
        seed : int
            The first number of the loss's seed; the second counts the steps.

        Returns
        -------
        dict of int to list of arrays
            The arrays after each number of steps.

        Raises
        ------
        ValueError
            If the steps do not rise from 1 on, or an array is no longer finite.
        """
        if not all(a < b for a, b in pairwise((0, *steps))) or not steps:
            raise ValueError(f"steps={steps} must rise from at least 1 on, as in (100, 400).")
        self._reset([np.asarray(a, "float32") for a in start])
        data = tuple(tf.constant(a) for a in data)
        found, before = {}, 0
        for last in steps:
            self._run(tf.constant(before), tf.constant(last), tf.constant(seed), data)
            found[last], before = [v.numpy() for v in self._variables], last
            if not all(np.isfinite(a).all() for a in found[last]):
                raise ValueError(
                    f"An array is no longer finite after {last} steps: a rate smaller than "
                    f"{self._rate}, or a start nearer to zero, usually helps."
                )
        return found


def gradient(value: Callable[[tf.Tensor], tf.Tensor]) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return the function that gives the slopes of a value (...) by each of its w (..., P)."""

    def slope(w: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(w)
            total = value(w)
        return tape.gradient(total, w)

    return slope


def jacobian(model: Model, w: ArrayLike, x: np.ndarray) -> np.ndarray:
    """Slopes of a model's f at x (R, M, D) by its weights w (R, P): float64, (R, M, P)."""
    inputs = np.moveaxis(x, 1, 0)[:, :, None]  # a copy of the networks for each of the M inputs
    copies = tf.repeat(tf.constant(w, tf.float32)[None], len(inputs), axis=0)
    slopes = gradient(lambda w: model.f(w, inputs))(copies)
    return np.moveaxis(slopes.numpy(), 0, 1).astype(float)


def draws_of(grid: np.ndarray, density: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw 4,000 points (4000, D) of a grid (..., D), in proportion to a density (...)."""
    shares = density.ravel() / density.sum()
    return grid.reshape(-1, grid.shape[-1])[rng.choice(shares.size, 4_000, p=shares)]


def predictive(f: ArrayLike, sigma: float, grid: np.ndarray) -> np.ndarray:
    """Density of y at each input: the mixture of K normals around the values of f.

    Parameters
    ----------
    f : array, shape (K, R, M)
        What K draws of weights answer. Values are rounded to a quarter of the grid's step.
    sigma : float
        Standard deviation of the noise, in units of y; at least the grid's step.
    grid : array, shape (G,)
        Values of y, evenly spaced. What lies beyond its ends is put there.

    Returns
    -------
    array, shape (R, M, G)
    """
    f, step = np.asarray(f, float), grid[1] - grid[0]
    if f.ndim != 3 or not sigma >= step:
        raise ValueError(
            f"f has shape {f.shape}, sigma is {sigma} and the grid's step {step:.3g}: expected are "
            "(K, R, M) and a step not above sigma."
        )
    cells = np.arange(_CELLS * len(grid))
    place = np.rint((f - grid[0]) / step * _CELLS).astype(int).clip(0, cells[-1])
    pair = np.arange(f[0].size).reshape(f[0].shape)
    counts = np.bincount((pair * len(cells) + place).ravel(), minlength=f[0].size * len(cells))
    centres = grid[0] + cells * step / _CELLS
    around = norm.pdf(grid, centres[:, None], sigma)
    return (counts.reshape(-1, len(cells)) / len(f) @ around).reshape(*f.shape[1:], len(grid))


def total_variation(p: np.ndarray, q: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Half the area between densities (..., G): 0 if equal, 1 if they share nothing."""
    return np.abs(p - q).sum(axis=-1) * (grid[1] - grid[0]) / 2


def miss(f: np.ndarray, other: np.ndarray, sigma: float, grid: np.ndarray) -> float:
    """Total variation of what two sets of functions (K, M) and (L, M) predict, mean over inputs."""
    pair = [predictive(values[:, None], sigma, grid) for values in (f, other)]
    return float(total_variation(*pair, grid).mean())


class Process:
    """The Gaussian process that H erf units with normal weights become, and its posterior.

    Parameters
    ----------
    units : int
        Hidden units H; the covariance of two values is exact for every H.
    inner : float
        Scale of the first layer; that of the second is 2 / √(H + 1).
    x, y : array, shape (N,)
        Inputs and targets.
    sigma : float
        Standard deviation of the noise.
    """

    def __init__(
        self, units: int, inner: float, x: np.ndarray, y: np.ndarray, sigma: float
    ) -> None:
        self._units, self._inner = units, inner
        self._x, self._y, self._noise = x.astype(float), y, sigma**2 * np.eye(len(x))

    def kernel(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Covariance of f at inputs (M,) and (N,): (M, N). Williams 1996, an arcsine."""

        def product(x, z):
            return 2 * self._inner**2 * (1 + x * z)

        x, z = x[:, None], z[None]
        scale = np.sqrt((1 + product(x, x)) * (1 + product(z, z)))
        unit = 2 / np.pi * np.arcsin(product(x, z) / scale)
        return 4 / (self._units + 1) * (self._units * unit + 1)

    def posterior(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of f at inputs (M,), after the data."""
        across = self.kernel(x, self._x)
        solved = np.linalg.solve(self.kernel(self._x, self._x) + self._noise, across.T)
        variance = np.diag(self.kernel(x, x)) - np.sum(across * solved.T, axis=1)
        return solved.T @ self._y, np.sqrt(variance)


@dataclass
class Held:
    """What was found of one method: its best setting, and how far each setting is from exact."""

    setting: Any
    f: np.ndarray
    far: np.ndarray
    by_input: np.ndarray
    every: dict[Any, np.ndarray]


def hold_against(
    model: Model,
    options: Mapping[str, Mapping[Any, ArrayLike]],
    exact: ArrayLike,
    practice: slice,
    grid: np.ndarray,
) -> dict[str, Held]:
    """Measure how far methods are from the exact prediction, and choose the setting of each.

    Parameters
    ----------
    model : Model
        Of it, only the noise is used.
    options : mapping of str to mapping
        Of each method, functions (K, R, M) under each setting.
    exact : array, shape (K, R, M)
        Functions drawn from the posterior.
    practice : slice
        The problems on which the nearest setting is chosen.
    grid : array, shape (G,)
        Values of y, for `predictive`.

    Returns
    -------
    dict of str to Held
        Total variations of the predictive densities: (R, M), and (R,) averaged over inputs.
    """
    right, found = predictive(exact, model.sigma, grid), {}
    for name, settings in options.items():
        each = {setting: predictive(f, model.sigma, grid) for setting, f in settings.items()}
        miss = {setting: total_variation(p, right, grid) for setting, p in each.items()}
        far = {setting: one.mean(axis=-1) for setting, one in miss.items()}
        best = min(far, key=lambda setting: far[setting][practice].mean())
        found[name] = Held(best, np.asarray(settings[best]), far[best], miss[best], far)
    return found


def draw_priors(x: np.ndarray, inner: Sequence[float], rng: np.random.Generator) -> None:
    """Draw eight functions at x (M,) of 16 tanh units from the prior, a panel for each inner."""
    _, axes = plt.subplots(1, len(inner), figsize=(12, 3.2), sharey=True)
    for ax, scale in zip(axes, inner, strict=True):
        model = Model(x[None, :, None], x[None], 16, scale, 2 / 17**0.5, 0.2)
        values = model.f(rng.normal(size=(8, *model.shape)), model.x)[:, 0]
        ax.plot(x, values.numpy().T, linewidth=1.5)
        ax.set(xlabel="x", ylabel="f(x)", title=f"inner = {scale}")


def draw_points(ax: Axes, model: Model, problem: int) -> None:
    """Draw the points that one problem of `gap_problems` sees."""
    seen = model.counts[problem] > 0
    ax.plot(model.x[problem, seen, 0], model.y[problem, seen], "o", color="black", markersize=4)
    ax.set(xlabel="x", ylabel="y", ylim=(-3.5, 3.5))


def draw_band(ax: Axes, x: np.ndarray, exact: np.ndarray, f: np.ndarray) -> None:
    """Draw where 95 % of functions (K, M) lie at x (M,), as two lines over the exact band."""
    exact, found = (np.quantile(values, [0.025, 0.975], axis=0) for values in (exact, f))
    ax.fill_between(x, *exact, color="C0", alpha=0.25, linewidth=0, label="HMC")
    ax.plot(x, found.T, color="C3", label=["this method", None])


def draw_bands(
    x: np.ndarray, model: Model, problem: int, exact: np.ndarray, methods: Mapping[str, np.ndarray]
) -> None:
    """Draw six methods' bands over the exact one; functions are (K, R, M), x is (M,)."""
    _, axes = plt.subplots(2, 3, figsize=(12, 6), sharex=True, sharey=True)
    for ax, (name, f) in zip(axes.flat, methods.items(), strict=True):
        draw_band(ax, x, exact[:, problem], f[:, problem])
        draw_points(ax, model, problem)
        ax.set_title(name)
    axes[0, 0].legend(loc="lower left", fontsize=12)


def draw_hills(axes: Sequence[Axes], axis: np.ndarray, posterior: np.ndarray, normals: Mapping):
    """Draw the posterior of two weights, and ellipses of normals over one of its hills.

    Parameters
    ----------
    axes : sequence of two matplotlib.axes.Axes
    axis : array, shape (G,)
        Values of each weight.
    posterior : array, shape (G, G)
        Its density; the first index is the first weight's.
    normals : mapping of str to (mean, root)
        The ellipse two standard deviations from the mean (2,) is mean + 2 u root, with u (2,) on
        the unit circle.
    """
    for ax in axes:
        ax.contourf(axis, axis, posterior.T, 12, cmap="Blues")
        ax.set(xlabel="$w_1$", ylabel="$w_2$")
    turn = np.linspace(0, 2 * np.pi, 200)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    for (name, (mean, root)), color in zip(normals.items(), _COLORS, strict=True):
        axes[1].plot(*(mean + 2 * circle @ root).T, color=color, label=name)
    axes[0].set(xlim=(-3, 3), ylim=(-4, 4), title="the posterior")
    axes[1].set(xlim=(-0.5, 3), ylim=(-1, 4), title="one hill, and three normals")
    axes[1].legend()
