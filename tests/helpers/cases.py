"""Good requests for `tiny`, which takes z float32 [batch, 8] and makes images [batch, 8, 8, 3], and limits for them."""

import json

import numpy as np

from zoo.serve.protocol import LENGTH_HEADER
from zoo.serve.settings import Settings

LIMITS = Settings(
    max_body_bytes=200_000, max_json_bytes=100_000, max_rows=100, max_json_numbers=20_000, max_images=64,
    max_frames=40, max_pixels=400, body_seconds=1.0, header_seconds=1.0, workers=2,
)  # fmt: skip


def inference(name="z", shape=(1, 8), datatype="FP32", data=None, **more):
    """The JSON of an inference request with one input."""
    data = [0.5] * int(np.prod(shape)) if data is None else data
    return {"inputs": [{"name": name, "shape": list(shape), "datatype": datatype, "data": data}], **more}


def binary(name, array, datatype="FP32", size=None):
    """The JSON of an input whose numbers follow as bytes; `size` may differ from theirs."""
    size = array.nbytes if size is None else size
    return {"name": name, "shape": list(array.shape), "datatype": datatype, "parameters": {"binary_data_size": size}}


def many(rows):
    """Body and headers of a request for `rows` images, binary both ways."""
    z = np.full((rows, 8), 0.5, np.float32)
    head = json.dumps({"inputs": [binary("z", z)], "parameters": {"binary_data_output": True}}).encode()
    return head + z.tobytes(), {LENGTH_HEADER: str(len(head))}


INFER = "/v2/models/tiny/infer"
GOOD = json.dumps(inference()).encode()
