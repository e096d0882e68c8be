"""Nothing in the course runs, unpickles or fetches what somebody else could have put there.

Every check is a function that returns what is wrong, so that the tests can plant each kind of
fault and see that it is found.
"""

import ast
import base64
import getpass
import io
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

import lab
import notebooks
from course_utils import data

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = sorted((ROOT / "course_utils").rglob("*.py"))
TOOLS = sorted((ROOT / "tools").rglob("*.py"))
DATA = ROOT / "course_utils" / "data.py"


def words(text: str) -> set[str]:
    return set(text.split())


# ---- code: what is unpickled, executed or fetched

UNPICKLES = words(
    "pickle cPickle _pickle pickle5 dill cloudpickle joblib shelve marshal jsonpickle torch"
)
FETCHES = words(
    "urllib urllib2 urllib3 http ftplib smtplib telnetlib socket ssl requests pooch httpx "
    "aiohttp wget pycurl paramiko fsspec s3fs gcsfs tensorflow_datasets tensorflow_hub "
    "huggingface_hub transformers datasets kaggle kagglehub openml gdown"
)
FETCHES_IN_DATA = {"pooch", "requests"}
UNPICKLING_NAMES = words(
    "read_pickle read_hdf load_model model_from_json model_from_config deserialize_keras_object "
    "enable_unsafe_deserialization"
)
FETCHING_NAMES = words(
    "urlopen urlretrieve get_file load_data DataSource applications IFrame YouTubeVideo Javascript"
)
EXECUTING_NAMES = {"eval", "exec", "compile", "__import__", "get_ipython"}
SHELLS = {"system", "popen", "getoutput", "getstatusoutput"}
PROGRAMS = {"subprocess", "pty"}
MAGIC = re.compile(r"^\s*(?:!|\?|%%?\w)", re.MULTILINE)
URL = re.compile(r"\s*(?:https?:|ftp:|s3:|gs:|//\w)", re.IGNORECASE)


def is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def call_faults(call: ast.Call) -> Iterator[str]:
    """What is wrong with the way in which a function is called."""
    name = ast.unparse(call.func)
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    if name in EXECUTING_NAMES:
        yield f"executes text: {name}"
    if not is_false(keywords.get("shell", ast.Constant(False))):
        yield f"starts a shell: {name}"
    if re.search(r"(^|\.)import_module$", name) and not isinstance(call.args[0], ast.Constant):
        yield "imports a module that is not named"
    is_numpy_load = name in ("np.load", "numpy.load")
    if is_numpy_load and (len(call.args) > 2 or None in keywords):
        yield "may unpickle: np.load with arguments that cannot be read here"
    if not is_false(keywords.get("allow_pickle", ast.Constant(False))):
        yield f"may unpickle: {name}(allow_pickle=...)"
    if "safe_mode" in keywords:
        yield f"may unpickle: {name}(safe_mode=...)"
    if name.endswith(("saved_model.load", "hub.load")):
        yield f"may unpickle: {name}"


def imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """The modules, and the names in them, that a line imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif node.level == 0:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def code_faults(code: str, may_fetch: frozenset[str] | set[str] = frozenset()) -> list[str]:
    """What a piece of Python does that could run or unpickle foreign bytes, or fetch them."""
    faults = []
    for node in ast.walk(ast.parse(code)):
        names = []
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = list(imported(node))
            modules = {name.split(".")[0] for name in names}
            faults += [f"unpickles: import {name}" for name in sorted(modules & UNPICKLES)]
            faults += [f"fetches: import {name}" for name in sorted(modules & FETCHES - may_fetch)]
            faults += [f"starts a program: import {name}" for name in sorted(modules & PROGRAMS)]
        elif isinstance(node, ast.Attribute | ast.Name):
            names = [node.attr if isinstance(node, ast.Attribute) else node.id]
        last = {name.split(".")[-1] for name in names}
        faults += [f"may unpickle: {name}" for name in sorted(last & UNPICKLING_NAMES)]
        faults += [f"starts a shell: {name}" for name in sorted(last & SHELLS)]
        faults += [f"fetches: {name}" for name in sorted(last & FETCHING_NAMES)]
        faults += [f"fetches: {name}" for name in sorted(last) if name.startswith("fetch_")]
        if isinstance(node, ast.Constant) and URL.match(str(node.value)):
            faults.append(f"fetches: {node.value!r}")
        if isinstance(node, ast.Call):
            faults += call_faults(node)
    return faults


def download_faults(code: str) -> list[str]:
    """Where the data layer asks for anything but an address of the registry and its checksum."""
    faults, retrieved = [], 0
    for node in ast.walk(ast.parse(code)):
        known = ("RequestException", "HTTPError", "exceptions")
        of_requests = isinstance(node, ast.Attribute) and ast.unparse(node.value) == "requests"
        if of_requests and node.attr not in known:
            faults.append(f"requests.{node.attr}")
        if not isinstance(node, ast.Call):
            continue
        function = ast.unparse(node.func)
        keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        if function in ("pooch.retrieve", "_reachable"):
            retrieved += function == "pooch.retrieve"
            if ast.unparse(node.args[0]) != "download.url":
                faults.append(f"{function}({ast.unparse(node.args[0])})")
        if function == "pooch.retrieve":
            if keywords.get("known_hash") != "f'sha256:{download.sha256}'":
                faults.append("the checksum is not the registry's")
        elif function.startswith("pooch.") and function not in (
            *("pooch.file_hash", "pooch.get_logger", "pooch.HTTPDownloader"),
            *("pooch.get_logger().setLevel", "pooch.HTTPDownloader(timeout=3)"),
        ):
            faults.append(function)
    if retrieved != 1:
        faults.append(f"pooch.retrieve is called in {retrieved} places")
    return faults


# ---- pages: what a browser loads and runs when it shows them

LOADS = words("src srcset data poster background action formaction href xlink:href")
FORBIDDEN_TAGS = words("iframe frame object embed base meta form portal")
REMOTE_STYLE = re.compile(r"@import|url\(\s*['\"]?\s*(?:https?:|ftp:|//)", re.IGNORECASE)
REMOTE_CODE = re.compile(
    r"""['"`]\s*(?:https?:|wss?:|ftp:|//\w)|\b(?:XMLHttpRequest|WebSocket|EventSource|Worker"""
    r"""|SharedWorker|sendBeacon|importScripts|localStorage|sessionStorage|indexedDB|IPython"""
    r"""|Jupyter)\b|\b(?:fetch|import|require|eval|Function|open)\s*\(|document\.(?:cookie|write)"""
    r"""|\blocation\s*(?:=[^=]|\.)|\bimport\s+[\w{*'"]|\.src\s*=\s*['"`](?!data:|@)""",
)


class Page(HTMLParser):
    """Collects what a page would load from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        if tag in FORBIDDEN_TAGS:
            self.faults.append(f"<{tag}>")
        for name, value in attrs:
            value = re.sub(r"[\s\x00]+", "", value or "")
            goes_there = tag == "a" and name == "href"  # only when somebody follows the link
            if name in LOADS and not goes_there and any(map(URL.match, value.split(","))):
                self.faults.append(f"<{tag} {name}={value[:60]}>")
            if value.lower().startswith(("javascript:", "vbscript:", "data:text/html")):
                self.faults.append(f"<{tag} {name}={value[:60]}>")
            if name == "srcdoc" or (name == "style" and REMOTE_STYLE.search(value)):
                self.faults.append(f"<{tag} {name}={value[:60]}>")
            if name.startswith("on") and (found := REMOTE_CODE.search(value)):
                self.faults.append(f"<{tag} {name}: {found[0]}>")

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, text: str) -> None:
        found = None
        if self.inside == "script":
            found = REMOTE_CODE.search(text)
        elif self.inside == "style":
            found = REMOTE_STYLE.search(text)
        if found:
            self.faults.append(f"<{self.inside}>: {found[0]}")


def page_faults(text: str) -> list[str]:
    """What a browser would load from elsewhere when it shows this HTML, SVG or Markdown."""
    return Page(text).faults


def markdown_faults(text: str) -> list[str]:
    """The same for Markdown, whose pictures are loaded too and whose code is only shown."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    pictures = re.findall(r"!\[[^\]]*\]\(\s*<?([^)\s>]+)", text)
    return page_faults(text) + [f"picture {url}" for url in pictures if URL.match(url)]


