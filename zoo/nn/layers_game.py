"""A function of a game as a layer of what leaves, see `zoo.spec.game_leaving`. No word of the language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from zoo.nn.autodiff import Tensor
from zoo.nn.calls import Update
from zoo.nn.states import as_value
from zoo.spec.game_plan import Call
from zoo.spec.shapes import Shape


class Function(keras.layers.Layer):
    """Calls a function, with the functions in its arguments.

    Args:
        call: The call.
        reads: What the tensors of the input stand for in it, in order.
        states: The shapes of the states that it reads, which are weights: what leaves has their last numbers.
        given: Those of `reads` that are numbers of the user, [B, 1].
        options: Of every layer.
    """

    def __init__(
        self, call: Call, reads: Sequence[str], states: Mapping[str, Shape], given: Sequence[str], **options: Any
    ) -> None:
        super().__init__(**options)
        self.function, self.reads, self.given = call, tuple(reads), tuple(given)
        self.numbers = {
            name: self.add_weight(shape=shape, initializer="zeros", trainable=False, name=name)
            for name, shape in states.items()
        }

    def call(self, inputs: Tensor | Sequence[Tensor]) -> Tensor:
        """Return what the function makes, [B, ...]."""
        tensors = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        known = dict(zip(self.reads, tensors, strict=True))
        known |= {name: as_value(number) for name, number in self.numbers.items()}
        made = _Once((), _no_network, {}, {}, {}, None, known, given=self.given).result(self.function)
        rank = 2 if self.function.shape is None else 1 + len(self.function.shape)
        if len(made.shape) != rank:
            raise ValueError(f"{self.function.function} makes {len(made.shape)} axes of its inputs, expected {rank}")
        return made


@dataclass
class _Once(Update):
    """A call where some numbers are not the same for all examples: they broadcast as in the training."""

    given: Sequence[str] = ()

    def _arguments(self, call: Call) -> dict[str, Any]:
        before, rank = self.tensors, 1 + len(call.shape or (1,))
        wide = {name: ops.reshape(before[name], (-1, *(1,) * (rank - 1))) for name in self.given if name in before}
        self.tensors = {**before, **wide}
        try:
            return super()._arguments(call)
        finally:
            self.tensors = before


def _no_network(call: Call, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    raise AssertionError(f"{call.name} is no function")
