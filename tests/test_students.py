"""Thirty students ask for the same data at once: one download, no half file, nobody is left out."""

import errno
import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import filelock
import psutil
import pytest

from course_utils import download
from local_site import (
    BODY,
    FILE,
    NAME,
    files,
    in_two_parts,
    wait_for,
)

fcntl = pytest.importorskip("fcntl", reason="the course runs on Linux and macOS")

STUDENTS = 30
IS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root can become thirty users")

# A class loads what it needs once and then splits into thirty, so that all really start at once.
CLASS = """
import json, os, resource, sys
from pathlib import Path
import certifi, filelock, pooch, requests, tqdm.auto
from course_utils import download

registry, students, patience, users, largest = map(json.loads, sys.argv[1:])
download.REGISTRY, download.PATIENCE = Path(registry), patience
start, go = os.pipe()
for student in range(students):
    if os.fork() == 0:
        os.close(go)
        if users:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(users[student % len(users)])
        if largest:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
        os.read(start, 1)  # ends when the class closes `go`
        try:
            answer = len(download.fetch("mnist").read_bytes())
        except download.DataError as error:
            answer = str(error)
        os.write(1, (json.dumps(answer) + "\\n").encode())
        os._exit(0)
os.close(go)
for student in range(students):
    os.wait()
"""


class Class:
    """Thirty processes; while they run, a thread notes the sizes of the file that they see."""

    def __init__(
        self,
        folder: Path,
        registry: Path,
        patience: float = 60,
        users: tuple[int, ...] = (),
        largest: int = 0,
    ) -> None:
        self.path, self.folder, self.sizes = folder / FILE, folder, set()
        words = [json.dumps(word) for word in (str(registry), STUDENTS, patience, users, largest)]
        self.process = subprocess.Popen(
            [sys.executable, "-c", CLASS, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"COURSE_DATA": str(folder), "NO_PROXY": "127.0.0.1"},
        )
        self.watcher = threading.Thread(target=self.watch)
        self.watcher.start()

    def watch(self) -> None:
        over = False
        while not over:
            over = self.process.poll() is not None
            if self.path.exists():
                self.sizes.add(self.path.stat().st_size)
            time.sleep(0.001)

    def downloading(self) -> psutil.Process | None:
        """Return the student who has an unfinished file open, with something in it."""
        for student in psutil.Process(self.process.pid).children():
            for file in student.open_files():
                if "-part-" in file.path and os.path.getsize(file.path):
                    return student
        return None

    def wait_for_download(self) -> psutil.Process:
        found = []
        assert wait_for(lambda: bool(found.append(self.downloading()) or found[-1]))
        return found[-1]

    def answers(self) -> list[int | str]:
        """Wait for all; return the number of bytes, or the error, of each who came to an end."""
        try:
            out, _ = self.process.communicate(timeout=120)
        finally:
            if self.process.poll() is None:
                for child in psutil.Process(self.process.pid).children():
                    child.kill()
                self.process.kill()
        self.watcher.join()
        assert self.sizes <= {len(BODY)}, "half a file was to be seen"
        return [json.loads(line) for line in out.splitlines()]

    def has_its_data(self) -> bool:
        assert self.answers() == [len(BODY)] * STUDENTS
        assert files(self.folder) == [self.path], "something was left behind"
        return self.path.read_bytes() == BODY


def slow(handler, seconds: float = 0.5) -> None:
    """Send half of the file, and the other half later."""
    in_two_parts(handler, between=lambda: time.sleep(seconds) is None)


@pytest.fixture
def public():
    """A folder that any user can reach, which pytest's own folders are not."""
    with tempfile.TemporaryDirectory() as path:
        os.chmod(path, 0o755)
        yield Path(path)


# ---- one download


def test_thirty_students_share_one_download(site, folder, register):
    site.replies["/slow"] = slow
    assert Class(folder, register(f"{site.url}/slow")).has_its_data()
    assert site.seen == ["GET /slow"]


