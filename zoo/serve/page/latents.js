// What a generator is fed: draws from the priors that the manifest states, and ways through them that stay inside.
// The counterpart of gan-zoo's priors.py; `draw(inputs, n, seed)` is what its `latents(n, seed)` returns.
// A tensor is {data: typed array, shape: [batch, ...]}; feeds map the names of inputs to tensors.

import { RandomState, crc32 } from "./random.js";
import { read } from "./text.js";

export const MAX_SEED = 2 ** 32 - 1;

const ARRAYS = { float32: Float32Array, int32: Int32Array, int64: BigInt64Array };

/** One random stream per input: they never share numbers, nor shift each other's. */
export const stream = (seed, name) => new RandomState([seed, crc32(name)]);

/** The shape of one row: an open side, of a map of latents, is that of the training. */
export const sides = (input) =>
  input.shape.slice(1).map((side) => (typeof side === "string" ? input.sizes[side].trained : side));

export const rowSize = (input) => sides(input).reduce((size, axis) => size * axis, 1);

/** Row `i` of a tensor, a view. */
export const row = (tensor, i) => {
  const size = tensor.data.length / tensor.shape[0];
  return tensor.data.subarray(i * size, (i + 1) * size);
};

const norm = (z) => Math.sqrt(z.reduce((sum, x) => sum + x * x, 0));

/** Straight line. */
export const lerp = (a, b, t) => a.map((x, i) => (1 - t) * x + t * b[i]);

/** Great circle (White 2016, section 2.1); parallel and opposite vectors have none and go straight. */
export function slerp(a, b, t) {
  const norms = norm(a) * norm(b);
  const cosine = norms > 0 ? a.reduce((sum, x, i) => sum + x * b[i], 0) / norms : 1;
  const omega = Math.acos(Math.min(1, Math.max(-1, cosine)));
  if (Math.sin(omega) < 1e-6) return lerp(a, b, t);
  const [left, right] = [Math.sin((1 - t) * omega), Math.sin(t * omega)];
  return a.map((x, i) => (left * x + right * b[i]) / Math.sin(omega));
}

/** From z along `way`, on the sphere of z's own norm: where N(0, 1) in many dimensions has all of its mass. */
function turn(z, way) {
  const moved = z.map((x, i) => x + way[i]);
  const scale = norm(z) / (norm(moved) || 1);
  return moved.map((x) => x * scale);
}

/** From z along `way` in the box [low, high], mirrored at its walls. */
function bounce(z, way, { low = -1, high = 1 }) {
  const width = high - low;
  return z.map((x, i) => {
    const place = (((x + way[i] - low) % (2 * width)) + 2 * width) % (2 * width);
    return low + (place <= width ? place : 2 * width - place);
  });
}

// For each prior: `fill` draws one row of float64, `between` walks from one to another, `move` leaves by a small way,
// `radius` is how far a row lies from the middle.
const PRIORS = {
  normal: {
    fill: (random, z) => z.map(() => random.normal()),
    between: slerp,
    move: turn,
    radius: norm,
  },
  uniform: {
    fill: (random, z, { low = -1, high = 1 }) => z.map(() => low + (high - low) * random.uniform()),
    between: lerp,
    move: bounce,
    radius: (z, { low = -1, high = 1 }) => (Math.sqrt(z.length) * (high - low)) / Math.sqrt(12),
  },
  sphere: {
    fill: (random, z) => {
      const drawn = z.map(() => random.normal());
      const scale = Math.sqrt(drawn.reduce((sum, x) => sum + x * x, 0) / z.length);
      return drawn.map((x) => x / scale);
    },
    between: slerp,
    move: turn,
    radius: norm,
  },
  // a number that a person may give; it stays where it is
  given: {
    fill: (random, z, { default: number }) => z.fill(number),
    between: (a) => a,
    move: (z) => z,
    radius: () => 1,
  },
};

/** The prior of an input, its arguments bound. Throws where there is none, or one that this page does not know. */
export function prior(input) {
  if (!input.prior) throw new Error(`the input "${input.name}" has no prior to be drawn from`);
  const [[name, args]] = Object.entries(input.prior);
  const found = PRIORS[name];
  if (!found) throw new Error(`the page does not know the prior "${name}" of input "${input.name}"`);
  return {
    fill: (random, z) => found.fill(random, z, args),
    between: (a, b, t) => Float32Array.from(found.between(Float64Array.from(a), Float64Array.from(b), t)),
    move: (z, way) => Float32Array.from(found.move(Float64Array.from(z), way, args)),
    radius: (z) => found.radius(z, args),
  };
}

