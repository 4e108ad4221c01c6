"""Parity: does an exported network compute what Keras computed? NumPy and ONNX Runtime alone.

    make_cases(manifest)            inputs: batches of several sizes, extreme latents and pixels, other sizes of images
    check_parity(artifact, cases)   compares in a fresh process that has never loaded TensorFlow, as a user's does

The fresh process is a program of its own, which prints one JSON object and returns 0, or 2 if it could not compare:

    python -m zoo.runtime.parity ARTIFACT REFERENCE.npz      # keys CASE/input/NAME and CASE/output/NAME, raw float32
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.artifact.manifest import Manifest
from zoo.artifact.tensor import Tensor
from zoo.core import cards
from zoo.core.arrays import Array
from zoo.core.errors import ExportError, ServeError
from zoo.core.images import from_uint8
from zoo.runtime import priors
from zoo.runtime.generator import Generator
from zoo.runtime.inputs import nearest_sizes, row_shape
from zoo.runtime.load import load
from zoo.runtime.session import import_onnxruntime

PathLike = str | os.PathLike[str]
Cases = dict[str, dict[str, dict[str, Array]]]  # case -> "input" | "output" -> name -> array
LARGE_BATCH = 64  # of latents


def make_cases(manifest: Manifest) -> dict[str, dict[str, Array]]:
    """Make the inputs of a parity check; the same for the same manifest.

    Args:
        manifest: The network.

    Returns:
        Case -> name of an input -> array [n, ...]: batches of 1, 3 and of 64 latents, latents that are all 0, 10 or
        -10, pixels that are all black or white, and two other sizes of images or maps of latents where it takes them.
    """
    images = [tensor for tensor in manifest.inputs if tensor.is_image]
    counts = (1, 3) if images else (1, 3, LARGE_BATCH)
    cases = {f"batch_{count}": _inputs(manifest, count) for count in counts}
    if any(tensor.prior for tensor in manifest.inputs):
        cases |= {f"all_{fill:+.0f}": _inputs(manifest, 3, fill=fill) for fill in (0.0, 10.0, -10.0)}
    if images:
        cases["extremes"] = _inputs(manifest, 3, extremes=True)
    for height, width in other_sizes(manifest):
        cases[f"size_{height}x{width}"] = _inputs(manifest, 2, size=(height, width))
    return cases


def other_sizes(manifest: Manifest) -> list[tuple[int, int]]:
    """Return two sizes beside the trained one at which a network of images, or of a map of latents, is tried.

    Args:
        manifest: The network.

    Returns:
        Height and width of about the smallest, and of a larger one; neither is square. None for a single size.
    """
    tensor = sized(manifest)
    if tensor is None or tensor.sizes is None:
        return []
    tall, wide = tensor.sizes.values()
    larger = nearest_sizes(tall["trained"] * 5 // 4, tall)[-1], nearest_sizes(wide["trained"] * 3 // 2, wide)[-1]
    larger = larger if larger[0] != larger[1] else (larger[0], larger[1] + wide["multiple"])
    return [(tall["minimum"], wide["minimum"] + wide["multiple"]), larger]


def sized(manifest: Manifest) -> Tensor | None:
    """Return the first input that may have several sizes: images, or a map of latents. None where there is none."""
    return next((tensor for tensor in manifest.inputs if tensor.sizes), None)


def _inputs(
    manifest: Manifest,
    count: int,
    *,
    fill: float | None = None,
    extremes: bool = False,
    size: tuple[int, int] | None = None,
) -> dict[str, Array]:
    one = sized(manifest)
    axes = None if size is None or one is None else dict(zip(one.sizes or (), size, strict=True))
    inputs: dict[str, Array] = {}
    for tensor in manifest.inputs:
        random = priors.stream(1, tensor.name)
        if tensor.prior is not None:
            shape = row_shape(tensor, axes if tensor is one else None)
            drawn = priors.make(tensor.prior, shape=shape).draw(random, count)
            inputs[tensor.name] = drawn if fill is None or tensor.given is not None else np.full_like(drawn, fill)
        elif tensor.text:
            longest = row_shape(tensor)[0]
            ids = 1 + random.randint(tensor.text["words"], size=(count, longest))
            words = random.randint(1, longest + 1, size=(count, 1))  # of each text
            inputs[tensor.name] = np.where(np.arange(longest) < words, ids, 0).astype(tensor.dtype)
        elif tensor.classes:
            inputs[tensor.name] = priors.labels(random, count, classes=len(tensor.classes))
        else:
            pixels = random.randint(256, size=(count, *row_shape(tensor, axes)))
            pixels = (pixels > 127) * 255 if extremes else pixels
            inputs[tensor.name] = from_uint8(pixels, tensor.range or (-1.0, 1.0))
    return inputs


def golden_cases(manifest: Manifest, folder: Path) -> Cases:
    """Read the golden vectors of an artifact: what Keras computed.

    Args:
        manifest: The network.
        folder: The folder of the artifact.

    Returns:
        The case "golden", and one for each further size of images, whose arrays are called NAME/HEIGHTxWIDTH; none
        without the file.
    """
    cases: Cases = {}
    outputs = [tensor.name for tensor in manifest.outputs]
    if (golden := folder / manifest.golden).is_file():
        with np.load(golden, allow_pickle=False) as arrays:
            sizes = ["", *(key.removeprefix(outputs[0]) for key in arrays.files if key.startswith(f"{outputs[0]}/"))]
            for size in sizes:
                inputs = {tensor.name: arrays[tensor.name + size] for tensor in manifest.inputs}
                cases[f"golden{size.replace('/', ' ')}"] = {
                    "input": inputs,
                    "output": {name: arrays[name + size] for name in outputs},
                }
    return cases


def check_parity(artifact: PathLike, cases: Cases, *, tolerance: float, name: str, to: str) -> dict[str, Any]:
    """Check in a fresh process that an artifact computes the outputs of all cases.

    Args:
        artifact: An artifact folder of one network, or an .onnx file.
        cases: Inputs, and the outputs that are expected of them, float32.
        tolerance: The largest absolute difference that is allowed.
        name: The network, for the error message.
        to: The origin of the expected outputs, for the error message, such as "Keras".

    Returns:
        `max_abs_difference`, `cases` with the difference of each, `tensorflow_loaded` (False), the version of
        `onnxruntime`, and `tolerance`.

    Raises:
        ExportError: A difference is larger; the message has those of all cases. Or the process failed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        reference = Path(scratch) / "reference.npz"
        arrays = {f"{case}/{side}/{tensor}": array for case, sides in cases.items()
                  for side, named in sides.items() for tensor, array in named.items()}  # fmt: skip
        np.savez(reference, **arrays)  # type: ignore[arg-type]
        report = compare_in_fresh_process(artifact, reference)
    if report["tensorflow_loaded"]:
        raise ExportError("the parity check ran in a process that had loaded TensorFlow")
    if not report["max_abs_difference"] <= tolerance:
        text = ", ".join(f"{case} {value:.2e}" for case, value in report["cases"].items())
        raise ExportError(f"{name}: the ONNX file differs from {to} by more than {tolerance:g}: {text}")
    return {**report, "tolerance": tolerance}


