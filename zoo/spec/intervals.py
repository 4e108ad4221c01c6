"""The values that a network can make: an interval for each of its tensors, from activations and arithmetic alone.

Weights may be anything, so that a layer with weights makes every number before its activation. It is enough to see
that a network which ends in a relu makes nothing below 0, and which class ids reach an embedding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from zoo.spec.plan import LayerCall, Plan
from zoo.spec.shapes import Shape
from zoo.spec.validate import completed, names_of

Interval = tuple[float, float]
ANYTHING: Interval = (-math.inf, math.inf)
_KEEPS = (
    "Identity", "Reshape", "Flatten", "Permute", "RepeatVector", "UpSampling2D", "Cropping2D", "ReflectionPadding2D",
    "MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D", "GlobalMaxPooling2D", "Slice",
    "UpSampling1D", "Cropping1D", "MaxPooling1D", "AveragePooling1D", "GlobalAveragePooling1D", "GlobalMaxPooling1D",
)  # fmt: skip
_WITH_ZERO = ("ZeroPadding1D", "ZeroPadding2D", "Fade", "FilteredUpSampling2D", "FilteredDownSampling2D")
_WEIGHTED = (
    "Dense", "SpectralDense", "Conv2D", "SpectralConv2D", "Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D",
    "Conv1D", "Conv1DTranspose", "SeparableConv1D",
)  # fmt: skip


def intervals(plan: Plan, given: Mapping[str, Interval]) -> dict[int, Interval]:
    """Compute the lowest and highest values of the tensors of a network.

    Args:
        plan: The network.
        given: The intervals of inputs by name; others may be anything.

    Returns:
        The interval of each tensor by its number; infinite where nothing bounds it.
    """
    found = {number: given.get(name, ANYTHING) for number, name in enumerate(plan.inputs)}
    shapes: dict[int, Shape] = dict(enumerate(plan.inputs.values()))
    for step in plan.steps:
        shapes[step.output] = step.cost.shape
        found[step.output] = _of_layer(step, [found[i] for i in step.inputs], shapes[step.inputs[0]])
    return found


def _of_layer(step: LayerCall, inputs: Sequence[Interval], shape: Shape) -> Interval:
    """Return the interval of a layer's output, given those of its inputs and the shape of the first."""
    layer, args = step.layer, completed(step.args, names_of("layer")[step.layer])
    x = inputs[0]
    if layer in _JOINS:
        return _JOINS[layer](inputs)
    if layer in _KEEPS:
        return x
    if layer in _WITH_ZERO:
        return _with_zero(x)
    if layer in _WEIGHTED:
        return _activated(args.get("activation"), ANYTHING)
    if layer == "Activation":
        return _activated(args["activation"], x)
    if layer == "ReLU":
        return _relu(x, args)
    if layer == "LeakyReLU":
        return _leaky(x, args["negative_slope"])
    if layer == "ELU":
        return _elu(x, args["alpha"])
    if layer == "PReLU":
        return x if x[0] >= 0 else ANYTHING
    if layer in ("Softmax", "OneHot"):
        return (0.0, 1.0)
    if layer == "LSTM":
        return _with_zero(_activated(args["activation"], ANYTHING))
    if layer == "Dropout":
        low, high = _with_zero(x)
        return low / (1 - args["rate"]), high / (1 - args["rate"])
    if layer == "Rescaling":
        ends = [_times(end, args["scale"]) + args["offset"] for end in x]
        return min(ends), max(ends)
    if layer == "MinibatchStdDev":
        return min(x[0], 0.0), math.inf
    if layer in ("PixelNorm", "UnitNormalization"):
        most = math.sqrt(shape[-1]) if layer == "PixelNorm" and shape else 1.0
        return (-most if x[0] < 0 else 0.0), (most if x[1] > 0 else 0.0)
    return ANYTHING


def _with_zero(x: Interval) -> Interval:
    return min(x[0], 0.0), max(x[1], 0.0)


def _times(a: float, b: float) -> float:
    return 0.0 if a == 0 or b == 0 else a * b  # 0 times infinity is 0 here


def _leaky(x: Interval, slope: float) -> Interval:
    low, high = (end if end >= 0 else _times(slope, end) for end in x)
    return low, high


def _relu(x: Interval, args: Mapping[str, Any]) -> Interval:
    most, slope, threshold = args["max_value"], args["negative_slope"], args["threshold"]
    low, high = (end if end >= threshold else _times(slope, end - threshold) for end in x)
    return (low, high) if most is None else (min(low, most), min(high, most))


def _elu(x: Interval, alpha: float) -> Interval:
    low, high = (end if end >= 0 else alpha * math.expm1(end) for end in x)
    return low, high


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-max(x, -700.0)))


def _softplus(x: float) -> float:
    return x if x > 30 else math.log1p(math.exp(x))


def _dipping(x: Interval, lowest: float) -> Interval:
    """Return the interval of a function near the identity above 0 that dips to `lowest` below it."""
    return (0.0 if x[0] >= 0 else lowest), max(x[1], 0.0)


def _activated(name: str | None, x: Interval) -> Interval:
    """Return the interval of an activation of the language, of `x`."""
    if name in (None, "linear"):
        return x
    if name == "softmax":
        return (0.0, 1.0)
    if name == "gelu":
        return _dipping(x, -0.17)
    if name == "silu":
        return _dipping(x, -0.2785)
    if name == "leaky_relu":
        return _leaky(x, 0.2)
    if name in ("elu", "selu"):
        scale, alpha = (1.0507, 1.67326) if name == "selu" else (1.0, 1.0)
        low, high = _elu(x, alpha)
        return scale * low, scale * high
    monotone: dict[str, Callable[[float], float]] = {
        "relu": lambda end: max(end, 0.0), "tanh": math.tanh, "sigmoid": _sigmoid, "softplus": _softplus,
    }  # fmt: skip
    return (monotone[name](x[0]), monotone[name](x[1])) if name in monotone else ANYTHING


def _product(inputs: Sequence[Interval]) -> Interval:
    low, high = inputs[0]
    for other in inputs[1:]:
        ends = [_times(a, b) for a in (low, high) for b in other]
        low, high = min(ends), max(ends)
    return low, high


def _ends(of_lows: Callable[[Any], float], of_highs: Callable[[Any], float]) -> Callable[..., Interval]:
    return lambda inputs: (of_lows([low for low, _ in inputs]), of_highs([high for _, high in inputs]))


_JOINS: Mapping[str, Callable[[Sequence[Interval]], Interval]] = {
    "Concatenate": _ends(min, max),
    "Add": _ends(sum, sum),
    "Average": _ends(lambda lows: sum(lows) / len(lows), lambda highs: sum(highs) / len(highs)),
    "Maximum": _ends(max, max),
    "Minimum": _ends(min, min),
    "Subtract": lambda inputs: (inputs[0][0] - inputs[1][1], inputs[0][1] - inputs[1][0]),
    "Multiply": _product,
}
