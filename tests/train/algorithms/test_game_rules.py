"""Rules of a game that its steps show: what is handed on and logged, what is computed once, what a term costs."""

import math

import numpy as np
import pytest
from small_games import SGD, D

from zoo.core.errors import TrainingError
from zoo.train.callbacks import Clock, Finite


def test_numbers_of_each_example_are_reused_beside_the_images_that_they_belong_to(play):
    """Four examples of 8 x 8 pixels: `energy` [batch] times `fake` [8, 8, 1], both reused."""
    values = "energy: {mean: {of: fake, per: example}}\nlit: {sum: {fake: 1, energy: 2}}\n"
    values += "first: {mean: {square: energy}}\nsecond: {mean: {square: lit}}\nseen: {mean: {square: on_real}}"
    phases = [
        f"generator: {{trains: generator, minimise: {{first: 1, pixel: 1}}, {SGD}}}",
        f"discriminator: {{trains: discriminator, reuse: [fake, energy], minimise: {{seen: 1, second: 1}}, {SGD}}}",
    ]
    game = play(phases, values=values + "\npixel: {mean: fake}")
    fake = np.array(game.net("generator", z=game.batch()["z"][0]))
    on_real = np.array(game.net("discriminator", image=game.batch()["image"][0]))
    lit = fake + 2 * fake.mean((1, 2, 3), keepdims=True)
    assert game.step()["discriminator_loss"] == pytest.approx((on_real**2).mean() + (lit**2).mean(), rel=1e-5)


PIXEL = "pixel: {mean: {square: fake}}\n"


def test_what_a_resting_phase_computes_is_logged_as_last_known_and_never_as_zero(play):
    """Phase `late` plays in steps 2 and 4; `pixel` is no phase's whole loss, and `half` follows from it alone."""
    late = f"late: {{trains: generator, when: {{every: 2, from: 1}}, minimise: {{g_loss: 1, pixel: 0.5}}, {SGD}}}"
    states = "states: {mean_half: {moving_average: {of: half}}}"
    game = play([D, late], values=PIXEL + "half: {product: [pixel, pixel]}", rest=states)
    logs = [game.step() for _ in range(5)]
    names = ("late_loss", "pixel", "half")
    assert all(math.isnan(logs[step][name]) for step in (0, 1) for name in names)
    assert [sorted(game.algorithm.unknown(step)) for step in (1, 2, 3)] == [sorted((*names, "g_loss"))] * 2 + [[]]
    for name in names:
        known = [log[name] for log in logs[2:]]
        assert known[0] == known[1] and known[2] != known[0] and all(known)
    assert [logs[step]["mean_half"] for step in (0, 1)] == [0.0, 0.0] and logs[2]["mean_half"] > 0
    assert logs[3]["half"] == pytest.approx(logs[3]["pixel"] ** 2, rel=1e-6)


def test_a_loss_that_is_not_finite_ends_the_training_unless_nothing_computed_it_yet(play):
    late = f"late: {{trains: generator, when: {{from: 2}}, minimise: {{g_loss: 1}}, {SGD}}}"
    game = play([D, late])
    clock = Clock(step=0, steps=9, budget_seconds=None, batch_size=4)
    finite = Finite(clock, game.algorithm.unknown)
    for _ in range(2):
        clock.on_train_batch_end(0)
        finite.on_train_batch_end(0, game.step())
    clock.on_train_batch_end(0)
    with pytest.raises(TrainingError, match="step 3: late_loss is nan"):
        finite.on_train_batch_end(0, {**game.step(), "late_loss": math.nan})
