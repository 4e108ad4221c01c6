"""specs/vanilla.yaml against Goodfellow et al. 2014 and its authors' code: what its numbers alone do not show."""

import keras
import numpy as np
import pytest
from games import images, layers, numpy, reader, step

from zoo.spec import feeds
from zoo.train import checkpoint, loop, monitor

read = reader("vanilla")


@pytest.fixture
def play():
    """(spec, algorithm) in batches of 4."""
    spec = read("training.batch_size=4")
    return spec, loop.make(spec)


def test_the_output_bias_starts_at_the_pixel_marginals(tmp_path, monkeypatch):
    """`train` itself must have seen to it by the time that the first step begins."""
    spec = read("training.batch_size=4", "training.steps=1")
    dataset, seen = images(spec), {}
    dataset.images[:, 0, 0] = 0  # a pixel that is always black has no logit
    monkeypatch.setattr(feeds, "load_data", lambda spec, **_: dataset)
    monkeypatch.setattr(checkpoint, "save", lambda *args: None)
    monkeypatch.setattr(monitor, "SampleSheets", lambda *args: lambda step: None)

    def fit(self, *args, **kwargs):
        seen["bias"] = numpy(layers(self, "Dense", role="generator")[-1].bias.value)

    monkeypatch.setattr(keras.Model, "fit", fit)
    loop.train(spec, runs=tmp_path)
    p = dataset.images.astype("float64").mean(0).ravel() / 255
    np.testing.assert_allclose(seen["bias"][1:], np.log(p[1:] / (1 - p[1:])), rtol=0, atol=1e-5)
    np.testing.assert_allclose(1 / (1 + np.exp(-seen["bias"].astype("float64"))), p, rtol=0, atol=2e-4)
    assert np.isfinite(seen["bias"]).all() and seen["bias"][0] < -8


def test_the_first_moves_are_those_of_sgd_with_momentum(play):
    """w1 - w0 = -lr g0 for the last bias of D, whose gradient is known: 0.5 (mean D(G(z)) - mean (1 - D(x)))."""
    spec, algorithm = play
    bias = algorithm.players["discriminator"].trainable_variables[-1]
    bias.assign([2.0])  # D(x) = D(G(z)) = sigmoid(2) to 1e-3, since all other weights are within 0.005
    step(spec, algorithm)
    p = 1 / (1 + np.exp(-2.0))
    assert float(bias.value[0]) - 2.0 == pytest.approx(-0.1 * 0.5 * (p - (1 - p)), abs=1e-4)
