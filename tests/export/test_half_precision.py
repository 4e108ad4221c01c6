"""Half precision on hand-made graphs: which numbers change, which types stay, and what is refused."""

import sys

import numpy as np
import onnx
import onnx_nets as nets
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from zoo.core.errors import ExportError
from zoo.export.precision import check_range, halved

FLOAT = TensorProto.FLOAT
value = helper.make_tensor_value_info


def net(nodes, arrays, *, output="image", shape=("batch", 8), opset=17, latent=8):
    """z [batch, latent] -> `nodes` -> output."""
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()]
    graph = helper.make_graph(
        nodes, "net", [value("z", FLOAT, ["batch", latent])], [value(output, FLOAT, list(shape))], tensors
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(made, full_check=True)
    return made.SerializeToString()


def run(data, **inputs):
    return onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]).run(None, inputs)[0]


def kinds(data):
    return [node.op_type for node in onnx.load_from_string(data).graph.node]


def types(values):
    return {one.name: one.type.tensor_type.elem_type for one in values}


@pytest.fixture(scope="module")
def images():
    made = nets.images(label=True)
    helper.set_model_props(made, {"gan.name": "tiny", "gan.manifest": "{}"})
    return made.SerializeToString()


def test_weights_are_rounded_to_half_and_everything_else_stays(images):
    before, after = onnx.load_from_string(images), onnx.load_from_string(halved(images))
    onnx.checker.check_model(after, full_check=True)
    for side in ("input", "output"):
        assert types(getattr(after.graph, side)) == types(getattr(before.graph, side))
    found = {(a.shape, a.dtype): a for a in map(numpy_helper.to_array, after.graph.initializer)}
    expected = [numpy_helper.to_array(tensor) for tensor in before.graph.initializer]
    assert len(found) == len(expected) == 5
    for array in expected:
        rounded = array.astype(np.float16) if array.dtype == np.float32 else array
        np.testing.assert_array_equal(found[rounded.shape, rounded.dtype], rounded)
    axes = after.graph.output[0].type.tensor_type.shape.dim
    assert [axis.dim_param or axis.dim_value for axis in axes] == ["batch", 8, 8, 3]
    assert (after.ir_version, after.opset_import[0].version) == (8, 17)


def test_one_cast_for_each_float_input_and_for_the_output_no_more(images):
    made = halved(images)
    assert len(made) < 0.7 * len(images)  # the graph itself is no smaller
    counts = {kind: kinds(made).count(kind) for kind in set(kinds(made))}
    assert counts == {kind: kinds(images).count(kind) for kind in set(kinds(images))} | {"Cast": 2}
    names = {name for node in onnx.load_from_string(made).graph.node for name in (node.name, *node.output)}
    assert not [name for name in names if "graph" in name or "fp32" in name], names


def test_it_computes_nearly_the_same(images):
    random = np.random.RandomState(1)
    feed = {"z": random.standard_normal((64, 8)).astype(np.float32), "label": random.randint(3, size=64)}
    difference = np.abs(run(halved(images), **feed) - run(images, **feed))
    assert 1e-5 < difference.max() < 2e-3  # 11 bits: 2^-11 is 5e-4


def test_bytes_are_reproducible_and_say_their_precision(images):
    made = halved(images)
    assert made == halved(images)
    metadata = {entry.key: entry.value for entry in onnx.load_from_string(made).metadata_props}
    assert metadata == {"gan.name": "tiny", "gan.manifest": "{}", "gan.precision": "fp16"}


def test_the_factors_of_a_resize_stay_float32():
    """A known fault of converters: half factors, or casts of the inputs that it does not have."""
    nodes = [
        helper.make_node("Reshape", ["z", "to4"], ["x"]),
        helper.make_node("Resize", ["x", "", "factors"], ["y"], mode="nearest", nearest_mode="floor",
                         coordinate_transformation_mode="asymmetric"),
        helper.make_node("Mul", ["y", "factors_too"], ["image"]),
    ]  # fmt: skip
    arrays = {
        "to4": np.int64([-1, 2, 2, 2]),
        "factors": np.float32([1, 1, 3, 2]),
        "factors_too": np.float32([1, 1, 3, 2])[:2, None, None],  # other bytes, the same numbers
    }
    data = net(nodes, arrays, shape=("batch", 2, 6, 4))
    made = halved(data)
    assert kinds(made) == ["Cast", "Reshape", "Resize", "Mul", "Cast"]
    resize = next(node for node in onnx.load_from_string(made).graph.node if node.op_type == "Resize")
    kept = {tensor.name: tensor.data_type for tensor in onnx.load_from_string(made).graph.initializer}
    assert resize.input[1] == "" and kept[resize.input[2]] == FLOAT
    z = np.random.RandomState(0).standard_normal((3, 8)).astype(np.float32)
    np.testing.assert_allclose(run(made, z=z), run(data, z=z), rtol=1e-3)


