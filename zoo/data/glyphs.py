"""Capital letters of display fonts, drawn in colours that follow from the font: shape says letter, colour says style.

A vertical gradient between two saturated hues on a pale ground of the complementary hue, all from a hash of the font's
name. Fonts whose names begin alike are of one family, which is in one split alone.
"""

from __future__ import annotations

import colorsys
import hashlib
import io
from typing import TYPE_CHECKING

import numpy as np

from zoo.data.catalogue import DATASETS, Split
from zoo.data.fetch import read_files

if TYPE_CHECKING:
    from PIL import Image, ImageFont

CAPITALS = DATASETS["letters"].classes
INK = 54 / 64  # the share of the side that a letter fills
POINTS = 96  # of the type before it is fitted
DISTINCT = 20  # a font with fewer different capitals is no alphabet


def capitals(side: int, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Draw all capitals of the fonts of a split.

    Args:
        side: Rows and columns.
        split: Families of fonts are in one of them.

    Returns:
        uint8 [N, side, side, 3] and ids 0..25, int64 [N]: the fonts by name, the letters of each in turn.
    """
    images: list[np.ndarray] = []
    files = read_files("letters")
    for name in sorted(files):
        if part_of(name) != split:
            continue
        masks = _masks(files[name], round(side * INK))
        if masks is not None:
            images += _coloured(masks, name, side)
    return np.stack(images), np.arange(len(images), dtype=np.int64) % len(CAPITALS)


def part_of(file: str) -> str:
    """Return the split of a font, from a hash of the first five letters of its name."""
    family = "".join(letter for letter in file.rpartition(".")[0].lower() if letter.isalpha())[:5]
    return "train" if int(hashlib.sha256(family.encode()).hexdigest(), 16) % 10 else "test"


def _masks(font: bytes, extent: int) -> list[np.ndarray] | None:
    """Draw the capitals of a font, each fitted into `extent`: uint8 [h, w]; None unless all are there."""
    from PIL import Image, ImageFont

    face = ImageFont.truetype(io.BytesIO(font), POINTS)
    masks: list[np.ndarray] = []
    for letter in CAPITALS:
        ink = _ink(face, letter)
        if ink is None:
            return None
        scale = extent / max(ink.size)
        size = tuple(max(1, round(length * scale)) for length in ink.size)
        masks.append(np.asarray(ink.resize((size[0], size[1]), Image.Resampling.LANCZOS)))
    return masks if len({mask.tobytes() for mask in masks}) >= DISTINCT else None


def _ink(face: ImageFont.FreeTypeFont, letter: str) -> Image.Image | None:
    """Return a letter cropped to its ink, an image of one grey channel; None where nothing is drawn."""
    from PIL import Image, ImageDraw

    page = Image.new("L", (4 * POINTS, 4 * POINTS))
    ImageDraw.Draw(page).text((POINTS, POINTS), letter, fill=255, font=face)
    box = page.getbbox()
    return page.crop(box) if box else None


def _coloured(masks: list[np.ndarray], name: str, side: int) -> list[np.ndarray]:
    """Return the letters of one font in its colours: uint8 [side, side, 3] each."""
    digest = hashlib.md5(name.encode(), usedforsecurity=False).digest()
    hue, apart = digest[0] / 256, 0.12 + 0.2 * digest[1] / 256
    above, below = colorsys.hsv_to_rgb(hue, 0.85, 0.95), colorsys.hsv_to_rgb((hue + apart) % 1, 0.85, 0.75)
    ground = np.array(colorsys.hsv_to_rgb((hue + 0.5) % 1, 0.12, 0.98))
    down = np.linspace(0, 1, side)[:, None, None]
    ink = (1 - down) * np.array(above) + down * np.array(below)  # [side, 1, 3]
    made = []
    for mask in masks:
        share = np.zeros((side, side, 1))
        top, left = ((side - length) // 2 for length in mask.shape)
        share[top : top + mask.shape[0], left : left + mask.shape[1], 0] = mask / 255
        made.append(np.rint(255 * (share * ink + (1 - share) * ground)).astype(np.uint8))
    return made
