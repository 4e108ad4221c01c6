"""Photographs and paintings: which squares are cut, which are for tests alone, and where a painting's frame ends."""

import io

import given
import numpy as np
import pytest
from PIL import Image

from zoo.data import photos
from zoo.data.catalogue import DATASETS
from zoo.data.places import DOWNLOADS, apt
from zoo.data.sources import load_dataset


def encoded(pixels, kind):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, quality=100)
    return buffer.getvalue()


@pytest.fixture
def files(monkeypatch):
    """Photographs of 60 x 40 in one grey each, in the order of their names; paintings with a black frame."""
    grey = {name: np.full((40, 60, 3), 5 * number, np.uint8) for number, name in enumerate(sorted(photos.PHOTOS))}
    framed = np.full((200, 100, 3), 200, np.uint8)
    framed[:9] = framed[-9:] = framed[:, :4] = framed[:, -4:] = 0
    kept = {
        "photos": {name: encoded(pixels, "JPEG") for name, pixels in grey.items()},
        "paintings": {one.file: encoded(framed, "WEBP") for one in photos.PAINTINGS.values()},
    }
    monkeypatch.setattr(photos, "read_files", lambda name: kept[name])


def test_squares_are_a_third_of_the_short_side_and_overlap_by_half():
    assert list(photos.boxes(30, 30))[:3] == [(0, 0, 10, 10), (5, 0, 15, 10), (10, 0, 20, 10)]
    wide = list(photos.boxes(60, 30))
    assert len(wide) == 11 * 5 and wide[-1] == (50, 20, 60, 30)  # to the last pixel
    assert len(list(photos.boxes(59.9, 30))) == 10 * 5


def test_no_photograph_is_in_both_splits(files):
    train, test = (load_dataset("photos", size=8, split=split).images for split in ("train", "test"))
    each = len(list(photos.boxes(60, 40)))
    assert (train.shape, test.shape) == ((23 * each, 8, 8, 3), (4 * each, 8, 8, 3))
    of = {name: 5 * number for number, name in enumerate(sorted(photos.PHOTOS))}
    held = {of[f"{name}.jpg"] for name in photos.TEST}
    found = [{round(x / 5) * 5 for x in split[:, 4, 4, 0].astype(int)} for split in (train, test)]
    assert found == [set(of.values()) - held, held]


def test_the_catalogue_knows_every_file():
    layouts = {name: DOWNLOADS[name].layouts[0] for name in ("photos", "paintings")}
    assert len(layouts["photos"].names) == 27 and set(photos.TEST) <= {n.removesuffix(".jpg") for n in photos.PHOTOS}
    assert layouts["paintings"].names == tuple(one.file for one in photos.PAINTINGS.values())
    assert tuple(photos.PAINTINGS) == DATASETS["paintings"].classes


def test_several_packages_are_one_place():
    place = apt("one", "two")
    assert (place.title, place.install) == ("apt-get download one two", "apt install one two")


def test_a_painting_has_no_frame(files, monkeypatch):
    monkeypatch.setitem(photos.PAINTINGS, "venice", photos.Painting(photos.PAINTINGS["venice"].file, (10, 20, 40, 90)))
    for name, shape in (("bouquet", (180, 90, 3)), ("venice", (70, 30, 3))):
        pixels = given.real_painting(name)
        assert pixels.shape == shape and np.abs(pixels.astype(int) - 200).max() <= 2
