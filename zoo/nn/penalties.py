"""Penalties that `unrolled` and `progressive` add to D's loss: functions of a `CriticBatch`, once per update of D.

`PENALTIES` builds them from the arguments of a spec. The formulas are those of `functions_penalties`, by which a game
says the same; here the pass that is differentiated is an own one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from keras import ops

from zoo.core.registry import Registry
from zoo.nn import functions_penalties
from zoo.nn.autodiff import Tensor, input_gradient
from zoo.spec.types import NonNegativeFloat, PositiveFloat


class CriticBatch(NamedTuple):
    """Inputs of a penalty in one update of D: the critic, the real and the fake batch, and their logits."""

    critic: Callable[[Tensor], Tensor]
    real: Tensor  # [B, ...]
    fake: Tensor  # [B, ...]
    real_logits: Tensor
    fake_logits: Tensor
    epsilon: Tensor  # [B, 1] uniform in [0, 1): a number for each example


Penalty = Callable[[CriticBatch], Tensor]
PENALTIES: Registry[Callable[..., Penalty]] = Registry("penalty")


@PENALTIES.register
def gradient_penalty(
    *,
    weight: PositiveFloat = 10.0,
    target: PositiveFloat = 1.0,
    one_sided: bool = False,
    at: Literal["between", "real", "fake"] = "between",
) -> Penalty:
    """Gulrajani et al. 2017, eq. 3: weight * E (||d D(x) / d x||_2 - target)^2 / target^2, x = e real + (1 - e) fake.

    `e` is drawn for each example, the norm is over all of an example. Another `target` than 1 is that of Karras et al.
    2017 for CIFAR-10 (750). `one_sided` ignores slopes below the target (section 5 of the paper found no difference).
    """

    def penalty(batch: CriticBatch) -> Tensor:
        real, fake = batch.real, batch.fake
        epsilon = ops.reshape(batch.epsilon, (-1,) + (1,) * (len(real.shape) - 1))  # [B, 1, ...]
        x = {"between": epsilon * real + (1.0 - epsilon) * fake, "real": real, "fake": fake}[at]
        by_x = derivative(batch.critic, x)
        return weight * functions_penalties.gradient_penalty(of=None, wrt=by_x, target=target, one_sided=one_sided)

    return penalty


@PENALTIES.register
def r1(*, weight: PositiveFloat = 10.0) -> Penalty:
    """Mescheder et al. 2018, eq. 9: weight / 2 * E ||d D(x) / d x||^2 at real x: the squared norm, of the logits."""
    return lambda batch: weight * functions_penalties.r1(of=None, wrt=derivative(batch.critic, batch.real))


@PENALTIES.register
def drift(*, weight: NonNegativeFloat = 0.001) -> Penalty:
    """Karras et al. 2017, appendix A.1: weight * E D(x)^2 of real x alone, so that the critic stays near zero."""
    return lambda batch: weight * ops.mean(ops.square(batch.real_logits))


def derivative(critic: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor]:
    """Return d sum(D(x)) / d x, as penalties take it. D must treat examples independently: no batch norm."""
    return (input_gradient(lambda images: ops.sum(critic(images)), x),)
