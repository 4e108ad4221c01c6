"""The image sizes that a translator takes, found by applying the shape rules of its layers to other sizes.

A network whose layers all slide over height and width, and that returns images of the size it is given, takes every
size that its strides come back to: multiples of its total stride, from the smallest that its padding can mirror.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from zoo.artifact.tensor import AXES
from zoo.spec.diagnostics import Problems
from zoo.spec.plan import LayerCall, Plan
from zoo.spec.shapes import RULES, Shape, ShapeError
from zoo.spec.validate import completed, names_of
from zoo.spec.yaml_tree import YamlNode

# Layers whose weights and arithmetic do not know the size. Dense layers, reshapes and means over the image do.
SLIDING = frozenset({
    *("Activation", "ReLU", "LeakyReLU", "ELU", "PReLU", "Rescaling", "Identity", "PixelNorm"),
    *("Dropout", "SpatialDropout2D", "GaussianNoise", "GaussianDropout"),
    *("BatchNormalization", "GroupNormalization", "Conv2D", "EqualizedConv2D", "DepthwiseConv2D", "Conv2DTranspose"),
    *("AveragePooling2D", "MaxPooling2D", "UpSampling2D", "ZeroPadding2D", "ReflectionPadding2D", "Cropping2D"),
    *("Concatenate", "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"),
})  # fmt: skip
LAST = (-1, 3, [-1], [3])  # the channels, as an axis of [B, H, W, C]


def allowed(plan: Plan) -> dict[str, dict[str, int]] | None:
    """Find the image sizes that a network takes.

    Args:
        plan: The network, at the size of its training.

    Returns:
        For "height" and "width" in pixels: the `multiple` and the `minimum` of allowed sizes, and the size that was
        `trained`. None for a network that takes the size of its plan alone.
    """
    shapes = list(plan.inputs.values())
    if len(shapes) != 1 or len(shapes[0]) != 3 or not all(_slides(step, len(plan.output_shape)) for step in plan.steps):
        return None
    found = [_along(plan, axis) for axis in (0, 1)]
    if any(rule is None for rule in found):
        return None
    return {axis: rule for axis, rule in zip(AXES, found, strict=True) if rule is not None}


def check_sizes(
    tree: YamlNode, leaving: Mapping[str, Plan], fields: Mapping[str, Shape | None], problems: Problems
) -> None:
    """Report what exports images of one size although the spec asks for any.

    Args:
        tree: The spec.
        leaving: What is exported, by name.
        fields: The shapes of the fields of the data.
        problems: Where mistakes are reported.
    """
    stated = tree.get("export", "sizes")
    if stated is None or stated.value != "any":
        return
    for name, plan in leaving.items():
        if not plan.inputs or any(len(fields.get(key) or ()) != 3 for key in plan.inputs):
            problems.add(stated.place, "export.sizes", f"'{name}' takes {', '.join(plan.inputs)}, and no image alone")
        elif allowed(plan) is None:
            rank = len(plan.output_shape)
            fixed = next((step for step in plan.steps if not _slides(step, rank)), None)
            if fixed is not None:
                text = f"{fixed.layer} knows images of the trained size alone, but export.sizes is any"
                problems.add(fixed.place, fixed.where, text)
            else:
                text = f"'{name}' makes images of another size than it is given, or takes no others: leave `any` out"
                problems.add(stated.place, "export.sizes", text)


def _slides(step: LayerCall, rank: int) -> bool:
    """Return True for a layer of `SLIDING` that works along the channels if it has an axis."""
    if step.layer not in SLIDING:
        return False
    args = completed(step.args, names_of("layer")[step.layer])
    whole = args.get("axis", -1) in LAST and args.get("interpolation", "nearest") == "nearest"
    whole = whole and (step.layer != "GroupNormalization" or is_instance_norm(step))  # others are reshaped
    return rank == 3 and whole


def is_instance_norm(step: LayerCall) -> bool:
    """Check if a layer is instance norm: statistics of each channel of each image by itself.

    Args:
        step: A layer call.

    Returns:
        True for a GroupNormalization of images [H, W, C] with one channel per group (Ulyanov et al. 2016).
    """
    alone = step.args.get("groups", 32) in (-1, step.cost.shape[-1])
    image = len(step.cost.shape) == 3 and step.args.get("axis", -1) in LAST
    return step.layer == "GroupNormalization" and alone and image


def _along(plan: Plan, axis: int) -> dict[str, int] | None:
    """Return the rule of one axis, the other at its trained size; None for irregular sizes or a single one."""
    ((height, width, channels),) = plan.inputs.values()
    trained = (height, width)[axis]
    last = 3 * trained  # the multiple is at most the trained size: it repeats within this range
    complete = [(step, completed(step.args, names_of("layer")[step.layer])) for step in plan.steps]

    def works(size: int) -> bool:
        shape = (size, width, channels) if axis == 0 else (height, size, channels)
        return _shapes(complete, shape).get(plan.output) == (*shape[:2], *plan.output_shape[2:])

    sizes = [size for size in range(1, last + 1) if works(size)]
    if trained not in sizes or len(sizes) < 2:
        return None
    minimum, multiple = sizes[0], math.gcd(*(size - sizes[0] for size in sizes))
    regular = minimum % multiple == 0 and sizes == list(range(minimum, last + 1, multiple))
    return {"multiple": multiple, "minimum": minimum, "trained": trained} if regular else None


def _shapes(steps: Sequence[tuple[LayerCall, Mapping[str, Any]]], shape: Shape) -> dict[int, Shape]:
    """Return the shapes of all tensors for an input of `shape`, up to a layer that does not fit it."""
    shapes = {0: shape}
    for step, args in steps:
        try:
            cost = RULES[step.layer]([shapes[i] for i in step.inputs], args)
        except ShapeError:
            break
        if cost.parameters != step.cost.parameters:
            break
        shapes[step.output] = cost.shape
    return shapes
