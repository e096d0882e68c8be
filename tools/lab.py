"""Open JupyterLab on the course map; the arguments are passed on to JupyterLab."""

import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# JupyterLab asks at its first start whether to fetch news from the network. Here nobody is asked
# and nothing is fetched; a student's own settings still win.
QUIET = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}


def set_defaults(environment: Path) -> None:
    """Write JupyterLab's defaults for this course into the environment that it runs from."""
    settings = environment / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(json.dumps(QUIET), encoding="utf-8")


def command(arguments: list[str], as_root: bool) -> list[str]:
    """Return JupyterLab's command line: the repository as its root, the course map in front."""
    start = [sys.executable, "-m", "jupyterlab"]
    start.append(f"--ServerApp.root_dir={ROOT}")
    start.append("--LabApp.default_url=/lab/tree/notebooks/index.ipynb")  # also in the printed URL
    if as_root:
        start.append("--allow-root")
    return start + arguments


if __name__ == "__main__":
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if as_root:
        print("Running as root: JupyterLab is started with --allow-root.", flush=True)
    set_defaults(Path(sys.prefix))
    os.chdir(ROOT)
    os.execv(sys.executable, command(sys.argv[1:], as_root))
