// The lab on a page of its own: the screen of the notebooks, and behind it an engine that runs in this browser.

import { build } from "./screen/lab.js";

const texts = JSON.parse(document.getElementById("words").textContent);
const words = (name, values = {}) => texts[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
const status = document.getElementById("status");
const [HOWS, PACKED] = [["searched", "averaged", "signed", "random"], 5]; // painted pixels in a byte: 3 ** 5 < 256

const lab = await (await fetch("lab.json")).json();
const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const about = { ...lab.about, images: bytesOf(lab.images) };
const stored = lab.stored.map(({ settings, answer, arrays: [pixels, noise] }) => ({
  settings,
  answer: { ...answer, arrays: [{ data: bytesOf(pixels) }, { data: new Float32Array(bytesOf(noise).buffer) }] },
}));

// The engine: a worker that searches and measures. Until it is there, or when it does not come, what was stored answers.
function engine() {
  const waiting = new Map();
  const worker = new Worker("worker.js", { type: "module" });
  let [last, ready, failed] = [0, false, ""];
  const lose = (file) => {
    failed = words("page_failed", { file });
    status.textContent = failed;
    status.className = "failed";
    for (const { question, settings, resolve } of waiting.values()) resolve(known(question, settings) ?? { error: failed });
    waiting.clear();
  };
  worker.onerror = () => lose("worker.js");
  worker.onmessage = ({ data }) => {
    if (data.share) show(data.share);
    if (data.failed) lose(data.failed);
    if (data.ready) {
      ready = true;
      status.textContent = words("page_ready");
      navigator.serviceWorker?.register(`offline.js?${data.ready}`).catch(() => {}); // then it needs the network again next time
    }
    if (!data.id) return;
    waiting.get(data.id)?.resolve(data.file ? { error: words("page_failed", { file: data.file }) } : data.answer);
    waiting.delete(data.id);
  };
  worker.postMessage({ lab: { ...lab.known, labels: about.labels, classes: about.classes.length, networks: about.networks } });
  return {
    ask(question, settings, arrays = []) {
      const kept = ready ? null : known(question, settings);
      if (kept) return Promise.resolve(kept);
      if (failed) return Promise.resolve({ error: failed });
      last += 1;
      const id = last;
      return new Promise((resolve) => {
        waiting.set(id, { question, settings, resolve });
        worker.postMessage({ id, question, settings, arrays });
      });
    },
  };
}

function known(question, settings) {
  const alike = (one) => Object.entries(one.settings).every(([name, value]) => String(settings[name]) === String(value));
  return question === "search" ? stored.find(alike)?.answer : undefined;
}

const bar = document.createElement("progress");
function show(share) {
  if (!bar.isConnected) status.replaceChildren(bar, words("page_loading"));
  bar.value = share;
}

// What the address says, in so far as it can be; the rest is as the lab opens.
function wished() {
  const said = new URLSearchParams(location.hash.slice(1));
  const one = (name, all, otherwise) => (all.includes(said.get(name)) ? said.get(name) : otherwise);
  const target = one("target", ["none", ...about.classes.keys()].map(String), String(lab.about.target));
  const limit = Number.parseFloat(said.get("limit"));
  const network = one("network", [...about.networks, "both"], about.networks[0]);
  return {
    target: target === "none" ? null : Number(target),
    limit: limit >= about.step && limit <= 1 ? limit : lab.about.limit,
    network,
    against: one("against", about.networks, network === "both" ? about.networks[0] : network),
    how: one("how", HOWS, "searched"),
    painted: unpacked(said.get("painted") ?? ""),
  };
}

let timer = 0;
function keep({ target, limit, shown, against, how, noise }) {
  const said = new URLSearchParams({ target: target ?? "none", limit: Number(limit.toFixed(4)), network: shown });
  if (how === "searched" && against !== shown) said.set("against", against);
  if (HOWS.slice(1).includes(how)) said.set("how", how);
  const share = Array.from(new Float32Array(noise.buffer), (one) => one / Math.fround(limit));
  if (how === "painted" && share.every((one) => Number.isInteger(one))) said.set("painted", packed(share));
  clearTimeout(timer);
  timer = setTimeout(() => {
    history.replaceState(null, "", `#${said}`);
    for (const link of document.querySelectorAll("a.other-language")) link.hash = location.hash;
  }, 300); // a browser allows no more than some a second
}

// Paint is darker, lighter or none: 1, -1 or 0, five pixels in a byte.
function packed(share) {
  const bytes = [];
  for (let at = 0; at < share.length; at += PACKED) bytes.push(share.slice(at, at + PACKED).reduceRight((sum, one) => 3 * sum + one + 1, 0));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
function unpacked(text) {
  const size = about.shape[0] * about.shape[1];
  if (!/^[\w-]+$/.test(text)) return null;
  const bytes = bytesOf(text.replaceAll("-", "+").replaceAll("_", "/"));
  if (bytes.length !== Math.ceil(size / PACKED)) return null;
  return Float64Array.from({ length: size }, (_, at) => (Math.floor(bytes[Math.floor(at / PACKED)] / 3 ** (at % PACKED)) % 3) - 1);
}

async function open(wish) {
  const { panel } = screen;
  const { network, target, limit, against, how, painted } = wish;
  panel.choose(target);
  await panel.stage(network, target, limit);
  if (painted) return panel.replace(painted, "painted");
  if (how === "random") return panel.random();
  return how === "searched" ? panel.search(against) : panel.mean(how === "signed");
}

const wish = wished();
Object.assign(about, { target: wish.target, limit: wish.limit, most: Math.max(about.most, wish.limit) });
const screen = build({ about, texts, engine: engine(), keep });
document.getElementById("lab").append(screen.root);
addEventListener("hashchange", () => open(wished()));
const asItOpens = wish.how === "searched" && !wish.painted && [wish.network, wish.against].every((name) => name === about.networks[0]);
await (asItOpens ? screen.panel.begin({}) : open(wish));
