"""specs/progressive.yaml against Karras et al. 2017 and its authors' code: what its numbers alone do not show."""

import itertools
import math

import numpy as np
import pytest
from games import images, kinds, layers, numpy, reader
from keras import ops

from zoo.train import loop

read = reader("progressive")


def test_pixel_norm_follows_every_activation_of_g(algorithm):
    """Table 2 and appendix A.1: bias, LeakyReLU, pixel norm; before them all that of the latents, none after toRGB."""
    names = kinds(algorithm, "generator")
    assert all(after == "PixelNorm" for one, after in itertools.pairwise(names) if one == "LeakyReLU")
    assert names.count("PixelNorm") == names.count("LeakyReLU") + 1


def test_one_step_of_adam_changes_what_all_layers_do_by_the_same_share():
    """Section 4.1: every weight moves by the learning rate, next to a standard deviation of 1."""
    algorithm = loop.make(spec := read("training.batch_size=4"))
    algorithm.begin(0)
    data = loop.make_batches(spec, algorithm, images(spec))[0]
    kernels = [layer.kernel for layer in layers(algorithm, "EqualizedConv2D", "EqualizedDense")]
    before = [numpy(kernel) for kernel in kernels]
    algorithm.train_step(({name: ops.convert_to_tensor(value) for name, value in data.items()},))
    for kernel, old in zip(kernels, before, strict=True):
        moved = np.abs(numpy(kernel) - old)
        assert np.median(moved) == pytest.approx(1e-3, rel=0.02) and moved.max() < 1.05e-3, kernel.path


def test_the_first_layer_is_the_dense_one_of_the_authors(algorithm):
    """A dense layer to 4 x 4 with gain sqrt(2) / 4, and a bias for each map, not for each pixel."""
    dense = layers(algorithm, "EqualizedConv2D", role="generator")[0]
    z = np.random.RandomState(0).standard_normal((5, 64)).astype("float32")
    padded = np.zeros((5, 7, 7, 64), "float32")
    padded[:, 3, 3] = z
    weights = numpy(dense.kernel)[::-1, ::-1] * math.sqrt(2) / 4 / math.sqrt(64)  # [4, 4, in, out]
    expected = np.einsum("bi,hwio->bhwo", z, weights)
    np.testing.assert_allclose(numpy(dense(padded)), expected, rtol=0, atol=1e-5)
    assert dense.bias.shape == (64,)


def test_the_average_does_not_start_over_with_the_optimizers(spec, algorithm):
    """Its half-life is the stated one once the run, not the stage, is ten times as long."""
    assert algorithm.stage.size == 32 and 16 * algorithm.stage.first > 10 * spec.sections.training.ema_half_life_images
    expected = 0.5 ** (16 / spec.sections.training.ema_half_life_images)
    assert float(algorithm.ema_beta(ops.convert_to_tensor(1.0))) == pytest.approx(expected, rel=1e-5)
    assert algorithm.exported("generator") is algorithm.averages["generator"]
