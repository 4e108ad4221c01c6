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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from zoo.core.errors import ServeError
from zoo.core.files import write_whole

SCORES_FILE = "metrics.json"


@dataclass(frozen=True)
class Score:
    """One number and the protocol of its measurement. Raises ServeError for a value that is not a finite number."""

    value: float
    protocol: Mapping[str, Any]

    def __post_init__(self) -> None:
        if isinstance(self.value, bool) or not isinstance(self.value, int | float) or not math.isfinite(self.value):
            raise ServeError(f"a score must be a finite number, received {self.value!r}")


# keys of a protocol that name the model, and by-products of the measurement; all others are its rules
FILES = ("file", "file_sha256", "step")
FOUND = ("of_the_input", "of_the_real", "of_two_halves_of_the_real", "weakest_class", "std", "levels")


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
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
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


class MetricInfo(NamedTuple):
    """How a metric is written: its title, which way is better, a format."""

    title: str
    better: str
    form: str


METRICS: Mapping[str, MetricInfo] = {  # by stem, in the order of the table
    "fid": MetricInfo("FID", "lower", ".1f"),
    "kid": MetricInfo("KID", "lower", ".4f"),
    "precision": MetricInfo("precision", "higher", ".3f"),
    "recall": MetricInfo("recall", "higher", ".3f"),
    "density": MetricInfo("density", "1", ".3f"),
    "coverage": MetricInfo("coverage", "higher", ".3f"),
    "conditional_accuracy": MetricInfo("the judge sees the class asked for", "higher", ".1%"),
    "judge_frechet": MetricInfo("Frechet distance of the judge's features", "lower", ".2f"),
    "judge_score": MetricInfo("Inception score's formula on the judge's classes", "higher", ".2f"),
    "swd": MetricInfo("sliced Wasserstein distance x 1000", "lower", ".1f"),
    "memorisation": MetricInfo("distance to the nearest training image (unseen real images: 1)", "1", ".2f"),
    "copies": MetricInfo("share that is nearer to a training image than 99 % of unseen real images", "0.01", ".3f"),
    "walk_jump": MetricInfo("largest step of a latent walk over its mean step", "1", ".1f"),
    "modes": MetricInfo("modes found", "higher", ".0f"),
    "high_quality": MetricInfo("samples within 3 standard deviations of a mode", "0.989", ".1%"),
    "reverse_kl": MetricInfo("reverse KL to the even mixture", "lower", ".3f"),
    "l1": MetricInfo("L1 to the unseen partner", "lower", ".3f"),
    "ssim": MetricInfo("SSIM to the unseen partner", "higher", ".3f"),
    "lpips": MetricInfo("LPIPS to the unseen partner", "lower", ".3f"),
    "cycle_l1": MetricInfo("L1 of there and back", "lower", ".3f"),
}
SPEED = ("ms_per_image", "ms_per_image_of_64")


def stem(name: str) -> str:
    """ "fid_10k" -> "fid", "l1_a_to_b" -> "l1"."""
    return max((key for key in METRICS if name == key or name.startswith(f"{key}_")), key=len, default=name)


def ordered(names: Iterable[str]) -> list[str]:
    """In the order of the table; what it does not know comes last."""
    order = {key: i for i, key in enumerate(METRICS)}
    return sorted((name for name in names if name not in SPEED), key=lambda n: (order.get(stem(n), 99), n))


def format_score(name: str, value: float) -> str:
    """A value as tables show it."""
    kind = METRICS.get(stem(name))
    return format(value, kind.form if kind else ".4g")


def rounding(name: str) -> float:
    """Half a unit of the last digit that tables show: what rounding may hide."""
    form = METRICS[stem(name)].form if stem(name) in METRICS else ".4f"
    return 0.5 * 10.0 ** -int(form[1]) * (0.01 if form.endswith("%") else 1.0)


SEEDS_FILE = "seeds.json"


class SeedResult(NamedTuple):
    """The result of a recipe with one seed: the step, SHA-256 and scores of the file that was exported."""

    seed: int
    step: int
    file_sha256: str
    scores: Mapping[str, float]


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
        return [SeedResult(**entry) for entry in json.loads(path.read_text("utf-8"))]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        raise ServeError(f"{path}: not the seeds of an artifact: {error}") from error


def dump_seeds(results: Sequence[SeedResult]) -> str:
    """Return the text of seeds.json.

    Args:
        results: One result for each seed.

    Returns:
        Indented JSON that ends with a newline.
    """
    return json.dumps([result._asdict() for result in results], indent=2, allow_nan=False) + "\n"
