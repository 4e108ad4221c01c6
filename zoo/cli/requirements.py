"""What a command makes sure of before it begins: what is installed, where it may write, who may write to stderr."""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path

from zoo.core.errors import UsageError

TRAIN_MODULES = ("keras", "tensorboard")
EXPORT_MODULES = ("tensorflow", "onnx", "tf2onnx")
BACKENDS = ("tensorflow", "jax", "torch")
SERVE_MODULES = ("fastapi", "uvicorn", "prometheus_client")


def can_hold(flag: str, folder: Path) -> None:
    """Raises UsageError when `folder` can be neither made nor replaced."""
    standing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not standing.is_dir():
        raise UsageError(f"{flag}: {standing} is a file; name a folder")
    for path in {standing, standing.parent if standing == folder.absolute() else standing}:
        if not os.access(path, os.W_OK | os.X_OK):
            raise UsageError(f"{flag}: there is no permission to write into {path}")


def backend() -> str:
    """What Keras will compute with: KERAS_BACKEND, else what its own keras.json says. Raises UsageError."""
    chosen, where = os.environ.get("KERAS_BACKEND"), "KERAS_BACKEND"
    if not chosen:
        file = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "keras.json"
        try:
            chosen, where = json.loads(file.read_text("utf-8"))["backend"], f"{file}: backend"
        except (OSError, ValueError, KeyError, TypeError):
            chosen = BACKENDS[0]
    if chosen not in BACKENDS:
        raise UsageError(f"{where} must be one of {', '.join(BACKENDS)}, received '{chosen}'")
    return chosen


def silence() -> None:
    """Send what the frameworks' C++ code writes to nowhere; Python's own stderr stays where it is.

    TensorFlow writes greetings before any log level is read, so the file descriptor itself must be replaced.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", module=r"(tf2onnx|tensorflow|keras|onnx|google)\b.*")
    sys.stderr.flush()
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
