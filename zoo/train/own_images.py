"""The user's own images in a run: what was read is printed, kept in the checkpoint, and the same when a run goes on."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.core.errors import TrainingError
from zoo.data.dataset import Dataset, Domains


def print_readings(name: str, dataset: Dataset | Domains | None) -> None:
    """Print on stderr what was read of each folder and left out, and what makes a training with it doubtful."""
    for part in dataset.parts.values() if dataset else ():
        if part.reading:
            print(f"{name}: {part.reading.text}", file=sys.stderr)
            for warning in part.reading.warnings:
                print(f"{name}: warning: {warning}", file=sys.stderr)


def record(dataset: Dataset | Domains) -> dict[str, Any]:
    """Return the facts of the user's own images for a checkpoint: `counts` and `fingerprint`; empty for other data."""
    return {"counts": dataset.counts, "fingerprint": dataset.fingerprint} if dataset.counts else {}


def check_same(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Check that a run goes on with the images that it began with.

    Args:
        path: The checkpoint.
        before: Its `record`; empty in checkpoints that have none, which are accepted.
        now: That of the images at hand.

    Raises:
        TrainingError: They are others.
    """
    if not before or before["fingerprint"] == now.get("fingerprint"):
        return
    counts = [_count(facts.get("counts", {})) for facts in (before, now)]
    what = "the pixels differ" if counts[0] == counts[1] else f"it had {counts[0]}, there are {counts[1]} now"
    raise TrainingError(f"{path}: made with other images: {what}. Bring them back, or start over without --resume")


def _count(counts: Mapping[str, Any]) -> str:
    """Return the number of images, of two sets as "10 and 12"."""
    sets = [counts] if "images" in counts else list(counts.values())
    return " and ".join(f"{one['images']:,}" for one in sets)
