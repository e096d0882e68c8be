"""Open JupyterLab on the course map; the arguments are passed on to JupyterLab.

In a computer room one installation serves everybody. Where its notebooks cannot be changed, each
works on copies at home, and downloads land beside them.
"""

import os
import shutil
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME_FOLDER = "bayesian-deep-learning"
COPIED = ("notebooks/*.ipynb", "notebooks/figures/*", "notebooks/tables/*", "docs/*", "data/*.md")
# What other work may have set and would change the lessons: packages, warnings, figures.
DROPPED = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONWARNINGS", "MPLBACKEND")


def copy_whole(source: Path, target: Path) -> None:
    """Copy a file, which appears under its name only when it is complete."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    shutil.copyfile(source, part)
    part.replace(target)


def furnish(desk: Path) -> None:
    """Copy to the desk what is missing there, and link the data; what is there stays as it is."""
    for pattern in COPIED:
        for source in filter(Path.is_file, ROOT.glob(pattern)):
            target = desk / source.relative_to(ROOT)
            if not target.exists():
                copy_whole(source, target)
    for entry in tomllib.loads((ROOT / "data" / "registry.toml").read_text("utf-8")).values():
        source, target = (folder / "data" / entry["file"] for folder in (ROOT, desk))
        if source.is_file() and not os.path.lexists(target):
            target.symlink_to(source)


def environment(desk: Path) -> dict[str, str]:
    """Return the environment of the server and its kernels."""
    env = {name: value for name, value in os.environ.items() if name not in DROPPED}
    env |= {"PYTHONNOUSERSITE": "1", "KERAS_BACKEND": "tensorflow"}
    # First of all places, or a kernel of the same name in the user's home would be taken.
    places = [os.path.join(sys.prefix, "share", "jupyter"), env.get("JUPYTER_PATH")]
    env["JUPYTER_PATH"] = os.pathsep.join(filter(None, places))
    if desk != ROOT and not env.get("COURSE_DATA"):
        env["COURSE_DATA"] = str(desk / "data")
    return env


def command(desk: Path, arguments: list[str], as_root: bool) -> list[str]:
    """Return JupyterLab's command line: the desk as its root, the course map in front."""
    start = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={desk}"]
    start.append("--LabApp.default_url=/lab/tree/notebooks/index.ipynb")  # also in the printed URL
    if as_root:
        start.append("--allow-root")
    return start + arguments


def main() -> None:
    """Find the desk to work at, and become JupyterLab there."""
    desk = ROOT
    if not os.access(ROOT / "notebooks", os.W_OK):
        desk = Path.home() / HOME_FOLDER
        try:
            furnish(desk)
        except OSError as error:
            sys.exit(
                f"{ROOT} cannot be changed by you, and your own copies cannot be kept in {desk}: "
                f"{error}. Make room there, or name another home: HOME=/path/to/it make lab"
            )
        print(f"Your work is kept in {desk} (the course in {ROOT} is shared).", flush=True)
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if as_root:
        print("Running as root: JupyterLab is started with --allow-root.", flush=True)
    os.chdir(desk)
    os.execve(sys.executable, command(desk, sys.argv[1:], as_root), environment(desk))


if __name__ == "__main__":
    main()
