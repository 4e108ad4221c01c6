"""Two notations that the engines read: protobuf's text format and YAML's block style. Stdlib only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


class Word(str):
    """Stands without quotes: an enum value of protobuf."""

    __slots__ = ()


def pbtxt(fields: Mapping[str, Any], indent: str = "") -> str:
    """Protobuf's text format: a mapping is a message, a list a repeated field; an empty list says nothing."""
    lines = []
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            scalar = one if isinstance(one, Word) else _quoted(one)
            message = isinstance(one, Mapping) and f" {{\n{pbtxt(one, indent + '  ')}{indent}}}"
            lines.append(f"{indent}{name}{message or f': {scalar}'}\n")
    return "".join(lines)


def yaml(value: Mapping[str, Any]) -> str:
    """YAML in block style, for keys that are plain words; scalars are JSON's, so `no` and `1:30` stay what they are."""
    return "".join(f"{line}\n" for line in _block(value))


def _block(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for key, one in value.items():
            yield from _nested(f"{key}:", one)
    elif isinstance(value, Sequence) and not isinstance(value, str) and value:
        for one in value:
            first, *rest = _block(one)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)
    else:
        yield _quoted(value)


def _nested(key: str, value: Any) -> Iterator[str]:
    """`key: scalar`, or `key:` and the lines of its value, indented."""
    lines = list(_block(value))
    if isinstance(value, (Mapping, list)) and value:
        yield key
        yield from (f"  {line}" for line in lines)
    else:
        yield f"{key} {lines[0]}"


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
