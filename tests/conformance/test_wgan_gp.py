"""specs/wgan_gp.yaml against Gulrajani et al. 2017 and its authors' CIFAR-10 code, beyond its numbers."""

from functools import partial

import numpy as np
import pytest
from games import batch, layers, numpy, reader
from keras import ops

from zoo.nn import autodiff
from zoo.spec.read import read_spec
from zoo.train import loop

read = reader("wgan_gp")


@pytest.fixture
def play():
    """(spec, algorithm) in batches of 3."""
    spec = read("training.batch_size=3")
    return spec, loop.make(spec)


def tensor(x):
    return ops.convert_to_tensor(np.asarray(x, "float32"))


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


def test_the_penalty_reaches_the_critics_weights(play):
    """The second derivative: without it the critic would learn the Wasserstein loss alone."""
    spec, algorithm = play
    data, critic, found = batch(spec, algorithm), algorithm.phases()[0], []
    without = loop.make(read_spec(spec.path, ["algorithm.alternating.penalties=[]"]))
    for name, player in without.players.items():
        player.set_weights(algorithm.players[name].get_weights())
    for phase in (critic, without.phases()[0]):
        found.append(autodiff.value_and_grad(partial(phase.loss, data, 0), phase.variables))
    penalised, plain = found
    assert float(penalised.value) > float(plain.value) + 0.1
    for variable, a, b in zip(critic.variables, penalised.gradients, plain.gradients, strict=True):
        if "kernel" in variable.path:
            assert np.linalg.norm(numpy(a) - numpy(b)) > 0.01 * np.linalg.norm(numpy(b)), variable.path
