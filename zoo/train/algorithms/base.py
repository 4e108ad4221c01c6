"""Phases, and the one training step that all algorithms share.

A *phase* is a turn in a step: the networks whose weights it moves, the loss that it lowers, its optimizer, and how many
updates it makes. A subclass of `Algorithm` returns its phases; the step is always this one, in short:

    for phase in self.phases():                              # e.g. discriminator (repeat 5), then generator
        for i in range(phase.repeat):
            loss, extras = phase.loss(batch, i)              # differentiated by phase.variables alone
            phase.optimizer.apply(gradients, phase.variables)
            batch = {**batch, **extras}                      # tensors for later updates and phases
    self.after_step(batch)                                   # moving averages of the weights

A *batch* is everything that a step consumes, by name:

    fields of the data    [data_draws, B, ...]      as the source names them: image, point, label; a and b
    latents and `noise`   [latent_draws, B, ...]    drawn from their priors
    `step_inputs`         [1]                       numbers that follow from the count of steps

Draw i is an independent batch of B examples for one pass. All chance comes with the batch, dropout aside: a step is a
pure function of weights, optimizer state and batch.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.core.registry import Registry
from zoo.nn import autodiff, loss_scale
from zoo.nn.autodiff import Tensor
from zoo.nn.functions_drawing import Pool
from zoo.nn.phases import Batch, Optimizers, Phase, as_numbers, named_variables, seeds
from zoo.nn.replicas import Replicas
from zoo.spec.types import Part
from zoo.train.algorithms.players import Players

ALGORITHMS: Registry[type[Algorithm]] = Registry("algorithm")
LOSS = "loss of the turn"  # beside what a turn hands on
Pending = tuple[Phase, autodiff.Gradient, Tensor | None]  # an update that is still to be applied; whether it is good


class Algorithm(Players):
    """A training algorithm. A subclass states its `roles`, `data_draws` and `latent_draws` and returns its `phases()`.
    Registered in `ALGORITHMS`, its name is a word of the spec language, and the keyword arguments of its constructor
    are those of the section `algorithm`. Those of `Players` come from the section `training`."""

    roles: tuple[str, ...] = ()
    latent_draws: int  # independent batches of each latent that a step uses
    simultaneous: bool = False  # all gradients of a step are taken at the same weights, before any weight moves
    latent_batches: Mapping[str, tuple[int, int]] = {}  # draws of a latent and their size, where they differ from these
    pictures: Mapping[str, str] = {}  # of a game that reads some: the SHA-256 of their pixels, by their places
    noise: Mapping[str, Part] = {}  # priors of what a step draws besides the latents, by name

    # For subclasses to override; only `phases` is needed.

    def phases(self) -> tuple[Phase, ...]:
        """Return the phases of a step, in order.

        Returns:
            The same phases, with the same optimizers, at every call between two of `begin`.

        Raises:
            NotImplementedError: In this base class.
        """
        raise NotImplementedError(f"{type(self).__name__} must say what a step does")

    def step_inputs(self, step: int) -> dict[str, np.ndarray]:
        """Return numbers that follow from the count of steps alone, such as the progress of a fade.

        Args:
            step: The number of the step, from 0.

        Returns:
            float32 [1] each, by the names under which they join the batch of the step.
        """
        return {}

    def begin(self, step: int) -> None:
        """Prepare for a step: an algorithm that grows installs the networks and optimizers of that stage.

        Args:
            step: The number of the step that comes next, from 0.
        """

    def pause(self, step: int) -> int | None:
        """Return the next step before which `begin` must be called again.

        Args:
            step: The number of the present step.

        Returns:
            A later step; None where there is none.
        """
        return None

    def unknown(self, step: int) -> Collection[str]:
        """List what a step may log as NaN, since nothing has computed it yet; what is computed is never NaN there.

        Args:
            step: The count of steps, that one included.

        Returns:
            Names of logged numbers.
        """
        return ()

    def extra_state(self) -> dict[str, keras.Variable]:
        """Return what a checkpoint holds besides networks and optimizers.

        Returns:
            Variables by a name that does not depend on the backend.
        """
        return {}

    def only_logged(self) -> Mapping[str, keras.Variable]:
        """Return the numbers among `extra_state` that are only logged, and NaN until something has computed them.

        Returns:
            Variables by the names that they have there.
        """
        return {}

    def undivided(self) -> list[str]:
        """List what the step does with a whole batch, so that devices with shares of it cannot.

        Returns:
            Clauses, such as "the state 'k' follows the whole batch"; an empty list where devices can share the step.
        """
        pools = [one.name for phase in self.phases() for one in phase.memories if isinstance(one, Pool)]
        return [f"each device would fill the pool '{name}' with images of its own" for name in pools]

    def share_among(self, devices: Replicas) -> None:
        """Make steps on these devices, for which the algorithm was built in their `scope`.

        Args:
            devices: They divide each batch.

        Raises:
            UsageError: The step does what the backend cannot divide.
        """
        devices.check([*self.plans.values()], self.undivided())
        self.shares = devices
        devices.prepare([*self.players.values(), *self.averages.values()])
        self._distribute_strategy = None  # `fit` feeds whole batches

    def compile(self, *, xla: bool = False) -> None:
        """Prepare for `fit`, which asks for one optimizer: an object that stands for those of all phases.

        Args:
            xla: Compile TensorFlow's step by XLA too. A step of JAX is always compiled, one of PyTorch never.
        """
        backend = keras.backend.backend()
        super().compile(jit_compile=backend == "jax" or (xla and backend == "tensorflow"))
        self.optimizer = Optimizers([phase.optimizer for phase in self.phases()])

    def train_step(self, *arguments: Any) -> Any:
        """Make one step as Keras's `fit` asks for it.

        `fit` of JAX passes the values of all variables and wants the new ones back: the same step then runs in a scope
        over these values.

        Args:
            arguments: `(batch,)`; for JAX the state, then `(batch,)`.

        Returns:
            The last loss of each phase, by name; for JAX with the new state.
        """
        if keras.backend.backend() != "jax":
            (data,) = arguments
            return self.shares.run(self.step, as_numbers(data[0], self.pixel_range))
        state, data = arguments
        weights, others = self.trainable_variables, self.non_trainable_variables
        groups = (weights, others, self.optimizer.variables, self.metrics_variables)
        with autodiff.overlay(zip(itertools.chain(*groups), itertools.chain(*state), strict=True)) as scope:
            logs = self.step(as_numbers(data[0], self.pixel_range))
        return logs, tuple([scope.get_current_value(v) for v in variables] for variables in groups)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Make one step of the game.

        Args:
            batch: Everything that the step consumes, see the top of this file.

        Returns:
            The last loss of each phase, `<name>_loss`.
        """
        logs: dict[str, Tensor] = {}
        pending: list[Pending] = []
        for phase in self.phases():
            made = self.turn(phase, batch, pending)
            logs |= {f"{phase.name}_loss": made.pop(LOSS)} if made else {}
            batch = {**batch, **made}
        for update in pending:  # all gradients were taken at the same weights
            self._apply(*update, batch)
        return {**logs, **self.after_step(batch)}

    def turn(self, phase: Phase, batch: Batch, pending: list[Pending]) -> Batch:
        """Make the updates of a phase.

        Args:
            phase: The phase.
            batch: What the step consumes, and what earlier phases handed on.
            pending: Gets the gradients where all are applied at the end of the step.

        Returns:
            What the phase hands on, and under the name `LOSS` its last loss.
        """
        made: Batch = {}
        for i in range(phase.repeat):
            unclipped = [ops.copy(variable) for variable in phase.variables] if self._clips_again(phase) else []
            if phase.before:
                phase.before()
            result = self.gradient(phase, {**batch, **made}, i)
            for variable, old in zip(phase.variables if unclipped else (), unclipped, strict=True):
                variable.assign(old)
            for player in self.players.values():
                result.keep(seeds(player))  # the next pass must draw other dropout masks
            good = self.shares.everywhere(loss_scale.are_finite(result.gradients)) if self.scaled else None
            made = {**made, **self.handed_on(result.extras, good), LOSS: result.value}
            pending.append((phase, result, good))
            if not self.simultaneous:
                self._apply(*pending.pop(), {**batch, **made})
        return made

    def gradient(self, phase: Phase, batch: Batch, i: int) -> autodiff.Gradient:
        """Differentiate the loss of an update by the weights of its phase.

        Args:
            phase: The phase.
            batch: What the step consumes, and what earlier updates handed on.
            i: The number of the update.

        Returns:
            The loss, its gradients, what it hands on and what it assigned, which is not kept yet.
        """
        return loss_scale.scaled_value_and_grad(partial(phase.loss, batch, i), phase.variables, phase.optimizer)

    def _clips_again(self, phase: Phase) -> bool:
        """Return whether weights that were clipped for a gradient are clipped to stay when it is applied, if it is."""
        return phase.before is not None and (self.simultaneous or phase.active is not None)

    def handed_on(self, extras: Batch, good: Tensor | None) -> Batch:
        """Return what an update hands on to the rest of the step.

        Args:
            extras: What its loss returned besides the number.
            good: A scalar, False where the update is skipped since gradients in float16 overflowed; None in float32.

        Returns:
            The tensors by the same names.
        """
        return extras

    def _apply(self, phase: Phase, result: autodiff.Gradient, good: Tensor | None, batch: Batch) -> None:
        """Move the phase's weights, and keep what its passes did to the batch norm statistics of its own networks.

        The statistics of other players are dropped: G's turn does not move D's, nor D's turn G's. Nothing moves where
        gradients in float16 overflowed, but the phase's loss scale.
        """
        active = batch[phase.active][0] > 0 if phase.active else None
        if good is not None:
            active = good if active is None else ops.logical_and(active, good)
        revertible = [] if active is None else [*phase.statistics, *phase.variables, *phase.optimizer.variables]
        before = [ops.copy(variable) for variable in revertible]
        if phase.before and self._clips_again(phase):
            phase.before()
        result.keep(phase.statistics)
        phase.optimizer.apply(self.shares.summands(result.gradients), phase.variables)
        if phase.after:
            phase.after()
        for variable, old in zip(revertible, before, strict=True):
            variable.assign(ops.where(active, ops.convert_to_tensor(variable), old))
        if good is not None:
            loss_scale.adjust(phase.optimizer, good)

    def after_step(self, batch: Batch) -> dict[str, Tensor]:
        """Update the averages of the weights. Batch norm statistics are copied; export measures them again.

        Args:
            batch: What the step consumed, and what its phases handed on.

        Returns:
            Numbers that are logged besides the losses, by name.
        """
        for name, average in self.averages.items():
            beta = self.ema_beta(self._steps_made(name))
            for old, new in zip(average.weights, self.players[name].weights, strict=True):
                old.assign(old + (1.0 - beta) * (new - old) if new.trainable else new)
        return {}

    def _steps_made(self, name: str) -> Tensor:
        """Return how many steps count for the average of a network, this one included."""
        return ops.cast(self.phases()[-1].optimizer.iterations, keras.config.floatx()) / self.phases()[-1].repeat

    def state(self) -> dict[str, keras.Variable]:
        """Return everything that a checkpoint holds.

        Returns:
            Variables by a path that does not depend on the backend: `<network>/<number>_<weight>`,
            `<phase>_optimizer/<number>_<variable>`, and `extra_state`. Networks of packages, which never change, are
            left out.
        """
        self._sync_variables()
        own = {name: player for name, player in self.players.items() if not self.plans[name].given}
        models = {**own, **{f"{name}_ema": model for name, model in self.averages.items()}}
        return {**named_variables(models, self.phases()), **self.extra_state()}
