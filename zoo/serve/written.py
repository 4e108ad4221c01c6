"""Texts in requests: BYTES of the Open Inference Protocol and words in JSON bodies become ids of words.

What is left out of a text is reported with the answer: in `parameters` of the protocol, in a header of pictures.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import numpy as np

from zoo.artifact.tensor import Tensor
from zoo.core.arrays import Array
from zoo.core.text import MOST_CHARACTERS, Reading
from zoo.runtime.generator import Generator
from zoo.runtime.texts import Texts
from zoo.serve.errors import RefusedError, short_repr
from zoo.serve.settings import Settings

LEFT_OUT = "text_left_out"  # the parameter of an answer of the protocol
HEADER = "X-Text-Left-Out"  # percent-encoded UTF-8
MOST_BYTES = 4 * MOST_CHARACTERS  # of one text
MOST_ENCODED = 3000  # bytes of a header: proxies refuse more than 4 or 8 kB of all of them, clients lines over 64 kB
_OF_A_CHARACTER = 12  # bytes at most, percent-encoded: four of UTF-8


def left_out(readings: Iterable[Reading]) -> str:
    """Return which words of several texts were skipped or cut, each complaint once: as many as a header holds."""
    complaints = list(dict.fromkeys(reading.complaint for reading in readings if reading.complaint))
    told, room = list[str](), MOST_ENCODED
    for complaint in complaints:
        long = len(_encoded(complaint)) > MOST_ENCODED
        told.append(f"{complaint[: MOST_ENCODED // _OF_A_CHARACTER - 1]}\u2026" if long else complaint)
        room -= len(_encoded(told[-1])) + 2
        if room < 0:
            told.pop()
            break
    more = len(complaints) - len(told)
    return "; ".join(told) + (f"; and {more:,} more" if more else "")


def headers(complaint: str) -> dict[str, str]:
    """Return the header that reports what was left out, if something was."""
    return {HEADER: _encoded(complaint)} if complaint else {}


def _encoded(complaint: str) -> str:
    return quote(complaint, safe=" ,;:")


def read_tensor(
    keys: Mapping[str, Any], size: object, raw: memoryview, tensor: Tensor, texts: Texts, settings: Settings
) -> tuple[Array, str, int]:
    """Read an input of the datatype BYTES: a text for each row.

    Args:
        keys: The entry of the request, with `shape` and perhaps `data`.
        size: Its parameter `binary_data_size`, or None where the texts are in `data`.
        raw: The binary data that are left in the body.
        tensor: The input.
        texts: What reads texts.
        settings: Limits of a request.

    Returns:
        Ids of words [rows, longest], what was left out, and how many bytes were read.

    Raises:
        ServeError: A text cannot be read; RefusedError where the entry is wrong.
    """
    where, shape = f"input '{tensor.name}'", keys.get("shape")
    one_each = isinstance(shape, list) and all(type(n) is int and n > 0 for n in shape) and shape[1:] in ([], [1])
    if not one_each or not shape:
        raise RefusedError(f"{where}: BYTES have a text in each row, shape [n], received the shape {short_repr(shape)}")
    rows = shape[0]
    if rows > settings.max_rows:
        raise RefusedError(f"{where}: at most {settings.max_rows:,} rows in one request, received {rows:,}", 413)
    written: Sequence[Any] = _unpacked(raw, size, rows, where) if size is not None else _listed(keys["data"])
    if len(written) != rows or not all(isinstance(text, str | bytes) for text in written):
        wrong = next((text for text in written if not isinstance(text, str | bytes)), None)
        received = f"{len(written)}" if wrong is None else short_repr(wrong)
        raise RefusedError(f"{where}: data must be {rows} texts, received {received}")
    readings = [texts.read(tensor, text) for text in written]
    used = size if isinstance(size, int) else 0
    return np.array([reading.ids for reading in readings], tensor.dtype), left_out(readings), used


def _listed(data: Any) -> Sequence[Any]:
    """Return a list of texts, or of lists of one text each, as a list."""
    if not isinstance(data, list):
        return [data]
    return [one[0] if isinstance(one, list) and len(one) == 1 else one for one in data]


def _unpacked(raw: memoryview, size: object, rows: int, where: str) -> list[bytes]:
    """Return texts from binary data: each after the number of its bytes, four bytes, little-endian."""
    if type(size) is not int or not 0 < size <= len(raw):
        left = f"{len(raw)} bytes are left in the body"
        raise RefusedError(
            f"{where}: binary_data_size must be in 1..{len(raw)}, as {left}, received {short_repr(size)}"
        )
    found, at = list[bytes](), 0
    while at < size:
        (length,) = struct.unpack_from("<I", raw, at) if at + 4 <= size else (size,)
        if at + 4 + length > size or length > MOST_BYTES or len(found) == rows:
            raise RefusedError(f"{where}: its binary data are not {rows} texts, each after its length in 4 bytes")
        found.append(bytes(raw[at + 4 : at + 4 + length]))
        at += 4 + length
    return found


def in_ids(generator: Generator, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Return inputs in which texts are ids of words.

    Args:
        generator: The model.
        inputs: Values by the name of an input: of an input of words a text, a list of them, or ids.

    Returns:
        The inputs, and what was left out of the texts.

    Raises:
        ServeError: A text cannot be read.
    """
    found, readings = dict(inputs), list[Reading]()
    for name, tensor in generator.inputs.items():
        value = found.get(name)
        if tensor.text is None or value is None:
            continue
        if isinstance(value, str):
            readings.append(generator.texts.read(tensor, value))
            found[name] = list(readings[-1].ids)
        elif isinstance(value, list) and value and all(isinstance(one, str) for one in value):
            read = [generator.texts.read(tensor, one) for one in value]
            readings += read
            found[name] = [list(one.ids) for one in read]
    return found, left_out(readings)