# ---- outputs: what is known of the machine and its user

TOKEN = re.compile(
    r"token[=:]\s*['\"]?\w{8}|\b(?:gh[opsu]|github_pat|glpat|hf|sk|pypi)[-_]\w{16,}"
    r"|\bAKIA[0-9A-Z]{16}|\bxox[abp]-\w{8}|\beyJ\w{10,}\.eyJ\w{10,}|PRIVATE KEY-----"
    r"|\b[Bb]earer\s+[\w.-]{16,}|\b(?:password|passwd|api_?key|secret)\s*[=:]\s*['\"]?\w{6}"
    r"|\w://[^\s/:@]+:[^\s/@]+@",
    re.IGNORECASE,
)
HOME = re.compile(r"(?:/home|/root|/Users|/tmp|/var/folders|/mnt)/|\b[A-Z]:\\+\w|(?<!\w)~/\w")


def machine_faults(text: str, user: str = "", home: str = "") -> list[str]:
    """Tokens, paths and names of a machine in a text; `user` and `home` are looked for as well."""
    text = re.sub(r"data:[\w/+-]+;base64,[\w+/=]+", "", text)
    faults = [f"a token: {found[0]}" for found in TOKEN.finditer(text)]
    faults += [f"a path: {found[0]}" for found in HOME.finditer(text)]
    if len(home) > 1 and home in text:
        faults.append(f"a path: {home}")
    if user and re.search(rf"(?<!\w){re.escape(user)}@|[/\\]{re.escape(user)}(?!\w)", text):
        faults.append(f"a user: {user}")
    return faults


def outputs(notebook: nbformat.NotebookNode) -> Iterator[tuple[str, str]]:
    """Kind and text of everything that a notebook stores as output."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            yield "text/plain", output.get("text", "")
            yield "text/plain", "\n".join([*output.get("traceback", []), output.get("evalue", "")])
            for kind, content in output.get("data", {}).items():
                yield kind, content if isinstance(content, str) else str(content)
            yield "text/plain", str(output.get("metadata", {}))


def picture_texts(content: str) -> str:
    """What a picture carries beside its pixels."""
    with Image.open(io.BytesIO(base64.b64decode(content))) as image:
        return "\n".join(str(item) for item in image.info.items())


def output_faults(notebook: nbformat.NotebookNode) -> list[str]:
    """What a notebook's outputs load from elsewhere, and what they tell of a machine."""
    faults, user, home = [], getpass.getuser(), str(Path.home())
    for kind, content in outputs(notebook):
        if re.match("image/(png|jpeg)", kind):
            content = picture_texts(content)
        elif "html" in kind or "svg" in kind:
            faults += page_faults(content)
        elif "markdown" in kind:
            faults += markdown_faults(content)
        elif kind not in ("text/plain", "text/latex", "application/json"):
            faults.append(f"an output that runs: {kind}")
        faults += machine_faults(content, user, home)
    faults += machine_faults(str(notebook.metadata), user, home)
    return faults


# ---- JupyterLab's own authentication

OPEN_DOOR = re.compile(
    r"IdentityProvider|PasswordIdentity|NotebookApp|ServerApp\.(?!root_dir\b)\w+|--\w*token"
    r"|--ip\b|JUPYTER_TOKEN|JUPYTERHUB|disable_check_xsrf|allow_origin|allow_remote_access"
    r"|allow_unauthenticated|allow_credentials|Content-Security-Policy|jupyter trust|\bc\.\w+App\."
    r"|--no-check-certificate|verify\s*=\s*False|trusted-host"
)
STARTS = [
    ROOT / "Makefile",
    ROOT / "README.md",
    ROOT / "environment.yml",
    ROOT / "pyproject.toml",
    *sorted((ROOT / "binder").iterdir()),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / ".ci").iterdir()),
    *TOOLS,
    *PACKAGE,
]


def door_faults(text: str) -> list[str]:
    """Settings that would open JupyterLab, or a download, to somebody else."""
    return [found[0] for found in OPEN_DOOR.finditer(text)]


