"""tools/binder.py on small lessons: one CPU, and a limit of memory and time."""

import os
import shutil
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

import binder

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity"), reason="only Linux can keep a process on one CPU"
)
ROOT = Path(binder.__file__).parents[1]
IS_ON_ONE_CPU = """\
import os, time
assert len(os.sched_getaffinity(0)) == 1
assert os.environ["TF_NUM_INTRAOP_THREADS"] == "1"
assert os.path.basename(os.getcwd()) == "notebooks"
"""
FULL = """\
import subprocess, sys
code = "import time; full = b'1' * 600_000_000; time.sleep(99)"
subprocess.run([sys.executable, "-c", code])
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A home, its variables and its server, run by this Python, which others may not reach."""
    home = tmp_path_factory.mktemp("home")
    for name in ("binder", "tools"):
        shutil.copytree(ROOT / name, home / "course" / name)
    (home / "course" / "notebooks").mkdir()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    variables = os.environ | {"PATH": path, "HOME": str(home)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(binder, "rights", dict)
        with binder.serve(home, variables) as server:
            yield home, variables, server


def measure(served, *codes):
    """Measure some code as a lesson."""
    path = served[0] / "course" / "notebooks" / "lesson.ipynb"
    nbformat.write(new_notebook(cells=[*map(new_code_cell, codes)]), path)
    return binder.measure(*served, "lesson")


def test_a_lesson_runs_on_one_cpu_beside_the_server_until_a_cell_fails(served):
    full = "full = b'1' * 300_000_000; time.sleep(2)"
    measured = measure(served, IS_ON_ONE_CPU, full, "1 / 0", "2")
    assert measured.failed == "cell 2, 1 / 0: ZeroDivisionError: division by zero"
    assert len(measured.cells) == 2, "in one kernel"
    server_gb = binder.most_gb(served[2].pid)
    assert server_gb > 0.05 and server_gb + 0.3 < measured.peak_gb < 0.8


def test_a_kernel_that_leaves_the_limits_is_stopped(served, monkeypatch):
    monkeypatch.setattr(binder, "MEMORY_GB", 0.6)
    full = measure(served, FULL)
    monkeypatch.setattr(binder, "LESSON_SECONDS", 2)
    late = measure(served, "__import__('time').sleep(99)")
    assert "Kernel died" in full.failed and "Kernel died" in late.failed, (
        "in a cell or at its start"
    )
    assert full.failed.endswith("server and kernel took more than 0.6 GB")
    assert late.failed.endswith("the lesson takes longer than 2 s")
