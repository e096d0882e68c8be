"""Networks of He et al. against formulas, and their training against steps by hand."""

import functools
import json
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from course_utils import data
from course_utils.lessons import resnet

rng = np.random.default_rng(0)
X = rng.integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
Y = rng.integers(0, 3, 40)
TRAINING, TEST = (X[:30], Y[:30]), (X[30:], Y[30:])
SMALL = {"depth": 8, "batch": 8, "steps": 4}
IN_A_PROCESS_OF_ITS_OWN = """
import os, signal, sys
import course_utils
import keras, numpy as np, tensorflow as tf
from test_lesson_resnet import resnet, tiny_network, train
resnet._EVERY, resnet._DECAY = 2, 0.1
"""
TWO_DEVICES = """
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
fit = keras.Model.fit
keras.Model.fit = lambda *a, epochs, **options: fit(*a, epochs=1, **options)  # the first alone
train(sys.argv[1] + "/run", devices=2)
keras.Model.fit = fit
run = train(sys.argv[1] + "/run", devices=2)
scores = [run.test_error, *100 * run.history["val_accuracy"]]
np.savez(sys.argv[1] + "/two.npz", *run.model.get_weights(), scores=scores)
"""
KILLED = """
resnet.network, save = tiny_network, keras.Model.save_weights

def die(model, filepath, overwrite):
    save(model, filepath, overwrite)
    if model.optimizer.iterations == 4:
        os.truncate(filepath, os.path.getsize(filepath) // 2)
        os.kill(os.getpid(), signal.SIGKILL)

keras.Model.save_weights = die
train(sys.argv[1], steps=6)
"""


def in_a_process_of_its_own(code: str, folder: Path) -> subprocess.CompletedProcess:
    command, here = [sys.executable, "-c", IN_A_PROCESS_OF_ITS_OWN + code, folder], Path(__file__)
    return subprocess.run(command, cwd=here.parent, capture_output=True, text=True)


def train(folder, **changed) -> resnet.Run:
    return resnet.train(TRAINING, TEST, folder, **SMALL | changed)


def assert_same(weights, others, **tolerance):
    for w, v in zip(weights, others, strict=True):
        np.testing.assert_allclose(w, v, **{"rtol": 0} | tolerance)


@pytest.fixture(scope="module", autouse=True)
def small_numbers():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resnet, "_EVERY", 2)
        patch.setattr(resnet, "_DECAY", 0.1)
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Path, resnet.Run]:
    """An uninterrupted run and its folder."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    return folder, train(folder)


def tiny_network(depth, residual, shape, classes):
    """A network with all kinds of weights that is traced in no time."""
    layers = [
        keras.Input(shape),
        keras.layers.Conv2D(4, 3),
        keras.layers.BatchNormalization(momentum=0.9),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(classes),
    ]
    return keras.Sequential(layers, name=f"ResNet-{depth}")


@pytest.fixture
def tiny(monkeypatch) -> None:
    monkeypatch.setattr(resnet, "network", tiny_network)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> resnet.Run:
    """An uninterrupted run of six steps with the tiny network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resnet, "network", tiny_network)
        return train(tmp_path_factory.mktemp("whole"), steps=6)


# The network


def trainable(model: keras.Model) -> int:
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


