"""States of a game: numbers and tensors that follow a value from step to step. They are constants in every gradient.

A state is moved once at the end of a step, from its value as last computed in it. It has variables of its own, of which
the game reads `value`. Registered once, the signature is the schema; `of` is what it follows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import keras
from keras import ops

from zoo.core.registry import Registry
from zoo.nn.autodiff import Tensor
from zoo.spec.game_plan import Reference, StatePlan
from zoo.spec.shapes import Shape
from zoo.spec.types import NonNegativeFloat, Part, PositiveFloat, PositiveInt, Probability, Value, construct_part

Variables = Mapping[str, Tensor]


class State(NamedTuple):
    """How a state begins, and how it moves.

    Attributes:
        initial: The first numbers of its variables; `value` is what the game reads.
        move: Takes the variables, the value that it follows, in the mean over the batch, and the real images of a step;
            returns the new variables.
        before_mean: Applied to the value before the mean over the batch is taken.
    """

    initial: Mapping[str, float]
    move: Callable[[Variables, Tensor, float], Variables]
    before_mean: Callable[[Tensor], Tensor] = lambda x: x


STATES: Registry[Callable[..., State]] = Registry("state")


@STATES.register
def moving_average(*, of: Value = None, decay: Probability = 0.99, initial: float = 0.0) -> State:
    """decay * state + (1 - decay) * the mean of the value over the batch, of any shape."""
    return State({"value": initial}, lambda state, x, images: {"value": x + decay * (state["value"] - x)})


@STATES.register
def integral(
    *, of: Value = None, rate: float = 1.0, within: tuple[float, float] | None = None, initial: float = 0.0
) -> State:
    """state + rate * value, clipped to `within`. Berthelot et al. 2017, section 3.4: k_t."""

    def move(state: Variables, x: Tensor, images: float) -> Variables:
        value = state["value"] + rate * x
        return {"value": value if within is None else ops.clip(value, *within)}

    return State({"value": initial}, move)


@STATES.register
def ada(
    *, of: Value = None, target: Probability = 0.6, kimg: PositiveFloat = 500.0, every: PositiveInt = 4,
    initial: Probability = 0.0,
) -> State:  # fmt: skip
    """The probability of augmentation of Karras et al. 2020, section 3.1: after `every` steps it rises where the mean
    sign of D's logits of real images is above the target and falls where it is below, from 0 to 1 in `kimg`."""

    def move(state: Variables, x: Tensor, images: float) -> Variables:
        total, count = state["total"] + x, state["count"] + 1.0
        due = count >= every
        moved = state["value"] + ops.sign(total / count - target) * count * (images / (1000.0 * kimg))
        return {
            "value": ops.where(due, ops.clip(moved, 0.0, 1.0), state["value"]),
            "total": ops.where(due, ops.zeros_like(total), total),
            "count": ops.where(due, ops.zeros_like(count), count),
        }

    return State({"value": initial, "total": 0.0, "count": 0.0}, move, ops.sign)


@STATES.register
def plateau(
    *, of: Value = None, initial: PositiveFloat = 1.0, factor: Probability = 0.5, patience_steps: PositiveInt = 5000,
    threshold: NonNegativeFloat = 0.01, floor: NonNegativeFloat = 0.0,
) -> State:  # fmt: skip
    """A number that shrinks by `factor` when the value stalls: when its mean over `patience_steps` steps is not below
    the best such mean by the share `threshold`. It never falls below `floor`."""

    def move(state: Variables, x: Tensor, images: float) -> Variables:
        total, count = state["total"] + x, state["count"] + 1.0
        due, mean = count >= patience_steps, total / count
        first = state["windows"] < 1.0
        stalls = ops.logical_and(mean > state["best"] * (1.0 - threshold), ops.logical_not(first))
        shrunk = ops.maximum(state["value"] * factor, floor)
        best = ops.where(first, mean, ops.minimum(mean, state["best"]))
        return {
            "value": ops.where(ops.logical_and(due, stalls), shrunk, state["value"]),
            "best": ops.where(due, best, state["best"]),
            "windows": state["windows"] + ops.cast(due, mean.dtype),
            "total": ops.where(due, ops.zeros_like(total), total),
            "count": ops.where(due, ops.zeros_like(count), count),
        }

    return State({"value": initial, "best": 0.0, "windows": 0.0, "total": 0.0, "count": 0.0}, move)


class States(keras.layers.Layer):
    """All states of a game, whose variables are part of a checkpoint.

    Args:
        plans: The states by name.
    """

    def __init__(self, plans: Mapping[str, StatePlan]) -> None:
        super().__init__(name="states", trainable=False, dtype=keras.config.floatx())
        self.plans = dict(plans)
        self.kinds = {name: construct_part(STATES, _without_of(plan.kind)) for name, plan in plans.items()}
        self.numbers = {
            f"{name}/{key}": self._number(f"{name}_{key}", plan.shape if key == "value" else (), initial)
            for name, plan in plans.items()
            for key, initial in self.kinds[name].initial.items()
        }
        self.built = True

    def _number(self, name: str, shape: Shape, initial: float) -> keras.Variable:
        first = keras.initializers.Constant(initial)
        return self.add_weight(shape=shape, initializer=first, trainable=False, autocast=False, name=name)

    @property
    def variables_by_name(self) -> dict[str, keras.Variable]:
        """The variable of each state that the game reads, by its name."""
        return {name: self.numbers[f"{name}/value"] for name in self.plans}

    def values(self) -> dict[str, Tensor]:
        """Return the present values by name, as expressions have them: see `as_value`."""
        return {name: as_value(variable) for name, variable in self.variables_by_name.items()}

    def move(self, read: Callable[[Reference], tuple[Tensor, Tensor] | None], images: float) -> dict[str, Tensor]:
        """Move all states, each from what the step has seen.

        Args:
            read: Returns the value that a state follows, and a number above 0 where the step has computed it; None for
                one that no phase computes.
            images: Real images of a step.

        Returns:
            The states that are numbers, by name.
        """
        moved: dict[str, Tensor] = {}
        for name, plan in self.plans.items():
            kind, found = self.kinds[name], read(plan.of)
            if found is None:
                continue
            value, computed = found
            own = {key: ops.convert_to_tensor(self.numbers[f"{name}/{key}"]) for key in kind.initial}
            seen = ops.cast(kind.before_mean(value), keras.config.floatx())
            if examples := tuple(range(len(seen.shape) - len(plan.shape))):
                seen = ops.mean(seen, axis=examples)
            new = kind.move(own, seen, images)
            moved |= {f"{name}/{key}": ops.where(computed > 0, new[key], old) for key, old in own.items()}
        for key, value in moved.items():
            self.numbers[key].assign(value)
        return {name: value for name, value in self.values().items() if not self.plans[name].shape}


def as_value(variable: keras.Variable) -> Tensor:
    """Return a state as expressions have it: a tensor has an axis for the examples, which share it."""
    state = ops.convert_to_tensor(variable)
    return ops.expand_dims(state, 0) if len(state.shape) else state


def _without_of(part: Part) -> Part:
    return Part(part.name, {key: value for key, value in part.args.items() if key != "of"})
