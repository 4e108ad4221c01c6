"""The layer language: items of `layers:` with `repeat`, `defaults`, `as` and `from` become a flat list of steps.

    - Conv2D: {filters: 64}                 the running tensor `x` goes through the layer
      as: skip1                             ... and its result can be asked for by this name
    - as: shortcut                          a name for `x` as it is
    - from: label                           `x` is now this input or name
    - Concatenate:                          a layer of several inputs
      from: [x, skip1]
    - repeat: {filters: [128, 256]}         the body once per value; `$filters` stands for it (`$index` counts from 0)
      layers: [...]
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zoo.registry import suggest
from zoo.spec.nodes import Entry, Node
from zoo.spec.problems import Place, Problems
from zoo.spec.schema import completed, join, names_of, validate_arguments
from zoo.spec.shapes import RULES, Cost, Shape, ShapeError

MAX_STEPS = 2_000
_CONTROL = ("as", "from", "repeat", "layers")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_VARIABLE = re.compile(r"\$\{?([a-z][a-z0-9_]*)\}?")


@dataclass(frozen=True)
class Step:
    """One layer of a network. `inputs` are tensor numbers: 0.. are the network's inputs, the others earlier steps."""

    layer: str
    args: Mapping[str, Any]
    inputs: tuple[int, ...]
    output: int
    cost: Cost
    place: Place
    where: str


@dataclass(frozen=True)
class Plan:
    """A network that is known to fit together: what goes in, the steps, what comes out."""

    name: str
    inputs: Mapping[str, Shape]
    steps: tuple[Step, ...]
    output_name: str
    output: int
    output_shape: Shape

    @property
    def parameters(self) -> int:
        """Trainable weights."""
        return sum(step.cost.parameters for step in self.steps)

    @property
    def macs(self) -> int:
        """Multiply-adds for one example."""
        return sum(step.cost.macs for step in self.steps)

    @property
    def activations(self) -> int:
        """Numbers that one example leaves behind for the backward pass."""
        return sum(_size(step.cost.shape) for step in self.steps)

    @property
    def last_activation(self) -> str:
        """The non-linearity of the output: 'tanh', 'sigmoid', ... or 'linear'; 'unknown' behind a merge or a norm."""
        step = next((s for s in self.steps if s.output == self.output), None)
        while step is not None and step.layer in ("Reshape", "Flatten", "Identity", "Cropping2D", "Permute"):
            step = next((s for s in self.steps if s.output == step.inputs[0]), None)  # type: ignore[union-attr]
        if step is None:
            return "unknown"
        if step.layer in ("ReLU", "LeakyReLU", "ELU", "Softmax", "PReLU"):
            return step.layer.lower()
        if "activation" in step.args or RULES[step.layer].__name__ in ("dense", "conv2d", "conv2d_transpose", "maxout"):
            return step.args.get("activation") or "linear"
        return "unknown"


def _size(shape: Shape) -> int:
    size = 1
    for axis in shape:
        size *= axis
    return size


@dataclass
class _Scope:
    """What is known while the layers of one network are read."""

    name: str
    defaults: Mapping[str, Node]
    problems: Problems
    shapes: dict[int, Shape] = field(default_factory=dict)
    taps: dict[str, tuple[int, Place | None]] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    x: int = 0
    broken: bool = False
    items: int = 0

    def report(self, place: Place, where: str, message: str) -> None:
        self.problems.add(place, where, message)


def plan(name: str, network: Node, inputs: Mapping[str, Shape], shared: Node | None, problems: Problems) -> Plan | None:
    """Expand and check the network called `name`. None when anything in it is wrong (reported)."""
    where = f"networks.{name}"
    defaults = _defaults([(shared, "defaults"), (network.get("defaults"), join(where, "defaults"))], problems)
    scope = _Scope(name, defaults, problems)
    for number, (tap, shape) in enumerate(inputs.items()):
        scope.shapes[number], scope.taps[tap] = shape, (number, None)
    layers, output = network.get("layers"), network.get("output")
    if layers is None or not layers.is_list:
        return None
    if not layers.value:
        return problems.add(layers.place, join(where, "layers"), "a network needs at least one layer")
    _walk(layers, {}, join(where, "layers"), scope)
    if scope.broken or output is None or not isinstance(output.value, str):
        return None
    return Plan(name, dict(inputs), tuple(scope.steps), output.value, scope.x, scope.shapes[scope.x])


