"""Explorers: pages to move something in, such as a slider, that run in the browser alone.

Each function computes what its page needs and displays the page, which needs neither a kernel nor
a network: a picture and a sentence, for where scripts may not run (in a notebook that is not
trusted yet), the data as JSON, `style.css`, and the scripts `common.js` and that of the explorer,
which put the rest into the page.
"""

import base64
import html
import io
import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from PIL import Image
from tqdm.auto import tqdm

from course_utils import plotting
from course_utils.lessons import optimizers

_PALETTE = sns.color_palette("colorblind").as_hex()
# Around the circle through blue and yellow, light and dark, which no colour blindness confuses.
_CIRCLE = [_PALETTE[0], _PALETTE[9], "#f0c800", _PALETTE[3], "#5c1a4a", _PALETTE[0]]
_GRID = 33  # points a side of the latent pad: more would be slow to decode and large to store
_LEVELS = 32  # of grey: with 256 the page would be half as large again, and look the same
_INCHES, _DPI = 5.2, 90  # of its map, 468 pixels a side
_PIXELS = 1040  # of the longer side of a canvas, which is shown at half of it
_FAR = 100_000  # pixels: a canvas cannot count without end
_STEPS = 100  # of the path of `descend`
_RATE, _FIRST = 0.03, 300  # of Adam in the playground; steps before the network is seen


def latent_pad(
    decode: Callable[[np.ndarray], ArrayLike], codes: ArrayLike, labels: ArrayLike
) -> None:
    """Show a latent map; the pointer, or the arrow keys, choose the point that is decoded.

    The images are decoded here, once, on a grid of 33 × 33 points over the map, and the marker
    keeps to the grid: what is shown is the decoder's answer at the point that is named.

    Parameters
    ----------
    decode : callable
        Takes points (M, 2), float32, and returns their images (M, H, W): amount of ink in each
        pixel, 0 (paper) to 1.
    codes : array, shape (N, 2)
        Where the encoder puts each image.
    labels : array of int, shape (N,)
        The digit that each image shows, 0 to 9.

    Raises
    ------
    ValueError
        As `plotting.latent_map`; or if the decoded images are not one for each point, or hold
        anything outside [0, 1].
    """
    figure = Figure(figsize=(_INCHES, _INCHES), dpi=_DPI)
    ax = figure.add_subplot()
    plotting.latent_map(ax, codes, labels)
    latent_map = _picture(figure, 256)  # lays it out, too: afterwards the axes know their place

    z1, z2 = np.linspace(*ax.get_xlim(), _GRID), np.linspace(*ax.get_ylim(), _GRID)
    points = np.stack(np.meshgrid(z1, z2[::-1]), axis=-1).reshape(-1, 2)  # row by row from the top
    images = plotting.checked_images(decode(points.astype("float32")), "decode(points)")
    n, height, width = images.shape
    if n != len(points):
        raise ValueError(f"decode answered {len(points)} points with {n} images: one each, please.")
    levels = np.round((1 - images) * (_LEVELS - 1)) * (255 / (_LEVELS - 1))
    sprite = levels.reshape(_GRID, _GRID, height, width).swapaxes(1, 2)
    sprite = sprite.reshape(_GRID * height, _GRID * width).round().astype("uint8")

    place = ax.get_position()
    given = {
        "box": [place.x0, 1 - place.y1, place.width, place.height],
        "z1": _texts(z1),
        "z2": _texts(z2),
        "size": [width, height],
        "tiles": _data_uri(Image.fromarray(sprite)),
    }
    still = _still(latent_map, "Latent map: the codes of the images, coloured by digit")
    text = "A latent map, and beside it the decoded image of the point that the pointer chooses."
    _show("latent_pad", text, "choose a point", given, still)


