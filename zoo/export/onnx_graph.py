"""tf2onnx's graph -> a clean, reproducible ONNX file: stable names, named axes, metadata, words, an IR to match.

tf2onnx invents a new name for the batch axis at every export and leaves TensorFlow's names on every tensor; two exports
of the same weights would differ. Here every name follows from the order of the nodes alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

import onnx
from onnx import ModelProto

from zoo.core.errors import ExportError
from zoo.export.opset import ir_version

BATCH = "batch"


def clean(
    model: ModelProto, *, name: str, inputs: Sequence[str], outputs: Sequence[str], metadata: Mapping[str, str],
    producer: str, shapes: Mapping[str, Sequence[int | str]] | None = None, words: Mapping[str, str] | None = None,
) -> bytes:  # fmt: skip
    """Clean a converted graph.

    Args:
        model: The graph of a converter.
        name: The name of the graph.
        inputs: The names of the inputs, in the order of the spec.
        outputs: The names of the outputs, in the order of the spec.
        metadata: Metadata of the file.
        producer: The version of gan-zoo.
        shapes: Input or output -> shape, in which words are names of dynamic axes; the batch is dynamic anyway.
        words: Doc strings: input or output -> text; that of the graph stands under an empty name.

    Returns:
        The bytes of the file.

    Raises:
        ExportError: The graph has other inputs, outputs or dynamic axes, or is not valid.
    """
    graph = model.graph
    received = ([i.name for i in graph.input], [o.name for o in graph.output])
    if (sorted(received[0]), sorted(received[1])) != (sorted(inputs), sorted(outputs)):
        raise ExportError(f"expected inputs {list(inputs)} and outputs {list(outputs)}, the converter made {received}")
    result = ModelProto(producer_name="gan-zoo", producer_version=producer)
    result.opset_import.extend(o for o in model.opset_import if o.domain == "")
    result.ir_version = ir_version(next(entry.version for entry in result.opset_import))
    result.graph.name = name
    by_name = {i.name: i for i in graph.input}
    result.graph.input.extend(by_name[i] for i in inputs)
    made = {o.name: o for o in graph.output}
    result.graph.output.extend(made[o] for o in outputs)
    result.graph.node.extend(graph.node)
    result.graph.initializer.extend(graph.initializer)
    name_axes(result, shapes or {})
    _rename(result)
    _drop_unused(result)
    words = words or {}
    result.graph.doc_string = words.get("", "")
    for value in (*result.graph.input, *result.graph.output):
        value.doc_string = words.get(value.name, "")
    result.graph.initializer.sort(key=lambda tensor: tensor.name)
    for key in sorted(metadata):
        result.metadata_props.add(key=key, value=metadata[key])
    try:
        onnx.checker.check_model(result, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"the converted graph is not valid ONNX: {error}") from error
    return result.SerializeToString(deterministic=True)


def name_axes(model: ModelProto, shapes: Mapping[str, Sequence[int | str]]) -> None:
    """Name the dynamic axes of inputs and outputs, in place.

    Args:
        model: A graph, which a converter has traced at fixed sizes.
        shapes: Input or output -> shape, in which words are names of dynamic axes; the batch is dynamic anyway.

    Raises:
        ExportError: Another axis is dynamic.
    """
    if any(isinstance(size, str) for shape in shapes.values() for size in shape[1:]):
        del model.graph.value_info[:]  # they have the traced sizes
    for value in (*model.graph.input, *model.graph.output):
        axes = value.type.tensor_type.shape.dim
        if not axes:
            raise ExportError(f"'{value.name}' has no batch axis")
        stated = dict(enumerate(shapes.get(value.name, ())))
        named = {i: size for i, size in stated.items() if isinstance(size, str)}
        for i, word in {**named, 0: BATCH}.items():
            axes[i].Clear()
            axes[i].dim_param = word
        for i, axis in enumerate(axes):
            size = stated.get(i)
            if i not in named and not axis.HasField("dim_value") and isinstance(size, int):
                axis.Clear()  # a converter does not know the sizes behind a dense layer on images
                axis.dim_value = size
        if any(not axis.HasField("dim_value") for i, axis in enumerate(axes) if i and i not in named):
            raise ExportError(f"only the batch axis of '{value.name}' may be dynamic")


def _rename(model: ModelProto) -> None:
    """Rename tensors to conv_3 (of node 3, a Conv) and w_<shape>_<hash>_<type>; inputs and outputs keep their names."""
    graph = model.graph
    kept = {value.name for value in (*graph.input, *graph.output)}
    names: dict[str, str] = {}
    for tensor in graph.initializer:
        content = onnx.numpy_helper.to_array(tensor).tobytes()
        shape = "x".join(map(str, tensor.dims)) or "scalar"
        names[tensor.name] = f"w_{shape}_{hashlib.sha256(content).hexdigest()[:12]}_{tensor.data_type}"
    for number, node in enumerate(graph.node):
        kind = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", node.op_type).lower()
        node.name, node.doc_string = f"{kind}_{number}", ""
        for i, out in enumerate(node.output):
            if out and out not in kept:  # an empty name is an optional output that is not used
                names[out] = node.name if i == 0 else f"{node.name}_{i}"
    for node in graph.node:
        for side in (node.input, node.output):
            side[:] = [names.get(value, value) for value in side]
    for tensor in graph.initializer:
        tensor.name = names[tensor.name]


def _drop_unused(model: ModelProto) -> None:
    """Remove initialisers that no node reads, and copies of the same one (equal content has an equal name)."""
    read = {value for node in model.graph.node for value in node.input}
    unique = {tensor.name: tensor for tensor in model.graph.initializer if tensor.name in read}
    tensors = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in unique.values()]
    del model.graph.initializer[:]
    model.graph.initializer.extend(tensors)
