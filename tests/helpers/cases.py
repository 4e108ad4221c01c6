"""What strangers send: every table is tried on the protocol alone and on a real server.

All requests go to `tiny`, which takes z float32 [batch, 8] and makes images [batch, 8, 8, 3].
"""

import json

from zoo.serve.settings import Settings

LIMITS = Settings(
    max_body_bytes=200_000, max_json_bytes=100_000, max_rows=100, max_json_numbers=20_000, max_images=64,
    max_frames=40, max_pixels=400, body_seconds=1.0, header_seconds=1.0, workers=2,
)  # fmt: skip


def inference(name="z", shape=(1, 8), datatype="FP32", data=None, **more):
    """The JSON of an inference request with one input."""
    count = 1
    for size in shape:
        count *= size
    data = [0.5] * count if data is None else data
    return {"inputs": [{"name": name, "shape": list(shape), "datatype": datatype, "data": data}], **more}


# The whole body, and what the error says.
BODIES = [
    (b"", "empty"), (b"{", "not JSON: line 1 column 2"), (b"[]", "JSON object"), (b"null", "JSON object"),
    (b'"a"', "JSON object"), (b"{}", "inputs must be a list"), (b'{"inputs": []}', "inputs must be a list"),
    (b'{"inputs": {}}', "inputs must be a list"), (b'{"inputs": [1]}', "an input must be a JSON object"),
    (b'{"inputs": [{}]}', "no input None"), (b"\xff\xfe", "byte 0 is no UTF-8"), (b"\xef\xbb\xbf{}", "BOM"),
    (b"[" * 20_000, "nested too deeply"), (b'{"a":' * 20_000, "nested too deeply"),
    (b'{"inputs": [], "inputs": []}', "'inputs' is there twice"), (b'{"input": []}', "Did you mean 'inputs'"),
    (b'{"inputs": [], "id": ' + b"9" * 5000 + b"}", "too long"), (b"{} {}", "Extra data"),
    (json.dumps(inference(data=[float("nan")] * 8)).encode(), "NaN is no number"),
    (json.dumps(inference(data=[float("inf")] * 8)).encode(), "Infinity is no number"),
    (json.dumps(inference()).replace("0.5", "1e999").encode(), "must be finite"),
]  # fmt: skip

# Changes to the one input of a good request.
INPUTS = [
    ({"name": "zz"}, "no input 'zz'. Did you mean 'z'"),
    ({"name": 7}, "no input 7"),
    ({"name": "x" * 10_000}, "no input 'xxx"),
    ({"datatype": "FPXX"}, "datatype must be FP32, received 'FPXX'"),
    ({"datatype": "BYTES"}, "datatype must be FP32"),
    ({"datatype": "FP16"}, "datatype must be FP32"),
    ({"datatype": "FP64"}, "datatype must be FP32"),
    ({"datatype": None}, "datatype must be FP32, received None"),
    ({"shape": "1,8"}, "list of whole numbers"),
    ({"shape": [True, 8]}, "list of whole numbers"),
    ({"shape": [1.0, 8]}, "list of whole numbers"),
    ({"shape": [-1, 8]}, "list of whole numbers"),
    ({"shape": [0, 8]}, "list of whole numbers"),
    ({"shape": []}, "expected z float32"),
    ({"shape": [8]}, "expected z float32"),
    ({"shape": [1, 8, 1]}, "expected z float32"),
    ({"shape": [1, 7]}, "expected z float32"),
    ({"shape": [1, 2**40]}, "expected z float32"),
    ({"shape": [2**62, 8]}, "at most 100 rows"),
    ({"shape": [2**2000, 8]}, "at most 100 rows"),
    ({"shape": None}, "list of whole numbers"),
    ({"data": [0.5] * 7}, "holds 8 numbers, data has 7"),
    ({"data": [0.5] * 9}, "holds 8 numbers, data has 9"),
    ({"data": []}, "holds 8 numbers, data has 0"),
    ({"data": [[0.5] * 4] * 2}, "not nested as its shape"),
    ({"data": [[0.5] * 8, [0.5] * 8]}, "data has 16"),
    ({"data": [[0.5] * 8, 1]}, "not nested"),
    ({"data": [1, [0.5] * 7]}, "data has 2"),
    ({"data": ["0.5"] * 8}, "data must be numbers, received '0.5'"),
    ({"data": [True] * 8}, "data must be numbers, received True"),
    ({"data": [None] * 8}, "data must be numbers, received None"),
    ({"data": [{}] * 8}, "data must be numbers"),
    ({"data": "abc"}, "must be a list of numbers"),
    ({"data": None}, "must be a list of numbers"),
    ({"data": [1e39] * 8}, "must be finite"),
    ({"data": [10**400] * 8}, "too large for float32"),
    ({"colour": 1}, "unknown key 'colour'"),
    ({"parameters": 1}, "parameters must be an object"),
    ({"parameters": {"shared_memory_region": "a"}}, "does not offer 'shared_memory_region'"),
    ({"parameters": {"binary_data_size": 32}}, "either data or the parameter binary_data_size"),
]

# Changes to a good request beside its inputs.
REQUESTS = [
    ({"outputs": "image"}, "outputs must be a list"),
    ({"outputs": [{"name": "picture"}]}, "no output 'picture'"),
    ({"outputs": [{"name": "image"}, {"name": "image"}]}, "output 'image' is there twice"),
    ({"outputs": [{"name": "image", "parameters": {"binary_data": 1}}]}, "true or false"),
    ({"outputs": [{"name": "image", "parameters": {"classification": 3}}]}, "does not offer 'classification'"),
    ({"parameters": {"sequence_id": 7}}, "does not offer 'sequence_id'"),
    ({"parameters": {"binary_data_output": "yes"}}, "true or false"),
    ({"parameters": {"timeout": -1}}, "timeout must be microseconds"),
    ({"parameters": {"timeout": True}}, "timeout must be microseconds"),
    ({"id": 7}, "id must be a string"),
    ({"id": "x" * 257}, "id must be a string"),
]
