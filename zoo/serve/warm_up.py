"""Warm-up that finds out two things about a network on this machine: its pace, and whether its rows stand alone.

A row's last bits may depend on the size of its batch: matrix kernels choose their order of summation by it (see
`zoo.runtime`). A server that merges requests would then answer differently under load, and differently from
`zoo.load`. So it is tried: batches of many sizes, from two places of a larger one, must give the same bits. Most
generators of this zoo do from one row on; `progressive` has a row that runs alone summed in another order, and batches
from two rows on agree. What lies below that is never merged, and what lies above may be.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from zoo.artifact.tensor import Tensor
from zoo.core.arrays import Array
from zoo.runtime.generator import Generator
from zoo.runtime.inputs import row_shape
from zoo.serve.batching import Feed
from zoo.serve.settings import Settings

GAPLESS = 8  # up to here every size is tried
SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 12, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64)


@dataclass(frozen=True)
class Probe:
    """What was found out: seconds per number of input, the largest batch worth making, the smallest that may merge.

    A `least` above `most` means that no size agrees with another: requests up to `most` rows run by themselves, as
    `zoo.load` runs them, and the last bits of larger ones, which are cut, may move.
    """

    seconds_per_number: float
    most: int
    least: int


def examine(generator: Generator, settings: Settings) -> Probe:
    """Run the network on noise: about thirty slices of work. Raises ServeError for a network that cannot run."""
    one = noise(generator, 1)
    seconds = min(_timed(generator, one)[1] for _ in range(3))  # the first call allocates
    most = max(1, min(settings.max_batch, int(2 * settings.slice_seconds / seconds)))  # rows get cheaper in company
    feed = noise(generator, 2 * most + 1)
    reference, seconds = _timed(generator, feed)
    rows = len(reference)
    pace = seconds / sum(array.size for array in feed.values())
    apart = [
        size
        for size in sorted({*SIZES, most})
        if size <= max(most, 2)  # two rows, even where batches are not worth making
        for at in {0, (rows - size) // 2}
        if not np.array_equal(generator(**_rows(feed, at, size)), reference[at : at + size])
    ]
    least = apart[-1] + 1 if apart else 1
    return Probe(pace, most, least if least <= min(most, GAPLESS) else most + 1)


def _timed(generator: Generator, feed: Feed) -> tuple[Array, float]:
    start = time.perf_counter()
    output = generator(**feed)
    return output, time.perf_counter() - start


def noise(generator: Generator, n: int) -> Feed:
    """`n` rows of uniform noise for every input: any images, latents and classes, all of them allowed."""
    random = np.random.RandomState(0)
    return {name: _noise(tensor, n, random) for name, tensor in generator.inputs.items()}


def _noise(tensor: Tensor, n: int, random: np.random.RandomState) -> Array:
    shape = (n, *row_shape(tensor, {axis: rule["trained"] for axis, rule in (tensor.sizes or {}).items()}))
    if tensor.classes:
        return random.randint(len(tensor.classes), size=shape).astype(tensor.dtype)
    low, high = tensor.range or (-1.0, 1.0)
    return random.uniform(low, high, size=shape).astype(tensor.dtype)


def _rows(feed: Feed, start: int, size: int) -> Feed:
    return {name: array[start : start + size] for name, array in feed.items()}
