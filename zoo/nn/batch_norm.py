"""Batch norm at inference is an affine map: it is folded into the layer before it, so that no artifact contains one.

gamma * (W x + b - mean) / sqrt(var + epsilon) + beta  =  (s W) x + (s (b - mean) + beta)
s = gamma / sqrt(var + epsilon)
"""

from __future__ import annotations

import dataclasses

import keras
import numpy as np

from zoo.core.arrays import Array
from zoo.nn import networks
from zoo.spec.plan import LayerCall, Plan

Affine = tuple[Array, Array]
_LINEAR = ("Dense", "Conv2D", "Conv2DTranspose")
# of the kernel: Keras keeps (h, w, out, in) for the transposed convolution
_OUTPUT_AXIS = {"Dense": -1, "Conv2D": -1, "Conv2DTranspose": -2}


def averaged_statistics(network: keras.Model, batches: list[dict[str, Array]]) -> None:
    """Replace the moving statistics of every batch norm by their means over `batches` of inputs, in training mode.

    The moving averages of training belong to weights that were moving (and to none at all for averaged weights); these
    belong to the weights at hand.
    """
    norms = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    if not norms or not batches:
        return
    momenta = [norm.momentum for norm in norms]
    totals = [[np.zeros(norm.moving_mean.shape), np.zeros(norm.moving_variance.shape)] for norm in norms]
    try:
        for norm in norms:
            norm.momentum = 0.0  # moving = this batch
        for batch in batches:
            network(batch, training=True)
            for norm, total in zip(norms, totals, strict=True):
                total[0] += keras.ops.convert_to_numpy(norm.moving_mean.value)
                total[1] += keras.ops.convert_to_numpy(norm.moving_variance.value)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
    for norm, (mean, variance) in zip(norms, totals, strict=True):
        norm.moving_mean.assign(mean / len(batches))
        norm.moving_variance.assign(variance / len(batches))


def folded(plan: Plan, network: keras.Model, layers: dict[str, keras.layers.Layer] | None = None) -> keras.Model:
    """A network that computes what `network` computes at inference, without batch norm. Weights in float32.

    `layers`, by name, stand in the place of those of the plan, with weights of the same shapes.
    """
    steps = {step.output: step for step in plan.steps}
    weights = {step.output: _weights(network, step) for step in plan.steps}
    for step in plan.steps:
        if step.layer == "BatchNormalization":
            scale, shift = _affine(step, network)
            linear = _linear_before(step, plan)
            if linear is None:
                axis = step.args.get("axis", -1)
                shape = [1] * len(step.cost.shape)
                shape[axis if axis < 0 else axis - 1] = -1
                args = {"scale": scale.reshape(shape).tolist(), "offset": shift.reshape(shape).tolist()}
                steps[step.output] = dataclasses.replace(step, layer="Rescaling", args=args)
            else:
                steps[linear.output] = dataclasses.replace(
                    steps[linear.output], args={**steps[linear.output].args, "use_bias": True}
                )
                weights[linear.output] = _merged(linear, weights[linear.output], (scale, shift))
                steps[step.output] = dataclasses.replace(step, layer="Identity", args={})
            weights[step.output] = []
    result = networks.build(dataclasses.replace(plan, steps=tuple(steps.values())), layers=layers)
    for output, step in steps.items():
        if weights[output]:
            result.get_layer(networks.layer_name(step)).set_weights(weights[output])
    return result


def _weights(network: keras.Model, step: LayerCall) -> list[Array]:
    return [np.asarray(w) for w in network.get_layer(networks.layer_name(step)).get_weights()]


def _affine(step: LayerCall, network: keras.Model) -> Affine:
    """Scale and shift [C] of a batch norm, computed in float64."""
    norm = network.get_layer(networks.layer_name(step))
    mean, variance = (np.asarray(v.value, "float64") for v in (norm.moving_mean, norm.moving_variance))
    gamma = np.asarray(norm.gamma.value, "float64") if norm.scale else np.ones_like(mean)
    beta = np.asarray(norm.beta.value, "float64") if norm.center else np.zeros_like(mean)
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return scale, beta - scale * mean


def _linear_before(norm: LayerCall, plan: Plan) -> LayerCall | None:
    """The layer that can take the batch norm in: linear, with no one else listening, and channels last all the way."""
    channels = norm.cost.shape[-1]
    if norm.args.get("axis", -1) not in (-1, len(norm.cost.shape)):
        return None
    producers = {step.output: step for step in plan.steps}
    at = norm
    while len([s for s in plan.steps if at.inputs[0] in s.inputs]) == 1 and at.inputs[0] != plan.output:
        before = producers.get(at.inputs[0])
        if before is None:
            return None
        if before.layer in _LINEAR:
            fits = before.cost.shape[-1] % channels == 0 and before.args.get("activation") in (None, "linear")
            return before if fits else None
        if before.layer not in ("Reshape", "Identity") or before.cost.shape[-1] != channels:
            return None
        at = before
    return None


def _merged(linear: LayerCall, weights: list[Array], affine: Affine) -> list[Array]:
    """[kernel, bias] of the linear layer with the affine map inside.

    A dense layer that is reshaped to [h, w, C] has h * w units per channel, the channel counting fastest.
    """
    kernel, bias = weights if len(weights) == 2 else (weights[0], np.zeros(linear.cost.shape[-1]))
    scale, shift = (np.tile(a, bias.size // a.size) for a in affine)
    axis = _OUTPUT_AXIS[linear.layer]
    shape = [1] * kernel.ndim
    shape[axis] = -1
    merged = kernel.astype("float64") * scale.reshape(shape), bias.astype("float64") * scale + shift
    return [part.astype("float32") for part in merged]
