"""Making a judge: its ONNX file agrees with Keras, is kept with hash and accuracy, and only if it is good enough."""

import json

import judge
import numpy as np
import pytest

from zoo.core.errors import TrainingError
from zoo.data import sources
from zoo.data.dataset import Dataset
from zoo.metrics.networks.judge import CLASSES, FEATURES, Judge, load_judge


@pytest.fixture(scope="module")
def network():
    import keras

    keras.utils.set_random_seed(0)
    return judge.make_network()


@pytest.fixture(scope="module")
def model(network):
    return judge.to_onnx(network)


def images(n, size=28, *, seed=0):
    return np.random.RandomState(seed).randint(0, 256, (n, size, size, 1)).astype("uint8")


@pytest.fixture
def easy(monkeypatch):
    """Real data in which the answer is a bright row: a small judge can learn it. 280 to train on, 140 to test."""

    def load(source, split="train"):
        assert source == "fashion_mnist"
        count = 280 if split == "train" else 140
        labels = np.arange(count) % 7
        made = images(count, seed=len(split)) // 8
        made[np.arange(count), 4 * labels] = 255
        return Dataset(source, images=made, labels=labels)

    monkeypatch.setattr(sources, "load_dataset", load)
    monkeypatch.setattr(judge, "BATCH", 28)


def test_onnx_agrees_with_keras(network, model):
    session = judge.open_session(model, source="model")
    x = images(7)
    verdict = Judge(session, "", 1.0)(x, batch_size=3)
    expected = network(x.astype("float32") / 255, training=False)
    assert verdict.features.shape == (7, FEATURES) and verdict.logits.shape == (7, CLASSES)
    np.testing.assert_allclose(verdict.features, expected["features"], atol=1e-5)
    np.testing.assert_allclose(verdict.logits, expected["logits"], atol=1e-5)
    np.testing.assert_array_equal(verdict.classes, np.argmax(expected["logits"], axis=1))


def test_made_and_kept_with_hash_and_accuracy(easy, tmp_path):
    file = tmp_path / "fashion_mnist.onnx"
    made = judge.make(file=file)
    facts = json.loads(file.with_suffix(".json").read_text())
    assert facts == {"sha256": made.sha256, "test_accuracy": made.test_accuracy}
    test, loaded = sources.load_dataset("fashion_mnist", split="test"), load_judge(file)
    assert loaded.test_accuracy == (loaded(test.images).classes == test.labels).mean() >= judge.FLOORS["fashion_mnist"]


def test_one_that_guesses_is_not_kept(model, tmp_path, monkeypatch):
    monkeypatch.setattr(
        sources, "load_dataset", lambda *a, **k: Dataset("x", images=images(20), labels=np.arange(20) % 10)
    )
    monkeypatch.setattr(judge, "train", lambda source: model)
    with pytest.raises(TrainingError, match="of the real test images, below 91.0%"):
        judge.make(file=tmp_path / "fashion_mnist.onnx")
    assert list(tmp_path.iterdir()) == []
