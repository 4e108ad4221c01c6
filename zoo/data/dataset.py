"""What sources return: uint8 images or float32 points, with labels where there are any; or two sets of images.

Images of any size and colour -> uint8 images [N, H, W, C] of the size that a network is built for.

Pixels stay uint8 until they leave in a batch: Fashion-MNIST at 32 px takes 61 MB so, 246 MB as float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from zoo.core.images import Fit, fitted, grey
from zoo.data.catalogue import final_shape


@dataclass(frozen=True, eq=False)
class Dataset:
    """One split of one data set. Exactly one of `images` and `points` is there; `items` is that one.

    images uint8 [N, H, W, C], points float32 [N, 2], labels int64 [N] (indices into `classes`) or None.
    A mixture of Gaussians carries its `centres` float32 [M, 2] and its `std`, in the units of the points.
    """

    name: str
    images: np.ndarray | None = None
    points: np.ndarray | None = None
    labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    centres: np.ndarray | None = None
    std: float | None = None

    @property
    def items(self) -> np.ndarray:
        """The images [N, H, W, C] or the points [N, 2]."""
        items = self.points if self.images is None else self.images
        if items is None:
            raise ValueError(f"data set '{self.name}' has neither images nor points")
        return items

    @property
    def field(self) -> str:
        """The name under which batches carry the items: "image" or "point"."""
        return "point" if self.images is None else "image"

    @property
    def parts(self) -> Mapping[str, Dataset]:
        """The sets of items from which a batch is drawn, by the names that they have there: one."""
        return {self.field: self}

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, eq=False)
class Domains:
    """One split of two sets of images, `a` and `b`, between which a model translates.

    Nothing connects item i of one with item i of the other, unless they are `paired` (as the hidden pairs of a test
    split are): then both show the same thing.
    """

    name: str
    a: Dataset
    b: Dataset
    paired: bool = False

    @property
    def parts(self) -> Mapping[str, Dataset]:
        """The sets of images from which a batch is drawn, each in its own order, by the names that they have there."""
        return {"a": self.a, "b": self.b}

    def __len__(self) -> int:
        """The items of the larger set: those of one epoch."""
        return max(len(self.a), len(self.b))


def prepare(
    dataset: Dataset, *, size: int | tuple[int, int] | None = None, channels: int | None = None, fit: Fit = "pad"
) -> Dataset:
    """The data set with images of `size` and `channels`; None keeps what there is. Points pass through.

    fit "pad" enlarges by the largest whole factor and centres on black, "resize" ignores the aspect ratio, "crop" fills
    the frame and cuts the long side. Raises DataError for a size, channels or fit that cannot be.
    """
    height_width_channels = final_shape(dataset.items.shape[1:], size, channels)
    if dataset.images is None:
        return dataset
    height, width, channels = height_width_channels
    images = dataset.images
    if channels < images.shape[-1]:
        images = grey(images)  # before resizing: a third of the work
    images = fitted(images, height, width, fit)
    if channels > images.shape[-1]:
        images = np.repeat(images, channels, axis=-1)  # [N, H, W, 3]
    return replace(dataset, images=images)
