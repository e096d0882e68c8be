"""Install the course into .venv: `python tools/install.py lab`, or `test` with the tools for tests.

Standard library only, and readable by a Python as old as 3.6, so that a wrong Python can be named
in one line. pip fetches uv, and uv the rest, in the versions of the lock. A stamp says what is
installed: a second call does nothing and writes nothing. A .venv without a stamp is made anew.
"""

import argparse
import ast
import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin/python"
LOG = VENV / "install.log"
STAMP = VENV / "installed.txt"
OVERRIDES = VENV / "share/jupyter/lab/settings/overrides.json"
NO_NEWS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}

OLDEST, NEWEST = (3, 11), (3, 13)  # as in pyproject.toml
TARGETS = {"lab": ".", "test": ".[dev]"}
# Imported at the end: to see that they can be, and to leave bytecode for those who may not write.
MODULES = """course_utils, jupyterlab.labapp, ipykernel, ipywidgets, keras, matplotlib.pyplot, \
pandas, scipy.stats, seaborn, sklearn.model_selection, tensorflow, tensorflow_probability"""

# Of the settings for pip these count, and no others; uv is told the same by these variables.
SETTINGS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "trusted-host": "UV_INSECURE_HOST",
    "proxy": "HTTP_PROXY HTTPS_PROXY http_proxy https_proxy",
    "timeout": "UV_HTTP_TIMEOUT",
}
UV_SETTINGS = "UV_(.*INDEX|FIND_LINKS|HTTP|INSECURE_HOST|SYSTEM_CERTS|CACHE_DIR|LINK_MODE)"

# What pip, uv or Python say, and what to do then; the first that fits counts.
REMEDIES = {
    "No module named (venv|ensurepip)": "on Debian or Ubuntu: sudo apt install python3-venv",
    "No space left|quota exceeded": "the disk is full: free 3 GB, or UV_CACHE_DIR=/another/disk",
    "Permission denied|Read-only": "you may not write there: clone a copy of your own",
    "SOCKS": "pip cannot use a SOCKS proxy: name an HTTP proxy, HTTPS_PROXY=http://name:port",
    "(?i)proxy|tunnel error": "the proxy does not answer, or refuses: correct HTTPS_PROXY",
    "(?i)certificate|SSLError": "name your network's certificates: PIP_CERT=/path/to/them.pem",
    "(?i)connect|dns error|time(d )?out": "the index was not reached: the same again when online",
    "No matching distribution|No solution": "the index lacks it: `pip config list` says which",
}


def check_python():
    """Leave with one line when this Python cannot install the course."""
    version = "{}.{}".format(*sys.version_info)
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        sys.exit(
            f"Python {version} is too {'old' if sys.version_info < OLDEST else 'new'}: the course "
            "needs Python 3.11, 3.12 or 3.13. Get one from your distribution, from python.org or "
            "with `uv python install 3.13`, and choose it with PYTHON=python3.13."
        )
    if os.name == "nt":
        sys.exit("On Windows, install the course in the Windows Subsystem for Linux (README).")


def fail(step, lines):
    """Leave with the step that failed, why (as far as the output tells) and what to do."""
    tail = [line.strip() for line in lines if line.strip()][-30:]
    where = f"(log: {LOG}; more help: docs/if_something_fails.md)"
    for pattern, remedy in REMEDIES.items():
        said = [line for line in tail if re.search(pattern, line)]
        if said:
            sys.exit(f"{said[-1][:400]}\n{step} failed; {remedy} {where}")
    sys.exit("\n".join([*tail, f"{step} failed {where}"]))


def run(step, command, environment=None):
    """Run a command that must succeed, tell what it does, and return its lines."""
    print(f"{step} ...", flush=True)
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    words = [str(word) for word in command]
    process = subprocess.Popen(words, cwd=str(ROOT), env=environment, **pipes)
    lines = []
    for raw in process.stdout:
        lines.append(raw.decode("utf-8", "replace").rstrip())
        if lines[-1].lstrip().startswith("Download"):
            print("  " + lines[-1].strip(), flush=True)
    code = process.wait()
    if code < 0:
        lines.append(f"It was stopped by signal {-code}.")
    said = [re.sub("//[^/@ ]+@", "//", line) for line in lines]  # nobody's password
    with contextlib.suppress(OSError), LOG.open("a", encoding="utf-8") as log:
        log.write("\n".join([f"--- {step}", *said, ""]))
    if code:
        fail(step, said)
    return lines


