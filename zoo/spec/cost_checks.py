"""Checks of what a training costs: memory for weights, batches, data and pools, and work in a step, by its plans.

A number beyond any use is refused at its place, before a machine is busy with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from zoo.core.cards import card_memory
from zoo.spec.diagnostics import Problems
from zoo.spec.plan import Plan
from zoo.spec.sections import Training
from zoo.spec.shapes import Shape
from zoo.spec.yaml_tree import YamlNode

BYTES_PER_WEIGHT = 16  # the weight, its gradient, two optimizer moments, in float32
MAX_MACS = 10**16  # multiply-adds of a step, or of a measurement of batch norm: three hours at 10^12 in a second
MAX_CALLS = 200_000  # layers that the graph of a step calls


def check_costs(
    tree: YamlNode, plans: Mapping[str, Plan], shapes: Mapping[str, Shape | None], memory: int, problems: Problems
) -> None:
    """Report the first thing for which `memory` bytes or a sensible time do not suffice.

    Networks that are not trained here, such as those of a paper that are counted alone, may be of any size.

    Args:
        tree: The spec.
        plans: The networks that are correct by themselves.
        shapes: The shapes of data and latents by name; None where unknown.
        memory: The bytes of this machine.
        problems: Where it is reported.
    """
    trained = tree.get("algorithm") is not None
    for plan in plans.values():
        needed = network_bytes(plan)
        if trained and needed > memory:
            what = f"{plan.parameters:,} parameters and one example"
            text = f"needs {gigabytes(needed)} for {what}; this machine has {gigabytes(memory)}"
            largest = max(plan.steps, key=lambda s: s.cost.parameters * BYTES_PER_WEIGHT + 4 * math.prod(s.cost.shape))
            return problems.add(largest.place, largest.where, text)
    stated = tree.get("training", "batch_size")
    if stated is None or not is_count(stated.value) or problems.at(stated.place):
        return None
    card = card_memory()
    if (needed := training_bytes(plans, stated.value)) > max(memory, card or 0):
        there = gigabytes(memory) + (f", its card {gigabytes(card)}" if card else "")
        text = f"a step needs about {gigabytes(needed)}; this machine has {there}. Take a smaller batch"
        return problems.add(stated.place, "training.batch_size", text)
    numbers = sum(math.prod(shape) for shape in shapes.values() if shape is not None)
    passes = max(1, sum(count.value for _, count in _updates(tree)))
    _check_passes(tree, plans, stated, passes, problems)
    needed = passes * 4 * stated.value * numbers
    if needed > memory:
        where, place = next(((path, c.place) for path, c in _updates(tree)), ("training.batch_size", stated.place))
        text = f"the examples of a step need {gigabytes(needed)}; this machine has {gigabytes(memory)}"
        problems.add(place, where, text)
    _check_pools(tree, shapes, memory, problems)
    _check_batch_norm(tree, plans, stated.value, numbers, memory, problems)
    return None


def network_bytes(plan: Plan) -> int:
    """Estimate the memory of training a network on one example: weights, gradients and moments, activations.

    Args:
        plan: The network.

    Returns:
        The number of bytes.
    """
    return plan.parameters * BYTES_PER_WEIGHT + 4 * plan.activations


def is_count(value: object) -> bool:
    """Return True for a whole number above 0, such as a batch size."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _updates(tree: YamlNode) -> Iterator[tuple[str, YamlNode]]:
    """Yield the counts of updates in a step that the algorithm states, largest first, with their paths."""
    found = []
    for name, entry in tree.entries("algorithm"):
        for keys in (("generator", "updates"), ("discriminator", "updates"), ("unrolled_updates",)):
            node = entry.node.get(*keys)
            if node is not None and is_count(node.value):
                found.append((".".join(("algorithm", name, *keys)), node))
        for phase, inner in entry.node.entries("phases"):
            node = inner.node.get("updates")
            if node is not None and is_count(node.value):
                found.append((f"algorithm.{name}.phases.{phase}.updates", node))
    yield from sorted(found, key=lambda pair: -pair[1].value)


def _check_passes(
    tree: YamlNode, plans: Mapping[str, Plan], batch_size: YamlNode, passes: int, problems: Problems
) -> None:
    """Report updates that make the graph of a step too long, and a step of too many multiply-adds."""
    where, node = next(_updates(tree), ("training.batch_size", batch_size))
    calls = passes * sum(len(plan.steps) for plan in plans.values())
    work = passes * batch_size.value * sum(plan.macs for plan in plans.values())
    if passes > 1 and calls > MAX_CALLS:
        text = f"a step of {passes:,} updates is a graph of {calls:,} layers; at most {MAX_CALLS:,} are built"
        problems.add(node.place, where, text)
    elif work > MAX_MACS:
        text = f"a step of {work:.0e} multiply-adds takes hours on any machine: take fewer examples, filters or updates"
        problems.add(node.place, where, text)


