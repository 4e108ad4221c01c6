"""A checked game: what a step computes, in which order, and which weights move.

`zoo.spec.game_reader` makes a `GamePlan` of the section `algorithm: {game: ...}`, and of the short forms that expand
into it; `zoo.train.algorithms.game` plays it. Nothing here needs a framework.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zoo.spec.diagnostics import Place
from zoo.spec.plan import LayerCall, Plan
from zoo.spec.shapes import Shape
from zoo.spec.types import Part


@dataclass(frozen=True)
class Reference:
    """A tensor by name: a latent, a field of the data, a value or a state.

    Attributes:
        name: Its name.
        tap: The output, or the `as:` name, of the network that the value calls; empty for its only output.
    """

    name: str
    tap: str = ""

    def __str__(self) -> str:
        """Return the reference as the spec has it, such as on_fake.logits."""
        return f"{self.name}.{self.tap}" if self.tap else self.name


# What a function receives: tensors, functions of them, numbers, schedules (Part), words, lists and mappings of these
Argument = Any


@dataclass(frozen=True)
class Call:
    """One call of a network or of a function. A value of the game is one; functions may nest in arguments of functions.

    Attributes:
        name: The name of the value; of a nested function the path to it, such as energy.mean.of.
        network: The network that is called, or an empty string.
        function: The registered name of the function, such as hinge.discriminator, or an empty string.
        arguments: For a network a `Reference`, or a `Call` of a pure function, for each of its inputs; for a function
            its arguments, with defaults: `Reference`, `Call`, number, `Part` (a schedule), word, or a tuple of them.
            `zoo.spec.types` lists what stands behind each annotation.
        shape: The shape of one example of the result, () for a scalar of each example, None for one number per batch.
        taps: Names beside the only output that other values read: outputs and `as:` names, with their shapes.
        place: Its file, line and column.
        where: Its path in the spec, such as algorithm.game.values.on_fake.
    """

    name: str
    network: str
    function: str
    arguments: Mapping[str, Argument]
    shape: Shape | None
    taps: Mapping[str, Shape]
    place: Place
    where: str


@dataclass(frozen=True)
class Weight:
    """The weight of a term: a product of numbers, schedules (`Part`) and names of states.

    Attributes:
        factors: What is multiplied.
        every: The term counts in one of so many updates of its phase, then with `every` times its weight.
    """

    factors: tuple[float | Part | str, ...] = (1.0,)
    every: int = 1


@dataclass(frozen=True)
class When:
    """When a phase plays; all that is stated must hold. Steps are counted from 0.

    Attributes:
        every: In steps that this number divides.
        start: From this step on (the key `from`).
        until: Before this step.
        burn_in: Arguments of the burn-in of Wasserstein GANs, see `BurnIn`.
        above: Values or states that must be above a number.
        below: Values or states that must be below a number.
    """

    every: int = 1
    start: int = 0
    until: int | None = None
    burn_in: Mapping[str, Any] | None = None
    above: Mapping[str, float] = field(default_factory=dict)
    below: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Ahead:
    """Further updates of another phase that a phase looks ahead of; its gradient passes through them.

    Attributes:
        phase: The phase that is unrolled.
        updates: How many updates more.
        values: Those that one of them needs, in order, of this update's own draws and data.
    """

    phase: str
    updates: int
    values: tuple[str, ...]


@dataclass(frozen=True)
class PhasePlan:
    """One phase of the step.

    Attributes:
        name: Its name, which the logs, the optimizer and checkpoints bear.
        trains: The networks whose weights it moves.
        minimise: The weights of the scalar values that it lowers.
        optimizer: Name and arguments, or the name of an earlier phase whose optimizer it shares.
        updates: Updates in a step.
        when: When it plays.
        fresh: It reads batches of its own (`data: fresh`).
        batch_size: Examples of its draws where it is not that of the training.
        reuse: Values that it takes as constants from the last earlier update of the step that computed them; with them
            those of its latents, fields and drawing values from which they were made.
        weight_clip: Arguments of the clipping of weights, see `WeightClip`; None: no clipping.
        values: What an update computes, in order; reused values are left out, drawing values are not.
        kept: Those of `values` whose passes move statistics (of networks that the phase trains, and not computed for a
            penalty alone).
        draws: Latents and drawing values that an update draws.
        fields: Fields of the data that an update reads.
        sources: For each name of `reuse` the phase whose last update it comes from.
        ahead: The updates of another phase after which its loss is taken; None for its loss as things stand.
    """

    name: str
    trains: tuple[str, ...]
    minimise: Mapping[str, Weight]
    optimizer: Part | str
    updates: int
    when: When
    fresh: bool
    batch_size: int | None
    reuse: tuple[str, ...]
    weight_clip: Mapping[str, Any] | None
    values: tuple[str, ...]
    kept: tuple[str, ...]
    draws: tuple[str, ...]
    fields: tuple[str, ...]
    sources: Mapping[str, str] = field(default_factory=dict)
    ahead: Ahead | None = None

    @property
    def needed(self) -> tuple[str, ...]:
        """The values of an update, those of the updates ahead included."""
        return tuple(dict.fromkeys((*self.values, *(self.ahead.values if self.ahead else ()))))


@dataclass(frozen=True)
class StatePlan:
    """A number or tensor that follows the game, moved at the end of each step.

    Attributes:
        name: Its name.
        kind: The registered rule with its arguments, `of` left out: moving_average, integral, ada, plateau.
        of: The value that it follows.
        shape: The shape of the state; () for a number.
    """

    name: str
    kind: Part
    of: Reference
    shape: Shape


@dataclass(frozen=True)
class Leaving:
    """A value that leaves, see `zoo.spec.game_leaving`.

    Attributes:
        values: The value, or the values, an output each.
        plan: All that they pass through as one network, from what a user can feed to their tensors.
        networks: The networks that it passes through.
        origins: The network, and the step of its plan, from which a step of `plan` has its weights, by the number of
            its tensor; calls of functions have none.
    """

    values: tuple[Reference, ...]
    plan: Plan
    networks: tuple[str, ...]
    origins: Mapping[int, tuple[str, LayerCall]]


@dataclass(frozen=True)
class GamePlan:
    """The whole game.

    Attributes:
        values: All calls by name, as written.
        phases: In the order in which they play.
        states: By name.
        simultaneous: All gradients of a step are taken at the weights of its start.
        data_draws: Batches of data that the phases of a step share; 0 for a game that reads no data. A phase that is
            `fresh` reads as many of its own as it makes updates, which follow these in the order of the phases.
        draws: How often a step draws each latent and each drawing value.
        logged: Scalar values that are logged beside the losses of the phases.
        exports: The values that are exported, by the name of the artifact's file; empty where networks are.
    """

    values: Mapping[str, Call]
    phases: tuple[PhasePlan, ...]
    states: Mapping[str, StatePlan]
    simultaneous: bool
    data_draws: int
    draws: Mapping[str, int]
    logged: tuple[str, ...]
    exports: Mapping[str, Leaving]

    def examples(self, batch_size: int) -> int:
        """Return the real examples of a step, by which a training is counted: those of the phase that reads most.

        Batches that phases share count once, as many as the most updates of such a phase, and so do not add up with
        those that another phase has for itself: a G with fresh images beside D's does not double the count.

        Args:
            batch_size: Examples of a batch of the training.

        Returns:
            Their number; 0 for a game that reads no data.
        """
        fresh = [p.updates * (p.batch_size or batch_size) for p in self.phases if p.fresh and p.fields]
        return max(self.data_draws * batch_size, *fresh, 0)

    @property
    def trained(self) -> tuple[str, ...]:
        """The networks that a phase trains, in the order of the phases."""
        return tuple(dict.fromkeys(name for phase in self.phases for name in phase.trains))
