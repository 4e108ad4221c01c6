"""specs/vanilla.yaml against Goodfellow et al. 2014 and its authors' code: a test for each way to get it wrong."""

import inspect

import keras
import numpy as np
import pytest
from games import images, layers, moved, names, numpy, reader, step, values, watch, watch_flags
from keras import ops

from zoo.core.errors import SpecError
from zoo.data.sources import SOURCES
from zoo.spec import feeds
from zoo.train import checkpoint, loop, monitor

read = reader("vanilla")


@pytest.fixture
def play():
    """(spec, algorithm) in batches of 4."""
    spec = read("training.batch_size=4")
    return spec, loop.make(spec)


# --- the networks


def test_layers_of_the_generator(algorithm):
    dense = layers(algorithm, "Dense", role="generator")
    assert [(d.units, d.activation.__name__) for d in dense] == [(1200, "relu"), (1200, "relu"), (784, "sigmoid")]
    assert algorithm.plans["generator"].output_shape == (28, 28, 1) and algorithm.plans["generator"].inputs == {
        "z": (100,)
    }


def test_layers_of_the_discriminator_are_maxout_and_not_relu(algorithm):
    kinds = [type(layer).__name__ for layer in algorithm.players["discriminator"].layers]
    assert kinds == ["InputLayer", "Flatten", "Dropout", "Maxout", "Dropout", "Maxout", "Dropout", "Dense"]
    assert [(m.units, m.pieces) for m in layers(algorithm, "Maxout", role="discriminator")] == [(240, 5), (240, 5)]


def test_parameters_are_as_many_as_in_the_paper(algorithm):
    counted = {
        role: sum(int(np.prod(v.shape)) for v in player.trainable_variables)
        for role, player in algorithm.players.items()
    }
    assert counted == {"generator": 2_503_984, "discriminator": 1_231_441}
    assert {role: plan.parameters for role, plan in algorithm.plans.items()} == counted


def test_there_is_no_batch_norm(algorithm):
    assert not any("Norm" in type(layer).__name__ for player in algorithm.players.values() for layer in player.layers)


def test_the_discriminator_ends_in_logits(algorithm):
    (last,) = layers(algorithm, "Dense", role="discriminator")
    assert last.units == 1 and last.activation is keras.activations.linear
    assert algorithm.plans["discriminator"].last_activation == "linear"


def test_a_sigmoid_before_the_loss_is_refused():
    with pytest.raises(SpecError, match="logits are what stands before the sigmoid"):
        read("networks.discriminator.layers.3.Dense.activation=sigmoid")


def test_dropout_rates_are_those_that_keep_four_fifths_of_the_input_and_half_elsewhere(algorithm):
    rates = [layer.rate for layer in layers(algorithm, "Dropout", role="discriminator")]
    assert rates == pytest.approx([0.2, 0.5, 0.5])
    for layer, scale in zip(layers(algorithm, "Dropout", role="discriminator"), (1.25, 2.0, 2.0), strict=True):
        np.testing.assert_allclose(
            np.unique(numpy(layer(np.ones((50, 50), "float32"), training=True))), [0, scale], rtol=1e-6
        )


def test_there_is_no_dropout_in_the_generator(algorithm):
    assert not layers(algorithm, "Dropout", role="generator")
    z = np.random.RandomState(0).standard_normal((2, 100)).astype("float32")
    g = algorithm.players["generator"]
    np.testing.assert_array_equal(
        numpy(g({"z": z}, training=True)["image"]), numpy(g({"z": z}, training=False)["image"])
    )


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


def test_a_range_that_the_sigmoid_cannot_reach_is_refused():
    with pytest.raises(SpecError, match="sigmoid makes"):
        read("data.range=[-1, 1]")


def test_the_prior_is_a_standard_normal_of_100_numbers(first):
    z = first["z"]
    assert z.shape == (2, 100, 100) and z.dtype == np.float32
    assert abs(z.mean()) < 0.03 and z.std() == pytest.approx(1, abs=0.02)
    assert np.mean(np.abs(z) < 1) == pytest.approx(0.6827, abs=0.015) and np.abs(z).max() > 3


def test_noise_is_fresh_for_each_player_and_step(spec, algorithm, first):
    second = loop.make_batches(spec, algorithm, images(spec))[1]
    draws = [*first["z"], *second["z"]]
    assert len({draw.tobytes() for draw in draws}) == 4


