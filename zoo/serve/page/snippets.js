// The lines that do elsewhere what the page does here. Each runs as it stands; only the place of files is the reader's.

import { choosable, rowSize, sides, wordIds } from "./latents.js";
import { drawnShape } from "./words.js";

const quoted = (text) => JSON.stringify(text);
const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

const MODES = { 1: "L", 3: "RGB", 4: "RGBA" }; // of Pillow, by the number of channels

/** {Python, JavaScript, curl} for a generator at `origin`, with the seed, number, classes and codes of `place`. */
export function snippets(card, origin, place) {
  const address = `${origin}/models/${encodeURIComponent(card.name)}`;
  const make = card.kind === "translation" ? translation : drawing;
  return make(card, address, place);
}

function drawing(card, address, { seed, n, ...place }) {
  const fixed = choosable(card.inputs).filter(({ name }) => (place[name] ?? null) !== null);
  const chosen = fixed.map(({ name, classes }) => [name, classes.length ? classes[place[name]] : place[name]]);
  const written = card.inputs.find((input) => input.text);
  const { label, [written?.name]: text, ...inputs } = Object.fromEntries(chosen);
  const named = Object.keys(inputs).length ? { inputs } : {};
  const result = `${card.outputs[0].range ? "uint8" : "float32"} [${[n, ...drawnShape(card)].join(", ")}]`;
  return {
    Python: [
      `# pip install 'gan-zoo[cpu]', and ${card.name}.onnx from "Download .onnx"`,
      ...(written ? [`# and beside it, as ${written.text.vocabulary}, ${address}/vocabulary.txt`] : []),
      "import zoo",
      "",
      `generator = zoo.load("${card.name}.onnx")`,
      `${card.kind} = generator.sample(${n}, seed=${seed}${chosen.map(([name, value]) => `, ${name}=${quoted(value)}`).join("")})  # ${result}`,
    ].join("\n"),
    JavaScript: [...loading(address), ...feeding(card, n, place), ...running(card)].join("\n"),
    curl: [
      `curl ${address}/sample \\`,
      "  -H 'Content-Type: application/json' \\",
      `  -d ${shell(JSON.stringify({ n, seed, ...(label === undefined ? {} : { label }), ...(text === undefined ? {} : { text }), ...named }))} -o ${card.name}.png`,
    ].join("\n"),
  };
}

function translation(card, address) {
  const input = card.inputs.find((one) => one.layout === "NHWC");
  const [height, width] = input.sizes
    ? [input.sizes.height.trained, input.sizes.width.trained]
    : input.shape.slice(1, 3);
  const shape = [1, height, width, input.shape.at(-1)];
  const [low, high] = input.range;
  return {
    Python: [
      `# pip install 'gan-zoo[cpu]', and ${card.name}.onnx from "Download .onnx"`,
      "import numpy as np",
      "import zoo",
      "from PIL import Image",
      "",
      `photo = Image.open("photo.png").convert("${MODES[input.shape.at(-1)]}")${input.sizes ? "" : `.resize((${width}, ${height}))`}`,
      `pixels = np.asarray(photo)${input.shape.at(-1) === 1 ? "[..., None]" : ""}  # uint8 [${input.sizes ? "any height, width" : `${height}, ${width}`}, ${input.shape.at(-1)}]`,
      `result = zoo.load("${card.name}.onnx").translate(pixels)  # uint8, of the same size`,
      `Image.fromarray(result.squeeze()).save("translated.png")`,
    ].join("\n"),
    JavaScript: [
      ...loading(address),
      `const pixels = new Uint8Array(${shape.join(" * ")}); // your picture: rows of ${input.shape.at(-1) === 1 ? "grey" : "r, g, b"}`,
      `const data = Float32Array.from(pixels, (x) => (x / 255) * ${high - low} + ${low});`,
      `const feeds = { ${quoted(input.name)}: new ort.Tensor("float32", data, [${shape.join(", ")}]) };`,
      ...running(card),
    ].join("\n"),
    curl: [
      `curl '${address}/translate${input.sizes ? "" : "?fit=crop"}' \\`,
      "  -H 'Content-Type: image/png' --data-binary @photo.png -o translated.png",
    ].join("\n"),
  };
}

const loading = (address) => [
  "// npm install onnxruntime-web",
  'import * as ort from "onnxruntime-web";',
  "",
  `const file = await fetch("${address}/model.onnx");`,
  "const session = await ort.InferenceSession.create(await file.arrayBuffer());",
];

const NORMAL =
  "const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());";

/** Lines that draw each input from its prior, or fill it with what `place` has for it. */
function feeding(card, n, place) {
  const noise = card.inputs.filter((input) => input.prior && (place[input.name] ?? null) === null);
  const kinds = new Set(noise.map((input) => Object.keys(input.prior)[0]));
  const lines = kinds.has("normal") || kinds.has("sphere") ? [NORMAL] : [];
  if (kinds.has("sphere")) {
    lines.push(
      "const sphere = (size) => {",
      "  const z = Array.from({ length: size }, normal);",
      "  const scale = Math.sqrt(z.reduce((sum, x) => sum + x * x, 0) / size);",
      "  return z.map((x) => x / scale);",
      "};",
    );
  }
  const feeds = card.inputs.map(
    (input) =>
      `  ${quoted(input.name)}: ${(input.text ? words : input.prior ? latent : ids)(input, n, place[input.name] ?? null)},`,
  );
  return [...lines, "const feeds = {", ...feeds, "};"];
}

function latent(input, n, code) {
  const [[kind, { low = -1, high = 1, default: number }]] = Object.entries(input.prior);
  const size = rowSize(input);
  const values = {
    normal: `Float32Array.from({ length: ${n} * ${size} }, normal)`,
    uniform: `Float32Array.from({ length: ${n} * ${size} }, () => ${low} + ${high - low} * Math.random())`,
    sphere: `Float32Array.from(Array.from({ length: ${n} }, () => sphere(${size})).flat())`,
    given: `new Float32Array(${n} * ${size}).fill(${number})`,
  };
  const made = code === null ? values[kind] : `new Float32Array(${n} * ${size}).fill(${code})`;
  return `new ort.Tensor("float32", ${made}, [${[n, ...sides(input)].join(", ")}])`;
}

/** Ids of words: those of the text, or of the first example where they are not known yet, or none of them is known. */
function words(input, n, text) {
  let row = wordIds(input);
  try {
    if (input.vocabulary) row = wordIds(input, text);
  } catch {
    // the drawing says what is wrong with the text
  }
  const found = JSON.stringify(row);
  return `new ort.Tensor("int32", Int32Array.from(Array(${n}).fill(${found}).flat()), [${n}, ${input.shape[1]}])`;
}

function ids(input, n, label) {
  const [array, unit] =
    input.dtype === "int64" ? ["BigInt64Array", (text) => `BigInt(${text})`] : ["Int32Array", (text) => text];
  const drawn =
    label === null ? `() => ${unit(`Math.floor(${input.classes.length} * Math.random())`)}` : `() => ${unit(label)}`;
  return `new ort.Tensor("${input.dtype}", ${array}.from({ length: ${n} }, ${drawn}), [${[n, ...sides(input)].join(", ")}])`;
}

function running(card) {
  const [{ name, range }] = card.outputs;
  const limits = range ? ` in [${range.join(", ")}]` : "";
  return [`const made = (await session.run(feeds))[${quoted(name)}]; // made.dims, made.data: float32${limits}`];
}
