"""Gradients: the right numbers, no side effects, and only those kept that are asked for."""

import keras
import numpy as np
import pytest
from keras import ops

from zoo.core.errors import UsageError
from zoo.nn import autodiff


def variable(*values, **kwargs):
    return keras.Variable(np.array(values, "float32"), **kwargs)


def numpy(x):
    return ops.convert_to_numpy(x)


def test_value_and_gradient_of_a_quadratic():
    x = variable(1.0, -2.0, 3.0)
    result = autodiff.value_and_grad(lambda: (ops.sum(x**2 * ops.arange(1.0, 4.0)), {}), [x])
    assert float(result.value) == 1 + 8 + 27
    np.testing.assert_allclose(numpy(result.gradients[0]), [2, -8, 18], rtol=1e-6)


def test_gradients_come_in_the_order_of_the_variables():
    x, y = variable(2.0), variable(5.0)
    result = autodiff.value_and_grad(lambda: (ops.sum(x**2 * y), {}), [y, x])
    assert [float(g[0]) for g in result.gradients] == pytest.approx([4, 20])


def test_what_is_not_asked_for_is_a_constant():
    x, y = variable(2.0), variable(5.0)
    result = autodiff.value_and_grad(lambda: (ops.sum(x * y), {}), [x])
    assert len(result.gradients) == 1 and float(result.gradients[0][0]) == 5


def test_rows_that_a_batch_looks_up_twice_add_up():
    """Adam's second moment is (1 - beta_2) times the square of the sum: 0.1 (1 + 2)^2 for row 1, 0.1 x 4^2 for 0."""
    table, adam = keras.layers.Embedding(3, 1), keras.optimizers.Adam(0.01, beta_2=0.9)
    table.build()
    adam.build(table.trainable_variables)
    ids, weights = ops.convert_to_tensor([1, 0, 1]), ops.convert_to_tensor([[1.0], [4.0], [2.0]])
    result = autodiff.value_and_grad(lambda: (ops.sum(table(ids) * weights), {}), table.trainable_variables)
    np.testing.assert_allclose(numpy(result.gradients[0]), [[4], [3], [0]], rtol=1e-6)
    adam.apply(result.gradients, table.trainable_variables)
    np.testing.assert_allclose(numpy(adam._velocities[0]), [[1.6], [0.9], [0]], rtol=1e-5)


def test_an_unconnected_variable_has_gradient_zero_of_its_shape():
    x, y = variable(2.0), variable(1.0, 2.0, 3.0)
    _, gradient = autodiff.value_and_grad(lambda: (ops.sum(x), {}), [x, y]).gradients
    np.testing.assert_array_equal(numpy(gradient), [0, 0, 0])


def test_extras_are_handed_through():
    x = variable(2.0)
    result = autodiff.value_and_grad(lambda: (ops.sum(x), {"image": x * 3}), [x])
    assert list(result.extras) == ["image"] and float(result.extras["image"][0]) == 6


def test_gradient_through_a_network_with_batch_norm_is_the_finite_difference():
    layers = [
        keras.layers.Dense(4, dtype="float64"),
        keras.layers.BatchNormalization(dtype="float64"),
        keras.layers.Dense(1, activation="tanh", dtype="float64"),
    ]
    network = keras.Sequential([keras.Input((3,), dtype="float64"), *layers])
    x = np.random.RandomState(0).standard_normal((5, 3))

    def loss():
        return ops.sum(network(x, training=True)), {}

    kernel = network.trainable_variables[0]
    gradient = numpy(autodiff.value_and_grad(loss, network.trainable_variables).gradients[0])
    start, h = numpy(kernel), 1e-6
    for at in ((0, 0), (2, 3)):
        sides = []
        for sign in (1, -1):
            moved = start.copy()
            moved[at] += sign * h
            with autodiff.overlay([(kernel, ops.convert_to_tensor(moved))]):
                sides.append(float(loss()[0]))
        assert gradient[at] == pytest.approx((sides[0] - sides[1]) / (2 * h), rel=1e-5)


@pytest.fixture
def network():
    """Dropout and batch norm: a seed and two moving statistics change when it is called in training mode."""
    layers = [
        keras.layers.Dropout(0.5, seed=1),
        keras.layers.BatchNormalization(momentum=0.9, name="norm"),
        keras.layers.Dense(1),
    ]
    return keras.Sequential([keras.Input((4,)), *layers])


def called(network):
    x = np.random.RandomState(0).standard_normal((8, 4)).astype("float32")
    return autodiff.value_and_grad(lambda: (ops.mean(network(x, training=True)), {}), network.trainable_variables)


def state(network):
    return {v.path: numpy(v) for v in network.variables}


def changed(before, network):
    return {path for path, value in state(network).items() if not np.array_equal(value, before[path])}


