"""Numbers of a game that change: weights of terms, and schedules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from zoo.core.registry import suggest
from zoo.spec.diagnostics import Problems
from zoo.spec.game_plan import Weight
from zoo.spec.types import Part
from zoo.spec.validate import join, names_of, validate
from zoo.spec.yaml_tree import YamlNode


def read_weight(node: YamlNode, where: str, states: Iterable[str], problems: Problems) -> Weight | None:
    """Read the weight of a term.

    Args:
        node: A number, a schedule, the name of a state, a list of them, or {weight: ..., every: n}.
        where: Its path in the spec.
        states: The names of the states.
        problems: Where mistakes are reported.

    Returns:
        The weight; None after a mistake.
    """
    if node.is_map and set(node.value) & {"weight", "every"}:
        every = node.get("every")
        for key, entry in node.entries():
            if key not in ("weight", "every"):
                return problems.add(entry.place, where, f"unknown key '{key}'. Known: weight, every")
        if every is not None and not (type(every.value) is int and every.value >= 1):
            text = f"expected an integer at least 1, received {every.describe()}"
            return problems.add(every.place, join(where, "every"), text)
        inner = node.get("weight")
        weight = Weight() if inner is None else read_weight(inner, join(where, "weight"), states, problems)
        return None if weight is None else Weight(weight.factors, every.value if every is not None else 1)
    factors: list[Any] = []
    for item in node.value if node.is_list else [node]:
        factor: Any = item.value
        if item.is_map and next(iter(item.value), "") in names_of("schedule"):
            factor = read_schedule(item, where, problems)
        elif isinstance(item.value, str) and item.value in states:
            pass
        elif isinstance(item.value, (int, float)) and not isinstance(item.value, bool):
            factor = float(item.value)
        else:
            hint = suggest(item.value, states) if isinstance(item.value, str) else ""
            text = f"expected a weight: a number, a schedule, a state, or a list of them; received {item.describe()}"
            return problems.add(item.place, where, f"{text}.{hint}" if hint else text)
        if factor is None:
            return None
        factors.append(factor)
    return Weight(tuple(factors)) if factors else problems.add(node.place, where, "a weight is missing")


def read_schedule(node: YamlNode, where: str, problems: Problems) -> Part | None:
    """Return a schedule.

    Args:
        node: Its node, a mapping from its name to its arguments.
        where: The path of the node.
        problems: Where mistakes are reported.

    Returns:
        Name and arguments; None after a mistake.
    """
    before = len(problems)
    validate(node, {"$ref": "#/$defs/schedule"}, where, problems)
    return Part.of(node.plain()) if len(problems) == before else None
