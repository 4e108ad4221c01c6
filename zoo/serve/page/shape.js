// The chosen picture, large, and sliders that move its latent along directions that change it.

import { h } from "./dom.js";
import { paint, savePng } from "./draw.js";
import { KEPT, PROBES, blend, directions } from "./directions.js";
import { prior, rowSize, vary } from "./latents.js";
import { newest } from "./newest.js";
import { toUint8 } from "./pixels.js";

const STAYS = {
  uniform: "the latent stays in its box",
  normal: "the latent keeps its length, as all draws from the prior have nearly the same length",
  sphere: "the latent stays on its sphere",
};

/** `input` is the latent that the sliders move. */
export function shape(studio, input) {
  const { card } = studio;
  const from = prior(input);
  const range = card.outputs[0].range;
  const canvas = h("canvas", { class: "large", width: 1, height: 1, role: "img", "aria-label": "The chosen picture" });
  const number = Math.min(KEPT, rowSize(input));
  let [picture, ways] = [null, null];

  const move = newest(async () => {
    const [chosen, amounts] = [picture, sliders.map((slider) => slider.valueAsNumber)];
    if (!chosen) return;
    const z = chosen.feeds[input.name].data;
    const render = async (latents) => (await studio.run(vary(chosen.feeds, input.name, latents)))?.data;
    if (!ways) {
      const found = await directions(z, from, render);
      if (chosen !== picture || !found) return;
      ways = found;
    }
    const raw = await render([from.move(z, blend(ways, amounts, from.radius(z)))]);
    if (raw && chosen === picture) paint(canvas, toUint8(raw, range), chosen.shape);
  });
  const sliders = Array.from({ length: number }, (_, i) => {
    return h("input", {
      type: "range",
      min: -1.5,
      max: 1.5,
      step: 0.05,
      value: 0,
      "aria-label": `Direction ${i + 1}`,
      oninput: move,
    });
  });

  /** Begin with another picture; the sliders go back to the middle. */
  function show(chosen) {
    [picture, ways] = [chosen, null];
    back();
  }
  function back() {
    for (const slider of sliders) slider.value = 0;
    paint(canvas, picture.pixels, picture.shape);
    canvas.setAttribute("aria-label", `Picture ${picture.index + 1}, chosen`);
  }
  const save = () => savePng(canvas, `${card.name}-seed-${studio.place.seed}-shaped.png`);
  const element = h(
    "section",
    { class: "panel shape" },
    h("h2", {}, "Shape one"),
    h(
      "p",
      { class: "note" },
      `Click a picture above, then move the sliders. Each is a direction in which the picture changes much, ` +
        `found from ${PROBES} random ones; ${STAYS[Object.keys(input.prior)[0]]}.`,
    ),
    h(
      "div",
      { class: "beside" },
      canvas,
      h(
        "div",
        { class: "sliders" },
        sliders.map((slider, i) => h("label", {}, i + 1, slider)),
        h(
          "div",
          { class: "row" },
          h("button", { type: "button", onclick: () => picture && back() }, "Back to the start"),
          h("button", { type: "button", onclick: save }, "Save as PNG"),
        ),
      ),
    ),
  );
  return { element, show };
}
