"""Nothing in the course runs, unpickles or fetches what somebody else could have put there.

Of code, ruff sees most: its security rules, and modules that are banned here. Pages, stored
outputs and settings are looked through by functions that return what is wrong, so that faults of
each kind can be planted. That downloads come from the registry alone stands in test_download.py.
"""

import ast
import base64
import getpass
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from course_utils import download

ROOT = Path(__file__).resolve().parents[1]


# ---- code: what is unpickled, executed or fetched

BANNED = {
    "unpickles": "pickle _pickle dill cloudpickle joblib shelve marshal jsonpickle torch "
    "numpy.load pandas.read_pickle pandas.read_hdf tensorflow.saved_model.load",
    "fetches": "urllib urllib3 http ftplib smtplib socket ssl requests pooch httpx aiohttp wget "
    "pycurl paramiko fsspec s3fs gcsfs tensorflow_datasets tensorflow_hub huggingface_hub "
    "transformers datasets kaggle kagglehub openml gdown numpy.lib.npyio keras.applications "
    "tensorflow.keras.applications tf_keras.applications",
    "starts a program": "subprocess pty runpy importlib.import_module",
}
LINES = {  # what ruff has no rule for, and names that Keras has in several places
    "unpickles": r"allow_pickle\s*=(?!\s*False\b)|safe_mode\s*=|\bload_model\b|\bmodel_from_json\b"
    r"|\bdeserialize_keras_object\b|\benable_unsafe_deserialization\b|\bTFSMLayer\b",
    "fetches": r"(?i:[\"']\s*(https?:|ftp:|s3:|gs:|//\w))|\bfetch_\w+|\bload_data\b"
    r"|\bget_file\b|\bIFrame\b|\bYouTubeVideo\b|\bJavascript\b",
    "executes text": r"(?<![.\w])(compile|__import__)\(|\bget_ipython\(\)\."
    r"|\.(system|popen|getoutput|getstatusoutput)\((?!\))"
    r"|\.run_(cell|line)_magic\((?!\"matplotlib\", \"inline\"\))",
}
COMMAND = r"(?m)^\s*(!|\?|%%?\w)"  # in a cell
MAY = {  # the tools start JupyterLab on this machine and talk to it, two keep their own results in
    "tools/": "fetches|starts a program",  # build/, and one module downloads
    "tools/seeds.py": "`joblib` is banned",
    "tools/mutants.py": "`joblib` is banned",
    # It tries what the caller names; its lesson starts three such workers on this machine.
    "course_utils/search.py": r"`importlib\.import_module` is banned",
    "notebooks/source/hyperparameters.py": "`subprocess` is banned",
    "notebooks/hyperparameters.ipynb": "`subprocess` is banned",
    "course_utils/data.py": r"`numpy\.load` is banned",
    "course_utils/download.py": "`(pooch|requests)` is banned",
}


def may(path: str, fault: str) -> bool:
    return any(path.startswith(start) and re.search(what, fault) for start, what in MAY.items())


def ruff(root: Path, paths: list[Path]) -> list[tuple[Path, str]]:
    """What ruff's security rules and the banned modules find, whatever a `noqa` says."""
    bans = [f'"{name}"={{msg="{why}"}}' for why in BANNED for name in BANNED[why].split()]
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--ignore-noqa"]
    command += ["--select=S,TID251", "--output-format=json", f"--config={ROOT / 'pyproject.toml'}"]
    command += [f"--config=lint.flake8-tidy-imports.banned-api={{{','.join(bans)}}}", *paths]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert ran.returncode in (0, 1) and not ran.stderr, ran.stderr
    return [(Path(found["filename"]), found["message"]) for found in json.loads(ran.stdout)]