@pytest.mark.parametrize(("depth", "published"), [(20, 0.27), (32, 0.46), (56, 0.85)])
def test_the_parameters_are_as_many_as_the_paper_says(depth, published):
    n = (depth - 2) // 6
    convolutions = 9 * (3 * 16 + 2 * n * 16**2)
    convolutions += 9 * sum(c // 2 * c + (2 * n - 1) * c**2 for c in (32, 64))
    normalisations = 2 * (16 + 2 * n * (16 + 32 + 64))
    expected = convolutions + normalisations + 65 * 10
    model = resnet.network(depth)
    assert trainable(model) == expected
    assert abs(expected / 1e6 - published) < 0.005 + 1e-4  # the paper cuts .8558 off to .85
    assert sum(isinstance(x, keras.layers.Conv2D) for x in model.layers) + 1 == depth
    assert model.output_shape == (None, 10)


def test_without_shortcuts_the_parameters_are_the_same():
    ours, plain = resnet.network(14), resnet.network(14, residual=False)
    assert [v.shape for v in ours.weights] == [v.shape for v in plain.weights]
    assert (ours.name, plain.name) == ("ResNet-14", "plain-14")
    for v, w in zip(ours.weights, plain.weights, strict=True):
        w.assign(v)
    x = rng.normal(size=(2, 32, 32, 3)).astype("float32")
    assert np.abs(ours(x) - plain(x)).max() > 0.01


def test_with_silent_branches_the_shortcuts_alone_are_left():
    model = resnet.network(14, shape=(8, 12, 1), classes=64)
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    for norm in norms[2::2]:  # the last of each block
        norm.gamma.assign(tf.zeros_like(norm.gamma))
    model.layers[-1].kernel.assign(tf.eye(64))
    x = rng.normal(size=(3, 8, 12, 1)).astype("float32")
    stem = keras.Model(model.input, model.layers[3].output)(x).numpy()
    assert stem.shape == (3, 8, 12, 16)
    expected = np.zeros((3, 64))
    expected[:, :16] = stem[:, 3::4, 3::4].mean((1, 2))  # every fourth pixel, then zeros
    np.testing.assert_allclose(model(x), expected, atol=1e-6)


def test_the_kernels_start_as_he_says_and_are_penalised():
    keras.utils.set_random_seed(0)
    model = resnet.network(20)
    kernels = [v.numpy() for v in model.trainable_variables if v.name == "kernel"]
    for kernel in kernels[:-1]:
        assert kernel.std() == pytest.approx(np.sqrt(2 / np.prod(kernel.shape[:3])), rel=0.15)
    penalty = 0.1 / 2 * sum((kernel**2).sum() for kernel in kernels)
    assert float(sum(model.losses)) == pytest.approx(penalty, rel=1e-5)


def test_the_averages_for_use_after_training_move_by_a_tenth_a_step():
    model = resnet.network(8, shape=(8, 8, 1))
    x = rng.normal(size=(5, 8, 8, 1)).astype("float32")
    convolved = keras.Model(model.input, model.layers[1].output)(x).numpy()
    model(x, training=True)
    norm = model.layers[2]
    np.testing.assert_allclose(norm.moving_mean, 0.1 * convolved.mean((0, 1, 2)), atol=1e-5)
    expected = 0.9 + 0.1 * convolved.var((0, 1, 2))
    np.testing.assert_allclose(norm.moving_variance, expected, rtol=1e-4)
    assert norm.epsilon == 1e-5


@pytest.mark.parametrize("depth", [8, 14, 20, 110])
def test_blocks_count(depth):
    assert 6 * resnet.blocks(depth) + 2 == depth


@pytest.mark.parametrize("depth", [21, 25, 7, 2, -4])
def test_other_depths_are_answered_with_those_there_are(depth):
    with pytest.raises(ValueError, match=rf"depth={depth}, .* 6 n \+ 2 layers: 8, 14, 20"):
        resnet.network(depth)


@pytest.mark.parametrize("shape", [(4, 8, 1), (8, 4, 1), (30, 32, 3), (32, 30, 3)])
def test_images_that_cannot_be_halved_twice_are_refused(shape):
    with pytest.raises(ValueError, match=f"{shape[0]} x {shape[1]} pixels must be at least 8"):
        resnet.network(8, shape=shape)


# The batches

IMAGES = np.arange(10 * 8 * 12, dtype=np.uint8).reshape(10, 8, 12, 1)  # each pixel differs nearby
MEAN = np.full((8, 12, 1), 3.5)


def drawn(seed: int, start: int, stop: int) -> list[tuple[np.ndarray, np.ndarray]]:
    made = resnet._batches(IMAGES, np.arange(10), MEAN, 4, seed, start, stop)
    return [(x.numpy(), y.numpy()) for x, y in made]


def test_batches_depend_on_seed_and_step_alone():
    whole = drawn(1, 0, 8)
    assert len(whole) == 8
    for (x, y), (x_again, y_again) in zip(whole[3:6], drawn(1, 3, 6), strict=True):
        assert x.shape == (4, 8, 12, 1) and x.dtype == np.float32
        np.testing.assert_array_equal(x, x_again)
        np.testing.assert_array_equal(y, y_again)
    assert any((y != other).any() for (_, y), (_, other) in zip(whole, drawn(2, 0, 8), strict=True))


def test_every_pass_holds_every_image_once_in_an_order_of_its_own():
    passes = np.concatenate([y for _, y in drawn(1, 0, 20)]).reshape(8, 10)
    assert np.array_equal(np.sort(passes), np.tile(np.arange(10), (8, 1)))
    assert len({tuple(order) for order in passes}) == 8


def test_images_are_shifted_by_up_to_four_pixels_and_every_second_one_is_mirrored():
    padded = np.pad((IMAGES - MEAN) / 255, [(0, 0), (4, 4), (4, 4), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded[..., 0], (8, 12), axis=(1, 2))
    candidates = np.stack([windows, windows[..., ::-1]], axis=3)  # image, top, left, mirrored
    found = []
    for x, y in drawn(1, 0, 200):
        for image, row in zip(x[..., 0], y, strict=True):
            fits = np.argwhere(abs(candidates[row] - image).max(axis=(-2, -1)) < 1e-5)
            assert len(fits) == 1  # the image of that class, and no other place
            found.append(fits[0])
    tops, lefts, mirrored = np.transpose(found)
    for places in (tops, lefts):
        assert np.bincount(places).min() > 800 / 9 * 0.6 and set(places) == set(range(9))
    assert abs(mirrored.mean() - 0.5) < 0.1
    assert abs(np.corrcoef([tops, lefts, mirrored]) - np.eye(3)).max() < 0.15


# Training


@functools.cache
def by_hand(devices: int) -> list[np.ndarray]:
    """Do four steps with one device's part of each batch after the other."""
    used = np.random.default_rng(0).permutation(30)[3:]
    x, y = X[used], Y[used]
    keras.utils.set_random_seed(0)
    model = resnet.network(8, shape=(8, 8, 3), classes=3)
    kernels = [v.name == "kernel" for v in model.trainable_variables]
    speed = [0.0] * len(kernels)
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    made = resnet._batches(x, y, x.mean(axis=0), 8, 0, 0, 4)
    for rate, (images, labels) in zip((0.1, 0.1, 0.01, 0.001), made, strict=True):
        gradients, averages = [], []
        for part in np.split(np.arange(8), devices):
            with tf.GradientTape() as tape:
                answers = model(tf.gather(images, part), training=True)
                loss = cross_entropy(tf.gather(labels, part), answers)
            gradients.append(tape.gradient(loss, [v.value for v in model.trainable_variables]))
            averages.append([v.numpy() for v in model.non_trainable_variables])
        for v, first in zip(model.non_trainable_variables, averages[0], strict=True):
            v.assign(first)
        for i, (v, *parts) in enumerate(zip(model.trainable_variables, *gradients, strict=True)):
            gradient = np.mean(parts, axis=0) + 0.1 * kernels[i] * v.numpy()
            speed[i] = 0.9 * speed[i] - rate * gradient
            v.assign_add(speed[i])
    return model.get_weights()


def test_four_steps_on_one_device_are_those_by_hand(finished):
    assert_same(finished[1].model.get_weights(), by_hand(1), atol=1e-5)


def test_four_steps_on_two_devices_with_a_stop_are_those_by_hand(tmp_path):
    # One logical device becomes two only before TensorFlow starts: so in a process of its own.
    done = in_a_process_of_its_own(TWO_DEVICES, tmp_path)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "two.npz") as file:
        *weights, scores = (file[name] for name in sorted(file, key=lambda n: (len(n), n)))
    assert_same(weights, by_hand(2), atol=1e-5)
    # Each device normalises its own part of the batch, so one device learns something else.
    assert max(abs(w - v).max() for w, v in zip(weights, by_hand(1), strict=True)) > 0.01
    assert ((scores >= 0) & (scores <= 100)).all()


# Going on


class Stopped(Exception):
    pass


def stop_at(patch, step: int, is_whole: bool) -> None:
    """Have a run end, as if killed, when the weights of a step are written or half written."""
    save = keras.Model.save_weights

    def until(model, filepath, overwrite):
        save(model, filepath, overwrite)
        if model.optimizer.iterations == step:
            if not is_whole:
                Path(filepath).write_bytes(Path(filepath).read_bytes()[:999])
            raise Stopped

    patch.setattr(keras.Model, "save_weights", until)


def assert_goes_on(folder: Path, whole: resnet.Run, start: int) -> None:
    """Train on in the folder: from that step, and to the end of the whole run."""
    starts, batches = [], resnet._batches
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resnet, "_batches", lambda *a: starts.append(a[-2]) or batches(*a))
        resumed = train(folder, steps=6)
    assert starts == [start]  # from the start again, the numbers would be the same
    assert_same(resumed.model.get_weights(), whole.model.get_weights(), atol=0)
    pd.testing.assert_frame_equal(resumed.history, whole.history, check_exact=True)
    assert resumed.test_error == whole.test_error


