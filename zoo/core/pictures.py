"""Pictures for people: grids, scatter plots, animations, their files. Images are uint8 [H, W, C], C = 1 or 3."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.core.errors import DataError
from zoo.core.files import write_whole

Image = np.ndarray[Any, np.dtype[np.uint8]]
WHITE = 255
PAIRS = 4  # in a row
STACK_GAP = 10  # pixels between pictures below each other
CELLS = 128  # along each side of a picture of points
PALETTES = (256, 64, 16)  # colours of a PNG that must be smaller
ANIMATIONS = {".gif": "GIF", ".webp": "WEBP"}  # suffix -> Pillow's name
MAX_FPS = 50  # viewers give a GIF's frames of less than two hundredths of a second ten


def picture(examples: np.ndarray[Any, Any]) -> Image:
    """What a person would want to see: a grid of uint8 images [N, H, W, C], or the density of points [N, 2]."""
    if examples.ndim == 4:
        return grid(scale(examples))
    extent = float(np.abs(examples).max()) * 1.1 + 1e-6
    return scale(points_picture(examples, extent=extent, size=CELLS), at_least=3 * CELLS)  # dots of 3 x 3 pixels


def grid(images: Image, *, columns: int | None = None, gap: int = 2) -> Image:
    """uint8 [N, H, W, C] -> one [H', W', C], row by row, on white, `gap` pixels apart; by default nearly square.

    Raises DataError.
    """
    _check(images, rank=4)
    n, h, w, c = images.shape
    columns = math.ceil(math.sqrt(n)) if columns is None else columns
    if columns < 1 or gap < 0:
        raise DataError(f"a grid has at least 1 column and no negative gap, received columns={columns}, gap={gap}")
    rows = math.ceil(n / columns)
    cells = np.full((rows * columns, h + gap, w + gap, c), WHITE, np.uint8)
    cells[:n, :h, :w] = images
    cells = cells.reshape(rows, columns, h + gap, w + gap, c).swapaxes(1, 2)  # [rows, h, columns, w, c]
    picture = cells.reshape(rows * (h + gap), columns * (w + gap), c)
    return np.ascontiguousarray(picture[: picture.shape[0] - gap, : picture.shape[1] - gap])  # no gap at the edge


def cells(picture: Image, *, height: int, width: int, columns: int, gap: int = 2) -> Image:
    """The inverse of `grid` and `scale`: [H', W', C] -> images [N, height, width, C], row by row.

    Places that the grid left empty come as white images. Raises DataError for a picture that is no such grid.
    """
    _check(picture, rank=3)
    h, w, c = picture.shape
    factor = max(1, ((w + gap) // columns - gap) // width)  # of `scale`
    step_h, step_w = factor * height + gap, factor * width + gap
    rows = (h + gap) // step_h
    if (rows * step_h, columns * step_w) != (h + gap, w + gap):
        raise DataError(f"a picture of {h} x {w} pixels is no grid of {columns} columns of {height} x {width}")
    whole = np.full((rows * step_h, columns * step_w, c), WHITE, np.uint8)
    whole[:h, :w] = picture
    parts = whole.reshape(rows, step_h, columns, step_w, c).swapaxes(1, 2)  # [rows, columns, h, w, c]
    return parts.reshape(-1, step_h, step_w, c)[:, : step_h - gap : factor, : step_w - gap : factor]


def pairs(left: Image, right: Image, *, columns: int = PAIRS) -> Image:
    """Images uint8 [N, H, W, C], each with what became of it at its right: one [H', W', C], `columns` pairs a row."""
    both = np.stack([left, right], axis=1)  # [N, 2, H, W, C]
    return grid(scale(both.reshape(-1, *left.shape[1:])), columns=2 * columns)


def stack(images: Sequence[Image], *, gap: int = STACK_GAP) -> Image:
    """Pictures [H, W, C] below each other, on white: one [H', W', C']."""
    for image in images:
        _check(image, rank=3)
    channels, width = max(image.shape[2] for image in images), max(image.shape[1] for image in images)
    rows: list[Image] = []
    for image in images:
        row = np.full((image.shape[0] + gap, width, channels), WHITE, np.uint8)
        row[: image.shape[0], : image.shape[1]] = image
        rows.append(row)
    return np.concatenate(rows)[:-gap]


def beside(images: Sequence[Image], *, gap: int = 20) -> Image:
    """Pictures [H, W, C] at each other's right, on white: one [H', W', C']."""
    return stack([image.swapaxes(0, 1) for image in images], gap=gap).swapaxes(0, 1)


def scale(images: Image, *, at_least: int = 64) -> Image:
    """Repeat pixels by the smallest whole factor that makes the shorter side `at_least` pixels: [..., H, W, C]."""
    _check(images, rank=images.ndim if images.ndim == 4 else 3)
    factor = max(1, math.ceil(at_least / min(images.shape[-3:-1])))
    return images.repeat(factor, axis=-3).repeat(factor, axis=-2)


def points_picture(points: np.ndarray[Any, Any], *, extent: float, size: int = 256) -> Image:
    """Points [N, 2] in the square [-extent, extent]^2 -> uint8 [size, size, 1], y upwards, darker where they crowd.

    Points outside the square are left out. Raises DataError.
    """
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise DataError(f"a scatter picture takes finite points [N, 2], received shape {list(points.shape)}")
    if not (math.isfinite(extent) and extent > 0 and size > 0):
        raise DataError(f"a scatter picture has positive extent and size, received extent={extent}, size={size}")
    limits = (-extent, extent)
    count, _, _ = np.histogram2d(points[:, 0], points[:, 1], bins=size, range=(limits, limits))  # [x, y]
    shade = np.log1p(count) / np.log1p(max(count.max(), 1))
    ink = np.where(count > 0, 0.35 + 0.65 * shade, 0)  # a lone point must still be seen
    return np.ascontiguousarray(np.rint(WHITE * (1 - ink)).astype(np.uint8).T[::-1, :, None])


def text(words: str, *, size: int = 14) -> Image:
    """A line of black letters on white, as small as they need: uint8 [H, W, 1], H the same for all words."""
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    font = ImageFont.load_default(size)
    _, _, width, height = map(math.ceil, font.getbbox(words))
    height = max(height, math.ceil(font.getbbox("kg|")[3]))
    sheet = Pillow.new("L", (max(width, 1), height), WHITE)
    ImageDraw.Draw(sheet).text((0, 0), words, fill=0, font=font)
    return np.asarray(sheet)[:, :, None]


def png(image: Image, *, at_most: int | None = None) -> bytes:
    """The PNG file of [H, W, C]; where it has more than `at_most` bytes, with a palette of fewer colours.

    Raises DataError.
    """
    _check(image, rank=3)
    data = _encoded(_pillow(image))
    for colours in PALETTES:
        if at_most is None or len(data) <= at_most:
            break
        data = _encoded(_pillow(image).quantize(colours))
    return data


def animation(frames: Image, fps: float = 20, kind: str = ".gif") -> bytes:
    """The file of an endless animation of [N, H, W, C] with `fps` frames a second, ".gif" or ".webp".

    WebP keeps every pixel; so does GIF of grey images, of colours it keeps 256 in a frame. Raises DataError.
    """
    from PIL import features

    _check(frames, rank=4)
    if kind not in ANIMATIONS:
        raise DataError(f"an animation is a {' or '.join(ANIMATIONS)} file, received '{kind}'")
    if not 0 < fps <= MAX_FPS:
        raise DataError(f"an animation has more than 0 and at most {MAX_FPS} frames a second, received {fps}")
    if kind == ".webp" and not features.check("webp"):
        raise DataError("this Pillow was built without WebP: install another, or make a .gif")
    first, *others = map(_pillow, frames)
    buffer = io.BytesIO()
    how = {"duration": round(1000 / fps), "loop": 0, "lossless": True}  # a GIF ignores what it does not know
    first.save(buffer, ANIMATIONS[kind], save_all=True, append_images=others, **how)
    return buffer.getvalue()


def _encoded(picture: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _pillow(image: Image) -> Any:
    from PIL import Image as Pillow

    return Pillow.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)


def write_png(path: str | os.PathLike[str], image: Image) -> Path:
    """Write [H, W, C] as PNG, whole or not at all. Returns the path. Raises DataError."""
    return write_whole(path, png(image))


def read_png(path: str | os.PathLike[str]) -> Image:
    """uint8 [H, W, C]: C = 1 for a grey file, 3 for all others. Raises DataError."""
    from PIL import Image as Pillow

    try:
        with Pillow.open(path, formats=("PNG",)) as picture:
            pixels = np.asarray(picture if picture.mode == "L" else picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:  # pillow raises SyntaxError for a broken PNG
        raise DataError(f"{path}: not a readable PNG: {error}") from error
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _check(images: Image, *, rank: int) -> None:
    good = images.dtype == np.uint8 and images.ndim == rank and images.shape[-1] in (1, 3) and images.size > 0
    if not good:
        axes = "[N, H, W, C]" if rank == 4 else "[H, W, C]"
        raise DataError(f"expected uint8 {axes} with C = 1 or 3, received {images.dtype} {list(images.shape)}")