def code_faults(root: Path) -> list[tuple[str, str]]:
    """File and fault of all code below `root` that could run, unpickle or fetch foreign bytes."""
    places = "notebooks/*.ipynb notebooks/source/*.py course_utils/**/*.py tools/**/*.py"
    paths = [path for place in places.split() for path in sorted(root.glob(place))]
    faults = ruff(root, paths)
    for path in paths:
        code, lines = path.read_text(encoding="utf-8"), LINES
        if path.suffix == ".ipynb":
            cells = nbformat.reads(code, as_version=4).cells
            code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
            lines = LINES | {"a command": COMMAND}
        code = re.sub(r"(?m)^\s*#.*", "", code)
        for why, line in lines.items():
            faults += [(path, f"{why}: {found[0]}") for found in re.finditer(line, code)]
    named = [(path.relative_to(root).as_posix(), fault) for path, fault in faults]
    return [(path, fault) for path, fault in named if not may(path, fault)]


def test_the_code():
    assert code_faults(ROOT) == []


EVERYWHERE = [
    "import pickle  # noqa: TID251, S403",
    "from joblib import load",
    "import numpy as np\nnp.load('a.npy', None, True)",
    "read('a.npy', allow_pickle=trusted)",
    "from tensorflow.keras.models import load_model",
    "import tarfile\ntarfile.open('a.tar').extractall('.')",
    "import yaml\nyaml.load(text, Loader=yaml.UnsafeLoader)",
    "eval(text)",
    "exec(text)",
    "__import__(name)",
    "from os import system\nsystem('ls')",
    "import subprocess\nsubprocess.run('ls', shell=True)",
    "get_ipython().system('ls')",
    "shell.run_line_magic('run', 'a.py')",
]
NOT_IN_TOOLS = [
    "import subprocess",
    "import importlib\nimportlib.import_module(name)",
    "from urllib.request import urlopen as o",
    "import pooch",
    "import tensorflow_datasets as tfds",
    "from keras.datasets import mnist\nmnist.load_data()",
    "from sklearn import datasets\ndatasets.fetch_openml('a')",
    "pd.read_csv(filepath_or_buffer=' //example.org/a.csv')",
    "display.Image(url='HTTP://example.org/a.png')",
    "from IPython.display import IFrame",
    "from tensorflow import keras\nkeras.applications.ResNet50()",
]
IN_NOTEBOOKS = ["!pip install x", "%run a.py", "%%bash\nls", "  !ls", "?x"]
NOWHERE = [
    "import re\nre.compile('a')\nmodel.compile(loss='mse')\nmodel.eval()",
    "from sklearn import datasets\ndatasets.load_wine()",
    "def f():\n    '''As in https://example.org.'''\n    # 'https://example.org'",
]


@pytest.mark.parametrize(
    ("place", "faults", "harmless"),
    [
        ("tools/{}.py", EVERYWHERE, NOWHERE + NOT_IN_TOOLS),
        ("course_utils/{}.py", EVERYWHERE + NOT_IN_TOOLS, NOWHERE),
        ("notebooks/source/{}.py", EVERYWHERE + NOT_IN_TOOLS, NOWHERE),
        ("notebooks/{}.ipynb", EVERYWHERE + NOT_IN_TOOLS + IN_NOTEBOOKS, NOWHERE),
    ],
)
def test_faults_of_code_are_found(tmp_path, place, faults, harmless):
    root, planted = tmp_path.resolve(), {}
    for number, code in enumerate(faults + harmless):
        path = place.format(f"case_{number}")
        planted[path] = code
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        notebook = nbformat.writes(new_notebook(cells=[new_code_cell(code)]))
        (root / path).write_text(notebook if path.endswith("ipynb") else code, encoding="utf-8")
    assert {planted[path] for path, _ in code_faults(root)} == set(faults)


def test_the_registry_names_secure_addresses_and_checksums():
    for name, entry in download.registry().items():
        assert entry.url.startswith("https://"), name
        assert re.fullmatch("[0-9a-f]{64}", entry.sha256), name
        assert Path(entry.file).name == entry.file, f"{name} leaves its folder"


# ---- pages and settings: what a browser loads, what is known of the machine, who may come in

