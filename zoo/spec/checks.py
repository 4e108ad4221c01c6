"""Checks of a spec as a whole: its sections fit each other and the networks, and what is exported can be used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.core.registry import suggest
from zoo.data.catalogue import TEXT
from zoo.spec.algorithm_checks import check_critic, check_evaluation
from zoo.spec.cost_checks import check_costs, is_count
from zoo.spec.diagnostics import Problems
from zoo.spec.game_sections import GAMES
from zoo.spec.graph_checks import (
    check_classes,
    check_graph,
    check_groups,
    check_logits,
    check_reach,
    data_ends,
    default_exports,
    feedable,
    mixing_layer,
)
from zoo.spec.growth import check_growth
from zoo.spec.plan import Plan
from zoo.spec.shapes import Shape
from zoo.spec.validate import names_of
from zoo.spec.yaml_tree import YamlNode

GAME = "game"  # the algorithm whose networks have no roles
_RANGES = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}


def check_spec(
    tree: YamlNode,
    plans: Mapping[str, Plan],
    fields: Mapping[str, Shape | None],
    latents: Mapping[str, Shape | None],
    labels: Mapping[str, tuple[str, ...]],
    memory: int,
    problems: Problems,
) -> None:
    """Report what does not fit together, given the plans of all networks that are correct by themselves."""
    for name, plan in plans.items():
        node: YamlNode = tree.get("networks", name)  # type: ignore[assignment]
        check_graph(plan, node, problems)
        check_classes(plan, labels, problems)
        _check_output(plan, node, tree, fields, problems)
    _check_ranges(tree, problems)
    _check_algorithm(tree, problems)
    _check_players(tree, plans, fields, problems)
    _check_translation(tree, plans, fields, problems)
    check_critic(tree, plans, problems)
    check_growth(tree, plans, problems)
    _check_latents(tree, plans, problems)
    _check_export(tree, plans, fields, latents, problems)
    check_evaluation(tree, plans, problems)
    batch_size = tree.get("training", "batch_size")
    if batch_size is not None and is_count(batch_size.value):
        check_groups(plans, batch_size.value, problems)
    check_costs(tree, plans, {**fields, **latents}, memory, problems)


def _check_output(
    plan: Plan, node: YamlNode, tree: YamlNode, fields: Mapping[str, Shape | None], problems: Problems
) -> None:
    """Report outputs of another shape or range than the data, and logits behind a sigmoid."""
    trained = plan.name in trained_networks(tree)
    judges = trained and plan.name.startswith("discriminator") and part_of(tree.get("algorithm"))[0] != GAME
    stated = node.get("output") or node
    if judges:
        check_logits(plan, problems)
    frozen = node.get("frozen")
    if trained and frozen is not None and frozen.value is True and part_of(tree.get("algorithm"))[0] not in GAMES:
        problems.add(frozen.place, f"networks.{plan.name}.frozen", "the algorithm trains it: leave `frozen` out")
    if trained and not plan.parameters:
        problems.add(node.place, f"networks.{plan.name}", "there is nothing to train: no layer has weights")
    for name, (tensor, shape) in plan.outputs.items():
        at, where = output_place(stated, name), f"networks.{plan.name}.output"
        wanted, activation = fields.get(name), plan.activation_of(tensor)
        if wanted is not None and shape != wanted:
            text = f"the network makes {list(shape)}, but '{name}' is {list(wanted)} in the data"
            problems.add(at.place, where, text + _shape_hint(shape, wanted))
        is_logits = name == "logits" or (judges and tensor == plan.output)
        if is_logits and activation in ("sigmoid", "softmax"):
            text = f"logits are the values before the {activation}: leave it out, the loss contains it"
            problems.add(at.place, where, text)
        if wanted is None or not trained:
            continue
        if len(wanted) == 1:
            source, arguments = part_of(tree.get("data", "source"))
            low, high = data_ends(source, arguments)
            if low < high:
                check_reach(plan, tensor, (low, high), "the centres of the data are in", problems)
        elif len(wanted) == 3:
            _check_pixels(plan, tensor, tree.get("data", "range"), at, where, problems)


def output_place(stated: YamlNode, name: str) -> YamlNode:
    """Return the node that names one of the outputs in `output`."""
    if stated.is_list:
        return next((item for item in stated.value if item.value == name), stated)
    return stated.get(name) or stated


def _check_pixels(
    plan: Plan, tensor: int, stated: YamlNode | None, at: YamlNode, where: str, problems: Problems
) -> None:
    """Report images that cannot have the range of the data."""
    low_high = stated.plain() if stated is not None else [-1.0, 1.0]
    if not _ascends(low_high):
        return
    activation = plan.activation_of(tensor)
    reached = _RANGES.get(activation)
    if reached is None or tuple(low_high) == reached:
        return check_reach(plan, tensor, (low_high[0], low_high[1]), "data.range is", problems)
    text = f"{activation} makes {list(reached)}, but data.range is {low_high}: one of the two must change"
    return problems.add((stated or at).place, where, text)


def part_of(node: YamlNode | None) -> tuple[str, YamlNode | None]:
    """Return the name of a part and its arguments; an empty name where it is missing or not a part."""
    if node is not None and isinstance(node.value, str):
        return node.value, None
    if node is not None and node.is_map and len(node.value) == 1:
        name, entry = next(node.entries())
        return name, entry.node
    return "", None


def trained_networks(tree: YamlNode) -> tuple[str, ...]:
    """Return the names of the networks that the algorithm trains: its roles, and those that phases of a game name."""
    name, args = part_of(tree.get("algorithm"))
    phases = [entry.node for _, entry in args.entries("phases")] if args is not None else []
    stated = [node for phase in phases if (node := phase.get("trains")) is not None]
    items = [item.value for node in stated for item in (node.value if node.is_list else [node])]
    return tuple(dict.fromkeys([*roles(name), *(item for item in items if isinstance(item, str))]))


def roles(algorithm: str) -> tuple[str, ...]:
    """Return the names of the networks that an algorithm of this name needs; a game names its own."""
    return tuple(names_of("algorithm").get(algorithm, {}).get("x-networks", ()))


def _shape_hint(made: Shape, wanted: Shape) -> str:
    """Return the settings with which the data would have the shape that a network makes, or an empty string."""
    if len(made) != 3 or len(wanted) != 3 or made[2] not in (1, 3):
        return ""
    size = f"data.size={made[0] if made[0] == made[1] else list(made[:2])}" if made[:2] != wanted[:2] else ""
    channels = f"data.channels={made[2]}" if made[2] != wanted[2] else ""
    return f". {' '.join(filter(None, (size, channels)))} would fit"


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
    name, _ = part_of(algorithm)
    present = [key for key, _ in tree.entries("networks")]
    for role in roles(name):
        if role not in present:
            text = f"trains a network called '{role}', which is not in 'networks'.{suggest(role, present)}"
            problems.add(algorithm.place, f"algorithm.{name}", text)


def _check_players(
    tree: YamlNode, plans: Mapping[str, Plan], fields: Mapping[str, Shape | None], problems: Problems
) -> None:
    """Report inputs of G and D that a batch does not hold, and an output of G that D does not take."""
    generator, discriminator = plans.get("generator"), plans.get("discriminator")
    word, args = part_of(_stated(tree, "algorithm"))
    ready = word not in ("", GAME) and _stated(tree, "data") is not None
    if not ready or generator is None or discriminator is None:
        return
    values = [name for name, _ in args.entries("values")] if args is not None else []
    known = [*fields, *(name for name, _ in tree.entries("latent")), *values]
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
    if part_of(algorithm)[0] != "cyclegan":
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


def _check_export(
    tree: YamlNode,
    plans: Mapping[str, Plan],
    fields: Mapping[str, Shape | None],
    latents: Mapping[str, Shape | None],
    problems: Problems,
) -> None:
    """Report exported networks that the spec lacks, that nobody can feed, or whose rows depend on each other."""
    stated, present = tree.get("export", "networks"), [key for key, _ in tree.entries("networks")]
    algorithm = _stated(tree, "algorithm")
    if (values := tree.get("export", "values")) is not None:
        if stated is not None:
            problems.add(values.place, "export.values", "networks or values leave, not both: take a value for each")
        if (name := part_of(algorithm)[0]) not in GAMES:
            text = f"'{name}' is written in Python and has no values: name the `networks` that leave"
            problems.add(values.place, "export.values", text if name else "a spec without an algorithm has no values")
        return
    if stated is None and algorithm is not None:
        names = default_exports(trained_networks(tree), plans, latents, fields)
        items = {name: algorithm for name in names if name in plans}
        explained = _misnamed(tree, plans, fields, latents, problems)
        if not set(names) & set(present) and not problems.inside(algorithm) and not explained:
            text = "no trained network makes data from latents, labels or one image: name the `networks` that leave"
            problems.add(algorithm.place, "export", text)
    else:
        items = {}
        for item in stated.value if stated is not None and stated.is_list else ():
            if item.value in items if isinstance(item.value, str) else True:
                text = f"names {item.describe()} twice" if isinstance(item.value, str) else "expected a word"
                problems.add(item.place, "export.networks", text)
            elif item.value not in present:
                text = f"there is no network {item.describe()}.{suggest(item.value, present)}"
                problems.add(item.place, "export.networks", text)
            items[str(item.value)] = item
        if stated is not None and stated.value == []:
            problems.add(stated.place, "export.networks", f"expected one or more of {', '.join(present)}")
    for name in items if algorithm is not None and _stated(tree, "data") is not None else ():
        if name in plans:
            _check_exported(tree, plans[name], fields, latents, problems)


def _misnamed(
    tree: YamlNode,
    plans: Mapping[str, Plan],
    fields: Mapping[str, Shape | None],
    latents: Mapping[str, Shape | None],
    problems: Problems,
) -> bool:
    """Report a network that makes data from latents and labels, but not by the name that the data have.

    Returns:
        True where a mistake explains that no network makes data: this one, or one inside a network.
    """
    if len(plans) < len(list(tree.entries("networks"))):
        return True
    for name in trained_networks(tree) if part_of(_stated(tree, "algorithm"))[0] == GAME else ():
        plan = plans.get(name)
        if (
            plan is None
            or plan.output_name in fields
            or not all(i in latents or fields.get(i) == () or i == TEXT for i in plan.inputs)
        ):
            continue
        alike = [field for field, shape in fields.items() if shape and shape == plan.output_shape]
        if alike:
            at = tree.get("networks", name, "output") or tree.get("networks", name)
            text = f"{name} makes '{plan.output_name}', and the data's field of the same shape is '{alike[0]}': "
            text += f"write `output: {alike[0]}`, or name the `networks` that leave in `export`"
            problems.add(at.place, f"networks.{name}.output", text)  # type: ignore[union-attr]
            return True
    return False


def _check_exported(
    tree: YamlNode,
    plan: Plan,
    fields: Mapping[str, Shape | None],
    latents: Mapping[str, Shape | None],
    problems: Problems,
) -> None:
    """Report an exported network that nobody can feed, or whose rows depend on each other."""
    if (mixing := mixing_layer(plan)) is not None:
        text = f"'{plan.name}' is exported, and {mixing.layer} lets what it makes depend on the rest of the batch"
        problems.add(mixing.place, mixing.where, f"{text}: leave it out")
    known = {**fields, **latents}
    inputs: YamlNode = tree.get("networks", plan.name, "inputs")  # type: ignore[assignment]
    stated = tree.get("export", "networks") is not None and part_of(_stated(tree, "algorithm"))[0] == GAME
    wrong = any(known.get(name) is None and (name in known or not stated) for name in plan.inputs)  # reported already
    if wrong or feedable(plan, latents, fields) or problems.at(inputs.place):
        return
    verb = "is" if len(plan.inputs) == 1 else "are"
    text = (
        f"'{plan.name}' is exported, but {' and '.join(plan.inputs)} {verb} not what a user can feed: latents and "
        "labels, or one image from which it makes another"
    )
    if part_of(_stated(tree, "algorithm"))[0] in GAMES:
        text += ". `export: {values: ...}` lets a value leave with all the networks before it"
    problems.add(inputs.place, f"networks.{plan.name}.inputs", text)