@pytest.mark.parametrize(
    ("step", "is_whole", "noted", "start"),
    [
        (0, False, None, 0),  # the first backup is cut short
        (4, False, None, 2),  # a later one is: its row stands in the history
        (4, True, None, 4),  # the weights are written, the epoch is not
        (4, True, "", 4),  # the epoch's file was just opened
    ],
)
def test_a_resumed_run_equals_the_uninterrupted_one(
    tiny, whole, tmp_path, step, is_whole, noted, start
):
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, step, is_whole)
        with pytest.raises(Stopped):
            train(tmp_path, steps=6)
    if noted is not None:
        (tmp_path / "backup" / "training_metadata.json").write_text(noted)
    assert_goes_on(tmp_path, whole, start)


def test_a_killed_process_goes_on(tiny, whole, tmp_path):
    done = in_a_process_of_its_own(KILLED, tmp_path)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert_goes_on(tmp_path, whole, start=2)


def test_backups_of_which_none_can_be_read_are_kept(tiny, tmp_path):
    train(tmp_path)
    files = [tmp_path / "backup" / f"latest.weights.h5{end}" for end in ("", ".bkp")]
    for file in files:
        file.write_bytes(b"half")
    with pytest.raises(OSError, match="open file"):
        train(tmp_path)
    assert all(file.read_bytes() == b"half" for file in files)


