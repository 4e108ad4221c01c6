"""Stacked MNIST: the number of 1,000 modes that a generator of three digits, one in each channel, finds.

Unrolled GAN (Metz et al. 2016, section 3.3.1) and VEEGAN (Srivastava et al. 2017, section 4.2): a classifier of digits
reads each channel, a mode is a triple of digits that was seen at least once. 25,600 or 26,000 samples. Even a perfect
sampler's histogram is uneven: its reverse KL has a floor of about (modes - 1) / (2 N), 0.0195 nats at N = 25,600, and
it finds all 1,000. The classifier sets a ceiling, and finds digits in noise: report its accuracy and confidence.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zoo.core.arrays import Array
from zoo.core.errors import DataError

SAMPLES, CHANNELS = 25_600, 3


class StackedModes(NamedTuple):
    """`found` of classes^3 modes; `reverse_kl` of the samples' histogram to the even one, nats, 0..3 ln classes."""

    found: int
    reverse_kl: float


def stacked_modes(ids: Array, *, classes: int = 10) -> StackedModes:
    """Count the triples of digits that a generator finds (Metz et al. 2016, section 3.3.1).

    Args:
        ids: class ids of the three channels of each sample, integers [N, 3] in 0..classes - 1.
        classes: the number of classes of a channel.

    Returns:
        Modes found (0..classes^3, higher is better) and the KL divergence of the samples' histogram to the even one
        (nats, lower is better; its floor is about (classes^3 - 1) / (2 N)).

    Raises:
        DataError: for other shapes or dtypes, no samples, or ids that are not classes.
    """
    if ids.ndim != 2 or ids.shape[1] != CHANNELS or not len(ids) or ids.dtype.kind not in "iu":
        raise DataError(f"stacked modes takes class ids [N, {CHANNELS}], received {ids.dtype} {list(ids.shape)}")
    if not 0 <= ids.min() <= ids.max() < classes:
        raise DataError(f"class ids lie in 0..{classes - 1}, received {ids.min()}..{ids.max()}")
    modes = classes**CHANNELS
    counts = np.bincount(ids.astype(np.int64) @ classes ** np.arange(CHANNELS), minlength=modes)  # [modes]
    share = counts[counts > 0] / len(ids)
    return StackedModes(len(share), float((share * np.log(share * modes)).sum()))
