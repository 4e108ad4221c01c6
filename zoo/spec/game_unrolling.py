"""Read `unroll` of the phases of a game: a loss at the weights that another phase would have after more of its updates.

    generator: {trains: generator, minimise: {g_loss: 1}, unroll: {discriminator: 5}}

The updates ahead see the draws and data of this update (Metz et al. 2016). They are functions of tensors, through which
the gradient passes, so that what a phase does besides lowering a sum by SGD or Adam cannot be looked ahead of.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from zoo.core.registry import suggest
from zoo.spec.game_plan import Ahead, PhasePlan, When
from zoo.spec.game_uses import passing
from zoo.spec.types import Part
from zoo.spec.validate import join
from zoo.spec.yaml_tree import YamlNode

if TYPE_CHECKING:
    from zoo.spec.game_phases import Phases

UNROLLED = ("SGD", "Adam")  # whose updates zoo.nn.optimizers has as functions of tensors


def not_unrolled(optimizer: str, amsgrad: bool) -> str:
    """Return why an optimizer cannot be unrolled, or an empty string.

    Args:
        optimizer: Its name.
        amsgrad: It is a variant that keeps the largest second moment.

    Returns:
        Such as "only SGD and Adam can be unrolled, received RMSprop".
    """
    if optimizer in UNROLLED and not amsgrad:
        return ""
    return f"only SGD and Adam can be unrolled, received {optimizer}{' with amsgrad' if amsgrad else ''}"


class Unrolling:
    """Reads `unroll` of all phases, once they have been read."""

    def __init__(self, reader: Phases) -> None:
        self.reader = reader

    def read_all(self) -> bool:
        """Put what each phase looks ahead of into its plan. Returns False after a mistake."""
        before = len(self.reader.problems)
        self.reader.read = [self._read(plan) for plan in self.reader.read]
        return len(self.reader.problems) == before

    def _read(self, plan: PhasePlan) -> PhasePlan:
        node = self.reader.nodes[plan.name].get("unroll")
        if node is None or not node.value:
            return plan
        where = join(self.reader.calls.where, f"phases.{plan.name}.unroll")
        (name, entry), *others = node.entries()
        phases = {phase.name: phase for phase in self.reader.read}
        if name not in phases:
            hint = suggest(name, phases) or f" Known: {', '.join(phases)}."
            self.reader.report(YamlNode(None, entry.place), where, f"there is no phase '{name}'.{hint}")
        elif others:
            self.reader.report(node, where, f"one phase can be looked ahead of, received {', '.join(node.value)}")
        elif wrong := self._wrong(plan, phases[name]):
            self.reader.report(YamlNode(None, entry.place), join(where, name), wrong)
        else:
            return self._with(plan, phases[name], int(entry.node.value))
        return plan

    def _wrong(self, plan: PhasePlan, other: PhasePlan) -> str:
        """Return why a phase cannot look ahead of another one, or an empty string."""
        if other.name == plan.name:
            return "looks ahead of itself: name the phase whose weights its loss meets"
        if both := [name for name in other.trains if name in plan.trains]:
            return f"trains {', '.join(both)} too, whose updates a gradient by the same weights cannot pass"
        further = self.reader.nodes[other.name].get("unroll")
        doing = {
            "`unroll`": further is not None and bool(further.value), "`when`": other.when != When(),
            "`weight_clip`": other.weight_clip is not None,
            "`every`": any(weight.every > 1 for weight in other.minimise.values()),
        }  # fmt: skip
        if words := [word for word, stated in doing.items() if stated]:
            return f"has {' and '.join(words)}, which its updates ahead would leave out"
        owner = other.optimizer if isinstance(other.optimizer, Part) else self._owner(other)
        if text := not_unrolled(owner.name, owner.args.get("amsgrad") is True):
            return text
        if not passing([self.reader.values[name] for name in plan.values], other.trains):
            return f"nothing that '{plan.name}' minimises passes {', '.join(other.trains)}, whatever its weights are"
        return ""

    def _owner(self, phase: PhasePlan) -> Part:
        found = next(one.optimizer for one in self.reader.read if one.name == phase.optimizer)
        assert isinstance(found, Part)
        return found

    def _with(self, plan: PhasePlan, other: PhasePlan, updates: int) -> PhasePlan:
        """Return the phase with the updates ahead, and with the draws and the data that they need."""
        reader = self.reader
        reached = reader.reached(other.minimise, plan.reuse) - set(plan.reuse)
        values = reader.ordered(reached)
        drawn = {*plan.draws, *(n for n in reader.latents if n in reached), *(n for n in values if reader.draws(n))}
        return dataclasses.replace(
            plan, ahead=Ahead(other.name, updates, values),
            draws=(*(n for n in reader.latents if n in drawn), *(n for n in reader.values if n in drawn)),
            fields=tuple(name for name in reader.fields if name in reached or name in plan.fields),
        )  # fmt: skip
