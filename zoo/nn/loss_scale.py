"""Loss scaling for arithmetic in float16, whose smallest number is 6e-8: gradients below it would be lost.

Micikevicius et al. 2017, section 3.2: the loss is multiplied while it is differentiated, so that the gradients of the
passes in float16 are in its range, and the gradients of the weights, which are float32, are divided again. An update
whose gradients overflowed is skipped and halves the scale; `DOUBLE_AFTER` good ones in a row double it.

A game has a scale for each phase. It is part of its optimizer's variables, hence of every checkpoint. Keras's
LossScaleOptimizer knows of one loss and one optimizer.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import ops

from zoo.nn.autodiff import Function, Gradient, Tensor, value_and_grad

INITIAL, HIGHEST = 2.0**15, 2.0**24
LOWEST = 2.0**-14  # 29 overflows later: it is not the scale that makes the gradients infinite
DOUBLE_AFTER = 2000
VALUE = "unscaled_loss"


def add(optimizer: keras.optimizers.Optimizer) -> None:
    """Give an optimizer the state of a scale: `loss_scale`, and `good_updates` since it last changed.

    Args:
        optimizer: One that is built; the two become its last variables.
    """
    initial = keras.initializers.Constant(INITIAL)
    optimizer.loss_scale = optimizer.add_variable((), initial, dtype="float32", name="loss_scale")
    optimizer.good_updates = optimizer.add_variable((), "zeros", dtype="int32", name="good_updates")


def scaled_value_and_grad(
    function: Function, variables: Sequence[keras.Variable], optimizer: keras.optimizers.Optimizer
) -> Gradient:
    """Do what `value_and_grad` does, with the loss scaled meanwhile where `optimizer` has a scale.

    Args:
        function: Takes nothing; returns (scalar, extras).
        variables: What to differentiate by.
        optimizer: That of the phase; without the state of `add` nothing is scaled.

    Returns:
        Value and gradients without the scale; gradients that overflowed are infinite or NaN. The value is NaN where
        the scale has become so small that it cannot be the reason.
    """
    if not hasattr(optimizer, "loss_scale"):
        return value_and_grad(function, variables)
    scale = ops.convert_to_tensor(optimizer.loss_scale)

    def scaled() -> tuple[Tensor, dict[str, Tensor]]:
        value, extras = function()
        return value * ops.cast(scale, value.dtype), {**extras, VALUE: value}

    result = value_and_grad(scaled, variables)
    value, extras = result.extras[VALUE], {name: x for name, x in result.extras.items() if name != VALUE}
    value = ops.where(scale < LOWEST, float("nan"), value)
    gradients = [gradient / ops.cast(scale, gradient.dtype) for gradient in result.gradients]
    return Gradient(value, extras, gradients, result.updates)


def are_finite(gradients: Sequence[Tensor]) -> Tensor:
    """Look for infinity and NaN.

    Args:
        gradients: Tensors of any shapes, at least one.

    Returns:
        A scalar tensor, True where every number is finite.
    """
    return ops.all(ops.stack([ops.all(ops.isfinite(gradient)) for gradient in gradients]))


def adjust(optimizer: keras.optimizers.Optimizer, good: Tensor) -> None:
    """Move the scale of an optimizer after an update.

    Args:
        optimizer: One with the state of `add`.
        good: A scalar, True where the gradients were finite.
    """
    scale = ops.convert_to_tensor(optimizer.loss_scale)
    count = ops.where(good, ops.convert_to_tensor(optimizer.good_updates) + 1, 0)
    due = count >= DOUBLE_AFTER
    larger = ops.where(due, ops.minimum(2.0 * scale, HIGHEST), scale)
    optimizer.loss_scale.assign(ops.where(good, larger, 0.5 * scale))
    optimizer.good_updates.assign(ops.where(due, ops.zeros_like(count), count))
