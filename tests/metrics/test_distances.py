"""Distances block by block: exact where it counts, small in memory."""

import tracemalloc

import numpy as np
import pytest

from zoo.metrics import distances


def normal(*shape, seed=0):
    return np.random.RandomState(seed).standard_normal(shape)


def squared_between(a, b):
    """One pair after another from differences: slow, and without cancellation."""
    a, b = a.astype("float64"), b.astype("float64")
    return ((a[:, None] - b) ** 2).sum(axis=-1)


@pytest.mark.parametrize("size", [1, 100, 2**23])
def test_blocks_cover_all_rows_once_and_err_less_than_their_slack(size, monkeypatch):
    monkeypatch.setattr(distances, "BLOCK", size)
    x, y = normal(23, 5) + 100, 3 * normal(31, 5, seed=1)
    expected = squared_between(x, y)
    rows = []
    for block in distances.blocks(*reversed(distances.about_the_mean(y, x))):
        rows += range(block.rows.start, block.rows.stop)
        assert block.squared.size <= max(size, 31)
        assert (np.abs(block.squared - expected[block.rows]) <= block.slack).all()
        assert (block.slack < 1e-9).all()
        every = np.indices(block.squared.shape).reshape(2, -1)
        np.testing.assert_array_equal(block.exact(*every).reshape(block.squared.shape), expected[block.rows])
    assert rows == list(range(23))


def test_a_pair_is_as_far_there_as_back_to_the_last_bit():
    x = normal(40, 33)
    (points,) = distances.about_the_mean(x)
    (block,) = distances.blocks(points, points)
    rows, columns = np.nonzero(~np.eye(40, dtype=bool))
    np.testing.assert_array_equal(block.exact(rows, columns), block.exact(columns, rows))


def test_the_edge_is_in_or_out_whatever_the_product_rounds_to():
    """The mean, (4/3, 1/3), is no binary number: the products err, the differences do not."""
    x, y = np.array([[0.0, 0.0], [3.0, 1.0], [1.0, 0.0]]), np.array([[0.0, 1.0], [5.0, 0.0]])
    there, here = distances.about_the_mean(x, y)
    (block,) = distances.blocks(here, there)
    expected = squared_between(y, x)
    for i in range(3):
        limit = expected[:, i : i + 1]  # [2, 1]
        np.testing.assert_array_equal(block.within(limit, edge=True), expected <= limit)
        np.testing.assert_array_equal(block.within(limit, edge=False), expected < limit)
    for limit in expected:  # [3]
        np.testing.assert_array_equal(block.within(limit, edge=True), expected <= limit)
        np.testing.assert_array_equal(block.within(limit, edge=False), expected < limit)


@pytest.mark.parametrize(("apart", "error"), [(0.1, 0), (1e-6, 1e-7)])
def test_neighbours_of_a_collapsed_set_far_from_the_mean(apart, error):
    """A tenth apart and a thousand off, products in float32 would err by 0.6 and take any of the set for the nearest.

    Of points that differ by less than a product in float64 can lose, another one may be named: its distance is right.
    """
    far = np.concatenate([apart * normal(30, 6) + 1000, normal(50, 6, seed=1)])
    (points,) = distances.about_the_mean(far)
    (block,) = distances.blocks(points, points)
    assert block.slack.max() < 1e-7
    expected = squared_between(far, far)
    np.fill_diagonal(expected, np.inf)
    np.testing.assert_allclose(distances.to_neighbours(points, 4), np.sort(expected)[:, :4], rtol=1e-12, atol=error)


def test_all_distances_never_stand_in_memory_at_once(monkeypatch):
    monkeypatch.setattr(distances, "BLOCK", 2**15)
    x = normal(1500, 4)
    tracemalloc.start()
    distances.to_neighbours(*distances.about_the_mean(x), 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**21 < 8 * 1500 * 1500 / 8  # 2 MiB; all distances are 17 MiB


def test_a_set_of_copies_costs_no_more_than_another(monkeypatch):
    """Their neighbours are at distance 0, whichever copies are looked at: a few of each, not all pairs."""
    looked = []
    exact = distances.Block.exact
    monkeypatch.setattr(distances.Block, "exact", lambda self, r, c: looked.append(len(r)) or exact(self, r, c))
    found = distances.to_neighbours(*distances.about_the_mean(np.repeat(normal(1, 7), 200, axis=0)), 3)
    np.testing.assert_array_equal(found, np.zeros((200, 3)))
    assert sum(looked) == 200 * (3 + distances.SPARE)


def test_a_few_near_copies_far_from_the_mean_are_told_apart():
    """A millionth apart and a thousand off, their products say nothing; there are spare candidates for them all."""
    far = np.concatenate([1e-6 * normal(8, 6) + 1000, normal(300, 6, seed=1) - 50])
    expected = squared_between(far, far)
    np.fill_diagonal(expected, np.inf)
    (points,) = distances.about_the_mean(far)
    np.testing.assert_array_equal(distances.to_neighbours(points, 2), np.sort(expected)[:, :2])
    lengths, indices = distances.to_nearest(points, points)
    np.testing.assert_array_equal(lengths, 0)
    np.testing.assert_array_equal(indices, np.arange(len(far)))
