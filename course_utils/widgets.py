"""Explorers: sliders that redraw a figure, and a map whose points are decoded."""

import base64
import hashlib
import io
import json
import re
from collections.abc import Callable, Sequence
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


def _data_uri(picture: Image.Image) -> str:
    png = io.BytesIO()
    picture.save(png, format="png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(png.getvalue()).decode()


def _texts(ticks: np.ndarray) -> list[str]:
    """Write numbers with as many digits as their distance needs."""
    digits = max(0, 1 - int(np.floor(np.log10(ticks[1] - ticks[0]))))
    return [f"{tick:z.{digits}f}".replace("-", "−") for tick in ticks]
