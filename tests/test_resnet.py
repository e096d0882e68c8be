"""Networks of He et al. against formulas, and their training against steps by hand."""

import functools
import json
import runpy
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from course_utils import data, resnet

rng = np.random.default_rng(0)
X = rng.integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
Y = rng.integers(0, 3, 40)
TRAINING, TEST = (X[:30], Y[:30]), (X[30:], Y[30:])
SMALL = {"depth": 8, "batch": 8, "steps": 4, "held_out": 9, "every": 2, "decay": 0.1}
TWO_DEVICES = """
import sys
import course_utils
import numpy as np, tensorflow as tf
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from test_resnet import SMALL, TEST, TRAINING, resnet
run = resnet.train(TRAINING, TEST, sys.argv[1] + "/run", devices=2, **SMALL)
error = run.history["held_out_error"][-1]
np.savez(sys.argv[1] + "/two.npz", *run.model.get_weights(), scores=[run.test_error, error])
"""


def train(folder, **changed) -> resnet.Run:
    return resnet.train(TRAINING, TEST, folder, **SMALL | changed)


def assert_same(weights, others, **tolerance):
    for w, v in zip(weights, others, strict=True):
        np.testing.assert_allclose(w, v, **{"rtol": 0} | tolerance)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Path, resnet.Run]:
    """An uninterrupted run and its folder."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    return folder, train(folder)


@pytest.fixture
def tiny(monkeypatch) -> None:
    """Have a network with all kinds of weights trained that is traced in no time."""

    def network(depth, residual, shape, classes, decay):
        layers = [
            keras.Input(shape),
            keras.layers.Conv2D(4, 3),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(classes),
        ]
        return keras.Sequential(layers, name=f"ResNet-{depth}")

    monkeypatch.setattr(resnet, "network", network)


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
    model = resnet.network(20, decay=0.01)
    kernels = [v.numpy() for v in model.trainable_variables if v.name == "kernel"]
    for kernel in kernels[:-1]:
        assert kernel.std() == pytest.approx(np.sqrt(2 / np.prod(kernel.shape[:3])), rel=0.15)
    penalty = 0.01 / 2 * sum((kernel**2).sum() for kernel in kernels)
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


@pytest.mark.parametrize(
    ("depth", "nearest"),
    [(21, "20 and 26"), (25, "20 and 26"), (7, "8 and 14"), (2, "8 and 14"), (-4, "8 and 14")],
)
def test_other_depths_are_answered_with_the_nearest(depth, nearest):
    with pytest.raises(ValueError, match=f"depth={depth}, .* the nearest depths are {nearest}"):
        resnet.network(depth)


@pytest.mark.parametrize("shape", [(4, 8, 1), (8, 4, 1), (30, 32, 3), (32, 30, 3)])
def test_images_that_cannot_be_halved_twice_are_refused(shape):
    with pytest.raises(ValueError, match=f"{shape[0]} x {shape[1]} pixels.*at least 8"):
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
    used = np.random.default_rng(0).permutation(30)[SMALL["held_out"] :]
    x, y = X[used], Y[used]
    keras.utils.set_random_seed(0)
    model = resnet.network(8, shape=(8, 8, 3), classes=3, decay=0)
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


def test_four_steps_on_two_devices_are_those_by_hand(tmp_path):
    # One logical device becomes two only before TensorFlow starts: so in a process of its own.
    command, here = [sys.executable, "-c", TWO_DEVICES, tmp_path], Path(__file__).parent
    done = subprocess.run(command, cwd=here, capture_output=True, text=True)
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


def stop_at(monkeypatch, name: str, step: int) -> None:
    """Have a run end as if killed when it is about to do something at a step."""
    happened = getattr(tf.train.CheckpointManager, name)

    def until(manager, *arguments, **options):
        if manager.checkpoint.optimizer.iterations.numpy() == step:
            raise Stopped
        return happened(manager, *arguments, **options)

    monkeypatch.setattr(tf.train.CheckpointManager, name, until)


# Before a checkpoint, and when it is written whole but is not yet named as the last.
@pytest.mark.parametrize("moment", ["save", "_record_state"])
def test_a_resumed_run_equals_the_uninterrupted_one(tiny, tmp_path, monkeypatch, moment):
    whole = train(tmp_path / "whole")
    tmp_path /= "stopped"
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, moment, step=4)
        with pytest.raises(Stopped):
            train(tmp_path)
    assert len(json.loads((tmp_path / "history.json").read_text())) == 2  # ahead of the checkpoint
    (tmp_path / "step-4.data-00000-of-00001").write_bytes(b"half")  # whatever a kill may leave
    starts, batches = [], resnet._batches
    monkeypatch.setattr(resnet, "_batches", lambda *a: starts.append(a[-2]) or batches(*a))
    resumed = train(tmp_path)
    assert starts == [2]  # it went on; from the start again, the numbers would be the same
    assert_same(resumed.model.get_weights(), whole.model.get_weights(), atol=0)
    for v, w in zip(
        resumed.model.optimizer.variables, whole.model.optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(v.numpy(), w.numpy())
    assert resumed.history.keys() == whole.history.keys()
    for name, values in whole.history.items():
        np.testing.assert_array_equal(resumed.history[name], values)
    assert resumed.test_error == whole.test_error


def test_a_finished_run_comes_back_at_once(finished, monkeypatch):
    monkeypatch.setattr(keras.Model, "fit", None)
    folder, whole = finished
    again = train(folder)
    assert_same(again.model.get_weights(), whole.model.get_weights(), atol=0)
    assert str(again) == str(whole)


def test_the_numbers_of_a_run_are_right(finished):
    folder, run = finished
    assert run.history["step"].tolist() == [2, 4]
    order = np.random.default_rng(0).permutation(30)
    apart, used = order[: SMALL["held_out"]], order[SMALL["held_out"] :]
    np.testing.assert_allclose(run.mean, X[used].mean(axis=0), rtol=1e-6)

    def error(x, y):
        return 100 * np.mean(run.model((x - run.mean) / 255).numpy().argmax(axis=1) != y)

    assert run.history["held_out_error"][-1] == pytest.approx(error(X[apart], Y[apart]))
    assert run.test_error == pytest.approx(error(*TEST))
    assert (run.history["error"] % 6.25 == 0).all() and (run.history["loss"] > 0.5).all()
    assert str(run).splitlines() == [
        "ResNet-8: 74,835 trainable parameters, 4 steps of 8 images",
        f"error on the 10 test images: {run.test_error:.2f} %",
        f"settings, history and last checkpoint: {folder}",
    ]
    assert json.loads((folder / "history.json").read_text())[1]["step"] == 4
    assert keras.config.dtype_policy().name == "float32"


def test_the_paper_s_number_stands_beside_ours(finished):
    model = finished[1].model
    settings = {"depth": 20, "residual": True, "steps": 64_000, "batch": 128}
    summary = resnet._summary(model, settings, 10_000, 9.123, Path("runs"))
    assert "on the 10,000 test images: 9.12 % (He et al. 2015 on CIFAR-10: 8.75 %)" in summary
    summary = resnet._summary(model, settings | {"residual": False}, 10_000, 9.123, Path("runs"))
    assert "He et al." not in summary


def test_it_learns(tmp_path):
    x = np.repeat([[0], [80], [160]], 20, axis=0) + rng.integers(0, 60, (60, 1))
    x = np.broadcast_to(x[..., None, None], (60, 8, 8, 1)).astype(np.uint8)
    y = np.repeat([0, 1, 2], 20)
    more = {"steps": 40, "every": 20, "batch": 20, "decay": 1e-4}
    run = resnet.train((x, y), (x, y), tmp_path, **SMALL | more)
    assert run.history["loss"][1] < run.history["loss"][0]
    assert run.test_error < 34


# What is refused


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"depth": 14}, "depth=8 there, 14 here"),
        ({"residual": False}, "residual=True there, False here"),
        ({"rate": 0.2, "seed": 1}, "rate=0.1 there, 0.2 here; seed=0 there, 1 here"),
        ({"training": (X[1:31], Y[1:31])}, "images='.*' there, '.*' here"),
        ({"training": (X[:30], Y[1:31])}, "images='.*' there, '.*' here"),
    ],
)
def test_the_folder_of_another_run_is_refused(finished, changed, words):
    folder, _ = finished
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ValueError, match=f"holds another run: {words}. Ask for the same"):
        resnet.train(**{"training": TRAINING, "test": TEST, "folder": folder} | SMALL | changed)
    assert before == {path: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"training": (X[:30] / 255, Y[:30])}, "images are float64 .*from 0 to 255 as uint8"),
        ({"training": (X[:30, ..., 0], Y[:30])}, r"images are uint8 of shape \(30, 8, 8\)"),
        ({"test": (X[:0], Y[:0])}, r"uint8 of shape \(0, 8, 8, 3\)"),
        ({"training": (X[:30], Y[:29])}, r"int64 of shape \(29,\) for 30 images"),
        ({"training": (X[:30], Y[:30, None])}, r"int64 of shape \(30, 1\) for 30 images"),
        ({"test": (X[:30], Y[:30] / 1)}, "classes are float64"),
        ({"test": (X[:30], Y[:30] - 1)}, "whole number from 0 on"),
        ({"held_out": 0}, "held_out=0 must lie between 1 and 29, of 30 images"),
        ({"held_out": 30}, "held_out=30 must lie between 1 and 29"),
        ({"batch": 0}, "batch=0 must be a multiple of devices=1, both at least 1"),
        ({"batch": 9, "devices": 2}, "batch=9 must be a multiple of devices=2"),
        ({"devices": 0}, "devices=0"),
        ({"devices": 2}, "devices=2, but TensorFlow sees 1 CPU here"),
        ({"steps": 5}, "steps=5 must be a multiple of every=2, both at least 1"),
        ({"steps": 0}, "steps=0"),
        ({"every": 0}, "every=0"),
        ({"depth": 9}, "nearest depths are 8 and 14"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(tmp_path, changed, words):
    folder = tmp_path / "run"
    with pytest.raises(ValueError, match=words):
        resnet.train(**{"training": TRAINING, "test": TEST, "folder": folder} | SMALL | changed)
    assert not folder.exists()


RAN_AWAY = "^ResNet-8: the loss is no longer finite at step {}; start again in another folder"


def test_a_training_that_runs_away_is_stopped_and_not_saved(tmp_path):
    with pytest.raises(ValueError, match=RAN_AWAY.format("2 of 10")):
        train(tmp_path, rate=1e30, steps=10, every=10)  # ten steps per execution
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]


def spoil(monkeypatch, step: int) -> None:
    """Let the images of one step be NaN."""
    batches = resnet._batches

    def spoiled(*arguments):
        made = batches(*arguments).enumerate(arguments[-2] + 1)
        return made.map(lambda t, pair: (tf.where(t == step, np.nan, pair[0]), pair[1]))

    monkeypatch.setattr(resnet, "_batches", spoiled)


def test_several_devices_name_the_step_without_a_watch(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(resnet, "_watch", lambda model: None)
    spoil(monkeypatch, 3)
    with pytest.raises(ValueError, match=RAN_AWAY.format("3 of 4")):
        train(tmp_path, every=1)  # one step per execution, as they take it


def test_a_resumed_training_that_runs_away_names_the_step_of_the_whole(tiny, tmp_path, monkeypatch):
    train(tmp_path)
    settings = json.loads((tmp_path / "settings.json").read_text())
    (tmp_path / "settings.json").write_text(json.dumps(settings | {"steps": 8}))
    spoil(monkeypatch, 7)
    with pytest.raises(ValueError, match=RAN_AWAY.format("7 of 8")):
        train(tmp_path, steps=8)
    assert (tmp_path / "step-6.index").exists()  # the last checkpoint stays
    assert json.loads((tmp_path / "history.json").read_text())[-1]["step"] == 6


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
        **{"steps": 4, "every": 500, "seed": 3, "devices": 1, "rows": (30, 10)},
    }
    assert capsys.readouterr().out.endswith("seed 3\nthe summary\n")


def test_the_command_answers_bad_input_with_one_line(small_cifar, tmp_path, capsys):
    with pytest.raises(SystemExit) as error:
        resnet.main(["--folder", str(tmp_path / "run")])
    assert error.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("python -m course_utils.resnet: held_out=5000 must lie between")


def test_the_command_explains_itself(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["resnet", "--help"])
    monkeypatch.delitem(sys.modules, "course_utils.resnet")  # as `python -m` finds it
    with pytest.raises(SystemExit) as error:
        runpy.run_module("course_utils.resnet", run_name="__main__")
    said = " ".join(capsys.readouterr().out.split())
    assert error.value.code == 0
    assert "The same command again goes on with a run that was stopped" in said
