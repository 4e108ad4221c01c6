"""Stacked digits: counted by hand, and what a perfect sampler scores."""

import numpy as np
import pytest

from zoo.core.errors import DataError
from zoo.metrics.stacked import SAMPLES, stacked_modes

EVERY = np.stack(np.meshgrid(*[np.arange(10)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)  # [1000, 3]


def test_every_mode_once_is_the_best_and_one_mode_the_worst():
    assert stacked_modes(EVERY) == (1000, pytest.approx(0, abs=1e-12))
    assert stacked_modes(np.full((50, 3), 9)) == (1, pytest.approx(np.log(1000), rel=1e-12))


def test_counted_by_hand_and_the_order_of_channels_matters():
    """(1, 2, 3) twice, (3, 2, 1) once: KL of (2/3, 1/3) to a thousandth each."""
    ids = np.array([[1, 2, 3], [3, 2, 1], [1, 2, 3]])
    expected = 2 / 3 * np.log(2000 / 3) + 1 / 3 * np.log(1000 / 3)
    for dtype in ("uint8", "int64", "uint64"):  # NumPy makes floats of uint64 with int64
        assert stacked_modes(ids.astype(dtype)) == (2, pytest.approx(expected, rel=1e-12))


def test_against_scipys_entropy():
    stats = pytest.importorskip("scipy.stats", reason="scipy is the second opinion")
    ids = np.random.RandomState(0).binomial(9, 0.4, (3000, 3))
    counts = np.unique(ids, axis=0, return_counts=True)[1]
    expected = stats.entropy(np.append(counts, np.zeros(1000 - len(counts))), np.ones(1000))
    assert stacked_modes(ids) == (len(counts), pytest.approx(expected, rel=1e-10))


def test_the_floor_of_a_perfect_sampler():
    """(modes - 1) / (2 N) = 0.0195 nats; its standard deviation is sqrt(999 / 2) / N = 0.0009."""
    found, kl = stacked_modes(np.random.RandomState(0).randint(0, 10, (SAMPLES, 3)))
    assert found == 1000
    assert kl == pytest.approx(999 / (2 * SAMPLES), abs=0.003)


def test_other_numbers_of_classes():
    assert stacked_modes(np.array([[0, 0, 0], [1, 1, 1]]), classes=2) == (2, pytest.approx(np.log(4)))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (EVERY[:, :2], r"received int64 \[1000, 2\]"),
        (EVERY[0], r"received int64 \[3\]"),
        (EVERY[:0], r"received int64 \[0, 3\]"),
        (EVERY.astype(float), "received float64"),
        (EVERY + 1, r"0\.\.9, received 1\.\.10"),
        (EVERY - 1, r"0\.\.9, received -1\.\.8"),
    ],
)
def test_what_are_no_ids(ids, message):
    with pytest.raises(DataError, match=message) as error:
        stacked_modes(ids)
    assert "\n" not in str(error.value)
