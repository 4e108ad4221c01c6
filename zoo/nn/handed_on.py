"""Values that updates of a game hand on through the batch of a step: to later phases, to states, and to the log.

last <reference>               a value as last computed, for states and the log
computed <reference>           1 where an update of this step has computed it
reused <phase> <reference>     a value, for a phase that reuses it
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import keras
from keras import ops

from zoo.nn.autodiff import Tensor
from zoo.nn.game_batches import GameBatches
from zoo.nn.phases import Batch
from zoo.spec.game_plan import GamePlan, PhasePlan, Reference
from zoo.spec.game_uses import references

KEEP_TYPE = ("shuffled", "stop_gradient")  # functions whose result has the type of what they take
LAST, COMPUTED, REUSED = "last ", "computed ", "reused "


class HandedOn:
    """The values that each phase of a game hands on.

    Args:
        game: The game.
        layout: Of its batches.
    """

    def __init__(self, game: GamePlan, layout: GameBatches) -> None:
        self.game, self.layout = game, layout
        self._keys = {phase.name: self._of_phase(phase) for phase in game.phases}

    def _of_phase(self, phase: PhasePlan) -> dict[str, str]:
        """Return what an update of a phase hands on, {key of the batch: reference}."""
        wanted = [one.of for one in self.game.states.values()] + [Reference(name) for name in self.game.logged]
        read = dict.fromkeys(leaf for reference in wanted for leaf in self.leaves(reference))
        keys = {LAST + one: one for one in read if phase.name in self.played(one)}
        for later in self.game.phases:
            names = [name for name in later.reuse if later.sources.get(name) == phase.name and name in phase.values]
            for name in names:
                taps = ("", *self.game.values[name].taps)
                keys |= {f"{REUSED}{later.name} {Reference(name, tap)}": str(Reference(name, tap)) for tap in taps}
        return keys

    def leaves(self, reference: Reference) -> Iterator[str]:
        """Yield what a state or the log reads of the phases: the reference itself, or what its functions need."""
        computed = any(reference.name in phase.values for phase in self.game.phases)
        if computed or reference.name not in self.game.values:
            yield str(reference)
            return
        for inner in references(self.game.values[reference.name]):
            yield from self.leaves(inner)

    def played(self, name: str) -> set[str]:
        """Return the names of the phases that compute, draw or read something."""
        name = name.partition(".")[0]
        return {p.name for p in self.game.phases if name in (*p.values, *p.fields, *p.draws)}

    def waits(self, name: str, phases: Collection[str], lazy: Mapping[str, Collection[str]]) -> bool:
        """Find out whether some of what a logged value is made of comes from certain phases alone.

        Args:
            name: The value.
            phases: Names of phases.
            lazy: Values that count too, by the names of other phases.

        Returns:
            True where it cannot be computed unless one of them plays.
        """

        def by_these(leaf: str) -> bool:
            value, played = leaf.partition(".")[0], self.played(leaf)
            return bool(played) and all(phase in phases or value in lazy.get(phase, ()) for phase in played)

        return any(map(by_these, self.leaves(Reference(name))))

    def made(self, phase: PhasePlan, tensors: Mapping[str, Tensor], batch: Batch) -> Batch:
        """Return what an update hands on of what it has computed.

        Args:
            phase: Its phase.
            tensors: What it has computed, by the text of a reference.
            batch: Of the step.

        Returns:
            Tensors that join the batch.
        """
        keys = {key: name for key, name in self._keys[phase.name].items() if name in tensors}
        extras = {key: ops.cast(tensors[name], self._type(name, batch)) for key, name in keys.items()}
        return extras | {COMPUTED + key[len(LAST) :]: ops.ones(()) for key in extras if key.startswith(LAST)}

    def as_before(self, phase: PhasePlan, batch: Batch) -> Batch:
        """Return what an update hands on that computes nothing: what earlier ones of the step handed on, or zeros."""
        found: Batch = {}
        for key, name in self._keys[phase.name].items():
            found[key] = batch[key] if key in batch else self._blank(phase, batch, name)
            if key.startswith(LAST):
                flag = COMPUTED + key[len(LAST) :]
                found[flag] = batch[flag] if flag in batch else ops.zeros(())
        return found

    def reused(self, phase: PhasePlan, batch: Batch) -> dict[str, Tensor]:
        """Return the values that a phase reuses, as constants, by the text of a reference."""
        start = REUSED + phase.name + " "
        return {key[len(start) :]: ops.stop_gradient(x) for key, x in batch.items() if key.startswith(start)}

    def last(self, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return what a step has computed last, and whether it has, by the text of a reference."""
        names = [key[len(LAST) :] for key in batch if key.startswith(LAST)]
        return {name: batch[LAST + name] for name in names}, {name: batch[COMPUTED + name] for name in names}

    def _blank(self, phase: PhasePlan, batch: Batch, name: str) -> Tensor:
        """Return zeros in the place of what an update of a phase would have computed."""
        owner, _, tap = name.partition(".")
        if owner in self.game.values:
            call = self.game.values[owner]
            shape = call.taps.get(tap, call.shape)
            return ops.zeros(() if shape is None else (self.layout.sizes[phase.name], *shape), self._type(name, batch))
        get = self.layout.field if owner in phase.fields else self.layout.draw
        return ops.zeros_like(get(phase, batch, 0, owner))

    def _type(self, name: str, batch: Batch) -> str:
        """Return the type of what an update computes: whole numbers are drawn class ids, and what keeps such types."""
        call = self.game.values.get(name.partition(".")[0])
        if call is not None and call.function == "categorical":
            return "int32"
        if call is not None and call.function in KEEP_TYPE and isinstance(of := call.arguments["of"], Reference):
            return self._type(str(of), batch)
        known = batch.get(name) if call is None or call.function == "another" else None
        return keras.config.floatx() if known is None else keras.backend.standardize_dtype(known.dtype)


def without_overflow(extras: Batch, good: Tensor) -> Batch:
    """Mark what an update that is skipped has computed, so that no state follows it.

    Args:
        extras: What it hands on.
        good: A scalar, False where it is skipped.

    Returns:
        The same tensors by the same names.
    """
    return {key: x * ops.cast(good, x.dtype) if key.startswith(COMPUTED) else x for key, x in extras.items()}
