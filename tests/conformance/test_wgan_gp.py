"""specs/wgan_gp.yaml against Gulrajani et al. 2017 and its authors' CIFAR-10 code: each way to get it wrong."""

import numpy as np
import pytest
from games import batch, images, layers, numpy, reader, setting, step, values
from keras import ops

from zoo.nn import autodiff
from zoo.nn.losses import CriticBatch, slopes
from zoo.train import loop

read = reader("wgan_gp")


@pytest.fixture
def play():
    """(spec, algorithm) in batches of 3."""
    spec = read("training.batch_size=3")
    return spec, loop.make(spec)


def tensor(x):
    return ops.convert_to_tensor(np.asarray(x, "float32"))


# Gulrajani et al. 2017, algorithm 1; "code" is its authors' gan_cifar.py
PAPER = {
    "discriminator.repeat": 5,  # n_critic
    "generator.repeat": 1,
    "game.penalties.0.gradient_penalty.weight": 10,  # lambda
    "game.penalties.0.gradient_penalty.target": 1,
    "game.weight_clip": None,
    "game.burn_in": None,
    "algorithm.simultaneous": False,
    "training.batch_size": 64,  # code; m
    "data.range": (-1, 1),  # code: the range of tanh
    "generator.last_activation": "tanh",
    "discriminator.last_activation": "linear",
    "generator.BatchNormalization.epsilon": 1e-5,  # section 4: batch norm in G ...
    "discriminator.BatchNormalization.epsilon": (),  # ... and not in the critic
    **{f"{player}.{name}": value for player in ("generator", "discriminator") for name, value in {
        "optimizer": "Adam",
        "optimizer.learning_rate": 4e-4,  # 1e-4; a deviation
        "optimizer.beta_1": 0.5,  # appendix E and code of all but ResNets; algorithm 1 says 0
        "optimizer.beta_2": 0.9,
        "optimizer.epsilon": 1e-8,  # code; Keras's own is 1e-7
        "optimizer.amsgrad": False,
    }.items()},
}  # fmt: skip


# --- the networks


@pytest.mark.parametrize(("name", "expected"), PAPER.items())
def test_settings_are_those_of_the_paper(spec, algorithm, name, expected):
    assert setting(spec, algorithm, name) == expected


@pytest.mark.parametrize(
    ("player", "fans"),  # of each kernel, from the authors' conv2d.py and deconv2d.py: filters of 4 x 4, strides 2
    [
        ("discriminator", [1 * 16 + 32 * 16 / 4, 32 * 16 + 64 * 16 / 4, 64 * 16 + 128 * 16 / 4]),
        ("generator", [256 * 16 / 4 + 128 * 16, 128 * 16 / 4 + 64 * 16, 64 * 16 / 4 + 1 * 16]),
    ],
)
def test_kernels_begin_as_the_authors_do(algorithm, player, fans):
    """fan_out of a convolution and fan_in of a transposed one are divided by the square of the strides."""
    found = [numpy(layer.kernel) for layer in layers(algorithm, "Conv2D", "Conv2DTranspose", role=player)]
    for kernel, fan in zip(found, fans, strict=True):
        stddev = np.sqrt(4 / fan)
        assert kernel.std() == pytest.approx(stddev, rel=0.05) and abs(kernel.mean()) < 0.1 * stddev
        assert 0.97 < np.abs(kernel).max() / (np.sqrt(3) * stddev) <= 1 + 1e-6  # uniform, no tail


def test_no_layer_of_the_critic_mixes_the_examples_of_a_batch(algorithm):
    """Measured: a score does not depend on who else is in the batch, in training mode too."""
    x = np.random.RandomState(0).uniform(0, 1, (3, 32, 32, 1)).astype("float32")
    critic = algorithm.players["discriminator"]
    together, alone = (numpy(critic({"image": tensor(y)}, training=True)["score"]) for y in (x, x[:1]))
    np.testing.assert_allclose(together[:1], alone, rtol=0, atol=1e-5)


def test_the_loss_is_wassersteins(algorithm):
    scores, fakes = ops.convert_to_tensor([3.0, 1.0]), ops.convert_to_tensor([-2.0, 5.0])
    assert float(algorithm.game.discriminator(scores, fakes)) == pytest.approx(1.5 - 2)
    assert float(algorithm.game.generator(fakes)) == pytest.approx(-1.5)


# --- the penalty


def met(critic, real, fake, share):
    return CriticBatch(critic, tensor(real), tensor(fake), None, None, tensor(share))


def quadratic(x):
    return 0.5 * ops.sum(ops.square(x), axis=(1, 2, 3))


def test_the_penalty_is_ten_times_the_squared_excess_over_one_on_both_sides(algorithm):
    (penalty,) = algorithm.penalties
    for length in (0.5, 1.0, 3.0):
        x = np.full((1, 2, 2, 1), length / 2)  # where the quadratic critic's slope is `length`
        assert float(penalty(met(quadratic, x, x, [[0.3]]))) == pytest.approx(10 * (length - 1) ** 2, abs=1e-4)


def test_one_share_for_each_example_not_for_the_batch(spec, algorithm):
    shares = loop.make_batches(spec, algorithm, images(spec, 400))[0]["share"]
    assert shares.shape == (6, 64, 1) and len(np.unique(shares)) == 384
    assert 0 <= shares.min() < 0.02 and 0.98 < shares.max() < 1
    (penalty,) = algorithm.penalties
    real, fake = np.full((2, 2, 2, 1), 1.0), np.full((2, 2, 2, 1), 3.0)  # slopes 2 and 6
    found = float(penalty(met(quadratic, real, fake, [[1.0], [0.0]])))
    assert found == pytest.approx(10 * (1**2 + 5**2) / 2, rel=1e-5)


def test_the_norm_is_over_all_of_one_image_and_not_over_the_batch(algorithm):
    """Over the batch it would grow with its root; over channels alone there would be a norm for each pixel."""
    x = np.random.RandomState(0).standard_normal((6, 4, 4, 3))
    found = numpy(slopes(quadratic, tensor(x)))
    np.testing.assert_allclose(found, np.sqrt((x**2).sum((1, 2, 3))), rtol=1e-5)


def test_a_critic_without_slope_makes_no_nan(play):
    """sqrt(0) has no derivative."""
    spec, algorithm = play
    for v in algorithm.players["discriminator"].trainable_variables:
        v.assign(np.zeros(v.shape))
    logs = step(spec, algorithm)
    assert np.isfinite(list(logs.values())).all()
    assert all(np.isfinite(value).all() for value in values(algorithm).values())


def test_the_penalty_reaches_the_critics_weights(play):
    """The second derivative: without it the critic would learn the Wasserstein loss alone."""
    spec, algorithm = play
    data, critic = batch(spec, algorithm), algorithm.phases()[0]
    found = []
    for chosen in (algorithm.penalties, []):
        algorithm.penalties = chosen
        found.append(autodiff.value_and_grad(lambda: algorithm.discriminator_loss(data, 0), critic.variables))
    penalised, plain = found
    assert float(penalised.value) > float(plain.value) + 0.1
    for variable, a, b in zip(critic.variables, penalised.gradients, plain.gradients, strict=True):
        if "kernel" in variable.path:
            assert np.linalg.norm(numpy(a) - numpy(b)) > 0.01 * np.linalg.norm(numpy(b)), variable.path
