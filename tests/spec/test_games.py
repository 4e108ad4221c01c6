"""Broken games: each mistake is reported at its place, with a hint, before anything is built.

broken_games.yaml has them: a row changes one text of a sound game.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from zoo.core.errors import SpecError
from zoo.spec.read import read_spec

NETWORKS = {
    "generator": "{inputs: z, output: image, layers: [Dense: {units: 64}, Reshape: {target_shape: [8, 8, 1]}]}",
    "discriminator": "{inputs: image, output: logits, layers: [Flatten, {Dense: {units: 8}, as: features}, "
    "Dense: {units: 1}]}",
    "normed": "{inputs: image, output: logits, layers: [Flatten, Dense: {units: 8}, BatchNormalization, "
    "Dense: {units: 1}]}",
    "two": "{inputs: image, output: [logits, classes], layers: [Flatten, {Dense: {units: 1}, as: logits}, "
    "{from: image}, Flatten, {Dense: {units: 10}, as: classes}]}",
    "chances": "{inputs: image, output: [logits, chances], layers: [Flatten, {Dense: {units: 10}, as: logits}, "
    "{Softmax: , as: chances}]}",
    "scored": "{inputs: image, output: score, layers: [Flatten, Dense: {units: 1, activation: sigmoid}]}",
    "encoder": "{inputs: image, output: code, layers: [Flatten, Dense: {units: 16}]}",
    "decoder": "{inputs: z, output: image, layers: [Dense: {units: 64}, Reshape: {target_shape: [8, 8, 1]}]}",
    "coded": "{inputs: {code: [16]}, output: image, layers: [Dense: {units: 64}, Reshape: {target_shape: [8, 8, 1]}]}",
    "labelled": "{inputs: [z, label], output: image, layers: [{from: label}, OneHot: {classes: 10}, {as: ids}, "
    "{Concatenate: , from: [z, ids]}, Dense: {units: 64}, Reshape: {target_shape: [8, 8, 1]}]}",
}
PLAYERS = """
  discriminator: {trains: discriminator, minimise: {d_loss: 1}, optimizer: {Adam: {learning_rate: 2e-4}}}
  generator: {trains: generator, minimise: {g_loss: 1}, optimizer: {Adam: {learning_rate: 2e-4}}}
"""
TWO_PLAYERS = (
    """values:
  fake: generator
  on_real: discriminator
  on_fake: {discriminator: {image: fake}}
  d_loss: {hinge.discriminator: {real: on_real, fake: on_fake}}
  g_loss: {hinge.generator: {fake: on_fake}}
phases:"""
    + PLAYERS
)
PENALTY = TWO_PLAYERS.replace("{d_loss: 1}", "{d_loss: 1, r1: 5}").replace(
    "  g_loss:", "  r1: {r1: {of: on_real, wrt: image}}\n  g_loss:"
)
BALANCED = TWO_PLAYERS.replace("{d_loss: 1}", "{d_loss: [-1, k]}") + (
    "states: {k: {integral: {of: d_loss, rate: 0.001, within: [0, 1]}}}\n"
)
AUGMENTED = (
    """values:
  fake: generator
  seen_real: {augmented: {of: image, policy: [flip], probability: 0.5}}
  seen_fake: {augmented: {of: fake, policy: [flip], probability: 0.5}}
  on_real: {discriminator: {image: seen_real}}
  on_fake: {discriminator: {image: seen_fake}}
  d_loss: {hinge.discriminator: {real: on_real, fake: on_fake}}
  g_loss: {hinge.generator: {fake: on_fake}}
phases:"""
    + PLAYERS
)
CLASSES = """values:
  fake: generator
  on_real: two
  on_fake: {two: {image: fake}}
  d_loss: {hinge.discriminator: {real: on_real.logits, fake: on_fake.logits}}
  g_loss: {hinge.generator: {fake: on_fake.logits}}
  right: {cross_entropy: {of: on_real.classes, labels: label}}
phases:
  discriminator: {trains: two, minimise: {d_loss: 1, right: 1}, optimizer: {Adam: {learning_rate: 2e-4}}}
  generator: {trains: generator, minimise: {g_loss: 1}, optimizer: {Adam: {learning_rate: 2e-4}}}
"""
AUTOENCODER = """values:
  code: encoder
  back: {decoder: {z: code}}
  pixel: {l2: {between: [back, image]}}
phases:
  both: {trains: [encoder, decoder], minimise: {pixel: 1}, optimizer: {Adam: {learning_rate: 2e-4}}}
"""
PROBABLE = """values:
  fake: generator
  on_real: chances
  pixel: {l2: {between: [fake, image]}}
  right: {cross_entropy: {of: on_real.logits, labels: label}}
