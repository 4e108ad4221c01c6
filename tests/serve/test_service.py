"""Too many requests, too much memory, slow networks and clients that leave, on a real server."""

import contextlib
import json
import resource
import socket
import threading
import time

import numpy as np
import pytest
from cases import GOOD, INFER, inference, many
from live import Live, one_line, read_answer, status, until

from zoo.serve.service import Service
from zoo.serve.settings import Settings

UNDER_WAY, MEMORY = "zoo_requests_under_way", "zoo_memory_held_bytes"


def wire(body=GOOD, headers=(), path=INFER):
    """The bytes of a POST request."""
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in dict(headers).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@contextlib.contextmanager
def held(folder, **limits):
    """A server whose `tiny` computes nothing before `server.gate` is set; `server.batches` holds the sizes."""
    with Live(folder, Settings(**{"workers": 1, **limits})) as server:
        server.gate, server.batches = threading.Event(), []
        lane = server.models["tiny"].quick
        run = lane.run
        lane.cost.update = lambda numbers, seconds: None  # the time at the gate is not the time of computing

        def wait(feed):
            server.batches.append(len(feed["z"]))
            assert server.gate.wait(60)
            return run(feed)

        lane.run = wait
        try:
            yield server
        finally:
            server.gate.set()


@contextlib.contextmanager
def asking(server, *requests):
    """A socket for each request, which has been sent."""
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 60)) for _ in requests]
        for line, request in zip(lines, requests, strict=True):
            line.sendall(request)
        yield lines


def body_of(answer):
    return answer.partition(b"\r\n\r\n")[2]


def test_a_thousand_at_a_time(folder):
    """16 are accepted; the others are answered 503 at once."""
    need, (soft, hard) = 2200, resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < need:
        if hard < need:
            pytest.skip(f"this machine lets a process open {hard} files: too few for 1,000 connections")
        resource.setrlimit(resource.RLIMIT_NOFILE, (need, hard))
    with held(folder, max_requests=16) as server:
        with asking(server, *[wire()] * 16) as first:
            until(lambda: server.metric(UNDER_WAY) == 16)
            with asking(server, *[wire()] * 984) as others:
                for line in others:
                    answer = read_answer(line)
                    assert status(answer) == 503 and b"retry-after: 1\r\n" in answer.lower()
                    assert "busy" in one_line(body_of(answer))
            assert server.ask("GET", "/v2/health/ready")[0] == 200  # health checks take no slot
            server.gate.set()
            assert [status(read_answer(line)) for line in first] == [200] * 16
        until(lambda: server.metric(UNDER_WAY) == server.metric(MEMORY) == 0)
        assert server.ask("POST", INFER, GOOD)[0] == 200


def test_connections_are_counted(folder):
    with Live(folder / "tiny", Settings(workers=1, max_connections=3)) as server:
        with asking(server, *[b"GET /models HTTP/1.1\r\nHost: x\r\n\r\n"] * 3) as lines:
            assert [status(read_answer(line)) for line in lines] == [200] * 3
            answer = server.raw(b"")
            assert status(answer) == 503 and "connections" in one_line(body_of(answer))
        until(lambda: not server.server.server_state.connections)
        assert server.ask("GET", "/models")[0] == 200


def test_memory_is_bounded(folder):
    """A request of 100 rows holds 3 kB of body and twice its 77 kB answer."""
    with held(folder, max_memory_bytes=300_000) as server, asking(server, wire(*many(100))) as (line,):
        until(lambda: server.batches)
        code, headers, body = server.ask("POST", INFER, inference(shape=(15, 8)))  # JSON: 20 characters for a number
        assert code == 503 and headers["retry-after"] == "1" and one_line(body)
        answer = server.raw(wire(*many(1000)))
        assert status(answer) == 413 and "ask for fewer rows" in one_line(body_of(answer))
        server.gate.set()
        assert status(read_answer(line)) == 200
        until(lambda: server.metric(MEMORY) == 0)
        assert server.ask("POST", INFER, inference())[0] == 200


def test_a_client_that_leaves_harms_nobody(folder):
    with held(folder) as server, asking(server, wire()) as (first,):
        until(lambda: server.batches == [1])
        with asking(server, *[wire(*many(n)) for n in (2, 3, 4)]) as (left, leaver, right):
            until(lambda: server.metric(UNDER_WAY) == 4)
            leaver.close()
            until(lambda: server.metric(UNDER_WAY) == 3)  # noticed while it waited
            server.gate.set()
            assert [status(read_answer(line)) for line in (first, left, right)] == [200] * 3
        assert server.batches == [1, 6]
        assert server.metric('zoo_requests_total{method="POST",route="/v2/models/{name}/infer",status="499"}') == 1


def test_it_takes_too_long(folder):
    with held(folder, request_seconds=0.3) as server:
        code, _, body = server.ask("POST", INFER, GOOD)
        assert code == 504 and "longer than 0.3 seconds" in one_line(body)
        until(lambda: server.metric(UNDER_WAY) == 0)
        server.gate.set()
        assert server.ask("POST", INFER, GOOD)[0] == 200
    with held(folder) as server:
        code, _, body = server.ask("POST", INFER, inference(parameters={"timeout": 200_000}))
        assert code == 504 and "longer than 0.2 seconds" in one_line(body)


