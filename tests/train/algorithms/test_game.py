"""The game that a spec writes: each rule of evaluation once, on nets of a few weights, against arithmetic by hand."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from small_games import SGD, D, G, Play, calls_of, text, without_rest

from zoo.core.errors import TrainingError
from zoo.spec.types import Part
from zoo.train import checkpoint
from zoo.train.callbacks import Clock, Finite

# 1. A step plays all phases once.


def test_a_phase_moves_what_it_trains_and_nothing_else(play):
    assert play([D]).moved() == {"discriminator"}
    assert play([D, G]).moved() == {"discriminator", "generator"}
    both = f"both: {{trains: [generator, discriminator], minimise: {{g_loss: 1}}, {SGD}}}"
    assert play([both]).moved() == {"discriminator", "generator"}


@pytest.mark.parametrize("simultaneous", ["false", "true"])
def test_the_generator_meets_the_moved_discriminator_unless_simultaneous(play, simultaneous):
    game = play([D, G], rest=f"simultaneous: {simultaneous}")
    batch, d = game.batch(), game.algorithm.players["discriminator"]
    start = d.get_weights()
    logs = game.step()
    end = d.get_weights()
    d.set_weights(start if simultaneous == "true" else end)
    other = play([D, G])  # the generator of the start
    expected = float(ops.mean(ops.softplus(-game.net("discriminator", image=other.net("generator", z=batch["z"][1])))))
    assert logs["generator_loss"] == pytest.approx(expected, abs=1e-6)


def test_the_loss_is_the_weighted_sum(play):
    phases = [f"generator: {{trains: generator, minimise: {{g_loss: [2, 3], pixel: 0.5, size: 0}}, {SGD}}}"]
    game = play(phases, values="pixel: {l1: {between: [fake, image]}}\nsize: {l2: {between: [fake, image]}}")
    batch = game.batch()
    fake = game.net("generator", z=batch["z"][0])
    pixel = float(ops.mean(ops.abs(fake - batch["image"][0])))
    g_loss = float(ops.mean(ops.softplus(-game.net("discriminator", image=fake))))
    assert game.step()["generator_loss"] == pytest.approx(6 * g_loss + 0.5 * pixel, abs=1e-5)


# 2. Values, 3. draws, 4. data, 5. batch sizes.


def test_passes_are_computed_once_in_order_and_only_where_needed(play, monkeypatch):
    game = play([D, G])
    calls = calls_of(game, monkeypatch)
    game.step()
    assert [role for role, *_ in calls] == ["generator", "discriminator", "discriminator", "generator", "discriminator"]


def test_every_update_draws_anew_and_values_of_an_update_share_a_draw(play, monkeypatch):
    game = play([D.replace("minimise", "updates: 2, minimise"), G])
    batch = game.batch()
    assert batch["z"].shape == (3, 4, 3)
    calls = calls_of(game, monkeypatch)
    game.step()
    drawn = [inputs for role, inputs, _ in calls if role == "generator"]
    for number, found in enumerate(drawn):
        np.testing.assert_array_equal(found, batch["z"][number])


def test_another_draw_has_the_prior_of_the_latent_and_a_stream_of_its_own(play):
    values = "z2: {another: z}\nfake2: {generator: {z: z2}}\napart: {l1: {between: [fake, fake2]}}"
    game = play([f"generator: {{trains: generator, minimise: {{apart: -1}}, {SGD}}}"], values=values)
    batch = game.batch()
    assert batch["z2"].shape == batch["z"].shape == (1, 4, 3) and (batch["z2"] != batch["z"]).numpy().all()
    fakes = [game.net("generator", z=batch[name][0]) for name in ("z", "z2")]
    assert game.step()["generator_loss"] == pytest.approx(-float(ops.mean(ops.abs(fakes[0] - fakes[1]))), abs=1e-6)


def test_draws_are_counted_as_if_every_phase_played(play):
    """The noise of a phase does not depend on whether another one rests."""
    rare = D.replace("minimise", "when: {every: 3}, minimise")
    with_it, without = play([D, G]), play([rare, G])
    np.testing.assert_array_equal(with_it.batch(1)["z"], without.batch(1)["z"])
    assert without.batch(1)["discriminator_plays"][0] == 0 and without.batch(3)["discriminator_plays"][0] == 1


def test_phases_share_batches_of_data_modulo_their_number(play, monkeypatch):
    """The most updates of a phase that reads data; a phase with fewer begins at the first."""
    sees = f"generator: {{trains: generator, minimise: {{pixel: 1}}, {SGD}}}"
    game = play([D.replace("minimise", "updates: 2, minimise"), sees], values="pixel: {l1: {between: [fake, image]}}")
    batch = game.batch()
    assert batch["image"].shape == (2, 4, 8, 8, 1) and game.algorithm.data_draws == 2
    fake = game.net("generator", z=batch["z"][2])
    calls = calls_of(game, monkeypatch)
    logs = game.step()
    seen = [inputs for role, inputs, _ in calls if role == "discriminator"]
    for found, expected in zip(seen[::2], batch["image"], strict=True):
        np.testing.assert_array_equal(found, expected)
    assert logs["generator_loss"] == pytest.approx(float(ops.mean(ops.abs(fake - batch["image"][0]))), abs=1e-6)


def test_fresh_data_is_a_batch_of_its_own(play):
    pixel = "pixel: {l1: {between: [fake, image]}}"
    sees = f"generator: {{trains: generator, data: fresh, minimise: {{pixel: 1}}, {SGD}}}"
    game = play([D, sees], values=pixel)
    batch = game.batch()
    assert batch["image"].shape == (2, 4, 8, 8, 1)
    fake = game.net("generator", z=batch["z"][1])
    assert game.step()["generator_loss"] == pytest.approx(float(ops.mean(ops.abs(fake - batch["image"][1]))), abs=1e-5)
    assert game.algorithm.step_images == 4  # those of the phase that reads most
    more = play([D, sees.replace("data: fresh", "data: fresh, batch_size: 8, updates: 2")], values=pixel)
    assert more.algorithm.step_images == 16


def test_a_phase_may_have_another_batch_size(play):
    """Draws are prefixes: rows of the greatest common size."""
    game = play([D, G.replace("minimise", "batch_size: 8, minimise")])
    batch = game.batch()
    assert batch["z"].shape == (3, 4, 3) and batch["image"].shape == (1, 4, 8, 8, 1)
    z = np.concatenate([batch["z"][1], batch["z"][2]])
    logs = game.step()
    other = play([D, G])
    fake = other.net("generator", z=z)
    expected = float(ops.mean(ops.softplus(-game.net("discriminator", image=fake))))
    assert logs["generator_loss"] == pytest.approx(expected, abs=1e-6)
    half = play([D, G.replace("minimise", "batch_size: 2, minimise")])
    assert half.batch()["z"].shape == (3, 2, 3)  # 4 of D, 2 of G
    half.step()


# 6. Gradients.


def test_a_gradient_passes_other_networks_and_stops_where_it_is_told(play):
    values = "code: {encoder: {image: fake}}\nback: {l2: {between: [code, z]}}"
    assert play([f"maker: {{trains: generator, minimise: {{back: 1}}, {SGD}}}"], values=values).moved() == {"generator"}
    stopped = values.replace("{image: fake}", "{image: {stop_gradient: fake}}")
    both = f"both: {{trains: [encoder, generator], minimise: {{back: 1, g_loss: 1}}, {SGD}}}"
    free, held = (play([both], values=text) for text in (values, stopped))
    batch = free.batch()
    for game in (free, held):
        z = batch["z"][0]
        with tf.GradientTape() as tape:
            fake = game.net("generator", z=z)
            code = game.net("encoder", image=fake if game is free else tf.stop_gradient(fake))
            g_loss = tf.reduce_mean(tf.nn.softplus(-game.net("discriminator", image=fake)))
            loss = tf.reduce_mean((code - z) ** 2) + g_loss
        kernel = game.algorithm.players["generator"].trainable_variables[0]
        before = np.array(kernel)
        gradient = tape.gradient(loss, kernel.value)
        game.step()
        np.testing.assert_allclose(np.array(kernel), before - 0.1 * gradient, atol=1e-6)


# 7. Reuse.


def test_reuse_takes_values_as_constants_with_their_draws(play, monkeypatch):
    d = D.replace("minimise", "reuse: [fake], minimise")
    game = play([G, d])
    batch = game.batch()
    assert batch["z"].shape[0] == 1  # D draws nothing
    fake = game.net("generator", z=batch["z"][0])  # of the weights before G's update
    calls = calls_of(game, monkeypatch)
    game.step()
    assert [role for role, *_ in calls] == ["generator", "discriminator", "discriminator", "discriminator"]
    np.testing.assert_allclose(calls[-1][1], fake, atol=1e-6)


def test_reuse_of_a_latent_gives_the_noise_that_was_seen(play, monkeypatch):
    game = play([D, G.replace("minimise", "reuse: [z], minimise")])
    batch = game.batch()
    assert batch["z"].shape[0] == 1
    calls = calls_of(game, monkeypatch)
    game.step()
    seen = [inputs for role, inputs, _ in calls if role == "generator"]
    np.testing.assert_array_equal(seen[0], seen[1])


# 8. Modes and statistics.


def statistics(network):
    return [np.array(w) for w in network.non_trainable_weights]


def test_statistics_of_trained_networks_are_kept_pass_after_pass(spec_of, monkeypatch):
    game = Play(
        spec_of(
            text([D, G])
            .replace("[Flatten, {Dense", "[Flatten, BatchNormalization, {Dense")
            .replace("layers: [Dense: {units: 64", "layers: [BatchNormalization, Dense: {units: 64")
        )
    )
    network = game.algorithm.players["discriminator"]
    norm = next(layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization))
    batch = game.batch()
    fake = np.reshape(game.algorithm.players["generator"]({"z": batch["z"][0]}, training=True)["image"], (4, 64))
    norm.moving_mean.assign(np.zeros(64))
    d_phase, _ = game.algorithm.phases()
    g_before = statistics(game.algorithm.players["generator"])
    monkeypatch.setattr(game.algorithm, "phases", lambda: (d_phase,))
    game.step()
    expected = np.zeros(64)
    for seen in (np.reshape(batch["image"][0], (4, 64)), fake):  # real, then fake: two batches
        expected = 0.99 * expected + 0.01 * seen.mean(0)
    np.testing.assert_allclose(np.array(norm.moving_mean), expected, atol=1e-6)
    for a, b in zip(g_before, statistics(game.algorithm.players["generator"]), strict=True):
        np.testing.assert_array_equal(a, b)  # D's turn does not move G's


def test_a_network_that_no_phase_trains_is_in_inference_mode(play, monkeypatch):
    values = "code: {encoder: {image: fake}}\nback: {l2: {between: [code, z]}}"
    game = play([f"maker: {{trains: generator, minimise: {{back: 1}}, {SGD}}}"], values=values)
    calls = calls_of(game, monkeypatch)
    game.step()
    assert [(role, training) for role, _, training in calls] == [("generator", True), ("encoder", False)]


# 9. When a phase plays.


@pytest.mark.parametrize(
    "when, expected",
    [
        ("{every: 3}", [1, 0, 0, 1, 0, 0]),
        ("{from: 2, until: 4}", [0, 0, 1, 1, 0, 0]),
        ("{every: 2, from: 1}", [0, 0, 1, 0, 1, 0]),
        ("{burn_in: {updates: 2, generator_updates: 1, every: 3}}", [0, 1, 1, 1, 0, 1]),
        ("{below: {g_loss: 100}}", [1, 1, 1, 1, 1, 1]),
        ("{above: {g_loss: 100}}", [0, 0, 0, 0, 0, 0]),
    ],
)
def test_a_phase_that_does_not_play_changes_nothing(play, when, expected):
    adam = G.replace("SGD: {learning_rate: 0.1}", "Adam: {learning_rate: 0.01}")
    game = play([D, adam.replace("minimise", f"when: {when}, minimise")])
    optimizer = game.algorithm.phases()[1].optimizer
    found = []
    for _ in expected:
        moments = [np.array(v) for v in optimizer.variables]
        found.append(int("generator" in game.moved()))
        same = all((np.array(v) == old).all() for v, old in zip(optimizer.variables, moments, strict=True))
        assert same == (not found[-1])
    assert found == expected


def test_by_its_number_a_step_is_not_computed(play, monkeypatch):
    game = play([D, G.replace("minimise", "when: {every: 2}, minimise")])
    calls = calls_of(game, monkeypatch)
    first = game.step()
    assert [role for role, *_ in calls].count("generator") == 2
    calls.clear()
    second = game.step()
    assert [role for role, *_ in calls].count("generator") == 1
    assert second["generator_loss"] == first["generator_loss"]  # the last one


def test_a_threshold_is_of_the_loss_of_this_update(play):
    game = play([D])
    first = game.step()["discriminator_loss"]
    between = first - 1e-4
    held = play([D.replace("minimise", f"when: {{below: {{d_loss: {between}}}}}, minimise")])
    assert held.moved() == set()
    free = play([D.replace("minimise", f"when: {{above: {{d_loss: {between}}}}}, minimise")])
    assert free.moved() == {"discriminator"}


def test_a_lazy_term_keeps_its_strength(play):
    """In one of n updates, n times its weight."""
    lazy = D.replace("{d_loss: 1}", "{d_loss: 1, r1: {weight: 2, every: 3}}")
    game = play([lazy], values="r1: {r1: {of: on_real, wrt: image}}")
    logs = [game.step() for _ in range(4)]
    extra = [one["discriminator_loss"] - one["d_loss"] for one in logs]
    assert extra == pytest.approx([6 * logs[0]["r1"], 0, 0, 6 * logs[3]["r1"]], abs=1e-5)
    assert logs[0]["r1"] == logs[1]["r1"] == logs[2]["r1"] != logs[3]["r1"]  # as last known


@pytest.mark.parametrize(
    "rests", ["minimise: {d_loss: 1, r1: {weight: 1, every: 2}}", "when: {every: 2}, minimise: {d_loss: 1, r1: 1}"]
)
def test_a_value_whose_first_update_overflows_is_not_known_yet(spec_of, tmp_path, rests):
    """The update is skipped, and the run goes on, through a checkpoint too."""
    discriminator = f"discriminator: {{trains: discriminator, {rests}, {SGD}}}"
    written = text([discriminator, G], values="r1: {r1: {of: on_real, wrt: image}}")
    game = Play(spec_of(written.replace("batch_size: 4,", "batch_size: 4, precision: mixed_float16,")))
    scale = game.algorithm.phases()[0].optimizer.loss_scale
    clock = Clock(step=0, steps=9, budget_seconds=None, batch_size=4)
    finite, logs = Finite(clock, game.algorithm.unknown), []
    for exponent in (60, 8, 8):
        scale.assign(2.0**exponent)
        clock.on_train_batch_end(0)
        logs.append(game.step()["r1"])
        finite.on_train_batch_end(0, {"r1": logs[-1]})
        checkpoint.save(tmp_path / "one.npz", game.algorithm, checkpoint.Progress(1, 1.0, ""), game.spec.document)
        checkpoint.load(tmp_path / "one.npz", game.algorithm, game.spec.document)
    assert np.isnan(logs[0]) and logs[2] > 0


def test_a_value_that_is_computed_and_is_no_number_ends_the_training(play):
    late = f"late: {{trains: generator, when: {{from: 1}}, minimise: {{g_loss: 1, pixel: 0.5}}, {SGD}}}"
    values = "pixel: {l1: {between: [fake, image]}}\nwrong: {log: {sum: {terms: {pixel: 1}, constant: -99}}}"
    game = play([D, late], values=values, rest="states: {mean_wrong: {moving_average: {of: wrong}}}")
    clock = Clock(step=1, steps=9, budget_seconds=None, batch_size=4)
    finite = Finite(clock, game.algorithm.unknown)
    finite.on_train_batch_end(0, {"wrong": game.step()["wrong"]})
    clock.on_train_batch_end(0)
    with pytest.raises(TrainingError, match="step 2: wrong is inf"):
        finite.on_train_batch_end(0, {"wrong": game.step()["wrong"]})


def test_a_number_that_a_user_gives_has_its_default_in_training(play):
    values = """psi: {input: {default: 0.7}}
