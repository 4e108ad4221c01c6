"""Growing networks (Karras et al. 2017, section 2): from the final plans of a spec, those of every stage before.

A spec describes G and D as the paper's table 2 does, at the end of training. `as: features` marks in G where its head
begins (toRGB), in D where its head ends (fromRGB). At a smaller size r

    G   the layers up to the last tensor of height r, then a head of its own
    D   a head of its own with as many maps as the layers of size r take in, then those layers

and while the layers of size r fade in, by alpha from 0 to 1 (figure 2)

    G   (1 - alpha) * up(head_{r/2}(h_{r/2})) + alpha * head_r(h_r)
    D   (1 - alpha) * head_{r/2}(down(image)) + alpha * layers_r(head_r(image)), then the layers of r/2

All steps keep the numbers that they have in the final plan, the heads of size r those plus r * `HEADS`: layers with
the same name are the same layers at every stage. A plan that is cut differs from the final one in nothing else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from zoo.spec.diagnostics import Place, Problems
from zoo.spec.plan import LayerCall, Plan, upstream
from zoo.spec.shapes import RULES, Shape, ShapeError
from zoo.spec.validate import below, completed, names_of
from zoo.spec.yaml_tree import YamlNode

FEATURES = "features"  # the name that a spec gives to the tensor between a head and the rest
HEADS = 10_000  # above all numbers of a final plan
_JOINTS = 5_000  # of these, for what joins two branches


class GrowthError(ValueError):
    """The final networks cannot be cut there; `text` is the reason."""

    def __init__(self, place: Place, where: str, text: str) -> None:
        super().__init__(f"{place}: {where}: {text}")
        self.place, self.where, self.text = place, where, text


def check_growth(tree: YamlNode, plans: Mapping[str, Plan], problems: Problems) -> None:
    """Report what keeps the networks of the algorithm `progressive` from growing."""
    args = tree.get("algorithm", "progressive")
    generator, discriminator = plans.get("generator"), plans.get("discriminator")
    if args is None or not generator or not discriminator or generator.output_name not in discriminator.inputs:
        return
    for plan in (generator, discriminator):
        if plan.further_outputs:
            where = f"networks.{plan.name}.output"
            at: YamlNode = tree.get("networks", plan.name, "output")  # type: ignore[assignment]
            return problems.add(
                at.place, where, f"a network that grows has one output, received {', '.join(plan.outputs)}"
            )
    stated = args.get("start")
    start = below(names_of("algorithm")["progressive"], "start")["default"] if stated is None else stated.value
    if isinstance(start, int) and start > 0:
        try:
            sizes(generator, discriminator, start)
        except GrowthError as error:
            problems.add(error.place, error.where, error.text)


def sizes(generator: Plan, discriminator: Plan, start: int) -> tuple[int, ...]:
    """List the image heights of the stages of training.

    Args:
        generator: The final plan of G, which makes square images.
        discriminator: The final plan of D.
        start: The height of the first stage in pixels.

    Returns:
        `start`, doubled until the final height.

    Raises:
        GrowthError: The networks cannot be cut at one of these heights.
    """
    found = [start]
    while found[-1] < max(generator.output_shape):
        found.append(2 * found[-1])
    if generator.output_shape[:-1] != (found[-1], found[-1]):
        text = f"images of {start} pixels, doubled again and again, never become {list(generator.output_shape)}"
        raise _error(generator, text)
    for plan in (generator, discriminator):
        if FEATURES not in plan.named_tensors:
            raise _error(plan, f"write `as: {FEATURES}` where the layers that make or read pixels meet the others")
    for size in found[:-1]:
        grown_generator(generator, 2 * size, fading=True)
        grown_discriminator(discriminator, 2 * size, fading=True, image=generator.output_name)
    return tuple(found)


def grown_generator(plan: Plan, size: int, *, fading: bool = False) -> Plan:
    """Cut the plan of G for a smaller image.

    Args:
        plan: The final plan.
        size: The height and width of its images in pixels.
        fading: Mix them with the enlarged images of half that size, as while new layers fade in.

    Returns:
        The plan of that stage; its steps keep their numbers.

    Raises:
        GrowthError: The final plan has no layer of that size, or a layer passes the tensor `features` by.
    """
    if size == plan.output_shape[0] and not fading:
        return plan
    draft = _Draft(plan, plan.inputs)
    features, head = plan.named_tensors[FEATURES], upstream(plan, plan.output, {plan.named_tensors[FEATURES]})
    body = upstream(plan, features)
    if shared := {step.output for step in head} & {step.output for step in body}:
        step = next(step for step in plan.steps if step.output in shared)
        raise _error(plan, f"a layer after `as: {FEATURES}` takes this output from before it", step)

    def image(size: int) -> int:
        """Return the number of the image that the head of `size` makes."""
        draft.extend(upstream(plan, _of_size(plan, body, size, last=True)))
        number = 0 if size == plan.output_shape[0] else size * HEADS
        return draft.extend(head, {features: _of_size(plan, body, size, last=True)}, number)[plan.output]

    if fading:
        small = draft.add("UpSampling2D", {"size": 2, "interpolation": "nearest"}, (image(size // 2),), size, 0)
        output = draft.joined(small, image(size), size)
    else:
        output = image(size)
    return draft.finish(output)


def grown_discriminator(plan: Plan, size: int, *, fading: bool = False, image: str = "image") -> Plan:
    """Cut the plan of D for a smaller image.

    Args:
        plan: The final plan.
        size: The height and width of the images that it takes, in pixels.
        fading: Mix the features of the layers of `size` with those of the image at half that size.
        image: The name of the input that holds the image.

    Returns:
        The plan of that stage; its steps keep their numbers.

    Raises:
        GrowthError: The final plan has no layer of that size, or a layer reads the image past the layers of that size.
    """
    final = plan.inputs[image][0]
    if size == final and not fading:
        return plan
    pixels, features = list(plan.inputs).index(image), plan.named_tensors[FEATURES]
    draft = _Draft(plan, {**plan.inputs, image: (size, size, plan.inputs[image][-1])})
    head, body = upstream(plan, features), upstream(plan, plan.output, {features})

    def entrance(size: int) -> int:
        """Return the number of the tensor in the final plan that the layers of `size` take in."""
        return features if size == final else _of_size(plan, body, size, last=False)

    def read(size: int, source: int) -> int:
        """Return the number of what the head of `size` makes of the image `source`."""
        if size == final:
            return draft.extend(head, {pixels: source})[features]
        shapes = dict(enumerate(plan.inputs.values())) | {step.output: step.cost.shape for step in plan.steps}
        maps = shapes[entrance(size)][-1]
        return draft.extend(_with_filters(plan, head, maps), {pixels: source}, size * HEADS)[features]

    def through(tensor: int, given: dict[int, int]) -> int:
        """Return the number of `tensor` of the final plan, where those `given` take the place of others."""
        steps = upstream(plan, tensor, set(given))
        if past := [step for step in steps if pixels in step.inputs]:
            raise _error(plan, f"this reads the image past the layers of size {size}", past[0])
        return draft.extend(steps, given)[tensor]

    x = read(size, pixels)
    if fading:
        small = draft.add("AveragePooling2D", {"pool_size": 2}, (pixels,), size, 0)
        x = draft.joined(read(size // 2, small), through(entrance(size // 2), {entrance(size): x}), size)
        return draft.finish(through(plan.output, {entrance(size // 2): x}))
    return draft.finish(through(plan.output, {entrance(size): x}))


class _Draft:
    """A plan that is being built: `steps` so far, and the shape of every tensor."""

    def __init__(self, plan: Plan, inputs: Mapping[str, Shape]) -> None:
        self.plan, self.inputs = plan, inputs
        self.shapes = dict(enumerate(inputs.values()))
        self.steps: list[LayerCall] = []

    def add(self, layer: str, args: Mapping[str, Any], inputs: tuple[int, ...], size: int, joint: int) -> int:
        """Append one of the steps that join the branches of `size`. Returns its number."""
        place = self.plan.steps[-1].place
        like = LayerCall(layer, args, inputs, size * HEADS + _JOINTS + joint, self.plan.steps[-1].cost, place, FEATURES)
        return self.extend([like], {like.output: like.output})[like.output]

    def joined(self, old: int, new: int, size: int) -> int:
        """Append old + alpha * (new - old), which is exactly `old` at alpha = 0. Returns its number."""
        difference = self.add("Subtract", {}, (new, old), size, 1)
        return self.add("Add", {}, (old, self.add("Fade", {}, (difference,), size, 2)), size, 3)

    def extend(
        self, steps: Iterable[LayerCall], given: Mapping[int, int] | None = None, offset: int = 0
    ) -> dict[int, int]:
        """Append `steps`, numbered `offset` higher, with the tensors in `given` replaced; present ones are kept.

        Returns the numbers that their results have now. Raises GrowthError where a layer cannot take another size.
        """
        numbers, present = dict(given or {}), {step.output for step in self.steps}
        for step in steps:
            output, inputs = step.output + offset, tuple(numbers.get(i, i) for i in step.inputs)
            numbers[step.output] = output
            if output not in present:
                args = completed(step.args, names_of("layer")[step.layer])
                try:
                    cost = RULES[step.layer]([self.shapes[i] for i in inputs], args)
                except ShapeError as error:
                    raise _error(self.plan, f"at a smaller size, {error}", step) from error
                self.shapes[output] = cost.shape
                self.steps.append(dataclasses.replace(step, inputs=inputs, output=output, cost=cost))
        return numbers

    def finish(self, output: int) -> Plan:
        return dataclasses.replace(
            self.plan, inputs=self.inputs, steps=tuple(self.steps), output=output, output_shape=self.shapes[output],
            named_tensors={}, further_outputs={},
        )  # fmt: skip


def _of_size(plan: Plan, steps: list[LayerCall], size: int, *, last: bool) -> int:
    """Return the number of the first or last image of this height that `steps` make."""
    found = [step.output for step in steps if len(step.cost.shape) == 3 and step.cost.shape[:2] == (size, size)]
    if not found:
        raise _error(plan, f"no layer makes anything of {size} x {size} pixels")
    return found[-1 if last else 0]


def _with_filters(plan: Plan, head: list[LayerCall], maps: int) -> list[LayerCall]:
    """Return the head with `maps` feature maps at its end."""
    at = next((i for i in reversed(range(len(head))) if "filters" in head[i].args), None)
    if at is None:
        raise _error(plan, f"there is no convolution before `as: {FEATURES}` whose filters could follow the size")
    changed = dataclasses.replace(head[at], args={**head[at].args, "filters": maps})
    return [*head[:at], changed, *head[at + 1 :]]


def _error(plan: Plan, text: str, step: LayerCall | None = None) -> GrowthError:
    """Return an error with the place of `step`, or of the whole network."""
    where = step.where if step else f"networks.{plan.name}"
    return GrowthError((step or plan.steps[0]).place, where, f"cannot grow: {text}")
