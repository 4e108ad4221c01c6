"""Checks of what the layers of a network do together: all of them count, and their values fit the data and the batch.

Layers that feed nothing, inputs that no layer reads, layers that know fewer classes than the data have, an output that
cannot reach the range of the data, a discriminator without a logit, groups that do not divide the batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from zoo.data.catalogue import TEXT
from zoo.spec.diagnostics import Problems
from zoo.spec.intervals import intervals
from zoo.spec.plan import MIXES_ROWS, LayerCall, Plan, upstream
from zoo.spec.shapes import Shape
from zoo.spec.validate import completed, names_of
from zoo.spec.yaml_tree import YamlNode

CLASSES = {  # layers of class ids: the argument that counts the classes
    "OneHot": "classes", "Embedding": "input_dim", "SpectralEmbedding": "input_dim",
    "ConditionalBatchNormalization": "classes", "BagOfWords": "input_dim",
}  # fmt: skip
_REARRANGES = ("Reshape", "Flatten", "Identity", "Permute", "Cropping2D", "ZeroPadding2D", "UpSampling2D", "Dropout")
_CLOSE = 1e-3  # of the width of a range: nearer is the same


def check_graph(plan: Plan, node: YamlNode, problems: Problems) -> None:
    """Report layers that feed nothing, inputs that no layer reads, and a network without a layer."""
    numbers = [number for number, _ in plan.outputs.values()]
    for name, number in zip(plan.outputs, numbers, strict=True):
        if number < len(plan.inputs):
            at, which = node.get("layers") or node, "the output" if len(numbers) == 1 else f"the output '{name}'"
            return problems.add(
                at.place, f"networks.{plan.name}.layers", f"{which} is an input: no layer comes between"
            )
    used = upstream(plan, numbers)
    outputs, taken = {step.output for step in used}, {i for step in plan.steps for i in step.inputs}
    for step in plan.steps:
        if step.output not in outputs and step.output not in taken:
            text = "feeds nothing: the output does not depend on it. Leave it out, or lead on from it"
            problems.add(step.place, step.where, text)
    inputs, read = node.get("inputs") or node, {i for step in used for i in step.inputs}
    items = {entry_name: entry.place for entry_name, entry in inputs.entries()}
    items |= {item.value: item.place for item in inputs.value if inputs.is_list and isinstance(item.value, str)}
    for number, name in enumerate(plan.inputs):
        if number not in read:
            text = f"the output does not depend on '{name}': lead on `from: {name}`, or leave it out"
            problems.add(items.get(name, inputs.place), f"networks.{plan.name}.inputs", text)
    return None


def check_classes(plan: Plan, classes: Mapping[str, tuple[str, ...]], problems: Problems) -> None:
    """Report layers of class ids that know fewer classes than their label has; `classes` has the names by label."""
    for number, name in enumerate(plan.inputs):
        count = len(classes.get(name, ()))
        for step, argument, needed in too_few_classes(plan, name, number, count):
            whose = "the data have" if name == "label" else f"'{name}' has"
            text = f"{argument} {step.args[argument]} is too few: {whose} {count} classes"
            text += "" if needed == count else f", which come here as ids up to {needed - 1}"
            problems.add(step.place, step.where, text)


def too_few_classes(plan: Plan, name: str, number: int, classes: int) -> Iterator[tuple[LayerCall, str, int]]:
    """Yield the layers of class ids that know fewer classes than an input has.

    Args:
        plan: The network.
        name: The input.
        number: Its tensor.
        classes: How many classes its ids have; 0 for what is no class ids.

    Yields:
        The layer, its argument that counts the classes, and how many it needs.
    """
    if not classes:
        return
    highest, labels = intervals(plan, {name: (0.0, classes - 1.0)}), {number}
    for step in plan.steps:
        if not labels & set(step.inputs):
            continue
        if (argument := CLASSES.get(step.layer)) is None:
            labels.add(step.output)
            continue
        most = max(highest[i][1] for i in step.inputs if i in labels)
        known = step.args.get(argument)
        if known is not None and not math.isinf(most) and known < int(most) + 1:
            yield step, argument, int(most) + 1


def check_logits(plan: Plan, problems: Problems) -> None:
    """Report a discriminator whose output is neither one number for an example nor a map of them."""
    calls, tensors = {step.output: step for step in plan.steps}, [plan.output]
    while tensors:
        step = calls.get(tensors.pop())
        if step is None:
            continue
        if step.layer in _REARRANGES or step.layer == "Concatenate":
            tensors += step.inputs
        elif step.cost.shape and step.cost.shape[-1] != 1:
            text = f"D judges by one number for each example or patch, received {list(step.cost.shape)}. "
            problems.add(step.place, step.where, text + "End in Dense: {units: 1} or in a convolution of 1 filter")
            return


def check_reach(plan: Plan, output: int, ends: tuple[float, float], what: str, problems: Problems) -> None:
    """Report an output that cannot come near both ends of the data."""
    low, high = ends
    reached = intervals(plan, {})[output]
    near = _CLOSE * (high - low)
    lost = [f"below {reached[0]:.3g}"] if reached[0] > low + near else []
    lost += [f"above {reached[1]:.3g}"] if reached[1] < high - near else []
    calls = {step.output: step for step in plan.steps}
    step = calls.get(output)
    while step is not None and step.layer in _REARRANGES and step.inputs[0] in calls:
        step = calls[step.inputs[0]]
    if lost and step is not None:
        text = f"the network makes nothing {' or '.join(lost)}, but {what} [{low:g}, {high:g}]"
        hint = " End in tanh or without an activation" if low < 0 else " End in sigmoid or without an activation"
        problems.add(step.place, step.where, f"{text}.{hint}")


def data_ends(source: str, args: YamlNode | None) -> tuple[float, float]:
    """Return the lowest and highest coordinates of the centres of a mixture of Gaussians; (0, 0) of other sources."""
    stated = args.plain() if args is not None and args.is_map else {}
    known = completed(stated, names_of("source")[source])
    if source == "grid":
        end = abs(known["spacing"]) * (known["side"] - 1) / 2
        return -end, end
    if source == "ring":
        angles = [2 * math.pi * i / known["modes"] for i in range(known["modes"])]
        values = [known["radius"] * of(angle) for angle in angles for of in (math.cos, math.sin)]
        return min(values), max(values)
    return 0.0, 0.0


def check_groups(plans: Mapping[str, Plan], batch_size: int, problems: Problems) -> None:
    """Report statistics over groups of examples that do not divide the batch, or are of one example."""
    for step in (step for plan in plans.values() for step in plan.steps if step.layer == "MinibatchStdDev"):
        size = step.args.get("group_size") or batch_size
        if batch_size % size:
            text = f"groups of {size} do not divide the batch: training.batch_size is {batch_size}"
            problems.add(step.place, step.where, text)
        elif size == 1:
            problems.add(step.place, step.where, "a group of 1 has no deviation: take groups of 2 examples or more")


def mixing_layer(plan: Plan) -> LayerCall | None:
    """Return the first layer of a network that lets the examples of a batch depend on each other, or None."""
    used = upstream(plan, [number for number, _ in plan.outputs.values()])
    return next((step for step in used if step.layer in MIXES_ROWS), None)


def feedable(plan: Plan, latents: Mapping[str, Shape | None], fields: Mapping[str, Shape | None]) -> bool:
    """Return True if a user can feed a network: latents, labels and words, or one image from which it makes another."""
    images = {name for name, shape in fields.items() if shape is not None and len(shape) == 3}
    alone = len(plan.inputs) == 1 and plan.inputs.keys() <= images - {plan.output_name}
    if alone and (plan.output_name in images or redraws(plan)):
        return True
    return all(name in latents or fields.get(name) == () or name == TEXT for name in plan.inputs)


def redraws(plan: Plan) -> bool:
    """Return True for a network that makes a picture of the size of the one that it takes.

    Args:
        plan: The network.

    Returns:
        False for several inputs, and for other sizes or channels, such as the patches of a discriminator.
    """
    (*sides, _), made = next(iter(plan.inputs.values())) or (0,), plan.output_shape
    return len(plan.inputs) == 1 and len(made) == 3 and (*sides,) == made[:2] and made[2] in (1, 3)


def default_exports(
    roles: tuple[str, ...],
    plans: Mapping[str, Plan],
    latents: Mapping[str, Shape | None],
    fields: Mapping[str, Shape | None],
) -> tuple[str, ...]:
    """Return the networks that are exported unless a spec states others.

    Args:
        roles: The networks that the algorithm trains.
        plans: The networks by name.
        latents: The shapes of latents by name.
        fields: The shapes of the data by name.

    Returns:
        Those of `roles` that make data from what a user can feed, or else those that make a picture of a picture;
        `("generator",)` where there are none.
    """
    fed = [name for name in roles if name in plans and feedable(plans[name], latents, fields)]
    made = [name for name in fed if plans[name].output_name in fields]
    return tuple(made or (name for name in fed if redraws(plans[name]))) or ("generator",)
