"""The Open Inference Protocol v2: request bytes -> checked arrays, arrays -> response bytes. No web framework.

A request is JSON. With the binary-tensor extension the raw tensors follow it, little-endian, in the order of the
inputs that state a `binary_data_size`; the header `Inference-Header-Content-Length` states where the JSON ends.
Everything is checked here, before a request meets others in a batch. JSON is read strictly, and nothing is allocated
because a shape asks for it. `read_json` also reads the bodies of the other routes.
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
from zoo.runtime.texts import Texts
from zoo.serve import written
from zoo.serve.errors import RefusedError, short_repr
from zoo.serve.settings import Settings

LENGTH_HEADER = "Inference-Header-Content-Length"
DATATYPES = {"float32": "FP32", "int32": "INT32", "int64": "INT64"}
VERSION = "1"
NOT_SUPPORTED = ("classification", "shared_memory_region", "sequence_id", "sequence_start", "sequence_end")
BLOCK = 2**14  # numbers that become JSON text at a time; other threads run in between


@dataclass(frozen=True)
class Inference:
    """A checked request: an array of `rows` rows for each input, and the wanted form of the answer."""

    feed: dict[str, Array]
    rows: int
    id: str | None = None
    binary: bool = False  # the output as raw bytes
    timeout_seconds: float | None = None  # the client's own limit
    left_out: str = ""  # words of its texts
    outputs: tuple[str, ...] = ()  # their names; none stands for all


def decode(
    body: bytes, length: str | None, manifest: Manifest, settings: Settings, reader: Texts | None = None
) -> Inference:
    """Return the checked request in `body`.

    Args:
        body: JSON, and after it the binary tensors.
        length: Value of the header `Inference-Header-Content-Length`: bytes of JSON. None where it was not sent.
        manifest: Of the model that is asked.
        settings: Limits of a request.
        reader: What reads the texts of the model; without it inputs of words take ids alone.

    Raises:
        ServeError: The request is wrong; RefusedError where its status is not 400.
    """
    text, raw = _split(body, length)
    if len(text) > settings.max_json_bytes:
        limit = settings.max_json_bytes
        raise RefusedError(f"the JSON may have at most {limit:,} bytes; send tensors as binary data instead", 413)
    hint = "" if length else f"; binary tensors need the header {LENGTH_HEADER}"
    request = _mapping(read_json(text, hint=hint), "the request", ("id", "parameters", "inputs", "outputs"))
    parameters = _parameters(request, "the request")
    name = request.get("id")
    if not (name is None or (isinstance(name, str) and len(name) <= 256)):
        raise RefusedError(f"id must be a string of at most 256 characters, received {short_repr(name)}")
    feed, left_out = _inputs(request.get("inputs"), raw, manifest, settings, reader)
    rows = {tensor: len(array) for tensor, array in feed.items()}
    if len(set(rows.values())) > 1:
        raise RefusedError(f"the inputs differ in batch size: {', '.join(f'{k} has {v}' for k, v in rows.items())}")
    wanted = _wanted(request.get("outputs"), parameters, manifest)
    timeout = _timeout_seconds(parameters.get("timeout"))
    return Inference(feed, rows[manifest.inputs[0].name], name, all(wanted.values()), timeout, left_out, tuple(wanted))


def _split(body: bytes, length: str | None) -> tuple[bytes, memoryview]:
    """Return the JSON, and the raw tensors behind it."""
    if not body:
        raise RefusedError("the body is empty: send an inference request as JSON")
    if length is None:
        return body, memoryview(b"")
    if not re.fullmatch("[0-9]{1,12}", length) or not 0 < int(length) <= len(body):
        raise RefusedError(f"{LENGTH_HEADER} must be in 1..{len(body)}, the body's size, received {short_repr(length)}")
    return body[: int(length)], memoryview(body)[int(length) :]


def _inputs(
    entries: Any, raw: memoryview, manifest: Manifest, settings: Settings, reader: Texts | None
) -> tuple[dict[str, Array], str]:
    """Return the arrays by the names of the inputs, and which words of texts were left out."""
    if not isinstance(entries, list) or not entries:
        raise RefusedError(f"inputs must be a list of one or more tensors, received {short_repr(entries)}")
    stated = {tensor.name: tensor for tensor in manifest.inputs}
    cell = math.prod((manifest.outputs[0].grid or {"scale": [1]})["scale"])  # pixels
    feed: dict[str, Array] = {}
    at, left_out = 0, list[str]()  # position in the raw tensors
    for entry in entries:
        keys = _mapping(entry, "an input", ("name", "shape", "datatype", "parameters", "data"))
        tensor = _named(keys.get("name"), stated, feed, "input")
        where, datatype = f"input '{tensor.name}'", keys.get("datatype")
        size = _parameters(keys, where).get("binary_data_size")
        as_text = tensor.text is not None and datatype == "BYTES"
        count = 0 if as_text else _count(keys.get("shape"), tensor, settings, cell)
        if not as_text and datatype != (expected := DATATYPES[tensor.dtype]):
            expected += " (ids of words) or BYTES (texts)" if tensor.text else ""
            raise RefusedError(f"{where}: datatype must be {expected}, received {short_repr(datatype)}")
        if (size is None) == ("data" not in keys):
            raise RefusedError(f"{where}: needs data or the parameter binary_data_size, and not both")
        if as_text:
            known = reader or Texts(manifest.model, {})
            feed[tensor.name], complaint, used = written.read_tensor(keys, size, raw[at:], tensor, known, settings)
            left_out, at = [*left_out, complaint], at + used
            continue
        if size is None:
            flat = nested_numbers(keys["data"], keys["shape"], tensor.dtype, where=where)
        else:
            flat = _raw(raw[at:], size, count, tensor)
            at += size
        feed[tensor.name] = check_input(tensor, flat.reshape(keys["shape"]))
    if missing := [str(tensor) for name, tensor in stated.items() if name not in feed]:
        raise RefusedError(f"the request lacks the input {missing[0]}")
    if at != len(raw):
        raise RefusedError(f"the body must end with its last tensor, received {len(raw) - at} bytes more")
    return {name: feed[name] for name in stated}, "; ".join(filter(None, left_out))


def _count(shape: Any, tensor: Tensor, settings: Settings, cell: int) -> int:
    """Return how many numbers the shape holds. Raises RefusedError for a shape that the network does not take: sizes
    are those of images, or of maps whose cells become `cell` pixels each."""
    where = f"input '{tensor.name}'"
    received = f"received the shape {short_repr(shape)}"
    if not isinstance(shape, list) or not all(type(size) is int and size > 0 for size in shape):
        raise RefusedError(f"{where}: shape must be a list of whole numbers from 1 up, {received}")
    good = len(shape) == len(tensor.shape)
    if not good or any(s != t for s, t in zip(shape[1:], tensor.shape[1:], strict=True) if isinstance(t, int)):
        raise RefusedError(f"{where}: expected {tensor}, {received}")
    if shape[0] > settings.max_rows:
        raise RefusedError(f"{where}: at most {settings.max_rows:,} rows in one request, {received}", 413)
    if tensor.sizes and math.prod(shape[1:3]) * cell > settings.max_pixels:
        raise RefusedError(f"{where}: at most {settings.max_pixels:,} pixels in an image, {received}", 413)
    return math.prod(shape)


def _raw(raw: memoryview, size: Any, count: int, tensor: Tensor) -> Array:
    """Return the first `size` bytes as `count` numbers: a view, copied only where it is not aligned."""
    dtype = np.dtype(tensor.dtype).newbyteorder("<")
    where, needed = f"input '{tensor.name}'", count * dtype.itemsize
    if type(size) is not int or size != needed:
        raise RefusedError(f"{where}: its shape needs binary_data_size {needed}, received {short_repr(size)}")
    if len(raw) < needed:
        raise RefusedError(f"{where}: needs {needed} bytes of binary data, {len(raw)} are left in the body")
    return np.require(np.frombuffer(raw, dtype, count), tensor.dtype, ["C", "A"])


def _wanted(outputs: Any, parameters: Mapping[str, Any], manifest: Manifest) -> dict[str, bool]:
    """Return the names of the outputs that are asked for, and whether each as raw bytes; all without any."""
    default = _flag(parameters.get("binary_data_output", False), "binary_data_output")
    if outputs is None or outputs == []:
        return {tensor.name: default for tensor in manifest.outputs}
    if not isinstance(outputs, list):
        raise RefusedError(f"outputs must be a list, received {short_repr(outputs)}")
    wanted: dict[str, bool] = {}
    for entry in outputs:
        keys = _mapping(entry, "an output", ("name", "parameters"))
        tensor = _named(keys.get("name"), {tensor.name: tensor for tensor in manifest.outputs}, wanted, "output")
        binary = _parameters(keys, f"output '{tensor.name}'").get("binary_data", default)
        wanted[tensor.name] = _flag(binary, f"output '{tensor.name}': binary_data")
    return wanted


def _named(name: Any, known: Mapping[str, Tensor], seen: Mapping[str, Any], kind: str) -> Tensor:
    if not isinstance(name, str) or name not in known:
        near = suggest(name[:64], known) if isinstance(name, str) else ""
        raise RefusedError(f"there is no {kind} {short_repr(name)}.{near} This model has {', '.join(known)}")
    if name in seen:
        raise RefusedError(f"the {kind} '{name}' occurs twice")
    return known[name]


def _timeout_seconds(timeout: Any) -> float | None:
    """Convert the parameter's microseconds."""
    if timeout is None:
        return None
    if type(timeout) is not int or timeout <= 0:
        raise RefusedError(f"timeout must be a whole number of microseconds above 0, received {short_repr(timeout)}")
    return min(timeout, 10**12) / 1e6


