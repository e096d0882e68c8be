"""Run the suite with the newest releases that pyproject.toml allows, instead of the lock's.

python tools/latest.py                           the whole suite
python tools/latest.py tests/test_claims.py      what these pytest arguments choose

A fresh environment is made in a temporary folder, so that .venv and requirements.lock stay as they
are. At the end stands what is newer there than in the lock, and which tests failed. A test that
fails here and passes in `make test` is one that a new release has broken: repair the code, or
narrow the range in pyproject.toml.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
UV = Path(sys.prefix) / "bin" / "uv"
PROJECT = "bayesian-deep-learning-course"


def uv(*words: str | Path) -> str:
    """Run uv and return what it prints.

    Raises
    ------
    RuntimeError
        If it fails; holds the end of what it said.
    """
    result = subprocess.run(
        [UV, *words, "--no-config"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise RuntimeError("\n".join(result.stderr.strip().splitlines()[-20:]))
    return result.stdout


def plain(name: str) -> str:
    """Spell a package's name as the index does."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked() -> dict[str, str]:
    """Return the versions that the lock has for this Python and system."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    requirements = [Requirement(line) for line in lines if re.match(r"\w", line)]
    return {
        plain(requirement.name): str(requirement.specifier).removeprefix("==")
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate()
    }


def install(folder: Path) -> tuple[Path, dict[str, str]]:
    """Install the course into a new environment; return its Python and the versions there."""
    python = folder / "bin" / "python"
    uv("venv", folder, "--seed", "--python", sys.executable)  # with pip, which the tests call
    uv("pip", "install", "--python", python, "--upgrade", "--editable", ".[dev]")
    packages = json.loads(uv("pip", "list", "--python", python, "--format", "json"))
    return python, {plain(package["name"]): package["version"] for package in packages}


def changes(old: dict[str, str], new: dict[str, str]) -> str:
    """Tell, in a table, which packages have another version than in the lock or are not in it."""
    rows = [
        (name, old.get(name, "-"), version)
        for name, version in sorted(new.items())
        if old.get(name) != version and name not in (PROJECT, "pip")
    ]
    if not rows:
        return "Nothing is newer than in requirements.lock."
    rows.insert(0, ("package", "locked", "newest"))
    widths = [max(map(len, column)) + 2 for column in zip(*rows, strict=True)]
    lines = ["".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join(lines)


def run_suite(python: Path, report: Path, arguments: list[str]) -> tuple[int, list[str]]:
    """Run pytest with this Python; return its status and the tests that failed."""
    command = [python, "-m", "pytest", f"--junitxml={report}", *arguments]
    bins = f"{python.parent}{os.pathsep}{os.environ['PATH']}"  # as in an activated environment
    status = subprocess.run(command, cwd=ROOT, env=os.environ | {"PATH": bins}, check=False)
    if not report.exists():
        return status.returncode, []
    cases = ElementTree.parse(report).iter("testcase")
    failed = [
        "::".join(filter(None, (case.get("classname"), case.get("name"))))
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    ]
    return status.returncode, failed


def main(arguments: list[str]) -> int:
    """Install, run and tell; the exit status is 1 if something failed."""
    if not UV.exists():
        print(f"{UV} is missing: `make test-latest` installs it.", file=sys.stderr)
        return 1
    BUILD.mkdir(exist_ok=True)  # gigabytes: a temporary folder may lie in the memory
    with tempfile.TemporaryDirectory(prefix="latest-", dir=BUILD) as folder:
        print("Installing the newest releases that pyproject.toml allows ...", flush=True)
        try:
            python, newest = install(Path(folder, "env"))
        except RuntimeError as error:
            print(f"{error}\nThe newest releases could not be installed.", file=sys.stderr)
            return 1
        status, failed = run_suite(python, Path(folder, "report.xml"), arguments)
    print(f"\n{changes(locked(), newest)}\n")
    if failed:
        print(f"Failed with these releases: {len(failed)}", *failed, sep="\n  ")
        print("Run `make test` with the same TEST_ARGS: what fails there, too, is no news.")
    elif status:
        print(f"The suite did not come to its end: pytest's exit status is {status}.")
    else:
        print("The suite passes with these releases.")
    return int(status != 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
