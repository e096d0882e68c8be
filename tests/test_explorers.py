"""Explorers: what their pages are given, that scripts can be parsed, and all else in a browser."""

import base64
import io
import json
import re
import shutil
from pathlib import Path

import IPython.display
import matplotlib.pyplot as plt
import numpy as np
import pytest
import tree_sitter_javascript
from matplotlib.colors import to_hex
from PIL import Image, ImageFilter
from scipy.signal import correlate2d
from tree_sitter import Language, Node, Parser

import notebooks
from course_utils import data, explorers, plotting
from course_utils.explorers import (
    convolve,
    descend,
    gallery,
    latent_pad,
    playground,
    signal,
    swarm,
    transport,
)
from course_utils.lessons import neural_networks

in_a_browser = pytest.mark.browser  # run by `make test-browser`
FOLDER = Path(explorers.__file__).parent
LONGEST = 45  # lines of a function


@pytest.fixture
def made(monkeypatch):
    """Return a function that makes an explorer and returns its HTML."""
    displayed = []
    monkeypatch.setattr(IPython.display, "display", lambda bundle, raw: displayed.append(bundle))

    def make(explorer, *arguments, **choices) -> str:
        explorer(*arguments, **choices)
        bundle = displayed.pop()
        assert bundle.keys() == {"text/html", "text/plain"}
        assert re.fullmatch(r"[AP][A-Za-z, -]+\.", bundle["text/plain"])  # no address, no number
        return bundle["text/html"]

    return make


def given(page: str) -> dict:
    """What a page hands over to its script."""
    (text,) = re.findall(r'<script type="application/json">(.*?)</script>', page)
    return json.loads(text)


def picture(uri: str) -> Image.Image:
    kind, _, text = uri.partition(",")
    assert kind == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(text)))


def still(page: str) -> Image.Image:
    """The picture that is seen where scripts may not run."""
    return picture(re.search('<img src="(.*?)"', page)[1])


# ---- what they are shown with

LOW, HIGH = np.array([-3.0, -0.2]), np.array([5.0, 0.4])  # of the codes
CODES = np.random.default_rng(0).uniform(LOW, HIGH, size=(40, 2))
CODES[:2] = LOW, HIGH
LABELS = np.arange(40) % 10


def share(points: np.ndarray) -> np.ndarray:
    """Where points lie in a range wider than the map: 0 to 1."""
    return np.clip((points - LOW + 1) / (HIGH - LOW + 2), 0, 1)


def decode(points: np.ndarray) -> np.ndarray:
    """Images of 3 × 4 pixels: the first two pixels tell the point, the last is full of ink."""
    images = np.zeros((len(points), 3, 4))
    images[:, 0, :2], images[:, 2, 3] = share(points), 1
    return images


SQUARES = np.stack(np.meshgrid([-3.0, 0.0, 3.0], [-3.0, 3.0]), axis=-1)  # 2 rows, 3 columns
NEAR = np.array([[1.0, 0.2], [-0.9, 0.5], [-1.0, -0.6], [0.3, -1.0]])
AWAY = np.array([0.25, 0.2])
STAGES = {
    "shift & <flatten>": tuple(
        np.stack([places, places + AWAY, (places + AWAY) * [1, 0.5]]) for places in (NEAR, SQUARES)
    ),
    "shrink": tuple(np.stack([places, places / 2]) for places in (NEAR, SQUARES)),
}

HESSIAN = np.array([[3.0, 2.0], [2.0, 5.0]])
START, BOX = np.array([-2.5, 1.2]), (-3.0, 1.0, -1.0, 1.5)
SCALE = 1040 / 4  # pixels of the canvas for each unit
LIMIT = 2 / (4 + np.sqrt(5))  # 2/L, by hand


def bowl(w: np.ndarray) -> np.ndarray:
    return (3 * w[..., 0] ** 2 + 4 * w[..., 0] * w[..., 1] + 5 * w[..., 1] ** 2) / 2


ROUNDS = np.array([[[-2.5, 1.0], [0.5, -0.5]], [[-1.5, 0.0], [0.0, 0.5]], [[0.0, 0.0], [5.0, 1.0]]])
BEST = np.array([[0.5, -0.5], [0.0, 0.5], [0.0, 0.0]])

COLOURS = {  # of the figure for each choice
    ("20 & <few>", "plain"): [255, 0, 0],
    ("20 & <few>", "dense"): [255, 0, 255],
    ("20 & <few>", "skips"): [255, 255, 0],
    ("56", "plain"): [0, 255, 0],
    ("56", "dense"): [0, 255, 255],
    ("56", "skips"): [0, 0, 255],
}
ROWS = {"depth": ("20 & <few>", "56"), "kind_of_network": ("plain", "dense", "skips")}


def paint(depth, kind_of_network):
    colour = np.array(COLOURS[depth, kind_of_network]) / 255
    return plt.figure(figsize=(2, 1), dpi=50, facecolor=colour)


def show_rows() -> None:
    gallery(paint, **ROWS)


CHANCE = np.random.default_rng(0)
CROSS = CHANCE.uniform(-1, 1, size=(60, 2))
WIDE = CHANCE.normal(size=(40, 2)) * [3, 1] + [10, -20]
SETS = {
    "cross": (CROSS, (CROSS[:, 0] * CROSS[:, 1] > 0).astype(int)),
    "wide & <few>": (WIDE, WIDE[:, 0] + CHANCE.normal(size=40) > 10),
}

PICTURE = np.random.default_rng(1).integers(0, 101, size=(9, 11)) / 100

EXAMPLES = {
    "latent_pad": (latent_pad, decode, CODES, LABELS),
    "transport": (transport, STAGES),
    "descend": (descend, HESSIAN, START, BOX),
    "swarm": (swarm, bowl, BOX, ROUNDS, BEST),
    "gallery": (show_rows,),
    "playground": (playground, SETS),
    "signal": (signal,),
    "convolve": (convolve, PICTURE),
}


# ---- scripts and pages


def nodes(node: Node) -> list[Node]:
    return [node, *(below for child in node.children for below in nodes(child))]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.js")), ids=lambda path: path.name)
def test_a_script_can_be_parsed(path):
    code = path.read_bytes()
    found = nodes(Parser(Language(tree_sitter_javascript.language())).parse(code).root_node)
    assert [node.start_point.row + 1 for node in found if node.is_error or node.is_missing] == []
    functions = [node for node in found if re.search("function|method_def", node.type)]
    lengths = [node.end_point.row - node.start_point.row + 1 for node in functions]
    assert max(lengths) <= LONGEST
    assert max(map(len, code.decode().splitlines())) <= 100


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_page_stands_on_its_own(made, name):
    page = made(*EXAMPLES[name])
    assert page.startswith(f'<div class="explorer {name}">')
    assert page.count("<script") == page.count("</script") == 2
    assert "Run this cell to" in page  # where scripts may not run
    assert made(*EXAMPLES[name]) == page  # a notebook that is built again stays the same
    text = re.sub(r'base64,[^"]+', "", page)
    assert " id=" not in text and not re.search("<few>|<flatten>", text)
    assert not re.search(r"//(?! )|<link|<script\b[^>]+src|import|fetch|url\(", text)


