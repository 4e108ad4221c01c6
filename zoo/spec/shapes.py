"""Shape rules: the output shape, the trainable weights and the multiply-adds of each layer, without a framework.

A rule takes the shapes of a layer's inputs (no batch axis) and all its arguments; images are [height, width, channels].
It returns a `Cost`, or raises ShapeError for what the layer cannot take. A layer is part of the language if it has a
rule here or in a file `shapes_*`; tests/spec/test_shapes.py compares every rule with the Keras layer of the same name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

Shape = tuple[int, ...]
Args = Mapping[str, Any]
_FAR = 64  # pixels that a window may be larger than twice what it reads: more are zeros alone


class Cost(NamedTuple):
    """The output shape of a layer, its trainable weights, and its multiply-adds for one example."""

    shape: Shape
    parameters: int = 0
    macs: int = 0


class ShapeError(ValueError):
    """The layer cannot take its inputs or arguments; the text is the reason."""


RULES: dict[str, Callable[[Sequence[Shape], Args], Cost]] = {}


def rule(*names: str) -> Callable[[Callable[[Sequence[Shape], Args], Cost]], Callable[[Sequence[Shape], Args], Cost]]:
    """Register a function as the rule of the layers called `names`."""

    def put(function: Callable[[Sequence[Shape], Args], Cost]) -> Callable[[Sequence[Shape], Args], Cost]:
        for name in names:
            if name in RULES:
                raise ValueError(f"layer '{name}' has two rules")
            RULES[name] = function
        return function

    return put


def one(shapes: Sequence[Shape], rank: int | None = None) -> Shape:
    """Return the shape of the only input, which must have the given rank. Raises ShapeError."""
    if len(shapes) != 1:
        raise ShapeError(f"takes one input, received {len(shapes)}")
    if rank is not None and len(shapes[0]) != rank:
        kinds = {1: "a vector [features]", 2: "a sequence [steps, features]", 3: "an image [height, width, channels]"}
        raise ShapeError(f"takes {kinds[rank]}, received {list(shapes[0])}")
    return shapes[0]


def pair(value: int | Sequence[int]) -> tuple[int, int]:
    """Expand an argument such as `kernel_size` or `strides`.

    Args:
        value: One number, or one for height and one for width.

    Returns:
        The numbers for height and width.
    """
    return (value, value) if isinstance(value, int) else (value[0], value[1])


@rule(
    "Activation", "ReLU", "LeakyReLU", "ELU", "Dropout", "GaussianNoise", "GaussianDropout",
    "Rescaling", "Identity", "PixelNorm", "Fade",
)  # fmt: skip
def same(shapes: Sequence[Shape], args: Args) -> Cost:
    return Cost(one(shapes))


@rule("Softmax", "UnitNormalization")
def same_along(shapes: Sequence[Shape], args: Args) -> Cost:
    _along(one(shapes), args["axis"])
    return Cost(one(shapes))


@rule("SpatialDropout2D")
def same_image(shapes: Sequence[Shape], args: Args) -> Cost:
    return Cost(one(shapes, 3))


@rule("PReLU")
def prelu(shapes: Sequence[Shape], args: Args) -> Cost:
    shape = one(shapes)
    shared = {axis - 1 for axis in (args["shared_axes"] or ())}
    if any(axis >= len(shape) for axis in shared):
        raise ShapeError(f"shared_axes must name axes 1 to {len(shape)}, received {args['shared_axes']}")
    return Cost(shape, math.prod(size for i, size in enumerate(shape) if i not in shared))


def _along(shape: Shape, axis: int | list[int]) -> Shape:
    """Return the sizes of the axes that `axis` names: 1 is the first after the batch, -1 the last."""
    axes = axis if isinstance(axis, list) else [axis]
    if not axes or any(a == 0 or not -len(shape) <= a <= len(shape) for a in axes):
        rule = f"1 to {len(shape)} or, from the end, -1 to {-len(shape)}" if shape else "of something with axes"
        raise ShapeError(f"axis must name axes {rule}, received {axis}")
    return tuple(shape[a] if a < 0 else shape[a - 1] for a in axes)


@rule("BatchNormalization", "LayerNormalization", "GroupNormalization")
def normalisation(shapes: Sequence[Shape], args: Args) -> Cost:
    shape, groups = one(shapes), args.get("groups", -1)
    features = math.prod(_along(shape, args["axis"]))
    if "momentum" in args and isinstance(args["axis"], list):
        raise ShapeError(f"takes one axis, received {args['axis']}")
    if groups != -1 and features % groups:
        raise ShapeError(f"{features} channels do not split into {groups} groups")
    return Cost(shape, features * (bool(args["center"]) + bool(args["scale"])))


@rule("Dense", "EqualizedDense", "SpectralDense")
def dense(shapes: Sequence[Shape], args: Args) -> Cost:
    shape, units = one(shapes), args["units"]
    if not shape:
        text = "takes at least a vector [features], received a single number; put OneHot or Embedding before it"
        raise ShapeError(text)
    weights = shape[-1] * units
    return Cost((*shape[:-1], units), weights + bool(args["use_bias"]) * units, math.prod(shape[:-1]) * weights)


@rule("Maxout")
def maxout(shapes: Sequence[Shape], args: Args) -> Cost:
    (features,), units, pieces = one(shapes, 1), args["units"], args["pieces"]
    weights = features * units * pieces
    return Cost((units,), weights + bool(args["use_bias"]) * units * pieces, weights)


@rule("Conv2D", "EqualizedConv2D", "SpectralConv2D")
def conv2d(shapes: Sequence[Shape], args: Args) -> Cost:
    height, width, channels = one(shapes, 3)
    (kh, kw), (sh, sw), (dh, dw) = pair(args["kernel_size"]), pair(args["strides"]), pair(args.get("dilation_rate", 1))
    _no_strided_dilation(args)
    groups, filters = args.get("groups", 1), args["filters"]
    if groups < 1 or channels % groups or filters % groups:
        raise ShapeError(f"{channels} channels and {filters} filters do not split into {groups} groups")
    h, w = (
        window(*side, args["padding"]) for side in ((height, (kh - 1) * dh + 1, sh), (width, (kw - 1) * dw + 1, sw))
    )
    weights = kh * kw * (channels // groups) * filters
    return Cost((h, w, filters), weights + bool(args["use_bias"]) * filters, h * w * weights)


def _no_strided_dilation(args: Args) -> None:
    if max(pair(args["strides"])) > 1 and max(pair(args.get("dilation_rate", 1))) > 1:
        raise ShapeError("strides and dilation_rate cannot both be above 1")


def window(size: int, kernel: int, stride: int, padding: str) -> int:
    """Count the positions of a window of `kernel` that moves by `stride`. Raises ShapeError if there is none."""
    if kernel > 2 * size + _FAR:
        raise ShapeError(f"a window of {kernel:,} is far larger than the {size} pixels that it reads")
    if stride > size + kernel:
        raise ShapeError(f"a stride of {stride:,} leads past all of the {size} pixels")
    out = -(-size // stride) if padding == "same" else (size - kernel) // stride + 1
    if out < 1:
        raise ShapeError(f"a window of {kernel} does not fit into {size} without padding")
    return out


@rule("Conv2DTranspose")
def conv2d_transpose(shapes: Sequence[Shape], args: Args) -> Cost:
    height, width, channels = one(shapes, 3)
    if max(pair(args["dilation_rate"])) > 1:
        raise ShapeError("dilation_rate must be 1: TensorFlow does not compute gaps in a transposed kernel on CPUs")
    kernel, strides, filters = pair(args["kernel_size"]), pair(args["strides"]), args["filters"]
    extra = (None, None) if args["output_padding"] is None else pair(args["output_padding"])
    h, w = (transposed(*side, args["padding"]) for side in zip((height, width), kernel, strides, extra, strict=True))
    weights = math.prod(kernel) * channels * filters
    return Cost((h, w, filters), weights + bool(args["use_bias"]) * filters, height * width * weights)


def transposed(size: int, kernel: int, stride: int, extra: int | None, padding: str) -> int:
    if kernel > 2 * size * stride + _FAR:
        raise ShapeError(f"a window of {kernel:,} is far larger than the {size * stride} pixels that it makes")
    if extra is None:
        return size * stride if padding == "same" else size * stride + max(kernel - stride, 0)
    if extra >= stride:
        raise ShapeError(f"output_padding {extra} must be smaller than the stride {stride}")
    out = (size - 1) * stride + kernel - 2 * (kernel // 2 if padding == "same" else 0) + extra
    if padding == "same" and not (size - 1) * stride < out <= size * stride:
        text = f"output_padding {extra} makes {out} of {size} pixels, which no strides of {stride} lead back to: "
        raise ShapeError(f"{text}leave it out")
    return out


@rule("DepthwiseConv2D")
def depthwise_conv2d(shapes: Sequence[Shape], args: Args) -> Cost:
    height, width, channels = one(shapes, 3)
    _no_strided_dilation(args)
    (kh, kw), (sh, sw), (dh, dw) = pair(args["kernel_size"]), pair(args["strides"]), pair(args["dilation_rate"])
    if sh != sw:
        raise ShapeError(f"takes the same stride for height and width, received {[sh, sw]}")
    out, weights = channels * args["depth_multiplier"], kh * kw * channels * args["depth_multiplier"]
    sides = ((height, (kh - 1) * dh + 1, sh), (width, (kw - 1) * dw + 1, sw))
    h, w = (window(*side, args["padding"]) for side in sides)
    return Cost((h, w, out), weights + bool(args["use_bias"]) * out, h * w * weights)


@rule("AveragePooling2D", "MaxPooling2D")
def pooling2d(shapes: Sequence[Shape], args: Args) -> Cost:
    height, width, channels = one(shapes, 3)
    size = pair(args["pool_size"])
    strides = size if args["strides"] is None else pair(args["strides"])
    h, w = (window(*side, args["padding"]) for side in zip((height, width), size, strides, strict=True))
    return Cost((h, w, channels))


@rule("GlobalAveragePooling2D", "GlobalMaxPooling2D")
def global_pooling2d(shapes: Sequence[Shape], args: Args) -> Cost:
    *_, channels = one(shapes, 3)
    return Cost((1, 1, channels) if args["keepdims"] else (channels,))


@rule("UpSampling2D")
def upsampling2d(shapes: Sequence[Shape], args: Args) -> Cost:
    height, width, channels = one(shapes, 3)
    h, w = pair(args["size"])
    return Cost((height * h, width * w, channels))


@rule("ZeroPadding2D", "Cropping2D")
def padding2d(shapes: Sequence[Shape], args: Args) -> Cost:
    height, width, channels = one(shapes, 3)
    sign = -1 if "cropping" in args else 1
    (top, bottom), (left, right) = (pair(side) for side in pair(args["cropping" if sign < 0 else "padding"]))
    h, w = height + sign * (top + bottom), width + sign * (left + right)
    if min(h, w) < 1:
        raise ShapeError(f"nothing is left of {list(shapes[0])}")
    return Cost((h, w, channels))


@rule("ReflectionPadding2D")
def reflection_padding2d(shapes: Sequence[Shape], args: Args) -> Cost:
    height, width, _ = one(shapes, 3)
    up, aside = pair(args["padding"])
    if up >= height or aside >= width:
        raise ShapeError(f"cannot mirror {[up, aside]} pixels of {[height, width]}: the edge itself is not repeated")
    return padding2d(shapes, args)


@rule("Flatten")
def flatten(shapes: Sequence[Shape], args: Args) -> Cost:
    return Cost((math.prod(one(shapes)),))


@rule("Reshape")
def reshape(shapes: Sequence[Shape], args: Args) -> Cost:
    shape, target = one(shapes), list(args["target_shape"])
    size, known = math.prod(shape), math.prod(t for t in target if t != -1)
    if target.count(-1) == 1 and known > 0 and size % known == 0:
        target[target.index(-1)] = size // known
    if any(t < 1 for t in target) or math.prod(target) != size:
        raise ShapeError(f"{list(shape)} is {size:,} numbers and cannot become {list(args['target_shape'])}")
    return Cost(tuple(target))


@rule("Permute")
def permute(shapes: Sequence[Shape], args: Args) -> Cost:
    shape, dims = one(shapes), args["dims"]
    if sorted(dims) != list(range(1, len(shape) + 1)):
        raise ShapeError(f"dims must name the axes 1 to {len(shape)} once each, received {list(dims)}")
    return Cost(tuple(shape[d - 1] for d in dims))


@rule("RepeatVector")
def repeat_vector(shapes: Sequence[Shape], args: Args) -> Cost:
    return Cost((args["n"], one(shapes, 1)[0]))


@rule("Embedding", "SpectralEmbedding")
def embedding(shapes: Sequence[Shape], args: Args) -> Cost:
    return Cost((*one(shapes), args["output_dim"]), args["input_dim"] * args["output_dim"])


@rule("OneHot")
def one_hot(shapes: Sequence[Shape], args: Args) -> Cost:
    return Cost((*one(shapes), args["classes"]))


@rule("Concatenate")
def concatenate(shapes: Sequence[Shape], args: Args) -> Cost:
    rank, axis = len(shapes[0]), args["axis"]
    if len(shapes) < 2:
        raise ShapeError("takes two or more inputs: from: [x, another]")
    at = axis + rank if axis < 0 else axis - 1
    others = {shape[:at] + shape[at + 1 :] for shape in shapes}
    if len({len(shape) for shape in shapes}) > 1 or not 0 <= at < rank or len(others) > 1:
        raise ShapeError(f"inputs must agree in all axes but {axis}, received {listed(shapes)}")
    return Cost((*shapes[0][:at], sum(shape[at] for shape in shapes), *shapes[0][at + 1 :]))


@rule("Subtract")
def subtract(shapes: Sequence[Shape], args: Args) -> Cost:
    if len(shapes) != 2:
        raise ShapeError(f"takes two inputs, received {len(shapes)}")
    return elementwise(shapes, args)


@rule("Add", "Multiply", "Average", "Maximum", "Minimum")
def elementwise(shapes: Sequence[Shape], args: Args) -> Cost:
    if len(shapes) < 2:
        raise ShapeError("takes two or more inputs: from: [x, another]")
    if len({len(s) for s in shapes}) > 1 or any(len({*sizes} - {1}) > 1 for sizes in zip(*shapes, strict=True)):
        raise ShapeError(f"inputs must have the same shape, received {listed(shapes)}")
    return Cost(tuple(max(sizes) for sizes in zip(*shapes, strict=True)))


@rule("MinibatchStdDev")
def minibatch_stddev(shapes: Sequence[Shape], args: Args) -> Cost:
    height, width, channels = one(shapes, 3)
    return Cost((height, width, channels + 1))


def listed(shapes: Sequence[Shape]) -> str:
    return ", ".join(str(list(shape)) for shape in shapes)
