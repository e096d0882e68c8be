"""What lesson `neural_networks` holds its networks against: exact answers, cheap rivals."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import keras
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from scipy import special
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import make_circles, make_moons
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, StandardScaler
from sklearn.svm import SVC
from tqdm.auto import tqdm

from course_utils import data, training, validation

NOISE = 0.25  # of the moons: its standard deviation
Classifier = Callable[[np.ndarray], np.ndarray]  # points (m, 2) -> P(class 1), (m,)
TEXTS = {
    "slopes": "Slopes of the four functions: the sigmoid's is a quarter at most, tanh's reaches 1, "
    "and both are flat far from zero; the ReLUs keep the slope 1 above zero.",
    "moons": "Four maps of two half moons. One unit divides them by a straight line. Of ten "
    "networks with three units some follow the dashed curve after 1,000 steps and some do hardly "
    "better than the line; after 10,000 all follow it. Those with eight do so after 1,000.",
    "epochs": "Mean log loss by epoch: on the pictures that the network learns from it falls and "
    "falls, on the validation pictures it soon stops falling.",
    "curves": "Left: a wavy curve with points around it; networks with one and two hidden layers "
    "follow it. Right: excess by number of steps at two rates. At the lower rate one layer falls "
    "later; at both, two layers rise more in the end.",
}


class RandomUnits(TransformerMixin, BaseEstimator):
    """A hidden layer that nobody trains: ``bend(x W + b)`` with W and b drawn once.

    Parameters
    ----------
    units : int
        Number of hidden units.
    scale : float
        Size of the sums, as a multiple of that of the inputs.
    bend : callable
        Activation function.
    seed : int
        Of the draw.
    """

    def __init__(self, units: int = 100, scale: float = 1.0, bend=np.tanh, seed: int = 0) -> None:
        self.units, self.scale, self.bend, self.seed = units, scale, bend, seed

    def fit(self, x: ArrayLike, y: ArrayLike | None = None) -> "RandomUnits":
        """Draw the weights for inputs of this number and size; the labels are not used."""
        x, rng = np.asarray(x, float), np.random.default_rng(self.seed)
        size = self.scale * np.mean(x**2) ** 0.5
        self.W_ = rng.normal(size=(x.shape[1], self.units)) * self.scale / x.shape[1] ** 0.5
        self.b_ = size * rng.normal(size=self.units)
        return self

    def transform(self, x: ArrayLike) -> np.ndarray:
        """Return the activations, shape (m, units)."""
        return self.bend(np.asarray(x, float) @ self.W_ + self.b_)


def tumours() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return three standardised features of breast tumours, and two things to predict.

    Returns
    -------
    X : array, shape (3, m)
        Mean radius, texture and concave points, one tumour in each column.
    malignant : array, shape (m,)
        1 or 0.
    largest : array, shape (m,)
        Radius of the largest nuclei.
    """
    cells = data.load_breast_cancer()
    names = ["mean radius", "mean texture", "mean concave points", "worst radius"]
    values = cells.x[:, [cells.feature_names.index(name) for name in names]].astype(float)
    malignant = (cells.y == 0).astype(float)  # class 0 of this table
    return StandardScaler().fit_transform(values[:, :3]).T, malignant, values[:, 3]


