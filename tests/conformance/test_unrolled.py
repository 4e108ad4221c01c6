"""specs/unrolled.yaml against Metz et al. 2016 and its authors' code: a test for each way to get it wrong.

tests/train/algorithms/test_look_ahead.py holds the gradient through the look ahead, and that D stays where it was.
"""

import numpy as np
import pytest
from games import reader, setting
from keras import ops

from zoo.spec.feeds import load_data
from zoo.spec.read import read_spec, spec_file
from zoo.train import loop

read = reader("unrolled")


def layers(algorithm, role):
    return algorithm.players[role].layers[1:]


# Metz et al. 2016, appendix A
PAPER = {
    "game.unrolled_updates": 10,  # section 3.1
    "game.inner_optimizer": None,  # section 2.3: D's own Adam is unrolled; SGD inside would be another algorithm
    **{f"{player}.{name}": value for player in ("generator", "discriminator") for name, value in {
        "optimizer": "Adam",
        "optimizer.learning_rate": 1e-4,
        "optimizer.beta_1": 0.5,
        "optimizer.beta_2": 0.999,
        "optimizer.epsilon": 1e-8,  # the authors' code
        "repeat": 1,
        "last_activation": "linear",
    }.items()},
    "generator.Dense.units": (128, 128, 2),
    "generator.Dense.activation": ("relu", "relu", "linear"),
    "discriminator.Rescaling.scale": 0.25,  # D sees a quarter of the plane's units
    "discriminator.Dense.units": (128, 1),
    "discriminator.Dense.activation": ("relu", "linear"),
    "training.batch_size": 512,
    "training.steps": 25_000,
    "training.ema_half_life_images": None,  # the last weights
}  # fmt: skip


@pytest.mark.parametrize(("name", "expected"), PAPER.items())
def test_settings_are_those_of_the_paper(spec, algorithm, name, expected):
    assert setting(spec, algorithm, name) == expected


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


def test_weights_start_orthogonal_with_gain_0_8(algorithm):
    for role in algorithm.roles:
        for layer in layers(algorithm, role):
            if not hasattr(layer, "kernel"):
                continue
            kernel = ops.convert_to_numpy(layer.kernel)
            rows = kernel if kernel.shape[0] <= kernel.shape[1] else kernel.T
            np.testing.assert_allclose(rows @ rows.T, 0.64 * np.eye(len(rows)), atol=1e-5)


def test_there_is_nothing_whose_statistics_a_look_ahead_could_move():
    """Batch norm of D in the unrolled updates is ambiguous: the ring needs none, and the images go without."""
    for name in ("unrolled", "unrolled_fashion"):
        kinds = [step.layer for step in read_spec(spec_file(name)).plans["discriminator"].steps]
        assert not [kind for kind in kinds if "Norm" in kind or "Dropout" in kind]


# --- the look ahead


def test_both_play_for_the_same_stakes(algorithm):
    """f_K is the saddle point problem itself: the non-saturating loss would be another game for G."""
    game = algorithm.game
    assert game.zero_sum
    real, fake = ops.convert_to_tensor([[0.5], [2.0]]), ops.convert_to_tensor([[1.0], [-3.0]])
    expected = np.log1p(np.exp([-0.5, -2.0])).mean() + np.log1p(np.exp([1.0, -3.0])).mean()
    assert float(game.discriminator(real, fake)) == pytest.approx(expected, rel=1e-6)


def test_the_real_examples_are_in_the_loss_of_g():
    """Without them G's gradient lacks what it does to D(x) through theta_D^K."""
    algorithm = loop.make(read("training.batch_size=4", "algorithm.unrolled.unrolled_updates=2"))
    far = {"point": ops.full((1, 4, 2), 30.0), "z": ops.zeros((2, 4, 256))}
    near = {**far, "point": ops.full((1, 4, 2), 0.1)}
    loss = algorithm.phases()[1].loss
    assert abs(float(loss(far, 0)[0]) - float(loss(near, 0)[0])) > 1e-2
