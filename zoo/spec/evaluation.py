"""Which training can be watched: there must be a judge for its data, and a network to be judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.spec.nodes import Node
from zoo.spec.plan import Plan
from zoo.spec.problems import Problems

SOURCE, SIZE = "fashion_mnist", 28  # of the judge


def evaluation(tree: Node, plans: Mapping[str, Plan], problems: Problems) -> None:
    """Report a `training.evaluate` that is stated though there is no judge."""
    training, data = tree.get("training"), tree.get("data")
    stated = training.get("evaluate") if training is not None else None
    if stated is None or not stated.is_map or data is None or problems.at(stated.place):
        return
    if wrong := unwatchable(tree.plain(), plans):
        problems.add(stated.place, "training.evaluate", wrong)


def unwatchable(document: Mapping[str, Any], plans: Mapping[str, Plan]) -> str:
    """Why no judge can watch the training of a spec; nothing if one can."""
    return _foreign(document.get("data") or {}) or _nothing_judged(document.get("export") or {}, plans)


def _foreign(data: Mapping[str, Any]) -> str:
    """What is wrong with the data, or nothing: the judge cuts the clothes out of the middle of a black border."""
    name = data.get("source")
    name = next(iter(name), None) if isinstance(name, dict) else name
    if name != SOURCE:
        return f"the only data with a judge is '{SOURCE}', received '{name}'"
    size = SIZE if data.get("size") is None else data["size"]
    sides = size if isinstance(size, list) else [size, size]
    if data.get("fit") not in (None, "pad") or data.get("channels") == 3 or data.get("jitter_from") is not None:
        return "the judge knows grey clothes with a black border: no `fit` but pad, no `channels: 3`, no `jitter_from`"
    if len(set(sides)) > 1 or any(isinstance(side, int) and side not in range(SIZE, 2 * SIZE, 2) for side in sides):
        return f"the judge takes square images of an even size from {SIZE} to {2 * SIZE - 2}, received {sides}"
    return ""


def _nothing_judged(export: Mapping[str, Any], plans: Mapping[str, Plan]) -> str:
    names = export.get("networks") or ["generator"]
    known = [plans[name] for name in names if name in plans] if isinstance(names, list) else []
    if known and not any(plan.output_name == "image" for plan in known):
        return f"none of the exported networks ({', '.join(plan.name for plan in known)}) makes an 'image'"
    return ""
