"""The process: what it prints, how it stops, what it returns."""

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import onnx_nets as nets
import pytest
from cases import GOOD
from live import read_answer, status, until

import zoo
from zoo.core.errors import UsageError
from zoo.serve.server import listen

ROOT = Path(zoo.__file__).parents[1]


@contextlib.contextmanager
def process(*arguments, **environment):
    """`zoo serve ...` in a process. Yields it once it prints; `.port` is where it listens, None where it does not."""
    command = [sys.executable, str(ROOT / "tools" / "serve.py"), *map(str, arguments)]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    made = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables, cwd=ROOT
    )  # fmt: skip
    try:
        made.greeting = made.stdout.readline()
        found = re.search(r":(\d+)$", made.greeting.strip())
        made.port = int(found[1]) if found else None
        yield made
    finally:
        if made.poll() is None:
            made.kill()
        made.wait()
        made.stdout.close()
        made.stderr.close()


def listens(port):
    with contextlib.closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_sigterm_with_32_in_flight(folder):
    """Half of the requests have sent their bodies when the server stops listening, the other half send them then."""
    head = f"POST /v2/models/tiny/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(GOOD)}\r\n\r\n".encode()
    with process(folder, "--port", "0") as server, contextlib.ExitStack() as stack:
        assert "tiny" in server.greeting and f"http://127.0.0.1:{server.port}" in server.greeting
        lines = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 60)) for _ in range(32)]
        for line in lines:
            line.sendall(head + GOOD[:100])
        idle = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 60))
        other = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        other.request("GET", "/v2/health/live")  # answered: everything before it has been read
        assert other.getresponse().read() == b'{"live":true}'
        for line in lines[:16]:
            line.sendall(GOOD[100:])
        server.send_signal(signal.SIGTERM)
        until(lambda: not listens(server.port))
        for line in lines[16:]:
            line.sendall(GOOD[100:])
        answers = [read_answer(line) for line in lines]
        assert [status(answer) for answer in answers] == [200] * 32
        assert len({answer.partition(b"\r\n\r\n")[2] for answer in answers}) == 1
        assert idle.recv(1) == b""  # a connection without a request keeps nothing waiting
        assert server.wait(60) == 0
        rest, log = server.stdout.read(), server.stderr.read()
    assert "curl http://127.0.0.1" in rest and "Traceback" not in log
    assert log.count('"POST /v2/models/tiny/infer" 200') == 32 and "tiny: ready" in log


def test_ctrl_c_a_quiet_log_and_a_key(folder, tmp_path):
    key = tmp_path / "key.txt"
    key.write_text("open sesame\n")
    with process(folder / "tiny", "--port", "0", "--quiet", "--api-key-file", key) as server:
        line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        for headers, expected in (({}, 401), ({"Authorization": "Bearer open sesame"}, 200)):
            line.request("GET", "/models", headers=headers)
            answer = line.getresponse()
            answer.read()
            assert answer.status == expected
        server.send_signal(signal.SIGINT)
        assert server.wait(60) == 130
        log = server.stderr.read()
    assert "Traceback" not in log and "GET" not in log and "sesame" not in log


def test_nothing_to_serve(tmp_path):
    home = nets.save(tmp_path / "all" / "tiny", nets.images(), nets.describe())
    (home / "generator.onnx").write_bytes(b"broken")
    with process(tmp_path / "all", "--port", "0") as server:
        assert server.wait(60) == 2 and server.greeting == ""
        log = server.stderr.read()
    assert "changed or damaged" in log and "none of its generators can be served" in log and "Traceback" not in log


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{folder}", "--port", "{taken}"], "Address already in use; is another server running? Choose another port"),
        (["{folder}/nothing"], "there is no such folder"),
        (["{empty}"], "there is no exported generator in it"),
        (["{folder}", "--host", "256.0.0.1"], "cannot listen on 256.0.0.1"),
        (["{folder}", "--set", "max_batch=0"], "max_batch must be above 0"),
        (["{folder}", "--api-key-file", "{folder}/nothing"], "No such file"),
        (["{folder}", "--api-key-file", os.devnull], "is empty"),
        (["{folder}", "--api-key-file", "{folder}/tiny/generator.onnx"], "generator.onnx is not a text file"),
    ],
)  # fmt: skip
def test_mistakes_of_the_command_line(folder, tmp_path, capsys, arguments, message):
    from zoo.cli import main

    with socket.create_server(("127.0.0.1", 0)) as taken:
        places = {"folder": folder, "empty": tmp_path, "taken": taken.getsockname()[1]}
        assert main(["serve", *(text.format(**places) for text in arguments)]) == 2
    out, err = capsys.readouterr()
    assert message in err and out == "" and err.count("\n") == 1


@pytest.mark.parametrize("port", ["-1", "65536", "http", "8000.0"])
def test_ports_that_are_none(folder, port, capsys):
    from zoo.cli import main

    with pytest.raises(SystemExit) as stopped:
        main(["serve", str(folder), "--port", port])
    assert stopped.value.code == 2 and "0..65535" in capsys.readouterr().err


def test_loopback_is_the_default_and_ipv6_works():
    from zoo.cli import parser

    assert parser().parse_args(["serve"]).host == "127.0.0.1"
    try:
        with listen("::1", 0) as listener:
            assert listener.family == socket.AF_INET6
    except UsageError as error:
        pytest.skip(f"no IPv6 here: {error}")
