// A translator's panel: drop a picture, see what becomes of it.

import { field, h, select } from "./dom.js";
import { picture } from "./gallery.js";
import { fitted, paint, savePng } from "./draw.js";
import { newest } from "./newest.js";
import { FITS, allowed, fromRgba, fromUint8, longestSides, toUint8 } from "./pixels.js";

const FIT_WORDS = [
  ["crop", "crop it"],
  ["pad", "pad it"],
  ["resize", "stretch it"],
];

export function translator(studio) {
  const { card, signal } = studio;
  const input = card.inputs.find((one) => one.layout === "NHWC");
  const [output] = card.outputs;
  const channels = input.shape.at(-1);
  const sides = longestSides(input);
  let [bitmap, fit, longest] = [null, "crop", sides[0]];
  const before = h("canvas", { class: "large", width: 1, height: 1, role: "img", "aria-label": "Input" });
  const after = h("canvas", { class: "large", width: 1, height: 1, role: "img", "aria-label": "Output" });
  const caption = h("figcaption", {}, "Input");
  const file = h("input", { type: "file", accept: "image/*", class: "hidden", onchange: () => open(file.files[0]) });
  const drop = h(
    "label",
    { class: "drop" },
    file,
    h("strong", {}, "Drop a picture here"),
    " or choose a file, or paste one",
  );
  const results = h(
    "div",
    { class: "pair", hidden: true },
    h("figure", {}, before, caption),
    h("figure", {}, after, h("figcaption", {}, "Output")),
  );
  const example = h(
    "figure",
    {},
    picture(card, studio.all),
    h("figcaption", {}, "Pictures, each with its translation on its right"),
  );

  const redraw = newest(async () => {
    if (!bitmap) return;
    const size = allowed(input, bitmap.height, bitmap.width, longest);
    const pixels = fromRgba(fitted(bitmap, size, FITS[fit]), channels);
    [results.hidden, example.hidden] = [false, true];
    paint(before, pixels, [...size, channels]);
    caption.textContent = `Input, ${size[1]} × ${size[0]}`;
    const feeds = { [input.name]: { data: fromUint8(pixels, input.range), shape: [1, ...size, channels] } };
    const result = await studio.run(feeds);
    if (!result) return;
    paint(after, toUint8(result.data, output.range), result.shape.slice(1));
    studio.say(`Translated by ${studio.by(result)}.`);
  });

  async function open(blob) {
    if (!blob) return;
    try {
      bitmap = await createImageBitmap(blob, { imageOrientation: "from-image" });
    } catch {
      return studio.fail(new Error(`${blob.name ?? "This"} is not a picture that the browser can read`));
    }
    redraw();
  }
  for (const [kind, over] of [
    ["dragenter", true],
    ["dragover", true],
    ["dragleave", false],
    ["drop", false],
  ]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", over);
      if (kind === "drop") open(event.dataTransfer.files[0]);
    });
  }
  document.addEventListener("paste", (event) => open(event.clipboardData.files[0]), { signal });
  const controls = [
    field(
      "If its shape does not fit",
      select(FIT_WORDS, fit, (value) => {
        fit = value;
        redraw();
      }),
    ),
    sides.length > 1
      ? field(
          "Longer side",
          select(
            sides.map((side, i) => [side, i ? `${side} px` : `${side} px, as in training`]),
            longest,
            (value) => {
              longest = Number(value);
              redraw();
            },
          ),
        )
      : null,
  ];
  return {
    element: h("div", { class: "translator" }, drop, results, example),
    controls,
    redraw,
    save: () => (bitmap ? savePng(after, `${card.name}.png`) : studio.say("There is no picture yet: drop one above.")),
  };
}
