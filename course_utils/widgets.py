"""Explorers: sliders that redraw a figure, a map whose points are decoded, a flow in motion."""

import base64
import hashlib
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

_GRID = 33  # points a side of the latent pad: more would be slow to decode and large to store
_LEVELS = 32  # of grey: with 256 the page would be half as large again, and look the same
_INCHES, _DPI = 5.2, 90  # of its map, 468 pixels a side

# The class is a hash of what the page shows: each script finds its own pads, however many views of
# a cell there are, and a notebook that is built again stays the same. Where scripts may not run (a
# notebook that is not trusted yet) the map and the sentence are seen.
_PAD = """
<div class="@class@" style="display: flex; flex-wrap: wrap; gap: 24px; align-items: center;
  background: white; color: black; padding: 8px; font: 20px sans-serif">
<div class="map" tabindex="0" role="application"
  aria-label="Latent map. The arrow keys move the point that is decoded."
  style="position: relative; width: 468px; max-width: 100%; touch-action: none; cursor: crosshair">
<img src="@map@" alt="Latent map: the codes of the images, coloured by digit" draggable="false"
  style="display: block; width: 100%; margin: 0">
</div>
<div style="text-align: center">
<canvas class="image" width="@width@" height="@height@" role="img" aria-label="The decoded image"
  style="width: 300px; max-width: 100%; border: 1px solid #999; box-sizing: border-box"></canvas>
<div class="point" aria-live="polite" style="margin-top: 8px">Run this cell to choose a point.</div>
</div>
</div>
<script>
for (const pad of document.querySelectorAll(".@class@:not([data-ready])")) {
  pad.dataset.ready = "";
  const z1 = @z1@, z2 = @z2@, [left, top, width, height] = @box@;
  const last = z1.length - 1;
  const [map, image, point] = ["map", "image", "point"].map(name => pad.querySelector("." + name));
  const marker = map.appendChild(document.createElement("div")), sprite = new Image();
  marker.style = "position: absolute; width: 16px; height: 16px; transform: translate(-50%, -50%);"
    + "border: 3px solid black; border-radius: 50%; outline: 3px solid white; pointer-events: none";
  let i = Math.round(last / 2), j = i;
  const show = () => {
    marker.style.left = 100 * (left + width * i / last) + "%";
    marker.style.top = 100 * (top + height * (1 - j / last)) + "%";
    point.textContent = `z = (${z1[i]}, ${z2[j]})`;
    image.getContext("2d").drawImage(sprite, -i * image.width, -(last - j) * image.height);
  };
  const moveTo = (newI, newJ) => {
    [i, j] = [newI, newJ].map(k => Math.min(last, Math.max(0, k)));
    show();
  };
  const follow = event => {
    const area = map.getBoundingClientRect();
    const x = ((event.clientX - area.left) / area.width - left) / width;
    const y = ((event.clientY - area.top) / area.height - top) / height;
    moveTo(Math.round(x * last), Math.round((1 - y) * last));
  };
  map.addEventListener("pointermove", follow);
  map.addEventListener("pointerdown", follow);
  map.addEventListener("keydown", event => {
    const step =
      {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    moveTo(i + step[0], j + step[1]);
  });
  sprite.onload = show;
  sprite.src = "@sprite@";
}
</script>
"""
_PAD_TEXT = "A latent map, and beside it the decoded image of the point that the pointer chooses."

_SIDE = 4096  # whole numbers along each side of the view of the transport
# Around the circle through blue and yellow, light and dark, which no colour blindness confuses.
_CIRCLE = ["#0173b2", "#56b4e9", "#f0c800", "#d55e00", "#5c1a4a", "#0173b2"]

