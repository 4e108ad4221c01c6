"""A good request, and what must hold of a server before and after a bad one."""

import json
import re

import numpy as np
from cases import inference
from live import one_line

INFER = "/v2/models/tiny/infer"
GOOD = json.dumps(inference()).encode()
Z = np.linspace(-1, 1, 24, dtype=np.float32).reshape(3, 8)
HEAD = json.dumps(
    {"inputs": [{"name": "z", "shape": [3, 8], "datatype": "FP32", "parameters": {"binary_data_size": 96}}]}
).encode()
LENGTH = "Inference-Header-Content-Length"


def goes_on(server, connection):
    for line in (connection, None):
        code, _, body = server.ask("POST", INFER, GOOD, connection=line)
        assert code == 200 and json.loads(body)["outputs"][0]["shape"] == [1, 8, 8, 3]


def refuses(server, match, *request, codes=range(400, 500), **more):
    connection = server.connect()
    code, headers, body = server.ask(*request, connection=connection, **more)
    text = one_line(body)
    assert code in codes and re.search(match, text), (code, text)
    assert headers["content-type"] == "application/json" and "server" not in headers
    goes_on(server, connection)
    connection.close()
