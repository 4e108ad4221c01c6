"""Checks before a command begins: packages, writable folders, the backend of Keras, a quiet stderr; and `Failures`."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.core.errors import UsageError, ZooError

TRAIN_MODULES = ("keras", "tensorboard")
EXPORT_MODULES = ("tensorflow", "onnx", "tf2onnx")
BACKENDS = ("tensorflow", "jax", "torch")
SERVE_MODULES = ("fastapi", "uvicorn", "prometheus_client")


def check_writable(flag: str, folder: Path) -> None:
    """Check that `folder` can be made or replaced. Raises UsageError."""
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise UsageError(f"{flag}: {existing} is a file; name a folder")
    for path in {existing, existing.parent if existing == folder.absolute() else existing}:
        if not os.access(path, os.W_OK | os.X_OK):
            raise UsageError(f"{flag}: there is no permission to write into {path}")


def backend() -> str:
    """Return the backend that Keras will use: KERAS_BACKEND, else that of its keras.json. Raises UsageError."""
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
    """Send the messages of the frameworks' C++ code to nowhere; Python's own stderr stays where it is.

    TensorFlow writes greetings before any log level is read, so the file descriptor itself must be replaced.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", module=r"(tf2onnx|tensorflow|keras|onnx|google)\b.*")
    sys.stderr.flush()
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


class Failures:
    """The parts of a command that failed while the others go on: each error is printed once.

    Attributes:
        exit_code: 0 while none has failed, else the largest exit code of the errors.
    """

    def __init__(self) -> None:
        self.exit_code = 0
        self._printed: set[str] = set()

    @contextmanager
    def reported(self) -> Iterator[None]:
        """Print the error that ends the block, and go on after it."""
        try:
            yield
        except ZooError as error:
            self.exit_code = max(self.exit_code, error.exit_code)
            if str(error) not in self._printed:
                print(error, file=sys.stderr)
            self._printed.add(str(error))
