"""Files written whole or not at all, what a killed process left of them, the room on the disk, and their SHA-256."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from zoo.core.errors import DiskFullError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_ASIDE = re.compile(r"\.(.+)\.[0-9a-f]+")  # the name of a file that is being written: .NAME.<hexadecimal>


def write_whole(
    path: str | os.PathLike[str], data: bytes | Callable[[BinaryIO], object], *, size: int | None = None
) -> Path:
    """Write a file beside its place, then rename it: readers see the old file or the new one, never half of one.

    The bytes are on the disk before the file gets its name, so that a crash of the machine cannot leave an empty file.

    Args:
        path: Where the file goes; its folder must exist. An old file there is replaced.
        data: All its bytes, or a function that writes them into an open file.
        size: About how many bytes a function writes, for the message of a full disk.

    Returns:
        `path`.

    Raises:
        DiskFullError: There is too little space; the old file is as it was.
    """
    target = Path(path)
    aside = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
    try:
        with aside.open("wb") as file:  # not tempfile: its mode 0600 would lock out a server that runs as another user
            if isinstance(data, bytes):
                file.write(data)
            else:
                data(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, target)
        sync(target.parent)
    except OSError as error:
        aside.unlink(missing_ok=True)  # its bytes count as free
        if error.errno not in _FULL:
            raise
        needed = len(data) if isinstance(data, bytes) else size
        stands = "the earlier file stands as it was" if target.exists() else "nothing was written"
        raise DiskFullError(
            f"{target}: the disk is full: {f'{megabytes(needed)} needed, ' if needed else ''}"
            f"{megabytes(free_space(target))} free; {stands}"
        ) from error
    finally:
        aside.unlink(missing_ok=True)
    return target


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk.

    Args:
        path: A file or a folder. Where the system cannot do it, as for folders on Windows, nothing happens.
    """
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno in _FULL:
            raise
    finally:
        os.close(handle)


def remove_asides(folder: Path, names: str) -> None:
    """Delete what processes that were killed while they wrote a file left beside it.

    Nobody may be writing there: the caller holds the lock of the folder.

    Args:
        folder: A folder, which need not exist.
        names: A regular expression of the names of the files that are written there; others are left alone.
    """
    if folder.is_dir():
        for path in folder.iterdir():
            if (match := _ASIDE.fullmatch(path.name)) and re.fullmatch(names, match[1]) and path.is_file():
                path.unlink(missing_ok=True)


def free_space(path: Path) -> int:
    """Return the bytes that are free on the disk of a path, which need not exist.

    Args:
        path: A file or a folder, now or later.

    Returns:
        Bytes.
    """
    place = path.absolute()
    return shutil.disk_usage(next(folder for folder in (place, *place.parents) if folder.exists())).free


def megabytes(count: int) -> str:
    """Return a number of bytes in words: 21300000 -> "21.3 MB".

    Args:
        count: Bytes.

    Returns:
        Megabytes with one decimal, gigabytes from a thousand on, kilobytes below one.
    """
    if count >= 1e9:
        return f"{count / 1e9:,.1f} GB"
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def sha256_file(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file, which is read in pieces.

    Args:
        path: The file.

    Returns:
        64 lower-case hexadecimal digits.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
