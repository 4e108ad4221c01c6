"""specs/wgan.yaml against Arjovsky et al. 2017 and its authors' code: a test for each way to get it wrong."""

import keras
import numpy as np
import pytest
from games import images, layers, numpy, reader, setting, step, watch_weights
from keras import ops

from zoo.nn import optimizers
from zoo.spec.read import read_spec, spec_file
from zoo.spec.types import Part
from zoo.train import loop

NO_BURN_IN = "algorithm.alternating.burn_in=null"


read = reader("wgan")


@pytest.fixture
def play():
    """(spec, algorithm) in batches of 2, G playing in every step."""
    spec = read("training.batch_size=2", NO_BURN_IN)
    return spec, loop.make(spec)


# Arjovsky et al. 2017, algorithm 1; "code" is its authors', in Torch
PAPER = {
    "discriminator.repeat": 5,  # n_critic
    "generator.repeat": 1,
    "game.weight_clip.c": 0.01,  # c
    "game.weight_clip.when": "after",  # line 7; code: before
    "game.penalties": None,
    "algorithm.simultaneous": False,
    "training.batch_size": 64,  # m
    "data.range": (-1, 1),  # code
    "generator.optimizer.learning_rate": 8e-4,  # 5e-5; a deviation
    "discriminator.optimizer.learning_rate": 2e-5,  # 5e-5; a deviation
    **{f"{player}.{name}": value for player in ("generator", "discriminator") for name, value in {
        "optimizer": "RMSprop",  # section 4: with momentum, Adam's too, the critic becomes unstable
        "optimizer.momentum": 0,
        "optimizer.rho": 0.99,  # Torch's alpha; Keras's own is 0.9
        "optimizer.centered": False,
    }.items()},
    "discriminator.last_activation": "linear",  # a critic is not a classifier
    "discriminator.Conv2D.use_bias": False,  # code
    "discriminator.Dense.use_bias": False,
    "discriminator.Conv2D.kernel_size": (4, 4),  # section 4.2: DCGAN's networks; code: 4 x 4 kernels
    "discriminator.Conv2D.strides": (2, 2),
    "discriminator.LeakyReLU.negative_slope": 0.2,
    "discriminator.BatchNormalization.epsilon": 1e-5,  # code: `noBN` is a matter of G alone
}  # fmt: skip


@pytest.mark.parametrize(("name", "expected"), PAPER.items())
def test_settings_are_those_of_the_paper(spec, algorithm, name, expected):
    assert setting(spec, algorithm, name) == expected


# --- the critic


def test_the_critic_is_linear_at_its_end(algorithm):
    """One number for each image, no logarithm behind it. The authors' code has both signs reversed."""
    assert algorithm.plans["discriminator"].output_shape == (1,)
    scores, fakes = ops.convert_to_tensor([3.0, 1.0]), ops.convert_to_tensor([-2.0, 5.0])
    assert float(algorithm.game.discriminator(scores, fakes)) == pytest.approx(1.5 - 2)
    assert float(algorithm.game.generator(fakes)) == pytest.approx(-1.5)


def test_the_critics_batch_norm_is_clipped_too(play):
    """gamma begins near 1; from the first update on it is 0.01 at most."""
    spec, algorithm = play
    assert algorithm.weight_clip.batch_norm
    gammas = [numpy(layer.gamma) for layer in layers(algorithm, "BatchNormalization", role="discriminator")]
    step(spec, algorithm)
    held = [numpy(layer.gamma) for layer in layers(algorithm, "BatchNormalization", role="discriminator")]
    assert len(held) == 2 and all(g.min() > 0.8 for g in gammas) and all(abs(g).max() <= np.float32(0.01) for g in held)


def test_the_generator_is_dcgans(algorithm):
    dcgan = read_spec(spec_file("dcgan")).plans["generator"]
    assert [s.layer for s in algorithm.plans["generator"].steps] == [s.layer for s in dcgan.steps]
    assert algorithm.plans["generator"].parameters == dcgan.parameters
    assert len(layers(algorithm, "BatchNormalization", role="generator")) == 3


def test_weights_are_normal_with_deviation_0_02(algorithm):
    for role in algorithm.players:
        for layer in layers(algorithm, "Conv2D", "Conv2DTranspose", "Dense", role=role):
            w = numpy(layer.kernel).ravel() / 0.02
            assert abs(w.mean()) < 5 / np.sqrt(w.size) and abs(w.std() - 1) < 5 / np.sqrt(2 * w.size), layer.name


def test_noise_is_normal(spec, algorithm):
    first = loop.make_batches(spec, algorithm, images(spec, 400))[0]
    assert first["z"].shape == (6, 64, 100) and abs(first["z"].mean()) < 0.03
    assert abs(first["z"].std() - 1) < 0.03 and first["z"].max() > 3


# --- clipping


def test_the_box_holds_after_each_update_of_the_critic(play, monkeypatch):
    """Clipped before the updates alone, G would learn from a critic outside the box."""
    spec, algorithm = play
    seen = watch_weights(algorithm, monkeypatch, "discriminator")
    step(spec, algorithm)
    largest = [max(np.abs(w).max() for w in weights) for weights in seen]
    assert len(seen) == 11 and min(largest[:2]) > 0.02  # five times real and fake, then G's turn
    assert max(largest[2:]) == np.float32(0.01)


# --- the optimizers


@pytest.mark.parametrize("gradient", [1.0, 1e-5, 1e-6])
def test_small_gradients_move_as_far_as_large_ones(spec, gradient):
    """lr g / (sqrt(v) + 1e-8): Keras has epsilon inside the root, where 1e-8 would all but stop a gradient of 1e-5."""
    w, part = keras.Variable(np.zeros(1, "float32")), Part.of(spec.sections.algorithm.args["generator"]["optimizer"])
    optimizer = optimizers.make(part)
    optimizer.build([w])
    optimizer.apply([ops.convert_to_tensor(np.full(1, gradient, "float32"))], [w])
    assert float(w[0]) == pytest.approx(-8e-4 * gradient / (0.1 * gradient + 1e-8), rel=0.1)


# --- the step


def test_the_critic_trains_long_at_first_and_now_and_then(spec, algorithm):
    """100 updates for each of G's first 25 and again at those divisible by 500: at 5 in a step, G plays each 20th."""
    plays = np.flatnonzero([algorithm.step_inputs(i)["generator_plays"][0] for i in range(1500)])
    assert plays[:25].tolist() == list(range(19, 500, 20))
    assert plays[25:475].tolist() == list(range(500, 950))
    assert np.flatnonzero(np.diff(plays) > 1).tolist() == [*range(24), 499]
