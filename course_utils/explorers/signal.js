// How activations and gradients grow or fade on their way through a deep network at random.

const UNITS = 100, MOST = 50, EXAMPLES = 10;  // units in a layer, layers, inputs
const [LEFT, RIGHT, TOP, BOTTOM] = [120, 1130, 100, 610], DECADES = 9;  // of the axes

function draw(seed) {
  const normal = normals(seed), drawn = size => new Float64Array(size).map(normal);
  return {x: drawn(EXAMPLES * UNITS), c: drawn(UNITS),
    weights: Array.from({length: MOST}, () => drawn(UNITS * UNITS))};
}

function forward({x, weights}, layers, sigma, [g]) {
  const A = [x];
  for (const w of weights.slice(0, layers)) {
    const before = A.at(-1), after = new Float64Array(EXAMPLES * UNITS);
    for (let i = 0; i < after.length; i++) {
      const first = i - i % UNITS, row = i % UNITS * UNITS;
      let z = 0;
      for (let k = 0; k < UNITS; k++) z += w[row + k] * before[first + k];
      after[i] = g(sigma * z);
    }
    A.push(after);
  }
  return A;
}

// Of the sum of the last layer's activations, each times its number c.
function backward({c, weights}, A, sigma, [, slope]) {
  const dA = [Float64Array.from(A[0], (_, i) => c[i % UNITS])];
  for (let l = A.length - 1; l > 0; l--) {
    const w = weights[l - 1], before = new Float64Array(EXAMPLES * UNITS);
    for (let i = 0; i < before.length; i++) {
      const first = i - i % UNITS, row = i % UNITS * UNITS;
      const dz = sigma * dA[0][i] * slope(A[l][i]);
      for (let k = 0; k < UNITS; k++) before[first + k] += w[row + k] * dz;
    }
    dA.unshift(before);
  }
  return dA;
}

function across(layer) {
  return LEFT + (RIGHT - LEFT) * layer / MOST;
}

function up(power) {
  return (TOP + BOTTOM) / 2 - (BOTTOM - TOP) / 2 * power / DECADES;
}

function drawAxes(pen) {
  Object.assign(pen, {font: "40px sans-serif", fillStyle: "black", textBaseline: "middle"});
  pen.textAlign = "left";
  pen.fillText("root mean square", 0, 28);
  for (let power = -DECADES; power <= DECADES; power += 3) {
    pen.textAlign = "right";
    pen.fillText(power ? power10(power) : "1", LEFT - 16, up(power));
    pen.fillStyle = power ? "#ddd" : "#888";
    pen.fillRect(LEFT, up(power) - 1, RIGHT - LEFT, 3);
    pen.fillStyle = "black";
  }
  pen.textAlign = "center";
  for (let layer = 0; layer <= MOST; layer += 10)
    pen.fillText(layer, across(layer), BOTTOM + 36);
  pen.fillText("layer (0: the input)", (LEFT + RIGHT) / 2, BOTTOM + 84);
}

// In the direction of travel. Where a line leaves the axis an arrow says so.
function drawLine(pen, values, layers, colour, dash) {
  const powers = layers.map(layer => Math.log10(values[layer]));
  pen.save();
  pen.beginPath();
  pen.rect(LEFT - 10, TOP, RIGHT - LEFT + 20, BOTTOM - TOP);
  pen.clip();
  pen.strokeStyle = colour;
  pen.lineWidth = 8;
  pen.setLineDash(dash);
  pen.beginPath();
  layers.forEach((layer, i) => pen.lineTo(across(layer), up(powers[i])));
  pen.stroke();
  pen.restore();
  const out = powers.findIndex(power => Math.abs(power) > DECADES);
  if (out < 0) return;
  const side = Math.sign(powers[out]), before = powers[out - 1];
  const share = (side * DECADES - before) / (powers[out] - before);
  const place = across(layers[out - 1] + share * (layers[out] - layers[out - 1]));
  pen.fillStyle = colour;
  pen.beginPath();
  pen.moveTo(place, up(side * DECADES) - 34 * side);
  pen.lineTo(place - 20, up(side * DECADES));
  pen.lineTo(place + 20, up(side * DECADES));
  pen.fill();
}

// 31 bars, and beside them one for all that lies beyond on each side.
function drawHistogram(pen, values, layer, place, range, colour) {
  const bars = Array(33).fill(0), start = 24 + 228 * place, floor = 956;
  for (const value of values)
    bars[Math.min(32, Math.max(0, 1 + Math.floor((30 * value / range + 31) / 2)))]++;
  bars.forEach((count, k) => {
    const height = 150 * count / Math.max(...bars), beyond = k % 32 == 0;
    pen.fillStyle = beyond ? "black" : colour;
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
}

function drawAll(pen, A, size, gradient, range, palette) {
  const last = A.length - 1, layers = A.map((_, layer) => layer);
  pen.clearRect(0, 0, pen.canvas.width, pen.canvas.height);
  drawAxes(pen);
  drawLine(pen, size, layers, palette[0], []);
  drawLine(pen, gradient, layers.reverse(), palette[3], [20, 12]);
  const seen = new Set([0, 1, 2, 3, 4].map(k => Math.round(1 + (last - 1) * k / 4)));
  [...seen].forEach((layer, place) =>
    drawHistogram(pen, A[layer], layer, place, range, palette[0]));
}

function signal(view, {palette}) {
  const names = Object.keys(activations);
  const label = "Size of activations and gradient in each layer, and histograms of the activations";
  const field = canvas(label, 1160, 1000);
  const result = element("div", {className: "result", ariaLive: "polite"});
  let name = "ReLU", seed = 1, network = draw(seed);

  const show = () => {
    const shown = gain.input.value == 1.4 ? "√2" : (+gain.input.value).toFixed(2);
    const sigma = (shown == "√2" ? Math.SQRT2 : +shown) / Math.sqrt(UNITS);
    const last = +depth.input.value;
    const A = forward(network, last, sigma, activations[name]);
    const dA = backward(network, A, sigma, activations[name]);
    const [size, gradient] = [A, dA].map(all => all.map(
      one => Math.sqrt(one.reduce((sum, value) => sum + value ** 2, 0) / one.length)));
    drawAll(field.getContext("2d"), A, size, gradient, /ReLU|identity/.test(name) ? 3 : 1, palette);
    gain.text.textContent = `gain = ${shown}: σ = gain / √${UNITS} = ${sigma.toFixed(3)}`;
    gain.input.ariaValueText = shown;
    depth.text.textContent = "layers: " + last;
    const ends = (values, from, to) =>
      `${written(values[from])} in layer ${from}, ${written(values[to])} in layer ${to}`;
    result.innerHTML = `<b class="activations">━ activations</b><br>${ends(size, 0, last)}<br>`
      + `<b class="gradient">╍ gradient</b><br>${ends(gradient, last, 0)}`;
  };

  const gain = slider("gain", [0.5, 3, 0.05], 1, show);
  const depth = slider("depth", [2, MOST, 1], MOST, show);
  const again = button("Draw again", () => { network = draw(++seed); show(); });
  const choose = i => { name = names[i]; show(); };
  view.append(field, controls(choices("Activation", names, choose, 3),
    element("div", {}, gain.label, marks([0.2, "|\n1"], [0.36, "|\n√2"])), depth.label, again,
    result, legend(["▮", "activations beyond the axis"])));
  show();
}

start("signal", signal);