/** A number for a code: one that is given stays within its limits, as everything else is refused; null for none. */
export function within({ prior }, value) {
  const { low, high } = prior?.given ?? {};
  return Number.isFinite(value) ? Math.min(high ?? Infinity, Math.max(low ?? -Infinity, value)) : null;
}

/** The inputs that a person may fix: texts, classes, and codes, which are single numbers beside other inputs. */
export const choosable = (inputs) =>
  inputs.filter(
    (input) => input.text || input.classes.length || (input.prior && inputs.length > 1 && rowSize(input) === 1),
  );

/**
 * Feeds of `n` rows: every input drawn from its prior, class ids and examples of texts uniformly; what `fixed` has by
 * name is in all rows. A text needs the vocabulary, `input.vocabulary`, see `text.js`.
 */
export function draw(inputs, n, seed, fixed = {}) {
  const feeds = {};
  for (const input of inputs) {
    const random = stream(seed, input.name);
    const make = input.text ? words : input.classes.length ? ids : noise;
    feeds[input.name] = make(input, n, random, fixed[input.name] ?? null);
  }
  return feeds;
}

function noise(input, n, random, code) {
  const size = rowSize(input);
  const data = new Float32Array(n * size);
  if (code !== null) return { data: data.fill(code), shape: [n, ...sides(input)] };
  const from = prior(input);
  for (let i = 0; i < n; i++) data.set(from.fill(random, new Float64Array(size)), i * size);
  return { data, shape: [n, ...sides(input)] };
}

function ids(input, n, random, label) {
  const data = new ARRAYS[input.dtype](n);
  const number = input.dtype === "int64" ? BigInt : Number;
  for (let i = 0; i < n; i++) data[i] = number(label ?? random.below(input.classes.length));
  return { data, shape: [n, ...sides(input)] };
}

/** The ids of the words of a text, or of the first example. */
export function wordIds(input, text = null) {
  const longest = input.shape[1];
  if (text !== null && !input.vocabulary) throw new Error(`the words of "${input.name}" are not known yet`);
  const found = text === null ? input.text.example_ids[0] : read(input.vocabulary, text, longest).ids;
  return Array.from({ length: longest }, (_, i) => found[i] ?? 0);
}

function words(input, n, random, text) {
  const { example_ids: examples } = input.text;
  const chosen = text === null ? null : wordIds(input, text);
  const longest = input.shape[1];
  const data = new ARRAYS[input.dtype](n * longest);
  for (let i = 0; i < n; i++) {
    const found = chosen ?? examples[random.below(examples.length)];
    for (let k = 0; k < Math.min(longest, found.length); k++) data[i * longest + k] = found[k];
  }
  return { data, shape: [n, longest] };
}

/** Rows start..stop of all feeds. */
export function slice(feeds, start, stop) {
  const cut = ({ data, shape: [n, ...rest] }) => {
    const size = data.length / n;
    return { data: data.slice(start * size, stop * size), shape: [stop - start, ...rest] };
  };
  return Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, cut(tensor)]));
}

/** Feeds of `rows.length` rows from one-row feeds with the input `name` replaced by each of `rows`. */
export function vary(feeds, name, rows) {
  const repeat = (tensor) => {
    const data = new tensor.data.constructor(tensor.data.length * rows.length);
    rows.forEach((_, i) => data.set(tensor.data, i * tensor.data.length));
    return { data, shape: [rows.length, ...tensor.shape.slice(1)] };
  };
  const varied = Object.fromEntries(Object.entries(feeds).map(([key, tensor]) => [key, repeat(tensor)]));
  rows.forEach((z, i) => varied[name].data.set(z, i * z.length));
  return varied;
}

/**
 * Feeds of a closed walk: `n` frames through the first `stops` latents of `seed` and back to the first, each leg along
 * the path of its prior. What is `fixed` stays, and so do classes: those that the seed draws first.
 */
export function loop(inputs, n, seed, stops, fixed = {}) {
  const ends = draw(inputs, stops, seed, fixed);
  const feeds = {};
  for (const input of inputs) {
    const from = ends[input.name];
    const rows = [];
    for (let i = 0; i < n; i++) {
      const place = (i * stops) / n; // whole at a stop
      const leg = Math.floor(place);
      const [a, b] = [row(from, leg), row(from, (leg + 1) % stops)];
      rows.push(input.text || input.classes.length ? row(from, 0) : prior(input).between(a, b, place - leg));
    }
    const data = new from.data.constructor(rows.length * rows[0].length);
    rows.forEach((one, i) => data.set(one, i * one.length));
    feeds[input.name] = { data, shape: [n, ...sides(input)] };
  }
  return feeds;
}
