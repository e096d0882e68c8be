"""What the course brings along and what it downloads, on first use: MNIST and CIFAR-10.

``data/registry.toml`` says where the downloads come from and how they are recognised,
``data/README.md`` describes every data set. The environment variable ``COURSE_DATA`` moves the
folder that holds the downloads.
"""

import contextlib
import functools
import os
import shutil
import tempfile
import textwrap
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# A wheel carries data/ and notebooks/tables/ in the package, in a checkout they lie beside it.
_PACKAGE = Path(__file__).resolve().parent
IS_WHEEL = (_PACKAGE / "embedded").is_dir()
ROOT = _PACKAGE / "embedded" if IS_WHEEL else _PACKAGE.parent
REGISTRY = ROOT / "data" / "registry.toml"

PATIENCE = 1800  # seconds to wait for another process's download, then it is done here as well


class DataError(RuntimeError):
    """A data set cannot be had; the message says which, why, and what to do."""

    def _render_traceback_(self) -> list[str]:
        """Let a notebook show the message alone, in whole words, not a screen of calls."""
        return textwrap.wrap(f"DataError: {self}", width=100, break_long_words=False)


@dataclass(frozen=True)
class Download:
    """One entry of the registry: a file, where it comes from and how to recognise it."""

    title: str
    file: str
    url: str
    sha256: str
    bytes: int
    licence: str
    lessons: tuple[str, ...]

    def by_hand(self, folder: Path) -> str:
        """Say what a person can do who has no network, and which lessons wait for it."""
        return (
            f"Without a network, put the file {self.file} ({self.bytes:,} bytes, from {self.url}) "
            f"into {folder} by hand. Needed by: {', '.join(self.lessons)}."
        )


def embedded_text(path: Path) -> str:
    """Read a text that the course brings along.

    Raises
    ------
    DataError
        It is not there.
    """
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise DataError(
            f"{path} comes with the course and is missing: get the course again, its wheel or a "
            "clone of its repository."
        ) from None


def registry() -> dict[str, Download]:
    """Read the data sets that can be downloaded from ``data/registry.toml``, by name."""
    entries = tomllib.loads(embedded_text(REGISTRY))
    return {
        name: Download(**entry | {"lessons": tuple(entry["lessons"])})
        for name, entry in entries.items()
    }


def data_folder() -> Path:
    """Return the folder of the downloads: what ``COURSE_DATA`` says, or ``data/`` of the course.

    A relative ``COURSE_DATA`` starts at the course's root, so that notebooks and tests mean the
    same folder. Where the course was installed from its wheel, there is no such root: downloads
    then go to the user's cache, and a relative ``COURSE_DATA`` starts at the working folder.
    """
    given = os.environ.get("COURSE_DATA")
    if not IS_WHEEL:
        return (ROOT / Path(given or "data").expanduser()).resolve()
    import pooch

    return Path(given or pooch.os_cache("bayesian-deep-learning-course")).expanduser().resolve()


def fetch(name: str) -> Path:
    """Return the path of a downloaded data set, downloading it if it is not there.

    The download lands in a temporary folder inside `data_folder` and is moved into place only
    after its checksum matched. A file that is already there is checked and costs no request. Of
    several processes that ask at once one downloads, and the others wait for its file.

    Parameters
    ----------
    name : str
        A name in the registry, such as ``"mnist"``.

    Raises
    ------
    DataError
        The name is unknown; the file there or the file that came has a wrong checksum; the
        transfer failed; or the folder cannot be written.
    """
    import pooch

    download, folder = _lookup(name), data_folder()
    path = folder / download.file
    if os.path.exists(path):  # unlike Path.exists, False for a folder that cannot be entered
        if (found := pooch.file_hash(path)) != download.sha256:
            raise DataError(
                f"{download.title}: the file {path} is not the one the course expects: expected "
                f"SHA-256 {download.sha256} ({download.bytes:,} bytes), found {found} "
                f"({path.stat().st_size:,} bytes). Remove or rename it and start again: the right "
                f"one is then downloaded. {download.by_hand(folder)}"
            )
        return path

    with _explained(download, folder):
        folder.mkdir(parents=True, exist_ok=True)
        _download_in_turn(download, path)
    return path


def is_available(name: str) -> bool:
    """Say whether `fetch` has the file or can get it, without downloading it.

    A file in `data_folder` counts if its checksum is right. Otherwise the server is asked, once
    per process, and has three seconds to answer.

    Raises
    ------
    DataError
        The name is unknown.
    """
    download = _lookup(name)
    path = data_folder() / download.file
    if os.path.exists(path):
        import pooch

        return pooch.file_hash(path) == download.sha256
    return _reachable(download.url)


def _lookup(name: str) -> Download:
    known = registry()
    if name not in known:
        raise DataError(f"There is no data set {name!r} to download; there are {', '.join(known)}.")
    return known[name]