@pytest.fixture
def lesson(monkeypatch, tmp_path):
    """A lesson that uses the swarm, and a copy of the explorers."""
    path = tmp_path / "lesson.py"
    path.write_text("explorers.swarm(surface)")
    shutil.copytree(FOLDER, tmp_path / "course_utils/explorers")
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    monkeypatch.setattr(notebooks, "source_path", lambda _: path)
    return path


@pytest.mark.parametrize("name", ["common.js", "swarm.js", "style.css", "__init__.py"])
def test_figures_are_older_than_a_changed_script(lesson, tmp_path, name):
    before = notebooks.drawing_code("lesson")
    with (tmp_path / "course_utils/explorers" / name).open("a") as file:
        file.write("\nchanged = 1")
    assert notebooks.drawing_code("lesson") != before
    lesson.write_text("no explorer here")
    without = notebooks.drawing_code("lesson")
    (tmp_path / "course_utils/explorers" / name).write_text("")
    assert notebooks.drawing_code("lesson") == without


def test_figures_are_not_older_than_another_explorer(lesson, tmp_path):
    before = notebooks.drawing_code("lesson")
    for name, code in (
        ("other.js", "changed = 1"),
        ("__init__.py", "\n\ndef other(x):\n    return x\n"),
        ("style.css", ".explorer.other canvas {\n  width: 1px;\n}\n"),
    ):
        with (tmp_path / "course_utils/explorers" / name).open("a") as file:
            file.write(code)
        assert notebooks.drawing_code("lesson") == before
    with (tmp_path / "course_utils/explorers/style.css").open("a") as file:
        file.write(".explorer.swarm canvas {\n  width: 1px;\n}\n")
    assert notebooks.drawing_code("lesson") != before


def test_the_colours_are_those_of_the_figures(made):
    plotting.set_style()
    assert given(made(signal))["palette"] == [to_hex(f"C{i}") for i in range(10)]


def eggs(w):
    return (w**2 - 10 * np.cos(2 * np.pi * w)).sum(axis=-1)


def contours(height):
    figure, ax = plt.subplots(figsize=(10, 5), dpi=80)
    w = np.linspace(-1, 1, 101)
    ax.contourf(w, w, height * np.add.outer(np.sin(7 * w), np.cos(9 * w)), 30)
    return figure


def test_pages_are_small(made):
    rng = np.random.default_rng(0)
    stages = rng.normal(size=(9, 600, 2)), rng.normal(size=(9, 25, 25, 2))
    places = rng.normal(size=(60, 30, 2))
    many = rng.normal(size=(200, 2)), np.arange(200) % 2
    assert len(made(transport, {f"{i} couplings": stages for i in (2, 4, 8)})) < 500_000
    assert len(made(swarm, eggs, (-5.12, 5.12, -5.12, 5.12), places, places[:, 0])) < 300_000
    assert len(made(*EXAMPLES["descend"])) < 100_000
    assert len(made(gallery, contours, height=range(1, 5))) < 400_000
    assert len(made(playground, dict.fromkeys("abcde", many))) < 150_000
    assert len(made(signal)) < 40_000
    assert len(made(convolve, np.random.default_rng(0).random((28, 28)))) < 40_000


def test_a_pad_of_5000_digits_is_small(made):
    digits = data.load_mnist5k()
    x = digits.x.reshape(-1, 784) / 255
    mean = x.mean(axis=0)
    axes = np.linalg.eigh(np.cov(x.T))[1][:, -2:]

    def nearest(points):
        return np.clip(mean + points @ axes.T, 0, 1).reshape(-1, 28, 28)

    page = made(latent_pad, nearest, (x - mean) @ axes, digits.y)
    assert len(page) < 400_000
    assert picture(given(page)["tiles"]).size == (33 * 28, 33 * 28)


# ---- in a browser, as a saved file

# What is seen: the pixels and texts of a view.
SEEN = """view => JSON.stringify([view.innerText, ...[...view.querySelectorAll("canvas, img")].map(
  one => one.tagName == "CANVAS" ? one.toDataURL() : one.src)])"""
KINDS = "input[type=range]:enabled, button, [role=radiogroup], [role=application]"
NAMED = "img|slider|radiogroup|radio|button|application"


@pytest.fixture
def opened(page, tmp_path):
    """Return a function that opens HTML from a file: nothing may fail or be loaded."""
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda it: it.type == "error" and faults.append(it.text))
    page.on("request", lambda it: it.url.startswith(("file:", "data:")) or faults.append(it.url))

    def open_page(body: str, script: str = ""):
        file = tmp_path / "page.html"
        head = f"<!doctype html><meta charset=utf-8><script>{script}</script>"
        file.write_text(head + body, encoding="utf-8")
        page.goto(file.as_uri())
        return page

    yield open_page
    assert faults == []


@in_a_browser
@pytest.mark.parametrize("name", EXAMPLES)
def test_keys_reach_and_move_everything_and_all_has_a_name(made, opened, name):
    page = opened(2 * made(*EXAMPLES[name]))  # as in JupyterLab, which may show a cell twice
    view, other = page.locator(".explorer").all()
    count, untouched = view.locator(KINDS).count(), other.evaluate(SEEN)
    assert other.locator(KINDS).count() == count > 0
    lines = view.aria_snapshot().splitlines()
    things = [line for line in lines if re.match(rf" *- ({NAMED})\b", line)]
    assert len(things) > count
    assert [line for line in things if not re.match(r' *- \w+ ".+"', line)] == []

    page.evaluate("heard = []; addEventListener('keydown', event => heard.push(event.key))")
    reached = 0
    while True:
        page.keyboard.press("Tab")
        if not view.evaluate("view => view.contains(document.activeElement)"):
            break
        reached += 1
        before = view.evaluate(SEEN)
        kind = page.evaluate("document.activeElement.type ?? 'map'")
        at_the_start = "document.activeElement.value == document.activeElement.min"
        back = kind == "range" and not page.evaluate(at_the_start)
        page.keyboard.press("Enter" if kind == "button" else f"Arrow{'Left' if back else 'Right'}")
        page.wait_for_function(f"([view, before]) => ({SEEN})(view) != before",
                               arg=[view.element_handle(), before])  # fmt: skip
    assert reached == view.locator(KINDS).count()
    assert other.evaluate(SEEN) == untouched
    page.keyboard.press("Shift+Enter")  # JupyterLab still runs the cell
    assert page.evaluate("heard") == ["Tab", "Shift", "Enter"]


# A canvas is asked what it draws: so the numbers are seen, not their pixels. A number is asked
# what it is before it is rounded. Frames come when they are called, and time is the test's own.
WATCH = """
const strokes = [], rectangles = [], texts = [], exact = [], arcs = [], frames = [];
const watch = (kind, name, note) => {
  const before = kind[name];
  kind[name] = function (...given) {
    note.call(this, ...given);
    return before.apply(this, given);
  };
};
const drawing = CanvasRenderingContext2D.prototype;
let way = [], clock = 1000;
watch(drawing, "beginPath", () => way = []);
for (const name of ["moveTo", "lineTo"]) watch(drawing, name, (...place) => way.push(place));
watch(drawing, "stroke", function () { strokes.push([this.strokeStyle, this.lineWidth, way]); });
watch(drawing, "fill", function () { strokes.push([this.fillStyle, "fill", way]); });
watch(drawing, "fillRect", function (...box) { rectangles.push([this.fillStyle, ...box]); });
watch(drawing, "fillText", (...given) => texts.push(given));
watch(drawing, "arc", (...given) => arcs.push(given));
watch(Number.prototype, "toFixed", function () { exact.push(Number(this)); });
performance.now = () => clock;
window.requestAnimationFrame = frame => frames.push(frame);
window.cancelAnimationFrame = () => frames.length = 0;
const find = name => document.querySelector(name);
const clear = () => {
  for (const list of [strokes, rectangles, texts, exact, arcs]) list.length = 0;
};
const set = (name, value) => {
  const slider = find(`input[name=${name}]`);
  slider.value = value;
  slider.dispatchEvent(new Event("input"));
  return slider.previousSibling.textContent;  // its label
};
const click = text => [...document.querySelectorAll("button, .choices label")]
  .find(one => one.textContent == text).click();
const chosen = () => [...document.querySelectorAll(":checked + span")].map(one => one.textContent);
const pixels = places => places.map(
  ([x, y]) => [...find("canvas").getContext("2d").getImageData(x, y, 1, 1).data]);
"""


