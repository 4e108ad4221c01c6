"""Do two curves rise and fall together?"""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]


def spearman(a: Array, b: Array) -> float:
    """Spearman's rank correlation of two curves [N], in -1..1; equal values share the mean of their ranks.

    Raises DataError for fewer than 3 points, or for a curve that is constant: it has no order.
    """
    if a.ndim != 1 or a.shape != b.shape or len(a) < 3:
        raise DataError(f"a rank correlation takes two curves of 3 points or more, received {a.shape} and {b.shape}")
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        raise DataError("a constant curve has no rank correlation")
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def _ranks(values: Array) -> Array:
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)  # the highest rank of each distinct value
    return (last - (counts - 1) / 2)[where]
