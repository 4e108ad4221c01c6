"""The user's own pairs of pictures: two folders whose files have the same names, or pictures that hold both halves.

What is no pair is an error that names it: a file without a partner, or two pictures of different proportions, which
would not lie on each other. Suffixes may differ: map.png belongs to map.jpg.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from zoo.core.errors import DataError
from zoo.core.image_files import read_picture
from zoo.core.images import Fit, fitted
from zoo.data import folder_cache
from zoo.data.folder_reader import Reading, images_of

NAMED = 5  # files that a message names


def why_no_pairs(path: str | None, a: str | None, b: str | None) -> str:
    """Return what keeps folders from being pairs by the names of their files alone.

    Args:
        path: A folder of pictures that hold both sides, or None.
        a: A folder, or None.
        b: The folder with the other sides, or None.

    Returns:
        The reason, or an empty string, also where a folder does not exist: that is reported as it is read.
    """
    if path is not None and (a is not None or b is not None):
        return "expected `path`, or `a` and `b`, received both"
    if path is None and (a is None or b is None):
        missing = "b" if a is not None else "a"
        return f"'{missing}' is missing: two folders a and b with the same file names, or one `path` of double images"
    if path is not None:
        return ""
    folders = [Path(str(one)).expanduser() for one in (a, b)]
    if not all(folder.is_dir() for folder in folders):
        return ""
    names = [_by_name(folder) for folder in folders]
    for (own, other), folder in zip((names, names[::-1]), folders[::-1], strict=True):
        if alone := sorted(own.keys() - other.keys()):
            more = f" and {len(alone) - NAMED:,} more" if len(alone) > NAMED else ""
            shown = ", ".join(own[name].name for name in alone[:NAMED])
            what = f"{len(alone):,} of {len(own):,} images have no partner of the same name in {folder}: {shown}{more}"
            return f"{what}. Sets that nothing pairs are the source 'folders'"
    return ""


def _by_name(folder: Path) -> dict[str, Path]:
    """Return the images of a folder by their path in it without the suffix. Raises DataError for one name twice."""
    found: dict[str, Path] = {}
    for file in images_of(folder):
        name = file.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise DataError(f"data source 'pairs': {found[name]} and {file} differ in their suffix alone")
        found[name] = file
    return found


def read_pairs(
    path: str | None, a: str | None, b: str | None, height: int, width: int, fit: Fit
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[Reading, Reading]]:
    """Read pairs of images, both fitted alike, so that what lay on each other does so afterwards.

    Args:
        path: A folder of pictures that hold `a` on the left and `b` on the right, or None.
        a: A folder, or None.
        b: The folder with the other sides, or None.
        height: Rows wanted.
        width: Columns wanted.
        fit: The way to that size, see `zoo.core.images.fitted`.

    Returns:
        uint8 [N, height, width, 3] of a and of b in the order of the names, and the account of each.

    Raises:
        DataError: A folder is missing or empty, a file has no partner, a picture cannot be read, or two of a pair have
            different proportions.
    """
    if text := why_no_pairs(path, a, b):
        raise DataError(f"data source 'pairs': {text}")
    roots = [Path(str(one)).expanduser().absolute() for one in ((path,) if path is not None else (a, b))]
    for root in roots:
        if not root.is_dir():
            raise DataError(f"data source 'pairs': there is no folder {root}")
    files = [_by_name(root) for root in roots]
    if not files[0]:
        raise DataError(f"data source 'pairs': no image in {roots[0]}")

    def read() -> tuple[np.ndarray, dict[str, Any]]:
        images = np.empty((2, len(files[0]), height, width, 3), np.uint8)
        sides = _halves(files[0]) if path is not None else _partners(*files)
        for at, pair in enumerate(sides):
            images[:, at] = [fitted(pixels[None], height, width, fit)[0] for pixels in pair]
        return images, {}

    all_files = [file for one in files for file in one.values()]
    images, _ = folder_cache.kept(roots, all_files, {"pairs": True, "size": [height, width], "fit": fit}, read)
    first, last = (Reading(str(root), len(files[0]), 0, {}) for root in (roots[0], roots[-1]))
    return (images[0], images[1]), (first, last)


def _halves(files: dict[str, Path]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for file in files.values():
        pixels = read_picture(file).pixels  # [H, W, 3]
        half, odd = divmod(pixels.shape[1], 2)
        if odd:
            size = f"{pixels.shape[0]} x {pixels.shape[1]}"
            raise DataError(f"data source 'pairs': {file}: two halves of equal width are expected, received {size}")
        yield pixels[:, :half], pixels[:, half:]


def _partners(of_a: dict[str, Path], of_b: dict[str, Path]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for name, file in of_a.items():
        one, other = (read_picture(found).pixels for found in (file, of_b[name]))
        if one.shape[0] * other.shape[1] != one.shape[1] * other.shape[0]:
            sizes = " and ".join(f"{pixels.shape[0]} x {pixels.shape[1]}" for pixels in (one, other))
            raise DataError(
                f"data source 'pairs': {file} and {of_b[name]} are {sizes}: a pair has the same proportions"
            )
        yield one, other
