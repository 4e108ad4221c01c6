"""Routes for people: the list of models with their files, and pictures that they draw or translate.

Raw numbers are the business of `zoo.serve.routes_v2`.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, StrictStr, ValidationError

from zoo.core import pictures
from zoo.core.arrays import Array
from zoo.core.errors import DataError
from zoo.core.image_files import FORMAT_WORDS, TooManyPixelsError, read_image
from zoo.core.images import Fit, fitted, with_channels
from zoo.core.text import MOST_CHARACTERS
from zoo.runtime import priors
from zoo.runtime.inputs import nearest_size
from zoo.serve import written
from zoo.serve.errors import RefusedError, error_line, short_repr
from zoo.serve.protocol import read_json
from zoo.serve.repository import Model
from zoo.serve.routes_pages import content
from zoo.serve.service import Service, service_of

LONGEST_NAME = 200  # of a class: finding a name near a very long one takes long
Class = StrictInt | Annotated[StrictStr, Field(max_length=LONGEST_NAME)]
Label = Class | Annotated[list[Class], Field(max_length=2**16)] | None
Number = Annotated[StrictFloat, Field(allow_inf_nan=False)]  # true is no number
Text = Annotated[StrictStr, Field(max_length=MOST_CHARACTERS)]
Value = StrictInt | Text | Number
Fixed = Annotated[dict[str, Value | list[Value]], Field(max_length=64)]
FixedField: Any = Field(default={}, description="inputs by name that are not drawn: classes, numbers of a code, texts")
TextField: Any = Field(default=None, description="what the pictures show, in words, for models that read them")
Seed = Field(default=0, ge=0, le=priors.MAX_SEED, strict=True, description="the same seed gives the same pictures")
PNG, ZIP, NPY, GIF, WEBP = "image/png", "application/zip", "application/x-npy", "image/gif", "image/webp"
AnyOptions = TypeVar("AnyOptions", bound="Options")

_ARGUMENTS = {"self", "n", "seed", "batch_size", "stops"}  # of a generator's methods

router = APIRouter(tags=["Pictures"])


class Options(BaseModel):
    """Keys of a JSON body. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class Sample(Options):
    """The pictures to draw, and the file format."""

    n: int = Field(default=1, ge=1, strict=True)
    seed: int = Seed
    label: Label = Field(default=None, description="a class, by name or number, or `n` of them; null draws classes too")
    text: Text | Annotated[list[Text], Field(max_length=2**16)] | None = TextField
    inputs: Fixed = FixedField
    format: Literal["grid", "zip", "npy"] = "grid"


class Walk(Options):
    """An animation through latent space that ends where it began."""

    n: int = Field(default=60, ge=2, strict=True, description="frames")
    seed: int = Seed
    stops: int = Field(default=4, ge=2, strict=True, description="latents to pass through")
    label: Class | None = Field(default=None, description="the class that is held")
    text: Text | None = TextField
    inputs: Fixed = FixedField
    format: Literal["gif", "webp"] = "gif"
    fps: int = Field(default=20, ge=1, le=50, strict=True)


def _json_body(options: type[Options]) -> dict[str, Any]:
    """Return the OpenAPI text of the body. `_read_options` reads it whatever its Content-Type: curl needs no -H."""
    return {"requestBody": {"content": {"application/json": {"schema": options.model_json_schema()}}}}


async def _read_options(request: Request, options: type[AnyOptions]) -> AnyOptions:
    """Return the checked JSON body; without a body, the defaults. Raises RefusedError."""
    body = await request.body()
    try:
        return options.model_validate(read_json(body) if body else {})
    except ValidationError as error:
        raise RefusedError(error_line(error.errors(), options.model_fields), 422) from error


@router.get("/models")
async def models(request: Request) -> dict[str, list[dict[str, Any]]]:
    """Return a card for every model."""
    return {"models": [dict(model.card) for model in service_of(request).repository.models.values()]}


@router.get("/models/{name}")
async def card(request: Request, name: str) -> dict[str, Any]:
    """Return paper, licence, inputs, outputs and the URLs of the files of a model."""
    return dict(service_of(request).model(name).card)


@router.get("/models/{name}/samples.png", response_class=Response, responses=content(PNG))
async def samples(request: Request, name: str) -> Response:
    """Return the picture that came with the model: samples of seed 0, or images with their translations."""
    return _file(request, name, "samples.png")


