"""What a shape rule is: a function from input shapes and arguments to what comes out and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

Shape = tuple[int, ...]
Args = Mapping[str, Any]


class Cost(NamedTuple):
    """What comes out of a layer, and what it takes: trainable weights, multiply-adds for one example."""

    shape: Shape
    parameters: int = 0
    macs: int = 0


class ShapeError(ValueError):
    """The layer cannot take what it is given; the text says why."""


RULES: dict[str, Callable[[Sequence[Shape], Args], Cost]] = {}


def rule(*names: str) -> Callable[[Callable[[Sequence[Shape], Args], Cost]], Callable[[Sequence[Shape], Args], Cost]]:
    """Register one function as the rule of the layers called `names`."""

    def put(function: Callable[[Sequence[Shape], Args], Cost]) -> Callable[[Sequence[Shape], Args], Cost]:
        for name in names:
            if name in RULES:
                raise ValueError(f"layer '{name}' has two rules")
            RULES[name] = function
        return function

    return put


def one(shapes: Sequence[Shape], rank: int | None = None) -> Shape:
    """The only input, of the rank that the layer needs."""
    if len(shapes) != 1:
        raise ShapeError(f"takes one input, received {len(shapes)}")
    if rank is not None and len(shapes[0]) != rank:
        what = {1: "a vector [features]", 2: "a sequence [steps, features]", 3: "an image [height, width, channels]"}[
            rank
        ]
        raise ShapeError(f"takes {what}, received {list(shapes[0])}")
    return shapes[0]


def pair(value: int | Sequence[int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])
