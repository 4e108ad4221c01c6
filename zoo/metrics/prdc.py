"""Fidelity, variety and memorisation by nearest neighbours in a space of features.

Improved precision and recall (Kynkaanniemi et al. 2019, section 2): the share of fakes inside the union of the balls
around the reals, and of reals inside the union of the balls around the fakes. A ball reaches to its centre's k-th
nearest neighbour in its own set, k = 3, itself not counted, and its edge belongs to it (`<=`). The paper takes 50,000
of each and VGG-16's 4,096 features.

Density and coverage (Naeem et al. 2020, section 3): balls around the reals only, k = 5, edge not included (`<`).
Density is how many balls a fake lies in, over k: it can exceed 1. Coverage is the share of balls with a fake in them.
The paper takes 10,000 of each.

What a perfect generator scores: a density of 1 and, of many samples, a coverage of 1 - 2^-k (0.97). Precision and
recall have no such fixed ceiling (0.48 and 0.47 for 10,000 normal samples in 1,000 dimensions at k = 5): put those of
held-out real samples beside them.

The memorisation check is this zoo's own definition; see `memorisation`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zoo.core.arrays import Array
from zoo.core.errors import DataError
from zoo.metrics import distances

LEAST_TEST = 100  # a percentile of fewer is one of them


class PrecisionRecall(NamedTuple):
    """Shares in 0..1: of the fakes that look like a real one, of the reals that some fake looks like."""

    precision: float
    recall: float


class DensityCoverage(NamedTuple):
    """`density` from 0 up, 1 for a perfect generator; `coverage`, a share in 0..1."""

    density: float
    coverage: float


class Memorisation(NamedTuple):
    """`ratio` from 0 up, 1 for fakes as far from the training set as fresh data; `share_nearer` in 0..1, then 0.01."""

    ratio: float
    share_nearer: float


def precision_recall(real: Array, fake: Array, *, k: int = 3) -> PrecisionRecall:
    """Features [N, D] and [M, D], N and M above k. Three matrix products of distances. Raises DataError."""
    _check("precision and recall", k, real, fake)
    reals, fakes = distances.about_the_mean(real, fake)
    counts = _InEither(distances.to_neighbours(reals, k)[:, -1], distances.to_neighbours(fakes, k)[:, -1])
    for block in distances.blocks(fakes, reals):
        counts.add(block)
    return counts.result()


def density_coverage(real: Array, fake: Array, *, k: int = 5) -> DensityCoverage:
    """Features [N, D] and [M, D], N above k. Two matrix products of distances. Raises DataError."""
    _check("density and coverage", k, real)
    distances.check("density and coverage", real, fake)
    reals, fakes = distances.about_the_mean(real, fake)
    counts = _InReal(distances.to_neighbours(reals, k)[:, -1], k)
    for block in distances.blocks(fakes, reals):
        counts.add(block)
    return counts.result()


def both(real: Array, fake: Array, *, k: int = 3, k_density: int = 5) -> tuple[PrecisionRecall, DensityCoverage]:
    """`precision_recall` (k) and `density_coverage` (k_density) for three matrix products instead of five."""
    _check("precision and recall", k, real, fake)
    _check("density and coverage", k_density, real)
    reals, fakes = distances.about_the_mean(real, fake)
    reach = distances.to_neighbours(reals, max(k, k_density))  # [N, K]
    either = _InEither(reach[:, k - 1], distances.to_neighbours(fakes, k)[:, -1])
    density = _InReal(reach[:, k_density - 1], k_density)
    for block in distances.blocks(fakes, reals):
        either.add(block)
        density.add(block)
    return either.result(), density.result()


def nearest(queries: Array, references: Array) -> tuple[Array, Array]:
    """Features [N, D] and [M, D] -> distance [N] from each query to the nearest reference, and its index [N].

    A copy is at distance 0 exactly; of references that are equally near, one is named. Raises DataError.
    """
    distances.check("a search for neighbours", queries, references)
    there, here = distances.about_the_mean(references, queries)
    squared, indices = distances.to_nearest(here, there)
    return np.sqrt(squared), indices


def memorisation(fake: Array, train: Array, test: Array) -> Memorisation:
    """Features [N, D], [M, D], [T, D]: do fakes lie nearer to the training examples than fresh examples do?

    Own definition. `ratio`: the median distance from a fake to its nearest training example, over the same median of
    the test examples. `share_nearer`: of the fakes, those nearer than the 1st percentile of the test examples'
    distances (linear interpolation). As many fakes as test examples or not: both are sets of independent searches.
    Well below 1 means copies, but blurred images lie near to many as well: look at the pairs that `nearest` names. In
    pixels a copy that is shifted by one pixel is far away: say which features were taken. Raises DataError.
    """
    distances.check("memorisation", fake, train, test)
    if len(test) < LEAST_TEST:
        raise DataError(f"a 1st percentile needs {LEAST_TEST} test examples or more, received {len(test)}")
    fresh = nearest(test, train)[0]
    usual = float(np.median(fresh))
    if usual == 0:
        raise DataError("half of the test examples or more stand in the training set: no distance to compare with")
    found = nearest(fake, train)[0]
    return Memorisation(float(np.median(found)) / usual, float((found < np.percentile(fresh, 1)).mean()))


class _InEither:
    """Precision and recall, block of fakes by block, from the squared radii of both sets."""

    def __init__(self, around_real: Array, around_fake: Array) -> None:
        self.around_real, self.around_fake = around_real, around_fake
        self.precise = 0
        self.recalled = np.zeros(len(around_real), bool)

    def add(self, block: distances.Block) -> None:
        self.precise += int(block.within(self.around_real, edge=True).any(axis=1).sum())
        self.recalled |= block.within(self.around_fake[block.rows, None], edge=True).any(axis=0)

    def result(self) -> PrecisionRecall:
        return PrecisionRecall(self.precise / len(self.around_fake), float(self.recalled.mean()))


class _InReal:
    """Density and coverage, block of fakes by block, from the squared radii of the reals."""

    def __init__(self, around_real: Array, k: int) -> None:
        self.around_real, self.k = around_real, k
        self.fakes = self.hits = 0
        self.covered = np.zeros(len(around_real), bool)

    def add(self, block: distances.Block) -> None:
        inside = block.within(self.around_real, edge=False)  # [B, N]
        self.fakes += len(inside)
        self.hits += int(inside.sum())
        self.covered |= inside.any(axis=0)

    def result(self) -> DensityCoverage:
        return DensityCoverage(self.hits / (self.k * self.fakes), float(self.covered.mean()))


def _check(measure: str, k: int, *sets: Array) -> None:
    if k < 1:
        raise DataError(f"{measure} look at the k-th neighbour from k = 1 on, received k = {k}")
    distances.check(f"{measure} with k = {k}", *sets, least=k + 1)
