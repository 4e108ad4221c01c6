"""The two-player step: the statistics and the dropout that its passes leave behind, and whom G meets.

Who moves, and which noise each update sees, tests/test_entries.py holds for every spec.
"""

import keras
import numpy as np
import pytest
from games import batch, moved, names, step, values
from keras import ops
from tiny import GAME

from zoo.train import loop
from zoo.train.algorithms.base import Algorithm

SIMULTANEOUS = "algorithm.alternating.simultaneous=true"
NO_DROPOUT = ("networks.generator.layers.2.Dropout.rate=0.0", "networks.discriminator.layers.4.Dropout.rate=0.0")


@pytest.fixture(params=[False, True], ids=["alternating", "simultaneous"])
def play(request, spec_of):
    """(spec, algorithm) of the small game, in both orders."""
    spec = spec_of(GAME, *([SIMULTANEOUS] if request.param else []))
    return spec, loop.make(spec)


def test_a_step_moves_everything(play):
    spec, algorithm = play
    before = values(algorithm)
    step(spec, algorithm)
    assert moved(before, algorithm) == set(before)  # weights, statistics, seeds; there is no average here


def norm(algorithm, owner):
    (found,) = (
        layer for layer in algorithm.players[owner].layers if isinstance(layer, keras.layers.BatchNormalization)
    )
    return found


def weights(algorithm, owner):
    return [ops.convert_to_numpy(v.value) for v in algorithm.players[owner].trainable_variables]


def test_statistics_of_d_are_those_of_real_then_fake(spec_of):
    """Two passes, two updates of momentum 0.9: m <- 0.9 (0.9 m + 0.1 real) + 0.1 fake."""
    spec = spec_of(GAME, *NO_DROPOUT)
    algorithm = loop.make(spec)
    data, (kernel, bias) = batch(spec, algorithm), weights(algorithm, "discriminator")[:2]
    fake = ops.convert_to_numpy(algorithm.players["generator"]({"z": data["z"][0]}, training=True)["image"])
    norm(algorithm, "discriminator").moving_mean.assign(np.ones(5))
    real_mean, fake_mean = (
        (x.reshape(4, 64) @ kernel + bias).mean(0) for x in (ops.convert_to_numpy(data["image"][0]), fake)
    )
    algorithm.train_step((data,))
    np.testing.assert_allclose(
        ops.convert_to_numpy(norm(algorithm, "discriminator").moving_mean.value),
        0.9 * (0.9 + 0.1 * real_mean) + 0.1 * fake_mean,
        rtol=0,
        atol=1e-5,
    )


def counters(algorithm, owner):
    return [int(np.asarray(v.value)[1]) for v in algorithm.players[owner].variables if "seed" in v.path]


def test_every_pass_draws_its_own_dropout_mask(play):
    """A step passes D three times (real, fake, G's turn) and G twice; no two passes may share a seed."""
    spec, algorithm = play
    for steps in (1, 2):
        step(spec, algorithm)
        assert counters(algorithm, "discriminator") == [3 * steps] and counters(algorithm, "generator") == [2 * steps]


def after_one_step(spec_of, *overrides):
    spec = spec_of(GAME, *overrides)
    algorithm = loop.make(spec)
    step(spec, algorithm)
    return {name: value for name, value in values(algorithm).items() if name in names(algorithm, "generator")}


@pytest.mark.parametrize("simultaneous", [True, False])
def test_simultaneous_means_that_g_meets_the_d_that_has_not_moved(spec_of, simultaneous):
    """However far D moves in this step, G's move is the same; when they alternate it is not."""
    faster = "algorithm.alternating.discriminator.optimizer.SGD.learning_rate=5.0"
    mode = f"algorithm.alternating.simultaneous={'true' if simultaneous else 'false'}"
    slow, fast = after_one_step(spec_of, mode), after_one_step(spec_of, mode, faster)
    same = [np.array_equal(slow[name], fast[name]) for name in slow]
    assert all(same) if simultaneous else not any(same)


@pytest.mark.parametrize("key", ["discriminator", "generator"])
@pytest.mark.parametrize("repeats", [1, 2, 3])
def test_draws_are_as_many_as_the_passes_that_need_their_own(spec_of, key, repeats):
    algorithm = loop.make(spec_of(GAME, f"algorithm.alternating.{key}.updates={repeats}"))
    d, g = (repeats if key == role else 1 for role in ("discriminator", "generator"))
    assert (algorithm.data_draws, algorithm.latent_draws) == (d, d + g)


def test_fit_runs_the_same_step(spec_of):
    """The compiled step of `fit` and the plain one leave the same weights."""
    results, spec = [], spec_of(GAME)
    for compiled in (True, False):
        algorithm = loop.make(spec)
        data = batch(spec, algorithm)
        if compiled:
            algorithm.compile()
            algorithm.fit(_Once(data), epochs=1, verbose=0, shuffle=False)
        else:
            algorithm.train_step((data,))
        results.append({name: ops.convert_to_numpy(v.value) for name, v in algorithm.state().items()})
    assert results[0].keys() == results[1].keys()
    for name, value in results[0].items():
        np.testing.assert_allclose(value, results[1][name], rtol=0, atol=1e-5, err_msg=name)


class _Once(keras.utils.PyDataset):
    def __init__(self, data):
        super().__init__()
        self.data = {name: np.array(value) for name, value in data.items()}

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return (self.data,)


def test_the_base_is_abstract(spec_of):
    with pytest.raises(NotImplementedError, match="Algorithm must say what a step does"):
        Algorithm(spec_of(GAME).plans).phases()
