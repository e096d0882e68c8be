"""Run every lesson within what Binder gives: one CPU, 2 GB, and no rights outside one's home.

python tools/binder.py           every stored notebook except the course map
python tools/binder.py flows     this lesson

The checkout is copied into a new home. There ``binder/postBuild`` installs it into a clean
environment, and ``binder/start`` starts JupyterLab, on one CPU. Each lesson is sent, cell by cell,
to a kernel of that server. A watchdog adds up the memory of the server and all that it started, of
each process the most that it ever had, and stops the kernel above 2 GB: shared pages count twice,
and no short peak is missed. All of it belongs to
the user *nobody* if root starts this command; any other user runs it with the rights that it has.
Linux only: elsewhere a process cannot be kept on one CPU.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import psutil
import requests
import websocket
from jupyter_client.jsonutil import json_default
from jupyter_client.session import Session
from tqdm import tqdm

import bench
import browser
import mutants
import notebooks

ROOT = Path(__file__).resolve().parents[1]
LESSON_SECONDS, MEMORY_GB = 240, 2
LOOK_SECONDS = 0.05  # between two looks of the watchdog
NOBODY = 65534
FOLDERS = ("/usr/local/bin", "/usr/bin")  # where a Python is that every user may start
FAILURES = (RuntimeError, ValueError, requests.RequestException, websocket.WebSocketException)
CHECK = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"


class CellError(RuntimeError):
    """A cell raised an error: its name, and its words."""

    def __str__(self) -> str:
        return ": ".join(self.args)


@dataclass
class Measured:
    """What a lesson took, and what went wrong."""

    cells: dict[str, float] = field(default_factory=dict)
    peak_gb: float = 0.0
    left_out: set[str] = field(default_factory=set)
    failed: str = ""

    @property
    def seconds(self) -> float:
        """From the start of its first cell to the end of its last one."""
        return sum(self.cells.values())


def most_gb(pid: int) -> float:
    """The most memory that a process ever had resident; 0 when it is over."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 / 1e9 if found else 0


class Watchdog:
    """Adds up the memory of a server and its kernels, and stops those that make it too much."""

    def __init__(self, server: psutil.Process) -> None:
        self.server, self.peak_gb, self.over, self.is_over = server, 0.0, False, False
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self) -> None:
        while not self.is_over:
            sizes = {}
            with suppress(psutil.NoSuchProcess):
                for process in (self.server, *self.server.children(recursive=True)):
                    sizes[process] = most_gb(process.pid)
            self.peak_gb = max(self.peak_gb, total := sum(sizes.values()))
            if total > MEMORY_GB:
                self.over = True
                max(sizes, key=sizes.get).kill()
            time.sleep(LOOK_SECONDS)

    def stop(self) -> None:
        self.is_over = True
        self.thread.join()
        if not self.peak_gb:
            raise RuntimeError("the memory could not be measured")


def rights() -> dict:
    """Whom the processes belong to, as `subprocess` takes it."""
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


def find_python() -> Path:
    """The first Python that the user may start, if possible the version that Binder has.

    Raises
    ------
    RuntimeError
        If there is none.
    """
    environment = (ROOT / "binder" / "environment.yml").read_text(encoding="utf-8")
    (wanted,) = re.findall(r"python=([\d.]+)", environment)
    folders = [*os.environ["PATH"].split(os.pathsep), *FOLDERS]
    for version in (wanted, "3.13", "3.12", "3.11"):
        for folder in folders:
            try:
                answer = subprocess.run(
                    [f"{folder}/python{version}", "-c", CHECK],
                    **rights(),
                    cwd="/",
                    capture_output=True,
                    text=True,
                    check=False,
                )
            except OSError:
                continue
            if answer.stdout.strip() == version:
                return Path(folder, f"python{version}")
    raise RuntimeError(
        "There is no Python 3.11 to 3.13 with the venv module that other users may start, too: "
        "install one for the whole machine, on Debian with: sudo apt install python3-venv"
    )


def install(home: Path) -> dict[str, str]:
    """Put the course into a home as Binder does; return the environment's variables.

    Raises
    ------
    RuntimeError
        If it cannot be installed; with the end of what was said.
    """
    course, venv, python = home / "course", home / "venv", find_python()
    mutants.copy_checkout(course)
    home.chmod(0o755)
    if who := rights():
        for path in (home, *home.rglob("*")):
            os.chown(path, who["user"], who["group"], follow_symlinks=False)
    not_kept = ("COURSE_", "CONDA", "JUPYTER", "PYTHON", "VIRTUAL_ENV")
    variables = {k: v for k, v in os.environ.items() if not k.startswith(not_kept)} | {
        "COURSE_DATA": str(notebooks.data.data_folder()),
        "HOME": str(home),
        "TMPDIR": str(home),
        "PATH": os.pathsep.join([str(venv / "bin"), "/usr/local/bin", "/usr/bin", "/bin"]),
    }
    for command in ([python, "-m", "venv", venv], [course / "binder" / "postBuild"]):
        done = subprocess.run(
            command, **who, cwd=course, env=variables, capture_output=True, text=True, check=False
        )
        if done.returncode:
            end = "\n".join((done.stdout + done.stderr).splitlines()[-10:])
            raise RuntimeError(f"{command[0]} failed:\n{end}")
    return variables


@contextmanager
def serve(home: Path, variables: dict[str, str]) -> Iterator[tuple[str, str, psutil.Process]]:
    """Start JupyterLab as Binder does, on one CPU; give its address, its token and its process."""
    course = home / "course"
    command = [str(course / "binder" / "start"), "jupyter-lab", "--no-browser"]
    command += [f"--port={browser.free_port()}", f"--ServerApp.root_dir={course}"]
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        with browser.serve(home, command, variables, **rights()) as (url, token, process):
            os.sched_setaffinity(0, allowed)
            yield url, token, psutil.Process(process.pid)
    finally:
        os.sched_setaffinity(0, allowed)