@router.get("/models/{name}/game.svg", response_class=Response, responses=content("image/svg+xml"))
async def game(request: Request, name: str) -> Response:
    """Return the drawing of the game that trained the model: what each phase computes, trains and minimises."""
    return _file(request, name, "game.svg")


@router.get("/models/{name}/model.onnx", response_class=Response, responses=content("application/octet-stream"))
async def onnx(request: Request, name: str) -> Response:
    """Return the model, for any ONNX runtime; its metadata hold range, layout, prior and licence."""
    return _file(request, name, "model.onnx")


@router.get("/models/{name}/vocabulary.txt", response_class=Response, responses=content("text/plain"))
async def vocabulary(request: Request, name: str) -> Response:
    """Return the words that a model of texts knows, whatever its file is called: a word a line, its number the id."""
    return _file(request, name, "vocabulary.txt")


@router.get("/models/{name}/card", response_class=Response, responses=content("text/markdown"))
async def readme(request: Request, name: str) -> Response:
    """Return the model card, Markdown."""
    return _file(request, name, "card")


@router.post(
    "/models/{name}/sample", response_class=Response, responses=content(PNG, ZIP, NPY), openapi_extra=_json_body(Sample)
)
async def sample(request: Request, name: str) -> Response:
    """Draw `n` pictures: one PNG, a ZIP of PNG files, or a NumPy array. The PNG of points shows their density."""
    service = service_of(request)
    model, options = _drawing_model(service, name), await _read_options(request, Sample)
    if options.n > service.settings.max_images:
        raise RefusedError(f"n: at most {service.settings.max_images} pictures at a time, received {options.n}", 413)
    if options.format == "zip" and model.card["kind"] == "points":
        raise RefusedError("format: points are not single pictures; choose grid or npy, received zip")
    pack, media_type = {"grid": (_grid, PNG), "zip": (_zip, ZIP), "npy": (_npy, NPY)}[options.format]

    fixed, headers = _fixed(model, options), dict[str, str]()

    def draw() -> bytes:
        read, left_out = written.in_ids(model.generator, fixed)
        headers.update(written.headers(left_out))
        return pack(model.generator.sample(options.n, options.seed, **read))

    return await _answer(request, draw, media_type, headers)


@router.post(
    "/models/{name}/walk", response_class=Response, responses=content(GIF, WEBP), openapi_extra=_json_body(Walk)
)
async def walk(request: Request, name: str) -> Response:
    """Draw an animation that passes through `stops` pictures and ends where it began."""
    service = service_of(request)
    model, options = _drawing_model(service, name), await _read_options(request, Walk)
    if model.card["kind"] == "points":
        raise RefusedError(f"{name} makes points, which cannot be animated; use POST /models/{name}/sample")
    if options.n > service.settings.max_frames:
        raise RefusedError(f"n: at most {service.settings.max_frames} frames, received {options.n}", 413)

    fixed, headers = _fixed(model, options), dict[str, str]()

    def draw() -> bytes:
        read, left_out = written.in_ids(model.generator, fixed)
        headers.update(written.headers(left_out))
        frames = model.generator.walk(options.n, options.seed, stops=options.stops, **read)
        return pictures.animation(pictures.scale(frames), options.fps, f".{options.format}")

    return await _answer(request, draw, {"gif": GIF, "webp": WEBP}[options.format], headers)


@router.get("/models/{name}/window.png", response_class=Response, responses=content(PNG))
async def window(
    request: Request, name: str, top: int = 0, left: int = 0, height: int = 256, width: int = 256, seed: int = 0
) -> Response:
    """Draw a piece of one picture that has no end, of a model that is fed a map of latents; pieces fit together."""
    service = service_of(request)
    model = _drawing_model(service, name)
    if height * width > service.settings.max_pixels:
        most = f"at most {service.settings.max_pixels:,} pixels at a time"
        raise RefusedError(f"height, width: {most}, received {height} x {width}", 413)
    await request.body()  # `finish_in_time` waits for what comes after it
    return await _answer(request, lambda: pictures.png(model.generator.window(top, left, height, width, seed)), PNG, {})


