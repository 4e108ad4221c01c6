"""Independent libraries on the same features: torch-fidelity, and the reference code of precision, recall, density and
coverage (prdc, by the authors of the last two)."""

import numpy as np
import pytest

from zoo.metrics import kid
from zoo.metrics.fid import frechet_distance
from zoo.metrics.prdc import prdc


@pytest.fixture(scope="module")
def sets():
    """Real and generated features, float32: they overlap in part, and are as skewed as those behind a ReLU."""
    random = np.random.RandomState(0)
    real = np.maximum(random.standard_normal((1500, 48)), -0.3).astype(np.float32)
    return real, np.maximum(1.1 * random.standard_normal((1300, 48)) + 0.1, -0.3).astype(np.float32)


@pytest.fixture(scope="module")
def fidelity():
    return pytest.importorskip(
        "torch_fidelity", reason="the package torch-fidelity is not installed", exc_type=Exception
    )


def test_frechet_as_torch_fidelity_has_it(fidelity, sets):
    stats = [{"mu": a.mean(axis=0, dtype="f8"), "sigma": np.cov(a.astype("f8"), rowvar=False)} for a in sets]
    expected = fidelity.metric_fid.fid_statistics_to_metric(*stats, False)["frechet_inception_distance"]
    assert frechet_distance(*sets) == pytest.approx(expected, rel=1e-6)


def test_kid_as_torch_fidelity_has_it(fidelity, sets):
    """The same subsets: both draw them from one RandomState, first of the one set, then of the other."""
    import torch

    found = kid.kid(*sets, subsets=20, size=500, seed=2020)
    wanted = {"kid_subsets": 20, "kid_subset_size": 500, "rng_seed": 2020, "verbose": False}
    expected = fidelity.metric_kid.kid_features_to_metric(*(torch.from_numpy(a.astype("f8")) for a in sets), **wanted)
    assert found.value == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-6)
    assert found.std == pytest.approx(expected["kernel_inception_distance_std"], rel=1e-6)


def test_precision_and_recall_as_torch_fidelity_has_them(fidelity, sets):
    import torch

    real, fake = (torch.from_numpy(a.astype("f8")) for a in sets)
    expected = fidelity.metric_prc.prc_features_to_metric(fake, real, prc_neighborhood=3, verbose=False)
    found = prdc(*sets, k=3)
    assert found.precision == pytest.approx(expected["precision"], rel=1e-6) and 0.1 < found.precision < 0.9
    assert found.recall == pytest.approx(expected["recall"], rel=1e-6) and 0.1 < found.recall < 1


def test_all_four_as_the_reference_code_has_them(sets, capsys):
    reference = pytest.importorskip("prdc", reason="the package prdc is not installed")
    real, fake = (a.astype("f8") for a in sets)
    for k in (3, 5):
        expected = reference.compute_prdc(real, fake, nearest_k=k)
        assert prdc(*sets, k=k, k_density=k)._asdict() == pytest.approx(expected)
