"""Does an image show what was asked for? The reader of critters on drawings, whose labels are known."""

import numpy as np
import onnx_nets as nets
import pytest

from zoo.artifact.tensor import Tensor
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


@pytest.mark.parametrize(
    ("shape", "reference", "applies"),
    [
        ((64, 64, 3), "", True),
        ((32, 32, 3), "", False),
        ((64, 64, 1), "", False),
        ((64, 64, 3), "it has not grown", False),
    ],
)
def test_only_images_of_the_size_of_the_reader_are_measured(monkeypatch, shape, reference, applies):
    """A critters model of 32 x 32 pixels has the same labels, and the reader could not look at one of its images."""
    labels = [Tensor(name, "int64", ("batch",), classes=("a", "b")) for name in DATASETS["critters"].labels]
    output = Tensor("image", "float32", ("batch", *shape), layout="NHWC", range=(-1.0, 1.0))
    subject = Subject(None, n=240, seed=0)
    facts = {"manifest": nets.describe(nets.Z, *labels, output=output), "source": "critters", "kind": "images"}
    for name, value in {**facts, "no_reference": reference}.items():
        monkeypatch.setattr(Subject, name, value)
    assert measures.MEASURES["labels_right"].applies(subject) is applies


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
