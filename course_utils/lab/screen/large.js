// Part of the panel "noise": one image, large. Clean + noise = noisy, with the scores of each class before and after.

import { drawImage, element, imageAt } from "./draw.js";
import { latest } from "./engine.js";
import { painter } from "./paint.js";
import { bars } from "./parts.js";

export function large({ about, words, engine, now, onClose, onRead, say }) {
  const { shape, classes } = about;
  const box = element("div", { class: "detail", hidden: true });
  const own = painter({
    shape, ink: true, size: shape[1] / 11, label: words("own_canvas"), onStroke: () => refresh(),
    show: (canvas, values) => drawImage(canvas, values.map((value) => 255 * value), shape),
  });
  const noise = element("canvas", { class: "image", role: "img", "aria-label": words("noise") });
  const charts = element("div", { class: "charts" });
  const canvases = ["clean", "equals"].map((word) => element("canvas", { class: "image", role: "img", "aria-label": words(word) }));
  let shown = null; // the place of a test image, or "own"

  const ask = latest(async () => {
    const { networks, noise: values } = now();
    const asked = shown;
    if (asked === null) return;
    const arrays = asked === "own" ? [values, own.noise(1)] : [values];
    const answer = await engine.ask("scores", { networks, ...(asked === "own" ? {} : { place: asked }) }, arrays);
    if (asked !== shown) return;
    say(answer.error);
    if (!answer.error) draw(answer);
  });

  function draw(answer) {
    canvases.forEach((canvas, place) => drawImage(canvas, imageAt(answer.arrays[0].data, place, shape), shape));
    charts.replaceChildren(
      ...Object.entries(answer.scores).map(([name, [before, after]]) => {
        const label = about.networks.length > 1 ? words("scores", { name }) : words("scores_one");
        return element("div", {}, element("h3", {}, label), bars(classes, before, after, label));
      }),
    );
  }
  function refresh() {
    if (shown === null) return;
    own.draw();
    noise.width = shape[1];
    noise.height = shape[0];
    noise.getContext("2d").drawImage(now().canvas, 0, 0);
    ask();
  }
  function close() {
    shown = null;
    box.hidden = true;
    onClose();
  }
  function figure(picture, word) {
    return element("figure", {}, picture, element("figcaption", {}, words(word)));
  }
  const button = (word, onclick) => element("button", { type: "button", onclick }, words(word));
  const back = button("back", close);
  const wipe = button("own_clear", () => {
    own.share = new Float64Array(own.share.length);
    refresh();
  });
  const can = element("div", { class: "row can" }, element("span", {}, words("can_you")), ...["yes", "no"].map((word) => button(word, (event) => read(word === "yes", event.target))));
  function read(yes, pressed) {
    for (const one of can.querySelectorAll("button")) one.setAttribute("aria-pressed", String(one === pressed));
    onRead(yes);
  }
  function open(place) {
    shown = place;
    const mine = place === "own";
    for (const one of can.querySelectorAll("button")) one.removeAttribute("aria-pressed");
    box.replaceChildren(
      element("div", { class: "row spread" }, back, mine ? wipe : null),
      element("div", { class: "trio" }, figure(mine ? own.box : canvases[0], mine ? "own_digit" : "clean"), figure(noise, "plus"), figure(canvases[1], "equals")),
      mine ? element("p", { class: "small" }, words("own_hint")) : can,
      charts,
    );
    box.hidden = false;
    refresh();
    (mine ? own.canvas : back).focus({ preventScroll: true });
    box.scrollIntoView({ block: "nearest" });
  }
  box.addEventListener("keydown", (event) => (event.key === "Escape" ? close() : null));
  return { box, open, refresh };
}