def value(text: str) -> float:
    """The number of a text such as "8.02 · 10⁻⁸"."""
    digits = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    mantissa, _, power = text.replace("\u00a0", " ").partition(" · 10")
    return float(f"{mantissa}e{power.translate(digits) or 0}")


# ---- latent pad


def number(text: str) -> float:
    return float(text.replace("\u2212", "-"))


def test_the_tiles_hold_what_the_decoder_answers_at_the_points_that_are_named(made):
    calls = []

    def recorded(points):
        calls.append((points.shape, points.dtype))
        return decode(points)

    handed = given(made(latent_pad, recorded, CODES, LABELS))
    assert calls == [((33 * 33, 2), np.float32)]  # once
    z1, z2 = handed["z1"], handed["z2"]
    assert number(z1[0]) < LOW[0] < HIGH[0] < number(z1[-1])
    assert number(z2[0]) < LOW[1] < HIGH[1] < number(z2[-1])
    tiles = np.array(picture(handed["tiles"]))
    assert tiles.shape == (33 * 3, 33 * 4) and tiles.dtype == np.uint8
    assert handed["size"] == [4, 3]
    for i, j in ((0, 0), (32, 0), (0, 32), (20, 7)):
        tile = tiles[(32 - j) * 3 :, i * 4 :][:3, :4]  # from the top, as the script draws it
        ink = decode(np.array([[number(z1[i]), number(z2[j])]]))[0]
        np.testing.assert_allclose(1 - tile / 255, ink, atol=0.5 / 31 + 0.005)
    assert len(np.unique(tiles)) <= 32


def test_the_axes_are_where_the_script_looks_for_them(made):
    codes = np.array([[0.0, 0.0], [1.0, 0.1], [0.5, 0.2], [9.0, 3.0]])  # the last stands alone
    page = made(latent_pad, decode, codes, np.zeros(4))
    (left, top, width, height), z1, z2 = (given(page)[name] for name in ("box", "z1", "z2"))
    drawn = np.array(still(page).convert("L"))
    across = (9.0 - number(z1[0])) / (number(z1[-1]) - number(z1[0]))
    up = (3.0 - number(z2[0])) / (number(z2[-1]) - number(z2[0]))
    x = int((left + width * across) * drawn.shape[1])
    y = int((top + height * (1 - up)) * drawn.shape[0])
    assert drawn[y, x] < 200
    around = drawn[y - 12 : y + 13, x - 12 : x + 13].copy()
    around[8:17, 8:17] = 255
    assert (around == 255).all()


@pytest.mark.parametrize(
    ("scale", "texts"),
    [
        (1, ["0.000", "\u22120.034"]),
        (400, ["0", "\u221214"]),
        (1e-3, ["0.000000", "\u22120.000034"]),
    ],
)
def test_points_are_named_with_the_digits_that_they_need(made, scale, texts):
    codes = scale * np.array([[-0.5001] * 2, [0.5] * 2])  # the middle is just below 0
    handed = given(made(latent_pad, decode, codes, [0, 1]))
    assert handed["z1"] == handed["z2"] and len(set(handed["z1"])) == 33
    assert set(texts) < set(handed["z1"])


@pytest.mark.parametrize(
    ("answer", "codes", "labels", "words"),
    [
        (decode, CODES[:, [0, 1, 1]], LABELS, r"codes has shape \(40, 3\), but \(N, 2\)"),
        (decode, CODES * np.nan, LABELS, "codes holds values that are not finite"),
        (decode, CODES, LABELS[:5], "one digit from 0 to 9 is expected for each code"),
        (
            lambda z: decode(z).reshape(-1, 12),
            CODES,
            LABELS,
            r"decode\(points\) has shape \(1089, 12",
        ),
        (lambda z: 9 * decode(z), CODES, LABELS, r"decode\(points\) holds .* sigmoid to logits"),
        (lambda z: decode(z)[:7], CODES, LABELS, "answered 1089 points with 7 images"),
    ],
)
def test_latent_pad_says_what_is_wrong(made, answer, codes, labels, words):
    with pytest.raises(ValueError, match=words):
        made(latent_pad, answer, codes, labels)


@in_a_browser
def test_the_pointer_and_the_arrow_keys_choose_the_point_in_a_browser(made, opened):
    html = made(*EXAMPLES["latent_pad"])
    page, seen = opened(html), []
    (left, top, width, height), z1, z2 = (given(html)[name] for name in ("box", "z1", "z2"))
    area = page.locator(".map")
    box = area.bounding_box()

    def note():
        ink = page.evaluate(
            "[...document.querySelector('canvas').getContext('2d').getImageData(0, 0, 4, 3).data]"
        )
        marker = page.locator(".marker").bounding_box()
        named = page.locator("[aria-live]").inner_text()
        i, j = (z.index(it) for z, it in zip((z1, z2), named[5:-1].split(", "), strict=True))
        expected = [*share(np.array([number(z1[i]), number(z2[j])])), 1]
        inks = 1 - np.array([ink[0], ink[4], ink[44]]) / 255
        np.testing.assert_allclose(inks, expected, atol=0.5 / 31 + 0.005)
        place = [marker[one] + marker[size] / 2 for one, size in (("x", "width"), ("y", "height"))]
        shares = [left + width * i / 32, top + height * (1 - j / 32)]
        corner = np.array([box["x"], box["y"]])
        np.testing.assert_allclose(place, corner + box["width"] * np.array(shares), atol=0.6)
        seen.append((i, j))

    note()
    area.hover(position={"x": 0.5 * box["width"], "y": 0.3 * box["height"]})
    note()
    area.focus()
    for key in ("ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown", "a"):
        page.keyboard.press(key)
        note()
    area.hover(position={"x": 1, "y": box["height"] - 1})
    note()
    start, (i, j), *steps, corner = seen
    assert start == (16, 16)
    assert i == round((0.5 - left) / width * 32) and j == round((1 - (0.3 - top) / height) * 32)
    assert steps == [(i - 1, j), (i - 1, j + 1), (i, j + 1), (i, j), (i, j)]
    assert corner == (0, 0)  # the nearest point of the grid


# ---- transport


def test_all_stages_of_all_flows_are_kept_in_one_view(made):
    flows = given(made(transport, STAGES))["flows"]
    assert [flow["name"] for flow in flows] == list(STAGES)
    for flow, stages in zip(flows, STAGES.values(), strict=True):
        for kept, places in zip((flow["points"], flow["lattice"]), stages, strict=True):
            scale = 1040 / (1.1 * 6)  # of the lattice at the first stage, with a margin
            np.testing.assert_allclose(kept, 520 + scale * places * [1, -1], atol=0.5)