def _parameters(keys: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """Return the parameters of a request or tensor. The protocol lets clients send some that a server does not know."""
    parameters = keys.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise RefusedError(f"{where}: parameters must be an object, received {short_repr(parameters)}")
    for name in NOT_SUPPORTED:
        if parameters.get(name) not in (None, 0, False):
            raise RefusedError(f"{where}: this server does not support the parameter '{name}'")
    return parameters


def _mapping(value: Any, what: str, known: Sequence[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise RefusedError(f"{what} must be a JSON object, received {short_repr(value)}")
    for key in value:
        if key not in known:
            raise RefusedError(f"{what} has an unknown key {short_repr(key)}.{suggest(key[:64], known)}")
    return value


def _flag(value: Any, what: str) -> bool:
    if not isinstance(value, bool):
        raise RefusedError(f"{what} must be true or false, received {short_repr(value)}")
    return value


def read_json(text: bytes, *, hint: str = "") -> Any:
    """Parse JSON in UTF-8 without NaN, Infinity and repeated keys.

    Args:
        text: The bytes of a body.
        hint: Appended to the message where they are not JSON.

    Raises:
        RefusedError: They are not such JSON.
    """
    try:
        return json.loads(text.decode(), parse_constant=_no_constant, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise RefusedError(f"the body is not JSON: {place}: {error.msg}{hint}") from error
    except UnicodeDecodeError as error:
        raise RefusedError(f"the body is not JSON: byte {error.start} is not UTF-8{hint}") from error
    except RecursionError as error:
        raise RefusedError("the body is nested too deeply") from error
    except ValueError as error:  # Python reads no whole numbers of more than 4300 digits
        raise RefusedError("the body has a whole number with too many digits") from error


def _no_constant(name: str) -> NoReturn:
    raise RefusedError(f"the body is not JSON: {name} is not a JSON number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) < len(pairs):
        twice = next(key for index, (key, _) in enumerate(pairs) if key in dict(pairs[:index]))
        raise RefusedError(f"the key {short_repr(twice)} occurs twice")
    return keys


def nested_numbers(data: Any, shape: Sequence[int], dtype: str, *, where: str) -> Array:
    """Return the numbers of a flat list, or of lists nested like `shape`, as an array [count]. Raises RefusedError."""
    flat = _flattened(data, shape, where)
    allowed = {int, float} if dtype == "float32" else {int}
    if wrong := set(map(type, flat)) - allowed:
        kind = "numbers" if float in allowed else "whole numbers"
        first = next(value for value in flat if type(value) in wrong)
        raise RefusedError(f"{where}: data must be {kind}, received {short_repr(first)}")
    try:
        with np.errstate(over="ignore"):  # becomes infinity, which is refused later like any other
            return np.array(flat, dtype)
    except OverflowError as error:
        raise RefusedError(f"{where}: data has a number that is too large for {dtype}") from error


def _flattened(data: Any, shape: Sequence[int], where: str) -> list[Any]:
    if not isinstance(data, list):
        raise RefusedError(f"{where}: data must be a list of numbers, received {short_repr(data)}")
    count, level = math.prod(shape), data
    if data and isinstance(data[0], list):
        for axis, size in enumerate(shape[1:], start=1):
            if not all(isinstance(part, list) and len(part) == size for part in level):
                raise RefusedError(f"{where}: data must be flat or nested like its shape {list(shape)} (axis {axis})")
            level = list(chain.from_iterable(level))
    if len(level) != count:
        raise RefusedError(f"{where}: the shape {list(shape)} holds {count} numbers, data has {len(level)}")
    return level


def encode(
    outputs: Mapping[str, Array], request: Inference, manifest: Manifest, settings: Settings
) -> tuple[bytes, int | None]:
    """Return the response to a request.

    Args:
        outputs: The model's outputs by name, float32 [rows, ...].
        request: The request that it answers.
        manifest: Of the model.
        settings: Limits of an answer.

    Returns:
        The body, and how many bytes of it are JSON where raw bytes follow; None where all of it is JSON.

    Raises:
        RefusedError: JSON cannot express the output: it is too long or not finite.
    """
    entries: list[dict[str, Any]] = []
    arrays = [outputs[name] for name in request.outputs or outputs]
    for name, output in zip(request.outputs or outputs, arrays, strict=True):
        tensor = next(one for one in manifest.outputs if one.name == name)
        entries.append({"name": name, "shape": list(output.shape), "datatype": DATATYPES[tensor.dtype]})
    head: dict[str, Any] = {"model_name": manifest.model, "model_version": VERSION}
    head |= {"id": request.id} if request.id else {}
    head |= {"parameters": {written.LEFT_OUT: request.left_out}} if request.left_out else {}
    if request.binary:
        raws = [np.ascontiguousarray(output, "<f4") for output in arrays]
        entries = [
            entry | {"parameters": {"binary_data_size": raw.nbytes}} for entry, raw in zip(entries, raws, strict=True)
        ]
        text = json.dumps({**head, "outputs": entries}).encode()
        return b"".join((text, *(raw.data for raw in raws))), len(text)  # one copy
    check_json_size(sum(output.size for output in arrays), settings)
    if not all(np.isfinite(output).all() for output in arrays):
        raise RefusedError("the result is not finite, which JSON cannot express: ask for binary data", 422)
    pieces = [json.dumps({**head, "outputs": []}).encode().removesuffix(b"]}")]
    for i, (entry, output) in enumerate(zip(entries, arrays, strict=True)):
        opening = json.dumps(entry | {"data": []}).encode().removesuffix(b"]}")
        pieces += [b", " if i else b"", opening, *_numbers(output), b"]}"]
    return b"".join((*pieces, b"]}")), None


def check_json_size(numbers: int, settings: Settings) -> None:
    """Check that an answer of `numbers` numbers may be sent as JSON, before it is computed. Raises RefusedError."""
    if numbers > settings.max_json_numbers:
        rule = f"an answer in JSON may have at most {settings.max_json_numbers:,} numbers, this one has {numbers:,}"
        raise RefusedError(f"{rule}; ask for binary data, or for fewer rows", 413)


def _numbers(output: Array) -> Iterator[bytes]:
    """Yield "0.5, 0.25, ..." in blocks. float32 -> double -> shortest text can be read back exactly."""
    flat = output.reshape(-1)
    for start in range(0, flat.size, BLOCK):
        yield (b", " if start else b"") + json.dumps(flat[start : start + BLOCK].tolist())[1:-1].encode()


def metadata(manifest: Manifest) -> dict[str, Any]:
    """Return the answer to GET /v2/models/NAME."""
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
