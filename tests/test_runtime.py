"""The start of a lesson: what is imported, what is printed, and what the seed governs."""

import ast
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

import course_utils
from course_utils import runtime

HEAVY = [
    "IPython",
    "keras",
    "matplotlib",
    "numpy",
    "pandas",
    "seaborn",
    "sklearn",
    "tensorflow",
    "tf_keras",
]
HEAVY += ["tensorflow_probability"]


@pytest.fixture(autouse=True)
def no_seed_from_outside(monkeypatch):
    monkeypatch.delenv("COURSE_SEED", raising=False)


def python(code: str, **environment: str) -> subprocess.CompletedProcess:
    """Run code in an interpreter of its own, without what this one has set."""
    ours = ("TF_", "COURSE_", "OPENBLAS_", "KERAS_")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    return subprocess.run(
        [sys.executable, "-c", code], env=inherited | environment, capture_output=True, text=True
    )


LOADED = f"""
import json, os, sys
import course_utils
settings = [os.environ[name] for name in ("TF_CPP_MIN_LOG_LEVEL", "OPENBLAS_NUM_THREADS")]
print(json.dumps([settings, [m for m in {HEAVY} if m in sys.modules]]))
"""


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, ["2", "1"]), ({"TF_CPP_MIN_LOG_LEVEL": "0", "OPENBLAS_NUM_THREADS": "4"}, ["0", "4"])],
)
def test_the_import_loads_nothing_heavy_and_makes_two_settings(given, expected):
    settings, loaded = json.loads(python(LOADED, **given).stdout)
    assert loaded == []  # TensorFlow and NumPy least of all: both are set before they load
    assert settings == expected


def test_setup_prints_one_line_and_no_native_log():
    done = python("import course_utils; course_utils.setup(seed=3)", TF_CPP_MIN_LOG_LEVEL="0")
    assert done.returncode == 0
    (line,) = done.stdout.splitlines()
    assert line.startswith("Python 3.") and line.endswith(", seed 3")
    assert f"TensorFlow {tf.__version__}, Keras {keras.__version__}, " in line
    assert done.stderr == ""


def test_a_failing_import_shows_the_native_log_that_was_held_back(tmp_path):
    log = 'import os; os.write(2, b"libcuda: version mismatch\\n")'
    (tmp_path / "tensorflow.py").write_text(f'{log}\nraise ImportError("no TensorFlow")')
    done = python("import course_utils; course_utils.setup()", PYTHONPATH=str(tmp_path))
    assert done.returncode != 0
    assert done.stderr.startswith("libcuda: version mismatch\n")
    assert done.stderr.rstrip().endswith("ImportError: no TensorFlow")
    assert done.stdout == ""


