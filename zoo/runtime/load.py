"""Find, verify and open exported networks.

    load             one generator from a folder, an .onnx file, bytes or an open file: this is `zoo.load`
    find_networks    all networks in a folder of artifacts, for engines that are given files (`zoo deploy`)

A file is read once: the bytes that were checked are those that run.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from pathlib import Path
from typing import BinaryIO, NamedTuple

from zoo.artifact.artifact_folders import find_artifacts, manifest_beside
from zoo.artifact.manifest import FLOAT32, MANIFEST_FILE, Manifest, choose_manifest, read_manifest, read_manifests
from zoo.core.errors import ServeError
from zoo.core.registry import suggest
from zoo.runtime.generator import Generator
from zoo.runtime.inputs import check_int
from zoo.runtime.session import check_agreement, check_self_contained, open_session
from zoo.runtime.texts import Texts

Source = str | os.PathLike[str] | bytes | BinaryIO
SHA256 = re.compile(r"[0-9a-fA-F]{64}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # of a network: fits into a path and into a URL as it is


def load(
    source: Source, *, network: str | None = None, precision: str | None = None, provider: str = "cpu",
    threads: int | None = None, verify: bool = True, sha256: str | None = None,
) -> Generator:  # fmt: skip
    """Load an exported generator; this is `zoo.load`, which documents it.

    Args:
        source: A folder, an .onnx file, its bytes, or an open file.
        network: One of several networks.
        precision: "float32" or a variant.
        provider: "cpu" or "cuda".
        threads: Cores of one call.
        verify: Check the hash and the manifest.
        sha256: The hash that the .onnx file must have.

    Returns:
        The generator.

    Raises:
        ServeError: It cannot be loaded.
    """
    threads = None if threads is None else check_int("threads", threads, low=1)
    if sha256 is not None and not (isinstance(sha256, str) and SHA256.fullmatch(sha256)):
        raise ServeError(f"sha256 must be 64 hexadecimal digits, received {sha256!r}")
    manifest, name, data = _read(source, network, precision)
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256.lower():
        raise ServeError(f"{name}: its SHA-256 is {hashlib.sha256(data).hexdigest()}, expected {sha256.lower()}")
    if manifest and verify:
        _check_sha256(data, manifest, name)
    file = Path(name) if isinstance(source, str | os.PathLike) else None
    session = open_session(data, source=name, provider=provider, threads=threads, file=file)
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
    texts = Texts.beside(manifest, file, verify=verify)
    return Generator(manifest, session, provider=provider, precision=found, texts=texts)


def _read(source: Source, network: str | None, precision: str | None) -> tuple[Manifest | None, str, bytes]:
    """Return the manifest, or None where there is none, the name that errors begin with, and the bytes of the file."""
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
    except (OSError, ValueError) as error:  # ValueError: it is closed, or open for text and not UTF-8
        raise ServeError(f"{name}: cannot be read: {error}") from error
    if not isinstance(data, bytes):
        raise ServeError(f"{name}: is open for text: open it for binary reading, mode 'rb'")
    return None, name, data


def _find(place: Path, network: str | None, precision: str | None) -> tuple[Manifest | None, Path]:
    """Return the manifest in or beside `place`, or None, and the .onnx file."""
    if not place.exists():
        near = suggest(place.name, os.listdir(place.parent)) if place.parent.is_dir() else ""
        raise ServeError(f"{place}: there is no such file or folder.{near}")
    if place.is_dir():
        if not (place / MANIFEST_FILE).is_file():
            inside = find_artifacts(place)
            hint = f"; name one of those in it, such as {inside[0]}" if inside else ""
            raise ServeError(f"{place}: not an exported generator: it has no {MANIFEST_FILE}{hint}")
        manifest = read_manifest(place, network)
        return manifest, place / manifest.file_of(precision)
    return manifest_beside(place), place


class Network(NamedTuple):
    """One exported network: its manifest and its .onnx file."""

    manifest: Manifest
    file: Path

    @property
    def name(self) -> str:
        """The name by which clients ask for it: `dcgan`, `cyclegan_a_to_b`."""
        return self.manifest.model


def find_networks(folder: str | os.PathLike[str], precision: str | None = None) -> list[Network]:
    """Find all networks of a folder of artifacts, and verify their files.

    Args:
        folder: A folder such as `exported/`, or a single artifact.
        precision: "float32" (None), or a variant that each of them has, such as "fp16".

    Returns:
        One or more networks, in the order of the folder names.

    Raises:
        ServeError: There is none, two have the same name, a name does not fit into a URL, or a file is not the one that
            was exported.
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
        check_name(name, source=place)
        if count > 1:
            raise ServeError(f"{place}: {count} networks are called '{name}': give every artifact a name of its own")
    for network in networks:
        read_network(network)
    return networks


def check_name(name: str, *, source: object) -> None:
    """Check that the name of a network fits into a path and a URL as it is.

    Args:
        name: The name by which clients ask for the network.
        source: The artifact or folder that error messages begin with.

    Raises:
        ServeError: It does not.
    """
    if not NAME.fullmatch(name):
        rule = "up to 100 letters, digits, '.', '_' and '-', the first of them a letter or a digit"
        raise ServeError(f"{source}: the name of a model must fit into a URL ({rule}), received {name!r}")


def read_network(network: Network) -> bytes:
    """Read the file of a network, and verify it.

    Args:
        network: The network.

    Returns:
        The bytes of its .onnx file.

    Raises:
        ServeError: The file cannot be read, is not the one that its manifest states, or needs other files.
    """
    file = network.file
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ServeError(f"{file}: cannot be read: {error.strerror}") from error
    if file.name not in network.manifest.files:
        raise ServeError(f"{file}: {MANIFEST_FILE} does not state its SHA-256: export it again")
    _check_sha256(data, network.manifest, str(file))
    check_self_contained(data, source=str(file))
    return data


def _check_sha256(data: bytes, manifest: Manifest, file: str) -> None:
    if manifest.files.get(Path(file).name) != hashlib.sha256(data).hexdigest():
        raise ServeError(f"{file}: changed or damaged: its SHA-256 is not the one in {MANIFEST_FILE}")
