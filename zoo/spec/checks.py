"""Checks of a spec as a whole: its sections fit each other, and the machine has the memory for a training step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from zoo.core.registry import suggest
from zoo.spec.algorithm_checks import check_critic, check_evaluation
from zoo.spec.diagnostics import Problems
from zoo.spec.growth import check_growth
from zoo.spec.plan import Plan
from zoo.spec.shapes import Shape
from zoo.spec.validate import join, names_of
from zoo.spec.yaml_tree import YamlNode

_RANGES = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}
BYTES_PER_WEIGHT = 16  # the weight, its gradient, two optimizer moments, in float32


def network_inputs(
    name: str, network: YamlNode, known: Mapping[str, Shape | None], problems: Problems
) -> dict[str, Shape | None]:
    """Return the inputs of a network with their shapes: named after data and latents, or stated as a mapping.

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
            problems.add(item.place, where, f"'{item.value}' is listed twice")
        elif item.value not in known:
            names = ", ".join(known) or "nothing, because there is no data or latent section"
            hint = suggest(item.value, known) or f" Known: {names}."
            problems.add(item.place, where, f"'{item.value}' is neither a latent nor a field of the data.{hint}")
        found[item.value] = known.get(item.value)
    return found


def check_spec(
    tree: YamlNode, plans: Mapping[str, Plan], fields: Mapping[str, Shape | None], memory: int, problems: Problems
) -> None:
    """Report what does not fit together, given the plans of all networks that are correct by themselves."""
    for name, plan in plans.items():
        _check_output(plan, tree.get("networks", name), tree, fields, problems)  # type: ignore[arg-type]
    _check_ranges(tree, problems)
    _check_algorithm(tree, problems)
    _check_players(tree, plans, fields, problems)
    _check_translation(tree, plans, fields, problems)
    check_critic(tree, plans, problems)
    check_growth(tree, plans, problems)
    _check_latents(tree, plans, problems)
    _check_export(tree, problems)
    check_evaluation(tree, plans, problems)
    _check_memory(tree, plans, memory, problems)


def _check_output(
    plan: Plan, node: YamlNode, tree: YamlNode, fields: Mapping[str, Shape | None], problems: Problems
) -> None:
    """Report an output of another shape or range than the data, and logits behind a sigmoid."""
    at, where = node.get("output") or node, f"networks.{plan.name}.output"
    wanted = fields.get(plan.output_name)
    if wanted is not None and plan.output_shape != wanted:
        text = f"the network makes {list(plan.output_shape)}, but '{plan.output_name}' is {list(wanted)} in the data"
        problems.add(at.place, where, text)
    trained = plan.name.startswith("discriminator") and _stated(tree, "algorithm") is not None
    if (trained or plan.output_name == "logits") and plan.last_activation in ("sigmoid", "softmax"):
        text = f"logits are the values before the {plan.last_activation}: leave it out, the loss contains it"
        problems.add(at.place, where, text)
    reached, stated = _RANGES.get(plan.last_activation), tree.get("data", "range")
    if wanted is None or reached is None or len(wanted) != 3:
        return
    low_high = stated.plain() if stated is not None else [-1.0, 1.0]
    if _ascends(low_high) and tuple(low_high) != reached:
        text = f"{plan.last_activation} makes {list(reached)}, but data.range is {low_high}: one of the two must change"
        problems.add((stated or at).place, where, text)


def _ascends(pair: Any) -> bool:
    """Return True for a low and a high number, in this order."""
    return isinstance(pair, list) and len(pair) == 2 and all(map(_is_number, pair)) and pair[0] < pair[1]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_ranges(tree: YamlNode, problems: Problems) -> None:
    """Report ranges of pixels and of uniform latents that do not begin with the smaller number."""
    stated = tree.get("data", "range")
    pair = stated.plain() if stated is not None else None
    numbers = isinstance(pair, list) and len(pair) == 2 and all(map(_is_number, pair))
    if stated is not None and numbers and not _ascends(pair):
        problems.add(stated.place, "data.range", f"expected [low, high] with low < high, received {pair}")
    for name, entry in tree.entries("latent"):
        for prior, arguments in entry.node.entries():
            low, high = arguments.node.get("low"), arguments.node.get("high")
            pair = [low.value if low else -1.0, high.value if high else 1.0]
            if prior == "uniform" and all(map(_is_number, pair)) and not _ascends(pair):
                place = (low or high or arguments.node).place
                text = f"low must be below high, received {pair[0]} and {pair[1]}"
                problems.add(place, f"latent.{name}.uniform", text)


def _check_algorithm(tree: YamlNode, problems: Problems) -> None:
    """Report networks and sections that an algorithm needs and the spec lacks."""
    algorithm, training = _stated(tree, "algorithm"), _stated(tree, "training")
    if algorithm is None:
        if training is not None:
            problems.add(training.place, "training", "there is no 'algorithm' section to train by")
        return
    for section in ("data", "training"):
        if _stated(tree, section) is None:
            problems.add(algorithm.place, "algorithm", f"an algorithm needs a '{section}' section")
    name = next(iter(algorithm.value), None) if algorithm.is_map else algorithm.value
    roles = names_of("algorithm").get(name, {}).get("x-networks", ())  # type: ignore[arg-type]
    present = [key for key, _ in tree.entries("networks")]
    for role in roles:
        if role not in present:
            text = f"trains a network called '{role}', which is not in 'networks'.{suggest(role, present)}"
            problems.add(algorithm.place, f"algorithm.{name}", text)


