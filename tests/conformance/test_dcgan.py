"""specs/dcgan.yaml against Radford et al. 2015 and its authors' code: a test for each way to get it wrong."""

import itertools

import numpy as np
import pytest
from games import images, layers, numpy, reader, setting
from keras import ops

from zoo.train import loop

read = reader("dcgan")

# Radford et al. 2015; "code" is its authors' Theano code, "Torch code" their port
ADAM = {
    "optimizer": "Adam",
    "optimizer.learning_rate": 2e-4,  # section 4; Keras's own 1e-3 was too high
    "optimizer.beta_1": 0.5,  # section 4; Keras's own 0.9 oscillates
    "optimizer.beta_2": 0.999,  # code
    "optimizer.epsilon": 1e-8,  # code; Keras's own is 1e-7
    "repeat": 1,  # code
}
PAPER = {
    **{f"{player}.{name}": value for player in ("generator", "discriminator") for name, value in ADAM.items()},
    "algorithm.simultaneous": False,  # code: G meets the D that has just learned
    "training.batch_size": 128,  # section 4
    "data.range": (-1, 1),  # section 4: the range of tanh, and nothing else done to the images
    "data.flip": False,
    "generator.Dense.units": 4096,  # section 3: no fully connected hidden layer; a projection of z to 4 x 4 ...
    "discriminator.Dense.units": 1,  # ... and the flattened features into one logit
    "generator.Conv2DTranspose.strides": (2, 2),  # section 3: fractionally strided and strided convolutions, no pooling
    "discriminator.Conv2D.strides": (2, 2),
    "generator.Conv2DTranspose.kernel_size": (4, 4),  # Torch code; 5 x 5 is padded by 1 and 2: a shift at every scale
    "discriminator.Conv2D.kernel_size": (4, 4),
    "generator.ReLU.negative_slope": 0.0,  # section 3: ReLU in G, tanh at its end
    "generator.last_activation": "tanh",
    "discriminator.LeakyReLU.negative_slope": 0.2,  # section 4; Keras's own is 0.3
    "discriminator.last_activation": "linear",  # the sigmoid is in the loss
    "generator.BatchNormalization.momentum": 0.9,  # Torch code; Keras's own 0.99 lags behind a short run
    "discriminator.BatchNormalization.momentum": 0.9,
    "generator.BatchNormalization.epsilon": 1e-5,  # Torch code; Keras's own is 1e-3
    "discriminator.BatchNormalization.epsilon": 1e-5,
}


# --- the networks


@pytest.mark.parametrize(("name", "expected"), PAPER.items())
def test_settings_are_those_of_the_paper(spec, algorithm, name, expected):
    assert setting(spec, algorithm, name) == expected


@pytest.mark.parametrize(("role", "bare"), [("generator", [3]), ("discriminator", [0, 3])])
def test_batch_norm_stands_everywhere_but_at_the_output_of_g_and_the_ends_of_d(algorithm, role, bare):
    """Section 3. A bias stands only where no batch norm takes it away."""
    inside = [layer for layer in algorithm.players[role].layers if type(layer).__name__ != "Reshape"]
    pairs = [(one, type(after).__name__) for one, after in itertools.pairwise([*inside, None])]
    weighted = [(layer, after == "BatchNormalization") for layer, after in pairs if hasattr(layer, "use_bias")]
    assert [place for place, (_, normed) in enumerate(weighted) if not normed] == bare
    assert all(layer.use_bias is not normed for layer, normed in weighted)


# --- initial weights


def test_weights_are_normal_with_deviation_0_02(algorithm):
    """Not he_normal, not Glorot, not cut off at two deviations."""
    for layer in layers(algorithm, "Conv2D", "Conv2DTranspose", "Dense"):
        w = numpy(layer.kernel).ravel() / 0.02
        assert abs(w.mean()) < 5 / np.sqrt(w.size) and abs(w.std() - 1) < 5 / np.sqrt(2 * w.size), layer.name
        assert np.mean(np.abs(w) > 2) == pytest.approx(0.0455, abs=5 * np.sqrt(0.0455 / w.size)), layer.name
        if layer.use_bias:
            assert (numpy(layer.bias) == 0).all()


def test_gains_of_batch_norm_are_normal_around_1(algorithm):
    gains = np.concatenate([numpy(norm.gamma) for norm in layers(algorithm, "BatchNormalization")])
    assert gains.size == 256 + 128 + 64 + 128 + 256
    assert gains.mean() == pytest.approx(1, abs=0.004) and gains.std() == pytest.approx(0.02, rel=0.13)
    assert all((numpy(norm.beta) == 0).all() for norm in layers(algorithm, "BatchNormalization"))


# --- data and noise


@pytest.fixture(scope="module")
def first(spec, algorithm):
    return loop.make_batches(spec, algorithm, images(spec))[0]


def test_images_fill_the_range_of_tanh(spec, first):
    image = first["image"]
    assert image.shape == (1, 128, 32, 32, 1) and image.dtype == np.float32
    assert image.min() == -1 and image.max() == 1 and abs(image.mean()) < 0.01
    assert spec.plans["generator"].last_activation == "tanh"


def test_the_prior_is_uniform_on_a_box_of_100_dimensions(first):
    z = first["z"]
    assert z.shape == (2, 128, 100) and z.dtype == np.float32
    assert -1 <= z.min() < -0.999 and 0.999 < z.max() < 1
    for low in (-1, -0.5, 0, 0.5):
        assert np.mean((z >= low) & (z < low + 0.5)) == pytest.approx(0.25, abs=0.015)


# --- the game


def test_the_loss_does_not_saturate(algorithm):
    assert float(algorithm.game.generator(ops.convert_to_tensor([-5.0]))) == pytest.approx(
        np.log1p(np.exp(5)), rel=1e-6
    )
    assert float(algorithm.game.discriminator(ops.zeros(2), ops.zeros(2))) == pytest.approx(2 * np.log(2), rel=1e-6)
