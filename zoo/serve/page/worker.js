// Runs one generator at a time with onnxruntime-web, off the page's own thread: a long run must not freeze a button.
// In: {id, provider, url, sha256, headers, output, feeds}, feeds null to load only.
// Out: {id, threads, data, shape} or {id, error}.

const RUNTIMES = { wasm: "./vendor/ort.wasm.bundle.min.mjs", webgpu: "./vendor/ort.webgpu.bundle.min.mjs" };
const TYPES = new Map([
  [Float32Array, "float32"],
  [Int32Array, "int32"],
  [BigInt64Array, "int64"],
]);

let open = { sha256: null, session: null };

async function sessionOf(ort, { provider, url, sha256, headers }) {
  if (open.sha256 !== sha256) {
    await open.session?.release();
    open = { sha256: null, session: null };
    const answer = await fetch(url, { headers });
    if (!answer.ok) throw new Error(`the server answered ${answer.status} to ${url}`);
    const options = { executionProviders: [provider], logSeverityLevel: 3 }; // errors only
    const session = await ort.InferenceSession.create(await answer.arrayBuffer(), options);
    open = { sha256, session };
  }
  return open.session;
}

async function work(job) {
  const ort = await import(RUNTIMES[job.provider]);
  const session = await sessionOf(ort, job);
  const { output, feeds } = job;
  const threads = ort.env.wasm.numThreads;
  if (!feeds) return { threads };
  const tensors = Object.entries(feeds).map(([name, { data, shape }]) => {
    return [name, new ort.Tensor(TYPES.get(data.constructor), data, shape)];
  });
  const made = (await session.run(Object.fromEntries(tensors), [output]))[output];
  const data = Float32Array.from(await made.getData()); // a copy: the runtime's own memory cannot be handed over
  return { threads, data, shape: [...made.dims] };
}

let last = Promise.resolve(); // one run after the other: a session is not to be entered twice

onmessage = ({ data: job }) => {
  last = last
    .then(() => work(job))
    .then(
      (made) => postMessage({ id: job.id, ...made }, made.data ? [made.data.buffer] : []),
      (error) => postMessage({ id: job.id, error: String(error.message ?? error).split("\n")[0] }),
    );
};
