"""What all training algorithms share: players, phases, and the one `train_step`.

A batch is a dict of tensors [draws, B, ...]: `image` (or `point`, `label`) from the data and every latent by its name.
`draws` is how many independent batches a step uses; draw i belongs to one pass of one phase. The latents come with the
batch, and so does all other chance and every number that follows from the count of steps: a step is a pure function of
weights, optimizer state and batch (dropout aside), on every backend.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from zoo.core.arrays import Array
from zoo.core.registry import Registry
from zoo.nn import autodiff, networks, optimizers
from zoo.nn.batch_norm import averaged_statistics
from zoo.spec.plan import Plan
from zoo.spec.types import Optimizer, Part, PositiveInt

Tensor = Any
Batch = dict[str, Tensor]
DATA_FIELDS = ("image", "point", "label", "a", "b")  # what comes from the data; all else in a batch is latent
ALGORITHMS: Registry[type[Algorithm]] = Registry("algorithm")


@dataclass(frozen=True, kw_only=True)
class PlayerConfig:
    """One side of the game: its optimizer, and how many updates it makes in a step."""

    optimizer: Optimizer
    updates: PositiveInt = 1


@dataclass(frozen=True)
class Phase:
    """One turn: `repeat` updates of the weights of `networks` that lower `loss(batch, i)`.

    The loss returns (scalar, extras); extras are handed forward to the later phases of the step by name.
    `before` and `after` are called around each update, to hold weights where they must be. `active` names a number
    of the batch ([1], 0 or 1): where it is 0 the turn changes nothing.
    """

    name: str
    networks: tuple[keras.Model, ...]
    optimizer: keras.optimizers.Optimizer
    loss: Callable[[Batch, int], tuple[Tensor, Batch]]
    repeat: int = 1
    before: Callable[[], None] | None = None
    after: Callable[[], None] | None = None
    active: str | None = None

    @property
    def variables(self) -> list[keras.Variable]:
        return [variable for network in self.networks for variable in network.trainable_variables]

    @property
    def statistics(self) -> list[keras.Variable]:
        """What a pass moves besides: batch norm's averages, power iterations."""
        return [variable for network in self.networks for variable in network.non_trainable_weights]


