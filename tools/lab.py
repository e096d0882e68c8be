"""Open JupyterLab on the student's desk; the arguments are passed on to JupyterLab."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # which `python -I` leaves out
import desk

# What other work may have set and would change the lessons: packages, warnings, figures.
DROPPED = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONWARNINGS", "MPLBACKEND")


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of the server and its kernels."""
    env = {name: value for name, value in os.environ.items() if name not in DROPPED}
    env |= {"PYTHONNOUSERSITE": "1", "KERAS_BACKEND": "tensorflow"}
    # First of all places, or a kernel of the same name in the user's home would be taken.
    places = [os.path.join(sys.prefix, "share", "jupyter"), env.get("JUPYTER_PATH")]
    env["JUPYTER_PATH"] = os.pathsep.join(filter(None, places))
    if folder != desk.ROOT and not env.get("COURSE_DATA"):
        env["COURSE_DATA"] = str(folder / "data")
    return env


def main() -> None:
    """Lay out the desk, and become JupyterLab there: its folder is the root, the map in front."""
    folder = desk.lay_out()
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}"]
    command.append(f"--LabApp.default_url=/lab/tree/{desk.COPIES}/index.ipynb")  # also in the URL
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        print("Running as root: JupyterLab is started with --allow-root.", flush=True)
        command.append("--allow-root")
    os.chdir(folder)
    os.execve(sys.executable, command + sys.argv[1:], environment(folder))


if __name__ == "__main__":
    main()
