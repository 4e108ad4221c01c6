"""Shape rules of layers of sequences [steps, features]."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.spec.shapes import Args, Cost, Shape, ShapeError, one, rule, transposed, window


@rule("Conv1D")
def conv1d(shapes: Sequence[Shape], args: Args) -> Cost:
    steps, channels = one(shapes, 2)
    _no_strided_dilation(args)
    filters, groups = args["filters"], args["groups"]
    if groups < 1 or channels % groups or filters % groups:
        raise ShapeError(f"{channels} channels and {filters} filters do not split into {groups} groups")
    spread = (args["kernel_size"] - 1) * args["dilation_rate"] + 1
    length = window(steps, spread, args["strides"], args["padding"])
    weights = args["kernel_size"] * (channels // groups) * filters
    return Cost((length, filters), weights + bool(args["use_bias"]) * filters, length * weights)


def _no_strided_dilation(args: Args) -> None:
    if args["strides"] > 1 and args["dilation_rate"] > 1:
        raise ShapeError("strides and dilation_rate cannot both be above 1")


@rule("Conv1DTranspose")
def conv1d_transpose(shapes: Sequence[Shape], args: Args) -> Cost:
    steps, channels = one(shapes, 2)
    if args["dilation_rate"] > 1:
        raise ShapeError("dilation_rate must be 1: TensorFlow does not compute gaps in a transposed kernel on CPUs")
    length = transposed(steps, args["kernel_size"], args["strides"], args["output_padding"], args["padding"])
    weights = args["kernel_size"] * channels * args["filters"]
    return Cost((length, args["filters"]), weights + bool(args["use_bias"]) * args["filters"], steps * weights)


@rule("SeparableConv1D")
def separable_conv1d(shapes: Sequence[Shape], args: Args) -> Cost:
    steps, channels = one(shapes, 2)
    _no_strided_dilation(args)
    spread = (args["kernel_size"] - 1) * args["dilation_rate"] + 1
    length = window(steps, spread, args["strides"], args["padding"])
    wide = channels * args["depth_multiplier"]
    weights = args["kernel_size"] * wide + wide * args["filters"]
    return Cost((length, args["filters"]), weights + bool(args["use_bias"]) * args["filters"], length * weights)


@rule("AveragePooling1D", "MaxPooling1D")
def pooling1d(shapes: Sequence[Shape], args: Args) -> Cost:
    steps, channels = one(shapes, 2)
    strides = args["pool_size"] if args["strides"] is None else args["strides"]
    return Cost((window(steps, args["pool_size"], strides, args["padding"]), channels))


@rule("GlobalAveragePooling1D", "GlobalMaxPooling1D")
def global_pooling1d(shapes: Sequence[Shape], args: Args) -> Cost:
    _, channels = one(shapes, 2)
    return Cost((1, channels) if args["keepdims"] else (channels,))


@rule("UpSampling1D")
def upsampling1d(shapes: Sequence[Shape], args: Args) -> Cost:
    steps, channels = one(shapes, 2)
    return Cost((steps * args["size"], channels))


@rule("ZeroPadding1D", "Cropping1D")
def padding1d(shapes: Sequence[Shape], args: Args) -> Cost:
    steps, channels = one(shapes, 2)
    sign = -1 if "cropping" in args else 1
    sides = args["cropping" if sign < 0 else "padding"]
    length = steps + sign * (2 * sides if isinstance(sides, int) else sum(sides))
    if length < 1:
        raise ShapeError(f"nothing is left of {list(shapes[0])}")
    return Cost((length, channels))


@rule("SpatialDropout1D")
def spatial_dropout1d(shapes: Sequence[Shape], args: Args) -> Cost:
    return Cost(one(shapes, 2))


@rule("LSTM")
def lstm(shapes: Sequence[Shape], args: Args) -> Cost:
    (steps, features), units = one(shapes, 2), args["units"]
    weights = 4 * units * (features + units)
    shape = (steps, units) if args["return_sequences"] else (units,)
    return Cost(shape, weights + bool(args["use_bias"]) * 4 * units, steps * weights)
