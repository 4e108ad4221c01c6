"""A copy of an artifact whose graphs have the operators of another version: `zoo convert exported/dcgan --opset 17`.

    exported/dcgan  ->  converted/opset17/dcgan

Every .onnx file of every precision is rewritten (`zoo.export.opset`) and compared with the file that it is made from in
a fresh process, and float32 files with Keras's golden vectors. All other files are copied; the manifest states under
`rewritten` which file each was made from and what was changed, so that scores, seeds and claims keep the hash that they
were measured on. The copy is written aside and takes its place as a whole.

Needs `onnx` and ONNX Runtime, nothing that trains.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

import zoo
from zoo.artifact.manifest import (
    FLOAT32,
    MANIFEST_FILE,
    MODEL_FILE,
    Manifest,
    choose_manifest,
    read_manifests,
    write_manifests,
)
from zoo.core.errors import ServeError, UsageError
from zoo.core.files import sha256_file, write_whole
from zoo.export import onnx_graph
from zoo.export.opset import change_opset
from zoo.export.replace import folder_aside, replace_folder
from zoo.report.card import CARD_FILE, markdown, write_card
from zoo.runtime import parity
from zoo.runtime.generator import Generator
from zoo.spec.read import read_spec

SPEC_FILE = "spec.yaml"
_NOWHERE = "/the-place-of-an-artifact"
SAME = 1e-6  # of the largest output: what a rewritten file may differ by from the one that it is made from
TOLERANCE = 1e-4  # to Keras, where a manifest states none


@dataclass(frozen=True)
class Rewritten:
    """One .onnx file of the copy.

    Attributes:
        file: Its name.
        words: What was rewritten.
        difference: The largest difference to the outputs of the file that it was made from.
        cases: The number of batches that were compared.
    """

    file: str
    words: str
    difference: float
    cases: int


@dataclass(frozen=True)
class Copied:
    """The folder of a copy, its files that were rewritten, and whether the words of an edited card were left behind."""

    folder: Path
    files: list[Rewritten]
    card_lost: bool


def copy_in_opset(folder: Path, opset: int, out: Path, *, network: str | None = None) -> Copied:
    """Write a copy of an artifact with another opset to `out`/<name of its folder>.

    Args:
        folder: The folder of the artifact, which stays as it is.
        opset: The version of the operators.
        out: The folder of artifacts for the copy.
        network: The name of one network; None stands for all. The others are copied as they are.

    Returns:
        What was written. The card is written from the files of the copy, whatever words stand in that of the artifact.

    Raises:
        ExportError: A rewritten file computes something else. Nothing is left of the copy.
        ServeError: The folder is not an artifact, a file of it was changed, or there is no such network.
        UsageError: A graph cannot have that opset, or has it already; or the copy has no place: something is there, or
            it would lie inside of the artifact.
    """
    manifests = read_manifests(folder)
    chosen = manifests if network is None else (choose_manifest(manifests, network, source=str(folder)),)
    target = out / folder.resolve().name
    if target.exists():
        raise UsageError(f"--out: {target} exists: name another folder, or remove it")
    if folder.resolve() in target.resolve().parents:
        raise UsageError(f"--out: {target} lies inside of {folder}: name another folder")
    check_files(folder, manifests)
    changed = {name: _changed(folder / name, opset) for manifest in chosen for name in manifest.onnx_files}
    if not any(words for _, words in changed.values()):
        raise UsageError(f"{folder}: opset {opset} is what {' and '.join(changed)} has already")
    results = [_rewritten(folder, one, changed) if one in chosen else (one, []) for one in manifests]
    after = [manifest for manifest, _ in results]
    with folder_aside(out, target.name) as aside:
        shutil.copytree(folder, aside, dirs_exist_ok=True)
        for name, (data, _) in changed.items():
            write_whole(aside / name, data)
        write_manifests(after if after[0].network else after[0], aside)
        (aside / CARD_FILE).unlink(missing_ok=True)
        if (aside / SPEC_FILE).is_file():
            write_card(aside, place=target)
        replace_folder(aside, target)
    return Copied(target, [one for _, made in results for one in made], _is_edited(folder, manifests))


def _is_edited(folder: Path, manifests: Sequence[Manifest]) -> bool:
    """True if an artifact has a card with other words than the zoo writes."""
    if not ((card := folder / CARD_FILE).is_file() and (folder / SPEC_FILE).is_file()):
        return card.is_file()
    text, spec = card.read_text("utf-8"), read_spec(folder / SPEC_FILE)
    if not (stated := re.search("`zoo build (.+) --steps ", text)):
        return True
    recipe = stated[1]  # with the path of the folder, wherever the card was written
    place = "".join(shlex.split(recipe)[:1]).removesuffix(f"/{SPEC_FILE}")
    written = markdown(manifests, spec, folder, place=Path(_NOWHERE))
    return text != written.replace(f"{_NOWHERE}/{SPEC_FILE}", recipe).replace(_NOWHERE, place)


def check_files(folder: Path, manifests: Sequence[Manifest]) -> None:
    """Check that the files of an artifact are those that its manifest states.

    Args:
        folder: of the artifact.
        manifests: of its networks.

    Raises:
        ServeError: A file is missing, or was changed.
    """
    for name, stated in [item for manifest in manifests for item in manifest.files.items()]:
        if not (folder / name).is_file() or sha256_file(folder / name) != stated:
            raise ServeError(f"{folder / name}: missing or changed: its SHA-256 is not the one in {MANIFEST_FILE}")


def _changed(file: Path, opset: int) -> tuple[bytes, str]:
    """A file with another opset, and what was rewritten; its own bytes and no words if it has that opset."""
    data = file.read_bytes()
    model = onnx.load_from_string(data)
    values = [*model.graph.input, *model.graph.output]
    words = change_opset(model, opset, source=str(file))
    if not words:
        return data, ""
    shapes = {v.name: [axis.dim_param or axis.dim_value for axis in v.type.tensor_type.shape.dim] for v in values}
    texts = {"": model.graph.doc_string} | {value.name: value.doc_string for value in values}
    made = onnx_graph.clean(
        model, name=model.graph.name, inputs=[value.name for value in model.graph.input],
        outputs=[value.name for value in model.graph.output], shapes=shapes, words=texts,
        producer=model.producer_version, metadata={entry.key: entry.value for entry in model.metadata_props},
    )  # fmt: skip
    return made, ", ".join(words)


def _rewritten(
    folder: Path, manifest: Manifest, changed: Mapping[str, tuple[bytes, str]]
) -> tuple[Manifest, list[Rewritten]]:
    """Compare the changed files of one network. Returns its new manifest, and what was done."""
    parities = {FLOAT32: manifest.parity} | {name: one["parity"] for name, one in manifest.variants.items()}
    hashes, rewritten, made = dict(manifest.files), dict(manifest.rewritten), list[Rewritten]()
    for precision in parities:
        name = manifest.file_of(precision)
        data, words = changed[name]
        if words:
            generator = zoo.load(folder, network=manifest.network or None, precision=precision)
            found = _compared(generator, folder, data, golden=precision == FLOAT32)
            parities[precision] = _added(parities[precision], found)
            hashes[name], rewritten[manifest.files[name]] = hashlib.sha256(data).hexdigest(), words
            made.append(Rewritten(name, words, found["max_abs_difference"], len(found["cases"])))
    variants = {
        name: {**one, "bytes": len(changed[one["file"]][0]), "parity": parities[name]}
        for name, one in manifest.variants.items()
    }
    rewritten = {old: words for old, words in rewritten.items() if old not in hashes.values()}  # there and back again
    new = replace(manifest, parity=parities[FLOAT32], files=hashes, variants=variants, rewritten=rewritten)
    return new, made


def _compared(generator: Generator, folder: Path, data: bytes, *, golden: bool) -> dict[str, Any]:
    """Compare a rewritten file with the one that it was made from, and with Keras's golden vectors."""
    manifest = generator.manifest
    name = f"{manifest.model} in another opset"
    keras = parity.golden_cases(manifest, folder) if golden else {}
    feeds = parity.make_cases(manifest) | {case: dict(sides["input"]) for case, sides in keras.items()}
    cases = {case: {"input": feed, "output": generator.all(**feed)} for case, feed in feeds.items()}
    largest = max(float(np.abs(one).max(initial=1)) for sides in cases.values() for one in sides["output"].values())
    with tempfile.TemporaryDirectory() as scratch:
        file = write_whole(Path(scratch) / MODEL_FILE, data)
        if keras:
            limit = manifest.parity.get("tolerance", TOLERANCE)
            parity.check_parity(file, keras, tolerance=limit, name=name, to="Keras's golden vectors")
        return parity.check_parity(file, cases, tolerance=SAME * largest, name=name, to="the file it is made from")


def _added(stated: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a file that was compared, with the differences that a rewritten one has from it: at most these."""
    more: float = found["max_abs_difference"]
    if not more:
        return dict(stated)
    cases = {name: value + more for name, value in stated.get("cases", {}).items()}
    return {**stated, "max_abs_difference": stated.get("max_abs_difference", 0.0) + more, "cases": cases}
