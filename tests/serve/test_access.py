"""The API key, the access log, the metrics, and the headers for browsers."""

import json
import logging
import re
import time

import pytest
from cases import inference
from live import Live, one_line, status

from zoo.serve.settings import Settings

KEY = "öpen-sesame"
OPEN = ("/", "/docs", "/openapi.json", "/v2/health/live", "/v2/health/ready")
SHUT = ("/models", "/models/tiny", "/models/tiny/model.onnx", "/v2", "/v2/models/tiny", "/metrics", "/nothing")


@pytest.fixture(scope="module")
def locked(folder):
    with Live(folder, Settings(workers=1, api_key=KEY)) as running:
        yield running


@pytest.mark.parametrize("path", OPEN)
def test_paths_without_a_key(locked, path):
    assert locked.ask("GET", path)[0] in (200, 307)


@pytest.mark.parametrize("path", SHUT)
def test_paths_with_a_key(locked, path):
    for value in (None, "", "Bearer", "Bearer ", "Bearer wrong", f"Basic {KEY}", KEY, f"Bearer {KEY}x"):
        headers = {} if value is None else {"Authorization": value.encode()}
        code, received, body = locked.ask("GET", path, headers=headers)
        assert code == 401 and received["www-authenticate"] == "Bearer" and "key" in one_line(body)
        assert KEY not in one_line(body)
    for kind in ("Bearer", "bearer"):
        assert locked.ask("GET", path, headers={"Authorization": f"{kind} {KEY}".encode()})[0] in (200, 404)


def test_a_client_without_a_key_sends_no_body(locked):
    """The answer does not wait for 16 MB."""
    request = b"POST /v2/models/tiny/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 16000000\r\n\r\n"
    assert status(locked.raw(request)) == 401


def logged(caplog, count):
    """The lines of the access log, which come after the answers: waits for `count` of them."""
    until = time.monotonic() + 10
    while True:
        lines = [record.getMessage() for record in caplog.records if record.name == "zoo.serve.access"]
        if len(lines) >= count or time.monotonic() > until:
            return lines
        time.sleep(0.01)


def test_one_line_for_each_request(server, caplog):
    paths = ["/models?a=b", "/models/a%0a2026-01-01%20forged", "/" + "n" * 1000]
    with caplog.at_level(logging.INFO, "zoo.serve.access"):
        for path in paths:
            server.ask("GET", path)
        server.ask("POST", "/v2/models/tiny/infer", inference(data=[0.25] * 8))
        lines = logged(caplog, 4)
    assert len(lines) == 4 and not any("\n" in line for line in lines)
    pattern = r'127\.0\.0\.1 "(GET|POST) (\S+)" (\d+) (\d+) \d+\.\dms'
    found = [re.fullmatch(pattern, line).groups() for line in lines]
    assert [(method, code) for method, _, code, _ in found] == [
        ("GET", "200"),
        ("GET", "404"),
        ("GET", "404"),
        ("POST", "200"),
    ]
    assert found[1][1] == "/models/a%0a2026-01-01%20forged" and len(found[2][1]) == 200
    assert "0.25" not in caplog.text  # requests are private


def test_counters(folder):
    with Live(folder, Settings(workers=1)) as server:
        for rows in (1, 3):
            assert server.ask("POST", "/v2/models/tiny/infer", inference(shape=(rows, 8)))[0] == 200
        server.ask("POST", "/v2/models/tiny/infer", b"[]")
        for name in ("a", "b"):
            server.ask("GET", f"/models/{name}")
        server.ask("GET", "/stranger/typed/this")
        code, headers, body = server.ask("GET", "/metrics")
    text = body.decode()
    assert code == 200 and headers["content-type"].startswith("text/plain; version=")
    for line in (
        'zoo_requests_total{method="POST",route="/v2/models/{name}/infer",status="200"} 2.0',
        'zoo_requests_total{method="POST",route="/v2/models/{name}/infer",status="400"} 1.0',
        'zoo_requests_total{method="GET",route="/models/{name}",status="404"} 2.0',
        'zoo_requests_total{method="GET",route="none",status="404"} 1.0',
        'zoo_batch_rows_count{model="tiny"} 2.0',
        'zoo_batch_rows_sum{model="tiny"} 4.0',
        'zoo_request_seconds_count{route="/v2/models/{name}/infer"} 3.0',
        "zoo_requests_under_way 0.0",
        "zoo_models_ready 5.0",
    ):
        assert line in text, line
    assert "stranger" not in text


def test_headers_for_browsers(server):
    for path in ("/models", "/nothing", "/docs"):
        _, headers, _ = server.ask("GET", path)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe-inline" not in policy and "script-src 'self'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers and "access-control-allow-origin" not in headers


def test_the_api_in_plain_html(server):
    code, headers, body = server.ask("GET", "/docs")
    text = body.decode()
    assert code == 200 and headers["content-type"] == "text/html; charset=utf-8"
    assert "<script" not in text and "style=" not in text and "http://" not in text and "https://" not in text
    for path in json.loads(server.ask("GET", "/openapi.json")[2])["paths"]:
        assert f" {path}</code>" in text
