"""Readers: small, fixed classifiers that read several labels off one image, by ONNX Runtime alone.

Each was trained on real images by `python tools/reader.py SOURCE`, which writes it here with its SHA-256 and the share
of right answers for each label on unseen real images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.core.arrays import Array
from zoo.core.errors import DataError
from zoo.metrics.networks import shipped
from zoo.runtime.session import Session

READERS = {"critters": 64}  # sources with a reader, and the side of the images that it takes


def reader_file(source: str) -> Path:
    """Return the ONNX file of a reader.

    Args:
        source: The data whose labels it knows, one of `READERS`.

    Returns:
        The file; its SHA-256 and accuracies are in the .json beside it.
    """
    return Path(__file__).with_name(f"{source}.onnx")


@dataclass(frozen=True)
class Reader:
    """A reader, ready to run.

    Attributes:
        source: The data whose labels it knows.
        session: Its network.
        sha256: Of its file.
        accuracy: By label, its share of right answers on the real test images.
    """

    source: str
    session: Session
    sha256: str
    accuracy: Mapping[str, float]

    def __call__(self, images: Array, *, batch_size: int = 500) -> dict[str, Array]:
        """Read the labels of images.

        Args:
            images: uint8 [N, S, S, 3] of the side that it takes.
            batch_size: Images of a call of ONNX Runtime.

        Returns:
            The likeliest class of each label, int64 [N], by the name of the label.

        Raises:
            DataError: Another dtype or shape, or no images.
        """
        side = READERS[self.source]
        if images.dtype != np.uint8 or images.shape[1:] != (side, side, 3) or len(images) == 0:
            raise DataError(
                f"this reader takes uint8 [N, {side}, {side}, 3], received {images.dtype} {list(images.shape)}"
            )
        names = list(self.accuracy)
        parts = [
            self.session.run(names, {"image": images[i : i + batch_size].astype(np.float32) / 255})
            for i in range(0, len(images), batch_size)
        ]
        return {name: np.concatenate([part[at].argmax(axis=1) for part in parts]) for at, name in enumerate(names)}


def load_reader(source: str, file: Path | None = None) -> Reader:
    """Load the reader that comes with the zoo.

    Args:
        source: The data whose labels it knows.
        file: Another ONNX file, with a .json beside it.

    Returns:
        The reader.

    Raises:
        DataError: There is none, or its file is not the one whose accuracies were measured.
    """
    if file is None and source not in READERS:
        raise DataError(f"there is no reader of the labels of '{source}'. Known: {', '.join(READERS)}")
    return Reader(source, *shipped.load(file or reader_file(source), "reader", _accuracy))


def _accuracy(facts: Any) -> Mapping[str, float]:
    return {name: float(share) for name, share in facts["accuracy"].items()}
