"""Install the course into .venv: `python tools/install.py lab`, or `test` with the tools for tests.

Standard library only, and readable by a Python as old as 3.6, so that a wrong Python can be named
in one line. A stamp inside .venv says what is installed there: a second call has nothing to do.
"""

import argparse
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
LOG = VENV / "pip.log"
STAMP = VENV / "installed.txt"
UNFINISHED = "unfinished"  # the stamp while packages are being written: such a .venv is made anew

OLDEST, NEWEST = (3, 11), (3, 13)  # as in pyproject.toml
TARGETS = {"lab": ".", "test": ".[dev]"}
TAIL = 20  # lines of output that say why a command failed
OFFLINE = re.compile(
    "connection broken by|Max retries exceeded|Failed to connect|ConnectionResetError"
    "|Read timed out|Network is unreachable|Temporary failure in name resolution"
)


def check_python():
    """Leave with one line when this Python cannot run the course."""
    version = sys.version_info[:2]
    if not OLDEST <= version <= NEWEST:
        sys.exit(
            f"Python {version[0]}.{version[1]} is too {'old' if version < OLDEST else 'new'}: "
            "the course needs Python 3.11, 3.12 or 3.13 (choose one with PYTHON=python3.12)."
        )


def wanted_stamps(kind):
    """Return the stamps that satisfy `kind`, its own first: what serves `test` serves `lab`."""
    digest = hashlib.sha256(str(ROOT).encode())
    for name in ("pyproject.toml", "requirements.lock"):
        digest.update((ROOT / name).read_bytes())
    return [f"{digest.hexdigest()} {known}" for known in (kind, "test")]


def read_stamp():
    """Return the stamp's text, empty where there is none."""
    return STAMP.read_text().strip() if STAMP.is_file() else ""


def venv_version():
    """Return the version of a working .venv such as "3.12", an empty string for a broken one."""
    code = "import pip, sys; print('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run(
            [str(PYTHON), "-c", code],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return ""
    return answer.stdout.decode().strip() if answer.returncode == 0 else ""


def is_supported(version):
    """Whether `version`, such as "3.12", is one that the course runs on."""
    return version != "" and OLDEST <= tuple(map(int, version.split("."))) <= NEWEST


def run(command):
    """Run a command, show its current line on a terminal, return its exit code and its lines."""
    process = subprocess.Popen(
        command,
        cwd=str(ROOT),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    show = sys.stdout.isatty()
    lines = []
    for raw in process.stdout:
        line = raw.decode("utf-8", "replace").rstrip()
        lines.append(line)
        if line.startswith("Installing collected packages"):
            STAMP.write_text(UNFINISHED)
        if show:
            width = shutil.get_terminal_size().columns - 1
            print("\r\033[K" + line.strip()[:width], end="", flush=True)
    if show:
        print("\r\033[K", end="", flush=True)
    return process.wait(), lines


def make_venv():
    """Make .venv anew, with pip, from the Python that runs this file."""
    if not all(map(importlib.util.find_spec, ("venv", "ensurepip"))):
        version = "{}.{}".format(*sys.version_info)
        sys.exit(
            f"The venv module of Python {version} is missing. "
            f"On Debian or Ubuntu: sudo apt install python{version}-venv"
        )
    import venv

    try:
        venv.create(str(VENV), clear=True, symlinks=os.name != "nt")
        STAMP.write_text(UNFINISHED)
    except (OSError, ValueError) as error:
        sys.exit(f"Could not make {VENV}: {error}")
    code, lines = run([str(PYTHON), "-m", "ensurepip", "--default-pip"])
    if code != 0:
        fail(lines, "pip could not be put into .venv.")


def fail(lines, summary):
    """Show the end of a command's output and leave with a line that sums it up."""
    sys.exit("\n".join([*lines[-TAIL:], summary]))


def pip_install(target):
    """Install the course with the versions of the lock, leaving what pip said in .venv."""
    command = [str(PYTHON), "-m", "pip", "install", "--no-input"]
    code, lines = run([*command, "-c", "requirements.lock", "-e", target])
    LOG.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if code == 0:
        return
    tail = "\n".join(lines[-TAIL:])
    if OFFLINE.search(tail) and "SSLError" not in tail:
        sys.exit(
            "The package index could not be reached: run the same command again when online. "
            f"(pip's log: {LOG})"
        )
    fail(lines, f"pip could not install the course; its log is {LOG}")


def install(kind):
    """Bring .venv to the state that `kind` ("lab" or "test") needs; do nothing when it is there."""
    stamps = wanted_stamps(kind)
    found = venv_version()
    ours = "{}.{}".format(*sys.version_info)
    if not is_supported(found) or read_stamp() == UNFINISHED:
        print("Installing the course into .venv (the first time takes minutes) ...", flush=True)
        make_venv()
        found = ours
    elif read_stamp() not in stamps:
        print("Bringing .venv up to date ...", flush=True)
    if found != ours:
        print(f".venv has Python {found}: `make clean` first to change to Python {ours}.")
    if read_stamp() not in stamps:
        pip_install(TARGETS[kind])
        STAMP.write_text(stamps[0])


def main():
    """Read the command line and install, one line for every known way to fail."""
    parser = argparse.ArgumentParser(description="Install the course into .venv.")
    parser.add_argument("kind", choices=sorted(TARGETS), nargs="?", default="lab")
    kind = parser.parse_args().kind
    check_python()
    try:
        install(kind)
    except KeyboardInterrupt:
        sys.exit("Interrupted: run the same command again to finish the installation.")
    except OSError as error:
        sys.exit(f"The installation failed: {error}")


if __name__ == "__main__":
    main()
