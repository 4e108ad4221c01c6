// What one takes along: files, and lines of code for one's own program.

import { h, link, segments } from "./dom.js";
import { snippets } from "./snippets.js";
import { bytes } from "./words.js";

/** The panel; `refresh()` writes the snippets anew for the present seed, number and class. */
export function take(studio, save) {
  const { card } = studio;
  const code = h("code");
  const copied = h("span", { role: "status", class: "note" });
  let language = "Python";
  const refresh = () => {
    code.textContent = snippets(card, location.origin, studio.place)[language];
    copied.textContent = "";
  };
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      copied.textContent = "Copied";
    } catch {
      // no permission, or no secure context: select it, for the person to copy
      getSelection().selectAllChildren(code);
      copied.textContent = "Selected: press Ctrl+C";
    }
  };
  const languages = Object.fromEntries(["Python", "JavaScript", "curl"].map((name) => [name, { text: name }]));
  const choose = (name) => {
    language = name;
    refresh();
  };
  const element = h(
    "section",
    { class: "panel take" },
    h("h2", {}, "Take it with you"),
    h(
      "div",
      { class: "row" },
      h("button", { type: "button", class: "main", onclick: save }, "Save as PNG"),
      link(card.file.url, `Download .onnx (${bytes(card.file.bytes)})`, { name: `${card.name}.onnx`, class: "button" }),
    ),
    h(
      "div",
      { class: "row" },
      segments("In your program", languages, language, choose),
      h("button", { type: "button", onclick: copy }, "Copy"),
      copied,
    ),
    h("pre", { tabindex: "0" }, code),
  );
  return { element, refresh };
}