def _check_players(
    tree: YamlNode, plans: Mapping[str, Plan], fields: Mapping[str, Shape | None], problems: Problems
) -> None:
    """Report inputs of G and D that a batch does not hold, and an output of G that D does not take."""
    generator, discriminator = plans.get("generator"), plans.get("discriminator")
    ready = _stated(tree, "algorithm") is not None and _stated(tree, "data") is not None
    if not ready or generator is None or discriminator is None:
        return
    known = [*fields, *(name for name, _ in tree.entries("latent"))]
    for player in (generator, discriminator):
        for input_name in player.inputs:
            if input_name not in known:
                hint = suggest(input_name, known) or f" Known: {', '.join(known)}."
                text = f"training feeds no '{input_name}': it is neither a latent nor a field of the data.{hint}"
                place = tree.get("networks", player.name, "inputs").place  # type: ignore[union-attr]
                return problems.add(place, f"networks.{player.name}.inputs", text)
    if generator.output_name not in fields or generator.output_name not in discriminator.inputs:
        text = f"D takes {', '.join(discriminator.inputs)}, and not the '{generator.output_name}' that G makes"
        place = tree.get("networks", "generator", "output").place  # type: ignore[union-attr]
        if not problems.at(place):
            problems.add(place, "networks.generator.output", text)


def _check_translation(
    tree: YamlNode, plans: Mapping[str, Plan], fields: Mapping[str, Shape | None], problems: Problems
) -> None:
    """Report translators that do not map one domain to the other, and discriminators that do not take one domain."""
    algorithm, data = _stated(tree, "algorithm"), _stated(tree, "data")
    if algorithm is None or data is None:
        return
    if "cyclegan" not in (algorithm.value if algorithm.is_map else [algorithm.value]):
        return
    if not {"a", "b"} <= set(fields):
        text = "is of one domain; a translation needs two: emoji, cifar10_pair or folders"
        problems.add((data.get("source") or data).place, "data.source", text)
        return
    roles = {"a_to_b": ("a", "b"), "b_to_a": ("b", "a"), "discriminator_a": ("a", None), "discriminator_b": ("b", None)}
    for role, (takes, makes) in roles.items():
        if (plan := plans.get(role)) is None:
            continue
        node: YamlNode = tree.get("networks", role)  # type: ignore[assignment]
        for key, wanted, found in (("inputs", takes, ", ".join(plan.inputs)), ("output", makes, plan.output_name)):
            place = (node.get(key) or node).place
            if wanted is not None and found != wanted and not problems.at(place):
                verb = "takes" if key == "inputs" else "makes"
                problems.add(place, f"networks.{role}.{key}", f"{verb} images of '{wanted}', received '{found}'")


def _stated(tree: YamlNode, section: str) -> YamlNode | None:
    """Return a section of the spec, or None where it is missing or null."""
    node = tree.get(section)
    return None if node is None or node.value is None else node


def _check_latents(tree: YamlNode, plans: Mapping[str, Plan], problems: Problems) -> None:
    """Report latents that no network takes, once all networks are correct by themselves."""
    if len(plans) < len(list(tree.entries("networks"))):
        return
    used = {name for plan in plans.values() for name in plan.inputs}
    for name, entry in tree.entries("latent"):
        if name not in used and not problems.at(entry.place):
            problems.add(entry.place, f"latent.{name}", "feeds no network. Name it in the 'inputs' of one")


def _check_export(tree: YamlNode, problems: Problems) -> None:
    """Report exported networks that the spec lacks."""
    names, present = tree.get("export", "networks"), [key for key, _ in tree.entries("networks")]
    for item in names.value if names is not None and names.is_list else ():
        if item.value not in present:
            text = f"there is no network {item.describe()}.{suggest(item.value, present)}"
            problems.add(item.place, "export.networks", text)


def _check_memory(tree: YamlNode, plans: Mapping[str, Plan], memory: int, problems: Problems) -> None:
    """Report a network, or else a batch, for which `memory` bytes do not suffice."""
    for plan in plans.values():
        needed = plan.parameters * BYTES_PER_WEIGHT + 4 * plan.activations
        if needed > memory:
            what = f"{plan.parameters:,} parameters and one example"
            text = f"needs {gigabytes(needed)} for {what}; this machine has {gigabytes(memory)}"
            largest = max(plan.steps, key=lambda s: s.cost.parameters * BYTES_PER_WEIGHT + 4 * math.prod(s.cost.shape))
            problems.add(largest.place, largest.where, text)
            return
    stated = tree.get("training", "batch_size")
    needed = training_bytes(plans, stated.value) if stated is not None and isinstance(stated.value, int) else 0
    if stated is not None and needed > memory and not problems.at(stated.place):
        text = f"a step needs about {gigabytes(needed)}; this machine has {gigabytes(memory)}. Take a smaller batch"
        problems.add(stated.place, "training.batch_size", text)


def training_bytes(plans: Mapping[str, Plan], batch_size: int) -> int:
    """Estimate the memory of a training step.

    It holds the weights with gradients and optimizer moments, and the activations of each network twice: D sees real
    and fake examples, and G's results are kept for the backward pass.

    Args:
        plans: The networks, by name.
        batch_size: The number of real examples in a batch.

    Returns:
        The number of bytes, for numbers in float32.
    """
    weights = sum(plan.parameters for plan in plans.values()) * BYTES_PER_WEIGHT
    return weights + 2 * 4 * batch_size * sum(plan.activations for plan in plans.values())


def gigabytes(size: int) -> str:
    """Write a number of bytes for people.

    Args:
        size: The number of bytes.

    Returns:
        A text such as '1.2 GB', or '34.5 MB' below 0.1 GB.
    """
    return f"{size / 1e9:,.1f} GB" if size >= 1e8 else f"{size / 1e6:,.1f} MB"
