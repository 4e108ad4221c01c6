"""specs/lsgan.yaml against Mao et al. 2016 and its authors' code: a test for each way to get it wrong."""

import pytest
from games import reader, setting
from keras import ops

from zoo.spec.read import read_spec, spec_file
from zoo.train import loop

read = reader("lsgan")

# Mao et al. 2016; "code" is its authors'
PAPER = {
    "discriminator.last_activation": "linear",  # squares of a sigmoid saturate as its logarithm does
    "algorithm.simultaneous": False,  # code: D, then G
    **{f"{player}.{name}": value for player in ("generator", "discriminator") for name, value in {
        "optimizer": "Adam",  # section 4
        "optimizer.learning_rate": 1e-3,  # section 4, for scenes
        "optimizer.beta_1": 0.5,  # section 4
        "optimizer.epsilon": 1e-8,  # code; Keras's own is 1e-7
        "repeat": 1,  # code
    }.items()},
}  # fmt: skip


@pytest.mark.parametrize(("name", "expected"), PAPER.items())
def test_settings_are_those_of_the_paper(spec, algorithm, name, expected):
    assert setting(spec, algorithm, name) == expected


def losses(algorithm, real, fake):
    real, fake = (ops.convert_to_tensor(x) for x in (real, fake))
    return float(algorithm.game.discriminator(real, fake)), float(algorithm.game.generator(fake))


def test_targets_are_those_of_the_code(algorithm):
    """a = 0 for fakes, b = 1 for real ones, c = 1 for G: each is where its own loss is least."""
    assert losses(algorithm, [1.0], [0.0]) == (0.0, 0.5)
    assert losses(algorithm, [1.0], [1.0]) == (0.5, 0.0)
    assert losses(algorithm, [0.0], [0.0]) == (0.5, 0.5)


def test_far_on_the_right_side_still_costs(algorithm):
    """What the paper is about: a sigmoid's loss would be nearly zero there."""
    d, g = losses(algorithm, [6.0], [6.0])
    assert d == pytest.approx(0.5 * 25 + 0.5 * 36) and g == pytest.approx(0.5 * 25)


def test_the_mean_over_the_batch_and_not_the_sum(algorithm):
    """The code's sum would make Adam's epsilon smaller and nothing else; a mixture of both would weigh the terms."""
    assert losses(algorithm, [3.0] * 8, [2.0] * 8) == losses(algorithm, [3.0], [2.0])
    assert losses(algorithm, [3.0, 1.0], [2.0, 0.0])[0] == pytest.approx(0.5 * (4 + 0) / 2 + 0.5 * (4 + 0) / 2)


def test_the_other_targets_of_the_paper():
    algorithm = loop.make(read("algorithm.alternating.loss={lsgan: {a: -1, b: 1, c: 0}}"))
    assert losses(algorithm, [1.0], [-1.0]) == (0.0, 0.5) and losses(algorithm, [1.0], [0.0]) == (0.5, 0.0)


def test_the_networks_are_dcgans_to_the_last_argument():
    ours, theirs = (read_spec(spec_file(name)).plans for name in ("lsgan", "dcgan"))
    for role in ("generator", "discriminator"):
        assert [(s.layer, s.args) for s in ours[role].steps] == [(s.layer, s.args) for s in theirs[role].steps]
