"""What must be true of D: penalties, the burn-in of Wasserstein GANs and unrolled updates fit networks and step."""

from __future__ import annotations

from collections.abc import Mapping

from zoo.spec.nodes import Node
from zoo.spec.plan import Plan
from zoo.spec.problems import Problems
from zoo.spec.schema import below, names_of

_OF_SLOPES = ("gradient_penalty", "r1")
_UNROLLED = ("SGD", "Adam")  # whose updates zoo.optimizers.Unrolled knows as functions of tensors


def critic(tree: Node, plans: Mapping[str, Plan], problems: Problems) -> None:
    """Report what an algorithm with a critic cannot do."""
    algorithm = tree.get("algorithm")
    for name, entry in algorithm.entries() if algorithm is not None else ():
        _slopes(entry.node, plans, problems)
        _burn_in(name, entry.node, problems)
        if name == "unrolled":
            _look_ahead(entry.node, problems)


def _slopes(args: Node, plans: Mapping[str, Plan], problems: Problems) -> None:
    """Batch norm makes D(x) depend on the rest of the batch: then an example has no slope of its own."""
    penalties = args.get("penalties")
    for item in penalties.value if penalties is not None and penalties.is_list else ():
        penalty = next(iter(item.value), None) if item.is_map else item.value
        judges = [plan for role, plan in plans.items() if role.startswith("discriminator")]
        norms = [step for plan in judges for step in plan.steps if step.layer == "BatchNormalization"]
        if penalty in _OF_SLOPES and norms:
            text = f"{penalty} is of each example alone, and this mixes the batch: leave it out or take "
            return problems.add(norms[0].place, norms[0].where, text + "LayerNormalization")


def _burn_in(name: str, args: Node, problems: Problems) -> None:
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


def _look_ahead(args: Node, problems: Problems) -> None:
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
