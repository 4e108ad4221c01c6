"""specs/sngan.yaml against Miyato et al. 2018 and its authors' code: a test for each way to get it wrong."""

import numpy as np
import pytest
from games import images, numpy, reader, setting, step
from keras import ops

from zoo.train import loop

read = reader("sngan")


@pytest.fixture
def play():
    """(spec, algorithm) in batches of 2."""
    spec = read("training.batch_size=2")
    return spec, loop.make(spec)


def spectral(algorithm):
    return [layer for layer in algorithm.players["discriminator"].layers if hasattr(layer, "sigma")]


# Miyato et al. 2018: table 1, setting C, and table 3, with half as many filters
PAPER = {
    **{f"{player}.{name}": value for player in ("generator", "discriminator") for name, value in {
        "optimizer": "Adam",
        "optimizer.learning_rate": 2e-4,  # table 1, C
        "optimizer.beta_1": 0.5,
        "optimizer.beta_2": 0.999,
        "optimizer.epsilon": 1e-8,  # the authors' code
        "repeat": 1,  # table 1, C: n_dis
    }.items()},
    "training.batch_size": 64,  # section 4
    "data.range": (-1, 1),
    "generator.Conv2DTranspose.filters": (128, 64, 32),  # table 3a: 256, 128, 64
    "generator.Conv2DTranspose.kernel_size": (4, 4),
    "generator.Conv2D.kernel_size": (3, 3),
    "generator.last_activation": "tanh",
    "discriminator.SpectralConv2D.filters": (32, 32, 64, 64, 128, 128, 256),  # table 3b: 64 to 512
    "discriminator.SpectralConv2D.kernel_size": ((3, 3), (4, 4), (3, 3), (4, 4), (3, 3), (4, 4), (3, 3)),
    "discriminator.SpectralConv2D.strides": ((1, 1), (2, 2), (1, 1), (2, 2), (1, 1), (2, 2), (1, 1)),
    "discriminator.LeakyReLU.negative_slope": 0.1,
    "discriminator.last_activation": "linear",  # section 4: hinges
}  # fmt: skip


# --- the networks


@pytest.mark.parametrize(("name", "expected"), PAPER.items())
def test_settings_are_those_of_the_paper(spec, algorithm, name, expected):
    assert setting(spec, algorithm, name) == expected


def test_every_layer_of_d_is_normalised_and_none_of_g(algorithm):
    """The last layer too; and no batch norm in D, which would undo it."""
    weighted = [layer for layer in algorithm.players["discriminator"].layers if layer.trainable_variables]
    assert weighted == spectral(algorithm) and len(weighted) == 8
    assert weighted[-1].kernel.shape == (4 * 4 * 256, 1)  # one number from all positions: no pooling before it
    assert not [layer for layer in algorithm.players["generator"].layers if hasattr(layer, "sigma")]


# --- spectral normalisation


def test_sigma_is_the_norm_of_filters_against_everything_else(algorithm):
    """With u where the iteration leads: of the kernel as a matrix whose columns are the filters, in every layer."""
    for layer in spectral(algorithm)[::-2]:
        start = numpy(layer.u)
        _, singular, right = np.linalg.svd(numpy(layer.kernel).reshape(-1, start.size), full_matrices=False)
        layer.u.assign(right[0])
        assert float(layer.sigma(training=False)) == pytest.approx(singular[0], rel=1e-4), layer.name
        layer.u.assign(start)


def test_the_raw_kernel_is_what_adam_moves(play):
    """Keras's own wrapper stores W / sigma over W: with sigma near 0.5 every weight would double in one pass."""
    spec, algorithm = play
    before = [numpy(layer.kernel) for layer in spectral(algorithm)]
    step(spec, algorithm)
    for old, layer in zip(before, spectral(algorithm), strict=True):
        change = np.abs(numpy(layer.kernel) - old).max()
        assert 0 < change <= 2.1e-4, layer.name  # Adam's first step is the learning rate


def test_layers_do_not_share_u(algorithm):
    vectors = [numpy(layer.u) for layer in spectral(algorithm)]
    assert [v.size for v in vectors] == [32, 32, 64, 64, 128, 128, 256, 1]
    assert not np.array_equal(vectors[0], vectors[1]) and not np.array_equal(vectors[2], vectors[3])


# --- the game


def test_the_losses_are_hinges(algorithm):
    real, fake = ops.convert_to_tensor([2.0, 0.5]), ops.convert_to_tensor([-3.0, 0.5])
    assert float(algorithm.game.discriminator(real, fake)) == pytest.approx(0.25 + 0.75)
    assert float(algorithm.game.generator(fake)) == pytest.approx(1.25)  # -E D, with no margin
    assert algorithm.penalties == [] and algorithm.weight_clip is None


def test_noise_is_normal(spec, algorithm):
    z = loop.make_batches(spec, algorithm, images(spec))[0]["z"]
    assert z.shape == (2, 64, 128) and abs(z.std() - 1) < 0.03 and z.max() > 3
