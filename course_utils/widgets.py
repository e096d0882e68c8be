"""Explorers: sliders that redraw a figure, pictures to choose, maps, paths, networks in motion."""

import base64
import hashlib
import html
import io
import itertools
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
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

# What several views share. Keys stay in a view: JupyterLab would take the arrows for a step to the
# next cell. With shift it still runs the cell.
_SHARED = {
    "surface": """<div style="position: relative; width: @shown@px; max-width: 100%;
  border: 1px solid #999">
<img src="@picture@" alt="Level lines of the surface over two weights, light where it is low"
  draggable="false" style="display: block; width: 100%; margin: 0">
<canvas width="@width@" height="@height@" role="img" aria-label="@label@"
  style="position: absolute; left: 0; top: 0; width: 100%; height: 100%"></canvas>
<i style="position: absolute; right: 10px; bottom: 6px">w<sub>1</sub></i>
<i style="position: absolute; left: 10px; top: 2px">w<sub>2</sub></i>
</div>""",
    "range": """display: block; width: 100%; height: 28px; margin: 4px 0 0;
  accent-color: #0173b2; cursor: pointer""",
    "numbers": """const numbers = text =>
    new Int16Array(Uint8Array.from(atob(text), byte => byte.charCodeAt(0)).buffer);""",
    "button": """"font: inherit; padding: 6px 14px; border: 2px solid #0173b2;"
      + "border-radius: 8px; cursor: pointer\"""",
    "mark": """button.setAttribute("aria-pressed", pressed);
      button.style.background = pressed ? "#0173b2" : "white";
      button.style.color = pressed ? "white" : "black";""",
    "keys": """view.addEventListener("keydown", event => {
    if (!event.shiftKey && !event.ctrlKey && !event.metaKey) event.stopPropagation();
  });""",
    "raised": """const raised = digit => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(digit)];""",
    # g(z); its slope, as a function of a = g(z); n times the variance of its first weights
    "activations": """const activations = {
    "identity": [z => z, a => 1, 1],
    "sigmoid": [z => 1 / (1 + Math.exp(-z)), a => a * (1 - a), 1],
    "tanh": [z => Math.tanh(z), a => 1 - a * a, 1],
    "ReLU": [z => Math.max(0, z), a => a > 0 ? 1 : 0, 2],
  };""",
    # JavaScript's own generator takes no seed. Uniform numbers by mulberry32 (T. Ettinger), made
    # normal by Box and Muller's formula.
    "normals": """const normals = seed => {
    const uniform = () => {
      seed = (seed + 1831565813) | 0;
      let mixed = Math.imul(seed ^ (seed >>> 15), seed | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
    return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  };""",
}

# The marks are as wide as the slider's thumb, so that they stand below its places.
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
  @numbers@
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
      @mark@
    }
    show();
  };
  for (const one of flows) {
    const button = group.appendChild(document.createElement("button"));
    button.type = "button";
    button.textContent = one.name;
    button.style = @button@;
    button.onclick = () => choose(one);
  }
  canvas.hidden = slider.hidden = false;
  slider.oninput = show;
  @keys@
  choose(flow);
}
</script>
"""
_TRANSPORT_TEXT = (
    "Points and a lattice that a slider carries from latent z to data x, for each flow."
)

_PIXELS = 1040  # of the longer side of a surface, which is shown at half of it
_STEPS = 100  # of the path of `descend`

# Each number that is shown is the number that is used: α is rounded first.
_DESCEND = """
<div class="@class@" style="display: flex; flex-wrap: wrap; gap: 32px; align-items: center;
  background: white; color: black; padding: 8px; font: 20px sans-serif">
@surface@
<div style="flex: 1; min-width: 240px; max-width: 440px">
<div class="methods" role="group" aria-label="Method"
  style="display: flex; flex-wrap: wrap; gap: 8px"></div>
<div class="sliders" hidden>
<label style="display: block; margin-top: 28px"><span class="alpha"></span>
<input class="alpha" type="range" min="-3" max="1" step="0.01" value="-0.1"
  style="@range@"></label>
<div aria-hidden="true" style="margin: 0 8px"><div style="position: relative; left: 75%;
  width: 8em; margin-left: -4em; text-align: center; line-height: 1.2">|<br>2/L = @limit@</div>
</div>
<label style="display: block; margin-top: 12px"><span class="beta"></span>
<input class="beta" type="range" min="0" max="0.99" step="0.01" value="0.9"
  style="@range@"></label>
