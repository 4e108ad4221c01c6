"""Scores of an artifact: numbers that were measured on the very file that it ships. Standard library only.

    metrics.json    {"fid_10k": {"value": 17.3, "protocol": {"file": "generator.onnx", "file_sha256": ...,
                    "n_fake": 10000, ...}}, ...}
    seeds.json      the same recipe with several seeds, and the scores of each

The name of a score carries what changes the scale of its number: how many samples. Everything else that is needed to
repeat the measurement is in its protocol.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from zoo.core.errors import ServeError
from zoo.core.files import write_whole

SCORES_FILE, SEEDS_FILE = "metrics.json", "seeds.json"
SPEED = ("ms_per_image", "ms_per_image_of_64")


@dataclass(frozen=True)
class Score:
    """One number and the protocol of its measurement. Raises ServeError for another value than a finite number."""

    value: float
    protocol: Mapping[str, Any]

    def __post_init__(self) -> None:
        if isinstance(self.value, bool) or not isinstance(self.value, int | float) or not math.isfinite(self.value):
            raise ServeError(f"a score must be a finite number, received {self.value!r}")
        if not isinstance(self.protocol, Mapping):
            raise ServeError(f"the protocol of a score must be an object, received {self.protocol!r}")


# keys of a protocol that name the model, and by-products of the measurement; all others are its rules
FILES = ("file", "file_sha256", "step")
FOUND = ("of_the_input", "of_the_real", "of_two_halves_of_the_real", "weakest_class", "by_label", "std", "levels")


def alike(a: Score, b: Score) -> bool:
    """Return True if two numbers can be compared: their protocols have the same rules.

    Args:
        a: One score.
        b: Another score of the same name.

    Returns:
        False where anything differs but the model and the by-products of the measurement.
    """
    rules = [{key: value for key, value in one.protocol.items() if key not in FILES + FOUND} for one in (a, b)]
    return rules[0] == rules[1]


def read_scores(folder: Path) -> dict[str, Score]:
    """Read the scores of an artifact.

    Args:
        folder: The folder of the artifact.

    Returns:
        Name -> score; empty where nothing was measured.

    Raises:
        ServeError: metrics.json is something else.
    """
    path = folder / SCORES_FILE
    try:
        entries = json.loads(path.read_text("utf-8"))
        return {name: Score(entry["value"], entry["protocol"]) for name, entry in entries.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, ServeError) as error:
        raise ServeError(f"{path}: not the scores of an artifact: {error}") from error


def write_scores(folder: Path, scores: Mapping[str, Score]) -> Path:
    """Write metrics.json, whole or not at all, in the order of the names.

    Args:
        folder: The folder of the artifact.
        scores: All scores by name.

    Returns:
        The path of the file.
    """
    entries = {name: asdict(scores[name]) for name in sorted(scores)}
    text = json.dumps(entries, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return write_whole(folder / SCORES_FILE, text.encode())


def counted(n: int) -> str:
    """Return the end of a score's name: 10000 -> "10k", 2500 -> "2500".

    Args:
        n: How many samples were measured.

    Returns:
        The number, in thousands where it is a multiple of them.
    """
    return f"{n // 1000}k" if n % 1000 == 0 else str(n)


class SeedResult(NamedTuple):
    """The result of a recipe with one seed: the step, SHA-256 and scores of the file that was exported."""

    seed: int
    step: int
    file_sha256: str
    scores: Mapping[str, float]

    def checked(self) -> SeedResult:
        """Return it. Raises TypeError for values of other types."""
        numbers = (self.seed, self.step, *self.scores.values()) if isinstance(self.scores, Mapping) else (None,)
        if not isinstance(self.file_sha256, str) or not all(isinstance(x, int | float) for x in numbers):
            raise TypeError(f"expected seed, step, file_sha256 and scores, received {self}")
        return self


def read_seeds(folder: Path) -> list[SeedResult]:
    """Read the results of the seeds that were tried, the artifact's own among them.

    Args:
        folder: The folder of the artifact.

    Returns:
        One result for each seed; empty where no others were tried.

    Raises:
        ServeError: seeds.json is something else.
    """
    path = folder / SEEDS_FILE
    try:
        return [SeedResult(**entry).checked() for entry in json.loads(path.read_text("utf-8"))]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ServeError(f"{path}: not the seeds of an artifact: {error}") from error


def dump_seeds(results: Sequence[SeedResult]) -> str:
    """Return the text of seeds.json.

    Args:
        results: One result for each seed.

    Returns:
        Indented JSON that ends with a newline.
    """
    return json.dumps([result._asdict() for result in results], indent=2, allow_nan=False) + "\n"
