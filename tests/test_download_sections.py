"""Sections that need a download nobody may have are executed all the same, on tiny made data.

Of the rest of the lesson only that is executed which such a section uses, directly or indirectly:
imports, definitions and assignments. Training takes one epoch, and claims are not held against
their bounds: what is tested is that the code runs.
"""

import ast
import linecache
import re
import symtable
from collections.abc import Iterator

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

import notebooks
from course_utils import claims, data, training

MADE = {"mnist"}  # data sets that `made_data` stands in for
TRAIN, TEST = 200, 100  # images of the made MNIST


def tags_of(cell) -> list[str]:
    return cell.metadata.get("tags", [])


def download_cells(notebook) -> list[int]:
    """Positions of the cells that need a download, and no other than those that are made here."""
    found, names = [], set()
    for index, cell in enumerate(notebook.cells):
        tags = tags_of(cell)
        if notebooks.DOWNLOAD_TAG in tags:
            names |= {tag.removeprefix("data=") for tag in tags if tag.startswith("data=")}
            if names and names <= MADE:
                found.append(index)
    return found


def statements(cell) -> list[ast.stmt]:
    return ast.parse(re.sub(r"^(\s*)[%!].*", r"\1pass", cell.source, flags=re.MULTILINE)).body


def simple(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Take loops, conditions and `with` apart: what is bound first, and what uses it then."""
    for statement in body:
        match statement:
            case ast.For():
                yield ast.Assign([statement.target], statement.iter, lineno=0)
            case ast.With():
                for item in statement.items:
                    targets = [item.optional_vars] if item.optional_vars else []
                    yield ast.Assign(
                        [*targets, ast.Name("_", ast.Store())], item.context_expr, lineno=0
                    )
            case ast.If() | ast.While():
                yield ast.Expr(statement.test)
            case _:
                yield statement
                continue
        yield from simple(statement.body)
        yield from simple(getattr(statement, "orelse", []))


def changed_parts(statement: ast.stmt) -> list[ast.expr]:
    """What a statement changes and does not make: x in x += 1, x.a = 1, x[0] = 1 and x.add(1)."""
    match statement:
        case ast.AugAssign():
            return [statement.target]
        case ast.Assign():
            return [t for t in statement.targets if isinstance(t, ast.Subscript | ast.Attribute)]
        case ast.Expr(ast.Call(ast.Attribute() as method)):
            return [method.value]
    return []


def names_of(body: list[ast.stmt]) -> tuple[set[str], set[str]]:
    """Names that statements use and do not bind before, functions included; and what they bind.

    A statement that changes something both uses and binds it.
    """
    used, bound = set(), set()
    for statement in simple(body):
        top = symtable.symtable(ast.unparse(statement), "cell", "exec")
        used_here = {s.get_name() for s in top.get_symbols() if s.is_referenced()}
        bound_here = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}
        inner = top.get_children()
        while inner:
            table = inner.pop()
            inner += table.get_children()
            used_here |= {s.get_name() for s in table.get_symbols() if s.is_global()}
        for node in changed_parts(statement):
            while isinstance(node, ast.Subscript | ast.Attribute):
                node = node.value
            if isinstance(node, ast.Name):
                used_here.add(node.id)
                bound_here.add(node.id)
        used |= used_here - bound
        bound |= bound_here
    return used, bound


def slice_for(notebook, cells: list[int]) -> list[tuple[int, list[ast.stmt]]]:
    """Each of the cells, and of those before them the statements on which they depend."""
    bodies = {i: statements(c) for i, c in enumerate(notebook.cells) if c.cell_type == "code"}
    needed, _ = names_of([statement for index in cells for statement in bodies[index]])
    needed.add("SEED")  # the setup
    before, modules = [], set()
    for index, body in bodies.items():
        if index > cells[-1] or notebooks.DOWNLOAD_TAG in tags_of(notebook.cells[index]):
            continue
        for statement in body:
            used, bound = names_of([statement])
            if isinstance(statement, ast.Import | ast.ImportFrom):
                modules |= bound
            else:
                bound -= modules  # plt.plot(...) changes no module
            before.append((index, [statement], used, bound))
    known = -1
    while known < len(needed):
        known = len(needed)
        needed |= {name for *_, used, bound in before if bound & needed for name in used}
    chosen = [(index, body) for index, body, _, bound in before if bound & needed]
    return sorted([*chosen, *((index, bodies[index]) for index in cells)], key=lambda part: part[0])


def run(notebook) -> dict:
    """Execute the download cells and what they depend on; return the names that are left."""
    namespace = {"__name__": "__main__"}
    with plt.rc_context():  # `setup` sets the style
        for index, body in slice_for(notebook, download_cells(notebook)):
            name, source = f"<cell {index}>", notebook.cells[index].source
            lines = source.splitlines(keepends=True)
            linecache.cache[name] = (len(source), None, lines, name)  # for tf.function
            try:
                exec(compile(ast.Module(body, []), name, "exec"), namespace)
            except Exception as error:
                error.add_note(f"raised by cell {index}:\n{source}")
                raise
            finally:
                plt.close("all")
    return namespace


LESSONS = [name for name in notebooks.lessons() if download_cells(notebooks.read_source(name))]


@pytest.fixture
def made_data(monkeypatch):
    """Put tiny made data in the place of the downloads, one epoch in that of the training."""
    digits = data.load_mnist5k()
    rows = np.random.default_rng(0).permutation(5000)[: TRAIN + TEST]
    mnist = data.DataSet(digits.x[rows], digits.y[rows], (), (), data.DIGITS)
    monkeypatch.setattr(data, "load_mnist", lambda: mnist)
    monkeypatch.setattr(data, "MNIST_TRAIN", TRAIN)
    monkeypatch.setattr(data, "MNIST_TEST", TEST)

    fit, fit_many, check = training.fit, training.fit_many, claims.Claims.__call__

    def fit_briefly(model, x, y, epochs, *args, **kwargs):
        return fit(model, x, y, 1, *args, **kwargs)

    def fit_many_briefly(models, x, y, epochs, *args, **kwargs):
        return fit_many(models, x, y, 1, *args, **kwargs)

    def claim(*args, **kwargs):
        try:
            check(*args, **kwargs)
        except claims.ClaimFailed as failed:
            print(f"not held against its bound: {failed}")

    monkeypatch.setattr(training, "fit", fit_briefly)
    monkeypatch.setattr(training, "fit_many", fit_many_briefly)
    monkeypatch.setattr(claims.Claims, "__call__", claim)


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_section_runs_on_made_data(lesson, made_data):
    run(notebooks.read_source(lesson))


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_section_does_not_hard_code_where_the_training_images_end(lesson):
    notebook = notebooks.read_source(lesson)
    assert not [index for index in download_cells(notebook) if hard_coded(notebook.cells[index])]


def hard_coded(cell) -> bool:
    constants = [n.value for s in statements(cell) for n in ast.walk(s) if type(n) is ast.Constant]
    return 60_000 in constants  # data.MNIST_TRAIN is meant


# The test itself, on a lesson that is made up


LESSON = """
# %% tags=["nbval-ignore-output"]
import course_utils

SEED = course_utils.setup(seed=1)

# %%
import keras
import numpy as np
import tensorflow as tf

from course_utils import claims, data, plotting, training

claim = claims.Claims()

# %%
SIZES = {"hidden": 3}
EPOCHS = 100_000

# %%
from nowhere import anything

lines = data.no_such_loader()
print(lines.mean())
scale = 1 / 255


# %%
def network(units):
    model = keras.Sequential([keras.Input((784,)), keras.layers.Dense(units), last_layer()])
    model.compile("adam", "mse")
    return model


def last_layer():
    return keras.layers.Dense(784)


SIZES["hidden"] += 1
kept = []
kept.append(network)
np.no_such_function(kept)
scores = {}
for name in ("one", "two"):
    scores[name] = len(name)

# %% [markdown]
# The download.

# %% tags=["needs-download", "data=mnist"]
@tf.function
def doubled(x):
    if x < 0:  # TensorFlow has to find this line's source
        return -2 * x
    return 2 * x


mnist = data.load_mnist()
train, test = np.split(scale * mnist.x.reshape(-1, 784), [data.MNIST_TRAIN])
lines = [len(train), int(doubled(tf.constant(-50)))]
history = training.fit(network(SIZES["hidden"]), train, train, EPOCHS, 20)

# %% tags=["needs-download"]
claim("The loss is below zero", history["loss"][-1], below=0)
steps = history["step"][-1]
total = sum(scores.values()) + lines[0] + len(kept)
plotting.plt.plot(history["loss"])
plotting.show("The loss falls, as it has to, from one report to the next.")
LAST
"""


@pytest.fixture
def lesson_of(tmp_path, monkeypatch):
    """Return a function that reads the made-up lesson with another last line."""
    monkeypatch.setattr(notebooks, "NOTEBOOKS", tmp_path)
    (tmp_path / "source").mkdir()

    def read(last: str = ""):
        notebooks.source_path("made_up").write_text(LESSON.replace("LAST", last), encoding="utf-8")
        return notebooks.read_source("made_up")

    return read


def test_what_the_section_needs_is_carried_over_and_nothing_else(lesson_of, made_data):
    with plt.rc_context({"font.size": 7}):
        names = run(lesson_of())
        assert plt.rcParams["font.size"] == 7 and plt.get_fignums() == []
    assert names["lines"] == [TRAIN, 2 * 50]
    assert names["steps"] == TRAIN // 20  # one epoch
    assert names["SIZES"] == {"hidden": 4}
    assert names["total"] == 7 + TRAIN
    assert "anything" not in names
    assert set(names["mnist"].y) == set(range(10)) and names["mnist"].x.max() == 255


@pytest.mark.parametrize(
    ("last", "error"),
    [
        ("test[TEST]", NameError),
        ("train[len(train)]", IndexError),
        ("claim('A claim without a bound', 1.0)", ValueError),
        ("claim('A claim about two numbers', [1.0, 2.0], above=0)", ValueError),
        ("data.load_wine_quality('blue')", data.DataError),
    ],
)
def test_a_cell_that_raises_fails_the_test(lesson_of, made_data, last, error):
    with pytest.raises(error) as raised:
        run(lesson_of(last))
    assert last in raised.value.__notes__[0] and "raised by cell 8" in raised.value.__notes__[0]


def test_cells_that_need_other_data_are_left_out(lesson_of):
    notebook = lesson_of()
    assert download_cells(notebook) == [7, 8]
    notebook.cells[8].metadata["tags"].append("data=wine_quality_red")
    assert download_cells(notebook) == [7]
    notebook.cells[7].metadata["tags"] = []
    assert download_cells(notebook) == []


def test_a_hard_coded_end_is_found(lesson_of):
    last = "train = mnist.x[:60_000]"
    assert [hard_coded(cell) for cell in lesson_of(last).cells[7:]] == [False, True]


@pytest.mark.parametrize(
    ("code", "used", "bound"),
    [
        ("x = y + z", "y z", "x"),
        ("x[0].a[i] = y", "x i y", "x"),
        ("x += 1", "x", "x"),
        ("a, (b, *c) = d", "d", "a b c"),
        ("import numpy.linalg as la, os.path", "", "la os"),
        ("def f(x, n=N):\n    y = x + k\n    return lambda u: u + y + j", "N k j", "f"),
        ("class A(B):\n    c = d\n    def e(self):\n        return self.f + g", "B d g", "A"),
        ("z = [i * k for i in rows if i != skip]", "k rows skip", "z"),
        ("for i in rows:\n    seen[i] = f(i)", "rows seen f", "i seen"),
        ("with open(p) as h:\n    t = h.read()", "open p", "h t _"),
        ("print(x)", "print x", ""),
        ("x.a.compile(y)", "x y", "x"),
        ("if x:\n    y = 1\n    print(y)\nelse:\n    print(z)", "x print z", "y"),
        ("x = 1\nx += y\nprint(x)", "y print", "x"),
        ("print(x)\nx = 1", "print x", "x"),
    ],
)
def test_the_names_that_statements_use_and_bind(code, used, bound):
    assert names_of(ast.parse(code).body) == (set(used.split()), set(bound.split()))