</div>
<div class="result" aria-live="polite" style="margin-top: 20px; min-height: 2.4em">
Run this cell to choose a method and its settings.</div>
<div style="margin-top: 20px"><span style="white-space: nowrap">● start</span> &ensp;
<span style="white-space: nowrap"><span style="color: #d55e00">●</span> after @steps@ steps</span>
&ensp; <span style="white-space: nowrap"><b>+</b> minimum</span></div>
</div>
</div>
<script>
for (const view of document.querySelectorAll(".@class@:not([data-ready])")) {
  view.dataset.ready = "";
  const H = @hessian@, L = @l@, start = @start@, [left, right, , top] = @box@, steps = @steps@;
  const [canvas, group, sliders, result] =
    ["canvas", ".methods", ".sliders", ".result"].map(name => view.querySelector(name));
  const [alphaText, alphaSlider, betaText, betaSlider] =
    ["span.alpha", "input.alpha", "span.beta", "input.beta"].map(name => view.querySelector(name));
  const pen = canvas.getContext("2d"), scale = canvas.width / (right - left);
  let alpha, beta, method;

  const momentum = (dw, V, S, t) => {
    V = beta * V + (1 - beta) * dw;
    return [alpha * V, V, S];
  };
  const rmsprop = (dw, V, S, t) => {
    S = beta * S + (1 - beta) * dw ** 2;
    return [alpha * dw / (Math.sqrt(S) + 1e-8), V, S];
  };
  const adam = (dw, V, S, t) => {
    V = beta * V + (1 - beta) * dw;
    S = 0.999 * S + (1 - 0.999) * dw ** 2;
    const corrV = V / (1 - beta ** t), corrS = S / (1 - 0.999 ** t);
    return [alpha * corrV / (Math.sqrt(corrS) + 1e-8), V, S];
  };
  const methods = {
    "gradient descent": (dw, V, S, t) => [alpha * dw, V, S],
    "momentum": momentum, "RMSProp": rmsprop, "Adam": adam,
  };
  const gradient = w => H.map(row => row[0] * w[0] + row[1] * w[1]);
  const J = w => (w[0] * gradient(w)[0] + w[1] * gradient(w)[1]) / 2;
  const descend = () => {
    const path = [start], V = [0, 0], S = [0, 0];
    for (let t = 1; t <= steps; t++) {
      const w = path[t - 1], dw = gradient(w);
      path.push(w.map((value, i) => {
        let step;
        [step, V[i], S[i]] = methods[method](dw[i], V[i], S[i], t);
        return value - step;
      }));
    }
    return path;
  };

  const draw = path => {
    let places = path.map(w => [(w[0] - left) * scale, (top - w[1]) * scale]);
    const away = places.findIndex(place => !place.every(x => Math.abs(x) < 1e5));
    if (away > 0) places = places.slice(0, away + 1);  // a canvas cannot count without end
    const dots = (places, radius) => {
      pen.beginPath();
      for (const [x, y] of places) {
        pen.moveTo(x, y);
        pen.arc(x, y, radius, 0, 7);
      }
      pen.fill();
    };
    pen.clearRect(0, 0, canvas.width, canvas.height);
    for (const [rim, colour] of [[3, "white"], [0, "#d55e00"]]) {
      pen.fillStyle = pen.strokeStyle = colour;
      pen.lineWidth = 5 + 2 * rim;
      pen.beginPath();
      for (const place of places) pen.lineTo(...place);
      pen.stroke();
      dots(places, 7 + rim);
      dots(places.slice(-1), 13 + rim);
      if (!rim) pen.fillStyle = pen.strokeStyle = "black";
      dots(places.slice(0, 1), 13 + rim);
      pen.beginPath();
      for (const [x, y] of [[17 + rim, 0], [0, 17 + rim]]) {
        pen.moveTo(-left * scale - x, top * scale - y);
        pen.lineTo(-left * scale + x, top * scale + y);
      }
      pen.stroke();
    }
  };

  const sub = letter => `<sub style="line-height: 0">${letter}</sub>`;
  @raised@
  const written = number => number.toPrecision(3)
    .replace(/e[+]?(.*)/, (_, power) => " · 10" + [...power].map(raised).join(""));
  const show = () => {
    alpha = Number((10 ** alphaSlider.value * 2 / L).toPrecision(3));
    beta = Number(betaSlider.value);
    alphaText.textContent = "α = " + written(alpha);
    alphaSlider.setAttribute("aria-valuetext", written(alpha));
    betaText.innerHTML = method != "Adam" ? `β = ${beta.toFixed(2)}`
      : `β${sub("M")} = ${beta.toFixed(2)}, β${sub("R")} = 0.999`;
    const path = descend(), first = J(start), last = J(path[steps]);
    draw(path);
    result.textContent = `J = ${written(first)} at the start` + (last <= 1e6 * first
      ? `, ${written(last)} after ${steps} steps.` : "; the path runs away.");
  };
  const choose = name => {
    method = name;
    for (const button of group.children) {
      const pressed = button.textContent == name;
      @mark@
    }
    betaSlider.disabled = name == "gradient descent";
    betaSlider.parentNode.style.opacity = betaSlider.disabled ? 0.4 : 1;
    show();
  };
  for (const name of Object.keys(methods)) {
    const button = group.appendChild(document.createElement("button"));
    button.type = "button";
    button.textContent = name;
    button.style = @button@;
    button.onclick = () => choose(name);
  }
  sliders.hidden = false;
  alphaSlider.oninput = betaSlider.oninput = show;
  @keys@
  choose("gradient descent");
}
</script>
"""
_DESCEND_TEXT = (
    "A bowl over two weights, and the path that a method takes with a learning rate to choose."
)

_SWARM = """
<div class="@class@" style="display: flex; flex-wrap: wrap; gap: 32px; align-items: center;
  background: white; color: black; padding: 8px; font: 20px sans-serif">
@surface@
<div style="flex: 1; min-width: 240px; max-width: 400px">
<div class="controls" hidden>
<button type="button"></button>
<div style="height: 20px"></div>
<input type="range" aria-label="Round" min="1" max="@rounds@" step="1" value="1"
  style="@range@">
