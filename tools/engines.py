"""Which exported files other engines read right: each is run on the golden vectors. `python tools/engines.py VENV`

    VENV    a folder for a virtual environment with these engines; it is made if it is not there, and is not the zoo's

Writes docs/engines.md. Every engine meets every file in a process of its own, because some of them end the process.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

Arrays = dict[str, Any]
HERE = Path(__file__).resolve()
EXPORTED, DOCUMENT = HERE.parents[1] / "exported", HERE.parents[1] / "docs" / "engines.md"
PACKAGES = (
    "numpy", "onnx", "onnxruntime", "torch", "torchvision", "onnx2torch", "opencv-python-headless==4.10.*", "ncnn",
    "pnnx",
)  # fmt: skip
RIGHT = 1e-3  # the largest difference of what is read right, in the units of the output
SECONDS = 300


# The engines: (file, inputs by name [n, ...]) -> output [n, ...]. Each imports what it needs.


def _onnxruntime(file: Path, inputs: Arrays) -> Any:
    import onnxruntime

    session: Any = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


def _reference(file: Path, inputs: Arrays) -> Any:
    from onnx.reference import ReferenceEvaluator

    made: Any = ReferenceEvaluator(str(file)).run(None, inputs)
    return made[0]


def _onnx2torch(file: Path, inputs: Arrays) -> Any:
    import onnx2torch  # type: ignore[import-not-found, unused-ignore]
    import torch

    with torch.no_grad():
        return onnx2torch.convert(str(file)).eval()(*map(torch.from_numpy, inputs.values())).numpy()


def _opencv(file: Path, inputs: Arrays) -> Any:
    import cv2  # type: ignore[import-not-found, unused-ignore]
    import numpy as np

    rows = []
    for row in range(len(next(iter(inputs.values())))):  # it fixes the sizes of a graph as it reads it: a batch of one
        net = cv2.dnn.readNetFromONNX(str(file))
        for name, array in inputs.items():
            net.setInput(array[row : row + 1].astype(np.float32), name)
        rows.append(net.forward())
    return np.concatenate(rows)


def _ncnn(file: Path, inputs: Arrays) -> Any:
    import ncnn  # type: ignore[import-not-found, unused-ignore]
    import numpy as np

    kinds = {"float32": "f32", "int64": "i64"}
    shapes = ",".join(
        f"[{','.join(map(str, (1, *array.shape[1:])))}]{kinds[str(array.dtype)]}" for array in inputs.values()
    )
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "net.onnx"
        copy.write_bytes(file.read_bytes())
        command: list[str | Path] = [Path(sys.executable).with_name("pnnx"), copy, f"inputshape={shapes}", "fp16=0"]
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
        net = ncnn.Net()
        net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
        if net.load_param(f"{scratch}/net.ncnn.param") or net.load_model(f"{scratch}/net.ncnn.bin"):
            raise RuntimeError(f"ncnn does not read what pnnx made of it (pnnx ended with {done.returncode})")
        rows = []
        for row in range(len(next(iter(inputs.values())))):
            extractor = net.create_extractor()
            for number, array in enumerate(inputs.values()):
                value = array[row] if array.ndim > 1 else array[row : row + 1]
                if array.dtype == np.int64:
                    value = value.astype(np.int32).view(np.float32)  # its tensors have no type
                extractor.input(f"in{number}", ncnn.Mat(np.ascontiguousarray(value)).clone())
            code, out = extractor.extract("out0")
            if code:
                raise RuntimeError(f"it does not compute the output ({code})")
            rows.append(np.array(out))
    return np.stack(rows)


ENGINES: dict[str, tuple[str, Callable[[Path, Arrays], Any]]] = {
    "ONNX Runtime": ("onnxruntime", _onnxruntime),
    "ONNX ReferenceEvaluator": ("onnx", _reference),
    "onnx2torch": ("onnx2torch", _onnx2torch),
    "OpenCV dnn": ("opencv-python-headless", _opencv),
    "ncnn by pnnx": ("ncnn", _ncnn),
}


def measure(engine: str, file: Path) -> dict[str, Any]:
    """Run one engine on one file.

    Args:
        engine: A key of `ENGINES`.
        file: An .onnx file beside its golden vectors.

    Returns:
        `difference`, the largest absolute one to what Keras computed; or `error`, the reason in one line.
    """
    import numpy as np

    golden = file.with_name("golden.npz" if file.stem == "generator" else f"golden_{file.stem}.npz")
    with np.load(golden, allow_pickle=False) as arrays:
        *names, output = arrays.files
        inputs, expected = {name: arrays[name] for name in names}, arrays[output]
    try:
        made = np.asarray(ENGINES[engine][1](file, inputs))
        if made.size != expected.size:
            return {"error": f"returns {list(made.shape)}, expected {list(expected.shape)}"}
        return {"difference": float(np.abs(made.reshape(expected.shape) - expected).max())}
    except Exception as error:  # engines raise almost anything
        return {"error": f"{type(error).__name__}: {error}"}


def measured(python: Path, engine: str, file: Path) -> dict[str, Any]:
    """Run `measure` in a process of the environment; a process that dies is an error, too."""
    command: list[str | Path] = [python, HERE, "--measure", engine, file]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"no answer in {SECONDS} s"}
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    found: dict[str, Any] = json.loads(lines[-1]) if lines else {"error": f"the process ended with {done.returncode}"}
    if "error" in found and (said := [line for line in done.stderr.splitlines() if re.search("ERROR|not exist", line)]):
        found = {"error": said[-1].rpartition("DNN/ONNX: ")[2]}  # OpenCV and ncnn give the reason on stderr alone
    return found


def environment(folder: Path) -> tuple[Path, dict[str, str]]:
    """Make a virtual environment with the engines.

    Args:
        folder: Where it is, or will be.

    Returns:
        Its Python, and the packages that could not be installed with the last line of pip.
    """
    python, missing = folder / "bin" / "python", {}
    if not python.exists():
        venv.create(folder, with_pip=True)
    for package in PACKAGES:
        done = subprocess.run(
            [python, "-m", "pip", "install", "-q", package], capture_output=True, text=True, check=False
        )
        if done.returncode:
            missing[package] = (done.stderr.strip().splitlines() or ["?"])[-1]
    return python, missing


def table(found: dict[str, dict[str, dict[str, Any]]], versions: dict[str, str], missing: dict[str, str]) -> str:
    """Write the document.

    Args:
        found: File -> engine -> what `measure` returned.
        versions: Package -> version.
        missing: Package -> why it could not be installed.

    Returns:
        Markdown.
    """
    notes: list[str] = []

    def cell(result: dict[str, Any]) -> str:
        if "difference" in result:
            return f"{result['difference']:.0e}" if result["difference"] <= RIGHT else f"**{result['difference']:.2g}**"
        if result["error"] not in notes:
            notes.append(result["error"])
        return f"no ({notes.index(result['error']) + 1})"

    columns = [f"{engine} {versions.get(package, '')}".strip() for engine, (package, _) in ENGINES.items()]
    rows = [
        f"| {name} | {' | '.join(cell(results[engine]) for engine in ENGINES)} |" for name, results in found.items()
    ]
    bad = [f"{package}: {reason}" for package, reason in missing.items()]
    return "\n".join([
        "# Other engines", "",
        "Every exported file in other programs: the largest difference to what Keras computed for the golden vectors",
        f"beside it, in the units of the output (images are 2 or 1 wide); above {RIGHT:g} in bold. `no`, with a reason",
        "below: the engine refuses the file. Made by `python tools/engines.py VENV`, which installs the engines into a",
        "virtual environment of their own, on "
        f"{datetime.date.today():%d %B %Y}, Python {platform.python_version()}, {platform.machine()}, CPU.", "",
        "OpenCV and ncnn read one example at a time, whatever the batch.", "",
        f"| file | {' | '.join(columns)} |", f"| --- | {' | '.join('---' for _ in columns)} |", *rows, "",
        *(f"{number}. {' '.join(note.split())}" for number, note in enumerate(notes, 1)), *([""] if notes else []),
        "Packages: " + ", ".join(f"{package} {version}" for package, version in versions.items()) + ".",
        *(["", "Not installed: " + "; ".join(bad) + "."] if bad else []), "",
    ])  # fmt: skip


def main() -> int:
    """Make the environment, measure, and write the document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("venv", type=Path, nargs="?")
    parser.add_argument("--measure", nargs=2, metavar=("ENGINE", "FILE"), help="one engine on one file, as JSON")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure[0], Path(options.measure[1]))))
        return 0
    if options.venv is None:
        parser.error("expected the folder of a virtual environment")
    python, missing = environment(options.venv.resolve())
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format", "json"], capture_output=True, text=True, check=True
    )
    wanted = [package.split("=")[0] for package in PACKAGES]
    versions = {one["name"]: one["version"] for one in json.loads(listed.stdout) if one["name"] in wanted}
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for file in sorted(EXPORTED.glob("*/*.onnx")):
        name = file.parent.name if file.stem == "generator" else f"{file.parent.name}/{file.stem}"
        found[name] = {engine: measured(python, engine, file) for engine in ENGINES}
        print(name, found[name], flush=True)
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(table(found, versions, missing), "utf-8")
    print(DOCUMENT)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
