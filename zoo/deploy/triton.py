"""A model repository for Triton Inference Server: NAME/config.pbtxt and NAME/1/model.onnx for every network.

Triton has no tensors of shape [batch]: its labels are [batch, 1], and it drops the second axis before the network.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.artifact.manifest import Manifest
from zoo.artifact.tensor import AXES, Tensor
from zoo.core.errors import ServeError
from zoo.core.files import write_whole
from zoo.deploy.notation import Word, pbtxt
from zoo.runtime.load import find_networks, read_network

TYPES = {"float32": Word("TYPE_FP32"), "int32": Word("TYPE_INT32"), "int64": Word("TYPE_INT64")}
MAX_BATCH = {"fixed": 64, "any_size": 4}  # images of any size may be large
MAX_QUEUE = 256  # requests; more are refused at once, not kept waiting
MAX_WAIT_MICROSECONDS = 2_000_000


@dataclass(frozen=True)
class Options:
    """How Triton shall run them."""

    max_batch: int | None = None  # rows in a request, and in a batch that Triton gathers; None is MAX_BATCH
    delay_microseconds: int = 3000  # how long a request waits for others to join its batch
    threads: int | None = None  # of one call on the CPU; None leaves it to ONNX Runtime
    gpu: bool = False
    precision: str | None = None  # float32, or a variant such as "fp16"; numbers travel as float32 all the same


def write(folder: str | os.PathLike[str], out: str | os.PathLike[str], options: Options) -> list[str]:
    """The repository `out` for the artifacts in `folder`. Returns the names. Raises ServeError before it writes.

    A model stands before its config.pbtxt does, each whole: a server that watches the folder never sees half of one.
    """
    networks = find_networks(folder, options.precision)
    source, repository = Path(folder).resolve(), Path(out).resolve()
    if source == repository or source in repository.parents:
        raise ServeError(f"{out}: lies in the folder of the artifacts themselves; name another one")
    for network in networks:
        version = repository / network.name / "1"
        version.mkdir(parents=True, exist_ok=True)
        write_whole(version / "model.onnx", read_network(network))
        write_whole(version.parent / "config.pbtxt", config(network.manifest, options).encode())
    return [network.name for network in networks]


def config(manifest: Manifest, options: Options) -> str:
    """The text of config.pbtxt for one network."""
    any_size = any(tensor.sizes for tensor in manifest.inputs)
    largest = options.max_batch or MAX_BATCH["any_size" if any_size else "fixed"]
    queue = {
        "timeout_action": Word("REJECT"),
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
        "instance_group": {"kind": Word("KIND_GPU" if options.gpu else "KIND_CPU"), "count": 1},
        "parameters": [{"key": key, "value": {"string_value": value}} for key, value in parameters.items()],
        **({"optimization": _cuda()} if options.gpu else {}),
        "model_warmup": [_warm_up(manifest, rows) for rows in sorted({1, largest})],
    })  # fmt: skip


def _tensor(tensor: Tensor) -> dict[str, Any]:
    """Without the batch axis, which Triton adds itself; an axis of any size is -1."""
    dims = [-1 if size in AXES else size for size in tensor.shape[1:]]
    described = {"name": tensor.name, "data_type": TYPES[tensor.dtype], "dims": dims or [1]}
    return described if dims else {**described, "reshape": {"shape": []}}


def _cuda() -> dict[str, Any]:
    """What `zoo.load` asks of CUDA, for the same numbers and no seconds of search for each new batch size.

    This is the documented place for the search. The backend reads the parameter of the same name after it, and where
    that is not there goes back to trying every algorithm, so both are written: 1 is HEURISTIC there.
    """
    options = {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}
    parameters = [{"key": key, "value": value} for key, value in options.items()]
    return {"execution_accelerators": {"gpu_execution_accelerator": [{"name": "cuda", "parameters": parameters}]}}


def _warm_up(manifest: Manifest, rows: int) -> dict[str, Any]:
    """Zeros, because random numbers are no classes."""
    inputs = []
    for tensor in manifest.inputs:
        trained = {axis: size["trained"] for axis, size in (tensor.sizes or {}).items()}
        dims = [trained[size] if isinstance(size, str) else size for size in tensor.shape[1:]]
        value = {"data_type": TYPES[tensor.dtype], "dims": dims or [1], "zero_data": True}
        inputs.append({"key": tensor.name, "value": value})
    return {"name": f"batch_{rows}", "batch_size": rows, "inputs": inputs}
