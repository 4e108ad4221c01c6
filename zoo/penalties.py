"""What is added to an adversarial loss: pure functions of a critic and of what it was shown.

A penalty of D is made from its knobs and then asked once per update with a `Meeting`; its value is minimised by D.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from keras import ops

from zoo.autodiff import input_gradient
from zoo.registry import Registry
from zoo.spec.types import NonNegativeFloat, PositiveFloat

Tensor = Any


class Meeting(NamedTuple):
    """One update of D: the critic as a function of images, what it was shown [B, ...], and what it said."""

    critic: Callable[[Tensor], Tensor]
    real: Tensor
    fake: Tensor
    real_logits: Tensor
    fake_logits: Tensor
    share: Tensor  # [B, 1] uniform in [0, 1): a number for each example


Penalty = Callable[[Meeting], Tensor]
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
    2017 for CIFAR-10 (750). `one_sided` spares slopes below the target (section 5 of the paper found no difference).
    """

    def penalty(met: Meeting) -> Tensor:
        share = ops.reshape(met.share, (-1,) + (1,) * (len(met.real.shape) - 1))  # [B, 1, ...]
        x = {"between": share * met.real + (1.0 - share) * met.fake, "real": met.real, "fake": met.fake}[at]
        excess = slopes(met.critic, x) - target  # [B]
        excess = ops.relu(excess) if one_sided else excess
        return weight * ops.mean(ops.square(excess)) / target**2

    return penalty


@PENALTIES.register
def r1(*, weight: PositiveFloat = 10.0) -> Penalty:
    """Mescheder et al. 2018, eq. 9: weight / 2 * E ||d D(x) / d x||^2 at real x: the squared norm, of the logits."""
    return lambda met: 0.5 * weight * ops.mean(ops.square(slopes(met.critic, met.real)))


@PENALTIES.register
def drift(*, weight: NonNegativeFloat = 0.001) -> Penalty:
    """Karras et al. 2017, appendix A.1: weight * E D(x)^2 of real x alone, so that the critic stays near zero."""
    return lambda met: weight * ops.mean(ops.square(met.real_logits))


def slopes(critic: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """||d D(x) / d x||_2 of every example [B]. D must treat examples apart: no batch norm."""
    gradient = input_gradient(lambda images: ops.sum(critic(images)), x)
    squares = ops.sum(ops.square(gradient), axis=tuple(range(1, len(x.shape))))
    return ops.sqrt(squares + 1e-12)  # the square root has no slope at zero


def distance(x: Tensor, y: Tensor) -> Tensor:
    """Mean absolute difference: the L1 of cycle consistency and identity (Zhu et al. 2017, eq. 2 and section 5.2)."""
    return ops.mean(ops.abs(x - y))
