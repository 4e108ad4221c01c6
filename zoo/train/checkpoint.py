"""Checkpoints, and the lock that keeps a second process from a run.

A checkpoint is everything that a run needs to continue, in one .npz without pickles, replaced in one piece:

    weights, averages, optimizer moments, seeds     arrays by path (`Algorithm.state`)
    meta                                            JSON: step, seconds, machine, ended, data, the spec's document
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from filelock import FileLock, Timeout

from zoo.core.arrays import load_arrays, load_meta, save_arrays
from zoo.core.errors import TrainingError, UsageError
from zoo.core.files import free_space, megabytes, remove_asides
from zoo.spec.folder_paths import without_paths
from zoo.spec.sections import differences
from zoo.train.algorithms.base import Algorithm

FILE = "checkpoint.npz"
WRITTEN = r"[\w.-]+\.npz|.+-\d{7,}\.png"  # checkpoints, best weights, sample sheets


@contextmanager
def lock_run(folder: Path) -> Iterator[None]:
    """Keep other processes from the run in `folder`, which need not exist; a second one would overwrite its files.

    The lock ends with the process, however it ends. It and the process id are files beside the folder, because the
    folder itself may be renamed. What a process that was killed was writing is deleted. Where a file system has no
    locks, nobody is kept out.

    Raises:
        UsageError: When the run is being trained already.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    owner = folder.with_name(f".{folder.name}.pid")
    with ExitStack() as stack:
        try:
            stack.enter_context(FileLock(folder.with_name(f".{folder.name}.lock"), timeout=0))
        except Timeout as error:
            process = owner.read_text("utf-8") if owner.exists() else "another process"
            raise UsageError(
                f"{folder}: being trained by process {process}; "
                "wait for it, stop it, or choose another folder with --runs"
            ) from error
        except OSError:
            pass  # some network file systems have no locks
        owner.write_text(str(os.getpid()), "utf-8")
        stack.callback(owner.unlink, missing_ok=True)
        remove_asides(folder, WRITTEN)
        yield


@dataclass(frozen=True)
class Progress:
    """The state of a run: steps made, seconds they took, the machine of the last ones, and why they ended.

    `data` are the facts of the user's own images, see `zoo.train.own_images`; empty for other data.
    """

    step: int
    seconds: float
    machine: str
    ended: str = "interrupted"
    data: dict[str, Any] = field(default_factory=dict)


def save(path: Path, algorithm: Algorithm, progress: Progress, document: Mapping[str, Any]) -> None:
    """Write a checkpoint of `algorithm`, whose spec has the resolved `document`.

    Raises:
        TrainingError: For NaN and infinity; an earlier checkpoint then stays.
    """
    arrays = {name: keras.ops.convert_to_numpy(variable.value) for name, variable in algorithm.state().items()}
    logged = algorithm.only_logged()
    for name, array in arrays.items():
        if not _sound(array.astype("float32") if array.dtype.kind not in "fiub" else array, logged=name in logged):
            raise TrainingError(f"'{name}' is not finite after step {progress.step}")
    save_arrays(path, arrays, {**asdict(progress), "document": document})


def check_space(folder: Path, algorithm: Algorithm, *, resumed: bool) -> None:
    """Check that the disk has space for the checkpoint and the best weights of a run, each beside its earlier one.

    Args:
        folder: The folder of the run, which need not exist.
        algorithm: What is to be trained.
        resumed: True where the files in the folder are of this run, and will be replaced.

    Raises:
        UsageError: It has too little.
    """
    copy = 4 * sum(math.prod(variable.shape) for variable in algorithm.state().values())
    own = (folder / FILE, folder / "best.npz") if resumed else ()
    there = sum(path.stat().st_size for path in own if path.is_file())
    needed, free = max(3 * copy - there, 0), free_space(folder)  # the best weights are a part of a checkpoint
    if free < needed:
        raise UsageError(
            f"{folder}: the disk has {megabytes(free)} free; the checkpoints of this training need "
            f"{megabytes(needed)}. Free some space, or choose a folder on another disk with --runs"
        )


def load(path: Path, algorithm: Algorithm, document: Mapping[str, Any]) -> Progress:
    """Read a checkpoint into the variables of `algorithm`, whose spec has the resolved `document`.

    Raises:
        TrainingError: When the file is damaged or belongs to another spec; no variable has changed then.
    """
    hint = "Start over without --resume"
    with refuse_damaged(path, "checkpoint", hint):
        arrays, meta = load_arrays(path)
        made_with = dict(meta["document"])
        progress = Progress(
            int(meta["step"]), float(meta["seconds"]), str(meta["machine"]), str(meta["ended"]),
            dict(meta.get("data", {})),
        )  # fmt: skip
    if progress.data:  # the pixels are compared, wherever they are
        made_with, document = without_paths(made_with), without_paths(document)
    if different := differences(made_with, document):
        raise TrainingError(f"{path}: made with another spec: {', '.join(different)} changed. {hint}")
    algorithm.begin(max(progress.step - 1, 0))  # the stage in which it was written, where a later one begins now
    state = algorithm.state()
    shapes = {name: tuple(variable.shape) for name, variable in state.items()}
    if misfit := _misfit(arrays, shapes, algorithm.only_logged()):
        raise TrainingError(f"{path}: does not fit the networks: {misfit}. {hint}")
    for name, variable in state.items():
        variable.assign(arrays[name])
    return progress


def reached(path: Path) -> int:
    """Return the step of a checkpoint.

    Args:
        path: The file, which need not exist.

    Returns:
        The number of steps made; 0 without a readable checkpoint.
    """
    try:
        return int(load_meta(path)["step"])
    except Exception:  # decoders of broken files raise almost anything; `load` reports what it is
        return 0


@contextmanager
def refuse_damaged(path: Path, content: str, hint: str) -> Iterator[None]:
    """Turn every error of reading a file of arrays into one line: that it is not a readable `content`, why, a hint.

    Raises:
        TrainingError: For any exception of the block.
    """
    try:
        yield
    except Exception as error:  # decoders of broken files raise almost anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise TrainingError(f"{path}: not a readable {content}: {reason}. {hint}") from error


def _misfit(arrays: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]], logged: Collection[str]) -> str:
    """Return the first difference between a checkpoint's arrays and the networks at hand, or an empty string."""
    for name, shape in shapes.items():
        if name not in arrays:
            return f"it lacks '{name}'"
        if arrays[name].shape != shape:
            return f"'{name}' is {list(arrays[name].shape)}, expected {list(shape)}"
        if not _sound(arrays[name], logged=name in logged):
            return f"'{name}' is not finite"
    return next((f"'{name}' is unknown" for name in arrays if name not in shapes), "")


def _sound(array: np.ndarray, *, logged: bool) -> bool:
    """Return whether all numbers are finite, or not known yet: what is only logged is NaN until it is computed."""
    known = array[~np.isnan(array)] if logged else array
    return bool(np.isfinite(known).all())