</div>
<div class="round" style="margin-top: 12px">Run this cell to set the swarm in motion.</div>
<div style="margin-top: 28px"><span style="color: #d55e00">●</span> a particle<br>
<b>✕</b> the best place found so far</div>
</div>
</div>
<script>
for (const view of document.querySelectorAll(".@class@:not([data-ready])")) {
  view.dataset.ready = "";
  const [canvas, button, slider] =
    ["canvas", "button", "input"].map(name => view.querySelector(name));
  const [controls, round] = ["controls", "round"].map(name => view.querySelector("." + name));
  const pen = canvas.getContext("2d"), rounds = @rounds@;
  const [across, down] = [canvas.width, canvas.height].map(length => length / @side@);
  @numbers@
  const positions = numbers("@positions@"), best = numbers("@best@");
  const size = positions.length / rounds;
  let now = 0, frame = null, before;  // the round, counted from 0; while it plays, the next frame

  const draw = () => {
    const from = Math.min(Math.floor(now), rounds - 2), share = now - from;
    const places = positions.subarray(from * size, (from + 2) * size), found = Math.floor(now);
    const between = k => (1 - share) * places[k] + share * places[k + size];
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.fillStyle = "#d55e00";
    pen.strokeStyle = "white";
    pen.lineWidth = 4;
    for (let k = 0; k < size; k += 2) {
      pen.beginPath();
      pen.arc(across * between(k), down * between(k + 1), 13, 0, 7);
      pen.fill();
      pen.stroke();
    }
    const x = across * best[2 * found], y = down * best[2 * found + 1];
    for (const [width, colour] of [[16, "white"], [8, "black"]]) {
      pen.lineWidth = width;
      pen.strokeStyle = colour;
      pen.beginPath();
      for (const side of [1, -1]) {
        pen.moveTo(x - 20, y - 20 * side);
        pen.lineTo(x + 20, y + 20 * side);
      }
      pen.stroke();
    }
  };
  const show = () => {
    draw();
    slider.value = Math.floor(now) + 1;
    round.textContent = `round ${slider.value} of ${rounds}`;
    button.textContent = frame != null ? "Pause" : now < rounds - 1 ? "Play" : "Play again";
  };
  const pause = () => {
    cancelAnimationFrame(frame);
    frame = null;
  };
  const play = time => {
    now = Math.min(rounds - 1, now + Math.max(0, time - before) / 200);
    before = time;
    frame = now < rounds - 1 && view.isConnected ? requestAnimationFrame(play) : null;
    show();
  };
  button.style = @button@
      + "; background: #0173b2; color: white; min-width: 7em";
  button.onclick = () => {
    if (frame != null) pause();
    else {
      if (now == rounds - 1) now = 0;
      before = performance.now();
      frame = requestAnimationFrame(play);
    }
    show();
  };
  slider.oninput = () => {
    pause();
    now = slider.value - 1;
    show();
  };
  controls.hidden = false;
  @keys@
  show();
}
</script>
"""
_SWARM_TEXT = "A swarm of particles that searches a surface for its lowest place, round by round."

_GALLERY = """
<div class="@class@" style="background: white; color: black; padding: 8px; font: 20px sans-serif">
<div class="rows">Run this cell to choose a picture.</div>
<img src="@picture@" alt="@alt@" style="display: block; max-width: 100%; margin: 12px 0 0">
</div>
<script>
for (const view of document.querySelectorAll(".@class@:not([data-ready])")) {
  view.dataset.ready = "";
  const rows = @rows@, chosen = rows.map(() => 0);
  const group = view.querySelector(".rows"), image = view.querySelector("img");
  const pictures = [image.src, ...@others@];
  const show = () => {
    image.src = pictures[rows.reduce((place, row, k) => place * row.length + chosen[k], 0)];
    image.alt = rows.map((row, k) => row[chosen[k]]).join(", ");
    for (const button of group.querySelectorAll("button")) {
      const pressed = chosen[button.dataset.row] == button.dataset.place;
      @mark@
    }
  };
  group.textContent = "";
  rows.forEach((row, k) => {
    const buttons = group.appendChild(document.createElement("div"));
    buttons.setAttribute("role", "group");
    buttons.setAttribute("aria-label", row.join(" or "));
    buttons.style = "display: flex; flex-wrap: wrap; gap: 8px; margin-bottom: 8px";
    row.forEach((label, i) => {
      const button = buttons.appendChild(document.createElement("button"));
      button.type = "button";
      button.textContent = label;
      Object.assign(button.dataset, {row: k, place: i});
      button.style = @button@;
      button.onclick = () => {
        chosen[k] = i;
        show();
      };
    });
  });
  @keys@
  show();
}
</script>
"""
_GALLERY_TEXT = "A picture, and buttons that choose which of several is seen."

_RATE, _FIRST = 0.03, 300  # of Adam; steps before the network is seen
_PLAYGROUND = """
<div class="@class@" style="display: flex; flex-wrap: wrap; gap: 32px; align-items: center;
  background: white; color: black; padding: 8px; font: 20px sans-serif">
<canvas width="1040" height="1040" role="img" hidden
  aria-label="The network's probability of class 1 over the plane, and the points of both classes"
  style="width: 520px; max-width: 100%; border: 1px solid #999; box-sizing: border-box"></canvas>
<div style="flex: 1; min-width: 240px; max-width: 440px">
<div class="controls" hidden>
<div class="sets" role="group" aria-label="Data set"
  style="display: flex; flex-wrap: wrap; gap: 8px"></div>
<label style="display: block; margin-top: 20px"><span class="depth"></span>
<input class="depth" type="range" min="0" max="4" step="1" value="2" style="@range@"></label>
<div class="inner">
<label style="display: block; margin-top: 8px"><span class="width"></span>
<input class="width" type="range" min="1" max="8" step="1" value="4" style="@range@"></label>
<div class="activations" role="group" aria-label="Activation"
  style="display: flex; flex-wrap: wrap; gap: 8px; margin-top: 12px"></div>
