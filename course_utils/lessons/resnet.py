"""The networks of He et al. (2015) in full; the small ones of the lesson: see `resnet_small`.

The recipe of `train` is section 4.2 of *Deep Residual Learning for Image Recognition*,
arXiv:1512.03385. As a command, on CIFAR-10, which goes on with a run that was stopped:

    python -m course_utils.lessons.resnet --depth 20 --folder runs/resnet20

One GPU computes under XLA; from compute capability 8 on GPUs take bfloat16, which needs no scaling
of the loss. MirroredStrategy shares batches among the GPUs of one host; Keras 3 cannot use several.
"""

import argparse
import inspect
import json
import math
import zlib
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers, ops, regularizers
from keras.callbacks import BackupAndRestore, CSVLogger, LambdaCallback
from tqdm.auto import tqdm

from course_utils import data, runtime
from course_utils.training import _watch

_DECAY = 1e-4  # weight decay λ of all kernels, as a penalty λ/2 · Σ w² in the loss
_EVERY = 500  # steps from one backup to the next


class Run(NamedTuple):
    """A finished training; printed, it is a summary."""

    model: keras.Model  # trained, not compiled: from (images - mean) / 255 to logits
    mean: np.ndarray  # of the images trained on, shape (height, width, channels)
    history: pd.DataFrame  # what Keras logged at the end of each epoch: see `train`
    test_error: float  # share of the test images with a wrong answer, in %

    def __str__(self) -> str:
        return f"{self.model.name}: error on the test images {self.test_error:.2f} %"


def blocks(depth: int) -> int:
    """Return n, the blocks of each of three stages, of a network with 6 n + 2 layers, or refuse."""
    n, left = divmod(depth - 2, 6)
    if n < 1 or left:
        raise ValueError(f"depth={depth}, but these networks have 6 n + 2 layers: 8, 14, 20, ...")
    return n


