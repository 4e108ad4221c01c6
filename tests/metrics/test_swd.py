"""Sliced Wasserstein distance: closed forms of its parts, and what the whole must see and must not see."""

import math

import numpy as np
import pytest

from zoo.core.errors import DataError
from zoo.metrics import swd


def images(n=64, *, seed=0, size=32, channels=1):
    """Smooth blobs: noise at a quarter of the size, enlarged softly."""
    coarse = np.random.RandomState(seed).randint(0, 256, (n, size // 4, size // 4, channels))
    return np.rint(swd.up(swd.up(coarse))).clip(0, 255).astype("uint8")


def measure(a, b):
    return swd.sliced_wasserstein(a, b, patches=16, repeats=2)


def test_distance_of_shifted_gaussians_is_the_mean_projection_of_the_shift():
    """|m . u| over unit directions u in d dimensions: |m| Gamma(d/2) / (sqrt(pi) Gamma((d+1)/2))."""
    random, d = np.random.RandomState(0), 6
    a = random.standard_normal((4000, d))
    shift = np.full(d, 2.0)
    expected = np.linalg.norm(shift) * math.gamma(d / 2) / (math.sqrt(math.pi) * math.gamma((d + 1) / 2))
    assert swd.patch_distance(a, a + shift, 4096, random) == pytest.approx(expected, rel=0.03)
    assert swd.patch_distance(a, a[::-1], 64, random) == pytest.approx(0, abs=1e-12)  # order does not matter


def test_the_pyramid_can_be_put_together_again():
    x = images(3, size=64, channels=3)
    levels = swd.pyramid(x)
    assert [level.shape[1] for level in levels] == [64, 32, 16]
    whole = levels[-1]
    for level in reversed(levels[:-1]):
        whole = level + swd.up(whole)
    np.testing.assert_allclose(whole, x, atol=1e-3)


def test_a_flat_image_has_no_details():
    """The filter keeps a constant, edges included, on the way down and on the way up."""
    details, rest = swd.pyramid(np.full((2, 32, 32, 1), 77, "uint8"))
    np.testing.assert_allclose(details, 0, atol=1e-4)
    np.testing.assert_allclose(rest, 77, rtol=1e-6)


def test_standardised_by_channel():
    x = np.random.RandomState(0).standard_normal((50, 7 * 7 * 2)) * 5
    x[:, 1::2] += 100
    y = swd.standardised(x, 2).reshape(-1, 2)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(y.std(axis=0), 1, rtol=1e-9)


def test_it_sees_texture_at_the_scale_where_it_is():
    """Noise of single pixels changes the finest level far more than the coarsest; equal kinds stay at the floor."""
    same = measure(images(), images(seed=1))
    noisy = images(seed=1).astype(int) + np.random.RandomState(2).randint(-60, 61, images().shape)
    found = measure(images(), noisy.clip(0, 255).astype("uint8"))
    assert list(same) == list(found) == [32, 16]
    assert found[32] > 3 * same[32] and found[32] - same[32] > 3 * (found[16] - same[16])


def test_sets_are_standardised_apart_so_contrast_is_not_seen():
    a = images()
    floor, faint = measure(a, images(seed=1)), measure(a, images(seed=1) // 4)
    assert faint == pytest.approx(floor, rel=0.15)


def test_a_seed_gives_the_same_number():
    assert measure(images(), images(seed=1)) == measure(images(), images(seed=1))


@pytest.mark.parametrize("b", [images(63), images(size=16), images().astype("float32"), images(channels=3)])
def test_sets_that_do_not_match(b):
    with pytest.raises(DataError, match="received"):
        measure(images(), b)


def test_sizes_without_a_pyramid():
    for size in (8, 24, 48):
        with pytest.raises(DataError, match="S = 16, 32, 64"):
            measure(images(size=size), images(size=size))