FORBIDDEN_TAGS = ["iframe", "frame", "object", "embed", "base", "meta", "form", "portal"]
LOADS = ["src", "srcset", "data", "poster", "background", "href", "xlink:href"]
RUNS = r"(?i:^\s*(javascript:|vbscript:|data:text/html))"
URL = rf"(?i:(^|,)\s*(https?:|ftp:|//\w))|{RUNS}"
REMOTE_STYLE = re.compile(r"(?i)@import|url\(\s*['\"]?\s*(https?:|ftp:|//)")
REMOTE_CODE = re.compile(
    r"""['"`]\s*(?:https?:|wss?:|ftp:|//\w)|\b(?:XMLHttpRequest|WebSocket|EventSource|Worker"""
    r"""|SharedWorker|sendBeacon|importScripts|localStorage|sessionStorage|indexedDB|IPython"""
    r"""|Jupyter)\b|\b(?:fetch|import|require|eval|Function|open)\s*\(|document\.(?:cookie|write)"""
    r"""|\blocation\s*(?:=[^=]|\.)|\bimport\s+[\w{*'"]|\.src\s*=\s*['"`](?!data:|@)""",
)
TOKEN = re.compile(
    r"(?i)token[=:]\s*['\"]?\w{8}|\b(?:gh[opsu]|github_pat|glpat|hf|sk|pypi)[-_]\w{16,}"
    r"|\bAKIA[0-9A-Z]{16}|\bxox[abp]-\w{8}|\beyJ\w{10,}\.eyJ\w{10,}|PRIVATE KEY-----"
    r"|\bbearer\s+[\w.-]{16,}|\b(?:password|passwd|api_?key|secret)\s*[=:]\s*['\"]?\w{6}"
    r"|\w://[^\s/:@]+:[^\s/@]+@"
)
USER, HOME = getpass.getuser(), str(Path.home()).rstrip("/") or "~"
PATHS = re.compile(
    r"(?:/home|/root|/Users|/tmp|/var/folders|/mnt)/|\b[A-Z]:\\+\w|(?<!\w)~/\w"
    rf"|(?<!\w){re.escape(USER)}@|[/\\]{re.escape(USER)}(?!\w)|{re.escape(HOME)}/"
)
OPEN_DOOR = re.compile(
    r"IdentityProvider|PasswordIdentity|NotebookApp|ServerApp\.(?!root_dir\b)\w+|--\w*token"
    r"|--ip\b|JUPYTER_TOKEN|JUPYTERHUB|disable_check_xsrf|allow_origin|allow_remote_access"
    r"|allow_unauthenticated|allow_credentials|Content-Security-Policy|jupyter trust|\bc\.\w+App\."
    r"|--no-check-certificate|verify\s*=\s*False|--trusted-host"
)
RULES = {"script": REMOTE_CODE, "style": REMOTE_STYLE} | dict.fromkeys(LOADS, URL)
STARTS = ["Makefile", "*.md", "*.yml", "*.toml", "binder/*", "docs/*.md", ".ci/*"]
STARTS += ["tools/**/*.py", "course_utils/**/*.py"]


def page_faults(text: str) -> list[str]:
    """What a browser would load from elsewhere when it shows this HTML, SVG or Markdown."""
    faults = []
    for tag in BeautifulSoup(text, "html.parser").find_all():
        if tag.name in FORBIDDEN_TAGS or tag.has_attr("srcdoc"):
            faults.append(f"<{tag.name}>")
        for name, value in [(tag.name, tag.string or ""), *tag.attrs.items()]:
            rule = REMOTE_CODE if name.startswith("on") else RULES.get(name)
            if (tag.name, name) == ("a", "href"):  # loaded only when somebody follows it
                rule = RUNS
            if rule and (found := re.search(rule, str(value))):
                faults.append(f"{name}: {found[0]}")
    return faults