def network(
    depth: int, residual: bool = True, shape: tuple[int, int, int] = (32, 32, 3), classes: int = 10
) -> keras.Model:
    """Build the network of section 4.2, with or without its shortcuts.

    From images, shape (N, height, width, channels), to float32 logits, shape (N, classes): a 3 × 3
    convolution, three stages of n blocks of two 3 × 3 convolutions with 16, 32 and 64 filters, the
    mean over all pixels, a dense layer. Convolutions have no bias and are followed by batch
    normalisation; all kernels decay. Shortcuts have no parameters (option A): where a stage halves
    the image they take every second pixel, and zeros for the new channels.

    Parameters
    ----------
    depth : int
        Layers with weights that lie one behind the other, 6 n + 2: 8, 14, 20, ...
    residual : bool
        False leaves the shortcuts out: the paper's plain network, with the same parameters.
    shape : tuple of int
        Height, width and channels of an image; both sides are halved twice.
    classes : int
        Number of logits.

    Raises
    ------
    ValueError
        If the depth is none of these, or a side is below 8 or not divisible by 4.
    """
    n = blocks(depth)
    height, width, _ = shape
    if min(height, width) < 8 or height % 4 or width % 4:
        raise ValueError(
            f"Both sides of {height} x {width} pixels must be at least 8 and divisible by 4: pad."
        )
    decay = regularizers.L2(_DECAY / 2)
    weights = {"kernel_initializer": "he_normal", "kernel_regularizer": decay}

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
    """Make the training batches of the steps from `start` to before `stop`.

    Every pass shuffles the images anew. Each is padded by 4 zeros on all sides, cropped at random,
    and mirrored half of the time. It all depends on seed and step alone: a run can go on anywhere.
    """
    with tf.device("CPU"):
        x, y, mean = tf.constant(x), tf.constant(y), tf.constant(mean, tf.float32)
    rows, pad = len(x), [[4, 4], [4, 4], [0, 0]]

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
    folder: str | Path,
    depth: int = 20,
    residual: bool = True,
    batch: int = 128,
    rate: float = 0.1,
    steps: int = 64_000,
    seed: int = 0,
    devices: int = 1,
) -> Run:
    """Train by the recipe of the paper, or go on with a training that was stopped.

    Stochastic gradient descent with momentum 0.9, at `rate` for the first half of the steps, a
    tenth of it up to three quarters, a hundredth to the end. A tenth of the images is held out:
    judged, not trained on. The defaults are the paper's; its slow start for depth 110, some 400
    steps at a rate of 0.01, is left out.

    On a CPU a resumed run equals the uninterrupted one bit by bit. On a GPU that needs a call of
    ``tf.config.experimental.enable_op_determinism()`` before.

    Parameters
    ----------
    training, test : pair of arrays
        Images, uint8, shape (N, height, width, channels), and their classes from 0 on, shape (N,).
    folder : path
        Of this run and no other: settings, ``history.csv``, and the last two backups.
    depth, residual
        As in `network`.
    batch, rate
        Images per step, all devices together, and learning rate of the first half of the steps.
    steps : int
        In all: up to 500, or a multiple of 500.
    seed : int
        Of the first weights, the split, the order and the distortions.
    devices : int
        GPUs, or CPUs where there is none, that share each batch. Each normalises its own part, as
        on the paper's two GPUs, so that the weights depend on this number by more than rounding.
        The averages that replace the batch's statistics after training are the first device's.

    Returns
    -------
    Run
        At once where the folder holds the finished run. Its history has a row for every epoch of
        500 steps: mean ``loss`` (with the penalty) and ``accuracy`` on distorted images, and
        ``val_accuracy`` on those held out.

    Raises
    ------
    ValueError
        If an argument is not as above, there are fewer devices than asked for, the folder holds a
        run with other settings, or the loss is no longer finite at some step, which is named.
    """
    settings = dict(locals())
    del settings["training"], settings["test"], settings["folder"]
    (x, y), (x_test, y_test), folder = _checked(training), _checked(test), Path(folder)
    every = settings["every"] = min(steps, _EVERY)
    if devices < 1 or batch < 1 or batch % devices:
        raise ValueError(f"batch={batch} must be a multiple of devices={devices}, both at least 1.")
    if steps < 1 or steps % every:
        raise ValueError(f"steps={steps} must lie between 1 and {_EVERY} or be a multiple of it.")
    strategy, settings["precision"] = _strategy(devices)
    settings["images"] = f"{x.shape}, checksum {zlib.crc32(y, zlib.crc32(x)):08x}"
    model = _compiled(settings, strategy, x.shape[1:], int(max(y.max(), y_test.max())) + 1)
    _claim(folder, settings)
    backup = _restored(model, folder / "backup", every)
    apart, used = np.split(np.random.default_rng(seed).permutation(len(x)), [-(-len(x) // 10)])
    mean = x[used].mean(axis=0, dtype=np.float64).astype(np.float32)
    # Without the strategy, under which Keras cannot answer fewer images than there are devices.
    trained = keras.Model(model.inputs[0], model.outputs[0], name=model.name)

    def accuracy(x, y):
        logits = trained.predict((x - mean) / 255, batch_size=500, verbose=0)
        return float(np.mean(logits.argmax(axis=1) == y))

    def judge(epoch, logs):
        logs["val_accuracy"] = accuracy(x[apart], y[apart])

    log, start = folder / "history.csv", int(model.optimizer.iterations.numpy())
    batches = _batches(x[used], y[used], mean, batch, seed, start, steps)
    callbacks = [LambdaCallback(on_epoch_end=judge), CSVLogger(log, append=True), backup]
    _fit(model, batches, steps, every, callbacks)
    # A row is written before its backup: after a kill in between, it is written twice.
    history = pd.read_csv(log).drop_duplicates("epoch", keep="last", ignore_index=True)
    return Run(trained, mean, history, 100 * (1 - accuracy(x_test, y_test)))


def _checked(pair: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    x, y = (np.ascontiguousarray(values) for values in pair)
    are_images = x.ndim == 4 and x.dtype == np.uint8 and len(x) > 1
    if not are_images or y.shape != x.shape[:1] or y.dtype.kind not in "iu" or y.min() < 0:
        raise ValueError(
            f"The images are {x.dtype} of shape {x.shape}, the classes {y.dtype} of shape "
            f"{y.shape}: expected are N > 1 images, uint8 of shape (N, height, width, channels), "
            "as data.load_cifar10() gives them, and N whole numbers from 0 on."
        )
    return x, y.astype(np.int64)


def _strategy(devices: int) -> tuple[tf.distribute.Strategy, str]:
    """Choose the devices, and the layers' precision on them."""
    gpus = tf.config.list_physical_devices("GPU")
    found = tf.config.list_logical_devices("GPU" if gpus else "CPU")
    if devices > len(found):
        kind = found[0].device_type
        raise ValueError(f"devices={devices}, but TensorFlow sees {len(found)} {kind} here.")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    able = [known.get("compute_capability", (0, 0)) >= (8, 0) for known in details]
    precision = "mixed_bfloat16" if gpus and all(able) else "float32"
    if devices == 1:
        return tf.distribute.get_strategy(), precision
    return tf.distribute.MirroredStrategy([device.name for device in found[:devices]]), precision


def _compiled(
    settings: dict, strategy: tf.distribute.Strategy, shape: tuple[int, ...], classes: int
) -> keras.Model:
    """Make the network and its optimiser, on the devices and in the precision of the settings."""
    steps, rate, alone = settings["steps"], settings["rate"], settings["devices"] == 1
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(
        [steps // 2 - 1, steps * 3 // 4 - 1], [rate, rate / 10, rate / 100]
    )
    runtime.forget_unfinished_models()
    keras.utils.set_random_seed(settings["seed"])
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(settings["precision"])
    try:
        with strategy.scope():
            model = network(settings["depth"], settings["residual"], shape, classes)
            model.compile(
                keras.optimizers.SGD(schedule, momentum=0.9),
                keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                metrics=["accuracy"],
                # MirroredStrategy fails with several steps per execution, and with XLA.
                steps_per_execution=math.gcd(settings["every"], 10) if alone else 1,
                jit_compile=alone and bool(tf.config.list_physical_devices("GPU")),
            )
            model.optimizer.build(model.trainable_variables)  # before a backup is restored
    finally:
        keras.config.set_dtype_policy(before)
    return model


def _claim(folder: Path, settings: dict) -> None:
    """Note the settings in the folder, or compare them with those of the run that it holds."""
    path = folder / "settings.json"
    folder.mkdir(parents=True, exist_ok=True)
    there = json.loads(path.read_text(encoding="utf-8")) if path.exists() else settings
    other = {name: there.get(name) for name in settings if there.get(name) != settings[name]}
    if other:
        raise ValueError(
            f"The folder {folder} holds another run, with {other}. Ask for the same settings to go "
            "on with it, or choose another folder."
        )
    part = path.with_suffix(".part")
    part.write_text(json.dumps(settings, indent=1), encoding="utf-8")
    part.replace(path)


def _restored(model: keras.Model, folder: Path, every: int) -> BackupAndRestore:
    """Give the model its last whole backup; return the callback that makes the next ones.

    A kill may cut the last backup short, so Keras keeps the one before as well. Its file of the
    epoch may be left empty or one behind: it is made anew from the optimiser's steps, which are in
    one file with the weights.
    """
    for noted in folder.glob("training_metadata*"):
        noted.unlink()
    backup = BackupAndRestore(folder, double_checkpoint=True, delete_checkpoint=False)
    backup.set_model(model)
    try:
        backup.on_train_begin()
    except OSError:
        if list(folder.glob("*.bkp")):
            raise
        next(folder.glob("*.h5")).unlink()  # cut short was the first backup, before step 1
    backup.on_epoch_end(int(model.optimizer.iterations.numpy()) // every - 1)
    return backup


def _fit(
    model: keras.Model, batches: tf.data.Dataset, steps: int, every: int, callbacks: list
) -> None:
    """Train to the end, or to the step at which the loss is no longer finite, and name that."""
    start = int(model.optimizer.iterations.numpy())
    if start == steps:
        return
    alone = model.distribute_strategy.num_replicas_in_sync == 1
    watch = _watch(model) if alone else None  # several devices report every step

    def ended(batch, logs):
        bar.update(batch + 1 - bar.n % every)
        if not math.isfinite(logs["loss"]):
            step = start + int(watch.first()) if watch else bar.n
            raise ValueError(
                f"{model.name}: the loss is no longer finite at step {step} of {steps}; start "
                "again in another folder with a smaller rate."
            )

    with tqdm(total=steps, initial=start, desc=model.name, unit=" steps", leave=False) as bar:
        model.fit(
            batches,
            epochs=steps // every,  # an epoch of Keras leads from one backup to the next
            steps_per_epoch=every,
            shuffle=False,
            verbose=0,
            callbacks=[LambdaCallback(on_train_batch_end=ended), *callbacks],
        )


def main(arguments: list[str] | None = None) -> None:
    """Train on CIFAR-10 as the command line says, and print the summary."""
    parser = argparse.ArgumentParser(
        prog="python -m course_utils.lessons.resnet",
        description="Train on CIFAR-10. The same command again goes on with a stopped run.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--folder", required=True, help="of this run and no other")
    parser.add_argument("--plain", action="store_true", help="leave the shortcuts out")
    for name, meaning in {
        "depth": "layers, 6 n + 2",
        "steps": "up to 500, or a multiple of 500: after so many a backup is made",
        "batch": "images per step, all devices together",
        "rate": "learning rate of the first half of the steps",
        "seed": "of everything that is drawn at random",
        "devices": "GPUs, or CPUs where there is none, that share each batch",
    }.items():
        value = inspect.signature(train).parameters[name].default
        parser.add_argument(f"--{name}", type=type(value), default=value, help=meaning)
    asked = vars(parser.parse_args(arguments))
    asked["residual"] = not asked.pop("plain")
    try:
        asked["seed"] = runtime.setup(asked["seed"])
        cifar, n = data.load_cifar10(), data.CIFAR10_TRAIN
        print(train((cifar.x[:n], cifar.y[:n]), (cifar.x[n:], cifar.y[n:]), **asked))
    except (ValueError, data.DataError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