_IMAGE_BODY = {
    "requestBody": {"required": True, "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}}
}


@router.post("/models/{name}/translate", response_class=Response, responses=content(PNG), openapi_extra=_IMAGE_BODY)
async def translate(request: Request, name: str, fit: Fit | None = None) -> Response:
    """Translate the image file in the body, at its own size; `fit` brings it to the nearest that needs no margin."""
    service = service_of(request)
    model = service.model(name)
    source = next((tensor for tensor in model.manifest.inputs if tensor.is_image), None)
    if source is None:
        raise RefusedError(f"{name} does not take images, it draws them; use POST /models/{name}/sample")
    media_type, body = request.headers.get("content-type", ""), await request.body()
    if not media_type.startswith("image/"):
        received = short_repr(media_type)
        raise RefusedError(f"Content-Type must be image/png or that of another image, received {received}", 415)

    def draw() -> bytes:
        photo = read_photo(body, service.settings.max_pixels)[None]
        image = with_channels(photo, int(source.shape[-1]))  # [1, H, W, C]
        if fit is not None:
            height, width = nearest_size(source, *image.shape[1:3])
            image = fitted(image, height, width, fit)
        return pictures.png(model.generator.translate(image[0]))

    return await _answer(request, draw, PNG)


def read_photo(data: bytes, max_pixels: int) -> Array:
    """Read an image file sent by a client.

    The size in its header is checked first: an image that would be too large is never unpacked.

    Args:
        data: A file of one of `zoo.core.image_files.FORMATS`.
        max_pixels: The most pixels, height x width.

    Returns:
        uint8 [H, W, 3].

    Raises:
        RefusedError: The file cannot be read, or is too large.
    """
    try:
        return read_image(io.BytesIO(data), limit=max_pixels, name="the body")
    except TooManyPixelsError as error:
        raise RefusedError(str(error), 413) from error
    except DataError as error:
        raise RefusedError(f"{error}; send {FORMAT_WORDS}") from error


async def _answer(
    request: Request, draw: Callable[[], bytes], media_type: str, headers: dict[str, str] | None = None
) -> Response:
    service = service_of(request)
    data = await service.finish_in_time(request, service.in_picture_thread(draw))
    return Response(data, media_type=media_type, headers=headers)


def _fixed(model: Model, options: Sample | Walk) -> dict[str, Any]:
    """Return the inputs that are fixed by name. Raises RefusedError for a word that no input can have."""
    if taken := sorted(options.inputs.keys() & _ARGUMENTS):
        raise RefusedError(f"inputs: there is no input {short_repr(taken[0])}")
    if options.label is not None and "label" in options.inputs:
        raise RefusedError("inputs: the label is given twice, here and as label")
    for key, value in options.inputs.items():
        _check_names(model, key, value)
    if options.text is None:
        return {"label": options.label, **options.inputs}
    name = next((tensor.name for tensor in model.manifest.inputs if tensor.text), None)
    if name is None:
        raise RefusedError(
            f"text: {model.manifest.model} reads no words. Its inputs: {', '.join(model.generator.inputs)}"
        )
    if name in options.inputs:
        raise RefusedError(f"inputs: the {name} is given twice, here and as text")
    return {"label": options.label, **options.inputs, name: options.text}


def _check_names(model: Model, key: str, value: Any) -> None:
    """Refuse names of classes that are longer than any; texts may be long. Raises RefusedError."""
    tensor = model.generator.inputs.get(key)
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str) and len(one) > LONGEST_NAME and not (tensor and tensor.text):
            why = f"a name should have at most {LONGEST_NAME} characters, received {short_repr(one)}"
            raise RefusedError(f"inputs: {short_repr(key)}: {why}", 422)


def _drawing_model(service: Service, name: str) -> Model:
    """Return the model `name`. Raises RefusedError for one that translates images."""
    model = service.model(name)
    if model.card["kind"] == "translation":
        raise RefusedError(f"{name} translates images; POST an image to /models/{name}/translate")
    return model


def _file(request: Request, name: str, file: str) -> Response:
    files = service_of(request).model(name).files
    if file not in files:
        raise RefusedError(f"{name} has no {file}", 404)
    found = files[file]
    headers = {"ETag": found.etag, "Cache-Control": "no-cache"}
    asked = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if asked & {found.etag, "*"}:
        return Response(status_code=304, headers=headers)
    return Response(found.data, media_type=found.media_type, headers=headers)


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
