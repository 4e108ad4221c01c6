// What a seed draws where the output are points: a plot of them.

import { h } from "./dom.js";
import { extentOf, savePng, scatter } from "./draw.js";
import { draw } from "./latents.js";
import { newest } from "./newest.js";

const BLOCK = 1024;

/** Of points with more than two coordinates the first two are shown. `onplot` gets (points, extent). */
export function plot(studio, onplot) {
  const { card } = studio;
  const canvas = h("canvas", { class: "plot", role: "img", "aria-label": `Points made by ${card.title}` });
  let [points, extent] = [new Float32Array(0), 1];
  const show = () => scatter(canvas, points, extent);

  const redraw = newest(async () => {
    const { seed, n, ...fixed } = studio.place;
    const result = await studio.run(draw(card.inputs, n, seed, fixed), { block: BLOCK });
    if (!result) return;
    points = plane(result);
    extent = extentOf(points);
    show();
    onplot(points, extent);
    studio.say(`${n} points from ${studio.by(result)}.`);
  });
  studio.onlook(show);
  return { element: canvas, redraw, save: () => savePng(canvas, `${card.name}-seed-${studio.place.seed}.png`) };
}

/** The first two coordinates of every point, [n, 2]; where there is but one, the other is 0. */
export function plane({ data, shape: [n, d] }) {
  return Float32Array.from({ length: 2 * n }, (_, i) => ((i & 1) < d ? data[(i >> 1) * d + (i & 1)] : 0));
}
