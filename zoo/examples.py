"""The real examples that a spec names, prepared as its data section says."""

from __future__ import annotations

from typing import Any

from zoo import data
from zoo.data import Dataset, Domains
from zoo.spec import Spec


def load(spec: Spec, *, split: Any = None) -> Dataset | Domains:
    """With images of the spec's size if `split` is stated, else as they are held for training. Raises DataError."""
    section = spec.sections.data
    assert section is not None
    return data.load(
        section.source.name,
        section.source.args,
        size=section.size if split else section.jitter_from or section.size,
        channels=section.channels,
        fit=section.fit,
        split=split,
    )
