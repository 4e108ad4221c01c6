"""A shipped spec whose steps are played eagerly on noise of the right shape: what each update was fed and computed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from games import noise, watch
from keras import ops

from zoo.nn.phases import as_numbers
from zoo.spec.read import read_spec, spec_file
from zoo.train import loop


class Played:
    """The spec `name` in batches of `batch`; chance is a function of its seed.

    Attributes:
        spec: The spec.
        algorithm: Its algorithm, with the weights of the last step.
        number: The steps made.
        passes: Of the last step, after `watch`: {phase: [(network, inputs as numpy, training), ...]}.
    """

    def __init__(self, name, *overrides, batch=2):
        self.spec = read_spec(spec_file(name), (f"training.batch_size={batch}", *overrides))
        self.algorithm, self.number = loop.make(self.spec), 0
        self.batches = loop.make_batches(self.spec, self.algorithm, noise(self.spec))
        self.passes = {}
        self.algorithm.begin(0)

    def watch(self, monkeypatch):
        """Keep the passes of every step from now on, by phase."""
        calls = watch(self.algorithm, monkeypatch)

        def spied(phase):
            def loss(batch, i):
                first = len(calls)
                found = phase.loss(batch, i)
                self.passes.setdefault(phase.name, []).extend(calls[first:])
                return found

            return replace(phase, loss=loss)

        phases = tuple(map(spied, self.algorithm.phases()))
        monkeypatch.setattr(self.algorithm, "phases", lambda: phases)
        return self

    def batch(self):
        """The batch of the next step as arrays [draws, B, ...], pixels as the networks see them."""
        drawn = {name: ops.convert_to_tensor(x) for name, x in self.batches[self.number].items()}
        return {name: np.array(x) for name, x in as_numbers(drawn, self.algorithm.pixel_range).items()}

    def step(self):
        """Make the next step; its losses, terms and states as floats."""
        batch = {name: ops.convert_to_tensor(x) for name, x in self.batches[self.number].items()}
        self.passes.clear()
        logs = self.algorithm.train_step((batch,))
        self.number += 1
        return {name: float(x) for name, x in logs.items()}

    def weights(self):
        """{network: its weights, statistics and seeds, as numpy}."""
        return {name: [np.array(w) for w in model.get_weights()] for name, model in self.algorithm.players.items()}

    def net(self, role, **inputs):
        """A pass in training mode: {output: array}; a network of one output gives the array."""
        made = self.algorithm.players[role]({k: ops.convert_to_tensor(x) for k, x in inputs.items()}, training=True)
        found = {name: np.array(x) for name, x in made.items()}
        return next(iter(found.values())) if len(found) == 1 else found

    def kinds(self, role):
        """The layer classes of a network, in order."""
        return [step.layer for step in self.spec.plans[role].steps]


def softplus(x):
    return np.logaddexp(0, x)


def cross_entropy(logits, labels):
    """Mean over the batch, from logits [B, classes] and ids [B]."""
    logits = np.asarray(logits, "float64")
    shifted = logits - logits.max(-1, keepdims=True)
    return float(np.mean(np.log(np.exp(shifted).sum(-1)) - shifted[np.arange(len(labels)), labels]))
