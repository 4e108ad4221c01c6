"""Spectral layers: Keras's own with the kernel over sigma, and the power iteration that finds it."""

import keras
import numpy as np
import pytest
from keras import ops

from zoo.nn.layers import SpectralConv2D, SpectralDense
from zoo.spec.validate import names_of


def call(layer, x, **kwargs):
    return ops.convert_to_numpy(layer(x, **kwargs))


def normal(*shape, seed=0):
    return np.random.RandomState(seed).standard_normal(shape).astype("float32")


SPECTRAL = {
    "dense": (lambda **k: SpectralDense(5, **k), lambda **k: keras.layers.Dense(5, **k), (7,)),
    "conv": (lambda **k: SpectralConv2D(5, 3, **k), lambda **k: keras.layers.Conv2D(5, 3, **k), (6, 6, 4)),
}


@pytest.fixture(params=list(SPECTRAL))
def spectral(request):
    """A spectral layer with a bias and weights of some size, and inputs for it."""
    make, _, shape = SPECTRAL[request.param]
    layer = make()
    layer.build((None, *shape))
    layer.set_weights([normal(*layer.kernel.shape), normal(5, seed=1), normal(5, seed=2)])
    return layer, normal(3, *shape, seed=3)


def matrix(layer):
    """W [out, everything else], the kernel's last axis being the outputs."""
    return np.moveaxis(ops.convert_to_numpy(layer.kernel).astype("float64"), -1, 0).reshape(layer.kernel.shape[-1], -1)


def iterated(layer):
    """(u, v, sigma) of algorithm 1, from the layer's u."""
    w, u = matrix(layer), ops.convert_to_numpy(layer.u).astype("float64")
    v = w.T @ u / np.linalg.norm(w.T @ u)
    u = w @ v / np.linalg.norm(w @ v)
    return u, v, u @ w @ v


@pytest.mark.parametrize("training", [True, False])
def test_spectral_layers_are_keras_layers_with_the_kernel_over_sigma(spectral, training):
    layer, x = spectral
    plain = SPECTRAL["dense" if isinstance(layer, keras.layers.Dense) else "conv"][1](activation="tanh")
    plain.build((None, *x.shape[1:]))
    kernel, bias, _ = layer.get_weights()
    plain.set_weights([kernel / iterated(layer)[2], bias])
    layer.activation = keras.activations.tanh
    np.testing.assert_allclose(call(layer, x, training=training), call(plain, x), rtol=0, atol=1e-5)


def test_spectral_norm_makes_one_power_iteration_in_each_training_pass(spectral):
    layer, x = spectral
    for _ in range(2):
        expected = iterated(layer)[0]
        call(layer, x, training=True)
        np.testing.assert_allclose(ops.convert_to_numpy(layer.u), expected, rtol=0, atol=1e-6)


def test_spectral_norm_keeps_the_raw_kernel_and_leaves_u_alone_at_inference(spectral):
    """Keras's own wrapper puts W / sigma in the place of W: the next update then starts from there."""
    layer, x = spectral
    kernel, _, u = layer.get_weights()
    call(layer, x)
    np.testing.assert_array_equal(layer.get_weights()[2], u)
    call(layer, x, training=True)
    np.testing.assert_array_equal(layer.get_weights()[0], kernel)


def test_spectral_norm_comes_to_the_largest_singular_value(spectral):
    """Of all rows against all columns: another axis of a convolution's kernel has other singular values."""
    layer, _ = spectral
    for _ in range(60):
        layer.sigma(training=True)
    assert float(layer.sigma(training=False)) == pytest.approx(np.linalg.norm(matrix(layer), 2), rel=1e-4)
    if isinstance(layer, keras.layers.Conv2D):
        wrong = matrix(layer).T.reshape(3, -1)
        assert abs(np.linalg.norm(wrong, 2) / float(layer.sigma(training=False)) - 1) > 0.05


def test_the_gradient_flows_through_sigma_with_u_and_v_constant(spectral):
    """Eq. 12: for f = sum(C * W / sigma), df/dW = (C - (sum(C * W) / sigma) u v^T) / sigma."""
    import tensorflow as tf

    layer, _ = spectral
    u, v, sigma = iterated(layer)
    w, c = matrix(layer), np.random.RandomState(5).standard_normal(matrix(layer).shape)
    weight = np.moveaxis(c.reshape(5, *layer.kernel.shape[:-1]), 0, -1).astype("float32")
    with tf.GradientTape() as tape:
        value = ops.sum(layer.kernel * weight / layer.sigma(training=True))
    gradient = np.moveaxis(tape.gradient(value, layer.kernel.value).numpy(), -1, 0).reshape(w.shape)
    np.testing.assert_allclose(gradient, (c - np.sum(c * w) / sigma * np.outer(u, v)) / sigma, rtol=0, atol=2e-5)


def test_u_is_a_state_and_is_not_trained(spectral):
    layer, _ = spectral
    assert [v.name for v in layer.trainable_weights] == ["kernel", "bias"]
    assert [(v.name, v.shape) for v in layer.non_trainable_weights] == [("u", (5,))]


def test_no_two_spectral_layers_share_u():
    one, two = SpectralDense(50), SpectralDense(50)
    for layer in (one, two):
        layer.build((None, 3))
    assert not np.array_equal(one.get_weights()[2], two.get_weights()[2])
    assert abs(np.std([one.get_weights()[2], two.get_weights()[2]]) - 1) < 0.3


def test_spectral_layers_take_the_arguments_of_keras():
    for name in ("Dense", "Conv2D"):
        ours, theirs = (names_of("layer")[part]["properties"] for part in (f"Spectral{name}", name))
        assert ours == theirs
