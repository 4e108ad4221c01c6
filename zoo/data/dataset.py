"""What every source returns: uint8 images or float32 points, with labels where there are any."""

from __future__ import annotations

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

    def __len__(self) -> int:
        return len(self.items)
