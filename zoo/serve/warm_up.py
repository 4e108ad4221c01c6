"""Warm-up of a network: measures its speed on this machine, and from which batch size on requests may be merged.

The last bits of a row may depend on the size of its batch: matrix kernels choose their order of summation by it (see
`zoo.runtime`). A server that merges requests would then answer differently under load, and differently from
`zoo.load`. So batches of many sizes, cut from two places of a larger one, are compared with it bit by bit. Most
generators of this zoo agree from one row on; in `progressive` a single row is summed in another order, and batches of
two or more rows agree. Smaller batches than that are never merged, larger ones may be.

A measurement takes seconds, so it is kept in the cache folder (`warm_up/`, $ZOO_DATA moves it) for the same file,
machine, version of ONNX Runtime and settings. Deleting it there measures anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from dataclasses import asdict, dataclass

import numpy as np

from zoo.artifact.tensor import Tensor
from zoo.core.arrays import Array
from zoo.core.files import write_whole
from zoo.core.host import cache_folder, machine_id
from zoo.runtime.generator import Generator
from zoo.runtime.inputs import row_shape
from zoo.runtime.session import import_onnxruntime
from zoo.serve.batching import Feed, packed
from zoo.serve.settings import Settings

GAPLESS = 8  # every size up to here is tried
SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 12, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64)


@dataclass(frozen=True)
class Measurement:
    """Result of the warm-up: seconds per number of input, and the largest and smallest batch (rows) to make.

    A `min_batch` above `max_batch` means that no two sizes agree: requests of up to `max_batch` rows run by
    themselves, as `zoo.load` runs them; larger ones are cut, and their last bits may differ.
    """

    seconds_per_number: float
    max_batch: int
    min_batch: int

    def __post_init__(self) -> None:
        whole = all(type(rows) is int and rows > 0 for rows in (self.max_batch, self.min_batch))
        if not whole or type(self.seconds_per_number) is not float or not 0 < self.seconds_per_number < float("inf"):
            raise ValueError(f"not a measurement: {self}")


def remembered(generator: Generator, settings: Settings) -> Measurement:
    """Return the measurement of a network from the cache, else measure and keep it. Raises ServeError as `measure`.

    A damaged entry is ignored and replaced; where the cache cannot be written, the measurement is not kept.
    """
    sha256 = generator.manifest.files.get(generator.manifest.file_of(generator.precision))
    if sha256 is None:
        return measure(generator, settings)
    facts = (
        1, sha256, machine_id(), import_onnxruntime().__version__, generator.provider,
        settings.threads, settings.max_batch, settings.slice_seconds,
    )  # fmt: skip
    entry = cache_folder() / "warm_up" / f"{hashlib.sha256(repr(facts).encode()).hexdigest()[:32]}.json"
    with contextlib.suppress(OSError, ValueError, TypeError, RecursionError):  # missing, or something else
        kept = Measurement(**json.loads(entry.read_bytes()))
        packed(
            generator.all(**noise(generator, 1))
        )  # raises where it cannot run, and allocates before the first request
        return kept
    found = measure(generator, settings)
    with contextlib.suppress(OSError):
        entry.parent.mkdir(parents=True, exist_ok=True)
        write_whole(entry, json.dumps(asdict(found)).encode())
    return found


def measure(generator: Generator, settings: Settings) -> Measurement:
    """Run the network on noise, for about thirty slices of work. Raises ServeError where it cannot run."""
    one = noise(generator, 1)
    seconds = min(_timed(generator, one)[1] for _ in range(3))  # the first call allocates
    # Twice what one row's time suggests, as a row costs less in a batch
    largest = max(1, min(settings.max_batch, int(2 * settings.slice_seconds / seconds)))
    feed = noise(generator, 2 * largest + 1)
    reference, seconds = _timed(generator, feed)
    rows = len(reference)
    different = [
        size
        for size in sorted({*SIZES, largest})
        if size <= max(largest, 2)  # two rows also where batches are not worth making
        for at in {0, (rows - size) // 2}
        if not np.array_equal(packed(generator.all(**_rows(feed, at, size))), reference[at : at + size])
    ]
    smallest = different[-1] + 1 if different else 1
    if smallest > min(largest, GAPLESS):
        smallest = largest + 1
    return Measurement(seconds / sum(array.size for array in feed.values()), largest, smallest)


def _timed(generator: Generator, feed: Feed) -> tuple[Array, float]:
    start = time.perf_counter()
    output = packed(generator.all(**feed))
    return output, time.perf_counter() - start


def _rows(feed: Feed, start: int, size: int) -> Feed:
    return {name: array[start : start + size] for name, array in feed.items()}


def noise(generator: Generator, n: int) -> Feed:
    """Return `n` rows of uniform noise for every input: images, latents and classes that the network takes."""
    random = np.random.RandomState(0)
    return {name: _tensor_noise(tensor, n, random) for name, tensor in generator.inputs.items()}


def _tensor_noise(tensor: Tensor, n: int, random: np.random.RandomState) -> Array:
    shape = (n, *row_shape(tensor))
    if tensor.ids:
        return random.randint(tensor.ids, size=shape).astype(tensor.dtype)
    low, high = tensor.range or (-1.0, 1.0)
    return random.uniform(low, high, size=shape).astype(tensor.dtype)
