"""For every test of evaluation in training: data and a judge of our own, and evaluations with known values."""

import keras
import numpy as np
import pytest
from watched import Features, real

from zoo.cli import requirements
from zoo.data.dataset import Dataset
from zoo.metrics.networks import judge
from zoo.spec import feeds
from zoo.train.monitor import Metric


@pytest.fixture(autouse=True)
def expert(monkeypatch):
    """In the place of Fashion-MNIST and its judge. A judge that must be trained first moves all seeds: so does this."""
    found = Features()

    def load():
        keras.utils.set_random_seed(99)
        return found

    labels = np.arange(300) % 10
    data = Dataset("fashion_mnist", images=real(), labels=labels, classes=tuple("0123456789"))
    monkeypatch.setattr(requirements, "silence", lambda: None)
    monkeypatch.setattr(judge, "load_judge", load)
    monkeypatch.setattr(feeds, "load_data", lambda spec, split=None: data)
    return found


@pytest.fixture
def scripted(monkeypatch):
    """`scripted(3, 1, 2)`: the values of the evaluations to come."""

    def script(*values):
        left = list(values)
        monkeypatch.setattr(Metric, "__call__", lambda self, algorithm: left.pop(0))

    return script
