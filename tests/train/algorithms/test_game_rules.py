"""Rules of a game that its steps show: what is handed on and logged, what is computed once, what a term costs."""

import math

import numpy as np
import pytest
from PIL import Image
from small_games import SGD, D, Play, calls_of

from zoo.core.errors import TrainingError
from zoo.spec.game_text import describe_game, game_text
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


STYLE = f"""
name: style
title: Features of one picture
data: {{source: digits}}
latent: {{z: {{normal: {{shape: [3]}}}}}}
networks:
  generator: {{inputs: z, output: image, layers: [Dense: {{units: 64}}, Reshape: {{target_shape: [8, 8, 1]}}]}}
  seer:
    frozen: true
    inputs: image
    output: features
    layers: [Flatten, {{Dense: {{units: 4}}, as: first}}, ReLU, Dense: {{units: 2}}]
training: {{batch_size: 4, steps: 6, ema_half_life_images: null}}
algorithm:
  game:
    values:
      fake: generator
      picture: {{picture: {{path: PATH, size: 8, channels: 1}}}}
      wanted: {{seer: {{image: picture}}}}
      faint: {{sum: {{wanted: 0.5}}}}
      seen: {{seer: {{image: fake}}}}
      near: {{l2: {{between: [seen, faint]}}}}
      alike: {{l2: {{between: [seen.first, wanted.first]}}}}
    phases:
      generator: {{trains: generator, minimise: {{near: 1, alike: 2}}, {SGD}}}
"""


def test_what_depends_on_nothing_that_changes_is_computed_once(spec_of, tmp_path, monkeypatch):
    drawn = np.random.RandomState(0).randint(0, 256, (8, 8)).astype("uint8")
    Image.fromarray(drawn).save(tmp_path / "mosaic.png")
    spec = spec_of(STYLE.replace("PATH", str(tmp_path / "mosaic.png")))
    game = Play(spec)
    calls = calls_of(game, monkeypatch)
    logs = [game.step() for _ in range(3)]
    assert [role for role, *_ in calls] == ["generator", "seer"] * 3
    kernels = [np.array(w) for w in game.algorithm.players["seer"].get_weights()]
    pixels = (drawn.astype("float32") / 127.5 - 1).reshape(1, 64)
    wanted = np.maximum(pixels @ kernels[0] + kernels[1], 0) @ kernels[2] + kernels[3]
    fake = game.net("generator", z=game.batch(3)["z"][0])
    seen = np.array(game.net("seer", image=fake))
    assert game.step()["near"] == pytest.approx(((seen - 0.5 * wanted) ** 2).mean(), rel=1e-4)
    assert logs[1]["near"] != logs[2]["near"]
    text = " ".join(game_text(describe_game(spec.game, spec.plans, 4)).split())
    assert "wanted = seer(image=picture) is computed once per run" in text and "generator 1 pass, seer 1" in text
