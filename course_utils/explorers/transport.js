// A slider carries points, and a lattice beneath them, from the latent space to the data.

function drawLattice(pen, lattice) {
  const columns = lattice[0].map((_, c) => lattice.map(row => row[c]));
  pen.strokeStyle = "#bbb";
  for (const line of [...lattice, ...columns]) {
    pen.beginPath();
    for (const place of line) pen.lineTo(...place);
    pen.stroke();
  }
}

function drawPoints(pen, points, colours) {
  pen.strokeStyle = "white";
  points.forEach((place, i) => {
    pen.fillStyle = colours[i];
    pen.beginPath();
    pen.arc(...place, 8, 0, 7);
    pen.fill();
    pen.stroke();
  });
}

function transport(view, {flows, circle, side}) {
  const label = "Points of the latent space, over a lattice, on their way to the data";
  const field = canvas(label, side, side);
  const pen = field.getContext("2d"), scale = element("div");
  let flow = flows[0];

  const show = () => {
    const step = Number(way.input.value), last = +way.input.max;
    pen.clearRect(0, 0, side, side);
    pen.lineWidth = 2.6;
    drawLattice(pen, between(flow.lattice, step));
    drawPoints(pen, between(flow.points, step), flow.colours.map(k => circle[k]));
    way.text.textContent = step == 0 ? "z, the latent points"
      : `step ${step} of ${last}` + (step == last ? ": x" : "");
    way.input.ariaValueText = way.text.textContent;
  };
  const choose = i => {
    const share = way.input.value / way.input.max;
    flow = flows[i];
    const last = flow.points.length - 1;
    way.input.max = last;
    way.input.value = share * last;
    scale.replaceChildren(marks(...flow.points.map((_, k) =>
      [k / last, k == 0 ? "z" : k == last ? "x" : k])));
    show();
  };

  const way = slider("way", [0, 1, 0.05], 0, show);
  way.input.ariaLabel = "Way from z to x";
  view.append(field, controls(choices("Flow", flows.map(one => one.name), choose),
    element("div", {}, way.label, scale)));
  choose(0);
}

start("transport", transport);
