"""The claims that take seconds hold, and would not if the algorithms were wrong."""

import numpy as np
import pytest

from zoo.claims import base, gradients, parallel_lines, saddle
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
