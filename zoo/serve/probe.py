"""Warm-up that finds out two things about a network on this machine: its pace, and whether its rows stand alone.

A row's last bits may depend on the size of its batch: matrix kernels choose their order of summation by it (see
`zoo.runtime`). A server that merges requests would then answer differently under load, and differently from
`zoo.load`. So it is tried: batches of many sizes, at other places of a larger one, must give the same bits. All
generators of this zoo do on every processor tried so far; one that does not is served without merging.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from zoo.arrays import Array, row_shape
from zoo.runtime import Generator
from zoo.serve.batching import Feed
from zoo.serve.settings import Settings
from zoo.tensor import Tensor

SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 12, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64)


@dataclass(frozen=True)
class Probe:
    """What was found out: seconds per number of input, the largest batch worth making, whether merging is exact."""

    seconds_per_number: float
    most: int
    merge: bool


def examine(generator: Generator, settings: Settings) -> Probe:
    """Run the network on noise: about thirty slices of work. Raises ServeError for a network that cannot run."""
    one = noise(generator, 1)
    seconds = min(_timed(generator, one)[1] for _ in range(3))  # the first call allocates
    most = max(1, min(settings.max_batch, int(2 * settings.slice_seconds / seconds)))  # rows get cheaper in company
    feed = noise(generator, 2 * most + 1)
    reference, seconds = _timed(generator, feed)
    rows = len(reference)
    pace = seconds / sum(array.size for array in feed.values())
    merge = all(
        np.array_equal(generator(**_rows(feed, at, size)), reference[at : at + size])
        for size in sorted({*SIZES, most})
        if size <= most
        for at in {0, (rows - size) // 2}
    )
    return Probe(pace, most, merge)


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
