"""What a critic has besides its loss: penalties, weights held in a box, and long turns at the start."""

import keras
import numpy as np
import pytest
from games import batch, images, moved, names, numpy, step, values, watch, watch_weights
from keras import ops
from tiny import DENSE, GAME

from zoo.spec.game_sections import BurnIn
from zoo.spec.game_steps import generator_plays
from zoo.train import loop

# D is linear: its slope is the norm of its kernel, and its loss is known by hand.
WASSERSTEIN = "algorithm.alternating.loss=wasserstein"
PENALTY = "algorithm.alternating.penalties=[gradient_penalty]"
CLIP = "algorithm.alternating.weight_clip={{c: 0.01, when: {}}}"
UPDATES = "algorithm.alternating.discriminator.updates={}"
SPECTRAL = "networks.discriminator.layers=[Flatten, SpectralDense: {units: 5}, ReLU, SpectralDense: {units: 1}]"


def game(spec_of, *overrides, text=DENSE):
    spec = spec_of(text, *([WASSERSTEIN] if text is DENSE else []), *overrides)
    return spec, loop.make(spec)


def kernel(algorithm):
    return numpy(algorithm.players["discriminator"].trainable_variables[0]).ravel()


# --- penalties


def meetings(algorithm, data):
    """(real, fake) images [B, 64] of D's only update."""
    fake = numpy(algorithm.players["generator"]({"z": data["z"][0]}, training=True)["image"])
    return (numpy(x).reshape(4, 64) for x in (data["image"][0], fake))


def test_a_penalty_joins_the_loss_of_d_and_its_gradient(spec_of):
    spec, algorithm = game(spec_of, PENALTY)
    data, w = batch(spec, algorithm), kernel(algorithm)
    real, fake = meetings(algorithm, data)
    logs = algorithm.train_step((data,))
    norm, pull = np.linalg.norm(w), fake.mean(0) - real.mean(0)
    assert float(logs["discriminator_loss"]) == pytest.approx(w @ pull + 10 * (norm - 1) ** 2, abs=1e-4)
    np.testing.assert_allclose(kernel(algorithm), w - 0.1 * (pull + 20 * (norm - 1) * w / norm), rtol=0, atol=1e-4)


def test_penalties_are_summed(spec_of):
    one, two = "gradient_penalty: {weight: 2}", "drift: {weight: 3}"
    losses = []
    for chosen in ("[]", f"[{{{one}}}]", f"[{{{two}}}]", f"[{{{one}}}, {{{two}}}]"):
        spec, algorithm = game(spec_of, f"algorithm.alternating.penalties={chosen}")
        algorithm.players["discriminator"].trainable_variables[0].assign(np.full((64, 1), 0.1))
        algorithm.players["generator"].trainable_variables[0].assign(np.zeros((3, 64)))
        data = {**batch(spec, algorithm), "share": ops.ones((2, 4, 1))}
        losses.append(float(algorithm.train_step((data,))["discriminator_loss"]))
    plain, first, second, both = losses
    assert min(first, second) > plain + 0.01
    assert both - plain == pytest.approx(first - plain + second - plain, abs=1e-4)


def test_a_penalty_is_no_matter_of_g(spec_of):
    losses = []
    for penalised in (False, True):
        spec, algorithm = game(spec_of, *([PENALTY] if penalised else []), "algorithm.alternating.simultaneous=true")
        for name, player in algorithm.players.items():
            for v in player.trainable_variables:
                v.assign(np.full(v.shape, 0.1 if name == "generator" else 0.05))
        data = {**batch(spec, algorithm), "share": ops.ones((2, 4, 1))}
        losses.append(float(algorithm.train_step((data,))["generator_loss"]))
    assert losses[0] == losses[1]


def test_the_share_is_drawn_for_each_example_and_update(spec_of):
    spec, algorithm = game(spec_of, PENALTY, UPDATES.format(2), "training.batch_size=50")
    first, again, next_ = (loop.make_batches(spec, algorithm, images(spec))[i]["share"] for i in (0, 0, 1))
    assert first.shape == (2, 50, 1) and first.dtype == np.float32  # for D's updates alone
    assert len(np.unique(np.concatenate([first, next_]))) == 200  # no number twice
    np.testing.assert_array_equal(first, again)
    assert 0 <= first.min() < 0.05 and 0.95 < first.max() < 1 and abs(first.mean() - 0.5) < 0.1