</div>
<div style="display: flex; flex-wrap: wrap; gap: 8px; margin-top: 28px">
<button class="train" type="button"></button>
<button class="again" type="button">Start again</button>
</div>
</div>
<div class="result" style="margin-top: 20px; line-height: 1.5; font-variant-numeric: tabular-nums">
Run this cell to train a network.</div>
<div style="margin-top: 12px">
<span style="white-space: nowrap"><span style="color: #0173b2">●</span> class 0</span> &ensp;
<span style="white-space: nowrap"><span style="color: #de8f05">▲</span> class 1</span> &ensp;
<span style="white-space: nowrap"><b>—</b> equally likely</span></div>
</div>
</div>
<script>
for (const view of document.querySelectorAll(".@class@:not([data-ready])")) {
  view.dataset.ready = "";
  const sets = @sets@, cells = 60, colours = [[1, 115, 178], [222, 143, 5]];
  const [canvas, controls, inner, result, train, again] =
    ["canvas", ".controls", ".inner", ".result", ".train", ".again"]
      .map(name => view.querySelector(name));
  const [depthText, depth, widthText, width] =
    ["span.depth", "input.depth", "span.width", "input.width"]
      .map(name => view.querySelector(name));
  const pen = canvas.getContext("2d"), map = document.createElement("canvas").getContext("2d");
  const fine = 4 * cells + 1, pixels = pen.createImageData(fine, fine);
  map.canvas.width = map.canvas.height = fine;
  let set = sets[0], activation = "tanh", seed = 1, layers, steps;
  let frame = null, until;  // while it trains, the next frame; the step at which it stops by itself

  @activations@
  @normals@
  // In each layer the weights of one unit and its bias, then those of the next. The last layer's
  // output is z, whose sigmoid is the probability.
  const start = () => {
    const normal = normals(seed), sizes = [2, ...Array(+depth.value).fill(+width.value), 1];
    steps = 0;
    layers = sizes.slice(1).map((units, l) => {
      const inputs = sizes[l], size = units * (inputs + 1);
      const [g, slope, scale] = activations[l < depth.value ? activation : "identity"];
      const w = Float64Array.from({length: size},
        (_, k) => k % (inputs + 1) < inputs ? Math.sqrt(scale / inputs) * normal() : 0);
      return {units, inputs, g, slope, w, V: new Float64Array(size), S: new Float64Array(size)};
    });
  };
  const forward = X => {
    const A = [X], count = X.length / 2;
    for (const {units, inputs, g, w} of layers) {
      const before = A.at(-1), after = new Float64Array(count * units);
      for (let i = 0, j = 0; i < count; i++)
        for (let k = 0; k < w.length; k++) {
          let z = 0;
          for (let c = i * inputs; c < (i + 1) * inputs; c++) z += w[k++] * before[c];
          after[j++] = g(z + w[k]);
        }
      A.push(after);
    }
    return A;
  };
  const step = () => {
    const A = forward(set.x), count = set.y.length, sigmoid = activations.sigmoid[0];
    steps++;
    const rate = @rate@ * Math.sqrt(1 - 0.999 ** steps) / (1 - 0.9 ** steps);
    let dZ = A.at(-1).map((z, i) => (sigmoid(z) - set.y[i]) / count);
    for (let l = layers.length - 1; l >= 0; l--) {
      const {inputs, w, V, S} = layers[l], before = A[l];
      const dw = new Float64Array(w.length), dA = new Float64Array(before.length);
      for (let i = 0, j = 0; i < count; i++)
        for (let k = 0; k < w.length; k++) {
          const dz = dZ[j++];
          for (let c = i * inputs; c < (i + 1) * inputs; c++) {
            dA[c] += dz * w[k];
            dw[k++] += dz * before[c];
          }
          dw[k] += dz;
        }
      if (l > 0) dZ = dA.map((da, i) => da * layers[l - 1].slope(before[i]));
      for (let k = 0; k < w.length; k++) {
        V[k] = 0.9 * V[k] + (1 - 0.9) * dw[k];
        S[k] = 0.999 * S[k] + (1 - 0.999) * dw[k] ** 2;
        w[k] -= rate * V[k] / (Math.sqrt(S[k]) + 1e-7);
      }
    }
  };

  // z at the corners of the cells, row by row from the top; between them it is interpolated.
  const paint = z => {
    const size = canvas.width, cell = size / cells, pixel = cell / 4;
    for (let k = 0; k < fine * fine; k++) {
      const x = k % fine / 4, y = Math.floor(k / fine) / 4;
      const column = Math.min(Math.floor(x), cells - 1), row = Math.min(Math.floor(y), cells - 1);
      const u = x - column, v = y - row, corner = row * (cells + 1) + column;
      const above = (1 - u) * z[corner] + u * z[corner + 1];
      const below = (1 - u) * z[corner + cells + 1] + u * z[corner + cells + 2];
      const share = Math.tanh(((1 - v) * above + v * below) / 2);  // 2 p - 1: from -1 to 1
      const colour = colours[share > 0 ? 1 : 0];
      for (let c = 0; c < 3; c++)
        pixels.data[4 * k + c] = 255 + 0.6 * Math.abs(share) * (colour[c] - 255);
      pixels.data[4 * k + 3] = 255;
    }
    map.putImageData(pixels, 0, 0);
    pen.drawImage(map.canvas, -pixel / 2, -pixel / 2, size + pixel, size + pixel);
    pen.strokeStyle = "black";
    pen.lineWidth = 6;
    pen.lineCap = "round";
    pen.beginPath();
    for (let row = 0; row < cells; row++)
      for (let column = 0; column < cells; column++) {
        const k = row * (cells + 1) + column, corners = [k, k + 1, k + cells + 2, k + cells + 1];
        let drawn = 0;
        corners.forEach((from, side) => {
          const to = corners[(side + 1) % 4];
          if (z[from] > 0 == z[to] > 0) return;
          const share = z[from] / (z[from] - z[to]);
          const [x, y] = [k => k % (cells + 1), k => Math.floor(k / (cells + 1))]
            .map(place => cell * ((1 - share) * place(from) + share * place(to)));
          if (drawn++ % 2) pen.lineTo(x, y);
          else pen.moveTo(x, y);
        });
      }
    pen.stroke();
  };
  const dots = () => {
    pen.strokeStyle = "white";
    pen.lineWidth = 3;
    set.y.forEach((label, i) => {
      const [x, y] = [set.x[2 * i] - set.left, set.top - set.x[2 * i + 1]]
        .map(length => length / set.side * canvas.width);
      pen.fillStyle = `rgb(${colours[label]})`;
      pen.beginPath();
      if (label) {
        pen.moveTo(x, y - 14);
        pen.lineTo(x + 13, y + 9);
        pen.lineTo(x - 13, y + 9);
        pen.closePath();
      } else pen.arc(x, y, 11, 0, 7);
      pen.fill();
      pen.stroke();
    });
  };
  const show = () => {
    const z = forward(set.x).at(-1);
    const mean = f => z.reduce((sum, z, i) => sum + f(z, i), 0) / z.length;
    const loss = mean((z, i) => Math.max(z, 0) - z * set.y[i] + Math.log1p(Math.exp(-Math.abs(z))));
    const right = mean((z, i) => z > 0 == set.y[i]);
    const parameters = layers.reduce((sum, layer) => sum + layer.w.length, 0);
    paint(forward(set.corners).at(-1));
    dots();
    result.innerHTML = `${parameters} parameters, ${steps} steps<br>`
      + `training loss ${loss.toFixed(3)}, ${(100 * right).toFixed(1)} % right`;
    train.textContent = frame != null ? "Pause" : "Train";
  };

  const pause = () => {
    cancelAnimationFrame(frame);
    frame = null;
  };
  const play = () => {
    for (let i = 0; i < 4; i++) step();
    frame = steps < until && view.isConnected ? requestAnimationFrame(play) : null;
    show();
  };
  const begin = () => {
    pause();
    until = steps + 2000;
    frame = requestAnimationFrame(play);
    show();
  };
  const restart = () => {
    depthText.textContent = "hidden layers: " + depth.value;
    widthText.textContent = "units in each: " + width.value;
    inner.style.opacity = depth.value > 0 ? 1 : 0.4;
    for (const control of inner.querySelectorAll("input, button"))
      control.disabled = depth.value == 0;
    start();
    begin();
  };
  const choices = (group, names, choose) => {
    const press = name => {
      choose(name);
      for (const button of group.children) {
        const pressed = button.textContent == name;
        @mark@
      }
    };
    for (const name of names) {
      const button = group.appendChild(document.createElement("button"));
      button.type = "button";
      button.textContent = name;
      button.style = @button@;
      button.onclick = () => {
        press(name);
        restart();
      };
    }
    return press;
  };

  for (const one of sets) {
    one.x = Float64Array.from(one.x);
    one.corners = Float64Array.from({length: 2 * (cells + 1) ** 2}, (_, k) => {
      const column = (k >> 1) % (cells + 1), row = Math.floor((k >> 1) / (cells + 1));
      return k % 2 ? one.top - one.side * row / cells : one.left + one.side * column / cells;
    });
  }
  choices(view.querySelector(".sets"), sets.map(one => one.name),
    name => set = sets.find(one => one.name == name))(sets[0].name);
  choices(view.querySelector(".activations"), Object.keys(activations),
    name => activation = name)("tanh");
  for (const button of [train, again]) button.style = @button@
      + "; min-width: 6em; background: #0173b2; color: white";
  train.onclick = () => {
    if (frame == null) begin();
    else {
      pause();
      show();
    }
  };
  again.onclick = () => {
    seed++;
    restart();
  };
  depth.oninput = width.oninput = restart;
  canvas.hidden = controls.hidden = false;
  @keys@
  restart();
  pause();
  while (steps < @first@) step();
  show();
}
</script>
"""
_PLAYGROUND_TEXT = (
    "A network that is trained on points of two classes, and the probability that it gives them."
)

_SIGNAL = """
<div class="@class@" style="display: flex; flex-wrap: wrap; gap: 32px; align-items: center;
  background: white; color: black; padding: 8px; font: 20px sans-serif">
