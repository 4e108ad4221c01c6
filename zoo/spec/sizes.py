"""The sizes that a network takes beside that of its training, found by applying the shape rules of its layers to them.

A network whose layers all slide over height and width, and that returns images of the size it is given, takes every
size that its strides come back to: multiples of its total stride, from the smallest that its padding can mirror. One
that makes images of a map of latents draws a larger world of a larger map, so many pixels for each further cell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.artifact.tensor import AXES, CELLS
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


@dataclass(frozen=True)
class Sizes:
    """The sizes that an exported network takes.

    Attributes:
        axes: For "height" and "width" in pixels, or "rows" and "columns" of a map of latents: the `multiple` and the
            `minimum` of allowed sizes, and the size that was `trained`.
        grid: For a map of latents the pixels of a cell along both axes (`scale`), and what comes to them (`offset`).
    """

    axes: dict[str, dict[str, int]]
    grid: Mapping[str, Any] | None = None


def allowed(plan: Plan) -> Sizes | None:
    """Find the image sizes that a network takes.

    Args:
        plan: The network, at the size of its training.

    Returns:
        The rules of height and width. None for a network that takes the size of its plan alone.
    """
    same = [([pair for pair in sizes if pair[0] == pair[1]], trained) for sizes, trained in _along_both(plan) or ()]
    rules = [rule for sizes, trained in same if (rule := _multiples(sizes, trained)) is not None]
    return Sizes(dict(zip(AXES, rules, strict=True))) if len(rules) == 2 else None


def cells(plan: Plan) -> Sizes | None:
    """Find the maps of latents that a network makes images of.

    Args:
        plan: The network, at the size of its training.

    Returns:
        The rules of rows and columns, and the pixels of a cell. None for a network that takes the map of its plan
        alone.
    """
    rules, scales, offsets = [], list[int](), list[int]()
    for sizes, trained in _along_both(plan) or ():
        rule = _multiples(sizes, trained)
        if rule is None or rule["multiple"] != 1:
            return None
        (first, made), (_, more) = sizes[:2]
        scale, offset = more - made, made - (more - made) * first
        if scale < 1 or any(pixels != scale * size + offset for size, pixels in sizes):
            return None
        rules.append(rule)
        scales.append(scale)
        offsets.append(offset)
    return Sizes(dict(zip(CELLS, rules, strict=True)), {"scale": scales, "offset": offsets}) if rules else None


def check_sizes(
    tree: YamlNode, leaving: Mapping[str, Plan], fields: Mapping[str, Shape | None], problems: Problems
) -> None:
    """Report what exports images of one size although the spec asks for any.

    Args:
        tree: The spec.
        leaving: What is exported, by name.
        fields: The shapes of the fields of the data; other inputs are latents.
        problems: Where mistakes are reported.
    """
    stated = tree.get("export", "sizes")
    if stated is None or stated.value != "any":
        return
    for name, plan in leaving.items():
        if [len(shape) for shape in plan.inputs.values()] != [3]:
            text = (
                f"'{name}' takes {', '.join(plan.inputs)}, and no image alone, nor a map of latents [rows, columns, k]"
            )
            problems.add(stated.place, "export.sizes", text)
        elif (allowed if plan.inputs.keys() <= fields.keys() else cells)(plan) is None:
            rank = len(plan.output_shape)
            fixed = next((step for step in plan.steps if not _slides(step, rank)), None)
            if fixed is not None:
                text = f"{fixed.layer} knows the trained size alone, but export.sizes is any"
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


def _along_both(plan: Plan) -> list[tuple[list[tuple[int, int]], int]] | None:
    """Return for height and width, the other at its trained size, which sizes the network takes with the size that it
    returns for each, and the trained one. None unless it slides over one input [H, W, C]."""
    shapes = list(plan.inputs.values())
    if (
        len(plan.outputs) > 1
        or len(shapes) != 1
        or len(shapes[0]) != 3
        or not all(_slides(step, len(plan.output_shape)) for step in plan.steps)
    ):
        return None
    ((height, width, channels),) = shapes
    complete = [(step, completed(step.args, names_of("layer")[step.layer])) for step in plan.steps]

    def returned(axis: int, size: int) -> int | None:
        shape = (size, width, channels) if axis == 0 else (height, size, channels)
        made, other = _shapes(complete, shape).get(plan.output), 1 - axis
        whole = made is not None and made[2:] == plan.output_shape[2:] and made[other] == plan.output_shape[other]
        return made[axis] if made is not None and whole else None

    return [
        ([(size, made) for size in range(1, 3 * trained + 1) if (made := returned(axis, size)) is not None], trained)
        for axis, trained in enumerate((height, width))
    ]


def _multiples(sizes: Sequence[tuple[int, int]], trained: int) -> dict[str, int] | None:
    """Return the rule of one axis; None for irregular sizes or a single one.

    The multiple is at most the trained size: it repeats within the sizes that were tried, up to three times that.
    """
    taken = [size for size, _ in sizes]
    if trained not in taken or len(taken) < 2:
        return None
    minimum, multiple = taken[0], math.gcd(*(size - taken[0] for size in taken))
    regular = minimum % multiple == 0 and taken == list(range(minimum, 3 * trained + 1, multiple))
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
