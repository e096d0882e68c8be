"""The start of every lesson: one seed, one line about the machine, and a budget that fits it."""

import contextlib
import logging
import os
import platform
import sys
import tempfile
from typing import TypeVar

T = TypeVar("T")
seed_is_own = True  # whether the seed in force is the lesson's, as in the stored run


@contextlib.contextmanager
def _quiet_libraries():
    """Hold back what libraries say while they load; show the native log if the block fails.

    C++ libraries write to the process's stderr, Python's warn or log: of a key in a matplotlibrc
    that matplotlib does not know, or that its list of fonts is being made.
    """
    logged = logging.root.manager.disable
    logging.disable(logging.WARNING)
    logging.captureWarnings(True)
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
            logging.captureWarnings(False)
            logging.disable(logged)


def forget_unfinished_models() -> None:
    """Forget the variables of models whose making was stopped half-way.

    Keras keeps a list of variables that wait for their first value. Where a student's mistake or
    an interrupt stops it there, the list is never emptied, no later model gets its values either,
    and training fails with words such as "'NoneType' object has no attribute 'assign'". Here it is
    emptied. Seeds, names and finished models stay as they are, so that no number of a lesson
    changes; `keras.utils.clear_session` would draw a new seed.
    """
    from keras.src.backend.common import global_state

    global_state.set_global_attribute("uninitialized_variables", [])


def _start_clean(info: object) -> None:
    """Before each cell of a notebook: what an interrupt left behind may be a few cells old."""
    forget_unfinished_models()


def _keras_is_unusable() -> bool:
    if "keras" in sys.modules:
        return sys.modules["keras"].config.backend() != "tensorflow"
    # A failed import, for want of the other backend say, leaves parts that spoil the next one.
    return any(name.startswith("keras.") for name in sys.modules)


def setup(seed: int = 0) -> int:
    """Make a notebook reproducible and say what it runs on.

    Forgets what earlier cells left in Keras, seeds Python, NumPy and Keras, lets GPU memory grow on
    demand, sets the course's numbers and plot style whatever other work has set, and prints one
    line with versions and device. TensorFlow takes its number of threads from
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
    RuntimeError
        If Keras cannot be used because it was imported before, with another backend.
    """
    global seed_is_own
    own, given = seed, os.environ.get("COURSE_SEED") or seed
    try:
        seed = int(str(given))  # through str, or 1.5 would pass for 1
    except ValueError:
        seed = -1
    if not 0 <= seed < 2**32:
        raise ValueError(
            f"The seed is {given!r}, but it must be a whole number from 0 to {2**32 - 1}: "
            "change setup(seed=...) or the environment variable COURSE_SEED."
        )
    if _keras_is_unusable():
        raise RuntimeError(
            "Keras was imported before course_utils with a backend other than TensorFlow, or its "
            "import was stopped half-way: restart the kernel and import course_utils first."
        )
    with _quiet_libraries():
        import keras
        import tensorflow as tf
        from IPython import get_ipython

        from course_utils import plotting

        gpus = tf.config.list_physical_devices("GPU")
        for gpu in gpus:
            # Refused once a GPU is in use, that is, when a setup cell runs a second time.
            with contextlib.suppress(RuntimeError):
                tf.config.experimental.set_memory_growth(gpu, True)
        tf.constant(0.0)
    keras.utils.clear_session(free_memory=False)  # of what an interrupted cell left behind
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.utils.set_random_seed(seed)
    seed_is_own = seed == own
    plotting.set_style()
    if shell := get_ipython():
        shell.events.register("pre_run_cell", _start_clean)
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
