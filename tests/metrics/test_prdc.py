"""Precision and recall, density and coverage, memorisation: by hand, by brute force, by scikit-learn, as published."""

import numpy as np
import pytest

from zoo.core.errors import DataError
from zoo.metrics import distances
from zoo.metrics.prdc import memorisation, nearest, prdc


def normal(*shape, seed=0):
    return np.random.RandomState(seed).standard_normal(shape)


def column(*values):
    return np.array(values, "float64")[:, None]


def brute(real, fake, k, k_density):
    """The four numbers from whole matrices of squared distances, which are exact for small integers."""
    real, fake = real.astype("int64"), fake.astype("int64")

    def between(a, b):
        return ((a[:, None] - b) ** 2).sum(axis=-1)

    def reach(a, k):
        return np.sort(between(a, a), axis=1)[:, k]  # column 0 is the point itself

    across = between(fake, real)  # [M, N]
    density = across < reach(real, k_density)
    return (
        (across <= reach(real, k)).any(axis=1).mean(),
        (across <= reach(fake, k)[:, None]).any(axis=0).mean(),
        density.sum() / (k_density * len(fake)),
        density.any(axis=0).mean(),
    )


def test_the_edge_belongs_to_the_balls_of_precision_and_not_to_those_of_density():
    """Reals 0, 1, 3, 7 reach 1, 1, 2, 4 at k = 1: -1 and 11 lie on an edge each, 20 nowhere."""
    real, fake = column(0, 1, 3, 7), column(-1, 11, 20)
    assert prdc(real, fake, k=1, k_density=1) == (2 / 3, 1, 0, 0)
    assert prdc(real, column(-1.01, 11.01, 20), k=1, k_density=1).precision == 0


def test_only_reals_have_balls_in_density_and_coverage():
    """Reals 0, 1, 2, 3 reach 1 each; 1.5 is inside the balls of 1 and 2. The ball of an outlier at 100 holds all."""
    real, fake = column(0, 1, 2, 3), column(1.5, 100)
    assert prdc(real, fake, k=1, k_density=1) == (1 / 2, 1, 2 / (1 * 2), 2 / 4)


def test_precision_is_about_fakes_and_recall_about_reals():
    real = np.concatenate([normal(60, 2), normal(60, 2) + 100])
    fake = np.concatenate([normal(30, 2, seed=1), normal(10, 2, seed=1) - 100])
    precision, recall, *_ = prdc(real, fake)
    assert 0.6 < precision <= 30 / 40
    assert 0.3 < recall <= 60 / 120
    assert prdc(fake, real)[:2] == (recall, precision)


def test_a_set_against_itself():
    """Each is in its own ball. Below the k-th neighbour are itself and k - 1 others: a density of 1 exactly."""
    real = normal(200, 3)
    assert prdc(real, real.copy()) == (1, 1, 1, 1)


@pytest.mark.parametrize("size", [700, 2**23])
@pytest.mark.parametrize("offset", [0, 10**6])
def test_by_brute_force_where_many_distances_are_equal(size, offset, monkeypatch):
    monkeypatch.setattr(distances, "BLOCK", size)
    random = np.random.RandomState(0)
    real, fake = random.randint(0, 8, (130, 4)) + offset, random.randint(2, 11, (90, 4)) + offset
    expected = brute(real, fake, 3, 5)
    assert min(expected) > 0 and max(expected[0], expected[3]) < 1
    real, fake = real.astype("float64"), fake.astype("float64")
    assert prdc(real, fake) == pytest.approx(expected, rel=1e-14)
    integers = [(a - offset).astype("int64") for a in (real, fake)]
    assert prdc(real, fake, k=6, k_density=2) == pytest.approx(brute(*integers, 6, 2), rel=1e-14)


@pytest.mark.parametrize("k", [3, 5])
def test_by_the_reference_code(k):
    """Of the authors of density and coverage, on features as skewed as those behind a ReLU."""
    reference = pytest.importorskip("prdc", reason="the package prdc is not installed")
    real, fake = (
        np.maximum(x, -0.3).astype("float32") for x in (normal(1500, 48), 1.1 * normal(1300, 48, seed=1) + 0.1)
    )
    expected = reference.compute_prdc(real.astype("float64"), fake.astype("float64"), nearest_k=k)
    assert prdc(real, fake, k=k, k_density=k)._asdict() == pytest.approx(expected)


def test_what_a_perfect_generator_scores():
    """Density 1; coverage 1 - (N - 1)...(N - k) / (M + N - 1)...(M + N - k) (the paper's Lemma 2), near 1 - 2^-k."""
    n, m, k = 200, 150, 3
    scores = np.array([prdc(normal(n, 4, seed=i), normal(m, 4, seed=99 + i), k_density=k)[2:] for i in range(20)])
    i = np.arange(1, k + 1)
    expected = np.array([1, 1 - np.prod((n - i) / (m + n - i))])
    error = scores.std(axis=0) / 20**0.5
    assert (error < 0.02).all()
    assert (np.abs(scores.mean(axis=0) - expected) < 3 * error).all()