def test_a_large_request_does_not_make_others_wait(folder):
    """20,000 images take 313 slices of 5 ms: ten small requests, one after another, are answered long before."""
    with Live(folder, Settings(workers=1)) as server:
        lane = server.models["tiny"].quick
        run, started = lane.run, threading.Event()
        lane.run = lambda feed: (started.set(), time.sleep(0.005), run(feed))[2]
        with asking(server, wire(*many(20_000))) as (line,):
            assert started.wait(60)
            for _ in range(10):
                assert server.ask("POST", INFER, GOOD)[0] == 200
            line.setblocking(False)
            with pytest.raises(BlockingIOError):  # it is not answered yet
                line.recv(1)
            line.setblocking(True)
            answer = read_answer(line)
        raw = np.frombuffer(body_of(answer)[-20_000 * 768 :], np.float32).reshape(20_000, 8, 8, 3)
        expected = server.models["tiny"].generator(z=np.full((1, 8), 0.5, np.float32))
        assert status(answer) == 200 and (raw == expected).all()


def test_five_megabytes_of_json_do_not_make_others_wait(folder):
    """They are read beside the event loop, and refused where they lie: others go on meanwhile."""
    with Live(folder, Settings(workers=1)) as server:
        large = b'{"inputs": [' + b"1," * 2_500_000 + b"1]}"
        with asking(server, wire(large)) as (line,):
            assert server.ask("POST", INFER, GOOD)[0] == 200
            answer = read_answer(line)
        assert status(answer) == 400 and "an input must be a JSON object" in one_line(body_of(answer))


def test_a_client_that_reads_slowly_holds_memory_only_so_long(folder):
    with Live(folder, Settings(workers=1, send_seconds=0.3, header_seconds=0.3)) as server:
        with asking(server, wire(*many(20_000))):  # 15 MB that nobody takes
            until(lambda: server.metric(MEMORY) > 15_000_000)
            until(lambda: server.metric(MEMORY) == server.metric(UNDER_WAY) == 0)
            until(lambda: not server.server.server_state.connections)
        assert server.ask("POST", INFER, GOOD)[0] == 200


def test_samples_wait_for_each_other_and_leave_the_queue(folder):
    """Two threads draw; the request of a client that leaves while it waits is never drawn."""
    with Live(folder, Settings(workers=1)) as server:
        gate, drawn, generator = threading.Event(), [], server.models["tiny"].generator
        sample = generator.sample
        generator.sample = lambda n, *rest, **how: (drawn.append(n), gate.wait(60), sample(n, *rest, **how))[2]
        bodies = [json.dumps({"n": n}).encode() for n in (1, 2, 3, 4)]
        requests = [wire(body, path="/models/tiny/sample") for body in bodies]
        with asking(server, *requests) as (one, two, three, four):
            until(lambda: len(drawn) == 2 and server.metric(UNDER_WAY) == 4)
            assert server.ask("POST", INFER, GOOD)[0] == 200  # inference goes on
            late = {1: one, 2: two, 3: three, 4: four}
            waiting = [n for n in late if n not in drawn]
            late.pop(waiting[0]).close()
            until(lambda: server.metric(UNDER_WAY) == 3)
            gate.set()
            assert [status(read_answer(line)) for line in late.values()] == [200] * 3
        assert sorted(drawn) == sorted(late)


def test_a_failed_batch_fails_its_requests_alone(folder, caplog):
    """A network that fails is a 500 without details; the log has them."""
    with Live(folder, Settings(workers=1)) as server:
        lane = server.models["tiny"].quick
        run = lane.run

        def broken(feed):
            raise RuntimeError("the inside of the server")

        lane.run = broken
        code, _, body = server.ask("POST", INFER, GOOD)
        assert code == 500 and one_line(body) == "the server failed: its log has the reason"
        assert "the inside of the server" in caplog.text
        lane.run = run
        assert server.ask("POST", INFER, GOOD)[0] == 200


@pytest.mark.parametrize("path", [INFER, "/models/tiny/sample", "/models/tiny/walk"])
def test_messages_of_onnx_runtime_stay_inside(folder, path, caplog):
    """Its messages hold the paths of its sources."""
    with Live(folder, Settings(workers=1)) as server:
        generator = server.models["tiny"].generator

        class Broken:
            def run(self, names, feed):
                raise RuntimeError("Non-zero status code /onnxruntime_src/core/framework/op.cc:345")

        generator._session, whole = Broken(), generator._session
        body = inference() if path == INFER else {"n": 4}
        code, _, answer = server.ask("POST", path, body)
        assert code == 500 and one_line(answer) == "the server failed: its log has the reason"
        assert "op.cc:345" in caplog.text
        generator._session = whole
        assert server.ask("POST", path, body)[0] == 200


def test_services_do_not_share_metrics(folder):
    one, two = Service(folder, Settings()), Service(folder, Settings())
    one.metrics.batch("tiny", 3)
    assert b'zoo_batch_rows_sum{model="tiny"} 3.0' in one.metrics.text()
    assert b"tiny" not in two.metrics.text()
