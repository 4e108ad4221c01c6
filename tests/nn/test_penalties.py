"""Penalties of a critic whose slope is known: linear, where it is the norm of the weights, and quadratic, where every
example has its own."""

import keras
import numpy as np
import pytest
from keras import ops

from zoo.nn import autodiff, functions_penalties
from zoo.nn.penalties import PENALTIES, CriticBatch, derivative, drift, gradient_penalty, r1

W = np.array([[0.5, -1.0], [2.0, 0.25]])
NORM = np.sqrt((W**2).sum())


def normal(*shape, seed=0):
    return np.random.RandomState(seed).standard_normal(shape)


REAL, FAKE, EPSILON = normal(3, 2, 2), normal(3, 2, 2, seed=1) + 2, np.array([[0.1], [0.5], [0.95]])
BETWEEN = EPSILON[:, :, None] * REAL + (1 - EPSILON[:, :, None]) * FAKE


def tensor(value):
    return ops.convert_to_tensor(np.asarray(value, "float64"))


def linear(x):
    """D(x) = <W, x>: the slope is |W| everywhere."""
    return ops.sum(tensor(W) * x, axis=(1, 2))[:, None]


def quadratic(x):
    """D(x) = |x|^2 / 2: the slope at x is |x|."""
    return 0.5 * ops.sum(ops.square(x), axis=(1, 2))[:, None]


def lengths(x):
    return np.sqrt((x**2).sum((1, 2)))


def critic_batch(critic, real=REAL, fake=FAKE, epsilon=EPSILON):
    real, fake = tensor(real), tensor(fake)
    return CriticBatch(critic, real, fake, critic(real), critic(fake), tensor(epsilon))


def slopes(critic, x):
    return functions_penalties.slopes(derivative(critic, x))


def value(penalty, critic, **shown):
    return float(penalty(critic_batch(critic, **shown)))


def test_slopes_of_a_linear_critic_are_the_norm_of_its_weights():
    np.testing.assert_allclose(slopes(linear, tensor(REAL)), [NORM] * 3, rtol=1e-12)


def test_every_example_has_its_own_slope():
    """A norm over the whole batch would be one number, and larger than each of them."""
    np.testing.assert_allclose(slopes(quadratic, tensor(REAL)), lengths(REAL), rtol=1e-9)
    alone = [float(slopes(quadratic, tensor(REAL[i : i + 1]))[0]) for i in range(3)]
    np.testing.assert_allclose(slopes(quadratic, tensor(REAL)), alone, rtol=1e-12)


def test_the_slope_at_zero_gradient_is_finite_and_has_a_finite_gradient():
    """sqrt has no slope at zero: without something under the root the weights become NaN."""
    scale = keras.Variable(np.float32(0.0))

    def loss():
        return ops.mean(slopes(lambda x: ops.sum(scale * x, axis=(1, 2))[:, None], ops.ones((3, 2, 2)))), {}

    result = autodiff.value_and_grad(loss, [scale])
    assert float(result.value) == pytest.approx(1e-6, rel=1e-3) and np.isfinite(float(result.gradients[0]))


def test_gradient_penalty_of_a_linear_critic():
    assert value(gradient_penalty(), linear) == pytest.approx(10 * (NORM - 1) ** 2, rel=1e-9)
    assert value(gradient_penalty(weight=0.1), linear) == pytest.approx(0.1 * (NORM - 1) ** 2, rel=1e-9)


def test_the_points_lie_between_real_and_fake_each_at_its_own_epsilon():
    """One epsilon for the whole batch gives other points."""
    penalties = {
        epsilon: value(gradient_penalty(weight=1.0), quadratic, epsilon=np.full((3, 1), epsilon))
        for epsilon in (0.1, 0.5)
    }
    expected = np.mean((lengths(BETWEEN) - 1) ** 2)
    assert value(gradient_penalty(weight=1.0), quadratic) == pytest.approx(expected, rel=1e-9)
    assert all(abs(other / expected - 1) > 0.05 for other in penalties.values())


def test_the_mean_is_over_examples_of_the_squared_excess():
    """Not the square of the mean excess."""
    found = value(gradient_penalty(weight=1.0, at="real"), quadratic)
    assert found == pytest.approx(np.mean((lengths(REAL) - 1) ** 2), rel=1e-9)
    assert abs(found - (lengths(REAL).mean() - 1) ** 2) > 0.01


