"""Compare what users see with the list in tools/frozen/, or write the list anew with --renew.

The list holds the text of every `zoo COMMAND --help` and of /openapi.json, and the SHA-256 of a tiny export,
of specs/schema.json, of every file of `zoo report` on a copy of exported/, and of images that every artifact draws. A
change that only moves code leaves all of it as it was; a change of words shows as a difference of the text files.
Hashes of exports and images hold for one machine and one set of versions: renew them there before you begin.

    python tools/frozen.py            compare; exit code 1 and a line for each difference
    python tools/frozen.py --renew    write the list anew
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIST = Path(__file__).with_name("frozen")
TINY = """
name: tiny
title: A tiny GAN
data: {source: digits}
latent: {z: {uniform: {shape: [4], low: -1, high: 1}}}
networks:
  generator:
    inputs: z
    output: image
    layers:
      - Dense: {units: 32}
      - BatchNormalization
      - Reshape: {target_shape: [4, 4, 2]}
      - ReLU
      - Conv2DTranspose: {filters: 1, kernel_size: 4, strides: 2, padding: same, activation: tanh}
  discriminator:
    inputs: image
    output: logits
    layers: [Flatten, Dense: {units: 1}]
algorithm:
  alternating:
    loss: non_saturating
    generator: &player {optimizer: {Adam: {learning_rate: 2e-2, beta_1: 0.5}}}
    discriminator: *player
training: {batch_size: 8, steps: 4, ema_half_life_images: 20}
export: {batch_norm_batches: 3}
"""


def zoo(*arguments: str, cwd: Path = ROOT) -> str:
    """Run one command of the zoo in a process of its own. Returns stdout."""
    environment = {**os.environ, "COLUMNS": "120", "TF_ENABLE_ONEDNN_OPTS": "0"}
    command = [sys.executable, "-c", "from zoo.__main__ import run; run()", *arguments]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"zoo {' '.join(arguments)}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout


def sha256(data: bytes) -> str:
    """Hex SHA-256."""
    return hashlib.sha256(data).hexdigest()


def help_texts() -> str:
    """The help of the program and of each of its commands."""
    top = zoo("--help")
    commands = re.findall(r"^ {2,4}([a-z]+)(?:  |$)", top, re.MULTILINE)
    return "\n".join([top, *(f"=== {name}\n{zoo(name, '--help')}" for name in commands)])


def openapi() -> str:
    """The service's own description of its routes."""
    from zoo.serve.app import create_app
    from zoo.serve.settings import Settings

    return json.dumps(create_app(ROOT / "exported", Settings()).openapi(), indent=1, sort_keys=True) + "\n"


def tiny_export(folder: Path) -> dict[str, str]:
    """Hashes of what a build of four steps leaves."""
    (folder / "tiny.yaml").write_text(TINY)
    zoo("build", "tiny.yaml", "--out", "made", cwd=folder)
    made = folder / "made/tiny"
    return {f"tiny/{name}": sha256((made / name).read_bytes()) for name in ("generator.onnx", "golden.npz", "film.png")}


def report(folder: Path) -> dict[str, str]:
    """Hashes of all files of exported/ after `zoo report`."""
    shutil.copytree(ROOT / "exported", folder / "exported")
    zoo("report", cwd=folder)
    files = sorted(path for path in (folder / "exported").rglob("*") if path.is_file())
    return {f"report/{path.relative_to(folder)}": sha256(path.read_bytes()) for path in files}


def images() -> dict[str, str]:
    """Hashes of what every artifact draws, or makes of its golden images."""
    import numpy as np

    import zoo as package

    found = {}
    for file in sorted((ROOT / "exported").glob("*/*.onnx")):
        network = None if file.stem == "generator" else file.stem
        generator = package.load(file.parent, network=network)
        if any(tensor.is_image for tensor in generator.inputs.values()):
            golden = np.load(file.parent / generator.manifest.golden)
            made = generator(**{name: golden[name] for name in generator.inputs})
        else:
            made = generator.sample(4, seed=0)
        found[f"images/{file.parent.name}/{file.stem}"] = sha256(np.ascontiguousarray(made).tobytes())
    return found


def current() -> dict[str, str]:
    """The whole list: file name -> text."""
    with tempfile.TemporaryDirectory() as aside:
        hashes = {"specs/schema.json": sha256((ROOT / "specs/schema.json").read_bytes())}
        hashes |= tiny_export(Path(aside)) | report(Path(aside)) | images()
    lines = "".join(f"{value}  {name}\n" for name, value in sorted(hashes.items()))
    return {"help.txt": help_texts(), "openapi.json": openapi(), "sha256.txt": lines}


def main() -> int:
    """Compare or renew. Returns 1 when something differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--renew", action="store_true", help="write the list anew")
    renew = parser.parse_args().renew
    LIST.mkdir(exist_ok=True)
    different = 0
    for name, text in current().items():
        file = LIST / name
        before = file.read_text() if file.is_file() else ""
        old, new = before.splitlines(), text.splitlines()
        changed = [f"{name}: - {line}" for line in old if line not in new] + [
            f"{name}: + {line}" for line in new if line not in old
        ]
        different += len(changed)
        print("\n".join(changed) or f"{name}: as it was")
        if renew:
            file.write_text(text)
    return 1 if different and not renew else 0


if __name__ == "__main__":
    sys.exit(main())
