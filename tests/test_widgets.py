"""Explorers: the sliders that are shown and what they call; the others, in a browser too."""

import base64
import html
import io
import json
import re
import shutil
import subprocess

import IPython.display
import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image, ImageFilter

from course_utils import data, networks
from course_utils.widgets import (
    descend,
    explore,
    gallery,
    latent_pad,
    playground,
    signal,
    swarm,
    transport,
)

in_a_browser = pytest.mark.browser  # run by `make test-browser`


@pytest.fixture
def shown(monkeypatch):
    displayed = []
    monkeypatch.setattr(IPython.display, "display", displayed.append)
    return displayed


def test_each_keyword_is_a_slider_that_starts_in_the_middle_and_redraws(shown):
    calls = []
    explore(
        lambda **chosen: calls.append(chosen),
        beta=[0.0, 0.5, 1.0],
        hidden_units=range(10, 50, 10),
        z=np.linspace(-1, 1, 5),
    )
    assert calls == [{"beta": 0.5, "hidden_units": 30, "z": 0.0}]

    (box,) = shown
    row, figure = box.children
    assert isinstance(figure, ipywidgets.Output)
    assert [s.description for s in row.children] == ["beta", "hidden units", "z"]
    beta, units, _ = row.children
    assert list(units.options) == [10, 20, 30, 40]
    assert not beta.continuous_update

    beta.value = 1.0
    units.value = 40
    assert calls[1:] == [
        {"beta": 1.0, "hidden_units": 30, "z": 0.0},
        {"beta": 1.0, "hidden_units": 40, "z": 0.0},
    ]


@pytest.mark.parametrize("nothing", [[], np.array([]), range(0)])
def test_a_slider_without_values_is_named(nothing, shown):
    with pytest.raises(ValueError, match="The slider 'beta' has no values"):
        explore(print, alpha=[1, 2], beta=nothing)
    assert shown == []


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


@pytest.fixture
def page(monkeypatch):
    """Return a function that makes a pad and returns its HTML."""
    displayed = []
    monkeypatch.setattr(IPython.display, "display", lambda bundle, raw: displayed.append(bundle))

    def make(decode=decode, codes=CODES, labels=LABELS) -> str:
        latent_pad(decode, codes, labels)
        bundle = displayed.pop()
        assert bundle.keys() == {"text/html", "text/plain"}
        assert re.fullmatch(
            r"A latent map[a-z, ]+\.", bundle["text/plain"]
        )  # no address, no number
        return bundle["text/html"]

    return make


def pictures(page: str) -> list[np.ndarray]:
    """The pictures inside a page: the map and the sprite."""
    found = re.findall(r"data:image/png;base64,([^\"]+)", page)
    return [np.array(Image.open(io.BytesIO(base64.b64decode(text)))) for text in found]


def settings(page: str) -> list:
    """The points of the grid along both axes as text, and the place of the axes in the map."""
    found = re.search(r"const z1 = (\[.*?\]), z2 = (\[.*?\]), \[.*?\] = (\[.*?\]);", page)
    return [json.loads(text) for text in found.groups()]


def number(text: str) -> float:
    return float(text.replace("\u2212", "-"))


def test_the_sprite_holds_what_the_decoder_answers_at_the_points_that_are_named(page):
    calls = []

    def recorded(points):
        calls.append((points.shape, points.dtype))
        return decode(points)

    made = page(recorded)
    assert calls == [((33 * 33, 2), np.float32)]  # once
    z1, z2, _ = settings(made)
    assert number(z1[0]) < LOW[0] < HIGH[0] < number(z1[-1])
    assert number(z2[0]) < LOW[1] < HIGH[1] < number(z2[-1])
    _, sprite = pictures(made)
    assert sprite.shape == (33 * 3, 33 * 4) and sprite.dtype == np.uint8
    for i, j in ((0, 0), (32, 0), (0, 32), (20, 7)):
        tile = sprite[(32 - j) * 3 :, i * 4 :][:3, :4]  # from the top, as the script draws it
        ink = decode(np.array([[number(z1[i]), number(z2[j])]]))[0]
        np.testing.assert_allclose(1 - tile / 255, ink, atol=0.5 / 31 + 0.005)
    assert len(np.unique(sprite)) <= 32


def test_the_axes_are_where_the_script_looks_for_them(page):
    codes = np.array([[0.0, 0.0], [1.0, 0.1], [0.5, 0.2], [9.0, 3.0]])  # the last stands alone
    made = page(codes=codes, labels=np.zeros(4))
    z1, z2, (left, top, width, height) = settings(made)
    picture = Image.open(io.BytesIO(base64.b64decode(re.search('base64,([^"]+)', made)[1])))
    picture = np.array(picture.convert("L"))
    across = (9.0 - number(z1[0])) / (number(z1[-1]) - number(z1[0]))
    up = (3.0 - number(z2[0])) / (number(z2[-1]) - number(z2[0]))
    x = int((left + width * across) * picture.shape[1])
    y = int((top + height * (1 - up)) * picture.shape[0])
    assert picture[y, x] < 200
    around = picture[y - 12 : y + 13, x - 12 : x + 13].copy()
    around[8:17, 8:17] = 255
    assert (around == 255).all()


def test_a_pad_stands_on_its_own(page):
    made = page()
    text = re.sub(r'base64,[^"]+', "", made)
    assert "@" not in text and " id=" not in text
    assert not re.search(r"//|<link|<script\b.+src|import|fetch", text)  # nothing from elsewhere
    assert re.findall(r"src ?= ?\"(.*?)\"", text) == ["data:image/png;"] * 2
    assert page() == made  # a notebook that is built again stays the same
    classes = [re.search("latent-pad-[0-9a-f]{16}", text)[0] for text in (made, page(codes=-CODES))]
    assert classes[0] != classes[1] and made.count(classes[0]) == 2


def test_a_pad_of_5000_digits_is_small(page):
    digits = data.load_mnist5k()
    x = digits.x.reshape(-1, 784) / 255
    mean = x.mean(axis=0)
    axes = np.linalg.eigh(np.cov(x.T))[1][:, -2:]

    def nearest(points):
        return np.clip(mean + points @ axes.T, 0, 1).reshape(-1, 28, 28)

    made = page(nearest, (x - mean) @ axes, digits.y)
    assert len(made) < 400_000
    assert pictures(made)[1].shape == (33 * 28, 33 * 28)


