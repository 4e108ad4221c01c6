"""What `clean` makes of hand-made graphs: names, axes, initialisers, metadata; and what it refuses."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from zoo.core.errors import ExportError
from zoo.export import onnx_graph

value = helper.make_tensor_value_info
FLOAT = TensorProto.FLOAT


def graph(nodes, arrays, *, inputs=None, output=None, names=""):
    """A model as tf2onnx leaves it: odd names, an invented name for the batch axis, initialisers by name."""
    inputs = inputs or [value("z", FLOAT, ["unk__1", 2])]
    output = output or value("image", FLOAT, ["unk__2", 2])
    tensors = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    made = helper.make_graph(nodes, "tf2onnx", inputs, [output], tensors, doc_string=names)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 2)])


def affine(prefix="StatefulPartitionedCall/net/dense_3/", **more):
    """image = tanh(z @ w + b), with TensorFlow's names."""
    arrays = {f"{prefix}w:0": np.float32([[1, 2], [3, 4]]), f"{prefix}b:0": np.float32([5, 6]), **more}
    nodes = [
        helper.make_node("MatMul", ["z", f"{prefix}w:0"], [f"{prefix}MatMul:0"], f"{prefix}MatMul", doc_string="tf"),
        helper.make_node("Add", [f"{prefix}MatMul:0", f"{prefix}b:0"], [f"{prefix}Add:0"], f"{prefix}Add"),
        helper.make_node("Tanh", [f"{prefix}Add:0"], ["image"], f"{prefix}Tanh"),
    ]
    return graph(nodes, arrays)


def clean(model, *, inputs=("z",), outputs=("image",), metadata=None):
    data = onnx_graph.clean(model, name="net", inputs=inputs, outputs=outputs, metadata=metadata or {}, producer="9.9")
    return data, onnx.load_from_string(data)


def run(data, **inputs):
    import onnxruntime

    return onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]).run(None, inputs)[0]


def test_names_follow_from_the_nodes_alone():
    data, model = clean(affine())
    assert [node.name for node in model.graph.node] == ["mat_mul_0", "add_1", "tanh_2"]
    assert [list(node.output) for node in model.graph.node] == [["mat_mul_0"], ["add_1"], ["image"]]
    assert [node.doc_string for node in model.graph.node] == ["", "", ""]
    assert {t.name.rsplit("_", 2)[0] for t in model.graph.initializer} == {"w_2x2", "w_2"}
    other, _ = clean(affine(prefix="PartitionedCall_1/another/name/"))
    assert data == other
    z = np.float32([[0.1, -0.2]])
    np.testing.assert_allclose(run(data, z=z), np.tanh(z @ np.float32([[1, 2], [3, 4]]) + [5, 6]), rtol=1e-6)


def test_other_weights_are_other_bytes():
    model = affine()
    changed = affine()
    changed.graph.initializer[0].CopyFrom(
        numpy_helper.from_array(np.float32([[1, 2], [3, 5]]), changed.graph.initializer[0].name)
    )
    assert clean(model)[0] != clean(changed)[0]


def test_header_metadata_and_axes():
    _, model = clean(affine(), metadata={"gan.b": "2", "gan.a": "ä"})
    assert (model.ir_version, model.producer_name, model.producer_version) == (8, "gan-zoo", "9.9")
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)]
    assert [(entry.key, entry.value) for entry in model.metadata_props] == [("gan.a", "ä"), ("gan.b", "2")]
    assert model.graph.name == "net" and model.graph.doc_string == ""
    for tensor in (model.graph.input[0], model.graph.output[0]):
        batch, size = tensor.type.tensor_type.shape.dim
        assert batch.dim_param == "batch" and size.dim_value == 2


def test_axes_that_are_named_are_dynamic():
    """Traced at 4 x 6, free in both; the channels are not."""
    model = graph([helper.make_node("Neg", ["a"], ["b"])], {}, inputs=[value("a", FLOAT, ["unk__1", 4, 6, 3])],
                  output=value("b", FLOAT, ["unk__2", 4, 6, 3]))  # fmt: skip
    shapes = {name: ("batch", "height", "width", 3) for name in "ab"}
    data = onnx_graph.clean(model, name="n", inputs=["a"], outputs=["b"], metadata={}, producer="9", shapes=shapes)
    for tensor in (*onnx.load_from_string(data).graph.input, *onnx.load_from_string(data).graph.output):
        axes = tensor.type.tensor_type.shape.dim
        assert [axis.dim_param or axis.dim_value for axis in axes] == ["batch", "height", "width", 3]
    image = np.random.RandomState(0).random_sample((2, 5, 7, 3)).astype(np.float32)
    np.testing.assert_array_equal(run(data, a=image), -image)


def test_unused_and_equal_initialisers_go():
    arrays = {"a": np.float32([1, 2]), "b": np.float32([1, 2]), "unused": np.float32([7]), "c": np.float32([[1, 2]])}
    nodes = [
        helper.make_node("Add", ["z", "a"], ["x"]),
        helper.make_node("Add", ["x", "b"], ["y"]),
        helper.make_node("Add", ["y", "c"], ["image"]),
    ]
    data, model = clean(graph(nodes, arrays))
    found = [numpy_helper.to_array(t) for t in model.graph.initializer]
    assert sorted(a.shape for a in found) == [(1, 2), (2,)]  # the same bytes in another shape are another tensor
    assert model.graph.node[0].input[1] == model.graph.node[1].input[1] != model.graph.node[2].input[1]
    np.testing.assert_array_equal(run(data, z=np.zeros((1, 2), np.float32)), [[3, 6]])


