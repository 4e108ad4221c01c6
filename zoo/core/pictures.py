"""Pictures for people: grids, pairs, scatter plots, lines of text, animations, and their files.

An image is uint8 [H, W, C] with C = 1, 3 or 4, several of one size are uint8 [N, H, W, C]; backgrounds are white, and
between images with alpha transparent.
"""

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
from zoo.core.images import on_white, with_channels

Image = np.ndarray[Any, np.dtype[np.uint8]]
WHITE = 255
PAIRS = 4  # in a row
STACK_GAP = 10  # pixels between pictures below each other
CELLS = 128  # along each side of a picture of points
PALETTES = (256, 64, 16)  # colours of a PNG that must be smaller
ANIMATIONS = {".gif": "GIF", ".webp": "WEBP"}  # suffix -> Pillow's name
MAX_FPS = 50  # viewers give a GIF's frames of less than two hundredths of a second ten


def picture(examples: np.ndarray[Any, Any]) -> Image:
    """Return a sheet of examples: a grid of images, or the density of points in the plane.

    Args:
        examples: Images uint8 [N, H, W, C], or points [N, 2].

    Returns:
        uint8 [H', W', C]; images are enlarged to 64 pixels or more, points fill 384 x 384 pixels.
    """
    if examples.ndim == 4:
        return grid(scale(examples))
    extent = float(np.abs(examples).max()) * 1.1 + 1e-6
    return scale(points_picture(examples, extent=extent, size=CELLS), at_least=3 * CELLS)  # dots of 3 x 3 pixels


def grid(images: Image, *, columns: int | None = None, gap: int = 2) -> Image:
    """Return images side by side, row by row, on white.

    Args:
        images: uint8 [N, H, W, C].
        columns: Images in a row; None makes the grid nearly square.
        gap: Pixels between two images.

    Returns:
        uint8 [H', W', C].

    Raises:
        DataError: These are not images, there is not a column, or the gap is negative.
    """
    _check(images, rank=4)
    n, h, w, c = images.shape
    columns = math.ceil(math.sqrt(n)) if columns is None else columns
    if columns < 1 or gap < 0:
        raise DataError(f"a grid has at least 1 column and no negative gap, received columns={columns}, gap={gap}")
    rows = math.ceil(n / columns)
    cells = _paper(rows * columns, h + gap, w + gap, c)
    cells[:n, :h, :w] = images
    cells = cells.reshape(rows, columns, h + gap, w + gap, c).swapaxes(1, 2)  # [rows, h, columns, w, c]
    picture = cells.reshape(rows * (h + gap), columns * (w + gap), c)
    return np.ascontiguousarray(picture[: picture.shape[0] - gap, : picture.shape[1] - gap])  # no gap at the edge


def pairs(left: Image, right: Image, *, columns: int = PAIRS) -> Image:
    """Return a grid of pairs: each image with its partner at its right, enlarged to 64 pixels or more.

    Args:
        left: uint8 [N, H, W, C].
        right: The partners, such as translations, of the same shape.
        columns: Pairs in a row.

    Returns:
        uint8 [H', W', C].
    """
    both = np.stack([left, right], axis=1)  # [N, 2, H, W, C]
    return grid(scale(both.reshape(-1, *left.shape[1:])), columns=2 * columns)


def stack(images: Sequence[Image], *, gap: int = STACK_GAP) -> Image:
    """Return pictures below each other, left-aligned, on white.

    Args:
        images: uint8 [H, W, C], each of its own size; all get the channels of the one with most.
        gap: Pixels between two pictures.

    Returns:
        uint8 [H', W', C'].
    """
    for image in images:
        _check(image, rank=3)
    channels, width = max(image.shape[2] for image in images), max(image.shape[1] for image in images)
    rows: list[Image] = []
    for image in images:
        row = _paper(image.shape[0] + gap, width, channels)
        row[: image.shape[0], : image.shape[1]] = with_channels(image, channels)
        rows.append(row)
    return np.concatenate(rows)[:-gap]


def beside(images: Sequence[Image], *, gap: int = 20) -> Image:
    """Return pictures in one row, aligned at the top, on white.

    Args:
        images: As for `stack`.
        gap: Pixels between two pictures.

    Returns:
        uint8 [H', W', C'].
    """
    return stack([image.swapaxes(0, 1) for image in images], gap=gap).swapaxes(0, 1)


