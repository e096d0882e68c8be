"""The residual networks of He et al. (2015) on CIFAR-10, in full: from Python or as a command.

The recipe is section 4.2 of *Deep Residual Learning for Image Recognition*, arXiv:1512.03385.

    python -m course_utils.resnet --depth 20 --folder runs/resnet20

A run that was stopped goes on when the same command is given again.

On one GPU, XLA compiles the step; GPUs of compute capability 8 or later compute in bfloat16, which
needs no scaling of the loss. Several GPUs of one host share each batch by MirroredStrategy, without
XLA. Several hosts are not served: Keras 3 cannot ``fit`` under MultiWorkerMirroredStrategy.
"""

import argparse
import contextlib
import inspect
import json
import math
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from tqdm.auto import tqdm

from course_utils import data, runtime
from course_utils.training import _watch

PAPER = {20: 8.75, 32: 7.51, 44: 7.17, 56: 6.97, 110: 6.43}  # test error in %: He et al., Table 6
_PADDING = 4  # pixels on each side, from which the random crops are taken


class Run(NamedTuple):
    """A finished training; printed, it is a summary.

    Attributes
    ----------
    model : keras.Model
        Trained; it answers ``(images - mean) / 255`` with logits.
    mean : array of float32, shape (height, width, channels)
        Mean of the images trained on.
    history : dict of arrays
        By ``step``: mean training ``loss`` (with the penalty) and ``error`` (%) since the step
        before, both on distorted images, and ``held_out_error`` (%).
    test_error : float
        Share of the test images with a wrong answer, in %.
    summary : str
        What a print shows.
    """

    model: keras.Model
    mean: np.ndarray
    history: dict[str, np.ndarray]
    test_error: float
    summary: str

    def __str__(self) -> str:
        return self.summary


