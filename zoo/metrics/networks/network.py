"""Networks of metrics, converted to ONNX once, and the features that they compute; both stay in the data cache.

A converted network stays with its SHA-256 and the recipe of its conversion. Features of a set of images stay row by row
as they come: an evaluation that was stopped goes on where it was, and a second metric on the same images does not run
the network again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zoo.core.arrays import Array
from zoo.core.errors import DataError
from zoo.core.files import write_whole
from zoo.core.host import cache_folder
from zoo.core.progress import Advance
from zoo.metrics.networks.download import Carrier, bring

BATCH = 50


def kept_network(
    name: str, recipe: int, carrier: Carrier, title: str, convert: Callable[[Path], bytes], suffix: str = ".onnx"
) -> bytes:
    """Return a converted network of the cache, else convert it from downloaded weights and keep it.

    Args:
        name: of the file in the cache, without its suffix.
        recipe: the version of the conversion; another one replaces the file.
        carrier: the package that carries the weights.
        title: what the line of progress names.
        convert: makes the file to keep from the file of weights.
        suffix: of the kept file: ".onnx", or ".npz" for weights alone.

    Returns:
        The bytes of the kept file.

    Raises:
        DataError: where the weights cannot be had, or are of another network.
    """
    place = cache_folder() / f"{name}{suffix}"
    content = _stored(place, recipe)
    if content is None:
        print(f"fetching {title}, once ...", file=sys.stderr)
        with bring(carrier) as weights:
            content = convert(weights)
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, content)
        facts = {"sha256": hashlib.sha256(content).hexdigest(), "recipe": recipe}
        write_whole(place.with_suffix(".json"), (json.dumps(facts, indent=2) + "\n").encode())
    return content


def _stored(place: Path, recipe: int) -> bytes | None:
    """Return the converted network at `place`, if it is whole and of this recipe."""
    try:
        facts, content = json.loads(place.with_suffix(".json").read_text()), place.read_bytes()
    except (OSError, ValueError):
        return None
    if not isinstance(facts, dict) or facts.get("recipe") != recipe:
        return None
    return content if facts.get("sha256") == hashlib.sha256(content).hexdigest() else None


@dataclass(frozen=True)
class FeatureNetwork:
    """A network that turns uint8 images into float32 features, and keeps them.

    Args:
        name: as protocols state it.
        width: features of an image.
        sha256: of the network's file.
        run: computes float32 [N, width] from uint8 [N, H, W, C].
        resize: how images are brought to the network's size, in words, for protocols.
        batch: images of a call of `run`.
    """

    name: str
    width: int
    sha256: str
    run: Callable[[Array], Array] = field(repr=False)
    resize: str = "none"
    batch: int = BATCH

    @property
    def protocol(self) -> dict[str, str]:
        """The network's entries in the protocol of every number that rests on it."""
        return {"network": self.name, "network_sha256": self.sha256, "resize": self.resize}

    def __call__(self, images: Array, advance: Advance = lambda rows: None) -> Array:
        """Compute features, or read them from the cache.

        Args:
            images: uint8 [N, H, W, C], C 1 or 3.
            advance: called with the number of images after every batch.

        Returns:
            float32 [N, width].

        Raises:
            DataError: for other dtypes or shapes, or no images.
        """
        if images.ndim != 4 or images.dtype != np.uint8 or not len(images) or images.shape[3] not in (1, 3):
            raise DataError(f"{self.name} takes images uint8 [N, H, W, 1 or 3], received {images.dtype} {images.shape}")
        place = cache_folder() / "features" / f"{self._key(images)}.f32"
        if place.exists() and place.stat().st_size == 4 * self.width * len(images):
            advance(len(images))
        else:
            self._fill(place, images, advance)
        return np.fromfile(place, np.float32).reshape(len(images), self.width)

    def _fill(self, place: Path, images: Array, advance: Advance) -> None:
        """Write the rows that are missing, each where it belongs, then give the file its name.

        A second process that looks at the same images writes the same rows in the same places.
        """
        place.parent.mkdir(parents=True, exist_ok=True)
        aside = place.with_suffix(".part")
        row = 4 * self.width
        with open(aside, "r+b", opener=_create_if_missing) as file:
            done = file.seek(0, os.SEEK_END) // row  # without a row that was cut off
            advance(done)
            for start in range(done, len(images), self.batch):
                features = self.run(images[start : start + self.batch])
                file.seek(start * row)
                file.write(np.ascontiguousarray(features, "<f4").tobytes())
                file.flush()
                advance(len(features))
        with contextlib.suppress(FileNotFoundError):  # the other process has named it
            os.replace(aside, place)

    def _key(self, images: Array) -> str:
        """Return the hash of the network and of every pixel: other images, other features."""
        digest = hashlib.sha256(f"{self.sha256} {images.shape}".encode())
        digest.update(np.ascontiguousarray(images).data)
        return digest.hexdigest()


def _create_if_missing(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT, 0o666)
