"""Exact rewrites of a converted graph, so that more engines can read it: same weights, same outputs.

OneHot, MatMul              Gather of the kernel's rows: a label beyond the classes is an error in the engine
Gather of Keras's ids       Gather of the ids: it counts negative ones from the end too
OneHot with a depth [1]     a scalar depth, as the standard has it
Pad, Transpose              Transpose, Pad: of images the last two axes are padded
ConvTranspose, Slice        ConvTranspose with `pads` and `output_padding`
Div of [B, C] by [B, 1]     Div of [B, C, 1, 1] by [B, 1, 1, 1], as elsewhere in a pixel norm
Transpose of [B, 1, 1, C]   Reshape, wherever axes of size one alone are moved; and one Reshape for two
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, helper, numpy_helper

from zoo.core.arrays import Array

TO_THE_END = 2**31 - 1  # an end of Slice from here on is the end of the axis


def rewrite(model: ModelProto) -> list[str]:
    """Rewrite a graph in place, as the docstring of the module lists.

    Args:
        model: A graph of a converter, or a shipped file.

    Returns:
        What was rewritten, in words; an empty list for a graph that has none of these forms.
    """
    return [words for words, change in REWRITES.items() if _apply(model, change)]


@dataclass(frozen=True)
class _Graph:
    """A graph with its constants, and the nodes that read each tensor."""

    model: ModelProto
    constants: dict[str, Array]
    readers: dict[str, list[NodeProto]]
    shapes: dict[str, list[int]]  # of tensors inside, 0 for an axis that is not known

    @property
    def nodes(self) -> Any:
        """The nodes, in the order of computation."""
        return self.model.graph.node

    def only_reader(self, node: NodeProto) -> NodeProto | None:
        """The node that alone reads the output of another."""
        name = node.output[0]
        readers = self.readers.get(name, [])
        is_output = any(value.name == name for value in self.model.graph.output)
        return readers[0] if len(readers) == 1 and not is_output else None

    def constant(self, near: str, values: Array) -> str:
        """Add an initializer, and return its name."""
        name = f"{near}_rewritten_{len(self.model.graph.initializer)}"
        self.model.graph.initializer.append(numpy_helper.from_array(values, name))
        return name

    def replace(self, new: Mapping[str, Sequence[NodeProto]]) -> bool:
        """Put nodes in the places of others, which are named. Returns True."""
        nodes = [one for node in self.nodes for one in new.get(node.name, [node])]
        del self.nodes[:]
        self.nodes.extend(nodes)
        return True


Change = Callable[[_Graph], bool]


def _apply(model: ModelProto, change: Change) -> bool:
    """Apply a change until it finds nothing more. Returns True if it found anything."""
    found = False
    while change(_read(model)):
        found = True
    return found


def _read(model: ModelProto) -> _Graph:
    for number, node in enumerate(model.graph.node):
        node.name = node.name or f"node_{number}"
    readers: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        for name in dict.fromkeys(node.input):
            readers.setdefault(name, []).append(node)
    inferred = onnx.shape_inference.infer_shapes(model).graph
    shapes = {
        value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*inferred.value_info, *inferred.input)
    }
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    return _Graph(model, constants, readers, shapes)


def attributes_of(node: NodeProto) -> dict[str, Any]:
    """Return the attributes of a node as Python values, text as bytes."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def _one_hots(graph: _Graph) -> Iterator[tuple[NodeProto, int]]:
    """OneHots of zeros and ones along a new last axis, with their depths."""
    for node in graph.nodes:
        if node.op_type == "OneHot" and node.input[1] in graph.constants:
            off_on = graph.constants.get(node.input[2])
            if off_on is not None and off_on.tolist() == [0, 1] and attributes_of(node).get("axis", -1) == -1:
                yield node, int(graph.constants[node.input[1]].item())


def _gather_rows(graph: _Graph) -> bool:
    for one_hot, depth in _one_hots(graph):
        for node in graph.readers.get(one_hot.output[0], []):
            kernel = graph.constants.get(node.input[1]) if node.op_type == "MatMul" else None
            if kernel is None or kernel.ndim != 2 or len(kernel) != depth or node.input[0] != one_hot.output[0]:
                continue
            rows = helper.make_node("Gather", [node.input[1], one_hot.input[0]], node.output, name=node.name, axis=0)
            unused = graph.only_reader(one_hot) is not None
            return graph.replace({node.name: [rows], **({one_hot.name: []} if unused else {})})
    return False


