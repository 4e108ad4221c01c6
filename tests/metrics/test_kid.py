"""KID by hand, against scikit-learn's kernel, and on distributions whose moments are known."""

import numpy as np
import pytest

from zoo.core.errors import DataError
from zoo.metrics.kid import kid, squared_mmd


def normal(*shape, seed=0, dtype="float64"):
    return np.random.RandomState(seed).standard_normal(shape).astype(dtype)


def test_by_hand():
    """{0, 1} against {2, 3} in one dimension: 1 + 7^3 - 2 (1 + 1 + 3^3 + 4^3) / 4; the biased estimate is 409."""
    a, b = np.array([[0.0], [1.0]]), np.array([[2.0], [3.0]])
    assert squared_mmd(a, b) == pytest.approx(297.5, rel=1e-14)
    assert kid(a, b, subsets=3, size=2) == (pytest.approx(297.5, rel=1e-14), pytest.approx(0, abs=1e-10))


def test_sets_of_different_numbers():
    """{1, 1, 1} against {-1, -1}: 2^3 + 2^3 - 2 * 0."""
    assert squared_mmd(np.ones((3, 1)), -np.ones((2, 1))) == pytest.approx(16, rel=1e-14)


def test_the_product_is_divided_by_the_number_of_features():
    """All ones in D dimensions against all zeros: (1 + 1)^3 + 1 - 2, whatever D is."""
    assert squared_mmd(np.ones((4, 7)), np.zeros((5, 7))) == pytest.approx(7, rel=1e-14)


def test_against_scikit_learns_kernel():
    pairwise = pytest.importorskip("sklearn.metrics.pairwise", reason="scikit-learn is the second opinion")
    a, b = normal(60, 12), normal(80, 12, seed=1) + 0.3
    expected = -2 * pairwise.polynomial_kernel(a, b, degree=3, gamma=1 / 12, coef0=1).mean()
    for x in (a, b):
        kernel = pairwise.polynomial_kernel(x, degree=3, gamma=1 / 12, coef0=1)
        expected += (kernel.sum() - np.trace(kernel)) / (len(x) * (len(x) - 1))
    assert squared_mmd(a, b) == pytest.approx(expected, rel=1e-9)
    assert squared_mmd(a.astype("float32"), b.astype("float32")) == pytest.approx(expected, rel=1e-6)


def test_one_set_against_itself_is_below_zero_by_its_diagonal():
    """Within a set no sample meets itself, across the sets each does: -2/N (mean diagonal - mean of the others)."""
    a = normal(50, 4)
    kernel = (a @ a.T / 4 + 1) ** 3
    others = (kernel.sum() - kernel.trace()) / (50 * 49)
    expected = -2 / 50 * (kernel.trace() / 50 - others)
    assert kid(a, a.copy(), subsets=2, size=50).value == pytest.approx(expected, rel=1e-9)
    assert expected < -0.1  # the biased estimate is 0


def test_equal_distributions_score_zero_on_average_and_a_shift_its_moments():
    """In one dimension, (xy + 1)^3 sees 3 (dm1)^2 + 3 (dm2)^2 + (dm3)^2; N(1, 1) has moments 1, 2, 4 for 0, 1, 0."""
    pairs = [(normal(400, 1, seed=2 * i), normal(400, 1, seed=2 * i + 1)) for i in range(100)]
    same = np.array([squared_mmd(a, b) for a, b in pairs])
    error = same.std() / 10
    assert abs(same.mean()) < 3 * error < 0.05
    assert (same < 0).any()
    moved = np.array([squared_mmd(a, b + 1) for a, b in pairs])
    assert moved.mean() == pytest.approx(3 + 3 + 16, abs=3 * moved.std() / 10)
    assert moved.std() / 10 < 0.5


def test_a_subset_holds_no_sample_twice():
    """A subset of everything is everything, whatever its order: no spread at all."""
    value, std = kid(normal(30, 3), normal(30, 3, seed=1), subsets=20, size=30)
    assert std == pytest.approx(0, abs=1e-13)
    assert value == pytest.approx(squared_mmd(normal(30, 3), normal(30, 3, seed=1)), rel=1e-10)


def test_value_and_spread_are_those_of_the_subsets():
    a, b = normal(200, 3), normal(150, 3, seed=1)
    random = np.random.RandomState(7)
    found = [
        squared_mmd(a[random.choice(200, 40, replace=False)], b[random.choice(150, 40, replace=False)])
        for _ in range(5)
    ]
    assert kid(a, b, subsets=5, size=40, seed=7) == (
        pytest.approx(np.mean(found), rel=1e-12),
        pytest.approx(np.std(found), rel=1e-12),
    )
    assert kid(a, b, subsets=5, size=40) != kid(a, b, subsets=5, size=40, seed=7)
    assert kid(a, b, subsets=5, size=40) == kid(a, b, subsets=5, size=40)


def test_float16_features_do_not_overflow():
    large = (200 * normal(40, 8)).astype("float16")
    assert squared_mmd(large, -large) == pytest.approx(squared_mmd(large.astype("float64"), -large), rel=1e-12)


@pytest.mark.parametrize(
    ("a", "b", "options", "message"),
    [
        (normal(999, 2), normal(1000, 2), {}, "subsets of 1000 different samples, received sets of 999 and 1000"),
        (normal(9, 2), normal(9, 3), {"size": 5}, r"received float64 \[9, 2\] and float64 \[9, 3\]"),
        (normal(0, 2), normal(9, 2), {"size": 5}, "1 samples or more"),
        (normal(9, 2), np.full((9, 2), np.nan), {"size": 5}, "finite"),
        (np.full((9, 2), 1e60), normal(9, 2), {"size": 5}, r"beyond 1e\+50"),
        (normal(9, 2).astype(complex), normal(9, 2), {"size": 5}, "received complex128"),
        (normal(9, 2), normal(9, 2), {"size": 1}, "received 100 of 1"),
        (normal(9, 2), normal(9, 2), {"size": 5, "subsets": 0}, "received 0 of 5"),
    ],
)
def test_what_has_no_kernel_distance(a, b, options, message):
    with pytest.raises(DataError, match=message) as error:
        kid(a, b, **options)
    assert "\n" not in str(error.value)
