"""Faults, planted one at a time: each is a test of pytest, which passes if the fault is caught.

The checkout is copied into a temporary folder and the faults are planted there, never here: those
of ``tests/mutants.toml`` or, with ``DRAWN``, some that Cosmic Ray makes at random places of the
package. A fault in the package is caught if one of its tests fails; one in a lesson's source if the
lesson, executed in a fresh kernel, stops: at a claim, as a rule. What was caught stays in pytest's
cache, by the fault, its file, its tests, the package and the lock.

For a fault that survives, write a test that catches it. Where none can, because what Cosmic Ray
made changes nothing that matters, an entry ``[[harmless]]`` of the list says why.
"""

import functools
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tomllib
from dataclasses import astuple, dataclass
from pathlib import Path

import pytest

import notebooks
from course_utils import data

ROOT = Path(__file__).resolve().parents[1]
TIME_LIMIT = 900  # seconds for the tests of a fault, or for a lesson
TESTS = ("-m", "pytest", "-oaddopts=", "-pno:playwright", "-pno:cacheprovider", "-x", "-q", "-rfE")
LESSON = ("-c", "import sys, notebooks; notebooks.execute(notebooks.read_source(sys.argv[1]))")


@dataclass(frozen=True)
class Fault:
    """One change of a file, and the tests that must notice it: for a lesson none but itself."""

    file: str
    old: str
    new: str
    why: str
    tests: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.file}: {self.why}"

    @property
    def command(self) -> tuple[str, ...]:
        """What Python runs to see whether all is well."""
        return (*TESTS, *self.tests) if self.tests else (*LESSON, Path(self.file).stem)

    def key(self, root: Path) -> str:
        """Hash of what decides whether this is caught."""
        names = (self.file, *(test.split("::")[0] for test in self.tests))
        texts = [(root / name).read_text(encoding="utf-8") for name in names]
        decides = json.dumps([astuple(self), texts, notebooks.package_hash(root)])
        return hashlib.sha256(decides.encode()).hexdigest()


def read_list() -> dict:
    """Read the list: faults, modules to draw from, and what is harmless."""
    return tomllib.loads((ROOT / "tests/mutants.toml").read_text(encoding="utf-8"))


def listed(word: str = "") -> list[Fault]:
    """Make the listed faults in files whose path holds this word."""
    entries = [entry for entry in read_list()["fault"] if word in entry["file"]]
    return [Fault(**entry | {"tests": tuple(entry.get("tests", ()))}) for entry in entries]


def drawn(word: str, number: int, rng: random.Random) -> list[Fault]:
    """Let Cosmic Ray make faults at random places of the listed modules whose path holds a word.

    Left out are other signs for ``|``, which stands in type hints, and what is listed as harmless.
    """
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator, operator_names

    table, places, faults = read_list(), {}, []
    harmless = [(entry["file"], entry["old"], entry["new"]) for entry in table.get("harmless", ())]
    operators = [get_operator(name) for name in operator_names() if "BitOr" not in name]
    operators = [operator() for operator in operators if not operator.arguments()]
    texts = {file: (ROOT / file).read_text("utf-8") for file in table["drawn"] if word in file}
    for file, text in texts.items():
        nodes = list(ast_nodes(get_ast(text)))
        for operator in operators:
            starts = [start for node in nodes for start, _ in operator.mutation_positions(node)]
            for occurrence, (line, column) in enumerate(starts):
                places.setdefault((file, line, column), []).append((operator, occurrence))
    for file, line, column in rng.sample(sorted(places), len(places)):
        new = mutate_code(texts[file], *rng.choice(places[file, line, column]))
        before, after = (text.splitlines()[line - 1].strip() for text in (texts[file], new))
        if (file, before, after) not in harmless and len(faults) < number:
            why = f"line {line}, {before}  ->  {after}"
            faults.append(Fault(file, texts[file], new, why, tuple(table["drawn"][file])))
    return faults


def copy_checkout(folder: Path) -> None:
    """Copy what git knows or would add, so nothing that is installed, downloaded or built."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if listing.returncode:
        raise RuntimeError("git cannot list the course's files: a clone is needed.")
    for name in filter(None, listing.stdout.split("\0")):
        if (ROOT / name).is_file():  # it may have been removed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def complaint(command: tuple[str, ...], folder: Path) -> str:
    """Run Python in the copy; nothing if all is well there, or a line that says what is not."""
    env = {k: v for k, v in os.environ.items() if k not in ("COURSE_SEED", "COURSE_CLAIMS")} | {
        "PYTHONPATH": f"{folder}{os.pathsep}{folder / 'tools'}",  # before the course as installed
        "PYTHONDONTWRITEBYTECODE": "1",  # what is compiled could outlive its fault
        "COURSE_DATA": str(data.data_folder()),
    }
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    try:
        words = (sys.executable, *command)
        done = subprocess.run(words, cwd=folder, env=env, timeout=TIME_LIMIT, **both)
    except subprocess.TimeoutExpired:
        return f"no end after {TIME_LIMIT} seconds"
    lines = done.stdout.splitlines() or [f"exit status {done.returncode}"]
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))] or lines[-1:]
    return failed[0].strip() if done.returncode else ""


complaint_without_fault = functools.cache(complaint)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each fault that the variables of ``make test-mutants`` ask for."""
    number, many, word = (os.environ.get(name, "") for name in ("N", "DRAWN", "ONLY"))
    rng = random.Random(int(os.environ.get("SEED") or 0))
    faults = drawn(word, int(many), rng) if many else listed(word)
    if number:
        faults = rng.sample(faults, min(int(number), len(faults)))
    if not faults:
        raise ValueError("no fault to plant: ask for 1 or more, in files that there are")
    metafunc.parametrize("fault", faults, ids=str)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The copy in which faults are planted."""
    folder = tmp_path_factory.mktemp("checkout")
    copy_checkout(folder)
    return folder


def test_caught(fault: Fault, folder: Path, cache: pytest.Cache) -> None:
    """Plant the fault, see whether that is noticed, and take it out again."""
    kept = f"caught/{fault.key(folder)}"
    if cache.get(kept, ""):
        return
    path = folder / fault.file
    sound = path.read_text(encoding="utf-8")
    assert sound.count(fault.old) == 1, "the old text has to be there exactly once"
    wrong = complaint_without_fault(fault.command, folder)
    assert not wrong, f"something is wrong without any fault, too: {wrong}"
    path.write_text(sound.replace(fault.old, fault.new), encoding="utf-8")
    by = complaint(fault.command, folder)
    path.write_text(sound, encoding="utf-8")
    assert by, "survived"
    cache.set(kept, by)