<canvas width="1160" height="1000" role="img" hidden
  aria-label="Size of activations and gradient in each layer, and histograms of the activations"
  style="width: 540px; max-width: 100%"></canvas>
<div style="flex: 1; min-width: 240px; max-width: 400px">
<div class="controls" hidden>
<div class="activations" role="group" aria-label="Activation"
  style="display: flex; flex-wrap: wrap; gap: 8px"></div>
<label style="display: block; margin-top: 24px"><span class="gain"></span>
<input class="gain" type="range" min="0.5" max="3" step="0.05" value="1" style="@range@"></label>
<div aria-hidden="true" style="position: relative; margin: 0 8px; height: 2.4em; line-height: 1.2;
  text-align: center">
<div style="position: absolute; left: 20%; width: 2em; margin-left: -1em">|<br>1</div>
<div style="position: absolute; left: 36%; width: 2em; margin-left: -1em">|<br>√2</div>
</div>
<label style="display: block; margin-top: 12px"><span class="depth"></span>
<input class="depth" type="range" min="2" max="50" step="1" value="50" style="@range@"></label>
<button class="again" type="button">Draw again</button>
</div>
<div class="result" aria-live="polite" style="margin-top: 20px; line-height: 1.5">
Run this cell to send a signal through a deep network.</div>
<div style="margin-top: 12px">▮ activations beyond the axis</div>
</div>
</div>
<script>
for (const view of document.querySelectorAll(".@class@:not([data-ready])")) {
  view.dataset.ready = "";
  const n = 100, most = 50, examples = 10;
  const [canvas, controls, group, again, result] =
    ["canvas", ".controls", ".activations", ".again", ".result"]
      .map(name => view.querySelector(name));
  const [gainText, gainSlider, depthText, depth] =
    ["span.gain", "input.gain", "span.depth", "input.depth"].map(name => view.querySelector(name));
  const pen = canvas.getContext("2d");
  @activations@
  @normals@
  let activation, seed = 1, x, c, weights;

  @raised@
  const power10 = power => "10" + [...String(power)].map(raised).join("");
  const written = number => number >= 0.001 && number < 1000 ? number.toPrecision(3)
    : number.toExponential(2).replace(/e[+]?(.*)/, (_, power) => " · " + power10(power));

  const draw = () => {
    const normal = normals(seed), drawn = size => new Float64Array(size).map(normal);
    [x, c] = [drawn(examples * n), drawn(n)];
    weights = Array.from({length: most}, () => drawn(n * n));
  };
  const forward = (layers, gain) => {
    const A = [x], g = activations[activation][0];
    for (const w of weights.slice(0, layers)) {
      const before = A.at(-1), after = new Float64Array(examples * n);
      for (let i = 0; i < after.length; i++) {
        const first = i - i % n, row = i % n * n;
        let z = 0;
        for (let k = 0; k < n; k++) z += w[row + k] * before[first + k];
        after[i] = g(gain / Math.sqrt(n) * z);
      }
      A.push(after);
    }
    return A;
  };
  // Of the sum of the last layer's activations, each times its number c.
  const backward = (A, gain) => {
    const slope = activations[activation][1], dA = [Float64Array.from(x, (_, i) => c[i % n])];
    for (let l = A.length - 1; l > 0; l--) {
      const w = weights[l - 1], before = new Float64Array(examples * n);
      for (let i = 0; i < before.length; i++) {
        const first = i - i % n, row = i % n * n;
        const dz = gain / Math.sqrt(n) * dA[0][i] * slope(A[l][i]);
        for (let k = 0; k < n; k++) before[first + k] += w[row + k] * dz;
      }
      dA.unshift(before);
    }
    return dA;
  };

  const [left, right, top, bottom] = [120, 1130, 100, 610], decades = 9;
  const across = layer => left + (right - left) * layer / most;
  const up = power => (top + bottom) / 2 - (bottom - top) / 2 * power / decades;
  const axes = () => {
    pen.font = "40px sans-serif";
    pen.fillStyle = "black";
    pen.textBaseline = "middle";
    pen.textAlign = "left";
    pen.fillText("root mean square", 0, 28);
    for (let power = -decades; power <= decades; power += 3) {
      pen.textAlign = "right";
      pen.fillText(power ? power10(power) : "1", left - 16, up(power));
      pen.fillStyle = power ? "#ddd" : "#888";
      pen.fillRect(left, up(power) - 1, right - left, 3);
      pen.fillStyle = "black";
    }
    pen.textAlign = "center";
    for (let layer = 0; layer <= most; layer += 10)
      pen.fillText(layer, across(layer), bottom + 36);
    pen.fillText("layer (0: the input)", (left + right) / 2, bottom + 84);
  };
  // In the direction of travel. Where a line leaves the axis an arrow says so.
  const line = (values, layers, colour, dash) => {
    const powers = layers.map(layer => Math.log10(values[layer]));
    pen.save();
    pen.beginPath();
    pen.rect(left - 10, top, right - left + 20, bottom - top);
    pen.clip();
    pen.strokeStyle = pen.fillStyle = colour;
    pen.lineWidth = 8;
    pen.setLineDash(dash);
    pen.beginPath();
    layers.forEach((layer, i) => pen.lineTo(across(layer), up(powers[i])));
    pen.stroke();
    pen.restore();
    const out = powers.findIndex(power => Math.abs(power) > decades);
    if (out < 0) return;
    const side = Math.sign(powers[out]), before = powers[out - 1];
    const share = (side * decades - before) / (powers[out] - before);
    const place = across(layers[out - 1] + share * (layers[out] - layers[out - 1]));
    pen.fillStyle = colour;
    pen.beginPath();
    pen.moveTo(place, up(side * decades) - 34 * side);
    pen.lineTo(place - 20, up(side * decades));
    pen.lineTo(place + 20, up(side * decades));
    pen.fill();
  };
  // 31 bars, and beside them one for all that lies beyond on each side.
  const histogram = (values, layer, place, range) => {
    const bars = Array(33).fill(0), start = 24 + 228 * place, floor = 956;
    for (const value of values)
      bars[Math.min(32, Math.max(0, 1 + Math.floor((30 * value / range + 31) / 2)))]++;
    bars.forEach((count, k) => {
      const height = 150 * count / Math.max(...bars), beyond = k % 32 == 0;
      pen.fillStyle = beyond ? "black" : "#0173b2";
      pen.fillRect(start + 6 * k + (k == 0 ? -4 : k == 32 ? 4 : 0), floor - height, 6, height);
    });
    pen.fillStyle = "black";
    pen.fillRect(start, floor, 198, 3);
    pen.textAlign = "center";
    pen.fillText("layer " + layer, start + 99, floor - 180);
    pen.fillText("0", start + 99, floor + 30);
    pen.textAlign = "left";
    pen.fillText("−" + range, start, floor + 30);
    pen.textAlign = "right";
    pen.fillText(range, start + 198, floor + 30);
  };
  const show = () => {
    const gain = gainSlider.value == 1.4 ? Math.SQRT2 : +gainSlider.value, last = +depth.value;
    const A = forward(last, gain), dA = backward(A, gain);
    const [size, gradient] = [A, dA].map(all => all.map(
      one => Math.sqrt(one.reduce((sum, value) => sum + value ** 2, 0) / one.length)));
    const layers = A.map((_, layer) => layer), range = /ReLU|identity/.test(activation) ? 3 : 1;
    pen.clearRect(0, 0, canvas.width, canvas.height);
    axes();
    line(size, layers, "#0173b2", []);
    line(gradient, [...layers].reverse(), "#d55e00", [20, 12]);
    const seen = new Set([0, 1, 2, 3, 4].map(k => Math.round(1 + (last - 1) * k / 4)));
    [...seen].forEach((layer, place) => histogram(A[layer], layer, place, range));
    gainText.textContent = `gain = ${gain == Math.SQRT2 ? "√2" : gain.toFixed(2)}: `
      + `σ = gain / √${n} = ${(gain / Math.sqrt(n)).toFixed(3)}`;
    depthText.textContent = "layers: " + last;
    const ends = (values, from, to) =>
      `${written(values[from])} in layer ${from}, ${written(values[to])} in layer ${to}`;
    result.innerHTML = `<b style="color: #0173b2">━ activations</b><br>${ends(size, 0, last)}<br>`
      + `<b style="color: #d55e00">╍ gradient</b><br>${ends(gradient, last, 0)}`;
  };
  const choose = name => {
    activation = name;
    for (const button of group.children) {
      const pressed = button.textContent == name;
      @mark@
    }
    show();
  };
  for (const name of Object.keys(activations)) {
    const button = group.appendChild(document.createElement("button"));
    button.type = "button";
    button.textContent = name;
    button.style = @button@;
    button.onclick = () => choose(name);
  }
  again.style = @button@
      + "; margin-top: 20px; background: #0173b2; color: white";
  again.onclick = () => {
    seed++;
    draw();
    show();
  };
  gainSlider.oninput = depth.oninput = show;
  canvas.hidden = controls.hidden = false;
  @keys@
  draw();
  choose("ReLU");
}
</script>
"""
_SIGNAL_TEXT = (
    "A deep network drawn at random, and how large activations and gradient are in each layer."
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
    _show("latent-pad", _PAD, _PAD_TEXT, parts)


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

    if not stages:
        raise ValueError("stages holds no flow: give a dict of {name: (points, lattice)}.")
    flows = {name: _checked_stages(name, *pair) for name, pair in stages.items()}
    points = np.concatenate([points.reshape(-1, 2) for points, _ in flows.values()])
    squares = np.concatenate([lattice[0].reshape(-1, 2) for _, lattice in flows.values()])
    corners = np.concatenate([np.quantile(points, [0.01, 0.99], axis=0), squares])
    low, high = corners.min(axis=0), corners.max(axis=0)
    centre, width = (low + high) / 2, 1.1 * (high - low).max()

    def packed(places: np.ndarray) -> str:
        return _packed(0.5 + (places - centre) / width * [1, -1])  # a canvas counts downwards

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
    _show("transport", _TRANSPORT, _TRANSPORT_TEXT, parts)


def descend(hessian: ArrayLike, start: ArrayLike, box: ArrayLike) -> None:
    """Show the path of an optimiser down a bowl, J = wᵀHw / 2, for a method and rate to choose.

    Buttons choose gradient descent, momentum, RMSProp or Adam, in the slides' form and with
    η = 1e-8 outside the root; sliders choose the learning rate α, from 0.001 to 10 times 2/L, and β
    (for Adam β_M, with β_R = 0.999). L is the largest eigenvalue of H. The path of 100 steps is
    computed and drawn anew whenever one of them moves. The result is a piece of HTML that needs
    neither a kernel nor a network.

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
    from course_utils import plotting

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

    parts = _surface(bowl, box) | {
        "label": "The path of the method from its start to its last step",
        "hessian": json.dumps(hessian.tolist()),
        "l": json.dumps(curvatures[1]),
        "limit": f"{2 / curvatures[1]:.3g}",
        "start": json.dumps(start.tolist()),
        "box": json.dumps([left, right, bottom, top]),
        "steps": str(_STEPS),
    }
    _show("descend", _DESCEND, _DESCEND_TEXT, parts)


