"""The adversarial losses as functions of a game, made from `zoo.nn.losses`: of each loss L four functions,

    L.discriminator {real, fake}    L.generator {fake}    the two losses of a game
    L.real {of}    L.fake {of}                            D's sides apart, for several kinds of fakes

with the arguments of L. `relativistic: pairing` judges real example i and fake example i by the difference of their
logits (Jolicoeur-Martineau 2018; Huang et al. 2024), `average` each logit by its distance to the mean of the others.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any, Literal

from keras import ops

from zoo.core.errors import UsageError
from zoo.core.registry import signature_of
from zoo.nn.autodiff import Tensor
from zoo.nn.functions import Function, Per, averaged, function
from zoo.nn.losses import LOSSES, Adversarial
from zoo.spec.types import Number, Value

Relativistic = Literal["pairing", "average"] | None
_OF_PHASES = ("discriminator_weight",)  # a weight of the term, where phases have terms


def discriminator(
    loss: Adversarial, *, real: Value, fake: Value, relativistic: Relativistic = None, per: Per = "batch"
) -> Tensor:
    """D's loss of real and fake logits"""
    if relativistic == "pairing":
        return averaged(loss.real(real - fake), per)
    if relativistic == "average":
        real, fake = real - ops.mean(fake), fake - ops.mean(real)
    return averaged(loss.real(real), per) + averaged(loss.fake(fake), per)


def generator(
    loss: Adversarial, *, fake: Value, real: Value | None = None, relativistic: Relativistic = None, per: Per = "batch"
) -> Tensor:
    """G's loss of fake logits; with `relativistic` it needs the real ones"""
    if relativistic is None:
        return averaged(loss.deceived(fake), per)
    if real is None:
        raise UsageError("a relativistic loss of G needs `real`")
    if loss.zero_sum:
        return -discriminator(loss, real=real, fake=fake, relativistic=relativistic, per=per)
    return discriminator(loss, real=fake, fake=real, relativistic=relativistic, per=per)  # the sides change places


def real(loss: Adversarial, *, of: Value, per: Per = "batch") -> Tensor:
    """The part of D's loss that sees real logits"""
    return averaged(loss.real(of), per)


def fake(loss: Adversarial, *, of: Value, per: Per = "batch") -> Tensor:
    """The part of D's loss that sees fake logits"""
    return averaged(loss.fake(of), per)


def _of_loss(name: str, make: Callable[..., Adversarial], side: Function) -> Function:
    """Return `side` of the loss that `make` makes, with the arguments of both."""
    own, extra = signature_of(side).parameters.values(), signature_of(make).parameters.values()
    parameters = [p for p in own if p.name != "loss"], [p for p in extra if p.name not in _OF_PHASES]
    shared = [p.replace(annotation=Number) if p.annotation != inspect.Parameter.empty else p for p in parameters[1]]

    def call(**arguments: Any) -> Tensor:
        settings = {p.name: arguments.pop(p.name) for p in shared if p.name in arguments}
        return side(make(**settings), **arguments)

    hints = typing.get_type_hints(side, include_extras=True)
    call.__signature__ = inspect.Signature([*parameters[0], *shared])  # type: ignore[attr-defined]
    call.__annotations__ = {key: hints[key] for key in hints if key != "loss"} | {p.name: Number for p in shared}
    call.__doc__ = f"{(inspect.getdoc(side) or '')}. {inspect.getdoc(make)}"
    return function(f"{name}.{side.__name__}")(call)


for _name, _make in LOSSES.items():
    for _side in (discriminator, generator, real, fake):
        _of_loss(_name, _make, _side)