def transport(stages: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> None:
    """Show how flows carry points, and a lattice beneath them, step by step from z to x.

    A slider moves through the stages, in a straight line from each to the next, and each point
    keeps the colour of its direction at the first stage. One view, the same at all stages and for
    all flows, holds all but a few outlying points.

    Parameters
    ----------
    stages : dict
        For each flow, by its name, the positions of the points, shape (S, N, 2), and of the
        lattice, shape (S, R, C, 2), at S stages from latent z (first) to data x (last).

    Raises
    ------
    ValueError
        If there is no flow, or the positions of one have other shapes, fewer than two stages,
        different numbers of stages, or are not finite.
    """
    if not stages:
        raise ValueError("stages holds no flow: give a dict of {name: (points, lattice)}.")
    flows = {name: _checked_stages(name, *pair) for name, pair in stages.items()}
    points = np.concatenate([points.reshape(-1, 2) for points, _ in flows.values()])
    squares = np.concatenate([lattice[0].reshape(-1, 2) for _, lattice in flows.values()])
    corners = np.concatenate([np.quantile(points, [0.01, 0.99], axis=0), squares])
    low, high = corners.min(axis=0), corners.max(axis=0)
    centre, width = (low + high) / 2, 1.1 * (high - low).max()

    corner = centre + np.array([-width, width]) / 2
    given = [
        {
            "name": name,
            "colours": _directions(points[0]),
            "points": _pixels(points, corner, _PIXELS / width),
            "lattice": _pixels(lattice, corner, _PIXELS / width),
        }
        for name, (points, lattice) in flows.items()
    ]
    circle = sns.blend_palette(_CIRCLE, 65).as_hex()[:-1]
    text = "Points and a lattice that a slider carries from latent z to data x, for each flow."
    given = {"flows": given, "circle": circle, "side": _PIXELS}
    _show("transport", text, "set the points in motion", given)


def _pixels(places: np.ndarray, corner: np.ndarray, scale: float) -> list:
    """Where places are on a canvas with this upper left corner: whole numbers, nested alike."""
    pixels = (scale * (places - corner) * [1, -1]).round()
    return pixels.clip(-_FAR, _FAR).astype(int).tolist()


def _directions(points: np.ndarray) -> list[int]:
    """Number the directions of points (N, 2) from their mean, 0 to 63, once around."""
    x, y = (points - points.mean(axis=0)).T
    return ((np.arctan2(y, x) / np.pi + 1) * 32 % 64).astype(int).tolist()


def descend(hessian: ArrayLike, start: ArrayLike, box: ArrayLike) -> None:
    """Show the path of an optimiser down a bowl, J = wᵀHw / 2, for a method and rate to choose.

    Buttons choose gradient descent, momentum, RMSProp or Adam, in the slides' form and with
    η = 1e-8 outside the root; sliders choose the learning rate α, from 0.001 to 10 times 2/L, and β
    (for Adam β_M, with β_R = 0.999). L is the largest eigenvalue of H. The path of 100 steps is
    computed and drawn anew whenever one of them moves.

    Parameters
    ----------
    hessian : array, shape (2, 2)
        The second derivatives H of J: symmetric and positive definite.
    start : array, shape (2,)
        The weights before the first step.
    box : (left, right, bottom, top)
        The part of the plane that is shown, both weights to the same scale.

    Raises
    ------
    ValueError
        If the Hessian has another shape, is not symmetric or not positive definite, the box is
        none, or the start is not two numbers inside it.
    """
    hessian, start = np.asarray(hessian, dtype=float), np.asarray(start, dtype=float)
    if hessian.shape != (2, 2) or not np.isfinite(hessian).all():
        raise ValueError(
            f"hessian={hessian.tolist()} is not a (2, 2) array of finite numbers: give the second "
            "derivatives of J by two weights."
        )
    curvatures = np.linalg.eigvalsh(hessian)
    if not np.allclose(hessian, hessian.T) or not curvatures[0] > 0:
        raise ValueError(
            f"hessian={hessian.tolist()} is no bowl: it must be symmetric with two positive "
            "eigenvalues."
        )
    left, right, bottom, top = plotting.checked_box(box)
    if start.shape != (2,) or not (left <= start[0] <= right and bottom <= start[1] <= top):
        raise ValueError(
            f"start={start.tolist()} is no point in the box {(left, right, bottom, top)}: two "
            "weights, the first from left to right, the second from bottom to top, are expected."
        )

    def bowl(w: np.ndarray) -> np.ndarray:
        return ((w @ hessian) * w).sum(axis=-1) / 2

    still, size = _surface(bowl, box)
    given = {
        "hessian": hessian.tolist(),
        "largest": curvatures[1],
        "start": start.tolist(),
        "box": [left, right, bottom, top],
        "steps": _STEPS,
        "size": size,
    }
    text = "A bowl over two weights, and the path that a method takes at a chosen learning rate."
    _show("descend", text, "choose a method and its settings", given, still)


def swarm(
    values: Callable[[np.ndarray], ArrayLike],
    box: ArrayLike,
    positions: ArrayLike,
    best: ArrayLike,
) -> None:
    """Show a swarm of particles in motion over a surface, with buttons to play and to pause.

    While it plays, each particle goes in a straight line from each round to the next; a slider
    chooses a round. The surface is drawn here, once.

    Parameters
    ----------
    values : callable
        The surface J(w): takes weights, shape (..., 2), and returns values, shape (...).
    box : (left, right, bottom, top)
        The part of the plane that is shown, both weights to the same scale. Particles may leave it.
    positions : array, shape (T, P, 2)
        Where each of P particles is at each of T rounds.
    best : array, shape (T, 2)
        The best place that any of them found so far.

    Raises
    ------
    ValueError
        As `lessons.optimizers.draw_surface`; or if the positions or the best places have other
        shapes, fewer than two rounds, or are not finite.
    """
    positions, best = np.asarray(positions, dtype=float), np.asarray(best, dtype=float)
    if (
        positions.ndim != 3
        or positions.shape[2] != 2
        or not positions.size
        or len(positions) < 2
        or best.shape != (len(positions), 2)
    ):
        raise ValueError(
            f"positions has shape {positions.shape} and best {best.shape}, but (T, P, 2) and "
            "(T, 2) are expected, with at least two rounds T and one particle: np.stack the rounds."
        )
    if not (np.isfinite(positions).all() and np.isfinite(best).all()):
        raise ValueError("positions or best holds numbers that are not finite (NaN or infinity).")
    left, right, _, top = plotting.checked_box(box)
    still, size = _surface(values, box)
    corner, scale = np.array([left, top]), size[0] / (right - left)
    given = {
        "positions": _pixels(positions, corner, scale),
        "best": _pixels(best, corner, scale),
        "size": size,
    }
    text = "A swarm of particles that searches a surface for its lowest place, round by round."
    _show("swarm", text, "set the swarm in motion", given, still)


def gallery(draw: Callable[..., Figure], **choices: Sequence[Any]) -> None:
    """Show one of several figures, chosen by a row of buttons for each thing that differs.

    All figures are drawn here, one after the other, and closed. The first value of each row is
    seen first. The names and values are a figure's text for those who cannot see it.

    Parameters
    ----------
    draw : callable
        Takes one value of each row as keywords and returns their figure.
    **choices : sequence
        The values of each row, in the order of the buttons. Underscores in the keyword become
        spaces in the row's name.

    Raises
    ------
    ValueError
        If there is no row, a row has no values, or `draw` does not return a figure.
    """
    if not choices:
        raise ValueError("There is nothing to choose: give the values of a row, as in d=[2, 8].")
    for name, values in choices.items():
        if not len(values):
            raise ValueError(f"The row {name!r} has no values to choose from.")
    rows = [
        {"name": name.replace("_", " "), "values": [str(value) for value in values]}
        for name, values in choices.items()
    ]
    pictures = []
    combinations = list(itertools.product(*choices.values()))
    for values in tqdm(combinations, desc="drawing", leave=False, delay=1):
        figure = draw(**dict(zip(choices, values, strict=True)))
        if not isinstance(figure, Figure):
            given = ", ".join(f"{k}={v!r}" for k, v in zip(choices, values, strict=True))
            raise ValueError(
                f"draw({given}) returned no figure but {figure!r}: end it with the figure that "
                "plt.figure() or the first that plt.subplots() gave, and do not show it."
            )
        pictures.append(_picture(figure, 256))
        plt.close(figure)
    alt = ", ".join(f"{row['name']} {row['values'][0]}" for row in rows)
    still = _still(pictures[0], alt)
    text = "A picture, and buttons that choose which of several is seen."
    _show("gallery", text, "choose a picture", {"rows": rows, "pictures": pictures[1:]}, still)


def playground(datasets: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> None:
    """Show a small network that learns to tell two classes of points apart, live in the browser.

    Buttons choose the data set and the activation, sliders the number of hidden layers (none: this
    is logistic regression) and of units in each. The output is a sigmoid; the loss is the
    cross-entropy, a mean over the points. All points are used at every step of Adam, with rate
    0.03 and Keras's other settings. Weights start normal with variance 1/n_in, in ReLU layers
    2/n_in, and biases at zero. Every choice starts the training again from the same random numbers,
    "Start again" from others. The first network has taken 300 steps already; training stops by
    itself after another 2,000.

    Parameters
    ----------
    datasets : dict
        For each data set, by its name, the points x, shape (m, 2), and their classes y, shape
        (m,), each 0 or 1. The network takes x as it is, rounded to four digits of the range, so
        scale it as for any network. A few hundred points train smoothly.

    Raises
    ------
    ValueError
        If there is no data set; or, with the name of the data set, its arrays have other shapes,
        x is not finite or the same everywhere, a label is not 0 or 1, or a class has no point.
    """
    if not datasets:
        raise ValueError("datasets holds no data set: give a dict of {name: (x, y)}.")
    sets = []
    for name, pair in datasets.items():
        x, y = _checked_points(name, pair)
        low, high = x.min(axis=0), x.max(axis=0)
        side = 1.15 * (high - low).max()
        left, top = (low + high) / 2 + [-side / 2, side / 2]
        digits = 4 - math.floor(math.log10(side))
        sets.append(
            {
                "name": str(name),
                "x": x.round(digits).ravel().tolist(),
                "y": y.astype(int).tolist(),
                "left": left,
                "top": top,
                "side": side,
            }
        )
    text = "A network that is trained on points of two classes, and the probability that it gives."
    given = {"sets": sets, "rate": _RATE, "first": _FIRST}
    _show("playground", text, "train a network", given)


def signal() -> None:
    """Show how activations and gradients grow or fade through the layers of a random network.

    The network has up to 50 layers of 100 units, with normal weights of mean 0 and standard
    deviation gain / √100, and no biases. Ten inputs of standard normal numbers go through it.
    Lines show, for each layer, the root mean square of its activations, and of the gradient with
    respect to them, backwards from a linear function of the last layer's activations with
    standard normal coefficients. Histograms show the activations in five of the layers, each to
    its own height. Buttons choose the activation, sliders the gain and the number of layers;
    "Draw again" draws other weights. All is measured: no theory is drawn. Where a line leaves the
    axis an arrow says so, and the numbers stand beside it.
    """
    text = "A deep network drawn at random, and the size of activations and gradient in each layer."
    _show("signal", text, "send a signal through a deep network", {})


def convolve(picture: ArrayLike) -> None:
    """Show a window of 3 × 3 weights that moves over a picture (H, W), and what it answers.

    Buttons choose the kernel, which is not flipped; sliders stride, padding, dilation and place.
    Raises a ValueError as `plotting.checked_images`.
    """
    shown = plotting.checked_images(np.asarray(picture)[None], "picture[None]")[0]
    text = "A picture, a window that moves over it, and what the window answers at each place."
    _show("convolve", text, "move a window over a picture", {"picture": shown.round(2).tolist()})


def _surface(values: Callable[[np.ndarray], ArrayLike], box: ArrayLike) -> tuple[str, list[int]]:
    """Draw a surface from edge to edge, as HTML, and tell the size of the canvas over it."""
    left, right, bottom, top = plotting.checked_box(box)
    scale = _PIXELS / max(right - left, top - bottom)
    size = [max(2, round(scale * side)) for side in (right - left, top - bottom)]
    figure = Figure(figsize=np.array(size) / _DPI, dpi=_DPI, layout="none")
    ax = figure.add_axes((0, 0, 1, 1))
    optimizers.draw_surface(ax, values, box)
    ax.set_axis_off()
    alt = "Level lines of the surface over two weights, light where it is low"
    return _still(_picture(figure, 32), alt, size[0] // 2), size


def _show(name: str, text: str, purpose: str, given: dict[str, Any], still: str = "") -> None:
    """Display the page of an explorer: what is seen at first, what it is given, its scripts."""
    from IPython.display import display

    files = resources.files(__name__)
    style, common, script = (
        files.joinpath(file).read_text(encoding="utf-8")
        for file in ("style.css", "common.js", f"{name}.js")
    )
    data = json.dumps(given | {"palette": _PALETTE}, ensure_ascii=False, separators=(",", ":"))
    data = data.replace("<", r"\u003c")
    page = f"""\
<div class="explorer {name}">
<style>
{style}</style>
{still}<p>Run this cell to {purpose}.</p>
<script type="application/json">{data}</script>
</div>
<script>
(() => {{
"use strict";
{common}
{script}}})();
</script>
"""
    display({"text/html": page, "text/plain": text}, raw=True)


def _still(picture: str, alt: str, width: int | None = None) -> str:
    """The picture that is seen at first, as HTML; `width` in pixels if it is not its own."""
    width_set = f' width="{width}"' if width else ""
    return f'<img src="{picture}" alt="{html.escape(alt)}"{width_set} draggable="false">\n'


def _checked_stages(
    name: str, points: ArrayLike, lattice: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    points, lattice = np.asarray(points, dtype=float), np.asarray(lattice, dtype=float)
    if (
        (points.ndim, lattice.ndim) != (3, 4)
        or not points.shape[-1] == lattice.shape[-1] == 2
        or not len(points) == len(lattice) >= 2
        or not points.size
        or min(lattice.shape[1:3]) < 2
    ):
        raise ValueError(
            f"{name!r} has points of shape {points.shape} and a lattice of shape {lattice.shape}, "
            "but (S, N, 2) and (S, R, C, 2) are expected, with the same number of stages S, at "
            "least 2, and at least two rows and columns: np.stack the stages."
        )
    if not (np.isfinite(points).all() and np.isfinite(lattice).all()):
        raise ValueError(f"{name!r} holds positions that are not finite (NaN or infinity).")
    return points, lattice


def _checked_points(name: str, pair: tuple[ArrayLike, ArrayLike]) -> tuple[np.ndarray, np.ndarray]:
    try:
        x, y = pair
    except (TypeError, ValueError):
        raise ValueError(f"{name!r} is not a pair (x, y) of points and their classes.") from None
    x, y = np.asarray(x, dtype=float), np.asarray(y)
    if x.ndim != 2 or x.shape[1] != 2 or y.shape != x.shape[:1]:
        raise ValueError(
            f"{name!r} has x of shape {x.shape} and y of shape {y.shape}, but (m, 2) and (m,) are "
            "expected: two numbers and a class for each point."
        )
    finite = np.isfinite(x).all(axis=1)
    if not finite.all():
        first = int(finite.argmin())
        raise ValueError(
            f"{name!r} holds numbers that are not finite (NaN or infinity), first x[{first}] = "
            f"{x[first].tolist()}: leave such points out."
        )
    known = np.isin(y, [0, 1])
    if not known.all():
        first = int(known.argmin())
        raise ValueError(
            f"{name!r} has the label y[{first}] = {y[first]}, but each label must be 0 or 1: the "
            "network tells two classes apart."
        )
    for label in (0, 1):
        if label not in y:
            raise ValueError(f"{name!r} has no point of class {label}: both classes are needed.")
    if not np.ptp(x, axis=0).any():
        raise ValueError(f"All points of {name!r} lie in one place: there is nothing to draw.")
    return x, y


def _picture(figure: Figure, colours: int) -> str:
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return _data_uri(Image.open(drawn).convert("RGB").quantize(colours))


def _data_uri(picture: Image.Image) -> str:
    png = io.BytesIO()
    picture.save(png, format="png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(png.getvalue()).decode()


def _texts(ticks: np.ndarray) -> list[str]:
    """Write numbers with as many digits as their distance needs."""
    digits = max(0, 1 - int(np.floor(np.log10(ticks[1] - ticks[0]))))
    return [f"{tick:z.{digits}f}".replace("-", "−") for tick in ticks]