def test_who_comes_later_waits_too(site, folder, register):
    all_there = threading.Event()
    site.replies["/slow"] = partial(in_two_parts, between=lambda: all_there.wait(60))
    registry = register(f"{site.url}/slow")
    early = Class(folder, registry)
    early.wait_for_download()
    late = Class(folder, registry)
    assert wait_for(lambda: len(psutil.Process(late.process.pid).children()) == STUDENTS)
    time.sleep(0.5)  # for the last to ask; who asks later only finds the file
    assert not (folder / FILE).exists()
    all_there.set()
    assert early.has_its_data() and late.has_its_data()
    assert site.seen == ["GET /slow"]


@needs_root
def test_thirty_users_share_one_download(site, public, register):
    """As on a shared disk, in a folder where all may write and none may remove another's file."""
    site.replies["/slow"] = slow
    registry = Path(shutil.copy(register(f"{site.url}/slow"), public))
    shared = public / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    users = tuple(range(20001, 20001 + STUDENTS))
    assert Class(shared, registry, users=users).has_its_data()
    assert site.seen == ["GET /slow"]


def test_a_failure_is_told_to_all_and_the_next_attempt_is_free(site, folder, register):
    site.replies["/data"] = lambda handler: handler.send_error(503)
    registry = register(f"{site.url}/data")
    answers = Class(folder, registry).answers()
    assert len(answers) == STUDENTS
    assert all("the server answered 503" in answer for answer in answers)
    assert files(folder) == []
    site.replies["/data"] = slow
    assert Class(folder, registry).has_its_data()