def moons(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points of two half moons, shape (count, 2), and their classes, shape (count,)."""
    return make_moons(count, noise=NOISE, random_state=seed)


def moons_probability(points: ArrayLike) -> np.ndarray:
    """Return P(class 1) for points of `moons`, from the densities that made them.

    Each moon is a half circle, every place of which is equally likely, plus normal noise.

    Parameters
    ----------
    points : array, shape (m, 2)

    Returns
    -------
    array, shape (m,)
    """
    t = np.linspace(0, np.pi, 200)
    circles = np.array([[np.cos(t), np.sin(t)], [1 - np.cos(t), 0.5 - np.sin(t)]])
    squares = ((np.asarray(points)[:, None, :, None] - circles) ** 2).sum(axis=2)
    log_density = special.logsumexp(-squares / (2 * NOISE**2), axis=2)  # (m, class)
    return special.expit(log_density[:, 1] - log_density[:, 0])


def flat(parts: Iterable[np.ndarray]) -> np.ndarray:
    """Return all numbers of some arrays in one row."""
    return np.concatenate([np.ravel(part) for part in parts])


def central_differences(
    cost: Callable[[], float], parts: Iterable[np.ndarray], h: float = 1e-6
) -> list[np.ndarray]:
    """Return the slope of a cost in each number of some arrays, by nudging it up and down by h.

    Parameters
    ----------
    cost : callable
        Takes nothing and looks at the arrays as they are.
    parts : iterable of arrays
        Nudged in place, and put back.
    h : float
        Size of the nudge.

    Returns
    -------
    list of arrays, of the shapes of parts
    """
    slopes = []
    for part in parts:
        slope = np.empty_like(part)
        for place in np.ndindex(part.shape):
            middle = part[place]
            part[place] = middle + h
            above = cost()
            part[place] = middle - h
            slope[place] = (above - cost()) / (2 * h)
            part[place] = middle
        slopes.append(slope)
    return slopes


def over_both(values: ArrayLike, what: str) -> dict[str, float | str]:
    """Mean with an error over training sets and over what judges, as a claim takes it.

    Parameters
    ----------
    values : array, shape (F, n)
        For each of F training sets that share nothing, at each of n test examples.
    what : str
        What the examples are, such as "pictures".
    """
    sets, examples = np.shape(values)
    return validation.two_way(values) | {"over": f"{examples:,} {what} and {sets} training sets"}


def draw_borders(
    ax: Axes,
    classifiers: Sequence[Classifier],
    points: np.ndarray,
    side: np.ndarray,
) -> None:
    """Draw where each classifier is undecided, over points of `moons`; the best border is dashed.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    classifiers : sequence of callables
        Take points, shape (m, 2), and return the probability of class 1, shape (m,).
    points : array, shape (m, 2)
    side : array, shape (m,)
        Classes, 0 or 1.
    """
    for c, marker in enumerate("o^"):
        ax.scatter(*points[side == c].T, s=14, marker=marker, color=f"C{c}", alpha=0.45)
    across, up = np.linspace(-1.9, 2.9, 90), np.linspace(-1.6, 2.1, 90)
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    lines = {"colors": "black", "linewidths": 1.3}
    for probability in classifiers:
        ax.contour(across, up, probability(grid).reshape(90, 90), [0.5], **lines)
    dashes = {"colors": "C3", "linewidths": 3.0, "linestyles": "--"}
    best = moons_probability(grid).reshape(90, 90)
    ax.contour(across, up, best, [0.5], zorder=5, **dashes)
    ax.set(xlabel="$x_1$", ylabel="$x_2$")


def moons_rivals(x: np.ndarray, y: np.ndarray, seed: int) -> dict[str, Classifier]:
    """Fit the cheap rivals to points of `moons`, their settings chosen by 5-fold cross-validation.

    Parameters
    ----------
    x : array, shape (m, 2)
    y : array, shape (m,)
        Classes, 0 or 1.
    seed : int
        Of the hidden layers that nobody trains.
    """
    unit = LogisticRegression(max_iter=1_000)
    penalties = {"logisticregression__C": [1, 100, 10_000]}
    degrees = {"polynomialfeatures__degree": [2, 3, 4]}
    methods = {
        "nearest neighbours": (KNeighborsClassifier(), {"n_neighbors": [5, 10, 20, 40]}),
        "polynomial": (make_pipeline(PolynomialFeatures(), unit), degrees | penalties),
    }
    for units in (8, 16, 100):
        layer, scales = RandomUnits(units, seed=seed), {"randomunits__scale": [1, 2]}
        methods[f"{units} untrained units"] = make_pipeline(layer, unit), scales | penalties
    fitted = {
        name: GridSearchCV(method, grid, scoring="neg_log_loss").fit(x, y)
        for name, (method, grid) in methods.items()
    }
    return {
        name: lambda points, model=model: model.predict_proba(points)[:, 1]
        for name, model in fitted.items()
    }


def digit_rivals(seed: int) -> dict[str, list[BaseEstimator]]:
    """Return the rivals that read digits, each with all its settings; seed: of the untrained."""

    def untrained(units, penalties):
        layer = RandomUnits(units, bend=lambda z: np.maximum(0, z), seed=seed)
        return [make_pipeline(layer, LogisticRegression(C=C, max_iter=200)) for C in penalties]

    return {
        "nearest neighbours": [KNeighborsClassifier(k) for k in (1, 3, 5)],
        "SVM": [SVC(C=C) for C in (1, 3, 10)],
        "128 untrained units": untrained(128, (0.3, 1, 3, 10)),
        "1000 untrained units": untrained(1_000, (0.3, 1, 3)),
    }


def waves(count: int) -> FunctionTransformer:
    """Return what makes features of x: sine and cosine of pi x to count times that."""

    def features(x):
        angles = np.pi * np.arange(1, count + 1) * x
        return np.hstack([np.sin(angles), np.cos(angles)])

    return FunctionTransformer(features)


def _untrained(units: int, scales: tuple, alphas: tuple, seed: int) -> list[BaseEstimator]:
    layers = [RandomUnits(units, scale, seed=seed) for scale in scales]
    return [make_pipeline(layer, Ridge(alpha)) for layer in layers for alpha in alphas]


def curve_rivals(seed: int) -> dict[str, list[BaseEstimator]]:
    """Return the rivals that follow a curve, each with all its settings."""
    return {
        "line": [LinearRegression()],
        "polynomial": [make_pipeline(PolynomialFeatures(d), Ridge(1e-6)) for d in range(1, 11)],
        "waves": [make_pipeline(waves(count), LinearRegression()) for count in range(1, 7)],
        "nearest neighbours": [KNeighborsRegressor(k) for k in (3, 5, 8, 12)],
        "100 untrained units": _untrained(100, (2, 4, 8), (1e-4, 1e-2, 1), seed),
    }


def wine_rivals(seed: int) -> dict[str, list[BaseEstimator]]:
    """Return the rivals that score wines, each with all its settings."""
    return {
        "mean": [DummyRegressor()],
        "line": [Ridge(alpha) for alpha in (0.1, 10, 100)],
        "nearest neighbours": [KNeighborsRegressor(k) for k in (5, 10, 20, 40, 80)],
        "300 untrained units": _untrained(300, (0.25, 0.5, 1), (1, 10, 100), seed),
    }


def by_validation(
    methods: Callable[[int], dict[str, list[BaseEstimator]]],
    x: np.ndarray,
    y: np.ndarray,
    learn: int,
    at: np.ndarray,
) -> dict[str, np.ndarray]:
    """Predict with each method, in the setting with the lowest squared error in validation.

    Parameters
    ----------
    methods : callable
        Takes a seed, here the number of a data set, and returns for each name the settings.
    x, y : array, shape (F, m, d) and (F, m, 1)
        Data sets; one setting is chosen for all of them.
    learn : int
        How many rows of each are learned from; the others are for validation.
    at : array, shape (F, n, d)
        Where to predict.

    Returns
    -------
    dict of arrays, shape (F, n)
    """
    wrong, guesses = defaultdict(list), defaultdict(list)
    for k, (x_k, y_k) in enumerate(zip(x, y[..., 0], strict=True)):
        for name, settings in methods(k).items():
            fitted = [model.fit(x_k[:learn], y_k[:learn]) for model in settings]
            errors = [np.mean((m.predict(x_k[learn:]) - y_k[learn:]) ** 2) for m in fitted]
            wrong[name].append(errors)
            guesses[name].append([model.predict(at[k]) for model in fitted])
    best = {name: np.mean(errors, axis=0).argmin() for name, errors in wrong.items()}
    return {name: np.array(guess)[:, best[name]] for name, guess in guesses.items()}


def by_steps(
    build: Callable[[], keras.Model],
    x: np.ndarray,
    y: np.ndarray,
    learn: int,
    at: np.ndarray,
    numbers: Sequence[int],
) -> tuple[np.ndarray, np.ndarray]:
    """Train a network on each data set for several numbers of steps, from the same start.

    Parameters
    ----------
    build : callable
        Returns a compiled model with a loss for each point.
    x, y, learn, at
        As for `by_validation`.
    numbers : sequence of S int
        Of steps, each on all points that are learned from.

    Returns
    -------
    outputs : array, shape (S, F, n)
        Predictions.
    wrong : array, shape (S,)
        Mean squared error in validation, over all data sets.
    """
    outputs, wrong, models = [], [], [build() for _ in x]  # which training does not change
    for steps in numbers:
        nets = training.fit_many(models, x[:, :learn], y[:, :learn], steps)
        outputs.append(nets(at)[..., 0])
        wrong.append(np.mean((nets(x[:, learn:]) - y[:, learn:]) ** 2))
    return np.array(outputs), np.array(wrong)


class Exam:
    """Examples to learn from, to choose settings by, and to be tested on, for fitted classifiers.

    Parameters
    ----------
    x, y : arrays, shape (N, ...) and (N,)
        All examples and their classes.
    sets : sequence of arrays of int
        Rows of each training set.
    test : array of int
        Rows that judge.
    learn : int
        How many rows of a training set are learned from; the others are for validation.
    """

    def __init__(self, x, y, sets: Sequence[np.ndarray], test: np.ndarray, learn: int) -> None:
        self.x, self.y, self.sets, self.test, self.count = x, y, sets, test, learn

    def learn(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return what is learned from in training set k: inputs and classes."""
        rows = self.sets[k][: self.count]
        return self.x[rows], self.y[rows]

    def best(self, fitted: Sequence[Sequence], by: str) -> list:
        """Return for each training set the classifier that does best on its validation examples.

        Parameters
        ----------
        fitted : for each training set a sequence of classifiers, one for each setting
        by : {"accuracy", "log loss"}
        """
        chosen = []
        for models, rows in zip(fitted, self.sets, strict=True):
            x, y = self.x[rows[self.count :]], self.y[rows[self.count :]]
            if by == "accuracy":
                scores = [model.score(x, y) for model in models]
            else:
                scores = [np.log(m.predict_proba(x)[np.arange(len(y)), y]).mean() for m in models]
            chosen.append(models[int(np.argmax(scores))])
        return chosen

    def tuned(self, methods: Callable[[int], dict[str, list]]) -> dict[str, list]:
        """Return for each method the best classifier of each training set, as `best` chooses it.

        Parameters
        ----------
        methods : callable
            Takes a seed, here the number of the training set, and returns for each name the
            classifiers, one for each setting. Those of untrained units are chosen by the log loss,
            the others, whose probabilities are rough or missing, by the accuracy.
        """
        fitted = defaultdict(list)
        for k in tqdm(range(len(self.sets)), "training sets", leave=False):
            for name, models in methods(k).items():
                fitted[name].append([model.fit(*self.learn(k)) for model in models])
        return {
            name: self.best(models, "log loss" if "untrained" in name else "accuracy")
            for name, models in fitted.items()
        }

    def reads(self, models: Sequence) -> np.ndarray:
        """Return whether each classifier names each test example rightly."""
        return np.array([m.predict(self.x[self.test]) == self.y[self.test] for m in models])


def playgrounds(points: np.ndarray, side: np.ndarray, seed: int) -> dict[str, tuple]:
    """Return four data sets for the playground: the moons, rings, corners and a spiral."""
    rng = np.random.default_rng(seed)
    turn, arm = rng.uniform(0, 3 * np.pi, size=200), np.arange(200) % 2
    angle = turn + arm * np.pi
    spiral = np.stack([np.cos(angle), np.sin(angle)], axis=1) * turn[:, None] / 9.5
    blobs = rng.normal(size=(200, 2))
    return {
        "moons": (points[:200], side[:200]),
        "rings": make_circles(200, noise=0.1, factor=0.4, random_state=seed),
        "corners": (blobs, (blobs.prod(axis=1) > 0).astype(int)),
        "spiral": (spiral + rng.normal(scale=0.02, size=(200, 2)), arm),
    }
