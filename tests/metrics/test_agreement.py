"""Agreement of what was asked for with what is seen, counted by hand."""

import numpy as np
import pytest

from zoo.core.errors import DataError
from zoo.metrics.classifier import agreement


def test_counted_by_hand():
    asked, seen = np.array([0, 0, 0, 0, 1, 1, 2]), np.array([0, 0, 0, 2, 1, 0, 2])
    overall, by_class, confusion = agreement(asked, seen, classes=3)
    assert overall == pytest.approx(5 / 7)
    np.testing.assert_allclose(by_class, [3 / 4, 1 / 2, 1])
    np.testing.assert_array_equal(confusion, [[3, 0, 1], [1, 1, 0], [0, 0, 1]])  # rows: asked for


def test_mistakes_of_the_caller():
    ids = np.array([0, 1, 2])
    with pytest.raises(DataError, match="no sample was asked for of class 3"):
        agreement(ids, ids, classes=4)
    with pytest.raises(DataError, match=r"class ids lie in 0..1, received 0..2"):
        agreement(ids, ids, classes=2)
    with pytest.raises(DataError, match="two arrays of class ids"):
        agreement(ids, ids[:2], classes=3)
    with pytest.raises(DataError, match="two arrays of class ids"):
        agreement(ids, ids.astype(float), classes=3)
