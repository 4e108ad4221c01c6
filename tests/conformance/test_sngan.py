"""specs/sngan.yaml against Miyato et al. 2018 and its authors' code: what its numbers alone do not show."""

import numpy as np
import pytest
from games import numpy, reader, step

from zoo.train import loop

read = reader("sngan")


@pytest.fixture
def play():
    """(spec, algorithm) in batches of 2."""
    spec = read("training.batch_size=2")
    return spec, loop.make(spec)


def spectral(algorithm):
    return [layer for layer in algorithm.players["discriminator"].layers if hasattr(layer, "sigma")]


def test_every_layer_of_d_is_normalised_and_none_of_g(algorithm):
    """The last layer too; and no batch norm in D, which would undo it."""
    weighted = [layer for layer in algorithm.players["discriminator"].layers if layer.trainable_variables]
    assert weighted == spectral(algorithm) and len(weighted) == 8
    assert weighted[-1].kernel.shape == (4 * 4 * 256, 1)  # one number from all positions: no pooling before it
    assert not [layer for layer in algorithm.players["generator"].layers if hasattr(layer, "sigma")]


def test_the_raw_kernel_is_what_adam_moves(play):
    """Keras's own wrapper stores W / sigma over W: with sigma near 0.5 every weight would double in one pass."""
    spec, algorithm = play
    before = [numpy(layer.kernel) for layer in spectral(algorithm)]
    step(spec, algorithm)
    for old, layer in zip(before, spectral(algorithm), strict=True):
        change = np.abs(numpy(layer.kernel) - old).max()
        assert 0 < change <= 2.1e-4, layer.name  # Adam's first step is the learning rate
