"""Gradients: the only module that knows which backend computes.

Every function runs inside a `keras.StatelessScope`: variables are read from, and written to, an overlay, and nothing
changes until the caller decides what to keep. So a phase can pass another player's batch norm without moving it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import keras
from keras.src.backend.common.stateless_scope import get_stateless_scope

from zoo.core.errors import UsageError

Tensor = Any
Function = Callable[[], tuple[Tensor, dict[str, Tensor]]]


class Gradient(NamedTuple):
    """What a differentiated call gives: value, extras by name, gradients, and the values that it gave to variables."""

    value: Tensor
    extras: dict[str, Tensor]
    gradients: list[Tensor]
    updates: dict[int, Tensor]  # by id(variable)

    def keep(self, variables: Iterable[keras.Variable]) -> None:
        """Write the call's side effects on `variables` (moving statistics, seeds) back; all others are dropped."""
        for variable in variables:
            if id(variable) in self.updates:
                variable.assign(self.updates[id(variable)])


def overlay(pairs: Iterable[tuple[keras.Variable, Tensor]]) -> keras.StatelessScope:
    """A scope in which each variable has the tensor as its value, over whatever scope is open.

    Keras's scopes do not look through to the one outside; an inner one would read the stored values.
    """
    outer = get_stateless_scope()
    scope = keras.StatelessScope(state_mapping=list(pairs))
    if outer is not None:
        scope.state_mapping = {**outer.state_mapping, **scope.state_mapping}
    return scope


def value_and_grad(function: Function, variables: Sequence[keras.Variable]) -> Gradient:
    """Call `function` -> (scalar, extras) and differentiate the scalar by `variables`.

    Nested calls give gradients of gradients. Raises UsageError for a backend without gradients.
    """
    backend = keras.backend.backend()
    if backend not in _BACKENDS:
        raise UsageError(f"KERAS_BACKEND must be one of {', '.join(_BACKENDS)}, received '{backend}'")
    return _BACKENDS[backend](function, list(variables))


def input_gradient(function: Callable[[Tensor], Tensor], tensor: Tensor) -> Tensor:
    """d function(tensor) / d tensor, of the tensor's shape; `function` returns a scalar.

    It can be differentiated again by the weights, as gradient penalties need (Gulrajani et al. 2017, algorithm 1). What
    the call does to variables is dropped: no statistics are kept of examples that are neither real nor fake.
    """
    return _INPUT_GRADIENTS[keras.backend.backend()](function, tensor)


def _scalar(function: Callable[[Tensor], Tensor], tensor: Tensor) -> Tensor:
    with overlay(()):
        return function(tensor)


def _call(
    function: Function, variables: list[keras.Variable], tensors: list[Tensor]
) -> tuple[Tensor, Any, dict[int, Tensor]]:
    """The function with `tensors` in place of the variables: value, extras, and what it assigned."""
    with overlay(zip(variables, tensors, strict=True)) as scope:
        before = dict(scope.state_mapping)
        value, extras = function()
    return value, extras, {key: new for key, new in scope.state_mapping.items() if new is not before.get(key)}


def _tensorflow(function: Function, variables: list[keras.Variable]) -> Gradient:
    import tensorflow as tf

    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tensors = [tf.convert_to_tensor(variable.value) for variable in variables]
        for tensor in tensors:
            tape.watch(tensor)
        value, extras, updates = _call(function, variables, tensors)
    gradients = tape.gradient(value, tensors, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return Gradient(value, extras, gradients, updates)


def _jax(function: Function, variables: list[keras.Variable]) -> Gradient:
    import jax

    def pure(tensors: list[Tensor]) -> tuple[Tensor, Any]:
        value, extras, updates = _call(function, variables, tensors)
        return value, (extras, updates)

    (value, (extras, updates)), gradients = jax.value_and_grad(pure, has_aux=True)([v.value for v in variables])
    return Gradient(value, extras, gradients, updates)


def _torch(function: Function, variables: list[keras.Variable]) -> Gradient:
    import torch

    nested = get_stateless_scope() is not None  # inside another differentiated call: keep the graph of the gradients
    with torch.enable_grad():
        tensors = [v.value if v.value.requires_grad else v.value.detach().requires_grad_() for v in variables]
        value, extras, updates = _call(function, variables, tensors)
        gradients = torch.autograd.grad(value, tensors, create_graph=nested, materialize_grads=True)
    if not nested:
        value, extras = value.detach(), {name: tensor.detach() for name, tensor in extras.items()}
        updates = {key: tensor.detach() for key, tensor in updates.items()}
    return Gradient(value, extras, list(gradients), updates)


def _tensorflow_input(function: Callable[[Tensor], Tensor], tensor: Tensor) -> Tensor:
    import tensorflow as tf

    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(tensor)
        value = _scalar(function, tensor)
    return tape.gradient(value, tensor, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def _jax_input(function: Callable[[Tensor], Tensor], tensor: Tensor) -> Tensor:
    import jax

    return jax.grad(lambda x: _scalar(function, x))(tensor)


def _torch_input(function: Callable[[Tensor], Tensor], tensor: Tensor) -> Tensor:
    import torch

    with torch.enable_grad():
        x = tensor if tensor.requires_grad else tensor.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(_scalar(function, x), x, create_graph=True, materialize_grads=True)
    return gradient


def accelerators() -> list[str]:
    """What the backend computes on besides the CPU, such as ['gpu:0']."""
    if keras.backend.backend() == "torch":  # Keras lists no devices there
        import torch

        return [f"gpu:{number}" for number in range(torch.cuda.device_count())]
    return [device for device in keras.distribution.list_devices() if not device.startswith("cpu")]


_BACKENDS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
_INPUT_GRADIENTS = {"tensorflow": _tensorflow_input, "jax": _jax_input, "torch": _torch_input}
