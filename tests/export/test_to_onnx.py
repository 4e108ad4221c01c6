"""Graphs that know no height and width: instance norm and up-sampling as the ONNX operators that mean them."""

import dataclasses
from collections import Counter

import keras
import numpy as np
import onnx
import onnx_nets as nets
import pytest
from onnx.reference import ReferenceEvaluator

from zoo.artifact.tensor import Tensor
from zoo.export import to_onnx
from zoo.nn import networks
from zoo.nn.batch_norm import folded
from zoo.spec.sizes import allowed

HEAD = "name: tested\ntitle: Tested\nnetworks:\n  net:\n    inputs: {a: [%d, %d, 3]}\n    output: b\n    layers:\n"
TRANSLATOR = [
    "ReflectionPadding2D: {padding: 3}", "Conv2D: {filters: 4, kernel_size: 7}", "GroupNormalization: {groups: -1}",
    "ReLU", "ZeroPadding2D", "Conv2D: {filters: 6, kernel_size: 3, strides: 2}",
    "GroupNormalization: {groups: 6, epsilon: 1e-5, center: false}", "ReLU", "as: block", "ReflectionPadding2D",
    "Conv2D: {filters: 6, kernel_size: 3}", "BatchNormalization", "Add:\n        from: [x, block]",
    "Conv2D: {filters: 5, kernel_size: 4, strides: 2, padding: same}", "LeakyReLU", "UpSampling2D",
    "Conv2DTranspose: {filters: 4, kernel_size: 3, strides: 2}", "Cropping2D: {cropping: [[1, 0], [0, 1]]}",
    "GroupNormalization: {groups: -1, scale: false}", "Conv2D: {filters: 3, kernel_size: 3, padding: same}",
    "Activation: {activation: tanh}",
]  # fmt: skip


def image(name, *shape, rules=None, of_input=True):
    axes = ("height", "width") if rules else shape[:2]
    stated = rules if of_input else None
    return Tensor(name, "float32", ("batch", *axes, shape[2]), range=(-1.0, 1.0), layout="NHWC", sizes=stated)


def converted(spec_of, layers, height=16, width=24):
    """(ONNX bytes, the Keras network for any size, its plan) with weights and statistics that are not the initial."""
    plan = spec_of(HEAD % (height, width) + "".join(f"      - {layer}\n" for layer in layers)).plans["net"]
    network = networks.build(dataclasses.replace(plan, inputs={"a": (None, None, 3)}))
    random = np.random.RandomState(0)
    network.set_weights([_weights(random, w.shape) for w in network.get_weights()])
    rules = sizes.axes if (sizes := allowed(plan)) else None
    manifest = nets.describe(image("a", height, width, 3, rules=rules),
                          output=image("b", *plan.output_shape, rules=rules, of_input=False))  # fmt: skip
    data = to_onnx.onnx_bytes(folded(plan, network, to_onnx.traced_layers(plan)), plan, manifest, 17)
    return data, network, plan


def _weights(random, shape):
    """Kernels that keep the variance; scales, shifts, means and variances near 1."""
    return (
        random.standard_normal(shape) / np.prod(shape[:-1]) ** 0.5
        if len(shape) > 1
        else random.uniform(0.5, 1.5, shape)
    )


def run(data, a):
    import onnxruntime

    return onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]).run(None, {"a": a})[0]


def graph(data):
    """The nodes and initialisers: all but what names the sizes."""
    model = onnx.load_from_string(data)
    return [n.SerializeToString() for n in model.graph.node], [t.SerializeToString() for t in model.graph.initializer]


@pytest.fixture(scope="module")
def translator(tmp_path_factory):
    from zoo.spec.read import read_spec

    def spec_of(text):
        path = tmp_path_factory.mktemp("convert") / "tested.yaml"
        path.write_text(text)
        return read_spec(path)

    return spec_of, converted(spec_of, TRANSLATOR)


