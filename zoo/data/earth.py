"""Crops of a satellite picture of the earth, and a painted map of it: what `terrain` and `planet` are made of.

The picture is NASA's Blue Marble, 15 pixels for a degree, the north pole above. A crop of S rows has S / cos(latitude)
columns and is resized to S x S, so that shapes are true and may be turned. Strips of longitudes are for tests alone; no
crop of training comes near them.
"""

from __future__ import annotations

import gzip
import io
import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from zoo.core.errors import DataError
from zoo.core.files import write_whole
from zoo.core.host import cache_folder
from zoo.data.catalogue import Split
from zoo.data.fetch import read_files

HEIGHT, WIDTH, PER_DEGREE = 2700, 5400, 15
TOP, BOTTOM = 270, 2190  # 72 N to 56 S: beyond are stretched ice, a black rectangle and seams
STRIPS = ((1650, 1950), (2850, 3150), (4650, 4950))  # columns for tests: 70-50 W, 10-30 E, 130-150 E
MARGIN = 64  # columns between a strip and a crop of training
LAND, SPREAD = 0.10, 10.0  # the least share of land, and the least standard deviation of the grey value
GAMMA = 0.7  # the raster is dark: this gives clear greens and blues


@lru_cache(maxsize=1)
def picture() -> np.ndarray:
    """Return the picture as it is, dark: uint8 [2700, 5400, 3], row 0 at the north pole, column 0 at 180 W."""
    from PIL import Image

    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, HEIGHT * WIDTH
    try:
        with Image.open(io.BytesIO(read_files("terrain")["bmng.jpg"]), formats=("JPEG",)) as opened:
            return np.asarray(opened.convert("RGB"))
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def brightened(pixels: np.ndarray) -> np.ndarray:
    """Return uint8 pixels of the picture as they are shown."""
    return np.rint(255 * (np.arange(256) / 255) ** GAMMA).astype(np.uint8)[pixels]


@lru_cache(maxsize=1)
def land() -> np.ndarray:
    """Return where land is, lakes and sea aside: uint8 [2700, 5400], 0 to 255 for the share of a pixel."""
    from PIL import Image

    mask = np.frombuffer(gzip.decompress(read_files("terrain")["lsmask_1.25min_f.bin"]), np.uint8).reshape(8640, 17280)
    of_land = Image.fromarray((mask[::-1] == 1).astype(np.uint8) * 255)  # its first row is the south pole
    return np.asarray(of_land.resize((WIDTH, HEIGHT), Image.Resampling.BOX))


Box = tuple[int, int, int, int]  # left, top, right, bottom


def boxes(rows: int, stride: int, split: Split) -> Iterator[Box]:
    """Iterate over all crops of `rows` rows that a split may have, from north to south, then from west to east.

    Args:
        rows: Rows of a crop.
        stride: Rows from one crop to the next; columns grow with the latitude as the crop does.
        split: Test crops lie within a strip, those of training away from all.

    Yields:
        The corners, in pixels of the picture.
    """
    for top in range(TOP, BOTTOM - rows + 1, stride):
        latitude = 90 - (top + rows / 2) / PER_DEGREE
        width = round(rows / math.cos(math.radians(latitude)))
        step = stride * width / rows
        for number in range(int((WIDTH - width) / step) + 1):
            left = round(number * step)
            if _part(left, left + width) == split:
                yield left, top, left + width, top + rows


def _part(left: int, right: int) -> str:
    if any(low <= left and right <= high for low, high in STRIPS):
        return "test"
    near = any(left < high + MARGIN and right > low - MARGIN for low, high in STRIPS)
    return "" if near else "train"


def terrain_crops(rows: int, stride: int, split: Split) -> np.ndarray:
    """Return the crops with enough land, and enough to be seen: uint8 [N, rows, rows, 3]. See `boxes`."""
    kept = []
    for box in boxes(rows, stride, split):
        crop = _resized(picture(), box, rows, smooth=True) if _on_land(box) else None
        if crop is not None and crop.mean(axis=-1).std() >= SPREAD:
            kept.append(brightened(crop))
    return np.stack(kept)