def scale(images: Image, *, at_least: int = 64) -> Image:
    """Enlarge images by the smallest whole factor, by repeating pixels, until the shorter side is long enough.

    Args:
        images: uint8 [H, W, C] or [N, H, W, C].
        at_least: Pixels of the shorter side.

    Returns:
        The same axes, larger or unchanged.
    """
    _check(images, rank=images.ndim if images.ndim == 4 else 3)
    factor = max(1, math.ceil(at_least / min(images.shape[-3:-1])))
    return images.repeat(factor, axis=-3).repeat(factor, axis=-2)


def points_picture(points: np.ndarray[Any, Any], *, extent: float, size: int = 256) -> Image:
    """Return the density of points in the square [-extent, extent]^2, y upwards, darker where they crowd.

    Args:
        points: Finite numbers [N, 2]; points outside the square are left out.
        extent: Half the side of the square.
        size: Pixels of a side of the picture.

    Returns:
        uint8 [size, size, 1].

    Raises:
        DataError: These are not points, or the square has no area.
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
    """Return a line of black letters on white, without a border.

    Args:
        words: The line.
        size: Height of the font in pixels.

    Returns:
        uint8 [H, W, 1]; H depends on `size` alone.
    """
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    font = ImageFont.load_default(size)
    _, _, width, height = map(math.ceil, font.getbbox(words))
    height = max(height, math.ceil(font.getbbox("kg|")[3]))
    sheet = Pillow.new("L", (max(width, 1), height), WHITE)
    ImageDraw.Draw(sheet).text((0, 0), words, fill=0, font=font)
    return np.asarray(sheet)[:, :, None]


def png(image: Image, *, at_most: int | None = None) -> bytes:
    """Return the bytes of a PNG file.

    Args:
        image: uint8 [H, W, C].
        at_most: Bytes above which the colours are reduced to a palette of 256, then 64, then 16; None keeps them all.

    Returns:
        The file; of 16 colours it may still have more than `at_most` bytes.
    """
    _check(image, rank=3)
    picture = _pillow(image)
    data = _encoded(picture)
    for colours in PALETTES:
        if at_most is None or len(data) <= at_most:
            break
        data = _encoded(picture.quantize(colours))
    return data


def animation(frames: Image, fps: float = 20, kind: str = ".gif") -> bytes:
    """Return the bytes of an endless animation.

    Args:
        frames: uint8 [N, H, W, C].
        fps: Frames a second, above 0 and at most 50.
        kind: ".gif" or ".webp". WebP keeps every pixel; GIF does for grey images, keeps 256 colours a frame, and shows
            on white what is transparent.

    Returns:
        The file.

    Raises:
        DataError: A wrong argument, or this Pillow was built without WebP.
    """
    from PIL import features

    _check(frames, rank=4)
    if kind not in ANIMATIONS:
        raise DataError(f"an animation is a {' or '.join(ANIMATIONS)} file, received '{kind}'")
    if not 0 < fps <= MAX_FPS:
        raise DataError(f"an animation has more than 0 and at most {MAX_FPS} frames a second, received {fps}")
    if kind == ".webp" and not features.check("webp"):
        raise DataError("this Pillow was built without WebP: install another, or make a .gif")
    first, *others = map(_pillow, on_white(frames) if kind == ".gif" else frames)
    buffer = io.BytesIO()
    how = {"duration": round(1000 / fps), "loop": 0, "lossless": True}  # a GIF ignores what it does not know
    first.save(buffer, ANIMATIONS[kind], save_all=True, append_images=others, **how)
    return buffer.getvalue()


def _paper(*shape: int) -> Image:
    """Return white pixels; of RGBA transparent ones."""
    made = np.full(shape, WHITE, np.uint8)
    if shape[-1] == 4:
        made[..., 3] = 0
    return made


def _encoded(picture: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _pillow(image: Image) -> Any:
    from PIL import Image as Pillow

    return Pillow.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)


def write_png(path: str | os.PathLike[str], image: Image) -> Path:
    """Write a PNG file, whole or not at all.

    Args:
        path: Where it goes; the folder must exist.
        image: uint8 [H, W, C].

    Returns:
        `path`.
    """
    return write_whole(path, png(image))


def _check(images: Image, *, rank: int) -> None:
    good = images.dtype == np.uint8 and images.ndim == rank and images.shape[-1] in (1, 3, 4) and images.size > 0
    if not good:
        axes = "[N, H, W, C]" if rank == 4 else "[H, W, C]"
        raise DataError(f"expected uint8 {axes} with C = 1, 3 or 4, received {images.dtype} {list(images.shape)}")