# ---- the course


def read(lesson: str) -> nbformat.NotebookNode:
    return nbformat.read(notebooks.notebook_path(lesson), as_version=4)


def cells(notebook: nbformat.NotebookNode, kind: str) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == kind]


def lesson_faults(notebook: nbformat.NotebookNode) -> list[str]:
    """What is wrong with the code and the text of a lesson."""
    code = cells(notebook, "code")
    faults = [f"a command: {found[0].strip()}" for c in code for found in MAGIC.finditer(c)]
    faults += [fault for c in code if not MAGIC.search(c) for fault in code_faults(c)]
    return faults + [f for text in cells(notebook, "markdown") for f in markdown_faults(text)]


def templates(code: str) -> list[str]:
    """Pieces of HTML in Python, in which the names between two @ are filled in."""
    constants = (n.value for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Constant))
    return [
        text for text in constants if isinstance(text, str) and re.search(r"<[a-zA-Z]+\b", text)
    ]


@pytest.mark.parametrize("path", PACKAGE, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_package(path):
    code = path.read_text(encoding="utf-8")
    assert code_faults(code, FETCHES_IN_DATA if path == DATA else frozenset()) == []
    assert [fault for text in templates(code) for fault in page_faults(text)] == []


@pytest.mark.parametrize("path", TOOLS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_tools(path):
    """They talk to JupyterLab on this machine, and start it, so they may do both."""
    faults = code_faults(path.read_text(encoding="utf-8"))
    assert [
        fault for fault in faults if not fault.startswith(("fetches", "starts a program"))
    ] == []


def test_downloads_come_from_the_registry():
    assert download_faults(DATA.read_text(encoding="utf-8")) == []
    for name, download in data.registry().items():
        assert download.url.startswith("https://"), name
        assert re.fullmatch("[0-9a-f]{64}", download.sha256), name
        assert Path(download.file).name == download.file, f"{name} leaves its folder"


@pytest.mark.parametrize("lesson", notebooks.lessons())
def test_a_lesson(lesson):
    notebook = read(lesson)
    assert lesson_faults(notebook) == []
    assert lesson_faults(notebooks.read_source(lesson)) == []
    assert output_faults(notebook) == []


def test_explorers_are_among_the_pages():
    stored = [text for lesson in notebooks.lessons() for _, text in outputs(read(lesson))]
    assert sum("<script>" in text for text in stored) >= 5
    assert len(templates((ROOT / "course_utils" / "widgets.py").read_text())) >= 5


@pytest.mark.parametrize("path", STARTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_jupyter_keeps_its_doors_shut(path):
    assert door_faults(path.read_text(encoding="utf-8")) == []


def test_jupyter_is_started_with_its_token():
    for as_root in (True, False):
        assert door_faults(" ".join(lab.command([], as_root))) == []
    assert list(lab.QUIET) == ["@jupyterlab/apputils-extension:notification"]
    configured = {path.relative_to(ROOT).parts for path in ROOT.glob("**/jupyter*config*")}
    assert {parts for parts in configured if parts[0] not in (".venv", "build")} == set()


# ---- each kind of fault is found


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "import torch.nn as nn",
        "import numpy as np\nnp.load('a.npy', allow_pickle=True)",
        "import numpy as np\nnp.load('a.npy', allow_pickle=trusted)",
        "import numpy as np\nnp.load('a.npy', None, True)",
        "import numpy as np\nnp.load('a.npy', **options)",
        "import pandas as pd\npd.read_pickle('a')",
        "import keras\nkeras.models.load_model('a.keras')",
        "from keras.models import load_model",
        "from keras import config\nconfig.enable_unsafe_deserialization()",
        "loader('a.keras', safe_mode=False)",
        "import tensorflow as tf\ntf.saved_model.load('folder')",
        "eval(text)",
        "exec(text)",
        "compile(text, 'a', 'exec')",
        "__import__(name)",
        "import importlib\nimportlib.import_module(name)",
        "import os\nos.system('ls')",
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "import urllib.request",
        "from urllib.request import urlopen as o",
        "import requests",
        "import pooch",
        "import socket",
        "import tensorflow_datasets as tfds",
        "import keras\nkeras.utils.get_file('a', origin=address)",
        "from keras.datasets import mnist\nmnist.load_data()",
        "import keras\nkeras.applications.ResNet50()",
        "from sklearn.datasets import fetch_california_housing",
        "from sklearn import datasets\ndatasets.fetch_california_housing()",
        "import pandas as pd\npd.read_csv('https://example.org/a.csv')",
        "import pandas as pd\naddress = 'https://example.org/a.csv'\npd.read_csv(address)",
        "import pandas as pd\npd.read_hdf('a.h5')",
        "from os import system\nsystem('ls')",
        "import subprocess\nsubprocess.run(['sh', '-c', 'ls'])",
        "get_ipython().system('ls')",
        "import pandas as pd\npd.read_csv(filepath_or_buffer='//example.org/a.csv')",
        "from IPython.display import IFrame",
        "from IPython import display\ndisplay.Javascript(url=address)",
        "from IPython.display import Image\nImage(url='http://example.org/a.png')",
    ],
)
def test_faults_of_code_are_found(code):
    assert code_faults(code) != []
    assert lesson_faults(new_notebook(cells=[new_code_cell(code)])) != []


@pytest.mark.parametrize(
    "code",
    [
        "import numpy as np\nnp.load('a.npz', allow_pickle=False)",
        "import re\nre.compile('a')\nmodel.compile(loss='mse')\nmodel.eval()",
        "import json\njson.load(file)",
        "from course_utils import data\ndata.fetch('mnist')\ndata.load_mnist()",
        "def f():\n    '''As in https://example.org.'''",
    ],
)
def test_harmless_code_is_let_pass(code):
    assert code_faults(code) == []


@pytest.mark.parametrize("line", ["!pip install x", "%run other.py", "%%bash\nls", "  !ls"])
def test_commands_in_a_lesson_are_found(line):
    notebook = new_notebook(cells=[new_code_cell(line)])
    assert lesson_faults(notebook)[0].startswith("a command: ")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("download.url,\n", '"https://example.org/" + download.file,\n'),
        ('known_hash=f"sha256:{download.sha256}"', "known_hash=None"),
        ("return _reachable(download.url)", "return _reachable(mirror)"),
        ("import requests\n", "import requests; requests.get(mirror)\n"),
        ("pooch.retrieve(", "pooch.create("),
        ("part = pooch.retrieve(", "pooch.retrieve(mirror); part = pooch.retrieve("),
    ],
    ids=["address", "checksum", "question", "requests", "another way", "a second one"],
)
def test_faults_of_the_data_layer_are_found(old, new):
    code = DATA.read_text(encoding="utf-8")
    assert old in code
    assert download_faults(code.replace(old, new)) != []