@pytest.mark.slow
def test_the_published_numbers_of_normal_samples_in_1000_dimensions():
    """The authors of density and coverage print 0.4772, 0.4705, 1.0555 and 0.9735 for one draw at k = 5."""
    precision, recall, density, coverage = prdc(normal(10_000, 1_000), normal(10_000, 1_000, seed=1), k=5)
    assert precision == pytest.approx(0.477, abs=0.02)
    assert recall == pytest.approx(0.4705, abs=0.02)
    assert density == pytest.approx(1.05, abs=0.06)
    assert coverage == pytest.approx(0.9735, abs=0.01)


def test_float16_features_do_not_overflow():
    real, fake = (300 * normal(80, 16)).astype("float16"), (300 * normal(70, 16, seed=1)).astype("float16")
    assert prdc(real, fake) == prdc(real.astype("float64"), fake.astype("float64"))


def test_uint8_pixels_do_not_wrap_around():
    real, fake = column(0, 10, 20).astype("uint8"), column(255, 1).astype("uint8")
    np.testing.assert_array_equal(nearest(fake, real)[0], [235, 1])
    assert prdc(real, fake, k=1, k_density=1).precision == 0.5


def test_nearest_names_distance_and_index_of_a_reference():
    queries, references = np.array([[0.0, 0.0], [9.0, 1.0]]), np.array([[6.0, -3.0], [3.0, 4.0], [50.0, 0.0]])
    lengths, indices = nearest(queries, references)
    np.testing.assert_allclose(lengths, [5, 5], rtol=1e-15)
    np.testing.assert_array_equal(indices, [1, 0])


def test_a_copy_is_at_distance_zero_wherever_it_stands():
    references = (1e4 + normal(300, 40)).astype("float32")
    lengths, indices = nearest(references[[7, 250, 7]], references)
    np.testing.assert_array_equal(lengths, 0)
    np.testing.assert_array_equal(indices, [7, 250, 7])


@pytest.mark.parametrize("size", [700, 2**23])
def test_nearest_by_scikit_learn(size, monkeypatch):
    learn = pytest.importorskip("sklearn.neighbors", reason="scikit-learn is the second opinion")
    monkeypatch.setattr(distances, "BLOCK", size)
    queries, references = normal(111, 10) + 50, normal(130, 10, seed=1) + 50
    lengths, indices = learn.NearestNeighbors(n_neighbors=1, algorithm="kd_tree").fit(references).kneighbors(queries)
    found = nearest(queries, references)
    np.testing.assert_allclose(found[0], lengths[:, 0], rtol=1e-9)
    np.testing.assert_array_equal(found[1], indices[:, 0])


def test_memorisation_by_hand():
    """Training at 0; test at 1..100: median 50.5, 1st percentile 1.99. Fakes at 1, 1.98, 2 and 101: median 1.99."""
    result = memorisation(column(1, 1.98, 2, 101), column(0), column(*range(1, 101)))
    assert result == (pytest.approx(1.99 / 50.5, rel=1e-12), 0.5)


def test_memorisation_of_copies_and_of_fresh_data():
    train, test, fresh = normal(500, 8), normal(2000, 8, seed=1), normal(2000, 8, seed=2)
    assert memorisation(train[::3], train, test) == (0, 1)
    assert memorisation(train[::3] + 1e-3, train, test) == (pytest.approx(0.0017, abs=0.0005), 1)
    ratio, nearer = memorisation(fresh, train, test)
    assert ratio == pytest.approx(1, abs=0.03)
    assert nearer == pytest.approx(0.01, abs=0.0075)
    far = memorisation(3 * fresh, train, test)
    assert far.ratio > 2
    assert far.share_nearer < 0.002


FINE = normal(9, 2)


@pytest.mark.parametrize("measure", [prdc, nearest])
@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (FINE, normal(9, 3), r"received float64 \[9, 2\] and float64 \[9, 3\]"),
        (FINE, normal(0, 2), r"needs? \d samples or more in each set, received .* \[0, 2\]"),
        (FINE, np.full((9, 2), np.inf), "finite"),
        (FINE.astype(bool), FINE, "received bool"),
    ],
)
def test_what_has_no_neighbours(measure, a, b, message):
    with pytest.raises(DataError, match=message) as error:
        measure(a, b)
    assert "\n" not in str(error.value)


def test_the_k_th_neighbour_needs_k_others():
    assert prdc(normal(6, 2), normal(4, 2, seed=1))
    assert prdc(normal(4, 2), normal(4, 2, seed=1), k_density=3)
    with pytest.raises(DataError, match=r"precision and recall with k = 3 needs 4 .* \[9, 2\] and float64 \[3, 2\]"):
        prdc(FINE, normal(3, 2))
    with pytest.raises(DataError, match="density and coverage with k = 5 needs 6 samples or more"):
        prdc(normal(5, 2), FINE)
    for options in ({"k": 0}, {"k_density": 0}):
        with pytest.raises(DataError, match="received k = 0"):
            prdc(FINE, FINE, **options)


def test_memorisation_needs_test_examples_that_are_new():
    train = normal(300, 2)
    with pytest.raises(DataError, match="100 test examples or more, received 99"):
        memorisation(FINE, train, normal(99, 2, seed=1))
    with pytest.raises(DataError, match="half of the test examples or more stand in the training set"):
        memorisation(FINE, train, np.concatenate([train[:100], normal(99, 2, seed=1)]))
    with pytest.raises(DataError, match="memorisation takes finite features"):
        memorisation(FINE, train, np.full((100, 2), np.nan))
