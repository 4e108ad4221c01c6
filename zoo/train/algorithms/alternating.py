"""The two-player game that `unrolled` and `progressive` vary: updates of D, then of G, each on noise of its own.

The word `alternating` itself is a game that `zoo.spec.game_words` writes out. Goodfellow et al. 2014, algorithm 1.

With `wasserstein` and `weight_clip` it is algorithm 1 of Arjovsky et al. 2017, with `gradient_penalty` algorithm 1 of
Gulrajani et al. 2017: D is then a critic, which makes several updates in a step.

Latent draws 0 to `data_draws` - 1 are D's, one for each of its updates; those that follow are G's.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from keras import ops

from zoo.nn.autodiff import Tensor
from zoo.nn.losses import LOSSES
from zoo.nn.penalties import PENALTIES, CriticBatch
from zoo.nn.phases import Batch, Phase, PlayerConfig, clip_weights
from zoo.spec.game_sections import BurnIn, WeightClip
from zoo.spec.game_steps import generator_plays
from zoo.spec.plan import Plan
from zoo.spec.types import Loss, Part, PenaltyPart, construct_part
from zoo.train.algorithms.base import Algorithm

GENERATOR_PLAYS = "generator_plays"
EPSILON = "share"  # seeds a random stream: another word would give other numbers


class alternating(Algorithm):  # noqa: N801 - the name is a word of the spec language
    """Phases `discriminator` and `generator`. With `simultaneous` both gradients are taken at the same weights before
    either moves, as the authors' code does; otherwise G's is taken at the D that has just been updated.

    Real and fake examples pass D separately, so that batch norm normalises them as two batches (Radford et al. 2015).
    """

    roles = ("generator", "discriminator")

    def __init__(
        self, plans: Mapping[str, Plan], *, loss: Loss, generator: PlayerConfig, discriminator: PlayerConfig,
        simultaneous: bool = False, penalties: tuple[PenaltyPart, ...] = (), weight_clip: WeightClip | None = None,
        burn_in: BurnIn | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(plans, **kwargs)
        self.game = construct_part(LOSSES, loss)
        self.penalties = [construct_part(PENALTIES, part) for part in penalties]
        self.noise = {EPSILON: Part("uniform", {"shape": [1], "low": 0.0, "high": 1.0})} if penalties else {}
        self.simultaneous, self.weight_clip, self.burn_in = simultaneous, weight_clip, burn_in
        self.data_draws = discriminator.updates
        self.latent_draws = discriminator.updates + generator.updates
        self.example = plans["generator"].output_name  # the input of D that G's output replaces, such as image
        g, d = self.players["generator"], self.players["discriminator"]
        clip = {weight_clip.when: partial(clip_weights, [d], weight_clip)} if weight_clip else {}
        self._phases: tuple[Phase, ...] = (
            Phase("discriminator", (d,), self.make_optimizer(discriminator.optimizer, "discriminator"),
                  self.discriminator_loss, discriminator.updates, before=clip.get("before"), after=clip.get("after")),
            Phase("generator", (g,), self.make_optimizer(generator.optimizer, "generator"),
                  self.generator_loss, generator.updates, active=GENERATOR_PLAYS if burn_in else None),
        )  # fmt: skip

    def phases(self) -> tuple[Phase, ...]:
        return self._phases

    def discriminator_loss(self, batch: Batch, i: int) -> tuple[Tensor, Batch]:
        fake = ops.stop_gradient(self.run("generator", batch, i))
        return self.discriminator_loss_on(batch, i, fake), {}

    def discriminator_loss_on(self, batch: Batch, i: int, fake: Tensor) -> Tensor:
        """Return D's loss, penalties included, on the real examples of draw `i` and on `fake` ones [B, ...]."""
        real_logits, fake_logits = self.run("discriminator", batch, i), self.d_logits(batch, i, fake)
        loss = self.game.discriminator(real_logits, fake_logits)
        if self.penalties:
            real, epsilon = batch[self.example][i], batch[EPSILON][i]
            critic = partial(self.d_logits, batch, i)
            critic_batch = CriticBatch(critic, real, fake, real_logits, fake_logits, epsilon)
            loss = loss + sum(penalty(critic_batch) for penalty in self.penalties)
        return loss

    def generator_loss(self, batch: Batch, i: int) -> tuple[Tensor, Batch]:
        fake = self.run("generator", batch, self.data_draws + i)  # noise that D has not seen
        return self.game.generator(self.d_logits(batch, i, fake)), {}

    def d_logits(self, batch: Batch, i: int, examples: Tensor) -> Tensor:
        """Return D's logits of `examples` [B, ...], with the other inputs of draw `i`, such as labels."""
        return self.run("discriminator", batch, i, **{self.example: examples})

    def step_inputs(self, step: int) -> dict[str, np.ndarray]:
        if self.burn_in is None:
            return {}
        return {GENERATOR_PLAYS: np.array([generator_plays(step, self.burn_in, self.data_draws)], "float32")}
