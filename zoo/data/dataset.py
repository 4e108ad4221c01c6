"""Data sets in memory: one split of images or points with their labels, or of two sets of images.

`prepare` brings uint8 images [N, H, W, C] to the size and the channels that a network is built for. Pixels stay uint8
until they leave in a batch: Fashion-MNIST at 32 px takes 61 MB so, 246 MB as float32.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from zoo.core.arrays import evenly_spaced
from zoo.core.errors import DataError
from zoo.core.images import Fit, fitted, with_channels
from zoo.data.captions import Captions
from zoo.data.catalogue import final_shape
from zoo.data.folder_reader import Reading


@dataclass(frozen=True, eq=False)
class Dataset:
    """One split of one data set: images or points, never both; `items` is whichever there is.

    Attributes:
        name: The source.
        images: uint8 [N, H, W, C], or None.
        points: float32 [N, 2], or None.
        labels: int64 [N], indices into `classes`, or None.
        classes: Names of the classes; empty without labels.
        attributes: Of a source with several labels, the ids of each by the name of its field, int64 [N].
        captions: How captions are made of the labels, or None.
        centres: float32 [M, 2] of a mixture of M Gaussians, in the units of the points.
        std: Standard deviation of each Gaussian, in the same units.
        reading: The account of the user's folder that the images were read from, or None.
    """

    name: str
    images: np.ndarray | None = None
    points: np.ndarray | None = None
    labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    attributes: Mapping[str, np.ndarray] = field(default_factory=dict)
    captions: Captions | None = None
    centres: np.ndarray | None = None
    std: float | None = None
    reading: Reading | None = None

    @property
    def items(self) -> np.ndarray:
        """The images [N, H, W, C] or the points [N, 2].

        Raises:
            ValueError: There are neither.
        """
        items = self.points if self.images is None else self.images
        if items is None:
            raise ValueError(f"data set '{self.name}' has neither images nor points")
        return items

    @property
    def field(self) -> str:
        """The name under which batches carry the items: "image" or "point"."""
        return "point" if self.images is None else "image"

    @property
    def ids(self) -> Mapping[str, np.ndarray]:
        """Class ids by the name of their field, int64 [N]: `label`, or the attributes; empty without labels."""
        return self.attributes if self.labels is None else {"label": self.labels, **self.attributes}

    @property
    def together(self) -> bool:
        """True: all fields of a batch are of the same items."""
        return True

    @property
    def parts(self) -> Mapping[str, Dataset]:
        """The single set of items from which a batch is drawn, under the name that it has there."""
        return {self.field: self}

    @property
    def fingerprint(self) -> dict[str, Any]:
        """Number and SHA-256 of the pixels and labels of the user's own images; empty for other sources."""
        if self.reading is None:
            return {}
        digest = hashlib.sha256(np.ascontiguousarray(self.items).data)
        for ids in self.ids.values():
            digest.update(np.ascontiguousarray(ids).data)
        return {"images": len(self), "sha256": digest.hexdigest()}

    @property
    def counts(self) -> dict[str, Any]:
        """`Reading.counts` of the user's own images; empty for other sources."""
        return self.reading.counts if self.reading else {}

    def limited(self, count: int) -> Dataset:
        """Return the data set of some examples: the first ones; of a folder, which is sorted by classes, of all alike.

        Args:
            count: How many.

        Returns:
            A data set of `count` examples with their labels.

        Raises:
            DataError: There are fewer, or too few for a class.
        """
        if count > len(self):
            raise DataError(f"data.limit is {count:,}, and the data '{self.name}' are {len(self):,} examples")
        by_class = self.reading is not None and self.labels is not None
        rows = evenly_spaced(np.arange(len(self)), count) if by_class else slice(count)
        arrays = {name: getattr(self, name) for name in ("images", "points", "labels")}
        cut = {name: array[rows] for name, array in arrays.items() if array is not None}
        reading = self.reading and replace(self.reading, images=count)
        made = replace(
            self, **cut, attributes={name: ids[rows] for name, ids in self.attributes.items()}, reading=reading
        )
        if by_class and len(np.unique(made.ids["label"])) < len(self.classes):
            raise DataError(f"data.limit is {count:,}, which leaves a class of {len(self.classes)} without an example")
        return made

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, eq=False)
class Domains:
    """One split of two sets of images, between which a model translates.

    Attributes:
        name: The source.
        a: One set.
        b: The other set.
        paired: True if item i of both shows the same thing, as in a test split; else nothing connects them.
        together: True if batches hold such pairs: one order, window and mirroring for both. Else each has its own.

    Raises:
        ValueError: The sets of pairs differ in number.
    """

    name: str
    a: Dataset
    b: Dataset
    paired: bool = False
    together: bool = False

    def __post_init__(self) -> None:
        if self.together and len(self.a) != len(self.b):
            raise ValueError(f"'{self.name}': {len(self.a)} images of a and {len(self.b)} of b are no pairs")

    @property
    def parts(self) -> Mapping[str, Dataset]:
        """The two sets of images from which a batch is drawn, under their names there."""
        return {"a": self.a, "b": self.b}

    @property
    def fingerprint(self) -> dict[str, Any]:
        """The fingerprints of both sets by their names; empty unless they are the user's own images."""
        return {name: found for name, part in self.parts.items() if (found := part.fingerprint)}

    @property
    def counts(self) -> dict[str, Any]:
        """The counts of both sets by their names; empty unless they are the user's own images."""
        return {name: found for name, part in self.parts.items() if (found := part.counts)}

    def limited(self, count: int) -> Domains:
        """Return the two sets of some of their images, see `Dataset.limited`.

        Args:
            count: How many of each.

        Returns:
            Two sets of `count` images.

        Raises:
            DataError: One of them has fewer.
        """
        return replace(self, a=self.a.limited(count), b=self.b.limited(count))

    def __len__(self) -> int:
        """The number of items of the larger set, which is one epoch."""
        return max(len(self.a), len(self.b))


def prepare(
    dataset: Dataset, *, size: int | tuple[int, int] | None = None, channels: int | None = None, fit: Fit = "pad"
) -> Dataset:
    """Return the data set with images of another size and other channels. Points pass through.

    Args:
        dataset: The data set, with images of any size.
        size: A side, or (height, width), in pixels; None keeps the native one.
        channels: 1 (grey), 3 (RGB) or 4 (RGBA, opaque where the data are); None keeps the native ones.
        fit: "pad" enlarges by the largest whole factor and centres on black, "resize" ignores the aspect ratio, "crop"
            fills the frame and cuts the long side.

    Returns:
        A data set of uint8 images [N, H, W, C], or the same one for points.

    Raises:
        DataError: The size, channels or fit is impossible.
    """
    shape = final_shape(dataset.items.shape[1:], size, channels)
    if dataset.images is None:
        return dataset
    (height, width, channels), images = shape, dataset.images
    if channels < images.shape[-1]:
        images = with_channels(images, channels)  # before resizing: a third of the work
    images = with_channels(fitted(images, height, width, fit), channels)
    return replace(dataset, images=images)
