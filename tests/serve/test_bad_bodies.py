"""Bodies and headers too large, too slow or wrongly packed, sent to a real server: 4xx in one line, and it goes on."""

import gzip
import json
import socket
import time
import tracemalloc
import zlib

import numpy as np
import pytest
from cases import GOOD, INFER, LIMITS, binary
from live import Live, goes_on, one_line, read_answer, refuses, status

from zoo.serve.protocol import LENGTH_HEADER
from zoo.serve.settings import Settings


def test_a_body_at_the_limit_and_one_byte_more(folder):
    """Half of the body is raw: JSON alone has a limit of its own."""
    rows = np.zeros((100, 8), np.float32)
    with Live(folder, Settings(max_body_bytes=2 * rows.nbytes, workers=2)) as server:
        for extra, code in ((0, 200), (1, 413)):
            request = {"inputs": [binary("z", rows)], "parameters": {"binary_data_output": True, "x": ""}}
            padding = rows.nbytes + extra - len(json.dumps(request))
            request["parameters"]["x"] = "x" * padding
            head = json.dumps(request).encode()
            body, headers = head + rows.tobytes(), {LENGTH_HEADER: str(len(head))}
            assert len(body) == 2 * rows.nbytes + extra
            if code == 200:
                assert server.ask("POST", INFER, body, headers)[0] == 200
            else:
                refuses(server, "at most 6,400 bytes", "POST", INFER, body, headers, codes=[413])


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
        ("gzip", gzip.compress(b" " * 10**7, mtime=0), "200,000 bytes"),
        ("deflate", zlib.compress(b" " * 10**7), "200,000 bytes"),
        ("gzip", GOOD, "not gzip, which its Content-Encoding states"),
        ("gzip", gzip.compress(GOOD, mtime=0)[:-4], "ends too early"),
        ("gzip", gzip.compress(GOOD, mtime=0) + b"more", "has bytes after its end"),
        ("br", GOOD, "must be gzip, deflate or identity, received 'br'"),
        ("gzip, gzip", gzip.compress(gzip.compress(GOOD, mtime=0), mtime=0), "must be gzip"),
    ],
)
def test_compressed_bodies_that_are_wrong(server, encoding, body, match):
    refuses(server, match, "POST", INFER, body, {"Content-Encoding": encoding})


def test_a_bomb_is_not_unpacked(folder):
    """100 MB of blanks in half a megabyte: never more of them in memory than the limit."""
    bomb = gzip.compress(b" " * 10**8, 1)
    with Live(folder / "tiny", Settings(max_body_bytes=500_000, workers=1)) as server:
        tracemalloc.start()
        refuses(server, "at most 500,000 bytes", "POST", INFER, bomb, {"Content-Encoding": "gzip"}, codes=[413])
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 5_000_000


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
def test_bytes_that_are_not_http(server, garbage):
    answer = server.raw(garbage)
    assert answer == b"" or 400 <= status(answer) < 500
    assert b"uvicorn" not in answer and b"Traceback" not in answer
    goes_on(server, server.connect())
