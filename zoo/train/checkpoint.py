"""A run is trained by one process at a time: a second one would set its folder aside, or write over its checkpoint.

Checkpoints: everything that a run needs to go on, in one .npz without pickles, replaced in one piece.

weights, averages, optimizer moments, seeds     arrays by path (`Algorithm.state`)
meta                                            JSON: step, seconds, the spec's document
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.core.errors import TrainingError, UsageError
from zoo.spec.sections import differences
from zoo.train.algorithms.base import Algorithm

try:
    import fcntl
except ImportError:  # Windows: nobody is kept out
    fcntl = None  # type: ignore[assignment]


@contextmanager
def lock_run(folder: Path) -> Iterator[None]:
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


FILE = "checkpoint.npz"
META = "meta"


@dataclass(frozen=True)
class Progress:
    """How far a run is: steps made, seconds they took, on what machine the last were made, and why they ended."""

    step: int
    seconds: float
    machine: str
    ended: str = "interrupted"


def save(path: Path, algorithm: Algorithm, progress: Progress, document: Mapping[str, Any]) -> None:
    """Write the checkpoint aside, then rename it. Raises TrainingError, and writes nothing, for NaN and infinity."""
    arrays = {name: keras.ops.convert_to_numpy(variable.value) for name, variable in algorithm.state().items()}
    for name, array in arrays.items():
        if not np.isfinite(array.astype("float32") if array.dtype.kind not in "fiub" else array).all():
            raise TrainingError(f"'{name}' is not finite after step {progress.step}")
    meta = json.dumps({**dataclasses.asdict(progress), "document": document})
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with aside.open("wb") as file:
            np.savez(file, **{META: np.array(meta)}, **arrays)  # type: ignore[arg-type]
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def load(path: Path, algorithm: Algorithm, document: Mapping[str, Any]) -> Progress:
    """Put a checkpoint back. Raises TrainingError when it is damaged or of a run with another spec."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        meta = json.loads(str(arrays.pop(META)))
        made_with = dict(meta.pop("document"))
        progress = Progress(int(meta["step"]), float(meta["seconds"]), str(meta["machine"]), str(meta["ended"]))
    except Exception as error:  # decoders of broken files raise almost anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise TrainingError(f"{path}: not a readable checkpoint: {reason}. Start over without --resume") from error
    different = differences(made_with, document)
    if different:
        raise TrainingError(
            f"{path}: made with another spec: {', '.join(different)} changed. Start over without --resume"
        )
    algorithm.begin(max(progress.step - 1, 0))  # the stage in which it was written, where a later one begins now
    state = algorithm.state()
    if misfit := _misfit(arrays, {name: tuple(variable.shape) for name, variable in state.items()}):
        raise TrainingError(f"{path}: does not fit the networks: {misfit}. Start over without --resume")
    for name, variable in state.items():
        variable.assign(arrays[name])
    return progress


def reached(path: Path) -> int:
    """The step of a checkpoint; 0 where there is none that can be read."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return int(json.loads(str(file[META]))["step"])
    except Exception:  # decoders of broken files raise almost anything; `load` says which
        return 0


def _misfit(arrays: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]) -> str:
    """The first thing in which a checkpoint's arrays and the networks at hand differ, or an empty string."""
    for name, shape in shapes.items():
        if name not in arrays:
            return f"it lacks '{name}'"
        if arrays[name].shape != shape:
            return f"'{name}' is {list(arrays[name].shape)}, expected {list(shape)}"
        if not np.isfinite(arrays[name]).all():
            return f"'{name}' is not finite"
    return next((f"'{name}' is unknown" for name in arrays if name not in shapes), "")
