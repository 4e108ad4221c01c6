"""Weights after further updates, as a differentiable function of those that they start from (Metz et al. 2016).

    theta^{k+1} = theta^k - eta * d L / d theta (theta^k),  theta^0 = theta           eqs. 1 and 2, for SGD

The gradient flows through all of them; the variables themselves, moments and batch norm statistics stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
from keras import ops

from zoo.nn import autodiff, loss_scale, optimizers
from zoo.nn.autodiff import Tensor


def weights_ahead(
    loss: Callable[[int], Tensor],
    variables: Sequence[keras.Variable],
    updates: int,
    *,
    optimizer: keras.optimizers.Optimizer,
    inner: keras.optimizers.Optimizer | None = None,
    kept: Sequence[keras.Variable] = (),
) -> list[Tensor]:
    """Return weights after further updates.

    Args:
        loss: The loss of update k, 0 for the first, a scalar. It is called while the variables stand for the weights
            of that update.
        variables: The weights that the updates move.
        updates: How many there are.
        optimizer: The one that moves these weights; its loss scale is used.
        inner: Makes the updates ahead; by default `optimizer`, with its moments. SGD or Adam.
        kept: Variables that keep what an update assigns to them: the seeds of random layers.

    Returns:
        Tensors in the order of `variables`.

    Raises:
        UsageError: An optimizer whose updates are not known as functions of tensors.
    """
    rule = optimizers.Unrolled(inner or optimizer)
    values: list[Tensor] = [ops.convert_to_tensor(variable) for variable in variables]
    for k in range(updates):
        with autodiff.overlay(zip(variables, values, strict=True)):
            result = loss_scale.scaled_value_and_grad(lambda k=k: (loss(k), {}), variables, optimizer)  # type: ignore[misc]
        result.keep(kept)
        values = rule.step(values, result.gradients)
    return values
