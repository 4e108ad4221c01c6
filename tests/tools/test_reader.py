"""Making a reader: its ONNX file agrees with Keras by the names of the labels, and is kept if it is good enough."""

import numpy as np
import pytest
import reader as tool

from zoo.core.errors import TrainingError
from zoo.data import sources
from zoo.data.catalogue import DATASETS
from zoo.data.dataset import Dataset
from zoo.metrics.networks.reader import Reader, load_reader
from zoo.runtime.session import open_session

CLASSES = {name: len(words) for name, words in DATASETS["critters"].labels.items()}


@pytest.fixture(scope="module")
def network():
    import keras

    keras.utils.set_random_seed(0)
    return tool.make_network(64, CLASSES)


def images(count):
    return np.random.RandomState(count).randint(0, 256, (count, 64, 64, 3)).astype("uint8")


def test_onnx_agrees_with_keras(network):
    session = open_session(tool.to_onnx(network), source="reader")
    read = Reader("critters", session, "", dict.fromkeys(CLASSES, 1.0))(images(7), batch_size=3)
    expected = network(images(7).astype("float32") / 255, training=False)
    assert read.keys() == CLASSES.keys()
    for name, ids in read.items():
        np.testing.assert_array_equal(ids, np.argmax(expected[name], axis=1))


@pytest.mark.parametrize("good", [True, False])
def test_it_is_kept_only_if_it_is_good_enough(network, tmp_path, monkeypatch, good):
    """Real data are drawings to which an untrained network gives its own labels, or those of other drawings."""
    model = tool.to_onnx(network)
    read = Reader("critters", open_session(model, source="reader"), "", dict.fromkeys(CLASSES, 1.0))
    labels = {name: ids if good else ids + 1 for name, ids in read(images(9)).items()}
    monkeypatch.setattr(tool, "train", lambda source: model)
    monkeypatch.setattr(sources, "load_dataset", lambda *_, **__: Dataset("critters", images(9), attributes=labels))
    file = tmp_path / "critters.onnx"
    if good:
        tool.make("critters", file)
        assert load_reader("critters", file).accuracy == dict.fromkeys(CLASSES, 1.0)
    else:
        with pytest.raises(TrainingError, match=r"right for 0.00% of the labels of real images, below 97%"):
            tool.make("critters", file)
        assert not list(tmp_path.iterdir())
