"""Run the suite with the newest releases that pyproject.toml allows: `make test-latest`.

The arguments are pytest's. A fresh environment is made below build/ and removed afterwards; .venv
and requirements.lock stay as they are. pytest lists what failed; at the end stands what is newer
than in the lock. A test that fails here and passes in `make test` was broken by a new release:
repair the code, or narrow the range in pyproject.toml.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import install


def make_environment(folder: Path) -> Path:
    """Install the course with the newest releases into a new environment; return its Python."""
    subprocess.run([sys.executable, "-I", "-m", "venv", folder], check=True)
    install.uv_install(folder / "bin/python", "--upgrade", "--editable", ".[dev]")
    return folder / "bin/python"


def versions(python: Path) -> dict[str, str]:
    """Return the version of each package that a Python has, itself and the course aside."""
    command = [install.VENV / "bin/uv", "pip", "freeze", "--exclude-editable", "--python", python]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return dict(line.split("==") for line in lines if "==" in line and not line.startswith("pip="))


def changes(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """Tell which packages are newer than in the lock, or not in it."""
    rows = [(name, old.get(name, "-"), new[name]) for name in new if old.get(name) != new[name]]
    if not rows:
        return ["Nothing is newer than in requirements.lock."]
    return ["{:32}{:16}{}".format(*row) for row in [("package", "locked", "newest"), *rows]]


def main(arguments: list[str]) -> int:
    """Install, run and tell; return pytest's exit status."""
    build = install.ROOT / "build"  # gigabytes: a temporary folder may lie in the memory
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="latest-", dir=build) as folder:
        python = make_environment(Path(folder))
        path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"  # as in an activated environment
        command = [python, "-m", "pytest", "-rfE", *arguments]
        status = subprocess.run(command, cwd=install.ROOT, env=os.environ | {"PATH": path})
        lines = changes(versions(install.PYTHON), versions(python))
    print("", *lines, sep="\n")
    return status.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
