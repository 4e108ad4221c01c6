"""Reads the modules and weights of a TorchScript archive without PyTorch, and runs no code that lies in it.

The archive is a zip: `data.pkl` pickles a tree of modules, each an object with a state, and names its tensors, whose
numbers are plain files below `data/`. Only the few names that such a tree needs may be unpickled.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from zoo.errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]
DTYPES = {"FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8", "DoubleStorage": "<f8"}


class Module:
    """A module of the network: its attributes are its tensors, its settings and the modules below it, in order."""

    @property
    def kind(self) -> str:
        """The name of its class in the network's own code."""
        return type(self).__name__

    def children(self) -> Iterator[tuple[str, Module]]:
        """The modules below it by name, in the order of the code."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value


def read(path: Path) -> Module:
    """The outermost module of the archive. Raises DataError for a file that is none, or asks for something else."""
    try:
        with zipfile.ZipFile(path) as archive:
            (index,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
            root = _Unpickler(archive.open(index), archive, index.removesuffix("data.pkl")).load()
    except (zipfile.BadZipFile, pickle.UnpicklingError, ValueError, KeyError, EOFError) as error:
        raise DataError(f"{path}: not a TorchScript archive that can be read: {error}") from error
    if not isinstance(root, Module):
        raise DataError(f"{path}: holds a {type(root).__name__}, not a module")
    return root


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: IO[bytes], archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(file)
        self._archive, self._folder = archive, folder

    def find_class(self, module: str, name: str) -> Any:
        """Modules become empty classes; tensors are rebuilt here; everything else is refused."""
        if module.startswith("__torch__"):
            return type(name, (Module,), {})
        known = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("torch.jit._pickle", "build_intlist"): list,
            **{("torch", storage): dtype for storage, dtype in DTYPES.items()},
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return known[module, name]

    def persistent_load(self, pid: Any) -> Array:
        """("storage", dtype, key, device, count) -> the numbers, flat."""
        _, dtype, key, _, count = pid
        return np.frombuffer(self._archive.read(f"{self._folder}data/{key}"), dtype, count)


def _tensor(storage: Array, offset: int, shape: Any, strides: Any, *_: Any) -> Array:
    """Strides count numbers; a tensor may be a view on a larger storage."""
    if any(s < 0 for s in (*shape, *strides, offset)):
        raise ValueError(f"a tensor of shape {list(shape)} with strides {list(strides)}")
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    if all(shape) and last >= len(storage):
        raise ValueError(f"a tensor of shape {list(shape)} reaches beyond its {len(storage)} numbers")
    return np.lib.stride_tricks.as_strided(
        storage[offset:], list(shape), [s * storage.itemsize for s in strides], writeable=False
    )
