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
    """A game: what D makes of real and fake logits, what G makes of fake ones. Scalars.

    In a zero-sum game G's loss is minus D's, up to what G cannot move: the saddle point problem that is unrolled.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]
    zero_sum: bool = False


LOSSES: Registry[Callable[..., Adversarial]] = Registry("loss")


@LOSSES.register
def minimax(*, discriminator_weight: PositiveFloat = 1.0) -> Adversarial:
    """Goodfellow et al. 2014, eq. 1 and algorithm 1: G minimises log(1 - D(G(z))), which saturates while G is poor."""
    return Adversarial(
        discriminator=non_saturating(discriminator_weight=discriminator_weight).discriminator,
        generator=lambda fake: -ops.mean(ops.softplus(fake)),  # log(1 - D(G(z)))
        zero_sum=discriminator_weight == 1.0,
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


@LOSSES.register
def wasserstein() -> Adversarial:
    """Arjovsky et al. 2017, eq. 3 and algorithm 1: the critic maximises E f(x) - E f(G(z)), G maximises E f(G(z)).

    Minus the critic's loss estimates the distance, if something holds the critic's slope: weight_clip, or a penalty.
    """
    return Adversarial(
        discriminator=lambda real, fake: ops.mean(fake) - ops.mean(real),
        generator=lambda fake: -ops.mean(fake),
        zero_sum=True,
    )


@LOSSES.register
def lsgan(*, a: float = 0.0, b: float = 1.0, c: float = 1.0, weight: PositiveFloat = 0.5) -> Adversarial:
    """Mao et al. 2016, eq. 2: D's targets are `a` for fakes and `b` for real ones, G's is `c`.

    The defaults are the authors' code; a = -1, b = 1, c = 0 is Pearson's chi-squared. CycleGAN takes weight 1.
    """
    return Adversarial(
        discriminator=lambda real, fake: weight * (ops.mean(ops.square(real - b)) + ops.mean(ops.square(fake - a))),
        generator=lambda fake: weight * ops.mean(ops.square(fake - c)),
    )


@LOSSES.register
def hinge() -> Adversarial:
    """Miyato et al. 2018, eqs. 16 and 17 (Lim and Ye 2017): D stops caring once the margin of 1 is reached."""
    return Adversarial(
        discriminator=lambda real, fake: ops.mean(ops.relu(1.0 - real)) + ops.mean(ops.relu(1.0 + fake)),
        generator=lambda fake: -ops.mean(fake),
    )
