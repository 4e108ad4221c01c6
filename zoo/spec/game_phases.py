"""Read the phases and states of a game: weights, times, optimizers, and what an update of each computes and draws."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from zoo.core.registry import suggest
from zoo.spec.diagnostics import Problems
from zoo.spec.function_shapes import function_rule, shape_text
from zoo.spec.game_calls import Calls
from zoo.spec.game_foreign import optimizer_hint
from zoo.spec.game_plan import Call, PhasePlan, Reference, StatePlan, Weight, When
from zoo.spec.game_unrolling import Unrolling
from zoo.spec.game_uses import uses
from zoo.spec.game_weights import read_weight
from zoo.spec.shapes import Shape
from zoo.spec.types import Part
from zoo.spec.validate import below, completed, join, names_of, validate
from zoo.spec.yaml_tree import YamlNode


def phase_form() -> Mapping[str, Any]:
    """Return the schema of a phase."""
    return below(below(names_of("algorithm")["game"], "phases"), "any")


@dataclass
class Phases:
    """Reads the phases of a game, whose values have been read.

    Attributes:
        calls: The reader of the values.
        values: Those without a mistake.
        latents: The names of the latents.
        fields: The names of the fields of the data.
        problems: Where mistakes are reported.
    """

    calls: Calls
    values: Mapping[str, Call]
    latents: tuple[str, ...]
    fields: tuple[str, ...]
    problems: Problems
    read: list[PhasePlan] = field(default_factory=list)
    nodes: Mapping[str, YamlNode] = field(default_factory=dict)

    def report(self, node: YamlNode, where: str, text: str) -> Any:
        """Report a mistake. Returns None."""
        return self.problems.add(node.place, where, text)

    def read_all(self, phases: YamlNode, order: YamlNode | None) -> bool:
        """Read all phases in the order in which they play, into `read`. Returns False after a mistake."""
        where, sound, self.nodes = (
            join(self.calls.where, "phases"),
            True,
            {name: entry.node for name, entry in phases.entries()},
        )
        names = self._order(phases, order)
        for name, entry in phases.entries():
            if name in self.calls.values or name in self.calls.states:
                kind = "value" if name in self.calls.values else "state"
                text = f"'{name}' is a {kind} too, and logs and curves have both by name: rename one of them"
                sound = self.problems.add(entry.place, join(where, name), text) or False
        for name in names or ():
            node: YamlNode = phases.get(name)  # type: ignore[assignment]
            wrong = Problems()
            validate(node, phase_form(), join(where, name), wrong)
            self.problems.take(wrong)
            plan = None if wrong else self._phase(name, node, join(where, name))
            sound = sound and plan is not None
            if plan is not None:
                self.read.append(plan)
        if sound and names is not None:
            sound = Unrolling(self).read_all()
        return sound and names is not None

    def _order(self, phases: YamlNode, order: YamlNode | None) -> list[str] | None:
        """Return the names of the phases in the order of play."""
        written, where = list(phases.value), join(self.calls.where, "order")
        if not written:
            return self.report(phases, join(self.calls.where, "phases"), "a game needs at least one phase")
        if order is None or not order.is_list:
            return written
        found: list[str] = []
        for item in order.value:
            if item.value not in written:
                hint = suggest(item.value, written) or f" Known: {', '.join(written)}."
                return self.report(item, where, f"there is no phase {item.describe()}.{hint}")
            if item.value in found:
                return self.report(item, where, f"names '{item.value}' twice; `updates` says how often it moves")
            found.append(item.value)
        if missing := [name for name in written if name not in found]:
            return self.report(order, where, f"leaves out {', '.join(missing)}: name every phase")
        return found

    # One phase.

    def _phase(self, name: str, node: YamlNode, where: str) -> PhasePlan | None:
        before = len(self.problems)
        trains = self._trains(node.get("trains"), join(where, "trains"))
        minimise = self._minimise(node.get("minimise"), join(where, "minimise"))
        when = self._when(node.get("when"), join(where, "when"))
        reuse = self._reuse(node.get("reuse"), join(where, "reuse"))
        optimizer = self._optimizer(node.get("optimizer"), trains or (), join(where, "optimizer"))
        if len(self.problems) > before or None in (trains, minimise, when, reuse, optimizer):
            return None
        assert trains is not None and minimise is not None and when is not None and optimizer is not None
        updates, size = node.get("updates"), node.get("batch_size")
        clip, data = node.get("weight_clip"), node.get("data")
        plan = PhasePlan(
            name, trains, minimise, optimizer, updates.value if updates else 1, when,
            fresh=data is not None and data.value == "fresh", batch_size=size.value if size else None,
            reuse=reuse or (), weight_clip=_completed(clip, phase_form(), "weight_clip"),
            values=(), kept=(), draws=(), fields=(),
        )  # fmt: skip
        return self._computed(plan, node, where)

    def _trains(self, node: YamlNode | None, where: str) -> tuple[str, ...] | None:
        items = _items(node)
        for i, item in enumerate(items):
            if item.value not in self.calls.networks:
                hint = suggest(item.value, self.calls.networks) or f" Known: {', '.join(self.calls.networks)}."
                return self.report(item, where, f"there is no network {item.describe()}.{hint}")
            if item.value in [other.value for other in items[:i]]:
                return self.report(item, where, f"names '{item.value}' twice")
        if not items and node is not None:
            return self.report(node, where, "names no network")
        return tuple(item.value for item in items)

    def _minimise(self, node: YamlNode | None, where: str) -> dict[str, Weight] | None:
        found: dict[str, Weight] = {}
        sound = True
        for name, entry in node.entries() if node is not None else ():
            spot = join(where, name)
            weight = read_weight(entry.node, spot, self.calls.states, self.problems)
            sound = weight is not None and self._scalar(name, entry, where) and sound
            if weight is not None and 0.0 not in weight.factors:
                found[name] = weight
        if sound and not found and node is not None:
            return self.report(node, where, "there is nothing to minimise: name a value with a weight, {d_loss: 1}")
        return found if sound else None

    def _scalar(self, name: str, entry: Any, where: str) -> bool:
        """Check that a name is that of a value which is one number; report it otherwise."""
        at = YamlNode(None, entry.place)
        if name not in self.calls.values:
            hint = suggest(name, self.calls.values) or f" Known: {', '.join(self.calls.values)}."
            what = "a state, which nothing can lower" if name in self.calls.states else "no value"
            self.report(at, join(where, name), f"'{name}' is {what}.{hint}")
            return False
        call = self.values.get(name)
        if call is None:
            return False  # reported at the value
        plan = self.calls.plans.get(call.network)
        if plan is not None and len(plan.outputs) > 1:
            self.report(at, join(where, name), f"is a pass of {call.network}, not one number")
        elif call.shape is not None:
            self.report(at, join(where, name), f"is {shape_text(call.shape)}, not one number: {{mean: {name}}} is one")
        return call.shape is None

    def _when(self, node: YamlNode | None, where: str) -> When | None:
        if node is None or node.value is None:
            return When()
        values: dict[str, dict[str, float]] = {}
        sound = True
        for key in ("above", "below"):
            values[key] = {}
            for name, entry in node.entries(key):
                if name in self.calls.states or self._scalar(name, entry, join(where, key)):
                    values[key][name] = float(entry.node.value)
                else:
                    sound = False
        plain = node.plain()
        start, until = plain.get("from", 0), plain.get("until")
        if until is not None and until <= start:
            return self.report(node, where, f"ends at step {until} before it begins at {start}")
        burn_in = _completed(node.get("burn_in"), below(phase_form(), "when"), "burn_in")
        return When(plain.get("every", 1), start, until, burn_in, values["above"], values["below"]) if sound else None

    def _reuse(self, node: YamlNode | None, where: str) -> tuple[str, ...] | None:
        found: list[str] = []
        for item in _items(node):
            if item.value not in self.calls.known or item.value in self.calls.states:
                names = (*self.calls.tensors, *self.calls.values)
                hint = suggest(item.value, names) or f" Known: {', '.join(names)}."
                return self.report(item, where, f"there is no value {item.describe()}.{hint}")
            earlier = [p for p in self.read if item.value in (*p.values, *p.draws, *p.fields)]
            if not earlier:
                return self._too_early(item, where)
            found.append(item.value)
        return tuple(found)

    def _too_early(self, item: YamlNode, where: str) -> None:
        text = f"{item.value} is computed in no earlier phase of the step"
        for name, node in self.nodes.items():
            reused = [use.value for use in _items(node.get("reuse"))]
            if item.value not in reused and item.value in self.reached(
                [k for k, _ in node.entries("minimise")], reused
            ):
                text += f". `order` may put '{name}' first"
                break
        self.report(item, where, text)

    def _optimizer(self, node: YamlNode | None, trains: tuple[str, ...], where: str) -> Part | str | None:
        if node is None:
            return ""  # reported by the schema
        if isinstance(node.value, str) and node.value.islower():
            owner = next((phase for phase in self.read if phase.name == node.value), None)
            if owner is None:
                hint = optimizer_hint(node.value) or suggest(node.value, [p.name for p in self.read])
                text = f"there is no earlier phase '{node.value}' whose optimizer could be shared.{hint}"
                return self.report(node, where, text)
            if owner.trains != trains:
                text = f"the phase '{node.value}' trains {', '.join(owner.trains)}, and not the same networks"
                return self.report(node, where, f"{text}: state an optimizer")
            return node.value if isinstance(owner.optimizer, Part) else owner.optimizer
        part = Part.of(node.plain())
        for key, value in part.args.items():
            if isinstance(value, str) and value not in self.calls.states:
                at: YamlNode = node.get(part.name, key)  # type: ignore[assignment]
                hint = suggest(value, self.calls.states)
                text = f"expected a number, a schedule or a state, received '{value}'.{hint}"
                return self.report(at, join(where, f"{part.name}.{key}"), text)
        return part

    # What an update computes.

    def _computed(self, plan: PhasePlan, node: YamlNode, where: str) -> PhasePlan:
        """Return the phase with what an update of it computes, draws and reads."""
        roots = [*plan.minimise, *(n for n in (*plan.when.above, *plan.when.below) if n in self.values)]
        sources = {name: self._source(name) for name in plan.reuse}
        reached = self.reached(roots, plan.reuse)
        for name, source in list(sources.items()):
            made_from = self.reached([name], next(p for p in self.read if p.name == source).reuse)
            needed = self.chance(made_from) & reached - set(plan.reuse)
            sources |= {other: source for other in self.calls.known if other in needed}
        reuse = tuple(sources)
        reached = self.reached(roots, reuse) - set(reuse)
        counted = self.reached(roots, reuse, penalties=False) - set(reuse)
        values = self.ordered(reached)
        drawn = (*(n for n in self.latents if n in reached), *(n for n in values if self.draws(n)))
        kept = tuple(n for n in values if n in counted and self.values[n].network in plan.trains)
        read = tuple(name for name in self.fields if name in reached)
        return dataclasses.replace(
            plan, reuse=reuse, sources=sources, values=values, kept=kept, draws=drawn, fields=read
        )  # fmt: skip

    def _source(self, name: str) -> str:
        """Return the last phase so far that computes, draws or reads something."""
        return next(p.name for p in reversed(self.read) if name in (*p.values, *p.draws, *p.fields))

    def draws(self, name: str) -> bool:
        """Return True for a value that is drawn."""
        call = self.values.get(name)
        rule = function_rule(call.function) if call is not None and call.function else None
        return rule is not None and rule.draws

    def chance(self, names: Iterable[str]) -> set[str]:
        """Return those of some names that are latents, fields, or values that draw."""
        return {name for name in names if name in self.latents or name in self.fields or self.draws(name)}

    def reached(self, roots: Iterable[str], reuse: Iterable[str], *, penalties: bool = True) -> set[str]:
        """Return all names that some values need, up to those that are reused; without what penalties alone need."""
        found: set[str] = set()
        stack, stop = list(roots), set(reuse)
        while stack:
            name = stack.pop()
            if name in found or name in self.calls.states:
                continue
            found.add(name)
            if name in self.values and name not in stop:
                found_uses = uses(self.values[name])
                stack += [use.reference.name for use in found_uses if penalties or not use.derivative]
        return found

    def ordered(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the values among some names as written, each after what it needs."""
        wanted = set(names)
        found: dict[str, None] = {}

        def put(name: str) -> None:
            if name in wanted and name in self.values and name not in found:
                for use in uses(self.values[name]):
                    put(use.reference.name)
                found[name] = None

        for name in self.values:
            put(name)
        return tuple(found)


