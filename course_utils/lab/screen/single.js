// Panel "image": the search for one image. Play, scrub, scores.

import { drawImage, drawNoise, element, imageAt } from "./draw.js";
import { latest } from "./engine.js";
import { bars, holding } from "./parts.js";

export function single({ about, words, engine, say, keep, tell }) {
  const { shape, classes, networks } = about;
  const [network] = networks;
  const state = { place: about.first, target: about.target ?? 0, limit: about.limit, step: 0 };
  let found = null;
  let timer = 0;
  const pick = (label, options, set) => {
    const menu = element("select", { "aria-label": label, onchange: () => set(Number(menu.value)) }, options.map(([name, place]) => element("option", { value: place }, name)));
    return { menu, label: element("label", { class: "row" }, element("span", {}, label), menu) };
  };
  const image = pick(words("single_digit"), about.one_of_each.map(([label, place]) => [classes[label], place]), (place) => find({ place }));
  const target = pick(words("single_target"), classes.map((name, place) => [name, place]), (to) => find({ target: to }));
  const noise = element("canvas", { class: "noise", role: "img", "aria-label": words("noise") });
  const noisy = element("canvas", { class: "image large", role: "img", "aria-label": words("equals") });
  const scores = element("div", { class: "charts" });
  const line = element("p", { class: "single-line" });
  const slider = element("input", { type: "range", min: 0, max: 1, value: 0, class: "limit steps", "aria-label": words("step"), oninput: () => (stop(), go(Number(slider.value))) });
  const play = element("button", { type: "button", class: "primary play", onclick: () => toggle() }, words("play"));
  const value = element("output", { class: "limit-value" });
  const limit = element("input", {
    type: "range", class: "limit", min: about.step, max: about.most, step: about.step, value: state.limit, "aria-label": words("limit"),
    oninput: () => find({ limit: Number(limit.value) }),
  });
  const hold = holding(words("hold_one"), (clean) => (found ? drawImage(noisy, imageAt(found.arrays[1].data, clean ? 0 : state.step, shape), shape) : null));

  const ask = latest(async () => {
    const { place, target: to, limit: strength } = state;
    const answer = await engine.ask("single", { network, place, target: to, limit: strength });
    say(answer.error);
    if (answer.error || place !== state.place || to !== state.target) return;
    found = answer;
    slider.max = String(answer.scores.length - 1);
    go(answer.scores.length - 1);
  });
  function find(change) {
    stop();
    Object.assign(state, change);
    drawChoices();
    return ask();
  }
  function toggle() {
    if (timer) return stop();
    if (state.step >= Number(slider.max)) go(0);
    play.textContent = words("pause");
    timer = setInterval(() => (state.step >= Number(slider.max) ? stop() : go(state.step + 1)), 400);
    return null;
  }
  function stop() {
    clearInterval(timer);
    timer = 0;
    play.textContent = words("play");
  }
  function go(step) {
    state.step = step;
    slider.value = String(step);
    const values = imageAt(found.arrays[0].data, step, shape);
    drawNoise(noise, values, shape, Math.min(0.6, about.most));
    drawImage(noisy, imageAt(found.arrays[1].data, step, shape), shape);
    const [before, after] = [found.scores[0], found.scores[step]];
    scores.replaceChildren(element("h3", {}, words("scores_one")), bars(classes, before, after, words("scores_one")));
    line.textContent = words("single_result", {
      step, steps: found.scores.length - 1, seen: classes[after.indexOf(Math.max(...after))], label: classes[found.label],
      before: after[found.label].toFixed(3), target: classes[state.target], after: after[state.target].toFixed(3),
    });
    slider.setAttribute("aria-valuetext", line.textContent);
    tell(line.textContent);
    keep({ ...state, noise: new DataView(Float32Array.from(values).buffer) });
  }
  function drawChoices() {
    image.menu.value = String(state.place);
    target.menu.value = String(state.target);
    limit.value = String(state.limit);
    value.textContent = words("limit_value", { limit: state.limit.toFixed(state.limit < 0.05 ? 3 : 2), grey: Math.round(255 * state.limit) });
    limit.setAttribute("aria-valuetext", value.textContent);
  }
  const left = element("section", { class: "panel-noise", "aria-label": words("noise") }, element("div", { class: "noise-box" }, noise),
    element("div", { class: "limits" }, element("div", { class: "row spread" }, element("span", { class: "name" }, words("limit")), value), limit));
  const middle = element("section", { class: "panel-images", "aria-label": words("equals") }, noisy, element("div", { class: "row" }, play, slider), hold);
  const right = element("section", { class: "panel-result" }, image.label, target.label, line, scores);
  return {
    sections: [left, middle, right], state,
    begin: async ({ noise: _, step, ...kept }) => {
      await find(kept);
      if (found && step < found.scores.length) go(step);
    },
  };
}
