"""Gradients on TensorFlow, JAX and PyTorch: this module and `devices` alone depend on the backend.

Every differentiated function runs inside a `keras.StatelessScope`: variables are read from, and written to, an overlay,
and no variable changes until the caller decides what to keep. So a phase can run another player's batch norm without
moving its statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import keras
from keras.src.backend.common.stateless_scope import get_stateless_scope

from zoo.core.errors import UsageError
from zoo.nn import replicas

Tensor = Any  # of the backend
Function = Callable[[], tuple[Tensor, dict[str, Tensor]]]


class Gradient(NamedTuple):
    """The result of `value_and_grad`: the value, its gradients, and what the call assigned to variables."""

    value: Tensor  # scalar
    extras: dict[str, Tensor]
    gradients: list[Tensor]  # of the shapes of the variables, in their order
    updates: dict[int, Tensor]  # assigned values by id(variable): moving statistics, seeds

    def keep(self, variables: Iterable[keras.Variable]) -> None:
        """Write the call's assignments to `variables` into them; those to all other variables are dropped."""
        for variable in variables:
            if id(variable) in self.updates:
                variable.assign(self.updates[id(variable)])


def overlay(pairs: Iterable[tuple[keras.Variable, Tensor]]) -> keras.StatelessScope:
    """Return a scope in which each variable has the tensor as its value, on top of the scope that is open.

    A plain `StatelessScope` inside another one reads the stored values, not those of the outer scope; this one does.

    Args:
        pairs: Variables with the tensors, of their shapes, that take the place of their values.

    Returns:
        A context manager; its `get_current_value(variable)` gives what was assigned inside, or None.
    """
    outer = get_stateless_scope()
    scope = keras.StatelessScope(state_mapping=list(pairs))
    if outer is not None:
        scope.state_mapping = {**outer.state_mapping, **scope.state_mapping}
    return scope


def value_and_grad(function: Function, variables: Sequence[keras.Variable]) -> Gradient:
    """Call a function and differentiate its scalar by variables. Nested calls give gradients of gradients.

    Args:
        function: Takes nothing; returns (scalar, extras), extras being further tensors by name.
        variables: What to differentiate by; everything else is a constant.

    Returns:
        The value, the extras, a gradient for each variable (zeros where it has no influence), and what the call
        assigned to variables, which is not written to them; see `Gradient.keep`.

    Raises:
        UsageError: For a backend without gradients.
    """
    backend = keras.backend.backend()
    if backend not in _BACKENDS:
        raise UsageError(f"KERAS_BACKEND must be one of {', '.join(_BACKENDS)}, received '{backend}'")
    return _BACKENDS[backend](function, list(variables))


def input_gradient(function: Callable[[Tensor], Tensor], tensor: Tensor) -> Tensor:
    """Return d function(tensor) / d tensor, of the tensor's shape; `function` returns a scalar.

    It can be differentiated again by the weights, as gradient penalties need (Gulrajani et al. 2017, algorithm 1). What
    the call assigns to variables is dropped: no statistics are kept of examples that are neither real nor fake.
    """
    return _INPUT_GRADIENTS[keras.backend.backend()](function, tensor)


def keep_order_of_updates() -> None:
    """Make TensorFlow's compiled step read and move every weight in the order of the code.

    Its graph optimizer drops the edge "read the kernel before it moves" where a longer path has the same effect, and
    then, in another pass, that path: the shape of a result becomes a constant. What is left is a race. It was found in
    the Wasserstein critic, whose gradient by the last kernel needs the shape of the scores alone: in about one step of
    ten a kernel moved before it was read. Without the pass that drops edges, compiled and eager steps agree to 1e-12.
    Other backends have no such pass.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.optimizer.set_experimental_options({"dependency_optimization": False})


def _scalar(function: Callable[[Tensor], Tensor], tensor: Tensor) -> Tensor:
    with overlay(()):
        return function(tensor)


def _call(
    function: Function, variables: list[keras.Variable], tensors: list[Tensor]
) -> tuple[Tensor, Any, dict[int, Tensor]]:
    """Call the function with `tensors` in place of the variables: value, extras, and what it assigned."""
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
    return Gradient(value, extras, replicas.mean(gradients), updates)


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


_BACKENDS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
_INPUT_GRADIENTS = {"tensorflow": _tensorflow_input, "jax": _jax_input, "torch": _torch_input}
