"""The routes of the Open Inference Protocol v2, and of Triton's model index, as `tritonclient[http]` calls them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response

import zoo
from zoo.runtime.inputs import row_shape
from zoo.serve import protocol
from zoo.serve.errors import RefusedError, brief
from zoo.serve.repository import Model
from zoo.serve.routes_pages import INFERENCE_BODY, INFERENCE_RESPONSE
from zoo.serve.service import service

T = TypeVar("T")
# Bytes that are handled at once, in well under a millisecond; more than that in a thread, beside the event loop.
JSON_AT_ONCE, BINARY_AT_ONCE = 2**15, 2**20

router = APIRouter(tags=["Open Inference Protocol"])


# The routes are tried in this order: the one that is asked most stands first.
@router.post("/v2/models/{name}/infer", openapi_extra=INFERENCE_BODY, responses=INFERENCE_RESPONSE)
@router.post("/v2/models/{name}/versions/{version}/infer", openapi_extra=INFERENCE_BODY, responses=INFERENCE_RESPONSE)
async def infer(request: Request, name: str, version: str = protocol.VERSION) -> Response:
    """The raw output for raw inputs, exactly as `zoo.load(...)(**inputs)` computes it."""
    running = service(request)
    model = _model(request, name, version)
    body, length = await request.body(), request.headers.get(protocol.LENGTH_HEADER)
    at_once = len(body) <= (JSON_AT_ONCE if length is None else BINARY_AT_ONCE)
    asked = await _call(protocol.decode, body, length, model.manifest, running.settings, at_once=at_once)
    size = _answer_bytes(model, asked)
    if not asked.binary:
        protocol.check_json_size(size // 4, running.settings)
        size *= 8  # 20 characters for a float32
    request.scope["zoo.take"](2 * size)
    output = await running.attend(request, model.infer(asked.feed), asked.seconds)
    at_once = size <= (BINARY_AT_ONCE if asked.binary else JSON_AT_ONCE)
    data, head = await _call(protocol.encode, output, asked, model.manifest, running.settings, at_once=at_once)
    headers = {} if head is None else {protocol.LENGTH_HEADER: str(head)}
    return Response(
        data, media_type="application/json" if head is None else "application/octet-stream", headers=headers
    )


@router.get("/v2")
async def server() -> dict[str, Any]:
    """Name and version of the server, and what it can do beyond the protocol."""
    return {"name": "gan-zoo", "version": zoo.__version__, "extensions": ["binary_tensor_data", "model_repository"]}


@router.get("/v2/health/live")
async def live() -> dict[str, bool]:
    """The process answers."""
    return {"live": True}


@router.get("/v2/health/ready")
async def ready(request: Request) -> dict[str, bool]:
    """All models are loaded and warm; 503 before that."""
    if not service(request).ready:
        raise RefusedError("the models are still being loaded, or there is none", 503, retry_seconds=1)
    return {"ready": True}


@router.get("/v2/models/{name}")
@router.get("/v2/models/{name}/versions/{version}")
async def model_metadata(request: Request, name: str, version: str = protocol.VERSION) -> dict[str, Any]:
    """Inputs and outputs of a model: names, datatypes, shapes with -1 for what a request may choose."""
    return protocol.metadata(_model(request, name, version).manifest)


@router.get("/v2/models/{name}/ready")
@router.get("/v2/models/{name}/versions/{version}/ready")
async def model_ready(request: Request, name: str, version: str = protocol.VERSION) -> dict[str, Any]:
    """The model can be asked."""
    _model(request, name, version)
    return {"name": name, "ready": True}


@router.post("/v2/repository/index")
async def index(request: Request) -> list[dict[str, str]]:
    """All models."""
    names = service(request).repository.models
    return [{"name": name, "version": protocol.VERSION, "state": "READY", "reason": ""} for name in names]


def _model(request: Request, name: str, version: str) -> Model:
    model = service(request).model(name)
    if version != protocol.VERSION:
        raise RefusedError(f"{name} has no version {brief(version)}; its version is {protocol.VERSION}", 404)
    return model


def _answer_bytes(model: Model, asked: protocol.Inference) -> int:
    axes = {
        str(axis): size
        for tensor in model.manifest.inputs
        for axis, size in zip(tensor.shape, asked.feed[tensor.name].shape, strict=True)
    }
    size = asked.rows * 4
    for axis in row_shape(model.manifest.outputs[0], axes):
        size *= axis
    return size


async def _call(call: Callable[..., T], *arguments: Any, at_once: bool) -> T:
    return call(*arguments) if at_once else await asyncio.to_thread(call, *arguments)
