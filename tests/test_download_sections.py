"""Sections on data that nobody may have, run on tiny made data after what they need of a lesson.

Training takes one epoch, and claims are not held against their bounds: what is tested is that the
code of such a section runs after that of the lesson before it.
"""

import ast
import linecache

import matplotlib.pyplot as plt
import numpy as np
import pytest

import notebooks
from course_utils import claims, data, training

TRAIN, TEST = 200, 100  # images of the made MNIST


def section(lesson: str) -> list[str]:
    """The code cells of a lesson's section on MNIST, and those before it that it needs."""
    cells = [cell for cell in notebooks.read_source(lesson).cells if cell.cell_type == "code"]
    wanted, kept = set(), []
    is_reached = False
    for cell in reversed(cells):
        nodes = list(ast.walk(ast.parse(cell.source)))
        names = [node for node in nodes if isinstance(node, ast.Name)]
        made = {node.id for node in names if isinstance(node.ctx, ast.Store)} | defined(cell.source)
        is_in_section = "needs-download" in cell.metadata.get("tags", [])
        is_reached = is_reached or is_in_section
        if is_in_section or (is_reached and made & wanted) or "course_utils.setup" in cell.source:
            wanted |= {node.id for node in names if isinstance(node.ctx, ast.Load)}
            wanted -= made
            changed = [node.target for node in nodes if isinstance(node, ast.AugAssign)]
            wanted |= {target.id for target in changed if isinstance(target, ast.Name)}
            kept.append(cell.source)
    return kept[::-1]


def defined(code: str) -> set[str]:
    """Names that a cell's functions, classes and imports define."""
    found = set()
    for node in ast.parse(code).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return found


def needs_mnist(lesson: str) -> bool:
    cells = notebooks.read_source(lesson).cells
    return any("data=mnist" in cell.metadata.get("tags", []) for cell in cells)


def run(sources: list[str]) -> dict:
    """Execute the code cells of a lesson; return the names that are left."""
    namespace = {"__name__": "__main__"}
    with plt.rc_context():  # `setup` sets the style
        for index, source in enumerate(sources):
            name, lines = f"<code cell {index}>", source.splitlines(keepends=True)
            linecache.cache[name] = (len(source), None, lines, name)  # where TensorFlow looks
            try:
                exec(compile(source, name, "exec"), namespace)
            except Exception as error:
                error.add_note(f"raised by code cell {index}:\n{source}")
                raise
            finally:
                plt.close("all")
    return namespace


@pytest.fixture
def made_data(monkeypatch):
    """Put tiny made data in the place of MNIST, and one epoch in that of the training."""
    digits = data.load_mnist5k()
    rows = np.random.default_rng(0).permutation(5000)[: TRAIN + TEST]
    mnist = data.DataSet(digits.x[rows], digits.y[rows], (), (), data.DIGITS)
    fit, check = training.fit, claims.Claims.__call__

    def fit_briefly(model, x, y, epochs, *args, **kwargs):
        return fit(model, x, y, 1, *args, **kwargs)

    def claim(*args, **kwargs):
        try:
            check(*args, **kwargs)
        except claims.ClaimFailed as failed:
            print(f"not held against its bound: {failed}")

    monkeypatch.setattr(data, "load_mnist", lambda: mnist)
    monkeypatch.setattr(data, "MNIST_TRAIN", TRAIN)
    monkeypatch.setattr(training, "fit", fit_briefly)
    monkeypatch.setattr(claims.Claims, "__call__", claim)


@pytest.mark.parametrize("lesson", [name for name in notebooks.lessons() if needs_mnist(name)])
def test_the_section_runs_on_made_data(lesson, made_data):
    run(section(lesson))


MADE_UP = [
    "from course_utils import claims, data\nclaim = claims.Claims()",
    "mnist = data.load_mnist()\ntrain, test = np.split(mnist.x, [data.MNIST_TRAIN])",
    "claim('There are no images', len(train), below=0)",
]


def test_a_claim_is_not_held_against_its_bound_but_an_error_is_one(made_data, capsys):
    sources = ["import numpy as np", *MADE_UP]
    assert run(sources)["train"].shape == (TRAIN, 28, 28)
    assert "not held against its bound: There are no images: 200" in capsys.readouterr().out
    with pytest.raises(IndexError) as raised:
        run([*sources, "test[60_000]"])
    assert raised.value.__notes__ == ["raised by code cell 4:\ntest[60_000]"]
