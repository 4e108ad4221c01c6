"""Players, phases, and the one training step that all algorithms share.

A *player* is a network of the spec, known by its role, such as `generator`. A *phase* is a turn in a step: the networks
whose weights it moves, the loss that it lowers, its optimizer, and how many updates it makes. A subclass of `Algorithm`
returns its phases; the step is always this one, in short:

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
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.core.arrays import Array
from zoo.core.registry import Registry
from zoo.nn import autodiff, loss_scale, networks, optimizers
from zoo.nn.autodiff import Tensor
from zoo.nn.batch_norm import measured
from zoo.nn.functions_drawing import Pool
from zoo.nn.phases import Batch, Optimizers, Phase, as_numbers, named_variables, seeds
from zoo.nn.replicas import ONE, Replicas
from zoo.spec.plan import Plan
from zoo.spec.types import Part

DATA_FIELDS = ("image", "point", "label", "a", "b")  # of most sources; a training states those of its own
ALGORITHMS: Registry[type[Algorithm]] = Registry("algorithm")
LOSS = "loss of the turn"  # beside what a turn hands on
Pending = tuple[Phase, autodiff.Gradient, Tensor | None]  # an update that is still to be applied; whether it is good


class Algorithm(keras.Model):
    """A training algorithm. A subclass states its `roles`, `data_draws` and `latent_draws` and returns its `phases()`.
    Registered in `ALGORITHMS`, its name is a word of the spec language, and the keyword arguments of its constructor
    are those of the section `algorithm`. The ones here come from the section `training`.

    Args:
        plans: The networks of the spec by name, which is their role.
        batch_size: Examples of a draw, B.
        averaged: Names of the networks of which a moving average of the weights is kept.
        ema_half_life_images: The average forgets half of what it holds while D is shown so many real images; None: no
            averages.
        fields: Names of the inputs of networks that come from the data; the rest is latent.
        pixel_range: The numbers of black and white.
        taps: Names of tensors that networks return besides their outputs, by network.

    Attributes:
        players: The networks by role.
        averages: The averaged copies, by the role of their network; they are never trained.
    """

    roles: tuple[str, ...] = ()
    data_draws: int  # independent batches of data that a step uses
    latent_draws: int  # independent batches of each latent that a step uses
    simultaneous: bool = False  # all gradients of a step are taken at the same weights, before any weight moves
    latent_batches: Mapping[str, tuple[int, int]] = {}  # draws of a latent and their size, where they differ from these
    noise: Mapping[str, Part] = {}  # priors of what a step draws besides the latents, by name
    shares: Replicas = ONE  # the devices of the training, which share its batches

    def __init__(
        self,
        plans: Mapping[str, Plan],
        *,
        batch_size: int = 1,
        averaged: Sequence[str] = (),
        ema_half_life_images: float | None = None,
        fields: Sequence[str] = DATA_FIELDS,
        pixel_range: tuple[float, float] = (-1.0, 1.0),
        taps: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        super().__init__(name=type(self).__name__.lower())
        autodiff.keep_order_of_updates()
        self.scaled = keras.config.dtype_policy().compute_dtype == "float16"  # each phase then has a loss scale
        self.plans, self.fields, self.pixel_range = dict(plans), frozenset(fields), pixel_range
        self.players = networks.build_all(plans, taps)
        self.batch_size, self.ema_half_life_images = batch_size, ema_half_life_images
        averaged = averaged if ema_half_life_images else ()
        self.averages = {name: networks.build(plans[name], name=f"{name}_ema") for name in averaged}
        for name, average in self.averages.items():
            average.set_weights(self.players[name].get_weights())
            average.trainable = False
        self.built = True

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
        """List what a step logs as NaN, since nothing has computed it yet.

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

    def undivided(self) -> list[str]:
        """List what the step does with a whole batch, so that devices with shares of it cannot.

        Returns:
            Clauses, such as "the state 'k' follows the whole batch"; an empty list where devices can share the step.
        """
        pools = [one.name for phase in self.phases() for one in phase.memories if isinstance(one, Pool)]
        return [f"each device would fill the pool '{name}' with images of its own" for name in pools]

    @property
    def data_batches(self) -> tuple[int, int]:
        """How many batches of how many examples a step reads."""
        return self.data_draws, self.batch_size

    @property
    def step_images(self) -> int:
        """Real images that D is shown in a step, by which a training is counted."""
        return self.batch_size * self.data_draws

    def make_optimizer(
        self, part: Part, *roles: str, states: Mapping[str, keras.Variable] | None = None
    ) -> keras.optimizers.Optimizer:
        """Build an optimizer with its state for the weights of some networks.

        Args:
            part: Its name and arguments, as a spec has them.
            roles: The networks, in the order of the phase.
            states: The states of the game, by name, which may be a learning rate.

        Returns:
            The optimizer; its moments are zero.
        """
        with self.shares.scope():
            optimizer = optimizers.make(part, states)
            optimizer.build([variable for role in roles for variable in self.players[role].trainable_variables])
            if self.scaled:
                loss_scale.add(optimizer)
        return optimizer

    def run(self, role: str, batch: Batch, i: int, **given: Tensor) -> Tensor:
        """Run a network in training mode on one draw of the batch.

        A step may use more draws of the latents than of the data; data then begin again at their first draw.

        Args:
            role: The network.
            batch: The batch of the step, which has the network's inputs by name.
            i: The number of the draw.
            given: Tensors [B, ...] that replace inputs of the batch, such as a fake image.

        Returns:
            The output [B, ...], in Keras's default float type also where the network computes in halves.
        """
        plan = self.plans[role]
        draws = {name: i % self.data_draws if name in self.fields else i for name in plan.inputs}
        inputs = {name: given[name] if name in given else batch[name][draw] for name, draw in draws.items()}
        return ops.cast(self.players[role](inputs, training=True)[plan.output_name], keras.config.floatx())

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

    def ema_beta(self, steps: Any) -> Tensor:
        """Return the share of the old average that remains after a step.

        The half-life is at most a tenth of the images seen so far: a short run must not export its initial noise.

        Args:
            steps: Steps made, this one included, a scalar.

        Returns:
            A scalar in (0, 1).
        """
        images = self.step_images
        half_life = ops.minimum(self.ema_half_life_images, 0.1 * images * steps)
        return ops.power(0.5, images / half_life)

    def exported(self, name: str) -> keras.Model:
        """Return the network whose weights are exported: the average where there is one.

        Args:
            name: The role of the network.

        Returns:
            The network itself, not a copy.
        """
        self._sync_variables()
        return self.averages.get(name, self.players[name])

    def exported_plan(self, name: str) -> Plan:
        """Return the plan of what `exported` returns.

        Args:
            name: The role of the network.

        Returns:
            The plan; an algorithm that grows has one for each stage.
        """
        return self.plans[name]

    def as_exported(self, name: str, batches: list[dict[str, Array]]) -> keras.Model:
        """Return a network, or what leaves under a name, as it would be exported now.

        Args:
            name: The role of the network, or the name of the file.
            batches: Inputs by name [B, ...], to measure the statistics of batch norm.

        Returns:
            `leaving(name)`; where it has batch norm, a copy with measured statistics.
        """
        return measured(*self.leaving(name), batches)

    def leaving(self, name: str) -> tuple[keras.Model, Plan]:
        """Return what leaves under a name: a network, or a value of a game with all that it passes through.

        Args:
            name: The name of its file.

        Returns:
            The network with the weights that are exported, and its plan.
        """
        return self.exported(name), self.exported_plan(name)

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

    def _sync_variables(self) -> None:
        if keras.backend.backend() == "jax":  # between steps, its `fit` keeps the values of variables to itself
            self.jax_state_sync()
