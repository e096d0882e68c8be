"""Explorers: the sliders that are shown and what they call; the latent pad, in a browser too."""

import base64
import html
import io
import json
import re
import shutil
import subprocess

import IPython.display
import ipywidgets
import numpy as np
import pytest
from PIL import Image

from course_utils import data
from course_utils.widgets import explore, latent_pad


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


@pytest.mark.parametrize("copies", [1, 2])
def test_the_pointer_and_the_arrow_keys_choose_the_point_in_a_browser(page, tmp_path, copies):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if not browser:
        pytest.skip("needs Chromium")
    made = page()
    (tmp_path / "pad.html").write_text(f"<!doctype html>{made * copies}{MOVES}", encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=3000"]
    command.append((tmp_path / "pad.html").as_uri())
    found = subprocess.run(command, capture_output=True, text=True, timeout=120)
    text = re.search(r'<pre id="seen">(.*?)</pre>', found.stdout, re.DOTALL)[1]
    x, y, size, markers, seen = json.loads(html.unescape(text))
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
