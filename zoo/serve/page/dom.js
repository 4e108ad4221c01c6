// Small helpers that make elements. Text goes in as text: nothing here parses HTML.

import { address, key } from "./server.js";

/** An element with attributes, "on..." listeners and children (nodes, texts; null is left out). */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** A link to a file of the server, which a key may guard. `name` is the file's name here; without it, it is opened. */
export function link(href, text, { name = null, ...attributes } = {}) {
  const open = async (event) => {
    if (!key.text) return;
    event.preventDefault();
    const copy = await address(href);
    h("a", { href: copy, download: name, target: name ? null : "_blank" }).click();
    setTimeout(() => URL.revokeObjectURL(copy), 60e3);
  };
  return h("a", { href, download: name, onclick: open, ...attributes }, text);
}

/** A control below its label. */
export const field = (text, control) => h("label", { class: "field" }, h("span", {}, text), control);

/** A <select> of [value, text] pairs. */
export function select(options, chosen, onchange) {
  const made = options.map(([value, text]) => h("option", { value, selected: String(value) === String(chosen) }, text));
  return h("select", { onchange: (event) => onchange(event.target.value) }, made);
}

let groups = 0;

/** A row of which one is chosen: {value: {text, disabled, detail}} as radio buttons. */
export function segments(legend, options, chosen, onchange) {
  const name = `group-${++groups}`;
  const one = ([value, { text, disabled = false, detail = null }]) =>
    h(
      "label",
      {},
      h("input", { type: "radio", name, value, disabled, checked: value === chosen, onchange: () => onchange(value) }),
      h("span", {}, text, detail),
    );
  return h("fieldset", { class: "segments" }, h("legend", {}, legend), Object.entries(options).map(one));
}
