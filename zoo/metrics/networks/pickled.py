"""Checkpoints of weights that are pickled dictionaries of NumPy arrays, read without running anything in them."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from zoo.core.errors import DataError

Weights = Mapping[str, Any]
# errors of what is unpickled but is another network
ODD = (pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError, AttributeError, IndexError)
_KNOWN = (("numpy.core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype"))


def read_pickled(checkpoint: Path, what: str) -> Weights:
    """Read a dictionary of arrays, and of further dictionaries.

    Args:
        checkpoint: The pickle.
        what: What it should be, for the message of an error.

    Returns:
        The dictionary.

    Raises:
        DataError: It is something else, or asks for anything but arrays.
    """
    try:
        with checkpoint.open("rb") as file:
            weights: Weights = _Unpickler(file).load()
    except ODD as error:
        raise DataError(f"{checkpoint}: not {what}: {error}") from error
    return weights


class _Unpickler(pickle.Unpickler):
    """Reads dictionaries of arrays, and refuses everything else."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, encoding="latin1")

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _KNOWN:
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")
