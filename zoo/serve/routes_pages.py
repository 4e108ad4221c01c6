"""Routes for browsers and tools: the page for people, the API as OpenAPI and as plain HTML, the metrics.

The OpenAPI texts here are those that routes share: errors, the body of an inference request, answers of bytes.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse

from zoo.serve.protocol import DATATYPES, LENGTH_HEADER
from zoo.serve.service import service_of

PAGE = Path(__file__).with_name("page")

ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
ERROR_TEXTS = {
    400: "The request is wrong; the line states the rule and what was received",
    401: "The key is missing or wrong",
    404: "There is no such model, version or file",
    405: "The path exists, but not for this method",
    408: "The body did not arrive in time",
    413: "Too large, or too many at a time",
    415: "This content encoding or type is not supported",
    422: "A value that is not allowed",
    503: "Busy, or still starting: try again after Retry-After seconds",
    504: "It took too long",
}
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "content": {"application/json": {"schema": ERROR}}}
    for status, text in ERROR_TEXTS.items()
}

_PARAMETERS = {"type": "object"}
_TENSOR = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}},
        "datatype": {"enum": [*DATATYPES.values()]},
        "parameters": _PARAMETERS,
        "data": {"type": "array", "description": "numbers, row by row: one list, or nested as the shape says"},
    },
}
_REQUEST = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string", "maxLength": 256},
        "parameters": _PARAMETERS,
        "inputs": {"type": "array", "minItems": 1, "items": _TENSOR},
        "outputs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "parameters": _PARAMETERS},
            },
        },
    },
}
_BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
INFERENCE_BODY = {
    "requestBody": {
        "required": True,
        "description": f"JSON; with the header {LENGTH_HEADER} raw little-endian tensors follow it",
        "content": {"application/json": {"schema": _REQUEST}, **_BYTES},
    }
}
INFERENCE_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": f"JSON; for binary data, JSON of {LENGTH_HEADER} bytes and raw tensors after it",
        "content": {"application/json": {"schema": {"type": "object"}}, **_BYTES},
    }
}


def content(*media_types: str, description: str = "The file") -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI text of a 200 response of bytes, for each of the media types."""
    schema = {"schema": {"type": "string", "format": "binary"}}
    return {200: {"description": description, "content": dict.fromkeys(media_types, schema)}}


router = APIRouter()


@router.get("/", include_in_schema=False)
async def home() -> Response:
    """Return the page, or the API where the page is not installed."""
    index = PAGE / "index.html"
    return FileResponse(index) if index.is_file() else RedirectResponse("docs")


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> Response:
    """Return the API in plain HTML."""
    return HTMLResponse(docs_page(request.app.openapi()))


def docs_page(schema: Mapping[str, Any]) -> str:
    """Return the routes as plain HTML, without scripts, styles and links to elsewhere."""
    routes = "".join(
        _route(method, path, operation)
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    )
    parts = html.escape(json.dumps(schema.get("components", {}).get("schemas", {}), indent=2))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>gan-zoo: the API</title>'
        '<meta name="viewport" content="width=device-width"><h1>gan-zoo: the API</h1>'
        '<p>For programs: <a href="openapi.json">openapi.json</a>. Errors are <code>{"error": "one line"}</code>.</p>'
        f"{routes}<h2>Schemas</h2><pre>{parts}</pre></html>"
    )


def _route(method: str, path: str, operation: Mapping[str, Any]) -> str:
    body = operation.get("requestBody", {}).get("content", {})
    lines = [f"<h2><code>{method.upper()} {html.escape(path)}</code></h2>"]
    lines.append(f"<p>{html.escape(operation.get('description', ''))}</p>")
    for kind, media in body.items():
        lines.append(f"<p>body {html.escape(kind)}</p><pre>{html.escape(json.dumps(media['schema'], indent=2))}</pre>")
    for parameter in operation.get("parameters", ()):
        schema = html.escape(json.dumps(parameter["schema"]))
        lines.append(f"<p>{parameter['in']} <code>{html.escape(parameter['name'])}</code> {schema}</p>")
    answers = operation["responses"].get("200", {}).get("content", {})
    return "".join([*lines, f"<p>answers {html.escape(', '.join(answers))}</p>"])


@router.get("/metrics", response_class=Response, responses=content("text/plain", description="Prometheus"))
async def metrics(request: Request) -> Response:
    """Return counters, histograms and gauges for Prometheus."""
    text = service_of(request).metrics.text()
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")
