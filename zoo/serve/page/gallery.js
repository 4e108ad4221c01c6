// The gallery: a card for every generator of the zoo.

import { h } from "./dom.js";
import { address } from "./server.js";
import { authors, bytes, output, parameters } from "./words.js";

export function gallery(cards) {
  const kinds = cards.length === 1 ? "1 generator" : `${cards.length} generators`;
  return h(
    "div",
    { class: "gallery" },
    h("h1", { tabindex: "-1" }, "The zoo"),
    h(
      "p",
      { class: "lead" },
      cards.length
        ? `${kinds}, each a single ONNX file that needs no framework. Open one to draw with it, on the server or in this browser.`
        : "No generator is ready yet: the server is still loading them, or its folder is empty (zoo build trains one).",
    ),
    h(
      "ul",
      { class: "cards" },
      cards.map((facts) => card(facts, cards)),
    ),
  );
}

function card(facts, all) {
  return h(
    "li",
    {},
    h(
      "a",
      { class: "card", href: `#/${encodeURIComponent(facts.name)}` },
      picture(facts, all),
      h("h2", {}, facts.title),
      h("p", {}, authors(facts)),
      h("code", {}, facts.name),
      h(
        "ul",
        { class: "tags" },
        [output(facts), parameters(facts.parameters), bytes(facts.file.bytes), facts.licence]
          .filter(Boolean)
          .map((text) => h("li", {}, text)),
      ),
    ),
  );
}

/** The artifact that a translator belongs to: `cyclegan` of `cyclegan_a_to_b`. */
const artifact = ({ name, inputs, outputs }) => name.replace(`_${inputs[0].name}_to_${outputs[0].name}`, "");

/** The card's picture; a generator without one shows its initial. Two translators share a sheet, one half each. */
export function picture(facts, all) {
  const pair = all.filter((one) => one.kind === "translation" && artifact(one) === artifact(facts));
  const frame = h("div", { class: `frame ${facts.kind}${pair.indexOf(facts) > 0 ? " lower" : ""}` });
  const initial = () => frame.replaceChildren(h("span", { "aria-hidden": "true" }, facts.title[0]));
  const image = h("img", { alt: `Made by ${facts.title}`, loading: "lazy", onerror: initial });
  if (facts.samples) address(facts.samples).then((src) => (image.src = src), initial);
  facts.samples ? frame.append(image) : initial();
  return frame;
}
