"""Penalties: functions of the derivative of a pass, and of weights.

For `wrt` the game gives them the derivatives d sum(of) / d w, one for each value w that is named there (`path_lengths`
those of sum(of * chance)): of the very pass that `of` names, without a further one.
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from zoo.nn.autodiff import Tensor
from zoo.nn.functions import DIRECTION, Per, averaged, function
from zoo.spec.game_plan import Call
from zoo.spec.shapes import Shape
from zoo.spec.types import NetworkName, Number, Part, Value, Wrt

_ROOT = 1e-12  # the square root has no slope at zero


@function()
def gradient_penalty(
    *, of: Value, wrt: Wrt, target: Number = 1.0, one_sided: bool = False, power: Number = 2.0, per: Per = "batch"
) -> Tensor:
    """Gulrajani et al. 2017, eq. 3: E (||d D(x) / d x||_2 - target)^power / target^power, the norm over an example.

    Another target than 1 is that of Karras et al. 2017 for CIFAR-10 (750). `one_sided` ignores slopes below it. With
    target 0 and power 6 it is the penalty of Tao et al. 2020, which is not divided.
    """
    excess = slopes(wrt) - target  # [B]
    excess = ops.relu(excess) if one_sided else excess
    if isinstance(power, float | int):
        raised = ops.square(excess) if power == 2 else _power(excess, power)
    else:
        raised = ops.power(ops.abs(excess), power)
    scale = 1.0 if isinstance(target, float | int) and target == 0 else target**power
    return averaged(raised, per) / scale


def _power(x: Tensor, power: float) -> Tensor:
    """Return |x| ** power, by multiplication where it is whole: with a slope at 0."""
    if power != int(power):
        return ops.power(ops.abs(x) + _ROOT, power)
    x = ops.abs(x)
    result = x
    for _ in range(int(power) - 1):
        result = result * x
    return result


@function()
def r1(*, of: Value, wrt: Wrt, per: Per = "batch") -> Tensor:
    """Mescheder et al. 2018, eq. 9: E ||d D(x) / d x||^2 / 2 of the logits; at fakes it is R2."""
    return 0.5 * averaged(squared_norms(wrt), per)


def _noise_of_images(call: Call, shape: Shape) -> Part:
    return Part("normal", {"shape": list(shape)})


@function(chance=_noise_of_images)
def path_lengths(*, of: Value, wrt: Wrt, chance: Any = None) -> Tensor:
    """Karras et al. 2019, section 3.2: ||d sum(y * G(w)) / d w|| of each example, y normal / sqrt(height * width); with
    styles [layers, features] the root of the mean over the layers."""
    squares = 0.0
    for derivative in wrt:
        square = ops.sum(ops.square(derivative), axis=-1)  # over the features of w
        squares = squares + ops.mean(ops.reshape(square, (ops.shape(square)[0], -1)), axis=1)
    return ops.sqrt(squares + _ROOT)


def _towards_noise(of: Tensor, chance: Tensor) -> Tensor:
    """Return normal noise / sqrt(height * width)."""
    return ops.reshape(chance, ops.shape(of)) / math.sqrt(math.prod(of.shape[1:-1]))


DIRECTION["path_lengths"] = _towards_noise


@function()
def orthogonal(*, network: NetworkName) -> Tensor:
    """Brock et al. 2018, eq. 3: the sum over all kernels of ||(W W^T) * (1 - I)||^2, W being [units, rest].

    Embeddings are left out, as in the authors' code.
    """
    total = 0.0
    for layer in network.layers:
        if isinstance(layer, keras.layers.Embedding):
            continue
        for variable in layer.trainable_variables:
            if len(variable.shape) > 1:
                units = -2 if isinstance(layer, keras.layers.Conv2DTranspose) else -1
                rows = ops.reshape(ops.moveaxis(ops.convert_to_tensor(variable), units, 0), (variable.shape[units], -1))
                products = ops.matmul(rows, ops.transpose(rows))
                total = total + ops.sum(ops.square(products * (1.0 - ops.eye(rows.shape[0], dtype=rows.dtype))))
    return total


def slopes(derivatives: tuple[Tensor, ...]) -> Tensor:
    """Return the norm of an example over all derivatives [B, ...]: [B]."""
    return ops.sqrt(squared_norms(derivatives) + _ROOT)


def squared_norms(derivatives: tuple[Tensor, ...]) -> Tensor:
    """Return the sum of squares of an example over all derivatives [B, ...]: [B]."""
    total = 0.0
    for derivative in derivatives:
        total = total + ops.sum(ops.square(derivative), axis=tuple(range(1, len(derivative.shape))))
    return total
