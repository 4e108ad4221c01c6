"""JSON from strangers: read strictly, and its lists of numbers turned into arrays without trusting a shape.

The Open Inference Protocol v2: request bytes -> checked arrays, arrays -> response bytes. No web framework.

A request is JSON. With the binary-tensor extension the raw tensors follow it, little-endian, in the order of the
inputs that state a `binary_data_size`; the header `Inference-Header-Content-Length` says where the JSON ends.
Everything is checked here, before a request meets others in a batch, and nothing is allocated on the word of a shape.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NoReturn

import numpy as np

from zoo.artifact.manifest import Manifest
from zoo.artifact.tensor import Tensor
from zoo.core.arrays import Array
from zoo.core.registry import suggest
from zoo.runtime.inputs import check_input
from zoo.serve.errors import RefusedError, brief
from zoo.serve.settings import Settings


def read_json(text: bytes, *, hint: str = "") -> Any:
    """The value of a JSON text in UTF-8. No NaN, no Infinity, no key twice. Raises RefusedError."""
    try:
        return json.loads(text.decode(), parse_constant=_no_constant, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise RefusedError(
            f"the body is not JSON: line {error.lineno} column {error.colno}: {error.msg}{hint}"
        ) from error
    except UnicodeDecodeError as error:
        raise RefusedError(f"the body is not JSON: byte {error.start} is no UTF-8{hint}") from error
    except RecursionError as error:
        raise RefusedError("the body is nested too deeply") from error
    except ValueError as error:  # Python reads no whole numbers of more than 4300 digits
        raise RefusedError("the body holds a whole number that is too long") from error


def _no_constant(name: str) -> NoReturn:
    raise RefusedError(f"the body is not JSON: {name} is no number there")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) < len(pairs):
        twice = next(key for index, (key, _) in enumerate(pairs) if key in dict(pairs[:index]))
        raise RefusedError(f"the key {brief(twice)} is there twice")
    return keys


def nested_numbers(data: Any, shape: Sequence[int], dtype: str, *, where: str) -> Array:
    """The numbers of a flat list, or of lists nested as `shape` is: an array [count]. Raises RefusedError."""
    flat = _flattened(data, shape, where)
    allowed = {int, float} if dtype == "float32" else {int}
    if wrong := set(map(type, flat)) - allowed:
        kind = "numbers" if float in allowed else "whole numbers"
        first = next(value for value in flat if type(value) in wrong)
        raise RefusedError(f"{where}: data must be {kind}, received {brief(first)}")
    try:
        with np.errstate(over="ignore"):  # becomes infinity, which is refused later like any other
            return np.array(flat, dtype)
    except OverflowError as error:
        raise RefusedError(f"{where}: data has a number that is too large for {dtype}") from error


def _flattened(data: Any, shape: Sequence[int], where: str) -> list[Any]:
    if not isinstance(data, list):
        raise RefusedError(f"{where}: data must be a list of numbers, received {brief(data)}")
    count, level = math.prod(shape), data
    if data and isinstance(data[0], list):
        for axis, size in enumerate(shape[1:], start=1):
            if not all(isinstance(part, list) and len(part) == size for part in level):
                raise RefusedError(f"{where}: data is not nested as its shape {list(shape)} says (axis {axis})")
            level = list(chain.from_iterable(level))
    if len(level) != count:
        raise RefusedError(f"{where}: the shape {list(shape)} holds {count} numbers, data has {len(level)}")
    return level


LENGTH_HEADER = "Inference-Header-Content-Length"
DATATYPES = {"float32": "FP32", "int32": "INT32", "int64": "INT64"}
VERSION = "1"
NOT_OFFERED = ("classification", "shared_memory_region", "sequence_id", "sequence_start", "sequence_end")
BLOCK = 2**14  # numbers that become JSON text at a time: other threads run in between


@dataclass(frozen=True)
class Inference:
    """One checked request: an array per input, all of `rows` rows, and how the answer is wanted."""

    feed: dict[str, Array]
    rows: int
    id: str | None = None
    binary: bool = False  # the output as raw bytes
    seconds: float | None = None  # the client's own patience


def metadata(manifest: Manifest) -> dict[str, Any]:
    """What GET /v2/models/NAME answers."""
    return {
        "name": manifest.model,
        "versions": [VERSION],
        "platform": "onnxruntime_onnx",
        "inputs": [_described(tensor) for tensor in manifest.inputs],
        "outputs": [_described(tensor) for tensor in manifest.outputs],
    }


def _described(tensor: Tensor) -> dict[str, Any]:
    shape = [size if isinstance(size, int) else -1 for size in tensor.shape]
    return {"name": tensor.name, "datatype": DATATYPES[tensor.dtype], "shape": shape}


def decode(body: bytes, length: str | None, manifest: Manifest, settings: Settings) -> Inference:
    """The request in `body`; `length` is the header's value, None where it was not sent. Raises ServeError."""
    text, raw = _split(body, length)
    if len(text) > settings.max_json_bytes:
        limit = settings.max_json_bytes
        raise RefusedError(f"the JSON part may have {limit:,} bytes; send tensors as binary data instead", 413)
    hint = "" if length else f"; binary tensors need the header {LENGTH_HEADER}"
    request = _mapping(read_json(text, hint=hint), "the request", ("id", "parameters", "inputs", "outputs"))
    parameters = _parameters(request, "the request")
    name = request.get("id")
    if not (name is None or (isinstance(name, str) and len(name) <= 256)):
        raise RefusedError(f"id must be a string of at most 256 characters, received {brief(name)}")
    feed = _inputs(request.get("inputs"), raw, manifest, settings)
    rows = {tensor: len(array) for tensor, array in feed.items()}
    if len(set(rows.values())) > 1:
        raise RefusedError(f"the inputs differ in batch size: {', '.join(f'{k} has {v}' for k, v in rows.items())}")
    binary = _wants_binary(request.get("outputs"), parameters, manifest)
    return Inference(feed, rows[manifest.inputs[0].name], name, binary, _patience(parameters.get("timeout")))


