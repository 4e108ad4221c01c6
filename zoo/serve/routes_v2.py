"""Routes of the Open Inference Protocol v2, and of Triton's model index, as `tritonclient[http]` calls them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response

import zoo
from zoo.runtime.inputs import row_shape
from zoo.serve import protocol
from zoo.serve.errors import RefusedError, short_repr
from zoo.serve.repository import Model
from zoo.serve.routes_pages import INFERENCE_BODY, INFERENCE_RESPONSE
from zoo.serve.service import service_of

T = TypeVar("T")
# Bytes that the event loop handles itself, in well under a millisecond; a thread handles more than that.
JSON_INLINE_BYTES, BINARY_INLINE_BYTES = 2**15, 2**20

router = APIRouter(tags=["Open Inference Protocol"])


# Routes are tried in this order: the busiest one comes first.
@router.post("/v2/models/{name}/infer", openapi_extra=INFERENCE_BODY, responses=INFERENCE_RESPONSE)
@router.post("/v2/models/{name}/versions/{version}/infer", openapi_extra=INFERENCE_BODY, responses=INFERENCE_RESPONSE)
async def infer(request: Request, name: str, version: str = protocol.VERSION) -> Response:
    """Return the raw outputs for raw inputs, exactly as `zoo.load(...)(**inputs)` computes it."""
    service = service_of(request)
    model = _model(request, name, version)
    body, length = await request.body(), request.headers.get(protocol.LENGTH_HEADER)
    inline = len(body) <= (JSON_INLINE_BYTES if length is None else BINARY_INLINE_BYTES)
    reader = model.generator.texts
    asked = await _call(protocol.decode, body, length, model.manifest, service.settings, reader, inline=inline)
    size = _output_bytes(model, asked)
    if not asked.binary:
        protocol.check_json_size(size // 4, service.settings)
        size *= 8  # as JSON: about 20 characters for the 4 bytes of a float32
    request.scope["zoo.reserve"](2 * size)
    output = await service.finish_in_time(request, model.infer(asked.feed), asked.timeout_seconds)
    inline = size <= (BINARY_INLINE_BYTES if asked.binary else JSON_INLINE_BYTES)
    data, head = await _call(protocol.encode, output, asked, model.manifest, service.settings, inline=inline)
    if head is None:
        return Response(data, media_type="application/json")
    return Response(data, media_type="application/octet-stream", headers={protocol.LENGTH_HEADER: str(head)})


def _output_bytes(model: Model, asked: protocol.Inference) -> int:
    axes = {
        str(axis): size
        for tensor in model.manifest.inputs
        for axis, size in zip(tensor.shape, asked.feed[tensor.name].shape, strict=True)
    }
    return 4 * asked.rows * sum(math.prod(row_shape(one, one.spread(axes))) for one in model.manifest.outputs)


async def _call(call: Callable[..., T], *arguments: Any, inline: bool) -> T:
    return call(*arguments) if inline else await asyncio.to_thread(call, *arguments)


@router.get("/v2")
async def server() -> dict[str, Any]:
    """Return name and version of the server, and its extensions of the protocol."""
    return {"name": "gan-zoo", "version": zoo.__version__, "extensions": ["binary_tensor_data", "model_repository"]}


@router.get("/v2/health/live")
async def live() -> dict[str, bool]:
    """Answer as long as the process runs."""
    return {"live": True}


@router.get("/v2/health/ready")
async def ready(request: Request) -> dict[str, bool]:
    """Answer 200 once all models are loaded and warmed up, and 503 before that."""
    if not service_of(request).ready:
        raise RefusedError("the models are still being loaded, or there are none", 503)
    return {"ready": True}


@router.get("/v2/models/{name}")
@router.get("/v2/models/{name}/versions/{version}")
async def model_metadata(request: Request, name: str, version: str = protocol.VERSION) -> dict[str, Any]:
    """Return the inputs and outputs of a model: names, datatypes, and shapes with -1 for axes of any size."""
    return protocol.metadata(_model(request, name, version).manifest)


@router.get("/v2/models/{name}/ready")
@router.get("/v2/models/{name}/versions/{version}/ready")
async def model_ready(request: Request, name: str, version: str = protocol.VERSION) -> dict[str, Any]:
    """Answer 200 when the model is loaded."""
    _model(request, name, version)
    return {"name": name, "ready": True}


@router.post("/v2/repository/index")
async def index(request: Request) -> list[dict[str, str]]:
    """Return all models."""
    names = service_of(request).repository.models
    return [{"name": name, "version": protocol.VERSION, "state": "READY", "reason": ""} for name in names]


def _model(request: Request, name: str, version: str) -> Model:
    model = service_of(request).model(name)
    if version != protocol.VERSION:
        raise RefusedError(f"{name} has no version {short_repr(version)}; its version is {protocol.VERSION}", 404)
    return model
