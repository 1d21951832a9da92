// Panel "noise", the main one: one noise for all images, painted or searched.

import { drawImage, drawNoise, element, imageAt, npy, save } from "./draw.js";
import { latest } from "./engine.js";
import { large } from "./large.js";
import { painter } from "./paint.js";
import { MARKS, holding, inHundred } from "./parts.js";
import { outcome } from "./result.js";

const L2_WEIGHTS = [0, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1];
const FULL = 0.6; // noise of this size has full colour, whatever the limit; smaller where the slider ends earlier
const SIGNS = [1, -1, 0]; // of the brushes: darker, lighter, eraser

export function universal({ about, words, engine, say, keep, tell }) {
  const { shape, classes, networks } = about;
  const digits = about.digits;
  const state = {
    target: about.target, limit: about.limit, weight: 0, steps: 20, anew: true, shown: networks[0], against: networks[0],
    how: "painted", list: [], marks: [], current: null, places: [], seen: {}, clean: false, found: true,
  };
  const button = (word, onclick, settings = {}) => element("button", { type: "button", onclick, ...settings }, words(word));
  const range = (label, settings) => element("input", { type: "range", "aria-label": words(label), ...settings });

  // Left: the noise
  const paint = painter({
    shape, size: Math.max(1, Math.round(shape[1] / 7)), label: words("canvas", { width: shape[1], height: shape[0] }),
    show: (canvas, noise) => {
      drawNoise(canvas, noise, shape, Math.min(FULL, about.most));
      hint.hidden = !paint.empty();
    },
    onStroke: () => touched(byHand(), true),
    onStrokeEnd: () => touched(byHand(), false),
  });
  const hint = element("div", { class: "paint-here", "aria-hidden": "true" }, words("paint_here"));
  paint.box.append(hint);
  const brushes = ["brush_dark", "brush_light", "eraser"].map((word, place) => button(word, () => useBrush(SIGNS[place]), { "aria-pressed": place === 0 }));
  function useBrush(value) {
    paint.brush.value = value;
    brushes.forEach((one, place) => one.setAttribute("aria-pressed", String(SIGNS[place] === value)));
  }
  paint.box.addEventListener("brush", (event) => useBrush(event.detail));
  const size = range("brush_size", {
    min: 1, max: Math.max(3, Math.round(shape[1] / 4)), value: paint.brush.size,
    oninput: (event) => {
      paint.brush.size = Number(event.target.value);
    },
  });
  const enableMeans = () => means.forEach((one) => Object.assign(one, { disabled: state.target === null, title: state.target === null ? words("mean_of_none") : "" }));
  const means = about.mean ? [button("mean", () => mean(false)), button("mean_sign", () => mean(true))] : [];
  const tools = element(
    "div", { class: "tools" },
    element("div", { class: "row" }, brushes, button("clear", () => replace(new Float64Array(paint.share.length), "painted"))),
    element("label", { class: "row small" }, words("brush_size"), size),
    element(
      "div", { class: "row" },
      button("search", () => search(chosen()), { class: "primary" }),
      button("watch_short", () => grow(), { "aria-label": words("watch") }),
      button("shuffle", () => replace(shuffled(paint.share, shape), "shuffled")),
    ),
    element("div", { class: "row" }, button("flip", () => replace(paint.share.map((value) => -value), "flipped")), means),
  );
  // More of a grey image is ink, and darker; more of a colour is light.
  const ends = shape[2] === 1 ? ["lighter", "darker"] : ["darker", "lighter"];
  const colours = element("div", { class: `colours${shape[2] === 1 ? "" : " light"}`, "aria-hidden": "true" }, element("span", {}, `${words(ends[0])} ←`), element("i"), element("span", {}, `→ ${words(ends[1])}`));
  const value = element("output", { class: "limit-value" });
  const slider = range("limit", {
    class: "limit", min: about.step, max: about.most, step: about.step, value: state.limit,
    oninput: () => setLimit(Number(slider.value), true),
    onchange: () => setLimit(Number(slider.value), false),
  });
  const limits = element(
    "div", { class: "limits" },
    element("div", { class: "row spread" }, element("span", { class: "name" }, words("limit")), value),
    slider,
    element("div", { class: "row spread small" }, (digits ? ["invisible", "dirty", "unreadable"] : ["invisible", "visible"]).map((word) => element("span", {}, words(word)))),
  );
  const weight = range("weight", { min: 0, max: L2_WEIGHTS.length - 1, value: 0, oninput: () => settings(true), onchange: () => settings(false) });
  const weightValue = element("output", {}, "0");
  const steps = range("steps", { min: 1, max: 60, value: 20, oninput: () => settings(true), onchange: () => settings(false) });
  const stepsValue = element("output", {}, "20");
  const anew = element("input", { type: "checkbox", checked: true, onchange: () => (state.anew = anew.checked) });
  const trail = range("watch", { min: 0, max: 20, value: 0, oninput: () => scrub(true), onchange: () => scrub(false) });
  const trailWords = element("span", { class: "small" });
  const trailBox = element("div", { class: "row trail", hidden: true }, trail, trailWords);
  const more = element(
    "details", { class: "more" },
    element("summary", {}, words("more")),
    element("label", { class: "row small" }, element("span", {}, words("weight")), weight, weightValue),
    element("label", { class: "row small" }, element("span", {}, words("steps")), steps, stepsValue),
    element("label", { class: "row small" }, anew, words("anew")),
    element("div", { class: "row" }, button("save_npy", () => save(npy(paint.noise(state.limit), shape), "noise.npy")), button("save_png", () => paint.canvas.toBlob((blob) => save(blob, "noise.png")))),
  );
  const left = element("section", { class: "panel-noise", "aria-label": words("noise") }, paint.box, element("div", { class: "below" }, colours, trailBox), limits, tools, more);

  // Middle: the images
  const cells = Array.from({ length: 9 }, (_, place) => digit(place));
  const hold = holding(words("hold"), (clean) => {
    state.clean = clean;
    nine.classList.toggle("clean", clean); // what the network says is of the noisy ones
    drawShown();
  });
  const own = digits ? button("own_digit", () => open("own"), { class: "open-own" }) : null;
  const nine = element("div", { class: "nine" }, cells.map((one) => one.cell));
  const all = element("div", { class: "all" }, nine, element("div", { class: "row" }, hold, own));
  const closeUp = large({
    about, words, engine, say,
    now: () => ({ networks: measured(), noise: paint.noise(state.limit), canvas: paint.canvas }),
    onRead: (yes) => {
      state.marks.push({ limit: state.limit, target: state.target, network: measured()[0], yes });
      right.drawTries();
      remind();
    },
    onClose: () => {
      all.hidden = false;
      (state.opener ?? own).focus({ preventScroll: true });
    },
  });
  const middle = element("section", { class: "panel-images", "aria-label": words("digits") }, all, closeUp.box);
  function digit(place) {
    const canvas = element("canvas", { class: "image" });
    const verdicts = element("span", { class: "verdicts" });
    let timer = 0;
    let held = false;
    const clean = (yes) => {
      clearTimeout(timer);
      if (!yes) return drawShown();
      held = false;
      timer = setTimeout(() => {
        held = true;
        cell.classList.add("held");
        drawImage(canvas, cleanAt(place), shape);
      }, 250);
      return null;
    };
    const cell = element("button", { type: "button", class: "cell", onclick: () => (held ? (held = false) : open(place)) }, canvas, verdicts);
    cell.addEventListener("pointerdown", () => clean(true));
    for (const name of ["pointerup", "pointerleave", "pointercancel"]) cell.addEventListener(name, () => clean(false));
    return { cell, canvas, verdicts };
  }
  function open(place) {
    state.opener = place === "own" ? own : cells[place].cell;
    all.hidden = true;
    closeUp.open(place === "own" ? place : state.places[place]);
  }

  const right = outcome({ about, words, state, measured: () => measured(), onShow: (name) => show(name), onAgain: () => search(state.shown), onPick: (one) => bringBack(one) });

  // What happens

  const measured = () => (state.shown === "both" ? networks : [state.shown]);
  const chosen = () => (state.shown === "both" ? state.against : state.shown);
  const answered = latest(async (wish) => {
    const what = { how: state.how, target: state.target, shown: state.shown, limit: state.limit, ...wish() };
    const answer = await engine.ask(what.question, what.settings, what.arrays);
    // What was done meanwhile has asked anew: an answer to what is no longer on the screen is not shown.
    if (["how", "target", "shown"].some((name) => what[name] !== state[name])) return null;
    say(answer.error);
    return answer.error ? null : take(what, answer);
  });
  function ask(wish) {
    right.busy(true);
    return answered(wish).then(() => right.busy(false));
  }
  function take(what, answer) {
    if (what.question === "mean") {
      paint.share = shareOf(answer.arrays[0].data, what.limit);
      paint.draw(state.limit);
      return void measure(false);
    }
    if (what.question === "search") {
      state.found = true;
      paint.share = shareOf(answer.arrays[1].data, what.limit);
      paint.draw(what.limit);
    }
    state.seen = answer.measured;
    state.places = answer.places;
    state.pixels = answer.arrays[0].data;
    drawShown();
    right.draw();
    closeUp.refresh();
    if (!what.moving) rest(what, answer);
    return null;
  }
  // What follows when nothing moves any more.
  function rest(what, answer) {
    const name = measured()[0];
    const how = what.how === "searched" && name !== state.against ? "carried" : what.how;
    tell(measured().map((network) => words("says", { network, how: words(how), limit: what.limit.toFixed(2), count: inHundred(answer.measured[network]) })).join("; "));
    if (!what.silent && how !== "grown" && !paint.empty()) {
      remember({ how, limit: what.limit, count: answer.measured[name].in_100, share: paint.share.slice(), target: state.target, network: name });
    }
    right.drawTries();
    remind();
  }
  function common(moving) {
    return { networks: measured(), moving, target: state.target };
  }
  function measure(moving, silent = false) {
    return ask(() => ({ question: "measure", settings: common(moving), arrays: [paint.noise(state.limit)], moving, silent }));
  }
  function search(network, moving = false) {
    state.how = "searched";
    state.found = false;
    state.against = network;
    showTrail(false);
    return ask(() => ({ question: "search", settings: { ...common(moving), ...searching(state.against) }, moving }));
  }
  function searching(network) {
    return { network, limit: state.limit, l2_weight: state.weight, steps: state.steps };
  }
  function mean(sign) {
    state.how = sign ? "signed" : "averaged";
    return ask(() => ({ question: "mean", settings: { target: state.target, limit: state.limit, sign } }));
  }
  function touched(how, moving) {
    state.how = how;
    showTrail(false);
    paint.draw(state.limit);
    return measure(moving);
  }
  // Who paints over what was searched has not painted it.
  function byHand() {
    return state.how === "painted" ? "painted" : "retouched";
  }
  function replace(share, how) {
    paint.share = share;
    state.how = how;
    return touched(how, false);
  }
  function setLimit(limit, moving) {
    state.limit = limit;
    drawLimit();
    if (state.how === "searched" && state.anew) return search(state.against, moving);
    if (["searched", "carried", "grown"].includes(state.how)) state.how = "scaled";
    paint.draw(limit);
    return measure(moving);
  }
  function settings(moving) {
    state.weight = L2_WEIGHTS[Number(weight.value)];
    state.steps = Number(steps.value);
    weightValue.textContent = String(state.weight);
    stepsValue.textContent = String(state.steps);
    search(state.against, moving);
  }
  function choose(name) {
    state.shown = name;
    right.choose(name);
  }
  function show(name) {
    choose(name);
    return state.how === "searched" && !state.found ? search(state.against) : measure(false); // a search goes on
  }
  function setTarget(target) {
    state.target = target;
    enableMeans();
    return state.how === "searched" ? search(state.against) : measure(false, true); // painted for another target: no try
  }
  async function grow() {
    const answer = await engine.ask("grow", { ...searching(chosen()), target: state.target });
    say(answer.error);
    if (answer.error) return;
    state.trail = { counts: answer.in_100, noise: answer.arrays[0].data, limit: state.limit };
    trail.max = String(answer.in_100.length - 1);
    showTrail(true);
    for (let step = 0; step < answer.in_100.length; step += 1) {
      if (step && (state.how !== "grown" || trail.value !== String(step - 1))) return; // something else was done
      trail.value = String(step);
      scrub(true);
      await new Promise((done) => setTimeout(done, 150));
    }
    state.how = "searched";
    state.against = chosen();
    measure(false);
  }
  function scrub(moving) {
    const step = Number(trail.value);
    state.how = "grown";
    state.limit = state.trail.limit;
    paint.share = shareOf(imageAt(state.trail.noise, step, shape), state.limit);
    trailWords.textContent = words("step_of", { step, steps: trail.max, count: state.trail.counts[step] });
    drawLimit();
    paint.draw(state.limit);
    measure(moving);
  }
  function showTrail(yes) {
    [trailBox.hidden, colours.hidden] = [!yes, yes];
  }
  function shareOf(noise, limit) {
    return Float64Array.from(noise, (one) => Math.max(-1, Math.min(1, one / limit)));
  }

  // What is drawn

  function drawLimit() {
    slider.max = String(Math.max(about.most, state.limit));
    slider.value = String(state.limit);
    value.textContent = words("limit_value", { limit: state.limit.toFixed(state.limit < 0.05 ? 3 : 2), grey: Math.round(255 * state.limit) });
    slider.setAttribute("aria-valuetext", value.textContent);
  }
  function cleanAt(place) {
    return imageAt(about.images, about.kept.indexOf(state.places[place]), shape);
  }
  function inWords(verdict, seen) {
    return words(verdict === "hit" && state.target === null ? "hit_away" : verdict, { name: classes[seen] });
  }
  function drawShown() {
    const names = Object.keys(state.seen);
    cells.forEach(({ cell, canvas, verdicts }, place) => {
      cell.hidden = place >= state.places.length;
      if (cell.hidden) return;
      drawImage(canvas, state.clean ? cleanAt(place) : imageAt(state.pixels, place, shape), shape);
      const label = classes[about.labels[state.places[place]]];
      const found = names.map((name) => ({ name, verdict: state.seen[name].verdicts[place], seen: state.seen[name].seen[place] }));
      const several = found.length > 1;
      verdicts.replaceChildren(
        ...found.map(({ name, verdict, seen }) =>
          element(
            "span", { class: `verdict ${verdict}` },
            element("span", { class: "wide" }, `${MARKS[verdict]} ${several ? `${classes[seen]} ${name}` : inWords(verdict, seen)}`),
            element("span", { class: "narrow" }, `${MARKS[verdict]} ${classes[seen]}`),
          ),
        ),
      );
      verdicts.classList.toggle("several", several);
      cell.className = `cell ${several ? "" : found[0].verdict}`;
      const sentence = found.map(({ name, verdict, seen }) => (several ? `${name}: ` : "") + words("digit", { label, name: classes[seen], verdict: inWords(verdict, seen) })).join(". ");
      cell.setAttribute("aria-label", sentence);
      cell.title = sentence;
    });
  }
  function remember(one) {
    const same = state.list.at(-1);
    const alike = same && ["how", "limit", "target", "network"].every((name) => same[name] === one[name]);
    if (alike && (one.how !== "painted" || same.share.every((share, place) => share === one.share[place]))) state.list.pop();
    state.list.push(one);
    while (state.list.length > 60 || (state.list.length > 3 && state.list.length * one.share.length > 500000)) state.list.shift();
    state.current = one;
  }
  function bringBack(one) {
    Object.assign(state, { limit: one.limit, how: one.how, against: one.how === "searched" ? one.network : state.against, current: one });
    paint.share = one.share.slice();
    state.found = true;
    showTrail(false);
    drawLimit();
    paint.draw(state.limit);
    measure(false, true);
  }

  // What a page that is opened anew begins with

  function remind() {
    const bytes = (share, limit) => new DataView(Float32Array.from(share, (one) => one * limit).buffer);
    const { target, limit, shown, against, how, marks } = state;
    const list = state.list.map(({ share, ...one }) => ({ ...one, noise: bytes(share, one.limit) }));
    keep({ target, limit, shown, against, how, marks, list, noise: bytes(paint.share, limit) });
  }
  function recall({ list = [], noise, ...kept }) {
    const share = (view, limit) => shareOf(new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength)), limit);
    Object.assign(state, kept);
    state.list = list.map(({ noise: view, ...one }) => ({ ...one, share: share(view, one.limit) }));
    state.current = state.list.at(-1) ?? null;
    paint.share = share(noise, state.limit);
    choose(state.shown);
    drawLimit();
    paint.draw(state.limit);
    return measure(false, true);
  }

  drawLimit();
  paint.draw(state.limit);

  return {
    sections: [left, middle, right.section],
    state, setTarget, setLimit, search, mean, replace,
    // Set the scene: a network, a target and a limit, with an empty canvas.
    stage(network, target, limit) {
      Object.assign(state, { target, limit });
      enableMeans();
      useBrush(1);
      choose(network);
      drawLimit();
      return replace(new Float64Array(paint.share.length), "painted");
    },
    random: () => replace(Float64Array.from(paint.share, () => (Math.random() < 0.5 ? -1 : 1)), "random"),
    empty: () => paint.empty(),
    count: () => inHundred(state.seen[measured()[0]]),
    given(noise, limit) {
      state.how = "given";
      state.limit = limit;
      drawLimit();
      replace(shareOf(noise, limit), "given");
    },
    begin(kept) {
      if (kept.noise) return recall(kept);
      return about.start ? search(state.shown) : measure(false);
    },
  };
}

function shuffled(share, shape) {
  const channels = shape[2];
  const order = Array.from({ length: share.length / channels }, (_, place) => place);
  for (let last = order.length - 1; last > 0; last -= 1) {
    const other = Math.floor(Math.random() * (last + 1));
    [order[last], order[other]] = [order[other], order[last]];
  }
  const mixed = new Float64Array(share.length);
  order.forEach((from, to) => {
    for (let channel = 0; channel < channels; channel += 1) mixed[to * channels + channel] = share[from * channels + channel];
  });
  return mixed;
}
