"""The folder of an artifact takes the place of the earlier one, which is kept where it may be worth more.

An export writes into `<out>/.<name>-<random>/` and renames. A process that is killed leaves that folder: the next
export deletes it, and brings an artifact back that was caught between two renames. An export that runs holds the lock
in its folder, and is left alone.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from zoo.artifact.artifact_folders import is_artifact
from zoo.artifact.claim_results import CLAIMS_FOLDER
from zoo.artifact.manifest import read_manifests
from zoo.artifact.scores import SCORES_FILE, SEEDS_FILE
from zoo.core.errors import ServeError
from zoo.core.files import sync

LOCK, OLD = "lock", ".old"
YOUNG_SECONDS = 60.0  # a folder without a lock may be one that another process has just made


@contextmanager
def folder_aside(out: Path, name: str) -> Iterator[Path]:
    """Make an empty folder <out>/.<name>-<random>/<name> in which to write an artifact; it is deleted at the end.

    Args:
        out: The folder of artifacts, which is made where it is missing.
        name: The name of the artifact.

    Yields:
        The folder.
    """
    out.mkdir(parents=True, exist_ok=True)
    remove_leftovers(out, name)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=out) as aside, ExitStack() as stack:
        with suppress(OSError):  # some network file systems have no locks
            stack.enter_context(FileLock(Path(aside) / LOCK, timeout=0))
        folder = Path(aside) / name
        folder.mkdir()
        yield folder


def remove_leftovers(out: Path, name: str) -> None:
    """Delete the folders that killed exports left, after an artifact in them is back in its place.

    Args:
        out: The folder of artifacts, which need not exist.
        name: The name of the artifact.
    """
    for aside in sorted(out.glob(f".{name}-*")):
        if aside.is_dir() and not _in_use(aside):
            for old in aside.glob(f"*{OLD}"):
                _retire(old, out / old.name.removesuffix(OLD))
            shutil.rmtree(aside, ignore_errors=True)


def _in_use(aside: Path) -> bool:
    """Return True for the folder of an export that still runs."""
    if not (aside / LOCK).exists():
        return time.time() - aside.stat().st_mtime < YOUNG_SECONDS
    try:
        with FileLock(aside / LOCK, timeout=0):
            return False
    except (Timeout, OSError):
        return True


def replace_folder(new: Path, target: Path) -> Path | None:
    """Put a finished folder in its place; the earlier one is deleted only when the new one stands there.

    Args:
        new: The folder of an artifact that is complete.
        target: Its place, perhaps with an earlier artifact.

    Returns:
        The folder in which the earlier artifact is kept, or None where it was deleted or there was none. It is kept
        where it has scores, claims or seeds, was trained on more images, or is not an artifact that can be read.
    """
    for file in new.iterdir():
        sync(file)
    sync(new)
    old = new.with_name(f"{target.name}{OLD}")
    try:
        if target.exists():
            target.rename(old)
        new.rename(target)
    except BaseException:  # Ctrl-C too
        if old.exists() and not target.exists():
            old.rename(target)
        raise
    sync(target.parent)
    return _retire(old, target) if old.exists() else None


def _retire(old: Path, target: Path) -> Path | None:
    """Put the earlier artifact back where nothing stands in its place, keep it beside that, or delete it."""
    if not target.exists():
        old.rename(target)
        return None
    if not _worth_keeping(old, target):
        shutil.rmtree(old, ignore_errors=True)
        return None
    names = (f"{target.name}.previous{f'-{number}' if number > 1 else ''}" for number in itertools.count(1))
    previous = next(path for path in map(target.with_name, names) if not path.exists())
    old.rename(previous)
    return previous


def _worth_keeping(old: Path, new: Path) -> bool:
    if any((old / name).exists() for name in (SCORES_FILE, SEEDS_FILE, CLAIMS_FOLDER)):
        return True
    try:
        return not is_artifact(old) or _images(old) > _images(new)
    except (ServeError, TypeError):
        return True  # of a later version, or damaged: nobody knows what it is worth


def _images(folder: Path) -> int:
    """Return the images that D was shown in the training of an artifact."""
    return int(read_manifests(folder)[0].weights.get("images", 0))
