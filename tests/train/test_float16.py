"""Training in float16: a scale for each phase, skipped updates, and all that is kept in float32. On each backend."""

import json
import math
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pytest
import tiny
from keras import ops

from zoo.nn import loss_scale
from zoo.nn.layers import MinibatchStdDev, PixelNorm

HELPER = Path(__file__).parents[1] / "helpers" / "half_steps.py"


@pytest.fixture(
    scope="module", params=["tensorflow", *(pytest.param(name, marks=pytest.mark.slow) for name in ("jax", "torch"))]
)
def found(request, tmp_path_factory):
    """What tests/helpers/half_steps.py finds, in a process for each backend."""
    if find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed: pip install -e '.[{request.param}]'")
    environment = {**os.environ, "KERAS_BACKEND": request.param}
    command = [sys.executable, str(HELPER), str(tmp_path_factory.mktemp("half"))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_an_overflow_skips_the_update_of_its_phase_and_halves_its_scale(found):
    one = found["overflow"]
    assert one["moved"] == ["generator", "generator_optimizer"]
    assert one["scales"] == {"discriminator": 2.0**59, "generator": loss_scale.INITIAL}
    assert all(map(math.isfinite, one["logs"].values()))  # the loss itself did not overflow


def test_good_updates_in_a_row_double_the_scale(found):
    """Three of them, where the helper asks for three; G's first one was before."""
    one = found["overflow"]
    assert one["then_moved"] == ["discriminator", "discriminator_optimizer", "generator", "generator_optimizer"]
    assert one["then_scales"] == {"discriminator": 2.0**9, "generator": 2 * loss_scale.INITIAL}


def test_networks_compute_in_halves_and_all_that_is_kept_is_float32(found):
    assert found["types"] == {"kept": ["float32"], "computed": ["float16"]}
    assert found["gradients"]["loss"] == ["float32"]


def test_gradients_of_penalties_agree_with_float32_because_of_the_scale(found):
    scaled, unscaled = found["gradients"]["distances"]
    assert scaled < 0.01 and unscaled > 3 * scaled


@pytest.mark.parametrize(
    "phase, other, pool", [("discriminator", "generator", []), ("generator", "discriminator", ["old"])]
)
def test_in_a_game_a_skipped_update_moves_no_pool_and_no_state(found, phase, other, pool):
    """D's loss has a penalty, by second derivatives, and its fakes come from the pool; each state follows one loss."""
    one = found["game"][phase]
    assert one["moved"] == sorted([other, f"{other}_optimizer", *pool, "last_losses", "states"])
    assert one["states"] == [f"states/seen_by_{other[0]}/value"]
    assert one["scales"] == {phase: 2.0**59, other: loss_scale.INITIAL}
    assert all(map(math.isfinite, one["logs"].values()))


def test_a_term_may_overflow_before_it_was_ever_logged(tmp_path, capsys):
    """Its first update is skipped: the term is not known then, which is no fault of the training."""
    text = tiny.DENSE.replace("    loss: non_", "    values: {r1: {r1: {of: on_real, wrt: image}}}\n    loss: non_")
    lazy = "discriminator: {optimizer: {SGD: {learning_rate: 0.1}}, minimise: {r1: {weight: 1.0e+7, every: 4}}}"
    text = text.replace("discriminator: *player", lazy).replace("steps: 3}", "steps: 3, precision: mixed_float16}")
    assert tiny.train(tmp_path, text).step == 3
    lines = [line for line in capsys.readouterr().err.splitlines() if "  generator " in line]
    assert len(lines) == 2 and not any("r1" in line or "nan" in line for line in lines)


def test_a_checkpoint_holds_the_scales(found):
    assert found["resumed"] == {"discriminator": 2.0**9, "generator": loss_scale.INITIAL}


class State:
    """An optimizer as far as a scale needs one."""

    def __init__(self, scale, good=0):
        self.loss_scale, self.good_updates = keras.Variable(scale), keras.Variable(good, dtype="int32")

    def adjusted(self, good):
        loss_scale.adjust(self, ops.convert_to_tensor(good))
        return float(self.loss_scale.value), int(self.good_updates.value)


def test_the_scale_moves_by_factors_of_two_between_its_bounds():
    assert State(8.0, 5).adjusted(False) == (4.0, 0)
    assert State(8.0, 5).adjusted(True) == (8.0, 6)
    assert State(8.0, loss_scale.DOUBLE_AFTER - 1).adjusted(True) == (16.0, 0)
    assert State(loss_scale.HIGHEST, loss_scale.DOUBLE_AFTER - 1).adjusted(True) == (loss_scale.HIGHEST, 0)


def test_gradients_that_no_scale_makes_finite_end_the_run():
    """Its loss is not a number, at which a training stops; before that it is what it was."""
    x = keras.Variable(3.0)
    for scale, known in ((loss_scale.LOWEST, True), (loss_scale.LOWEST / 2, False)):
        result = loss_scale.scaled_value_and_grad(lambda: (x * x, {"twice": 2 * x}), [x], State(scale))
        assert math.isfinite(float(result.value)) is known
        assert float(result.gradients[0]) == 6.0 and {k: float(v) for k, v in result.extras.items()} == {"twice": 6.0}


def test_infinity_and_nan_are_seen_in_any_gradient():
    fine = [ops.ones((2, 3)), ops.zeros(())]
    assert bool(loss_scale.are_finite(fine))
    for wrong in (np.inf, -np.inf, np.nan):
        assert not bool(loss_scale.are_finite([*fine, ops.convert_to_tensor(np.float32([0, wrong]))]))


@pytest.mark.parametrize("layer", [PixelNorm, MinibatchStdDev])
@pytest.mark.parametrize("size", [0.0, 300.0])
def test_layers_with_squares_compute_them_in_float32(layer, size):
    """In float16 the square of 300 is infinite, and an epsilon of 1e-8 is zero: 0 / 0."""
    x = ops.convert_to_tensor(np.full((4, 2, 2, 3), size, "float16"))
    y = ops.convert_to_numpy(layer(dtype="mixed_float16")(x))
    assert y.dtype == np.float16 and np.isfinite(y).all()
    assert y[..., :3] == pytest.approx(1.0 if layer is PixelNorm and size else size, rel=2e-3)
