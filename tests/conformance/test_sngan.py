"""specs/sngan.yaml against Miyato et al. 2018 and its authors' code: a test for each way to get it wrong."""

import keras
import numpy as np
import pytest
from games import images, kinds, moved, names, numpy, reader, step, values, watch
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


# --- the networks: table 3 of the paper, half as wide


def test_the_discriminator_is_the_papers(algorithm):
    """Kernels 3/1 and 4/2 in turns, then 3/1 and one number from all positions (no pooling before it)."""
    assert kinds(algorithm, "discriminator") == ["SpectralConv2D", "LeakyReLU"] * 7 + ["Flatten", "SpectralDense"]
    *convs, last = spectral(algorithm)
    found = [(conv.filters * 2, conv.kernel_size[0], conv.strides[0]) for conv in convs]
    assert found == [(64, 3, 1), (64, 4, 2), (128, 3, 1), (128, 4, 2), (256, 3, 1), (256, 4, 2), (512, 3, 1)]
    assert all(conv.padding == "same" and conv.use_bias for conv in convs) and last.kernel.shape == (4 * 4 * 256, 1)


def test_the_generator_is_the_papers(algorithm):
    assert kinds(algorithm, "generator") == [
        "Dense", "Reshape", "BatchNormalization", "ReLU",
        *["Conv2DTranspose", "BatchNormalization", "ReLU"] * 3,
        "Conv2D",
    ]  # fmt: skip
    shapes = [s.cost.shape for s in algorithm.plans["generator"].steps if s.layer.startswith(("Resh", "Conv"))]
    assert shapes == [(4, 4, 256), (8, 8, 128), (16, 16, 64), (32, 32, 32), (32, 32, 1)]
    assert algorithm.plans["generator"].last_activation == "tanh"


def test_every_layer_of_d_is_normalised_and_none_of_g(algorithm):
    """The last layer too; and no batch norm in D, which would undo it."""
    weighted = [layer for layer in algorithm.players["discriminator"].layers if layer.trainable_variables]
    assert weighted == spectral(algorithm) and len(weighted) == 8
    assert not [layer for layer in algorithm.players["generator"].layers if hasattr(layer, "sigma")]


def test_the_slope_of_leaky_relu_is_a_tenth(algorithm):
    leaky = [x for x in algorithm.players["discriminator"].layers if type(x).__name__ == "LeakyReLU"]
    for layer in leaky:
        np.testing.assert_allclose(numpy(layer(np.array([-1.0, 2.0], "float32"))), [-0.1, 2.0], rtol=1e-6)
    assert len(leaky) == 7


def test_the_discriminator_ends_in_logits(algorithm):
    assert algorithm.plans["discriminator"].last_activation == "linear"


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


def test_an_iteration_belongs_to_a_training_pass_of_ds_own_turn(play):
    """Inference moves no u, nor does G's turn: u is a state of D."""
    spec, algorithm = play
    image = np.zeros((1, 32, 32, 1), "float32")
    before = values(algorithm)
    algorithm.players["discriminator"]({"image": image}, training=False)
    assert moved(before, algorithm) == set()
    d, g = algorithm.phases()
    states = names(algorithm, "discriminator", kind="seeds")  # what is neither trained nor a moving average
    assert len(states) == 8
    algorithm.phases = lambda: (g,)
    step(spec, algorithm)
    assert not moved(before, algorithm) & states
    algorithm.phases = lambda: (d,)
    step(spec, algorithm)
    assert states - {f"discriminator/{spectral(algorithm)[-1].u.path}"} <= moved(before, algorithm)  # which is +-1


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


def test_one_update_of_each_player_on_batches_of_their_own(play, monkeypatch):
    spec, algorithm = play
    calls = watch(algorithm, monkeypatch)
    step(spec, algorithm)
    assert [name for name, *_ in calls] == ["generator", "discriminator", "discriminator", "generator", "discriminator"]
    assert len({x.tobytes() for _, inputs, _ in calls for x in inputs.values()}) == 5
    assert [int(p.optimizer.iterations) for p in algorithm.phases()] == [1, 1]


def test_adam_is_the_papers_setting_c(algorithm):
    for phase in algorithm.phases():
        adam = phase.optimizer
        assert type(adam) is keras.optimizers.Adam and adam.weight_decay is None and not adam.amsgrad
        assert (adam.beta_1, adam.beta_2, adam.epsilon) == (0.5, 0.999, 1e-8)
        assert float(adam.learning_rate) == pytest.approx(2e-4, rel=1e-6)
    assert algorithm.batch_size == 64


def test_images_fill_the_range_of_tanh_and_noise_is_normal(spec, algorithm):
    first = loop.make_batches(spec, algorithm, images(spec))[0]
    assert first["image"].shape == (1, 64, 32, 32, 1) and (first["image"].min(), first["image"].max()) == (-1, 1)
    assert first["z"].shape == (2, 64, 128) and abs(first["z"].std() - 1) < 0.03 and first["z"].max() > 3
