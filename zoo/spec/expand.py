"""Expand the layer language: items of `layers:` with `repeat`, `defaults`, `as` and `from` become a flat `Plan`.

- Conv2D: {filters: 64}                 the running tensor `x` goes through the layer
  as: skip1                             ... and its result can be asked for by this name
- as: shortcut                          a name for `x` as it is
- from: label                           `x` is now this input or named tensor
- Concatenate:                          a layer of several inputs
  from: [x, skip1]
- repeat: {filters: [128, 256]}         the layers once per value; `$filters` is the value, `$index` counts from 0
  layers: [...]
- up: {filters: 64}                     a block of the spec, see `blocks`

Every layer gets its shape and cost by the rule of `shapes` at once. After a mistake, the running tensor has the number
`UNKNOWN`, and later layers are checked for their arguments alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zoo.core.registry import suggest
from zoo.spec.blocks import CONTROL, Block
from zoo.spec.diagnostics import Place, Problems
from zoo.spec.keras_layers import elsewhere
from zoo.spec.plan import LayerCall, Plan
from zoo.spec.shapes import RULES, Cost, Shape, ShapeError
from zoo.spec.substitution import Substitution
from zoo.spec.validate import completed, join, names_of, validate_arguments
from zoo.spec.yaml_tree import YamlNode

MAX_STEPS = 2_000
MAX_SIZE = 10**15
UNKNOWN = -1  # the number of a tensor whose shape a mistake leaves unknown
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass
class _Scope:
    """The state while the layers of one network are read.

    `shapes` are those of tensors by number, `named` the inputs and named tensors with the place of their `as`, and `x`
    is the number of the running tensor. `outer` are the names that a block may give to tensors of its own, `open` the
    blocks around the layer.
    """

    name: str
    defaults: Mapping[str, YamlNode]
    problems: Problems
    shapes: dict[int, Shape] = field(default_factory=dict)
    named: dict[str, tuple[int, Place | None]] = field(default_factory=dict)
    steps: list[LayerCall] = field(default_factory=list)
    x: int = 0
    broken: bool = False
    items: int = 0
    copied: list[int] = field(default_factory=lambda: [0])
    blocks: Mapping[str, Block] = field(default_factory=dict)
    outer: frozenset[str] = frozenset()
    open: tuple[str, ...] = ()

    def substitution(self, variables: Mapping[str, YamlNode], where: str) -> Substitution:
        return Substitution(variables, where, self.problems, self.copied)

    @property
    def full(self) -> bool:
        return self.items > MAX_STEPS

    def report(self, place: Place, where: str, message: str) -> Any:
        self.broken = True
        self.problems.add(place, where, message)


def plan(
    name: str,
    network: YamlNode,
    inputs: Mapping[str, Shape | None],
    shared: YamlNode | None,
    blocks: Mapping[str, Block],
    problems: Problems,
) -> Plan | None:
    """Expand and check the network called `name`. None when anything in it is wrong (reported).

    An input of shape None is wrong itself: layers that take it are checked for their arguments alone. `shared` are the
    defaults of all networks.
    """
    where = f"networks.{name}"
    defaults = _defaults([(shared, "defaults"), (network.get("defaults"), join(where, "defaults"))], problems)
    scope = _Scope(name, defaults, problems, blocks=blocks)
    for number, (input_name, shape) in enumerate(inputs.items()):
        if shape is not None:
            scope.shapes[number] = shape
        scope.named[input_name] = (number if shape is not None else UNKNOWN, None)
    shapes = {input_name: shape for input_name, shape in inputs.items() if shape is not None}
    scope.broken = len(shapes) < len(inputs) or not inputs
    scope.x = next(iter(scope.named.values()))[0] if inputs else UNKNOWN
    layers, output = network.get("layers"), network.get("output")
    if layers is None or not layers.is_list:
        return None
    if not layers.value:
        return problems.add(layers.place, join(where, "layers"), "a network needs at least one layer")
    _walk(layers, {}, join(where, "layers"), scope)
    outputs = _outputs(output, join(where, "output"), scope) if output is not None else {}
    if scope.broken or not outputs:
        return None
    named = {key: number for key, (number, place) in scope.named.items() if place is not None}
    (first, number), *others = outputs.items()
    further = {key: (other, scope.shapes[other]) for key, other in others}
    return Plan(name, shapes, tuple(scope.steps), first, number, scope.shapes[number], named, further)


def _outputs(node: YamlNode, where: str, scope: _Scope) -> dict[str, int]:
    """Return the numbers of the outputs by name: the running tensor, or those that a list or a mapping names."""
    if isinstance(node.value, str):
        items = [(node.value, "x", node.place, node.place)]
    elif node.is_list:
        items = [(item.value, item.value, item.place, item.place) for item in node.value]
    else:
        items = [(name, entry.node.value, entry.place, entry.node.place) for name, entry in node.entries()]
    found: dict[str, int] = {}
    for name, tensor, place, at in items:
        if not (isinstance(name, str) and isinstance(tensor, str)):
            continue  # reported by the schema
        known = {key: number for key, (number, line) in scope.named.items() if line is not None}
        if name in found:
            scope.report(place, where, f"'{name}' is listed twice")
        elif tensor != "x" and tensor not in known:
            hint = suggest(tensor, known) or f" Known: {', '.join([*known, 'x'])}."
            scope.report(at, where, f"no layer is named '{tensor}' by `as`.{hint}")
        elif node.is_list and name == "x":
            scope.report(place, where, "'x' is the running tensor itself: give it a name, {image: x}")
        else:
            found[name] = scope.x if tensor == "x" else known[tensor]
            if known.get(name, found[name]) != found[name]:
                line = scope.named[name][1]
                scope.report(place, where, f"'{name}' is the name of another tensor already: line {line and line.line}")
    if not items and not scope.problems.at(node.place):
        scope.report(node.place, where, "a network needs at least one output")
    return found


def _defaults(sections: list[tuple[YamlNode | None, str]], problems: Problems) -> dict[str, YamlNode]:
    """Merge the default arguments of each layer class; the later section wins, argument by argument."""
    merged: dict[str, YamlNode] = {}
    layers = names_of("layer")
    for section, where in sections:
        if section is None:
            continue
        for layer, entry in section.entries():
            if layer not in layers:
                problems.add(entry.place, where, f"unknown layer '{layer}'.{suggest(layer, layers)}")
                continue
            wrong = Problems()
            optional = {**layers[layer], "x-required": []}
            validate_arguments(entry.node, entry.node, optional, join(where, layer), wrong)
            problems.take(wrong, once=True)  # and not again at every layer that takes it
            if entry.node.is_map:
                old = merged[layer].value if layer in merged else {}
                merged[layer] = YamlNode({**old, **entry.node.value}, entry.node.place)
    return merged


def _walk(layers: YamlNode, variables: Mapping[str, YamlNode], where: str, scope: _Scope) -> None:
    for i, item in enumerate(layers.value):
        scope.items += 1
        if scope.full:
            if scope.items == MAX_STEPS + 1:
                scope.report(item.place, where, f"a network has at most {MAX_STEPS:,} layers once 'repeat' is expanded")
            scope.broken = True
            return
        _item(item, variables, f"{where}[{i}]", scope)


def _item(item: YamlNode, variables: Mapping[str, YamlNode], where: str, scope: _Scope) -> None:
    if isinstance(item.value, str) and item.value in scope.blocks:
        _block(item.value, None, item.place, (scope.x,), where, scope)
    elif isinstance(item.value, str):
        _layer(item.value, None, item, item.place, (scope.x,), where, scope)
    elif not item.is_map or not item.value:
        text = f"expected a layer such as 'Flatten' or 'Dense: {{units: 10}}', received {item.describe()}"
        scope.report(item.place, where, text)
    elif "repeat" in item.value or "layers" in item.value:
        _repeat(item, variables, where, scope)
    else:
        _single(scope.substitution(variables, where)(item), where, scope)


def _single(item: YamlNode, where: str, scope: _Scope) -> None:
    """Read one layer, or a bare `as` or `from`."""
    layers = [(key, entry) for key, entry in item.entries() if key not in CONTROL]
    inputs = _sources(item.get("from"), where, scope)
    if len(layers) > 1:
        names, place = ", ".join(key for key, _ in layers), layers[1][1].place
        scope.report(place, where, f"one item is one layer, received {names}. Begin a new item with '-'")
        scope.x = UNKNOWN
    elif layers:
        name, entry = layers[0]
        if name in scope.blocks:
            _block(name, entry.node, entry.place, inputs, where, scope)
        else:
            _layer(name, entry.node, item, entry.place, inputs, where, scope)
    elif len(inputs) > 1:
        scope.report(item.place, where, "several inputs need a layer that joins them, such as Concatenate or Add")
        scope.x = UNKNOWN
    else:
        scope.x = inputs[0]
    _bind_name(item.get("as"), where, scope)


def _sources(node: YamlNode | None, where: str, scope: _Scope) -> tuple[int, ...]:
    """Return the numbers of the tensors that `from` names, or of the running one."""
    if node is None:
        return (scope.x,)
    found = []
    for name in node.value if node.is_list else [node] if node.value is not None else []:
        if name.value == "x":
            found.append(scope.x)
        elif isinstance(name.value, str) and name.value in scope.named:
            found.append(scope.named[name.value][0])
        else:
            hint = suggest(name.value, scope.named) or f" Known here: {', '.join(['x', *scope.named])}."
            scope.report(name.place, join(where, "from"), f"nothing above is named {name.describe()}.{hint}")
            found.append(UNKNOWN)
    if not found:
        scope.report(node.place, join(where, "from"), "names no input")
    return tuple(found) or (UNKNOWN,)


def _bind_name(node: YamlNode | None, where: str, scope: _Scope) -> None:
    """Bind the name of `as` to the running tensor."""
    if node is None:
        return None
    name, where = node.value, join(where, "as")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return scope.report(node.place, where, f"expected a lower-case word such as skip1, received {node.describe()}")
    if name == "x":
        return scope.report(node.place, where, "'x' is the running tensor itself; choose another name")
    first = scope.named.get(name) if name not in scope.outer else None
    scope.outer -= {name}
    if first and first[1] != node.place:  # the same line may bind its name again, in a repeat
        at = f"line {first[1].line}" if first[1] else "an input of the network"
        return scope.report(node.place, where, f"'{name}' is a name already: {at}")
    scope.named[name] = (scope.x, node.place)
    return None


def _block(name: str, given: YamlNode | None, place: Place, inputs: tuple[int, ...], where: str, scope: _Scope) -> None:
    """Expand a block; the names that it gives end with it."""
    block, where = scope.blocks[name], f"{where}.{name}"
    wrong = Problems()
    variables = block.variables(name, given, place, where, wrong)
    scope.problems.take(wrong)
    if name in scope.open:
        chain = " -> ".join([*scope.open[scope.open.index(name) :], name])
        scope.report(place, where, f"the blocks use each other in a circle: {chain}")
    elif len(inputs) > 1:
        scope.report(place, where, "a block goes on from one tensor: give the names of others as parameters")
    elif variables is not None:
        scope.x = inputs[0]
        around = scope.named, scope.outer, scope.open
        scope.named, scope.outer, scope.open = dict(scope.named), frozenset(scope.named), (*scope.open, name)
        _walk(block.layers, variables, join(where, "layers"), scope)
        scope.named, scope.outer, scope.open = around
        return
    scope.broken = True
    scope.x = UNKNOWN


def _layer(
    name: str, args: YamlNode | None, item: YamlNode, place: Place, inputs: tuple[int, ...], where: str, scope: _Scope
) -> None:
    """Check a layer's arguments, apply its shape rule and append its call."""
    layers, where = names_of("layer"), f"{where}.{name}"
    if name not in layers:
        what = "layer or block" if scope.blocks else "layer"
        hint = suggest(name, [*scope.blocks, *layers]) or " See specs/schema.json for all layers."
        text = elsewhere(name) or f"unknown {what} '{name}'.{hint}"
        return scope.report(place, where.rpartition(".")[0], text)
    if args is not None and args.value is not None and not args.is_map:
        return scope.report(args.place, where, f"expected a mapping of arguments, received {args.describe()}")
    own = args.value if args is not None and args.is_map else {}
    default = scope.defaults.get(name)
    merged = YamlNode({**(default.value if default else {}), **own}, place)
    wrong = Problems()
    validate_arguments(merged, item, layers[name], where, wrong)
    scope.problems.take(wrong)
    if wrong or scope.problems.inside(merged) or any(i not in scope.shapes for i in inputs):
        scope.broken = True
    else:
        try:
            cost = _cost(name, [scope.shapes[i] for i in inputs], completed(merged.plain(), layers[name]))
        except ShapeError as error:
            scope.report(place, where, str(error))
            scope.broken = True
        else:
            output = len(scope.shapes)
            scope.shapes[output] = cost.shape
            scope.steps.append(LayerCall(name, merged.plain(), inputs, output, cost, place, where))
            scope.x = output
            return None
    scope.x = UNKNOWN
    return None


