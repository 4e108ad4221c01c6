"""Frechet distance between the Gaussians that fit two sets of features (Heusel et al. 2017, eq. 6), in float64.

|mu_a - mu_b|^2 + Tr(S_a + S_b - 2 (S_a S_b)^(1/2)). "FID" is this number for the 2,048 features of one Inception
network and 50,000 samples; with other features, or another N, it is another scale: name both beside it.
"""

from __future__ import annotations

import numpy as np

from zoo.core.arrays import Array
from zoo.core.errors import DataError
from zoo.metrics import distances


def frechet_distance(a: Array, b: Array) -> float:
    """Compute the Frechet distance of two sets of features (Heusel et al. 2017, eq. 6), symmetric in both.

    The covariances are unbiased (N - 1).

    Args:
        a: features [N, D], N above D, else the covariance is singular.
        b: features [M, D], M above D.

    Returns:
        The distance, from 0 up, in squared units of the features; lower is better. A finite sample biases it upwards
        by about 1 / N: that of two halves of the real data is the floor.

    Raises:
        DataError: for sets that are not features [N, D], or that are too small.
    """
    distances.check("a Frechet distance", a, b)
    if min(len(a), len(b)) <= a.shape[1]:
        raise DataError(f"{a.shape[1]} features need more than as many samples, received {len(a)} and {len(b)}")
    a, b = a.astype(np.float64), b.astype(np.float64)
    return gaussian_distance(a.mean(axis=0), np.cov(a, rowvar=False), b.mean(axis=0), np.cov(b, rowvar=False))


def gaussian_distance(mean_a: Array, cov_a: Array, mean_b: Array, cov_b: Array) -> float:
    """Compute the Frechet distance of two Gaussians.

    Tr (S_a S_b)^(1/2) = Tr (R S_b R)^(1/2) with R = S_a^(1/2): symmetric, so no complex parts can arise.

    Args:
        mean_a: the first mean, float64 [D].
        cov_a: the first covariance, float64 [D, D].
        mean_b: the second mean, float64 [D].
        cov_b: the second covariance, float64 [D, D].

    Returns:
        The distance, from 0 up.
    """
    cov_a, cov_b = np.atleast_2d(cov_a), np.atleast_2d(cov_b)
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T  # [D, D]
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ cov_b @ root), 0, None)).sum()
    shift = ((mean_a - mean_b) ** 2).sum()
    return float(shift + np.trace(cov_a) + np.trace(cov_b) - 2 * cross)
