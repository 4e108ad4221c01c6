"""The moving average of a generator, and the state that a checkpoint takes along."""

import numpy as np
import pytest
from games import names, step, values
from keras import ops
from tiny import GAME

from zoo.train import loop


def averaged(spec_of, half_life, *overrides):
    spec = spec_of(GAME, f"training.ema_half_life_images={half_life}", *overrides)
    return spec, loop.make(spec)


def test_average_by_hand_after_two_steps(spec_of):
    spec, algorithm = averaged(spec_of, 0.3)
    g = algorithm.players["generator"]
    history = [[ops.convert_to_numpy(v.value) for v in g.trainable_variables]]
    for seed in (1, 2):
        step(spec, algorithm, seed=seed)
        history.append([ops.convert_to_numpy(v.value) for v in g.trainable_variables])
    for i, v in enumerate(g.trainable_variables):
        (name,) = (n for n in values(algorithm) if n == f"generator_ema/{v.path}")
        w0, w1, w2 = (weights[i] for weights in history)
        first, second = 0.5 ** (4 / 0.3), 0.5 ** (4 / 0.3)  # batches of 4; 0.3 is less than a tenth of 4
        expected = second * (first * w0 + (1 - first) * w1) + (1 - second) * w2
        np.testing.assert_allclose(values(algorithm)[name], expected, rtol=0, atol=1e-7)
    assert max(np.abs(a - b).max() for a, b in zip(history[0], history[2], strict=True)) > 1e-3  # it had far to go


def test_average_copies_statistics_and_never_moves_on_its_own(spec_of):
    spec, algorithm = averaged(spec_of, 40)
    step(spec, algorithm)
    after = values(algorithm)
    moving = names(algorithm, "generator", kind="moving")
    assert len(moving) == 2
    for name in moving:
        np.testing.assert_array_equal(after[name.replace("generator/", "generator_ema/", 1)], after[name])


def test_average_is_what_is_exported_and_no_phase_trains_it(spec_of):
    _, algorithm = averaged(spec_of, 40)
    average = algorithm.exported("generator")
    assert average is algorithm.averages["generator"] and average is not algorithm.players["generator"]
    trained = {id(v) for phase in algorithm.phases() for v in phase.variables}
    assert not trained & {id(v) for v in average.variables}
    assert algorithm.exported("discriminator") is algorithm.players["discriminator"]


def test_without_an_average_the_player_itself_is_exported(spec_of):
    algorithm = loop.make(spec_of(GAME))
    assert algorithm.averages == {} and algorithm.exported("generator") is algorithm.players["generator"]


def test_the_half_life_of_a_spec_is_in_images(spec_of):
    """After `half life` images the share of the old weights is one half."""
    _, algorithm = averaged(spec_of, 40)  # batches of 4
    assert float(algorithm.ema_beta(10_000.0)) ** (40 / 4) == pytest.approx(0.5, rel=1e-5)


def test_a_short_run_forgets_its_initial_weights(spec_of):
    """The half-life is a tenth of what was seen: 0.5 ** 10 after one step, then the spec's own from 400 images on."""
    _, algorithm = averaged(spec_of, 40)
    assert float(algorithm.ema_beta(1.0)) == pytest.approx(0.5**10, rel=1e-5)
    assert float(algorithm.ema_beta(50.0)) == pytest.approx(0.5 ** (4 / 20), rel=1e-5)
    assert float(algorithm.ema_beta(100.0)) == float(algorithm.ema_beta(101.0)) == pytest.approx(0.5**0.1, rel=1e-5)
    left = np.prod([float(algorithm.ema_beta(step)) for step in np.arange(1.0, 51.0)])
    assert left < 1e-9  # of the initial weights, after 200 images


def test_the_state_has_every_variable_once(spec_of):
    _, algorithm = averaged(spec_of, 40, "algorithm.alternating.generator.optimizer=Adam")
    state = algorithm.state()
    ids = [id(v) for v in state.values()]
    wanted = [v for model in (*algorithm.players.values(), *algorithm.averages.values()) for v in model.variables]
    wanted += [v for phase in algorithm.phases() for v in phase.optimizer.variables]
    assert len(ids) == len(set(ids)) and set(ids) == {id(v) for v in wanted}
