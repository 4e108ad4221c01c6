"""Pixels in and out, grey, and the three ways to fit a size; `prepare` applies them to a data set."""

import numpy as np
import pytest
from PIL import Image

from zoo.core.arrays import evenly_spaced
from zoo.core.errors import DataError, ServeError
from zoo.core.images import center_crop, fitted, from_uint8, grey, to_uint8
from zoo.data.dataset import Dataset, prepare

RANDOM = np.random.RandomState(0).randint(0, 256, (5, 8, 8, 3)).astype(np.uint8)


def test_pad_enlarges_by_the_largest_whole_factor():
    four = fitted(RANDOM, 32, 32, "pad")
    np.testing.assert_array_equal(four[:, ::4, ::4], RANDOM)
    np.testing.assert_array_equal(four[:, 3::4, 3::4], RANDOM)


def test_the_middle_is_as_far_from_either_edge_and_nothing_is_resized():
    np.testing.assert_array_equal(center_crop(RANDOM, 4, 6), RANDOM[:, 2:6, 1:7])
    np.testing.assert_array_equal(center_crop(RANDOM, 7, 8), RANDOM[:, :7])  # of an odd border, the smaller half above


def test_pad_centres_on_black():
    images = np.full((1, 28, 28, 1), 200, np.uint8)
    out = fitted(images, 32, 32, "pad")[0, :, :, 0]
    assert out[2:30, 2:30].min() == 200
    assert out.sum() == 28 * 28 * 200  # the rest is black


def test_pad_shrinks_first_what_is_too_large():
    images = np.full((1, 20, 40, 3), 90, np.uint8)
    out = fitted(images, 32, 32, "pad")[0]
    assert out[8:24].min() == 90 and out[:8].max() == 0 and out[24:].max() == 0


def test_crop_keeps_the_middle_of_the_long_side():
    images = np.arange(8, dtype=np.uint8).reshape(1, 1, 8, 1).repeat(4, axis=1)  # columns 0..7, 4 rows
    assert fitted(images, 4, 4, "crop")[0, 0, :, 0].tolist() == [2, 3, 4, 5]


def test_resize_is_antialiased():
    stripes = np.zeros((1, 64, 64, 1), np.uint8)
    stripes[:, :, ::2] = 255  # without antialiasing: all black or all white
    out = fitted(stripes, 16, 16, "resize")[0, 4:12, 4:12]
    assert out.min() > 120 and out.max() < 135


@pytest.mark.parametrize("fit", ["pad", "resize", "crop"])
def test_the_right_size_is_left_alone(fit):
    assert fitted(RANDOM, 8, 8, fit) is RANDOM


def test_unknown_fit_is_named():
    with pytest.raises(DataError, match="Did you mean 'crop'"):
        fitted(RANDOM, 4, 4, "crops")


def test_grey_is_pillows_luma():
    expected = np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in RANDOM])
    np.testing.assert_array_equal(grey(RANDOM)[..., 0], expected)
    primaries = np.diag([255, 255, 255]).astype(np.uint8).reshape(1, 1, 3, 3)
    assert grey(primaries).ravel().tolist() == [76, 150, 29]  # 255 x 0.299, 0.587, 0.114


def test_channels_convert_both_ways():
    data = Dataset("toy", images=RANDOM, labels=np.arange(5), classes=("a",) * 5)
    one = prepare(data, channels=1, size=4, fit="resize")
    assert one.images.shape == (5, 4, 4, 1) and one.labels is data.labels and one.classes == data.classes
    three = prepare(one, channels=3)
    np.testing.assert_array_equal(three.images, one.images.repeat(3, axis=-1))


def test_to_uint8_at_the_ends_and_between():
    raw = np.float32([-1, 1, 0, -7, 7, -1 + 2 * 2.4 / 255, -1 + 2 * 2.6 / 255])
    assert to_uint8(raw, (-1, 1)).tolist() == [0, 255, 128, 0, 255, 2, 3]
    assert to_uint8(np.float32([0.5, 1.5, 2.5, 3.5]), (0, 255)).tolist() == [0, 2, 2, 4]  # halves go to even
    with pytest.raises(ServeError, match="not finite"):
        to_uint8(np.float32([np.nan]), (-1, 1))


@pytest.mark.parametrize("range", [(-1.0, 1.0), (0.0, 1.0), (-3.0, 5.0)])
def test_pixels_survive_the_way_in_and_out(range):
    every = np.arange(256, dtype=np.uint8)
    raw = from_uint8(every, range)
    assert raw.dtype == np.float32 and (raw[0], raw[255]) == range and (np.diff(raw) > 0).all()
    np.testing.assert_array_equal(to_uint8(raw, range), every)


def test_alpha_comes_and_goes():
    """Opaque where there was none; half of red on white is pink, and nothing is white."""
    data = Dataset("flat", images=np.full((1, 2, 2, 1), 7, np.uint8))
    assert prepare(data, channels=4).images[0, 0, 0].tolist() == [7, 7, 7, 255]
    data = Dataset("red", images=np.uint8([[[[255, 0, 0, 128], [9, 9, 9, 0]]]]))
    assert prepare(data, channels=3).images[0, 0].tolist() == [[255, 127, 127], [255, 255, 255]]
    assert prepare(data, channels=1).images[0, 0].tolist() == [[165], [255]]
    wide = Dataset("edge", images=np.uint8([[[[255, 0, 0, 255], [0, 255, 0, 0]] * 4] * 8]))
    small = prepare(wide, size=4, fit="resize").images
    assert small[..., 1].max() == 0  # the green that nobody sees adds nothing


def test_points_pass_through():
    data = Dataset("ring", points=np.zeros((3, 2), np.float32))
    assert prepare(data) is data


@pytest.mark.parametrize(("n", "places"), [(4, [0, 3, 6, 9]), (1, [0]), (10, list(range(10))), (64, list(range(10)))])
def test_evenly_spaced_rows_reach_from_the_first_to_the_last(n, places):
    rows = np.arange(20).reshape(10, 2)
    np.testing.assert_array_equal(evenly_spaced(rows, n), rows[places])