def test_nothing_changes_until_it_is_kept(network):
    before = state(network)
    called(network)
    assert changed(before, network) == set()


def test_keep_writes_what_is_asked_and_nothing_else(network):
    before, result = state(network), called(network)
    norm = network.get_layer("norm")
    result.keep([norm.moving_mean])
    assert changed(before, network) == {norm.moving_mean.path}
    result.keep(network.non_trainable_variables)
    seeds = {v.path for v in network.variables if "seed" in v.path}
    assert len(seeds) == 1 and changed(before, network) == {norm.moving_mean.path, norm.moving_variance.path} | seeds


def test_keep_of_trainable_weights_leaves_them_as_they_are(network):
    before, result = state(network), called(network)
    result.keep(network.trainable_variables)
    assert changed(before, network) == set()


def test_keep_writes_the_value_that_the_call_computed(network):
    result, norm = called(network), network.get_layer("norm")
    result.keep(network.non_trainable_variables)
    network.get_layer("norm").moving_mean.assign(np.zeros(4))
    result.keep([norm.moving_mean])
    np.testing.assert_array_equal(numpy(norm.moving_mean), numpy(result.updates[id(norm.moving_mean)]))


def test_dropout_draws_new_masks_only_when_its_seed_was_kept(network):
    first = called(network)
    again = called(network)
    assert float(first.value) == float(again.value)  # the seed was dropped: the same mask
    again.keep(network.non_trainable_variables)
    assert float(called(network).value) != float(first.value)


def test_gradient_by_the_input():
    x = ops.convert_to_tensor(np.array([[1.0, -2.0], [3.0, 0.5]], "float32"))
    gradient = autodiff.input_gradient(lambda t: ops.sum(t**3), x)
    np.testing.assert_allclose(numpy(gradient), [[3, 12], [27, 0.75]], rtol=1e-6)


def test_gradient_by_an_input_that_does_not_matter_is_zero():
    gradient = autodiff.input_gradient(lambda t: ops.sum(ops.zeros((2,)) + 1.0), ops.ones((2, 3)))
    np.testing.assert_array_equal(numpy(gradient), np.zeros((2, 3)))


def test_gradient_by_the_input_can_be_differentiated_by_the_weights():
    """f = sum(w x^2): df/dx = 2 w x; sum of its squares is 4 w^2 x^2, whose derivative by w is 8 w x^2."""
    w, x = variable(1.5, -0.5), ops.convert_to_tensor(np.array([2.0, 3.0], "float32"))

    def loss():
        return ops.sum(ops.square(autodiff.input_gradient(lambda t: ops.sum(w * t**2), x))), {}

    result = autodiff.value_and_grad(loss, [w])
    assert float(result.value) == pytest.approx(4 * (9 + 2.25), rel=1e-6)
    np.testing.assert_allclose(numpy(result.gradients[0]), [8 * 1.5 * 4, 8 * -0.5 * 9], rtol=1e-6)


def test_gradient_by_the_input_sees_the_weights_of_the_overlay():
    w = variable(2.0)
    with autodiff.overlay([(w, ops.convert_to_tensor([5.0]))]):
        gradient = autodiff.input_gradient(lambda t: ops.sum(w * t), ops.ones((3,)))
    np.testing.assert_array_equal(numpy(gradient), [5, 5, 5])


def test_gradient_by_the_input_leaves_no_side_effect(network):
    """Neither at once, nor as an update that could be kept: points between images are no examples."""
    before = state(network)
    x = ops.convert_to_tensor(np.random.RandomState(0).standard_normal((8, 4)).astype("float32"))

    def loss():
        return ops.sum(autodiff.input_gradient(lambda t: ops.sum(network(t, training=True) ** 2), x)), {}

    loss()
    assert changed(before, network) == set()
    result = autodiff.value_and_grad(loss, network.trainable_variables)
    result.keep(network.variables)
    assert result.updates == {} and changed(before, network) == set()


def test_an_overlay_gives_other_values_inside_and_none_outside():
    x = variable(2.0)
    with autodiff.overlay([(x, ops.convert_to_tensor([7.0]))]):
        assert float((x * 1)[0]) == 7
    assert float((x * 1)[0]) == 2


def test_it_is_a_function_of_the_weights_when_traced():
    """The tape must see the weights of each call, not those at the time of tracing."""
    import tensorflow as tf

    x = variable(1.0)
    traced = tf.function(lambda: autodiff.value_and_grad(lambda: (ops.sum(x**3), {}), [x]).gradients)
    for value in (1.0, 2.0):
        x.assign([value])
        assert float(traced()[0][0]) == pytest.approx(3 * value**2)


def test_another_backend_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "numpy")
    with pytest.raises(UsageError, match="KERAS_BACKEND must be one of tensorflow, jax, torch, received 'numpy'"):
        autodiff.value_and_grad(lambda: (0.0, {}), [])