# The marks are as wide as the slider's thumb, so that they stand below its places. Keys stay here:
# JupyterLab would take the arrows for a step to the next cell.
_TRANSPORT = """
<div class="@class@" style="display: flex; flex-wrap: wrap; gap: 32px; align-items: center;
  background: white; color: black; padding: 8px; font: 20px sans-serif">
<canvas width="1040" height="1040" role="img" hidden
  aria-label="Points of the latent space, over a lattice, on their way to the data"
  style="width: 520px; max-width: 100%; border: 1px solid #999; box-sizing: border-box"></canvas>
<div style="flex: 1; min-width: 240px; max-width: 400px">
<div class="flows" role="group" aria-label="Flow"
  style="display: flex; flex-wrap: wrap; gap: 8px"></div>
<input type="range" aria-label="Way from z to x" min="0" step="0.05" value="0" hidden
  style="width: 100%; height: 28px; margin: 40px 0 0; accent-color: #0173b2; cursor: pointer">
<div class="marks" aria-hidden="true" style="display: flex; justify-content: space-between"></div>
<div class="stage" aria-live="polite" style="margin-top: 12px">
Run this cell to set the points in motion.</div>
</div>
</div>
<script>
for (const view of document.querySelectorAll(".@class@:not([data-ready])")) {
  view.dataset.ready = "";
  const flows = @flows@, palette = @palette@, side = @side@;
  const [canvas, slider] = ["canvas", "input"].map(name => view.querySelector(name));
  const [group, marks, stage] =
    ["flows", "marks", "stage"].map(name => view.querySelector("." + name));
  const pen = canvas.getContext("2d");
  const numbers = text =>
    new Int16Array(Uint8Array.from(atob(text), byte => byte.charCodeAt(0)).buffer);
  for (const flow of flows) {
    flow.points = numbers(flow.points);
    flow.lattice = numbers(flow.lattice);
  }
  let flow = flows[0];
  const show = () => {
    const step = Number(slider.value), from = Math.min(Math.floor(step), flow.last - 1);
    const between = stages => {
      const size = stages.length / (flow.last + 1), start = from * size, share = step - from;
      return Array.from({length: size}, (_, k) =>
        (1 - share) * stages[start + k] + share * stages[start + size + k]);
    };
    const points = between(flow.points), lattice = between(flow.lattice);
    const line = (start, step, count) => {
      pen.moveTo(lattice[2 * start], lattice[2 * start + 1]);
      for (let i = start + step; i < start + step * count; i += step)
        pen.lineTo(lattice[2 * i], lattice[2 * i + 1]);
    };
    pen.setTransform(canvas.width / side, 0, 0, canvas.height / side, 0, 0);
    pen.clearRect(0, 0, side, side);
    pen.lineWidth = side / 400;
    pen.strokeStyle = "#bbb";
    pen.beginPath();
    for (let r = 0; r < flow.rows; r++) line(r * flow.columns, 1, flow.columns);
    for (let c = 0; c < flow.columns; c++) line(c, flow.columns, flow.rows);
    pen.stroke();
    pen.strokeStyle = "white";
    flow.colours.forEach((colour, i) => {
      pen.fillStyle = palette[colour];
      pen.beginPath();
      pen.arc(points[2 * i], points[2 * i + 1], side / 130, 0, 7);
      pen.fill();
      pen.stroke();
    });
    stage.textContent = step == 0 ? "z, the latent points"
      : `step ${step} of ${flow.last}` + (step == flow.last ? ": x" : "");
  };
  const choose = chosen => {
    const share = slider.value / flow.last;
    flow = chosen;
    slider.max = flow.last;
    slider.value = share * flow.last;
    marks.replaceChildren(...Array.from({length: flow.last + 1}, (_, i) => {
      const mark = document.createElement("span");
      mark.style = "width: 16px; text-align: center";
      mark.textContent = i == 0 ? "z" : i == flow.last ? "x" : i;
      return mark;
    }));
    for (const button of group.children) {
      const pressed = button.textContent == flow.name;
      button.setAttribute("aria-pressed", pressed);
      button.style.background = pressed ? "#0173b2" : "white";
      button.style.color = pressed ? "white" : "black";
    }
    show();
  };
  for (const one of flows) {
    const button = group.appendChild(document.createElement("button"));
    button.type = "button";
    button.textContent = one.name;
    button.style = "font: inherit; padding: 6px 14px; border: 2px solid #0173b2;"
      + "border-radius: 8px; cursor: pointer";
    button.onclick = () => choose(one);
  }
  canvas.hidden = slider.hidden = false;
  slider.oninput = show;
  view.addEventListener("keydown", event => {
    if (!event.shiftKey && !event.ctrlKey && !event.metaKey) event.stopPropagation();
  });
  choose(flow);
}
</script>
"""
_TRANSPORT_TEXT = (
    "Points and a lattice that a slider carries from latent z to data x, for each flow."
)


