"""Every bad input that is known to have hurt a model server, sent to a real one: 4xx in one line, and it goes on.

After each of them a good request on the same connection and one on a new connection must succeed.
"""

import gzip
import json
import re
import socket
import time
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor

import cases
import numpy as np
import pytest
from cases import LIMITS, inference
from live import Live, one_line, read_answer, status

from zoo.serve import bodies
from zoo.serve.refusal import RefusedError
from zoo.serve.settings import Settings

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


# ---- bodies: size, time, encoding


def padded(size):
    """A good request of `size` bytes, half of them raw: JSON alone has a limit of its own."""
    rows = 100
    head = HEAD.replace(b"96}", b"%d}" % (32 * rows)).replace(b"[3, 8]", b"[%d, 8]" % rows)
    head = head[:-1] + b', "parameters": {"binary_data_output": true, "x": "'
    raw = np.zeros((rows, 8), np.float32).tobytes()
    head += b"x" * (size - len(head) - len(raw) - 3) + b'"}}'
    return head + raw, {LENGTH: str(len(head))}


def test_a_body_at_the_limit_and_one_byte_more(folder):
    with Live(folder, Settings(max_body_bytes=50_000, workers=2)) as server:
        body, headers = padded(50_000)
        assert len(body) == 50_000 and server.ask("POST", INFER, body, headers)[0] == 200
        body, headers = padded(50_001)
        refuses(server, "at most 50,000 bytes", "POST", INFER, body, headers, codes=[413])


@pytest.mark.parametrize("size", [1, 7, 64])
def test_chunks_without_a_length(server, size):
    pieces = [GOOD[i : i + size] for i in range(0, len(GOOD), size)]
    chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces] + [b"0\r\n\r\n"]
    start = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    assert status(server.raw(start, b"".join(chunks))) == 200
    assert status(server.raw(start, *chunks[:20], b"".join(chunks[20:]))) == 200  # in packets of their own


def test_chunks_that_never_end(server):
    """The limit holds without a Content-Length: the answer does not wait for the end of the body."""
    start = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    chunks = LIMITS.max_body_bytes // 0x1000 + 1
    answer = server.raw(start + (b"1000\r\n" + b" " * 0x1000 + b"\r\n") * chunks)
    assert status(answer) == 413 and "at most 200,000 bytes" in one_line(answer.partition(b"\r\n\r\n")[2])
    goes_on(server, server.connect())


def test_a_body_that_arrives_slowly(server):
    start = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n".encode()
    answer = server.raw(start, *[b"x"] * 4, pause=0.1)  # and then nothing
    assert status(answer) == 408 and one_line(answer.partition(b"\r\n\r\n")[2])
    goes_on(server, server.connect())


@pytest.mark.parametrize("start", [b"", b"POST /v2/models/tiny/infer HTTP/1.1\r\nHost:"])
def test_headers_that_never_arrive(server, start):
    """Neither a silent connection nor half a header is kept for ever."""
    begin = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as line:
        line.sendall(start)
        assert read_answer(line) == b""  # closed
    assert time.monotonic() - begin >= LIMITS.header_seconds
    goes_on(server, server.connect())


def test_headers_without_end(server):
    sent = 0
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as line, pytest.raises(ConnectionError):
        line.sendall(b"GET / HTTP/1.1\r\n")
        while sent < 2**24:
            line.sendall(b"X-A: " + b"a" * 8000 + b"\r\n")
            sent += 8007
    goes_on(server, server.connect())


@pytest.mark.parametrize(
    ("encoding", "body", "match"),
    [
        ("gzip", gzip.compress(b" " * 10**7), "200,000 bytes"),
        ("deflate", zlib.compress(b" " * 10**7), "200,000 bytes"),
        ("gzip", GOOD, "not what its Content-Encoding says"),
        ("gzip", gzip.compress(GOOD)[:-4], "ends too early"),
        ("gzip", gzip.compress(GOOD) + b"more", "something follows"),
        ("br", GOOD, "must be gzip, deflate or identity"),
        ("gzip, gzip", gzip.compress(gzip.compress(GOOD)), "must be gzip"),
    ],
)
def test_compressed_bodies_that_are_wrong(server, encoding, body, match):
    refuses(server, match, "POST", INFER, body, {"Content-Encoding": encoding})


def test_a_bomb_is_not_unpacked():
    """100 MB of blanks: no more of them than the limit ever stand in memory."""
    bomb = gzip.compress(b" " * 10**8, 1)
    tracemalloc.start()
    with pytest.raises(RefusedError, match="1,000 bytes"):
        bodies._unpacked(bomb, bodies.WINDOW_BITS[b"gzip"], 1000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000  # the packed body is half a megabyte


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("GZIP", gzip.compress)]
)
def test_compressed_bodies(server, encoding, pack):
    code, _, body = server.ask("POST", INFER, pack(GOOD), {"Content-Encoding": encoding})
    assert code == 200 and body == server.ask("POST", INFER, GOOD)[2]


@pytest.mark.parametrize(
    "kind", [None, "application/json", "text/plain", "nonsense", "application/x-www-form-urlencoded"]
)
def test_the_content_type_of_an_inference_request_means_nothing(server, kind):
    """tritonclient sends none, curl -d a wrong one."""
    assert server.ask("POST", INFER, GOOD, {"Content-Type": kind} if kind else {})[0] == 200


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET\r\n\r\n",
        b"\r\n" * 100,
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ],
)
def test_what_is_no_http(server, garbage):
    answer = server.raw(garbage)
    assert answer == b"" or 400 <= status(answer) < 500
    assert b"uvicorn" not in answer and b"Traceback" not in answer
    goes_on(server, server.connect())


# ---- many at a time


def test_one_bad_request_among_good_ones(server):
    """They would have run in one batch."""
    bad = json.dumps(inference()).replace("0.5", "1e999").encode()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda i: server.ask("POST", INFER, bad if i % 8 == 3 else GOOD), range(48)))
    assert [code for code, _, _ in answers] == [400 if i % 8 == 3 else 200 for i in range(48)]
    assert len({body for code, _, body in answers if code == 200}) == 1
