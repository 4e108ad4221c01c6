"""Terms of a loss that count in one of n updates: what is computed without them, and the gradient of either case.

In the updates that a term rests in, what it alone needs is not computed (Karras et al. 2020, "lazy regularization").
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import keras
from keras import ops

from zoo.nn.autodiff import Gradient, Tensor, either
from zoo.spec.game_plan import GamePlan, PhasePlan, Weight
from zoo.spec.game_uses import references

Due = frozenset[int]  # the numbers n, of terms that count in one of n updates, whose turn it is


def intervals(phase: PhasePlan) -> list[int]:
    """Return the numbers n of the terms of a phase that count in one of n updates.

    Args:
        phase: The phase.

    Returns:
        Each once, from the largest on.
    """
    return sorted({weight.every for weight in phase.minimise.values() if weight.every > 1}, reverse=True)


def without_resting(phase: PhasePlan, game: GamePlan, due: Due) -> PhasePlan:
    """Return a phase as an update plays it: without the terms that rest, and what they alone need.

    Args:
        phase: The phase.
        game: Its game.
        due: Whose turn it is.

    Returns:
        The phase; the weights of the terms that count are multiplied by n.
    """
    terms = {name: weight for name, weight in phase.minimise.items() if weight.every == 1 or weight.every in due}
    later = [n for p in game.phases for n in p.reuse if p.sources.get(n) == phase.name]
    needed = _needed(game, [*terms, *phase.when.above, *phase.when.below, *later])
    values = tuple(name for name in phase.values if name in needed)
    return dataclasses.replace(
        phase, minimise={name: _full(weight) for name, weight in terms.items()}, values=values,
        kept=tuple(name for name in phase.kept if name in values),
    )  # fmt: skip


def _full(weight: Weight) -> Weight:
    return Weight((*weight.factors, float(weight.every)))


def resting_values(phase: PhasePlan, game: GamePlan) -> set[str]:
    """Return the values of a phase that some of its updates do not compute.

    Args:
        phase: The phase.
        game: Its game.

    Returns:
        Their names.
    """
    return {*phase.values} - {*without_resting(phase, game, frozenset()).values}


def _needed(game: GamePlan, names: Iterable[str]) -> set[str]:
    found: set[str] = set()
    stack = list(names)
    while stack:
        name = stack.pop()
        if name not in found:
            found.add(name)
            stack += [one.name for one in references(game.values[name])] if name in game.values else []
    return found


def gradient(
    every: Sequence[int], count: Tensor, take: Callable[[Due], Gradient], movable: Sequence[keras.Variable]
) -> Gradient:
    """Take the gradient of the terms whose turn it is, and compute no others.

    Args:
        every: The numbers n of the terms that may rest, from the largest on.
        count: Updates that were made.
        take: Returns value, extras, gradients and assignments for the terms that are due; extras are always the same
            names, with the same shapes and types.
        movable: The variables whose assignments may be kept.

    Returns:
        Those of one case.
    """
    movable = list({id(variable): variable for variable in movable}.values())
    count = ops.cast(count, "int32")

    def packed(due: Due) -> dict[str, Tensor]:
        made = take(due)
        moved = [made.updates.get(id(one), ops.convert_to_tensor(one)) for one in movable]
        tensors = {"value": made.value, **{f"extra {name}": x for name, x in made.extras.items()}}
        tensors |= {f"gradient {i:04d}": x for i, x in enumerate(made.gradients)}
        pairs = enumerate(zip(moved, movable, strict=True))
        return tensors | {f"moved {i:04d}": ops.cast(x, one.dtype) for i, (x, one) in pairs}

    def choose(rest: Sequence[int], due: Due) -> dict[str, Tensor]:
        if not rest:
            return packed(due)
        n, *others = rest
        if any(one % n == 0 for one in due):
            return choose(others, due | {n})
        is_due = ops.equal(ops.mod(count, n), 0)
        return either(is_due, lambda: choose(others, due | {n}), lambda: choose(others, due))

    made = choose(every, frozenset())
    extras = {name.removeprefix("extra "): x for name, x in made.items() if name.startswith("extra ")}
    gradients = [x for name, x in sorted(made.items()) if name.startswith("gradient ")]
    moved = [x for name, x in sorted(made.items()) if name.startswith("moved ")]
    return Gradient(made["value"], extras, gradients, {id(one): x for one, x in zip(movable, moved, strict=True)})