def _split(body: bytes, length: str | None) -> tuple[bytes, memoryview]:
    """JSON, and the raw tensors behind it."""
    if not body:
        raise RefusedError("the body is empty: send an inference request as JSON")
    if length is None:
        return body, memoryview(b"")
    if not re.fullmatch("[0-9]{1,12}", length) or not 0 < int(length) <= len(body):
        raise RefusedError(f"{LENGTH_HEADER} must be in 1..{len(body)}, the body's bytes, received {brief(length)}")
    return body[: int(length)], memoryview(body)[int(length) :]


def _inputs(entries: Any, raw: memoryview, manifest: Manifest, settings: Settings) -> dict[str, Array]:
    if not isinstance(entries, list) or not entries:
        raise RefusedError(f"inputs must be a list of tensors, received {brief(entries)}")
    stated = {tensor.name: tensor for tensor in manifest.inputs}
    feed: dict[str, Array] = {}
    at = 0  # in the raw tensors
    for entry in entries:
        keys = _mapping(entry, "an input", ("name", "shape", "datatype", "parameters", "data"))
        tensor = _named(keys.get("name"), stated, feed, "input")
        count = _count(keys.get("shape"), tensor, settings)
        size = _parameters(keys, f"input '{tensor.name}'").get("binary_data_size")
        _check_datatype(keys.get("datatype"), tensor)
        if (size is None) == ("data" not in keys):
            raise RefusedError(f"input '{tensor.name}': needs either data or the parameter binary_data_size")
        if size is None:
            flat = nested_numbers(keys["data"], keys["shape"], tensor.dtype, where=f"input '{tensor.name}'")
        else:
            flat = _raw(raw[at:], size, count, tensor)
            at += size
        feed[tensor.name] = check_input(tensor, flat.reshape(keys["shape"]))
    if missing := [str(tensor) for name, tensor in stated.items() if name not in feed]:
        raise RefusedError(f"the request lacks the input {missing[0]}")
    if at != len(raw):
        raise RefusedError(f"{len(raw) - at} bytes follow the tensors that the request states")
    return {name: feed[name] for name in stated}


def _count(shape: Any, tensor: Tensor, settings: Settings) -> int:
    """How many numbers the shape holds, once it is one that the network takes."""
    where = f"input '{tensor.name}'"
    if not isinstance(shape, list) or not all(type(size) is int and size > 0 for size in shape):
        raise RefusedError(f"{where}: shape must be a list of whole numbers from 1 up, received {brief(shape)}")
    good = len(shape) == len(tensor.shape)
    if not good or any(s != t for s, t in zip(shape[1:], tensor.shape[1:], strict=True) if isinstance(t, int)):
        raise RefusedError(f"{where}: expected {tensor}, received the shape {brief(shape)}")
    if shape[0] > settings.max_rows:
        raise RefusedError(
            f"{where}: at most {settings.max_rows:,} rows in one request, received {brief(shape[0])}", 413
        )
    if tensor.sizes and shape[1] * shape[2] > settings.max_pixels:
        received = brief(shape[1:3])
        raise RefusedError(f"{where}: at most {settings.max_pixels:,} pixels in an image, received {received}", 413)
    return math.prod(shape)


def _check_datatype(datatype: Any, tensor: Tensor) -> None:
    expected = DATATYPES[tensor.dtype]
    if datatype != expected:
        raise RefusedError(f"input '{tensor.name}': datatype must be {expected}, received {brief(datatype)}")


