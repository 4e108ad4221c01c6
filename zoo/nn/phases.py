"""The phases of a step: whose weights move, by which loss and optimizer, and how often."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from zoo.core.images import from_uint8
from zoo.nn.autodiff import Tensor
from zoo.spec.game_sections import WeightClip
from zoo.spec.types import Optimizer, PositiveInt

Batch = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class PlayerConfig:
    """One side of the game: its optimizer, and how many updates it makes in a step."""

    optimizer: Optimizer
    updates: PositiveInt = 1


@dataclass(frozen=True)
class Phase:
    """One turn of a step: `repeat` updates of the weights of `networks` that lower `loss(batch, i)`.

    Args:
        name: Names the loss in the logs (`<name>_loss`) and the optimizer in checkpoints.
        networks: The networks whose weights move. Those of all others are constants in this phase.
        optimizer: Built for `variables`, in their order.
        loss: Takes the batch and the number of the update, from 0; returns a scalar to minimise, and tensors by name
            that join the batch for the rest of the step.
        repeat: Updates in a step.
        before: Called before each update, such as to clip the weights.
        after: Called after each update.
        active: The name of a number of the batch, [1], 0 or 1: where it is 0 the phase is computed and changes nothing.
        memories: What the phase moves besides weights: pools, counters.
    """

    name: str
    networks: tuple[keras.Model, ...]
    optimizer: keras.optimizers.Optimizer
    loss: Callable[[Batch, int], tuple[Tensor, Batch]]
    repeat: int = 1
    before: Callable[[], None] | None = None
    after: Callable[[], None] | None = None
    active: str | None = None
    memories: tuple[keras.layers.Layer, ...] = ()

    @property
    def variables(self) -> list[keras.Variable]:
        """The trained weights, which the optimizer moves."""
        return [variable for network in self.networks for variable in network.trainable_variables]

    @property
    def statistics(self) -> list[keras.Variable]:
        """Variables that a pass moves: moving statistics of batch norm, vectors of power iterations, memories."""
        return [variable for one in (*self.networks, *self.memories) for variable in one.non_trainable_weights]


class Optimizers:
    """The attributes that `fit` reads of an optimizer, for several at once."""

    built = True

    def __init__(self, optimizers: Sequence[keras.optimizers.Optimizer]) -> None:
        once = {id(optimizer): optimizer for optimizer in optimizers}
        self.variables = [variable for optimizer in once.values() for variable in optimizer.variables]


def seeds(model: keras.Model) -> list[keras.Variable]:
    """Return the states of a network's random number generators (dropout, noise).

    Args:
        model: The network.

    Returns:
        Variables that are no weights.
    """
    weights = {id(v) for v in model.weights}
    return [v for v in model.variables if id(v) not in weights]


def as_numbers(batch: Batch, pixel_range: tuple[float, float]) -> Batch:
    """Map the pixels of a batch to numbers, on the device, to which they come as they are: a quarter of the bytes.

    Args:
        batch: The batch; images of it may be uint8.
        pixel_range: The numbers of black and white.

    Returns:
        The batch with these images in that range, to the last bit as `from_uint8` has them.
    """
    table = from_uint8(np.arange(256, dtype="uint8"), pixel_range).astype(keras.config.floatx())
    pixels = {name for name, x in batch.items() if keras.backend.standardize_dtype(x.dtype) == "uint8"}
    return {name: ops.take(table, ops.cast(x, "int32"), axis=0) if name in pixels else x for name, x in batch.items()}


def named_variables(models: Mapping[str, keras.Model], phases: Sequence[Phase]) -> dict[str, keras.Variable]:
    """Return the variables of networks and optimizers by names that do not depend on the backend.

    Args:
        models: The networks by name.
        phases: The phases; of those that share an optimizer the first one names it.

    Returns:
        Variables by `<network>/<number>_<weight>` and `<phase>_optimizer/<number>_<variable>`.
    """
    named = {f"{owner}/{i:03d}_{v.path.split('/', 1)[-1]}": v for owner, model in models.items()
             for i, v in enumerate([*model.weights, *seeds(model)])}  # fmt: skip
    owners = {id(phase.optimizer): phase for phase in reversed(phases)}
    for phase in reversed(owners.values()):
        for i, variable in enumerate(phase.optimizer.variables):
            named[f"{phase.name}_optimizer/{i:03d}_{variable.path.rsplit('/', 1)[-1]}"] = variable
    return named


def clip_weights(networks: Sequence[keras.Model], clip: WeightClip) -> None:
    """Clip the trained weights of networks to [-c, c].

    Args:
        networks: The networks.
        clip: The bound, and whether it holds for batch norm's gamma and beta too.
    """
    for layer in (layer for network in networks for layer in network.layers):
        if clip.batch_norm or not isinstance(layer, keras.layers.BatchNormalization):
            for variable in layer.trainable_variables:
                variable.assign(ops.clip(variable, -clip.c, clip.c))


class Counter(keras.layers.Layer):
    """Counts the updates of a phase whose optimizer counts those of another one, too."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, trainable=False, dtype=keras.config.floatx())
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=False, autocast=False, name="count")
        self.built = True
