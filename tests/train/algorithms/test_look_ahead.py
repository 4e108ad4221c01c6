"""The look ahead: theta_D^K is where D would get to, G's gradient is that of f_K, and D stays where it was.

The radii of the saddle game (K = 0, 1, 5, 10) are a claim: zoo/claims/saddle.py, held by tests/claims/test_quick.py.
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
from zoo.spec.types import Part
from zoo.train import loop
from zoo.train.algorithms import make_algorithm
from zoo.train.algorithms.unrolled import unrolled

FALLING = {"linear": {"initial": 0.3, "final": 0.0, "updates": 6}}
RISING = {"linear": {"initial": 0.1, "final": 0.9, "updates": 6}}
UNROLLED = (
    "algorithm={unrolled: {loss: minimax, unrolled_updates: 3, generator: {optimizer: {Adam: {learning_rate: 0.01}}}, "
    "discriminator: {optimizer: {Adam: {learning_rate: 0.01}}}}}"
)


@pytest.fixture
def play(spec_of):
    """`play(optimizer of D, **arguments)` -> the smooth game after 3 steps, and a batch that it has not seen."""

    def make(optimizer, *, kind="unrolled", loss="minimax", **args):
        keras.utils.set_random_seed(0)
        player = {"generator": {"optimizer": "SGD"}, "discriminator": {"optimizer": optimizer}}
        algorithm = make_algorithm(Part(kind, {"loss": loss, **player, **args}), spec_of(SMOOTH).plans)
        random = np.random.RandomState(1)
        draws = [{name: ops.convert_to_tensor(random.standard_normal((count, 6, 2)), keras.config.floatx())
                  for name, count in {"point": 1, "z": 2, "share": 2}.items()} for _ in range(4)]  # fmt: skip
        for draw in draws[:3]:
            draw["share"] = draw["share"][..., :1]
            algorithm.train_step((draw,))
        return algorithm, {**draws[3], "share": draws[3]["share"][..., :1]}

    return make


def arrays(tensors):
    return [ops.convert_to_numpy(tensor) for tensor in tensors]


def gradient(algorithm, data):
    """Of G's loss by all of G's weights, one after the other."""
    turn = algorithm.phases()[1]
    found = autodiff.value_and_grad(lambda: turn.loss(data, 0), turn.variables)
    return np.concatenate([part.ravel() for part in arrays(found.gradients)])


# --- the gradient of f_K


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("optimizer", [ADAM, {"SGD": {"learning_rate": 0.3}}], ids=["Adam", "SGD"])
def test_the_gradient_of_g_is_that_of_central_differences(double, play, monkeypatch, optimizer, k):
    algorithm, data = play(optimizer, unrolled_updates=k)
    turn, random, h = algorithm.phases()[1], np.random.RandomState(2), 1e-5
    exact, start = gradient(algorithm, data), arrays(turn.variables)
    assert exact.dtype == np.float64

    def value(direction, far):
        for variable, old, way in zip(turn.variables, start, direction, strict=True):
            variable.assign(old + far * way)
        return float(turn.loss(data, 0)[0])

    for _ in range(3):
        direction = [random.standard_normal(old.shape) for old in start]
        slope = (value(direction, h) - value(direction, -h)) / (2 * h)
        along = exact @ np.concatenate([way.ravel() for way in direction])
        assert slope == pytest.approx(along, abs=1e-6 * np.linalg.norm(exact), rel=0)
    value(direction, 0.0)
    # what an unrolling without the way back would give is another gradient: the second term is there to be lost
    ahead = unrolled.look_ahead
    monkeypatch.setattr(unrolled, "look_ahead", lambda *args: [ops.stop_gradient(value) for value in ahead(*args)])
    assert np.linalg.norm(gradient(algorithm, data) - exact) > 0.02 * np.linalg.norm(exact)


@pytest.mark.parametrize(
    "optimizer",
    [ADAM, {"Adam": {"learning_rate": FALLING, "beta_1": 0.0, "beta_2": EXACT}}, "SGD", MOMENTUM,
     {"SGD": {"learning_rate": FALLING, "momentum": RISING}}],
    ids=["Adam", "Adam, falling", "SGD", "momentum", "rising momentum"],
)  # fmt: skip
def test_the_look_ahead_ends_where_d_would_get_to(double, play, optimizer):
    """Its optimizer, with the moments and the count that it has, makes the same K updates for good."""
    algorithm, data = play(optimizer, unrolled_updates=4)
    turn = algorithm.phases()[0]
    made = algorithm.run("generator", data, 1)
    ahead, before = arrays(algorithm.look_ahead(data, 0, made)), arrays(turn.variables)
    for _ in range(4):
        found = autodiff.value_and_grad(lambda: (algorithm.discriminator_loss_on(data, 0, made), {}), turn.variables)
        turn.optimizer.apply(found.gradients, turn.variables)
    for got, old, variable in zip(ahead, before, turn.variables, strict=True):
        np.testing.assert_allclose(got, variable.numpy(), rtol=0, atol=1e-9)
        assert np.abs(got - old).max() > 1e-3


def test_the_moments_of_d_matter(double, play):
    """Fresh ones would lead elsewhere: what the last test holds is not by the way."""
    algorithm, data = play(ADAM, unrolled_updates=1)
    made = algorithm.run("generator", data, 1)
    own = arrays(algorithm.look_ahead(data, 0, made))
    for variable in algorithm.phases()[0].optimizer.variables:
        if "momentum" in variable.path or "velocity" in variable.path:
            variable.assign(ops.zeros_like(variable))
    fresh = arrays(algorithm.look_ahead(data, 0, made))
    assert max(np.abs(a - b).max() for a, b in zip(own, fresh, strict=True)) > 1e-3


def test_an_inner_optimizer_starts_afresh_at_every_turn(double, play):
    algorithm, data = play(ADAM, unrolled_updates=1, inner_optimizer={"SGD": {"learning_rate": 0.25, "momentum": 0.9}})
    made, variables = algorithm.run("generator", data, 1), algorithm.phases()[0].variables
    slopes = autodiff.value_and_grad(lambda: (algorithm.discriminator_loss_on(data, 0, made), {}), variables).gradients
    for got, old, slope in zip(algorithm.look_ahead(data, 0, made), variables, slopes, strict=True):
        np.testing.assert_allclose(got, old - 0.25 * slope, rtol=0, atol=1e-12)


# --- what G's loss is made of


def softplus(x):
    return np.logaddexp(0, x).mean()


@pytest.mark.parametrize("loss", ["minimax", "wasserstein", "non_saturating"])
def test_the_loss_of_g_is_minus_that_of_d_after_the_look_ahead(double, play, loss):
    """Real examples included: they too depend on G through theta_D^K. A game that is not zero-sum has G's own loss."""
    algorithm, data = play(ADAM, loss=loss, unrolled_updates=2)
    made = algorithm.run("generator", data, 1)
    w1, b1, w2, b2 = arrays(algorithm.look_ahead(data, 0, made))
    real, fake = (np.tanh(ops.convert_to_numpy(x) @ w1 + b1) @ w2 + b2 for x in (data["point"][0], made))
    expected = {
        "minimax": -(softplus(-real) + softplus(fake)),
        "wasserstein": real.mean() - fake.mean(),
        "non_saturating": softplus(-fake),
    }[loss]
    assert float(algorithm.phases()[1].loss(data, 0)[0]) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    "loss, penalties", [("minimax", []), ("wasserstein", ["gradient_penalty"])], ids=["minimax", "wasserstein, penalty"]
)
def test_updates_of_no_length_are_the_ordinary_gan(double, play, loss, penalties):
    """Also where D has a penalty: that is D's affair, and nothing that G would maximise."""
    game = {"loss": loss, "penalties": penalties}
    short, data = play("SGD", **game, unrolled_updates=2, inner_optimizer={"SGD": {"learning_rate": 1e-30}})
    plain, _ = play("SGD", **game, kind="alternating")
    for player, model in short.players.items():
        model.set_weights(plain.players[player].get_weights())
    np.testing.assert_allclose(gradient(short, data), gradient(plain, data), rtol=0, atol=1e-12)


