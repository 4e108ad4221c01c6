"""Bytes to arrays and back, without a web server; every wrong request that is known to have hurt a model server."""

import json

import numpy as np
import onnx_nets as nets
import pytest
from cases import GOOD, LIMITS, binary, inference
from live import presentable

from zoo.core.errors import ServeError
from zoo.serve import protocol
from zoo.serve.errors import RefusedError
from zoo.serve.settings import Settings

TINY, LABELLED, PHOTOS = nets.describe(), nets.describe(nets.Z, nets.LABEL), nets.describe_negative()


def decode(request, *raw, manifest=TINY, length=True, limits=LIMITS):
    text = json.dumps(request).encode() if not isinstance(request, bytes) else request
    head = str(len(text)) if raw and length is True else None if length is True else length
    return protocol.decode(text + b"".join(raw), head, manifest, limits)


def refused(match, *args, status=400, **kwargs):
    with pytest.raises(ServeError, match=match) as caught:
        decode(*args, **kwargs)
    presentable(str(caught.value))
    assert getattr(caught.value, "status", 400) == status


Z = np.random.RandomState(0).standard_normal((3, 8)).astype(np.float32)
IDS = np.array([2, 0, 1], np.int64)


@pytest.mark.parametrize("shape", [(24,), (3, 8)])
def test_json_flat_or_nested_is_the_same_array(shape):
    asked = decode(inference(shape=(3, 8), data=Z.reshape(shape).tolist(), id="a"))
    np.testing.assert_array_equal(asked.feed["z"], Z)
    assert asked.feed["z"].dtype == np.float32 and (asked.rows, asked.id, asked.binary) == (3, "a", False)


@pytest.mark.parametrize("pad", [b"", b" "])  # an odd length of JSON: tensors that are not aligned
def test_binary_tensors_follow_in_order(pad):
    request = json.dumps({"inputs": [binary("label", IDS, "INT64"), binary("z", Z)]}).encode() + pad
    asked = decode(request, IDS.tobytes(), Z.tobytes(), manifest=LABELLED)
    assert list(asked.feed) == ["z", "label"]
    for name, array in (("z", Z), ("label", IDS)):
        np.testing.assert_array_equal(asked.feed[name], array)
        assert asked.feed[name].dtype == array.dtype and asked.feed[name].flags.aligned


def test_json_and_binary_inputs_mix():
    label = {"name": "label", "shape": [3], "datatype": "INT64", "data": IDS.tolist()}
    asked = decode({"inputs": [binary("z", Z), label]}, Z.tobytes(), manifest=LABELLED)
    np.testing.assert_array_equal(asked.feed["label"], IDS)


def test_what_the_client_wants_back():
    one = inference()
    for outputs, parameters, expected in (
        (None, {}, False),
        (None, {"binary_data_output": True}, True),
        ([{"name": "image"}], {"binary_data_output": True}, True),
        ([{"name": "image", "parameters": {"binary_data": False}}], {"binary_data_output": True}, False),
        ([{"name": "image", "parameters": {"binary_data": True}}], {}, True),
        ([], {}, False),
    ):
        assert decode({**one, "outputs": outputs, "parameters": parameters}).binary is expected
    assert decode({**one, "parameters": {"timeout": 2_500_000}}).timeout_seconds == 2.5
    assert (
        decode({**one, "parameters": {"priority": 3, "color": "blue"}}).timeout_seconds is None
    )  # clients may send more


def test_minus_zero_and_whole_numbers_are_numbers():
    asked = decode(inference(data=[-0.0, 0, 1, -1, 1e-45, 3e38, 2, 0.1]))
    assert np.signbit(asked.feed["z"][0, 0]) and asked.feed["z"][0, 7] == np.float32(0.1)


def test_images_of_many_sizes():
    for h, w in ((8, 8), (8, 16), (20, 20)):
        image = np.zeros((1, h, w, 3), np.float32)
        assert decode({"inputs": [binary("a", image)]}, image.tobytes(), manifest=PHOTOS).rows == 1
    for h, w, match, status in ((8, 10, "multiples of 4", 400), (4, 8, "multiples of 4", 400), (24, 24, "pixels", 413)):
        image = np.zeros((1, h, w, 3), np.float32)
        refused(match, {"inputs": [binary("a", image)]}, image.tobytes(), manifest=PHOTOS, status=status)


