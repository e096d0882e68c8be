"""The start of a lesson: what is imported, what is printed, and what the seed governs."""

import json
import os
import random
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

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
    ours = ("TF_", "COURSE_", "OPENBLAS_")
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
    with runtime._quiet_native_log():
        os.write(2, b"inside\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


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
    assert draws() == expected
    assert capsys.readouterr().out.endswith(", seed 7\n")
    monkeypatch.setenv("COURSE_SEED", "")  # as `make test` without SEED may leave it
    assert course_utils.setup(seed=1) == 1


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