def _plain_ids(graph: _Graph) -> bool:
    """Keras takes ids + rows where ids < 0, and ids elsewhere, as sums of products with casts of comparisons."""
    makers = {name: node for node in graph.nodes for name in node.output}

    def made(name: str, kind: str) -> NodeProto | None:
        node = makers.get(name)
        return node if node is not None and node.op_type == kind else None

    def factor(product: NodeProto | None, kind: str) -> tuple[str, str] | None:
        """Return of a product of a number and a cast of `kind` the number and what the cast is of."""
        for cast, other in (product.input, reversed(product.input)) if product is not None else ():
            source = made(cast, "Cast")
            if source is not None and made(source.input[0], kind) is not None:
                return other, source.input[0]
        return None

    for node in graph.nodes:
        total = made(node.input[1], "Add") if node.op_type == "Gather" else None
        for first, second in (total.input, reversed(total.input)) if total is not None else ():
            kept, moved = factor(made(first, "Mul"), "Not"), factor(made(second, "Mul"), "Less")
            if kept is None or moved is None or makers[kept[1]].input[0] != moved[1]:
                continue
            ids, (compared, zero), shifted = kept[0], makers[moved[1]].input, made(moved[0], "Add")
            wide = made(compared, "Cast")
            rows = (
                [graph.constants[name].tolist() for name in shifted.input if name in graph.constants] if shifted else []
            )
            if (
                ids in (compared, wide.input[0] if wide is not None else "")
                and np.all(graph.constants.get(zero, 1) == 0)
                and shifted is not None and ids in shifted.input
                and rows == [len(graph.constants.get(node.input[0], []))]
            ):  # fmt: skip
                axis = attributes_of(node).get("axis", 0)
                plain = helper.make_node("Gather", [node.input[0], ids], node.output, name=node.name, axis=axis)
                graph.replace({node.name: [plain]})
                _drop_dead(graph.model)
                return True
    return False


def _drop_dead(model: ModelProto) -> None:
    """Take out the nodes whose results nothing reads, in place."""
    wanted, nodes = {value.name for value in model.graph.output}, []
    for node in reversed(model.graph.node):
        if wanted & set(node.output):
            wanted |= set(node.input)
            nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(reversed(nodes))


def _scalar_depth(graph: _Graph) -> bool:
    for node in graph.nodes:
        depth = graph.constants.get(node.input[1]) if node.op_type == "OneHot" else None
        if depth is not None and depth.ndim:
            node.input[1] = graph.constant(node.name, depth.reshape(()))
            return True
    return False


def _transpose_first(graph: _Graph) -> bool:
    for pad in graph.nodes:
        if pad.op_type != "Pad" or len(pad.input) > 3 or pad.input[1] not in graph.constants:
            continue
        transpose = graph.only_reader(pad)
        if transpose is None or transpose.op_type != "Transpose":
            continue
        perm = list(attributes_of(transpose)["perm"])
        pads = graph.constants[pad.input[1]].reshape(2, -1)[:, perm].ravel()
        inner = f"{pad.output[0]}_transposed"
        first = helper.make_node("Transpose", [pad.input[0]], [inner], name=transpose.name, perm=perm)
        rest = [inner, graph.constant(pad.name, pads), *pad.input[2:]]
        last = helper.make_node("Pad", rest, transpose.output, name=pad.name, **attributes_of(pad))
        return graph.replace({pad.name: [first, last], transpose.name: []})
    return False


def _reshape_for_transpose(graph: _Graph) -> bool:
    for node in graph.nodes:
        sizes = graph.shapes.get(node.input[0]) if node.op_type == "Transpose" else None
        perm = attributes_of(node).get("perm")
        if not sizes or perm is None or sizes.count(0) > 1:
            continue
        moved = [axis for axis in perm if sizes[axis] != 1]
        if moved == sorted(moved):
            shape = np.array([sizes[axis] or -1 for axis in perm], np.int64)
            inputs = [node.input[0], graph.constant(node.name, shape)]
            return graph.replace({node.name: [helper.make_node("Reshape", inputs, node.output, name=node.name)]})
    return False


def _one_reshape(graph: _Graph) -> bool:
    for node in graph.nodes:
        second = graph.only_reader(node) if node.op_type == "Reshape" else None
        if second is None or second.op_type != "Reshape" or second.input[0] != node.output[0]:
            continue
        shape = graph.constants.get(second.input[1])
        if shape is not None and 0 not in shape:  # a 0 keeps an axis of what comes in
            one = helper.make_node("Reshape", [node.input[0], second.input[1]], second.output, name=second.name)
            return graph.replace({node.name: [], second.name: [one]})
    return False


