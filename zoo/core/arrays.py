"""Arrays: the alias for annotations, rows, blocks of rows, and .npz files that hold JSON facts beside their arrays."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo.core.files import write_whole

Array = np.ndarray[Any, np.dtype[Any]]
META = "meta"  # the array of an .npz file that holds JSON


def evenly_spaced(rows: Array, n: int) -> Array:
    """Return at most `n` rows, evenly spaced from the first to the last: neighbours in a data set are often alike.

    Args:
        rows: [N, ...].
        n: The number of rows wanted.

    Returns:
        [min(n, N), ...], in the order of `rows`.
    """
    return rows[np.linspace(0, len(rows) - 1, min(n, len(rows))).round().astype(int)]


def growing_blocks(start: int, stop: int, largest: int) -> Iterator[tuple[int, int]]:
    """Yield the blocks of 1, 1, 2, 4, ..., `largest`, `largest`, ... rows that hold rows `start` to `stop`.

    A row's block and its place in it follow from the row's number, never from `start` or `stop`.

    Args:
        start: The first row.
        stop: The row after the last.
        largest: The rows of a full block, 1 or more.

    Yields:
        (first row, rows) of each block.
    """
    at = 0
    while at < stop:
        size = min(max(at, 1), largest)
        if size == largest:
            at += max(start - at, 0) // size * size  # skips the blocks that end before `start`
        if at + size > start:
            yield at, size
        at += size


def repeat_ends(rows: Array, before: int, after: int) -> Array:
    """Pad rows with copies of the first and the last.

    Args:
        rows: [n, ...], one row or more.
        before: The number of copies of the first row, in front of it.
        after: The number of copies of the last row, behind it.

    Returns:
        [before + n + after, ...]
    """
    if not (before or after):
        return rows
    return np.concatenate([rows[:1].repeat(before, axis=0), rows, rows[-1:].repeat(after, axis=0)])


def save_arrays(path: Path, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> None:
    """Write arrays and facts about them as one .npz file, aside and then renamed: a reader never sees half a file.

    Args:
        path: The file; its folder is created where it is missing.
        arrays: The arrays by the names that they get in the file; none is called "meta".
        meta: The facts, which JSON must be able to express.

    Raises:
        DiskFullError: There is too little space; an earlier file is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {META: np.array(json.dumps(dict(meta))), **arrays}
    size = sum(array.nbytes for array in content.values())
    write_whole(path, lambda file: np.savez(file, **content), size=size)  # type: ignore[arg-type]


def load_arrays(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Read a file of `save_arrays`; nothing is unpickled. For a damaged file NumPy, zipfile and json raise many errors.

    Args:
        path: The file.

    Returns:
        The arrays by name, and the facts.
    """
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files if name != META}, dict(json.loads(str(file[META])))


def load_meta(path: Path) -> dict[str, Any]:
    """Read only the facts of a file of `save_arrays`, which takes no longer where the arrays are large.

    Args:
        path: The file.

    Returns:
        The facts.
    """
    with np.load(path, allow_pickle=False) as file:
        return dict(json.loads(str(file[META])))