@pytest.mark.parametrize(
    "page",
    [
        "<script src='https://example.org/a.js'></script>",
        "<script src=//example.org/a.js></script>",
        "<SCRIPT SRC=' HTTP://example.org/a.js'></SCRIPT>",
        "<iframe src='local.html'></iframe>",
        "<iframe srcdoc='a'></iframe>",
        "<img src='http://example.org/a.png'>",
        "<img srcset='a.png, https://example.org/b.png 2x'>",
        "<link rel=stylesheet href='https://example.org/a.css'>",
        "<svg><image xlink:href='https://example.org/a.svg'/></svg>",
        "<object data='a.swf'></object>",
        "<form action='https://example.org'></form>",
        "<base href='https://example.org'>",
        "<div style='background: url(https://example.org/a.png)'></div>",
        "<style>@import 'a.css';</style>",
        "<style>p { background: url( '//example.org/a.png' ) }</style>",
        "<a href='javascript:alert(1)'>a</a>",
        "<p onclick='fetch(1)'>a</p>",
        "<script>fetch('a')</script>",
        "<script>const a = 'https://example.org'</script>",
        "<script>import('./a.js')</script>",
        "<script type=module>import a from './a.js'</script>",
        "<script>require(['a'])</script>",
        "<script>new WebSocket(a)</script>",
        "<script>eval(a)</script>",
        "<script>image.src = '/a.png'</script>",
        "<script>localStorage.a = 1</script>",
        "<script>send(document.cookie)</script>",
        "<script>IPython.notebook.kernel.execute('1')</script>",
    ],
)
def test_faults_of_a_page_are_found(page):
    assert page_faults(page) != []
    shown = new_output("display_data", data={"text/html": page})
    assert output_faults(new_notebook(cells=[new_code_cell("", outputs=[shown])])) != []
    assert lesson_faults(new_notebook(cells=[new_markdown_cell(page)])) != []
    code = f"_PAGE = {page!r}"
    assert [fault for text in templates(code) for fault in page_faults(text)] != []