def test_a_penalty_steers_the_look_ahead(double, play):
    found = []
    for penalties in ([], ["gradient_penalty"]):
        algorithm, data = play("SGD", loss="wasserstein", penalties=penalties, unrolled_updates=1)
        algorithm.players["discriminator"].set_weights([np.full(w.shape, 0.3) for w in algorithm.phases()[0].variables])
        found.append(arrays(algorithm.look_ahead(data, 0, algorithm.run("generator", data, 1))))
    assert max(np.abs(a - b).max() for a, b in zip(*found, strict=True)) > 1e-3


# --- K = 0


@pytest.mark.parametrize("simultaneous", ["false", "true"])
def test_without_updates_it_is_the_minimax_game_bit_for_bit(spec_of, simultaneous):
    """Weights, statistics, moments and the seeds of dropout, over several steps."""
    player = "{optimizer: {Adam: {learning_rate: 0.01, beta_1: 0.5}}}"
    rest = f"loss: minimax, simultaneous: {simultaneous}, generator: {player}, discriminator: {player}"
    states, logs = [], []
    for game in (f"{{alternating: {{{rest}}}}}", f"{{unrolled: {{unrolled_updates: 0, {rest}}}}}"):
        spec = spec_of(GAME, f"algorithm={game}")
        algorithm = loop.make(spec)
        logs.append([step(spec, algorithm, seed=seed) for seed in range(3)])
        states.append({name: ops.convert_to_numpy(variable) for name, variable in algorithm.state().items()})
    assert logs[0] == logs[1] and states[0].keys() == states[1].keys()
    for name, state in states[0].items():
        np.testing.assert_array_equal(state, states[1][name], err_msg=name)


