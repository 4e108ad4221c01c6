"""`seeds.json` of an artifact: what became of its recipe with other seeds, so that luck can be told from quality.

[{"seed": 0, "step": 5661, "file_sha256": ..., "scores": {"fid_10k": 16.1, ...}}, ...]
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import NamedTuple

from zoo.card import numbers
from zoo.errors import ServeError

FILE = "seeds.json"


class Trial(NamedTuple):
    """The recipe with one seed: after which step its file, of that hash, had which scores."""

    seed: int
    step: int
    file_sha256: str
    scores: Mapping[str, float]


def read(folder: Path) -> list[Trial]:
    """All that were tried, the artifact's own seed among them; none if none. Raises ServeError for another file."""
    path = folder / FILE
    try:
        return [Trial(**entry) for entry in json.loads(path.read_text("utf-8"))]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        raise ServeError(f"{path}: not the seeds of an artifact: {error}") from error


def dumps(trials: Sequence[Trial]) -> str:
    """The text of the file."""
    return json.dumps([trial._asdict() for trial in trials], indent=2, allow_nan=False) + "\n"


def chapter(name: str, trials: Sequence[Trial]) -> str:
    """Mean and standard deviation (of the sample) of every score of artifact `name`; empty for a single seed."""
    if len(trials) < 2:
        return ""
    head = ["metric", "mean", "sd", *(f"seed {trial.seed}" for trial in trials)]
    lines = [head, ["---"] * len(head)]
    for metric in numbers.ordered(trials[0].scores):
        values = [trial.scores[metric] for trial in trials]
        lines.append([f"`{metric}`", *(numbers.written(metric, x) for x in (fmean(values), stdev(values), *values))])
    steps = ", ".join(f"{trial.step:,}" for trial in trials)
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    build = f"zoo build exported/{name}/spec.yaml --seed 1 --steps {trials[-1].step} --out seed1"
    gather = f"zoo report exported/{name} --seeds seed1/{name}"
    return (
        f"## Other seeds\n\nThe same recipe, trained once for each seed (steps: {steps}), as with `{build}`, "
        f"`zoo evaluate seed1/{name}` and `{gather}`:\n\n{table}"
    )