def test_what_the_standard_knows_in_half_is_converted():
    """The converter's own list keeps Max and Min back, between two casts for each."""
    nodes = [helper.make_node("Max", ["z", "floor"], ["x"]), helper.make_node("Min", ["x", "ceiling"], ["image"])]
    data = net(nodes, {"floor": np.float32([-0.5]), "ceiling": np.float32([0.5])})
    assert kinds(halved(data)) == ["Cast", "Max", "Min", "Cast"]
    z = np.float32([[-2, -0.5, -0.25, 0, 0.25, 0.5, 1, 2]])
    np.testing.assert_array_equal(run(halved(data), z=z), np.clip(z, -0.5, 0.5))


def test_what_the_standard_lacks_in_half_stays_float32():
    nodes = [
        helper.make_node("Range", ["start", "limit", "step"], ["ramp"]),  # float32 and float64 alone
        helper.make_node("Add", ["z", "ramp"], ["image"]),
    ]
    data = net(nodes, {"start": np.float32(0), "limit": np.float32(8), "step": np.float32(1)})
    made = onnx.load_from_string(halved(data))
    onnx.checker.check_model(made, full_check=True)
    assert sorted(kinds(halved(data))) == ["Add", "Cast", "Cast", "Cast", "Range"]
    z = np.zeros((1, 8), np.float32)
    np.testing.assert_array_equal(run(halved(data), z=z), [np.arange(8)])


@pytest.mark.parametrize(("weight", "fits"), [(65504, True), (65536, False), (-7e4, False), (np.inf, False)])
def test_weights_beyond_half_are_refused_not_clipped(weight, fits):
    data = net([helper.make_node("Mul", ["z", "w"], ["image"])], {"w": np.float32([weight])})
    if fits:
        assert kinds(halved(data)) == ["Cast", "Mul", "Cast"]
    else:
        with pytest.raises(
            ExportError, match=f"ends at 65504, and weights 'w' reaches {abs(weight):g}: it stays float"
        ):
            halved(data)


def test_numbers_inside_beyond_half_are_found():
    """300^2 = 90000 overflows; the CPU, which computes in float32, does not show it."""
    nodes = [
        helper.make_node("Mul", ["z", "gain"], ["large"]),
        helper.make_node("Mul", ["large", "large"], ["square"]),
        helper.make_node("Mul", ["square", "small"], ["image"]),
    ]
    data = net(nodes, {"gain": np.float32([300]), "small": np.float32([1e-4])})
    fine, wrong = np.full((1, 8), 0.8, np.float32), np.full((1, 8), -1, np.float32)
    check_range(data, {"fine": {"z": fine}})
    with pytest.raises(ExportError, match="half precision ends at 65504, and 'square' of case two reaches 90000"):
        check_range(data, {"one": {"z": fine}, "two": {"z": wrong}})
    np.testing.assert_allclose(run(halved(data), z=wrong), 9, rtol=1e-2)


def test_integers_inside_are_no_numbers_of_half(images):
    """Ids and shapes are looked at by no one: 10^6 is a fine index."""
    nodes = [helper.make_node("Cast", ["z"], ["i"], to=TensorProto.INT64), helper.make_node("Mul", ["i", "m"], ["j"]),
             helper.make_node("Sign", ["j"], ["s"]), helper.make_node("Cast", ["s"], ["image"], to=FLOAT)]  # fmt: skip
    check_range(net(nodes, {"m": np.int64([10**6])}), {"one": {"z": np.ones((1, 8), np.float32)}})


def test_the_path_of_python_is_left_as_it_was(images, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("onnxruntime.transformers")]:
        monkeypatch.delitem(sys.modules, name)  # its first import is what touches the path
    before = list(sys.path)
    halved(images)
    assert "onnxruntime.transformers.float16" in sys.modules and sys.path == before
