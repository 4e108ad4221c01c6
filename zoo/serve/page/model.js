// The page of one generator: it puts the panels together and gives them what they share, the studio.

import { h, link } from "./dom.js";
import { milliseconds } from "./engines.js";
import { choosable, rowSize, within } from "./latents.js";
import { NUMBERS_OF, controls, pictures } from "./pictures.js";
import { plot } from "./plot.js";
import { address, ask } from "./server.js";
import { shape } from "./shape.js";
import { take } from "./take.js";
import { RULE, complaint, read, vocabulary } from "./text.js";
import { translator } from "./translate.js";
import { walk } from "./walk.js";
import { authors, bytes, count, output, tensor } from "./words.js";

const DEFAULTS = { images: 16, points: 1024, translation: 1 };

/** `place` from the address: "seed=3&n=16&label=7&slant=0.5". What cannot be is left out. */
function placeOf(card, query) {
  const whole = (name, low, high) => {
    const value = Number(query.get(name) ?? NaN);
    return Number.isInteger(value) && value >= low && value <= high ? value : null;
  };
  const number = (input) => within(input, Number(query.get(input.name) ?? NaN));
  const chosen = choosable(card.inputs).map((input) => {
    const { name, classes, text } = input;
    return [name, text ? query.get(name) || null : classes.length ? whole(name, 0, classes.length - 1) : number(input)];
  });
  return {
    seed: whole("seed", 0, 2 ** 32 - 1) ?? 0,
    n: NUMBERS_OF[card.kind]?.find((n) => n === whole("n", 1, 4096)) ?? DEFAULTS[card.kind],
    ...Object.fromEntries(chosen),
  };
}

/** The element for `card`, one of `all`; it stops working when `signal` aborts. `query` holds what the address says. */
export function modelPage(card, { all, query, engines, signal }) {
  const status = h("p", { role: "status", class: "status" });
  const place = placeOf(card, query);
  const studio = {
    card,
    all,
    place,
    signal,
    say(text) {
      status.classList.remove("failed");
      status.textContent = text;
    },
    fail(error) {
      if (signal.aborted) return;
      status.classList.add("failed");
      status.textContent = error.message;
    },
    by: ({ engine, ms }) => `${engines.known[engine].who} in ${milliseconds(ms)}`,
    /** As Engines.run; null after a failure, of which the person has been told. */
    async run(feeds, options = {}) {
      const [before, waiting] = [status.textContent, `Waiting for ${engines.who} ...`];
      const patience = setTimeout(() => studio.say(waiting), 500);
      try {
        return await engines.run(card, feeds, { signal, ...options });
      } catch (error) {
        studio.fail(error);
        return null;
      } finally {
        clearTimeout(patience);
        if (status.textContent === waiting) studio.say(before);
      }
    },
    leftOut: "", // of the text: words that are unknown or too many
    /** The ids by word of a generator that reads texts; its inputs have them too from then on. */
    async vocabulary() {
      const input = card.inputs.find((one) => one.text);
      if (!input || input.vocabulary) return input?.vocabulary;
      if (input.text.rule !== RULE) throw new Error(`This page does not know the rule "${input.text.rule}" of its words.`);
      const file = `/models/${encodeURIComponent(card.name)}/vocabulary.txt`; // whatever its own name
      input.vocabulary = vocabulary(await (await ask(file, { signal })).text());
      if (place[input.name]) studio.leftOut = complaint(read(input.vocabulary, place[input.name], input.shape[1]));
      return input.vocabulary;
    },
    /** Call `redraw` when the window's size or colours change: canvases do not follow by themselves. */
    onlook(redraw) {
      window.addEventListener("resize", redraw, { signal });
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw, { signal });
    },
  };
  const kind = KINDS[card.kind](studio);
  const panel = take(studio, kind.save);
  const redraw = () => studio.vocabulary().then(kind.redraw).catch(studio.fail);
  studio.change = (changes) => {
    Object.assign(place, changes);
    const query = new URLSearchParams(Object.entries(place).filter(([, value]) => value !== null));
    history.replaceState(null, "", `#/${encodeURIComponent(card.name)}?${query}`);
    redraw();
    panel.refresh();
  };
  panel.refresh();
  queueMicrotask(redraw); // when the element stands in the page
  return h(
    "article",
    { class: `model ${card.kind}` },
    h("nav", {}, h("a", { href: "#/" }, "← All generators")),
    h("h1", { tabindex: "-1" }, card.title),
    h(
      "p",
      { class: "lead" },
      h("code", {}, card.name),
      ["", authors(card), output(card)].filter((text, i) => text || !i).join(" · "),
    ),
    h(
      "div",
      { class: "stage" },
      h("div", { class: "view" }, kind.element, status),
      h(
        "form",
        { class: "controls", onsubmit: (event) => event.preventDefault() },
        engines.panel(redraw),
        kind.controls,
      ),
    ),
    kind.panels ? h("div", { class: "panels" }, kind.panels) : null,
    panel.element,
    card.game ? game(card.game) : null,
    facts(card),
  );
}