@pytest.mark.parametrize(
    ("scale", "texts"),
    [
        (1, ["0.000", "\u22120.034"]),
        (400, ["0", "\u221214"]),
        (1e-3, ["0.000000", "\u22120.000034"]),
    ],
)
def test_points_are_named_with_the_digits_that_they_need(page, scale, texts):
    codes = scale * np.array([[-0.5001] * 2, [0.5] * 2])  # the middle is just below 0
    z1, z2, _ = settings(page(codes=codes, labels=[0, 1]))
    assert z1 == z2 and len(set(z1)) == 33
    assert set(texts) < set(z1)


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
def test_latent_pad_says_what_is_wrong(page, answer, codes, labels, words):
    with pytest.raises(ValueError, match=words):
        page(answer, codes, labels)


MOVES = """
<pre id="seen"></pre>
<script>
const seen = [], find = name => document.querySelector("." + name), map = find("map");
const note = () => {
  const ink = find("image").getContext("2d").getImageData(0, 0, 4, 3).data;
  const place = map.lastChild.getBoundingClientRect();
  seen.push([find("point").textContent, ink[0], ink[4], ink[44],
             place.x + place.width / 2, place.y + place.height / 2]);
};
const move = (kind, x, y) => {
  map.dispatchEvent(new PointerEvent(kind, {clientX: x, clientY: y, bubbles: true}));
  note();
};
addEventListener("load", () => {
  note();
  const box = map.getBoundingClientRect();
  move("pointermove", box.x + 0.5 * box.width, box.y + 0.3 * box.height);
  for (const key of ["ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown", "a"]) {
    map.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
    note();
  }
  move("pointerdown", box.x - 100, box.y + 2000);
  document.getElementById("seen").textContent = 
    JSON.stringify([box.x, box.y, box.width, document.querySelectorAll(".map div").length, seen]);
});
</script>
"""


def seen_in_a_browser(body: str, folder, clock: str = "virtual"):
    """Return what a page's own script wrote, as JSON, into its last element."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if not browser:
        pytest.skip("needs Chromium")
    (folder / "page.html").write_text(f"<!doctype html>{body}", encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command.append(f"--user-data-dir={folder / 'profile'}")
    if clock == "virtual":
        command.append("--virtual-time-budget=3000")
    command.append((folder / "page.html").as_uri())
    found = subprocess.run(command, capture_output=True, text=True, timeout=120)
    text = re.search(r'<pre id="seen">(.*?)</pre>', found.stdout, re.DOTALL)[1]
    return json.loads(html.unescape(text))


@in_a_browser
@pytest.mark.parametrize("copies", [1, 2])
def test_the_pointer_and_the_arrow_keys_choose_the_point_in_a_browser(page, tmp_path, copies):
    made = page()
    x, y, size, markers, seen = seen_in_a_browser(made * copies + MOVES, tmp_path)
    z1, z2, (left, top, width, height) = settings(made)

    assert markers == copies
    grid = []
    for named, *inks, marker_x, marker_y in seen:
        i, j = (
            axis.index(name) for axis, name in zip((z1, z2), named[5:-1].split(", "), strict=True)
        )
        grid.append((i, j))
        ink = share(np.array([number(z1[i]), number(z2[j])]))
        np.testing.assert_allclose(1 - np.array(inks) / 255, [*ink, 1], atol=0.5 / 31 + 0.005)
        assert marker_x == pytest.approx(x + size * (left + width * i / 32), abs=0.5)
        assert marker_y == pytest.approx(y + size * (top + height * (1 - j / 32)), abs=0.5)
    start, (i, j), *steps, corner = grid
    assert start == (16, 16)
    assert i == round((0.5 - left) / width * 32) and j == round((1 - (0.3 - top) / height) * 32)
    assert steps == [(i - 1, j), (i - 1, j + 1), (i, j + 1), (i, j), (i, j)]
    assert corner == (0, 0)  # the nearest point of the grid


SQUARES = np.stack(np.meshgrid([-3.0, 0.0, 3.0], [-3.0, 3.0]), axis=-1)  # 2 rows, 3 columns
NEAR = np.array([[1.0, 0.2], [-0.9, 0.5], [-1.0, -0.6], [0.3, -1.0]])
AWAY = np.array([0.25, 0.2])
STAGES = {
    "shift & <flatten>": tuple(
        np.stack([places, places + AWAY, (places + AWAY) * [1, 0.5]]) for places in (NEAR, SQUARES)
    ),
    "shrink": tuple(np.stack([places, places / 2]) for places in (NEAR, SQUARES)),
}


@pytest.fixture
def moved(monkeypatch):
    """Return a function that makes a transport and returns its HTML."""
    displayed = []
    monkeypatch.setattr(IPython.display, "display", lambda bundle, raw: displayed.append(bundle))

    def make(stages=STAGES) -> str:
        transport(stages)
        bundle = displayed.pop()
        assert bundle.keys() == {"text/html", "text/plain"}
        assert re.fullmatch(r"Points and a lattice[a-z, ]+\.", bundle["text/plain"])
        return bundle["text/html"]

    return make


def parts_of(page: str) -> tuple[list[dict], list[str], int]:
    """The flows, the palette and the side of the view that a transport's script is given."""
    found = re.search(r"const flows = (\[.*\]), palette = (\[.*?\]), side = (\d+);", page)
    return tuple(json.loads(text) for text in found.groups())


def unpacked(text: str, *shape: int) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<i2").reshape(*shape).astype(float)


def test_all_stages_of_all_flows_are_kept_in_one_view(moved):
    made, _, side = parts_of(moved())
    assert [flow["name"] for flow in made] == list(STAGES)
    kept, given = [], []
    for flow, (points, lattice) in zip(made, STAGES.values(), strict=True):
        assert (flow["last"] + 1, flow["rows"], flow["columns"]) == lattice.shape[:3]
        kept += [unpacked(flow["points"], -1, 2), unpacked(flow["lattice"], -1, 2)]
        given += [points.reshape(-1, 2), lattice.reshape(-1, 2)]
    kept, given = np.concatenate(kept), np.concatenate(given)
    scale = side / (1.1 * 6)  # of the lattice at the first stage, with a margin
    np.testing.assert_allclose(kept[:, 0], side / 2 + scale * given[:, 0], atol=0.5)
    np.testing.assert_allclose(kept[:, 1], side / 2 - scale * given[:, 1], atol=0.5)


