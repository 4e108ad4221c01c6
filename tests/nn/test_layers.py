"""Every layer of the zoo: values by hand, a config that survives, weights that learn, an ONNX graph that agrees."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from zoo.core.registry import signature_of
from zoo.nn import layers_grouped
from zoo.nn.layer_registry import INITIALIZERS, LAYERS
from zoo.nn.layers import (
    EqualizedConv2D,
    EqualizedDense,
    Fade,
    Maxout,
    MinibatchStdDev,
    OneHot,
    PixelNorm,
    ReflectionPadding2D,
)
from zoo.nn.layers_conditional import ConditionalBatchNormalization, MinibatchDiscrimination, NoiseDropout
from zoo.nn.layers_grouped import GroupedConv2D
from zoo.nn.layers_learned import Bias, FilteredDownSampling2D, FilteredUpSampling2D, LearnedMap, Scale, Slice
from zoo.nn.layers_spectral import SelfAttention, SpectralConv2D, SpectralDense, SpectralEmbedding
from zoo.nn.layers_words import BagOfWords
from zoo.spec.shapes import RULES, ShapeError
from zoo.spec.validate import names_of


def normal(*shape, seed=0):
    return np.random.RandomState(seed).standard_normal(shape).astype("float32")


IDS = np.array([0, 4, 2, 2], "int64")
WORDS = np.array([[1, 4, 0], [2, 0, 0], [3, 3, 1], [0, 0, 0]], "int32")  # 0 fills up
SPECIAL = {
    "OneHot": ({"classes": 5}, IDS),
    "SpectralEmbedding": ({"input_dim": 5, "output_dim": 3}, IDS),
    "BagOfWords": ({"input_dim": 5, "output_dim": 3}, WORDS),
    "SelfAttention": ({}, normal(4, 6, 4, 8)),
    "ConditionalBatchNormalization": ({"spectral": True}, [normal(4, 3, 3, 5), normal(4, 6, seed=1)]),
    "NoiseDropout": ({"rate": 0.25}, [normal(4, 3, 3, 5), np.linspace(0, 1, 20, dtype="float32").reshape(4, 1, 1, 5)]),
}  # fmt: skip
ARGUMENTS = {"kernel_size": 3, "units": 6, "pieces": 2, "filters": 5}


def example(name):
    """A layer of this name with the arguments that it must have, and a batch of 4 that its shape rule accepts."""
    if name in SPECIAL:
        args, x = SPECIAL[name]
        return LAYERS.get(name)(**args), x
    parameters = signature_of(LAYERS.get(name)).parameters.values()
    needed = [p.name for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    assert set(needed) <= set(ARGUMENTS), f"say in ARGUMENTS or SPECIAL what '{name}' is made with"
    args = {key: ARGUMENTS[key] for key in needed}
    full = LAYERS.bind(name, args)
    for shape in ((12,), (8, 8, 4)):
        try:
            RULES[name]([shape], full)
        except ShapeError:
            continue
        return LAYERS.get(name)(**args), np.random.RandomState(0).standard_normal((4, *shape)).astype("float32")
    raise AssertionError(f"give '{name}' an example in SPECIAL")


def listed(x):
    """The inputs of an example: one, or a list of them."""
    return x if isinstance(x, list) else [x]


def call(layer, x, **kwargs):
    return ops.convert_to_numpy(layer(x, **kwargs))


@pytest.mark.parametrize("name", list(LAYERS))
def test_shape_is_the_promised_one(name):
    layer, x = example(name)
    inputs = [keras.Input(part.shape[1:], batch_size=len(part), dtype=str(part.dtype)) for part in listed(x)]
    promised = layer(inputs if len(inputs) > 1 else inputs[0]).shape
    assert call(layer, x).shape == tuple(promised)


@pytest.mark.parametrize("name", list(LAYERS))
def test_config_round_trip_computes_the_same(name):
    layer, x = example(name)
    y = call(layer, x)
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(twin) is type(layer) and twin.get_config() == layer.get_config()
    twin(x)
    twin.set_weights(layer.get_weights())
    np.testing.assert_array_equal(call(twin, x), y)


@pytest.mark.parametrize("name", list(LAYERS))
def test_config_holds_every_argument(name):
    """An argument that is not in the config comes back as its default."""
    layer, _ = example(name)
    assert names_of("layer")[name]["properties"].keys() <= layer.get_config().keys()


@pytest.mark.parametrize("name", list(LAYERS))
def test_one_gradient_step_moves_every_weight_and_lowers_the_loss(name):
    import tensorflow as tf

    layer, x = example(name)
    layer(x)
    if name == "SelfAttention":
        layer.scale.assign(0.5)  # from its 0 no gradient reaches the maps
        for _ in range(30):
            layer(x, training=True)  # else sigma moves more than the weights
    if not layer.trainable_variables:
        return

    def loss():
        return ops.mean(ops.square(layer(x, training=True) - 1.0))

    with tf.GradientTape() as tape:
        first = loss()
    gradients = tape.gradient(first, [v.value for v in layer.trainable_variables])
    before = [ops.convert_to_numpy(v) for v in layer.trainable_variables]
    keras.optimizers.SGD(1e-3).apply(gradients, layer.trainable_variables)
    after = [ops.convert_to_numpy(v) for v in layer.trainable_variables]
    assert all(not np.array_equal(old, new) for old, new in zip(before, after, strict=True))
    assert float(loss()) < float(first)


@pytest.mark.parametrize("name", list(LAYERS))
def test_onnx_computes_the_same(name):
    import onnxruntime
    import tensorflow as tf
    import tf2onnx

    layer, x = example(name)
    y, names = call(layer, x), [f"x{i}" for i in range(len(listed(x)))]
    signature = [tf.TensorSpec((None, *part.shape[1:]), part.dtype, name=n)
                 for n, part in zip(names, listed(x), strict=True)]  # fmt: skip

    @tf.function(input_signature=signature)
    def function(*inputs):
        return {"y": layer(list(inputs) if len(inputs) > 1 else inputs[0], training=False)}

    model, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=17)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feed = dict(zip(names, listed(x), strict=True))
    np.testing.assert_allclose(session.run(["y"], feed)[0], y, rtol=0, atol=1e-5)
    two = [part[:2] for part in listed(x)]
    fewer = session.run(["y"], dict(zip(names, two, strict=True)))[0]
    np.testing.assert_allclose(fewer, call(layer, two if len(two) > 1 else two[0]), rtol=0, atol=1e-5)


def test_maxout_by_hand():
    layer = Maxout(2, 3)
    layer.build((None, 2))
    layer.set_weights(
        [np.array([[1, -1, 0, 2, 0, 0], [0, 0, 1, 0, -2, 0]], "float32"), np.array([0, 0, 0, 0, 0, 5], "float32")]
    )
    # x = (3, 4): unit 0 has 3, -3, 4; unit 1 has 6, -8, 5.  x = (-1, -1): -1, 1, -1 and -2, 2, 5
    np.testing.assert_array_equal(call(layer, np.array([[3, 4], [-1, -1]], "float32")), [[4, 6], [1, 5]])


def test_maxout_without_bias_has_none():
    layer = Maxout(2, 3, use_bias=False)
    layer.build((None, 2))
    assert [v.shape for v in layer.weights] == [(2, 6)]


def test_maxout_uses_its_initializers():
    layer = Maxout(240, 5, kernel_initializer=keras.initializers.RandomUniform(-0.005, 0.005), bias_initializer="ones")
    layer.build((None, 100))
    kernel, bias = layer.get_weights()
    assert -0.005 <= kernel.min() < -0.00499 and 0.00499 < kernel.max() <= 0.005 and (bias == 1).all()


def test_pixel_norm_has_unit_mean_square_per_pixel():
    y = call(PixelNorm(), 100 * normal(2, 3, 3, 16))
    np.testing.assert_allclose(np.mean(y**2, axis=-1), 1.0, rtol=0, atol=1e-5)
    np.testing.assert_allclose(
        call(PixelNorm(), np.array([[3.0, 4.0]], "float32")), [[3 / np.sqrt(12.5), 4 / np.sqrt(12.5)]], rtol=1e-6
    )


def test_pixel_norm_of_zero_is_zero():
    np.testing.assert_array_equal(call(PixelNorm(), np.zeros((1, 4), "float32")), 0)


@pytest.mark.parametrize("group", [None, 4, 2])
def test_minibatch_stddev_by_numpy(group):
    x = normal(8, 3, 2, 5)
    y = call(MinibatchStdDev(group), x)
    size = group or 8
    expected = np.empty((8, 3, 2, 1))
    for m in range(8 // size):  # members of a group stand 8 / size apart, as in the authors' reshape
        members = slice(m, None, 8 // size)
        expected[members] = np.sqrt(x[members].astype("float64").var(axis=0) + 1e-8).mean()
    np.testing.assert_array_equal(y[..., :5], x)
    np.testing.assert_allclose(y[..., 5:], expected, rtol=1e-5)


def test_minibatch_stddev_is_one_map_of_one_number():
    y = call(MinibatchStdDev(), normal(6, 4, 4, 3))
    assert y.shape == (6, 4, 4, 4) and np.unique(y[..., 3]).size == 1 and 0.7 < y[0, 0, 0, 3] < 1.1


def test_minibatch_stddev_of_a_constant_batch_is_nearly_zero_and_has_a_finite_gradient():
    import tensorflow as tf

    x = tf.constant(np.repeat(normal(1, 4, 4, 3), 6, axis=0))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = MinibatchStdDev()(x)[..., 3]
    np.testing.assert_allclose(y, 1e-4, rtol=1e-3)  # sqrt(epsilon)
    assert np.isfinite(tape.gradient(y, x)).all()


def test_equalized_dense_scales_at_run_time_and_leaves_the_bias():
    layer = EqualizedDense(5)
    layer.build((None, 50))
    kernel, bias = normal(50, 5), normal(5, seed=1)
    layer.set_weights([kernel, bias])
    x = normal(3, 50, seed=2)
    np.testing.assert_allclose(call(layer, x), x @ kernel * math.sqrt(2 / 50) + bias, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "make, fan_in", [(lambda **k: EqualizedDense(400, **k), 90), (lambda **k: EqualizedConv2D(400, 3, **k), 90)]
)
def test_equalized_layers_store_a_standard_normal(make, fan_in):
    layer = make()
    layer.build((None, 90) if isinstance(layer, EqualizedDense) else (None, 8, 8, 10))
    kernel, bias = layer.get_weights()
    assert abs(kernel.mean()) < 4 / math.sqrt(kernel.size) and abs(kernel.std() - 1) < 4 / math.sqrt(2 * kernel.size)
    assert (bias == 0).all() and layer.scale == pytest.approx(math.sqrt(2 / fan_in), rel=1e-12)


def test_equalized_gain_is_an_argument():
    one, root = EqualizedDense(4, gain=1.0), EqualizedDense(4)
    for layer in (one, root):
        layer.build((None, 9))
    root.set_weights(one.get_weights())
    x = normal(2, 9)
    np.testing.assert_allclose(call(root, x), math.sqrt(2) * call(one, x), rtol=1e-5)


@pytest.mark.parametrize(
    "strides, padding, size", [(1, "same", 6), (2, "same", 3), (1, "valid", 4), ((2, 1), "valid", None)]
)
def test_equalized_conv_is_a_convolution_with_the_scaled_kernel(strides, padding, size):
    layer = EqualizedConv2D(3, 3, strides=strides, padding=padding)
    layer.build((None, 6, 6, 2))
    kernel, bias = normal(3, 3, 2, 3), normal(3, seed=1)
    layer.set_weights([kernel, bias])
    plain = keras.layers.Conv2D(3, 3, strides=strides, padding=padding)
    plain.build((None, 6, 6, 2))
    plain.set_weights([kernel * math.sqrt(2 / 18), bias])
    x = normal(2, 6, 6, 2, seed=2)
    y = call(layer, x)
    np.testing.assert_allclose(y, call(plain, x), rtol=0, atol=1e-5)
    assert y.shape == ((2, size, size, 3) if size else (2, 2, 4, 3))


@pytest.mark.parametrize("padding", [1, 3, (2, 1)])
def test_reflection_padding_is_numpys(padding):
    x = normal(2, 5, 4, 3)
    h, w = (padding, padding) if isinstance(padding, int) else padding
    expected = np.pad(x, ((0, 0), (h, h), (w, w), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(call(ReflectionPadding2D(padding), x), expected)


def test_fade_is_alpha_times_x_and_alpha_is_never_trained():
    layer, x = Fade(0.25), normal(2, 3)
    np.testing.assert_array_equal(call(layer, x), 0.25 * x)
    layer.alpha.assign(0.75)
    np.testing.assert_array_equal(call(layer, x), np.float32(0.75) * x)
    assert layer.trainable_variables == [] and layer.get_weights() == [0.75]
    assert call(Fade(), x).tolist() == x.tolist()


@pytest.mark.parametrize("dtype", ["int64", "int32", "float32"])
def test_one_hot(dtype):
    y = call(OneHot(3), np.array([2, 0, 1], dtype))
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, [[0, 0, 1], [1, 0, 0], [0, 1, 0]])


def test_every_layer_has_a_shape_rule():
    assert set(LAYERS) <= set(RULES)


# Spectral layers: Keras's own with the kernel over sigma, and the power iteration that finds it.

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


def test_spectral_embedding_divides_the_whole_table_and_has_a_u_for_each_class():
    layer = SpectralEmbedding(5, 3)
    layer(IDS)
    table, u = layer.get_weights()
    assert u.shape == (5,)
    for _ in range(60):
        layer.sigma(training=True)
    expected = table / np.linalg.norm(table, 2)
    np.testing.assert_allclose(call(layer, IDS), expected[IDS], rtol=0, atol=1e-5)


def test_a_bag_of_words_is_their_sum_over_the_root_of_their_number():
    layer = BagOfWords(5, 3)
    layer(WORDS)
    (table,) = layer.get_weights()
    expected = [(table[1] + table[4]) / np.sqrt(2), table[2], (2 * table[3] + table[1]) / np.sqrt(3), 0 * table[0]]
    np.testing.assert_allclose(call(layer, WORDS), expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(call(layer, WORDS[:1, [1, 2, 0]]), call(layer, WORDS[:1]))  # order does not count


# Attention: the authors' block, by NumPy.


def test_self_attention_by_numpy():
    layer, x = SelfAttention(spectral=False), normal(2, 4, 6, 8)
    np.testing.assert_array_equal(call(layer, x), x)  # the scalar is 0 at the start
    layer.scale.assign(0.5)
    theta, phi, g, o = (
        ops.convert_to_numpy(layer.kernels[name]).astype("float64") for name in ("theta", "phi", "g", "o")
    )
    pooled = [(x @ kernel).reshape(2, 2, 2, 3, 2, -1).max((2, 4)).reshape(2, 6, -1) for kernel in (phi, g)]
    scores = (x @ theta).reshape(2, 24, 1) @ pooled[0].transpose(0, 2, 1)  # no division by a root
    weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    expected = x + 0.5 * ((weights @ pooled[1]).reshape(2, 4, 6, 4) @ o)
    np.testing.assert_allclose(call(layer, x), expected, rtol=0, atol=1e-5)


def test_self_attention_has_spectral_norm_on_its_four_maps_and_one_scalar():
    layer = SelfAttention()
    layer(normal(1, 4, 4, 16))
    assert sum(v.shape == () for v in layer.trainable_weights) == 1 and len(layer.trainable_weights) == 5
    assert sum(int(np.prod(v.shape)) for v in layer.trainable_weights) == 16 * 16 * 5 // 4 + 1
    before = {name: ops.convert_to_numpy(u) for name, u in layer.us.items()}
    layer.scale.assign(1.0)
    y = call(layer, normal(1, 4, 4, 16))
    for kernel in layer.kernels.values():
        kernel.assign(3.0 * kernel)
    np.testing.assert_allclose(call(layer, normal(1, 4, 4, 16)), y, rtol=0, atol=1e-5)  # W / sigma(W)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer.us["phi"]), before["phi"])  # inference moves no u
    layer(normal(1, 4, 4, 16), training=True)
    assert all(not np.array_equal(ops.convert_to_numpy(u), before[name]) for name, u in layer.us.items())


# Conditions.


def test_conditional_batch_norm_of_class_ids_begins_as_plain_batch_norm():
    layer, x, ids = ConditionalBatchNormalization(classes=5, epsilon=2e-5), normal(4, 3, 3, 2), IDS
    y = call(layer, [x, ids], training=True)
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    normalised = (x - mean) / np.sqrt(variance + 2e-5)
    np.testing.assert_allclose(y, normalised, rtol=0, atol=1e-5)
    gammas, betas = normal(5, 2), normal(5, 2, seed=1)
    layer.gammas.assign(gammas), layer.betas.assign(betas)
    expected = gammas[ids][:, None, None] * normalised + betas[ids][:, None, None]
    np.testing.assert_allclose(call(layer, [x, ids], training=True), expected, rtol=0, atol=1e-5)
    assert [v.name for v in layer.trainable_weights] == ["gammas", "betas"]


def test_conditional_batch_norm_of_a_vector_adds_its_gain_to_one():
    """Brock et al. 2018: gain = 1 + c W, bias = c V; the mistake is a gain without the 1."""
    layer, x, c = ConditionalBatchNormalization(epsilon=1e-5), normal(4, 3), normal(4, 6, seed=1)
    layer([x, c])
    w, v = normal(6, 3, seed=2), normal(6, 3, seed=3)
    layer.gammas.assign(w), layer.betas.assign(v)
    layer.moving_mean.assign([1.0, 2.0, 3.0]), layer.moving_variance.assign([4.0, 1.0, 0.25])
    normalised = (x - [1, 2, 3]) / np.sqrt(np.array([4, 1, 0.25]) + 1e-5)
    np.testing.assert_allclose(call(layer, [x, c]), (1 + c @ w) * normalised + c @ v, rtol=0, atol=1e-4)
    np.testing.assert_allclose(call(layer, [x, 0 * c]), normalised, rtol=0, atol=1e-4)


def test_noise_dropout_is_its_second_input():
    layer, x = NoiseDropout(0.25), normal(2, 2)
    y = call(layer, [x, np.array([[0.0, 0.24], [0.25, 0.99]], "float32")])
    np.testing.assert_allclose(y, [[0, 0], list(x[1] / 0.75)], rtol=1e-6)
    for training in (True, False):
        np.testing.assert_array_equal(
            call(layer, [x, np.ones((2, 1), "float32")], training=training), x / np.float32(0.75)
        )


def test_minibatch_discrimination_by_hand():
    """M = x T; o_b of an example is the sum over the OTHERS of exp(-L1 distance), and a bias of -1."""
    layer = MinibatchDiscrimination(kernels=1, dimensions=2)
    layer.build((None, 2))
    layer.set_weights([np.eye(2, dtype="float32"), np.array([-1.0], "float32")])
    x = np.array([[0, 0], [1, 0], [0, 3]], "float32")
    near = [np.exp(-1) + np.exp(-3), np.exp(-1) + np.exp(-4), np.exp(-3) + np.exp(-4)]
    np.testing.assert_allclose(call(layer, x), np.c_[x, np.array(near) - 1], rtol=0, atol=1e-6)
    alone = MinibatchDiscrimination(kernels=1, dimensions=2, use_bias=False)
    alone.build((None, 2))
    alone.set_weights([np.eye(2, dtype="float32")])
    np.testing.assert_allclose(call(alone, x[:1]), [[0, 0, 0]], rtol=0, atol=1e-6)  # itself does not count


def test_minibatch_discrimination_tells_a_collapsed_batch():
    layer, x = MinibatchDiscrimination(), normal(8, 12)
    varied, same = call(layer, x)[:, 12:], call(layer, np.repeat(x[:1], 8, axis=0))[:, 12:]
    np.testing.assert_allclose(same, 7 - 1, rtol=0, atol=1e-5)
    assert varied.mean() < 2


# Learned scalars and maps, slices, filters.


def test_scale_and_bias():
    x = normal(2, 3, 3, 4)
    np.testing.assert_array_equal(call(Scale(0.0), x), 0 * x)
    channels = Scale(per_channel=True)
    channels.build(x.shape)
    channels.set_weights([np.arange(4, dtype="float32")])
    np.testing.assert_array_equal(call(channels, x), x * np.arange(4, dtype="float32"))
    bias = Bias()
    bias.build(x.shape)
    bias.set_weights([np.arange(4, dtype="float32")])
    np.testing.assert_array_equal(call(bias, x), x + np.arange(4, dtype="float32"))


def test_learned_map_has_a_number_of_x_times_each_channel():
    layer, x = LearnedMap([2, 3]), normal(4, 5)
    y = call(layer, x)
    (table,) = layer.get_weights()
    np.testing.assert_allclose(y, table[None] * x[:, None, None], rtol=1e-6)
    many = LearnedMap(40)
    many.build((None, 20))
    assert abs(many.get_weights()[0].std() - 1) < 0.02 and abs(many.get_weights()[0].mean()) < 0.03


@pytest.mark.parametrize("args, index", [
    ({"end": 2}, np.s_[..., :2]), ({"begin": -2}, np.s_[..., -2:]), ({"begin": 1, "end": 3, "axis": 1}, np.s_[:, 1:3]),
    ({"begin": 1, "end": -1, "axis": -2}, np.s_[:, :, 1:-1]),
])  # fmt: skip
def test_slice(args, index):
    x = normal(2, 4, 5, 6)
    np.testing.assert_array_equal(call(Slice(**args), x), x[index])


FIR = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


def test_filtered_up_sampling_is_zeros_in_between_and_the_filter_with_a_gain_of_four():
    x = normal(2, 3, 5, 2)
    spread = np.zeros((2, 6 + 3, 10 + 3, 2))
    spread[:, 2:8:2, 2:12:2] = x  # torch's upfirdn: 2 zeros before, 1 after, and the zero behind each pixel
    expected = sum(4 * FIR[i, j] * spread[:, i : i + 6, j : j + 10] for i in range(4) for j in range(4))
    np.testing.assert_allclose(call(FilteredUpSampling2D(), x), expected, rtol=0, atol=1e-6)


def test_filtered_down_sampling_is_the_filter_and_every_second_pixel():
    x = normal(2, 4, 6, 2)
    wide = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = sum(FIR[i, j] * wide[:, i : i + 3 : 2, j : j + 5 : 2] for i in range(4) for j in range(4))
    np.testing.assert_allclose(call(FilteredDownSampling2D(), x), expected, rtol=0, atol=1e-6)


def test_a_constant_image_stays_constant_inside():
    y = call(FilteredDownSampling2D(), call(FilteredUpSampling2D(), np.ones((1, 6, 6, 1), "float32")))
    np.testing.assert_allclose(y[0, 1:-1, 1:-1], 1, rtol=0, atol=1e-6)


def test_fixup_shrinks_with_the_number_of_blocks():
    values = ops.convert_to_numpy(INITIALIZERS.get("Fixup")(blocks=8)((3, 3, 16, 400)))
    expected = math.sqrt(2 / 1.04) * 8**-0.25 / math.sqrt(3 * 3 * 16)
    assert values.std() == pytest.approx(expected, rel=0.02) and abs(values.max()) > 3.5 * expected  # not truncated


def test_groups_in_bundles_are_groups(monkeypatch):
    """Two bundles of two groups; the kernel of a bundle has zeros where it joins groups."""
    layer, x = GroupedConv2D(12, 3, groups=4, padding="same"), normal(2, 7, 6, 8)
    outputs = []
    for wide in (2, 4):  # two channels in a group
        monkeypatch.setattr(layers_grouped, "WIDE", wide)
        outputs.append(call(layer, x))
    np.testing.assert_allclose(outputs[1], outputs[0], rtol=0, atol=1e-5)
    joined = ops.convert_to_numpy(layers_grouped.bundled(layer.kernel, 4, 2))
    assert joined.shape == (3, 3, 4, 12) and np.count_nonzero(joined) == joined.size // 2
    assert not joined[:, :, 2:, :3].any() and not joined[:, :, :2, 3:6].any() and joined[:, :, :2, 6:9].all()


@pytest.mark.parametrize("wide", [1, 32])  # each group by itself, and both together
@pytest.mark.parametrize("args", [{"padding": "same"}, {"strides": 2, "padding": "same"}, {"dilation_rate": 2}])
def test_groups_are_convolved_apart_with_first_and_second_derivatives(args, wide, monkeypatch):
    """Keras's own is compiled by XLA here, its second derivatives take seconds: they are compared with a dense one."""
    import tensorflow as tf

    monkeypatch.setattr(layers_grouped, "WIDE", wide)
    layer, x = GroupedConv2D(6, 3, groups=2, **args), tf.constant(normal(2, 7, 6, 4))
    plain = keras.layers.Conv2D(6, 3, groups=2, **args)
    y = layer(x)
    plain.build(x.shape)
    plain.set_weights(layer.get_weights())
    np.testing.assert_allclose(y, plain(x), rtol=0, atol=1e-5)
    kernel = np.zeros((3, 3, 4, 6), "float32")  # the same as one of blocks on a diagonal
    kernel[:, :, :2, :3], kernel[:, :, 2:, 3:] = np.split(layer.get_weights()[0], 2, axis=-1)
    dense = keras.layers.Conv2D(6, 3, **args)
    dense.build(x.shape)
    dense.set_weights([kernel, layer.get_weights()[1]])
    gradients = []
    for made in (layer, dense):
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(x)
                slope = tf.reduce_sum(made(x) ** 2)
            penalty = tf.reduce_sum(inner.gradient(slope, x) ** 2)
        gradients.append(outer.gradient(penalty, made.kernel.value).numpy())
    blocks = np.concatenate([gradients[1][:, :, :2, :3], gradients[1][:, :, 2:, 3:]], axis=-1)
    np.testing.assert_allclose(gradients[0], blocks, rtol=1e-4, atol=1e-2)
