"""Schedules at given updates, momentum that really changes, and arguments that reach Keras."""

import inspect
import math

import keras
import numpy as np
import pytest

from zoo.optimizers import KERAS_OPTIMIZERS, SCHEDULES, MomentumSGD, exponential, linear, make
from zoo.spec.types import Part


def value(schedule, step):
    return float(schedule(step))


@pytest.mark.parametrize(
    "step, expected", [(0, 0.1), (1, 0.1 / 1.000004), (250_000, 0.1 * math.exp(-250_000 * math.log(1.000004)))]
)
def test_exponential_divides_at_every_update(step, expected):
    assert value(exponential(initial=0.1, divide_by=1.000004, floor=1e-6), step) == pytest.approx(expected, rel=1e-6)


def test_exponential_does_not_fall_for_float32():
    """The float32 nearest to 1.000004 is 1.00000405: after 2.5 million updates it is 12 % off."""
    wrong = 0.1 * float(np.float32(1.000004)) ** -2_500_000
    got = value(exponential(initial=0.1, divide_by=1.000004), 2_500_000)
    assert got == pytest.approx(0.1 * 1.000004**-2_500_000, rel=1e-5) and abs(got / wrong - 1) > 0.1


def test_exponential_stops_at_the_floor():
    schedule = exponential(initial=0.1, divide_by=1.000004, floor=1e-6)
    assert value(schedule, 2_870_000) > 1e-6 * 1.01
    assert value(schedule, 2_900_000) == pytest.approx(1e-6, rel=1e-6) == value(schedule, 10**7)


@pytest.mark.parametrize(
    "step, expected", [(0, 0.5), (1, 0.5 + 0.2 / 15_000), (7_500, 0.6), (15_000, 0.7), (10**6, 0.7)]
)
def test_linear(step, expected):
    assert value(linear(initial=0.5, final=0.7, updates=15_000), step) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("step, expected", [(0, 2.0), (100, 2.0), (105, 1.0), (110, 0.0), (111, 0.0)])
def test_linear_decay_may_start_late(step, expected):
    assert value(linear(initial=2.0, final=0.0, updates=10, start=100), step) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_every_schedule_takes_the_variable_that_counts_updates(name):
    arguments = {"initial": 0.1, "divide_by": 1.1, "final": 0.2, "updates": 3}
    function = SCHEDULES.get(name)
    schedule = function(**{k: arguments[k] for k in inspect.signature(function).parameters if k in arguments})
    counter = keras.Variable(0, dtype="int64", trainable=False)
    assert float(schedule(counter)) == pytest.approx(0.1, rel=1e-6)


def updates(optimizer, gradients, start=1.0):
    """The weight after each gradient."""
    weight = keras.Variable(np.array([start], "float32"))
    optimizer.build([weight])
    path = []
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor([gradient])], [weight])
        path.append(float(weight.value[0]))
    return path


def test_momentum_sgd_by_hand():
    optimizer = MomentumSGD(momentum=linear(initial=0.5, final=0.7, updates=1), learning_rate=0.1)
    # v1 = 0.5 * 0 - 0.1 * 2 = -0.2, w = 0.8;  v2 = 0.7 * -0.2 - 0.1 * 1 = -0.24, w = 0.56;  v3 = 0.7 * -0.24 = -0.168
    assert updates(optimizer, [2.0, 1.0, 0.0]) == pytest.approx([0.8, 0.56, 0.392], abs=1e-6)


def test_momentum_really_rises():
    """With gradients (1, 0, 0, ...) each move is the last one times the momentum of that update."""
    optimizer = MomentumSGD(momentum=linear(initial=0.5, final=0.9, updates=4), learning_rate=1.0)
    path = updates(optimizer, [1.0, 0, 0, 0, 0, 0], start=0.0)
    moves = np.diff([0.0, *path])
    assert moves[1:] / moves[:-1] == pytest.approx([0.6, 0.7, 0.8, 0.9, 0.9], abs=1e-5)


