"""The header of a file and the traps in it, against what `onnx` itself reads and writes."""

import numpy as np
import onnx
import onnx_nets as nets
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_nets import fails

import zoo
from zoo.artifact import onnx_header


def test_a_header_is_what_onnx_reads():
    net = nets.images(label=True)
    helper.set_model_props(net, {"gan.a": "ä", "gan.b": ""})
    header = onnx_header.header(net.SerializeToString())
    assert (header.ir_version, header.opset) == (net.ir_version, net.opset_import[0].version) == (8, 17)
    assert header.metadata == {"gan.a": "ä", "gan.b": ""}
    counts = {"Add": 1, "ConvTranspose": 1, "Gather": 1, "MatMul": 1, "Reshape": 1, "Tanh": 1, "Transpose": 1}
    assert header.operators == counts and list(header.operators) == sorted(counts)
    net.graph.node.append(helper.make_node("Tanh", ["image"], ["more"]))
    assert list(onnx_header.header(net.SerializeToString()).operators.items())[:2] == [("Tanh", 2), ("Add", 1)]


def test_the_opset_is_that_of_onnx_itself():
    net = nets.images()
    for opset in (helper.make_opsetid("com.other", 3), helper.make_opsetid("", 18)):
        net.opset_import.append(opset)
    del net.opset_import[0]
    assert onnx_header.header(net.SerializeToString()).opset == 18
    net.opset_import.append(helper.make_opsetid("ai.onnx.ml", 2))
    assert onnx_header.header(net.SerializeToString()).opset == 18


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"\xff" * 64, bytes(64), nets.images().SerializeToString()[:-9], b"\x08\x08"]
)
def test_what_is_no_onnx_file_has_no_header(data):
    with pytest.raises(ValueError, match="it is empty|ends too early|not a protobuf message|does not hold a graph"):
        onnx_header.header(data)


def test_the_numbers_of_the_header_are_those_of_onnx():
    numbers = {
        "ModelProto": {"ir_version": onnx_header.IR_VERSION, "graph": onnx_header.GRAPH,
                       "opset_import": onnx_header.OPSET, "metadata_props": onnx_header.METADATA},
        "GraphProto": {"node": onnx_header.NODE}, "NodeProto": {"op_type": onnx_header.OP_TYPE},
        "OperatorSetIdProto": {"domain": onnx_header.DOMAIN, "version": onnx_header.VERSION},
        "StringStringEntryProto": {"key": onnx_header.KEY, "value": onnx_header.VALUE},
    }  # fmt: skip
    for proto, fields in numbers.items():
        known = getattr(onnx, proto).DESCRIPTOR.fields_by_name
        assert {name: known[name].number for name in fields} == fields


def external(tensor: onnx.TensorProto) -> None:
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "weights.bin"


def test_external_data_is_refused_wherever_it_stands(tmp_path):
    in_initializer = nets.images()
    external(in_initializer.graph.initializer[0])
    fails(r"keeps weights in other files \(external data\)", zoo.load,
          nets.save(tmp_path / "a", in_initializer, nets.describe()))  # fmt: skip
    constant = numpy_helper.from_array(np.zeros(1, np.float32), "c")
    external(constant)
    deep = helper.make_graph([helper.make_node("Constant", [], ["c"], value=constant)], "deep", [], [])
    node = helper.make_node("If", ["x"], ["y"], then_branch=deep, else_branch=deep)
    in_branch = nets.images()
    in_branch.graph.node.append(node)
    in_function = nets.images()
    in_function.functions.append(helper.make_function("d", "f", ["x"], ["y"], [node], [helper.make_opsetid("", 17)]))
    for net in (in_initializer, in_branch, in_function):
        assert onnx_header.has_external_data(net.SerializeToString())
    assert not onnx_header.has_external_data(nets.images(label=True).SerializeToString())


def test_the_walk_knows_every_place_of_a_tensor():
    """MESSAGES against onnx's own descriptors: a field of a later onnx that can hold a tensor fails here."""
    names = {kind: f"{kind.title()}Proto" for kind in onnx_header.MESSAGES}
    names |= {"training": "TrainingInfoProto", "sparse": "SparseTensorProto"}
    kinds = {proto: kind for kind, proto in names.items()}
    for kind, proto in names.items():
        fields = getattr(onnx, proto).DESCRIPTOR.fields
        inner = {
            f.number: kinds[f.message_type.name] for f in fields if f.message_type and f.message_type.name in kinds
        }
        assert onnx_header.MESSAGES[kind] == inner
    assert TensorProto.DESCRIPTOR.fields_by_name["external_data"].number == onnx_header.EXTERNAL_DATA
    assert TensorProto.DESCRIPTOR.fields_by_name["data_location"].number == onnx_header.DATA_LOCATION
