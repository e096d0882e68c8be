"""Run every lesson within what Binder gives: one CPU, 2 GB, and no rights outside one's home.

The checkout is copied into a new home, ``binder/postBuild`` installs it into a clean environment,
and ``binder/start`` starts JupyterLab and, beside it, the lessons, one after another. A watchdog
adds up the memory of the server, of the lesson's kernel and of all that they started, of each
process the most that it ever had. All of it belongs to the user *nobody* if root starts this.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

import bench
from course_utils import download
from mutants import copy_checkout

LESSON_SECONDS, MEMORY_GB = 240, 2.0
NOBODY = 65534
PYTHONS = ("python3.12", "python3.13", "python3.11")  # Binder's own first
RUN = """\
import dataclasses, json, sys
sys.path.insert(0, "tools")
import bench
print(json.dumps(dataclasses.asdict(bench.measure(sys.argv[1]))))"""


def rights() -> dict:
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


def install(home: Path) -> dict[str, str]:
    """Put the course into a home as Binder does; return the environment's variables."""
    course, venv = home / "course", home / "venv"
    copy_checkout(course)
    shutil.copytree(download.data_folder(), course / "data", dirs_exist_ok=True)
    if rights():
        subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", home], check=True)
    not_kept = ("COURSE_", "CONDA", "JUPYTER", "PYTHON", "VIRTUAL_ENV")
    variables = {k: v for k, v in os.environ.items() if not k.startswith(not_kept)}
    path = f"{venv}/bin:{os.environ['PATH']}:/usr/local/bin:/usr/bin:/bin"
    variables |= {"HOME": str(home), "TMPDIR": str(home), "PATH": path, "PIP_QUIET": "1"}
    options = rights() | {"cwd": course, "env": variables}
    makes = " || ".join(f"{python} -m venv --clear {venv}" for python in PYTHONS)
    if subprocess.run(["sh", "-c", makes], **options, capture_output=True).returncode:
        sys.exit(
            "There is no Python 3.11 to 3.13 with the venv module that other users may start, too: "
            "install one for the whole machine, on Debian with: sudo apt install python3-venv"
        )
    if subprocess.run([course / "binder" / "postBuild"], **options).returncode:
        sys.exit("binder/postBuild failed: the reason stands above.")
    return variables


def start(home: Path, variables: dict[str, str], *command: str, **options) -> subprocess.Popen:
    """Start something in the course's folder as Binder does, on one CPU."""
    cpu = str(min(os.sched_getaffinity(0)))
    whole = ["taskset", "--cpu-list", cpu, "binder/start", *command]
    return subprocess.Popen(whole, **rights(), cwd=home / "course", env=variables, **options)


@contextmanager
def serve(home: Path, variables: dict[str, str]) -> Iterator[subprocess.Popen]:
    """JupyterLab, from the time that it runs; stopped in the end."""
    log = home / "lab.log"
    with log.open("w") as said:
        # Any port that is free. Root is nobody here, except in the tests.
        command = ("jupyter-lab", "--no-browser", "--port=0", "--allow-root")
        server = start(home, variables, *command, stdout=said, stderr=said)
    try:
        while "is running at" not in log.read_text():
            if server.poll() is not None:
                sys.exit(f"JupyterLab did not start:\n{log.read_text()}")
            time.sleep(0.2)
        yield server
    finally:
        server.terminate()
        server.wait()


def started_by(process: subprocess.Popen) -> list[psutil.Process]:
    """All that a process started, and what that started, from the second second of its life on.

    Before that it may be a copy of who started it, whose memory would be counted twice.
    """
    with suppress(psutil.NoSuchProcess):
        children = psutil.Process(process.pid).children(recursive=True)
        return [child for child in children if child.create_time() < time.time() - 1]
    return []


def most_gb(pid: int) -> float:
    """The most memory that a process ever had resident; 0 when it is over."""
    with suppress(OSError):
        if found := re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()):
            return int(found[1]) * 1024 / 1e9
    return 0


def measure(
    home: Path, variables: dict[str, str], server: subprocess.Popen, lesson: str
) -> bench.Measured:
    """Run a lesson beside the server; its kernel is killed when it leaves the limits."""
    runner = start(home, variables, "python", "-c", RUN, lesson, stdout=subprocess.PIPE, text=True)
    end, peak_gb, broken = time.monotonic() + LESSON_SECONDS, 0.0, ""
    while runner.poll() is None:
        kernel = started_by(runner)  # the runner itself has no counterpart on Binder
        pids = [server.pid, *(process.pid for process in started_by(server) + kernel)]
        peak_gb = max(peak_gb, sum(map(most_gb, pids)))
        if server.poll() is not None:
            broken = "JupyterLab has ended"
        elif peak_gb > MEMORY_GB:
            broken = f"server and kernel took more than {MEMORY_GB} GB"
        elif time.monotonic() > end:
            broken = f"the lesson takes longer than {LESSON_SECONDS} s"
        for process in kernel if broken else []:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        time.sleep(0.05)
    said = runner.stdout.read()
    measured = bench.Measured(**json.loads(said)) if said else bench.Measured(failed="its start")
    measured.peak_gb = peak_gb
    measured.failed = ": ".join(filter(None, (measured.failed, broken)))
    return measured


def main(arguments: list[str] | None = None) -> int:
    """Measure what is asked for; the exit status is 1 if a lesson misses a limit."""
    parser = argparse.ArgumentParser(description="Run the lessons within Binder's limits.")
    parser.add_argument("lesson", nargs="?", choices=bench.lessons(), metavar="LESSON")
    lesson = parser.parse_args(arguments).lesson
    if not hasattr(os, "sched_getaffinity"):
        sys.exit("Only Linux can keep a process on one CPU, as Binder does.")
    with tempfile.TemporaryDirectory(dir="/var/tmp", ignore_cleanup_errors=True) as folder:
        print("Installing the course as Binder does (takes minutes) ...", flush=True)
        home = Path(folder)
        variables = install(home)
        with serve(home, variables) as server:
            names = [lesson] if lesson else bench.lessons()
            all_measured = {name: measure(home, variables, server, name) for name in names}
    print(bench.table(all_measured))
    return int(any(measured.failed for measured in all_measured.values()))


if __name__ == "__main__":
    sys.exit(main())