def test_equal_bytes_of_another_type_are_another_tensor():
    arrays = {"shape": np.int64([-1, 2]), "same": np.float64(np.int64([-1, 2]).view(np.float64))}
    nodes = [
        helper.make_node("Reshape", ["z", "shape"], ["x"]),
        helper.make_node("Cast", ["same"], ["f"], to=FLOAT),
        helper.make_node("Mul", ["x", "f"], ["image"]),
    ]
    _, model = clean(graph(nodes, arrays))
    assert sorted(t.data_type for t in model.graph.initializer) == [TensorProto.INT64, TensorProto.DOUBLE]


def test_initialisers_in_typed_fields_and_empty_ones_are_named_by_content():
    """`float_data` instead of raw bytes, and an array without any numbers: the old name must not shine through."""

    def model(name):
        made = graph([helper.make_node("Add", ["z", name], ["x"]),
                      helper.make_node("Resize", ["x4", f"{name}_roi", "scales"], ["y"]),
                      helper.make_node("Reshape", ["x", "to4"], ["x4"]),
                      helper.make_node("Reshape", ["y", "to2"], ["image"])],
                     {"scales": np.float32([1, 1, 1, 1]), "to4": np.int64([-1, 1, 1, 2]), "to2": np.int64([-1, 2]),
                      f"{name}_roi": np.zeros(0, np.float32)})  # fmt: skip
        order = [made.graph.node[i] for i in (0, 2, 1, 3)]
        nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in order]
        del made.graph.node[:]
        made.graph.node.extend(nodes)
        made.graph.initializer.append(helper.make_tensor(name, FLOAT, [2], [1.0, 2.0]))  # typed, not raw
        return made

    assert clean(model("a"))[0] == clean(model("b"))[0]


def test_optional_inputs_and_outputs_stay_empty():
    """An LSTM of which only the last state is asked for, and a Clip with an upper limit only."""
    w, r = np.ones((1, 4, 2), np.float32), np.ones((1, 4, 1), np.float32)
    nodes = [
        helper.make_node("Clip", ["z", "", "high"], ["c"]),
        helper.make_node("Unsqueeze", ["c", "axes"], ["s"]),  # [1, batch, 2]
        helper.make_node("LSTM", ["s", "w", "r"], ["", "h"], hidden_size=1),
        helper.make_node("Clip", ["h", "", "high"], ["hc"]),
        helper.make_node("Squeeze", ["hc", "axes"], ["image"]),
    ]
    arrays = {"w": w, "r": r, "axes": np.int64([0]), "high": np.array(0.5, np.float32)}
    data, model = clean(graph(nodes, arrays, output=value("image", FLOAT, ["unk__2", 1])))
    assert model.graph.node[2].output[0] == "" and model.graph.node[3].input[1] == ""
    assert run(data, z=np.zeros((3, 2), np.float32)).shape == (3, 1)


def test_inputs_stand_in_the_order_of_the_spec():
    nodes = [helper.make_node("Add", ["z", "noise"], ["image"])]
    inputs = [value("noise", FLOAT, ["a", 2]), value("z", FLOAT, ["b", 2])]
    _, model = clean(graph(nodes, {}, inputs=inputs), inputs=("z", "noise"))
    assert [i.name for i in model.graph.input] == ["z", "noise"]


@pytest.mark.parametrize(
    ("inputs", "output"), [(("z", "label"), "image"), (("noise",), "image"), ((), "image"), (("z",), "point")]
)
def test_other_inputs_or_outputs_than_stated(inputs, output):
    told = rf"expected inputs \[.*\] and outputs \['{output}'\], the converter made \(\['z'\], \['image'\]\)"
    with pytest.raises(ExportError, match=told):
        clean(affine(), inputs=inputs, outputs=[output])


def test_only_the_batch_axis_may_be_dynamic():
    model = affine()
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "width"
    with pytest.raises(ExportError, match="only the batch axis of 'image' may be dynamic"):
        clean(model)
    model = graph([helper.make_node("Identity", ["z"], ["image"])], {}, inputs=[value("z", FLOAT, [])])
    with pytest.raises(ExportError, match="'z' has no batch axis"):
        clean(model)


@pytest.mark.parametrize(
    "nodes",
    [
        [helper.make_node("Tanh", ["nowhere"], ["image"])],
        [helper.make_node("NoSuchThing", ["z"], ["image"])],
        [helper.make_node("MatMul", ["z", "w"], ["image"])],  # [batch, 2] x [3, 2]
    ],
    ids=["dangling", "unknown operator", "shapes"],
)
def test_graphs_that_are_not_valid(nodes):
    with pytest.raises(ExportError, match="the converted graph is not valid ONNX"):
        clean(graph(nodes, {"w": np.zeros((3, 2), np.float32)}))
