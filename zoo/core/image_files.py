"""Image files -> pixels: the one reader of training data, `zoo translate` and the server.

    read_image(file)      uint8 [H, W, 3]; read_picture(file, alpha=True) keeps what is transparent, [H, W, 4]
    read_picture(file)    the same, with the largest number of a 16-bit file
    is_image(file)        True where the header of a file is that of an image

The content decides the format, never the name; a format that starts another program, as EPS does, is not among them.
The size in the header is checked before anything is unpacked: `ZOO_MAX_PIXELS` is the most pixels of a picture.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from zoo.core.arrays import Array
from zoo.core.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000")
FORMAT_WORDS = "PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF or JPEG 2000"
MAX_PIXELS, VARIABLE = 64_000_000, "ZOO_MAX_PIXELS"
DARK = 2**14  # 16-bit files whose numbers end below this hold fewer bits, or are nearly black
_PILLOW_WARNINGS = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


class TooManyPixelsError(DataError):
    """A picture with more pixels than are allowed; nothing of it was unpacked."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture that was read.

    Attributes:
        pixels: uint8 [H, W, 3], or [H, W, 4] with alpha.
        highest: The largest number of a file of 16-bit grey, 0..65535; None for other files.
    """

    pixels: Array
    highest: int | None = None


def max_pixels() -> int:
    """Return the most pixels of a picture, height x width.

    Returns:
        The environment variable ZOO_MAX_PIXELS, or 64 000 000.

    Raises:
        DataError: The variable is not a whole number of at least 1.
    """
    text = os.environ.get(VARIABLE) or str(MAX_PIXELS)
    if not (text.isascii() and text.isdecimal()) or int(text) < 1:
        raise DataError(f"{VARIABLE}: expected a whole number of at least 1, received '{text}'")
    return int(text)


def read_image(file: Path | BinaryIO, *, limit: int | None = None, name: str = "") -> Array:
    """Read an image file as RGB. The arguments, the pixels and the errors are those of `read_picture`.

    Args:
        file: A path, or a file open for binary reading.
        limit: The most pixels, height x width; None is `max_pixels()`.
        name: The name of the file in messages; by default its path.

    Returns:
        uint8 [H, W, 3].
    """
    return read_picture(file, limit=limit, name=name).pixels


def read_picture(file: Path | BinaryIO, *, limit: int | None = None, name: str = "", alpha: bool = False) -> Picture:
    """Read an image file as RGB: upright by its EXIF data, transparent parts on white, the first of several frames.

    16-bit grey is divided by 257, so that 65535 is white; floats in [0, 1] are multiplied by 255; 32-bit integers in
    0..255 are kept. Other numbers have no colour that is known, and are refused.

    Args:
        file: A path, or a file open for binary reading, in one of `FORMATS` that this Pillow has.
        limit: The most pixels, height x width; None is `max_pixels()`.
        name: The name of the file in messages; by default its path.
        alpha: Return RGBA in place of RGB on white; what is wholly transparent is black then, whatever the file has.

    Returns:
        The picture.

    Raises:
        TooManyPixelsError: It has more pixels than `limit`.
        DataError: It is not a readable image, or its numbers have no known range. The message is one line.
    """
    from PIL import Image, ImageOps

    name = name or str(file)
    setting = f"; {VARIABLE}=N in the environment allows more" if limit is None else ""
    limit = max_pixels() if limit is None else limit
    if Image.MAX_IMAGE_PIXELS is not None and limit > 2 * Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = limit  # the user asked for more than Pillow opens
    try:
        with _open(file) as opened:
            width, height = opened.size
            if width * height > limit:
                raise TooManyPixelsError(
                    f"{name}: a picture may have at most {limit:,} pixels, received {width} x {height}{setting}"
                )
            _mend_transparency(opened)
            white = _white_of_grey(opened)
            return _converted(ImageOps.exif_transpose(opened), white, alpha)
    except TooManyPixelsError:
        raise
    except Image.DecompressionBombError as error:
        raise TooManyPixelsError(
            f"{name}: a picture may have at most {limit:,} pixels, received more{setting}"
        ) from error
    except Exception as error:  # decoders of broken files raise almost anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{name} is not a readable image: {reason}") from error


def is_image(file: Path) -> bool:
    """Find out whether a file is an image, from its header alone.

    Args:
        file: Any file.

    Returns:
        True if it begins as an image of one of `FORMATS`; its pixels may be damaged all the same.
    """
    from PIL import Image

    try:
        with _open(file):
            return True
    except Image.DecompressionBombError:
        return True
    except Exception:  # decoders of broken files raise almost anything
        return False


def range_warning(highest: int) -> str:
    """Return the warning for 16-bit files whose numbers end far below white.

    Args:
        highest: The largest number of the file, or of all files of a folder.

    Returns:
        A clause such as "its 16-bit numbers end at 4,095 ...", or an empty string where nothing is wrong.
    """
    if highest >= DARK:
        return ""
    bits = max(highest.bit_length(), 8)
    factor = 65535 / (2**bits - 1)
    return (
        f"the 16-bit numbers end at {highest:,} of 65,535, which is nearly black; if they hold {bits} bits, multiply "
        f"them by {factor:.4g} and save them again"
    )


def _open(file: Path | BinaryIO) -> Image.Image:
    """Open an image of one of the formats; Pillow's own warnings and log stay quiet."""
    from PIL import Image

    if _PILLOW_WARNINGS not in warnings.filters:
        warnings.filterwarnings("ignore", module=r"PIL\.")
    log = logging.getLogger("PIL")
    if log.level == logging.NOTSET:
        log.setLevel(logging.CRITICAL)
    try:
        return Image.open(file, formats=_formats())
    except Image.UnidentifiedImageError as error:
        raise DataError(f"it is not {FORMAT_WORDS}") from error