scaled: {product: [on_fake, psi]}
between: {lerp: {from: scaled, to: on_fake, share: psi}}
level: {mean: {of: between, per: example}}
far: {l2: {between: [level, psi]}}"""
    game = play([f"generator: {{trains: generator, minimise: {{far: 1}}, {SGD}}}"], values=values)
    batch = game.batch()
    on_fake = game.net("discriminator", image=game.net("generator", z=batch["z"][0]))
    between = 0.7 * on_fake + 0.7 * (on_fake - 0.7 * on_fake)
    expected = float(ops.mean(ops.square(between - 0.7)))
    assert game.step()["generator_loss"] == pytest.approx(expected, abs=1e-5)


def test_terms_may_all_rest_in_an_update(play):
    """Its loss is 0 then, and gradient descent stays where it is, compiled or not."""
    values, rare = "r1: {r1: {of: on_real, wrt: image}}", "{weight: 2, every: 3}"
    game = play([f"discriminator: {{trains: discriminator, minimise: {{r1: {rare}}}, {SGD}}}", G], values=values)
    step = tf.function(game.algorithm.step, autograph=False)
    for number in range(4):
        before = game.weights()["discriminator"]
        logs = step(game.batch(number)) if number > 1 else game.algorithm.step(game.batch(number))
        moves = any((a != b).any() for a, b in zip(before, game.weights()["discriminator"], strict=True))
        assert moves == (number % 3 == 0)
        assert float(logs["discriminator_loss"]) == pytest.approx(6 * float(logs["r1"]) if number % 3 == 0 else 0)


def test_an_update_computes_no_term_that_rests(play, monkeypatch):
    """Terms of every 2nd and every 4th update, compiled and not, on passes of their own."""
    terms = D.replace("{d_loss: 1}", "{d_loss: 1, slope: {weight: 2, every: 2}, size: {weight: 3, every: 4}}")
    values = """
