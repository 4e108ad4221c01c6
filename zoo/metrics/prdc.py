"""Fidelity, variety and memorisation by nearest neighbours in a space of features.

Improved precision and recall (Kynkaanniemi et al. 2019, section 2): the share of fakes inside the union of the balls
around the reals, and of reals inside the union of the balls around the fakes. A ball reaches to its centre's k-th
nearest neighbour in its own set, k = 3, itself not counted, and its edge belongs to it (`<=`). The paper takes 50,000
of each and VGG-16's 4,096 features.

Density and coverage (Naeem et al. 2020, section 3): balls around the reals only, k = 5, edge not included (`<`).
Density is how many balls a fake lies in, over k: it can exceed 1. Coverage is the share of balls with a fake in them.
The paper takes 10,000 of each.

A perfect generator has a density of 1 and, with many samples, a coverage of 1 - 2^-k (0.97). Precision and recall have
no such fixed ceiling (0.48 and 0.47 for 10,000 normal samples in 1,000 dimensions at k = 5): put those of held-out real
samples beside them.

The memorisation check is this zoo's own definition; see `memorisation`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zoo.core.arrays import Array
from zoo.core.errors import DataError
from zoo.metrics import distances

LEAST_TEST = 100  # a percentile of fewer is one of them


class Prdc(NamedTuple):
    """Shares in 0..1: of the fakes that look like a real one, of the reals that some fake looks like, `density` from 0
    up, 1 for a perfect generator, and `coverage` in 0..1, the share of reals with a fake near them."""

    precision: float
    recall: float
    density: float
    coverage: float


def prdc(real: Array, fake: Array, *, k: int = 3, k_density: int = 5) -> Prdc:
    """Compute precision and recall, density and coverage of fakes against reals, by three matrix products of distances.

    Kynkaanniemi et al. 2019, equations 1 and 2; Naeem et al. 2020, equations 3 and 5.

    Args:
        real: features [N, D], N above `k` and `k_density`.
        fake: features [M, D], M above `k`.
        k: the neighbour that the balls of precision and recall reach to.
        k_density: the neighbour that the balls of density and coverage reach to.

    Returns:
        The four numbers; no unit, higher is better, a density of 1 is best.

    Raises:
        DataError: for sets that are not features [N, D], that are too small, or k below 1.
    """
    _check("precision and recall", k, real, fake)
    _check("density and coverage", k_density, real)
    reals, fakes = distances.about_the_mean(real, fake)
    reach = distances.to_neighbours(reals, max(k, k_density))  # [N, K]
    around_real, around_dense = reach[:, k - 1], reach[:, k_density - 1]  # squared radii
    around_fake = distances.to_neighbours(fakes, k)[:, -1]
    precise = hits = 0
    recalled, covered = np.zeros((2, len(real)), bool)
    for block in distances.blocks(fakes, reals):
        precise += int(block.within(around_real, edge=True).any(axis=1).sum())
        recalled |= block.within(around_fake[block.rows, None], edge=True).any(axis=0)
        inside = block.within(around_dense, edge=False)  # [B, N]
        hits += int(inside.sum())
        covered |= inside.any(axis=0)
    density = hits / (k_density * len(fake))
    return Prdc(precise / len(fake), float(recalled.mean()), density, float(covered.mean()))


def _check(measure: str, k: int, *sets: Array) -> None:
    if k < 1:
        raise DataError(f"{measure} look at the k-th neighbour from k = 1 on, received k = {k}")
    distances.check(f"{measure} with k = {k}", *sets, least=k + 1)


class Memorisation(NamedTuple):
    """`ratio` from 0 up, 1 for fakes as far from the training set as fresh data; `share_nearer` in 0..1, then 0.01."""

    ratio: float
    share_nearer: float


def memorisation(fake: Array, train: Array, test: Array) -> Memorisation:
    """Compare the distances of fakes from the training examples with those of fresh examples; own definition.

    `ratio` is the median distance from a fake to its nearest training example, over the same median of the test
    examples. `share_nearer` is the share of fakes nearer than the 1st percentile of the test examples' distances
    (linear interpolation). In pixels a copy that is shifted by one pixel is far away: state which features were taken.

    Args:
        fake: features [N, D]; as many as test examples or not: both are sets of independent searches.
        train: features [M, D] of the training set.
        test: features [T, D] of examples that were not trained on, T at least 100.

    Returns:
        Both numbers, no unit; fresh data have 1 and 0.01. Well below 1 means copies, but blurred images lie near to
        many as well: look at the pairs that `nearest` names.

    Raises:
        DataError: for sets that are not features [N, D], too few test examples, or test examples that stand in the
            training set.
    """
    distances.check("memorisation", fake, train, test)
    if len(test) < LEAST_TEST:
        raise DataError(f"a 1st percentile needs {LEAST_TEST} test examples or more, received {len(test)}")
    fresh = nearest(test, train)[0]
    usual = float(np.median(fresh))
    if usual == 0:
        raise DataError("half of the test examples or more stand in the training set: no distance to compare with")
    made = nearest(fake, train)[0]
    return Memorisation(float(np.median(made)) / usual, float((made < np.percentile(fresh, 1)).mean()))


def nearest(queries: Array, references: Array) -> tuple[Array, Array]:
    """Find the nearest reference of each query, in the Euclidean distance.

    Args:
        queries: features [N, D].
        references: features [M, D].

    Returns:
        The distance, float64 [N], exactly 0 for a copy, and the index of the reference, int64 [N]; of several that are
        equally near, one.

    Raises:
        DataError: for sets that are not features [N, D].
    """
    distances.check("a search for neighbours", queries, references)
    there, here = distances.about_the_mean(references, queries)
    squared, indices = distances.to_nearest(here, there)
    return np.sqrt(squared), indices
