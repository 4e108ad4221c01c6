"""`unroll` of a phase: the loss at the weights that another phase would have after more of its updates.

The arithmetic of the look ahead is held by test_look_ahead.py; here it is reached by the words of a game.
"""

import dataclasses

import keras
import numpy as np
import pytest
import tiny
from games import batch, moved, names, step, values, watch
from keras import ops
from smooth import ADAM, EXACT, MOMENTUM, SMOOTH
from tiny import GAME

from zoo.nn import autodiff
from zoo.spec.game_text import describe_game, game_text
from zoo.train import loop

SGD = {"SGD": {"learning_rate": 0.1}}
PLAYED = {"Adam": {"Adam": {"learning_rate": 0.01, "beta_1": 0.5, "epsilon": 1e-8}}, "SGD": SGD, "momentum": MOMENTUM}


def played(spec, steps=3):
    """Logs and the whole state after some steps."""
    algorithm = loop.make(spec)
    logs = [step(spec, algorithm, seed=seed) for seed in range(steps)]
    return logs, {name: ops.convert_to_numpy(variable) for name, variable in algorithm.state().items()}


@pytest.mark.parametrize("optimizer", PLAYED)
@pytest.mark.parametrize(
    ("loss", "updates", "rest"),
    [("minimax", 1, ""), ("minimax", 3, ""), ("non_saturating", 5, ""), ("wasserstein", 2, "simultaneous: true, ")],
)
def test_it_is_what_the_algorithm_unrolled_plays(spec_of, optimizer, loss, updates, rest):
    """Bit for bit: losses, weights, moments, batch norm and the seeds of dropout. A zero-sum G maximises D's loss."""
    player, zero_sum = f"optimizer: {PLAYED[optimizer]}", loss != "non_saturating"
    terms = "minimise: {g_loss: 0, d_loss: -1}, " if zero_sum else ""
    one = played(spec_of(GAME, f"algorithm={{unrolled: {{loss: {loss}, {rest}unrolled_updates: {updates}, "
                 f"generator: {{{player}}}, discriminator: {{{player}}}}}}}"))  # fmt: skip
    two = played(spec_of(GAME, f"algorithm={{alternating: {{loss: {loss}, {rest}discriminator: {{{player}}}, "
                 f"generator: {{{terms}{player}, unroll: {{discriminator: {updates}}}}}}}}}"))  # fmt: skip
    for ours, theirs in zip(two[0], one[0], strict=True):
        assert {name: ours[name] for name in theirs} == theirs
    assert one[1].keys() <= two[1].keys()
    for name, state in one[1].items():
        np.testing.assert_array_equal(two[1][name], state, err_msg=name)


THREE = (
    SMOOTH.replace("name: smooth", "name: three").replace(
        "  discriminator:\n",
        "  encoder:\n    inputs: {point: [2]}\n    output: z\n    layers: [Dense: {units: 2, activation: tanh}]\n"
        "  discriminator:\n",
    )
    + """
data: {source: {ring: {modes: 8, radius: 2, std: 0.02}}}
latent: {z: {normal: {shape: [2]}}}
algorithm:
  game:
    values:
      fake: generator
      code: encoder
      back: {generator: {z: code}}
      on_real: discriminator
      on_fake: {discriminator: {point: fake}}
      on_back: {discriminator: {point: back}}
      d_real: {non_saturating.real: on_real}
      d_fake: {non_saturating.fake: on_fake}
      d_back: {non_saturating.fake: on_back}
      r1: {r1: {of: on_real, wrt: point}}
      r2: {r1: {of: on_back, wrt: back}}
      g_loss: {non_saturating.generator: {fake: on_fake}}
      cycle: {l2: {between: [back, point]}}
    phases:
      discriminator:
        trains: discriminator
        minimise: {d_real: 1, d_fake: {linear: {initial: 0.2, final: 0.8, updates: 5}}, d_back: 0.5, r1: 0.3, r2: 0.2}
        optimizer: %s
      generator:
        trains: [generator, encoder]
        minimise: {g_loss: 1, cycle: 0.5}
        optimizer: {SGD: {learning_rate: 0.1}}
        unroll: {discriminator: 3}
training: {batch_size: 6, steps: 4}
"""
)


def three(spec_of, optimizer, *overrides):
    """The spec, and the algorithm with weights of 64 bits."""
    spec = spec_of(THREE % optimizer, *overrides)
    spec.sections.training.__dict__["precision"] = "float64"
    keras.utils.set_random_seed(0)
    return spec, loop.make(spec)


def doubles(spec, algorithm, seed):
    return {name: ops.cast(x, "float64") for name, x in batch(spec, algorithm, seed=seed).items()}