@pytest.mark.parametrize("error", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_disk_without_locks_serves_as_well(site, folder, register, monkeypatch, error):
    def refuse(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(fcntl, "flock", refuse)
    somebody = folder / f"{FILE}-part-old"
    somebody.mkdir()
    os.utime(somebody, (0, 0))
    register(f"{site.url}/good")
    assert download.fetch(NAME).read_bytes() == BODY
    assert somebody.exists(), "who has no lock removes nothing: its owner may be at work"


def test_a_lock_that_another_user_is_just_making_is_waited_for(site, folder, register, monkeypatch):
    acquire, refused = filelock.FileLock.acquire, []

    def refuse_once(lock: filelock.FileLock) -> None:
        if not refused:
            refused.append(lock)
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        acquire(lock)

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse_once)
    left_behind = folder / f"{FILE}-part-old"
    left_behind.mkdir()
    os.utime(left_behind, (0, 0))
    register(f"{site.url}/good")
    assert download.fetch(NAME).read_bytes() == BODY
    assert refused and not left_behind.exists(), "only who has the lock removes it"


# ---- a full disk


@pytest.fixture
def small_disk(tmp_path):
    """A disk with room for half of the file."""
    path = tmp_path / "small disk"
    path.mkdir()
    size = f"size={len(BODY) // 2}"
    command = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(path)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
        reason = mounted.stderr.strip() if mounted.returncode else ""
    except OSError as error:
        reason = str(error)
    if reason:
        pytest.skip(f"a small disk cannot be mounted: {reason}")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def is_told(answers: list[int | str], where: Path, words: str) -> bool:
    assert len(answers) == STUDENTS
    for answer in answers:
        assert f"the folder {where} cannot be written ({words})" in str(answer)
        assert "Set COURSE_DATA" in answer
    return True


def test_a_full_disk_is_told_to_all_and_left_clean(site, small_disk, register):
    registry = register(f"{site.url}/good")
    assert is_told(Class(small_disk, registry).answers(), small_disk, "No space left on device")
    assert files(small_disk) == []
    larger = ["mount", "-o", f"remount,size={8 * len(BODY)}", str(small_disk)]
    subprocess.run(larger, check=True)
    assert Class(small_disk, registry).has_its_data()


def test_a_disk_without_room_for_anything(site, small_disk, register):
    with pytest.raises(OSError, match="No space left"), open(small_disk / "full", "wb") as full:
        while True:
            full.write(b"0" * 1024)
            full.flush()
    registry = register(f"{site.url}/good")
    assert is_told(Class(small_disk, registry).answers(), small_disk, "No space left on device")
    assert files(small_disk) == [small_disk / "full"]


def test_a_file_that_outgrows_what_is_allowed_is_told_to_all(site, folder, register):
    """What a quota does, and what every system can be asked for."""
    registry = register(f"{site.url}/good")
    answers = Class(folder, registry, largest=len(BODY) // 4).answers()
    assert is_told(answers, folder, "File too large")
    assert files(folder) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


# ---- a folder that is read-only


@pytest.fixture
def read_only(public):
    """A folder, not yet closed, and the user who may not write into it once it is."""
    path = public / "read-only"
    path.mkdir()
    yield path, (65534,) if IS_ROOT else ()
    path.chmod(0o755)


def test_a_read_only_folder_is_told_to_all(site, public, read_only, register):
    path, users = read_only
    path.chmod(0o555)
    registry = Path(shutil.copy(register(f"{site.url}/good"), public))
    assert is_told(Class(path, registry, users=users).answers(), path, "Permission denied")
    assert site.seen == [], "a request was made for a file that cannot be stored"


def test_data_in_a_read_only_folder_serve_all(site, public, read_only, register):
    path, users = read_only
    (path / FILE).write_bytes(BODY)
    path.chmod(0o555)
    registry = Path(shutil.copy(register(f"{site.url}/good"), public))
    assert Class(path, registry, users=users).has_its_data()
    assert site.seen == []


# ---- a process that ends, or stands still, in the middle


@pytest.fixture
def stuck_once(site):
    """Let the first download stop in the middle; the following ones are slow and whole."""
    over = threading.Event()

    def reply(handler) -> None:
        if len(site.seen) == 1:
            in_two_parts(handler, between=lambda: over.wait(60) and False)
        else:
            slow(handler)

    site.replies["/stuck"] = reply
    site.release = over.set
    yield f"{site.url}/stuck"
    over.set()


def test_when_one_is_killed_another_takes_over(site, stuck_once, folder, register):
    students = Class(folder, register(stuck_once))
    students.wait_for_download().kill()
    assert students.answers() == [len(BODY)] * (STUDENTS - 1)
    (left_behind,) = {*files(folder)} - {folder / FILE}  # not yet old enough to be nobody's
    assert "-part-" in left_behind.name
    assert site.seen == ["GET /stuck"] * 2


def test_what_a_killed_process_left_behind_is_removed(site, stuck_once, folder, register):
    registry = register(stuck_once)
    students = Class(folder, registry)
    downloading = students.wait_for_download()
    for student in psutil.Process(students.process.pid).children():
        if student != downloading:  # or one of the others would take over
            student.kill()
    downloading.kill()
    assert students.answers() == []
    assert not (folder / FILE).exists()
    (part,) = files(folder)
    for path in (part, *part.iterdir()):  # as if it were from yesterday
        os.utime(path, times=(time.time() - 86_400,) * 2)
    fresh = folder / f"{FILE}-part-fresh"  # somebody's who lost patience and downloads as well
    fresh.mkdir()
    students = Class(folder, registry)
    assert students.answers() == [len(BODY)] * STUDENTS
    assert sorted(files(folder)) == [folder / FILE, fresh]
    assert site.seen == ["GET /stuck"] * 2


@needs_root
def test_what_another_user_left_behind_blocks_nobody(site, public, register):
    """Nobody may remove another's files here; they stay, and everyone gets the data."""
    registry = Path(shutil.copy(register(f"{site.url}/good"), public))
    public.chmod(0o1777)
    (public / f"{FILE}.lock").touch(mode=0o600)
    (public / f"{FILE}-part-1").mkdir(mode=0o700)
    answers = Class(public, registry, users=tuple(range(20001, 20001 + STUDENTS))).answers()
    assert answers == [len(BODY)] * STUDENTS
    assert (public / FILE).read_bytes() == BODY
    assert stat.S_IMODE((public / FILE).stat().st_mode) == 0o644


def test_who_stands_still_blocks_nobody(site, stuck_once, folder, register):
    students = Class(folder, register(stuck_once), patience=2)
    stopped = students.wait_for_download()
    stopped.send_signal(signal.SIGSTOP)
    assert wait_for((folder / FILE).exists)
    stopped.send_signal(signal.SIGCONT)  # its own transfer breaks off, and it is told so
    site.release()
    answers = students.answers()
    assert answers.count(len(BODY)) == len(answers) - 1 == STUDENTS - 1
    assert files(folder) == [folder / FILE]


def test_who_interrupts_a_download_hands_the_turn_on(site, folder, register, monkeypatch):
    register(f"{site.url}/good")

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            download.fetch(NAME)
    assert files(folder) == []
    assert download.fetch(NAME).read_bytes() == BODY
