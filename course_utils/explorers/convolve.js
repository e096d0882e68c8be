// A window over a picture, and what it answers at each place where it lies wholly on it.

const SIDE = 1040;  // pixels of a canvas
const KERNELS = {
  "left–right": [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]],
  "top–bottom": [[-1, -1, -1], [0, 0, 0], [1, 1, 1]],
  "blur": [[1, 1, 1], [1, 1, 1], [1, 1, 1]].map(row => row.map(weight => weight / 9)),
  "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
  "only the middle": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
};

// The pixel of the picture below a weight of the window; negative in the zeros before it.
function below(place, weight, {stride, padding, dilation}) {
  return stride * place - padding + dilation * weight;
}

function answers(picture, kernel, settings) {
  const {stride, padding, dilation} = settings, k = kernel.length;
  const places = pixels => Math.floor(
    (pixels + 2 * padding - dilation * (k - 1) - 1) / stride) + 1;
  const rows = places(picture.length), columns = places(picture[0].length);
  return Array.from({length: rows}, (_, i) => Array.from({length: columns}, (_, j) => {
    let z = 0;
    kernel.forEach((row, a) => row.forEach((weight, b) => {
      z += weight * (picture[below(i, a, settings)]?.[below(j, b, settings)] ?? 0);
    }));
    return z;
  }));
}

// White at zero; one colour below it and one above, or only the second one, from 0 to 1.
function shade(share, [low, high]) {
  const full = parseInt((share < 0 ? low : high).slice(1), 16), part = Math.min(1, Math.abs(share));
  const mixed = [full >> 16, full >> 8 & 255, full & 255].map(
    one => Math.round(255 + part * (one - 255)));
  return `rgb(${mixed})`;
}

function drawCells(pen, values, most, colours) {
  const cell = SIDE / Math.max(values.length, values[0].length);
  pen.fillStyle = "#ddd";
  pen.fillRect(0, 0, SIDE, SIDE);
  values.forEach((row, i) => row.forEach((value, j) => {
    pen.fillStyle = shade(value / most, colours);
    pen.fillRect(j * cell, i * cell, cell + 1, cell + 1);
  }));
  return cell;
}

function frame(pen, cell, row, column, colour) {
  pen.strokeStyle = colour;
  pen.lineWidth = 6;
  pen.strokeRect(column * cell + 3, row * cell + 3, cell - 6, cell - 6);
}

function drawPicture(pen, picture, kernel, settings, [i, j], colour) {
  const {padding} = settings, gap = Array(picture[0].length + 2 * padding).fill(0);
  const around = Array(padding).fill(gap), side = Array(padding).fill(0);
  const padded = [...around, ...picture.map(row => [...side, ...row, ...side]), ...around];
  const cell = drawCells(pen, padded, 1, ["#000000", "#000000"]);
  pen.strokeStyle = "#999";
  pen.lineWidth = 2;
  pen.strokeRect(padding * cell, padding * cell, picture[0].length * cell, picture.length * cell);
  kernel.forEach((row, a) => row.forEach((_, b) => frame(pen, cell,
    below(i, a, settings) + padding, below(j, b, settings) + padding, colour)));
}

function convolve(view, {picture, palette}) {
  const names = Object.keys(KERNELS);
  const left = canvas("The picture with the window over it", SIDE, SIDE);
  const right = canvas("What the window answers at each place", SIDE, SIDE);
  const result = element("div", {className: "result", ariaLive: "polite"});
  let name = names[0];

  const show = () => {
    const [s, p, d] = [stride, padding, dilation].map(one => +one.input.value);
    const settings = {stride: s, padding: p, dilation: d}, kernel = KERNELS[name];
    const z = answers(picture, kernel, settings), count = z.length * z[0].length;
    place.input.max = count - 1;
    const at = +place.input.value, [i, j] = [Math.floor(at / z[0].length), at % z[0].length];
    drawPicture(left.getContext("2d"), picture, kernel, settings, [i, j], palette[3]);
    const pen = right.getContext("2d"), most = Math.max(...z.flat().map(Math.abs), 1e-9);
    frame(pen, drawCells(pen, z, most, [palette[0], palette[3]]), i, j, "black");
    stride.text.textContent = "stride: " + s;
    padding.text.textContent = "padding: " + p;
    dilation.text.textContent = "dilation: " + d;
    place.text.textContent = `place: row ${i}, column ${j}`;
    result.innerHTML = `size: (${picture.length} + 2 · ${p} − ${d * 2 + 1}) / ${s} + 1 → `
      + `<b>${z.length} × ${z[0].length}</b><br>answer here: <b>${z[i][j].toFixed(2)}</b>`;
  };

  const stride = slider("stride", [1, 3, 1], 1, show);
  const padding = slider("padding", [0, 3, 1], 0, show);
  const dilation = slider("dilation", [1, 3, 1], 1, show);
  const place = slider("place", [0, 9999, 1], 200, show);
  view.append(left, right, controls(
    choices("Kernel", names, i => { name = names[i]; show(); }),
    stride.label, padding.label, dilation.label, place.label, result,
    legend(["■", "below zero", palette[0]], ["■", "above zero", palette[3]])));
  show();
}

start("convolve", convolve);
