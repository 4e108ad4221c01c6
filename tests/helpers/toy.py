"""A data set of nine images of 4 x 4 pixels, and another that differs in the order of the labels alone."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from zoo.core.errors import DataError
from zoo.core.host import cache_folder
from zoo.data.catalogue import DATASETS
from zoo.data.fetch import read, read_files
from zoo.data.formats import Arrays, sha256
from zoo.data.sources import load_dataset

RANDOM = np.random.RandomState(0)
TOY = Arrays(*(RANDOM.randint(0, 256, shape).astype(np.uint8) for shape in ((6, 4, 4, 1), (6,), (3, 4, 4, 1), (3,))))
OTHER = TOY._replace(y_test=TOY.y_test[::-1].copy())
INFO = replace(
    DATASETS["mnist"], name="toy", title="Toy", shape=(4, 4, 1), splits={"train": 6, "test": 3}, sha256=sha256(TOY)
)


def same(arrays, expected):
    return all(np.array_equal(one, other) for one, other in zip(arrays, expected, strict=True))


def from_cache(monkeypatch, name, args=None, **options):
    """The data set as this machine has it; the test is skipped where it does not."""
    monkeypatch.setattr("zoo.data.sources.read", partial(read, offline=True))
    for module in ("earth", "glyphs", "drawings"):
        monkeypatch.setattr(f"zoo.data.{module}.read_files", partial(read_files, offline=True))
    if name == "critters":
        drawn = "test" if options.get("split") == "test" else "seen"
        if not list(cache_folder().glob(f"critters-{drawn}-64-*.npz")):
            pytest.skip("the critters are not drawn on this machine")
    try:
        return load_dataset(name, args, **options)
    except DataError:
        pytest.skip(f"{name} is not on this machine; `zoo fetch` gets it")
