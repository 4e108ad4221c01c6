"""Opens the bytes of an .onnx file in ONNX Runtime, or says in one line why they cannot be trusted.

ONNX Runtime is imported here and nowhere else, and only when the first generator is loaded.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from importlib import metadata
from typing import Any

from zoo.errors import ServeError
from zoo.manifest import Manifest
from zoo.tensor import Tensor

Session = Any  # onnxruntime.InferenceSession: the package ships no types
ONNX_TYPES = {"tensor(float)": "float32", "tensor(int32)": "int32", "tensor(int64)": "int64"}

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


def open_session(data: bytes, *, source: str, threads: int | None = None) -> Session:
    """A CPU session over the bytes of a self-contained model. `source` opens the message of errors.

    Raises ServeError: no ONNX Runtime, a damaged file, weights that lie in other files.
    """
    onnxruntime = import_onnxruntime()
    try:
        external = has_external_data(data)
    except ValueError as error:
        raise ServeError(f"{source}: not an ONNX file, or a damaged one ({error})") from error
    if external:
        raise ServeError(f"{source}: keeps weights in other files (external data): not trusted; export it whole")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only: the rest is written to stderr behind Python's back
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no base class but this one
        raise ServeError(f"{source}: ONNX Runtime cannot load it: {first_line(error)}") from error


def check_agreement(session: Session, manifest: Manifest, *, source: str) -> None:
    """The session's inputs and outputs are those of the manifest: names, types, sizes. Raises ServeError."""
    for side, found, stated in (
        ("input", session.get_inputs(), manifest.inputs),
        ("output", session.get_outputs(), manifest.outputs),
    ):
        nodes = {node.name: node for node in found}
        if set(nodes) != {tensor.name for tensor in stated}:
            names = ", ".join(tensor.name for tensor in stated)
            raise ServeError(f"{source}: the manifest states {side}s {names}; the model has {', '.join(nodes)}")
        for tensor in stated:
            node = nodes[tensor.name]
            if ONNX_TYPES.get(node.type) != tensor.dtype or not _same_shape(node.shape, tensor):
                raise ServeError(f"{source}: manifest states {side} {tensor}; the model has {node.type} {node.shape}")


def _same_shape(shape: list[int | str | None], tensor: Tensor) -> bool:
    return bool(shape) and not isinstance(shape[0], int) and tuple(shape[1:]) == tensor.shape[1:]


def import_onnxruntime() -> Any:
    """The onnxruntime module. Raises ServeError where it is missing; warns where two distributions share its folder."""
    try:
        import onnxruntime  # type: ignore[import-untyped, unused-ignore]
    except ImportError as error:
        if isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):  # Ctrl-C while its C++ part starts
            raise KeyboardInterrupt from error
        cure = 'install it with `pip install "gan-zoo[cpu]"`, or "gan-zoo[gpu]" for NVIDIA'
        raise ServeError(f"ONNX Runtime cannot be imported ({first_line(error)}); {cure}") from error
    if not hasattr(onnxruntime, "InferenceSession"):
        cure = 'uninstall onnxruntime and onnxruntime-gpu, then `pip install "gan-zoo[cpu]"` or "gan-zoo[gpu]"'
        raise ServeError(f"ONNX Runtime is half installed, one of its distributions was removed: {cure}")
    if _is_installed("onnxruntime") and _is_installed("onnxruntime-gpu"):
        clash = "onnxruntime and onnxruntime-gpu are both installed and overwrite each other's files: CUDA may be gone"
        warnings.warn(f"{clash}. Uninstall both, then install one of them", stacklevel=2)
    return onnxruntime


def _is_installed(distribution: str) -> bool:
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def has_external_data(model: bytes) -> bool:
    """Whether any tensor of an ONNX file points outside it. Raises ValueError when the bytes are no protobuf message.

    ONNX Runtime refuses `../` and absolute paths but follows hard links, and `onnx` is not a dependency at run time:
    hence this walk over the wire format. It skips the weights themselves, so it takes well under a millisecond.
    """
    if not model:
        raise ValueError("it is empty")
    pending = [("model", memoryview(model))]  # a list, not recursion: depth is the file's choice
    while pending:
        kind, message = pending.pop()
        for number, value in _fields(message):
            if kind == "tensor" and (number == EXTERNAL_DATA or (number == DATA_LOCATION and value != 0)):
                return True
            if number in MESSAGES[kind] and isinstance(value, memoryview):
                pending.append((MESSAGES[kind][number], value))
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(field number, varint or bytes) of one protobuf message; fixed 32 and 64 bit numbers are stepped over."""
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
            raise ValueError("it is no protobuf message")


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
    raise ValueError("it is no protobuf message")


def first_line(error: BaseException) -> str:
    """The first line of an error's text, or its kind where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
