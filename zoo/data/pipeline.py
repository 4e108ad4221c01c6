"""Batches whose order is a pure function of (seed, step): a resumed run gets the batches that it would have got.

All randomness is raw Philox output, which NumPy keeps the same in all versions, unlike its `permutation`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np

from zoo.core.errors import DataError
from zoo.core.images import from_uint8
from zoo.data.caption_draws import CaptionDraws
from zoo.data.dataset import Dataset, Domains

_ORDER, _FLIP, _WINDOW, _STREAMS = range(4)  # separate streams of one seed; the second domain has the next ones
_WORDS = 2**32  # the stream of captions


def _bits(count: int, *, seed: int, index: int, stream: int) -> np.ndarray:
    """Return uint64 [count], a pure function of the arguments."""
    key = np.array([seed % 2**64, index], np.uint64)
    return np.random.Philox(key=key, counter=np.array([0, 0, 0, stream], np.uint64)).random_raw(count)


@lru_cache(maxsize=4)  # the current epoch of as many sets of items as an algorithm mixes
def _permutation(count: int, seed: int, epoch: int, domain: int) -> np.ndarray:
    order = np.argsort(_bits(count, seed=seed, index=epoch, stream=_ORDER + domain * _STREAMS), kind="stable")
    order.flags.writeable = False  # all callers share it
    return order


def batch_indices(count: int, batch_size: int, *, seed: int, step: int, domain: int = 0) -> np.ndarray:
    """Return the items of batch `step`. Each epoch is a new permutation, whose remainder is dropped.

    Args:
        count: Number of items.
        batch_size: Items of a batch.
        seed: Seed of the run.
        step: Number of the batch, from 0.
        domain: Number of the set of items; each has orders of its own.

    Returns:
        Indices, int64 [batch_size].

    Raises:
        DataError: The batch size is not within 1..count.
    """
    if not 1 <= batch_size <= count:
        raise DataError(f"batch_size must be within 1..{count}, the number of items. Received: {batch_size}")
    epoch, batch = divmod(step, count // batch_size)
    return _permutation(count, seed, epoch, domain)[batch * batch_size : (batch + 1) * batch_size]


class Batches:
    """The input of every training step: `batches[step]` for any step from 0 on.

    Each is a dict of arrays: "image" float32 [draws, B, H, W, C] in `range`, or "point" float32 [draws, B, 2] in its
    own units; labels, int64 [draws, B], under their names; and of data with captions `text`, `full_text` and
    `wrong_text`, int32 [draws, B, longest], new ones at each draw. Of two domains they are "a" and "b": pairs of one
    order, window and mirroring, or each with its own. Draw d of step s is batch s * draws + d.

    Args:
        dataset: The data.
        batch_size: Items of a batch, B.
        draws: Batches of one step (WGAN-GP's critic takes 5).
        seed: Seed of the order, the windows and the mirroring.
        range: Values of black and white.
        flip: Mirror each image left to right with probability 1/2.
        window: (height, width) of a random window of each image, new at each draw (Zhu et al. 2017: 256 of 286 px).
        extra: extra(step) returns further arrays of the step, such as latents; their names must be new.

    Raises:
        DataError: The batch size, the draws or the window does not fit the data, or `flip` is asked of points.
    """

    def __init__(
        self,
        dataset: Dataset | Domains,
        *,
        batch_size: int,
        draws: int = 1,
        seed: int = 0,
        range: tuple[float, float] = (-1.0, 1.0),
        flip: bool = False,
        window: tuple[int, int] | None = None,
        extra: Callable[[int], Mapping[str, np.ndarray]] | None = None,
    ) -> None:
        for part in dataset.parts.values():
            batch_indices(len(part), batch_size, seed=seed, step=0)  # a wrong batch size fails here, not at step 0
            if flip and part.images is None:
                raise DataError(f"flip belongs to images; '{dataset.name}' holds points")
            if window and (part.images is None or min(np.subtract(part.images.shape[1:3], window)) < 0):
                raise DataError(f"a window of {window[0]} x {window[1]} does not fit into an item of '{dataset.name}'")
        if draws < 1:
            raise DataError(f"draws must be at least 1. Received: {draws}")
        self.dataset, self.batch_size, self.draws, self.seed = dataset, batch_size, draws, seed
        self.range, self.flip, self.window, self.extra = range, flip, window, extra
        self._captioned = {name: CaptionDraws(part.captions) for name, part in dataset.parts.items() if part.captions}

    def __getitem__(self, step: int) -> dict[str, np.ndarray]:
        batch = self.pixels(step)
        return {name: from_uint8(x, self.range) if x.dtype == np.uint8 else x for name, x in batch.items()}

    def pixels(self, step: int) -> dict[str, np.ndarray]:
        """Return the batch of a step with images as they are stored, uint8; a training maps them on its device.

        It may be called from several threads.

        Args:
            step: The number of the step, from 0.

        Returns:
            Arrays by name, as `batches[step]` has them but for the images.

        Raises:
            ValueError: `extra` returns an array of a name that is taken.
        """
        batch: dict[str, np.ndarray] = {}
        for number, (field, part) in enumerate(self.dataset.parts.items()):
            batch |= self._drawn(field, part, step, domain=0 if self.dataset.together else number)
        more = self.extra(step) if self.extra else {}
        if clash := batch.keys() & more.keys():
            raise ValueError(f"extra arrays must have names of their own; {sorted(clash)} are taken")
        return {**batch, **more}

    def _drawn(self, field: str, part: Dataset, step: int, domain: int) -> dict[str, np.ndarray]:
        """Return one set's items of the step, and their labels where there are any."""
        first, count = step * self.draws, len(part)
        indices = np.stack([
            batch_indices(count, self.batch_size, seed=self.seed, step=first + draw, domain=domain)
            for draw in range(self.draws)
        ])  # [draws, B]  # fmt: skip

        def bits(stream: int) -> np.ndarray:
            drawn = _bits(indices.size, seed=self.seed, index=step, stream=stream + domain * _STREAMS)
            return drawn.reshape(indices.shape)

        items = part.items[indices]  # [draws, B, ...]
        if self.window is not None:
            items = _windows(items, self.window, bits(_WINDOW))
        if self.flip:
            mirrored = bits(_FLIP) >> 63 == 1
            items[mirrored] = _mirror(items[mirrored])
        batch = {field: items}
        if field == part.field:  # not for domains, which have no labels
            batch |= {name: ids[indices] for name, ids in part.ids.items()}
            batch |= self._captions(part, indices, step)
        return batch

    def _captions(self, part: Dataset, indices: np.ndarray, step: int) -> dict[str, np.ndarray]:
        """Return the captions of the examples `indices` [draws, B], int32 [draws, B, longest], where there are any."""
        if (draws := self._captioned.get(part.field)) is None:
            return {}
        count = draws.bits
        drawn = _bits(indices.size * count, seed=self.seed, index=step, stream=_WORDS)
        captions = draws.draw(part.ids, indices.ravel(), drawn.reshape(-1, count))
        return {name: ids.reshape(*indices.shape, -1) for name, ids in captions.items()}


def _mirror(images: np.ndarray) -> np.ndarray:
    """Reverse the width of [M, H, W, C], channel by channel: five times as fast as pixel by pixel."""
    out = np.empty_like(images)
    for channel in range(images.shape[-1]):
        out[..., channel] = images[:, :, ::-1, channel]
    return out


def _windows(images: np.ndarray, window: tuple[int, int], bits: np.ndarray) -> np.ndarray:
    """Cut [draws, B, H, W, C] -> [draws, B, *window, C]: every place is equally likely; `bits` uint64 [draws, B]."""
    height, width = window
    out = np.empty((*images.shape[:2], height, width, images.shape[-1]), images.dtype)
    tops, lefts = images.shape[2] - height + 1, images.shape[3] - width + 1
    for index in np.ndindex(*bits.shape):
        top, left = int(bits[index] >> 32) % tops, int(bits[index] & 0xFFFFFFFF) % lefts
        out[index] = images[index][top : top + height, left : left + width]
    return out