def test_the_view_holds_all_but_the_outlying_points(moved):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(3, 1000, 2)) * [[[1.0]], [[5.0]], [[1.0]]]
    points[1, :4] = 1e6
    made, _, side = parts_of(moved({"wide": (points, np.stack([SQUARES] * 3))}))
    kept = unpacked(made[0]["points"], 3, 1000, 2)
    inside = ((kept > 0) & (kept < side)).all(axis=2).mean()
    assert 0.95 < inside < 0.999
    assert kept[1].std(axis=0).min() > side / 10
    np.testing.assert_array_equal(kept[1, 0], [2**15 - 1, -(2**15)])  # not wrapped around


def test_each_point_keeps_the_colour_of_its_direction_at_the_first_stage(moved):
    angles = np.arange(360) * np.pi / 180
    circle = np.stack([5 + np.cos(angles), np.sin(angles) - 2], axis=1)
    made, palette, _ = parts_of(moved({"ring": (np.stack([circle, 0 * circle]), [SQUARES] * 2)}))
    colours = np.array(made[0]["colours"])
    assert set(colours) == set(range(len(palette))) and len(set(palette)) == len(palette) == 64
    turns = np.diff(np.append(colours, colours[0])) % 64
    assert set(turns) == {0, 1}  # once around, without a jump
    rgb = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in palette])
    assert abs(rgb - np.roll(rgb, 1, axis=0)).max() < 40
    without_red_and_green = rgb @ np.array([[0.5, 0.5, -1], [0.3, 0.6, 0.1]]).T
    apart = without_red_and_green - np.roll(without_red_and_green, 32, axis=0)
    assert np.hypot(*apart.T).min() > 40  # opposite directions


def test_a_transport_stands_on_its_own(moved):
    made = moved()
    assert "@" not in made and " id=" not in made and "<flatten>" not in made
    assert made.count("<script") == made.count("</script") == 1
    text = re.sub(r'"(points|lattice)": "[^"]+"', "", made)
    assert not re.search(r"//|<link|<script\b.+src|import|fetch", text)  # nothing from elsewhere
    assert "Run this cell" in made  # where scripts may not run
    assert moved() == made  # a notebook that is built again stays the same
    other = moved({"shrink": STAGES["shrink"]})
    classes = [re.search("transport-[0-9a-f]{16}", text)[0] for text in (made, other)]
    assert classes[0] != classes[1] and made.count(classes[0]) == 2


def test_three_flows_of_nine_stages_are_small(moved):
    rng = np.random.default_rng(0)
    stages = rng.normal(size=(9, 600, 2)), rng.normal(size=(9, 25, 25, 2))
    assert len(moved({f"{i} couplings": stages for i in (2, 4, 8)})) < 400_000


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
def test_transport_says_what_is_wrong(moved, stages, words):
    with pytest.raises(ValueError, match=words):
        moved(stages)


SLIDES = """
<pre id="seen"></pre>
<script>
const places = @places@, seen = [], find = name => document.querySelector(name);
const buttons = () => [...find(".flows").children];
const note = () => {
  const pen = find("canvas").getContext("2d");
  seen.push([
    find("input").value, find("input").max, find(".stage").textContent, find(".marks").textContent,
    buttons().map(button => button.textContent + " " + button.getAttribute("aria-pressed")),
    places[seen.length].map(([x, y]) => [...pen.getImageData(x, y, 1, 1).data]),
  ]);
};
const slide = value => {
  find("input").value = value;
  find("input").dispatchEvent(new Event("input"));
  note();
};
const choose = i => {
  buttons()[i].click();
  note();
};
addEventListener("load", () => {
  const keys = [];
  document.addEventListener("keydown", event => keys.push(event.key));
  note();
  slide(0.5);
  slide(1);
  choose(1);
  slide(1);
  choose(0);
  for (const event of [{key: "ArrowUp"}, {key: "a"}, {key: "Enter", shiftKey: true}])
    find("input").dispatchEvent(new KeyboardEvent("keydown", {...event, bubbles: true}));
  find("#seen").textContent =
    JSON.stringify([keys, find("canvas").hidden || find("input").hidden, seen]);
});
</script>
"""


@in_a_browser
@pytest.mark.parametrize("copies", [1, 2])
def test_the_slider_carries_points_and_lattice_in_a_browser(moved, tmp_path, copies):
    made = moved()
    flows, palette, _ = parts_of(made)
    long, short = STAGES
    moments = [(long, 0), (long, 0.5), (long, 1), (short, 0.5), (short, 1), (long, 2)]
    texts = ["z, the latent points", "step 0.5 of 2", "step 1 of 2"]
    texts += ["step 0.5 of 1", "step 1 of 1: x", "step 2 of 2: x"]

    places = []
    for name, step in moments:
        i = min(int(step), len(STAGES[name][0]) - 2)
        points, lattice = (
            (1 - (step - i)) * stages[i] + (step - i) * stages[i + 1] for stages in STAGES[name]
        )
        edges = [((0, 0), (0, 1)), ((1, 1), (1, 2)), ((0, 0), (1, 0)), ((0, 2), (1, 2))]
        lines = [(lattice[start] + 3 * lattice[end]) / 4 for start, end in edges]
        empty = (lattice[0, 0] + 9 * lattice[0, 1]) / 10 + (lattice[1, 0] - lattice[0, 0]) / 10
        places.append(520 + 1040 / 6.6 * np.array([*points, *lines, empty]) * [1, -1])
    script = SLIDES.replace("@places@", json.dumps(np.array(places).astype(int).tolist()))
    keys, hidden, seen = seen_in_a_browser(made * copies + script, tmp_path)

    assert keys == ["Enter"]  # with shift: JupyterLab still runs the cell
    assert not hidden
    dots = [[int(palette[i][k : k + 2], 16) for k in (1, 3, 5)] for i in flows[0]["colours"]]
    for (name, step), text, (value, most, stage, marks, pressed, pixels) in zip(
        moments, texts, seen, strict=True
    ):
        last = len(STAGES[name][0]) - 1
        assert (float(value), float(most), stage) == (step, last, text)
        assert marks == {2: "z1x", 1: "zx"}[last]
        assert pressed == [f"{one} {'true' if one == name else 'false'}" for one in STAGES]
        expected = [[*dot, 255] for dot in dots] + [[187, 187, 187, 255]] * 4 + [[0] * 4]
        np.testing.assert_allclose(pixels, expected, atol=3)


