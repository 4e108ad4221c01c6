"""Spearman's rank correlation."""

import numpy as np
import pytest

from zoo.claims.critic_loss import spearman
from zoo.core.errors import DataError


def test_only_the_order_counts():
    a = np.array([1.0, 2.0, 3.0, 4.0])
    assert spearman(a, np.exp(a)) == pytest.approx(1)
    assert spearman(a, -(a**3)) == pytest.approx(-1)
    assert spearman(a, np.array([1.0, 3.0, 2.0, 4.0])) == pytest.approx(
        1 - 6 * 2 / (4 * 15)
    )  # 1 - 6 sum d^2 / n(n^2-1)


def test_equal_values_share_the_mean_of_their_ranks():
    """Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: covariance 4.5, variances 4.5 and 5."""
    assert spearman(np.array([0.0, 5, 5, 9]), np.arange(4.0)) == pytest.approx(4.5 / np.sqrt(4.5 * 5))


def test_curves_without_an_order():
    with pytest.raises(DataError, match="constant"):
        spearman(np.ones(5), np.arange(5.0))
    with pytest.raises(DataError, match="3 points or more"):
        spearman(np.arange(2.0), np.arange(2.0))
