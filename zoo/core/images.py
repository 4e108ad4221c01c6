"""Images as arrays [N, H, W, C] with C = 1, 3 or 4: numbers to pixels and back, grey, and three ways to fit a size.

Pixels are uint8, 0..255; the numbers of a network are float32 in the range that its tensor states, such as [-1, 1].
The same functions prepare training data and what a user hands to an exported network, so that both see the same pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from zoo.core.arrays import Array
from zoo.core.errors import DataError, ServeError
from zoo.core.registry import suggest

Fit = Literal["pad", "resize", "crop"]
BLOCK = 4096  # images that are converted at a time, so that intermediate integers stay small


def to_uint8(raw: Array, range: tuple[float, float]) -> Array:
    """Return the pixels of raw numbers: `range` is mapped onto 0..255, rounded half to even, and clipped.

    Args:
        raw: Finite numbers of any shape.
        range: The numbers of black and white, (low, high).

    Returns:
        uint8 of the same shape.

    Raises:
        ServeError: A number is NaN or infinite.
    """
    if not np.isfinite(raw).all():
        raise ServeError("the generator returned numbers that are not finite: they have no colour")
    low, high = range
    return np.rint(np.clip((raw.astype(np.float64) - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def from_uint8(images: Array, range: tuple[float, float]) -> Array:
    """Return pixels as the numbers that training saw: 0 becomes range[0] and 255 range[1], both exactly.

    Args:
        images: uint8 of any shape.
        range: The numbers of black and white, (low, high).

    Returns:
        float32 of the same shape.
    """
    return np.linspace(*range, 256).astype(np.float32)[images]


def grey(images: Array) -> Array:
    """Return the luma of RGB images, ITU-R 601: 0.299 R + 0.587 G + 0.114 B, in Pillow's integer arithmetic.

    Args:
        images: uint8 [N, H, W, 3].

    Returns:
        uint8 [N, H, W, 1].
    """
    out = np.empty((*images.shape[:3], 1), np.uint8)
    weights = np.array([19595, 38470, 7471], np.uint32)  # times 2**-16
    for start in range(0, len(images), BLOCK):
        block = slice(start, start + BLOCK)
        out[block, ..., 0] = (images[block].astype(np.uint32) @ weights + 0x8000) >> 16
    return out


def on_white(images: Array) -> Array:
    """Return images without alpha, as they look on white paper.

    Args:
        images: uint8 [..., C]; those of 1 or 3 channels are returned as they are.

    Returns:
        uint8 [..., 3] for RGBA.
    """
    if images.shape[-1] != 4:
        return images
    colour, alpha = images[..., :3].astype(np.uint32), images[..., 3:].astype(np.uint32)
    return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def with_channels(images: Array, channels: int) -> Array:
    """Return images with another number of channels: RGBA on white paper, the luma of RGB, grey as RGB, opaque RGBA.

    Args:
        images: uint8 [N, H, W, C] with C = 1, 3 or 4.
        channels: 1, 3 or 4.

    Returns:
        uint8 [N, H, W, channels]; `images` themselves where nothing changes.
    """
    if channels < images.shape[-1]:
        images = on_white(images)
        return grey(images) if channels == 1 else images
    if channels > images.shape[-1] == 1:
        images = np.repeat(images, 3, axis=-1)
    if channels > images.shape[-1]:
        images = np.concatenate([images, np.full_like(images[..., :1], 255)], axis=-1)
    return images


def fitted(images: Array, height: int, width: int, fit: Fit) -> Array:
    """Return images of another size; those that have it already are returned as they are.

    Args:
        images: uint8 [N, H, W, C].
        height: Rows wanted.
        width: Columns wanted.
        fit: "pad" keeps the aspect ratio within a border, black, of RGBA transparent (enlarged by whole factors only),
            "resize" stretches, "crop" keeps the aspect ratio and cuts the long side off at both ends. All resizing is
            bicubic, antialiased; of RGBA what is transparent has no colour to add.

    Returns:
        uint8 [N, height, width, C].

    Raises:
        DataError: There is no such fit.
    """
    if fit not in FITS:
        raise DataError(f"unknown fit {fit!r}.{suggest(fit, FITS)} Known: {', '.join(FITS)}")
    return images if images.shape[1:3] == (height, width) else FITS[fit](images, height, width)


def extended(images: Array, height: int, width: int) -> Array:
    """Return images that are larger at the bottom and at the right, where their own pixels are mirrored.

    Args:
        images: [N, H, W, C].
        height: Rows wanted, H or more.
        width: Columns wanted, W or more.

    Returns:
        [N, height, width, C]; `images` themselves where nothing is missing.
    """
    below, right = height - images.shape[1], width - images.shape[2]
    if below == right == 0:
        return images
    return np.pad(images, ((0, 0), (0, below), (0, right), (0, 0)), mode="symmetric")


def center_crop(images: Array, height: int, width: int) -> Array:
    """Return the window in the middle of images, not resized; of an odd border the smaller half is at the top left.

    Args:
        images: [N, H, W, C], at least as large as the window.
        height: Rows of the window.
        width: Columns of the window.

    Returns:
        A view [N, height, width, C].
    """
    top, left = ((have - want) // 2 for have, want in zip(images.shape[1:3], (height, width), strict=True))
    return images[:, top : top + height, left : left + width]


def padded(native: Sequence[int], height: int, width: int) -> tuple[int, int]:
    """Return the size that images have within the border that the fit "pad" adds.

    Args:
        native: Height and width of the images.
        height: Rows with the border.
        width: Columns with the border.

    Returns:
        Height and width without the border.
    """
    shrink = min(height / native[0], width / native[1])
    if shrink < 1:
        return max(1, round(native[0] * shrink)), max(1, round(native[1] * shrink))
    return native[0] * int(shrink), native[1] * int(shrink)


def _pad(images: Array, height: int, width: int) -> Array:
    n, native_height, native_width, c = images.shape
    h, w = padded((native_height, native_width), height, width)
    if h < native_height or w < native_width:
        images = _resize(images, h, w)
    else:
        factor = h // native_height
        images = images.repeat(factor, axis=1).repeat(factor, axis=2)
    out = np.zeros((n, height, width, c), np.uint8)
    center_crop(out, h, w)[:] = images
    return out


def _crop(images: Array, height: int, width: int) -> Array:
    h, w = images.shape[1:3]
    zoom = max(height / h, width / w)  # the short side fills the frame
    box_h, box_w = min(h, height / zoom), min(w, width / zoom)
    top, left = (h - box_h) / 2, (w - box_w) / 2
    return _resize(images, height, width, box=(left, top, min(w, left + box_w), min(h, top + box_h)))


def _resize(images: Array, height: int, width: int, box: tuple[float, float, float, float] | None = None) -> Array:
    from PIL import Image

    out = np.empty((len(images), height, width, images.shape[-1]), np.uint8)
    for index, pixels in enumerate(images):
        picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
        small = picture.resize((width, height), Image.Resampling.BICUBIC, box)  # antialiased when it shrinks
        out[index] = np.asarray(small).reshape(height, width, -1)
    return out


FITS = {"pad": _pad, "resize": _resize, "crop": _crop}