def planet_pairs(rows: int, stride: int, side: int, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Return the painted map and the picture of crops that show something: uint8 [N, side, side, 3] each.

    Args:
        rows: Rows of a crop.
        stride: See `boxes`.
        side: Rows and columns to which a crop is resized; the map keeps its colours.
        split: See `boxes`.
    """
    painted, kept = class_map(), []
    for box in boxes(rows, stride, split):
        left, top, right, bottom = box
        shares = np.bincount(painted[top:bottom, left:right].ravel(), minlength=len(PALETTE))
        if _on_land(box) and shares.max() <= ONE_CLASS * shares.sum():
            kept.append((_resized(painted, box, side, smooth=False), _resized(picture(), box, side, smooth=True)))
    maps, pictures = zip(*kept, strict=True)
    return np.array(PALETTE, np.uint8)[np.stack(maps)], brightened(np.stack(pictures))


def _on_land(box: Box) -> bool:
    left, top, right, bottom = box
    return bool(land()[top:bottom, left:right].mean() >= LAND * 255)


def _resized(whole: np.ndarray, box: Box, side: int, *, smooth: bool) -> np.ndarray:
    """Return a crop as [side, side, ...]."""
    from PIL import Image

    left, top, right, bottom = box
    how = Image.Resampling.LANCZOS if smooth else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(whole[top:bottom, left:right]).resize((side, side), how))


# What a painter chooses from, by class: deep sea, sea, shallow sea, forest, grassland, desert, mountain, snow.
PALETTE = (
    (10, 24, 72), (32, 84, 160), (96, 184, 240), (28, 96, 40), (152, 168, 72), (236, 206, 140), (132, 92, 72),
    (250, 250, 255),
)  # fmt: skip
SEA, LAND_CLASSES = range(3), range(3, 8)
ONE_CLASS = 0.85  # the largest share of one class in a pair
EDGE = 60  # rows beyond the used ones that a blur may look at
SMALL = 40  # pixels: smaller patches of a class are given to their neighbours


@lru_cache(maxsize=1)
def class_map() -> np.ndarray:
    """Return the painted map of the earth, by rules of colour and roughness: class ids, uint8 [2700, 5400].

    It takes half a minute, so that the cache keeps it.
    """
    file = cache_folder() / "painted_earth.png"
    try:
        from PIL import Image

        with Image.open(file, formats=("PNG",)) as opened:
            kept = np.asarray(opened)
        if kept.shape == (HEIGHT, WIDTH) and kept.dtype == np.uint8 and kept.max() < len(PALETTE):
            return kept
    except (OSError, SyntaxError):  # not there, or damaged
        pass
    made = np.zeros((HEIGHT, WIDTH), np.uint8)
    rows = np.s_[TOP - EDGE : BOTTOM + EDGE]
    made[rows] = _classified(brightened(picture()[rows]).astype(np.float32), land()[rows] > 127)
    buffer = io.BytesIO()
    Image.fromarray(made).save(buffer, "PNG")
    write_whole(file, buffer.getvalue())
    return made


def _classified(shown: np.ndarray, on_land: np.ndarray) -> np.ndarray:
    """Return class ids [H, W] of the picture [H, W, 3] as it is shown; `on_land` is bool [H, W]."""
    ndimage = _ndimage()

    def blurred(plane: np.ndarray, pixels: float) -> np.ndarray:
        made: np.ndarray = ndimage.gaussian_filter(plane.astype(np.float32), pixels, mode=("nearest", "wrap"))
        return made

    def mean_over(plane: np.ndarray, where: np.ndarray, pixels: float) -> np.ndarray:
        """Blur a plane within a region alone."""
        return blurred(plane * where, pixels) / np.maximum(blurred(where, pixels), 1e-6)

    inner, sea = (ndimage.binary_erosion(part, iterations=2) for part in (on_land, ~on_land))
    red, green, blue = (mean_over(shown[..., channel], inner, 4) for channel in range(3))
    high, low = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    grey = shown.mean(axis=-1)
    rough = np.sqrt(mean_over((grey - mean_over(grey, on_land, 3)) ** 2, inner, 5))
    ground = np.full(on_land.shape, 4, np.uint8)  # in this order: a later rule wins
    ground[(red > 135) & (red - blue > 25)] = 5
    ground[(green >= red) & (green - blue > 12)] = 3
    ground[rough > 17] = 6
    ground[(low > 150) & (high - low < 28)] = 7
    depth = np.digitize(mean_over(shown[..., 2], sea, 4), [85, 140]).astype(np.uint8)

    def smoothed(classes: np.ndarray, known: np.ndarray, ids: range, pixels: float) -> np.ndarray:
        """Spread known classes to the nearest pixels, and round their borders."""
        spread = _nearest(classes, known)
        return ids[0] + np.argmax([blurred(spread == number, pixels) for number in ids], axis=0).astype(np.uint8)

    soft_coast = blurred(on_land * np.float32(255), 2) > 127
    joined = np.where(soft_coast, smoothed(ground, inner, LAND_CLASSES, 4), smoothed(depth, sea, SEA, 5))
    large = np.zeros(joined.shape, bool)
    for number in range(len(PALETTE)):
        patches, _ = ndimage.label(joined == number)
        sizes = np.bincount(patches.ravel())
        large |= (sizes >= SMALL)[patches] & (patches > 0)
    return _nearest(joined, large)


def _nearest(classes: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the class of the nearest known pixel for each pixel."""
    places = _ndimage().distance_transform_edt(~known, return_distances=False, return_indices=True)
    return classes[tuple(places)]


def _ndimage() -> Any:
    try:
        from scipy import ndimage
    except ImportError as error:
        raise DataError("data source 'planet' paints its map with SciPy: pip install scipy") from error
    return ndimage