@pytest.fixture
def made(monkeypatch):
    """Return a function that makes a view and returns its HTML."""
    displayed = []
    monkeypatch.setattr(IPython.display, "display", lambda bundle, raw: displayed.append(bundle))

    def make(view, *given) -> str:
        view(*given)
        bundle = displayed.pop()
        assert bundle.keys() == {"text/html", "text/plain"}
        assert re.fullmatch(r"A [a-z, -]+\.", bundle["text/plain"])
        return bundle["text/html"]

    return make


HESSIAN = np.array([[3.0, 2.0], [2.0, 5.0]])
START, BOX = np.array([-2.5, 1.2]), (-3.0, 1.0, -1.0, 1.5)
SCALE = 1040 / 4  # pixels of the canvas for each unit
LIMIT = 2 / (4 + np.sqrt(5))  # 2/L, by hand


def bowl(w: np.ndarray) -> np.ndarray:
    return (3 * w[..., 0] ** 2 + 4 * w[..., 0] * w[..., 1] + 5 * w[..., 1] ** 2) / 2


ROUNDS = np.array([[[-2.5, 1.0], [0.5, -0.5]], [[-1.5, 0.0], [0.0, 0.5]], [[0.0, 0.0], [5.0, 1.0]]])
BEST = np.array([[0.5, -0.5], [0.0, 0.5], [0.0, 0.0]])
VIEWS = {
    "descend": (descend, HESSIAN, START, BOX),
    "swarm": (swarm, bowl, BOX, ROUNDS, BEST),
}


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_over_a_surface_stands_on_its_own(made, name):
    page = made(*VIEWS[name])
    text = re.sub(r'base64,[^"]+', "", page)
    assert "@" not in text and " id=" not in text
    assert page.count("<script") == page.count("</script") == 1
    assert not re.search(r"//(?! )|<link|<script\b.+src|import|fetch", text)
    assert re.findall(r"src ?= ?\"(.*?)\"", text) == ["data:image/png;"]
    assert "Run this cell to" in page  # where scripts may not run
    assert made(*VIEWS[name]) == page  # a notebook that is built again stays the same
    view, _, *rest = VIEWS[name]
    other = made(view, 2 * HESSIAN if name == "descend" else lambda w: w[..., 0], *rest)
    classes = [re.search(name + "-[0-9a-f]{16}", one)[0] for one in (page, other)]
    assert classes[0] != classes[1] and page.count(classes[0]) == 2


@pytest.mark.parametrize("name", VIEWS)
def test_the_surface_fills_the_box_and_is_lightest_at_the_bottom(made, name):
    page = made(*VIEWS[name])
    encoded = re.search('base64,([^"]+)', page)[1]
    picture = Image.open(io.BytesIO(base64.b64decode(encoded))).convert("L")
    assert picture.size == (1040, 650)  # both weights to the same scale
    assert 'canvas width="1040" height="650"' in page and "width: 520px" in page
    grey = np.array(picture.filter(ImageFilter.MedianFilter(9))).astype(float)  # without lines
    x, y = np.meshgrid(np.linspace(-3, 1, 1040), np.linspace(1.5, -1, 650))
    height = bowl(np.stack([x, y], axis=-1))
    assert grey[height < 0.005 * height.max()].mean() > 245
    assert np.corrcoef(grey.ravel(), np.sqrt(height).ravel())[0, 1] < -0.97
    assert grey[2:-2, 2:-2].min() < 200


def test_views_over_a_surface_are_small(made):
    def eggs(w):
        return (w**2 - 10 * np.cos(2 * np.pi * w)).sum(axis=-1)

    rng = np.random.default_rng(0)
    positions = rng.normal(size=(60, 30, 2))
    assert len(made(swarm, eggs, (-5.12, 5.12, -5.12, 5.12), positions, positions[:, 0])) < 300_000
    assert len(made(*VIEWS["descend"])) < 100_000


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


# A canvas is asked where it draws circles: so the numbers are seen, not their pixels. It has to
# stand before the view. Time is this script's own.
WATCH = """
<script>
const arcs = [], frames = [];
const arc = CanvasRenderingContext2D.prototype.arc;
CanvasRenderingContext2D.prototype.arc = function (...given) {
  arcs.push(given);
  arc.apply(this, given);
};
const find = name => document.querySelector(name);
const input = (name, value) => {
  find(name).value = value;
  arcs.length = 0;
  find(name).dispatchEvent(new Event("input"));
};
const press = keys => {
  const heard = [];
  document.addEventListener("keydown", event => heard.push(event.key));
  for (const event of [{key: "ArrowUp"}, {key: "a"}, {key: "Enter", shiftKey: true}])
    find("input").dispatchEvent(new KeyboardEvent("keydown", {...event, bubbles: true}));
  return heard;
};
</script>
"""
DESCENTS = """
<pre id="seen"></pre>
<script>
const seen = [], buttons = [...find(".methods").children];
addEventListener("load", () => {
  const first = [find("span.alpha").textContent, arcs.length];
  for (const [method, alpha, beta] of @settings@) {
    buttons.find(button => button.textContent == method).click();
    input("input.beta", beta);
    input("input.alpha", alpha);
    const pen = find("canvas").getContext("2d");
    const [, , , reached] = pen.getImageData(130, 78, 1, 1).data;  // the start
    seen.push([
      buttons.filter(button => button.getAttribute("aria-pressed") == "true").length,
      find("input.beta").disabled, find("span.alpha").textContent, find("span.beta").textContent,
      find(".result").textContent, arcs.slice(0, 101), reached,
    ]);
  }
  find("#seen").textContent =
    JSON.stringify([first, find(".sliders").hidden, find("input.alpha").min,
                    find("input.alpha").max, press(), seen]);
});
</script>
"""


def value(text: str) -> float:
    """The number of a text such as "8.02 · 10⁻⁸"."""
    digits = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    mantissa, _, power = text.partition(" · 10")
    return float(f"{mantissa}e{power.translate(digits) or 0}")


