"""specs/vanilla.yaml against Goodfellow et al. 2014 and its authors' code: a test for each way to get it wrong."""

import keras
import numpy as np
import pytest
from games import images, layers, numpy, reader, setting, step
from keras import ops

from zoo.spec import feeds
from zoo.train import checkpoint, loop, monitor

read = reader("vanilla")


@pytest.fixture
def play():
    """(spec, algorithm) in batches of 4."""
    spec = read("training.batch_size=4")
    return spec, loop.make(spec)


# Goodfellow et al. 2014, and "code", its authors' adversarial/mnist.yaml
PAPER = {
    "generator.parameters": 2_503_984,  # code: 100-1200-1200-784
    "generator.Dense.activation": ("relu", "relu", "sigmoid"),  # section 5 and code
    "generator.Dropout.rate": (),  # section 5: noise at the input of G alone
    "discriminator.parameters": 1_231_441,  # code: 784-240-240-1
    "discriminator.Maxout.pieces": 5,  # section 5: maxout; code: 5 pieces
    "discriminator.Dropout.rate": (0.2, 0.5, 0.5),  # section 5: dropout; code keeps 0.8 of the input, 0.5 elsewhere
    "discriminator.last_activation": "linear",  # the sigmoid is in the loss
    "generator.BatchNormalization.axis": (),  # a year older than batch norm
    "discriminator.BatchNormalization.axis": (),
    "generator.repeat": 1,
    "discriminator.repeat": 1,  # algorithm 1: k = 1 in all experiments
    "algorithm.simultaneous": True,  # code: both gradients at the same weights; algorithm 1 has them in turns
    "generator.optimizer": "MomentumSGD",  # algorithm 1: with momentum; code: sgd
    "discriminator.optimizer": "MomentumSGD",
    "training.batch_size": 100,  # code
    "data.range": (0, 1),  # code: MNIST as it comes, the range of G's sigmoid
}


# --- the networks


@pytest.mark.parametrize(("name", "expected"), PAPER.items())
def test_settings_are_those_of_the_paper(spec, algorithm, name, expected):
    assert setting(spec, algorithm, name) == expected


# --- initial weights


def is_uniform(weights, limit):
    w = np.asarray(weights).ravel() / limit
    assert -1 <= w.min() < -0.99 and 0.99 < w.max() <= 1
    assert abs(w.mean()) < 5 / np.sqrt(3 * w.size) and w.var() == pytest.approx(
        1 / 3, rel=max(0.02, 5 / np.sqrt(w.size))
    )


def test_weights_of_the_generator_are_uniform_within_0_05(algorithm):
    for layer in layers(algorithm, "Dense", role="generator"):
        is_uniform(numpy(layer.kernel), 0.05)
        assert (numpy(layer.bias) == 0).all()  # the last one until data is seen


def test_weights_of_the_discriminator_are_uniform_within_0_005(algorithm):
    for layer in layers(algorithm, "Maxout", role="discriminator"):
        is_uniform(numpy(layer.kernel), 0.005)
        assert (numpy(layer.bias) == 0).all()
    (last,) = layers(algorithm, "Dense", role="discriminator")
    assert 0.0045 < np.abs(numpy(last.kernel)).max() <= 0.005 and numpy(last.kernel).std() == pytest.approx(
        0.005 / np.sqrt(3), rel=0.15
    )


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


# --- data and noise


@pytest.fixture(scope="module")
def first(spec, algorithm):
    return loop.make_batches(spec, algorithm, images(spec))[0]


def test_pixels_are_real_numbers_from_0_to_1(spec, first):
    image = first["image"]
    assert image.dtype == np.float32 and image.shape == (1, 100, 28, 28, 1)
    assert image.min() == 0 and image.max() == 1 and np.unique(image).size == 256  # not made binary
    assert spec.plans["generator"].last_activation == "sigmoid"


def test_the_prior_is_a_standard_normal_of_100_numbers(first):
    z = first["z"]
    assert z.shape == (2, 100, 100) and z.dtype == np.float32
    assert abs(z.mean()) < 0.03 and z.std() == pytest.approx(1, abs=0.02)
    assert np.mean(np.abs(z) < 1) == pytest.approx(0.6827, abs=0.015) and np.abs(z).max() > 3


# --- the game


def test_the_generator_maximises_log_d_and_not_minimises_log_1_minus_d(algorithm):
    fake = ops.convert_to_tensor([-5.0])
    assert float(algorithm.game.generator(fake)) == pytest.approx(
        np.log1p(np.exp(5)), rel=1e-6
    )  # minimax: -log(1 + e^-5)


def test_the_discriminators_loss_is_halved(algorithm):
    zero = ops.zeros(3)
    assert float(algorithm.game.discriminator(zero, zero)) == pytest.approx(np.log(2), rel=1e-6)  # not 2 log 2
    assert float(algorithm.game.generator(zero)) == pytest.approx(np.log(2), rel=1e-6)


def test_the_first_losses_are_those_of_a_discriminator_that_knows_nothing(play):
    assert step(*play) == pytest.approx({"discriminator_loss": np.log(2), "generator_loss": np.log(2)}, abs=1e-3)


# --- the optimizers


@pytest.mark.parametrize("phase", [0, 1])
@pytest.mark.parametrize("updates, rate, momentum", [
    (0, 0.1, 0.5), (600, 0.1 / 1.000004**600, 0.508), (15_000, 0.1 / 1.000004**15_000, 0.7),
    (60_000, 0.1 / 1.000004**60_000, 0.7), (3_000_000, 1e-6, 0.7),
])  # fmt: skip
def test_rate_falls_and_momentum_rises_with_every_update(algorithm, phase, updates, rate, momentum):
    optimizer = algorithm.phases()[phase].optimizer
    before = optimizer.iterations.numpy()
    optimizer.iterations.assign(updates)
    try:
        assert float(optimizer.learning_rate) == pytest.approx(rate, rel=1e-5)
        assert float(optimizer.schedule(optimizer.iterations)) == pytest.approx(momentum, rel=1e-5)
    finally:
        optimizer.iterations.assign(before)


def test_the_first_moves_are_those_of_sgd_with_momentum(play):
    """w1 - w0 = -lr g0 for the last bias of D, whose gradient is known: 0.5 (mean D(G(z)) - mean (1 - D(x)))."""
    spec, algorithm = play
    bias = algorithm.players["discriminator"].trainable_variables[-1]
    bias.assign([2.0])  # D(x) = D(G(z)) = sigmoid(2) to 1e-3, since all other weights are within 0.005
    step(spec, algorithm)
    p = 1 / (1 + np.exp(-2.0))
    assert float(bias.value[0]) - 2.0 == pytest.approx(-0.1 * 0.5 * (p - (1 - p)), abs=1e-4)