@functools.cache
def _formats() -> tuple[str, ...]:
    from PIL import Image

    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _mend_transparency(image: Image.Image) -> None:
    """Bring the transparent colour of a PNG, which counts in the bits of the file, to the 8 bits of Pillow's pixels."""
    tiles = getattr(image, "tile", None)  # how Pillow is about to decode the file
    clear, raw = image.info.get("transparency"), tiles[0][3] if tiles else None
    if isinstance(clear, int) and raw in ("L;2", "L;4"):
        image.info["transparency"] = clear * {"L;2": 85, "L;4": 17}[raw]
    elif isinstance(clear, tuple) and raw == "RGB;16B":
        image.info["transparency"] = tuple(number >> 8 for number in clear)


def _white_of_grey(image: Image.Image) -> int | None:
    """Return the number that is white in a file of more than 8 bits of grey: 65535, or 4095; None for other files."""
    if not image.mode.startswith("I;16") and (image.mode, image.format) != ("I", "PNG"):
        return None
    stated: Any = getattr(image, "tag_v2", {}).get(258) or (16,)  # BitsPerSample of a TIFF
    return 4095 if stated[0] == 12 else 65535


def _converted(image: Image.Image, white: int | None, alpha: bool) -> Picture:
    """Convert a picture of any mode. Raises ValueError for numbers without a known range."""
    from PIL import Image

    highest, holes = None, None
    if white or image.mode in ("I", "F"):
        numbers = np.asarray(image)
        if white:
            pixels = ((numbers.astype(np.uint32) * 255 + white // 2) // white).astype(np.uint8)
            highest = int(numbers.max()) if white == 65535 else None
        else:
            pixels = _from_numbers(numbers)
        clear = image.info.get("transparency")
        if isinstance(clear, int):
            holes = numbers == clear
            pixels[holes] = 255
        image = Image.fromarray(pixels)
    if alpha:
        rgba = np.array(image.convert("RGBA"))
        if holes is not None:
            rgba[holes] = 0
        rgba[rgba[..., 3] == 0] = 0
        return Picture(rgba, highest)
    if image.has_transparency_data:
        paper = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(paper, image.convert("RGBA"))
    return Picture(np.asarray(image.convert("RGB")), highest)


def _from_numbers(numbers: Array) -> Array:
    """Return the pixels of 32-bit integers in 0..255 or of floats in [0, 1]. Raises ValueError for others."""
    if not np.isfinite(numbers).all():
        raise ValueError("its numbers are not all finite; save it with 8 bits")
    low, high = numbers.min(), numbers.max()
    if numbers.dtype.kind == "f":
        if low < -1e-3 or high > 1 + 1e-3:
            raise ValueError(f"its floats must be in [0, 1], received {low:g}..{high:g}; scale them or save 8 bits")
        return np.rint(np.clip(numbers, 0, 1) * 255).astype(np.uint8)
    if low < 0 or high > 255:
        raise ValueError(f"its 32-bit integers must be in 0..255, received {low:,}..{high:,}; save 8 or 16 bits")
    return numbers.astype(np.uint8)
