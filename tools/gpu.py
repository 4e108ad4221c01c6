"""Try on a card what cannot be tried without one, in ten minutes, and write GPU.md.

    python tools/gpu.py                      all entries, backends and precisions; goes on where it was stopped
    python tools/gpu.py --device cpu --out tried --seconds 1 --entries vanilla --precisions float32
                                             the shortest form, on two logical devices of the CPU

Each installed backend trains each entry in each precision, on the digits that come with scikit-learn, in a process of
its own. An entry gets `--seconds` (two minutes), which its backends and precisions share. Measured are:

    images/s     of the real images that D is shown, fed and watched as every training is
    of peak      multiply-adds of G and D, 2 operations each, against the fastest product of two square matrices that
                 the same process measured in the same precision; penalties and optimizers are not counted
    memory       the most that the backend held at once; on a CPU, of the whole process
    difference   the largest of the losses of the first steps to those of the CPU in float32; at most 1e-3 in float32

Under TensorFlow the entry is then exported, and compared with Keras and between ONNX Runtime's CPU and CUDA.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ENTRIES = ("dcgan", "wgan_gp", "vanilla")
BACKENDS = ("tensorflow", "jax", "torch")
PRECISIONS = ("float32", "tf32", "mixed_bfloat16", "mixed_float16")
PACKAGES = ("gan-zoo", "tensorflow", "keras", "jax", "torch", "onnxruntime", "onnxruntime-gpu", "tf2onnx", "numpy")
FIRST_STEPS, AGREEMENT = 5, 1e-3
PEAK_SIZE = {"cpu": 1024, "gpu": 8192}  # rows of the matrices
MARK = "result: "


def main(arguments: list[str] | None = None) -> int:
    """Measure what is not measured yet, and write the page. Returns the exit code."""
    from zoo.core.files import write_whole

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("gpu", "cpu"), default="gpu", help="cpu: for tests of this script")
    parser.add_argument("--out", type=Path, default=ROOT, help="folder of GPU.md and GPU.json")
    parser.add_argument("--seconds", type=float, default=120.0, help="of an entry, over all backends and precisions")
    parser.add_argument("--entries", nargs="+", default=ENTRIES, metavar="NAME")
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, help="default: those that are installed")
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        backend, precision, seconds, scratch = options.child
        for row in child(options.entries, backend, precision, float(seconds), options.device, Path(scratch)):
            print(MARK + json.dumps(row), flush=True)
        return 0
    backends = options.backends or [name for name in BACKENDS if importlib.util.find_spec(name)]
    share = options.seconds / (len(backends) * len(options.precisions))
    kept = options.out / "GPU.json"
    options.out.mkdir(parents=True, exist_ok=True)
    rows = json.loads(kept.read_text("utf-8")) if kept.is_file() else []
    for backend in backends:
        for precision in options.precisions:
            done = {row["entry"] for row in rows if (row["backend"], row["precision"]) == (backend, precision)}
            if missing := [name for name in options.entries if name not in done]:
                rows += run(missing, backend, precision, share, options.device)
                write_whole(kept, (json.dumps(rows, indent=1) + "\n").encode())  # a run that is resumed reads it
                write_whole(options.out / "GPU.md", page(rows).encode())
    bad = failures(rows)
    print("\n".join(bad) or f"PASS: {options.out / 'GPU.md'}")
    return 1 if bad else 0


def run(entries: list[str], backend: str, precision: str, seconds: float, device: str) -> list[dict[str, Any]]:
    """Measure entries in a process of its own; what it did not come to is a row with the reason."""
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with tempfile.TemporaryDirectory() as scratch:
        command = [
            sys.executable, __file__, "--device", device, "--entries", *entries,
            "--child", backend, precision, str(seconds), scratch,
        ]  # fmt: skip
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    rows = [json.loads(line.removeprefix(MARK)) for line in done.stdout.splitlines() if line.startswith(MARK)]
    reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1][:300]
    lost = {"backend": backend, "precision": precision, "error": reason, **about()}
    rows += [{"entry": name, **lost} for name in entries if name not in {row["entry"] for row in rows}]
    for row in rows:
        outcome = row.get("error") or format(row["images_per_second"], ",.0f") + " images/s"
        print(f"{row['entry']} {backend} {precision}: {outcome}")
    return rows


def child(
    entries: list[str], backend: str, precision: str, seconds: float, device: str, scratch: Path
) -> Iterator[dict[str, Any]]:
    """Measure one backend in one precision, entry by entry. Yields the rows."""
    from zoo.core import cards

    devices: list[str] = []
    if device == "cpu":
        two_logical_cpus(backend)
        devices = ["training.devices=all"] if backend != "torch" else []
    else:
        cards.choose("gpu")
    from zoo.nn import devices as backends
    from zoo.train import loop

    backends.use(device, precision=precision)
    peak = matmul_peak(precision, PEAK_SIZE[device])
    for name in entries:
        base = ["training.evaluate=null", "training.xla=false"]
        reference = reference_losses(name, base, backend, device)
        spec = read(name, [*base, f"training.precision={precision}", *devices])
        losses = first_losses(spec)
        began = time.monotonic()
        trained = loop.train(spec, runs=scratch, steps=10**9, budget=max(seconds, 0.5))
        images = trained.step * trained.images_per_step
        elapsed = time.monotonic() - began
        rate = images / max(trained.seconds, 1e-9)
        row: dict[str, Any] = {
            "entry": name, "backend": backend, "precision": precision, **about(),
            "device": backends.describe() if device == "gpu" else "CPU, 2 logical devices",
            "images_per_second": rate, "steps": trained.step, "seconds": elapsed, "peak_flops": peak,
            "of_peak": rate * operations_per_image(spec, trained.algorithm) / peak, "memory_bytes": memory(backend),
            "difference": max(abs(a - b) for a, b in zip(losses, reference, strict=True)),
        }  # fmt: skip
        if backend == "tensorflow" and precision == "float32":
            row |= exported(trained, scratch, "cuda" if device == "gpu" else "cpu")
        yield row


def two_logical_cpus(backend: str) -> None:
    """Divide the CPU in two devices, before the backend begins."""
    if backend == "tensorflow":
        import tensorflow as tf

        (cpu,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"


def read(name: str, changes: list[str]) -> Any:
    """The shipped spec `name` on the digits, which need no download, in the size of its own images; changed further."""
    from zoo.spec.read import read_spec, spec_file

    path = spec_file(name)
    height, width, channels = read_spec(path).fields["image"]
    size = [f"data.size=[{height}, {width}]", f"data.channels={channels}"]
    return read_spec(path, ["data.source=digits", *size, *changes])


def first_losses(spec: Any) -> list[float]:
    """The losses of the first steps, one after the other."""
    from zoo.spec import feeds
    from zoo.train import loop

    algorithm = loop.make(spec)
    algorithm.begin(0)
    algorithm.compile()
    batches = loop.make_batches(spec, algorithm, feeds.load_data(spec))
    found: list[float] = []
    for step in range(FIRST_STEPS):
        logs = algorithm.train_on_batch(batches[step], return_dict=True)
        found += [float(value) for _, value in sorted(logs.items())]
    return found


def reference_losses(name: str, changes: list[str], backend: str, device: str) -> list[float]:
    """The same losses of one CPU device in float32: of another process where this one has a card."""
    if device == "cpu":
        return first_losses(read(name, changes))
    from zoo.core import cards

    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import gpu, json; " + (
        f"print(json.dumps(gpu.first_losses(gpu.read({name!r}, {changes!r}))))"
    )
    environment = cards.without_cards({**os.environ, "KERAS_BACKEND": backend})
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    losses: list[float] = json.loads(done.stdout.splitlines()[-1])
    return losses


def matmul_peak(precision: str, size: int) -> float:
    """Return the operations per second of the fastest of several products of two square matrices."""
    import keras
    from keras import ops

    kind = {"mixed_bfloat16": "bfloat16", "mixed_float16": "float16"}.get(precision, "float32")
    a = ops.cast(keras.random.normal((size, size), seed=0), kind)
    product = compiled(lambda x: ops.sum(ops.cast(ops.matmul(x, x), "float32")))
    float(product(a))
    best = 0.0
    for _ in range(5):
        start = time.perf_counter()
        float(product(a))  # waits for the device
        best = max(best, 2 * size**3 / (time.perf_counter() - start))
    return best


def compiled(function: Any) -> Any:
    """The function as the backend compiles it."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    return function


