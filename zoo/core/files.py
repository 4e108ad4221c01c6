from __future__ import annotations

import hashlib
import os
from pathlib import Path


def write_whole(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write aside, then rename: a reader sees the old file or the new one, never half of one."""
    target = Path(path)
    aside = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
    try:
        aside.write_bytes(data)  # not tempfile: its mode 0600 would lock out a server that runs as another user
        os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)
    return target


def sha256_file(path: str | os.PathLike[str]) -> str:
    """Hex SHA-256 of a file, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