def test_the_view_holds_all_but_the_outlying_points(made):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(3, 1000, 2)) * [[[1.0]], [[5.0]], [[1.0]]]
    points[1, :4] = 1e9
    page = made(transport, {"wide": (points, np.stack([SQUARES] * 3))})
    kept = np.array(given(page)["flows"][0]["points"])
    inside = ((kept > 0) & (kept < 1040)).all(axis=2).mean()
    assert 0.95 < inside < 0.999
    assert kept[1, 4:].std(axis=0).min() > 100
    np.testing.assert_array_equal(kept[1, 0], [100_000, -100_000])  # as far as a canvas counts


def test_each_point_keeps_the_colour_of_its_direction_at_the_first_stage(made):
    angles = np.arange(360) * np.pi / 180
    circle = np.stack([5 + np.cos(angles), np.sin(angles) - 2], axis=1)
    handed = given(made(transport, {"ring": (np.stack([circle, 0 * circle]), [SQUARES] * 2)}))
    colours, palette = np.array(handed["flows"][0]["colours"]), handed["circle"]
    assert set(colours) == set(range(len(palette))) and len(set(palette)) == len(palette) == 64
    turns = np.diff(np.append(colours, colours[0])) % 64
    assert set(turns) == {0, 1}  # once around, without a jump
    rgb = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in palette])
    assert abs(rgb - np.roll(rgb, 1, axis=0)).max() < 40
    without_red_and_green = rgb @ np.array([[0.5, 0.5, -1], [0.3, 0.6, 0.1]]).T
    apart = without_red_and_green - np.roll(without_red_and_green, 32, axis=0)
    assert np.hypot(*apart.T).min() > 40  # opposite directions


POINTS, LATTICES = STAGES["shrink"]


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ({}, "stages holds no flow"),
        ({"f": (POINTS[0], LATTICES)}, r"'f' has points of shape \(4, 2\) and a lattice of"),
        ({"f": (POINTS, LATTICES.reshape(2, -1, 2))}, r"but \(S, N, 2\) and \(S, R, C, 2\)"),
        ({"f": (POINTS[..., :1], LATTICES)}, r"points of shape \(2, 4, 1\)"),
        ({"f": (POINTS, LATTICES[..., :1])}, r"a lattice of shape \(2, 2, 3, 1\)"),
        ({"f": (POINTS[[0, 1, 1]], LATTICES)}, "the same number of stages S, at least 2"),
        ({"f": (POINTS[:1], LATTICES[:1])}, "the same number of stages S, at least 2"),
        ({"f": (POINTS[:, :0], LATTICES)}, r"points of shape \(2, 0, 2\)"),
        ({"f": (POINTS, LATTICES[:, :1])}, "at least two rows and columns"),
        ({"f": (POINTS * np.nan, LATTICES)}, "'f' holds positions that are not finite"),
        (STAGES | {"f": (POINTS, LATTICES + np.inf)}, "'f' holds positions that are not finite"),
    ],
)
def test_transport_says_what_is_wrong(made, stages, words):
    with pytest.raises(ValueError, match=words):
        made(transport, stages)


@in_a_browser
def test_the_slider_carries_points_and_lattice_in_a_browser(made, opened):
    html = made(transport, STAGES)
    page, handed = opened(html, WATCH), given(html)
    long, short = STAGES
    moments = [  # what is done, the flow, the step, the text
        ("0", long, 0, "z, the latent points"),
        ("set('way', 0.5)", long, 0.5, "step 0.5 of 2"),
        ("set('way', 1)", long, 1, "step 1 of 2"),
        ("click('shrink')", short, 0.5, "step 0.5 of 1"),
        ("set('way', 1)", short, 1, "step 1 of 1: x"),
        (f"click({long!r})", long, 2, "step 2 of 2: x"),
    ]
    for action, name, step, text in moments:
        page.evaluate(action)
        slider = page.get_by_role("slider", name="Way from z to x")
        assert (float(slider.input_value()), page.locator(".slider").inner_text()) == (step, text)
        assert slider.get_attribute("aria-valuetext") == text
        last = len(STAGES[name][0]) - 1
        assert page.locator(".marks").text_content() == {2: "z1x", 1: "zx"}[last]
        assert page.evaluate("chosen()") == [name]

        i = min(int(step), last - 1)
        points, lattice = (
            (1 - (step - i)) * stages[i] + (step - i) * stages[i + 1] for stages in STAGES[name]
        )
        edges = [((0, 0), (0, 1)), ((1, 1), (1, 2)), ((0, 0), (1, 0)), ((0, 2), (1, 2))]
        lines = [(lattice[start] + 3 * lattice[end]) / 4 for start, end in edges]
        empty = (lattice[0, 0] + 9 * lattice[0, 1]) / 10 + (lattice[1, 0] - lattice[0, 0]) / 10
        places = 520 + 1040 / 6.6 * np.array([*points, *lines, empty]) * [1, -1]
        seen = page.evaluate(f"pixels({places.astype(int).tolist()})")
        dots = [handed["circle"][k] for k in handed["flows"][0]["colours"]]
        dots = [[*bytes.fromhex(dot[1:]), 255] for dot in dots]
        expected = dots + [[187, 187, 187, 255]] * 4 + [[0] * 4]
        np.testing.assert_allclose(seen, expected, atol=3)


# ---- surfaces


@pytest.mark.parametrize("name", ["descend", "swarm"])
def test_the_surface_fills_the_box_and_is_lightest_at_the_bottom(made, name):
    page = made(*EXAMPLES[name])
    drawn = still(page).convert("L")
    assert list(drawn.size) == given(page)["size"] == [1040, 650]  # both weights to the same scale
    grey = np.array(drawn.filter(ImageFilter.MedianFilter(9))).astype(float)  # without lines
    x, y = np.meshgrid(np.linspace(-3, 1, 1040), np.linspace(1.5, -1, 650))
    height = bowl(np.stack([x, y], axis=-1))
    assert grey[height < 0.005 * height.max()].mean() > 245
    assert np.corrcoef(grey.ravel(), np.sqrt(height).ravel())[0, 1] < -0.97
    assert grey[2:-2, 2:-2].min() < 200


@pytest.mark.parametrize(
    ("hessian", "start", "box", "words"),
    [
        ([[1.0, 0.0]], START, BOX, r"hessian=\[\[1.0, 0.0\]\] is not a \(2, 2\) array"),
        (HESSIAN * np.nan, START, BOX, "is not a .* of finite numbers"),
        ([[1.0, 2.0], [0.0, 5.0]], START, BOX, "is no bowl: it must be symmetric"),
        ([[1.0, 0.0], [0.0, -1.0]], START, BOX, "is no bowl: .* two positive eigenvalues"),
        ([[1.0, 1.0], [1.0, 1.0]], START, BOX, "is no bowl"),
        (HESSIAN, START, (1, -3, -1, 2), r"box=\(1, -3, -1, 2\) is no box"),
        (HESSIAN, [-4, 0], BOX, r"start=\[-4.0, 0.0\] is no point in the box \(-3.0, 1.0, -1.0"),
        (HESSIAN, [0, 1.6], BOX, "is no point in the box"),
        (HESSIAN, [np.nan, 0], BOX, r"start=\[nan, 0.0\] is no point in the box"),
        (HESSIAN, [0, 0, 0], BOX, "two weights"),
    ],
)
def test_descend_says_what_is_wrong(made, hessian, start, box, words):
    with pytest.raises(ValueError, match=words):
        made(descend, hessian, start, box)