def operations_per_image(spec: Any, algorithm: Any) -> float:
    """Return the operations of a step on G and D for each real image: forward 1 pass, backward 2, by inputs alone 1.

    D's update: G forward, D forward and back on real and fake. G's: both forward, G back by all, D by its inputs.
    """
    updates = {phase.name: phase.repeat for phase in algorithm.phases()}
    g, d = (spec.plans[role].macs for role in ("generator", "discriminator"))
    step = updates["discriminator"] * (g + 6 * d) + updates["generator"] * (3 * g + 2 * d)
    return 2.0 * step / algorithm.data_draws


def memory(backend: str) -> int | None:
    """Return the most bytes that were held at once: on the card, or by the process; None if nobody counts."""
    from zoo.nn import devices

    if not devices.accelerators():
        if sys.platform == "win32":
            return None
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    if backend == "tensorflow":
        import tensorflow as tf

        return int(tf.config.experimental.get_memory_info("GPU:0")["peak"])
    if backend == "jax":
        import jax

        return int((jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0)) or None
    import torch

    return int(torch.cuda.max_memory_allocated())


def exported(trained: Any, scratch: Path, provider: str) -> dict[str, Any]:
    """Export a run, and draw with the file by both of ONNX Runtime's providers."""
    import numpy as np

    import zoo
    from zoo.export import exporter

    try:
        made = exporter.export(trained, out=scratch / "exported")
        here, there = zoo.load(made.folder), zoo.load(made.folder, provider=provider)
        inputs = here.latents(16)
        apart = float(np.abs(here(**inputs) - there(**inputs)).max())
    except Exception as error:  # a card that cannot serve is a finding, which the page states
        return {"provider": provider, "provider_error": " ".join(str(error).split())[:300]}
    return {"parity": made.manifest.parity["max_abs_difference"], "provider": provider, "provider_difference": apart}


