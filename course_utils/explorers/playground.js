// A small network that learns to tell two classes of points apart.

const CELLS = 60;  // of the map of its answers, along each side

// In each layer the weights of one unit and its bias, then those of the next. The last layer's
// output is z, whose sigmoid is the probability.
function firstLayers(depth, width, activation, seed) {
  const normal = normals(seed), sizes = [2, ...Array(depth).fill(width), 1];
  return sizes.slice(1).map((units, l) => {
    const inputs = sizes[l], size = units * (inputs + 1);
    const [g, slope, scale] = activations[l < depth ? activation : "identity"];
    const w = Float64Array.from({length: size},
      (_, k) => k % (inputs + 1) < inputs ? Math.sqrt(scale / inputs) * normal() : 0);
    return {units, inputs, g, slope, w, V: new Float64Array(size), S: new Float64Array(size)};
  });
}

function forward(layers, X) {
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
}

// Gradients of the loss with respect to the weights of a layer, and to its inputs.
function backward({inputs, w}, before, dZ) {
  const dw = new Float64Array(w.length), dA = new Float64Array(before.length);
  for (let i = 0, j = 0; j < dZ.length; i++)
    for (let k = 0; k < w.length; k++) {
      const dz = dZ[j++];
      for (let c = i * inputs; c < (i + 1) * inputs; c++) {
        dA[c] += dz * w[k];
        dw[k++] += dz * before[c];
      }
      dw[k] += dz;
    }
  return [dw, dA];
}

// Step t of Adam, on all points.
function takeStep(layers, {x, y}, t, alpha) {
  const A = forward(layers, x), [sigmoid] = activations.sigmoid;
  const rate = alpha * Math.sqrt(1 - 0.999 ** t) / (1 - 0.9 ** t);
  let dZ = A.at(-1).map((z, i) => (sigmoid(z) - y[i]) / y.length);
  for (let l = layers.length - 1; l >= 0; l--) {
    const {w, V, S} = layers[l], [dw, dA] = backward(layers[l], A[l], dZ);
    if (l > 0) dZ = dA.map((da, i) => da * layers[l - 1].slope(A[l][i]));
    for (let k = 0; k < w.length; k++) {
      V[k] = 0.9 * V[k] + (1 - 0.9) * dw[k];
      S[k] = 0.999 * S[k] + (1 - 0.999) * dw[k] ** 2;
      w[k] -= rate * V[k] / (Math.sqrt(S[k]) + 1e-7);
    }
  }
}

function score(layers, {x, y}) {
  const z = forward(layers, x).at(-1);
  const mean = f => z.reduce((sum, z, i) => sum + f(z, i), 0) / z.length;
  return {
    loss: mean((z, i) => Math.max(z, 0) - z * y[i] + Math.log1p(Math.exp(-Math.abs(z)))),
    right: mean((z, i) => z > 0 == y[i]),
    parameters: layers.reduce((sum, layer) => sum + layer.w.length, 0),
  };
}

// Corners of the cells, row by row from the top.
function corners({left, top, side}) {
  return Float64Array.from({length: 2 * (CELLS + 1) ** 2}, (_, k) => {
    const column = (k >> 1) % (CELLS + 1), row = Math.floor((k >> 1) / (CELLS + 1));
    return k % 2 ? top - side * row / CELLS : left + side * column / CELLS;
  });
}

// The probability as a colour. z is known at the corners; between them it is interpolated.
function paint(pen, map, z, colours) {
  const fine = map.canvas.width, pixels = map.createImageData(fine, fine);
  for (let k = 0; k < fine * fine; k++) {
    const x = k % fine / 4, y = Math.floor(k / fine) / 4;
    const column = Math.min(Math.floor(x), CELLS - 1), row = Math.min(Math.floor(y), CELLS - 1);
    const u = x - column, v = y - row, corner = row * (CELLS + 1) + column;
    const above = (1 - u) * z[corner] + u * z[corner + 1];
    const below = (1 - u) * z[corner + CELLS + 1] + u * z[corner + CELLS + 2];
    const share = Math.tanh(((1 - v) * above + v * below) / 2);  // 2 p - 1: from -1 to 1
    const colour = colours[share > 0 ? 1 : 0];
    for (let c = 0; c < 3; c++)
      pixels.data[4 * k + c] = 255 + 0.6 * Math.abs(share) * (colour[c] - 255);
    pixels.data[4 * k + 3] = 255;
  }
  map.putImageData(pixels, 0, 0);
  const size = pen.canvas.width, pixel = size / CELLS / 4;
  pen.drawImage(map.canvas, -pixel / 2, -pixel / 2, size + pixel, size + pixel);
}

