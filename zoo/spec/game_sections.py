"""The forms of `algorithm: {game: ...}`, and of the words that expand into it, as frozen dataclasses.

Annotations are the schema, as in `zoo.spec.sections`. The game stands under `algorithm` because it takes the place of
the other algorithms: `--set algorithm.game.phases.generator.minimise.pixel=0` and `extends` reach every part of it.
`GAMES` holds what `zoo.spec.game_reader` turns into a `GamePlan`; the other algorithms are written in Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from zoo.core.registry import Registry
from zoo.spec.types import (
    Identifier,
    Loss,
    NonNegativeFloat,
    NonNegativeInt,
    PenaltyPart,
    PositiveFloat,
    PositiveInt,
    Probability,
    StatePart,
    Takes,
)

GAMES: Registry[Any] = Registry("game")
CallForm = Annotated[Any, Takes("call")]  # a network, or a mapping from a network or a function to its arguments
WeightForm = Annotated[Any, Takes("weight")]
OptimizerForm = Annotated[Any, Takes("optimizer")]  # a part, or the name of an earlier phase
CallForms = Mapping[Identifier, CallForm]
StateForms = Mapping[Identifier, StatePart]
Terms = Mapping[Identifier, WeightForm]
Ahead = Mapping[Identifier, PositiveInt]  # a phase -> further updates of it
Names = Identifier | tuple[Identifier, ...]


@dataclass(frozen=True, kw_only=True)
class WeightClip:
    """Arjovsky et al. 2017, algorithm 1, line 7: D's trained weights are clipped to [-c, c]. Moving statistics are not
    touched. The paper clips after each update of D, the authors' code before it; both clip batch norm's gamma and beta
    too, which `batch_norm: false` leaves out."""

    c: PositiveFloat = 0.01
    when: Literal["after", "before"] = "after"
    batch_norm: bool = True


@dataclass(frozen=True, kw_only=True)
class BurnIn:
    """Arjovsky et al. 2017, authors' code: D makes `updates` updates for each of G's first `generator_updates`, and
    again for each of G's updates whose number `every` divides. G makes no update in the other steps of such a turn."""

    updates: PositiveInt = 100
    generator_updates: NonNegativeInt = 25
    every: PositiveInt = 500


@dataclass(frozen=True, kw_only=True)
class WhenForm:
    """When a phase plays: every so many steps, from one step until before another, in the turns of a burn-in, while
    values or states are above or below numbers. Several must all hold."""

    every: PositiveInt = 1
    from_: NonNegativeInt = 0
    until: PositiveInt | None = None
    burn_in: BurnIn | None = None
    above: Mapping[Identifier, float] = field(default_factory=dict)
    below: Mapping[Identifier, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PhaseForm:
    """A turn of a step: the networks whose weights move, the weighted values that are minimised, and the optimizer, or
    the earlier phase whose optimizer it shares. `data: fresh` reads batches of its own, of `batch_size` if stated.
    `reuse` takes values as constants from the last phase that computed them, with the draws and data behind them.
    `unroll: {discriminator: 5}` takes the loss at the weights that another phase would have after five more updates."""

    trains: Names
    minimise: Terms
    optimizer: OptimizerForm
    updates: PositiveInt = 1
    when: WhenForm | None = None
    data: Literal["shared", "fresh"] = "shared"
    batch_size: PositiveInt | None = None
    reuse: Names = ()
    weight_clip: WeightClip | None = None
    unroll: Ahead = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PlayerForm:
    """A phase of a short form: its optimizer, and any key of a phase that adds to it or replaces it, such as
    `minimise: {pixel: 100}`."""

    optimizer: OptimizerForm
    updates: PositiveInt = 1
    trains: Names | None = None
    minimise: Terms = field(default_factory=dict)
    when: WhenForm | None = None
    data: Literal["shared", "fresh"] = "shared"
    batch_size: PositiveInt | None = None
    reuse: Names = ()
    weight_clip: WeightClip | None = None
    unroll: Ahead = field(default_factory=dict)


@GAMES.register
@dataclass(frozen=True, kw_only=True)
class game:  # noqa: N801 - the name is a word of the spec language
    """A game in its own words. `values` are calls of networks and functions by name; a phase minimises a weighted sum
    of scalar ones; `states` follow values from step to step. `order` names the phases in another order than written;
    with `simultaneous` all gradients of a step are taken at the weights of its start."""

    roles: ClassVar[tuple[str, ...]] = ()
    values: CallForms
    phases: Mapping[Identifier, PhaseForm]
    states: StateForms = field(default_factory=dict)
    order: tuple[Identifier, ...] | None = None
    simultaneous: bool = False


@GAMES.register
@dataclass(frozen=True, kw_only=True)
class alternating:  # noqa: N801
    """Phases `discriminator` and `generator`. With `simultaneous` both gradients are taken at the same weights before
    either moves, as the authors' code does; otherwise G's is taken at the D that has just been updated. Real and fake
    examples pass D separately, so that batch norm normalises them as two batches (Radford et al. 2015). `values`,
    `states`, `phases` and `order` join the game that it expands into, see `zoo build SPEC --dry-run --expand`."""

    roles: ClassVar[tuple[str, ...]] = ("generator", "discriminator")
    loss: Loss
    generator: PlayerForm
    discriminator: PlayerForm
    simultaneous: bool = False
    penalties: tuple[PenaltyPart, ...] = ()
    weight_clip: WeightClip | None = None
    burn_in: BurnIn | None = None
    values: CallForms = field(default_factory=dict)
    states: StateForms = field(default_factory=dict)
    phases: Mapping[Identifier, PhaseForm] = field(default_factory=dict)
    order: tuple[Identifier, ...] | None = None


@GAMES.register
@dataclass(frozen=True, kw_only=True)
class cyclegan:  # noqa: N801
    """Phases `generators` and `discriminators`, each of two networks at once. The paper: `lsgan` with weight 1, a cycle
    weight of 10, identity 5 (0: no identity passes), D's objective halved, pools of 50 images (0: no pools). `cycle_a`
    weighs |b_to_a(a_to_b(a)) - a|, `cycle_b` the way from b and back, `identity` |a_to_b(b) - b| and |b_to_a(a) - a|.
    Each is a mean over pixels. `values`, `states`, `phases` and `order` join the game that it expands into."""

    roles: ClassVar[tuple[str, ...]] = ("a_to_b", "b_to_a", "discriminator_a", "discriminator_b")
    loss: Loss
    generators: PlayerForm
    discriminators: PlayerForm
    cycle_a: NonNegativeFloat = 10.0
    cycle_b: NonNegativeFloat = 10.0
    identity: NonNegativeFloat = 5.0
    discriminator_weight: PositiveFloat = 0.5
    pool_size: NonNegativeInt = 50
    pool_probability: Probability = 0.5
    values: CallForms = field(default_factory=dict)
    states: StateForms = field(default_factory=dict)
    phases: Mapping[Identifier, PhaseForm] = field(default_factory=dict)
    order: tuple[Identifier, ...] | None = None
