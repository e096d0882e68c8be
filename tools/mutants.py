"""Plant faults, one at a time, and see whether the tests catch them.

python tools/mutants.py                         every fault of tests/mutants.toml
python tools/mutants.py --only metrics          those in files whose path holds this word
python tools/mutants.py --sample 6 --seed 3     six of them, drawn at random
python tools/mutants.py --drawn 20 --seed 3     twenty that Cosmic Ray makes in the package
python tools/mutants.py --fresh                 tries again what was tried already

The checkout is copied into a temporary folder and each fault is planted there, never here. A fault
in the package is caught if one of its tests fails; one in a lesson's source if the lesson, executed
in a fresh kernel, stops: at a claim, as a rule. What was found is kept in ``build/mutants``, by the
fault, its tests, the package and the lock: an interrupted command goes on where it was.

Survivors are listed, and the exit status is 1: write a test that catches them. Where none can,
because the fault changes nothing that matters, the list says why: as ``harmless`` of a fault, or,
for what Cosmic Ray made, as an entry ``[[harmless]]`` with the line before and after.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

import notebooks
from course_utils import data

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "tests" / "mutants.toml"
STORE = ROOT / "build" / "mutants"
HELPERS = ("tests/conftest.py", "tests/local_site.py", "tests/exercise_answers.py")
SOURCES = "notebooks/source/"
TIME_LIMIT = 900  # seconds for one file of tests, or for one lesson
FAILED, BROKEN = 1, 2  # pytest's exit status after a failing test, and after a failing import


class ListError(ValueError):
    """The list of faults does not fit the files any more."""


@dataclass(frozen=True)
class Fault:
    """One change of a file, and the tests that must notice it."""

    file: str
    old: str
    new: str
    why: str
    tests: tuple[str, ...] = ()
    harmless: str = ""

    @property
    def lesson(self) -> str:
        """Name of the lesson whose source this is a fault in; empty in the package."""
        return Path(self.file).stem if self.file.startswith(SOURCES) else ""

    def planted(self) -> str:
        """Return the file's text with the fault in it.

        Raises
        ------
        ListError
            If the file is not there, or does not hold the old text exactly once.
        """
        path = ROOT / self.file
        found = path.read_text(encoding="utf-8").count(self.old) if path.exists() else 0
        if found != 1:
            raise ListError(
                f"{self.file}: the old text has to be there once, but is found {found} times: "
                f"{self.old.strip()!r}"
            )
        if self.old == self.new:
            raise ListError(f"{self.file}: the new text is the old one: {self.new.strip()!r}")
        return path.read_text(encoding="utf-8").replace(self.old, self.new)

    def key(self) -> str:
        """Return a hash of all that decides whether the fault is caught by its own tests."""
        parts = [self.file, self.planted(), *self.tests, notebooks.package_hash(ROOT)]
        files = [ROOT / name.split("::")[0] for name in (*self.tests, *HELPERS)]
        parts += [path.read_text(encoding="utf-8") for path in files if path.exists()]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

    def __str__(self) -> str:
        return f"{self.file}: {self.why}"


def listed() -> list[Fault]:
    """Read the faults of the list.

    Raises
    ------
    ListError
        If some of them cannot be planted, or a test is not there; names them all.
    """
    entries = tomllib.loads(LIST.read_text(encoding="utf-8"))["fault"]
    faults = [Fault(**entry | {"tests": tuple(entry.get("tests", ()))}) for entry in entries]
    wrong = []
    for fault in faults:
        try:
            fault.planted()
        except ListError as error:
            wrong.append(str(error))
        gone = [test for test in fault.tests if not (ROOT / test.split("::")[0]).exists()]
        if gone or bool(fault.tests) == bool(fault.lesson):
            wrong.append(f"{fault}: tests are needed, and none for a lesson; not there: {gone}")
    if wrong:
        raise ListError("\n".join(wrong))
    return faults


def drawn(number: int, seed: int, word: str = "") -> list[Fault]:
    """Let Cosmic Ray make faults, at places drawn at random from the modules that the list names.

    Only those whose path holds the word are drawn from. Left out are other signs for ``|``, which
    stands in type hints, and what the list calls harmless.
    """
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator, operator_names

    table = tomllib.loads(LIST.read_text(encoding="utf-8"))
    harmless = {(entry["file"], entry["old"], entry["new"]) for entry in table.get("harmless", [])}
    operators = [get_operator(name) for name in operator_names() if "BitOr" not in name]
    operators = [operator() for operator in operators if not operator.arguments()]
    places = {}
    for file in (name for name in table["drawn"] if word in name):
        nodes = list(ast_nodes(get_ast((ROOT / file).read_text(encoding="utf-8"))))
        for operator in operators:
            starts = [start for node in nodes for start, _ in operator.mutation_positions(node)]
            for occurrence, start in enumerate(starts):
                places.setdefault((file, start), []).append((operator, occurrence))
    rng, faults = random.Random(seed), []
    for place in rng.sample(sorted(places), len(places)):
        if len(faults) == number:
            break
        file, (line, _) = place
        operator, occurrence = rng.choice(places[place])
        old = (ROOT / file).read_text(encoding="utf-8")
        new = mutate_code(old, operator, occurrence)
        before, after = (text.splitlines()[line - 1].strip() for text in (old, new))
        if (file, before, after) not in harmless:
            why = f"line {line}, {before}  ->  {after}"
            faults.append(Fault(file, old, new, why, tuple(table["drawn"][file])))
    return faults


def copy_checkout(folder: Path) -> None:
    """Copy what git knows or would add, so nothing that is installed, downloaded or built.

    Raises
    ------
    RuntimeError
        If this is no clone; says what git says.
    """
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        raise RuntimeError(f"git cannot list the course's files: {listing.stderr.strip()}")
    for name in filter(None, listing.stdout.split("\0")):
        if (ROOT / name).is_file():  # it may have been removed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def run(arguments: list[str], folder: Path, seconds: float) -> tuple[int | None, str]:
    """Run Python in the copy: exit status, None for one that ran out of time, and all it said."""
    env = os.environ | {
        "PYTHONPATH": str(folder),  # before the course that is installed
        "PYTHONDONTWRITEBYTECODE": "1",  # what is compiled could outlive its fault
        "COURSE_DATA": str(data.data_folder()),
    }
    env = {key: env[key] for key in env.keys() - {"COURSE_SEED", "COURSE_CLAIMS"}}
    try:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return None, f"ran out of time: {seconds} s"
    return done.returncode, done.stdout


def pytest(tests: list[str], folder: Path) -> tuple[int | None, str]:
    """Run these tests up to the first failure; says which one it was."""
    words = ["-m", "pytest", "-x", "-q", "-rfE", "-p", "no:cacheprovider", *tests]
    status, said = run(words, folder, seconds=TIME_LIMIT * len(tests))
    lines = [line for line in said.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return status, (lines or said.splitlines()[-1:] or [""])[0]


def build(lesson: str, folder: Path) -> tuple[int | None, str]:
    """Execute a lesson up to the first error; says which one it was."""
    status, said = run(["tools/notebooks.py", lesson], folder, seconds=TIME_LIMIT)
    return status, (said.strip().splitlines() or [""])[-1].strip()


def check_sound(faults: list[Fault], folder: Path) -> None:
    """See that all is well without a fault: the tests pass, and so do the lessons.

    Raises
    ------
    RuntimeError
        If not.
    """
    if tests := sorted({test for fault in faults for test in fault.tests}):
        status, said = pytest(tests, folder)
        if status != 0:
            raise RuntimeError(f"the tests fail without any fault: {said}")
    for lesson in sorted({fault.lesson for fault in faults} - {""}):
        status, said = build(lesson, folder)
        if status != 0:
            raise RuntimeError(f"{lesson} stops without any fault: {said}")


def attempt(fault: Fault, folder: Path) -> dict:
    """Plant a fault in the copy, run its tests, and take it out again.

    Raises
    ------
    RuntimeError
        If the tests could not be run.
    """
    path = folder / fault.file
    sound = path.read_text(encoding="utf-8")
    path.write_text(fault.planted(), encoding="utf-8")
    try:
        if fault.lesson:
            status, by = build(fault.lesson, folder)
        else:
            status, by = pytest(list(fault.tests), folder)
    finally:
        path.write_text(sound, encoding="utf-8")
    died = status is not None and status < 0  # by a signal: the fault broke Python itself
    if status not in (0, FAILED, BROKEN, None) and not died:
        raise RuntimeError(f"{fault}: its tests could not be run, exit status {status}: {by}")
    return {"fault": str(fault), "caught": status != 0, "by": by}


def try_all(faults: list[Fault], paths: list[Path]) -> None:
    """Try the faults, and keep at once what was found of each."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as scratch:
        folder = Path(scratch).resolve()
        copy_checkout(folder)
        check_sound(faults, folder)
        STORE.mkdir(parents=True, exist_ok=True)
        for fault, path in zip(tqdm(faults, unit="fault"), paths, strict=True):
            found = attempt(fault, folder)
            unfinished = path.with_suffix(".unfinished")
            unfinished.write_text(json.dumps(found, indent=1), encoding="utf-8")
            unfinished.replace(path)
            tqdm.write(f"{'caught' if found['caught'] else 'SURVIVED'}  {fault}\n    {found['by']}")