def swarm(
    values: Callable[[np.ndarray], ArrayLike],
    box: ArrayLike,
    positions: ArrayLike,
    best: ArrayLike,
) -> None:
    """Show a swarm of particles in motion over a surface, with buttons to play and to pause.

    While it plays, each particle goes in a straight line from each round to the next; a slider
    chooses a round. The surface is drawn here, once. The result is a piece of HTML that needs
    neither a kernel nor a network.

    Parameters
    ----------
    values : callable
        The surface J(w), as `plotting.surface` takes it: weights (..., 2) to values (...).
    box : (left, right, bottom, top)
        The part of the plane that is shown, both weights to the same scale. Particles may leave it.
    positions : array, shape (T, P, 2)
        Where each of P particles is at each of T rounds.
    best : array, shape (T, 2)
        The best place that any of them found so far.

    Raises
    ------
    ValueError
        As `plotting.surface`; or if the positions or the best places have other shapes, fewer than
        two rounds, or are not finite.
    """
    from course_utils import plotting

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
    left, right, bottom, top = plotting.checked_box(box)
    corner, size = np.array([left, top]), np.array([right - left, bottom - top])
    parts = _surface(values, box) | {
        "label": "The particles, and a cross at the best place that they found so far",
        "positions": _packed((positions - corner) / size),
        "best": _packed((best - corner) / size),
        "rounds": str(len(positions)),
        "side": str(_SIDE),
    }
    _show("swarm", _SWARM, _SWARM_TEXT, parts)


