"""States of a game: numbers and tensors that follow a value from step to step. They are constants in every gradient.

A state is moved once at the end of a step, from its value as last computed in it. It has variables of its own, of which
the game reads `value`. Registered once, the signature is the schema; `of` is what it follows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from keras import ops

from zoo.core.registry import Registry
from zoo.nn.autodiff import Tensor
from zoo.spec.types import NonNegativeFloat, PositiveFloat, PositiveInt, Probability, Value

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


def followed(state: State, x: Any, rank: int) -> Tensor:
    """Return what a state follows: the mean over the batch of a value, where it has a batch.

    Args:
        state: The state.
        x: The value.
        rank: The number of axes of the state.

    Returns:
        A tensor of the shape of the state.
    """
    x = state.before_mean(x)
    return ops.mean(x, axis=tuple(range(len(x.shape) - rank))) if len(x.shape) > rank else x