def main(arguments: list[str] | None = None) -> int:
    """Try what is asked for; the exit status is 1 if a fault survived."""
    parser = argparse.ArgumentParser(description="Plant faults and see whether tests catch them.")
    parser.add_argument("--only", default="", metavar="WORD", help="in files whose path holds it")
    parser.add_argument("--sample", type=int, metavar="K", help="K faults of the list, at random")
    parser.add_argument(
        "--drawn", type=int, metavar="K", help="K faults made by Cosmic Ray instead"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the sample, or of what is drawn")
    parser.add_argument("--fresh", action="store_true", help="keep nothing of earlier runs")
    asked = parser.parse_args(arguments)
    for name, number in (("--sample", asked.sample), ("--drawn", asked.drawn)):
        if number is not None and number < 1:
            parser.error(f"{name} {number} plants nothing: ask for 1 or more")
    if asked.sample is not None and asked.drawn is not None:
        parser.error(
            "--sample draws from the list, --drawn makes other faults: ask for one of them"
        )
    try:
        if asked.drawn is None:
            faults = [fault for fault in listed() if asked.only in fault.file]
        else:
            faults = drawn(asked.drawn, asked.seed, asked.only)
        if not faults:
            parser.error(f"no fault is in a file whose path holds {asked.only!r}")
        if asked.sample is not None:
            number = min(asked.sample, len(faults))
            faults = random.Random(asked.seed).sample(faults, number)
        paths = {fault: STORE / f"{fault.key()}.json" for fault in faults}
        new = [fault for fault in faults if asked.fresh or not paths[fault].exists()]
        if new:
            try_all(new, [paths[fault] for fault in new])
    except (ListError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    caught = {fault: json.loads(paths[fault].read_text("utf-8"))["caught"] for fault in faults}
    survivors = [fault for fault in faults if not caught[fault] and not fault.harmless]
    wrong = [fault for fault in faults if caught[fault] and fault.harmless]
    print(
        f"{sum(caught.values())} of {len(faults)} faults caught, {len(survivors)} survived, "
        f"{sum(not caught[fault] for fault in faults) - len(survivors)} harmless"
    )
    for fault in survivors:
        print(f"survived: {fault}")
    for fault in wrong:
        print(f"called harmless, but caught: {fault}")
    return int(bool(survivors or wrong))


if __name__ == "__main__":
    sys.exit(main())