// Where both classes are equally likely: z changes its sign between two corners of a cell.
function drawBorder(pen, z) {
  const cell = pen.canvas.width / CELLS;
  Object.assign(pen, {strokeStyle: "black", lineWidth: 6, lineCap: "round"});
  pen.beginPath();
  for (let row = 0; row < CELLS; row++)
    for (let column = 0; column < CELLS; column++) {
      const k = row * (CELLS + 1) + column, around = [k, k + 1, k + CELLS + 2, k + CELLS + 1];
      let drawn = 0;
      around.forEach((from, side) => {
        const to = around[(side + 1) % 4];
        if (z[from] > 0 == z[to] > 0) return;
        const share = z[from] / (z[from] - z[to]);
        const [x, y] = [k => k % (CELLS + 1), k => Math.floor(k / (CELLS + 1))]
          .map(place => cell * ((1 - share) * place(from) + share * place(to)));
        if (drawn++ % 2) pen.lineTo(x, y);
        else pen.moveTo(x, y);
      });
    }
  pen.stroke();
}

function drawPoints(pen, {x, y, left, top, side}, palette) {
  pen.strokeStyle = "white";
  pen.lineWidth = 3;
  y.forEach((label, i) => {
    const [across, down] = [x[2 * i] - left, top - x[2 * i + 1]]
      .map(length => length / side * pen.canvas.width);
    pen.fillStyle = palette[label];
    pen.beginPath();
    if (label) {
      pen.moveTo(across, down - 14);
      pen.lineTo(across + 13, down + 9);
      pen.lineTo(across - 13, down + 9);
      pen.closePath();
    } else pen.arc(across, down, 11, 0, 7);
    pen.fill();
    pen.stroke();
  });
}

function picture(view, palette) {
  const label = "The network's probability of class 1 over the plane, and points of both classes";
  const pen = canvas(label, 1040, 1040).getContext("2d");
  const map = document.createElement("canvas").getContext("2d");
  const colours = palette.map(hex => [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16)));
  map.canvas.width = map.canvas.height = 4 * CELLS + 1;
  view.append(pen.canvas);
  return (set, layers) => {
    const z = forward(layers, set.corners).at(-1);
    paint(pen, map, z, colours);
    drawBorder(pen, z);
    drawPoints(pen, set, palette);
  };
}

// What is trained, and when: `show` is called after each change.
class Training {
  constructor(view, rate, show) {
    Object.assign(this, {view, rate, show, frame: null});
  }

  choose(set, depth, width, activation, seed) {
    this.pause();
    Object.assign(this, {set, steps: 0, layers: firstLayers(depth, width, activation, seed)});
  }

  step(count) {
    for (let i = 0; i < count; i++) takeStep(this.layers, this.set, ++this.steps, this.rate);
  }

  play() {
    const last = this.steps + 2000;
    const next = () => {
      this.step(4);
      this.frame = this.steps < last && this.view.isConnected ? requestAnimationFrame(next) : null;
      this.show();
    };
    this.frame = requestAnimationFrame(next);
    this.show();
  }

  pause() {
    cancelAnimationFrame(this.frame);
    this.frame = null;
  }
}

function playground(view, {sets, rate, first, palette}) {
  const names = Object.keys(activations), draw = picture(view, palette);
  let set = sets[0], activation = "tanh", seed = 1;
  for (const one of sets) Object.assign(one, {x: Float64Array.from(one.x), corners: corners(one)});

  const training = new Training(view, rate, () => {
    const {loss, right, parameters} = score(training.layers, set);
    draw(set, training.layers);
    result.innerText = `${parameters} parameters, ${training.steps} steps\n`
      + `training loss ${loss.toFixed(3)}, ${(100 * right).toFixed(1)}\u00a0% right`;
    train.textContent = training.frame != null ? "Pause" : "Train";
  });
  const choose = () => {
    depth.text.textContent = "hidden layers: " + depth.input.value;
    width.text.textContent = "units in each: " + width.input.value;
    for (const input of inner.querySelectorAll("input")) input.disabled = depth.input.value == 0;
    training.choose(set, +depth.input.value, +width.input.value, activation, seed);
  };
  const restart = () => {
    choose();
    training.play();
  };

  const result = element("div", {className: "result"});
  const train = button("Train", () => {
    if (training.frame == null) return training.play();
    training.pause();
    training.show();
  });
  const again = button("Start again", () => { seed++; restart(); });
  const depth = slider("depth", [0, 4, 1], 2, restart);
  const width = slider("width", [1, 24, 1], 4, restart);
  const inner = element("div", {className: "inner"}, width.label,
    choices("Activation", names, i => { activation = names[i]; restart(); }, 2));
  view.append(controls(
    choices("Data set", sets.map(one => one.name), i => { set = sets[i]; restart(); }),
    depth.label, inner, element("div", {className: "buttons"}, train, again), result,
    legend(["●", "class 0", "var(--C0)"], ["▲", "class 1", "var(--C1)"], ["—", "equally likely"])));
  choose();
  training.step(first);
  training.show();
}

start("playground", playground);