def test_the_schedule_of_a_compiled_step_goes_on():
    """A schedule that is read as a Python number would freeze when the step is traced."""
    import tensorflow as tf

    optimizer = MomentumSGD(
        momentum=linear(initial=0.5, final=0.9, updates=2), learning_rate=linear(initial=1.0, final=0.0, updates=2)
    )
    weight = keras.Variable(np.zeros(1, "float32"))
    optimizer.build([weight])
    apply = tf.function(lambda: optimizer.apply([tf.ones(1)], [weight]))
    path = []
    for _ in range(3):
        apply()
        path.append(float(weight.value[0]))
    # v1 = -1;  v2 = 0.7 * -1 - 0.5 = -1.2;  v3 = 0.9 * -1.2 - 0 = -1.08
    assert path == pytest.approx([-1.0, -2.2, -3.28], abs=1e-6)


def test_a_constant_momentum_is_keras_own():
    optimizer = make(Part("SGD", {"learning_rate": 0.1, "momentum": 0.5}))
    assert type(optimizer) is keras.optimizers.SGD
    assert updates(optimizer, [2.0, 1.0]) == pytest.approx([0.8, 0.6], abs=1e-6)  # v2 = 0.5 * -0.2 - 0.1


def test_a_spec_makes_the_authors_sgd():
    part = Part("SGD", {
        "learning_rate": {"exponential": {"initial": 0.1, "divide_by": 1.000004, "floor": 1e-6}},
        "momentum": {"linear": {"initial": 0.5, "final": 0.7, "updates": 15_000}},
    })  # fmt: skip
    optimizer = make(part)
    optimizer.build([keras.Variable([0.0])])
    assert isinstance(optimizer, MomentumSGD)
    for count, rate, momentum in ((0, 0.1, 0.5), (15_000, 0.1 * 1.000004**-15_000, 0.7)):
        optimizer.iterations.assign(count)
        assert float(optimizer.learning_rate) == pytest.approx(rate, rel=1e-6)
        assert float(optimizer.schedule(optimizer.iterations)) == pytest.approx(momentum, rel=1e-6)


def test_nesterov_is_not_dropped_when_momentum_is_scheduled():
    part = {"learning_rate": 0.1, "nesterov": True}
    constant = updates(make(Part("SGD", {**part, "momentum": 0.5})), [2.0, 1.0])
    scheduled = updates(
        make(Part("SGD", {**part, "momentum": {"linear": {"initial": 0.5, "final": 0.5, "updates": 1}}})), [2.0, 1.0]
    )
    assert scheduled == pytest.approx(constant, abs=1e-6)


@pytest.mark.parametrize("name", KERAS_OPTIMIZERS)
def test_a_whole_number_is_a_learning_rate(name):
    assert float(make(Part(name, {"learning_rate": 1})).learning_rate) == 1.0


def test_adam_of_the_papers():
    optimizer = make(Part("Adam", {"learning_rate": 2e-4, "beta_1": 0.5, "beta_2": 0.999, "epsilon": 1e-8}))
    assert (optimizer.beta_1, optimizer.beta_2, optimizer.epsilon) == (0.5, 0.999, 1e-8)
    assert float(optimizer.learning_rate) == pytest.approx(2e-4, rel=1e-6)


def test_adam_epsilon_acts():
    """A gradient of 1e-8 is small beside either epsilon: with Keras's 1e-7 the first step is ten times shorter."""
    lr, g = 1.0, 1e-8
    # bias correction inside the rate: lr sqrt(1 - b2) / (1 - b1) * (1 - b1) g / (sqrt((1 - b2) g^2) + eps)
    root = math.sqrt(1 - 0.999)
    expected = -lr * root * g / (root * g + 1e-8)
    (got,) = updates(make(Part("Adam", {"learning_rate": lr, "beta_1": 0.5, "epsilon": 1e-8})), [g], start=0.0)
    assert got == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", KERAS_OPTIMIZERS)
def test_every_optimizer_takes_a_schedule_and_goes_downhill(name):
    optimizer = make(Part(name, {"learning_rate": {"linear": {"initial": 0.1, "final": 0.0, "updates": 2}}}))
    first, second, third, fourth = updates(optimizer, [1.0, 1.0, 1.0, 1.0])
    assert first < 1.0 and second < first
    if name != "AdamW":  # its decay scales with the rate as well, so it rests too, but only to rounding
        assert third == second == fourth
