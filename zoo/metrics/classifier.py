"""Measures of a classifier's results on generated images: agreement with the classes asked for, the Inception score.

Agreement is for conditional generators: the share of images in which the classifier finds the class that was asked for.

The Inception score (Salimans et al. 2016, section 4) is exp of the mean of KL(p(y|x) to p(y)). It is 1 when all images
look alike to the classifier or it is sure of none, and at most the number of classes. "Inception score" is this number
for Inception's 1,000 classes and 50,000 images; with a classifier of digits it is the MNIST score. It never sees real
images: one sharp image of each class, copied, has the highest score. Put that of real images beside it. A split of N
samples cannot score above N either, and few samples score too low.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from zoo.core.arrays import Array
from zoo.core.errors import DataError


class Agreement(NamedTuple):
    """Shares in 0..1: of all samples, of each class [M]; `confusion` [M, M] counts asked (rows) by seen (columns)."""

    overall: float
    by_class: Array
    confusion: Array


def agreement(asked: Array, seen: Array, *, classes: int) -> Agreement:
    """Compute the share of samples in which the classifier finds the class that was asked for.

    Args:
        asked: class ids that the generator was asked for, integers [N]; each class at least once.
        seen: class ids that the classifier found in its samples, integers [N].
        classes: the number of classes M.

    Returns:
        The shares, 0..1, higher is better, and the counts behind them. A generator that ignores its labels has
        about 1 / M; the classifier's own accuracy on real images is the ceiling.

    Raises:
        DataError: for other shapes or dtypes, ids outside 0..M - 1, or a class that was not asked for.
    """
    if asked.shape != seen.shape or asked.ndim != 1 or asked.dtype.kind not in "iu" or seen.dtype.kind not in "iu":
        received = f"{asked.dtype} {asked.shape} and {seen.dtype} {seen.shape}"
        raise DataError(f"agreement takes two arrays of class ids [N], received {received}")
    for ids in (asked, seen):
        if len(ids) and not 0 <= ids.min() <= ids.max() < classes:
            raise DataError(f"class ids lie in 0..{classes - 1}, received {ids.min()}..{ids.max()}")
    confusion = np.bincount(asked.astype(np.int64) * classes + seen, minlength=classes**2).reshape(classes, classes)
    asked_by_class = confusion.sum(axis=1)
    if not asked_by_class.all():
        raise DataError(f"no sample was asked for of class {int(asked_by_class.argmin())}: its share is not defined")
    return Agreement(float(confusion.trace() / len(asked)), confusion.diagonal() / asked_by_class, confusion)


class InceptionScore(NamedTuple):
    """Mean and standard deviation (of the population) over the splits; 1..min(C, samples of a split)."""

    mean: float
    std: float


def inception_score(logits: Array, *, splits: int = 10) -> InceptionScore:
    """Compute the Inception score (Salimans et al. 2016, section 4) from a classifier's logits.

    Args:
        logits: floats [N, C], C at least 2, any scale. Log-probabilities are logits, and -inf is a probability of 0.
        splits: the number of parts to score. They are cut in order, as the authors cut them: shuffle samples that are
            sorted by class.

    Returns:
        The mean and standard deviation over the splits; no unit, 1..C, higher is better.

    Raises:
        DataError: for other shapes or dtypes, rows of probabilities, NaN, +inf, rows of -inf alone, or more splits than
            samples.
    """
    if logits.ndim != 2 or logits.shape[1] < 2 or logits.dtype.kind != "f":
        raise DataError(
            f"a score takes logits [N, C] of 2 classes or more, received {logits.dtype} {list(logits.shape)}"
        )
    if not 1 <= splits <= len(logits):
        raise DataError(f"{len(logits)} samples make 1..{len(logits)} splits, received splits = {splits}")
    logits = logits.astype(np.float64)
    top = logits.max(axis=1, keepdims=True)
    if not np.isfinite(top).all():  # NaN, +inf, or -inf alone
        raise DataError("a score takes logits that are finite, or -inf for a probability of 0, received others")
    if (logits >= 0).all() and np.allclose(logits.sum(axis=1), 1, atol=1e-3):
        raise DataError("a score takes logits, received rows that sum to 1: pass the logarithm of probabilities")
    log_p = logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))  # [N, C]
    cuts = [i * len(log_p) // splits for i in range(splits + 1)]
    scores = np.array([_score_of_split(log_p[start:end]) for start, end in pairwise(cuts)])
    return InceptionScore(float(scores.mean()), float(scores.std()))


def _score_of_split(log_p: Array) -> float:
    p = np.exp(log_p)
    positive = p > 0  # 0 log 0 = 0, and a class that no sample has adds nothing
    log_ratio = np.where(positive, log_p, 0) - np.log(np.where(positive, p.mean(axis=0), 1))
    return float(np.exp((p * log_ratio).sum(axis=1).mean()))
