"""Parse YAML text into a tree of nodes in which every value has its file, line and column.

The tree is built from parser events: no object is constructed from a tag, and depth, size and number of aliases are
bounded while they are read. Scalars follow YAML 1.2: `1e-4` is a number, `no` is not a boolean; a plain scalar that
older tools read differently (`no`, `on`, `1:30`, `017`) is a mistake: quote it or spell it out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from zoo.spec.diagnostics import Place, Problems

MAX_BYTES = 1_000_000
MAX_DEPTH = 64
MAX_NODES = 50_000  # counted after aliases are expanded
MAX_DIGITS = 18

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL_FLOAT = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_OLD_BOOLEAN = re.compile(r"(yes|no|on|off)", re.IGNORECASE)
_OLD_NUMBER = re.compile(r"[-+]?(0[0-9]+|0[xobXOB][0-9a-fA-F_]+|[0-9]+(:[0-9]{1,2})+|[0-9][0-9_]*_[0-9_]*)")
_CONSTANTS: dict[str, bool | None] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_CONSTANTS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(("false", "False", "FALSE"), False)


@dataclass(frozen=True, slots=True)
class YamlNode:
    """A value at a place. `value` is a scalar, a list of nodes, or a dict from key to `Entry`."""

    value: Any
    place: Place

    @property
    def is_map(self) -> bool:
        return isinstance(self.value, dict)

    @property
    def is_list(self) -> bool:
        return isinstance(self.value, list)

    def get(self, *keys: str) -> YamlNode | None:
        """Return the node at the end of a path of keys, or None."""
        node = self
        for key in keys:
            if not node.is_map or key not in node.value:
                return None
            node = node.value[key].node
        return node

    def entries(self, *keys: str) -> Iterator[tuple[str, Entry]]:
        """Iterate over the mapping at the end of a path of keys; over nothing where there is none."""
        node = self.get(*keys)
        return iter(node.value.items()) if node is not None and node.is_map else iter(())

    def plain(self) -> Any:
        """Return the value without places: scalars, lists and dicts, as in a JSON document."""
        if self.is_map:
            return {key: entry.node.plain() for key, entry in self.value.items()}
        return [item.plain() for item in self.value] if self.is_list else self.value

    def describe(self) -> str:
        """Return the words for the value in an error message."""
        if self.is_map:
            return "a mapping"
        if self.is_list:
            return "a list"
        if self.value is None:
            return "nothing"
        if isinstance(self.value, bool):
            return str(self.value).lower()
        text = repr(self.value)
        return text if len(text) <= 60 else text[:57] + "..."


@dataclass(frozen=True, slots=True)
class Entry:
    """One `key: node` of a mapping; the key has a place of its own."""

    node: YamlNode
    place: Place


@dataclass
class _Open:
    """A list or mapping whose end has not been read yet."""

    node: YamlNode
    anchor: str | None
    key: tuple[str | None, Place] | None = None
    first: dict[str | None, Place] = field(default_factory=dict)
    size: int = 1


def parse_file(path: Path, problems: Problems) -> YamlNode | None:
    """Read and parse a file.

    Args:
        path: The file.
        problems: Where mistakes are reported.

    Returns:
        Its top-level mapping; None without a usable one (reported).
    """
    name = str(path)
    start = Place(name, 1, 1)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return problems.add(start, "", f"there is no such file{problems.near_file(path)}")
    except (OSError, ValueError) as error:
        return problems.add(start, "", f"cannot be read: {getattr(error, 'strerror', None) or error}")
    if len(data) > MAX_BYTES:
        return problems.add(start, "", f"is too long: a spec has at most {MAX_BYTES:,} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8")  # without the byte order mark
        place = _place_after(before, name)
        return problems.add(place, "", f"is not UTF-8 text: byte 0x{error.object[error.start]:02x}")
    node = parse_text(text, name, problems)
    if node is not None and not node.is_map:
        return problems.add(node.place, "", f"a spec is a mapping such as 'name: dcgan', received {node.describe()}")
    return node


def parse_text(text: str, name: str, problems: Problems) -> YamlNode | None:
    """Parse one YAML document. Returns None when its syntax is broken (reported)."""
    builder = _Builder(name, problems)
    strange = _UNPRINTABLE.search(text)
    if strange:
        place = _place_after(text[: strange.start()], name)
        text = f"holds the control character U+{ord(strange[0]):04X}, which YAML does not allow"
        return problems.add(place, "", text)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if not builder.feed(event):
                return None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(name, mark.line + 1, mark.column + 1) if mark else Place(name, 1, 1)
        hint = _hint(text, mark, str(error.problem))
        return problems.add(place, "", f"is not YAML: {error.problem or error.context}.{hint}")
    except yaml.YAMLError as error:
        return problems.add(Place(name, 1, 1), "", f"is not YAML: {str(error).splitlines()[0]}")
    return builder.root or YamlNode(None, Place(name, 1, 1))


def _place_after(text: str, name: str) -> Place:
    return Place(name, text.count("\n") + 1, len(text) - text.rfind("\n"))


def _hint(text: str, mark: yaml.Mark | None, problem: str) -> str:
    """Return a hint at the usual cause of a syntax error, or an empty string."""
    lines = text.splitlines()
    if mark is not None and mark.line < len(lines) and lines[mark.line].lstrip(" ").startswith("\t"):
        return " Indent with spaces: YAML allows no tabs."
    if problem.startswith("mapping values"):
        return " A layer that 'as' or 'from' follows needs a colon: '- Flatten:'."
    return ""


class _Builder:
    """Turns parser events into nodes, one at a time, without recursion."""

    def __init__(self, name: str, problems: Problems) -> None:
        self.name, self.problems = name, problems
        self.root: YamlNode | None = None
        self.open: list[_Open] = []
        self.anchors: dict[str, tuple[YamlNode, int]] = {}
        self.total = 0
        self.documents = 0

    def feed(self, event: yaml.Event) -> bool:
        """Take one event; False when the document must be given up."""
        place = Place(self.name, event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            return self.documents == 1 or self._fail(place, "a spec file holds one document; '---' begins a second one")
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                return self._fail(place, f"'*{event.anchor}' names no finished anchor '&{event.anchor}' above it")
            return self._put(*self.anchors[event.anchor], place)
        tag = getattr(event, "tag", None)
        if tag is not None and tag != "!":
            self.problems.spoil(place, f"tags are not allowed, received '{tag}'. Write the plain value")
        if isinstance(event, yaml.ScalarEvent):
            node = YamlNode(self._scalar(event, place), place)
            if event.anchor:
                self.anchors[event.anchor] = (node, 1)
            return self._put(node, 1, place)
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            if len(self.open) >= MAX_DEPTH:
                return self._fail(place, f"is nested more than {MAX_DEPTH} deep")
            self.open.append(
                _Open(YamlNode({} if isinstance(event, yaml.MappingStartEvent) else [], place), event.anchor)
            )
        if isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            done = self.open.pop()
            if done.anchor:
                self.anchors[done.anchor] = (done.node, done.size)
            return self._put(done.node, done.size, done.node.place)
        return True

    def _fail(self, place: Place, message: str) -> bool:
        self.problems.add(place, "", message)
        return False

    def _put(self, node: YamlNode, size: int, place: Place) -> bool:
        """Append a finished node, which counts as `size` nodes, to the collection that is open."""
        self.total += 1
        if not self.open:
            self.root = node
            return True
        parent = self.open[-1]
        parent.size += size
        if parent.size > MAX_NODES or self.total > MAX_NODES:
            return self._fail(place, f"has more than {MAX_NODES:,} values once aliases are expanded")
        if isinstance(parent.node.value, list):
            parent.node.value.append(node)
        elif parent.key is None:
            parent.key = (self._key(node, place), place)
        else:
            key, key_place = parent.key
            parent.key = None
            if key in parent.first:
                first = parent.first[key].line
                self.problems.add(key_place, "", f"duplicate key '{key}'; line {first} has it already")
            elif key is not None:
                parent.first[key] = key_place
                parent.node.value[key] = Entry(node, key_place)
        return True

    def _key(self, node: YamlNode, place: Place) -> str | None:
        """Return a key as a word, or None for a value that cannot be one (reported)."""
        if node.value == "<<":
            text = "merge keys ('<<') are not part of the language. Use 'extends' or 'defaults'"
            return self.problems.spoil(place, text)
        if node.is_map or node.is_list or node.value is None:
            return self.problems.spoil(place, f"a key must be a word, received {node.describe()}")
        return str(node.value).lower() if isinstance(node.value, bool) else str(node.value)

    def _scalar(self, event: yaml.ScalarEvent, place: Place) -> Any:
        """Return the value of a scalar: a text, a number, true, false or None."""
        text = event.value
        if not event.implicit[0]:  # quoted or block text
            return text
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if _OLD_BOOLEAN.fullmatch(text):
            meant = "true" if text.lower() in ("yes", "on") else "false"
            rule = f"'{text}' is a boolean to some tools and a word to others. Write {meant}, or quote it: '{text}'"
            return self.problems.spoil(place, rule)
        if _OLD_NUMBER.fullmatch(text):
            rule = f"'{text}' is a different number to different tools. Write a decimal number, or quote it: '{text}'"
            return self.problems.spoil(place, rule)
        if _INTEGER.fullmatch(text):
            if len(text) > MAX_DIGITS:
                return self.problems.spoil(place, f"is a number of {len(text)} digits")
            return int(text)
        if _FLOAT.fullmatch(text) or _SPECIAL_FLOAT.fullmatch(text):
            number = float(text) if _FLOAT.fullmatch(text) else math.nan
            if not math.isfinite(number):  # 1e400 is not
                return self.problems.spoil(place, f"numbers must be finite, received {text}")
            return number
        return text
