"""Operators of ONNX in the forms that older versions of it have, where onnx's own converter has no rule.

Each rule brings a node from one version into the version before, or after: it gives the nodes that stand in its place
with their new constants, whose names begin with a prefix, or None for a node that the other version cannot say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from zoo.core.arrays import Array
from zoo.export.rewrites import attributes_of

Form = tuple[list[NodeProto], list[TensorProto]]


@dataclass(frozen=True)
class Known:
    """Knowledge of a graph: its weights, and the number of axes of its tensors."""

    weights: Mapping[str, TensorProto]
    ranks: Mapping[str, int]


def _resize_with_roi(node: NodeProto, known: Known, prefix: str) -> Form | None:
    """Write a Resize of opset 11: `roi` and `scales` may be empty, but not left out."""
    names = [name or f"{prefix}_{i}" for i, name in enumerate(node.input)]
    empty = [numpy_helper.from_array(np.zeros(0, np.float32), name) for name in names if name not in node.input]
    return [helper.make_node("Resize", names, node.output, name=node.name, **attributes_of(node))], empty


def _resize_by_factors(node: NodeProto, known: Known, prefix: str) -> Form | None:
    """Write a Resize of opset 10: its only ways are by factors, from the corner, nearest neighbours rounded down."""
    found = attributes_of(node)
    mode = found.get("mode", b"nearest")
    if found.get("coordinate_transformation_mode") != b"asymmetric" or len(node.input) != 3:
        return None
    if mode != b"linear" and not (found.get("nearest_mode") == b"floor" and _enlarges(node.input[2], known)):
        return None
    return [helper.make_node("Resize", [node.input[0], node.input[2]], node.output, name=node.name, mode=mode)], []


def _resize_from_the_corner(node: NodeProto, known: Known, prefix: str) -> Form | None:
    """Write a Resize of opset 11 that does what the one of opset 10 did, which is not its default."""
    mode = attributes_of(node).get("mode", b"nearest")
    if mode != b"linear" and not _enlarges(node.input[1], known):
        return None
    roi = numpy_helper.from_array(np.zeros(0, np.float32), f"{prefix}_roi")
    how = {"mode": mode, "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    names = [node.input[0], roi.name, node.input[1]]
    return [helper.make_node("Resize", names, node.output, name=node.name, **how)], [roi]


def _enlarges(factors: str, known: Known) -> bool:
    """True for factors from 1 on: for smaller ones versions differ in which of two neighbours is the nearest."""
    return factors in known.weights and bool(_values(known.weights[factors]).min() >= 1)


def _upsample(node: NodeProto, known: Known, prefix: str) -> Form | None:
    """Write an Upsample of opset 9, in which it could not make anything smaller."""
    if not _enlarges(node.input[1], known):
        return None
    return [helper.make_node("Upsample", node.input, node.output, name=node.name, **attributes_of(node))], []


def _upsample_by_attribute(node: NodeProto, known: Known, prefix: str) -> Form | None:
    """Write an Upsample of opset 7, whose factors are an attribute."""
    if node.input[1] not in known.weights:
        return None
    attributes = attributes_of(node) | {"scales": _values(known.weights[node.input[1]]).tolist()}
    return [helper.make_node("Upsample", node.input[:1], node.output, name=node.name, **attributes)], []


def _softmax_at_the_end(node: NodeProto, known: Known, prefix: str) -> Form | None:
    """Write a Softmax of opset 12, which normalises all axes from its own on: at the last one that is the same."""
    rank, attributes = known.ranks.get(node.input[0], 0), attributes_of(node)
    axis = attributes.get("axis", -1)
    if not rank:
        return None
    if axis in (-1, rank - 1):
        return [helper.make_node(node.op_type, node.input, node.output, name=node.name, axis=rank - 1)], []
    order = list(range(rank))
    order[axis], order[-1] = order[-1], order[axis]
    first, last = f"{prefix}_first", f"{prefix}_last"
    return [
        helper.make_node("Transpose", node.input, [first], name=first, perm=order),
        helper.make_node(node.op_type, [first], [last], name=node.name, axis=rank - 1),
        helper.make_node("Transpose", [last], node.output, name=last, perm=order),
    ], []


def _softmax_with_its_axis(node: NodeProto, known: Known, prefix: str) -> Form | None:
    """Write a Softmax of opset 13 for one that normalised the last axis alone; its axis was 1 where none is stated."""
    rank, axis = known.ranks.get(node.input[0], 0), attributes_of(node).get("axis", 1)
    if not rank or axis not in (-1, rank - 1):
        return None
    return [helper.make_node(node.op_type, node.input, node.output, name=node.name, axis=rank - 1)], []


def _pad_by_attributes(node: NodeProto, known: Known, prefix: str) -> Form | None:
    """Write a Pad of opset 2, whose pads and value are attributes."""
    if len(node.input) > 3 or any(name not in known.weights for name in node.input[1:] if name):
        return None
    pads, *value = [_values(known.weights[name]) for name in node.input[1:] if name]
    more = {"value": float(value[0].item())} if value else {}
    attributes = attributes_of(node) | {"pads": pads.tolist()} | more
    return [helper.make_node("Pad", node.input[:1], node.output, name=node.name, **attributes)], []


def _values(tensor: TensorProto) -> Array:
    values: Array = numpy_helper.to_array(tensor)
    return values


# (operator, version) -> the rule that writes it there, from the form of the version after it
RULES: dict[tuple[str, int], Callable[[NodeProto, Known, str], Form | None]] = {
    **dict.fromkeys((("Softmax", 12), ("LogSoftmax", 12)), _softmax_at_the_end),
    ("Resize", 12): _resize_with_roi,
    ("Resize", 10): _resize_by_factors,
    ("Resize", 9): _upsample,
    ("Upsample", 8): _upsample_by_attribute,
    ("Pad", 10): _pad_by_attributes,
}
# the same, from the form of the version before it
RULES_UPWARDS: dict[tuple[str, int], Callable[[NodeProto, Known, str], Form | None]] = {
    **dict.fromkeys((("Softmax", 13), ("LogSoftmax", 13)), _softmax_with_its_axis),
    ("Resize", 11): _resize_from_the_corner,
}


def counted_from_the_front(node: NodeProto, known: Known) -> NodeProto | None:
    """Return a node whose axes are not negative, as they had to be before opset 11.

    Args:
        node: Any node.
        known: What is known of its graph.

    Returns:
        The node itself where its axes are so, or a copy; None where the number of axes is unknown.
    """
    negative = [name for name, value in attributes_of(node).items() if name in _AXES and np.min(value, initial=0) < 0]
    if not negative:
        return node
    rank = known.ranks.get((node.output if node.op_type in _OF_THE_OUTPUT else node.input)[0], 0)
    if not rank:
        return None
    copy = NodeProto.FromString(node.SerializeToString())
    for attribute in copy.attribute:
        if attribute.name in negative:
            axes = np.mod(helper.get_attribute_value(attribute), rank).tolist()
            attribute.CopyFrom(helper.make_attribute(attribute.name, axes))
    return copy


_AXES, _OF_THE_OUTPUT = ("axis", "axes"), ("Unsqueeze", "OneHot")
