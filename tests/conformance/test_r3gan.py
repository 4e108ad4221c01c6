"""specs/r3gan.yaml against Huang et al. 2024 and the authors' code."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
from games import layers, numpy
from played import Played, softplus

from zoo.spec.read import read_spec
from zoo.spec.validate import specs_folder


def penalty(d, x):
    """E ||grad_x D(x)||^2 / 2: of the sum of logits, summed over pixels, then the mean of the batch."""
    x = tf.convert_to_tensor(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = tf.reduce_sum(d({"image": x}, training=True)["logits"])
    return float(np.mean(np.sum(np.square(tape.gradient(logits, x), dtype="float64"), axis=(1, 2, 3))) / 2)


@pytest.fixture(scope="module")
def first():
    """(logits of real and fake images, R1, R2 by hand, what the first step logged)."""
    played = Played("r3gan")
    batch, d = played.batch(), played.algorithm.players["discriminator"]
    real, fake = batch["image"][0], played.net("generator", z=batch["z"][0])
    logits = [played.net("discriminator", image=x) for x in (real, fake)]
    return logits, penalty(d, real), penalty(d, fake), played.step()


def test_both_penalties_are_half_the_squared_slope_of_a_logit(first):
    """Not of the pair, not a mean over pixels; gamma is 1 at the start and has the half beside it."""
    (real, fake), r1, r2, logs = first
    assert (logs["r1"], logs["r2"]) == pytest.approx((r1, r2), rel=1e-4)
    pairs = float(np.mean(softplus(-(real - fake))))
    assert logs["discriminator_loss"] == pytest.approx(pairs + r1 + r2, rel=1e-5)
    assert r1 > 1e-5


def test_each_real_image_is_compared_with_the_fake_of_its_row(first):
    (real, fake), *_, logs = first
    assert logs["d_loss"] == pytest.approx(float(np.mean(softplus(fake - real))), rel=1e-5)
    assert np.ptp(real - fake) > 1e-4  # the rows differ, so that an average would not be the same
    assert logs["d_loss"] != pytest.approx(float(softplus(fake.mean() - real.mean())), rel=1e-9)


def test_g_is_compared_with_a_fresh_batch(monkeypatch):
    played = Played("r3gan").watch(monkeypatch)
    rows = played.batch()["image"]
    played.step()
    assert len(rows) == 2 and not np.array_equal(rows[0], rows[1])
    for phase, fresh, other in (("discriminator", rows[0], rows[1]), ("generator", rows[1], rows[0])):
        seen = [inputs["image"] for name, inputs, _ in played.passes[phase] if name == "discriminator"]
        assert len(seen) == 2
        assert [np.allclose(x, fresh, atol=1e-6) for x in seen].count(True) == 1
        assert not any(np.allclose(x, other, atol=1e-6) for x in seen)


def test_g_learns_from_the_d_of_this_step_by_the_loss_that_does_not_saturate():
    """E softplus(-(D(G) - D(x))) at the D that has just moved; the paper's zero-sum game has its negative, -E
    softplus(-(D(x) - D(G)))."""
    played = Played("r3gan")
    batch = played.batch()
    real, fake = batch["image"][1], played.net("generator", z=batch["z"][1])  # D's turn leaves G as it is
    stale, logs = [played.net("discriminator", image=x) for x in (real, fake)], played.step()
    real, fake = (played.net("discriminator", image=x) for x in (real, fake))
    assert logs["generator_loss"] == pytest.approx(float(np.mean(softplus(real - fake))), rel=1e-5)
    assert logs["generator_loss"] != pytest.approx(float(np.mean(softplus(stale[0] - stale[1]))), rel=1e-4)


def test_the_average_begins_as_the_raw_weights():
    """The half-life grows with the images seen, to 30,000; from the first step on it would hold the start for long."""
    algorithm = Played("r3gan", batch=64).algorithm
    betas = [float(algorithm.ema_beta(steps)) for steps in (1, 100, 10_000)]
    assert betas == pytest.approx([0.5**10, 0.5 ** (64 / 640), 0.5 ** (64 / 30_000)], rel=1e-4)


def test_pairs_of_the_papers_conditional_game_are_of_one_class():
    """specs/paper/r3gan_cifar.yaml: in both turns real and fake images are judged with the labels of one batch."""
    game = read_spec(specs_folder() / "paper" / "r3gan_cifar.yaml").game
    for phase in game.phases:
        assert {"image", "label"} <= set(phase.fields) and not phase.reuse
        assert {"fake", "on_real", "on_fake"} <= set(phase.values)
    calls = [game.values[name] for name in ("fake", "on_real", "on_fake")]
    assert [str(call.arguments["label"]) for call in calls] == ["label"] * 3


def test_one_cosine_moves_gamma_and_beta_2():
    """Half way: the mean of both ends."""
    played = Played("r3gan")
    (phase, _) = played.algorithm.phases()
    betas = []
    for updates in (0, 2000, 4000, 9000):
        phase.optimizer.iterations.assign(updates)
        betas.append(float(phase.optimizer.beta_2))
    assert betas == pytest.approx([0.9, 0.945, 0.99, 0.99], abs=1e-6)
    phase.optimizer.iterations.assign(2000)
    logs = played.step()
    assert logs["discriminator_loss"] - logs["d_loss"] == pytest.approx(0.55 * (logs["r1"] + logs["r2"]), rel=1e-2)


@pytest.mark.parametrize("role", ["generator", "discriminator"])
def test_blocks_begin_as_nothing(role):
    """The third convolution of each of the 6 blocks is zero, the first two have g = sqrt(2 / 1.04) 6^(-1/4)."""
    played = Played("r3gan")
    kernels = [numpy(layer.kernel) for layer in layers(played.algorithm, "Conv2D", "GroupedConv2D", role=role)]
    zero = [i for i, kernel in enumerate(kernels) if not kernel.any()]
    assert len(zero) == 6
    gain = math.sqrt(2 / 1.04) * 6**-0.25
    for i in zero:
        for kernel in kernels[i - 2 : i]:
            assert kernel.std() * math.sqrt(np.prod(kernel.shape[:3])) == pytest.approx(gain, rel=0.05)
    assert all(kernels[i - 1].shape[2] == 16 for i in zero)  # channels of a group
    assert kernels[-1 if role == "generator" else 0].any()  # to and from pixels


@pytest.mark.parametrize("role", ["generator", "discriminator"])
def test_biases_stand_before_the_activations_of_blocks_alone(role):
    """None in the last 1x1 of a block, in the changes of width, or at the pixels."""
    played = Played("r3gan")
    biased = [x for x in played.algorithm.players[role].layers if getattr(x, "bias", None) is not None]
    assert {type(layer).__name__ for layer in biased} <= {"Bias"}
    kinds = played.kinds(role)
    assert kinds.count("Bias") == 12 == kinds.count("LeakyReLU")
    assert all(b == "LeakyReLU" for a, b in itertools.pairwise(kinds) if a == "Bias")
    assert not [kind for kind in kinds if "Norm" in kind]


def test_g_ends_without_an_activation():
    last = Played("r3gan").spec.plans["generator"].steps[-1]
    assert (last.layer, last.args["filters"], last.args.get("activation")) == ("Conv2D", 1, None)


def test_filters_come_after_the_width_in_g_and_before_it_in_d():
    played = Played("r3gan")
    for role, filtered, after in (
        ("generator", "FilteredUpSampling2D", -1),
        ("discriminator", "FilteredDownSampling2D", 1),
    ):
        kinds = played.kinds(role)
        places = [i for i, kind in enumerate(kinds) if kind == filtered]
        assert len(places) == 3
        assert [kinds[i + after] for i in places].count("Conv2D") >= 2


def test_parameters_are_those_of_the_scaled_down_network():
    plans = Played("r3gan").spec.plans
    assert (plans["generator"].parameters, plans["discriminator"].parameters) == (502_336, 494_272)
