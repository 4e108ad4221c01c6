"""Does a conditional generator make what it is asked for? A classifier's verdicts against the classes asked for."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from zoo.errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]


class Agreement(NamedTuple):
    """Shares in 0..1: of all samples, of each class [M]; `confusion` [M, M] counts asked (rows) by seen (columns)."""

    overall: float
    by_class: Array
    confusion: Array


def agreement(asked: Array, seen: Array, *, classes: int) -> Agreement:
    """Class ids [N] asked for, and those that the classifier saw. Every class must be asked for. Raises DataError."""
    if asked.shape != seen.shape or asked.ndim != 1 or asked.dtype.kind not in "iu" or seen.dtype.kind not in "iu":
        received = f"{asked.dtype} {asked.shape} and {seen.dtype} {seen.shape}"
        raise DataError(f"agreement takes two arrays of class ids [N], received {received}")
    for ids in (asked, seen):
        if len(ids) and not 0 <= ids.min() <= ids.max() < classes:
            raise DataError(f"class ids lie in 0..{classes - 1}, received {ids.min()}..{ids.max()}")
    confusion = np.bincount(asked.astype(np.int64) * classes + seen, minlength=classes**2).reshape(classes, classes)
    rows = confusion.sum(axis=1)
    if not rows.all():
        raise DataError(f"no sample was asked for of class {int(rows.argmin())}: its share is not defined")
    return Agreement(float(confusion.trace() / len(asked)), confusion.diagonal() / rows, confusion)
