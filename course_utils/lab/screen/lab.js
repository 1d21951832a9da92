// The noise lab: the frame, in which its panels are mounted. An anywidget calls render; a page of its own may call build.

import { element } from "./draw.js";
import { bytesOf, kernelEngine } from "./engine.js";
import { spoken } from "./parts.js";
import { proof } from "./proof.js";
import { single } from "./single.js";
import { story } from "./story.js";
import { universal } from "./universal.js";

const PANELS = { noise: universal, image: single, proof };

export function build({ about, texts, engine, keep }) {
  const words = (name, values = {}) => (texts[name] ?? name).replace(/\{(\w+)\}/g, (_, key) => values[key]);
  const message = element("p", { class: "message", role: "alert", hidden: true });
  const veil = element("div", { class: "veil", hidden: true }, element("p", { role: "alert" }));
  const voice = spoken();
  const say = (error) => {
    message.hidden = !error;
    message.textContent = error ? words("failed", { error }) : "";
  };
  const panel = PANELS[about.panel]({ about, words, engine, say, keep, tell: voice.say });
  const talk = element("button", { type: "button", "aria-pressed": "false", onclick: () => talk.setAttribute("aria-pressed", String(root.classList.toggle("talk"))) }, words("talk"));
  const body = element("div", {}, element("main", { class: "sections" }, panel.sections));
  const root = element("div", { class: `noise-lab ${about.panel}`, "data-lm-suppress-shortcuts": "true", lang: words("lang") }, body, voice.box, veil);
  if (about.panel === "noise") body.prepend(...head({ about, words, panel, talk }), message);
  else body.prepend(element("header", { class: "top" }, element("h3", { class: "lead" }, words(`panel_${about.panel}`)), talk), message);
  for (const name of ["keydown", "keyup", "keypress"]) root.addEventListener(name, (event) => event.stopPropagation());
  return {
    root,
    panel,
    lost(yes) {
      veil.hidden = !yes;
      body.inert = yes;
      veil.firstChild.textContent = yes ? words(document.body.dataset.voila ? "lost_page" : "lost") : "";
    },
  };
}

// What the network is to see, and the story.
function head({ about, words, panel, talk }) {
  const targets = [...about.classes.map((name, place) => [name, place]), [words("anything_else"), null]];
  const many = about.classes.length > 12;
  const choose = (target) => {
    for (const one of chooser.querySelectorAll("button")) one.setAttribute("aria-pressed", String(one.dataset.target === String(target)));
    if (many) chooser.querySelector("select").value = String(target);
  };
  const set = (target) => {
    choose(target);
    panel.setTarget(target);
  };
  const choices = many
    ? element("select", { "aria-label": words("make_it_see"), onchange: (event) => set(event.target.value === "null" ? null : Number(event.target.value)) }, targets.map(([name, place]) => element("option", { value: String(place) }, name)))
    : targets.map(([name, place]) => element("button", { type: "button", "data-target": String(place), "aria-pressed": "false", onclick: () => set(place) }, name));
  const chooser = element("div", { class: "row targets", role: "group", "aria-label": words("make_it_see") }, element("span", { class: "lead" }, words("make_it_see")), choices);
  panel.choose = choose;
  choose(about.target);
  const told = about.digits ? story({ words, panel, networks: about.networks, about, onEnd: () => tell.click() }) : null;
  const tell = told && element("button", { type: "button", "aria-pressed": "false", onclick: () => tell.setAttribute("aria-pressed", String(told.toggle())) }, words("story", { steps: told.steps }));
  return [element("header", { class: "top" }, chooser, element("div", { class: "row" }, tell, talk)), ...(told ? [told.box] : [])];
}

function render({ model, el }) {
  const about = { ...model.get("about"), images: new Uint8Array(bytesOf(model.get("images"))) };
  let timer = 0;
  const keep = (kept) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      model.set("kept", kept);
      model.save_changes();
    }, 300);
  };
  let lab = null;
  const engine = kernelEngine(model, (yes) => lab && lab.lost(yes));
  lab = build({ about, texts: model.get("texts"), engine, keep });
  el.append(lab.root);
  model.on("msg:custom", (message, buffers) => {
    if (message.tell === "noise" && lab.panel.given) lab.panel.given(new Float32Array(bytesOf(buffers[0])), message.limit);
  });
  const kept = model.get("kept");
  if (lab.panel.choose && kept.noise) lab.panel.choose(kept.target);
  lab.panel.begin(kept);
  // Shift+Enter moves on to the next cell: what was asked for stays in view.
  setTimeout(() => lab.root.scrollIntoView({ block: "nearest" }), 400);
  return () => lab.root.remove();
}

export default { render };
