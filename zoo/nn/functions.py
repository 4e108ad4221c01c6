"""The registry of what a value of a game can call besides networks. The functions themselves stand in the files beside
this one: adversarial, distances, penalties, drawing, pure.

A function has keyword-only arguments, and its signature is its schema, see the annotations in `zoo.spec.types`: tensors
are [B, ...], numbers may be tensors. Words of Python have an underscore, `from_`. What the game adds is not part of the
language: `chance`, what a drawing function draws, and `memory`, what a pool remembers.

Losses are means, over all but the batch axis with `per: example`.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable, Mapping
from typing import Any, Literal

from keras import ops

from zoo.core.registry import Registry
from zoo.nn.autodiff import Tensor
from zoo.spec.game_plan import Call
from zoo.spec.shapes import Shape
from zoo.spec.types import Part

Function = Callable[..., Any]
Per = Literal["batch", "example"]
GIVEN = ("chance", "memory")  # arguments that the game adds

FUNCTIONS: Registry[Function] = Registry("function")
CHANCE: dict[str, Callable[[Call, Shape], Part]] = {}  # what drawing functions draw
DIRECTION: dict[str, Callable[..., Tensor]] = {}  # of derivatives that are not those of the sum, from `of` and `chance`


def function(name: str = "", chance: Callable[[Call, Shape], Part] | None = None) -> Callable[[Function], Function]:
    """Register a function of the language; to be used as a decorator.

    Args:
        name: Its name there, where it is not that of the function, such as `abs` or `hinge.real`.
        chance: What it draws in an update: a prior, from its call and the shape of one example of its first argument.

    Returns:
        The decorator.
    """

    def register(made: Function) -> Function:
        made.__name__ = name or made.__name__
        if chance is not None:
            CHANCE[made.__name__] = chance
        return FUNCTIONS.register(made)

    return register


def evaluate(name: str, arguments: Mapping[str, Any]) -> Any:
    """Call a function by the names of the language.

    Args:
        name: The name of the function.
        arguments: Its arguments, evaluated.

    Returns:
        What it returns.
    """
    return FUNCTIONS.get(name)(**{f"{key}_" if keyword.iskeyword(key) else key: x for key, x in arguments.items()})


def averaged(x: Tensor, per: Per) -> Tensor:
    """Return the mean over everything, a scalar, or that of each example, [B]."""
    return ops.mean(x) if per == "batch" else ops.mean(ops.reshape(x, (ops.shape(x)[0], -1)), axis=1)


def like(x: Any, y: Tensor) -> Any:
    """Return numbers for each example, [B] or [B, 1], in a shape that broadcasts with `y` [B, ...]; others as they are.

    A tensor of as many axes as `y` stays as it is.
    """
    if len(getattr(x, "shape", ())) in (0, len(y.shape)):
        return x
    return ops.reshape(x, (*ops.shape(x), *(1,) * (len(y.shape) - len(x.shape))))


def aligned(*values: Any) -> list[Any]:
    """Return values with as many axes as the widest of them has, so that numbers for each example, [B] or [B, 1],
    broadcast over the rest of their examples."""
    widest = max(values, key=lambda x: len(getattr(x, "shape", ())))
    return [like(x, widest) for x in values]
