"""The facts of an artifact folder or a lone .onnx for `zoo inspect`: contract, provenance, operators, parity, variants.

Only manifests and the header of each file are read and no session is opened: neither `onnx` nor ONNX Runtime is needed,
and a file of unknown origin is not run. `damages` compares all files with the hashes that the manifest states.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zoo.artifact import onnx_header
from zoo.artifact.artifact_folders import manifest_beside
from zoo.artifact.manifest import FLOAT32, MANIFEST_FILE, Manifest, choose_manifest, read_manifests
from zoo.artifact.tensor import Tensor
from zoo.core.errors import ServeError
from zoo.core.files import sha256_file


def inspect(place: Path, *, network: str | None = None) -> list[dict[str, Any]]:
    """Collect the facts of the networks in an artifact folder, or of the one in a lone .onnx.

    Args:
        place: A folder or a file.
        network: The name of a network; None stands for all.

    Returns:
        One entry for each network: the keys of manifest.json, and as `onnx` the header of each of its files. Of a
        folder, a missing file is left out, and a damaged one has its size and SHA-256 alone.

    Raises:
        ServeError: A lone file or the manifest cannot be read, or has no manifest; or there is no such network.
    """
    try:
        if not place.is_dir():
            return [_lone_file(place, network)]
        return [
            _entry(
                manifest, [_file(place / name, manifest) for name in manifest.onnx_files if (place / name).is_file()]
            )
            for manifest in _chosen(place, network)
        ]
    except OSError as error:
        raise ServeError(f"{error.filename or place}: cannot be read: {error.strerror}") from error


def damages(place: Path, *, network: str | None = None) -> list[str]:
    """Compare every file that a manifest lists with the SHA-256 that it states.

    Args:
        place: The folder of an artifact; or an .onnx file, which alone is then compared, if a manifest is beside it.
        network: The name of a network; None stands for all.

    Returns:
        A line for each file that is missing, cannot be read, or is another one; empty where all are as stated.

    Raises:
        ServeError: The manifest cannot be read, or there is no such network.
    """
    if place.is_dir():
        manifests = _chosen(place, network)
        stated = {name: sha256 for manifest in manifests for name, sha256 in manifest.files.items()}
        stated = dict.fromkeys((name for manifest in manifests for name in manifest.onnx_files), "") | stated
        folder = place
    else:
        beside, folder = manifest_beside(place), place.parent
        stated = {} if beside is None else {place.name: beside.files.get(place.name, "")}
    return [line for name, sha256 in stated.items() if (line := _damage(folder, name, sha256))]


def _chosen(folder: Path, network: str | None) -> tuple[Manifest, ...]:
    manifests = read_manifests(folder)
    return manifests if network is None else (choose_manifest(manifests, network, source=str(folder)),)


def _damage(folder: Path, name: str, stated: str) -> str:
    """Return a line about a file that is not as stated, else an empty string."""
    file = folder / name
    if {"/", "\\"} & {*name}:
        return f"{folder / MANIFEST_FILE}: lists {name!r}, which is not the name of a file beside it"
    if not file.is_file():
        return f"{file}: missing, though {MANIFEST_FILE} lists it"
    try:
        found = sha256_file(file)
    except OSError as error:
        return f"{file}: cannot be read: {error.strerror}"
    if not stated:
        return f"{file}: {MANIFEST_FILE} does not state its SHA-256"
    return "" if found == stated else f"{file}: changed or damaged: its SHA-256 is not the one in {MANIFEST_FILE}"


def _lone_file(file: Path, network: str | None) -> dict[str, Any]:
    found, metadata = _header(file)
    if (beside := manifest_beside(file)) is not None:
        return _entry(choose_manifest((beside,), network, source=str(file)), [_file(file, beside)])
    if "gan.manifest" not in metadata:
        raise ServeError(f"{file}: not a gan-zoo file: its metadata lacks 'gan.manifest', which states range and prior")
    manifest = Manifest.from_json(metadata["gan.manifest"], source=f"{file} (metadata)", contract=True)
    return _entry(choose_manifest((manifest,), network, source=str(file)), [found])


def _entry(manifest: Manifest, files: list[dict[str, Any]]) -> dict[str, Any]:
    return {**json.loads(manifest.to_json()), "onnx": files}


def _file(file: Path, manifest: Manifest) -> dict[str, Any]:
    try:
        found, _ = _header(file)
    except ServeError:  # not ONNX: `damages` reports it too
        found = {"file": str(file), "bytes": file.stat().st_size, "sha256": sha256_file(file)}
    return {**found, "as_stated": manifest.files.get(file.name) == found["sha256"]}


def _header(file: Path) -> tuple[dict[str, Any], Mapping[str, str]]:
    data = file.read_bytes()
    try:
        header = onnx_header.header(data)
    except ValueError as error:
        raise ServeError(f"{file}: not an ONNX file, or a damaged one ({error})") from error
    found = {
        "file": str(file), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(),
        "precision": header.metadata.get("gan.precision", FLOAT32), "opset": header.opset,
        "ir_version": header.ir_version, "operators": header.operators,
    }  # fmt: skip
    return found, header.metadata


def text(entry: Mapping[str, Any]) -> str:
    """Write an entry for people, a line for each fact.

    Args:
        entry: One of the entries of `inspect`.

    Returns:
        The lines, without a newline at the end.
    """
    title = f"{entry['name']}{' ' + entry['network'] if entry.get('network') else ''}: {entry['title']}"
    return "\n".join([title, *(f"  {key:<10} {value}" for key, value in _lines(entry))])


def _lines(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (word, facts) for each line, in the order in which a user asks."""
    paper, weights, data, parity = (entry[key] for key in ("paper", "weights", "data", "parity"))
    if paper:
        yield "paper", ", ".join(str(paper[key]) for key in ("authors", "title", "year") if key in paper)
    for side in ("inputs", "outputs"):
        for tensor in entry[side]:
            yield side[:-1], _tensor(Tensor(**tensor))
    for tensor in entry["inputs"]:
        if text := tensor.get("text"):
            rule = f"by the rule {text['rule']}: {text['rule_in_words']}"
            yield "words", f"{text['words']:,} in {text['vocabulary']}, {rule}"
        if tensor["classes"]:
            yield "labels", ", ".join(f"{number} {name}" for number, name in enumerate(tensor["classes"]))
    yield "weights", ", ".join(f"{key} {_number(value)}" for key, value in weights.items() if value is not None)
    yield "data", ", ".join(f"{key} {value}" for key, value in data.items() if value)
    yield "licence", entry["licence"]
    yield "spec", f"SHA-256 {entry['spec_sha256']}"
    yield "made with", ", ".join(f"{name} {version}" for name, version in entry["versions"].items())
    if entry["training"]:
        yield "training", ", ".join(f"{key} {_number(value)}" for key, value in entry["training"].items())
    if parity:
        yield "parity", f"{_parity(parity)} to Keras"
    for found in entry["onnx"]:
        yield from _file_lines(found, entry.get("variants", {}))


