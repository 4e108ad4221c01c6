"""Shape rules of layers with a condition, of attention, of learned scalars and maps, and of slices."""

from __future__ import annotations

import math
from collections.abc import Sequence

from zoo.spec.shapes import Args, Cost, Shape, ShapeError, listed, one, pair, rule, window


@rule("ConditionalBatchNormalization")
def conditional_batch_normalization(shapes: Sequence[Shape], args: Args) -> Cost:
    x, condition = _two(shapes, "an image or features, then their condition")
    if not x:
        raise ShapeError("takes an image or features, received a class id")
    if (args["classes"] is None) == (condition == ()):
        hint = "state `classes` for class ids" if condition == () else "`classes` is for class ids"
        raise ShapeError(f"the condition is {list(condition)}: {hint}")
    if len(condition) > 1:
        raise ShapeError(f"the condition is a class id or a vector [features], received {list(condition)}")
    weights = 2 * x[-1] * (condition[0] if condition else args["classes"])
    return Cost(x, weights, weights if condition else 0)


def _two(shapes: Sequence[Shape], what: str) -> tuple[Shape, Shape]:
    if len(shapes) != 2:
        raise ShapeError(f"takes two inputs, {what}, received {len(shapes)}: from: [x, another]")
    return shapes[0], shapes[1]


@rule("NoiseDropout")
def noise_dropout(shapes: Sequence[Shape], args: Args) -> Cost:
    x, noise = _two(shapes, "what is dropped, then uniform noise")
    if len(x) != len(noise) or any(n not in (1, size) for n, size in zip(noise, x, strict=True)):
        raise ShapeError(f"the noise must have the shape of what is dropped, or 1, received {listed(shapes)}")
    return Cost(x)


@rule("Dot")
def dot(shapes: Sequence[Shape], args: Args) -> Cost:
    left, right = _two(shapes, "which are multiplied")
    first, second = pair(args["axes"])
    axes = [axis if axis < 0 else axis - 1 for axis in (first, second)]
    if any(not -len(shape) <= axis < len(shape) or 0 in (first, second)
           for axis, shape in zip(axes, (left, right), strict=True)):  # fmt: skip
        raise ShapeError(f"axes must name an axis of each input, received {args['axes']} for {listed(shapes)}")
    if left[axes[0]] != right[axes[1]]:
        raise ShapeError(f"axes {args['axes']} of {listed(shapes)} have different lengths")
    rest = tuple(size for axis, shape in zip(axes, (left, right), strict=True)
                 for i, size in enumerate(shape) if i != axis % len(shape))  # fmt: skip
    return Cost(rest or (1,), 0, math.prod(rest) * left[axes[0]])


@rule("MinibatchDiscrimination")
def minibatch_discrimination(shapes: Sequence[Shape], args: Args) -> Cost:
    (features,) = one(shapes, 1)
    weights = features * args["kernels"] * args["dimensions"]
    return Cost((features + args["kernels"],), weights + bool(args["use_bias"]) * args["kernels"], weights)


@rule("SelfAttention")
def self_attention(shapes: Sequence[Shape], args: Args) -> Cost:
    height, width, channels = one(shapes, 3)
    if channels % 8:
        raise ShapeError(f"takes a multiple of 8 channels, received {channels}")
    keys = window(height, 2, 2, "valid") * window(width, 2, 2, "valid")
    pixels, weights = height * width, channels * channels * 5 // 4
    return Cost((height, width, channels), weights + 1, pixels * weights + pixels * keys * channels * 5 // 8)


@rule("Scale", "Bias")
def scale(shapes: Sequence[Shape], args: Args) -> Cost:
    shape = one(shapes)
    if not shape:
        raise ShapeError("takes numbers, received a class id")
    return Cost(shape, shape[-1] if args["per_channel"] else 1)


@rule("LearnedMap")
def learned_map(shapes: Sequence[Shape], args: Args) -> Cost:
    (channels,) = one(shapes, 1)
    shape = (*pair(args["size"]), channels)
    return Cost(shape, math.prod(shape))


@rule("BagOfWords")
def bag_of_words(shapes: Sequence[Shape], args: Args) -> Cost:
    words = one(shapes, 1)[0]
    return Cost((args["output_dim"],), args["input_dim"] * args["output_dim"], words * args["output_dim"])


@rule("Slice")
def slice_of(shapes: Sequence[Shape], args: Args) -> Cost:
    shape, stated = one(shapes), args["axis"]
    axis = stated if stated < 0 else stated - 1
    if stated == 0 or not -len(shape) <= axis < len(shape):
        raise ShapeError(f"axis must name axes 1 to {len(shape)} of {list(shape)}, or -1 ..., received {stated}")
    axis %= len(shape)
    begin, end = args["begin"], args["end"]
    if any(bound is not None and not -shape[axis] <= bound <= shape[axis] for bound in (begin, end)):
        raise ShapeError(f"[{begin}, {end}) is not inside the {shape[axis]} numbers of the axis")
    left = len(range(shape[axis])[begin:end])
    if not left:
        raise ShapeError(f"[{begin}, {end}) is empty")
    return Cost((*shape[:axis], left, *shape[axis + 1 :]))


@rule("FilteredUpSampling2D")
def filtered_up(shapes: Sequence[Shape], args: Args) -> Cost:
    height, width, channels = one(shapes, 3)
    return Cost((2 * height, 2 * width, channels), 0, 12 * height * width * channels)  # 4 h w by 2, and 2 h w by 2


@rule("FilteredDownSampling2D")
def filtered_down(shapes: Sequence[Shape], args: Args) -> Cost:
    height, width, channels = one(shapes, 3)
    if height % 2 or width % 2:
        raise ShapeError(f"takes an even height and width, received {[height, width]}")
    return Cost((height // 2, width // 2, channels), 0, 3 * height * width * channels)


@rule("SeparableConv2D")
def separable_conv2d(shapes: Sequence[Shape], args: Args) -> Cost:
    height, width, channels = one(shapes, 3)
    (kh, kw), (sh, sw), (dh, dw) = pair(args["kernel_size"]), pair(args["strides"]), pair(args["dilation_rate"])
    if sh != sw:
        raise ShapeError(f"takes the same stride for height and width, received {[sh, sw]}")
    if sh > 1 and max(dh, dw) > 1:
        raise ShapeError("strides and dilation_rate cannot both be above 1")
    sides = ((height, (kh - 1) * dh + 1, sh), (width, (kw - 1) * dw + 1, sw))
    h, w = (window(*side, args["padding"]) for side in sides)
    wide = channels * args["depth_multiplier"]
    weights = kh * kw * wide + wide * args["filters"]
    return Cost((h, w, args["filters"]), weights + bool(args["use_bias"]) * args["filters"], h * w * weights)
