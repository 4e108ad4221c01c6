"""Where an update of a game finds its draws and its data in the batch of a step.

Draws of a name are numbered through the step, as if every phase played, and so are batches of data. Where phases differ
in batch size, a draw is several rows of arrays whose rows have the greatest common size.
"""

from __future__ import annotations

from keras import ops

from zoo.nn.autodiff import Tensor
from zoo.nn.functions import CHANCE
from zoo.nn.phases import Batch
from zoo.spec.game_plan import Call, GamePlan, PhasePlan, Reference
from zoo.spec.game_steps import Rows
from zoo.spec.game_uses import nested
from zoo.spec.shapes import Shape
from zoo.spec.types import Part


class GameBatches:
    """The layout of the batches of a game.

    Args:
        game: The game.
        batch_size: Examples of a draw where a phase states no other size.

    Attributes:
        data_draws: Batches of data that the phases of a step share.
        sizes: Examples of a draw, by phase.
        noise: The priors of what functions draw, by the name of the call.
        drawing: The calls that draw, by phase.
        rows: Of each name that is drawn.
        data_rows: Of the fields of the data.
    """

    def __init__(self, game: GamePlan, batch_size: int) -> None:
        self.game, self.data_draws = game, max(1, game.data_draws)
        self.phases = {phase.name: phase for phase in game.phases}
        self.sizes = {phase.name: phase.batch_size or batch_size for phase in game.phases}
        numbered: dict[str, list[tuple[str, int]]] = {}
        self.noise: dict[str, Part] = {}
        self.drawing: dict[str, tuple[Call, ...]] = {}
        for phase in game.phases:
            calls = [call for name in phase.needed for call in nested(game.values[name])]
            drawing = tuple(call for call in calls if call.function in CHANCE)
            self.drawing[phase.name] = drawing
            self.noise |= {c.name: CHANCE[c.function](c, self._noise_shape(c)) for c in drawing}
            for name in dict.fromkeys((*phase.draws, *(call.name for call in drawing))):
                if name not in game.values or name in self.noise:
                    numbered.setdefault(name, []).extend([(phase.name, self.sizes[phase.name])] * phase.updates)
        self.rows = {name: Rows(draws) for name, draws in numbered.items()}
        fresh = [(p.name, self.sizes[p.name]) for p in game.phases if p.fresh for _ in range(p.updates)]
        self.data_rows = Rows([("", batch_size)] * self.data_draws + fresh)

    def _noise_shape(self, call: Call) -> Shape:
        of = call.arguments.get("of")
        if isinstance(of, Reference) and of.name in self.game.values:
            made = self.game.values[of.name]
            return made.taps.get(of.tap, made.shape or ()) if of.tap else made.shape or ()
        return call.shape or ()

    def draw(self, phase: PhasePlan, batch: Batch, i: int, name: str) -> Tensor:
        """Return what update `i` of a phase draws under a name, [B, ...]."""
        return _examples(self.rows[name], batch[name], phase.name, i)

    def field(self, phase: PhasePlan, batch: Batch, i: int, name: str) -> Tensor:
        """Return the field of the data that update `i` of a phase reads, [B, ...]."""
        if phase.fresh:
            return _examples(self.data_rows, batch[name], phase.name, i)
        return _examples(self.data_rows, batch[name], "", i % self.data_draws)

    def of_source(self, phase: PhasePlan, batch: Batch, name: str) -> Tensor:
        """Return a draw or a field of the last update of the phase that a reused value comes from, [B, ...]."""
        source = self.phases[phase.sources[name]]
        if name in source.reuse:
            return self.of_source(source, batch, name)
        get = self.field if name in source.fields else self.draw
        return get(source, batch, source.updates - 1, name)

    def chance(self, phase: PhasePlan, batch: Batch, i: int) -> dict[str, Tensor]:
        """Return what the functions of update `i` of a phase draw, by the names of their calls."""
        return {call.name: self.draw(phase, batch, i, call.name) for call in self.drawing[phase.name]}

    def read(self, phase: PhasePlan, batch: Batch, i: int) -> dict[str, Tensor]:
        """Return the latents and the fields of update `i` of a phase, reused ones included, by name."""
        values = self.game.values
        tensors = {name: self.draw(phase, batch, i, name) for name in phase.draws if name not in values}
        tensors |= {name: self.field(phase, batch, i, name) for name in phase.fields}
        return tensors | {name: self.of_source(phase, batch, name) for name in phase.reuse if name not in values}


def _examples(rows: Rows, array: Tensor, phase: str, i: int) -> Tensor:
    """Return the examples [B, ...] of the i-th draw of a phase from an array of rows."""
    first, last = rows.place(phase, i)
    if last - first == 1:
        return array[first]
    return ops.reshape(array[first:last], ((last - first) * rows.size, *array.shape[2:]))