def _cost(name: str, shapes: list[Shape], args: Mapping[str, Any]) -> Cost:
    for shape in shapes:
        _check_size(math.prod(shape))
    cost = RULES[name](shapes, args)
    _check_size(max(math.prod(cost.shape), cost.parameters))
    return cost


def _check_size(size: int) -> None:
    if size > MAX_SIZE:  # no machine holds it, and messages would be pages of digits
        raise ShapeError(f"is more than {MAX_SIZE:.0e} numbers")


def _repeat(item: YamlNode, variables: Mapping[str, Any], where: str, scope: _Scope) -> None:
    for key, entry in item.entries():
        if key not in ("repeat", "layers"):
            scope.report(entry.place, where, f"'{key}' does not go with 'repeat'; put it inside 'layers'")
    count, body = item.get("repeat"), item.get("layers")
    if count is None or body is None or not body.is_list:
        return scope.report(item.place, where, "'repeat' and 'layers' (a list) belong together")
    count = scope.substitution(variables, where)(count)
    rounds = _rounds(count, join(where, "repeat"), scope)
    for i, values in enumerate(rounds):
        if scope.full:
            return None
        _walk(body, {**variables, "index": YamlNode(i, count.place), **values}, join(where, "layers"), scope)
    scope.x = scope.x if rounds else UNKNOWN
    return None


def _rounds(count: YamlNode, where: str, scope: _Scope) -> list[dict[str, YamlNode]]:
    """Return the variables of each round of a `repeat`; an empty list when it is wrong (reported)."""
    if isinstance(count.value, int) and not isinstance(count.value, bool) and 1 <= count.value <= MAX_STEPS:
        return [{} for _ in range(count.value)]
    if not (count.is_map and count.value and all(e.node.is_list and e.node.value for _, e in count.entries())):
        rule = f"expected a number of times (1 to {MAX_STEPS:,}) or lists by name, such as {{filters: [64, 128]}}"
        return scope.report(count.place, where, f"{rule}; received {count.describe()}") or []
    for key, entry in count.entries():
        if not _NAME.fullmatch(key):
            text = f"expected a lower-case word such as filters, received {key!r}"
            return scope.report(entry.place, where, text) or []
    lengths = {key: len(e.node.value) for key, e in count.entries()}
    if len(set(lengths.values())) > 1:
        text = ", ".join(f"{key} has {n}" for key, n in lengths.items())
        return scope.report(count.place, where, f"all lists must have the same length: {text}") or []
    return [{key: e.node.value[i] for key, e in count.entries()} for i in range(next(iter(lengths.values())))]