def network_environment():
    """Return an environment that tells pip and uv the way to the user's index, and no more."""
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "PYTHON", "UV_")) or re.match(UV_SETTINGS, name)
    }
    bundle = env.get("REQUESTS_CA_BUNDLE") or env.get("CURL_CA_BUNDLE")
    if bundle:
        env["SSL_CERT_FILE"] = bundle  # as pip does
    settings = {}
    command = [PYTHON, "-I", "-m", "pip", "config", "list"]
    lines = run("Reading pip's settings", command, dict(os.environ, PIP_USER="0"))  # of all files
    for place in ("global", "install", ":env:"):  # the last one wins
        for name, value in re.findall(f"(?m)^{place}[.](.+?)=(.*)$", "\n".join(lines)):
            settings[name.replace("default-timeout", "timeout")] = ast.literal_eval(value)
    for name in settings.keys() & SETTINGS.keys():
        env["PIP_" + name.upper().replace("-", "_")] = settings[name]
        words = map(os.path.expanduser, settings[name].split())
        value = ("," if name == "find-links" else " ").join(words)
        env.update(dict.fromkeys(SETTINGS[name].split(), value))
    env.update(PIP_CONFIG_FILE=os.devnull, PIP_NO_INPUT="1", PIP_DISABLE_PIP_VERSION_CHECK="1")
    env["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # every index counts, as it does for pip
    env.setdefault("UV_SYSTEM_CERTS", "1")
    return env


def uv_install(python, *words):
    """Fetch uv into .venv, and let it install into the environment of a Python."""
    env = network_environment()
    lock = (ROOT / "requirements.lock").read_text()
    pip = [PYTHON, "-I", "-m", "pip", "install", "--only-binary=:all:"]
    run("Fetching uv", [*pip, re.search("^uv==[^ ;\n]+", lock, re.MULTILINE).group()], env)
    uv = [VENV / "bin/uv", "pip", "install", "--no-config", "--python", python]
    if env.get("PIP_NO_INDEX", "").lower() in ("1", "true", "yes", "on"):
        uv.append("--no-index")
    run("Installing the packages", [*uv, *words], env)


def make_venv():
    """Make .venv anew, with pip, from the Python that runs this file."""
    if VENV.exists():
        shutil.rmtree(str(VENV))
    VENV.mkdir()
    try:
        (VENV / "lib64").symlink_to("lib")
    except OSError:  # a disk without symbolic links: all the others venv replaces by copies
        (VENV / "lib64").mkdir()
    run("Making .venv", [sys.executable, "-I", "-m", "venv", "--without-pip", VENV])
    run("Putting pip into .venv", [PYTHON, "-I", "-m", "ensurepip", "--default-pip"])


def stamp(kind):
    """Return the text that says: what `kind` needs today is installed here."""
    files = [(ROOT / name).read_bytes() for name in ("pyproject.toml", "requirements.lock")]
    return hashlib.sha256(b"".join([*files, str(ROOT).encode()])).hexdigest() + f" {kind}"


def venv_version():
    """Return the version, such as "3.12", of a .venv that was made here and works; else ""."""
    code = "import pip, sys; print('%d.%d' % sys.version_info[:2])"
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        if f"{VENV}\n" in (VENV / "pyvenv.cfg").read_text():
            command = [str(PYTHON), "-I", "-c", code]
            return subprocess.check_output(command, stderr=subprocess.DEVNULL).decode().strip()
    return ""


def is_done(kind):
    """Whether .venv works and has what `kind` needs; what serves `test` serves `lab`."""
    found = STAMP.read_text() if STAMP.is_file() else ""
    return found in (stamp(kind), stamp("test")) and venv_version() != ""


def wait_for_others():
    """Return an open file that keeps other installations waiting until it is closed."""
    import fcntl  # not on Windows

    file = open(__file__, "r+")  # noqa: SIM115
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Another terminal is installing the course: waiting for it ...", flush=True)
        fcntl.flock(file, fcntl.LOCK_EX)
    return file


def install(kind):
    """Bring .venv to the state that `kind` ("lab" or "test") needs."""
    usable = STAMP.is_file() and venv_version()
    if STAMP.is_file():
        STAMP.unlink()
    if usable:
        print("Bringing .venv up to date ...", flush=True)
    else:
        print("Installing the course into .venv (the first time takes minutes) ...", flush=True)
        make_venv()
    uv_install(PYTHON, "--constraint", "requirements.lock", "--editable", TARGETS[kind])
    OVERRIDES.parent.mkdir(parents=True, exist_ok=True)
    OVERRIDES.write_text(json.dumps(NO_NEWS))  # JupyterLab asks nobody whether to fetch news
    run("Importing what was installed", [PYTHON, "-I", "-c", f"import {MODULES}"])
    STAMP.write_text(stamp(kind))


def main():
    """Read the command line and install, where that is needed, one terminal after the other."""
    parser = argparse.ArgumentParser(description="Install the course into .venv.")
    parser.add_argument("kind", choices=sorted(TARGETS), nargs="?", default="lab")
    kind = parser.parse_args().kind
    found, ours = venv_version(), "{}.{}".format(*sys.version_info)
    if found not in ("", ours):
        print(f".venv has Python {found}: `make clean` first to change to Python {ours}.")
    try:
        if not is_done(kind):
            check_python()
            with wait_for_others():
                if not is_done(kind):
                    install(kind)
    except KeyboardInterrupt:
        sys.exit("Interrupted: run the same command again to finish the installation.")
    except OSError as error:
        fail("The installation", [str(error)])


if __name__ == "__main__":
    main()
