"""Make a judge, a classifier of real images: train it, measure its ONNX file, keep it. `python tools/judge.py mnist`"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np

from zoo.core.errors import TrainingError
from zoo.data import sources
from zoo.data.dataset import Dataset
from zoo.metrics.networks import shipped
from zoo.metrics.networks.judge import CLASSES, FEATURES, FILE, SIZE, SOURCE, Judge, judge_file
from zoo.runtime.session import open_session

FLOORS = {"fashion_mnist": 0.91, "mnist": 0.985}  # accuracy on the 10,000 real test images
MIRRORED = ("fashion_mnist",)  # a digit in the mirror is not a digit
EPOCHS, BATCH = 10, 128


def make(source: str = SOURCE, file: Path = FILE) -> Judge:
    """Train a judge, measure its ONNX file on the real test images, and keep both.

    Args:
        source: The data whose classes it learns.
        file: Where the ONNX file goes; a .json with its SHA-256 and accuracy goes beside it.

    Returns:
        The judge.

    Raises:
        DataError: The data is not available.
        TrainingError: Its accuracy is below that of `FLOORS`; nothing is written.
    """
    model = train(source)
    sha256, test = hashlib.sha256(model).hexdigest(), sources.load_dataset(source, split="test")
    assert isinstance(test, Dataset) and test.images is not None and test.labels is not None
    session = open_session(model, source=str(file))
    accuracy = float((Judge(session, sha256, 0.0)(test.images).classes == test.labels).mean())
    if accuracy < FLOORS[source]:
        raise TrainingError(f"the judge recognises {accuracy:.2%} of the real test images, below {FLOORS[source]:.1%}")
    shipped.keep(file, model, {"test_accuracy": accuracy})
    return Judge(session, sha256, accuracy)


def train(source: str) -> bytes:
    """Train on the 60,000 real images, clothes mirrored at random. Returns the bytes of an ONNX file."""
    import keras

    data = sources.load_dataset(source)
    assert isinstance(data, Dataset) and data.images is not None and data.labels is not None
    keras.utils.set_random_seed(0)
    network = make_network()
    steps = len(data.images) // BATCH * EPOCHS
    network.compile(
        optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)),
        loss={"logits": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "features": None},
        jit_compile=False,  # XLA takes twice the time on CPUs
    )
    random = np.random.RandomState(0)
    images = data.images.astype(np.float32) / 255
    for _ in range(EPOCHS):
        mirrored = random.random_sample(len(images)) < (0.5 if source in MIRRORED else 0.0)
        images[mirrored] = images[mirrored][:, :, ::-1]
        network.fit(images, {"logits": data.labels}, batch_size=BATCH, verbose=0)
    return to_onnx(network)


def make_network() -> Any:
    """Return three convolutions with batch norm, 64 features, 10 logits; strides take a third of pooling's time."""
    import keras
    from keras import layers

    image = keras.Input((SIZE, SIZE, 1), name="image")
    x = image
    for filters, kernel in ((32, 5), (64, 5), (128, 3)):
        x = layers.Conv2D(filters, kernel, strides=2, padding="same", use_bias=False)(x)  # 14, 7, 4
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Dropout(0.3)(layers.Flatten()(x))  # [B, 4 * 4 * 128]
    features = layers.Dense(FEATURES, activation="relu", name="features")(x)
    logits = layers.Dense(CLASSES, name="logits")(layers.Dropout(0.3)(features))
    return keras.Model(image, {"features": features, "logits": logits})


def to_onnx(network: Any) -> bytes:
    """Convert a network of images whose outputs have names. Returns the bytes of an ONNX file with these names."""
    import tensorflow as tf
    import tf2onnx

    signature = [tf.TensorSpec(network.inputs[0].shape, tf.float32, name="image")]

    @tf.function(input_signature=signature)
    def judge(image: Any) -> Any:
        return network(image, training=False)

    model, _ = tf2onnx.convert.from_function(judge, input_signature=signature, opset=17)
    content: bytes = model.SerializeToString()
    return content


if __name__ == "__main__":
    name = sys.argv[1] if len(sys.argv) > 1 else SOURCE
    print(f"{judge_file(name)}: {make(name, judge_file(name))}")
