"""Kernel distance of two sets of features (Binkowski et al. 2018, section 4), in float64.

The unbiased square of the maximum mean discrepancy with k(x, y) = (x.y / D + 1)^3: how far the first three moments of
the two sets are apart. "KID" is the mean of it over 100 pairs of subsets of 1,000 samples each, for the 2,048 features
of one Inception network, often reported x 1,000; with other features or sizes it is another scale. Unlike a Frechet
distance it has no bias for few samples, so its floor is 0 and equal distributions score about 0, as often below as
above. One set against itself is slightly negative: samples meet themselves across the sets but not within them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zoo.core.arrays import Array
from zoo.core.errors import DataError
from zoo.metrics import distances


class Kid(NamedTuple):
    """Mean and standard deviation (of the population of subsets) of the unbiased squared MMD; no unit."""

    value: float
    std: float


def kid(a: Array, b: Array, *, subsets: int = 100, size: int = 1_000, seed: int = 0) -> Kid:
    """Compute KID (Binkowski et al. 2018, section 4) of two sets of features.

    Args:
        a: features [N, D], N at least `size`.
        b: features [M, D], M at least `size`.
        subsets: the number of pairs of subsets.
        size: samples of a subset, 2 or more. A subset holds no sample twice, two subsets may share some.
        seed: of the subsets; the same seed gives the same number.

    Returns:
        Mean and standard deviation over the subsets; no unit, lower is better, floor 0.

    Raises:
        DataError: for sets that are not features [N, D], that are too small, or no subsets.
    """
    distances.check("KID", a, b)
    if subsets < 1 or size < 2:
        raise DataError(f"KID takes 1 subset or more of 2 samples or more, received {subsets} of {size}")
    if min(len(a), len(b)) < size:
        raise DataError(f"KID draws subsets of {size} different samples, received sets of {len(a)} and {len(b)}")
    random = np.random.RandomState(seed)
    values = np.array(
        [squared_mmd(*(x[random.choice(len(x), size, replace=False)] for x in (a, b))) for _ in range(subsets)]
    )
    return Kid(float(values.mean()), float(values.std()))


def squared_mmd(a: Array, b: Array) -> float:
    """Compute the unbiased squared MMD of features [N, D] and [M, D], N and M at least 2: no sample meets itself."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    return _mean_of_pairs(_kernel(a, a)) + _mean_of_pairs(_kernel(b, b)) - 2 * float(_kernel(a, b).mean())


def _kernel(a: Array, b: Array) -> Array:
    k = a @ b.T / a.shape[1] + 1  # [N, M]
    return k * k * k


def _mean_of_pairs(kernel: Array) -> float:
    n = len(kernel)
    return float(kernel.sum() - kernel.trace()) / (n * (n - 1))
