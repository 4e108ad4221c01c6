"""A real server on a real port, in a thread of the test's process, and clients that can misbehave."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import threading
import time

import onnx_nets as nets
from cases import GOOD, INFER

from zoo.serve import server
from zoo.serve.app import create_app
from zoo.serve.settings import Settings

LEAKS = re.compile(
    r'Traceback|File "|\.py\b|/tmp|/home|/root|site-packages|fastapi|starlette|uvicorn|pydantic|0x[0-9a-f]{6}', re.I
)


class Live:
    """`with Live(folder) as server: server.ask("GET", "/models")`."""

    def __init__(self, folder, settings=None, *, wait=True):
        self.app = create_app(folder, settings or Settings())
        self.settings = settings or Settings()
        self._wait = wait
        self._models = []

    def __enter__(self):
        self._listener = server.listen("127.0.0.1", 0)
        self.port = self._listener.getsockname()[1]
        self.server = server.Server(self.app, self.settings, self._models.extend)
        self._thread = threading.Thread(target=lambda: self.server.run(sockets=[self._listener]), daemon=True)
        self._thread.start()
        until(lambda: self.server.started)
        if self._wait:
            until(lambda: self._models or self.server.failed)
        return self

    def __exit__(self, *_):
        self.server.should_exit = True
        self._thread.join(60)
        self._listener.close()

    @property
    def models(self):
        return self.app.state.service.repository.models

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self, method, path, body=None, headers=None, *, connection=None):
        """Send a request; a body that is not bytes becomes JSON. Returns (status, headers, body)."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        with contextlib.nullcontext(connection) if connection else contextlib.closing(self.connect()) as line:
            line.request(method, path, body, headers or {})
            answer = line.getresponse()
            return answer.status, answer.headers, answer.read()

    def metric(self, name):
        """The value of a gauge or counter of GET /metrics."""
        text = self.ask("GET", "/metrics")[2].decode()
        return float(re.search(rf"^{re.escape(name)} (.+)$", text, re.MULTILINE)[1])

    def raw(self, *pieces, pause=0.0):
        """Send bytes, which need not be HTTP. Returns one answer, or as much as comes until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as line:
            for piece in pieces:
                line.sendall(piece)
                time.sleep(pause)
            return read_answer(line)


def read_answer(line):
    """Read one HTTP answer from a socket, headers and body, or as much as comes until the server closes."""
    data, whole = bytearray(), None
    while whole is None or len(data) < whole:
        try:
            more = line.recv(2**20)
        except ConnectionResetError:
            more = b""
        if not more:
            break
        data += more
        if whole is None and (end := data.find(b"\r\n\r\n")) >= 0:
            length = re.search(rb"\r\ncontent-length: *(\d+)", data[:end], re.IGNORECASE)
            whole = end + 4 + int(length[1]) if length else None
    return bytes(data)


def status(data):
    return int(data.split(b" ", 2)[1])


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def one_line(body):
    """Return the text of an error. It must be one line that reveals nothing about the inside of the server."""
    keys = json.loads(body)
    assert list(keys) == ["error"], keys
    return presentable(keys["error"])


def presentable(text):
    assert text and "\n" not in text and len(text) < 600, text
    assert not LEAKS.search(text), text
    return text


def goes_on(server, connection):
    """Check that a good request succeeds on `connection` and on a new one."""
    for line in (connection, None):
        code, _, body = server.ask("POST", INFER, GOOD, connection=line)
        assert code == 200 and json.loads(body)["outputs"][0]["shape"] == [1, 8, 8, 3]


def refuses(server, match, *request, codes=range(400, 500), **more):
    """Check that a request is answered with an error that `match` finds, and that the server goes on."""
    connection = server.connect()
    code, headers, body = server.ask(*request, connection=connection, **more)
    text = one_line(body)
    assert code in codes and re.search(match, text), (code, text)
    assert headers["content-type"] == "application/json" and "server" not in headers
    goes_on(server, connection)
    connection.close()


def save_all(folder):
    """tiny (images), fashion (with classes), points, photos_a_to_b and photos_b_to_a (translators)."""
    nets.save(folder / "tiny", nets.images(), nets.describe())
    nets.save(folder / "fashion", nets.images(label=True), nets.describe(nets.Z, nets.LABEL, name="fashion"))
    nets.save(folder / "points", nets.points(), nets.describe_points())
    manifests = [nets.describe_negative("a_to_b"), nets.describe_negative("b_to_a")]
    nets.save_several(folder / "photos", [nets.negative(), nets.negative()], manifests)
    return folder
