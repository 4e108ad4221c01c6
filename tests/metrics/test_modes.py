"""Modes of a mixture, by hand and against what a perfect sampler must score."""

import numpy as np
import pytest

from zoo.core.errors import DataError
from zoo.data.sources import grid, ring
from zoo.metrics import modes

CENTRES = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])


def test_counted_by_hand():
    """Two at one mode, one at another, one outside all: modes 2, share 3/4, KL of (2/3, 1/3) to a quarter each."""
    points = np.array([[0.0, 0.29], [0.1, 0.0], [10.0, 9.8], [5.0, 5.0]])
    found, share, kl = modes.coverage(points, CENTRES, 0.1)
    assert (found, share) == (2, 0.75)
    assert kl == pytest.approx(2 / 3 * np.log(4 * 2 / 3) + 1 / 3 * np.log(4 / 3), rel=1e-12)


def test_three_standard_deviations_are_a_distance_and_the_border_belongs_to_it():
    inside, outside = np.array([[0.75, 0.0]]), np.array([[0.75, 0.1]])  # 0.25 is exact in binary
    assert modes.coverage(inside, CENTRES, 0.25).high_quality == 1
    assert modes.coverage(outside, CENTRES, 0.25).high_quality == 0  # within 3 std on each axis, not in the plane
    assert modes.coverage(outside, CENTRES, 0.25, within=4).high_quality == 1


@pytest.mark.parametrize("source", [ring, grid])
def test_a_perfect_sampler(source):
    """1 - exp(-9/2) = 98.89 % (papers of 99.7 % mean one dimension); all modes, next to no KL."""
    data = source(samples=100_000)
    found, share, kl = modes.coverage(data.points, data.centres, data.std)
    assert found == len(data.centres)
    assert share == pytest.approx(1 - np.exp(-4.5), abs=0.0015)  # 4.5 standard errors
    assert 0 <= kl < 0.001
    assert modes.coverage(data.points, data.centres, data.std, within=4).high_quality == pytest.approx(
        0.99966, abs=3e-4
    )


def test_one_mode_alone_and_none_at_all():
    one = np.zeros((7, 2))
    assert modes.coverage(one, CENTRES, 0.1) == (1, 1.0, pytest.approx(np.log(4)))
    assert modes.coverage(one + 5, CENTRES, 0.1) == (0, 0.0, pytest.approx(np.log(4)))


@pytest.mark.parametrize("points", [np.zeros((3, 3)), np.zeros(3), np.zeros((0, 2)), np.full((3, 2), np.nan)])
def test_what_are_no_points(points):
    with pytest.raises(DataError, match="received"):
        modes.coverage(points, CENTRES, 0.1)