def markdown_faults(text: str) -> list[str]:
    """The same for Markdown, whose pictures are loaded too and whose code is only shown."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    pictures = re.findall(r"!\[[^\]]*\]\(\s*<?([^)\s>]+)", text)
    return page_faults(text) + [f"picture {url}" for url in pictures if re.search(URL, url)]


def machine_faults(text: str) -> list[str]:
    """Tokens, paths and names of a machine in a text."""
    text = re.sub(r"data:[\w/+-]+;base64,[\w+/=]+", "", text)
    return [found[0] for marks in (TOKEN, PATHS) for found in marks.finditer(text)]


def door_faults(text: str) -> list[str]:
    """Settings that would open JupyterLab, or a download, to somebody else."""
    return [found[0] for found in OPEN_DOOR.finditer(text)]


def picture_faults(content: str) -> list[str]:
    """What a picture carries of a machine beside its pixels."""
    with Image.open(io.BytesIO(base64.b64decode(content))) as image:
        return machine_faults(str(image.info))


def output_faults(kind: str, content: str) -> list[str]:
    """What an output loads from elsewhere, and what it tells of a machine."""
    if re.match("image/(png|jpeg)", kind):
        return picture_faults(content)
    if "html" in kind or "svg" in kind:
        pictures = re.findall(r"data:image/(?:png|jpeg);base64,([\w+/=]+)", content)
        inside = [fault for picture in pictures for fault in picture_faults(picture)]
        return page_faults(content) + machine_faults(content) + inside
    if "markdown" in kind:
        return markdown_faults(content) + machine_faults(content)
    known = ("text/plain", "text/latex", "application/json")
    return machine_faults(content) if kind in known else [f"an output that runs: {kind}"]


def notebook_faults(notebook: nbformat.NotebookNode) -> list[str]:
    """What is wrong with the text of a notebook and with what it stores as output."""
    faults = machine_faults(str(notebook.metadata))
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            faults += markdown_faults(cell.source)
        for output in cell.get("outputs", []):
            for kind, content in output.get("data", {}).items():
                faults += output_faults(kind, str(content))
            faults += machine_faults(str({**output, "data": None}))
    return faults


def test_the_pages_in_the_package():
    """Pieces of HTML in Python, and the scripts and styles of the explorers."""
    trees = [ast.parse(path.read_text("utf-8")) for path in ROOT.glob("course_utils/**/*.py")]
    texts = [str(n.value) for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Constant)]
    pages = [text for text in texts if re.search(r"<[a-zA-Z]+\b", text)]
    for suffix, tag, count in (("js", "script", 8), ("css", "style", 1)):
        paths = list(ROOT.glob(f"course_utils/**/*.{suffix}"))
        assert len(paths) >= count, "the explorers are not among them"
        pages += [f"<{tag}>{path.read_text('utf-8')}</{tag}>" for path in paths]
    assert [fault for page in pages for fault in page_faults(page)] == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("notebooks/*.ipynb")), ids=lambda path: path.stem)
def test_a_lesson(path):
    assert notebook_faults(nbformat.read(path, as_version=4)) == []


def test_jupyter_keeps_its_doors_shut():
    paths = [path for pattern in STARTS for path in ROOT.glob(pattern) if path.is_file()]
    assert len(paths) > 30
    assert [(path, found) for path in paths for found in door_faults(path.read_text("utf-8"))] == []
    configured = {path.relative_to(ROOT).parts[0] for path in ROOT.glob("**/jupyter*config*")}
    assert configured <= {".venv", "build"}


@pytest.mark.parametrize(
    "html",
    [
        "<SCRIPT SRC=' HTTP://example.org/a.js'></SCRIPT>",
        "<script src=//example.org/a.js></script>",
        "<iframe src='local.html'></iframe>",
        "<p srcdoc='a'>a</p>",
        "<img srcset='a.png, https://example.org/b.png 2x'>",
        "<link rel=stylesheet href='https://example.org/a.css'>",
        "<svg><image xlink:href='https://example.org/a.svg'/></svg>",
        "<div style='background: url(https://example.org/a.png)'></div>",
        "<style>@import 'a.css';</style>",
        "<style>p { background: url( '//example.org/a.png' ) }</style>",
        "<a href='javascript:alert(1)'>a</a>",
        "<p onclick='fetch(1)'>a</p>",
        "<script>const a = 'https://example.org'</script>",
        "<script>eval(a)</script>",
        "<script type=module>import a from './a.js'</script>",
        "<script>new WebSocket(a)</script>",
        "<script>image.src = '/a.png'</script>",
        "<script>send(document.cookie)</script>",
        "![a](https://example.org/a.png)",
    ],
)
def test_what_a_page_loads_or_runs_is_found(html):
    assert markdown_faults(html) != []
    if html.startswith("<"):
        assert output_faults("text/html", html) != []


@pytest.mark.parametrize(
    "html",
    [
        "<a href='https://example.org'>a link</a> [a](https://example.org)",
        "<img src='data:image/png;base64,AA=='><style>p { color: red }</style>",
        "<script>picture.src = 'data:image/png;base64,AA=='; // fetches nothing\n</script>",
        "<p>fetch(https://example.org)</p>",
        "`<iframe>` ![a](figures/a.png)",
    ],
)
def test_a_harmless_page_is_let_pass(html):
    assert markdown_faults(html) == []


@pytest.mark.parametrize(
    "text",
    [
        "http://localhost:8888/lab?token=0123456789abcdef",
        "ghp_0123456789abcdefghij",
        "Authorization: Bearer 0123456789abcdef01",
        "-----BEGIN RSA PRIVATE KEY-----",
        "password = 'secret1'",
        "https://ada:secret@example.org",
        "/home/ada/course",
        r"C:\Users\ada",
        "~/course",
        f"{HOME}/course",
        f"{USER}@laptop",
    ],
)
def test_tokens_and_paths_are_found_wherever_they_are(text):
    for kind in ("text/plain", "text/html", "text/markdown", "application/json"):
        assert output_faults(kind, f"<p>{text}</p>") != []
    printed = new_output("stream", text=text)
    error = new_output("error", ename="E", evalue="E", traceback=[text])
    for cell in (new_code_cell(outputs=[printed]), new_code_cell(outputs=[error])):
        assert notebook_faults(new_notebook(cells=[cell])) != []
    assert notebook_faults(new_notebook(metadata={"a": text})) != []
    assert output_faults("text/plain", f"the root of a mean, and {USER}") == []


@pytest.mark.parametrize("software", ["Matplotlib", "/home/ada/draw.py"])
def test_what_a_picture_carries_is_read(software):
    body = io.BytesIO()
    Figure().savefig(body, format="png", metadata={"Software": software})
    picture = base64.b64encode(body.getvalue()).decode()
    page = f'<img alt="A figure." src="data:image/png;base64,{picture}">'
    for kind, content in {"image/png": picture, "text/html": page}.items():
        assert bool(output_faults(kind, content)) == (software != "Matplotlib")


def test_every_output_and_text_is_looked_at():
    for kind in ("image/svg+xml", "text/html", "application/javascript", "application/x+json"):
        output = new_output("display_data", data={kind: "<iframe></iframe>"})
        assert len(notebook_faults(new_notebook(cells=[new_code_cell(outputs=[output])]))) == 1
    assert notebook_faults(new_notebook(cells=[new_markdown_cell("<iframe></iframe>")])) != []


@pytest.mark.parametrize(
    "text",
    [
        "jupyter lab --IdentityProvider.token=''",
        "c.ServerApp.disable_check_xsrf = True",
        "--ip=0.0.0.0",
        "export JUPYTER_TOKEN=a",
        "pip install --trusted-host example.org",
        "jupyter trust notebooks/*.ipynb",
        "verify = False",
    ],
)
def test_open_doors_are_found(text):
    assert door_faults(text) != []
