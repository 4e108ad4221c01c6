"""Checks of the algorithm and of evaluation during training.

Penalties, the burn-in of Wasserstein GANs and unrolled updates must fit the networks and the step. `training.evaluate`
needs data that a judge (a classifier of its images) knows, and an exported network whose images it can look at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.spec.diagnostics import Problems
from zoo.spec.game_sections import GAMES
from zoo.spec.game_unrolling import not_unrolled
from zoo.spec.plan import BATCH_NORMS, Plan
from zoo.spec.validate import below, names_of
from zoo.spec.yaml_tree import YamlNode

_PER_EXAMPLE = ("gradient_penalty", "r1")
SOURCE, SIZE = "fashion_mnist", 28  # of the judge: the name of its data, the height and width of its images


def check_critic(tree: YamlNode, plans: Mapping[str, Plan], problems: Problems) -> None:
    """Report what the algorithm cannot do with the networks: penalties, burn-in, unrolled updates."""
    for name, entry in tree.entries("algorithm"):
        _check_penalties(entry.node, plans, problems)
        _check_burn_in(name, entry.node, problems)
        if name == "unrolled":
            _check_unrolled(entry.node, problems)
        if name not in GAMES:
            _check_numbers(entry.node, f"algorithm.{name}", problems)


def _check_numbers(args: YamlNode, where: str, problems: Problems) -> None:
    """Report numbers of optimizers that are names of states, which only a game has."""
    for key, entry in args.entries():
        optimizer = entry.node if key == "inner_optimizer" else entry.node.get("optimizer")
        for kind, part in optimizer.entries() if optimizer is not None else ():
            for name, number in part.node.entries():
                if isinstance(number.node.value, str) and not problems.at(number.node.place):
                    text = f"expected a number or a schedule, received {number.node.describe()}: only a game has states"
                    inner = "" if key == "inner_optimizer" else ".optimizer"
                    problems.add(number.node.place, f"{where}.{key}{inner}.{kind}.{name}", text)


def _check_penalties(args: YamlNode, plans: Mapping[str, Plan], problems: Problems) -> None:
    """Report batch norm in D beside a penalty on the gradient of each example: D(x) would depend on the whole batch."""
    penalties = args.get("penalties")
    for item in penalties.value if penalties is not None and penalties.is_list else ():
        penalty = next(iter(item.value), None) if item.is_map else item.value
        discriminators = [plan for role, plan in plans.items() if role.startswith("discriminator")]
        norms = [step for plan in discriminators for step in plan.steps if step.layer in BATCH_NORMS]
        if penalty in _PER_EXAMPLE and norms:
            text = (
                f"{penalty} is of each example alone, and this mixes the batch: leave it out or take LayerNormalization"
            )
            return problems.add(norms[0].place, norms[0].where, text)


def _check_burn_in(name: str, args: YamlNode, problems: Problems) -> None:
    """Report updates of D in the burn-in that are not a multiple of its updates in a step."""
    burn_in, player, schema = args.get("burn_in"), args.get("discriminator"), names_of("algorithm").get(name, {})
    if burn_in is None or not burn_in.is_map or player is None:
        return
    during, each = (
        stated.value if (stated := node.get("updates")) else below(below(schema, key), "updates").get("default")
        for key, node in (("burn_in", burn_in), ("discriminator", player))
    )
    place = (burn_in.get("updates") or burn_in).place
    if problems.at(place) or not isinstance(during, int) or not isinstance(each, int) or min(during, each) < 1:
        return
    if during % each:
        text = f"expected a multiple of discriminator.updates ({each}), received {during}: a step has {each} of them"
        problems.add(place, f"algorithm.{name}.burn_in.updates", text)


def _check_unrolled(args: YamlNode, problems: Problems) -> None:
    """Report an optimizer that cannot be unrolled: G's gradient passes through D's updates as functions of tensors."""
    inner, player = args.get("inner_optimizer"), args.get("discriminator")
    stated = inner is not None and inner.value is not None
    node = inner if stated else player.get("optimizer") if player is not None else None
    key = "inner_optimizer" if stated else "discriminator.optimizer"
    if node is None or problems.at(node.place):
        return
    kind = next(iter(node.value), None) if node.is_map else node.value
    amsgrad = node.get(str(kind), "amsgrad")
    if wrong := not_unrolled(str(kind), amsgrad is not None and amsgrad.value is True):
        hint = "" if stated else ". An inner_optimizer of its own may look ahead instead"
        problems.add(node.place, f"algorithm.unrolled.{key}", f"{wrong}{hint}")


def check_evaluation(tree: YamlNode, plans: Mapping[str, Plan], problems: Problems) -> None:
    """Report a `training.evaluate` that is stated for a training that no judge can evaluate."""
    stated = tree.get("training", "evaluate")
    if stated is None or not stated.is_map or tree.get("data") is None or problems.at(stated.place):
        return
    if wrong := unwatchable(tree.plain(), plans):
        problems.add(stated.place, "training.evaluate", wrong)


def unwatchable(document: Mapping[str, Any], plans: Mapping[str, Plan]) -> str:
    """Find what keeps a judge from evaluating the training of a spec.

    Args:
        document: The resolved spec, see `Spec.document`.
        plans: Its networks, by name.

    Returns:
        The reason why evaluation during training is off, or an empty string.
    """
    return _unknown_data(document.get("data") or {}) or _no_images(document.get("export") or {}, plans)


def _unknown_data(data: Mapping[str, Any]) -> str:
    """Return the reason why the judge cannot look at the data, or an empty string.

    It cuts clothes of 28 x 28 pixels out of the middle of a black border.
    """
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


def _no_images(export: Mapping[str, Any], plans: Mapping[str, Plan]) -> str:
    """Return the reason why no exported network makes an image, or an empty string."""
    if export.get("values"):
        return "the judge looks at exported networks, and this spec exports values"
    names = export.get("networks") or ["generator"]
    names = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    known = [plans[name] for name in names if name in plans]
    if known and not any(plan.output_name == "image" for plan in known):
        return f"none of the exported networks ({', '.join(plan.name for plan in known)}) makes an 'image'"
    return ""
