"""The networks in a folder of artifacts, and their bytes when they are what the manifests state."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from zoo import loading
from zoo.errors import ServeError
from zoo.manifest import MANIFEST_FILE, Manifest, read_all
from zoo.session import check_self_contained


class Network(NamedTuple):
    """One exported network: what is said of it, and where its .onnx lies."""

    facts: Manifest
    file: Path

    @property
    def name(self) -> str:
        """Its name on the wire: `dcgan`, `cyclegan_a_to_b`."""
        return self.facts.model


def find(folder: str | os.PathLike[str], precision: str | None = None) -> list[Network]:
    """All networks of a folder of artifacts, or of a single one, by name; every file is the one that was exported.

    `precision` is "float32" (None) or a variant that each of them has, such as "fp16".
    Raises ServeError: there is none, two have the same name, a name that no path or address can hold, a changed file.
    """
    place = Path(folder)
    if not place.is_dir():
        raise ServeError(f"{place}: there is no such folder")
    networks = [
        Network(facts, one / facts.file_of(precision)) for one in loading.artifacts(place) for facts in read_all(one)
    ]
    if not networks:
        raise ServeError(f"{place}: there is no exported generator in it: no folder with a {MANIFEST_FILE}")
    for name, count in Counter(network.name for network in networks).items():
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
            raise ServeError(f"{place}: {name!r} cannot be served: a name has letters, digits, '_', '-' and '.' alone")
        if count > 1:
            raise ServeError(f"{place}: {count} networks are called '{name}': give every artifact a name of its own")
    for network in networks:
        read(network)
    return networks


def read(network: Network) -> bytes:
    """The model, when it is the file that its manifest states and needs no other. Raises ServeError."""
    file, stated = network.file, network.facts.files.get(network.file.name)
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