phases:
  classifier: {trains: chances, minimise: {right: 1}, optimizer: {Adam: {learning_rate: 2e-4}}}
  generator: {trains: generator, minimise: {pixel: 1}, optimizer: {Adam: {learning_rate: 2e-4}}}
"""
SCORED = (
    TWO_PLAYERS.replace(": discriminator\n", ": scored\n")
    .replace("{discriminator:", "{scored:")
    .replace("trains: discriminator", "trains: scored")
    .replace("hinge.discriminator", "lsgan.discriminator")
    .replace("hinge.generator", "lsgan.generator")
)
GAMES = {
    "probable": (PROBABLE, "generator chances"),
    "scored": (SCORED, "generator scored"),
    "two": (TWO_PLAYERS, "generator discriminator"),
    "labels": (TWO_PLAYERS.replace(": generator", ": labelled"), "labelled discriminator"),
    "penalty": (PENALTY, "generator discriminator"),
    "normed": (PENALTY.replace(": discriminator", ": normed").replace("{discriminator:", "{normed:"),
               "generator normed"),
    "balanced": (BALANCED, "generator discriminator"),
    "augmented": (AUGMENTED, "generator discriminator"),
    "classes": (CLASSES, "generator two"),
    "autoencoder": (AUTOENCODER, "encoder decoder"),
    "coded": (AUTOENCODER.replace("{decoder: {z: code}}", "coded").replace("decoder", "coded"), "encoder coded"),
}  # fmt: skip

ROWS = yaml.safe_load((Path(__file__).parent / "broken_games.yaml").read_text("utf-8"))


def spec_text(game: str, networks: str) -> str:
    """Return a spec with a game."""
    body = "\n".join(f"  {name}: {NETWORKS[name]}" for name in networks.split())
    indented = "\n".join(f"    {line}" for line in game.strip().splitlines())
    return f"""name: trial
title: A trial
data: {{source: digits, size: 8, channels: 1}}
latent: {{z: {{normal: {{shape: [16]}}}}}}
networks:
{body}
algorithm:
  game:
{indented}
training: {{batch_size: 8, steps: 10, evaluate: null}}
"""


def found(folder: Path, text: str) -> list[str]:
    path = folder / "trial.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(SpecError) as caught:
        read_spec(path)
    return str(caught.value).splitlines()


@pytest.mark.parametrize("name", [name for name in GAMES if name not in ("normed", "coded")])
def test_the_games_that_the_rows_change_are_sound(name: str, tmp_path: Path) -> None:
    path = tmp_path / "trial.yaml"
    path.write_text(spec_text(*GAMES[name]), "utf-8")
    assert read_spec(path).game is not None


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["says"][:60])
def test_a_mistake_in_a_game_is_reported_at_its_place(row: dict[str, str], tmp_path: Path) -> None:
    (game, networks), message = GAMES[row["game"]], row["says"]
    assert row["old"] in game
    text = spec_text(game.replace(row["old"], row["new"], 1), networks)
    before, at, after = text.partition("@")
    lines = found(tmp_path, before + after)
    (line,) = [line for line in lines if message in line] or [f"not found in {lines}"]
    assert message in line
    if at:
        place = f":{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}: algorithm.game"
        assert place in line


def test_what_leaves_can_be_fed_and_has_the_name_of_the_data(tmp_path: Path) -> None:
    text = spec_text(*GAMES["coded"]) + "export: {networks: [coded]}\n"
    line = next(line for line in found(tmp_path, text) if "coded.inputs" in line)
    assert (
        "networks.coded.inputs: 'coded' is exported, but code is not what a user can feed: latents and labels" in line
    )
    (line,) = found(
        tmp_path, spec_text(*GAMES["autoencoder"]).replace("inputs: z, output: image", "inputs: z, output: img")
    )
    assert "networks.decoder.output: decoder makes 'img', and the data's field of the same shape is 'image'" in line


def test_a_network_without_weights_needs_no_phase(tmp_path: Path) -> None:
    text = spec_text(
        AUTOENCODER.replace("z: code}", "z: flat}").replace("  back:", "  flat: plain\n  back:"), "encoder decoder"
    )
    plain = "  plain: {inputs: {code: encoder}, output: flat, layers: [LAYER]}\nalgorithm:"
    path = tmp_path / "trial.yaml"
    path.write_text(text.replace("algorithm:", plain.replace("LAYER", "ReLU")), "utf-8")
    assert read_spec(path).game is not None
    for layer in ("Dense: {units: 16}", "Dropout: {rate: 0.5}"):
        (line, *_) = found(tmp_path, text.replace("algorithm:", plain.replace("LAYER", layer)))
        assert "networks.plain: no phase trains it" in line


def test_there_are_many_broken_games() -> None:
    assert len(ROWS) >= 60
