"""The saddle game V(x, y) = x * y, where x descends and y climbs: what simultaneous and alternating steps do to it."""

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from zoo.spec.types import Part
from zoo.train.algorithms import make_algorithm

SADDLE = """
name: saddle
title: V(x, y) = x * y
networks:
  generator: {inputs: {z: [1]}, output: image, layers: [Dense: {units: 1, use_bias: false}]}
  discriminator: {inputs: {image: [1]}, output: logits, layers: [Dense: {units: 1, use_bias: false}]}
"""


@pytest.fixture
def saddle(spec_of):
    """x = G(1) minimises D(G(1)) = x * y, y = D's weight maximises it: radius after 100 steps of 0.1, and all radii."""
    sgd = {"optimizer": {"SGD": {"learning_rate": 0.1}}}

    def play(x, y, *, simultaneous):
        args = {"loss": "wasserstein", "generator": sgd, "discriminator": sgd, "simultaneous": simultaneous}
        algorithm = make_algorithm(Part("alternating", args), spec_of(SADDLE).plans)
        weights = [algorithm.players[role].trainable_variables[0] for role in ("generator", "discriminator")]
        for weight, value in zip(weights, (x, -y), strict=True):  # D's weight is -y: it raises real ones
            weight.assign([[value]])
        batch = {"image": ops.zeros((1, 1, 1)), "z": ops.ones((2, 1, 1))}
        path = [(x, y)]
        run = tf.function(lambda: algorithm.train_step((batch,)))
        for _ in range(100):
            run()
            path.append(tuple(sign * float(w.value[0, 0]) for sign, w in zip((1, -1), weights, strict=True)))
        return np.array(path)

    return play


def test_simultaneous_descent_spirals_out_of_the_saddle(saddle):
    """Each step multiplies the radius by sqrt(1 + h^2), exactly."""
    path = saddle(1.0, 1.0, simultaneous=True)
    radius = np.hypot(*path.T)
    np.testing.assert_allclose(radius[1:] / radius[:-1], np.sqrt(1.01), rtol=1e-5)
    assert radius[-1] / radius[0] == pytest.approx(1.64463, abs=1e-4) and radius[-1] == pytest.approx(2.3258, abs=2e-4)


def test_alternating_descent_stays_on_its_ellipse(saddle):
    """D moves first, G meets the new D: x^2 + y^2 + h x y is kept. From (1, -1) it is 1.9, the radius below sqrt 2."""
    x, y = saddle(1.0, -1.0, simultaneous=False).T
    np.testing.assert_allclose(x**2 + y**2 + 0.1 * x * y, 1.9, rtol=1e-5)
    assert np.hypot(x, y).max() < 1.41422 and np.hypot(x, y).min() > 1.3
