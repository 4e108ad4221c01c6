"""Plans become Keras models: named ends, branches, initialisers, and Keras's errors with their place in the spec."""

import dataclasses

import keras
import numpy as np
import pytest

from zoo.core.errors import SpecError
from zoo.nn import networks

HEAD = "name: tested\ntitle: Tested\n"


def numpy(x):
    return keras.ops.convert_to_numpy(x)


def built(spec, name="net"):
    return networks.build(spec.plans[name])


def one(spec_of, layers, *, inputs="{x_in: [4]}", output="out", **kwargs):
    text = f"{HEAD}networks:\n  net:\n    inputs: {inputs}\n    output: {output}\n    layers:\n"
    return spec_of(text + "".join(f"      {line}\n" for line in layers.strip("\n").splitlines()), **kwargs)


def test_inputs_and_output_carry_the_names_of_the_spec(spec_of):
    network = built(
        one(spec_of, "- Concatenate:\n  from: [z, c]\n- Dense: {units: 5}", inputs="{z: [3], c: [2]}", output="image")
    )
    assert list(network.input) == ["z", "c"] and list(network.output) == ["image"] and network.name == "net"
    y = network({"z": np.zeros((2, 3), "float32"), "c": np.zeros((2, 2), "float32")})
    assert list(y) == ["image"] and y["image"].shape == (2, 5)


def test_the_order_of_the_given_inputs_does_not_matter(spec_of):
    network = built(one(spec_of, "- Concatenate:\n  from: [z, c]", inputs="{z: [1], c: [1]}"))
    z, c = np.full((1, 1), 1, "float32"), np.full((1, 1), 2, "float32")
    assert numpy(network({"c": c, "z": z})["out"]).tolist() == [[1, 2]]


def test_a_label_is_a_class_id_and_the_rest_are_numbers(spec_of):
    spec = spec_of(
        HEAD
        + """
data: {source: digits}
latent: {z: {normal: {shape: [2]}}}
networks:
  net:
    inputs: [z, label]
    output: out
    layers:
      - from: label
      - OneHot: {classes: 10}
        as: code
      - Concatenate:
        from: [z, code]
"""
    )
    network = built(spec)
    assert {name: x.dtype for name, x in network.input.items()} == {"z": "float32", "label": "int64"}
    y = network({"z": np.zeros((2, 2), "float32"), "label": np.array([3, 0])})["out"]
    assert numpy(y)[:, 2:].argmax(1).tolist() == [3, 0]


def test_a_residual_block_adds_its_input(spec_of):
    spec = one(
        spec_of,
        """
- as: shortcut
- Dense: {units: 4, kernel_initializer: {Constant: {value: 0}}, bias_initializer: {Constant: {value: 0.5}}}
- Add:
  from: [x, shortcut]
""",
    )
    x = np.arange(8, dtype="float32").reshape(2, 4)
    np.testing.assert_array_equal(numpy(built(spec)({"x_in": x})["out"]), x + 0.5)


def test_named_tensors_join_the_scales_of_a_unet(spec_of):
    spec = one(
        spec_of,
        """
- Conv2D: {filters: 2, kernel_size: 3, strides: 2, padding: same}
  as: half
- Conv2D: {filters: 4, kernel_size: 3, strides: 2, padding: same}
- Conv2DTranspose: {filters: 3, kernel_size: 4, strides: 2, padding: same}
- Concatenate:
  from: [x, half]
""",
        inputs="{x_in: [8, 8, 1]}",
    )
    network = built(spec)
    x = np.random.RandomState(0).standard_normal((2, 8, 8, 1)).astype("float32")
    y = numpy(network({"x_in": x})["out"])
    assert y.shape == (2, 4, 4, 5)
    first = network.get_layer(networks.layer_name(spec.plans["net"].steps[0]))
    np.testing.assert_allclose(y[..., 3:], numpy(first(x)), rtol=0, atol=1e-6)


def test_a_layer_of_the_zoo_and_one_of_keras_stand_side_by_side(spec_of):
    kinds = [
        type(layer).__name__
        for layer in built(one(spec_of, "- Maxout: {units: 3, pieces: 2}\n- Dense: {units: 1}")).layers
    ]
    assert kinds == ["InputLayer", "Maxout", "Dense"]


