// What a seed draws: a grid of pictures, one of which is chosen, and the controls that say which.

import { field, h, select } from "./dom.js";
import { paint, savePng, sheet } from "./draw.js";
import { MAX_SEED, choosable, draw, slice, within } from "./latents.js";
import { newest } from "./newest.js";
import { difference, toUint8 } from "./pixels.js";
import { complaint, read } from "./text.js";

const NUMBERS = [1, 4, 9, 16, 25, 36, 64];

/** Seed, number, classes and codes as form controls; `onchange` is called with what changed. Points have other numbers. */
export function controls(studio, onchange, numbers = NUMBERS) {
  const { card, place } = studio;
  const seed = h("input", {
    type: "number",
    min: 0,
    max: MAX_SEED,
    step: 1,
    value: place.seed,
    onchange: () => {
      const wanted = Math.round(seed.valueAsNumber);
      seed.value = Number.isFinite(wanted) ? Math.min(MAX_SEED, Math.max(0, wanted)) : 0;
      onchange({ seed: Number(seed.value) });
    },
  });
  const another = h(
    "button",
    {
      type: "button",
      onclick: () => {
        seed.value = crypto.getRandomValues(new Uint32Array(1))[0] % 100000;
        onchange({ seed: Number(seed.value) });
      },
    },
    "Another seed",
  );
  const chosen = choosable(card.inputs);
  const single = chosen.filter((input) => input.classes.length).length === 1;
  const choice = (input) => {
    if (input.text) return field("What they show", words(input, studio, onchange));
    return input.classes.length
      ? field(single ? "Class" : input.name, menu(input, place, onchange))
      : field(input.name, code(input, place, onchange));
  };
  return [
    h("div", { class: "row" }, field("Seed", seed), another),
    field(
      "How many",
      select(
        numbers.map((n) => [n, n]),
        place.n,
        (n) => onchange({ n: Number(n) }),
      ),
    ),
    ...chosen.map(choice),
  ];
}

function menu({ name, classes }, place, onchange) {
  const options = [["", "mixed"], ...classes.map((text, id) => [id, text])];
  return select(options, place[name] ?? "", (id) => onchange({ [name]: id === "" ? null : Number(id) }));
}

/** A text, in words; an empty one is drawn from the examples. What the generator does not know is said. */
function words({ name, text, shape }, studio, onchange) {
  const input = h("input", {
    type: "text",
    placeholder: text.examples[0],
    value: studio.place[name] ?? "",
    maxlength: 20000,
    onchange: async () => {
      try {
        const index = await studio.vocabulary();
        const wanted = input.value.trim();
        studio.leftOut = wanted ? complaint(read(index, wanted, shape[1])) : "";
        onchange({ [name]: wanted || null });
      } catch (error) {
        studio.fail(error);
      }
    },
  });
  return input;
}

/** A number for a code; an empty one is drawn from its prior, or the default of one that is given. */
function code(one, place, onchange) {
  const { name, prior } = one;
  const { low = null, high = null } = Object.values(prior)[0];
  const limits = low === null || high === null ? "" : ` in ${low} to ${high}`;
  const input = h("input", {
    type: "number",
    step: 0.1,
    min: prior.given?.low ?? null,
    max: prior.given?.high ?? null,
    placeholder: prior.given ? `${prior.given.default}${limits}` : `drawn${limits}`,
    value: place[name] ?? "",
    onchange: () => {
      const value = within(one, input.valueAsNumber);
      input.value = value ?? "";
      onchange({ [name]: value });
    },
  });
  return input;
}

export const NUMBERS_OF = { images: NUMBERS, points: [256, 1024, 4096] };

/**
 * The grid. `onpick` gets the chosen picture, {index, feeds, pixels, shape}, now and after every change; `ondraw` the
 * first one, where a walk begins, after each drawing.
 */
export function pictures(studio, { onpick, ondraw }) {
  const { card } = studio;
  const grid = h("div", { class: "grid", role: "radiogroup", "aria-label": "Pictures: choose one to shape" });
  const range = card.outputs[0].range;
  let [cells, feeds, rows, shape, picked] = [[], null, [], null, 0];
  const drawn = {}; // engine -> {key, pixels} of its last sheet

  const pick = (index, focus = false) => {
    picked = Math.min(index, cells.length - 1);
    cells.forEach(({ button }, i) => {
      button.setAttribute("aria-checked", i === picked);
      button.tabIndex = i === picked ? 0 : -1;
    });
    if (focus) cells[picked].button.focus();
    if (rows[picked]) onpick({ index: picked, feeds: slice(feeds, picked, picked + 1), pixels: rows[picked], shape });
  };
  grid.addEventListener("keydown", (event) => {
    const columns = Math.ceil(Math.sqrt(cells.length));
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (!step) return;
    event.preventDefault();
    pick(Math.min(cells.length - 1, Math.max(0, picked + step)), true);
  });

  function layOut(n) {
    if (cells.length === n) return;
    cells = Array.from({ length: n }, (_, i) => {
      const canvas = h("canvas", { width: 1, height: 1 });
      const label = `picture ${i + 1} of ${n}`;
      const button = h(
        "button",
        { type: "button", role: "radio", "aria-label": label, onclick: () => pick(i) },
        canvas,
      );
      return { button, canvas };
    });
    grid.className = `grid columns-${Math.ceil(Math.sqrt(n))}`;
    grid.replaceChildren(...cells.map(({ button }) => button));
  }

  const redraw = newest(async () => {
    const { seed, n, ...fixed } = studio.place;
    const asked = draw(card.inputs, n, seed, fixed);
    const made = [];
    layOut(n);
    grid.setAttribute("aria-busy", "true");
    const result = await studio.run(asked, {
      onrows(data, [count, ...rest], start) {
        const pixels = toUint8(data, range);
        const size = pixels.length / count;
        shape = rest;
        for (let i = 0; i < count; i++) {
          made.push(pixels.subarray(i * size, (i + 1) * size));
          paint(cells[start + i].canvas, made.at(-1), rest);
        }
      },
    });
    grid.setAttribute("aria-busy", "false");
    if (!result) return;
    [feeds, rows] = [asked, made];
    studio.say(
      `${n === 1 ? "1 picture" : `${n} pictures`} from ${studio.by(result)}.${agreement(result.engine, made)}` +
        (studio.leftOut ? ` Of the text: ${studio.leftOut}.` : ""),
    );
    pick(picked);
    ondraw({ pixels: rows[0], shape });
  });

  /** What can be said when both ways have drawn the same. */
  function agreement(engine, made) {
    const key = JSON.stringify(studio.place);
    drawn[engine] = { key, made };
    const other = Object.entries(drawn).find(([name, sheet]) => name !== engine && sheet.key === key);
    if (!other) return "";
    const most = made.reduce((worst, pixels, i) => Math.max(worst, difference(pixels, other[1].made[i])), 0);
    return ` Server and browser differ by at most ${most} of 255.`;
  }

  const save = () => {
    const canvases = cells.map(({ canvas }) => canvas);
    savePng(sheet(canvases, Math.ceil(Math.sqrt(canvases.length))), `${card.name}-seed-${studio.place.seed}.png`);
  };
  return { element: grid, redraw, save };
}
