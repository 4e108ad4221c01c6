"""Checkpoints: everything that a run needs to go on, in one .npz without pickles, replaced in one piece.

weights, averages, optimizer moments, seeds     arrays by path (`Algorithm.state`)
meta                                            JSON: step, seconds, the spec's document
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.algorithms import Algorithm
from zoo.errors import TrainingError

META = "meta"
# what may change when a run goes on: how long it is, what is shown, and how it leaves
FREE = ("steps", "budget", "picture_every_steps", "checkpoint_every_seconds", "xla")
FREE_SECTIONS = ("title", "about", "paper", "deviations", "training", "export", "spec_version")


@dataclass(frozen=True)
class Progress:
    """How far a run is: steps made, seconds of training they took."""

    step: int
    seconds: float


def save(path: Path, algorithm: Algorithm, progress: Progress, document: Mapping[str, Any]) -> None:
    """Write the checkpoint aside, then rename it. Raises TrainingError, and writes nothing, for NaN and infinity."""
    arrays = {name: keras.ops.convert_to_numpy(variable.value) for name, variable in algorithm.state().items()}
    for name, array in arrays.items():
        if not np.isfinite(array.astype("float32") if array.dtype.kind not in "fiub" else array).all():
            raise TrainingError(f"'{name}' is not finite after step {progress.step}")
    meta = json.dumps({"step": progress.step, "seconds": progress.seconds, "document": document})
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
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise TrainingError(f"{path}: not a readable checkpoint: {error}. Start over without --resume") from error
    different = differences(meta["document"], document)
    if different:
        raise TrainingError(
            f"{path}: made with another spec: {', '.join(different)} changed. Start over without --resume"
        )
    state = algorithm.state()
    if state.keys() != arrays.keys() or any(tuple(v.shape) != arrays[k].shape for k, v in state.items()):
        raise TrainingError(f"{path}: does not fit the networks of this version. Start over without --resume")
    for name, variable in state.items():
        variable.assign(arrays[name])
    return Progress(meta["step"], meta["seconds"])


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The sections and training knobs that make two specs different runs."""
    sections = [
        key for key in sorted(old.keys() | new.keys()) if key not in FREE_SECTIONS and old.get(key) != new.get(key)
    ]
    a, b = old.get("training") or {}, new.get("training") or {}
    knobs = [f"training.{k}" for k in sorted(a.keys() | b.keys()) if k not in FREE and a.get(k) != b.get(k)]
    return sections + knobs
