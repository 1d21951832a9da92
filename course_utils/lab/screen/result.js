// The right side of the main panel: the number, what makes it up, and the tries. Drawn from the panel's state alone.

import { element } from "./draw.js";
import { confusion, inHundred, shares, tries, triesKey } from "./parts.js";

export function outcome({ about, words, state, measured, onShow, onAgain, onPick }) {
  const { classes, networks, digits } = about;
  const result = element("div", { class: "result", "data-busy": words("working") });
  const bar = element("div", { class: "bar" });
  const best = element("p", { class: "best" });
  const chart = element("div", { class: "tries" });
  const table = element("details", { class: "confusion-box", ontoggle: () => drawConfusion() }, element("summary", {}, words("confusion")), element("p", { class: "small" }, words("row_column")), element("div"));
  const choices = networks.length > 1 ? [...networks, "both"] : [];
  const chooser = element(
    "div", { class: "row networks", role: "group", "aria-label": words("network"), hidden: networks.length < 2 },
    choices.map((name) => element("button", { type: "button", "aria-pressed": name === state.shown, "data-name": name, onclick: () => onShow(name) }, name === "both" ? words(networks.length > 2 ? "all" : "both") : name)),
  );
  const again = element("button", { type: "button", class: "again primary", onclick: () => onAgain() });
  let timer = 0;

  // A number that is older than half a second says so.
  function waits() {
    clearTimeout(timer);
    timer = setTimeout(() => result.classList.add("stale"), 500);
  }
  function busy(yes) {
    result.setAttribute("aria-busy", String(yes));
    if (yes) return waits();
    clearTimeout(timer);
    result.classList.remove("stale");
    return null;
  }
  function aim() {
    if (state.target === null) return words("of_100_away");
    return words(digits ? "of_100" : "of_100_images", { name: classes[state.target] });
  }
  function counted({ of, images }) {
    return of === images ? words("counted", { count: of }) : words("counted_others", { count: of, images, name: classes[state.target] });
  }
  function drawOne(name) {
    const seen = state.seen[name];
    return element(
      "div", { class: "one" }, element("strong", { class: "number" }, inHundred(seen)), " ",
      element("span", { class: "says" }, aim(), " ", element("span", { class: "small" }, words("without_noise", { count: seen.clean_in_100 }))),
    );
  }
  function drawSeveral(names) {
    const searched = state.how === "searched" ? `; ${words("made_against", { name: state.against })}` : "";
    const numbers = names.map((name) => element("div", { class: "one" }, element("span", { class: "who" }, name), element("strong", { class: "number" }, inHundred(state.seen[name]))));
    return [...numbers, element("span", { class: "says" }, aim() + searched)];
  }
  function draw() {
    result.classList.remove("stale");
    waits();
    const names = Object.keys(state.seen);
    const several = names.length > 1;
    result.replaceChildren(...(several ? drawSeveral(names) : [drawOne(names[0])]));
    result.classList.toggle("several", several);
    bar.replaceChildren(
      ...names.map((name) => shares(words, state.seen[name], { name: several ? name : "", away: state.target === null })),
      element("div", { class: "row spread counted" }, element("span", { class: "small" }, counted(state.seen[names[0]])), again),
    );
    again.hidden = several;
    again.style.visibility = state.how === "searched" && state.shown !== state.against ? "" : "hidden";
    again.textContent = words("search_against", { name: state.shown });
    drawConfusion();
  }
  function drawConfusion() {
    const counts = (state.seen[measured()[0]] ?? {}).confusion ?? [];
    table.hidden = !counts.length;
    if (table.open && counts.length) table.lastChild.replaceChildren(confusion(words, classes, counts));
  }
  function drawTries() {
    const [name] = measured();
    const [list, marks] = [state.list, state.marks].map((all) => all.filter((one) => one.target === state.target && one.network === name));
    const there = list.length || marks.length;
    chart.replaceChildren(
      element("h3", {}, networks.length > 1 ? words("tries_of", { name }) : words("tries")),
      there ? tries(words, list, marks, Math.max(about.most, state.limit), state.current, (place) => onPick(list[place])) : element("p", { class: "small" }, words("no_tries")),
      triesKey(words, list, marks),
    );
    best.textContent = bestOf(list);
  }
  function bestOf(list) {
    const top = (how) => list.filter((one) => one.how === how).reduce((high, one) => (high && high.count >= one.count ? high : one), null);
    const [mine, found] = [top("painted"), top("searched")];
    const values = { mine: mine?.count, found: found?.count, at: mine?.limit.toFixed(2), limit: found?.limit.toFixed(2) };
    // Noise that nobody can read through gets through any network: what sets them apart is seen at smaller limits.
    const [name] = measured();
    if (name !== networks[0] && state.seen[name]?.in_100 >= 50 && state.limit > about.limit) return words("too_strong", { limit: about.limit.toFixed(2) });
    if (mine && found) return words("best", values);
    if (mine) return words(mine.count >= 50 ? "best_painting" : state.limit < 0.45 ? "nudge" : "nudge_ink", values);
    return found ? words(found.count < 95 ? "best_search" : "best_search_all", values) : "";
  }
  return {
    section: element("section", { class: "panel-result" }, chooser, result, bar, best, chart, table),
    busy, draw, drawTries,
    choose(name) {
      for (const choice of chooser.children) choice.setAttribute("aria-pressed", String(choice.dataset.name === name));
    },
  };
}
