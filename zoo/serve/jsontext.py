"""JSON from strangers: read strictly, and its lists of numbers turned into arrays without trusting a shape."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import chain
from typing import Any, NoReturn

import numpy as np

from zoo.arrays import Array
from zoo.serve.refusal import RefusedError, brief


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