@pytest.mark.parametrize(
    ("values", "positions", "best", "words"),
    [
        (bowl, ROUNDS[0], BEST, r"positions has shape \(2, 2\) and best \(3, 2\), but \(T, P, 2\)"),
        (bowl, ROUNDS[..., :1], BEST, r"positions has shape \(3, 2, 1\)"),
        (bowl, ROUNDS[:, :0], BEST, "one particle"),
        (bowl, ROUNDS[:1], BEST[:1], "at least two rounds"),
        (bowl, ROUNDS, BEST[:2], r"best \(2, 2\)"),
        (bowl, ROUNDS, BEST[:, 0], r"best \(3,\)"),
        (bowl, ROUNDS * np.nan, BEST, "not finite"),
        (bowl, ROUNDS, BEST + np.inf, "not finite"),
        (lambda w: np.log(w[..., 0]), ROUNDS, BEST, r"values\(w\) is nan at w = \[-3, -1\]"),
    ],
)
def test_swarm_says_what_is_wrong(made, values, positions, best, words):
    with pytest.raises(ValueError, match=words):
        made(swarm, values, BOX, positions, best)


def path(method: str, alpha: float, beta: float) -> np.ndarray:
    """The way of 100 steps, in the slides' form."""
    w, V, S, places = START, 0.0, 0.0, [START]
    for t in range(1, 101):
        dw = HESSIAN @ w
        rate = 0.999 if method == "Adam" else beta
        V = beta * V + (1 - beta) * dw
        S = rate * S + (1 - rate) * dw**2
        step = {
            "gradient descent": dw,
            "momentum": V,
            "RMSProp": dw / (np.sqrt(S) + 1e-8),
            "Adam": V / (1 - beta**t) / (np.sqrt(S / (1 - rate**t)) + 1e-8),
        }[method]
        w = w - alpha * step
        places.append(w)
    return np.array(places)


@in_a_browser
def test_the_methods_take_the_steps_of_the_rules_in_a_browser(made, opened):
    page = opened(made(*EXAMPLES["descend"]), WATCH)
    assert page.locator(".slider").first.inner_text() == f"α = {LIMIT * 10**-0.1:.3g}"
    assert page.locator(".marks").inner_text() == f"|\n2/L = {LIMIT:.3g}"
    settings = [
        (method, power, beta)
        for method in ("momentum", "gradient descent", "RMSProp", "Adam")
        for power, beta in ((-3, 0.9), (-0.5, 0.5), (-0.01, 0.9), (-0.2, 0.99))
    ]
    settings += [("gradient descent", 0.01, 0.5), ("momentum", 0.4, 0.9), ("RMSProp", 1, 0.9)]
    for method, power, beta in settings:
        page.evaluate(f"click({method!r})")
        beta_text = page.evaluate(f"set('beta', {beta})")
        alpha_text = page.evaluate(f"clear(); set('alpha', {power})")
        assert page.evaluate("chosen()") == [method]
        assert page.locator("[name=beta]").is_disabled() == (method == "gradient descent")
        assert "α = " + page.locator("[name=alpha]").get_attribute("aria-valuetext") == alpha_text
        alpha = value(alpha_text.removeprefix("α = "))
        assert alpha == float(f"{LIMIT * 10**power:.3g}")
        named = f"βM = {beta:.2f}, βR = 0.999" if method == "Adam" else f"β = {beta:.2f}"
        assert beta_text == named
        expected = path(method, alpha, beta)
        drawn = np.array(page.evaluate("arcs.slice(0, 101)"))[:, :2] / SCALE * [1, -1] + [-3, 1.5]
        np.testing.assert_allclose(drawn, expected, rtol=1e-9, atol=1e-9)
        text = page.locator(".result").inner_text()
        before, after = re.fullmatch("J = (.*) at the start, (.*) after 100 steps.", text).groups()
        assert value(before) == pytest.approx(bowl(START), rel=0.005)
        assert value(after) == pytest.approx(bowl(expected[-1]), rel=0.006, abs=1e-18)
        assert page.evaluate("pixels([[130, 78]])[0][3]") == 255  # the start


@in_a_browser
def test_a_path_that_runs_away_is_said_and_drawn_as_far_as_it_can_be_seen(made, opened):
    page = opened(made(*EXAMPLES["descend"]), WATCH)
    for method, power in (("momentum", 1), ("gradient descent", 0.3), ("gradient descent", 1)):
        page.evaluate(f"click({method!r}); set('beta', 0)")
        alpha = value(page.evaluate(f"clear(); set('alpha', {power})").removeprefix("α = "))
        text = page.locator(".result").inner_text()
        assert text == f"J = {bowl(START):.2f} at the start; the path runs away."
        expected = (path(method, alpha, 0) - [-3, 1.5]) * [SCALE, -SCALE]
        count = np.argmax(np.abs(expected).max(axis=1) > 1e5) + 1
        drawn = np.array(page.evaluate("arcs"))[:, :2]
        np.testing.assert_allclose(drawn[:count], expected[:count], rtol=1e-9)
        assert np.abs(drawn).max() < 1e7
        assert page.evaluate("pixels([[130, 78]])[0][3]") == 255


@in_a_browser
def test_the_swarm_plays_pauses_ends_and_plays_again_in_a_browser(made, opened):
    page = opened(made(*EXAMPLES["swarm"]), WATCH)
    tick = "clock += {}; for (const frame of frames.splice(0)) frame(clock)"
    moments = [  # what is done, the button, the round, from 0, whether a picture is asked for
        ("0", "Play", 0, False),
        ("click('Play');" + tick.format(50), "Pause", 0.25, True),
        (tick.format(100), "Pause", 0.75, True),
        (tick.format(100), "Pause", 1.25, True),
        ("click('Pause')", "Play", 1.25, False),
        (tick.format(500), "Play", 1.25, False),
        ("click('Play');" + tick.format(1000), "Play again", 2, False),
        ("click('Play again');" + tick.format(20), "Pause", 0.1, True),
        ("set('round', 2)", "Play", 1, False),
        (tick.format(50), "Play", 1, False),
    ]
    for action, label, now, waits in moments:
        page.evaluate(action)
        assert page.locator("button").inner_text() == label
        assert page.evaluate("frames.length") == int(waits)
        assert page.locator(".slider").inner_text() == f"round {int(now) + 1} of 3"
        assert page.locator("[name=round]").input_value() == str(int(now) + 1)
        i = min(int(now), 1)
        places = (1 - (now - i)) * ROUNDS[i] + (now - i) * ROUNDS[i + 1]
        arcs = np.array(page.evaluate("arcs.slice(-2)"))[:, :2]
        np.testing.assert_allclose(arcs, (places - [-3, 1.5]) * [SCALE, -SCALE], atol=0.5)
        crosses = page.evaluate("pixels([[910, 520], [780, 260], [780, 390]])")
        assert [cross == [0, 0, 0, 255] for cross in crosses] == [int(now) == k for k in range(3)]
    page.evaluate("click('Play'); find('.explorer').remove()")  # as when the cell runs again
    assert page.evaluate("frames.pop()(clock); frames.length") == 0