def _defaults(sections: list[tuple[Node | None, str]], problems: Problems) -> dict[str, Node]:
    """Arguments per layer class; the later section wins argument by argument."""
    merged: dict[str, Node] = {}
    layers = names_of("layer")
    for section, where in sections:
        if section is None:
            continue
        for layer, entry in section.entries():
            if layer not in layers:
                problems.add(entry.place, where, f"unknown layer '{layer}'.{suggest(layer, layers)}")
                continue
            validate_arguments(entry.node, entry.node, {**layers[layer], "required": []}, join(where, layer), problems)
            if entry.node.is_map:
                old = merged[layer].value if layer in merged else {}
                merged[layer] = Node({**old, **entry.node.value}, entry.node.place)
    return merged


def _walk(layers: Node, variables: Mapping[str, Any], where: str, scope: _Scope) -> None:
    for i, item in enumerate(layers.value):
        scope.items += 1
        if scope.items > MAX_STEPS:
            if scope.items == MAX_STEPS + 1:
                scope.report(item.place, where, f"a network has at most {MAX_STEPS:,} layers once 'repeat' is expanded")
            scope.broken = True
            return
        _item(item, variables, f"{where}[{i}]", scope)


def _item(item: Node, variables: Mapping[str, Any], where: str, scope: _Scope) -> None:
    known = len(scope.problems)
    if isinstance(item.value, str):
        _layer(item.value, None, item, item.place, (scope.x,), where, scope)
    elif not item.is_map or not item.value:
        scope.report(item.place, where, f"expected a layer such as 'Flatten' or 'Dense: {{units: 10}}', received {item.describe()}")
    elif "repeat" in item.value or "layers" in item.value:
        _repeat(item, variables, where, scope)
    else:
        _single(_substituted(item, variables, where, scope), where, scope)
    if len(scope.problems) > known:
        scope.broken = True


def _single(item: Node, where: str, scope: _Scope) -> None:
    """One layer, or a bare `as` / `from`."""
    layers = [(key, entry) for key, entry in item.entries() if key not in _CONTROL]
    if len(layers) > 1:
        names = ", ".join(key for key, _ in layers)
        return scope.report(layers[1][1].place, where, f"one item is one layer, received {names}. Begin a new item with '-'")
    inputs = _sources(item.get("from"), where, scope)
    if inputs is None:
        return None
    if layers:
        name, entry = layers[0]
        _layer(name, entry.node, item, entry.place, inputs, where, scope)
    elif len(inputs) > 1:
        return scope.report(item.place, where, "several inputs need a layer that joins them, such as Concatenate or Add")
    else:
        scope.x = inputs[0]
    _tap(item.get("as"), where, scope)


def _sources(node: Node | None, where: str, scope: _Scope) -> tuple[int, ...] | None:
    if node is None:
        return (scope.x,)
    names = node.value if node.is_list else [node]
    found = []
    for name in names:
        if name.value == "x":
            found.append(scope.x)
        elif isinstance(name.value, str) and name.value in scope.taps:
            found.append(scope.taps[name.value][0])
        else:
            hint = suggest(name.value, scope.taps) or f" Known here: x, {', '.join(scope.taps)}."
            return scope.report(name.place, join(where, "from"), f"nothing above is named {name.describe()}.{hint}")
    if not found:
        return scope.report(node.place, join(where, "from"), "names no input")
    return tuple(found)


def _tap(node: Node | None, where: str, scope: _Scope) -> None:
    if node is None:
        return None
    name, where = node.value, join(where, "as")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return scope.report(node.place, where, f"expected a lower-case word such as skip1, received {node.describe()}")
    if name == "x":
        return scope.report(node.place, where, "'x' is the running tensor itself; choose another name")
    first = scope.taps.get(name)
    if first and first[1] != node.place:  # the same line may bind its name again, in a repeat
        at = f"line {first[1].line}" if first[1] else "an input of the network"
        return scope.report(node.place, where, f"'{name}' is a name already: {at}")
    scope.taps[name] = (scope.x, node.place)
    return None


