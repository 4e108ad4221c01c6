"""Every bad input that is known to have hurt a model server, sent to a real one: 4xx in one line, and it goes on.

After each of them a good request on the same connection and one on a new connection must succeed.
"""

import json
from concurrent.futures import ThreadPoolExecutor

import cases
import numpy as np
import pytest
from cases import inference
from live import one_line
from refusing import GOOD, HEAD, INFER, LENGTH, Z, goes_on, refuses


@pytest.mark.parametrize(("body", "match"), cases.BODIES)
def test_bodies_that_are_no_request(server, body, match):
    refuses(server, match, "POST", INFER, body)


@pytest.mark.parametrize(("changes", "match"), cases.INPUTS)
def test_inputs_that_are_wrong(server, changes, match):
    request = inference()
    request["inputs"][0] |= changes
    refuses(server, match, "POST", INFER, request)


@pytest.mark.parametrize(("changes", "match"), cases.REQUESTS)
def test_requests_that_are_wrong(server, changes, match):
    refuses(server, match, "POST", INFER, {**inference(), **changes})


@pytest.mark.parametrize(
    ("length", "match"),
    [(None, "need the header"), *((text, LENGTH) for text in ("abc", "-1", "0", "", "9999", "1" * 100, "1e2", "0x10"))],
)
def test_lengths_of_the_json_that_are_wrong(server, length, match):
    refuses(server, match, "POST", INFER, HEAD + Z.tobytes(), {} if length is None else {LENGTH: length})


@pytest.mark.parametrize("size", [-1, 0, 95, 98, 92, 100, 10**9, 2**70, "96", True, None])
def test_binary_sizes_that_are_wrong(server, size):
    head = HEAD.replace(b"96}", json.dumps(size).encode() + b"}")
    refuses(server, "binary_data_size", "POST", INFER, head + Z.tobytes(), {LENGTH: str(len(head))})


@pytest.mark.parametrize(
    ("raw", "match"),
    [
        (Z.tobytes()[:-4], "92 are left"),
        (Z.tobytes() + b"abc", "3 bytes follow"),
        (np.where(Z > 0.9, np.float32(np.nan), Z).tobytes(), "finite"),
        (np.where(Z > 0.9, np.float32(np.inf), Z).tobytes(), "finite"),
    ],
)
def test_tensors_that_are_wrong(server, raw, match):
    refuses(server, match, "POST", INFER, HEAD + raw, {LENGTH: str(len(HEAD))})


@pytest.mark.parametrize(("rows", "code"), [(0, 400), (1, 200), (100, 200), (101, 413), (20_000, 413)])
def test_batches(server, rows, code):
    request = inference(shape=(rows, 8), data=[0.5] * min(8 * rows, 1000), parameters={"binary_data_output": True})
    connection = server.connect()
    answer, _, body = server.ask("POST", INFER, request, connection=connection)
    assert answer == code and (code == 200 or one_line(body))
    goes_on(server, connection)
    connection.close()


