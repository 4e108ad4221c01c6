"""Sets of features for fid, kid and prdc: the check of what they take, distances of large sets block by block.

A set is real numbers [N, D], a row for each sample, of any dtype that float64 can hold, float16 and uint8 too: the
measures convert before they square.

|x|^2 + |y|^2 - 2 x.y is a matrix product and fast, but it cancels: of near points few digits are left, and a copy is
not at distance 0. So the products are taken in float64, about the mean of one set, and only find which pairs are near;
what decides is the sum of squared differences of the features as they came, in float64. That sum is the same from x to
y as from y to x, to the last bit, so `<` and `<=` mean what they say. (In float32 the products take half as long, but
in a collapsed set, whose samples are far nearer to each other than to the rest, they would not separate any.)

Among more than SPARE others that differ by less than a product can lose, in a collapsed set for instance, one may pass
for the k-th neighbour that is not; its distance is its own, and off by no more than that loss. 10,000 against 10,000
with 2,048 features takes 9 s of one core, and beside the features a float64 copy of both sets and four blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from zoo.core.arrays import Array
from zoo.core.errors import DataError

LARGEST = 1e50  # its sixth power, which KID's kernel takes, is still a float64
BLOCK = 2**23  # distances at a time, 64 MiB; about four arrays of that size live at once
PAIRS = 2**17  # differences at a time, 1 MiB, which stays in a core's cache
SPARE = 8  # candidates beyond the k nearest, for the order that rounding upset


def check(measure: str, *sets: Array, least: int = 1) -> None:
    """Check that all sets are features [N, D] of one D, `least` samples or more in each, all numbers finite.

    Args:
        measure: the name that an error begins with.
        sets: arrays of integers or floats.
        least: the smallest number of samples of a set.

    Raises:
        DataError: for anything else.
    """
    received = " and ".join(f"{a.dtype} {list(a.shape)}" for a in sets)
    shaped = all(a.ndim == 2 and a.shape[1] == sets[0].shape[1] > 0 and a.dtype.kind in "fiu" for a in sets)
    if not shaped:
        raise DataError(f"{measure} takes sets of features [N, D] with one and the same D, received {received}")
    if min(len(a) for a in sets) < least:
        raise DataError(f"{measure} needs {least} samples or more in each set, received {received}")
    ends = [float(end) for a in sets for end in (a.min(), a.max())]  # a NaN becomes NumPy's min and max
    if not all(abs(end) < LARGEST for end in ends):
        raise DataError(f"{measure} takes finite features, received NaN, infinity or numbers beyond {LARGEST:g}")


@dataclass(frozen=True)
class Points:
    """A set as it came, `raw` [N, D]; `moved` to its origin, float64 [N, D]; the squared `lengths` [N] from there."""

    raw: Array
    moved: Array
    lengths: Array


def about_the_mean(*sets: Array) -> tuple[Points, ...]:
    """Return sets [N, D] with the mean of the first as common origin: differences stay, the products get small."""
    origin = sets[0].mean(axis=0, dtype=np.float64)
    moved = [a - origin for a in sets]
    return tuple(Points(a, m, np.einsum("nd,nd->n", m, m)) for a, m in zip(sets, moved, strict=True))


def to_neighbours(points: Points, k: int) -> Array:
    """Return squared distances [N, k] from each point to the k nearest OTHERS, nearest first; N above k."""
    result = np.empty((len(points.raw), k))
    for block in blocks(points, points):
        own = np.arange(len(block.x))
        block.squared[own, block.rows.start + own] = np.inf  # no point is its own neighbour
        result[block.rows] = _nearest(block, k)[0]
    return result


def to_nearest(x: Points, y: Points) -> tuple[Array, Array]:
    """Return the squared distance [N] from each of x to the nearest of y, and the index [N] of that one."""
    squared, indices = np.empty(len(x.raw)), np.empty(len(x.raw), np.int64)
    for block in blocks(x, y):
        nearest, columns = _nearest(block, 1)
        squared[block.rows], indices[block.rows] = nearest[:, 0], columns[:, 0]
    return squared, indices


def _nearest(block: Block, k: int) -> tuple[Array, Array]:
    """Exact squared distances [B, k] of the k nearest, nearest first, and their columns [B, k]; infinite ones are out.

    Candidates are few by design: all that are near enough would be all, N x N pairs, in a set of copies.
    """
    size, others = block.squared.shape
    count = min(k + SPARE, others)
    columns = np.argpartition(block.squared, count - 1, axis=1)[:, :count]
    exact = block.exact(np.repeat(np.arange(size), count), columns.ravel()).reshape(size, count)
    exact[np.isinf(np.take_along_axis(block.squared, columns, axis=1))] = np.inf
    order = np.argsort(exact, axis=1)[:, :k]
    return np.take_along_axis(exact, order, axis=1), np.take_along_axis(columns, order, axis=1)


def blocks(x: Points, y: Points) -> Iterator[Block]:
    """Yield all of x [N, D] against all of y [M, D], as many rows at a time as BLOCK allows."""
    step = max(1, BLOCK // len(y.raw))
    unit = (x.raw.shape[1] + 16) * np.finfo(np.float64).eps  # twice what a product of D terms can lose
    for start in range(0, len(x.raw), step):
        rows = slice(start, min(start + step, len(x.raw)))
        squared = x.moved[rows] @ y.moved.T  # [B, M]
        squared *= -2
        squared += x.lengths[rows, None]
        squared += y.lengths
        slack = unit * (x.lengths[rows, None] + y.lengths.max())
        yield Block(rows, x.raw[rows], y.raw, squared, slack)


@dataclass(frozen=True)
class Block:
    """Some rows of x against all of y: `squared` distances [B, M], right to within `slack` [B, 1]."""

    rows: slice
    x: Array  # raw, [B, D]
    y: Array  # raw, [M, D]
    squared: Array
    slack: Array

    def exact(self, rows: Array, columns: Array) -> Array:
        """Return squared distances [P] of the pairs (rows[i], columns[i]) from their differences."""
        result = np.empty(len(rows))
        step = max(1, PAIRS // self.x.shape[1])
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            between = self.x[rows[part]].astype(np.float64) - self.y[columns[part]]  # [P, D]
            result[part] = (between * between).sum(axis=1)
        return result

    def within(self, squared: Array, *, edge: bool) -> Array:
        """Find the pairs, bool [B, M], nearer than a squared distance ([M] or [B, 1]), or just as far with `edge`."""
        inside = self.squared < squared - self.slack
        rows, columns = np.nonzero(np.abs(self.squared - squared) <= self.slack)
        exact, limit = self.exact(rows, columns), np.broadcast_to(squared, inside.shape)[rows, columns]
        inside[rows, columns] = exact <= limit if edge else exact < limit
        return inside