def _layer(name: str, args: Node | None, item: Node, place: Place, inputs: tuple[int, ...], where: str, scope: _Scope) -> None:
    layers, where = names_of("layer"), f"{where}.{name}"
    if name not in layers:
        hint = suggest(name, layers) or " See specs/schema.json for all layers."
        return scope.report(place, where.rpartition(".")[0], f"unknown layer '{name}'.{hint}")
    if args is not None and args.value is not None and not args.is_map:
        return scope.report(args.place, where, f"expected a mapping of arguments, received {args.describe()}")
    own = args.value if args is not None and args.is_map else {}
    default = scope.defaults.get(name)
    known = len(scope.problems)
    merged = Node({**(default.value if default else {}), **own}, place)
    validate_arguments(merged, item, layers[name], where, scope.problems)
    if len(scope.problems) > known or any(i not in scope.shapes for i in inputs):
        scope.broken = True
    else:
        try:
            cost = RULES[name]([scope.shapes[i] for i in inputs], completed(merged.plain(), layers[name]))
        except ShapeError as error:
            scope.report(place, where, str(error))
            scope.broken = True
        else:
            output = len(scope.shapes)
            scope.shapes[output] = cost.shape
            scope.steps.append(Step(name, merged.plain(), inputs, output, cost, place, where))
            scope.x = output
            return None
    scope.x = -1  # unknown from here on: later layers are checked for their arguments alone
    return None


def _repeat(item: Node, variables: Mapping[str, Any], where: str, scope: _Scope) -> None:
    for key, entry in item.entries():
        if key not in ("repeat", "layers"):
            scope.report(entry.place, where, f"'{key}' does not go with 'repeat'; put it inside 'layers'")
    count, body = item.get("repeat"), item.get("layers")
    if count is None or body is None or not body.is_list:
        return scope.report(item.place, where, "'repeat' and 'layers' (a list) belong together")
    count = _substituted(count, variables, where, scope)
    if isinstance(count.value, int) and not isinstance(count.value, bool) and 1 <= count.value <= MAX_STEPS:
        rounds: list[dict[str, Any]] = [{} for _ in range(count.value)]
    elif count.is_map and count.value and all(e.node.is_list and e.node.value for _, e in count.entries()):
        lengths = {key: len(e.node.value) for key, e in count.entries()}
        if len(set(lengths.values())) > 1:
            text = ", ".join(f"{key} has {n}" for key, n in lengths.items())
            return scope.report(count.place, join(where, "repeat"), f"all lists must have the same length: {text}")
        rounds = [{key: e.node.value[i] for key, e in count.entries()} for i in range(next(iter(lengths.values())))]
    else:
        rule = "expected a number of times (1 or more), or names with a list of values each, such as {filters: [64, 128]}"
        return scope.report(count.place, join(where, "repeat"), f"{rule}; received {count.describe()}")
    for i, values in enumerate(rounds):
        _walk(body, {**variables, "index": Node(i, count.place), **values}, join(where, "layers"), scope)
    return None


def _substituted(node: Node, variables: Mapping[str, Node], where: str, scope: _Scope) -> Node:
    """The same tree with every `$name` replaced; each value keeps the place where `$name` stands."""
    if node.is_map:
        return Node({k: Entry(_substituted(e.node, variables, where, scope), e.place) for k, e in node.entries()}, node.place)
    if node.is_list:
        return Node([_substituted(item, variables, where, scope) for item in node.value], node.place)
    if not isinstance(node.value, str) or "$" not in node.value:
        return node

    def value(match: re.Match[str]) -> Any:
        if match[1] in variables:
            return variables[match[1]].plain()
        hint = suggest(match[1], variables) or (f" Known here: {', '.join(variables)}." if variables else " It is not in a repeat.")
        scope.report(node.place, where, f"unknown variable '{match[0]}'.{hint}")
        return 1

    whole = _VARIABLE.fullmatch(node.value)
    if whole:
        return _at(variables[whole[1]], node.place) if whole[1] in variables else Node(value(whole), node.place)
    return Node(_VARIABLE.sub(lambda match: str(value(match)), node.value), node.place)


def _at(node: Node, place: Place) -> Node:
    if node.is_map:
        return Node({k: Entry(_at(e.node, place), place) for k, e in node.entries()}, place)
    return Node([_at(i, place) for i in node.value] if node.is_list else node.value, place)
