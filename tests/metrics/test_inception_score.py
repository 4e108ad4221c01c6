"""The Inception score where it is known, and through scipy's entropy."""

import numpy as np
import pytest

from zoo.core.errors import DataError
from zoo.metrics.classifier import inception_score


def logits(n, classes=10, *, seed=0, scale=3.0):
    return scale * np.random.RandomState(seed).standard_normal((n, classes))


def test_sure_and_even_scores_the_number_of_classes_and_sure_of_one_scores_one():
    sure = np.tile(1e4 * np.eye(10), (20, 1))
    assert inception_score(sure) == (pytest.approx(10, rel=1e-12), pytest.approx(0, abs=1e-12))
    assert inception_score(np.tile(sure[:1], (200, 1))) == (pytest.approx(1, rel=1e-12), pytest.approx(0, abs=1e-12))
    assert inception_score(np.zeros((200, 10))) == (pytest.approx(1, rel=1e-12), pytest.approx(0, abs=1e-12))


def test_by_hand():
    """(0.9, 0.1) and (0.5, 0.5): p(y) = (0.7, 0.3)."""
    p = np.array([[0.9, 0.1], [0.5, 0.5]])
    divergence = 0.9 * np.log(0.9 / 0.7) + 0.1 * np.log(0.1 / 0.3) + 0.5 * np.log(0.5 / 0.7) + 0.5 * np.log(0.5 / 0.3)
    assert inception_score(np.log(p), splits=1).mean == pytest.approx(np.exp(divergence / 2), rel=1e-13)


def test_splits_are_cut_in_order_and_their_spread_is_that_of_a_population():
    """Sorted by class, every split knows one class alone; two halves of (1 class, 2 classes) score 1 and 2."""
    assert inception_score(np.repeat(1e4 * np.eye(10), 20, axis=0)).mean == pytest.approx(1, rel=1e-12)
    halves = 1e4 * np.eye(3)[[0, 0, 0, 0, 1, 2, 1, 2]]
    assert inception_score(halves, splits=2) == (pytest.approx(1.5, rel=1e-12), pytest.approx(0.5, rel=1e-12))
    assert inception_score(halves, splits=8) == (pytest.approx(1), pytest.approx(0, abs=1e-12))


def test_no_sample_is_left_out_where_splits_do_not_divide():
    values = logits(103)
    parts = np.split(values, [25, 51, 77])  # 0, 103 / 4, 206 / 4, 309 / 4
    expected = [inception_score(part, splits=1).mean for part in parts]
    found = inception_score(values, splits=4)
    assert found == (pytest.approx(np.mean(expected), rel=1e-12), pytest.approx(np.std(expected), rel=1e-9))


def test_through_scipys_entropy():
    stats = pytest.importorskip("scipy.stats", reason="scipy is the second opinion")
    special = pytest.importorskip("scipy.special", reason="scipy is the second opinion")
    p = special.softmax(logits(300), axis=1)
    expected = np.exp(stats.entropy(p, p.mean(axis=0, keepdims=True), axis=1).mean())
    assert inception_score(logits(300), splits=1).mean == pytest.approx(expected, rel=1e-10)
    assert inception_score(logits(300).astype("float32"), splits=1).mean == pytest.approx(expected, rel=1e-6)


def test_large_logits_and_a_shift_change_nothing():
    usual = inception_score(logits(200))
    assert inception_score(logits(200) + 1e4) == pytest.approx(usual, rel=1e-9)
    assert inception_score(logits(200) - 1e4) == pytest.approx(usual, rel=1e-9)
    assert inception_score(logits(200, scale=1e5)).mean == pytest.approx(
        np.mean([np.exp(_entropy(part.argmax(axis=1))) for part in np.split(logits(200), 10)]), rel=1e-9
    )  # sure of each: the score is exp of the entropy of the verdicts


def _entropy(ids):
    share = np.bincount(ids)[np.bincount(ids) > 0] / len(ids)
    return -(share * np.log(share)).sum()


def test_a_probability_of_zero():
    with np.errstate(divide="ignore"):
        sure = np.log(np.eye(4)[[0, 1, 0, 1]])
    assert inception_score(sure, splits=1).mean == pytest.approx(2, rel=1e-13)


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (np.full((20, 10), 0.1), {}, "logarithm of probabilities"),
        (logits(5), {}, r"5 samples make 1..5 splits, received splits = 10"),
        (logits(5), {"splits": 0}, "received splits = 0"),
        (logits(50).astype("int64"), {}, "received int64"),
        (logits(50)[:, 0], {}, r"received float64 \[50\]"),
        (logits(50, 1), {}, r"received float64 \[50, 1\]"),
        (np.full((20, 10), np.nan), {}, "finite"),
    ],
)
def test_what_has_no_score(values, options, message):
    with pytest.raises(DataError, match=message) as error:
        inception_score(values, **options)
    assert "\n" not in str(error.value)
