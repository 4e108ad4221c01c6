"""Batches whose order is a pure function of (seed, step): a run that resumes sees what it would have seen.

All randomness is raw Philox output, which numpy keeps the same in all versions (its `permutation` it does not).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

import numpy as np

from zoo.data.dataset import Dataset
from zoo.data.prepare import scale
from zoo.errors import DataError

_ORDER, _FLIP = 0, 1  # separate streams of one seed


def _bits(count: int, *, seed: int, index: int, stream: int) -> np.ndarray:
    """uint64 [count], a pure function of its arguments."""
    key = np.array([seed % 2**64, index], np.uint64)
    return np.random.Philox(key=key, counter=np.array([0, 0, 0, stream], np.uint64)).random_raw(count)


@lru_cache(maxsize=4)  # the epoch at hand, for as many data sets as an algorithm mixes
def _permutation(count: int, seed: int, epoch: int) -> np.ndarray:
    order = np.argsort(_bits(count, seed=seed, index=epoch, stream=_ORDER), kind="stable")
    order.flags.writeable = False  # it is shared by all who ask
    return order


def batch_indices(count: int, batch_size: int, *, seed: int, step: int) -> np.ndarray:
    """int64 [batch_size]: the items of batch `step`. Each epoch is a new permutation; its remainder is dropped.

    Raises DataError if the batch size is not within 1..count.
    """
    if not 1 <= batch_size <= count:
        raise DataError(f"batch_size must be within 1..{count}, the number of items. Received: {batch_size}")
    epoch, batch = divmod(step, count // batch_size)
    return _permutation(count, seed, epoch)[batch * batch_size : (batch + 1) * batch_size]


class Batches:
    """`batches[step]` is what training step `step` consumes; there is no last step.

    A dict of arrays: "image" float32 [draws, B, H, W, C] in `range` (or "point" float32 [draws, B, 2] as it is), and
    "label" int64 [draws, B] where the data has labels. Draw d of step s is batch s * draws + d.

    draws    batches of one step (WGAN-GP's critic takes 5).
    flip     mirror each image left to right with probability 1/2.
    extra    `extra(step)` returns further arrays of the step, such as latents; their names must be new.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        batch_size: int,
        draws: int = 1,
        seed: int = 0,
        range: tuple[float, float] = (-1.0, 1.0),
        flip: bool = False,
        extra: Callable[[int], Mapping[str, np.ndarray]] | None = None,
    ) -> None:
        batch_indices(len(dataset), batch_size, seed=seed, step=0)  # a wrong batch size is said now, not at step 0
        if draws < 1:
            raise DataError(f"draws must be at least 1. Received: {draws}")
        if flip and dataset.images is None:
            raise DataError(f"flip belongs to images; '{dataset.name}' holds points")
        self.dataset, self.batch_size, self.draws, self.seed = dataset, batch_size, draws, seed
        self.range, self.flip, self.extra = range, flip, extra

    @property
    def steps_per_epoch(self) -> int:
        """Steps after which each item was seen about once; at least 1."""
        return max(1, len(self.dataset) // (self.batch_size * self.draws))

    def __getitem__(self, step: int) -> dict[str, np.ndarray]:
        data, count = self.dataset, self.draws * self.batch_size
        first = step * self.draws
        draws = [
            batch_indices(len(data), self.batch_size, seed=self.seed, step=first + draw) for draw in range(self.draws)
        ]
        indices = np.stack(draws)  # [draws, B]
        items = data.items[indices]  # [draws, B, ...]
        if self.flip:
            mirrored = _bits(count, seed=self.seed, index=step, stream=_FLIP).reshape(indices.shape) >> 63 == 1
            items[mirrored] = items[mirrored][:, :, ::-1]  # [M, H, W, C], width reversed
        batch = {data.field: items if data.images is None else scale(items, self.range)}
        if data.labels is not None:
            batch["label"] = data.labels[indices]
        more = self.extra(step) if self.extra else {}
        if clash := batch.keys() & more.keys():
            raise ValueError(f"extra arrays must have names of their own; {sorted(clash)} are taken")
        return {**batch, **more}

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        """All steps from 0 on, without end."""
        step = 0
        while True:
            yield self[step]
            step += 1
