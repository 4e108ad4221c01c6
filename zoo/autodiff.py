"""Gradients: the only module that knows which backend computes them.

Every function runs inside a `keras.StatelessScope`: variables are read from, and written to, an overlay, and nothing
changes until the caller decides what to keep. So a phase can pass another player's batch norm without moving it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import keras

from zoo.errors import UsageError

Tensor = Any


class Gradient(NamedTuple):
    """What a differentiated call gives: its value, extras by name, gradients, the overlay with its side effects."""

    value: Tensor
    extras: dict[str, Tensor]
    gradients: list[Tensor]
    scope: keras.StatelessScope

    def keep(self, variables: Iterable[keras.Variable]) -> None:
        """Write the call's side effects on `variables` (moving statistics, seeds) back; all others are dropped."""
        for variable in variables:
            new = self.scope.get_current_value(variable)
            if new is not None:
                variable.assign(new)


def overlay(pairs: Iterable[tuple[keras.Variable, Tensor]]) -> keras.StatelessScope:
    """A scope in which each variable has the tensor as its value."""
    return keras.StatelessScope(state_mapping=list(pairs))


def value_and_grad(
    function: Callable[[], tuple[Tensor, dict[str, Tensor]]], variables: Sequence[keras.Variable]
) -> Gradient:
    """Call `function` -> (scalar, extras) and differentiate the scalar by `variables`."""
    if keras.backend.backend() != "tensorflow":
        raise UsageError(f"training runs on the TensorFlow backend, received KERAS_BACKEND={keras.backend.backend()}")
    import tensorflow as tf

    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tensors = [tf.convert_to_tensor(variable.value) for variable in variables]
        for tensor in tensors:
            tape.watch(tensor)
        with overlay(zip(variables, tensors, strict=True)) as scope:
            value, extras = function()
    gradients = tape.gradient(value, tensors, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return Gradient(value, extras, gradients, scope)
