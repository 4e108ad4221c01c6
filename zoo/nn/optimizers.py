"""Optimizers, schedules of their numbers, and pure updates to differentiate through.

Schedules are functions of the number of updates, never of epochs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
from keras import ops

from zoo.core.errors import UsageError
from zoo.core.registry import Registry
from zoo.spec.types import NonNegativeFloat, Part, PositiveFloat, PositiveInt, construct_part
from zoo.spec.types import Schedule as ScheduleOf

KERAS_OPTIMIZERS = ("SGD", "RMSprop", "Adam", "AdamW")  # by Keras's own names and arguments
SCHEDULES: Registry[Callable[..., Schedule]] = Registry("schedule")


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """A number that is a function of the count of updates, a scalar tensor."""

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


@SCHEDULES.register
def cosine(*, initial: NonNegativeFloat, final: NonNegativeFloat, updates: PositiveInt, start: int = 0) -> Schedule:
    """Half a wave of the cosine from `initial`, at update `start`, to `final` `updates` later. Loshchilov and Hutter
    2016, eq. 5; Huang et al. 2024 for all that changes."""

    def value(step: Any) -> Any:
        share = ops.clip((step - start) / updates, 0.0, 1.0)
        return initial + (final - initial) * 0.5 * (1.0 - ops.cos(math.pi * share))

    return Schedule(value)


@SCHEDULES.register
def warm_up(*, updates: PositiveInt, to: PositiveFloat | ScheduleOf) -> Schedule:
    """From 0 in a straight line over the first `updates` updates, the last of which has all of `to`: a number, or
    another schedule, which is counted from the start too. Goyal et al. 2017, section 2.2."""
    after = construct_part(SCHEDULES, to).value if isinstance(to, Part) else (lambda step: to)
    return Schedule(lambda step: ops.minimum((step + 1.0) / updates, 1.0) * after(step))


class ScheduledAdam(keras.optimizers.Adam):
    """Adam whose betas follow schedules. Huang et al. 2024: beta_2 from 0.9 to 0.99."""

    def __init__(self, **kwargs: Any) -> None:
        betas = {key: kwargs.pop(key) for key in ("beta_1", "beta_2") if isinstance(kwargs.get(key), Schedule)}
        super().__init__(**kwargs)
        self._betas = betas

    def _beta(self, key: str) -> Any:
        return self._betas[key](self.iterations) if key in self._betas else self._constants[key]

    def _set(self, key: str, value: Any) -> None:
        self.__dict__.setdefault("_constants", {})[key] = value

    beta_1 = property(lambda self: self._beta("beta_1"), lambda self, value: self._set("beta_1", value))
    beta_2 = property(lambda self: self._beta("beta_2"), lambda self, value: self._set("beta_2", value))

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Kingma and Ba 2015, algorithm 1, with the betas of this update in the bias correction too."""
        m, v = (moments[self._get_variable_index(variable)] for moments in (self._momentums, self._velocities))
        lr, g, b1, b2, t = (
            ops.cast(x, variable.dtype)
            for x in (learning_rate, gradient, self.beta_1, self.beta_2, self.iterations + 1)
        )
        self.assign_add(m, (g - m) * (1.0 - b1))
        self.assign_add(v, (ops.square(g) - v) * (1.0 - b2))
        rate = lr * ops.sqrt(1.0 - ops.power(b2, t)) / (1.0 - ops.power(b1, t))
        self.assign_sub(variable, rate * m / (ops.sqrt(v) + self.epsilon))


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


def make(part: Part, states: Mapping[str, keras.Variable] | None = None) -> keras.optimizers.Optimizer:
    """Build the optimizer that a spec names.

    Args:
        part: Name and arguments, such as `Adam: {learning_rate: 2.0e-4, beta_1: 0.5}`; a number may be a schedule, or
            the name of a state.
        states: The states of the game, by name.

    Returns:
        A Keras optimizer without state as yet.
    """
    args = {key: _scheduled(value, states or {}) for key, value in part.args.items()}
    if part.name == "Adam" and any(isinstance(args.get(key), Schedule) for key in ("beta_1", "beta_2")):
        return ScheduledAdam(**args)
    if part.name == "SGD" and isinstance(args.get("momentum"), Schedule):
        return MomentumSGD(**args)
    return getattr(keras.optimizers, part.name)(**args)


