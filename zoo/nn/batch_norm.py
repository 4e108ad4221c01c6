"""Batch norm for export: its statistics are measured again, and it is folded into the layer before it.

At inference it is an affine map, so that no artifact contains one:

    gamma * (W x + b - mean) / sqrt(var + epsilon) + beta  =  (s W) x + (s (b - mean) + beta)
    s = gamma / sqrt(var + epsilon)
"""

from __future__ import annotations

import dataclasses

import keras
import numpy as np

from zoo.core.arrays import Array
from zoo.nn import networks
from zoo.nn.phases import seeds
from zoo.spec.plan import LayerCall, Plan

Affine = tuple[Array, Array]
_LINEAR = ("Dense", "Conv2D", "Conv2DTranspose")
# of the kernel: Keras keeps (h, w, out, in) for the transposed convolution
_OUTPUT_AXIS = {"Dense": -1, "Conv2D": -1, "Conv2DTranspose": -2}


def averaged_statistics(network: keras.Model, batches: list[dict[str, Array]]) -> None:
    """Replace the moving statistics of every batch norm by the means of the batch statistics over `batches`.

    The moving averages of a training belong to weights that were changing, and for averaged weights to no weights at
    all; these belong to the present weights, which stay as they are.

    Args:
        network: The network, which is changed in place.
        batches: Inputs by name, each batch passed once in training mode; with no batches nothing changes.
    """
    norms = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    if not norms or not batches:
        return
    momenta = [norm.momentum for norm in norms]
    totals = [[np.zeros(norm.moving_mean.shape), np.zeros(norm.moving_variance.shape)] for norm in norms]
    try:
        for norm in norms:
            norm.momentum = 0.0  # the moving statistics become those of each batch
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


def measured(network: keras.Model, plan: Plan, batches: list[dict[str, Array]]) -> keras.Model:
    """Return a network with statistics of its present weights.

    Args:
        network: The network, which stays as it is.
        plan: Its plan.
        batches: Inputs by name [B, ...].

    Returns:
        The network itself; where it has batch norm, a copy with averaged statistics.
    """
    if not any(isinstance(layer, keras.layers.BatchNormalization) for layer in network.layers):
        return network
    copy = networks.build(plan)
    copy.set_weights(network.get_weights())
    for seed in seeds(copy):  # dropout: the same masks for the same weights
        seed.assign(keras.ops.zeros_like(seed))
    averaged_statistics(copy, batches)
    return copy


def folded(plan: Plan, network: keras.Model, layers: dict[str, keras.layers.Layer] | None = None) -> keras.Model:
    """Return a network that computes what `network` computes at inference, without batch norm.

    A batch norm that cannot be folded into the layer before it becomes a Rescaling layer.

    Args:
        plan: The plan of the network.
        network: The network, which stays as it is.
        layers: Layers by name that replace those of the plan, with weights of the same shapes.

    Returns:
        A new network of the same name, inputs and output, with float32 weights.
    """
    steps = {step.output: step for step in plan.steps}
    weights = {step.output: _weights(network, step) for step in plan.steps}
    for step in plan.steps:
        if step.layer == "BatchNormalization":
            scale, shift = _affine(step, network)
            linear = _linear_before(step, plan)
            if linear is None:
                axis = step.args.get("axis", -1)
                shape = _along(axis if axis < 0 else axis - 1, len(step.cost.shape))
                args = {"scale": scale.reshape(shape).tolist(), "offset": shift.reshape(shape).tolist()}
                steps[step.output] = dataclasses.replace(step, layer="Rescaling", args=args)
            else:
                args = {**steps[linear.output].args, "use_bias": True}
                steps[linear.output] = dataclasses.replace(steps[linear.output], args=args)
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


def _along(axis: int, rank: int) -> list[int]:
    """Return the shape that broadcasts a vector along one axis of an array of this rank."""
    shape = [1] * rank
    shape[axis] = -1
    return shape


def _affine(step: LayerCall, network: keras.Model) -> Affine:
    """Compute scale and shift [C] of a batch norm in float64."""
    norm = network.get_layer(networks.layer_name(step))
    mean, variance = (np.asarray(v.value, "float64") for v in (norm.moving_mean, norm.moving_variance))
    gamma = np.asarray(norm.gamma.value, "float64") if norm.scale else np.ones_like(mean)
    beta = np.asarray(norm.beta.value, "float64") if norm.center else np.zeros_like(mean)
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return scale, beta - scale * mean


def _linear_before(norm: LayerCall, plan: Plan) -> LayerCall | None:
    """Return the layer that a batch norm can be folded into, or None.

    It is linear, nothing else uses its output, and between the two the channels stay last and unmixed.
    """
    channels = norm.cost.shape[-1]
    if norm.args.get("axis", -1) not in (-1, len(norm.cost.shape)):
        return None
    producers = {step.output: step for step in plan.steps}
    step, leaving = norm, {number for number, _ in plan.outputs.values()}
    while len([s for s in plan.steps if step.inputs[0] in s.inputs]) == 1 and step.inputs[0] not in leaving:
        before = producers.get(step.inputs[0])
        if before is None:
            return None
        if before.layer in _LINEAR:
            fits = before.cost.shape[-1] % channels == 0 and before.args.get("activation") in (None, "linear")
            return before if fits else None
        if before.layer not in ("Reshape", "Identity", "Cropping2D") or before.cost.shape[-1] != channels:
            return None
        step = before
    return None


def _merged(linear: LayerCall, weights: list[Array], affine: Affine) -> list[Array]:
    """Return [kernel, bias] of the linear layer, multiplied by the scale and shifted.

    A dense layer that is reshaped to [h, w, C] has h * w units per channel, the channel varying fastest.
    """
    kernel, bias = weights if len(weights) == 2 else (weights[0], np.zeros(linear.cost.shape[-1]))
    scale, shift = (np.tile(a, bias.size // a.size) for a in affine)
    along_outputs = scale.reshape(_along(_OUTPUT_AXIS[linear.layer], kernel.ndim))
    merged = kernel.astype("float64") * along_outputs, bias.astype("float64") * scale + shift
    return [part.astype("float32") for part in merged]
