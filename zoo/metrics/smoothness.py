"""Smoothness of walks through latent space (Radford et al. 2015, section 6.1): sharp jumps mean memorised images.

The paper looks at pictures; the number is this zoo's own definition. Walk on even steps in latent space, take features
(or pixels) of what is generated, and compare the largest step of each path with that path's mean step. A smooth
generator has a floor above 1, since it need not move evenly, but one that settles as the steps get finer; a jump
grows with the number of steps. Name features, steps and latents beside the number.
"""

from __future__ import annotations

import numpy as np

from zoo.core.arrays import Array
from zoo.core.errors import DataError


def largest_jump(features: Array) -> float:
    """Compute the largest step of each path over its mean step, averaged over the paths; own definition.

    Args:
        features: numbers [P, S, D] of P paths at S places, S at least 3.

    Returns:
        The ratio, 1..S - 1, lower is better: 1 for even steps along any curve, S - 1 for paths that stand still but
        for one jump.

    Raises:
        DataError: for other shapes or dtypes, NaN, infinity, or a path that stands still: it has no mean step.
    """
    if features.ndim != 3 or features.dtype.kind not in "fiu" or features.shape[1] < 3 or not features.size:
        received = f"{features.dtype} {list(features.shape)}"
        raise DataError(f"a walk takes features [P, S, D] of paths with 3 places or more, received {received}")
    if not np.isfinite(features).all():
        raise DataError("a walk takes finite features, received NaN or infinity")
    steps = np.linalg.norm(np.diff(features.astype(np.float64), axis=1), axis=2)  # [P, S - 1]
    mean = steps.mean(axis=1)  # [P]
    if not mean.all():
        raise DataError(f"path {int(mean.argmin())} of {len(mean)} stands still: without a step there is no ratio")
    return float((steps.max(axis=1) / mean).mean())
