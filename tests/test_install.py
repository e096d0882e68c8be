"""Installing the course: which Python, what pip and uv are told, what is said when they fail.

pip's settings are read for real here, and nothing is installed: `make test-release` does that.
"""

import ast
import os
import sys
import threading
from pathlib import Path

import pytest

import install

ROOT = install.ROOT
LOCK = (ROOT / "requirements.lock").read_text()
PIP_CONF = """\
[global]
index-url = https://mirror/simple
extra-index-url = file:///a file:///b
find-links = /wheels /more
cert = /mine.pem
no-index = true
user = true
proxy = http://old:1
[install]
no-deps = true
proxy = http://me:secret@new:1
trusted-host = a b
"""
TOLD = {
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_FIND_LINKS": "/wheels /more",
    "PIP_PROXY": "http://me:secret@new:1",
    "HTTPS_PROXY": "http://me:secret@new:1",
    "SSL_CERT_FILE": "/mine.pem",
    "UV_DEFAULT_INDEX": "https://mirror/simple",
    "UV_FIND_LINKS": "/wheels,/more",
    "UV_HTTP_TIMEOUT": "77",
    "UV_INDEX": "file:///a file:///b",
    "UV_INDEX_STRATEGY": "unsafe-best-match",
    "UV_INSECURE_HOST": "a b",
}


@pytest.fixture
def steps(tmp_path, monkeypatch):
    """Let the installer work below tmp_path; what it would run is noted: step, command and env."""
    noted, run = [], install.run

    def note(step, command, env=None):
        assert not install.STAMP.is_file(), "it says that all is there, while things change"
        noted.append((step, [str(word) for word in command], env))
        if step == "Making .venv":
            (install.VENV / "pyvenv.cfg").write_text(f"command = -m venv {install.VENV}\n")
        if step == os.environ.get("BROKEN"):
            install.fail(step, ["ImportError"])
        return run(step, command, env) if step == "Reading pip's settings" else []

    monkeypatch.setattr(install, "run", note)
    for name in ("VENV", "STAMP", "LOG", "OVERRIDES"):
        monkeypatch.setattr(install, name, tmp_path / getattr(install, name).relative_to(ROOT))
    (tmp_path / "pip.conf").write_text(PIP_CONF)
    monkeypatch.setattr(install, "__file__", str(tmp_path / "pip.conf"))  # the lock of nobody else
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setattr(sys, "argv", ["install.py"])
    return noted


def test_a_second_call_has_nothing_to_do(steps, tmp_path, monkeypatch, capsys):
    install.main()
    assert [step.split()[0] for step, *_ in steps[:3]] == ["Making", "Putting", "Reading"]
    (_, uv, _), (_, check, _) = steps[4:]
    assert uv[-4:] == ["--constraint", "requirements.lock", "--editable", "."]
    assert "-I" in check and "tensorflow" in check[-1]
    assert "fetchNews" in install.OVERRIDES.read_text()
    monkeypatch.setattr(sys, "argv", ["install.py", "test"])
    install.main()
    assert [step for step, *_ in steps[6:8]] == ["Reading pip's settings", "Fetching uv"]
    assert steps[8][1][-1] == ".[dev]"
    steps.clear()
    capsys.readouterr()
    before = {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")}
    for kind in ("test", "lab"):  # what serves `test` serves `lab`
        monkeypatch.setattr(sys, "argv", ["install.py", kind])
        install.main()
    assert before == {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert not steps and capsys.readouterr().out == ""


def test_what_is_broken_moved_or_unfinished_is_made_anew(steps, monkeypatch):
    monkeypatch.setenv("BROKEN", "Importing what was installed")
    with pytest.raises(SystemExit):
        install.main()
    monkeypatch.delenv("BROKEN")
    install.main()
    (install.VENV / "pyvenv.cfg").write_text("command = -m venv /elsewhere/.venv\n")
    install.main()
    monkeypatch.setattr(install, "PYTHON", Path("/nowhere/python"))
    with pytest.raises(SystemExit):
        install.main()
    assert [step for step, *_ in steps].count("Making .venv") == 4


def test_pip_and_uv_hear_of_the_way_to_the_index_and_of_nothing_else(steps, monkeypatch):
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    foreign = {"PYTHONPATH": "/x", "PIP_TARGET": "/x", "UV_NO_DEPS": "1", "PIP_CONSTRAINT": "/x"}
    ours = {"UV_HTTP_TIMEOUT": "77", "REQUESTS_CA_BUNDLE": "/ca"}
    for name, value in (foreign | ours | {"PIP_CONFIG_FILE": install.__file__}).items():
        monkeypatch.setenv(name, value)
    install.main()
    (_, pip, env), (_, uv, same) = steps[3:5]
    assert pip[-1] in LOCK.split() and pip[-1].startswith("uv==")
    assert "--no-index" in uv and "--no-config" in uv and env == same
    assert TOLD.items() <= env.items()
    assert not {*foreign, "PIP_USER", "PIP_NO_DEPS"} & env.keys()
    monkeypatch.setattr(install, "run", lambda *words: [])  # pip has no settings
    assert install.network_environment()["SSL_CERT_FILE"] == "/ca"
    assert "new:1" in (log := install.LOG.read_text()) and "secret" not in log


def test_a_second_terminal_waits(tmp_path, monkeypatch, capsys):
    (tmp_path / "install.py").touch()
    monkeypatch.setattr(install, "__file__", str(tmp_path / "install.py"))
    other = threading.Thread(target=install.wait_for_others, daemon=True)
    with install.wait_for_others():
        other.start()
        other.join(0.5)
        assert other.is_alive() and "waiting" in capsys.readouterr().out
    other.join(60)
    assert not other.is_alive()


SAID = {
    "OSError: [Errno 28] No space left on device": "disk is full",
    "error: failed to create directory `c`: Read-only file system (os error 30)": "not write",
    "OSError: Missing dependencies for SOCKS support.": "SOCKS",
    "broken by 'ProxyError('Cannot connect to proxy.', OSError('407'))': /simple/": "the proxy",
    "cause: tunnel error: failed to create underlying connection": "the proxy",
    "Could not find a suitable TLS CA certificate bundle, invalid path: /x": "PIP_CERT",
    "cause: invalid peer certificate: UnknownIssuer": "PIP_CERT",
    "connection broken by 'NewConnectionError('[Errno -2] Name not known')'": "when online",
    "cause: dns error": "when online",
    "python: No module named ensurepip.__main__": "python3-venv",
    "ERROR: No matching distribution found for uv==0.13.8": "pip config list",
    "cause: what nobody has met before": "Fetching uv failed (log",
}


@pytest.mark.parametrize("said, remedy", SAID.items())
def test_what_failed_and_what_to_do(said, remedy):
    """These are sentences of pip and uv, provoked for real."""
    with pytest.raises(SystemExit) as error:
        install.fail("Fetching uv", ["Downloading", said, "ERROR: the end"])
    assert said in str(error.value) and remedy in str(error.value)


@pytest.mark.parametrize("minor, word", [(6, "old"), (10, "old"), (14, "new")])
def test_unsupported_python(minor, word, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, minor, 0))
    with pytest.raises(SystemExit, match=rf"^Python 3.{minor} is too {word}: .*3.11, 3.12 or 3.13"):
        install.check_python()


def test_an_old_python_can_read_the_installer():
    """Annotations are evaluated there, so there are none; Python 3.6 lacks no other word."""
    tree = ast.parse((ROOT / "tools/install.py").read_text(), feature_version=(3, 7))
    for node in ast.walk(tree):
        assert not isinstance(node, ast.AnnAssign) and not getattr(node, "returns", None)
