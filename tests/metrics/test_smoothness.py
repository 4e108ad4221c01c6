"""Latent walks: even, uneven, with a jump."""

import numpy as np
import pytest

from zoo.core.errors import DataError
from zoo.metrics.smoothness import largest_jump

STRAIGHT = np.arange(6.0)[:, None] * np.array([3.0, 4.0])  # [S, D], steps of 5


def test_even_steps_score_one_along_a_line_and_along_a_circle():
    angle = np.linspace(0, 3, 9)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    assert largest_jump(STRAIGHT[None]) == pytest.approx(1, rel=1e-14)
    assert largest_jump(circle[None]) == pytest.approx(1, rel=1e-12)


def test_a_path_that_stands_still_but_for_one_jump_scores_its_steps():
    path = np.zeros((1, 6, 2))
    path[:, 4:] = 7
    assert largest_jump(path) == pytest.approx(5, rel=1e-14)


def test_each_path_is_held_against_its_own_mean_and_lengths_are_euclidean():
    """Steps 5, 5, 5, 5, 5 -> 1; steps 500, 500, 500, 500, 1000 -> 1000 / 600; both together their mean."""
    uneven = 100 * STRAIGHT.copy()
    uneven[5] += 100 * np.array([3.0, 4.0])
    assert largest_jump(uneven[None]) == pytest.approx(1000 / 600, rel=1e-14)
    assert largest_jump(np.stack([STRAIGHT, uneven])) == pytest.approx((1 + 1000 / 600) / 2, rel=1e-14)
    corner = np.array([[0.0, 0.0], [3.0, 0.0], [6.0, 4.0]])  # steps of 3 and 5; of 3 and 7 in city blocks
    assert largest_jump(corner[None]) == pytest.approx(5 / 4, rel=1e-14)


def test_finer_steps_leave_a_smooth_walk_alone_and_raise_a_jump():
    def walk(steps, sharpness):
        t = np.linspace(-1, 1, steps + 1)
        return np.tanh(sharpness * t)[None, :, None]

    assert largest_jump(walk(200, 1)) == pytest.approx(1 / np.tanh(1), rel=1e-3)  # largest slope over mean slope
    assert largest_jump(walk(50, 1)) == pytest.approx(1 / np.tanh(1), rel=1e-2)
    assert largest_jump(walk(51, 1e4)) == pytest.approx(51, rel=1e-9)


def test_uint8_pixels_do_not_wrap_around_and_float16_does_not_overflow():
    down = np.array([[200], [100], [0]], "uint8")
    assert largest_jump(down[None]) == pytest.approx(1)
    assert largest_jump((1000 * STRAIGHT[None]).astype("float16")) == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (STRAIGHT, r"received float64 \[6, 2\]"),
        (STRAIGHT[None, :2], r"3 places or more, received float64 \[1, 2, 2\]"),
        (np.zeros((0, 6, 2)), r"received float64 \[0, 6, 2\]"),
        (np.stack([STRAIGHT, 0 * STRAIGHT]), "path 1 of 2 stands still"),
        (np.full((1, 6, 2), np.nan), "finite"),
        (np.zeros((1, 6, 2), bool), "received bool"),
    ],
)
def test_what_is_no_walk(features, message):
    with pytest.raises(DataError, match=message) as error:
        largest_jump(features)
    assert "\n" not in str(error.value)
