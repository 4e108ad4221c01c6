// Starts the page and follows the address: "#/" is the gallery, "#/dcgan?seed=3" a generator.

import { Browser, obstacle } from "./browser.js";
import { field, h } from "./dom.js";
import { Engines } from "./engines.js";
import { gallery } from "./gallery.js";
import { modelPage } from "./model.js";
import { Locked, cards, key, ready, server } from "./server.js";

const main = document.querySelector("main");
const engines = new Engines({ server, browser: new Browser() }, { browser: await obstacle() });
let leave = new AbortController();
let first = true;

async function view(name, query, signal) {
  const known = await cards();
  if (!name) return ["gan-zoo", gallery(known)];
  const card = known.find((one) => one.name === name);
  if (!card) throw new Error(`There is no generator "${name}" here.`);
  return [`${card.title} · gan-zoo`, modelPage(card, { all: known, query, engines, signal })];
}

const locked = () =>
  h(
    "form",
    {
      class: "gallery",
      onsubmit: (event) => {
        event.preventDefault();
        key.text = event.target.elements.key.value;
        show();
      },
    },
    h("h1", { tabindex: "-1" }, "This server requires a key"),
    h(
      "div",
      { class: "row key" },
      field("Key", h("input", { name: "key", type: "password", autocomplete: "current-password", required: true })),
      h("button", { class: "main" }, "Open"),
    ),
  );

const sorry = (error) =>
  h(
    "div",
    { class: "gallery" },
    h("h1", { tabindex: "-1" }, "Something went wrong"),
    h("p", { class: "lead", role: "alert" }, error.message),
    h(
      "div",
      { class: "row" },
      h("button", { type: "button", class: "main", onclick: show }, "Try again"),
      h("a", { class: "button", href: "#/" }, "All generators"),
    ),
  );

async function show() {
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  let [title, element] = [];
  try {
    [title, element] = await view(decodeURIComponent(path), new URLSearchParams(search), signal);
  } catch (error) {
    [title, element] = ["gan-zoo", error instanceof Locked ? locked() : sorry(error)];
  }
  if (signal.aborted) return;
  document.title = title;
  main.replaceChildren(element);
  if (!first) main.querySelector("h1").focus(); // where a reader goes on; the browser itself begins at the top
  first = false;
  scrollTo(0, 0);
  if (!main.querySelector(".model") && !(await ready()) && !signal.aborted)
    setTimeout(() => signal.aborted || show(), 1000);
}

addEventListener("hashchange", show);
await show();
