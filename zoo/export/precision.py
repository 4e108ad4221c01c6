"""A network in half precision: weights and arithmetic of 11 bits, half the size; inputs and outputs stay float32.

ONNX Runtime's own converter does it, the one that is kept up. What it is known for is made good here: it clips weights
in silence, cannot see what overflows inside, keeps operators back by an old list instead of by what the standard
allows, and leaves nodes out of order, under names of its own. Needs `onnx`.

Other precisions of an exported network, in the same folder, checked and stated as the float32 file is.

    generator.onnx  ->  generator_fp16.onnx        `zoo convert exported/dcgan --precision fp16`

The float32 file is the reference, and Keras's golden vectors are. Needs `onnx` and ONNX Runtime, nothing that trains.
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
from zoo.runtime.session import open_session

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


# Of the output's range: four of 255 grey levels. In what is shipped, weights of 11 bits move a pixel by at most 0.1
# (wgan_gp) to 1.5 levels (progressive); arithmetic of 11 bits with sums in float32, as GPUs have it, by 0.3 to 4.8.
TOLERANCE = 1 / 64
BEYOND = ("all_+10", "all_-10")  # latents that no prior draws: they must stay finite, not close


def add_variant(folder: Path, precision: str, *, network: str | None = None) -> tuple[list[Manifest], bool]:
    """Write a variant of all networks of an artifact, or of `network`. Returns the manifests, and whether a card told.

    Raises ExportError, and changes nothing, where a variant is not close to the float32 file.
    """
    everything = list(read_manifests(folder))
    chosen = everything if network is None else [choose_manifest(everything, network, source=str(folder))]
    made = {manifest.file: _variant(folder, manifest, precision, everything) for manifest in chosen}
    stated = [manifest if manifest.file not in made else made[manifest.file][0] for manifest in everything]
    for manifest in chosen:
        write_whole(folder / made[manifest.file][0].file_of(precision), made[manifest.file][1])
    write_manifests(stated if everything[0].network else stated[0], folder)
    return [made[manifest.file][0] for manifest in chosen], _tell(folder / "README.md", everything, stated)


def _variant(
    folder: Path, manifest: Manifest, precision: str, everything: Sequence[Manifest]
) -> tuple[Manifest, bytes]:
    """The manifest of one network with its variant, and the variant's bytes."""
    name = f"{Path(manifest.file).stem}_{precision}.onnx"
    if name in (one.file for one in everything):
        raise UsageError(f"{folder}: {name} is another network of it")
    generator = zoo.load(folder, network=manifest.network or None)  # verified: what it computes is what is stated
    tried = _tried(generator, folder)
    data = (folder / manifest.file).read_bytes()
    check_range(data, {case: sides["input"] for case, sides in tried.items()})
    made = halved(data)
    close = {case: sides for case, sides in tried.items() if case not in BEYOND}
    with tempfile.TemporaryDirectory() as scratch:
        file = write_whole(Path(scratch) / name, made)
        tolerance = TOLERANCE * _range(manifest, close)
        figures = parity.check_parity(
            file, close, tolerance=tolerance, name=f"{manifest.model} in {precision}", to=manifest.file
        )
        files = {**manifest.files, name: sha256_file(file)}
    variant = {"file": name, "bytes": len(made), "parity": figures}
    return replace(manifest, files=files, variants={**manifest.variants, precision: variant}), made


def _tried(generator: Generator, folder: Path) -> parity.Cases:
    """What the float32 file computes, and what Keras computed for the golden inputs."""
    manifest = generator.manifest
    output = manifest.outputs[0].name
    tried: parity.Cases = {
        case: {"input": inputs, "output": {output: generator(**inputs)}}
        for case, inputs in parity.make_cases(manifest).items()
    }
    if (golden := folder / manifest.golden).is_file():
        with np.load(golden, allow_pickle=False) as arrays:
            inputs = {name: arrays[name] for name in generator.inputs}
            tried["golden"] = {"input": inputs, "output": {output: arrays[output]}}
    return tried


def _range(manifest: Manifest, tried: parity.Cases) -> float:
    """The width of the output's range; of what is computed, where none is stated."""
    if manifest.outputs[0].range:
        low, high = manifest.outputs[0].range
    else:
        outputs = [array for sides in tried.values() for array in sides["output"].values()]
        low, high = min(float(array.min()) for array in outputs), max(float(array.max()) for array in outputs)
    return high - low


def _tell(readme: Path, before: Sequence[Manifest], after: Sequence[Manifest]) -> bool:
    """Put the variants into the model card, where it still says what the manifests said. Whether it did."""
    if not readme.is_file():
        return False
    text = readme.read_text("utf-8")
    for old, new in zip(before, after, strict=True):
        if tensor_table(old) not in text:
            return False
        text = text.replace(tensor_table(old), tensor_table(new))
    write_whole(readme, text.encode())
    return True