@in_a_browser
@pytest.mark.parametrize("copies", [1, 2])
def test_the_methods_take_the_steps_of_the_rules_in_a_browser(made, tmp_path, copies):
    settings = [
        (method, power, beta)
        for method in ("gradient descent", "momentum", "RMSProp", "Adam")
        for power, beta in ((-3, 0.9), (-0.5, 0.5), (-0.01, 0.9), (-0.2, 0.99))
    ]
    settings += [("gradient descent", 0.01, 0.5), ("momentum", 0.4, 0.9), ("RMSProp", 1, 0.9)]
    script = DESCENTS.replace("@settings@", json.dumps(settings))
    page = WATCH + made(*VIEWS["descend"]) * copies + script
    first, hidden, low, high, keys, seen = seen_in_a_browser(page, tmp_path, clock="real")

    assert first[0] == f"α = {LIMIT * 10**-0.1:.3g}" and first[1] >= 101
    assert not hidden and (low, high) == ("-3", "1")
    assert keys == ["Enter"]
    assert len(seen) == len(settings)
    for (method, power, beta), one in zip(settings, seen, strict=True):
        pressed, disabled, alpha_text, beta_text, result, arcs, reached = one
        assert pressed == 1 and disabled == (method == "gradient descent")
        alpha = value(alpha_text.removeprefix("α = "))
        assert alpha == float(f"{LIMIT * 10**power:.3g}")
        named = f"βM = {beta:.2f}, βR = 0.999" if method == "Adam" else f"β = {beta:.2f}"
        assert beta_text == named
        expected = path(method, alpha, beta)
        drawn = np.array(arcs)[:, :2] / SCALE * [1, -1] + [-3, 1.5]
        np.testing.assert_allclose(drawn, expected, rtol=1e-9, atol=1e-9)
        before, after = re.fullmatch(
            "J = (.*) at the start, (.*) after 100 steps.", result
        ).groups()
        assert value(before) == pytest.approx(bowl(START), rel=0.005)
        assert value(after) == pytest.approx(bowl(expected[-1]), rel=0.006, abs=1e-18)
        assert reached == 255


@in_a_browser
def test_a_path_that_runs_away_is_said_and_drawn_as_far_as_it_can_be_seen(made, tmp_path):
    settings = [("gradient descent", 0.3, 0), ("momentum", 1, 0), ("gradient descent", 1, 0)]
    script = DESCENTS.replace("@settings@", json.dumps(settings))
    page = WATCH + made(*VIEWS["descend"]) + script
    *_, seen = seen_in_a_browser(page, tmp_path, clock="real")
    for (method, _, beta), (*_, alpha, _, result, arcs, reached) in zip(
        settings, seen, strict=True
    ):
        assert result == f"J = {bowl(START):.2f} at the start; the path runs away."
        expected = (path(method, float(alpha[4:]), beta) - [-3, 1.5]) * [SCALE, -SCALE]
        count = np.argmax(np.abs(expected).max(axis=1) > 1e5) + 1
        np.testing.assert_allclose(np.array(arcs)[:count, :2], expected[:count], rtol=1e-9)
        assert np.abs(np.array(arcs)[:, :2]).max() < 1e7
        assert reached == 255


PLAYS = """
<pre id="seen"></pre>
<script>
let clock = 1000;
performance.now = () => clock;
window.requestAnimationFrame = frame => frames.push(frame);
window.cancelAnimationFrame = () => frames.length = 0;
const seen = [];
const note = () => {
  const pen = find("canvas").getContext("2d");
  const crosses = [[910, 520], [780, 260], [780, 390]];
  seen.push([find("button").textContent, find("input").value, find(".round").textContent,
             frames.length, arcs.slice(-2).map(given => given.slice(0, 2)),
             crosses.map(([x, y]) => [...pen.getImageData(x, y, 1, 1).data])]);
};
const tick = milliseconds => {
  clock += milliseconds;
  for (const frame of frames.splice(0)) frame(clock);
  note();
};
addEventListener("load", () => {
  note();
  find("button").click();
  tick(50);
  tick(100);
  tick(100);
  find("button").click();
  note();
  tick(500);
  find("button").click();
  tick(1000);
  find("button").click();
  tick(20);
  input("input", 2);
  note();
  tick(50);
  const rest = [find(".controls").hidden, find("input").max, press()];
  find("button").click();
  find("[data-ready]").remove();  // as when the cell runs again
  frames.pop()(clock);
  find("#seen").textContent = JSON.stringify([...rest, frames.length, seen]);
});
</script>
"""


@in_a_browser
@pytest.mark.parametrize("copies", [1, 2])
def test_the_swarm_plays_pauses_ends_and_plays_again_in_a_browser(made, tmp_path, copies):
    page = WATCH + made(*VIEWS["swarm"]) * copies + PLAYS
    hidden, rounds, keys, left, seen = seen_in_a_browser(page, tmp_path)
    assert not hidden and rounds == "3" and keys == ["Enter"] and left == 0
    expected = [  # button, round, from 0, whether another picture is asked for
        ("Play", 0, False),
        ("Pause", 0.25, True),
        ("Pause", 0.75, True),
        ("Pause", 1.25, True),
        ("Play", 1.25, False),
        ("Play", 1.25, False),
        ("Play again", 2, False),
        ("Pause", 0.1, True),
        ("Play", 1, False),
        ("Play", 1, False),
    ]
    for (button, now, waits), one in zip(expected, seen, strict=True):
        label, value, text, waiting, arcs, crosses = one
        i, share = min(int(now), 1), now - min(int(now), 1)
        assert (label, waiting) == (button, int(waits))
        assert value == str(int(now) + 1) and text == f"round {int(now) + 1} of 3"
        places = ((1 - share) * ROUNDS[i] + share * ROUNDS[i + 1] - [-3, 1.5]) * [SCALE, -SCALE]
        np.testing.assert_allclose(arcs, places, atol=0.3)
        assert [cross == [0, 0, 0, 255] for cross in crosses] == [int(now) == k for k in range(3)]


COLOURS = {  # of the figure for each choice; not in the order of the buttons
    ("20 & <few>", "plain"): [255, 0, 0],
    ("56", "with skips"): [0, 0, 255],
    ("56", "plain"): [0, 255, 0],
    ("20 & <few>", "with skips"): [255, 255, 0],
    ("56", "dense"): [0, 255, 255],
    ("20 & <few>", "dense"): [255, 0, 255],
}


