"""The user's own images in a run: what was read is printed, kept in the checkpoint, and the same when a run goes on.

So are the pictures that a game reads by their paths.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from zoo.core.errors import TrainingError
from zoo.data.dataset import Dataset, Domains
from zoo.train.checkpoint import Progress


def print_readings(name: str, dataset: Dataset | Domains | None) -> None:
    """Print on stderr what was read of each folder and left out, and what makes a training with it doubtful."""
    for part in dataset.parts.values() if dataset else ():
        if part.reading:
            print(f"{name}: {part.reading.text}", file=sys.stderr)
            for warning in part.reading.warnings:
                print(f"{name}: warning: {warning}", file=sys.stderr)


def checked(
    path: Path, progress: Progress, dataset: Dataset | Domains | None, pictures: Mapping[str, str], *, finished: bool
) -> Progress:
    """Return the progress of a run with the record of its images: number and SHA-256 of the pixels, files left out.

    Args:
        path: The checkpoint.
        progress: Read from it, or that of a new run; older checkpoints have no record, and are accepted.
        dataset: The images at hand.
        pictures: The SHA-256 of the pixels of each picture of the game, by its name there.
        finished: There are no steps left, so that the images do not matter.

    Raises:
        TrainingError: The run is to go on with other images than it began with.
    """
    before, now = progress.data, _record(dataset, pictures)
    if finished or not before or before["fingerprint"] == now.get("fingerprint"):
        return replace(progress, data=before or now)
    counts = [_count(facts.get("counts", {})) for facts in (before, now)]
    what = "the pixels differ" if counts[0] == counts[1] else f"it had {counts[0]}, there are {counts[1]} now"
    raise TrainingError(f"{path}: made with other images: {what}. Bring them back, or start over without --resume")


def _record(dataset: Dataset | Domains | None, pictures: Mapping[str, str]) -> dict[str, Any]:
    if dataset is None or not (dataset.counts or pictures):
        return {}
    shown = {"pictures": dict(pictures)} if pictures else {}
    return {"counts": dataset.counts, "fingerprint": {**dataset.fingerprint, **shown}}


def _count(counts: Mapping[str, Any]) -> str:
    """Return the number of images, of two sets as "10 and 12"; empty where there are none but a game's pictures."""
    sets = [counts] if "images" in counts else list(counts.values())
    return " and ".join(f"{one['images']:,}" for one in sets)
