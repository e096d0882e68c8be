// What the explorers share. The script of each calls start() with what builds its page.

// JupyterLab may show a cell in several places: each view of an explorer is built once.
function start(name, build) {
  for (const view of document.querySelectorAll(`.explorer.${name}:not([data-ready])`)) {
    view.dataset.ready = "";
    const given = JSON.parse(view.querySelector("script").textContent);
    given.palette.forEach((colour, i) => view.style.setProperty("--C" + i, colour));
    // JupyterLab would take the arrows for a step to the next cell. With shift it still runs one.
    view.addEventListener("keydown", event => {
      if (!event.shiftKey && !event.ctrlKey && !event.metaKey) event.stopPropagation();
    });
    build(view, given);
    view.querySelector("p").remove();
  }
}

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function canvas(label, width, height) {
  return element("canvas", {width, height, role: "img", ariaLabel: label});
}

function controls(...children) {
  return element("div", {className: "controls"}, ...children);
}

function button(text, onclick) {
  return element("button", {type: "button", textContent: text, onclick});
}

// One of several. Radio buttons of one name exclude each other in the whole document.
function choices(label, names, choose, first = 0) {
  const name = "choice-" + Math.random();
  return element("div", {className: "choices", role: "radiogroup", ariaLabel: label},
    ...names.map((text, i) => element("label", {},
      element("input", {type: "radio", name, checked: i == first, onchange: () => choose(i)}),
      element("span", {textContent: text}))));
}

// The text above it is its label; whoever asks for the slider keeps it up to date.
function slider(name, [min, max, step], value, oninput) {
  const input = element("input", {type: "range", name, min, max, step, value, oninput});
  const text = element("span");
  return {input, text, label: element("label", {className: "slider"}, text, input)};
}

// Texts below a slider, each at a share of its way.
function marks(...places) {
  return element("div", {className: "marks", ariaHidden: "true"}, ...places.map(
    ([share, text]) => element("span", {textContent: text, style: `left: ${100 * share}%`})));
}

// What each sign in the picture means.
function legend(...entries) {
  return element("div", {className: "legend"}, ...entries.map(([sign, text, colour]) => element(
    "span", {}, element("b", {textContent: sign, style: "color: " + colour, ariaHidden: "true"}),
    " " + text)));
}

// A canvas over the picture of a surface, whose axes are two weights.
function surface(view, label, [width, height]) {
  const over = canvas(label, width, height);
  view.append(element("div", {className: "surface", style: `width: ${width / 2}px`},
    view.querySelector("img"), over,
    element("i", {innerHTML: "w<sub>1</sub>", ariaHidden: "true"}),
    element("i", {innerHTML: "w<sub>2</sub>", ariaHidden: "true"})));
  return over;
}

// Positions at a moment that may lie between two of the stages.
function between(stages, moment) {
  const from = Math.min(Math.floor(moment), stages.length - 2), share = moment - from;
  const mix = (a, b) =>
    a.map ? a.map((one, i) => mix(one, b[i])) : (1 - share) * a + share * b;
  return mix(stages[from], stages[from + 1]);
}

function power10(power) {
  const raised = digit => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(digit)];
  return "10" + [...String(power)].map(raised).join("");
}

function written(number) {
  return number >= 0.001 && number < 1000 ? number.toPrecision(3)
    : number.toExponential(2).replace(/e[+]?(.*)/, (_, power) => "\u00a0·\u00a0" + power10(power));
}

// g(z); its slope, as a function of a = g(z); n times the variance of its first weights.
const activations = {
  "identity": [z => z, a => 1, 1],
  "sigmoid": [z => 1 / (1 + Math.exp(-z)), a => a * (1 - a), 1],
  "tanh": [z => Math.tanh(z), a => 1 - a * a, 1],
  "ReLU": [z => Math.max(0, z), a => a > 0 ? 1 : 0, 2],
};

// JavaScript's own generator takes no seed. Uniform numbers by mulberry32 (T. Ettinger), made
// normal by Box and Muller's formula.
function normals(seed) {
  const uniform = () => {
    seed = (seed + 1831565813) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), seed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}
