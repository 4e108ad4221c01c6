"""Adversarial losses as pure functions of logits. Both results are MINIMISED, each by its own player.

Logits have any shape [B, ...]; every loss is a mean over all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from keras import ops

from zoo.registry import Registry
from zoo.spec.types import PositiveFloat

Tensor = Any


class Adversarial(NamedTuple):
    """A game: what D makes of real and fake logits, what G makes of fake ones. Scalars."""

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]


LOSSES: Registry[Callable[..., Adversarial]] = Registry("loss")


@LOSSES.register
def minimax(*, discriminator_weight: PositiveFloat = 1.0) -> Adversarial:
    """Goodfellow et al. 2014, eq. 1 and algorithm 1: G minimises log(1 - D(G(z))), which saturates while G is poor."""
    return Adversarial(
        discriminator=non_saturating(discriminator_weight=discriminator_weight).discriminator,
        generator=lambda fake: -ops.mean(ops.softplus(fake)),  # log(1 - D(G(z)))
    )


@LOSSES.register
def non_saturating(*, discriminator_weight: PositiveFloat = 1.0) -> Adversarial:
    """Goodfellow et al. 2014, section 3: G maximises log D(G(z)). The authors' code weighs D's loss by 0.5."""
    return Adversarial(
        discriminator=lambda real, fake: (
            discriminator_weight * (ops.mean(ops.softplus(-real)) + ops.mean(ops.softplus(fake)))
        ),  # -log D(x) - log(1 - D(G(z)))
        generator=lambda fake: ops.mean(ops.softplus(-fake)),  # -log D(G(z))
    )
