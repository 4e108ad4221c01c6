// Keeps of onnxruntime-web what the page loads: two runtimes (WebAssembly, WebGPU), each in one module and one binary.
// `npm run setup` has put the package, checked against package-lock.json, into node_modules; it is 139 MB, this is 41.
import { cpSync, mkdirSync, rmSync } from "node:fs";

const FILES = [
  "ort.wasm.bundle.min.mjs",
  "ort-wasm-simd-threaded.wasm",
  "ort.webgpu.bundle.min.mjs",
  "ort-wasm-simd-threaded.asyncify.wasm",
];
const place = (path) => new URL(path, import.meta.url);

rmSync(place("vendor"), { recursive: true, force: true });
mkdirSync(place("vendor"));
for (const file of FILES) cpSync(place(`node_modules/onnxruntime-web/dist/${file}`), place(`vendor/${file}`));
rmSync(place("node_modules"), { recursive: true });
console.log(`zoo/serve/page/vendor: ${FILES.join(", ")}`);