@pytest.mark.parametrize(("at", "points"), [("between", BETWEEN), ("real", REAL), ("fake", FAKE)])
def test_where_the_slope_is_held(at, points):
    found = value(gradient_penalty(weight=1.0, at=at), quadratic)
    assert found == pytest.approx(np.mean((lengths(points) - 1) ** 2), rel=1e-9)


@pytest.mark.parametrize("target", [0.5, 750.0])
def test_another_target_scales_its_excess(target):
    """Karras et al. 2017: (|slope| - 750)^2 / 750^2."""
    found = value(gradient_penalty(target=target), linear)
    assert found == pytest.approx(10 * (NORM / target - 1) ** 2, rel=1e-9)


def test_one_sided_leaves_small_slopes_alone():
    shrunk = REAL / lengths(REAL)[:, None, None] * np.array([0.5, 0.9, 3.0])[:, None, None]
    both = value(gradient_penalty(weight=1.0, at="real"), quadratic, real=shrunk)
    one = value(gradient_penalty(weight=1.0, at="real", one_sided=True), quadratic, real=shrunk)
    assert both == pytest.approx((0.25 + 0.01 + 4) / 3, rel=1e-9) and one == pytest.approx(4 / 3, rel=1e-9)


def test_r1_is_half_the_squared_norm_at_real_examples():
    assert value(r1(weight=3.0), quadratic) == pytest.approx(1.5 * np.mean(lengths(REAL) ** 2), rel=1e-9)
    assert value(r1(), linear) == pytest.approx(5 * NORM**2, rel=1e-9)


def test_drift_is_the_squared_score_of_real_examples_alone():
    scores = 0.5 * lengths(REAL) ** 2
    assert value(drift(weight=0.5), quadratic) == pytest.approx(0.5 * np.mean(scores**2), rel=1e-9)
    other = value(drift(weight=0.5), quadratic, fake=FAKE * 9)
    assert other == value(drift(weight=0.5), quadratic)


def test_the_penalty_is_differentiated_through_the_gradient():
    """D(x) = s <W, x> has slope s |W|: d penalty / d s = 2 * 10 (s |W| - 1) |W|; R1's is 10 s |W|^2."""
    s = keras.Variable(np.float64(0.7), dtype="float64")
    expected = {"gradient_penalty": 20 * (0.7 * NORM - 1) * NORM, "r1": 10 * 0.7 * NORM**2}
    for name, slope in expected.items():
        result = autodiff.value_and_grad(
            lambda name=name: (PENALTIES.get(name)()(critic_batch(lambda x: s * linear(x))), {}), [s]
        )
        assert float(result.gradients[0]) == pytest.approx(slope, rel=1e-9), name


@pytest.mark.parametrize("name", list(PENALTIES))
def test_gradients_by_the_weights_are_the_finite_differences(name):
    """A critic that is nothing in particular, so that no term of the second derivative is zero."""
    kernel = keras.Variable(normal(4, 3, seed=2), dtype="float64")
    penalty, h = PENALTIES.get(name)(), 1e-5

    def critic(x):
        return ops.sum(ops.tanh(ops.matmul(ops.reshape(x, (-1, 4)), kernel)), axis=1, keepdims=True)

    def loss():
        return penalty(critic_batch(critic)), {}

    gradient = np.array(autodiff.value_and_grad(loss, [kernel]).gradients[0])
    for at in ((0, 0), (3, 2), (1, 1)):
        sides = []
        for sign in (1, -1):
            moved = np.array(kernel)
            moved[at] += sign * h
            with autodiff.overlay([(kernel, tensor(moved))]):
                sides.append(float(loss()[0]))
        assert gradient[at] == pytest.approx((sides[0] - sides[1]) / (2 * h), rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("name", list(PENALTIES))
def test_a_penalty_is_a_scalar_that_is_never_negative(name):
    for critic in (linear, quadratic, lambda x: -linear(x)):
        found = PENALTIES.get(name)()(critic_batch(critic))
        assert found.shape == () and float(found) >= 0
