"""specs/began.yaml against Berthelot et al. 2017: the mistakes that its equations invite."""

import numpy as np
import pytest
from played import Played

PLAIN = "algorithm.game.phases.discriminator.optimizer={SGD: {learning_rate: 0.5}}"


def distance(x, y):
    return float(np.mean(np.abs(np.asarray(x, "float64") - y)))


@pytest.fixture(scope="module")
def first():
    """(the batch of the first step, D's loss of its real images by hand, what the step logged)."""
    played = Played("began")
    batch = played.batch()
    real = batch["image"][0]
    return distance(played.net("discriminator", image=real), real), played.step()


def test_the_loss_is_a_mean_over_pixels(first):
    """The paper's rates of k are those of a mean; a sum would be 1,024 times as large."""
    by_hand, logs = first
    assert logs["real_loss"] == pytest.approx(by_hand, rel=1e-4)
    assert logs["discriminator_loss"] == pytest.approx(by_hand, rel=1e-4)  # k begins at 0


def test_k_follows_the_fakes_that_g_was_trained_on(first):
    """Section 3.4: L(G(z_G)), of the draw and of the D of G's own update, which is what G's loss is."""
    _, logs = first
    balance = 0.5 * logs["real_loss"] - logs["generator_loss"]
    assert logs["balance"] == pytest.approx(balance, rel=1e-5) and abs(balance) > 1e-3
    assert logs["k"] == pytest.approx(np.clip(0.001 * balance, 0, 1), abs=1e-9)


def test_m_global_is_logged(first):
    _, logs = first
    assert logs["m_global"] == pytest.approx(logs["real_loss"] + abs(logs["balance"]), rel=1e-5)


def test_k_is_a_constant_of_the_gradient():
    """D moves by the slope of L(x) - 0.25 L(G(z)), as if 0.25 stood in the file."""
    ours = Played("began", PLAIN, "algorithm.game.states.k.integral.initial=0.25")
    plain = Played("began", PLAIN, "algorithm.game.phases.discriminator.minimise.fake_loss=-0.25")
    plain.algorithm.set_weights(ours.algorithm.get_weights())
    before = ours.weights()["discriminator"]
    logs, expected = ours.step(), plain.step()
    assert logs["discriminator_loss"] == pytest.approx(expected["discriminator_loss"], rel=1e-6)
    assert logs["discriminator_loss"] != pytest.approx(logs["real_loss"], rel=1e-4)
    for old, new, same in zip(before, ours.weights()["discriminator"], plain.weights()["discriminator"], strict=True):
        np.testing.assert_allclose(new, same, rtol=0, atol=1e-7)
        assert (new != old).any()


def test_k_stays_within_zero_and_one():
    played = Played("began", "algorithm.game.states.k.integral.rate=1e6")
    assert {played.step()["k"] for _ in range(2)} <= {0.0, 1.0}


def test_the_rate_is_halved_when_m_global_stalls():
    """Weights that do not move keep M_global where it is."""
    stalled = {"initial": 1e-12, "patience_steps": 2, "threshold": 0.9}
    played = Played("began", *(f"algorithm.game.states.rate.plateau.{key}={value}" for key, value in stalled.items()))
    rates = [played.step()["rate"] for _ in range(4)]
    assert rates[0] == pytest.approx(1e-12) and rates[-1] == pytest.approx(0.5e-12)


def test_networks_have_neither_norm_nor_dropout_nor_a_last_activation():
    played = Played("began")
    for role in ("generator", "discriminator"):
        kinds = played.kinds(role)
        assert not [kind for kind in kinds if "Norm" in kind or "Dropout" in kind]
        last = played.spec.plans[role].steps[-1]
        assert (last.layer, last.args["activation"]) == ("Conv2D", "linear")
    decoder = played.kinds("generator")
    assert played.kinds("discriminator")[-len(decoder) :] == decoder  # D's decoder is built as G is
