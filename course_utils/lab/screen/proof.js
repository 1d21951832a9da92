// Panel "proof": what is clean, attacked and proven, while the limit moves.

import { drawImage, element, imageAt } from "./draw.js";
import { latest } from "./engine.js";
import { MARKS, holding, picture, proofCurves } from "./parts.js";

const MARK = { proven: "●", open: MARKS.right, fooled: MARKS.hit, misread: MARKS.other };
const KIND = { proven: "right", open: "right", fooled: "hit", misread: "other" };
const MOST = 0.42;

export function proof({ about, words, engine, say, keep, tell }) {
  const { shape, networks } = about;
  const [network] = networks;
  const state = { limit: about.limit };
  const points = new Map();
  let pictures = null;
  const value = element("output", { class: "limit-value" });
  const result = element("div", { class: "result several" });
  const chart = element("div");
  const nine = element("div", { class: "nine" });
  const counts = element("div", { class: "shares-words" });
  const slider = element("input", {
    type: "range", class: "limit", min: 0.02, max: MOST, step: 0.01, value: state.limit, "aria-label": words("limit"),
    oninput: () => move(Number(slider.value), true),
    onchange: () => move(Number(slider.value), false),
  });
  const percent = (share) => `${(100 * share).toFixed(1)} %`;
  const hold = holding(words("hold"), (clean) => {
    if (pictures) nine.querySelectorAll("canvas").forEach((canvas, place) => drawImage(canvas, imageAt(pictures[clean ? 0 : 1].data, place, shape), shape));
  });

  async function measured(limit, moving = false) {
    const answer = await engine.ask("proof", { network, limit, moving });
    say(answer.error);
    if (answer.error) return null;
    if (!moving) points.set(limit, { limit, clean: answer.clean, attacked: answer.attacked, proven: answer.proven });
    drawCurves();
    return answer;
  }
  const ask = latest(async (moving) => {
    const { limit } = state;
    const answer = await measured(limit, moving);
    if (!answer) return;
    pictures = answer.arrays;
    draw(answer);
    tell(words("proof_result", { limit: limit.toFixed(2), clean: percent(answer.clean), attacked: percent(answer.attacked), proven: percent(answer.proven) }));
    keep({ limit });
  });
  function draw(answer) {
    result.replaceChildren(...["clean", "attacked", "proven"].map((kind) =>
      element("div", { class: "one" }, element("strong", { class: "number" }, percent(answer[kind])), " ", element("span", { class: "says" }, words(`says_${kind}`)))));
    nine.replaceChildren(...answer.verdicts.map((verdict, place) =>
      element("figure", { class: `cell ${KIND[verdict]}` },
        picture(imageAt(answer.arrays[1].data, place, shape), shape, `${about.classes[answer.labels[place]]}: ${words(`v_${verdict}`)}`),
        element("figcaption", { class: `verdicts verdict ${KIND[verdict]}` }, `${MARK[verdict]} ${words(`v_${verdict}`)}`))));
    counts.replaceChildren(...Object.entries(answer.counts).map(([verdict, count]) => element("span", { class: `key ${KIND[verdict]}` }, `${MARK[verdict]} ${words(`v_${verdict}`)} ${count}`)), element("span", { class: "small" }, words("counted", { count: answer.of })));
  }
  function drawCurves() {
    const sorted = [...points.values()].sort((one, other) => one.limit - other.limit);
    chart.replaceChildren(proofCurves(words, sorted, state.limit, MOST));
  }
  function move(limit, moving) {
    state.limit = limit;
    slider.value = String(limit);
    value.textContent = words("limit_value", { limit: limit.toFixed(2), grey: Math.round(255 * limit) });
    slider.setAttribute("aria-valuetext", value.textContent);
    drawCurves();
    return ask(moving);
  }
  async function curves() {
    for (const limit of about.limits) if (!points.has(limit)) await measured(limit);
  }
  const left = element("section", { class: "panel-noise" }, chart,
    element("div", { class: "shares-words" }, ["clean", "attacked", "proven"].map((kind) => element("span", { class: `key curve-key ${kind}` }, words(`curve_${kind}`)))),
    element("div", { class: "limits" }, element("div", { class: "row spread" }, element("span", { class: "name" }, words("limit")), value), slider));
  const middle = element("section", { class: "panel-images", "aria-label": words("digits") }, element("div", { class: "all" }, nine, hold));
  const right = element("section", { class: "panel-result" }, result, counts);
  return {
    sections: [left, middle, right], state,
    begin: async ({ limit = state.limit }) => {
      await move(limit, false);
      await curves();
    },
  };
}