between: {lerp: {from: fake, to: image, share: 0.5}}
on_between: {discriminator: {image: between}}
slope: {gradient_penalty: {of: on_between, wrt: between, target: 1}}
dark: {product: [image, 0.5]}
on_dark: {discriminator: {image: dark}}
size: {mean: {square: on_dark}}
""".replace("{product: [image, 0.5]}", "{sum: {image: 0.5}}")
    game = play([terms], values=values)
    found = []
    with monkeypatch.context() as watching:
        calls = calls_of(game, watching)
        for _ in range(5):
            calls.clear()
            game.step()
            found.append([role for role, *_ in calls].count("discriminator"))
    assert found == [4, 2, 3, 2, 4]
    compiled, plain = play([terms], values=values), play([terms], values=values)
    step = tf.function(compiled.algorithm.step, autograph=False)
    for number in range(5):
        logs = {name: float(x) for name, x in step(compiled.batch(number)).items()}
        assert logs == pytest.approx(plain.step(), rel=1e-4)


def test_a_weight_is_a_schedule_of_the_updates_of_its_phase(play):
    fading = "{d_loss: {linear: {initial: 1, final: 0, updates: 4}}}"
    game = play([D.replace("{d_loss: 1}", fading).replace("minimise", "updates: 2, minimise"), G])
    shares = [one["discriminator_loss"] / one["d_loss"] for one in (game.step(), game.step())]
    assert shares == pytest.approx([0.75, 0.25], abs=1e-5)  # the second update of each step


# Penalties: the derivative of the pass itself.


def test_a_penalty_costs_no_further_pass_and_is_exact(play, monkeypatch):
    values = "r1: {r1: {of: on_real, wrt: image}}\nr2: {r1: {of: on_fake, wrt: fake}}"
    game = play([D.replace("{d_loss: 1}", "{d_loss: 1, r1: 3, r2: 5}")], values=values)
    batch = game.batch()
    d = game.algorithm.players["discriminator"]
    before = [np.array(v) for v in d.trainable_variables]
    fake = game.net("generator", z=batch["z"][0])
    with tf.GradientTape() as outer:
        squares = []
        for x in (batch["image"][0], fake):
            with tf.GradientTape() as tape:
                tape.watch(x)
                score = tf.reduce_sum(d({"image": x})["logits"])
            squares.append(tf.reduce_mean(tf.reduce_sum(tape.gradient(score, x) ** 2, (1, 2, 3))) / 2)
        real, made = (d({"image": x})["logits"] for x in (batch["image"][0], fake))
        loss = tf.reduce_mean(tf.nn.softplus(-real)) + tf.reduce_mean(tf.nn.softplus(made))
        loss += 3 * squares[0] + 5 * squares[1]
    gradients = outer.gradient(loss, [v.value for v in d.trainable_variables])
    calls = calls_of(game, monkeypatch)
    logs = game.step()
    assert [role for role, *_ in calls].count("discriminator") == 2
    assert logs["discriminator_loss"] == pytest.approx(float(loss), abs=1e-5)
    for variable, old, gradient in zip(d.trainable_variables, before, gradients, strict=True):
        expected = old - 0.1 * (gradient if gradient is not None else 0)
        np.testing.assert_allclose(np.array(variable), expected, atol=1e-6)


def test_r1_is_of_the_images_before_augmentation(play):
    """Through the augmentation: a flip changes no slope, colour scales it."""
    values = """
