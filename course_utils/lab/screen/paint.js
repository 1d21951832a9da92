// A canvas that one paints on, with the mouse, a finger or the keys. Noise is painted as shares of the limit, from
// -1 to 1; a digit of one's own in soft ink, from 0 to 1.

import { element } from "./draw.js";

const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const BRUSHES = { "+": 1, "-": -1, e: 0, E: 0 };

export function painter({ shape, label, show, size, ink = false, onStroke, onStrokeEnd = () => {} }) {
  const [height, width, channels] = shape;
  const canvas = element("canvas", { class: "noise", tabindex: 0, role: "application", "aria-label": label });
  const mark = element("div", { class: "cursor", hidden: true });
  const box = element("div", { class: "noise-box" }, canvas, mark);
  const brush = { value: 1, size };
  const cursor = { row: height >> 1, column: width >> 1 };
  let values = new Float64Array(height * width * channels);
  let stroke = null;
  let byKeys = false;

  function touch(at, distance) {
    const radius = brush.size / 2;
    if (ink) values[at] = Math.max(values[at], Math.min(1, Math.max(0, radius + 0.5 - distance)));
    else if (distance <= radius + 0.01) values.fill(brush.value, at * channels, (at + 1) * channels);
  }

  function dab(row, column) {
    const reach = brush.size / 2 + 1;
    const [top, end] = [Math.max(0, Math.floor(row - reach)), Math.min(height - 1, Math.ceil(row + reach))];
    const [first, last] = [Math.max(0, Math.floor(column - reach)), Math.min(width - 1, Math.ceil(column + reach))];
    for (let y = top; y <= end; y += 1) {
      for (let x = first; x <= last; x += 1) touch(y * width + x, Math.hypot(y - row, x - column));
    }
  }

  function line(from, to) {
    const steps = Math.max(1, Math.ceil((2 * Math.hypot(to.row - from.row, to.column - from.column)) / Math.max(1, brush.size / 4)));
    for (let step = 0; step <= steps; step += 1) {
      const part = step / steps;
      dab(from.row + part * (to.row - from.row), from.column + part * (to.column - from.column));
    }
  }

  function place(event) {
    const area = canvas.getBoundingClientRect();
    return {
      row: ((event.clientY - area.top) / area.height) * height - 0.5,
      column: ((event.clientX - area.left) / area.width) * width - 0.5,
    };
  }

  function showCursor() {
    mark.hidden = false;
    mark.style.left = `${(100 * (cursor.column + 0.5 - brush.size / 2)) / width}%`;
    mark.style.top = `${(100 * (cursor.row + 0.5 - brush.size / 2)) / height}%`;
    mark.style.width = `${(100 * brush.size) / width}%`;
    mark.style.height = `${(100 * brush.size) / height}%`;
  }

  function move([down, across], paints) {
    cursor.row = Math.min(height - 1, Math.max(0, cursor.row + down));
    cursor.column = Math.min(width - 1, Math.max(0, cursor.column + across));
    showCursor();
    if (!paints) return;
    byKeys = true;
    dab(cursor.row, cursor.column);
    onStroke();
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return; // the right button has a menu of its own
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    mark.hidden = true;
    canvas.setPointerCapture(event.pointerId);
    stroke = place(event);
    line(stroke, stroke);
    onStroke();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!stroke) return;
    const here = place(event);
    line(stroke, here);
    stroke = here;
    onStroke();
  });
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, () => {
      if (stroke) onStrokeEnd();
      stroke = null;
    });
  }
  canvas.addEventListener("focus", () => (canvas.matches(":focus-visible") && !stroke ? showCursor() : null));
  canvas.addEventListener("blur", () => {
    mark.hidden = true;
  });
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (MOVES[event.key]) move(MOVES[event.key], event.shiftKey);
    else if (event.key === " " || event.key === "Enter") {
      move([0, 0], true);
      byKeys = false;
      onStrokeEnd();
    } else if (event.key in BRUSHES) box.dispatchEvent(new CustomEvent("brush", { detail: BRUSHES[event.key] }));
    else return;
    event.preventDefault();
  });
  canvas.addEventListener("keyup", (event) => {
    if (event.key !== "Shift" || !byKeys) return;
    byKeys = false;
    onStrokeEnd();
  });

  return {
    box,
    canvas,
    brush,
    get share() {
      return values;
    },
    set share(given) {
      values = given;
    },
    empty: () => !values.some((value) => value),
    noise: (limit) => Float32Array.from(values, (value) => value * limit),
    draw: (limit = 1) => show(canvas, limit === 1 ? values : values.map((value) => value * limit)),
  };
}
