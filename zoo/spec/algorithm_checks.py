"""What must be true of D: penalties, the burn-in of Wasserstein GANs and unrolled updates fit networks and step.

Which training can be watched: there must be a judge for its data, and a network to be judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.spec.diagnostics import Problems
from zoo.spec.plan import Plan
from zoo.spec.validate import below, names_of
from zoo.spec.yaml_tree import YamlNode

_OF_SLOPES = ("gradient_penalty", "r1")
_UNROLLED = ("SGD", "Adam")  # whose updates zoo.optimizers.Unrolled knows as functions of tensors


def check_critic(tree: YamlNode, plans: Mapping[str, Plan], problems: Problems) -> None:
    """Report what an algorithm with a critic cannot do."""
    algorithm = tree.get("algorithm")
    for name, entry in algorithm.entries() if algorithm is not None else ():
        _slopes(entry.node, plans, problems)
        _burn_in(name, entry.node, problems)
        if name == "unrolled":
            _look_ahead(entry.node, problems)


def _slopes(args: YamlNode, plans: Mapping[str, Plan], problems: Problems) -> None:
    """Batch norm makes D(x) depend on the rest of the batch: then an example has no slope of its own."""
    penalties = args.get("penalties")
    for item in penalties.value if penalties is not None and penalties.is_list else ():
        penalty = next(iter(item.value), None) if item.is_map else item.value
        judges = [plan for role, plan in plans.items() if role.startswith("discriminator")]
        norms = [step for plan in judges for step in plan.steps if step.layer == "BatchNormalization"]
        if penalty in _OF_SLOPES and norms:
            text = f"{penalty} is of each example alone, and this mixes the batch: leave it out or take "
            return problems.add(norms[0].place, norms[0].where, text + "LayerNormalization")


def _burn_in(name: str, args: YamlNode, problems: Problems) -> None:
    """A long turn of D is made of whole steps."""
    burn_in, player, schema = args.get("burn_in"), args.get("discriminator"), names_of("algorithm").get(name, {})
    if burn_in is None or not burn_in.is_map or player is None:
        return
    long, each = (
        stated.value if (stated := node.get("updates")) else below(below(schema, key), "updates").get("default")
        for key, node in (("burn_in", burn_in), ("discriminator", player))
    )
    place = (burn_in.get("updates") or burn_in).place
    if problems.at(place) or not isinstance(long, int) or not isinstance(each, int) or min(long, each) < 1:
        return
    if long % each:
        text = f"expected a multiple of discriminator.updates ({each}), received {long}: a step has {each} of them"
        problems.add(place, f"algorithm.{name}.burn_in.updates", text)


def _look_ahead(args: YamlNode, problems: Problems) -> None:
    """G's gradient passes through D's updates, so these must be written out as functions."""
    inner, player = args.get("inner_optimizer"), args.get("discriminator")
    stated = inner is not None and inner.value is not None
    node = inner if stated else player.get("optimizer") if player is not None else None
    key = "inner_optimizer" if stated else "discriminator.optimizer"
    if node is None or problems.at(node.place):
        return
    kind = next(iter(node.value), None) if node.is_map else node.value
    arguments = node.get(kind) if isinstance(kind, str) else None
    amsgrad = arguments.get("amsgrad") if arguments is not None else None
    if kind in _UNROLLED and (amsgrad is None or amsgrad.value is not True):
        return
    what = f"{kind} with amsgrad" if kind in _UNROLLED else kind
    hint = "" if stated else ". An inner_optimizer of its own may look ahead instead"
    problems.add(node.place, f"algorithm.unrolled.{key}", f"only SGD and Adam can be unrolled, received {what}{hint}")


SOURCE, SIZE = "fashion_mnist", 28  # of the judge


def check_evaluation(tree: YamlNode, plans: Mapping[str, Plan], problems: Problems) -> None:
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