def test_every_update_takes_its_own_share(spec_of, monkeypatch):
    spec, algorithm = game(spec_of, PENALTY, UPDATES.format(2))
    data, calls = batch(spec, algorithm), watch(algorithm, monkeypatch)
    algorithm.train_step((data,))
    passes = [inputs["image"] for name, inputs, _ in calls if name == "discriminator"]
    assert len(passes) == 2 * 3 + 1  # real, fake, between; and G's turn
    for i in (0, 1):
        real, fake, between = passes[3 * i : 3 * i + 3]
        share = numpy(data["share"])[i].reshape(4, 1, 1, 1)
        np.testing.assert_allclose(between, share * real + (1 - share) * fake, rtol=0, atol=1e-6)


def test_a_game_without_penalties_draws_no_share(spec_of):
    assert game(spec_of)[1].noise == {}


@pytest.mark.parametrize("penalties", ["[]", "[gradient_penalty]"])
def test_power_iterations_are_those_of_ds_own_passes(spec_of, penalties):
    """Two passes in D's turn, real and fake; the pass between them and G's turn leave u where it is."""
    spec, algorithm = game(spec_of, SPECTRAL, f"algorithm.alternating.penalties={penalties}")
    layer = next(x for x in algorithm.players["discriminator"].layers if hasattr(x, "u"))
    u, w = numpy(layer.u).astype("float64"), numpy(layer.kernel).astype("float64")
    for _ in range(2):
        u = w.T @ (w @ u)
        u /= np.linalg.norm(u)
    step(spec, algorithm)
    np.testing.assert_allclose(numpy(layer.u), u, rtol=0, atol=1e-5)


# --- weights in a box


def largest(weights):
    return max(float(np.abs(w).max()) for w in weights)


@pytest.mark.parametrize("when", ["after", "before"])
def test_when_the_weights_are_clipped(spec_of, monkeypatch, when):
    """D is called twice in each of its three updates, and once in G's turn."""
    spec, algorithm = game(spec_of, CLIP.format(when), UPDATES.format(3))
    seen = watch_weights(algorithm, monkeypatch, "discriminator")
    step(spec, algorithm)
    inside = [largest(weights) <= np.float32(0.01) for weights in seen]
    # the paper clips after each update: the first begins anywhere. The authors clip before: G sees what comes of it
    assert inside == ([False] * 2 + [True] * 5 if when == "after" else [True] * 6 + [False])
    at_the_edge = largest(map(numpy, algorithm.players["discriminator"].trainable_variables)) == np.float32(0.01)
    assert at_the_edge == (when == "after")


def test_clipping_cuts_and_does_not_scale(spec_of):
    spec, algorithm = game(
        spec_of, CLIP.format("after"), "algorithm.alternating.discriminator.optimizer.SGD.learning_rate=0.001"
    )
    w = np.linspace(-0.1, 0.1, 64)
    algorithm.players["discriminator"].trainable_variables[0].assign(w[:, None])
    step(spec, algorithm)
    outside = np.abs(w) > 0.013
    np.testing.assert_array_equal(kernel(algorithm)[outside], np.sign(w[outside]).astype("float32") * np.float32(0.01))
    np.testing.assert_allclose(kernel(algorithm)[~outside], np.clip(w[~outside], -0.01, 0.01), rtol=0, atol=2.1e-3)
    assert len(np.unique(kernel(algorithm)[~outside])) > 4