def blocks(depth: int) -> int:
    """Count the blocks of each of the three stages, n, of a network with 6 n + 2 layers.

    Parameters
    ----------
    depth : int
        Layers with weights that lie one behind the other: 8, 14, 20, ...

    Raises
    ------
    ValueError
        If no whole n, from 1 on, gives that depth; the message names the nearest two that do.
    """
    n = int(max((depth - 2) // 6, 1))
    if depth != 6 * n + 2:
        raise ValueError(
            f"depth={depth}, but these networks have 6 n + 2 layers: the nearest depths are "
            f"{6 * n + 2} and {6 * n + 8}."
        )
    return n


def network(
    depth: int,
    residual: bool = True,
    shape: tuple[int, int, int] = (32, 32, 3),
    classes: int = 10,
    decay: float = 1e-4,
) -> keras.Model:
    """Build the network of section 4.2, with or without its shortcuts.

    A 3 × 3 convolution, three stages of n blocks of two 3 × 3 convolutions with 16, 32 and 64
    filters, the mean over all pixels, a dense layer. Convolutions have no bias and are followed by
    batch normalisation. Shortcuts have no parameters (option A): where a stage halves the image
    they take every second pixel, and zeros for the new channels.

    Parameters
    ----------
    depth : int
        6 n + 2.
    residual : bool
        False leaves the shortcuts out: the paper's plain network, with the same parameters.
    shape : tuple of int
        Height, width and channels of an image; both sides are halved twice.
    classes : int
        Number of logits.
    decay : float
        Weight decay λ of all kernels, as a penalty λ/2 · Σ w² in the loss.

    Returns
    -------
    keras.Model
        From images, shape (N, height, width, channels), to float32 logits, shape (N, classes).

    Raises
    ------
    ValueError
        If the depth is none of these, or a side is below 8 or not divisible by 4.
    """
    n = blocks(depth)
    height, width, _ = shape
    if min(height, width) < 8 or height % 4 or width % 4:
        raise ValueError(
            f"The images have {height} x {width} pixels, but the network halves both sides twice: "
            "they must be divisible by 4 and at least 8. Pad or resize the images."
        )
    weights = {
        "kernel_initializer": "he_normal",
        "kernel_regularizer": keras.regularizers.L2(decay / 2),
    }

    def convolution(x, filters, stride=1):
        x = layers.Conv2D(filters, 3, stride, padding="same", use_bias=False, **weights)(x)
        return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)

    def block(x, filters, stride):
        y = layers.ReLU()(convolution(x, filters, stride))
        y = convolution(y, filters)
        if residual and stride == 2:
            x = x[:, 1::2, 1::2]  # the pixels that the strided convolution is centred on
            x = ops.pad(x, [(0, 0), (0, 0), (0, 0), (0, filters - x.shape[-1])])
        return layers.ReLU()(layers.add([x, y]) if residual else y)

    images = keras.Input(shape)
    x = layers.ReLU()(convolution(images, 16))
    for filters in (16, 32, 64):
        for i in range(n):
            x = block(x, filters, 2 if filters > 16 and i == 0 else 1)
    x = layers.GlobalAveragePooling2D()(x)
    logits = layers.Dense(classes, dtype="float32", **weights)(x)
    return keras.Model(images, logits, name=f"{'ResNet' if residual else 'plain'}-{depth}")


def _batches(
    x: np.ndarray, y: np.ndarray, mean: np.ndarray, batch: int, seed: int, start: int, stop: int
) -> tf.data.Dataset:
    """Make the distorted training batches of the steps from `start` to before `stop`.

    Every pass shuffles the images anew. An image is padded with zeros after the mean is subtracted,
    cropped at random, and mirrored half of the time. All of that depends on the seed and the step
    alone, so that a run can go on at any step.
    """
    with tf.device("CPU"):
        x, y, mean = tf.constant(x), tf.constant(y), tf.constant(mean, tf.float32)
    rows, pad = len(x), [[_PADDING, _PADDING]] * 2 + [[0, 0]]

    def example(position):
        epoch, place = position // rows, position % rows
        row = tf.random.experimental.index_shuffle(place, tf.stack([seed, epoch]), rows - 1)
        image = tf.pad((tf.cast(x[row], tf.float32) - mean) / 255, pad)
        image = tf.image.stateless_random_crop(image, mean.shape, tf.stack([seed, position]))
        image = tf.image.stateless_random_flip_left_right(image, tf.stack([seed, -1 - position]))
        return image, y[row]

    positions = tf.data.Dataset.range(start * batch, stop * batch)
    examples = positions.map(example, num_parallel_calls=tf.data.AUTOTUNE)
    return examples.batch(batch, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def train(
    training: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    folder: str | os.PathLike,
    depth: int = 20,
    residual: bool = True,
    batch: int = 128,
    rate: float = 0.1,
    decay: float = 1e-4,
    steps: int = 64_000,
    held_out: int = 5_000,
    every: int = 500,
    seed: int = 0,
    devices: int = 1,
) -> Run:
    """Train by the recipe of the paper, or go on with a training that was stopped.

    Stochastic gradient descent with momentum 0.9, at `rate` for the first half of the steps, a
    tenth of it up to three quarters, a hundredth to the end. The defaults are the paper's; its
    slow start for depth 110, some 400 steps at a rate of 0.01, is left out.

    On a CPU a resumed run equals the uninterrupted one bit by bit. On a GPU that needs a call of
    ``tf.config.experimental.enable_op_determinism()`` before.

    Parameters
    ----------
    training, test : pair of arrays
        Images, uint8, shape (N, height, width, channels), and their classes from 0 on, shape (N,).
    folder : path
        Of this run and no other: settings, history (``history.json``) and the last checkpoint.
    depth, residual, decay
        As in `network`.
    batch : int
        Images per step, all devices together.
    rate : float
        Learning rate of the first half.
    steps : int
        In all; a multiple of `every`.
    held_out : int
        Training images, drawn at random, that are only judged, not trained on.
    every : int
        Steps from one checkpoint to the next.
    seed : int
        Of the first weights, the split, the order and the distortions.
    devices : int
        GPUs, or CPUs where there is none, that share each batch. Each normalises its own part of
        it, as on the paper's two GPUs: so the weights depend on this number, by more than rounding.
        The averages that replace the batch's statistics after training are the first device's.

    Returns
    -------
    Run
        At once where the folder holds the finished run.

    Raises
    ------
    ValueError
        If images, classes or numbers are not as above, there are fewer devices than asked for, the
        folder holds a run with other settings, or the loss is no longer finite at some step, which
        is named; the last checkpoint stays.
    """
    runtime.forget_unfinished_models()
    settings = dict(locals())
    del settings["training"], settings["test"], settings["folder"]
    (x, y), (x_test, y_test) = _checked(training), _checked(test)
    _check_numbers(len(x), batch, steps, held_out, every, devices)
    classes = int(max(y.max(), y_test.max())) + 1
    strategy, settings["precision"] = _strategy(devices)
    settings["images"] = f"{x.shape}, checksum {zlib.crc32(y, zlib.crc32(x)):08x}"
    keras.utils.set_random_seed(seed)
    with strategy.scope(), _layers_in(settings["precision"]):
        model = network(depth, residual, x.shape[1:], classes, decay)
        _compile(model, rate, steps, every, devices)
    folder = Path(folder)
    _claim(folder, settings)
    state = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    manager = tf.train.CheckpointManager(state, folder, max_to_keep=1, checkpoint_name="step")
    rows = []
    if manager.latest_checkpoint:
        state.restore(manager.latest_checkpoint).assert_existing_objects_matched()
        rows = json.loads((folder / "history.json").read_text(encoding="utf-8"))
    start = int(model.optimizer.iterations.numpy())
    rows = [row for row in rows if row["step"] <= start]  # a row is written before its checkpoint

    order = np.random.default_rng(seed).permutation(len(x))
    apart, used = order[:held_out], order[held_out:]
    mean = x[used].mean(axis=0, dtype=np.float64).astype(np.float32)
    judge = _judge(model, mean)

    def save(epoch, logs):
        step, error = every * (epoch + 1), judge(x[apart], y[apart])
        row = {"step": step, "loss": logs["loss"], "error": 100 * (1 - logs["accuracy"])}
        rows.append(row | {"held_out_error": error})
        _write(folder / "history.json", rows)
        manager.save(step)
        bar.set_description(f"{model.name}, held-out error {error:.1f} %")

    watch = _watch(model) if devices == 1 else None  # several devices report every step

    def ended(i, logs):
        bar.update(i + 1 - bar.n % every)
        if not math.isfinite(logs["loss"]):
            step = start + int(watch.first()) if watch else bar.n
            raise ValueError(
                f"{model.name}: the loss is no longer finite at step {step} of {steps}; start "
                "again in another folder with a smaller rate."
            )

    with tqdm(total=steps, initial=start, desc=model.name, unit=" steps", leave=False) as bar:
        if start < steps:
            model.fit(
                _batches(x[used], y[used], mean, batch, seed, start, steps),
                epochs=steps // every,  # an epoch of Keras leads from one checkpoint to the next
                initial_epoch=start // every,
                steps_per_epoch=every,
                shuffle=False,
                verbose=0,
                callbacks=[
                    keras.callbacks.LambdaCallback(on_train_batch_end=ended, on_epoch_end=save)
                ],
            )
    error = judge(x_test, y_test)
    history = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return Run(model, mean, history, error, _summary(model, settings, len(x_test), error, folder))


def _checked(pair: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    x, y = (np.ascontiguousarray(values) for values in pair)
    if x.ndim != 4 or x.dtype != np.uint8 or not len(x):
        raise ValueError(
            f"The images are {x.dtype} of shape {x.shape}: expected are levels from 0 to 255 as "
            "uint8, of shape (N, height, width, channels), as data.load_cifar10() gives them."
        )
    if y.shape != (len(x),) or y.dtype.kind not in "iu" or y.min() < 0:
        raise ValueError(
            f"The classes are {y.dtype} of shape {y.shape} for {len(x)} images: expected is one "
            "whole number from 0 on for each image."
        )
    return x, y.astype(np.int64)


def _check_numbers(
    rows: int, batch: int, steps: int, held_out: int, every: int, devices: int
) -> None:
    if not 1 <= held_out < rows:
        raise ValueError(
            f"held_out={held_out} must lie between 1 and {rows - 1}, of {rows} images."
        )
    if devices < 1 or batch < 1 or batch % devices:
        raise ValueError(f"batch={batch} must be a multiple of devices={devices}, both at least 1.")
    if every < 1 or steps < 1 or steps % every:
        raise ValueError(f"steps={steps} must be a multiple of every={every}, both at least 1.")


def _strategy(devices: int) -> tuple[tf.distribute.Strategy, str]:
    """Choose the devices, and the layers' precision on them."""
    gpus = tf.config.list_physical_devices("GPU")
    kind = "GPU" if gpus else "CPU"
    found = tf.config.list_logical_devices(kind)
    if devices > len(found):
        raise ValueError(
            f"devices={devices}, but TensorFlow sees {len(found)} {kind}{'s'[: len(found) > 1]} "
            "here. Ask for as many or fewer."
        )
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    able = [gpu.get("compute_capability", (0, 0)) >= (8, 0) for gpu in details]
    precision = "mixed_bfloat16" if gpus and all(able) else "float32"
    if devices == 1:
        return tf.distribute.get_strategy(), precision
    return tf.distribute.MirroredStrategy([device.name for device in found[:devices]]), precision


@contextlib.contextmanager
def _layers_in(precision: str):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _compile(model: keras.Model, rate: float, steps: int, every: int, devices: int) -> None:
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(
        [steps // 2 - 1, steps * 3 // 4 - 1], [rate, rate / 10, rate / 100]
    )
    model.compile(
        keras.optimizers.SGD(schedule, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        # MirroredStrategy fails with several steps per execution, and with XLA.
        steps_per_execution=math.gcd(every, 10) if devices == 1 else 1,
        jit_compile=devices == 1 and bool(tf.config.list_physical_devices("GPU")),
    )
    model.optimizer.build(model.trainable_variables)  # before a checkpoint is restored


def _claim(folder: Path, settings: dict) -> None:
    """Note the settings in the folder, or compare them with those of the run that it holds."""
    path = folder / "settings.json"
    folder.mkdir(parents=True, exist_ok=True)
    there = json.loads(path.read_text(encoding="utf-8")) if path.exists() else settings
    differences = [
        f"{name}={there.get(name)!r} there, {value!r} here"
        for name, value in settings.items()
        if there.get(name) != value
    ]
    if differences:
        raise ValueError(
            f"The folder {folder} holds another run: {'; '.join(differences)}. Ask for the same "
            "settings to go on with it, or choose another folder."
        )
    _write(path, settings)


def _write(path: Path, value: object) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value, indent=1), encoding="utf-8")
    os.replace(part, path)


def _judge(model: keras.Model, mean: np.ndarray) -> Callable[[np.ndarray, np.ndarray], float]:
    """Return a function of images and classes that gives the share of wrong answers, in %.

    Keras's own ``evaluate`` fails under MirroredStrategy where images cannot be shared out evenly.
    """

    @tf.function(input_signature=[tf.TensorSpec((None, *mean.shape), tf.uint8)])
    def answers(x):
        return tf.argmax(model((tf.cast(x, tf.float32) - mean) / 255, training=False), axis=1)

    answers = answers.get_concrete_function()  # else TensorFlow warns of the traces of other runs

    def error(x, y):
        parts = [answers(tf.constant(x[i : i + 500])) for i in range(0, len(x), 500)]
        return 100 * float(np.mean(np.concatenate(parts) != y))

    return error


def _summary(model: keras.Model, settings: dict, rows: int, error: float, folder: Path) -> str:
    parameters = sum(math.prod(v.shape) for v in model.trainable_variables)
    known = PAPER.get(settings["depth"]) if settings["residual"] else None
    beside = f" (He et al. 2015 on CIFAR-10: {known} %)" if known else ""
    return (
        f"{model.name}: {parameters:,} trainable parameters, {settings['steps']:,} steps of "
        f"{settings['batch']} images\n"
        f"error on the {rows:,} test images: {error:.2f} %{beside}\n"
        f"settings, history and last checkpoint: {folder}"
    )


def main(arguments: list[str] | None = None) -> None:
    """Train on CIFAR-10 as the command line says, and print the summary."""
    parser = argparse.ArgumentParser(
        prog="python -m course_utils.resnet",
        description="Train a network of He et al. (2015) on CIFAR-10. "
        "The same command again goes on with a run that was stopped.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--folder", required=True, help="of this run and no other")
    parser.add_argument("--plain", action="store_true", help="leave the shortcuts out")
    defaults = inspect.signature(train).parameters
    for name, meaning in {
        "depth": "layers, 6 n + 2",
        "steps": "a multiple of --every",
        "every": "steps from one checkpoint to the next",
        "batch": "images per step, all devices together",
        "rate": "learning rate of the first half of the steps",
        "seed": "of everything that is drawn at random",
        "devices": "GPUs, or CPUs where there is none, that share each batch",
    }.items():
        value = defaults[name].default
        parser.add_argument(f"--{name}", type=type(value), default=value, help=meaning)
    asked = vars(parser.parse_args(arguments))
    try:
        asked["seed"] = runtime.setup(asked["seed"])
        asked["residual"] = not asked.pop("plain")
        cifar, n = data.load_cifar10(), data.CIFAR10_TRAIN
        print(train((cifar.x[:n], cifar.y[:n]), (cifar.x[n:], cifar.y[n:]), **asked))
    except (ValueError, data.DataError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