def gallery(figures: Mapping[tuple[str, ...], Figure]) -> None:
    """Show one of several figures, chosen by a row of buttons for each thing that differs.

    The figures are drawn here, once, and closed. The result is a piece of HTML that needs no
    kernel, and starts with the first of them; their labels are its text for those who cannot see.

    Parameters
    ----------
    figures : dict
        The figure for each combination of labels, such as ``("56 layers", "with skips")``: as many
        labels in each as there are rows of buttons, in the order in which they are to stand.

    Raises
    ------
    ValueError
        If there is no figure, something is not a figure, labels are not tuples of text, of one
        length, or a combination is missing.
    """
    import matplotlib.pyplot as plt

    if not figures:
        raise ValueError("figures holds no figure: give a dict of {(label, ...): figure}.")
    length = None
    for labels, figure in figures.items():
        is_labels = isinstance(labels, tuple) and all(isinstance(label, str) for label in labels)
        if not (is_labels and len(labels) == (length or len(labels)) > 0):
            raise ValueError(
                f"{labels!r} does not name a figure: a tuple of texts is expected, in each one for "
                'every row of buttons, such as ("56 layers", "with skips").'
            )
        length = len(labels)
        if not isinstance(figure, Figure):
            raise ValueError(
                f"For {labels!r} there is no figure but {figure!r}: give what plt.figure() or the "
                "first that plt.subplots() returns."
            )
    rows = [list(dict.fromkeys(row)) for row in zip(*figures, strict=True)]
    combinations = list(itertools.product(*rows))
    for labels in combinations:
        if labels not in figures:
            raise ValueError(
                f"There is no figure for {labels!r}: the buttons can choose every combination of "
                "labels, and each needs its figure."
            )
    pictures = []
    for labels in combinations:
        drawn = io.BytesIO()
        figures[labels].savefig(drawn, format="png")
        plt.close(figures[labels])
        pictures.append(_data_uri(Image.open(drawn).convert("RGB").quantize(256)))
    parts = {
        "picture": pictures[0],
        "alt": html.escape(", ".join(combinations[0])),
        "rows": json.dumps(rows).replace("<", r"\u003c"),
        "others": json.dumps(pictures[1:]),
    }
    _show("gallery", _GALLERY, _GALLERY_TEXT, parts)