/** The drawing of the game that trained the generator, as it came with it. */
function game(path) {
  const image = h("img", { alt: "What each phase of a training step computes, trains and minimises" });
  const panel = h("section", { class: "panel game" }, h("h2", {}, "The game it learnt by"), image);
  address(path).then(
    (src) => (image.src = src),
    () => panel.remove(),
  );
  return panel;
}

// What differs between kinds of generators: {element, redraw, save, controls, panels}.
const KINDS = {
  images(studio) {
    const latents = studio.card.inputs.filter((input) => input.prior);
    const latent = latents.sort((a, b) => rowSize(b) - rowSize(a))[0];
    const [one, way] = [latent && shape(studio, latent), walk(studio)];
    const main = pictures(studio, { onpick: (picture) => one?.show(picture), ondraw: way.reset });
    return {
      ...main,
      controls: controls(studio, (changes) => studio.change(changes)),
      panels: [one?.element, way.element],
    };
  },
  points(studio) {
    const way = walk(studio);
    const main = plot(studio, (points, extent) => way.reset({ points, extent }));
    const numbers = NUMBERS_OF.points;
    return { ...main, controls: controls(studio, (changes) => studio.change(changes), numbers), panels: [way.element] };
  },
  translation: translator,
};

function facts(card) {
  const { paper = {}, data = {} } = card;
  const outside = (href, text) => h("a", { href, rel: "noreferrer" }, text);
  const known = [
    [
      "Paper",
      paper.title && [
        `${authors(card)}, `,
        h("cite", {}, paper.title),
        ...(paper.arxiv ? [", ", outside(`https://arxiv.org/abs/${paper.arxiv}`, `arXiv ${paper.arxiv}`)] : []),
      ],
    ],
    [
      "Training data",
      data.title && [
        data.homepage ? outside(data.homepage, data.title) : data.title,
        ...(data.licence ? [`, ${data.licence}`] : []),
      ],
    ],
    ["Licence of the weights", card.licence],
    ["Parameters", card.parameters && count(card.parameters)],
    ["Inputs", card.inputs.map((input) => h("div", {}, h("code", {}, tensor(input))))],
    ["Outputs", card.outputs.map((made) => h("div", {}, h("code", {}, tensor(made))))],
    ["Largest difference from Keras", card.parity === 0 ? "none" : card.parity?.toExponential(1)],
    ["File", [`${bytes(card.file.bytes)}, SHA-256 `, h("code", {}, card.file.sha256)]],
    ["Model card", card.card && link(card.card, "how it was made, and how it differs from the paper")],
  ];
  const list = known
    .filter(([, value]) => value)
    .map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value)));
  return h("section", { class: "panel facts" }, h("h2", {}, "About this generator"), h("dl", {}, list));
}
