// Parts of the screen that are drawn from state alone: frames, bars, charts, the confusion.

import { drawImage, element, svg } from "./draw.js";

export const MARKS = { right: "○", hit: "◆", other: "△" }; // never by colour alone

// Scores of ten classes, before (outline) and after (filled); of many classes, the ten that score highest after.
export function bars(classes, before, after, label) {
  const all = classes.map((_, place) => place);
  const order = classes.length > 12 ? all.sort((one, other) => after[other] - after[one]).slice(0, 10) : all;
  const rows = order.map((place) =>
    element(
      "div",
      { class: "bar-row" },
      element("span", { class: "bar-name", title: classes[place] }, classes[place]),
      element(
        "span",
        { class: "bar-track" },
        element("span", { class: "bar-after", style: `width:${100 * after[place]}%` }),
        element("span", { class: "bar-before", style: `width:${100 * before[place]}%` }),
      ),
      element("span", { class: "bar-number" }, `${Math.round(100 * after[place])} %`),
    ),
  );
  return element("div", { class: "bars", role: "group", "aria-label": label }, rows);
}

// How many of 100, in words: never 0 where there is one.
export function inHundred({ hit, of, in_100: count }) {
  return hit && hit < of / 200 ? "<1" : String(count);
}

export function shares(words, counts, { name = "", away = false }) {
  const total = Math.max(1, counts.of);
  const parts = [
    ["right", counts.right, "bar_right"],
    ["hit", counts.hit, away ? "bar_away" : "bar_hit"],
    ...(away ? [] : [["other", counts.elsewhere, "bar_elsewhere"]]),
  ];
  return element(
    "div",
    { class: name ? "shares named" : "shares" },
    name ? element("span", { class: "small" }, name) : null,
    element("div", { class: "shares-bar", "aria-hidden": "true" }, parts.map(([kind, count]) => element("span", { class: kind, style: `width:${(100 * count) / total}%` }))),
    element("div", { class: "shares-words" }, parts.map(([kind, count, word]) => element("span", { class: `key ${kind}` }, `${MARKS[kind]} ${words(word, { count })}`))),
  );
}

const SHAPES = { painted: "M-5,-5h10v10h-10z", searched: "M0,-6l6,6l-6,6l-6,-6z" };
const ROUND = "M0,-5a5,5 0 1,0 0.01,0z";

// An empty chart over the limit: its element, and where a limit and a count of 100 lie in it.
function axes(label, most, height, ticks) {
  const [width, left, bottom] = [330, 34, 26];
  const x = (limit) => left + (limit / most) * (width - left - 10);
  const y = (count) => height - bottom - (count / 100) * (height - bottom - 10);
  const chart = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "group", "aria-label": label });
  for (const count of [0, 50, 100]) {
    chart.append(
      svg("line", { x1: left, x2: width - 10, y1: y(count), y2: y(count), class: "grid" }),
      svg("text", { x: left - 6, y: y(count) + 4, "text-anchor": "end" }, String(count)),
    );
  }
  for (const limit of ticks.filter((one) => one <= most + 1e-9)) {
    chart.append(svg("text", { x: x(limit), y: height - 8, "text-anchor": "middle" }, String(Math.round(1000 * limit) / 1000)));
  }
  return { chart, x, y };
}

// The highest count at each limit, in order of the limits.
function best(list) {
  const tops = new Map();
  for (const one of list) tops.set(one.limit, Math.max(one.count, tops.get(one.limit) ?? 0));
  return [...tops].sort(([one], [other]) => one - other);
}

function line({ x, y }, points, kind) {
  return svg("polyline", { points: points.map(([limit, count]) => `${x(limit)},${y(count)}`).join(" "), class: `curve ${kind}` });
}

