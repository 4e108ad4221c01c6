"""`metrics.json` of an artifact: what was measured on the very file that it ships. Standard library only.

    {"fid_10k": {"value": 17.3, "protocol": {"file": "generator.onnx", "file_sha256": ..., "n_fake": 10000, ...}}, ...}

A name carries what changes the scale of its number: how many samples. Whatever else is needed to repeat it stands in
its protocol.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zoo.errors import ServeError
from zoo.manifest import write_whole

FILE = "metrics.json"


@dataclass(frozen=True)
class Score:
    """One number, and how it came about. Raises ServeError for what is no number."""

    value: float
    protocol: Mapping[str, Any]

    def __post_init__(self) -> None:
        if isinstance(self.value, bool) or not isinstance(self.value, int | float) or not math.isfinite(self.value):
            raise ServeError(f"a score must be a finite number, received {self.value!r}")


# in a protocol: what is the model's own, and what was found beside its number; the rest are rules of the measurement
FILES = ("file", "file_sha256", "step")
FOUND = ("of_the_input", "of_the_real", "of_two_halves_of_the_real", "weakest_class", "std", "levels")


def alike(a: Score, b: Score) -> bool:
    """Whether two numbers were measured in the same way."""
    rules = [{key: value for key, value in one.protocol.items() if key not in FILES + FOUND} for one in (a, b)]
    return rules[0] == rules[1]


def read(folder: Path) -> dict[str, Score]:
    """The scores of an artifact by name; none where nothing was measured. Raises ServeError for another file."""
    path = folder / FILE
    try:
        entries = json.loads(path.read_text("utf-8"))
        return {name: Score(entry["value"], entry["protocol"]) for name, entry in entries.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ServeError(f"{path}: not the scores of an artifact: {error}") from error


def write(folder: Path, scores: Mapping[str, Score]) -> Path:
    """Write them, whole or not at all, in the order of their names."""
    entries = {name: asdict(scores[name]) for name in sorted(scores)}
    text = json.dumps(entries, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return write_whole(folder / FILE, text.encode())


def counted(n: int) -> str:
    """10000 -> "10k", 2500 -> "2500": the end of a name."""
    return f"{n // 1000}k" if n % 1000 == 0 else str(n)
