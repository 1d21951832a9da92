// A story in a few scenes: each asks for a guess before it shows; in one of them the reader paints first.

import { element } from "./draw.js";

const LIMIT = 0.35;

function scenesOf(panel, networks) {
  const [three, one] = [3, 1];
  const [first] = networks;
  const immune = networks.find((name) => /immune|worst/.test(name));
  const other = networks.find((name) => /interleaved/.test(name)) ?? immune ?? first;
  const scene = (text, network, target, run, paints = false) => ({ text, network, target, run, paints });
  return [
    scene("story_random", first, three, () => panel.random()),
    scene("story_paint", first, three, () => panel.mean(false), true),
    scene("story_press", first, three, () => panel.mean(true)),
    scene("story_search", first, three, () => panel.search(first)),
    scene("story_one", first, one, () => panel.search(first)),
    ...(immune ? [scene("story_immune", immune, three, () => panel.search(immune))] : []),
    scene("story_away", other, null, () => panel.search(other)),
  ];
}

export function story({ words, panel, networks, about, onEnd }) {
  const scenes = scenesOf(panel, networks);
  const button = (word, onclick) => element("button", { type: "button", class: "primary", hidden: true, onclick }, words(word));
  const text = element("p", { class: "story-text" });
  const guess = element("input", { type: "number", min: 0, max: 100, "aria-label": words("guess"), class: "guess", onkeydown: (event) => (event.key === "Enter" ? guessed() : null) });
  const form = element("label", { class: "row" }, words("guess"), guess);
  const answer = element("p", { class: "story-answer", role: "status" });
  const show = button("show", () => guessed());
  const compare = button("compare", () => reveal());
  const next = button("next", () => go(place + 1));
  const end = button("story_end", () => onEnd());
  const where = element("span", { class: "small" });
  const box = element("section", { class: "story", hidden: true, "aria-label": words("story", { steps: scenes.length }) }, where, text, form, show, answer, compare, next, end);
  let place = 0;
  let painted = null; // what the reader's painting reached
  function only(...these) {
    for (const part of [form, show, compare, next, end]) part.hidden = !these.includes(part);
  }
  function go(to) {
    place = to;
    painted = null;
    where.textContent = words("story_step", { step: place + 1, steps: scenes.length });
    text.textContent = words(scenes[place].text, { name: scenes[place].network });
    guess.value = "";
    answer.textContent = "";
    only(form, show);
    guess.focus({ preventScroll: true });
  }
  async function guessed() {
    if (!guess.checkValidity() || guess.value === "") {
      answer.textContent = words("guess_first");
      return guess.focus();
    }
    answer.textContent = "";
    const { network, target, paints } = scenes[place];
    only();
    panel.choose(target);
    await panel.stage(network, target, Math.min(LIMIT, about.most));
    if (!paints) return reveal();
    answer.textContent = words("story_now_paint");
    only(compare);
    return null;
  }
  async function reveal() {
    if (scenes[place].paints && panel.empty()) {
      answer.textContent = words("story_now_paint");
      return;
    }
    if (scenes[place].paints) painted = panel.count();
    only();
    await scenes[place].run();
    answer.textContent = words(painted === null ? "you_guessed" : "you_painted", { guess: guess.value, painted, count: panel.count() });
    const on = place + 1 < scenes.length ? next : end;
    only(on);
    on.focus({ preventScroll: true });
  }
  return {
    box,
    steps: scenes.length,
    toggle() {
      box.hidden = !box.hidden;
      box.closest(".noise-lab").classList.toggle("telling", !box.hidden);
      if (!box.hidden) go(0);
      return !box.hidden;
    },
  };
}