def compare_in_fresh_process(artifact: PathLike, reference: PathLike, *, timeout: float = 600) -> dict[str, Any]:
    """Run this file as a program, for at most `timeout` seconds; return its JSON, or raise ExportError."""
    root = str(Path(__file__).resolve().parents[2])  # this very zoo, installed or not
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    # -P: a json.py in the user's working folder must not be imported
    command = [sys.executable, "-P", "-m", "zoo.runtime.parity", os.fspath(artifact), os.fspath(reference)]
    try:
        environment = cards.without_cards({**os.environ, "PYTHONPATH": path})
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as error:
        raise ExportError(f"{artifact}: the parity check took more than {timeout:g} seconds") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ExportError(f"{artifact}: the parity check failed: {last}")
    try:
        return dict(json.loads(done.stdout))
    except (ValueError, TypeError) as error:
        raise ExportError(f"{artifact}: the parity check printed no JSON object: {done.stdout[:80]!r}") from error


def compare(generator: Generator, cases: Cases) -> dict[str, float]:
    """Compare the raw outputs of a network with the expected ones.

    Args:
        generator: The network.
        cases: Inputs and expected outputs, float32.

    Returns:
        The largest absolute difference of each case.

    Raises:
        ServeError: An output has another name or shape, or holds NaN or infinity.
    """
    differences = {}
    for case, sides in cases.items():
        if set(sides["output"]) != set(generator.outputs):
            received = list(sides["output"])
            raise ServeError(f"case {case}: expected output {list(generator.outputs)}, received {received}")
        made, differences[case] = generator.all(**sides["input"]), 0.0
        for name, expected in sides["output"].items():
            if made[name].shape != expected.shape:
                shapes = f"{list(made[name].shape)}, expected {list(expected.shape)}"
                raise ServeError(f"case {case}: the model returns {shapes}")
            difference = float(np.abs(made[name].astype(np.float64) - expected).max())
            if not np.isfinite(difference):
                raise ServeError(f"case {case}: outputs hold NaN or infinity")
            differences[case] = max(differences[case], difference)
    return differences


def read_cases(path: PathLike) -> Cases:
    """Read the cases of an .npz in its order; raise ServeError for a file that is not one."""
    cases: Cases = {}
    if not zipfile.is_zipfile(path):
        raise ServeError(f"{path}: not a readable .npz")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            for key in arrays.files:
                case, side, name = [*key.split("/"), "", ""][:3]
                if side not in ("input", "output") or key != f"{case}/{side}/{name}":
                    raise ServeError(f"{path}: keys are CASE/input/NAME or CASE/output/NAME, received '{key}'")
                cases.setdefault(case, {"input": {}, "output": {}})[side][name] = arrays[key]
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise ServeError(f"{path}: not a readable .npz: {error}") from error
    if not cases:
        raise ServeError(f"{path}: it has no case")
    return cases


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    if len(arguments) != 2:
        print("usage: python -m zoo.runtime.parity ARTIFACT REFERENCE.npz", file=sys.stderr)
        return 2
    try:
        cases = compare(load(arguments[0]), read_cases(arguments[1]))
    except ServeError as error:
        print(error, file=sys.stderr)
        return 2
    report = {
        "max_abs_difference": max(cases.values()),
        "cases": cases,
        "tensorflow_loaded": "tensorflow" in sys.modules,
        "onnxruntime": import_onnxruntime().__version__,
    }
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
