"""The claims that take seconds hold, and would not if the algorithms were wrong."""

import numpy as np
import pytest

from zoo.claims import base, gradients, parallel_lines, saddle, two_densities
from zoo.claims.base import Options

pytest.importorskip("matplotlib")


@pytest.fixture
def run(tmp_path):
    def reproduce(name):
        result = base.reproduce(name, Options(folder=tmp_path))
        assert (tmp_path / f"{name}.png").stat().st_size > 5000
        return result

    return reproduce


def test_saddle(run):
    result = run("saddle")
    assert result.holds, result.text()
    assert len(result.rows) == 4 and all(row.judged for row in result.rows)


def test_the_radii_of_the_recurrence_are_those_of_the_fact_sheet():
    expected = {0: 2.3258, 1: 0.8847, 5: 0.01396, 10: 0.000836}
    for k, value in expected.items():
        assert saddle.radius(k) == pytest.approx(value, rel=5e-4)


def test_gradients(run):
    result = run("gradients")
    assert result.holds, result.text()
    assert len(result.rows) == 6


@pytest.mark.parametrize("k", [1, 5])
def test_a_look_ahead_without_the_way_back_is_seen(monkeypatch, k):
    """The mistake of a well-known re-implementation: theta_D^K as a constant. It is what `without` foretells."""
    from keras import ops

    from zoo.train.algorithms.unrolled import unrolled

    original = unrolled.look_ahead
    monkeypatch.setattr(unrolled, "look_ahead", lambda *args: [ops.stop_gradient(v) for v in original(*args)])
    found = gradients.unrolled(k)
    assert found.error(found.ours) > 0.1
    np.testing.assert_allclose(found.ours, found.without, atol=1e-5)


def test_a_penalty_without_its_second_derivative_is_seen(monkeypatch):
    from keras import ops

    from zoo.nn import functions_penalties as penalties

    original = penalties.squared_norms
    monkeypatch.setattr(penalties, "squared_norms", lambda *args: ops.stop_gradient(original(*args)))
    found = gradients.penalty()
    assert found.error(found.ours) > 0.1
    np.testing.assert_allclose(found.ours, found.without, atol=1e-5)


@pytest.mark.parametrize("thetas", [(-1.0, 0.0, 1.0), pytest.param(parallel_lines.THETAS, marks=pytest.mark.slow)])
def test_parallel_lines(run, monkeypatch, thetas):
    monkeypatch.setattr(parallel_lines, "THETAS", thetas)
    result, apart = run("parallel_lines"), len(thetas) - 1  # at 0 there is no slope
    assert result.holds, result.text()
    judged = [row for row in result.rows if row.judged]
    assert len(judged) == 2 * len(thetas) + 2 * apart + apart - 1
    at_one = next(row for row in result.rows if row.quantity == "W, theta = 1")
    assert at_one.ours == pytest.approx(1 * (1 + 1 / (2 * parallel_lines.LAMBDA)), abs=0.02)  # the penalised optimum


def test_parallel_lines_miss_without_the_penalty(monkeypatch):
    """A critic that nothing holds has no bound: its estimate is not the distance."""
    kind = parallel_lines.KINDS["gradient penalty"]
    free = kind._replace(args={**kind.args, "penalties": []})
    monkeypatch.setattr(parallel_lines, "THETAS", (1.0,))
    monkeypatch.setattr(parallel_lines, "STEPS", 100)
    assert parallel_lines.compare(free, 0)[0, 0] > 2


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (two_densities.Normal(0, 1), two_densities.Normal(0, 1), 0.0),
        (two_densities.Normal(-9, 0.5), two_densities.Normal(9, 0.5), np.log(2)),
    ],
)
def test_the_divergence_of_equal_and_of_separate_densities(one, other, expected):
    assert two_densities.jensen_shannon(one, other) == pytest.approx(expected, abs=1e-9)


def test_slopes_of_both_losses_add_up_to_theta_and_the_saturating_one_vanishes():
    for theta in two_densities.DISTANCES:
        assert sum(two_densities.slopes(theta)) == pytest.approx(theta, rel=1e-6)
    assert two_densities.slopes(1e-6)[0] == pytest.approx(0.5e-6, rel=1e-3)
    assert two_densities.slopes(12.0)[0] < 1e-6


def test_optimal_discriminator(run, monkeypatch):
    monkeypatch.setattr(two_densities, "FAKES", two_densities.FAKES[2:3])
    monkeypatch.setattr(two_densities, "STEPS", 400)
    result = run("optimal_discriminator")
    assert result.holds, result.text()
    assert result.rows[1].ours < -0.3  # far from -log 4 = -1.386: q is not p


def test_vanishing_gradient(run, monkeypatch):
    monkeypatch.setattr(two_densities, "DISTANCES", (1.0, 4.0))
    monkeypatch.setattr(two_densities, "STEPS", 400)
    result = run("vanishing_gradient")
    assert result.holds, result.text()
    saturating, other = result.rows[1], result.rows[3]
    assert saturating.ours < 0.2 and other.ours > 1


def test_an_untrained_discriminator_is_no_best_one(run, monkeypatch):
    monkeypatch.setattr(two_densities, "FAKES", two_densities.FAKES[2:3])
    monkeypatch.setattr(two_densities, "STEPS", 1)
    assert not run("optimal_discriminator").holds