@contextmanager
def kernel(url: str, token: str) -> Iterator[websocket.WebSocket]:
    """Start a kernel beside the notebooks, and talk to it as a browser does."""
    head = {"Authorization": f"token {token}"}
    asked = requests.post(
        f"{url}api/kernels", json={"path": "notebooks/"}, headers=head, timeout=60
    )
    asked.raise_for_status()
    address = f"{url}api/kernels/{asked.json()['id']}"
    try:
        channels = f"ws{address.removeprefix('http')}/channels"
        socket = websocket.create_connection(channels, header=head, timeout=60)
        socket.settimeout(1)  # how long one listens before one looks at memory and clock
        yield socket
        socket.close()
    finally:
        requests.delete(address, headers=head, timeout=60)


def run_cell(socket: websocket.WebSocket, code: str, watchdog: Watchdog, end: float) -> None:
    """Run a cell and wait until the kernel is idle again.

    Raises
    ------
    CellError
        If it fails.
    RuntimeError
        If it needs too much memory, kills its kernel or is not ready by `end`; says which.
    """
    asked = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
    message = Session().msg("execute_request", asked) | {"channel": "shell"}
    socket.send(json.dumps(message, default=json_default))
    is_idle, error = False, None
    while not is_idle:
        if watchdog.over:
            raise RuntimeError(f"server and kernel took more than {MEMORY_GB} GB")
        if time.monotonic() > end:
            raise RuntimeError(f"the lesson takes longer than {LESSON_SECONDS} s")
        try:
            answer = json.loads(socket.recv())
        except websocket.WebSocketTimeoutException:
            continue
        kind, content = answer["msg_type"], answer["content"]
        state = content["execution_state"] if kind == "status" else ""
        if state in ("restarting", "dead") and not watchdog.over:
            raise RuntimeError("the kernel died")
        if answer["parent_header"].get("msg_id") == message["msg_id"]:
            is_idle = state == "idle"
            if kind == "error":
                error = content
    if error:
        raise CellError(error["ename"], error["evalue"])


def measure(server: tuple[str, str, psutil.Process], lesson: str) -> Measured:
    """Run a lesson from its first to its last cell; what goes wrong is noted."""
    url, token, process = server
    stored = requests.get(
        f"{url}api/contents/notebooks/{lesson}.ipynb",
        headers={"Authorization": f"token {token}"},
        timeout=60,
    )
    stored.raise_for_status()
    cells = nbformat.from_dict(stored.json()["content"]).cells
    measured, where, watchdog = Measured(), "the start of the kernel", Watchdog(process)
    end = time.monotonic() + LESSON_SECONDS
    try:
        with kernel(url, token) as socket:
            for index, where in enumerate(tqdm(bench.names_of(cells), desc=lesson, leave=False)):
                if cells[index].cell_type != "code":
                    continue
                if missing := notebooks.missing_data(cells[: index + 1]):
                    measured.left_out.update(missing)
                    continue
                start, tags = time.monotonic(), cells[index].metadata.get("tags", [])
                try:
                    run_cell(socket, cells[index].source, watchdog, end)
                except CellError as error:  # its data may be where only their owner may read
                    if error.args[0] != "DataError" or notebooks.DOWNLOAD_TAG not in tags:
                        raise
                    measured.left_out.update(t.removeprefix("data=") for t in tags if "=" in t)
                measured.cells[where] = time.monotonic() - start
    except FAILURES as error:
        measured.failed = f"{where}: {error}"
    finally:
        watchdog.stop()
    measured.peak_gb = watchdog.peak_gb
    return measured


def table(results: dict[str, Measured]) -> list[str]:
    """One line a lesson, and below them what failed and what was left out."""
    rows = [("lesson", "seconds", "slowest cell", "server and kernel", "limits")]
    for lesson, measured in results.items():
        name, seconds = max(measured.cells.items(), key=lambda cell: cell[1], default=("none", 0))
        rows.append(
            (
                lesson,
                f"{measured.seconds:.0f}",
                f"{seconds:.0f} s: {name}",
                f"{measured.peak_gb:.2f} GB",
                "missed" if measured.failed else "kept",
            )
        )
    notes = [f"{name}: {it.failed}" for name, it in results.items() if it.failed]
    for name, it in results.items():
        if it.left_out:
            notes.append(f"{name}: no data set {', '.join(sorted(it.left_out))}")
    return [*bench.columns(rows), *notes]


def main(arguments: list[str] | None = None) -> int:
    """Measure what is asked for; the exit status is 1 if a lesson misses a limit."""
    parser = argparse.ArgumentParser(description="Run the lessons within Binder's limits.")
    parser.add_argument("lesson", nargs="?", choices=bench.lessons(), metavar="LESSON")
    lesson = parser.parse_args(arguments).lesson
    if not hasattr(os, "sched_setaffinity"):
        print("Only Linux can keep a process on one CPU, as Binder does.", file=sys.stderr)
        return 1
    lessons = [lesson] if lesson else bench.lessons()
    results, home = {}, Path(tempfile.mkdtemp(prefix="binder-", dir="/var/tmp"))
    try:
        print("Installing the course as Binder does (takes minutes) ...", flush=True)
        with serve(home, install(home)) as server:
            for name in lessons:
                results[name] = measure(server, name)
    except FAILURES as error:
        print(error, file=sys.stderr)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    print("\n".join(table(results)))
    return int(len(results) < len(lessons) or any(it.failed for it in results.values()))


if __name__ == "__main__":
    sys.exit(main())
