"""What sources return: uint8 images or float32 points, with labels where there are any; or two sets of images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


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