@pytest.mark.parametrize("shape", [(1, 16, 24), (3, 16, 24), (2, 8, 4), (1, 20, 36)])
def test_every_allowed_size_is_keras(translator, shape):
    _, (data, network, plan) = translator
    assert allowed(plan).axes["height"] == {"multiple": 4, "minimum": 4, "trained": 16}
    a = np.random.RandomState(1).uniform(-1, 1, (*shape, 3)).astype(np.float32)
    expected = keras.ops.convert_to_numpy(network({"a": a}, training=False)["b"])
    assert expected.std() > 0.05
    np.testing.assert_allclose(run(data, a), expected, rtol=0, atol=2e-5)


def test_the_operators(translator):
    _, (data, _, _) = translator
    model = onnx.load_from_string(data)
    kinds = Counter(node.op_type for node in model.graph.node)
    assert kinds["InstanceNormalization"] == 3 and kinds["Resize"] == 1 and kinds["Transpose"] <= 2
    assert not kinds.keys() & {"Reshape", "Tile", "Shape", "BatchNormalization", "ReduceMean"}
    axes = [[axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
            for value in (*model.graph.input, *model.graph.output)]  # fmt: skip
    assert axes == [["batch", "height", "width", 3]] * 2
    epsilons = [onnx.helper.get_attribute_value(attribute) for node in model.graph.node
                if node.op_type == "InstanceNormalization" for attribute in node.attribute]  # fmt: skip
    assert epsilons == pytest.approx([1e-3, 1e-5, 1e-3])


def test_the_graph_does_not_depend_on_the_size_that_was_traced(translator):
    spec_of, (data, _, _) = translator
    other, _, _ = converted(spec_of, TRANSLATOR, 40, 28)
    assert graph(other) == graph(data)


def test_instance_norm_is_each_channel_of_each_image(spec_of):
    data, network, _ = converted(spec_of, ["GroupNormalization: {groups: -1, epsilon: 0.25}"])
    gamma, beta = (np.asarray(w) for w in network.get_weights())
    a = (
        np.random.RandomState(1).uniform(-1, 1, (2, 16, 24, 3)).astype(np.float32)
        * np.float32([1, 5])[:, None, None, None]
    )
    mean, variance = a.mean(axis=(1, 2), keepdims=True), a.var(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(run(data, a), (a - mean) / np.sqrt(variance + 0.25) * gamma + beta, rtol=0, atol=1e-5)


def kinds(data):
    return Counter(node.op_type for node in onnx.load_from_string(data).graph.node)


def test_pixel_norm_stays_in_the_layout_of_convolutions(spec_of):
    """tf2onnx alone makes transposes and a reshape of it, between two convolutions that need none."""
    layers = [
        "Conv2D: {filters: 4, kernel_size: 1}",
        "PixelNorm: {epsilon: 0.25}",
        "Conv2D: {filters: 3, kernel_size: 1}",
    ]
    data, network, _ = converted(spec_of, layers)
    assert kinds(data) == {"Transpose": 2, "Conv": 2, "Mul": 1, "ReduceMean": 1, "Add": 1, "Sqrt": 1, "Div": 1}
    a = np.random.RandomState(1).uniform(-1, 1, (2, 16, 24, 3)).astype(np.float32)
    expected = keras.ops.convert_to_numpy(network({"a": a}, training=False)["b"])
    np.testing.assert_allclose(run(data, a), expected, rtol=0, atol=1e-5)


def test_minibatch_statistics_are_operators_of_the_standard():
    """They stand in discriminators; whoever exports one needs no other runtime."""
    import tensorflow as tf
    import tf2onnx

    from zoo.nn.layers import MinibatchStdDev

    layer, signature = MinibatchStdDev(), [tf.TensorSpec((None, 4, 4, 3), "float32", name="x")]
    function = tf.function(lambda x: {"y": layer(x)}, input_signature=signature)
    model, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=17)
    assert {node.domain for node in model.graph.node} == {""}
    found = {node.op_type for node in model.graph.node}
    assert found >= {"ReduceMean", "Sqrt", "Concat"} and not found & {"Loop", "If", "Scan", "SequenceAt"}


def test_up_sampling_repeats_pixels(spec_of):
    data, _, _ = converted(spec_of, ["UpSampling2D: {size: [2, 3]}"])
    a = np.random.RandomState(1).uniform(-1, 1, (2, 16, 24, 3)).astype(np.float32)
    np.testing.assert_array_equal(run(data, a), a.repeat(2, axis=1).repeat(3, axis=2))


@pytest.mark.parametrize(
    "layers",
    [
        ["Conv2DTranspose: {filters: 3, kernel_size: 5, strides: 2, output_padding: 1}"],
        ["Conv2DTranspose: {filters: 5, kernel_size: 2, strides: 3}", "Conv2D: {filters: 3, kernel_size: 1}"],
        ["Conv2DTranspose: {filters: 3, kernel_size: 3, strides: 2, padding: same}", "BatchNormalization"],
        ["Conv2DTranspose: {filters: 3, kernel_size: 2, strides: 3, padding: same, use_bias: false}"],
        ["Conv2D: {filters: 4, kernel_size: 1, activation: gelu}", "Conv2D: {filters: 3, kernel_size: 1}"],
        ["Conv2D: {filters: 6, kernel_size: 3, groups: 3, strides: 2}", "Conv2D: {filters: 3, kernel_size: 1}"],
        ["SeparableConv2D: {filters: 3, kernel_size: 3, strides: 2, padding: same}"],
        ["Conv2D: {filters: 8, kernel_size: 1}", "SelfAttention", "Conv2D: {filters: 3, kernel_size: 1}"],
        ["UpSampling2D: {interpolation: bilinear}"],
    ],
    ids=[
        "output padding",
        "stride above kernel",
        "same",
        "same, stride above kernel",
        "gelu",
        "groups",
        "separable",
        "attention",
        "bilinear",
    ],
)
def test_layers_that_tf2onnx_alone_cannot_convert_are_keras_in_every_engine(spec_of, layers):
    data = agrees_in_every_engine(spec_of, layers)
    assert not kinds(data).keys() & {"Slice", "Shape", "Erfc"}


@pytest.mark.parametrize(
    "layers",
    [
        ["FilteredUpSampling2D", "FilteredDownSampling2D"],
        ["Reshape: {target_shape: [384, 3]}", "Conv1D: {filters: 4, kernel_size: 3, strides: 2}",
         "Conv1DTranspose: {filters: 2, kernel_size: 4, strides: 2, padding: same}",
         "Conv1D: {filters: 3, kernel_size: 1}", "Reshape: {target_shape: [2, 191, 3]}"],
    ],
    ids=["filtered", "sequence"],
)  # fmt: skip
def test_what_leaves_of_other_layers_is_keras_in_every_engine(spec_of, layers):
    agrees_in_every_engine(spec_of, layers)


def agrees_in_every_engine(spec_of, layers):
    """Hold ONNX Runtime and ONNX's own evaluator against Keras. Returns the bytes of the model."""
    data, network, _ = converted(spec_of, layers)
    a = np.random.RandomState(1).uniform(-1, 1, (2, 16, 24, 3)).astype(np.float32)
    expected = keras.ops.convert_to_numpy(network({"a": a}, training=False)["b"])
    np.testing.assert_allclose(run(data, a), expected, rtol=0, atol=2e-5)
    (reference,) = ReferenceEvaluator(onnx.load_from_string(data)).run(None, {"a": a})
    np.testing.assert_allclose(reference, expected, rtol=0, atol=2e-5)
    return data


def test_groups_of_several_channels_are_no_instance_norm(spec_of):
    layers = [
        "Conv2D: {filters: 4, kernel_size: 1}",
        "GroupNormalization: {groups: 2}",
        "Conv2D: {filters: 3, kernel_size: 1}",
    ]
    data, network, plan = converted(spec_of, layers)
    assert not to_onnx.traced_layers(plan) and allowed(plan) is None
    a = np.random.RandomState(1).uniform(-1, 1, (2, 16, 24, 3)).astype(np.float32)
    np.testing.assert_allclose(run(data, a), network({"a": a}, training=False)["b"], rtol=0, atol=2e-5)
