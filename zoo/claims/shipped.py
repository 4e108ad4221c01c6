"""What claims about an exported model share: the folder that they ask for, and where its weights come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.claims.base import Options
from zoo.errors import UsageError
from zoo.machine import cpu


def artifact_of(options: Options, name: str) -> Path:
    """The folder of the exported model. Raises UsageError without one."""
    folder = options.artifact
    if folder is None or not (folder / "manifest.json").is_file():
        raise UsageError(f"this claim is about an exported model: build {name} first, there is none in {folder}")
    return folder


def provenance(facts: Any) -> str:
    """A manifest's weights in words: which step, seed, machine."""
    step, seed = facts.weights["step"], facts.weights["seed"]
    return (
        f"Weights of step {step:,}, trained with seed {seed} on {facts.training.get('machine', 'an unknown machine')}."
    )


def machine() -> str:
    """What runs an exported model here."""
    return f"{cpu()}, ONNX Runtime"
