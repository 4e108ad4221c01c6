"""A classifier of real images that judges generated ones: small, fixed, read through ONNX Runtime alone.

Inception's features say little about 28 x 28 pixels of grey cloth. The judge is trained here once on the real training
images with a fixed seed, must recognise at least `FLOOR` of the real test images, and is kept in the data cache with
its SHA-256 and that share. Another machine rounds otherwise and gets another judge: name the SHA-256 beside a number.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo import data
from zoo.data import Dataset
from zoo.data.fetch import cache_folder
from zoo.errors import DataError, TrainingError
from zoo.manifest import write_whole
from zoo.session import Session, open_session

Array = np.ndarray[Any, np.dtype[Any]]
SOURCE, SIZE, CLASSES, FEATURES = "fashion_mnist", 28, 10, 64
FLOOR = 0.91  # of the 10,000 real test images
RECIPE = 1  # another recipe is another judge
EPOCHS, BATCH = 10, 128


@dataclass(frozen=True)
class Verdict:
    """What the judge makes of N images: `features` float32 [N, 64], its last hidden layer, `logits` float32 [N, 10]."""

    features: Array
    logits: Array

    @property
    def classes(self) -> Array:
        """The class that it sees in each, int64 [N]."""
        return self.logits.argmax(axis=1)


@dataclass(frozen=True)
class Judge:
    """A judge that is ready. `test_accuracy` is its share of right answers on the 10,000 real test images."""

    session: Session
    sha256: str
    test_accuracy: float

    def __str__(self) -> str:
        return f"a CNN that recognises {self.test_accuracy:.2%} of the real test images (SHA-256 {self.sha256[:12]}...)"

    def __call__(self, images: Array, *, batch_size: int = 500) -> Verdict:
        """uint8 [N, S, S, 1], S at least 28; what is around the 28 x 28 pixels in the middle is cut off, as the zoo's
        data pads it on. Raises DataError.
        """
        good = images.ndim == 4 and images.shape[3] == 1 and images.dtype == np.uint8 and len(images) > 0
        if not good or images.shape[1] != images.shape[2] or images.shape[1] < SIZE or images.shape[1] % 2:
            raise DataError(f"the judge takes uint8 [N, S, S, 1], received {images.dtype} {list(images.shape)}")
        border = (images.shape[1] - SIZE) // 2
        middle = images[:, border : border + SIZE, border : border + SIZE]
        parts = [
            self.session.run(["features", "logits"], {"image": middle[i : i + batch_size].astype(np.float32) / 255})
            for i in range(0, len(middle), batch_size)
        ]
        return Verdict(*(np.concatenate(side) for side in zip(*parts, strict=True)))


def load(folder: Path | None = None) -> Judge:
    """The judge of `folder` (default: the data cache), trained first where there is none, or not this one.

    Raises DataError without the data, TrainingError for a judge below `FLOOR`.
    """
    place = (folder or cache_folder()) / f"{SOURCE}-judge.onnx"
    judge = _stored(place)
    if judge is None:
        print("training the judge of Fashion-MNIST, once (about 4 minutes on two cores) ...", file=sys.stderr)
        begun = time.monotonic()
        model = _train()
        place.parent.mkdir(parents=True, exist_ok=True)
        facts = _keep(model, place)
        print(f"{place}: {facts['test_accuracy']:.2%}, {time.monotonic() - begun:.0f} s", file=sys.stderr)
        judge = _stored(place)
        assert judge is not None
    return judge


def _stored(place: Path) -> Judge | None:
    """The judge that stands there, if it is whole and of this recipe."""
    try:
        facts, content = json.loads(place.with_suffix(".json").read_text()), place.read_bytes()
    except (OSError, ValueError):
        return None
    sha256 = hashlib.sha256(content).hexdigest()
    if not isinstance(facts, dict) or (facts.get("sha256"), facts.get("recipe")) != (sha256, RECIPE):
        return None
    return Judge(open_session(content, source=str(place)), sha256, float(facts["test_accuracy"]))


def _keep(model: bytes, place: Path) -> dict[str, Any]:
    """Measure the ONNX file itself on the test images, then store it and what it is. Raises TrainingError."""
    sha256, test = hashlib.sha256(model).hexdigest(), data.load(SOURCE, split="test")
    assert isinstance(test, Dataset) and test.images is not None and test.labels is not None
    seen = Judge(open_session(model, source=str(place)), sha256, 0.0)(test.images).classes
    accuracy = float((seen == test.labels).mean())
    if accuracy < FLOOR:
        raise TrainingError(f"the judge recognises {accuracy:.2%} of the real test images, below {FLOOR:.0%}")
    facts = {"sha256": sha256, "recipe": RECIPE, "test_accuracy": accuracy}
    write_whole(place, model)
    write_whole(place.with_suffix(".json"), (json.dumps(facts, indent=2) + "\n").encode())
    return facts


def _train() -> bytes:
    """Train on the 60,000 real images, mirrored at random, and convert. Returns the bytes of the ONNX file."""
    import keras

    train = data.load(SOURCE)
    assert isinstance(train, Dataset) and train.images is not None and train.labels is not None
    keras.utils.set_random_seed(0)
    network = _network()
    steps = len(train.images) // BATCH * EPOCHS
    network.compile(
        optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)),
        loss={"logits": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "features": None},
        jit_compile=False,  # XLA takes twice the time on CPUs
    )
    random = np.random.RandomState(0)
    images = train.images.astype(np.float32) / 255
    for _ in range(EPOCHS):
        mirrored = random.random_sample(len(images)) < 0.5
        images[mirrored] = images[mirrored][:, :, ::-1]
        network.fit(images, {"logits": train.labels}, batch_size=BATCH, verbose=0)
    return _onnx(network)


def _network() -> Any:
    """Three convolutions with batch norm, 64 features, 10 logits. Strides instead of pooling: a third of the time."""
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


def _onnx(network: Any) -> bytes:
    import tensorflow as tf
    import tf2onnx

    signature = [tf.TensorSpec((None, SIZE, SIZE, 1), tf.float32, name="image")]

    @tf.function(input_signature=signature)
    def judge(image: Any) -> Any:
        return network(image, training=False)

    model, _ = tf2onnx.convert.from_function(judge, input_signature=signature, opset=17)
    content: bytes = model.SerializeToString()
    return content