class Algorithm(keras.Model):
    """The base of all algorithms. A subclass names its `roles` and returns its `phases()`; the step is always this one.

    `averaged` names the networks of which a moving average is kept, which forgets half in `ema_half_life_images`.
    """

    roles: ClassVar[tuple[str, ...]] = ()
    data_draws: int  # independent batches of data that a step uses
    latent_draws: int  # independent batches of each latent that a step uses
    simultaneous: bool = False
    noise: Mapping[str, Part] = {}  # priors of what a step draws besides the latents, by name

    def __init__(
        self,
        plans: Mapping[str, Plan],
        *,
        batch_size: int = 1,
        averaged: Sequence[str] = (),
        ema_half_life_images: float | None = None,
    ) -> None:
        super().__init__(name=type(self).__name__.lower())
        self.plans = dict(plans)
        self.players = networks.build_all(plans)
        self.batch_size, self.ema_half_life_images = batch_size, ema_half_life_images
        averaged = averaged if ema_half_life_images else ()
        self.averages = {name: networks.build(plans[name], name=f"{name}_ema") for name in averaged}
        for name, average in self.averages.items():
            average.set_weights(self.players[name].get_weights())
            average.trainable = False
        self.built = True

    def phases(self) -> tuple[Phase, ...]:
        """The turns of a step, in order."""
        raise NotImplementedError(f"{type(self).__name__} must say what a step does")

    def step_inputs(self, step: int) -> dict[str, np.ndarray]:
        """Numbers that follow from the count of steps alone, float32 [1] each: they join the batch of step `step`."""
        return {}

    def begin(self, step: int) -> None:
        """Make ready for step `step`: an algorithm that grows has the networks and optimizers of that stage now."""

    def pause(self, step: int) -> int | None:
        """The first step after `step` before which `begin` must be called again; None: never."""
        return None

    def make_optimizer(self, part: Part, *roles: str) -> keras.optimizers.Optimizer:
        """The optimizer that a player names, with its state for the weights of these networks."""
        optimizer = optimizers.make(part)
        optimizer.build([variable for role in roles for variable in self.players[role].trainable_variables])
        return optimizer

    def run(self, role: str, batch: Batch, i: int, **given: Tensor) -> Tensor:
        """Network `role` in training mode on draw `i`; `given` replaces inputs of the batch, such as a fake image.

        A step may use more draws of the latents than of the data; labels then begin again at the first draw.
        """
        plan = self.plans[role]
        draws = {name: i % self.data_draws if name in DATA_FIELDS else i for name in plan.inputs}
        inputs = {name: given[name] if name in given else batch[name][draw] for name, draw in draws.items()}
        return ops.cast(self.players[role](inputs, training=True)[plan.output_name], keras.config.floatx())

    def compile(self, *, xla: bool = False) -> None:
        """Keras's `compile`: the one optimizer that `fit` asks for stands for those of all players.

        `xla` compiles TensorFlow's step further; a step of JAX is always compiled, one of PyTorch never.
        """
        backend = keras.backend.backend()
        super().compile(jit_compile=backend == "jax" or (xla and backend == "tensorflow"))
        self.optimizer = _Optimizers([phase.optimizer for phase in self.phases()])

    def train_step(self, *arguments: Any) -> Any:
        """One step on `(batch, ...)`, as `fit` hands it over. Returns the last loss of each phase.

        JAX's `fit` passes all state through the step and wants it back: the same step runs in a scope over that state.
        """
        if keras.backend.backend() != "jax":
            (data,) = arguments
            return self.step(data[0])
        state, data = arguments
        weights, others = self.trainable_variables, self.non_trainable_variables
        owners = (weights, others, self.optimizer.variables, self.metrics_variables)
        with autodiff.overlay(zip(itertools.chain(*owners), itertools.chain(*state), strict=True)) as scope:
            logs = self.step(data[0])
        return logs, tuple([scope.get_current_value(v) for v in variables] for variables in owners)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One step of the game. Returns the last loss of each phase."""
        logs: dict[str, Tensor] = {}
        waiting: list[tuple[Phase, autodiff.Gradient]] = []
        for phase in self.phases():
            for i in range(phase.repeat):
                if phase.before:
                    phase.before()
                result = autodiff.value_and_grad(partial(phase.loss, batch, i), phase.variables)
                for player in self.players.values():
                    result.keep(seeds(player))  # the next pass must draw other dropout masks
                logs[f"{phase.name}_loss"] = result.value
                batch = {**batch, **result.extras}
                waiting.append((phase, result))
                if not self.simultaneous:
                    self._apply(*waiting.pop(), batch)
        for phase, result in waiting:  # all gradients were taken at the same weights
            self._apply(phase, result, batch)
        self.after_step()
        return logs

    def _apply(self, phase: Phase, result: autodiff.Gradient, batch: Batch) -> None:
        """Move the phase's weights, and keep what its passes did to its own networks' batch norm statistics.

        Those of the other players are dropped: G's turn does not move D's, nor D's turn G's.
        """
        plays = batch[phase.active][0] > 0 if phase.active else None
        touched = [] if plays is None else [*phase.statistics, *phase.variables, *phase.optimizer.variables]
        before = [ops.copy(variable) for variable in touched]
        result.keep(phase.statistics)
        phase.optimizer.apply(result.gradients, phase.variables)
        if phase.after:
            phase.after()
        for variable, old in zip(touched, before, strict=True):
            variable.assign(ops.where(plays, ops.convert_to_tensor(variable), old))

    def after_step(self) -> None:
        """EMA of the weights; batch norm statistics are copied, export measures them again."""
        last = self.phases()[-1]
        beta = self.ema_beta(ops.cast(last.optimizer.iterations, "float32") / last.repeat) if self.averages else 1.0
        for name, average in self.averages.items():
            for old, new in zip(average.weights, self.players[name].weights, strict=True):
                old.assign(old + (1.0 - beta) * (new - old) if new.trainable else new)

    def ema_beta(self, steps: Any) -> Tensor:
        """The share of the old average that stays at the step that makes `steps` of them.

        The half-life is at most a tenth of the images seen so far: a short run must not export its initial noise.
        """
        images = self.batch_size * self.data_draws  # real ones, shown to D in a step
        half_life = ops.minimum(self.ema_half_life_images, 0.1 * images * steps)
        return ops.power(0.5, images / half_life)

    def exported(self, name: str) -> keras.Model:
        """The network whose weights leave the zoo: the average where there is one."""
        self._settle()
        return self.averages.get(name, self.players[name])

    def exported_plan(self, name: str) -> Plan:
        """The plan of what `exported` returns."""
        return self.plans[name]

    def as_exported(self, name: str, batches: list[dict[str, Array]]) -> keras.Model:
        """The network `name` as it would leave now.

        Where there is batch norm, it is a copy whose statistics are measured on `batches` of inputs.
        """
        network = self.exported(name)
        if not any(isinstance(layer, keras.layers.BatchNormalization) for layer in network.layers):
            return network
        copy = networks.build(self.exported_plan(name))
        copy.set_weights(network.get_weights())
        for seed in seeds(copy):  # dropout, the same for the same weights
            seed.assign(keras.ops.zeros_like(seed))
        averaged_statistics(copy, batches)
        return copy

    def extra_state(self) -> dict[str, keras.Variable]:
        """What a checkpoint holds besides networks and optimizers, by name."""
        return {}

    def state(self) -> dict[str, keras.Variable]:
        """Everything that a checkpoint holds, by a path that does not depend on the backend."""
        self._settle()
        models = {**self.players, **{f"{name}_ema": model for name, model in self.averages.items()}}
        named = {f"{owner}/{i:03d}_{v.path.split('/', 1)[-1]}": v for owner, model in models.items()
                 for i, v in enumerate([*model.weights, *seeds(model)])}  # fmt: skip
        for phase in self.phases():
            for i, variable in enumerate(phase.optimizer.variables):
                named[f"{phase.name}_optimizer/{i:03d}_{variable.path.rsplit('/', 1)[-1]}"] = variable
        return {**named, **self.extra_state()}

    def _settle(self) -> None:
        """JAX's `fit` keeps all state to itself between steps: ask it to fill the variables before they are read."""
        if keras.backend.backend() == "jax":
            self.jax_state_sync()


class _Optimizers:
    """What `fit` asks of an optimizer, answered for several."""

    built = True

    def __init__(self, optimizers: Sequence[keras.optimizers.Optimizer]) -> None:
        self.variables = [variable for optimizer in optimizers for variable in optimizer.variables]


def seeds(model: keras.Model) -> list[keras.Variable]:
    """The states of a network's random number generators (dropout, noise)."""
    weights = {id(v) for v in model.weights}
    return [v for v in model.variables if id(v) not in weights]
