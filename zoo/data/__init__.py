"""Data sets as uint8 arrays, and batches whose order is a function of seed and step.

    data = load("fashion_mnist", size=32)                          # fetched, verified, padded to 32x32
    Batches(data, batch_size=64, draws=5, seed=0)[step]["image"]   # float32 [5, 64, 32, 32, 1] in [-1, 1]

Importing this package imports no numpy, so that the spec checker can read `zoo.data.catalogue` at once.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zoo.data.catalogue import CARDS, Card, Fit, Split, describe, final_shape, window_shape
from zoo.data.fetch import fetch
from zoo.errors import DataError

if TYPE_CHECKING:
    from zoo.data.dataset import Dataset, Domains
    from zoo.data.pipeline import Batches

__all__ = [
    "CARDS", "Batches", "Card", "Dataset", "Domains", "describe", "fetch", "final_shape", "load", "window_shape",
]  # fmt: skip


def load(
    source: str,
    args: Mapping[str, Any] | None = None,
    *,
    size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    fit: Fit | None = None,
    split: Split | None = None,
) -> Dataset | Domains:
    """The data set `source(**args)` with uint8 images of `size` and `channels`; None keeps the native ones.

    `fit` is "pad" unless stated, and "crop" for a folder, where black bars would become part of what is learnt.
    A source that itself takes `size`, `fit` or `split` (a folder, which fits each file as it reads it) is handed them,
    unless `args` states its own. Raises DataError for an unknown source or argument, and for data that cannot be had.
    """
    from zoo.data.dataset import Domains
    from zoo.data.prepare import prepare
    from zoo.data.sources import SOURCES

    try:
        signature = inspect.signature(SOURCES.get(source))
        common = {"size": size, "fit": fit, "split": split}
        given = {name: value for name, value in common.items() if name in signature.parameters and value is not None}
        bound = SOURCES.bind(source, {**given, **(args or {})})
        signature.bind(**bound)  # names the argument that is missing, such as a folder's path
    except (KeyError, TypeError) as error:
        raise DataError(f"data source '{source}': {error.args[0]}") from error
    if split == "test" and "split" not in signature.parameters:
        raise DataError(f"data source '{source}' has no test split: point it at other files instead")
    made = SOURCES.get(source)(**bound)
    parts = {name: prepare(part, size=size, channels=channels, fit=fit or "pad") for name, part in made.parts.items()}
    return replace(made, a=parts["a"], b=parts["b"]) if isinstance(made, Domains) else parts[made.field]


def __getattr__(name: str) -> Any:
    if name == "Batches":
        from zoo.data.pipeline import Batches

        return Batches
    if name in ("Dataset", "Domains"):
        from zoo.data import dataset

        return getattr(dataset, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
