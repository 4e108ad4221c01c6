// A walk through latents and back to the first, as an animation that one starts, stops and leafs through.

import { h } from "./dom.js";
import { paint, scatter } from "./draw.js";
import { loop } from "./latents.js";
import { toUint8 } from "./pixels.js";
import { plane } from "./plot.js";

const [FRAMES, STOPS] = [60, 4];
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export function walk(studio) {
  const { card, signal } = studio;
  const range = card.outputs[0].range;
  const points = card.kind === "points";
  const canvas = h("canvas", {
    class: points ? "plot" : "large",
    width: 1,
    height: 1,
    role: "img",
    "aria-label": "The walk",
  });
  const scrubber = h("input", {
    type: "range",
    min: 0,
    max: FRAMES - 1,
    step: 1,
    value: 0,
    "aria-label": "Frame",
    oninput: seek,
  });
  const button = h("button", { type: "button", class: "main", onclick: () => (playing ? stop() : play()) }, "Play");
  let [frames, shape, playing, coming] = [null, null, false, null];
  let scene = { points: new Float32Array(0), extent: 1 };

  /** The frames, made at the first call after a change: an array of pixels, or for points one [n, 2]. */
  function ready() {
    coming ??= (async () => {
      const { seed, n: _, ...fixed } = studio.place;
      const result = await studio.run(loop(card.inputs, FRAMES, seed, STOPS, fixed));
      if (!result) return (coming = null);
      const size = result.data.length / FRAMES;
      shape = result.shape.slice(1);
      frames = points
        ? plane(result)
        : Array.from({ length: FRAMES }, (_, i) => toUint8(result.data.subarray(i * size, (i + 1) * size), range));
      studio.say(`A walk of ${FRAMES} frames from ${studio.by(result)}.`);
      return frames;
    })();
    return coming;
  }
  function show(i) {
    scrubber.value = i;
    if (points) scatter(canvas, scene.points, scene.extent, frames ? frames.slice(0, 2 * (i + 1)) : null);
    else paint(canvas, frames[i], shape);
  }
  async function seek() {
    stop();
    if (await ready()) show(scrubber.valueAsNumber);
  }
  async function play() {
    playing = true;
    button.textContent = "Pause";
    if (!(await ready())) return stop();
    let [begin, first] = [null, scrubber.valueAsNumber];
    const tick = (now) => {
      if (!playing || signal.aborted) return;
      begin ??= now;
      const rate = calm.matches ? 2 : 20; // frames per second
      show((first + Math.floor(((now - begin) / 1000) * rate)) % FRAMES);
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }
  function stop() {
    playing = false;
    button.textContent = "Play";
  }
  /** Another seed or class: the frames are made again when they are wanted. `rest` is what stands there until then. */
  function reset(rest) {
    stop();
    [frames, coming] = [null, null];
    scrubber.value = 0;
    if (points) {
      scene = rest;
      show(0);
    } else {
      paint(canvas, rest.pixels, rest.shape);
    }
  }
  if (points) studio.onlook(() => show(scrubber.valueAsNumber));
  const element = h(
    "section",
    { class: "panel walk" },
    h("h2", {}, "Walk"),
    h("p", { class: "note" }, `Through ${STOPS} latents of the seed and back, along the path that suits their prior.`),
    h("div", { class: "beside" }, canvas, h("div", { class: "sliders" }, h("div", { class: "row" }, button), scrubber)),
  );
  return { element, reset };
}
