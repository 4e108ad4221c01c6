"""What must be true of a training that is watched: there is a judge for its data, and a network to be judged."""

from __future__ import annotations

from collections.abc import Mapping

from zoo.spec.nodes import Node
from zoo.spec.plan import Plan
from zoo.spec.problems import Problems

SOURCE, SIZE = "fashion_mnist", 28  # of the judge


def evaluation(tree: Node, plans: Mapping[str, Plan], problems: Problems) -> None:
    """Report a `training.evaluate` for which there is no judge."""
    training, data = tree.get("training"), tree.get("data")
    stated = training.get("evaluate") if training is not None else None
    if stated is None or not stated.is_map or data is None or problems.at(stated.place):
        return
    if wrong := _foreign(data) or _nothing_judged(tree, plans):
        problems.add(stated.place, "training.evaluate", wrong)


def _foreign(data: Node) -> str:
    """What is wrong with the data, or nothing: the judge cuts the clothes out of the middle of a black border."""
    source = data.get("source")
    name = source.value if source is not None else None
    name = next(iter(name), None) if isinstance(name, dict) else name
    if name != SOURCE:
        return f"the only data with a judge is '{SOURCE}', received '{name}'"
    size, channels, fit, jitter = (_plain(data, key) for key in ("size", "channels", "fit", "jitter_from"))
    sides = [SIZE, SIZE] if size is None else size if isinstance(size, list) else [size, size]
    if fit not in (None, "pad") or channels == 3 or jitter is not None:
        return "the judge knows grey clothes with a black border: no `fit` but pad, no `channels: 3`, no `jitter_from`"
    if len(set(sides)) > 1 or any(isinstance(side, int) and (side < SIZE or side % 2) for side in sides):
        return f"the judge takes square images of an even size of at least {SIZE}, received {sides}"
    return ""


def _plain(data: Node, key: str) -> object:
    node = data.get(key)
    return None if node is None else node.plain()


def _nothing_judged(tree: Node, plans: Mapping[str, Plan]) -> str:
    names = _plain(export, "networks") if (export := tree.get("export")) is not None and export.is_map else None
    names = ["generator"] if names is None else names
    known = [plans[name] for name in names if name in plans] if isinstance(names, list) else []
    if known and not any(plan.output_name == "image" for plan in known):
        return f"none of the exported networks ({', '.join(plan.name for plan in known)}) makes an 'image'"
    return ""
