"""Arrays: the alias for annotations, evenly spaced rows, and .npz files that hold JSON facts beside their arrays."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

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


def save_arrays(path: Path, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> None:
    """Write arrays and facts about them as one .npz file, aside and then renamed: a reader never sees half a file.

    Args:
        path: The file; its folder is created where it is missing.
        arrays: The arrays by the names that they get in the file; none is called "meta".
        meta: The facts, which JSON must be able to express.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        with aside.open("wb") as file:
            np.savez(file, **{META: np.array(json.dumps(dict(meta)))}, **arrays)  # type: ignore[arg-type]
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


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