def test_layers_are_named_after_their_step(spec_of):
    spec = one(spec_of, "- Dense: {units: 3}\n- ReLU\n- Dense: {units: 3}")
    assert [layer.name for layer in built(spec).layers[1:]] == ["dense_1", "relu_2", "dense_3"]


def test_arguments_reach_keras(spec_of):
    spec = one(
        spec_of,
        """
- Conv2D: {filters: 2, kernel_size: [3, 5], strides: 2, padding: same, use_bias: false}
- BatchNormalization: {momentum: 0.8, epsilon: 1e-4, scale: false}
- LeakyReLU: {negative_slope: 0.2}
- Dropout: {rate: 0.3}
""",
        inputs="{x_in: [8, 8, 1]}",
    )
    _, conv, norm, relu, dropout = built(spec).layers
    assert (conv.kernel_size, conv.strides, conv.padding, conv.use_bias) == ((3, 5), (2, 2), "same", False)
    assert (norm.momentum, norm.epsilon, norm.scale, norm.center) == (0.8, 1e-4, False, True)
    assert relu.negative_slope == pytest.approx(0.2) and dropout.rate == 0.3


def test_initialisers_reach_the_layers(spec_of):
    spec = one(
        spec_of,
        """
- Dense:
    units: 100
    kernel_initializer: {RandomNormal: {mean: 3, stddev: 0.02}}
    bias_initializer: {Constant: {value: 7}}
- BatchNormalization:
    gamma_initializer: {RandomUniform: {minval: 1, maxval: 2}}
    beta_initializer: {Constant: {value: 1}}
- Maxout: {units: 50, pieces: 2, kernel_initializer: {RandomUniform: {minval: -0.005, maxval: 0.005}}}
- Dense: {units: 9, bias_initializer: PixelMarginals, kernel_initializer: {Orthogonal: {gain: 2}}}
""",
        inputs="{x_in: [100]}",
    )
    _, dense, norm, maxout, last = built(spec).layers
    kernel = numpy(dense.kernel)
    assert kernel.mean() == pytest.approx(3, abs=1e-3) and kernel.std() == pytest.approx(0.02, rel=0.05)
    assert (numpy(dense.bias) == 7).all() and (numpy(norm.beta) == 1).all()
    assert 1 <= numpy(norm.gamma).min() < 1.2 and 1.8 < numpy(norm.gamma).max() <= 2
    assert 0.0049 < np.abs(numpy(maxout.kernel)).max() <= 0.005
    assert (numpy(last.bias) == 0).all()
    np.testing.assert_allclose(numpy(last.kernel).T @ numpy(last.kernel), 4 * np.eye(9), rtol=0, atol=1e-5)


def test_two_layers_with_one_initialiser_start_apart(spec_of):
    """One initialiser object for all layers would give them all the same weights."""
    spec = one(
        spec_of, "- repeat: 2\n  layers:\n    - Dense: {units: 4, kernel_initializer: {RandomNormal: {stddev: 1}}}"
    )
    _, first, second = built(spec).layers
    assert not np.array_equal(numpy(first.kernel), numpy(second.kernel))


def test_weights_follow_from_kerass_seed(spec_of):
    spec = one(spec_of, "- Dense: {units: 4}")
    made = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        made.append(numpy(built(spec).layers[1].kernel))
    assert np.array_equal(made[0], made[1]) and not np.array_equal(made[0], made[2])


def test_the_plan_counts_the_weights_that_keras_makes(spec_of):
    plan = one(
        spec_of, "- Maxout: {units: 3, pieces: 2}\n- BatchNormalization\n- Dense: {units: 1, use_bias: false}"
    ).plans["net"]
    assert plan.parameters == sum(int(np.prod(v.shape)) for v in networks.build(plan).trainable_variables) == 30 + 6 + 3