# The whole body, and what the error says.
BODIES = [
    (b"", "empty"), (b"{", "not JSON: line 1 column 2"), (b"[]", "JSON object"), (b"null", "JSON object"),
    (b'"a"', "JSON object"), (b"{}", "inputs must be a list"), (b'{"inputs": []}', "inputs must be a list"),
    (b'{"inputs": {}}', "inputs must be a list"), (b'{"inputs": [1]}', "an input must be a JSON object"),
    (b'{"inputs": [{}]}', "no input None"), (b"\xff\xfe", "byte 0 is not UTF-8"), (b"\xef\xbb\xbf{}", "BOM"),
    (b"[" * 20_000, "nested too deeply"), (b'{"a":' * 20_000, "nested too deeply"),
    (b'{"inputs": [], "inputs": []}', "'inputs' occurs twice"), (b'{"input": []}', "Did you mean 'inputs'"),
    (b'{"inputs": [], "id": ' + b"9" * 5000 + b"}", "too many digits"), (b"{} {}", "Extra data"),
    (json.dumps(inference(data=[float("nan")] * 8)).encode(), "NaN is not a JSON number"),
    (json.dumps(inference(data=[float("inf")] * 8)).encode(), "Infinity is not a JSON number"),
    (json.dumps(inference()).replace("0.5", "1e999").encode(), "must be finite"),
]  # fmt: skip

# Changes to the one input of a good request.
INPUTS = [
    ({"name": "zz"}, "no input 'zz'. Did you mean 'z'"),
    ({"datatype": "FPXX"}, "datatype must be FP32, received 'FPXX'"),
    ({"shape": "1,8"}, "list of whole numbers"),
    ({"shape": [True, 8]}, "list of whole numbers"),
    ({"shape": [-1, 8]}, "list of whole numbers"),
    ({"shape": [0, 8]}, "list of whole numbers"),
    ({"shape": []}, "expected z float32"),
    ({"shape": [1, 7]}, "expected z float32"),
    ({"shape": [1, 2**40]}, "expected z float32"),
    ({"shape": [2**2000, 8]}, "at most 100 rows"),
    ({"data": [0.5] * 7}, "holds 8 numbers, data has 7"),
    ({"data": [[0.5] * 4] * 2}, "nested like its shape"),
    ({"data": [[0.5] * 8, 1]}, "nested like its shape"),
    ({"data": ["0.5"] * 8}, "data must be numbers, received '0.5'"),
    ({"data": [True] * 8}, "data must be numbers, received True"),
    ({"data": "abc"}, "must be a list of numbers"),
    ({"data": [1e39] * 8}, "must be finite"),
    ({"data": [10**400] * 8}, "too large for float32"),
    ({"colour": 1}, "unknown key 'colour'"),
    ({"parameters": 1}, "parameters must be an object"),
    ({"parameters": {"shared_memory_region": "a"}}, "does not support the parameter 'shared_memory_region'"),
    ({"parameters": {"binary_data_size": 32}}, "data or the parameter binary_data_size"),
]

# Changes to a good request beside its inputs.
REQUESTS = [
    ({"outputs": "image"}, "outputs must be a list"),
    ({"outputs": [{"name": "picture"}]}, "no output 'picture'"),
    ({"outputs": [{"name": "image"}, {"name": "image"}]}, "output 'image' occurs twice"),
    ({"outputs": [{"name": "image", "parameters": {"binary_data": 1}}]}, "true or false"),
    ({"parameters": {"sequence_id": 7}}, "does not support the parameter 'sequence_id'"),
    ({"parameters": {"binary_data_output": "yes"}}, "true or false"),
    ({"parameters": {"timeout": -1}}, "timeout must be a whole number of microseconds"),
    ({"id": 7}, "id must be a string"),
    ({"id": "x" * 257}, "id must be a string"),
]


@pytest.mark.parametrize(("body", "match"), BODIES)
def test_bodies_that_are_not_a_request(body, match):
    refused(match, body)


@pytest.mark.parametrize(("changes", "match"), INPUTS)
def test_inputs_that_are_wrong(changes, match):
    request = inference()
    request["inputs"][0] |= changes
    refused(match, request, status=413 if "rows" in match else 400)


@pytest.mark.parametrize(("changes", "match"), REQUESTS)
def test_requests_that_are_wrong(changes, match):
    refused(match, {**inference(), **changes})


