"""Other precisions of an exported network, in the same folder, checked and stated as the float32 file is.

    generator.onnx  ->  generator_fp16.onnx        `zoo convert exported/dcgan --precision fp16`

The float32 file is the reference, and Keras's golden vectors are. Needs `onnx` and ONNX Runtime, nothing that trains.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import zoo
from zoo import cases, half, manifest, parity
from zoo.card import contract
from zoo.errors import UsageError
from zoo.manifest import Manifest
from zoo.runtime import Generator

# Of the output's range: four of 255 grey levels. In what is shipped, weights of 11 bits move a pixel by at most 0.1
# (wgan_gp) to 1.5 levels (progressive); arithmetic of 11 bits with sums in float32, as GPUs have it, by 0.3 to 4.8.
TOLERANCE = 1 / 64
BEYOND = ("all_+10", "all_-10")  # latents that no prior draws: they must stay finite, not close


def add(folder: Path, precision: str, *, network: str | None = None) -> tuple[list[Manifest], bool]:
    """Write a variant of all networks of an artifact, or of `network`. Returns the manifests, and whether a card told.

    Raises ExportError, and changes nothing, where a variant is not close to the float32 file.
    """
    everything = list(manifest.read_all(folder))
    chosen = everything if network is None else [manifest.choose(everything, network, source=str(folder))]
    made = {facts.file: _variant(folder, facts, precision, everything) for facts in chosen}
    stated = [facts if facts.file not in made else made[facts.file][0] for facts in everything]
    for facts in chosen:
        manifest.write_whole(folder / made[facts.file][0].file_of(precision), made[facts.file][1])
    manifest.write(stated if everything[0].network else stated[0], folder)
    return [made[facts.file][0] for facts in chosen], _tell(folder / "README.md", everything, stated)


def _variant(folder: Path, facts: Manifest, precision: str, everything: Sequence[Manifest]) -> tuple[Manifest, bytes]:
    """The manifest of one network with its variant, and the variant's bytes."""
    name = f"{Path(facts.file).stem}_{precision}.onnx"
    if name in (one.file for one in everything):
        raise UsageError(f"{folder}: {name} is another network of it")
    generator = zoo.load(folder, network=facts.network or None)  # verified: what it computes is what is stated
    tried = _tried(generator, folder)
    data = (folder / facts.file).read_bytes()
    half.check_range(data, {case: sides["input"] for case, sides in tried.items()})
    made = half.halved(data)
    close = {case: sides for case, sides in tried.items() if case not in BEYOND}
    with tempfile.TemporaryDirectory() as scratch:
        file = manifest.write_whole(Path(scratch) / name, made)
        tolerance = TOLERANCE * _range(facts, close)
        figures = parity.hold(file, close, tolerance=tolerance, name=f"{facts.model} in {precision}", to=facts.file)
        files = {**facts.files, name: manifest.sha256_file(file)}
    variant = {"file": name, "bytes": len(made), "parity": figures}
    return replace(facts, files=files, variants={**facts.variants, precision: variant}), made


def _tried(generator: Generator, folder: Path) -> parity.Cases:
    """What the float32 file computes, and what Keras computed for the golden inputs."""
    facts = generator.manifest
    output = facts.outputs[0].name
    tried: parity.Cases = {
        case: {"input": inputs, "output": {output: generator(**inputs)}} for case, inputs in cases.make(facts).items()
    }
    if (golden := folder / facts.golden).is_file():
        with np.load(golden, allow_pickle=False) as arrays:
            inputs = {name: arrays[name] for name in generator.inputs}
            tried["golden"] = {"input": inputs, "output": {output: arrays[output]}}
    return tried


def _range(facts: Manifest, tried: parity.Cases) -> float:
    """The width of the output's range; of what is computed, where none is stated."""
    if facts.outputs[0].range:
        low, high = facts.outputs[0].range
    else:
        outputs = [array for sides in tried.values() for array in sides["output"].values()]
        low, high = min(float(array.min()) for array in outputs), max(float(array.max()) for array in outputs)
    return high - low


def _tell(readme: Path, before: Sequence[Manifest], after: Sequence[Manifest]) -> bool:
    """Put the variants into the model card, where it still says what the manifests said. Whether it did."""
    if not readme.is_file():
        return False
    text = readme.read_text("utf-8")
    for old, new in zip(before, after, strict=True):
        if contract.table(old) not in text:
            return False
        text = text.replace(contract.table(old), contract.table(new))
    manifest.write_whole(readme, text.encode())
    return True
