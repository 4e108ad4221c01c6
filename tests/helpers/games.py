"""For the tests of algorithms: batches of plain numpy, what moved in a step, and who was asked for what."""

from __future__ import annotations

import numpy as np
from keras import ops

from zoo.data.dataset import Dataset, Domains
from zoo.spec.feeds import load_data, prior_of
from zoo.spec.read import read_spec, spec_file


def batch(spec, algorithm, *, seed=0, at=0):
    """What `fit` hands to step `at` of `algorithm`: random images or points in the data's range, latents and noise."""
    random, size = np.random.RandomState(seed), spec.sections.training.batch_size
    low, high = spec.sections.data.range
    field = "image" if "image" in spec.fields else "point"
    made = {field: random.uniform(low, high, (algorithm.data_draws, size, *spec.fields[field]))}
    for name, part in {**spec.sections.latent, **algorithm.noise}.items():
        drawn = prior_of(part).draw(random, algorithm.latent_draws * size)
        made[name] = drawn.reshape(algorithm.latent_draws, size, *drawn.shape[1:])
    made |= algorithm.step_inputs(at)
    return {name: ops.convert_to_tensor(value.astype("float32")) for name, value in made.items()}


def step(spec, algorithm, *, seed=0, at=0):
    """One training step on `batch(seed)`; the losses as floats."""
    logs = algorithm.train_step((batch(spec, algorithm, seed=seed, at=at),))
    return {name: float(value) for name, value in logs.items()}


def values(algorithm):
    """{owner/layer/variable: array} of all networks: weights, moving statistics, seeds."""
    models = {**algorithm.players, **{f"{name}_ema": model for name, model in algorithm.averages.items()}}
    return {f"{owner}/{v.path}": ops.convert_to_numpy(v) for owner, model in models.items() for v in model.variables}


def images(spec, count=200, *, seed=0, field="image"):
    """A data set of the spec's shape without its files: uint8 images from black to white, no two alike."""
    made = np.random.RandomState(seed).randint(0, 256, (count, *spec.fields[field])).astype("uint8")
    made[0], made[1] = 0, 255
    fields = {name: len(classes) for name, classes in spec.labels.items() if name in spec.fields and name != "label"}
    several = {name: np.arange(count) % classes for name, classes in fields.items()}
    return Dataset(
        "noise", images=made, labels=np.arange(count) % 10, classes=spec.classes, attributes=several,
        captions=spec.captions,
    )  # fmt: skip


def noise(spec):
    """Such a data set of images or of pairs of images; points are computed as the spec says."""
    if "point" in spec.fields:
        return load_data(spec)
    if "a" not in spec.fields:
        return images(spec, 64)
    a, b = (images(spec, 64, field=field, seed=seed) for seed, field in enumerate("ab"))
    return Domains("noise", a, b, paired=True, together=True)


def moved(before, algorithm):
    """Names of the variables that are not what they were."""
    after = values(algorithm)
    assert before.keys() == after.keys()
    return {name for name, old in before.items() if not np.array_equal(old, after[name])}


def names(algorithm, owner, *, kind="trainable"):
    """Names of a player's `trainable` weights, `moving` statistics, or `seeds`."""
    model = algorithm.players[owner]
    trained = {f"{owner}/{v.path}" for v in model.trainable_variables}
    moving = {f"{owner}/{v.path}" for v in model.variables if "moving_" in v.path}
    rest = {f"{owner}/{v.path}" for v in model.variables} - trained - moving
    return {"trainable": trained, "moving": moving, "seeds": rest}[kind]


def watch(algorithm, monkeypatch):
    """Every call of a network from now on, as it comes: (network, inputs as numpy, training)."""
    calls, kind = [], type(next(iter(algorithm.players.values())))
    original = kind.call

    def call(self, inputs, training=None, **kwargs):
        calls.append((self.name, {k: np.array(v) for k, v in inputs.items()}, training))
        return original(self, inputs, training=training, **kwargs)

    monkeypatch.setattr(kind, "call", call)
    return calls


def watch_weights(algorithm, monkeypatch, owner):
    """At every call of `owner` from now on: its weights as they are in that pass."""
    seen, kind = [], type(algorithm.players[owner])
    original = kind.call

    def call(self, *args, **kwargs):
        if self is algorithm.players[owner]:
            seen.append([np.array(ops.convert_to_tensor(v)) for v in self.trainable_variables])
        return original(self, *args, **kwargs)

    monkeypatch.setattr(kind, "call", call)
    return seen


def reader(name):
    """`read(*overrides)` -> the shipped spec `name`."""

    def read(*overrides):
        return read_spec(spec_file(name), overrides)

    return read


def numpy(x):
    """A tensor or variable, also of JAX, as an array."""
    return np.array(ops.convert_to_tensor(x))


def kinds(algorithm, role):
    """The layer classes of a player, in order, without its input."""
    return [type(layer).__name__ for layer in algorithm.players[role].layers[1:]]


def layers(algorithm, *kinds, role=None):
    """The layers of these classes, of one player or of all."""
    players = [algorithm.players[role]] if role else algorithm.players.values()
    return [layer for player in players for layer in player.layers if type(layer).__name__ in kinds]