def about() -> dict[str, Any]:
    """The machine and the versions of the packages that count."""
    from zoo.core.host import describe_host

    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {"machine": describe_host(), "python": platform.python_version(), "versions": found}


def failures(rows: list[dict[str, Any]]) -> list[str]:
    """Name what does not hold: rows without a result, losses that differ in float32, providers that differ or fail."""
    found = []
    for row in rows:
        name = f"{row['entry']} {row['backend']} {row['precision']}"
        if "error" in row:
            found.append(f"{name}: {row['error']}")
            continue
        if row["precision"] == "float32" and not row["difference"] <= AGREEMENT:
            found.append(f"{name}: losses differ from the CPU's by {row['difference']:.1e}, more than {AGREEMENT:.0e}")
        if "provider_error" in row:
            found.append(f"{name}: {row['provider']}: {row['provider_error']}")
        if row.get("provider_difference", 0) > AGREEMENT:
            found.append(f"{name}: {row['provider']} draws images that differ by {row['provider_difference']:.1e}")
    return found


def page(rows: list[dict[str, Any]]) -> str:
    """Return GPU.md: the machine, the table, and what does not hold."""
    lines = []
    for row in rows:
        head = f"| {row['entry']} | {row['backend']} | {row['precision']} |"
        if "error" in row:
            lines.append(f"{head} {row['error']} | | | | | |")
            continue
        size = f"{row['memory_bytes'] / 1e6:,.0f} MB" if row["memory_bytes"] else "not counted"
        parity = f"{row['parity']:.1e}" if "parity" in row else ""
        drawn = row.get("provider_error", f"{row['provider']}: {row['provider_difference']:.1e}" if parity else "")
        lines.append(
            f"{head} {row['images_per_second']:,.0f} | {row['of_peak']:.1%} | {size} | {row['difference']:.1e} | "
            f"{parity} | {drawn} |"
        )
    first = rows[0]
    versions = ", ".join(f"{name} {version}" for name, version in first["versions"].items())
    places = ", ".join(sorted({row["device"] for row in rows if "device" in row})) or "none"
    bad = failures(rows)
    verdict = "**PASS**" if not bad else "**FAIL**\n\n" + "\n".join(f"- {line}" for line in bad)
    return f"""\
# Measured by `python tools/gpu.py`

Device: {places}. Machine: {first["machine"]}, Python {first["python"]}; {versions}.

| entry | backend | precision | images/s | of peak | memory | losses to the CPU's | export to Keras | provider |
|---|---|---|---|---|---|---|---|---|
{chr(10).join(lines)}

{verdict}
"""


if __name__ == "__main__":
    sys.exit(main())
