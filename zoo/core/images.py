from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from zoo.core.arrays import Array
from zoo.core.errors import DataError, ServeError
from zoo.core.registry import suggest

Fit = Literal["pad", "resize", "crop"]


def to_uint8(raw: Array, range: tuple[float, float]) -> Array:
    """Pixels: `range` onto 0..255, rounded half to even, clipped. Raises ServeError for numbers that are not finite."""
    if not np.isfinite(raw).all():
        raise ServeError("the generator returned numbers that are not finite: they have no colour")
    low, high = range
    return np.rint(np.clip((raw.astype(np.float64) - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def from_uint8(images: Array, range: tuple[float, float]) -> Array:
    """uint8 pixels -> float32 with 0 -> range[0] and 255 -> range[1], both exactly; the numbers that training saw."""
    return np.linspace(*range, 256).astype(np.float32)[images]


BLOCK = 4096  # images that are converted at a time, so that intermediate integers stay small


def read_image(file: Path | BinaryIO) -> np.ndarray:
    """uint8 [H, W, 3], upright as the camera meant it, transparent parts on white, the first frame of several.

    Raises DataError.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as opened:
            image = ImageOps.exif_transpose(opened)
            if image.mode.startswith("I"):  # 16-bit grey, which Pillow would clip at 255
                image = Image.fromarray((np.asarray(image) // 256).astype(np.uint8))
            if image.has_transparency_data:
                white = Image.new("RGBA", image.size, "white")
                image = Image.alpha_composite(white, image.convert("RGBA"))
            return np.asarray(image.convert("RGB"))
    except Exception as error:  # decoders of broken files raise almost anything
        raise DataError(f"{file} is not a readable image: {error}") from error


def grey(images: np.ndarray) -> np.ndarray:
    """ITU-R 601 luma 0.299 R + 0.587 G + 0.114 B in Pillow's integers: uint8 [N, H, W, 3] -> uint8 [N, H, W, 1]."""
    out = np.empty((*images.shape[:3], 1), np.uint8)
    weights = np.array([19595, 38470, 7471], np.uint32)
    for start in range(0, len(images), BLOCK):
        block = slice(start, start + BLOCK)
        out[block, ..., 0] = (images[block].astype(np.uint32) @ weights + 0x8000) >> 16
    return out


def fitted(images: np.ndarray, height: int, width: int, fit: Fit) -> np.ndarray:
    """uint8 [N, H, W, C] -> uint8 [N, height, width, C] by one of the three fits."""
    if fit not in FITS:
        raise DataError(f"unknown fit {fit!r}.{suggest(fit, FITS)} Known: {', '.join(FITS)}")
    return images if images.shape[1:3] == (height, width) else FITS[fit](images, height, width)


def center_crop(images: np.ndarray, height: int, width: int) -> np.ndarray:
    """[N, H, W, C] -> [N, height, width, C], the same distance from either edge: the window itself, not resized."""
    top, left = ((have - want) // 2 for have, want in zip(images.shape[1:3], (height, width), strict=True))
    return images[:, top : top + height, left : left + width]


def padded(native: Sequence[int], height: int, width: int) -> tuple[int, int]:
    """The height and width that images of `native` height and width have within the border that "pad" gives them."""
    shrink = min(height / native[0], width / native[1])
    if shrink < 1:
        return max(1, round(native[0] * shrink)), max(1, round(native[1] * shrink))
    return native[0] * int(shrink), native[1] * int(shrink)


def _pad(images: np.ndarray, height: int, width: int) -> np.ndarray:
    n, native_height, _, c = images.shape
    h, w = padded(images.shape[1:3], height, width)
    if h < native_height or w < images.shape[2]:
        images = _resize(images, h, w)
    else:
        factor = h // native_height
        images = images.repeat(factor, axis=1).repeat(factor, axis=2)
    out = np.zeros((n, height, width, c), np.uint8)
    top, left = (height - h) // 2, (width - w) // 2
    out[:, top : top + h, left : left + w] = images
    return out


def _crop(images: np.ndarray, height: int, width: int) -> np.ndarray:
    h, w = images.shape[1:3]
    zoom = max(height / h, width / w)  # the short side fills the frame
    box_h, box_w = min(h, height / zoom), min(w, width / zoom)
    top, left = (h - box_h) / 2, (w - box_w) / 2
    return _resize(images, height, width, box=(left, top, min(w, left + box_w), min(h, top + box_h)))


def _resize(
    images: np.ndarray, height: int, width: int, box: tuple[float, float, float, float] | None = None
) -> np.ndarray:
    from PIL import Image

    out = np.empty((len(images), height, width, images.shape[-1]), np.uint8)
    for index, pixels in enumerate(images):
        picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
        small = picture.resize((width, height), Image.Resampling.BICUBIC, box)  # antialiased when it shrinks
        out[index] = np.asarray(small).reshape(height, width, -1)
    return out


FITS = {"pad": _pad, "resize": _resize, "crop": _crop}