def test_a_finished_run_comes_back_at_once(finished, monkeypatch):
    monkeypatch.setattr(keras.Model, "fit", None)
    folder, whole = finished
    again = train(folder)
    assert_same(again.model.get_weights(), whole.model.get_weights(), atol=0)
    assert str(again) == str(whole)


def test_the_numbers_of_a_run_are_right(finished):
    folder, run = finished
    assert run.history["epoch"].tolist() == [0, 1]
    order = np.random.default_rng(0).permutation(30)
    apart, used = order[:3], order[3:]
    np.testing.assert_allclose(run.mean, X[used].mean(axis=0), rtol=1e-6)

    def error(x, y):
        return 100 * np.mean(run.model((x - run.mean) / 255).numpy().argmax(axis=1) != y)

    assert 100 * (1 - run.history["val_accuracy"][1]) == pytest.approx(error(X[apart], Y[apart]))
    assert run.test_error == pytest.approx(error(*TEST))
    assert (run.history["accuracy"] * 16 % 1 == 0).all() and (run.history["loss"] > 0.5).all()
    assert str(run) == f"ResNet-8: error on the test images {run.test_error:.2f} %"
    assert len((folder / "history.csv").read_text().splitlines()) == 3
    assert not run.model.compiled
    assert keras.config.dtype_policy().name == "float32"


