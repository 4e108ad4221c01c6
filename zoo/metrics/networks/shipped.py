"""Networks that come with the zoo: an ONNX file, and beside it a .json with its SHA-256 and what was measured on it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from zoo.core.errors import DataError
from zoo.core.files import write_whole
from zoo.runtime.session import Session, open_session

T = TypeVar("T")


def load(file: Path, what: str, measured: Callable[[Any], T]) -> tuple[Session, str, T]:
    """Load a network that is the one on which the numbers beside it were measured.

    Args:
        file: Its ONNX file.
        what: The network in a word, for messages.
        measured: Takes the content of the .json, and returns the numbers.

    Returns:
        The network, ready to run, the SHA-256 of its file, and the numbers.

    Raises:
        DataError: A file is missing or damaged, or the network is another one.
    """
    try:
        facts, content = json.loads(file.with_suffix(".json").read_text("utf-8")), file.read_bytes()
        stated, numbers = str(facts["sha256"]), measured(facts)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{file}: the {what} is not whole ({type(error).__name__}: {error}); install again") from error
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != stated:
        raise DataError(f"{file}: SHA-256 {sha256[:12]}... instead of {stated[:12]}...: install again")
    return open_session(content, source=str(file)), sha256, numbers


def keep(file: Path, content: bytes, numbers: Mapping[str, Any]) -> None:
    """Write a network, and beside it its SHA-256 and what was measured on it, each whole or not at all.

    Args:
        file: Where the ONNX file goes.
        content: Its bytes.
        numbers: What was measured, for the .json.
    """
    facts = {"sha256": hashlib.sha256(content).hexdigest(), **numbers}
    write_whole(file, content)
    write_whole(file.with_suffix(".json"), (json.dumps(facts, indent=2) + "\n").encode())
