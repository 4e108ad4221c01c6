"""A run is trained by one process at a time: a second one would set its folder aside, or write over its checkpoint."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.errors import UsageError

try:
    import fcntl
except ImportError:  # Windows: nobody is kept out
    fcntl = None  # type: ignore[assignment]


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep others from the run in `folder`, which need not exist. The system frees it however the process ends.

    Raises UsageError when another process has it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("a+") as file:  # beside it: the folder itself may be set aside
        if fcntl:
            _take(file.fileno(), folder)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _take(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        process = os.pread(descriptor, 20, 0).decode() or "another process"
        raise UsageError(
            f"{folder}: being trained by process {process}; wait for it, stop it, or choose another folder with --runs"
        ) from error
    except OSError:
        pass  # some network file systems have no locks
