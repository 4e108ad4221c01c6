"""The players of a training: the networks by role, averaged copies of their weights, and what leaves of them.

A *player* is a network of the spec, known by its role, such as `generator`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from zoo.core.arrays import Array
from zoo.nn import autodiff, loss_scale, networks, optimizers
from zoo.nn.autodiff import Tensor
from zoo.nn.batch_norm import measured
from zoo.nn.phases import Batch
from zoo.nn.replicas import ONE, Replicas
from zoo.spec.plan import Plan
from zoo.spec.types import Part

DATA_FIELDS = ("image", "point", "label", "a", "b")  # of most sources; a training states those of its own


class Players(keras.Model):
    """The networks of a training, without a step.

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

    data_draws: int  # independent batches of data that a step uses
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

    def _sync_variables(self) -> None:
        if keras.backend.backend() == "jax":  # between steps, its `fit` keeps the values of variables to itself
            self.jax_state_sync()
