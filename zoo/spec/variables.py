"""`$name` inside a `repeat`: the same layers with a value of this round in the place of every name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zoo.registry import suggest
from zoo.spec.nodes import MAX_NODES, Entry, Node
from zoo.spec.problems import Place, Problems

MAX_TEXT = 1_000
_VARIABLE = re.compile(r"\$\{?([a-z][a-z0-9_]*)\}?")


@dataclass(frozen=True)
class Substitution:
    """Replaces `$name` and `${name}` by the values of `variables`; each keeps the place where its name stands.

    `copied` counts the values that a network has received: a repeat within a repeat could make any number of them.
    """

    variables: Mapping[str, Node]
    where: str
    problems: Problems
    copied: list[int]

    def __call__(self, node: Node) -> Node:
        if node.is_map:
            return Node({key: Entry(self(entry.node), entry.place) for key, entry in node.entries()}, node.place)
        if node.is_list:
            return Node([self(item) for item in node.value], node.place)
        if not isinstance(node.value, str) or "$" not in node.value:
            return node
        whole = _VARIABLE.fullmatch(node.value)
        if whole and whole[1] in self.variables:
            return self._at(self.variables[whole[1]], node.place)
        text = _VARIABLE.sub(lambda match: str(self._value(match, node.place)), node.value)
        if len(text) > MAX_TEXT:
            return Node(
                self.problems.spoil(node.place, f"stands for a text of more than {MAX_TEXT:,} letters"), node.place
            )
        return Node(None if self.problems.at(node.place) else text, node.place)

    def _value(self, match: re.Match[str], place: Place) -> Any:
        value = self.variables.get(match[1])
        if value is not None and self.problems.inside(value):
            pass  # said already
        elif value is None:
            known = f" Known here: {', '.join(self.variables)}." if self.variables else " It is not in a repeat."
            hint = suggest(match[1], self.variables) or known
            self.problems.add(place, self.where, f"unknown variable '{match[0]}'.{hint}")
        elif value.is_map or value.is_list:
            self.problems.add(
                place, self.where, f"'{match[0]}' is {value.describe()}, which cannot stand inside a word"
            )
        else:
            return value.value
        self.problems.silence(place)
        return ""

    def _at(self, node: Node, place: Place) -> Node:
        self.copied[0] += 1
        if self.copied[0] == MAX_NODES + 1:
            self.problems.spoil(place, f"a network takes at most {MAX_NODES:,} values by name")
        if self.copied[0] > MAX_NODES or self.problems.inside(node):
            return Node(self.problems.silence(place), place)
        if node.is_map:
            return Node({key: Entry(self._at(entry.node, place), place) for key, entry in node.entries()}, place)
        return Node([self._at(item, place) for item in node.value] if node.is_list else node.value, place)
