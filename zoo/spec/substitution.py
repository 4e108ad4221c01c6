"""Replace the `$names` of a repeat or a block by their values, and calculate with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zoo.core.registry import suggest
from zoo.spec.arithmetic import CalculationError, calculate, is_arithmetic
from zoo.spec.diagnostics import Place, Problems
from zoo.spec.yaml_tree import MAX_NODES, Entry, YamlNode

MAX_TEXT = 1_000
_VARIABLE = re.compile(r"\$\{?([a-z][a-z0-9_]*)\}?")


@dataclass(frozen=True)
class Substitution:
    """Replaces `$name` and `${name}` by the values of `variables`; each value gets the place of its name.

    A text of numbers, names and + - * / // ( ) alone is calculated: `$filters * 2`.

    `copied` counts the values of the whole network: a repeat within a repeat could make any number of them.
    """

    variables: Mapping[str, YamlNode]
    where: str
    problems: Problems
    copied: list[int]

    def __call__(self, node: YamlNode) -> YamlNode:
        if node.is_map:
            return YamlNode({key: Entry(self(entry.node), entry.place) for key, entry in node.entries()}, node.place)
        if node.is_list:
            return YamlNode([self(item) for item in node.value], node.place)
        if not isinstance(node.value, str) or "$" not in node.value:
            return node
        whole = _VARIABLE.fullmatch(node.value)
        if whole and whole[1] in self.variables:
            return self._at(self.variables[whole[1]], node.place)
        if is_arithmetic(node.value):
            return YamlNode(self._calculated(node.value, node.place), node.place)
        text = _VARIABLE.sub(lambda match: str(self._value(match, node.place)), node.value)
        if len(text) > MAX_TEXT:
            self.problems.spoil(node.place, f"becomes a text of more than {MAX_TEXT:,} letters")
            return YamlNode(None, node.place)
        return YamlNode(None if self.problems.at(node.place) else text, node.place)

    def _calculated(self, text: str, place: Place) -> Any:
        """Return the number that a text of arithmetic stands for; None where it is wrong (reported)."""
        values = {match[1]: self._value(match, place) for match in _VARIABLE.finditer(text)}
        if self.problems.at(place):
            return None
        try:
            return calculate(text, values)
        except CalculationError as error:
            self.problems.add(place, self.where, f"'{text}': {error}")
            return self.problems.silence(place)

    def _value(self, match: re.Match[str], place: Place) -> Any:
        """Return the value of a name inside a word, or an empty string where there is none (reported)."""
        value = self.variables.get(match[1])
        if value is not None and self.problems.inside(value):
            pass  # reported already
        elif value is None:
            nowhere = " It is not in a repeat or a block."
            known = f" Known here: {', '.join(self.variables)}." if self.variables else nowhere
            hint = suggest(match[1], self.variables) or known
            self.problems.add(place, self.where, f"unknown variable '{match[0]}'.{hint}")
        elif value.is_map or value.is_list:
            text = f"'{match[0]}' is {value.describe()}, which cannot be part of a word"
            self.problems.add(place, self.where, text)
        else:
            return value.value
        self.problems.silence(place)
        return ""

    def _at(self, node: YamlNode, place: Place) -> YamlNode:
        """Copy a value to another place."""
        self.copied[0] += 1
        if self.copied[0] == MAX_NODES + 1:
            self.problems.spoil(place, f"a network takes at most {MAX_NODES:,} values by name")
        if self.copied[0] > MAX_NODES or self.problems.inside(node):
            return YamlNode(self.problems.silence(place), place)
        if node.is_map:
            return YamlNode({key: Entry(self._at(entry.node, place), place) for key, entry in node.entries()}, place)
        return YamlNode([self._at(item, place) for item in node.value] if node.is_list else node.value, place)
