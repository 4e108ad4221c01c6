"""Finds, verifies and opens exported generators: a folder, a lone .onnx, bytes, an open file. This is `zoo.load`.

A file is read once: the bytes that were checked are those that run.

The networks in a folder of artifacts, and their bytes when they are what the manifests state.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from pathlib import Path
from typing import BinaryIO, NamedTuple

from zoo.artifact.manifest import (
    FLOAT32,
    MANIFEST_FILE,
    Manifest,
    choose_manifest,
    find_artifacts,
    manifest_beside,
    read_manifest,
    read_manifests,
)
from zoo.core.errors import ServeError
from zoo.core.registry import suggest
from zoo.runtime.generator import Generator
from zoo.runtime.inputs import check_int
from zoo.runtime.session import check_agreement, check_self_contained, open_session

Source = str | os.PathLike[str] | bytes | BinaryIO


def load(
    source: Source, *, network: str | None = None, precision: str | None = None, provider: str = "cpu",
    threads: int | None = None, verify: bool = True,
) -> Generator:  # fmt: skip
    """The generator in an artifact folder (manifest.json beside generator.onnx), or in a lone .onnx of this zoo.

    `source` is the folder or the file, the bytes of such a file, or a file open for binary reading.
    `network` names one where the folder holds several, such as "b_to_a". `precision` is "float32" or a variant that
    the folder has, such as "fp16"; None takes float32 of a folder, and of a lone file what it is.
    `provider` is "cpu", or "cuda" for NVIDIA GPUs: what cannot be had is an error, nothing else takes its place.
    `threads` bounds the cores of one call (default: all). `verify` holds the file against the manifest's SHA-256, and
    the manifest against the contract inside the file. Raises ServeError with one line for all that can be wrong.
    """
    threads = None if threads is None else check_int("threads", threads, low=1)
    manifest, name, data = _read(source, network, precision)
    if manifest and verify and manifest.files.get(Path(name).name) != hashlib.sha256(data).hexdigest():
        raise ServeError(f"{name}: changed or damaged: its SHA-256 is not the one in {MANIFEST_FILE}")
    session = open_session(data, source=name, provider=provider, threads=threads)
    metadata = session.get_modelmeta().custom_metadata_map
    if (embedded := metadata.get("gan.manifest")) is None and manifest is None:
        raise ServeError(f"{name}: not a gan-zoo file: its metadata lacks 'gan.manifest', which states range and prior")
    if embedded is not None and (manifest is None or verify):
        inside = Manifest.from_json(embedded, source=f"{name} (metadata)", contract=True)
        if manifest and inside.contract() != manifest.contract():
            stated = Path(name).with_name(MANIFEST_FILE)
            raise ServeError(f"{stated}: changed: it differs from the contract inside {Path(name).name}")
        manifest = manifest or inside
    assert manifest is not None
    manifest = choose_manifest((manifest,), network, source=name)
    if (found := metadata.get("gan.precision", FLOAT32)) != (precision or found):
        raise ServeError(f"{name}: computes in {found}, not in {precision}: another file of its folder may")
    check_agreement(session, manifest, source=name)
    return Generator(manifest, session, provider=provider, precision=found)


def _read(source: Source, network: str | None, precision: str | None) -> tuple[Manifest | None, str, bytes]:
    """The manifest, where there is one, the name that errors begin with, and the bytes of the file."""
    if isinstance(source, bytes | bytearray | memoryview):
        return None, f"{len(source):,} bytes", bytes(source)
    if isinstance(source, str | os.PathLike):
        place = Path(source)
        try:
            manifest, file = _find(place, network, precision)
            return manifest, str(file), file.read_bytes()
        except OSError as error:
            raise ServeError(f"{error.filename or place}: cannot be read: {error.strerror}") from error
    if not hasattr(source, "read"):
        raise ServeError(f"a generator is loaded from a path, bytes or an open file, received {source!r}")
    name = str(getattr(source, "name", "the open file"))
    try:
        data = source.read()
    except (OSError, ValueError) as error:  # ValueError: it is closed, or text that is no UTF-8
        raise ServeError(f"{name}: cannot be read: {error}") from error
    if not isinstance(data, bytes):
        raise ServeError(f"{name}: is open for text: open it for binary reading, mode 'rb'")
    return None, name, data


def _find(place: Path, network: str | None, precision: str | None) -> tuple[Manifest | None, Path]:
    """The manifest, where one stands in or beside `place`, and the .onnx file."""
    if not place.exists():
        near = suggest(place.name, os.listdir(place.parent)) if place.parent.is_dir() else ""
        raise ServeError(f"{place}: there is no such file or folder.{near}")
    if place.is_dir():
        if not (place / MANIFEST_FILE).is_file():
            raise ServeError(f"{place}: not an exported generator: it has no {MANIFEST_FILE}")
        manifest = read_manifest(place, network)
        return manifest, place / manifest.file_of(precision)
    return manifest_beside(place), place


class Network(NamedTuple):
    """One exported network: what is said of it, and where its .onnx lies."""

    manifest: Manifest
    file: Path

    @property
    def name(self) -> str:
        """Its name on the wire: `dcgan`, `cyclegan_a_to_b`."""
        return self.manifest.model


def find_networks(folder: str | os.PathLike[str], precision: str | None = None) -> list[Network]:
    """All networks of a folder of artifacts, or of a single one, by name; every file is the one that was exported.

    `precision` is "float32" (None) or a variant that each of them has, such as "fp16".
    Raises ServeError: there is none, two have the same name, a name that no path or address can hold, a changed file.
    """
    place = Path(folder)
    if not place.is_dir():
        raise ServeError(f"{place}: there is no such folder")
    networks = [
        Network(manifest, one / manifest.file_of(precision))
        for one in find_artifacts(place)
        for manifest in read_manifests(one)
    ]
    if not networks:
        raise ServeError(f"{place}: there is no exported generator in it: no folder with a {MANIFEST_FILE}")
    for name, count in Counter(network.name for network in networks).items():
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
            raise ServeError(f"{place}: {name!r} cannot be served: a name has letters, digits, '_', '-' and '.' alone")
        if count > 1:
            raise ServeError(f"{place}: {count} networks are called '{name}': give every artifact a name of its own")
    for network in networks:
        read_network(network)
    return networks


def read_network(network: Network) -> bytes:
    """The model, when it is the file that its manifest states and needs no other. Raises ServeError."""
    file, stated = network.file, network.manifest.files.get(network.file.name)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ServeError(f"{file}: cannot be read: {error.strerror}") from error
    if stated is None:
        raise ServeError(f"{file}: {MANIFEST_FILE} does not state its SHA-256: export it again")
    if stated != hashlib.sha256(data).hexdigest():
        raise ServeError(f"{file}: changed or damaged: its SHA-256 is not the one in {MANIFEST_FILE}")
    check_self_contained(data, source=str(file))
    return data
