"""What the measures on features take for a set: real numbers [N, D], a row for each sample.

Whatever is small enough for float64 is taken, float16 and uint8 too: the measures convert before they square.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]
LARGEST = 1e50  # its sixth power, which KID's kernel takes, is still a float64


def check(measure: str, *sets: Array, least: int = 1) -> None:
    """Sets [N, D] of one D, `least` samples or more in each, all numbers finite. Raises DataError."""
    kinds = " and ".join(f"{a.dtype} {list(a.shape)}" for a in sets)
    shaped = all(a.ndim == 2 and a.shape[1] == sets[0].shape[1] > 0 and a.dtype.kind in "fiu" for a in sets)
    if not shaped:
        raise DataError(f"{measure} takes sets of features [N, D] with one and the same D, received {kinds}")
    if min(len(a) for a in sets) < least:
        raise DataError(f"{measure} needs {least} samples or more in each set, received {kinds}")
    ends = [float(end) for a in sets for end in (a.min(), a.max())]  # NumPy's min and max hand a NaN on
    if not all(abs(end) < LARGEST for end in ends):
        raise DataError(f"{measure} takes finite features, received NaN, infinity or numbers beyond {LARGEST:g}")