def test_an_error_of_keras_has_its_place_in_the_spec(spec_of, monkeypatch):
    """For errors that our own rules do not find: the message names the line of the spec."""

    def refuse(**kwargs):
        raise ValueError("cannot have\n  this. Received: 7")

    monkeypatch.setattr(keras.layers, "Conv2D", refuse)
    spec = one(spec_of, "- ReLU\n- Conv2D: {filters: 2, kernel_size: 3}", inputs="{x_in: [8, 8, 1]}")
    with pytest.raises(SpecError) as error:
        built(spec)
    expected = "tested.yaml:9:9: networks.net.layers[1].Conv2D: Keras refuses it: cannot have this. Received: 7"
    assert str(error.value).endswith(expected) and isinstance(error.value.__cause__, ValueError)


def test_an_error_at_the_call_has_its_place_too(spec_of, monkeypatch):
    def refuse(self, *args, **kwargs):
        raise TypeError("cannot\n  add this")

    monkeypatch.setattr(keras.layers.ReLU, "__call__", refuse)
    with pytest.raises(
        SpecError, match=r"tested.yaml:8:9: networks.net.layers\[0\].ReLU: Keras refuses it: cannot add this$"
    ):
        built(one(spec_of, "- ReLU"))


def test_build_all_keeps_the_order(spec_of):
    spec = spec_of(
        HEAD
        + """
networks:
  second: {inputs: {a: [2]}, output: b, layers: [ReLU]}
  first: {inputs: {b: [2]}, output: c, layers: [ReLU]}
"""
    )
    assert list(networks.build_all(spec.plans)) == ["second", "first"]
    assert networks.build(spec.plans["first"], name="average").name == "average"


def test_several_outputs_and_tensors_with_a_name_are_returned_together(spec_of):
    layers = """
- Dense: {units: 3, activation: relu}
  as: features
- Dense: {units: 5}
  as: classes
- from: features
- Dense: {units: 1}"""
    plan = one(spec_of, layers, output="{logits: x, labels: classes}").plans["net"]
    network, tapped = networks.build(plan), networks.build(plan, taps=["features", "classes"])
    tapped.set_weights(network.get_weights())
    x = np.linspace(-1, 1, 8, dtype="float32").reshape(2, 4)
    y, more = network({"x_in": x}), tapped({"x_in": x})
    assert list(y) == ["logits", "labels"] and list(more) == ["logits", "labels", "features", "classes"]
    kernels = network.get_weights()[::2]
    features = np.maximum(x @ kernels[0], 0)
    for name, expected in {
        "features": features,
        "labels": features @ kernels[1],
        "logits": features @ kernels[2],
    }.items():
        np.testing.assert_allclose(numpy(more[name]), expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(numpy(more["classes"]), numpy(y["labels"]))
    assert list(networks.build_all({"net": plan}, taps={"net": ["features"]})["net"].output)[2:] == ["features"]


@pytest.mark.parametrize("name", [
    "Zeros", "Ones", "Constant",
    "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling", "GlorotNormal", "GlorotUniform",
    "HeNormal", "HeUniform", "LecunNormal", "LecunUniform", "Orthogonal",
])  # fmt: skip
def test_every_initialiser_of_keras_is_known_by_its_name(spec_of, name):
    layer = built(one(spec_of, f"- Dense: {{units: 4, kernel_initializer: {name}}}")).layers[1]
    assert type(layer.kernel_initializer).__name__ == name


def test_shared_layers_are_the_same_ones_and_new_ones_join_them(spec_of):
    """Two plans that have a layer under one name; the same plan without sharing has layers of its own."""
    plan = one(spec_of, "- Dense: {units: 3}\n- Dense: {units: 2}").plans["net"]
    first = dataclasses.replace(plan, steps=plan.steps[:1], output=1, output_shape=(3,))
    layers = {}
    small, large = networks.build(first, layers=layers), networks.build(plan, layers=layers)
    assert set(layers) == {"dense_1", "dense_2"} and small.layers[1] is large.layers[1] is layers["dense_1"]
    assert networks.build(plan).layers[1] is not layers["dense_1"]
    small.layers[1].bias.assign([1.0, 2.0, 3.0])
    assert numpy(large.layers[1].bias).tolist() == [1, 2, 3]