# ---- gallery


def test_a_gallery_draws_each_figure_once_and_closes_it(made):
    page = made(*EXAMPLES["gallery"])
    assert plt.get_fignums() == []
    handed = given(page)
    assert handed["rows"] == [
        {"name": "depth", "values": ["20 & <few>", "56"]},
        {"name": "kind of network", "values": ["plain", "dense", "skips"]},
    ]
    drawn = [still(page), *map(picture, handed["pictures"])]
    assert [one.convert("RGB").getpixel((20, 20)) for one in drawn] == [
        tuple(colour) for colour in COLOURS.values()
    ]
    assert {one.size for one in drawn} == {(100, 50)}
    assert 'alt="depth 20 &amp; &lt;few&gt;, kind of network plain"' in page


@pytest.mark.parametrize(
    ("draw", "choices", "words"),
    [
        (paint, {}, "nothing to choose: give the values of a row"),
        (paint, {"d": [1], "beta": range(0)}, "The row 'beta' has no values"),
        (paint, {"beta": np.array([])}, "The row 'beta' has no values"),
        (print, {"end": ("", " ")}, r"draw\(end=''\) returned no figure but None: .*subplots"),
        (lambda d, e: d, {"d": [3], "e": "f"}, r"draw\(d=3, e='f'\) returned no figure but 3"),
    ],
)
def test_gallery_says_what_is_wrong(made, draw, choices, words):
    with pytest.raises(ValueError, match=words):
        made(gallery, draw, **choices)


@in_a_browser
def test_buttons_choose_the_picture_in_a_browser(made, opened):
    page = opened(made(*EXAMPLES["gallery"]), WATCH)
    image = page.locator("img")
    assert page.locator(".explorer").inner_text().startswith("depth")  # what to do is gone
    few, plain, dense = "20 & <few>", "plain", "dense"
    for click, labels in [
        (None, (few, plain)),
        (dense, (few, dense)),
        ("56", ("56", dense)),
        ("skips", ("56", "skips")),
        (plain, ("56", plain)),
        (few, (few, plain)),
    ]:
        if click:
            page.get_by_role("radio", name=click, exact=True).check()
        assert image.get_attribute("alt") == f"depth {labels[0]}, kind of network {labels[1]}"
        assert page.evaluate("chosen()") == list(labels)
        png = picture(image.get_attribute("src"))
        assert png.convert("RGB").getpixel((20, 20)) == tuple(COLOURS[labels])


# ---- networks


def test_a_playground_keeps_its_points_in_a_square_view(made):
    for one, (name, (x, y)) in zip(
        given(made(playground, SETS))["sets"], SETS.items(), strict=True
    ):
        kept = np.reshape(one["x"], (-1, 2))
        assert one["name"] == name and one["y"] == y.astype(int).tolist()
        span = np.ptp(x, axis=0).max()
        assert one["side"] == pytest.approx(1.15 * span)
        np.testing.assert_allclose(kept, x, atol=span / 10_000)
        places = (kept - [one["left"], one["top"]]) / one["side"] * [1, -1]
        assert places.min() > 0.05 and places.max() < 0.95
        np.testing.assert_allclose(places.min(axis=0), 1 - places.max(axis=0), atol=1e-3)  # centred


X, Y = SETS["cross"]
GAP = X * np.where(np.arange(60) == 7, np.nan, 1)[:, None]


@pytest.mark.parametrize(
    ("datasets", "words"),
    [
        ({}, "datasets holds no data set: give a dict"),
        ({"a": 3}, r"'a' is not a pair \(x, y\)"),
        ({"a": (X, Y, Y)}, r"'a' is not a pair \(x, y\)"),
        ({"a": (X.T, Y)}, r"'a' has x of shape \(2, 60\) and y of shape \(60,\), but \(m, 2\) and"),
        ({"a": (X[:, 0], Y)}, r"x of shape \(60,\)"),
        ({"a": (X[0, 0], Y)}, r"x of shape \(\) and"),
        ({"a": (X, Y[1:])}, r"y of shape \(59,\)"),
        ({"a": (X, Y[:, None])}, r"y of shape \(60, 1\)"),
        (SETS | {"a": (GAP, Y)}, r"'a' holds numbers that are not finite .* first x\[7\] = \[nan"),
        ({"a": (X + np.inf, Y)}, r"not finite .* x\[0\] = \[inf"),
        ({"a": (X, 2 * Y - 1)}, r"'a' has the label y\[\d\] = -1, but .* must be 0 or 1"),
        ({"a": (X, np.where(Y, 0.5, 0))}, r"the label y\[\d\] = 0.5"),
        ({"a": (X, np.where(Y, "dog", "cat"))}, r"the label y\[0\] = (dog|cat)"),
        ({"a": (X, 0 * Y)}, "'a' has no point of class 1: both"),
        ({"a": (X, 0 * Y + 1)}, "'a' has no point of class 0"),
        ({"a": (X[:0], Y[:0])}, "'a' has no point of class 0"),
        ({"a": (0 * X, Y)}, "All points of 'a' lie in one place"),
    ],
)
def test_playground_says_what_is_wrong(made, datasets, words):
    with pytest.raises(ValueError, match=words):
        made(playground, datasets)


def normals(seed: int, count: int) -> np.ndarray:
    """The normal numbers that the scripts draw: mulberry32 on 32 bits, Box and Muller."""
    state = (seed + 0x6D2B79F5 * np.arange(1, 2 * count + 1, dtype=np.uint64)).astype(np.uint32)
    mixed = (state ^ (state >> 15)) * (state | 1)
    mixed ^= mixed + (mixed ^ (mixed >> 7)) * (mixed | 61)
    u = (mixed ^ (mixed >> 14)).reshape(count, 2) / 2**32
    return np.sqrt(-2 * np.log(1 - u[:, 0])) * np.cos(2 * np.pi * u[:, 1])


def test_the_generator_of_the_scripts_is_normal():
    assert normals(1, 3) == pytest.approx(normals(1, 9)[:3])
    drawn = np.concatenate([normals(seed, 20_000) for seed in (1, 2)])
    moments = [(drawn**k).mean() for k in (1, 2, 3, 4)]
    np.testing.assert_allclose(moments, [0, 1, 0, 3], atol=0.1)
    assert abs(np.corrcoef(drawn[:20_000], drawn[20_000:])[0, 1]) < 0.03


def trained(x, y, activation: str, depth: int, width: int, seed: int, steps: int):
    """Weights, biases and names of the activations after some steps of Adam, in NumPy."""
    sizes, names = [2, *[width] * depth, 1], [activation.lower()] * depth + ["identity"]
    shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
    drawn = np.split(normals(seed, 300), np.cumsum([n * k for n, k in shapes]))
    W = [
        np.sqrt((2 if name == "relu" else 1) / k) * part.reshape(n, k)
        for part, (n, k), name in zip(drawn[:-1], shapes, names, strict=True)
    ]
    parameters = W + [np.zeros((n, 1)) for n, _ in shapes]
    V, S = ([np.zeros_like(p) for p in parameters] for _ in "VS")
    for t in range(1, steps + 1):
        W, b = parameters[: depth + 1], parameters[depth + 1 :]
        Z, A = neural_networks.forward(x.T, W, b, names)
        dZ = (neural_networks.activation("sigmoid").g(Z[-1]) - y) / len(y)
        gradients = neural_networks.backward(dZ, Z, A, W, names)
        for i, g in enumerate(gradients.dW + gradients.db):
            V[i] = 0.9 * V[i] + 0.1 * g
            S[i] = 0.999 * S[i] + 0.001 * g**2
            V_corr, S_corr = V[i] / (1 - 0.9**t), S[i] / (1 - 0.999**t)
            eta = 1e-7 / np.sqrt(1 - 0.999**t)  # Keras adds it before the correction
            parameters[i] = parameters[i] - 0.03 * V_corr / (np.sqrt(S_corr) + eta)
    return parameters[: depth + 1], parameters[depth + 1 :], names