def _items(node: YamlNode | None) -> list[YamlNode]:
    """Return the items of a list, or a single one."""
    return [] if node is None or node.value is None else node.value if node.is_list else [node]


def _completed(node: YamlNode | None, form: Mapping[str, Any], key: str) -> dict[str, Any] | None:
    """Return the arguments of a mapping that may be left out, with defaults; None where it is."""
    if node is None or node.value is None:
        return None
    inner = below(form, key)
    inner = next((f for f in inner.get("anyOf", ()) if f.get("type") == "object"), inner)
    return completed(node.plain(), inner)


def read_states(node: YamlNode | None, calls: Calls, problems: Problems) -> dict[str, StatePlan] | None:
    """Read the states of a game.

    Args:
        node: The section `states`; None where there is none.
        calls: The reader of the values.
        problems: Where mistakes are reported.

    Returns:
        The states by name; None after a mistake, or where the value that one follows has one.
    """
    found: dict[str, StatePlan] = {}
    sound = True
    for name, entry in node.entries() if node is not None else ():
        where = join(calls.where, f"states.{name}")
        wrong = Problems()
        validate(entry.node, {"$ref": "#/$defs/state"}, where, wrong)
        if wrong:
            sound = problems.take(wrong) or False
            continue
        if not entry.node.is_map:
            text = f"'of' is missing: write {entry.node.value}: {{of: a value}}"
            sound = problems.add(entry.node.place, where, text) or False
            continue
        kind, inner = next(entry.node.entries())
        of = inner.node.get("of")
        if of is None:
            text = "'of' is missing. It is the value that the state follows"
            sound = problems.add(inner.place, join(where, kind), text) or False
            continue
        reference = _followed(of, join(where, f"{kind}.of"), calls, problems)
        if reference is None:
            sound = False
            continue
        shape = calls.shape(reference)
        if kind in ("integral", "plateau") and shape is not None:
            text = f"{kind} follows one number, and {reference} is {shape_text(shape)}: {{mean: {reference}}} is one"
            sound = problems.add(of.place, join(where, f"{kind}.of"), text) or False
            continue
        args = completed(inner.node.plain(), names_of("state")[kind])
        args.pop("of")
        found[name] = StatePlan(name, Part(kind, args), reference, state_shape(kind, shape) or ())
    return found if sound else None


def _followed(of: YamlNode, where: str, calls: Calls, problems: Problems) -> Reference | None:
    if not isinstance(of.value, str):
        return problems.add(of.place, where, f"expected the name of a value, received {of.describe()}")
    if of.value in calls.states:
        return problems.add(of.place, where, f"'{of.value}' is a state; a state follows a value")
    return calls.reference(of.value, of.place, where)


def state_shape(kind: str, of: Shape | None) -> Shape | None:
    """Return the shape of a state in an expression.

    Args:
        kind: Its rule.
        of: The shape of what it follows.

    Returns:
        That of the mean over a batch for a moving average; None for a number.
    """
    return (of or None) if kind == "moving_average" else None
