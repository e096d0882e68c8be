"""The download layer against a web server on this machine: no test needs a network."""

import hashlib
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import tqdm.auto
from IPython.core.interactiveshell import InteractiveShell

from course_utils import download
from local_site import BODY, FILE, NAME, closed_port, files, send

# ---- downloading


def test_a_download_arrives_once_and_whole(site, folder, register, capfd):
    register(f"{site.url}/good")
    path = download.fetch(NAME)
    assert path == folder / FILE
    assert path.read_bytes() == BODY
    assert files(folder) == [path], "something temporary was left behind"
    shown = capfd.readouterr()
    assert FILE in shown.err, "no progress bar"
    assert shown.out == "" and "Downloading" not in shown.err
    if os.name == "posix":
        assert path.stat().st_mode & 0o044 == 0o044, "others on a shared disk cannot read it"

    assert download.fetch(NAME) == path
    assert site.seen == ["GET /good"], "a file that was there was asked for again"


@pytest.mark.parametrize("comes", [True, False])
def test_another_users_file_that_came_first_is_taken(site, folder, register, monkeypatch, comes):
    def refuse(part, path):  # as on a disk where nobody may replace another's file
        if comes:
            Path(path).write_bytes(BODY)
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "replace", refuse)
    register(f"{site.url}/good")
    if comes:
        assert download.fetch(NAME) == folder / FILE
    else:
        with pytest.raises(download.DataError, match="cannot be written"):
            download.fetch(NAME)


def test_the_progress_bar_is_one_that_jupyter_can_take_away(site, folder, register, monkeypatch):
    bars = []

    class Bar(tqdm.auto.tqdm):  # there a widget; a plain tqdm leaves a strip of stderr
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            bars.append(self)

    monkeypatch.setattr(tqdm.auto, "tqdm", Bar)
    register(f"{site.url}/good")
    download.fetch(NAME)
    (bar,) = bars
    assert not bar.leave and bar.n == bar.total == len(BODY)


def test_a_file_put_there_by_hand_costs_no_request_and_nothing_is_written(site, folder, register):
    register(f"{site.url}/good")
    (folder / FILE).write_bytes(BODY)
    before = folder.stat().st_mtime_ns
    assert download.is_available(NAME)
    assert download.fetch(NAME) == folder / FILE
    assert site.seen == []
    assert folder.stat().st_mtime_ns == before


def test_the_folder_is_made_when_it_is_missing(site, folder, register, monkeypatch):
    register(f"{site.url}/good")
    monkeypatch.setenv("COURSE_DATA", str(folder / "a" / "b"))
    assert download.fetch(NAME) == folder / "a" / "b" / FILE


def test_a_wrong_checksum_is_named_and_leaves_nothing(site, folder, register):
    wrong = BODY.replace(b"7", b"8")
    site.replies["/wrong"] = partial(send, body=wrong, promised=len(wrong))
    register(f"{site.url}/wrong")
    with pytest.raises(download.DataError) as error:
        download.fetch(NAME)
    for part in (FILE, hashlib.sha256(BODY).hexdigest(), hashlib.sha256(wrong).hexdigest()):
        assert part in str(error.value)
    assert files(folder) == []


def test_a_wrong_file_in_the_folder_is_kept_and_named(site, folder, register):
    register(f"{site.url}/good")
    (folder / FILE).write_bytes(b"somebody's own table")
    with pytest.raises(download.DataError) as error:
        download.fetch(NAME)
    wrong = hashlib.sha256(b"somebody's own table").hexdigest()
    for part in (str(folder / FILE), hashlib.sha256(BODY).hexdigest(), wrong, "Remove or rename"):
        assert part in str(error.value)
    assert (folder / FILE).read_bytes() == b"somebody's own table"
    assert not download.is_available(NAME)
    assert site.seen == []


@pytest.mark.parametrize(
    ("promised", "words"),
    [(len(BODY), "the transfer broke off"), (None, "does not match the known hash")],
    ids=["length announced", "length unknown"],
)
def test_a_truncated_transfer_leaves_nothing(site, folder, register, promised, words):
    site.replies["/short"] = partial(send, body=BODY[:5000], promised=promised)
    register(f"{site.url}/short")
    with pytest.raises(download.DataError, match=words):
        download.fetch(NAME)
    assert files(folder) == []


@pytest.mark.parametrize("case", ["404", "no network"])
def test_without_an_answer_the_error_says_everything_one_needs(site, folder, register, case):
    url = f"{site.url if case == '404' else closed_port()}/missing"
    register(url)
    with pytest.raises(download.DataError) as error:
        download.fetch(NAME)
    message = str(error.value)
    for part in (case, "Pictures of the test", FILE, url, str(folder), "first_lesson, second"):
        assert part in message
    assert "\n" not in message
    assert files(folder) == []