def _raw(raw: memoryview, size: Any, count: int, tensor: Tensor) -> Array:
    """The first `size` bytes as `count` numbers: a view, which is copied only where it is not aligned."""
    dtype = np.dtype(tensor.dtype).newbyteorder("<")
    where, needed = f"input '{tensor.name}'", count * dtype.itemsize
    if type(size) is not int or size != needed:
        raise RefusedError(f"{where}: its shape needs binary_data_size {needed}, received {brief(size)}")
    if len(raw) < needed:
        raise RefusedError(f"{where}: needs {needed} bytes of binary data, {len(raw)} are left in the body")
    return np.require(np.frombuffer(raw, dtype, count), tensor.dtype, ["C", "A"])


def _wants_binary(outputs: Any, parameters: Mapping[str, Any], manifest: Manifest) -> bool:
    usual = _flag(parameters.get("binary_data_output", False), "binary_data_output")
    if outputs is None or outputs == []:
        return usual
    if not isinstance(outputs, list):
        raise RefusedError(f"outputs must be a list, received {brief(outputs)}")
    wanted: dict[str, bool] = {}
    for entry in outputs:
        keys = _mapping(entry, "an output", ("name", "parameters"))
        tensor = _named(keys.get("name"), {tensor.name: tensor for tensor in manifest.outputs}, wanted, "output")
        own = _parameters(keys, f"output '{tensor.name}'").get("binary_data", usual)
        wanted[tensor.name] = _flag(own, f"output '{tensor.name}': binary_data")
    return all(wanted.values())


def _named(name: Any, known: Mapping[str, Tensor], seen: Mapping[str, Any], kind: str) -> Tensor:
    if not isinstance(name, str) or name not in known:
        near = suggest(name[:64], known) if isinstance(name, str) else ""
        raise RefusedError(f"there is no {kind} {brief(name)}.{near} This model has {', '.join(known)}")
    if name in seen:
        raise RefusedError(f"the {kind} '{name}' is there twice")
    return known[name]


def _patience(timeout: Any) -> float | None:
    """Seconds, from the parameter's microseconds."""
    if timeout is None:
        return None
    if type(timeout) is not int or timeout <= 0:
        raise RefusedError(f"timeout must be microseconds above 0, received {brief(timeout)}")
    return min(timeout, 10**12) / 1e6


def _parameters(keys: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """The parameters of a request or tensor. The protocol lets clients send more than a server knows."""
    parameters = keys.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise RefusedError(f"{where}: parameters must be an object, received {brief(parameters)}")
    for name in NOT_OFFERED:
        if parameters.get(name) not in (None, 0, False):
            raise RefusedError(f"{where}: this server does not offer '{name}'")
    return parameters


def _mapping(value: Any, what: str, known: Sequence[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise RefusedError(f"{what} must be a JSON object, received {brief(value)}")
    for key in value:
        if key not in known:
            raise RefusedError(f"{what} has an unknown key {brief(key)}.{suggest(key[:64], known)}")
    return value


def _flag(value: Any, what: str) -> bool:
    if not isinstance(value, bool):
        raise RefusedError(f"{what} must be true or false, received {brief(value)}")
    return value


def encode(output: Array, request: Inference, manifest: Manifest, settings: Settings) -> tuple[bytes, int | None]:
    """The response for `output`, and the bytes of JSON in front of it where raw bytes follow. Raises RefusedError."""
    tensor = manifest.outputs[0]
    entry: dict[str, Any] = {"name": tensor.name, "shape": list(output.shape), "datatype": DATATYPES[tensor.dtype]}
    head = {"model_name": manifest.model, "model_version": VERSION, **({"id": request.id} if request.id else {})}
    if request.binary:
        raw = np.ascontiguousarray(output, np.dtype(tensor.dtype).newbyteorder("<"))
        entry |= {"parameters": {"binary_data_size": raw.nbytes}}
        text = json.dumps({**head, "outputs": [entry]}).encode()
        return b"".join((text, raw.data)), len(text)  # one copy
    check_json_size(output.size, settings)
    if not np.isfinite(output).all():
        raise RefusedError(
            "the result has numbers that are not finite, which JSON does not have: ask for binary data", 422
        )
    opening = json.dumps({**head, "outputs": [entry | {"data": []}]}).encode().removesuffix(b"]}]}")
    return b"".join((opening, *_numbers(output), b"]}]}")), None


def check_json_size(numbers: int, settings: Settings) -> None:
    """Raises RefusedError for an answer that would be too long as text; ask before the work is done."""
    if numbers > settings.max_json_numbers:
        limit = f"an answer in JSON has at most {settings.max_json_numbers:,} numbers, this one {numbers:,}"
        raise RefusedError(f"{limit}; ask for binary data, or for fewer rows", 413)


def _numbers(output: Array) -> Iterator[bytes]:
    """`0.5, 0.25` in blocks. float32 -> double -> shortest text is exact on the way back."""
    flat = output.reshape(-1)
    for start in range(0, flat.size, BLOCK):
        yield (b", " if start else b"") + json.dumps(flat[start : start + BLOCK].tolist())[1:-1].encode()
