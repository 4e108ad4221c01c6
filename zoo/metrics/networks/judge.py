"""The judge: a small, fixed classifier of real images that is applied to generated ones, by ONNX Runtime alone.

Inception's features separate 28 x 28 pixels of grey cloth badly. The judge was trained on the real training images by
`python tools/judge.py`, which writes it here with its SHA-256 and its accuracy on the real test images. Another machine
rounds otherwise and trains another judge, whose numbers differ: therefore it comes with the zoo.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.core.arrays import Array
from zoo.core.errors import DataError
from zoo.metrics.networks import shipped
from zoo.runtime.session import Session

SOURCE, SIZE, CLASSES, FEATURES = "fashion_mnist", 28, 10, 64
SOURCES = ("fashion_mnist", "mnist")  # data with a judge; that of the first looks on while a model trains


def judge_file(source: str) -> Path:
    """Return the ONNX file of a judge.

    Args:
        source: the data whose classes it knows, one of `SOURCES`.

    Returns:
        The file; its SHA-256 and accuracy are in the .json beside it.
    """
    return Path(__file__).with_name(f"{source}.onnx")


FILE = judge_file(SOURCE)


@dataclass(frozen=True)
class Prediction:
    """Results for N images: `features` float32 [N, 64], the last hidden layer, and `logits` float32 [N, 10]."""

    features: Array
    logits: Array

    @property
    def classes(self) -> Array:
        """The likeliest class of each image, int64 [N]."""
        return self.logits.argmax(axis=1)


@dataclass(frozen=True)
class Judge:
    """The judge, ready to run. `test_accuracy` is its share of right answers on the 10,000 real test images."""

    session: Session
    sha256: str
    test_accuracy: float

    def __str__(self) -> str:
        return f"a CNN that recognises {self.test_accuracy:.2%} of the real test images (SHA-256 {self.sha256[:12]}...)"

    def __call__(self, images: Array, *, batch_size: int = 500) -> Prediction:
        """Classify images.

        Args:
            images: uint8 [N, S, S, 1], S even, 28..54. The border around the 28 x 28 pixels in the middle is cut off,
                as the zoo's data pads it on (from 56 on images are enlarged).
            batch_size: images of a call of ONNX Runtime.

        Returns:
            Features and logits of each image.

        Raises:
            DataError: for other dtypes or shapes, or no images.
        """
        good = images.ndim == 4 and images.shape[3] == 1 and images.dtype == np.uint8 and len(images) > 0
        if not good or images.shape[1] != images.shape[2] or images.shape[1] not in range(SIZE, 2 * SIZE, 2):
            raise DataError(
                f"the judge takes uint8 [N, S, S, 1] with an even S from {SIZE} to {2 * SIZE - 2}, received "
                f"{images.dtype} {list(images.shape)}"
            )
        border = (images.shape[1] - SIZE) // 2
        middle = images[:, border : border + SIZE, border : border + SIZE]
        parts = [
            self.session.run(["features", "logits"], {"image": middle[i : i + batch_size].astype(np.float32) / 255})
            for i in range(0, len(middle), batch_size)
        ]
        return Prediction(*(np.concatenate(side) for side in zip(*parts, strict=True)))


def load_judge(file: Path = FILE) -> Judge:
    """Load the judge that comes with the zoo.

    Args:
        file: the ONNX file; beside it a .json with its SHA-256 and accuracy.

    Returns:
        The judge.

    Raises:
        DataError: for a file that is missing, or not the one whose accuracy was measured.
    """
    return Judge(*shipped.load(file, "judge", lambda facts: float(facts["test_accuracy"])))