def playground(datasets: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> None:
    """Show a small network that learns to tell two classes of points apart, live in the browser.

    Buttons choose the data set and the activation, sliders the number of hidden layers (none: this
    is logistic regression) and of units in each. The output is a sigmoid; the loss is the
    cross-entropy, a mean over the points. All points are used at every step of Adam, with rate
    0.03 and Keras's other settings. Weights start normal with variance 1/n_in, in ReLU layers
    2/n_in, and biases at zero. Every choice starts the training again from the same random numbers,
    "Start again" from others. The first network has taken 300 steps already; training stops by
    itself after another 2,000. The result is a piece of HTML that needs neither a kernel nor
    anything from the Internet.

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
    parts = {
        "sets": json.dumps(sets).replace("<", r"\u003c"),
        "rate": str(_RATE),
        "first": str(_FIRST),
    }
    _show("playground", _PLAYGROUND, _PLAYGROUND_TEXT, parts)


def signal() -> None:
    """Show how activations and gradients grow or fade through the layers of a random network.

    The network has up to 50 layers of 100 units, with normal weights of mean 0 and standard
    deviation gain / √100, and no biases. Ten inputs of standard normal numbers go through it.
    Lines show, for each layer, the root mean square of its activations, and of the gradient with
    respect to them, backwards from a linear function of the last layer's activations with
    standard normal coefficients. Histograms show the activations in five of the layers, each to
    its own height. Buttons choose the activation, sliders the gain and the number of layers;
    "Draw again" draws other weights. All is measured: no theory is drawn. Where a line leaves the
    axis an arrow says so, and the numbers stand beside it. The result is a piece of HTML that
    needs neither a kernel nor a network.
    """
    _show("signal", _SIGNAL, _SIGNAL_TEXT, {})


def _surface(values: Callable[[np.ndarray], ArrayLike], box: ArrayLike) -> dict[str, str]:
    """Draw a surface from edge to edge, and tell its size and that of the canvas over it."""
    from course_utils import plotting

    left, right, bottom, top = plotting.checked_box(box)
    scale = _PIXELS / max(right - left, top - bottom)
    width, height = (max(2, round(scale * side)) for side in (right - left, top - bottom))
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, layout="none")
    ax = figure.add_axes((0, 0, 1, 1))
    plotting.surface(ax, values, box)
    ax.set_axis_off()
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return {
        "picture": _data_uri(Image.open(drawn).convert("RGB").quantize(32)),
        "width": str(width),
        "height": str(height),
        "shown": str(width // 2),
    }


def _show(kind: str, template: str, text: str, parts: dict[str, str]) -> None:
    """Fill a template and display it, with a class of its own."""
    from IPython.display import display

    name = f"{kind}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}"
    page = _filled(_filled(template, _SHARED), parts | {"class": name})
    display({"text/html": page, "text/plain": text}, raw=True)


def _filled(template: str, texts: dict[str, str]) -> str:
    return re.sub("@([a-z0-9]+)@", lambda match: texts.get(match[1], match[0]), template)


def _packed(shares: np.ndarray) -> str:
    """Write shares of a view's side as whole numbers, 16 bits each, in base64."""
    limits = np.iinfo(np.int16)
    numbers = (_SIDE * shares).round().clip(limits.min, limits.max).astype("<i2")
    return base64.b64encode(numbers.tobytes()).decode()


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


def _data_uri(picture: Image.Image) -> str:
    png = io.BytesIO()
    picture.save(png, format="png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(png.getvalue()).decode()


def _texts(ticks: np.ndarray) -> list[str]:
    """Write numbers with as many digits as their distance needs."""
    digits = max(0, 1 - int(np.floor(np.log10(ticks[1] - ticks[0]))))
    return [f"{tick:z.{digits}f}".replace("-", "−") for tick in ticks]
