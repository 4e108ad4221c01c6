"""Adversarial losses: pure functions that return scalars to be MINIMISED, each by its own player.

`LOSSES` builds an `Adversarial` from the arguments of a spec: one function for D, one for G. They take logits of any
shape [B, ...], D's raw outputs, and are means over all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from keras import ops

from zoo.core.registry import Registry
from zoo.nn.autodiff import Tensor
from zoo.spec.types import PositiveFloat


class Adversarial(NamedTuple):
    """The two losses of a game, by the loss of each logit.

    In a zero-sum game G's loss is minus D's, up to terms that do not depend on G: the saddle point problem that
    `unrolled` plays.
    """

    real: Callable[[Tensor], Tensor]  # D's of a real logit
    fake: Callable[[Tensor], Tensor]  # D's of a fake logit
    deceived: Callable[[Tensor], Tensor]  # G's of a fake logit
    zero_sum: bool = False

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return D's loss of real and of fake logits, a scalar."""
        return ops.mean(self.real(real)) + ops.mean(self.fake(fake))

    def generator(self, fake: Tensor) -> Tensor:
        """Return G's loss of fake logits, a scalar."""
        return ops.mean(self.deceived(fake))


LOSSES: Registry[Callable[..., Adversarial]] = Registry("loss")


@LOSSES.register
def minimax(*, discriminator_weight: PositiveFloat = 1.0) -> Adversarial:
    """Goodfellow et al. 2014, eq. 1 and algorithm 1: G minimises log(1 - D(G(z))), which saturates while G is poor."""
    return non_saturating(discriminator_weight=discriminator_weight)._replace(
        deceived=lambda x: -ops.softplus(x),  # log(1 - D(G(z)))
        zero_sum=discriminator_weight == 1.0,
    )


@LOSSES.register
def non_saturating(*, discriminator_weight: PositiveFloat = 1.0) -> Adversarial:
    """Goodfellow et al. 2014, section 3: G maximises log D(G(z)). The authors' code weighs D's loss by 0.5."""
    return Adversarial(
        real=lambda x: discriminator_weight * ops.softplus(-x),  # -log D(x)
        fake=lambda x: discriminator_weight * ops.softplus(x),  # -log(1 - D(G(z)))
        deceived=lambda x: ops.softplus(-x),  # -log D(G(z))
    )


@LOSSES.register
def wasserstein() -> Adversarial:
    """Arjovsky et al. 2017, eq. 3 and algorithm 1: the critic maximises E f(x) - E f(G(z)), G maximises E f(G(z)).

    Minus the critic's loss estimates the distance, if something holds the critic's slope: weight_clip, or a penalty.
    """
    return Adversarial(real=lambda x: -x, fake=lambda x: x, deceived=lambda x: -x, zero_sum=True)


@LOSSES.register
def lsgan(*, a: float = 0.0, b: float = 1.0, c: float = 1.0, weight: PositiveFloat = 0.5) -> Adversarial:
    """Mao et al. 2016, eq. 2: D's targets are `a` for fakes and `b` for real ones, G's is `c`.

    The defaults are the authors' code; a = -1, b = 1, c = 0 is Pearson's chi-squared. CycleGAN takes weight 1.
    """
    return Adversarial(
        real=lambda x: weight * ops.square(x - b),
        fake=lambda x: weight * ops.square(x - a),
        deceived=lambda x: weight * ops.square(x - c),
    )


@LOSSES.register
def hinge() -> Adversarial:
    """Miyato et al. 2018, eqs. 16 and 17 (Lim and Ye 2017): D's loss of a logit is 0 beyond the margin of 1."""
    return Adversarial(real=lambda x: ops.relu(1.0 - x), fake=lambda x: ops.relu(1.0 + x), deceived=lambda x: -x)
