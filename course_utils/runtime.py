"""The start of every lesson: one seed, one line about the machine, and a budget that fits it."""

import contextlib
import os
import platform
import sys
import tempfile
from typing import TypeVar

T = TypeVar("T")


@contextlib.contextmanager
def _quiet_native_log():
    """Hold back what C++ libraries write to the process's stderr; show it if the block fails."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(saved, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def setup(seed: int = 0) -> int:
    """Make a notebook reproducible and say what it runs on.

    Seeds Python, NumPy and Keras, lets GPU memory grow on demand, sets the course's plot style,
    and prints one line with versions and device. TensorFlow takes its number of threads from
    ``TF_NUM_INTRAOP_THREADS`` and ``TF_NUM_INTEROP_THREADS`` where these are set.

    Parameters
    ----------
    seed : int
        The lesson's seed, 0 to 2**32 - 1. The environment variable ``COURSE_SEED``, where set,
        takes its place: ``make test SEED=7`` runs every lesson with another seed that way.

    Returns
    -------
    int
        The seed in force.

    Raises
    ------
    ValueError
        If the seed is no whole number in that range.
    """
    given = os.environ.get("COURSE_SEED") or seed
    try:
        seed = int(str(given))  # through str, or 1.5 would pass for 1
    except ValueError:
        seed = -1
    if not 0 <= seed < 2**32:
        raise ValueError(
            f"The seed is {given!r}, but it must be a whole number from 0 to {2**32 - 1}: "
            "change setup(seed=...) or the environment variable COURSE_SEED."
        )
    with _quiet_native_log():
        import keras
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        for gpu in gpus:
            # Refused once a GPU is in use, that is, when a setup cell runs a second time.
            with contextlib.suppress(RuntimeError):
                tf.config.experimental.set_memory_growth(gpu, True)
        tf.constant(0.0)
    keras.utils.set_random_seed(seed)

    from course_utils import plotting

    plotting.set_style()
    device = f"{len(gpus)} GPU" if gpus else f"CPU with {os.cpu_count()} cores"
    print(
        f"Python {platform.python_version()}, TensorFlow {tf.__version__}, "
        f"Keras {keras.__version__}, {device}, seed {seed}"
    )
    return seed


def budget(cpu: T, gpu: T) -> T:
    """Pick the size of an experiment by the machine: epochs, samples or repeats.

    Parameters
    ----------
    cpu, gpu
        The value to use without and with a GPU.

    Returns
    -------
    The value for this machine.
    """
    import tensorflow as tf

    return gpu if tf.config.list_physical_devices("GPU") else cpu