def test_the_discriminator_and_the_generator_see_different_noise(play, monkeypatch):
    spec, algorithm = play
    calls = watch(algorithm, monkeypatch)
    step(spec, algorithm)
    d_turn, g_turn = (inputs["z"] for name, inputs, _ in calls if name == "generator")
    assert d_turn.shape == g_turn.shape == (4, 100) and not np.array_equal(d_turn, g_turn)


def test_training_never_sees_the_test_images(spec):
    assert inspect.signature(SOURCES.get(spec.sections.data.source.name)).parameters["split"].default == "train"
    assert "split" not in spec.sections.data.source.args


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


def test_real_and_fake_pass_the_discriminator_apart(play, monkeypatch):
    spec, algorithm = play
    calls = watch(algorithm, monkeypatch)
    step(spec, algorithm)
    assert [name for name, *_ in calls] == ["generator", "discriminator", "discriminator", "generator", "discriminator"]
    assert all(x.shape[0] == 4 for _, inputs, _ in calls for x in inputs.values())


def test_one_update_of_each_player_a_step(play):
    spec, algorithm = play
    step(spec, algorithm)
    assert [int(phase.optimizer.iterations.value) for phase in algorithm.phases()] == [1, 1]


def test_dropout_is_on_in_every_pass_of_the_discriminator(algorithm):
    """Also in the one that teaches G: the authors' default."""
    rng = np.random.RandomState(0)
    data = {"image": ops.convert_to_tensor(rng.rand(1, 4, 28, 28, 1).astype("float32")),
            "z": ops.convert_to_tensor(rng.standard_normal((2, 4, 100)).astype("float32"))}  # fmt: skip
    for loss in (algorithm.phases()[0].loss, algorithm.phases()[1].loss):
        assert len({float(loss(data, 0)[0]) for _ in range(4)}) == 4  # another mask at each call


def test_both_gradients_are_taken_at_the_same_weights():
    faster = "algorithm.alternating.discriminator.optimizer.SGD.learning_rate=100.0"
    results = []
    for overrides in ((), (faster,)):
        changed = read("training.batch_size=4", *overrides)
        algorithm = loop.make(changed)
        step(changed, algorithm)
        results.append([numpy(v.value) for v in algorithm.players["generator"].trainable_variables])
    assert all(np.array_equal(a, b) for a, b in zip(*results, strict=True))  # however far D went


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


def test_it_is_sgd_and_not_adam(algorithm):
    for phase in algorithm.phases():
        assert isinstance(phase.optimizer, keras.optimizers.SGD) and not phase.optimizer.nesterov
        assert phase.optimizer.weight_decay is None and phase.optimizer.clipnorm is None


def test_the_first_moves_are_those_of_sgd_with_momentum(play):
    """w1 - w0 = -lr g0 for the last bias of D, whose gradient is known: 0.5 (mean D(G(z)) - mean (1 - D(x)))."""
    spec, algorithm = play
    bias = algorithm.players["discriminator"].trainable_variables[-1]
    bias.assign([2.0])  # D(x) = D(G(z)) = sigmoid(2) to 1e-3, since all other weights are within 0.005
    step(spec, algorithm)
    p = 1 / (1 + np.exp(-2.0))
    assert float(bias.value[0]) - 2.0 == pytest.approx(-0.1 * 0.5 * (p - (1 - p)), abs=1e-4)


def test_the_batch_is_100(spec):
    assert spec.sections.training.batch_size == 100


# --- who moves


@pytest.mark.parametrize("owner, other", [("discriminator", "generator"), ("generator", "discriminator")])
def test_a_turn_moves_its_own_weights_alone(play, owner, other):
    spec, algorithm = play
    turn = tuple(phase for phase in algorithm.phases() if phase.name == owner)
    algorithm.phases = lambda: turn
    before = values(algorithm)
    step(spec, algorithm)
    now = moved(before, algorithm)
    assert names(algorithm, owner) <= now and not names(algorithm, other) & now


def test_no_flag_is_flipped_to_freeze_a_player(play, monkeypatch):
    """`D.trainable = False` while G learns was read when a model was compiled; a step reads it at every call."""
    spec, algorithm = play
    flags = watch_flags(algorithm, monkeypatch)
    step(spec, algorithm)
    assert flags == [True] * 5
    assert all(layer.trainable for player in algorithm.players.values() for layer in [player, *player.layers])
