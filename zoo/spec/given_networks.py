"""Networks that come with their layers and their weights: `networks: {vgg: {weights: {package: vgg16}, frozen: true}}`.

They take pictures of any size, as the data have them: RGB, in `data.range`. Their first layer converts to what the
weights were trained on. Their tensors have the names that papers use, so that values can ask for them: `seen.relu2_2`.
`output` says where such a network ends; what lies behind is neither built nor computed.

    vgg16   input `picture`; relu1_1, relu1_2, relu2_1, ... relu5_3, each a convolution of 3 x 3 with its ReLU, and a
            maximum over 2 x 2 before relu2_1, relu3_1, relu4_1 and relu5_1 (Simonyan and Zisserman 2015)

Their numbers are read by `zoo.train.given_weights`; nothing here is fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from zoo.core.registry import suggest
from zoo.spec.diagnostics import Place, Problems
from zoo.spec.game_plan import GamePlan
from zoo.spec.game_uses import nested
from zoo.spec.plan import LayerCall, Plan
from zoo.spec.shapes import RULES, Cost, Shape, ShapeError
from zoo.spec.validate import completed, join, names_of
from zoo.spec.yaml_tree import YamlNode

Layer = tuple[str, dict[str, Any], str]  # the class, its arguments, the name of what it makes
INPUT = "picture"
SIDE = 224  # of pictures where the data have none
# means and deviations of ImageNet's red, green and blue, for pixels in [0, 1]
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_VGG16 = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # filters and convolutions of each group


def _vgg16(low: float, high: float) -> Iterator[Layer]:
    """Yield the layers for pixels from `low` (black) to `high` (white)."""
    scale = [1 / ((high - low) * deviation) for deviation in DEVIATION]
    offset = [(-low / (high - low) - mean) / deviation for mean, deviation in zip(MEAN, DEVIATION, strict=True)]
    yield "Rescaling", {"scale": scale, "offset": offset}, ""
    for group, (filters, count) in enumerate(_VGG16, 1):
        if group > 1:
            yield "MaxPooling2D", {"pool_size": 2}, ""
        for one in range(1, count + 1):
            args = {"filters": filters, "kernel_size": 3, "padding": "same", "activation": "relu"}
            yield "Conv2D", args, f"relu{group}_{one}"


PACKAGES: dict[str, Callable[[float, float], Iterator[Layer]]] = {"vgg16": _vgg16}


def given_package(network: YamlNode) -> str:
    """Return the package that a network of a spec comes from, or an empty string for one that states its layers."""
    node = network.get("weights", "package") if network.is_map else None
    return node.value if node is not None and isinstance(node.value, str) else ""


def check_weights(name: str, network: YamlNode, problems: Problems) -> None:
    """Report weights of a network that come from nowhere, or from several places.

    Args:
        name: The name of the network.
        network: Its node.
        problems: Where mistakes are reported.
    """
    weights, where = network.get("weights"), f"networks.{name}.weights"
    known = ("run", "artifact", "package", "network")
    if weights is None or not weights.is_map or set(weights.value) - {*known}:
        return  # others are reported by the schema
    run, artifact, package, part = (weights.get(key) for key in known)
    if run is None and artifact is None and package is None:
        text = "expected {run: NAME}, an earlier training, {artifact: NAME}, what one left, or {package: vgg16}"
        problems.add(weights.place, where, text)
    elif package is not None and (other := run or artifact or part) is not None:
        text = "a package has the weights of one network: leave `run`, `artifact` and `network` out"
        problems.add(other.place, where, text)
    elif run is not None and artifact is not None:
        problems.add(artifact.place, where, "a network begins with the weights of a run or of an artifact, not of both")


def given_plan(name: str, tree: YamlNode, known: Mapping[str, Shape | None], problems: Problems) -> Plan | None:
    """Plan a network that comes from a package.

    Args:
        name: Its name in the spec.
        tree: The spec.
        known: The shapes of fields and latents; pictures are planned at the size of the data's.
        problems: Where mistakes are reported.

    Returns:
        The plan; None after a mistake.
    """
    node: YamlNode = tree.get("networks", name)  # type: ignore[assignment]
    where, package = f"networks.{name}", given_package(node)
    if package not in PACKAGES:
        return None  # reported by the schema
    for key in ("inputs", "layers", "defaults"):
        if (stated := node.get(key)) is not None:
            text = f"comes with the package {package}: leave it out, or leave `weights` out"
            return problems.add(stated.place, join(where, key), text)
    if (frozen := node.get("frozen")) is None or frozen.value is not True:
        text = "is not trained: write `frozen: true` beside its weights"
        return problems.add((frozen or node).place, join(where, "frozen"), text)
    low, high = _range(tree)
    layers = list(PACKAGES[package](low, high))
    names = [made for *_, made in layers if made]
    output = node.get("output")
    last = names[-1] if output is None else output.value
    if last not in names:
        hint = suggest(last, names) if isinstance(last, str) else ""
        text = f"expected the layer of {package} where it ends, received {last!r}.{hint} Known: {', '.join(names)}"
        return problems.add((output or node).place, join(where, "output"), text)
    weights: YamlNode = node.get("weights")  # type: ignore[assignment]
    shape = next((one for one in known.values() if one is not None and len(one) == 3), (SIDE, SIDE, 3))
    try:
        return _plan(name, package, (*shape[:2], 3), _until(layers, last), weights.place)
    except ShapeError as error:
        return problems.add(weights.place, where, f"pictures {list(shape)} are too small for {last}: {error}")


def check_pictures(game: GamePlan, tree: YamlNode, problems: Problems) -> None:
    """Report pictures with other numbers of black and white than the data have.

    Args:
        game: The game of a spec.
        tree: The spec.
        problems: Where mistakes are reported.
    """
    for call in (inner for value in game.values.values() for inner in nested(value)):
        if call.function == "picture" and tuple(call.arguments["range"]) != _range(tree):
            wanted = list(_range(tree))
            text = f"its range is {list(call.arguments['range'])}, but data.range is {wanted}: write `range: {wanted}`"
            problems.add(call.place, call.where, text)


def resized_plan(plan: Plan, shape: Shape) -> Plan:
    """Return the plan of a given network for pictures of another size.

    Args:
        plan: The network.
        shape: Height, width and channels.

    Returns:
        The plan with the shapes that its tensors then have.

    Raises:
        ShapeError: The pictures are too small, or have other channels.
    """
    (key,) = plan.inputs
    if len(shape) != 3 or shape[2] != 3:
        raise ShapeError(f"takes pictures [height, width, 3], received {list(shape)}")
    shapes: dict[int, Shape] = {0: shape}
    steps: list[LayerCall] = []
    for step in plan.steps:
        steps.append(_call(step, [shapes[number] for number in step.inputs]))
        shapes[step.output] = steps[-1].cost.shape
    return replace(plan, inputs={key: shape}, steps=tuple(steps), output_shape=shapes[plan.output])


def _plan(name: str, package: str, pictures: Shape, layers: list[Layer], place: Place) -> Plan:
    steps: list[LayerCall] = []
    named: dict[str, int] = {}
    shape: Shape = pictures
    for number, (layer, args, made) in enumerate(layers, 1):
        at = f"networks.{name}.weights.package.{made or layer}"
        step = LayerCall(layer, args, (number - 1,), number, Cost(shape), place, at)
        steps.append(_call(step, [shape]))
        shape = steps[-1].cost.shape
        if made:
            named[made] = number
    *_, last = named
    return Plan(name, {INPUT: pictures}, tuple(steps), last, len(steps), shape, named, given=package)


def _call(step: LayerCall, shapes: list[Shape]) -> LayerCall:
    args = completed(step.args, names_of("layer")[step.layer])
    return replace(step, cost=RULES[step.layer](shapes, args))


def _until(layers: list[Layer], last: str) -> list[Layer]:
    return layers[: [made for *_, made in layers].index(last) + 1]


def _range(tree: YamlNode) -> tuple[float, float]:
    """Return the numbers of black and white in the data; a wrong range is reported elsewhere."""
    stated = tree.get("data", "range")
    pair = stated.plain() if stated is not None else None
    if isinstance(pair, list) and len(pair) == 2 and all(isinstance(end, (int, float)) for end in pair):
        low, high = pair
        return (float(low), float(high)) if low < high else (-1.0, 1.0)
    return -1.0, 1.0
