"""specs/wgan.yaml against Arjovsky et al. 2017 and its authors' code: a test for each way to get it wrong."""

import keras
import numpy as np
import pytest
from games import images, layers, moved, names, numpy, reader, step, values, watch, watch_weights
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


# --- the critic


def test_the_critic_is_linear_at_its_end(algorithm):
    """No sigmoid: it is no classifier. One number for each image, and no logarithm behind it."""
    assert algorithm.plans["discriminator"].last_activation == "linear"
    assert algorithm.plans["discriminator"].output_shape == (1,)
    scores, fakes = ops.convert_to_tensor([3.0, 1.0]), ops.convert_to_tensor([-2.0, 5.0])
    assert float(algorithm.game.discriminator(scores, fakes)) == pytest.approx(1.5 - 2)
    assert float(algorithm.game.generator(fakes)) == pytest.approx(-1.5)


def test_signs_are_the_papers(algorithm):
    """The critic raises real scores and lowers fake ones, G raises them; the authors' code has all of it reversed."""
    high, low = ops.ones(2), ops.zeros(2)
    assert float(algorithm.game.discriminator(high, low)) < float(algorithm.game.discriminator(low, high))
    assert float(algorithm.game.generator(high)) < float(algorithm.game.generator(low))


def test_the_critic_keeps_batch_norm_but_after_its_first_convolution_and_has_no_biases(algorithm):
    """As the authors' code: `noBN` is a matter of G alone."""
    order = [step.layer for step in algorithm.plans["discriminator"].steps]
    assert order[:2] == ["Conv2D", "LeakyReLU"]
    assert order[2:-2] == ["Conv2D", "BatchNormalization", "LeakyReLU"] * 2
    assert not any(layer.use_bias for layer in layers(algorithm, "Conv2D", "Dense", role="discriminator"))


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


def test_the_critics_convolutions_are_dcgans(algorithm):
    convs = layers(algorithm, "Conv2D", role="discriminator")
    assert [conv.filters for conv in convs] == [32, 64, 128]
    assert {(conv.kernel_size, conv.strides, conv.padding) for conv in convs} == {((4, 4), (2, 2), "same")}
    assert {layer.negative_slope for layer in layers(algorithm, "LeakyReLU", role="discriminator")} == {0.2}


def test_weights_are_normal_with_deviation_0_02(algorithm):
    for role in algorithm.players:
        for layer in layers(algorithm, "Conv2D", "Conv2DTranspose", "Dense", role=role):
            w = numpy(layer.kernel).ravel() / 0.02
            assert abs(w.mean()) < 5 / np.sqrt(w.size) and abs(w.std() - 1) < 5 / np.sqrt(2 * w.size), layer.name


def test_noise_is_normal(spec, algorithm):
    first = loop.make_batches(spec, algorithm, images(spec, 400))[0]
    assert first["z"].shape == (6, 64, 100) and first["image"].shape == (5, 64, 32, 32, 1)
    assert abs(first["z"].mean()) < 0.03 and abs(first["z"].std() - 1) < 0.03 and first["z"].max() > 3
    assert first["image"].min() == -1 and first["image"].max() == 1


# --- clipping


def test_the_box_holds_after_each_update_of_the_critic(play, monkeypatch):
    """Clipped before the updates alone, G would learn from a critic outside the box."""
    spec, algorithm = play
    seen = watch_weights(algorithm, monkeypatch, "discriminator")
    step(spec, algorithm)
    largest = [max(np.abs(w).max() for w in weights) for weights in seen]
    assert len(seen) == 11 and min(largest[:2]) > 0.02  # five times real and fake, then G's turn
    assert max(largest[2:]) == np.float32(0.01)


