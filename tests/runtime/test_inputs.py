"""Pixels in and out, and one clear line for every image that a network cannot take."""

import numpy as np
import pytest

from zoo.artifact.tensor import Tensor
from zoo.core.errors import ServeError
from zoo.core.images import from_uint8
from zoo.data.dataset import Dataset
from zoo.data.pipeline import Batches
from zoo.runtime.inputs import check_images, check_input, enclosing_size, nearest_size, nearest_sizes, row_shape

SIZES = {axis: {"multiple": 4, "minimum": 8, "trained": 16} for axis in ("height", "width")}
ANY = Tensor("a", "float32", ("batch", "height", "width", 3), range=(-1.0, 1.0), layout="NHWC", sizes=SIZES)
FIXED = Tensor("a", "float32", ("batch", 16, 24, 1), range=(0.0, 1.0), layout="NHWC")


def pixels(*shape):
    return np.arange(np.prod(shape)).reshape(shape).astype(np.uint8)


def test_they_are_the_numbers_that_training_sees():
    every = np.arange(256, dtype=np.uint8)
    data = Dataset("pixels", images=every.reshape(1, 16, 16, 1))
    seen = Batches(data, batch_size=1, range=(-1.0, 1.0))[0]["image"]
    np.testing.assert_array_equal(from_uint8(every, (-1.0, 1.0)), seen.ravel())


@pytest.mark.parametrize("shape", [(8, 8, 3), (12, 40, 3), (5, 8, 12, 3)])
def test_images_of_allowed_sizes(shape):
    images = pixels(*shape)
    np.testing.assert_array_equal(check_images(ANY, images), images.reshape(-1, *shape[-3:]))


@pytest.mark.parametrize(
    ("tensor", "images", "message"),
    [
        (ANY, pixels(7, 50, 3), "expected images of 8 x 8 or more, received 7 x 50$"),
        (ANY, pixels(2, 8, 3, 3), "expected images of 8 x 8 or more, received 8 x 3$"),
        (ANY, pixels(1, 1, 3), "expected images of 8 x 8 or more, received 1 x 1$"),
        (
            ANY,
            pixels(8, 8, 1),
            r"expected RGB images, received grey \[8, 8, 1\]; repeat the channel with images.repeat",
        ),
        (ANY, pixels(8, 8, 4), r"expected RGB images, received RGBA \[8, 8, 4\]"),
        (
            ANY,
            pixels(8, 8),
            r"expected RGB images \[n, H, W, 3\] or one .* received uint8 \[8, 8\]; a grey image ends in",
        ),
        (ANY, pixels(1, 1, 8, 8, 3), r"received uint8 \[1, 1, 8, 8, 3\]$"),
        (
            ANY,
            pixels(8, 8, 3) / 255,
            r"expected uint8 .* float64 \[8, 8, 3\]; numbers in \[-1, 1\] go to generator\(a=",
        ),
        (ANY, pixels(0, 8, 8, 3), "there is no image in it"),
        (ANY, [[1], [2, 3]], "'images' is not an array"),
        (FIXED, pixels(16, 16, 1), "takes only images of 16 x 24, received 16 x 16"),
        (FIXED, pixels(16, 24, 3), r"expected grey images, received RGB \[16, 24, 3\]$"),
    ],
)
def test_images_that_it_cannot_take(tensor, images, message):
    with pytest.raises(ServeError, match=message) as caught:
        check_images(tensor, images)
    assert str(caught.value).startswith(("input 'a': ", "'images'")) and "\n" not in str(caught.value)


def test_raw_images_obey_the_same_rule():
    raw = np.zeros((2, 8, 12, 3), np.float32)
    assert check_input(ANY, raw) is raw
    with pytest.raises(ServeError, match="multiples of 4 from 8, received 8 x 13; the nearest .*: width 12 or 16"):
        check_input(ANY, np.zeros((2, 8, 13, 3), np.float32))
    with pytest.raises(
        ServeError, match=r"expected a float32 \[batch, height, width, 3\] .*, received float32 \[2, 8, 8, 1\]"
    ):
        check_input(ANY, np.zeros((2, 8, 8, 1), np.float32))


def test_near():
    assert [nearest_sizes(size, SIZES["height"]) for size in (1, 8, 9, 12)] == [[8], [8], [8, 12], [12]]
    assert nearest_size(ANY, 9, 15) == (8, 16) and nearest_size(ANY, 10, 1) == (
        8,
        8,
    )  # of two that are as near, the smaller
    assert nearest_size(FIXED, 1, 1000) == (16, 24)


def test_around():
    assert [enclosing_size(ANY, *size) for size in ((8, 8), (9, 12), (12, 13))] == [(8, 8), (12, 12), (12, 16)]
    assert enclosing_size(FIXED, 1, 1000) == (16, 24)


def test_row_shape_takes_named_axes_from_what_is_fed():
    assert row_shape(ANY, {"height": 8, "width": 12}) == (8, 12, 3) and row_shape(FIXED) == (16, 24, 1)