@pytest.mark.parametrize(
    ("method", "path", "match", "code"),
    [
        ("GET", INFER, "no such method", 405),
        ("DELETE", "/models/tiny", "no such method", 405),
        ("POST", "/models", "no such method", 405),
        ("PURGE", "/models", "no such method", 405),
        ("POST", "/v2/models/tinny/infer", "no model 'tinny'. Did you mean 'tiny'", 404),
        ("POST", "/v2/models/tiny/versions/2/infer", "no version '2'", 404),
        ("GET", "/v2/models/tiny/versions/%00", "no version", 404),
        ("POST", "/v2/models/..%2f..%2fetc%2fpasswd/infer", "no such page", 404),
        ("POST", "/v2/models/../../etc/passwd", "no such page", 404),
        ("POST", "/v2/models/..%5c..%5cetc/infer", "no model", 404),
        ("POST", "/v2/models/%00/infer", "no model", 404),
        ("POST", "/v2/models/a%0ab/infer", "no model", 404),
        ("POST", "/v2/models/%ff%fe/infer", "no model", 404),
        ("POST", f"/v2/models/{'n' * 10_000}/infer", "no model", 404),
        ("GET", "/models/..%2fetc%2fpasswd/card", "no such page", 404),
        ("GET", "/models/%2e%2e/model.onnx", "no model|no such page", 404),
        ("GET", "/page/..%2f..%2fapp.py", "no such page", 404),
        ("GET", "/page/%00", "no such page", 404),
        ("GET", f"/page/{'n' * 10_000}", "no such page", 404),
        ("GET", "/models/tiny/samples.png", "came without samples", 404),
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
        ("/models/tiny/sample", {"n": 20_000}, {}, "at most 64", 413),
        ("/models/tiny/sample", {"n": 10**400}, {}, "n: |at most", 413),
        ("/models/tiny/sample", {"n": 1.5}, {}, "n: ", 422),
        ("/models/tiny/sample", {"n": True}, {}, "n: ", 422),
        ("/models/tiny/sample", {"n": "1"}, {}, "n: ", 422),
        ("/models/tiny/sample", {"seed": -1}, {}, "seed: ", 422),
        ("/models/tiny/sample", {"seed": 2**32}, {}, "seed: ", 422),
        ("/models/tiny/sample", {"format": "tiff"}, {}, "format: ", 422),
        ("/models/tiny/sample", {"sede": 1}, {}, "no key 'sede'. Did you mean 'seed'", 422),
        ("/models/tiny/sample", {"label": 1}, {}, "takes no label", 400),
        ("/models/fashion/sample", {"label": 3}, {}, "class ids lie in 0..2", 400),
        ("/models/fashion/sample", {"label": "bug"}, {}, "Did you mean 'bag'", 400),
        ("/models/fashion/sample", {"label": [1, 2]}, {}, "label must be one class or 1", 400),
        ("/models/fashion/sample", {"label": []}, {}, "label", 400),
        ("/models/fashion/sample", {"label": "b" * 100_000}, {}, "label: .* 200 characters", 422),
        ("/models/fashion/sample", {"label": ["b" * 100_000]}, {}, "label: .* 200 characters", 422),
        ("/models/fashion/sample", {"label": [0] * 65_537}, {}, "label: .* 65536 items", 422),
        ("/models/fashion/sample", {"label": [0] * 10_000}, {}, "label must be one class or 1", 400),
        ("/models/fashion/sample", {"label": [[1]]}, {}, "label: ", 422),
        ("/models/fashion/sample", {"label": True}, {}, "label: ", 422),
        ("/models/fashion/sample", {"label": 2**70}, {}, "class ids|label", 400),
        ("/models/fashion/sample", {"n": 2, "label": [1, "bag"]}, {}, "label|class", 400),
        ("/models/points/sample", {"format": "zip"}, {}, "points are no single pictures", 400),
        ("/models/tiny/sample", b"[]", {}, "dictionary", 422),
        ("/models/tiny/sample", b"{", {}, "not JSON", 400),
        ("/models/tiny/sample", b"[" * 20_000, {}, "nested too deeply", 400),
        ("/models/photos_a_to_b/sample", {}, {}, "translates images", 400),
        ("/models/tiny/walk", {"n": 1}, {}, "n: ", 422),
        ("/models/tiny/walk", {"n": 41}, {}, "at most 40", 413),
        ("/models/tiny/walk", {"n": 8, "stops": 9}, {}, "n must be", 400),
        ("/models/tiny/walk", {"stops": 1}, {}, "stops: ", 422),
        ("/models/tiny/walk", {"fps": 0}, {}, "fps: ", 422),
        ("/models/tiny/walk", {"fps": 51}, {}, "fps: ", 422),
        ("/models/points/walk", {"n": 8}, {}, "points", 400),
        ("/models/tiny/translate", b"x", {"Content-Type": "image/png"}, "takes no images", 400),
        ("/models/photos_a_to_b/translate", b"x", {"Content-Type": "image/png"}, "not a readable image", 400),
        ("/models/photos_a_to_b/translate", b"", {"Content-Type": "image/png"}, "not a readable image", 400),
        ("/models/photos_a_to_b/translate", b"x", {"Content-Type": "text/plain"}, "Content-Type says so", 415),
        ("/models/photos_a_to_b/translate", b"x", {}, "Content-Type says so", 415),
        ("/models/photos_a_to_b/translate?fit=cover", b"x", {"Content-Type": "image/png"}, "fit: ", 422),
    ],
)
def test_wishes_that_are_wrong(server, path, body, headers, match, code):
    refuses(server, match, "POST", path, body, headers, codes=[code])


def test_one_bad_request_among_good_ones(server):
    """They would have run in one batch."""
    bad = json.dumps(inference()).replace("0.5", "1e999").encode()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda i: server.ask("POST", INFER, bad if i % 8 == 3 else GOOD), range(48)))
    assert [code for code, _, _ in answers] == [400 if i % 8 == 3 else 200 for i in range(48)]
    assert len({body for code, _, body in answers if code == 200}) == 1
