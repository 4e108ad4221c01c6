"""Steps in float16 with what must be true of them, on the backend of the process; run by itself it prints them as JSON.

python half_steps.py FOLDER
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np
import tiny
from keras import ops

from zoo.nn import loss_scale
from zoo.spec.feeds import load_data
from zoo.train import checkpoint, loop

CRITIC = "optimizer: {Adam: {learning_rate: 1e-3, beta_1: 0.5}}"
PENALTY = (
    "algorithm={alternating: {loss: wasserstein, penalties: [gradient_penalty, {r1: {weight: 0.1}}], "
    f"generator: {{{CRITIC}}}, discriminator: {{{CRITIC}}}}}}}"
)
POINTS = (tiny.POINTS, "networks.discriminator.layers.0.Dense.activation=tanh", PENALTY)

# A penalty by second derivatives, a pool, states of both phases, a phase that rests by number, batch norm.
GAME = """
name: game
title: A ring, as a game
data: {source: {ring: {samples: 100}}}
latent: {z: {normal: {shape: [2]}}}
networks:
  generator:
    inputs: z
    output: point
    layers: [Dense: {units: 8}, BatchNormalization: {momentum: 0.9, epsilon: 1e-3}, ReLU, Dense: {units: 2}]
  discriminator:
    inputs: point
    output: logits
    layers: [Dense: {units: 8, activation: tanh}, Dense: {units: 1}]
algorithm:
  game:
    values:
      fake: generator
      old: {pool: {of: fake, size: 8, probability: 0.5}}
      on_real: discriminator
      on_old: {discriminator: {point: old}}
      on_fake: {discriminator: {point: fake}}
      d_loss: {non_saturating.discriminator: {real: on_real, fake: on_old}}
      g_loss: {non_saturating.generator: {fake: on_fake}}
      r1: {r1: {of: on_real, wrt: point}}
    states:
      seen_by_d: {moving_average: {of: d_loss, decay: 0.5}}
      seen_by_g: {moving_average: {of: g_loss, decay: 0.5}}
    phases:
      discriminator:
        trains: discriminator
        minimise: {d_loss: 1, r1: 0.5}
        optimizer: &adam {Adam: {learning_rate: 1e-3}}
      generator: {trains: generator, when: {until: 100}, minimise: {g_loss: 1}, optimizer: *adam}
training: {batch_size: 4, steps: 6}
"""


def made(folder, precision, text, *changes):
    spec = tiny.read(folder, text, *changes, f"training.precision={precision}")
    algorithm = loop.make(spec)
    algorithm.begin(0)
    algorithm.compile()
    return spec, algorithm, loop.make_batches(spec, algorithm, load_data(spec))


def step(algorithm, batches, number=0):
    batch = {name: ops.convert_to_tensor(value) for name, value in batches[number].items()}
    return {name: float(value) for name, value in algorithm.train_on_batch(batch, return_dict=True).items()}


def arrays(algorithm):
    return {name: ops.convert_to_numpy(variable.value) for name, variable in algorithm.state().items()}


def moved(before, after):
    """The owners of what has moved, the state of scales aside."""
    names = {name for name, array in before.items() if not np.array_equal(array, after[name])}
    return sorted({name.split("/")[0] for name in names if "loss_scale" not in name and "good_updates" not in name})


def scales(state):
    return {name.split("_optimizer")[0]: float(array) for name, array in state.items() if name.endswith("loss_scale")}


def put(algorithm, phase, scale):
    """Set the scale of a phase as a resumed run does: through the state, which JAX's `fit` also holds."""
    state = algorithm.state()
    (name,) = [name for name in state if name.startswith(f"{phase}_optimizer") and name.endswith("loss_scale")]
    state[name].assign(scale)


def overflow(folder):
    """D's gradients overflow in one step, and do not in the next ones."""
    _, algorithm, batches = made(folder, "mixed_float16", *POINTS)
    put(algorithm, "discriminator", 2.0**60)
    before = arrays(algorithm)
    logs = step(algorithm, batches)
    after = arrays(algorithm)
    found = {"logs": logs, "moved": moved(before, after), "scales": scales(after)}
    put(algorithm, "discriminator", 2.0**8)
    before = arrays(algorithm)
    found["then"] = [step(algorithm, batches, n) for n in range(1, 1 + loss_scale.DOUBLE_AFTER)]
    after = arrays(algorithm)
    return found | {"then_moved": moved(before, after), "then_scales": scales(after)}


def types(folder):
    """What is kept, and what networks compute in."""
    _, algorithm, _ = made(folder, "mixed_float16", GAME, "training.ema_half_life_images=20")
    kept = {str(variable.dtype) for variable in algorithm.state().values() if "float" in str(variable.dtype)}
    computed = {layer.compute_dtype for model in algorithm.players.values() for layer in model.layers[1:]}
    return {"kept": sorted(kept), "computed": sorted(computed)}


def gradients(folder):
    """D's gradient with penalties in float16, with and without a scale: its distance to that in float32; its loss."""
    flat, types = {}, set()
    for precision, scale in (("float32", None), ("mixed_float16", 2.0**10), ("mixed_float16", 2.0**-26)):
        _, algorithm, batches = made(folder, precision, *POINTS)
        phase = algorithm.phases()[0]
        if scale is not None:
            phase.optimizer.loss_scale.assign(scale)
        batch = {name: ops.convert_to_tensor(value) for name, value in batches[0].items()}
        result = loss_scale.scaled_value_and_grad(lambda: phase.loss(batch, 0), phase.variables, phase.optimizer)  # noqa: B023
        flat[scale] = np.concatenate([ops.convert_to_numpy(g).ravel() for g in result.gradients]).astype("float64")
        types.add(keras.backend.standardize_dtype(result.value.dtype))
    exact = flat.pop(None)
    distances = [float(np.linalg.norm(g - exact) / np.linalg.norm(exact)) for g in flat.values()]
    return {"distances": distances, "loss": sorted(types)}


def game(folder):
    """By the phase whose gradients overflow: what moved, states among it, scales and logs."""
    _, algorithm, batches = made(folder, "mixed_float16", GAME)
    step(algorithm, batches)
    found = {}
    for number, phase in enumerate(("discriminator", "generator"), 1):
        put(algorithm, phase, 2.0**60)
        before = arrays(algorithm)
        logs = step(algorithm, batches, number)
        after = arrays(algorithm)
        states = sorted(name for name in before if name.startswith("states/") and (before[name] != after[name]).any())
        found[phase] = {"moved": moved(before, after), "states": states, "scales": scales(after), "logs": logs}
        put(algorithm, phase, loss_scale.INITIAL)
    return found


def resumed(folder):
    """The state of a scale goes through a checkpoint."""
    spec, algorithm, _ = made(folder, "mixed_float16", *POINTS)
    put(algorithm, "discriminator", 2.0**9)
    checkpoint.save(folder / "one.npz", algorithm, checkpoint.Progress(1, 1.0, ""), spec.document)
    _, again, _ = made(folder, "mixed_float16", *POINTS)
    checkpoint.load(folder / "one.npz", again, spec.document)
    return scales(arrays(again))


def all_of(folder):
    loss_scale.DOUBLE_AFTER = 3
    return {one.__name__: one(folder) for one in (overflow, types, gradients, game, resumed)}


if __name__ == "__main__":
    print(json.dumps(all_of(Path(sys.argv[1]))))
