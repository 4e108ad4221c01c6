"""Does an artifact compute what Keras computed? Asked in a fresh process that has never seen TensorFlow.

    python -m zoo.parity ARTIFACT REFERENCE.npz      # keys CASE/input/NAME and CASE/output/NAME, raw float32

prints one JSON object; `check` is the same question asked by the exporter. Exit 0: compared; 2: could not compare.
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

from zoo.errors import ExportError, ServeError
from zoo.loading import load
from zoo.runtime import Array, Generator
from zoo.session import import_onnxruntime

PathLike = str | os.PathLike[str]
Cases = dict[str, dict[str, dict[str, Array]]]  # case -> "input" | "output" -> name -> array


def compare(generator: Generator, cases: Cases) -> dict[str, float]:
    """The largest absolute difference per case, over raw outputs. Raises ServeError where there is none to state."""
    differences = {}
    for case, sides in cases.items():
        if set(sides["output"]) != set(generator.outputs):
            raise ServeError(
                f"case {case}: expected output {list(generator.outputs)}, received {list(sides['output'])}"
            )
        (expected,) = sides["output"].values()
        actual = generator(**sides["input"])
        if actual.shape != expected.shape:
            raise ServeError(f"case {case}: the model returns {list(actual.shape)}, expected {list(expected.shape)}")
        difference = float(np.abs(actual.astype(np.float64) - expected).max())
        if not np.isfinite(difference):
            raise ServeError(f"case {case}: outputs hold NaN or infinity")
        differences[case] = difference
    return differences


def read_cases(path: PathLike) -> Cases:
    """The cases of an .npz, in its order. Raises ServeError."""
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
        raise ServeError(f"{path}: holds no case")
    return cases


def check(artifact: PathLike, reference: PathLike, *, timeout: float = 600) -> dict[str, Any]:
    """`python -m zoo.parity` in a process of its own, at most `timeout` seconds: its JSON. Raises ExportError."""
    root = str(Path(__file__).resolve().parents[1])  # this very zoo, installed or not
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    # -P: a json.py in the folder where the user stands must not become ours
    command = [sys.executable, "-P", "-m", "zoo.parity", os.fspath(artifact), os.fspath(reference)]
    try:
        environment = {**os.environ, "PYTHONPATH": path}
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


def hold(artifact: PathLike, cases: Cases, *, tolerance: float, name: str, to: str) -> dict[str, Any]:
    """`check` of cases at hand: its figures, and the tolerance that they keep.

    Raises ExportError with the figures when one is larger; it says that `name` differs from `to`.
    """
    with tempfile.TemporaryDirectory() as scratch:
        reference = Path(scratch) / "reference.npz"
        arrays = {f"{case}/{side}/{name}": array for case, sides in cases.items()
                  for side, named in sides.items() for name, array in named.items()}  # fmt: skip
        np.savez(reference, **arrays)  # type: ignore[arg-type]
        figures = check(artifact, reference)
    if figures["tensorflow_loaded"]:
        raise ExportError("the parity check ran in a process that had loaded TensorFlow")
    if not figures["max_abs_difference"] <= tolerance:
        text = ", ".join(f"{case} {value:.2e}" for case, value in figures["cases"].items())
        raise ExportError(f"{name}: the ONNX file differs from {to} by more than {tolerance:g}: {text}")
    return {**figures, "tolerance": tolerance}


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    if len(arguments) != 2:
        print("usage: python -m zoo.parity ARTIFACT REFERENCE.npz", file=sys.stderr)
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
