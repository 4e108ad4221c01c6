"""Variants of exported networks in other precisions, in the same folder: `zoo convert exported/dcgan --precision fp16`.

    generator.onnx  ->  generator_fp16.onnx

In half precision weights and arithmetic have 11 bits and the file half the size; inputs and outputs stay float32. ONNX
Runtime's own converter does it, which is well kept. Its known faults are repaired here: it clips weights silently, does
not notice what overflows inside, keeps operators in float32 by an old list instead of by the standard, and leaves nodes
out of order, under names of its own.

A variant is compared with the float32 file and with Keras's golden vectors, and stated in manifest and card as the
float32 file is. Needs `onnx` and ONNX Runtime, nothing that trains.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto

import zoo
from zoo.artifact.manifest import Manifest, choose_manifest, read_manifests, write_manifests
from zoo.core.arrays import Array
from zoo.core.errors import ExportError, UsageError
from zoo.core.files import sha256_file, write_whole
from zoo.export import onnx_graph
from zoo.report.card import tensor_table
from zoo.runtime import parity
from zoo.runtime.generator import Generator
from zoo.runtime.session import import_onnxruntime, open_session

LARGEST = float(np.finfo(np.float16).max)


def halved(data: bytes) -> bytes:
    """Convert an .onnx file to half precision.

    Args:
        data: The bytes of a float32 file.

    Returns:
        The bytes of the variant, equal for equal files; its metadata have `gan.precision` besides.

    Raises:
        ExportError: Half precision cannot hold a weight.
    """
    model = onnx.load_from_string(data)
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            _check_size(float(np.abs(onnx.numpy_helper.to_array(tensor)).max(initial=0)), f"weights '{tensor.name}'")
    shapes = {value.name: [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
              for value in (*model.graph.input, *model.graph.output)}  # fmt: skip
    words = {value.name: value.doc_string for value in (*model.graph.input, *model.graph.output)}
    words[""] = model.graph.doc_string
    half = _converter().convert_float_to_float16(model, keep_io_types=True, op_block_list=_without_half(model))
    _sort(half)
    return onnx_graph.clean(
        half, name=model.graph.name, inputs=[value.name for value in model.graph.input],
        outputs=[value.name for value in model.graph.output], shapes=shapes, words=words,
        producer=model.producer_version,
        metadata={entry.key: entry.value for entry in model.metadata_props} | {"gan.precision": "fp16"},
    )  # fmt: skip


def check_range(data: bytes, feeds: Mapping[str, Mapping[str, Array]]) -> None:
    """Check that all numbers inside a network fit into half precision.

    On a CPU ONNX Runtime computes in float32, whatever the file states: the outputs of a variant would not show it.

    Args:
        data: The bytes of the float32 file.
        feeds: Case -> name of an input -> array.

    Raises:
        ExportError: A number inside is too large; the message names the tensor and the case.
    """
    model = onnx.load_from_string(data)
    outputs = {value.name for value in model.graph.output}
    inner = [name for node in model.graph.node for name in node.output if name and name not in outputs]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in inner)
    session = open_session(model.SerializeToString(), source=model.graph.name)
    for case, feed in feeds.items():
        for name, array in zip(inner, session.run(inner, feed) if inner else (), strict=True):
            if array.dtype == np.float32:
                _check_size(float(np.abs(array).max(initial=0)), f"'{name}' of case {case}")


def _check_size(size: float, what: str) -> None:
    if not size <= LARGEST:
        raise ExportError(f"half precision ends at {LARGEST:g}, and {what} reaches {size:g}: it stays float32")


def _converter() -> Any:
    path = list(sys.path)
    import_onnxruntime()  # as the zoo imports it, without telemetry
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
    """Put each node behind those whose outputs it reads, and keep the order otherwise."""
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


# Of the output's range: four of 255 grey levels. In what is shipped, weights of 11 bits move a pixel by at most 0.1
# (wgan_gp) to 1.5 levels (progressive); arithmetic of 11 bits with sums in float32, as GPUs have it, by 0.3 to 4.8.
TOLERANCE = 1 / 64
BEYOND = ("all_+10", "all_-10")  # latents that no prior draws: they must stay finite, not close


def add_variant(folder: Path, precision: str, *, network: str | None = None) -> tuple[list[Manifest], bool]:
    """Write a variant of the networks of an artifact beside them, and state it in manifest and card.

    Args:
        folder: The folder of the artifact.
        precision: "fp16".
        network: The name of one network; None stands for all.

    Returns:
        The manifests of these networks, and False if the card was edited by hand, or is missing, and was left alone.

    Raises:
        ExportError: A variant is not close to the float32 file, or half precision cannot hold it. Nothing is changed.
        ServeError: The folder is not an artifact, a file of it was changed, or there is no such network.
        UsageError: The file name of the variant belongs to another network.
    """
    before = read_manifests(folder)
    chosen = before if network is None else [choose_manifest(before, network, source=str(folder))]
    files = [manifest.file for manifest in before]
    made = {manifest.file: _variant(folder, manifest, precision, files) for manifest in chosen}
    after = [made[manifest.file][0] if manifest.file in made else manifest for manifest in before]
    for manifest, data in made.values():
        write_whole(folder / manifest.file_of(precision), data)
    write_manifests(after, folder)
    return [manifest for manifest, _ in made.values()], _update_card(folder / "README.md", before, after)


def _variant(folder: Path, manifest: Manifest, precision: str, files: Sequence[str]) -> tuple[Manifest, bytes]:
    """The manifest of one network with its variant, and the variant's bytes; `files` are those of all networks."""
    name = f"{Path(manifest.file).stem}_{precision}.onnx"
    if name in files:
        raise UsageError(f"{folder}: {name} is another network of it")
    generator = zoo.load(folder, network=manifest.network or None)  # it checks that the file is the one stated
    cases = _reference_cases(generator, folder)
    data = (folder / manifest.file).read_bytes()
    check_range(data, {case: sides["input"] for case, sides in cases.items()})
    variant = halved(data)
    close = {case: sides for case, sides in cases.items() if case not in BEYOND}
    with tempfile.TemporaryDirectory() as scratch:
        file = write_whole(Path(scratch) / name, variant)
        tolerance = TOLERANCE * _output_range(manifest, close)
        figures = parity.check_parity(
            file, close, tolerance=tolerance, name=f"{manifest.model} in {precision}", to=manifest.file
        )
        hashes = {**manifest.files, name: sha256_file(file)}
    stated = {**manifest.variants, precision: {"file": name, "bytes": len(variant), "parity": figures}}
    return replace(manifest, files=hashes, variants=stated), variant


