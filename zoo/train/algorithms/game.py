"""The general algorithm: it plays the checked game of a spec (`zoo.spec.game_plan`), whatever networks take part.

A phase of the language is a `Phase` of the common step; its loss is the weighted sum of the values that it minimises:

    draws and data of the update -> values, each once (zoo.nn.calls) -> the loss -> the weights that the phase trains
    after the last phase: states move, averages follow
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial, reduce
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.nn import autodiff, lazy_terms, loss_scale
from zoo.nn.autodiff import Tensor
from zoo.nn.calls import Update, by_derivative
from zoo.nn.functions_drawing import Pool
from zoo.nn.game_batches import GameBatches
from zoo.nn.handed_on import HandedOn, without_overflow
from zoo.nn.joined import joined
from zoo.nn.lazy_terms import resting_values
from zoo.nn.look_ahead import weights_ahead
from zoo.nn.optimizers import schedule
from zoo.nn.phases import Batch, Counter, Phase, clip_weights, seeds
from zoo.nn.replicas import ONE
from zoo.nn.states import States
from zoo.spec.game_plan import Ahead, Call, GamePlan, PhasePlan, Reference, Weight
from zoo.spec.game_sections import WeightClip
from zoo.spec.game_steps import by_number, has_played, plays
from zoo.spec.game_uses import nested, passing, references, scheduled, unchanging
from zoo.spec.plan import Plan
from zoo.spec.types import Part, construct
from zoo.train.algorithms.base import LOSS, Algorithm

STEP = "step_number"  # of the batch


class Game(Algorithm):
    """A game of any networks, as a `GamePlan` states it.

    Args:
        plans: The networks by name.
        game: The plan.
        options: See `Algorithm`.
    """

    def __init__(self, plans: Mapping[str, Plan], *, game: GamePlan, **options: Any) -> None:
        taps = {
            name: sorted({tap for call in game.values.values() if call.network == name for tap in call.taps})
            for name in plans
        }
        trained = {name for phase in game.phases for name in phase.trains}
        averaged = [name for name in options.pop("averaged", ()) if name in trained]
        super().__init__(plans, averaged=averaged, taps=taps, **options)
        self.roles, self.game, self.trained, self.simultaneous = tuple(plans), game, trained, game.simultaneous
        self.phase_plans = {phase.name: phase for phase in game.phases}
        self.layout = layout = GameBatches(game, self.batch_size)
        self.data_draws, self.noise, rows = layout.data_draws, layout.noise, layout.rows
        self.latent_batches = {name: (drawn.count, drawn.size) for name, drawn in rows.items()}
        self.latent_draws = max((drawn.draws for drawn in rows.values()), default=0)
        self.lazy = {p.name: resting_values(p, game) for p in game.phases if lazy_terms.intervals(p)}
        self.states = States(game.states)
        self.pools = {
            name: Pool(call.shape or (), size=call.arguments["size"], name=name)
            for name, call in game.values.items()
            if call.function == "pool"
        }
        self.counters = {p.name: Counter(name=f"{p.name}_updates") for p in game.phases if self._shares(p)}
        self.last_losses = {p.name: _not_known(f"{p.name}_loss") for p in game.phases if self._skips(p)}
        self.passed, resting = HandedOn(game, layout), self.last_losses
        self.last_values = {n: _not_known(n) for n in game.logged if self.passed.waits(n, resting, self.lazy)}
        self.once: dict[str, Tensor] = {}  # what `begin` computes
        self._unknown: dict[int, list[str]] = {}
        optimizers = self._make_optimizers()
        self._phases = tuple(self._phase(phase, optimizers[phase.name]) for phase in game.phases)

    def phases(self) -> tuple[Phase, ...]:
        return self._phases

    def begin(self, step: int) -> None:
        """Compute what depends on nothing that changes, with the weights that frozen networks now have."""
        values = [self.game.values[name] for name in unchanging(self.game)]
        update = Update(values, partial(self._run, self.game.phases[0]), self.players, {}, {}, None, {})
        update.compute()
        self.once = update.tensors

    def undivided(self) -> list[str]:
        states = [f"the state '{name}' follows the whole batch" for name in self.game.states]
        resting = [f"phase '{name}' rests in some steps, which devices cannot agree on" for name in self.last_losses]
        deciding = [
            f"phase '{phase.name}' plays by the value '{name}', of which each device has its own"
            for phase in self.game.phases for name in (*phase.when.above, *phase.when.below)
            if name not in self.game.states
        ]  # fmt: skip
        other = [
            f"phase '{name}' has batches of {size}, which fall into other shares than those of {self.batch_size}"
            for name, size in self.layout.sizes.items() if size != self.batch_size
        ]  # fmt: skip
        return [*super().undivided(), *states, *resting, *deciding, *other]

    # What a step is made of.

    @property
    def data_batches(self) -> tuple[int, int]:
        return self.layout.data_rows.count, self.layout.data_rows.size

    @property
    def step_images(self) -> int:
        return self.game.examples(self.batch_size) or self.batch_size

    def _shares(self, phase: PhasePlan) -> bool:
        return any(isinstance(p.optimizer, str) and phase.name in (p.name, p.optimizer) for p in self.game.phases)

    def _skips(self, phase: PhasePlan) -> bool:
        """Return whether the number of the step alone decides that nothing of a phase is computed."""
        return not self.game.simultaneous and by_number(phase.when)

    def unknown(self, step: int) -> list[str]:
        if step not in self._unknown:
            self._unknown.clear()  # those of the last step
            waiting = [n for n in self.last_losses if not has_played(self.phase_plans[n], self.data_draws, step)]
            # any of them where a first update may be skipped: what is computed is never NaN, see `_last`
            values = [name for name in self.last_values if self.scaled or self.passed.waits(name, waiting, {})]
            self._unknown[step] = [*(f"{name}_loss" for name in waiting), *values]
        return self._unknown[step]

    def _make_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """Build the optimizers by phase; phases that share one have it built for the weights of all of them."""
        parts = {p.name: p.optimizer for p in self.game.phases if isinstance(p.optimizer, Part)}
        owners = {p.name: p.name if p.name in parts else str(p.optimizer) for p in self.game.phases}
        made, states = {}, self.states.variables_by_name
        for owner, part in parts.items():
            roles = [role for p in self.game.phases if owners[p.name] == owner for role in p.trains]
            made[owner] = self.make_optimizer(part, *dict.fromkeys(roles), states=states)
        return {name: made[owner] for name, owner in owners.items()}

    def _phase(self, phase: PhasePlan, optimizer: keras.optimizers.Optimizer) -> Phase:
        memories: list[keras.layers.Layer] = [self.pools[name] for name in phase.values if name in self.pools]
        memories += [self.counters[phase.name]] if phase.name in self.counters else []
        clip = {}
        if phase.weight_clip is not None:
            settings: WeightClip = construct(WeightClip, dict(phase.weight_clip))
            clip = {settings.when: partial(clip_weights, [self.players[role] for role in phase.trains], settings)}
        when = phase.when
        reverts = bool(when.burn_in is not None or when.above or when.below)
        reverts = reverts or (self.game.simultaneous and by_number(when))
        return Phase(
            phase.name, tuple(self.players[role] for role in phase.trains), optimizer,
            partial(self._loss, phase), phase.updates, before=clip.get("before"), after=clip.get("after"),
            active=(_allowed(phase) if _decides(phase) else _plays(phase)) if reverts else None,
            memories=tuple(memories),
        )  # fmt: skip

    # An update.

    def _loss(self, phase: PhasePlan, batch: Batch, i: int) -> tuple[Tensor, Batch]:
        """Return the loss of update `i` of a phase, and what it hands on."""
        update = self._update(phase, batch, i)
        if phase.ahead is None:
            update.compute()
        else:
            self._compute_ahead(phase, phase.ahead, update)
        total = self._sum(phase, update, self._count(phase))
        extras = self.passed.made(phase, update.tensors, batch)
        if phase.name in self.lazy:
            extras = self.passed.as_before(phase, batch) | extras
        if _decides(phase):
            extras[_allowed(phase)] = self._holds(phase, batch, update)
        if phase.name in self.counters:
            self.counters[phase.name].count.assign_add(1.0)
        return total, extras

    def _sum(self, phase: PhasePlan, update: Update, count: Tensor) -> Tensor:
        """Return the weighted sum of what a phase minimises, in its update of the number `count`."""
        terms = [
            self._weight(weight, count) * ops.cast(update.tensors[name], keras.config.floatx())
            for name, weight in phase.minimise.items()  # the reader leaves out weights of 0
        ]
        if not terms:  # all of them rest: 0, with gradients of zeros, which every backend can take
            first = next(v for role in phase.trains for v in self.players[role].trainable_variables)
            terms = [0.0 * ops.cast(ops.sum(first), keras.config.floatx())]
        return reduce(operator.add, terms)

    def _compute_ahead(self, phase: PhasePlan, ahead: Ahead, update: Update) -> None:
        """Compute an update at the weights that another phase would have after further updates of its own.

        What does not pass its networks is computed once, before them, so that the gradient of `phase` passes through it
        in all of them. The batch norm statistics of these networks stay as they are.
        """
        other, values = self.phase_plans[ahead.phase], self.game.values
        names = passing([values[name] for name in phase.needed], other.trains)
        update.values = [values[name] for name in phase.needed if name not in names and name not in self.once]
        update.compute()

        def loss(k: int) -> Tensor:
            own = [values[name] for name in ahead.values if name in names]
            inner = replace(update, values=own, run=partial(self._run, other), tensors=dict(update.tensors))
            inner.compute()
            return self._sum(other, inner, self._count(other) + k)

        variables = [v for role in other.trains for v in self.players[role].trainable_variables]
        optimizer = next(one.optimizer for one in self._phases if one.name == other.name)
        random = [seed for player in self.players.values() for seed in seeds(player)]
        moved = weights_ahead(loss, variables, ahead.updates, optimizer=optimizer, kept=random)
        with autodiff.overlay(zip(variables, moved, strict=True)) as scope:
            update.values = [values[name] for name in phase.values if name in names]
            update.compute()
        own = next(one for one in self._phases if one.name == phase.name).statistics
        for variable in (*own, *random):
            if (value := scope.get_current_value(variable)) is not None:
                variable.assign(value)

    def _update(self, phase: PhasePlan, batch: Batch, i: int) -> Update:
        tensors = self.states.values() | self.layout.read(phase, batch, i)
        tensors |= self.passed.reused(phase, batch) | self.once
        values = [self.game.values[name] for name in phase.values if name not in self.once]
        return Update(
            values, partial(self._run, phase), self.players, self.layout.chance(phase, batch, i), self.pools,
            batch[STEP][0] if STEP in batch else None, tensors, self._constants(phase, values),
        )  # fmt: skip

    def _constants(self, phase: PhasePlan, values: Sequence[Call]) -> set[str]:
        """Return the names of values that no gradient of the update needs to pass, so that none is kept for it."""
        wrt = {str(w).partition(".")[0] for v in values for c in nested(v) if by_derivative(c) for w in _wrt(c)}
        passing, constants = set(wrt), set()
        for call in values:
            if call.network in phase.trains or any(one.name in passing for one in references(call)):
                passing.add(call.name)
            elif call.network and call.name not in wrt:
                constants.add(call.name)
        weights = {c.arguments["network"] for v in values for c in nested(v) if c.function == "orthogonal"}
        return set() if weights or phase.ahead else constants

    def _run(self, phase: PhasePlan, call: Call, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Call a network; the statistics of a pass that is not kept are dropped, its random numbers are used up."""
        network, training = self.players[call.network], call.network in self.trained
        if call.name in phase.kept or call.network not in phase.trains:
            made = network(dict(inputs), training=training)
        else:
            with autodiff.overlay(()) as scope:
                made = network(dict(inputs), training=training)
            for seed in seeds(network):
                if (moved := scope.get_current_value(seed)) is not None:
                    seed.assign(moved)
        in_order = (*self.plans[call.network].outputs, *made)  # JAX and PyTorch return them sorted by name
        return {name: _wide(made[name]) for name in dict.fromkeys(in_order)}

    def _count(self, phase: PhasePlan) -> Tensor:
        """Return how many updates a phase has made."""
        if phase.name in self.counters:
            return ops.convert_to_tensor(self.counters[phase.name].count)
        optimizer = next(one.optimizer for one in self._phases if one.name == phase.name)
        return ops.convert_to_tensor(optimizer.iterations)

    def _weight(self, weight: Weight, count: Tensor) -> Any:
        total: Any = 1.0
        for factor in weight.factors:
            if isinstance(factor, Part):
                total = total * ops.cast(schedule(factor)(count), keras.config.floatx())
            elif isinstance(factor, str):
                total = total * self.states.values()[factor]
            else:
                total = total * factor
        if weight.every > 1:
            due = ops.equal(ops.mod(ops.cast(count, "int32"), weight.every), 0)
            total = total * weight.every * ops.cast(due, keras.config.floatx())
        return total

    def _holds(self, phase: PhasePlan, batch: Batch, update: Update) -> Tensor:
        """Return 1 where the phase plays and all its conditions on values of this update hold, else 0, [1]."""
        allowed = batch[_plays(phase)][0] > 0 if _plays(phase) in batch else ops.ones((), "bool")
        for conditions, holds in ((phase.when.above, ops.greater), (phase.when.below, ops.less)):
            for name, bound in conditions.items():
                allowed = ops.logical_and(allowed, holds(ops.mean(update.tensors[name]), bound))
        return ops.reshape(ops.cast(allowed, keras.config.floatx()), (1,))

    # The step.

    def step_inputs(self, step: int) -> dict[str, np.ndarray]:
        numbers: dict[str, float] = {STEP: step} if any(map(scheduled, self.game.values.values())) else {}
        for phase in self.game.phases:
            if by_number(phase.when) or phase.when.burn_in is not None:
                numbers[_plays(phase)] = plays(phase, step, self.data_draws)
        return {name: np.array([number], "float32") for name, number in numbers.items()}

    def turn(self, phase: Phase, batch: Batch, pending: list[Any]) -> Batch:
        plan = self.phase_plans[phase.name]
        if not self._skips(plan):
            return super().turn(phase, batch, pending)
        movable = [*phase.variables, *phase.statistics, *phase.optimizer.variables]
        movable += [seed for player in self.players.values() for seed in seeds(player)]
        last = self.last_losses[phase.name]
        otherwise = {LOSS: ops.convert_to_tensor(last)} | self.passed.as_before(plan, batch)
        if _decides(plan):
            otherwise[_allowed(plan)] = ops.zeros((1,))
        action = partial(super().turn, phase, batch, pending)
        made = autodiff.where_true(batch[_plays(plan)][0] > 0, action, _unique(movable), otherwise)
        last.assign(made[LOSS])
        return made

    def gradient(self, phase: Phase, batch: Batch, i: int) -> autodiff.Gradient:
        plan = self.phase_plans[phase.name]
        every = lazy_terms.intervals(plan) if self.shares is ONE else []  # devices cannot agree on what to leave out
        if not every:
            return super().gradient(phase, batch, i)

        def take(due: lazy_terms.Due) -> autodiff.Gradient:
            played = lazy_terms.without_resting(plan, self.game, due)
            return loss_scale.scaled_value_and_grad(
                partial(self._loss, played, batch, i), phase.variables, phase.optimizer
            )

        movable = [*phase.statistics, *(seed for player in self.players.values() for seed in seeds(player))]
        return lazy_terms.gradient(every, self._count(plan), take, movable)

    def handed_on(self, extras: Batch, good: Tensor | None) -> Batch:
        return extras if good is None else without_overflow(extras, good)

    def after_step(self, batch: Batch) -> dict[str, Tensor]:
        """Move the states, then the averages; return the scalar states and what else is logged."""
        states, (tensors, computed) = self.states.values(), self.passed.last(batch)
        tensors, computed = states | tensors, {name: ops.ones(()) for name in states} | computed
        steps = batch[STEP][0] if STEP in batch else None
        known = Update((), partial(self._run, self.game.phases[0]), self.players, {}, {}, steps, tensors)

        def read(reference: Reference) -> tuple[Tensor, Tensor] | None:
            """Return a value as last computed, functions that only a state needs included, and whether it was."""
            name, call = str(reference), self.game.values.get(reference.name)
            if name not in known.tensors:
                made = [read(one) for one in references(call)] if call and call.function else [None]
                if call is None or None in made:
                    return None  # no phase of this step has it
                known.tensors[name] = known.result(call)
                computed[name] = ops.min(ops.stack([ops.ones(()), *(one[1] for one in made if one)]))
            return known.tensors[name], computed[name]

        logs = {name: self._last(name, *found) for name in self.game.logged if (found := read(Reference(name)))}
        scalars = self.states.move(read, self.step_images)
        super().after_step(batch)
        return scalars | logs

    def _last(self, name: str, value: Tensor, computed: Tensor) -> Tensor:
        """Return a value that is logged: where this step has not computed it, as last known.

        NaN stands for what is not known, also after the first updates that would compute it overflowed: a value that
        is computed and is not a number counts as infinite, and ends the training.
        """
        last = self.last_values.get(name)
        if last is None:
            return value
        value = ops.cast(value, last.dtype)
        value = ops.where(ops.isnan(value), float("inf"), value)
        value = ops.where(computed > 0, value, ops.convert_to_tensor(last))
        last.assign(value)
        return value

    def _steps_made(self, name: str) -> Tensor:
        phases = [phase for phase in self.game.phases if name in phase.trains]
        phase = min(phases, key=self._skips)
        return ops.cast(self._count(phase), keras.config.floatx()) / phase.updates

    def leaving(self, name: str) -> tuple[keras.Model, Plan]:
        if name not in self.game.exports:
            return super().leaving(name)
        value = self.game.exports[name]
        parts = {network: self.exported(network) for network in value.networks}
        return joined(value, parts, self.states.variables_by_name), value.plan

    def extra_state(self) -> dict[str, keras.Variable]:
        return {
            **{f"{name}/{v.name}": v for name, pool in self.pools.items() for v in pool.non_trainable_weights},
            **{f"states/{name}": variable for name, variable in self.states.numbers.items()},
            **{f"updates/{name}": counter.count for name, counter in self.counters.items()},
            **self.only_logged(),
        }

    def only_logged(self) -> dict[str, keras.Variable]:
        losses = {f"last_losses/{name}": variable for name, variable in self.last_losses.items()}
        return losses | {f"last_values/{name}": variable for name, variable in self.last_values.items()}


def _not_known(name: str) -> keras.Variable:
    return keras.Variable(np.full((), np.nan, keras.config.floatx()), trainable=False, name=name)


def _plays(phase: PhasePlan) -> str:
    return f"{phase.name}_plays"


def _allowed(phase: PhasePlan) -> str:
    return f"{phase.name}_allowed"


def _decides(phase: PhasePlan) -> bool:
    """Return whether values or states decide, in each update, whether a phase plays."""
    return bool(phase.when.above or phase.when.below)


def _wrt(call: Call) -> tuple[Reference, ...]:
    wrt = call.arguments["wrt"]
    return (wrt,) if isinstance(wrt, Reference) else tuple(wrt)


def _wide(x: Tensor) -> Tensor:
    """Return numbers in Keras's default float type, also where a network computes in halves."""
    return ops.cast(x, keras.config.floatx()) if "float" in keras.backend.standardize_dtype(x.dtype) else x


def _unique(variables: Sequence[keras.Variable]) -> list[keras.Variable]:
    return list({id(variable): variable for variable in variables}.values())
