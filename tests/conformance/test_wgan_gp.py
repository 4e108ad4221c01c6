"""specs/wgan_gp.yaml against Gulrajani et al. 2017 and its authors' CIFAR-10 code: each way to get it wrong."""

import keras
import numpy as np
import pytest
from games import batch, images, kinds, moved, names, numpy, reader, step, values, watch
from keras import ops

from zoo.core.errors import SpecError
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


# --- the networks


def test_the_networks_are_dcgans_with_batch_norm_in_g_alone(algorithm):
    assert kinds(algorithm, "generator") == [
        "Dense", "Reshape", *["BatchNormalization", "ReLU", "Conv2DTranspose"] * 3
    ]  # fmt: skip
    assert kinds(algorithm, "discriminator") == ["Conv2D", "LeakyReLU"] * 3 + ["Flatten", "Dense"]
    for name, expected in (
        ("generator", [(8, 8, 128), (16, 16, 64), (32, 32, 1)]),
        ("discriminator", [(16, 16, 32), (8, 8, 64), (4, 4, 128)]),
    ):
        shapes = [s.cost.shape for s in algorithm.plans[name].steps if s.layer.startswith("Conv")]
        assert shapes == expected


def test_no_layer_of_the_critic_mixes_the_examples_of_a_batch(algorithm):
    """Measured: a score does not depend on who else is in the batch, in training mode too."""
    x = np.random.RandomState(0).uniform(0, 1, (3, 32, 32, 1)).astype("float32")
    critic = algorithm.players["discriminator"]
    together, alone = (numpy(critic({"image": tensor(y)}, training=True)["score"]) for y in (x, x[:1]))
    np.testing.assert_allclose(together[:1], alone, rtol=0, atol=1e-5)


def test_batch_norm_in_the_critic_is_a_mistake_of_the_spec():
    with pytest.raises(SpecError, match=r"layers\[0\].BatchNormalization: gradient_penalty is of each example alone"):
        read("networks.discriminator.layers=[BatchNormalization, Flatten, Dense: {units: 1}]")
    read("networks.discriminator.layers=[LayerNormalization, Flatten, Dense: {units: 1}]")  # the paper recommends it


def test_the_critic_is_linear_at_its_end_and_the_loss_is_wassersteins(algorithm):
    assert algorithm.plans["discriminator"].last_activation == "linear"
    scores, fakes = ops.convert_to_tensor([3.0, 1.0]), ops.convert_to_tensor([-2.0, 5.0])
    assert float(algorithm.game.discriminator(scores, fakes)) == pytest.approx(1.5 - 2)
    assert float(algorithm.game.generator(fakes)) == pytest.approx(-1.5)


def test_images_fill_the_range_of_the_tanh(spec, algorithm):
    first = loop.make_batches(spec, algorithm, images(spec, 400))[0]
    assert first["image"].shape == (5, 64, 32, 32, 1) and (first["image"].min(), first["image"].max()) == (-1, 1)
    assert algorithm.plans["generator"].last_activation == "tanh"
    assert first["z"].shape == (6, 64, 128) and abs(first["z"].std() - 1) < 0.02


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


def test_the_penalised_points_lie_between_what_the_critic_was_shown(play, monkeypatch):
    spec, algorithm = play
    data, calls = batch(spec, algorithm), watch(algorithm, monkeypatch)
    algorithm.train_step((data,))
    passes = [inputs["image"] for name, inputs, _ in calls if name == "discriminator"]
    assert len(passes) == 5 * 3 + 1
    for i in range(5):
        real, fake, between = passes[3 * i : 3 * i + 3]
        share = numpy(data["share"])[i].reshape(3, 1, 1, 1)
        np.testing.assert_allclose(between, share * real + (1 - share) * fake, rtol=0, atol=1e-6)


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


def test_nothing_is_clipped(play):
    spec, algorithm = play
    assert algorithm.weight_clip is None and algorithm.burn_in is None
    before = values(algorithm)
    step(spec, algorithm)
    # 5 updates of 4e-4
    assert max(np.abs(v - before[n]).max() for n, v in values(algorithm).items() if n.startswith("discrim")) < 8e-3


# --- the step and the optimizers


def test_five_updates_of_the_critic_on_fresh_batches_then_one_of_g(play):
    spec, algorithm = play
    step(spec, algorithm)
    assert [(p.name, int(p.optimizer.iterations)) for p in algorithm.phases()] == [
        ("discriminator", 5),
        ("generator", 1),
    ]
    assert (algorithm.data_draws, algorithm.latent_draws, algorithm.simultaneous) == (5, 6, False)


def test_the_critics_turn_moves_no_weight_of_g(play):
    spec, algorithm = play
    turn = algorithm.phases()[:1]
    algorithm.phases = lambda: turn
    before = values(algorithm)
    step(spec, algorithm)
    now = {name for name in moved(before, algorithm) if not name.startswith("generator_ema/")}
    bias = algorithm.players["discriminator"].trainable_variables[-1]  # which cancels in E f(x) - E f(G(z))
    assert now == names(algorithm, "discriminator") - {f"discriminator/{bias.path}"}


def test_adam_is_the_authors_but_for_its_rate(algorithm):
    """Algorithm 1 says beta_1 = 0; the code of all but ResNets has 0.5. Keras has 1e-3, 0.9, 0.999 and 1e-7."""
    for phase in algorithm.phases():
        adam = phase.optimizer
        assert type(adam) is keras.optimizers.Adam and adam.weight_decay is None and not adam.amsgrad
        assert (adam.beta_1, adam.beta_2, adam.epsilon) == (0.5, 0.9, 1e-8)
        assert float(adam.learning_rate) == pytest.approx(4e-4, rel=1e-6)  # theirs: 1e-4
    assert algorithm.batch_size == 64