def test_only_the_block_holds_back_and_stderr_comes_back(capfd):
    with runtime._quiet_libraries():
        os.write(2, b"inside\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


WARNED = """
import logging, sys, warnings
from course_utils import runtime
sys.stderr = sys.stdout  # in a notebook, too, Python's is not the process's
def warn(text):
    warnings.warn(text + " from warnings")
    logging.getLogger("library").warning(text + " from logging")
with runtime._quiet_libraries():
    warn("inside")
warn("after")
"""


def test_what_python_libraries_warn_of_while_they_load_is_held_back_too():
    said = python(WARNED).stdout
    assert "inside" not in said
    assert "after from warnings" in said and "after from logging" in said


def draws() -> list[float]:
    return [random.random(), np.random.rand(), float(keras.random.normal(()))]


def test_the_seed_governs_python_numpy_and_keras(capsys):
    assert course_utils.setup(seed=1) == 1
    first = draws()
    course_utils.setup(seed=1)
    assert draws() == first
    course_utils.setup(seed=2)
    assert not set(draws()) & set(first)


def test_course_seed_takes_the_place_of_the_lesson_s(monkeypatch, capsys):
    course_utils.setup(seed=7)
    expected = draws()
    monkeypatch.setenv("COURSE_SEED", "7")
    assert course_utils.setup(seed=1) == 7
    assert not runtime.seed_is_own
    assert draws() == expected
    assert capsys.readouterr().out.endswith(", seed 7\n")
    monkeypatch.setenv("COURSE_SEED", "")  # as `make test` without SEED may leave it
    assert course_utils.setup(seed=1) == 1
    assert runtime.seed_is_own


@pytest.mark.parametrize("seed", [0, 2**32 - 1, np.int64(5)])
def test_every_seed_in_range_is_taken(seed, capsys):
    assert course_utils.setup(seed) == seed


@pytest.mark.parametrize(
    "seed", [-1, 2**32, 1.5, float("nan"), float("inf"), "seven", None, [1], 10**400]
)
def test_a_bad_seed_is_answered_with_a_sentence(seed):
    with pytest.raises(ValueError, match="must be a whole number from 0 to 4294967295"):
        course_utils.setup(seed)


def test_a_bad_course_seed_is_answered_with_a_sentence(monkeypatch):
    monkeypatch.setenv("COURSE_SEED", "1.5")
    with pytest.raises(ValueError, match=r"The seed is '1\.5'.*COURSE_SEED"):
        course_utils.setup(1)


@pytest.mark.parametrize(("gpus", "expected"), [([], 10), (["GPU:0"], 1000)])
def test_the_budget_fits_the_machine(gpus, expected, monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    assert course_utils.budget(cpu=10, gpu=1000) == expected


def test_setup_runs_again_on_a_gpu_in_use(monkeypatch, capsys):
    def refuse(gpu, enable):
        raise RuntimeError("Physical devices cannot be modified after being initialized")

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["GPU:0"])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", refuse)
    course_utils.setup()
    assert ", 1 GPU, seed 0" in capsys.readouterr().out


# ---- settings that were made for other work

ELSEWHERE = {
    "backend": "torch",
    "floatx": "float64",
    "epsilon": 1e-3,
    "image_data_format": "channels_first",
}
MATPLOTLIBRC = """
text.usetex: True
backend: TkAgg
figure.figsize: 2, 2
lines.marker: o
no.such.key: 3
"""
KERAS = "k.floatx(), k.epsilon(), k.image_data_format()"
CELLS = {
    "import course_utils; seed = course_utils.setup()": None,
    "import keras; print(keras.config.backend())": "tensorflow\n",
    f"k = keras.config; print({KERAS})": "float32 1e-07 channels_last\n",
    f"from tf_keras import backend as k; print({KERAS})": "float32 1e-07 channels_last\n",
    "import matplotlib.pyplot as plt; print(plt.rcParams['lines.marker'])": "None\n",
    "import test_runtime as t; t.stop_half_way(KeyboardInterrupt); print()": "\n",
    "t.fit_another(); print('trained')": "trained\n",  # without setup() between the two
}


def test_a_lesson_inherits_no_setting_and_changes_no_file(tmp_path):
    theirs = {
        tmp_path / ".keras" / "keras.json": json.dumps(ELSEWHERE),
        tmp_path / ".config" / "matplotlib" / "matplotlibrc": MATPLOTLIBRC,
        tmp_path / "matplotlibrc": MATPLOTLIBRC,  # in the folder of the notebook
    }
    for path, text in theirs.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    environment = os.environ | {
        "HOME": str(tmp_path),
        "KERAS_BACKEND": "jax",
        "KERAS_HOME": str(tmp_path / ".keras"),
        "KERAS_MAX_EPOCHS": "1",
        "MPLBACKEND": "TkAgg",
        "PYTHONPATH": str(Path(__file__).parent),
    }
    last = new_code_cell("_ = plt.plot([0, 1])")
    notebook = new_notebook(cells=[*map(new_code_cell, CELLS), last])
    where = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, kernel_name="python3", resources=where).execute(env=environment)
    for cell, expected in zip(notebook.cells, CELLS.values(), strict=False):
        (output,) = cell.outputs  # no warning beside it
        assert output.name == "stdout"
        assert expected in (None, output.text)
    (picture,) = last.outputs
    assert "image/png" in picture.data  # under its cell, and drawn without LaTeX
    assert {path: path.read_text() for path in theirs} == theirs


