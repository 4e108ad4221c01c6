"""The real examples that a spec names, prepared as its data section says.

The latents that a spec names, drawn with NumPy, and the class ids that go with them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.data import sources
from zoo.data.dataset import Dataset, Domains
from zoo.runtime import priors
from zoo.spec.read import Spec
from zoo.spec.types import Part, construct_part


def load_data(spec: Spec, *, split: Any = None) -> Dataset | Domains:
    """With images of the spec's size if `split` is stated, else as they are held for training. Raises DataError."""
    section = spec.sections.data
    assert section is not None
    return sources.load_dataset(
        section.source.name,
        section.source.args,
        size=section.size if split else section.jitter_from or section.size,
        channels=section.channels,
        fit=section.fit,
        split=split,
    )


def prior_of(part: Part) -> priors.Prior:
    """The prior that a spec names."""
    return construct_part(priors.PRIORS, part)


def draw_inputs(spec: Spec, count: int, *, seed: int) -> dict[str, np.ndarray]:
    """Of every latent the same `count` for the same seed, float32 [count, ...], and each class in turn as `label`."""
    latents = spec.sections.latent.items()
    given = {name: prior_of(part).draw(priors.stream(seed, name), count) for name, part in latents}
    return {**given, "label": np.arange(count) % len(spec.classes)} if spec.classes else given
