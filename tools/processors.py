"""Run the notebooks' tests as other processors would compute them, one setting after another.

python tools/processors.py                     every setting, every lesson
python tools/processors.py --draw 7 flows      one setting, drawn by this number, and this lesson

A setting that this machine lacks is skipped, and said so. A cell that fails names its number, how
far it is off and what was allowed: that is what its tolerance is set from.
"""

import argparse
import os
import platform
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from numpy._core._multiarray_umath import __cpu_dispatch__ as NUMPY_SETS  # lowest first
from numpy._core._multiarray_umath import __cpu_features__ as FEATURES

ROOT = Path(__file__).resolve().parents[1]


def threads(number: int) -> dict[str, str]:
    """Variables that give TensorFlow so many threads."""
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    return dict.fromkeys(names, str(number))


def instructions(onednn: str, xla: str, numpy: int) -> dict[str, str]:
    """Variables that keep oneDNN, XLA and NumPy's own loops to older instruction sets.

    Of NumPy's sets above its baseline the first `numpy` stay.
    """
    return {
        "ONEDNN_MAX_CPU_ISA": onednn,
        "XLA_FLAGS": f"--xla_cpu_max_isa={xla}",
        "NPY_DISABLE_CPU_FEATURES": " ".join(NUMPY_SETS[numpy:]),
    }


# Name: what the processor needs, the variables, the relative change of initial weights.
SETTINGS = {
    "SSE4, one thread": ("SSE42", instructions("SSE41", "SSE4_2", 0) | threads(1), 0),
    "AVX2, two threads": ("AVX2", instructions("AVX2", "AVX2", 1) | threads(2), 0),
    "AVX-512, two threads": ("AVX512F", instructions("AVX512_CORE", "AVX512", 2) | threads(2), 0),
    "without oneDNN, four threads": ("", {"TF_ENABLE_ONEDNN_OPTS": "0"} | threads(4), 0),
    "all instructions, four threads": ("", threads(4), 0),
    "initial weights + 3e-7, one thread": ("", threads(1), 3e-7),
    "initial weights - 1e-6, two threads": ("", threads(2), -1e-6),
}
# IPython runs this before a lesson's first cell.
CHANGED_WEIGHTS = """
import course_utils, keras
from keras.src.initializers.random_initializers import RandomInitializer

def _changed(draw):
    return lambda *args, **kwargs: draw(*args, **kwargs) * (1 + {change})

for _kind in RandomInitializer.__subclasses__():
    _kind.__call__ = _changed(_kind.__call__)
"""


def is_available(needs: str) -> bool:
    """Whether this processor has an instruction set; none is needed where `needs` is empty."""
    is_x86 = platform.machine().lower() in ("x86_64", "amd64")
    return not needs or (is_x86 and bool(FEATURES.get(needs)))


def environment(variables: dict[str, str], change: float, folder: Path) -> dict[str, str]:
    """Variables of a run; `folder` keeps the start of its kernels where weights are changed."""
    if change:
        start = folder / "profile_default" / "startup" / "weights.py"
        start.parent.mkdir(parents=True)
        start.write_text(CHANGED_WEIGHTS.format(change=change), encoding="utf-8")
        variables = variables | {"IPYTHONDIR": str(folder)}
    return {k: v for k, v in os.environ.items() if k != "COURSE_SEED"} | variables


def run(name: str, paths: list[str]) -> str:
    """Run the tests of these notebooks in one setting; say how it went."""
    needs, variables, change = SETTINGS[name]
    if not is_available(needs):
        return f"skipped: this processor has no {needs}"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pytest", "-q", *paths]
        env = environment(variables, change, Path(folder))
        status = subprocess.run(command, cwd=ROOT, env=env, check=False).returncode
    return "FAILED" if status else "passed"


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for; the exit status is 1 if a setting failed."""
    lessons = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    parser = argparse.ArgumentParser(description="Run the notebooks as other processors would.")
    parser.add_argument("lessons", nargs="*", metavar="LESSON")
    parser.add_argument("--draw", type=int, metavar="NUMBER", help="one setting, drawn by this")
    asked = parser.parse_args(arguments)
    if unknown := {*asked.lessons} - {*lessons}:
        parser.error(f"no lesson {', '.join(sorted(unknown))}: choose from {', '.join(lessons)}")
    names = list(SETTINGS)
    if asked.draw is not None:
        available = [name for name in names if is_available(SETTINGS[name][0])]
        names = [random.Random(asked.draw).choice(available)]
    paths = [f"notebooks/{lesson}.ipynb" for lesson in asked.lessons or lessons]
    results = {}
    for name in names:
        print(f"\n{name}", flush=True)
        results[name] = run(name, paths)
    print("\n".join(f"{result:8}{name}" for name, result in results.items()))
    return int("FAILED" in results.values())


if __name__ == "__main__":
    sys.exit(main())
