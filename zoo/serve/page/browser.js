// Runs generators in this browser: the same .onnx file through onnxruntime-web, on WebGPU where there is one.

import { key } from "./server.js";

const RUNTIME = new URL("./vendor/ort.wasm.bundle.min.mjs", import.meta.url);

/** Why generators cannot run here; "" where they can. */
export async function obstacle() {
  if (typeof WebAssembly === "undefined") return "this browser has no WebAssembly";
  const there = await fetch(RUNTIME, { method: "HEAD" }).then(
    (answer) => answer.ok,
    () => false,
  );
  return there ? "" : "onnxruntime-web is not installed on the server; install it with: npm --prefix zoo/serve/page run setup";
}

/** Why WebGPU is not to be used; "" where it is. */
async function gpuObstacle() {
  if (!navigator.gpu) return "this browser does not support it";
  try {
    const adapter = await navigator.gpu.requestAdapter();
    if (!adapter) return "the browser finds no graphics card";
    return adapter.info?.isFallbackAdapter ? "the graphics card is only emulated" : "";
  } catch (error) {
    return error.message;
  }
}

export class Browser {
  title = "this browser";
  who = "this browser";
  #provider = null; // "webgpu" or "wasm", found out at the first run
  #reason = "";
  #threads = 1;
  #worker = null;
  #jobs = new Map();
  #count = 0;

  /** What it runs on, in words. */
  note() {
    if (!this.#provider) return "";
    if (this.#provider === "webgpu") return "WebGPU.";
    const threads = this.#threads === 1 ? "1 thread" : `${this.#threads} threads`;
    return `WebAssembly, ${threads}. Not WebGPU: ${this.#reason}.`;
  }

  /** Load a generator: what is timed afterwards is running it. */
  async prepare(card) {
    if (!this.#provider) {
      this.#reason = await gpuObstacle();
      this.#provider = this.#reason ? "wasm" : "webgpu";
    }
    this.#threads = (await this.#work(card, null)).threads;
  }

  /** Feeds of one block -> the raw output, {data: Float32Array, shape}. */
  run(card, feeds) {
    return this.#work(card, feeds);
  }

  async #work(card, feeds) {
    const provider = this.#provider;
    try {
      return await this.#post(provider, card, feeds);
    } catch (error) {
      if (provider === "wasm") throw error;
      if (this.#provider === "webgpu") {
        [this.#provider, this.#reason] = ["wasm", error.message];
        this.#stop("started again without WebGPU");
      }
      return this.#post("wasm", card, feeds);
    }
  }

  #post(provider, card, feeds) {
    const { url, sha256 } = card.file;
    const job = {
      id: ++this.#count,
      provider,
      url,
      sha256,
      headers: key.headers(),
      output: card.outputs[0].name,
      feeds,
    };
    return new Promise((resolve, reject) => {
      this.#jobs.set(job.id, { resolve, reject });
      this.#started().postMessage(job);
    });
  }

  #started() {
    if (this.#worker) return this.#worker;
    this.#worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data: { id, error, ...made } }) => {
      const job = this.#jobs.get(id);
      this.#jobs.delete(id);
      if (error === undefined) job?.resolve(made);
      else job?.reject(new Error(error));
    };
    this.#worker.onerror = (event) => this.#stop(event.message || "the worker could not be started");
    return this.#worker;
  }

  #stop(why) {
    this.#worker?.terminate();
    this.#worker = null;
    const waiting = [...this.#jobs.values()];
    this.#jobs.clear();
    for (const { reject } of waiting) reject(new Error(why));
  }
}