seen: {augmented: {of: image, policy: [flip]}}
on_seen: {discriminator: {image: seen}}
r1: {r1: {of: on_seen, wrt: image}}
"""
    game = play([f"discriminator: {{trains: discriminator, minimise: {{r1: 1}}, {SGD}}}", G], values=values)
    batch, d = game.batch(), game.algorithm.players["discriminator"]
    assert batch["seen"].shape == (1, 4, 12)
    image, mirrored = batch["image"][0], batch["seen"][0][:, 4].numpy()[:, None, None, None] < 0.5
    seen = np.where(mirrored, image[:, :, ::-1], image)
    with tf.GradientTape() as tape:
        x = tf.constant(seen)
        tape.watch(x)
        score = tf.reduce_sum(d({"image": x})["logits"])
    expected = float(tf.reduce_mean(tf.reduce_sum(tape.gradient(score, x) ** 2, (1, 2, 3)))) / 2
    assert game.step()["discriminator_loss"] == pytest.approx(expected, rel=1e-4)


def test_path_lengths_reach_the_networks_on_both_sides(play):
    """||d sum(y G(w)) / d w|| of a G that is tanh(w A + b), y normal / 8."""
    values = """
w: encoder
made: {generator: {z: w}}
lengths: {path_lengths: {of: made, wrt: w}}
path: {mean: lengths}
"""
    game = play([f"both: {{trains: [encoder, generator], minimise: {{path: 1}}, {SGD}}}"], values=values)
    batch = game.batch()
    noise = np.reshape(batch["lengths"][0], (4, 64)) / 8
    w = np.array(game.net("encoder", image=batch["image"][0]))
    kernel, bias = (np.array(v) for v in game.algorithm.players["generator"].get_weights())
    slope = (noise * (1 - np.tanh(w @ kernel + bias) ** 2)) @ kernel.T
    assert game.step()["both_loss"] == pytest.approx(np.sqrt((slope**2).sum(1)).mean(), rel=1e-4)
    assert play([f"both: {{trains: [encoder, generator], minimise: {{path: 1}}, {SGD}}}"], values=values).moved() == {
        "encoder", "generator"
    }  # fmt: skip


def test_features_of_a_pass_are_read_by_their_name(play):
    values = "match: {feature_matching: {real: on_real.features, fake: on_fake.features}}"
    game = play([f"generator: {{trains: generator, minimise: {{match: 1}}, {SGD}}}"], values=values)
    batch, d = game.batch(), game.algorithm.players["discriminator"]
    dense = d.layers[2]
    features = [dense(ops.reshape(x, (4, 64))) for x in (batch["image"][0], game.net("generator", z=batch["z"][0]))]
    expected = float(ops.mean(ops.abs(ops.mean(features[0], 0) - ops.mean(features[1], 0))))
    assert game.step()["generator_loss"] == pytest.approx(expected, abs=1e-6)


# 10. States.

BALANCE = "balance: {sum: {d_loss: 0.5, g_loss: -1}}"
STATES = """
states:
  k: {integral: {of: balance, rate: 0.5, within: [0, 1], initial: 0.25}}
  smooth: {moving_average: {of: d_loss, decay: 0.75}}
  mean_fake: {moving_average: {of: fake, decay: 0.5}}
