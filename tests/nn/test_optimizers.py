"""Schedules at given updates, momentum that really changes, and arguments that reach Keras."""

import inspect
import math

import keras
import numpy as np
import pytest

from zoo.core.errors import UsageError
from zoo.nn.optimizers import (
    KERAS_OPTIMIZERS,
    SCHEDULES,
    MomentumSGD,
    Unrolled,
    cosine,
    exponential,
    linear,
    make,
    schedule,
    warm_up,
)
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


@pytest.mark.parametrize("step, expected", [(0, 2.0), (10, 2.0), (15, 1.5), (20, 1.0), (99, 1.0)])
def test_cosine_is_half_a_wave(step, expected):
    wave = cosine(initial=2.0, final=1.0, updates=10, start=10)
    assert value(wave, step) == pytest.approx(expected, abs=1e-6)
    assert value(wave, 12) == pytest.approx(2.0 - 0.5 * (1 - math.cos(0.2 * math.pi)), abs=1e-6)  # not a line


def test_warm_up_rises_to_a_number_or_to_another_schedule():
    assert [value(warm_up(updates=4, to=2.0), step) for step in (0, 1, 3, 9)] == pytest.approx([0.5, 1.0, 2.0, 2.0])
    falling = schedule(Part("warm_up", {"updates": 2, "to": {"linear": {"initial": 4.0, "final": 0.0, "updates": 4}}}))
    assert [value(falling, step) for step in (0, 1, 2, 4)] == pytest.approx([2.0, 3.0, 2.0, 0.0])


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_every_schedule_takes_the_variable_that_counts_updates(name):
    arguments = {"initial": 0.1, "divide_by": 1.1, "final": 0.2, "updates": 3, "to": 0.3}
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


def test_a_scheduled_beta_is_that_of_its_update():
    """Huang et al. 2024: beta_2 rises; the bias correction has the beta of the update too."""
    constant = {"linear": {"initial": 0.9, "final": 0.9, "updates": 1}}
    adam = {"learning_rate": 0.1, "beta_1": 0.5, "epsilon": 1e-8}
    own = updates(make(Part("Adam", {**adam, "beta_2": 0.9})), [2.0, -1.0, 0.5])
    assert updates(make(Part("Adam", {**adam, "beta_2": constant})), [2.0, -1.0, 0.5]) == pytest.approx(own, abs=1e-6)
    rising = {"linear": {"initial": 0.5, "final": 0.75, "updates": 1}}
    found = updates(make(Part("Adam", {**adam, "beta_1": 0.0, "beta_2": rising})), [2.0, -1.0], start=0.0)
    v = 0.75 * (0.5 * 4) + 0.25 * 1  # after 0.5 * 0 + 0.5 * 4
    assert found == pytest.approx([-0.1, -0.1 + 0.1 / math.sqrt(v / (1 - 0.75**2))], abs=1e-5)


def test_a_rate_may_be_a_state():
    rate = keras.Variable(0.5, trainable=False)
    optimizer = make(Part("SGD", {"learning_rate": "rate"}), {"rate": rate})
    weight = keras.Variable(np.array([1.0], "float32"))
    optimizer.build([weight])
    for expected in (0.5, 0.4):
        optimizer.apply([keras.ops.ones(1)], [weight])
        assert float(weight.value[0]) == pytest.approx(expected)
        rate.assign(0.1)


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


# The same updates as pure functions

RATE, MOMENTUM = (
    {"linear": {"initial": 0.2, "final": 0.0, "updates": 7}},
    {"linear": {"initial": 0.2, "final": 0.9, "updates": 7}},
)
UNROLLED = {
    "Adam": ("Adam", {"learning_rate": 0.01, "beta_1": 0.5, "epsilon": 1e-8}),
    "Adam of a schedule": ("Adam", {"learning_rate": RATE, "beta_1": 0.0, "beta_2": 0.9}),
    "SGD": ("SGD", {"learning_rate": 0.1}),
    "SGD of a schedule": ("SGD", {"learning_rate": RATE}),
    "momentum": ("SGD", {"learning_rate": 0.1, "momentum": 0.9}),
    "Nesterov": ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
    "rising momentum": ("SGD", {"learning_rate": RATE, "momentum": MOMENTUM}),
    "rising, Nesterov": ("SGD", {"learning_rate": 0.1, "momentum": MOMENTUM, "nesterov": True}),
}


