"""A model repository for Triton Inference Server: NAME/config.pbtxt and NAME/1/model.onnx for every network.

Triton has no tensors of shape [batch]: its labels are [batch, 1], and it drops the second axis before the network.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.artifact.manifest import Manifest
from zoo.artifact.tensor import Tensor
from zoo.core.errors import ServeError
from zoo.core.files import write_whole
from zoo.runtime.inputs import row_shape
from zoo.runtime.load import find_networks, read_network


class EnumValue(str):
    """A value of a protobuf enum: its text format has no quotes."""

    __slots__ = ()


TYPES = {"float32": EnumValue("TYPE_FP32"), "int32": EnumValue("TYPE_INT32"), "int64": EnumValue("TYPE_INT64")}
MAX_BATCH = {"fixed": 64, "any_size": 4}  # images of any size may be large
MAX_QUEUE = 256  # requests; more are refused at once, not kept waiting
MAX_WAIT_MICROSECONDS = 2_000_000


@dataclass(frozen=True)
class Options:
    """Options of all networks of a repository."""

    max_batch: int | None = None  # rows in a request, and in a batch that Triton gathers; None is MAX_BATCH
    delay_microseconds: int = 3000  # that a request waits for others to join its batch
    threads: int | None = None  # of one call on the CPU; None leaves it to ONNX Runtime
    gpu: bool = False
    precision: str | None = None  # float32, or a variant such as "fp16"; requests are float32 all the same


def write(folder: str | os.PathLike[str], out: str | os.PathLike[str], options: Options) -> list[str]:
    """Write a model repository.

    A model is written before its config.pbtxt, each whole: a server that watches the folder never sees half of one.

    Args:
        folder: A folder of artifacts, or a single one; its networks are verified.
        out: The repository; other models in it stay.
        options: Options of all networks.

    Returns:
        The names of the networks.

    Raises:
        ServeError: There is no network, one that cannot be trusted or served, or `out` lies in `folder`. Nothing was
            written.
    """
    networks = find_networks(folder, options.precision)
    source, repository = Path(folder).resolve(), Path(out).resolve()
    if source == repository or source in repository.parents:
        raise ServeError(f"{out}: lies in the folder of the artifacts; name another one")
    for network in networks:
        version = repository / network.name / "1"
        version.mkdir(parents=True, exist_ok=True)
        write_whole(version / "model.onnx", read_network(network))
        write_whole(version.parent / "config.pbtxt", config(network.manifest, options).encode())
    return [network.name for network in networks]


def config(manifest: Manifest, options: Options) -> str:
    """Return the text of config.pbtxt for one network."""
    any_size = any(tensor.sizes for tensor in manifest.inputs)
    largest = options.max_batch or MAX_BATCH["any_size" if any_size else "fixed"]
    queue = {
        "timeout_action": EnumValue("REJECT"),
        "default_timeout_microseconds": MAX_WAIT_MICROSECONDS,
        "allow_timeout_override": True,
        "max_queue_size": MAX_QUEUE,
    }
    parameters = {} if options.threads is None else {"intra_op_thread_count": str(options.threads)}
    if options.gpu:
        parameters |= {"cudnn_conv_algo_search": "1"}
    return pbtxt({
        "name": manifest.model,
        "backend": "onnxruntime",
        "max_batch_size": largest,
        "input": [_tensor(tensor) for tensor in manifest.inputs],
        "output": [_tensor(tensor) for tensor in manifest.outputs],
        "dynamic_batching": {
            "max_queue_delay_microseconds": options.delay_microseconds,
            "default_queue_policy": queue,
        },
        "instance_group": {"kind": EnumValue("KIND_GPU" if options.gpu else "KIND_CPU"), "count": 1},
        "parameters": [{"key": key, "value": {"string_value": value}} for key, value in parameters.items()],
        **({"optimization": _cuda()} if options.gpu else {}),
        "model_warmup": [_warm_up(manifest, rows) for rows in sorted({1, largest})],
    })  # fmt: skip


def _tensor(tensor: Tensor) -> dict[str, Any]:
    """Describe an input or output without the batch axis, which Triton adds itself; an axis of any size is -1."""
    dims = [-1 if isinstance(size, str) else size for size in tensor.shape[1:]]
    described = {"name": tensor.name, "data_type": TYPES[tensor.dtype], "dims": dims or [1]}
    return described if dims else {**described, "reshape": {"shape": []}}


def _cuda() -> dict[str, Any]:
    """Set the options of CUDA as `zoo.load` does: the same numbers, and no seconds of search for each new batch size.

    This is the documented place for the search. The backend reads the parameter of the same name after it, and tries
    every algorithm where that parameter is missing, so both are written: 1 is HEURISTIC there.
    """
    options = {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}
    parameters = [{"key": key, "value": value} for key, value in options.items()]
    return {"execution_accelerators": {"gpu_execution_accelerator": [{"name": "cuda", "parameters": parameters}]}}


def _warm_up(manifest: Manifest, rows: int) -> dict[str, Any]:
    """Describe a warm-up with zeros: random numbers are not class ids. Images have the size of training."""
    inputs = []
    for tensor in manifest.inputs:
        value = {"data_type": TYPES[tensor.dtype], "dims": [*row_shape(tensor)] or [1], "zero_data": True}
        inputs.append({"key": tensor.name, "value": value})
    return {"name": f"batch_{rows}", "batch_size": rows, "inputs": inputs}


def pbtxt(fields: Mapping[str, Any], indent: str = "") -> str:
    """Return protobuf's text format: a mapping is a message, a list a repeated field; empty lists are left out."""
    lines = []
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Mapping):
                lines.append(f"{indent}{name} {{\n{pbtxt(one, indent + '  ')}{indent}}}\n")
            else:
                scalar = one if isinstance(one, EnumValue) else json.dumps(one, ensure_ascii=False)
                lines.append(f"{indent}{name}: {scalar}\n")
    return "".join(lines)
