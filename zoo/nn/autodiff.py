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
    """Return the derivative of a scalar function of a tensor.

    Args:
        function: Returns a scalar.
        tensor: What to differentiate by.

    Returns:
        d function(tensor) / d tensor, of the tensor's shape. It can be differentiated again by the weights, as gradient
        penalties need (Gulrajani et al. 2017, algorithm 1). What the call assigns to variables is dropped: no
        statistics are kept of examples that are neither real nor fake.
    """
    return _INPUT_GRADIENTS[keras.backend.backend()](function, tensor)


class Derivative(NamedTuple):
    """A derivative that `with_derivatives` is asked for: of sum(value * direction) by some of the marked tensors."""

    of: str  # the name of a value
    wrt: tuple[str, ...]  # names of marked tensors
    direction: Callable[[Tensor], Tensor] | None = None  # of the shape of the value; None: ones


Mark = Callable[[str, Tensor], Tensor]
Values = dict[str, Tensor]


def with_derivatives(
    forward: Callable[[Mark], Values], groups: Sequence[Sequence[Derivative]]
) -> tuple[Values, dict[Derivative, tuple[Tensor, ...]]]:
    """Compute values once, and derivatives of them by tensors on the way, to be differentiated again by the weights.

    Args:
        forward: Returns values by name. It passes each tensor that is differentiated by to the function that it is
            given, with a name, and goes on with what that returns.
        groups: The derivatives. Those of one group may be taken together: no value of it depends on what another
            derivative of the group is taken by.

    Returns:
        What `forward` returned, and for each derivative the gradients, of the shapes of the marked tensors; zeros where
        they have no influence. Assignments to variables in `forward` are those of the scope around.
    """
    return _DERIVATIVES[keras.backend.backend()](forward, groups)


def where_true(
    condition: Tensor, action: Callable[[], Values], variables: Sequence[keras.Variable], otherwise: Values
) -> Values:
    """Call `action` if a condition holds, without computing it if not.

    Args:
        condition: A scalar, true or false.
        action: Returns tensors by name; it may assign to `variables` alone.
        variables: What it may assign to.
        otherwise: What is returned if the condition does not hold, with the names, shapes and types of the other case.

    Returns:
        The tensors of one of the two.
    """
    return _CONDITIONALS[keras.backend.backend()](condition, action, list(variables), otherwise)


