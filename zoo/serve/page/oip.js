// The Open Inference Protocol's infer call with binary tensors: a JSON header, then the bytes of the tensors in its order.
// Bytes are little endian on the wire and in every browser.

const TYPES = new Map([
  [Float32Array, "FP32"],
  [Int32Array, "INT32"],
  [BigInt64Array, "INT64"],
]);

/** The body of a request for `output` and the length of its JSON part. */
export function encode(feeds, output) {
  const inputs = Object.entries(feeds).map(([name, { data, shape }]) => ({
    name,
    shape,
    datatype: TYPES.get(data.constructor),
    parameters: { binary_data_size: data.byteLength },
  }));
  const outputs = [{ name: output, parameters: { binary_data: true } }];
  const header = new TextEncoder().encode(JSON.stringify({ inputs, outputs }));
  return { body: new Blob([header, ...Object.values(feeds).map((tensor) => tensor.data)]), length: header.length };
}

/** The float32 tensor `output` of an answer whose JSON part takes `length` bytes. */
export function decode(buffer, length, output) {
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 0, length)));
  let at = length;
  for (const { name, shape, datatype, parameters } of header.outputs) {
    const size = parameters.binary_data_size;
    if (name === output && datatype === "FP32") {
      return { data: new Float32Array(buffer.slice(at, at + size)), shape }; // a copy: `at` need not be a multiple of 4
    }
    at += size;
  }
  throw new Error(`the server's answer lacks the output "${output}"`);
}
