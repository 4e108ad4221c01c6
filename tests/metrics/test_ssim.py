"""L1 and SSIM of pairs, against values by hand and an independent filter."""

import numpy as np
import pytest

from zoo.core.errors import DataError
from zoo.metrics import ssim


def images(n=3, *, seed=0, size=20, channels=3):
    return np.random.RandomState(seed).randint(0, 256, (n, size, size, channels)).astype("uint8")


def test_l1_is_a_share_of_the_full_range_without_wrapping_around():
    black, white = np.zeros((2, 12, 12, 3), "uint8"), np.full((2, 12, 12, 3), 255, "uint8")
    np.testing.assert_array_equal(ssim.l1(black, white), [1, 1])
    np.testing.assert_array_equal(ssim.l1(white, black), [1, 1])
    half = black.copy()
    half[0, :6] = 51
    np.testing.assert_allclose(ssim.l1(half, black), [0.1, 0])


def test_ssim_of_equal_images_is_one():
    np.testing.assert_allclose(ssim.ssim(images(), images()), 1, rtol=1e-12)


def test_ssim_of_flat_images_is_their_luminance_term():
    a, b = np.full((1, 15, 13, 1), 50, "uint8"), np.full((1, 15, 13, 1), 200, "uint8")
    c1 = 2.55**2
    assert ssim.ssim(a, b)[0] == pytest.approx((2 * 50 * 200 + c1) / (50**2 + 200**2 + c1), rel=1e-9)


def test_ssim_through_another_filter():
    """scipy's Gaussian filter, cut off at 5 pixels, is the same window; its inner part sees no border."""
    ndimage = pytest.importorskip("scipy.ndimage")
    a, b = images(1, channels=1)[0, ..., 0].astype(float), images(1, seed=1, channels=1)[0, ..., 0].astype(float)

    def blur(x):
        return ndimage.gaussian_filter(x, 1.5, truncate=5 / 1.5)[5:-5, 5:-5]

    ma, mb = blur(a), blur(b)
    va, vb, both = blur(a * a) - ma**2, blur(b * b) - mb**2, blur(a * b) - ma * mb
    c1, c2 = 2.55**2, 7.65**2
    expected = ((2 * ma * mb + c1) * (2 * both + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))).mean()
    found = ssim.ssim(a[None, ..., None].astype("uint8"), b[None, ..., None].astype("uint8"))
    assert found[0] == pytest.approx(expected, rel=1e-9)


def test_structure_counts_more_than_brightness():
    a = images(1) // 2
    brighter, shuffled = a + 20, a.reshape(1, -1).copy()
    np.random.RandomState(2).shuffle(shuffled[0])
    assert ssim.ssim(a, brighter)[0] > 0.9 > 0.2 > ssim.ssim(a, shuffled.reshape(a.shape))[0]


@pytest.mark.parametrize("b", [images(2), images(size=21), images().astype("float32"), images()[0]])
def test_what_are_no_pairs(b):
    for metric in (ssim.l1, ssim.ssim):
        with pytest.raises(DataError, match="received"):
            metric(images(), b)


def test_ssim_needs_room_for_its_window():
    with pytest.raises(DataError, match="received images of 10x10"):
        ssim.ssim(images(size=10), images(size=10))