def test_a_short_run_is_one_epoch(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(resnet, "_EVERY", 500)
    assert len(train(tmp_path, steps=3).history) == 1


def test_it_learns(tmp_path, monkeypatch):
    monkeypatch.setattr(resnet, "_EVERY", 20)
    monkeypatch.setattr(resnet, "_DECAY", 1e-4)
    x = np.repeat([[0], [80], [160]], 20, axis=0) + rng.integers(0, 60, (60, 1))
    x = np.broadcast_to(x[..., None, None], (60, 8, 8, 1)).astype(np.uint8)
    y = np.repeat([0, 1, 2], 20)
    run = resnet.train((x, y), (x, y), tmp_path, **SMALL | {"steps": 40, "batch": 20})
    assert run.history["loss"][1] < run.history["loss"][0]
    assert run.test_error < 34


# What is refused


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"depth": 14}, r"\{'depth': 8\}"),
        ({"residual": False}, r"\{'residual': True\}"),
        ({"rate": 0.2, "seed": 1}, r"\{'rate': 0.1, 'seed': 0\}"),
        ({"training": (X[1:31], Y[1:31])}, r"\{'images': '.*'\}"),
        ({"training": (X[:30], Y[1:31])}, r"\{'images': '.*'\}"),
    ],
)
def test_the_folder_of_another_run_is_refused(finished, changed, words):
    folder, _ = finished
    before = contents(folder)
    with pytest.raises(ValueError, match=f"holds another run, with {words}. Ask for the same"):
        resnet.train(**{"training": TRAINING, "test": TEST, "folder": folder} | SMALL | changed)
    assert before == contents(folder)


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"training": (X[:30] / 255, Y[:30])}, r"are float64 .*expected are N > 1 images, uint8"),
        ({"training": (X[:30, ..., 0], Y[:30])}, r"images are uint8 of shape \(30, 8, 8\)"),
        ({"test": (X[:0], Y[:0])}, r"uint8 of shape \(0, 8, 8, 3\)"),
        ({"training": (X[:1], Y[:1])}, "expected are N > 1 images"),
        ({"training": (X[:30], Y[:29])}, r"classes int64 of shape \(29,\)"),
        ({"training": (X[:30], Y[:30, None])}, r"classes int64 of shape \(30, 1\)"),
        ({"test": (X[:30], Y[:30] / 1)}, "classes float64"),
        ({"test": (X[:30], Y[:30] - 1)}, "whole numbers from 0 on"),
        ({"batch": 0}, "batch=0 must be a multiple of devices=1, both at least 1"),
        ({"batch": 9, "devices": 2}, "batch=9 must be a multiple of devices=2"),
        ({"devices": 0}, "devices=0"),
        ({"devices": 2}, "devices=2, but TensorFlow sees 1 CPU here"),
        ({"steps": 5}, "steps=5 must lie between 1 and 2 or be a multiple of it"),
        ({"steps": 0}, "steps=0"),
        ({"depth": 9}, "depth=9, but"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(tmp_path, changed, words):
    folder = tmp_path / "run"
    with pytest.raises(ValueError, match=words):
        resnet.train(**{"training": TRAINING, "test": TEST, "folder": folder} | SMALL | changed)
    assert not folder.exists()


RAN_AWAY = "^ResNet-8: the loss is no longer finite at step {}; start again in another folder"


def test_a_training_that_runs_away_is_stopped_and_not_saved(tmp_path, monkeypatch):
    monkeypatch.setattr(resnet, "_EVERY", 10)  # ten steps per execution
    with pytest.raises(ValueError, match=RAN_AWAY.format("2 of 10")):
        train(tmp_path, rate=1e30, steps=10)
    assert (tmp_path / "history.csv").read_text() == ""
    assert noted_epoch(tmp_path) == 0


def noted_epoch(folder: Path) -> int:
    return json.loads((folder / "backup" / "training_metadata.json").read_text())["epoch"]


def spoil(monkeypatch, step: int) -> None:
    """Let the images of one step be NaN."""
    batches = resnet._batches

    def spoiled(*arguments):
        made = batches(*arguments).enumerate(arguments[-2] + 1)
        return made.map(lambda t, pair: (tf.where(t == step, np.nan, pair[0]), pair[1]))

    monkeypatch.setattr(resnet, "_batches", spoiled)


def test_several_devices_name_the_step_without_a_watch(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(resnet, "_watch", lambda model: None)
    monkeypatch.setattr(resnet, "_EVERY", 1)  # one step per execution, as they take it
    spoil(monkeypatch, 3)
    with pytest.raises(ValueError, match=RAN_AWAY.format("3 of 4")):
        train(tmp_path)


def test_a_resumed_training_that_runs_away_names_the_step_of_the_whole(tiny, tmp_path, monkeypatch):
    train(tmp_path)
    settings = json.loads((tmp_path / "settings.json").read_text())
    (tmp_path / "settings.json").write_text(json.dumps(settings | {"steps": 8}))
    spoil(monkeypatch, 7)
    with pytest.raises(ValueError, match=RAN_AWAY.format("7 of 8")):
        train(tmp_path, steps=8)
    assert noted_epoch(tmp_path) == 3  # the last backup stays


# The command


@pytest.fixture
def small_cifar(monkeypatch):
    monkeypatch.setattr(data, "CIFAR10_TRAIN", 30)
    monkeypatch.setattr(data, "load_cifar10", lambda: data.DataSet(X, Y, (), (), ()))


def test_the_command_trains_and_prints_a_summary(small_cifar, monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("COURSE_SEED", raising=False)
    asked = {}

    @functools.wraps(resnet.train)  # the command takes its defaults from the signature
    def remember(training, test, **settings):
        asked.update(settings, rows=(len(training[0]), len(test[1])))
        return "the summary"

    monkeypatch.setattr(resnet, "train", remember)
    numbers = "--depth 8 --batch 8 --steps 4 --rate .2 --seed 3"
    resnet.main(["--folder", str(tmp_path), "--plain", *numbers.split()])
    assert asked == {
        **{"folder": str(tmp_path), "depth": 8, "residual": False, "batch": 8, "rate": 0.2},
        **{"steps": 4, "seed": 3, "devices": 1, "rows": (30, 10)},
    }
    assert capsys.readouterr().out.endswith("seed 3\nthe summary\n")


def test_the_command_answers_bad_input_with_one_line(small_cifar, tmp_path, capsys):
    with pytest.raises(SystemExit) as error:
        resnet.main(["--folder", str(tmp_path / "run"), "--batch", "0"])
    assert error.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("python -m course_utils.lessons.resnet: batch=0 must be a multiple")


def test_the_command_explains_itself(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["resnet", "--help"])
    monkeypatch.delitem(sys.modules, "course_utils.lessons.resnet")  # as `python -m` finds it
    with pytest.raises(SystemExit) as error:
        runpy.run_module("course_utils.lessons.resnet", run_name="__main__")
    said = " ".join(capsys.readouterr().out.split())
    assert error.value.code == 0
    assert "The same command again goes on with a stopped run" in said
