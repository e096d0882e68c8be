// A swarm of particles over a surface. While it plays, each goes straight from round to round.

function drawSwarm(pen, places, [x, y], colour) {
  pen.clearRect(0, 0, pen.canvas.width, pen.canvas.height);
  pen.fillStyle = colour;
  pen.strokeStyle = "white";
  pen.lineWidth = 4;
  for (const place of places) {
    pen.beginPath();
    pen.arc(...place, 13, 0, 7);
    pen.fill();
    pen.stroke();
  }
  for (const [width, ink] of [[16, "white"], [8, "black"]]) {
    pen.lineWidth = width;
    pen.strokeStyle = ink;
    pen.beginPath();
    for (const side of [1, -1]) {
      pen.moveTo(x - 20, y - 20 * side);
      pen.lineTo(x + 20, y + 20 * side);
    }
    pen.stroke();
  }
}

function swarm(view, {positions, best, size, palette}) {
  const label = "The particles, and a cross at the best place that they found so far";
  const pen = surface(view, label, size).getContext("2d");
  const rounds = positions.length;
  let now = 0, frame = null, before;  // the round, counted from 0; while it plays, the next frame

  const show = () => {
    const whole = Math.floor(now);
    drawSwarm(pen, between(positions, now), best[whole], palette[3]);
    round.input.value = whole + 1;
    round.text.textContent = `round ${whole + 1} of ${rounds}`;
    player.textContent = frame != null ? "Pause" : now < rounds - 1 ? "Play" : "Play again";
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

  const player = button("Play", () => {
    if (frame != null) pause();
    else {
      if (now == rounds - 1) now = 0;
      before = performance.now();
      frame = requestAnimationFrame(play);
    }
    show();
  });
  const round = slider("round", [1, rounds, 1], 1, () => {
    pause();
    now = round.input.value - 1;
    show();
  });
  view.append(controls(player, round.label,
    legend(["●", "a particle", "var(--C3)"], ["✕", "the best place found so far"])));
  show();
}

start("swarm", swarm);