def test_a_picture_from_elsewhere_is_found_in_markdown():
    assert markdown_faults("![a](https://example.org/a.png)") != []
    assert markdown_faults("[a](https://example.org) `<iframe>` ![a](figures/a.png)") == []


@pytest.mark.parametrize(
    "page",
    [
        "<a href='https://example.org'>a link</a>",
        "<img src='data:image/png;base64,AA=='><style>p { color: red }</style>",
        "<script>picture.src = 'data:image/png;base64,AA=='; // fetches nothing\n</script>",
        "<p>fetch(https://example.org)</p>",
    ],
)
def test_a_harmless_page_is_let_pass(page):
    assert page_faults(page) == []


def of_output(**parts: object) -> nbformat.NotebookNode:
    return new_notebook(cells=[new_code_cell("", outputs=[new_output(**parts)])])


@pytest.mark.parametrize(
    "text",
    [
        "http://localhost:8888/lab?token=0123456789abcdef",
        "ghp_0123456789abcdefghij",
        "AKIA0123456789ABCDEF",
        "Authorization: Bearer 0123456789abcdef01",
        "-----BEGIN RSA PRIVATE KEY-----",
        "password = 'secret1'",
        "https://ada:secret@example.org",
        "/home/ada/course",
        "/Users/ada",
        "/tmp/ipykernel_1/2.py",
        r"C:\Users\ada",
        "~/course",
    ],
)
def test_tokens_and_paths_are_found(text):
    assert machine_faults(text) != []
    assert output_faults(of_output(output_type="stream", name="stdout", text=text)) != []
    assert output_faults(of_output(output_type="error", ename="E", evalue=text)) != []
    for kind in ("text/plain", "text/html", "text/markdown"):
        assert output_faults(of_output(output_type="display_data", data={kind: text})) != []


def test_the_user_of_this_machine_is_found():
    assert machine_faults("ada@laptop", user="ada") == ["a user: ada"]
    assert machine_faults("/data/ada/a.csv", user="ada") == ["a user: ada"]
    assert machine_faults("/srv/u1/course", home="/srv/u1") == ["a path: /srv/u1"]
    assert machine_faults("the root of a mean, Adam and ada", user="ada") == []


def test_what_a_picture_carries_is_read():
    from matplotlib.figure import Figure

    for software, faults in (("Matplotlib", 0), ("/home/ada/draw.py", 1)):
        body = io.BytesIO()
        Figure().savefig(body, format="png", metadata={"Software": software})
        picture = {"image/png": base64.b64encode(body.getvalue()).decode()}
        found = output_faults(of_output(output_type="display_data", data=picture))
        assert len(found) == faults


@pytest.mark.parametrize("kind", ["application/javascript", "application/vnd.unknown+json"])
def test_an_output_that_runs_is_found(kind):
    notebook = of_output(output_type="display_data", data={kind: "1"})
    assert output_faults(notebook) == [f"an output that runs: {kind}"]


@pytest.mark.parametrize(
    "text",
    [
        "jupyter lab --IdentityProvider.token=''",
        "c.ServerApp.token = ''",
        "--ServerApp.password=",
        "--ServerApp.ip=0.0.0.0",
        "--ip=0.0.0.0",
        "--NotebookApp.token=''",
        "c.ServerApp.disable_check_xsrf = True",
        "--ServerApp.allow_origin='*'",
        "allow_remote_access",
        "export JUPYTER_TOKEN=a",
        "pip install --trusted-host example.org",
        "jupyter trust notebooks/*.ipynb",
        "verify = False",
    ],
)
def test_open_doors_are_found(text):
    assert door_faults(text) != []