@pytest.mark.parametrize(
    "optimizer", [ADAM, MOMENTUM, {"Adam": {"learning_rate": 0.05, "beta_1": 0.0, "beta_2": EXACT}}]
)
def test_the_gradient_passes_the_updates_ahead(double, spec_of, optimizer):
    """Central differences, with penalties and a schedule in D's loss, and values that only the updates ahead need."""
    spec, algorithm = three(spec_of, optimizer)
    for seed in range(2):
        algorithm.train_step((doubles(spec, algorithm, seed),))
    data = doubles(spec, algorithm, 3)
    turn, random, h = algorithm.phases()[1], np.random.RandomState(2), 1e-5
    start = [ops.convert_to_numpy(variable) for variable in turn.variables]
    found = autodiff.value_and_grad(lambda: turn.loss(data, 0), turn.variables).gradients
    exact = np.concatenate([ops.convert_to_numpy(part).ravel() for part in found])

    def value(direction, far):
        for variable, old, way in zip(turn.variables, start, direction, strict=True):
            variable.assign(old + far * way)
        return float(turn.loss(data, 0)[0])

    for _ in range(3):
        direction = [random.standard_normal(old.shape) for old in start]
        slope = (value(direction, h) - value(direction, -h)) / (2 * h)
        along = exact @ np.concatenate([way.ravel() for way in direction])
        assert slope == pytest.approx(along, abs=1e-6 * np.linalg.norm(exact), rel=0)


def test_each_update_ahead_counts(double, spec_of):
    found = []
    for updates in (1, 2, 20):
        spec, algorithm = three(spec_of, SGD, f"algorithm.game.phases.generator.unroll.discriminator={updates}")
        found.append(float(algorithm.phases()[1].loss(doubles(spec, algorithm, 3), 0)[0]))
    assert len(set(found)) == 3 and abs(found[2] - found[0]) > 3 * abs(found[1] - found[0])


def test_the_turn_of_g_moves_g_alone(spec_of, monkeypatch):
    """Of the updates ahead nothing stays in D but that its dropout has drawn."""
    spec = spec_of(GAME, f"algorithm={{alternating: {{loss: minimax, discriminator: {{optimizer: {SGD}}}, "
                   f"generator: {{optimizer: {SGD}, unroll: {{discriminator: 3}}}}}}}}")  # fmt: skip
    algorithm = loop.make(spec)
    d, g = algorithm.phases()
    monkeypatch.setattr(algorithm, "phases", lambda: (dataclasses.replace(d, repeat=0), g))
    before = values(algorithm)
    step(spec, algorithm)
    own = {name for kind in ("trainable", "moving", "seeds") for name in names(algorithm, "generator", kind=kind)}
    assert moved(before, algorithm) == own | names(algorithm, "discriminator", kind="seeds")


def test_passes_in_their_order(spec_of, monkeypatch):
    """G once, for all; D twice in each of 3 updates ahead, and once to judge."""
    spec = spec_of(GAME, f"algorithm={{alternating: {{loss: non_saturating, discriminator: {{optimizer: {SGD}}}, "
                   f"generator: {{optimizer: {SGD}, unroll: {{discriminator: 3}}}}}}}}")  # fmt: skip
    algorithm = loop.make(spec)
    data = batch(spec, algorithm)
    calls = watch(algorithm, monkeypatch)
    algorithm.train_step((data,))
    assert [name for name, *_ in calls[3:]] == ["generator"] + ["discriminator"] * 7
    game, plans = spec.game, spec.plans
    phase = describe_game(game, plans, 4)["phases"][1]
    assert phase["ahead"] == {"phase": "discriminator", "updates": 3, "passes": ["discriminator"] * 2}
    assert phase["macs"] == 4 * (plans["generator"].macs + 7 * plans["discriminator"].macs)
    assert "at the weights of discriminator after 3 updates more, 2 passes in each" in game_text(
        describe_game(game, plans, 4)
    ).replace("\n", " ").replace("  ", "")


def test_g_may_play_first(spec_of):
    """Then it looks ahead of the D of the step before; its draws and its data are its own all the same."""
    game = (f"algorithm={{alternating: {{loss: minimax, order: [generator, discriminator], "
            f"discriminator: {{optimizer: {SGD}}}, "
            f"generator: {{optimizer: {SGD}, unroll: {{discriminator: 2}}}}}}}}")  # fmt: skip
    logs, _ = played(spec_of(GAME, game))
    assert all(np.isfinite(value) for row in logs for value in row.values())
    assert spec_of(tiny.LABELLED, game).game.phases[0].fields == ("image", "label")