class Unrolled:
    """Updates of SGD or Adam as pure functions of tensors, to differentiate through them (Metz et al. 2016).

    They continue from the state of `optimizer` (moments, count of updates) and do not change it, in Keras's arithmetic.
    Keras's own `stateless_apply` does not run on TensorFlow.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer) -> None:
        known = isinstance(optimizer, (keras.optimizers.SGD, keras.optimizers.Adam))
        if not known or isinstance(optimizer, keras.optimizers.AdamW) or getattr(optimizer, "amsgrad", False):
            amsgrad = " with amsgrad" if getattr(optimizer, "amsgrad", False) else ""
            raise UsageError(f"only SGD and Adam can be unrolled, received {type(optimizer).__name__}{amsgrad}")
        self.optimizer = optimizer
        self.updates = ops.cast(optimizer.iterations, "float32")
        if self._is_adam:
            moments = [optimizer._momentums, optimizer._velocities]
        else:
            moments = [optimizer.momentums if optimizer.momentum != 0 else []]
        self.moments = [[ops.convert_to_tensor(variable) for variable in variables] for variables in moments]

    @property
    def _is_adam(self) -> bool:
        return isinstance(self.optimizer, keras.optimizers.Adam)

    def step(self, values: Sequence[Any], gradients: Sequence[Any]) -> list[Any]:
        """Return the weights after one more update: `values` and `gradients` are tensors, in the variables' order."""
        rule = self._adam if self._is_adam else self._sgd
        moved = [rule(i, value, gradient) for i, (value, gradient) in enumerate(zip(values, gradients, strict=True))]
        self.updates = self.updates + 1.0
        return moved

    def _rate(self) -> Any:
        rate = self.optimizer._learning_rate
        return rate(self.updates) if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule) else rate

    def _adam(self, i: int, value: Any, gradient: Any) -> Any:
        """Kingma and Ba 2015, algorithm 1 in the form of section 2 (epsilon beside the uncorrected root)."""
        adam, t, (ms, vs) = self.optimizer, ops.cast(self.updates + 1.0, value.dtype), self.moments
        ms[i] = ms[i] + (1.0 - adam.beta_1) * (gradient - ms[i])
        vs[i] = vs[i] + (1.0 - adam.beta_2) * (ops.square(gradient) - vs[i])
        rate = ops.cast(self._rate(), value.dtype) * ops.sqrt(1.0 - adam.beta_2**t) / (1.0 - adam.beta_1**t)
        root = ops.sqrt(ops.maximum(vs[i], 1e-30))  # a weight without gradient: the root has no slope at zero
        return value - rate * ms[i] / (root + adam.epsilon)

    def _sgd(self, i: int, value: Any, gradient: Any) -> Any:
        """v <- momentum * v - lr * g;  w <- w + v."""
        step = ops.cast(self._rate(), value.dtype) * gradient
        (velocities,) = self.moments
        if not velocities:
            return value - step
        scheduled = isinstance(self.optimizer, MomentumSGD)
        m = ops.cast(self.optimizer.schedule(self.updates) if scheduled else self.optimizer.momentum, value.dtype)
        velocities[i] = m * velocities[i] - step
        return value + (m * velocities[i] - step if self.optimizer.nesterov else velocities[i])


def _scheduled(value: Any, states: Mapping[str, keras.Variable]) -> Any:
    if isinstance(value, str):
        return Schedule(lambda step: ops.convert_to_tensor(states[value])) if value in states else value
    if not isinstance(value, dict | Part):
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return schedule(value if isinstance(value, Part) else Part.of(value))


def schedule(part: Part) -> Schedule:
    """Build the schedule that a spec names.

    Args:
        part: Its name and arguments.

    Returns:
        A function of the count of updates.
    """
    return construct_part(SCHEDULES, part)
