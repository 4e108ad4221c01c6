"""Exact rewrites: the forms that other engines read, with the outputs of the graph before."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from zoo.export import rewrites

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def made(nodes, arrays, inputs, output, opset=17):
    values = [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()]
    result = helper.make_tensor_value_info("y", FLOAT, output)
    tensors = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "net", values, [result], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def run(model, feed):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, feed)[0]


def rewritten(model, feed):
    """The kinds of nodes after the rewrites, which change no output, and the model."""
    before = run(model, feed)
    assert rewrites.rewrite(model) and not rewrites.rewrite(model)
    onnx.checker.check_model(model, full_check=True)
    np.testing.assert_array_equal(run(model, feed), before)
    return [node.op_type for node in model.graph.node], model


RANDOM = np.random.RandomState(0)
ONE_HOT = {"depth": np.int32([3]), "off_on": np.float32([0, 1])}
LABEL = {"label": (INT64, ["b"])}


def test_rows_of_a_kernel_are_gathered_and_a_label_beyond_them_is_an_error():
    nodes = [
        helper.make_node("OneHot", ["label", "depth", "off_on"], ["h"]),
        helper.make_node("MatMul", ["h", "w"], ["y"]),
    ]
    model = made(nodes, {**ONE_HOT, "w": RANDOM.rand(3, 5).astype(np.float32)}, LABEL, ["b", 5])
    kinds, model = rewritten(model, {"label": np.int64([2, 0, 1, 2])})
    assert kinds == ["Gather"]
    with pytest.raises(Exception, match=r"indices|out of"):
        run(model, {"label": np.int64([99])})


def wrapped_ids(rows):
    """What Keras makes of a look-up in a table of three rows, where negative ids count from the end by `rows`."""
    node = helper.make_node
    nodes = [
        node("Cast", ["label"], ["wide"], to=FLOAT),
        node("Less", ["wide", "zero"], ["below"]),
        node("Not", ["below"], ["inside"]),
        node("Cast", ["inside"], ["is_inside"], to=INT64),
        node("Mul", ["label", "is_inside"], ["kept"]),
        node("Add", ["label", "rows"], ["from_the_end"]),
        node("Cast", ["below"], ["is_below"], to=INT64),
        node("Mul", ["is_below", "from_the_end"], ["moved"]),
        node("Add", ["moved", "kept"], ["ids"]),
        node("Gather", ["w", "ids"], ["y"], axis=0),
    ]
    table = RANDOM.rand(3, 5).astype(np.float32)
    return made(nodes, {"w": table, "zero": np.float32(0), "rows": np.int64(rows)}, LABEL, ["b", 5])


def test_ids_of_a_table_go_in_as_they_are():
    kinds, model = rewritten(wrapped_ids(3), {"label": np.int64([2, 0, -1, -3, 1])})
    assert kinds == ["Gather"] and list(model.graph.node[0].input) == ["w", "label"]


def test_ids_that_are_moved_by_another_number_stay():
    assert not rewrites.rewrite(wrapped_ids(2))


def test_a_one_hot_that_meets_no_kernel_has_a_scalar_depth():
    nodes = [helper.make_node("OneHot", ["label", "depth", "off_on"], ["h"]), helper.make_node("Neg", ["h"], ["y"])]
    kinds, model = rewritten(made(nodes, dict(ONE_HOT), LABEL, ["b", 3]), {"label": np.int64([2, 0])})
    depth = next(tensor for tensor in model.graph.initializer if tensor.name == model.graph.node[0].input[1])
    assert kinds == ["OneHot", "Neg"] and list(depth.dims) == []


def test_images_are_padded_after_the_transpose():
    pads = np.int64([0, 1, 2, 0, 0, 3, 1, 0])
    nodes = [helper.make_node("Pad", ["x", "pads"], ["p"], mode="reflect"),
             helper.make_node("Transpose", ["p"], ["y"], perm=[0, 3, 1, 2])]  # fmt: skip
    model = made(nodes, {"pads": pads}, {"x": (FLOAT, ["b", 4, 5, 2])}, ["b", 2, 8, 8])
    kinds, model = rewritten(model, {"x": RANDOM.rand(2, 4, 5, 2).astype(np.float32)})
    after = next(t for t in model.graph.initializer if t.name == model.graph.node[1].input[1])
    assert kinds == ["Transpose", "Pad"] and numpy_helper.to_array(after).tolist() == [0, 0, 1, 2, 0, 0, 3, 1]


@pytest.mark.parametrize(
    ("starts", "ends", "pads", "more"),
    [([1, 1], [2**31 - 1] * 2, [1, 1, 1, 1], [1, 1]), ([0, 1], [-1, -1], [0, 1, 1, 1], None),
     ([1, 0], [-1, 2**63 - 1], [1, 0, 1, 0], None)],
)  # fmt: skip
def test_a_crop_becomes_pads_of_the_transposed_convolution(starts, ends, pads, more):
    nodes = [helper.make_node("ConvTranspose", ["x", "w", "bias"], ["c"], strides=[2, 2], kernel_shape=[3, 3]),
             helper.make_node("Slice", ["c", "starts", "ends", "axes"], ["y"])]  # fmt: skip
    arrays = {"w": RANDOM.rand(2, 3, 3, 3).astype(np.float32), "bias": np.float32([1, 2, 3]),
              "starts": np.int64(starts), "ends": np.int64(ends), "axes": np.int64([2, 3])}  # fmt: skip
    model = made(nodes, arrays, {"x": (FLOAT, ["b", 2, "h", "w"])}, ["b", 3, "oh", "ow"])
    kinds, model = rewritten(model, {"x": RANDOM.rand(2, 2, 4, 5).astype(np.float32)})
    attributes = {a.name: helper.get_attribute_value(a) for a in model.graph.node[0].attribute}
    assert kinds == ["ConvTranspose"] and (attributes["pads"], attributes.get("output_padding")) == (pads, more)


def test_an_end_that_is_counted_from_the_beginning_stays_a_slice():
    nodes = [helper.make_node("ConvTranspose", ["x", "w"], ["c"], strides=[2, 2], kernel_shape=[3, 3]),
             helper.make_node("Slice", ["c", "starts", "ends", "axes"], ["y"])]  # fmt: skip
    arrays = {"w": RANDOM.rand(2, 3, 3, 3).astype(np.float32), "starts": np.int64([0]), "ends": np.int64([3]),
              "axes": np.int64([2])}  # fmt: skip
    assert rewrites.rewrite(made(nodes, arrays, {"x": (FLOAT, ["b", 2, "h", "w"])}, ["b", 3, 3, "ow"])) == []


@pytest.mark.parametrize("to", [[-1, 4, 1, 1], [-1, 2, 2, 1]])
def test_vectors_are_divided_by_numbers_with_four_axes(to):
    nodes = [helper.make_node("ReduceMax", ["x"], ["m"], axes=[1], keepdims=1),
             helper.make_node("Div", ["x", "m"], ["d"]),
             helper.make_node("Reshape", ["d", "to"], ["y"])]  # fmt: skip
    model = made(nodes, {"to": np.int64(to)}, {"x": (FLOAT, ["b", 4])}, ["b", *to[1:]])
    kinds, _ = rewritten(model, {"x": RANDOM.rand(3, 4).astype(np.float32)})
    rest = ["Reshape"] if to[1] == 2 else []
    assert kinds == ["ReduceMax", "Reshape", "Reshape", "Div", *rest]


@pytest.mark.parametrize(
    ("shape", "perm", "kinds"),
    [(["b", 5, 1, 1], [0, 2, 3, 1], ["Reshape"]), (["b", 1, 4, 3], [0, 2, 3, 1], ["Reshape"]),
     (["b", "h", 4, 1], [0, 3, 1, 2], ["Transpose"]), (["b", 5, 2, 1], [0, 2, 3, 1], ["Transpose"])],
)  # fmt: skip
def test_a_transpose_that_moves_axes_of_size_one_alone_is_a_reshape(shape, perm, kinds):
    nodes = [helper.make_node("Transpose", ["x"], ["y"], perm=perm)]
    model = made(nodes, {}, {"x": (FLOAT, shape)}, ["b", "i", "j", "k"])
    x = RANDOM.rand(*(side if isinstance(side, int) else 3 for side in shape)).astype(np.float32)
    before = run(model, {"x": x})
    assert bool(rewrites.rewrite(model)) == (kinds == ["Reshape"])
    assert [node.op_type for node in model.graph.node] == kinds
    np.testing.assert_array_equal(run(model, {"x": x}), before)


@pytest.mark.parametrize(("to", "kinds"), [([-1, 2, 2], 1), ([0, -1], 2)])
def test_two_reshapes_are_one_unless_the_second_keeps_an_axis(to, kinds):
    nodes = [helper.make_node("Reshape", ["x", "first"], ["r"]), helper.make_node("Reshape", ["r", "second"], ["y"])]
    arrays = {"first": np.int64([-1, 2]), "second": np.int64(to)}
    model = made(nodes, arrays, {"x": (FLOAT, ["b", 4])}, ["c", "d", "e"][: len(to)])
    x = {"x": RANDOM.rand(3, 4).astype(np.float32)}
    before = run(model, x)
    rewrites.rewrite(model)
    assert len(model.graph.node) == kinds
    np.testing.assert_array_equal(run(model, x), before)