def test_inputs_missing_twice_or_of_different_lengths():
    z, label = inference()["inputs"][0], {"name": "label", "shape": [1], "datatype": "INT64", "data": [1]}
    refused("lacks the input label", {"inputs": [z]}, manifest=LABELLED)
    refused("input 'z' occurs twice", {"inputs": [z, z]})
    refused("no input 'label'", {"inputs": [z, label]})
    refused("differ in batch size", {"inputs": [z, {**label, "shape": [2], "data": [1, 2]}]}, manifest=LABELLED)
    refused("class ids lie in 0..2", {"inputs": [z, {**label, "data": [3]}]}, manifest=LABELLED)
    refused("data must be whole numbers", {"inputs": [z, {**label, "data": [1.0]}]}, manifest=LABELLED)
    refused("too large for int64", {"inputs": [z, {**label, "data": [2**64]}]}, manifest=LABELLED)


@pytest.mark.parametrize("length", ["abc", "-1", "0", "", "1e2", "0x10", "٣", "9999", "10" * 500, "+5", " 5"])
def test_lengths_of_the_header_that_are_wrong(length):
    refused("Inference-Header-Content-Length", {"inputs": [binary("z", Z)]}, Z.tobytes(), length=length)


def test_binary_sizes_that_are_wrong():
    raw = Z.tobytes()
    for size in (-4, 0, 95, 97, 92, 100, 2**70, "96", 96.0, True, None):
        refused("binary_data_size", {"inputs": [binary("z", Z) | {"parameters": {"binary_data_size": size}}]}, raw)
    refused("92 are left", {"inputs": [binary("z", Z)]}, raw[:-4])
    refused("received 3 bytes more", {"inputs": [binary("z", Z)]}, raw, b"abc")
    refused("bytes more", inference(), raw)
    refused("need the header", json.dumps({"inputs": [binary("z", Z)]}).encode() + raw)
    for bad in (np.nan, np.inf, -np.inf):
        wrong = Z.copy()
        wrong[1, 2] = bad
        refused("must be finite", {"inputs": [binary("z", wrong)]}, wrong.tobytes())


def test_rows_and_json_are_limited():
    many = np.zeros((100, 8), np.float32)
    assert decode({"inputs": [binary("z", many)]}, many.tobytes()).rows == 100
    more = np.zeros((101, 8), np.float32)
    refused("at most 100 rows", {"inputs": [binary("z", more)]}, more.tobytes(), status=413)
    assert decode(GOOD + b" " * (100_000 - len(GOOD))).rows == 1
    refused("send tensors as binary", GOOD + b" " * (100_001 - len(GOOD)), status=413)


@pytest.mark.parametrize("shape", [(1,), (3, 4, 4), (70, 16, 16)])
def test_json_answers_are_exact(shape):
    limits = Settings(max_json_numbers=20_000)
    numbers = np.random.RandomState(1).randint(0, 2**32, size=shape, dtype=np.uint32).view(np.float32)
    numbers = np.where(np.isfinite(numbers), numbers, np.float32(-0.0))
    data, length = protocol.encode({"image": numbers}, protocol.Inference({}, 1, "7"), TINY, limits)
    keys = json.loads(data)
    assert length is None and keys["model_name"] == "tiny" and keys["id"] == "7"
    (output,) = keys["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("image", "FP32", [*shape])
    np.testing.assert_array_equal(
        np.array(output["data"], np.float32).reshape(shape).view(np.uint32), numbers.view(np.uint32)
    )


def test_binary_answers_are_the_bytes():
    numbers = np.random.RandomState(1).standard_normal((2, 3)).astype(np.float32)
    data, length = protocol.encode({"image": numbers}, protocol.Inference({}, 2, binary=True), TINY, LIMITS)
    keys = json.loads(data[:length])
    assert keys["outputs"][0]["parameters"] == {"binary_data_size": 24} and "data" not in keys["outputs"][0]
    assert data[length:] == numbers.tobytes() and "id" not in keys


def test_answers_that_json_cannot_hold():
    with pytest.raises(RefusedError, match="not finite") as caught:
        protocol.encode({"image": np.array([np.nan], np.float32)}, protocol.Inference({}, 1), TINY, LIMITS)
    assert caught.value.status == 422
    with pytest.raises(RefusedError, match="at most 20,000 numbers") as caught:
        protocol.encode({"image": np.zeros(20_001, np.float32)}, protocol.Inference({}, 1), TINY, LIMITS)
    assert caught.value.status == 413


def test_metadata_names_what_a_request_may_choose():
    assert protocol.metadata(PHOTOS)["inputs"] == [{"name": "a", "datatype": "FP32", "shape": [-1, -1, -1, 3]}]
    assert protocol.metadata(LABELLED)["inputs"][1] == {"name": "label", "datatype": "INT64", "shape": [-1]}
    assert protocol.metadata(TINY)["outputs"] == [{"name": "image", "datatype": "FP32", "shape": [-1, 8, 8, 3]}]