def figures(colours=COLOURS) -> dict:
    return {
        labels: plt.figure(figsize=(2, 1), dpi=50, facecolor=np.array(colour) / 255)
        for labels, colour in colours.items()
    }


def test_a_gallery_stands_on_its_own_and_closes_its_figures(made):
    page = made(gallery, figures())
    assert plt.get_fignums() == []
    text = re.sub(r'base64,[^"]+', "", page)
    assert "@" not in text and " id=" not in text and "<few>" not in text
    assert page.count("<script") == page.count("</script") == 1
    assert not re.search(r"//|<link|<script\b.+src|import|fetch", text)
    assert "Run this cell to" in page  # where scripts may not run: it, and the first picture
    assert re.findall("<img .*?>", text, re.DOTALL) == [
        '<img src="data:image/png;" alt="20 &amp; &lt;few&gt;, plain" '
        'style="display: block; max-width: 100%; margin: 12px 0 0">'
    ]
    shown = pictures(page)
    assert [picture.shape for picture in shown] == [(50, 100)] * 6  # each once, with a palette
    assert made(gallery, figures()) == page  # a notebook that is built again stays the same
    other = made(gallery, figures(COLOURS | {("56", "plain"): [0, 0, 0]}))
    classes = [re.search("gallery-[0-9a-f]{16}", one)[0] for one in (page, other)]
    assert classes[0] != classes[1] and page.count(classes[0]) == 2


def test_a_gallery_of_surfaces_is_small(made):
    def one(height):
        figure, ax = plt.subplots(figsize=(10, 5), dpi=80)
        w = np.linspace(-1, 1, 101)
        ax.contourf(w, w, height * np.add.outer(np.sin(7 * w), np.cos(9 * w)), 30)
        return figure

    assert len(made(gallery, {(f"{height}",): one(height) for height in range(1, 5)})) < 400_000


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (None, "figures holds no figure: give a dict"),
        ({"56": 0}, "'56' does not name a figure: a tuple of texts"),
        ({("56",): 0}, r"\('56',\) does not name a figure: .* one for every row"),
        ({(56, "plain"): 0}, r"\(56, 'plain'\) does not name a figure"),
        ({("56", "thin"): "figure"}, r"no figure for \('20 & <few>', 'thin'\): .* every combin"),
        (
            {("56", "plain"): "axes"},
            r"For \('56', 'plain'\) there is no figure but <Axes.*subplots",
        ),
    ],
)
def test_gallery_says_what_is_wrong(made, changed, words):
    figure, axes = plt.subplots()
    values = {"figure": figure, "axes": axes}
    given = {}
    if changed:
        given = dict.fromkeys(COLOURS, figure) | {k: values.get(v) for k, v in changed.items()}
    with pytest.raises(ValueError, match=words):
        made(gallery, given)
    plt.close(figure)


def test_a_gallery_without_labels_is_refused(made):
    with pytest.raises(ValueError, match=r"\(\) does not name a figure"):
        made(gallery, {(): plt.figure()})
    plt.close()


CHOICES = """
<pre id="seen"></pre>
<script>
addEventListener("load", () => {
  const view = document.querySelector("[data-ready]"), image = view.querySelector("img");
  const groups = [...view.querySelectorAll("[role=group]")], seen = [], keys = [];
  const width = image.naturalWidth;
  document.addEventListener("keydown", event => keys.push(event.key));
  const note = () => seen.push([image.alt, image.src,
    groups.map(group => [...group.children].filter(
      button => button.getAttribute("aria-pressed") == "true").map(one => one.textContent))]);
  note();
  for (const [row, place] of [[1, 1], [0, 1], [1, 2], [1, 0], [0, 0], [1, 2]]) {
    groups[row].children[place].click();
    note();
  }
  for (const event of [{key: "ArrowUp"}, {key: "Enter", shiftKey: true}])
    groups[0].children[0].dispatchEvent(new KeyboardEvent("keydown", {...event, bubbles: true}));
  document.getElementById("seen").textContent = JSON.stringify([keys, width,
    groups.map(group => group.getAttribute("aria-label")), view.textContent.includes("Run this"),
    seen]);
});
</script>
"""


@in_a_browser
@pytest.mark.parametrize("copies", [1, 2])
def test_buttons_choose_the_picture_in_a_browser(made, tmp_path, copies):
    page = made(gallery, figures()) * copies + CHOICES
    keys, width, groups, hint, seen = seen_in_a_browser(page, tmp_path)
    assert keys == ["Enter"] and width == 100 and not hint
    assert groups == ["20 & <few> or 56", "plain or with skips or dense"]
    few, plain, skips, dense = "20 & <few>", "plain", "with skips", "dense"
    expected = [(few, plain), (few, skips), ("56", skips), ("56", dense), ("56", plain)]
    expected += [(few, plain), (few, dense)]
    for labels, (alt, picture, pressed) in zip(expected, seen, strict=True):
        assert alt == ", ".join(labels)
        assert pressed == [[label] for label in labels]
        png = Image.open(io.BytesIO(base64.b64decode(picture.partition(",")[2])))
        assert png.convert("RGB").getpixel((20, 20)) == tuple(COLOURS[labels])


CHANCE = np.random.default_rng(0)
CROSS = CHANCE.uniform(-1, 1, size=(60, 2))
WIDE = CHANCE.normal(size=(40, 2)) * [3, 1] + [10, -20]
SETS = {
    "cross": (CROSS, (CROSS[:, 0] * CROSS[:, 1] > 0).astype(int)),
    "wide & <few>": (WIDE, WIDE[:, 0] + CHANCE.normal(size=40) > 10),
}
NETWORKS = {"playground": (playground, SETS), "signal": (signal,)}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_stands_on_its_own_and_is_small(made, name):
    page = made(*NETWORKS[name])
    assert "@" not in page and " id=" not in page and "<few>" not in page
    assert page.count("<script") == page.count("</script") == 1
    assert not re.search(r"//(?! )|<link|<script\b.+src|<img|import|fetch", page)
    assert "Run this cell to" in page  # where scripts may not run
    assert made(*NETWORKS[name]) == page  # a notebook that is built again stays the same
    assert page.count(re.search(name + "-[0-9a-f]{16}", page)[0]) == 2
    many = np.random.default_rng(0).normal(size=(200, 2)), np.arange(200) % 2
    page = made(playground, dict.fromkeys("abcde", many)) if name == "playground" else page
    assert len(page) < {"playground": 150_000, "signal": 40_000}[name]


