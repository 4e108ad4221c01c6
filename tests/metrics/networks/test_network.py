"""What a network made of images is kept, row by row, and never confused with that of other images."""

import contextlib
from dataclasses import replace

import numpy as np
import pytest

from zoo.core.errors import DataError
from zoo.metrics.networks.network import FeatureNetwork

IMAGES = np.random.RandomState(0).randint(0, 256, (7, 4, 4, 1)).astype("u1")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    return tmp_path / "features"


def network(calls, *, fail_at=None, sha256="a" * 64):
    def run(images):
        if fail_at is not None and sum(calls) >= fail_at:
            raise KeyboardInterrupt
        calls.append(len(images))
        return images.reshape(len(images), -1)[:, :3].astype("f4")

    return FeatureNetwork("tiny", 3, sha256, run, batch=2)


def test_features_and_what_is_kept_of_them(cache):
    calls, told = [], []
    expected = IMAGES.reshape(7, -1)[:, :3]
    np.testing.assert_array_equal(network(calls)(IMAGES, told.append), expected)
    assert calls == [2, 2, 2, 1] and told == [0, 2, 2, 2, 1]
    np.testing.assert_array_equal(network(calls)(IMAGES), expected)
    assert calls == [2, 2, 2, 1]  # from the cache
    assert [path.suffix for path in cache.iterdir()] == [".f32"]


def test_one_that_was_stopped_goes_on(cache):
    calls, told = [], []
    with pytest.raises(KeyboardInterrupt):
        network(calls, fail_at=4)(IMAGES)
    (part,) = cache.iterdir()
    part.write_bytes(part.read_bytes() + b"xy")  # a row that was cut off
    np.testing.assert_array_equal(network(calls)(IMAGES, told.append), IMAGES.reshape(7, -1)[:, :3])
    assert calls == [2, 2, 2, 1] and told[0] == 4


@pytest.mark.parametrize("fail_at", [None, 6])
def test_two_that_look_at_the_same_images_do_not_mix_their_rows(cache, fail_at):
    """The second comes when the first has two of seven rows, and ends, or is stopped, before the first goes on."""
    calls = []
    first = network([])

    def run(images):
        if len(calls) == 1:
            calls.append(0)
            with contextlib.suppress(KeyboardInterrupt):
                network(calls, fail_at=fail_at)(IMAGES)
        calls.append(len(images))
        return first.run(images)

    expected = IMAGES.reshape(7, -1)[:, :3]
    np.testing.assert_array_equal(replace(first, run=run)(IMAGES), expected)
    np.testing.assert_array_equal(network([])(IMAGES), expected)
    assert [path.suffix for path in cache.iterdir()] == [".f32"]


def test_other_pixels_shapes_and_networks_are_apart(cache):
    calls = []
    other = IMAGES.copy()
    other[3, 1, 1] ^= 1
    network(calls)(IMAGES)
    for images, sha256 in ((other, "a" * 64), (IMAGES.reshape(7, 2, 8, 1), "a" * 64), (IMAGES, "b" * 64)):
        before = len(calls)
        network(calls, sha256=sha256)(images)
        assert len(calls) == before + 4


@pytest.mark.parametrize("images", [IMAGES.astype("f4"), IMAGES[0], IMAGES[:0], np.zeros((2, 4, 4, 2), "u1")])
def test_what_are_no_images(images):
    with pytest.raises(DataError, match=r"takes images uint8 \[N, H, W, 1 or 3\], received"):
        network([])(images)