@pytest.fixture(params=UNROLLED)
def under_way(request):
    """(optimizer after 3 updates of two weights, the weights, gradients of 5 more updates)."""
    name, args = UNROLLED[request.param]
    random = np.random.RandomState(3)
    weights = [keras.Variable(random.standard_normal(shape).astype("float32")) for shape in ((2, 3), (3,))]
    optimizer = make(Part(name, args))
    optimizer.build(weights)
    gradients = [[random.standard_normal(w.shape).astype("float32") for w in weights] for _ in range(8)]
    for some in gradients[:3]:
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in some], weights)
    return optimizer, weights, [[keras.ops.convert_to_tensor(g) for g in some] for some in gradients[3:]]


def test_pure_updates_are_those_of_keras_and_change_nothing(under_way):
    """It goes on from the moments and the count that are there: 5 updates, each of them compared."""
    optimizer, weights, gradients = under_way
    state = [np.array(v) for v in (*optimizer.variables, *weights)]
    pure, values, path = Unrolled(optimizer), [keras.ops.convert_to_tensor(w) for w in weights], []
    for some in gradients:
        values = pure.step(values, some)
        path.append(values)
    for old, variable in zip(state, (*optimizer.variables, *weights), strict=True):
        np.testing.assert_array_equal(old, np.array(variable), err_msg=variable.path)
    for some, expected in zip(gradients, path, strict=True):
        optimizer.apply(some, weights)
        for variable, value in zip(weights, expected, strict=True):
            np.testing.assert_allclose(np.array(variable), np.array(value), rtol=0, atol=2e-6)


def slope_of_one_update(optimizer, gradient):
    """d w' / d gradient for a single weight, after one update with this gradient."""
    import tensorflow as tf

    weight = keras.Variable([1.0])
    optimizer.build([weight])
    g = tf.constant([gradient])
    with tf.GradientTape() as tape:
        tape.watch(g)
        (after,) = Unrolled(optimizer).step([tf.constant([1.0])], [g])
    return float(tape.gradient(after, g)[0])


def test_the_slope_of_an_update_of_sgd():
    assert slope_of_one_update(make(Part("SGD", {"learning_rate": 0.1})), 3.0) == pytest.approx(-0.1, rel=1e-6)
    momentum = make(Part("SGD", {"learning_rate": 0.1, "momentum": 0.5, "nesterov": True}))
    assert slope_of_one_update(momentum, 3.0) == pytest.approx(-0.15, rel=1e-6)  # -lr (1 + momentum)


def test_the_slope_of_the_first_update_of_adam():
    """w' = w - lr r g / (s |g| + eps) with r = s = sqrt(1 - b2): its slope is -lr s eps / (s |g| + eps)^2."""
    s, eps = math.sqrt(1 - 0.999), 0.01
    adam = make(Part("Adam", {"learning_rate": 0.1, "beta_1": 0.5, "epsilon": eps}))
    assert slope_of_one_update(adam, 0.5) == pytest.approx(-0.1 * s * eps / (s * 0.5 + eps) ** 2, rel=1e-3)


def test_a_weight_without_gradient_has_a_finite_slope_under_adam():
    """sqrt has none at zero: NaN here would be NaN in all of G (a dead ReLU is enough). tests/test_backends.py asks the
    other backends, where 0 / 0 is not 0 as it is in TensorFlow."""
    adam = make(Part("Adam", {"learning_rate": 0.1, "beta_1": 0.5, "epsilon": 1e-2}))
    s = math.sqrt(1 - 0.999)
    assert slope_of_one_update(adam, 0.0) == pytest.approx(-0.1 * s / 1e-2, rel=1e-3)


@pytest.mark.parametrize("part", ["RMSprop", "AdamW", {"Adam": {"amsgrad": True}}], ids=str)
def test_what_cannot_be_unrolled_is_refused(part):
    optimizer = make(Part.of(part))
    with pytest.raises(UsageError, match=f"^only SGD and Adam can be unrolled, received {type(optimizer).__name__}"):
        Unrolled(optimizer)