def _download_in_turn(download: Download, path: Path) -> None:
    """Download a file unless another process does so first; the system frees a dead one's lock."""
    from filelock import FileLock

    lock = FileLock(f"{path}.lock", timeout=PATIENCE, mode=0o666)
    for _ in range(10):
        try:
            lock.acquire()
        except PermissionError:  # another user made it just now, and opens it to all in a moment
            time.sleep(0.1)
        except (OSError, NotImplementedError):  # it takes too long; there are no locks
            break
        else:
            break
    try:
        if not path.exists():
            if lock.is_locked:
                _remove_what_was_left_behind(path)
            _download(download, path)
    finally:
        lock.release()


def _remove_what_was_left_behind(path: Path) -> None:
    """Remove unfinished downloads of this file that nobody has written to for a long time."""
    for part in path.parent.glob(f"{path.name}-part-*"):
        with contextlib.suppress(OSError):  # its owner removes it, or it is another user's
            last_change = max(file.stat().st_mtime for file in (part, *part.iterdir()))
            if time.time() - last_change > PATIENCE:
                shutil.rmtree(part)


def _download(download: Download, path: Path) -> None:
    """Download a file and move it to its path, all of it or nothing."""
    import pooch
    from tqdm.auto import tqdm

    def transfer(url: str, part: str, _: object) -> None:
        with open(part, "wb") as file:
            for block in _ask(url):
                file.write(block)
                bar.update(len(block))

    pooch.get_logger().setLevel("WARNING")  # the progress bar says enough
    with (
        tqdm(
            desc=download.file, total=download.bytes, unit="B", unit_scale=True, leave=False
        ) as bar,
        tempfile.TemporaryDirectory(dir=path.parent, prefix=f"{path.name}-part-") as scratch,
    ):
        part = pooch.retrieve(
            download.url,
            known_hash=f"sha256:{download.sha256}",
            fname=download.file,
            path=scratch,
            downloader=transfer,
        )
        os.chmod(part, 0o644)  # pooch makes it private; on a shared disk others read it too
        try:
            os.replace(part, path)
        except PermissionError:  # another user's file, made just now, which only its owner replaces
            if not path.exists():
                raise


def _ask(url: str) -> Iterator[bytes]:
    """Ask a server for a file and return its parts; whatever fails here is requests' error."""
    import requests

    try:
        answer = requests.get(url, stream=True, timeout=(5, 30))
        answer.raise_for_status()
    except requests.RequestException:
        raise
    except OSError as error:  # a file of certificates that is not there
        raise requests.exceptions.SSLError(error) from None
    except ValueError as error:  # a proxy whose name cannot be one
        raise requests.exceptions.InvalidURL(error) from None
    return answer.iter_content(16_384)


@contextlib.contextmanager
def _explained(download: Download, folder: Path) -> Iterator[None]:
    """Turn what can go wrong in a download into a `DataError` that says what to do."""
    import requests

    try:
        yield
    except requests.RequestException as error:
        raise DataError(
            f"{download.title} could not be downloaded: {_reason(error, download.url)}. "
            f"{download.by_hand(folder)}"
        ) from None
    except ValueError as error:  # pooch's word on the checksum: which file, expected, came
        raise DataError(
            f"{download.title}: {download.url} sent another file than the course expects, which "
            f"happens when a network shows its login page instead. {error} "
            f"{download.by_hand(folder)}"
        ) from None
    except OSError as error:
        raise DataError(
            f"{download.title} could not be stored: the folder {folder} cannot be written "
            f"({error.strerror or error}). Set COURSE_DATA to a folder that can."
        ) from None


@functools.cache
def _reachable(url: str) -> bool:
    import pooch

    try:
        return pooch.HTTPDownloader(timeout=3)(url, None, None, check_only=True)
    except (OSError, ValueError):  # as in `_ask`; those of requests are OSErrors too
        return False


def _reason(error: Exception, url: str) -> str:
    """Put a failed request into a few words (the error's own text runs over lines)."""
    from requests import exceptions

    if isinstance(error, exceptions.HTTPError):
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, exceptions.ChunkedEncodingError):
        return "the transfer broke off before its end"
    scheme = url.partition(":")[0]
    proxy = _first_set(f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
    unusable = (exceptions.InvalidSchema, exceptions.InvalidURL)
    if isinstance(error, exceptions.ProxyError) or (proxy and isinstance(error, unusable)):
        fault = f"does not let the request through ({type(error).__name__})"
        if "SOCKS" in str(error):
            fault = "speaks SOCKS, for which the package pysocks is missing"
        where = proxy or "the settings of the system"
        return f"the proxy named in {where} {fault}; correct or remove it"
    if isinstance(error, exceptions.SSLError):
        certificates = _first_set("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") or "REQUESTS_CA_BUNDLE"
        return (
            f"the secured connection (TLS) failed ({_innermost(error)}); let {certificates} name "
            "a file with the certificates that this network uses"
        )
    return f"no network, or the server does not answer ({type(error).__name__})"


def _first_set(*variables: str) -> str:
    """Return the first of these environment variables that says something, or an empty text."""
    return next((name for name in variables if os.environ.get(name)), "")


def _innermost(error: Exception) -> Exception:
    """Return the error that requests and urllib3 wrapped into others."""
    while isinstance(inner := getattr(error, "reason", next(iter(error.args), None)), Exception):
        error = inner
    return error
