"""Make a reader, a classifier of several labels: train it, measure its ONNX file, keep it. `python tools/reader.py`"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from judge import to_onnx

from zoo.core.errors import TrainingError
from zoo.data import sources
from zoo.data.catalogue import DATASETS, Split
from zoo.data.dataset import Dataset
from zoo.metrics.networks import shipped
from zoo.metrics.networks.reader import READERS, Reader, reader_file
from zoo.runtime.session import open_session

FLOOR = 0.97  # mean share of right answers over the labels, on unseen real images
EPOCHS, BATCH = 8, 64


def make(source: str, file: Path) -> Reader:
    """Train a reader, measure its ONNX file on the real test images, and keep both.

    Args:
        source: The data whose labels it learns.
        file: Where the ONNX file goes; a .json with its SHA-256 and accuracies goes beside it.

    Returns:
        The reader.

    Raises:
        DataError: The data is not available.
        TrainingError: Its accuracy is below `FLOOR`; nothing is written.
    """
    model = train(source)
    sha256, test = hashlib.sha256(model).hexdigest(), _images(source, "test")
    assert test.images is not None
    session = open_session(model, source=str(file))
    read = Reader(source, session, sha256, dict.fromkeys(test.attributes, 0.0))(test.images)
    accuracy = {name: float((read[name] == ids).mean()) for name, ids in test.attributes.items()}
    if (mean := float(np.mean(list(accuracy.values())))) < FLOOR:
        raise TrainingError(f"the reader is right for {mean:.2%} of the labels of real images, below {FLOOR:.0%}")
    shipped.keep(file, model, {"accuracy": accuracy})
    return Reader(source, session, sha256, accuracy)


def _images(source: str, split: Split) -> Dataset:
    data = sources.load_dataset(source, size=READERS[source], split=split)
    assert isinstance(data, Dataset)
    return data


def train(source: str) -> bytes:
    """Train on the real images. Returns the bytes of an ONNX file."""
    import keras

    data = _images(source, "train")
    assert data.images is not None
    keras.utils.set_random_seed(0)
    network = make_network(READERS[source], {name: len(words) for name, words in DATASETS[source].labels.items()})
    network.compile(
        optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(3e-3, len(data.images) // BATCH * EPOCHS)
        ),
        loss={name: keras.losses.SparseCategoricalCrossentropy(from_logits=True) for name in data.attributes},
        jit_compile=False,  # XLA takes twice the time on CPUs
    )
    images = data.images.astype(np.float32) / 255
    network.fit(images, dict(data.attributes), batch_size=BATCH, epochs=EPOCHS, verbose=2)
    return to_onnx(network)


def make_network(side: int, classes: Mapping[str, int]) -> Any:
    """Return four convolutions with batch norm, and a dense layer of logits for each label."""
    import keras
    from keras import layers

    image = x = keras.Input((side, side, 3), name="image")
    for filters, kernel in ((24, 5), (32, 3), (48, 3), (40, 3)):
        x = layers.Conv2D(filters, kernel, strides=2, padding="same", use_bias=False)(x)  # 32, 16, 8, 4
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Dropout(0.1)(layers.Flatten()(x))  # [B, 4 * 4 * 40]
    return keras.Model(image, {name: layers.Dense(count, name=name)(x) for name, count in classes.items()})


if __name__ == "__main__":
    name = sys.argv[1] if len(sys.argv) > 1 else next(iter(READERS))
    made = make(name, reader_file(name))
    for label, share in made.accuracy.items():
        print(f"{label:10} {share:.2%}")
    print(f"{reader_file(name)}: {np.mean(list(made.accuracy.values())):.2%} of the labels of real test images")