def sets_of(page: str) -> list[dict]:
    """The data sets that a playground's script is given."""
    return json.loads(re.search(r"const sets = (\[.*?\}\]), cells", page)[1])


def test_a_playground_keeps_its_points_in_a_square_view(made):
    page = made(playground, SETS)
    for one, (name, (x, y)) in zip(sets_of(page), SETS.items(), strict=True):
        kept = np.reshape(one["x"], (-1, 2))
        assert one["name"] == name and one["y"] == y.astype(int).tolist()
        span = np.ptp(x, axis=0).max()
        assert one["side"] == pytest.approx(1.15 * span)
        np.testing.assert_allclose(kept, x, atol=span / 10_000)
        places = (kept - [one["left"], one["top"]]) / one["side"] * [1, -1]
        assert places.min() > 0.05 and places.max() < 0.95
        np.testing.assert_allclose(places.min(axis=0), 1 - places.max(axis=0), atol=1e-3)  # centred
    other = made(playground, {"cross": SETS["cross"]})
    classes = [re.search("playground-[0-9a-f]{16}", one)[0] for one in (page, other)]
    assert classes[0] != classes[1]


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
        Z, A = networks.forward(x.T, W, b, names)
        dZ = (networks.activation("sigmoid").g(Z[-1]) - y) / len(y)
        gradients = networks.backward(dZ, Z, A, W, names)
        for i, g in enumerate(gradients.dW + gradients.db):
            V[i] = 0.9 * V[i] + 0.1 * g
            S[i] = 0.999 * S[i] + 0.001 * g**2
            V_corr, S_corr = V[i] / (1 - 0.9**t), S[i] / (1 - 0.999**t)
            eta = 1e-7 / np.sqrt(1 - 0.999**t)  # Keras adds it before the correction
            parameters[i] = parameters[i] - 0.03 * V_corr / (np.sqrt(S_corr) + eta)
    return parameters[: depth + 1], parameters[depth + 1 :], names


# A canvas is asked what it draws, and a number what it is before it is rounded. Frames come when
# they are called.
TRACE = """
<script>
const strokes = [], rectangles = [], texts = [], exact = [];
const trace = (kind, name, note) => {
  const before = kind[name];
  kind[name] = function (...given) {
    note.call(this, ...given);
    return before.apply(this, given);
  };
};
const drawing = CanvasRenderingContext2D.prototype;
let way = [];
trace(drawing, "beginPath", () => way = []);
for (const name of ["moveTo", "lineTo"]) trace(drawing, name, (...place) => way.push(place));
trace(drawing, "stroke", function () { strokes.push([this.strokeStyle, this.lineWidth, way]); });
trace(drawing, "fill", function () { strokes.push([this.fillStyle, "fill", way]); });
trace(drawing, "fillRect", function (...box) { rectangles.push([this.fillStyle, ...box]); });
trace(drawing, "fillText", (...given) => texts.push(given));
trace(Number.prototype, "toFixed", function () { exact.push(Number(this)); });
window.requestAnimationFrame = frame => frames.push(frame);
window.cancelAnimationFrame = () => frames.length = 0;
const clear = () => {
  for (const list of [strokes, rectangles, texts, exact, arcs]) list.length = 0;
};
const set = (name, value) => {
  find(name).value = value;
  find(name).dispatchEvent(new Event("input"));
};
const click = text =>
  [...document.querySelectorAll("button")].find(button => button.textContent == text).click();
</script>
"""
TRAININGS = """
<pre id="seen"></pre>
<script>
const seen = [];
const note = () => seen.push([
  find(".result").innerText, exact.slice(-2), strokes.find(one => one[1] == 6)[2],
  strokes.filter(one => one[1] == "fill").map(one => one[2][0]).filter(Boolean),
  arcs.map(given => given.slice(0, 2)),
  @nodes@.map(([x, y]) => [...find("canvas").getContext("2d").getImageData(x, y, 1, 1).data]),
]);
const first = [strokes.length > 0, find(".train").textContent, find("canvas").hidden];
click("cross");
addEventListener("load", () => {
  for (const [name, activation, depth, width, again, steps] of @settings@) {
    click(name);
    set("input.depth", depth);
    set("input.width", width);
    click(activation);
    for (let i = 0; i < again; i++) click("Start again");
    for (let i = 0; i < steps / 4; i++) {
      clear();
      frames.pop()();
    }
    if (steps == 0) {
      clear();
      click("Pause");
    }
    note();
  }
  find("#seen").textContent = JSON.stringify([first, seen]);
});
</script>
"""


