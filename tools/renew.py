"""Renew the spec's hash in exported artifacts, where `Spec.sha256` is another one than at their export.

    python tools/renew.py                    all of exported/
    python tools/renew.py exported/dcgan     one artifact

The hash stands in manifest.json, in the metadata of every .onnx file and in the card. An .onnx file with other metadata
has another SHA-256, which metrics.json, seeds.json and the results of claims state: they follow. Weights, nodes and
outputs stay as they are, which is checked. A folder is written aside and replaced as a whole; a second run changes
nothing.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx

import zoo
from zoo.artifact.claim_results import CLAIMS_FOLDER
from zoo.artifact.manifest import (
    FLOAT32,
    MANIFEST_FILE,
    Manifest,
    find_artifacts,
    read_manifests,
    write_manifests,
)
from zoo.artifact.onnx_header import onnx_metadata
from zoo.artifact.scores import SCORES_FILE, SEEDS_FILE
from zoo.core.errors import ExportError, ZooError
from zoo.core.files import sha256_file, write_whole
from zoo.report.card import CARD_FILE, write_card
from zoo.spec.read import read_spec

EXPORTED = Path(__file__).resolve().parents[1] / "exported"
SPEC_FILE = "spec.yaml"
SHOWN = 16  # hexadecimal digits of the spec's hash in a card
TOLERANCE = 1e-4  # where a manifest states none


def renew(folder: Path) -> str:
    """Renew the spec's hash in one artifact.

    Args:
        folder: The artifact.

    Returns:
        One line: its name, the hashes, the files that changed, and whether they changed in anything but hashes.

    Raises:
        ZooError: The artifact is not as its manifest states, or would not be after the change; it stays as it was.
    """
    manifests = read_manifests(folder)
    for name, stated in [item for manifest in manifests for item in manifest.files.items()]:
        if not (folder / name).is_file() or sha256_file(folder / name) != stated:
            raise ExportError(f"{folder / name}: missing or changed: its SHA-256 is not the one in {MANIFEST_FILE}")
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
    return f"{folder.name}: spec {before} -> {hashes[before]} in {', '.join(map(str, changed))}{rest}"


def _rewrite(folder: Path, manifests: Sequence[Manifest], *, place: Path) -> dict[str, str]:
    """Write all files anew that state a hash; `place` is the folder that they replace. Returns hashes, old -> new."""
    spec = read_spec(folder / SPEC_FILE)
    write_whole(folder / SPEC_FILE, spec.to_yaml().encode())
    hashes, renewed = {manifest.spec_sha256: spec.sha256 for manifest in manifests}, []
    for manifest in manifests:
        new = replace(manifest, spec_sha256=spec.sha256)
        for name in manifest.onnx_files:
            write_whole(folder / name, _with_metadata(folder / name, manifest, new))
        files = {name: sha256_file(folder / name) for name in manifest.files}
        hashes |= {manifest.files[name]: files[name] for name in files}
        renewed.append(replace(new, files=files))
    write_manifests(renewed if renewed[0].network else renewed[0], folder)
    for path in (folder / SCORES_FILE, folder / SEEDS_FILE, *(folder / CLAIMS_FOLDER).glob("*.json")):
        if path.is_file():
            write_whole(path, _replaced(path.read_bytes(), hashes))
    for manifest in renewed:
        _check_golden(folder, manifest)
    if (folder / CARD_FILE).is_file():
        write_card(folder, place=place)
    return hashes | {old[:SHOWN]: new[:SHOWN] for old, new in hashes.items()}


def _with_metadata(file: Path, old: Manifest, new: Manifest) -> bytes:
    """The .onnx file with the metadata of `new`, the same in all else."""
    data = file.read_bytes()
    model, before, after = onnx.load_from_string(data), onnx_metadata(old), onnx_metadata(new)
    for entry in model.metadata_props:
        if before.get(entry.key, entry.value) != entry.value:  # a key that is not in it is of a variant: it stays
            raise ExportError(f"{file}: its metadata '{entry.key}' is not what {MANIFEST_FILE} states")
        entry.value = after.get(entry.key, entry.value)
    result = model.SerializeToString(deterministic=True)
    if _without_metadata(result) != _without_metadata(data):
        raise ExportError(f"{file}: its weights and nodes would be written otherwise than they were")
    return result


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