@in_a_browser
def test_the_playground_trains_as_numpy_does_in_a_browser(made, opened):
    nodes = np.stack(np.meshgrid(np.arange(3, 60, 6), np.arange(3, 60, 6)), axis=-1).reshape(-1, 2)
    settings = [  # the data set, the activation, hidden layers, width, new seeds, steps
        ("cross", "tanh", 2, 4, 0, 300),
        ("cross", "ReLU", 3, 8, 0, 100),
        ("cross", "sigmoid", 1, 1, 1, 100),
        ("cross", "identity", 4, 2, 0, 40),
        ("cross", "tanh", 4, 8, 1, 300),
        ("cross", "ReLU", 0, 5, 0, 60),
        ("wide & <few>", "tanh", 0, 1, 0, 200),
        ("wide & <few>", "ReLU", 2, 3, 1, 4),
        ("cross", "sigmoid", 4, 8, 0, 0),
    ]
    html = made(playground, SETS)
    sets = {one["name"]: one for one in given(html)["sets"]}
    page = opened(html, WATCH)
    assert page.evaluate("strokes.length") > 0  # it has trained before it is seen

    seed, apart = 1, 0
    for name, activation, depth, width, again, steps in settings:
        seed += again
        page.evaluate(
            f"""click({name!r}); set("depth", {depth}); set("width", {width});
            click({activation!r});
            for (let i = 0; i < {again}; i++) click("Start again");
            for (let i = 0; i < {steps // 4}; i++) {{ clear(); frames.pop()(); }}
            if ({steps} == 0) {{ clear(); click("Pause"); }}"""
        )
        text = page.locator(".result").inner_text()
        loss, right = page.evaluate("exact.slice(-2)")
        line = page.evaluate("strokes.find(one => one[1] == 6)[2]")
        triangles = page.evaluate(
            "strokes.filter(one => one[1] == 'fill').map(one => one[2][0]).filter(Boolean)"
        )
        circles = np.array(page.evaluate("arcs"))[:, :2]
        pixels = page.evaluate(f"pixels({(nodes * 1040 // 60).tolist()})")
        handed, x, y = sets[name], np.reshape(sets[name]["x"], (-1, 2)), np.array(sets[name]["y"])
        W, b, names = trained(x, y, activation, depth, width, seed, steps)

        def score(points, W=W, b=b, names=names):
            return neural_networks.forward(points.T, W, b, names)[0][-1][0]

        z = score(x)
        expected = np.logaddexp(0, np.where(y == 1, -z, z)).mean()
        assert loss == pytest.approx(expected, rel=1e-6)
        assert right == pytest.approx(100 * ((z > 0) == y).mean())
        parameters = sum(w.size for w in W + b)
        first, second = text.split("\n")
        assert first == f"{parameters} parameters, {steps} steps"
        assert second == f"training loss {loss:.3f}, {right:.1f}\u00a0% right"

        k, cell = np.arange(61), 1040 / 60
        corner, side = np.array([handed["left"], handed["top"]]), handed["side"] * np.array([1, -1])
        lattice = corner + side * np.stack(np.meshgrid(k, k), axis=-1).reshape(-1, 2) / 60
        heights = score(lattice).reshape(61, 61)
        changes = (
            np.diff(heights > 0, axis=1)[1:-1].sum() + np.diff(heights > 0, axis=0)[:, 1:-1].sum()
        )
        border = np.stack([heights[0], heights[-1], heights[:, 0], heights[:, -1]])
        assert len(line) == 2 * changes + np.diff(border > 0).sum()
        for ends in np.reshape(line, (-1, 2, 2)) / cell:
            assert np.ptp(ends, axis=0).max() < 1 + 1e-9  # inside one cell
            for column, row in ends:
                i, j = (min(int(place + 1e-9), 59) for place in (column, row))
                u, v = column - i, row - j
                (a, c), (d, e) = heights[j : j + 2, i : i + 2]
                on_line = (1 - v) * ((1 - u) * a + u * c) + v * ((1 - u) * d + u * e)
                assert abs(on_line) < 1e-6 * abs(heights).max()
                assert min(abs(u), abs(1 - u), abs(v), abs(1 - v)) < 1e-9  # on its edge

        places = (x - corner) / side * 1040
        np.testing.assert_allclose(circles, places[y == 0], atol=1e-6)
        np.testing.assert_allclose(triangles, places[y == 1] - [0, 14], atol=1e-6)
        marks = np.concatenate([places, np.reshape(line, (-1, 2))])
        for node, pixel in zip(nodes, pixels, strict=True):
            if np.hypot(*(marks - node * cell).T).min() > 30:
                share = np.tanh(heights[node[1], node[0]] / 2)
                colour = np.array([222, 143, 5] if share > 0 else [1, 115, 178])
                colour = 255 + 0.6 * abs(share) * (colour - 255)
                np.testing.assert_allclose(pixel, [*colour, 255], atol=12)
                apart += 1
    assert apart > 300


@in_a_browser
def test_the_playground_trains_pauses_stops_and_starts_again_in_a_browser(made, opened):
    page = opened(made(playground, SETS), WATCH)
    tick = "for (let i = 0; i < {}; i++) frames.pop()()"
    moments = [  # what is done, the button, whether a picture is asked for, the steps
        ("0", "Train", 0, 300),
        ("click('Train')", "Pause", 1, 300),
        (tick.format(2), "Pause", 1, 308),
        ("click('Pause')", "Train", 0, 308),
        ("click('Train');" + tick.format(1), "Pause", 1, 312),
        ("click('Start again')", "Pause", 1, 0),
        (tick.format(499), "Pause", 1, 1996),
        (tick.format(1), "Train", 0, 2000),  # stopped by itself
        ("click('Train');" + tick.format(1), "Pause", 1, 2004),
        ("set('width', 5)", "Pause", 1, 0),
        (tick.format(1), "Pause", 1, 4),
        ("set('depth', 1)", "Pause", 1, 0),
        (tick.format(1), "Pause", 1, 4),
        ("click('wide & <few>')", "Pause", 1, 0),
        ("click('cross'); click('ReLU')", "Pause", 1, 0),
        (tick.format(1), "Pause", 1, 4),
    ]
    losses = []
    for action, button, waits, steps in moments:
        page.evaluate(action)
        assert page.locator("button").first.inner_text() == button
        assert page.evaluate("frames.length") == waits
        assert f" {steps} steps" in page.locator(".result").inner_text()
        losses.append(page.evaluate("exact.at(-2)"))
    assert losses[0] < 0.5 * losses[5]
    assert losses[2] == losses[3] and len(set(losses)) == len(losses) - 2

    inner = page.locator(".inner input").all()
    assert len(inner) == 5
    for depth in (0, 4):
        assert page.evaluate(f"set('depth', {depth})") == f"hidden layers: {depth}"
        assert [one.is_disabled() for one in inner] == [depth == 0] * 5
    assert page.locator(".inner .slider").inner_text() == "units in each: 5"
    assert page.evaluate("chosen()") == ["cross", "ReLU"]
    page.evaluate("find('.explorer').remove()")  # as when the cell runs again
    assert page.evaluate("frames.pop()(); frames.length") == 0