def explore(draw: Callable[..., None], **choices: Sequence[Any]) -> None:
    """Show one slider per keyword and redraw the figure whenever one is let go.

    Nothing of it is stored with a notebook: put a static figure beside it for readers who
    cannot run it.

    Parameters
    ----------
    draw : callable
        Takes the chosen values as keywords and shows a figure.
    **choices : sequence
        The values of each slider, in order; it starts in the middle. Underscores in the keyword
        become spaces in the slider's label.

    Raises
    ------
    ValueError
        If a slider has no values.
    """
    import ipywidgets
    from IPython.display import display

    for name, values in choices.items():
        if not len(values):
            raise ValueError(f"The slider {name!r} has no values to choose from.")
    sliders = {
        name: ipywidgets.SelectionSlider(
            options=list(values),
            value=values[len(values) // 2],
            description=name.replace("_", " "),
            continuous_update=False,
            style={"description_width": "initial"},
            layout={"width": "360px"},
        )
        for name, values in choices.items()
    }
    figure = ipywidgets.interactive_output(draw, sliders)
    display(ipywidgets.VBox([ipywidgets.HBox(list(sliders.values())), figure]))


def latent_pad(
    decode: Callable[[np.ndarray], ArrayLike], codes: ArrayLike, labels: ArrayLike
) -> None:
    """Show a latent map; the pointer, or the arrow keys, choose the point that is decoded.

    The images are decoded here, once, on a grid of 33 × 33 points over the map, and the marker
    keeps to the grid: what is shown is the decoder's answer at the point that is named. The
    result is a piece of HTML that needs neither a kernel nor a network.

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
    from IPython.display import display
    from matplotlib.figure import Figure

    from course_utils import plotting

    figure = Figure(figsize=(_INCHES, _INCHES), dpi=_DPI)
    ax = figure.add_subplot()
    plotting.latent_map(ax, codes, labels)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")  # lays it out, too: afterwards the axes know their place

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
    parts = {
        "map": _data_uri(Image.open(drawn).convert("RGB").quantize(256)),
        "sprite": _data_uri(Image.fromarray(sprite)),
        "box": json.dumps([place.x0, 1 - place.y1, place.width, place.height]),
        "z1": json.dumps(_texts(z1)),
        "z2": json.dumps(_texts(z2)),
        "width": str(width),
        "height": str(height),
    }
    parts["class"] = f"latent-pad-{hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}"
    page = re.sub("@([a-z0-9]+)@", lambda match: parts[match[1]], _PAD)
    display({"text/html": page, "text/plain": _PAD_TEXT}, raw=True)


def transport(stages: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> None:
    """Show how flows carry points, and a lattice beneath them, step by step from z to x.

    A slider moves through the stages, in a straight line from each to the next, and each point
    keeps the colour of its direction at the first stage. One view, the same at all stages and for
    all flows, holds all but a few outlying points. The result is a piece of HTML that needs
    neither a kernel nor a network.

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
    import seaborn as sns
    from IPython.display import display

    if not stages:
        raise ValueError("stages holds no flow: give a dict of {name: (points, lattice)}.")
    flows = {name: _checked_stages(name, *pair) for name, pair in stages.items()}
    points = np.concatenate([points.reshape(-1, 2) for points, _ in flows.values()])
    squares = np.concatenate([lattice[0].reshape(-1, 2) for _, lattice in flows.values()])
    corners = np.concatenate([np.quantile(points, [0.01, 0.99], axis=0), squares])
    low, high = corners.min(axis=0), corners.max(axis=0)
    centre, width = (low + high) / 2, 1.1 * (high - low).max()

    def packed(places: np.ndarray) -> str:
        places = _SIDE * (0.5 + (places - centre) / width * [1, -1])  # a canvas counts downwards
        limits = np.iinfo(np.int16)
        numbers = places.round().clip(limits.min, limits.max).astype("<i2")
        return base64.b64encode(numbers.tobytes()).decode()

    parts = {"flows": [], "palette": sns.blend_palette(_CIRCLE, 65).as_hex()[:-1], "side": _SIDE}
    for name, (points, lattice) in flows.items():
        x, y = (points[0] - points[0].mean(axis=0)).T
        parts["flows"].append(
            {
                "name": name,
                "last": len(points) - 1,
                "rows": lattice.shape[1],
                "columns": lattice.shape[2],
                "colours": ((np.arctan2(y, x) / np.pi + 1) * 32 % 64).astype(int).tolist(),
                "points": packed(points),
                "lattice": packed(lattice),
            }
        )
    parts = {name: json.dumps(part).replace("<", r"\u003c") for name, part in parts.items()}
    parts["class"] = f"transport-{hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}"
    page = re.sub("@([a-z0-9]+)@", lambda match: parts[match[1]], _TRANSPORT)
    display({"text/html": page, "text/plain": _TRANSPORT_TEXT}, raw=True)


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


def _data_uri(picture: Image.Image) -> str:
    png = io.BytesIO()
    picture.save(png, format="png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(png.getvalue()).decode()


def _texts(ticks: np.ndarray) -> list[str]:
    """Write numbers with as many digits as their distance needs."""
    digits = max(0, 1 - int(np.floor(np.log10(ticks[1] - ticks[0]))))
    return [f"{tick:z.{digits}f}".replace("-", "−") for tick in ticks]
