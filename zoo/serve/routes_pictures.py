"""Image files from strangers.

The routes for people: what there is, and pictures of it. Raw numbers are the business of `zoo.serve.routes_v2`.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, ValidationError

from zoo.core import pictures
from zoo.core.arrays import Array
from zoo.core.errors import DataError
from zoo.core.images import Fit, fitted, grey, read_image
from zoo.runtime import priors
from zoo.runtime.inputs import nearest_size
from zoo.serve.errors import RefusedError, error_line
from zoo.serve.protocol import read_json
from zoo.serve.repository import Model
from zoo.serve.routes_pages import content
from zoo.serve.service import service

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")  # decoders that have been attacked for decades


def read_photo(data: bytes, max_pixels: int) -> Array:
    """uint8 [H, W, 3]. The header is read first: what would be too large is never unpacked. Raises RefusedError."""
    from PIL import Image

    kinds = "PNG, JPEG, WebP, GIF or BMP"
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            width, height = opened.size
    except Exception as error:  # decoders of broken files raise almost anything
        raise RefusedError(f"the body is not a readable image; send {kinds}") from error
    if width * height > max_pixels:
        raise RefusedError(f"an image may have {max_pixels:,} pixels, received {width} x {height}", 413)
    try:
        return read_image(io.BytesIO(data))
    except DataError as error:
        raise RefusedError(f"the body is not a readable image; send {kinds}") from error


Class = StrictInt | Annotated[StrictStr, Field(max_length=200)]  # looking for what is near a long name takes long
Label = Class | Annotated[list[Class], Field(max_length=2**16)] | None
Seed = Field(default=0, ge=0, le=priors.MAX_SEED, strict=True, description="the same seed gives the same pictures")
PNG, ZIP, NPY, GIF, WEBP = "image/png", "application/zip", "application/x-npy", "image/gif", "image/webp"

router = APIRouter(tags=["Pictures"])


W = TypeVar("W", bound="Options")


class Options(BaseModel):
    """What may stand in a JSON body; unknown keys are refused, not ignored."""

    model_config = ConfigDict(extra="forbid")


class Sample(Options):
    """Which pictures to draw, and how to pack them."""

    n: int = Field(default=1, ge=1, strict=True)
    seed: int = Seed
    label: Label = Field(default=None, description="a class, by name or number, or `n` of them; null draws classes too")
    format: Literal["grid", "zip", "npy"] = "grid"


class Walk(Options):
    """An animation through latent space that ends where it began."""

    n: int = Field(default=60, ge=2, strict=True, description="frames")
    seed: int = Seed
    stops: int = Field(default=4, ge=2, strict=True, description="latents to pass through")
    label: Class | None = Field(default=None, description="the class that is held")
    format: Literal["gif", "webp"] = "gif"
    fps: int = Field(default=20, ge=1, le=50, strict=True)


def _json(wish: type[Options]) -> dict[str, Any]:
    """The body as /openapi.json states it. It is read below, whatever Content-Type says: curl needs no -H."""
    return {"requestBody": {"content": {"application/json": {"schema": wish.model_json_schema()}}}}


async def _options(request: Request, kind: type[W]) -> W:
    """The JSON body, checked; no body is a wish for the defaults. Raises RefusedError."""
    body = await request.body()
    try:
        return kind.model_validate(read_json(body) if body else {})
    except ValidationError as error:
        raise RefusedError(error_line(error.errors(), kind.model_fields), 422) from error


@router.get("/models")
async def models(request: Request) -> dict[str, list[dict[str, Any]]]:
    """A card for every model."""
    return {"models": [dict(model.card) for model in service(request).repository.models.values()]}


@router.get("/models/{name}")
async def card(request: Request, name: str) -> dict[str, Any]:
    """Paper, licence, inputs and outputs, and where the files are."""
    return dict(service(request).model(name).card)


@router.get("/models/{name}/samples.png", response_class=Response, responses=content(PNG))
async def samples(request: Request, name: str) -> Response:
    """The picture that came with the model: samples of seed 0, or images with their translations."""
    return _file(request, name, "samples.png")


@router.get("/models/{name}/model.onnx", response_class=Response, responses=content("application/octet-stream"))
async def onnx(request: Request, name: str) -> Response:
    """The model itself, for any ONNX runtime; its metadata hold range, layout, prior and licence."""
    return _file(request, name, "model.onnx")


@router.get("/models/{name}/card", response_class=Response, responses=content("text/markdown"))
async def readme(request: Request, name: str) -> Response:
    """The model card, Markdown."""
    return _file(request, name, "card")


@router.post(
    "/models/{name}/sample", response_class=Response, responses=content(PNG, ZIP, NPY), openapi_extra=_json(Sample)
)
async def sample(request: Request, name: str) -> Response:
    """`n` pictures: one PNG of all, a ZIP of PNG files, or a NumPy array. The PNG of points shows their density."""
    running = service(request)
    model, wish = _drawing(running.model(name)), await _options(request, Sample)
    if wish.n > running.settings.max_images:
        raise RefusedError(f"n: at most {running.settings.max_images} pictures at a time, received {wish.n}", 413)
    if wish.format == "zip" and model.card["kind"] == "points":
        raise RefusedError("points are no single pictures: ask for format grid or npy")
    pack, media_type = {"grid": (_grid, PNG), "zip": (_zip, ZIP), "npy": (_npy, NPY)}[wish.format]

    def draw() -> bytes:
        return pack(model.generator.sample(wish.n, wish.seed, label=wish.label))

    return await _made(request, draw, media_type)


@router.post("/models/{name}/walk", response_class=Response, responses=content(GIF, WEBP), openapi_extra=_json(Walk))
async def walk(request: Request, name: str) -> Response:
    """An animation that passes through `stops` pictures and ends where it began."""
    running = service(request)
    model, wish = _drawing(running.model(name)), await _options(request, Walk)
    if model.card["kind"] == "points":
        raise RefusedError(f"{name} makes points, which cannot be animated: POST /models/{name}/sample")
    if wish.n > running.settings.max_frames:
        raise RefusedError(f"n: at most {running.settings.max_frames} frames, received {wish.n}", 413)

    def draw() -> bytes:
        frames = model.generator.walk(wish.n, wish.seed, stops=wish.stops, label=wish.label)
        return pictures.animation(pictures.scale(frames), wish.fps, f".{wish.format}")

    return await _made(request, draw, {"gif": GIF, "webp": WEBP}[wish.format])


_IMAGE_BODY = {
    "requestBody": {"required": True, "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}}
}


@router.post("/models/{name}/translate", response_class=Response, responses=content(PNG), openapi_extra=_IMAGE_BODY)
async def translate(request: Request, name: str, fit: Fit | None = None) -> Response:
    """The image file in the body, translated. `fit` brings it to the nearest size that the model takes."""
    running = service(request)
    model = running.model(name)
    source = next((tensor for tensor in model.manifest.inputs if tensor.is_image), None)
    if source is None:
        raise RefusedError(f"{name} takes no images, it makes them: POST /models/{name}/sample")
    media_type, body = request.headers.get("content-type", ""), await request.body()
    if not media_type.startswith("image/"):
        raise RefusedError("the body is an image file, and Content-Type says so: image/png, image/jpeg, ...", 415)

    def draw() -> bytes:
        image = read_photo(body, running.settings.max_pixels)[None]  # [1, H, W, 3]
        image = grey(image) if source.shape[-1] == 1 else image
        if fit is not None:
            height, width = nearest_size(source, *image.shape[1:3])
            image = fitted(image, height, width, fit)
        return pictures.png(model.generator.translate(image[0]))

    return await _made(request, draw, PNG)


async def _made(request: Request, draw: Callable[[], bytes], media_type: str) -> Response:
    running = service(request)
    return Response(await running.attend(request, running.chore(draw)), media_type=media_type)


def _drawing(model: Model) -> Model:
    """`model`, if it draws pictures from nothing."""
    if model.card["kind"] == "translation":
        name = model.manifest.model
        raise RefusedError(f"{name} translates images: POST an image to /models/{name}/translate")
    return model


def _file(request: Request, name: str, which: str) -> Response:
    files = service(request).model(name).files
    if which not in files:
        raise RefusedError(f"{name} came without {which}", 404)
    file = files[which]
    headers = {"ETag": file.etag, "Cache-Control": "no-cache"}
    asked = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if asked & {file.etag, "*"}:
        return Response(status_code=304, headers=headers)
    return Response(file.data, media_type=file.media_type, headers=headers)


def _grid(images: Array) -> bytes:
    return pictures.png(pictures.picture(images))


def _zip(images: Array) -> bytes:
    buffer, digits = io.BytesIO(), max(3, len(str(len(images) - 1)))
    with zipfile.ZipFile(buffer, "w") as file:
        for index, image in enumerate(images):
            file.writestr(zipfile.ZipInfo(f"{index:0{digits}}.png"), pictures.png(image))
    return buffer.getvalue()


def _npy(images: Array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, images)
    return buffer.getvalue()
