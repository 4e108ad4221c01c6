"""The values of a game as tensors: calls of networks and functions in one update, each once, in the order of the plan.

    leaves (draws, fields, states, reused values) -> calls that no derivative needs first -> derivatives -> the others

A value that a penalty differentiates by is marked where it is made, so that the derivative is that of the pass itself.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import keras
from keras import ops

from zoo.nn import (  # noqa: F401 - they register their functions
    functions_adversarial,
    functions_distances,
    functions_drawing,
    functions_penalties,
    functions_pure,
    functions_words,
)
from zoo.nn.autodiff import Derivative, Mark, Tensor, with_derivatives
from zoo.nn.functions import DIRECTION, FUNCTIONS, evaluate
from zoo.nn.optimizers import schedule
from zoo.spec.game_plan import Argument, Call, Reference
from zoo.spec.game_uses import nested, references
from zoo.spec.types import Part, Takes

Pass = Callable[[Call, Mapping[str, Tensor]], Mapping[str, Tensor]]


@cache
def takes(function: str) -> Mapping[str, str]:
    """Return what the arguments of a function take: value, wrt, taps, network, ..., by name.

    Args:
        function: Its registered name.

    Returns:
        The words of `zoo.spec.types.Takes`; plain arguments, such as a shape, are left out.
    """
    found = {}
    for name, hint in typing.get_type_hints(FUNCTIONS.get(function), include_extras=True).items():
        for part in (hint, *typing.get_args(hint)):
            for extra in getattr(part, "__metadata__", ()):
                if isinstance(extra, Takes):
                    found[name.rstrip("_")] = extra.what
    return found


def _kinds(call: Call) -> Mapping[str, str]:
    return takes(call.function) if call.function else {}


def by_derivative(call: Call) -> bool:
    """Find out whether a function takes derivatives by a value.

    Args:
        call: The call.

    Returns:
        True for one with the argument `wrt`.
    """
    return "wrt" in _kinds(call).values()


def following(values: Sequence[Call], names: Collection[str]) -> set[str]:
    """Return the names of all values that depend on some of them.

    Args:
        values: Calls, each after what it needs.
        names: Names of values, latents or fields.

    Returns:
        The names that follow, with `names`.
    """
    found = set(names)
    for call in values:
        if any(str(one) in found or one.name in found for one in references(call)):
            found.add(call.name)
    return found


@dataclass
class Update:
    """The tensors of one update.

    Attributes:
        values: The calls of the update, in order.
        run: Calls a network: takes the call and its inputs, returns its outputs and taps by name.
        models: The networks by name, for functions of their weights.
        chance: What each drawing call draws, by its name.
        memory: What each pool remembers, by the name of its value.
        steps: The count of steps, for schedules.
        tensors: Leaves at first; then all that was computed, by the text of a reference.
        constants: Names of values through which no gradient of this update passes.
    """

    values: Sequence[Call]
    run: Pass
    models: Mapping[str, keras.Model]
    chance: Mapping[str, Tensor]
    memory: Mapping[str, Any]
    steps: Tensor | None
    tensors: dict[str, Tensor]
    constants: Collection[str] = ()
    gradients: dict[str, tuple[Tensor, ...]] = field(default_factory=dict)

    def compute(self) -> None:
        """Compute all values, those that follow from a derivative last."""
        penalties = [call for value in self.values for call in nested(value) if by_derivative(call)]
        if not penalties:
            return self._add_all(self.values)
        late = following(self.values, {value.name for value in self.values if any(map(by_derivative, nested(value)))})
        asked = {call.name: self._derivative(call) for call in penalties}
        marked = {name for one in asked.values() for name in one.wrt}
        inner = [of for call in penalties if isinstance(of := call.arguments["of"], Call)]

        def forward(mark: Mark) -> dict[str, Tensor]:
            leaves = self.tensors
            self.tensors = {name: mark(name, x) if name in marked else x for name, x in leaves.items()}
            for call in self.values:
                if call.name not in late:
                    self._add(call)
                    for name in marked & {str(Reference(call.name, tap)) for tap in ("", *call.taps)}:
                        self.tensors[name] = mark(name, self.tensors[name])
            for call in inner:
                self.tensors[call.name] = self.result(call)
            made, self.tensors = self.tensors, leaves
            return {name: x for name, x in made.items() if x is not leaves.get(name)}

        made, found = with_derivatives(forward, self._groups(list(asked.values()), late))
        self.tensors = {**self.tensors, **made}
        self.gradients = {name: found[one] for name, one in asked.items()}
        return self._add_all([call for call in self.values if call.name in late])

    def result(self, argument: Argument) -> Any:
        """Evaluate an argument of a function: a reference, a function, a schedule, or what it stands for itself."""
        if isinstance(argument, Reference):
            return self.tensors[str(argument)]
        if isinstance(argument, Part):
            return ops.cast(schedule(argument)(self.steps), keras.config.floatx())
        if isinstance(argument, Call):
            return evaluate(argument.function, self._arguments(argument))
        if isinstance(argument, tuple | list):
            return tuple(self.result(one) for one in argument)
        return argument

    def _add_all(self, calls: Sequence[Call]) -> None:
        for call in calls:
            self._add(call)

    def _add(self, call: Call) -> None:
        """Compute one value, with the outputs and taps of a network."""
        if call.network:
            made = self.run(call, {name: self.result(argument) for name, argument in call.arguments.items()})
            first, *_ = made.values()
            made = {str(Reference(call.name, tap)): x for tap, x in made.items()} | {call.name: first}
        else:
            made = {call.name: self.result(call)}
        stop = ops.stop_gradient if call.name in self.constants else (lambda x: x)
        self.tensors |= {name: stop(x) for name, x in made.items()}

    def _arguments(self, call: Call) -> dict[str, Any]:
        kinds, arguments = _kinds(call), {}
        for name, argument in call.arguments.items():
            kind = kinds.get(name)
            if kind == "wrt":
                arguments[name] = self.gradients[call.name]
            elif kind == "network":
                arguments[name] = self.models[argument]
            elif call.function != "another":  # which draws anew what it is given
                arguments[name] = self.result(argument)
        if call.name in self.chance:
            arguments["chance"] = self.chance[call.name]
        if call.name in self.memory:
            arguments["memory"] = self.memory[call.name]
        return arguments

    def _derivative(self, call: Call) -> Derivative:
        of, wrt = call.arguments["of"], call.arguments["wrt"]
        names = tuple(map(str, (wrt,) if isinstance(wrt, Reference) else wrt))
        direction = DIRECTION.get(call.function)
        if direction is not None:
            direction = partial(direction, chance=self.chance[call.name])
        return Derivative(of.name if isinstance(of, Call) else str(of), names, direction)

    def _groups(self, asked: Sequence[Derivative], late: Collection[str]) -> list[list[Derivative]]:
        """Put derivatives together that do not meet: no value depends on what another one is taken by."""
        early = [call for call in self.values if call.name not in late]
        reached = {one: {name.partition(".")[0] for name in following(early, one.wrt)} for one in asked}

        def meet(one: Derivative, other: Derivative) -> bool:
            return any(a.of.partition(".")[0] in reached[b] for a, b in ((one, other), (other, one)))

        groups: list[list[Derivative]] = []
        for one in dict.fromkeys(asked):
            for group in groups:
                if not any(meet(one, other) for other in group):
                    group.append(one)
                    break
            else:
                groups.append([one])
        return groups
