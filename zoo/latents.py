"""The latents that a spec names, drawn with NumPy, and the class ids that go with them."""

from __future__ import annotations

import numpy as np

from zoo import priors
from zoo.spec import Spec
from zoo.spec.types import Part, construct_part


def prior(part: Part) -> priors.Prior:
    """The prior that a spec names."""
    return construct_part(priors.PRIORS, part)


def drawn(spec: Spec, count: int, *, seed: int) -> dict[str, np.ndarray]:
    """Of every latent the same `count` for the same seed, float32 [count, ...], and each class in turn as `label`."""
    latents = spec.sections.latent.items()
    given = {name: prior(part).draw(priors.stream(seed, name), count) for name, part in latents}
    return {**given, "label": np.arange(count) % len(spec.classes)} if spec.classes else given