def test_every_weight_of_the_critic_is_held_and_none_of_g(play):
    spec, algorithm = play
    step(spec, algorithm)
    critic, made = (algorithm.players[role].trainable_variables for role in ("discriminator", "generator"))
    assert all(np.abs(numpy(v)).max() <= np.float32(0.01) for v in critic)
    assert all(np.abs(numpy(v)).max() > 0.015 for v in made if "kernel" in v.path or "gamma" in v.path)


def test_nothing_else_holds_the_critic(algorithm):
    assert algorithm.penalties == [] and algorithm.noise == {}
    assert (algorithm.weight_clip.c, algorithm.weight_clip.when) == (0.01, "after")


def test_statistics_of_the_generator_are_not_clipped(play):
    spec, algorithm = play
    step(spec, algorithm)
    variances = [numpy(layer.moving_variance) for layer in layers(algorithm, "BatchNormalization", role="generator")]
    assert min(v.min() for v in variances) > 0.5


# --- the optimizers


def test_rmsprop_is_torchs(algorithm):
    """No momentum and no Adam, with which the critic becomes unstable. Keras's rho is 0.9."""
    for phase, rate in zip(algorithm.phases(), (2e-5, 8e-4), strict=True):
        found = phase.optimizer
        assert type(found) is keras.optimizers.RMSprop and found.momentum == 0 and not found.centered
        assert found.rho == 0.99 and float(found.learning_rate) == pytest.approx(rate, rel=1e-6)
    assert algorithm.batch_size == 64


@pytest.mark.parametrize("gradient", [1.0, 1e-5, 1e-6])
def test_small_gradients_move_as_far_as_large_ones(spec, gradient):
    """lr g / (sqrt(v) + 1e-8): Keras has epsilon inside the root, where 1e-8 would all but stop a gradient of 1e-5."""
    w, part = keras.Variable(np.zeros(1, "float32")), Part.of(spec.sections.algorithm.args["generator"]["optimizer"])
    optimizer = optimizers.make(part)
    optimizer.build([w])
    optimizer.apply([ops.convert_to_tensor(np.full(1, gradient, "float32"))], [w])
    assert float(w[0]) == pytest.approx(-8e-4 * gradient / (0.1 * gradient + 1e-8), rel=0.1)


# --- the step


def test_the_critic_makes_five_updates_on_five_batches_and_g_one(play, monkeypatch):
    spec, algorithm = play
    calls = watch(algorithm, monkeypatch)
    step(spec, algorithm)
    order = [name for name, *_ in calls]
    assert order == ["generator", "discriminator", "discriminator"] * 5 + ["generator", "discriminator"]
    assert [int(p.optimizer.iterations) for p in algorithm.phases()] == [5, 1]
    noise = {inputs["z"].tobytes() for name, inputs, _ in calls if name == "generator"}
    seen = {inputs["image"].tobytes() for name, inputs, _ in calls if name == "discriminator"}
    assert len(noise) == 6 and len(seen) == 11
    assert not algorithm.simultaneous


def test_the_critic_trains_long_at_first_and_now_and_then(spec, algorithm):
    """100 updates for each of G's first 25 and again at those divisible by 500: at 5 in a step, G plays each 20th."""
    plays = np.flatnonzero([algorithm.step_inputs(i)["generator_plays"][0] for i in range(1500)])
    assert plays[:25].tolist() == list(range(19, 500, 20))
    assert plays[25:475].tolist() == list(range(500, 950))
    assert np.flatnonzero(np.diff(plays) > 1).tolist() == [*range(24), 499]


def test_while_g_sits_out_the_critic_alone_learns():
    spec = read("training.batch_size=2")
    algorithm = loop.make(spec)
    before = values(algorithm)
    step(spec, algorithm)
    now = {name for name in moved(before, algorithm) if not name.startswith("generator_ema/")}
    assert now == names(algorithm, "discriminator") | names(algorithm, "discriminator", kind="moving")
    assert [int(p.optimizer.iterations) for p in algorithm.phases()] == [5, 0]
    assert all(np.isfinite(value).all() for value in values(algorithm).values())