@pytest.mark.parametrize("batch_norm", [True, False])
def test_clipping_touches_ds_trained_weights_and_no_statistics(spec_of, batch_norm):
    """A clipped moving variance divides by 0.1; G is not a critic. gamma and beta are clipped as by the authors."""
    spec, algorithm = game(
        spec_of, f"algorithm.alternating.weight_clip={{c: 0.01, batch_norm: {str(batch_norm).lower()}}}", text=GAME
    )
    d = algorithm.players["discriminator"]
    norm = next(layer for layer in d.layers if isinstance(layer, keras.layers.BatchNormalization))
    norm.moving_mean.assign(np.full(5, 7.0))
    step(spec, algorithm)
    held = [v for v in d.trainable_variables if batch_norm or not any(v is own for own in (norm.gamma, norm.beta))]
    assert len(held) == (6 if batch_norm else 4) and largest(map(numpy, held)) == np.float32(0.01)
    assert (float(np.min(numpy(norm.gamma))) > 0.5) is not batch_norm
    assert float(np.min(numpy(norm.moving_variance))) > 0.1 and float(np.min(numpy(norm.moving_mean))) > 1
    assert largest(map(numpy, algorithm.players["generator"].trainable_variables)) > 0.1


# --- the authors' burn-in


def authors_loop(updates, first, every, each, steps):
    """For each step of `each` updates of D, whether G plays at its end: main.py of the authors, turn by turn."""
    plays, generator_updates = [], 0
    while len(plays) < steps:
        long = generator_updates < first or generator_updates % every == 0
        turn = (updates if long else each) // each
        plays += [False] * (turn - 1) + [True]
        generator_updates += 1
    return plays[:steps]


@pytest.mark.parametrize(
    ("updates", "first", "every", "each", "steps"),
    [
        (100, 25, 500, 5, 2500),  # the authors' numbers
        (6, 2, 5, 3, 60),
        (4, 0, 3, 2, 60),
        (4, 5, 5, 2, 60),
        (6, 7, 5, 1, 90),
        (4, 6, 5, 2, 60),
        (2, 1, 1, 1, 20),
        (3, 4, 2, 3, 20),
    ],
)
def test_turns_are_those_of_the_authors_loop(updates, first, every, each, steps):
    burn_in = BurnIn(updates=updates, generator_updates=first, every=every)
    assert [generator_plays(i, burn_in, each) for i in range(steps)] == authors_loop(updates, first, every, each, steps)


def test_the_authors_numbers():
    """25 turns of 20 steps, then one step each until the 500th update of G, whose turn is long again."""
    plays = np.flatnonzero([generator_plays(i, BurnIn(), 5) for i in range(2000)])
    assert plays[:25].tolist() == list(range(19, 500, 20))
    assert plays[25:501].tolist() == [*range(500, 975), 994] and plays[501] == 995


def test_a_turn_is_a_number_of_the_batch(spec_of):
    spec, algorithm = game(spec_of, "algorithm.alternating.burn_in={updates: 3, generator_updates: 1, every: 100}")
    found = [loop.make_batches(spec, algorithm, images(spec))[i]["generator_plays"] for i in range(5)]
    assert [x.tolist() for x in found] == [[0], [0], [1], [1], [1]] and found[0].dtype == np.float32
    assert "generator_plays" not in batch(*game(spec_of))


@pytest.mark.parametrize("compiled", [False, True])
def test_g_its_statistics_and_its_optimizer_sit_out(spec_of, compiled):
    spec, algorithm = game(
        spec_of,
        "algorithm.alternating.burn_in={updates: 2, generator_updates: 1}",
        "algorithm.alternating.generator.optimizer={Adam: {learning_rate: 0.1}}",
        text=GAME,
    )
    g = algorithm.phases()[1]
    rate = g.optimizer.learning_rate
    state = [v for v in (*g.variables, *g.statistics, *g.optimizer.variables) if v is not rate]
    algorithm.compile()
    for at, plays in ((0, False), (1, True)):
        before, critic = [numpy(v) for v in state], values(algorithm)
        if compiled:
            algorithm.train_on_batch({k: numpy(v) for k, v in batch(spec, algorithm, seed=at, at=at).items()})
        else:
            step(spec, algorithm, seed=at, at=at)
        same = [np.array_equal(old, numpy(v)) for old, v in zip(before, state, strict=True)]
        assert not any(same) if plays else all(same)
        assert names(algorithm, "discriminator") <= moved(critic, algorithm)
        assert int(g.optimizer.iterations) == int(plays)
        assert int(algorithm.phases()[0].optimizer.iterations) == at + 1
