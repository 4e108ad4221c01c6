"""What must be true of a spec as a whole: the parts fit each other, and the machine can hold them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from zoo.registry import suggest
from zoo.spec.nodes import Node
from zoo.spec.problems import Problems
from zoo.spec.program import Plan
from zoo.spec.schema import join, names_of
from zoo.spec.shapes import Shape

_RANGES = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}
BYTES_PER_WEIGHT = 16  # the weight, its gradient, two optimizer moments, in float32


def network_inputs(name: str, network: Node, known: Mapping[str, Shape], problems: Problems) -> dict[str, Shape] | None:
    """The named inputs of a network with their shapes: from data and latent, or spelled out as a mapping."""
    node, where = network.get("inputs"), f"networks.{name}.inputs"
    if node is None:
        return None
    if node.is_map:
        shapes = {key: tuple(e.node.plain()) for key, e in node.entries() if e.node.is_list}
        for key, entry in node.entries():
            if key in known and key in shapes and shapes[key] != known[key]:
                text = f"'{key}' is {list(known[key])} in this spec, received {list(shapes[key])}"
                problems.add(entry.node.place, join(where, key), text)
        return shapes
    found: dict[str, Shape] = {}
    for item in node.value if node.is_list else [node]:
        if item.value in found:
            problems.add(item.place, where, f"'{item.value}' stands here twice")
        elif item.value in known:
            found[item.value] = known[item.value]
        else:
            hint = suggest(item.value, known) or f" Known: {', '.join(known) or 'nothing, because there is no data or latent section'}."
            problems.add(item.place, where, f"{item.describe()} is neither a latent nor a field of the data.{hint}")
            return None
    if not found:
        problems.add(node.place, where, "a network needs at least one input")
    return found or None


def whole(tree: Node, plans: Mapping[str, Plan], fields: Mapping[str, Shape], memory: int, problems: Problems) -> None:
    """Report what does not fit together, given the plans of all networks that are sound in themselves."""
    for name, plan in plans.items():
        node = tree.get("networks").get(name)  # type: ignore[union-attr]
        _output(plan, node, tree, fields, problems)  # type: ignore[arg-type]
    _roles(tree, problems)
    _unused_latents(tree, plans, problems)
    _exports(tree, fields, plans, problems)
    _memory(tree, plans, memory, problems)


def _output(plan: Plan, node: Node, tree: Node, fields: Mapping[str, Shape], problems: Problems) -> None:
    at, where = node.get("output") or node, f"networks.{plan.name}.output"
    wanted = fields.get(plan.output_name)
    if wanted is not None and plan.output_shape != wanted:
        text = f"the network makes {list(plan.output_shape)}, but '{plan.output_name}' is {list(wanted)} in the data"
        problems.add(at.place, where, text)
    if plan.output_name == "logits" and plan.last_activation in ("sigmoid", "softmax"):
        text = f"logits are what stands before the {plan.last_activation}: leave the last activation out, the loss contains it"
        problems.add(at.place, where, text)
    made, data = _RANGES.get(plan.last_activation), tree.get("data")
    if wanted is None or made is None or data is None or len(wanted) != 3:
        return
    stated = data.get("range")
    low_high = tuple(stated.plain()) if stated is not None and stated.is_list else (-1.0, 1.0)
    if low_high != made and all(isinstance(v, (int, float)) for v in low_high):
        text = f"{plan.last_activation} makes {list(made)}, but data.range is {list(low_high)}: one of the two must change"
        problems.add((stated or at).place, where, text)


def _roles(tree: Node, problems: Problems) -> None:
    """An algorithm trains networks of certain names, on data, for a training section."""
    algorithm, networks = tree.get("algorithm"), tree.get("networks")
    if algorithm is None:
        training = tree.get("training")
        if training is not None:
            problems.add(training.place, "training", "there is no 'algorithm' section that says what a step does")
        return
    for section in ("data", "training"):
        if tree.get(section) is None:
            problems.add(algorithm.place, "algorithm", f"training needs a '{section}' section")
    name = algorithm.value if isinstance(algorithm.value, str) else next(iter(algorithm.value), None) if algorithm.is_map else None
    roles = names_of("algorithm").get(name, {}).get("x-networks", ())  # type: ignore[arg-type]
    present = [key for key, _ in networks.entries()] if networks is not None else []
    for role in roles:
        if role not in present:
            problems.add(algorithm.place, f"algorithm.{name}", f"trains a network called '{role}', which is not in 'networks'.{suggest(role, present)}")


def _unused_latents(tree: Node, plans: Mapping[str, Plan], problems: Problems) -> None:
    latent, networks = tree.get("latent"), tree.get("networks")
    if latent is None or networks is None or len(plans) < len(list(networks.entries())):
        return
    used = {name for plan in plans.values() for name in plan.inputs}
    for name, entry in latent.entries():
        if name not in used:
            problems.add(entry.place, f"latent.{name}", "feeds no network. Name it in the 'inputs' of one")


def _exports(tree: Node, fields: Mapping[str, Shape], plans: Mapping[str, Plan], problems: Problems) -> None:
    export, networks = tree.get("export"), tree.get("networks")
    names = export.get("networks") if export is not None else None
    if names is None or not names.is_list or networks is None:
        return
    present = [key for key, _ in networks.entries()]
    for item in names.value:
        if item.value not in present:
            problems.add(item.place, "export.networks", f"there is no network {item.describe()}.{suggest(item.value, present)}")


def _memory(tree: Node, plans: Mapping[str, Plan], memory: int, problems: Problems) -> None:
    networks = tree.get("networks")
    assert networks is not None
    for plan in plans.values():
        needed = plan.parameters * BYTES_PER_WEIGHT + 4 * plan.activations
        if needed > memory:
            text = f"needs {gigabytes(needed)} for {plan.parameters:,} parameters and one example; this machine has {gigabytes(memory)}"
            largest = max(plan.steps, key=lambda step: step.cost.parameters * BYTES_PER_WEIGHT + 4 * _size(step.cost.shape))
            problems.add(largest.place, largest.where, text)
            return
    batch = _plain(tree, "training", "batch_size")
    needed = training_bytes(plans, batch) if isinstance(batch, int) else 0
    if needed > memory:
        place = tree.get("training").get("batch_size").place  # type: ignore[union-attr]
        text = f"a step needs about {gigabytes(needed)}; this machine has {gigabytes(memory)}. Take a smaller batch"
        problems.add(place, "training.batch_size", text)


def training_bytes(plans: Mapping[str, Plan], batch_size: int) -> int:
    """About what a training step takes: weights with gradients and moments, and the activations of each network twice
    (a discriminator sees real and fake examples, a generator's results are kept for the pass back)."""
    weights = sum(plan.parameters for plan in plans.values()) * BYTES_PER_WEIGHT
    return weights + 2 * 4 * batch_size * sum(plan.activations for plan in plans.values())


def physical_memory() -> int:
    """Bytes of memory in this machine; 16 GB where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 16 * 2**30


def gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e8 else f"{size / 1e6:,.1f} MB"


def _plain(tree: Node, *keys: str) -> Any:
    node: Node | None = tree
    for key in keys:
        node = node.get(key) if node is not None else None
    return node.value if node is not None else None


def _size(shape: Shape) -> int:
    size = 1
    for axis in shape:
        size *= axis
    return size
