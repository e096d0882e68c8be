"""tools/processors.py: what its settings change, and which it skips."""

import subprocess
import sys

import pytest

import processors

NUMPY_SETS = """
from numpy._core._multiarray_umath import __cpu_dispatch__ as sets, __cpu_features__ as features
print(sum(features[name] for name in sets))
"""
WEIGHTS = """
import runpy, sys
import keras
weight = lambda: float(keras.initializers.GlorotUniform(seed=1)((1, 1))[0, 0])
before = weight()
runpy.run_path(sys.argv[1])
print(weight() / before - 1)
"""


def printed(name, code, folder):
    needs, variables, change = processors.SETTINGS[name]
    if not processors.is_available(needs):
        pytest.skip(f"this processor has no {needs}")
    env = processors.environment(variables, change, folder)
    command = [sys.executable, "-c", code, *map(str, folder.rglob("*.py"))]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return float(done.stdout)


def test_settings_change_numpy_and_the_last_digits_of_initial_weights(tmp_path):
    change = printed("initial weights - 1e-6, two threads", WEIGHTS, tmp_path)
    assert change == pytest.approx(-1e-6, abs=2e-7)
    assert printed("SSE4, one thread", NUMPY_SETS, tmp_path / "empty") == 0


def test_what_the_processor_lacks_is_skipped_and_said(monkeypatch, capsys):
    failed = subprocess.CompletedProcess([], 1)
    monkeypatch.setattr(processors, "FEATURES", {"SSE42": True})
    monkeypatch.setattr(processors.subprocess, "run", lambda *_, **__: failed)
    assert processors.main(["index"]) == 1
    told = capsys.readouterr().out
    assert "skipped: this processor has no AVX512F" in told
    assert "FAILED  SSE4, one thread" in told
    assert processors.main([]) == 1  # all lessons
    with pytest.raises(SystemExit):
        processors.main(["flow"])
    assert "no lesson flow: choose from autoencoders" in capsys.readouterr().err
