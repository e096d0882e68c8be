"""What Binder and conda read; `make test-release` installs as Binder does."""

import os
import re
import subprocess
import sys

import install

ROOT = install.ROOT


def test_conda_and_binder_have_one_python_and_the_lock():
    texts = [(ROOT / name).read_text() for name in ("environment.yml", "binder/environment.yml")]
    (minor,) = {re.search(r"- python=3\.(\d+)\n  - pip\b", text)[1] for text in texts}
    assert install.OLDEST <= (3, int(minor)) <= install.NEWEST
    assert texts[0].endswith("  - pip:\n      - -c requirements.lock\n      - -e .\n")


def test_start_caps_threads_and_becomes_its_command():
    code = "import os, sys; print(os.getppid(), *map(os.environ.get, sys.argv[1:])); sys.exit(5)"
    names = [f"{library}_NUM_THREADS" for library in ("OMP", "OPENBLAS", "MKL")]
    names += ["TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"]
    command = [ROOT / "binder/start", sys.executable, "-c", code, *names]
    env = os.environ | {"OMP_NUM_THREADS": "64"}
    result = subprocess.run(command, env=env, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (5, f"{os.getpid()} 1 1 1 1 1\n")
