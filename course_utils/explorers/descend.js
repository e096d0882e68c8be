// The path that a method takes down a bowl, J(w) = w H w / 2, with learning rate and β to choose.

// The step of one weight after its gradient dw, and the running means V of dw and S of its square.
const methods = {
  "gradient descent": ({alpha}, dw, V, S) => [alpha * dw, V, S],
  "momentum": ({alpha, beta}, dw, V, S) => {
    V = beta * V + (1 - beta) * dw;
    return [alpha * V, V, S];
  },
  "RMSProp": ({alpha, beta}, dw, V, S) => {
    S = beta * S + (1 - beta) * dw ** 2;
    return [alpha * dw / (Math.sqrt(S) + 1e-8), V, S];
  },
  "Adam": ({alpha, beta}, dw, V, S, t) => {
    V = beta * V + (1 - beta) * dw;
    S = 0.999 * S + (1 - 0.999) * dw ** 2;
    const corrV = V / (1 - beta ** t), corrS = S / (1 - 0.999 ** t);
    return [alpha * corrV / (Math.sqrt(corrS) + 1e-8), V, S];
  },
};

function walk(gradient, start, steps, method, rates) {
  const path = [start], V = [0, 0], S = [0, 0];
  for (let t = 1; t <= steps; t++) {
    const w = path[t - 1], dw = gradient(w);
    path.push(w.map((value, i) => {
      let step;
      [step, V[i], S[i]] = methods[method](rates, dw[i], V[i], S[i], t);
      return value - step;
    }));
  }
  return path;
}

// Start, path and end, and a cross at the minimum; each first as a white rim.
function drawPath(pen, places, minimum, colour) {
  const away = places.findIndex(place => !place.every(x => Math.abs(x) < 1e5));
  if (away > 0) places = places.slice(0, away + 1);  // a canvas cannot count without end
  const dots = (some, radius) => {
    pen.beginPath();
    for (const [x, y] of some) {
      pen.moveTo(x, y);
      pen.arc(x, y, radius, 0, 7);
    }
    pen.fill();
  };
  pen.clearRect(0, 0, pen.canvas.width, pen.canvas.height);
  for (const [rim, ink] of [[3, "white"], [0, colour]]) {
    pen.fillStyle = pen.strokeStyle = ink;
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
      pen.moveTo(minimum[0] - x, minimum[1] - y);
      pen.lineTo(minimum[0] + x, minimum[1] + y);
    }
    pen.stroke();
  }
}

function descend(view, {hessian, largest, start, box, steps, size, palette}) {
  const [left, right, , top] = box, scale = size[0] / (right - left), names = Object.keys(methods);
  const place = w => [(w[0] - left) * scale, (top - w[1]) * scale];
  const gradient = w => hessian.map(row => row[0] * w[0] + row[1] * w[1]);
  const J = w => (w[0] * gradient(w)[0] + w[1] * gradient(w)[1]) / 2;
  const label = "The path of the method from its start to its last step";
  const pen = surface(view, label, size).getContext("2d");
  const result = element("div", {className: "result", ariaLive: "polite"});
  let method = names[0];

  // Each number that is shown is the number that is used: α is rounded first.
  const show = () => {
    const alpha = Number((10 ** rate.input.value * 2 / largest).toPrecision(3));
    const beta = Number(memory.input.value);
    rate.text.textContent = "α = " + written(alpha);
    rate.input.ariaValueText = written(alpha);
    memory.text.innerHTML = method != "Adam" ? `β = ${beta.toFixed(2)}`
      : `β<sub>M</sub> = ${beta.toFixed(2)}, β<sub>R</sub> = 0.999`;
    memory.input.disabled = method == "gradient descent";
    const path = walk(gradient, start, steps, method, {alpha, beta});
    drawPath(pen, path.map(place), place([0, 0]), palette[3]);
    const first = J(start), last = J(path[steps]);
    result.textContent = `J = ${written(first)} at the start` + (last <= 1e6 * first
      ? `, ${written(last)} after ${steps} steps.` : "; the path runs away.");
  };
  const choose = i => {
    method = names[i];
    show();
  };

  const rate = slider("alpha", [-3, 1, 0.01], -0.1, show);  // powers of ten, of 2/L
  const memory = slider("beta", [0, 0.99, 0.01], 0.9, show);
  const limit = marks([3 / 4, `|\n2/L = ${Number((2 / largest).toPrecision(3))}`]);
  view.append(controls(choices("Method", names, choose),
    element("div", {}, rate.label, limit), memory.label, result,
    legend(["●", "start"], ["●", `after ${steps} steps`, "var(--C3)"], ["+", "minimum"])));
  show();
}

start("descend", descend);
