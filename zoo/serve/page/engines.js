// The switch "server / this browser": who runs a generator, how long it took, and whether both made the same.

import { h, segments } from "./dom.js";
import { slice } from "./latents.js";

const BLOCK = 16; // rows of a request: pictures appear as they come, and no request is large

export class Engines {
  #chosen = "server";
  #times = {}; // engine -> {ms, rows} of the last run
  #view = null;
  #heard = () => {};

  /** `known`: {name: engine}, `off`: {name: why it cannot be chosen}. */
  constructor(known, off) {
    this.known = known;
    this.off = off;
  }

  /** The chosen one, in a sentence. */
  get who() {
    return this.known[this.#chosen].who;
  }

  /** The switch as an element; `onchange` is called when another engine is chosen. */
  panel(onchange) {
    this.#times = {};
    this.#heard = onchange;
    const times = {};
    const options = Object.entries(this.known).map(([name, { title }]) => {
      times[name] = h("small", { "data-time": name });
      return [name, { text: title, disabled: Boolean(this.off[name]), detail: times[name] }];
    });
    const choose = (name) => {
      this.#chosen = name;
      this.#heard(name);
    };
    const group = segments("Run on", Object.fromEntries(options), this.#chosen, choose);
    const note = h("p", { class: "note" });
    this.#view = { times, note };
    this.#show();
    return h("div", { class: "engines" }, group, note);
  }

  /**
   * Run feeds of any number of rows in blocks: {data, shape}. `onrows(data, shape, start)` sees each block as it
   * comes. The time is from the first question to the last answer; loading comes before it.
   */
  async run(card, feeds, { signal, onrows = () => {}, block = BLOCK } = {}) {
    const name = this.#chosen;
    const engine = this.known[name];
    await engine.prepare(card);
    const rows = Object.values(feeds)[0].shape[0];
    const begin = performance.now();
    let result = null;
    for (let start = 0; start < rows; start += block) {
      signal?.throwIfAborted();
      const made = await engine.run(card, slice(feeds, start, Math.min(start + block, rows)), signal);
      signal?.throwIfAborted();
      const size = made.data.length / made.shape[0];
      result ??= { data: new Float32Array(rows * size), shape: [rows, ...made.shape.slice(1)] };
      result.data.set(made.data, start * size);
      onrows(made.data, made.shape, start);
    }
    this.#times[name] = { ms: performance.now() - begin, rows };
    this.#show();
    return { ...result, ms: this.#times[name].ms, engine: name };
  }

  #show() {
    for (const [name, element] of Object.entries(this.#view.times)) {
      const time = this.#times[name];
      element.textContent = time ? `${milliseconds(time.ms)}${time.rows > 1 ? ` for ${time.rows}` : ""}` : "";
    }
    const reasons = Object.entries(this.off).filter(([, why]) => why);
    const why = reasons.map(([name, reason]) => `Not on ${this.known[name].title}: ${reason}.`);
    this.#view.note.textContent = why.join(" ") || this.known[this.#chosen].note();
  }
}

export const milliseconds = (ms) =>
  ms < 10 ? `${ms.toFixed(1)} ms` : ms < 1e4 ? `${Math.round(ms)} ms` : `${(ms / 1e3).toFixed(1)} s`;
