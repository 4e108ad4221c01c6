"""specs/unrolled.yaml against Metz et al. 2016 and its authors' code: a test for each way to get it wrong.

tests/algorithms/test_look_ahead.py holds the gradient through the look ahead, and that D stays where it was.
"""

import keras
import numpy as np
import pytest
from games import watch
from keras import ops

from zoo.nn.optimizers import Unrolled
from zoo.spec.feeds import load_data
from zoo.spec.read import read_spec, spec_file
from zoo.train import loop


def read(*overrides, name="unrolled"):
    return read_spec(spec_file(name), overrides)


@pytest.fixture
def play():
    """(spec, algorithm) in batches of 4, with K = 2."""
    spec = read("training.batch_size=4", "algorithm.unrolled.unrolled_updates=2")
    return spec, loop.make(spec)


def first(spec, algorithm):
    """The batch of step 0, as `fit` hands it over."""
    data = loop.make_batches(spec, algorithm, load_data(spec))[0]
    return {name: ops.convert_to_tensor(value) for name, value in data.items()}


def layers(algorithm, role):
    return algorithm.players[role].layers[1:]


# --- the data


def test_the_ring_has_8_modes_of_which_no_two_are_one(spec):
    """The authors' demo lays 8 angles over the whole circle with both ends: 7 modes, one of them doubled."""
    points = load_data(spec).items  # [N, 2]
    angles = np.arctan2(points[:, 1], points[:, 0])
    near = np.round(angles / (np.pi / 4)).astype(int) % 8
    counts = np.bincount(near, minlength=8)
    assert len(counts) == 8 and counts.min() > 0.8 * len(points) / 8
    assert np.abs(angles - np.round(angles / (np.pi / 4)) * (np.pi / 4)).max() < 0.06
    centres = np.array([points[near == mode].mean(axis=0) for mode in range(8)])
    np.testing.assert_allclose(np.hypot(*centres.T), 2.0, atol=0.005)
    for mode, centre in enumerate(centres):
        assert (points[near == mode] - centre).std() == pytest.approx(0.02, rel=0.05)


def test_the_latents_are_256_normal_numbers(spec, algorithm):
    z = loop.make_batches(spec, algorithm, load_data(spec))[0]["z"]
    assert z.shape == (2, 512, 256) and abs(z.mean()) < 0.01 and z.std() == pytest.approx(1, abs=0.01)


# --- the networks


def test_the_generator_has_two_hidden_layers_of_128_and_a_linear_end(algorithm):
    found = [(layer.units, layer.activation.__name__) for layer in layers(algorithm, "generator")]
    assert found == [(128, "relu"), (128, "relu"), (2, "linear")]


def test_the_discriminator_sees_a_quarter_and_has_one_hidden_layer(algorithm):
    scaling, *dense = layers(algorithm, "discriminator")
    assert type(scaling) is keras.layers.Rescaling and (scaling.scale, scaling.offset) == (0.25, 0)
    assert [(layer.units, layer.activation.__name__) for layer in dense] == [(128, "relu"), (1, "linear")]


def test_weights_start_orthogonal_with_gain_0_8(algorithm):
    for role in algorithm.roles:
        for layer in layers(algorithm, role):
            if not hasattr(layer, "kernel"):
                continue
            kernel = ops.convert_to_numpy(layer.kernel)
            rows = kernel if kernel.shape[0] <= kernel.shape[1] else kernel.T
            np.testing.assert_allclose(rows @ rows.T, 0.64 * np.eye(len(rows)), atol=1e-5)


def test_there_is_nothing_whose_statistics_a_look_ahead_could_move(algorithm):
    """Batch norm of D in the unrolled updates is ambiguous: the ring needs none, and the images go without."""
    for name in ("unrolled", "unrolled_fashion"):
        kinds = [step.layer for step in read(name=name).plans["discriminator"].steps]
        assert not [kind for kind in kinds if "Norm" in kind or "Dropout" in kind]


# --- the look ahead


@pytest.mark.parametrize("name, k", [("unrolled", 10), ("unrolled_fashion", 5)])
def test_k(name, k):
    assert loop.make(read(name=name)).unrolled_updates == k


def test_the_adam_of_d_is_what_is_unrolled(algorithm):
    """SGD inside and Adam outside is another algorithm."""
    d, _ = algorithm.phases()
    assert algorithm.inner is d.optimizer and type(d.optimizer) is keras.optimizers.Adam
    d.optimizer._momentums[0].assign(ops.ones_like(d.optimizer._momentums[0]))
    try:
        moments, _ = Unrolled(algorithm.inner).moments
        assert float(ops.min(moments[0])) == 1.0
    finally:
        d.optimizer._momentums[0].assign(ops.zeros_like(d.optimizer._momentums[0]))


@pytest.mark.parametrize("name, rate", [("unrolled", 1e-4), ("unrolled_fashion", 2e-4)])
def test_adam(name, rate):
    for phase in loop.make(read(name=name)).phases():
        adam = phase.optimizer
        assert (adam.beta_1, adam.beta_2, adam.epsilon) == (0.5, 0.999, 1e-8)
        assert float(adam.learning_rate) == pytest.approx(rate, rel=1e-6)


@pytest.mark.parametrize("name", ["unrolled", "unrolled_fashion"])
def test_both_play_for_the_same_stakes(name):
    """f_K is the saddle point problem itself: the non-saturating loss would be another game for G."""
    game = loop.make(read(name=name)).game
    assert game.zero_sum
    real, fake = ops.convert_to_tensor([[0.5], [2.0]]), ops.convert_to_tensor([[1.0], [-3.0]])
    expected = np.log1p(np.exp([-0.5, -2.0])).mean() + np.log1p(np.exp([1.0, -3.0])).mean()
    assert float(game.discriminator(real, fake)) == pytest.approx(expected, rel=1e-6)


def test_the_real_examples_are_in_the_loss_of_g(play):
    """Without them G's gradient lacks what it does to D(x) through theta_D^K."""
    _, algorithm = play
    far = {"point": ops.full((1, 4, 2), 30.0), "z": ops.zeros((2, 4, 256))}
    near = {**far, "point": ops.full((1, 4, 2), 0.1)}
    loss = algorithm.phases()[1].loss
    assert abs(float(loss(far, 0)[0]) - float(loss(near, 0)[0])) > 1e-2


def test_the_minibatch_is_the_same_for_all_updates(play, monkeypatch):
    spec, algorithm = play
    data, calls = first(spec, algorithm), watch(algorithm, monkeypatch)
    algorithm.train_step((data,))
    assert sorted(name for name, *_ in calls[:3]) == ["discriminator", "discriminator", "generator"]  # D's turn
    assert [name for name, *_ in calls[3:]] == ["generator"] + ["discriminator"] * 2 * (2 + 1)  # K, and the loss
    for _, inputs, _ in calls[4::2]:
        np.testing.assert_array_equal(inputs["point"], data["point"][0])


def test_each_player_makes_one_update_a_step(play):
    spec, algorithm = play
    algorithm.train_step((first(spec, algorithm),))
    assert [int(phase.optimizer.iterations.value) for phase in algorithm.phases()] == [1, 1]


def test_the_length_of_the_run_is_that_of_the_paper(spec):
    section = spec.sections.training
    assert (section.batch_size, section.steps, section.picture_every_steps) == (512, 25_000, 5_000)
    assert section.ema_half_life_images is None  # the last weights, as in the paper