def _file_lines(found: Mapping[str, Any], variants: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    verdict = {True: f", as {MANIFEST_FILE} states", False: f", NOT the one that {MANIFEST_FILE} states", None: ""}
    size, readable = f"{found['bytes']:,} bytes", "operators" in found
    if readable:
        size += f", {found['precision']}, opset {found['opset']}, IR version {found['ir_version']}"
    yield "file", f"{found['file']}: {size}{'' if readable else ', not an ONNX file, or a damaged one'}"
    yield "", f"SHA-256 {found['sha256']}{verdict[found.get('as_stated')]}"
    if not readable:
        return
    yield "", ", ".join(f"{count} {kind}" for kind, count in found["operators"].items())
    if variant := variants.get(found["precision"]):
        yield "", f"parity: {_parity(variant['parity'])} to the float32 file and to Keras's golden vectors"


def _tensor(tensor: Tensor) -> str:
    """`z float32 [batch, 100], uniform low -1, high 1`; `image float32 [batch, 32, 32, 1] in [-1, 1], NHWC`."""
    ((name, args),) = (tensor.prior or {"": {}}).items()
    drawn = f", drawn from {name} {', '.join(f'{key} {value}' for key, value in args.items())}".rstrip() if name else ""
    return f"{tensor}{drawn}{', ' + tensor.layout if tensor.layout else ''}"


def _parity(parity: Mapping[str, Any]) -> str:
    cases = ", ".join(f"{name} {value:.1e}" for name, value in parity.get("cases", {}).items())
    limit = f" (limit {parity['tolerance']:g}{'; ' + cases if cases else ''})" if "tolerance" in parity else ""
    return f"at most {parity['max_abs_difference']:.1e}{limit}"


def _number(value: object) -> str:
    return f"{value:,.10g}" if isinstance(value, int | float) else str(value)
