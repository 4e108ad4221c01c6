"""A network in half precision: weights and arithmetic of 11 bits, half the size; inputs and outputs stay float32.

ONNX Runtime's own converter does it, the one that is kept up. What it is known for is made good here: it clips weights
in silence, cannot see what overflows inside, keeps operators back by an old list instead of by what the standard
allows, and leaves nodes out of order, under names of its own. Needs `onnx`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto

from zoo import onnx_graph
from zoo.arrays import Array
from zoo.errors import ExportError
from zoo.session import open_session

LARGEST = float(np.finfo(np.float16).max)


def halved(data: bytes) -> bytes:
    """The .onnx file in half precision, its metadata with `gan.precision` added; equal bytes for equal bytes.

    Raises ExportError for weights that half precision cannot hold.
    """
    model = onnx.load_from_string(data)
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            _check(float(np.abs(onnx.numpy_helper.to_array(tensor)).max(initial=0)), f"weights '{tensor.name}'")
    shapes = {value.name: [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
              for value in (*model.graph.input, *model.graph.output)}  # fmt: skip
    made = _converter().convert_float_to_float16(model, keep_io_types=True, op_block_list=_without_half(model))
    _sort(made)
    return onnx_graph.clean(
        made, name=model.graph.name, inputs=[value.name for value in model.graph.input],
        output=model.graph.output[0].name, shapes=shapes, producer=model.producer_version,
        metadata={entry.key: entry.value for entry in model.metadata_props} | {"gan.precision": "fp16"},
    )  # fmt: skip


def check_range(data: bytes, feeds: Mapping[str, Mapping[str, Array]]) -> None:
    """Raises ExportError where a float32 network, fed with `feeds`, computes a number beyond half precision.

    ONNX Runtime computes in float32 on a CPU, whatever the file says: its outputs would not tell.
    """
    model = onnx.load_from_string(data)
    stated = {value.name for value in model.graph.output}
    inner = [name for node in model.graph.node for name in node.output if name and name not in stated]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in inner)
    session = open_session(model.SerializeToString(), source=model.graph.name)
    for case, feed in feeds.items():
        for name, array in zip(inner, session.run(inner, feed) if inner else (), strict=True):
            if array.dtype == np.float32:
                _check(float(np.abs(array).max(initial=0)), f"'{name}' of case {case}")


def _check(size: float, what: str) -> None:
    if not size <= LARGEST:
        raise ExportError(f"half precision ends at {LARGEST:g}, and {what} reaches {size:g}: it stays float32")


def _converter() -> Any:
    path = list(sys.path)
    try:
        from onnxruntime.transformers import float16  # type: ignore[import-untyped, unused-ignore]
    finally:
        sys.path[:] = path  # that package puts its folder on the path, and with it modules named `metrics`, `optimizer`
    return float16


def _without_half(model: ModelProto) -> list[str]:
    """The operators in a graph that the standard does not define for half precision: they stay float32."""
    opset = next(entry.version for entry in model.opset_import if not entry.domain)
    schemas = {node.op_type: onnx.defs.get_schema(node.op_type, opset) for node in model.graph.node}
    return [
        kind for kind, schema in schemas.items()
        if not any("tensor(float16)" in constraint.allowed_type_strs for constraint in schema.type_constraints)
    ]  # fmt: skip


def _sort(model: ModelProto) -> None:
    """Nodes after those that they read; otherwise in their order."""
    graph = model.graph
    known = {"", *(value.name for value in graph.input), *(tensor.name for tensor in graph.initializer)}
    waiting, nodes = list(graph.node), list[NodeProto]()
    while waiting:
        node = next(node for node in waiting if known.issuperset(node.input))
        waiting.remove(node)
        nodes.append(NodeProto.FromString(node.SerializeToString()))
        known.update(node.output)
    del graph.node[:]
    graph.node.extend(nodes)
