"""The Frechet distance against its closed forms."""

import numpy as np
import pytest

from zoo.core.errors import DataError
from zoo.metrics.fid import frechet_distance, gaussian_distance


def test_of_gaussians_that_commute():
    """Diagonal covariances: sum of (m_a - m_b)^2 + (s_a - s_b)^2."""
    mean_a, mean_b = np.array([0.0, 1.0, 5.0]), np.array([2.0, 1.0, 4.0])
    std_a, std_b = np.array([1.0, 2.0, 0.0]), np.array([3.0, 0.5, 1.0])
    expected = ((mean_a - mean_b) ** 2 + (std_a - std_b) ** 2).sum()
    found = gaussian_distance(mean_a, np.diag(std_a**2), mean_b, np.diag(std_b**2))
    assert found == pytest.approx(expected, rel=1e-12)


def test_of_gaussians_that_do_not_commute():
    """In the plane Tr M^(1/2) = sqrt(Tr M + 2 sqrt(det M))."""
    a, b = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[1.0, -0.5], [-0.5, 2.0]])
    cross = np.sqrt(np.trace(a @ b) + 2 * np.sqrt(np.linalg.det(a @ b)))
    expected = np.trace(a) + np.trace(b) - 2 * cross
    zero = np.zeros(2)
    assert gaussian_distance(zero, a, zero, b) == pytest.approx(expected, rel=1e-12)
    assert gaussian_distance(zero, b, zero, a) == pytest.approx(expected, rel=1e-12)


def test_against_scipys_square_root():
    """The product of the covariances has a root with complex dust on it, whose real part counts."""
    linalg = pytest.importorskip("scipy.linalg", reason="scipy is the second opinion")
    random = np.random.RandomState(0)
    a = random.standard_normal((300, 12)) @ random.standard_normal((12, 12))
    b = random.standard_normal((400, 12)) @ random.standard_normal((12, 12)) + 0.5
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    expected = ((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum() + np.trace(cov_a + cov_b)
    expected -= 2 * np.trace(linalg.sqrtm(cov_a @ cov_b)).real
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(a.astype("float32"), b.astype("float32")) == pytest.approx(expected, rel=1e-6)


def test_the_same_set_is_at_distance_zero_and_a_shift_is_its_square():
    features = np.random.RandomState(0).standard_normal((500, 8)) @ np.random.RandomState(1).standard_normal((8, 8))
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(features, features + 3.0) == pytest.approx(8 * 9, rel=1e-9)
    assert frechet_distance(features, 2 * features) == pytest.approx(
        (features.mean(axis=0) ** 2).sum() + np.trace(np.cov(features.T)), rel=1e-9
    )  # the mean moves by itself, each standard deviation grows by itself


def test_float32_features_are_summed_in_float64():
    features = (1e4 + np.random.RandomState(0).standard_normal((2000, 4))).astype("float32")
    assert frechet_distance(features[:1000], features[1000:]) < 0.05


def test_dead_features_and_features_that_copy_each_other_are_no_trouble():
    one = np.random.RandomState(0).standard_normal((100, 1))
    features = np.concatenate([one, one, np.zeros_like(one)], axis=1)
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-7)


def test_too_few_samples_and_numbers_that_are_none():
    with pytest.raises(DataError, match="8 features need more than as many samples, received 8 and 50"):
        frechet_distance(np.zeros((8, 8)), np.zeros((50, 8)))
    with pytest.raises(DataError, match=r"received float64 \[8, 2\] and float64 \[8, 3\]"):
        frechet_distance(np.zeros((8, 2)), np.zeros((8, 3)))
    with pytest.raises(DataError, match="finite"):
        frechet_distance(np.full((8, 2), np.inf), np.zeros((8, 2)))
