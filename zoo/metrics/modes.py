"""Modes of a mixture of Gaussians, by VEEGAN's protocol (Srivastava et al. 2017): 2,500 samples, 3 standard deviations.

A sample is of high quality when its distance to the nearest centre is at most `within` standard deviations; it belongs
to that centre, and a mode is found when at least one such sample belongs to it. A perfect sampler in the plane has a
share of 1 - exp(-within^2 / 2) = 98.89 % at 3, not the 99.7 % of one dimension.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zoo.core.arrays import Array
from zoo.core.errors import DataError

SAMPLES = 2_500


class Modes(NamedTuple):
    """`found` of the mixture's modes, `high_quality` share of the samples in 0..1, `reverse_kl` in nats, 0..ln M."""

    found: int
    high_quality: float
    reverse_kl: float


def coverage(points: Array, centres: Array, std: float, *, within: float = 3.0) -> Modes:
    """Count the modes that samples find, and their samples (Srivastava et al. 2017, section 4.1).

    Args:
        points: samples, floats [N, D], D = 2 in the paper.
        centres: means of the mixture, [M, D], all equally likely.
        std: the standard deviation of each Gaussian along each axis.
        within: how many standard deviations from a centre are of high quality; the border belongs to it.

    Returns:
        Modes found (0..M, higher is better), the share of high quality (0..1; a perfect sampler has 0.989 in the plane)
        and the KL divergence of the modes of these samples to the even mixture (nats, 0..ln M, lower is better), ln M
        where no sample is of high quality.

    Raises:
        DataError: for other shapes, empty arrays, NaN or infinity.
    """
    if points.ndim != 2 or centres.ndim != 2 or points.shape[1] != centres.shape[1] or not len(points) * len(centres):
        raise DataError(f"modes takes points [N, D] and centres [M, D], received {points.shape} and {centres.shape}")
    if not np.isfinite(points).all():
        raise DataError("modes takes finite points, received NaN or infinity")
    between = points[:, None].astype(np.float64) - centres  # [N, M, D]
    distance = np.sqrt((between**2).sum(axis=-1))  # [N, M]
    good = distance.min(axis=1) <= within * std  # [N]
    counts = np.bincount(distance.argmin(axis=1)[good], minlength=len(centres))  # [M]
    share = counts[counts > 0] / max(counts.sum(), 1)
    reverse_kl = float((share * np.log(share * len(centres))).sum()) if counts.any() else float(np.log(len(centres)))
    return Modes(int((counts > 0).sum()), float(good.mean()), reverse_kl)
