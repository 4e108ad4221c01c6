"""Pixels of the user's own pictures, kept in the cache folder: a second start opens no picture.

    pictures (path, size, time), target size, fit, versions  ->  a key  ->  folders/<what>-<key>.npy and .json

Both files are written whole, the small one last: it stands for a complete pair. The pixels are mapped into memory, not
read. A picture that was added, removed, renamed or written again gives another key, and the earlier pair is deleted.
"""

from __future__ import annotations

import functools
import hashlib
import json
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.core.errors import DiskFullError
from zoo.core.files import write_whole
from zoo.core.host import cache_folder
from zoo.core.image_files import max_pixels

VERSION = 1  # of the way from a file to pixels
LEAST = 8 * 2**20  # bytes of all files; fewer are read in a moment, and not kept
Pixels = tuple[np.ndarray, dict[str, Any]]  # and what JSON can hold of the account of the files


def kept(roots: Sequence[Path], files: Sequence[Path], how: Mapping[str, Any], read: Callable[[], Pixels]) -> Pixels:
    """Return what `read` returns, from the cache if it was read before and no file has changed.

    Args:
        roots: The folders, which name the pictures in messages.
        files: All files on which the result depends, in order.
        how: What it depends on besides, as JSON can hold it: the size, the fit.
        read: Returns uint8 [..., H, W, 3] and an account that JSON can hold.

    Returns:
        The pixels, which cannot be written to where they come from the cache, and the account.

    Raises:
        Exception: Whatever `read` raises; nothing is kept then.
    """
    size, key = _listing(files)
    if size < LEAST:
        return read()
    what = _digest([[str(root) for root in roots], dict(how)])
    place = cache_folder() / "folders" / f"{what}-{_digest([key, *_versions()])}.npy"
    if (found := _mapped(place)) is not None:
        return found
    pixels, account = read()
    if _listing(files) != (size, key):
        return pixels, account  # a file was written meanwhile: it may be there by half
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, lambda file: np.save(file, pixels), size=pixels.nbytes)
        write_whole(place.with_suffix(".json"), json.dumps(account).encode())
    except (OSError, DiskFullError) as error:
        _say(f"{roots[0]}: its pictures will be read again at the next start: {error}")
        return pixels, account
    for old in {*place.parent.glob(f"{what}-*.*")} - {place, place.with_suffix(".json")}:
        _delete(old)
    return _mapped(place) or (pixels, account)


def _listing(files: Sequence[Path]) -> tuple[int, str]:
    """Return the bytes of all files, and a digest of their paths, sizes and times."""
    total, lines = 0, []
    for file in files:
        try:
            facts = file.stat()
        except OSError:  # a link to nothing, which is no picture
            lines.append([str(file), -1, -1])
            continue
        total += facts.st_size
        lines.append([str(file), facts.st_size, facts.st_mtime_ns])
    return total, _digest(lines)


def _versions() -> list[Any]:
    """List what decides how a file becomes pixels, besides the file."""
    from PIL import __version__

    return [VERSION, __version__, max_pixels()]


def _digest(facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]


def _mapped(place: Path) -> Pixels | None:
    """Return a pair of files; None where there is none, or a damaged one."""
    try:
        account = json.loads(place.with_suffix(".json").read_bytes())
        return np.asarray(np.load(place, mmap_mode="r")), account  # a plain array: indexing is faster
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):  # NumPy tells formats apart by their first bytes
        return None


def _delete(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:  # in use, on Windows
        _say(f"{path} is of pictures that have changed, and cannot be deleted: {error}")


@functools.cache  # once, however many sets are read
def _say(text: str) -> None:
    print(text, file=sys.stderr)