// Success against limit: a dot for each try, the search's curve, and the reader's own: what one cannot read any more.
export function tries(words, list, marks, most, current, onPick) {
  const ticks = most > 0.3 ? [0, 0.2, 0.4, 0.6, 0.8, 1] : [0, most / 2, most];
  const { chart, x, y } = axes(words("tries"), most, 170, ticks);
  const person = marks.map(({ limit, yes }) => ({ limit, count: yes ? 0 : 100, yes }));
  const searched = best(list.filter((one) => one.how === "searched"));
  if (searched.length > 3) chart.append(line({ x, y }, searched, "attacked")); // fewer tell nothing of what lies between
  chart.append(line({ x, y }, best(person), "person-line"));
  const dots = list.map((one) => [x(one.limit), y(one.count)]);
  chart.addEventListener("click", (event) => {
    const area = chart.getBoundingClientRect();
    const here = ((event.clientX - area.left) / area.width) * 330;
    const down = ((event.clientY - area.top) / area.height) * 170;
    const far = dots.map(([across, height]) => Math.hypot(across - here, height - down));
    const nearest = Math.min(...far);
    if (nearest > 18) return;
    // Of several in one place the one on top, and with each further click the one below it.
    const there = far.flatMap((distance, place) => (distance < nearest + 6 ? [place] : []));
    const at = there.indexOf(list.indexOf(current));
    onPick(there.at(at < 0 ? -1 : at - 1));
  });
  list.forEach((one, place) => {
    const label = words("try", { how: words(one.how), limit: one.limit.toFixed(2), count: one.count });
    const onkeydown = (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      onPick(place);
    };
    chart.append(
      svg(
        "g",
        { class: `try ${one.how}${one === current ? " current" : ""}`, transform: `translate(${dots[place].join()})`, tabindex: 0, role: "button", "aria-label": label, onkeydown },
        svg("title", {}, label),
        svg("path", { d: SHAPES[one.how] || ROUND }),
      ),
    );
  });
  for (const { limit, count, yes } of person) {
    chart.append(svg("text", { x: x(limit) - 7, y: y(count) + 5, "text-anchor": "end", class: "person" }, yes ? "☺" : "☹"));
  }
  return chart;
}

// What the shapes of the dots stand for, as far as there are any.
export function triesKey(words, list, marks) {
  const signs = { painted: "■", searched: "◆" };
  const there = [...new Set(list.map((one) => one.how))];
  const named = there.filter((how) => how in signs).map((how) => element("span", { class: `sign ${how}` }, `${signs[how]} ${words(how)}`));
  const others = there.filter((how) => !(how in signs)).map((how) => words(how));
  const person = marks.length ? [element("span", {}, `☺ ${words("you_read")}`), element("span", {}, `☹ ${words("you_cannot")}`)] : [];
  return element("p", { class: "small tries-key" }, ...named, others.length ? element("span", { class: "sign" }, `● ${others.join(", ")}`) : null, ...person);
}

export function confusion(words, names, table) {
  const head = element("tr", {}, element("th", {}), names.map((name) => element("th", { scope: "col" }, name)));
  const rows = table.map((row, place) => {
    const total = Math.max(1, row.reduce((sum, count) => sum + count, 0));
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, names[place]),
      row.map((count, column) =>
        element("td", { class: place === column ? "diagonal" : "", style: `--share:${Math.sqrt(count / total)}` }, count ? String(count) : ""),
      ),
    );
  });
  return element("table", { class: "confusion", "aria-label": words("row_column") }, head, rows);
}

export function picture(bytes, shape, label) {
  const canvas = element("canvas", { class: "image", role: "img", "aria-label": label });
  drawImage(canvas, bytes, shape);
  return canvas;
}

// Curves of a proof, with the limit that the slider stands at.
export function proofCurves(words, points, limit, most) {
  const { chart, x, y } = axes(words("panel_proof"), most, 200, [0, 0.1, 0.2, 0.3, 0.4]);
  for (const kind of ["clean", "attacked", "proven"]) {
    const there = points.map((point) => [point.limit, 100 * point[kind]]);
    chart.append(line({ x, y }, there, kind), ...there.map(([one, count]) => svg("circle", { cx: x(one), cy: y(count), r: 3, class: `curve-dot ${kind}` })));
  }
  chart.append(svg("line", { x1: x(limit), x2: x(limit), y1: y(100) - 2, y2: y(0), class: "now" }));
  return chart;
}

// A box whose words are spoken by a screen reader once they have rested for a while.
export function spoken() {
  const box = element("p", { class: "spoken", role: "status" });
  let timer = 0;
  return {
    box,
    say(sentence) {
      clearTimeout(timer);
      timer = setTimeout(() => (box.textContent = sentence), 700);
    },
  };
}

// A button that shows something else as long as it is held, with the mouse, a finger or the space bar.
export function holding(label, show) {
  const button = element("button", { type: "button", class: "hold" }, label);
  button.addEventListener("pointerdown", () => show(true));
  button.addEventListener("keydown", (event) => (event.key === " " ? show(true) : null));
  for (const name of ["pointerup", "pointerleave", "pointercancel", "keyup", "blur"]) button.addEventListener(name, () => show(false));
  return button;
}