def _check_pools(tree: YamlNode, shapes: Mapping[str, Shape | None], memory: int, problems: Problems) -> None:
    """Report pools of fakes that the machine cannot hold."""
    for name, entry in tree.entries("algorithm"):
        size, numbers = entry.node.get("pool_size"), sum(math.prod(shapes.get(x) or ()) for x in ("a", "b"))
        if size is not None and is_count(size.value) and 4 * size.value * numbers > memory:
            text = f"the pools need {gigabytes(4 * size.value * numbers)}; this machine has {gigabytes(memory)}"
            problems.add(size.place, f"algorithm.{name}.pool_size", text)


def _check_batch_norm(
    tree: YamlNode, plans: Mapping[str, Plan], batch_size: int, numbers: int, memory: int, problems: Problems
) -> None:
    """Report batches for batch norm that the machine cannot hold or compute."""
    batches = tree.get("export", "batch_norm_batches")
    if batches is None or not is_count(batches.value):
        return
    examples, macs = batches.value * batch_size, max((plan.macs for plan in plans.values()), default=0)
    if 4 * examples * numbers > memory or examples * macs > MAX_MACS:
        text = f"{examples:,} examples need {gigabytes(4 * examples * numbers)} and {examples * macs:.0e} multiply-adds"
        problems.add(batches.place, "export.batch_norm_batches", f"{text}. Some hundred batches are enough")


def check_data(
    data: YamlNode, items: int | None, shape: Shape, window: tuple[int, int] | None, memory: int, problems: Problems
) -> None:
    """Report data that do not fit into memory at the size that the spec states.

    Args:
        data: The data section.
        items: The number of examples in all; None where files decide.
        shape: The shape of an example.
        window: The height and width at which images are held, if another.
        memory: The bytes of this machine.
        problems: Where it is reported.
    """
    held = (*window, *shape[2:]) if window else shape
    needed = (items or 1) * math.prod(held) * (1 if len(shape) == 3 else 24)  # points are made in float64
    if needed > memory:
        keys = ("jitter_from", "size", "source")
        key, node = next(((k, n) for k in keys if (n := data.get(k)) is not None), ("source", data))
        text = f"the data need {gigabytes(needed)} as {list(held)}; this machine has {gigabytes(memory)}"
        problems.add(node.place, f"data.{key}", text)


def beyond_the_card(plans: Mapping[str, Plan], training: Training) -> str:
    """Return in words that a training step does not fit into the memory of this machine's card.

    Args:
        plans: The networks, by name.
        training: Their recipe.

    Returns:
        One clause; an empty string where it fits, or where no card is known.
    """
    number = 2 if training.precision.startswith("mixed") else 4
    needed, size = training_bytes(plans, training.batch_size, number), card_memory()
    if size is None or needed <= size:
        return ""
    return f"a step needs about {gigabytes(needed)}; the card has {gigabytes(size)}"


def beyond_the_machine(plans: Mapping[str, Plan], training: Training, memory: int) -> str:
    """Return in words that a training step fits neither into the memory of this machine nor into that of its card.

    Args:
        plans: The networks, by name.
        training: Their recipe.
        memory: The bytes of this machine.

    Returns:
        One clause; an empty string where it fits.
    """
    needed = training_bytes(plans, training.batch_size)
    if needed <= max(memory, card_memory() or 0):
        return ""
    return f"a step needs about {gigabytes(needed)}; this machine has {gigabytes(memory)}"


def training_bytes(plans: Mapping[str, Plan], batch_size: int, number: int = 4) -> int:
    """Estimate the memory of a training step.

    It holds the weights with gradients and optimizer moments, and the activations of each network twice: D sees real
    and fake examples, and G's results are kept for the backward pass.

    Args:
        plans: The networks, by name.
        batch_size: The number of real examples in a batch.
        number: Bytes of a number in a network's passes: 4 of float32, 2 of halves.

    Returns:
        The number of bytes.
    """
    weights = sum(plan.parameters for plan in plans.values()) * BYTES_PER_WEIGHT
    return weights + 2 * number * batch_size * sum(plan.activations for plan in plans.values())


def gigabytes(size: int) -> str:
    """Write a number of bytes for people.

    Args:
        size: The number of bytes.

    Returns:
        A text such as '1.2 GB', or '34.5 MB' below 0.1 GB.
    """
    return f"{size / 1e9:,.1f} GB" if size >= 1e8 else f"{size / 1e6:,.1f} MB"


def count(number: float) -> str:
    """Write a large number for people.

    Args:
        number: A count.

    Returns:
        Such as 21 M or 8.1 G.
    """
    for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            short = number / size
            return f"{short:.0f} {unit}" if short >= 10 else f"{short:.1f} {unit}"
    return f"{number:.0f}"