def transposed_pads(begin: Sequence[int], end: Sequence[int]) -> dict[str, list[int]]:
    """Return `pads` and `output_padding` of a ConvTranspose whose full output is cropped.

    The same pads at both ends are preferred, which more engines know, with an output padding for the difference.

    Args:
        begin: Rows to crop at the beginning of each axis; a negative number adds rows.
        end: Rows to crop at the end of each axis; a negative number adds rows.

    Returns:
        The attributes.
    """
    more = [max(b - e, 0) for b, e in zip(begin, end, strict=True)]
    ends = [e + m for e, m in zip(end, more, strict=True)]
    return {"pads": [*begin, *ends], **({"output_padding": more} if any(more) else {})}


def _crop_in_conv_transpose(graph: _Graph) -> bool:
    for conv in graph.nodes:
        cut = graph.only_reader(conv) if conv.op_type == "ConvTranspose" else None
        if cut is None or cut.op_type != "Slice" or any(name not in graph.constants for name in cut.input[1:] if name):
            continue
        attributes, rows = attributes_of(conv), [graph.constants[name].tolist() for name in cut.input[1:] if name]
        starts, ends, axes, steps = (*rows, *([list(range(len(rows[0])))] if len(rows) < 3 else []), [1], [1])[:4]
        crop = {axis % 4: (start, 0 if end >= TO_THE_END else -end)
                for axis, start, end in zip(axes, starts, ends, strict=True)}  # fmt: skip
        if any(step != 1 for step in steps) or any(side < 0 for sides in crop.values() for side in sides):
            continue  # an end counted from the beginning needs the size of the image
        images_alone = all(crop.get(axis, (0, 0)) == (0, 0) for axis in (0, 1))
        if not images_alone or attributes.get("auto_pad", b"NOTSET") != b"NOTSET":
            continue
        pads, more = attributes.pop("pads", [0] * 4), attributes.pop("output_padding", [0, 0])
        begin = [pads[i] + crop.get(i + 2, (0, 0))[0] for i in range(2)]
        end = [pads[i + 2] - more[i] + crop.get(i + 2, (0, 0))[1] for i in range(2)]
        new = transposed_pads(begin, end)
        strides = attributes.get("strides", [1, 1])
        if any(m >= stride for m, stride in zip(new.get("output_padding", [0, 0]), strides, strict=True)):
            continue  # which the standard does not allow
        cropped = helper.make_node("ConvTranspose", conv.input, cut.output, name=conv.name, **(attributes | new))
        return graph.replace({conv.name: [cropped], cut.name: []})
    return False


def _divide_images(graph: _Graph) -> bool:
    for div in graph.nodes:
        sizes = [graph.shapes.get(name, []) for name in div.input]
        if div.op_type != "Div" or [len(size) for size in sizes] != [2, 2] or not sizes[0][1] > sizes[1][1] == 1:
            continue
        shapes = [np.array([-1, size[1], 1, 1], np.int64) for size in sizes]
        images = [f"{div.name}_image_{i}" for i in range(2)]
        new = [
            helper.make_node("Reshape", [name, graph.constant(div.name, shape)], [image], name=image)
            for name, shape, image in zip(div.input, shapes, images, strict=True)
        ]
        after, result = graph.only_reader(div), f"{div.output[0]}_image"
        if after is not None and after.op_type == "Reshape" and _equal(graph.constants.get(after.input[1]), shapes[0]):
            divided = helper.make_node("Div", images, after.output, name=div.name)
            return graph.replace({div.name: [*new, divided], after.name: []})
        flat = graph.constant(div.name, shapes[0][:2])
        divided = helper.make_node("Div", images, [result], name=div.name)
        back = helper.make_node("Reshape", [result, flat], div.output, name=result)
        return graph.replace({div.name: [*new, divided, back]})
    return False


def _equal(found: Array | None, expected: Array) -> bool:
    return found is not None and np.array_equal(found, expected)


REWRITES: dict[str, Change] = {
    "Gather for OneHot and MatMul": _gather_rows,
    "ids as they are for Gather": _plain_ids,
    "a scalar depth of OneHot": _scalar_depth,
    "Pad after Transpose": _transpose_first,
    "pads of ConvTranspose for Slice": _crop_in_conv_transpose,
    "Div of [B, C] by [B, 1] with four axes": _divide_images,
    "Reshape for Transpose of axes of size one": _reshape_for_transpose,
    "one Reshape for two": _one_reshape,
}