"""


def test_states_move_at_the_end_of_the_step_from_values_as_last_computed(play):
    game = play([D.replace("{d_loss: 1}", "{d_loss: [1, k]}"), G], values=BALANCE, rest=STATES)
    batch = game.batch()
    logs = game.step()
    d_loss, g_loss = logs["discriminator_loss"] / 0.25, logs["generator_loss"]
    assert logs["k"] == pytest.approx(np.clip(0.25 + 0.5 * (0.5 * d_loss - g_loss), 0, 1), abs=1e-5)
    assert logs["smooth"] == pytest.approx(0.25 * d_loss, abs=1e-5)
    fake = play([D, G]).net("generator", z=batch["z"][1])  # G's draw, the last one
    found = np.array(game.algorithm.states.numbers["mean_fake/value"])
    np.testing.assert_allclose(found, 0.5 * np.mean(fake, 0), atol=1e-6)
    k = logs["k"]
    second = game.step()
    assert second["discriminator_loss"] == pytest.approx(k * second["d_loss"], abs=1e-5)


def test_a_state_stays_where_its_value_was_not_computed(play):
    resting = D.replace("minimise", "when: {every: 2}, minimise")
    game = play([resting, G], rest="states: {smooth: {moving_average: {of: d_loss, decay: 0.5}}}")
    path = [game.step()["smooth"] for _ in range(4)]
    assert path[0] == path[1] != path[2] == path[3]


def test_a_learning_rate_may_be_a_state(play):
    stalls = "states: {rate: {plateau: {of: d_loss, initial: 0.5, factor: 0.1, patience_steps: 1, threshold: 1}}}"
    spec = without_rest(play([D], rest=stalls).spec)
    phase = dataclasses.replace(spec.game.phases[0], optimizer=Part("SGD", {"learning_rate": "rate"}))
    game = Play(dataclasses.replace(spec, game=dataclasses.replace(spec.game, phases=(phase,))))
    rates = [game.step()["rate"] for _ in range(3)]
    assert rates == pytest.approx([0.5, 0.05, 0.005])  # any mean is above the best times 0
    assert float(game.algorithm.phases()[0].optimizer.learning_rate) == pytest.approx(0.005)


def test_ada_follows_the_signs_of_the_logits(play):
    ada = "states: {p: {ada: {of: on_real, target: 0.6, kimg: 0.1, every: 2}}}"
    game = play([D], rest=ada)
    game.algorithm.players["discriminator"].trainable_variables[-1].assign([9.0])  # all logits are positive
    assert [game.step()["p"] for _ in range(4)] == pytest.approx([0, 0.08, 0.08, 0.16])  # 2 steps of 4 images of 100


def test_states_are_in_the_checkpoint(play, tmp_path):
    game = play([D.replace("minimise", "when: {every: 2}, minimise"), G], values=BALANCE, rest=STATES)
    for _ in range(3):
        game.step()
    progress = checkpoint.Progress(3, 0.0, "")
    checkpoint.save(tmp_path / "game.npz", game.algorithm, progress, game.spec.document)
    other = Play(game.spec)
    checkpoint.load(tmp_path / "game.npz", other.algorithm, game.spec.document)
    other.number = 3
    assert other.step() == game.step()
    assert {"states/k/value", "last_losses/discriminator"} <= game.algorithm.state().keys()


# Optimizers, memories, clipping, averages.


def test_phases_may_share_an_optimizer_with_its_moments(play):
    adam = D.replace("SGD: {learning_rate: 0.1}", "Adam: {learning_rate: 0.01}")
    lazy = "lazy: {trains: discriminator, when: {every: 2}, optimizer: discriminator, minimise: {r1: 2}}"
    game = play([adam, lazy], values="r1: {r1: {of: on_real, wrt: image}}")
    first, second = game.algorithm.phases()
    assert first.optimizer is second.optimizer
    for _ in range(4):
        game.step()
    assert int(first.optimizer.iterations) == 6
    assert [float(game.algorithm.counters[name].count) for name in ("lazy", "discriminator")] == [2, 4]
    names = [name for name in game.algorithm.state() if "optimizer" in name]
    assert names and not [name for name in names if name.startswith("lazy")]
    assert not game.algorithm.undivided()[1:]  # it rests; its counter is no pool


def test_weights_are_clipped(play):
    clipped = D.replace("minimise", "weight_clip: {c: 0.05}, minimise")
    game = play([clipped])
    game.step()
    largest = max(float(np.abs(w).max()) for w in game.weights()["discriminator"])
    assert largest == pytest.approx(0.05)


def test_a_pool_is_the_memory_of_its_value(play):
    values = "old: {pool: {of: fake, size: 4, probability: 1}}\non_old: {discriminator: {image: old}}\n"
    values += "d_old: {non_saturating.fake: on_old}"
    game = play([f"discriminator: {{trains: discriminator, minimise: {{d_old: 1}}, {SGD}}}"], values=values)
    first = game.batch()["z"][0]
    game.step()
    pool = game.algorithm.pools["old"]
    np.testing.assert_allclose(np.array(pool.images), game.net("generator", z=first), atol=1e-6)
    assert "old/images" in game.algorithm.state()
    before = np.array(pool.images)
    game.step()
    assert (np.array(pool.images) != before).any()


def test_the_average_counts_the_updates_of_the_phase_that_trains_it(spec_of, monkeypatch):
    words = text([G, D.replace("minimise", "updates: 2, minimise")])
    game = Play(spec_of(words.replace("ema_half_life_images: null", "ema_half_life_images: 10")))
    counted = []
    original = type(game.algorithm).ema_beta
    monkeypatch.setattr(
        type(game.algorithm), "ema_beta", lambda self, steps: counted.append(float(steps)) or original(self, steps)
    )
    game.step()
    game.step()
    assert counted == [1, 2]


# A phase that does not play changes nothing.


@pytest.mark.parametrize("simultaneous", ["false", "true"])
def test_weights_of_a_phase_that_does_not_play_are_not_clipped(play, simultaneous):
    clip = "weight_clip: {c: 0.001, when: before}"
    phases = [D.replace("minimise", f"when: {{above: {{d_loss: 1000}}}}, {clip}, minimise"), G]
    rest = f"simultaneous: {simultaneous}"
    assert play(phases, rest=rest).moved() == {"generator"}
    phases[0] = phases[0].replace("1000", "0")
    game = play(phases, rest=rest)
    game.step()
    largest = max(float(np.abs(w).max()) for w in game.weights()["discriminator"])
    assert 0.001 < largest < 0.1  # clipped, then moved


def test_clipping_waits_until_all_gradients_are_taken_where_they_are_simultaneous(play):
    clipped = D.replace("minimise", "weight_clip: {c: 0.001, when: before}, minimise")
    losses = [play([d, G], rest="simultaneous: true").step() for d in (D, clipped)]
    assert losses[0]["generator_loss"] == losses[1]["generator_loss"]
    assert losses[0]["discriminator_loss"] != losses[1]["discriminator_loss"]


def test_each_update_plays_by_its_own_value(play):
    often = D.replace("minimise", "updates: 4, when: {above: {flag: 0}}, minimise")
    game = play([often, G], values="flag: {mean: z}")
    first = game.algorithm.phases()[0].optimizer
    for _ in range(6):
        z, made = np.array(game.batch()["z"]), int(first.iterations)
        game.step()
        assert int(first.iterations) - made == sum(z[i].mean() > 0 for i in range(4))
    assert game.algorithm.undivided() == [
        "phase 'discriminator' plays by the value 'flag', of which each device has its own"
    ]


def test_class_ids_of_a_resting_phase_are_whole_numbers(play):
    values = """