def _reference_cases(generator: Generator, folder: Path) -> parity.Cases:
    """Outputs of the float32 file for the inputs of a parity check, and Keras's for the golden inputs."""
    manifest = generator.manifest
    cases: parity.Cases = {
        case: {"input": inputs, "output": generator.all(**inputs)}
        for case, inputs in parity.make_cases(manifest).items()
    }
    return cases | parity.golden_cases(manifest, folder)


def _output_range(manifest: Manifest, cases: parity.Cases) -> float:
    """The width of the stated range of the output, or else of the outputs of the cases."""
    if len(manifest.outputs) == 1 and manifest.outputs[0].range:
        low, high = manifest.outputs[0].range
    else:
        outputs = [array for sides in cases.values() for array in sides["output"].values()]
        low, high = min(float(array.min()) for array in outputs), max(float(array.max()) for array in outputs)
    return high - low


def _update_card(readme: Path, before: Sequence[Manifest], after: Sequence[Manifest]) -> bool:
    """Update the variants table in the model card. Returns False if the card was edited by hand, or is missing."""
    if not readme.is_file():
        return False
    text = readme.read_text("utf-8")
    for old, new in zip(before, after, strict=True):
        if tensor_table(old) not in text:
            return False
        text = text.replace(tensor_table(old), tensor_table(new))
    write_whole(readme, text.encode())
    return True
