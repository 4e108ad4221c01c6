"""A folder of the user's pictures -> pixels, and an account of every file: read, left out, or broken.

Links to folders are followed, loops aside; hidden files and folders are not looked at. The content decides what is an
image; a file called .png (`SUFFIXES`) that is not one counts as broken, not as left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from zoo.core.errors import DataError
from zoo.core.image_files import FORMAT_WORDS, is_image, range_warning, read_picture
from zoo.core.images import Fit, fitted
from zoo.data import folder_cache

SUFFIXES = {
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff", ".avif",
    ".jp2", ".j2k", ".jpf", ".jpx",
}  # fmt: skip
NAMED = 24  # broken files that a message names
FEW = 200  # images, below which a GAN learns them by heart


@dataclass(frozen=True)
class Reading:
    """An account of a folder that was read.

    Attributes:
        folder: Its absolute path.
        images: Number of images that are used.
        classes: Number of classes; 0 without sub-folders.
        left_out: Files that are not images: suffix, or "no suffix" -> number.
        broken: Number of broken images that were left out.
        highest: The largest number in files of 16-bit grey, 0..65535; None where there are none.
    """

    folder: str
    images: int
    classes: int
    left_out: Mapping[str, int]
    broken: int = 0
    highest: int | None = None

    @property
    def counts(self) -> dict[str, Any]:
        """The numbers for the manifest: `images`, and `classes`, `left_out` and `broken` where they are not 0."""
        more = {"classes": self.classes, "left_out": dict(self.left_out), "broken": self.broken}
        return {"images": self.images, **{key: value for key, value in more.items() if value}}

    @property
    def text(self) -> str:
        """One line: the folder, its images and classes, and the files that were left out."""
        return f"{self.folder}: {counts_text(self.counts)}"

    @property
    def warnings(self) -> list[str]:
        """One line for each thing that makes a training with these images doubtful."""
        found = [f"{self.folder}: {note}"] if self.highest is not None and (note := range_warning(self.highest)) else []
        if self.images < FEW:
            found.append(f"{self.folder}: {_number(self.images, 'image')} will be learnt by heart; use thousands")
        return found


def counts_text(counts: Mapping[str, Any]) -> str:
    """Return the account of a folder in words.

    Args:
        counts: `Reading.counts`.

    Returns:
        Such as "112 images, 3 classes; 5 files left out (.txt: 3, .svg: 2); 1 broken file left out".
    """
    parts = [_number(counts["images"], "image")]
    if classes := counts.get("classes"):
        parts[0] += ", 1 class" if classes == 1 else f", {classes} classes"
    if left_out := counts.get("left_out"):
        kinds = ", ".join(f"{suffix}: {number:,}" for suffix, number in left_out.items())
        parts.append(f"{_number(sum(left_out.values()), 'file')} left out ({kinds})")
    if broken := counts.get("broken"):
        parts.append(f"{_number(broken, 'broken file')} left out")
    return "; ".join(parts)


def count_images(path: str, most: int) -> int:
    """Count the images of a folder by their names and headers, without unpacking any.

    Args:
        path: A folder that exists.
        most: The count ends there, so that it is quick for a folder of any size.

    Returns:
        At most `most`.
    """
    root = Path(path).expanduser()
    return sum(1 for _ in islice(_images(root), most))


def classes_in(path: str) -> tuple[str, ...]:
    """Return the names of the sub-folders of a folder that hold images, sorted: its classes.

    Args:
        path: A folder that exists.

    Returns:
        The names; empty where all images are in the folder itself.

    Raises:
        DataError: There are images beside such sub-folders.
    """
    root = Path(path).expanduser().absolute()
    entries = [entry for entry in sorted(root.iterdir()) if not entry.name.startswith(".")]
    names = tuple(entry.name for entry in entries if entry.is_dir() and next(_images(entry), None) is not None)
    if names and any(entry.is_file() and _is_image_file(entry) for entry in entries):
        raise DataError(f"data source 'folder': {_both(root, names[0])}")
    return names


def images_of(path: Path) -> list[Path]:
    """Return the images of a folder and of its sub-folders, in the order of their paths.

    Args:
        path: A folder that exists.
    """
    return sorted(_images(path))


def _images(folder: Path) -> Iterator[Path]:
    return (file for file in _files(folder, (), []) if _is_image_file(file))


def _is_image_file(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES or _begins_as_image(file)


def _both(root: Path, name: str) -> str:
    return f"images both in {root} and in its sub-folders ({name}, ...): classes: false takes them all as one set"


def read_folder(
    path: str, height: int, width: int, fit: Fit, *, skip_broken: bool, classes: bool = True, alpha: bool = False
) -> tuple[np.ndarray, list[str], Reading]:
    """Read all images of a folder; each is fitted as it is read, so that only the final pixels are held.

    Args:
        path: The folder.
        height: Rows wanted.
        width: Columns wanted.
        fit: The way to that size, see `zoo.core.images.fitted`.
        skip_broken: Leave out images that cannot be read, in place of an error that names them.
        classes: Sub-folders are classes.
        alpha: Keep what is transparent.

    Returns:
        uint8 [N, height, width, 3], or 4 with `alpha`, in the order of the paths, for each image the sub-folder of
        `path` that it is in (an empty string for none), and the account.

    Raises:
        DataError: The folder is missing, holds no image, holds images beside sub-folders of images, or broken images.
    """
    root = Path(path).expanduser().absolute()
    if not root.is_dir():
        raise DataError(f"data source 'folder': there is no folder {root}")
    problems: list[str] = []
    files = sorted(_files(root, (), problems))

    def read() -> tuple[np.ndarray, dict[str, Any]]:
        images, owners, reading = _read(root, files, problems, (height, width), fit, skip_broken, classes, alpha)
        return images, {"owners": owners, "reading": asdict(reading)}

    if problems:  # a folder that cannot be listed has more files than are known
        images, account = read()
    else:
        how = {"size": [height, width], "fit": fit, "skip_broken": skip_broken, "classes": classes, "alpha": alpha}
        images, account = folder_cache.kept([root], files, how, read)
    return images, account["owners"], Reading(**account["reading"])


def _read(
    root: Path, found: list[Path], problems: list[str], size: tuple[int, int], fit: Fit, skip_broken: bool,
    classes: bool, alpha: bool,
) -> tuple[np.ndarray, list[str], Reading]:  # fmt: skip
    left_out: Counter[str] = Counter()
    files = []
    for file in found:
        if _is_image_file(file):
            files.append(file)
        else:
            left_out[file.suffix.lower() or "no suffix"] += 1
    owners = [file.relative_to(root).parts[0] if classes and file.parent != root else "" for file in files]
    if "" in owners and (folders := sorted(set(owners) - {""})):
        raise DataError(f"data source 'folder': {_both(root, folders[0])}")
    images = np.empty((len(files), *size, 4 if alpha else 3), np.uint8)
    kept: list[str] = []
    highest: int | None = None
    for file, owner in zip(files, owners, strict=True):
        try:
            picture = read_picture(file, alpha=alpha)
        except DataError as error:
            problems.append(str(error))
            continue
        images[len(kept)] = fitted(picture.pixels[None], *size, fit)[0]
        kept.append(owner)
        if picture.highest is not None:
            highest = max(highest or 0, picture.highest)
    if problems and not skip_broken:
        raise DataError(f"data source 'folder': {_broken(root, problems)}")
    counts = dict(left_out.most_common())
    reading = Reading(str(root), len(kept), len(set(kept) - {""}), counts, len(problems), highest)
    if not kept:
        others = reading.text.partition("; ")[2]
        raise DataError(f"data source 'folder': no image ({FORMAT_WORDS}) in {root}{others and f'; {others}'}")
    return images[: len(kept)], kept, reading


def _files(folder: Path, above: tuple[Path, ...], problems: list[str]) -> Iterator[Path]:
    """Iterate over the files of a folder and of its sub-folders, links to folders too, but for hidden ones."""
    real = folder.resolve()
    if real in above:  # a link to a folder that it is in
        return
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        problems.append(f"{folder} cannot be read: {error.strerror}")
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _files(entry, (*above, real), problems)
        elif entry.is_file() or entry.is_symlink():
            yield entry


def _begins_as_image(file: Path) -> bool:
    return file.is_file() and is_image(file)


def _broken(root: Path, problems: list[str]) -> str:
    """Name broken files: a single one in the line itself, several in a line each."""
    if len(problems) == 1:
        return f"{problems[0]}; skip_broken: true leaves it out"
    more = [f"and {len(problems) - NAMED:,} more"] if len(problems) > NAMED else []
    head = f"{len(problems):,} files in {root} cannot be read; skip_broken: true leaves them out"
    return "\n  ".join([head, *problems[:NAMED], *more])


def _number(count: int, word: str) -> str:
    return f"{count:,} {word}" + ("" if count == 1 else "s")
