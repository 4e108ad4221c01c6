// Talks to the server that this page came from. Every failure is an Error with one line for people.

import { decode, encode } from "./oip.js";

/** The server requires a key, or another one. */
export class Locked extends Error {}

/** The key that the person gave, kept until the page is left. */
export const key = {
  text: "",
  headers: () => (key.text ? { Authorization: `Bearer ${key.text}` } : {}),
};

/** The answer to a request; throws with the server's own words where it refuses. */
export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { ...options, headers: { ...options.headers, ...key.headers() } });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Error("The server does not answer. Is it still running?");
  }
  if (answer.ok) return answer;
  const words = await answer.json().then(
    (body) => body.error,
    () => null,
  );
  const wait = answer.headers.get("Retry-After");
  if (answer.status === 401) throw new Locked("This server requires a key.");
  throw new Error(`${words ?? `The server answered ${answer.status}`}${wait ? `; try again in ${wait} s` : ""}`);
}

/** An address that an <img> or a link can use as it stands: where a key is needed, that of a copy. */
export async function address(path) {
  return key.text ? URL.createObjectURL(await (await ask(path)).blob()) : path;
}

/** Whether the server has loaded all that it has. */
export const ready = () =>
  fetch("/v2/health/ready").then(
    (answer) => answer.ok,
    () => false,
  );

export const cards = async () => (await (await ask("/models")).json()).models;

/** Runs generators on the server. */
export const server = {
  title: "server",
  who: "the server",
  note: () => "",
  prepare: async () => {},

  /** Feeds of one block -> the raw output, {data: Float32Array, shape}. */
  async run(card, feeds, signal) {
    const output = card.outputs[0].name;
    const { body, length } = encode(feeds, output);
    const answer = await ask(`/v2/models/${encodeURIComponent(card.name)}/infer`, {
      method: "POST",
      headers: { "Content-Type": "application/octet-stream", "Inference-Header-Content-Length": String(length) },
      body,
      signal,
    });
    const header = Number(answer.headers.get("Inference-Header-Content-Length"));
    return decode(await answer.arrayBuffer(), header, output);
  },
};
