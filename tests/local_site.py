"""A web server on this machine, with a data folder and a registry: no test needs a network."""

import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from course_utils import download

NAME, FILE = "mnist", "mnist.npz"
BODY = bytes(range(256)) * 400


class Site(ThreadingHTTPServer):
    """A web server that answers each path as told, with 404 otherwise, and notes what it saw."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.replies: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.seen: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.seen.append(f"GET {self.path}")
        reply = self.server.replies.get(self.path)
        self.send_error(404) if reply is None else reply(self)

    def do_HEAD(self) -> None:
        self.server.seen.append(f"HEAD {self.path}")
        self.send_response(200 if self.path in self.server.replies else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep the server's log out of the tests' output."""


def send(handler: BaseHTTPRequestHandler, body: bytes, promised: int | None) -> None:
    """Answer with a body, and with a Content-Length unless `promised` is None."""
    handler.send_response(200)
    if promised is not None:
        handler.send_header("Content-Length", str(promised))
    handler.end_headers()
    handler.wfile.write(body)


def in_two_parts(handler: BaseHTTPRequestHandler, between: Callable[[], object]) -> None:
    """Answer with half of the file, call `between`, and send the rest if it returns True."""
    half = len(BODY) // 2
    send(handler, BODY[:half], promised=len(BODY))
    handler.wfile.flush()
    if between():
        handler.wfile.write(BODY[half:])


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < end:
        time.sleep(0.005)
    return met


@pytest.fixture
def site():
    with Site() as server:
        server.replies["/good"] = partial(send, body=BODY, promised=len(BODY))
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Iterator[Path]:
    """An empty data folder that COURSE_DATA names; of proxies and certificates nothing is said."""
    path = tmp_path / "downloads"
    path.mkdir()
    monkeypatch.setenv("COURSE_DATA", str(path))
    for variable in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(variable, "127.0.0.1")
    download._reachable.cache_clear()
    asked, find = set(), socket.getaddrinfo

    def note(host: str, *rest: object, **options: object) -> list:
        asked.add(host)
        return find(host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", note)
    yield path
    assert asked <= {"127.0.0.1"}, "the data layer asks who is not in the registry"


@pytest.fixture
def register(tmp_path, monkeypatch):
    """Return a function that makes a registry of one data set; it returns the registry's path."""

    def write(url: str, body: bytes = BODY, name: str = NAME, file: str = FILE) -> Path:
        path = tmp_path / "registry.toml"
        path.write_text(
            f'[{name}]\ntitle = "Pictures of the test"\nfile = "{file}"\nurl = "{url}"\n'
            f'sha256 = "{hashlib.sha256(body).hexdigest()}"\nbytes = {len(body)}\n'
            'licence = "CC0"\nlessons = ["first_lesson", "second_lesson"]\n'
        )
        monkeypatch.setattr(download, "REGISTRY", path)
        return path

    return write


def closed_port() -> str:
    with Site() as other:
        return other.url


def files(folder: Path) -> list[Path]:
    """What is in a folder, but for the lock, which stays."""
    return [path for path in folder.iterdir() if path.suffix != ".lock"]
