"""Batch norm leaves the graph: the folded network computes what the network computes at inference."""

import keras
import numpy as np
import pytest

from zoo.nn import networks
from zoo.nn.batch_norm import averaged_statistics, folded

HEAD = "name: tested\ntitle: Tested\nnetworks:\n  net:\n    output: out\n"
IMAGE, VECTOR = "{x_in: [4, 4, 3]}", "{x_in: [6]}"

# Shorthands of the layers below
BN, DENSE, CONV = "BatchNormalization", "Dense: {units: 5}", "Conv2D: {filters: 2, kernel_size: 3}"
UP = "Conv2DTranspose: {filters: %s, kernel_size: 4, strides: 2, padding: same%s}"

CASES = {
    "dense": (VECTOR, [DENSE, BN]),
    "dense without bias": (VECTOR, ["Dense: {units: 5, use_bias: false}", BN]),
    "dense, reshape": (VECTOR, ["Dense: {units: 12}", "Reshape: {target_shape: [2, 2, 3]}", BN]),
    "dense, identity": (VECTOR, ["Dense: {units: 5, use_bias: false}", "Identity", BN]),
    "conv": (IMAGE, ["Conv2D: {filters: 2, kernel_size: 3, padding: same, use_bias: false}", BN]),
    "conv, reshape": (IMAGE, ["Conv2D: {filters: 2, kernel_size: 1}", "Reshape: {target_shape: [16, 2]}", BN]),
    "strided conv": (IMAGE, ["Conv2D: {filters: 2, kernel_size: 3, strides: 2}", BN]),
    "grouped conv": (IMAGE, ["Conv2D: {filters: 6, kernel_size: 3, groups: 3}", BN]),
    "transposed conv": (IMAGE, [UP % (2, ""), BN]),
    "transposed conv without bias": (IMAGE, [UP % (5, ", use_bias: false"), BN]),
    "no centre": (IMAGE, [CONV, f"{BN}: {{center: false}}"]),
    "no scale": (IMAGE, [CONV, f"{BN}: {{scale: false}}"]),
    "neither": (IMAGE, [CONV, f"{BN}: {{center: false, scale: false}}"]),
    "coarse epsilon": (VECTOR, [DENSE, f"{BN}: {{epsilon: 0.5}}"]),
    "dcgan": (VECTOR, [
        "Dense: {units: 32, use_bias: false}", "Reshape: {target_shape: [2, 2, 8]}", BN, "ReLU",
        UP % (4, ", use_bias: false"), BN, "ReLU",
        UP % (1, ", activation: tanh"),
    ]),
}  # fmt: skip
LEFT = {
    "after a relu": (VECTOR, [DENSE, "ReLU", BN]),
    "after an activation inside the layer": (VECTOR, ["Dense: {units: 5, activation: relu}", BN]),
    "on the input": (IMAGE, [BN, CONV]),
    "after another norm": (VECTOR, [DENSE, BN, BN]),
    "another listens to the layer": (VECTOR, [f"{{{DENSE}, as: before}}", BN, "{Add: , from: [x, before]}"]),
    "two norms listen": (VECTOR, [
        f"{{{DENSE}, as: before}}", f"{{{BN}: , as: one}}", f"{{{BN}: , from: before}}", "{Add: , from: [x, one]}",
    ]),
    "the reshape mixes channels": (VECTOR, [
        "Dense: {units: 8}", "Reshape: {target_shape: [4, 2]}", "Reshape: {target_shape: [8]}", BN,
    ]),
}  # fmt: skip


def made(spec_of, inputs, layers, *, seed=0):
    """The plan, and its network with random weights and statistics: fresh ones would hide most mistakes."""
    plan = spec_of(
        f"{HEAD}    inputs: {inputs}\n    layers:\n" + "".join(f"      - {line}\n" for line in layers)
    ).plans["net"]
    network, random = networks.build(plan), np.random.RandomState(seed)
    for variable in network.weights:
        low = 0.1 if "variance" in variable.path else -1.5
        variable.assign(random.uniform(low, 1.5, variable.shape))
    return plan, network


def run(network, x):
    return keras.ops.convert_to_numpy(network({"x_in": x}, training=False)["out"])


def compared(plan, network):
    """The folded network, once it is known to agree with the network."""
    result = folded(plan, network)
    x = np.random.RandomState(9).standard_normal((3, *plan.inputs["x_in"])).astype("float32")
    y = run(network, x)
    assert np.abs(y).max() > 0.05  # two networks that say nothing agree too
    np.testing.assert_allclose(run(result, x), y, rtol=1e-5, atol=1e-5)
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in result.layers)
    return result


def kinds(network):
    return [type(layer).__name__ for layer in network.layers if type(layer).__name__ not in ("InputLayer", "Identity")]