@in_a_browser
@pytest.mark.parametrize("copies", [1, 2])
def test_the_playground_trains_as_numpy_does_in_a_browser(made, tmp_path, copies):
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
    script = TRAININGS.replace("@settings@", json.dumps(settings))
    script = script.replace("@nodes@", json.dumps((nodes * 1040 // 60).tolist()))
    page = made(playground, SETS)
    sets = {one["name"]: one for one in sets_of(page)}
    browser = WATCH + TRACE + page * copies + script
    first, seen = seen_in_a_browser(browser, tmp_path, clock="real")
    assert first == [True, "Train", False]

    seed, apart = 1, 0
    for (name, activation, depth, width, again, steps), one in zip(settings, seen, strict=True):
        text, (loss, right), line, triangles, circles, pixels = one
        seed += again
        given, x, y = sets[name], np.reshape(sets[name]["x"], (-1, 2)), np.array(sets[name]["y"])
        W, b, names = trained(x, y, activation, depth, width, seed, steps)

        def score(points, W=W, b=b, names=names):
            return networks.forward(points.T, W, b, names)[0][-1][0]

        z = score(x)
        expected = np.logaddexp(0, np.where(y == 1, -z, z)).mean()
        assert loss == pytest.approx(expected, rel=1e-6)
        assert right == pytest.approx(100 * ((z > 0) == y).mean())
        parameters = sum(w.size for w in W + b)
        assert text == (
            f"{parameters} parameters, {steps} steps\ntraining loss {loss:.3f}, {right:.1f} % right"
        )

        k, cell = np.arange(61), 1040 / 60
        corner, side = np.array([given["left"], given["top"]]), given["side"] * np.array([1, -1])
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


PRESSES = """
<pre id="seen"></pre>
<script>
const seen = [];
const note = () => seen.push([find(".train").textContent, frames.length,
  Number(find(".result").textContent.match(/, ([0-9]+) steps/)[1]), exact.at(-2)]);
const tick = count => {
  for (let i = 0; i < count; i++) frames.pop()();
  note();
};
addEventListener("load", () => {
  note();
  click("Train");
  note();
  tick(2);
  click("Pause");
  note();
  click("Train");
  tick(1);
  click("Start again");
  note();
  tick(499);
  tick(1);
  click("Train");
  tick(1);
  for (const [name, value] of [["width", 5], ["depth", 1]]) {
    set("input." + name, value);
    note();
    tick(1);
  }
  click("wide & <few>");
  note();
  click("cross");
  click("ReLU");
  note();
  tick(1);
  const controls = [...document.querySelectorAll(".inner button, .inner input")];
  const states = [0, 4].map(depth => {
    set("input.depth", depth);
    return [controls.every(one => one.disabled), controls.some(one => one.disabled),
            find("span.depth").textContent, find("span.width").textContent];
  });
  const pressed = [...document.querySelectorAll("[aria-pressed=true]")].map(one => one.textContent);
  const keys = press();
  find("[data-ready]").remove();  // as when the cell runs again
  frames.pop()();
  find("#seen").textContent =
    JSON.stringify([frames.length, controls.length, states, pressed, keys, seen]);
});
</script>
"""


@in_a_browser
def test_the_playground_trains_pauses_stops_and_starts_again_in_a_browser(made, tmp_path):
    page = WATCH + TRACE + made(playground, SETS) + PRESSES
    left, count, states, pressed, keys, seen = seen_in_a_browser(page, tmp_path)
    assert left == 0 and count == 5 and keys == ["Enter"]
    assert states[0] == [True, True, "hidden layers: 0", "units in each: 5"]
    assert states[1] == [False, False, "hidden layers: 4", "units in each: 5"]
    assert pressed == ["cross", "ReLU"]
    expected = [
        ("Train", 0, 300),  # it has trained before it is seen
        ("Pause", 1, 300),
        ("Pause", 1, 308),
        ("Train", 0, 308),
        ("Pause", 1, 312),
        ("Pause", 1, 0),  # started again
        ("Pause", 1, 1996),
        ("Train", 0, 2000),  # stopped by itself
        ("Pause", 1, 2004),
        ("Pause", 1, 0),  # another width
        ("Pause", 1, 4),
        ("Pause", 1, 0),  # another depth
        ("Pause", 1, 4),
        ("Pause", 1, 0),  # another data set
        ("Pause", 1, 0),  # another activation
        ("Pause", 1, 4),
    ]
    assert [tuple(one[:3]) for one in seen] == expected
    losses = [loss for *_, loss in seen]
    assert losses[0] < 0.5 * losses[5]
    assert losses[2] == losses[3] and len(set(losses)) == len(losses) - 2


SIGNALS = """
<pre id="seen"></pre>
<script>
const seen = [];
addEventListener("load", () => {
  const first = strokes.length > 0 && !find("canvas").hidden;
  for (const [activation, gain, depth, again] of @settings@) {
    for (let i = 0; i < again; i++) click("Draw again");
    click(activation);
    set("input.gain", gain);
    clear();
    set("input.depth", depth);
    seen.push([strokes.slice(), rectangles.slice(), texts.slice(),
               find("span.gain").textContent, find("span.depth").textContent,
               find(".result").innerText,
               document.querySelectorAll("[aria-pressed=true]").length]);
  }
  find("#seen").textContent = JSON.stringify([first, press(), seen]);
});
</script>
"""


@in_a_browser
@pytest.mark.parametrize("copies", [1, 2])
def test_a_signal_goes_through_the_layers_as_in_numpy_in_a_browser(made, tmp_path, copies):
    settings = [  # the activation, gain, depth, new draws
        ("ReLU", 1.4, 50, 0),
        ("tanh", 2, 33, 0),
        ("sigmoid", 1, 20, 1),
        ("identity", 3, 50, 0),
        ("identity", 0.5, 2, 0),
        ("ReLU", 0.5, 50, 0),
    ]
    script = SIGNALS.replace("@settings@", json.dumps(settings))
    page = WATCH + TRACE + made(signal) * copies + script
    first, keys, seen = seen_in_a_browser(page, tmp_path, clock="real")
    assert first and keys == ["Enter"]

    seed, axes = 1, []
    for (name, gain, depth, again), one in zip(settings, seen, strict=True):
        strokes, rectangles, texts, gain_text, depth_text, result, pressed = one
        seed += again
        drawn = normals(seed, 1_100 + 50 * 10_000)
        x, c, W = np.split(drawn, [1_000, 1_100])
        gain = np.sqrt(2) if gain == 1.4 else gain
        W = list(gain / 10 * W.reshape(50, 100, 100)[:depth])
        names = [name.lower()] * depth
        Z, A = networks.forward(x.reshape(10, 100).T, W, [np.zeros((100, 1))] * depth, names)
        c = np.repeat(c[:, None], 10, axis=1)
        dZ = c * networks.activation(names[0]).slope(Z[-1])
        dA = [*networks.backward(dZ, Z, A, W, names).dA, c]
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
        assert depth_text == f"layers: {depth}" and pressed == copies
        axes.append([given for given in texts if given[2] < 700])
    assert all(one == axes[0] for one in axes)  # they do not jump
    ticks = dict((text, y) for text, x, y in axes[0] if x == 104)
    assert list(ticks) == ["10⁻⁹", "10⁻⁶", "10⁻³", "1", "10³", "10⁶", "10⁹"]
    assert list(ticks.values()) == pytest.approx(np.linspace(610, 100, 7))


def test_the_marks_stand_below_the_gains_that_they_name(made):
    page = made(signal)
    places = re.findall(r'left: (\d+)%; width: 2em; margin-left: -1em">\|<br>(1|√2)<', page)
    assert places == [("20", "1"), ("36", "√2")]  # of the way from 0.5 to 3
    assert 'class="gain" type="range" min="0.5" max="3" step="0.05"' in page
