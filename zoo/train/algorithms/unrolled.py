"""Unrolled GANs, Metz, Poole, Pfau, Sohl-Dickstein 2016: G's loss is taken at the D of K updates later.

    theta_D^{k+1} = theta_D^k - eta * d L_D / d theta_D (theta_G, theta_D^k),  theta_D^0 = theta_D        eqs. 1 to 3
    G descends      f_K = -L_D(theta_G, theta_D^K(theta_G, theta_D))                                      eq. 4

The gradient flows through all K updates; D itself then learns from theta_D, which they did not move. To keep the K
updates, or to take theta_D^K as a constant, would be the ordinary GAN with a better D.
"""

from __future__ import annotations

from typing import Any

from zoo.nn import autodiff, optimizers
from zoo.nn.autodiff import Tensor
from zoo.nn.look_ahead import weights_ahead
from zoo.nn.phases import Batch, seeds
from zoo.spec.types import NonNegativeInt, Optimizer
from zoo.train.algorithms.alternating import alternating
from zoo.train.algorithms.base import ALGORITHMS


@ALGORITHMS.register
class unrolled(alternating):  # noqa: N801 - the name is a word of the spec language
    """The two-player game in which G's loss is taken after K = `unrolled_updates` further updates of D.

    `inner_optimizer` makes them: by default D's own, with its moments of this step, as in the paper; another one
    starts from zero moments in every step. All K see the examples of G's turn. In a zero-sum game (`minimax`,
    `wasserstein`) G maximises the whole of D's adversarial loss, real examples included: they too depend on G through
    theta_D^K. Penalties are D's own: they steer the K updates, and G does not maximise them. With
    `unrolled_updates: 0` it is the ordinary GAN.
    """

    def __init__(
        self, *args: Any, unrolled_updates: NonNegativeInt = 10, inner_optimizer: Optimizer | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.unrolled_updates, discriminator = unrolled_updates, self.phases()[0]
        self.inner = discriminator.optimizer if inner_optimizer is None else optimizers.make(inner_optimizer)
        if inner_optimizer is not None:
            self.inner.build(discriminator.variables)  # its zeros are only ever read

    def generator_loss(self, batch: Batch, i: int) -> tuple[Tensor, Batch]:
        if not self.unrolled_updates:
            return super().generator_loss(batch, i)
        draw, variables = i % self.data_draws, self.phases()[0].variables
        fake = self.run("generator", batch, self.data_draws + i)
        with autodiff.overlay(zip(variables, self.look_ahead(batch, draw, fake), strict=True)) as scope:
            if self.game.zero_sum:
                real_logits, fake_logits = self.run("discriminator", batch, draw), self.d_logits(batch, draw, fake)
                loss = -self.game.discriminator(real_logits, fake_logits)
            else:
                loss = self.game.generator(self.d_logits(batch, draw, fake))
        for seed in seeds(self.players["discriminator"]):
            if (moved := scope.get_current_value(seed)) is not None:
                seed.assign(moved)
        return loss, {}

    def look_ahead(self, batch: Batch, i: int, fake: Tensor) -> list[Tensor]:
        """Return theta_D^K as a differentiable function of theta_D and, through `fake`, of theta_G.

        D's own weights, moments and batch norm statistics stay as they are; only the seeds of its dropout move.
        """
        d = self.phases()[0]
        return weights_ahead(
            lambda _: self.discriminator_loss_on(batch, i, fake), d.variables, self.unrolled_updates,
            optimizer=d.optimizer, inner=self.inner, kept=seeds(self.players["discriminator"]),
        )  # fmt: skip
