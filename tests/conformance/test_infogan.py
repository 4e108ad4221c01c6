"""specs/infogan.yaml against Chen et al. 2016 and the authors' MNIST code."""

import numpy as np
import pytest
from played import Played, cross_entropy

CODES = ("digit", "slant", "width")


@pytest.fixture(scope="module")
def first():
    """(codes of D's update, what Q read from its fakes, what the step logged)."""
    played = Played("infogan", batch=4)
    batch = played.batch()
    given = {name: batch[name][0] for name in ("z", *CODES)}
    read = played.net("discriminator", image=played.net("generator", **given))
    return given, read, played.step()


def by_hand(given, read):
    """Cross-entropy of the digit, and the likelihood of N(mean, 1) for the two numbers."""
    loss = cross_entropy(read["digit_logits"], given["digit"])
    for name in ("slant", "width"):
        loss += float(np.mean(0.5 * np.log(2 * np.pi) + 0.5 * (given[name] - read[f"{name}_mean"]) ** 2))
    return loss


def test_d_lowers_the_error_of_the_codes_of_its_fakes(first):
    """The trunk and Q learn in D's update, of the codes that were drawn for those very fakes; all weights are 1."""
    given, read, logs = first
    assert logs["discriminator_loss"] - logs["d_loss"] == pytest.approx(by_hand(given, read), rel=1e-3)


def test_g_lowers_it_too(first):
    *_, logs = first
    codes = logs["q_digit"] + logs["q_slant"] + logs["q_width"]
    assert logs["generator_loss"] - logs["g_loss"] == pytest.approx(codes, rel=1e-5) and codes > 1


def test_q_moves_by_the_codes_of_d_s_phase_and_g_by_those_of_its_own():
    """Without the other losses: what is left is the information term."""
    still = "algorithm.alternating.{}.minimise.{}=0"
    played = Played("infogan", still.format("discriminator", "d_loss"), still.format("generator", "g_loss"), batch=4)
    before = {role: [np.array(v.value) for v in player.trainable_variables] for role, player in _players(played)}
    played.step()
    moved = {
        role: [
            not np.array_equal(old, v.value) for old, v in zip(before[role], player.trainable_variables, strict=True)
        ]
        for role, player in _players(played)
    }
    assert all(moved["generator"])
    assert moved["discriminator"].count(False) == 2  # the kernel and bias of the one head that says real or fake


def _players(played):
    return played.algorithm.players.items()


def test_every_update_has_codes_of_its_own(monkeypatch):
    played = Played("infogan", batch=4).watch(monkeypatch)
    played.step()
    (one,), (other,) = (
        [inputs for name, inputs, _ in played.passes[phase] if name == "generator"]
        for phase in ("discriminator", "generator")
    )
    for name in ("z", "slant", "width"):
        assert not np.array_equal(one[name], other[name])
        assert -1 <= one[name].min() < 0 < one[name].max() <= 1
    assert set(one["digit"].astype(int)) <= set(range(10))


def test_networks_are_those_of_the_code():
    played = Played("infogan")
    latent = {name: played.spec.plans["generator"].inputs[name] for name in ("z", *CODES)}
    assert latent == {"z": (62,), "digit": (), "slant": (1,), "width": (1,)}
    dense = [step.args["units"] for step in played.spec.plans["discriminator"].steps if step.layer == "Dense"]
    assert dense == [1024, 1, 128, 10, 1, 1]  # shared, D; Q, its codes
    rates = [played.spec.game.phases[i].optimizer.args["learning_rate"] for i in (0, 1)]
    assert rates == [2e-4, 1e-3]
