"""Requests that a program invents from /openapi.json, good and bad: no 5xx, and only answers that it states."""

import json
from pathlib import Path

import pytest

from zoo.serve.app import create_app

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed: pip install '.[test]'")
hypothesis = pytest.importorskip("hypothesis")

POSITIVE, NEGATIVE = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
OPERATIONS = [
    (method, path, mode)
    for path, operations in create_app(Path()).openapi()["paths"].items()
    for method, operation in operations.items()
    for mode in ((POSITIVE, NEGATIVE) if "requestBody" in operation else (POSITIVE,))  # a path is never a wrong string
]
schemathesis.checks.load_all_checks()
# What the schema cannot say is refused as well: names of tensors, sizes that belong together, what no model can do.
STRICTER = [schemathesis.checks.CHECKS.get_one("positive_data_acceptance")]


@pytest.fixture(scope="module")
def api(server):
    return schemathesis.openapi.from_url(f"http://127.0.0.1:{server.port}/openapi.json")


@pytest.mark.parametrize(("method", "path", "mode"), OPERATIONS)
def test_invented_requests(api, method, path, mode):
    """Half of the requests name a model that there is; the other half has names of its own."""
    operation = api[path][method]
    named = {"path_parameters": {"name": "fashion", "version": "1"}} if "{name}" in path else {}
    strategies = [operation.as_strategy(mode, **chosen) for chosen in ({}, named)]

    @hypothesis.settings(
        max_examples=8, deadline=None, derandomize=True, database=None,
        suppress_health_check=[*hypothesis.HealthCheck], phases=[hypothesis.Phase.generate],
    )  # fmt: skip
    @hypothesis.given(hypothesis.strategies.one_of(strategies))
    def each(case):
        case.call_and_validate(excluded_checks=STRICTER)

    each()


def test_the_schema_states_every_route(server):
    paths = json.loads(server.ask("GET", "/openapi.json")[2])["paths"]
    assert {
        "/models", "/models/{name}", "/models/{name}/samples.png", "/models/{name}/game.svg",
        "/models/{name}/model.onnx", "/models/{name}/card", "/models/{name}/vocabulary.txt",
        "/models/{name}/sample", "/models/{name}/walk", "/models/{name}/window.png", "/models/{name}/translate",
        "/metrics", "/v2",
        "/v2/health/live", "/v2/health/ready", "/v2/models/{name}", "/v2/models/{name}/infer",
        "/v2/models/{name}/ready", "/v2/models/{name}/versions/{version}",
        "/v2/models/{name}/versions/{version}/infer",
        "/v2/models/{name}/versions/{version}/ready", "/v2/repository/index",
    } == set(paths)  # fmt: skip
    body = paths["/models/{name}/sample"]["post"]["requestBody"]
    sample = body["content"]["application/json"]["schema"]
    assert set(sample["properties"]) == {"n", "seed", "label", "text", "inputs", "format"}
    assert sample["additionalProperties"] is False
