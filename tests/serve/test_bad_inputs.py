"""Wrong requests of every kind, sent to a real server: 4xx in one line, and it goes on.

After each of them a good request on the same connection and one on a new connection must succeed. All that can be
wrong with the body of an inference request is in test_protocol.py; here is one of each kind.
"""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from cases import GOOD, INFER, binary, inference
from live import refuses

from zoo.serve.protocol import LENGTH_HEADER

Z = np.linspace(-1, 1, 24, dtype=np.float32).reshape(3, 8)
HEAD = json.dumps({"inputs": [binary("z", Z)]}).encode()
RAW = HEAD + Z.tobytes()


@pytest.mark.parametrize(
    ("body", "length", "match", "code"),
    [
        (b"", None, "empty", 400),
        (inference(data=["0.5"] * 8), None, "data must be numbers, received '0.5'", 400),
        (RAW, None, "need the header", 400),
        (HEAD.replace(b"96}", b"92}") + Z.tobytes(), len(HEAD), "needs binary_data_size 96, received 92", 400),
        (HEAD + np.where(Z > 0.9, np.float32(np.nan), Z).tobytes(), len(HEAD), "finite", 400),
        (inference(shape=(20_000, 8), data=[]), None, "at most 100 rows", 413),
    ],
)
def test_inference_requests_that_are_wrong(server, body, length, match, code):
    refuses(server, match, "POST", INFER, body, {} if length is None else {LENGTH_HEADER: str(length)}, codes=[code])


@pytest.mark.parametrize(
    ("method", "path", "match", "code"),
    [
        ("GET", INFER, "does not take the method", 405),
        ("PURGE", "/models", "method 'PURGE': use GET", 405),
        ("POST", "/v2/models/tinny/infer", "no model 'tinny'. Did you mean 'tiny'", 404),
        ("POST", "/v2/models/tiny/versions/2/infer", "no version '2'", 404),
        ("POST", "/v2/models/..%2f..%2fetc%2fpasswd/infer", "no such page", 404),
        ("POST", "/v2/models/..%5c..%5cetc/infer", "no model", 404),
        ("POST", "/v2/models/%ff%fe/infer", "no model", 404),
        ("POST", f"/v2/models/{'n' * 10_000}/infer", "no model", 404),
        ("GET", "/models/%2e%2e/model.onnx", "no model|no such page", 404),
        ("GET", "/page/..%2f..%2fapp.py", "no such page", 404),
        ("GET", f"/page/{'n' * 10_000}", "no such page", 404),
        ("GET", "/models/tiny/samples.png", "tiny has no samples.png", 404),
        ("GET", "/nothing", "no such page", 404),
    ],
)
def test_paths_and_methods_that_are_wrong(server, method, path, match, code):
    refuses(server, match, method, path, GOOD if method == "POST" else None, codes=[code])


@pytest.mark.parametrize(
    ("path", "body", "headers", "match", "code"),
    [
        ("/models/tiny/sample", {"n": 0}, {}, "n: ", 422),
        ("/models/tiny/sample", {"n": 65}, {}, "at most 64", 413),
        ("/models/tiny/sample", {"n": 10**400}, {}, "n: |at most", 413),
        ("/models/tiny/sample", {"n": 1.5}, {}, "n: ", 422),
        ("/models/tiny/sample", {"n": "1"}, {}, "n: ", 422),
        ("/models/tiny/sample", {"seed": -1}, {}, "seed: ", 422),
        ("/models/tiny/sample", {"seed": 2**32}, {}, "seed: ", 422),
        ("/models/tiny/sample", {"format": "tiff"}, {}, "format: ", 422),
        ("/models/tiny/sample", {"sede": 1}, {}, "no key 'sede'. Did you mean 'seed'", 422),
        ("/models/tiny/sample", {"label": 1}, {}, "takes no label", 400),
        ("/models/fashion/sample", {"label": 3}, {}, "class ids lie in 0..2", 400),
        ("/models/fashion/sample", {"label": "bug"}, {}, "Did you mean 'bag'", 400),
        ("/models/fashion/sample", {"label": [1, 2]}, {}, "label must be one class or 1", 400),
        ("/models/fashion/sample", {"label": "b" * 100_000}, {}, "label: .* 200 characters", 422),
        ("/models/fashion/sample", {"label": [0] * 65_537}, {}, "label: .* 65536 items", 422),
        ("/models/fashion/sample", {"label": [[1]]}, {}, "label: ", 422),
        ("/models/fashion/sample", {"label": True}, {}, "label: ", 422),
        ("/models/points/sample", {"format": "zip"}, {}, "points are not single pictures", 400),
        ("/models/tiny/sample", b"[]", {}, "dictionary", 422),
        ("/models/tiny/sample", b"{", {}, "not JSON", 400),
        ("/models/photos_a_to_b/sample", {}, {}, "translates images", 400),
        ("/models/tiny/walk", {"n": 1}, {}, "n: ", 422),
        ("/models/tiny/walk", {"n": 41}, {}, "at most 40", 413),
        ("/models/tiny/walk", {"n": 8, "stops": 9}, {}, "n must be", 400),
        ("/models/tiny/walk", {"stops": 1}, {}, "stops: ", 422),
        ("/models/tiny/walk", {"fps": 0}, {}, "fps: ", 422),
        ("/models/tiny/walk", {"fps": 51}, {}, "fps: ", 422),
        ("/models/points/walk", {"n": 8}, {}, "points", 400),
        ("/models/tiny/translate", b"x", {"Content-Type": "image/png"}, "does not take images", 400),
        ("/models/photos_a_to_b/translate", b"x", {"Content-Type": "image/png"}, "not a readable image", 400),
        ("/models/photos_a_to_b/translate", b"x", {}, "Content-Type must be image/png", 415),
        ("/models/photos_a_to_b/translate?fit=cover", b"x", {"Content-Type": "image/png"}, "fit: ", 422),
    ],
)
def test_options_that_are_wrong(server, path, body, headers, match, code):
    refuses(server, match, "POST", path, body, headers, codes=[code])


def test_one_bad_request_among_good_ones(server):
    """They would have run in one batch."""
    bad = json.dumps(inference()).replace("0.5", "1e999").encode()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda i: server.ask("POST", INFER, bad if i % 8 == 3 else GOOD), range(48)))
    assert [code for code, _, _ in answers] == [400 if i % 8 == 3 else 200 for i in range(48)]
    assert len({body for code, _, body in answers if code == 200}) == 1
