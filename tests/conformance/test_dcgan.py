"""specs/dcgan.yaml against Radford et al. 2015 and its authors' code: a test for each way to get it wrong."""

import keras
import numpy as np
import pytest
from games import images, kinds, layers, moved, names, numpy, reader, step, values, watch, watch_flags
from keras import ops

from zoo.core.errors import SpecError
from zoo.train import loop

SHAPES = {
    "generator": [(4096,), (4, 4, 256), (8, 8, 128), (16, 16, 64), (32, 32, 1)],
    "discriminator": [(16, 16, 64), (8, 8, 128), (4, 4, 256), (4096,), (1,)],
}


read = reader("dcgan")


@pytest.fixture
def play():
    """(spec, algorithm) in batches of 3."""
    spec = read("training.batch_size=3")
    return spec, loop.make(spec)


# --- the networks


@pytest.mark.parametrize("role", ["generator", "discriminator"])
def test_shapes_follow_the_papers_figure(algorithm, role):
    found = [
        step.cost.shape
        for step in algorithm.plans[role].steps
        if step.layer not in ("BatchNormalization", "ReLU", "LeakyReLU")
    ]
    assert found == SHAPES[role]


def test_batch_norm_stands_everywhere_but_at_the_output_of_g_and_the_input_of_d(algorithm):
    assert kinds(algorithm, "generator") == [
        "Dense", "Reshape", "BatchNormalization", "ReLU",
        "Conv2DTranspose", "BatchNormalization", "ReLU",
        "Conv2DTranspose", "BatchNormalization", "ReLU",
        "Conv2DTranspose",
    ]  # fmt: skip
    assert kinds(algorithm, "discriminator") == [
        "Conv2D", "LeakyReLU",
        "Conv2D", "BatchNormalization", "LeakyReLU",
        "Conv2D", "BatchNormalization", "LeakyReLU",
        "Flatten", "Dense",
    ]  # fmt: skip


def test_scales_change_by_strides_and_never_by_pooling_or_upsampling(algorithm):
    convs = layers(algorithm, "Conv2D", "Conv2DTranspose")
    assert len(convs) == 6 and all(conv.strides == (2, 2) and conv.padding == "same" for conv in convs)
    every = kinds(algorithm, "generator") + kinds(algorithm, "discriminator")
    assert not [kind for kind in every if "Pool" in kind or "UpSampling" in kind or "Dropout" in kind]


def test_kernels_pad_the_same_on_both_sides(algorithm):
    """An even kernel at stride 2 is padded 1 and 1; Keras pads 5 x 5 by 1 and 2: a shift at every scale."""
    assert {conv.kernel_size for conv in layers(algorithm, "Conv2D", "Conv2DTranspose")} == {(4, 4)}


def test_there_is_no_hidden_dense_layer(algorithm):
    assert [kinds(algorithm, role).index("Dense") for role in SHAPES] == [0, len(kinds(algorithm, "discriminator")) - 1]
    assert len(layers(algorithm, "Dense")) == 2


def test_a_bias_stands_only_where_no_batch_norm_takes_it_away(algorithm):
    for role in SHAPES:
        inside = [layer for layer in algorithm.players[role].layers[1:] if type(layer).__name__ != "Reshape"]
        for layer, after in zip(inside, [*inside[1:], None], strict=True):
            if hasattr(layer, "use_bias"):
                assert layer.use_bias is (type(after).__name__ != "BatchNormalization"), layer.name


def test_activations(algorithm):
    """ReLU in G with tanh at the end; LeakyReLU of slope 0.2 in D, measured: Keras's layer has 0.3."""
    relus, leaky = layers(algorithm, "ReLU"), layers(algorithm, "LeakyReLU")
    assert len(relus) == 3 and len(leaky) == 3
    for layer in leaky:
        np.testing.assert_allclose(numpy(layer(np.array([-1.0, 2.0], "float32"))), [-0.2, 2.0], rtol=1e-6)
    for layer in relus:
        np.testing.assert_array_equal(numpy(layer(np.array([-1.0, 9.0], "float32"))), [0.0, 9.0])
    assert algorithm.players["generator"].layers[-1].activation is keras.activations.tanh
    assert all(layer.activation is keras.activations.linear for layer in layers(algorithm, "Conv2D", "Dense"))


def test_the_discriminator_ends_in_logits(algorithm):
    assert algorithm.plans["discriminator"].last_activation == "linear"
    with pytest.raises(SpecError, match="logits are what stands before the sigmoid"):
        read("networks.discriminator.layers.4.Dense.activation=sigmoid")


def test_momentum_and_epsilon_of_batch_norm_reach_keras(algorithm):
    """Keras's own are 0.99 and 1e-3: statistics that lag behind a short run, and samples that look dead."""
    norms = layers(algorithm, "BatchNormalization")
    assert len(norms) == 5 and all((norm.momentum, norm.epsilon) == (0.9, 1e-5) for norm in norms)
    assert all(norm.axis in (-1, 3) and norm.center and norm.scale for norm in norms)


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


