// Reads .npz files as numpy.savez writes them (a zip archive of .npy files, not compressed), in Node and in browsers.
const ARRAYS = { "<f4": [Float32Array, "float32"], "<i8": [BigInt64Array, "int64"], "<i4": [Int32Array, "int32"], "|u1": [Uint8Array, "uint8"] };

// ArrayBuffer -> { name: { dtype, shape, data } }
export function readNpz(buffer) {
  const view = new DataView(buffer), u16 = (at) => view.getUint16(at, true), u32 = (at) => view.getUint32(at, true);
  const end = buffer.byteLength - 22;  // the archive's own record, without a comment
  if (end < 0 || u32(end) !== 0x06054b50) throw new Error("not an .npz file");
  const arrays = {};
  for (let at = u32(end + 16), left = u16(end + 10); left > 0; left--) {
    if (u16(at + 10) !== 0) throw new Error("a compressed .npz: write it with numpy.savez");
    const size = u32(at + 24), local = u32(at + 42), name = text(buffer, at + 46, u16(at + 28));
    const start = local + 30 + u16(local + 26) + u16(local + 28);  // behind the name and what NumPy reserves for sizes
    arrays[name.replace(/\.npy$/, "")] = readNpy(buffer.slice(start, start + size));
    at += 46 + u16(at + 28) + u16(at + 30) + u16(at + 32);
  }
  return arrays;
}

function readNpy(buffer) {
  const length = new DataView(buffer).getUint16(8, true), header = text(buffer, 10, length);
  const [, descr] = /'descr': '([^']+)'/.exec(header), [, shape] = /'shape': \(([^)]*)\)/.exec(header);
  if (!ARRAYS[descr] || /'fortran_order': True/.test(header)) throw new Error(`cannot read an array of ${header}`);
  const [Kind, dtype] = ARRAYS[descr];
  return { dtype, shape: shape.split(",").filter((n) => n.trim()).map(Number), data: new Kind(buffer.slice(10 + length)) };
}

const text = (buffer, at, length) => new TextDecoder().decode(new Uint8Array(buffer, at, length));