@pytest.mark.parametrize("name", list(CASES))
def test_a_norm_goes_into_the_linear_layer_before_it(spec_of, name):
    plan, network = made(spec_of, *CASES[name])
    result = compared(plan, network)
    assert kinds(result) == [kind for kind in kinds(network) if kind != "BatchNormalization"]


@pytest.mark.parametrize("name", list(LEFT))
def test_a_norm_that_has_nowhere_to_go_becomes_scale_and_offset(spec_of, name):
    plan, network = made(spec_of, *LEFT[name])
    result = compared(plan, network)
    assert "Rescaling" in kinds(result)


def test_the_network_itself_is_left_alone(spec_of):
    plan, network = made(spec_of, *CASES["dcgan"])
    before = network.get_weights()
    folded(plan, network)
    assert all(np.array_equal(a, b) for a, b in zip(before, network.get_weights(), strict=True))
    assert "BatchNormalization" in kinds(network)


def test_names_of_the_ends_survive(spec_of):
    plan, network = made(spec_of, *CASES["dcgan"])
    result = folded(plan, network)
    assert list(result.input) == ["x_in"] and list(result.output) == ["out"] and result.name == network.name


def test_without_a_norm_nothing_changes(spec_of):
    plan, network = made(spec_of, VECTOR, ["Dense: {units: 5}", "ReLU", "Dense: {units: 2}"])
    assert kinds(compared(plan, network)) == kinds(network)


def test_a_norm_over_another_axis_keeps_its_axis(spec_of):
    compared(*made(spec_of, "{x_in: [4, 4, 4]}", ["ReLU", "BatchNormalization: {axis: 1}"]))


@pytest.mark.parametrize("filters, shape", [(3, [4, 6, 2]), (2, [4, 2, 4])])
def test_a_reshape_that_mixes_the_channels_of_a_conv_stops_the_fold(spec_of, filters, shape):
    layers = [
        f"Conv2D: {{filters: {filters}, kernel_size: 1}}",
        f"Reshape: {{target_shape: {shape}}}",
        "BatchNormalization",
    ]
    compared(*made(spec_of, IMAGE, layers))


NORMS = (
    VECTOR,
    [
        "Dense: {units: 5}",
        "BatchNormalization: {momentum: 0.7, epsilon: 1e-5}",
        "ReLU",
        "Dense: {units: 3}",
        "BatchNormalization: {momentum: 0.99}",
    ],
)


def batches(count, size=7):
    random = np.random.RandomState(3)
    return [{"x_in": random.standard_normal((size, 6)).astype("float32")} for _ in range(count)]


def test_averaged_statistics_are_the_mean_of_the_batch_statistics(spec_of):
    _, network = made(spec_of, *NORMS)
    dense, first, _, last, second = network.layers[1:]
    expected = {"first": ([], []), "second": ([], [])}
    for batch in batches(4):
        a = batch["x_in"].astype("float64") @ dense.get_weights()[0] + dense.get_weights()[1]
        gamma, beta, *_ = first.get_weights()
        hidden = np.maximum((a - a.mean(0)) / np.sqrt(a.var(0) + 1e-5) * gamma + beta, 0)  # the batch's own statistics
        b = hidden @ last.get_weights()[0] + last.get_weights()[1]
        for name, values in (("first", a), ("second", b)):
            expected[name][0].append(values.mean(0))
            expected[name][1].append(values.var(0))  # of the population, as Keras normalises
    averaged_statistics(network, batches(4))
    for norm, name in ((first, "first"), (second, "second")):
        np.testing.assert_allclose(norm.get_weights()[2], np.mean(expected[name][0], axis=0), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(norm.get_weights()[3], np.mean(expected[name][1], axis=0), rtol=1e-4, atol=1e-5)


def test_averaged_statistics_restore_the_momentum_and_touch_no_weight(spec_of):
    _, network = made(spec_of, *NORMS)
    before = [keras.ops.convert_to_numpy(v) for v in network.trainable_variables]
    averaged_statistics(network, batches(2))
    assert [layer.momentum for layer in network.layers if hasattr(layer, "momentum")] == [0.7, 0.99]
    assert all(np.array_equal(a, v.value) for a, v in zip(before, network.trainable_variables, strict=True))


def test_averaged_statistics_forget_those_of_training(spec_of):
    results = []
    for seed in (0, 1):
        _, network = made(spec_of, *NORMS)
        for layer in network.layers:
            if hasattr(layer, "moving_mean"):
                layer.moving_mean.assign(np.full(layer.moving_mean.shape, 5.0 * seed))
        averaged_statistics(network, batches(2))
        results.append(network.get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(*results, strict=True))


def test_no_batches_mean_no_change(spec_of):
    _, network = made(spec_of, *NORMS)
    before = network.get_weights()
    averaged_statistics(network, [])
    assert all(np.array_equal(a, b) for a, b in zip(before, network.get_weights(), strict=True))