def test_a_notebook_shows_the_sentence_and_no_screen_of_calls(folder, register, capsys):
    register(f"{closed_port()}/data")
    shell = InteractiveShell.instance()
    shell.run_cell("from course_utils import download\ndownload.fetch('mnist')")
    shown = capsys.readouterr().out
    assert "Without a network, put the file" in " ".join(shown.split())
    assert "Traceback" not in shown and len(shown.splitlines()) < 12
    assert all(len(line) <= 100 or " " not in line for line in shown.splitlines())


def test_a_folder_that_cannot_be_made_is_named(site, folder, register, monkeypatch):
    (folder / "file").write_text("not a folder")
    monkeypatch.setenv("COURSE_DATA", str(folder / "file" / "data"))
    register(f"{site.url}/good")
    with pytest.raises(download.DataError, match=r"file/data cannot be written .* COURSE_DATA"):
        download.fetch(NAME)
    assert site.seen == [], "a request was made for a file that cannot be stored"


def test_a_disk_that_is_full_is_named(site, folder, register, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    register(f"{site.url}/good")
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(download.DataError, match=r"cannot be written \(No space left"):
        download.fetch(NAME)
    assert files(folder) == []


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("REQUESTS_CA_BUNDLE", "/nowhere/a.pem", "(TLS) failed (.*/nowhere/a.pem); let {} name"),
        ("CURL_CA_BUNDLE", "/nowhere/a.pem", "(TLS) failed (.*/nowhere/a.pem); let {} name"),
        ("REQUESTS_CA_BUNDLE", __file__, "(TLS) failed (.*); let {} name"),
        ("ALL_PROXY", "socks5://127.0.0.1:9", "proxy named in {} speaks SOCKS.*pysocks.*; correct"),
        ("https_proxy", "http://127.0.0.1:9", "proxy named in {} .* (ProxyError); correct"),
        ("HTTPS_PROXY", "http://[", "proxy named in {} .* (InvalidURL); correct"),
        ("HTTPS_PROXY", "http://.", "proxy named in {} .* (InvalidURL); correct"),
        ("PATH", "", "(TLS) failed (.SSL.*); let REQUESTS_CA_BUNDLE name"),  # the site has none
    ],
)
def test_a_request_that_fails_is_not_taken_for_a_folder_that_does(
    site, folder, register, monkeypatch, variable, value, words
):
    monkeypatch.setenv("NO_PROXY", "elsewhere")
    monkeypatch.setenv("no_proxy", "elsewhere")
    monkeypatch.setenv(variable, value)
    register(site.url.replace("http:", "https:") + "/good")
    assert not download.is_available(NAME)
    with pytest.raises(download.DataError) as error:
        download.fetch(NAME)
    expected = words.format(variable).replace("(", r"\(").replace(")", r"\)")
    assert re.search(expected, str(error.value))
    assert "by hand" in str(error.value) and "COURSE_DATA" not in str(error.value)
    assert files(folder) == []


def test_an_unknown_name_is_answered_with_the_known_ones():
    for function in (download.fetch, download.is_available):
        with pytest.raises(download.DataError, match=r"'cifar100'.* mnist, cifar10"):
            function("cifar100")


# ---- is it there?


def test_availability_is_asked_once_per_process(site, folder, register):
    register(f"{site.url}/good")
    assert download.is_available(NAME) and download.is_available(NAME)
    assert site.seen == ["HEAD /good"]
    assert files(folder) == []


@pytest.mark.parametrize("case", ["404", "no network"])
def test_not_available(site, folder, register, case):
    register(f"{site.url if case == '404' else closed_port()}/missing")
    assert not download.is_available(NAME)


# ---- the registry, the folder, the import


def test_a_missing_registry_is_explained(monkeypatch, tmp_path):
    monkeypatch.setattr(download, "REGISTRY", tmp_path / "registry.toml")
    with pytest.raises(download.DataError, match=r"registry\.toml comes with the course"):
        download.fetch(NAME)


def test_course_data_moves_the_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for value, path in (
        ("", download.ROOT / "data"),
        ("../elsewhere", download.ROOT.parent / "elsewhere"),
        (str(tmp_path), tmp_path),
        ("~/wines", Path.home() / "wines"),
    ):
        monkeypatch.setenv("COURSE_DATA", value)
        assert download.data_folder() == path.resolve()


def test_the_import_loads_no_heavy_package():
    heavy = "{'sklearn', 'pandas', 'tensorflow_probability', 'mlxtend', 'pooch', 'requests'}"
    code = f"import sys, course_utils.data; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
