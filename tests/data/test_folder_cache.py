"""Pixels of a folder are kept: a second start opens no picture, and sees every change."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo.data import folder_cache
from zoo.data.sources import load_dataset

OPENED = []


def hook(event, arguments):
    """Audit hooks stay for good: this one lists paths, which a test empties."""
    if event == "open" and isinstance(arguments[0], str | os.PathLike):
        OPENED.append(Path(arguments[0]).suffix)


sys.addaudithook(hook)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of its own, which also keeps folders that are read in a moment."""
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(folder_cache, "LEAST", 0)
    folder_cache._say.cache_clear()
    return tmp_path / "cache" / "folders"


def draw(path, seed=0, size=(12, 10)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.RandomState(seed).randint(0, 256, (*size, 3), np.uint8)).save(path)


@pytest.fixture
def photos(tmp_path):
    for number in range(6):
        draw(tmp_path / "photos" / ("cats" if number % 2 else "dogs") / f"{number}.png", number)
    (tmp_path / "photos" / "read.me").write_text("no picture")
    return tmp_path / "photos"


def load(photos, *, opened, size=8, **args):
    """The data set, which opens so many pictures."""
    OPENED.clear()
    dataset = load_dataset("folder", {"path": str(photos), **args}, size=size)
    assert OPENED.count(".png") == opened
    return dataset


def same(one, other):
    return np.array_equal(one.items, other.items) and one.fingerprint == other.fingerprint


def test_a_second_start_opens_no_picture(photos):
    first, second = load(photos, opened=6), load(photos, opened=0)
    assert same(first, second) and second.reading == first.reading and second.classes == ("cats", "dogs")
    assert second.counts == {"images": 6, "classes": 2, "left_out": {".me": 1}}
    assert second.labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_pixels_of_the_cache_are_mapped_and_stay_as_they_are(photos):
    load(photos, opened=6)
    items = load(photos, opened=0).items
    with pytest.raises(ValueError, match="read-only"):
        items[0] = 0


@pytest.mark.parametrize("change", ["content", "time", "added", "removed", "renamed", "text"])
def test_a_change_is_seen(photos, cache, change):
    """What is not a picture counts too: it is in the account. The pixels of before are deleted."""
    before, one = load(photos, opened=6), photos / "dogs" / "0.png"
    if change == "content":
        draw(one, 9)
    elif change == "time":
        os.utime(one, ns=(0, 0))
    elif change == "added":
        draw(photos / "cats" / "9.png", 9)
    elif change == "removed":
        one.unlink()
    elif change == "renamed":
        one.rename(photos / "cats" / "0.png")
    else:
        (photos / "more.me").write_text("no picture either")
    count = 6 + {"added": 1, "removed": -1}.get(change, 0)
    after = load(photos, opened=count)
    assert same(before, after) is (change in ("time", "text"))
    assert after.counts["left_out"] == {".me": 2 if change == "text" else 1}
    assert len(list(cache.iterdir())) == 2 and same(after, load(photos, opened=0))


def test_each_size_and_fit_is_kept_beside_the_others(photos):
    load(photos, opened=6)
    assert load(photos, opened=6, size=4).items.shape == (6, 4, 4, 3)
    cropped, stretched = load(photos, opened=0), load(photos, opened=6, fit="resize")
    assert not same(cropped, stretched)
    assert same(cropped, load(photos, opened=0)) and same(stretched, load(photos, opened=0, fit="resize"))


def test_a_cache_that_cannot_be_written_is_a_line(photos, tmp_path, capsys):
    (tmp_path / "cache").write_text("a file where the folder should be")
    first = load(photos, opened=6)
    assert same(first, load(photos, opened=6))
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and f"{photos}: its pictures will be read again at the next start: " in err


@pytest.mark.parametrize("damage", ["cut", "empty", "zip", "lost", "no_account"])
def test_a_damaged_cache_is_read_again(photos, cache, damage):
    first = load(photos, opened=6)
    (pixels,), (account,) = cache.glob("*.npy"), cache.glob("*.json")
    if damage in ("cut", "empty", "zip"):
        shorter = {"cut": pixels.read_bytes()[:-1], "empty": b"", "zip": b"PK\x03\x04 and no more"}[damage]
        pixels.unlink()  # the first data set is mapped to it
        pixels.write_bytes(shorter)
    else:
        (pixels if damage == "lost" else account).unlink()
    assert same(first, load(photos, opened=6)) and same(first, load(photos, opened=0))


def test_a_picture_that_is_written_meanwhile_is_not_kept(photos, cache, monkeypatch):
    from zoo.data import folder_reader

    read = folder_reader.read_picture

    def slow(file, **how):
        os.utime(photos / "dogs" / "0.png")
        return read(file, **how)

    monkeypatch.setattr(folder_reader, "read_picture", slow)
    load(photos, opened=6)
    assert not cache.exists()


def test_broken_pictures_are_named_at_every_start(photos):
    (photos / "dogs" / "8.png").write_bytes(b"no picture")
    for _ in range(2):
        assert load(photos, opened=7, skip_broken=True).reading.broken == 1
        assert load(photos, opened=0, skip_broken=True).reading.broken == 1
        with pytest.raises(Exception, match=r"8\.png"):
            load_dataset("folder", {"path": str(photos)}, size=8)
        draw(photos / "dogs" / "0.png", 7)


def test_pairs_are_kept_too(tmp_path):
    for side, seed in (("a", 0), ("b", 10)):
        for number in range(3):
            draw(tmp_path / side / f"{number}.png", seed + number)
    found = []
    for opened in (6, 0):
        OPENED.clear()
        found.append(load_dataset("pairs", {"a": str(tmp_path / "a"), "b": str(tmp_path / "b")}, size=8))
        assert OPENED.count(".png") == opened
    first, second = found
    assert same(first.a, second.a) and same(first.b, second.b) and not same(first.a, first.b)


def test_few_pictures_are_not_kept(photos, cache, monkeypatch):
    monkeypatch.setattr(folder_cache, "LEAST", 2**20)
    load(photos, opened=6)
    load(photos, opened=6)
    assert not cache.exists()
