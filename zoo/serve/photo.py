"""Image files from strangers."""

from __future__ import annotations

import io

from zoo.arrays import Array
from zoo.data.prepare import read_image
from zoo.errors import DataError
from zoo.serve.refusal import RefusedError

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
