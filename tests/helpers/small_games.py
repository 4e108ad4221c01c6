"""A small game of nets of a few weights, its phases and values as a test writes them, and its steps one by one."""

import dataclasses
import re

import numpy as np
from keras import ops

from zoo.spec.feeds import load_data
from zoo.train import loop

SPEC = """
name: game
title: A game
data: {source: digits}
latent: {z: {normal: {shape: [3]}}}
networks:
  generator:
    inputs: z
    output: image
    layers: [Dense: {units: 64, activation: tanh}, Reshape: {target_shape: [8, 8, 1]}]
  discriminator:
    inputs: image
    output: logits
    layers: [Flatten, {Dense: {units: 4, activation: tanh}, as: features}, Dense: {units: 1}]
  encoder: {inputs: image, output: code, layers: [Flatten, Dense: {units: 3}]}
training: {batch_size: 4, steps: 6, ema_half_life_images: null}
algorithm:
  game:
"""
VALUES = """
    values:
      fake: generator
      on_real: discriminator
      on_fake: {discriminator: {image: fake}}
      d_loss: {non_saturating.discriminator: {real: on_real, fake: on_fake}}
      g_loss: {non_saturating.generator: {fake: on_fake}}
"""
SGD = "optimizer: {SGD: {learning_rate: 0.1}}"
D = f"discriminator: {{trains: discriminator, minimise: {{d_loss: 1}}, {SGD}}}"
G = f"generator: {{trains: generator, minimise: {{g_loss: 1}}, {SGD}}}"


RESTS = {"generator": "{mean: fake}", "discriminator": "{mean: on_real}", "encoder": "{mean: code}"}


def text(phases, values="", rest=""):
    """A spec: the phases, what else stands in the game, and of `values` and those above what these need.

    A network that no phase trains gets a phase `rest`, which `Play` leaves out.
    """
    known = dict(
        line.strip().split(": ", 1) for line in (VALUES.split("values:")[1] + values).splitlines() if line.strip()
    )
    trained = set(re.findall(r"\w+", " ".join(re.findall(r"trains: (\[.*?\]|\w+)", "".join(phases)))))
    needed = set(re.findall(r"\w+", "".join(phases) + rest))
    while more := set(re.findall(r"\w+", " ".join(known[n] for n in needed & known.keys()))) - needed:
        needed |= more
    used = [name for name in RESTS if any(name in known[n] for n in needed & known.keys())]
    resting = {f"rest_{name}": RESTS[name] for name in used if name not in trained}
    needed |= {word for name in resting for word in re.findall(r"\w+", resting[name])}
    if resting:
        terms = ", ".join(f"{name}: 1" for name in resting)
        roles = ", ".join(name.removeprefix("rest_") for name in resting)
        phases = [*phases, f"rest: {{trains: [{roles}], minimise: {{{terms}}}, {SGD}}}"]
    lines = [*_networks(used), "    values:"]
    lines += [f"      {name}: {call}" for name, call in {**known, **resting}.items() if name in needed | resting.keys()]
    lines += ["    phases:", *(f"      {phase}" for phase in phases), *(f"    {x}" for x in rest.strip().splitlines())]
    return "\n".join(lines)


def _networks(used):
    """The lines of SPEC without the networks that are not used."""
    inside = ""
    for line in SPEC.splitlines():
        inside = line.strip().partition(":")[0] if re.match(r"  \w", line) else inside if line.startswith("   ") else ""
        if inside not in RESTS or inside in used:
            yield line


def without_rest(spec):
    phases = tuple(phase for phase in spec.game.phases if phase.name != "rest")
    logged = tuple(name for name in spec.game.logged if not name.startswith("rest_"))
    return dataclasses.replace(spec, game=dataclasses.replace(spec.game, phases=phases, logged=logged))


class Play:
    """A game and its batches; `step()` makes the next step, eagerly, and returns its logs."""

    def __init__(self, spec):
        self.spec = without_rest(spec)
        self.algorithm = loop.make(self.spec)
        self.algorithm.begin(0)
        self.batches = loop.make_batches(spec, self.algorithm, load_data(spec))
        self.number = 0

    def batch(self, number=None):
        batch = self.batches[self.number if number is None else number]
        return {name: ops.convert_to_tensor(x) for name, x in batch.items()}

    def step(self):
        logs = self.algorithm.train_step((self.batch(),))
        self.number += 1
        return {name: float(x) for name, x in logs.items()}

    def weights(self):
        return {role: [np.array(w) for w in player.get_weights()] for role, player in self.algorithm.players.items()}

    def moved(self):
        """Make a step; the roles whose weights it moved."""
        before = self.weights()
        self.step()
        after = self.weights()
        return {r for r in before if any((a != b).any() for a, b in zip(before[r], after[r], strict=True))}

    def net(self, role, **inputs):
        made = self.algorithm.players[role](inputs, training=True)
        return made[next(iter(made))]


def calls_of(play, monkeypatch):
    """Every call of a network in the step: (role, the input called z or image)."""
    calls, kind = [], type(play.algorithm.players["generator"])
    original = kind.call

    def call(self, inputs, training=None, **kwargs):
        calls.append((self.name, np.array(next(iter(inputs.values()))), training))
        return original(self, inputs, training=training, **kwargs)

    monkeypatch.setattr(kind, "call", call)
    return calls
