"""specs/wgan.yaml against Arjovsky et al. 2017 and its authors' code: what its numbers alone do not show."""

import keras
import numpy as np
import pytest
from games import layers, reader
from keras import ops

from zoo.nn import optimizers
from zoo.spec.read import read_spec, spec_file
from zoo.spec.types import Part

read = reader("wgan")


def test_the_generator_is_dcgans(algorithm):
    dcgan = read_spec(spec_file("dcgan")).plans["generator"]
    assert [s.layer for s in algorithm.plans["generator"].steps] == [s.layer for s in dcgan.steps]
    assert algorithm.plans["generator"].parameters == dcgan.parameters
    assert len(layers(algorithm, "BatchNormalization", role="generator")) == 3


@pytest.mark.parametrize("gradient", [1.0, 1e-5, 1e-6])
def test_small_gradients_move_as_far_as_large_ones(spec, gradient):
    """lr g / (sqrt(v) + 1e-8): Keras has epsilon inside the root, where 1e-8 would all but stop a gradient of 1e-5."""
    w, part = keras.Variable(np.zeros(1, "float32")), Part.of(spec.sections.algorithm.args["generator"]["optimizer"])
    optimizer = optimizers.make(part)
    optimizer.build([w])
    optimizer.apply([ops.convert_to_tensor(np.full(1, gradient, "float32"))], [w])
    assert float(w[0]) == pytest.approx(-8e-4 * gradient / (0.1 * gradient + 1e-8), rel=0.1)
