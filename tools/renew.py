"""Bring exported artifacts to the form of today: the spec's hash, the metadata, and graphs that more engines read.

    python tools/renew.py                    all of exported/
    python tools/renew.py exported/dcgan     one artifact

The hash stands in manifest.json, in the metadata of every .onnx file and in the card. An .onnx file with other metadata
has another SHA-256, which metrics.json, seeds.json and the results of claims state: they follow. Where its graph
changes too (`zoo.export.rewrites`, doc strings), they keep the hash that they were measured on, and the manifest states
under `rewritten` what was changed since. Weights and outputs stay as they are, which is checked. A folder is written
aside and replaced as a whole; a second run changes nothing.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

import zoo
from zoo.artifact.artifact_folders import find_artifacts
from zoo.artifact.claim_results import CLAIMS_FOLDER
from zoo.artifact.manifest import FLOAT32, MANIFEST_FILE, Manifest, read_manifests, write_manifests
from zoo.artifact.onnx_header import doc_strings, onnx_metadata
from zoo.artifact.scores import SCORES_FILE, SEEDS_FILE
from zoo.artifact.tensor import CHANNELS, Tensor
from zoo.core.errors import ExportError, ZooError
from zoo.core.files import sha256_file, write_whole
from zoo.export import onnx_graph, rewrites
from zoo.export.network_manifest import network_title
from zoo.export.opset import lower_opset
from zoo.export.opset_copy import check_files
from zoo.report.card import CARD_FILE, write_card
from zoo.runtime.session import open_session
from zoo.spec.read import read_spec
from zoo.spec.sections import LOWEST, Export

EXPORTED = Path(__file__).resolve().parents[1] / "exported"
SPEC_FILE = "spec.yaml"
SHOWN = 16  # hexadecimal digits of the spec's hash in a card
SAME = 1e-6  # largest difference between the outputs of a rewritten file and of the one before
TOLERANCE = 1e-4  # where a manifest states none


def renew(folder: Path) -> str:
    """Bring one artifact to the form of today.

    Args:
        folder: The artifact.

    Returns:
        One line: its name, the hashes, the files that changed, and whether they changed in anything but hashes.

    Raises:
        ZooError: The artifact is not as its manifest states, or would not be after the change; it stays as it was.
    """
    manifests = read_manifests(folder)
    check_files(folder, manifests)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        aside = Path(shutil.copytree(folder, Path(scratch) / folder.name))
        hashes = _rewrite(aside, manifests, place=folder)
        files = [path.relative_to(aside) for path in sorted(aside.rglob("*")) if path.is_file()]
        changed = [name for name in files if (aside / name).read_bytes() != (folder / name).read_bytes()]
        if not changed:
            return f"{folder.name}: as it was"
        more = [n for n in changed if (aside / n).read_bytes() != _replaced((folder / n).read_bytes(), hashes)]
        old = folder.rename(Path(scratch) / "old")
        try:
            aside.rename(folder)
        except BaseException:  # Ctrl-C too
            old.rename(folder)
            raise
    before = manifests[0].spec_sha256
    rest = f"; in more than hashes: {', '.join(map(str, more))}" if more else "; nothing else changed"
    spec = f"spec {before} -> {hashes[before]}" if hashes[before] != before else "written anew"
    return f"{folder.name}: {spec} in {', '.join(map(str, changed))}{rest}"


def _rewrite(folder: Path, manifests: Sequence[Manifest], *, place: Path) -> dict[str, str]:
    """Write all files anew that state a hash; `place` is the folder that they replace. Returns hashes, old -> new."""
    spec = read_spec(folder / SPEC_FILE)
    write_whole(folder / SPEC_FILE, spec.to_yaml().encode())
    opset = (spec.sections.export or Export()).opset
    hashes, renewed = {manifest.spec_sha256: spec.sha256 for manifest in manifests}, []
    for manifest in manifests:
        title = network_title(spec, spec.plans[manifest.network or spec.exported[0]], manifest.network)
        new = replace(manifest, spec_sha256=spec.sha256, title=title)
        new = replace(new, inputs=_with_channels(new.inputs), outputs=_with_channels(new.outputs))
        rewritten = {}
        for name in manifest.onnx_files:
            data, what = _renewed(folder / name, manifest, new, lowest=opset == LOWEST)
            if what:
                _check_outputs(folder, manifest, name, data)
                rewritten[manifest.files[name]] = ", ".join(what)
            write_whole(folder / name, data)
        files = {name: sha256_file(folder / name) for name in manifest.files}
        hashes |= {old: files[name] for name, old in manifest.files.items() if old not in rewritten}
        renewed.append(replace(new, files=files, rewritten={**manifest.rewritten, **rewritten}))
    write_manifests(renewed if renewed[0].network else renewed[0], folder)
    for path in (folder / SCORES_FILE, folder / SEEDS_FILE, *(folder / CLAIMS_FOLDER).glob("*.json")):
        if path.is_file():
            write_whole(path, _replaced(path.read_bytes(), hashes))
    for manifest in renewed:
        _check_golden(folder, manifest)
    if (folder / CARD_FILE).is_file():
        write_card(folder, place=place)
    return hashes | {old[:SHOWN]: new[:SHOWN] for old, new in hashes.items()}


def _with_channels(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The tensors, with the order of channels of the images among them."""
    return tuple(replace(t, channels=CHANNELS.get(t.shape[3])) if t.is_image else t for t in tensors)


