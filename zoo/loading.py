"""Finds, verifies and opens exported generators: a folder, a lone .onnx, bytes, an open file. This is `zoo.load`.

A file is read once: the bytes that were checked are those that run.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

from zoo.arrays import whole
from zoo.errors import ServeError
from zoo.manifest import FLOAT32, MANIFEST_FILE, MODEL_FILE, Manifest, choose, read, read_all
from zoo.registry import suggest
from zoo.runtime import Generator
from zoo.session import check_agreement, open_session

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
    threads = None if threads is None else whole("threads", threads, low=1)
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
            facts = Path(name).with_name(MANIFEST_FILE)
            raise ServeError(f"{facts}: changed: it differs from the contract inside {Path(name).name}")
        manifest = manifest or inside
    assert manifest is not None
    manifest = choose((manifest,), network, source=name)
    if (found := metadata.get("gan.precision", FLOAT32)) != (precision or found):
        raise ServeError(f"{name}: computes in {found}, not in {precision}: another file of its folder may")
    check_agreement(session, manifest, source=name)
    return Generator(manifest, session, provider=provider, precision=found)


def artifacts(folder: Path) -> list[Path]:
    """The artifact folders in `folder`, or `folder` itself where it is one. Raises OSError."""
    if (folder / MANIFEST_FILE).is_file():
        return [folder]
    return [path for path in sorted(folder.iterdir()) if path.name[0] != "." and (path / MANIFEST_FILE).is_file()]


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
        manifest = read(place, network)
        return manifest, place / manifest.file_of(precision)
    return stated(place), place


def stated(file: Path) -> Manifest | None:
    """The manifest in the folder of `file` that speaks of it. It may be anyone's, unless the file is generator.onnx."""
    if not file.with_name(MANIFEST_FILE).is_file():
        return None
    try:
        return next((facts for facts in read_all(file.parent) if file.name in facts.onnx_files), None)
    except ServeError:
        if file.name == MODEL_FILE:
            raise
        return None
