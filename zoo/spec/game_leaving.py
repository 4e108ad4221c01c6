"""A value that leaves a game, with the networks and functions that it passes through, as the plan of one network.

    export: {values: {generator: sample}}
    z -> mapping's layers -> lerp, tiled (a layer each) -> synthesis's layers -> image

Whatever builds, folds, converts or describes a plan then does so with a value. A function is a step of the layer
`FUNCTION`, which is no word of the language; states and constants are part of it. Latents, labels and `input` functions
are the inputs. Frozen networks keep the statistics that they have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from zoo.core.registry import suggest
from zoo.spec.diagnostics import Place, Problems
from zoo.spec.function_shapes import function_rule
from zoo.spec.game_plan import Call, GamePlan, Leaving, Reference
from zoo.spec.game_uses import DRAWS, nested, uses
from zoo.spec.graph_checks import feedable, mixing_layer
from zoo.spec.plan import BATCH_NORMS, FUNCTION, LayerCall, Plan, upstream
from zoo.spec.shapes import Cost, Shape
from zoo.spec.types import Part
from zoo.spec.validate import join
from zoo.spec.yaml_tree import YamlNode

INPUT = "input"  # the function whose number a user gives
_STEP = LayerCall(FUNCTION, {}, (), 0, Cost(()), Place("", 0, 0), "")


class _CannotLeaveError(ValueError):
    """A value cannot leave; the text is the reason."""


def read_exports(
    tree: YamlNode, game: GamePlan, plans: Mapping[str, Plan], ends: Mapping[str, Mapping[str, Shape | None]],
    problems: Problems,
) -> dict[str, Leaving]:  # fmt: skip
    """Read the values that a spec exports.

    Args:
        tree: The spec.
        game: Its game, which is correct.
        plans: The networks.
        ends: The shapes of `latents` and of `fields`, by name.
        problems: Where mistakes are reported.

    Returns:
        What leaves, by the name of the artifact's file; nothing for a spec that exports networks.
    """
    found = {}
    for name, entry in tree.entries("export", "values"):
        texts = [item.value for item in (entry.node.value if entry.node.is_list else [entry.node])]
        where = join("export.values", name)
        if not texts:
            problems.add(entry.node.place, where, "names no value")
        if not texts or not all(isinstance(text, str) for text in texts):
            continue  # reported, here or by the schema
        try:
            leaving = _Graph(game, plans, {**ends["latents"], **ends["fields"]}).leaving(name, texts)
            _check(leaving.plan, game, ends)
        except _CannotLeaveError as reason:
            problems.add(entry.node.place, where, str(reason))
        else:
            found[name] = leaving
    return found


def given_inputs(game: GamePlan | None) -> dict[str, Mapping[str, Any]]:
    """Return the numbers that a user of what leaves may give.

    Args:
        game: A game, or None.

    Returns:
        The arguments `default` and `within` of each `input`, by its name.
    """
    values = game.values if game is not None else {}
    return {name: call.arguments for name, call in values.items() if call.function == INPUT}


def _check(plan: Plan, game: GamePlan, ends: Mapping[str, Mapping[str, Shape | None]]) -> None:
    """Refuse what nobody can feed, and what lets rows depend on each other."""
    if (mixing := mixing_layer(plan)) is not None:
        raise _CannotLeaveError(
            f"passes {mixing.layer}, which lets what it makes depend on the rest of the batch: leave it out"
        )
    given = given_inputs(game)
    drawn: dict[str, Shape | None] = {**ends["latents"], **{name: (1,) for name in given}}
    fields = ends["fields"]
    images = {name: (1, 1, 1) for name, (_, shape) in plan.outputs.items() if len(shape) == 3}  # also of no field
    if not feedable(plan, drawn, {**images, **fields}):
        raise _CannotLeaveError(
            f"takes {' and '.join(plan.inputs)}: a user can feed latents, labels and `input` values, or one image from "
            "which it makes another"
        )


class _Graph:
    """The steps of one value, in the making."""

    def __init__(self, game: GamePlan, plans: Mapping[str, Plan], ends: Mapping[str, Shape | None]) -> None:
        self.game, self.plans, self.ends = game, plans, ends
        self.inputs: dict[str, Shape] = {}
        self.wanted: dict[str, set[str]] = {}  # of each value of a network, what is read of it
        self.steps: list[LayerCall] = []
        self.origins: dict[int, tuple[str, LayerCall]] = {}
        self.tensors: dict[str, int] = {}
        self.shapes: list[Shape] = []  # by the number of the tensor
        self.given: set[int] = set()  # tensors [B, 1] that are made of numbers which a user gives, and of nothing else

    def leaving(self, name: str, texts: Sequence[str]) -> Leaving:
        """Return what leaves under a name: one value, or several as one graph. Raises _CannotLeaveError."""
        references = [self._reference(text) for text in texts]
        for reference in references:
            self._gather(reference)
        if not self.inputs:
            raise _CannotLeaveError(f"{' and '.join(texts)} depends on nothing that a user could give or draw")
        for key, shape in self.inputs.items():
            self.tensors[key] = len(self.shapes)
            self.shapes.append(shape)
        self.given |= {self.tensors[key] for key in given_inputs(self.game) if key in self.inputs}
        outputs: dict[str, tuple[int, Shape]] = {}
        for reference, text in zip(references, texts, strict=True):
            output = self._tensor(reference)
            if output < len(self.inputs) or output in self.given or not self.shapes[output]:
                raise _CannotLeaveError(f"{text} is no tensor that is made of the inputs, an example in each row")
            made = self._named(reference)
            if made in outputs:
                raise _CannotLeaveError(
                    f"{text} would leave as '{made}' for a second time: give it a network or a line of its own"
                )
            outputs[made] = output, self.shapes[output]
        (first, (number, shape)), *further = outputs.items()
        plan = Plan(name, self.inputs, tuple(self.steps), first, number, shape, further_outputs=dict(further))
        networks = tuple(dict.fromkeys(network for network, _ in self.origins.values()))
        return Leaving(tuple(references), plan, networks, self.origins)

    def _reference(self, text: str) -> Reference:
        """Read the name of a value. Raises _CannotLeaveError."""
        reference = Reference(*text.split(".", 1)) if "." in text else Reference(text)
        if reference.name not in self.game.values:
            known = ", ".join(self.game.values)
            raise _CannotLeaveError(
                f"there is no value '{text}'.{suggest(reference.name, self.game.values)} Known: {known}"
            )
        return reference

    def _named(self, reference: Reference) -> str:
        """Return the name of an output: that of the network's, or of the value of a function."""
        call = self.game.values[reference.name]
        made = (reference.tap or self.plans[call.network].output_name) if call.network else reference.name
        return reference.name if made in self.inputs else made

    def _gather(self, reference: Reference) -> None:
        """Find the inputs, and what is read of each pass. Raises _CannotLeaveError for what cannot leave."""
        name = reference.name
        if name in self.ends:
            shape = self.ends[name]
            if shape is None:
                raise _CannotLeaveError(f"the shape of {name} is not known")
            self.inputs.setdefault(name, shape)
        call = self.game.values.get(name)
        if call is None:
            return  # an input, or a state
        first = name not in self.wanted
        self.wanted.setdefault(name, set()).add(reference.tap)
        if call.network:
            outputs = self.plans[call.network].outputs
            if not reference.tap and len(outputs) > 1:
                written = [f"{name}.{tap}" for tap in outputs]
                raise _CannotLeaveError(f"{name} has the outputs {', '.join(outputs)}: write {' or '.join(written)}")
            if reference.tap and reference.tap not in self.plans[call.network].tensors:
                near = suggest(reference.tap, self.plans[call.network].tensors)
                raise _CannotLeaveError(f"{call.network} has no '{reference.tap}'.{near}")
        elif reference.tap:
            raise _CannotLeaveError(f"{name} is no call of a network: it has no '{reference.tap}'")
        if not first:
            return
        for inner in nested(call):
            rule = function_rule(inner.function) if inner.function else None
            if rule is not None and not rule.pure:
                verb = "draws" if rule.draws else "remembers"
                raise _CannotLeaveError(f"passes {name}, which {verb}. Write a value without it for what leaves")
            if any(word in inner.arguments for word in ("wrt", "layers")) or inner.function == "orthogonal":
                raise _CannotLeaveError(f"passes {name}: {inner.function} is for losses alone")
            if any(isinstance(argument, Part) for argument in inner.arguments.values()):
                raise _CannotLeaveError(f"passes {name}, in which a number follows a schedule")
            if inner.function == INPUT and inner is not call:
                raise _CannotLeaveError(f"passes {name}: give the `input` in it a line of its own in values")
        if call.function == INPUT:
            self.inputs[name] = (1,)
        for use in uses(call):
            self._gather(use.reference)

    def _tensor(self, reference: Reference) -> int:
        """Return the number of a tensor, after the steps that make it."""
        key, call = str(reference), self.game.values.get(reference.name)
        if key not in self.tensors and call is not None:
            if call.network:
                self._pass(call)
            else:
                self.tensors[key] = self._function(call)
        return self.tensors[key]

    def _pass(self, call: Call) -> None:
        """Add the layers of a network, as far as something is read of them."""
        plan, given = self.plans[call.network], given_inputs(self.game)
        numbers: dict[int, int] = {}
        for i, argument in enumerate(call.arguments[key] for key in plan.inputs):
            if isinstance(argument, Reference) and argument.name in given:
                raise _CannotLeaveError(
                    f"passes {call.name}: an `input` goes through a function, not straight into a network"
                )
            made = self._function(argument) if isinstance(argument, Call) else self._argument(argument, call)
            numbers[i] = made
        tensors = {**plan.tensors, "": (plan.output, plan.output_shape)}
        for step in upstream(plan, [tensors[tap][0] for tap in self.wanted[call.name]]):
            inputs = tuple(numbers[i] for i in step.inputs)
            numbers[step.output] = self._add(self._as_played(step, call.network), inputs)
            self.origins[numbers[step.output]] = (call.network, step)
        for tap in self.wanted[call.name]:
            self.tensors[str(Reference(call.name, tap))] = numbers[tensors[tap][0]]

    def _argument(self, argument: Reference, call: Call) -> int:
        if self._constant(argument):
            raise _CannotLeaveError(
                f"passes {call.name}: {argument} is a constant, which cannot feed a network that leaves"
            )
        return self._tensor(argument)

    def _as_played(self, step: LayerCall, network: str) -> LayerCall:
        """Return a step of a network; in a frozen one nothing is measured, and nothing drawn meanwhile."""
        if network in self.game.trained:
            return step
        if step.layer in BATCH_NORMS:
            return replace(step, args={**step.args, "trainable": False})
        return replace(step, layer="Identity", args={}) if step.layer in DRAWS else step

    def _function(self, call: Call) -> int:
        """Add a layer that calls a function."""
        inlined = self._inlined(call)
        read = list(dict.fromkeys(use.reference for use in uses(inlined)))
        states = {one.name: self.game.states[one.name].shape for one in read if one.name in self.game.states}
        read = [one for one in read if one.name not in states]
        if not read:
            raise _CannotLeaveError(f"passes {call.name}, which depends on nothing that a user could give or draw")
        numbers = tuple(self._tensor(one) for one in read)
        if any(one.shape is None and one.function != INPUT and self._reads_rows(one) for one in nested(inlined)):
            raise _CannotLeaveError(f"passes {call.name}, which lets what it makes depend on the rest of the batch")
        given = tuple(str(one) for one, number in zip(read, numbers, strict=True) if number in self.given)
        args = {"call": inlined, "reads": tuple(map(str, read)), "states": states, "given": given}
        shape = (1,) if call.shape is None else call.shape
        number = self._add(replace(_STEP, args=args, cost=Cost(shape), place=call.place, where=call.where), numbers)
        self.given |= {number} if call.shape is None else set()
        return number

    def _reads_rows(self, call: Call) -> bool:
        """Return True for a function that reads more than numbers which a user gives, and states."""
        read = [use.reference for use in uses(call) if use.reference.name not in self.game.states]
        return any(self._tensor(one) not in self.given for one in read)

    def _inlined(self, argument: Any) -> Any:
        """Return an argument in which functions of states and constants alone stand themselves."""
        if isinstance(argument, Reference):
            whole = self.game.values.get(argument.name)
            return self._inlined(whole) if whole is not None and self._constant(argument) else argument
        if isinstance(argument, Call):
            return replace(argument, arguments={k: self._inlined(x) for k, x in argument.arguments.items()})
        return tuple(map(self._inlined, argument)) if isinstance(argument, (tuple, list)) else argument

    def _constant(self, reference: Reference) -> bool:
        """Return True for what depends on no input."""
        return not any(name in self.inputs for name in self._below(reference))

    def _below(self, reference: Reference) -> Iterator[str]:
        yield reference.name
        if (call := self.game.values.get(reference.name)) is not None:
            for use in uses(call):
                yield from self._below(use.reference)

    def _add(self, step: LayerCall, inputs: tuple[int, ...]) -> int:
        number = len(self.shapes)
        self.steps.append(replace(step, inputs=inputs, output=number))
        self.shapes.append(step.cost.shape)
        return number