def _renewed(file: Path, old: Manifest, new: Manifest, *, lowest: bool) -> tuple[bytes, list[str]]:
    """The .onnx file with the metadata and words of `new`, and what was rewritten besides the metadata."""
    data = file.read_bytes()
    model, before, after = onnx.load_from_string(data), onnx_metadata(old), onnx_metadata(new)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    for key, value in metadata.items():
        if before.get(key, value) != value:  # a key that is not in it is of a variant: it stays
            raise ExportError(f"{file}: its metadata '{key}' is not what {MANIFEST_FILE} states")
    what = rewrites.rewrite(model) + (lower_opset(model) if lowest else [])
    values, words = [*model.graph.input, *model.graph.output], doc_strings(new)
    if words != {"": model.graph.doc_string} | {value.name: value.doc_string for value in values}:
        what.append("doc strings")
    shapes = {v.name: [axis.dim_param or axis.dim_value for axis in v.type.tensor_type.shape.dim] for v in values}
    result = onnx_graph.clean(
        model, name=model.graph.name, inputs=[value.name for value in model.graph.input],
        outputs=[value.name for value in model.graph.output], shapes=shapes, metadata=metadata | after, words=words,
        producer=model.producer_version,
    )  # fmt: skip
    if not what and _without_metadata(result) != _without_metadata(data):
        raise ExportError(f"{file}: its weights and nodes would be written otherwise than they were")
    return result, what


def _check_outputs(folder: Path, manifest: Manifest, name: str, data: bytes) -> None:
    """Check that a rewritten file gives the outputs of the file that stands there, in ONNX's own evaluator too."""
    if not (folder / manifest.golden).is_file():
        return
    with np.load(folder / manifest.golden, allow_pickle=False) as golden:
        feed = {tensor.name: golden[tensor.name] for tensor in manifest.inputs}
    files = ((folder / name).read_bytes(), data)
    old, new = (open_session(file, source=name).run(None, feed)[0] for file in files)
    few = {key: array[:2] for key, array in feed.items()}
    made: Any = ReferenceEvaluator(onnx.load_from_string(data)).run(None, few)
    limits = ((SAME, np.abs(new - old)), (manifest.parity.get("tolerance", TOLERANCE), np.abs(made[0] - old[:2])))
    for limit, difference in limits:
        if not difference.max(initial=0) <= limit:
            raise ExportError(f"{folder / name}: rewritten, its outputs differ by {difference.max():g}")


def _without_metadata(data: bytes) -> bytes:
    model = onnx.load_from_string(data)
    del model.metadata_props[:]
    return model.SerializeToString(deterministic=True)


def _check_golden(folder: Path, manifest: Manifest) -> None:
    """Check every precision of a network through `zoo.load`: hashes, contract and, where they are, golden vectors."""
    parities = {FLOAT32: manifest.parity} | {name: one["parity"] for name, one in manifest.variants.items()}
    for precision, parity in parities.items():
        generator = zoo.load(folder, network=manifest.network or None, precision=precision)
        if not (folder / manifest.golden).is_file():
            continue
        with np.load(folder / manifest.golden, allow_pickle=False) as golden:
            made = generator(**{name: golden[name] for name in generator.inputs})
            difference = float(np.abs(made - golden[manifest.outputs[0].name]).max(initial=0))
        if not difference <= parity.get("tolerance", TOLERANCE):
            raise ExportError(
                f"{folder / manifest.file_of(precision)}: differs from its golden vectors by {difference:g}"
            )


def _replaced(data: bytes, hashes: Mapping[str, str]) -> bytes:
    for old, new in hashes.items():
        data = data.replace(old.encode(), new.encode())
    return data


def main() -> int:
    """Renew the artifacts that the command line names. Returns 1 when one cannot be renewed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*", default=[EXPORTED], help="artifacts, or folders of them")
    failed = 0
    for folder in [folder for named in parser.parse_args().folders for folder in find_artifacts(named)]:
        try:
            print(renew(folder), flush=True)
        except ZooError as error:
            failed = 1
            print(error, file=sys.stderr)
    return failed


if __name__ == "__main__":
    sys.exit(main())
