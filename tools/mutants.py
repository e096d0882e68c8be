"""Faults, planted one at a time: each is a test of pytest, which passes if the fault is caught.

They are planted in a copy of the checkout: those of ``tests/mutants.toml`` or, with ``DRAWN``, some
that Cosmic Ray makes at random places of the package. A fault in the package is caught if one of
its tests fails; one in a lesson's source if the lesson, executed in a fresh kernel, stops. What was
caught is kept in ``build/mutants`` until the fault, its file, its tests, the package or the lock
change.

For a fault that survives, write a test that catches it. Where none can, because what Cosmic Ray
made changes nothing that matters, an entry ``[[harmless]]`` of the list says why.
"""

import functools
import os
import random
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from joblib import Memory

import notebooks
from course_utils import download

ROOT = Path(__file__).resolve().parents[1]
TIME_LIMIT = 900  # seconds for the tests of a fault, or for a lesson
TESTS = ("-m", "pytest", "-oaddopts=", "-pno:playwright", "-pno:cacheprovider", "-x", "-q")
LESSON = ("-c", "import sys, notebooks; notebooks.execute(notebooks.read_source(sys.argv[1]))")


def read_list() -> dict:
    """Read the list: faults, modules to draw from, and what is harmless."""
    return tomllib.loads((ROOT / "tests/mutants.toml").read_text(encoding="utf-8"))


def drawn(rng: random.Random) -> Iterator[dict]:
    """Let Cosmic Ray make faults like the listed ones in the listed modules, in any order.

    Left out are other signs for ``|``, which stands in type hints, and what is listed as harmless.
    """
    from cosmic_ray.commands import init
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator
    from cosmic_ray.work_db import use_db

    table = read_list()
    harmless = [(entry["file"], entry["old"], entry["new"]) for entry in table["harmless"]]
    with use_db(":memory:") as work:
        init([ROOT / file for file in table["drawn"]], work, {})
        places = [item.mutations[0] for item in work.work_items]
    places = [place for place in places if "ExceptionReplacer" not in place.operator_name]  # fails
    for place in rng.sample(places, len(places)):
        text, file = place.module_path.read_text("utf-8"), str(place.module_path.relative_to(ROOT))
        new = mutate_code(text, get_operator(place.operator_name)(), place.occurrence)
        line = place.start_pos[0]
        before, after = (code.splitlines()[line - 1].strip() for code in (text, new))
        if (file, before, after) not in harmless and "BitOr" not in place.operator_name:
            why = f"line {line}, {before}  ->  {after}"
            tests = table["drawn"][file]
            yield {"file": file, "old": text, "new": new, "why": why, "tests": tests}


def copy_checkout(folder: Path) -> None:
    """Copy what git knows or would add, so nothing that is installed, downloaded or built."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    for name in filter(None, listing.stdout.split("\0")):
        if (ROOT / name).is_file():  # it may have been removed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def complaint(command: tuple[str, ...], folder: Path) -> str:
    """Run Python in the copy; nothing if all is well there, or the end of what it says."""
    env = os.environ | {
        "PYTHONPATH": f"{folder}{os.pathsep}{folder / 'tools'}",  # before the course as installed
        "PYTHONDONTWRITEBYTECODE": "1",  # what is compiled could outlive its fault
        "COURSE_DATA": str(download.data_folder()),
    }
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    try:
        words = (sys.executable, *command)
        done = subprocess.run(words, cwd=folder, env=env, timeout=TIME_LIMIT, **both)
    except subprocess.TimeoutExpired:
        return f"no end after {TIME_LIMIT} seconds"
    return f"exit status {done.returncode}: {done.stdout[-1000:]}" if done.returncode else ""


complaint_without_fault = functools.cache(complaint)


def caught(fault: dict, folder: Path, made_from: list[str]) -> str:
    """Plant a fault, see whether that is noticed, and take it out again."""
    lesson = (*LESSON, Path(fault["file"]).stem)
    command = (*TESTS, *fault["tests"]) if "tests" in fault else lesson
    path = folder / fault["file"]
    sound = path.read_text(encoding="utf-8")
    assert sound.count(fault["old"]) == 1, "the old text has to be there exactly once"
    wrong = complaint_without_fault(command, folder)
    assert not wrong, f"something is wrong without any fault, too: {wrong}"
    path.write_text(sound.replace(fault["old"], fault["new"]), encoding="utf-8")
    by = complaint(command, folder)
    path.write_text(sound, encoding="utf-8")
    assert by, "survived"
    return by


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each fault that the variables of ``make test-mutants`` ask for."""
    number, many, word, seed = (os.environ.get(name, "") for name in ("N", "DRAWN", "ONLY", "SEED"))
    rng, listed = random.Random(seed), read_list()["fault"]
    faults = drawn(rng) if many else rng.sample(listed, len(listed))
    wanted = (fault for fault in faults if word in fault["file"])
    chosen = [*islice(wanted, int(many or number or 0) or None)]
    metafunc.parametrize("fault", chosen, ids=lambda fault: f"{fault['file']}: {fault['why']}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The copy in which faults are planted."""
    folder = tmp_path_factory.mktemp("checkout")
    copy_checkout(folder)
    return folder


def test_caught(fault: dict, folder: Path) -> None:
    names = (fault["file"], *(test.split("::")[0] for test in fault.get("tests", ())))
    made_from = [notebooks.package_hash(), *((ROOT / name).read_text("utf-8") for name in names)]
    kept = Memory(ROOT / "build" / "mutants", verbose=0).cache(caught, ignore=["folder"])
    kept(fault, folder, made_from)