def test_keras_writes_nothing_into_a_home(tmp_path):
    done = python("import course_utils, keras, tf_keras", HOME=str(tmp_path))
    assert done.returncode == 0
    assert not (tmp_path / ".keras").exists()


def test_setup_puts_right_what_keras_has_read_before(capsys):
    keras.config.set_floatx("float64")
    keras.config.set_epsilon(1e-3)
    keras.config.set_image_data_format("channels_first")
    keras.config.set_dtype_policy("float64")
    course_utils.setup()
    k = keras.config
    assert [k.floatx(), k.epsilon(), k.image_data_format()] == ["float32", 1e-7, "channels_last"]
    assert keras.layers.Dense(1).compute_dtype == "float32"


RESTART = "restart the kernel and import course_utils first"


def test_keras_with_another_backend_is_answered_with_a_sentence(monkeypatch):
    monkeypatch.setattr("keras.src.backend.config._BACKEND", "torch")
    with pytest.raises(RuntimeError, match=RESTART):
        course_utils.setup()


def test_so_is_an_import_of_keras_that_failed_for_want_of_its_backend():
    early = "try:\n    import keras\nexcept ImportError:\n    pass\n"
    done = python(early + "import course_utils; course_utils.setup()", KERAS_BACKEND="torch")
    assert done.stderr.splitlines()[-1].startswith("RuntimeError: Keras was imported before")
    assert done.stderr.endswith(f"{RESTART}.\n")


@pytest.mark.parametrize(("given", "threads"), [({}, 1), ({"OPENBLAS_NUM_THREADS": "2"}, 2)])
def test_numpy_that_came_first_is_kept_on_one_thread_too(given, threads):
    code = "import numpy, course_utils, threadpoolctl\nprint(threadpoolctl.threadpool_info())"
    (library,) = ast.literal_eval(python(code, **given).stdout)
    assert library["num_threads"] == min(threads, os.cpu_count())


# ---- what a model that was never finished leaves behind


class Twice(keras.Model):
    """Keras builds a model of this kind by following its call with symbols."""

    def __init__(self, initializer="glorot_uniform"):
        super().__init__()
        self.first = keras.layers.Dense(2)
        self.second = keras.layers.Dense(1, kernel_initializer=initializer)

    def call(self, x):
        return self.second(self.first(x))


def stop_half_way(error: type[BaseException]) -> None:
    """Make a mistake, which is there at every call, or interrupt, which happens once."""
    calls = []

    def stop(shape, dtype=None):
        calls.append(shape)
        if error is TypeError or len(calls) == 2:  # the first call makes a placeholder
            raise error
        return keras.ops.zeros(shape, dtype)

    with pytest.raises(error):
        Twice(stop)(np.ones((4, 3)))


def fit_another() -> None:
    model = Twice()
    model.compile(loss="mse")
    model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0)


@pytest.mark.parametrize("clean", [course_utils.setup, runtime.forget_unfinished_models])
@pytest.mark.parametrize("error", [TypeError, KeyboardInterrupt])
def test_after_a_stop_half_way_the_next_model_trains(clean, error, capsys):
    stop_half_way(error)
    with pytest.raises(AttributeError):
        fit_another()  # the mistake of Keras that is cured here
    clean()
    fit_another()


def test_forgetting_changes_no_number_and_no_name(capsys):
    def numbers(between):
        course_utils.setup(seed=1)
        before, layer = draws(), keras.layers.Dense(1)
        between()
        dropped = keras.layers.Dropout(0.5)(np.ones((2, 9)), training=True)
        weights = keras.layers.Dense(3)(np.ones((1, 4)))
        return before, layer.name, keras.layers.Dense(1).name, draws(), str(dropped), str(weights)

    assert numbers(runtime.forget_unfinished_models) == numbers(lambda: None)