def test_a_range_that_tanh_does_not_fill_is_refused():
    with pytest.raises(SpecError, match="tanh makes"):
        read("data.range=[0, 1]")


def test_there_is_no_augmentation(spec):
    assert spec.sections.data.flip is False


def test_the_prior_is_uniform_on_a_box_of_100_dimensions(first):
    z = first["z"]
    assert z.shape == (2, 128, 100) and z.dtype == np.float32
    assert -1 <= z.min() < -0.999 and 0.999 < z.max() < 1
    for low in (-1, -0.5, 0, 0.5):
        assert np.mean((z >= low) & (z < low + 0.5)) == pytest.approx(0.25, abs=0.015)


def test_noise_is_fresh_for_each_player_and_step(spec, algorithm, first):
    second = loop.make_batches(spec, algorithm, images(spec))[1]
    assert len({draw.tobytes() for draw in (*first["z"], *second["z"])}) == 4


# --- the game


def test_the_loss_does_not_saturate(algorithm):
    assert float(algorithm.game.generator(ops.convert_to_tensor([-5.0]))) == pytest.approx(
        np.log1p(np.exp(5)), rel=1e-6
    )
    assert float(algorithm.game.discriminator(ops.zeros(2), ops.zeros(2))) == pytest.approx(2 * np.log(2), rel=1e-6)


def test_real_and_fake_pass_the_discriminator_apart(play, monkeypatch):
    """One batch of both would share one batch norm between them. All passes normalise by their own batch."""
    spec, algorithm = play
    calls = watch(algorithm, monkeypatch)
    step(spec, algorithm)
    assert [name for name, *_ in calls] == ["generator", "discriminator", "discriminator", "generator", "discriminator"]
    assert all(x.shape[0] == 3 for _, inputs, _ in calls for x in inputs.values())
    assert all(training is True for *_, training in calls)
    d_turn, g_turn = (inputs["z"] for name, inputs, _ in calls if name == "generator")
    assert not np.array_equal(d_turn, g_turn)


def test_the_generator_meets_the_discriminator_that_has_just_learned(spec):
    assert not loop.make(spec).simultaneous


@pytest.mark.parametrize("owner, other", [("discriminator", "generator"), ("generator", "discriminator")])
def test_a_turn_moves_its_own_network_alone(play, owner, other):
    """Weights, and the moving statistics too: Keras moves those of every network that is called."""
    spec, algorithm = play
    turn = tuple(phase for phase in algorithm.phases() if phase.name == owner)
    algorithm.phases = lambda: turn
    before = values(algorithm)
    step(spec, algorithm)
    own = names(algorithm, owner) | names(algorithm, owner, kind="moving")
    assert {n for n in moved(before, algorithm) if not n.startswith("generator_ema/")} == own
    assert len(names(algorithm, other, kind="moving")) in (4, 6)


def test_no_flag_is_flipped_to_freeze_a_player(play, monkeypatch):
    """`D.trainable = False` while G learns would also put D's batch norm into inference."""
    spec, algorithm = play
    flags = watch_flags(algorithm, monkeypatch)
    step(spec, algorithm)
    assert flags == [True] * 5


# --- the optimizers and the average


def test_adam_is_the_papers(algorithm):
    """Keras's own are 1e-3 (too high), 0.9 (oscillates), 0.999 and 1e-7."""
    for phase in algorithm.phases():
        adam = phase.optimizer
        assert type(adam) is keras.optimizers.Adam and adam.weight_decay is None and not adam.amsgrad
        assert (adam.beta_1, adam.beta_2, adam.epsilon) == (0.5, 0.999, 1e-8)
        assert float(adam.learning_rate) == pytest.approx(2e-4, rel=1e-6)
    assert algorithm.batch_size == 128


def test_one_update_of_each_player_a_step(play):
    spec, algorithm = play
    step(spec, algorithm)
    assert [(p.name, int(p.optimizer.iterations.value)) for p in algorithm.phases()] == [
        ("discriminator", 1),
        ("generator", 1),
    ]


def test_the_average_of_the_generator_lags_and_is_never_trained(play):
    spec, algorithm = play
    before = values(algorithm)
    step(spec, algorithm)
    after = values(algorithm)
    for name in names(algorithm, "generator"):
        old, new = before[name], after[name]
        expected = old + (1 - float(algorithm.ema_beta(1.0))) * (new - old)
        np.testing.assert_allclose(after[name.replace("generator/", "generator_ema/", 1)], expected, rtol=0, atol=1e-6)
    assert (
        list(algorithm.averages) == ["generator"] and algorithm.exported("generator") is algorithm.averages["generator"]
    )
