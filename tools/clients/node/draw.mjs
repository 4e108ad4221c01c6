// Draws with onnxruntime-node and checks that the images are those of golden.npz.
//
//     npm ci && node draw.mjs ../../../exported/dcgan .
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32, deflateSync } from "node:zlib";
import * as ort from "onnxruntime-node";
import { readNpz } from "../npz.mjs";
import { read, vocabulary } from "../text.mjs";

const TOLERANCE = 1e-4;  // between processors
const [artifact, out = "."] = process.argv.slice(2);
if (!artifact) {
  console.error("usage: node draw.mjs ARTIFACT [FOLDER FOR PNG FILES]");
  process.exit(2);
}
const manifest = JSON.parse(readFileSync(join(artifact, "manifest.json")));
for (const facts of manifest.networks ?? [manifest]) await draw(facts);

async function draw({ name, network, inputs, outputs: [output] }) {
  const session = await ort.InferenceSession.create(join(artifact, network ? `${network}.onnx` : "generator.onnx"));
  const file = readFileSync(join(artifact, network ? `golden_${network}.npz` : "golden.npz"));
  const golden = readNpz(new Uint8Array(file).buffer);
  const tensor = ({ dtype, data, shape }) => new ort.Tensor(dtype, data, shape);
  const run = async (size) => {  // "", or a further size of images: "/160x192"
    const given = (input) => (input.text ? fromWords(input, golden) : golden[input.name + size]);
    const feeds = Object.fromEntries(inputs.map((input) => [input.name, tensor(given(input))]));
    const { data, dims } = (await session.run(feeds))[output.name], wanted = golden[output.name + size].data;
    if (data.length !== wanted.length)
      throw new Error(`the output has ${data.length} numbers, golden.npz ${wanted.length}`);
    return { data, dims, difference: data.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i])), 0) };
  };
  const { data, dims, difference: first } = await run("");
  let difference = first;
  for (const key of Object.keys(golden).filter((name) => name.startsWith(`${output.name}/`)))
    difference = Math.max(difference, (await run(key.slice(output.name.length))).difference);
  const model = network ? `${name}_${network}` : name;
  console.log(`${model}: ${output.name} [${dims.join(", ")}], largest difference to golden.npz ${difference.toExponential(1)}`);
  if (output.layout === "NHWC") writeFileSync(join(out, `${model}.png`), png(data, dims, output.range));
  if (!(difference <= TOLERANCE)) process.exitCode = 1;
}

// The ids of the words of golden.npz, by the vocabulary beside the .onnx file
function fromWords({ name, text, shape: [, longest] }, golden) {
  const index = vocabulary(readFileSync(join(artifact, text.vocabulary), "utf8"));
  const texts = new TextDecoder().decode(golden[`${name}.words`].data).trimEnd().split("\n");
  const data = Int32Array.from(texts.flatMap((one) => read(index, one, longest).ids));
  return { dtype: "int32", data, shape: [texts.length, longest] };
}

// float32 [n, h, w, c] in its range -> the bytes of a PNG file, n images in one row
function png(data, [n, h, w, c], [low, high]) {
  const rows = Buffer.alloc(h * (1 + n * w * c));  // every row begins with its filter, 0: none
  data.forEach((value, i) => {
    const row = Math.floor(i / (w * c)) % h, image = Math.floor(i / (h * w * c));
    const byte = Math.round((Math.min(Math.max(value, low), high) - low) / (high - low) * 255);
    rows[row * (1 + n * w * c) + 1 + image * w * c + (i % (w * c))] = byte;
  });
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, { 1: 0, 3: 2 }[c], 0, 0, 0]);
  header.writeUInt32BE(n * w, 0);
  header.writeUInt32BE(h, 4);
  const chunk = (kind, bytes) => {
    const body = Buffer.concat([Buffer.from(kind), bytes]), whole = Buffer.alloc(body.length + 8);
    whole.writeUInt32BE(bytes.length, 0);
    body.copy(whole, 4);
    whole.writeUInt32BE(crc32(body), body.length + 4);
    return whole;
  };
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
}
