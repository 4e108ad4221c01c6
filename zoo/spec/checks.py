"""What must be true of a spec as a whole: the parts fit each other, and the machine can hold them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from zoo.core.registry import suggest
from zoo.spec.algorithm_checks import check_critic, check_evaluation
from zoo.spec.diagnostics import Problems
from zoo.spec.growth import growing
from zoo.spec.plan import Plan
from zoo.spec.shapes import Shape
from zoo.spec.validate import join, names_of
from zoo.spec.yaml_tree import YamlNode

_RANGES = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}
BYTES_PER_WEIGHT = 16  # the weight, its gradient, two optimizer moments, in float32


def network_inputs(
    name: str, network: YamlNode, known: Mapping[str, Shape | None], problems: Problems
) -> dict[str, Shape | None]:
    """The named inputs of a network with their shapes: from data and latent, or spelled out as a mapping.

    A shape is None where the input, or what it refers to, is wrong (reported).
    """
    node, where = network.get("inputs"), f"networks.{name}.inputs"
    if node is None or node.value is None:
        return {}
    found: dict[str, Shape | None] = {}
    for key, entry in node.entries():
        sizes = entry.node.plain()
        sound = isinstance(sizes, list) and all(isinstance(s, int) and s >= 1 for s in sizes)
        found[key] = tuple(sizes) if sound else None
        wanted = known.get(key)
        if sound and wanted is not None and found[key] != wanted:
            text = f"'{key}' is {list(wanted)} in this spec, received {sizes}"
            problems.add(entry.node.place, join(where, key), text)
    if not node.value:
        problems.add(node.place, where, "a network needs at least one input")
    for item in node.value if node.is_list else [] if node.is_map else [node]:
        if not isinstance(item.value, str):
            continue  # reported by the schema
        if item.value in found:
            problems.add(item.place, where, f"'{item.value}' stands here twice")
        elif item.value not in known:
            names = ", ".join(known) or "nothing, because there is no data or latent section"
            hint = suggest(item.value, known) or f" Known: {names}."
            problems.add(item.place, where, f"'{item.value}' is neither a latent nor a field of the data.{hint}")
        found[item.value] = known.get(item.value)
    return found


def check_spec(
    tree: YamlNode, plans: Mapping[str, Plan], fields: Mapping[str, Shape | None], memory: int, problems: Problems
) -> None:
    """Report what does not fit together, given the plans of all networks that are sound in themselves."""
    for name, plan in plans.items():
        node = tree.get("networks").get(name)  # type: ignore[union-attr]
        _output(plan, node, tree, fields, problems)  # type: ignore[arg-type]
    _order(tree, problems)
    _roles(tree, problems)
    _meeting(tree, plans, fields, problems)
    _translation(tree, plans, fields, problems)
    check_critic(tree, plans, problems)
    growing(tree, plans, problems)
    _unused_latents(tree, plans, problems)
    _exports(tree, problems)
    check_evaluation(tree, plans, problems)
    _memory(tree, plans, memory, problems)


def _output(plan: Plan, node: YamlNode, tree: YamlNode, fields: Mapping[str, Shape | None], problems: Problems) -> None:
    at, where = node.get("output") or node, f"networks.{plan.name}.output"
    wanted = fields.get(plan.output_name)
    if wanted is not None and plan.output_shape != wanted:
        text = f"the network makes {list(plan.output_shape)}, but '{plan.output_name}' is {list(wanted)} in the data"
        problems.add(at.place, where, text)
    judged = plan.name.startswith("discriminator") and _given(tree, "algorithm") is not None
    if (judged or plan.output_name == "logits") and plan.last_activation in ("sigmoid", "softmax"):
        text = f"logits are what stands before the {plan.last_activation}: leave it out, the loss contains it"
        problems.add(at.place, where, text)
    made, data = _RANGES.get(plan.last_activation), tree.get("data")
    if wanted is None or made is None or data is None or len(wanted) != 3:
        return
    stated = data.get("range")
    low_high = stated.plain() if stated is not None else [-1.0, 1.0]
    if _ascends(low_high) and tuple(low_high) != made:
        text = f"{plan.last_activation} makes {list(made)}, but data.range is {low_high}: one of the two must change"
        problems.add((stated or at).place, where, text)


def _ascends(pair: Any) -> bool:
    """Whether this is a low and a high number, in this order."""
    return isinstance(pair, list) and len(pair) == 2 and all(map(_is_number, pair)) and pair[0] < pair[1]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _order(tree: YamlNode, problems: Problems) -> None:
    """Ranges begin with the smaller number."""
    data, latent = tree.get("data"), tree.get("latent")
    stated = data.get("range") if data is not None else None
    pair = stated.plain() if stated is not None else None
    if (
        stated is not None
        and isinstance(pair, list)
        and all(map(_is_number, pair))
        and len(pair) == 2
        and not _ascends(pair)
    ):
        problems.add(stated.place, "data.range", f"expected [low, high] with low < high, received {pair}")
    for name, entry in latent.entries() if latent is not None else ():
        for prior, arguments in entry.node.entries():
            low, high = arguments.node.get("low"), arguments.node.get("high")
            pair = [low.value if low else -1.0, high.value if high else 1.0]
            if prior == "uniform" and all(map(_is_number, pair)) and not _ascends(pair):
                place = (low or high or arguments.node).place
                problems.add(
                    place, f"latent.{name}.uniform", f"low must be below high, received {pair[0]} and {pair[1]}"
                )


def _roles(tree: YamlNode, problems: Problems) -> None:
    """An algorithm trains networks of certain names, on data, for a training section."""
    algorithm, training, networks = _given(tree, "algorithm"), _given(tree, "training"), tree.get("networks")
    if algorithm is None:
        if training is not None:
            problems.add(training.place, "training", "there is no 'algorithm' section that says what a step does")
        return
    for section in ("data", "training"):
        if _given(tree, section) is None:
            problems.add(algorithm.place, "algorithm", f"an algorithm needs a '{section}' section")
    name = next(iter(algorithm.value), None) if algorithm.is_map else algorithm.value
    roles = names_of("algorithm").get(name, {}).get("x-networks", ())  # type: ignore[arg-type]
    present = [key for key, _ in networks.entries()] if networks is not None else []
    for role in roles:
        if role not in present:
            problems.add(
                algorithm.place,
                f"algorithm.{name}",
                f"trains a network called '{role}', which is not in 'networks'.{suggest(role, present)}",
            )


def _meeting(tree: YamlNode, plans: Mapping[str, Plan], fields: Mapping[str, Shape | None], problems: Problems) -> None:
    """A game feeds both players from the batch, and hands D what G makes in the place of the real one."""
    networks, latent = tree.get("networks"), tree.get("latent")
    made, judge = plans.get("generator"), plans.get("discriminator")
    ready = _given(tree, "algorithm") is not None and _given(tree, "data") is not None
    if not ready or networks is None or made is None or judge is None:
        return
    known = [*fields, *(name for name, _ in (latent.entries() if latent is not None else ()))]
    for player in (made, judge):
        for input_name in player.inputs:
            if input_name not in known:
                hint = suggest(input_name, known) or f" Known: {', '.join(known)}."
                text = f"training feeds no '{input_name}': it is neither a latent nor a field of the data.{hint}"
                place = networks.get(player.name).get("inputs").place  # type: ignore[union-attr]
                return problems.add(place, f"networks.{player.name}.inputs", text)
    if made.output_name not in fields or made.output_name not in judge.inputs:
        text = f"D takes {', '.join(judge.inputs)}: it would never meet the '{made.output_name}' that G makes"
        place = networks.get("generator").get("output").place  # type: ignore[union-attr]
        if not problems.at(place):
            problems.add(place, "networks.generator.output", text)


def _translation(
    tree: YamlNode, plans: Mapping[str, Plan], fields: Mapping[str, Shape | None], problems: Problems
) -> None:
    """Each translator leads from one domain to the other, and each judge sees one domain; both alone."""
    algorithm, data = _given(tree, "algorithm"), _given(tree, "data")
    if (
        algorithm is None
        or data is None
        or "cyclegan" not in (algorithm.value if algorithm.is_map else [algorithm.value])
    ):
        return
    if not {"a", "b"} <= set(fields):
        text = "is of one domain; a translation needs two: emoji, cifar10_pair or folders"
        problems.add((data.get("source") or data).place, "data.source", text)
        return
    roles = {"a_to_b": ("a", "b"), "b_to_a": ("b", "a"), "discriminator_a": ("a", None), "discriminator_b": ("b", None)}
    for role, (takes, makes) in roles.items():
        if (plan := plans.get(role)) is None:
            continue
        node: YamlNode = tree.get("networks").get(role)  # type: ignore[union-attr, assignment]
        for key, wanted, found in (("inputs", takes, ", ".join(plan.inputs)), ("output", makes, plan.output_name)):
            place = (node.get(key) or node).place
            if wanted is not None and found != wanted and not problems.at(place):
                verb = "takes" if key == "inputs" else "makes"
                problems.add(place, f"networks.{role}.{key}", f"{verb} images of '{wanted}', received '{found}'")


def _given(tree: YamlNode, section: str) -> YamlNode | None:
    """A section that says something."""
    node = tree.get(section)
    return None if node is None or node.value is None else node


def _unused_latents(tree: YamlNode, plans: Mapping[str, Plan], problems: Problems) -> None:
    latent, networks = tree.get("latent"), tree.get("networks")
    if latent is None or networks is None or len(plans) < len(list(networks.entries())):
        return
    used = {name for plan in plans.values() for name in plan.inputs}
    for name, entry in latent.entries():
        if name not in used and not problems.at(entry.place):
            problems.add(entry.place, f"latent.{name}", "feeds no network. Name it in the 'inputs' of one")


def _exports(tree: YamlNode, problems: Problems) -> None:
    export, networks = tree.get("export"), tree.get("networks")
    names = export.get("networks") if export is not None else None
    if names is None or not names.is_list or networks is None:
        return
    present = [key for key, _ in networks.entries()]
    for item in names.value:
        if item.value not in present:
            problems.add(
                item.place, "export.networks", f"there is no network {item.describe()}.{suggest(item.value, present)}"
            )


def _memory(tree: YamlNode, plans: Mapping[str, Plan], memory: int, problems: Problems) -> None:
    networks = tree.get("networks")
    assert networks is not None
    for plan in plans.values():
        needed = plan.parameters * BYTES_PER_WEIGHT + 4 * plan.activations
        if needed > memory:
            what = f"{plan.parameters:,} parameters and one example"
            text = f"needs {gigabytes(needed)} for {what}; this machine has {gigabytes(memory)}"
            largest = max(
                plan.steps, key=lambda step: step.cost.parameters * BYTES_PER_WEIGHT + 4 * math.prod(step.cost.shape)
            )
            problems.add(largest.place, largest.where, text)
            return
    stated = at(tree, "training", "batch_size")
    needed = training_bytes(plans, stated.value) if stated is not None and isinstance(stated.value, int) else 0
    if stated is not None and needed > memory and not problems.at(stated.place):
        text = f"a step needs about {gigabytes(needed)}; this machine has {gigabytes(memory)}. Take a smaller batch"
        problems.add(stated.place, "training.batch_size", text)


def training_bytes(plans: Mapping[str, Plan], batch_size: int) -> int:
    """About what a training step takes: weights with gradients and moments, and the activations of each network twice
    (a discriminator sees real and fake examples, a generator's results are kept for the pass back)."""
    weights = sum(plan.parameters for plan in plans.values()) * BYTES_PER_WEIGHT
    return weights + 2 * 4 * batch_size * sum(plan.activations for plan in plans.values())


def gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e8 else f"{size / 1e6:,.1f} MB"


def at(tree: YamlNode, *keys: str) -> YamlNode | None:
    """The node at the end of a path of keys, where there is one."""
    node: YamlNode | None = tree
    for key in keys:
        node = node.get(key) if node is not None else None
    return node