ids: {categorical: {classes: 3}}
c_loss: {cross_entropy: {of: on_real.features, labels: ids}}
code: encoder
e_loss: {cross_entropy: {of: code, labels: ids}}
"""
    rare = D.replace("{d_loss: 1}", "{d_loss: 1, c_loss: 1}").replace("minimise", "when: {every: 2}, minimise")
    e = f"encoder: {{trains: encoder, when: {{every: 2}}, reuse: [ids], minimise: {{e_loss: 1}}, {SGD}}}"
    game = play([rare, e, G], values=values)
    game.algorithm.compile()
    for number in range(2):
        logs = game.algorithm.train_on_batch(game.batches[number], return_dict=True)
        assert np.isfinite(float(logs["encoder_loss"]))


# Compiled, as `fit` does it.


def test_a_compiled_step_is_the_same(play):
    """A graph with a conditional phase, penalties and states: what it returns is what the eager step returns."""
    phases = [D.replace("{d_loss: 1}", "{d_loss: [1, k], r1: 1}"), G.replace("minimise", "when: {every: 2}, minimise")]
    values = BALANCE + "\nr1: {r1: {of: on_real, wrt: image}}"
    eager, compiled = (play(phases, values=values, rest=STATES) for _ in range(2))
    compiled.algorithm.compile()
    for number in range(4):
        found = compiled.algorithm.train_on_batch(compiled.batches[number], return_dict=True)
        expected = eager.step()
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert float(found[name]) == pytest.approx(value, abs=1e-5), (number, name)