# --- D is left where it was


def test_the_turn_of_g_moves_g_alone(spec_of, monkeypatch):
    """Nothing of the look ahead stays: D's weights, moments, count of updates, batch norm. D's dropout has drawn."""
    spec = spec_of(GAME, UNROLLED)
    algorithm = loop.make(spec)
    step(spec, algorithm)  # now there are moments
    d, g = algorithm.phases()
    moments, before = arrays(d.optimizer.variables), values(algorithm)
    monkeypatch.setattr(algorithm, "phases", lambda: (dataclasses.replace(d, repeat=0), g))
    step(spec, algorithm)
    for old, variable in zip(moments, d.optimizer.variables, strict=True):
        np.testing.assert_array_equal(old, ops.convert_to_numpy(variable), err_msg=variable.path)
    own = {name for kind in ("trainable", "moving", "seeds") for name in names(algorithm, "generator", kind=kind)}
    assert moved(before, algorithm) == own | names(algorithm, "discriminator", kind="seeds")


def test_d_learns_as_if_g_had_not_looked(spec_of):
    """A step with K = 3 leaves D where the ordinary GAN leaves it."""
    found = []
    for k in (0, 3):
        spec = spec_of(GAME, UNROLLED, f"algorithm.unrolled.unrolled_updates={k}")
        algorithm = loop.make(spec)
        step(spec, algorithm)
        d = algorithm.phases()[0]
        statistics = [v for v in d.statistics if "seed" not in v.path]
        found.append(arrays([*d.variables, *statistics, *d.optimizer.variables]))
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


# --- passes


def test_every_pass_draws_its_own_dropout_mask(spec_of):
    """D's turn 2; G's turn 2 for each of K = 3 updates and 2 to judge. G makes its images once in each turn."""
    spec = spec_of(GAME, UNROLLED)
    algorithm = loop.make(spec)
    for steps in (1, 2):
        step(spec, algorithm)
        for role, passes in (("discriminator", 10), ("generator", 2)):
            (state,) = (v for v in algorithm.players[role].variables if "seed" in v.path)
            assert int(ops.convert_to_numpy(state)[1]) == passes * steps


def test_all_updates_of_a_look_ahead_see_the_same_examples(spec_of, monkeypatch):
    spec = spec_of(GAME, UNROLLED)
    algorithm = loop.make(spec)
    data = batch(spec, algorithm)
    calls = watch(algorithm, monkeypatch)
    algorithm.train_step((data,))
    turn = calls[3:]
    assert [name for name, *_ in turn] == ["generator"] + ["discriminator"] * 8
    assert all(training is True for *_, training in calls)
    np.testing.assert_array_equal(turn[0][1]["z"], data["z"][1])  # noise that D has not seen
    reals, fakes = ([inputs["image"] for _, inputs, _ in turn[first::2]] for first in (1, 2))
    for real, fake in zip(reals, fakes, strict=True):
        np.testing.assert_array_equal(real, data["image"][0])
        np.testing.assert_array_equal(fake, fakes[0])


def test_labels_of_the_look_ahead_are_those_that_g_was_told(spec_of, monkeypatch):
    """Two updates of D, three of G: draw 2 of G's turn has the labels of draw 0, and so has all that D sees then."""
    sgd = "optimizer: {SGD: {learning_rate: 0.1}}"
    game = f"loss: minimax, unrolled_updates: 1, discriminator: {{{sgd}, updates: 2}}, generator: {{{sgd}, updates: 3}}"
    spec = spec_of(tiny.LABELLED, f"algorithm={{unrolled: {{{game}}}}}")
    algorithm = loop.make(spec)
    labels = np.array([[3, 1, 4, 1], [5, 9, 2, 6]])
    data = {**batch(spec, algorithm), "label": ops.convert_to_tensor(labels)}
    calls = watch(algorithm, monkeypatch)
    algorithm.train_step((data,))
    turns = [calls[first : first + 5] for first in (6, 11, 16)]  # after two turns of D: generator, then D four times
    for turn, draw in zip(turns, (0, 1, 0), strict=True):
        assert [name for name, *_ in turn] == ["generator"] + ["discriminator"] * 4
        assert all(inputs["label"].tolist() == labels[draw].tolist() for _, inputs, _ in turn)
        for _, inputs, _ in turn[1::2]:
            np.testing.assert_array_equal(inputs["image"], data["image"][draw])


# --- optimizers


def test_d_may_learn_by_another_optimizer_than_the_one_that_looks_ahead(spec_of):
    other = ("discriminator.optimizer={RMSprop: {learning_rate: 1e-3}}", "inner_optimizer={SGD: {learning_rate: 0.1}}")
    spec = spec_of(GAME, UNROLLED, *(f"algorithm.unrolled.{change}" for change in other))
    logs = step(spec, loop.make(spec))
    assert all(np.isfinite(value) for value in logs.values())