def either(condition: Tensor, first: Callable[[], Values], second: Callable[[], Values]) -> Values:
    """Call one of two functions that assign to no variable, without computing the other.

    Args:
        condition: A scalar, true or false.
        first: Returns tensors by name, if it holds.
        second: Returns tensors of the same names, shapes and types, if it does not.

    Returns:
        The tensors of one of the two.
    """
    return _CHOICES[keras.backend.backend()](condition, first, second)


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
    found = tape.gradient(value, tensors, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    # That of an embedding is a list of rows, where an id of a batch may occur twice: Keras's optimizers square each,
    # and not their sum.
    gradients = [tf.convert_to_tensor(gradient) for gradient in found]
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


def _tensorflow_derivatives(forward: Callable[[Mark], Values], groups: Sequence[Sequence[Derivative]]) -> Any:
    import tensorflow as tf

    marked: Values = {}
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:

        def mark(name: str, tensor: Tensor) -> Tensor:
            marked[name] = tf.convert_to_tensor(tensor)
            tape.watch(marked[name])
            return marked[name]

        values = forward(mark)
    found = {}
    for derivative in (one for group in groups for one in group):
        of, sources = values[derivative.of], [marked[name] for name in derivative.wrt]
        found[derivative] = tuple(
            tape.gradient(
                of, sources, output_gradients=derivative.direction(of) if derivative.direction else None,
                unconnected_gradients=tf.UnconnectedGradients.ZERO,
            )
        )  # fmt: skip
    return values, found


def _jax_derivatives(forward: Callable[[Mark], Values], groups: Sequence[Sequence[Derivative]]) -> Any:
    import jax

    shapes: dict[str, Any] = {}

    def note(name: str, tensor: Tensor) -> Tensor:
        shapes[name] = jax.ShapeDtypeStruct(tensor.shape, tensor.dtype)
        return tensor

    def look() -> Values:
        with overlay(()):  # what is assigned in a look is dropped
            return forward(note)

    jax.eval_shape(look)
    zeros = {name: jax.numpy.zeros(shape.shape, shape.dtype) for name, shape in shapes.items()}
    targets = sorted({one.of for group in groups for one in group})

    def moved(offsets: Values) -> Any:
        with overlay(()) as scope:
            before = dict(scope.state_mapping)
            values = forward(lambda name, tensor: tensor + offsets[name])
        updates = {key: new for key, new in scope.state_mapping.items() if new is not before.get(key)}
        return {name: values[name] for name in targets}, (values, updates)

    reached, pull, (values, updates) = jax.vjp(moved, zeros, has_aux=True)
    if (around := get_stateless_scope()) is not None:
        around.state_mapping = {**around.state_mapping, **updates}
    found: dict[Derivative, tuple[Tensor, ...]] = {}
    for group in groups:
        directions = {name: jax.numpy.zeros_like(of) for name, of in reached.items()}
        for one in group:
            of = reached[one.of]
            directions[one.of] += one.direction(values[one.of]) if one.direction else jax.numpy.ones_like(of)
        (gradients,) = pull(directions)
        found |= {one: tuple(gradients[name] for name in one.wrt) for one in group}
    return values, found


def _torch_derivatives(forward: Callable[[Mark], Values], groups: Sequence[Sequence[Derivative]]) -> Any:
    import torch

    marked: Values = {}
    found: dict[Derivative, tuple[Tensor, ...]] = {}

    def mark(name: str, tensor: Tensor) -> Tensor:
        marked[name] = tensor if tensor.requires_grad else tensor.detach().requires_grad_()
        return marked[name]

    with torch.enable_grad():
        values = forward(mark)
        for one in (one for group in groups for one in group):
            of, sources = values[one.of], [marked[name] for name in one.wrt]
            direction = one.direction(of) if one.direction else torch.ones_like(of)
            found[one] = torch.autograd.grad(of, sources, direction, create_graph=True, materialize_grads=True)
    return values, found


def _tensorflow_where(
    condition: Tensor, action: Callable[[], Values], variables: list[keras.Variable], otherwise: Values
) -> Values:
    import tensorflow as tf

    return dict(tf.cond(condition, action, lambda: {name: tf.identity(x) for name, x in otherwise.items()}))


def _jax_where(
    condition: Tensor, action: Callable[[], Values], variables: list[keras.Variable], otherwise: Values
) -> Values:
    import jax

    def typed(tensor: Tensor, like: Any) -> Tensor:
        return jax.lax.convert_element_type(tensor, like.dtype)  # both cases have the very same types

    def play(before: list[Tensor]) -> Any:
        with overlay(zip(variables, before, strict=True)) as scope:
            made = action()
        after = [typed(scope.get_current_value(variable), old) for variable, old in zip(variables, before, strict=True)]
        return {name: typed(made[name], x) for name, x in otherwise.items()}, after

    present = [keras.ops.convert_to_tensor(variable) for variable in variables]
    otherwise = {name: jax.numpy.asarray(x) for name, x in otherwise.items()}
    made, after = jax.lax.cond(
        condition, play, lambda before: ({n: typed(x, x) for n, x in otherwise.items()}, before), present
    )
    for variable, tensor in zip(variables, after, strict=True):
        variable.assign(tensor)
    return made


def _torch_where(
    condition: Tensor, action: Callable[[], Values], variables: list[keras.Variable], otherwise: Values
) -> Values:
    return action() if bool(condition) else otherwise


def _tensorflow_either(condition: Tensor, first: Callable[[], Values], second: Callable[[], Values]) -> Values:
    import tensorflow as tf

    return dict(tf.cond(condition, first, second))


def _jax_either(condition: Tensor, first: Callable[[], Values], second: Callable[[], Values]) -> Values:
    import jax

    def arrays(function: Callable[[], Values]) -> Values:
        return {name: jax.numpy.asarray(x) for name, x in function().items()}

    return jax.lax.cond(condition, lambda: arrays(first), lambda: arrays(second))


def _torch_either(condition: Tensor, first: Callable[[], Values], second: Callable[[], Values]) -> Values:
    return first() if bool(condition) else second()


_BACKENDS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
_INPUT_GRADIENTS = {"tensorflow": _tensorflow_input, "jax": _jax_input, "torch": _torch_input}
_DERIVATIVES = {"tensorflow": _tensorflow_derivatives, "jax": _jax_derivatives, "torch": _torch_derivatives}
_CONDITIONALS = {"tensorflow": _tensorflow_where, "jax": _jax_where, "torch": _torch_where}
_CHOICES = {"tensorflow": _tensorflow_either, "jax": _jax_either, "torch": _torch_either}
