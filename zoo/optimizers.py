"""Optimizers and what changes while they run: schedules are functions of the number of updates, never of epochs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from zoo.registry import Registry
from zoo.spec.types import NonNegativeFloat, Part, PositiveFloat, PositiveInt, construct_arguments

KERAS_OPTIMIZERS = ("SGD", "RMSprop", "Adam", "AdamW")  # by Keras's own names and arguments
SCHEDULES: Registry[Callable[..., Schedule]] = Registry("schedule")


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """A number that depends on the count of updates (a scalar tensor)."""

    def __init__(self, value: Callable[[Any], Any]) -> None:
        self.value = value

    def __call__(self, step: Any) -> Any:
        return self.value(ops.cast(step, "float32"))

    def get_config(self) -> dict[str, Any]:
        raise TypeError("schedules are described by the spec, not by Keras configs")


@SCHEDULES.register
def exponential(*, initial: PositiveFloat, divide_by: PositiveFloat, floor: NonNegativeFloat = 0.0) -> Schedule:
    """initial / divide_by ** updates, never below `floor`. Goodfellow et al. 2014 (authors' code)."""
    rate = math.log(divide_by)  # in double precision: 1.000004 is not a float32
    return Schedule(lambda step: ops.maximum(initial * ops.exp(-rate * step), floor))


@SCHEDULES.register
def linear(*, initial: NonNegativeFloat, final: NonNegativeFloat, updates: PositiveInt, start: int = 0) -> Schedule:
    """`initial` until update `start`, then a straight line that reaches `final` `updates` later, then `final`."""
    return Schedule(lambda step: initial + (final - initial) * ops.clip((step - start) / updates, 0.0, 1.0))


class MomentumSGD(keras.optimizers.SGD):
    """SGD whose momentum follows a schedule. Goodfellow et al. 2014: 0.5 -> 0.7."""

    def __init__(self, *, momentum: Schedule, **kwargs: Any) -> None:
        super().__init__(momentum=0.5, **kwargs)  # any value above 0 makes Keras create the velocities
        self.schedule = momentum

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """v <- momentum * v - lr * g;  w <- w + v."""
        velocity = self.momentums[self._get_variable_index(variable)]
        m, lr = (ops.cast(value, variable.dtype) for value in (self.schedule(self.iterations), learning_rate))
        step = lr * ops.cast(gradient, variable.dtype)
        self.assign(velocity, m * velocity - step)
        self.assign_add(variable, m * velocity - step if self.nesterov else velocity)


def make(part: Part) -> keras.optimizers.Optimizer:
    """The optimizer that a spec names: `Adam: {learning_rate: 2.0e-4, beta_1: 0.5}`."""
    args = {key: _scheduled(value) for key, value in part.args.items()}
    if part.name == "SGD" and isinstance(args.get("momentum"), Schedule):
        return MomentumSGD(**args)
    return getattr(keras.optimizers, part.name)(**args)


def _scheduled(value: Any) -> Any:
    if not isinstance(value, dict):
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
    schedule = Part.of(value)
    function = SCHEDULES.get(schedule.name)
    return function(**construct_arguments(function, schedule.args))
