// Pictures that were drawn beforehand, one for each combination of choices.
function gallery(view, {rows, pictures}) {
  const image = view.querySelector("img"), all = [image.src, ...pictures];
  const chosen = rows.map(() => 0);
  const show = () => {
    image.src = all[rows.reduce((place, {values}, k) => place * values.length + chosen[k], 0)];
    image.alt = rows.map(({name, values}, k) => `${name} ${values[chosen[k]]}`).join(", ");
  };
  image.before(...rows.map(({name, values}, k) => element("div", {className: "row"},
    element("span", {textContent: name, ariaHidden: "true"}),
    choices(name, values, i => {
      chosen[k] = i;
      show();
    }))));
}

start("gallery", gallery);
