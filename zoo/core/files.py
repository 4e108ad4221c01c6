"""Files written whole or not at all, and their SHA-256."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def write_whole(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write a file beside its place, then rename it: readers see the old file or the new one, never half of one.

    Args:
        path: Where the file goes; its folder must exist. An old file there is replaced.
        data: All its bytes.

    Returns:
        `path`.
    """
    target = Path(path)
    aside = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
    try:
        aside.write_bytes(data)  # not tempfile: its mode 0600 would lock out a server that runs as another user
        os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)
    return target


def sha256_file(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file, which is read in pieces.

    Args:
        path: The file.

    Returns:
        64 lower-case hexadecimal digits.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
