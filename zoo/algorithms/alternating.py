"""The two-player game of Goodfellow et al. 2014, algorithm 1: D's updates, then G's, on fresh noise each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.algorithms.base import ALGORITHMS, Algorithm, Batch, Phase, Player, Tensor
from zoo.losses import LOSSES
from zoo.spec.plan import Plan
from zoo.spec.types import Loss, construct_arguments


@ALGORITHMS.register
class alternating(Algorithm):  # noqa: N801 - the name is a word of the spec language
    """Phases `discriminator` and `generator`. `simultaneous` takes both gradients at the same weights before either
    moves, as the authors' code does; otherwise G meets the D that has just learned.

    Real and fake examples pass D separately, so that batch norm sees them as two batches (Radford et al. 2015).
    """

    roles = ("generator", "discriminator")

    def __init__(
        self, plans: Mapping[str, Plan], *, loss: Loss, generator: Player, discriminator: Player,
        simultaneous: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(plans, **kwargs)
        function = LOSSES.get(loss.name)
        self.game = function(**construct_arguments(function, loss.args))
        self.simultaneous = simultaneous
        self.data_draws = discriminator.updates
        self.latent_draws = discriminator.updates + generator.updates
        self.made = plans["generator"].output_name  # the name of G's result among D's inputs
        self._phases = (
            Phase("discriminator", self.players["discriminator"], self.make_optimizer("discriminator", discriminator),
                  self.discriminator_loss, discriminator.updates),
            Phase("generator", self.players["generator"], self.make_optimizer("generator", generator),
                  self.generator_loss, generator.updates),
        )  # fmt: skip

    def phases(self) -> tuple[Phase, ...]:
        return self._phases

    def discriminator_loss(self, batch: Batch, i: int) -> tuple[Tensor, Batch]:
        real = self.run("discriminator", batch, i)
        fake = self.run("discriminator", batch, i, **{self.made: self.run("generator", batch, i)})
        return self.game.discriminator(real, fake), {}

    def generator_loss(self, batch: Batch, i: int) -> tuple[Tensor, Batch]:
        draw = self.data_draws + i  # the noise that D has not seen
        fake = self.run("discriminator", batch, i, **{self.made: self.run("generator", batch, draw)})
        return self.game.generator(fake), {}
