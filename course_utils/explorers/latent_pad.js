// The pointer, or the arrow keys, choose the point of a latent map that is decoded. All points of a
// grid were decoded beforehand: `tiles` is one picture of all answers.
function latentPad(view, {box: [left, top, width, height], z1, z2, size, tiles}) {
  const last = z1.length - 1, [across, down] = size;
  const answer = canvas("The decoded image", across, down), sprite = new Image();
  const point = element("div", {ariaLive: "polite"});
  const marker = element("div", {className: "marker"});
  const map = element("div", {
    className: "map", tabIndex: 0, role: "application",
    ariaLabel: "Latent map. The arrow keys move the point that is decoded.",
  }, view.querySelector("img"), marker);
  let i = Math.round(last / 2), j = i;

  const show = () => {
    marker.style.left = 100 * (left + width * i / last) + "%";
    marker.style.top = 100 * (top + height * (1 - j / last)) + "%";
    point.textContent = `z = (${z1[i]}, ${z2[j]})`;
    answer.getContext("2d").drawImage(sprite, -i * across, -(last - j) * down);
  };
  const moveTo = (newI, newJ) => {
    [i, j] = [newI, newJ].map(k => Math.min(last, Math.max(0, k)));
    show();
  };
  map.onpointermove = map.onpointerdown = event => {
    const area = map.getBoundingClientRect();
    const x = ((event.clientX - area.left) / area.width - left) / width;
    const y = ((event.clientY - area.top) / area.height - top) / height;
    moveTo(Math.round(x * last), Math.round((1 - y) * last));
  };
  map.onkeydown = event => {
    const steps =
      {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]};
    if (!(event.key in steps)) return;
    event.preventDefault();
    const [right, up] = steps[event.key];
    moveTo(i + right, j + up);
  };

  view.append(map, element("div", {className: "decoded"}, answer, point));
  sprite.onload = show;
  sprite.src = tiles;
}

start("latent_pad", latentPad);