def test_a_picture_that_is_none_is_refused():
    for picture, words in ((np.zeros(9), "has shape"), (2 + PICTURE, "holds values")):
        with pytest.raises(ValueError, match=words):
            convolve(picture)


@in_a_browser
def test_a_window_answers_as_in_scipy_in_a_browser(made, opened):
    page = opened(made(convolve, PICTURE), WATCH)
    kernel = np.array([[-1.0, 0, 1]] * 3)
    for stride, padding, dilation in ((1, 0, 1), (2, 1, 1), (3, 3, 2), (1, 2, 3)):
        for name, value in (("stride", stride), ("padding", padding), ("dilation", dilation)):
            page.evaluate(f"set('{name}', {value})")
        page.evaluate("clear()")
        assert page.evaluate("set('place', 4)").startswith("place: row")
        wide = np.zeros((2 * dilation + 1,) * 2)
        wide[::dilation, ::dilation] = kernel
        expected = correlate2d(np.pad(PICTURE, padding), wide, "valid")[::stride, ::stride]
        np.testing.assert_allclose(page.evaluate("exact.at(-1)"), expected.flat[4], atol=1e-9)
        rows, columns = expected.shape
        assert f"{rows} × {columns}" in page.evaluate("find('.result').textContent")


@in_a_browser
def test_a_signal_goes_through_the_layers_as_in_numpy_in_a_browser(made, opened):
    settings = [  # the activation, gain, depth, new draws
        ("ReLU", 1.4, 50, 0),
        ("tanh", 2, 33, 0),
        ("sigmoid", 1, 20, 1),
        ("identity", 3, 50, 0),
        ("identity", 0.5, 2, 0),
        ("ReLU", 0.5, 50, 0),
    ]
    page = opened(made(signal), WATCH)
    assert page.evaluate("strokes.length") > 0

    seed, axes = 1, []
    for name, gain, depth, again in settings:
        seed += again
        page.evaluate(f"for (let i = 0; i < {again}; i++) click('Draw again'); click({name!r})")
        gain_text = page.evaluate(f"set('gain', {gain})")
        depth_text = page.evaluate(f"clear(); set('depth', {depth})")
        strokes, rectangles, texts = page.evaluate("[strokes, rectangles, texts]")
        result = page.locator(".result").inner_text()
        drawn = normals(seed, 1_100 + 50 * 10_000)
        x, c, W = np.split(drawn, [1_000, 1_100])
        gain = np.sqrt(2) if gain == 1.4 else gain
        W = list(gain / 10 * W.reshape(50, 100, 100)[:depth])
        names = [name.lower()] * depth
        Z, A = neural_networks.forward(x.reshape(10, 100).T, W, [np.zeros((100, 1))] * depth, names)
        c = np.repeat(c[:, None], 10, axis=1)
        dZ = c * neural_networks.activation(names[0]).slope(Z[-1])
        dA = [*neural_networks.backward(dZ, Z, A, W, names).dA, c]
        size, gradient = (np.sqrt([np.mean(a**2) for a in all]) for all in (A, dA))

        lines = {colour: np.array(way) for colour, width, way in strokes if width == 8}
        across = 120 + 1010 * np.arange(depth + 1) / 50
        for colour, values in (("#0173b2", size), ("#d55e00", gradient[::-1])):
            columns = across if colour == "#0173b2" else across[::-1]
            expected = np.stack([columns, 355 - 255 / 9 * np.log10(values)], axis=1)
            np.testing.assert_allclose(lines[colour], expected, rtol=1e-6)
            arrows = [way for style, kind, way in strokes if kind == "fill" and style == colour]
            outside = abs(np.log10(values)) > 9
            assert len(arrows) == outside.any()
            if arrows:  # where the line crosses the end of the axis
                tip, *foot = arrows[0]
                end = 100 if values[outside][0] > 1 else 610
                assert [place[1] for place in foot] == [end, end]
                i = outside.argmax()
                assert min(columns[i - 1 : i + 1]) <= tip[0] <= max(columns[i - 1 : i + 1])
                assert tip[1] == (end - 34 if end == 100 else end + 34)

        first_text, activations, _, gradients, *_ = result.split("\n")
        assert first_text == "━ activations"
        for text, (start, from_, end, to) in (
            (activations, (size[0], 0, size[-1], depth)),
            (gradients, (gradient[-1], depth, gradient[0], 0)),
        ):
            found = re.fullmatch(rf"(.+) in layer {from_}, (.+) in layer {to}", text).groups()
            assert [value(part) for part in found] == pytest.approx([start, end], rel=0.006)

        range_ = 3 if name in ("identity", "ReLU") else 1
        layers = {
            50: [1, 13, 26, 38, 50],
            33: [1, 9, 17, 25, 33],
            20: [1, 6, 11, 15, 20],
            2: [1, 2],
        }
        bars = np.array([box[4] for box in rectangles if box[3] == 6]).reshape(-1, 33)
        titles = [int(text[6:]) for text, *_ in texts if re.fullmatch(r"layer \d+", str(text))]
        assert titles == layers[depth]
        edges = np.array([-np.inf, *range_ / 30 * np.arange(-31, 32, 2), np.inf])
        for heights, layer in zip(bars, layers[depth], strict=True):
            count = np.histogram(A[layer], edges)[0]
            np.testing.assert_allclose(heights, 150 * count / count.max(), atol=1)
        colours = [box[0] for box in rectangles if box[3] == 6][:33]
        assert colours == ["#000000", *["#0173b2"] * 31, "#000000"]

        shown = "√2" if gain == np.sqrt(2) else f"{gain:.2f}"
        assert gain_text == f"gain = {shown}: σ = gain / √100 = {gain / 10:.3f}"
        assert depth_text == f"layers: {depth}"
        axes.append([given for given in texts if given[2] < 700])
    assert all(one == axes[0] for one in axes)  # they do not jump
    ticks = dict((text, y) for text, x, y in axes[0] if x == 104)
    assert list(ticks) == ["10⁻⁹", "10⁻⁶", "10⁻³", "1", "10³", "10⁶", "10⁹"]
    assert list(ticks.values()) == pytest.approx(np.linspace(610, 100, 7))


@in_a_browser
def test_the_marks_stand_below_the_gains_that_they_name(made, opened):
    page = opened(made(signal), WATCH)
    slider, marks = page.locator("[name=gain]").bounding_box(), page.locator(".marks span").all()
    for mark, (gain, text) in zip(marks, [(1, "1"), (1.4, "√2")], strict=True):
        assert mark.inner_text() == f"|\n{text}"
        box = mark.bounding_box()
        place = slider["x"] + 8 + (slider["width"] - 16) * (gain - 0.5) / 2.5  # of its thumb
        assert box["x"] + box["width"] / 2 == pytest.approx(place, abs=1)
