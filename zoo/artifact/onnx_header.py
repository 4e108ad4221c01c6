"""The header of an .onnx file: the metadata that an export writes, and a reader of the protobuf wire format.

    onnx_metadata(manifest)     what stands in the file
    doc_strings(manifest)       the same in words, for viewers of graphs
    header(model)               versions, metadata and operators of a file
    has_external_data(model)    a trap: weights in other files

`onnx` is not a dependency at run time, and ONNX Runtime reports nothing before it has loaded a file. Weights are
stepped over, so that reading takes well under a millisecond. Standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from zoo.artifact.manifest import Manifest
from zoo.artifact.tensor import Tensor

# Where a TensorProto can stand inside a ModelProto: message -> {field number: message in that field} (onnx.proto).
MESSAGES = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
EXTERNAL_DATA, DATA_LOCATION = 13, 14  # fields of TensorProto
IR_VERSION, GRAPH, OPSET, METADATA = 1, 7, 8, 14  # fields of ModelProto
NODE, OP_TYPE = 1, 4  # of GraphProto, of NodeProto
DOMAIN, VERSION = 1, 2  # of OperatorSetIdProto
KEY, VALUE = 1, 2  # of StringStringEntryProto


@dataclass(frozen=True)
class Header:
    """The facts that an .onnx file states about itself.

    Attributes:
        ir_version: The version of the file format.
        opset: The version of the operators of ONNX itself.
        metadata: metadata_props, such as "gan.manifest".
        operators: Kind -> number of nodes of the main graph, most frequent first.
    """

    ir_version: int = 0
    opset: int = 0
    metadata: dict[str, str] = field(default_factory=dict)
    operators: dict[str, int] = field(default_factory=dict)


def header(model: bytes) -> Header:
    """Read the header of an ONNX file.

    Args:
        model: The bytes of the file.

    Returns:
        Its versions, metadata and operators.

    Raises:
        ValueError: The bytes are not an ONNX file.
    """
    ir_version, opset, metadata, counts = 0, 0, {}, dict[str, int]()
    for number, value in fields(_whole(model)):
        if number == IR_VERSION and isinstance(value, int):
            ir_version = value
        elif number == OPSET and isinstance(value, memoryview):
            entry = dict(fields(value))
            opset = opset if entry.get(DOMAIN) else _number(entry.get(VERSION))
        elif number == METADATA and isinstance(value, memoryview):
            entry = dict(fields(value))
            metadata[_text(entry.get(KEY))] = _text(entry.get(VALUE))
        elif number == GRAPH and isinstance(value, memoryview):
            for part, node in fields(value):
                if part == NODE and isinstance(node, memoryview):
                    kind = _text(dict(fields(node)).get(OP_TYPE))
                    counts[kind] = counts.get(kind, 0) + 1
    if not (ir_version and counts):
        raise ValueError("it does not hold a graph")
    return Header(ir_version, opset, metadata, dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))))


def onnx_metadata(manifest: Manifest) -> dict[str, str]:
    """Return the metadata_props of an ONNX file: the contract, and its main facts once more for human readers.

    Args:
        manifest: The manifest of the network in the file.

    Returns:
        Keys that begin with "gan." -> text; lists and objects are JSON. `gan.latent`, `gan.value_range`, `gan.layout`,
        `gan.channels` and `gan.classes` are absent where there is none; `gan.classes` of several inputs is an
        object with the names of each.
    """
    output = manifest.outputs[0]
    latent = {t.name: {"shape": t.shape[1:], "prior": t.prior} for t in manifest.inputs if t.prior}
    labels = {t.name: t.classes for t in manifest.inputs if t.classes}
    classes = next(iter(labels.values())) if len(labels) == 1 else labels
    return {
        "gan.manifest": manifest.contract(),
        "gan.name": manifest.name,
        "gan.title": manifest.title,
        "gan.spec_sha256": manifest.spec_sha256,
        "gan.license": manifest.licence,
        "gan.framework_versions": json.dumps(manifest.versions, ensure_ascii=False, sort_keys=True),
        **({"gan.latent": json.dumps(latent, ensure_ascii=False, sort_keys=True)} if latent else {}),
        **({"gan.value_range": f"{output.range[0]:g},{output.range[1]:g}"} if output.range else {}),
        **({"gan.layout": output.layout} if output.layout else {}),
        **({"gan.channels": output.channels} if output.channels else {}),
        **({"gan.classes": json.dumps(classes, ensure_ascii=False)} if classes else {}),
    }


def has_external_data(model: bytes) -> bool:
    """Return True if a tensor of an ONNX file keeps its data in another file.

    ONNX Runtime refuses `../` and absolute paths but follows hard links.

    Args:
        model: The bytes of the file.

    Returns:
        True for a tensor anywhere: in the graph, an attribute, a branch or a function.

    Raises:
        ValueError: The bytes are not a protobuf message.
    """
    pending = [("model", _whole(model))]  # a list, not recursion: depth is the file's choice
    while pending:
        kind, message = pending.pop()
        for number, value in fields(message):
            if kind == "tensor" and (number == EXTERNAL_DATA or (number == DATA_LOCATION and value != 0)):
                return True
            if number in MESSAGES[kind] and isinstance(value, memoryview):
                pending.append((MESSAGES[kind][number], value))
    return False


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield (field number, varint or bytes) of one protobuf message; fixed 32 and 64 bit numbers are stepped over."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        wire = key & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
        elif wire == 2:
            size, at = _varint(message, at)
            if at + size > len(message):
                raise ValueError("it ends too early")
            yield key >> 3, message[at : at + size]
            at += size
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        else:
            raise ValueError("it is not a protobuf message")


def doc_strings(manifest: Manifest) -> dict[str, str]:
    """Return the doc strings of an ONNX graph, its inputs and its output.

    Args:
        manifest: The manifest of the network in the file.

    Returns:
        Name of an input or output -> text: what it is, its range, layout and channels, and the formula of its pixels as
        bytes. An empty name -> the text of the graph: title, paper, data and their addresses.
    """
    paper, data = manifest.paper, manifest.data
    addresses = [f"https://arxiv.org/abs/{paper['arxiv']}" if paper.get("arxiv") else "", data.get("homepage", "")]
    sentences = [
        f"{manifest.title}: the network {manifest.model} of gan-zoo",
        ", ".join(str(paper[key]) for key in ("title", "authors", "year") if paper.get(key)),
        f"Trained with {data['title']}" if data.get("title") else "",
        f"Homepage: {', '.join(address for address in addresses if address)}" if any(addresses) else "",
    ]
    graph = ". ".join(sentence for sentence in sentences if sentence) + "."
    return {"": graph, **{tensor.name: _words(tensor) for tensor in (*manifest.inputs, *manifest.outputs)}}


def _words(tensor: Tensor) -> str:
    shape = f"{tensor.dtype} [{', '.join(map(str, tensor.shape))}]"
    if tensor.classes:
        named = ", ".join(f"{number} {name}" for number, name in enumerate(tensor.classes))
        return f"Class ids, {shape}: {named}."
    if tensor.text:
        return f"Ids of words, {shape}, 0 fills up, by {tensor.text['vocabulary']}: {tensor.text['rule_in_words']}."
    if tensor.prior:
        ((name, args),) = tensor.prior.items()
        stated = ", ".join(f"{key} {value}" for key, value in args.items())
        return f"Latents, {shape}, to draw from {name}{f' ({stated})' if stated else ''}."
    if not (tensor.is_image and tensor.range):
        return f"Values, {shape}."
    low, high = tensor.range
    order = f", channels {tensor.channels}" if tensor.channels else ""
    shifted = f"x - {low:g}".replace("- -", "+ ")
    return (
        f"Images, {shape}, layout {tensor.layout}{order}, from {low:g} (0) to {high:g} (255){tensor.rule()}. "
        f"As uint8: round(({shifted}) / {high - low:g} * 255)."
    )


def _whole(model: bytes) -> memoryview:
    if not model:
        raise ValueError("it is empty")
    return memoryview(model)


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """(number, place after it); seven bits a byte, lowest first."""
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("it ends too early")
        byte = message[at]
        number |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return number, at
    raise ValueError("it is not a protobuf message")


def _number(value: int | memoryview | None) -> int:
    return value if isinstance(value, int) else 0


def _text(value: int | memoryview | None) -> str:
    return bytes(value).decode("utf-8") if isinstance(value, memoryview) else ""  # UnicodeDecodeError is a ValueError
