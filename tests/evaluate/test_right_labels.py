"""Does an image show what was asked for? The reader of critters on drawings, whose labels are known."""

import numpy as np
import pytest

from zoo.core.errors import DataError
from zoo.data.catalogue import DATASETS
from zoo.data.critters import unseen
from zoo.data.dataset import Dataset
from zoo.evaluate import measures
from zoo.evaluate.subject import Subject
from zoo.metrics.networks import reader


@pytest.fixture(scope="module")
def drawn():
    pytest.importorskip("dicebear")
    from zoo.data import critters

    return critters.draw(120, 64, "test-")


class Drawer:
    """A generator that draws right, but for the colours of every second image: then the image above stands there."""

    def __init__(self, images, wrong):
        self.images, self.wrong = images, wrong

    def sample(self, n, seed, **labels):
        assert len(labels) == 9 and {len(ids) for ids in labels.values()} == {n}
        images = self.images[np.arange(n) % len(self.images)].copy()
        if self.wrong:
            images[1::2] = images[::2]
        return images


@pytest.mark.parametrize("wrong", [False, True])
def test_what_was_asked_for_is_seen(drawn, monkeypatch, wrong):
    images, labels = drawn
    test = Dataset("critters", images=images, attributes=labels)
    subject = Subject(None, n=240, seed=0)
    monkeypatch.setattr(Subject, "test", test)
    monkeypatch.setattr(Subject, "source", "critters")
    monkeypatch.setattr(Subject, "generator", lambda self: Drawer(images, wrong))
    found = measures.MEASURES["labels_right"].run(subject)
    value, about = found["labels_right"]
    assert about["of_the_real"] > 0.97 and set(about["by_label"]) == set(DATASETS["critters"].labels)
    assert found["unseen_right"][1]["pairs"] == 2 * unseen(labels["body"], labels["color"]).sum() > 0
    if wrong:
        assert value < 0.7
    else:
        assert value > 0.95 and found["unseen_right"][0] > 0.9


def test_the_reader_takes_critters_of_its_size_and_its_own_file(tmp_path):
    one = reader.load_reader("critters")
    with pytest.raises(DataError, match=r"takes uint8 \[N, 64, 64, 3\], received uint8 \[2, 32, 32, 3\]"):
        one(np.zeros((2, 32, 32, 3), np.uint8))
    with pytest.raises(DataError, match="no reader of the labels of 'digits'. Known: critters"):
        reader.load_reader("digits")
    file = tmp_path / "critters.onnx"
    file.write_bytes(b"other")
    (tmp_path / "critters.json").write_text('{"sha256": "0", "accuracy": {"body": 1}}')
    with pytest.raises(DataError, match="install again"):
        reader.load_reader("critters", file)
