"""Read the values of a game: each is one call, of a network or of a function, with its arguments and its shape.

values:
  fake: generator                                  every input takes the value of its own name
  on_fake: {discriminator: {image: fake}}          ... those that are left out
  d_loss: {hinge.discriminator: {real: on_real, fake: on_fake}}
  energy: {mean: {relu: on_fake}}                  functions nest; the first argument needs no name

What annotations of a function's arguments say (`zoo.spec.types.Value` and the next) decides how each is read. A value
with a mistake is reported and has no `Call`; nor have those that take it, without a further message.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from zoo.core.registry import suggest
from zoo.spec.diagnostics import Place, Problems
from zoo.spec.function_shapes import Operand, function_rule, shape_text
from zoo.spec.game_foreign import hint_for
from zoo.spec.game_plan import Call, Reference
from zoo.spec.game_uses import uses
from zoo.spec.game_weights import read_schedule
from zoo.spec.given_networks import resized_plan
from zoo.spec.plan import Plan
from zoo.spec.shapes import Shape, ShapeError
from zoo.spec.types import Part
from zoo.spec.validate import completed, join, names_of, validate
from zoo.spec.yaml_tree import Entry, YamlNode


@dataclass
class Calls:
    """The values of a game, read one after another as they need each other.

    Attributes:
        values: The nodes of the section `values`.
        where: The path of the game, such as algorithm.game.
        networks: The names of all networks of the spec.
        plans: Those that are correct by themselves.
        tensors: The shapes of latents and fields; None where unknown (reported).
        state_shape: Returns the shape of a state for an expression, None for a number, by its name.
        states: The names of the states.
        problems: Where mistakes are reported.
        found: The calls that have been read; None where there is a mistake.
        resized: The plans of given networks in calls with pictures of another size, by the name of the value.
    """

    values: Mapping[str, Any]
    where: str
    networks: tuple[str, ...]
    plans: Mapping[str, Plan]
    tensors: Mapping[str, Shape | None]
    states: tuple[str, ...]
    problems: Problems
    state_shape: Callable[[str], Shape | None] = lambda name: None
    found: dict[str, Call | None] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)
    resized: dict[str, Plan] = field(default_factory=dict)

    def read_all(self) -> dict[str, Call]:
        """Return every value without a mistake, as written; each knows the taps that others read."""
        for name in self.values:
            self.call(name)
        read = {name: call for name in self.values if (call := self.found[name]) is not None}
        taps: dict[str, dict[str, Shape]] = {}
        for call in read.values():
            for use in uses(call):
                self.note_tap(use.reference, taps)
        return {name: dataclasses.replace(call, taps=taps.get(name, {})) for name, call in read.items()}

    def note_tap(self, reference: Reference, taps: dict[str, dict[str, Shape]]) -> None:
        """Add the tap of a reference, if it has one, to those of its value."""
        call = self.found.get(reference.name)
        if reference.tap and call is not None and call.network:
            taps.setdefault(call.name, {})[reference.tap] = self.plan_of(call).tensors[reference.tap][1]

    def plan_of(self, call: Call) -> Plan:
        """Return the plan of the network that a value calls, at the size of what it is given."""
        return self.resized.get(call.name, self.plans[call.network])

    def call(self, name: str) -> Call | None:
        """Return a value by its name; None where it has a mistake."""
        if name not in self.found:
            entry = self.values[name]
            if name in self.open:
                chain = " -> ".join([*self.open[self.open.index(name) :], name])
                self.problems.add(entry.place, join(self.where, f"values.{name}"), f"needs itself: {chain}")
                return None
            self.open.append(name)
            found = self.read(entry.node, name, join(self.where, f"values.{name}"))
            self.open.pop()
            self.found.setdefault(name, found)
        return self.found[name]

    @property
    def known(self) -> tuple[str, ...]:
        """Everything that a reference may name."""
        return (*self.tensors, *self.values, *self.states)

    def report(self, place: Place, where: str, text: str) -> Any:
        """Report a mistake. Returns None."""
        return self.problems.add(place, where, text)

    # Calls.

    def read(self, node: YamlNode, name: str, where: str, inside: bool = False) -> Call | None:
        """Return the call that a node describes; `inside` of another one only pure functions are allowed."""
        args: YamlNode | None
        if isinstance(node.value, str):
            what, args, place = node.value, None, node.place
        elif node.is_map and len(node.value) == 1:
            what, entry = next(node.entries())
            args, place = entry.node, entry.place
        else:
            received = f"{len(node.value)} keys ({', '.join(node.value)})" if node.is_map else node.describe()
            return self.report(node.place, where, f"expected one call, of a network or a function; received {received}")
        functions = names_of("function")
        if what in self.networks:
            if inside:
                text = f"a pass of {what} needs a line of its own in `values`, with a name"
                return self.report(place, where, text)
            return self._network(what, args, name, place, join(where, what))
        if what in functions:
            rule = function_rule(what)
            if inside and rule is not None and not rule.pure:
                kind = "a memory" if rule.memory else "a draw"
                return self.report(place, where, f"{what} is {kind}: it needs a line of its own in `values`, a name")
            return self._function(what, args, name, place, join(where, what))
        if what in self.known:
            return self.report(place, where, f"'{what}' is a name already: use it itself, or call something")
        hint = hint_for(what, self.networks, self.plans)
        return self.report(place, where, f"there is no network and no function '{what}'.{hint}")

    def _network(self, network: str, args: YamlNode | None, name: str, place: Place, where: str) -> Call | None:
        plan = self.plans.get(network)
        if args is not None and args.value is not None and not args.is_map:
            text = f"expected inputs by name, such as {{image: fake}}, received {args.describe()}"
            return self.report(args.place, where, text)
        if plan is None:
            return None  # reported there
        given = dict(args.entries()) if args is not None and args.is_map else {}
        sound = True
        for key, entry in given.items():
            if key not in plan.inputs:
                hint = suggest(key, plan.inputs) or f" Known: {', '.join(plan.inputs)}."
                sound = self.report(entry.place, where, f"no input '{key}'.{hint}") or False
        arguments: dict[str, Any] = {}
        for key, shape in plan.inputs.items():
            if key in given:
                node = given[key].node
                arguments[key] = self._tensor(node, join(where, key))
                at, spot = node.place, join(where, key)
            else:
                arguments[key], at, spot = self._own_name(key, name, place, where), place, where
            operand = self.operand(arguments[key]) if arguments[key] is not None else None
            sound = sound and operand is not None
            if operand is not None and operand.shape != shape and plan.given:
                try:
                    plan = self.resized[name] = resized_plan(plan, operand.shape or ())
                except ShapeError as error:
                    sound = self.report(at, spot, f"{network}: {error}; received {operand}") or False
            elif operand is not None and operand.shape != shape:
                text = f"{network} takes {key} {shape_text(shape)}, received {operand}"
                sound = self.report(at, spot, text) or False
        if not sound:
            return None
        return Call(name, network, "", arguments, plan.output_shape, {}, place, where)

    def _own_name(self, key: str, name: str, place: Place, where: str) -> Reference | None:
        """Return the value of an input's own name."""
        if key == name or key not in self.known:
            others = ", ".join(one for one in self.known if one != name)
            text = f"input '{key}' is not given, and no value has that name. Known: {others}"
            return self.report(place, where, text)
        return self.reference(key, place, where)

    def _function(self, function: str, args: YamlNode | None, name: str, place: Place, where: str) -> Call | None:
        fragment = names_of("function")[function]
        properties = fragment.get("properties", {})
        before = len(self.problems)
        given = self._arguments(args, properties, where)
        for key, entry in given.items():
            if key not in properties:
                hint = suggest(key, properties) or f" Known: {', '.join(properties) or 'none'}."
                self.report(entry.place, where, f"unknown argument '{key}'.{hint}")
        required = {*fragment.get("x-required", ()), *(k for k, one in properties.items() if _needed(one))}
        for key in (key for key in properties if key in required and key not in given):
            self.report(place, where, f"'{key}' is missing")
        if len(self.problems) > before:
            return None
        stated = {key: self._argument(entry.node, properties[key], join(where, key)) for key, entry in given.items()}
        if len(self.problems) > before or any(value is BROKEN for value in stated.values()):
            return None
        arguments = completed(stated, fragment)
        arguments = {key: arguments[key] for key in properties if key in arguments}
        taps = next((key for key, one in properties.items() if one.get("x-takes") == "taps"), "")
        if arguments.get(taps) and not self._with_taps(arguments, given[taps].node, taps, properties, where):
            return None
        operands = self._operands(arguments)
        if operands is None:
            return None
        rule = function_rule(function)
        assert rule is not None, f"zoo.spec.function_shapes has no rule for {function}"
        try:
            shape = rule.shape(operands)
        except ShapeError as error:
            return self.report(place, where, str(error))
        return Call(name, "", function, arguments, shape, {}, place, where)

    def _arguments(self, args: YamlNode | None, properties: Mapping[str, Any], where: str) -> dict[str, Any]:
        """Return the arguments by name; what is no mapping of arguments is the first one."""
        if args is None or args.value is None:
            return {}
        if args.is_map and (not args.value or any(key in properties for key in args.value)):
            return dict(args.entries())
        first = next(iter(properties), "")
        known = (*names_of("function"), *self.networks)
        terms = properties and properties[first].get("x-takes") == "terms"
        if args.is_map and not terms and next(iter(args.value)) not in known:
            return dict(args.entries())  # wrong names, reported by the caller
        if args.is_map and terms and "constant" in args.value:
            rest = {key: entry for key, entry in args.value.items() if key not in properties}
            return {first: _entry(YamlNode(rest, args.place)), **{k: e for k, e in args.entries() if k in properties}}
        return {first: _entry(args)}

    def _argument(self, node: YamlNode, fragment: Mapping[str, Any], where: str) -> Any:
        takes = fragment.get("x-takes") or _taken(fragment)
        if not takes or (node.value is None and "x-takes" not in fragment):
            before = len(self.problems)
            validate(node, fragment, where, self.problems)
            return _frozen(node.plain()) if len(self.problems) == before else BROKEN
        found = getattr(self, READERS.get(takes, f"_{takes}"))(node, where)
        return BROKEN if found is None else found

    # Kinds of arguments. None stands for a mistake that is reported, or for a value that has one.

    def _tensor(self, node: YamlNode, where: str) -> Reference | Call | None:
        if isinstance(node.value, str):
            return self.reference(node.value, node.place, where)
        if node.is_map:
            return self.read(node, where.removeprefix(join(self.where, "values.")), where, inside=True)
        return self.report(node.place, where, f"expected a name or a function, received {node.describe()}")

    def _values(self, node: YamlNode, where: str) -> tuple[Any, ...] | None:
        if not node.is_list or not node.value:
            return self.report(node.place, where, f"expected a list of values, received {node.describe()}")
        whole = any(isinstance(item.value, str) and self._many(item.value) for item in node.value)
        found = [
            Reference(item.value) if whole and isinstance(item.value, str) and self._many(item.value)
            else self._tensor(item, f"{where}[{i}]") for i, item in enumerate(node.value)
        ]  # fmt: skip
        return None if None in found else tuple(found)

    def _many(self, name: str) -> bool:
        """Return True for a pass of a network with several outputs: one of them must be named, unless taps are."""
        call = self.call(name) if name in self.values and name not in self.open else None
        return call is not None and bool(call.network) and len(self.plans[call.network].outputs) > 1

    def _wrt(self, node: YamlNode, where: str) -> tuple[Reference, ...] | None:
        found = []
        for item in node.value if node.is_list else [node]:
            if not isinstance(item.value, str):
                return self.report(item.place, where, f"expected the name of a value, received {item.describe()}")
            if (reference := self.reference(item.value, item.place, where)) is None:
                return None
            found.append(reference)
        return tuple(found) if found else self.report(node.place, where, "names no value")

    def _number(self, node: YamlNode, where: str) -> float | Part | Reference | Call | None:
        if isinstance(node.value, str) and node.value not in self.states:
            hint = suggest(node.value, self.states)
            known = f" States: {', '.join(self.states)}." if self.states and not hint else hint
            text = f"expected a number, a schedule or a state, received {node.describe()}.{known}"
            return self.report(node.place, where, text)
        return self._amount(node, where)

    def _amount(self, node: YamlNode, where: str) -> float | Part | Reference | Call | None:
        if isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
            return float(node.value)
        if node.is_map and next(iter(node.value), "") in names_of("schedule"):
            return read_schedule(node, where, self.problems)
        return self._tensor(node, where)

    def _terms(self, node: YamlNode, where: str) -> tuple[tuple[Any, Any], ...] | None:
        found: list[tuple[Any, Any]]
        if node.is_list and node.value:
            found = [(self._tensor(item, f"{where}[{i}]"), 1.0) for i, item in enumerate(node.value)]
        elif node.is_map and node.value:
            found = [
                (self.reference(key, entry.place, where), self._number(entry.node, join(where, key)))
                for key, entry in node.entries()
            ]
        else:
            text = f"expected values with their weights, {{x: 1, y: -1}}, or a list; received {node.describe()}"
            return self.report(node.place, where, text)
        return None if any(None in pair for pair in found) else tuple(found)

    def _taps(self, node: YamlNode, where: str) -> tuple[str, ...] | None:
        if not node.is_list or not node.value or not all(isinstance(item.value, str) for item in node.value):
            return self.report(node.place, where, f"expected a list of names, received {node.describe()}")
        return tuple(item.value for item in node.value)

    def _network_name(self, node: YamlNode, where: str) -> str | None:
        if node.value in self.networks:
            return node.value
        hint = suggest(node.value, self.networks) or f" Known: {', '.join(self.networks)}."
        return self.report(node.place, where, f"there is no network {node.describe()}.{hint}")

    # References.

    def reference(self, text: str, place: Place, where: str) -> Reference | None:
        """Return the reference to one tensor, such as on_fake.logits; None after a mistake, or where it has one."""
        name, _, tap = text.partition(".")
        if name not in self.known:
            hint = suggest(name, self.known) or f" Known: {', '.join(self.known)}."
            return self.report(place, where, f"there is no value '{name}'.{hint}")
        if name in self.values:
            call = self.call(name)
            if call is None:
                return None
            plan = self.plans[call.network] if call.network else None
            if plan is not None and not tap and len(plan.outputs) > 1:
                choices = " or ".join(f"{name}.{output}" for output in plan.outputs)
                return self.report(place, where, f"{name} has the outputs {', '.join(plan.outputs)}: write {choices}")
            if plan is not None and tap and tap not in plan.tensors:
                hint = suggest(tap, plan.tensors) or f" Known: {', '.join(plan.tensors)}."
                return self.report(place, where, f"{name} has no output and no layer `as: {tap}`.{hint}")
            if plan is not None:
                alone = len(plan.outputs) == 1 and tap == plan.output_name
                return Reference(name, "" if alone else tap)
        elif self.tensors.get(name, ()) is None:
            return None  # reported in its section
        if tap:
            return self.report(place, where, f"'{name}' is one tensor, without outputs: leave out '.{tap}'")
        return Reference(name)

    def shape(self, reference: Reference) -> Shape | None:
        """Return the shape of a sound reference in an expression; None for one number."""
        if reference.name in self.states:
            return self.state_shape(reference.name)
        if reference.name in self.tensors:
            return self.tensors[reference.name]
        call = self.call(reference.name)
        assert call is not None
        return self.plan_of(call).tensors[reference.tap][1] if reference.tap else call.shape

    def operand(self, argument: Any) -> Operand | None:
        """Return an argument with its shape; None for a value with a mistake."""
        if isinstance(argument, Call):
            return Operand(argument.function, argument.shape)
        return Operand(str(argument), self.shape(argument))

    def _operands(self, argument: Any) -> Any:
        """Return arguments in which every tensor is an `Operand`."""
        if isinstance(argument, (Reference, Call)):
            return self.operand(argument)
        if isinstance(argument, Mapping):
            return {key: self._operands(item) for key, item in argument.items()}
        return tuple(self._operands(item) for item in argument) if isinstance(argument, tuple) else argument

    def _with_taps(
        self, arguments: dict[str, Any], node: YamlNode, taps: str, properties: Mapping[str, Any], where: str
    ) -> bool:
        """Replace each value by its tensors of the names in `taps`. Returns False after a mistake."""
        for key, fragment in properties.items():
            if fragment.get("x-takes") != "values":
                continue
            rows = []
            for value in arguments[key]:
                row = [
                    self.reference(f"{value.name}.{item.value}", item.place, join(where, taps))
                    if isinstance(value, Reference) else None for item in node.value
                ]  # fmt: skip
                if None in row:
                    return False
                rows.append(tuple(row))
            arguments[key] = tuple(rows)
        return True


BROKEN = object()
READERS = {"value": "_tensor", "network": "_network_name"}  # of arguments by what they take; others have its name


def _entry(node: YamlNode) -> Entry:
    return Entry(node, node.place)


def _taken(fragment: Mapping[str, Any]) -> str:
    """Return what an argument takes that may be left out: `Value | None`."""
    return next((f["x-takes"] for f in fragment.get("anyOf", ()) if "x-takes" in f), "")


def _needed(fragment: Mapping[str, Any]) -> bool:
    """Return True for a tensor that has no default but nothing, as a drawing function's in Python may have."""
    return "x-takes" in fragment and fragment.get("default", 0) is None


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
